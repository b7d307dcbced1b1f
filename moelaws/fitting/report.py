"""What a fit has to say, as text, as a table in a notebook, as an object for programs, and as a picture."""

import html
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from moelaws.data.quantities import QUANTITIES
from moelaws.fitting.estimation import Fit
from moelaws.fitting.intervals import Intervals, Refits, profile, written

PROFILED_ROWS = 10_000
"""Up to how many rows intervals are computed unasked, which takes a second or so."""


@dataclass(frozen=True)
class Report:
    """A fit with its intervals.

    Parameters
    ----------
    intervals : dict
        Parameter → (low, high), of those that were fitted.
    warnings : tuple of str
        What there is to object to.
    refits : Refits, optional
        What the intervals were made of; without, they are profiles of the objective.
    held_out : pandas.DataFrame, optional
        Rows that were not fitted, whose error is told beside that of the others.
    """

    fit: Fit
    intervals: Intervals
    warnings: tuple[str, ...]
    refits: Refits | None = None
    held_out: pd.DataFrame | None = None

    @property
    def lines(self) -> list[str]:
        """The report but for its warnings, line by line."""
        table = self.rows()
        wide = [max(len(row[column]) for row in table) for column in range(3)]
        rows = (
            f"    {name:{wide[0]}}  {value:{wide[1]}}  {unit:{wide[2]}}  {what}" for name, value, unit, what in table
        )
        return [self.head, *rows, self.foot]

    @property
    def head(self) -> str:
        """One line: what was fitted to what, and how it ended."""
        law = self.fit.law
        return f"{law.name}, {', '.join(law.columns)} → {law.response}, {len(self.fit.table)} rows: {self.fit.status}"

    @property
    def foot(self) -> str:
        """One line: errors, loss and kind of the intervals."""
        loss, refits = self.fit.problem.loss, self.refits
        bent = "squares" if loss.delta is None else f"Huber's loss, bent at {loss.delta:g}"
        bent += f", those above the observation times {loss.above:g}," if loss.above != 1 else ""
        kind = "95 %, profile of the objective" if self.intervals else "no intervals"
        kind = f"95 %, {len(refits.coefficients)} bootstraps of {refits.groups} groups" if refits else kind
        held = "" if self.held_out is None else f", {self.fit.rmse(self.held_out):.4g} in {len(self.held_out)} held out"
        return (
            f"RMSE {self.fit.rmse():.4g} in {self.fit.law.predicted}{held}; "
            f"{bent} of {loss.space} errors, objective {self.fit.objective:.6g}; {kind}"
        )

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Return, for each parameter, its name, its value with the interval, its unit and its meaning."""
        return [
            (parameter.name, self._value(parameter.name, value), parameter.unit, parameter.meaning)
            for parameter, value in zip(self.fit.law.parameters, self.fit.values.values(), strict=True)
        ]

    def _value(self, name: str, value: float) -> str:
        if name not in self.fit.free:
            return f"{value:.4g} ({'= ' + self.fit.tied[name] if name in self.fit.tied else 'held'})"
        ends = self.intervals.get(name)
        return f"{value:.4g}" if ends is None else written(value, ends)

    def __str__(self) -> str:
        return "\n".join([*self.lines, *(f"Warning: {one}" for one in self.warnings)])

    def as_html(self) -> str:
        """Return the report as a table for a notebook."""
        cells = "".join(
            f'<tr><th scope="row">{html.escape(name)}</th>' + "".join(f"<td>{html.escape(one)}</td>" for one in rest)
            for name, *rest in self.rows()
        )
        objections = "".join(f"<li>{html.escape(one)}</li>" for one in self.warnings)
        heads = "".join(f'<th scope="col">{one}</th>' for one in ("parameter", "value, 95 %", "unit", "meaning"))
        return (
            f"<table><caption>{html.escape(self.head)}</caption><thead><tr>{heads}</tr></thead><tbody>{cells}</tbody></table>"
            f"<p>{html.escape(self.foot)}</p>" + (f"<p>Warnings:</p><ul>{objections}</ul>" if objections else "")
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the report as an object of plain values."""
        fit, refits, held = self.fit, self.refits, self.held_out
        return {
            "law": fit.law.name,
            "version": version("moelaws"),
            "loss": asdict(fit.problem.loss),
            "params": {
                one.name: {"value": value}
                | dict(zip(("low", "high"), map(_finite, self.intervals.get(one.name, (None, None))), strict=True))
                | {"unit": one.unit}
                for one, value in zip(fit.law.parameters, fit.values.values(), strict=True)
            },
            "intervals": {
                "kind": "bootstrap" if refits else "profile" if self.intervals else None,
                "level": 0.95,
                "draws": len(refits.coefficients) + len(refits.failed) if refits else None,
                "groups": refits.groups if refits else None,
            },
            "units": {
                name: QUANTITIES[name].unit for name in (*fit.law.columns, fit.law.response) if name in QUANTITIES
            },
            "held": fit.held,
            "tied": fit.tied,
            "objective": fit.objective,
            "status": fit.status,
            "n_rows": len(fit.table),
            "rmse": fit.rmse(),
            "n_holdout": 0 if held is None else len(held),
            "rmse_holdout": None if held is None else fit.rmse(held),
            "warnings": list(self.warnings),
        }


