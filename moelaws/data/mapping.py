"""What a reader's table calls its columns, in which units they stand, and what was counted: a mapping.

A mapping is given by options, or by a YAML file that can be kept beside the table::

    columns:
      n_active: Na                 # a column of the table,
      n_routed: = nume / topk      # or arithmetic on its columns, after their units
    units:
      n_tokens: billion            # thousand, million, billion, trillion, a number, or suffix for cells such as 1.3B
      loss: perplexity             # or bits/token
    conventions:
      n_embedding_counted: "no"    # a column of one value, of moelaws.data.quantities.CONVENTIONS
    decimal: ","                   # what stands before decimals
    rows: dataset == 'c4'          # a condition on the table's columns
"""

import os
import re
from collections.abc import Callable, Collection
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from moelaws.checks import Floats
from moelaws.data import files
from moelaws.data.condition import names, value, where
from moelaws.data.quantities import CONVENTIONS
from moelaws.errors import InputError

MULTIPLES = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
"""Words for what the numbers of a column are multiplied by."""

SUFFIXES = {"K": 1e3, "M": 1e6, "B": 1e9, "G": 1e9, "T": 1e12}
"""What a letter behind a number multiplies it by."""

SUFFIXED = re.compile(rf"\s*(\d+\.?\d*|\.\d+)\s*([{''.join(SUFFIXES)}]?)\s*", re.IGNORECASE)
"""A number, and the letter that may stand behind it."""

LOSSES: dict[str, Callable[[Floats], Floats]] = {
    "nats/token": lambda loss: loss,
    "bits/token": lambda loss: loss * np.log(2),
    "perplexity": np.log,
}
"""Units of a loss that become nats per token without knowing the tokenizer."""


def _number(unit: Any) -> Any:
    """Return a unit as the number that it may be, since YAML takes 1e9, without a point, for text."""
    if isinstance(unit, bool):
        raise ValueError("a number or a word is expected")
    try:
        return float(unit)
    except (TypeError, ValueError):
        return unit


class Mapping(BaseModel):
    """How a table is read; see the module for what each field means.

    Examples
    --------
    >>> rows = pd.DataFrame({"N": ["1.3B", "350M"], "ppl": ["12.1", "18.4"]})
    >>> mapping = Mapping(columns={"n_active": "N", "loss": "ppl"}, units={"n_active": "suffix", "loss": "perplexity"})
    >>> mapping.apply(rows, ["n_active", "loss"], "mine.csv").round(3).values.tolist()
    [[1300000000.0, 2.493, 'nats/token'], [350000000.0, 2.912, 'nats/token']]
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    columns: dict[str, str] = {}
    units: dict[str, Annotated[str | float, BeforeValidator(_number)]] = {}
    conventions: dict[str, str] = {}
    decimal: Literal[".", ","] | None = None
    rows: str | None = None

    def and_also(self, other: "Mapping") -> "Mapping":
        """Return this mapping with what another one says beside it, or instead."""
        return Mapping(
            columns=self.columns | other.columns,
            units=self.units | other.units,
            conventions=self.conventions | other.conventions,
            decimal=other.decimal or self.decimal,
            rows=other.rows or self.rows,
        )

    def about(self, columns: Collection[str]) -> "Mapping":
        """Return what the mapping says of some columns, for a table that need not have the others."""
        used = set(columns)
        for name in reversed(self.columns):  # arithmetic reads what stands before it
            if name in used and self.columns[name].startswith("="):
                used |= set(self.sources(name))
        return Mapping(
            columns={name: source for name, source in self.columns.items() if name in used},
            units={name: unit for name, unit in self.units.items() if name in used},
            decimal=self.decimal,
        )

    def sources(self, name: str) -> tuple[str, ...]:
        """Return the columns of the file that a column is made from."""
        source = self.columns.get(name, name)
        return names(source[1:]) if source.startswith("=") else (source,)

    def apply(self, table: pd.DataFrame, needed: list[str], path: str) -> pd.DataFrame:
        """Return a table in the names and units of the book.

        Parameters
        ----------
        table : pandas.DataFrame
            Rows, with the text of cells in the columns that `needed` ones are made from.
        needed : list of str
            Columns that must be there and hold positive numbers.
        path : str
            What a sentence about a mistake calls the table.
        """
        from moelaws.data.table import numbers

        table = self.renamed(table, path)
        for name in dict.fromkeys([*needed, *self.units]):
            column = numbers(self.with_cells(table, name, path), name, path)
            table = table.assign(**{name: self.scaled(name, column)})
        others = [name for name in self.columns if name not in needed and name not in self.units]
        return table.assign(**{name: _guessed(self.with_cells(table, name, path)[name]) for name in others})

    def renamed(self, table: pd.DataFrame, path: str) -> pd.DataFrame:
        """Return the chosen rows with the columns of the mapping, in the units of the file, and its conventions."""
        from moelaws.data.table import only

        if self.rows is not None:
            named = [name for name in names(self.rows) if name in table]
            read = {name: _guessed(self.with_cells(table, name, path)[name]) for name in named}
            table = table[where(table.assign(**read), self.rows)]
        for name, source in self.columns.items():
            if source.startswith("="):
                parts = self._parts(table, name, path)
                table = table.assign(**{name: value(pd.DataFrame(parts, index=table.index), source[1:])})
            elif only(table, source, path).name != name:
                if name in table:
                    raise InputError(
                        f"{path}: column '{source}' cannot be called '{name}', since there is such a column."
                    )
                table = table.rename(columns={source: name})
        if unknown := [name for name in self.units if name not in table]:
            raise InputError(f"{path}: a unit is given for '{unknown[0]}'; there is no such column.")
        said = {"loss_unit": "nats/token"} if "loss" in self.units and "loss_unit" not in table else {}
        return table.assign(**(said | self.conventions))

    def _parts(self, table: pd.DataFrame, name: str, path: str) -> dict[str, Floats]:
        """Return the columns that one is computed from, in the units that are given for them.

        A column that is computed from itself takes its own unit afterwards.
        """
        from moelaws.data.table import numbers

        parts = {one: numbers(self.with_cells(table, one, path), one, path) for one in self.sources(name)}
        scaled = {one: self.scaled(one, column) for one, column in parts.items() if one in self.units and one != name}
        if scaled and name in self.units:
            raise InputError(
                f"{path}: '{name}' is computed from '{next(iter(scaled))}', and a unit is given for both; "
                "one for what it is computed from is expected."
            )
        return parts | scaled

    def with_cells(self, table: pd.DataFrame, name: str, path: str) -> pd.DataFrame:
        """Return the table with the cells of a column as text that stands for numbers."""
        from moelaws.data.table import only, row

        cells = only(table, name, path)
        if self.decimal is not None and pd.api.types.is_string_dtype(cells):
            other = "," if self.decimal == "." else "."
            good = cells.str.fullmatch(_number_with(self.decimal, other), case=False, na=False)
            for place in np.flatnonzero(cells.str.fullmatch(_DIGITS, case=False, na=False) & ~good):
                raise InputError(
                    f"{path}, row {row(table, place)}, column '{name}': '{cells.iloc[place][:40]}' is found; a number "
                    f"with '{self.decimal}' before decimals, and '{other}' only between thousands, is expected."
                )
            cells = cells.mask(good, cells.str.replace(other, "").str.replace(self.decimal, "."))
        return table.assign(**{name: cells.map(_written) if self.units.get(name) == "suffix" else cells})

    def scaled(self, name: str, column: Floats) -> Floats:
        """Return a column's numbers in the unit of the book."""
        unit = self.units.get(name, 1.0)
        if isinstance(unit, float) or unit in MULTIPLES:
            return column * (unit if isinstance(unit, float) else MULTIPLES[unit])
        return LOSSES[unit](column) if unit in LOSSES else column


