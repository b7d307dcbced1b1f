"""Refits of a batch are those of one problem at a time, and what the batch cannot do is said."""

import numpy as np
import pandas as pd
import pytest

from moelaws.fitting import batch, resampling
from moelaws.fitting import intervals as uncertainty
from moelaws.fitting.estimation import LOG_SQUARES, RELATIVE_SQUARES, fit, huber
from moelaws.fitting.optimise import least_squares
from moelaws.laws import LAWS
from moelaws.laws.clark2022 import PUBLISHED
from moelaws.laws.dense import BESIROGLU

DENSE = {"n_active": (5e7, 1e10), "n_tokens": (1e9, 3e11)}
ROUTED = {"n_active": (1e7, 2e9), "n_routed": (1, 512)}
FLOOR = {"L0": 1.5, "A": 60.0, "alpha": 0.2, "beta": 0.05}


def simulated(name, true, ranges, noise, count=40):
    """Runs of a law with normal log errors, in groups of two."""
    rng = np.random.default_rng(0)
    columns = {key: np.exp(rng.uniform(*np.log(ends), count)) for key, ends in ranges.items()}
    rows = pd.DataFrame(columns).assign(run=np.arange(count) // 2)
    law = LAWS[name]
    return rows.assign(loss=law.predict(law.theta(true), rows) * np.exp(noise * rng.normal(size=count)))


CASES = {
    "squares": ("dense", BESIROGLU, DENSE, 0.01, LOG_SQUARES, {}),
    "huber": ("dense", BESIROGLU, DENSE, 0.01, huber(3e-3), {}),
    "relative": ("dense", BESIROGLU, DENSE, 0.01, RELATIVE_SQUARES, {}),
    "held": ("dense", BESIROGLU, DENSE, 0.01, huber(3e-3), {"hold": {"E": 1.8}}),
    "tied": ("dense", BESIROGLU, DENSE, 0.01, LOG_SQUARES, {"tie": {"beta": "alpha"}}),
    "product": ("floor_product", FLOOR, ROUTED, 0.005, LOG_SQUARES, {}),
    "saturated": ("clark2022", PUBLISHED["S-Base"], ROUTED, 0.001, LOG_SQUARES, {}),
}


@pytest.mark.parametrize("by", [None, "run"])
@pytest.mark.parametrize("case", CASES)
def test_a_batch_gives_what_each_draw_gives_by_itself(case, by):
    """The draws are those of `bootstrap`, and the optima those of SciPy's trust region in other coordinates."""
    name, true, ranges, noise, loss, options = CASES[case]
    fitted = fit(LAWS[name], simulated(name, true, ranges, noise), loss, **options)
    refits = uncertainty.refits(fitted, by, draws=12)
    table, best = fitted.table.reset_index(drop=True), fitted.problem.free(fitted.coefficients)
    drawn = uncertainty.bootstrap(lambda rows: np.sort(rows.index.to_numpy()), table, by, draws=12)
    assert refits.failed == ()
    for rows, found in zip(drawn, refits.coefficients, strict=True):
        problem = fitted.problem.rows(rows)
        alone, converged = least_squares(problem, best)
        assert converged
        assert problem.objective(found) == pytest.approx(problem.objective(alone), rel=1e-12)
        assert found == pytest.approx(alone, rel=1e-6)


@pytest.mark.parametrize(("module", "limit"), [(resampling, "BATCH"), (batch, "AT_ONCE")])
def test_how_many_are_worked_on_at_once_does_not_change_a_draw(module, limit, monkeypatch):
    fitted = fit(LAWS["dense"], simulated("dense", BESIROGLU, DENSE, 0.01), huber(3e-3))
    whole = uncertainty.refits(fitted, draws=20).coefficients
    monkeypatch.setattr(module, limit, 100)  # two draws of 40 rows
    np.testing.assert_allclose(uncertainty.refits(fitted, draws=20).coefficients, whole, rtol=1e-9)


def test_what_does_not_converge_together_is_fitted_alone_and_counted(monkeypatch):
    """Two steps are too few for any draw: each is fitted by itself, with the same result."""
    fitted = fit(LAWS["dense"], simulated("dense", BESIROGLU, DENSE, 0.01), huber(3e-3))
    together = uncertainty.refits(fitted, draws=5)
    monkeypatch.setattr(batch, "STEPS", 2)
    alone = uncertainty.refits(fitted, draws=5)
    assert (together.alone, alone.alone, alone.failed) == ((), (0, 1, 2, 3, 4), ())
    np.testing.assert_allclose(alone.coefficients, together.coefficients, rtol=1e-6)


def test_what_does_not_converge_at_all_is_named_and_left_out(monkeypatch):
    fitted = fit(LAWS["dense"], simulated("dense", BESIROGLU, DENSE, 0.01))
    single = resampling.least_squares
    calls = iter([True, False, True, False, True])
    monkeypatch.setattr(batch, "STEPS", 0)
    monkeypatch.setattr(resampling, "least_squares", lambda *given: single(*given)._replace(converged=next(calls)))
    refits = uncertainty.refits(fitted, draws=5)
    assert (len(refits.coefficients), refits.failed) == (3, (1, 3))
    assert refits.warnings == ("2 of 5 refits did not converge and are left out: draws 1, 3.",)


def held_out_set():
    """Runs in groups of two, of which the largest sizes are held out; each group has one of them at most."""
    rows = simulated("dense", BESIROGLU, DENSE, 0.01).sort_values("n_active", ignore_index=True)
    rows = rows.assign(run=np.arange(len(rows)) % 20)
    return fit(LAWS["dense"], rows[:30]), rows[30:]


def test_rows_held_out_are_predicted_by_the_groups_of_each_draw():
    """Each draw by itself: the groups that `bootstrap` draws, fitted below a size and compared above it."""
    fitted, held = held_out_set()
    predicted, counts = uncertainty.held_out(fitted, held, by="run", draws=8)
    largest = fitted.table.n_active.max()

    def error(rows):
        seen, unseen = rows[rows.n_active <= largest], rows[rows.n_active > largest]
        return fit(LAWS["dense"], seen).mean_error(unseen)

    both = pd.concat([fitted.table, held])
    off = np.abs(predicted / held.loss.to_numpy() - 1)
    expected = uncertainty.bootstrap(error, both, "run", draws=8)
    assert np.average(off, axis=1, weights=counts) == pytest.approx(expected, rel=1e-5)
    assert counts.shape == (8, 10)


def test_a_draw_whose_fit_does_not_converge_predicts_nothing(monkeypatch):
    fitted, held = held_out_set()
    single, calls = resampling.least_squares, iter([True, False, True])
    monkeypatch.setattr(batch, "STEPS", 0)
    monkeypatch.setattr(resampling, "least_squares", lambda *given: single(*given)._replace(converged=next(calls)))
    predicted, _ = uncertainty.held_out(fitted, held, by="run", draws=3)
    assert np.isnan(predicted).all(axis=1).tolist() == [False, True, False]


def test_a_coefficient_that_a_draw_pushes_to_its_bound_stays_there():
    """Twenty noisy runs do not always have a floor."""
    rows = simulated("floor_product", FLOOR, ROUTED, 0.05, count=20)
    refits = uncertainty.refits(fit(LAWS["floor_product"], rows), draws=60)
    floors = refits.coefficients[:, 0]
    assert refits.alone == ()
    assert 0 < (floors == 0).sum() < 60
