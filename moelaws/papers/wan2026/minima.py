r"""Forms of a loss over one quantity that have a single minimum, and the range that is nearly as good.

Wan et al. (2026) fit, at each compute, the loss over one ratio or width by one of these forms, and call a value
near-optimal if the loss exceeds the lowest by at most 0.1 %. The paper prints the forms but neither the
coefficients nor, but for one of them, the place of the minimum.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from moelaws.checks import Floats, positive
from moelaws.errors import InputError


@dataclass(frozen=True)
class BetweenPoles:
    r"""The loss :math:`L = a/(x - C_1) + b/(C_2 - x) + c` between two poles, Appendix F.4.

    Parameters
    ----------
    a, b : float
        Strength of the poles; positive.
    c : float
        Level.
    low, high : float
        The poles. For the expansion N/N_a of 288 experts with eight active and one shared these are 1 and 289/9;
        the paper does not say which it used.

    Examples
    --------
    Poles of equal strength have their minimum half-way; the paper chose 22 at 3e20 FLOP:

    >>> round(BetweenPoles(1, 1, 2).minimum, 2), round(BetweenPoles(4, 1, 2).minimum, 2)
    (16.56, 21.74)
    """

    a: float
    b: float
    c: float
    low: float = 1.0
    high: float = 289 / 9

    def __post_init__(self) -> None:
        positive(a=self.a, b=self.b)
        if not self.high > self.low:
            raise InputError(f"Parameter high has the value {self.high:g}; a number above {self.low:g} is expected.")

    def __call__(self, x: ArrayLike) -> Floats:
        """Return the loss at x."""
        x = np.asarray(x, dtype=float)
        return np.asarray(self.a / (x - self.low) + self.b / (self.high - x) + self.c)

    @property
    def minimum(self) -> float:
        """Where the loss is lowest; the place is not printed in the paper."""
        share = 1 / (1 + float(np.sqrt(self.b / self.a)))
        return self.low + share * (self.high - self.low)


@dataclass(frozen=True)
class PoleAndLine:
    r"""The loss :math:`L = a/(x - p) + b x + c` above a pole, Section 5.3.

    Parameters
    ----------
    a, b : float
        Strength of the pole, and slope far from it; positive.
    c : float
        Level.
    pole : float
        For the compute density M/N_a it is 6, which the work of the weights alone gives.

    Examples
    --------
    >>> loss = PoleAndLine(a=0.05, b=0.01, c=2.5)
    >>> round(loss.minimum, 2), [round(end, 2) for end in loss.band()]
    (8.24, [7.59, 9.14])
    """

    a: float
    b: float
    c: float
    pole: float = 6.0

    def __post_init__(self) -> None:
        positive(a=self.a, b=self.b)

    def __call__(self, x: ArrayLike) -> Floats:
        """Return the loss at x."""
        x = np.asarray(x, dtype=float)
        return np.asarray(self.a / (x - self.pole) + self.b * x + self.c)

    @property
    def minimum(self) -> float:
        """Where the loss is lowest, p + sqrt(a/b)."""
        return self.pole + float(np.sqrt(self.a / self.b))

    def band(self, share: float = 1e-3) -> tuple[float, float]:
        """Return the range in which the loss exceeds the lowest by at most a share of it."""
        lowest = 2 * float(np.sqrt(self.a * self.b))
        excess = float(positive(share=share)[0] * self(self.minimum))
        middle, half = lowest + excess, float(np.sqrt(excess * (2 * lowest + excess)))
        return self.pole + (middle - half) / (2 * self.b), self.pole + (middle + half) / (2 * self.b)
