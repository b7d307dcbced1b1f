"""Configurations of public models, read to the last weight; and what is no configuration."""

import itertools
import json
from math import prod

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from moelaws import data
from moelaws.cli.main import main
from moelaws.errors import InputError
from moelaws.models import catalogue as architecture
from moelaws.models import families, huggingface
from moelaws.models.keys import Keys
from moelaws.paths import ROOT
from tests import tensor_lists

FOLDER = ROOT / "data" / "model_configs"
TABLE = data.load("model_configs/model_configs").set_index("config").fillna("")
REFERENCE = data.load("model_configs/reference").set_index("config").n_total_reference
UNITS = {"M": 1e6, "B": 1e9, "T": 1e12}


def config(name):
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def parse(values, **options):
    return huggingface.parse(Keys(values, "mine.json"), **options)


def run(*arguments):
    return CliRunner().invoke(main, ["arch", *map(str, arguments)])


def printed(value, text):
    """Tell whether a value rounds to a printed one, such as 1.5B."""
    return f"{value / UNITS[text[-1]]:.{len(text[:-1].partition('.')[2])}f}" == text[:-1]


@pytest.mark.parametrize("name", TABLE.index)
def test_published_counts_agree_to_the_printed_digits_or_say_why(name):
    row, model = TABLE.loc[name], huggingface.model(FOLDER / f"{name}.json").architecture
    looked_up = 0 if model.tied else model.n_embedding
    active = {"all": model.n_active + looked_up, "output": model.n_active, "body": model.n_body_active}
    assert printed(model.n_total, row.n_total_published) is ("total: " not in row.deviation)
    if row.n_active_published:
        assert printed(active[row.active_counts], row.n_active_published) is ("active: " not in row.deviation)


@pytest.mark.parametrize("name", REFERENCE.index)
def test_every_weight_of_a_public_model(name):
    assert huggingface.model(FOLDER / f"{name}.json").n_total == REFERENCE[name]


def test_every_weight_of_configurations_by_chance():
    rows = data.load("model_configs/generated")
    read = {row.configuration: parse(json.loads(row.configuration)).n_total for row in rows.itertuples()}
    assert read == dict(zip(rows.configuration, rows.n_total_reference, strict=True))
    assert len({json.loads(one)["model_type"] for one in read}) > 45


def test_the_table_has_enough_models_with_experts():
    assert set(TABLE.index) == {path.stem for path in FOLDER.glob("*.json")}
    assert (TABLE.n_active_published != "").sum() >= 40


TRANSCRIBED_TWICE = [name for name in data.load("models/models").model if (FOLDER / f"{name.lower()}.json").exists()]


@pytest.mark.parametrize("name", TRANSCRIBED_TWICE)
def test_the_table_of_models_says_the_same(name):
    table, read = architecture.load(name), huggingface.model(FOLDER / f"{name.lower()}.json").architecture
    for count in ("n_total", "n_active", "n_embedding", "router_weights", "kv_elements_per_token", "n_moe_layers"):
        assert getattr(table, count) == getattr(read, count)
    assert table.training_flops(5000, causal=True) == read.training_flops(5000, causal=True)


def test_all_models_of_the_table_have_a_configuration():
    assert len(TRANSCRIBED_TWICE) == len(data.load("models/models"))


@pytest.mark.parametrize("family", families.FAMILIES)
@settings(max_examples=8, deadline=None)
@given(sizes=tensor_lists.sizes(), tokens=st.integers(1, 20))
def test_a_family_counts_what_its_tensors_sum_to(family, sizes, tokens):
    values, tensors = tensor_lists.FAMILIES[family](sizes)
    model = parse(values | {"model_type": family}, seq_len=tokens)
    assert model.n_total == tensor_lists.total(tensors)
    assert model.n_active == tensor_lists.active(tensors)
    assert model.weight_bytes == 2 * model.n_total
    work = sum(2 * prod(shape) * used for shape, used in tensors if len(shape) > 1)
    assert work <= model.flops_per_token_forward
    assert model.kv_cache_bytes <= tokens * model.kv_bytes_per_token + model.state_bytes


