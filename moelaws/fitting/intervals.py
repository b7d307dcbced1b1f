"""Intervals of a fit: from the profile of its objective, and from resampled runs.

The profile takes rows as independent. Often they are not: all points of one load, or all
checkpoints of one run, move together. The bootstrap draws whole groups of rows, and is the one
to trust there.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import brentq
from tqdm import tqdm

from moelaws.checks import Floats, share, whole
from moelaws.data.table import numbers
from moelaws.errors import InputError
from moelaws.fitting.estimation import Fit
from moelaws.fitting.objective import Problem
from moelaws.fitting.optimise import minimise
from moelaws.fitting.resampling import refit

Intervals = dict[str, tuple[float, float]]


def profile(fit: Fit, level: float = 0.95) -> Intervals:
    """Return the interval of each free parameter in which the objective is not significantly worse.

    For each value of one parameter all others are fitted again. How much worse is still compatible
    with the data follows from the F distribution for squares, and for a Huber loss from the
    corresponding test for robust estimates, whose scale is the mean square of the loss's derivative
    over its mean slope.

    Returns
    -------
    dict
        Parameter name → (low, high), in the parameter's unit. An end at a parameter's bound means
        that the data do not limit it there; for a rate this can be infinity. A parameter that is not identified gets
        its bounds: the profile is flat, and rounding would say where it ends.
    """
    share(level=level)
    problem, best = fit.problem, fit.problem.free(fit.coefficients)
    scale = _scale(problem, best)
    limit = fit.objective + scale * stats.f.ppf(level, 1, len(problem.observed) - len(best)) / 2
    errors = _standard_errors(problem, best, scale)
    ends, arbitrary = np.array(problem.bounds()), np.isin(fit.free, fit.not_identified)
    for place in map(int, np.flatnonzero(~arbitrary)):
        ends[:, place] = [_end(problem, best, place, side, errors[place], limit) for side in (-1, 1)]
    return _named(fit, ends)


def _scale(problem: Problem, best: Floats) -> float:
    """Return the variance of the errors, or its counterpart for a Huber loss."""
    degrees = len(problem.observed) - len(best)
    if degrees < 1:
        raise InputError(
            f"The table has {len(problem.observed)} rows; more than the {len(best)} free parameters are expected."
        )
    errors, delta = problem.errors(best), problem.loss.delta
    pull = float(np.sum(problem.loss.influence(errors) ** 2)) / degrees
    if delta is None:
        return pull
    # The share of errors below delta; where that is narrow, counted in a wider window and scaled to it.
    spread = float(stats.median_abs_deviation(errors, scale="normal"))
    window = max(delta, 0.9 * spread * len(errors) ** -0.2)
    return float(pull / max(delta / window * np.mean(np.abs(errors) <= window), 1 / len(errors)))


def _standard_errors(problem: Problem, best: Floats, scale: float) -> Floats:
    """Return rough standard errors, which say how far to look for the ends of an interval."""
    matrix, lengths = problem.unit_jacobian(best)
    inverse = np.linalg.pinv(matrix, rcond=1e-10)
    return np.asarray(np.sqrt(scale * np.sum(inverse**2, axis=1)) / lengths)


def _end(problem: Problem, best: Floats, place: int, side: int, error: float, limit: float) -> float:
    """Follow the profile of one coefficient to where it crosses the limit, or to the bound."""
    if not error:
        return float(best[place])  # the law goes through all rows
    bound = problem.bounds()[(side + 1) // 2][place]
    known = {best[place]: np.delete(best, place)}
    least = problem.objective(best)
    goal = np.sqrt(limit - least)

    def lost(value: float) -> float:
        # As a root it is nearly linear in the coefficient, which says where to look next (Bates and Watts 1988).
        held = problem.hold(place, value)
        if value not in known:
            at = sorted(known)
            start = [np.interp(value, at, others) for others in zip(*(known[other] for other in at), strict=True)]
            known[value] = minimise(held, np.array(start), tolerance=1e-12).free
        return float(np.sqrt(max(held.objective(known[value]) - least, 0)))

    near, far = best[place], best[place] + side * 2 * error
    for _ in range(60):
        if side * (far - bound) >= 0:
            if lost(bound) <= goal:
                return float(bound)
            far = bound
        if (here := lost(far)) > goal:
            return float(brentq(lambda value: lost(value) - goal, near, far, xtol=1e-14 * error, rtol=1e-9))
        near, far = far, best[place] + (far - best[place]) * (max(2, 1.2 * goal / here) if here > goal / 8 else 10)
    return float(side * np.inf)


@dataclass(frozen=True)
class Refits:
    """Fits to resampled groups of rows.

    Parameters
    ----------
    fit : Fit
        The fit to all rows.
    coefficients : numpy.ndarray, shape (draws that converged, free parameters)
        Those of each draw, as they stand in the law.
    groups : int
        How many groups each draw was made of.
    left : float
        Share of the variance of errors that the fit leaves in the rows, if those of a group err alike. Where each
        row is a group, it is the share of degrees of freedom that parameters do not take; a parameter that differences
        within groups determine takes nothing from what groups share.
    alone, failed : tuple of int
        Numbers of the draws that did not converge together with the others and were fitted by themselves, and of
        those that did not converge then either and are left out.
    """

    fit: Fit
    coefficients: Floats
    groups: int
    left: float
    alone: tuple[int, ...] = ()
    failed: tuple[int, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What there is to object to, one sentence each; empty if nothing is."""
        if not self.failed:
            return ()
        draws, named = len(self.coefficients) + len(self.failed), ", ".join(map(str, self.failed[:10]))
        more = "" if len(self.failed) <= 10 else f" and {len(self.failed) - 10} more"
        return (f"{len(self.failed)} of {draws} refits did not converge and are left out: draws {named}{more}.",)

    def interval(self, values: Floats, level: float = 0.95) -> Floats:
        """Return the interval of anything that was computed from the coefficients of each draw.

        It is expanded (see :func:`interval`), with as many degrees of freedom as there are groups more than free
        parameters.

        Parameters
        ----------
        values : numpy.ndarray, shape (draws, ...)
            One value, or one array of values, for each draw.

        Returns
        -------
        numpy.ndarray, shape (2, ...)
        """
        return interval(values, level, max(self.groups - len(self.fit.free), 1))

    def ranges(self, level: float = 0.95) -> Intervals:
        """Return the interval of each free parameter, as :meth:`interval` gives it, in the parameter's unit.

        A parameter that is not identified gets its bounds: every refit leaves it where it started, and
        the draws know nothing of how far it could have moved.
        """
        arbitrary = np.isin(self.fit.free, self.fit.not_identified)
        ends = self.interval(self.coefficients, level)
        return _named(self.fit, np.where(arbitrary, self.fit.problem.bounds(), ends))


