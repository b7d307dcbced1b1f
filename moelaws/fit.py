"""Fit a law to a table, and say how far the result can be trusted.

The laws fitted here are sums of non-negative terms, each with one coefficient. Such a fit by
relative least squares has a single optimum, which non-negative least squares finds exactly; a
second optimiser starts elsewhere and has to arrive at the same place.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, TypeAlias

import lmfit
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import nnls

from moelaws.errors import InputError

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a law.

    Parameters
    ----------
    name, meaning, unit : str
        Name, what it stands for, and its unit.
    rate : bool
        Whether the law holds its reciprocal, as it does for a bandwidth: time is bytes over
        bandwidth. A coefficient of zero is then an infinite rate.
    """

    name: str
    meaning: str
    unit: str
    rate: bool = False

    def value(self, coefficient: Floats | float) -> Floats:
        """Turn the law's coefficient into the parameter, or back."""
        coefficient = np.asarray(coefficient, dtype=float)
        if not self.rate:
            return coefficient
        with np.errstate(divide="ignore"):
            return np.reciprocal(coefficient)


class LinearLaw(Protocol):
    """A law that is a sum of terms, each with one non-negative coefficient."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters, in the order of the terms."""

    def terms(self, table: pd.DataFrame) -> Floats:
        """Each row's terms at coefficient one, shape (rows, parameters): the law's gradient."""

    def observed(self, table: pd.DataFrame) -> Floats:
        """What the law predicts, as measured in each row."""


@dataclass(frozen=True)
class Fit:
    """A fitted law.

    Parameters
    ----------
    law : LinearLaw
        The law.
    table : pandas.DataFrame
        The rows it was fitted to.
    coefficients : numpy.ndarray
        One for each parameter, as they stand in the law.
    free : tuple of str
        Parameters that were fitted; the others were held.
    """

    law: LinearLaw
    table: pd.DataFrame
    coefficients: Floats
    free: tuple[str, ...]

    @property
    def free_coefficients(self) -> Floats:
        """The coefficients of the free parameters."""
        return self.coefficients[[parameter.name in self.free for parameter in self.law.parameters]]

    @property
    def values(self) -> dict[str, float]:
        """The parameters by name, in their units."""
        pairs = zip(self.law.parameters, self.coefficients, strict=True)
        return {parameter.name: float(parameter.value(coefficient)) for parameter, coefficient in pairs}

    @cached_property
    def disagreement(self) -> float:
        """Largest relative difference, in any row, from what a second optimiser predicts.

        It is a trust-region method with bounds, started ten times too high.
        """
        matrix, target = self.problem()
        scaled = matrix / _lengths(matrix)
        start = lmfit.Parameters()
        for column in range(matrix.shape[1]):
            start.add(f"c{column}", value=10.0 * np.linalg.norm(target), min=0)

        def residual(parameters: lmfit.Parameters) -> Floats:
            return np.asarray(scaled @ list(parameters.valuesdict().values()) - target)

        result = lmfit.minimize(
            residual, start, method="least_squares", ftol=1e-15, xtol=1e-15, gtol=1e-15, calc_covar=False
        )
        return float(np.abs(residual(result.params) - self.errors()).max())

    @cached_property
    def not_identified(self) -> tuple[str, ...]:
        """Free parameters that the rows cannot tell apart: only a sum of their terms is known."""
        matrix, _ = self.problem()
        _, singular, directions = np.linalg.svd(matrix / _lengths(matrix), full_matrices=False)
        flat = np.any(np.abs(directions[singular < 1e-8 * singular[0]]) > 1e-6, axis=0)
        return tuple(name for name, is_flat in zip(self.free, flat, strict=True) if is_flat)

    def problem(self) -> tuple[Floats, Floats]:
        """Return matrix and target of the relative least-squares problem in the free coefficients."""
        relative = self.law.terms(self.table) / self.law.observed(self.table)[:, None]
        free = np.array([parameter.name in self.free for parameter in self.law.parameters])
        return relative[:, free], 1 - relative[:, ~free] @ self.coefficients[~free]

    @property
    def at_bound(self) -> tuple[str, ...]:
        """Free parameters whose term vanishes: a coefficient of zero, hence an infinite rate."""
        pairs = zip(self.law.parameters, self.coefficients, strict=True)
        return tuple(parameter.name for parameter, value in pairs if parameter.name in self.free and value == 0)

    @property
    def status(self) -> str:
        """One word or phrase: converged, at a bound, not identified, or optimisers disagree."""
        if self.not_identified:
            return f"not identified: {', '.join(self.not_identified)}"
        if self.disagreement > 1e-4:
            return "optimisers disagree"
        return f"at a bound: {', '.join(self.at_bound)}" if self.at_bound else "converged"

    def predict(self, table: pd.DataFrame) -> Floats:
        """The law's value in each row of a table."""
        return self.law.terms(table) @ self.coefficients

    def errors(self, table: pd.DataFrame | None = None) -> Floats:
        """Relative errors, predicted over observed less one; of the fitted rows by default."""
        rows = self.table if table is None else table
        return self.predict(rows) / self.law.observed(rows) - 1

    def mean_error(self, table: pd.DataFrame | None = None) -> float:
        """Mean absolute relative error."""
        return float(np.abs(self.errors(table)).mean())


def fit(law: LinearLaw, table: pd.DataFrame, hold: dict[str, float] | None = None) -> Fit:
    """Fit a law by least squares on relative errors, with coefficients that are not negative.

    Parameters
    ----------
    law : LinearLaw
        The law.
    table : pandas.DataFrame
        Rows with the columns that the law needs.
    hold : dict, optional
        Parameters held at a value, by name.

    Returns
    -------
    Fit

    Raises
    ------
    InputError
        If `hold` names an unknown parameter, or there are fewer rows than free parameters.
    """
    hold = hold or {}
    names = [parameter.name for parameter in law.parameters]
    for name in hold:
        if name not in names:
            raise InputError(f"Parameter hold names '{name}'; the law's parameters are {', '.join(names)}.")
    free = np.array([name not in hold for name in names])
    if len(table) < free.sum():
        raise InputError(
            f"The table has {len(table)} rows; at least {free.sum()} are expected, one for each free parameter."
        )
    held = [0.0 if is_free else float(p.value(hold[p.name])) for p, is_free in zip(law.parameters, free, strict=True)]
    start = Fit(law, table, np.array(held), tuple(name for name in names if name not in hold))
    coefficients = np.array(held)
    coefficients[free] = solve(*start.problem())
    return replace(start, coefficients=coefficients)


def solve(matrix: Floats, target: Floats) -> Floats:
    """Non-negative least squares in columns of unit length, which keeps units out of the result."""
    scale = _lengths(matrix)
    return nnls(matrix / scale, target)[0] / scale


def _lengths(matrix: Floats) -> Floats:
    lengths = np.linalg.norm(matrix, axis=0)
    return np.where(lengths > 0, lengths, 1.0)