def test_every_family_is_written_out():
    assert tensor_lists.FAMILIES.keys() == families.FAMILIES.keys()
    assert not families.FAMILIES.keys() & families.REFUSED.keys()


def test_names_that_mean_the_same():
    old = config("ling-mini-2.0")
    assert parse(old | {"model_type": "bailing_moe_v2"}).architecture == parse(old).architecture
    mixtral = config("mixtral-8x7b")
    renamed = {"num_experts" if key == "num_local_experts" else key: value for key, value in mixtral.items()}
    assert parse(renamed).architecture == parse(mixtral).architecture
    with pytest.raises(InputError, match="key 'num_experts': 9 is found; the value of key 'num_local_experts', 8, is"):
        parse(mixtral | {"num_experts": 9})


def test_layers_with_experts_at_every_second_place():
    maverick, scout = (parse(config(f"llama-4-{name}")).architecture for name in ("maverick", "scout"))
    assert (maverick.n_moe_layers, scout.n_moe_layers) == (24, 48)
    qwen = parse(config("qwen3-30b-a3b") | {"decoder_sparse_step": 3}).architecture
    assert (qwen.n_moe_layers, qwen.moe_layers[:2], qwen.d_dense) == (16, (2, 5), 6144)
    front = parse(config("qwen3-30b-a3b") | {"mlp_only_layers": [0, 1, 2]}).architecture
    assert front.moe_layers == tuple(range(3, 48))
    scattered = parse(config("qwen3-30b-a3b") | {"mlp_only_layers": [3, 7]}).architecture
    assert scattered.n_moe_layers == 46
    dense = parse(config("qwen3-30b-a3b") | {"mlp_only_layers": list(range(48))}).architecture
    assert (dense.n_moe_layers, dense.n_active + dense.n_embedding) == (0, dense.n_total)
    deepseek = parse(config("deepseek-v3") | {"moe_layer_freq": 2}).architecture
    assert deepseek.n_moe_layers == len(range(4, 61, 2))


@pytest.mark.parametrize(
    ("name", "there", "found"),
    [
        ("llama-4-maverick", {"text_config": {"moe_layers": []}}, 0),
        ("llama-4-maverick", {"text_config": {"moe_layers": [0, 1, 5]}}, 3),
        ("qwen3-30b-a3b", {"mlp_only_layers": []}, 48),
        ("qwen3-30b-a3b", {"mlp_only_layers": [0], "mlp_layer_types": ["dense"] * 47 + ["sparse"]}, 1),
        ("deepseek-v3", {"n_routed_experts": None}, 0),
        ("deepseek-v3", {"first_k_dense_replace": 99}, 0),
        ("mixtral-8x7b", {"num_local_experts": 0}, 0),
        ("mimo-v2-flash", {"moe_layer_freq": [0] * 48}, 0),
        ("step-3", {"text_config": {"moe_layers_enum": ""}}, 0),
    ],
)
def test_a_list_stands_above_a_period_and_an_empty_one_means_none(name, there, found):
    values = config(name)
    text = there.pop("text_config", None)
    values |= there | ({"text_config": values["text_config"] | text} if text else {})
    model = parse(values)
    assert model.architecture.n_moe_layers == found
    dense = any("the model is dense" in note for note in model.notes)
    assert dense is (found == 0)
    if not found:
        assert model.architecture.n_body == model.architecture.n_body_active


def test_a_period_of_llama_4_is_read_as_it_says():
    """Half of the layers of Maverick have experts; all of them would be 784e9 weights."""
    maverick = config("llama-4-maverick")
    del maverick["text_config"]["moe_layers"]
    every = parse(maverick | {"text_config": maverick["text_config"] | {"interleave_moe_layer_step": 1}})
    assert (parse(maverick).n_total, every.architecture.n_moe_layers) == (400_711_848_960, 48)
    assert every.n_total > 780e9
    listed = maverick["text_config"] | {"moe_layers": list(range(1, 48, 2)), "interleave_moe_layer_step": 1}
    assert parse(maverick | {"text_config": listed}).n_total == 400_711_848_960


