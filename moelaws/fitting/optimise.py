"""How an optimum is found: a grid of starts, SciPy's least squares, and a fast kernel for refits.

For given shape parameters the linear coefficients are solved for exactly, so that only the shapes
have to be searched. Every minimiser returns whether it converged.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize
from scipy.ndimage import minimum_filter

from moelaws.checks import Floats
from moelaws.errors import InputError
from moelaws.fitting.batch import AT_ONCE, refine
from moelaws.fitting.objective import Problem
from moelaws.laws.base import Parameter

EVALUATIONS = 500
"""Evaluations after which one run of SciPy's least squares gives up; well posed, the hardest laws take a fifth."""

RUNS = 10
"""Runs, each from the end of the one before, after which a gain that goes on is called no convergence."""

LOOKS = 16
"""Random starts for each shape parameter beyond two, which the grid covers."""

LOOK_ROWS = 200
"""Rows that are looked at first, from all starts."""

SHARE = 1e-3
"""What each term contributes at least where a look starts."""

FOLLOWED = 8
"""Looks that are followed further, the lowest."""

AGREEMENT = 1e-6
"""Share of the objective that tells optima apart."""

ROUGH = 1e-6
"""Tolerance of a search that has to tell valleys apart."""

ROUGH_EVALUATIONS = 400
"""Evaluations of such a look."""

GAIN = 1e-10
"""Share of the objective that counts as nothing gained."""


class Optimum(NamedTuple):
    """Free coefficients, and whether the minimiser stopped because nothing was left to gain."""

    free: Floats
    converged: bool


@dataclass(frozen=True)
class Coefficients:
    """Coordinates that are the free coefficients themselves."""

    problem: Problem

    def bounds(self) -> tuple[Floats, Floats]:
        """Return the bounds of the coordinates."""
        return self.problem.bounds()

    def of(self, free: Floats) -> Floats:
        """Return the coordinates of free coefficients."""
        return free

    def free(self, coordinates: Floats) -> Floats:
        """Return the free coefficients of coordinates."""
        return coordinates

    def errors(self, coordinates: Floats) -> Floats:
        """Return each row's error."""
        return self.problem.errors(self.free(coordinates))

    def jacobian(self, coordinates: Floats) -> Floats:
        """Return the derivative of the errors by the coordinates, shape (rows, free coefficients)."""
        return self.problem.jacobian(coordinates)


