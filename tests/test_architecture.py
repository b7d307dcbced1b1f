"""Parameter counts against published ones, and what changes when experts go."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from moelaws import architecture, data
from moelaws.architecture import Architecture, GroupedAttention, LatentAttention
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


TINY = Architecture(
    n_layers=2,
    d_model=4,
    vocab=10,
    attention=GroupedAttention(n_heads=2, n_kv_heads=1, head_dim=2),
    tied=False,
    d_dense=6,
    n_dense_layers=1,
    d_expert=3,
    n_routed=4,
    n_shared=1,
    top_k=2,
)
# By hand: in each of two layers Q and O of 4 x 4, K and V of 4 x 2; a dense layer of three 4 x 6; three
# active experts of three 4 x 3; between two tokens two heads times two elements, for keys and for values.
PROJECTIONS, DENSE, EXPERTS, SCORES = 2 * (16 + 16 + 8 + 8), 3 * 24, 3 * 3 * 12, 2 * (2 * 2 + 2 * 2)
NOTHING_ELSE = {"output_layer": False, "router": False}


def test_hand_count_of_a_tiny_model():
    assert TINY.forward_flops(5, **NOTHING_ELSE) == 2 * (PROJECTIONS + DENSE + EXPERTS) + 2 * 5 * SCORES
    assert TINY.forward_flops(5, **NOTHING_ELSE, causal=True) == 2 * (PROJECTIONS + DENSE + EXPERTS) + 2 * 3 * SCORES
    assert TINY.forward_flops(5, output_layer=False) - TINY.forward_flops(5, **NOTHING_ELSE) == 2 * 4 * 4
    assert TINY.forward_flops(5, router=False) - TINY.forward_flops(5, **NOTHING_ELSE) == 2 * 4 * 10
    assert TINY.training_flops(5, causal=True) == 3 * TINY.forward_flops(5, causal=True)
    norms, routers, shared, routed = 5 * 4, 4 * 4, 36, 4 * 36
    assert TINY.n_body == PROJECTIONS + DENSE + norms + routers + shared + routed
    assert TINY.n_body - TINY.n_body_active == 2 * 36
    assert TINY.n_total == TINY.n_body + 2 * 4 * 10 == replace(TINY, tied=True).n_total + 4 * 10


@pytest.mark.parametrize(("q_rank", "query"), [(0, 4 * 6), (3, 4 * 3 + 3 * 6)])
def test_hand_count_of_tiny_latent_attention(q_rank, query):
    latent = LatentAttention(n_heads=2, kv_rank=3, q_rank=q_rank, rope_dim=1, nope_dim=2, v_dim=2)
    compress, expand, out = 4 * (3 + 1), 3 * 2 * (2 + 2), 4 * 4
    model = replace(TINY, attention=latent)
    scores = 2 * 2 * (3 + 2)
    weights = 2 * (query + compress + expand + out) + DENSE + EXPERTS
    assert model.forward_flops(7, **NOTHING_ELSE) == 2 * weights + 2 * 7 * scores
    assert model.attention_weights == 2 * (query + compress + expand + out + 3 + q_rank)


@pytest.mark.parametrize("name", [name for name in MODELS.index if MODELS.moe_every[name] == 1])
def test_work_in_weights_is_twice_the_active_parameters_but_for_norms(name):
    model = architecture.load(name)
    without_scores = 2 * model.forward_flops(1024) - model.forward_flops(2048)
    assert without_scores == pytest.approx(model.flops_per_token, rel=2e-4)
    assert without_scores < model.flops_per_token


def test_a_sequence_has_tokens():
    with pytest.raises(InputError, match="Parameter seq_len has the value 0; at least one token is expected"):
        TINY.forward_flops(0)


ROWS = data.load("tian2025/architectures")
KV_HEADS = ROWS[ROWS.table == 7].groupby("size").n_kv_heads.first()
VOCAB = 126464


def work(rows):
    """Training FLOP of a token as Tian et al. (2025) count them."""
    models = [architecture.from_row(row, VOCAB) for row in rows.to_dict("records")]
    return np.array([model.training_flops(4096, **NOTHING_ELSE) for model in models])


@pytest.mark.parametrize("size", "abcdef")
def test_work_is_constant_where_tian2025_hold_it_constant(size):
    group = ROWS[(ROWS.table == 11) & (ROWS["size"] == size)]
    assert len(group) == 5
    assert np.ptp(work(group)) / work(group).mean() < 0.002


def test_work_is_what_tian2025_label_their_colours_with():
    """All but the smallest size, whose label fits none of the tables."""
    labels = data.load("tian2025/scales").query("figure == '5a'").value.to_numpy()
    computed = work(ROWS[(ROWS.table == 7) & (ROWS.n_routed == 64)])
    assert computed[1:] == pytest.approx(labels[1:], rel=0.02)
    assert computed[0] / labels[0] == pytest.approx(1.232, abs=1e-3)


def test_work_of_the_models_of_the_allocation_law_of_tian2025():
    levels = data.load("tian2025/scales").query("figure == '4a' and value not in (2.4e8, 3.8e9)").value.to_numpy()
    rows = ROWS[(ROWS.table == 7) & (ROWS.n_routed == 64) & (ROWS["size"] != "a")]
    assert work(rows.assign(top_k=4)) == pytest.approx(levels, rel=0.035)  # read to 3 % and to two digits


def test_parameters_of_the_two_large_models_of_tian2025():
    dense, moe = data.load("tian2025/models").to_dict("records")
    assert f"{architecture.from_row(dense, VOCAB).n_body / 1e9:.2f}" == "6.11"
    counts = [architecture.from_row(moe | {"n_dense_layers": count}, VOCAB).n_body for count in (0, 1)]
    assert [f"{count / 1e9:.1f}" for count in counts] == ["18.4", "17.5"]  # printed: 17.5


def test_largest_ablation_of_tian2025():
    rows = ROWS.assign(n_kv_heads=ROWS.n_kv_heads.fillna(ROWS["size"].map(KV_HEADS)))
    largest = max(architecture.from_row(row, VOCAB).n_body for row in rows[rows.table != 10].to_dict("records"))
    assert round(largest / 1e9, 1) == 27.9


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"n_kv_heads": pd.NA}, "Column 'n_kv_heads' is empty or zero; an architecture needs it to be at least 1"),
        ({"d_expert": 0}, "Column 'd_expert' is empty or zero"),
        ({"n_routed": 0}, "Column 'd_dense' is empty or zero"),
        ({"n_dense_layers": 1}, "Column 'd_dense' is empty or zero"),
        ({"n_heads": 7}, "Column 'd_model' has the value 352; a multiple of 7 heads is expected"),
    ],
)
def test_a_row_that_is_no_architecture(change, sentence):
    row = ROWS[ROWS.table == 11].to_dict("records")[0]
    with pytest.raises(InputError, match=sentence):
        architecture.from_row(row | change, VOCAB)


def test_unknown_model():
    with pytest.raises(InputError, match="There is no model 'GPT-9'; the models are Mixtral-8x7B"):
        architecture.load("GPT-9")
