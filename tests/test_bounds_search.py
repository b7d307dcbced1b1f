"""Boundaries of searches and fits, each from both sides: what still counts and what no longer does."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from moelaws.data.quantities import QUANTITIES
from moelaws.errors import InputError
from moelaws.fitting import batch, estimation, intervals, optimise, optimum
from moelaws.fitting.averaging import Average
from moelaws.fitting.estimation import LOG_SQUARES, RELATIVE_SQUARES, Fit, Loss, Problem, huber
from moelaws.fitting.intervals import Refits
from moelaws.fitting.optimise import Coefficients, Contributions, Optimum
from moelaws.fitting.prediction import distance
from moelaws.fitting.trend import Trend
from moelaws.laws.base import Parameter, Terms
from moelaws.laws.dense import BESIROGLU, Dense

LINEAR = Loss("linear")


def free(name, low=-np.inf, high=np.inf, grid=(0.3, 0.6, 0.9)):
    """Return a parameter with bounds and starts."""
    return Parameter(name, "of a test", "1", low, high, grid)


def law_of(terms, *parameters):
    """Return a law of one's own."""
    return Terms("mine", terms, parameters)


def problem_of(law, columns, observed, loss=LINEAR, indices=None):
    """Return a problem in which all parameters are free."""
    columns = {name: np.asarray(values, dtype=float) for name, values in columns.items()}
    indices = tuple((place,) for place in range(len(law.parameters))) if indices is None else indices
    return Problem(law, columns, np.asarray(observed, dtype=float), loss, np.zeros(len(law.parameters)), indices)


SIZES = np.array([1.0, 2, 3, 5, 8, 13, 21, 34])
TOKENS = np.array([3.0, 1, 4, 1, 5, 9, 2, 6])
EXACT = np.array([1, 2, 0.5])
DECAY = law_of({"E": lambda: 1.0, "A": lambda n_active, alpha: n_active**-alpha}, free("alpha", 0, 3))
TWO = law_of(
    {
        "E": lambda: 1.0,
        "A": lambda n_active, alpha: n_active**-alpha,
        "B": lambda n_tokens, beta: n_tokens**-beta,
    },
    free("alpha", 0, 3),
    free("beta", 0, 3),
)
IDLE = law_of(
    {
        "E": lambda: 1.0,
        "A": lambda n_active, alpha: n_active**-alpha,
        "Z": lambda n_active, idle: 0.0 * n_active**idle,
    },
    free("idle", 0.1, 3),
    free("alpha", 0, 3),
)


def decay(loss=LOG_SQUARES, noise=0.0):
    """Return a problem whose rows follow E = 1, A = 2 and alpha = 1/2, but for noise."""
    exact = DECAY.predict(EXACT, {"n_active": SIZES})
    return problem_of(DECAY, {"n_active": SIZES}, exact * np.exp(noise * np.cos(7 * SIZES)), loss)


def idle(loss=LOG_SQUARES, noise=0.0):
    """Return the same rows for a law with a third term that is zero everywhere, and its shape without effect."""
    return problem_of(IDLE, {"n_active": SIZES}, decay(loss, noise).observed, loss)


def power(loss=LOG_SQUARES, noise=0.0):
    """Return the same rows for a law whose sum is raised to a power."""
    law = Terms(
        "power",
        {"E": lambda: 1.0, "A": lambda n_active, alpha: n_active**-alpha},
        [free("alpha", 0, 3), free("p", 0.1, 9, grid=(0.5, 1.0, 2.0))],
        exponent="p",
    )
    return problem_of(law, {"n_active": SIZES}, decay(loss, noise).observed, loss)


def two(noise=0.03):
    """Return a problem with two shapes."""
    columns = {"n_active": SIZES, "n_tokens": TOKENS}
    exact = TWO.predict(np.array([1, 2, 3, 0.5, 0.7]), columns)
    return problem_of(TWO, columns, exact * np.exp(noise * np.cos(7 * SIZES)), LOG_SQUARES)


# Coordinates


def test_a_shape_is_no_coefficient_even_with_the_bounds_of_one():
    law = law_of({"E": lambda: 1.0, "A": lambda n_active, alpha: n_active**-alpha}, free("alpha", 0, np.inf))
    assert Contributions(problem_of(law, {"n_active": SIZES}, SIZES)).linear.tolist() == [0, 1]


@pytest.mark.parametrize(("low", "logs"), [(0, []), (1e-9, [2])])
def test_only_what_cannot_be_zero_is_searched_by_its_logarithm(low, logs):
    law = law_of({"E": lambda: 1.0, "A": lambda n_active, alpha: n_active**-alpha}, free("alpha", low, 3))
    assert Contributions(problem_of(law, {"n_active": SIZES}, SIZES)).logs.tolist() == logs


@pytest.mark.parametrize(("size", "unit"), [(1e-150, 1), (np.nextafter(1e-150, 1), 1e-150)])
def test_a_term_counts_above_a_mean_square_of_1e_300(size, unit):
    law = law_of({"A": lambda n_active: size * n_active})
    space = Contributions(problem_of(law, {"n_active": [1.0]}, [1.0]))
    assert space.of(np.array([7.0])) == pytest.approx([7 * unit], rel=1e-9)


