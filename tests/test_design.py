"""What to run next: layouts cost what they may, suggestions tell most, optima are those of calculus and brute force."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from moelaws import data
from moelaws.errors import InputError
from moelaws.fitting.design import half_width, layout, suggest
from moelaws.fitting.estimation import fit
from moelaws.fitting.intervals import refits
from moelaws.fitting.optimum import optimum
from moelaws.fitting.shapes import runs
from moelaws.laws import LAWS, abnar2025, krajewski2024, ludziejewski2025
from moelaws.laws.dense import BESIROGLU
from moelaws.laws.powers import PowerSum

MOE = {"tau": 1.7, "a": 420.0, "alpha": 0.33, "gamma": 0.12, "b": 1100.0, "beta": 0.34}


def measured(law, true, rows, noise=0.0, seed=0):
    """The rows with losses of a law."""
    errors = noise * np.random.default_rng(seed).normal(size=len(rows))
    return rows.assign(loss=LAWS[law].predict(LAWS[law].theta(true), rows) * np.exp(errors))


def sweep(law="wang2024", true=MOE, noise=0.01, experts=(1, 8, 64), seed=0):
    """A fit to a layout of 1e20 FLOP."""
    return fit(LAWS[law], measured(law, true, layout(LAWS[law], 1e20, experts=experts), noise, seed))


FITTED = sweep()
CANDIDATES = layout(LAWS["wang2024"], 1e21, experts=(1, 8, 64))


def test_a_layout_is_what_it_says():
    rows = layout(LAWS["abnar2025"], 3e20, curves=4, span=27, sizes=3, ratio=(4, 64), experts=(1, 16), outside=0.25)
    assert rows.flops.sum() == pytest.approx(3e20)
    assert rows.flops.to_numpy() == pytest.approx(6 * rows.n_active * rows.n_tokens)
    curves = rows.groupby(rows.flops.map("{:.6g}".format), sort=False)
    assert [len(curve) for _, curve in curves] == [6] * 4
    assert np.diff(np.log(curves.flops.first())) == pytest.approx(np.log(3))
    for _, curve in curves:
        ratio = curve.n_tokens / curve.n_active
        assert sorted(set(ratio.round(6))) == pytest.approx([4, 16, 64])
        assert set(curve.n_routed) == {1, 16}
    assert rows.n_total.to_numpy() == pytest.approx(rows.n_active * (0.25 + 0.75 / rows.activation_ratio))


def test_the_half_width_is_that_of_a_linear_regression():
    """For a law that is linear in logarithms, textbook formulas hold: here those of numpy's covariance."""
    fitted = sweep("power_product", {"a": -0.08, "b": -0.03, "d": 2.4}, experts=(1, 8, 64))
    x = np.log(fitted.table[["n_active", "n_routed"]].to_numpy())
    matrix = np.column_stack([x, np.ones(len(x))])
    target = np.log(fitted.table.loss.to_numpy())
    left = target - matrix @ np.linalg.lstsq(matrix, target, rcond=None)[0]
    covariance = left @ left / (len(x) - 3) * np.linalg.inv(matrix.T @ matrix)
    reach = 2.018082  # Student's t, 97.5 %, 42 degrees of freedom, from a table
    assert len(x) - 3 == 42
    assert half_width(fitted, "b") == pytest.approx(reach * np.sqrt(covariance[1, 1]), rel=1e-5)
    point = np.array([np.log(1e11), np.log(64), 1])
    expected = reach * np.sqrt(point @ covariance @ point)
    assert half_width(fitted, point={"n_active": 1e11, "n_routed": 64}) == pytest.approx(expected, rel=1e-5)


def test_the_half_width_is_the_scatter_of_experiments():
    """Thirty experiments know a standard deviation to one part in eight."""
    fits = [sweep(noise=0.002, seed=seed) for seed in range(30)]
    scatter = np.std([one.values["gamma"] for one in fits], ddof=1)
    assert np.median([half_width(one, "gamma") for one in fits]) == pytest.approx(2.02 * scatter, rel=0.3)


def test_no_pair_of_runs_tells_more_than_the_suggested():
    """With candidates of one cost, all pairs can be tried."""
    candidates = CANDIDATES[np.isclose(CANDIDATES.flops, CANDIDATES.flops.max())].reset_index(drop=True)
    picked = suggest(FITTED, candidates, 2 * candidates.flops[0], "gamma")
    assert len(picked) == 2
    assert picked.total_flops.iloc[-1] == pytest.approx(2 * candidates.flops[0])

    def alone(pair):
        return suggest(FITTED, candidates.loc[list(pair)], 2 * candidates.flops[0], "gamma").half_width.iloc[-1]

    best = min(alone(pair) for pair in combinations(candidates.index, 2))
    assert picked.half_width.iloc[-1] == pytest.approx(best, rel=0.02)
    assert picked.half_width.is_monotonic_decreasing
    assert picked.half_width.iloc[0] < half_width(FITTED, "gamma")


