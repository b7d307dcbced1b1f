r"""What to run next: runs laid out for a budget, and those of them that tell most about a question.

What one more run would tell is computed from the Gauss-Newton covariance of a fit, which is that of its bootstrap where
errors are independent and the law is nearly linear in its coefficients over their own intervals. A run whose log error
has the standard deviation :math:`\sigma` and whose prediction changes with the coefficients by :math:`g` turns the
covariance :math:`V` into :math:`V - V g g^T V / (\sigma^2 + g^T V g)`. Runs are picked one after another: that with
the largest gain in the logarithm of the question's variance, once for each FLOP and once for each run, as the first way
alone fills a budget with tiny runs (Leskovec et al. 2007); of the two sets the better is returned. How suggested runs
do against random ones is counted in ``data/suggestions``.

References
----------
V. V. Fedorov, Theory of Optimal Experiments (1972), Chapter 3.
J. Leskovec et al., Cost-effective outbreak detection in networks, KDD 2007, Section 3.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd
from scipy import stats

from moelaws.checks import Columns, Floats, positive, share
from moelaws.data.table import numbers
from moelaws.errors import InputError
from moelaws.fitting import rows as checks
from moelaws.fitting.estimation import Fit
from moelaws.fitting.prediction import other_conventions
from moelaws.fitting.shapes import EXPERTS, OUTSIDE, columns, refuse, runs
from moelaws.laws.base import Law

RIDGE = 1e-10
"""Information that each coefficient is given, as a share of the fitted rows' own: what they leave open stays finite."""


def layout(
    law: Law,
    flops: float,
    curves: int = 3,
    span: float = 10.0,
    sizes: int = 5,
    ratio: tuple[float, float] = (5.0, 100.0),
    experts: Sequence[float] = (1.0,),
    outside: float = OUTSIDE,
) -> pd.DataFrame:
    """Lay out runs along curves of equal compute that together cost a budget.

    Parameters
    ----------
    flops : float
        Compute of all runs together, FLOP.
    curves : int
        How many budgets, evenly spaced in the logarithm.
    span : float
        The largest over the smallest.
    sizes : int
        Runs on a curve for each expansion, evenly spaced in the logarithm of tokens per active parameter.
    ratio : tuple of two floats
        The least and most tokens per active parameter.

    Examples
    --------
    >>> from moelaws.laws import LAWS
    >>> rows = layout(LAWS["wang2024"], 1e20, sizes=3, experts=[1, 8, 64])
    >>> len(rows), f"{rows.flops.sum():.3g}", f"{rows.flops.max() / rows.flops.min():.3g}"
    (27, '1e+20', '10')
    """
    refuse(law)
    positive(flops=flops, span=span, ratio=ratio, experts=experts)
    if curves < 1 or sizes < 2 or span < 1 or ratio[0] >= ratio[1]:
        raise InputError(
            "A layout has one curve or more, two sizes or more on each, a span of at least 1, and two ratios of tokens "
            f"to parameters that grow; {curves}, {sizes}, {span:g} and {ratio[0]:g} to {ratio[1]:g} are given."
        )
    if set(experts) != {1} and not EXPERTS & set(law.columns):
        raise InputError(f"Law '{law.name}' knows nothing of experts; it reads {', '.join(law.columns)}.")
    if len(set(experts)) < len(experts):
        raise InputError(f"Parameter experts has the value {list(experts)!r}; each number is expected once.")
    runs(1.0, 1.0, experts, outside=outside)  # refuses what no model can be
    shares = np.geomspace(1, 1 / span, curves)[::-1]
    cells = np.array(list(product(shares, np.geomspace(*ratio, sizes), experts)))
    if len(cells) < len(law.parameters):
        raise InputError(
            f"A layout of {len(cells)} runs cannot be fitted by law '{law.name}' with {len(law.parameters)} parameters."
        )
    with np.errstate(all="ignore"):  # what a float does not hold no run has
        each = flops * cells[:, 0] / cells[:, 0].sum()
        size = np.sqrt(each / 6 / cells[:, 1])
        rows = pd.DataFrame(columns(size, size * cells[:, 1], cells[:, 2], 1.0, outside))
    checks.refuse(list(rows.columns), rows, f"A layout of {flops:g} FLOP")
    return rows


