"""Time fits of the Chinchilla runs against the ways people make them today.

``make bench`` prints a table and writes ``benchmarks/results.json``, in under two minutes; with ``--all``, every
start of the published grid is run, and intervals are counted in 100 experiments instead of ten. All but the last
minimise the same objective (the sum of Huber losses, delta 1e-3, of log errors, without the five runs of highest
loss); what each of them reaches is computed by the same function. Times are of one processor.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
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
from tqdm import tqdm

from moelaws import data
from moelaws.errors import Unavailable
from moelaws.fitting import intervals as uncertainty
from moelaws.fitting.estimation import LOG_SQUARES, Fit, fit, huber
from moelaws.fitting.prediction import predict
from moelaws.laws import LAWS

HERE = Path(__file__).parent
DELTA = 1e-3
OUTLIERS = 5
SAMPLE = 60
REPLICATES = 1000
SPAN = 10.0

# Logarithms of E, A and B, and the exponents, from which the published fits start.
GRID = [
    np.arange(-1, 1.1, 0.5),
    np.arange(0, 26, 5.0),
    np.arange(0, 26, 5.0),
    np.arange(0, 2.1, 0.5),
    np.arange(0, 2.1, 0.5),
]


def timed(function: Callable[[], Any], span: float = 0.0) -> tuple[float, Any]:
    """Return the shortest processor time of a call, in seconds, and what it returned.

    It is called again until all calls took `span` seconds: a fast function gets no shorter a stretch of a noisy
    machine than a slow one.
    """
    times: list[float] = []
    while sum(times) <= span:
        start = time.process_time()
        result = function()
        times.append(time.process_time() - start)
    return min(times), result


def published(runs: pd.DataFrame, every: bool) -> tuple[float, np.ndarray, str]:
    """Fit by the published recipe: every start of the grid, L-BFGS-B, numeric gradient, default tolerances."""
    log_n, log_d, log_loss = (np.log(runs[name].to_numpy()) for name in ("n_active", "n_tokens", "loss"))

    def objective(x: np.ndarray) -> float:
        e, a, b, alpha, beta = x
        log_terms = np.stack([np.full_like(log_n, e), a - alpha * log_n, b - beta * log_d])
        return float(scipy_huber(DELTA, logsumexp(log_terms, axis=0) - log_loss).sum())

    def best(starts: list[np.ndarray]) -> Any:
        return min((minimize(objective, x, method="L-BFGS-B") for x in starts), key=lambda found: found.fun)

    starts = [np.array(x) for x in product(*GRID)]
    chosen = range(len(starts)) if every else np.random.default_rng(0).choice(len(starts), SAMPLE, replace=False)
    bar = tqdm(chosen, desc="starts of the published recipe", leave=False)
    seconds, found = timed(lambda: best([starts[i] for i in bar]))
    seconds *= len(starts) / len(chosen)
    note = f"{len(starts)} starts" + ("" if every else f", extrapolated from {SAMPLE} of them drawn at random")
    e, a, b, alpha, beta = found.x
    return seconds, np.array([np.exp(e), np.exp(a), np.exp(b), alpha, beta]), note


def package(
    requirement: str, script: str, files: dict[str, pd.DataFrame], *arguments: object, new: bool = False
) -> Any:
    """Run a script with a package, in an environment of its own that is thrown away; or return why that cannot be.

    Some packages need a newer Python than this one, and get the newest that is found.
    """
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder, "venv", "bin", "python")
        for name, table in files.items():
            table.to_csv(Path(folder, name), index=False)
        np.savez(Path(folder, "grid.npz"), *GRID)
        named = [path for path in map(shutil.which, ("python3.14", "python3.13", "python3.12")) if path]
        runs = [path for path in named if not subprocess.run([path, "-c", ""], capture_output=True).returncode]
        newest = runs[0] if new and runs else sys.executable
        commands = [
            [newest, "-m", "venv", python.parent.parent],
            [python, "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check", requirement],
            [python, HERE / script, folder, *map(str, arguments)],
        ]
        try:
            for command in commands:
                answer = subprocess.run(command, check=True, capture_output=True, text=True, timeout=3600).stdout
        except (subprocess.SubprocessError, OSError) as error:
            return f"could not be run: {(getattr(error, 'stderr', None) or str(error)).strip().splitlines()[-1]}"
        return json.loads(answer.splitlines()[-1])


def machine() -> dict[str, str]:
    """Return what the times depend on."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores_used": "1",
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "scipy", "pandas")},
    }