def _finite(end: float | None) -> float | None:
    """Return an end of an interval, or none where there is none, for which JSON has no number."""
    return end if end is not None and np.isfinite(end) else None


def report(fit: Fit, refits: Refits | None = None, held_out: pd.DataFrame | None = None) -> Report:
    """Return what a fit has to say, with 95 % intervals.

    Without `refits` these are profiles of the objective, which take rows as independent, and are left out for large
    tables.

    Examples
    --------
    >>> from moelaws.fitting.estimation import fit
    >>> from moelaws.laws.routed import POWER_PRODUCT
    >>> rows = pd.DataFrame({"n_active": [1e7, 1e8, 1e9, 1e9], "n_routed": [1, 8, 1, 8], "loss": [3.9, 3.0, 2.6, 2.4]})
    >>> print(report(fit(POWER_PRODUCT, rows)).foot)
    RMSE 0.01836 in loss; squares of log errors, objective 8.33218e-05; 95 %, profile of the objective
    """
    warnings, ends, rows = list(fit.warnings), {}, len(fit.table)
    if refits is not None:
        ends = refits.ranges()
        warnings += refits.warnings
    elif rows > PROFILED_ROWS:
        warnings.append(f"No intervals for {rows} rows unasked; a bootstrap (--bootstrap N) computes them.")
    elif rows > len(fit.free):
        ends = profile(fit)
    return Report(fit, ends, tuple(warnings), refits, held_out)


def plot(fit: Fit, held_out: pd.DataFrame | None = None) -> Figure:
    """Draw observed against predicted responses, and relative errors against what was predicted.

    Rows held out are drawn as open marks.
    """
    import matplotlib.pyplot as plt

    predicted, observed = fit.predict(fit.table), fit.law.observed(fit.table)
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.2), layout="constrained")
    ends = [float(np.minimum(predicted, observed).min()), float(np.maximum(predicted, observed).max())]
    left.plot(ends, ends, color="0.5", linewidth=1, label="equal")
    left.plot(predicted, observed, "o", markersize=4, label="rows")
    left.set(xlabel=f"predicted {fit.law.predicted}", ylabel=f"observed {fit.law.predicted}", title=fit.law.name)
    right.axhline(0, color="0.5", linewidth=1)
    right.plot(predicted, 100 * fit.errors(), "o", markersize=4)
    if held_out is not None:
        value = fit.predict(held_out)
        left.plot(value, fit.law.observed(held_out), "o", markersize=4, mfc="white", label="held out")
        right.plot(value, 100 * fit.errors(held_out), "o", markersize=4, mfc="white")
    left.legend()
    right.set(xlabel=f"predicted {fit.law.predicted}", ylabel="predicted over observed less one (%)")
    return figure
