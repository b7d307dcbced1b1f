"""Step-time law, fitter and intervals: known parameters come back, and intervals cover them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moelaws import data
from moelaws.errors import InputError
from moelaws.fitting import intervals as uncertainty
from moelaws.fitting.estimation import RELATIVE_SQUARES
from moelaws.fitting.estimation import fit as fit_law
from moelaws.models import catalogue as architecture
from moelaws.serving import steps as serving

LAW = serving.StepTime(architecture.load("DeepSeek-V2-Lite"))


def fit(law, table, hold=None):
    """Fit as the chapters do: relative squares, as terms of a time must not be negative."""
    return fit_law(law, table, RELATIVE_SQUARES, hold=hold)


TRUE = {"overhead": 3.5, "bandwidth": 1700.0, "rate": 110.0, "per_request": 0.06}
COEFFICIENTS = np.array([3.5, 1 / 1700, 1 / 110, 0.06])
PAPER = data.load("yang2025/throughput")
LOW = {table: PAPER[(PAPER.table == table) & (PAPER.concurrency <= 128)] for table in (8, 9, 12)}


def synthetic(noise=0.0, seed=0, loads=(2, 4, 8, 16, 32, 64, 128)):
    """A table as in Table 8, made by the law with known parameters; noise is shared by a load's rows."""
    rows = pd.DataFrame([(load, k) for load in loads for k in (6, 5, 4, 3, 2)], columns=["concurrency", "top_k"])
    rows = rows.assign(tokens_in=1024, tokens_out=1024, n_routed=64)
    rng = np.random.default_rng(seed)
    by_load = dict(zip(loads, rng.normal(size=len(loads)), strict=True))
    error = np.exp(noise * rows.concurrency.map(by_load)) if noise else 1.0
    step = LAW.predict(COEFFICIENTS, rows) * error
    return rows.assign(throughput=serving.throughput(step, rows.concurrency, 1024, 1024))


def test_step_time_and_throughput_are_inverse():
    assert serving.throughput(serving.step_time(479, 2, 1024, 1024), 2, 1024, 1024) == pytest.approx(479)
    assert serving.step_time(479, 2, 1024, 1024) == pytest.approx(2000 * 2 / 479)


def test_parts_add_up_to_the_prediction():
    rows = LOW[8]
    assert np.allclose(LAW.parts(rows, COEFFICIENTS).sum(axis=1), LAW.predict(COEFFICIENTS, rows))


def test_reads_of_one_request_with_one_token():
    """One step of one request reads the active weights, its cache, and its share of a prompt."""
    row = pd.DataFrame({"concurrency": [1], "tokens_in": [10], "tokens_out": [1], "n_routed": [64], "top_k": [6]})
    model = LAW.architecture
    reads = {name: 1e9 * gigabytes[0] for name, gigabytes in LAW.reads(row).items()}
    assert reads["always"] + reads["experts"] == pytest.approx(2 * model.n_active)
    assert reads["cache"] == pytest.approx(2 * 10.5 * model.kv_elements_per_token)
    assert reads["prefill"] == pytest.approx(2 * (model.n_total - model.n_embedding))
    assert LAW.work(row)["decode"][0] == pytest.approx(2 * model.n_active / 1e12)
    assert LAW.work(row)["prefill"][0] == pytest.approx(20 * model.n_active / 1e12)


def test_terms_are_the_gradient():
    rows, step = LOW[8], 1e-6
    for column in range(4):
        moved = COEFFICIENTS.copy()
        moved[column] *= 1 + step
        slope = (LAW.predict(moved, rows) - LAW.predict(COEFFICIENTS, rows)) / (COEFFICIENTS[column] * step)
        assert np.allclose(slope, LAW.gradient(COEFFICIENTS, rows)[:, column], rtol=1e-5)


def test_known_parameters_come_back():
    result = fit(LAW, synthetic())
    assert result.values == pytest.approx(TRUE, rel=1e-8)
    assert result.status == "converged"
    assert result.mean_error() < 1e-10


@settings(max_examples=10, deadline=None)
@given(st.floats(0.1, 50), st.floats(200, 5000), st.floats(20, 900), st.floats(0.01, 1))
def test_any_parameters_come_back(overhead, bandwidth, rate, per_request):
    rows = synthetic()
    step = LAW.predict(np.array([overhead, 1 / bandwidth, 1 / rate, per_request]), rows)
    result = fit(LAW, rows.assign(throughput=serving.throughput(step, rows.concurrency, 1024, 1024)))
    assert list(result.values.values()) == pytest.approx([overhead, bandwidth, rate, per_request], rel=1e-6)


