"""The options that say how a reader's table is read, shared by all commands that take one."""

from collections.abc import Callable, Iterable
from functools import reduce
from typing import TYPE_CHECKING, Any

import click

from moelaws.cli.output import pairs_of
from moelaws.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from moelaws.data.mapping import Mapping

Command = Callable[..., None]
_OPTIONS = (
    click.option("--mapping", "file", metavar="FILE", type=click.Path(), help="YAML file of the next three."),
    click.option(
        "--map", "rename", multiple=True, metavar="NAME=COLUMN", help='What a column is called there, or "=arithmetic".'
    ),
    click.option(
        "--unit", multiple=True, metavar="NAME=UNIT", help="Such as n_tokens=billion, n_active=suffix, loss=perplexity."
    ),
    click.option("--decimal", type=click.Choice([".", ","]), help="Mark before decimals; the other is for thousands."),
)
_CONFIG = click.option(
    "--config", metavar="FILE", type=click.Path(), help="config.json of all rows, to count parameters."
)


where_option = click.option("--where", "condition", metavar="EXPR", help="Rows to use, such as \"annealed == 'yes'\".")
final_option = click.option(
    "--final", is_flag=True, help="Keep the last row of each run, where rows are points on the way."
)


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return a decorator that adds several options in their order."""
    return lambda command: reduce(lambda whole, option: option(whole), reversed(options), command)


choosing = together(
    where_option,
    final_option,
    click.option("--pool", multiple=True, metavar="COLUMN", help="A convention to leave aside: its rows go together."),
)
"""The options that say which rows are used, as :func:`chosen` takes them."""
mapped_names = together(*_OPTIONS)
"""The options that make a table's names and units those of the book."""
mapped = together(*_OPTIONS, _CONFIG)
"""These options, and that for the model that a table of runs may be about."""


def mapping_of(file: str | None, rename: tuple[str, ...], unit: tuple[str, ...], decimal: Any) -> "Mapping":
    """Return the mapping that options and a mapping file give; an option comes before the file."""
    from moelaws.data import mapping

    columns = pairs_of(rename, "--map")
    units: dict[str, str | float] = {**pairs_of(unit, "--unit")}
    options = mapping.checked(mapping.Mapping(columns=columns, units=units, decimal=decimal), "Option --unit")
    return options if file is None else mapping.read(file).and_also(options)


def rows_of(table: str, columns: Iterable[str], *, config: str | None, **mapping: Any) -> "pd.DataFrame":
    """Read a table of runs as the options say."""
    from moelaws.fork.tables import read

    return read(table, list(columns), mapping_of(**mapping), config)


def chosen(rows: "pd.DataFrame", condition: str | None, final: bool, pool: tuple[str, ...]) -> "pd.DataFrame":
    """Return the rows that options choose, without the conventions that they leave aside."""
    from moelaws.data.condition import where
    from moelaws.data.quantities import CONVENTIONS
    from moelaws.fitting import rows as checks

    for name in pool:
        if name not in rows or name not in CONVENTIONS:
            known = ", ".join(column for column in CONVENTIONS if column in rows) or "none"
            raise InputError(f"Option --pool is '{name}'; a convention is expected, of which the table has: {known}.")
    rows = rows.drop(columns=list(pool))
    if condition is not None:
        rows = rows[where(rows, condition)]
    return checks.final(rows) if final else rows


def points_of(table: str, columns: Iterable[str], *, config: str | None, **mapping: Any) -> "pd.DataFrame":
    """Read a table of runs that are still to be made, of which a mapping may say more than there is."""
    from moelaws.fork.tables import read

    columns = list(columns)
    return read(table, columns, mapping_of(**mapping).about(columns), config)
