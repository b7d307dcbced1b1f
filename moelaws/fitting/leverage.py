"""Efficiency leverage measured from runs: how much more compute a dense model needs for the same loss.

Leverage belongs to a pair of families, to a text on which the loss is measured, and to a way of
counting compute. :func:`measure` fits a law to the dense runs and says how far its answer can be
trusted, :func:`interpolated` reads the dense compute off the runs themselves, and :func:`valley`
finds the best model of a budget from several sizes.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from moelaws.checks import Floats, positive
from moelaws.data.table import numbers
from moelaws.errors import InputError
from moelaws.fitting.estimation import fit
from moelaws.fitting.intervals import Refits, refits
from moelaws.laws.base import Law
from moelaws.laws.dense import Dense
from moelaws.laws.frontier import Frontier

_UNREACHED = 1e300
"""Stands for infinity among draws, so that quantiles can be taken."""


def interpolated(dense: pd.DataFrame, loss: ArrayLike) -> Floats:
    """Return the compute at which a line through the dense runs has a loss, on logarithmic axes.

    `dense` has columns `flops` and `loss`, which falls with compute; beyond its losses the answer is NaN.

    Examples
    --------
    >>> dense = pd.DataFrame({"flops": [1e18, 1e20], "loss": [4.0, 2.0]})
    >>> [f"{flops:.3g}" for flops in interpolated(dense, [4 / 2**0.5, 1.9])]
    ['1e+19', 'nan']
    """
    flops, losses = numbers(dense, "flops"), numbers(dense, "loss")
    order = np.argsort(flops)
    if len(dense) < 2 or np.any(np.diff(flops[order]) <= 0) or np.any(np.diff(losses[order]) >= 0):
        raise InputError("At least two dense runs, with a loss that falls with compute, are expected.")
    (loss,) = positive(loss=loss)
    known, at = -np.log(losses[order]), np.log(flops[order])
    return np.asarray(np.exp(np.interp(-np.log(loss), known, at, left=np.nan, right=np.nan)))


@dataclass(frozen=True)
class Valley:
    """The lowest point of a parabola through the losses of one budget.

    Parameters
    ----------
    size, loss : float
        Where the parabola is lowest, and how low.
    error : float
        Standard error of that loss.
    noise : float
        Standard deviation of the runs about the parabola.
    runs : int
        How many runs it was drawn through.
    """

    size: float
    loss: float
    error: float
    noise: float
    runs: int


def valley(size: ArrayLike, loss: ArrayLike, nearest: int = 5, noise: float | None = None) -> Valley:
    """Find the best model of a budget: a parabola in the logarithm of size through the runs around the best.

    Parameters
    ----------
    size, loss : array_like
        Sizes of the models (or anything that stands for them, such as tokens) and their losses,
        all trained with the same compute.
    nearest : int
        How many runs are used, those nearest in size to the best one. Far from its bottom, a
        valley is no parabola.
    noise : float, optional
        Standard deviation of a run's loss, if it is known better than from so few runs.

    Examples
    --------
    >>> found = valley([1e8, 2e8, 4e8, 8e8, 16e8], [3.05, 3.01, 3.0, 3.01, 3.05])
    >>> round(found.size / 1e8, 2), round(found.loss, 3)
    (4.0, 2.998)
    """
    size, loss = positive(size=size, loss=loss)
    if noise is not None:
        positive(noise=noise)
    if size.shape != loss.shape:
        raise InputError(f"There are {size.size} sizes and {loss.size} losses; as many of both are expected.")
    log_size = np.log(size)
    chosen = np.argsort(np.abs(log_size - log_size[np.argmin(loss)]), kind="stable")[:nearest]
    centre = log_size[chosen].mean()
    matrix = np.vander(log_size[chosen] - centre, 3, increasing=True)
    if len(np.unique(log_size[chosen])) < 3 + (noise is None):
        raise InputError(f"The budget has {len(np.unique(size))} sizes; at least {3 + (noise is None)} are expected.")
    low, slope, bend = coefficients = np.linalg.lstsq(matrix, loss[chosen])[0]
    if bend <= 0:
        raise InputError("The losses of the budget have no lowest point; smaller and larger models are needed.")
    rest = loss[chosen] - matrix @ coefficients
    scatter = float(np.sqrt(rest @ rest / max(len(chosen) - 3, 1)))
    at = -slope / (2 * bend)
    gradient = np.array([1.0, at, at**2])  # of the lowest value, with respect to the coefficients
    error = (scatter if noise is None else noise) * np.sqrt(gradient @ np.linalg.inv(matrix.T @ matrix) @ gradient)
    return Valley(float(np.exp(centre + at)), float(low + slope * at / 2), float(error), scatter, len(chosen))


@dataclass(frozen=True)
class Measured:
    """Leverage of runs, with what its intervals are made of.

    Parameters
    ----------
    table : pandas.DataFrame
        With the index of the runs: `flops`, `leverage`, `low`, `high` (infinity where no dense model
        of the law reaches the loss), `dense_flops`, and whether it is `extrapolated`: the loss
        lies outside those of the dense runs.
    draws : numpy.ndarray, shape (draws, runs)
        Leverage by resampled dense runs, with losses drawn within their error. Two measurements
        of as many dense runs with one seed are paired: their draws are of the same runs.
    refits : Refits
        The law fitted to the resampled dense runs.
    """

    table: pd.DataFrame
    draws: Floats
    refits: Refits

    def interval(self, values: Floats, level: float = 0.95) -> Floats:
        """Return the interval of anything computed from the draws, as :meth:`Refits.interval` gives it."""
        ends = self.refits.interval(np.minimum(values, _UNREACHED), level)
        return np.where(ends < _UNREACHED / 1e100, ends, np.inf)

    def exponent(self, level: float = 0.95) -> tuple[float, float, float]:
        """Return with which power of compute leverage grows from run to run, and the ends of its interval."""
        log_c = np.log(self.table.flops.to_numpy(dtype=float))
        if np.ptp(log_c) == 0:
            raise InputError("All runs have the same compute; at least two computes are expected.")
        weights = (log_c - log_c.mean()) / np.sum((log_c - log_c.mean()) ** 2)
        low, high = self.interval(np.log(self.draws) @ weights, level)
        return float(weights @ np.log(self.table.leverage)), float(low), float(high)


def measure(
    dense: pd.DataFrame,
    moe: pd.DataFrame,
    law: Law | None = None,
    same_tokens: bool = False,
    error: ArrayLike | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> Measured:
    """Measure the leverage of each mixture-of-experts run over a law fitted to dense runs.

    The law is fitted by squares of log errors, and again to resampled dense runs.

    Parameters
    ----------
    dense : pandas.DataFrame
        Dense runs with the columns of `law` and `loss`: for the law of the frontier the best run of
        each budget, for the law of size and tokens runs of any size and length.
    moe, same_tokens, error
        As in :func:`over`.
    law : Frontier or Dense, optional
        The law of the dense runs: of compute (default), or of size and tokens, for which compute
        is 6 N D and the dense model gets the best size and tokens.

    Examples
    --------
    >>> dense = pd.DataFrame({"flops": np.geomspace(1e18, 1e22, 9)})
    >>> dense["loss"] = 1.5 + 60 * dense.flops**-0.09
    >>> moe = pd.DataFrame({"flops": [1e19], "loss": 1.5 + 60 * 4e19**-0.09})
    >>> round(float(measure(dense, moe, draws=20).table.leverage[0]), 3)
    4.0
    """
    fitted = fit(Frontier() if law is None else law, dense)
    return over(refits(fitted, draws=draws, seed=seed), moe, same_tokens, error, seed)


def over(
    dense: Refits,
    moe: pd.DataFrame,
    same_tokens: bool = False,
    error: ArrayLike | None = None,
    seed: int = 0,
    level: float = 0.95,
) -> Measured:
    """Measure leverage over a law of dense runs that was fitted, and refitted, before.

    Both kinds of runs must have compute counted in the same way, and losses on the same text.

    Parameters
    ----------
    dense : Refits
        The law of frontier or of size and tokens, fitted to resampled dense runs.
    moe : pandas.DataFrame
        Runs with columns `flops` and `loss`, and `n_tokens` if `same_tokens`.
    same_tokens : bool
        Whether the dense model sees as many tokens as the run, and only its size is free; for the
        law of size and tokens.
    error : array_like, optional
        Standard error of each loss in `moe`; by default the scatter of the dense runs about their law.
    seed : int
        Seed of the losses that are drawn within their error.
    """
    rows = {name: numbers(moe, name, "The table of MoE runs") for name in ("flops", "loss")}
    n_tokens = numbers(moe, "n_tokens", "The table of MoE runs") if same_tokens else None
    law, table = dense.fit.law, dense.fit.table
    theta = np.array([dense.fit.problem.theta(free) for free in dense.coefficients])
    observed = law.observed(table)
    if error is None:
        rest = law.predict(dense.fit.coefficients, table) - observed
        error = np.sqrt(rest @ rest / max(len(rest) - len(dense.fit.free), 1))
    elif not np.all(np.asarray(error, dtype=float) >= 0):
        raise InputError(f"Parameter error has the value {error!r}; numbers from zero on are expected.")
    noise = np.random.default_rng(seed).normal(size=(len(theta), len(moe))) * np.asarray(error, dtype=float)
    needed = _dense_flops(law, dense.fit.coefficients, rows["loss"], n_tokens)
    spread = _dense_flops(law, theta, rows["loss"] + noise, n_tokens) / rows["flops"]
    columns = {
        "flops": rows["flops"],
        "leverage": needed / rows["flops"],
        **dict.fromkeys(("low", "high"), np.nan),
        "dense_flops": needed,
        "extrapolated": (rows["loss"] < observed.min()) | (rows["loss"] > observed.max()),
    }
    measured = Measured(pd.DataFrame(columns, index=moe.index), spread, dense)
    measured.table["low"], measured.table["high"] = measured.interval(spread, level)
    return measured


def _dense_flops(law: Law, theta: Floats, loss: Floats, n_tokens: Floats | None) -> Floats:
    """Return the compute at which a law of dense models has a loss."""
    if isinstance(law, Frontier) and n_tokens is None:
        return law.flops(theta, loss)
    if isinstance(law, Dense) and n_tokens is not None:
        return 6 * law.n_active(theta, loss, n_tokens) * n_tokens
    if isinstance(law, Dense):
        n_active, best_tokens = law.cheapest(theta, loss)
        return 6 * n_active * best_tokens
    tokens = " with the same tokens" if n_tokens is not None else ""
    raise InputError(f"The law '{law.name}' gives no dense compute{tokens}; 'frontier' or 'dense' is expected.")
