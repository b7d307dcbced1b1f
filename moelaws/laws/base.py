"""What a law declares, so that anything that fits, tests or plots laws can take any of them.

Every law here is *separable*: for given shape parameters (exponents, saturation points) it is a
sum of known terms, each with one linear coefficient. The sum is the predicted quantity, or its
natural logarithm.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from moelaws.checks import Columns, Floats


@dataclass(frozen=True)
class Parameter:
    """One parameter of a law.

    Parameters
    ----------
    name, meaning, unit : str
        Name, what it stands for, and its unit.
    low, high : float
        Bounds.
    screen : tuple of float
        Values from which the search for a shape parameter starts.
    rate : bool
        Whether the law holds its reciprocal, as it does for a bandwidth: time is bytes over
        bandwidth. A coefficient of zero is then an infinite rate.
    """

    name: str
    meaning: str
    unit: str
    low: float = -np.inf
    high: float = np.inf
    screen: tuple[float, ...] = ()
    rate: bool = False

    def value(self, coefficient: Floats | float) -> Floats:
        """Turn the law's coefficient into the parameter, or back."""
        coefficient = np.asarray(coefficient, dtype=float)
        if not self.rate:
            return coefficient
        with np.errstate(divide="ignore"):
            return np.reciprocal(coefficient)


class Law(ABC):
    """A separable law.

    Attributes
    ----------
    name : str
        Name in the registry ``moelaws.laws.LAWS``.
    link : {"identity", "log"}
        Whether the sum of terms is the response or its natural logarithm.
    linear, shape : tuple of Parameter
        Linear coefficients, one for each term, and shape parameters.
    columns : tuple of str
        Columns of a table that the law reads.
    response : str
        Column that it predicts.
    """

    name: str
    link: ClassVar[Literal["identity", "log"]] = "identity"
    linear: ClassVar[tuple[Parameter, ...]]
    shape: ClassVar[tuple[Parameter, ...]] = ()
    columns: ClassVar[tuple[str, ...]]
    response: ClassVar[str] = "loss"

    @abstractmethod
    def terms(self, shape: Floats, table: Columns) -> Floats:
        """Return each row's terms at coefficient one.

        Parameters
        ----------
        shape : numpy.ndarray, shape (..., shape parameters)
            Leading axes are kept, so that many shapes can be tried at once.
        table : mapping of columns
            Rows.

        Returns
        -------
        numpy.ndarray, shape (..., rows, linear coefficients)
        """

    def slopes(self, shape: Floats, table: Columns) -> Floats:
        """Return the derivative of the terms, shape (rows, linear coefficients, shape parameters)."""
        rows = self.terms(shape, table).shape[-2]
        return np.zeros((rows, len(self.linear), len(self.shape)))

    def observed(self, table: Columns) -> Floats:
        """Return the measured response of each row."""
        return np.asarray(table[self.response], dtype=float)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Linear coefficients, then shape parameters."""
        return self.linear + self.shape

    def predict(self, theta: Floats, table: Columns) -> Floats:
        """Return the law's value in each row, for coefficients in the order of `parameters`."""
        total = self.terms(theta[len(self.linear) :], table) @ theta[: len(self.linear)]
        return np.exp(total) if self.link == "log" else total

    def gradient(self, theta: Floats, table: Columns) -> Floats:
        """Return the derivative of the prediction, shape (rows, parameters)."""
        coefficients, shape = theta[: len(self.linear)], theta[len(self.linear) :]
        terms = self.terms(shape, table)
        by_shape = np.einsum("rkm,k->rm", self.slopes(shape, table), coefficients)
        gradient = np.concatenate([terms, by_shape], axis=1)
        return gradient * np.exp(terms @ coefficients)[:, None] if self.link == "log" else gradient

    def theta(self, values: Mapping[str, float]) -> Floats:
        """Return the coefficients for parameter values by name."""
        return np.array([float(parameter.value(values[parameter.name])) for parameter in self.parameters])


def inverse_power(size: Floats, excess: Floats, exponent: Floats) -> Floats:
    """Return x of size times x to the power of minus the exponent = excess; infinity where the excess is not positive.

    Examples
    --------
    >>> inverse_power(np.array(8.0), np.array([2.0, 0.0]), np.array(0.5))
    array([16., inf])
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(excess > 0, (size / excess) ** (1 / exponent), np.inf)
