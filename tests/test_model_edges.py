"""Keys, layers and formats of configurations at their edges: each pattern by hand, each refusal once."""

import json
from math import prod

import pytest

from moelaws.errors import InputError
from moelaws.models import huggingface, keys, layers, recurrent, storage
from moelaws.models.architecture import Tensor
from moelaws.models.keys import Keys
from moelaws.paths import ROOT

FOLDER = ROOT / "data" / "model_configs"


def made(**values):
    return Keys(values, "mine.json")


def layered(count, **values):
    return made(num_hidden_layers=count, **values)


def config(name, **changes):
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")) | changes


def parse(values, **options):
    return huggingface.parse(Keys(values, "mine.json"), **options)


# Keys


def test_sizes_and_their_ends():
    found = made(a=1, b=10**9, c=[8, 8], d=None, e=0)
    assert [found.size(name) for name in "abc"] == [1, 10**9, 8]
    assert found.size("e", least=0) == 0
    assert found.size("x", "b") == found.size("b", "d") == 10**9
    assert (found.size_or(5, "d", "x"), found.size_or(5, "d", "a"), found.size_or(5, "e")) == (5, 1, 0)
    assert (found.size_or_null("d"), found.size_or_null("x", "a"), found.size_or_null("d", "c")) == (0, 1, 8)


@pytest.mark.parametrize(
    ("read", "sentence"),
    [
        (lambda k: k.size("big"), "key 'big': 1000000001 is found; a whole number from 1 to 1000000000 is expected."),
        (lambda k: k.size("zero"), "key 'zero': 0 is found; a whole number from 1 to 1000000000 is expected."),
        (lambda k: k.size("five", least=2, most=4), "key 'five': 5 is found; a whole number from 2 to 4 is expected."),
        (lambda k: k.size("mixed"), "key 'mixed': a list is found; a whole number from 1 to 1000000000 is expected."),
        (lambda k: k.size("none"), "key 'none': a list is found; a whole number from 1 to 1000000000 is expected."),
        (lambda k: k.size("five", "zero"), "key 'zero': 0 is found; the value of key 'five', 5, is expected."),
        (lambda k: k.size_or(1, "zero", least=1), "key 'zero': 0 is found; a whole number from 1 to 1000000000 is"),
        (lambda k: k.size_or_null("five", "zero"), "key 'zero': 0 is found; the value of key 'five', 5, is expected."),
        (lambda k: k.text("five", "a name"), "key 'five': 5 is found; a name is expected."),
        (lambda k: k.items("mixed", str), "key 'mixed': a list is found; a list of texts is expected."),
        (lambda k: k.items("five", int), "key 'five': 5 is found; a list of whole numbers is expected."),
        (lambda k: k.flag("word", True), "key 'word': \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa... is found; true or"),
        (lambda k: k.flag("fits", True), f"key 'fits': \"{38 * 'a'}\" is found; true or false is expected."),
    ],
)
def test_values_that_are_refused(read, sentence):
    values = made(big=10**9 + 1, zero=0, five=5, mixed=[1, 2], none=[], word="a" * 39, fits="a" * 38)
    with pytest.raises(InputError) as error:
        read(values)
    assert str(error.value).startswith(f"mine.json, {sentence}")


@pytest.mark.parametrize(
    ("read", "sentence"),
    [
        (lambda k: k.size("x", "y"), "'x'; a whole number from 1 to 1000000000"),
        (lambda k: k.size_or_null("x"), "'x'; a positive whole number or null"),
        (lambda k: k.text("x", "a name"), "'x'; a name"),
        (lambda k: k.inside("x"), "'x'; an object"),
        (lambda k: k.inside("o").text("x", "a name"), "'o.x'; a name"),
    ],
)
def test_keys_that_are_missing(read, sentence):
    with pytest.raises(InputError) as error:
        read(made(o={}))
    assert str(error.value) == f"mine.json has no key {sentence} is expected."


def test_an_inner_object_is_read_once_and_inherits():
    outer = made(inner={"a": 1})
    inner = outer.inside("inner", {"a": 2, "b": 3})
    assert (inner.size("a"), inner.size("b")) == (1, 3)
    assert outer.inside("inner") is inner
    assert outer.inner == [inner]
    assert inner.flag("c", True) is True
    assert outer.notes == ["Key 'inner.c' is missing; true is assumed."]
    assert inner.seen == {"a", "b", "c"}


