"""What a fit minimises: a loss, and a law on rows as a function of the coefficients that are free.

What to use when: the logarithm of the response with squares, ``LOG_SQUARES``, where errors are a
few per cent of the value and none stands out; ``huber(delta)`` where some rows do;
``RELATIVE_SQUARES`` for times and rates whose terms must not be negative.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from moelaws.checks import Columns, Floats, one_of, positive
from moelaws.laws.base import Law

FLAT = 1e-8
"""Share of the largest singular value below which a direction leaves no trace: half the digits of a float."""

THINNED_ROWS = 2000
"""Rows in the sample of a larger table: enough to find the right valley, in milliseconds."""


@dataclass(frozen=True)
class Loss:
    """What a fit minimises: the sum of a function of each row's error.

    Parameters
    ----------
    space : {"log", "relative", "linear"}
        The error: difference of natural logarithms, predicted over observed less one, or
        plain difference.
    delta : float, optional
        Errors above it count linearly (Huber); squares throughout by default.
    above : float
        What an error is multiplied by where the prediction lies above the observation. Above one, the fit follows the
        lower edge of the rows, as if training could only go worse than the law says. Together with a small `delta`
        it is a quantile regression, of the quantile ``1 / (1 + above)``.
    """

    space: Literal["log", "relative", "linear"] = "log"
    delta: float | None = None
    above: float = 1.0

    def __post_init__(self) -> None:
        one_of(("log", "relative", "linear"), space=self.space)
        positive(above=self.above)
        if self.delta is not None:
            positive(delta=self.delta)

    def errors(self, predicted: Floats, observed: Floats) -> Floats:
        """Return each row's error."""
        if self.space == "log":
            errors = np.asarray(np.log(np.maximum(predicted, 1e-300)) - np.log(observed))
        else:
            errors = (predicted - observed) / self.weight(observed)
        return errors if self.above == 1 else np.where(errors > 0, self.above, 1.0) * errors

    def observed(self, predicted: Floats, errors: Floats) -> Floats:
        """Return the response that has an error, the inverse of :meth:`errors`."""
        errors = errors / np.where(errors > 0, self.above, 1.0)
        if self.space == "log":
            return np.asarray(predicted * np.exp(-errors))
        return predicted - errors if self.space == "linear" else predicted / np.maximum(1 + errors, 1e-300)

    def weight(self, observed: Floats) -> Floats:
        """Return what a small difference is divided by to become an error."""
        return np.ones_like(observed) if self.space == "linear" else observed

    def slope(self, predicted: Floats, observed: Floats) -> Floats:
        """Return the derivative of the error with respect to the prediction."""
        slope = 1 / np.maximum(predicted, 1e-300) if self.space == "log" else 1 / self.weight(observed)
        return slope if self.above == 1 else np.where(predicted > observed, self.above, 1.0) * slope

    def cost(self, errors: Floats) -> Floats:
        """Return half the square of an error, or its Huber function, elementwise."""
        if self.delta is None:
            return errors**2 / 2
        influence = self.influence(errors)
        return influence * (errors - influence / 2)

    def influence(self, errors: Floats) -> Floats:
        """Return the derivative of the cost, elementwise."""
        return errors if self.delta is None else np.clip(errors, -self.delta, self.delta)

    def curvature(self, errors: Floats) -> Floats:
        """Return the second derivative of the cost, elementwise."""
        return np.ones_like(errors) if self.delta is None else (np.abs(errors) <= self.delta).astype(float)

    def irls_weight(self, errors: Floats) -> Floats:
        """Return the weight at which the square of an error has the slope of its cost, elementwise."""
        return np.ones_like(errors) if self.delta is None else 1 / np.maximum(1, np.abs(errors) / self.delta)


LOG_SQUARES = Loss("log")
RELATIVE_SQUARES = Loss("relative")


def huber(delta: float) -> Loss:
    """Return the Huber loss of log errors; `delta` is where squares turn linear."""
    return Loss("log", delta)


