"""How many runs, over which span of compute, identify a law: ``python data/power/make_power.py``.

Runs are laid out as ``moelaws plan`` does, their losses simulated from a law with known parameters, and each sweep is
fitted; counted are the widths of 95 % intervals, and how often they hold the truth. One core needs some four minutes.
"""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from moelaws.fitting.design import layout
from moelaws.fitting.estimation import fit
from moelaws.fitting.intervals import profile
from moelaws.laws import LAWS
from moelaws.laws.dense import BESIROGLU

SEED = 20
SWEEPS = 10
NOISE = 0.003  # of the log loss
LARGEST = 1e21  # FLOP of the largest run
RATIO = 2.0, 200.0  # tokens per parameter
CURVES, SPANS, SIZES = 4, (3.0, 10.0, 100.0, 1000.0), (3, 5, 10, 20)
TRUTHS = {
    "dense": (dict(BESIROGLU), (1.0,)),
    "wang2024": ({"tau": 1.7, "a": 420.0, "alpha": 0.33, "gamma": 0.12, "b": 1100.0, "beta": 0.34}, (1.0, 8.0, 64.0)),
}


def sweep(name: str, span: float, sizes: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return simulated runs along four curves of equal compute, the largest of which costs the same in all sweeps."""
    true, experts = TRUTHS[name]
    shares = np.geomspace(1, 1 / span, CURVES).sum() * sizes * len(experts)
    rows = layout(LAWS[name], LARGEST * shares, CURVES, span, sizes, RATIO, experts)
    loss = LAWS[name].predict(LAWS[name].theta(true), rows)
    return rows.assign(loss=loss * np.exp(NOISE * rng.normal(size=len(rows))))


def counted(name: str, span: float, sizes: int) -> list[dict[str, object]]:
    """Return, for each parameter, what the intervals of ten sweeps are like."""
    true, _ = TRUTHS[name]
    ends = []
    for number in range(SWEEPS):
        rows = sweep(name, span, sizes, np.random.default_rng([SEED, number]))
        ends.append(profile(fit(name, rows, starts=1)))
    return [
        {
            "law": name,
            "runs": len(rows),
            "span": span,
            "parameter": parameter,
            "true": value,
            "width": float(np.median([(one[parameter][1] - one[parameter][0]) / 2 for one in ends])) / value,
            "held": sum(one[parameter][0] <= value <= one[parameter][1] for one in ends),
            "sweeps": SWEEPS,
        }
        for parameter, value in true.items()
    ]


def draw(table: pd.DataFrame, path: Path) -> None:
    """Draw the half-widths of exponents and floors against the number of runs, a line for each span."""
    import matplotlib.pyplot as plt

    from moelaws import plots

    plots.style()
    panels = [("dense", "alpha"), ("dense", "E"), ("wang2024", "alpha"), ("wang2024", "gamma")]
    figure, axes = plt.subplots(1, len(panels), figsize=(plots.PAGE, 2.9), sharey=True)
    for ax, (law, parameter) in zip(axes, panels, strict=True):
        shown = table[(table.law == law) & (table.parameter == parameter)]
        lines = zip(plots.ordered(len(SPANS)), plots.MARKERS, shown.groupby("span"), strict=False)
        for color, marker, (span, rows) in lines:
            ax.plot(rows.runs, 100 * rows.width, color=color, marker=marker, label=f"{span:g}")
        ax.axhline(10, color=plots.MUTED, linewidth=0.8, linestyle="--")
        ax.set(xscale="log", yscale="log", xlabel="runs", title=f"{law}: {parameter}")
        ax.set_xticks(sorted(shown.runs.unique()), [str(count) for count in sorted(shown.runs.unique())])
        ax.set_xticks([], minor=True)
    axes[0].set_ylabel("half-width of the 95 % interval (%)")
    axes[0].legend(title="span of compute")
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Write the table and the figure."""
    folder = Path(__file__).parent
    designs = product(TRUTHS, SPANS, SIZES)
    table = pd.DataFrame([row for name, span, sizes in designs for row in counted(name, span, sizes)])
    table.to_csv(folder / "power.csv", index=False, float_format="%.4g")
    draw(pd.read_csv(folder / "power.csv"), folder.parents[1] / "book" / "_static" / "power.svg")


if __name__ == "__main__":
    main()
