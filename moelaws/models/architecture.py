"""A decoder-only transformer, dense or mixture-of-experts: what it holds, computes and keeps.

Counted is every weight that is stored: matrices, embeddings, norms, biases and routers. Layers that
only predict further tokens (multi-token prediction) are not, nor are towers for images or sound.
Work is in FLOP, two for each multiply-add of a matrix or a score; norms, biases, softmax and the
like are left out.
"""

from dataclasses import dataclass

from moelaws.errors import InputError
from moelaws.models.attention import GroupedAttention, LatentAttention, at_least


@dataclass(frozen=True)
class Architecture:
    """A decoder-only transformer.

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
        Tokens that a sliding window reaches, and in how many layers there is one.

    Raises
    ------
    InputError
        If a size is negative or cannot be: more active than routed experts, say.

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

    def __post_init__(self) -> None:
        at_least(self, 1, "n_layers", "d_model", "vocab", "moe_every")
        at_least(self, 0, "d_dense", "n_dense_layers", "d_expert", "n_routed", "n_shared", "top_k", "shared_width")
        at_least(self, 0, "moe_offset", "norms_per_layer", "window", "n_window_layers")
        for name, most, limit in (
            ("top_k", "n_routed", self.n_routed),
            ("n_dense_layers", "n_layers", self.n_layers),
            ("n_window_layers", "n_layers", self.n_layers),
            ("moe_offset", "moe_every - 1", self.moe_every - 1),
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
        first = self.n_dense_layers + (self.moe_offset - self.n_dense_layers) % self.moe_every
        return len(range(first, self.n_layers, self.moe_every))

    @property
    def shared_width(self) -> int:
        """Width of all shared experts of a layer together, elements."""
        return self.n_shared * self.d_expert if self.d_shared is None else self.d_shared

    @property
    def expert_weights(self) -> int:
        """Weights of one expert in one layer."""
        return self._ff(self.d_expert) + self._ff_bias(self.d_expert)

    @property
    def n_embedding(self) -> int:
        """Parameters of the input embedding."""
        return self.vocab * self.d_model

    @property
    def attention_weights(self) -> int:
        """Parameters of the attention of all layers."""
        return self.n_layers * self.attention.weights(self.d_model)

    @property
    def router_weights(self) -> int:
        """Parameters of the routers of all layers, with their biases and the gates of shared experts."""
        return self._router + self.n_moe_layers * self.router_bias * self.n_routed

    @property
    def n_total(self) -> int:
        """Every parameter."""
        return self.n_body + self.n_embedding * (1 if self.tied else 2) + self._output_bias

    @property
    def n_active(self) -> int:
        """Parameters used for one token, less the input embedding, which is only looked up.

        The output layer counts, also where it shares the input embedding's matrix.
        """
        return self.n_body_active + self.n_embedding + self._output_bias

    @property
    def n_body(self) -> int:
        """Parameters without input embedding and output layer."""
        return self._always + self.n_moe_layers * self.n_routed * self.expert_weights

    @property
    def n_body_active(self) -> int:
        """Parameters used for one token, without input embedding and output layer."""
        return self._always + self.n_moe_layers * self.top_k * self.expert_weights

    def weight_bytes(self, bytes_per_weight: float = 2) -> float:
        """Bytes of all weights, by default two for each (bf16)."""
        return self.n_total * bytes_per_weight

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
            as many papers do. A layer with a sliding window has at most `window` scores per token.
        output_layer, router : bool
            Whether these are counted; they are by default. Gates of shared experts go with routers.

        Returns
        -------
        int
            FLOP, averaged over the tokens of the sequence and rounded down.

        Raises
        ------
        InputError
            If `seq_len` is not positive.

        Examples
        --------
        A token of gpt-oss-20b, of which half of the layers see 128 tokens, takes 8 GFLOP:

        >>> from moelaws.models.catalogue import load
        >>> f"{load('gpt-oss-20b').forward_flops(8192, causal=True):.2g}"
        '8e+09'
        """
        _check_tokens(seq_len)
        weights = self.n_layers * self.attention.matrices(self.d_model)
        weights += self._n_ff_layers * self._ff(self.d_dense)
        weights += self.n_moe_layers * (self._ff(self.shared_width) + self.top_k * self._ff(self.d_expert))
        weights += self.n_embedding * output_layer + self._router * router
        return 2 * weights + self.attention.score_flops * self._scores(seq_len, causal) // seq_len

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
        return self.n_layers * self.attention.kv_elements

    def kv_bytes_per_token(self, bytes_per_element: float = 2) -> float:
        """Bytes that one new token writes to the cache of all layers.

        Layers with a sliding window count like all others; that they forget, only
        :meth:`kv_cache_bytes` knows.
        """
        return self.kv_elements_per_token * bytes_per_element

    def kv_cache_bytes(self, seq_len: int, bytes_per_element: float = 2) -> float:
        """Bytes of the cache of one sequence, in which layers with a window keep at most `window` tokens.

        Raises
        ------
        InputError
            If `seq_len` is not positive.

        Examples
        --------
        Half of gpt-oss-20b's layers keep 128 tokens. Of a long text it holds half as much as others would:

        >>> from moelaws.models.catalogue import load
        >>> model = load("gpt-oss-20b")
        >>> model.kv_cache_bytes(131072) / (131072 * model.kv_bytes_per_token())
        0.50048828125
        """
        _check_tokens(seq_len)
        tokens = (self.n_layers - self.n_window_layers) * seq_len + self.n_window_layers * min(seq_len, self.window)
        return tokens * self.attention.kv_elements * bytes_per_element

    @property
    def _n_ff_layers(self) -> int:
        return self.n_layers - self.n_moe_layers

    @property
    def _router(self) -> int:
        return self.n_moe_layers * self.d_model * (self.n_routed + self.shared_gate)

    @property
    def _output_bias(self) -> int:
        return self.output_bias * self.vocab

    @property
    def _always(self) -> int:
        """Parameters that every token uses: attention, norms, routers, dense and shared widths."""
        norms = (self.norms_per_layer * self.n_layers + 1) * self.d_model * (1 + self.norm_bias)
        dense = self._n_ff_layers * (self._ff(self.d_dense) + self._ff_bias(self.d_dense))
        shared = self.n_moe_layers * (self._ff(self.shared_width) + self._ff_bias(self.shared_width))
        return self.attention_weights + norms + self.router_weights + dense + shared

    def _ff(self, width: int) -> int:
        """Weights in the matrices of a feed-forward."""
        return (2 + self.gated_ff) * self.d_model * width

    def _ff_bias(self, width: int) -> int:
        return ((1 + self.gated_ff) * width + self.d_model) * self.ff_bias * (width > 0)

    def _scores(self, seq_len: int, causal: bool) -> int:
        """Pairs of tokens that have a score, in one sequence and all layers."""
        near = min(seq_len, self.window)
        if causal:
            everywhere = seq_len * (seq_len + 1) // 2
            windowed = near * (near + 1) // 2 + (seq_len - near) * near
        else:
            everywhere, windowed = seq_len**2, seq_len * near
        return (self.n_layers - self.n_window_layers) * everywhere + self.n_window_layers * windowed


def _check_tokens(seq_len: int) -> None:
    if seq_len < 1:
        raise InputError(f"Parameter seq_len has the value {seq_len}; at least one token is expected.")
