"""Time the search for architectures of given sizes against trying them one by one.

``make bench`` prints a table and writes ``benchmarks/architectures.json``. All methods answer the same question, which
architectures of whole numbers have three given sizes within 5 %, on one core. *Tried* are the architectures of
a box in which every one has its sizes computed, or, for the search of the package, is decided with its line.
The box leaves out hidden sizes below 256 and experts wider than twice the hidden size, in which no one would look.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from run import machine, timed

from moelaws.papers.wan2026 import shapes
from moelaws.papers.wan2026.law import Setting

TOLERANCE = 0.05
STEP = 8
SETTING = Setting(16, 8, 128)
SIZES = (5.939e9, 7.22e8, 1.59e10)
LAYERS, DENSE, WIDTHS, EXPERTS = range(14, 19), range(1, 9), range(256, 2304, STEP), range(8, 2304, STEP)


def box() -> list[tuple[int, int]]:
    """Return dense layers and layers with experts of the box."""
    return [(dense, layers - dense) for layers in LAYERS for dense in DENSE]


def one_by_one(splits: list[tuple[int, int]], widths: range) -> int:
    """Count by a loop in Python."""
    found = 0
    for dense, moe in splits:
        for d in widths:
            for d_m in EXPERTS:
                n_a = 2 * 128 * 24 * d * (dense + moe) + 9 * d * d * dense + 27 * d * d_m * moe
                n = n_a + 3 * d * d_m * 280 * moe
                m = 6 * n_a + 6 * 8192 * 16 * 128 * (dense + moe)
                if all(abs(x - y) <= TOLERANCE * y for x, y in zip((m, n_a, n), SIZES, strict=True)):
                    found += 1
    return found


def all_at_once(splits: list[tuple[int, int]]) -> int:
    """Count by arrays: the sizes of every architecture are computed."""
    d, d_m = np.array(WIDTHS, dtype=float)[:, None], np.array(EXPERTS, dtype=float)
    product, found = d * d_m, 0
    for dense, moe in splits:
        n_a = (6144 * (dense + moe) * d + 9 * dense * d**2) + 27 * moe * product
        fits = np.abs(n_a / SIZES[1] - 1) <= TOLERANCE
        fits &= np.abs((6 * n_a + 100663296 * (dense + moe)) / SIZES[0] - 1) <= TOLERANCE
        fits &= np.abs((n_a + 840 * moe * product) / SIZES[2] - 1) <= TOLERANCE
        found += int(np.count_nonzero(fits))
    return found


def searched() -> int:
    """Count by the search of the package, without what lies outside the box."""
    found = shapes.within(*SIZES, SETTING, TOLERANCE, STEP, widths=(WIDTHS[0], WIDTHS[-1]))
    inside = found.n_dense_layers.isin(DENSE) & (found.n_dense_layers + found.n_moe_layers).isin(LAYERS)
    return int((inside & (found.d_expert <= EXPERTS[-1])).sum())


def measure() -> list[dict[str, Any]]:
    """Return one line for each method."""
    splits = box()
    everything = len(splits) * len(WIDTHS) * len(EXPERTS)
    few = range(1024, 1152, STEP)
    lines = []
    for method, seconds_and_found, tried, note in [
        (
            "a loop in Python",
            timed(lambda: one_by_one(splits, few)),
            len(splits) * len(few) * len(EXPERTS),
            f"{len(few)} of the {len(WIDTHS)} hidden sizes",
        ),
        ("arrays, each architecture computed", timed(lambda: all_at_once(splits), 5), everything, "the whole box"),
        ("moelaws: shapes.within", timed(searched, 5), everything, "the whole box and what lies around it"),
    ]:
        seconds, found = seconds_and_found
        lines.append(
            {
                "method": method,
                "seconds": seconds,
                "tried": tried,
                "per_second": tried / seconds,
                "found": found,
                "note": note,
            }
        )
    return lines


def main() -> None:
    """Print the table and write the results."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    lines = measure()
    if lines[1]["found"] != lines[2]["found"]:
        raise SystemExit(f"The methods disagree: {lines[1]['found']} and {lines[2]['found']} architectures.")
    print(f"{'method':36s} {'seconds':>9s} {'tried':>12s} {'per second':>11s} {'found':>7s}  note")
    for line in lines:
        print(
            f"{line['method']:36s} {line['seconds']:9.4f} {line['tried']:12,d} {line['per_second']:11.3g} "
            f"{line['found']:7d}  {line['note']}"
        )
    report = {"machine": machine(), "tolerance": TOLERANCE, "results": lines}
    Path(__file__).with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