@dataclass(frozen=True)
class Contributions(Coefficients):
    """Coordinates in which a linear coefficient is what its term contributes, as a root mean square over the rows.

    A coefficient at one parameter trades off with its exponent over many powers of ten; the contribution does not, so
    that the valley of the objective is short and straight. Positive shapes are searched by their logarithms,
    and coefficients that are tied as they are.
    """

    @cached_property
    def linear(self) -> NDArray[np.intp]:
        """Which free coefficients are those of one term each."""
        (low, high), k = self.problem.bounds(), len(self.problem.law.linear)
        single = np.array([len(places) == 1 and places[0] < k for places in self.problem.indices])
        return np.flatnonzero(single & np.isin(low, (0, -np.inf)) & np.isposinf(high))

    @cached_property
    def logs(self) -> NDArray[np.intp]:
        """Which free coefficients are searched by their logarithms."""
        return np.flatnonzero(self.problem.bounds()[0] > 0)

    def bounds(self) -> tuple[Floats, Floats]:
        """Return the bounds of the coordinates."""
        low, high = self.problem.bounds()
        low[self.logs], high[self.logs] = np.log(low[self.logs]), np.log(high[self.logs])
        return low, high

    def of(self, free: Floats) -> Floats:
        """Return the coordinates of free coefficients."""
        coordinates = free.copy()
        coordinates[self.linear] *= _root_mean_square(self.terms(free))
        coordinates[self.logs] = np.log(free[self.logs])
        return coordinates

    def free(self, coordinates: Floats) -> Floats:
        """Return the free coefficients of coordinates."""
        return self._with_terms(coordinates)[0]

    def _with_terms(self, coordinates: Floats) -> tuple[Floats, Floats]:
        free = coordinates.copy()
        free[self.logs] = np.exp(coordinates[self.logs])
        terms = self.terms(free)
        free[self.linear] /= _root_mean_square(terms)
        return np.clip(free, *self.problem.bounds()), terms

    def jacobian(self, coordinates: Floats) -> Floats:
        """Return the derivative of the errors by the coordinates, shape (rows, free coefficients)."""
        problem, (free, terms), k = self.problem, self._with_terms(coordinates), len(self.problem.law.linear)
        matrix = problem.jacobian(free)
        if problem.law.shape:
            slopes = problem.law.slopes(problem.theta(free)[k:], problem.columns)[:, self._columns]
            mixed = np.einsum("rk,rkm->km", terms, slopes) / np.maximum(np.sum(terms**2, axis=0), 1e-300)[:, None]
            matrix -= matrix[:, self.linear] @ (free[self.linear, None] * (mixed @ problem.spread[k:]))
        matrix[:, self.linear] /= _root_mean_square(terms)
        matrix[:, self.logs] *= free[self.logs]
        return matrix

    @cached_property
    def _columns(self) -> list[int]:
        return [self.problem.indices[place][0] for place in self.linear]

    def terms(self, free: Floats) -> Floats:
        """Return what the linear coefficients multiply, shape (rows, coefficients)."""
        shape = self.problem.theta(free)[len(self.problem.law.linear) :]
        return np.asarray(self.problem.law.terms(shape, self.problem.columns)[:, self._columns])


def _root_mean_square(terms: Floats) -> Floats:
    """Return the size of each term; one for a term that no row has, whose coefficient then stays as it is."""
    squares = np.mean(terms**2, axis=0)
    return np.asarray(np.sqrt(np.where(squares > 1e-300, squares, 1.0)))


@np.errstate(all="ignore")  # a trial step may leave what a float holds, and is then refused
def least_squares(
    problem: Problem, start: Floats, tolerance: float = 1e-15, coordinates: type[Coefficients] = Contributions
) -> Optimum:
    """Minimise from a start by SciPy's trust region method; the result is never worse than the start.

    The unit of each coordinate is the length of its column where a run starts: SciPy's own choice, ``x_scale="jac"``,
    leaves out the rows beyond the bend of a Huber loss and then stops anywhere. A run that starts from the end of
    another has to gain nothing.

    `tolerance` is the relative change of objective and coordinates at which a run stops; a loose one is for a
    first look.
    """
    if not problem.indices:
        return Optimum(start, True)
    if problem.is_linear:
        return _linear(problem)
    space = coordinates(problem)
    free = np.clip(start, *problem.bounds())
    objective, converged = problem.objective(free), False
    for _ in range(RUNS if tolerance < ROUGH else 1):
        found, stopped = _run(space, free, tolerance)
        reached = problem.objective(found)
        gained = objective - reached
        if reached < objective:
            free, objective = found, reached
        converged = stopped and gained <= max(GAIN, 10 * tolerance) * objective
        if converged or not gained > 0:
            break
    return Optimum(_onto_bounds(problem, free, objective), converged)


def _run(space: Coefficients, start: Floats, tolerance: float) -> Optimum:
    """Run SciPy's least squares once."""
    low, high = space.bounds()
    first, delta = np.clip(space.of(start), low, high), space.problem.loss.delta
    try:
        lengths = np.linalg.norm(space.jacobian(first), axis=0)
        found = optimize.least_squares(
            space.errors,
            first,
            space.jacobian,
            (low, high),
            x_scale="jac" if delta is None else 1 / np.where(lengths > 0, lengths, 1.0),
            loss="linear" if delta is None else "huber",
            f_scale=delta or 1.0,
            ftol=tolerance,
            xtol=tolerance,
            gtol=tolerance,
            max_nfev=EVALUATIONS if tolerance < ROUGH else ROUGH_EVALUATIONS,
        )
    except (ValueError, np.linalg.LinAlgError):  # errors or slopes that no float holds
        return Optimum(start, False)
    return Optimum(space.free(found.x), found.status > 0)


