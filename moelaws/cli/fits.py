"""The commands that fit laws to a table of the reader's own: ``fit``, ``predict`` and ``compare``.

What they compute with is imported when they run, so that other commands start at once.
"""

import json
import math
from typing import TYPE_CHECKING, Any

import click

from moelaws.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from moelaws.fitting.objective import Loss

PROFILED_ROWS = 10_000
"""Up to how many rows intervals are computed unasked, which takes a second or so."""

_table = click.argument("table", metavar="TABLE.csv", type=click.Path())
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
_loss = click.option(
    "--loss", "kind", type=click.Choice(["log", "huber"]), default="log", help="Squares of log errors, or Huber's."
)
_delta = click.option("--delta", type=float, help="Log error where Huber's loss turns linear; 0.001 by default.")
_draws = click.IntRange(20, 100_000)


@click.command("fit")
@_table
@click.option("--law", "name", required=True, metavar="NAME", help="Name of the law, such as dense.")
@_loss
@_delta
@click.option("--holdout", metavar="EXPR", help='Rows not to fit but to predict, such as "n_active > 4e8".')
@click.option("--by", metavar="COLUMN", help="Rows with equal values here (one run) are drawn together.")
@click.option("--bootstrap", "draws", type=_draws, metavar="N", help="Intervals from N fits to resampled rows.")
@click.option("--out", type=click.Path(), help="Write the fit into this new folder, for 'moelaws predict'.")
@_json
def fit_command(
    table: str,
    name: str,
    kind: str,
    delta: float | None,
    holdout: str | None,
    by: str | None,
    draws: int | None,
    out: str | None,
    as_json: bool,
) -> None:
    """Fit a law to the runs in TABLE.csv: parameters, 95 % intervals, errors, and what there is to object to.

    Without --bootstrap, intervals are profiles of the objective, which take rows as independent.

    \b
    Example: moelaws fit data/examples/runs.csv --law wang2024 --bootstrap 200 --out fitted
    """
    from moelaws import laws
    from moelaws.data import table as tables
    from moelaws.data.condition import where
    from moelaws.fitting import intervals as uncertainty
    from moelaws.fitting import saved as artifact
    from moelaws.fitting.estimation import fit

    law, loss = laws.find(name), _chosen_loss(kind, delta)
    if by is not None and draws is None:
        raise InputError("Option --by says what a bootstrap draws together; --bootstrap N is expected with it.")
    if out is not None:
        artifact.reserve(out)
    rows = tables.read(table, (*law.columns, law.response))
    held = None if holdout is None else where(rows, holdout)
    fitted = fit(law, rows if held is None else rows[~held], loss)
    sample, ends, objections = None, {}, list(fitted.warnings)
    if draws is not None:
        sample = uncertainty.refits(fitted, by, draws, progress=not as_json)
        ends = sample.ranges()
    elif len(fitted.table) > PROFILED_ROWS:
        objections.append(f"No intervals for {len(fitted.table)} rows unasked; --bootstrap N computes them.")
    elif len(fitted.table) > len(fitted.free):
        ends = uncertainty.profile(fitted)
    if out is not None:
        artifact.save(fitted, out, sample)
    report = {
        "law": law.name,
        "params": {
            key: dict(zip(("value", "low", "high"), (value, *ends.get(key, (None, None))), strict=True))
            for key, value in fitted.values.items()
        },
        "objective": fitted.objective,
        "status": fitted.status,
        "n_rows": len(fitted.table),
        "rmse": fitted.rmse(),
        "rmse_holdout": None if held is None else fitted.rmse(rows[held]),
        "warnings": objections,
    }
    if as_json:
        _echo_json(report)
        return
    click.echo(f"{law.name}, {report['n_rows']} rows: {report['status']}, objective {report['objective']:.6g}")
    for key, value in fitted.values.items():
        limits = "" if key not in ends else " ({:.4g} to {:.4g})".format(*ends[key])
        click.echo(f"    {key} = {value:.6g}{limits}")
    beyond = "" if held is None else f", of held-out rows {report['rmse_holdout']:.4g}"
    click.echo(f"RMSE {report['rmse']:.4g}{beyond}")
    _echo_warnings(objections)


