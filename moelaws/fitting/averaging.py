r"""Averages of laws: instead of one law, the weighted mean of the predictions of all.

Each law is fitted as if it were alone. Three ways to weigh m laws, all from forward validation inside the training rows
(:mod:`moelaws.fitting.comparison`) and none from rows held out:

``equal``
    :math:`1/m` each. Hard to beat where the rows that decide weights are few, but it counts a hopeless law in full.
``inverse``
    Proportional to the inverse mean square error of forward validation (Bates and Granger 1969, without covariances).
    A law with three times the error of another has a ninth of its weight.
``stacked``
    Not negative, of sum one, and best for the rows that forward validation predicted (Breiman 1996). It is the only
    one that uses how errors go together, and the only one that fits m - 1 numbers to what may be two sizes.

The default is ``inverse``. This was written before any of the three had been computed in this project, for a reason
and not for a result: it knows which laws are hopeless, which ``equal`` does not, and has nothing to fit, which
``stacked`` has. How each then did on sets of runs that were named beforehand stands in ``data/averages``.

References
----------
J. M. Bates and C. W. J. Granger, The combination of forecasts, Operational Research Quarterly 20 (1969) 451-468.
L. Breiman, Stacked regressions, Machine Learning 24 (1996) 49-64.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from moelaws.checks import Columns, Floats
from moelaws.data.table import numbers
from moelaws.errors import InputError
from moelaws.fitting.estimation import Fit
from moelaws.fitting.intervals import Refits, refits
from moelaws.fitting.prediction import distance

DEFAULT = "inverse"
"""The average that is meant where none is named; fixed before the first result, see above."""

AVERAGES = ("equal", "inverse", "stacked")
"""The averages, as described above."""


@dataclass(frozen=True)
class Average:
    """A weighted mean of laws.

    Parameters
    ----------
    fits : dict
        Name of a law → its fit; all to the same rows.
    weights : dict
        Name of a law → its weight; the sum is one.
    """

    fits: dict[str, Fit]
    weights: dict[str, float]

    def predict(self, table: Columns) -> Floats:
        """Return the weighted mean of the laws' values in each row."""
        return np.asarray(sum(weight * self.fits[name].predict(table) for name, weight in self.weights.items()))

    def predictions(
        self, points: pd.DataFrame, by: str | None = None, draws: int = 1000, seed: int = 0, level: float = 0.95
    ) -> pd.DataFrame:
        """Predict points, with the interval of the mean and the distance outside the fitted rows.

        Every law is fitted again to the same draws of rows, so that what a draw does to all laws together stays in the
        interval. The weights stay as they are: that other rows would have given others is not in it.

        The degrees of freedom are those of the law with the most parameters.

        Returns
        -------
        pandas.DataFrame
            `value`, `mean_low`, `mean_high` and `distance`, the largest of the laws with a weight, as in
            :func:`moelaws.fitting.prediction.predict`.
        """
        used = {name: one for name, one in self.fits.items() if self.weights[name] > 0}
        again = {name: refits(one, by, draws, seed) for name, one in used.items()}
        failed = {draw for one in again.values() for draw in one.failed}
        each = sum(self.weights[name] * _drawn(one, points, failed) for name, one in again.items())
        widest = max(again.values(), key=lambda one: len(one.fit.free))
        low, high = widest.interval(np.asarray(each), level)
        outside = np.max([distance(one, points) for one in used.values()], axis=0)
        columns = {"value": self.predict(points), "mean_low": low, "mean_high": high, "distance": outside}
        return pd.DataFrame(columns, index=points.index)


def weighed(predicted: Floats, observed: Floats, kind: str = DEFAULT) -> Floats:
    """Return the weights of an average, shape (laws,), from predictions of rows that the laws were not fitted to.

    Parameters
    ----------
    predicted : numpy.ndarray, shape (rows, laws)
    observed : numpy.ndarray, shape (rows,)
    kind : {"equal", "inverse", "stacked"}

    Examples
    --------
    Two laws, one with errors of one and one with errors of three; both always err to the same side:

    >>> observed = np.array([5.0, 6.0])
    >>> predicted = observed[:, None] + np.array([1.0, 3.0])
    >>> {kind: weighed(predicted, observed, kind).round(3).tolist() for kind in AVERAGES}
    {'equal': [0.5, 0.5], 'inverse': [0.9, 0.1], 'stacked': [1.0, 0.0]}
    """
    if kind not in AVERAGES:
        raise InputError(f"There is no average '{kind}'; the averages are {', '.join(AVERAGES)}.")
    misses = predicted - observed[:, None]
    squares = np.mean(misses**2, axis=0)
    if kind == "stacked":
        # The heavy last row makes the sum one: what is left of it after division is rounding.
        heavy = 1e4 * max(float(np.abs(misses).max()), 1e-300)
        raw = nnls(np.vstack([misses, np.full(misses.shape[1], heavy)]), np.append(np.zeros(len(misses)), heavy))[0]
    else:
        raw = np.ones_like(squares) if kind == "equal" else 1 / np.maximum(squares, 1e-12 * np.mean(observed**2))
    return np.asarray(raw / raw.sum())


def _drawn(again: Refits, points: pd.DataFrame, failed: set[int]) -> Floats:
    """Return the law's value for each point and each draw to which all laws could be fitted."""
    fit = again.fit
    draws = np.delete(np.arange(len(again.coefficients) + len(again.failed)), again.failed)
    columns = {name: numbers(points, name, "The table of points") for name in fit.law.columns}
    return fit.law.predict(fit.problem.theta(again.coefficients[~np.isin(draws, list(failed))]), columns)
