"""Leverage from runs: known factors come back, units do not matter, and intervals cover."""

import numpy as np
import pandas as pd
import pytest

from moelaws.errors import InputError
from moelaws.fitting.estimation import fit
from moelaws.fitting.intervals import refits
from moelaws.fitting.leverage import interpolated, measure, over, valley
from moelaws.laws import LAWS
from moelaws.laws.dense import BESIROGLU

FLOOR, SIZE, ALPHA = 0.5, 35.0, 0.096


def frontier(count=10, low=3e18, high=1e23):
    flops = np.geomspace(low, high, count)
    return pd.DataFrame({"flops": flops, "loss": FLOOR + SIZE * flops**-ALPHA})


def moe(leverage, flops=(1e19, 1e20, 1e21)):
    """Runs whose loss a dense model has with `leverage` times the compute."""
    flops = np.asarray(flops)
    return pd.DataFrame({"flops": flops, "loss": FLOOR + SIZE * (leverage * flops) ** -ALPHA})


def of_two_terms():
    """Dense runs of several sizes and lengths, by a published law."""
    sizes, tokens = np.meshgrid(np.geomspace(1e8, 3e9, 5), np.geomspace(2e9, 1e11, 4))
    rows = pd.DataFrame({"n_active": sizes.ravel(), "n_tokens": tokens.ravel()})
    law = LAWS["dense"]
    return rows.assign(loss=law.predict(law.theta(BESIROGLU), rows))


@pytest.mark.parametrize("leverage", [0.5, 1.0, 4.2])
def test_a_known_leverage_comes_back(leverage):
    found = measure(frontier(), moe(leverage), draws=10).table
    np.testing.assert_allclose(found.leverage, leverage, rtol=1e-4)
    np.testing.assert_allclose(found.dense_flops, leverage * moe(1).flops, rtol=1e-4)
    assert not found.extrapolated.any()


def test_a_leverage_that_grows_comes_back():
    flops = np.geomspace(1e19, 1e21, 5)
    found = measure(frontier(), moe(3 * (flops / 1e19) ** 0.1, flops), error=0.001, draws=50)
    value, low, high = found.exponent()
    assert value == pytest.approx(0.1, abs=1e-4)
    assert low < value < high


@pytest.mark.parametrize("unit", [1e-18, 6.0])
def test_the_unit_of_compute_does_not_matter(unit):
    rng = np.random.default_rng(0)
    dense, sparse = frontier(), moe(4)
    dense.loss *= np.exp(0.002 * rng.normal(size=len(dense)))
    plain = measure(dense, sparse, draws=30).table
    other = measure(dense.assign(flops=dense.flops * unit), sparse.assign(flops=sparse.flops * unit), draws=30).table
    np.testing.assert_allclose(other[["leverage", "low", "high"]], plain[["leverage", "low", "high"]], rtol=1e-4)
    np.testing.assert_allclose(
        interpolated(dense.assign(flops=dense.flops * unit), sparse.loss), interpolated(dense, sparse.loss) * unit
    )


def test_the_unit_of_loss_does_not_matter():
    rng = np.random.default_rng(1)
    dense, sparse = frontier(), moe(4)
    dense.loss *= np.exp(0.002 * rng.normal(size=len(dense)))
    plain = measure(dense, sparse, draws=30).table
    other = measure(dense.assign(loss=dense.loss * 2.9), sparse.assign(loss=sparse.loss * 2.9), draws=30).table
    np.testing.assert_allclose(other[["leverage", "low", "high"]], plain[["leverage", "low", "high"]], rtol=1e-4)


def test_the_law_of_two_terms_gives_the_same_and_the_best_tokens():
    law, dense = LAWS["dense"], of_two_terms()
    theta = law.theta(BESIROGLU)
    size, tokens = 1e9, 20e9
    sparse = pd.DataFrame({"n_tokens": [tokens], "flops": [6 * size * tokens / 3]})
    sparse["loss"] = law.predict(theta, {"n_active": [size], "n_tokens": [tokens]})
    same = measure(dense, sparse, law, same_tokens=True, draws=10).table
    best = measure(dense, sparse, law, draws=10).table
    assert same.leverage[0] == pytest.approx(3, rel=1e-3)
    assert best.leverage[0] < same.leverage[0]  # the best dense model needs no more than the one of these tokens
    # Nothing beside the best size and tokens is cheaper.
    n_active, n_tokens = (float(x[0]) for x in law.cheapest(theta, sparse.loss.to_numpy()))
    needed = [
        6 * float(law.n_active(theta, sparse.loss, n_tokens * factor)[0]) * n_tokens * factor
        for factor in (0.9, 1, 1.1)
    ]
    assert needed[1] == pytest.approx(6 * n_active * n_tokens)
    assert min(needed) == needed[1]
    assert best.dense_flops[0] == pytest.approx(needed[1], rel=1e-3)


