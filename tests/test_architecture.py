"""Parameter counts against published ones, and what changes when experts go."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moelaws import data
from moelaws.errors import InputError
from moelaws.models import catalogue as architecture
from moelaws.models import published
from moelaws.models.catalogue import Architecture, GroupedAttention, LatentAttention

MODELS = data.load("models/models").set_index("model")
CERTIFIED = published.counts()


def test_counts_agree_to_the_printed_digits_or_say_why():
    for name, row in CERTIFIED.iterrows():
        for count in ("total", "active"):
            unexplained = f"{count}: " not in row.deviation
            assert row[f"{count}_agrees"] is (None if row[f"{count}_published"] == "" else unexplained), name


def test_totals_are_those_of_the_reference_to_the_last_weight():
    known = CERTIFIED.off_reference.dropna()
    assert len(known) == 15
    assert (known == 0).all()


def test_what_the_deviations_say():
    """That some makers cut digits, and what the caption of GLM-4.5's table counts."""
    for name, printed in (("DeepSeek-V2-Lite", 2.4), ("Qwen3-30B-A3B", 3.3)):
        assert CERTIFIED.active[name] // 1e8 == round(10 * printed)
    for name, without, with_next in (("GLM-4.5", 351.2, 355.2), ("GLM-4.5-Air", 105.6, 108.0)):
        model = architecture.load(name)
        layer = model.n_body - replace(model, n_layers=model.n_layers - 1).n_body
        projection = 2 * model.d_model**2  # joins the token to be predicted from and the one before
        assert model.n_body / 1e9 == pytest.approx(without, abs=0.05)
        assert (model.n_body + layer + projection) / 1e9 == pytest.approx(with_next, abs=0.05)


def test_short_cuts_and_their_errors():
    wrong = published.shortcuts(4096)
    assert (wrong.work_from_total.drop("Qwen2.5-3B") > 200).all()
    assert (wrong.work_from_active < 0).all()  # scores are left out
    assert wrong.cache_of_square_heads["DeepSeek-V3"] == pytest.approx(100 * (2 * 7168 / 576 - 1))
    assert wrong.cache_of_square_heads["Qwen3-30B-A3B"] == -50
    assert wrong.memory_from_active["Qwen2.5-3B"] == 0
    mixtral = architecture.load("Mixtral-8x7B")
    assert wrong.parameters_of_square_heads["Mixtral-8x7B"] == 0
    assert wrong.memory_from_active["Mixtral-8x7B"] == 100 * (mixtral.n_active / mixtral.n_total - 1)


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


@pytest.mark.parametrize("name", MODELS.index)
def test_work_in_weights_is_twice_the_active_parameters_but_for_norms_and_biases(name):
    model = replace(architecture.load(name), n_window_layers=0)
    without_scores = 2 * model.forward_flops(1024) - model.forward_flops(2048)
    assert without_scores == pytest.approx(model.flops_per_token, rel=4e-4)
    assert without_scores < model.flops_per_token


ALL_PARTS = replace(
    TINY,
    n_layers=7,
    attention=GroupedAttention(2, 1, 3, qkv_bias=True, output_bias=True, qk_norm="head", sinks=True),
    d_shared=5,
    moe_every=2,
    moe_offset=0,
    ff_bias=True,
    router_bias=True,
    shared_gate=True,
    norms_per_layer=4,
    norm_bias=True,
    output_bias=True,
)


def test_hand_count_of_a_model_with_every_part():
    """Layers 2, 4 and 6 have experts, layers 0, 1, 3 and 5 are dense."""
    attention = (4 * 6 + 6) + 2 * (4 * 3 + 3) + (6 * 4 + 4) + 2 * 3 + 2  # Q, K and V, back, norms, sinks
    dense = 3 * 4 * 6 + 2 * 6 + 4
    expert = 3 * 4 * 3 + 2 * 3 + 4
    shared = 3 * 4 * 5 + 2 * 5 + 4
    router = 4 * 4 + 4 + 4  # matrix, biases, gate of the shared experts
    norms = (4 * 7 + 1) * (4 + 4)
    body = 7 * attention + 4 * dense + 3 * (4 * expert + shared + router) + norms
    assert ALL_PARTS.n_moe_layers == 3
    assert ALL_PARTS.router_weights == 3 * router
    assert ALL_PARTS.n_body == body
    assert ALL_PARTS.n_total == body + 2 * 40 + 10
    assert ALL_PARTS.n_active == body - 3 * 2 * expert + 40 + 10
    matrices = 7 * (4 * 6 + 2 * 4 * 3 + 6 * 4) + 4 * 3 * 4 * 6 + 3 * (3 * 4 * (5 + 2 * 3) + 4 * 5) + 40
    assert ALL_PARTS.forward_flops(1) == 2 * matrices + 7 * 4 * 2 * 3
    plain = replace(ALL_PARTS, gated_ff=False)
    assert ALL_PARTS.n_body - plain.n_body == (4 + 1) * (4 * 6 + 3 * (4 * 3 + 5))


def test_norms_of_all_heads_and_biases_of_latent_attention():
    assert GroupedAttention(4, 2, 3, qk_norm="all").weights(8) == 2 * 8 * 3 * 6 + 3 * 6
    latent = LatentAttention(n_heads=2, kv_rank=3, q_rank=5, rope_dim=1, nope_dim=2, v_dim=2)
    assert replace(latent, bias=True).weights(8) - latent.weights(8) == 5 + 3 + 1 + 8


