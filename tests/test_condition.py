"""Conditions: what they mean, and that nothing else than a condition has a meaning."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moelaws.data.condition import where
from moelaws.errors import InputError

ROWS = pd.DataFrame(
    {
        "n_active": [1e8, 4e8, 1e9, 2e9],
        "n_routed": [1, 8, 8, 64],
        "loss": [3.0, 2.5, 2.2, np.nan],
        "router": ["none", "hash", "A & B", None],
        "annealed": [True, False, True, False],
    }
)


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("n_active > 4e8", [2, 3]),
        ("n_active>=4e8", [1, 2, 3]),
        ("n_active > 4e8 and n_routed == 8", [2]),
        ("n_active > 4e8 & n_routed == 8", [2]),
        ("(n_active > 1e9) | (n_routed == 1)", [0, 3]),
        ("n_active > 1e9 or n_routed == 1 and loss < 1", [3]),
        ("not n_routed == 8", [0, 3]),
        ("~(n_routed == 8)", [0, 3]),
        ("~annealed", [1, 3]),
        ("annealed and n_active < 5e8", [0]),
        ("router == 'hash'", [1]),
        ('router == "A & B"', [2]),
        ("router != 'hash'", [0, 2]),  # the last cell is empty
        ("1e8 < n_active <= 1e9", [1, 2]),
        ("n_active * n_routed / 2 - 1 > 1.6e9 + 1", [2, 3]),
        ("-n_active > -2e8", [0]),
        ("loss > 0", [0, 1, 2]),
        ("4e8 < n_active", [2, 3]),
        ("  n_active\n > 4e8 ", [2, 3]),
    ],
)
def test_what_conditions_mean(condition, rows):
    assert np.flatnonzero(where(ROWS, condition)).tolist() == rows


HARMLESS = [
    "(" * 300 + "n_active > 1e9" + ")" * 300,
    "-" * 950 + "n_active > 1e9",
    "not " * 240 + "annealed",
    "n_active > 4e8 # and more",
]
"""Odd texts that may be conditions, where the version of Python reads them."""

ATTACKS = [
    "@os.system('id > PWN')",
    "@pd.io.common.os.system('id > PWN')",
    "n_active.to_csv('PWN')",
    "loss.to_pickle('PWN') is None",
    "n_active**9**9**9 > 1",
    "__import__('os').system('id > PWN')",
    "open('PWN', 'w')",
    "n_active.__class__ == 1",
    "n_active[0] > 1",
    "[x for x in (1, 2)] == n_active",
    "(lambda: 1)() == n_active",
    "(n_active := 3) > 1",
    "f'{n_active}' == router",
    "n_active if annealed else loss",
    "n_active in (1e8, 4e8)",
    "n_active is None",
    "n_active is loss",
    "n_active is not 3",
    "n_active in loss",
    "router not in 'hash'",
    "n_active @ n_active > 1",
    "n_active % 2 == 0",
    "n_active // 2 == 0",
    "n_active << 400 > 1",
    "n_active ^ 1 > 1",
    "`n_active` > 1",
    "index > 1",
    "n_active > 4e8; import os",
    "n_active > 4e8\nimport os",
    "n_active > True",
    "n_active == None",
    "n_active > 1j",
    "router == b'hash'",
    "n_active > ...",
    "*n_active > 1",
    "router * 1000000000 == 'x'",
    "'a' * 1000000000 == router",
    "router + 'x' == 'hashx'",
    "'hash' == 'hash'",
    "1 < 2",
    "n_active > " + "9" * 400,
    "n_active > 1e999",
    "n_active > " + "9" * 5000,
    "router > 3",
    "n_active == 'many'",
    "n_active",
    "n_active + 1",
    "annealed + 1 > 1",
    "missing > 1",
    "",
    "   ",
    "#",
    "n_active >",
    "\0",
    "'unclosed",
    "await n_active > 1",
    "yield n_active",
    "ｎ_active.ｔo_csv('PWN')",
]


def test_a_thousand_characters_are_read_and_no_more():
    longest = "n_active > 4e8".ljust(1000)
    assert where(ROWS, longest).tolist() == where(ROWS, "n_active > 4e8").tolist()
    with pytest.raises(InputError, match="it has 1001 characters; at most 1000 are read"):
        where(ROWS, longest + " ")


@pytest.mark.parametrize("condition", ATTACKS)
def test_nothing_else_is_read_or_run(condition, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as refusal:
        where(ROWS, condition)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 500
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("condition", HARMLESS)
def test_odd_conditions_are_read_or_refused(condition):
    try:
        chosen = where(ROWS, condition)
    except InputError:
        return
    assert chosen.any()


@pytest.mark.parametrize(("condition", "share"), [("n_active > 1", "all rows"), ("n_active < 1", "no row")])
def test_a_condition_divides_the_rows(condition, share):
    with pytest.raises(InputError, match=share):
        where(ROWS, condition)


def test_columns_of_one_name_are_refused():
    twice = pd.concat([ROWS, ROWS[["loss"]]], axis=1)
    with pytest.raises(InputError, match="two columns 'loss'"):
        where(twice, "loss > 1")


@given(st.text(alphabet="n_activelossrouter0123456789.e<>=!&|~()+-*/@'\" ,:[]{}", max_size=60))
def test_any_text_is_a_condition_or_refused(text):
    try:
        chosen = where(ROWS, text)
    except InputError:
        return
    assert chosen.dtype == bool
    assert chosen.shape == (len(ROWS),)


def test_a_backslash_is_no_news_of_pythons():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert where(ROWS, r"router == '\d' or n_routed == 1").tolist() == [True, False, False, False]


def test_an_empty_cell_fulfils_no_comparison():
    rows = pd.DataFrame({"lr": [0.002, np.nan, 0.004], "kind": ["a", None, "a  b"]})
    assert where(rows, "lr != 0.002").tolist() == [False, False, True]
    assert where(rows, "not lr == 0.002").tolist() == [False, True, True]
    assert where(rows, "kind != 'a'").tolist() == [False, False, True]
    assert where(rows, "lr < 1 and kind == 'a  b'").tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("n_active > 1e8  # only large\nand loss < 3", "what follows # would not be read"),
        ("n_active > 1e8 # ", "what follows # would not be read"),
        ("n_active > 1e8\x1b[2J", "characters that cannot be printed"),
        ("n_active > 1e8\u2028and loss < 3", "characters that cannot be printed"),
    ],
)
def test_nothing_of_a_condition_is_passed_over(condition, reason):
    with pytest.raises(InputError, match=reason):
        where(ROWS, condition)


def test_a_condition_may_have_lines():
    assert where(ROWS, "n_active > 4e8\n  and loss > 0").tolist() == [False, False, True, False]
