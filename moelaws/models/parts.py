"""Parts of a decoder as most families name them in a Hugging Face ``config.json``.

All raise :class:`~moelaws.errors.InputError`, naming file and key, where a key is missing or has a
value that cannot be.
"""

from collections.abc import Callable
from typing import Any

from moelaws.models.architecture import Architecture
from moelaws.models.attention import GroupedAttention, LatentAttention
from moelaws.models.keys import Keys

MOST_LAYERS = 10_000
"""The largest number of layers that is believed."""

Sizes = dict[str, Any]
"""Arguments of an :class:`Architecture`."""


def decoder(
    keys: Keys, attention: GroupedAttention | LatentAttention, *, tied: bool = False, **details: Any
) -> Architecture:
    """Put together what all families name alike; without experts all layers are dense."""
    n_layers = n_layers_of(keys)
    sizes: Sizes = {"d_dense": 0, "n_dense_layers": 0}
    if "n_routed" not in details:
        sizes = {"d_dense": keys.size("intermediate_size"), "n_dense_layers": n_layers}
    return Architecture(
        n_layers=n_layers,
        d_model=d_model_of(keys),
        vocab=keys.size("vocab_size"),
        attention=attention,
        tied=keys.flag("tie_word_embeddings", tied),
        **(sizes | details),
    )


def n_layers_of(keys: Keys) -> int:
    """Return the number of layers."""
    return keys.size("num_hidden_layers", "n_layers", most=MOST_LAYERS)


def d_model_of(keys: Keys) -> int:
    """Return the hidden size."""
    return keys.size("hidden_size", "d_model")


def grouped(keys: Keys, *, kv: Keys | None = None, own_head_dim: bool = False, **details: Any) -> GroupedAttention:
    """Read the heads; `own_head_dim` marks families whose heads are not cut from the hidden size."""
    heads_key = "n_heads" if "n_heads" in keys.values else "num_attention_heads"
    kv, kv_key = (kv, "kv_n_heads") if kv else (keys, "num_key_value_heads")
    n_heads = keys.size(heads_key)
    null_or_old = kv.values.get(kv_key) is None and (kv_key in kv.values or keys.values.get("model_type") == "llama")
    n_kv_heads = n_heads if null_or_old else kv.size(kv_key)
    if n_heads % n_kv_heads:
        raise kv.wrong(kv_key, f"a divisor of the {n_heads} heads of '{heads_key}'")
    if own_head_dim or keys.values.get("head_dim") is not None:
        head_dim = keys.size("head_dim")
    else:
        head_dim, rest = divmod(d_model_of(keys), n_heads)
        if rest or not head_dim:
            raise keys.wrong(heads_key, f"a divisor of the hidden size {d_model_of(keys)}, or a key 'head_dim',")
    return GroupedAttention(n_heads, n_kv_heads, head_dim, **details)


def latent(keys: Keys) -> LatentAttention:
    """Read multi-head latent attention as DeepSeek names it."""
    return LatentAttention(
        n_heads=keys.size("num_attention_heads"),
        kv_rank=keys.size("kv_lora_rank"),
        q_rank=keys.size_or_null("q_lora_rank"),
        rope_dim=keys.size("qk_rope_head_dim"),
        nope_dim=keys.size("qk_nope_head_dim"),
        v_dim=keys.size("v_head_dim"),
        bias=keys.flag("attention_bias", False),
    )


def experts_of(keys: Keys, width: str, *count: str, top: str = "num_experts_per_tok") -> Sizes:
    """Read width and number of the experts, and how many of them are active."""
    n_routed, top_k = keys.size(*count), keys.size(top)
    if top_k > n_routed:
        raise keys.wrong(top, f"at most the number of experts, {n_routed},")
    return {"d_expert": keys.size(width), "n_routed": n_routed, "top_k": top_k}


def leading(keys: Keys) -> Sizes:
    """Read how many layers at the front are dense, and how wide."""
    n_layers = n_layers_of(keys)
    n_dense = keys.size("first_k_dense_replace", least=0, most=n_layers)
    every = keys.size("moe_layer_freq", most=n_layers) if "moe_layer_freq" in keys.values else 1
    has_dense = n_dense or every > 1
    return {
        "n_dense_layers": n_dense,
        "moe_every": every,
        "d_dense": keys.size("intermediate_size") if has_dense else 0,
    }


def placed(keys: Keys, moe_layers: list[int], name: str, dense_width: str) -> Sizes:
    """Put layers with experts into the pattern of an architecture, if they are evenly spaced."""
    n_layers = n_layers_of(keys)
    if moe_layers == list(range(n_layers)):
        return {}
    dense = {"d_dense": keys.size(dense_width)}
    if not moe_layers:
        return dense | {"n_dense_layers": n_layers}
    first = moe_layers[0]
    step = moe_layers[1] - first if len(moe_layers) > 1 else n_layers
    if moe_layers != list(range(first, n_layers, step)):
        raise keys.wrong(name, "a pattern in which layers with experts follow each other at equal distances")
    return dense | {"n_dense_layers": max(0, first - step + 1), "moe_every": step, "moe_offset": first % step}


def sparse(keys: Keys) -> Sizes:
    """Place experts as the Qwen families do: at every n-th layer but for those listed."""
    n_layers = n_layers_of(keys)
    step = keys.size("decoder_sparse_step", most=n_layers) if "decoder_sparse_step" in keys.values else 1
    listed = set(keys.items("mlp_only_layers", int))
    moe = [layer for layer in range(step - 1, n_layers, step) if layer not in listed]
    return placed(keys, moe, "mlp_only_layers" if listed else "decoder_sparse_step", "intermediate_size")


def windows(keys: Keys, pattern: Callable[[int], bool], size: str = "sliding_window") -> Sizes:
    """Count the layers with a sliding window: those that `layer_types` names, else those of the family's pattern."""
    n_layers = n_layers_of(keys)
    types = keys.items("layer_types", str)
    if types and (len(types) != n_layers or not set(types) <= _TYPES):
        raise keys.wrong("layer_types", f"one of {', '.join(sorted(_TYPES))} for each of {n_layers} layers")
    count = sum(kind != "full_attention" for kind in types) if types else sum(map(pattern, range(n_layers)))
    if not count or not keys.size_or_null(size):
        return {}
    return {"n_window_layers": count, "window": keys.size(size)}


_TYPES = {"full_attention", "sliding_attention", "chunked_attention"}


def everywhere(keys: Keys) -> Sizes:
    """Read a sliding window that all layers have, if any has."""
    return windows(keys, lambda _: True) if keys.values.get("sliding_window") is not None else {}


def alternating(keys: Keys) -> Sizes:
    """Read sliding windows in every second layer, from the first on."""
    return windows(keys, lambda layer: layer % 2 == 0)


def switched(keys: Keys) -> Sizes:
    """Windows of the Qwen families, which no published model has turned on."""
    if keys.values.get("use_sliding_window") is None or not keys.flag("use_sliding_window", False):
        return {}
    if "layer_types" not in keys.values:
        raise keys.missing("layer_types", "a list that says which layers have a sliding window")
    return windows(keys, lambda _: False)