def _onto_bounds(problem: Problem, free: Floats, objective: float) -> Floats:
    """Put onto its bound what lies all but there, where a trust region never gets, or could as well lie there.

    A coefficient of a term that is zero in all rows becomes zero.
    """
    linear = np.array([places[0] < len(problem.law.linear) for places in problem.indices])
    nothing = np.clip(0.0, *problem.bounds())
    slack = max(1e-12 * objective, 1e-17 * len(problem.observed))  # errors of 1e-8 count as none
    for bounds in problem.bounds():
        matters = np.any(problem.jacobian(free) != 0, axis=0)
        free = np.where(linear & ~matters, nothing, free)
        for place in np.flatnonzero(matters & np.isfinite(bounds) & (free != bounds)):
            trial = free.copy()
            trial[place] = bounds[place]
            if problem.objective(trial) <= objective + slack:
                free = trial
    return free


def _linear(problem: Problem) -> Optimum:
    """Solve a problem whose errors are linear in what is free; of many solutions, the shortest."""
    nothing = np.zeros(len(problem.indices))
    matrix, lengths = problem.unit_jacobian(nothing)
    low, high = problem.bounds()
    shortest = np.linalg.lstsq(matrix, -problem.errors(nothing), rcond=None)[0] / lengths
    if np.all((low <= shortest) & (shortest <= high)):
        return Optimum(shortest, True)
    # Of columns that are all but multiples of each other it takes any combination, however long.
    found = optimize.lsq_linear(
        matrix, -problem.errors(nothing), (low * lengths, high * lengths), method="bvls", tol=1e-15
    )
    return Optimum(found.x / lengths, found.status > 0)


def minimise(problem: Problem, start: Floats, tolerance: float = 1e-15) -> Optimum:
    """Minimise from a start close to the optimum: by the fast kernel, or where it gives up by SciPy.

    `tolerance` is what is still to be gained, relative to the objective, when the kernel stops.
    """
    if not problem.indices or problem.is_linear:
        return least_squares(problem, start)
    (free,), (converged,) = refine(problem, start, np.ones((1, len(problem.observed))), tolerance)
    return Optimum(free, True) if converged else least_squares(problem, free)


def initial_grid(problem: Problem) -> tuple[Floats, Floats]:
    """Try all combinations of the shapes' grids, each with its best linear coefficients.

    Returns
    -------
    starts : numpy.ndarray, shape (combinations, free coefficients)
        First those that no neighbour on the grid of shapes betters, one for each valley of the
        objective, then all others; both from the best to the worst.
    objectives : numpy.ndarray, shape (combinations,)
    """
    axes = [parameter.grid for parameter in _shapes(problem)]
    starts, objectives = _with_linear(problem, np.array(list(product(*axes))))
    heights = objectives.reshape([len(axis) for axis in axes] or [1])
    betters = (heights > minimum_filter(heights, size=3, mode="nearest")).ravel()
    order = np.lexsort((objectives, betters))
    return starts[order], objectives[order]


