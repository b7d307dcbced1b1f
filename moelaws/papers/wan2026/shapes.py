"""All architectures of whole numbers that have given sizes, found without trying them one by one.

For given layers and hidden size, active parameters, total parameters and work grow linearly with the width of
an expert. So each tolerance is an interval of that width, and a whole line of the space is decided at once.
"""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from moelaws.checks import Floats, positive
from moelaws.errors import InputError
from moelaws.papers.wan2026 import law as wan2026
from moelaws.papers.wan2026.law import Setting

Range = tuple[float, float]

COLUMNS = ["d_model", "n_dense_layers", "n_moe_layers", "d_expert"]
"""Columns that make an architecture, in the order of the law's arguments."""


class Space(NamedTuple):
    """A box of whole numbers outside which no architecture has the sizes that were asked for."""

    layers: Floats
    widths: Floats
    expert_widths: Floats
    least_dense: int

    @property
    def size(self) -> int:
        """Number of architectures in the box: with each number of layers, every split in two kinds."""
        splits = np.maximum(self.layers - self.least_dense, 0).sum()
        return int(splits) * len(self.widths) * len(self.expert_widths)


def space(
    M: float,
    N_a: float,
    N: float,
    setting: Setting,
    tolerance: float = 0.05,
    step: int = 8,
    least_dense: int = 1,
    widths: Range = (0, math.inf),
) -> Space:
    """Return the space in which :func:`within` searches.

    Parameters and errors are those of :func:`within`.

    Examples
    --------
    45 million architectures for the smallest budget of Wan et al. (2026):

    >>> f"{space(2.672e8, 2.43e7, 5.34e8, Setting(4, 2, 64)).size:.1e}"
    '4.5e+07'
    """
    M, N_a, N = (float(size) for size in positive(M=M, N_a=N_a, N=N))
    if not 0 < tolerance < 1:
        raise InputError(f"Parameter tolerance has the value {tolerance!r}; a number between 0 and 1 is expected.")
    for name, value, least in (("step", step, 1), ("least_dense", least_dense, 0)):
        if value != int(value) or value < least:
            raise InputError(
                f"Parameter {name} has the value {value!r}; a whole number of at least {least} is expected."
            )
    if any(np.ndim(value) for value in vars(setting).values()):
        raise InputError("Parameter setting holds arrays; plain numbers are expected, as one search has one setting.")
    more, less = 1 + tolerance, 1 - tolerance
    scores = float(setting.scores)
    first = max(math.ceil((M * less - 6 * N_a * more) / scores), least_dense + 1)
    layers = np.arange(first, math.floor((M * more - 6 * N_a * less) / scores) + 1, dtype=float)
    if not len(layers):
        return Space(layers, layers, layers, least_dense)
    # The narrowest experts leave the most room for the width, and the narrowest model for the experts.
    linear = setting.projections * layers[0] + 3 * setting.used * step
    square = 3 * setting.gamma * least_dense
    widest = 2 * N_a * more / (linear + np.sqrt(linear**2 + 4 * square * N_a * more))
    experts = min(N_a * more / setting.used, N * more / (setting.used + setting.idle)) / (3 * step)
    narrowest = step * max(math.ceil(widths[0] / step), 1)
    return Space(
        layers,
        np.arange(narrowest, min(float(widest), widths[1]) + 1e-6, step, dtype=float),
        np.arange(step, float(experts) + 1e-6, step, dtype=float),
        least_dense,
    )


