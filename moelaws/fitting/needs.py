"""Which laws a table allows, and which columns each other law still needs."""

import numpy as np
import pandas as pd

from moelaws.laws.base import Law


def needs(law: Law, table: pd.DataFrame) -> dict[str, str]:
    """Return the columns that a law cannot read from a table, and why: none, or rows without a positive number.

    Examples
    --------
    >>> from moelaws.laws import LAWS
    >>> rows = pd.DataFrame({"n_active": [1e8, 1e9], "loss": [3.0, None]})
    >>> needs(LAWS["dense"], rows)
    {'n_tokens': 'no such column', 'loss': '1 of 2 rows without a positive number'}
    """
    found = {}
    for name in (*law.columns, law.response):
        if name not in table:
            found[name] = "no such column"
            continue
        cells = pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        if bad := int(np.sum(~(np.isfinite(cells) & (cells > 0)))):
            found[name] = f"{bad} of {len(cells)} rows without a positive number"
    return found
