"""Each command's example works as it stands, pasted in a fresh clone."""

import inspect
import re
import shlex
import shutil

import click
import pytest
from click.testing import CliRunner

from moelaws.cli.main import main
from moelaws.fork import chapter
from moelaws.paths import ROOT

COMMANDS = dict(main.commands) | {
    f"{name} {inner}": command
    for name, group in main.commands.items()
    if isinstance(group, click.Group)
    for inner, command in group.commands.items()
}


def examples(command):
    """The lines of an example, as a shell would join them."""
    text = re.search(r"Example: (.*?)(?:\n\n|$)", inspect.cleandoc(COMMANDS[command].help), re.DOTALL)[1]
    return [shlex.split(line) for line in " ".join(text.split()).split(" && ")]


def copied(root):
    """Return a folder with what a new chapter changes, so that the book itself stays as it is."""
    for name in ("data", "chapters", "book"):
        (root / name).mkdir(parents=True)
    for name in ("_toc.yml", "book/references.bib"):
        shutil.copy(ROOT / name, root / name)
    return root


@pytest.mark.parametrize("command", COMMANDS)
def test_the_example_works(command, tmp_path, monkeypatch):
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(chapter, "ROOT", copied(tmp_path / "book"))
    lines = examples(command)
    assert command.split()[0] in {line[1] for line in lines}
    for program, *arguments in lines:
        assert program == "moelaws"
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
        assert result.stdout
