"""Tables from outside: read, and checked cell by cell."""

import csv
import difflib
import io
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from moelaws.checks import Floats
from moelaws.data import files
from moelaws.data.mapping import SUFFIXED, SUFFIXES, Mapping
from moelaws.data.quantities import QUANTITIES
from moelaws.errors import InputError

AS_IT_IS = Mapping()
"""The mapping of a table in the names and units of the book."""

_NO_TABLE = ("#", "{", "[", "<")
"""What comments, JSON and web pages begin with, as no first name may that is written without its quotes."""


def read(path: str | os.PathLike[str], columns: Sequence[str], mapping: Mapping = AS_IT_IS) -> pd.DataFrame:
    """Read a table some of whose columns must be positive numbers.

    `columns` must be there and hold positive numbers, such as ``1e9``; others are kept as they are.
    """
    sources = {one for name in (*columns, *mapping.columns, *mapping.units) for one in mapping.sources(name)}
    table = opened(path, dtype=dict.fromkeys(sources, str), keep_default_na=False, na_values=[""])
    return mapping.apply(table, list(columns), str(path))


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
    if (first := str(table.columns[0])).lstrip().startswith(_NO_TABLE):
        raise InputError(
            f"{where}: the first column is called '{first[:40]}', with which a CSV file cannot begin; another name, or "
            "another column first, is expected."
        )
    return table


def _csv(path: str | os.PathLike[str], raw: bytes, options: dict[str, Any]) -> pd.DataFrame:
    text = files.text(raw, path)
    if not text.strip():
        raise InputError(f"{path}: the file is empty; a line with the names of the columns is expected.")
    if re.match(r"sep=.\r?\n", text):  # as spreadsheets begin
        text = text.partition("\n")[2]
    if "\r" in text and "\n" not in text:
        text = text.replace("\r", "\n")
    if text.lstrip().startswith("#"):
        raise InputError(f"{path}: the first line is a comment; a line with the names of the columns is expected.")
    if what := {"{": "JSON", "[": "JSON", "<": "a web page or XML"}.get(text.lstrip()[0]):
        raise InputError(f"{path}: the file is {what}; a CSV table with one header line is expected.")
    head = text.lstrip().partition("\n")[0]
    separator = max(",;\t", key=head.count)
    if not head.count(separator) and (found := re.search(r"\w\s*(\||:|  +| )\s*\w", head)):
        raise InputError(f"{path}: columns are separated by '{found[1][0]}'; commas, semicolons or tabs are expected.")
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
    if options.get("dtype") is str:
        return table.astype(str).where(table.notna(), "")
    nested = [name for name in table if not table[name].map(pd.api.types.is_scalar).all()]
    return table.astype(dict.fromkeys(nested, str))


def numbers(table: pd.DataFrame, name: str, where: str = "The table", positive: bool = True) -> Floats:
    """Return a column as finite numbers.

    `where` is what the sentence about a mistake calls the table.

    Examples
    --------
    >>> numbers(pd.DataFrame({"loss": [2.1, "n/a"]}), "loss")
    Traceback (most recent call last):
    moelaws.errors.InputError: The table, row 2, column 'loss': 'n/a' is found; a positive number is expected.
    """
    for sentence in faults(table, name, where, positive):
        raise InputError(sentence)
    return pd.to_numeric(table[name]).to_numpy(dtype=float, na_value=np.nan)


def faults(table: pd.DataFrame, name: str, where: str = "The table", positive: bool = True) -> Iterator[str]:
    """Yield a sentence for each cell of a column that is no finite, or no positive, number."""
    cells = only(table, name, where)
    if pd.api.types.is_bool_dtype(cells) or pd.api.types.is_datetime64_any_dtype(cells):
        cells = cells.astype(str)  # which would count as numbers
    column = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    good = np.isfinite(column) & ((column > 0) | (not positive))
    for place in np.flatnonzero(~good):
        cell = cells.iloc[place]
        found = "an empty cell" if pd.isna(cell) else f"'{str(cell)[:40]}'"
        expected = "positive" if positive else "finite"
        yield (
            f"{where}, row {row(table, place)}, column '{name}': {found} is found; "
            f"a {expected} number is expected{_hint(cell)}."
        )


def row(table: pd.DataFrame, place: int | np.integer[Any]) -> int:
    """Return the number of a row, in the file that it came from where the index still tells."""
    label = table.index[int(place)]
    return int(label) + 1 if isinstance(label, int | np.integer) else int(place) + 1


def _hint(cell: object) -> str:
    """Say how a cell that is a number to its writer can be read."""
    if re.fullmatch(r"\s*-?\d+(,\d+)+(\.\d+)?(e[+-]?\d+)?\s*", str(cell), re.IGNORECASE):
        return " (--decimal , reads a comma before decimals, --decimal . commas between thousands)"
    if (number := SUFFIXED.fullmatch(str(cell))) and number[2]:
        power = round(np.log10(SUFFIXES[number[2].upper()]))
        return f" (written {number[1]}e{power}, or read with --unit COLUMN=suffix)"
    return ""


def only(table: pd.DataFrame, name: str, where: str) -> pd.Series:
    """Return the column of a name, of which there has to be one."""
    known = list(map(str, table.columns))
    if (count := known.count(name)) == 1:
        return table[name]
    near = None if count else nearest(name, known)
    hint = f"; --map {name}='{near}' takes that one" if near else ""
    listed = ", ".join(other[:40] for other in known[:20]) + (", …" if len(known) > 20 else "")
    found = f"{count} columns" if count else "no column"
    raise InputError(f"{where} has {found} '{name}', of which one is needed; its columns are {listed}{hint}.")


def nearest(name: str, known: Sequence[str]) -> str | None:
    """Return the column that most likely is meant by a name: like it, or called as others call the quantity.

    Examples
    --------
    >>> nearest("n_tokens", ["Total Tokens", "loss"]), nearest("n_active", ["Na", "N"]), nearest("loss", ["step"])
    ('Total Tokens', 'Na', None)
    """
    plain = {re.sub(r"[^0-9a-z]+", "_", other.strip().lower()).strip("_"): other for other in reversed(known)}
    aliases = (name, *(QUANTITIES[name].aliases if name in QUANTITIES else ()))
    for alias in aliases:
        if alias in plain:
            return plain[alias]
    if close := difflib.get_close_matches(name, plain, 1, 0.75):
        return plain[close[0]]
    for alias in aliases:
        words = {word for word in alias.split("_") if len(word) > 1}
        for other in plain:
            if words and words <= set(other.split("_")):
                return plain[other]
    return None
