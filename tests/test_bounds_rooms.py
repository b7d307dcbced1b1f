"""Ends of what is accepted, from both sides, in all rooms but that of the fits."""

import json
import math
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from moelaws import checks
from moelaws.cli import fits as of_fits
from moelaws.cli.main import main
from moelaws.data import condition, files, mapping, public_runs, table
from moelaws.errors import InputError
from moelaws.fork import chapter, page, tables
from moelaws.laws import LAWS
from moelaws.laws.base import inverse_power
from moelaws.laws.powers import PowerProduct
from moelaws.laws.tian2025 import Tian2025
from moelaws.ledger import html
from moelaws.ledger.claims import Printed
from moelaws.models import catalogue, huggingface, layers, storage
from moelaws.models.architecture import Architecture
from moelaws.models.attention import GroupedAttention
from moelaws.models.keys import Keys
from moelaws.papers import advice, allocation
from moelaws.papers.plan import Step
from moelaws.papers.wan2026 import allocation as of_wan2026
from moelaws.papers.wan2026 import law as wan2026
from moelaws.papers.wan2026 import minima, shapes
from moelaws.papers.yang2025.allocation import allocation as of_yang2025
from moelaws.papers.yun2024 import allocation as of_yun2024
from moelaws.papers.yun2024 import budget, cost, overtraining, rules, statements
from moelaws.paths import ROOT
from moelaws.serving import measured, steps
from moelaws.serving.experts import distinct_experts, even_experts
from moelaws.serving.footprint import Footprint, Traffic
from moelaws.serving.steps import load_device
from moelaws.teaching.lab import Lab

# Arguments


@pytest.mark.parametrize(
    ("count", "shown"),
    [(9, "[-1, -1, -1, -1, -1, -1, -1, -1, -1]"), (10, "[-1, -1, -1, -1, -1, -1, -1, -1, -1, -1] …")],
)
def test_up_to_nine_values_are_shown_whole(count, shown):
    with pytest.raises(InputError) as error:
        checks.positive(x=[-1] * count)
    assert str(error.value) == f"Parameter x has the value {shown}; a positive number is expected."


def test_zero_is_not_positive():
    with pytest.raises(InputError, match=r"^Parameter x has the value 0; a positive number is expected\.$"):
        checks.positive(x=0)


@pytest.mark.parametrize("value", [0, 1])
def test_a_share_is_neither_none_nor_all(value):
    with pytest.raises(InputError, match=rf"^Parameter x has the value {value}; a number between 0 and 1 is expected"):
        checks.share(x=value)
    checks.share(x=abs(value - 1e-9))


def test_a_whole_number_may_be_the_least():
    checks.whole(2, x=2)
    with pytest.raises(InputError, match=r"^Parameter x has the value 1; a whole number from 2 on is expected\.$"):
        checks.whole(2, x=1)


# Papers


def test_advice_reaches_to_both_ends():
    for value in (1.0, 2.0):
        advice.within((1, 2), flops=value)
    for value in (0.99, 2.01):
        with pytest.raises(InputError, match=rf"^Parameter flops has the value {value}; a number from 1 to 2 is expe"):
            advice.within((1, 2), flops=value)


def test_a_law_of_dense_models_says_nothing_of_most_experts():
    """It has one number of experts, which is not a choice."""
    assert advice.advise("besiroglu2024", 1e21).most is False


@pytest.mark.parametrize(
    ("extrapolate", "ends"),
    [(False, (1e20 * (1 - 1e-9), 3e20 * (1 + 1e-9))), (True, (1e20 / 1e6, 3e20 * 1e6))],
)
def test_budgets_from_end_to_end_have_a_plan(monkeypatch, extrapolate, ends):
    """Without an extrapolation a billionth of a budget is a rounding; with one a factor of a million is the most."""
    monkeypatch.setitem(allocation.PLANNERS, "mine", (lambda flops: flops, (1e20, 3e20)))
    for end, beyond in zip(ends, (0, math.inf), strict=True):
        assert allocation.allocate("mine", end, extrapolate) == end
        with pytest.raises(InputError, match=r"outside the runs of mine|nothing can be said farther"):
            allocation.allocate("mine", np.nextafter(end, beyond), extrapolate)


def test_a_step_holds_the_ends_of_its_interval():
    step = Step("x", "", 1.0, "printed", "Table 1", 0.5, 2.0)
    assert [step.holds(value) for value in (0.49, 0.5, 2.0, 2.01)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("ends", "source"),
    [((1, 2), "refitted"), ((0.5, 1), "refitted"), ((1.01, 2), "chosen"), ((0.5, 0.99), "chosen")],
)
def test_a_width_at_the_end_of_the_feasible_ones_is_kept(monkeypatch, ends, source):
    width = float(of_wan2026.trends()["width"](1e20))
    monkeypatch.setattr(of_wan2026.law, "feasible_widths", lambda *_: tuple(width * end for end in ends))
    monkeypatch.setattr(of_wan2026, "width_band", lambda *_: (1000.0, 2000.0))
    step, said = of_wan2026._width(1e20, (5.9e9, 7.2e8, 1.59e10), wan2026.Setting(16, 8, 128))
    assert (step.source, len(said)) == (source, 0 if source == "refitted" else 1)


@pytest.mark.parametrize(
    ("flops", "heads", "experts"),
    [(2e20, "Table 4 at the nearest scale", "chosen at"), (1e24, "width of Table 4, and", "recommended for large")],
)
def test_only_outside_the_runs_are_heads_and_experts_those_of_larger_budgets(flops, heads, experts):
    plan = of_wan2026.plan(flops)
    assert plan.step("n_heads").how.startswith(heads)
    assert plan.step("expansion").how.startswith(f"Appendix F.4, {experts}")


