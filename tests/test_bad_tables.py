"""Forty things that go wrong with a table or an option: a helpful sentence, exit code 2, and nothing half-written."""

import gzip
import os
import shutil
import subprocess
import sys
import zipfile

import pandas as pd
import pytest
from click.testing import CliRunner

from moelaws.cli.main import main
from moelaws.paths import ROOT

EXAMPLE = ROOT / "data" / "examples" / "runs.csv"
TEXT = EXAMPLE.read_text(encoding="utf-8")
LINES = TEXT.splitlines()


def lines(change):
    """Return the example with each row changed; a row is a list of cells."""
    return "\n".join([LINES[0], *(",".join(change(n, line.split(","))) for n, line in enumerate(LINES[1:]))]) + "\n"


def cell(place, value, row=None):
    """Return the example with cells of one column replaced, in one row or in all."""
    return lines(lambda n, cells: [*cells[:place], str(value), *cells[place + 1 :]] if row in (None, n) else cells)


def column(name, values):
    """Return the example with a further column."""
    return "\n".join([f"{LINES[0]},{name}", *(f"{line},{values(n)}" for n, line in enumerate(LINES[1:]))]) + "\n"


def changed(raw, place):
    """Return bytes of which one is another."""
    return raw[:place] + bytes([raw[place] ^ 0xFF]) + raw[place + 1 :]


N, E, D, C, LOSS = range(5)
ROWS = len(LINES) - 1

