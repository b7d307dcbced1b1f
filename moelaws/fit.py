"""Fit a law to a table, and say how far the result can be trusted.

What to use when: the logarithm of the loss with squares, ``LOG_SQUARES``, where errors are a few
per cent of the value and none stands out; ``huber(delta)`` where some rows do; ``RELATIVE_SQUARES``
for times and rates whose terms must not be negative.

A fit starts from a screen: for every combination of shape parameters the linear coefficients are
solved for exactly, so that only the shapes have to be searched. The best starts are polished to
tight tolerance with the law's own gradient, and a second optimiser has to find the same optimum.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any, Literal

import lmfit
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import Bounds, least_squares, minimize

from moelaws.errors import InputError
from moelaws.laws.base import Columns, Floats, Law

SCREENED_ROWS = 2000  # enough to find the right valley; all rows are used from there on


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
    """

    space: Literal["log", "relative", "linear"] = "log"
    delta: float | None = None

    def errors(self, predicted: Floats, observed: Floats) -> Floats:
        """Return each row's error."""
        if self.space == "log":
            return np.asarray(np.log(np.maximum(predicted, 1e-300)) - np.log(observed))
        return (predicted - observed) / self.weight(observed)

    def weight(self, observed: Floats) -> Floats:
        """Return what a small difference is divided by to become an error."""
        return np.ones_like(observed) if self.space == "linear" else observed

    def slope(self, predicted: Floats, observed: Floats) -> Floats:
        """Return the derivative of the error with respect to the prediction."""
        return 1 / np.maximum(predicted, 1e-300) if self.space == "log" else 1 / self.weight(observed)

    def cost(self, errors: Floats) -> Floats:
        """Return half the square of an error, or its Huber function, elementwise."""
        size = np.abs(errors)
        if self.delta is None:
            return size**2 / 2
        return np.where(size <= self.delta, size**2 / 2, self.delta * (size - self.delta / 2))

    def pull(self, errors: Floats) -> Floats:
        """Return the derivative of the cost, elementwise."""
        return errors if self.delta is None else np.clip(errors, -self.delta, self.delta)


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
    law : Law
        The law.
    columns : mapping
        The columns that it reads.
    observed : numpy.ndarray
        Measured responses.
    loss : Loss
        What is minimised.
    base : numpy.ndarray
        Coefficients; those that are held stay.
    slots : tuple of tuple of int
        For each free coefficient, the places in `base` that it fills (several if tied).
    """

    law: Law
    columns: Columns
    observed: Floats
    loss: Loss
    base: Floats
    slots: tuple[tuple[int, ...], ...]

    def theta(self, free: Floats) -> Floats:
        """Put free coefficients into their places."""
        theta = self.base.copy()
        for places, value in zip(self.slots, free, strict=True):
            theta[list(places)] = value
        return theta

    def free(self, theta: Floats) -> Floats:
        """Take the free coefficients out of all."""
        return theta[[places[0] for places in self.slots]]

    def errors(self, free: Floats) -> Floats:
        """Return each row's error."""
        return self.loss.errors(self.law.predict(self.theta(free), self.columns), self.observed)

    def jacobian(self, free: Floats) -> Floats:
        """Return the derivative of the errors, shape (rows, free coefficients)."""
        theta = self.theta(free)
        predicted = self.law.predict(theta, self.columns)
        gradient = self.law.gradient(theta, self.columns) * self.loss.slope(predicted, self.observed)[:, None]
        return np.stack([gradient[:, list(places)].sum(axis=1) for places in self.slots], axis=1)

    def objective(self, free: Floats) -> float:
        """Return the sum of the costs."""
        return float(self.loss.cost(self.errors(free)).sum())

    def bounds(self) -> tuple[Floats, Floats]:
        """Return the bounds of the free coefficients."""
        parameters = [self.law.parameters[places[0]] for places in self.slots]
        return np.array([p.low for p in parameters]), np.array([p.high for p in parameters])

    @property
    def is_linear(self) -> bool:
        """Whether the errors are linear in what is free, so that the optimum is solved for exactly."""
        shapes = any(places[0] >= len(self.law.linear) for places in self.slots)
        matching = (self.law.link == "log") == (self.loss.space == "log")
        return not shapes and matching and self.loss.delta is None

    def hold(self, place: int, value: float) -> "Problem":
        """Return the problem with one of its free coefficients held."""
        base = self.base.copy()
        base[list(self.slots[place])] = value
        return replace(self, base=base, slots=self.slots[:place] + self.slots[place + 1 :])

    def rows(self, index: NDArray[np.integer[Any]]) -> "Problem":
        """Return the same problem on some of its rows."""
        columns = {name: np.asarray(self.columns[name])[index] for name in self.law.columns}
        return replace(self, columns=columns, observed=self.observed[index])