# Runs of one search


class Runs:
    """Stands for SciPy's least squares: goes where it is told to, and counts how often."""

    def __init__(self, monkeypatch, to, status):
        self.to, self.status, self.limits = to, status, []
        monkeypatch.setattr(optimise.optimize, "least_squares", self)

    def __call__(self, errors, first, *_, max_nfev, **__):
        self.limits.append(max_nfev)
        return SimpleNamespace(x=self.to(first), status=self.status)


@pytest.mark.parametrize(
    ("tolerance", "limits"),
    [
        (optimise.ROUGH, [optimise.ROUGH_EVALUATIONS]),
        (optimise.ROUGH / 2, [optimise.EVALUATIONS] * optimise.RUNS),
    ],
)
def test_a_rough_search_is_one_short_run_and_another_goes_on_while_it_gains(monkeypatch, tolerance, limits):
    """Each run halves the way, so that there always is something to gain."""
    runs = Runs(monkeypatch, lambda first: (first + EXACT) / 2, 1)
    found = optimise.least_squares(decay(), np.array([2, 3, 1.0]), tolerance, Coefficients)
    assert (found.converged, runs.limits) == (False, limits)


@pytest.mark.parametrize("start", [[1, 2, 0, 0.5, 0.5], [1, 2, 0, 0.5, 0.6]])
@pytest.mark.parametrize(("status", "converged"), [(0, False), (1, True)])
def test_a_run_that_gains_nothing_moves_nothing_and_is_the_last(monkeypatch, start, status, converged):
    """From the optimum itself, where the objective is zero, and from elsewhere; the shape has no effect."""
    runs = Runs(monkeypatch, lambda first: first + np.array([0, 0, 0, 0.25, 0]), status)
    found = optimise.least_squares(idle(), np.array(start), coordinates=Coefficients)
    assert (found.free.tolist(), found.converged, len(runs.limits)) == (start, converged, 1)


def test_a_term_that_is_zero_everywhere_does_not_end_a_huber_search():
    """It ends where one for the law without that term does."""
    loss, start = huber(0.05), np.array([1.5, 1, 1, 0.5, 0.3])
    found = optimise.least_squares(idle(loss, noise=0.03), start)
    other = optimise.least_squares(decay(loss, noise=0.03), start[[0, 1, 4]])
    assert (found.converged, other.converged, found.free[2]) == (True, True, 0)
    assert found.free[[0, 1, 4]] == pytest.approx(other.free, rel=1e-4)


@pytest.mark.parametrize(("low", "high"), [(0, np.inf), (-1, 0)])
def test_of_many_solutions_the_shortest_though_a_coefficient_stands_at_its_bound(low, high):
    """Two columns are all but the same, so that each takes half; the third is zero, and so is what it gets."""
    rng = np.random.default_rng(0)
    size = rng.uniform(1, 2, 1000)
    columns = {"n_active": size, "n_tokens": size * (1 + 3e-15 * rng.normal(size=1000))}
    terms = {"A": lambda n_active: n_active, "B": lambda n_tokens: n_tokens, "Z": lambda n_active: 0 * n_active}
    law = law_of(terms, free("A", grid=()), free("B", grid=()), free("Z", low, high, grid=()))
    found = optimise.least_squares(problem_of(law, columns, 3 * size), np.zeros(3))
    assert found.converged
    assert found.free == pytest.approx([1.5, 1.5, 0], abs=1e-6)


@pytest.mark.parametrize(("least", "end"), [(np.sqrt(2e-17), 0), (1.001 * np.sqrt(2e-17), 1.001 * np.sqrt(2e-17))])
def test_what_costs_no_more_than_rounding_is_put_onto_its_bound(least, end):
    """Half the square of the error that the bound leaves, 1e-17 for a row, still counts as none."""
    law = law_of({"A": lambda n_active: n_active})
    found = optimise._onto_bounds(problem_of(law, {"n_active": [1.0]}, [least]), np.array([least]), 0.0)
    assert found.tolist() == [end]


# Starts


def test_the_best_start_of_each_valley_comes_before_all_that_a_neighbour_betters():
    """Of (s² - 1)² + s/2 + 2 both -1 and 1 are valleys, and the second is higher than -1/2 beside the first."""
    grid = (-1.6, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5)
    law = law_of({"A": lambda n_active, s: n_active * ((s**2 - 1) ** 2 + s / 2 + 2)}, free("s", grid=grid))
    problem = problem_of(law, {"n_active": [1.0]}, [1.0], indices=((1,),))
    problem.base[0] = 1
    starts, heights = optimise.initial_grid(problem)
    assert starts.ravel().tolist() == [-1, 1, -0.5, 0.5, 0, -1.6, 1.5]
    assert heights[:3] == pytest.approx([0.5**2 / 2, 1.5**2 / 2, 1.3125**2 / 2])