def test_runs_shrink_the_interval_as_promised():
    """The runs are made, with the same noise, and fitted: the median of five is within a fifth of the promise."""
    kept = []
    for seed in range(5):
        first = sweep(seed=seed)
        picked = suggest(first, CANDIDATES, 1e20, "gamma")
        made = measured("wang2024", MOE, CANDIDATES.loc[picked.index], 0.01, 100 + seed)
        again = fit(first.law, pd.concat([first.table, made], ignore_index=True))
        kept.append(half_width(again, "gamma") / picked.half_width.iloc[-1])
    assert np.median(kept) == pytest.approx(1, abs=0.2)


def test_suggested_runs_beat_random_ones_in_the_stored_table():
    stored = data.load("suggestions/suggestions").set_index("design")
    assert len(stored) == 4
    assert (stored.width_suggested < 0.95 * stored.width_random).all()
    assert (stored.flops_suggested <= 1e21).all()
    assert (stored.width_suggested / stored.width_promised).between(0.8, 1.25).all()
    assert (stored.kept_promise > 0.9).all()


@pytest.mark.parametrize("name", [name for name, law in LAWS.items() if law.response == "loss"])
def test_suggestions_work_for_every_law(name):
    """Middling coefficients of each law; the question is its last parameter."""
    law = LAWS[name]
    rows = runs(*np.meshgrid(np.geomspace(1e7, 1e10, 5), np.geomspace(1e9, 1e12, 4), [1, 4, 16, 64]), 1.0)
    rows = rows.assign(granularity=np.tile([1, 2, 4, 8], 20))
    rows["loss"] = 1.7 + 8e2 * rows.n_active**-0.33 * rows.n_routed**-0.1 + 1e3 * rows.n_tokens**-0.35
    rows["loss"] *= np.exp(0.01 * np.random.default_rng(0).normal(size=len(rows)))
    fitted = fit(law, rows, starts=1)
    parameter = fitted.free[-1]
    picked = suggest(fitted, rows.drop(columns="loss"), 1e22, parameter)
    assert 0 < picked.half_width.iloc[-1] < half_width(fitted, parameter)
    assert picked.total_flops.iloc[-1] <= 1e22 * (1 + 1e-9)


def closed(a, b, alpha, beta, flops):
    """Best size of c + a/N^alpha + b/D^beta along 6ND = C."""
    return (alpha * a / beta / b) ** (1 / (alpha + beta)) * (flops / 6) ** (beta / (alpha + beta))


@pytest.mark.parametrize("flops", [1e18, 1e21, 1e25])
def test_the_optimum_is_that_of_calculus(flops):
    rows = measured("dense", BESIROGLU, runs(*np.meshgrid(np.geomspace(5e7, 1e10, 5), np.geomspace(1e9, 1e12, 5))))
    fitted = fit(LAWS["dense"], rows)
    best = optimum(fitted, flops)
    value = fitted.values
    expected = closed(value["A"], value["B"], value["alpha"], value["beta"], flops)
    assert best.run["n_active"] == pytest.approx(expected, rel=1e-6)
    size, tokens = LAWS["dense"].cheapest(fitted.coefficients, [best.loss])
    assert [best.run["n_active"], best.run["n_tokens"]] == pytest.approx([size[0], tokens[0]], rel=1e-6)


@pytest.mark.parametrize(
    ("name", "true", "experts"),
    [
        ("wang2024", MOE, (1, 8, 64)),
        ("ludziejewski2025", ludziejewski2025.PUBLISHED, (1, 8, 64)),
        ("abnar2025", abnar2025.PUBLISHED, (1, 8, 64)),
        ("krajewski2024", krajewski2024.PUBLISHED, ()),
    ],
)
def test_the_optimum_is_that_of_brute_force(name, true, experts):
    law = LAWS[name]
    rows = runs(*np.meshgrid(np.geomspace(1e7, 1e10, 4), np.geomspace(1e9, 1e12, 4), [1, 2, 8, 64]), 1.0)
    rows = measured(name, true, rows.assign(granularity=np.tile([1, 2, 4, 8], 16)), 1e-3)
    fitted = fit(law, rows)
    best = optimum(fitted, 1e22, experts=experts, granularity=4)
    sizes = best.run["n_active"] * np.exp(np.linspace(-8, 8, 160_001))
    losses = {
        times: law.predict(fitted.coefficients, runs(sizes, 1e22 / 6 / sizes, times, 4)) for times in experts or (1,)
    }
    times = min(losses, key=lambda one: losses[one].min())
    assert best.loss == pytest.approx(losses[times].min(), rel=1e-9)
    assert best.run["n_active"] == pytest.approx(sizes[losses[times].argmin()], rel=1e-4)
    assert best.by_expansion.expansion[best.by_expansion.loss.argmin()] == times


