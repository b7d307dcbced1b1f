"""The command ``new-chapter``: a page of the book on a reader's own runs.

What it computes with is imported when it runs, so that other commands start at once.
"""

from pathlib import Path
from typing import Any

import click

from moelaws.cli.output import echo, echo_json, echo_warnings, json_option
from moelaws.cli.reading import final_option, mapped, mapping_of, rows_of, where_option
from moelaws.errors import InputError


@click.command("new-chapter")
@click.argument("name", metavar="NAME")
@click.option("--table", metavar="FILE", type=click.Path(allow_dash=True), help="The runs, as for 'moelaws fit'.")
@click.option("--law", "law_name", metavar="LAW", help="The law it is about: one of 'moelaws laws', or step_time.")
@click.option("--title", metavar="TEXT", help="Title of the chapter.")
@click.option("--holdout", metavar="EXPR", help="Rows not to fit but to predict; by default those of most compute.")
@where_option
@final_option
@click.option("--counts", type=click.Choice(["total", "output"]), help="step_time: what the column throughput counts.")
@click.option("--list", "show", is_flag=True, help="Only list what belongs to the chapter NAME, to be deleted.")
@mapped
@json_option
def new_chapter_command(
    name: str,
    table: str | None,
    law_name: str | None,
    title: str | None,
    holdout: str | None,
    condition: str | None,
    final: bool,
    counts: Any,
    show: bool,
    as_json: bool,
    **reading: Any,
) -> None:
    """A chapter NAME on the runs in FILE: they are fitted, compared on the largest, and drawn.

    Written are data/NAME (the table, its description, stubs of a README and of claims), chapters/NN-NAME.md, and a line
    in _toc.yml. Each law that the columns allow is compared with LAW on rows held out. 'make book' then executes the
    chapter and builds the site.

    \b
    Example: moelaws new-chapter our-sweep --table data/examples/isoflop.csv --law dense &&
    moelaws new-chapter our-sweep --list
    """
    from moelaws import laws
    from moelaws.data.condition import where
    from moelaws.fitting import rows as checks
    from moelaws.fork import chapter

    if show:
        paths = [str(path.relative_to(chapter.ROOT)) for path in chapter.files(name)]
        line = chapter.listed(name)
        if as_json:
            echo_json({"delete": paths, "line": line, "of": "_toc.yml"})
            return
        echo("\n".join(paths))
        echo(f"_toc.yml: the line '{line}'")
        return
    if table is None or law_name is None:
        missing = "--table" if table is None else "--law"
        raise InputError(f"Option {missing} is missing; a chapter needs a table and a law.")
    if title is not None and (
        not title.strip() or len(title) > 80 or not title.isprintable() or chapter.MARKUP & set(title)
    ):
        raise InputError(
            "Option --title has no text, more than 80 letters or a mark such as *; a title of one line is expected."
        )
    if holdout is not None and ("`" in holdout or not holdout.isprintable()):
        # It stands on the page, where another line could be a cell.
        raise InputError(f"Option --holdout is '{holdout[:80]}'; one line without the mark ` is expected.")
    chapter.free(name)
    if law_name == "step_time":
        if final:
            raise InputError(
                "Option --final belongs to laws of training runs; measurements of a server have no last one."
            )
        made, report = _of_server(name, table, title, holdout, condition, reading, counts)
        _say(made, report, as_json)
        return
    if counts is not None:
        raise InputError("Option --counts belongs to --law step_time.")
    law = laws.find(law_name)
    rows = rows_of(table, (*law.columns, law.response), **reading)
    rows = rows if condition is None else rows[where(rows, condition)]
    rows = checks.final(rows) if final else rows
    plan, compared = chapter.plan(rows, law, holdout, progress=not as_json)
    made = chapter.write(name, rows, chapter.words_of_runs(name, plan, title))
    report = {"rows": len(rows), "law": plan.law, "laws": list(plan.laws), "left_out": plan.left_out}
    report |= {"holdout": plan.holdout, "along": plan.along, "choice": compared.choice}
    _say(made, report | {"warnings": list(compared.fits[law.name].warnings)}, as_json)


def _of_server(
    name: str,
    table: str,
    title: str | None,
    holdout: str | None,
    condition: str | None,
    reading: dict[str, Any],
    counts: Any,
) -> "tuple[list[Path], dict[str, Any]]":
    """Write a chapter on the measurements of a server."""
    from moelaws.data import files
    from moelaws.data.condition import where
    from moelaws.fork import chapter, page
    from moelaws.models import huggingface
    from moelaws.serving import measured

    config = reading.pop("config")
    if config is None:
        raise InputError("Option --config is missing; the config.json of the model is expected with --law step_time.")
    law = measured.law_of(huggingface.model(config))
    rows = measured.read([table], law, counts, mapping_of(**reading))
    rows = rows if condition is None else rows[where(rows, condition)]
    holdout = holdout or chapter.heaviest(rows)
    held = where(rows, holdout)
    page.served(law, rows[~held], rows[held])  # so that the chapter is known to run
    place = Path(config)
    words = {
        "title": title or chapter.title_of(name),
        "holdout": holdout,
        "weight_bytes": f"{law.weight_bytes:.6g}",
        "cache_bytes": f"{law.cache_bytes:.6g}",
    }
    model = files.contents(place / "config.json" if place.is_dir() else place)
    made = chapter.write(name, rows, words, "serving.md", model)
    return made, {
        "rows": len(rows),
        "law": law.name,
        "laws": list(page.TERMS),
        "left_out": {},
        "holdout": holdout,
        "warnings": [],
    }


def _say(made: "list[Path]", report: dict[str, Any], as_json: bool) -> None:
    from moelaws.fork import chapter

    written = [str(path.relative_to(chapter.ROOT)) for path in made]
    if as_json:
        echo_json({"written": written} | report)
        return
    echo(f"{report['rows']} rows, of which those with {report['holdout']} are held out; {len(report['laws'])} laws")
    for other, why in report["left_out"].items():
        echo(f"    not {other}: {why}")
    echo(f"written: {', '.join(written)} and a line in _toc.yml; next: make book")
    echo_warnings(report["warnings"])