def test_patterns_of_windows_and_their_lists():
    def windowed(name, **changes):
        model = parse(config(name) | changes).architecture
        return sum(count for count, _, window in model.mixers if window)

    kinds = ["full_attention"] * 23 + ["sliding_attention"]
    assert windowed("gpt-oss-20b") == 12
    assert windowed("gpt-oss-20b", layer_types=kinds) == 1
    assert windowed("gpt-oss-20b", layer_types=["full_attention"] * 24) == 0
    assert windowed("gemma-3-1b") == 22
    assert windowed("gemma-3-1b", sliding_window_pattern=2) == 13
    assert windowed("qwen2.5-7b", use_sliding_window=True) == 0
    assert windowed("qwen2.5-7b", use_sliding_window=True, max_window_layers=20) == 8
    assert windowed("mistral-7b") == 32
    assert windowed("mistral-7b", sliding_window=None) == 0
    assert windowed("mimo-v2-flash", hybrid_layer_pattern=[0] * 48) == 0


SMALL = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "vocab_size": 100,
    "tie_word_embeddings": True,
    "attention_bias": False,
}


def test_dense_models_under_a_name_of_experts():
    """As MobileLLM-R1 and the smallest test files of DeepSeek are written."""
    mobile = SMALL | {"model_type": "llama4_text", "architectures": ["Llama4ForCausalLM"], "moe_layers": []}
    mobile |= {"num_hidden_layers": 15, "num_local_experts": 0, "num_experts_per_tok": 0, "no_rope_layers": [1] * 22}
    mobile |= {"intermediate_size_mlp": 96, "interleave_moe_layer_step": 0, "attention_chunk_size": 32768}
    layer = 64 * 64 * 2 + 64 * 32 * 2 + 3 * 64 * 96 + 2 * 64
    assert parse(mobile).n_total == 15 * layer + 64 + 64 * 100
    assert not [note for note in parse(mobile).notes if "structural" in note]
    deepseek = config("deepseek-v3") | {"num_hidden_layers": 2}
    assert parse(deepseek).architecture.n_moe_layers == 0


OTHER_CLASSES = {
    "class": {"architectures": ["MobiLlamaForCausalLM"]},
    "code beside the weights": {"auto_map": {"AutoModelForCausalLM": "modelling_mobillama.MobiLlamaForCausalLM"}},
    "both": {
        "architectures": ["LlamaForCausalLM"],
        "auto_map": {"AutoModelForCausalLM": "modelling_mobillama.MobiLlamaForCausalLM"},
    },
    "another head": {"architectures": ["LlamaForSequenceClassification"]},
    "no head": {"architectures": ["LlamaModel"]},
}


@pytest.mark.parametrize("case", OTHER_CLASSES)
def test_a_class_that_is_not_the_plain_one_is_refused(case):
    with pytest.raises(InputError, match="need not be that of the family llama; LlamaForCausalLM is expected"):
        parse(config("llama-3-8b") | OTHER_CLASSES[case])


def test_the_second_ling_is_told_by_its_class():
    second = config("ling-mini-2.0")
    assert parse(second).n_total == parse(second | {"model_type": "bailing_moe_v2"}).n_total
    for one in ("use_qk_norm", "moe_router_enable_expert_bias"):
        del second[one]
    first = parse(second | {"architectures": ["BailingMoeForCausalLM"]}).architecture
    assert parse(second).n_total - first.n_total == 20 * 2 * 128 + 19 * 256