@pytest.mark.parametrize("made", [decay, idle, power])
@pytest.mark.parametrize(
    "loss",
    [
        LOG_SQUARES,
        RELATIVE_SQUARES,
        LINEAR,
        huber(0.01),
        Loss("relative", 0.01),
        Loss("log", None, 3.0),
        Loss("relative", None, 3.0),
        Loss("linear", 0.01, 0.5),
    ],
    ids=str,
)
def test_the_height_of_a_start_is_the_objective_there(made, loss):
    problem = made(loss, noise=0.1)
    starts, heights = optimise.initial_grid(problem)
    assert np.isfinite(heights).all()
    assert heights == pytest.approx([problem.objective(start) for start in starts], rel=1e-6)


def test_a_term_without_sign_that_is_zero_everywhere_leaves_the_others_their_best():
    terms = {one.name: term for one, (term, _) in zip(DECAY.linear, DECAY.functions, strict=True)}
    law = law_of(terms | {"Z": lambda n_active: 0 * n_active}, free("Z", grid=()), *DECAY.shape)
    columns, observed = {"n_active": SIZES}, decay(noise=0.03).observed
    starts, heights = optimise.initial_grid(problem_of(law, columns, observed, LOG_SQUARES))
    others = optimise.initial_grid(problem_of(DECAY, columns, observed, LOG_SQUARES))
    assert heights == pytest.approx(others[1], rel=1e-6)
    assert np.delete(starts, 2, axis=1) == pytest.approx(others[0], rel=1e-6)
    assert starts[:, 2].tolist() == [0] * len(starts)


@pytest.mark.parametrize(("grid", "evenly"), [((0, 5), True), ((1, 10), True), ((1, 10.1), False)])
def test_only_a_positive_grid_of_more_than_a_factor_of_ten_is_drawn_by_its_logarithm(grid, evenly):
    """A quarter of the grid's reach below it are negative numbers, and a quarter of its logarithm's are not."""
    law = law_of({"A": lambda n_active, s: np.exp(-s / 100 * n_active)}, free("s", grid=grid))
    starts = optimise.random_starts(problem_of(law, {"n_active": [1.0, 2]}, [1.0, 2]), 1000, seed=0)[0]
    assert len(starts) == 1000
    assert (starts[:, 1].min() < 0) == evenly


def test_a_random_start_without_a_finite_value_is_none():
    law = law_of({"A": lambda n_active, s: n_active * np.sqrt(1 - s)}, free("s", grid=(0.2, 0.9)))
    starts, heights = optimise.random_starts(problem_of(law, {"n_active": [1.0, 2]}, [1.0, 2]), 1000, seed=0)
    assert starts[:, 1].max() < 1
    assert np.isfinite(heights).all()


@pytest.mark.parametrize(
    ("made", "count", "tried"), [(decay, 1, 1), (decay, 2, 2), (two, 1, 1), (two, 2, 2 + optimise.LOOKS)]
)
def test_random_starts_join_several_of_a_grid_of_two_shapes(made, count, tried):
    assert len(optimise.search(made(), count)[0]) == tried


# Searches


class Searches:
    """Stands for searches from a start: each ends where it is told to, and is remembered."""

    def __init__(self, monkeypatch, to=None):
        self.to, self.seen = to, []
        monkeypatch.setattr(optimise, "least_squares", self)
        monkeypatch.setattr(optimise, "_looks", lambda _, starts: starts.copy())

    def __call__(self, problem, start, tolerance=1e-15, coordinates=Contributions):
        self.seen.append((tolerance, tuple(start)))
        return Optimum(start if self.to is None else np.array(self.to), True)

    def of(self, rough):
        """Return the starts of rough searches, or of others."""
        return [start for tolerance, start in self.seen if (tolerance == optimise.ROUGH) == rough]


def test_eight_looks_are_followed_and_four_of_them_to_their_ends(monkeypatch):
    """Searches that stay where they start never end at the same optimum, so that none stops the others."""
    searches = Searches(monkeypatch)
    optimise.search(two(), 5)
    assert (len(searches.of(rough=True)), len(set(searches.of(rough=False)))) == (8, 4)


def test_rough_searches_do_not_stop_at_the_second_that_is_as_low(monkeypatch):
    """All end where the objective is zero."""
    searches = Searches(monkeypatch, to=[1, 2, 3, 0.5, 0.7])
    optimise.search(two(noise=0), 5)
    assert len(searches.of(rough=True)) == 8


def test_the_only_start_is_followed_to_its_end(monkeypatch):
    searches = Searches(monkeypatch)
    optimise.search(two(), 1)
    assert len(set(searches.of(rough=False))) == 1


def test_another_search_for_the_optimum_follows_four_looks(monkeypatch):
    searches = Searches(monkeypatch)
    optimise.second_opinion(two(), np.array([1, 2, 3, 0.5, 0.7]))
    assert len(searches.of(rough=True)) == 4


@pytest.mark.parametrize(("noise", "count"), [(0, 5), (0.03, 6)])
def test_another_search_is_followed_to_its_end_only_if_it_can_still_get_lower(monkeypatch, noise, count):
    """Nothing lies below an objective of zero; five are the search from the optimum and the four looks."""
    best = np.array([1, 2, 3, 0.5, 0.7])
    searches = Searches(monkeypatch, to=best)
    assert optimise.second_opinion(two(noise), best) == two(noise).objective(best)
    assert len(searches.seen) == count


