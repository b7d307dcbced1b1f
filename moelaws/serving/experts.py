"""How many experts of a layer are used by at least one of the tokens that are processed together."""

import numpy as np
from numpy.typing import ArrayLike

from moelaws.checks import Floats, positive
from moelaws.errors import InputError


def distinct_experts(n_routed: ArrayLike, top_k: ArrayLike, tokens: ArrayLike) -> Floats:
    r"""Expected number of distinct experts under random routing.

    .. math:: D = n_e \Bigl(1 - \bigl(1 - n_a/n_e\bigr)^L\Bigr)

    Exact when every token draws :math:`n_a` (`top_k`) different ones of :math:`n_e` (`n_routed`) experts, uniformly
    and independently of the other :math:`L` tokens. Printed in arXiv:2511.02237, footnote 1.

    Examples
    --------
    >>> round(float(distinct_experts(n_routed=128, top_k=8, tokens=16)))
    82
    """
    n_routed, top_k, tokens = _routing(n_routed, top_k, tokens)
    with np.errstate(divide="ignore"):
        return np.asarray(-n_routed * np.expm1(tokens * np.log1p(-top_k / n_routed)))


def even_experts(n_routed: ArrayLike, top_k: ArrayLike, tokens: ArrayLike) -> Floats:
    """Number of distinct experts if tokens are spread evenly: all, or a new one for each choice. None uses more.

    Examples
    --------
    Sixteen tokens with eight of 128 experts each; random routing uses 82:

    >>> even_experts(n_routed=128, top_k=8, tokens=[1, 4, 16, 64]).tolist()
    [8.0, 32.0, 128.0, 128.0]
    """
    n_routed, top_k, tokens = _routing(n_routed, top_k, tokens)
    return np.minimum(n_routed, top_k * tokens)


def _routing(n_routed: ArrayLike, top_k: ArrayLike, tokens: ArrayLike) -> list[Floats]:
    routing = positive(n_routed=n_routed, top_k=top_k, tokens=tokens)
    if np.any(routing[1] > routing[0]):
        raise InputError("Parameter top_k is greater than n_routed; a token uses at most as many experts as there are.")
    return routing
