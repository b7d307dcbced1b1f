"""The command ``claims``: what papers print, what the book computes, and the verdict."""

from collections import Counter
from dataclasses import asdict

import click

from moelaws.cli.output import echo, echo_json, json_option
from moelaws.errors import InputError


@click.command("claims")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--paper", metavar="KEY", help="Only the claims of this paper.")
@click.option("--compute", is_flag=True, help="Compute the claims now, instead of reading the stored notebooks.")
@click.option("--source", is_flag=True, help="Print the functions that decide the claims.")
@json_option
def claims_command(ids: tuple[str, ...], paper: str | None, compute: bool, source: bool, as_json: bool) -> None:
    """Every printed number, what the book computes, and the verdict, from the stored notebooks.

    \b
    Example: moelaws claims --paper yang2025 yang2025-C26 yang2025-C40
    """
    from moelaws.ledger import claims, functions
    from moelaws.ledger.html import shown

    rows = claims.stored(paper)
    if compute or source:  # also claims that no notebook has yet
        papers = claims.papers() if paper is None else [paper]
        names = [name for key in papers for name in claims.Ledger(key).ids]
    else:
        names = [row["id"] for row in rows]
    for claim in ids:
        if claim not in names:
            of = functions.paper_of(claim)  # refuses what no table of claims has
            where = (
                f"belongs to {of}" if paper not in (None, of) else "is in no stored notebook yet; --compute decides it"
            )
            raise InputError(f"Claim '{claim}' {where}.")
    names = [name for name in names if not ids or name in ids]
    if source:
        echo("\n".join(map(functions.source, names)))
        return
    rows = [asdict(functions.compute(name)) for name in names] if compute else [r for r in rows if r["id"] in names]
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        echo(f"{row['id']}  {row['verdict']:8}{row['place']}: {row['statement']}")
        if row["printed"] and not isinstance(row["computed"], bool | None):
            echo(f"    printed {row['printed']} {row['unit']}, computed {shown(row['computed'])}")
        if row["note"]:
            echo(f"    {row['note']}")
    counts = Counter(row["verdict"] for row in rows)
    echo(f"{len(rows)} claims: " + ", ".join(f"{counts[verdict]} {verdict}" for verdict in claims.VERDICTS))
