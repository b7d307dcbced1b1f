"""What a fit says about other points, and how far these lie outside the rows it was fitted to."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import stats

from moelaws.checks import Floats
from moelaws.data.quantities import CONVENTIONS
from moelaws.data.table import numbers
from moelaws.fitting.estimation import Fit
from moelaws.fitting.intervals import Refits

SCATTERED = 20_000
"""About how many new runs are drawn at each point."""


def predict(fit: Fit, points: pd.DataFrame, refits: Refits | None = None, level: float = 0.95) -> pd.DataFrame:
    """Predict points, with intervals of the mean and of a new run, and with the distance outside the fitted range.

    Returns
    -------
    pandas.DataFrame
        In the order and with the index of `points`: `value`, the law's. With refits also `mean_low` and
        `mean_high`, the interval of the law's value, about which runs scatter; and `run_low` and `run_high`, the
        interval of one new run, whose scatter is that of the fitted rows (:func:`noise`). `distance`, as
        :func:`distance` returns it.

    Raises
    ------
    InputError
        If a column is missing or holds anything but positive numbers.

    Examples
    --------
    A dense model of the largest fitted size, and one ten times as large:

    >>> from moelaws.fitting.estimation import fit
    >>> from moelaws.laws.routed import POWER_PRODUCT
    >>> rows = pd.DataFrame({"n_active": [1e7, 1e8, 1e9, 1e9], "n_routed": [1, 8, 1, 8], "loss": [3.9, 3.0, 2.6, 2.4]})
    >>> predict(fit(POWER_PRODUCT, rows), pd.DataFrame({"n_active": [1e9, 1e10], "n_routed": 1})).round(2)
       value  distance
    0   2.59       0.0
    1   2.11       0.5
    """
    columns = {name: numbers(points, name, "The table of points") for name in fit.law.columns}
    predicted = {"value": fit.law.predict(fit.coefficients, columns)}
    if refits is not None:
        means = fit.law.predict(fit.problem.theta(refits.coefficients), columns)
        predicted["mean_low"], predicted["mean_high"] = refits.interval(means, level)
        errors = noise(refits, -(-SCATTERED // len(means)) * len(means)).reshape(-1, len(means))
        runs = (fit.problem.loss.observed(mean, errors).ravel() for mean in means.T)
        predicted["run_low"], predicted["run_high"] = np.transpose([refits.interval(run, level) for run in runs])
    return pd.DataFrame({**predicted, "distance": distance(fit, points)}, index=points.index)


def other_conventions(fit: Fit, points: pd.DataFrame) -> Iterator[str]:
    """Yield the conventions that points say to be others than the fitted rows'."""
    for name, qualified in CONVENTIONS.items():
        read = [one for one in (*fit.law.columns, fit.law.response) if one in qualified]
        if not read or name not in points or name not in fit.table:
            continue
        fitted, others = (set(table[name].dropna().astype(str)) for table in (fit.table, points))
        if strange := sorted(others - fitted):
            yield (
                f"Points have '{name}' {', '.join(strange[:4])} and the fitted rows {', '.join(sorted(fitted)[:4])}, "
                f"between which {' and '.join(read)} cannot be compared."
            )


def noise(refits: Refits, count: int, seed: int = 0) -> Floats:
    """Draw errors of new runs, as the loss measures them, from those of the fitted rows.

    A fit draws its rows' errors towards zero: their variance is that of a new run times the share that it leaves
    (:class:`~moelaws.fitting.intervals.Refits`). Each error is drawn equally often and moved by the width of a
    normal kernel, as the errors of few rows have no tail beyond the largest of them; all are then shrunk, as the kernel
    would add its variance to theirs (a shrunk smoothed bootstrap).

    References
    ----------
    B. W. Silverman and G. A. Young, The bootstrap: to smooth or not to smooth?, Biometrika 74 (1987) 469–479; the
    kernel's width: B. W. Silverman, Density Estimation (1986), Eq. 3.31.
    """
    problem = refits.fit.problem
    errors = problem.errors(problem.free(refits.fit.coefficients)) / np.sqrt(refits.left)
    middle, spread = errors.mean(), errors.std()
    width = 0.9 * min(spread, stats.iqr(errors) / 1.34) * refits.groups**-0.2
    rng = np.random.default_rng(seed)
    drawn = rng.permutation(np.resize(rng.permutation(errors), count)) + width * rng.normal(size=count)
    return np.asarray(middle + (drawn - middle) * spread / max(np.hypot(spread, width), 1e-300))


def distance(fit: Fit, points: pd.DataFrame) -> Floats:
    """Return how far each point lies outside the fitted rows.

    Returns
    -------
    numpy.ndarray, shape (points,)
        Zero inside the range of every column. Outside, the difference of logarithms to the nearest
        end of the range in units of the range's own, for the column where it is largest: 0.5 for
        ten times the largest size in rows that span a factor of a hundred. Infinite where a column
        has one value in the fitted rows and the point another.
    """
    outside = np.zeros(len(points))
    for name in fit.law.columns:
        fitted, asked = np.log(fit.problem.columns[name]), np.log(numbers(points, name, "The table of points"))
        beyond = np.maximum(np.maximum(fitted.min() - asked, asked - fitted.max()), 0)
        reach = np.ptp(fitted)
        outside = np.maximum(outside, np.where(beyond > 0, beyond / reach if reach else np.inf, 0))
    return outside
