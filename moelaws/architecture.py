"""A decoder-only transformer, dense or mixture-of-experts, and what it holds and computes.

Counted are weight matrices, embeddings and norms; biases, which are a few in a hundred thousand,
are not. Work is in FLOP of a forward pass, two for each multiply-add.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

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
        return self.matrices(d_model)

    def matrices(self, d_model: int) -> int:
        """Weights of one layer's projections that a token is multiplied with: all of them."""
        return 2 * d_model * self.head_dim * (self.n_heads + self.n_kv_heads)

    @property
    def score_flops(self) -> int:
        """FLOP between two tokens in a layer: query times key, and score times value."""
        return 4 * self.n_heads * self.head_dim

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
        return self.matrices(d_model) + self.q_rank + self.kv_rank

    def matrices(self, d_model: int) -> int:
        """Weights of one layer's projections that a token is multiplied with: all but the norms."""
        query = self.n_heads * (self.rope_dim + self.nope_dim)
        to_query = d_model * self.q_rank + self.q_rank * query if self.q_rank else d_model * query
        to_cache = d_model * (self.kv_rank + self.rope_dim)
        from_cache = self.kv_rank * self.n_heads * (self.nope_dim + self.v_dim)
        return to_query + to_cache + from_cache + self.n_heads * self.v_dim * d_model

    @property
    def score_flops(self) -> int:
        """FLOP between two tokens in a layer: query times key, and score times value, with full heads."""
        return 2 * self.n_heads * (self.rope_dim + self.nope_dim + self.v_dim)

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
        return self.n_body + self.n_embedding * (1 if self.tied else 2)

    @property
    def n_active(self) -> int:
        """Parameters used for one token, less the input embedding, which is only looked up.

        The output layer counts, also where it shares the input embedding's matrix.
        """
        return self.n_body_active + self.n_embedding

    @property
    def n_body(self) -> int:
        """Parameters without input embedding and output layer."""
        return self._always + self._experts(self.n_routed)

    @property
    def n_body_active(self) -> int:
        """Parameters used for one token, without input embedding and output layer."""
        return self._always + self._experts(self.top_k)

    @property
    def router_weights(self) -> int:
        """Parameters of the routers of all layers."""
        return self.n_moe_layers * self.d_model * self.n_routed

    def forward_flops(
        self, seq_len: int, *, causal: bool = False, output_layer: bool = True, router: bool = True
    ) -> int:
        """Forward FLOP of one token in a sequence, with attention scores.

        Parameters
        ----------
        seq_len : int
            Tokens of the sequence.
        causal : bool
            Whether a token's scores with later tokens are left out. They are counted by default,
            as many papers do.
        output_layer, router : bool
            Whether these are counted; they are by default.

        Returns
        -------
        int
            FLOP, averaged over the tokens of the sequence. Norms, softmax and the like are not counted.

        Raises
        ------
        InputError
            If `seq_len` is not positive.
        """
        if seq_len < 1:
            raise InputError(f"Parameter seq_len has the value {seq_len}; at least one token is expected.")
        weights = self.n_layers * self.attention.matrices(self.d_model) + self._dense
        weights += self._experts(self.n_shared + self.top_k)
        weights += self.n_embedding * output_layer + self.router_weights * router
        twice_others = seq_len + 1 if causal else 2 * seq_len
        return 2 * weights + self.n_layers * self.attention.score_flops * twice_others // 2

    def training_flops(
        self, seq_len: int, *, causal: bool = False, output_layer: bool = True, router: bool = True
    ) -> int:
        """Training FLOP of one token in a sequence: three times :meth:`forward_flops`, with its parameters.

        Examples
        --------
        Tian et al. (2025) label the fourth size of their Figure 5a with 1.1e9 FLOP for each token:

        >>> size = data.load("tian2025/architectures").query("size == 'd'").to_dict("records")[0]
        >>> f"{from_row(size, vocab=126464).training_flops(4096, output_layer=False, router=False):.1e}"
        '1.1e+09'
        """
        return 3 * self.forward_flops(seq_len, causal=causal, output_layer=output_layer, router=router)

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
        """Parameters that every token uses: attention, norms, routers, dense and shared widths."""
        norms = (2 * self.n_layers + 1) * self.d_model
        return self.attention_weights + norms + self.router_weights + self._dense + self._experts(self.n_shared)

    @property
    def _dense(self) -> int:
        return 3 * self.n_dense_layers * self.d_model * self.d_dense

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


def from_row(row: Mapping[Hashable, Any], vocab: int) -> Architecture:
    """Return the architecture of a table's row, with grouped-query attention.

    Parameters
    ----------
    row : mapping
        n_layers, d_model, n_heads and n_kv_heads, and where they are not zero d_dense,
        n_dense_layers, d_expert, n_routed, n_shared and top_k. A head is as wide as d_model / n_heads.
        A row without experts has dense layers only.
    vocab : int
        Size of the vocabulary, tokens.

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
    counts = {name: 0 if pd.isna(row.get(name)) else int(row[name]) for name in _COUNTS}
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


def _attention(row: dict[Hashable, Any]) -> GroupedAttention | LatentAttention:
    if row["attention"] == "MLA":
        names = ("n_heads", "kv_lora_rank", "q_lora_rank", "qk_rope_dim", "qk_nope_dim", "v_head_dim")
        return LatentAttention(*(int(row[name]) for name in names))
    return GroupedAttention(row["n_heads"], row["n_kv_heads"], row["head_dim"])
