"""What the keys of a Hugging Face ``config.json`` mean, family by family.

A family is one ``model_type``. Which matrices, biases and norms it has follows from its published
code, in the library transformers or beside its weights; its keys give the sizes. A size that is
missing is refused, as the library's stand-ins for it are the sizes of one certain model.
"""

from collections.abc import Callable
from typing import Literal

from moelaws.errors import InputError
from moelaws.models import parts as hf_parts
from moelaws.models.architecture import Architecture
from moelaws.models.attention import GroupedAttention
from moelaws.models.keys import Keys


def _llama(keys: Keys) -> Architecture:
    bias = keys.flag("attention_bias", False)
    attention = hf_parts.grouped(keys, qkv_bias=bias, output_bias=bias)
    return hf_parts.decoder(keys, attention, ff_bias=keys.flag("mlp_bias", False))


def _mistral(keys: Keys) -> Architecture:
    return hf_parts.decoder(keys, hf_parts.grouped(keys), **hf_parts.everywhere(keys))


def _qwen2(keys: Keys) -> Architecture:
    return hf_parts.decoder(keys, hf_parts.grouped(keys, qkv_bias=True), **hf_parts.switched(keys))


def _qwen3(keys: Keys) -> Architecture:
    bias = keys.flag("attention_bias", False)
    attention = hf_parts.grouped(keys, own_head_dim=True, qkv_bias=bias, output_bias=bias, qk_norm="head")
    return hf_parts.decoder(keys, attention, **hf_parts.switched(keys))


def _gemma(keys: Keys) -> Architecture:
    return hf_parts.decoder(keys, _gemma_attention(keys), tied=True)


def _gemma2(keys: Keys) -> Architecture:
    return hf_parts.decoder(keys, _gemma_attention(keys), tied=True, norms_per_layer=4, **hf_parts.alternating(keys))


def _gemma3(keys: Keys) -> Architecture:
    period = keys.size_or(6, "sliding_window_pattern", "_sliding_window_pattern") or 6
    windows = hf_parts.windows(keys, lambda layer: (layer + 1) % period != 0)
    return hf_parts.decoder(keys, _gemma_attention(keys, "head"), tied=True, norms_per_layer=4, **windows)


def _gemma_attention(keys: Keys, qk_norm: Literal["none", "head"] = "none") -> GroupedAttention:
    bias = keys.flag("attention_bias", False)
    return hf_parts.grouped(keys, own_head_dim=True, qkv_bias=bias, output_bias=bias, qk_norm=qk_norm)


def _mixtral(keys: Keys) -> Architecture:
    experts = hf_parts.experts_of(keys, "intermediate_size", "num_local_experts", "num_experts")
    return hf_parts.decoder(keys, hf_parts.grouped(keys), **experts, **hf_parts.everywhere(keys))


def _phimoe(keys: Keys) -> Architecture:
    bias = keys.flag("attention_bias", False)
    return hf_parts.decoder(
        keys,
        hf_parts.grouped(keys, qkv_bias=bias, output_bias=bias),
        norm_bias=True,
        output_bias=keys.flag("lm_head_bias", False),
        **hf_parts.experts_of(keys, "intermediate_size", "num_local_experts", "num_experts"),
        **hf_parts.everywhere(keys),
    )


def _granitemoe(keys: Keys) -> Architecture:
    bias = keys.flag("attention_bias", False)
    experts = hf_parts.experts_of(keys, "intermediate_size", "num_local_experts", "num_experts")
    shared = keys.size_or(0, "shared_intermediate_size")
    return hf_parts.decoder(
        keys,
        hf_parts.grouped(keys, qkv_bias=bias, output_bias=bias),
        n_shared=int(shared > 0),
        d_shared=shared,
        **experts,
    )


def _dbrx(keys: Keys) -> Architecture:
    experts = hf_parts.experts_of(keys.inside("ffn_config"), "ffn_hidden_size", "moe_num_experts", top="moe_top_k")
    return hf_parts.decoder(keys, hf_parts.grouped(keys, kv=keys.inside("attn_config")), **experts)


