"""Predict the losses of a width that was never trained, from the runs of the grid.

``python data/small_moe_runs/make_predicted.py`` takes half a minute on one core and writes ``predicted.csv`` beside
itself. It was run before any model of the new width was trained; as it reads the grid alone, it says the same today.
"""

from pathlib import Path

import grid
import numpy as np
import pandas as pd

from moelaws import ledger
from moelaws.data import write
from moelaws.fitting import intervals, prediction
from moelaws.fitting.estimation import fit
from moelaws.laws import LAWS

DRAWS = 500


def error_left_out(law: str, runs: pd.DataFrame) -> float:
    """Return the root mean square error of log loss over all runs, each predicted from the other widths."""
    errors = [fit(LAWS[law], runs[runs.d_model != width]).errors(some) for width, some in runs.groupby("d_model")]
    return float(np.sqrt(np.mean(np.log1p(np.concatenate(errors)) ** 2)))


def designs() -> pd.DataFrame:
    """Return what the laws read of the runs to predict."""
    points = grid.new_width()
    trunks = [point.trunk for point in points]
    models = [trunk.architecture for trunk in trunks]
    table = {"run": [point.name for point in points], "n_tokens": [point.n_tokens for point in points]}
    table |= {name: [getattr(one, name) for one in trunks] for name in ("d_model", "d_expert", "n_routed", "top_k")}
    table |= {name: [getattr(one, name) for one in models] for name in ("n_layers", "n_active", "n_total")}
    described: pd.DataFrame = ledger.module("small_moe_runs").described(pd.DataFrame(table))
    return described


def predicted(law: str, runs: pd.DataFrame, points: pd.DataFrame) -> pd.DataFrame:
    """Return what a law predicts, with the 95 % intervals of its value and of a new run."""
    drawn = intervals.refits(fit(LAWS[law], runs), by="group", draws=DRAWS)
    table = prediction.predict(drawn.fit, points, drawn).drop(columns="distance")
    return pd.concat([points[["run", "n_routed"]].assign(law=law), table.round(4)], axis=1)


if __name__ == "__main__":
    claims = ledger.module("small_moe_runs")
    runs, points = claims.fitted(), designs()
    runs = runs[runs.plan == "grid"]
    error = {law: error_left_out(law, runs) for law in claims.CANDIDATES}
    table = pd.concat([predicted(law, runs, points) for law in claims.CANDIDATES], ignore_index=True)
    table.insert(3, "left_out", table.law.map(error).round(4))
    write(table.to_csv(index=False), Path(__file__).with_name("predicted.csv"), "small_moe_runs/predicted")