def test_a_shape_without_effect_sets_no_two_ends_apart():
    tried, best = optimise.search(idle(noise=0.03), 4)
    assert tried["idle"].nunique() > 1
    assert best.converged
    assert np.isfinite(tried["apart"]).all()


@pytest.mark.parametrize("lowest", [0.0, 0.5])
def test_ends_within_a_millionth_of_the_lowest_are_as_low(lowest):
    margin = max(1e-6 * lowest, 1e-18 * len(SIZES))
    lows = np.array([lowest, lowest + 0.99 * margin, lowest + 1.01 * margin])
    assert optimise.as_low(decay(), lows).tolist() == [True, True, False]


def test_an_end_at_the_margin_is_as_low():
    margin = 1e-18 * len(SIZES)
    lows = np.array([0.0, margin, np.nextafter(margin, 1)])
    assert optimise.as_low(decay(), lows).tolist() == [True, True, False]


# Many fits at once


class Counted(Terms):
    """A law that remembers for how many rows of coefficients it was asked, and where."""

    def expand(self, theta, table):
        """Remember, and answer."""
        self.__dict__.setdefault("asked", []).append(len(theta))
        return super().expand(theta, table)


def counted(law):
    """Return the same law with a memory."""
    return Counted(
        "counted", {one.name: term for one, (term, _) in zip(law.linear, law.functions, strict=True)}, law.parameters
    )


def test_no_more_draws_are_worked_on_at_once_than_fit_and_none_is_lost(monkeypatch):
    """Three of seven at a time; each then stands where a fit to its rows alone does."""
    monkeypatch.setattr(batch, "AT_ONCE", 3 * len(SIZES))
    law, rng = counted(DECAY), np.random.default_rng(2)
    problem = problem_of(law, {"n_active": SIZES}, decay(noise=0.03).observed, LOG_SQUARES)
    counts = 1 + rng.integers(3, size=(7, len(SIZES)))
    found, converged = batch.refine(problem, np.array([1, 2, 0.5]), counts.astype(float))
    assert converged.all()
    assert max(law.asked[1:]) == 3
    for free_ones, count in zip(found, counts, strict=True):
        alone = optimise.least_squares(problem.rows(np.repeat(np.arange(len(SIZES)), count)), np.array([1, 2, 0.5]))
        assert free_ones == pytest.approx(alone.free, rel=1e-5)


@pytest.mark.parametrize(("low", "high", "end"), [(0.1, 0.3, 0.3), (0.8, 1.5, 0.8)])
def test_a_fit_that_is_pushed_against_a_bound_converges_there(low, high, end):
    """The rows ask for 1/2."""
    law = law_of({"E": lambda: 1.0, "A": lambda n_active, alpha: n_active**-alpha}, free("alpha", low, high))
    problem = problem_of(law, {"n_active": SIZES}, decay(noise=0.01).observed, LOG_SQUARES)
    found, converged = batch.refine(problem, np.array([1, 2, end]), np.ones((1, len(SIZES))))
    assert converged.all()
    assert found[0, 2] == end
    assert found[0] == pytest.approx(optimise.least_squares(problem, np.array([1, 2, end])).free, rel=1e-5)


@pytest.mark.parametrize(("low", "high", "sign"), [(0, np.inf, 1), (-np.inf, 0, -1)])
def test_a_coefficient_that_nothing_pushes_against_its_bound_may_leave_it(monkeypatch, low, high, sign):
    """At the start it has no slope; where the other one goes down, it goes from zero inwards with the first step."""
    monkeypatch.setattr(batch, "STEPS", 1)
    law = law_of(
        {"A": lambda n_active: n_active - 1, "C": lambda n_active: sign * n_active**0},
        free("A", grid=()),
        free("C", low, high, grid=()),
    )
    problem = problem_of(law, {"n_active": [2.0, 1.0]}, [1.0, 1.0])
    found = batch.refine(problem, np.array([2.0, 0.0]), np.ones((1, 2)))[0]
    assert sign * found[0, 1] > 0.5


def test_a_step_that_shows_in_no_digit_of_the_objective_is_not_taken():
    """No term reaches the first row, whose square is so large that the second's error does not show beside it."""
    law = law_of({"A": lambda n_active: n_active - 1}, free("A", grid=()))
    problem = problem_of(law, {"n_active": [1.0, 2]}, [1e9, 1.0])
    found, converged = batch.refine(problem, np.array([0.999]), np.ones((1, 2)), rough=True)
    assert (found.tolist(), converged.tolist()) == ([[0.999]], [True])


def test_a_damped_step_is_not_the_last():
    """A step with the first damping, a thousandth, leaves a thousandth of the way, and the next a ten thousandth."""
    law = law_of({"A": lambda n_active: n_active}, free("A", grid=()))
    problem = problem_of(law, {"n_active": [1.0, 1]}, [1.0, 3])
    found, converged = batch.refine(problem, np.array([5.0]), np.ones((1, 2)), tolerance=10.0)
    assert converged.all()
    assert found[0, 0] - 2 == pytest.approx(3 * 1e-3 / 1.001 * 1e-4 / 1.0001, rel=1e-3)