SETTING = wan2026.Setting(16, 8, 128)


def test_not_all_experts_are_active():
    assert wan2026.Setting(16, 8, 128, N_e=9, K=8).idle == 1
    with pytest.raises(InputError, match=r"^Parameter K is not less than N_e"):
        wan2026.Setting(16, 8, 128, N_e=8, K=8)


def test_no_dense_layer_is_a_number_of_layers():
    """Eq. 7 without dense layers: 2 (16 + 8) 128 d L + 3 d d_m 9 L, with L = 2, d = 64, d_m = 8."""
    assert wan2026.account(64, 0, 2, 8, SETTING).N_a == 6144 * 64 * 2 + 27 * 64 * 8 * 2
    with pytest.raises(InputError, match=r"^Parameter L_d holds a negative or infinite number; a number of layers"):
        wan2026.account(64, -1, 2, 8, SETTING)


# With 280 idle experts of a million weights and nine in use, nothing is left of nine million for the rest.
ALL_EXPERTS = (9e6, 9e6 + 280e6)


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ((6e9, 1e9, 2e9), "Parameter M is not greater than six times N_a"),
        ((8e9, 1e9, 1e9), "Parameter N is not greater than N_a"),
        ((8e9, *ALL_EXPERTS), "Parameter N is too large for N_a"),
    ],
)
def test_sizes_that_leave_nothing_are_refused(sizes, said):
    for solve in (wan2026.solve, wan2026.solve_matched):
        with pytest.raises(InputError, match=f"^{said}"):
            solve(*sizes, 100, SETTING)


def test_no_width_leaves_room_where_nothing_is_left():
    """No attention scores, or no weights outside experts; with a little of either there is a width."""
    assert np.isnan(wan2026.width_of_dense(6e9, 1e9, 2e9, 1, SETTING))
    assert wan2026.width_of_dense(6e9 + 1, 1e9, 2e9, 1, SETTING) > 0
    assert np.isnan(wan2026.width_of_dense(8e9, *ALL_EXPERTS, 1, SETTING))
    assert wan2026.width_of_dense(8e9, ALL_EXPERTS[0], ALL_EXPERTS[1] - 1e3, 1, SETTING) > 0


def test_no_width_is_feasible_without_idle_experts():
    assert np.isnan(wan2026.feasible_widths(12e9, 1e9, 1e9, SETTING)).all()
    assert np.isfinite(wan2026.feasible_widths(12e9, 1e9, 1.001e9, SETTING)).all()


def test_poles_at_one_place_have_nothing_between_them():
    with pytest.raises(InputError, match=r"^Parameter high has the value 2; a number above 2 is expected\.$"):
        minima.BetweenPoles(1, 1, 2, low=2, high=2)


SMALL = wan2026.Setting(4, 2, 64)


def test_steps_and_tolerances_that_a_search_takes():
    sizes = wan2026.account(256, 1, 5, 64, SMALL)
    for name, value in (("tolerance", 0), ("tolerance", 1), ("step", 0), ("least_dense", -1)):
        with pytest.raises(InputError, match=f"^Parameter {name} has the value {value}; a "):
            shapes.space(*sizes, SMALL, **{name: value})
    box = shapes.space(*sizes, SMALL, tolerance=0.01, step=1, least_dense=0)
    assert (box.least_dense, box.widths[0], box.expert_widths[0]) == (0, 1, 1)


def test_layers_of_a_search_end_where_the_work_of_their_scores_does():
    """Within 1 % of the middle row of Table 21, (M - 6 N_a) over the scores of a layer is 14.97 to 17.02."""
    sizes = wan2026.account(2040, 1, 15, 592, SETTING)
    assert shapes.space(*sizes, SETTING, tolerance=0.01).layers.tolist() == [15, 16, 17]


@pytest.mark.parametrize("divisor", [1, 3])
def test_a_size_exactly_at_its_tolerance_is_found(divisor):
    """Half of twice the sizes, and one and a half of two thirds of them, are the sizes to the last bit."""
    exact = np.array(wan2026.account(256, 1, 5, 64, SMALL))
    found = shapes.within(*(exact * 2 / divisor), SMALL, tolerance=0.5, widths=(256, 256))
    assert ((found.n_dense_layers == 1) & (found.n_moe_layers == 5) & (found.d_expert == 64)).sum() == 1


def test_the_layer_of_most_experts_is_one_of_the_layers():
    """Where it is the first or the last, that end keeps its own number."""
    assert of_yang2025(2, 6, 4, 1, 3).tolist() == [2, 5, 4]
    assert of_yang2025(2, 6, 4, 3, 3).tolist() == [2, 4, 4]
    for layer in (0, 4):
        with pytest.raises(InputError, match=f"^Parameter peak_layer is {layer}; a layer from 1 to 3 is expected"):
            of_yang2025(2, 6, 4, layer, 3)


NAMES = ["A", "B", "C", "F", "alpha", "beta", "gamma", "d", "E_start", "E_max"]
VALUES = dict(zip(NAMES, (482.01, 0.0, 2085.43, 1.8172, 0.3478, 1.0, 0.3658, 0.0, 2.0, 300.0), strict=True))


