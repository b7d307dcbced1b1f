"""The commands that fit laws to a table of the reader's own: ``fit``, ``predict`` and ``compare``.

What they compute with is imported when they run, so that other commands start at once.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from moelaws.cli.output import (
    check_picture,
    echo,
    echo_json,
    echo_warnings,
    json_option,
    pairs_of,
    values_of,
    write_picture,
)
from moelaws.cli.reading import (
    choosing,
    chosen,
    mapped,
    mapped_names,
    mapping_of,
    points_of,
    rows_of,
    together,
)
from moelaws.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from moelaws.fitting.objective import Loss
    from moelaws.laws.base import Law

DELTAS = 1e-6, 10.0
"""Where Huber's loss can turn linear: below, squares never count, and above, nothing else."""

_table = click.argument("table", metavar="TABLE.csv", type=click.Path(allow_dash=True))
_draws = click.IntRange(20, 100_000)
_reading = together(
    mapped,
    click.option(
        "--loss",
        "kind",
        type=click.Choice(["log", "huber"]),
        default="log",
        help="Squares of errors, or Huber's.",
    ),
    click.option("--delta", type=float, help="Error where Huber's loss turns linear; 0.001 by default."),
    click.option(
        "--errors",
        "space",
        type=click.Choice(["log", "relative", "linear"]),
        default="log",
        help="Errors are differences of logarithms, shares of what was observed, or plain differences.",
    ),
    click.option(
        "--above",
        type=float,
        default=1.0,
        metavar="X",
        help="Errors above the observation count X times, so that the fit follows the lower edge of the runs.",
    ),
    choosing,
)
"""The options that say how the table is read and what is minimised."""


_FITTING = (
    click.option("--hold", multiple=True, metavar="NAME=NUMBER", help="Hold a parameter at a value, such as E=1.69."),
    click.option("--tie", multiple=True, metavar="NAME=OTHER", help="Make a parameter equal another: beta=alpha."),
    click.option("--holdout", metavar="EXPR", help='Rows not to fit but to predict, such as "n_active > 4e8".'),
    click.option("--by", metavar="COLUMN", help="Rows with equal values here (one run) are drawn together."),
    click.option("--bootstrap", "draws", type=_draws, metavar="N", help="Intervals from N fits to resampled rows."),
    click.option("--out", type=click.Path(), help="Write the fit into this new folder, for 'moelaws predict'."),
    click.option("--plot", "picture", metavar="FILE", type=click.Path(), help="Draw the fit: a PNG, SVG or PDF file."),
    json_option,
)


@dataclass(frozen=True)
class _Asked:
    """What the options of a fit ask for."""

    hold: tuple[str, ...]
    tie: tuple[str, ...]
    holdout: str | None
    by: str | None
    draws: int | None
    out: str | None
    picture: str | None
    as_json: bool

    def __post_init__(self) -> None:
        """Refuse what cannot be, before time is spent."""
        from moelaws.fitting import saved

        if self.by is not None and self.draws is None:
            raise InputError("Option --by says what a bootstrap draws together; --bootstrap N is expected with it.")
        if self.out is not None:
            saved.reserve(self.out)
        if self.picture is not None:
            check_picture(self.picture)
            if self.out is not None and Path(self.picture).resolve().is_relative_to(Path(self.out).resolve()):
                raise InputError(
                    f"Option --plot is '{self.picture}', which is inside of --out '{self.out}'; a file elsewhere is "
                    "expected."
                )


