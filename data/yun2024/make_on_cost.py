"""Write on_cost.csv: what the admissible coefficients give for each statement of Yun et al. (2024) on cost, by rule.

Run with ``python data/yun2024/make_on_cost.py``, after ``make_feasible.py``; ``--quick`` writes nothing.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from make_feasible import BOX, COMPATIBLE, FAR, LOWER, NAMES, ROOM, UPPER, coefficients, misses, slopes
from scipy.optimize import Bounds, minimize

from moelaws import data
from moelaws.checks import Floats
from moelaws.papers.yun2024.budget import loss_at, optimum
from moelaws.papers.yun2024.rules import RULES, STATEMENTS, OnCost
from moelaws.papers.yun2024.statements import LOW, Convention

HERE = Path(__file__).parent


def coordinates(thetas: Floats) -> Floats:
    """Return the coordinates in the unit cube of coefficients, the inverse of `coefficients`."""
    A, B, _, F, alpha, beta, gamma, d, start, end = thetas.T
    n_dense, _ = optimum(thetas, LOW, 1, 1)
    share = B * start**-beta / (B * start**-beta + F)
    size = A * n_dense ** (d * np.log(start) - alpha) / loss_at(thetas, n_dense, LOW, 1, 1)
    values = [alpha, gamma, beta, d, np.log(start), np.log(end), np.log(n_dense), np.log(size), share]
    return np.clip((np.stack(values, axis=1) - LOWER) / (UPPER - LOWER), 0, 1)


def farthest(unit: Floats, convention: Convention, statement: OnCost, rule: str, sign: int, steps: int) -> float:
    """Return how far a ratio reaches inside the set, from one of its points."""

    def value(units: Floats) -> Floats:
        units = np.clip(units, 0, 1)
        valid = np.abs(misses(units, convention, True)).max(axis=1) < FAR
        found = np.full(len(units), -FAR)
        if valid.any():
            found[valid] = np.nan_to_num(
                sign * statement.of(coefficients(units[valid]), rule, convention.flops), nan=-FAR
            )
        return found

    def climb(x: Floats) -> Floats:
        h = np.where(x > 0.5, -1e-6, 1e-6)
        found = value(np.vstack([x, x + np.diag(h)]))
        return np.asarray((found[0] - found[1:]) / h)

    def slack(x: Floats) -> Floats:
        one = misses(x[None], convention, True)[0]
        return np.concatenate([ROOM - one, ROOM + one])

    def slack_slopes(x: Floats) -> Floats:
        matrix = slopes(x[None], convention, True)[0]
        return np.vstack([-matrix, matrix])

    start = float(value(unit[None])[0])
    result = minimize(
        lambda x: -float(value(x[None])[0]),
        unit,
        jac=climb,
        method="SLSQP",
        bounds=Bounds(np.zeros(len(BOX)), np.ones(len(BOX))),
        constraints={"type": "ineq", "fun": slack, "jac": slack_slopes},
        options={"maxiter": steps, "ftol": 1e-7},
    )
    end = np.clip(result.x, 0, 1)
    near = np.abs(misses(end[None], convention, True))[0] <= ROOM + 1e-3
    reached = float(value(end[None])[0]) if near.all() else start
    return sign * max(start, reached)


def ranges(convention: Convention, key: str, what: str, rule: str, steps: int) -> dict[str, object]:
    """Return one row: the least and the most of the draws, and how far an optimiser gets from these.

    The optimiser takes minutes; it runs where active parameters count, the convention that the claims are decided by.
    """
    statement = STATEMENTS[key][what]
    rows = data.load("yun2024/feasible").query("flops_of == @convention.flops and size_of == @convention.size")
    thetas = rows[NAMES].to_numpy()
    drawn, units = statement.of(thetas, rule, convention.flops), coordinates(thetas)
    known = np.isfinite(drawn)
    row = {"counted": convention.flops, "rule": rule, "claim": key, "what": what, "served": known.mean()}
    if not known.any():
        return row | dict.fromkeys(("least", "greatest", "reach_low", "reach_high"), np.nan)
    row |= {"least": drawn[known].min(), "greatest": drawn[known].max()}
    if convention != Convention():
        return row | {"reach_low": row["least"], "reach_high": row["greatest"]}
    ends = [(-1, np.nanargmin(np.where(known, drawn, np.nan))), (1, np.nanargmax(np.where(known, drawn, np.nan)))]
    low, high = (farthest(units[place], convention, statement, rule, sign, steps) for sign, place in ends)
    return row | {"reach_low": low, "reach_high": high}


def main(quick: bool = False) -> pd.DataFrame:
    """Return the ranges of every statement by every rule, for both conventions that allow any coefficients."""
    jobs = [
        (convention, key, what, rule, 2 if quick else 60)
        for convention in COMPATIBLE
        for key, parts in STATEMENTS.items()
        for what in parts
        for rule in RULES
    ]
    calls = [delayed(ranges)(*job) for job in (jobs[:2] if quick else jobs)]
    return pd.DataFrame(Parallel(n_jobs=1 if quick else 2)(calls))


if __name__ == "__main__":
    table = main("--quick" in sys.argv)
    if "--quick" in sys.argv:
        print(table)
    else:
        table.to_csv(HERE / "on_cost.csv", index=False, float_format="%.6g")
