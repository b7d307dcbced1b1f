"""Write search.csv, feasible.csv and extents.csv: which coefficients satisfy what Yun et al. (2024) state.

Run with ``python data/yun2024/make_feasible.py``; ``--quick`` writes nothing and shows a short run.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.optimize import Bounds, differential_evolution, least_squares, minimize

from moelaws.laws.base import Floats
from moelaws.laws.yun2024 import Yun2024
from moelaws.laws.yun2024_statements import CONVENTIONS, LOW, STATEMENTS, Convention, predict, residuals

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
COMPATIBLE = (Convention("active", "active"), Convention("total", "total"))
NAMES = [parameter.name for parameter in Yun2024().parameters]


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


def slopes(unit: Floats, convention: Convention, tolerant: bool) -> Floats:
    """Return the derivative of the residuals by differences, all in one call."""
    steps = np.diag(np.where(unit > 0.5, -1e-6, 1e-6))
    found = misses(np.vstack([unit, unit + steps]), convention, tolerant)
    return ((found[1:] - found[0]) / np.diag(steps)[:, None]).T


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


def descended(convention: Convention, tolerant: bool, seed: int, starts: int = 3) -> Floats:
    """Return the same by least squares from the best of random starts, then :func:`bounded`."""
    units = np.random.default_rng(seed).random((1000, 9))
    ranks = np.arcsinh(misses(units, convention, tolerant) ** 2).sum(axis=1).argsort()
    found, arguments = [], (convention, tolerant)
    for unit in units[ranks[:starts]]:
        near = least_squares(
            lambda x: misses(x[None], *arguments)[0],
            unit,
            jac=lambda x: slopes(x, *arguments),
            bounds=(0, 1),
            max_nfev=100,
        )
        found.append((near.cost, near.x))
    unit = min(found, key=lambda pair: pair[0])[1]
    return bounded(unit, convention, tolerant)


def bounded(unit: Floats, convention: Convention, tolerant: bool) -> Floats:
    """Lower the worst residual from coordinates: the least t with all residuals between -t and t."""

    def slack(x: Floats) -> Floats:
        one = misses(x[None, :9], convention, tolerant)[0]
        return np.concatenate([x[9] - one, x[9] + one])

    def slack_slopes(x: Floats) -> Floats:
        matrix = slopes(x[:9], convention, tolerant)
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
    orders = np.isinf([statement.high for statement in STATEMENTS])
    return (found <= np.where(orders, 0, TOLERANCES)).all(axis=1) & ((units >= 0) & (units <= 1)).all(axis=1)


def hits(convention: Convention, seed: int, count: int, rounds: int = 40) -> Floats:
    """Return points of the set, each by least squares from its own random start to residuals below its own bound."""
    rng = np.random.default_rng(seed)
    found: list[Floats] = []
    for _ in range(rounds):
        if len(found) >= count:
            break
        units = rng.random((1000, 9))
        unit = units[np.arcsinh(misses(units, convention, True) ** 2).sum(axis=1).argmin()]
        exact = [one.low == one.high for one in STATEMENTS]
        target = np.where(exact, rng.uniform(-1, 1, len(STATEMENTS)), 0)
        near = least_squares(
            lambda x: misses(x[None], convention, True)[0] - target,  # noqa: B023 it is called before the next round
            unit,
            jac=lambda x: slopes(x, convention, True),
            bounds=(0, 1),
            max_nfev=60,
        )
        if inside(near.x[None], convention)[0]:
            found.append(near.x)
    return np.array(found)


def walked(starts: Floats, convention: Convention, seed: int, steps: int, walkers: int = 60) -> Floats:
    """Return a chain of an affine-invariant ensemble, shape (steps, walkers, 9), uniform on the set.

    Each half of the walkers is moved along lines to walkers of the other half (Goodman and Weare, 2010).
    """
    rng = np.random.default_rng(seed)
    chosen = starts[rng.integers(len(starts), size=walkers)]
    scatter = np.clip(chosen[:, None] + 1e-4 * rng.normal(size=(walkers, 200, 9)), 0, 1)
    fits = inside(scatter.reshape(-1, 9), convention).reshape(walkers, 200)
    position = np.array(
        [near[fit][0] if fit.any() else one for one, near, fit in zip(chosen, scatter, fits, strict=True)]
    )
    chain = np.empty((steps, walkers, 9))
    half = walkers // 2
    for step in range(steps):
        for mine, theirs in ((slice(0, half), slice(half, None)), (slice(half, None), slice(0, half))):
            stretch = (1 + rng.random(half)) ** 2 / 2  # density 1/sqrt(z) between 1/2 and 2
            partner = position[theirs][rng.integers(half, size=half)]
            trial = partner + stretch[:, None] * (position[mine] - partner)
            kept = (rng.random(half) < stretch**8) & inside(trial, convention)
            position[mine] = np.where(kept[:, None], trial, position[mine])
        chain[step] = position
    return chain


def r_hat(chains: list[Floats]) -> Floats:
    """Return the split potential scale reduction of each coordinate; each half of each walker's path is one chain."""
    half = len(chains[0]) // 2
    parts = np.concatenate([part for chain in chains for part in (chain[:half], chain[half : 2 * half])], axis=1)
    within, between = parts.var(axis=0, ddof=1).mean(axis=0), parts.mean(axis=0).var(axis=0, ddof=1)
    return np.asarray(np.sqrt(1 + between / within))


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