def test_a_loss_that_no_dense_model_reaches_has_infinite_leverage():
    law = LAWS["dense"]
    sparse = pd.DataFrame({"flops": [1e19], "n_tokens": [1e9], "loss": [2.0]})
    found = measure(of_two_terms(), sparse, law, same_tokens=True, draws=10).table
    assert found.leverage[0] == found.low[0] == found.high[0] == np.inf
    below = measure(frontier(), pd.DataFrame({"flops": [1e19], "loss": [FLOOR / 2]}), draws=10).table
    assert below.leverage[0] == np.inf
    assert below.extrapolated[0]


def test_intervals_cover():
    """Dense and sparse losses scatter alike; the intervals hold the true leverage as often as they say."""
    truth, scatter, experiments = 4.0, 0.002, 30
    inside = []
    for seed in range(experiments):
        rng = np.random.default_rng(seed)
        dense, sparse = frontier(), moe(truth)
        dense.loss *= np.exp(scatter * rng.normal(size=len(dense)))
        sparse.loss *= np.exp(scatter * rng.normal(size=len(sparse)))
        found = measure(dense, sparse, draws=100, seed=seed).table
        inside += ((found.low <= truth) & (truth <= found.high)).tolist()
    assert np.mean(inside) >= 0.9


def test_an_error_of_the_loss_widens_the_interval():
    dense, sparse = frontier(), moe(4)
    width = [
        np.log(found.high / found.low)
        for found in (measure(dense, sparse, error=e, draws=200).table for e in (0.001, 0.004))
    ]
    np.testing.assert_allclose(width[1] / width[0], 4, rtol=0.05)


def test_a_row_keeps_its_name_and_the_seed_its_draws():
    sparse = moe(4).set_axis(["a", "b", "c"])
    first, second = (measure(frontier(), sparse, error=0.001, draws=20, seed=3).table for _ in range(2))
    assert first.index.tolist() == ["a", "b", "c"]
    pd.testing.assert_frame_equal(first, second)
    assert measure(frontier(), moe(4, [1e16, 1e19]), draws=10).table.extrapolated.tolist() == [True, False]


def test_interpolation_is_exact_at_the_runs_and_stops_at_the_ends():
    dense = frontier(5)
    np.testing.assert_allclose(interpolated(dense.iloc[::-1], dense.loss), dense.flops)
    assert np.isnan(interpolated(dense, [dense.loss.max() * 1.01, dense.loss.min() * 0.99])).all()


@pytest.mark.parametrize(("at", "low"), [(3e8, 2.9), (5e8, 1.01)])
def test_the_bottom_of_a_parabola_comes_back(at, low):
    sizes = np.geomspace(1e8, 1e9, 6)
    found = valley(sizes, low + 0.05 * np.log(sizes / at) ** 2, nearest=6)
    assert (found.size, found.loss) == pytest.approx((at, low))
    assert found.error < 1e-9
    assert found.runs == 6


def test_the_error_of_a_valley_is_that_of_repeated_valleys():
    rng = np.random.default_rng(0)
    sizes = np.geomspace(1e8, 1e9, 5)
    losses = 2.9 + 0.05 * np.log(sizes / 3e8) ** 2
    found = [valley(sizes, losses + 0.001 * rng.normal(size=5), noise=0.001) for _ in range(400)]
    assert np.std([v.loss for v in found]) == pytest.approx(np.mean([v.error for v in found]), rel=0.1)
    assert np.sqrt(np.mean([v.noise**2 for v in found])) == pytest.approx(0.001, rel=0.1)


