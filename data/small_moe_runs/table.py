"""The table of runs: a row goes in whole, once, and only if it keeps the schema."""

import csv
import fcntl
import io
import os
from collections.abc import Mapping
from pathlib import Path

from moelaws import data

SCHEMA = "small_moe_runs/runs"


def names(path: Path) -> set[str]:
    """Return the runs that a table holds; none where there is no file.

    Raises
    ------
    InputError
        If the file breaks the schema.
    """
    return set(data.read(path, like=SCHEMA).run) if path.exists() else set()


def append(path: Path, row: Mapping[str, object]) -> None:
    """Add a run to a table, while other processes may do the same.

    Parameters
    ----------
    path : pathlib.Path
        The table; it is made where there is none.
    row : mapping
        Values by column.

    Raises
    ------
    InputError
        If the row or the table breaks the schema, or the run is there already; the table stays as it was.
    """
    columns = [column["name"] for column in data.columns(SCHEMA)]
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # on the folder: the file itself is replaced
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        if not path.exists():
            writer.writeheader()
        writer.writerow(row)
        whole = (path.read_text(encoding="utf-8") if path.exists() else "") + text.getvalue()
        data.write(whole, path, like=SCHEMA)
    finally:
        os.close(folder)
