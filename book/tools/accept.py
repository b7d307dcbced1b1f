"""Accept on purpose what the checks hold fast: the tables' hashes, and the verdicts with their computed values.

``python book/tools/accept.py data`` pins every table of ``data/`` as it is now, ``verdicts`` takes over what the stored
notebooks say. Nothing else writes either, and what changes is shown.
"""

import csv
import difflib
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from moelaws import data
from moelaws.data import checksums
from moelaws.ledger import claims

VERDICTS = Path(__file__).resolve().parents[2] / "tests" / "verdicts.csv"
RTOL = 1e-6
COMMAND = "python book/tools/accept.py verdicts"


def tables() -> list[Path]:
    """Return the tables that data packages describe."""
    described = {name: package["resources"] for name, package in data.sets().items()}
    return [
        data.ROOT / "data" / name / table["path"]
        for name, rows in described.items()
        for table in rows
        if "path" in table
    ]


def rows() -> list[dict[str, str]]:
    """Return the verdicts of the stored notebooks as the baseline writes them."""
    return [
        {"id": row["id"], "verdict": row["verdict"], "computed": json.dumps(row["computed"])} for row in claims.stored()
    ]


def baseline() -> list[dict[str, str]]:
    """Return the verdicts that were accepted."""
    with VERDICTS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def differences(accepted: Sequence[Mapping[str, str]], found: Sequence[Mapping[str, str]]) -> list[str]:
    """Return a sentence for each claim whose verdict or computed value is not the accepted one."""
    known, new = ({row["id"]: row for row in table} for table in (accepted, found))
    sentences = []
    for name in dict.fromkeys([*known, *new]):
        before, after = known.get(name), new.get(name)
        if before is None or after is None:
            sentences.append(f"{name} is {'new' if before is None else 'gone'}")
        elif before["verdict"] != after["verdict"]:
            sentences.append(f"{name} is '{after['verdict']}', accepted is '{before['verdict']}'")
        elif not _same(json.loads(before["computed"]), json.loads(after["computed"])):
            sentences.append(f"{name} is computed as {after['computed']}, accepted is {before['computed']}")
    return [f"{sentence}; '{COMMAND}' accepts it." for sentence in sentences]


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(_same, before, after))
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in (before, after)):
        return math.isclose(before, after, rel_tol=RTOL)
    return type(before) is type(after) and bool(before == after)


@click.command(help=__doc__)
@click.argument("what", type=click.Choice(["data", "verdicts"]))
def main(what: str) -> None:
    """Write, and show what has changed."""
    paths = sorted({path.with_name("datapackage.yaml") for path in tables()}) if what == "data" else [VERDICTS]
    before = {path: path.read_text(encoding="utf-8") if path.exists() else "" for path in paths}
    if what == "data":
        for table in tables():
            checksums.pin(table)
    else:
        text = io.StringIO()
        writer = csv.DictWriter(text, ["id", "verdict", "computed"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows())
        VERDICTS.write_text(text.getvalue(), encoding="utf-8", newline="\n")
    for path, old in before.items():
        new = path.read_text(encoding="utf-8")
        names = [str(path.relative_to(data.ROOT))] * 2
        for line in difflib.unified_diff(old.splitlines(), new.splitlines(), *names, n=0, lineterm=""):
            click.echo(line)


if __name__ == "__main__":
    main()
