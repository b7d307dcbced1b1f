"""What a chapter on a reader's own runs shows: tables, sentences and figures."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from moelaws.data.quantities import QUANTITIES
from moelaws.fitting.comparison import Comparison
from moelaws.fitting.estimation import Fit
from moelaws.laws import clark2022, dense, find, krajewski2024, ludziejewski2025, tian2025

PRINTED: dict[str, dict[str, float]] = {
    "dense": dense.BESIROGLU,
    "clark2022": clark2022.PUBLISHED["S-Base"],
    "krajewski2024": krajewski2024.PUBLISHED,
    "ludziejewski2025": ludziejewski2025.PUBLISHED,
    "tian2025": tian2025.PUBLISHED,
}
"""Coefficients that the papers print, by law; for the law of Hoffmann et al. those of the refit by Besiroglu et al.,
for that of Clark et al. those of its router S-Base."""


def overview(runs: pd.DataFrame, laws: Sequence[str]) -> pd.DataFrame:
    """Return the span of each column that one of the laws reads."""
    read = dict.fromkeys(column for name in laws for column in (*find(name).columns, find(name).response))
    rows = {
        name: {
            "unit": QUANTITIES[name].unit,
            "least": f"{runs[name].min():.4g}",
            "most": f"{runs[name].max():.4g}",
            "different values": runs[name].nunique(),
        }
        for name in read
    }
    return pd.DataFrame.from_dict(rows, orient="index").head(8)


def beside(fit: Fit) -> pd.DataFrame:
    """Return the coefficients of a fit with their intervals, and what the paper prints.

    Columns: `fitted`, `low` and `high` (95 %, profile), `printed`, `inside` (whether the printed one lies in the
    interval), `unit`.
    """
    printed, ends = PRINTED.get(fit.law.name, {}), fit.report.intervals
    rows: dict[str, dict[str, Any]] = {}
    for parameter in fit.law.parameters:
        name = parameter.name
        low, high = ends.get(name, (np.nan, np.nan))
        known = printed.get(name)
        rows[name] = {"fitted": f"{fit.values[name]:.4g}", "low": f"{low:.4g}", "high": f"{high:.4g}"} | {
            "printed": "none" if known is None else f"{known:.4g}",
            "inside": "" if known is None or np.isnan(low) else "yes" if low <= known <= high else "no",
            "unit": parameter.unit,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def objections(fit: Fit) -> pd.DataFrame:
    """Return the status of a fit and its first seven warnings as a table."""
    said = [f"Status: {fit.status}.", *(fit.warnings or ("Nothing else is to be said against this fit.",))]
    return pd.DataFrame({"the fit": said[:8]}, index=range(1, len(said[:8]) + 1))


def findings(compared: Comparison, law: str) -> dict[str, str]:
    """Return the sentences of a chapter by their label: answer, runs, coefficients, printed, comparison, identified."""
    fit, table = compared.fits[law], compared.score().table
    choice, best, unit = compared.choice, str(table.index[0]), QUANTITIES[fit.law.response].unit or "1"
    shown, wide = beside(fit), _wide(fit)
    inside = [name for name, row in shown.iterrows() if row.inside == "yes"]
    outside = [name for name, row in shown.iterrows() if row.inside == "no"]
    share = 100 * table.rmse[law] / float(np.mean(fit.law.observed(compared.held_out)))
    known = f"{len(fit.free) - len(wide)} of {len(fit.free)} coefficients are known to better than half of their value"
    told = "is chosen" if choice == law else f"is not chosen, but {choice} is,"
    trusted = f"Use it for runs like these; it missed those held out by {share:.2g} %."
    beat = (
        f"Of {len(table)} laws, {law} {told} by the training rows; on the {len(compared.held_out)} runs held out, "
        f"{best} has the lowest error, {table.rmse.iloc[0]:.3g} {unit}"
    )
    beat += "." if best == law else f", and {law} {table.rmse[law]:.3g}."
    return {
        "answer": f"The law {law} was fitted to {len(fit.table)} runs: {fit.status}. {trusted}",
        "runs": f"The table has {len(fit.table) + len(compared.held_out)} runs.",
        "coefficients": f"{known}."
        if not wide
        else f"{known}; {', '.join(wide)} {'is' if len(wide) == 1 else 'are'} not.",
        "printed": _against(law, inside, outside),
        "comparison": beat,
        "identified": f"The fit ended as: {fit.status}; there {_many(len(fit.warnings))} to it.",
    }


def _many(count: int) -> str:
    return {0: "is no objection", 1: "is one objection"}.get(count, f"are {count} objections")


def _against(law: str, inside: Sequence[object], outside: Sequence[object]) -> str:
    if not inside and not outside:
        return "No coefficients are printed for this law, so that there is nothing to hold these against."
    source = {"dense": " (of the refit by Besiroglu et al.)", "clark2022": " (of the router S-Base)"}.get(law, "")
    within = f"inside our interval {_listed(inside)}" if inside else ""
    beyond = f"outside {_listed(outside)}" if outside else ""
    parts = " and ".join(filter(None, (within, beyond)))
    return (
        f"Of the printed coefficients{source}, those {parts}. They belong to another text, tokenizer and way of "
        "counting, so that a difference is no contradiction."
    )


def _listed(names: Sequence[object]) -> str:
    return f"{'is' if len(names) == 1 else 'are'} {', '.join(map(str, names))}"


def _wide(fit: Fit) -> list[str]:
    """Return the free coefficients whose interval reaches further than half of their value."""
    ends = fit.report.intervals
    return [
        name
        for name in fit.free
        if name not in ends or not (ends[name][1] - ends[name][0]) / 2 <= abs(fit.values[name]) / 2
    ]


def draw_fit(fit: Fit, held_out: pd.DataFrame, along: str) -> Figure:
    """Draw observed against predicted responses, and errors against a column; rows held out are open marks."""
    import matplotlib.pyplot as plt

    from moelaws import plots

    figure, (left, right) = plt.subplots(1, 2, figsize=(plots.PAGE, 3.2))
    everything = pd.concat([fit.table, held_out])
    ends = [float(fit.law.observed(everything).min()), float(fit.law.observed(everything).max())]
    left.plot(ends, ends, color=plots.MUTED, linewidth=1)
    right.axhline(0, color=plots.MUTED, linewidth=1)
    for rows, face, label in ((fit.table, None, "fitted"), (held_out, "white", "held out")):
        left.plot(fit.predict(rows), fit.law.observed(rows), "o", color=plots.ordered(3)[0], mfc=face, label=label)
        right.plot(rows[along], 100 * fit.errors(rows), "o", color=plots.ordered(3)[0], mfc=face)
    what = f"{fit.law.response} ({QUANTITIES[fit.law.response].unit or '1'})"
    left.set(xlabel=f"predicted {what}", ylabel=f"measured {what}", title="(a)")
    right.set(xscale="log", xlabel=along, ylabel="predicted over measured less one (%)", title="(b)")
    left.legend()
    return figure


def draw_scores(compared: Comparison) -> Figure:
    """Draw the error of each law on the rows held out, and in forward validation."""
    import matplotlib.pyplot as plt

    from moelaws import plots

    table = compared.score().table.head(12).iloc[::-1]
    forward = compared.ranking.rmse_forward[table.index]
    figure, ax = plt.subplots(figsize=(plots.PAGE, 0.8 + 0.28 * len(table)))
    ax.barh(table.index, table.rmse, color=plots.ordered(3)[1], height=0.6, label="held out")
    ax.plot(forward, table.index, "|", color=plots.INK, markersize=11, mew=2, label="forward validation")
    response = next(iter(compared.fits.values())).law.response
    ax.set(xlabel=f"root mean square error ({QUANTITIES[response].unit or '1'})")
    ax.grid(axis="y", visible=False)
    ax.legend()
    return figure