def _fitting(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say what is fitted and what is done with it, which come as one argument."""

    @wraps(command)
    def gathered(**options: Any) -> None:
        asked = {field.name: options.pop(field.name) for field in fields(_Asked)}
        command(asked=_Asked(**asked), **options)

    return together(*_FITTING)(gathered)


@click.command("fit")
@_table
@click.option("--law", "name", required=True, metavar="NAME", help="Name of the law, such as dense.")
@_reading
@_fitting
def fit_command(table: str, name: str, asked: _Asked, **reading: Any) -> None:
    """Fit a law to the runs in TABLE.csv: parameters, 95 % intervals, errors, and what there is to object to.

    Without --bootstrap, intervals are profiles of the objective, which take rows as independent.
    TABLE.csv may be packed by gzip, be Parquet, or be - for standard input.

    Public codes minimise other losses. That of kyo-takano/chinchilla, absolute errors of which those above the
    observation count tenfold, is --loss huber --delta 1e-4 --errors linear --above 10; on the digitised runs of
    Chinchilla it gives the E 1.700, alpha .289 and beta .356 which that code prints.

    \b
    Example: moelaws fit data/examples/runs.csv --law wang2024 --bootstrap 200 --out fitted
    """
    from moelaws import laws

    law = laws.find(name)
    rows, loss = _read(table, (*law.columns, law.response), **reading)
    _fit(law, rows, loss, asked)


@click.command("fit-serving")
@click.argument("tables", metavar="FILE...", type=click.Path(allow_dash=True), nargs=-1, required=True)
@click.option("--config", required=True, metavar="CONFIG.json", type=click.Path(), help="The model, as for 'arch'.")
@click.option("--counts", type=click.Choice(["total", "output"]), help="Tokens that the column throughput counts.")
@click.option("--weight-bytes", type=float, metavar="X", help="Bytes of a weight; by default what CONFIG.json says.")
@click.option("--cache-bytes", type=float, metavar="X", help="Bytes of an element of the cache; by default the same.")
@mapped_names
@_fitting
def fit_serving_command(
    tables: tuple[str, ...],
    config: str,
    counts: Any,
    weight_bytes: float | None,
    cache_bytes: float | None,
    asked: _Asked,
    **reading: Any,
) -> None:
    """Fit the time of a decoding step to measurements of a server: overhead, bandwidth, rate of work.

    A FILE is a table (columns concurrency, tokens_in, tokens_out; n_routed and top_k where they are not the model's;
    and one of throughput_total, throughput_output, step_ms, or throughput with --counts), or what 'vllm bench serve',
    'sglang.bench_serving' or InferenceMAX wrote. Bandwidth and rate are those of all devices together.

    \b
    Example: moelaws fit-serving data/examples/serving.csv --config data/examples/config.json --out served
    """
    from moelaws.fitting.objective import RELATIVE_SQUARES
    from moelaws.models import huggingface
    from moelaws.serving import measured

    for option, value in (("--weight-bytes", weight_bytes), ("--cache-bytes", cache_bytes)):
        if value is not None and not 0 < value <= 8:
            raise InputError(
                f"Option {option} is {value:g}; a number of bytes, more than 0 and at most 8, is expected."
            )
    law = measured.law_of(huggingface.model(config), weight_bytes, cache_bytes)
    rows = measured.read(tables, law, counts, mapping_of(**reading))
    settings = {"weight_bytes": law.weight_bytes, "cache_bytes": law.cache_bytes}
    _fit(law, rows, RELATIVE_SQUARES, asked, settings, Path(config))


def _fit(
    law: "Law",
    rows: "pd.DataFrame",
    loss: "Loss",
    asked: _Asked,
    settings: dict[str, float] | None = None,
    config: Path | None = None,
) -> None:
    """Fit a law, print the result, and write what was asked for."""
    from moelaws.data import files
    from moelaws.fitting import saved
    from moelaws.fitting.estimation import fit
    from moelaws.fitting.intervals import refits
    from moelaws.fitting.prediction import other_conventions
    from moelaws.fitting.report import plot, report

    if asked.by == law.response:
        raise InputError(f"Option --by is '{asked.by}', which is predicted; a column of groups is expected.")
    chosen, few = (None, []) if asked.holdout is None else _held_out(rows, asked.holdout)
    train, held = (rows, None) if chosen is None else (rows[~chosen], rows[chosen])
    fitted = fit(law, train, loss, _held(law, asked.hold), pairs_of(asked.tie, "--tie"))
    sample = None
    if asked.draws is not None:
        _check_groups(train, asked.by)
        sample = refits(fitted, asked.by, asked.draws, progress=not asked.as_json)
    said = report(fitted, sample, held)
    warnings = [*few, *([] if held is None else other_conventions(fitted, held)), *said.warnings]
    if asked.as_json:
        found = said.as_dict() | {"holdout": asked.holdout, "warnings": warnings}
        found["intervals"]["by"] = asked.by
        echo_json(found)
    else:
        echo("\n".join(said.lines))
        echo_warnings(warnings)
    # Last, so that a disk that is full loses nothing of what was printed; a picture can be made again, and comes after.
    if asked.out is not None:
        model = None if config is None else files.contents(config / "config.json" if config.is_dir() else config)
        saved.save(fitted, asked.out, sample, settings, model)
    if asked.picture is not None:
        write_picture(plot(fitted, held), asked.picture)


@click.command("predict")
@click.argument("folder", metavar="DIR", type=click.Path())
@click.argument("points", metavar="POINTS.csv", type=click.Path(allow_dash=True))
@mapped
@json_option
def predict_command(folder: str, points: str, as_json: bool, **reading: Any) -> None:
    """Predict the points in POINTS.csv by the fit that 'moelaws fit --out DIR' wrote.

    After a fit with --bootstrap, mean_low to mean_high is the 95 % interval of the mean of runs at a point,
    and run_low to run_high that of one new run, whose own scatter is included. Each prediction tells
    its distance outside the fitted rows: 0 inside, 0.5 half of the fitted log range beyond its end.

    \b
    Example: moelaws fit data/examples/runs.csv --law wang2024 --bootstrap 200 --out known &&
    moelaws predict known data/examples/candidates.csv
    """
    import numpy as np

    from moelaws.fitting import saved as artifact
    from moelaws.fitting.prediction import other_conventions, predict
    from moelaws.fitting.rows import refuse, suspect_units
    from moelaws.serving.steps import SAVED, throughput

    fitted, sample = artifact.load(folder, SAVED)
    rows = points_of(points, fitted.law.columns, **reading)
    refuse(fitted.law.columns, rows)
    predicted = predict(fitted, rows, sample)
    outside = predicted.distance > 0
    objections = [*fitted.warnings, *suspect_units(fitted.problem, rows), *other_conventions(fitted, rows)]
    if outside.any():
        farthest = int(np.argmax(predicted.distance))
        objections.append(
            f"{outside.sum()} of {len(rows)} points lie outside the fitted range; "
            f"the farthest, row {farthest + 1}, by {predicted.distance[farthest]:.2g} of its log range."
        )
    if sample is None:
        objections.append("The fit was saved without a bootstrap, so that predictions have no intervals.")
    together = rows[list(fitted.law.columns)].join(predicted)
    if fitted.law.name in SAVED:  # its values are milliseconds of a step, and tables have tokens per second
        loads = (rows[name] for name in ("concurrency", "tokens_in", "tokens_out"))
        together["throughput_total"] = throughput(predicted["value"], *loads)
    if as_json:
        echo_json({"law": fitted.law.name, "predictions": together.to_dict("records"), "warnings": objections})
        return
    echo(together.to_string(index=False, float_format="{:.5g}".format))
    echo_warnings(objections)


@click.command("compare")
@_table
@click.option("--law", "names", multiple=True, required=True, metavar="NAME", help="A law; give two or more.")
@_reading
@click.option("--holdout", required=True, metavar="EXPR", help='Rows read only to score, such as "n_active > 4e8".')
@click.option(
    "--along", default="n_active", show_default=True, metavar="COLUMN", help="Validate towards larger values."
)
@click.option("--by", metavar="COLUMN", help="Rows with equal values here (one run) are drawn together.")
@json_option
def compare_command(
    table: str,
    names: tuple[str, ...],
    holdout: str,
    along: str,
    by: str | None,
    as_json: bool,
    **reading: Any,
) -> None:
    """Choose between laws on the runs in TABLE.csv, then score them on the rows held out.

    The choice is the law that best predicts the larger training runs from the smaller ones. Averages of the laws are
    scored beside them, with weights that come from the same predictions and not from the rows held out: equal; inverse,
    by the inverse of the mean square error; and stacked, those of the lowest error. Of the three, inverse was named
    the default before any had been tried; where most laws fail the same way, no average is safe.

    \b
    Example: moelaws compare data/examples/runs.csv --law dense --law wang2024 --holdout "n_active>3e8"
    """
    import pandas as pd

    from moelaws import laws
    from moelaws.fitting.averaging import AVERAGES
    from moelaws.fitting.comparison import compare
    from moelaws.fitting.prediction import other_conventions

    candidates = [laws.find(name) for name in names]
    if along in {law.response for law in candidates}:
        raise InputError(f"Option --along is '{along}', which is predicted; a column that laws read is expected.")
    needed = {column for law in candidates for column in (*law.columns, law.response)}
    rows, loss = _read(table, sorted(needed | {along}), **reading)
    held, objections = _held_out(rows, holdout)
    _check_groups(rows, by)
    compared = compare(candidates, rows, ~held, along, loss, by, progress=not as_json)
    validation, scores = compared.validation(), compared.score()
    scored = compared.score(averages=AVERAGES).table
    averages = scored[scored.index.isin(AVERAGES)]
    weights = {kind: compared.average(kind).weights for kind in AVERAGES}
    objections += [f"{name}: {sentence}" for name, one in compared.fits.items() for sentence in one.warnings]
    strange = (sentence for one in compared.fits.values() for sentence in other_conventions(one, rows[held]))
    objections += [*dict.fromkeys(strange), *validation.warnings, *scores.warnings]
    if as_json:
        echo_json(
            {
                "choice": compared.choice,
                "n_rows": int((~held).sum()),
                "n_holdout": int(held.sum()),
                "training": _records(compared.ranking),
                "validation": _records(validation.table),
                "holdout": _records(scores.table),
                "averages": [one | {"weights": weights[one["average"]]} for one in _records(averages, "average")],
                "warnings": objections,
            }
        )
        return
    echo(f"On {(~held).sum()} training rows, chosen by predicting the largest {along}: {compared.choice}")
    for title, frame in (
        ("Training rows", compared.ranking),
        ("Forward validation", validation.table),
        (f"{held.sum()} held-out rows", scores.table),
        ("Averages of the laws, on the held-out rows", averages),
        ("Weights of the laws in them, from forward validation", pd.DataFrame(weights).T),
    ):
        echo(f"\n{title}\n{frame.to_string(float_format='{:.4g}'.format)}")
    echo_warnings(objections)


def _read(
    table: str,
    columns: Iterable[str],
    kind: str,
    delta: float | None,
    space: Any,
    above: float,
    condition: str | None,
    final: bool,
    pool: tuple[str, ...],
    **options: Any,
) -> "tuple[pd.DataFrame, Loss]":
    """Return the rows and the loss that the options ask for."""
    from moelaws.fitting.objective import Loss

    if kind == "log" and delta is not None:
        raise InputError("Option --delta belongs to Huber's loss; --loss huber is expected with it.")
    if delta is not None and not (DELTAS[0] <= delta <= DELTAS[1]):
        raise InputError(f"Option --delta is {delta:g}; a positive number is expected, {DELTAS[0]:g} to {DELTAS[1]:g}.")
    if not (DELTAS[0] <= above <= 1 / DELTAS[0]):
        raise InputError(f"Option --above is {above:g}; a positive number is expected, 1e-06 to 1e+06.")
    rows = chosen(rows_of(table, columns, **options), condition, final, pool)
    return rows, Loss(space, None if kind == "log" else delta or 1e-3, above)


def _held_out(rows: "pd.DataFrame", holdout: str) -> "tuple[NDArray[np.bool_], list[str]]":
    """Return which rows are held out, and what there is to say of their number."""
    from moelaws.data.condition import where

    held = where(rows, holdout)
    few = held.sum() < 3
    return held, [f"{held.sum()} of {len(rows)} rows held out: an error that says little of others."] if few else []


def _check_groups(rows: "pd.DataFrame", by: str | None) -> None:
    if by is None or by not in rows:
        return
    if rows[by].isna().any():
        raise InputError(f"Column '{by}' has empty cells; --by expects the group of each row.")
    if rows[by].nunique() < 3:
        raise InputError(f"Column '{by}' makes {rows[by].nunique()} groups; --by expects at least 3 to draw from.")


def _held(law: "Law", pairs: tuple[str, ...]) -> dict[str, float]:
    held = values_of(pairs, "--hold")
    if {parameter.name for parameter in law.parameters} <= set(held):
        raise InputError("Option --hold holds all parameters; at least one that is fitted is expected.")
    for parameter in law.parameters:
        if parameter.name not in held:
            continue
        coefficient = float(parameter.value(held[parameter.name]))
        if not (parameter.low <= coefficient <= parameter.high and math.isfinite(coefficient)):
            more = "more than " if parameter.rate else ""  # what a rate of zero does takes for ever
            raise InputError(
                f"Option --hold gives {parameter.name} the value {held[parameter.name]:g}; "
                f"{more}{parameter.low:g} to {parameter.high:g} is expected."
            )
    return held


def _records(frame: "pd.DataFrame", each: str = "law") -> list[Any]:
    return frame.rename_axis(each).reset_index().to_dict("records")
