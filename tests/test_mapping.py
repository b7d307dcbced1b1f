"""Tables in other names and units: each multiple, mark and mapping once, and what two mappings say together."""

import warnings

import numpy as np
import pandas as pd
import pytest

from moelaws.data import mapping
from moelaws.data.mapping import Mapping
from moelaws.data.table import faults, nearest, numbers, parsed
from moelaws.errors import InputError


def cells(texts, **settings):
    """Return the numbers that a column of texts stands for."""
    return Mapping(**settings).apply(pd.DataFrame({"n_tokens": texts}), ["n_tokens"], "t.csv").n_tokens.tolist()


@pytest.mark.parametrize(
    ("unit", "number"),
    [("thousand", 2e3), ("million", 2e6), ("billion", 2e9), ("trillion", 2e12), (512.0, 1024.0), (0.5, 1.0)],
)
def test_multiples(unit, number):
    assert cells(["2"], units={"n_tokens": unit}) == [number]


def test_suffixes():
    texts = ["1.5K", "2m", " 3 B ", "4G", "5t", "600"]
    assert cells(texts, units={"n_tokens": "suffix"}) == [1500, 2e6, 3e9, 4e9, 5e12, 600]
    for text in ("3X", "B", "1.5 KB", "-2K"):
        with pytest.raises(InputError, match=rf"^t\.csv, row 1, column 'n_tokens': '{text}' is found; a positive num"):
            cells([text], units={"n_tokens": "suffix"})


@pytest.mark.parametrize(
    ("text", "decimal", "number"),
    [("1.234,5", ",", 1234.5), ("1,234.5", ".", 1234.5), ("1.234", None, 1.234), ("1,234,567", ".", 1234567)],
)
def test_marks_before_decimals(text, decimal, number):
    assert cells([text], decimal=decimal) == [number]


def test_an_empty_cell_beside_numbers_with_marks_is_empty():
    table = Mapping(decimal=",").with_cells(pd.DataFrame({"loss": ["2,5", None]}), "loss", "t.csv")
    assert table.loss.isna().tolist() == [False, True]
    assert table.loss[0] == "2.5"


def test_a_number_is_no_text_with_marks():
    assert cells([1234.5], decimal=",") == [1234.5]


@pytest.mark.parametrize(
    ("unit", "loss"), [("nats/token", 3.0), ("bits/token", 3 * 0.6931471805599453), ("perplexity", 1.0986122886681098)]
)
def test_units_of_a_loss(unit, loss):
    read = Mapping(units={"loss": unit}).apply(pd.DataFrame({"loss": ["3"]}), ["loss"], "t.csv")
    assert read.loss.tolist() == pytest.approx([loss])
    assert read.loss_unit.tolist() == ["nats/token"]
    kept = Mapping(units={"loss": unit}).apply(pd.DataFrame({"loss": ["3"], "loss_unit": "x"}), ["loss"], "t.csv")
    assert kept.loss_unit.tolist() == ["x"]
    assert "loss_unit" not in Mapping().apply(pd.DataFrame({"loss": ["3"]}), ["loss"], "t.csv")


def test_two_mappings_are_one_and_the_later_counts():
    first = Mapping(columns={"a": "A", "b": "B"}, units={"a": 2.0}, conventions={"x": "1"}, decimal=",", rows="a > 1")
    second = Mapping(columns={"b": "C"}, units={"b": 3.0}, conventions={"x": "2", "y": "3"}, decimal=".", rows="b > 2")
    assert first.and_also(second) == Mapping(
        columns={"a": "A", "b": "C"},
        units={"a": 2.0, "b": 3.0},
        conventions={"x": "2", "y": "3"},
        decimal=".",
        rows="b > 2",
    )
    assert first.and_also(Mapping()) == first == Mapping().and_also(first)


def test_what_a_column_is_made_from():
    made = Mapping(columns={"n_routed": "= nume / topk", "loss": "ppl"})
    assert made.sources("n_routed") == ("nume", "topk")
    assert made.sources("loss") == ("ppl",)
    assert made.sources("n_tokens") == ("n_tokens",)


def test_rows_are_chosen_before_they_are_read():
    rows = pd.DataFrame({"set": ["c4", "pile"], "size": ["5", "2"], "loss": ["3", "none"]})
    for condition in ("set == 'c4'", "size > 3"):
        assert Mapping(rows=condition).apply(rows, ["loss"], "t.csv").loss.tolist() == [3]