# A key that no family knows, and the patterns that it may follow.
MADE_UP = [
    "shared_ffn_layers",
    "ffn_share_groups",
    "num_memory_layers",
    "block_pattern",
    "expert_period",
    "global_window",
    "n_null_experts",
    "num_extra_experts",
    "moe_every_n",
    "attention_skip_interval",
    "value_lora_rank",
    "second_vocab_size",
    "tie_all_layers",
    "output_gate",
]


@pytest.mark.parametrize("name", TABLE.index)
def test_an_unknown_structural_key_is_named(name):
    values = config(name)
    assert not [note for note in parse(values).notes if "structural" in note]
    for key, value in itertools.product(MADE_UP, (3, [], True)):
        there = parse(values | {key: value})
        assert [note for note in there.notes if "structural" in note and f"'{key}'" in note], key
        if "text_config" in values:
            inner = parse(values | {"text_config": values["text_config"] | {key: value}})
            assert [note for note in inner.notes if f"'text_config.{key}'" in note], key


def test_keys_that_change_what_is_not_known_are_refused():
    linear = config("kimi-linear-48b-a3b")
    for key in ("attn_res_block_size", "routed_expert_hidden_size", "mla_use_output_gate"):
        with pytest.raises(
            InputError, match=f"key '{key}': 12 is found; nothing, as what it changes is not counted, is"
        ):
            parse(linear | {key: 12})
    inner = linear["linear_attn_config"] | {"use_full_rank_gate": True}
    with pytest.raises(InputError, match=r"key 'linear_attn_config\.use_full_rank_gate': true is found; nothing"):
        parse(linear | {"linear_attn_config": inner})
    with pytest.raises(InputError, match="kimi_k3"):
        parse({"model_type": "kimi_k3", "text_config": linear})


def test_sparse_attention_is_noted():
    notes = " ".join(parse(config("ling-mini-2.0") | {"moba_block_size": 1024}).notes)
    assert "Keys of sparse attention are there ('moba_block_size'); work is counted as that of full attention" in notes
    v32, v3 = config("deepseek-v3.2"), config("deepseek-v3")
    assert parse(v32, seq_len=100_000).flops_per_token_forward < parse(v3, seq_len=100_000).flops_per_token_forward
    # one head's key for each token and layer, and the work of 61 indexers among 1000 tokens
    assert parse(v32).architecture.kv_elements_per_token - parse(v3).architecture.kv_elements_per_token == 61 * 128
    indexer = 64 * 128 * 1536 + 7168 * (128 + 64)
    more = parse(v32, seq_len=1000).flops_per_token_forward - parse(v3, seq_len=1000).flops_per_token_forward
    assert more == 61 * (2 * indexer + 1000 * 2 * 64 * 128)


def test_multimodal_wrappers_say_that_vision_is_left_out():
    for name in ("llama-4-scout", "kimi-k2.5", "qwen3.5-35b-a3b", "gemma-4-26b-a4b", "step-3"):
        assert [note for note in parse(config(name)).notes if "vision, and what else is no text, is left out" in note]
    scout = config("llama-4-scout")
    flat = parse(scout["text_config"])
    assert flat.architecture == parse(scout).architecture
    with pytest.raises(InputError, match="a class that writes text is expected"):
        parse(scout | {"architectures": ["Llama4ForImageClassification"]})
    assert "What reads images or sound is not counted" in " ".join(
        parse(config("llama-3-8b") | {"vision_config": {"a": 1}}).notes
    )