def beside(runs: pd.DataFrame, experiments: int) -> list[dict[str, Any]]:
    """Return the lines of the package `simple-scaling-laws`: its fit with intervals, and what they hold.

    How often an interval at ten times the compute holds the mean, and a new run, is counted in simulated
    experiments (the isoFLOP design of ``data/coverage``), for that package and for this one.
    """
    sys.path.insert(0, str(data.ROOT / "data" / "coverage"))
    from make_coverage import DESIGNS

    design, law = DESIGNS["isoflop"], LAWS["dense"]
    mean = float(design.truth(design.beyond)[0])
    simulated, ends, news = [], [], []
    for seed in tqdm(range(experiments), desc="experiments", leave=False):
        rng = np.random.default_rng(seed)
        simulated.append(design.simulate(design.rows, rng).assign(simulation=seed))
        news.append(float(design.simulate(design.beyond, rng).loss.iloc[0]))
        fitted = fit(law, simulated[-1], LOG_SQUARES)
        ends.append(predict(fitted, design.beyond, uncertainty.refits(fitted, draws=200)).iloc[0])
    files = {
        "runs.csv": runs[["n_active", "n_tokens", "loss"]],
        "simulated.csv": pd.concat(simulated),
        "point.csv": design.beyond[["n_active", "n_tokens"]],
    }
    found = package("simple-scaling-laws==0.2.0", "pypi_simple_scaling_laws.py", files, SPAN, new=True)
    ours = pd.DataFrame(ends)
    held = [("moelaws", ours.mean_low, ours.mean_high, ours.run_low, ours.run_high)]
    if isinstance(found, dict):
        low, high = np.transpose(found["ends"])
        held.append(("simple-scaling-laws 0.2.0 (PyPI)", low, high, low, high))
    coverage = [
        {
            "method": name,
            "experiments": experiments,
            "mean": float(np.mean((low <= mean) & (mean <= high))),
            "new_run": float(np.mean((run_low <= news) & (news <= run_high))),
        }
        for name, low, high, run_low, run_high in held
    ]
    seconds, note = (found["seconds"], "its own loss") if isinstance(found, dict) else (None, found)
    name = f"simple-scaling-laws 0.2.0 (PyPI): fit and {REPLICATES} draws"
    return [{"method": name, "seconds": seconds, "objective": None, "coefficients": None, "note": note}, *coverage]


def measure(runs: pd.DataFrame, every: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return one line for each method, and one for the coverage of each package's intervals."""
    loss, bar = huber(DELTA), tqdm(total=6, unit="method")
    seconds, ours = timed(lambda: fit(LAWS["dense"], runs, loss), SPAN)
    fitted: Fit = ours
    lines = [("moelaws: fit", seconds, fitted.coefficients, "five of 576 starts and 16 random ones followed")]
    bar.update()
    seconds, found, note = published(runs, every)
    lines.append(("published recipe: L-BFGS-B, numeric gradient", seconds, found, note))
    bar.update()
    files = {"runs.csv": runs[["n_active", "n_tokens", "loss"]]}
    theirs = package("chinchilla==0.2.0", "pypi_chinchilla.py", files, SAMPLE, DELTA)
    if isinstance(theirs, str):
        lines.append(("chinchilla 0.2.0 (PyPI)", None, None, theirs))
    else:
        count = np.prod([len(values) for values in GRID])
        note = f"{count} starts, extrapolated from {SAMPLE} of them drawn at random"
        for entry in theirs:
            seconds, found = entry["seconds"] * count / SAMPLE, np.array(entry["coefficients"])
            lines.append((f"chinchilla 0.2.0 (PyPI){entry['variant']}", seconds, found, note))
    bar.update()
    seconds, sample = timed(lambda: uncertainty.refits(fitted, by="run", draws=REPLICATES), SPAN)
    note = f"all at once, each to 1e-14; {len(sample.alone)} of them by themselves"
    lines.append((f"moelaws: bootstrap, {REPLICATES} replicates", seconds, None, note))
    bar.update()
    seconds, _ = timed(lambda: uncertainty.profile(fitted), 1.0)
    lines.append(("moelaws: profile of five parameters", seconds, None, ""))
    bar.update()
    last, *coverage = beside(runs, 100 if every else 10)
    bar.close()
    results = [
        {
            "method": method,
            "seconds": seconds,
            "objective": None if found is None else fitted.problem.objective(found),
            "coefficients": None if found is None else dict(zip(fitted.free, map(float, found), strict=True)),
            "note": note,
        }
        for method, seconds, found, note in lines
    ]
    return [*results, last], coverage


def main() -> None:
    """Print the tables and write the results."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--all", action="store_true", help="every start and 100 experiments, which takes a quarter of an hour"
    )
    every = parser.parse_args().all
    try:
        runs = data.load_runs("chinchilla")
    except Unavailable as error:
        print(f"No benchmark: {error}")
        return
    # One core, also for libraries that would take all.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    lines, coverage = measure(runs.nsmallest(len(runs) - OUTLIERS, "loss"), every)
    print(f"{'method':48s} {'seconds':>9s}  {'objective':>14s}  note")
    for line in lines:
        seconds = "" if line["seconds"] is None else f"{line['seconds']:.3f}"
        objective = "" if line["objective"] is None else f"{line['objective']:.12f}"
        print(f"{line['method']:48s} {seconds:>9s}  {objective:>14s}  {line['note']}")
    print("\nHow often a 95 % interval at ten times the compute held the truth:")
    print(pd.DataFrame(coverage).to_string(index=False))
    report = {
        "machine": machine(),
        "rows": len(runs) - OUTLIERS,
        "delta": DELTA,
        "results": lines,
        "coverage": coverage,
    }
    (HERE / "results.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
