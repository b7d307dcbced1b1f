"""Numbers that were read wrong without a word: units, marks and the last rows of runs, each by hand."""

import bz2
import io
import zipfile

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from moelaws.cli.main import main
from moelaws.data import files, load_runs, mapping, registry, table
from moelaws.data.mapping import Mapping
from moelaws.data.quantities import QUANTITIES
from moelaws.errors import InputError, Unavailable
from moelaws.fitting import rows
from moelaws.paths import ROOT

HEAD = "n_active,n_tokens,loss\n"


def refused(tmp_path, text, *options, command=("fit", "--law", "dense")):
    """Return what a command says of a table that it refuses."""
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    result = CliRunner().invoke(main, [*command, str(tmp_path / "t.csv"), *options])
    assert (result.exit_code, type(result.exception)) == (2, SystemExit)
    assert result.stdout == ""
    return result.stderr.replace(str(tmp_path), "")


# The last row of each run


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        (["a,9k", "a,10k"], "row 1, column 'checkpoint': '9k' is found; a finite number is expected"),
        (
            ["a,9000", "a,10000", "b,final"],
            "row 3, column 'checkpoint': 'final' is found; a finite number is expected.",
        ),
        (["a,1_3", "a,1_21"], "row 1, column 'checkpoint': '1_3' is found; a finite number is expected."),
        (["a,1", ",2", "b,2"], "row 2, column 'run': an empty cell is found; a run's name is expected."),
        (["a,", "a,", "b,10"], "row 1, column 'checkpoint': an empty cell is found; a finite number is expected."),
        (["a,1", "a,2", "b,"], "row 3, column 'checkpoint': an empty cell is found; a finite number is expected."),
    ],
    ids=["letters", "one text", "underscores", "no run", "no steps", "one step missing"],
)
def test_a_last_row_that_is_not_known(cells, sentence, tmp_path):
    text = f"run,checkpoint,{HEAD}" + "".join(f"{cell},1e8,1e9,3.5\n" for cell in cells)
    assert refused(tmp_path, text, "--final").startswith(f"Error: The table, {sentence[:-1]}")


def test_the_last_row_is_that_of_the_largest_number():
    """As texts, 9 comes after 10."""
    given = pd.DataFrame({"run": list("aabb"), "step": ["9", "10", "1e3", "20"]})
    assert rows.final(given).index.tolist() == [1, 2]
    read = Mapping(units={"checkpoint": "suffix"}).apply(
        pd.DataFrame({"run": ["a", "a"], "checkpoint": ["9k", "10k"]}), [], "t.csv"
    )
    assert rows.final(read).checkpoint.tolist() == [10_000]


def test_rows_are_counted_in_the_file_where_some_were_left_out(tmp_path):
    text = f"run,step,part,{HEAD}" + "".join(
        f"r,{n},{part},1e8,1e9,3\n" for n, part in [(1, "a"), ("x", "b"), (2, "b")]
    )
    assert "The table, row 2, column 'step': 'x' is found" in refused(
        tmp_path, text, "--final", "--where", "part == 'b'"
    )
    chosen = Mapping(rows="part == 'b'")
    with pytest.raises(InputError, match=r"^t, row 3, column 'loss': 'no' is found"):
        chosen.apply(pd.DataFrame({"part": ["a", "b", "b"], "loss": ["1", "2", "no"]}), ["loss"], "t")


# Marks before decimals and between thousands


@pytest.mark.parametrize(
    ("cell", "decimal", "number"),
    [
        ("3,7771", ",", 3.7771),
        ("1.234.567,8", ",", 1_234_567.8),
        ("12.345", ",", 12_345),
        ("198060000", ",", 198_060_000),
        ("1,98e8", ",", 198e6),
        ("0,335", ",", 0.335),
        (",5", ",", 0.5),
        ("2,", ",", 2),
        ("1.98e8", ".", 198e6),
        ("1,234,567.8", ".", 1_234_567.8),
        (" +1,300 ", ".", 1_300),
    ],
)
def test_marks_where_they_belong(cell, decimal, number):
    assert Mapping(decimal=decimal).apply(pd.DataFrame({"a": [cell]}), ["a"], "t").a.tolist() == [number]


@pytest.mark.parametrize(
    ("cell", "decimal", "other"),
    [
        *(
            (cell, ",", ".")
            for cell in ("1.9806e+08", "1.980e+08", "3.7771", "0.335", "1,5.0", "1.23.456", ".5", "1.5B")
        ),
        *((cell, ".", ",") for cell in ("1,5e8", "1,3", "1,00,000", "1,234,5", "1.2.3", "1.234,567")),
    ],
)
def test_marks_where_they_mean_nothing(cell, decimal, other, tmp_path):
    """Deleting the other mark wherever it stands made 1.9806e+08 a number ten thousand times as large."""
    sentence = (
        f"/t.csv, row 2, column 'n_tokens': '{cell}' is found; a number with '{decimal}' before decimals, "
        f"and '{other}' only between thousands, is expected.\n"
    )
    text = f"n_active;n_tokens;loss\n100;200;3\n100;{cell};3\n"
    assert refused(tmp_path, text, "--decimal", decimal) == f"Error: {sentence}"