def test_states_of_linear_layers():
    """Qwen3-Next: 36 layers keep 32 heads of 128 × 128, and three inputs of a convolution over 8192 channels."""
    model = parse(config("qwen3-next-80b-a3b"), kv_len=1000)
    state = 36 * (32 * 128 * 128 + 3 * 8192) * 2
    assert (model.state_bytes, model.kv_bytes_per_token) == (state, 12 * 2 * 2 * 256 * 2)
    assert model.kv_cache_bytes == state + 1000 * model.kv_bytes_per_token
    longer = parse(config("qwen3-next-80b-a3b"), seq_len=8192).flops_per_token_forward
    assert longer - model.flops_per_token_forward == 12 * 4 * 16 * 256 * 4096
    nemotron = parse(config("nemotron-3-nano-30b-a3b"))
    assert nemotron.state_bytes == 23 * (64 * 64 * 128 + 3 * (4096 + 2 * 8 * 128)) * 2
    assert nemotron.kv_bytes_per_token == 6 * 2 * 2 * 128 * 2
    scan = 23 * 4 * 64 * 64 * 128  # in and out of the state, two FLOP each
    matrices = sum(2 * prod(x.shape) * x.used for x in nemotron.architecture.tensors if len(x.shape) > 1)
    looked_up, scores = 2 * nemotron.n_embedding, 6 * 4 * 32 * 128 * 4096
    assert nemotron.flops_per_token_forward == matrices - looked_up + scores + scan


# What a quantised Mixtral's experts take, beside what stays as it is; and what its other matrices take.
EXPERTS, ATTENTION = 32 * 8 * 3 * 4096 * 14336, 32 * 4096 * (2 * 4096 + 2 * 1024)
WIDE = 2 * 32000 * 4096 + 65 * 4096 + 32 * 8 * 4096
PACKED = {"config_groups": {"group_0": {"weights": {"num_bits": 4, "type": "int", "group_size": 32}}}}
FORMATS = {
    "fp8 for each tensor": ({"quant_method": "fp8"}, EXPERTS + ATTENTION + 4 * (32 * 8 * 3 + 32 * 4), WIDE),
    "fp8 in blocks": (
        {"quant_method": "fp8", "weight_block_size": [128, 128]},
        (EXPERTS + ATTENTION) * (1 + 4 / 128**2),
        WIDE,
    ),
    "mxfp4": ({"quant_method": "mxfp4"}, EXPERTS * (0.5 + 1 / 32), WIDE + ATTENTION),
    "gptq": (
        {"quant_method": "gptq", "bits": 4, "group_size": 128},
        (EXPERTS + ATTENTION) * (0.5 + 2.5 / 128) + 4 * 32 * (8 * (2 * 4096 + 14336) + 4 * 4096),
        WIDE,
    ),
    "awq": ({"quant_method": "awq", "bits": 4, "group_size": 128}, (EXPERTS + ATTENTION) * (0.5 + 2.5 / 128), WIDE),
    "awq, attention left": (
        {"quant_method": "awq", "bits": 4, "group_size": 128, "modules_to_not_convert": ["self_attn"]},
        EXPERTS * (0.5 + 2.5 / 128),
        WIDE + ATTENTION,
    ),
    "packed integers": (
        {"quant_method": "compressed-tensors", "format": "pack-quantized", **PACKED, "ignore": ["re:.*self_attn.*"]},
        EXPERTS * (0.5 + 2 / 32) + 16 * 32 * 8 * 3,
        WIDE + ATTENTION,
    ),
    "nvfp4": (
        {"quant_method": "modelopt", "quant_algo": "NVFP4", "ignore": ["lm_head", "model.layers.*.self_attn*"]},
        EXPERTS * (0.5 + 1 / 16) + 8 * 32 * 8 * 3,
        WIDE + ATTENTION,
    ),
}


@pytest.mark.parametrize("case", FORMATS)
def test_bytes_of_quantised_weights(case):
    stated, narrow, wide = FORMATS[case]
    model = parse(config("mixtral-8x7b") | {"quantization_config": stated})
    assert model.weight_bytes == round(narrow + 2 * wide)
    (note,) = (note for note in model.notes if note.startswith("Weights are stored as"))
    assert ("attention" in note) is (wide > WIDE)
    assert "head" in note
    assert (
        parse(config("mixtral-8x7b") | {"quantization_config": stated}, dtype="float32").weight_bytes
        == 4 * model.n_total
    )


