r"""Laws behind Yang et al. (2025), "Faster MoE LLM Inference for Extremely Large Models".

=========== ============= ====================================================================
paper       here          meaning, unit and convention
=========== ============= ====================================================================
:math:`d`   ``d``         hidden size, elements
:math:`d_i` ``d_i``       width of a dense feed-forward layer, elements
:math:`d_e` ``d_e``       width of one routed expert, elements
:math:`n_e` ``n_e``       routed experts in a layer
:math:`n_a` ``n_a``       routed experts activated for each token
:math:`L`   ``L``         tokens processed together; in decoding, the number of running requests
:math:`n_d` ``n_d``       devices that share a layer
=========== ============= ====================================================================

Work is counted in FLOP (a multiply-add is two), traffic in *elements*, and intensity in FLOP per
element, as the paper does; divide by the bytes of an element for FLOP per byte. Weights are read
once for all tokens of a step. All functions broadcast.

References
----------
H. Yang et al., arXiv:2505.03531 (2025). The number of distinct experts is printed in
arXiv:2511.02237, footnote 1, and not in the paper itself.
"""

import numpy as np
from numpy.typing import ArrayLike

from moelaws.checks import Floats, positive
from moelaws.errors import InputError


def glu_traffic(L: ArrayLike, d: ArrayLike, d_i: ArrayLike) -> Floats:
    """Elements read and written by a gated feed-forward layer, Eq. 3.

    Three weight matrices, the input and output of each token, and two intermediate vectors.

    Examples
    --------
    >>> float(glu_traffic(L=1, d=2048, d_i=1408))
    8657664.0
    """
    L, d, d_i = positive(L=L, d=d, d_i=d_i)
    return 3 * d_i * d + 2 * L * (d + d_i)


def glu_flops(L: ArrayLike, d: ArrayLike, d_i: ArrayLike) -> Floats:
    """FLOP of a gated feed-forward layer, Eq. 3.

    Examples
    --------
    >>> float(glu_flops(L=1, d=2048, d_i=1408))
    17301504.0
    """
    L, d, d_i = positive(L=L, d=d, d_i=d_i)
    return 6 * L * d_i * d


def glu_intensity(L: ArrayLike, d: ArrayLike, d_i: ArrayLike) -> Floats:
    """FLOP per element moved by a gated feed-forward layer, Eq. 3.

    Close to 2 L for few tokens; :func:`glu_ceiling` for many.

    Examples
    --------
    >>> round(float(glu_intensity(L=150, d=4096, d_i=14336)), 1)
    290.9
    """
    return glu_flops(L, d, d_i) / glu_traffic(L, d, d_i)


def glu_ceiling(d: ArrayLike, d_i: ArrayLike) -> Floats:
    """Intensity of a gated feed-forward layer for infinitely many tokens (limit of Eq. 3).

    Examples
    --------
    >>> float(glu_ceiling(d=4096, d_i=14336))
    9557.333333333334
    """
    d, d_i = positive(d=d, d_i=d_i)
    return 3 * d * d_i / (d + d_i)


def glu_tokens(intensity: ArrayLike, d: ArrayLike, d_i: ArrayLike) -> Floats:
    """Tokens at which a gated feed-forward layer reaches an intensity (inverse of Eq. 3).

    Infinite where the intensity is not below the ceiling.

    Examples
    --------
    The ridge of an A800 at two bytes per element, 161 FLOP per byte:

    >>> round(float(glu_tokens(2 * 312e12 / 1.935e12, d=4096, d_i=14336)), 1)
    166.9
    """
    intensity, d, d_i = positive(intensity=intensity, d=d, d_i=d_i)
    spare = 6 * d * d_i - 2 * intensity * (d + d_i)
    reached = np.where(spare > 0, spare, np.nan)
    return np.nan_to_num(3 * d * d_i * intensity / reached, nan=np.inf, posinf=np.inf)


def mlp_traffic(L: ArrayLike, d: ArrayLike, d_i: ArrayLike) -> Floats:
    """Elements read and written by a plain two-matrix feed-forward layer, counted as Eq. 3 does.

    Not printed in the paper.

    Examples
    --------
    >>> float(mlp_traffic(L=1, d=2048, d_i=8192))
    33566720.0
    """
    L, d, d_i = positive(L=L, d=d, d_i=d_i)
    return 2 * d_i * d + L * (2 * d + d_i)


def mlp_flops(L: ArrayLike, d: ArrayLike, d_i: ArrayLike) -> Floats:
    """FLOP of a plain two-matrix feed-forward layer. Not printed in the paper.

    Examples
    --------
    >>> float(mlp_flops(L=1, d=2048, d_i=8192))
    67108864.0
    """
    L, d, d_i = positive(L=L, d=d, d_i=d_i)
    return 4 * L * d_i * d


def mlp_intensity(L: ArrayLike, d: ArrayLike, d_i: ArrayLike) -> Floats:
    """FLOP per element moved by a plain feed-forward layer. Not printed in the paper.

    Examples
    --------
    >>> round(float(mlp_intensity(L=150, d=2048, d_i=8192)), 1)
    284.4
    """
    return mlp_flops(L, d, d_i) / mlp_traffic(L, d, d_i)