def polish(problem: Problem, start: Floats, tolerance: float = 1e-15) -> Floats:
    """Minimise from a start, in units of the start; the result is never worse than the start."""
    if not problem.slots:
        return start
    if problem.is_linear:
        candidates, _ = screen(problem)
        return np.asarray(candidates[0])
    low, high = problem.bounds()
    scale = np.where(start != 0, np.abs(start), _column_scale(problem, start))

    def errors(free: Floats) -> Floats:
        return problem.errors(free * scale)

    def jacobian(free: Floats) -> Floats:
        return problem.jacobian(free * scale) * scale

    result = least_squares(
        errors,
        np.clip(start, low, high) / scale,
        jac=jacobian,
        bounds=(low / scale, high / scale),
        xtol=tolerance,
        ftol=tolerance,
        gtol=tolerance,
        max_nfev=2000,
        loss="linear" if problem.loss.delta is None else "huber",
        f_scale=problem.loss.delta or 1.0,
    )
    found = np.asarray(result.x * scale)
    # The method stays inside its bounds, so that an optimum on one is approached and not reached.
    snapped = np.where(found - low < 1e-6 * scale, low, np.where(high - found < 1e-6 * scale, high, found))
    return min((start, found, snapped), key=problem.objective)


def _column_scale(problem: Problem, free: Floats) -> Floats:
    """Return, for each coefficient, the change that moves the errors by about one."""
    lengths = np.linalg.norm(problem.jacobian(free), axis=0)
    return 1 / np.where(lengths > 0, lengths, 1.0)


def screen(problem: Problem) -> tuple[Floats, Floats]:
    """Try all combinations of screened shapes, each with its best linear coefficients.

    Returns
    -------
    starts : numpy.ndarray, shape (combinations, free coefficients)
        From the best to the worst.
    objectives : numpy.ndarray, shape (combinations,)
    """
    if len(problem.observed) > SCREENED_ROWS and not problem.is_linear:
        problem = problem.rows(np.linspace(0, len(problem.observed) - 1, SCREENED_ROWS).astype(int))
    law, k = problem.law, len(problem.law.linear)
    shapes = [places for places in problem.slots if places[0] >= k]
    grid = list(product(*(law.parameters[places[0]].screen for places in shapes)))
    thetas = np.tile(problem.base, (len(grid), 1))
    for column, places in enumerate(shapes):
        thetas[:, list(places)] = np.array(grid)[:, column, None]
    terms = law.terms(thetas[:, k:], problem.columns)
    target = np.log(problem.observed) if law.link == "log" else problem.observed
    weight = np.ones_like(target) if law.link == "log" else 1 / problem.loss.weight(target)
    linear = [places[0] for places in problem.slots if places[0] < k]
    rest = weight * (target - np.einsum("grk,gk->gr", terms, thetas[:, :k]))
    positive = np.array([law.linear[column].low == 0 for column in linear], dtype=bool)
    thetas[:, linear] = _solve_all(terms[..., linear] * weight[:, None], rest, positive)
    total = np.einsum("grk,gk->gr", terms, thetas[:, :k])
    predicted = np.exp(total) if law.link == "log" else total
    objectives = problem.loss.cost(problem.loss.errors(predicted, problem.observed)).sum(axis=1)
    order = np.argsort(objectives, kind="stable")
    return np.stack([problem.free(theta) for theta in thetas[order]]), objectives[order]


def _solve_all(matrices: Floats, targets: Floats, positive: np.ndarray) -> Floats:
    """Least squares for many matrices at once; marked coefficients are not negative.

    With few coefficients all ways to leave some at zero can be tried.
    """
    count = matrices.shape[-1]
    lengths = np.linalg.norm(matrices, axis=1)
    scaled = matrices / np.where(lengths > 0, lengths, 1.0)[:, None, :]
    gram = np.einsum("grk,grl->gkl", scaled, scaled) + 1e-13 * np.eye(count)
    right = np.einsum("grk,gr->gk", scaled, targets)
    best, solution = np.full(len(matrices), np.inf), np.zeros((len(matrices), count))
    for kept in product(*([False, True] if flag else [True] for flag in positive)):
        columns = np.flatnonzero(kept)
        if not len(columns):
            continue
        found = np.linalg.solve(gram[:, columns[:, None], columns], right[:, columns, None])[..., 0]
        missed = -np.einsum("gk,gk->g", found, right[:, columns])
        better = (missed < best) & (found[:, positive[columns]] >= 0).all(axis=1)
        best = np.where(better, missed, best)
        solution[better] = 0
        solution[np.ix_(better, columns)] = found[better]
    return solution / np.where(lengths > 0, lengths, 1.0)