def _olmoe(keys: Keys) -> Architecture:
    bias = keys.flag("attention_bias", False)
    attention = hf_parts.grouped(keys, qkv_bias=bias, output_bias=bias, qk_norm="all")
    return hf_parts.decoder(
        keys, attention, **hf_parts.experts_of(keys, "intermediate_size", "num_experts", "num_local_experts")
    )


def _deepseek(keys: Keys) -> Architecture:
    """DeepSeek-V2, V3 and Kimi-K2; from V3 on, each expert has a bias that balances the load."""
    experts = hf_parts.experts_of(keys, "moe_intermediate_size", "n_routed_experts", "num_local_experts")
    n_shared = keys.size_or_null("n_shared_experts")
    balanced = keys.values["model_type"] != "deepseek_v2"
    return hf_parts.decoder(
        keys, hf_parts.latent(keys), router_bias=balanced, n_shared=n_shared, **experts, **hf_parts.leading(keys)
    )


def _qwen2_moe(keys: Keys) -> Architecture:
    experts = hf_parts.experts_of(keys, "moe_intermediate_size", "num_experts", "num_local_experts")
    shared = keys.size("shared_expert_intermediate_size")
    attention = hf_parts.grouped(keys, qkv_bias=keys.flag("qkv_bias", True))
    return hf_parts.decoder(
        keys,
        attention,
        shared_gate=True,
        n_shared=1,
        d_shared=shared,
        **experts,
        **hf_parts.sparse(keys),
        **hf_parts.switched(keys),
    )


def _qwen3_moe(keys: Keys) -> Architecture:
    bias = keys.flag("attention_bias", False)
    attention = hf_parts.grouped(keys, qkv_bias=bias, output_bias=bias, qk_norm="head")
    experts = hf_parts.experts_of(keys, "moe_intermediate_size", "num_experts", "num_local_experts")
    return hf_parts.decoder(keys, attention, **experts, **hf_parts.sparse(keys), **hf_parts.switched(keys))


def _glm4_moe(keys: Keys) -> Architecture:
    norm: Literal["none", "head"] = "head" if keys.flag("use_qk_norm", False) else "none"
    attention = hf_parts.grouped(keys, qkv_bias=keys.flag("attention_bias", False), qk_norm=norm)
    experts = hf_parts.experts_of(keys, "moe_intermediate_size", "n_routed_experts", "num_local_experts")
    n_shared = keys.size_or_null("n_shared_experts")
    return hf_parts.decoder(keys, attention, router_bias=True, n_shared=n_shared, **experts, **hf_parts.leading(keys))


def _bailing(keys: Keys) -> Architecture:
    """Ling: the second generation norms queries and keys and balances the load by biases."""
    second = keys.values["model_type"] == "bailing_moe_v2" or any(
        "V2" in name for name in keys.items("architectures", str)
    )
    bias, norm = keys.flag("use_bias", False), keys.flag("use_qk_norm", second)
    attention = hf_parts.grouped(
        keys, qkv_bias=keys.flag("use_qkv_bias", False), output_bias=bias, qk_norm="head" if norm else "none"
    )
    experts = hf_parts.experts_of(keys, "moe_intermediate_size", "num_experts", "num_local_experts")
    n_shared = keys.size_or_null("num_shared_experts")
    return hf_parts.decoder(
        keys,
        attention,
        ff_bias=bias,
        router_bias=keys.flag("moe_router_enable_expert_bias", second),
        n_shared=n_shared,
        d_shared=n_shared * keys.size_or(experts["d_expert"], "moe_shared_expert_intermediate_size"),
        **experts,
        **hf_parts.leading(keys),
    )


def _gpt_oss(keys: Keys) -> Architecture:
    bias = keys.flag("attention_bias", True)
    return hf_parts.decoder(
        keys,
        hf_parts.grouped(keys, own_head_dim=True, qkv_bias=bias, output_bias=bias, sinks=True),
        ff_bias=True,
        router_bias=True,
        **hf_parts.experts_of(keys, "intermediate_size", "num_local_experts", "num_experts"),
        **hf_parts.alternating(keys),
    )


