"""Ratios that describe a mixture-of-experts layer: which share is active, which is shared, how finely it is cut.

References
----------
C. Tian et al., arXiv:2507.17702 (2025), Section 2.1, for activation, sharing and granularity. L. Yun et al.,
arXiv:2404.02852 (2024), Sections 2.1 and 4.2, for sizes over that of the dense model.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from moelaws.checks import Floats, positive
from moelaws.errors import InputError

CONVENTIONS = ("routed", "with shared", "mixed")
"""The three activation ratios that Tian et al. use."""


def activation_ratio(
    n_routed: ArrayLike,
    top_k: ArrayLike,
    n_shared: ArrayLike = 0,
    convention: Literal["routed", "with shared", "mixed"] = "routed",
) -> Floats:
    """Share of the experts that a token activates.

    Whether shared experts count, `convention` says: nowhere, as in Figure 8 and the joint law of Tian et al.;
    everywhere, as in their definition of Section 2.1; among the activated ones only, as in their Sections 2.2 and 2.3.

    Examples
    --------
    The models of Tian et al.'s hyper-parameter search are printed as 7.8 %, those of Table 7 as 3.1 %, and
    Ling-mini-beta as 3.4 %:

    >>> round(100 * float(activation_ratio(64, 4, 1, "mixed")), 1)
    7.8
    >>> round(100 * float(activation_ratio(64, 2, 1)), 1)
    3.1
    >>> round(100 * float(activation_ratio(384, 12, 1, "with shared")), 1)
    3.4
    """
    n_routed, top_k = positive(n_routed=n_routed, top_k=top_k)
    n_shared = np.asarray(n_shared, dtype=float)
    if not np.all((n_shared >= 0) & np.isfinite(n_shared)):
        raise InputError("Parameter n_shared holds a negative or infinite number; a count of experts is expected.")
    if np.any(top_k > n_routed):
        raise InputError("Parameter top_k is greater than n_routed; a token activates at most the experts there are.")
    if convention not in CONVENTIONS:
        raise InputError(f"Parameter convention is '{convention}'; one of {', '.join(CONVENTIONS)} is expected.")
    activated = top_k if convention == "routed" else top_k + n_shared
    return np.asarray(activated / (n_routed + n_shared if convention == "with shared" else n_routed))


def sharing_ratio(top_k: ArrayLike, n_shared: ArrayLike) -> Floats:
    """Share of the activated experts that are shared ones.

    Examples
    --------
    >>> round(100 * float(sharing_ratio(top_k=8, n_shared=4)), 1)
    33.3
    """
    (top_k,) = positive(top_k=top_k)
    n_shared = np.asarray(n_shared, dtype=float)
    return np.asarray(n_shared / (top_k + n_shared))


def granularity(d_model: ArrayLike, d_expert: ArrayLike, factor: float = 2) -> Floats:
    """How finely the feed-forward layer is cut: `factor` times the hidden size over an expert's width.

    The factor is 2 in Tian et al. (2025), and 4 in Krajewski, Ludziejewski et al. (2024).

    Examples
    --------
    Ling-mini-beta is printed with granularity 12:

    >>> round(float(granularity(d_model=2048, d_expert=384)), 2)
    10.67
    """
    d_model, d_expert, scale = positive(d_model=d_model, d_expert=d_expert, factor=factor)
    return np.asarray(scale * d_model / d_expert)


MLP_SHARE = 1 / 3
"""Share a of a dense model's parameters in the MLPs that experts replace: two thirds of every second layer."""


def active_ratio(experts: ArrayLike, top_k: int = 2, mlp_share: float = MLP_SHARE) -> Floats:
    """Return the parameters that a token uses over those of the dense model, K a + 1 - a, for K active experts.

    Examples
    --------
    A model of eight experts uses a third more than the dense one:

    >>> active_ratio([1, 8]).round(4).tolist()
    [1.0, 1.3333]
    """
    experts = counts(experts)
    return np.asarray(1 + (np.minimum(top_k, experts) - 1) * mlp_share)


def total_ratio(experts: ArrayLike, mlp_share: float = MLP_SHARE) -> Floats:
    """Return all parameters over those of the dense model, 1 + a (E - 1).

    Examples
    --------
    >>> total_ratio([1, 4, 8, 16, 32]).round(2).tolist()
    [1.0, 2.0, 3.33, 6.0, 11.33]
    """
    return np.asarray(1 + (counts(experts) - 1) * mlp_share)


def counts(experts: ArrayLike) -> Floats:
    """Return numbers of experts as an array, or refuse one below one, which is a dense model."""
    counts = np.asarray(experts, dtype=float)
    if not np.all(counts >= 1):
        raise InputError(f"Parameter experts has the value {experts!r}; a number from 1 on is expected.")
    return counts
