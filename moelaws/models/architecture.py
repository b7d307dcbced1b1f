"""A decoder-only transformer, dense or mixture-of-experts: what it holds, computes and keeps.

Counted is every weight that is stored: matrices, embeddings, norms, biases and routers. Layers that
only predict further tokens (multi-token prediction) are not, nor are towers for images or sound.
Work is in FLOP, two for each multiply-add of a matrix or a score; norms, biases, softmax and the
like are left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import NamedTuple

from moelaws.errors import InputError
from moelaws.models.attention import GroupedAttention, LatentAttention, Mixer, at_least


class Tensor(NamedTuple):
    """Tensors of one part and shape: how many there are, and how many of them one token uses.

    The parts are embedding, lookup (further tables that are only looked up), head, attention, dense,
    shared, experts, router and norm.
    """

    part: str
    shape: tuple[int, ...]
    stored: int = 1
    used: int = 1


@dataclass(frozen=True)
class Architecture:
    """A decoder-only transformer.

    Parameters
    ----------
    n_layers, d_model, vocab : int
        Layers, hidden size, vocabulary.
    tied : bool
        Whether input and output embedding are one matrix.
    d_dense : int
        Width of a dense feed-forward layer.
    n_dense_layers : int
        Leading layers with a dense feed-forward; all of them in a model without experts.
    d_expert, n_routed, n_shared, top_k : int
        Width of an expert; routed, shared and, of the routed ones, active experts in a layer.
    d_shared : int, optional
        Width of all shared experts of a layer together; by default `n_shared` times `d_expert`.
    moe_every, moe_offset : int
        Behind the leading dense layers, layer i (from 0) has experts where i modulo `moe_every` is
        `moe_offset`, and a dense feed-forward elsewhere.
    gated_ff, ff_bias : bool
        Whether a feed-forward has three matrices (SwiGLU and its like) or two, and whether they
        have biases; this holds for dense layers and for experts.
    router_bias, shared_gate : bool
        Whether routers have one bias for each expert (also one that only balances the load), and
        whether the output of the shared experts is weighted by a gate.
    norms_per_layer : int
        Norms of hidden size in a layer; one more follows the last layer.
    norm_bias, output_bias : bool
        Whether these norms and the output layer have biases.
    window, n_window_layers : int
        Tokens that a sliding window reaches, and in how many of the layers of `attention` there is one.
    moe_layers : tuple of int, optional
        The layers with experts, where they follow no such pattern; stands above it.
    n_without_ff : int
        Layers without any feed-forward.
    others : tuple
        Layers that have something else in the place of `attention`, as (number, mixer or None, window).
    dense_beside_experts : bool
        Whether layers with experts have the dense feed-forward too.
    d_latent : int
        Width to which tokens are projected before the routed experts, and back behind them; 0 for none.
    extra : tuple of Tensor
        Further tensors that no other parameter describes.

    Examples
    --------
    Mixtral-8x7B has 46,702,792,704 weights:

    >>> mixtral = Architecture(
    ...     n_layers=32, d_model=4096, vocab=32000, attention=GroupedAttention(32, 8, 128), tied=False,
    ...     d_dense=0, n_dense_layers=0, d_expert=14336, n_routed=8, top_k=2,
    ... )
    >>> mixtral.n_total
    46702792704
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
    d_shared: int | None = None
    moe_every: int = 1
    moe_offset: int = 0
    gated_ff: bool = True
    ff_bias: bool = False
    router_bias: bool = False
    shared_gate: bool = False
    norms_per_layer: int = 2
    norm_bias: bool = False
    output_bias: bool = False
    window: int = 0
    n_window_layers: int = 0
    moe_layers: tuple[int, ...] | None = None
    n_without_ff: int = 0
    others: tuple[tuple[int, Mixer | None, int], ...] = ()
    dense_beside_experts: bool = False
    d_latent: int = 0
    extra: tuple[Tensor, ...] = ()

    def __post_init__(self) -> None:
        at_least(self, 1, "n_layers", "d_model", "vocab", "moe_every")
        at_least(self, 0, "d_dense", "n_dense_layers", "d_expert", "n_routed", "n_shared", "top_k", "shared_width")
        at_least(self, 0, "moe_offset", "norms_per_layer", "window", "n_window_layers", "n_without_ff", "d_latent")
        for name, most, limit in (
            ("top_k", "n_routed", self.n_routed),
            ("n_dense_layers", "n_layers", self.n_layers),
            ("n_window_layers", "n_layers", self.n_attention_layers),
            ("moe_offset", "moe_every - 1", self.moe_every - 1),
            ("n_without_ff", "n_layers less those with experts", self.n_layers - self.n_moe_layers),
        ):
            if getattr(self, name) > limit:
                raise InputError(
                    f"Parameter {name} has the value {getattr(self, name)}; at most {most}, {limit}, is expected."
                )
        if self.n_moe_layers and not self.n_routed:
            raise InputError(
                f"Parameter n_routed is 0 and {self.n_moe_layers} layers are not dense; experts, or n_dense_layers = "
                f"{self.n_layers}, are expected."
            )

    @property
    def n_moe_layers(self) -> int:
        """Layers with experts."""
        if self.moe_layers is not None:
            return len(self.moe_layers)
        first = self.n_dense_layers + (self.moe_offset - self.n_dense_layers) % self.moe_every
        return len(range(first, self.n_layers, self.moe_every))

    @property
    def n_attention_layers(self) -> int:
        """Layers with `attention`."""
        return self.n_layers - sum(count for count, _, _ in self.others)

    @property
    def mixers(self) -> list[tuple[int, Mixer, int]]:
        """What mixes tokens: in how many layers, what, and with which window (0 for none)."""
        plain = self.n_attention_layers - self.n_window_layers
        mine = [(plain, self.attention, 0), (self.n_window_layers, self.attention, self.window)]
        return [*mine, *((count, mixer, window) for count, mixer, window in self.others if mixer)]

    @cached_property
    def tensors(self) -> tuple[Tensor, ...]:
        """Every tensor that is stored, by part and shape."""
        return tuple(tensor for tensor in (*self._tensors(), *self.extra) if prod(tensor.shape) and tensor.stored)

    def _tensors(self) -> Iterator[Tensor]:
        d, moe, routed, chosen = self.d_model, self.n_moe_layers, self.n_routed, self.top_k
        yield Tensor("embedding", (self.vocab, d))
        yield Tensor("head", (self.vocab, d), 0 if self.tied else 1)
        yield Tensor("head", (self.vocab,), self.output_bias, self.output_bias)
        norms = self.norms_per_layer * self.n_layers + 1
        yield Tensor("norm", (d,), norms * (1 + self.norm_bias), norms * (1 + self.norm_bias))
        for count, mixer, _ in self.mixers:
            yield from (Tensor("attention", shape, count, count) for shape in mixer.shapes(d))
        dense = self.n_layers - self.n_without_ff - (0 if self.dense_beside_experts else moe)
        yield from self._ff("dense", d, self.d_dense, dense, dense)
        yield from self._ff("shared", d, self.shared_width, moe, moe)
        yield from self._ff("experts", self.d_latent or d, self.d_expert, moe * routed, moe * chosen)
        yield from (Tensor("experts", shape, moe, moe) for shape in [(self.d_latent, d), (d, self.d_latent)])
        yield Tensor("router", (routed, d), moe, moe)
        yield Tensor("router", (routed,), moe * self.router_bias, moe * self.router_bias)
        yield Tensor("router", (1, d), moe * self.shared_gate, moe * self.shared_gate)

    def _ff(self, part: str, d: int, width: int, count: int, used: int) -> Iterator[Tensor]:
        for _ in range(1 + self.gated_ff):
            yield Tensor(part, (width, d), count, used)
            yield Tensor(part, (width * self.ff_bias,), count, used)
        yield Tensor(part, (d, width), count, used)
        yield Tensor(part, (d * self.ff_bias * (width > 0),), count, used)

    @property
    def shared_width(self) -> int:
        """Width of all shared experts of a layer together, elements."""
        return self.n_shared * self.d_expert if self.d_shared is None else self.d_shared

    @property
    def expert_weights(self) -> int:
        """Weights of one expert in one layer."""
        return sum(
            prod(tensor.shape) for tensor in self._ff("experts", self.d_latent or self.d_model, self.d_expert, 1, 1)
        )

    @property
    def n_embedding(self) -> int:
        """Parameters of the input embedding."""
        return self.vocab * self.d_model

    @property
    def attention_weights(self) -> int:
        """Parameters of the attention of all layers, or of what stands in its place."""
        return self._stored("attention")

    @property
    def router_weights(self) -> int:
        """Parameters of the routers of all layers, with their biases and the gates of shared experts."""
        return self._stored("router")

    @property
    def n_total(self) -> int:
        """Every parameter."""
        return self._stored()

    @property
    def n_active(self) -> int:
        """Parameters used for one token, less the input embedding, which is only looked up.

        The output layer counts, also where it shares the input embedding's matrix.
        """
        return self.n_body_active + self.n_embedding + self.output_bias * self.vocab

    @property
    def n_body(self) -> int:
        """Parameters without input embedding and output layer."""
        return self.n_total - self._stored("embedding") - self._stored("head")

    @property
    def n_body_active(self) -> int:
        """Parameters used for one token, without input embedding and output layer."""
        outside = ("embedding", "head", "lookup")
        return sum(prod(tensor.shape) * tensor.used for tensor in self.tensors if tensor.part not in outside)

    def _stored(self, part: str | None = None) -> int:
        return sum(prod(tensor.shape) * tensor.stored for tensor in self.tensors if part in (None, tensor.part))

    def weight_bytes(self, bytes_per_weight: float = 2) -> float:
        """Bytes of all weights, by default two for each (bf16)."""
        return self.n_total * bytes_per_weight

    def forward_flops(
        self, seq_len: int, *, causal: bool = False, output_layer: bool = True, router: bool = True
    ) -> int:
        """Forward FLOP of one token in a sequence, with attention scores.

        It is averaged over the tokens of the sequence and rounded down.

        Parameters
        ----------
        causal : bool
            Whether a token's scores with later tokens are left out. They are counted by default,
            as many papers do. A layer with a sliding window has at most `window` scores per token.
        output_layer, router : bool
            Whether these are counted; they are by default. Gates of shared experts go with routers.

        Examples
        --------
        A token of gpt-oss-20b, of which half of the layers see 128 tokens, takes 8 GFLOP:

        >>> from moelaws.models.catalogue import load
        >>> f"{load('gpt-oss-20b').forward_flops(8192, causal=True):.2g}"
        '8e+09'
        """
        _check_tokens(seq_len)
        skipped = {"lookup", "embedding", "head"} | ({"router"} if not router else set())
        weights = sum(prod(x.shape) * x.used for x in self.tensors if len(x.shape) > 1 and x.part not in skipped)
        weights += self.n_embedding * output_layer
        scores = state = 0
        for count, mixer, window in self.mixers:
            near = min(filter(None, (seq_len, window, mixer.reach)))
            scores += count * mixer.score_flops * _pairs(seq_len, near, causal)
            scores += count * mixer.index_flops * _pairs(seq_len, seq_len, causal)
            state += count * mixer.state_flops
        return 2 * weights + state + scores // seq_len

    def training_flops(
        self, seq_len: int, *, causal: bool = False, output_layer: bool = True, router: bool = True
    ) -> int:
        """Training FLOP of one token in a sequence: three times :meth:`forward_flops`, with its parameters.

        Examples
        --------
        Tian et al. (2025) label the fourth size of their Figure 5a with 1.1e9 FLOP for each token:

        >>> from moelaws import data
        >>> from moelaws.models.catalogue import from_row
        >>> size = data.load("tian2025/architectures").query("size == 'd'").to_dict("records")[0]
        >>> f"{from_row(size, vocab=126464).training_flops(4096, output_layer=False, router=False):.1e}"
        '1.1e+09'
        """
        return 3 * self.forward_flops(seq_len, causal=causal, output_layer=output_layer, router=router)

    @property
    def flops_per_token(self) -> int:
        """Forward FLOP of one token by the rule 2·N, N being :attr:`n_active`, without attention scores."""
        return 2 * self.n_active

    @property
    def kv_elements_per_token(self) -> int:
        """Elements that one new token writes to the cache of all layers, with or without a window."""
        return sum(count * mixer.kv_elements for count, mixer, _ in self.mixers)

    def kv_bytes_per_token(self, bytes_per_element: float = 2) -> float:
        """Bytes that one new token writes to the cache of all layers.

        Layers with a sliding window count like all others; that they forget, only
        :meth:`kv_cache_bytes` knows.
        """
        return self.kv_elements_per_token * bytes_per_element

    def state_bytes(self, bytes_per_element: float = 2) -> float:
        """Bytes of the states of linear attention and the like, for one sequence of any length."""
        return sum(count * mixer.state_elements for count, mixer, _ in self.mixers) * bytes_per_element

    def kv_cache_bytes(self, seq_len: int, bytes_per_element: float = 2) -> float:
        """Bytes of the cache of one sequence, in which layers with a window keep at most `window` tokens.

        States that do not grow (:meth:`state_bytes`) are part of it.

        Examples
        --------
        Half of gpt-oss-20b's layers keep 128 tokens. Of a long text it holds half as much as others would:

        >>> from moelaws.models.catalogue import load
        >>> model = load("gpt-oss-20b")
        >>> model.kv_cache_bytes(131072) / (131072 * model.kv_bytes_per_token())
        0.50048828125
        """
        _check_tokens(seq_len)
        elements = sum(n * mixer.kv_elements * min(seq_len, window or seq_len) for n, mixer, window in self.mixers)
        return elements * bytes_per_element + self.state_bytes(bytes_per_element)


def _pairs(seq_len: int, near: int, causal: bool) -> int:
    """Pairs of tokens of a sequence that have a score, where each has at most `near`."""
    return near * (near + 1) // 2 + (seq_len - near) * near if causal else seq_len * near


def _check_tokens(seq_len: int) -> None:
    if seq_len < 1:
        raise InputError(f"Parameter seq_len has the value {seq_len}; at least one token is expected.")
