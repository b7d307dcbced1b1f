"""A number that counts for less and less: experts, or the share that is active, bounded at both ends.

References
----------
A. Clark et al., arXiv:2202.01169 (2022), for the number of experts. Yun et al. (2024), Ludziejewski et al. (2025) and
Tian et al. (2025) took it over, the last for the activation ratio.
"""

from dataclasses import dataclass

import numpy as np

from moelaws.checks import Floats
from moelaws.errors import InputError
from moelaws.laws.base import Parameter


def saturated(experts: Floats | float, start: Floats | float, end: Floats | float) -> Floats:
    r"""Bound the number of experts at both ends.

    .. math:: 1/\hat E = \frac{1}{E - 1 + (1/E_{start} - 1/E_{max})^{-1}} + \frac{1}{E_{max}}

    One expert counts as `start`, infinitely many as `end`.

    Examples
    --------
    >>> round(float(saturated(1, 1.847, 314.478)), 3), round(float(saturated(1e9, 1.847, 314.478)), 2)
    (1.847, 314.48)
    """
    return np.asarray(1 / (1 / (experts - 1 + 1 / (1 / start - 1 / end)) + 1 / end))


def saturated_slopes(experts: Floats, start: Floats | float, end: Floats | float) -> tuple[Floats, Floats]:
    """Return the derivatives of ln Ê with respect to `start` and `end`."""
    bounded = saturated(experts, start, end)
    offset = 1 / (1 / start - 1 / end)
    # 1/Ê = 1/(E - 1 + offset) + 1/end, and d ln Ê = -Ê d(1/Ê)
    inner = (offset / (experts - 1 + offset)) ** 2
    return np.asarray(bounded * inner / start**2), np.asarray(bounded * (1 - inner) / end**2)


@dataclass(frozen=True)
class Saturation:
    """Which column of a law saturates, and between which of its parameters.

    Parameters
    ----------
    column, start, end : str
        The column, and the two parameters that are its value at one expert and at infinitely many.
    shift : float
        What is added to the column first: 0 for a number of experts, 1 for a share, which starts from nothing.
    """

    column: str
    start: str
    end: str
    shift: float = 0.0

    def __post_init__(self) -> None:
        if self.start == self.end:
            raise InputError(f"Column '{self.column}' saturates at both ends at '{self.end}'; two names are expected.")
        if self.shift not in (0, 1):
            raise InputError(
                f"Column '{self.column}' saturates with the shift {self.shift!r}; 0, of a number, or 1, of a share, "
                "is expected."
            )

    @property
    def formula(self) -> str:
        """The definition of the bounded column, ``column_hat``."""
        inner = f"{self.column} - 1" if not self.shift else self.column
        return f"{self.column}_hat = 1/(1/({inner} + 1/(1/{self.start} - 1/{self.end})) + 1/{self.end})"


def e_start(*grid: float) -> Parameter:
    """Return the lower end of a saturation in experts, which starts from given values."""
    return Parameter("E_start", "experts below which routing does not help", "experts", 1, 64, grid)


def e_max(*grid: float) -> Parameter:
    """Return the upper end of a saturation in experts, which starts from given values."""
    return Parameter("E_max", "experts above which it does not help any more", "experts", 65, 1e6, grid)