def refits(fit: Fit, by: str | None = None, draws: int = 1000, seed: int = 0, progress: bool = False) -> Refits:
    """Fit again to resampled groups of rows.

    Rows with equal values in the column `by` make a group; by default each row does by itself.
    """
    whole(2, draws=draws)
    groups, best = _groups(fit.table, by), fit.problem.free(fit.coefficients)
    coefficients, alone, failed = refit(fit.problem, best, _counts(groups, draws, seed), draws, progress)
    if failed.all():
        raise InputError(f"None of {draws} refits converged; fewer parameters or more rows are expected.")
    numbers = (tuple(np.flatnonzero(which).tolist()) for which in (alone, failed))
    left = _left(fit.problem.basis(best), groups)
    return Refits(fit, coefficients[~failed], int(groups.max()) + 1, left, *numbers)


def _left(basis: Floats, groups: NDArray[np.integer[Any]]) -> float:
    """Return the share of the variance of errors, equal in the rows of a group, outside of what a fit can move."""
    sums = np.zeros((groups.max() + 1, basis.shape[1]))
    np.add.at(sums, groups, basis)
    return max(1 - float(np.sum(sums**2)) / len(groups), 1 / len(sums))


def _named(fit: Fit, ends: Floats) -> Intervals:
    """Turn intervals of the free coefficients, shape (2, free), into intervals of the parameters."""
    parameters = [fit.law.parameters[places[0]] for places in fit.problem.indices]
    named = {}
    for parameter, pair in zip(parameters, ends.T, strict=True):
        low, high = sorted(parameter.value(pair).tolist())
        named[parameter.name] = (low, high)
    return named