@dataclass(frozen=True)
class Fit:
    """A fitted law.

    Parameters
    ----------
    problem : Problem
        What was minimised.
    table : pandas.DataFrame
        The rows it was fitted to.
    coefficients : numpy.ndarray
        One for each parameter, as they stand in the law.
    starts : pandas.DataFrame
        The polished starts: objective after the screen and after polishing, and coefficients.
    """

    problem: Problem
    table: pd.DataFrame
    coefficients: Floats
    starts: pd.DataFrame

    @property
    def law(self) -> Law:
        """The law."""
        return self.problem.law

    @property
    def free(self) -> tuple[str, ...]:
        """Names of the parameters that were fitted; a tied one counts once."""
        return tuple(self.law.parameters[places[0]].name for places in self.problem.slots)

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
    def _directions(self) -> tuple[Floats, Floats]:
        """Singular values and directions of the Jacobian in columns of unit length."""
        matrix = self.problem.jacobian(self.problem.free(self.coefficients))
        lengths = np.linalg.norm(matrix, axis=0)
        _, singular, directions = np.linalg.svd(matrix / np.where(lengths > 0, lengths, 1.0), full_matrices=False)
        return singular, directions

    @property
    def condition(self) -> float:
        """Condition number of the Jacobian in columns of unit length: large where parameters trade off."""
        singular, _ = self._directions
        return float(singular[0] / singular[-1]) if singular[-1] > 0 else np.inf

    @property
    def not_identified(self) -> tuple[str, ...]:
        """Free parameters that the rows cannot tell apart: they can move together without a trace."""
        singular, directions = self._directions
        flat = np.any(np.abs(directions[singular < 1e-8 * singular[0]]) > 1e-6, axis=0)
        return tuple(name for name, is_flat in zip(self.free, flat, strict=True) if is_flat)

    @cached_property
    def disagreement(self) -> float:
        """How much lower, relative to the objective, a second optimiser gets, or how much higher it stays.

        It is a quasi-Newton method (L-BFGS-B) that knows the objective and its gradient only, and
        starts from the second-best start of the screen.
        """
        problem, best = self.problem, self.problem.free(self.coefficients)
        start = self.starts.iloc[min(1, len(self.starts) - 1)][list(self.free)].to_numpy(dtype=float)
        scale = np.where(best != 0, np.abs(best), _column_scale(problem, best))
        unit = max(self.objective, 1e-16 * len(problem.observed))  # errors of 1e-8 count as none
        low, high = problem.bounds()

        def value_and_slope(free: Floats) -> tuple[float, Floats]:
            errors = problem.errors(free * scale)
            slope = problem.jacobian(free * scale).T @ problem.loss.pull(errors) * scale
            return float(problem.loss.cost(errors).sum()) / unit, slope / unit

        free = start / scale
        for _ in range(5):  # it restarts, as its memory of curvature goes stale in a narrow valley
            free = minimize(
                value_and_slope,
                free,
                jac=True,
                method="L-BFGS-B",
                bounds=Bounds(low / scale, high / scale),
                options={"maxiter": 20000, "maxfun": 40000, "ftol": 1e-16, "gtol": 1e-12, "maxcor": 20},
            ).x
        return abs(value_and_slope(free)[0] - self.objective / unit)

    @property
    def status(self) -> str:
        """One phrase: converged, at a bound, starts disagree, or not identified."""
        if self.not_identified:
            return f"not identified: {', '.join(self.not_identified)}"
        if self.disagreement > 1e-8:
            return "starts disagree"
        return f"at a bound: {', '.join(self.at_bound)}" if self.at_bound else "converged"

    @property
    def parameters(self) -> lmfit.Parameters:
        """The parameters as lmfit carries them: values, bounds, which vary, and ties."""
        carried = lmfit.Parameters()
        leaders = {place: places[0] for places in self.problem.slots for place in places}
        for place, (parameter, value) in enumerate(zip(self.law.parameters, self.coefficients, strict=True)):
            carried.add(
                parameter.name, value=float(value), vary=place in leaders, min=parameter.low, max=parameter.high
            )
            if leaders.get(place, place) != place:
                carried[parameter.name].set(expr=self.law.parameters[leaders[place]].name)
        return carried

    def predict(self, table: Columns) -> Floats:
        """Return the law's value in each row of a table."""
        return self.law.predict(self.coefficients, table)

    def errors(self, table: pd.DataFrame | None = None) -> Floats:
        """Return relative errors, predicted over observed less one; of the fitted rows by default."""
        rows = self.table if table is None else table
        return self.predict(rows) / self.law.observed(rows) - 1

    def mean_error(self, table: pd.DataFrame | None = None) -> float:
        """Return the mean absolute relative error."""
        return float(np.abs(self.errors(table)).mean())

    def rmse(self, table: pd.DataFrame | None = None) -> float:
        """Return the root mean square error, in the unit of the response."""
        rows = self.table if table is None else table
        return float(np.sqrt(np.mean((self.predict(rows) - self.law.observed(rows)) ** 2)))


