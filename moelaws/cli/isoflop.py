"""The command ``isoflop``: the best size of each budget.

What it computes with is imported when it runs, so that other commands start at once.
"""

import math
from typing import Any

import click

from moelaws.cli.output import echo, echo_json, echo_warnings, json_option
from moelaws.cli.reading import choosing, chosen, mapped, rows_of
from moelaws.errors import InputError


@click.command("isoflop")
@click.argument("table", metavar="TABLE.csv", type=click.Path(allow_dash=True))
@mapped
@choosing
@click.option("--size", default="n_active", show_default=True, metavar="COLUMN", help="Column of sizes.")
@click.option("--budget", metavar="COLUMN", help="Equal values are a budget; by default nearly equal flops.")
@click.option("--degree", type=click.IntRange(2, 3), default=2, show_default=True, help="Parabola (2) or cubic (3).")
@click.option("--flops", type=float, metavar="C", help="Also the best size at this budget, by the power law.")
@json_option
def isoflop_command(
    table: str,
    size: str,
    budget: str | None,
    degree: int,
    flops: float | None,
    condition: str | None,
    final: bool,
    pool: tuple[str, ...],
    as_json: bool,
    **reading: Any,
) -> None:
    """The size of lowest loss in each budget of TABLE.csv, and the power law through these sizes.

    A curve in the logarithm of size is fitted to each budget. Intervals are of 95 %; at --flops it is that in which the
    minimum of a further budget is expected. Compute is the column flops, or 6 times size times n_tokens.

    \b
    Example: moelaws isoflop data/examples/isoflop.csv --flops 1e21
    """
    from moelaws.fitting.isoflop import profiles

    if size == "loss":
        raise InputError("Option --size is 'loss', which is to be lowest; a column of sizes is expected.")
    if flops is not None and not 0 < flops < math.inf:
        raise InputError(f"Option --flops is {flops:g}; a positive number is expected.")
    rows = chosen(rows_of(table, [size, "loss"], **reading), condition, final, pool)
    found = profiles(rows, size, budget, degree)
    laws = {}
    if len(found.used) > 2:
        for column in ("size", "n_tokens"):
            if column in found.minima:
                trend = found.trend(column)
                laws[column] = {"coefficient": trend.law.coefficient, "exponent": trend.law.exponent}
                laws[column] |= dict(zip(("low", "high"), trend.exponent(), strict=True))
    elif flops is not None:
        raise InputError(
            f"{table}: {len(found.used)} budgets have a minimum among their sizes; --flops needs three or more."
        )
    at = {}
    if flops is not None:
        for column in laws:
            trend = found.trend(column)
            low, high = trend.interval(flops)
            at[column] = {"value": float(trend(flops)), "low": float(low), "high": float(high)}
    if as_json:
        report = {"minima": found.minima.to_dict("records"), "laws": laws, "flops": flops, "at": at}
        echo_json(report | {"warnings": list(found.warnings)})
        return
    echo(found.minima.to_string(index=False, float_format="{:.4g}".format))
    for column, law in laws.items():
        limits = f"({law['low']:.3f} to {law['high']:.3f})"
        echo(f"best {column} = {law['coefficient']:.4g} flops^{law['exponent']:.3f} {limits}")
    for column, value in at.items():
        echo(f"at {flops:g} FLOP: {column} {value['value']:.4g} ({value['low']:.4g} to {value['high']:.4g})")
    echo_warnings(found.warnings)
