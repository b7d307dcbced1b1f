"""Tables from outside: read, and checked cell by cell."""

import os
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd

from moelaws.checks import Floats
from moelaws.errors import InputError


def read(path: str | os.PathLike[str], columns: Sequence[str]) -> pd.DataFrame:
    """Read a CSV file some of whose columns must be positive numbers.

    Parameters
    ----------
    path : path-like
        A CSV file with one header line. Numbers may be written as ``1e9``.
    columns : sequence of str
        The columns that must be there and hold positive numbers; others are kept as they are.

    Raises
    ------
    InputError
        If the file is no table, or for the first cell that is not a positive number.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header
            table = pd.read_csv(path, index_col=False, low_memory=False)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; a CSV table is expected.") from None
    except (
        pd.errors.ParserError,
        pd.errors.ParserWarning,
        pd.errors.EmptyDataError,
        UnicodeDecodeError,
        OSError,
    ) as error:
        reason = str(error).strip().rstrip(".")
        raise InputError(f"{path}: this is not a CSV table with one header line ({reason}).") from None
    if table.empty:
        raise InputError(f"{path}: the table has no rows; at least one is expected.")
    return table.assign(**{name: numbers(table, name, str(path)) for name in columns})


def numbers(table: pd.DataFrame, name: str, where: str = "The table", positive: bool = True) -> Floats:
    """Return a column as finite numbers.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows.
    name : str
        The column.
    where : str
        What the sentence about a mistake calls the table.
    positive : bool
        Whether zero and negative numbers are refused.

    Raises
    ------
    InputError
        If there is no such column, or for its first cell that is not such a number.

    Examples
    --------
    >>> numbers(pd.DataFrame({"loss": [2.1, "n/a"]}), "loss")
    Traceback (most recent call last):
    moelaws.errors.InputError: The table, row 2, column 'loss': 'n/a' is found; a positive number is expected.
    """
    count = list(table.columns).count(name)
    if count != 1:
        found = f"{count} columns" if count else "no column"
        raise InputError(f"{where} has {found} '{name}', of which one is needed; its columns are {_listed(table)}.")
    column = pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    good = np.isfinite(column) & ((column > 0) | (not positive))
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        cell = table[name].iloc[row]
        found = "an empty cell" if pd.isna(cell) else f"'{cell}'"
        expected = "positive" if positive else "finite"
        raise InputError(f"{where}, row {row + 1}, column '{name}': {found} is found; a {expected} number is expected.")
    return column


def _listed(table: pd.DataFrame) -> str:
    return ", ".join(map(str, table.columns))
