r"""Work, traffic and intensity of feed-forward layers, and what devices exchange: Yang et al. (2025), Eq. 3.

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
H. Yang et al., arXiv:2505.03531 (2025).
"""

import numpy as np
from numpy.typing import ArrayLike

from moelaws.checks import Floats, positive
from moelaws.serving.experts import distinct_experts


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
