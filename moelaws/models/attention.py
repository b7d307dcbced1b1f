"""The attention of a decoder layer: what it holds, computes and keeps.

Two kinds: heads with keys and values of their own or shared by groups, and heads that read keys
and values from one compressed vector per token.
"""

from dataclasses import dataclass
from typing import Literal

from moelaws.errors import InputError


@dataclass(frozen=True)
class GroupedAttention:
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

    Raises
    ------
    InputError
        If a size is below one, or the query heads do not divide into the key-value heads.

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

    def __post_init__(self) -> None:
        at_least(self, 1, "n_heads", "n_kv_heads", "head_dim")
        if self.n_heads % self.n_kv_heads:
            raise InputError(
                f"Parameter n_heads has the value {self.n_heads}; a multiple of the {self.n_kv_heads} key-value heads "
                "is expected."
            )

    def weights(self, d_model: int) -> int:
        """Weights of one layer: matrices, biases, norms of queries and keys, and sinks."""
        return self.matrices(d_model) + self._biases(d_model) + self._norms + self.n_heads * self.sinks

    def matrices(self, d_model: int) -> int:
        """Weights of one layer that a token is multiplied with."""
        return 2 * d_model * self.head_dim * (self.n_heads + self.n_kv_heads)

    def _biases(self, d_model: int) -> int:
        return self.qkv_bias * self.head_dim * (self.n_heads + 2 * self.n_kv_heads) + self.output_bias * d_model

    @property
    def _norms(self) -> int:
        heads = {"none": 0, "head": 2, "all": self.n_heads + self.n_kv_heads}[self.qk_norm]
        return heads * self.head_dim

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
    bias : bool
        Whether the projections to the compressed vectors and the one back have biases.

    Raises
    ------
    InputError
        If a size is below one, or `q_rank` is negative.

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

    def __post_init__(self) -> None:
        at_least(self, 1, "n_heads", "kv_rank", "rope_dim", "nope_dim", "v_dim")
        at_least(self, 0, "q_rank")

    def weights(self, d_model: int) -> int:
        """Weights of one layer: matrices, biases, and the norms of the compressed vectors."""
        biases = self.q_rank + self.kv_rank + self.rope_dim + d_model if self.bias else 0
        return self.matrices(d_model) + self.q_rank + self.kv_rank + biases

    def matrices(self, d_model: int) -> int:
        """Weights of one layer that a token is multiplied with."""
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


def at_least(part: object, lowest: int, *names: str) -> None:
    """Refuse a part of an architecture with a size below `lowest`.

    Raises
    ------
    InputError
        If the value of one of `names` is below `lowest`.
    """
    for name in names:
        if getattr(part, name) < lowest:
            raise InputError(f"Parameter {name} has the value {getattr(part, name)}; at least {lowest} is expected.")
