"""How an optimum is found: a screen of starts, a tight polish, and a second optimiser.

For given shape parameters the linear coefficients are solved for exactly, so that only the shapes
have to be searched.
"""

from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter
from scipy.optimize import Bounds, minimize

from moelaws.checks import Floats
from moelaws.fitting.objective import Problem


@np.errstate(over="ignore", invalid="ignore")  # a trial step may leave what a float holds, and is then refused
def polish(problem: Problem, start: Floats, tolerance: float = 1e-15) -> Floats:
    """Minimise from a start; the result is never worse than the start.

    Steps are those of Levenberg and Marquardt, with Nielsen's damping (Madsen et al.). Rows beyond the bend of
    a Huber loss pull with constant force and add no curvature, which makes it Newton's method there.
    A coefficient that is pushed against its bound stays on it. A positive linear one moves along its
    logarithm, which straightens its trade-off with an exponent and halves the number of steps.

    Parameters
    ----------
    problem : Problem
        What is minimised.
    start : numpy.ndarray
        Free coefficients.
    tolerance : float
        What is still to be gained, relative to the objective, when it stops.

    References
    ----------
    K. Madsen, H. B. Nielsen and O. Tingleff, Methods for Non-Linear Least Squares Problems,
    2nd ed. (2004), Section 3.2.
    """
    if not problem.slots:
        return start
    if problem.is_linear:
        candidates, _ = screen(problem)
        return np.asarray(candidates[0])
    low, high = problem.bounds()
    positive = (low == 0) & [places[0] < len(problem.law.linear) for places in problem.slots]
    free = np.clip(start, low, high)
    errors = problem.errors(free)
    objective, damping, growth, moved = float(problem.loss.cost(errors).sum()), 1e-4, 2.0, True
    for _ in range(2000):
        if moved:
            matrix = problem.jacobian(free)
            slope = problem.loss.pull(errors) @ matrix
            lengths = np.sqrt(np.einsum("rk,rk->k", matrix, matrix))
            lengths[lengths == 0] = 1.0
            scaled = matrix / lengths
            curvature = (scaled * problem.loss.bend(errors)[:, None]).T @ scaled
            loose = ~((free <= low) & (slope > 0) | (free >= high) & (slope < 0))
            inside, down = curvature[np.ix_(loose, loose)], -(slope / lengths)[loose]
        step = np.zeros_like(free)
        step[loose] = np.linalg.solve(inside + damping * np.eye(len(down)), down)
        trial = np.clip(_moved(free, step / lengths, positive), low, high)
        done = down @ step[loose] <= tolerance * objective and damping < 1e-3
        if done or np.all(trial == free) or damping > 1e16:  # steps so short change nothing but rounding
            break
        step = (trial - free) * lengths
        gain = -(slope / lengths) @ step - step @ curvature @ step / 2
        errors_there = problem.errors(trial)
        objective_there = float(problem.loss.cost(errors_there).sum())
        moved = objective_there < objective
        if moved:
            ratio = (objective - objective_there) / max(gain, 1e-300)
            free, errors, objective = trial, errors_there, objective_there
            damping, growth = max(damping * max(1 / 10, 1 - (2 * min(ratio, 2.0) - 1) ** 3), 1e-12), 2.0
        else:
            damping, growth = damping * growth, growth * 2
    return free


def _moved(free: Floats, step: Floats, positive: NDArray[np.bool_]) -> Floats:
    """Add a step; a positive coefficient changes by that share, save where the step takes it to zero."""
    share = np.divide(step, free, out=np.full_like(free, np.inf), where=positive & (free > 0))
    return np.where(np.abs(share) < 1, free * np.exp(np.minimum(share, 1)), free + step)


def screen(problem: Problem) -> tuple[Floats, Floats]:
    """Try all combinations of screened shapes, each with its best linear coefficients.

    Returns
    -------
    starts : numpy.ndarray, shape (combinations, free coefficients)
        First those that no neighbour on the grid of shapes betters, one for each valley of the
        objective, then all others; both from the best to the worst.
    objectives : numpy.ndarray, shape (combinations,)
    """
    law, k = problem.law, len(problem.law.linear)
    shapes = [places for places in problem.slots if places[0] >= k]
    grid = list(product(*(law.parameters[places[0]].screen for places in shapes)))
    thetas = np.tile(problem.base, (len(grid), 1))
    for column, places in enumerate(shapes):
        thetas[:, list(places)] = np.array(grid)[:, column, None]
    terms = law.terms(thetas[:, k:], problem.columns)
    target = law.total(problem.observed, thetas[:, k:])
    weight = law.steepness(target, thetas[:, k:]) / problem.loss.weight(problem.observed)
    linear = [places[0] for places in problem.slots if places[0] < k]
    rest = weight * (target - np.einsum("grk,gk->gr", terms, thetas[:, :k]))
    positive = np.array([law.linear[column].low == 0 for column in linear], dtype=bool)
    thetas[:, linear] = _solve_all(terms[..., linear] * weight[..., None], rest, positive)
    predicted = law.respond(np.einsum("grk,gk->gr", terms, thetas[:, :k]), thetas[:, k:])
    objectives = problem.loss.cost(problem.loss.errors(predicted, problem.observed)).sum(axis=1)
    heights = objectives.reshape([len(law.parameters[places[0]].screen) for places in shapes] or [1])
    betters = (heights > minimum_filter(heights, size=3, mode="nearest")).ravel()
    order = np.lexsort((objectives, betters))
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


def second_opinion(problem: Problem, start: Floats, best: Floats) -> float:
    """Return the objective that another optimiser reaches from a start.

    It is a quasi-Newton method (L-BFGS-B) that knows the objective and its gradient only; `best`,
    an optimum already found, gives it the units.
    """
    scale = problem.scale(best)
    unit = problem.unit(best)
    low, high = problem.bounds()

    def value_and_slope(free: Floats) -> tuple[float, Floats]:
        errors = problem.errors(free * scale)
        slope = problem.jacobian(free * scale).T @ problem.loss.pull(errors) * scale
        return float(problem.loss.cost(errors).sum()) / unit, slope / unit

    free = start / scale
    with np.errstate(over="ignore", invalid="ignore"):  # far from a perfect fit, slopes can exceed a float
        for _ in range(5):  # it restarts, as its memory of curvature goes stale in a narrow valley
            free = minimize(
                value_and_slope,
                free,
                jac=True,
                method="L-BFGS-B",
                bounds=Bounds(low / scale, high / scale),
                options={"maxiter": 20000, "maxfun": 40000, "ftol": 1e-16, "gtol": 1e-12, "maxcor": 20},
            ).x
        reached = problem.objective(free * scale)
    return reached if np.isfinite(reached) else np.inf
