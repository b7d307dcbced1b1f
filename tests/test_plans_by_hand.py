"""Plans for a budget against arithmetic with the papers' printed numbers, step by step."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from moelaws.errors import InputError
from moelaws.fitting.trend import Trend
from moelaws.laws.yun2024 import YUN2024
from moelaws.papers import allocation
from moelaws.papers.allocation import allocate
from moelaws.papers.plan import Step
from moelaws.papers.wan2026 import allocation as wan2026
from moelaws.papers.wan2026 import law
from moelaws.papers.yun2024 import allocation as yun2024
from moelaws.papers.yun2024.overtraining import crossing, size_at_cost

BUDGETS = np.array([1e18, 3e18, 1e19, 3e19, 1e20, 3e20])
# Table 4: query heads, key and value heads, width of a head, learning rate, batch; then the expansion of App. F.4.
RECIPES = {
    1e18: (4, 2, 64, 1.20e-3, 64, 19),
    3e18: (8, 4, 64, 1.00e-3, 80, 20),
    1e19: (8, 4, 64, 8.28e-4, 128, 21),
    3e19: (8, 4, 128, 6.95e-4, 160, 21),
    1e20: (8, 4, 128, 5.74e-4, 208, 22),
    3e20: (16, 8, 128, 4.82e-4, 288, 22),
}


def power_law(values, at):
    """Return a power law through the six budgets, and the 95 % interval of a further value, by the normal equations."""
    matrix = np.stack([np.ones(6), np.log(BUDGETS)], axis=1)
    inverse = np.linalg.inv(matrix.T @ matrix)
    coefficients = inverse @ matrix.T @ np.log(values)
    rest = np.log(values) - matrix @ coefficients
    row = np.array([1.0, np.log(at)])
    reach = stats.t(4).ppf(0.975) * np.sqrt(rest @ rest / 4 * (1 + row @ inverse @ row))
    middle = row @ coefficients
    return np.exp([middle, middle - reach, middle + reach])


def column(place):
    return np.array([recipe[place] for recipe in RECIPES.values()], dtype=float)


def numbers(step):
    return [step.value, step.low, step.high]


@pytest.mark.parametrize("flops", [3e18, 1e20, 2.2e18, 1e17, 1e22])
def test_a_plan_of_wan2026_step_by_step(flops):
    plan = allocate("wan2026", flops, extrapolate=True)
    values = {step.quantity: step.value for step in plan.steps}
    inside = 1e18 <= flops <= 3e20
    nearest = BUDGETS[np.argmin(np.abs(np.log(BUDGETS / flops)))]
    assert (plan.law, plan.flops) == ("wan2026", flops)
    assert list(values)[:9] == [
        *("flops_per_token", "n_tokens", "compute_density", "n_active", "expansion", "n_total"),
        *("n_heads", "n_kv_heads", "d_head"),
    ]
    assert list(values)[9:] == ["d_model", "learning_rate", "batch", "training_steps"]

    eq_2 = 0.04368 * flops**0.5437, 22.8929 * flops**0.4563
    work, tokens = {3e18: (0.4856e9, 6.1775e9), 1e20: (3.2681e9, 30.5985e9)}.get(flops, eq_2)
    assert plan.step("n_tokens").how == ("Table 2" if flops in RECIPES else "Eq. 2")
    assert numbers(plan.step("flops_per_token")) == pytest.approx([work, 0.95 * work, 1.05 * work])
    assert values["n_tokens"] == pytest.approx(tokens)
    density, low, high = numbers(plan.step("compute_density"))
    assert 6 < low < density < high
    growth = RECIPES[nearest][5]
    assert numbers(plan.step("expansion")) == [growth, 18, 25]
    assert numbers(plan.step("n_active")) == pytest.approx([work / density, work / high, work / low])
    total = [work / density * growth, work / high * 18, work / low * 25]
    assert numbers(plan.step("n_total")) == pytest.approx(total)

    count, pairs, width = RECIPES[nearest][:3]
    if not inside:
        count = max(2 ** round(math.log2(power_law(column(0) * column(2), flops)[0] / width)), 4)
        pairs = count // 2
    assert [values[name] for name in ("n_heads", "n_kv_heads", "d_head")] == [count, pairs, width]
    expected = "printed" if flops in RECIPES else "chosen"
    assert {plan.step(name).source for name in ("n_heads", "n_kv_heads", "d_head")} == {expected}
    if flops in RECIPES:
        assert plan.step("n_heads").how == "Table 4"
    elif inside:
        assert plan.step("n_heads").how == f"Table 4 at the nearest scale, {nearest:g} FLOP"
    assert ("recommended for large budgets" in plan.step("expansion").how) == (not inside)

    if flops in RECIPES:
        assert numbers(plan.step("learning_rate")) == [RECIPES[flops][3], None, None]
        assert numbers(plan.step("batch")) == [RECIPES[flops][4], None, None]
        assert {plan.step(name).source for name in ("learning_rate", "batch")} == {"printed"}
    else:
        assert numbers(plan.step("learning_rate")) == pytest.approx(power_law(column(3), flops).tolist())
        batch, least, most = power_law(column(4), flops)
        assert numbers(plan.step("batch")) == pytest.approx([max(16, 16 * round(batch / 16)), least, most])
    assert values["training_steps"] == pytest.approx(tokens / values["batch"] / 8192)

    told = plan.report()
    assert list(told) == ["law", "flops", "outside", "decades", "steps", "architecture", "realised", "warnings"]
    assert [step["value"] for step in told["steps"]] == list(values.values())

    whole = plan.architecture
    fixed = {"n_heads": count, "n_kv_heads": pairs, "d_head": width, "n_routed": 288, "n_shared": 1, "top_k": 8}
    fixed |= {"n_layers": whole["n_dense_layers"] + whole["n_moe_layers"], "d_dense": 3 * whole["d_model"]}
    assert whole == {
        name: whole[name] for name in ("d_model", "n_dense_layers", "n_moe_layers", "d_expert")
    } | fixed | {"seq_len": 8192}
    found = plan.realised
    assert found["compute_density"] == pytest.approx(found["flops_per_token"] / found["n_active"])
    assert found["expansion"] == pytest.approx(found["n_total"] / found["n_active"])
    asked = {name: values[name] for name in ("flops_per_token", "n_active", "n_total")}
    off = [abs(found[name] / value - 1) for name, value in asked.items()]
    off.append(abs(whole["d_model"] / values["d_model"] - 1))
    assert found["largest_deviation"] == pytest.approx(max(off))
    assert plan.warnings == () or not inside
    assert plan.outside == pytest.approx(plan.decades / math.log10(300))
    assert plan.decades == pytest.approx(max(-math.log10(flops / 1e18), math.log10(flops / 3e20), 0), abs=1e-12)


def test_the_density_law_has_a_floor_of_six():
    medians = wan2026.scales().compute_density.to_numpy()
    value, low, high = power_law(medians - 6, 1e21)
    step = allocate("wan2026", 1e21, extrapolate=True).step("compute_density")
    assert numbers(step) == pytest.approx([6 + value, 6 + low, 6 + high])


def test_medians_of_the_sweeps():
    """Table 21 holds 48 rows; the median of d is that of the printed column."""
    rows = wan2026.data.load("wan2026/architectures").query("table == 21")
    last = wan2026.scales().iloc[-1]
    assert last.width == np.median(rows.d_model)
    layers = rows.n_dense_layers + rows.n_moe_layers
    active = 2 * rows.d_model * 128 * 24 * layers + 9 * rows.d_model**2 * rows.n_dense_layers
    active = active + 27 * rows.d_model * rows.d_expert * rows.n_moe_layers
    assert last.N_a == np.median(active)
    assert np.median(6 * active + 6 * 8192 * 2048 * layers) == last.M
    assert np.median(active + 3 * 280 * rows.d_model * rows.d_expert * rows.n_moe_layers) == last.N


def test_a_width_of_the_law_that_is_not_feasible_is_moved_and_said():
    setting = law.Setting(16, 8, 128)
    sizes = law.account(2040, 1, 15, 592, setting)
    low, high = (float(end) for end in law.feasible_widths(*sizes, setting))
    for flops, end in ((1e18, low), (1e23, high)):
        step, warnings = wan2026._width(flops, tuple(map(float, sizes)), setting)
        assert (step.value, step.low, step.high, step.source) == (end, low, high, "chosen")
        assert len(warnings) == 1
        assert warnings[0].endswith(f"outside the feasible {low:.0f} to {high:.0f}; the nearer end is taken.")
    step, warnings = wan2026._width(3e20, tuple(map(float, sizes)), setting)
    assert (step.source, warnings) == ("refitted", [])
    assert low < step.value < high


def test_the_band_of_widths_is_that_of_its_ratios():
    """The shape at either end has (K + 1) d_m/d of five and of three."""
    setting = law.Setting(16, 8, 128)
    sizes = law.account(2040, 1, 15, 592, setting)
    low, high = wan2026.width_band(*map(float, sizes), setting)
    for width, ratio in ((low, 5), (high, 3)):
        shape = law.solve(*sizes, width, setting)
        assert 9 * shape.d_m / shape.d == pytest.approx(ratio, abs=0.01)


def test_a_budget_that_rounding_puts_outside_is_inside():
    just = allocate("wan2026", 3e20 * (1 + 5e-10))
    assert (just.decades, just.outside, just.warnings) == (0, 0, ())
    assert allocate("wan2026", 1e18 * (1 - 5e-10)).decades == 0


def test_the_ends_of_what_is_answered(monkeypatch):
    monkeypatch.setitem(allocation.PLANNERS, "wan2026", (lambda flops: flops, (1e18, 3e20)))
    for flops, beyond in ((3.1e20, "0.014"), (0.9e18, "0.046")):
        with pytest.raises(InputError, match=f", {beyond} decades outside the runs of wan2026; a budget from 1e.18 to"):
            allocate("wan2026", flops)
    for flops in (3e26, 1e12):
        assert allocate("wan2026", flops, extrapolate=True) == flops
    for flops in (3.01e26, 0.99e12):
        with pytest.raises(InputError, match=r"from 1e\+12 to 3e\+26 is expected, as nothing can be said farther"):
            allocate("wan2026", flops, extrapolate=True)


def test_a_step_holds_its_ends():
    step = Step("x", "", 2.0, "printed", "here", 1.0, 3.0)
    assert [step.holds(value) for value in (0.999, 1.0, 3.0, 3.001)] == [False, True, True, False]
    for ends in ((None, None), (None, 3.0), (1.0, None)):
        bare = Step("x", "", 2.0, "printed", "here", *ends)
        assert [bare.holds(value) for value in (2.0, 2.5)] == [True, False]


@pytest.mark.parametrize(
    ("x", "y", "sentence"),
    [
        ([1, 2, 2], [1, 2, 3], "x has fewer than three different values"),
        ([1, 2, 3], [1, 2], "not one for each y"),
        ([1, 2, 3], [1, 2, 0.5], r"y holds a value that is not above the floor, 0\.5\."),
        ([0, 2, 3], [1, 2, 3], "Parameter x has the value"),
        ([1, 2, 3], [1, -2, 3], "Parameter y has the value"),
    ],
)
def test_a_trend_refuses(x, y, sentence):
    with pytest.raises(InputError, match=sentence):
        Trend(x, y, floor=0.5)


def test_a_trend_at_another_level():
    """Three values, one degree of freedom: the quantile of Student's t at 75 % is one, at 97.5 % it is 12.7062."""
    listed = Trend([1, 2, 4], [1, 2, 4])
    assert (listed.x.tolist(), listed.y.tolist()) == ([1.0, 2.0, 4.0], [1.0, 2.0, 4.0])
    trend = Trend([1.0, math.e, math.e**2], 0.5 + np.exp([0.0, 0.3, 0.0]), floor=0.5)
    assert float(trend(math.e)) == pytest.approx(0.5 + math.exp(0.1))
    spread = math.sqrt(0.06 * (1 + 1 / 3))
    low, high = trend.interval(math.e, level=0.5)
    assert (low, high) == pytest.approx((0.5 + math.exp(0.1 - spread), 0.5 + math.exp(0.1 + spread)))
    low, high = trend.interval(math.e)
    assert np.log([low - 0.5, high - 0.5]) == pytest.approx([0.1 - 12.7062 * spread, 0.1 + 12.7062 * spread], abs=1e-4)
    with pytest.raises(InputError, match="Parameter x has the value 0"):
        trend.interval(0)


