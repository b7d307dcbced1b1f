"""What mixes the tokens in a decoder layer: what it holds, computes and keeps.

Attention comes in two kinds: heads with keys and values of their own or shared by groups, and heads that
read keys and values from one compressed vector per token. :mod:`moelaws.models.recurrent` has the layers
that keep a state of fixed size instead.
"""

from dataclasses import dataclass
from math import prod
from typing import Literal

from moelaws.errors import InputError

Shapes = list[tuple[int, ...]]
"""Shapes of tensors; those with two or more axes are multiplied with each token."""


class Mixer:
    """What mixes tokens: tensors, FLOP and what is kept, for one layer."""

    @property
    def score_flops(self) -> int:
        """FLOP between two tokens in a layer: query times key, and score times value."""
        return 0

    @property
    def index_flops(self) -> int:
        """FLOP between two tokens by which those to attend to are chosen."""
        return 0

    @property
    def reach(self) -> int:
        """Tokens that a token attends to at most, though more are kept; 0 for no limit."""
        return 0

    @property
    def kv_elements(self) -> int:
        """Elements that one token keeps in a layer's cache."""
        return 0

    @property
    def state_elements(self) -> int:
        """Elements of a layer's state, which does not grow with the sequence."""
        return 0

    @property
    def state_flops(self) -> int:
        """FLOP by which a token changes and reads the state."""
        return 0

    def shapes(self, d_model: int) -> Shapes:
        """Return the shapes of a layer's tensors at a hidden size."""
        raise NotImplementedError

    def weights(self, d_model: int) -> int:
        """Weights of one layer: matrices, biases, norms and the like."""
        return sum(map(prod, self.shapes(d_model)))

    def matrices(self, d_model: int) -> int:
        """Weights of one layer that a token is multiplied with."""
        return sum(prod(shape) for shape in self.shapes(d_model) if len(shape) > 1)


@dataclass(frozen=True)
class GroupedAttention(Mixer):
    """Multi-head or grouped-query attention.

    Parameters
    ----------
    n_heads, n_kv_heads : int
        Query heads, and key-value heads (equal for multi-head attention).
    head_dim : int
        Width of a head, elements; it need not be the hidden size over the heads.
    qkv_bias, output_bias : bool
        Whether the projections to queries, keys and values have biases, and the one back.
    qk_norm : {"none", "head", "all"}
        Whether queries and keys are normed before the scores: with one weight for each element of a
        head, shared by the heads (Qwen3), or one for each element of all heads (OLMoE).
    sinks : bool
        Whether each query head has one learned score that no token owns (gpt-oss).
    v_dim : int
        Width of a head's values where it is not `head_dim`.
    gate : {"none", "apart", "query"}
        Whether each element of the output is weighted by a gate, from a matrix of its own, or from that of
        the queries, with its bias (Qwen3-Next).
    values_are_keys : bool
        Whether values are the keys, before their norm, and need no matrix (Gemma 4).
    q_rank : int
        Width of a vector, normed, from which all queries are made (Step-3); 0 for none.

    Examples
    --------
    Qwen3-30B-A3B has 32 heads of 128 elements at a hidden size of 2048, twice the usual width:

    >>> GroupedAttention(n_heads=32, n_kv_heads=4, head_dim=128, qk_norm="head").weights(2048)
    18874624
    """

    n_heads: int
    n_kv_heads: int
    head_dim: int
    qkv_bias: bool = False
    output_bias: bool = False
    qk_norm: Literal["none", "head", "all"] = "none"
    sinks: bool = False
    v_dim: int = 0
    gate: Literal["none", "apart", "query"] = "none"
    values_are_keys: bool = False
    q_rank: int = 0

    def __post_init__(self) -> None:
        at_least(self, 1, "n_heads", "n_kv_heads", "head_dim")
        at_least(self, 0, "v_dim", "q_rank")
        if self.n_heads % self.n_kv_heads:
            raise InputError(
                f"Parameter n_heads has the value {self.n_heads}; a multiple of the {self.n_kv_heads} key-value heads "
                "is expected."
            )

    def shapes(self, d_model: int) -> Shapes:
        """Return the shapes of a layer's tensors at a hidden size."""
        query, key = self.n_heads * self.head_dim, self.n_kv_heads * self.head_dim
        value, read = self.n_kv_heads * self._v_dim, self.n_heads * self._v_dim
        found: Shapes = [(key, d_model), (d_model, read)]
        found += [(self.q_rank, d_model), (query, self.q_rank), (self.q_rank,)] if self.q_rank else [(query, d_model)]
        found += [] if self.values_are_keys else [(value, d_model)]
        found += [(read, d_model)] if self.gate != "none" else []
        found += [(read,)] if self.gate == "query" and self.qkv_bias else []
        found += [(query,), (key,), *([] if self.values_are_keys else [(value,)])] if self.qkv_bias else []
        found += [(d_model,)] * self.output_bias + [(self.n_heads,)] * self.sinks
        return found + {"none": [], "head": [(self.head_dim,)] * 2, "all": [(query,), (key,)]}[self.qk_norm]

    @property
    def _v_dim(self) -> int:
        return self.v_dim or self.head_dim

    @property
    def score_flops(self) -> int:
        """FLOP between two tokens in a layer: query times key, and score times value."""
        return 2 * self.n_heads * (self.head_dim + self._v_dim)

    @property
    def kv_elements(self) -> int:
        """Elements that one token keeps in a layer's cache."""
        return self.n_kv_heads * (self.head_dim + self._v_dim)