def test_files_up_to_a_size_are_read(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"a": 1}', encoding="utf-8")
    assert keys.read(path, 8).values == {"a": 1}
    with pytest.raises(InputError, match=r"a\.json has more than 7 bytes; an object such as a model's config\.json is"):
        keys.read(path, 7)


# Layers


def test_how_many_layers_there_are():
    assert layers.n_layers_of(layered(3, layers_block_type=["mamba"] * 5)) == 3
    assert layers.n_layers_of(made(layers_block_type=["mamba"] * 5)) == 5
    assert layers.n_layers_of(layered(10_000)) == 10_000
    for values in (made(layers_block_type=[]), made(layers_block_type="mamba")):
        with pytest.raises(InputError, match="has no key 'num_hidden_layers'; a whole number from 1 to 10000 is"):
            layers.n_layers_of(values)


def test_lists_of_kinds():
    kinds = ["full_attention", "sliding_attention", "chunked_attention", "linear_attention", "mamba", "conv"]
    assert layers.listed(layered(6, layer_types=kinds), "layer_types") == ["full", *["window"] * 2, *["other"] * 3]
    assert layers.listed(layered(6), "layer_types") is None
    for wrong in (kinds[:5], [*kinds, "conv"], ["other"] * 6):
        with pytest.raises(
            InputError, match=r"; one of attention, chunked_attention, conv, .* for each of 6 layers is"
        ):
            layers.listed(layered(6, layer_types=wrong), "layer_types")


def test_switches():
    assert layers.switches(layered(2), "s") is None
    assert layers.switches(layered(2, s=[0, 1]), "s") == [False, True]
    assert layers.switches(layered(9, s=[1]), "s", 1) == [True]
    long = layered(2, s=[0, 1, 1])
    assert layers.switches(long, "s") == [False, True]
    assert long.notes == ["List 's' has 3 items for 2 layers; the first are taken."]
    for wrong in ([0], [0, 2], []):
        with pytest.raises(InputError, match=r"'s': a list is found; a list of 0 or 1 for each of 2 layers is expec"):
            layers.switches(layered(2, s=wrong), "s")


def test_places():
    assert layers.places(layered(3), "p") is None
    assert layers.places(layered(3, p=[2, 0]), "p") == [0, 2]
    assert layers.places(layered(3, p=[3, 1]), "p", 1) == [0, 2]
    for wrong, first, expected in (([3], 0, "0 to 2"), ([0], 1, "1 to 3"), ([1, 1], 0, "0 to 2"), ([-1], 0, "0 to 2")):
        with pytest.raises(InputError, match=f"'p': a list is found; a list of layers from {expected} is expected"):
            layers.places(layered(3, p=wrong), "p", first)


@pytest.mark.parametrize(
    ("pattern", "values", "expected"),
    [
        (layers.all_layers, {}, [0, 1, 2, 3, 4, 5]),
        (layers.leading, {"first_k_dense_replace": 1}, [1, 2, 3, 4, 5]),
        (layers.leading, {"num_dense_layers": 0, "moe_layer_freq": 2}, [0, 2, 4]),
        (layers.leading, {"num_dense_layers": 6}, []),
        (layers.leading, {"moe_layer_freq": [0, 1, 0, 0, 0, 1]}, [1, 5]),
        (layers.sparse, {}, [0, 1, 2, 3, 4, 5]),
        (layers.sparse, {"decoder_sparse_step": 2, "mlp_only_layers": [3]}, [1, 5]),
        (layers.interleaved, {"interleave_moe_layer_step": 3}, [2, 5]),
        (layers.interleaved, {"moe_layers": [4, 1]}, [1, 4]),
        (layers.ernie, {"moe_layer_start_index": 1}, [1, 2, 3, 4, 5]),
        (layers.ernie, {"moe_layer_start_index": 1, "moe_layer_end_index": 3, "moe_layer_interval": 2}, [1, 3]),
        (layers.ernie, {"moe_layer_start_index": 0, "moe_layer_end_index": -1, "moe_layer_interval": 3}, [2, 5]),
        (layers.ernie, {"moe_layer_start_index": 0, "moe_layer_end_index": 0}, [0]),
        (layers.jamba, {"expert_layer_period": 2, "expert_layer_offset": 1}, [1, 3, 5]),
        (layers.enumerated, {}, [1, 2, 3, 4, 5]),
        (layers.enumerated, {"moe_layers_enum": "5, 0,3"}, [0, 3, 5]),
        (layers.enumerated, {"moe_layers_enum": ""}, []),
    ],
)
def test_which_of_six_layers_have_experts(pattern, values, expected):
    assert pattern(layered(6, **values)) == expected