@pytest.mark.parametrize(("name", "ends"), [("d", (-0.2, 0.2)), ("E_start", (1, 64)), ("alpha", (0, 3))])
def test_coefficients_reach_to_the_ends_of_their_range(tmp_path, name, ends):
    path = tmp_path / "values.json"
    for end, beyond in zip(ends, (-0.01, 0.01), strict=True):
        path.write_text(json.dumps(VALUES | {name: end}), encoding="utf-8")
        assert of_yun2024.read_coefficients(path)[0][NAMES.index(name)] == end
        path.write_text(json.dumps(VALUES | {name: end + beyond}), encoding="utf-8")
        with pytest.raises(InputError, match=f"{name} is .*; a number from {ends[0]:g} to {ends[1]:g} is expected"):
            of_yun2024.read_coefficients(path)


def test_a_coefficient_may_be_the_largest_float(tmp_path):
    path = tmp_path / "values.json"
    path.write_text(json.dumps(VALUES | {"A": sys.float_info.max}), encoding="utf-8")
    assert of_yun2024.read_coefficients(path)[0][0] == sys.float_info.max
    for value in (2 * int(sys.float_info.max), math.inf):
        path.write_text(json.dumps(VALUES | {"A": value}), encoding="utf-8")
        with pytest.raises(InputError, match=r"A is .*; a finite number is expected\.$"):
            of_yun2024.read_coefficients(path)


@pytest.mark.parametrize("name", ["base", "experts"])
def test_one_expert_is_a_number_of_experts(tmp_path, name):
    path = tmp_path / "values.json"
    path.write_text(json.dumps(VALUES | {"F": 1.0, "B": 0.8}), encoding="utf-8")
    assert of_yun2024.plan(5e21, path, **({"base": 1, "experts": 4} | {name: 1})).base.n_routed == 1
    for value in (0.99, math.inf):
        with pytest.raises(
            InputError, match=rf"^Parameter {name} has the value {value:g}; a number from 1 on is expec"
        ):
            of_yun2024.plan(5e21, path, **({"base": 4, "experts": 4} | {name: value}))


@pytest.mark.parametrize(("far", "said"), [(0.0, []), (0.5, ["The chosen model is an", "The base model is an"])])
def test_a_model_among_the_runs_is_no_extrapolation(monkeypatch, far, said):
    monkeypatch.setattr(of_yun2024, "distance", lambda *_: np.array([far]))
    model = SimpleNamespace(n_dense=1e9, n_tokens=1e11, n_routed=8)
    answer = SimpleNamespace(to_optimum=0.5, chosen=model, base=model)
    found = of_yun2024._objections(answer, object(), "loss")
    assert [sentence.startswith(start) for sentence, start in zip(found, said, strict=True)] == [True] * len(said)


@pytest.mark.parametrize("name", ["A", "C", "alpha", "gamma"])
def test_a_loss_without_one_of_its_terms_has_no_minimum(name):
    """Without d, the exponents alone say how the loss falls and rises along a budget."""
    theta = np.array(list((VALUES | {name: 0.0}).values()))
    with pytest.raises(InputError, match=r"^The loss has no minimum along a budget; positive A and C are expected"):
        budget.loss_at(theta, 1e9, 6e21, 1, 1)


def test_a_memory_for_just_one_request_serves():
    model = SimpleNamespace(weights=8.0, cache=2.0)
    found = [float(cost.largest_batch(model, SimpleNamespace(memory=memory), 1)) for memory in (9.5, 10.0, 12.0)]
    assert found == pytest.approx([np.nan, 1, 2], nan_ok=True)


def test_a_step_without_requests_reads_the_weights():
    """A dense size of 1e9 has two bytes for each of its weights."""
    device = load_device("A100-40G-SXM")
    step = cost.iteration(Footprint.of_size([1e9], 1), device, 1, [0.0])
    assert step.seconds == pytest.approx([2e9 / device.bandwidth])


def test_so_many_devices_are_tried_and_no_more():
    """A dense size of 7.8e10 has 1.56e11 bytes of weights, which four devices of 40e9 hold and three do not."""
    model, device = Footprint.of_size([7.8e10], 1), load_device("A100-40G-SXM")
    assert cost.cheapest(model, device, 4).gpus.tolist() == [4]
    assert np.isnan(cost.cheapest(model, device, 3).gpus).all()
    assert np.isfinite(cost.cheapest(model, device, 4096).gpus).all()
    with pytest.raises(InputError, match=r"^Parameter most_gpus has the value 4097; at most 4096 are expected\.$"):
        cost.cheapest(model, device, 4097)


@pytest.mark.parametrize("zero", [1.0, 5.0])
def test_a_zero_at_an_end_is_a_crossing(zero):
    assert overtraining.crossing(lambda x: x - zero, 1.0, 5.0) == pytest.approx(zero, rel=1e-12)
    assert np.isnan(overtraining.crossing(lambda x: x - (0.99 if zero == 1 else 5.01), 1.0, 5.0))


def test_eight_devices_are_the_most_that_statements_count_with():
    """Two bytes of 1.55e11 weights fill 7.75 devices of 40e9 bytes, those of 1.61e11 fill 8.05."""
    assert np.isfinite(rules.on_fewest(np.array(1.55e11), 1))
    assert np.isnan(rules.on_fewest(np.array(1.61e11), 1))


def test_an_infinite_margin_is_inside_a_range_without_an_end():
    open_ended = [one.high == np.inf for one in statements.STATEMENTS]
    found = statements.residuals(np.full(len(open_ended), np.inf))
    assert any(open_ended)
    assert found[open_ended].tolist() == [0] * sum(open_ended)


