"""Write search.csv, feasible.csv and extents.csv: which coefficients satisfy what Yun et al. (2024) state.

Run with ``python data/yun2024/make_feasible.py``; ``--quick`` writes nothing and shows a short run.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.optimize import Bounds, differential_evolution, minimize

from moelaws.checks import Floats
from moelaws.laws.yun2024 import YUN2024
from moelaws.papers.yun2024.statements import CONVENTIONS, LOW, STATEMENTS, Convention, predict, residuals

HERE = Path(__file__).parent
BOX = {
    "alpha": (0.05, 1.2),
    "gamma": (0.05, 1.2),
    "beta": (0.02, 3.0),
    "d": (-0.03, 0.03),
    "log_E_start": (np.log(1.001), np.log(64)),
    "log_E_max": (np.log(65), np.log(1e6)),
    "log_n_dense": (np.log(3.2e9), np.log(3.52e9)),
    "log_size_share": (np.log(0.002), np.log(0.8)),
    "expert_share": (0.0, 1.0),
}
"""Nine coordinates and their ranges; the last three say where the dense optimum at 2.12e21 FLOP lies, which share of
its loss is the size term, and which share of the loss that neither size nor data lower is the expert term."""
LOWER, UPPER = np.array(list(BOX.values())).T
FAR = 1e3  # the residual of coefficients without an optimum
TOLERANCES = 2.0  # at one tolerance the set is all but empty
ROOM = np.where(np.isinf([statement.high for statement in STATEMENTS]), 0, TOLERANCES)  # orders hold strictly
COMPATIBLE = (Convention("active", "active"), Convention("total", "total"))
NAMES = [parameter.name for parameter in YUN2024.parameters]


def coefficients(unit: Floats) -> Floats:
    """Return the ten coefficients for coordinates in the unit cube; the dense optimum at 2.12e21 FLOP has loss one."""
    alpha, gamma, beta, d, start, end, log_n, size, share = np.moveaxis(LOWER + (UPPER - LOWER) * unit, -1, 0)
    size = np.exp(size)
    data = (alpha * size - d * start) / gamma  # first-order condition
    rest = 1 - size - data
    level = np.exp(-d * start * log_n)
    amounts = [size * np.exp(alpha * log_n), share * rest * np.exp(beta * start)]
    amounts += [data * np.exp(gamma * (np.log(LOW / 6) - log_n)), (1 - share) * rest]
    return np.stack([*(level * one for one in amounts), alpha, beta, gamma, d, np.exp(start), np.exp(end)], axis=-1)


def misses(unit: Floats, convention: Convention, tolerant: bool) -> Floats:
    """Return the residuals of coordinates in rows; orders count in their own unit."""
    thetas = coefficients(np.clip(unit, 0, 1))
    tilt = thetas[:, 7] * np.log(thetas[:, [8, 9]]).T
    valid = (thetas[:, [0, 2]] > 0).all(axis=1) & (thetas[:, [1, 3]] >= 0).all(axis=1) & (thetas[:, 8] < thetas[:, 9])
    valid &= (tilt < thetas[:, 4] - 1e-3).all(axis=0) & (tilt > 1e-3 - thetas[:, 6]).all(axis=0)
    found = np.full((len(unit), len(STATEMENTS)), FAR)
    if valid.any():
        found[valid] = np.clip(residuals(predict(thetas[valid], convention), tolerant), -FAR, FAR)
    return found


def slopes(units: Floats, convention: Convention, tolerant: bool) -> Floats:
    """Return the derivative of the residuals of each row by differences, all in one call."""
    steps = np.where(units > 0.5, -1e-6, 1e-6)[:, None, :] * np.eye(9)
    found = misses(
        np.concatenate([units[:, None], units[:, None] + steps], axis=1).reshape(-1, 9), convention, tolerant
    )
    found = found.reshape(len(units), 10, -1)
    return np.asarray(np.moveaxis((found[:, 1:] - found[:, :1]) / steps.sum(axis=1)[..., None], 1, 2))


def approached(units: Floats, convention: Convention, tolerant: bool, targets: Floats, rounds: int) -> Floats:
    """Move all rows towards residuals equal to the targets, by damped Gauss-Newton steps inside the box."""
    damping, fresh = np.full(len(units), 1e-2), misses(units, convention, tolerant) - targets
    for _ in range(rounds):
        matrix = slopes(units, convention, tolerant)
        square = np.einsum("nri,nrj->nij", matrix, matrix)
        diagonal = np.einsum("nii->ni", square) + 1e-12
        pull = np.einsum("nri,nr->ni", matrix, fresh)
        # A coordinate at its bound stays there while it is pushed outwards.
        free = ~((units <= 0) & (pull > 0) | (units >= 1) & (pull < 0))
        square = (
            square * free[:, :, None] * free[:, None, :] + np.eye(9) * (damping[:, None] * diagonal + ~free)[:, None]
        )
        trial = np.clip(units - np.linalg.solve(square, (pull * free)[..., None])[..., 0], 0, 1)
        after = misses(trial, convention, tolerant) - targets
        better = (after**2).sum(axis=1) < (fresh**2).sum(axis=1)
        units, fresh = np.where(better[:, None], trial, units), np.where(better[:, None], after, fresh)
        damping = np.clip(np.where(better, damping / 5, damping * 4), 1e-10, 1e10)
    return units


def starts_of(convention: Convention, tolerant: bool, seed: int, count: int) -> Floats:
    """Return the better tenth of random coordinates."""
    units = np.random.default_rng(seed).random((10 * count, 9))
    return units[np.log1p(misses(units, convention, tolerant) ** 2).sum(axis=1).argsort()[:count]]


def evolved(convention: Convention, tolerant: bool, seed: int, generations: int = 1500) -> Floats:
    """Return coordinates of a small worst residual: differential evolution on all residuals, then :func:`bounded`."""
    result = differential_evolution(
        lambda units: np.log1p(misses(units.T, convention, tolerant) ** 2).sum(axis=1),
        [(0.0, 1.0)] * 9,
        seed=seed,
        maxiter=generations,
        popsize=7,
        tol=0,
        polish=False,
        init="sobol",
        vectorized=True,
        updating="deferred",
    )
    return bounded(result.x, convention, tolerant)


def descended(convention: Convention, tolerant: bool, seed: int, starts: int = 60) -> Floats:
    """Return the same by least squares from the best of random starts, then :func:`bounded`."""
    units = starts_of(convention, tolerant, seed, starts)
    units = approached(units, convention, tolerant, np.zeros(len(STATEMENTS)), 60)
    return bounded(units[(misses(units, convention, tolerant) ** 2).sum(axis=1).argmin()], convention, tolerant)


def bounded(unit: Floats, convention: Convention, tolerant: bool) -> Floats:
    """Lower the worst residual from coordinates: the least t with all residuals between -t and t."""

    def slack(x: Floats) -> Floats:
        one = misses(x[None, :9], convention, tolerant)[0]
        return np.concatenate([x[9] - one, x[9] + one])

    def slack_slopes(x: Floats) -> Floats:
        matrix = slopes(x[None, :9], convention, tolerant)[0]
        return np.hstack([np.vstack([-matrix, matrix]), np.ones((2 * len(matrix), 1))])

    worst = np.abs(misses(unit[None], convention, tolerant)).max()
    result = minimize(
        lambda x: x[9],
        np.append(unit, worst),
        jac=lambda x: np.eye(10)[9],
        method="SLSQP",
        bounds=Bounds([1e-6] * 9 + [0], [1 - 1e-6] * 9 + [np.inf]),
        constraints={"type": "ineq", "fun": slack, "jac": slack_slopes},
        options={"maxiter": 50, "ftol": 1e-6},
    )
    end = np.clip(result.x[:9], 0, 1)
    better = np.abs(misses(end[None], convention, tolerant)).max() < worst
    return end if better else unit


def inside(units: Floats, convention: Convention) -> np.ndarray:
    """Return which coordinates satisfy all statements within the sampled tolerances, and all orders strictly."""
    found = np.abs(misses(units, convention, tolerant=True))
    return (found <= ROOM).all(axis=1) & ((units >= 0) & (units <= 1)).all(axis=1)


def drawn(convention: Convention, seed: int, starts: int) -> Floats:
    """Return points of the set, each from its own random start to its own residuals, uniform within the tolerances."""
    units = starts_of(convention, True, seed, starts)
    exact = [one.low == one.high for one in STATEMENTS]
    targets = np.random.default_rng(seed + 1000).uniform(-TOLERANCES, TOLERANCES, (starts, len(STATEMENTS)))
    units = approached(units, convention, True, np.where(exact, targets, 0), 60)
    return units[inside(units, convention)]


def farthest(unit: Floats, convention: Convention, column: int, sign: int) -> float:
    """Return how far one coordinate reaches inside the set, from one of its points."""

    def slack(x: Floats) -> Floats:
        one = misses(x[None], convention, True)[0]
        return np.concatenate([ROOM - one, ROOM + one])

    def slack_slopes(x: Floats) -> Floats:
        matrix = slopes(x[None], convention, True)[0]
        return np.vstack([-matrix, matrix])

    result = minimize(
        lambda x: -sign * x[column],
        unit,
        jac=lambda x: -sign * np.eye(9)[column],
        method="SLSQP",
        bounds=Bounds(np.zeros(9), np.ones(9)),
        constraints={"type": "ineq", "fun": slack, "jac": slack_slopes},
        options={"maxiter": 60, "ftol": 1e-6},
    )
    near = np.abs(misses(result.x[None], convention, True))[0] <= ROOM + 1e-3
    return float(max(sign * result.x[column], sign * unit[column]) * sign if near.all() else unit[column])


def searched(convention: Convention, tolerant: bool, method: str, seed: int, effort: int) -> dict[str, object]:
    """Return one row of search.csv."""
    unit = (evolved if method == "evolution" else descended)(convention, tolerant, seed, effort)
    found = np.abs(misses(unit[None], convention, tolerant)[0])
    return {
        "flops_of": convention.flops,
        "size_of": convention.size,
        "unit": "tolerance" if tolerant else "rounding",
        "method": method,
        "seed": seed,
        "worst": found.max(),
        "statement": STATEMENTS[int(found.argmax())].name,
    }


def sampled(convention: Convention, starts: int, reaches: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return draws from the set for two seeds, and the extents of each and of a constrained optimiser."""
    groups = [drawn(convention, seed, starts) for seed in (0, 1)]
    units = np.concatenate(groups)
    table = pd.DataFrame(coefficients(units), columns=NAMES)
    table.insert(0, "flops_of", convention.flops)
    table.insert(1, "size_of", convention.size)
    table.insert(2, "seed", np.repeat([0, 1], [len(group) for group in groups]))
    ends = [
        [farthest(units[(sign * units[:, column]).argmax()], convention, column, sign) for sign in (-1, 1)]
        if reaches
        else [0.0, 1.0]
        for column in range(9)
    ]
    extents = []
    for column, name in enumerate(BOX):
        for seed, group in enumerate(groups):
            values = LOWER[column] + (UPPER - LOWER)[column] * np.append(
                np.quantile(group[:, column], [0, 0.05, 0.5, 0.95, 1]), ends[column]
            )
            extents.append((convention.flops, convention.size, name, seed, len(group), *values, *BOX[name]))
    columns = "flops_of size_of coordinate seed points least q05 q50 q95 greatest reach_low reach_high lowest highest"
    return table, pd.DataFrame(extents, columns=columns.split())


