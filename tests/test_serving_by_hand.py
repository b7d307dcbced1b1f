"""Serving against arithmetic with data sheets and published shapes: what a step reads, computes and takes."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from moelaws.errors import InputError
from moelaws.models import catalogue
from moelaws.papers.yun2024.cost import cheapest, largest_batch
from moelaws.serving import roofline
from moelaws.serving.experts import distinct_experts, even_experts
from moelaws.serving.footprint import Footprint, Traffic, weights_by_use
from moelaws.serving.layer import LayerTime
from moelaws.serving.steps import Device, StepTime, load_device, step_time, throughput

LITE = catalogue.load("DeepSeek-V2-Lite")
LITE_EXPERT = 26 * 3 * 2048 * 1408
"""Weights of one routed expert of each of the 26 layers that have them."""


@pytest.mark.parametrize(
    ("name", "precision", "sheet"),
    [
        ("A800-80G-PCIe", "bf16", (1935e9, 312e12, 80e9, 32e9)),
        ("H200-141G-SXM", "bf16", (4800e9, 989e12, 141e9, 450e9)),
        ("H200-141G-SXM", "fp8", (4800e9, 1979e12, 141e9, 450e9)),
    ],
)
def test_a_device_is_its_data_sheet(name, precision, sheet):
    device = load_device(name, precision)
    assert (device.bandwidth, device.flops, device.memory, device.link) == sheet
    assert device.ridge == sheet[1] / sheet[0]
    half = device.at(0.5)
    assert (half.bandwidth, half.flops, half.memory, half.link) == (sheet[0] / 2, sheet[1] / 2, sheet[2], sheet[3] / 2)


def test_a_device_takes_the_longer_of_two_times():
    device = Device(bandwidth=10.0, flops=100.0, memory=1.0, link=1.0)
    assert device.roofline([100, 50, 300], [1, 20, 30]).tolist() == [1, 2, 3]


def test_an_unknown_device():
    with pytest.raises(InputError, match="There is no device 'abacus'; the devices are A800-80G-PCIe, A100-40G-SXM, "):
        load_device("abacus")


def test_a_request_lasts_as_many_steps_as_it_has_output():
    """Four requests of 300 + 100 tokens at 500 tokens/s take 3.2 s, which are 100 steps."""
    assert step_time(500, concurrency=4, tokens_in=300, tokens_out=100) == pytest.approx(32)
    assert throughput(32, concurrency=4, tokens_in=300, tokens_out=100) == pytest.approx(500)


ROWS = {"concurrency": [16, 3], "tokens_in": [1000, 10], "tokens_out": [500, 40], "n_routed": [64, 32], "top_k": [6, 4]}


def test_what_a_step_reads_and_computes():
    """DeepSeek-V2-Lite keeps 512 + 64 elements of a token in each of 27 layers; weights of two bytes, cache of one."""
    always = LITE.n_active - 6 * LITE_EXPERT
    assert weights_by_use(LITE) == (always, LITE_EXPERT)
    reads = StepTime(LITE, cache_bytes=1).reads(ROWS)
    used = [64 * (1 - (58 / 64) ** 16), 32 * (1 - (28 / 32) ** 3)]
    assert reads["always"] == pytest.approx([2e-9 * always] * 2)
    assert reads["experts"] == pytest.approx(2e-9 * LITE_EXPERT * np.array(used))
    assert reads["cache"] == pytest.approx([16 * 1250 * 27 * 576e-9, 3 * 30 * 27 * 576e-9])
    whole = [2e-9 * (always + 64 * LITE_EXPERT) * 16 / 500, 2e-9 * (always + 32 * LITE_EXPERT) * 3 / 40]
    assert reads["prefill"] == pytest.approx(whole)
    work = StepTime(LITE).work(ROWS)
    decode = [2e-12 * 16 * (always + 6 * LITE_EXPERT), 2e-12 * 3 * (always + 4 * LITE_EXPERT)]
    assert work["decode"] == pytest.approx(decode)
    assert work["prefill"] == pytest.approx([2 * decode[0], decode[1] / 4])


def test_what_a_step_takes_is_the_sum_of_its_parts():
    law = StepTime(LITE, weight_bytes=1)
    values = {"overhead": 2.0, "bandwidth": 500.0, "rate": 40.0, "per_request": 0.25}
    table = pd.DataFrame(ROWS, index=["a", "b"])
    theta = law.theta(values)
    parts = law.parts(table, np.array([2.0, 1 / 500, 1 / 40, 0.25]))
    assert parts.index.tolist() == ["a", "b"]
    assert parts.sum(axis=1).to_numpy() == pytest.approx(law.predict(theta, table))
    reads, work = law.reads(ROWS), law.work(ROWS)
    expected = {
        "overhead": [2, 2],
        "weights always read": 2 * reads["always"],
        "distinct experts": 2 * reads["experts"],
        "key-value cache": 2 * reads["cache"],
        "prefill": 2 * reads["prefill"] + 25 * work["prefill"],
        "decode arithmetic": 25 * work["decode"],
        "per request": [4, 0.75],
    }
    assert list(parts) == list(expected)
    for name, value in expected.items():
        assert parts[name].to_numpy() == pytest.approx(np.asarray(value, dtype=float)), name
    assert law.parts(ROWS, np.ones(4)).index.tolist() == [0, 1]
    one = law.terms(np.empty(0), {name: column[1] for name, column in ROWS.items()})
    assert one == pytest.approx([1, 1e3 * sum(reads.values())[1], 1e3 * sum(work.values())[1], 3])
    assert law.terms(np.empty((5, 0)), ROWS).shape == (5, 2, 4)
    table = table.assign(throughput=[4000.0, 50.0])
    assert law.observed(table) == pytest.approx([1e3 * 16 * 1500 / 500 / 4000, 1e3 * 3 * 50 / 40 / 50])


def test_the_footprint_of_a_model_with_windows():
    """Half of the 24 layers of gpt-oss-20b keep 128 tokens; keys and values have 2 × 8 × 64 elements in a layer."""
    model, traffic = catalogue.load("gpt-oss-20b"), Traffic(1000, 2000)
    found = Footprint.of_architecture(model, traffic, weight_bytes=0.5, cache_bytes=1)
    assert traffic.context == 2000
    assert found.cache == (12 * 2000 + 12 * 128) * 1024
    assert found.exchange == 2 * 2 * 24 * 2880
    assert (found.n_routed, found.top_k) == (32, 4)
    assert found.weights == model.weight_bytes(0.5)
    assert found.experts == pytest.approx(0.5 * 32 * 24 * model.expert_weights)
    assert found.always == pytest.approx(0.5 * (model.n_active - 4 * 24 * model.expert_weights))
    assert found.token_flops == model.forward_flops(2000)
    assert found.prompt_flops == 1000 * model.forward_flops(1000, causal=True, output_layer=False)
    assert found.read(1) == pytest.approx(found.always + found.experts / 8)
    assert Footprint.of_architecture(model, traffic).cache == 2 * found.cache


def test_tokens_are_rounded_to_whole_ones():
    model = catalogue.load("gpt-oss-20b")
    part, whole = (Footprint.of_architecture(model, Traffic(*tokens)) for tokens in ((100.4, 51.0), (100, 52)))
    assert (part.cache, part.prompt_flops) == (whole.cache, whole.prompt_flops)


def test_a_dense_model_has_one_expert_of_which_one_is_used():
    dense = Footprint.of_architecture(replace(LITE, n_dense_layers=27), Traffic(100, 100))
    assert (dense.experts, float(dense.read(7))) == (0, dense.always)
    size = Footprint.of_size(3e9, 1)
    assert (size.top_k, float(size.read(5))) == (1, pytest.approx(6e9))


def test_a_footprint_of_a_size_by_hand():
    traffic = Traffic(200, 100)
    found = Footprint.of_size(8e9, 8, traffic, mu=0.05)
    breadth = 0.05 * 4e6
    assert found.weights == pytest.approx(16e9 * (1 + 7 / 3))
    assert found.always == pytest.approx(16e9 * 2 / 3)
    assert found.experts == pytest.approx(16e9 / 3 * 8)
    assert found.always + found.experts == pytest.approx(found.weights)
    assert (found.n_routed, found.top_k) == (8, 2)
    assert found.cache == pytest.approx(2 * 2 * breadth * 250)
    assert found.token_flops == pytest.approx(2 * 8e9 * 4 / 3 + 4 * breadth * 250)
    assert found.prompt_flops == pytest.approx(200 * (2 * 8e9 * 4 / 3 + 4 * breadth * 201 / 2))
    assert found.exchange == pytest.approx(2 * 2 * breadth)
    assert found.traffic == traffic
    assert found.read(2) == pytest.approx(found.always + found.experts * (1 - 0.75**2))


@pytest.mark.parametrize("tokens", [(0.999, 1), (1, 0.999), (math.nan, 1), (1, math.inf)])
def test_a_request_has_at_least_one_token_of_each(tokens):
    assert Traffic(1, 1).context == 1.5
    with pytest.raises(InputError, match="a number from 1 on is expected"):
        Traffic(*tokens)


def test_the_memory_holds_one_request_or_none():
    model = Footprint.of_size(1e9, 1)
    one = Device(1e12, 1e14, float(model.weights + model.cache), 1e11)
    assert largest_batch(model, one, 1) == pytest.approx(1)
    assert np.isnan(largest_batch(model, replace(one, memory=one.memory * (1 - 1e-6)), 1))
    exact = replace(model, weights=3.0, cache=1.0)
    assert largest_batch(exact, replace(one, memory=4.0), 1) == 1
    assert cheapest(model, load_device("A100-40G-SXM"), 1, 1).batch == 1


def test_elements_and_work_of_layers():
    """Three matrices of 5 × 7; two tokens with 5 + 7 elements in and out; three experts, two for each token."""
    assert roofline.glu_traffic(2, 5, 7) == 3 * 35 + 2 * 2 * 12
    assert roofline.glu_flops(2, 5, 7) == 2 * 3 * 35 * 2
    assert roofline.glu_intensity(2, 5, 7) == pytest.approx(420 / 153)
    assert roofline.glu_ceiling(5, 7) == pytest.approx(105 / 12)
    assert roofline.moe_flops(2, 5, 7, 2) == 840
    assert roofline.moe_traffic(1, 5, 7, 3, 2) == pytest.approx(3 * 2 * 35 + 2 * 2 * 12)
    assert roofline.moe_traffic(2, 5, 7, 3, 2) == pytest.approx(3 * 35 * 3 * (1 - 1 / 9) + 2 * 2 * 2 * 12)
    assert roofline.tensor_parallel_traffic(3, 5, 4) == 2 * 3 * 3 * 5
    assert roofline.tensor_parallel_traffic(3, 5, 1) == 0
    assert roofline.expert_parallel_traffic(3, 5, 2) == 2 * 2 * 3 * 5


def test_the_ceiling_itself_needs_infinitely_many_tokens():
    assert roofline.glu_ceiling(2, 2) == 3
    assert roofline.glu_tokens(3, 2, 2) == math.inf
    assert roofline.glu_tokens(2, 2, 2) == pytest.approx(3)


def test_as_many_experts_as_there_are():
    assert distinct_experts(8, 8, 1) == even_experts(8, 8, 1) == 8
    assert even_experts(8, 2, [1, 3, 4, 5]).tolist() == [2, 6, 8, 8]
    for count in (distinct_experts, even_experts):
        with pytest.raises(InputError, match="top_k is greater than n_routed; a token uses at most as many experts"):
            count([8, 8], [8, 9], 1)


def test_a_layer_of_several_rows():
    """Two tokens, two of whose three experts' choices differ: by hand in ms, GB, TFLOP and 1e9 elements."""
    rows = {"tokens": [2, 4], "distinct_experts": [3, 1], "top_k": [2, 1], "d_model": [1000, 10]}
    rows |= {"d_expert": [500, 20], "weight_bytes": [2, 1]}
    law = LayerTime()
    assert law.reads(rows) == pytest.approx([9e-3, 6e-7])
    assert law.work(rows) == pytest.approx([6 * 2 * 2 * 5e5 / 1e12, 6 * 4 * 200 / 1e12])
    assert law.moves(rows) == pytest.approx([2 * 2 * 2 * 1500 / 1e9, 2 * 4 * 30 / 1e9])
    assert law.terms(np.empty(0), {name: column[0] for name, column in rows.items()}).shape == (5,)
    terms = law.terms(np.empty((5, 0)), rows)
    assert terms.shape == (5, 2, 5)
    assert terms[0, 0] == pytest.approx([1, 3, 9, 1e3 * 1.2e-5, 1e3 * 1.2e-5])