# Models


def layered(count, **values):
    return Keys({"num_hidden_layers": count, **values}, "mine.json")


@pytest.mark.parametrize(
    ("pattern", "values", "expected"),
    [
        (layers.ernie, {"moe_layer_start_index": 3, "moe_layer_end_index": 9}, [3, 4, 5]),
        (layers.jamba, {"expert_layer_period": 2, "expert_layer_offset": 0}, [0, 2, 4]),
        (layers.interleaved, {"interleave_moe_layer_step": 7}, []),
        (layers.interleaved, {"interleave_moe_layer_step": 1}, [0, 1, 2, 3, 4, 5]),
        (layers.leading, {"num_dense_layers": 2, "moe_layer_freq": 3}, [3]),
        (layers.enumerated, {"moe_layers_enum": "00000005"}, [5]),
    ],
)
def test_no_layer_stands_behind_the_last(pattern, values, expected):
    assert pattern(layered(6, **values)) == expected


def test_a_layer_has_no_nine_digits():
    with pytest.raises(InputError, match=r"layers from 0 to 5, separated by commas, is expected"):
        layers.enumerated(layered(6, moe_layers_enum="000000005"))


def test_a_list_for_just_the_layers_needs_no_note():
    keys = layered(3, s=[0, 1, 1])
    assert (layers.switches(keys, "s"), keys.notes) == ([False, True, True], [])


ATTENTION = GroupedAttention(2, 2, 4)


def test_a_bias_is_no_matrix():
    """Two heads of 4 elements at a width of 8: four matrices of 8 x 8, and a bias of 8 for each."""
    biased = GroupedAttention(2, 2, 4, qkv_bias=True, output_bias=True)
    assert (biased.matrices(8), biased.weights(8)) == (4 * 64, 4 * 64 + 4 * 8)


@pytest.mark.parametrize(("n_layers", "n_moe"), [(4, 2), (5, 3)])
def test_the_next_period_of_experts_is_behind_the_last_layer(n_layers, n_moe):
    """Layers 0, 2 and, where there is a fifth, 4."""
    model = Architecture(
        n_layers=n_layers, d_model=8, vocab=10, attention=ATTENTION, tied=True, d_dense=16, n_dense_layers=0,
        d_expert=4, n_routed=4, top_k=2, moe_every=2,
    )  # fmt: skip
    assert model.n_moe_layers == n_moe


def test_what_has_no_width_has_no_bias():
    """Two layers of four experts, with biases of 4 + 4 + 8 in each, and no shared expert."""
    model = Architecture(
        n_layers=2, d_model=8, vocab=10, attention=ATTENTION, tied=True, d_dense=16, n_dense_layers=0,
        d_expert=4, n_routed=4, top_k=4, ff_bias=True,
    )  # fmt: skip
    assert {tensor.part for tensor in model.tensors} == {"embedding", "norm", "attention", "experts", "router"}
    biases = [tensor for tensor in model.tensors if tensor.part == "experts" and len(tensor.shape) == 1]
    assert sum(tensor.shape[0] * tensor.stored for tensor in biases) == 2 * 4 * (4 + 4 + 8)


def test_one_of_each_makes_an_architecture():
    row = {"n_layers": 1, "d_model": 1, "n_heads": 1, "n_kv_heads": 1, "d_dense": 1}
    model = catalogue.from_row(row, vocab=3)
    assert (model.n_layers, model.d_model, model.d_dense) == (1, 1, 1)
    for name in row:
        with pytest.raises(InputError, match=rf"^Column '{name}' is empty or zero; an architecture needs it to be at"):
            catalogue.from_row(row | {name: 0}, vocab=3)


def config(name, **changes):
    values = json.loads((ROOT / f"data/model_configs/{name}.json").read_text(encoding="utf-8"))
    return Keys(values | changes, "mine.json")


def test_a_token_may_use_all_experts():
    assert huggingface.parse(config("mixtral-8x7b", num_experts_per_tok=8)).architecture.top_k == 8
    with pytest.raises(InputError, match=r"key 'num_experts_per_tok': 9 is found"):
        huggingface.parse(config("mixtral-8x7b", num_experts_per_tok=9))


@pytest.mark.parametrize("width", [0, 512])
def test_a_shared_expert_without_width_is_none(width):
    model = huggingface.parse(config("granite-4.0-h-small", shared_intermediate_size=width)).architecture
    assert (model.n_shared, model.shared_width) == (int(width == 512), width)


@pytest.mark.parametrize("layer", [31, 32])
def test_an_index_that_has_one_layer_more_is_noted(layer):
    """Mixtral's 32 layers are numbered from 0 to 31."""
    index = Keys({"metadata": {}, "weight_map": {f"model.layers.{layer}.x": "a"}}, "model.safetensors.index.json")
    notes = huggingface.parse(config("mixtral-8x7b"), {"model.safetensors.index.json": index}).notes
    noted = "The index of the weights has layers 32 to 32, which are not counted." in notes
    assert noted is (layer == 32)


@pytest.mark.parametrize(("bits", "known"), [(0, False), (1, True), (8, True), (9, False)])
def test_a_weight_has_one_to_eight_bits(bits, known):
    stated = {"quant_method": "gptq", "bits": bits, "some": 1}
    assert (storage.quantised(Keys({"quantization": stated}, "mine.json"), None) is not None) is known