def test_texts_keep_their_marks():
    given = pd.DataFrame({"set": ["c4.en, 1.5", "v1.0"], "loss": ["3,5", "2"]})
    read = Mapping(columns={"name": "set"}, decimal=",").apply(given, ["loss"], "t")
    assert read.name.tolist() == ["c4.en, 1.5", "v1.0"]
    assert read.loss.tolist() == [3.5, 2]


def test_a_condition_on_rows_reads_marks_as_the_table_does():
    given = pd.DataFrame({"n_tokens": ["1.234", "999"], "loss": ["3,5", "2"]})
    assert Mapping(rows="n_tokens > 1000", decimal=",").apply(given, ["loss"], "t").loss.tolist() == [3.5]


def test_letters_behind_what_is_no_number(tmp_path):
    for cell in ("1.2.3B", ".", "1..5M"):
        said = refused(tmp_path, f"{HEAD}{cell},1,3\n", "--unit", "n_active=suffix")
        assert said == f"Error: /t.csv, row 1, column 'n_active': '{cell}' is found; a positive number is expected.\n"
    given = pd.DataFrame({"a": ["1.B", ".5K", "3"]})
    assert Mapping(units={"a": "suffix"}).apply(given, ["a"], "t").a.tolist() == [1e9, 500, 3]


# Arithmetic on columns that have a unit


def test_units_come_before_arithmetic():
    """20 tokens for each of 100 million parameters are 6 * 1e8 * 2e9 = 1.2e18 FLOP."""
    given = pd.DataFrame({"n_active": ["100"], "D": ["2"], "flops": ["1.2e18"]})
    tokens = Mapping(columns={"n_tokens": "= flops / (6 * n_active)"}, units={"n_active": "million"})
    assert tokens.apply(given, ["n_active", "n_tokens"], "t").n_tokens.tolist() == [2e9]
    compute = Mapping(
        columns={"n_tokens": "D", "compute": "= 6 * n_active * n_tokens"},
        units={"n_active": "million", "n_tokens": "billion"},
    )
    for said in (compute, compute.about(["compute"])):  # what the points of a prediction keep of it
        read = said.apply(given, ["compute"], "t")
        assert read.compute.tolist() == [1.2e18]
        assert read.n_tokens.tolist() == [2e9]
    nats = Mapping(columns={"twice": "= 2 * loss"}, units={"loss": "perplexity"})
    assert nats.apply(pd.DataFrame({"loss": ["10"]}), [], "t").twice.tolist() == pytest.approx([4.605170185988092])


def test_a_unit_of_what_is_computed():
    """It comes last, of a column that is computed from itself as well; with one of the parts it would come twice."""
    given = pd.DataFrame({"n_active": ["30"], "head": ["10"]})
    for source in ("n_active - head", "head + 10"):
        made = Mapping(columns={"n_active": f"= {source}"}, units={"n_active": "million"})
        assert made.apply(given, ["n_active"], "t").n_active.tolist() == [20e6]
    both = Mapping(columns={"flops": "= 6 * n_active"}, units={"n_active": "million", "flops": 1e9})
    with pytest.raises(
        InputError, match=r"^t: 'flops' is computed from 'n_active', and a unit is given for both; one f"
    ):
        both.apply(given, ["flops"], "t")


def test_what_a_check_advises_is_right(tmp_path):
    """Whose table has sizes in millions is told how tokens are computed, and gets them in tokens."""
    path = tmp_path / "t.csv"
    path.write_text("n_active,flops,loss\n100,1.2e18,3\n", encoding="utf-8")
    said = CliRunner().invoke(main, ["data", "check", str(path), "--unit", "n_active=million"]).stdout
    advice = said.split('--map "')[1].split('"')[0]
    name, _, source = advice.partition("=")
    made = Mapping(columns={name: source}, units={"n_active": "million"})
    assert table.read(path, ["n_active", "n_tokens"], made).n_tokens.tolist() == [2e9]


@pytest.mark.parametrize("name", ["loss_units", "embedding_counted"])
def test_a_convention_that_is_none(name, tmp_path):
    path = tmp_path / "m.yaml"
    path.write_text(f"conventions:\n  {name}: bits/token\n", encoding="utf-8")
    with pytest.raises(
        InputError, match=rf"m\.yaml: '{name}' is no convention; those are loss_unit, loss_set, annealed"
    ):
        mapping.read(path)


# Names of columns that look like something else


