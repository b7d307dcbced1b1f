"""What a fitted law recommends for a budget: size, tokens and experts of lowest loss.

Along a budget of compute C = 6 N D only the size is free, and :func:`lowest` finds it in the logarithm.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from moelaws.checks import Floats, positive
from moelaws.data.quantities import QUANTITIES
from moelaws.errors import InputError
from moelaws.fitting.estimation import Fit
from moelaws.fitting.intervals import Refits
from moelaws.fitting.prediction import distance
from moelaws.fitting.shapes import EXPERTS, OUTSIDE, columns, expansions, refuse, runs, total
from moelaws.laws.base import Law

SIZES = frozenset({"n_active", "n_dense", "n_total"})
"""Columns that change with the size."""

LEAST = 6.0
"""FLOP of one parameter and one token, the smallest run."""


@dataclass(frozen=True)
class Optimum:
    """The run of lowest loss for a budget.

    Parameters
    ----------
    run : dict
        Columns of :func:`moelaws.fitting.shapes.runs` that the law reads or that say what the run is.
    loss : float
        What the law predicts for it.
    intervals : dict
        `n_active`, `n_tokens` and `loss` → their interval over the draws; empty without draws.
    by_expansion : pandas.DataFrame
        For each expansion `n_active`, `n_tokens` and `loss` of its own optimum, and with draws the `share` of
        them in which it is the best.
    distance : float
        How far the run lies outside the fitted rows, as in :func:`moelaws.fitting.prediction.distance`.
    warnings : tuple of str
        What there is to object to.
    """

    run: dict[str, float]
    loss: float
    intervals: dict[str, tuple[float, float]]
    by_expansion: pd.DataFrame
    distance: float
    warnings: tuple[str, ...]


def optimum(
    fit: Fit,
    flops: float,
    refits: Refits | None = None,
    experts: Sequence[float] = (),
    granularity: float = 1.0,
    most_total: float = np.inf,
    outside: float = OUTSIDE,
    level: float = 0.95,
) -> Optimum:
    """Return the run of lowest loss for a budget.

    Parameters
    ----------
    fit : Fit
        A fitted law of loss in a size and ``n_tokens``.
    flops : float
        Training compute 6 N D with active parameters, FLOP.
    refits : Refits, optional
        Draws for the intervals.
    experts : sequence of float
        Expansions to choose from; by default those of the fitted rows.
    granularity : float
        Of the run, where the law reads it.
    most_total : float
        Total parameters that the run must not exceed.

    Examples
    --------
    Chinchilla's law in the published refit, at the compute of Gopher:

    >>> from moelaws.fitting.estimation import fit
    >>> from moelaws.laws.dense import BESIROGLU, Dense
    >>> rows = runs(*np.meshgrid(np.geomspace(5e7, 1e10, 5), np.geomspace(1e9, 1e12, 5)))
    >>> rows["loss"] = Dense().predict(Dense().theta(BESIROGLU), rows)
    >>> best = optimum(fit(Dense(), rows), 5.76e23)
    >>> f"{best.run['n_active']:.3g} {best.run['n_tokens']:.3g} {best.loss:.3f} {best.distance:.2f}"
    '7.22e+10 1.33e+12 1.974 0.37'
    """
    law = fit.law
    positive(flops=flops, granularity=granularity)
    if most_total != np.inf:
        positive(most_total=most_total)
    if not LEAST < flops <= QUANTITIES["flops"].high:
        raise InputError(
            f"Parameter flops has the value {flops:g}; more than {LEAST:g}, one parameter and one token, and at most "
            f"{QUANTITIES['flops'].high:g} are expected."
        )
    _answers(law)
    tried = expansions(law, experts, fit.table)
    least = float(runs(1.0, 1.0, tried, granularity, outside).n_total.max())  # refuses what no model can be
    if not most_total > least:
        raise InputError(
            f"The limit on total parameters is {most_total:g}; more than the {least:.3g} of a model with one active "
            "parameter are expected."
        )
    rest = (flops, granularity, most_total, outside)
    found = np.array([_lowest(law, fit.coefficients, times, *rest) for times in tried])  # (expansions, [N, loss])
    best = int(found[:, 1].argmin())
    by_expansion = pd.DataFrame({"expansion": tried, "n_active": found[:, 0]})
    by_expansion = by_expansion.assign(n_tokens=flops / 6 / found[:, 0], loss=found[:, 1])
    ends = (1.0, flops / 6)
    if np.isclose(found[best, 0], ends, rtol=1e-6).any():
        which = "smallest" if found[best, 0] < 2 else "largest"
        raise InputError(
            f"Law '{law.name}' with these coefficients has no best size for {flops:g} FLOP: "
            f"its loss falls to the {which} that there is."
        )
    intervals = {}
    if refits is not None:
        thetas = fit.problem.theta(refits.coefficients)
        drawn = np.array([[_lowest(law, theta, times, *rest) for times in tried] for theta in thetas])
        firsts = drawn[:, :, 1].argmin(axis=1)
        by_expansion["share"] = [float(np.mean(firsts == place)) for place in range(len(tried))]
        low, high = refits.interval(drawn[:, best], level)
        intervals = {"n_active": (low[0], high[0]), "n_tokens": (flops / 6 / high[0], flops / 6 / low[0])}
        intervals = {name: (float(a), float(b)) for name, (a, b) in {**intervals, "loss": (low[1], high[1])}.items()}
    row = runs(found[best, 0], flops / 6 / found[best, 0], tried[best], granularity, outside)
    read = [*law.columns, *(name for name in ("n_active", "n_tokens", "flops") if name not in law.columns)]
    far = float(distance(fit, row)[0])
    warnings = tuple(_objections(law, by_expansion, far, refits, row.n_total[0], most_total))
    run = {name: float(row[name].iloc[0]) for name in read}
    return Optimum(run, float(found[best, 1]), intervals, by_expansion, far, warnings)


def _answers(law: Law) -> None:
    """Refuse a law that cannot say what is best for a budget."""
    reason = ""
    if law.response != "loss":
        reason = f"it predicts {law.response}, not loss"
    elif "n_tokens" not in law.columns:
        reason = "it has no term of tokens, so that along a budget a larger model is always better for it"
        reason = reason if SIZES & set(law.columns) else "it reads neither size nor tokens"
    elif not SIZES & set(law.columns):
        reason = "it reads no size"
    if reason:
        raise InputError(f"Law '{law.name}' does not tell the best size for a budget: {reason}.")
    refuse(law)


def _lowest(
    law: Law, theta: Floats, times: float, flops: float, granularity: float, most_total: float, outside: float
) -> tuple[float, float]:
    """Return the size of lowest loss for one expansion, and the loss; an end of the range where it falls that far."""

    def losses(log_size: Floats) -> Floats:
        size = np.exp(log_size)
        return law.predict(theta, columns(size, flops / 6 / size, times, granularity, outside))

    largest = min(flops / 6, most_total / float(total(1.0, times, outside)))
    log_size, loss = lowest(losses, 0.0, np.log(largest))
    return float(np.exp(log_size)), loss


def lowest(values: Callable[[Floats], Floats], low: float, high: float) -> tuple[float, float]:
    """Return where a function of one valley is lowest between two ends, and its value there.

    The ends close in on the lowest of 101 points, three times; a parabola gives the last digits.

    Examples
    --------
    >>> [round(value, 9) for value in lowest(lambda x: np.cosh(x - 2.345), -10, 20)]
    [2.345, 1.0]
    """
    for _ in range(3):
        grid = np.linspace(low, high, 101)
        at = values(grid)
        place = int(np.clip(np.argmin(at), 1, 99))
        low, high = grid[place - 1], grid[place + 1]
    below, here, above = at[place - 1 : place + 2]
    if not np.inf > below > here < above < np.inf:  # an end of the range, or level to the last digit
        return float(grid[np.argmin(at)]), float(at.min())
    shift = (below - above) / (below - 2 * here + above) / 2
    return float(grid[place] + shift * (high - low) / 2), float(here - (below - above) * shift / 4)


def _objections(
    law: Law, by_expansion: pd.DataFrame, far: float, refits: Refits | None, n_total: float, most_total: float
) -> Iterator[str]:
    if far > 0:
        yield f"The run lies outside the fitted rows, by {far:.2g} of their log range: it is an extrapolation."
    if refits is None:
        yield "The fit was saved without a bootstrap, so that there are no intervals."
    losses = by_expansion.loss.to_numpy()
    if len(losses) > 1 and (np.diff(losses) < 0).all():
        yield (
            f"For this law more experts are better at any number up to {by_expansion.expansion.max():g}, the largest "
            "tried, at the same compute; what limits them, such as memory, it does not know."
        )
    if len(losses) == 1 and EXPERTS & set(law.columns):
        yield f"Only an expansion of {by_expansion.expansion[0]:g} was tried; others may be better."
    if n_total > (1 - 1e-6) * most_total:
        yield "The limit on total parameters decides the size."