@pytest.mark.parametrize("text", ["6", "1,1", "a", "1,-1", "1;2", "1,", 3, "1,123456789"])
def test_layers_that_cannot_be_enumerated(text):
    with pytest.raises(
        InputError, match=r"'moe_layers_enum': .* is found; layers from 0 to 5, separated by commas, is"
    ):
        layers.enumerated(layered(6, moe_layers_enum=text))


@pytest.mark.parametrize(
    ("pattern", "values", "expected"),
    [
        (layers.full, {}, "ffffff"),
        (layers.windows, {}, "wwwwww"),
        (layers.alternating, {}, "wfwfwf"),
        (layers.switched, {"max_window_layers": 2}, "ffffff"),
        (layers.switched, {"use_sliding_window": False, "max_window_layers": 2}, "ffffff"),
        (layers.switched, {"use_sliding_window": True, "max_window_layers": 2}, "ffwwww"),
        (layers.period(3, "n"), {}, "wwfwwf"),
        (layers.period(3, "n", kind="other"), {"n": 4}, "ooofoo"),
        (layers.ropes, {}, "wwwfww"),
        (layers.ropes, {"no_rope_layer_interval": 2, "no_rope_layers": []}, "wfwfwf"),
        (layers.ropes, {"no_rope_layers": [1, 0, 0, 1, 1, 1]}, "wffwww"),
        (layers.mimo, {}, "fwwwwf"),
        (layers.mimo, {"hybrid_layer_pattern": [0, 0, 1, 1, 0, 1]}, "ffwwfw"),
        (layers.kimi, {"linear_attn_config": {"full_attn_layers": [4, 6], "kda_layers": [1, 2, 3, 5]}}, "ooofof"),
        (layers.kimi, {"linear_attn_config": {"full_attn_layers": [1, 2, 3, 4, 5, 6]}}, "ffffff"),
        (layers.jamba_attention, {"attn_layer_period": 3, "attn_layer_offset": 1}, "ofoofo"),
        (layers.minimax, {}, "fofofo"),
        (layers.minimax, {"attn_type_list": [1, 0, 0, 1, 1, 1]}, "foofff"),
        (layers.nemotron, {"hybrid_override_pattern": "M-*EME"}, "odfmom"),
        (
            layers.nemotron,
            {"layers_block_type": ["mamba", "mlp", "attention", "moe", "linear_attention", "full_attention"]},
            "odfmof",
        ),
        (layers.fully, {"full_attn_idxs": [1, 4]}, "ofoofo"),
    ],
)
def test_what_mixes_tokens_in_six_layers(pattern, values, expected):
    words = {"f": "full", "w": "window", "o": "other", "d": "dense", "m": "moe"}
    assert pattern(layered(6, **values)) == [words[letter] for letter in expected]


@pytest.mark.parametrize(
    ("pattern", "values", "sentence"),
    [
        (layers.nemotron, {}, "has no key 'hybrid_override_pattern'; a text of letters M, *, - and E is expected."),
        (layers.nemotron, {"hybrid_override_pattern": "MM"}, "M, *, - or E for each of 6 layers is expected."),
        (layers.nemotron, {"hybrid_override_pattern": "MMMMMX"}, "M, *, - or E for each of 6 layers is expected."),
        (layers.nemotron, {"hybrid_override_pattern": 7}, "M, *, - or E for each of 6 layers is expected."),
        (layers.fully, {}, "has no key 'layer_types'; a list of conv or full_attention is expected."),
        (layers.kimi, {"linear_attn_config": {}}, "each layer once in its lists full_attn_layers and kda_layers"),
        (layers.kimi, {"linear_attn_config": {"full_attn_layers": [1, 2]}}, "each layer once in its lists"),
    ],
)
def test_patterns_that_are_refused(pattern, values, sentence):
    with pytest.raises(InputError) as error:
        pattern(layered(6, **values))
    assert sentence in str(error.value)