@dataclass(frozen=True)
class LatentAttention(Mixer):
    """Multi-head latent attention: keys and values from one compressed vector per token.

    Parameters
    ----------
    kv_rank, q_rank : int
        Width of the compressed keys and values, and of the compressed queries (0: not compressed).
    rope_dim, nope_dim, v_dim : int
        Width of a head's rotary part, of its other part, and of its values.
    bias : bool
        Whether the projections to the compressed vectors and the one back have biases.
    index_heads, index_dim, index_reach : int
        Heads of an indexer and their width, and how many tokens it chooses for a token to attend to
        (DeepSeek-V3.2); 0 for none.

    Examples
    --------
    DeepSeek-V3 keeps 576 elements for a token in each layer, where its 128 heads would fill 40960:

    >>> LatentAttention(n_heads=128, kv_rank=512, q_rank=1536, rope_dim=64, nope_dim=128, v_dim=128).kv_elements
    576
    """

    n_heads: int
    kv_rank: int
    q_rank: int
    rope_dim: int
    nope_dim: int
    v_dim: int
    bias: bool = False
    index_heads: int = 0
    index_dim: int = 0
    index_reach: int = 0

    def __post_init__(self) -> None:
        at_least(self, 1, "n_heads", "kv_rank", "rope_dim", "nope_dim", "v_dim")
        at_least(self, 0, "q_rank", "index_heads", "index_dim", "index_reach")

    def shapes(self, d_model: int) -> Shapes:
        """Return the shapes of a layer's tensors at a hidden size."""
        query = self.n_heads * (self.rope_dim + self.nope_dim)
        found: Shapes = [(self.kv_rank + self.rope_dim, d_model), (self.kv_rank,)]
        found += [(self.n_heads * (self.nope_dim + self.v_dim), self.kv_rank), (d_model, self.n_heads * self.v_dim)]
        found += [(self.q_rank, d_model), (query, self.q_rank), (self.q_rank,)] if self.q_rank else [(query, d_model)]
        if self.bias:
            found += [(self.q_rank,), (self.kv_rank + self.rope_dim,), (d_model,)]
        if self.index_heads:
            found += [(self.index_heads * self.index_dim, self.q_rank), (self.index_dim, d_model)]
            found += [(self.index_heads, d_model), (self.index_dim,), (self.index_dim,)]
        return found

    @property
    def score_flops(self) -> int:
        """FLOP between two tokens in a layer: query times key, and score times value, with full heads."""
        return 2 * self.n_heads * (self.rope_dim + self.nope_dim + self.v_dim)

    @property
    def index_flops(self) -> int:
        """FLOP between two tokens by which those to attend to are chosen."""
        return 2 * self.index_heads * self.index_dim

    @property
    def reach(self) -> int:
        """Tokens that a token attends to at most, though more are kept; 0 for no limit."""
        return self.index_reach

    @property
    def kv_elements(self) -> int:
        """Elements that one token keeps in a layer's cache, with the key of an indexer."""
        return self.kv_rank + self.rope_dim + self.index_dim


def at_least(part: object, lowest: int, *names: str) -> None:
    """Refuse a part of an architecture with a size below `lowest`."""
    for name in names:
        if getattr(part, name) < lowest:
            raise InputError(f"Parameter {name} has the value {getattr(part, name)}; at least {lowest} is expected.")
