"""The command ``data``: data sets, columns, and a check of a table of the reader's own."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from moelaws.errors import InputError

if TYPE_CHECKING:
    from moelaws.data.registry import RunSet


@click.command("data")
@click.argument("name", required=False)
@click.option("--check", "path", type=click.Path(), help="Check this CSV file against the schema of table NAME.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def data_command(name: str | None, path: str | None, as_json: bool) -> None:
    """The data sets, their licences and whether they are here; the columns of a table NAME; or a check of yours.

    \b
    Example: moelaws data examples/runs --check data/examples/runs.csv
    """
    from moelaws import data

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
    from moelaws import data
    from moelaws.data import registry

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


def _described(name: str, runs: "RunSet") -> dict[str, Any]:
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
    from moelaws import data

    columns = data.columns(name)
    if as_json:
        click.echo(json.dumps(columns, indent=2, ensure_ascii=False))
        return
    for column in columns:
        unit = f" [{column['unit']}]" if "unit" in column else ""
        click.echo(f"{column['name']}{unit}: {column['description']}")