def test_the_interval_of_an_optimum_is_that_of_its_draws():
    """Each draw's optimum by calculus; its size is high where its tokens are low."""
    rows = measured("dense", BESIROGLU, layout(LAWS["dense"], 1e20, sizes=6), 0.003)
    fitted = fit(LAWS["dense"], rows)
    again = refits(fitted, draws=50)
    best = optimum(fitted, 1e20, again)
    sizes = np.array([closed(a, b, alpha, beta, 1e20) for _, a, b, alpha, beta in again.coefficients])
    low, high = again.interval(sizes)
    assert best.intervals["n_active"] == pytest.approx((low, high), rel=1e-6)
    assert best.intervals["n_tokens"] == pytest.approx((1e20 / 6 / high, 1e20 / 6 / low), rel=1e-6)


def test_a_limit_on_total_parameters_binds():
    best = optimum(FITTED, 1e22, experts=[64], most_total=1e10)
    assert best.run["n_active"] == pytest.approx(1e10 / (1 / 3 + 2 / 3 * 64))
    assert any("limit on total parameters" in text for text in best.warnings)


def test_what_a_law_cannot_say_is_said():
    best = optimum(FITTED, 1e21)
    assert any("more experts are better at any number up to 64" in text for text in best.warnings)
    assert any("extrapolation" in text for text in best.warnings)
    assert best.distance > 0
    for name, reason in [("floor_product", "no term of tokens"), ("frontier", "neither size nor tokens")]:
        rows = measured("wang2024", MOE, layout(LAWS["wang2024"], 1e20, experts=(1, 8, 64)))
        with pytest.raises(InputError, match=f"Law '{name}' does not tell the best size for a budget: .*{reason}"):
            optimum(fit(LAWS[name], rows), 1e21)
    with pytest.raises(InputError, match="Law 'dense' knows nothing of experts"):
        optimum(sweep("dense", BESIROGLU, experts=(1,)), 1e21, experts=[8])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: layout(LAWS["dense"], -1), "Parameter flops"),
        (lambda: layout(LAWS["dense"], 1e20, sizes=1), "two sizes or more"),
        (lambda: layout(LAWS["dense"], 1e20, ratio=(9, 3)), "two ratios of tokens to parameters that grow"),
        (lambda: layout(LAWS["dense"], 1e20, experts=(1, 8)), "Law 'dense' knows nothing of experts"),
        (lambda: layout(LAWS["ludziejewski2025"], 1e20, curves=1), "cannot be fitted by law 'ludziejewski2025'"),
        (lambda: layout(LAWS["wang2024"], 1e20, experts=(0.5, 8)), "expansion has the value 0.5"),
        (lambda: suggest(FITTED, CANDIDATES, 1e20), "exactly one of them"),
        (lambda: suggest(FITTED, CANDIDATES, 1e20, "delta"), "Parameter 'delta' was not fitted"),
        (lambda: suggest(FITTED, CANDIDATES, 1e10, "gamma"), "No candidate costs 1e.10 FLOP or less"),
        (lambda: suggest(FITTED, CANDIDATES.drop(columns="flops"), 1e20, "gamma"), "'flops'"),
        (lambda: suggest(FITTED, CANDIDATES, 1e20, point={"n_active": 1e9}), "The point has no column"),
    ],
)
def test_bad_input_is_named(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()


def test_a_law_of_a_column_that_no_run_tells_is_refused():
    law = PowerSum("sparse", {"c": {}, "a": {"density": "b", "n_active": "-alpha"}, "d": {"n_tokens": "-beta"}})
    rows = runs([1e8, 1e9, 3e9] * 3, [1e10] * 4 + [3e10] * 5).assign(density=[1, 0.5, 0.2] * 3)
    rows["loss"] = law.predict(law.theta({"c": 1, "a": 20, "d": 60, "b": 0.3, "alpha": 0.2, "beta": 0.2}), rows)
    for call in (lambda: layout(law, 1e20), lambda: optimum(fit(law, rows), 1e20)):
        with pytest.raises(InputError, match=r"Law 'sparse' reads density, which a run's size"):
            call()
