"""The tables of runs: what is said of a run goes in whole, once, and only if it keeps the schema."""

import csv
import fcntl
import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from moelaws import data
from moelaws.data import checksums

RUNS = "small_moe_runs/runs"
CURVES = "small_moe_runs/curves"


def names(path: Path, like: str) -> set[str]:
    """Return the runs that a table holds; none where there is no file.

    Parameters
    ----------
    path : pathlib.Path
        The table.
    like : str
        Table whose schema it has.

    Raises
    ------
    InputError
        If the file breaks the schema.
    """
    return set(data.read(path, like).run) if path.exists() else set()


def append(path: Path, rows: Iterable[Mapping[str, object]], like: str) -> None:
    """Add rows to a table, while other processes may do the same, and pin its new hash in its data package.

    Parameters
    ----------
    path : pathlib.Path
        The table; it is made where there is none.
    rows : iterable of mapping
        Values by column.
    like : str
        Table whose schema it has.

    Raises
    ------
    InputError
        If a row or the table breaks the schema, a run is there already, or the table is not the one that its data
        package pins; the table stays as it was.
    """
    columns = [column["name"] for column in data.columns(like)]
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # on the folder: the file itself is replaced
        checksums.check(path, checksums.pinned(path))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        if not path.exists():
            writer.writeheader()
        writer.writerows(rows)
        whole = (path.read_text(encoding="utf-8") if path.exists() else "") + text.getvalue()
        data.write(whole, path, like)
        checksums.pin(path)
    finally:
        os.close(folder)