def _llama4(keys: Keys) -> Architecture:
    """Llama 4: one shared expert as wide as a routed one; dense layers have a width of their own."""
    experts = hf_parts.experts_of(keys, "intermediate_size", "num_local_experts", "num_experts")
    n_layers, bias = hf_parts.n_layers_of(keys), keys.flag("attention_bias", False)
    listed = keys.items("moe_layers", int)
    if listed and not set(listed) <= set(range(n_layers)):
        raise keys.wrong("moe_layers", f"a list of layers from 0 to {n_layers - 1}")
    step = keys.size("interleave_moe_layer_step", most=n_layers) if not listed else 1
    name = "moe_layers" if listed else "interleave_moe_layer_step"
    places = hf_parts.placed(keys, listed or list(range(step - 1, n_layers, step)), name, "intermediate_size_mlp")
    period = keys.size_or(4, "no_rope_layer_interval") or 4
    chunks = hf_parts.windows(keys, lambda layer: (layer + 1) % period != 0, "attention_chunk_size")
    if chunks:
        keys.notes.append("Attention in chunks is counted as a sliding window of a chunk's length.")
    attention = hf_parts.grouped(keys, qkv_bias=bias, output_bias=bias)
    return hf_parts.decoder(keys, attention, n_shared=1, **experts, **places, **chunks)


def _llama4_with_images(keys: Keys) -> Architecture:
    text = keys.inside("text_config")
    keys.notes.append("Only the text decoder is counted, and not what reads images.")
    return _llama4(text)


FAMILIES: dict[str, Callable[[Keys], Architecture]] = {
    "bailing_moe": _bailing,
    "bailing_moe_v2": _bailing,
    "dbrx": _dbrx,
    "deepseek_v2": _deepseek,
    "deepseek_v3": _deepseek,
    "gemma": _gemma,
    "gemma2": _gemma2,
    "gemma3_text": _gemma3,
    "glm4_moe": _glm4_moe,
    "gpt_oss": _gpt_oss,
    "granitemoe": _granitemoe,
    "granitemoeshared": _granitemoe,
    "kimi_k2": _deepseek,
    "llama": _llama,
    "llama4": _llama4_with_images,
    "llama4_text": _llama4,
    "mistral": _mistral,
    "mixtral": _mixtral,
    "olmoe": _olmoe,
    "phimoe": _phimoe,
    "qwen2": _qwen2,
    "qwen2_moe": _qwen2_moe,
    "qwen3": _qwen3,
    "qwen3_moe": _qwen3_moe,
}
"""How to read each ``model_type``."""

_LINEAR = "has layers of linear attention or state spaces"
REFUSED = {
    "bailing_hybrid": _LINEAR,
    "bailing_moe_linear": _LINEAR,
    "deepseek_v32": "chooses the tokens to attend to by an indexer",
    "falcon_h1": _LINEAR,
    "granitemoehybrid": _LINEAR,
    "jamba": _LINEAR,
    "kimi_linear": _LINEAR,
    "longcat_flash": "has experts that do nothing",
    "minimax": _LINEAR,
    "nemotron_h": _LINEAR,
    "qwen3_5_moe": _LINEAR,
    "qwen3_next": _LINEAR,
}
"""Families that are known and not counted, and what they have that is not counted."""


def architecture(keys: Keys) -> Architecture:
    """Return the architecture that a configuration describes.

    Raises
    ------
    InputError
        If its family is not known, or a key is missing or has a value that cannot be.
    """
    family = keys.text("model_type", "one of " + ", ".join(FAMILIES))
    if family in REFUSED:
        raise InputError(
            f"{keys.place}, key 'model_type': \"{family}\" is found, which {REFUSED[family]} and cannot be counted; "
            f"one of {', '.join(FAMILIES)} is expected."
        )
    if family not in FAMILIES:
        raise keys.wrong("model_type", "one of " + ", ".join(FAMILIES))
    return FAMILIES[family](keys)