# name: (content of the file, options, part of the sentence)
EOF = "unexpected EOF" if sys.version_info >= (3, 12) else "EOF"  # as Python says it
TABLES = {
    "empty file": (b"", [], "the file is empty"),
    "blank file": (b" \n\n", [], "the file is empty"),
    "header only": (LINES[0], [], "no rows"),
    "one row": ("\n".join(LINES[:2]), [], "at least 6 are expected"),
    "UTF-16": (TEXT.encode("utf-16"), [], "UTF-16 text; save it as UTF-8"),
    "Latin-1": (column("who", lambda n: "é").encode("latin-1"), [], "is not UTF-8"),
    "binary": (bytes(range(256)) * 20, [], "the file is binary"),
    "gzip, cut off": (gzip.compress(TEXT.encode())[:-20], [], "damaged or cut off"),
    "xz": (b"\xfd7zXZ\x00" + bytes(40), [], "an xz archive; unpack it first"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(40), [], "a zstd archive; unpack it first"),
    "spreadsheet": (b"PK\x03\x04" + bytes(40), [], "a spreadsheet; unpack it, or save it as CSV"),
    "JSON": ('[{"n_active": 1e8, "loss": 3}]', [], "the file is JSON; a CSV table"),
    "a web page": ("<!DOCTYPE html>\n<html><body>404</body></html>", [], "the file is a web page or XML"),
    "a pointer": (
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
        [],
        "git lfs pull fetches that",
    ),
    "UTF-16 without a mark": (TEXT.encode("utf-16-le"), [], "the file is binary; text in UTF-8"),
    "a quote left open": (TEXT.replace(LINES[5], '"' + LINES[5]), [], "EOF inside string starting at row 5"),
    "a shorter row": (TEXT + "1e8,1\n", [], f"row {ROWS + 1}, column 'n_tokens': an empty cell is found"),
    "packed twice": (gzip.compress(gzip.compress(TEXT.encode())), [], "the file is packed twice"),
    "gzip, one byte changed": (changed(gzip.compress(TEXT.encode()), 60), [], "damaged or cut off"),
    "units below the names": (TEXT.replace(LINES[1], "-,-,-,-,nats", 1), [], "row 1, column 'n_active': '-' is found"),
    "semicolons and powers": (
        TEXT.replace(",", ";").replace(".", ","),
        [],
        "--decimal , reads a comma before decimals",
    ),
    "bars": (TEXT.replace(",", "|"), [], "columns are separated by '|'; commas, semicolons or tabs are expected"),
    "blanks": (TEXT.replace(",", "  "), [], "columns are separated by ' '"),
    "a comment first": ("# our runs\n" + TEXT, [], "the first line is a comment"),
    "a comment last": (TEXT + "# the end\n", [], f"row {ROWS + 1}, column 'n_active': '# the end' is found"),
    "header twice": (TEXT + LINES[0] + "\n", [], f"row {ROWS + 1}, column 'n_active': 'n_active' is found"),
    "two columns of one name": (TEXT.replace("flops", "loss", 1), [], "two columns are called 'loss'"),
    "other case": (TEXT.replace("n_active", "N_Active", 1), [], "--map n_active='N_Active' takes that one"),
    "other names": (TEXT.replace("n_tokens", "Tokens", 1), [], "--map n_tokens='Tokens' takes that one"),
    "a longer row": (TEXT + LINES[1] + ",1,2,3\n", [], "not a CSV table with one header line"),
    "decimal commas": (cell(LOSS, '"3,1"'), [], "--decimal , reads a comma before decimals"),
    "letters for powers": (cell(D, "2B"), [], "read with --unit COLUMN=suffix"),
    "an empty cell": (cell(LOSS, "", row=7), [], "row 8, column 'loss': an empty cell is found"),
    "NaN": (cell(LOSS, "NaN", row=7), [], "row 8, column 'loss': 'NaN' is found"),
    "infinity": (cell(LOSS, "inf", row=7), [], "row 8, column 'loss': 'inf' is found"),
    "a negative loss": (cell(LOSS, -3, row=7), [], "row 8, column 'loss': '-3' is found; a positive number"),
    "huge numbers": (cell(N, "1e300", row=7), [], "Row 8, column 'n_active': 1e+300 is found"),
    "perplexity": (cell(LOSS, 40), [], "--unit loss=perplexity takes its logarithm"),
    "perplexity by name": (column("loss_unit", lambda n: "perplexity"), [], "loss_unit' has the value perplexity"),
    "nats and bits": (
        column("loss_unit", lambda n: "bits/token" if n % 2 else "nats/token"),
        [],
        "between which loss cannot be compared",
    ),
    "mixed conventions": (column("n_embedding_counted", lambda n: n % 2), [], "--pool n_embedding_counted"),
    "half an expert": (cell(E, 0.5, row=7), [], "Row 8, column 'n_routed': 0.5 is found"),
    "more used than there are": (column("top_k", lambda n: 99), [], "at most the 1 of column 'n_routed'"),
    "checkpoints": (
        lines(lambda n, cells: [LINES[1].split(",")[0], "8", f"{n + 1}e9", *cells[3:]])
        .replace(LINES[0], LINES[0] + ",run")
        .replace("\n", ",a\n")
        .replace(",run,a", ",run"),
        [],
        "--final keeps the last of each",
    ),
    "a hold-out that runs code": (TEXT, ["--holdout", "__import__('os').system('touch x')"], "cannot be read"),
    "a hold-out of all": (TEXT, ["--holdout", "loss > 0"], "holds in all rows"),
    "a hold-out of none": (TEXT, ["--holdout", "loss > 99"], "holds in no row"),
    "no such law": (TEXT, ["--law", "../dense"], "There is no law '../dense'"),
    "no such unit": (TEXT, ["--unit", "n_tokens=giga"], "'n_tokens' has the unit 'giga'"),
    "no such mapping": (TEXT, ["--mapping", "nowhere.yaml"], "nowhere.yaml: there is no such file"),
    "a target in no folder": (TEXT, ["--out", "nowhere/kept"], "there is no folder 'nowhere'"),
    "a target that is there": (TEXT, ["--out", "."], "something is there already"),
    "an expression left open": (TEXT, ["--map", "flops== (("], f"cannot be read ({EOF} in multi-line statement)"),
    "a picture without a name": (TEXT, ["--plot", ""], "'': the name of a picture ends in"),
    "a name that is too long": (TEXT, ["--out", "x" * 300], "the folder cannot be written"),
    "a picture of no kind": (TEXT, ["--plot", "fit.doc"], "the name of a picture ends in .png, .svg, .pdf"),
    "a picture in no folder": (TEXT, ["--plot", "nowhere/fit.png"], "nowhere/fit.png: the file cannot be written"),
    "a tiny bend": (TEXT, ["--loss", "huber", "--delta", "1e-300"], "Option --delta is 1e-300"),
    "groups without a bootstrap": (TEXT, ["--by", "n_active"], "--bootstrap N is expected with it"),
    "groups of the response": (
        TEXT,
        ["--by", "loss", "--bootstrap", "20"],
        "Option --by is 'loss', which is predicted",
    ),
    "all parameters held": (
        TEXT,
        [word for name in ("tau", "a", "b", "alpha", "gamma", "beta") for word in ("--hold", f"{name}=0.5")],
        "Option --hold holds all parameters",
    ),
    "two groups": (
        column("half", lambda n: n % 2),
        ["--by", "half", "--bootstrap", "20"],
        "makes 2 groups; --by expects at least 3",
    ),
}


