"""Time fits of the Chinchilla runs against the ways people make them today.

``make bench`` prints a table and writes ``benchmarks/results.json``. All methods minimise the same
objective (the sum of Huber losses, delta 1e-3, of log errors, without the five runs of highest
loss) on one core; what each of them reaches is computed by the same function.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import huber as scipy_huber
from scipy.special import logsumexp

from moelaws import data
from moelaws.errors import Unavailable
from moelaws.fitting import intervals as uncertainty
from moelaws.fitting.estimation import Fit, fit, huber
from moelaws.laws import LAWS

HERE = Path(__file__).parent
DELTA = 1e-3
OUTLIERS = 5
PATIENCE = 600.0  # seconds for all starts; what would take longer is extrapolated from a sample
SAMPLE = 100
REPLICATES = 1000

# Logarithms of E, A and B, and the exponents, from which the published fits start.
GRID = [
    np.arange(-1, 1.1, 0.5),
    np.arange(0, 26, 5.0),
    np.arange(0, 26, 5.0),
    np.arange(0, 2.1, 0.5),
    np.arange(0, 2.1, 0.5),
]


def timed(function: Callable[[], Any], repeats: int = 1) -> tuple[float, Any]:
    """Return the shortest time of a call, in seconds, and what it returned."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - start)
    return min(times), result


def published(runs: pd.DataFrame) -> tuple[float, np.ndarray, str]:
    """Fit by the published recipe: every start of the grid, L-BFGS-B, numeric gradient, default tolerances."""
    log_n, log_d, log_loss = (np.log(runs[name].to_numpy()) for name in ("n_active", "n_tokens", "loss"))

    def objective(x: np.ndarray) -> float:
        e, a, b, alpha, beta = x
        log_terms = np.stack([np.full_like(log_n, e), a - alpha * log_n, b - beta * log_d])
        return float(scipy_huber(DELTA, logsumexp(log_terms, axis=0) - log_loss).sum())

    def best(starts: list[np.ndarray]) -> Any:
        return min((minimize(objective, x, method="L-BFGS-B") for x in starts), key=lambda found: found.fun)

    starts = [np.array(x) for x in product(*GRID)]
    chosen = np.random.default_rng(0).choice(len(starts), SAMPLE, replace=False)
    seconds, found = timed(lambda: best([starts[i] for i in chosen]))
    seconds *= len(starts) / SAMPLE
    note = f"{len(starts)} starts, extrapolated from {SAMPLE} of them drawn at random"
    if seconds < PATIENCE:
        seconds, found = timed(lambda: best(starts))
        note = f"{len(starts)} starts"
    e, a, b, alpha, beta = found.x
    return seconds, np.array([np.exp(e), np.exp(a), np.exp(b), alpha, beta]), note


def package(runs: pd.DataFrame) -> list[tuple[str, float | None, np.ndarray | None, str]]:
    """Fit with the package `chinchilla`, in an environment of its own that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder, "venv", "bin", "python")
        runs[["n_active", "n_tokens", "loss"]].to_csv(Path(folder, "runs.csv"), index=False)
        np.savez(Path(folder, "grid.npz"), *GRID)
        commands = [
            [sys.executable, "-m", "venv", python.parent.parent],
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "chinchilla==0.2.0"],
            [python, HERE / "pypi_chinchilla.py", folder, str(SAMPLE), str(DELTA)],
        ]
        try:
            for command in commands:
                answer = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600).stdout
        except (subprocess.SubprocessError, OSError) as error:
            reason = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1]
            return [("chinchilla 0.2.0 (PyPI)", None, None, f"could not be run: {reason}")]
        count = np.prod([len(values) for values in GRID])
        return [
            (
                f"chinchilla 0.2.0 (PyPI){entry['variant']}",
                entry["seconds"] * count / SAMPLE,
                np.array(entry["coefficients"]),
                f"{count} starts, extrapolated from {SAMPLE} of them drawn at random",
            )
            for entry in json.loads(answer.splitlines()[-1])
        ]


def machine() -> dict[str, str]:
    """Return what the times depend on."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores_used": "1",
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "scipy", "pandas")},
    }


def measure(runs: pd.DataFrame) -> list[dict[str, Any]]:
    """Return one line for each method."""
    loss = huber(DELTA)
    seconds, ours = timed(lambda: fit(LAWS["dense"], runs, loss), repeats=5)
    fitted: Fit = ours
    lines = [("moelaws: fit", seconds, fitted.coefficients, "five of 576 starts and 16 random ones followed")]
    seconds, found, note = published(runs)
    lines.append(("published recipe: L-BFGS-B, numeric gradient", seconds, found, note))
    lines += package(runs)
    seconds, _ = timed(lambda: uncertainty.refits(fitted, by="run", draws=REPLICATES).ranges())
    lines.append((f"moelaws: bootstrap, {REPLICATES} replicates", seconds, None, "each replicate fitted to 1e-10"))
    seconds, _ = timed(lambda: uncertainty.profile(fitted), repeats=3)
    lines.append(("moelaws: profile of five parameters", seconds, None, ""))
    return [
        {
            "method": method,
            "seconds": seconds,
            "objective": None if found is None else fitted.problem.objective(found),
            "coefficients": None if found is None else dict(zip(fitted.free, map(float, found), strict=True)),
            "note": note,
        }
        for method, seconds, found, note in lines
    ]


def main() -> None:
    """Print the table and write the results."""
    try:
        runs = data.load_runs("chinchilla")
    except Unavailable as error:
        print(f"No benchmark: {error}")
        return
    # One core, also for libraries that would take all.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    lines = measure(runs.nsmallest(len(runs) - OUTLIERS, "loss"))
    print(f"{'method':48s} {'seconds':>9s}  {'objective':>14s}  note")
    for line in lines:
        seconds = "" if line["seconds"] is None else f"{line['seconds']:.3f}"
        objective = "" if line["objective"] is None else f"{line['objective']:.12f}"
        print(f"{line['method']:48s} {seconds:>9s}  {objective:>14s}  {line['note']}")
    report = {"machine": machine(), "rows": len(runs) - OUTLIERS, "delta": DELTA, "results": lines}
    (HERE / "results.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
