"""A decoder-only transformer, dense or mixture-of-experts, and what it holds and computes.

Counted are weight matrices, embeddings and norms; biases, which are a few in a hundred thousand,
are not. Work is in FLOP of a forward pass, two for each multiply-add.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from moelaws import data
from moelaws.errors import InputError


@dataclass(frozen=True)
class GroupedAttention:
    """Multi-head or grouped-query attention.

    Parameters
    ----------
    n_heads, n_kv_heads : int
        Query heads, and key-value heads (equal for multi-head attention).
    head_dim : int
        Width of a head, elements.
    """

    n_heads: int
    n_kv_heads: int
    head_dim: int

    def weights(self, d_model: int) -> int:
        """Weights of one layer's projections."""
        return 2 * d_model * self.head_dim * (self.n_heads + self.n_kv_heads)

    @property
    def kv_elements(self) -> int:
        """Elements that one token keeps in a layer's cache."""
        return 2 * self.n_kv_heads * self.head_dim


@dataclass(frozen=True)
class LatentAttention:
    """Multi-head latent attention: keys and values from one compressed vector per token.

    Parameters
    ----------
    n_heads : int
        Heads.
    kv_rank, q_rank : int
        Width of the compressed keys and values, and of the compressed queries (0: not compressed).
    rope_dim, nope_dim, v_dim : int
        Width of a head's rotary part, of its other part, and of its values.
    """

    n_heads: int
    kv_rank: int
    q_rank: int
    rope_dim: int
    nope_dim: int
    v_dim: int

    def weights(self, d_model: int) -> int:
        """Weights of one layer's projections, with the norms of the compressed vectors."""
        query = self.n_heads * (self.rope_dim + self.nope_dim)
        to_query = d_model * self.q_rank + self.q_rank * query + self.q_rank if self.q_rank else d_model * query
        to_cache = d_model * (self.kv_rank + self.rope_dim) + self.kv_rank
        from_cache = self.kv_rank * self.n_heads * (self.nope_dim + self.v_dim)
        return to_query + to_cache + from_cache + self.n_heads * self.v_dim * d_model

    @property
    def kv_elements(self) -> int:
        """Elements that one token keeps in a layer's cache."""
        return self.kv_rank + self.rope_dim


@dataclass(frozen=True)
class Architecture:
    """A decoder-only transformer with gated feed-forward layers.

    Parameters
    ----------
    n_layers, d_model, vocab : int
        Layers, hidden size, vocabulary.
    attention : GroupedAttention or LatentAttention
        The attention of every layer.
    tied : bool
        Whether input and output embedding are one matrix.
    d_dense : int
        Width of a dense feed-forward layer.
    n_dense_layers : int
        Leading layers with a dense feed-forward; all other layers have experts.
    d_expert, n_routed, n_shared, top_k : int
        Width of an expert; routed, shared and, of the routed ones, active experts in a layer.

    Examples
    --------
    DeepSeek-V2-Lite is published as 15.7 billion parameters in total:

    >>> round(load("DeepSeek-V2-Lite").n_total / 1e9, 1)
    15.7
    """

    n_layers: int
    d_model: int
    vocab: int
    attention: GroupedAttention | LatentAttention
    tied: bool
    d_dense: int
    n_dense_layers: int
    d_expert: int = 0
    n_routed: int = 0
    n_shared: int = 0
    top_k: int = 0

    @property
    def n_moe_layers(self) -> int:
        """Layers with experts."""
        return self.n_layers - self.n_dense_layers

    @property
    def expert_weights(self) -> int:
        """Weights of one expert in one layer."""
        return 3 * self.d_model * self.d_expert

    @property
    def n_embedding(self) -> int:
        """Parameters of the input embedding."""
        return self.vocab * self.d_model

    @property
    def attention_weights(self) -> int:
        """Parameters of the attention of all layers."""
        return self.n_layers * self.attention.weights(self.d_model)

    @property
    def n_total(self) -> int:
        """Every parameter."""
        return self._always + (0 if self.tied else self.n_embedding) + self._experts(self.n_routed)

    @property
    def n_active(self) -> int:
        """Parameters used for one token, less the input embedding, which is only looked up.

        The output layer counts, also where it shares the input embedding's matrix.
        """
        return self._always + self._experts(self.top_k)

    @property
    def flops_per_token(self) -> int:
        """Forward FLOP of one token in all weight matrices, without attention scores."""
        return 2 * self.n_active

    @property
    def kv_elements_per_token(self) -> int:
        """Elements that one token keeps in the cache of all layers."""
        return self.n_layers * self.attention.kv_elements

    @property
    def _always(self) -> int:
        """Parameters that every token uses: attention, routers, dense and shared widths, norms, output layer."""
        norms = (2 * self.n_layers + 1) * self.d_model
        dense = 3 * self.n_dense_layers * self.d_model * self.d_dense
        routers = self.n_moe_layers * self.d_model * self.n_routed
        return self.attention_weights + norms + dense + routers + self._experts(self.n_shared) + self.n_embedding

    def _experts(self, count: int) -> int:
        return self.n_moe_layers * count * self.expert_weights


def load(model: str) -> Architecture:
    """Return a model of the book's table ``models/models``.

    Raises
    ------
    InputError
        If there is no such model, or if it has an expert layer only at every n-th place.

    Examples
    --------
    >>> load("DeepSeek-V3").n_moe_layers
    58
    """
    models = {row["model"]: row for row in data.load("models/models").to_dict("records")}
    if model not in models:
        raise InputError(f"There is no model '{model}'; the models are {', '.join(models)}.")
    row = models[model]
    if row["moe_every"] != 1:
        raise InputError(
            f"Model {model} has experts only in every layer number {row['moe_every']}; that cannot be counted yet."
        )
    experts = {name: int(row[name]) for name in ("d_expert", "n_routed", "n_shared", "top_k") if row["n_routed"]}
    return Architecture(
        n_layers=row["n_layers"],
        d_model=row["d_model"],
        vocab=row["vocab"],
        attention=_attention(row),
        tied=row["tied"] == "true",
        d_dense=int(row["d_ff_dense"]) if row["n_dense_layers"] else 0,
        n_dense_layers=row["n_dense_layers"],
        **experts,
    )


def _attention(row: dict[Hashable, Any]) -> GroupedAttention | LatentAttention:
    if row["attention"] == "MLA":
        names = ("n_heads", "kv_lora_rank", "q_lora_rank", "qk_rope_dim", "qk_nope_dim", "v_head_dim")
        return LatentAttention(*(int(row[name]) for name in names))
    return GroupedAttention(row["n_heads"], row["n_kv_heads"], row["head_dim"])
