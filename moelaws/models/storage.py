"""How weights are stored: the bytes of a tensor in one type, or quantised with scales for groups of weights."""

import re
import warnings
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from math import prod
from typing import Any

from moelaws.models.architecture import Architecture, Tensor
from moelaws.models.keys import Keys

BYTES = {"float32": 4, "float16": 2, "bfloat16": 2, "float8_e4m3fn": 1, "float8_e5m2": 1}
"""Bytes of a number, by the name of its type."""


@dataclass(frozen=True)
class Format:
    """A format of quantised matrices.

    Parameters
    ----------
    name : str
        What notes call it.
    bits : int
        Bits of a weight.
    rows, columns : int
        Outputs and inputs that share a scale; 0 for all of a matrix.
    scale : float
        Bytes of a group's scale, with a zero point where there is one.
    matrix, column : int
        Further bytes for each matrix, and for each of its inputs.
    wide : frozenset of str
        Parts of an architecture that are not quantised.
    """

    name: str
    bits: int
    rows: int = 1
    columns: int = 0
    scale: float = 2
    matrix: int = 0
    column: int = 0
    wide: frozenset[str] = frozenset({"embedding", "lookup", "head", "router"})

    def bytes(self, tensor: Tensor, width: int) -> float:
        """Return the bytes of one tensor, whose type takes `width` bytes for a number where it stays wide."""
        if len(tensor.shape) != 2 or tensor.part in self.wide:
            return prod(tensor.shape) * width
        rows, columns = tensor.shape
        groups = -(-rows // (self.rows or rows)) * -(-columns // (self.columns or columns))
        return rows * columns * self.bits / 8 + groups * self.scale + self.matrix + self.column * columns


def weight_bytes(model: Architecture, dtype: str, form: Format | None) -> float:
    """Return the bytes of all weights of a model."""
    width = BYTES[dtype]
    if form is None:
        return model.n_total * width
    return sum(tensor.stored * form.bytes(tensor, width) for tensor in model.tensors)


_GROUPED = {
    "mxfp4": Format("mxfp4", 4, columns=32, scale=1),
    "nvfp4": Format("nvfp4", 4, columns=16, scale=1, matrix=8),
}
_NAMES = {
    "embedding": ["model.embed_tokens"],
    "head": ["lm_head"],
    "attention": [f"model.layers.7.self_attn.{name}" for name in ("q_proj", "k_proj", "o_proj", "kv_b_proj")],
    "dense": ["model.layers.7.mlp.gate_proj", "model.layers.7.mlp.down_proj"],
    "shared": [f"model.layers.7.mlp.{name}.gate_proj" for name in ("shared_experts", "shared_expert")],
    "experts": [f"model.layers.7.{name}" for name in ("mlp.experts.7.gate_proj", "block_sparse_moe.experts.7.w1")],
    "router": [f"model.layers.7.{name}" for name in ("mlp.gate", "mlp.router", "block_sparse_moe.gate")],
}


def quantised(keys: Keys, beside: Keys | None) -> Format | None:
    """Return the format that a configuration states, or the file ``hf_quant_config.json`` beside it.

    A format that is not known is noted, and None returned.
    """
    for name in ("quantization_config", "quantization"):
        if keys.get(name) and isinstance(keys.values[name], dict):
            return _read(keys.inside(name), keys)
        if keys.get(name):
            raise keys.wrong(name, "an object")
    if beside and beside.get("quantization"):
        return _read(beside.inside("quantization"), keys)
    return None


def _read(stated: Keys, keys: Keys) -> Format | None:
    method = stated.get("quant_method") or stated.get("quant_algo") or ("mlx" if stated.has("bits") else "")
    method = str(method).lower()
    group, bits = stated.size_or(0, "group_size"), stated.size_or(0, "bits", "w_bit")
    form: Format | None = None
    if method == "mlx":
        bits = stated.size("bits", most=8)
        scale = {"mxfp4": 1, "mxfp8": 1, "nvfp4": 1}.get(str(stated.get("mode")), 4)
        form = Format(
            f"MLX, {bits} bits in groups of {group or 64}", bits, columns=group or 64, scale=scale, wide=frozenset()
        )
        if any(isinstance(value, dict) for value in stated.values.values()):
            keys.notes.append("Some tensors have a quantisation of their own, which the bytes do not know.")
    elif method == "mxfp4":
        form = replace(_GROUPED["mxfp4"], wide=frozenset(set(_NAMES) - {"experts"} | {"lookup"}))
    elif method == "fp8":
        block = stated.items("weight_block_size", int) or [0, 0]
        if len(block) != 2 or min(block) < 0:
            raise stated.wrong("weight_block_size", "a list of two whole numbers")
        shown = f" in blocks of {block[0]} × {block[1]}" if block[0] else ""
        form = Format(f"fp8{shown}", 8, block[0], block[1], 4)
    elif method in ("gptq", "awq") and 1 <= bits <= 8:
        shown = f" in groups of {group}" if group else ""
        zero = 2 + bits / 8
        form = Format(
            f"{method}, {bits} bits{shown}", bits, columns=group, scale=zero, column=4 if method == "gptq" else 0
        )
    elif method == "bitsandbytes":
        four = stated.has("load_in_4bit") and stated.flag("load_in_4bit", False)
        form = Format("bitsandbytes, 4 bits", 4, columns=64, scale=1 + 4 / 256) if four else Format("int8", 8, scale=4)
        form = replace(form, wide=form.wide - {"router"})
    elif method in ("compressed-tensors", "nvfp4", "modelopt", "fp8_pb_wo", "w4a16_awq", "mixed_precision"):
        form = _compressed(stated, method)
    if form is None:
        keys.notes.append(f"How the weights are quantised ('{method[:40]}') is not known; bytes are those of one type.")
        return None
    form = replace(form, wide=form.wide | _ignored(stated, keys))
    wide = [part for part in _NAMES if part in form.wide]
    keys.notes.append(
        f"Weights are stored as {form.name}; norms, biases" + "".join(f", {part}" for part in wide) + " stay wide."
    )
    return form


def _compressed(stated: Keys, method: str) -> Format | None:
    """Read compressed-tensors and ModelOpt: the first group's weights, all groups having one format."""
    algorithm = str(stated.get("quant_algo") or stated.get("format") or method).lower()
    if "nvfp4" in algorithm:
        return _GROUPED["nvfp4"]
    if "mxfp4" in algorithm:
        return _GROUPED["mxfp4"]
    groups = stated.get("config_groups")
    first: Any = next(iter(groups.values()), {}) if isinstance(groups, dict) else {}
    weights = first.get("weights") if isinstance(first, dict) else None
    if not isinstance(weights, dict) or len(groups) > 1:
        return Format("fp8", 8, 0, 0, 8) if algorithm == "fp8" else None
    inner = Keys(weights, stated.place, f"{stated.within}config_groups.weights.", stated.notes)
    bits, group = inner.size("num_bits", most=16), inner.size_or(0, "group_size")
    block = inner.items("block_structure", int) if isinstance(weights.get("block_structure"), list) else None
    name = f"{'fp' if weights.get('type') == 'float' else 'int'}{bits}"
    if block and len(block) == 2:
        return Format(f"{name} in blocks of {block[0]} × {block[1]}", bits, max(block[0], 0), max(block[1], 0), 2)
    packed = "pack" in algorithm
    return Format(
        f"{name} in groups of {group}" if group else name, bits, columns=group, scale=2, matrix=16 if packed else 0
    )


def _ignored(stated: Keys, keys: Keys) -> frozenset[str]:
    """Return the parts whose names a list of what is left out has; a part of which some layers are is whole."""
    lists = [
        stated.get(name) for name in ("ignore", "modules_to_not_convert", "exclude_modules", "llm_int8_skip_modules")
    ]
    entries = [entry for found in lists if isinstance(found, list) for entry in found if isinstance(entry, str)]
    if any(re.search(r"\.\d+\.", entry) for entry in entries):
        keys.notes.append(
            "Tensors that stay wide are listed layer by layer; each layer is taken to be like the others."
        )
    return frozenset(part for part, names in _NAMES.items() if any(_matches(e, n) for e in entries for n in names))


def _matches(entry: str, name: str) -> bool:
    if entry.startswith("re:"):
        # Only plain expressions, as one of many repetitions and choices could take for ever.
        repeats, choices = (len(re.findall(each, entry)) for each in (r"[*+{]", r"[(?]"))
        if len(entry) >= 200 or repeats > 3 or choices > 5 or re.search(r"\)[*+{]", entry):
            return False
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what Python may read otherwise one day, it reads today
                return re.match(entry[3:] + r"(?:\.|$)", name) is not None
        except (re.error, OverflowError):
            return False
    entry = re.sub(r"\.\d+(?=\.|$)", ".7", entry)
    return fnmatchcase(name, entry) if "*" in entry else f".{entry}." in f".{name}."
