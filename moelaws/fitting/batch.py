"""One problem minimised many times at once, from many starts or for many weights of its rows."""

import numpy as np
from numpy.typing import NDArray

from moelaws.checks import Floats
from moelaws.fitting.objective import Problem

STEPS = 100
"""After how many steps a fit that still moves is left to the solver of single fits."""

AT_ONCE = 50_000
"""Weights that are worked on at once: what a processor's cache holds is several times faster than what it does not."""


@np.errstate(
    over="ignore", invalid="ignore", divide="ignore"
)  # a trial step may leave what a float holds, and is refused
def refine(
    problem: Problem, start: Floats, weights: Floats, tolerance: float = 1e-14, rough: bool = False
) -> tuple[Floats, NDArray[np.bool_]]:
    """Minimise the weighted objective for each row of weights, from one start or from one each.

    Steps are those of Levenberg and Marquardt, with Nielsen's damping. Rows beyond the bend of a Huber loss
    pull with constant force and add no curvature, which makes it Newton's method there. That is fast near the optimum
    and lost far from it, where such a row better counts as a square of less weight. A coefficient that is
    pushed against its bound stays on it. A positive linear one moves along the logarithm of what its term
    contributes to a typical row, which straightens its trade-off with an exponent.

    Parameters
    ----------
    start : numpy.ndarray, shape (free coefficients,) or (draws, free coefficients)
        Where all begin, or each.
    weights : numpy.ndarray, shape (draws, rows)
        What each row counts in each draw.
    tolerance : float
        What an undamped step still gains, relative to the objective, where it has converged.
    rough : bool
        Whether the starts are far from an optimum.

    Returns
    -------
    coefficients : numpy.ndarray, shape (draws, free coefficients)
    converged : numpy.ndarray of bool, shape (draws,)

    References
    ----------
    K. Madsen, H. B. Nielsen and O. Tingleff, Methods for Non-Linear Least Squares Problems,
    2nd ed. (2004), Section 3.2.
    """
    low, high = problem.bounds()
    free = np.clip(np.broadcast_to(start, (len(weights), len(low))), low, high)
    converged, steps = np.zeros(len(weights), dtype=bool), np.zeros(len(weights), dtype=int)
    # With a tenth of this, twice as many steps of refits fail.
    damping, growth = np.full(len(weights), 1e-4 if rough else 1e-3), np.full(len(weights), 2.0)
    path, first = _Path(problem), free[:1] if start.ndim == 1 else free
    typical = path.terms(first)
    objective, *small = _expanded(problem, first, path.tangent(first, typical), weights, rough)
    slope, curvature, lengths, typical = (
        np.broadcast_to(part, (len(free), *part.shape[1:])).copy() for part in (*small, typical)
    )
    state = free, objective, slope, curvature, lengths, typical
    waiting, width = np.arange(len(weights)), max(1, AT_ONCE // weights.shape[1])
    while len(waiting):
        # As soon as one is done, the next takes its place: steps of a few cost nearly as much as those of many.
        live = waiting[:width]
        here, before, pull, bend, unit, contributed = (part[live] for part in state)
        loose = ~((here <= low) & (pull > 0) | (here >= high) & (pull < 0))
        down = np.where(loose, -pull, 0.0)
        matrix = np.where(loose[:, :, None] & loose[:, None, :], bend, 0.0)
        np.einsum("dkk->dk", matrix)[...] += np.where(loose, damping[live, None], 1.0)
        usable = np.isfinite(matrix).all(axis=(1, 2)) & np.isfinite(down).all(axis=1)
        matrix[~usable], down[~usable] = np.eye(len(low)), 0.0
        step = np.linalg.solve(matrix, down[..., None])[..., 0]
        # Errors of 1e-8 count as none.
        left = np.sum(down * step, axis=1) / np.maximum(before, 1e-16 * weights[live].sum(axis=1))
        trial, step, contributes = path.moved(here, step / unit, contributed)
        there = _expanded(problem, trial, path.tangent(trial, contributes), weights[live], rough)
        step *= unit
        gain = -np.sum(pull * step, axis=1) - np.einsum("dk,dkl,dl->d", step, bend, step) / 2
        better = there[0] < before
        # What is below 1e-12 of a sum and does not show in it is rounding.
        done = ((left <= tolerance) | (left <= 1e-12) & ~better) & (damping[live] < 1e-3) & usable
        ratio = np.where(better, before - there[0], 0.0) / np.maximum(gain, 1e-300)
        shrunk = np.maximum(damping[live] * np.maximum(0.1, 1 - (2 * np.minimum(ratio, 2.0) - 1) ** 3), 1e-12)
        damping[live] = np.where(better, shrunk, damping[live] * growth[live])
        growth[live] = np.where(better, 2.0, 2 * growth[live])
        for part, found in zip(state, (trial, *there, contributes), strict=True):
            part[live[better]] = found[better]
        converged[live], steps[live] = done, steps[live] + 1
        over = done | (damping[live] >= 1e16) | (steps[live] >= STEPS)
        waiting = np.concatenate([live[~over], waiting[width:]])
    return free, converged


class _Path:
    """Along which coefficients move: a positive linear one so that its term's part of a typical row stays.

    Where an exponent changes, its coefficient changes with it. What is left of the coefficient's own step is a share
    of it, save where that takes it to zero.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem, self.bounds, k = problem, problem.bounds(), len(problem.law.linear)
        self.row = {name: np.exp(np.log(problem.columns[name]).mean(keepdims=True)) for name in problem.law.columns}
        single = np.array([len(places) == 1 and places[0] < k for places in problem.indices], dtype=bool)
        self.linear = np.flatnonzero(single & (self.bounds[0] == 0))
        self.places = [problem.indices[index][0] for index in self.linear]
        self.spread = problem.spread[k:]

    def _shape(self, free: Floats) -> Floats:
        return self.problem.theta(free)[:, len(self.problem.law.linear) :]

    def terms(self, free: Floats) -> Floats:
        """Return what the coefficients multiply in the typical row, shape (draws, positive linear coefficients)."""
        return self.problem.law.terms(self._shape(free), self.row)[:, 0, self.places]

    def tangent(self, free: Floats, terms: Floats) -> Floats:
        """Return the derivative of the coefficients by the coordinates, shape (draws, coefficients, coordinates)."""
        slopes = self.problem.law.slopes(self._shape(free), self.row)[:, 0, self.places]
        shares = np.divide(slopes, terms[..., None], out=np.zeros_like(slopes), where=terms[..., None] > 0)
        tangent = np.tile(np.eye(free.shape[1]), (len(free), 1, 1))
        tangent[:, self.linear] -= free[:, self.linear, None] * (shares @ self.spread)
        return tangent

    def moved(self, free: Floats, step: Floats, before: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the coefficients after a step of the coordinates, how far these could go, and the terms there."""
        trial = np.clip(free + step, *self.bounds)
        step = trial - free
        after = self.terms(trial)
        trial[:, self.linear] *= np.divide(before, after, out=np.ones_like(after), where=(before > 0) & (after > 0))
        return np.clip(trial, *self.bounds), step, after


def _expanded(
    problem: Problem, free: Floats, tangent: Floats, weights: Floats, rough: bool
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return objective, slope and curvature in units of the lengths of the Jacobian's columns, and these lengths.

    Of one row of coefficients for all rows of weights, or of one each.
    """
    loss, tangent = problem.loss, problem.spread @ tangent
    predicted, gradient = problem.law.expand(problem.theta(free), problem.columns)
    errors, slopes = loss.errors(predicted, problem.observed), loss.slope(predicted, problem.observed)
    # Rows come last in memory, too, which makes the products below several times faster.
    across = np.ascontiguousarray(np.swapaxes(gradient, 1, 2))
    matrix = np.swapaxes(across, 1, 2)
    bent = weights * (loss.irls_weight(errors) if rough else loss.curvature(errors)) if loss.delta else weights
    squares = tangent.swapaxes(1, 2) @ ((across * (bent * slopes**2)[:, None]) @ matrix) @ tangent
    lengths = np.sqrt(np.einsum("dkk->dk", squares))
    lengths[lengths == 0] = 1.0
    slope = (((weights * loss.influence(errors) * slopes)[:, None] @ matrix) @ tangent)[:, 0]
    objective = np.sum(weights * loss.cost(errors), axis=1)
    return objective, slope / lengths, squares / (lengths[:, :, None] * lengths[:, None, :]), lengths
