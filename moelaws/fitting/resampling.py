"""Fits of one law to the same rows, weighted in many ways, all at once.

A resample of the rows is a weight for each of them: how often it was drawn. A thousand refits are then one
problem with an axis more, whose steps are a few operations on arrays.
"""

import numpy as np
from numpy.typing import NDArray

from moelaws.checks import Floats
from moelaws.fitting.objective import Problem

STEPS = 100
"""After how many steps a fit that still moves is left to the solver of single fits."""


def refine(problem: Problem, start: Floats, weights: Floats, tolerance: float = 1e-12) -> tuple[Floats, NDArray[np.bool_]]:
    """Minimise the weighted objective for each row of weights, from one start.

    Steps are those of Levenberg and Marquardt, with Nielsen's damping. Rows beyond the bend of a Huber loss
    pull with constant force and add no curvature, which makes it Newton's method there. A coefficient that is
    pushed against its bound stays on it. A positive linear one moves along its logarithm, which straightens its
    trade-off with an exponent.

    Parameters
    ----------
    problem : Problem
        Law, rows and loss.
    start : numpy.ndarray, shape (free coefficients,)
        Where all begin: the fit to all rows.
    weights : numpy.ndarray, shape (draws, rows)
        What each row counts in each draw; whole numbers or not.
    tolerance : float
        What a last step gained, relative to the objective.

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
    positive = (low == 0) & [places[0] < len(problem.law.linear) for places in problem.slots]
    found = np.tile(np.clip(start, low, high), (len(weights), 1))
    converged = np.zeros(len(weights), dtype=bool)
    live = np.arange(len(weights))
    free, damping, growth = found.copy(), np.full(len(weights), 1e-4), np.full(len(weights), 2.0)
    objective, slope, curvature, lengths = _expanded(problem, free[:1], weights)
    floor = 1e-16 * weights.sum(axis=1)  # errors of 1e-8 count as none
    eye = np.eye(len(low))
    for _ in range(STEPS):
        loose = ~((free <= low) & (slope > 0) | (free >= high) & (slope < 0))
        both = loose[:, :, None] & loose[:, None, :]
        matrix = np.where(both, curvature, 0) + np.where(loose, damping[:, None], 1.0)[:, :, None] * eye
        down = np.where(loose, -slope, 0)
        step = np.linalg.solve(matrix, down[..., None])[..., 0]
        trial = np.clip(_moved(free, step / lengths, positive), low, high)
        done = (np.sum(down * step, axis=1) <= tolerance * np.maximum(objective, floor)) & (damping < 1e-3)
        converged[live[done]] = True
        found[live[done]] = trial[done]
        go = ~done & (damping < 1e16)
        if not go.any():
            break
        live, weights, floor = live[go], weights[go], floor[go]
        state = free, objective, slope, curvature, lengths, damping, growth
        free, objective, slope, curvature, lengths, damping, growth = (part[go] for part in state)
        trial = trial[go]
        moved = (trial - free) * lengths
        gain = -np.sum(slope * moved, axis=1) - np.einsum("dk,dkl,dl->d", moved, curvature, moved) / 2
        there = _expanded(problem, trial, weights)
        better = there[0] < objective
        ratio = np.where(better, objective - there[0], 0) / np.maximum(gain, 1e-300)
        shrunk = np.maximum(damping * np.maximum(0.1, 1 - (2 * np.minimum(ratio, 2.0) - 1) ** 3), 1e-12)
        damping, growth = np.where(better, shrunk, damping * growth), np.where(better, 2.0, 2 * growth)
        for old, new in zip((free, objective, slope, curvature, lengths), (trial, *there), strict=True):
            old[better] = new[better]
        found[live] = free
    return found, converged


def _moved(free: Floats, step: Floats, positive: NDArray[np.bool_]) -> Floats:
    """Add a step; a positive coefficient changes by that share, save where the step takes it to zero."""
    share = np.divide(step, free, out=np.full_like(free, np.inf), where=positive & (free > 0))
    return np.where(np.abs(share) < 1, free * np.exp(np.minimum(share, 1)), free + step)


def _expanded(problem: Problem, free: Floats, weights: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return objective, slope and curvature in units of the lengths of the Jacobian's columns, and these lengths.

    Of one row of coefficients for all rows of weights, or of one each.
    """
    law, loss, k = problem.law, problem.loss, len(problem.law.linear)
    spread = problem._spread
    theta = np.where(spread.any(axis=1), free @ spread.T, problem.base)
    terms, slopes = law.terms(theta[:, k:], problem.columns), law.slopes(theta[:, k:], problem.columns)
    total = (terms @ theta[:, :k, None])[..., 0]
    predicted = np.exp(total) if law.link == "log" else total
    steep = loss.slope(predicted, problem.observed)
    if law.link == "log":
        steep = steep * predicted
    matrix = np.concatenate([terms, np.einsum("drks,dk->drs", slopes, theta[:, :k])], axis=2) * steep[..., None]
    errors = loss.errors(predicted, problem.observed)
    objective = np.sum(weights * loss.cost(errors), axis=1)
    slope = ((weights * loss.pull(errors))[:, None, :] @ matrix)[:, 0] @ spread
    transposed = matrix.swapaxes(1, 2)
    squares = spread.T @ (transposed @ (matrix * weights[..., None])) @ spread
    lengths = np.sqrt(np.einsum("dkk->dk", squares))
    lengths[lengths == 0] = 1.0
    if loss.delta is not None:
        squares = spread.T @ (transposed @ (matrix * (weights * loss.bend(errors))[..., None])) @ spread
    return objective, slope / lengths, squares / lengths[:, :, None] / lengths[:, None, :], lengths