def test_a_fit_that_still_moves_is_left_after_so_many_steps(monkeypatch):
    monkeypatch.setattr(batch, "STEPS", 2)
    law = counted(DECAY)
    problem = problem_of(law, {"n_active": SIZES}, decay(noise=0.03).observed, LOG_SQUARES)
    converged = batch.refine(problem, np.array([2, 1, 1.5]), np.ones((1, len(SIZES))))[1]
    assert (converged.tolist(), law.asked) == ([False], [1, 1, 1])


THRESHOLD = law_of(
    {"E": lambda: 1.0, "A": lambda n_active, s: np.maximum(n_active - s, 0.0)}, free("s", 0, 50, grid=(3.0, 10.0))
)
"""A law whose second term sets in at a size."""


def test_a_term_that_a_typical_row_does_not_have_is_fitted_all_the_same():
    """The geometric mean of the sizes is 6.0, below the onset at 10."""
    columns = {"n_active": SIZES}
    problem = problem_of(THRESHOLD, columns, THRESHOLD.predict(np.array([1, 2, 10.0]), columns))
    found, converged = batch.refine(problem, np.array([1.5, 1.5, 9.5]), np.ones((1, len(SIZES))))
    assert converged.all()
    assert found[0] == pytest.approx([1, 2, 10], rel=1e-6)


@pytest.mark.parametrize(("start", "step"), [(10.0, -8.0), (2.0, 8.0), (10.0, 2.0)])
def test_a_coefficient_stays_where_its_term_comes_or_goes(start, step):
    """Between 6.0, the typical size, and the onset lies nothing that a coefficient could keep."""
    path = batch._Path(problem_of(THRESHOLD, {"n_active": SIZES}, SIZES))
    here = np.array([[1.0, 2.0, start]])
    trial, _, after = path.moved(here, np.array([[0.0, 0.0, step]]), path.terms(here))
    assert trial.tolist() == [[1, 2, start + step]]
    assert (after[0, 1] > 0) == (start + step < 6)


def test_a_coefficient_keeps_what_its_term_contributes():
    path = batch._Path(problem_of(THRESHOLD, {"n_active": [4.0, 4.0]}, [1.0, 1.0]))
    here = np.array([[1.0, 2.0, 1.0]])
    trial = path.moved(here, np.array([[0.0, 0.0, 1.0]]), path.terms(here))[0]
    assert trial == pytest.approx(np.array([[1, 2 * (4 - 1) / (4 - 2), 2]]))


# Losses and problems


@pytest.mark.parametrize(("predicted", "slope"), [(1.9, 1 / 2), (2.0, 1 / 2), (2.1, 3 / 2)])
def test_only_what_lies_above_the_observation_is_multiplied(predicted, slope):
    assert Loss("relative", None, 3.0).slope(np.array([predicted]), np.array([2.0])) == pytest.approx([slope])


@pytest.mark.parametrize(("error", "bent"), [(0.25, 1), (-0.25, 1), (0.26, 0), (-0.26, 0)])
def test_an_error_at_the_bend_still_counts_as_a_square(error, bent):
    assert huber(0.25).curvature(np.array([error])).tolist() == [bent]


def test_a_column_of_zeros_has_no_length_and_spans_nothing():
    law = law_of({"A": lambda n_active: n_active, "Z": lambda n_active: 0 * n_active})
    problem = problem_of(law, {"n_active": [3.0, 4]}, [1.0, 1])
    matrix, lengths = problem.unit_jacobian(np.ones(2))
    assert (matrix.tolist(), lengths.tolist()) == ([[0.6, 0], [0.8, 0]], [5, 1])
    assert problem.basis(np.ones(2)).shape == (2, 1)
    assert problem.hold(0, 1.0).basis(np.ones(1)).shape == (2, 0)


def test_only_a_table_with_more_rows_than_asked_for_is_thinned():
    problem = decay()
    assert problem.thinned(8) is problem
    assert len(problem.thinned(7).observed) == 7


@pytest.mark.parametrize(("place", "left"), [(0, ["A", "alpha"]), (1, ["E", "alpha"]), (2, ["E", "A"])])
def test_what_is_held_is_free_no_more(place, left):
    held = decay().hold(place, 0.5)
    assert [held.law.parameters[places[0]].name for places in held.indices] == left
    assert held.theta(np.array([7.0, 9.0])).tolist() == np.insert([7.0, 9.0], place, 0.5).tolist()


@pytest.mark.parametrize(("held", "linear"), [("E A", False), ("alpha", True), ("", False)])
def test_a_free_shape_makes_a_problem_that_is_not_linear(held, linear):
    """Also where the first shape is all that is free."""
    names = [one.name for one in DECAY.parameters]
    places = tuple((place,) for place, name in enumerate(names) if name not in held.split())
    assert problem_of(DECAY, {"n_active": SIZES}, SIZES, LINEAR, places).is_linear is linear


# Optima