@dataclass(frozen=True)
class Problem:
    """A law, rows and a loss as a function of the coefficients that are free.

    Parameters
    ----------
    columns : mapping
        The columns that it reads.
    observed : numpy.ndarray
        Measured responses.
    base : numpy.ndarray
        Coefficients; those that are held stay.
    indices : tuple of tuple of int
        For each free coefficient, the places in `base` that it fills (several if tied).
    """

    law: Law
    columns: Columns
    observed: Floats
    loss: Loss
    base: Floats
    indices: tuple[tuple[int, ...], ...]

    @cached_property
    def spread(self) -> Floats:
        """Which coefficient follows which free one, as a matrix of zeros and ones."""
        spread = np.zeros((len(self.base), len(self.indices)))
        for column, places in enumerate(self.indices):
            spread[list(places), column] = 1
        return spread

    def theta(self, free: Floats) -> Floats:
        """Put free coefficients into their places; leading axes are kept."""
        return np.where(self._is_free, free @ self.spread.T, self.base)

    @cached_property
    def _is_free(self) -> NDArray[np.bool_]:
        return np.asarray(self.spread.any(axis=1))

    def free(self, theta: Floats) -> Floats:
        """Take the free coefficients out of all; leading axes are kept."""
        return theta[..., [places[0] for places in self.indices]]

    def errors(self, free: Floats) -> Floats:
        """Return each row's error."""
        return self.loss.errors(self.law.predict(self.theta(free), self.columns), self.observed)

    def jacobian(self, free: Floats) -> Floats:
        """Return the derivative of the errors, shape (rows, free coefficients)."""
        predicted, gradient = self.law.expand(self.theta(free), self.columns)
        return np.asarray(gradient @ self.spread * self.loss.slope(predicted, self.observed)[:, None])

    def unit_jacobian(self, free: Floats) -> tuple[Floats, Floats]:
        """Return the Jacobian in columns of unit length, and the lengths that they had; one for a column of zeros."""
        matrix = self.jacobian(free)
        lengths = np.linalg.norm(matrix, axis=0)
        lengths = np.where(lengths > 0, lengths, 1.0)
        return matrix / lengths, lengths

    def basis(self, free: Floats) -> Floats:
        """Return an orthonormal basis of what the free coefficients can move in the errors, shape (rows, rank)."""
        left, singular, _ = np.linalg.svd(self.unit_jacobian(free)[0], full_matrices=False)
        return np.asarray(left[:, singular > FLAT * singular.max(initial=0.0)])

    def objective(self, free: Floats) -> float:
        """Return the sum of the costs."""
        return float(self.loss.cost(self.errors(free)).sum())

    def bounds(self) -> tuple[Floats, Floats]:
        """Return the bounds of the free coefficients; those of tied ones hold together."""
        low, high = self._bounds
        return low.copy(), high.copy()

    @cached_property
    def _bounds(self) -> tuple[Floats, Floats]:
        parameters = [[self.law.parameters[place] for place in places] for places in self.indices]
        low = [max(parameter.low for parameter in tied) for tied in parameters]
        high = [min(parameter.high for parameter in tied) for tied in parameters]
        return np.array(low, dtype=float), np.array(high, dtype=float)

    @property
    def is_linear(self) -> bool:
        """Whether the errors are linear in what is free, so that the optimum is solved for exactly."""
        shapes = any(places[0] >= len(self.law.linear) for places in self.indices)
        matching = self.law.link == ("log" if self.loss.space == "log" else "identity")
        return not shapes and matching and (self.loss.delta, self.loss.above) == (None, 1.0)

    def hold(self, place: int, value: float) -> "Problem":
        """Return the problem with one of its free coefficients held."""
        base = self.base.copy()
        base[list(self.indices[place])] = value
        return replace(self, base=base, indices=self.indices[:place] + self.indices[place + 1 :])

    def rows(self, index: NDArray[np.integer[Any]]) -> "Problem":
        """Return the same problem on some of its rows."""
        columns = {name: np.asarray(self.columns[name])[index] for name in self.law.columns}
        return replace(self, columns=columns, observed=self.observed[index])

    def ordered(self) -> "Problem":
        """Return the problem with its rows sorted: sums depend on the order of terms in their last digit."""
        return self.rows(np.lexsort((*(np.asarray(self.columns[name]) for name in self.law.columns), self.observed)))

    def thinned(self, most: int = THINNED_ROWS) -> "Problem":
        """Return the problem on a random sample of its rows, or itself where they are few."""
        count = len(self.observed)
        if count <= most:
            return self
        # Evenly spaced rows would miss whole columns of a grid whose period divides the spacing.
        return self.rows(np.sort(np.random.default_rng(0).choice(count, most, replace=False)))

    def unit(self, best: Floats) -> float:
        """Return the objective at its least, in which differences are measured; errors of 1e-8 count as none."""
        return max(self.objective(best), 1e-16 * len(self.observed))
