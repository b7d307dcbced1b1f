"""Intervals hold the true value about as often as they say; `data/coverage` holds the long version."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from moelaws import data
from moelaws.fitting import intervals as uncertainty
from moelaws.fitting.estimation import LOG_SQUARES, fit, huber
from moelaws.fitting.prediction import noise, predict
from moelaws.fitting.rows import CHANCE, ignored
from moelaws.laws import LAWS
from moelaws.laws.dense import BESIROGLU
from moelaws.paths import ROOT

LAW = LAWS["power_product"]
TRUE = {"a": -0.08, "b": -0.03, "d": 2.4}


def simulate(count, seed, per_group=1):
    """Runs of an exact law with normal errors of 3 %, which the rows of a group share."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(count), per_group)
    sizes, experts = np.exp(rng.uniform(np.log(1e7), np.log(1e10), count)), 2.0 ** rng.integers(0, 9, count)
    rows = pd.DataFrame({"n_active": sizes[group], "n_routed": experts[group], "group": group})
    loss = LAW.predict(LAW.theta(TRUE), rows) * np.exp(0.03 * rng.normal(size=count)[group])
    return rows.assign(loss=loss)


def coverage(intervals, simulations, loss=LOG_SQUARES, **design):
    """Share of simulations and parameters in which intervals hold the true values, for each kind."""
    true = np.array([TRUE[parameter.name] for parameter in LAW.parameters])
    hits = []
    for seed in range(simulations):
        ends = np.array(intervals(fit(LAW, simulate(seed=seed, **design), loss, starts=1), seed))
        hits.append((ends[:, :, 0] <= true) & (true <= ends[:, :, 1]))
    return np.mean(hits, axis=(0, 2))


def profiled(fitted, seed):
    return [list(uncertainty.profile(fitted).values())]


def resampled(fitted, seed):
    """What is returned, and the central draws as they are."""
    refits = uncertainty.refits(fitted, by="group", draws=100, seed=seed)
    return [list(refits.ranges().values()), uncertainty.interval(refits.coefficients).T]


def test_profile_of_squares_in_a_small_sample():
    """With three degrees of freedom, the normal distribution instead of F would hold 86 %."""
    assert coverage(profiled, 60, count=6) == pytest.approx(0.95, abs=0.03)


def test_profile_of_a_huber_loss():
    assert coverage(profiled, 16, huber(0.02), count=30) == pytest.approx(0.95, abs=0.04)


def test_bootstrap_of_few_groups():
    """The central draws alone are too narrow; what is returned is not."""
    widened, central = coverage(resampled, 80, count=10)
    assert widened == pytest.approx(0.95, abs=0.03)
    assert central < widened - 0.02


def test_bootstrap_where_rows_share_their_errors():
    """Five rows of a group say no more than one: the profile does not know, whole groups do."""
    assert coverage(resampled, 30, count=16, per_group=5)[0] > 0.9
    assert coverage(profiled, 20, count=16, per_group=5) < 0.8


def test_profile_follows_a_curved_valley():
    """Twenty runs with errors of 3 % leave the size term of a dense law open over many powers of ten."""
    rng, law = np.random.default_rng(2), LAWS["dense"]
    sizes = np.exp(rng.uniform(np.log(5e7), np.log(5e9), 20))
    rows = pd.DataFrame({"n_active": sizes, "n_tokens": sizes * np.exp(rng.uniform(np.log(2), np.log(100), 20))})
    loss = law.predict(law.theta(BESIROGLU), rows) * np.exp(0.03 * rng.normal(size=20))
    result = fit(law, rows.assign(loss=loss))
    ends = uncertainty.profile(result)
    assert ends["A"][1] > 1e15 * ends["A"][0]
    for name in ("A", "alpha", "beta"):
        below, above = (fit(law, result.table, hold={name: end}).objective for end in ends[name])
        assert result.objective < below == pytest.approx(above, rel=1e-6)


DESIGNS = 9


def test_the_long_version_is_stored_for_all_of_its_designs():
    """Each design with both losses and both intervals; and where rows are independent, no interval is far off."""
    stored = data.load("coverage/coverage")
    cells = stored.groupby("design").apply(lambda rows: set(zip(rows.loss, rows.interval, strict=True)))
    assert len(cells) == DESIGNS
    assert all(len(kinds) == 4 for kinds in cells)
    independent = stored[stored.groups == stored.rows]
    assert independent.coverage.between(0.9, 0.995).all()


def test_a_new_run_at_ten_times_the_compute_is_held_in_each_stored_design():
    """In 92 % to 98 % of the experiments."""
    stored = data.load("coverage/predictions")
    assert len(stored) == DESIGNS * 2 * 2
    run = stored[stored.of == "run"]
    assert run.coverage.between(0.92, 0.98).all()