@pytest.mark.parametrize(
    ("entry", "parts"),
    [
        (f"re:[{187 * 'x'}l]m_head", {"head"}),
        (f"re:[{188 * 'x'}l]m_head", set()),
        ("re:l.*m.*_.*head", {"head"}),
        ("re:l.*m.*_.*h.*ead", set()),
        ("re:(l)(m)(_)(h)(e)ad", {"head"}),
        ("re:(l)(m)(_)(h)(e)(a)d", set()),
    ],
)
def test_expressions_are_read_while_they_are_plain(entry, parts):
    """Those of fewer than 200 characters, with up to three repetitions and five choices."""
    form = storage.quantised(Keys({"quantization": {"bits": 4, "ignore": [entry]}}, "mine.json"), None)
    assert form.wide == parts


# Data


def test_of_a_long_expression_the_beginning_is_quoted():
    rows = pd.DataFrame({"n": [1.0, 2.0]})
    for count, quoted in ((80, f"'{'n' * 80}'"), (81, f"'{'n' * 80}…'")):
        with pytest.raises(InputError) as error:
            condition.where(rows, count * "n")
        assert str(error.value).startswith(f"Expression {quoted} cannot be read (there is no column '{count * 'n'}')")


def test_conditions_of_a_thousand_characters_are_read():
    rows = pd.DataFrame({"n": [1.0, 2.0]})
    assert condition.where(rows, "n > 1".ljust(1000)).tolist() == [False, True]
    with pytest.raises(InputError, match=r"\(it has 1001 characters; at most 1000 are read\)"):
        condition.where(rows, "n > 1".ljust(1001))


@pytest.mark.parametrize(("count", "shown"), [(40, 40 * "n"), (41, 40 * "n" + "…")])
def test_of_a_long_part_of_a_condition_the_beginning_is_shown(count, shown):
    """The part is -n…, whose sign is one of the letters."""
    with pytest.raises(InputError, match=rf"\('-{shown.replace('n', '', 1)}' is no condition\)"):
        condition.where(pd.DataFrame({"n": [1.0, 2.0]}), "-" + (count - 1) * "n")


def test_a_file_of_just_the_most_bytes_is_read(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"a,b\n")
    assert files.contents(path, 4) == b"a,b\n"
    with pytest.raises(InputError, match=r"a: the file is larger than 0 MiB, which is the most that is read\.$"):
        files.contents(path, 3)


@pytest.mark.parametrize("unit", [0.0, math.inf])
def test_a_unit_is_positive_and_finite(unit):
    with pytest.raises(InputError, match=rf"^mine: 'loss' has the unit {unit:g}; a positive number is expected\.$"):
        mapping.checked(mapping.Mapping(units={"loss": unit}), "mine")


def test_a_billion_parameters_are_held_out():
    rows = {"step": 249_000, "hyper_id": ["a", "b"], "num_experts": 1, "dense_parameter_count": [1e9 - 1, 1e9]}
    found = public_runs.sldbench_split(pd.DataFrame(rows | {"loss_validation": 2.0}))
    assert found.split.tolist() == ["train", "test"]


def test_zero_is_a_number_but_no_positive_one():
    rows = pd.DataFrame({"loss": [0.0]})
    assert table.numbers(rows, "loss", positive=False).tolist() == [0]
    with pytest.raises(InputError, match=r"column 'loss': '0\.0' is found; a positive number is expected"):
        table.numbers(rows, "loss")


@pytest.mark.parametrize("count", [20, 21])
def test_up_to_twenty_columns_are_listed(count):
    with pytest.raises(InputError) as error:
        table.only(pd.DataFrame({f"c{n}": [1] for n in range(count)}), "zzz", "The table")
    assert str(error.value).endswith("c19." if count == 20 else "c19, ….")


def test_a_column_is_told_by_the_words_of_its_name():
    """A word of one letter is none, and words may be all that there are."""
    assert table.nearest("n_gadgets", ["number_of_gadgets_used_here"]) == "number_of_gadgets_used_here"
    assert table.nearest("alpha_beta_gamma", ["gamma_beta_alpha"]) == "gamma_beta_alpha"
    assert table.nearest("alpha_beta_gamma", ["gamma_beta"]) is None


# Laws


def test_an_excess_of_nothing_is_reached_at_no_size():
    assert inverse_power(np.array([8.0, 0.0]), np.array([0.0, 0.0]), np.array(0.5)).tolist() == [np.inf, np.inf]


@pytest.mark.parametrize("base", [0.0, math.inf])
def test_the_base_of_a_logarithm_is_positive_and_finite(base):
    with pytest.raises(InputError, match=r"a positive number other than one is expected"):
        PowerProduct("mine", {"a": ("n_active",)}, bases={"n_active": base})


@pytest.mark.parametrize("base", [1.0, math.inf])
def test_the_bases_of_tian2025_are_greater_than_one(base):
    for name in ("granularity_base", "flops_base"):
        with pytest.raises(InputError, match=rf"^Parameter {name} has the value {base}; a number greater than one is"):
            Tian2025(**{name: base})


# Claims


@pytest.mark.parametrize(
    ("printed", "computed", "options", "verdict"),
    [  # What is equal up to a billionth is equal; the ends are those of a printed zero, where they are exact.
        (Printed("0", ">="), -1e-9, {}, "agrees"),
        (Printed("0", ">="), -1.1e-9, {}, "differs"),
        (Printed("0"), 3.0, {"interval": (1e-9, 5.0)}, "agrees"),
        (Printed("0"), 3.0, {"interval": (1.1e-9, 5.0)}, "differs"),
        (Printed("0"), -3.0, {"interval": (-5.0, -1e-9)}, "agrees"),
        (Printed("0"), -3.0, {"interval": (-5.0, -1.1e-9)}, "differs"),
        (Printed("0"), 2 + 1e-9, {"tolerance": "2"}, "close"),
        (Printed("0"), 2 + 1.1e-9, {"tolerance": "2"}, "differs"),
        (Printed("4"), 4.9, {}, "differs"),
        (Printed("46"), 46.9, {}, "close"),
        (Printed("46"), 47.0, {}, "differs"),
    ],
)
def test_verdicts_at_their_ends(printed, computed, options, verdict):
    assert printed.verdict(computed, **options) == verdict