@click.command("predict")
@click.argument("folder", metavar="DIR", type=click.Path())
@click.argument("points", metavar="POINTS.csv", type=click.Path())
@_json
def predict_command(folder: str, points: str, as_json: bool) -> None:
    """Predict the points in POINTS.csv by the fit that 'moelaws fit --out DIR' wrote.

    Each prediction tells its distance outside the fitted rows: 0 inside, 0.5 half of the fitted log
    range beyond its end. Intervals need a fit with --bootstrap.

    \b
    Example: moelaws fit data/examples/runs.csv --law wang2024 --bootstrap 200 --out known &&
    moelaws predict known data/examples/candidates.csv
    """
    import numpy as np

    from moelaws.data import table as tables
    from moelaws.fitting import saved as artifact
    from moelaws.fitting.prediction import predict

    fitted, sample = artifact.load(folder)
    rows = tables.read(points, fitted.law.columns)
    predicted = predict(fitted, rows, sample)
    outside = predicted.distance > 0
    objections = list(fitted.warnings)
    if outside.any():
        farthest = int(np.argmax(predicted.distance))
        objections.append(
            f"{outside.sum()} of {len(rows)} points lie outside the fitted range; "
            f"the farthest, row {farthest + 1}, by {predicted.distance[farthest]:.2g} of its log range."
        )
    if sample is None:
        objections.append("The fit was saved without a bootstrap, so that predictions have no intervals.")
    together = rows[list(fitted.law.columns)].join(predicted)
    if as_json:
        _echo_json({"law": fitted.law.name, "predictions": together.to_dict("records"), "warnings": objections})
        return
    click.echo(together.to_string(index=False, float_format="{:.5g}".format))
    _echo_warnings(objections)


@click.command("compare")
@_table
@click.option("--law", "names", multiple=True, required=True, metavar="NAME", help="A law; give two or more.")
@_loss
@_delta
@click.option("--holdout", required=True, metavar="EXPR", help='Rows read only to score, such as "n_active > 4e8".')
@click.option(
    "--along", default="n_active", show_default=True, metavar="COLUMN", help="Validate towards larger values."
)
@click.option("--by", metavar="COLUMN", help="Rows with equal values here (one run) are drawn together.")
@_json
def compare_command(
    table: str,
    names: tuple[str, ...],
    kind: str,
    delta: float | None,
    holdout: str,
    along: str,
    by: str | None,
    as_json: bool,
) -> None:
    """Choose between laws on the runs in TABLE.csv, then score them on the rows held out.

    The choice is the law that best predicts the larger training runs from the smaller ones.

    \b
    Example: moelaws compare data/examples/runs.csv --law dense --law wang2024 --holdout "n_active>3e8"
    """
    from moelaws import laws
    from moelaws.data import table as tables
    from moelaws.data.condition import where
    from moelaws.fitting.comparison import compare

    candidates = [laws.find(name) for name in names]
    needed = {column for law in candidates for column in (*law.columns, law.response)}
    rows = tables.read(table, sorted(needed | {along}))
    held = where(rows, holdout)
    compared = compare(candidates, rows, ~held, along, _chosen_loss(kind, delta), by, progress=not as_json)
    validation, scores = compared.validation(), compared.score()
    objections = [f"{name}: {sentence}" for name, one in compared.fits.items() for sentence in one.warnings]
    objections += [*validation.warnings, *scores.warnings]
    if as_json:
        _echo_json(
            {
                "choice": compared.choice,
                "n_rows": int((~held).sum()),
                "n_holdout": int(held.sum()),
                "training": _records(compared.ranking),
                "validation": _records(validation.table),
                "holdout": _records(scores.table),
                "warnings": objections,
            }
        )
        return
    click.echo(f"On {(~held).sum()} training rows, chosen by predicting the largest {along}: {compared.choice}")
    for title, frame in (
        ("Training rows", compared.ranking),
        ("Forward validation", validation.table),
        (f"{held.sum()} held-out rows", scores.table),
    ):
        click.echo(f"\n{title}\n{frame.to_string(float_format='{:.4g}'.format)}")
    _echo_warnings(objections)


def _chosen_loss(kind: str, delta: float | None) -> "Loss":
    from moelaws.fitting.objective import LOG_SQUARES, huber

    if kind == "log":
        if delta is not None:
            raise InputError("Option --delta belongs to Huber's loss; --loss huber is expected with it.")
        return LOG_SQUARES
    if delta is not None and not (0 < delta < math.inf):
        raise InputError(f"Option --delta is {delta:g}; a positive number is expected.")
    return huber(delta or 1e-3)


def _records(frame: "pd.DataFrame") -> list[Any]:
    return frame.rename_axis("law").reset_index().to_dict("records")


def _echo_json(report: Any) -> None:
    """Print JSON, in which a number that is infinite or undefined is null."""
    click.echo(json.dumps(_plain(report), indent=2, ensure_ascii=False, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _echo_warnings(sentences: list[str]) -> None:
    for sentence in sentences:
        click.echo(f"Warning: {sentence}", err=True)
