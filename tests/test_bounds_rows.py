"""Where the rules on rows, comparisons, profiles, kept fits, designs and leverage begin and end, from both sides."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from moelaws.errors import InputError
from moelaws.fitting import design, diagnosis, isoflop, leverage, rows, saved, shapes
from moelaws.fitting.comparison import Comparison, compare
from moelaws.fitting.estimation import LOG_SQUARES, fit, make_problem
from moelaws.fitting.intervals import Refits
from moelaws.fitting.needs import needs
from moelaws.fitting.optimise import AGREEMENT
from moelaws.laws import LAWS
from moelaws.laws.frontier import FRONTIER

TRUE = np.array([1.5, 60.0, 0.09])


def above(value):
    """Return the next float."""
    return np.nextafter(value, np.inf)


def below(value):
    """Return the float before."""
    return np.nextafter(value, -np.inf)


def frontier(flops, wobble=0.001):
    """Return runs of a law of compute whose losses lie above and below it in turn."""
    flops = np.asarray(flops, dtype=float)
    loss = (TRUE[0] + TRUE[1] * flops ** -TRUE[2]) * (1 + wobble * (-1.0) ** np.arange(len(flops)))
    return pd.DataFrame({"flops": flops, "loss": loss})


def said(table, part):
    """Return what is said of rows of a law of compute and has a part."""
    table, problem = make_problem(FRONTIER, table, LOG_SQUARES, {}, {})
    return [sentence for sentence in rows.objections(problem, table, TRUE) if part in sentence]


# Rows that are refused


@pytest.mark.parametrize(("less", "more"), [("n_active", "n_total"), ("top_k", "n_routed")])
def test_a_part_may_be_the_whole_and_no_more(less, more):
    table = pd.DataFrame({less: [8.0, 9.0], more: [8.0, 8.0]})
    assert list(rows.faults([less], table)) == [
        f"Row 2, column '{less}': 9 is found; at most the 8 of column '{more}' are expected."
    ]


@pytest.mark.parametrize(
    ("name", "low", "high"), [("n_routed", 1.0, 1e7), ("n_active", 1.0, 1e18), ("activation_ratio", 0.0, 1.0)]
)
def test_the_ends_of_what_a_quantity_can_be_are_inside(name, low, high):
    assert list(rows.faults([name], pd.DataFrame({name: [low, high]}))) == []
    assert len(list(rows.faults([name], pd.DataFrame({name: [below(low), low, high, above(high)]})))) == 2


@pytest.mark.parametrize(("values", "count"), [(["a", "a"], 0), (["a", "b"], 1), (["a", None], 1)])
def test_one_convention_is_no_mixture(values, count):
    table = pd.DataFrame({"loss_set": values, "loss": [2.0, 3.0]})
    assert len(list(rows.faults(["loss"], table))) == count


@pytest.mark.parametrize(("steps", "count"), [([1, 1, 2, 2], 0), ([1, 2, 1, 2], 1), ([1, 1, 1, 2], 1), ([1] * 4, 0)])
def test_points_of_one_run_are_those_that_differ_in_their_steps(steps, count):
    table = pd.DataFrame({"run": ["a", "a", "b", "b"], "step": steps, "loss": [3.0, 2.9, 2.8, 2.7]})
    assert len(list(rows.faults(["loss"], table))) == count


# Rows that are objected to


@pytest.mark.parametrize(("most", "count"), [(below(2e19), 1), (2e19, 0)])
def test_a_factor_of_ten_in_compute_is_enough_for_a_floor(most, count):
    assert len(said(frontier([2e18, 5e18, 1e19, most]), "Compute (flops) spans a factor of")) == count


def test_a_column_of_one_value_is_said_and_not_compared_with_others():
    size = np.geomspace(1e8, 1e10, 6)
    table = pd.DataFrame({"n_active": size, "n_tokens": 1e10, "loss": 2 + size**-0.1})
    table, problem = make_problem(LAWS["dense"], table, LOG_SQUARES, {}, {})
    found = list(rows.objections(problem, table, np.array([1.7, 400, 400, 0.3, 0.3])))
    assert "Column 'n_tokens' has one value, so that its effect, and an exponent of it, are not determined." in found
    assert not [sentence for sentence in found if "go together" in sentence]


@pytest.mark.parametrize(
    ("sizes", "each", "count"),
    [
        ([1e8, 1e8, 1e8], [0.01, 0.2, 0.2], 0),
        ([1e8, 1e8, 1e8], [0.0099, 0.2, 0.2], 1),
        ([1e8, 1e8, 1e8], [5e3, 5e3, 1e5], 0),
        ([1e8, 1e8, 1e8], [5e3, 5e3, 1.01e5], 1),
        ([1e8, 1e8, 1e8], [0.1, 0.1, 0.1], 0),
        ([1e8, 1e8, 1e8], [0.099, 0.099, 0.1], 1),
        ([1e8, 1e8, 1e8], [1e4, 1e4, 1e4], 0),
        ([1e8, 1e8, 1e8], [1e4, 1.01e4, 1.01e4], 1),
        ([1e9, 1e8, 1e8], [1, 100, 100], 0),
        ([1e9, 1e8, 1e8], [1, 101, 101], 1),
        ([1e8, 1e8, 1e8], [0, 20, 20], 0),
    ],
)
def test_tokens_for_each_parameter(sizes, each, count):
    """Usual are a median of 0.1 to 10000, none outside 0.01 to 100000 and no gap of more than 100."""
    table = pd.DataFrame({"n_active": sizes, "n_tokens": np.multiply(sizes, each)})
    found = list(rows.suspects(table, ["n_active", "n_tokens"]))
    assert ["tokens per parameter" in sentence for sentence in found] == [True] * count


@pytest.mark.parametrize(("flops", "count"), [(5.9e15, 1), (6e15, 0), (6e19, 0), (6.1e19, 1)])
def test_compute_is_that_of_size_and_tokens_within_a_factor_of_a_hundred(flops, count):
    """Of 1e8 parameters and 1e9 tokens it is 6e17 FLOP; the table has no other column."""
    table = pd.DataFrame({"flops": [flops], "n_active": [1e8], "n_tokens": [1e9]})
    assert len(list(rows.suspect_compute(table))) == count


@pytest.mark.parametrize(
    ("name", "value", "count"),
    [
        ("n_active", 9.9e3, 1), ("n_active", 1e4, 0), ("n_active", 1e14, 0), ("n_active", 1.1e14, 1),
        ("loss", 0.19, 1), ("loss", 0.2, 0), ("loss", 7.0, 0), ("loss", 7.1, 1),
    ],
)  # fmt: skip
def test_medians_in_another_unit(name, value, count):
    assert len(list(rows.suspects(pd.DataFrame({name: [value]}), [name]))) == count


@pytest.mark.parametrize(("most", "count"), [(1e10, 0), (1.01e10, 1)])
def test_a_gap_of_a_hundred_is_none(most, count):
    found = list(rows.suspects(pd.DataFrame({"n_active": [1e8, 1e8, most]}), ["n_active"]))
    assert [("has no value between 1e+08 (2 rows up to it)" in one) for one in found] == [True] * count


def test_a_value_of_zero_is_of_no_unit():
    assert list(rows.suspects(pd.DataFrame({"n_active": [0.0, 1e8, 1e9]}), ["n_active"])) == []


@pytest.mark.parametrize(("equal", "count"), [(3, 0), (4, 1)])
def test_scatter_of_equal_rows_takes_three_degrees_of_freedom(equal, count):
    table = frontier([1e18, 1e19, *[1e20] * equal], wobble=0.1)
    assert len(said(table, "Rows with equal flops scatter by")) == count


@pytest.mark.parametrize(("number", "count"), [(10, 0), (11, 1)])
def test_errors_are_judged_from_eight_rows_to_spare(number, count):
    """The law has three parameters."""
    table = frontier(np.geomspace(1e18, 1e22, number))
    table.loc[4, "loss"] *= 1.5
    assert len(said(table, "The error of row 5 is ")) == count


@pytest.mark.parametrize(
    ("kinds", "found"),
    [
        ("abababa", {"kind": 1.0}),  # a mean and a difference leave five of seven
        ("ababab", {}),  # and four of six
        ("abcabcabc", {"kind": 1.0}),
        ("abcabcabcd", {}),  # names of less than three rows each
    ],
)
def test_a_column_that_errors_go_with_needs_rows_to_be_told(kinds, found):
    count = len(kinds)
    table = pd.DataFrame({"flops": 1e18 * (1.5 + np.cos(np.arange(count) ** 2)), "kind": list(kinds)})
    errors = np.array([ord(kind) for kind in kinds], dtype=float)
    basis = np.ones((count, 1)) / count**0.5
    assert rows.ignored(FRONTIER, table, errors - errors.mean(), basis) == pytest.approx(found)


def test_a_column_that_the_law_can_move_itself_explains_nothing():
    """Its two levels are the second column of the basis, which errors have nothing of."""
    level = np.tile([1.0, -1.0], 6)
    table = pd.DataFrame({"flops": 1e18 * (1.5 + np.cos(np.arange(12) ** 2)), "kind": level > 0})
    basis = np.column_stack([np.ones(12), level]) / 12**0.5
    errors = np.tile([1.0, 1.0, -1.0, -1.0], 3)
    assert rows.ignored(FRONTIER, table, errors, basis) == {}


def test_a_column_with_a_zero_has_no_logarithm():
    """The errors are its own parabola, without what a constant can move."""
    values = np.arange(12.0)
    table = pd.DataFrame({"flops": 1e18 * (1.5 + np.cos(np.arange(12) ** 2)), "width": values})
    errors = (values - values.mean()) ** 2
    basis = np.ones((12, 1)) / 12**0.5
    assert rows.ignored(FRONTIER, table, errors - errors.mean(), basis) == pytest.approx({"width": 1.0})


@pytest.mark.parametrize(("point", "side"), [(9.9e13, "below"), (1e14, None), (1e22, None), (1.01e22, "above")])
def test_points_ten_thousand_times_away_are_in_no_other_unit(point, side):
    problem = make_problem(FRONTIER, frontier([1e18, 1e18, 1e18]), LOG_SQUARES, {}, {})[1]
    assert [f" {side} the fitted rows" in one for one in rows.suspect_units(problem, {"flops": [point]})] == (
        [True] if side else []
    )


@pytest.mark.parametrize("point", [0.0, -1.0])
def test_points_of_no_size_are_in_no_unit(point):
    problem = make_problem(FRONTIER, frontier([1e18, 1e19, 1e20]), LOG_SQUARES, {}, {})[1]
    assert list(rows.suspect_units(problem, {"flops": [point]})) == []


# Comparisons


def compared(observed, free=None, **misses):
    """Return the comparison of laws that miss rows by so much; in training the errors of all are of size one."""
    observed = np.asarray(observed, dtype=float)
    law = SimpleNamespace(observed=lambda table: table["loss"].to_numpy())
    fits = {
        name: SimpleNamespace(
            law=law, free=("x",) * (free or {}).get(name, 1), coefficients=None, rmse=lambda: 1.0,
            problem=SimpleNamespace(free=lambda theta: theta, errors=lambda _: np.array([1.0, -1.0, 1.0, -1.0])),
        )
        for name in misses
    }  # fmt: skip
    table = pd.DataFrame({"loss": observed} | {name: observed + miss for name, miss in misses.items()})
    return Comparison(fits, table, table, None)


@pytest.mark.parametrize(("parameters", "chosen"), [(1, "simple"), (3, "best")])
def test_a_law_at_one_standard_error_is_within_it(parameters, chosen):
    """Squares of 4 and 0 more than the best law's: a mean of 2, and a standard error of sqrt(2 (4 + 4)) / 2 = 2."""
    found = compared([8, 16], best=np.zeros(2), simple=np.array([2, 0]), free={"best": 2, "simple": parameters})
    assert found.ranking.index[0] == "best"
    assert found.choice == chosen


