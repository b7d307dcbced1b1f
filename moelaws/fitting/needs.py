"""Which laws a table allows, and which columns each other law still needs."""

import numpy as np
import pandas as pd

from moelaws.laws.base import Law

COLUMNS = {
    "n_active": ("parameters used for one token", "parameters"),
    "n_dense": ("parameters of the dense model that was given experts", "parameters"),
    "n_total": ("all parameters", "parameters"),
    "n_tokens": ("training tokens", "tokens"),
    "n_routed": ("experts in a routed layer, of which one is used; 1 for a dense model", "experts"),
    "activation_ratio": ("active over all experts; 1 for a dense model", "1"),
    "granularity": ("how many times finer than a feed-forward layer an expert is, as the law counts it", "1"),
    "flops": ("training compute", "FLOP"),
    "loss": ("loss at the end of the run", "nats per token"),
    "leverage": ("compute of a dense model over that of the mixture of experts at equal loss", "1"),
}
"""What the columns that laws read mean, and their units."""


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
