"""The search finds the lowest of several optima, converges in narrow valleys, and says where it did not."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

from moelaws import data
from moelaws.fitting import batch, optimise
from moelaws.fitting.estimation import LOG_SQUARES, RELATIVE_SQUARES, fit, huber, make_problem
from moelaws.laws import LAWS
from moelaws.laws.abnar2025 import PUBLISHED
from moelaws.laws.dense import BESIROGLU, Dense
from moelaws.laws.routed import FLOOR_PRODUCT, POWER_PRODUCT


def noisy(count, seed):
    """Runs of the published dense law with errors of 3 %."""
    rng, law = np.random.default_rng(seed), Dense()
    n_active = np.exp(rng.uniform(np.log(5e7), np.log(1e10), count))
    n_tokens = np.exp(rng.uniform(np.log(1e9), np.log(3e11), count))
    rows = pd.DataFrame({"n_active": n_active, "n_tokens": n_tokens})
    return rows.assign(loss=law.predict(law.theta(BESIROGLU), rows) * np.exp(rng.normal(0, 0.03, count)))


def small_runs():
    """Rows of the grid that the chapter on small runs fits."""
    runs = data.load("small_moe_runs/runs").query("plan == 'grid'")
    expansion = runs.n_routed // runs.top_k
    routers = runs.n_routed.where(runs.n_routed > 1, 0) * runs.n_layers * runs.d_model
    runs = runs.assign(n_routed=expansion, n_dense=runs.n_active - routers, activation_ratio=1 / expansion)
    return runs[(runs.top_k <= 2) & (runs.n_tokens >= 2**20)].reset_index(drop=True)


def scipy_alone(law, rows, theta):
    """Squares of log errors by SciPy from one start, on the law's coefficients, without the fitter."""
    low, high = np.array([(parameter.low, parameter.high) for parameter in law.parameters], dtype=float).T
    observed = np.log(law.observed(rows))
    found = optimize.least_squares(
        lambda x: np.log(law.predict(x, rows)) - observed,
        theta,
        lambda x: law.gradient(x, rows) / law.predict(x, rows)[:, None],
        (low, high),
        x_scale="jac",
        ftol=1e-15,
        xtol=1e-15,
        gtol=1e-15,
        max_nfev=3000,
    )
    assert found.status > 0
    return found.cost


def test_a_narrow_valley_is_followed_to_its_end():
    """Eq. 4 of Yun et al. on 121 small runs: its ten coefficients trade off over many powers of ten."""
    law, rows = LAWS["yun2024"], small_runs().head(121)
    start = law.theta(
        {
            "A": 17,
            "B": 0.1,
            "C": 7,
            "F": 0.1,
            "alpha": 0.3,
            "beta": 1,
            "gamma": 0.3,
            "d": 0.04,
            "E_start": 9,
            "E_max": 100,
        }
    )
    expected = scipy_alone(law, rows, start)
    result = fit(law, rows)
    assert expected == pytest.approx(3.298245e-3, rel=1e-6)
    assert result.converged
    assert result.objective <= expected * (1 + 1e-8)


