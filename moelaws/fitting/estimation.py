"""Fit a law to a table, and say how far the result can be trusted.

A fit starts from a grid of all combinations of shape parameters, and from random ones. SciPy's least squares converges
from where looks at all of them got lowest, until two of the starts lead to the same optimum. Another search may then
find nothing lower.
What is minimised is described in :mod:`moelaws.fitting.objective`, how in :mod:`moelaws.fitting.optimise`, and what
there is to object to in :mod:`moelaws.fitting.diagnosis` and :mod:`moelaws.fitting.rows`.
"""

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from moelaws.checks import Columns, Floats, positive, whole
from moelaws.data.table import numbers, read
from moelaws.errors import InputError
from moelaws.fitting import diagnosis
from moelaws.fitting.objective import LOG_SQUARES as LOG_SQUARES
from moelaws.fitting.objective import RELATIVE_SQUARES as RELATIVE_SQUARES
from moelaws.fitting.objective import Loss as Loss
from moelaws.fitting.objective import Problem as Problem
from moelaws.fitting.objective import huber as huber
from moelaws.fitting.optimise import AGREEMENT, as_low, initial_grid, minimise, search, second_opinion
from moelaws.fitting.rows import objections, refuse, suspect_units
from moelaws.laws import find
from moelaws.laws.base import Law

if TYPE_CHECKING:
    import lmfit
    from matplotlib.figure import Figure

    from moelaws.fitting.report import Report


