"""Architectures of public models and of tables.

:class:`~moelaws.models.architecture.Architecture` says what a model holds, computes and keeps; this module
gets one from the book's table of models, or from a row of any table. :mod:`moelaws.models.huggingface`
gets one from a ``config.json``.
"""

from collections.abc import Hashable, Mapping
from typing import Any, Literal

import pandas as pd

from moelaws import data
from moelaws.errors import InputError
from moelaws.models.architecture import Architecture as Architecture
from moelaws.models.attention import GroupedAttention as GroupedAttention
from moelaws.models.attention import LatentAttention as LatentAttention


def load(model: str) -> Architecture:
    """Return a model of the book's table ``models/models``.

    Examples
    --------
    >>> load("DeepSeek-V3").n_moe_layers
    58
    """
    models = {row["model"]: row for row in data.load("models/models").to_dict("records")}
    if model not in models:
        raise InputError(f"There is no model '{model}'; the models are {', '.join(models)}.")
    row = models[model]
    details = [] if pd.isna(row["details"]) else row["details"].split()
    names = ("d_expert", "n_routed", "n_shared", "top_k", "moe_every", "moe_offset")
    experts: dict[str, Any] = {name: int(row[name]) for name in names if row["n_routed"]}
    parts: dict[str, Any] = {name: name in details for name in ("ff_bias", "router_bias", "shared_gate")}
    return Architecture(
        n_layers=row["n_layers"],
        d_model=row["d_model"],
        vocab=row["vocab"],
        attention=_attention(row, details),
        tied=row["tied"] == "true",
        d_dense=0 if pd.isna(row["d_ff_dense"]) else int(row["d_ff_dense"]),
        n_dense_layers=row["n_dense_layers"],
        **experts,
        **parts,
        window=row["window"],
        n_window_layers=row["n_window_layers"],
    )


def _attention(row: Mapping[Hashable, Any], details: list[str]) -> GroupedAttention | LatentAttention:
    if row["attention"] == "MLA":
        names = ("n_heads", "kv_lora_rank", "q_lora_rank", "qk_rope_dim", "qk_nope_dim", "v_head_dim")
        n_heads, kv_rank, q_rank, rope_dim, nope_dim, v_dim = (int(row[name]) for name in names)
        return LatentAttention(n_heads, kv_rank, q_rank, rope_dim, nope_dim, v_dim)
    qk_norm: Literal["none", "head", "all"] = "none"
    if "qk_norm_head" in details:
        qk_norm = "head"
    elif "qk_norm_all" in details:
        qk_norm = "all"
    return GroupedAttention(
        row["n_heads"],
        row["n_kv_heads"],
        row["head_dim"],
        qk_norm=qk_norm,
        qkv_bias="qkv_bias" in details,
        output_bias="output_bias" in details,
        sinks="sinks" in details,
    )


def from_row(row: Mapping[Hashable, Any], vocab: int) -> Architecture:
    """Return the architecture of a table's row, with grouped-query attention.

    Parameters
    ----------
    row : mapping
        n_layers, d_model, n_heads and n_kv_heads, and where they are not zero d_dense,
        n_dense_layers, d_expert, n_routed, n_shared and top_k. A head is as wide as d_model / n_heads.
        A row without experts has dense layers only.

    Raises
    ------
    InputError
        If a number that is needed is missing, or d_model is no multiple of n_heads.

    Examples
    --------
    The dense model of Tian et al. (2025) is printed as 6.11 billion parameters:

    >>> dense, _ = data.load("tian2025/models").to_dict("records")
    >>> round(from_row(dense, vocab=126464).n_body / 1e9, 2)
    6.11
    """
    counts: dict[str, Any] = {name: 0 if pd.isna(row.get(name)) else int(row[name]) for name in _COUNTS}
    if not counts["n_routed"]:
        counts["n_dense_layers"] = counts["n_layers"]
    widths = ["d_expert"] * bool(counts["n_routed"]) + ["d_dense"] * bool(counts["n_dense_layers"])
    for name in ("n_layers", "d_model", "n_heads", "n_kv_heads", *widths):
        if counts[name] < 1:
            raise InputError(f"Column '{name}' is empty or zero; an architecture needs it to be at least 1.")
    heads, kv_heads = counts.pop("n_heads"), counts.pop("n_kv_heads")
    if counts["d_model"] % heads:
        raise InputError(
            f"Column 'd_model' has the value {counts['d_model']}; a multiple of {heads} heads is expected."
        )
    return Architecture(
        vocab=vocab, attention=GroupedAttention(heads, kv_heads, counts["d_model"] // heads), tied=False, **counts
    )


_COUNTS = (
    "n_layers",
    "d_model",
    "n_heads",
    "n_kv_heads",
    "d_dense",
    "n_dense_layers",
    "d_expert",
    "n_routed",
    "n_shared",
    "top_k",
)
