"""Every size that a law may read, from the few that say what a run is.

A run is told by its active parameters, its tokens, its *expansion* (how many times the weights of its experts exceed
those that a token uses; 1 for a dense model) and its granularity. The conventions are those of the book: compute is
6 N D with active parameters, laws read the expansion as ``n_routed``, and the dense model of ``n_dense`` has as many
parameters as are active.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from moelaws.checks import Floats, positive
from moelaws.errors import InputError
from moelaws.laws.base import Law

OUTSIDE = 1 / 3
"""Share of active parameters outside of experts: attention, with four matrices beside a feed-forward of eight."""

EXPERTS = frozenset({"n_routed", "activation_ratio", "n_total"})
"""Columns that change with the expansion."""


def runs(
    n_active: ArrayLike,
    n_tokens: ArrayLike,
    expansion: ArrayLike = 1.0,
    granularity: ArrayLike = 1.0,
    outside: float = OUTSIDE,
) -> pd.DataFrame:
    """Return the table of runs of these sizes.

    Parameters
    ----------
    n_active, n_tokens, expansion, granularity : array_like
        As described above; they are broadcast.
    outside : float
        Share of active parameters that are not in experts, which total parameters depend on.

    Examples
    --------
    Eight times the expert weights that a token uses, where these are two thirds of the model:

    >>> runs(1e9, 2e10, 8).round(3).iloc[0].to_dict()["n_total"]
    5666666666.667
    """
    if not 0 <= outside < 1:
        raise InputError(f"Parameter outside has the value {outside:g}; a share from 0 to below 1 is expected.")
    given = positive(n_active=n_active, n_tokens=n_tokens, expansion=expansion, granularity=granularity)
    size, tokens, times, fine = (np.ravel(one) for one in np.broadcast_arrays(*given))
    if np.any(times < 1):
        raise InputError(f"Parameter expansion has the value {times.min():g}; at least 1, a dense model, is expected.")
    return pd.DataFrame(columns(size, tokens, times, fine, outside))


def columns(
    n_active: Floats, n_tokens: Floats, expansion: Floats | float, granularity: Floats | float, outside: float
) -> dict[str, Floats]:
    """Return what :func:`runs` does, unchecked, as arrays of the shape of `n_active`."""
    times, fine = (np.broadcast_to(np.asarray(one, dtype=float), n_active.shape) for one in (expansion, granularity))
    return {
        "n_active": n_active,
        "n_dense": n_active,
        "n_total": total(n_active, times, outside),
        "n_tokens": n_tokens,
        "n_routed": times,
        "activation_ratio": 1 / times,
        "granularity": fine,
        "flops": 6 * n_active * n_tokens,
    }


def total(n_active: ArrayLike, expansion: ArrayLike, outside: float = OUTSIDE) -> Floats:
    """Return all parameters of a run, unchecked.

    Examples
    --------
    >>> float(total(3e9, 8))
    17000000000.0
    """
    return np.asarray(n_active, dtype=float) * (outside + (1 - outside) * np.asarray(expansion, dtype=float))


def refuse(law: Law) -> None:
    """Refuse a law that reads what a run told like this does not say."""
    known = runs(1.0, 1.0).columns
    if unknown := [name for name in law.columns if name not in known]:
        raise InputError(
            f"Law '{law.name}' reads {', '.join(unknown)}, which a run's size, tokens and experts do not tell."
        )


def expansions(law: Law, given: Sequence[float], seen: pd.DataFrame) -> list[float]:
    """Return the expansions to try: those given, or those of the fitted rows where the law reads any."""
    if given:
        if not EXPERTS & set(law.columns):
            raise InputError(f"Law '{law.name}' knows nothing of experts; it reads {', '.join(law.columns)}.")
        return sorted(set(given))
    if "n_routed" in law.columns:
        return sorted(set(np.asarray(seen["n_routed"], dtype=float)))
    if "activation_ratio" in law.columns:
        return sorted(set(1 / np.asarray(seen["activation_ratio"], dtype=float)))
    return [1.0]