def test_the_best_starts_may_all_lead_to_a_higher_optimum():
    """Fourteen rows, of which the optimum without the term of experts is found from few starts only."""
    law, rows = LAWS["yun2024"], small_runs().sample(14, random_state=15)
    start = {"A": 15, "B": 0, "C": 11, "F": 0, "alpha": 0.37, "beta": 0.01, "gamma": 0.4, "d": 0.06}
    expected = scipy_alone(law, rows, law.theta(start | {"E_start": 63, "E_max": 65}))
    result = fit(law, rows)
    assert result.objective <= expected * (1 + 1e-8)
    heights = sorted(result.starts.objective_end)
    assert heights[len(heights) // 2] > 1.2 * result.objective


@pytest.mark.parametrize("seed", [1, 2])
def test_no_better_optimum_is_claimed_where_there_is_none(seed):
    """Runs of the published law of Abnar et al.; SciPy from the true coefficients gets no lower than the fit."""
    law, rng = LAWS["abnar2025"], np.random.default_rng(seed)
    rows = noisy(24, seed).rename(columns={"n_active": "n_total"}).assign(activation_ratio=rng.uniform(0.01, 1, 24))
    true = law.theta(PUBLISHED)
    rows["loss"] = law.predict(true, rows) * np.exp(0.01 * rng.normal(size=24))
    result = fit(law, rows)
    assert result.objective <= scipy_alone(law, rows, true) * (1 + 1e-8)
    assert result.disagreement < 1e-6
    assert not result.alone


def test_an_optimum_that_one_start_alone_reached_is_not_trusted():
    result = fit(Dense(), noisy(40, 1))
    assert result.status == "converged"
    lows = result.starts.objective_end.to_numpy()
    alone = replace(result, starts=result.starts.assign(objective_end=lows * np.where(np.arange(len(lows)), 1.01, 1)))
    assert alone.status == "starts disagree"
    assert any("so that a better one may exist" in sentence for sentence in alone.warnings)


def test_columns_that_are_multiples_of_each_other_have_the_shortest_solution():
    rows = noisy(40, 2).assign(n_routed=8)
    result = fit(POWER_PRODUCT, rows)
    matrix = np.column_stack([np.log(rows.n_active), np.log(rows.n_routed), np.ones(40)])
    best = np.linalg.lstsq(matrix[:, [0, 2]], np.log(rows.loss), rcond=None)[1]
    assert 2 * result.objective == pytest.approx(float(best[0]), rel=1e-9)
    assert np.abs(result.coefficients).max() < 100


@pytest.mark.parametrize(("seed", "loss"), [(15, LOG_SQUARES), (17, LOG_SQUARES), (51, LOG_SQUARES), (4, huber(1e-3))])
def test_the_lowest_of_several_valleys_is_found(seed, loss):
    """Without a floor, twenty runs have several optima, the lowest not below the best start of the grid."""
    result = fit(Dense(), noisy(20, seed), loss, hold={"E": 0})
    starts, _ = optimise.initial_grid(result.problem)
    ends = [optimise.least_squares(result.problem, start, optimise.ROUGH).free for start in starts[::40]]
    reached = [result.problem.objective(end) for end in ends]
    assert result.objective <= min(reached) * (1 + 1e-9)
    assert result.starts.objective_end[0] > result.objective * 1.01
    assert result.status == "converged"


@pytest.mark.parametrize(("agreeing", "to_their_ends"), [(1, optimise.FOLLOWED // 2), (2, 1)])
def test_the_lowest_are_followed_until_two_have_the_same_end(monkeypatch, agreeing, to_their_ends):
    problem, tolerances, follow = fit(Dense(), noisy(40, 1)).problem, [], optimise.least_squares

    def counted(problem, start, tolerance=0.0):
        tolerances.append(tolerance)
        return follow(problem, start, optimise.ROUGH)

    monkeypatch.setattr(optimise, "least_squares", counted)
    monkeypatch.setattr(optimise, "as_low", lambda problem, lows: np.arange(len(lows)) < agreeing)
    optimise.search(problem, 5)
    assert tolerances == [optimise.ROUGH] * optimise.FOLLOWED + [1e-15] * to_their_ends + [0.0]


def test_valleys_come_first():
    result = fit(Dense(), noisy(20, 15), hold={"E": 0})
    _, objectives = optimise.initial_grid(result.problem)
    drops = np.flatnonzero(np.diff(objectives) < 0)
    assert len(drops) == 1
    assert objectives[drops[0] + 1 :].min() >= objectives[0]


def test_an_exhausted_search_says_so(monkeypatch):
    monkeypatch.setattr(optimise, "EVALUATIONS", 1)  # with three, some processors arrive
    with pytest.warns(RuntimeWarning, match="Law 'dense': The search did not converge"):
        result = fit(Dense(), noisy(40, 1), starts=1)
    assert not result.converged
    assert result.status.startswith("not converged")
    assert any("did not converge" in sentence for sentence in result.warnings)


def test_the_kernel_says_where_it_gives_up_and_is_then_replaced(monkeypatch):
    problem = fit(Dense(), noisy(40, 1)).problem
    start, once = Dense().theta({"E": 1.0, "A": 100.0, "B": 100.0, "alpha": 0.2, "beta": 0.2}), np.ones((1, 40))
    (whole,), (ended,) = batch.refine(problem, start, once)
    monkeypatch.setattr(batch, "STEPS", 2)
    _, (cut,) = batch.refine(problem, start, once)
    assert ended
    assert not cut
    found = optimise.minimise(problem, start)
    assert found.converged
    assert problem.objective(found.free) == pytest.approx(problem.objective(whole), rel=1e-10)


@pytest.mark.parametrize("name", ["dense", "clark2022", "floor_rational", "abnar2025", "yun2024", "ludziejewski2025"])
def test_derivatives_by_contributions(name):
    """The straightened coordinates go there and back, and their derivative is the central difference."""
    law, rows = LAWS[name], small_runs()
    _, problem = make_problem(law, rows, LOG_SQUARES, {}, {})
    space = optimise.Contributions(problem)
    free = optimise.random_starts(problem, 1, seed=3)[0][0]
    low, high = problem.bounds()
    free = np.clip(free + 0.1 * (free == 0), low + 1e-3, high - 1e-3)
    x = space.of(free)
    assert np.allclose(space.free(x), free, rtol=1e-12)
    for place in range(len(x)):
        step = np.zeros_like(x)
        step[place] = 1e-6 * max(abs(x[place]), 0.1)
        expected = (space.errors(x + step) - space.errors(x - step)) / (2 * step[place])
        assert np.allclose(space.jacobian(x)[:, place], expected, rtol=1e-5, atol=1e-6)


def test_a_linear_problem_is_solved_as_numpy_solves_it():
    rows = noisy(30, 2).assign(n_routed=np.tile([1, 2, 8], 10))
    result = fit(POWER_PRODUCT, rows)
    matrix = np.column_stack([np.log(rows.n_active), np.log(rows.n_routed), np.ones(30)])
    expected = np.linalg.lstsq(matrix, np.log(rows.loss), rcond=None)[0]
    assert list(result.values.values()) == pytest.approx(expected, rel=1e-8)


def test_tied_and_held_coefficients_are_minimised_alike():
    """Equal exponents by a tie, or by a search over one exponent that both are held at."""
    rows = noisy(40, 3)
    tied = fit(Dense(), rows, tie={"beta": "alpha"})
    assert tied.values["alpha"] == tied.values["beta"]

    def held(x):
        return fit(Dense(), rows, hold={"alpha": x, "beta": x}, starts=1).objective

    expected = optimize.minimize_scalar(held, bounds=(0.1, 0.9), options={"xatol": 1e-6})
    assert tied.objective == pytest.approx(expected.fun, rel=1e-8)


def test_a_better_optimum_elsewhere_is_seen():
    """A fit that stopped in a higher valley, as if it had had one start only."""
    rows = noisy(20, 15)
    right = fit(Dense(), rows, hold={"E": 0})
    start = right.starts[list(right.free)].to_numpy(float)[0]
    end = optimise.least_squares(right.problem, start)
    assert end.converged
    assert right.problem.objective(end.free) > 1.01 * right.objective
    wrong = replace(right, coefficients=right.problem.theta(end.free))
    assert wrong.disagreement == pytest.approx(1 - right.objective / wrong.objective, rel=1e-6)
    assert wrong.status == "starts disagree"
    assert any("a better optimum than the one kept exists" in sentence for sentence in wrong.warnings)
    assert right.disagreement < 1e-8


BADLY_POSED = {
    "one size": ("dense", noisy(30, 5).assign(n_active=1e9), LOG_SQUARES, {}),
    "as many rows as parameters": ("dense", noisy(5, 6), LOG_SQUARES, {}),
    "no experts": ("floor_sum", noisy(30, 7).assign(n_routed=1), LOG_SQUARES, {}),
    "constant loss": (
        "floor_product",
        noisy(30, 8).assign(n_routed=np.tile([1, 8, 64], 10), loss=2.5),
        LOG_SQUARES,
        {},
    ),
    "rising": ("dense", noisy(30, 9).assign(loss=lambda t: 2 + 1e-9 * t.n_tokens**0.5), huber(1e-3), {}),
    "two rates": ("power_product", noisy(20, 10).assign(n_routed=lambda t: t.n_active / 1e4), RELATIVE_SQUARES, {}),
    "small runs": ("abnar2025", small_runs().iloc[::5], LOG_SQUARES, {}),
    "eleven parameters": ("ludziejewski2025", small_runs().iloc[::9], LOG_SQUARES, {}),
    "bounds of experts": ("yun2024", small_runs().iloc[::9], LOG_SQUARES, {}),
    "well posed": ("dense", noisy(60, 11), huber(1e-3), {}),
}


@pytest.mark.parametrize("case", BADLY_POSED)
def test_statuses_do_not_hang_on_the_last_digits(case):
    """The tenth digit of the data changes no status."""
    name, rows, loss, hold = BADLY_POSED[case]
    law, rng = LAWS[name], np.random.default_rng(12)
    statuses = set()
    for size in (0, 1e-10):
        moved = rows.assign(loss=rows.loss * (1 + size * rng.normal(size=len(rows))))
        statuses.add(fit(law, moved, loss, hold, starts=2).status)
    assert len(statuses) == 1, statuses


def test_nothing_is_hidden_by_another_thing():
    """A fit that has not converged, of a law that the rows do not identify, says both."""
    rows = noisy(30, 5).assign(n_active=1e9)
    result = replace(fit(FLOOR_PRODUCT, rows.assign(n_routed=np.tile([1, 8, 64], 10))), converged=False)
    assert result.status == "not converged; not identified"


def test_the_order_of_rows_changes_nothing():
    rows = small_runs()
    mixed = rows.sample(frac=1, random_state=1)
    first, second = (fit(LAWS["abnar2025"], table, starts=1) for table in (rows, mixed))
    assert np.array_equal(first.coefficients, second.coefficients)