def test_windows_limit_scores_and_cache():
    model = replace(TINY, window=3, n_window_layers=1)
    one_layer = SCORES
    assert TINY.forward_flops(5) - model.forward_flops(5) == one_layer * (5 - 3)
    seen = (1 + 2 + 3 + 3 + 3) / 5
    assert TINY.forward_flops(5, causal=True) - model.forward_flops(5, causal=True) == pytest.approx(
        one_layer * (3 - seen), abs=1
    )
    assert replace(model, window=5).forward_flops(5, causal=True) == TINY.forward_flops(5, causal=True)
    assert model.kv_bytes_per_token(1) == TINY.kv_bytes_per_token(1) == 2 * 4
    assert model.kv_cache_bytes(5, 1) == 4 * (5 + 3)
    assert TINY.kv_cache_bytes(5) == 5 * TINY.kv_bytes_per_token()
    assert TINY.weight_bytes(0.5) == TINY.n_total / 2
    assert TINY.weight_bytes() == 2 * TINY.n_total  # bf16


@st.composite
def architectures(draw):
    number = st.integers(1, 40)
    attention = st.builds(
        lambda kv, group, dim, norm, flags: GroupedAttention(kv * group, kv, dim, flags[0], flags[1], norm, flags[2]),
        number,
        st.integers(1, 4),
        number,
        st.sampled_from(["none", "head", "all"]),
        st.tuples(*[st.booleans()] * 3),
    ) | st.builds(LatentAttention, number, number, st.integers(0, 40), number, number, number, st.booleans())
    n_layers, n_routed, every = draw(number), draw(number), draw(st.integers(1, 4))
    flags = ("tied", "gated_ff", "ff_bias", "router_bias", "shared_gate", "norm_bias", "output_bias")
    return Architecture(
        n_layers=n_layers,
        d_model=draw(number),
        vocab=draw(number),
        attention=draw(attention),
        d_dense=draw(number),
        n_dense_layers=draw(st.integers(0, n_layers)),
        d_expert=draw(number),
        n_routed=n_routed,
        n_shared=draw(st.integers(0, 3)),
        top_k=draw(st.integers(0, n_routed)),
        moe_every=every,
        moe_offset=draw(st.integers(0, every - 1)),
        window=draw(number),
        n_window_layers=draw(st.integers(0, n_layers)),
        **{flag: draw(st.booleans()) for flag in flags},
    )


@given(architectures(), st.integers(1, 100))
def test_what_holds_for_every_architecture(model, tokens):
    first = model.n_dense_layers
    places = [i for i in range(first, model.n_layers) if i % model.moe_every == model.moe_offset]
    assert model.n_moe_layers == len(places)
    assert model.n_body_active <= model.n_body < model.n_total
    looked_up = 0 if model.tied else model.n_embedding
    assert replace(model, top_k=model.n_routed).n_active == model.n_total - looked_up
    one, two = (replace(model, n_routed=model.n_routed + more) for more in (1, 2))
    assert two.n_total - one.n_total == one.n_total - model.n_total  # linear in experts
    assert one.n_active - model.n_active == model.n_moe_layers * (model.d_model + model.router_bias)
    assert model.forward_flops(tokens, causal=True) <= model.forward_flops(tokens)
    assert model.forward_flops(tokens, output_layer=False, router=False) <= model.forward_flops(tokens)
    assert model.kv_cache_bytes(tokens) <= tokens * model.kv_bytes_per_token()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"top_k": 5}, "Parameter top_k has the value 5; at most n_routed, 4, is expected"),
        ({"n_dense_layers": 3}, "Parameter n_dense_layers has the value 3; at most n_layers, 2, is expected"),
        ({"n_window_layers": 3}, "Parameter n_window_layers has the value 3; at most n_layers, 2, is expected"),
        ({"moe_offset": 1}, "Parameter moe_offset has the value 1; at most moe_every - 1, 0, is expected"),
        ({"d_model": -4}, "Parameter d_model has the value -4; at least 1 is expected"),
        ({"d_shared": -1}, "Parameter shared_width has the value -1; at least 0 is expected"),
        ({"n_routed": 0, "top_k": 0}, "Parameter n_routed is 0 and 1 layers are not dense; experts, or n_dense_layers"),
    ],
)
def test_an_architecture_that_cannot_be(change, sentence):
    with pytest.raises(InputError, match=sentence):
        replace(TINY, **change)


def test_heads_that_cannot_be():
    with pytest.raises(InputError, match="Parameter n_heads has the value 3; a multiple of the 2 key-value heads"):
        GroupedAttention(3, 2, 8)
    with pytest.raises(InputError, match="Parameter kv_rank has the value 0; at least 1 is expected"):
        LatentAttention(1, 0, 0, 1, 1, 1)


@pytest.mark.parametrize("count", ["forward_flops", "kv_cache_bytes"])
def test_a_sequence_has_tokens(count):
    with pytest.raises(InputError, match="Parameter seq_len has the value 0; at least one token is expected"):
        getattr(TINY, count)(0)


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
