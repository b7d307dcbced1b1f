"""The tables are those whose hashes their data packages pin, and a change of one is noticed and said."""

import re
import shutil

import accept
import changes
import pytest
import table as runs_table
from click.testing import CliRunner

from moelaws import data
from moelaws.data import checksums
from moelaws.errors import InputError

TABLES = {str(path.relative_to(data.ROOT)): path for path in accept.tables()}


@pytest.fixture
def folder(tmp_path):
    """Return a copy of a data set."""
    return shutil.copytree(data.ROOT / "data" / "small_moe_runs", tmp_path / "set")


def change(path):
    """Change the last digit of a table."""
    text = path.read_text(encoding="utf-8")
    at = max(match.start() for match in re.finditer(r"\d", text))
    path.write_text(f"{text[:at]}{(int(text[at]) + 1) % 10}{text[at + 1 :]}", encoding="utf-8")


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_the_one_that_is_pinned(name):
    assert checksums.pinned(TABLES[name]) == checksums.digest(TABLES[name]), f"{name}: see accept.py data"


@pytest.mark.parametrize("name", TABLES)
def test_a_digit_that_changes_in_any_table_is_noticed(name, tmp_path):
    path, source = tmp_path / "changed.csv", TABLES[name].read_bytes()
    cells, pinned = changes.of_table(f"data/{name}", source), checksums.pinned(TABLES[name])
    assert cells or not re.search(rb"\n[^\n]*\d", source)
    for cell in changes.sample(cells, 15, 0) if cells else []:
        path.write_bytes(cell.apply(source))
        assert checksums.digest(path) != pinned, cell


def test_a_hash_is_that_of_the_standard(tmp_path):
    """The SHA-256 of "abc" stands in FIPS 180-2, Appendix B.1."""
    (tmp_path / "abc").write_text("abc", encoding="utf-8")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert checksums.digest(tmp_path / "abc") == f"sha256:{expected}"


def test_a_changed_cell_is_refused_until_it_is_accepted(folder):
    path = folder / "runs.csv"
    others = [checksums.pinned(folder / name) for name in ("curves.csv", "claims.csv")]
    checksums.check(path, checksums.pinned(path))
    change(path)
    with pytest.raises(
        InputError, match=r"runs\.csv: the table is not the one .* 'python book/tools/accept\.py data'\.$"
    ):
        checksums.check(path, checksums.pinned(path))
    checksums.pin(path)
    checksums.check(path, checksums.pinned(path))
    assert [checksums.pinned(folder / name) for name in ("curves.csv", "claims.csv")] == others


def test_loading_a_table_checks_it(monkeypatch):
    data.load("devices/devices")
    monkeypatch.setattr(checksums, "digest", lambda path: "sha256:0")
    with pytest.raises(InputError, match=r"devices\.csv: the table is not the one"):
        data.load("devices/devices")
    with pytest.raises(InputError, match=r"devices\.csv: the table is not the one"):
        data.printed("devices/devices")


def test_what_is_not_pinned_is_not_checked(tmp_path):
    path = tmp_path / "mine.csv"
    assert checksums.pinned(path) is None
    checksums.check(path, None)
    checksums.check(path, "sha256:0")  # whether it is there, the reader says
    path.write_text("a\n1\n", encoding="utf-8")
    checksums.pin(path)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.csv"]
    (tmp_path / "datapackage.yaml").write_text(
        "resources:\n  - path: other.csv\n    hash: sha256:1\n", encoding="utf-8"
    )
    assert checksums.pinned(path) is None


def test_a_new_table_gets_its_hash(tmp_path):
    path, package = tmp_path / "mine.csv", tmp_path / "datapackage.yaml"
    path.write_text("a\n1\n", encoding="utf-8")
    package.write_text("resources:\n  - name: mine\n    path: mine.csv\n    schema: {}\n", encoding="utf-8")
    checksums.pin(path)
    lines = package.read_text(encoding="utf-8").splitlines()
    assert lines[2:] == ["    path: mine.csv", f"    hash: {checksums.digest(path)}", "    schema: {}"]


def test_a_run_that_is_added_keeps_the_table_the_pinned_one(folder):
    path = folder / "lr_search.csv"
    like = "small_moe_runs/lr_search"
    last = data.printed(like).iloc[-1].to_dict()
    row = last | {"run": f"{last['run']}-again"} if "run" in last else None
    assert row, "the table has runs"
    runs_table.append(path, [row], like)
    checksums.check(path, checksums.pinned(path))
    change(path)
    before = path.read_bytes()
    with pytest.raises(InputError, match="is not the one whose hash"):
        runs_table.append(path, [row | {"run": "one more"}], like)
    assert path.read_bytes() == before


def test_accepting_shows_what_changes(folder, monkeypatch):
    monkeypatch.setattr(accept.data, "ROOT", folder.parent)
    monkeypatch.setattr(accept, "tables", lambda: [folder / "runs.csv", folder / "curves.csv"])
    assert CliRunner().invoke(accept.main, ["data"]).output == ""
    change(folder / "runs.csv")
    shown = CliRunner().invoke(accept.main, ["data"]).output.splitlines()
    assert shown[:2] == ["--- set/datapackage.yaml", "+++ set/datapackage.yaml"]
    assert shown[-1] == f"+    hash: {checksums.digest(folder / 'runs.csv')}"
