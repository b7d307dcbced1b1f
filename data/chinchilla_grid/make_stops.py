"""Fit the law of Hoffmann et al. by the usual recipe, L-BFGS from points of a grid, under four stopping rules.

``python data/chinchilla_grid/make_stops.py`` takes seconds and writes ``stops.csv`` beside itself. Where such a search
stops depends on the last bits of its sums, so the table is stored and not computed on every machine.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from make_grid import GRID, OUTLIERS
from scipy.optimize import minimize
from scipy.special import huber, logsumexp

from moelaws import data

DELTA = 1e-3
FIRST = {"e": 0.5, "a": 10.0, "b": 10.0, "alpha": 0.5, "beta": 0.5}
STARTS = 60  # drawn from the grid, besides FIRST
TIGHT = {"maxiter": 5000, "maxfun": 100000}


def objective(p, scale, size, tokens, loss):
    """Return the Huber loss of log errors and its slope, for p = (log E, log A, log B, alpha, beta) and log columns."""
    parts = np.stack([np.full_like(size, p[0]), p[1] - p[3] * size, p[2] - p[4] * tokens])
    total = logsumexp(parts, axis=0)
    pull = scale * np.clip(total - loss, -DELTA, DELTA) * np.exp(parts - total)
    slope = [*pull.sum(axis=1), -pull[1] @ size, -pull[2] @ tokens]
    return scale * huber(DELTA, total - loss).sum(), np.array(slope)


def main():
    """Write the table."""
    runs = data.load_runs("chinchilla")
    kept = runs.nsmallest(len(runs) - OUTLIERS, "loss")
    columns = [np.log(kept[name].to_numpy()) for name in ("n_active", "n_tokens", "loss")]
    rules = {
        "default tolerance": (1.0, {}),
        "mean instead of sum": (1 / len(kept), {}),
        "tight tolerance": (1.0, {"ftol": 1e-15, "gtol": 1e-12, **TIGHT}),
        "errors counted in thousandths": (1e6, TIGHT),
    }
    random = np.random.default_rng(2024)
    starts = [FIRST, *({name: random.choice(GRID[name]) for name in FIRST} for _ in range(STARTS))]
    rows = []
    for rule, (scale, options) in rules.items():
        for number, start in enumerate(starts):
            first = list(start.values())
            end = minimize(objective, first, (scale, *columns), "L-BFGS-B", jac=True, options=options)
            rows.append(
                (rule, number, *first, f"{end.fun / scale:.8g}", *(f"{x:.5g}" for x in end.x[3:]), int(end.success))
            )
    names = ["rule", "start", *(f"start_{name}" for name in FIRST), "objective", "alpha", "beta", "success"]
    pd.DataFrame(rows, columns=names).to_csv(Path(__file__).with_name("stops.csv"), index=False)


if __name__ == "__main__":
    main()