def test_akaikes_correction_ends_where_no_row_is_left():
    """Errors of size one in four rows: 2 k + 2 k (k + 1) / (n - k - 1) with k = 2, and no value with k = 3."""
    found = compared([8, 16, 8, 16], a=np.zeros(4), b=np.ones(4), c=np.ones(4), free={"a": 1, "b": 2, "c": 3}).ranking
    assert found.aicc[["a", "b", "c"]].tolist() == pytest.approx([16, np.inf, np.inf])


def test_equal_responses_have_no_variance_to_predict():
    """Of 8, 8, 10 and 10 the variance is one, and so is the mean square of errors of one."""
    laws = {"a": np.ones(4), "b": np.zeros(4)}
    assert compared([8, 8, 8, 8], **laws).validation(draws=2).table.r2.isna().all()
    assert compared([8, 8, 10, 10], **laws).validation(draws=2).table.r2[["a", "b"]].tolist() == [0, 1]


def test_one_group_has_no_interval():
    def found(group):
        table = compared([8, 16, 24], a=np.ones(3), b=np.zeros(3))
        labelled = table.out_of_fold.assign(run=group)
        return replace(table, out_of_fold=labelled, group="run").validation(draws=2)

    assert found("x").table[["low", "high"]].isna().all(axis=None)
    assert "are one group, which cannot say" in found("x").warnings[0]
    assert found(["x", "y", "z"]).table[["low", "high"]].notna().all(axis=None)
    assert not any("one group" in sentence for sentence in found(["x", "y", "z"]).warnings)


