"""The commands that say what to run: ``plan`` and ``suggest``.

What they compute with is imported when they run, so that other commands start at once.
"""

from typing import Any

import click

from moelaws.cli.output import echo, echo_json, echo_warnings, json_option, numbers_of, values_of
from moelaws.cli.reading import mapped, points_of
from moelaws.errors import InputError


@click.command("plan")
@click.option("--law", "name", required=True, metavar="NAME", help="The law that the runs are to be fitted by.")
@click.option("--flops", required=True, type=float, metavar="C", help="Compute of all runs together, FLOP.")
@click.option(
    "--curves", type=click.IntRange(1, 1000), default=3, show_default=True, help="Budgets: curves of equal compute."
)
@click.option("--span", type=float, default=10.0, show_default=True, help="The largest budget over the smallest.")
@click.option("--sizes", type=click.IntRange(2, 1000), default=5, show_default=True, help="Sizes on a curve.")
@click.option(
    "--ratio", default="5,100", show_default=True, metavar="A,B", help="Tokens per parameter, least and most."
)
@click.option("--experts", default="1", show_default=True, metavar="E,...", help="Experts, one of which is used.")
@json_option
def plan_command(
    name: str, flops: float, curves: int, span: float, sizes: int, ratio: str, experts: str, as_json: bool
) -> None:
    """Runs for a law and a budget: sizes, experts and tokens along curves of equal compute, as a CSV table.

    Compute is 6 times active parameters times tokens. For total parameters, a third of the active ones are taken to be
    outside of experts.

    \b
    Example: moelaws plan --law wang2024 --flops 1e20 --experts 1,8,64
    """
    from moelaws import laws
    from moelaws.fitting.design import layout
    from moelaws.fitting.rows import suspects

    ends = numbers_of(ratio, "--ratio")
    if len(ends) != 2:
        raise InputError(f"Option --ratio is '{ratio}'; two numbers such as 5,100 are expected.")
    law = laws.find(name)
    rows = layout(law, flops, curves, span, sizes, (ends[0], ends[1]), numbers_of(experts, "--experts"))
    rows = rows[[*law.columns, *(column for column in ("n_active", "n_tokens", "flops") if column not in law.columns)]]
    warnings = list(suspects(rows, list(rows.columns)))
    if as_json:
        report = {"law": name, "flops": float(rows.flops.sum()), "runs": rows.to_dict("records")}
        echo_json(report | {"warnings": warnings})
        return
    echo(rows.to_csv(index=False, float_format="%.4g").removesuffix("\n"))
    echo_warnings(warnings)


@click.command("suggest")
@click.option(
    "--fit", "folder", required=True, metavar="DIR", type=click.Path(), help="What 'moelaws fit --out' wrote."
)
@click.argument("candidates", metavar="CANDIDATES.csv", type=click.Path(allow_dash=True))
@mapped
@click.option("--flops", required=True, type=float, metavar="C", help="Compute of the new runs together, FLOP.")
@click.option("--parameter", metavar="NAME", help="The parameter whose interval is to shrink; or")
@click.option("--at", multiple=True, metavar="COLUMN=X", help="a run whose prediction is to be known better.")
@json_option
def suggest_command(
    folder: str,
    candidates: str,
    flops: float,
    parameter: str | None,
    at: tuple[str, ...],
    as_json: bool,
    **reading: Any,
) -> None:
    """Of the runs in CANDIDATES.csv, those that shrink an interval most for a budget.

    The table has the columns that the law reads, and flops, such as 'moelaws plan' prints. Half-widths are those of
    95 % intervals: of a parameter in its unit, of a prediction as a share of it.

    \b
    Example: moelaws fit data/examples/runs.csv --law wang2024 --out first &&
    moelaws suggest --fit first data/examples/candidates.csv --flops 1e20 --parameter gamma
    """
    from moelaws.fitting import saved
    from moelaws.fitting.design import half_width, objections, suggest

    fitted, _ = saved.load(folder)
    rows = points_of(candidates, dict.fromkeys([*fitted.law.columns, "flops"]), **reading)
    point = values_of(at, "--at") if at else None
    picked = suggest(fitted, rows, flops, parameter, point)
    today = half_width(fitted, parameter, point)
    warnings = list(objections(fitted, rows, point))
    picked.insert(0, "row", picked.index + 1)
    if as_json:
        report = {"law": fitted.law.name, "half_width": today, "runs": picked.to_dict("records")}
        echo_json(report | {"warnings": warnings})
        return
    echo(f"Half-width today: {today:.3g}")
    echo(picked.to_string(index=False, float_format="{:.4g}".format))
    echo_warnings(warnings)
