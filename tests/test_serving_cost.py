"""What a token costs on devices of a data sheet: two ways in, limits, and how far it is from measurements."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moelaws import data
from moelaws.errors import InputError
from moelaws.fitting.estimation import RELATIVE_SQUARES, fit
from moelaws.models import catalogue as architecture
from moelaws.models.catalogue import Architecture, GroupedAttention
from moelaws.papers.yun2024.cost import cheapest, iteration, largest_batch, largest_size, step_times
from moelaws.serving import steps as serving
from moelaws.serving.footprint import MU, SHAREGPT, Footprint, Traffic
from moelaws.serving.steps import load_device

A100 = load_device("A100-40G-SXM")
UNLINKED = replace(A100, link=np.inf)
"""The same without any cost of links: ideal scaling."""

WHOLE = Traffic(160, 338)
sizes, expert_counts = st.floats(1e8, 2e10), st.sampled_from([1, 2, 4, 8, 16, 32])


def by_the_papers_rule(n_routed):
    """Return the largest model of Table 1, with experts in every second layer and next to no vocabulary."""
    dense = {} if n_routed > 1 else {"n_dense_layers": 24}
    experts = {"d_expert": 4096, "n_routed": n_routed, "top_k": 2, "moe_every": 2, "moe_offset": 1}
    return Architecture(
        n_layers=24,
        d_model=1536,
        vocab=1,
        attention=GroupedAttention(16, 16, 96),
        tied=True,
        d_dense=4096,
        **({"n_dense_layers": 0} | dense | (experts if n_routed > 1 else {})),
    )


@pytest.mark.parametrize("n_routed", [1, 4, 32])
def test_a_size_and_its_architecture_have_one_footprint(n_routed):
    n_dense = 12 * 1536**2 * 24
    rule = Footprint.of_size(n_dense, n_routed, WHOLE, mu=1536 * 24 / n_dense ** (2 / 3))
    exact = Footprint.of_architecture(by_the_papers_rule(n_routed), WHOLE)
    for name in ("cache", "exchange"):
        assert getattr(rule, name) == pytest.approx(getattr(exact, name), rel=1e-12)
    # What the rule leaves out: norms, routers, and the output layer of a vocabulary of one.
    for name in ("weights", "always", "experts", "token_flops", "prompt_flops"):
        assert getattr(rule, name) == pytest.approx(getattr(exact, name), rel=2e-3, abs=2 * n_dense * (n_routed == 1))
    for gpus in (1, 4):
        of_rule, of_exact = (iteration(model, A100, gpus, 100) for model in (rule, exact))
        assert of_rule.seconds == pytest.approx(of_exact.seconds, rel=1e-3)
        assert largest_batch(rule, A100, gpus) == pytest.approx(largest_batch(exact, A100, gpus), rel=1e-3)


def test_reads_are_those_of_the_step_time_law():
    """Chapter 03 counts the same bytes for a step of decoding."""
    lite = architecture.load("DeepSeek-V2-Lite")
    rows = {"concurrency": 16, "tokens_in": 1024, "tokens_out": 1024, "n_routed": 64, "top_k": 6}
    reads = serving.StepTime(lite).reads(rows)
    model = Footprint.of_architecture(lite, Traffic(1024, 1024))
    assert model.read(16) == pytest.approx(1e9 * (reads["always"] + reads["experts"]))
    assert 16 * model.cache == pytest.approx(1e9 * reads["cache"])


def test_mu_is_that_of_table_1_and_of_twelve_h_squared_l():
    n_dense = 679_477_248
    assert 1536 * 24 / n_dense ** (2 / 3) == pytest.approx(MU, abs=5e-5)
    assert pytest.approx(12 ** (-2 / 3) * 64 ** (-1 / 3), abs=5e-5) == MU


@pytest.mark.parametrize("n_routed", [1, 8])
def test_the_largest_batch_fills_the_memory_as_the_paper_says(n_routed):
    n_dense, elements = 3.4e9, A100.memory / 2
    model = Footprint.of_size(n_dense, n_routed)
    total = n_dense * (1 + (n_routed - 1) / 3)
    p, n, breadth = SHAREGPT.tokens_in, SHAREGPT.tokens_out, MU * n_dense ** (2 / 3)
    printed = (2 * elements - total) / ((2 * p + n) * breadth)
    assert largest_batch(model, A100, 2) == pytest.approx(printed)
    assert largest_batch(model, A100, 2, most_requests=256) == 256


def test_a_step_that_reads_the_whole_memory():
    """With a full memory and all experts touched, decoding takes as long as reading the memory once."""
    model = Footprint.of_size(3e9, 8)
    step = iteration(model, A100, 1, largest_batch(model, A100, 1))
    assert step.decode_s == pytest.approx(A100.memory / A100.bandwidth, rel=1e-6)


def test_roofline_limits():
    model = Footprint.of_size(3e9, 8)
    quick = iteration(model, replace(A100, bandwidth=np.inf), 1, 50)
    assert quick.utilisation == pytest.approx(1)
    assert iteration(model, replace(A100, flops=np.inf), 1, 50).decode_s < iteration(model, A100, 1, 50).seconds
    assert iteration(model, A100.at(0.5), 2, 50).seconds == pytest.approx(2 * iteration(model, A100, 2, 50).seconds)
    assert iteration(model, A100, 1, 50).link_s == 0


@given(sizes, expert_counts, st.integers(1, 8), st.floats(1, 2000))
def test_parts_scale_as_they_should(n_dense, n_routed, gpus, batch):
    model = Footprint.of_size(n_dense, n_routed)
    one, many = iteration(model, UNLINKED, 1, batch), iteration(model, UNLINKED, gpus, batch)
    assert many.seconds == pytest.approx(one.seconds / gpus)
    assert many.gpu_seconds == pytest.approx(one.gpu_seconds)
    assert 0 < many.utilisation <= 1 + 1e-12
    more = iteration(model, A100, gpus, 1.1 * batch)
    assert more.gpu_seconds < iteration(model, A100, gpus, batch).gpu_seconds


@given(sizes, expert_counts, st.integers(1, 8), st.floats(1.01, 2))
def test_a_larger_model_costs_more(n_dense, n_routed, most_gpus, factor):
    small, large = (
        cheapest(Footprint.of_size(size, n_routed), A100, most_gpus).gpu_seconds for size in (n_dense, n_dense * factor)
    )
    assert np.isnan(large) or large > small


def test_fewer_than_one_prompt_in_an_iteration():
    """P17: a prompt reads the weights for itself, however seldom prompts come; above one, they share."""
    model = Footprint.of_size(3.4e9, 1)
    batch = largest_batch(model, A100, 1)
    assert batch / SHAREGPT.tokens_out == pytest.approx(0.69, abs=0.01)
    tenth, one = (iteration(model, A100, 1, share * SHAREGPT.tokens_out) for share in (0.1, 1))
    assert tenth.prompt_s == pytest.approx(one.prompt_s / 10)
    three = iteration(model, A100, 1, 3 * SHAREGPT.tokens_out)
    assert three.prompt_s < 3 * one.prompt_s


def test_ideal_scaling_makes_all_devices_cheapest_and_links_do_not():
    """P18: weights are stored once while the memory grows; the sum over links costs more in the end."""
    model = Footprint.of_size(np.geomspace(1e9, 2e10, 30), 1)
    assert np.all(cheapest(model, UNLINKED).gpus == 8)
    linked = cheapest(model, A100).gpus
    assert linked.min() == 1
    assert 1 < linked.max() < 8
    assert np.all(np.diff(linked) >= 0)


def test_the_minimum_is_that_of_a_loop():
    for size in (1e9, 6e9, 3e10):
        model, costs = Footprint.of_size(size, 8), []
        for gpus in range(1, 9):
            costs.append(float(iteration(model, A100, gpus, largest_batch(model, A100, gpus)).gpu_seconds))
        best = cheapest(model, A100)
        assert best.gpu_seconds == pytest.approx(np.nanmin(costs))
        assert best.gpus == 1 + np.nanargmin(costs)


def test_another_device_is_needed_above_the_largest_size():
    gpus, experts = np.arange(1, 9), np.array([[1], [8], [32]])
    limit = largest_size(experts, A100, gpus)
    assert largest_batch(Footprint.of_size(limit * (1 - 1e-9), experts), A100, gpus) == pytest.approx(1, rel=1e-6)
    assert np.isnan(largest_batch(Footprint.of_size(limit * (1 + 1e-9), experts), A100, gpus)).all()
    past = Footprint.of_size(limit[:, -1] * 1.001, experts[:, 0])
    assert np.isnan(cheapest(past, A100).gpu_seconds).all()


def test_costs_do_not_depend_on_how_they_are_asked():
    table = cheapest(Footprint.of_size(np.array([[1e9], [5e9]]), np.array([1, 8, 32])), A100)
    assert table.gpu_seconds.shape == (2, 3)
    assert table.gpu_seconds[1, 2] == cheapest(Footprint.of_size(5e9, 32), A100).gpu_seconds
    assert table.gpu_seconds == pytest.approx(table.gpus / table.throughput)


def measured(key):
    rows = data.load("yang2025/throughput").query("table == @key and concurrency <= 128")
    return rows, serving.step_time(rows.throughput, rows.concurrency, rows.tokens_in, rows.tokens_out)


SERVERS = {
    8: ("DeepSeek-V2-Lite", load_device("A800-80G-PCIe"), 2, 2),
    9: ("DeepSeek-V3", load_device("H200-141G-SXM", "fp8"), 8, 1),
}


def predicted(key, efficiency=1.0):
    name, device, gpus, weight_bytes = SERVERS[key]
    return step_times(measured(key)[0], architecture.load(name), device.at(efficiency), gpus, weight_bytes)


def test_data_sheets_are_a_lower_bound_far_below_what_was_measured():
    """No parameter is fitted: steps of Tables 8 and 9 take three to twenty-seven times as long as data sheets allow."""
    for key, low, high in ((8, 0.17, 0.34), (9, 0.037, 0.24)):
        ratio = predicted(key) / measured(key)[1]
        assert low < ratio.min()
        assert ratio.max() < high
    errors = [float(np.abs(predicted(key) / measured(key)[1] - 1).mean()) for key in (8, 9)]
    assert errors == pytest.approx([0.714, 0.856], abs=5e-4)


def test_one_efficiency_serves_the_table_it_was_learned_on_and_not_the_other():
    ratio = predicted(8) / measured(8)[1]
    efficiency = float((ratio**2).sum() / ratio.sum())
    errors = [float(np.abs(predicted(key, efficiency) / measured(key)[1] - 1).mean()) for key in (8, 9)]
    assert errors[0] < 0.1
    assert errors[1] > 0.4


def test_what_data_sheets_leave_out_is_what_the_fit_finds():
    """With the fitted constant, cost of a request, and reached bandwidth and rate, the same counts predict Table 8."""
    rows, times = measured(8)
    lite = architecture.load("DeepSeek-V2-Lite")
    found = fit(serving.StepTime(lite), rows, RELATIVE_SQUARES).values
    reached = serving.Device(1e9 * found["bandwidth"], 1e12 * found["rate"], np.inf, np.inf)
    least = step_times(rows, lite, reached, 1)
    whole = least + found["overhead"] + found["per_request"] * rows.concurrency.to_numpy(float)
    assert np.abs(whole / times - 1).mean() < 0.1


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: Traffic(0, 10), "Parameter tokens_in has the value 0; a number from 1 on"),
        (lambda: Traffic(10, np.inf), "Parameter tokens_out has the value inf"),
        (lambda: Footprint.of_size(-1, 8), "Parameter n_dense has the value -1"),
        (lambda: Footprint.of_size(1e9, 0.5), "Parameter experts has the value"),
        (lambda: cheapest(Footprint.of_size(1e9, 8), A100, 0), "Parameter most_gpus has the value 0; at least 1"),
        (lambda: cheapest(Footprint.of_size(1e9, 8), A100, 8, np.nan), "Parameter most_requests has the value nan"),
        (lambda: load_device("A100-40G-SXM", "fp8"), "Device 'A100-40G-SXM' has no rate in fp8; bf16 is expected"),
    ],
)
def test_bad_parameters_are_named(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