def read(path: str | os.PathLike[str]) -> Mapping:
    """Read a mapping file."""
    given = files.document(path)
    try:
        return checked(Mapping.model_validate(given), str(path))
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"])) or "as a whole"
        known = ", ".join(Mapping.model_fields)
        raise InputError(
            f"{path}: this is no mapping ({place}: {fault['msg'].lower()}); {known} are expected."
        ) from None


def checked(mapping: Mapping, where: str) -> Mapping:
    """Return a mapping, or refuse units and conventions that have no meaning."""
    for name, unit in mapping.units.items():
        known = [*MULTIPLES, "suffix", *(LOSSES if name == "loss" else [])]
        if isinstance(unit, str) and unit not in known:
            raise InputError(f"{where}: '{name}' has the unit '{unit}'; a number, {', '.join(known)} are expected.")
        if isinstance(unit, float) and not 0 < unit < np.inf:
            raise InputError(f"{where}: '{name}' has the unit {unit:g}; a positive number is expected.")
    if foreign := [name for name in mapping.conventions if name not in CONVENTIONS]:
        raise InputError(f"{where}: '{foreign[0]}' is no convention; those are {', '.join(CONVENTIONS)}.")
    return mapping


_DIGITS = r"\s*[+-]?(?=[.,]*\d)[\d.,]+(e[+-]?\d+)?\s*[a-z]?\s*"
"""A number as somebody may write it, whatever the marks mean."""


def _number_with(decimal: str, thousands: str) -> str:
    """Return the pattern of numbers with two marks; powers of ten have none between thousands."""
    grouped = rf"[1-9]\d{{0,2}}(\{thousands}\d{{3}})+(\{decimal}\d*)?"
    return rf"\s*[+-]?({grouped}|(\d+\{decimal}?\d*|\{decimal}\d+)(e[+-]?\d+)?)\s*[a-z]?\s*"


def _written(cell: object) -> object:
    number = SUFFIXED.fullmatch(str(cell))
    return float(number[1]) * SUFFIXES.get(number[2].upper(), 1.0) if number else cell


def _guessed(column: pd.Series) -> pd.Series:
    try:
        return pd.to_numeric(column)
    except (ValueError, TypeError):
        return column
