"""A power law through a handful of values, with the interval in which the next one is expected."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from moelaws.checks import Floats, positive
from moelaws.errors import InputError
from moelaws.laws.power import PowerLaw


@dataclass(frozen=True, eq=False)
class Trend:
    r"""The law :math:`y = f + k x^p` through values, by least squares of :math:`\ln(y - f)`.

    There are at least three points with different x, and all values exceed the floor f.

    Examples
    --------
    Learning rates of Table 4 of Wan et al. (2026), and what follows at 1e21 FLOP:

    >>> flops = [1e18, 3e18, 1e19, 3e19, 1e20, 3e20]
    >>> rate = Trend(flops, [1.20e-3, 1.00e-3, 8.28e-4, 6.95e-4, 5.74e-4, 4.82e-4])
    >>> round(rate.law.exponent, 3), [f"{float(end):.2e}" for end in rate.interval(1e21)]
    (-0.159, ['3.94e-04', '4.01e-04'])
    """

    x: ArrayLike
    y: ArrayLike
    floor: float = 0.0

    def __post_init__(self) -> None:
        x, y = positive(x=self.x, y=self.y)
        if len(np.unique(x)) < 3 or x.shape != y.shape:
            raise InputError(
                "Parameter x has fewer than three different values or not one for each y; both are needed."
            )
        if np.any(y <= self.floor):
            raise InputError(f"Parameter y holds a value that is not above the floor, {self.floor:g}.")
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "y", y)

    @property
    def law(self) -> PowerLaw:
        """The power law above the floor."""
        slope, constant = np.polyfit(np.log(self.x), np.log(np.subtract(self.y, self.floor)), 1)
        return PowerLaw(float(np.exp(constant)), float(slope))

    def __call__(self, x: ArrayLike) -> Floats:
        """Return the law's value."""
        return np.asarray(self.floor + self.law(x))

    def exponent(self, level: float = 0.95) -> tuple[float, float]:
        """Return the interval of the exponent, for errors as in :meth:`interval`."""
        fitted = np.log(self.x)
        error = np.sqrt(self._variance / np.sum((fitted - fitted.mean()) ** 2))
        reach = float(stats.t.ppf((1 + level) / 2, len(fitted) - 2) * error)
        return self.law.exponent - reach, self.law.exponent + reach

    @property
    def _variance(self) -> float:
        left = np.log(np.subtract(self.y, self.floor)) - np.log(self.law(self.x))
        return float(np.sum(left**2) / (len(left) - 2))

    def interval(self, x: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
        """Return the range in which a further value is expected.

        Errors of the logarithms are taken as normal and independent. Whether the power law goes on, it does
        not say.
        """
        (x,) = positive(x=x)
        fitted = np.log(self.x)
        leverage = 1 / len(fitted) + (np.log(x) - fitted.mean()) ** 2 / np.sum((fitted - fitted.mean()) ** 2)
        reach = np.exp(stats.t.ppf((1 + level) / 2, len(fitted) - 2) * np.sqrt(self._variance * (1 + leverage)))
        return np.asarray(self.floor + self.law(x) / reach), np.asarray(self.floor + self.law(x) * reach)
