"""Parameter counts against published ones, and what changes when experts go."""

from dataclasses import replace

import pytest

from moelaws import architecture, data
from moelaws.errors import InputError

MODELS = data.load("models/models").set_index("model")
PRINTED = data.printed("models/models").set_index("model").n_total_published


@pytest.mark.parametrize("name", MODELS.index)
def test_total_parameters_to_the_printed_digits(name):
    decimals = len(PRINTED[name].partition(".")[2])
    if name == "Mixtral-8x22B":
        decimals = -1  # published as 141; the public file's vocabulary gives 140.6, which rounds to it
        assert round(architecture.load(name).n_total / 1e9) == 141
        return
    assert f"{architecture.load(name).n_total / 1e9:.{decimals}f}" == PRINTED[name]


def test_exact_count_of_a_public_model():
    assert architecture.load("Mixtral-8x7B").n_total == 46_702_792_704


@pytest.mark.parametrize("name", ["DeepSeek-V2-Lite", "DeepSeek-V2", "DeepSeek-V3", "Mixtral-8x22B", "gpt-oss-20b"])
def test_active_parameters_of_makers_that_leave_out_the_input_embedding(name):
    assert architecture.load(name).n_active / 1e9 == pytest.approx(MODELS.n_active_published[name], rel=0.03)


def test_skipping_and_pruning():
    whole = architecture.load("DeepSeek-V2-Lite")
    skipped, pruned = replace(whole, top_k=2), replace(whole, n_routed=32)
    assert skipped.n_total == whole.n_total
    assert whole.n_active - skipped.n_active == 4 * 26 * whole.expert_weights
    router = 26 * 32 * 2048
    assert whole.n_total - pruned.n_total == 32 * 26 * whole.expert_weights + router
    assert whole.n_active - pruned.n_active == router


def test_one_expert_is_a_dense_model():
    dense = architecture.load("Qwen2.5-3B")
    sparse = replace(dense, d_dense=0, n_dense_layers=0, d_expert=dense.d_dense, n_routed=1, top_k=1)
    assert sparse.n_total - dense.n_total == dense.n_layers * dense.d_model  # the router
    assert sparse.n_active == sparse.n_total


def test_latent_cache_is_small():
    lite, mixtral = architecture.load("DeepSeek-V2-Lite"), architecture.load("Mixtral-8x7B")
    assert lite.kv_elements_per_token == 27 * (512 + 64)
    assert mixtral.kv_elements_per_token == 32 * 2 * 8 * 128


def test_unknown_model():
    with pytest.raises(InputError, match="There is no model 'GPT-9'; the models are Mixtral-8x7B"):
        architecture.load("GPT-9")
