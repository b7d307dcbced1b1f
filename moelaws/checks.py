"""The arrays and tables that the package computes with, and what an argument has to be."""

from collections.abc import Mapping
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
        array = np.asarray(value, dtype=float)
        if not np.all((array > 0) & np.isfinite(array)):
            raise InputError(f"Parameter {name} has the value {value!r}; a positive number is expected.")
        arrays.append(array)
    return arrays
