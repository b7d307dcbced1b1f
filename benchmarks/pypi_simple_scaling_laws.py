"""Fit with the package `simple-scaling-laws`; run by an interpreter that has it, on what `run.py` wrote into a folder.

Its loss is its own. Of ``runs.csv`` the fit with 1,000 draws is timed, the least of what fits into the seconds that
``run.py`` says; of ``simulated.csv`` each table is fitted with 200, and the point in ``point.csv`` predicted with its
95 % interval.
"""

import json
import sys
import time
from pathlib import Path

import polars as pl
from simple_scaling_laws import fit

NAMES = {"n_active": "model_size__n", "n_tokens": "dataset_size__d", "loss": "test_loss__nats"}


def fitted(table: pl.DataFrame, draws: int):
    """Return the fit of its dense law, each row a run of its own."""
    rows = table.select(NAMES.keys()).rename(NAMES)
    rows = rows.with_columns(pl.int_range(pl.len()).alias("training_run_id"), pl.lit(0).alias("test_set_id"))
    return fit(rows, law="separable-power", n_draws=draws, seed=0)


folder = Path(sys.argv[1])
runs, seconds = pl.read_csv(folder / "runs.csv"), []
while sum(seconds) <= float(sys.argv[2]):
    start = time.process_time()
    model = fitted(runs, 1000)
    seconds.append(time.process_time() - start)
point = pl.read_csv(folder / "point.csv").rename(NAMES, strict=False).with_columns(pl.lit("beyond").alias("point_id"))
ends = []
for _, table in sorted(pl.read_csv(folder / "simulated.csv").group_by("simulation")):
    row = fitted(table, 200).predict(point, quantiles=[0.025, 0.975]).row(0, named=True)
    ends.append([row["test_loss__nats__q025"], row["test_loss__nats__q975"]])
print(json.dumps({"seconds": min(seconds), "coefficients": model.params("test_loss__nats"), "ends": ends}))