def call(tmp_path, monkeypatch, path, options):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    law = [] if "--law" in options else ["--law", "wang2024"]
    result = CliRunner().invoke(main, ["fit", path, *law, *options])
    assert sorted(tmp_path.rglob("*")) == before
    return result


def refused(result, sentence):
    assert result.exit_code == 2, result.output
    assert sentence in result.stderr
    assert result.stderr.startswith("Error: ")
    assert result.stderr.strip().count("\n") == 0
    assert result.stdout == ""


@pytest.mark.parametrize("case", TABLES)
def test_tables_and_options_that_are_refused(case, tmp_path, monkeypatch):
    content, options, sentence = TABLES[case]
    (tmp_path / "mine.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(call(tmp_path, monkeypatch, "mine.csv", options), sentence)


def of_two_files(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", TEXT)
        archive.writestr("b.csv", TEXT)


def unreadable(path):
    path.write_text(TEXT, encoding="utf-8")
    path.chmod(0)


PLACES = {
    "a folder": (lambda path: path.mkdir(), "is a directory"),
    "nothing": (lambda path: None, "there is no such file"),
    "a link to nowhere": (lambda path: path.symlink_to("nowhere"), "there is no such file"),
    "a pipe": (os.mkfifo, "it is no regular file"),
    "an archive of two files": (of_two_files, "a zip archive or a spreadsheet"),
    "without permission": (unreadable, "the file cannot be read (permission denied)"),
}


@pytest.mark.parametrize("case", PLACES)
def test_places_that_cannot_be_read(case, tmp_path, monkeypatch):
    make, sentence = PLACES[case]
    make(tmp_path / "mine.csv")
    if case == "without permission" and os.access(tmp_path / "mine.csv", os.R_OK):
        pytest.skip("Who may read everything meets no missing permission.")
    refused(call(tmp_path, monkeypatch, "mine.csv", []), sentence)


@pytest.mark.parametrize("address", ["https://example.org/runs.csv", "s3://bucket/runs.csv", "ftp://example.org/x"])
def test_addresses_are_not_opened(address, tmp_path, monkeypatch):
    refused(call(tmp_path, monkeypatch, address, []), "remote addresses are not read")


def test_points_that_no_model_has(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "points.csv").write_text(cell(N, "1e300", row=7), encoding="utf-8")
    assert CliRunner().invoke(main, ["fit", str(EXAMPLE), "--law", "wang2024", "--out", "kept"]).exit_code == 0
    refused(CliRunner().invoke(main, ["predict", "kept", "points.csv"]), "Row 8, column 'n_active': 1e+300 is found")


def test_a_fit_that_was_tampered_with(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(EXAMPLE, "mine.csv")
    assert CliRunner().invoke(main, ["fit", "mine.csv", "--law", "wang2024", "--out", "kept"]).exit_code == 0
    manifest = tmp_path / "kept" / "manifest.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace('"n_rows": 45', '"n_rows": 44'), encoding="utf-8")
    refused(CliRunner().invoke(main, ["predict", "kept", "mine.csv"]), "not those that the fit was saved with")


OTHERS = {
    "sizes that are losses": (["isoflop", EXAMPLE, "--size", "loss"], "Option --size is 'loss'"),
    "a budget that is no number": (["isoflop", EXAMPLE, "--flops", "nan"], "Option --flops is nan"),
    "a negative budget": (["isoflop", EXAMPLE, "--flops", "-1"], "Option --flops is -1"),
    "a budget of nothing": (["isoflop", EXAMPLE, "--flops", "0"], "Option --flops is 0"),
    "a unit without a table": (["laws", "--unit", "loss=perplexity"], "--table FILE is expected"),
    "no such table": (["data", "../x"], "There is no table '../x'; 'moelaws data' lists those that there are."),
}


@pytest.mark.parametrize("case", OTHERS)
def test_options_of_other_commands_that_are_refused(case):
    arguments, sentence = OTHERS[case]
    refused(CliRunner().invoke(main, list(map(str, arguments))), sentence)


def test_runs_without_end_are_not_laid_out():
    result = CliRunner().invoke(main, ["plan", "--law", "dense", "--flops", "1e20", "--sizes", "100000000"])
    assert result.exit_code == 2
    assert "is not in the range" in result.stderr


def shell(*arguments, **options):
    """Run a command as a shell does, so that standard streams and signals are those of a process."""
    command = [sys.executable, "-m", "moelaws", *map(str, arguments)]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, **options)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="There is no device that is always full.")
def test_standard_output_that_is_full():
    with open("/dev/full", "w") as full:
        result = shell("plan", "--law", "dense", "--flops", "1e20", stdout=full)
    assert result.returncode == 2
    assert result.stderr == "Error: The output cannot be written (No space left on device).\n"


def test_standard_input_that_is_closed():
    result = shell("laws", "--table", "-", stdout=subprocess.PIPE, preexec_fn=lambda: os.close(0))
    assert result.returncode == 2
    assert result.stderr.startswith("Error: -: ")
    assert result.stderr.count("\n") == 1


def test_an_interruption_is_one_sentence(tmp_path, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("moelaws.fitting.estimation.fit", interrupted)
    (tmp_path / "mine.csv").write_text(TEXT, encoding="utf-8")
    refused(call(tmp_path, monkeypatch, "mine.csv", ["--out", "kept"]), "Interrupted; no file was left half-written.")


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (b"\xef\xbb\xbf" + TEXT.encode(), []),
        (TEXT.replace(",", ";").replace(".", ",").encode(), ["--decimal", ","]),
        (TEXT.replace(",", "\t").encode(), []),
        (TEXT.replace("\n", "\r").encode(), []),
        (TEXT.replace("\n", "\r\n").encode(), []),
        (b"sep=;\n" + TEXT.replace(",", ";").encode(), []),
        (gzip.compress(TEXT.encode()), []),
    ],
    ids=["BOM", "decimal commas", "tabs", "old Macintosh", "Windows", "as spreadsheets begin", "gzip"],
)
def test_what_is_read_after_all(content, options, tmp_path, monkeypatch):
    (tmp_path / "mine.csv").write_bytes(content)
    result = call(tmp_path, monkeypatch, "mine.csv", options)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("wang2024, n_active, n_routed, n_tokens → loss, 45 rows: converged")


