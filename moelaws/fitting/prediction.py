"""What a fit says about other points, and how far these lie outside the rows it was fitted to."""

import numpy as np
import pandas as pd

from moelaws.checks import Floats
from moelaws.data.table import numbers
from moelaws.fitting.estimation import Fit
from moelaws.fitting.intervals import Refits


def predict(fit: Fit, points: pd.DataFrame, refits: Refits | None = None, level: float = 0.95) -> pd.DataFrame:
    """Predict points, with intervals and with the distance outside the fitted range.

    Parameters
    ----------
    fit : Fit
        A fitted law.
    points : pandas.DataFrame
        Rows with the columns that the law reads.
    refits : Refits, optional
        What :func:`moelaws.fitting.intervals.refits` returned for the fit.
    level : float
        Coverage of the intervals.

    Returns
    -------
    pandas.DataFrame
        In the order and with the index of `points`: `value`, the law's; with refits also `low` and
        `high`, the interval of the law's value (a single new run scatters around it by its own
        noise besides); `distance`, as :func:`distance` returns it.

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
    predicted = {"value": fit.predict(columns)}
    if refits is not None:
        each = np.array([fit.law.predict(fit.problem.theta(draw), columns) for draw in refits.coefficients])
        predicted["low"], predicted["high"] = refits.interval(each, level)
    return pd.DataFrame({**predicted, "distance": distance(fit, points)}, index=points.index)


def distance(fit: Fit, points: pd.DataFrame) -> Floats:
    """Return how far each point lies outside the fitted rows.

    Parameters
    ----------
    fit : Fit
        A fitted law.
    points : pandas.DataFrame
        Rows with the columns that the law reads.

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