def test_an_empty_list_of_positions_is_noted():
    values = layered(6, no_rope_layers=[])
    layers.ropes(values)
    assert values.notes == ["List 'no_rope_layers' is empty; the family's code then uses its period."]


# Layers that keep a state


def test_states_and_tensors_by_hand():
    """Hidden size 8; heads of 2; kernels of 4, which keep three inputs; two FLOP for each touch of an element."""
    delta = recurrent.gated_delta(8, 1, 3, 2, 4, 4)
    # Keys, queries and values: 2 + 2 + 12; with as many gates as values 28 rows.
    assert delta.shapes(8) == [(28, 8), (6, 8), (8, 12), (16, 1, 4), (3,), (3,), (4,)]
    assert (delta.state, delta.state_elements, delta.state_flops) == (24, 24 + 16 * 3, 2 * 3 * 24)
    lightning = recurrent.lightning(8, 3, 2)
    assert lightning.shapes(8) == [(18, 8), (6, 8), (8, 6), (6,)]
    assert (lightning.state_elements, lightning.state_flops) == (12, 48)
    kimi = recurrent.kimi_delta(8, 3, 2, 4)
    gate = [(2, 8), (6, 2)]
    expected = [*[(6, 8)] * 3, (8, 6), *gate, *gate, (3, 8), (18, 1, 4), (6,), (3,), (2,)]
    assert kimi.shapes(8) == expected
    assert (kimi.state_elements, kimi.state_flops) == (12 + 18 * 3, 72)
    short = recurrent.short_convolution(8, 3, True)
    assert short.shapes(8) == [(24, 8), (8, 8), (8, 1, 3), (8,), (24,), (8,)]
    assert (short.state_elements, short.state_flops) == (16, 0)
    assert len(recurrent.short_convolution(8, 3, False).shapes(8)) == 3


# Storage


def tensor(*shape, part="experts"):
    return Tensor(part, shape, 1, 1)


@pytest.mark.parametrize(
    ("form", "shape", "expected"),
    [
        # 4 bits of 3 × 10 weights, a scale of 2 bytes for each row.
        (storage.Format("a", 4), (3, 10), 15 + 3 * 2),
        (storage.Format("a", 4, columns=4), (3, 10), 15 + 3 * 3 * 2),
        (storage.Format("a", 4, rows=2, columns=4), (3, 10), 15 + 2 * 3 * 2),
        (storage.Format("a", 8, rows=0), (3, 10), 30 + 2),
        (storage.Format("a", 8, rows=0, scale=4, matrix=5, column=3), (3, 10), 30 + 4 + 5 + 3 * 10),
        (storage.Format("a", 4), (30,), 60),
        (storage.Format("a", 4), (3, 10, 2), 120),
    ],
)
def test_bytes_of_a_tensor(form, shape, expected):
    assert form.bytes(tensor(*shape), 2) == expected
    assert form.bytes(tensor(*shape, part="router"), 2) == 2 * prod(shape)


WEIGHTS = {"num_bits": 8, "type": "float"}
GROUP = {"config_groups": {"group_0": {"weights": WEIGHTS}}}


