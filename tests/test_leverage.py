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