@pytest.mark.parametrize("weight_bytes", [1.0, 2.0, 4.0])
def test_units_do_not_matter(weight_bytes):
    """Weights of twice the bytes are read at twice the bandwidth; nothing else moves but what shares it."""
    law = replace(LAW, weight_bytes=weight_bytes, cache_bytes=weight_bytes)
    result, reference = fit(law, LOW[8]), fit(LAW, LOW[8])
    assert result.values["bandwidth"] == pytest.approx(reference.values["bandwidth"] * weight_bytes / 2)
    assert result.values["overhead"] == pytest.approx(reference.values["overhead"])
    assert np.allclose(result.predict(LOW[8]), reference.predict(LOW[8]))


@pytest.mark.parametrize(("table", "limit"), [(8, 0.018), (9, 0.038), (12, 0.049)])
def test_error_on_the_papers_tables(table, limit):
    law = replace(LAW, architecture=architecture.load("DeepSeek-V3"), weight_bytes=1.0) if table == 9 else LAW
    hold = {9: {"rate": np.inf}, 12: {"rate": fit(LAW, LOW[8]).values["rate"]}}.get(table)
    result = fit(law, LOW[table], hold=hold)
    assert result.status == "converged"
    assert result.mean_error() < limit
    assert result.disagreement < 1e-8


def test_held_out_columns_and_models():
    without = LOW[8][~LOW[8].top_k.isin([5, 3])]
    assert fit(LAW, without).mean_error(LOW[8][LOW[8].top_k.isin([5, 3])]) < 0.018
    pruned = LOW[12][LOW[12].n_routed < 64]
    assert fit(LAW, LOW[8]).mean_error(pruned) < 0.07


def test_what_cannot_be_told_apart_is_named():
    result = fit(LAW, LOW[12])
    assert result.not_identified == ("rate", "per_request")
    assert result.status == "not identified: rate, per_request"


def test_a_vanishing_term_is_at_a_bound():
    rows = synthetic()
    step = LAW.predict(np.array([3.5, 1 / 1700, -0.05 / 110, 0.06]), rows)
    result = fit(LAW, rows.assign(throughput=serving.throughput(step, rows.concurrency, 1024, 1024)))
    assert result.values["rate"] == np.inf
    assert result.status == "at a bound: rate"
    assert uncertainty.profile(result)["rate"][1] == np.inf


def test_held_parameters_stay():
    result = fit(LAW, LOW[8], hold={"rate": 200.0})
    assert result.values["rate"] == pytest.approx(200)
    assert result.free == ("overhead", "bandwidth", "per_request")
    assert set(uncertainty.profile(result)) == set(result.free)


def test_profile_agrees_with_linear_theory():
    """Far from the bounds the profile is the classical interval of a linear model."""
    from scipy import stats

    result = fit(LAW, LOW[8])
    matrix = result.problem.jacobian(result.coefficients)
    degrees = len(LOW[8]) - 4
    covariance = np.linalg.inv(matrix.T @ matrix) * np.sum(result.errors() ** 2) / degrees
    half = stats.t.ppf(0.975, degrees) * np.sqrt(covariance[0, 0])
    expected = result.values["overhead"] + np.array([-half, half])
    assert uncertainty.profile(result)["overhead"] == pytest.approx(expected, rel=1e-6)


def test_profile_covers_the_truth():
    """Independent noise of 2 %: the 95 % profile holds each true value in about 19 of 20 experiments."""
    rng = np.random.default_rng(7)
    rows, hits = synthetic(), np.zeros(4)
    for _ in range(30):
        noisy = rows.assign(throughput=rows.throughput * np.exp(0.02 * rng.normal(size=len(rows))))
        ends = uncertainty.profile(fit(LAW, noisy))
        hits += [low <= TRUE[name] <= high for name, (low, high) in ends.items()]
    assert (hits >= 24).all(), hits
    assert 107 <= hits.sum() < 120


