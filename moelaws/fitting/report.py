"""What a fit has to say, as text, as a table in a notebook, as an object for programs, and as a picture."""

import html
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from moelaws.fitting.estimation import Fit
from moelaws.fitting.intervals import Intervals, Refits, profile, written

PROFILED_ROWS = 10_000
"""Up to how many rows intervals are computed unasked, which takes a second or so."""


@dataclass(frozen=True)
class Report:
    """A fit with its intervals.

    Parameters
    ----------
    fit : Fit
        The fit.
    intervals : dict
        Parameter → (low, high), of those that were fitted.
    kind : str
        How the intervals were made.
    warnings : tuple of str
        What there is to object to.
    """

    fit: Fit
    intervals: Intervals
    kind: str
    warnings: tuple[str, ...]

    @property
    def head(self) -> str:
        """One line: what was fitted to what, and how it ended."""
        law = self.fit.law
        return f"{law.name}, {', '.join(law.columns)} → {law.response}, {len(self.fit.table)} rows: {self.fit.status}"

    @property
    def foot(self) -> str:
        """One line: errors, loss and kind of the intervals."""
        loss = self.fit.problem.loss
        bent = "squares" if loss.delta is None else f"Huber's loss, bent at {loss.delta:g}"
        bent += f", those above the observation times {loss.above:g}," if loss.above != 1 else ""
        return (
            f"RMSE {self.fit.rmse():.4g} in {self.fit.law.response}; "
            f"{bent} of {loss.space} errors, objective {self.fit.objective:.6g}; {self.kind}"
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
        table = self.rows()
        wide = [max(len(row[column]) for row in table) for column in range(3)]
        lines = [
            f"    {name:{wide[0]}}  {value:{wide[1]}}  {unit:{wide[2]}}  {what}" for name, value, unit, what in table
        ]
        return "\n".join([self.head, *lines, self.foot, *(f"Warning: {one}" for one in self.warnings)])

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
        loss, fit = self.fit.problem.loss, self.fit
        return {
            "law": fit.law.name,
            "params": {
                parameter.name: dict(
                    zip(
                        ("value", "low", "high"),
                        (value, *self.intervals.get(parameter.name, (None, None))),
                        strict=True,
                    )
                )
                | {"unit": parameter.unit}
                for parameter, value in zip(fit.law.parameters, fit.values.values(), strict=True)
            },
            "intervals": self.kind,
            "loss": {"errors": loss.space, "delta": loss.delta, "above": loss.above},
            "objective": fit.objective,
            "status": fit.status,
            "n_rows": len(fit.table),
            "rmse": fit.rmse(),
            "warnings": list(self.warnings),
            "version": version("moelaws"),
        }


def report(fit: Fit, refits: Refits | None = None) -> Report:
    """Return what a fit has to say, with 95 % intervals.

    Parameters
    ----------
    fit : Fit
        The fit.
    refits : Refits, optional
        Fits to resampled rows, which intervals are made of; by default they are profiles of the
        objective, which take rows as independent, and are left out for large tables.

    Examples
    --------
    >>> import pandas as pd
    >>> from moelaws.fitting.estimation import fit
    >>> from moelaws.laws.routed import POWER_PRODUCT
    >>> rows = pd.DataFrame({"n_active": [1e7, 1e8, 1e9, 1e9], "n_routed": [1, 8, 1, 8], "loss": [3.9, 3.0, 2.6, 2.4]})
    >>> print(report(fit(POWER_PRODUCT, rows)).foot)
    RMSE 0.01836 in loss; squares of log errors, objective 8.33218e-05; 95 %, profile of the objective
    """
    warnings = list(fit.warnings)
    if refits is not None:
        ends, kind = refits.ranges(), f"95 %, {len(refits.coefficients)} bootstraps of {refits.groups} groups"
    elif len(fit.table) > PROFILED_ROWS:
        ends, kind = {}, "no intervals"
        warnings.append(f"No intervals for {len(fit.table)} rows unasked; a bootstrap computes them.")
    elif len(fit.table) <= len(fit.free):
        ends, kind = {}, "no intervals"
    else:
        ends, kind = profile(fit), "95 %, profile of the objective"
    return Report(fit, ends, kind, tuple(warnings))


def plot(fit: Fit, held_out: pd.DataFrame | None = None) -> Figure:
    """Draw observed against predicted responses, and relative errors against what was predicted.

    Parameters
    ----------
    fit : Fit
        The fit.
    held_out : pandas.DataFrame, optional
        Rows that it was not fitted to, drawn as open marks.
    """
    import matplotlib.pyplot as plt

    predicted, observed = fit.predict(fit.table), fit.law.observed(fit.table)
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.2), layout="constrained")
    ends = [float(np.minimum(predicted, observed).min()), float(np.maximum(predicted, observed).max())]
    left.plot(ends, ends, color="0.5", linewidth=1, label="equal")
    left.plot(predicted, observed, "o", markersize=4, label="rows")
    left.set(xlabel=f"predicted {fit.law.response}", ylabel=f"observed {fit.law.response}", title=fit.law.name)
    right.axhline(0, color="0.5", linewidth=1)
    right.plot(predicted, 100 * fit.errors(), "o", markersize=4)
    if held_out is not None:
        value = fit.predict(held_out)
        left.plot(value, fit.law.observed(held_out), "o", markersize=4, mfc="white", label="held out")
        right.plot(value, 100 * fit.errors(held_out), "o", markersize=4, mfc="white")
    left.legend()
    right.set(xlabel=f"predicted {fit.law.response}", ylabel="predicted over observed less one (%)")
    return figure
