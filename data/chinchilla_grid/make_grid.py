"""Fit the law of Hoffmann et al. from every start of the published grid, to tight tolerance.

``python data/chinchilla_grid/make_grid.py`` takes up to three minutes and writes ``grid.csv`` beside itself.
"""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from moelaws import data
from moelaws.fitting.estimation import fit, huber
from moelaws.fitting.optimise import least_squares
from moelaws.laws import LAWS

# Besiroglu et al. (2024), after Hoffmann et al. (2022): e, a and b are logarithms of E, A and B.
GRID = {
    "alpha": np.arange(0, 2.1, 0.5),
    "beta": np.arange(0, 2.1, 0.5),
    "e": np.arange(-1, 1.1, 0.5),
    "a": np.arange(0, 26, 5.0),
    "b": np.arange(0, 26, 5.0),
}
OUTLIERS = 5  # runs of the highest loss, left out by Besiroglu et al.


def main() -> None:
    """Write the table."""
    runs = data.load_runs("chinchilla")
    problem = fit(LAWS["dense"], runs.nsmallest(len(runs) - OUTLIERS, "loss"), huber(1e-3)).problem
    rows = []
    for start in product(*GRID.values()):
        alpha, beta, *logs = start
        first = np.array([*np.exp(logs), alpha, beta])
        last = least_squares(problem, first).free
        rows.append((*start, problem.objective(first), problem.objective(last), *last))
    names = [f"start_{name}" for name in GRID]
    ends = ["E", "A", "B", "alpha", "beta"]
    table = pd.DataFrame(rows, columns=[*names, "objective_start", "objective", *ends])
    table[[*names, *ends]] = table[[*names, *ends]].map(lambda x: float(f"{x:.5g}"))
    table[["objective_start", "objective"]] = table[["objective_start", "objective"]].map(lambda x: float(f"{x:.8g}"))
    table.to_csv(Path(__file__).with_name("grid.csv"), index=False)
    reached = table.objective < table.objective.min() * (1 + 1e-6)
    print(f"{reached.sum()} of {len(table)} starts reach {table.objective.min():.8g}")


if __name__ == "__main__":
    main()