def test_two_values_are_too_few_to_predict_two_from_others():
    table = pd.DataFrame({"n_active": [1e8, 1e8, 1e9, 1e9, 1e9], "n_routed": [1, 8, 1, 8, 64], "loss": 3.0})
    with pytest.raises(InputError, match=r"^Column 'n_active' needs more than 2 different values .* it has 2\.$"):
        compare(["power_product", "floor_product"], table, np.array([True] * 4 + [False]))


# Profiles of equal compute


def valleys(*budgets, sizes=5, bottom=1e8):
    """Return runs whose losses are a parabola in the logarithm of size for each compute."""
    x = np.linspace(-1, 1, sizes)
    parts = [
        pd.DataFrame({"flops": flops, "n_active": bottom * np.exp(x), "loss": 3 - 0.1 * place + 0.1 * x**2})
        for place, flops in enumerate(budgets)
    ]
    return pd.concat(parts, ignore_index=True)


def test_three_minima_make_a_power_law():
    assert isoflop.profiles(valleys(1e18, 1e19, 1e20)).trend().law.exponent == pytest.approx(0, abs=1e-6)
    with pytest.raises(InputError, match=r"needs three minima or more, .*; 2 of 2 budgets have a minimum"):
        isoflop.profiles(valleys(1e18, 1e19)).trend()


