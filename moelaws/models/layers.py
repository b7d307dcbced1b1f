"""What stands in which layer: lists of a configuration, and the periods that families have in their place.

A list that is there is taken, also where it is empty, which means no layer.
"""

from collections.abc import Callable, Iterable

from moelaws.models.keys import Keys

MOST_LAYERS = 10_000
"""The largest number of layers that is believed."""

Kinds = list[str]
"""For each layer `full` (attention), `window`, `other` (what the family has in its place), `moe` or `dense` (alone)."""

_KINDS = {
    "full_attention": "full",
    "attention": "full",
    "indexed_attention": "full",
    "sliding_attention": "window",
    "chunked_attention": "window",
    "linear_attention": "other",
    "mamba": "other",
    "conv": "other",
}


def n_layers_of(keys: Keys) -> int:
    """Return the number of layers."""
    if not keys.has("num_hidden_layers") and isinstance(blocks := keys.get("layers_block_type"), list) and blocks:
        return len(blocks)
    return keys.size("num_hidden_layers", "n_layers", most=MOST_LAYERS)


def listed(keys: Keys, name: str, meanings: dict[str, str] | None = None) -> Kinds | None:
    """Return a list with one item for each layer, as `meanings` translates them; None where there is none."""
    n_layers, known = n_layers_of(keys), meanings or _KINDS
    items = keys.items(name, str)
    if items is not None and (len(items) != n_layers or not set(items) <= set(known)):
        raise keys.wrong(name, f"one of {', '.join(sorted(known))} for each of {n_layers} layers")
    return None if items is None else [known[item] for item in items]


def switches(keys: Keys, name: str, n_layers: int | None = None) -> list[bool] | None:
    """Return a list of a one or a zero for each layer; of a longer one the first, with a note."""
    items, n_layers = keys.items(name, int), n_layers or n_layers_of(keys)
    if items is None:
        return None
    if len(items) < n_layers or not set(items) <= {0, 1}:
        raise keys.wrong(name, f"a list of 0 or 1 for each of {n_layers} layers")
    if len(items) > n_layers:
        keys.notes.append(
            f"List '{keys.within}{name}' has {len(items)} items for {n_layers} layers; the first are taken."
        )
    return [bool(item) for item in items[:n_layers]]


def places(keys: Keys, name: str, first: int = 0) -> list[int] | None:
    """Return a list of layers, counted from `first`; None where there is none."""
    items, n_layers = keys.items(name, int), n_layers_of(keys)
    if items is None:
        return None
    if len(set(items)) < len(items) or not set(items) <= set(range(first, n_layers + first)):
        raise keys.wrong(name, f"a list of layers from {first} to {n_layers + first - 1}")
    return sorted(item - first for item in items)


def where(flags: Iterable[object]) -> list[int]:
    """Return the places of what is true."""
    return [layer for layer, flag in enumerate(flags) if flag]


PLACES = {
    "mlp_layer_types",
    "first_k_dense_replace",
    "num_dense_layers",
    "moe_layer_freq",
    "decoder_sparse_step",
    "mlp_only_layers",
    "moe_layers",
    "interleave_moe_layer_step",
}
"""Keys that place experts, and say nothing where there are none."""

# Which layers have experts; `mlp_layer_types` stands above all of these.


def all_layers(keys: Keys) -> list[int]:
    """Experts everywhere."""
    return list(range(n_layers_of(keys)))


def leading(keys: Keys) -> list[int]:
    """Experts behind the first layers, at every n-th place; `moe_layer_freq` may also be a list (MiMo)."""
    n_layers, every = n_layers_of(keys), 1
    if isinstance(keys.get("moe_layer_freq"), list):
        return where(switches(keys, "moe_layer_freq") or [])
    if "moe_layer_freq" in keys.values:
        every = keys.size("moe_layer_freq", most=MOST_LAYERS)
    n_dense = keys.size("first_k_dense_replace", "num_dense_layers", least=0)
    return [layer for layer in range(min(n_dense, n_layers), n_layers) if layer % every == 0]


def sparse(keys: Keys) -> list[int]:
    """Experts as the Qwen families have them: at every n-th layer but for those listed."""
    step = keys.size_or(1, "decoder_sparse_step", least=1)
    return sorted(set(range(step - 1, n_layers_of(keys), step)) - set(places(keys, "mlp_only_layers") or []))


def interleaved(keys: Keys) -> list[int]:
    """Experts as Llama 4 has them: in the layers listed, else at every n-th."""
    given = places(keys, "moe_layers")
    if given is not None:
        keys.seen.add("interleave_moe_layer_step")
        return given
    step = keys.size("interleave_moe_layer_step", most=MOST_LAYERS)
    return list(range(step - 1, n_layers_of(keys), step))


def ernie(keys: Keys) -> list[int]:
    """Experts as ERNIE 4.5 has them: at every n-th place of a range that has its last layer in it."""
    n_layers = n_layers_of(keys)
    start, every = keys.size("moe_layer_start_index", least=0), keys.size_or(1, "moe_layer_interval", least=1)
    end = keys.size_or(n_layers - 1, "moe_layer_end_index") if keys.get("moe_layer_end_index") != -1 else n_layers - 1
    return [layer for layer in range(n_layers) if (layer + 1) % every == 0 and start <= layer <= end]


def jamba(keys: Keys) -> list[int]:
    """Experts as Jamba has them: at every n-th place, from an offset on."""
    period, offset = keys.size("expert_layer_period"), keys.size("expert_layer_offset", least=0)
    return [layer for layer in range(n_layers_of(keys)) if layer % period == offset]


