"""Laws of Tian et al. (2025): published values, limits, derivatives, inverses, properties."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moelaws import data
from moelaws.errors import InputError
from moelaws.fitting import saved as artifact
from moelaws.fitting.estimation import fit
from moelaws.laws import power
from moelaws.laws import tian2025 as paper
from moelaws.laws.power import PowerLaw
from moelaws.laws.saturation import saturated
from moelaws.ledger.claims import Ledger
from moelaws.models import ratios as layer
from moelaws.papers.tian2025 import settings as choices

LAW = paper.Tian2025()
THETA = LAW.theta(paper.PUBLISHED)
READ = data.load("tian2025/leverage")
FIGURE_8 = READ[READ.figure.str.startswith("8")]
COEFFICIENTS = data.load("tian2025/coefficients")

quick = settings(max_examples=25, deadline=None)
ratios = st.floats(1e-3, 1)
grains = st.floats(1, 64)
computes = st.floats(17, 26).map(lambda power: 10**power)
losses = st.builds(PowerLaw, st.floats(1, 200), st.floats(-0.2, -0.04))


def leverage(activation_ratio, granularity, flops, law=LAW, theta=THETA):
    """The law at one design."""
    rows = {"activation_ratio": [activation_ratio], "granularity": [granularity], "flops": [flops]}
    return float(law.predict(theta, rows)[0])


def saturated_ratio(ratio, start=paper.PUBLISHED["A_start"], end=np.inf):
    return saturated(1 + ratio, start, end)


def error(law, rows, theta=THETA):
    return float(np.sqrt(np.mean((law.predict(theta, rows) - rows.leverage) ** 2)))


def test_coefficients_are_the_printed_ones():
    printed = {
        key: dict(zip(rows.symbol, rows.value, strict=True))
        for key, rows in COEFFICIENTS[COEFFICIENTS.quantity != "loss"].groupby(["quantity", "family"])
    }
    laws = {
        "learning_rate": choices.LEARNING_RATE,
        "batch": choices.BATCH,
        "flops_per_token": choices.FLOPS_PER_TOKEN,
        "n_tokens": choices.N_TOKENS,
    }
    published = {
        (quantity, family): {"coefficient": law.coefficient, "exponent": law.exponent}
        for quantity, families in laws.items()
        for family, law in families.items()
    }
    assert printed == published | {("leverage", "moe"): paper.PUBLISHED}


# Leverage at 1e22 FLOP and granularity 12, of 1/32 and of 13/385, by the bases of log G and log C.
BY_BASES = {(2, 10): (7.22, 6.98), (np.e, 10): (6.85, 6.63), (10, 10): (5.36, 5.21), (2, np.e): (5539, 4787)}


@pytest.mark.parametrize("bases", BY_BASES)
def test_the_bases_of_logarithms_matter(bases):
    law = paper.Tian2025(*bases)
    found = [leverage(A, 12, 1e22, law, law.theta(paper.PUBLISHED)) for A in (1 / 32, 13 / 385)]
    assert found == pytest.approx(BY_BASES[bases], rel=1e-3)


def test_only_one_pair_of_bases_gives_both_headlines_and_the_figure():
    bases = (2.0, np.e, 10.0)
    laws = {pair: paper.Tian2025(*pair) for pair in product(bases, bases)}
    errors = {pair: error(law, FIGURE_8[FIGURE_8.leverage < 6]) for pair, law in laws.items()}
    assert min(errors, key=errors.get) == (2, 10)
    assert sorted(errors.values())[:2] == pytest.approx([0.210, 0.314], abs=5e-4)
    headlines = [
        pair
        for pair, law in laws.items()
        if 7 < leverage(0.031, 12, 1e22, law) < 100
        and 8 < paper.optimal_granularity(paper.PUBLISHED["gamma"], paper.PUBLISHED["beta"], pair[0]) < 16
    ]
    assert headlines == [(2, 10)]


def test_error_on_the_points_of_figure_8():
    low = FIGURE_8.leverage < 6
    assert (low.sum(), (~low).sum()) == (64, 5)
    assert error(LAW, FIGURE_8[low]) <= 0.22
    assert error(LAW, FIGURE_8[~low]) <= 0.70


@pytest.mark.parametrize(("convention", "expected"), [("routed", 0.069), ("with shared", 0.118), ("mixed", 0.132)])
def test_the_activation_ratio_of_the_law_counts_routed_experts(convention, expected):
    ratio = layer.activation_ratio(FIGURE_8.n_routed, FIGURE_8.top_k, FIGURE_8.n_shared, convention)
    predicted = LAW.predict(THETA, FIGURE_8.assign(activation_ratio=ratio))
    assert np.sqrt(np.mean(np.log(predicted / FIGURE_8.leverage) ** 2)) == pytest.approx(expected, abs=5e-4)


def test_the_sign_of_d():
    other = LAW.theta(paper.PUBLISHED | {"d": -paper.PUBLISHED["d"]})
    assert leverage(1 / 32, 12, 1e22, theta=other) == pytest.approx(2.7e-4, rel=0.02)


def test_limits_of_activation():
    exponent = 1.23 - 0.0761 * 22 + 0.0167 - 0.117
    assert leverage(1, 2, 1e22) == pytest.approx(0.991, abs=5e-4)
    assert leverage(1e-12, 2, 1e22) == pytest.approx(0.0163**exponent)
    unbounded = LAW.theta(paper.PUBLISHED | {"A_start": 1e-15, "A_max": np.inf})
    assert leverage(1, 2, 1e22, theta=unbounded) == pytest.approx(1, abs=1e-12)
    assert leverage(0.1, 2, 1e22, theta=unbounded) == pytest.approx(0.1**exponent)


def test_the_printed_upper_bound_changes_nothing():
    without = LAW.theta(paper.PUBLISHED | {"A_max": np.inf})
    assert LAW.predict(without, READ) == pytest.approx(LAW.predict(THETA, READ), rel=1e-14)


@quick
@given(st.floats(1e-6, 100), st.floats(1e-5, 0.5), st.floats(0.6, 1e6))
def test_saturation_stays_between_its_bounds_and_grows(ratio, start, end):
    now, more = saturated_ratio(ratio, start, end), saturated_ratio(1.1 * ratio + 1e-6, start, end)
    assert start * (1 - 1e-9) <= now < more <= end * (1 + 1e-9)
    assert saturated_ratio(0, start, end) == pytest.approx(start)
    assert saturated_ratio(1e15, start, end) == pytest.approx(end, rel=1e-6)


@quick
@given(ratios, grains, st.floats(20, 26).map(lambda power: 10**power))
def test_fewer_active_experts_and_more_compute_give_more_leverage(ratio, grain, flops):
    now = leverage(ratio, grain, flops)
    if saturated_ratio(ratio) < 1:
        assert leverage(ratio, grain, 2 * flops) > now
    exponent = 1.23 - 0.0761 * np.log10(flops) + 0.0167 * np.log2(grain) ** 2 - 0.117 * np.log2(grain)
    assert (leverage(0.9 * ratio, grain, flops) > now) == (exponent < 0)


@quick
@given(ratios, computes, st.floats(0.5, 2).filter(lambda factor: abs(factor - 1) > 1e-3))
def test_the_best_granularity_is_best(ratio, flops, factor):
    best = float(paper.optimal_granularity(paper.PUBLISHED["gamma"], paper.PUBLISHED["beta"]))
    assert best == pytest.approx(11.3, abs=0.05)
    if saturated_ratio(ratio) < 0.99:
        assert leverage(ratio, best, flops) > leverage(ratio, factor * best, flops)


@quick
@given(st.floats(1.5, 20), st.floats(1.5, 20), ratios, grains, computes)
def test_another_base_is_another_coefficient(base_g, base_c, ratio, grain, flops):
    other = paper.Tian2025(base_g, base_c)
    per_g, per_c = np.log(base_g) / np.log(2), np.log(base_c) / np.log(10)
    p = paper.PUBLISHED
    changed = {"d": p["d"] * per_c, "gamma": p["gamma"] * per_g**2, "beta": p["beta"] * per_g}
    there = leverage(ratio, grain, flops, other, other.theta(p | changed))
    assert there == pytest.approx(leverage(ratio, grain, flops), rel=1e-9)
    best = paper.optimal_granularity(changed["gamma"], changed["beta"], base_g)
    assert best == pytest.approx(float(paper.optimal_granularity(p["gamma"], p["beta"])))


@quick
@given(st.floats(1.5, 20), st.floats(1.5, 20), st.integers(0, 10**6))
def test_gradient_of_other_bases_is_the_central_difference(base_g, base_c, seed):
    rng = np.random.default_rng(seed)
    rows = {"activation_ratio": rng.uniform(0.005, 1, 5), "granularity": rng.uniform(1, 20, 5)}
    rows["flops"] = 10 ** rng.uniform(18, 24, 5)
    law = paper.Tian2025(base_g, base_c)
    theta = law.theta({"a": -0.2, "d": -0.003, "gamma": 0.01, "beta": -0.05, "A_start": 0.02, "A_max": 3.0})
    gradient = law.gradient(theta, rows)
    for column, value in enumerate(theta):
        step = np.zeros_like(theta)
        step[column] = 6e-6 * abs(value)
        difference = (law.predict(theta + step, rows) - law.predict(theta - step, rows)) / (2 * step[column])
        assert gradient[:, column] == pytest.approx(difference, rel=1e-6, abs=1e-8 / abs(value))


@quick
@given(ratios, grains, computes)
def test_one_factor_laws_are_slices_of_the_joint_law(ratio, grain, flops):
    p, x = paper.PUBLISHED, np.log2(grain)
    log_a = float(np.log(saturated_ratio(ratio)))
    at_compute = p["a"] + p["d"] * np.log10(flops)
    expected = pytest.approx(leverage(ratio, grain, flops), rel=1e-9)
    activation, by_grain, by_flops = paper.TIAN2025_ACTIVATION, paper.TIAN2025_GRANULARITY, paper.TIAN2025_COMPUTE
    theta = activation.theta(p | {"a_A": at_compute + p["gamma"] * x**2 + p["beta"] * x})
    assert activation.predict(theta, {"activation_ratio": [ratio]})[0] == expected
    theta = by_grain.theta({"a_G": at_compute * log_a, "b_G": p["gamma"] * log_a, "bc_G": p["beta"] * log_a})
    assert by_grain.predict(theta, {"granularity": [grain]})[0] == expected
    rest = (p["a"] + p["gamma"] * x**2 + p["beta"] * x) * log_a
    theta = by_flops.theta({"a_C": p["d"] * log_a / np.log(10), "c_C": rest})
    assert by_flops.predict(theta, {"flops": [flops]})[0] == expected


def test_granularity_of_figure_8b():
    """One parabola for all computes has its centre where the joint law puts it."""
    rows = FIGURE_8[FIGURE_8.figure == "8b"]
    centred = rows.assign(leverage=rows.leverage / rows.groupby("flops").leverage.transform(lambda x: x.prod() ** 0.2))
    values = fit(paper.TIAN2025_GRANULARITY, centred).values
    assert values["bc_G"] / values["b_G"] == pytest.approx(-7.02, abs=5e-3)
    assert paper.PUBLISHED["beta"] / paper.PUBLISHED["gamma"] == pytest.approx(-7.01, abs=5e-3)


def test_a_law_with_other_bases_is_not_saved_as_the_registered_one(tmp_path):
    rows = FIGURE_8[FIGURE_8.leverage < 6]
    artifact.save(fit(LAW, rows), tmp_path / "registered")
    other = fit(paper.Tian2025(granularity_base=10), rows)
    assert other.law.name == "tian2025 (granularity_base 10, flops_base 10)"
    with pytest.raises(InputError, match="is none that a folder can name"):
        artifact.save(other, tmp_path / "other")


PERCENT = {"routed": [6.25, 3.125, 9.375], "mixed": [7.8125, 4.6875, 10.9375], "with shared": [7.69, 4.62, 10.77]}


@pytest.mark.parametrize("convention", PERCENT)
def test_activation_ratios_of_the_search(convention):
    found = 100 * layer.activation_ratio(64, [4, 2, 6], 1, convention)
    assert found == pytest.approx(PERCENT[convention], abs=5e-3)


@quick
@given(st.integers(1, 512).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n))), st.integers(0, 16))
def test_activation_ratios_are_ordered(pair, n_shared):
    found = [float(layer.activation_ratio(*pair, n_shared, name)) for name in ("routed", "with shared", "mixed")]
    assert 0 < found[0] <= found[1] <= found[2]
    assert found[1] <= 1
    assert (n_shared > 0) or found[0] == found[1] == found[2]


def test_granularity_of_the_other_definition():
    assert layer.granularity(1024, 128) == 16
    assert layer.granularity(1024, 128, factor=4) == 32
    assert layer.sharing_ratio([11, 12], [1, 0]).tolist() == [1 / 12, 0]


@quick
@given(losses, losses, computes)
def test_leverage_is_the_ratio_of_compute_at_equal_loss(dense, moe, flops):
    same = power.equivalent(dense, moe)
    assert dense(same(flops)) == pytest.approx(float(moe(flops)), rel=1e-9)
    ratio = power.leverage(dense, moe)
    assert ratio(flops) * flops == pytest.approx(float(same(flops)), rel=1e-9)
    assert ratio.exponent == pytest.approx(moe.exponent / dense.exponent - 1)
    back = power.equivalent(moe, dense)
    assert back(same(flops)) == pytest.approx(flops, rel=1e-6)


@quick
@given(st.floats(1e-6, 1e6), st.floats(-3, 3).filter(lambda p: abs(p) > 0.05), st.floats(-6, 6))
def test_inverse_of_a_power_law(coefficient, exponent, log_x):
    law, x = PowerLaw(coefficient, exponent), 10**log_x
    assert law.inverse(law(x)) == pytest.approx(x)
    assert law.inverse.inverse.coefficient == pytest.approx(coefficient)
    assert law.of(law.inverse)(x) == pytest.approx(x)


def test_a_family_has_no_leverage_over_itself():
    curve = PowerLaw(50.3, -0.0663)
    assert power.leverage(curve, curve)([1e18, 1e24]) == pytest.approx([1, 1], rel=1e-9)


@pytest.mark.parametrize("family", ["moe", "dense"])
@quick
@given(computes)
def test_work_times_tokens_is_compute_to_the_printed_digits(family, flops):
    product_ = choices.FLOPS_PER_TOKEN[family](flops) * choices.N_TOKENS[family](flops)
    assert product_ == pytest.approx(flops, rel=8e-4)


def test_settings_of_later_models_invert_to_one_compute():
    """Batch laws are in tokens: learning rate and batch of three models then point to one compute each."""
    later = data.load("tian2025/ling2")
    by_rate = choices.LEARNING_RATE["moe"].inverse(later.learning_rate)
    by_batch = choices.BATCH["moe"].inverse(4096 * later.batch)
    assert by_rate == pytest.approx([1.36e23, 7.11e23, 6.51e24], rel=4e-3)
    assert by_batch == pytest.approx([1.23e23, 7.16e23, 6.02e24], rel=4e-3)


def test_readings_bring_their_errors_into_the_ledger():
    ledger = Ledger("tian2025")
    printed = ledger.printed("tian2025-C45")
    assert len(printed) == 28
    assert (printed[0].text, printed[0].error) == ("1.063", "0.0106")
    assert [one.text for one in ledger.printed("tian2025-C54")] == ["50.3", "-0.0663", "54.1", "-0.0695"]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: layer.activation_ratio(64, 65), "top_k is greater than n_routed"),
        (lambda: layer.activation_ratio(64, 0), "Parameter top_k has the value 0; a positive number is expected"),
        (lambda: layer.activation_ratio(64, 2, -1), "n_shared holds a negative or infinite number; a count of experts"),
        (lambda: layer.activation_ratio(64, 2, 1, "all"), "'all'; one of routed, with shared, mixed is expected"),
        (lambda: layer.granularity(64, 0), "Parameter d_expert has the value 0"),
        (lambda: paper.optimal_granularity(-0.01, 0.1), "Parameter gamma has the value -0.01; a positive number"),
        (lambda: paper.Tian2025(granularity_base=1), "Parameter granularity_base has the value 1; a number greater"),
        (lambda: paper.Tian2025(flops_base=np.inf), "Parameter flops_base has the value inf"),
        (lambda: PowerLaw(-1, 2), "Parameter coefficient has the value -1; a positive number is expected"),
        (lambda: PowerLaw(1, 2)([1, -1]), r"Parameter x has the value \[1, -1\]; a positive number is expected"),
        (lambda: PowerLaw(1, 0).inverse, "Parameter exponent is zero; a constant has no inverse"),
        (lambda: fit(LAW, pd.DataFrame({"activation_ratio": [0.1]}).loc[[0] * 9]), "has no column 'granularity'"),
    ],
)
def test_bad_parameters_are_named(call, sentence):
    with pytest.raises(InputError, match=sentence) as error:
        call()
    assert "\n" not in str(error.value)