@pytest.fixture(scope="module")
def chinchilla():
    """Return the published refit of Chinchilla's law, on rows of its own."""
    rows = optimum.runs(*(grid.ravel() for grid in np.meshgrid(np.geomspace(5e7, 1e10, 5), np.geomspace(1e9, 1e12, 5))))
    law = Dense()
    rows["loss"] = law.predict(law.theta(BESIROGLU), rows)
    table, problem = estimation.make_problem(law, rows, LOG_SQUARES, {}, {})
    return Fit(problem, table, law.theta(BESIROGLU), pd.DataFrame({"objective_end": [0.0], "apart": [0.0]}))


def test_a_budget_is_more_than_one_parameter_and_one_token(chinchilla):
    highest = QUANTITIES["flops"].high
    for flops in (6.0, np.nextafter(highest, np.inf)):
        with pytest.raises(InputError, match=r"^Parameter flops has the value .*; more than 6, one parameter and one"):
            optimum.optimum(chinchilla, flops)
    with pytest.raises(InputError, match=r"^Law 'dense' with these coefficients has no best size for 6.6 FLOP"):
        optimum.optimum(chinchilla, 6.6)
    assert optimum.optimum(chinchilla, highest).run["flops"] == pytest.approx(highest)


def test_a_limit_on_total_parameters_is_more_than_the_least_model(chinchilla):
    with pytest.raises(InputError, match=r"^The limit on total parameters is 1; more than the 1 of a model with one"):
        optimum.optimum(chinchilla, 1e20, most_total=1.0)
    with pytest.raises(InputError, match=r"^Law 'dense' with these coefficients has no best size for 1e\+20 FLOP"):
        optimum.optimum(chinchilla, 1e20, most_total=1.0 + 1e-9)


def test_a_model_of_two_parameters_may_be_the_largest(chinchilla, monkeypatch):
    """With 12 FLOP and one token that is all there is."""
    for size, which in ((2.0, "largest"), (1.0, "smallest")):
        monkeypatch.setattr(optimum, "_lowest", lambda *_, size=size: (size, 1.0))
        with pytest.raises(InputError, match=rf"its loss falls to the {which} that there is\.$"):
            optimum.optimum(chinchilla, 12.0)


STEP = 4e-6
"""Between the points of the third and last grid of an interval of length one, whose lowest lies at an end."""


@pytest.mark.parametrize(
    ("values", "place", "value"),
    [
        (lambda x: np.maximum(x, 1.5 * STEP), 0, 1.5 * STEP),
        (lambda x: np.maximum(-x, 1.5 * STEP - 1), 1 - STEP, 1.5 * STEP - 1),
        (lambda x: np.where(x < 0.5, np.inf, x), 0.5, 0.5),
        (lambda x: np.where(x > 0.5, np.inf, -x), 0.5, -0.5),
    ],
    ids=["level at the lower end", "level at the upper end", "a wall below", "a wall above"],
)
def test_where_no_parabola_fits_the_lowest_point_is_taken(values, place, value):
    """A parabola would lie below all that the function has, or have no number at all."""
    found = optimum.lowest(values, 0.0, 1.0)
    assert found == pytest.approx((place, value), abs=1e-8)


def test_a_run_inside_the_fitted_rows_is_no_extrapolation(chinchilla):
    assert optimum.optimum(chinchilla, 1e20).warnings == (
        "The fit was saved without a bootstrap, so that there are no intervals.",
    )
    (first, _) = optimum.optimum(chinchilla, 1e26).warnings
    assert first.startswith("The run lies outside the fitted rows, by ")


@pytest.mark.parametrize(("factor", "said"), [(0.0, False), (0.1, True)])
def test_more_experts_are_better_only_where_the_loss_falls(factor, said):
    """A term without weight makes all expansions equal; both are tried, so that neither is missing."""
    law = Terms(
        "mine",
        {
            "E": lambda: 1.0,
            "A": lambda n_active: n_active**-0.34,
            "B": lambda n_tokens: n_tokens**-0.28,
            "C": lambda n_routed: n_routed**-0.5,
        },
    )
    rows = optimum.runs(*np.meshgrid([1e8, 1e9, 1e10], [1e9, 1e10, 1e11], [1.0, 8.0]))
    rows["loss"] = law.predict(np.array([1.7, 400, 400, factor]), rows)
    table, problem = estimation.make_problem(law, rows, LOG_SQUARES, {}, {})
    best = optimum.optimum(Fit(problem, table, np.array([1.7, 400, 400, factor]), rows), 1e20)
    assert best.by_expansion.expansion.tolist() == [1, 8]
    assert any(one.startswith("For this law more experts are better") for one in best.warnings) == said


@pytest.mark.parametrize(("share", "said"), [(1 - 1e-6, False), (1 - 0.9e-6, True), (1, True)])
def test_the_limit_decides_what_comes_within_a_millionth_of_it(chinchilla, share, said):
    table = pd.DataFrame({"expansion": [1.0], "loss": [2.0]})
    found = list(optimum._objections(chinchilla.law, table, 0.0, SimpleNamespace(), share * 1e9, 1e9))
    assert found == ["The limit on total parameters decides the size."] * said


# Intervals

CONSTANT = law_of({"E": lambda n_active: n_active}, free("E", grid=()))
"""On rows of size one, a constant."""