@pytest.mark.parametrize(("experts", "count"), [([8.0] * 5, 0), ([8.0] * 4 + [16.0], 1)])
def test_one_kind_of_model_is_no_mixture(experts, count):
    found = isoflop.profiles(valleys(1e18).assign(n_routed=experts)).warnings
    assert len([sentence for sentence in found if "join runs of different 'n_routed'" in sentence]) == count


def test_as_many_sizes_as_the_degree_are_too_few():
    table = pd.concat([valleys(1e18, sizes=2), valleys(1e19, sizes=3)], ignore_index=True)
    found = isoflop.profiles(table)
    assert found.minima.sizes.tolist() == [3]
    assert "The budget of 1e+18 FLOP has 2 sizes, too few for a curve, and is left out." in found.warnings


def test_equal_compute_is_one_budget_at_no_tolerance():
    table = valleys(1e18)
    assert isoflop.profiles(table, tolerance=0).minima.rows.tolist() == [5]
    apart = pd.concat([table, valleys(1.001e18)], ignore_index=True)
    assert isoflop.profiles(apart, tolerance=0).minima.rows.tolist() == [5, 5]


@pytest.mark.parametrize(("sizes", "has"), [(3, False), (4, True)])
def test_rows_to_spare_make_the_interval(sizes, has):
    table = valleys(1e18, sizes=sizes)
    table.loc[0, "loss"] += 1e-4
    found = isoflop.profiles(table).minima
    assert found[["low", "high"]].notna().all(axis=None) == has
    assert found[["low", "high"]].isna().all(axis=None) != has


