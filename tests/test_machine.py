"""The name of the machine."""

import platform
from pathlib import Path

from moelaws.data.processor import processor


def test_processor_is_the_model_that_the_system_names(monkeypatch):
    text = "processor\t: 0\nmodel\t\t: 85\nmodel name\t: One: with a colon\nprocessor\t: 1\nmodel name\t: Two\n"
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: text)
    assert processor() == "One: with a colon"


def test_processor_of_a_system_that_does_not_tell(monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "processor\t: 0\nisa\t\t: rv64imafdc\n")
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert processor() == "riscv64"