@pytest.mark.parametrize(
    ("value", "text"),
    [(999_999.0, "999,999"), (1e6, "1.000 × 10⁶"), (1e-3, "0.001"), (0.00099, "9.900 × 10⁻⁴")],
)
def test_numbers_are_written_out_from_a_thousandth_to_a_million(value, text):
    assert html.number(value) == text


def claim_of(count):
    return {
        "id": "mine-C01", "place": "", "statement": "", "note": "", "criterion": "", "verdict": "agrees", "unit": "1",
        "evidence": "", "computed": [1.0] * count, "values": ["1"] * count, "intervals": [],
        "verdicts": ["agrees"] * count,
    }  # fmt: skip


def test_up_to_eight_numbers_are_shown_at_once():
    assert html.shown([1.0] * 8) == "; ".join("1" * 8)
    assert html.shown([1.0] * 9) == "1 … 1 (9 values)"
    assert "<summary>" not in html.card(claim_of(8))
    assert "<summary>9 numbers: 9 agree" in html.card(claim_of(9))


def test_only_several_numbers_have_a_verdict_each():
    assert ['<th scope="col">Verdict</th>' in html.card(claim_of(count)) for count in (1, 2)] == [False, True]


# Serving


def test_a_token_may_use_all_the_experts_that_a_server_has():
    for count in (distinct_experts, even_experts):
        assert count(8, 8, 3) == 8
        with pytest.raises(InputError, match=r"^Parameter top_k is greater than n_routed"):
            count(8, 9, 3)


def test_a_request_has_one_token_at_least():
    assert Traffic(1, 1).context == 1.5
    for name in ("tokens_in", "tokens_out"):
        for value in (0.9, math.inf):
            with pytest.raises(InputError, match=rf"^Parameter {name} has the value {value}; a number from 1 on is"):
                Traffic(**({"tokens_in": 1, "tokens_out": 1} | {name: value}))


def test_results_of_a_benchmark_are_positive_and_finite():
    assert measured._number({"x": sys.float_info.max}, "x", "mine") == sys.float_info.max
    for value in (0, math.inf, 2 * int(sys.float_info.max)):
        with pytest.raises(InputError, match=r"^mine: 'x' is .*; a positive number is expected\.$"):
            measured._number({"x": value}, "x", "mine")


def test_measurements_may_use_all_experts(tmp_path):
    law = measured.law_of(huggingface.parse(config("mixtral-8x7b")))
    path = tmp_path / "a.csv"
    path.write_text("concurrency,tokens_in,tokens_out,n_routed,top_k,step_ms\n1,2,3,8,8,4\n", encoding="utf-8")
    assert measured.read([path], law)[["n_routed", "top_k"]].values.tolist() == [[8, 8]]
    for n_routed, top_k, column in ((8, 9, "top_k"), (9, 8, "n_routed")):
        path.write_text(
            f"concurrency,tokens_in,tokens_out,n_routed,top_k,step_ms\n1,2,3,{n_routed},{top_k},4\n", encoding="utf-8"
        )
        with pytest.raises(InputError, match=rf"column '{column}': 9 is found; at most 8 are expected"):
            measured.read([path], law)


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ([0.5], []),
        ([0.49], ["The median"]),
        ([5000], []),
        ([5001], ["The median"]),
        ([1, 30], []),
        ([1, 31], ["Times of a step"]),
    ],
)
def test_times_of_a_step_that_look_like_another_unit(monkeypatch, times, said):
    law = measured.law_of(huggingface.parse(config("mixtral-8x7b")))
    monkeypatch.setattr(steps, "USUAL_DEVICE", SimpleNamespace(roofline=lambda *_: 1.0))
    monkeypatch.setattr(steps.StepTime, "observed", lambda *_: np.array(times, dtype=float))
    rows = pd.DataFrame(
        {"concurrency": 1, "tokens_in": 2, "tokens_out": 3, "n_routed": 8, "top_k": 2}, range(len(times))
    )
    found = list(law.doubts(rows))
    assert [sentence.startswith(start) for sentence, start in zip(found, said, strict=True)] == [True] * len(said)


# Teaching


def lab(budget=4.0):
    return Lab(pd.DataFrame({"run": list("abc"), "flops": [1.0, 3.0, 9.0], "loss": [4.0, 3.5, 3.1]}), ["c"], budget)


def test_all_of_a_budget_can_be_spent():
    spent = lab()
    spent.buy(["a", "b"])
    assert spent.left == 0
    with pytest.raises(InputError, match=r"^The 2 new runs cost 4 FLOP; at most the 3\.9 FLOP left are expected\.$"):
        lab(3.9).buy(["a", "b"])


@pytest.mark.parametrize("ends", [(3.2, 3.4), (3.0, 3.2), (3.2, 3.2)])
def test_a_prediction_may_lie_at_the_end_of_its_interval(ends):
    handed = lab()
    handed.predict("c", 3.2, *ends)
    assert handed.reveal().low.tolist() == [ends[0]]
    for low, high in ((3.21, 3.4), (3.0, 3.19)):
        with pytest.raises(InputError, match=r"is expected to lie inside it"):
            lab().predict("c", 3.2, low, high)


