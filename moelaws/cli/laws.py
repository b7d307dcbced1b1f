"""The command ``laws``: what can be fitted, and what a table allows."""

from typing import Any

import click

from moelaws.cli.output import echo, echo_json, json_option
from moelaws.cli.reading import mapped, rows_of
from moelaws.errors import InputError


@click.command("laws")
@click.argument("name", required=False, metavar="[NAME]")
@click.option("--table", metavar="FILE", type=click.Path(allow_dash=True), help="Say which laws this table allows.")
@mapped
@json_option
def laws_command(name: str | None, table: str | None, as_json: bool, **reading: Any) -> None:
    """The laws: formula, columns and parameters with units, and where each stands; or one law NAME.

    With --table, which of them its columns allow, and what each other law still needs.

    \b
    Example: moelaws laws --table data/examples/isoflop.csv
    """
    from moelaws import laws
    from moelaws.fitting.needs import needs

    if table is None and any(reading.values()):
        raise InputError("The options that say how a table is read need one; --table FILE is expected.")
    chosen = list(laws.LAWS.values()) if name is None else [laws.find(name)]
    rows = None if table is None else rows_of(table, [], **reading)
    reports = [_report(law) | ({} if rows is None else {"missing": needs(law, rows)}) for law in chosen]
    if as_json:
        echo_json(reports)
        return
    for report in reports:
        if rows is None or name is not None:
            _show(report, whole=name is not None)
        if rows is not None:
            missing = "; ".join(f"{column} ({why})" for column, why in report["missing"].items())
            echo(f"{report['name']}: " + (f"needs {missing}" if missing else "allowed"))


def _report(law: Any) -> dict[str, Any]:
    from moelaws.data.quantities import QUANTITIES

    def column(name: str) -> dict[str, str]:
        quantity = QUANTITIES[name]
        return {"name": name, "meaning": quantity.meaning, "unit": quantity.unit or "1"}

    return {
        "name": law.name,
        "formula": law.formula,
        "response": column(law.response),
        "columns": [column(name) for name in law.columns],
        "parameters": [
            {"name": one.name, "meaning": one.meaning, "unit": one.unit, "low": one.low, "high": one.high}
            for one in law.parameters
        ],
        "reference": law.reference,
    }


def _show(report: dict[str, Any], whole: bool) -> None:
    echo(f"{report['name']}: {report['response']['name']} = {report['formula']}")
    if not whole:
        echo(f"    reads {', '.join(one['name'] for one in report['columns'])}; {report['reference']}")
        return
    for kind in ("columns", "parameters"):
        echo(kind.capitalize())
        for one in report[kind]:
            echo(f"    {one['name']} [{one['unit']}]: {one['meaning']}")
    response = report["response"]
    echo(f"Predicts {response['name']} [{response['unit']}]: {response['meaning']}")
    echo(f"Source: {report['reference']}")