@pytest.mark.parametrize("name", ["PK", "BZh"])
def test_names_that_begin_like_archives(name, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f"{name},loss\n1,3\n", encoding="utf-8")
    assert table.read(path, ["loss"]).columns.tolist() == [name, "loss"]


def test_archives_are_told_still(tmp_path):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("t.csv", HEAD)
    for raw, what in ((archive.getvalue(), "a zip archive"), (bz2.compress(HEAD.encode()), "a bz2 archive")):
        (tmp_path / "t").write_bytes(raw)
        with pytest.raises(InputError, match=f"the file is {what}"):
            files.contents(tmp_path / "t")


@pytest.mark.parametrize("name", ["#", "# run", " #", "{", "[0]", "<a>"])
def test_a_first_name_that_could_not_be_read_again(name):
    """Written without its quotes, as pandas writes it, it would begin a comment, JSON or a web page."""
    with pytest.raises(
        InputError, match=r"^t\.csv: the first column is called '.+', with which a CSV file cannot begin;"
    ):
        table.parsed(f'"{name}",loss\n1,3\n'.encode(), "t.csv")
    assert table.parsed(f'loss,"{name}"\n1,3\n'.encode(), "t.csv").columns.tolist() == ["loss", name]


# Rows in two units

SIZES = np.tile(np.geomspace(1e8, 3e9, 5), 3)


def runs(each):
    """Return fifteen runs with some numbers of tokens for each parameter, of which no two are equal."""
    return pd.DataFrame(
        {"n_active": SIZES, "n_tokens": SIZES * np.repeat(each, 5) * np.linspace(1, 1.1, 15), "loss": 3}
    )


HALF = np.where(np.arange(15) % 2, 1e-3, 1.0)
PAIR = np.where(np.isin(np.arange(15), [4, 9]), 1e-3, 1.0)  # the largest, so that no gap is left


@pytest.mark.parametrize(
    "given",
    [
        runs([2, 20, 200]).assign(n_tokens=lambda t: t.n_tokens * HALF),
        runs([2, 20, 200]).assign(n_tokens=lambda t: t.n_tokens * PAIR),
        runs([2, 20, 200]).assign(n_tokens=lambda t: t.n_tokens / 1000),
        runs([2, 20, 200]).assign(n_active=lambda t: t.n_active / 1000),
        runs([20, 20, 20]).assign(n_tokens=lambda t: t.n_tokens * HALF),
        runs([20, 20, 20]).assign(n_active=lambda t: t.n_active * PAIR),
        runs([20, 20, 20]).assign(n_active=lambda t: t.n_active / 1000),
        runs([20, 20, 20]).assign(n_tokens=lambda t: t.n_tokens / 1000).rename(columns={"n_active": "n_dense"}),
    ],
    ids=["half", "two rows", "tokens", "sizes", "half of a line", "two sizes of a line", "sizes of a line", "dense"],
)
def test_a_thousand_is_noticed(given):
    (sentence,) = rows.suspects(given, list(given))
    assert sentence.endswith(
        "unusual for training runs: are these rows in two units, or is one of the columns in another?"
    )
    each = given.n_tokens / given[given.columns[0]]
    assert (
        f" {each.min():.2g} (row {each.argmin() + 1}) to {each.max():.2g} (row {each.argmax() + 1}) tokens" in sentence
    )
    assert f"with the median {each.median():.2g}," in sentence


def test_a_thousand_is_noticed_in_one_column():
    """All runs have as many tokens, and half of the cells are in thousands."""
    given = pd.DataFrame({"n_active": SIZES, "n_tokens": 1e11 * HALF})
    (sentence,) = rows.suspects(given, ["n_active", "n_tokens"])
    assert sentence.startswith(
        "Column 'n_tokens' has no value between 1e+08 (7 rows up to it) and 1e+11: are these rows"
    )


@pytest.mark.parametrize("each", [[2, 20, 200], [0.05, 0.5, 5], [20, 200, 2000], [100, 1000, 9000]])
def test_usual_runs_are_not_suspected(each):
    given = runs(each)
    assert not list(rows.suspects(given, list(given)))
    assert not list(rows.suspects(given.assign(n_tokens=0.0), ["n_active"]))


@pytest.mark.parametrize("name", [*registry.sets(), "runs", "candidates", "isoflop", "small"])
def test_no_false_alarm_on_runs_that_are_right(name):
    small = ROOT / "data" / "small_moe_runs" / "runs.csv"
    try:
        given = (
            load_runs(name)
            if name in registry.sets()
            else pd.read_csv(small if name == "small" else ROOT / "data" / "examples" / f"{name}.csv")
        )
    except Unavailable as error:
        pytest.skip(str(error))
    read = [column for column in QUANTITIES if column in given]
    assert not list(rows.suspects(given, read))
    assert not list(rows.suspects(given, [column for column in read if column != "n_active"]))