def test_bytes_of_mlx_and_of_what_is_not_known():
    phi = config("phi-3.5-moe") | {"quantization": {"group_size": 64, "bits": 4}}
    matrices = sum(prod(x.shape) * x.stored for x in parse(phi).architecture.tensors if len(x.shape) == 2)
    model = parse(phi)
    assert model.weight_bytes == round(matrices * 4.5 / 8 + 2 * (model.n_total - matrices))
    unknown = parse(config("mixtral-8x7b") | {"quantization_config": {"quant_method": "aqlm"}})
    assert "How the weights are quantised ('aqlm') is not known" in " ".join(unknown.notes)
    assert unknown.weight_bytes == 2 * unknown.n_total


def test_the_published_sizes_of_gpt_oss():
    """Its model card prints 60.8 and 12.8 GiB."""
    sizes = {name: parse(config(f"gpt-oss-{name}")).weight_bytes / 2**30 for name in ("120b", "20b")}
    assert {name: round(size, 1) for name, size in sizes.items()} == {"120b": 60.8, "20b": 12.8}


def test_an_expression_of_a_file_cannot_run_for_ever():
    stated = {"quant_method": "compressed-tensors", "ignore": ["re:(a+)+$", "re:(.*)*x", "re:["], **PACKED}
    assert parse(config("mixtral-8x7b") | {"quantization_config": stated}).weight_bytes < 30e9


def test_notes_say_what_was_assumed_and_what_is_not_counted():
    notes = " ".join(parse(config("deepseek-v3")).notes)
    assert "Weights are stored as fp8 in blocks of 128 × 128; norms, biases, embedding, head, router stay wide" in notes
    assert "multi-token prediction" in notes
    mixtral = config("mixtral-8x7b") | {"architectures": ["MixtralForCausalLM"]}
    assert parse(mixtral).notes == ()
    assert parse(config("mixtral-8x7b")).notes == ("Key 'architectures' is missing; MixtralForCausalLM is assumed.",)
    del mixtral["torch_dtype"]
    assert parse(mixtral).notes == ("The type of the weights is not given; bfloat16 is assumed.",)
    assert "12 of 24 layers attend to 128 tokens" in " ".join(parse(config("gpt-oss-20b")).notes)


def test_a_report_on_the_command_line():
    report = json.loads(run(FOLDER / "mixtral-8x7b.json", "--seq-len", "2048", "--causal", "--json").stdout)
    assert report["n_total"] == 46_702_792_704
    assert report["n_embedding"] == 32000 * 4096
    assert report["weight_bytes"] == 2 * report["n_total"]
    assert report["kv_bytes_per_token"] == 32 * 2 * 8 * 128 * 2
    assert report["kv_cache_bytes"] == 2048 * report["kv_bytes_per_token"]
    scores = 32 * 4 * 32 * 128 * 2049 // 2
    norms = 65 * 4096
    assert report["flops_per_token_forward"] == 2 * (report["n_active"] - norms) + scores
    assert report["flops_per_token_training"] == 3 * report["flops_per_token_forward"]
    text = run(FOLDER / "mixtral-8x7b.json").stdout
    assert "n_total = 46,702,792,704" in text
    assert "Note: FLOP are those of a token in a sequence of 4096" in text
    model = huggingface.model(FOLDER / "mixtral-8x7b.json")
    assert str(model) + "\n" == text
    assert "<td>46,702,792,704</td>" in model._repr_html_()


def test_several_files_options_and_a_table():
    files = [FOLDER / "mixtral-8x7b.json", FOLDER / "gpt-oss-20b.json"]
    reports = json.loads(run(*files, "--kv-len", "1000", "--dtype", "float32", "--json").stdout)
    assert [report["config"] for report in reports] == [str(path) for path in files]
    assert [report["weight_bytes"] for report in reports] == [4 * 46_702_792_704, 4 * 20_914_757_184]
    assert reports[0]["kv_cache_bytes"] == 1000 * 32 * 2 * 8 * 128 * 4
    assert reports[1]["kv_cache_bytes"] == 12 * (1000 + 128) * 2 * 8 * 64 * 4
    head, *rows = run(*files).stdout.splitlines()
    assert head.split()[:2] == ["n_total", "n_active"]
    assert rows[0].startswith(str(files[0]))
    assert rows[0].removeprefix(str(files[0])).split()[:2] == ["4.67e+10", "1.275e+10"]


