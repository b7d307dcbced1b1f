"""The time of one layer: the law, and the two tables that it is fitted to."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moelaws import data
from moelaws.errors import InputError
from moelaws.fitting.estimation import RELATIVE_SQUARES, fit
from moelaws.serving.experts import distinct_experts, even_experts
from moelaws.serving.layer import LayerTime
from moelaws.serving.roofline import moe_traffic

LAW = LayerTime()
TRUE = {"overhead": 0.03, "per_expert": 0.002, "bandwidth": 3000.0, "rate": 700.0, "moved": 400.0}


def rows():
    """Layers of several shapes at many loads, routed at random."""
    shapes = [(2048, 1408, 64, 6), (4096, 1536, 128, 8), (4096, 14336, 8, 2), (7168, 2048, 256, 8)]
    names = ["d_model", "d_expert", "n_routed", "top_k"]
    table = pd.DataFrame(shapes, columns=names).merge(pd.DataFrame({"tokens": 2 ** np.arange(15)}), how="cross")
    experts = distinct_experts(table.n_routed, table.top_k, table.tokens)
    return table.assign(weight_bytes=2, distinct_experts=experts)


def test_a_layer_by_hand():
    one = {"tokens": 2, "distinct_experts": 3, "top_k": 2, "d_model": 1000, "d_expert": 500, "weight_bytes": 2}
    machine = {"overhead": 0.5, "per_expert": 0.25, "bandwidth": 9.0, "rate": 0.012, "moved": 0.006}
    # 3 experts of 3 MB at 9 GB/s; 12 MFLOP at 12 GFLOP/s; 12,000 elements at 6 million a second
    by_hand = 0.5 + 3 * 0.25 + 1.0 + 1.0 + 2.0
    predicted = LAW.predict(LAW.theta(machine), {name: [value] for name, value in one.items()})
    assert predicted == pytest.approx([by_hand])


def test_bytes_and_elements_are_those_of_equation_3():
    table = rows()
    elements = LAW.reads(table) / 2 + LAW.moves(table)
    theirs = moe_traffic(table.tokens, table.d_model, table.d_expert, table.n_routed, table.top_k)
    np.testing.assert_allclose(1e9 * elements, theirs)


def test_a_machine_is_recovered():
    table = rows()
    table["time_ms"] = LAW.predict(LAW.theta(TRUE), table)
    found = fit(LAW, table, RELATIVE_SQUARES)
    assert found.status == "converged"
    assert found.values == pytest.approx(TRUE, rel=1e-6)


def test_gradient_against_finite_differences():
    table, theta = rows(), LAW.theta(TRUE)
    for place, step in enumerate(1e-6 * theta):
        shift = step * (np.arange(len(theta)) == place)
        difference = (LAW.predict(theta + shift, table) - LAW.predict(theta - shift, table)) / (2 * step)
        np.testing.assert_allclose(LAW.gradient(theta, table)[:, place], difference, rtol=1e-6)


@given(st.integers(1, 512).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n))), st.integers(1, 5000))
def test_even_routing_uses_most_experts(pair, tokens):
    n_routed, top_k = pair
    even = even_experts(n_routed, top_k, tokens)
    assert distinct_experts(n_routed, top_k, tokens) <= even * (1 + 1e-12)
    assert top_k <= even <= n_routed


def test_more_active_experts_than_there_are():
    with pytest.raises(InputError, match="top_k is greater than n_routed"):
        even_experts(8, 9, 1)


# The machine that is in the repository

XEON = data.load("moe_layer_timing/intel_xeon")
SHAPE = ["d_model", "d_expert", "n_routed", "top_k"]


def test_the_grid_is_whole():
    assert len(XEON) == XEON.dtype.nunique() * XEON.groupby(SHAPE).ngroups * XEON.tokens.nunique()
    assert set(XEON.tokens) == {2**power for power in range(13)}
    assert (2048, 1408, 64, 6) in XEON.groupby(SHAPE).groups


def test_nothing_else_had_the_processor():
    assert XEON.processor_share.quantile(0.05) > 0.99
    assert XEON.processor_share.min() > 0.85
    assert ((XEON.low_ms <= XEON.time_ms) & (XEON.time_ms <= XEON.high_ms)).all()
    assert ((XEON.high_ms - XEON.low_ms) / XEON.time_ms).median() < 0.1


def test_experts_in_use_follow_the_law_of_random_routing():
    """The number is counted in every call; its mean differs by the chance of a few draws."""
    expected = distinct_experts(XEON.n_routed, XEON.top_k, XEON.tokens)
    spread = np.sqrt(expected * (1 - expected / XEON.n_routed) / XEON.repeats)  # of independent experts, an upper bound
    assert (np.abs(XEON.distinct_experts - expected) <= 5 * spread + 1e-3).all()


def test_no_layer_is_read_faster_than_memory():
    """Weights that lay in a cache would be; the fastest precision's reads give the memory's bandwidth."""
    speed = LAW.reads(XEON) / (1e-3 * XEON.time_ms)
    assert speed.max() < XEON.read_gb_s.max()


def test_no_layer_multiplies_faster_than_the_machine():
    assert (LAW.work(XEON) / (1e-3 * XEON.time_ms) < 1.05 * XEON.multiply_tflops).all()


# NVIDIA's table

LATENCY = data.load("moe_kernel_latency/latency")
# Rows when the extract was compared with the package.
ROWS = {
    ("A100-80G-SXM", "VLLM 0.14.0"): 119,
    ("B200-180G-SXM", "VLLM 0.24.0"): 720,
    ("H100-80G-SXM", "SGLang 0.5.14"): 510,
    ("H100-80G-SXM", "VLLM 0.24.0"): 705,
    ("H200-141G-SXM", "VLLM 0.24.0"): 720,
    ("L40S-48G-PCIe", "VLLM 0.24.0"): 689,
}


def test_each_gpu_has_its_rows():
    assert LATENCY.groupby(["device", "framework"]).size().to_dict() == ROWS
    assert LATENCY.time_ms.sum() == pytest.approx(23056.527)


def test_even_routing_explains_the_step_at_which_all_experts_are_read():
    """From 32 to 64 tokens, six of 256 experts come to need all weights, as eight did before."""
    shape = {"d_model": 4096, "d_expert": 2048, "n_routed": 256, "dtype": "fp8_block", "distribution": "balanced"}
    table = LATENCY[(LATENCY[[*shape]] == pd.Series(shape)).all(axis=1)]
    times = table.pivot(index="tokens", columns=["device", "framework", "top_k"], values="time_ms")
    ratio = times.xs(6, axis=1, level="top_k") / times.xs(8, axis=1, level="top_k")
    assert ratio.loc[32].between(0.7, 0.8).all()
    assert ratio.loc[64].between(0.95, 1.05).all()


def test_one_shape_is_read_faster_than_memory_allows():
    """As the README warns: half of its experts were in use at most. No other shape does, and no other may appear."""
    table = LATENCY[LATENCY.device.str.startswith("H") & (LATENCY.distribution == "balanced") & (LATENCY.tokens >= 64)]
    experts = even_experts(table.n_routed, table.top_k, table.tokens)
    speed = LAW.reads(table.assign(distinct_experts=experts)) / (1e-3 * table.time_ms)
    sheet = data.load("devices/devices").set_index("device").bandwidth_gb_s
    fast = table[speed > 1.05 * sheet[table.device].to_numpy()]
    assert set(fast.groupby(SHAPE).groups) == {(7168, 2048, 256, 8)}