def sampled(convention: Convention, count: int, steps: int, draws: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return draws from the set, and the extents of two ensembles and of independent points."""
    starts = [hits(convention, seed, count) for seed in (0, 1, 2)]
    chains = [walked(start, convention, seed, steps)[steps // 4 :] for seed, start in enumerate(starts[:2])]
    flat = np.concatenate([chain.reshape(-1, 9) for chain in chains])
    kept = flat[np.random.default_rng(0).choice(len(flat), draws, replace=False)]
    table = pd.DataFrame(coefficients(kept), columns=NAMES)
    table.insert(0, "flops_of", convention.flops)
    table.insert(1, "size_of", convention.size)
    extents = []
    sources = {
        "ensemble 0": chains[0].reshape(-1, 9),
        "ensemble 1": chains[1].reshape(-1, 9),
        "random starts": starts[2],
    }
    for source, units in sources.items():
        for column, (name, scale) in enumerate(zip(BOX, r_hat(chains), strict=True)):
            low, middle, high = np.quantile(
                LOWER[column] + (UPPER - LOWER)[column] * units[:, column], [0.05, 0.5, 0.95]
            )
            row = (convention.flops, convention.size, source, name, len(units), low, middle, high)
            extents.append((*row, scale if source != "random starts" else np.nan, *BOX[name]))
    columns = "flops_of size_of source coordinate points q05 q50 q95 r_hat lowest highest"
    return table, pd.DataFrame(extents, columns=columns.split())


def main(quick: bool = False) -> dict[str, pd.DataFrame]:
    """Search under every convention, sample the set under those that allow one, and return the tables."""
    jobs = [(one, False, 0) for one in CONVENTIONS] + [(one, False, 1) for one in COMPATIBLE]
    jobs += [(one, True, seed) for one in COMPATIBLE for seed in (0, 1)]
    efforts = {"evolution": 2 if quick else 1500, "descent": 1 if quick else 3}
    calls = [
        delayed(searched)(convention, tolerant, method, seed, effort)
        for convention, tolerant, seed in (jobs[:1] if quick else jobs)
        for method, effort in efforts.items()
    ]
    search = pd.DataFrame(Parallel(n_jobs=1 if quick else 3)(calls))
    work = [delayed(sampled)(one, *((1, 4, 10) if quick else (20, 3000, 600))) for one in COMPATIBLE]
    pairs = Parallel(n_jobs=1 if quick else 2)(work[:1] if quick else work)
    feasible, extents = (pd.concat(tables, ignore_index=True) for tables in zip(*pairs, strict=True))
    return {"search": search, "feasible": feasible, "extents": extents}


if __name__ == "__main__":
    for name, table in main("--quick" in sys.argv).items():
        if "--quick" in sys.argv:
            print(table.head(), "\n")
        else:
            table.to_csv(HERE / f"{name}.csv", index=False, float_format="%.8g")