def test_bootstrap_over_loads_covers_where_the_profile_does_not():
    """Noise shared by the rows of a load: the profile is far too narrow, resampled loads are not."""
    loads = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
    hits = {"profile": 0, "bootstrap": 0}
    for seed in range(20):
        result = fit(LAW, synthetic(noise=0.04, seed=seed, loads=loads))
        for kind, ends in (
            ("profile", uncertainty.profile(result)),
            ("bootstrap", uncertainty.refits(result, by="concurrency", draws=100, seed=seed).ranges()),
        ):
            low, high = ends["overhead"]
            hits[kind] += low <= TRUE["overhead"] <= high
    assert hits["profile"] <= 15
    assert hits["bootstrap"] >= 16


def test_left_out_is_the_refit_without_the_row():
    result = fit(LAW, LOW[8])
    predicted = uncertainty.left_out(result)
    again = fit(LAW, LOW[8].drop(LOW[8].index[7])).predict(LOW[8].iloc[[7]])
    assert predicted[7] == pytest.approx(again[0])
    by_load = uncertainty.left_out(result, by="concurrency")
    assert np.abs(by_load / LAW.observed(LOW[8]) - 1).mean() > np.abs(predicted / LAW.observed(LOW[8]) - 1).mean()


def test_error_of_a_group_left_out_is_that_of_a_fit_to_the_others():
    table = LOW[8]
    errors = uncertainty.left_out_error(fit(LAW, table), by="concurrency")
    assert errors.index.tolist() == sorted(table.concurrency.unique())
    apart = table.concurrency == 16
    assert errors[16] == pytest.approx(fit(LAW, table[~apart]).mean_error(table[apart]))


def test_bootstrap_is_reproducible_and_draws_whole_groups():
    rows = pd.DataFrame({"run": [1, 1, 2, 2, 3, 3], "x": [1, -1, 2, -2, 3, -3]})
    sums = uncertainty.bootstrap(lambda t: t.x.sum(), rows, by="run", draws=50)
    assert (sums == 0).all()
    first, second = (uncertainty.bootstrap(lambda t: t.x.max(), rows, by="run", draws=50, seed=3) for _ in range(2))
    assert (first == second).all()
    assert set(first) <= {1, 2, 3}


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: fit(LAW, LOW[8].head(3)), "The table has 3 rows; at least 4 are expected"),
        (
            lambda: fit(LAW, LOW[8], hold={"speed": 1.0}),
            "Parameter hold names 'speed'; the law's parameters are overhead",
        ),
        (
            lambda: uncertainty.profile(fit(LAW, LOW[8].head(4))),
            "The table has 4 rows; more than the 4 free parameters",
        ),
        (
            lambda: uncertainty.bootstrap(len, LOW[8], by="day"),
            "Parameter by is 'day'; a column of the table is expected",
        ),
        (lambda: uncertainty.bootstrap(len, LOW[8].head(5), by="concurrency"), "at least two groups are expected"),
        (lambda: serving.load_device("abacus"), "There is no device 'abacus'; the devices are A800-80G-PCIe"),
    ],
)
def test_bad_input_is_named(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()


def test_roofline_has_two_branches():
    device = serving.Device(bandwidth=100.0, flops=1000.0, memory=1.0, link=1.0)
    assert device.ridge == 10
    assert device.roofline([1000.0, 1.0], [1.0, 100.0]).tolist() == [1.0, 1.0]


def test_held_and_tied_parameters_are_carried_and_marked():
    """Twelve runs, with one parameter held and one tied: as lmfit knows them, and as the report shows them."""
    rng = np.random.default_rng(3)
    rows = pd.DataFrame({"n_active": rng.uniform(1e8, 1e9, 12), "n_tokens": rng.uniform(1e9, 1e11, 12)})
    rows["loss"] = 1.7 + 300 * rows.n_active**-0.33 + 500 * rows.n_tokens**-0.33
    result = fit_law("dense", rows, hold={"E": 1.7}, tie={"beta": "alpha"})
    carried = result.parameters
    assert {name: one.expr for name, one in carried.items() if one.expr} == {"beta": "alpha"}
    assert [name for name, one in carried.items() if one.vary] == ["A", "B", "alpha"]
    assert (carried["alpha"].min, carried["alpha"].max, carried["E"].value) == (0, 3, 1.7)
    assert carried.valuesdict() == pytest.approx(result.values)
    shown = {name: value for name, value, *_ in result.report.rows()}
    assert (shown["E"], shown["beta"]) == ("1.7 (held)", "0.33 (= alpha)")
    assert shown["alpha"] == "0.33 (0.33 to 0.33)"