def grid(seed, shared):
    """Eight sizes with five numbers of experts each, and errors of 3 % of each row or of each size."""
    group = np.repeat(np.arange(8), 5)
    sizes, experts = np.geomspace(1e7, 1e10, 8)[group], np.tile([1.0, 4, 16, 64, 256], 8)
    rows = pd.DataFrame({"n_active": sizes, "n_routed": experts, "group": group if shared else range(40)})
    errors = np.random.default_rng(seed).normal(size=40)[rows.group]
    return rows.assign(loss=LAW.predict(LAW.theta(TRUE), rows) * np.exp(0.03 * errors))


@pytest.mark.parametrize(("shared", "left"), [(False, 1 - 3 / 40), (True, 1 - 2 / 8)])
def test_what_a_fit_leaves_of_the_errors(shared, left):
    """Experts are compared within a size, so that their exponent takes nothing from what the rows of a size share."""
    refits = uncertainty.refits(fit(LAW, grid(0, shared), starts=1), by="group", draws=2)
    assert refits.left == pytest.approx(left, rel=1e-9)


@pytest.mark.parametrize(("shared", "tolerance"), [(False, 0.07), (True, 0.15)])
def test_errors_of_new_runs_scatter_as_runs_do(shared, tolerance):
    """Neither what the fit takes of the errors nor the kernel that smooths them changes their variance."""
    found = []
    for seed in range(60):
        refits = uncertainty.refits(fit(LAW, grid(seed, shared), starts=1), by="group", draws=2)
        found.append(np.var(noise(refits, 4000)) / 0.03**2)
    assert np.mean(found) == pytest.approx(1, abs=tolerance)


def test_columns_of_noise_are_named_as_rarely_as_is_said():
    stored = data.load("coverage/alarms")
    assert len(stored) == 6
    for one in stored.itertuples():
        assert stats.binomtest(one.alarms, one.tables, CHANCE, alternative="greater").pvalue > 0.01
    said = f"columns of noise alone were named in {stored.alarms.sum()} of {stored.tables.sum()} simulated tables"
    assert said in ROOT.joinpath("book", "fork.md").read_text(encoding="utf-8")


def test_an_interval_of_a_new_run_holds_new_runs():
    """Twenty-four runs, and one more at the same size: the interval of the mean would hold it in about a third."""
    held = []
    for seed in range(40):
        rows = simulate(25, seed)
        fitted = fit(LAW, rows.head(24), starts=1)
        ends = predict(fitted, rows.tail(1), uncertainty.refits(fitted, draws=100, seed=seed)).iloc[0]
        loss = rows.loss.iloc[-1]
        held.append((ends.mean_low <= loss <= ends.mean_high, ends.run_low <= loss <= ends.run_high))
    mean, run = np.mean(held, axis=0)
    assert run == pytest.approx(0.95, abs=0.05)
    assert mean < 0.7


def test_noise_of_new_runs_is_smoothed_by_silvermans_kernel():
    """The fourth moment tells how wide the kernel is: the variance is that of the errors with any."""
    rows = simulate(20, 3)
    refits = uncertainty.refits(fit(LAW, rows, LOG_SQUARES), draws=20)
    problem = refits.fit.problem
    errors = problem.errors(problem.free(refits.fit.coefficients)) / np.sqrt(refits.left)
    spread, middle = np.std(errors), np.mean(errors)
    quarters = np.percentile(errors, [25, 75])
    width = 0.9 * min(spread, (quarters[1] - quarters[0]) / 1.34) / 20**0.2
    smooth = np.mean((errors - middle) ** 4) + 6 * spread**2 * width**2 + 3 * width**4
    expected = smooth * (spread**2 / (spread**2 + width**2)) ** 2
    drawn = noise(refits, 200_000)
    assert np.mean((drawn - middle) ** 4) == pytest.approx(expected, rel=0.02)
    assert abs(expected / (3 * spread**4) - 1) > 0.1  # a kernel of any width would give the normal's


def test_columns_that_errors_go_with_come_with_the_largest_share_first():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"n_active": np.exp(rng.normal(size=200)), "n_routed": 1.0, "loss": 1.0})
    table = table.assign(zeta=rng.normal(size=200), alpha=rng.normal(size=200))
    errors = 2 * table.zeta + table.alpha
    found = ignored(
        LAW,
        table[["n_active", "n_routed", "loss", "alpha", "zeta"]],
        errors - errors.mean(),
        np.ones((200, 1)) / np.sqrt(200),
    )
    assert list(found) == ["zeta", "alpha"]
