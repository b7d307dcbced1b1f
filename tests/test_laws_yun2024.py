"""The law of Yun et al. (2024): its limits, what it extends, recovery from rows, and optima along a budget."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moelaws import data
from moelaws.errors import InputError
from moelaws.fitting.estimation import fit
from moelaws.laws.clark2022 import CLARK2022, PUBLISHED
from moelaws.laws.dense import BESIROGLU, Dense
from moelaws.laws.saturation import saturated
from moelaws.laws.yun2024 import YUN2024, YUN2024_DATA
from moelaws.models.ratios import active_ratio, total_ratio
from moelaws.papers.yun2024.budget import flops_at_loss, loss_at, optimum, size_at_loss

LAW = YUN2024
TRUE = {"A": 300.0, "B": 0.8, "C": 4000.0, "F": 1.2, "alpha": 0.3, "beta": 0.6, "gamma": 0.36, "d": -0.002}
TRUE |= {"E_start": 2.5, "E_max": 150.0}
THETA = LAW.theta(TRUE)
EXPERTS = np.array([1.0, 4, 8, 16, 32])


def changed(**values):
    return LAW.theta({**TRUE, **values})


def runs(experts=(1, 4, 8, 16, 32), values=TRUE, law=LAW):
    """Runs as in the paper: four sizes, five numbers of experts, eight numbers of tokens."""
    sizes = [81_395_712, 184_647_680, 289_406_976, 679_477_248]
    grid = np.meshgrid(sizes, np.geomspace(2.5e9, 20e9, 8), experts, indexing="ij")
    table = pd.DataFrame(dict(zip(law.columns, (axis.ravel() for axis in grid), strict=True)))
    return table.assign(loss=law.predict(law.theta(values), table))


def test_ratios_of_sizes():
    assert active_ratio(EXPERTS) == pytest.approx([1, 4 / 3, 4 / 3, 4 / 3, 4 / 3])
    assert total_ratio(EXPERTS) == pytest.approx([1, 2, 10 / 3, 6, 34 / 3])
    with pytest.raises(InputError, match="experts has the value 0; a number from 1 on is expected"):
        total_ratio(0)


def test_dense_limit_is_chinchilla_without_interaction_only():
    """At one expert the expert term is a constant; the interaction leaves a power of the size (E_start, not 1)."""
    rows = runs(experts=(1,))
    chinchilla = {"E": 1.2 + 0.8 * 2.5**-0.6, "A": 300.0, "B": 4000.0, "alpha": 0.3, "beta": 0.36}
    expected = Dense().predict(Dense().theta(chinchilla), rows.assign(n_active=rows.n_dense))
    assert LAW.predict(changed(d=0.0), rows) == pytest.approx(expected, rel=1e-14)
    extra = LAW.predict(THETA, rows) / expected
    assert extra == pytest.approx(rows.n_dense ** (-0.002 * np.log(2.5)), rel=1e-12)
    assert np.ptp(extra) > 1e-3


@pytest.mark.parametrize("router", PUBLISHED)
def test_without_additive_terms_it_is_clarks_law_without_the_power_of_experts(router):
    """Natural logarithms divide Clark's interaction by ln 10; their b has no place in Eq. 4."""
    published = PUBLISHED[router]
    rows = pd.DataFrame({"n_dense": 3e8, "n_active": 3e8, "n_tokens": 1e11, "n_routed": [1, 8, 64, 512]})
    ends = {name: published[name] for name in ("E_start", "E_max")}
    level = {"A": 10 ** published["d"], "alpha": -published["a"], "d": published["c"] / np.log(10)}
    theta = changed(**level, **ends, B=0.0, C=0.0, F=0.0)
    clark = CLARK2022
    without = clark.predict(clark.theta({**published, "b": 0.0}), rows)
    assert LAW.predict(theta, rows) == pytest.approx(without, rel=1e-12)
    power = saturated(rows.n_routed.to_numpy(), start=ends["E_start"], end=ends["E_max"]) ** published["b"]
    assert clark.predict(clark.theta(published), rows) == pytest.approx(without * power, rel=1e-12)


def test_clarks_law_is_no_special_case():
    """The bracket adds what Clark multiplies: no coefficients give it at three sizes and five numbers of experts."""
    rows = pd.DataFrame([(n, 1e20, e) for n in (1e7, 1e8, 1e9) for e in (1, 2, 8, 64, 512)], columns=LAW.columns)
    clark = CLARK2022
    rows["loss"] = clark.predict(clark.theta(PUBLISHED["S-Base"]), rows.assign(n_active=rows.n_dense))
    result = fit(LAW, rows, hold={"C": 0.0, "gamma": 0.3}, starts=2)
    assert np.abs(result.errors()).max() > 1e-4


def test_the_interaction_depends_on_the_unit_of_size():
    """N^(d ln Ê) in thousands of parameters is Ê^(-d ln 1000) times that in parameters, which no term takes up."""
    rows = runs()
    result = fit(LAW, rows.assign(n_dense=rows.n_dense / 1e3), starts=1)
    assert result.objective > 1e4 * fit(LAW, rows, starts=1).objective
    free = runs(values={**TRUE, "d": 0.0})
    assert fit(LAW, free.assign(n_dense=free.n_dense / 1e3), starts=2).objective < 1e-14