def test_no_more_heads_than_the_paper_gives():
    """The power law would ask for more than 2^7 at the farthest budget."""
    steps, setting = wan2026._heads(3e26, wan2026.scales().iloc[-1], outside=True)
    assert [step.value for step in steps] == [128, 64, 128]
    assert (setting.N_q, setting.N_kv, setting.d_qkv) == (128, 64, 128)
    assert power_law(column(0) * column(2), 3e26)[0] / 128 > 182


VALUES = {"A": 420.0, "B": 2.6, "C": 7100.0, "F": 2.0, "alpha": 0.28, "beta": 1.4, "gamma": 0.36, "d": -0.004}
VALUES |= {"E_start": 8.0, "E_max": 330.0}


@pytest.fixture
def coefficients(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(VALUES), encoding="utf-8")
    return path


def seconds(n_dense, n_routed, gpus, most_requests=math.inf, tokens_in=161.31, tokens_out=337.99):
    """Return requests and device seconds for a token on A100 with 40 GB at 1555 GB/s, 312 TFLOP/s and 300 GB/s.

    Two of `n_routed` experts of every second layer's MLPs, a third of the weights, at two bytes; width times layers is
    0.0477 N^(2/3), keys and values as wide as the model.
    """
    used = min(2, n_routed)
    breadth, context = 0.0477 * n_dense ** (2 / 3), tokens_in + tokens_out / 2
    weights, cache = 2 * n_dense * (1 + (n_routed - 1) / 3), 4 * breadth * context
    batch = min((gpus * 40e9 - weights) / cache, most_requests)
    if batch < 1:
        return batch, math.nan
    active = n_dense * (1 + (used - 1) / 3)

    def read(tokens):
        share = 1 - (1 - used / n_routed) ** tokens if n_routed > 1 else 1
        return 2 * n_dense * (2 / 3 + n_routed / 3 * share)

    def least(flops, traffic):
        return max(flops / 312e12, traffic / 1555e9) / gpus

    decode = least(batch * (2 * active + 4 * breadth * context), read(batch) + batch * cache)
    prompts = batch / tokens_out
    together = max(prompts, 1)
    work = tokens_in * (2 * active + 4 * breadth * (tokens_in + 1) / 2)
    prompt = least(together * work, read(together * tokens_in)) * prompts / together
    link = 2 * (gpus - 1) / gpus * (batch + prompts * tokens_in) * 4 * breadth / 300e9
    return batch, gpus * (decode + prompt + link) / batch