def distinct_experts(n_e: ArrayLike, n_a: ArrayLike, L: ArrayLike) -> Floats:
    r"""Expected number of experts that at least one of L tokens chooses.

    .. math:: D = n_e \Bigl(1 - \bigl(1 - n_a/n_e\bigr)^L\Bigr)

    Exact when every token draws `n_a` different experts, uniformly and independently of the
    other tokens. Not printed in the paper; arXiv:2511.02237, footnote 1.

    Parameters
    ----------
    n_e, n_a, L : array_like
        Routed experts, active experts for each token (at most `n_e`), tokens.

    Raises
    ------
    InputError
        If a value is not positive, or `n_a` is greater than `n_e`.

    Examples
    --------
    >>> round(float(distinct_experts(n_e=128, n_a=8, L=16)))
    82
    """
    n_e, n_a, L = positive(n_e=n_e, n_a=n_a, L=L)
    if np.any(n_a > n_e):
        raise InputError("Parameter n_a is greater than n_e; a token activates at most as many experts as there are.")
    with np.errstate(divide="ignore"):
        return np.asarray(-n_e * np.expm1(L * np.log1p(-n_a / n_e)))


def distinct_experts_per_token(n_e: ArrayLike, n_a: ArrayLike, L: ArrayLike) -> Floats:
    """Derivative of :func:`distinct_experts` with respect to the number of tokens.

    Examples
    --------
    One token more at 16 tokens brings 1.3 new experts of DeepSeek-V2-Lite's 64:

    >>> round(float(distinct_experts_per_token(n_e=64, n_a=6, L=16)), 2)
    1.3
    """
    n_e, n_a, L = positive(n_e=n_e, n_a=n_a, L=L)
    log_miss = np.log1p(-n_a / n_e)
    return -n_e * log_miss * np.exp(L * log_miss)


def moe_traffic(L: ArrayLike, d: ArrayLike, d_e: ArrayLike, n_e: ArrayLike, n_a: ArrayLike) -> Floats:
    """Elements read and written by the routed experts of a layer: Eq. 3 summed over distinct experts.

    Not printed in the paper, which argues it in words.

    Examples
    --------
    >>> round(float(moe_traffic(L=1, d=2048, d_e=1408, n_e=64, n_a=6)))
    51945984
    """
    L, d, d_e, n_a = positive(L=L, d=d, d_e=d_e, n_a=n_a)
    return 3 * distinct_experts(n_e, n_a, L) * d_e * d + 2 * L * n_a * (d + d_e)


def moe_flops(L: ArrayLike, d: ArrayLike, d_e: ArrayLike, n_a: ArrayLike) -> Floats:
    """FLOP of the routed experts of a layer: Eq. 3 for each of the `n_a` experts of a token.

    Examples
    --------
    >>> float(moe_flops(L=1, d=2048, d_e=1408, n_a=6))
    103809024.0
    """
    L, d, d_e, n_a = positive(L=L, d=d, d_e=d_e, n_a=n_a)
    return 6 * L * n_a * d_e * d


def moe_intensity(L: ArrayLike, d: ArrayLike, d_e: ArrayLike, n_e: ArrayLike, n_a: ArrayLike) -> Floats:
    """FLOP per element moved by the routed experts of a layer. Not printed in the paper.

    Examples
    --------
    >>> round(float(moe_intensity(L=150, d=2048, d_e=1408, n_e=64, n_a=6)), 1)
    27.8
    """
    return moe_flops(L, d, d_e, n_a) / moe_traffic(L, d, d_e, n_e, n_a)


def tensor_parallel_traffic(L: ArrayLike, d: ArrayLike, n_d: ArrayLike) -> Floats:
    """Hidden-state elements that tensor parallelism moves at least, Section 4.2.

    Examples
    --------
    >>> float(tensor_parallel_traffic(L=1, d=4096, n_d=8))
    57344.0
    """
    L, d, n_d = positive(L=L, d=d, n_d=n_d)
    return 2 * (n_d - 1) * L * d


def expert_parallel_traffic(L: ArrayLike, d: ArrayLike, n_a: ArrayLike) -> Floats:
    """Hidden-state elements that expert parallelism moves at most, Section 4.2.

    Examples
    --------
    With eight devices and two active experts, the paper's "about 28 %":

    >>> float(expert_parallel_traffic(1, 4096, n_a=2) / tensor_parallel_traffic(1, 4096, n_d=8))
    0.2857142857142857
    """
    L, d, n_a = positive(L=L, d=d, n_a=n_a)
    return 2 * n_a * L * d


def allocation(first: int, peak: int, last: int, peak_layer: int, n_layers: int) -> Floats:
    """Active experts of each layer under the allocation (b, h, e, p) of Section 5.2, not rounded.

    Linear from `first` in layer 1 to `peak` in layer `peak_layer`, and on to `last` in the last
    layer. Where the peak stands in layer 1 or in the last layer, the paper leaves open which of
    the two numbers holds there; here the end keeps its own number and the neighbouring ramp
    starts from `peak`.

    Parameters
    ----------
    first, peak, last : int
        Active experts b, h and e.
    peak_layer : int
        The layer p, counted from 1.
    n_layers : int
        Layers counted.

    Returns
    -------
    numpy.ndarray, shape (n_layers,)

    Raises
    ------
    InputError
        If `peak_layer` is not one of the layers.

    Examples
    --------
    >>> allocation(first=2, peak=6, last=4, peak_layer=3, n_layers=5).tolist()
    [2.0, 4.0, 6.0, 5.0, 4.0]
    """
    if not 1 <= peak_layer <= n_layers:
        raise InputError(f"Parameter peak_layer is {peak_layer}; a layer from 1 to {n_layers} is expected.")
    experts = np.interp(np.arange(1, n_layers + 1), [1, peak_layer, n_layers], [first, peak, last])
    experts[0], experts[-1] = first, last
    return experts