def folder(tmp_path, values, **files):
    tmp_path.joinpath("config.json").write_text(json.dumps(values), encoding="utf-8")
    for name, content in files.items():
        path = {"index": "model.safetensors.index.json", "quantised": "hf_quant_config.json"}[name]
        tmp_path.joinpath(path).write_text(json.dumps(content), encoding="utf-8")
    return tmp_path


def test_a_folder_is_held_against_its_index(tmp_path):
    stated = {"total_size": 93_405_585_408, "total_parameters": 46_702_792_704}
    path = folder(tmp_path, config("mixtral-8x7b"), index={"metadata": stated, "weight_map": {}})
    report = json.loads(run(path, "--json").stdout)
    assert report["index"] == stated
    assert "The index of the weights states 93,405,585,408 bytes, as counted." in report["notes"]
    assert "The index of the weights states 46,702,792,704 parameters, as counted." in report["notes"]
    assert json.loads(run(path / "config.json", "--json").stdout) == report
    layers = {"model.layers.32.mlp.weight": "a", "model.layers.2.mlp.weight": "b"}
    folder(tmp_path, config("mixtral-8x7b"), index={"metadata": {"total_size": 93_405_585_409}, "weight_map": layers})
    notes = " ".join(json.loads(run(path, "--json").stdout)["notes"])
    assert "states 93,405,585,409 bytes, 1 more than counted" in notes
    assert "The index of the weights has layers 32 to 32, which are not counted." in notes


def test_a_file_beside_says_how_weights_and_cache_are_quantised(tmp_path):
    stated = {"quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8", "exclude_modules": ["lm_head"]}}
    model = huggingface.model(folder(tmp_path, config("mixtral-8x7b"), quantised=stated))
    assert model.weight_bytes == pytest.approx(EXPERTS + ATTENTION + 2 * WIDE, rel=1e-6)
    assert model.kv_bytes_per_token == 32 * 2 * 8 * 128
    assert "The cache is stored as fp8." in model.notes


def without(name, *keys):
    return {key: value for key, value in config(name).items() if key not in keys}