@pytest.mark.parametrize("bound", ["loss", "cost"])
@pytest.mark.parametrize("limits", [{}, {"gpus": 3, "requests": 100, "tokens_in": 500, "tokens_out": 100}])
def test_a_plan_of_yun2024_step_by_step(coefficients, bound, limits):
    flops, server = 5.15e21, {"tokens_in": 161.31, "tokens_out": 337.99} | limits
    most, requests = server.pop("gpus", 8), server.pop("requests", math.inf)
    plan = yun2024.plan(flops, coefficients, 4, 16, bound=bound, price=2.5, **limits)
    assert (plan.law, plan.bound, plan.device, plan.flops) == ("yun2024", bound, "A100-40G-SXM", flops)
    assert plan.intervals == {}
    assert plan.warnings[0].startswith("How far the models lie from the runs behind the coefficients")
    models = {"chosen": plan.chosen, "optimum": plan.optimum, "base": plan.base}
    assert {name: model.n_routed for name, model in models.items()} == {"chosen": 16, "optimum": 16, "base": 4}
    told = plan.report()
    assert told["chosen"]["n_dense"] == plan.chosen.n_dense
    assert (told["to_base"], told["warnings"]) == (plan.to_base, plan.warnings)
    law = YUN2024
    for model in models.values():
        assert model.n_active == pytest.approx(model.n_dense * 4 / 3)
        assert model.n_total == pytest.approx(model.n_dense * (1 + (model.n_routed - 1) / 3))
        assert model.n_tokens == pytest.approx(flops / 6 / model.n_active)
        assert model.tokens_per_parameter == pytest.approx(model.n_tokens / model.n_dense)
        row = {"n_dense": [model.n_dense], "n_tokens": [model.n_tokens], "n_routed": [model.n_routed]}
        assert model.loss == pytest.approx(float(law.predict(law.theta(VALUES), row)[0]))
        ways = [seconds(model.n_dense, model.n_routed, gpus, requests, **server) for gpus in range(1, most + 1)]
        cheapest = int(np.nanargmin([cost for _, cost in ways]))
        assert model.gpus == cheapest + 1
        assert model.requests == pytest.approx(ways[cheapest][0])
        assert model.gpu_seconds_per_million == pytest.approx(1e6 * ways[cheapest][1])
        assert model.price_per_million == pytest.approx(2.5 / 3600 * 1e6 * ways[cheapest][1])
    assert plan.to_optimum == pytest.approx(plan.chosen.n_dense / plan.optimum.n_dense)
    assert plan.to_base == pytest.approx(plan.chosen.n_dense / plan.base.n_dense)
    assert plan.cost_ratio == pytest.approx(plan.chosen.gpu_seconds_per_million / plan.base.gpu_seconds_per_million)
    same, other = ("loss", "gpu_seconds_per_million") if bound == "loss" else ("gpu_seconds_per_million", "loss")
    assert getattr(plan.chosen, same) == pytest.approx(getattr(plan.base, same))
    assert getattr(plan.chosen, other) < getattr(plan.base, other)


