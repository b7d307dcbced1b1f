"""Laws of mixture-of-experts runs by size, tokens and experts: published values, limits, monotonicity."""

import numpy as np
import pytest

from moelaws.laws import LAWS
from moelaws.laws.abnar2025 import PUBLISHED as ABNAR
from moelaws.laws.clark2022 import PUBLISHED as CLARK
from moelaws.laws.dense import BESIROGLU
from moelaws.laws.krajewski2024 import PUBLISHED as KRAJEWSKI
from moelaws.laws.ludziejewski2025 import PUBLISHED as LUDZIEJEWSKI
from moelaws.models.ratios import granularity

FINE, JOINT, PLAIN, SPARSE = (LAWS[f] for f in ("krajewski2024", "ludziejewski2025", "wang2024", "abnar2025"))


def at(law, values, **columns):
    """Return the law's value at one or more points."""
    names = np.broadcast_arrays(*columns.values())
    return law.predict(law.theta(values), dict(zip(columns, names, strict=True)))


def test_fine_experts_help_less_and_less():
    losses = at(FINE, KRAJEWSKI, n_total=3.7e9, n_tokens=2e10, granularity=2.0 ** np.arange(6))
    steps = -np.diff(losses)
    assert np.all(steps > 0)
    assert np.all(np.diff(steps) < 0)


def test_infinite_granularity_is_chinchilla():
    values = KRAJEWSKI | {"gamma": 5.0}
    fine = at(FINE, values, n_total=[1e9, 1e10], n_tokens=2e10, granularity=1e6)
    dense = {"E": values["c"], "A": values["a"], "B": values["b"], "alpha": values["alpha"], "beta": values["beta"]}
    assert fine == pytest.approx(at(LAWS["dense"], dense, n_active=[1e9, 1e10], n_tokens=2e10), rel=1e-12)


def test_granularity_of_the_paper_is_one_for_an_expert_as_wide_as_the_dense_layer():
    assert granularity(1024, 4096, factor=4) == 1


# Of the paper's table for each number of experts.
@pytest.mark.parametrize(("name", "printed", "error"), [("a", 21.8330, 0.02), ("b", 119.9126, 0.1)])
def test_prefactors_of_eight_experts(name, printed, error):
    assert JOINT.at(JOINT.theta(LUDZIEJEWSKI), 8)[name] == pytest.approx(printed, abs=error)


@pytest.mark.parametrize(("name", "printed"), [("alpha", -0.1676), ("beta", -0.2338)])
def test_exponents_of_eight_experts(name, printed):
    assert JOINT.at(JOINT.theta(LUDZIEJEWSKI), 8)[name] == pytest.approx(printed, abs=1.5e-4)


@pytest.mark.parametrize("n_routed", [1, 8, 64])
def test_joint_law_at_one_number_of_experts_is_chinchilla(n_routed):
    theta = JOINT.theta(LUDZIEJEWSKI)
    terms = JOINT.at(theta, n_routed)
    sizes, tokens = np.array([1e8, 1e9]), np.array([1e10, 1e11])
    by_hand = terms["a"] * sizes ** terms["alpha"] + terms["b"] * tokens ** terms["beta"] + LUDZIEJEWSKI["c"]
    joint = at(JOINT, LUDZIEJEWSKI, n_active=sizes, n_tokens=tokens, n_routed=float(n_routed))
    assert joint == pytest.approx(by_hand, rel=1e-12)


def test_more_experts_want_more_tokens_and_lower_the_loss():
    theta, experts = JOINT.theta(LUDZIEJEWSKI), 2.0 ** np.arange(6)
    assert np.all(np.diff([JOINT.at(theta, e)["beta"] for e in experts]) < 0)
    losses = at(JOINT, LUDZIEJEWSKI, n_active=1e9, n_tokens=2e10, n_routed=experts)
    assert np.all(np.diff(losses) < 0)


def test_one_expert_is_chinchilla():
    values = {"tau": BESIROGLU["E"], "a": BESIROGLU["A"], "b": BESIROGLU["B"], "gamma": 0.1}
    values |= {"alpha": BESIROGLU["alpha"], "beta": BESIROGLU["beta"]}
    one = at(PLAIN, values, n_active=[1e9, 7e10], n_routed=1.0, n_tokens=1.4e12)
    assert one == pytest.approx(at(LAWS["dense"], BESIROGLU, n_active=[1e9, 7e10], n_tokens=1.4e12), rel=1e-12)
    experts = at(PLAIN, values, n_active=1e9, n_routed=2.0 ** np.arange(8), n_tokens=1.4e12)
    assert np.all(np.diff(experts) < 0)


def test_at_fixed_total_size_sparsity_costs_and_at_fixed_active_size_it_pays():
    share = 2.0 ** -np.arange(5)
    assert np.all(np.diff(at(SPARSE, ABNAR, n_total=1e9, n_tokens=2e10, activation_ratio=share)) > 0)
    assert np.all(np.diff(at(SPARSE, ABNAR, n_total=1e9 / share, n_tokens=2e12, activation_ratio=share)) < 0)


@pytest.mark.parametrize(("law", "values"), [(FINE, KRAJEWSKI), (JOINT, LUDZIEJEWSKI), (SPARSE, ABNAR)])
@pytest.mark.parametrize("column", ["size", "n_tokens"])
def test_size_and_tokens_lower_the_loss_to_a_floor(law, values, column):
    size = "n_total" if "n_total" in law.columns else "n_active"
    growing = size if column == "size" else column
    # Where nothing else depends on them: a dense model, or coarse experts.
    columns = dict.fromkeys(law.columns, 1.0) | {size: 1e9, "n_tokens": 1e11}
    losses = at(law, values, **(columns | {growing: np.geomspace(1e7, 1e14, 30)}))
    assert np.all(np.diff(losses) < 0)
    floor = values["c"] if "e" not in values else values["e"] + values["c"]
    both = at(law, values, **(columns | {size: 1e200, "n_tokens": 1e200}))
    assert both == pytest.approx(floor, rel=1e-6)


@pytest.mark.parametrize(
    ("router", "a", "b", "c", "d", "start", "end"),
    [
        ("S-Base", -0.082, -0.108, 0.009, 1.104, 1.847, 314.478),
        ("RL-R", -0.083, -0.126, 0.012, 1.111, 1.880, 469.982),
        ("Hash", -0.087, -0.136, 0.012, 1.157, 4.175, 477.741),
    ],
)
def test_the_three_routers_of_clark_by_hand(router, a, b, c, d, start, end):
    """The joint law of size and saturated experts, written out, with the coefficients of the book for each router."""
    size, experts = 1.3e8, 64
    saturated = 1 / (1 / (experts - 1 + 1 / (1 / start - 1 / end)) + 1 / end)
    log_loss = a * np.log10(size) + b * np.log10(saturated) + c * np.log10(size) * np.log10(saturated) + d
    found = at(LAWS["clark2022"], CLARK[router], n_active=size, n_routed=float(experts))
    assert found == pytest.approx(10**log_loss, rel=1e-12)
