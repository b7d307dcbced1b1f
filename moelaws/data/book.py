"""Tables of the book: each has a schema, and a row that breaks it is refused.

A data set is a folder of ``data/`` with CSV files and a ``datapackage.yaml`` (the Data Package
standard: licences, sources and, for every column, type, unit, meaning and limits).
``load("yang2025/throughput")`` gives a table of the book, ``read(path, like=...)`` a table of
the reader's own under the same schema. ``load_runs("clark2022")`` gives training runs that others
published, which are not in the repository, under the schema ``public_runs/runs``.
"""

import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pandera

from moelaws.data import checksums, files, public_runs, registry
from moelaws.data.table import opened
from moelaws.errors import InputError
from moelaws.paths import ROOT as ROOT

RUNS = "public_runs/runs"
"""The schema of all tables of training runs."""


def sets() -> dict[str, dict[str, Any]]:
    """Return the ``datapackage.yaml`` of every data set by name."""
    return {path.parent.name: _package(path) for path in sorted(ROOT.glob("data/*/datapackage.yaml"))}


@cache
def _package(path: Path) -> dict[str, Any]:
    """Read a description; a schema that several sets share stands in a file of its own, named in its place."""
    package: dict[str, Any] = files.document(path)
    try:
        for resource in package["resources"]:
            files.within(path.parent, resource.get("path", ""), path)
            if isinstance(name := resource["schema"], str):
                files.within(path.parent.parent, f"{path.parent.name}/{name}", path)
                resource["schema"] = files.document(path.parent / name)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: this is no data package ({error}).") from None
    return package


def tables() -> list[str]:
    """Return the names that :func:`load` knows, as ``"set/table"``."""
    return [
        f"{name}/{table['name']}"
        for name, package in sets().items()
        for table in package["resources"]
        if "path" in table
    ]


def columns(name: str) -> list[dict[str, Any]]:
    """Return the columns of a table: name, type, unit, description and constraints.

    Examples
    --------
    >>> columns("devices/devices")[2]["unit"]
    'GB/s'
    """
    folder, _, runs = name.partition("/")
    if folder == "public_runs" and runs in registry.sets():
        return [*columns(RUNS), *registry.find(runs).columns]
    fields: list[dict[str, Any]] = _locate(name)["schema"]["fields"]
    return fields


def load(name: str) -> pd.DataFrame:
    """Load a table of the book, checked against its schema.

    `name` is ``"set/table"``, one of :func:`tables`.

    Examples
    --------
    The first cell of Table 8 of Yang et al. (2025): two requests, six active experts.

    >>> int(load("yang2025/throughput").throughput[0])
    479
    """
    path = _path(name)
    checksums.check(path, _locate(name).get("hash"))
    return _validated(name, path, path.stat().st_mtime_ns if path.exists() else 0).copy()


@cache
def _validated(name: str, path: Path, changed: int) -> pd.DataFrame:
    """Read a table of the book once, until it is changed; validation takes most of the time."""
    return _read_csv(path, _locate(name)["schema"])


def load_runs(name: str) -> pd.DataFrame:
    """Load training runs that others published.

    Parameters
    ----------
    name : str
        One of ``registry.sets()``: clark2022, chinchilla, gadre2024, liew2025, marin, flame,
        steplaw, sldbench. Their licences, citations and known problems stand in
        ``data/public_runs/registry.yaml``.

    Returns
    -------
    pandas.DataFrame
        One row for each run: the columns of ``public_runs/runs`` (parameters and tokens as plain
        numbers, losses in the unit that `loss_unit` names), then those of this set alone.

    Raises
    ------
    InputError
        If there is no such set, or a file has another hash than the registered one.
    Unavailable
        If a file is neither in the folder that the environment variable ``MOELAWS_DATA`` names
        nor in the user's cache, and cannot be downloaded.
    """
    runs = registry.find(name)
    paths = [file.fetch() for file in runs.files]
    frame = public_runs.READERS[name](*map(pd.read_csv, paths)).assign(source=name)
    fields = columns(f"public_runs/{name}")
    ordered = frame.reindex(columns=[field["name"] for field in fields])
    return _schema({**_locate(RUNS)["schema"], "fields": fields}).validate(ordered)