def enumerated(keys: Keys) -> list[int]:
    """Experts as Step-3 has them: in the layers of a text such as ``4,5,6``, else in all but the first."""
    n_layers, text = n_layers_of(keys), keys.get("moe_layers_enum")
    if text is None:
        return list(range(1, n_layers))
    parts = text.split(",") if isinstance(text, str) else ["?"]
    found = {int(part) for part in parts if part.strip().isdecimal() and len(part) < 9} if text else set()
    if text and (len(found) != len(parts) or max(found) >= n_layers):
        raise keys.wrong("moe_layers_enum", f"layers from 0 to {n_layers - 1}, separated by commas,")
    return sorted(found)


PATTERNS = {
    "max_window_layers",
    "use_sliding_window",
    "sliding_window",
    "sliding_window_pattern",
    "_sliding_window_pattern",
    "global_attn_every_n_layers",
    "full_attention_interval",
    "no_rope_layers",
    "no_rope_layer_interval",
    "hybrid_layer_pattern",
    "full_attn_idxs",
    "attn_layer_period",
    "attn_layer_offset",
    "attn_type_list",
}
"""Keys that place what mixes tokens, and say nothing where `layer_types` does."""

# What mixes the tokens in which layer; `layer_types` stands above all of these.

Pattern = Callable[[Keys], Kinds]


def full(keys: Keys) -> Kinds:
    """Attention to all tokens everywhere."""
    return ["full"] * n_layers_of(keys)


def windows(keys: Keys) -> Kinds:
    """Return a window in every layer, if there is any."""
    return ["window"] * n_layers_of(keys)


def alternating(keys: Keys) -> Kinds:
    """Return a window in every second layer, from the first on."""
    return _every(keys, 2, "window")


def switched(keys: Keys) -> Kinds:
    """Windows of the Qwen families: behind the first layers, where they are turned on."""
    if not keys.has("use_sliding_window") or not keys.flag("use_sliding_window", False):
        keys.seen.update({"sliding_window", "max_window_layers"})
        return full(keys)
    first = keys.size("max_window_layers", least=0)
    return ["window" if layer >= first else "full" for layer in range(n_layers_of(keys))]


def period(default: int, *names: str, kind: str = "window") -> Pattern:
    """Return a pattern in which the last of every n layers has full attention, n under one of some names."""
    return lambda keys: _every(keys, keys.size_or(default, *names, least=1), kind)


def ropes(keys: Keys) -> Kinds:
    """Chunks of Llama 4: in layers with rotary positions. Its code takes an empty list for none given."""
    if keys.get("no_rope_layers") == []:
        keys.notes.append("List 'no_rope_layers' is empty; the family's code then uses its period.")
    given = switches(keys, "no_rope_layers") if keys.get("no_rope_layers") else None
    every = keys.size_or(4, "no_rope_layer_interval", least=1)
    return ["window" if rope else "full" for rope in given] if given is not None else _every(keys, every, "window")


def mimo(keys: Keys) -> Kinds:
    """MiMo-V2: a list, else full attention in the first layer and in every sixth."""
    given = switches(keys, "hybrid_layer_pattern")
    default = ["full", *_every(keys, 6, "window")[1:]]
    return ["window" if flag else "full" for flag in given] if given is not None else default


def kimi(keys: Keys) -> Kinds:
    """Kimi-Linear: two lists of layers, counted from one."""
    linear = keys.inside("linear_attn_config")
    values = {**linear.values, "num_hidden_layers": n_layers_of(keys)}
    whole = Keys(values, keys.place, linear.within, keys.notes, linear.seen)
    attention, delta = places(whole, "full_attn_layers", 1), places(whole, "kda_layers", 1)
    if attention is None or sorted([*attention, *(delta or [])]) != list(range(n_layers_of(keys))):
        raise keys.wrong("linear_attn_config", "each layer once in its lists full_attn_layers and kda_layers")
    return ["full" if layer in attention else "other" for layer in range(n_layers_of(keys))]


def jamba_attention(keys: Keys) -> Kinds:
    """Jamba: attention at every n-th place, from an offset on."""
    every, offset = keys.size("attn_layer_period"), keys.size("attn_layer_offset", least=0)
    return ["full" if layer % every == offset else "other" for layer in range(n_layers_of(keys))]


def minimax(keys: Keys) -> Kinds:
    """MiniMax-01: a list in which 1 is full attention, else lightning attention in every second layer."""
    given = switches(keys, "attn_type_list")
    return ["full" if flag else "other" for flag in given] if given is not None else _every(keys, 2, "full", "other")


def nemotron(keys: Keys) -> Kinds:
    """Nemotron-H: each layer is one part only, listed by names or by letters."""
    names = {"mamba": "other", "linear_attention": "other", "full_attention": "full", "attention": "full"}
    letters, text = {"M": "other", "*": "full", "-": "dense", "E": "moe"}, keys.get("hybrid_override_pattern")
    if text is None:
        given = listed(keys, "layers_block_type", names | {"mlp": "dense", "moe": "moe"})
        if given is None:
            raise keys.missing("hybrid_override_pattern", "a text of letters M, *, - and E")
        return given
    if not isinstance(text, str) or not set(text) <= set(letters) or len(text) != n_layers_of(keys):
        raise keys.wrong("hybrid_override_pattern", f"M, *, - or E for each of {n_layers_of(keys)} layers")
    return [letters[letter] for letter in text]


def fully(keys: Keys) -> Kinds:
    """LFM2: the layers of a list have attention, which older files give in the place of `layer_types`."""
    given = places(keys, "full_attn_idxs")
    if given is None:
        raise keys.missing("layer_types", "a list of conv or full_attention")
    return ["full" if layer in given else "other" for layer in range(n_layers_of(keys))]


def _every(keys: Keys, n: int, kind: str, last: str = "full") -> Kinds:
    return [kind if (layer + 1) % n else last for layer in range(n_layers_of(keys))]
