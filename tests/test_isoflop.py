"""IsoFLOP profiles: a known optimum is found, intervals hold it, and curves that say nothing are told."""

import numpy as np
import pandas as pd
import pytest

from moelaws import data
from moelaws.errors import InputError, Unavailable
from moelaws.fitting.isoflop import profiles
from moelaws.laws import LAWS
from moelaws.laws.dense import BESIROGLU

BUDGETS = np.array([1e19, 1e20, 1e21, 1e22])


def best_size(flops):
    """The optimum of E + A/N^alpha + B/D^beta along 6ND = C, by setting its derivative to zero."""
    a, b = BESIROGLU["alpha"], BESIROGLU["beta"]
    return (a * BESIROGLU["A"] / b / BESIROGLU["B"]) ** (1 / (a + b)) * (flops / 6) ** (b / (a + b))


def sweep(noise=0.0, seed=0, reach=2.0, sizes=9, shift=1.0):
    """Sizes around the optimum of each budget, by a factor of `reach` to both sides."""
    flops, share = np.meshgrid(BUDGETS, shift * np.geomspace(1 / reach, reach, sizes), indexing="ij")
    n_active = (share * best_size(flops)).ravel()
    rows = pd.DataFrame({"flops": flops.ravel(), "n_active": n_active, "n_tokens": flops.ravel() / 6 / n_active})
    law = LAWS["dense"]
    loss = law.predict(law.theta(BESIROGLU), rows)
    return rows.assign(loss=loss * np.exp(noise * np.random.default_rng(seed).normal(size=len(rows))))


@pytest.mark.parametrize(("degree", "error"), [(2, 0.02), (3, 2e-3)])
def test_a_known_optimum_is_found(degree, error):
    """The law is no polynomial: over a factor of two to both sides a parabola is 1.6 % off, a cubic .1 %."""
    found = profiles(sweep(), degree=degree)
    assert found.minima["size"].to_numpy() == pytest.approx(best_size(BUDGETS), rel=error)
    assert found.trend().law.exponent == pytest.approx(0.3658 / (0.3478 + 0.3658), abs=1e-3)
    assert found.trend("n_tokens").law.exponent == pytest.approx(0.3478 / (0.3478 + 0.3658), abs=1e-3)
    assert found.minima.n_tokens.to_numpy() == pytest.approx(BUDGETS / 6 / found.minima["size"], rel=1e-6)
    assert (found.minima.place == "inside").all()
    assert not found.warnings


def test_intervals_hold_the_optimum_as_often_as_they_say():
    """Over a factor of 1.5 the parabola's own error is small against the noise's."""
    sizes, exponents = [], []
    for seed in range(80):
        found = profiles(sweep(noise=3e-4, seed=seed, reach=1.5))
        true = best_size(found.minima.flops)
        sizes.append((found.minima.low <= true) & (true <= found.minima.high))
        low, high = found.trend().exponent()
        exponents.append(low <= 0.3658 / (0.3478 + 0.3658) <= high)
    assert np.mean(sizes) == pytest.approx(0.95, abs=0.025)
    assert np.mean(exponents) == pytest.approx(0.95, abs=0.04)


def test_interval_of_a_parabola_is_fiellers():
    """His formula for the ratio of two estimates, -b over 2c, from its own paper."""
    rows = sweep(noise=1e-3).query("flops == 1e20")
    x = np.log(rows.n_active.to_numpy())
    middle = x.mean()
    powers = np.vander(x - middle, 3, increasing=True)
    coefficients, left, *_ = np.linalg.lstsq(powers, rows.loss.to_numpy(), rcond=None)
    covariance = left[0] / 6 * np.linalg.inv(powers.T @ powers)
    top, bottom = -coefficients[1], 2 * coefficients[2]
    v11, v12, v22 = covariance[1, 1], -2 * covariance[1, 2], 4 * covariance[2, 2]
    t2 = 2.446912**2  # Student's t, 97.5 %, six degrees of freedom, from a table
    g = t2 * v22 / bottom**2
    centre = (top / bottom - g * v12 / v22) / (1 - g)
    half = np.sqrt(t2 * (v11 - 2 * top / bottom * v12 + (top / bottom) ** 2 * v22 - g * (v11 - v12**2 / v22)))
    half /= abs(bottom) * (1 - g)
    row = profiles(rows).minima.iloc[0]
    assert [row.low, row.high] == pytest.approx(np.exp(middle + centre + np.array([-half, half])), rel=1e-5)


