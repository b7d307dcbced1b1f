"""Tables from outside: read, and checked cell by cell."""

import csv
import difflib
import io
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from moelaws.checks import Floats
from moelaws.data import files
from moelaws.errors import InputError


def read(
    path: str | os.PathLike[str],
    columns: Sequence[str],
    rename: Mapping[str, str] | None = None,
    factors: Mapping[str, float] | None = None,
    decimal: str | None = None,
) -> pd.DataFrame:
    """Read a table some of whose columns must be positive numbers.

    Parameters
    ----------
    path : path-like
        What :func:`opened` takes.
    columns : sequence of str
        The columns that must be there and hold positive numbers, such as ``1e9``; others are kept as they are.
    rename : mapping, optional
        What a column is called in the file, by its name here: ``{"n_active": "N"}``.
    factors : mapping, optional
        What a column of numbers is multiplied by, by its name here: ``{"n_tokens": 1e9}`` for billions.
    decimal : {".", ","}, optional
        What stands before decimals; the other of the two may then separate thousands. Only a point is
        read by default, and no thousands.
    """
    rename, factors = rename or {}, factors or {}
    names = {rename.get(name, name): name for name in columns}
    table = opened(path, dtype=dict.fromkeys(names, str), keep_default_na=False, na_values=[""])
    for name, known in rename.items():
        _only(table, known, str(path))
        if name in table and name != known:
            raise InputError(f"{path}: column '{known}' cannot be called '{name}', since there is such a column.")
    table = table.rename(columns={known: name for name, known in rename.items()})
    for name in factors:
        if name not in columns:
            raise InputError(f"{path}: a unit is given for '{name}'; it is read from {', '.join(columns)} only.")
    for name in columns:
        if decimal is not None and name in table and pd.api.types.is_string_dtype(table[name]):
            other = "," if decimal == "." else "."
            table[name] = table[name].str.replace(other, "").str.replace(decimal, ".")
        table[name] = numbers(table, name, str(path)) * factors.get(name, 1.0)
    return table


def opened(path: str | os.PathLike[str], **options: Any) -> pd.DataFrame:
    """Return the rows of a table on this machine.

    Parameters
    ----------
    path : path-like
        CSV in UTF-8 with one header line, separated by commas, semicolons or tabs, as it is or packed by
        gzip; Parquet, if pyarrow is installed; ``-`` for standard input.
    **options
        How :func:`pandas.read_csv` makes cells of its text.
    """
    return parsed(files.contents(path), path, **options)


def parsed(raw: bytes, where: str | os.PathLike[str], **options: Any) -> pd.DataFrame:
    """Return the rows of a table from its bytes, as :func:`opened` does from a file."""
    table: pd.DataFrame = (_parquet if raw.startswith(b"PAR1") else _csv)(where, raw, options)
    if table.empty:
        raise InputError(f"{where}: the table has no rows; at least one is expected.")
    return table


def _csv(path: str | os.PathLike[str], raw: bytes, options: dict[str, Any]) -> pd.DataFrame:
    text = files.text(raw, path)
    if text.lstrip().startswith("#"):
        raise InputError(f"{path}: the first line is a comment; a line with the names of the columns is expected.")
    head = text.lstrip().partition("\n")[0]
    separator = max(",;\t", key=head.count)
    try:
        names = next(csv.reader(io.StringIO(text), delimiter=separator), [])
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"{path}: two columns are called '{name}'; each name is expected once.")
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header
            table: pd.DataFrame = pd.read_csv(
                io.StringIO(text), sep=separator, index_col=False, low_memory=False, **options
            )
            return table
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError, csv.Error) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(f"{path}: this is not a CSV table with one header line ({reason}).") from None


def _parquet(path: str | os.PathLike[str], raw: bytes, options: dict[str, Any]) -> pd.DataFrame:
    try:
        table = pd.read_parquet(io.BytesIO(raw), engine="pyarrow")
    except ImportError:
        raise InputError(f"{path}: Parquet is read by pyarrow, which is not installed; save it as CSV.") from None
    except Exception as error:  # of pyarrow, which has no module to name it by where it is missing
        raise InputError(f"{path}: this is no Parquet file ({' '.join(str(error).split())[:200]}).") from None
    return table.astype(str).where(table.notna(), "") if options.get("dtype") is str else table


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

    Examples
    --------
    >>> numbers(pd.DataFrame({"loss": [2.1, "n/a"]}), "loss")
    Traceback (most recent call last):
    moelaws.errors.InputError: The table, row 2, column 'loss': 'n/a' is found; a positive number is expected.
    """
    cells = _only(table, name, where)
    column = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    good = np.isfinite(column) & ((column > 0) | (not positive))
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        cell = cells.iloc[row]
        found = "an empty cell" if pd.isna(cell) else f"'{str(cell)[:40]}'"
        expected = "positive" if positive else "finite"
        raise InputError(
            f"{where}, row {row + 1}, column '{name}': {found} is found; a {expected} number is expected{_hint(cell)}."
        )
    return column


def _hint(cell: object) -> str:
    """Say how a cell that is a number to its writer can be read."""
    if re.fullmatch(r"\s*-?\d+(,\d+)+(\.\d+)?\s*", str(cell)):
        return " (--decimal , reads a comma before decimals, --decimal . commas between thousands)"
    if number := re.fullmatch(r"\s*([\d.]+)\s*([KMBGT])\s*", str(cell), re.IGNORECASE):
        power = {"K": 3, "M": 6, "B": 9, "G": 9, "T": 12}[number[2].upper()]
        return f" (written {number[1]}e{power})"
    return ""


def _only(table: pd.DataFrame, name: str, where: str) -> pd.Series:
    """Return the column of a name, of which there has to be one."""
    known = list(map(str, table.columns))
    if (count := known.count(name)) == 1:
        return table[name]
    plain = {re.sub(r"[\s_-]+", "_", other.strip()).lower(): other for other in known}
    near = difflib.get_close_matches(name.lower(), plain, 1, 0.7) if not count else []
    hint = f"; --map {name}='{plain[near[0]]}' takes that one" if near else ""
    listed = ", ".join(other[:40] for other in known[:20]) + (", …" if len(known) > 20 else "")
    found = f"{count} columns" if count else "no column"
    raise InputError(f"{where} has {found} '{name}', of which one is needed; its columns are {listed}{hint}.")
