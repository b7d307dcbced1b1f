"""Write extremes.csv and on_cost.csv: what the admissible coefficients give for each statement on cost, by rule.

Run with ``python data/yun2024/make_on_cost.py``, after ``make_feasible.py``; ``--quick`` writes nothing.

What a token costs depends on the coefficients through a few sizes alone. ``extremes.csv`` adds to the draws of
``feasible.csv`` sets that go to the ends of these sizes: a straight line through the draws says which tolerances an end
exhausts, and damped Gauss-Newton steps go there.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from make_feasible import (
    COMPATIBLE,
    LOWER,
    NAMES,
    ROOM,
    TOLERANCES,
    UPPER,
    approached,
    coefficients,
    inside,
    misses,
)

from moelaws import data
from moelaws.checks import Floats
from moelaws.papers.yun2024.budget import loss_at, optimum, size_at_loss
from moelaws.papers.yun2024.rules import LARGEST, RULES, STATEMENTS
from moelaws.papers.yun2024.statements import HIGH, LOW, MIDDLE, Convention, ratio

HERE = Path(__file__).parent
ENDS = [
    *(("optimum", e, e, MIDDLE) for e in (1.0, 4.0)),
    *(("to base", base, e, c) for c in (MIDDLE, LARGEST) for base, e in ((1.0, 8.0), (4.0, 8.0), (4.0, 16.0))),
    *(("optimum to base", 4.0, 32.0, c) for c in (LOW, HIGH)),
]
"""Sizes whose ends are looked for: of optima, at equal loss over the base's, and of optima over the base's."""


def coordinates(thetas: Floats) -> Floats:
    """Return the coordinates in the unit cube of coefficients, the inverse of `coefficients`."""
    A, B, _, F, alpha, beta, gamma, d, start, end = thetas.T
    n_dense, _ = optimum(thetas, LOW, 1, 1)
    share = B * start**-beta / (B * start**-beta + F)
    size = A * n_dense ** (d * np.log(start) - alpha) / loss_at(thetas, n_dense, LOW, 1, 1)
    values = [alpha, gamma, beta, d, np.log(start), np.log(end), np.log(n_dense), np.log(size), share]
    return np.clip((np.stack(values, axis=1) - LOWER) / (UPPER - LOWER), 0, 1)


def size(thetas: Floats, convention: Convention, kind: str, base: float, experts: float, flops: float) -> Floats:
    """Return the logarithm of one of the sizes of `ENDS`."""
    kappa = {e: ratio(convention.flops, e) for e in (base, experts)}
    best = {e: optimum(thetas, flops, e, kappa[e])[0] for e in (base, experts)}
    if kind == "to base":
        loss = loss_at(thetas, best[base], flops, base, kappa[base])
        return np.log(size_at_loss(thetas, loss, flops, experts, kappa[experts]) / best[base])
    return np.log(best[experts] / (1 if kind == "optimum" else best[base]))


def extreme(units: Floats, convention: Convention, what: tuple, sign: int, starts: int, rounds: int) -> Floats:
    """Return coordinates of the set that go farthest towards one end of a size."""

    def values(rows: Floats) -> Floats:
        return sign * size(coefficients(rows), convention, *what)

    drawn, missed = values(units), misses(units, convention, True)
    used = ROOM > 0
    design = np.column_stack([missed[:, used], np.ones(len(units))])
    slope, *_ = np.linalg.lstsq(design, drawn, rcond=None)
    best = units[drawn.argsort()[-starts:]]
    found = [best]
    for part in (0.6, 0.9, 0.99):
        targets = np.zeros((len(best), len(ROOM)))
        targets[:, used] = part * TOLERANCES * np.sign(slope[:-1])
        ended = approached(best, convention, True, targets, rounds)
        found.append(ended[inside(ended, convention)])
    rows = np.concatenate(found)
    return rows[values(rows).argmax()]


def extremes(convention: Convention, ends: list, starts: int, rounds: int) -> pd.DataFrame:
    """Return the sets at the two ends of each size, as coefficients."""
    units = coordinates(admissible("feasible", convention))
    rows = [extreme(units, convention, what, sign, starts, rounds) for what in ends for sign in (-1, 1)]
    table = pd.DataFrame(coefficients(np.array(rows)), columns=NAMES)
    for place, name in enumerate(("flops_of", "size_of")):
        table.insert(place, name, (convention.flops, convention.size)[place])
    table.insert(2, "end", [f"{sign} {' '.join(map(str, what))}" for what in ends for sign in ("least", "most")])
    return table


def admissible(table: str, convention: Convention) -> Floats:
    """Return the stored sets of a convention."""
    rows = data.load(f"yun2024/{table}").query("flops_of == @convention.flops and size_of == @convention.size")
    return rows[NAMES].to_numpy()


def ranges(drawn: Floats, more: Floats, convention: Convention, key: str, what: str, rule: str) -> dict[str, object]:
    """Return one row: the least and the most of the draws, and of these and the extremes."""
    alone, both = (STATEMENTS[key][what].of(t, rule, convention.flops) for t in (drawn, np.concatenate([drawn, more])))
    row = {"counted": convention.flops, "rule": rule, "claim": key, "what": what, "served": np.isfinite(alone).mean()}
    ends = [f(values[np.isfinite(values)]) for values in (alone, both) for f in (_least, _most)]
    return row | dict(zip(("least", "greatest", "reach_low", "reach_high"), ends, strict=True))


def _least(values: Floats) -> float:
    return float(values.min()) if len(values) else np.nan


def _most(values: Floats) -> float:
    return float(values.max()) if len(values) else np.nan


def main(quick: bool = False) -> dict[str, pd.DataFrame]:
    """Return both tables."""
    conventions = COMPATIBLE[:1] if quick else COMPATIBLE
    tables = [extremes(one, ENDS[:1] if quick else ENDS, *((2, 2) if quick else (12, 40))) for one in conventions]
    jobs = [
        (admissible("feasible", one), table[NAMES].to_numpy(), one, key, what, rule)
        for one, table in zip(conventions, tables, strict=True)
        for key, parts in STATEMENTS.items()
        for what in parts
        for rule in RULES
    ]
    on_cost = [ranges(*job) for job in (jobs[:2] if quick else jobs)]
    return {"extremes": pd.concat(tables, ignore_index=True), "on_cost": pd.DataFrame(on_cost)}


if __name__ == "__main__":
    for name, table in main("--quick" in sys.argv).items():
        if "--quick" in sys.argv:
            print(table)
        else:
            table.to_csv(HERE / f"{name}.csv", index=False, float_format="%.8g")