def test_what_does_not_fit_has_no_cost_and_what_has_no_price_none(coefficients):
    """At 1.3e23 FLOP the loss optimum of 32 experts needs more memory than eight devices have."""
    plan = yun2024.plan(1.3e23, coefficients, 1, 32)
    optimum = plan.optimum
    assert 2 * optimum.n_total > 8 * 40e9
    assert [optimum.gpus, optimum.requests, optimum.gpu_seconds_per_million, optimum.price_per_million] == [None] * 4
    assert plan.chosen.gpus >= 1
    assert plan.chosen.price_per_million is None
    priced = yun2024.plan(1.3e23, coefficients, 1, 32, price=1.0)
    assert priced.optimum.price_per_million is None
    assert priced.chosen.price_per_million is not None


def test_a_bound_that_does_not_bind_is_said(coefficients):
    """Of one expert, the loss optimum costs less than the base model of four."""
    plan = yun2024.plan(5.15e21, coefficients, 32, 1, bound="cost")
    assert plan.to_optimum == 1
    assert plan.cost_ratio < 1
    assert plan.warnings[0] == (
        "The loss optimum costs less than the base model; it is the answer, and the bound does not bind."
    )
    assert len(yun2024.plan(5.15e21, coefficients, 4, 16, bound="cost").warnings) == 1


