"""One look for all figures: sizes, colours that survive colour blindness, and recurring panels."""

from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from matplotlib_inline.backend_inline import set_matplotlib_formats

PAGE = 7.2
"""Width of a figure that fills the text, inches."""

INK, MUTED = "#1b1f24", "#6b7280"
MOE, DENSE = "#21756b", "#b4530f"
"""Colours of mixture-of-experts and of dense models, on every page; they differ in lightness, too."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


def style() -> None:
    """Set the house style; a notebook calls it once, before its first figure.

    Figures become SVG that is the same, byte for byte, each time the notebook runs.
    """
    set_matplotlib_formats("svg", bbox_inches="tight", metadata={"Date": None})
    mpl.rcParams.update(
        {
            "svg.hashsalt": "moelaws",
            "figure.figsize": (PAGE, 3.4),
            "figure.constrained_layout.use": True,
            "figure.facecolor": "white",
            "font.size": 9.5,
            "axes.edgecolor": MUTED,
            "axes.labelcolor": INK,
            "axes.titlelocation": "left",
            "axes.titlesize": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#e5e7eb",
            "xtick.color": INK,
            "ytick.color": INK,
            "legend.frameon": False,
            "legend.fontsize": 8.5,
            "lines.linewidth": 1.6,
            "lines.markersize": 4.5,
        }
    )


def ordered(count: int) -> list[tuple[float, float, float, float]]:
    """Return colours for an ordered series, dark to light, all legible on white."""
    return [tuple(color) for color in mpl.colormaps["viridis"](np.linspace(0.0, 0.82, count))]


def letter(axes: Iterable[Axes], outside: bool = False) -> None:
    """Name panels (a), (b), … as their caption does: above, or `outside` to the left of what stands above."""
    for ax, name in zip(axes, "abc", strict=False):
        ax.set_title(f"({name})", x=-0.2 if outside else 0.0)


def load_axis(ax: Axes, loads: Sequence[int]) -> None:
    """Make the x axis a load: logarithmic, with the loads that were run as ticks."""
    ax.set_xscale("log", base=2)
    shown = [load for load in loads if load & (load - 1) == 0] if len(loads) > 8 else list(loads)
    ax.set_xticks(shown, [f"{load}" for load in shown])
    ax.set_xticks([], minor=True)
    ax.set_xlabel("concurrent requests")


def throughput_axis(ax: Axes) -> None:
    """Make the y axis a throughput: logarithmic, with whole numbers at 1, 2 and 5 of each decade."""
    ax.set(yscale="log", ylabel="throughput (tokens/s)")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter("{x:,.0f}")
    ax.yaxis.set_minor_locator(NullLocator())


def throughput_and_speedup(table: pd.DataFrame, by: str, label: str, predicted: pd.Series | None = None) -> Figure:
    """Draw throughput and speed-up against load, one series for each value of a column.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns `concurrency`, `throughput` and `by`.
    by : str
        Column whose largest value is the unmodified model.
    label : str
        Name of that column in the legend.
    predicted : pandas.Series, optional
        A model's throughput for the rows it covers, drawn as lines; points are measured.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE, 3.3))
    letter((left, right))
    values = sorted(table[by].unique(), reverse=True)
    measured = table.pivot(index="concurrency", columns=by, values="throughput")
    lines: Any = measured
    if predicted is not None:
        covered = table.loc[predicted.index].assign(predicted=predicted)
        lines = covered.pivot(index="concurrency", columns=by, values="predicted")
    for value, color, marker in zip(values, ordered(len(values)), MARKERS, strict=False):
        for ax, points, curve in (
            (left, measured[value], lines[value]),
            (right, measured[value] / measured[values[0]], lines[value] / lines[values[0]]),
        ):
            ax.plot(curve.index, curve, color=color, alpha=0.9)
            ax.plot(points.index, points, color=color, marker=marker, linestyle="none", label=f"{value}")
    for ax in (left, right):
        load_axis(ax, measured.index.tolist())
    throughput_axis(left)
    right.set(ylabel="speed-up")
    left.legend(title=label, ncols=2)
    return figure