# The command line


def run(*arguments):
    return CliRunner().invoke(main, list(arguments))


def test_a_limit_to_the_size_is_positive():
    said = run("allocate", "--fit", "nowhere", "--flops", "1e21", "--max-total", "0").stderr
    assert "Option --max-total is 0; a positive number is expected." in said
    assert "--max-total" not in run("allocate", "--fit", "nowhere", "--flops", "1e21", "--max-total", "1").stderr


@pytest.mark.parametrize("count", [1, 2])
def test_only_several_designs_are_compared(monkeypatch, count):
    best = SimpleNamespace(
        run={"n_active": 1e9}, loss=2.5, intervals={}, warnings=(), distance=0.0,
        by_expansion=pd.DataFrame({"experts": range(count)}),
    )  # fmt: skip
    fitted = SimpleNamespace(law=SimpleNamespace(name="mine"), table=[0], warnings=())
    monkeypatch.setattr("moelaws.fitting.saved.load", lambda _: (fitted, None))
    monkeypatch.setattr("moelaws.fitting.optimum.optimum", lambda *_, **__: best)
    said = run("allocate", "--fit", "x", "--flops", "1e21").stdout
    assert "n_active = 1e+09" in said
    assert ("experts" in said) is (count == 2)


@pytest.mark.parametrize(("value", "taken"), [("0", False), ("8", True), ("8.01", False)])
def test_a_weight_has_up_to_eight_bytes(monkeypatch, value, taken):
    asked = []
    monkeypatch.setattr(of_fits, "_fit", lambda *arguments: asked.append(arguments))
    examples = ROOT / "data/examples"
    for option in ("--weight-bytes", "--cache-bytes"):
        said = run(
            "fit-serving", f"{examples}/serving.csv", "--config", f"{examples}/config.json", option, value
        ).stderr
        assert (f"Option {option} is {value}; a number of bytes, more than 0 and at most 8, is" in said) is not taken
    assert len(asked) == 2 * taken


def loss_of(monkeypatch, delta=None, above=1.0):
    """Return the loss that the command would fit with."""
    monkeypatch.setattr(of_fits, "rows_of", lambda *_, **__: pd.DataFrame({"loss": [1.0]}))
    return of_fits._read("mine.csv", ["loss"], "huber", delta, "log", above, None, False, ())[1]


@pytest.mark.parametrize(("option", "value"), [("delta", 1e-6), ("delta", 10.0), ("above", 1e-6), ("above", 1e6)])
def test_a_loss_may_have_the_ends_of_what_is_allowed(monkeypatch, option, value):
    assert getattr(loss_of(monkeypatch, **{option: value}), option) == value


@pytest.mark.parametrize(
    ("option", "value", "most"),
    [("delta", 0.9e-6, "10"), ("delta", 10.1, "10"), ("above", 0.9e-6, "1e+06"), ("above", 1.1e6, "1e+06")],
)
def test_a_loss_beyond_what_is_allowed_is_refused(monkeypatch, option, value, most):
    with pytest.raises(InputError) as error:
        loss_of(monkeypatch, **{option: value})
    assert str(error.value) == f"Option --{option} is {value:g}; a positive number is expected, 1e-06 to {most}."


def test_three_rows_or_groups_are_few_but_enough():
    rows = pd.DataFrame({"n": [1.0, 2.0, 3.0, 4.0], "two": list("aabb"), "three": list("aabc")})
    assert of_fits._held_out(rows, "n > 1")[1] == []
    assert of_fits._held_out(rows, "n > 2")[1] == ["2 of 4 rows held out: an error that says little of others."]
    of_fits._check_groups(rows, "three")
    with pytest.raises(InputError, match=r"^Column 'two' makes 2 groups; --by expects at least 3 to draw from\.$"):
        of_fits._check_groups(rows, "two")


def test_a_coefficient_is_held_at_the_ends_of_its_range():
    assert of_fits._held(LAWS["dense"], ("alpha=0", "beta=3")) == {"alpha": 0, "beta": 3}
    for pair in ("alpha=-0.01", "beta=3.01"):
        with pytest.raises(InputError, match=r"^Option --hold gives .*; 0 to 3 is expected\.$"):
            of_fits._held(LAWS["dense"], (pair,))
    with pytest.raises(InputError, match=r"^Option --hold holds all parameters"):
        of_fits._held(LAWS["dense"], ("E=1", "A=1", "B=1", "alpha=1", "beta=1"))


@pytest.mark.parametrize("flops", ["0", "inf"])
def test_a_budget_is_positive_and_finite(flops):
    said = run("isoflop", "nowhere.csv", "--flops", flops).stderr
    assert f"Option --flops is {flops}; a positive number is expected." in said


@pytest.mark.parametrize(("count", "refused"), [(80, False), (81, True)])
def test_a_title_has_up_to_eighty_letters(count, refused):
    said = run("new-chapter", "No Name", "--table", "x.csv", "--law", "dense", "--title", count * "a").stderr
    assert ("Option --title has no text, more than 80 letters" in said) is refused
    assert ("'No Name' is no name of a chapter" in said) is not refused


# Chapters of one's own


