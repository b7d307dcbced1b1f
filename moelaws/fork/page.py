"""What a chapter on a reader's own runs shows: tables, sentences and figures."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from moelaws import data
from moelaws.data.quantities import QUANTITIES
from moelaws.fitting.comparison import Comparison
from moelaws.fitting.estimation import RELATIVE_SQUARES, Fit, fit
from moelaws.fitting.intervals import written
from moelaws.laws import clark2022, dense, find, krajewski2024, ludziejewski2025, tian2025
from moelaws.laws.base import Law
from moelaws.models import catalogue
from moelaws.serving.steps import StepTime

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


def beside(found: Fit) -> pd.DataFrame:
    """Return the coefficients of a fit with their intervals, and what the paper prints.

    Columns: `fitted`, `low` and `high` (95 %, profile), `printed`, `inside` (whether the printed one lies in the
    interval), `unit`.
    """
    printed, ends = PRINTED.get(found.law.name, {}), found.report.intervals
    rows: dict[str, dict[str, Any]] = {}
    for parameter in found.law.parameters:
        name = parameter.name
        low, high = ends.get(name, (np.nan, np.nan))
        known = printed.get(name)
        rows[name] = {"fitted": f"{found.values[name]:.4g}", "low": f"{low:.4g}", "high": f"{high:.4g}"} | {
            "printed": "none" if known is None else f"{known:.4g}",
            "inside": "" if known is None or np.isnan(low) else "yes" if low <= known <= high else "no",
            "unit": parameter.unit,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def objections(found: Fit) -> pd.DataFrame:
    """Return the status of a fit and its first seven warnings as a table."""
    said = [f"Status: {found.status}.", *(found.warnings or ("Nothing else is to be said against this fit.",))]
    return pd.DataFrame({"the fit": said[:8]}, index=range(1, len(said[:8]) + 1))


def findings(compared: Comparison, law: str) -> dict[str, str]:
    """Return the sentences of a chapter by their label: answer, runs, coefficients, printed, comparison, identified."""
    found, table = compared.fits[law], compared.score().table
    choice, best, unit = compared.choice, str(table.index[0]), QUANTITIES[found.law.response].unit or "1"
    shown, wide = beside(found), _wide(found)
    inside = [name for name, row in shown.iterrows() if row.inside == "yes"]
    outside = [name for name, row in shown.iterrows() if row.inside == "no"]
    share = 100 * table.rmse[law] / float(np.mean(found.law.observed(compared.held_out)))
    known = (
        f"{len(found.free) - len(wide)} of {len(found.free)} coefficients are known to better than half of their value"
    )
    told = "is chosen" if choice == law else f"is not chosen, but {choice} is,"
    advice = "Use it for runs like these" if found.status == "converged" else "Do not use its coefficients"
    advice = advice if choice == law else f"Use {choice} instead"
    beat = (
        f"Of {len(table)} laws, {law} {told} by the training rows; on the {len(compared.held_out)} runs held out, "
        f"{best} has the lowest error, {table.rmse.iloc[0]:.3g} {unit}"
    )
    beat += "." if best == law else f", and {law} {table.rmse[law]:.3g}."
    return {
        "answer": f"The law {law} was fitted to {len(found.table)} runs: {found.status}. "
        f"{advice}; it missed the runs held out by {share:.2g} %.",
        "runs": f"The table has {len(found.table) + len(compared.held_out)} runs.",
        "coefficients": f"{known}."
        if not wide
        else f"{known}; {', '.join(wide)} {'is' if len(wide) == 1 else 'are'} not.",
        "printed": _against(law, inside, outside),
        "comparison": beat,
        "identified": f"The fit ended as: {found.status}; there {_many(len(found.warnings))} to it.",
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


def _wide(found: Fit) -> list[str]:
    """Return the free coefficients whose interval reaches further than half of their value."""
    ends = found.report.intervals
    return [
        name
        for name in found.free
        if name not in ends or not (ends[name][1] - ends[name][0]) / 2 <= abs(found.values[name]) / 2
    ]


def draw_fit(found: Fit, held_out: pd.DataFrame, along: str) -> Figure:
    """Draw observed against predicted responses, and errors against a column; rows held out are open marks."""
    import matplotlib.pyplot as plt

    from moelaws import plots

    figure, (left, right) = plt.subplots(1, 2, figsize=(plots.PAGE, 3.2))
    everything = pd.concat([found.table, held_out])
    ends = [float(found.law.observed(everything).min()), float(found.law.observed(everything).max())]
    left.plot(ends, ends, color=plots.MUTED, linewidth=1)
    right.axhline(0, color=plots.MUTED, linewidth=1)
    for rows, face, label in ((found.table, None, "fitted"), (held_out, "white", "held out")):
        left.plot(found.predict(rows), found.law.observed(rows), "o", color=plots.ordered(3)[0], mfc=face, label=label)
        right.plot(rows[along], 100 * found.errors(rows), "o", color=plots.ordered(3)[0], mfc=face)
    what = f"{found.law.response} ({QUANTITIES[found.law.response].unit or '1'})"
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


TERMS = {
    "all four terms": {},
    "no time for each request": {"per_request": 0.0},
    "no work": {"rate": np.inf},
    "reads and overhead alone": {"rate": np.inf, "per_request": 0.0},
}
"""Step-time laws that are compared: what is held in each."""


def served(law: Law, train: pd.DataFrame, held_out: pd.DataFrame) -> pd.DataFrame:
    """Return how well a step-time law with fewer and fewer terms predicts, in milliseconds and per cent.

    Columns: `fitted`, how many parameters; `rmse_train` and `rmse_held_out`, ms; `error_held_out`, the mean of the
    absolute error, per cent.
    """
    fits = {name: fit(law, train, RELATIVE_SQUARES, hold=held) for name, held in TERMS.items()}
    rows = {
        name: {
            "fitted": len(one.free),
            "rmse_train": one.rmse(),
            "rmse_held_out": one.rmse(held_out),
            "error_held_out": 100 * one.mean_error(held_out),
        }
        for name, one in fits.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").sort_values("rmse_held_out", kind="stable")


def beside_yang(found: Fit) -> pd.DataFrame:
    """Return the parameters of a server with their intervals, and those of the one that Yang et al. measured.

    Theirs are fitted here to all rows of Table 8, DeepSeek-V2-Lite on two A800; the paper prints no parameters.
    """
    table = data.load("yang2025/throughput")
    theirs = fit(StepTime(catalogue.load("DeepSeek-V2-Lite")), table[table.table == 8], RELATIVE_SQUARES)
    shown = beside(found)
    return (
        shown.assign(printed=[f"{theirs.values[name]:.4g}" for name in shown.index])
        .drop(columns="inside")
        .rename(columns={"printed": "their Table 8"})
    )


def draw_served(found: Fit, held_out: pd.DataFrame) -> Figure:
    """Draw the time of a step against load, measured and predicted, and what it is spent on."""
    import matplotlib.pyplot as plt

    from moelaws import plots

    law = found.law
    assert isinstance(law, StepTime)
    figure, (left, right) = plt.subplots(1, 2, figsize=(plots.PAGE, 3.4))
    color = plots.ordered(3)[0]
    for rows, face, label in ((found.table, color, "fitted"), (held_out, "white", "held out")):
        left.plot(rows.concurrency, law.observed(rows), "o", color=color, mfc=face, label=label)
    everything = pd.concat([found.table, held_out]).sort_values("concurrency", kind="stable")
    left.plot(everything.concurrency, found.predict(everything), "_", color=plots.INK, markersize=9, label="law")
    parts = law.parts(everything, found.coefficients).groupby(everything.concurrency).mean()
    shares = 100 * parts.div(parts.sum(axis=1), axis=0)
    right.stackplot(shares.index, shares.to_numpy().T, labels=shares.columns, colors=plots.ordered(len(shares.columns)))
    for ax in (left, right):
        ax.set(xscale="log", xlabel="concurrent requests")
    left.set(yscale="log", ylabel="time of a step (ms)", title="(a)")
    right.set(ylabel="share of the law's time (%)", ylim=(0, 100), title="(b)")
    left.legend()
    right.legend(fontsize=7, loc="lower left", frameon=True)
    return figure


def findings_of_serving(found: Fit, held_out: pd.DataFrame, variants: pd.DataFrame) -> dict[str, str]:
    """Return the sentences of a chapter on a server by their label."""
    ends, best = found.report.intervals, str(variants.index[0])
    shown = [
        f"{p.name} {written(found.values[p.name], ends[p.name])} {p.unit}"
        for p in found.law.parameters
        if p.name in ends
    ]
    wide = _wide(found)
    open_ = (
        f"; {', '.join(wide)} {'is' if len(wide) == 1 else 'are'} known to no better than half of the value"
        if wide
        else ""
    )
    return {
        "answer": (
            f"A decoding step was fitted by overhead, reads and work to {len(found.table)} loads: {found.status}. "
            f"Heavier loads, held out, are missed by {100 * found.mean_error(held_out):.2g} %."
        ),
        "coefficients": f"The server has {', '.join(shown)}.",
        "comparison": (
            f"On the {len(held_out)} loads held out, the law with {best} errs least, by "
            f"{variants.error_held_out.iloc[0]:.2g} %."
        ),
        "identified": f"The fit ended as: {found.status}; there {_many(len(found.warnings))} to it{open_}.",
        "runs": f"The table has {len(found.table) + len(held_out)} rows, {len(held_out)} of them held out.",
    }
