"""Limits of what a column can hold, usual units, and the order of rows in time: each at its edge, from both sides."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from moelaws.errors import InputError
from moelaws.fitting import rows
from moelaws.fitting.isoflop import TOLERANCE, _budgets
from moelaws.fitting.needs import needs
from moelaws.laws import find

LIMITS = {
    "n_active": (1, 1e18, "parameters"),
    "n_total": (1, 1e18, "parameters"),
    "n_dense": (1, 1e18, "parameters"),
    "n_tokens": (1e-6, 1e20, "tokens"),
    "flops": (1e-6, 1e35, "FLOP"),
    "n_routed": (1, 1e7, "experts"),
    "top_k": (1, 1e7, "experts"),
    "activation_ratio": (0, 1, "experts used over experts"),
    "granularity": (0, 1e4, "in the column"),
    "loss": (0, 14, "nats/token"),
    "leverage": (0, 1e4, "in the column"),
}


@pytest.mark.parametrize("name", LIMITS)
def test_limits_of_a_column(name):
    low, high, unit = LIMITS[name]
    table = pd.DataFrame({name: [low, high, low - 1e-7, high * 1.01]}, dtype=float)
    hint = " (--unit loss=perplexity takes its logarithm)" if name == "loss" else ""
    expected = f"{low:g} to {high:g} {unit} are expected{hint}."
    assert list(rows.faults([name], table)) == [
        f"Row 3, column '{name}': {low - 1e-7:.6g} is found; {expected}",
        f"Row 4, column '{name}': {high * 1.01:.6g} is found; {expected}",
    ]


@pytest.mark.parametrize(("unit", "most"), [("nats/token", 14), ("bits/token", 20), ("bits/byte", 8)])
def test_no_loss_is_higher_than_guessing(unit, most):
    table = pd.DataFrame({"loss": [most, most + 0.1], "loss_unit": unit})
    (sentence,) = rows.faults(["loss"], table)
    assert sentence.startswith(f"Row 2, column 'loss': {most + 0.1:g} is found; 0 to {most} {unit} are expected")


def test_what_is_no_more_than_another():
    table = pd.DataFrame({"top_k": [8, 9], "n_routed": [8, 8], "n_active": [2.0, 3], "n_total": [2.0, 2]})
    assert list(rows.faults(["top_k"], table)) == [
        "Row 2, column 'top_k': 9 is found; at most the 8 of column 'n_routed' are expected."
    ]
    assert list(rows.faults(["n_total"], table)) == [
        "Row 2, column 'n_active': 3 is found; at most the 2 of column 'n_total' are expected."
    ]
    assert not list(rows.faults(["loss"], table.assign(loss=2.0)))
    assert not list(rows.faults(["top_k"], table.drop(columns="n_routed")))


def test_conventions_of_two_values():
    table = pd.DataFrame({"loss": [2.0] * 6, "loss_set": ["a", None, "b", "c", "d", "a"], "flops_convention": "x"})
    (sentence,) = rows.faults(["loss", "flops"], table.assign(flops=1e18))
    assert sentence == (
        "Column 'loss_set' has the values a, (empty), b, c, between which loss cannot be compared: choose rows "
        "(--where \"loss_set == 'a'\"), or pool them (--pool loss_set, or a table without the column)."
    )
    assert not list(rows.faults(["flops"], table.assign(flops=1e18)))
    counted = pd.DataFrame({"n_embedding_counted": ["yes", "no"], "n_active": 1e8, "n_total": 2e8, "n_dense": 1e8})
    for read in (["n_active", "n_total", "n_dense"], ["n_dense", "n_total", "n_active"]):
        (sentence,) = rows.faults(read, counted)
        assert "between which n_active and n_total and n_dense cannot be compared" in sentence
    (unit,) = rows.faults(["loss"], table.drop(columns="loss_set").assign(loss_unit="ppl"))
    assert unit == (
        "Column 'loss_unit' has the value ppl; nats/token, bits/token, bits/byte are expected, and --unit "
        "loss=perplexity or loss=bits/token makes nats per token of others."
    )


def test_rows_are_named_as_in_their_file():
    table = pd.DataFrame({"a": [1, 2, 3]})
    assert (rows.row(table, 1), rows.row(table[1:], 1), rows.row(table.set_axis(list("xyz")), 1)) == (2, 3, 2)


USUAL = {
    "n_active": (1e4, 1e14),
    "n_total": (1e4, 1e14),
    "n_dense": (1e4, 1e14),
    "n_tokens": (1e6, 1e16),
    "flops": (1e10, 1e30),
    "loss": (0.2, 7.0),
}


@pytest.mark.parametrize("name", USUAL)
def test_medians_that_are_usual(name):
    low, high = USUAL[name]
    for middle in (low, high):
        assert not list(rows.suspects(pd.DataFrame({name: [middle] * 3}), [name]))
    for middle in (0.99 * low, 1.01 * high):
        (sentence,) = rows.suspects(pd.DataFrame({name: [middle] * 3}), [name])
        assert sentence.startswith(
            f"Column '{name}' has the median {middle:.3g}, unusual for {LIMITS[name][2]}: is it "
        )
        assert ("perplexity" in sentence) is (name == "loss")


def test_what_has_no_usual_unit():
    for name in LIMITS.keys() - USUAL.keys():
        assert not list(rows.suspects(pd.DataFrame({name: [1e-9, 1e9]}), [name]))
    assert not list(rows.suspects(pd.DataFrame({"loss": [np.nan, -1.0], "mine": 1}), ["loss", "mine"]))


def test_a_gap_as_of_two_units():
    near = pd.DataFrame({"n_active": [1e8, 1e8 * rows.GAP, 1e8]})
    assert not list(rows.suspects(near, ["n_active"]))
    (sentence,) = rows.suspects(pd.DataFrame({"n_active": [3e8, 1e8, 1.01e8 * 3 * rows.GAP]}), ["n_active"])
    assert sentence == (
        f"Column 'n_active' has no value between 3e+08 (2 rows up to it) and {3.03e8 * rows.GAP:.3g}: "
        "are these rows in two units?"
    )


# Points on the way of a run


def test_the_last_row_of_each_run():
    table = pd.DataFrame({"run": list("abab"), "step": [2, 1, 1, 5], "loss": [1.0, 2, 3, 4]}, index=[3, 5, 7, 9])
    assert rows.final(table).index.tolist() == [3, 9]
    by_tokens = table.rename(columns={"run": "trunk", "step": "n_tokens"})
    assert rows.final(by_tokens).index.tolist() == [3, 9]
    for missing in ("run", "step"):
        with pytest.raises(
            InputError, match=r"^The last row of each run needs a column of runs \(run, .* of steps \(st"
        ):
            rows.final(table.drop(columns=missing))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, ("run", 3)),
        ({"loss_only": True}, None),
        ({"run": [1, 2, 3, 4, 5]}, None),
        ({"step": 7}, None),
        ({"n_active": [1e8, 2e8, 1e8, 1e8, 1e8]}, None),
        ({"n_active": [2e8, 2e8, 2e8, 1e8, 1e8]}, ("run", 3)),
        ({"seed_of_run": [1, 2, 3, 4, 5]}, ("run", 3)),
        ({"run_id": [1, 2, 3, 4, 5]}, None),
    ],
)
def test_checkpoints_are_told_from_runs(change, found):
    read = ["flops"] if change.pop("loss_only", False) else ["loss"]
    table = pd.DataFrame({"run": [1, 1, 1, 2, 2], "step": [1, 2, 3, 1, 2], "n_active": 1e8, "loss": 2.0})
    assert rows._checkpoints(read, table.assign(**change)) == found


# What the rows of a fit are


def problem(law, **columns):
    law = find(law)
    table = pd.DataFrame(columns)
    indices = [(place,) for place in range(len(law.parameters))]
    return SimpleNamespace(law=law, columns=table, observed=table[law.response].to_numpy(dtype=float), indices=indices)


SIZES, TOKENS = np.array([1e8, 1e8, 4e8, 4e8, 16e8, 16e8]), np.array([1e9, 16e9] * 3)
LOSSES = np.array([3.5, 3.2, 3.1, 2.9, 2.8, 2.6])


@pytest.mark.parametrize(
    ("columns", "sentences"),
    [
        ({}, ["Column 'n_tokens' has two values, which cannot tell an exponent from a floor."]),
        (
            {"n_tokens": 1e9, "n_active": SIZES**0.75},
            [
                "Column 'n_tokens' has one value, so that its effect, and an exponent of it, are not determined.",
                "Compute (n_active × n_tokens) spans a factor of 8, less than 10: the floor 'E' and exponents cannot "
                "be told apart on so short a way.",
            ],
        ),
        (
            {"n_tokens": 20 * SIZES, "loss": 3.0},
            [
                "Column 'loss' has the same value in all rows, which any constant fits: exponents mean nothing.",
                "3 rows repeat another one in all columns of the law, which makes intervals too narrow.",
                "Columns 'n_active' and 'n_tokens' go together in all rows (R² 1.000 of their logarithms), "
                "so that their effects cannot be told apart.",
            ],
        ),
    ],
)
def test_what_a_design_cannot_tell(columns, sentences):
    given = {"n_active": SIZES, "n_tokens": TOKENS, "loss": LOSSES} | columns
    assert list(rows._design(problem("dense", **given))) == sentences


def test_as_many_rows_as_parameters():
    first, *_ = rows._design(problem("dense", n_active=SIZES[:5], n_tokens=TOKENS[:5], loss=LOSSES[:5]))
    assert first == ("There are as many rows as free parameters (5), so that no row is left to judge the fit by.")


def test_rows_that_scatter_more_than_seeds():
    """Three pairs 10 % apart: in logarithms each misses its mean by half of ln 1.1, with three freedoms."""
    given = {"flops": np.repeat([1e18, 1e19, 1e20], 2), "loss": 3 * np.tile([1.0, 1.1], 3)}
    (sentence,) = rows._repeats(problem("frontier", **given))
    spread = 100 * np.log(1.1) / 2**0.5
    assert sentence.startswith(f"Rows with equal flops scatter by {spread:.2g} % of the loss, more than seeds make: ")
    assert not list(rows._repeats(problem("frontier", **{name: value[:4] for name, value in given.items()})))
    calm = given | {"loss": 3 * np.tile([1.0, 1.001], 3)}
    assert not list(rows._repeats(problem("frontier", **calm)))


def test_points_in_another_unit():
    law = problem("frontier", flops=[1e18, 1e20], loss=[3.0, 2.0])
    far = 1e20 * rows.FAR
    assert not list(rows.suspect_units(law, pd.DataFrame({"flops": [far]})))
    (above,) = rows.suspect_units(law, pd.DataFrame({"flops": [1.2 * far]}))
    assert above == (
        f"Points have 'flops' by a factor of {1.2 * rows.FAR:.0e} above the fitted rows: is it in another unit?"
    )
    (below,) = rows.suspect_units(law, pd.DataFrame({"flops": [1e18 / rows.FAR / 1.2]}))
    assert " below the fitted rows" in below


def test_what_a_law_needs():
    table = pd.DataFrame({"flops": [1e18, np.inf, 0, "x"], "loss": 1.0})
    assert needs(find("frontier"), table) == {"flops": "3 of 4 rows without a positive number"}


# Budgets of nearly equal compute


def test_where_a_budget_ends():
    """Compute 2 % apart, each time, is one budget, and more than 20 % apart are two; both edges from both sides."""
    step = 1 + TOLERANCE
    assert _budgets(np.array([1.0, step * 0.999, (step * 0.999) ** 2]), TOLERANCE).tolist() == [0, 0, 0]
    assert _budgets(np.array([step * 1.001, 1.0]), TOLERANCE).tolist() == [1, 0]
