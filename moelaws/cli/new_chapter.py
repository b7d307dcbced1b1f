"""The command ``new-chapter``: a page of the book on a reader's own runs.

What it computes with is imported when it runs, so that other commands start at once.
"""

from typing import Any

import click

from moelaws.cli.output import echo_json, echo_warnings
from moelaws.cli.reading import mapped, rows_of
from moelaws.errors import InputError


@click.command("new-chapter")
@click.argument("name", metavar="NAME")
@click.option("--table", metavar="FILE", type=click.Path(allow_dash=True), help="The runs, as for 'moelaws fit'.")
@click.option("--law", "law_name", metavar="LAW", help="The law that the chapter is about, such as dense.")
@click.option("--title", metavar="TEXT", help="Title of the chapter.")
@click.option("--holdout", metavar="EXPR", help="Rows not to fit but to predict; by default those of most compute.")
@click.option("--where", "condition", metavar="EXPR", help="Rows to use, such as \"annealed == 'yes'\".")
@click.option("--final", is_flag=True, help="Keep the last row of each run, where rows are points on the way.")
@click.option("--list", "show", is_flag=True, help="Only list what belongs to the chapter NAME, to be deleted.")
@mapped
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
def new_chapter_command(
    name: str,
    table: str | None,
    law_name: str | None,
    title: str | None,
    holdout: str | None,
    condition: str | None,
    final: bool,
    show: bool,
    as_json: bool,
    **reading: Any,
) -> None:
    """A chapter NAME on the runs in FILE: they are fitted, compared on the largest, and drawn.

    Written are data/NAME (the table, its description, stubs of a README and of claims), chapters/NN-NAME.md, and a line
    in _toc.yml. Each law that the columns allow is compared with LAW on rows held out. 'make book' then executes the
    chapter and builds the site.

    \b
    Example: moelaws new-chapter our-sweep --table data/examples/runs.csv --law wang2024 &&
    moelaws new-chapter our-sweep --list
    """
    from moelaws import laws
    from moelaws.data.condition import where
    from moelaws.fitting import rows as checks
    from moelaws.fork import chapter
    from moelaws.paths import ROOT

    if show:
        paths = [str(path.relative_to(ROOT)) for path in chapter.files(name)]
        line = chapter.listed(name)
        if as_json:
            echo_json({"delete": paths, "line": line, "of": "_toc.yml"})
            return
        click.echo("\n".join(paths))
        click.echo(f"_toc.yml: the line '{line}'")
        return
    if table is None or law_name is None:
        missing = "--table" if table is None else "--law"
        raise InputError(f"Option {missing} is missing; a chapter needs a table and a law.")
    chapter.free(name)
    law = laws.find(law_name)
    rows = rows_of(table, (*law.columns, law.response), **reading)
    rows = rows if condition is None else rows[where(rows, condition)]
    rows = checks.final(rows) if final else rows
    if title is not None and (not title.strip() or len(title) > 80 or not title.isprintable()):
        raise InputError("Option --title has no text, or more than 80 letters; a title of one line is expected.")
    plan, compared = chapter.plan(rows, law, holdout, progress=not as_json)
    made = [str(path.relative_to(ROOT)) for path in chapter.write(name, rows, plan, title)]
    warnings = list(compared.fits[law.name].warnings)
    if as_json:
        echo_json(
            {"written": made, "law": plan.law, "laws": list(plan.laws), "left_out": plan.left_out}
            | {"holdout": plan.holdout, "along": plan.along, "choice": compared.choice, "warnings": warnings}
        )
        return
    click.echo(f"{len(rows)} runs, of which those with {plan.holdout} are held out; {len(plan.laws)} laws compared")
    for other, why in plan.left_out.items():
        click.echo(f"    not {other}: {why}")
    click.echo(f"written: {', '.join(made)} and a line in _toc.yml; next: make book")
    echo_warnings(warnings)
