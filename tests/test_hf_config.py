"""Configurations of public models, read to the last weight; and what is no configuration."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from moelaws.cli.main import main
from moelaws.errors import InputError
from moelaws.models import catalogue as architecture
from moelaws.models import families as hf_families
from moelaws.models import huggingface as hf_config
from moelaws.models.keys import Keys

CONFIGS = Path(__file__).parent / "configs"

# Weights of the models that the library transformers 5.23.0 builds from these files, counted tensor
# by tensor; and the biases by which experts are balanced, which it keeps apart.
WEIGHTS = {
    "dbrx": (131_596_523_520, 0),
    "deepseek-v2": (235_741_434_880, 0),
    "deepseek-v2-lite": (15_706_484_224, 0),
    "deepseek-v3": (671_026_404_352, 58 * 256),
    "gemma-2-9b": (9_241_705_984, 0),
    "gemma-2b": (2_506_172_416, 0),
    "gemma-3-1b": (999_885_952, 0),
    "glm-4.5": (352_797_814_784, 89 * 160),
    "glm-4.5-air": (106_852_245_504, 45 * 128),
    "gpt-oss-120b": (116_829_156_672, 0),
    "gpt-oss-20b": (20_914_757_184, 0),
    "granite-3.0-1b-a400m": (1_334_628_352, 0),
    "kimi-k2": (1_026_408_209_408, 60 * 384),
    "llama-3-8b": (8_030_261_248, 0),
    "llama-4-maverick": (400_711_848_960, 0),
    "llama-4-scout": (107_769_861_120, 0),
    "mistral-7b": (7_241_732_096, 0),
    "mixtral-8x22b": (140_630_071_296, 0),
    "mixtral-8x7b": (46_702_792_704, 0),
    "olmoe-1b-7b": (6_919_161_856, 0),
    "phi-3.5-moe": (41_873_153_344, 0),
    "qwen1.5-moe-a2.7b": (14_315_784_192, 0),
    "qwen2-57b-a14b": (57_408_658_944, 0),
    "qwen2.5-3b": (3_085_938_688, 0),
    "qwen2.5-7b": (7_615_616_512, 0),
    "qwen3-235b-a22b": (235_093_634_560, 0),
    "qwen3-30b-a3b": (30_532_122_624, 0),
    "qwen3-8b": (8_190_735_360, 0),
}
# Ling is not in that library; these are printed by its makers, in 1e9.
PRINTED = {"ling-lite-1.5": (16.8, 2.75), "ling-mini-2.0": (16.26, 1.43)}


def config(name):
    return json.loads((CONFIGS / f"{name}.json").read_text(encoding="utf-8"))


def parse(values):
    return hf_config.parse(Keys(values, "mine.json"))


def run(path, *options):
    return CliRunner().invoke(main, ["arch", str(path), *options])


@pytest.mark.parametrize("name", sorted(path.stem for path in CONFIGS.glob("*.json")))
def test_every_weight_of_a_public_model(name):
    model = hf_config.read(str(CONFIGS / f"{name}.json")).architecture
    if name in PRINTED:
        assert (model.n_total / 1e9, (model.n_active + model.n_embedding) / 1e9) == pytest.approx(
            PRINTED[name], rel=3e-3
        )
    else:
        assert model.n_total == sum(WEIGHTS[name])


TRANSCRIBED_TWICE = [
    name for name in architecture.data.load("models/models").model if (CONFIGS / f"{name.lower()}.json").exists()
]


@pytest.mark.parametrize("name", TRANSCRIBED_TWICE)
def test_the_table_of_models_says_the_same(name):
    table, read = architecture.load(name), hf_config.read(str(CONFIGS / f"{name.lower()}.json")).architecture
    for count in ("n_total", "n_active", "n_embedding", "router_weights", "kv_elements_per_token", "n_moe_layers"):
        assert getattr(table, count) == getattr(read, count)
    assert table.training_flops(5000, causal=True) == read.training_flops(5000, causal=True)


def test_all_models_of_the_table_have_a_configuration():
    assert len(TRANSCRIBED_TWICE) == len(architecture.data.load("models/models"))


@pytest.mark.parametrize("family", hf_families.FAMILIES)
def test_every_family_was_read(family):
    elsewhere = {"bailing_moe_v2", "granitemoeshared"}  # differ from a neighbour in one key
    texts = "".join(path.read_text(encoding="utf-8") for path in CONFIGS.glob("*.json"))
    assert f'"model_type": "{family}"' in texts or family in elsewhere


def test_names_that_mean_the_same():
    old = config("ling-mini-2.0")
    assert parse(old | {"model_type": "bailing_moe_v2"}).architecture == parse(old).architecture
    granite = config("granite-3.0-1b-a400m") | {"model_type": "granitemoeshared"}
    shared = parse(granite | {"shared_intermediate_size": 512}).architecture
    assert shared.n_total - parse(granite).architecture.n_total == 24 * shared.expert_weights
    mixtral = config("mixtral-8x7b")
    renamed = {"num_experts" if key == "num_local_experts" else key: value for key, value in mixtral.items()}
    assert parse(renamed).architecture == parse(mixtral).architecture


def test_layers_with_experts_at_every_second_place():
    maverick, scout = (parse(config(f"llama-4-{name}")).architecture for name in ("maverick", "scout"))
    assert (maverick.n_moe_layers, scout.n_moe_layers) == (24, 48)
    qwen = parse(config("qwen3-30b-a3b") | {"decoder_sparse_step": 3}).architecture
    assert (qwen.n_moe_layers, qwen.moe_every, qwen.moe_offset, qwen.d_dense) == (16, 3, 2, 6144)
    front = parse(config("qwen3-30b-a3b") | {"mlp_only_layers": [0, 1, 2]}).architecture
    assert (front.n_moe_layers, front.n_dense_layers) == (45, 3)
    dense = parse(config("qwen3-30b-a3b") | {"mlp_only_layers": list(range(48))}).architecture
    assert (dense.n_moe_layers, dense.n_active + dense.n_embedding) == (0, dense.n_total)
    deepseek = parse(config("deepseek-v3") | {"moe_layer_freq": 2}).architecture
    assert deepseek.n_moe_layers == len(range(4, 61, 2))


def test_notes_say_what_was_assumed_and_what_is_not_counted():
    notes = " ".join(parse(config("deepseek-v3")).notes)
    assert "stored quantised" in notes
    assert "multi-token prediction" in notes
    notes = parse({key: value for key, value in config("mixtral-8x7b").items() if key != "torch_dtype"}).notes
    assert notes == ("The type of the weights is not given; bfloat16 is assumed.",)
    assert "12 of 24 layers attend to 128 tokens" in " ".join(parse(config("gpt-oss-20b")).notes)
    assert "not what reads images" in " ".join(parse(config("llama-4-scout")).notes)
    assert parse(config("mixtral-8x7b")).notes == ()


def test_a_report_on_the_command_line():
    report = json.loads(run(CONFIGS / "mixtral-8x7b.json", "--seq-len", "2048", "--causal", "--json").stdout)
    assert report["n_total"] == 46_702_792_704
    assert report["n_embedding"] == 32000 * 4096
    assert report["weight_bytes"] == 2 * report["n_total"]
    assert report["kv_bytes_per_token"] == 32 * 2 * 8 * 128 * 2
    scores = 32 * 4 * 32 * 128 * 2049 // 2
    norms = 65 * 4096
    assert report["flops_per_token_forward"] == 2 * (report["n_active"] - norms) + scores
    assert report["flops_per_token_training"] == 3 * report["flops_per_token_forward"]
    text = run(CONFIGS / "mixtral-8x7b.json").stdout
    assert "n_total = 46,702,792,704" in text
    assert "Note: FLOP are those of a token in a sequence of 4096" in text


def without(name, *keys):
    return {key: value for key, value in config(name).items() if key not in keys}


REFUSED = {
    "no family": ({}, "has no key 'model_type'; one of bailing_moe, "),
    "unknown family": ({"model_type": "gpt9"}, "key 'model_type': \"gpt9\" is found; one of bailing_moe, "),
    "family as a number": ({"model_type": 3}, "key 'model_type': 3 is found; one of "),
    "linear attention": ({"model_type": "qwen3_next"}, "which has layers of linear attention or state spaces and"),
    "missing key": (without("mixtral-8x7b", "hidden_size"), "has no key 'hidden_size'; a whole number from 1 "),
    "missing heads": (without("mixtral-8x7b", "num_key_value_heads"), "has no key 'num_key_value_heads'"),
    "missing head size": (without("gpt-oss-20b", "head_dim"), "has no key 'head_dim'"),
    "missing rank": (without("deepseek-v3", "q_lora_rank"), "'q_lora_rank'; a positive whole number or null is"),
    "missing object": (without("dbrx", "ffn_config"), "has no key 'ffn_config'; an object is expected"),
    "list for an object": (config("dbrx") | {"ffn_config": [1]}, "key 'ffn_config': a list is found; an object"),
    "inner key": (config("dbrx") | {"ffn_config": {}}, "has no key 'ffn_config.moe_num_experts'"),
    "too many active": (
        config("mixtral-8x7b") | {"num_experts_per_tok": 9},
        "key 'num_experts_per_tok': 9 is found; at most the number of experts, 8, is expected",
    ),
    "negative size": (config("mixtral-8x7b") | {"hidden_size": -4096}, "key 'hidden_size': -4096 is found; a whole"),
    "zero layers": (config("llama-3-8b") | {"num_hidden_layers": 0}, "from 1 to 10000 is expected"),
    "endless layers": (config("llama-3-8b") | {"num_hidden_layers": 10**12}, "from 1 to 10000 is expected"),
    "no head size": (config("mixtral-8x7b") | {"head_dim": 0}, "key 'head_dim': 0 is found; a whole number from 1"),
    "text for a number": (config("olmoe-1b-7b") | {"num_experts": "64"}, "key 'num_experts': \"64\" is found"),
    "fraction": (config("olmoe-1b-7b") | {"num_experts": 64.5}, "key 'num_experts': 64.5 is found"),
    "truth for a number": (config("olmoe-1b-7b") | {"vocab_size": True}, "key 'vocab_size': true is found"),
    "number for a truth": (config("llama-3-8b") | {"attention_bias": 1}, "'attention_bias': 1 is found; true or"),
    "heads that do not divide": (
        config("mixtral-8x7b") | {"num_attention_heads": 33, "num_key_value_heads": 11},
        "key 'num_attention_heads': 33 is found; a divisor of the hidden size 4096, or a key 'head_dim', is expected",
    ),
    "groups that do not divide": (
        config("mixtral-8x7b") | {"num_key_value_heads": 5},
        "key 'num_key_value_heads': 5 is found; a divisor of the 32 heads",
    ),
    "too many dense layers": (config("glm-4.5") | {"first_k_dense_replace": 93}, "from 0 to 92 is expected"),
    "layers without a pattern": (
        config("qwen3-30b-a3b") | {"mlp_only_layers": [3, 7]},
        "key 'mlp_only_layers': a list is found; a pattern in which layers with experts",
    ),
    "texts for layers": (config("qwen3-30b-a3b") | {"mlp_only_layers": ["a"]}, "a list of whole numbers is expected"),
    "layer beyond the last": (
        config("llama-4-maverick") | {"text_config": config("llama-4-maverick")["text_config"] | {"moe_layers": [99]}},
        "key 'text_config.moe_layers': a list is found; a list of layers from 0 to 47",
    ),
    "layers of another kind": (
        config("gpt-oss-20b") | {"layer_types": ["linear_attention"] * 24},
        "key 'layer_types': a list is found; one of chunked_attention",
    ),
    "too few kinds": (config("gpt-oss-20b") | {"layer_types": ["full_attention"]}, "for each of 24 layers"),
    "windows somewhere": (config("qwen2.5-7b") | {"use_sliding_window": True}, "has no key 'layer_types'"),
    "unknown type": (
        config("llama-3-8b") | {"torch_dtype": "int3"},
        "'torch_dtype': \"int3\" is found; one of float32",
    ),
    "a list": ([1, 2], "holds a list; an object such as a model's config.json"),
    "a number": (7, "holds 7; an object"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_sentence(case, tmp_path):
    values, sentence = REFUSED[case]
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    result = run(path, "--json")
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert sentence in result.stderr
    assert result.stderr.startswith(f"Error: {path}")
    assert result.stderr.count("\n") == 1
    assert result.stderr.endswith(" expected.\n")
    with pytest.raises(InputError):
        hf_config.read(str(path))


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b'{"a": ' + b"9" * 5000 + b"}", b"[" * 100_000], ids=range(5)
)
def test_what_is_not_json(content, tmp_path):
    path = tmp_path / "mine.json"
    path.write_bytes(content)
    result = run(path)
    assert result.exit_code == 2, result.output
    assert "mine.json is not JSON; an object such as" in result.stderr


def test_files_and_options_that_cannot_be(tmp_path):
    assert "cannot be read (No such file or directory)" in run(tmp_path / "nowhere.json").stderr
    assert "cannot be read (Is a directory)" in run(tmp_path).stderr
    result = run(CONFIGS / "olmoe-1b-7b.json", "--seq-len", "0")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "Parameter seq_len has the value 0" in result.stderr


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 200) | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
KEYS = sorted({key for path in CONFIGS.glob("*.json") for key in config(path.stem)})


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(path.stem for path in CONFIGS.glob("*.json"))),
    st.dictionaries(st.sampled_from(KEYS), ANYTHING, max_size=3),
    st.sets(st.sampled_from(KEYS), max_size=2),
)
def test_any_object_is_read_or_refused(name, changes, dropped):
    values = {key: value for key, value in (config(name) | changes).items() if key not in dropped}
    assert told(values) is None or told(values).endswith(" expected.")


@settings(deadline=None)
@given(st.sampled_from(sorted(config("llama-4-scout")["text_config"])), ANYTHING, st.booleans())
def test_any_inner_object_is_read_or_refused(key, value, dropped):
    text = config("llama-4-scout")["text_config"] | {key: value}
    if dropped:
        del text[key]
    assert told(config("llama-4-scout") | {"text_config": text}) is None or "text_config." in told(
        config("llama-4-scout") | {"text_config": text}
    )


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=5) | st.sampled_from(KEYS), ANYTHING))
def test_a_random_object_is_refused(values):
    assert told(values).endswith(" expected.")


def told(values):
    """Return the one sentence by which an object is refused, if it is; any other error is a fault."""
    try:
        report = parse(values).report(4096)
    except InputError as error:
        return "two lines" if "\n" in str(error) else str(error)
    return None if 0 < report["n_active"] <= report["n_total"] else "more active than all"
