"""The command ``data``: data sets, columns, and a check of a table of the reader's own."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from moelaws.cli.output import echo, echo_json, json_option
from moelaws.cli.reading import mapped, mapping_of
from moelaws.errors import InputError

if TYPE_CHECKING:
    from moelaws.data.registry import RunSet


class _Data(click.Group):
    """Takes the name of a table, or ``check`` and a file."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        asks = {"check", "-h", "--help"}
        return super().parse_args(ctx, args if asks & set(args[:1]) else ["show", *args])


@click.group("data", cls=_Data)
def data_command() -> None:
    """Data sets and their columns, and a check of a table of your own.

    \b
    moelaws data                    all data sets, their licences, and whether they are here
    moelaws data NAME               the columns of a table: meaning and unit
    moelaws data NAME --check FILE  whether a table keeps the schema of another one
    moelaws data check FILE         everything that is wrong with a table of runs

    \b
    Example: moelaws data check data/examples/runs.csv
    """


@data_command.command("show", hidden=True)
@click.argument("name", required=False)
@click.option("--check", "path", type=click.Path(), help="Check this CSV file against the schema of table NAME.")
@json_option
def show_command(name: str | None, path: str | None, as_json: bool) -> None:
    """The data sets; the columns of a table NAME; or a check of yours.

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
        echo(
            json.dumps({"path": path, "like": name, "rows": rows})
            if as_json
            else f"{path}: {rows} rows, all as {name} asks."
        )


@data_command.command("check")
@click.argument("path", metavar="FILE", type=click.Path(allow_dash=True))
@mapped
@json_option
def check_command(path: str, config: str | None, as_json: bool, **reading: Any) -> None:
    """Every problem of a table of runs at once, by row and column, and what each law would still need.

    FILE is what 'moelaws fit' takes; its columns are those of 'moelaws data public_runs/runs', of which only those are
    needed that a law reads. The exit code is 2 if there are problems.

    \b
    Example: moelaws data check data/examples/runs.csv
    """
    from moelaws.fork.tables import check

    found = check(path, mapping_of(**reading), config)
    if as_json:
        echo_json(
            {"path": path, "allowed": [name for name, lacks in found.missing.items() if not lacks], **asdict(found)}
        )
    else:
        units = ", ".join(f"{name} [{unit}]" if unit else name for name, unit in found.columns.items())
        echo(f"{path}: {found.rows} rows; columns that laws read: {units or 'none'}")
        if found.others:
            echo(f"    and others: {', '.join(found.others)}")
        for title, sentences in (("Problem", found.problems), ("Look at", found.warnings)):
            for sentence in sentences:
                echo(f"{title}: {sentence}")
        echo(f"Laws: {', '.join(name for name, lacks in found.missing.items() if not lacks) or 'none yet'}")
        for name, lacks in found.missing.items():
            if lacks:
                echo(f"    {name} needs " + "; ".join(f"{column} ({why})" for column, why in lacks.items()))
    if found.problems:
        raise SystemExit(2)


def _list_sets(as_json: bool) -> None:
    from moelaws import data
    from moelaws.data import registry

    sets, public = data.sets(), registry.sets()
    if as_json:
        described = [*sets.values(), *(_described(name, runs) for name, runs in public.items())]
        echo_json(described)
        return
    for name, package in sets.items():
        licences = ", ".join(licence["title"] for licence in package["licenses"])
        echo(f"{name}: {package['title']} ({licences})")
        for source in package["sources"]:
            echo(f"    from {source['title']}")
        for table in package["resources"]:
            echo(f"    {name}/{table['name']}: {table['title']}")
    for name, runs in public.items():
        echo(f"public_runs/{name}: {runs.title} ({runs.licence}; {registry.WHEREABOUTS[runs.whereabouts]})")
        echo(f"    from {runs.source}")


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
        echo_json(columns)
        return
    for column in columns:
        unit = f" [{column['unit']}]" if "unit" in column else ""
        echo(f"{column['name']}{unit}: {column['description']}")