REFUSED = {
    "no family": ({}, "has no key 'model_type'; one of afmoe, "),
    "unknown family": ({"model_type": "gpt9"}, "key 'model_type': \"gpt9\" is found; one of afmoe, "),
    "family as a number": ({"model_type": 3}, "key 'model_type': 3 is found; one of "),
    "linear attention": ({"model_type": "falcon_h1"}, "which has layers of linear attention or state spaces and"),
    "sparse index": ({"model_type": "deepseek_v4"}, "by an index over compressed blocks and cannot be counted"),
    "no family within": ({"model_type": "llava", "text_config": {}}, "has no key 'text_config.model_type'"),
    "a shared indexer": (config("glm-5") | {"index_topk_freq": 4}, "which is not counted; one in each is expected"),
    "embeddings for each layer": (
        {"text_config": config("gemma-4-26b-a4b")["text_config"] | {"hidden_size_per_layer_input": 256}},
        "'text_config.hidden_size_per_layer_input': 256 is found; 0, as",
    ),
    "a state without size": (without("qwen3-next-80b-a3b", "linear_key_head_dim"), "has no key 'linear_key_head_dim'"),
    "a pattern cut short": (
        config("nemotron-3-nano-30b-a3b") | {"hybrid_override_pattern": "MEM*"},
        "is found; M, *, - or E for each of 52 layers is expected",
    ),
    "a layer twice": (
        config("kimi-linear-48b-a3b") | {"linear_attn_config": {"full_attn_layers": [1], "kda_layers": [1]}},
        "each layer once in its lists",
    ),
    "no classes": (config("llama-3-8b") | {"architectures": "LlamaForCausalLM"}, "a list of texts is expected"),
    "no map": (config("llama-3-8b") | {"auto_map": [1]}, "key 'auto_map': a list is found; an object is expected"),
    "no quantisation": (config("llama-3-8b") | {"quantization_config": 4}, "key 'quantization_config': 4 is found"),
    "not a number": (config("llama-3-8b") | {"vocab_size": float("nan")}, "key 'vocab_size': NaN is found; a whole"),
    "widths that differ": (config("hunyuan-a13b") | {"moe_topk": [8] * 31 + [4]}, "key 'moe_topk': a list is found"),
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
    "texts for layers": (config("qwen3-30b-a3b") | {"mlp_only_layers": ["a"]}, "a list of whole numbers is expected"),
    "layer beyond the last": (
        config("llama-4-maverick") | {"text_config": config("llama-4-maverick")["text_config"] | {"moe_layers": [99]}},
        "key 'text_config.moe_layers': a list is found; a list of layers from 0 to 47",
    ),
    "layers of another kind": (
        config("gpt-oss-20b") | {"layer_types": ["linear_attention"] * 24},
        "key 'layer_types': a list is found; attention for each layer of this family is expected",
    ),
    "too few kinds": (config("gpt-oss-20b") | {"layer_types": ["full_attention"]}, "for each of 24 layers"),
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
    said = json.loads(result.stderr)["error"]
    assert sentence in said
    assert said.startswith(str(path))
    assert result.stderr.count("\n") == 1
    assert said.endswith(" expected.")
    with pytest.raises(InputError):
        huggingface.model(path)


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
    assert f"{tmp_path} has no config.json; a model's folder" in run(tmp_path).stderr
    (tmp_path / "config.json").mkdir()
    assert "config.json is no file" in run(tmp_path).stderr
    assert "is an address, which is not opened" in run("https://example.org/config.json").stderr
    assert "/dev/zero is no file" in run("/dev/zero").stderr
    result = run(FOLDER / "olmoe-1b-7b.json", "--seq-len", "0")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "Parameter seq_len has the value 0" in result.stderr


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 200) | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
KEYS = sorted({key for path in FOLDER.glob("*.json") for key in config(path.stem)})


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(sorted(path.stem for path in FOLDER.glob("*.json"))),
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


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(max_size=5) | st.sampled_from(KEYS), ANYTHING))
def test_a_random_object_is_refused(values):
    assert told(values).endswith(" expected.")


STATED = [
    *[
        "bits",
        "group_size",
        "weight_block_size",
        "config_groups",
        "format",
        "ignore",
        "mode",
        "quant_algo",
        "weights",
        "num_bits",
    ]
]
STATED += [*["quantization", "metadata", "total_size", "weight_map", "quant_method", "modules_to_not_convert"]]
NAMED = st.sampled_from(["fp8", "gptq", "mxfp4", "compressed-tensors", "modelopt", "NVFP4"])
OBJECT = st.dictionaries(st.sampled_from(STATED), ANYTHING | NAMED | st.lists(st.text(max_size=8)), max_size=5)


@settings(max_examples=60, deadline=None)
@given(OBJECT, OBJECT, OBJECT)
def test_any_quantisation_and_any_file_beside_is_read_or_refused(stated, quantised, index):
    beside = {"hf_quant_config.json": Keys(quantised, "q.json"), "model.safetensors.index.json": Keys(index, "i.json")}
    for values in (config("mixtral-8x7b"), config("mixtral-8x7b") | {"quantization_config": stated}):
        sentence = told(values, beside=beside)
        assert sentence is None or sentence.endswith(" expected.")


def told(values, **options):
    """Return the one sentence by which an object is refused, if it is; any other error is a fault."""
    try:
        report = parse(values, **options).report()
    except InputError as error:
        return "two lines" if "\n" in str(error) else str(error)
    return None if 0 < report["n_active"] <= report["n_total"] else "more active than all"