@pytest.mark.parametrize(
    ("stated", "name", "numbers"),
    [  # bits, rows, columns, scale, matrix, column
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes, 4 bits", (4, 1, 64, 1 + 4 / 256, 0, 0)),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "int8", (8, 1, 0, 4, 0, 0)),
        ({"quant_method": "fp8"}, "fp8", (8, 0, 0, 4, 0, 0)),
        (
            {"quant_method": "FP8", "weight_block_size": [64, 128]},
            "fp8 in blocks of 64 × 128",
            (8, 64, 128, 4, 0, 0),
        ),
        ({"quant_method": "gptq", "bits": 3}, "gptq, 3 bits", (3, 1, 0, 2 + 3 / 8, 0, 4)),
        ({"quant_method": "awq", "w_bit": 8, "group_size": 32}, "awq, 8 bits in groups of 32", (8, 1, 32, 3, 0, 0)),
        ({"quant_method": "mxfp4"}, "mxfp4", (4, 1, 32, 1, 0, 0)),
        ({"bits": 4}, "MLX, 4 bits in groups of 64", (4, 1, 64, 4, 0, 0)),
        ({"bits": 4, "group_size": 32, "mode": "mxfp4"}, "MLX, 4 bits in groups of 32", (4, 1, 32, 1, 0, 0)),
        ({"bits": 4, "group_size": 16, "mode": "nvfp4"}, "MLX, 4 bits in groups of 16", (4, 1, 16, 1, 0, 0)),
        ({"bits": 8, "group_size": 32, "mode": "mxfp8"}, "MLX, 8 bits in groups of 32", (8, 1, 32, 1, 0, 0)),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "nvfp4", (4, 1, 16, 1, 8, 0)),
        ({"quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized"}, "nvfp4", (4, 1, 16, 1, 8, 0)),
        ({"quant_method": "compressed-tensors", "format": "mxfp4-pack-quantized"}, "mxfp4", (4, 1, 32, 1, 0, 0)),
        ({"quant_algo": "FP8", "quant_method": "modelopt"}, "fp8", (8, 0, 0, 8, 0, 0)),
        ({"quant_method": "compressed-tensors", **GROUP}, "fp8", (8, 1, 0, 2, 0, 0)),
        (
            {"quant_method": "compressed-tensors", "config_groups": {"g": {"weights": WEIGHTS | {"group_size": 64}}}},
            "fp8 in groups of 64",
            (8, 1, 64, 2, 0, 0),
        ),
        (
            {
                "quant_method": "compressed-tensors",
                "format": "float-quantized",
                "config_groups": {"g": {"weights": WEIGHTS | {"block_structure": [128, -1]}}},
            },
            "fp8 in blocks of 128 × -1",
            (8, 128, 0, 2, 0, 0),
        ),
        (
            {
                "quant_method": "compressed-tensors",
                "format": "pack-quantized",
                "config_groups": {"g": {"weights": {"num_bits": 16, "type": "int"}}},
            },
            "int16",
            (16, 1, 0, 2, 16, 0),
        ),
    ],
)
def test_formats(stated, name, numbers):
    values = made(quantization_config=stated)
    form = storage.quantised(values, None)
    assert (form.name, (form.bits, form.rows, form.columns, form.scale, form.matrix, form.column)) == (name, numbers)
    assert values.notes[-1].startswith(f"Weights are stored as {name}; norms, biases")


@pytest.mark.parametrize(
    "stated",
    [
        {"quant_method": "gptq", "bits": 0},
        {"quant_method": "awq", "bits": 9},
        {"quant_method": "compressed-tensors", "format": "int-quantized"},
        {"quant_method": "compressed-tensors", "config_groups": {"a": {"weights": WEIGHTS}, "b": {"weights": WEIGHTS}}},
        {"quant_method": "compressed-tensors", "config_groups": {"a": {"weights": None}}},
        {"quant_method": "compressed-tensors", "config_groups": {"a": 3}},
        {"quant_method": "x" * 50},
        {},
    ],
)
def test_formats_that_are_not_known(stated):
    values = made(quantization=stated | {"some": 1})
    assert storage.quantised(values, None) is None
    name = stated.get("quant_method", "")[:40]
    assert values.notes == [f"How the weights are quantised ('{name}') is not known; bytes are those of one type."]


def test_where_a_format_is_stated():
    beside = made(quantization={"quant_algo": "FP8", "quant_method": "modelopt"})
    assert storage.quantised(made(), None) is None
    assert storage.quantised(made(), made()) is None
    assert storage.quantised(made(), beside).scale == 8
    assert storage.quantised(made(quantization_config={"quant_method": "fp8"}), beside).scale == 4
    for name in ("quantization_config", "quantization"):
        with pytest.raises(InputError, match=f"key '{name}': 4 is found; an object is expected"):
            storage.quantised(made(**{name: 4}), None)