PARQUET = pd.read_csv(EXAMPLE)


@pytest.mark.parametrize(
    ("rows", "outcome"),
    [
        (PARQUET, "wang2024, n_active, n_routed, n_tokens → loss, 45 rows: converged"),
        (PARQUET.assign(who=[[1, 2]] * 45), "wang2024, n_active, n_routed, n_tokens → loss, 45 rows: converged"),
        (PARQUET.assign(loss=PARQUET.loss.where(PARQUET.index != 6)), "row 7, column 'loss': an empty cell is found"),
        (PARQUET.assign(loss=True), "row 1, column 'loss': 'True' is found"),
        (PARQUET.assign(loss=pd.Timestamp("2026-01-01")), "row 1, column 'loss': '2026-01-01"),
        (PARQUET.iloc[:0], "the table has no rows"),
    ],
    ids=["numbers", "lists beside them", "an empty cell", "true and false", "times", "no rows"],
)
def test_what_parquet_holds(rows, outcome, tmp_path, monkeypatch):
    monkeypatch.setattr(pd, "read_parquet", lambda *arguments, **options: rows)  # needs a library that may be missing
    (tmp_path / "mine.csv").write_bytes(b"PAR1 and what follows")
    result = call(tmp_path, monkeypatch, "mine.csv", [])
    if "converged" in outcome:
        assert result.stdout.startswith(outcome)
    else:
        refused(result, outcome)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (lines(lambda n, cells: [*cells[:D], str(float(cells[D]) / 1e9), *cells[D + 1 :]]), "unusual for tokens"),
        (cell(D, "5", row=7), "are these rows in two units?"),
        (TEXT + "\n".join(LINES[1:4]), "3 rows repeat another one"),
        (cell(N, "1e8"), "Column 'n_active' has one value"),
        (cell(LOSS, "2.5"), "has the same value in all rows"),
        (cell(LOSS, "6", row=7), "The error of row 8 is"),
    ],
    ids=["billions", "one row in billions", "duplicates", "constant column", "constant loss", "a slip"],
)
def test_what_is_fitted_with_a_warning(content, sentence, tmp_path, monkeypatch):
    (tmp_path / "mine.csv").write_text(content, encoding="utf-8")
    result = call(tmp_path, monkeypatch, "mine.csv", [])
    assert result.exit_code == 0
    assert sentence in result.stderr