@pytest.mark.parametrize(("most", "count"), [(3e18, 0), (3.01e18, 1)])
def test_compute_of_one_budget_differs_by_half(most, count):
    table = valleys(2e18).assign(band="all")
    table.loc[2, "flops"] = most
    found = isoflop.profiles(table, budget="band").warnings
    assert len([sentence for sentence in found if "joins runs whose compute differs" in sentence]) == count


# Fits that are kept

KEPT = fit(FRONTIER, frontier(np.geomspace(1e18, 1e21, 8)))


def again(folder, kept, refits=None):
    """Return a fit that was saved and read."""
    saved.save(kept, folder / "kept", refits)
    return saved.load(folder / "kept")


EDGES = [[0.0, 60.0, 0.09], [1.5, 60.0, 1.0]]


def test_draws_at_all_ends_of_what_they_can_be_come_back(tmp_path):
    """Two at the bounds of a floor and an exponent, of as many groups as rows, with an eighth of variance left."""
    found = again(tmp_path, KEPT, Refits(KEPT, np.array(EDGES), 8, 1 / 8))[1]
    assert (found.coefficients.tolist(), found.groups, found.left) == (EDGES, 8, 1 / 8)


@pytest.mark.parametrize(
    ("draws", "groups", "left", "sentence"),
    [
        (EDGES[:1], 8, 0.5, "draws.npy holds 1 draws; two or more are expected, inside of the parameters' bounds"),
        ([[below(0.0), 60, 0.09], EDGES[1]], 8, 0.5, "draws.npy holds 2 draws; two or more are expected, inside of"),
        ([EDGES[0], [1.5, 60, above(1.0)]], 8, 0.5, "draws.npy holds 2 draws; two or more are expected, inside of"),
        (EDGES, 9, 0.5, "9 groups that leave 0.5 of the variance are no bootstrap of 8 rows"),
        (EDGES, 8, below(1 / 8), "8 groups that leave 0.125 of the variance are no bootstrap of 8 rows"),
    ],
)
def test_draws_beyond_what_they_can_be_are_refused(draws, groups, left, sentence, tmp_path):
    with pytest.raises(InputError) as error:
        again(tmp_path, KEPT, Refits(KEPT, np.array(draws, dtype=float), groups, left))
    assert sentence in str(error.value)


@pytest.mark.parametrize("draws", [2, 16])
def test_draws_of_a_fit_without_freedom_come_back(draws, tmp_path):
    held = fit(FRONTIER, KEPT.table, hold=KEPT.values)
    found = again(tmp_path, held, Refits(held, np.zeros((draws, 0)), 8, 1.0))[1]
    assert found.coefficients.shape == (draws, 0)


@pytest.mark.parametrize("theta", [[0.0, 60.0, 0.09], [1.5, 0.0, 0.09], [1.5, 60.0, 0.0], [1.5, 60.0, 1.0]])
def test_coefficients_at_their_bounds_come_back(theta, tmp_path):
    assert again(tmp_path, replace(KEPT, coefficients=np.array(theta)))[0].coefficients.tolist() == theta


@pytest.mark.parametrize(
    ("theta", "sentence"),
    [
        ([below(0.0), 60, 0.09], "E is -4.94066e-324; 0 to inf is expected"),
        ([1.5, 60, above(1.0)], "alpha is 1; 0 to 1 is expected"),
        ([1e100, 0, 0.09], "the law has no finite value on the rows of the fit"),
        ([1 / 1e100, 0, 0.09], "the law has no finite value on the rows of the fit"),
        ([0, 0, 0.09], "the law has no finite value on the rows of the fit"),
    ],
)
def test_coefficients_that_no_fit_has_are_refused(theta, sentence, tmp_path):
    with pytest.raises(InputError) as error:
        again(tmp_path, replace(KEPT, coefficients=np.array(theta, dtype=float)))
    assert str(error.value) == f"{tmp_path / 'kept'}: this is no saved fit ({sentence})."


@pytest.mark.parametrize("floor", [below(1e100), above(1 / 1e100)])
def test_predictions_may_be_all_that_has_a_square(floor, tmp_path):
    found = again(tmp_path, replace(KEPT, coefficients=np.array([floor, 0.0, 0.09])))[0]
    assert found.predict(KEPT.table).tolist() == [floor] * 8


# Designs