def suggest(
    fit: Fit,
    candidates: pd.DataFrame,
    flops: float,
    parameter: str | None = None,
    point: Mapping[str, float] | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Pick the runs that shrink an interval most for a budget.

    Parameters
    ----------
    fit : Fit
        A fit to the runs that there are.
    candidates : pandas.DataFrame
        Runs that could be made, each once: the columns that the law reads, and ``flops``.
    parameter : str, optional
        The free parameter whose interval is to shrink; or
    point : mapping, optional
        the columns of a run whose prediction's interval is to shrink.

    Returns
    -------
    pandas.DataFrame
        The candidates that are picked, in order and with their index, and beside their columns: `total_flops` so far
        and `half_width` of the interval afterwards, as :func:`half_width` counts it.
    """
    if (parameter is None) == (point is None):
        raise InputError("A question is one parameter or one point; exactly one of them is expected.")
    positive(flops=flops)
    share(level=level)
    where = "The table of candidates"
    read = list(dict.fromkeys([*fit.law.columns, "flops"]))
    candidates = candidates.assign(**{name: numbers(candidates, name, where) for name in read})
    checks.refuse(read, candidates, where)
    cost = candidates["flops"].to_numpy()
    if not np.any(cost <= flops):
        raise InputError(f"No candidate costs {flops:g} FLOP or less; the cheapest takes {cost.min():g}.")
    covariance, lengths, degrees = _covariance(fit)
    asked = _question(fit, parameter, point) / lengths
    gradients = _slopes(fit, candidates) / lengths
    noise = _noise(fit)
    found = [_greedy(covariance, asked, gradients, noise, cost, flops, by) for by in (cost, np.ones_like(cost))]
    picked, variances = min(found, key=lambda one: one[1][-1])
    widths = stats.t.ppf((1 + level) / 2, degrees + 1 + np.arange(len(picked))) * np.sqrt(variances[1:])
    return candidates.iloc[picked].assign(total_flops=np.cumsum(cost[picked]), half_width=widths)


def half_width(
    fit: Fit, parameter: str | None = None, point: Mapping[str, float] | None = None, level: float = 0.95
) -> float:
    """Return the half-width of today's interval of a question: a parameter's in its unit, a prediction's as a share."""
    covariance, lengths, degrees = _covariance(fit)
    asked = _question(fit, parameter, point) / lengths
    return float(stats.t.ppf((1 + level) / 2, degrees) * np.sqrt(asked @ covariance @ asked))


def objections(fit: Fit, candidates: pd.DataFrame, point: Mapping[str, float] | None = None) -> Iterator[str]:
    """Yield what there is to say of the numbers that :func:`suggest` is asked about."""
    yield from checks.suspect_units(fit.problem, candidates)
    yield from checks.suspects(candidates, ["flops"])
    yield from checks.suspect_compute(candidates)
    yield from other_conventions(fit, candidates)
    if point is not None:
        yield from checks.suspect_units(fit.problem, {name: [value] for name, value in point.items()})


def _noise(fit: Fit) -> float:
    """Return the variance of a row's error."""
    errors = fit.problem.errors(fit.problem.free(fit.coefficients))
    degrees = len(errors) - len(fit.free)
    if degrees < 1:
        raise InputError(f"The fit has {len(errors)} rows; more than its {len(fit.free)} free parameters are expected.")
    return float(np.sum(errors**2) / degrees)


def _covariance(fit: Fit) -> tuple[Floats, Floats, int]:
    """Return the covariance of the free coefficients times their lengths, these lengths, and the degrees of freedom."""
    scaled, lengths = fit.problem.unit_jacobian(fit.problem.free(fit.coefficients))
    information = scaled.T @ scaled + RIDGE * np.eye(scaled.shape[1])
    return np.asarray(_noise(fit) * np.linalg.inv(information)), lengths, len(scaled) - scaled.shape[1]


def _slopes(fit: Fit, columns: Columns) -> Floats:
    """Return the derivative of log predictions by the free coefficients, shape (rows, free)."""
    predicted = fit.law.predict(fit.coefficients, columns)
    return np.asarray(fit.law.gradient(fit.coefficients, columns) @ fit.problem.spread / predicted[:, None])


def _question(fit: Fit, parameter: str | None, point: Mapping[str, float] | None) -> Floats:
    if parameter is not None:
        if parameter not in fit.free:
            raise InputError(f"Parameter '{parameter}' was not fitted; those that were are {', '.join(fit.free)}.")
        return np.array([float(name == parameter) for name in fit.free])
    rows = pd.DataFrame({name: [value] for name, value in (point or {}).items()})
    if unknown := [name for name in rows if name not in fit.law.columns]:
        raise InputError(
            f"The point has '{unknown[0]}', which law '{fit.law.name}' does not read; its columns are "
            f"{', '.join(fit.law.columns)}."
        )
    rows = rows.assign(**{name: numbers(rows, name, "The point") for name in fit.law.columns})
    checks.refuse(fit.law.columns, rows, "The point")
    return np.asarray(_slopes(fit, rows)[0])


def _greedy(
    covariance: Floats, asked: Floats, gradients: Floats, noise: float, cost: Floats, budget: float, by: Floats
) -> tuple[list[int], list[float]]:
    """Pick candidates until the budget ends; return them, and the question's variance before and after each."""
    picked: list[int] = []
    variances, left = [float(asked @ covariance @ asked)], budget
    open_ = np.ones(len(cost), dtype=bool)
    while True:
        open_ &= cost <= left * (1 + 1e-9)
        if not open_.any():
            return picked, variances
        told = gradients @ covariance
        gain = (told @ asked) ** 2 / (noise + np.einsum("rk,rk->r", told, gradients))
        score = -np.log1p(-np.minimum(gain / variances[-1], 1 - 1e-15)) / by
        best = int(np.argmax(np.where(open_, score, -np.inf)))
        step = told[best]
        covariance = covariance - np.outer(step, step) / (noise + step @ gradients[best])
        picked.append(best)
        variances.append(float(asked @ covariance @ asked))
        left -= cost[best]
        open_[best] = False