@dataclass(frozen=True, repr=False)
class Fit:
    """A fitted law.

    Parameters
    ----------
    table : pandas.DataFrame
        The rows it was fitted to.
    coefficients : numpy.ndarray
        One for each parameter, as they stand in the law.
    starts : pandas.DataFrame
        The starts: objective there and where the search from it ended, how far apart from the optimum that is
        (in standard errors), and coefficients; of a large table, on a sample of its rows.
    converged : bool
        Whether the search that ended lowest stopped because nothing was left to gain.
    """

    problem: Problem
    table: pd.DataFrame
    coefficients: Floats
    starts: pd.DataFrame
    converged: bool = True

    @property
    def law(self) -> Law:
        """The law."""
        return self.problem.law

    @property
    def free(self) -> tuple[str, ...]:
        """Names of the parameters that were fitted; a tied one counts once."""
        return tuple(self.law.parameters[places[0]].name for places in self.problem.indices)

    @property
    def held(self) -> list[str]:
        """Names of the parameters that were given a value."""
        return [parameter.name for parameter in self.law.parameters if parameter.name not in (*self.free, *self.tied)]

    @property
    def tied(self) -> dict[str, str]:
        """Parameters that follow another one, and that one."""
        names = [parameter.name for parameter in self.law.parameters]
        return {names[place]: names[places[0]] for places in self.problem.indices for place in places[1:]}

    @property
    def values(self) -> dict[str, float]:
        """The parameters by name, in their units."""
        pairs = zip(self.law.parameters, self.coefficients, strict=True)
        return {parameter.name: float(parameter.value(coefficient)) for parameter, coefficient in pairs}

    @property
    def objective(self) -> float:
        """The sum that was minimised."""
        return self.problem.objective(self.problem.free(self.coefficients))

    @property
    def at_bound(self) -> tuple[str, ...]:
        """Free parameters that stand at one of their bounds."""
        low, high = self.problem.bounds()
        free = self.problem.free(self.coefficients)
        near = np.isclose(free, low, rtol=1e-6, atol=0) | np.isclose(free, high, rtol=1e-6, atol=0) | (free == low)
        return tuple(name for name, is_near in zip(self.free, near, strict=True) if is_near)

    @cached_property
    def _modes(self) -> diagnosis.Modes:
        return diagnosis.modes(self.problem, self.problem.free(self.coefficients))

    @property
    def condition(self) -> float:
        """Condition number of the Jacobian in columns of unit length: large where parameters trade off."""
        return self._modes.condition

    @property
    def not_identified(self) -> tuple[str, ...]:
        """Free parameters that the rows cannot tell apart: they can move together without a trace."""
        flat = np.any(np.abs(self._modes.flat) > 1e-6, axis=0)
        return tuple(name for name, is_flat in zip(self.free, flat, strict=True) if is_flat)

    @cached_property
    def disagreement(self) -> float:
        """How much lower, relative to the objective, anything gets that does not start where the fit did.

        :func:`moelaws.fitting.optimise.second_opinion` says what is tried. A large table is checked on a sample of its
        rows.
        """
        ordered, best = self.problem.ordered(), self.problem.free(self.coefficients)
        problem = ordered.thinned()
        if problem is not ordered:
            best = minimise(problem, best).free
        return max(problem.objective(best) - second_opinion(problem, best), 0.0) / problem.unit(best)

    @property
    def alone(self) -> bool:
        """Whether only one of several starts led to the optimum, so that another may be lower."""
        lows = self.starts["objective_end"].to_numpy(dtype=float)
        return len(lows) > 1 and as_low(self.problem, lows).sum() == 1

    @property
    def has_twin(self) -> bool:
        """Whether another optimum, with other parameters, is as good as this one."""
        lows = self.starts["objective_end"].to_numpy(dtype=float)
        return bool((as_low(self.problem, lows) & (self.starts["apart"].to_numpy(dtype=float) > 1)).any())

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What there is to object to, one sentence each; empty if nothing is."""
        best = self.problem.free(self.coefficients)
        alone = len(self.starts) if self.alone else 0
        search = diagnosis.of_search(self.converged, self.disagreement, alone, self.has_twin)
        optimum = diagnosis.of_optimum(self.problem, best, self._modes, self.at_bound)
        # Two checks may come to the same sentence.
        return tuple(dict.fromkeys([*objections(self.problem, self.table, best), *search, *optimum]))

    @property
    def status(self) -> str:
        """Converged, or all that holds of: not converged, starts disagree, not identified, at a bound.

        Where parameters can move together without a trace, or another optimum is as good, the optimum is one of many,
        and which of them is found can hang on the last digit of the data. Names and bounds are then said only where it
        is solved for.
        """
        said = [] if self.converged else ["not converged"]
        if self.disagreement > AGREEMENT or self.alone:
            said.append("starts disagree")
        many = bool(self.not_identified) or self.has_twin
        named = self.problem.is_linear or not many
        if many:
            said.append(f"not identified: {', '.join(self.not_identified)}" if named else "not identified")
        if named and self.at_bound:
            said.append(f"at a bound: {', '.join(self.at_bound)}")
        return "; ".join(said) or "converged"

    @property
    def parameters(self) -> "lmfit.Parameters":
        """The parameters as lmfit carries them: values, bounds, which vary, and ties."""
        import lmfit  # takes a second, and few ask for it

        carried = lmfit.Parameters()
        for parameter, value in zip(self.law.parameters, self.coefficients, strict=True):
            carried.add(parameter.name, float(value), parameter.name in self.free, parameter.low, parameter.high)
        for name, leader in self.tied.items():
            carried[name].set(expr=leader)
        return carried

    def predict(self, table: Columns | None = None, **columns: ArrayLike) -> Floats:
        """Return the law's value in each row of a table, or for columns given by name.

        Parameters
        ----------
        table : pandas.DataFrame or mapping, optional
            Rows with the columns of the law, in their units.
        **columns : array_like
            Those columns instead, such as ``n_active=7e9, n_tokens=1e12``; single numbers give a single one.
        """
        law, names = self.law, ", ".join(self.law.columns)
        if table is not None and columns:
            raise InputError(f"A table and '{next(iter(columns))}' are given; one or the other is expected.")
        if not isinstance(table, Mapping | pd.DataFrame | None):
            raise InputError(f"A {type(table).__name__} is given; a table, or {names} by name are expected.")
        for name in [*law.columns, *columns]:
            if name not in (columns if table is None else table):
                raise InputError(f"Law '{law.name}' needs '{name}'; its columns are {names}.")
            if name not in law.columns:
                raise InputError(f"Law '{law.name}' does not read '{name}'; its columns are {names}.")
        if isinstance(table, pd.DataFrame):
            arrays = [numbers(table, name, "The table of points", positive=False) for name in law.columns]
        else:
            given = columns if table is None else table
            arrays = positive(**{name: given[name] for name in law.columns})
        try:
            arrays = list(np.broadcast_arrays(*arrays))
        except ValueError:
            lengths = ", ".join(f"{array.size} of '{name}'" for name, array in zip(law.columns, arrays, strict=True))
            raise InputError(f"Columns of one length are expected, or single numbers; there are {lengths}.") from None
        rows = {name: np.ravel(array) for name, array in zip(law.columns, arrays, strict=True)}
        for sentence in suspect_units(self.problem, rows):
            warnings.warn(sentence, RuntimeWarning, stacklevel=2)
        with np.errstate(all="ignore"):  # zero is no size, but may be a number of experts that are read
            predicted = law.predict(self.coefficients, rows)
        if not np.isfinite(predicted).all():
            place = int(np.flatnonzero(~np.isfinite(predicted))[0])
            point = ", ".join(f"{name} {column[place]:g}" for name, column in rows.items())
            raise InputError(
                f"Law '{law.name}' has no finite value at {point}, which is row {place + 1} of the points."
            )
        return predicted.reshape(arrays[0].shape)[()]

    @cached_property
    def report(self) -> "Report":
        """The fit with 95 % intervals and all objections: a text, a table in a notebook, an object for programs."""
        from moelaws.fitting.report import report  # it takes fits

        return report(self)

    def __repr__(self) -> str:
        return str(self.report)

    def _repr_html_(self) -> str:
        return self.report.as_html()

    def plot(self) -> "Figure":
        """Draw observed against predicted responses, and the errors."""
        from moelaws.fitting.report import plot

        return plot(self)

    def errors(self, table: pd.DataFrame | None = None) -> Floats:
        """Return relative errors, predicted over observed less one; of the fitted rows by default."""
        predicted, observed = self._compared(table)
        return predicted / observed - 1

    def mean_error(self, table: pd.DataFrame | None = None) -> float:
        """Return the mean absolute relative error."""
        return float(np.abs(self.errors(table)).mean())

    def rmse(self, table: pd.DataFrame | None = None) -> float:
        """Return the root mean square error, in the unit of the response."""
        predicted, observed = self._compared(table)
        return float(np.sqrt(np.mean((predicted - observed) ** 2)))

    def _compared(self, table: pd.DataFrame | None) -> tuple[Floats, Floats]:
        """Return what is predicted of rows and what was observed, of the fitted rows by default."""
        if table is None:
            return self.law.predict(self.coefficients, self.table), self.law.observed(self.table)
        rows = table.assign(**{self.law.response: numbers(table, self.law.response)})
        return self.predict(table), self.law.observed(rows)


def fit(
    law: Law | str,
    table: pd.DataFrame | str | os.PathLike[str],
    loss: Loss = LOG_SQUARES,
    hold: dict[str, float] | None = None,
    tie: dict[str, str] | None = None,
    starts: int = 5,
) -> Fit:
    """Fit a law to the rows of a table.

    Parameters
    ----------
    law : Law or str
        The law, or the name of one of ``moelaws.laws.LAWS``.
    table : pandas.DataFrame or path-like
        Rows with the columns that the law needs, or a file of them.
    loss : Loss
        What is minimised; squares of log errors by default.
    hold : dict, optional
        Parameters held at a value, by name.
    tie : dict, optional
        Parameters that equal another one, by name: ``{"beta": "alpha"}``.
    starts : int
        How many of the grid's starts are tried, first the best of each valley; random ones join
        (:func:`moelaws.fitting.optimise.search`), unless it is one.

    Warns
    -----
    RuntimeWarning
        If the search did not converge; the status of the fit says so, too.

    Examples
    --------
    Points made by the published refit of the Chinchilla law give it back:

    >>> from moelaws.laws.dense import BESIROGLU, Dense
    >>> sizes, tokens = np.meshgrid(np.geomspace(5e7, 1e10, 6), np.geomspace(1e9, 1e12, 6))
    >>> rows = pd.DataFrame({"n_active": sizes.ravel(), "n_tokens": tokens.ravel()})
    >>> rows["loss"] = Dense().predict(Dense().theta(BESIROGLU), rows)
    >>> {name: round(value, 4) for name, value in fit(Dense(), rows).values.items()}
    {'E': 1.8172, 'A': 482.01, 'B': 2085.43, 'alpha': 0.3478, 'beta': 0.3658}
    """
    law = find(law) if isinstance(law, str) else law
    for name, value, kinds, expected in (
        ("law", law, Law, "a law, or the name of one,"),
        ("table", table, pd.DataFrame | str | os.PathLike, "a DataFrame, or the path of a CSV file,"),
        ("loss", loss, Loss, "a Loss, such as huber(1e-3),"),
        ("hold", hold, dict | None, "a dictionary of values by the names of parameters"),
        ("tie", tie, dict | None, "a dictionary of names of parameters"),
    ):
        if not isinstance(value, kinds):
            raise InputError(f"Parameter {name} is a {type(value).__name__}; {expected} is expected.")
    whole(1, starts=starts)
    rows_given = table if isinstance(table, pd.DataFrame) else read(table, (*law.columns, law.response))
    table, problem = make_problem(law, rows_given, loss, hold or {}, tie or {})
    refuse((*law.columns, law.response), table)
    ordered = problem.ordered()
    sample = ordered.thinned()
    _refuse_held(sample, hold or {})
    kept, best = search(sample, starts)
    if sample is not ordered:
        best = minimise(ordered, best.free)
    if not best.converged:
        warnings.warn(f"Law '{law.name}': {diagnosis.UNCONVERGED}", RuntimeWarning, stacklevel=2)
    return Fit(problem, table, problem.theta(best.free), kept, best.converged)


def make_problem(
    law: Law, table: pd.DataFrame, loss: Loss, hold: dict[str, float], tie: dict[str, str]
) -> tuple[pd.DataFrame, Problem]:
    """Check what :func:`fit` takes; return the table, with floats where the law reads it, and the problem."""
    indices = _indices(law, hold, tie)
    base = np.zeros(len(law.parameters))
    for place, parameter in enumerate(law.parameters):
        if parameter.name in hold:
            base[place] = float(parameter.value(hold[parameter.name]))
            if parameter.rate and not np.isfinite(base[place]):
                raise InputError(
                    f"Parameter hold gives '{parameter.name}' the value {hold[parameter.name]:g}; a rate that is not "
                    "zero is expected."
                )
    if len(table) < len(indices):
        raise InputError(
            f"The table has {len(table)} rows; at least {len(indices)} are expected, one for each free parameter."
        )
    columns = {name: numbers(table, name) for name in law.columns}
    response = numbers(table, law.response, positive=loss.space != "linear")
    table = table.assign(**columns, **{law.response: response})
    return table, Problem(law, columns, law.observed(table), loss, base, indices)


@np.errstate(all="ignore")  # a held value may leave what a float holds, and is refused for it
def _refuse_held(problem: Problem, hold: Mapping[str, float]) -> None:
    """Refuse held values that no values of the free parameters bring to the rows."""
    if not hold:
        return
    law, floor, highest = problem.law, problem.law.linear[0].name, float(problem.observed.max())
    thetas = [problem.theta(start) for start in initial_grid(problem)[0]]
    first = law.terms(thetas[0][len(law.linear) :], problem.columns)
    adds = law.link == "identity" and np.ptp(first[:, 0]) == 0 and bool(np.all(first >= 0))
    if adds and min(one.low for one in law.linear) >= 0 and hold.get(floor, -np.inf) >= highest:
        raise InputError(
            f"Parameter hold gives '{floor}' the value {hold[floor]:g}, to which all other terms add; less than the "
            f"largest that was observed, {highest:.4g}, is expected."
        )
    values = (law.predict(theta, problem.columns) for theta in thetas)
    if not any(np.all(np.isfinite(value) & (value != 0)) for value in values):
        given = ", ".join(f"'{name}' the value {value:g}" for name, value in hold.items())
        raise InputError(
            f"Parameter hold gives {given}, with which law '{law.name}' has no finite value on these rows; "
            "numbers nearer to zero are expected."
        )


def _indices(law: Law, hold: dict[str, float], tie: dict[str, str]) -> tuple[tuple[int, ...], ...]:
    """Return, for each free coefficient, the places that it fills."""
    names = [parameter.name for parameter in law.parameters]
    for argument, given in (("hold", hold), ("tie", {**tie, **dict.fromkeys(tie.values(), "")})):
        for name in given:
            if name not in names:
                raise InputError(f"Parameter {argument} names '{name}'; the law's parameters are {', '.join(names)}.")
    for name, value in hold.items():
        if not isinstance(value, int | float | np.number) or np.isnan(value):
            raise InputError(f"Parameter hold gives '{name}' the value {value!r}; a number is expected.")
    for name, other in tie.items():
        if name == other or name in hold or other in hold or other in tie:
            raise InputError(f"Parameter '{name}' is tied to '{other}'; one that is free is expected, for a free one.")
        one, two = (law.parameters[names.index(which)] for which in (name, other))
        if (one in law.linear) != (two in law.linear) or max(one.low, two.low) >= min(one.high, two.high):
            raise InputError(
                f"Parameter '{name}' is tied to '{other}'; two factors of terms, or two shapes, are expected, whose "
                f"bounds overlap ({one.low:g} to {one.high:g}, and {two.low:g} to {two.high:g})."
            )
    indices: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        if name not in hold:
            indices.setdefault(tie.get(name, name), []).append(place)
    return tuple(map(tuple, sorted(indices.values())))
