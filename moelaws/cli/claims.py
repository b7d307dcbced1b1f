"""The command ``claims``: what papers print, what the book computes, and the verdict."""

import json
from collections import Counter
from dataclasses import asdict

import click

from moelaws.errors import InputError


@click.command("claims")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--paper", metavar="KEY", help="Only the claims of this paper.")
@click.option("--compute", is_flag=True, help="Compute the claims now, instead of reading the stored notebooks.")
@click.option("--source", is_flag=True, help="Print the functions that decide the claims.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of objects.")
def claims_command(ids: tuple[str, ...], paper: str | None, compute: bool, source: bool, as_json: bool) -> None:
    """Every printed number, what the book computes, and the verdict, from the stored notebooks.

    \b
    Example: moelaws claims --paper yang2025 yang2025-C26 yang2025-C40
    """
    from moelaws.ledger import claims, functions
    from moelaws.ledger.html import shown

    if ids and (compute or source):  # of a claim that no notebook stores yet, too
        names = list(ids)
    else:
        rows = claims.stored(paper)
        known = {row["id"] for row in rows}
        for claim in ids:
            if claim not in known:
                raise InputError(f"There is no claim '{claim}'; 'moelaws claims' lists all {len(known)}.")
        rows = [row for row in rows if not ids or row["id"] in ids]
        names = [row["id"] for row in rows]
    if source:
        click.echo("\n".join(map(functions.source, names)))
        return
    if compute:
        rows = [asdict(functions.compute(name)) for name in names]
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    for row in rows:
        click.echo(f"{row['id']}  {row['verdict']:8}{row['place']}: {row['statement']}")
        if row["printed"] and not isinstance(row["computed"], bool | None):
            click.echo(f"    printed {row['printed']} {row['unit']}, computed {shown(row['computed'])}")
        if row["note"]:
            click.echo(f"    {row['note']}")
    counts = Counter(row["verdict"] for row in rows)
    click.echo(f"{len(rows)} claims: " + ", ".join(f"{counts[verdict]} {verdict}" for verdict in claims.VERDICTS))