def test_two_ways_of_counting_are_paired():
    """What the draws do to both cancels in their ratio."""
    rng = np.random.default_rng(5)
    dense, sparse = frontier(), moe(4)
    dense.loss *= np.exp(0.002 * rng.normal(size=len(dense)))
    one = measure(dense, sparse, draws=50)
    two = measure(dense, sparse.assign(flops=2 * sparse.flops), draws=50)
    np.testing.assert_allclose(one.interval(one.draws / two.draws), 2)


def test_refits_made_before_give_the_same():
    dense, sparse = frontier(), moe(4)
    dense.loss *= np.exp(0.002 * np.random.default_rng(7).normal(size=len(dense)))
    before = over(refits(fit(LAWS["frontier"], dense), draws=20, seed=2), sparse, seed=2)
    pd.testing.assert_frame_equal(before.table, measure(dense, sparse, draws=20, seed=2).table)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: interpolated(frontier().assign(loss=1.0), [1.0]), "a loss that falls with compute"),
        (lambda: interpolated(frontier().head(1), [1.0]), "At least two dense runs"),
        (lambda: interpolated(frontier(), [-1.0]), "Parameter loss"),
        (lambda: valley([1e8, 2e8, 4e8], [3.1, 3.0, 3.1]), "has 3 sizes; at least 4"),
        (lambda: valley([1e8, 2e8, 4e8, 8e8], [3.0, 3.1, 3.15, 3.17]), "no lowest point"),
        (lambda: measure(frontier(), moe(2).drop(columns="flops")), "The table of MoE runs has no column 'flops'"),
        (lambda: measure(frontier(), moe(2, [1e19, 1e19]), draws=5).exponent(), "same compute"),
        (lambda: measure(frontier().head(2), moe(2)), "has 2 rows; at least 3"),
        (lambda: measure(frontier(), moe(2).assign(n_tokens=1e9), same_tokens=True), "with the same tokens"),
        (lambda: measure(of_two_terms(), moe(2), LAWS["dense"], same_tokens=True), "no column 'n_tokens'"),
        (lambda: measure(frontier(), moe(2), LAWS["tian2025_compute"]), "no column 'leverage'"),
        (
            lambda: measure(frontier().assign(leverage=2.0), moe(2), LAWS["tian2025_compute"], draws=2),
            "'frontier' or 'dense' is expected",
        ),
    ],
)
def test_bad_input_is_refused(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()


def test_two_runs_are_enough_and_equal_computes_are_not():
    two = pd.DataFrame({"flops": [1e20, 1e18], "loss": [2.0, 4.0]})
    assert interpolated(two, [4.0, 2.0]) == pytest.approx([1e18, 1e20])
    same = {"flops": [1e18, 1e18]}
    for bad in (same, same | {"loss": [4.0, 2.0]}, {"loss": [2.0, 2.0]}, {"loss": [4.0, 2.0]}):
        with pytest.raises(InputError, match="At least two dense runs, with a loss that falls with compute"):
            interpolated(two.assign(**bad), [3.0])
    with pytest.raises(InputError, match="no column 'loss'"):
        interpolated(two[["flops"]], [3.0])


@pytest.mark.parametrize("noise", [None, 0.01])
def test_a_valley_is_the_least_squares_parabola(noise):
    """Through the five sizes nearest to the best, by another routine and without centring."""
    sizes = np.array([1e8, 1.7e8, 3e8, 4.5e8, 8e8, 2e9, 9e9])
    losses = np.array([3.10, 3.04, 3.011, 3.0, 3.03, 3.13, 3.5])
    near = np.argsort(np.abs(np.log(sizes / 4.5e8)))[:5]
    x = np.log(sizes[near] / 1e8)
    (bend, slope, _), _ = coefficients, unscaled = np.polyfit(x, losses[near], 2, cov="unscaled")
    at = -slope / (2 * bend)
    scatter = np.sqrt(np.sum((losses[near] - np.polyval(coefficients, x)) ** 2) / 2)
    gradient = np.array([at**2, at, 1])
    found = valley(sizes, losses, noise=noise)
    assert found.size == pytest.approx(1e8 * np.exp(at))
    assert found.loss == pytest.approx(np.polyval(coefficients, at))
    assert found.noise == pytest.approx(scatter)
    assert found.error == pytest.approx((noise or scatter) * np.sqrt(gradient @ unscaled @ gradient))
    assert found.runs == 5
    assert valley(sizes, losses, nearest=7).runs == 7


def test_three_sizes_are_enough_where_the_noise_is_known():
    found = valley([1e8, 2e8, 4e8], [3.1, 3.0, 3.1], noise=0.01)
    assert (found.size, found.loss, found.noise) == pytest.approx((2e8, 3.0, 0.0), abs=1e-12)
    for sizes in ([1e8, 2e8, 2e8], [1e8, 1e8, 2e8, 2e8]):
        with pytest.raises(InputError, match="The budget has 2 sizes; at least 3 are expected"):
            valley(sizes, [3.1, 3.0, 3.1, 3.0][: len(sizes)], noise=0.01)
    with pytest.raises(InputError, match="no lowest point; smaller and larger models are needed"):
        valley([1e8, 2e8, 4e8], [3.0, 3.1, 3.19], noise=0.01)
    with pytest.raises(InputError, match="Parameter size"):
        valley([0, 2e8, 4e8], [3.1, 3.0, 3.1])


def test_the_error_of_a_loss_is_the_scatter_of_the_dense_runs():
    """Ten runs and three coefficients leave seven degrees of freedom."""
    dense, sparse = frontier(), moe(4)
    dense.loss *= np.exp(0.002 * np.random.default_rng(3).normal(size=10))
    fitted = fit(LAWS["frontier"], dense)
    rest = np.log(dense.loss) - np.log(fitted.law.predict(fitted.coefficients, dense))
    absolute = fitted.predict(dense) - fitted.law.observed(dense)
    assert np.abs(rest).max() < 0.01
    given = measure(dense, sparse, error=np.sqrt(np.sum(absolute**2) / 7), draws=20)
    pd.testing.assert_frame_equal(measure(dense, sparse, draws=20).table, given.table)


def test_a_row_of_the_table_by_hand():
    found = measure(frontier(), moe(4, [1e19, 2e19]), error=0.001, draws=200)
    table = found.table
    assert list(table) == ["flops", "leverage", "low", "high", "dense_flops", "extrapolated"]
    assert table.flops.tolist() == [1e19, 2e19]
    assert table.dense_flops.to_numpy() == pytest.approx([4e19, 8e19], rel=1e-4)
    assert found.draws.shape == (200, 2)
    assert np.median(found.draws, axis=0) == pytest.approx([4, 4], rel=0.02)
    ends = np.quantile(found.draws, [0.025, 0.975], axis=0)
    assert pytest.approx(ends, rel=0.02) == table[["low", "high"]].to_numpy().T
    # The loss falls by 0.096 of its part above the floor for a factor e of compute.
    slope = ALPHA * (moe(4, [1e19]).loss[0] - FLOOR)
    assert np.std(np.log(found.draws[:, 0])) == pytest.approx(0.001 / slope, rel=0.1)


def test_the_losses_of_the_dense_runs_are_no_extrapolation():
    ends = moe(1, [3e18, 1e23])
    assert not measure(frontier(), ends, draws=5).table.extrapolated.any()
    beyond = ends.assign(loss=ends.loss * [1 + 1e-9, 1 - 1e-9])
    assert measure(frontier(), beyond, draws=5).table.extrapolated.all()


def test_intervals_may_end_in_infinity():
    found = measure(frontier(), moe(4), error=0.001, draws=40)
    low, high = found.interval(np.where(np.arange(40) < 20, 2.0, np.inf), level=0.9)
    assert (low, high) == (2.0, np.inf)
    assert found.interval(np.linspace(0, 1, 40), 0.5) == pytest.approx([0.25, 0.75], abs=0.03)


def test_an_exponent_between_two_computes_by_hand():
    found = measure(frontier(), moe(np.array([3.0, 6.0]), [1e19, 1e21]), error=0.001, draws=100)
    value, low, high = found.exponent()
    slopes = np.log(found.draws[:, 1] / found.draws[:, 0]) / np.log(100)
    assert value == pytest.approx(np.log(2) / np.log(100), rel=1e-3)
    assert (low, high) == pytest.approx(tuple(np.quantile(slopes, [0.025, 0.975])), rel=0.05)
    narrow = found.exponent(level=0.5)
    assert low < narrow[1] < value < narrow[2] < high
