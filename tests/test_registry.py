"""Files of others: found in their order, refused with another hash, and said to be missing in one sentence."""

import functools
import hashlib
import logging
import socket

import pooch
import pytest

from moelaws import data
from moelaws.data import registry
from moelaws.data.registry import PublicFile, RunSet
from moelaws.errors import InputError, Unavailable

TEXT = b"n,loss\n1,2\n"
HASH = hashlib.sha256(TEXT).hexdigest()
PUBLISHED = PublicFile("set/table.csv", HASH, address="https://example.org/table.csv")
DERIVED = PublicFile("set/table.csv", HASH, origin="flattened from 104 files of owner/name at commit abc")


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """No folder, an empty cache and no network."""

    def refuse(*_):
        raise OSError("no network in a test")

    monkeypatch.delenv(registry.VARIABLE, raising=False)
    monkeypatch.setattr(registry, "_cache", lambda: tmp_path / "cache")
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder that MOELAWS_DATA names."""
    monkeypatch.setenv(registry.VARIABLE, str(tmp_path))
    (tmp_path / "set").mkdir()
    return tmp_path / "set"


@pytest.fixture
def served(monkeypatch):
    """Serve these bytes at every address, and count how often."""

    def serve(content):
        calls = []

        def download(url, output_file, _):
            calls.append(url)
            with open(output_file, "wb") as file:
                file.write(content)

        monkeypatch.setattr(registry.pooch, "retrieve", functools.partial(pooch.retrieve, downloader=download))
        return calls

    return serve


def assert_one_sentence(error):
    message = str(error.value)
    assert message.endswith(".")
    assert "\n" not in message


def test_the_folder_comes_first(folder, served):
    calls = served(TEXT)
    (folder / "table.csv").write_bytes(TEXT)
    assert PUBLISHED.fetch() == PUBLISHED.here == folder / "table.csv"
    assert PUBLISHED.whereabouts == "folder"
    assert calls == []


def test_then_one_download_into_the_cache(served, tmp_path):
    calls = served(TEXT)
    assert (PUBLISHED.whereabouts, PUBLISHED.here) == ("download", None)
    assert PUBLISHED.fetch() == PUBLISHED.fetch() == PUBLISHED.here == tmp_path / "cache" / "set" / "table.csv"
    assert PUBLISHED.whereabouts == "cache"
    assert calls == [PUBLISHED.address]


def test_a_changed_file_in_the_cache_is_downloaded_again(served):
    calls = served(TEXT)
    PUBLISHED.fetch().write_bytes(b"changed")
    assert PUBLISHED.fetch().read_bytes() == TEXT
    assert len(calls) == 2


@pytest.mark.parametrize("file", [PUBLISHED, DERIVED])
def test_another_file_in_the_folder_is_refused(file, folder):
    (folder / "table.csv").write_bytes(TEXT + b"2,3\n")
    with pytest.raises(InputError, match=f"table.csv: the file has SHA-256 .*, expected is {HASH[:12]}") as error:
        file.fetch()
    assert not isinstance(error.value, Unavailable)
    assert_one_sentence(error)


def test_another_file_at_the_address_is_refused(served):
    served(b"something else")
    with pytest.raises(Unavailable, match=r"could not be downloaded from https://example\.org") as error:
        PUBLISHED.fetch()
    assert_one_sentence(error)
    assert PUBLISHED.here is None


def test_without_a_network_the_sentence_says_where_it_is_public():
    with pytest.raises(Unavailable, match=r"set/table.csv .* https://example.org/table.csv .* MOELAWS_DATA") as error:
        PUBLISHED.fetch()
    assert_one_sentence(error)


def test_what_is_no_single_file_says_what_it_was_made_from(served, folder):
    calls = served(TEXT)
    assert (DERIVED.whereabouts, DERIVED.here) == ("missing", None)
    with pytest.raises(Unavailable, match=r"no single public file \(flattened from 104.*MOELAWS_DATA") as error:
        DERIVED.fetch()
    assert_one_sentence(error)
    assert calls == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"path": "../secret.csv"}, "path '../secret.csv' leaves the folder of the data"),
        ({"path": "/etc/passwd"}, "path '/etc/passwd' leaves"),
        ({"path": "set/../../secret.csv"}, "leaves the folder of the data"),
        ({"sha256": ""}, "has the hash ''; a SHA-256 is expected"),
        ({"sha256": "md5:abc"}, "a SHA-256 is expected"),
        ({"address": "http://example.org/x"}, "one of https:// is expected"),
        ({"address": "file:///etc/passwd"}, "one of https:// is expected"),
        ({"address": "ftp://example.org/x"}, "one of https:// is expected"),
    ],
)
def test_entries_that_lead_elsewhere_are_refused(changes, sentence):
    with pytest.raises(InputError) as error:
        PublicFile(**{"path": "set/table.csv", "sha256": HASH, "address": "https://example.org/x"} | changes)
    assert sentence in str(error.value)


@pytest.mark.parametrize("value", ["", "/nonexistent"])
def test_a_variable_that_names_no_folder_holds_nothing(value, monkeypatch, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "table.csv").write_bytes(TEXT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(registry.VARIABLE, value)
    assert DERIVED.here is None


def test_a_relative_folder_does_not_move_with_the_current_one(monkeypatch, tmp_path, folder):
    (folder / "table.csv").write_bytes(TEXT)
    monkeypatch.setattr(registry, "ROOT", tmp_path)
    monkeypatch.setenv(registry.VARIABLE, ".")
    monkeypatch.chdir("/")
    assert PUBLISHED.here == folder / "table.csv"


def test_a_set_is_where_its_farthest_file_is(folder):
    (folder / "table.csv").write_bytes(TEXT)
    other = PublicFile("set/other.csv", HASH, address="https://example.org/other.csv")
    assert RunSet("", "", "", "", (), (PUBLISHED,)).whereabouts == "folder"
    assert RunSet("", "", "", "", (), (PUBLISHED, other)).whereabouts == "download"


@pytest.mark.parametrize("runs", registry.sets().values(), ids=registry.sets())
def test_every_entry_is_complete(runs):
    assert runs.title
    assert runs.citation
    assert runs.licence in {"CC-BY-4.0", "MIT", "Apache-2.0", "MIT and Apache-2.0", "facts only"}
    assert runs.notes
    for file in runs.files:
        assert len(file.sha256) == 64
        assert bool(file.address) != bool(file.origin)
        # An address at a branch would change under the hash.
        assert not file.address or len(max(file.address.split("/"), key=len)) == 40


def test_labels_tell_files_apart():
    labels = registry.by_label()
    assert "public_runs/clark2022/curves.csv.gz" in labels
    assert {path.path for path in labels.values()} == {
        file.path for runs in registry.sets().values() for file in runs.files
    }


def test_unknown_runs_are_refused_with_the_known_ones():
    with pytest.raises(InputError, match="no public runs 'nothing'; there are clark2022, chinchilla") as error:
        data.load_runs("nothing")
    assert_one_sentence(error)


@pytest.mark.parametrize("name", registry.sets())
def test_absent_runs_give_one_sentence(name):
    with pytest.raises(Unavailable) as error:
        data.load_runs(name)
    assert registry.find(name).files[0].path in str(error.value)
    assert_one_sentence(error)


def test_a_download_greets_nobody(served):
    served(TEXT)
    pooch.get_logger().setLevel("INFO")
    PUBLISHED.fetch()
    assert pooch.get_logger().level == logging.WARNING