@pytest.mark.parametrize("block", [[128], [128, -1], [1, 2, 3]])
def test_blocks_that_are_none(block):
    with pytest.raises(
        InputError, match=r"key 'quantization_config\.weight_block_size': a list is found; a list of two"
    ):
        storage.quantised(made(quantization_config={"quant_method": "fp8", "weight_block_size": block}), None)


@pytest.mark.parametrize(
    ("entry", "parts"),
    [
        ("lm_head", {"head"}),
        ("embed_tokens", {"embedding"}),
        ("model.layers.0.self_attn.q_proj", {"attention"}),
        ("model.layers.*.self_attn*", {"attention"}),
        ("mlp.gate", {"router"}),
        ("block_sparse_moe.gate", {"router"}),
        ("block_sparse_moe.experts.3.w1", {"experts"}),
        ("shared_expert", {"shared"}),
        ("re:.*mlp\\.(gate_proj|down_proj)$", {"dense"}),
        ("re:model", {"attention", "dense", "shared", "experts", "router", "embedding"}),
        ("re:" + 200 * "m?", set()),
        ("re:.*.*.*.*", set()),
        ("re:(m)+.*", set()),
        ("re:[", set()),
        ("gate_pro", set()),
    ],
)
def test_what_stays_wide(entry, parts):
    """Of a format of which nothing else is wide."""
    for name in ("ignore", "modules_to_not_convert", "exclude_modules", "llm_int8_skip_modules"):
        form = storage.quantised(made(quantization={"bits": 4, name: [entry, 3]}), None)
        assert form.wide == parts


def test_notes_on_formats():
    values = made(quantization={"bits": 4, "lm_head": {"bits": 8}, "ignore": ["model.layers.1.mlp"]})
    storage.quantised(values, None)
    assert values.notes == [
        "Some tensors have a quantisation of their own, which the bytes do not know.",
        "Tensors that stay wide are listed layer by layer; each layer is taken to be like the others.",
        "Weights are stored as MLX, 4 bits in groups of 64; norms, biases, dense, shared, experts, router stay wide.",
    ]
    other = made(quantization_config={"quant_method": "mxfp4"})
    form = storage.quantised(other, None)
    assert form.wide == {"embedding", "head", "attention", "dense", "shared", "router", "lookup"}
    bits = storage.quantised(made(quantization_config={"quant_method": "bitsandbytes"}), None)
    assert bits.wide == {"embedding", "head", "lookup"}


# Families and options


def test_heads_of_full_attention_have_the_width_of_the_familys_code_where_none_is_said():
    """Transformers' Gemma4TextConfig: global_head_dim is 512 by default."""
    text = config("gemma-4-26b-a4b")["text_config"]
    silent = {name: value for name, value in text.items() if name != "global_head_dim"}
    said = [parse({"text_config": silent | more}).n_total for more in ({}, {"global_head_dim": 512})]
    assert said[0] == said[1] != parse({"text_config": silent | {"global_head_dim": 1024}}).n_total


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"text_config": config("gemma-4-26b-a4b")["text_config"] | {"per_layer_config": {"0": {}}}},
            "key 'text_config.per_layer_config': an object is found; nothing, as other sizes for some layers are not",
        ),
        (
            config("deepseek-v3", layer_types=["sliding_attention"] * 61),
            "key 'layer_types': a list is found; full_attention for each layer of this family is expected.",
        ),
    ],
)
def test_families_refuse(values, sentence):
    with pytest.raises(InputError) as error:
        parse(values)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"dtype": "int3"}, "Parameter dtype has the value 'int3'; one of float32, float16, bfloat16, float8_e4m3fn, "),
        ({"seq_len": 0}, "Parameter seq_len has the value 0; at least one token is expected."),
        ({"kv_len": 0}, "Parameter kv_len has the value 0; at least one token is expected."),
    ],
)
def test_options_are_refused(options, sentence):
    with pytest.raises(InputError) as error:
        parse(config("mixtral-8x7b"), **options)
    assert str(error.value).startswith(sentence)
    assert parse(config("mixtral-8x7b"), seq_len=1, kv_len=1).kv_cache_bytes == 32 * 2 * 8 * 128 * 2


def test_a_name_that_is_too_long():
    with pytest.raises(InputError, match=r"x cannot be read \(File name too long\); a JSON file is expected\.$"):
        huggingface.model("x" * 5000)
