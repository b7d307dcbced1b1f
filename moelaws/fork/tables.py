"""A reader's table of runs: columns that an architecture gives, and every problem at once."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from moelaws.data import files
from moelaws.data.condition import names
from moelaws.data.mapping import Mapping
from moelaws.data.quantities import CONVENTIONS, QUANTITIES
from moelaws.data.table import AS_IT_IS, faults, nearest, opened, row
from moelaws.errors import InputError
from moelaws.fitting import rows
from moelaws.fitting.needs import needs
from moelaws.laws import LAWS
from moelaws.models import huggingface
from moelaws.models.ratios import granularity

CONFIG = "config"
"""The column that names the config.json of each row, from the folder of the table."""

COMPUTED = {
    "activation_ratio": "top_k / n_routed",
    "flops": "6 * n_active * n_tokens",
    "n_tokens": "flops / (6 * n_active)",
}
"""What a mapping can compute where a table lacks a column: ``activation_ratio: = top_k / n_routed``."""

SHOWN = 20
"""Problems of one column that are listed."""


def read(
    path: str | os.PathLike[str], columns: list[str], mapping: Mapping = AS_IT_IS, config: str | None = None
) -> pd.DataFrame:
    """Read a table in the names and units of the book, with what an architecture adds to it.

    `columns` must hold positive numbers. All rows share a `config`, or each names its own in the column
    ``config``.
    """
    return mapping.apply(_opened(path, columns, mapping, config), columns, str(path))


def _opened(path: str | os.PathLike[str], columns: list[str], mapping: Mapping, config: str | None) -> pd.DataFrame:
    sources = {one for name in (*columns, *mapping.columns, *mapping.units) for one in mapping.sources(name)}
    table = opened(path, dtype=dict.fromkeys(sources, str), keep_default_na=False, na_values=[""])
    if config is None and CONFIG not in table:
        return table
    named = pd.Series(config, index=table.index) if config is not None else table[CONFIG]
    found = {name: _counts(name, path, config is not None) for name in named.unique()}
    given = {column for column in table if column in QUANTITIES} | set(mapping.columns)
    for column in ("n_active", "n_total", "n_embedding", "n_routed", "top_k", "granularity"):
        if column not in given:
            table[column] = [found[name][column] for name in named]
    return table


def _counts(name: object, table: str | os.PathLike[str], is_path: bool) -> dict[str, float]:
    place = Path(str(name)) if is_path else files.within(Path(table).parent, str(name), table)
    try:
        model = huggingface.model(str(place)).architecture
    except InputError as error:
        if is_path:
            raise
        raise InputError(f"{table}, column '{CONFIG}', which names a config.json for each row: {error}") from None
    sparse = model.n_routed > 1
    return {
        "n_active": model.n_active,
        "n_total": model.n_total,
        "n_embedding": model.n_embedding,
        "n_routed": max(model.n_routed, 1),
        "top_k": max(model.top_k, 1),
        "granularity": float(granularity(model.d_model, model.d_expert)) if sparse else 1.0,
    }


@dataclass(frozen=True)
class Findings:
    """What there is to say of a table before it is fitted.

    Parameters
    ----------
    rows : int
        Its rows.
    columns : dict
        Columns with a meaning → their unit.
    others : tuple of str
        Columns that no law reads.
    problems, warnings : tuple of str
        What has to be mended, and what should be looked at.
    missing : dict
        Law → what it still needs: column, and why.
    """

    rows: int
    columns: dict[str, str]
    others: tuple[str, ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    missing: dict[str, dict[str, str]]


def check(path: str | os.PathLike[str], mapping: Mapping = AS_IT_IS, config: str | None = None) -> Findings:
    """Return everything that is wrong with a table of runs, and what each law would still need."""
    table = _opened(path, list(QUANTITIES), mapping, config)
    problems: list[str] = []
    try:
        table = mapping.renamed(table, str(path))
    except InputError as error:
        problems.append(str(error))
    read = [name for name in QUANTITIES if name in table]
    for name in read:
        written = mapping.with_cells(table, name, str(path))
        problems += _first(faults(written, name))
        numbers = pd.to_numeric(written[name], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        with np.errstate(all="ignore"):
            table = table.assign(**{name: mapping.scaled(name, numbers)})
    for name in read:
        problems += _first(rows.faults([name], table))
    warnings = [*_duplicates(table), *rows.suspects(table, read), *_hints(table)]
    others = tuple(str(name) for name in table if name not in QUANTITIES and name not in CONVENTIONS)
    missing = {
        name: {column: _how(column, why, table) for column, why in needs(law, table).items()}
        for name, law in LAWS.items()
    }
    units = {name: QUANTITIES[name].unit for name in read}
    return Findings(len(table), units, others, tuple(dict.fromkeys(problems)), tuple(warnings), missing)


def _first(sentences: Iterator[str]) -> list[str]:
    shown = list(islice(sentences, SHOWN))
    more = sum(1 for _ in sentences)
    return [*shown, f"{more} more cells like the last one."] if more else shown


def _how(column: str, why: str, table: pd.DataFrame) -> str:
    formula = COMPUTED.get(column, "")
    if why == "no such column" and formula and set(names(formula)) <= set(table):
        return f'{why}; --map "{column}== {formula}" computes it'
    return why


def _duplicates(table: pd.DataFrame) -> Iterator[str]:
    repeated = np.flatnonzero(table.duplicated())
    if len(repeated):
        first = row(table, repeated[0])
        yield f"{len(repeated)} rows repeat another one in all columns; the first of them is row {first}."


def _hints(table: pd.DataFrame) -> Iterator[str]:
    others, hinted = [str(name) for name in table if name not in QUANTITIES], set()
    for name in QUANTITIES:
        near = None if name in table else nearest(name, [other for other in others if other not in hinted])
        if near:
            hinted.add(near)
            yield f"There is no column '{name}'; is it '{near}' (--map \"{name}={near}\")?"