def bootstrap(
    statistic: Callable[[pd.DataFrame], Floats],
    table: pd.DataFrame,
    by: str | None = None,
    draws: int = 1000,
    seed: int = 0,
    progress: bool = False,
) -> Floats:
    """Compute a statistic on tables whose groups of rows were drawn with replacement.

    Differences between two fits to the same draw are *paired*: what the draw does to both cancels.
    The draws are made in order and computed through joblib, one process by default, so that
    ``joblib.parallel_config`` moves them elsewhere without changing a digit.

    Parameters
    ----------
    statistic : callable
        Takes a table, returns a number or an array of fixed shape.
    by : str, optional
        Column whose equal values make a group, such as one run or one load; by default each row
        by itself.

    Returns
    -------
    numpy.ndarray, shape (draws, ...)
        The statistic of each draw; :func:`interval` turns it into intervals.
    """
    whole(1, draws=draws)
    groups = _groups(table, by)
    members, sizes = np.argsort(groups, kind="stable"), np.bincount(groups)
    starts = np.cumsum(sizes) - sizes

    def rows(chosen: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
        within = np.arange(sizes[chosen].sum()) - np.repeat(np.cumsum(sizes[chosen]) - sizes[chosen], sizes[chosen])
        return np.asarray(members[np.repeat(starts[chosen], sizes[chosen]) + within])

    # Drawn one at a time: all draws of a large table would not fit into memory.
    tasks = (joblib.delayed(_apply)(statistic, table, rows(chosen)) for chosen in _chosen(len(sizes), draws, seed))
    results = joblib.Parallel(return_as="generator")(tasks)
    return np.array(list(tqdm(results, total=draws, delay=2, disable=not progress, unit="fit")))


def _groups(table: pd.DataFrame, by: str | None) -> NDArray[np.integer[Any]]:
    """Return the number of each row's group, in the order of the column's values."""
    if by is not None and (not isinstance(by, str) or by not in table.columns):
        raise InputError(f"Parameter by is '{by}'; a column of the table is expected: {', '.join(table.columns)}.")
    groups = np.arange(len(table)) if by is None else pd.factorize(table[by], sort=True, use_na_sentinel=False)[0]
    if groups.max() < 1:
        of = "The table has one row" if by is None else f"Column '{by}' has one value"
        raise InputError(f"{of}; at least two groups are expected.")
    return np.asarray(groups)


def _chosen(count: int, draws: int, seed: int) -> Iterator[NDArray[np.integer[Any]]]:
    """Yield the numbers of the groups of each draw."""
    rng = np.random.default_rng(seed)
    return (rng.integers(count, size=count) for _ in range(draws))


def _counts(groups: NDArray[np.integer[Any]], draws: int, seed: int) -> Iterator[NDArray[np.integer[Any]]]:
    """Yield how often each draw of groups has each row."""
    count = groups.max() + 1
    return (np.bincount(chosen, minlength=count)[groups] for chosen in _chosen(count, draws, seed))


def _apply(statistic: Callable[[pd.DataFrame], Floats], table: pd.DataFrame, rows: NDArray[np.integer[Any]]) -> Floats:
    return statistic(table.iloc[rows])


def interval(draws: Floats, level: float = 0.95, freedom: int | None = None) -> Floats:
    """Return the central interval of bootstrap draws, shape (2, ...).

    With few groups the central 95 % of the draws hold the true value in fewer than 95 of 100 experiments. With
    `freedom` the interval is therefore an expanded percentile one (Hesterberg): it reaches as far into the tails of the
    draws as Student's t with so many degrees of freedom reaches beyond the normal distribution. Beyond the last draw it
    cannot reach, so that fewer than about ten degrees of freedom need thousands of draws.

    Parameters
    ----------
    draws : numpy.ndarray, shape (draws, ...)
        One value, or one array of values, for each draw.
    freedom : int, optional
        Degrees of freedom: groups that were drawn, less parameters that were fitted to them.

    References
    ----------
    T. C. Hesterberg, What teachers should know about the bootstrap, The American Statistician 69 (2015) 371–386,
    Section 3.3.
    """
    share(level=level)
    if len(draws) < 2:
        raise InputError(f"There are {len(draws)} draws; at least two are expected, for an interval.")
    if freedom is not None:
        level = expanded(level, freedom)
    tail = (1 - level) / 2
    return np.asarray(np.quantile(draws, [tail, 1 - tail], axis=0))


def expanded(level: float, freedom: int, factor: float = 1.0) -> float:
    """Return the level at which a normal interval is as wide as Student's at the given one, times a factor.

    Examples
    --------
    The ends of a mean of ten rows, 2.262 standard errors away, which n instead of n - 1 makes too short:

    >>> round(expanded(0.95, 9, np.sqrt(10 / 9)), 4)
    0.9829
    """
    share(level=level)
    reach = factor * stats.t.ppf((1 + level) / 2, freedom)
    return float(min(1 - 2 * stats.norm.sf(reach), np.nextafter(1, 0)))


def left_out(fit: Fit, by: str | None = None) -> Floats:
    """Predict each row by a fit to the rows that do not belong to it.

    Rows with equal values in the column `by` are left out together; by default each row is by itself.
    """
    problem, best, groups = fit.problem, fit.problem.free(fit.coefficients), _groups(fit.table, by)
    count = groups.max() + 1
    kept = ((groups != group).astype(int) for group in range(count))
    coefficients, _, failed = refit(problem, best, kept, count)
    if failed.any():
        rows = ", ".join(str(row + 1) for row in np.flatnonzero(failed[groups]))
        raise InputError(
            f"Fits without these rows do not converge: {rows}; fewer parameters or more rows are expected."
        )
    predicted = np.empty(len(fit.table))
    for group, free in enumerate(coefficients):
        out = np.flatnonzero(groups == group)
        predicted[out] = fit.law.predict(problem.theta(free), problem.rows(out).columns)
    return predicted


def held_out(
    fit: Fit, table: pd.DataFrame, by: str | None = None, draws: int = 1000, seed: int = 0
) -> tuple[Floats, NDArray[np.integer[Any]]]:
    """Predict rows that a fit has not seen by fits to resampled groups; a group is drawn with the rows of both kinds.

    Parameters
    ----------
    table : pandas.DataFrame
        The rows held out, with the columns of the law and `by`.

    Returns
    -------
    predicted : numpy.ndarray, shape (draws, rows held out)
        Not a number where the fit of a draw did not converge.
    counts : numpy.ndarray, shape (draws, rows held out)
        How often a draw has the row: its weight in the error of that draw.
    """
    groups, fitted = _groups(pd.concat([fit.table, table]), by), len(fit.table)
    counts = np.array(list(_counts(groups, draws, seed)))
    free, _, failed = refit(fit.problem, fit.problem.free(fit.coefficients), iter(counts[:, :fitted]), draws)
    free[failed] = np.nan
    columns = {name: numbers(table, name) for name in fit.law.columns}
    return fit.law.predict(fit.problem.theta(free), columns), counts[:, fitted:]


def left_out_error(fit: Fit, by: str) -> pd.Series:
    """Return the mean relative error of each group, predicted by a fit to all others."""
    errors = np.abs(left_out(fit, by) / fit.law.observed(fit.table) - 1)
    return pd.Series(errors).groupby(fit.table[by].to_numpy(), dropna=False).mean()


def written(value: float, ends: Sequence[float]) -> str:
    """Write a value with its interval, to two digits of the interval's half-width.

    Where that is far above one, a smaller number keeps two digits of its own. The ends may be infinite.

    Examples
    --------
    >>> written(1663.798, (1487.37, 1786.34))
    '1660 (1490 to 1790)'
    >>> written(3.5065, (2.7947, 3.8421)), written(77438.5, (557.4, np.inf))
    ('3.51 (2.79 to 3.84)', 'more than 557')
    """
    low, high = ends
    if np.isinf(low) and np.isinf(high):
        return f"{value:.4g} (not limited)"
    if np.isinf(high):
        return f"more than {low:.3g}"
    if np.isinf(low):
        return f"less than {high:.3g}"
    if not high - low > 1e-9 * abs(value):  # rounding, of an exact fit
        return f"{value:.4g} ({low:.4g} to {high:.4g})"
    digits = 1 - int(np.floor(np.log10((high - low) / 2)))

    def shown(x: float) -> str:
        if (digits < 0 and 0 < abs(x) < 10.0**-digits) or abs(x) >= 1e15:
            return f"{x:.2g}"
        return f"{round(x, digits):.{max(digits, 0)}f}"

    return f"{shown(value)} ({shown(low)} to {shown(high)})"
