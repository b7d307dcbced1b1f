"""Simulate the tables that the examples of the command line read: ``python data/examples/make_examples.py``."""

from pathlib import Path

import numpy as np
import pandas as pd

from moelaws.fitting.design import layout
from moelaws.laws import LAWS
from moelaws.laws.dense import BESIROGLU
from moelaws.models import huggingface
from moelaws.serving.steps import StepTime, throughput

SEED = 14
NOISE = 0.003
EXPERTS = {"tau": 1.7, "a": 420.0, "alpha": 0.33, "gamma": 0.12, "b": 1100.0, "beta": 0.34}
"""Made up: no paper gives coefficients of this law."""


def measured(rows: pd.DataFrame, law: str, true: dict[str, float], rng: np.random.Generator) -> pd.DataFrame:
    """Return the rows with losses that have normal errors in their logarithm."""
    loss = LAWS[law].predict(LAWS[law].theta(true), rows) * np.exp(NOISE * rng.normal(size=len(rows)))
    return rows.assign(loss=loss.round(4))


SERVER = {"overhead": 6.0, "bandwidth": 2400.0, "rate": 420.0, "per_request": 0.05}
"""Made up: a server of two devices, in ms, GB/s, TFLOP/s and ms."""


def served(folder: Path, rng: np.random.Generator) -> pd.DataFrame:
    """Return throughputs of the model of ``config.json`` by the step-time law, with normal errors of 1 %."""
    law = StepTime(huggingface.model(folder / "config.json").architecture)
    loads = [1, 2, 4, 8, 16, 32, 64, 128, 256]
    rows = pd.DataFrame([(load, 1024, out, 8, 2) for out in (256, 1024) for load in loads], columns=law.columns)
    steps = law.predict(law.theta(SERVER), rows) * np.exp(0.01 * rng.normal(size=len(rows)))
    total = throughput(steps, rows.concurrency, rows.tokens_in, rows.tokens_out)
    return rows.assign(throughput_total=total.round(1))


def main() -> None:
    """Write the tables."""
    rng, folder = np.random.default_rng(SEED), Path(__file__).parent
    dense = layout(LAWS["dense"], 2e21, curves=5, span=100, sizes=8, ratio=(2, 200))
    sweep = layout(LAWS["wang2024"], 1e20, sizes=5, ratio=(2, 200), experts=(1, 8, 64))
    next_ = layout(LAWS["wang2024"], 1e21, sizes=5, ratio=(2, 200), experts=(1, 8, 64))
    tables = {
        "isoflop": measured(dense, "dense", dict(BESIROGLU), rng),
        "runs": measured(sweep, "wang2024", EXPERTS, rng),
        "candidates": next_,
    }
    for name, rows in tables.items():
        kept = [column for column in ("n_active", "n_routed", "n_tokens", "flops", "loss") if column in rows]
        rows[kept].to_csv(folder / f"{name}.csv", index=False, float_format="%.5g")
    served(folder, np.random.default_rng(SEED + 1)).to_csv(folder / "serving.csv", index=False)


if __name__ == "__main__":
    main()
