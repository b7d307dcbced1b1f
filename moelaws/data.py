"""Tables of the book: each has a schema, and a row that breaks it is refused.

A data set is a folder of ``data/`` with CSV files and a ``datapackage.yaml`` (the Data Package
standard: licences, sources and, for every column, type, unit, meaning and limits).
``load("yang2025/throughput")`` gives a table of the book, ``read(path, like=...)`` a table of
the reader's own under the same schema.
"""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pandera
import yaml

from moelaws.errors import InputError

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / "_book"
ROOT = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent
"""The folder that holds ``data/`` and ``chapters/``."""

_read: set[Path] = set()


def files_read() -> frozenset[Path]:
    """Return the files that this process has read through this module."""
    return frozenset(_read)


@cache
def sets() -> dict[str, dict[str, Any]]:
    """Return every data set's description by name.

    Returns
    -------
    dict
        Name of the set → its ``datapackage.yaml`` (title, licenses, sources, resources).
    """
    paths = sorted(ROOT.glob("data/*/datapackage.yaml"))
    return {path.parent.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in paths}


def tables() -> list[str]:
    """Return the names that :func:`load` knows, as ``"set/table"``."""
    return [f"{name}/{table['name']}" for name, package in sets().items() for table in package["resources"]]


def columns(name: str) -> list[dict[str, Any]]:
    """Return the columns of a table: name, type, unit, description and constraints.

    Examples
    --------
    >>> columns("devices/devices")[2]["unit"]
    'GB/s'
    """
    fields: list[dict[str, Any]] = _locate(name)[1]["schema"]["fields"]
    return fields


def load(name: str) -> pd.DataFrame:
    """Load a table of the book, checked against its schema.

    Parameters
    ----------
    name : str
        ``"set/table"``, one of :func:`tables`.

    Returns
    -------
    pandas.DataFrame
        Columns and units as the set's ``datapackage.yaml`` describes them.

    Raises
    ------
    InputError
        If there is no such table, or a row breaks the schema.

    Examples
    --------
    The first cell of Table 8 of Yang et al. (2025): two requests, six active experts.

    >>> int(load("yang2025/throughput").throughput[0])
    479
    """
    path, resource = _locate(name)
    return _read_csv(path, resource["schema"])


def read(path: str | os.PathLike[str], like: str) -> pd.DataFrame:
    """Read a table of the reader's own under the schema of one of the book's.

    Parameters
    ----------
    path : path-like
        A CSV file with the columns of `like`; further columns are refused.
    like : str
        ``"set/table"`` whose schema holds.

    Raises
    ------
    InputError
        If the file cannot be read as a table or breaks the schema: the first fault found,
        with file, row, column and what is expected.
    """
    return _read_csv(Path(path), _locate(like)[1]["schema"])


def printed(name: str) -> pd.DataFrame:
    """Load a table with every value as the text that was transcribed, which keeps the printed digits.

    Examples
    --------
    >>> printed("yang2025/quality_pruning").average[0]
    '66.0'
    """
    load(name)
    return _read_text(_locate(name)[0])


def _locate(name: str) -> tuple[Path, dict[str, Any]]:
    """Return a table's file and its entry in the data package."""
    folder, _, table = name.partition("/")
    package = sets().get(folder, {"resources": []})
    for resource in package["resources"]:
        if resource["name"] == table:
            description = ROOT / "data" / folder / "datapackage.yaml"
            _read.add(description)
            return description.with_name(resource["path"]), resource
    raise InputError(f"There is no table '{name}'; the tables are {', '.join(tables())}.")


def _read_text(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; a CSV table is expected.") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, OSError) as error:
        reason = str(error).strip().rstrip(".")
        raise InputError(f"{path}: this is not a CSV table with one header line ({reason}).") from None
    _read.add(path.resolve())
    return frame


def _read_csv(path: Path, fields: dict[str, Any]) -> pd.DataFrame:
    text = _read_text(path)
    if text.empty:
        raise InputError(f"{path}: the table has no rows; at least one is expected.")
    try:
        return _schema(fields).validate(text.replace("", None), lazy=True)
    except pandera.errors.SchemaErrors as faults:
        raise InputError(_sentence(path, text, fields, faults.failure_cases)) from None


def _schema(fields: dict[str, Any]) -> pandera.DataFrameSchema:
    """Translate a Table Schema into the validator's own; each check's name is what a value should be."""
    columns = {}
    for field in fields["fields"]:
        limits = field.get("constraints", {})
        required = limits.get("required", False)
        kind = "Int64" if field["type"] == "integer" and not required else _TYPES[field["type"]][0]
        checks = [_LIMITS[name](bound) for name, bound in limits.items() if name != "required"]
        if field["type"] == "number":
            checks.append(pandera.Check(np.isfinite, error="a finite number"))
        columns[field["name"]] = pandera.Column(kind, checks, coerce=True, nullable=not required)
    return pandera.DataFrameSchema(
        columns,
        strict=True,
        ordered=False,
        unique=fields.get("primaryKey"),
        report_duplicates="exclude_first",
    )


_TYPES = {
    "integer": ("int64", "a whole number"),
    "number": ("float64", "a number"),
    "string": ("str", "text"),
}
_LIMITS: dict[str, Callable[[Any], pandera.Check]] = {
    "minimum": lambda bound: pandera.Check.ge(bound, error=f"a value of at least {bound}"),
    "maximum": lambda bound: pandera.Check.le(bound, error=f"a value of at most {bound}"),
    "exclusiveMinimum": lambda bound: pandera.Check.gt(bound, error=f"a value greater than {bound}"),
    "enum": lambda values: pandera.Check.isin(values, error=f"one of {', '.join(map(str, values))}"),
}


def _sentence(path: Path, text: pd.DataFrame, fields: dict[str, Any], faults: pd.DataFrame) -> str:
    """Say the first fault in one sentence; a fault of the columns comes before one of a cell."""
    expected = ", ".join(field["name"] for field in fields["fields"])
    types = {field["name"]: _TYPES[field["type"]][1] for field in fields["fields"]}
    missing = faults[faults.check == "column_in_dataframe"]
    unknown = faults[faults.check == "column_in_schema"]
    if len(missing):
        return f"{path}: column '{missing.failure_case.iloc[0]}' is missing; expected are {expected}."
    if len(unknown):
        return f"{path}: column '{unknown.failure_case.iloc[0]}' is unknown; expected are {expected}."
    fault = faults.dropna(subset="index").sort_values("index", kind="stable").iloc[0]
    row, column = int(fault["index"]), fault.column
    place = f"{path}, row {row + 1} (line {row + 2})"
    if fault.check == "multiple_fields_uniqueness":
        key = ", ".join(f"{name} {text[name][row]}" for name in fields["primaryKey"])
        return f"{place}: a second row with {key}; each such combination is expected once."
    value = f"'{text[column][row]}'" if text[column][row] else "an empty cell"
    of_type = fault.check.startswith(("coerce_dtype", "dtype", "not_nullable"))
    return f"{place}, column '{column}': {value} is found, expected is {types[column] if of_type else fault.check}."