@pytest.mark.parametrize(
    ("least", "beyond"),
    [
        ({"curves": 1}, {"curves": 0}),
        ({"sizes": 2}, {"sizes": 1}),
        ({"span": 1.0}, {"span": below(1.0)}),
        ({"ratio": (5.0, above(5.0))}, {"ratio": (5.0, 5.0)}),
    ],
)
def test_the_least_of_a_layout(least, beyond):
    assert design.layout(FRONTIER, 1e20, **least).flops.sum() == pytest.approx(1e20)
    with pytest.raises(InputError, match=r"^A layout has one curve or more, two sizes or more on each, a span of at"):
        design.layout(FRONTIER, 1e20, **beyond)


def test_a_layout_has_as_many_runs_as_parameters():
    assert len(design.layout(FRONTIER, 1e20, curves=1, sizes=3)) == 3
    with pytest.raises(InputError, match=r"^A layout of 2 runs cannot be fitted by law 'frontier' with 3 parameters"):
        design.layout(FRONTIER, 1e20, curves=1, sizes=2)


def test_a_candidate_may_cost_the_whole_budget():
    one = pd.DataFrame({"flops": [1e21]})
    assert design.suggest(KEPT, one, 1e21, "alpha").total_flops.tolist() == [1e21]
    with pytest.raises(InputError, match=r"^No candidate costs 1e\+21 FLOP or less; the cheapest takes 1e\+21\.$"):
        design.suggest(KEPT, one, below(1e21), "alpha")


@pytest.mark.parametrize(("most", "count"), [(1e25 * (1 + 1e-9), 1), (above(1e25 * (1 + 1e-9)), 0)])
def test_a_run_may_cost_a_billionth_more_than_what_is_left(most, count):
    """It tells more of the floor than the other, and both are too much."""
    found = design.suggest(KEPT, pd.DataFrame({"flops": [1e20, most]}), 1e25, "E")
    assert (found.flops == most).sum() == count


def test_one_row_to_spare_measures_the_noise():
    """A constant in logarithms leaves one of two rows, and none of one."""
    law = LAWS["power_product"]
    table = pd.DataFrame({"n_active": [1e8, 1e9], "n_routed": 1.0, "loss": [3.0, 2.7]})
    held = {"a": 0.0, "b": 0.0}
    width = design.half_width(fit(law, table, hold=held), "d")
    # The mean of two numbers at the distance of log(3 / 2.7): half of that times Student's 12.7062 for one degree.
    assert width == pytest.approx(12.7062 * np.log(3 / 2.7) / 2, rel=1e-5)
    with pytest.raises(InputError, match=r"^The fit has 1 rows; more than its 1 free parameters are expected\.$"):
        design.half_width(fit(law, table.head(1), hold=held), "d")


# Leverage


def test_two_dense_runs_are_enough_and_equal_ones_are_not():
    def found(flops, loss):
        return leverage.interpolated(pd.DataFrame({"flops": flops, "loss": loss}), [3.0])

    assert found([1e18, 1e20], [4.0, 3.0]) == pytest.approx([1e20])
    for flops, loss in (([1e18], [3.0]), ([1e18, 1e18], [4.0, 3.0]), ([1e18, 1e20], [3.0, 3.0])):
        with pytest.raises(InputError, match=r"^At least two dense runs, with a loss that falls with compute, are ex"):
            found(flops, loss)


def test_no_compute_is_as_large_as_what_stands_for_infinity():
    """That is 1e300, and half of its digits less is what quantiles between it and a number may come to."""
    found = leverage.Measured(None, None, SimpleNamespace(interval=lambda values, _: values))
    limit = 1e300 / 1e100
    assert found.interval(np.array([below(limit), limit, np.inf])).tolist() == [below(limit), np.inf, np.inf]


def test_a_loss_may_have_no_error():
    dense = Refits(KEPT, np.tile(TRUE, (3, 1)), 8, 0.5)
    moe = pd.DataFrame({"flops": [1e18], "loss": TRUE[0] + TRUE[1] * np.array([1e19]) ** -TRUE[2]})
    assert leverage.over(dense, moe, error=0.0).draws[:, 0] == pytest.approx([10.0] * 3)
    for error in (below(0.0), np.nan):
        with pytest.raises(InputError, match=r"^Parameter error has the value .*; numbers from zero on are expected"):
            leverage.over(dense, moe, error=error)