def constant(observed, value, loss=LINEAR):
    """Return the fit of a constant."""
    table = pd.DataFrame({"n_active": 1.0, "loss": observed})
    problem = problem_of(CONSTANT, {"n_active": table.n_active}, table.loss, loss)
    return Fit(problem, table, np.array([value]), pd.DataFrame({"objective_end": [0.0], "apart": [0.0]}))


def test_one_row_more_than_parameters_has_an_interval():
    """Of the mean of 1 and 3: Student's t with one degree of freedom, and a standard error of one."""
    (ends,) = intervals.profile(constant([1.0, 3.0], 2.0), level=0.5).values()
    assert ends == pytest.approx((2 - stats.t.ppf(0.75, 1), 2 + stats.t.ppf(0.75, 1)), rel=1e-6)
    with pytest.raises(InputError, match=r"^The table has 1 rows; more than the 1 free parameters are expected\.$"):
        intervals.profile(constant([2.0], 2.0))


def test_errors_at_the_bend_count_as_squares_in_an_interval():
    """Errors 1, 0, 0 and -1 with the bend at 1: a scale of 2/3, and an objective that rises by 3/2 d²."""
    (ends,) = intervals.profile(constant([2.0, 3, 3, 4], 3.0, Loss("linear", 1.0)), level=0.5).values()
    reach = stats.t.ppf(0.75, 3) * np.sqrt(2 / 3 / 2 / 1.5)
    assert ends == pytest.approx((3 - reach, 3 + reach), rel=1e-6)


def test_an_interval_of_an_exact_fit_ends_at_the_bound_where_the_coefficient_stands():
    law = law_of({"A": lambda n_active: n_active, "C": lambda n_tokens: n_tokens})
    table = pd.DataFrame({"n_active": [1.0, 2, 3, 4], "n_tokens": [1.0, 1, 2, 1], "loss": [2.0, 4, 6, 8]})
    table, problem = estimation.make_problem(law, table, LINEAR, {}, {})
    exact = Fit(problem, table, np.array([2.0, 0.0]), table)
    assert exact.objective == 0
    with np.errstate(divide="raise", invalid="raise"):
        assert intervals.profile(exact)["C"][0] == 0


@pytest.mark.parametrize(("count", "end"), [(10, "8, 9."), (11, "8, 9 and 1 more.")])
def test_ten_draws_are_named_and_more_are_counted(count, end):
    (sentence,) = Refits(constant([1.0, 3], 2.0), np.ones((20, 1)), 2, 1.0, failed=tuple(range(count))).warnings
    assert sentence == (
        f"{count} of {20 + count} refits did not converge and are left out: draws 0, 1, 2, 3, 4, 5, 6, 7, {end}"
    )


@pytest.mark.parametrize("by", [None, "run"])
def test_two_groups_are_the_least_and_each_draw_is_made_of_two(by):
    table = pd.DataFrame({"run": ["a", "b"], "x": [1.0, 2.0]})
    found = intervals.bootstrap(lambda rows: len(rows) + rows.x.mean(), table, by, draws=50)
    assert len(found) == 50
    assert set(found) == {3, 3.5, 4}
    with pytest.raises(InputError, match=r"; at least two groups are expected\.$"):
        intervals.bootstrap(lambda rows: rows.x.mean(), table[:1], by)


def test_as_many_refits_as_draws():
    found = intervals.refits(constant([1.0, 3, 4], 8 / 3), draws=7)
    assert found.coefficients.shape == (7, 1)


def test_two_draws_are_the_fewest_of_an_interval():
    assert intervals.interval(np.array([0.0, 1.0]), 0.5).tolist() == [0.25, 0.75]
    with pytest.raises(InputError, match=r"^There are 1 draws; at least two are expected, for an interval\.$"):
        intervals.interval(np.array([0.0]))


@pytest.mark.parametrize(
    ("value", "ends", "text"),
    [
        (0.0, (0.0, 0.0), "0 (0 to 0)"),
        (0.4, (-20, 20), "0 (-20 to 20)"),
        (0.4, (-200, 200), "0.4 (-200 to 200)"),
        (100, (-1000, 1100), "100 (-1000 to 1100)"),
        (99, (-1000, 1100), "99 (-1000 to 1100)"),
        (1e15, (9e14, 1.1e15), "1e+15 (900000000000000 to 1.1e+15)"),
    ],
)
def test_an_interval_is_written_to_two_digits_of_its_half_width(value, ends, text):
    """Numbers below the last digit keep two of their own where that is above one, and those from 1e15 on always."""
    assert intervals.written(value, ends) == text


# Fits


@pytest.mark.parametrize(("apart", "twin"), [(1.0, False), (1.0 + 1e-9, True)])
def test_an_optimum_more_than_a_standard_error_apart_is_another_one(apart, twin):
    starts = pd.DataFrame({"objective_end": [1.0, 1.0], "apart": [0.0, apart]})
    fit = constant([1.0, 3.0], 2.0)
    assert Fit(fit.problem, fit.table, fit.coefficients, starts).has_twin is twin


