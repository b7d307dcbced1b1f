"""What the runs of our own say: computations that the claims rest on, against simulated truths."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import norm

from moelaws import ledger

CLAIMS = ledger.module("small_moe_runs")


@pytest.fixture
def cut():
    """A line of slope 0.5 and noise 0.3, of which all above 1.3 and below 0.8 is known as a bound only."""
    random = np.random.default_rng(0)
    matrix = np.column_stack([random.normal(size=2000), np.ones(2000)])
    value = matrix @ [0.5, 1.0] + 0.3 * random.normal(size=2000)
    return matrix, np.clip(value, 0.8, 1.3), (value > 1.3).astype(int) - (value < 0.8)


def test_a_line_through_bounds_finds_what_dropping_them_misses(cut):
    matrix, value, beyond = cut
    assert CLAIMS.with_bounds(matrix, value, beyond) == pytest.approx([0.5, 1.0], abs=0.03)
    dropped = np.linalg.lstsq(matrix[beyond == 0], value[beyond == 0], rcond=None)[0]
    assert dropped[0] < 0.2


def test_a_line_through_bounds_is_the_most_likely(cut):
    matrix, value, beyond = cut

    def unlikely(at):
        off = (value - matrix @ at[:2]) / np.exp(at[2])
        parts = np.where(beyond > 0, norm.logsf(off), np.where(beyond < 0, norm.logcdf(off), norm.logpdf(off) - at[2]))
        return -parts.sum()

    best = minimize(unlikely, [0, 0, 0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-8, "maxiter": 4000})
    assert CLAIMS.with_bounds(matrix, value, beyond) == pytest.approx(best.x[:2], abs=1e-6)


def test_without_bounds_it_is_least_squares(cut):
    matrix, value, _ = cut
    squares = np.linalg.lstsq(matrix, value, rcond=None)[0]
    assert CLAIMS.with_bounds(matrix, value, np.zeros(len(value), int)) == pytest.approx(squares, abs=1e-8)


def test_leverage_is_known_inside_the_dense_line_and_a_bound_beyond_it():
    found, runs = CLAIMS.along_width(), CLAIMS.sparse()
    dense = CLAIMS.cells().loss.unstack("n_routed")[1].groupby("d_model").agg(["min", "max"])
    for row, one in zip(runs.itertuples(), found.itertuples(), strict=True):
        low, high = dense.loc[row.d_model]
        assert one.beyond == (1 if row.loss < low else -1 if row.loss > high else 0)
    ranked = CLAIMS.ranked_leverage()
    assert (np.isinf(ranked) == (found.beyond != 0)).all()
    assert (found.leverage > 0).all()


def test_recipes_are_compared_with_the_one_of_the_grid():
    tried = CLAIMS.recipes()
    usual = tried[tried.plan == "grid"]
    assert (usual.change == 0).all()
    assert (usual.rate == 1).all()
    assert not usual.duplicated(["d_model", "n_routed"]).any()
    varied = tried[tried.plan == "recipe"]
    assert set(map(tuple, varied[["d_model", "n_routed"]].to_numpy())) == set(
        map(tuple, usual[["d_model", "n_routed"]].to_numpy())
    )
    assert ((varied.rate != 1) != (varied.balance != 0.1)).all()
    assert set(varied.rate) <= {0.5, 1, 2}


def test_the_best_recipe_of_each_kind_is_compared_with_that_of_the_other():
    usual, best, twice = CLAIMS.best_recipes(128)
    loss = CLAIMS.recipes().query("d_model == 128").groupby("n_routed").loss
    assert best == pytest.approx(loss.min()[1] - loss.min()[64])
    assert usual < 0 < twice < 0.1