@pytest.mark.parametrize("name", VALUES)
def test_every_coefficient_is_read_where_it_belongs(coefficients, name):
    theta, fitted, draws = yun2024.read_coefficients(coefficients)
    assert (fitted, draws) == (None, None)
    place = [parameter.name for parameter in YUN2024.parameters].index(name)
    assert theta[place] == VALUES[name]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"A": True}, "A is True; a number from"),
        ({"d": "0"}, "d is '0'; a number from"),
        ({"E_start": 0.5}, "E_start is 0.5; a number from 1"),
        ({"F": float("inf")}, "F is inf; a finite number"),
    ],
)
def test_coefficients_at_and_beyond_their_bounds(coefficients, change, sentence):
    coefficients.write_text(json.dumps(VALUES | change), encoding="utf-8")
    with pytest.raises(InputError, match=sentence):
        yun2024.read_coefficients(coefficients)


def test_one_expert_is_the_fewest(coefficients):
    assert yun2024.plan(5.15e21, coefficients, 1, 1).to_base == 1
    for options in ({"base": 0.99, "experts": 4}, {"base": 4, "experts": 0.99}, {"base": 4, "experts": math.inf}):
        with pytest.raises(InputError, match=r"has the value (0\.99|inf); a number from 1 on is expected"):
            yun2024.plan(5.15e21, coefficients, **options)