def test_gap_between_experts_is_constant_in_data_but_for_the_interaction():
    rows = runs().pivot_table(index=["n_dense", "n_tokens"], columns="n_routed", values="loss")
    sizes, bounded = rows.index.get_level_values("n_dense").to_numpy(), saturated(EXPERTS, 2.5, 150.0)
    bracket = rows.to_numpy() * sizes[:, None] ** (0.002 * np.log(bounded))
    assert np.ptp(bracket[:, 0] - bracket[:, 4]) < 1e-12
    by_tokens = np.log(rows[1] / rows[32]).unstack("n_tokens").to_numpy()
    assert np.all(np.diff(by_tokens, axis=1) > 0)


@pytest.mark.parametrize("hold", [{}, {"d": 0.0}], ids=["all", "no interaction"])
def test_recovery(hold):
    """The law comes back, also in extrapolation; single coefficients do where the rows tell them apart."""
    values = {**TRUE, **hold}
    rows = runs(experts=(1, 2, 4, 8, 16, 32, 64, 128), values=values)
    result = fit(LAW, rows, hold=hold, starts=2)
    assert result.objective < 1e-14
    for name in ("alpha", "gamma", "d", "A", "C"):
        assert result.values[name] == pytest.approx(values[name], rel=1e-3, abs=1e-9)
    far = runs(values=values).assign(n_dense=4e9, n_tokens=3e11)
    assert result.predict(far) == pytest.approx(LAW.predict(LAW.theta(values), far), rel=1e-6)


def test_interaction_of_data_and_experts():
    law, values = YUN2024_DATA, {**TRUE, "zeta": 0.02}
    rows = runs(values=values, law=law)
    assert law.predict(law.theta({**TRUE, "zeta": 0.0}), rows) == pytest.approx(LAW.predict(THETA, rows), rel=1e-14)
    result = fit(law, rows, starts=2)
    assert result.values["zeta"] == pytest.approx(0.02, rel=0.02)
    assert fit(LAW, rows, starts=1).objective > 1e4 * result.objective


@st.composite
def coefficients(draw):
    """Ten coefficients with a minimum along each budget."""
    alpha, beta, gamma = (draw(st.floats(0.1, 0.8)) for _ in range(3))
    start, end = draw(st.floats(1.1, 20)), draw(st.floats(65, 1e4))
    limit = np.log(end)
    d = draw(st.floats(-0.9, 0.9)) * (alpha if draw(st.booleans()) else gamma) / limit
    d = float(np.clip(d, -0.9 * gamma / limit, 0.9 * alpha / limit))
    size, data_term, experts, rest = (draw(st.floats(0.05, 3)) for _ in range(4))
    amounts = {"A": size * 1e9**alpha, "B": experts, "C": data_term * 1e11**gamma, "F": rest}
    return LAW.theta({**amounts, "alpha": alpha, "beta": beta, "gamma": gamma, "d": d, "E_start": start, "E_max": end})


