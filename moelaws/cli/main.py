"""The command line: each command is one call of the package."""

import json
import os
from collections import Counter
from dataclasses import asdict
from typing import Any

import click

# Fits are many products of small matrices, in which a second thread only waits for the first: on a
# busy machine it makes them fifty times slower. This has to be said before NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from moelaws import data
from moelaws.cli import allocate as cli_allocate
from moelaws.cli import arch as cli_arch
from moelaws.cli import design as cli_design
from moelaws.cli import fits as cli_fits
from moelaws.cli import isoflop as cli_isoflop
from moelaws.cli import laws as cli_laws
from moelaws.data import registry
from moelaws.errors import InputError
from moelaws.ledger import claims
from moelaws.ledger import html as claims_html


class _Mistake(click.ClickException):
    exit_code = 2


class _Commands(click.Group):
    """Turns a user's mistake into one sentence and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except InputError as error:
            raise _Mistake(str(error)) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="moelaws")
def main() -> None:
    """Scaling and serving laws of mixture-of-experts language models."""


for command in (
    cli_arch.arch_command,
    cli_fits.fit_command,
    cli_fits.predict_command,
    cli_fits.compare_command,
    cli_allocate.allocate_command,
    cli_isoflop.isoflop_command,
    cli_design.plan_command,
    cli_design.suggest_command,
    cli_laws.laws_command,
):
    main.add_command(command)


@main.command("claims")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--paper", metavar="KEY", help="Only the claims of this paper.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of objects.")
def claims_command(ids: tuple[str, ...], paper: str | None, as_json: bool) -> None:
    """Every printed number, what the book computes, and the verdict, from the stored notebooks.

    \b
    Example: moelaws claims --paper yang2025 yang2025-C26 yang2025-C40
    """
    rows = claims.stored(paper)
    known = {row["id"] for row in rows}
    for claim in ids:
        if claim not in known:
            raise InputError(f"There is no claim '{claim}'; 'moelaws claims' lists all {len(known)}.")
    rows = [row for row in rows if not ids or row["id"] in ids]
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    for row in rows:
        click.echo(f"{row['id']}  {row['verdict']:8}{row['place']}: {row['statement']}")
        if row["printed"] and not isinstance(row["computed"], bool | None):
            click.echo(f"    printed {row['printed']} {row['unit']}, computed {claims_html.shown(row['computed'])}")
        if row["note"]:
            click.echo(f"    {row['note']}")
    counts = Counter(row["verdict"] for row in rows)
    click.echo(f"{len(rows)} claims: " + ", ".join(f"{counts[verdict]} {verdict}" for verdict in claims.VERDICTS))


@main.command("data")
@click.argument("name", required=False)
@click.option("--check", "path", type=click.Path(), help="Check this CSV file against the schema of table NAME.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def data_command(name: str | None, path: str | None, as_json: bool) -> None:
    """The data sets, their licences and whether they are here; the columns of a table NAME; or a check of yours.

    \b
    Example: moelaws data examples/runs --check data/examples/runs.csv
    """
    if name is None:
        if path is not None:
            raise InputError("Option --check needs the NAME of a table, such as yang2025/throughput.")
        _list_sets(as_json)
    elif path is None:
        _list_columns(name, as_json)
    else:
        rows = len(data.read(path, like=name))
        click.echo(
            json.dumps({"path": path, "like": name, "rows": rows})
            if as_json
            else f"{path}: {rows} rows, all as {name} asks."
        )


def _list_sets(as_json: bool) -> None:
    sets, public = data.sets(), registry.sets()
    if as_json:
        described = [*sets.values(), *(_described(name, runs) for name, runs in public.items())]
        click.echo(json.dumps(described, indent=2, ensure_ascii=False))
        return
    for name, package in sets.items():
        licences = ", ".join(licence["title"] for licence in package["licenses"])
        click.echo(f"{name}: {package['title']} ({licences})")
        for source in package["sources"]:
            click.echo(f"    from {source['title']}")
        for table in package["resources"]:
            click.echo(f"    {name}/{table['name']}: {table['title']}")
    for name, runs in public.items():
        click.echo(f"public_runs/{name}: {runs.title} ({runs.licence}; {registry.WHEREABOUTS[runs.whereabouts]})")
        click.echo(f"    from {runs.source}")


def _described(name: str, runs: registry.RunSet) -> dict[str, Any]:
    """Return public runs as an object that has the keys of a data set, and where the runs are."""
    return {
        "name": f"public_runs/{name}",
        "title": runs.title,
        "licenses": [{"title": runs.licence}],
        "sources": [{"title": runs.source}],
        "citation": runs.citation,
        "notes": runs.notes,
        "resources": [asdict(file) | {"whereabouts": file.whereabouts} for file in runs.files],
        "whereabouts": runs.whereabouts,
    }


def _list_columns(name: str, as_json: bool) -> None:
    columns = data.columns(name)
    if as_json:
        click.echo(json.dumps(columns, indent=2, ensure_ascii=False))
        return
    for column in columns:
        unit = f" [{column['unit']}]" if "unit" in column else ""
        click.echo(f"{column['name']}{unit}: {column['description']}")