def test_crossings_at_the_ends():
    """A zero at either end counts; nan counts as above; fifty halvings leave no visible rest."""
    assert crossing(lambda x: x - np.array([1.0, 8.0, 0.9, 8.1]), 1.0, 8.0).tolist()[2:] == pytest.approx(
        [math.nan, math.nan], nan_ok=True
    )
    assert crossing(lambda x: x - np.array([1.0, 8.0]), 1.0, 8.0) == pytest.approx([1, 8], rel=1e-12)
    assert crossing(lambda x: x - 1.0, 1e-3, 1e3) == pytest.approx(1, rel=1e-13)
    assert np.isnan(crossing(lambda x: np.full_like(x, np.nan), 1.0, 2.0))


def test_a_size_at_a_cost_lies_between_its_ends():
    sizes = size_at_cost(lambda n_dense, n_routed: n_dense * n_routed, [0.9e6, 4e6, 1.1e14], 8, high=1e13)
    assert sizes == pytest.approx([1.125e5, 5e5, math.nan], nan_ok=True)
    assert np.isnan(size_at_cost(lambda n_dense, n_routed: n_dense, 0.99e5, 8))
    assert np.isnan(size_at_cost(lambda n_dense, n_routed: n_dense, 1.01e13, 8))
    with pytest.raises(InputError, match="Parameter bound has the value"):
        size_at_cost(lambda n_dense, n_routed: n_dense, 0, 8)


def test_a_width_at_the_end_of_what_is_feasible_is_the_laws(monkeypatch):
    setting = law.Setting(16, 8, 128)
    sizes = tuple(map(float, law.account(2040, 1, 15, 592, setting)))
    value = float(wan2026.trends()["width"](3e20))
    for ends in ((value, value + 1), (value - 1, value)):
        monkeypatch.setattr(wan2026.law, "feasible_widths", lambda *_, ends=ends, **__: ends)
        monkeypatch.setattr(wan2026, "width_band", lambda *_: (1.0, 2.0))
        assert wan2026._width(3e20, sizes, setting)[0].source == "refitted"
    monkeypatch.setattr(wan2026.law, "feasible_widths", lambda *_, **__: (np.nan, np.nan))
    with pytest.raises(InputError, match=r"flops has the value 3e\+20; no architecture with layers of both kinds"):
        wan2026._width(3e20, sizes, setting)