def runs(count):
    """Return runs of so many sizes, with three amounts of tokens each."""
    rows = [(n, d) for n in np.geomspace(1e8, 9e8, count) for d in (1e9, 2e9, 1e10)]
    made = pd.DataFrame(rows, columns=["n_active", "n_tokens"]).assign(n_routed=8.0)
    return made.assign(loss=1.7 + 400 / made.n_active**0.34 + 400 / made.n_tokens**0.28)


def planned(monkeypatch, rows):
    """Return the plan of a chapter that holds out the most tokens, without the comparison itself."""
    monkeypatch.setattr(chapter, "compare", lambda *_, **__: None)
    return chapter.plan(rows, LAWS["dense"], "n_tokens > 5e9")[0]


def test_laws_with_as_many_parameters_as_runs_are_left_out(monkeypatch):
    """Of five sizes the last two are predicted, so that three with two amounts of tokens each are fitted: six runs."""
    rows = runs(5)
    rows.loc[::2, "n_routed"] = 16.0
    found = planned(monkeypatch, rows)
    assert found.left_out["wang2024"] == "6 parameters for 6 runs"
    assert "clark2022" not in found.laws
    assert "dense_tied" in found.laws


def test_a_column_of_two_values_is_no_constant(monkeypatch):
    rows = runs(7)
    one = planned(monkeypatch, rows)
    assert one.left_out["clark2022"] == "n_routed (one value)"
    rows.loc[::2, "n_routed"] = 16.0
    assert "clark2022" in planned(monkeypatch, rows).laws


def test_two_laws_can_be_compared(monkeypatch):
    monkeypatch.setattr(chapter, "LAWS", {name: LAWS[name] for name in ("dense", "dense_tied")})
    assert planned(monkeypatch, runs(7)).laws == ("dense", "dense_tied")
    monkeypatch.setattr(chapter, "LAWS", {"dense": LAWS["dense"]})
    with pytest.raises(InputError, match=r"^No second law can be compared with dense on these columns"):
        planned(monkeypatch, runs(7))


def test_the_highest_of_three_loads_is_held_out():
    assert chapter.heaviest(pd.DataFrame({"concurrency": [1, 4, 16]})) == "concurrency > 8"
    with pytest.raises(InputError, match=r"^The table has 2 loads; at least 3 are expected"):
        chapter.heaviest(pd.DataFrame({"concurrency": [1, 4]}))


def test_a_law_is_tested_along_a_column_of_four_values():
    rows = pd.DataFrame({"n_active": [1.0, 2, 3, 3], "n_tokens": [1.0, 2, 3, 4]})
    assert chapter._along(rows, LAWS["dense"]) == "n_tokens"
    with pytest.raises(InputError, match=r"^No column of the law has more than 3 different values .*n_active 3, n_tok"):
        chapter._along(rows.assign(n_tokens=1.0), LAWS["dense"])


def test_a_name_has_up_to_forty_letters():
    chapter._named(40 * "a")
    with pytest.raises(InputError, match=rf"^'{41 * 'a'}' is no name of a chapter"):
        chapter._named(41 * "a")


@pytest.mark.parametrize(("count", "more"), [(8, False), (9, True)])
def test_a_page_shows_eight_coefficients_first(monkeypatch, count, more):
    law = SimpleNamespace(response="loss", formula="x", reference="", parameters=range(count))
    monkeypatch.setattr(chapter, "find", lambda _: law)
    words = chapter.words_of_runs("mine", chapter.Plan("mine", ("mine",), "n > 1", "n", {}))
    assert ("The other coefficients" in words["more"]) is more


@pytest.mark.parametrize(
    ("ends", "inside"),
    [((0.3478, 0.4), "yes"), ((0.3, 0.3478), "yes"), ((0.3479, 0.4), "no"), ((0.3, 0.3477), "no")],
)
def test_a_printed_coefficient_at_the_end_of_an_interval_is_inside(ends, inside):
    """The refit of Chinchilla by Besiroglu et al. has an alpha of 0.3478."""
    values = dict.fromkeys(("E", "A", "B", "alpha", "beta"), 1.0)
    found = SimpleNamespace(law=LAWS["dense"], report=SimpleNamespace(intervals={"alpha": ends}), values=values)
    assert page.beside(found).inside["alpha"] == inside


@pytest.mark.parametrize(("ends", "wide"), [((1.0, 3.0), []), ((0.9, 3.0), ["a"])])
def test_a_coefficient_is_known_to_half_of_its_value(ends, wide):
    found = SimpleNamespace(free=["a"], report=SimpleNamespace(intervals={"a": ends}), values={"a": 2.0})
    assert page._wide(found) == wide


@pytest.mark.parametrize(("count", "granularity"), [(1, 1.0), (2, 2 * 4096 / 1024)])
def test_one_expert_is_no_finer_than_a_layer(tmp_path, count, granularity):
    """Granularity is twice the hidden size over the expert's width; a single expert is a dense layer."""
    path = tmp_path / "config.json"
    values = config("mixtral-8x7b", num_local_experts=count, num_experts_per_tok=1, intermediate_size=1024).values
    path.write_text(json.dumps(values), encoding="utf-8")
    found = tables._counts(path, path, True)
    assert (found["n_routed"], found["granularity"]) == (count, granularity)


def test_columns_that_just_suffice_compute_another():
    rows = pd.DataFrame({"n_active": [1e8], "n_tokens": [1e9]})
    assert tables._how("flops", "no such column", rows) == (
        'no such column; --map "flops== 6 * n_active * n_tokens" computes it'
    )
    assert tables._how("flops", "no such column", rows[["n_active"]]) == "no such column"