@pytest.mark.parametrize(("lows", "alone"), [([1.0], False), ([1.0, 2.0], True), ([1.0, 1.0], False)])
def test_a_start_is_alone_only_among_several(lows, alone):
    fit = constant([1.0, 3.0], 2.0)
    starts = pd.DataFrame({"objective_end": lows, "apart": 0.0})
    assert Fit(fit.problem, fit.table, fit.coefficients, starts).alone == alone


@pytest.mark.parametrize(("disagreement", "status"), [(1e-6, "converged"), (1.1e-6, "starts disagree")])
def test_starts_disagree_from_more_than_a_millionth_on(disagreement, status):
    fit = constant([1.0, 3.0], 2.0)
    fit.__dict__["disagreement"] = disagreement
    assert fit.status == status


@pytest.mark.parametrize(("size", "named"), [(1e-6, ()), (1.1e-6, ("E",))])
def test_a_parameter_moves_without_a_trace_from_more_than_a_millionth_on(size, named):
    fit = constant([1.0, 3.0], 2.0)
    fit.__dict__["_modes"] = SimpleNamespace(flat=np.array([[-size]]))
    assert fit.not_identified == named


def test_as_many_rows_as_free_parameters_are_enough_to_fit():
    rows = pd.DataFrame({"n_active": SIZES[:3], "loss": [3.0, 2.5, 2.3]})
    assert len(estimation.make_problem(DECAY, rows, LOG_SQUARES, {}, {})[0]) == 3
    with pytest.raises(
        InputError, match=r"^The table has 2 rows; at least 3 are expected, one for each free parameter"
    ):
        estimation.make_problem(DECAY, rows[:2], LOG_SQUARES, {}, {})
    assert len(estimation.make_problem(DECAY, rows[:2], LOG_SQUARES, {"E": 1.0}, {})[0]) == 2


def test_a_floor_held_at_the_largest_observed_value_is_refused():
    """Also where one of the terms that add to it is zero in some rows."""
    law = law_of({"E": lambda: 1.0, "A": lambda n_active: np.maximum(n_active / 1e8 - 1, 0)})
    rows = pd.DataFrame({"n_active": [1e8, 2e8, 3e8, 4e8], "loss": [2.0, 2.5, 3.0, 3.5]})
    with pytest.raises(
        InputError, match=r"^Parameter hold gives 'E' the value 3\.5, to which all other terms add; less"
    ):
        estimation.fit(law, rows, hold={"E": 3.5})
    assert estimation.fit(law, rows, hold={"E": 3.49}).values["E"] == 3.49
    with pytest.raises(
        InputError, match=r"^Parameter hold gives 'E' the value 3\.5, to which all other terms add; less"
    ):
        estimation.fit(DECAY, rows.assign(loss=rows.loss[::-1].to_numpy()), hold={"E": 3.5})


# Points, trends and averages


def test_a_point_with_the_only_value_of_a_column_lies_inside():
    assert distance(constant([1.0, 3.0], 2.0), pd.DataFrame({"n_active": [1.0, 1.1]})).tolist() == [0, np.inf]


def test_a_trend_takes_three_different_points_above_its_floor():
    assert Trend([1.0, 2, 4], [3.0, 5, 9], floor=1.0).law.exponent == pytest.approx(1)
    with pytest.raises(InputError, match=r"^Parameter x has fewer than three different values"):
        Trend([1.0, 2, 2], [3.0, 5, 9])
    with pytest.raises(InputError, match=r"^Parameter y holds a value that is not above the floor, 3\.$"):
        Trend([1.0, 2, 4], [3.0, 5, 9], floor=3.0)


def test_a_law_without_weight_does_not_count():
    """The second law reads a column that has one value in the rows and another in the points."""
    rows = pd.DataFrame({"n_active": [1.0, 2, 4], "n_tokens": 1.0, "loss": [1.0, 2.1, 3.9]})
    line, other = law_of({"A": lambda n_active: n_active}), law_of({"A": lambda n_tokens: n_tokens})
    fits = {}
    for name, law in (("line", line), ("other", other)):
        table, problem = estimation.make_problem(law, rows, LINEAR, {}, {})
        fits[name] = Fit(problem, table, np.array([1.0]), rows)
    points = pd.DataFrame({"n_active": [2.0], "n_tokens": 3.0})
    for weights, far in (((1.0, 0.0), 0), ((0.9, 0.1), np.inf)):
        found = Average(fits, dict(zip(fits, weights, strict=True))).predictions(points, draws=20)
        assert found.distance.tolist() == [far]


def test_bounds_that_only_touch_leave_a_tied_parameter_no_room():
    """A search with nowhere to go does not converge, and says so only after it has been tried."""
    law = law_of({"A": lambda n_active, a, b: n_active**-a + n_active**-b}, free("a", 0, 1), free("b", 1, 2))
    rows = pd.DataFrame({"n_active": 1e8 * SIZES, "loss": 2.0})
    with pytest.raises(InputError, match=r"whose bounds overlap \(1 to 2, and 0 to 1\)\.$"):
        estimation.make_problem(law, rows, LOG_SQUARES, {}, {"b": "a"})


def test_an_exact_fit_has_an_interval_of_no_width():
    assert intervals.profile(constant([2.0, 2, 2], 2.0)) == {"E": (2, 2)}