@settings(max_examples=25, deadline=None)
@given(coefficients(), st.floats(18, 25), st.sampled_from([1, 4, 8, 16, 32, 512]))
def test_optimum_is_that_of_a_brute_force_grid(theta, decades, experts):
    kappa = float(active_ratio(experts))
    n_dense, n_tokens = optimum(theta, 10**decades, experts, kappa)
    assert 6 * kappa * n_dense * n_tokens == pytest.approx(10**decades, rel=1e-12)
    centre, step = 23.0, 0.2
    for _ in range(4):  # ever finer grids around the lowest point of the one before
        grid = centre + step * np.arange(-400, 401)
        tokens = 10**decades / (6 * kappa * np.exp(grid))
        losses = LAW.predict(
            theta, {"n_dense": np.exp(grid), "n_tokens": tokens, "n_routed": np.full(len(grid), experts)}
        )
        place = int(losses.argmin())
        centre, last, step = float(grid[place]), step, step / 10
    left, middle, right = losses[place - 1 : place + 2]
    vertex = centre + last * (left - right) / (2 * (left - 2 * middle + right))  # the loss is a parabola there
    assert float(np.log(n_dense)) == pytest.approx(vertex, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(coefficients(), st.floats(18, 25), st.sampled_from([1, 4, 8, 16, 32, 512]))
def test_slope_of_the_loss_vanishes_at_the_optimum(theta, decades, experts):
    """The first-order condition, written out."""
    n_dense, n_tokens = optimum(theta, 10**decades, experts, 1)
    alpha, gamma, d = theta[4], theta[6], theta[7]
    bounded = saturated(experts, theta[8], theta[9])
    size, tokens = theta[0] * n_dense**-alpha, theta[2] * n_tokens**-gamma
    total = size + tokens + theta[1] * bounded ** -theta[5] + theta[3]
    balance = (-alpha * size + gamma * tokens) / total + d * np.log(bounded)
    assert abs(balance) < 1e-11


@pytest.mark.parametrize("flops", [1e19, 6e21, 1e25])
def test_optimum_without_interaction_is_the_closed_form(flops):
    """Eq. 3, whatever the experts and the constant terms; and the cheapest model of the dense law at that loss."""
    theta = LAW.theta(
        {**TRUE, **{name: BESIROGLU[name] for name in ("A", "alpha")}, "C": BESIROGLU["B"], "gamma": BESIROGLU["beta"]}
        | {"d": 0.0, "B": 0.0, "F": BESIROGLU["E"]}
    )
    alpha, gamma = BESIROGLU["alpha"], BESIROGLU["beta"]
    scale = (alpha * BESIROGLU["A"] / (gamma * BESIROGLU["B"])) ** (1 / (alpha + gamma))
    kappa = active_ratio(EXPERTS)
    n_dense, n_tokens = optimum(theta, flops, EXPERTS, kappa)
    assert n_dense == pytest.approx(scale * (flops / 6 / kappa) ** (gamma / (alpha + gamma)), rel=1e-11)
    assert n_tokens == pytest.approx((flops / 6 / kappa) ** (alpha / (alpha + gamma)) / scale, rel=1e-11)
    loss = loss_at(theta, n_dense[0], flops, 1, 1)
    size, tokens = Dense().cheapest(Dense().theta(BESIROGLU), [float(loss)])
    assert (size[0], tokens[0]) == pytest.approx((n_dense[0], n_tokens[0]), rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(coefficients(), st.floats(18, 25), st.sampled_from([1, 8, 32]), st.floats(0.01, 0.999))
def test_size_and_budget_at_a_loss_are_inverse(theta, decades, experts, share):
    n_best, _ = optimum(theta, 10**decades, experts, 1)
    loss = loss_at(theta, share * n_best, 10**decades, experts, 1)
    assert loss >= loss_at(theta, n_best, 10**decades, experts, 1)
    found = size_at_loss(theta, loss, 10**decades, experts, 1)
    assert loss_at(theta, found, 10**decades, experts, 1) == pytest.approx(float(loss), rel=1e-11)
    assert found == pytest.approx(share * n_best, rel=1e-3)
    least = loss_at(theta, n_best, 10**decades, experts, 1)
    assert flops_at_loss(theta, least, experts, 1) == pytest.approx(10**decades, rel=1e-6)
    assert np.isnan(size_at_loss(theta, 0.999 * least, 10**decades, experts, 1))


def test_a_loss_below_the_floor_takes_infinite_work():
    assert np.isinf(flops_at_loss(changed(d=0.0), 1.1, 8, 1))
    assert np.isfinite(flops_at_loss(changed(d=-0.002), 1.1, 8, 1))


def test_leading_axes_are_those_of_each():
    sets = np.stack([THETA, changed(d=0.001), changed(alpha=0.4)])
    flops = np.array([1e21, 6e21])
    sizes, _ = optimum(sets[:, None, None, :], flops[:, None], EXPERTS, active_ratio(EXPERTS))
    assert sizes.shape == (3, 2, 5)
    for place in np.ndindex(3, 2, 5):
        one, _ = optimum(sets[place[0]], flops[place[1]], EXPERTS[place[2]], active_ratio(EXPERTS[place[2]]))
        assert sizes[place] == pytest.approx(float(one), rel=1e-12)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: optimum(changed(d=0.2), 1e21, 8, 1), "no minimum along a budget; positive A and C"),
        (lambda: optimum(changed(d=-0.3), 1e21, 8, 1), "d times ln Ê between minus gamma and alpha"),
        (lambda: optimum(changed(C=0.0), 1e21, 8, 1), "no minimum along a budget"),
        (lambda: optimum(THETA, -1, 8, 1), "flops has the value -1; a positive number"),
        (lambda: size_at_loss(THETA, 0, 1e21, 8, 1), "loss has the value 0; a positive number"),
    ],
)
def test_what_has_no_optimum_is_refused(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()


def test_checksums_of_what_the_paper_prints():
    """Sums over columns, and counts that a whole number of equal layers has; the text's digits stand in the count."""
    models, statements = data.load("yun2024/models"), data.load("yun2024/statements")
    assert models[["d_model", "n_layers", "n_heads", "n_dense"]].sum().tolist() == [4224, 58, 44, 1_234_927_616]
    layers, width = [12, 20, 24, 24], [1920, 2240, 2560, 4096]
    assert models.n_dense.tolist() == (layers * (4 * models.d_model**2 + 3 * models.d_model * width)).tolist()
    printed = models.n_dense_printed.str.replace(r"\D", "", regex=True)
    assert [str(count).startswith(text[:3]) for count, text in zip(models.n_dense, printed, strict=True)] == [True] * 4
    assert (models.n_dense == printed.astype(int)).tolist() == [True, False, True, True]
    assert len(statements) == 19
    assert statements.low.sum() == pytest.approx(581.86)
    assert statements.high.sum() == pytest.approx(845.74)
    assert statements.flops_low.sum() + statements.flops_high.sum() == pytest.approx(7.877e22)