def test_columns_that_are_computed_are_in_the_units_that_their_parts_are_written_in():
    rows = pd.DataFrame({"N": ["1,5", "2"], "D": ["4", "10"], "run": ["a", "7"]})
    made = Mapping(columns={"flops": "= 6 * N * D", "name": "run", "n_tokens": "D"}, decimal=",").apply(rows, [], "t")
    assert made.flops.tolist() == [36, 120]
    assert made.n_tokens.tolist() == [4, 10]
    assert made.name.tolist() == ["a", "7"]  # not all are numbers, so that none is


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"columns": {"loss": "ppl"}}, "t.csv: column 'ppl' cannot be called 'loss', since there is such a column."),
        ({"units": {"n_tokens": 2.0}}, "t.csv: a unit is given for 'n_tokens'; there is no such column."),
        (
            {"columns": {"flops": "= loss * run"}},
            "t.csv, row 1, column 'run': 'a' is found; a positive number is expec",
        ),
    ],
)
def test_mappings_that_do_not_fit_a_table(settings, sentence):
    with pytest.raises(InputError) as error:
        Mapping(**settings).apply(pd.DataFrame({"loss": [1.0], "ppl": [2.0], "run": ["a"]}), [], "t.csv")
    assert str(error.value).startswith(sentence)


@pytest.mark.parametrize("unit", [0.0, -1.0, np.inf, np.nan])
def test_units_that_are_none(unit):
    with pytest.raises(InputError, match=rf"^m: 'loss' has the unit {unit:g}; a positive number is expected\.$"):
        mapping.checked(Mapping(units={"loss": unit}), "m")


def test_conventions():
    checked = mapping.checked(Mapping(conventions={"loss_set": "C4"}, units={"n_tokens": "million"}), "m")
    assert checked.conventions == {"loss_set": "C4"}
    for name in ("top_k", "mine"):
        with pytest.raises(
            InputError, match=rf"^m: '{name}' is no convention; those are loss_unit, loss_set, annealed, "
        ):
            mapping.checked(Mapping(conventions={name: "x"}), "m")


# Numbers of a table


@pytest.mark.parametrize(
    ("cell", "hint"),
    [
        ("1,234.5", " (--decimal , reads a comma before decimals, --decimal . commas between thousands)"),
        ("-3,5", " (--decimal , reads a comma before decimals, --decimal . commas between thousands)"),
        ("1.3B", " (written 1.3e9, or read with --unit COLUMN=suffix)"),
        ("7 k", " (written 7e3, or read with --unit COLUMN=suffix)"),
        ("7 kB", ""),
        (",", ""),
    ],
)
def test_cells_that_are_numbers_to_their_writer(cell, hint):
    (sentence,) = faults(pd.DataFrame({"a": ["1", cell]}), "a", "t.csv")
    assert sentence == f"t.csv, row 2, column 'a': '{cell}' is found; a positive number is expected{hint}."


def test_numbers_that_are_refused():
    table = pd.DataFrame({"a": ["1", "0", "-1", "inf", "", None, "x" * 50]})
    found = [sentence.split(": ")[1].split(" is found")[0] for sentence in faults(table, "a")]
    assert found == ["'0'", "'-1'", "'inf'", "''", "an empty cell", f"'{'x' * 40}'"]
    rest = [sentence.split(": ")[1] for sentence in faults(table, "a", positive=False)]
    assert rest[0] == "'inf' is found; a finite number is expected."
    assert len(rest) == 4
    assert numbers(pd.DataFrame({"a": ["-1", "0"]}), "a", positive=False).tolist() == [-1, 0]


def test_columns_are_listed_up_to_the_twentieth():
    rows = pd.DataFrame([[0] * 21], columns=[f"c{n}" for n in range(21)])
    with pytest.raises(InputError) as error:
        numbers(rows, "top_k", "t")
    assert str(error.value) == (
        f"t has no column 'top_k', of which one is needed; its columns are {', '.join(f'c{n}' for n in range(20))}, …."
    )
    with pytest.raises(InputError, match=r"c19\.$"):
        numbers(rows.drop(columns="c20"), "top_k", "t")
    with pytest.raises(InputError, match=r"^t has 2 columns 'a', of which one is needed; its columns are a, a\.$"):
        numbers(pd.DataFrame([[1, 2]], columns=["a", "a"]), "a", "t")
    with pytest.raises(InputError, match=r"are Na; --map n_active='Na' takes that one\.$"):
        numbers(pd.DataFrame({"Na": [1]}), "n_active", "t")


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("n_tokens", ["D", "tokens"], "tokens"),  # of what others call it, the first in the book's list
        ("loss", ["loss (nats)", "val loss"], "val loss"),
        ("loss", ["LOSS", "Loss"], "LOSS"),  # the first of two that are alike
        ("n_routed", ["n_routd", "x"], "n_routd"),
        ("loss", ["final_val_loss_c4"], "final_val_loss_c4"),
        ("n_active", ["sn"], None),  # one letter is no word
        ("unheard", ["of"], None),
    ],
)
def test_the_nearest_name(name, known, found):
    assert nearest(name, known) == found


@pytest.mark.parametrize("rows", [b"1,2\n1,2,3\n", b"1,2,3\n4,5,6\n"], ids=["one", "all"])
@pytest.mark.parametrize("shown", ["ignore", "error"])
def test_rows_longer_than_the_header_are_refused_however_warnings_are_shown(shown, rows):
    with warnings.catch_warnings():
        warnings.simplefilter(shown)
        with pytest.raises(InputError, match=r"^t\.csv: this is not a CSV table with one header line \(.+\)\.$"):
            parsed(b"a,b\n" + rows, "t.csv")