# Optima


def optimum(*singular, directions=None, best=TRUE, table=None):
    """Return what is said of an optimum of a law of compute that has these modes."""
    problem = make_problem(FRONTIER, frontier([1e18, 1e20, 1e22]) if table is None else table, LOG_SQUARES, {}, {})[1]
    directions = np.eye(3)[: len(singular)] if directions is None else np.array(directions)
    shown = diagnosis.Modes(np.array(singular), directions, np.ones(3))
    return list(diagnosis.of_optimum(problem, np.asarray(best, dtype=float), shown, ()))


def modes(*singular):
    """Return modes of three coefficients."""
    return diagnosis.Modes(np.array(singular), np.eye(3)[: len(singular)], np.ones(3))


@pytest.mark.parametrize(("singular", "condition"), [([8.0, 2.0], 4), ([2.0, 0.0], np.inf), ([0.0], np.inf)])
def test_the_condition_of_modes_without_a_trace_is_infinite(singular, condition):
    assert modes(*singular).condition == condition


@pytest.mark.parametrize(("least", "flat"), [(2e-8, []), (below(2e-8), [[0, 1, 0]])])
def test_modes_leave_no_trace_below_half_the_digits_of_a_float(least, flat):
    assert modes(2.0, least).flat.tolist() == flat


@pytest.mark.parametrize(("smallest", "count"), [(1.0, 0), (0.99, 1)])
def test_a_condition_number_over_ten_thousand_is_said(smallest, count):
    assert ["The condition number is 1e+04 (over 1e+04)" in one for one in optimum(1e4, smallest)] == [True] * count


@pytest.mark.parametrize(("disagreement", "count"), [(AGREEMENT, 0), (above(AGREEMENT), 1)])
def test_a_search_that_gets_lower_than_searches_agree_is_said(disagreement, count):
    found = list(diagnosis.of_search(True, disagreement, 0, has_twin=False))
    assert ["Another search gets" in sentence for sentence in found] == [True] * count


@pytest.mark.parametrize(("floor", "count"), [((1 - 0.01) * 2.0, 0), (above((1 - 0.01) * 2.0), 1)])
def test_a_floor_within_one_per_cent_of_the_lowest_loss_is_said(floor, count):
    table = pd.DataFrame({"flops": [1e18, 1e20, 1e22], "loss": [3.0, 2.5, 2.0]})
    found = optimum(1.0, 1.0, 1.0, best=[floor, 60, 0.1], table=table)
    assert ["is within one per cent of the lowest loss (2)" in sentence for sentence in found] == [True] * count


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        (1e-3, "Parameter 'E' has no effect on any row, so that its value means nothing."),
        (2e-3, "Parameters are not identified: E +1 %, A +0.002 % together change no prediction."),
    ],
)
def test_a_thousandth_of_a_move_is_none(step, sentence):
    found = optimum(1.0, 0.0, directions=[[0, 0, 1], [1, step, 0]], best=[1.0, 1.0, 1.0])
    assert found == [sentence]


# Sizes and needs


def test_weights_may_be_in_experts_alone_and_a_model_be_dense():
    assert shapes.runs(1e9, 2e10, 8, outside=0).n_total.tolist() == [8e9]
    assert shapes.runs(1e9, 2e10, 1, outside=below(1.0)).n_total.tolist() == pytest.approx([1e9])
    for outside in (below(0.0), 1.0):
        with pytest.raises(InputError, match=r"^Parameter outside has the value .*; a share from 0 to below 1 is ex"):
            shapes.runs(1e9, 2e10, 8, outside=outside)
    with pytest.raises(InputError, match=r"^Parameter expansion has the value 1; at least 1, a dense model, is ex"):
        shapes.runs(1e9, 2e10, below(1.0))


def test_zero_is_no_positive_number():
    table = pd.DataFrame({"flops": [0.0, 5e-324], "loss": [3.0, 2.0]})
    assert needs(FRONTIER, table) == {"flops": "1 of 2 rows without a positive number"}
