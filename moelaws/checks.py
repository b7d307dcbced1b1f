"""The arrays and tables that the package computes with, and what an argument has to be."""

from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from moelaws.errors import InputError

Floats: TypeAlias = NDArray[np.float64]
Columns: TypeAlias = Mapping[str, Any] | pd.DataFrame
"""A table, or anything else that gives a column by its name."""


def positive(**parameters: ArrayLike) -> list[Floats]:
    """Return parameters as arrays, or refuse the first that is not positive and finite."""
    arrays = []
    for name, value in parameters.items():
        try:
            array = np.asarray(value, dtype=float)
        except (TypeError, ValueError):  # of text, or of lists of unequal lengths
            array = np.array(np.nan)
        if not np.all((array > 0) & np.isfinite(array)):
            shown = repr(value) if np.size(value) < 10 else f"{str(value)[:40]} …"
            raise InputError(f"Parameter {name} has the value {shown}; a positive number is expected.")
        arrays.append(array)
    return arrays


def one_of(allowed: Collection[str], **parameters: object) -> None:
    """Refuse the first parameter that is none of the names allowed."""
    for name, value in parameters.items():
        if value not in allowed:
            raise InputError(f"Parameter {name} has the value {value!r}; one of {', '.join(allowed)} is expected.")


def share(**parameters: float) -> None:
    """Refuse the first parameter that does not lie between zero and one."""
    for name, value in parameters.items():
        if not (isinstance(value, int | float | np.number) and 0 < value < 1):
            raise InputError(f"Parameter {name} has the value {value!r}; a number between 0 and 1 is expected.")


def whole(least: int, **parameters: int) -> None:
    """Refuse the first parameter that is no whole number from `least` on."""
    for name, value in parameters.items():
        if not (isinstance(value, int | np.integer) and value >= least):
            raise InputError(f"Parameter {name} has the value {value!r}; a whole number from {least} on is expected.")
