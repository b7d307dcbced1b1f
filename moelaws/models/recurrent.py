"""Layers of linear attention, state spaces and short convolutions, which keep a state of fixed size.

The work on a state is counted two FLOP for each multiply-add of an element: one to update it and one to
read it, and one more where an update first reads what the state holds (the delta rule). It is that of one
token after another; how kernels work through chunks of a sequence is not counted.
"""

from dataclasses import dataclass

from moelaws.models.attention import Mixer, Shapes


@dataclass(frozen=True)
class Recurrent(Mixer):
    """A layer that keeps a state.

    Parameters
    ----------
    tensors : tuple of tuple of int
        Shapes of its tensors.
    state : int
        Elements that are multiplied with, as a matrix for each head.
    touches : int
        How often a token's work goes through these elements.
    kept : int
        Further elements that are kept: the last inputs of a convolution.
    """

    tensors: tuple[tuple[int, ...], ...]
    state: int
    touches: int = 2
    kept: int = 0

    def shapes(self, d_model: int) -> Shapes:
        """Return the shapes of a layer's tensors, whose hidden size is fixed."""
        return list(self.tensors)

    @property
    def state_elements(self) -> int:
        """Elements of a layer's state, which does not grow with the sequence."""
        return self.state + self.kept

    @property
    def state_flops(self) -> int:
        """FLOP by which a token changes and reads the state."""
        return 2 * self.touches * self.state


def gated_delta(d: int, k_heads: int, v_heads: int, k_dim: int, v_dim: int, kernel: int) -> Recurrent:
    """Return a layer of the gated delta rule (Yang et al., arXiv 2412.06464) as Qwen3-Next has it.

    Examples
    --------
    At a hidden size of 2048, its 32 heads keep 128 × 128 elements each:

    >>> gated_delta(2048, k_heads=16, v_heads=32, k_dim=128, v_dim=128, kernel=4).state
    524288
    """
    key, value = k_heads * k_dim, v_heads * v_dim
    mixed = 2 * key + value
    tensors = ((mixed + value, d), (2 * v_heads, d), (d, value), (mixed, 1, kernel), (v_heads,), (v_heads,), (v_dim,))
    return Recurrent(tensors, v_heads * k_dim * v_dim, 3, mixed * (kernel - 1))


def kimi_delta(d: int, n_heads: int, head_dim: int, kernel: int, low_rank: bool = True) -> Recurrent:
    """Return a layer of Kimi Delta Attention (arXiv 2510.26692): the gated delta rule with a gate for each channel.

    Its two gates are products of two matrices in Kimi-Linear, and whole ones (`low_rank` false) in Ling.
    """
    inner = n_heads * head_dim
    gate = ((head_dim, d), (inner, head_dim)) if low_rank else ((inner, d),)
    tensors = (*[(inner, d)] * 3, (d, inner), *gate, *gate, (n_heads, d), (3 * inner, 1, kernel), (inner,), (n_heads,))
    return Recurrent((*tensors, (head_dim,)), inner * head_dim, 3, 3 * inner * (kernel - 1))


def lightning(d: int, n_heads: int, head_dim: int) -> Recurrent:
    """Return a layer of lightning attention with a gated output, as MiniMax-01 has it (arXiv 2501.08313)."""
    inner = n_heads * head_dim
    return Recurrent(((3 * inner, d), (inner, d), (d, inner), (inner,)), inner * head_dim)


def mamba(d: int, expand: int, d_state: int, kernel: int, dt_rank: int, conv_bias: bool, bias: bool) -> Recurrent:
    """Return a Mamba layer (arXiv 2312.00752) with norms of its three inputs, as Jamba has it."""
    inner = expand * d
    tensors = ((2 * inner, d), (dt_rank + 2 * d_state, inner), (inner, dt_rank), (d, inner), (inner, 1, kernel))
    vectors = ((inner * d_state,), (inner,), (inner,), (dt_rank,), (d_state,), (d_state,))
    extra = ((inner,),) * conv_bias + ((2 * inner,), (d,)) * bias
    return Recurrent(tensors + vectors + extra, inner * d_state, 2, inner * (kernel - 1))


def mamba2(
    d: int, n_heads: int, head_dim: int, n_groups: int, d_state: int, kernel: int, conv_bias: bool, bias: bool
) -> Recurrent:
    """Return a Mamba-2 layer (arXiv 2405.21060) with a gated norm, as Nemotron-H and Granite 4 have it.

    Examples
    --------
    >>> mamba2(4096, 128, 64, 8, 128, 4, True, False).state
    1048576
    """
    inner = n_heads * head_dim
    mixed = inner + 2 * n_groups * d_state
    tensors = ((inner + mixed + n_heads, d), (d, inner), (mixed, 1, kernel), *[(n_heads,)] * 3, (inner,))
    extra = ((mixed,),) * conv_bias + ((inner + mixed + n_heads,), (d,)) * bias
    return Recurrent(tensors + extra, inner * d_state, 2, mixed * (kernel - 1))


def short_convolution(d: int, kernel: int, bias: bool) -> Recurrent:
    """Return a gated convolution over the last few tokens, as LFM2 has it."""
    extra = ((d,), (3 * d,), (d,)) * bias
    return Recurrent(((3 * d, d), (d, d), (d, 1, kernel), *extra), 0, 0, d * (kernel - 1))