def main(quick: bool = False) -> dict[str, pd.DataFrame]:
    """Search under every convention, sample the set under those that allow one, and return the tables."""
    jobs = [(one, False, 0) for one in CONVENTIONS] + [(one, False, 1) for one in COMPATIBLE]
    jobs += [(one, True, seed) for one in COMPATIBLE for seed in (0, 1)]
    efforts = {"evolution": 2 if quick else 1500, "descent": 4 if quick else 60}
    calls = [
        delayed(searched)(convention, tolerant, method, seed, effort)
        for convention, tolerant, seed in (jobs[:1] if quick else jobs)
        for method, effort in efforts.items()
    ]
    search = pd.DataFrame(Parallel(n_jobs=1 if quick else 3)(calls))
    work = [delayed(sampled)(one, 24 if quick else 600, not quick) for one in COMPATIBLE]
    pairs = Parallel(n_jobs=1 if quick else 2)(work[:1] if quick else work)
    feasible, extents = (pd.concat(tables, ignore_index=True) for tables in zip(*pairs, strict=True))
    return {"search": search, "feasible": feasible, "extents": extents}


if __name__ == "__main__":
    for name, table in main("--quick" in sys.argv).items():
        if "--quick" in sys.argv:
            print(table.head(), "\n")
        else:
            table.to_csv(HERE / f"{name}.csv", index=False, float_format="%.8g")