def within(
    M: float,
    N_a: float,
    N: float,
    setting: Setting,
    tolerance: float = 0.05,
    step: int = 8,
    least_dense: int = 1,
    widths: Range = (0, math.inf),
) -> pd.DataFrame:
    """Find every architecture of whole numbers whose three sizes are within a tolerance.

    Parameters
    ----------
    M, N_a, N : float
        Training FLOP of a token, active and all parameters, as :func:`moelaws.papers.wan2026.law.account` counts them.
    setting : Setting
        Heads, sequence length, numbers of experts; plain numbers.
    tolerance : float
        Largest relative deviation of each size.
    step : int
        Hidden size and expert width are multiples of it.
    least_dense : int
        Fewest layers without experts; there is at least one with experts.
    widths : tuple of float
        Smallest and largest hidden size.

    Returns
    -------
    pandas.DataFrame
        `d_model`, `n_dense_layers`, `n_moe_layers`, `d_expert`, and the sizes `M`, `N_a`, `N`; sorted by the
        former. No rows where there is none.

    Examples
    --------
    Within one per cent of the sizes of a row of Table 21 of Wan et al. (2026):

    >>> setting = Setting(16, 8, 128)
    >>> found = within(*wan2026.account(2040, 1, 15, 592, setting), setting, tolerance=0.01)
    >>> len(found), int(found.d_model.min()), int(found.d_model.max())
    (840, 944, 2112)
    """
    box = space(M, N_a, N, setting, tolerance, step, least_dense, widths)
    ends = (1 - tolerance, 1 + tolerance)
    blocks = [_lines(layers, (M, N_a, N), ends, setting, box, step) for layers in box.layers]
    shape = np.concatenate(blocks) if blocks else np.empty((0, 4))
    d, n_dense, n_moe, d_expert = shape.T
    sizes = np.column_stack(wan2026.account(d, n_dense, n_moe, d_expert, setting))
    # The intervals are a step too wide at most, so that rounding at their ends cannot lose a row.
    kept = np.all((sizes >= np.multiply((M, N_a, N), ends[0])) & (sizes <= np.multiply((M, N_a, N), ends[1])), axis=1)
    shape, sizes = shape[kept], sizes[kept]
    order = np.lexsort(shape.T[::-1])
    found = pd.DataFrame(shape[order].astype(np.int64), columns=COLUMNS)
    found[["M", "N_a", "N"]] = sizes[order]
    return found


def _lines(
    layers: float, sizes: tuple[float, float, float], ends: tuple[float, float], setting: Setting, box: Space, step: int
) -> Floats:
    """Return the candidates of one number of layers: all splits and widths at once."""
    M, N_a, N = sizes
    dense = np.arange(box.least_dense, layers)[:, None]
    widths = box.widths[None, :]
    base = setting.projections * widths * layers + 3 * setting.gamma * widths**2 * dense
    unit = 3 * widths * (layers - dense)
    scores, everything = setting.scores * layers, setting.used + setting.idle
    low, high = (
        bound(
            [
                (end * N_a - base) / (setting.used * unit),
                ((end * M - scores) / 6 - base) / (setting.used * unit),
                (end * N - base) / (everything * unit),
            ]
        )
        for end, bound in zip(ends, (np.maximum.reduce, np.minimum.reduce), strict=True)
    )
    slack = 1e-6
    first = np.maximum(np.ceil(low / step - slack), 1)
    count = np.maximum(np.floor(high / step + slack) - first + 1, 0).astype(np.int64)
    split, width = np.nonzero(count)
    number = count[split, width]
    place = np.repeat(np.arange(len(number)), number)
    offset = np.arange(len(place)) - np.repeat(np.cumsum(number) - number, number)
    expert = step * (first[split, width][place] + offset)
    n_dense = dense[split[place], 0]
    return np.column_stack([box.widths[width[place]], n_dense, layers - n_dense, expert])


def nearest(
    M: float, N_a: float, N: float, d: float, setting: Setting, step: int = 8, least_dense: int = 1
) -> "pd.Series[float]":
    """Round to whole numbers: the architecture whose largest deviation in M, N_a, N and d is smallest.

    It is a row of :func:`within` with the `deviation`, which is less than one half.

    Examples
    --------
    >>> row = nearest(5.939e9, 7.27e8, 1.594e10, 1880, Setting(16, 8, 128))
    >>> row[COLUMNS].astype(int).tolist(), round(float(row.deviation), 3)
    ([1888, 2, 13, 744], 0.008)
    """
    positive(d=d)
    asked = np.array([M, N_a, N, d], dtype=float)
    for tolerance in (0.005, 0.02, 0.05, 0.1, 0.2, 0.5):
        near = (d * (1 - tolerance), d * (1 + tolerance))
        found = within(M, N_a, N, setting, tolerance, step, least_dense, near)
        if len(found):
            deviation = np.abs(found[["M", "N_a", "N", "d_model"]].to_numpy() / asked - 1).max(axis=1)
            best: pd.Series[float] = found.assign(deviation=deviation).iloc[int(deviation.argmin())]
            return best
    raise InputError(f"Parameter d has the value {d:g}; no architecture of whole numbers is near it and these sizes.")