def fit(
    law: Law,
    table: pd.DataFrame,
    loss: Loss = LOG_SQUARES,
    hold: dict[str, float] | None = None,
    tie: dict[str, str] | None = None,
    starts: int = 5,
) -> Fit:
    """Fit a law to the rows of a table.

    Parameters
    ----------
    law : Law
        The law.
    table : pandas.DataFrame
        Rows with the columns that the law needs.
    loss : Loss
        What is minimised; squares of log errors by default.
    hold : dict, optional
        Parameters held at a value, by name.
    tie : dict, optional
        Parameters that equal another one, by name: ``{"beta": "alpha"}``.
    starts : int
        How many of the screen's best starts are polished.

    Returns
    -------
    Fit

    Raises
    ------
    InputError
        If a column is missing or holds what the law or the loss cannot take, `hold` or `tie`
        name an unknown parameter, or there are fewer rows than free parameters.

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
    problem = _problem(law, table, loss, hold or {}, tie or {})
    candidates, objectives = screen(problem)
    rows = []
    for start, screened in zip(candidates[:starts], objectives[:starts], strict=True):
        polished = polish(problem, start)
        rows.append((screened, problem.objective(polished), polished, start))
    best = min(rows, key=lambda row: row[1])[2]
    names = [law.parameters[places[0]].name for places in problem.slots]
    kept = [{"screened": row[0], "polished": row[1], **dict(zip(names, row[3], strict=True))} for row in rows]
    return Fit(problem, table, problem.theta(best), pd.DataFrame(kept))


def _problem(law: Law, table: pd.DataFrame, loss: Loss, hold: dict[str, float], tie: dict[str, str]) -> Problem:
    names = [parameter.name for parameter in law.parameters]
    for argument, given in (("hold", hold), ("tie", {**tie, **dict.fromkeys(tie.values(), "")})):
        for name in given:
            if name not in names:
                raise InputError(f"Parameter {argument} names '{name}'; the law's parameters are {', '.join(names)}.")
    base = np.zeros(len(names))
    slots: dict[str, list[int]] = {}
    for place, (name, parameter) in enumerate(zip(names, law.parameters, strict=True)):
        if name in hold:
            base[place] = float(parameter.value(hold[name]))
        else:
            slots.setdefault(tie.get(name, name), []).append(place)
    if len(table) < len(slots):
        raise InputError(
            f"The table has {len(table)} rows; at least {len(slots)} are expected, one for each free parameter."
        )
    columns = {name: _column(table, name) for name in law.columns}
    _column(table, law.response)
    observed = law.observed(table)
    if loss.space != "linear" and not (observed > 0).all():
        row = int(np.flatnonzero(~(observed > 0))[0])
        raise InputError(
            f"Row {row + 1} of the table has a {law.response} of {observed[row]:g}; "
            "a positive one is expected by this loss."
        )
    ordered = sorted(slots.values())
    return Problem(law, columns, observed, loss, base, tuple(map(tuple, ordered)))


def _column(table: pd.DataFrame, name: str) -> Floats:
    if name not in table.columns:
        raise InputError(f"The table has no column '{name}', which the law needs.")
    try:
        column = table[name].to_numpy(dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"Column '{name}' of the table holds text; numbers are expected.") from None
    if not np.isfinite(column).all():
        row = int(np.flatnonzero(~np.isfinite(column))[0])
        raise InputError(f"Row {row + 1} of the table has no finite '{name}'; a number is expected.")
    return column