def test_an_exact_curve_has_a_point_for_an_interval():
    x = np.linspace(-1, 1, 7)
    rows = pd.DataFrame({"flops": 1e20, "n_active": 1e9 * np.exp(x), "loss": 2 + 0.1 * (x - 0.25) ** 2})
    row = profiles(rows).minima.iloc[0]
    assert [row["size"], row.low, row.high] == pytest.approx([1e9 * np.exp(0.25)] * 3, rel=1e-6)
    assert row.loss == pytest.approx(2)


@pytest.mark.parametrize(
    ("rows", "place", "sentence"),
    [
        (sweep(shift=8), "outside", "lies outside its sizes, and is not used"),
        (sweep(shift=1.95), "edge", "the lowest loss is at its smallest or largest size"),
        (sweep().assign(loss=lambda t: 6 - t.loss), "none", "has no minimum"),
    ],
)
def test_what_says_nothing_is_told(rows, place, sentence):
    found = profiles(rows)
    assert set(found.minima.place) == {place}
    assert len([text for text in found.warnings if sentence in text]) == len(BUDGETS)
    if place != "edge":
        with pytest.raises(InputError, match="0 of 4 budgets have a minimum among their sizes"):
            found.trend()


def test_noise_larger_than_the_curve_leaves_the_interval_open():
    found = profiles(sweep(noise=0.02, reach=1.1, seed=3))
    assert any("the interval of the best size has no end" in text for text in found.warnings)


def test_nearly_equal_compute_is_one_budget():
    rows = sweep()
    jitter = np.random.default_rng(0).uniform(0.99, 1.01, len(rows))
    found = profiles(rows.assign(flops=rows.flops * jitter))
    assert found.minima.rows.tolist() == [9] * 4
    by_column = profiles(rows.assign(flops=rows.flops * jitter, band=rows.flops), budget="band")
    pd.testing.assert_frame_equal(found.minima, by_column.minima)
    pd.testing.assert_frame_equal(profiles(rows.drop(columns="flops")).minima, profiles(rows).minima)


def test_joined_budgets_and_mixed_models_are_told():
    rows = sweep().assign(n_routed=np.tile([1.0, 8, 64], 12), band="all")
    joined = profiles(rows, budget="band").warnings
    assert any("joins runs whose compute differs by a factor of 1e+03" in text for text in joined)
    assert any("join runs of different 'n_routed'" in text for text in joined)


def test_small_budgets_are_left_out_and_said():
    rows = pd.concat([sweep(), sweep().query("flops == 1e20").head(2).assign(flops=5e20)])
    found = profiles(rows)
    assert len(found.minima) == 4
    assert found.warnings == ("The budget of 5e+20 FLOP has 2 sizes, too few for a curve, and is left out.",)
    with pytest.raises(InputError, match="No budget has more than 2 sizes"):
        profiles(sweep(sizes=2))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"degree": 4}, "Parameter degree is 4"),
        ({"budget": "band"}, "no column 'band' of budgets"),
        ({"size": "n"}, "'n'"),
    ],
)
def test_bad_input_is_named(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        profiles(sweep(), **arguments)


def test_the_published_exponents_of_chinchilla():
    """Hoffmann et al. (2022), Table 2, approach 2: sizes with the power .49, tokens with .51; nine budgets."""
    try:
        rows = data.load_runs("chinchilla")
    except Unavailable as reason:
        pytest.skip(str(reason))
    budgets = np.array([6e18, 1e19, 3e19, 6e19, 1e20, 3e20, 6e20, 1e21, 3e21])
    away = np.abs(np.log(rows.flops.to_numpy()[:, None] / budgets))
    near = away.min(axis=1) < np.log(1.2)
    found = profiles(rows.assign(budget=budgets[away.argmin(axis=1)])[near], budget="budget")
    for column, published in (("size", 0.49), ("n_tokens", 0.51)):
        low, high = found.trend(column).exponent()
        assert low < published < high
        assert high - low < 0.12
    assert len(found.used) == 9
