"""Intervals of a fit: from the profile of its objective, and from resampled runs.

The profile takes residuals as independent. Serving measurements are not: all points of one load
move together. The bootstrap draws whole groups of rows, and is the one to trust there.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import f as f_distribution

from moelaws.errors import InputError
from moelaws.fit import Fit, Floats, solve


def profile(fit: Fit, level: float = 0.95) -> dict[str, tuple[float, float]]:
    """Return the interval of each free parameter in which the objective is not significantly worse.

    For each value of one parameter all others are fitted again; the F distribution says how much
    larger than the least sum of squares is still compatible with the data. A term that can vanish
    gives an interval from zero, or, for a rate, up to infinity.

    Parameters
    ----------
    fit : Fit
        A fitted law.
    level : float
        Coverage.

    Returns
    -------
    dict
        Parameter name → (low, high), in the parameter's unit.

    Raises
    ------
    InputError
        If there are no more rows than free parameters.
    """
    degrees = len(fit.table) - len(fit.free)
    if degrees < 1:
        raise InputError(
            f"The table has {len(fit.table)} rows; more than the {len(fit.free)} free parameters are expected."
        )
    matrix, target = fit.problem()
    limit = float(np.sum(fit.errors() ** 2)) * (1 + f_distribution.ppf(level, 1, degrees) / degrees)

    ends = []
    for column, best in enumerate(fit.free_coefficients):
        others = np.delete(matrix, column, axis=1)

        def excess(value: float, column: int = column, others: Floats = others) -> float:
            rest = target - matrix[:, column] * value
            return float(np.sum((others @ solve(others, rest) - rest) ** 2)) - limit

        ends.append(_crossings(excess, best, unit=1 / float(np.linalg.norm(matrix[:, column]))))
    return _named(fit, np.transpose(ends))


def resample(
    fit: Fit, by: str, level: float = 0.95, draws: int = 1000, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Return the central interval of each free parameter over fits to resampled groups of rows.

    Parameters
    ----------
    fit : Fit
        A fitted law.
    by, draws, seed
        As in :func:`bootstrap`.
    level : float
        Coverage.

    Returns
    -------
    dict
        Parameter name → (low, high), in the parameter's unit.
    """
    matrix, target = fit.problem()

    def coefficients(drawn: pd.DataFrame) -> Floats:
        return solve(matrix[drawn.index], target[drawn.index])

    groups = fit.table[[by]].reset_index(drop=True)
    return _named(fit, interval(bootstrap(coefficients, groups, by, draws, seed), level))


def _named(fit: Fit, ends: Floats) -> dict[str, tuple[float, float]]:
    """Turn intervals of the free coefficients, shape (2, free), into intervals of the parameters."""
    parameters = [parameter for parameter in fit.law.parameters if parameter.name in fit.free]
    named = {}
    for parameter, pair in zip(parameters, ends.T, strict=True):
        low, high = sorted(parameter.value(pair).tolist())
        named[parameter.name] = (low, high)
    return named


def _crossings(excess: Callable[[float], float], best: float, unit: float) -> tuple[float, float]:
    """Find where a function that is negative at `best` crosses zero, not looking below zero."""
    low = 0.0 if excess(0.0) <= 0 else brentq(excess, 0.0, best, xtol=1e-12 * unit)
    far = best + 1e-3 * unit
    while excess(far) <= 0:
        far = best + 2 * (far - best)
    return low, brentq(excess, best, far, xtol=1e-12 * unit)


def bootstrap(
    statistic: Callable[[pd.DataFrame], Floats],
    table: pd.DataFrame,
    by: str,
    draws: int = 1000,
    seed: int = 0,
) -> Floats:
    """Compute a statistic on tables whose groups of rows were drawn with replacement.

    Parameters
    ----------
    statistic : callable
        Takes a table, returns a number or an array of fixed shape.
    table : pandas.DataFrame
        The rows.
    by : str
        Column whose equal values make a group, such as one run or one load.
    draws : int
        Number of tables drawn.
    seed : int
        Seed of the draws.

    Returns
    -------
    numpy.ndarray, shape (draws, ...)
        The statistic of each draw; :func:`interval` turns it into intervals.

    Raises
    ------
    InputError
        If `by` is no column, or has fewer than two values.
    """
    if by not in table.columns:
        raise InputError(f"Parameter by is '{by}'; a column of the table is expected: {', '.join(table.columns)}.")
    groups = [
        rows.to_numpy() for rows in pd.Series(np.arange(len(table))).groupby(table[by].to_numpy()).groups.values()
    ]
    if len(groups) < 2:
        raise InputError(f"Column '{by}' has one value; at least two groups are expected.")
    rng = np.random.default_rng(seed)
    drawn = [np.concatenate([groups[i] for i in rng.integers(len(groups), size=len(groups))]) for _ in range(draws)]
    return np.array([statistic(table.iloc[rows]) for rows in drawn])


def interval(draws: Floats, level: float = 0.95) -> Floats:
    """Return the central interval of bootstrap draws, shape (2, ...)."""
    tail = (1 - level) / 2
    return np.asarray(np.quantile(draws, [tail, 1 - tail], axis=0))


def left_out(fit: Fit, by: str | None = None) -> Floats:
    """Predict each row by a fit to the rows that do not belong to it.

    Parameters
    ----------
    fit : Fit
        A fitted law; what it holds is held here too.
    by : str, optional
        Column whose equal values are left out together; by default each row by itself.

    Returns
    -------
    numpy.ndarray, shape (rows,)
        Predictions, in the order of the fitted rows.
    """
    groups = np.arange(len(fit.table)) if by is None else fit.table[by].to_numpy()
    matrix, target = fit.problem()
    ratio = np.empty(len(fit.table))
    for group in np.unique(groups):
        out = groups == group
        ratio[out] = 1 + matrix[out] @ solve(matrix[~out], target[~out]) - target[out]
    return ratio * fit.law.observed(fit.table)


def written(value: float, ends: Sequence[float]) -> str:
    """Write a value with its interval, to two digits of the interval's half-width.

    Parameters
    ----------
    value : float
        The estimate.
    ends : sequence of two floats
        Low and high end; the high one may be infinite.

    Examples
    --------
    >>> written(1663.798, (1487.37, 1786.34))
    '1660 (1490 to 1790)'
    >>> written(3.5065, (2.7947, 3.8421)), written(77438.5, (557.4, np.inf))
    ('3.51 (2.79 to 3.84)', 'more than 557')
    """
    low, high = ends
    if np.isinf(high):
        return f"more than {low:.3g}"
    digits = 1 - int(np.floor(np.log10((high - low) / 2)))
    return "{} ({} to {})".format(*(f"{round(x, digits):.{max(digits, 0)}f}" for x in (value, low, high)))