def random_starts(problem: Problem, count: int, seed: int) -> tuple[Floats, Floats]:
    """Return random shapes with their best linear coefficients, and their objectives, from the best to the worst.

    A thousand are drawn evenly, or evenly in the logarithm, over what the grid spans and a quarter of that beyond,
    every fourth of them over all that the bounds allow. Half of those returned are the best, the others evenly of all
    ranks: the best may all lead to one optimum, and not to the lowest.
    """
    rng, drawn = np.random.default_rng(seed), []
    for parameter in _shapes(problem):
        ends = np.array([min(parameter.grid), max(parameter.grid)])
        wide = ends[0] > 0 and ends[1] > 10 * ends[0]
        low, high = np.log(ends) if wide else ends
        column = rng.uniform(low - (high - low) / 4, high + (high - low) / 4, 1000)
        column = np.clip(np.exp(column) if wide else column, parameter.low, parameter.high)
        if not wide and np.isfinite([parameter.low, parameter.high]).all():
            column[::4] = rng.uniform(parameter.low, parameter.high, 250)
        drawn.append(column)
    starts, objectives = _with_linear(problem, np.stack(drawn, axis=1))
    order = np.argsort(objectives, kind="stable")[: np.isfinite(objectives).sum()]
    best, others = np.split(order, [count - count // 2])
    kept = np.append(best, others[np.linspace(0, len(others) - 1, count // 2).astype(int)] if len(others) else others)
    return starts[kept], objectives[kept]


def search(problem: Problem, count: int) -> tuple[pd.DataFrame, Optimum]:
    """Search from the best starts of the grid and from random ones.

    All starts are looked at in one batch, the lowest of these looks are followed roughly by SciPy's least squares, and
    the lowest of those to their ends, until two have the same.

    With `count` one, no start but the best of the grid is tried. Returned are the starts, with the objective there
    and where the search from each ended, and the lowest end.
    """
    starts, heights = (x[:count] for x in initial_grid(problem))
    if count > 1 and (more := len(_shapes(problem)) - 1) > 0:
        others, theirs = random_starts(problem, LOOKS * more, seed=0)
        starts, heights = np.concatenate([starts, others]), np.append(heights, theirs)
    ends = _looks(problem, starts)
    lows = np.array([problem.objective(end) for end in ends])
    for tolerance, most in ((ROUGH, FOLLOWED), (1e-15, FOLLOWED // 2)):
        for place in np.argsort(lows, kind="stable")[:most]:
            ends[place] = least_squares(problem, ends[place], tolerance).free
            lows[place] = problem.objective(ends[place])
            if tolerance < ROUGH and as_low(problem, lows).sum() > 1:
                break
    tried = pd.DataFrame(starts, columns=[problem.law.parameters[places[0]].name for places in problem.indices])
    tried.insert(0, "objective_start", heights)
    tried.insert(1, "objective_end", lows)
    best = least_squares(problem, ends[lows.argmin()])
    if not np.isfinite(problem.objective(best.free)):
        raise InputError(
            f"Law '{problem.law.name}' has no finite value on these rows from any start; its terms, or the grids and "
            "bounds of its parameters, do not suit them."
        )
    tried.insert(2, "apart", _apart(problem, ends, best.free))
    return tried, best


def _apart(problem: Problem, ends: Floats, best: Floats) -> Floats:
    """Return how far ends of searches lie from an optimum, in standard errors of the farthest coefficient."""
    matrix, lengths = problem.unit_jacobian(best)
    if not np.isfinite(matrix).all():
        return np.zeros(len(ends))  # a slope that no float holds tells nothing
    room = max(len(matrix) - len(best), 1)
    unit = np.sqrt(2 * problem.unit(best) / room * np.sum(np.linalg.pinv(matrix, rcond=1e-10) ** 2, axis=1)) / lengths
    return np.asarray(np.max(np.abs(ends - best) / np.where(unit > 0, unit, np.inf), axis=1, initial=0.0))


def _looks(problem: Problem, starts: Floats) -> Floats:
    """Follow all starts at once, on a sample of the rows; a look that gets nowhere stays at its start."""
    if not problem.indices or problem.is_linear:
        return starts
    sample = problem.thinned(LOOK_ROWS)
    starts = np.array([_with_all_terms(sample, start) for start in starts])
    ends, _ = refine(sample, starts, np.ones((len(starts), len(sample.observed))), ROUGH, rough=True)
    return np.where(np.isfinite(ends).all(axis=1, keepdims=True), ends, starts)


@np.errstate(all="ignore")  # a term may leave what a float holds
def _with_all_terms(problem: Problem, start: Floats) -> Floats:
    """Let each term contribute: the shapes of one that does not would stay where they are."""
    space = Contributions(problem)
    coordinates = space.of(start)
    bounded = space.linear[(problem.bounds()[0][space.linear] == 0) & np.any(space.terms(start) != 0, axis=0)]
    coordinates[bounded] = np.maximum(coordinates[bounded], SHARE * coordinates[bounded].sum())
    moved = space.free(coordinates)
    return moved if np.isfinite(moved).all() else start


def as_low(problem: Problem, lows: Floats) -> NDArray[np.bool_]:
    """Return which of the searches that ended at these objectives reached the lowest; errors of 1e-9 are none."""
    lowest = lows.min()
    return np.asarray(lows - lowest <= max(AGREEMENT * lowest, 1e-18 * len(problem.observed)))


def _shapes(problem: Problem) -> list[Parameter]:
    """Return the free shape parameters."""
    k, parameters = len(problem.law.linear), problem.law.parameters
    return [parameters[places[0]] for places in problem.indices if places[0] >= k]


@np.errstate(all="ignore")  # a shape may leave what a float holds, and then comes last
def _with_linear(problem: Problem, shapes: Floats) -> tuple[Floats, Floats]:
    """Return free coefficients and objectives for free shapes, each with its best linear coefficients."""
    # Arrays that a processor's cache does not hold cost more than the arithmetic.
    blocks = np.array_split(shapes, len(shapes) * len(problem.observed) // AT_ONCE + 1)
    starts, objectives = zip(*(_block_with_linear(problem, block) for block in blocks), strict=True)
    return np.concatenate(starts), np.concatenate(objectives)


def _block_with_linear(problem: Problem, shapes: Floats) -> tuple[Floats, Floats]:
    """Solve for the linear coefficients of some shapes at once, in the sum of terms, where they stand linearly."""
    law, k = problem.law, len(problem.law.linear)
    thetas = np.tile(problem.base, (len(shapes), 1))
    for column, places in enumerate(places for places in problem.indices if places[0] >= k):
        thetas[:, list(places)] = shapes[:, column, None]
    terms = law.terms(thetas[:, k:], problem.columns)
    target = law.total(problem.observed, thetas[:, k:])
    weight = law.steepness(target, thetas[:, k:]) / problem.loss.weight(problem.observed)
    linear = [places[0] for places in problem.indices if places[0] < k]
    rest = weight * (target - np.einsum("grk,gk->gr", terms, thetas[:, :k]))
    positive = np.array([law.linear[column].low == 0 for column in linear], dtype=bool)
    thetas[:, linear] = _solve_all(terms[..., linear] * weight[..., None], rest, positive)
    predicted = law.respond(np.einsum("grk,gk->gr", terms, thetas[:, :k]), thetas[:, k:])
    objectives = problem.loss.cost(problem.loss.errors(predicted, problem.observed)).sum(axis=1)
    return problem.free(thetas), np.nan_to_num(objectives, nan=np.inf, posinf=np.inf)


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


def second_opinion(problem: Problem, best: Floats) -> float:
    """Return the lowest objective that is found another way than that of the fit.

    The coefficients themselves are searched and not their contributions: from the optimum, and from random
    starts outside its valley. A search that is lower already is not followed to its end.
    """
    ends = [least_squares(problem, best, coordinates=Coefficients).free]
    if _shapes(problem):
        looks = _looks(problem, random_starts(problem, 2 * LOOKS, seed=1)[0])
        order = np.argsort([problem.objective(look) for look in looks], kind="stable")[: FOLLOWED // 2]
        ends += [least_squares(problem, looks[place], ROUGH, Coefficients).free for place in order]
        lowest = min(ends, key=problem.objective)
        if problem.objective(lowest) > (1 - AGREEMENT) * problem.objective(best):
            ends.append(least_squares(problem, lowest).free)
    return min(problem.objective(end) for end in ends)