def read(path: str | os.PathLike[str], like: str) -> pd.DataFrame:
    """Read a table of the reader's own under the schema of one of the book's.

    `path` has the columns of the table `like`; further ones are refused, save in tables of runs.
    """
    return _read_csv(path, _locate(like)["schema"])


def write(text: str, path: Path, like: str) -> None:
    """Put a table in the place of a file, whole and only if it keeps a schema.

    `text` is CSV that has to keep the schema of the table `like`.

    Raises
    ------
    InputError
        If the table breaks the schema; the file stays as it was.
    """
    handle, partial = tempfile.mkstemp(suffix=".partial", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(handle)
        read(partial, like)
        os.chmod(partial, 0o644)  # a temporary file is its owner's alone
        os.replace(partial, path)
    except InputError as error:
        raise InputError(str(error).replace(partial, str(path))) from None
    finally:
        Path(partial).unlink(missing_ok=True)


def printed(name: str) -> pd.DataFrame:
    """Load a table with every value as the text that was transcribed, which keeps the printed digits.

    Examples
    --------
    >>> printed("yang2025/quality_pruning").average[0]
    '66.0'
    """
    load(name)
    return _read_text(_path(name))


def _path(name: str) -> Path:
    resource = _locate(name)
    if "path" not in resource:
        raise InputError(f"'{name}' is a schema without a table; the tables are {', '.join(tables())}.")
    return ROOT.joinpath("data", name.partition("/")[0], resource["path"])


def _locate(name: str) -> dict[str, Any]:
    """Return a table's entry in its data package."""
    folder, _, table = name.partition("/")
    path = ROOT / "data" / folder / "datapackage.yaml"
    known = path in ROOT.glob("data/*/datapackage.yaml")
    for resource in _package(path)["resources"] if known else []:
        if resource["name"] == table:
            return dict(resource)
    raise InputError(f"There is no table '{name}'; 'moelaws data' lists those that there are.")


def _read_text(path: str | os.PathLike[str]) -> pd.DataFrame:
    frame = opened(path, dtype=str, na_filter=False)
    return frame


def _read_csv(path: str | os.PathLike[str], fields: dict[str, Any]) -> pd.DataFrame:
    text = _read_text(path)
    try:
        frame = _schema(fields).validate(text.replace("", None), lazy=True)
    except pandera.errors.SchemaErrors as faults:
        raise InputError(_sentence(path, text, fields, faults.failure_cases)) from None
    for name in frame.columns.difference([field["name"] for field in fields["fields"]]):
        frame[name] = _guessed(frame[name])
    return frame


def _guessed(values: pd.Series) -> pd.Series:
    """Return a column that no schema describes as numbers, if all its cells are numbers."""
    try:
        return pd.to_numeric(values)
    except ValueError:
        return values


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
        strict=fields.get("fieldsMatch") != "subset",
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


def _sentence(path: str | os.PathLike[str], text: pd.DataFrame, fields: dict[str, Any], faults: pd.DataFrame) -> str:
    """Say the first fault in one sentence; a fault of the columns comes before one of a cell."""
    expected = ", ".join(field["name"] for field in fields["fields"])
    types = {field["name"]: _TYPES[field["type"]][1] for field in fields["fields"]}
    missing = faults[faults.check == "column_in_dataframe"]
    unknown = faults[faults.check == "column_in_schema"]
    if len(missing):
        first = next(field["name"] for field in fields["fields"] if field["name"] in set(missing.failure_case))
        return f"{path}: column '{first}' is missing; expected are {expected}."
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
