"""What decides the claims of Yun et al.: rules of cost by hand, ranges against a scan, sets that are admissible."""

import importlib.util
import sys

import numpy as np
import pytest

from moelaws import data, ledger
from moelaws.laws.yun2024 import YUN2024
from moelaws.ledger import Cannot, Result
from moelaws.models.ratios import active_ratio
from moelaws.papers.yun2024 import statements as stated
from moelaws.papers.yun2024.budget import loss_at
from moelaws.papers.yun2024.rules import DEVICE, RULES, STATEMENTS, on_devices

CLAIMS = ledger.module("yun2024")
NAMES = [parameter.name for parameter in YUN2024.parameters]
ON_COST = data.load("yun2024/on_cost")
ORDERS = np.array([np.isinf(one.high) for one in stated.STATEMENTS])


def rows(table, counted="active"):
    """Stored coefficients of one convention."""
    return data.load(f"yun2024/{table}").query("flops_of == @counted")[NAMES].to_numpy(copy=True)


# Rules of cost


@pytest.mark.parametrize("experts", [1.0, 8.0, 32.0])
def test_rules_of_cost_by_the_number_of_devices(experts):
    size = np.array([1e9, 3e9, 12e9])
    by_number = np.array([on_devices(g, size, experts) for g in range(1, 9)])
    assert RULES["Eq. 5"](size, experts) == pytest.approx(np.nanmin(by_number, axis=0), nan_ok=True)
    for gpus in (1, 2, 4, 8):
        name = f"{gpus} device{'s' * (gpus > 1)}"
        assert RULES[name](size, experts) == pytest.approx(by_number[gpus - 1], nan_ok=True)
    served = ~np.isnan(by_number)
    first = by_number[served.argmax(axis=0), np.arange(3)]
    assert RULES["fewest devices"](size, experts) == pytest.approx(first, nan_ok=True)
    assert np.all(RULES["256 requests"](size, experts)[:2] >= RULES["Eq. 5"](size, experts)[:2])
    assert RULES["all parameters"](size, experts) == pytest.approx(size * (1 + (experts - 1) / 3))


def test_a_dense_model_on_one_device_by_hand():
    """Decoding reads the whole memory; prompts, fewer than one a step, read the weights for themselves."""
    size, weights = 3.36e9, 6.72e9
    breadth = 0.0477 * size ** (2 / 3)
    requests = (DEVICE.memory - weights) / (4 * breadth * (161.31 + 337.99 / 2))
    work = 161.31 * (2 * size + 4 * breadth * 162.31 / 2)
    prompt = requests / 337.99 * max(work / DEVICE.flops, weights / DEVICE.bandwidth)
    expected = (DEVICE.memory / DEVICE.bandwidth + prompt) / requests
    assert float(on_devices(1, size, 1.0)) == pytest.approx(expected, rel=1e-9)


# Ranges


def lowest_on_a_grid(theta, experts, flops, sizes):
    """Losses of a list of sizes, and the place of the lowest."""
    losses = loss_at(theta, sizes, flops, experts, active_ratio(experts))
    return losses, losses.argmin()


@pytest.mark.parametrize("rule", ["1 device", "2 devices", "all parameters"])
def test_stored_ranges_are_those_of_a_scan(rule):
    sizes = np.geomspace(2e7, 4e10, 4001)
    costs = {e: RULES[rule](sizes, e) for e in (1.0, 4.0, 8.0)}
    found = {"R12": [], "R08": []}
    for theta in rows("feasible"):
        _, four = lowest_on_a_grid(theta, 4.0, stated.MIDDLE, sizes)
        known = ~np.isnan(costs[8.0])
        at_cost = np.interp(costs[4.0][four], costs[8.0][known], sizes[known])
        found["R12"].append(at_cost / sizes[four])
        losses, dense = lowest_on_a_grid(theta, 1.0, stated.MIDDLE, sizes)
        of_eight, end = lowest_on_a_grid(theta, 8.0, stated.MIDDLE, sizes)
        smaller = np.interp(-losses[dense], -of_eight[: end + 1], sizes[: end + 1])
        found["R08"].append(np.interp(smaller, sizes, costs[8.0]) / costs[1.0][dense])
    for claim, what in (("R12", "8 experts"), ("R08", "cost of 8 experts, smaller budget")):
        stored = ON_COST.set_index(["counted", "rule", "claim", "what"]).loc[("active", rule, claim, what)]
        assert [min(found[claim]), max(found[claim])] == pytest.approx([stored.least, stored.greatest], rel=5e-3)


@pytest.mark.parametrize("counted", ["active", "total"])
def test_extremes_are_admissible_and_widen_the_ranges(counted):
    convention = stated.Convention(counted, counted)
    missed = stated.residuals(stated.predict(rows("extremes", counted), convention), tolerant=True)
    assert np.abs(missed).max() <= 2 + 1e-3
    assert missed[:, ORDERS].min() >= -1e-3
    table = ON_COST[ON_COST.counted == counted].dropna()
    assert (table.reach_low <= table.least).all()
    assert (table.reach_high >= table.greatest).all()


def test_every_number_has_its_ranges():
    expected = {
        (c, r, name, what)
        for c in ("active", "total")
        for r in RULES
        for name in STATEMENTS
        for what in STATEMENTS[name]
    }
    assert {tuple(row) for row in ON_COST[["counted", "rule", "claim", "what"]].itertuples(index=False)} == expected


def test_admissible_sets_are_what_the_chapter_says_of_them():
    """Every condition to twice its tolerance, every order strictly, and none within rounding by construction."""
    predicted = stated.predict(rows("feasible"))
    assert np.abs(stated.residuals(predicted, tolerant=True)).max() <= 2 + 1e-6
    assert predicted[:, ORDERS].min() > 0
    assert (np.abs(stated.residuals(predicted)).max(axis=1) > 1).all()


@pytest.mark.parametrize(("experts", "share"), [(16.0, 0.16), (32.0, 0.30)])
def test_recommended_sizes_cost_and_lose_what_the_chapter_says(experts, share):
    """On a grid of sizes at the text's middle budget, for a tenth of the sets and a cost that is a count."""
    sizes, found = np.geomspace(1e8, 2e10, 20_001), CLAIMS.recommended(experts)
    costs, worse = [], []
    for theta in CLAIMS.admissible()[::10]:
        loss = {e: loss_at(theta, sizes, stated.MIDDLE, e, active_ratio(e)) for e in (4.0, 8.0, experts)}
        small = share * sizes[loss[experts].argmin()]
        costs.append(small * (1 + (experts - 1) / 3) / (sizes[loss[4.0].argmin()] * (1 + 3 / 3)))
        worse.append(loss_at(theta, small, stated.MIDDLE, experts, active_ratio(experts)) > loss[8.0].min())
    row = found.loc["all parameters"]
    assert row.low * 0.99 <= min(costs) <= max(costs) <= row.high * 1.01
    assert max(costs) == pytest.approx(row.high, rel=0.05)
    assert (all(worse), not any(worse)) == (row.always_worse, row.never_worse)


def test_coordinates_invert_the_coefficients(monkeypatch):
    folder = data.ROOT / "data" / "yun2024"
    monkeypatch.syspath_prepend(str(folder))
    spec = importlib.util.spec_from_file_location("make_on_cost", folder / "make_on_cost.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    thetas = rows("feasible")
    assert script.coefficients(script.coordinates(thetas)) == pytest.approx(thetas, rel=1e-6, abs=1e-12)
    sys.modules.pop("make_feasible", None)


# Decisions


@pytest.mark.parametrize(("by", "kind"), [(set(RULES), Result), (set(), Result), ({"1 device"}, Cannot)])
def test_a_claim_on_cost_is_decided_by_all_rules(monkeypatch, by, kind):
    monkeypatch.setattr(CLAIMS, "reached", lambda name, rule: rule in by)
    for name in ("R12", "R16"):
        decided = CLAIMS.on_cost(name, "before")
        assert isinstance(decided, kind)
        if kind is Cannot:
            assert "1 of 8 rules of cost (1 device)" in decided.reason
    if kind is Result:
        assert CLAIMS.on_cost("R16", "before").computed is bool(by)


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        ([(30.0, 31.0), (69.0, 70.0)], True),
        ([(30.0, 30.66), (69.0, 70.0)], True),  # rounds to the printed 30.7
        ([(30.0, 30.6), (69.0, 70.0)], False),
        ([(30.0, 31.0), (69.7, 71.0)], False),
    ],
)
def test_a_rule_reaches_a_claim_with_all_its_numbers(monkeypatch, ranges, expected):
    monkeypatch.setattr(CLAIMS, "numbers", lambda name, rule, counted: ranges)
    CLAIMS.reached.cache_clear()
    assert CLAIMS.reached("R12", "1 device") is expected
    CLAIMS.reached.cache_clear()


def test_a_clause_that_no_set_bears_out_is_not_reached(monkeypatch):
    printed = [(one.value, one.value) for one in CLAIMS.printed("R08")]
    monkeypatch.setattr(CLAIMS, "numbers", lambda name, rule, counted: printed)
    CLAIMS.reached.cache_clear()
    assert CLAIMS.reached("R08", "all parameters")  # eight experts are cheapest with some sets
    assert not CLAIMS.reached("R08", "1 device")
    CLAIMS.reached.cache_clear()


def test_a_changed_count_has_no_layers():
    for row in data.load("yun2024/models").itertuples():
        layers, width = CLAIMS.stack(row)
        assert layers * (4 * row.d_model**2 + 3 * row.d_model * width) == row.n_dense
        with pytest.raises(ValueError, match="not enough values"):
            CLAIMS.stack(row._replace(n_dense=row.n_dense + 1))


@pytest.mark.parametrize("name", NAMES)
def test_each_coefficient_is_seen(name):
    """In what the evidence page shows of the conditions, to four digits."""

    def ends(thetas):
        predicted = stated.predict(thetas)
        return [f"{x:.4g}" for x in (*predicted.min(axis=0), *predicted.max(axis=0))]

    changed = rows("feasible")
    changed[:, NAMES.index(name)] *= 1.01
    assert ends(changed) != ends(rows("feasible"))


def test_statements_on_cost_compare_the_experts_that_they_name():
    compared = {
        claim: [(one.kind, one.base, one.target) for one in numbers.values()] for claim, numbers in STATEMENTS.items()
    }
    assert compared == {
        "R05": [("own", 4, 32)] * 2,
        "R07": [("saving", 4, 8)] * 2 + [("saving", 4, 16)] * 2,
        "R08": [("cost", 1, 8)] * 2,
        "R11": [("size", 1, 4), ("size", 1, 8), ("size", 1, 16), ("size", 1, 32)],
        "R12": [("size", 4, 8), ("size", 4, 16), ("size", 4, 32)],
    }
    for claim in ("R05", "R07", "R08"):  # the smaller budget first
        budgets = [one.flops for one in STATEMENTS[claim].values()]
        assert all(low < high for low, high in zip(budgets[::2], budgets[1::2], strict=True))
