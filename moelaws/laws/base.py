"""What a law declares, so that anything that fits, tests or plots laws can take any of them.

Every law here is *separable*: for given shape parameters (exponents, saturation points) it is a sum of known
terms, each with one linear coefficient. The response is that sum, its exponential, or a power of it. A law
says no more than its terms: derivatives are derived.
"""

import inspect
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from moelaws.checks import Columns, Floats
from moelaws.errors import InputError


@dataclass(frozen=True)
class Parameter:
    """One parameter of a law.

    Parameters
    ----------
    name, meaning, unit : str
        Name, made of letters, digits and underscores; what it stands for, and its unit.
    low, high : float
        Bounds, of which the second is greater.
    grid : tuple of float
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
    grid: tuple[float, ...] = ()
    rate: bool = False

    def __post_init__(self) -> None:
        bounds, grid = np.asarray((self.low, self.high)), np.asarray(self.grid)
        if not (isinstance(self.name, str) and self.name.isidentifier()):
            raise InputError(f"Parameter name is {self.name!r}; letters, digits and underscores are expected.")
        if bounds.dtype.kind not in "iuf" or not self.low < self.high:
            raise InputError(
                f"Parameter '{self.name}' has the bounds {self.low!r} and {self.high!r}; a number and a greater one "
                "are expected."
            )
        numbers = grid.dtype.kind in "iuf" and grid.ndim == 1 and np.isfinite(grid).all()
        if not (numbers and isinstance(self.grid, tuple | list)):
            raise InputError(
                f"Parameter '{self.name}' has the grid {self.grid!r}; a tuple of finite numbers is expected."
            )

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
    formula, reference : str
        The law in the names of its columns and parameters, and where it stands: paper and equation.
    link : {"identity", "log", "power"}
        Whether the sum of terms is the response, its natural logarithm, or its root: the response is then the
        sum to the power of the shape parameter that `exponent` names.
    linear, shape : tuple of Parameter
        Linear coefficients, one for each term, and shape parameters.
    columns : tuple of str
        Columns of a table that the law reads.
    response : str
        Column that it predicts.
    """

    name: str
    formula: str = ""
    reference: str = ""
    link: Literal["identity", "log", "power"] = "identity"
    exponent: str = ""
    linear: tuple[Parameter, ...]
    shape: tuple[Parameter, ...] = ()
    columns: tuple[str, ...]
    response: str = "loss"

    @abstractmethod
    def terms(self, shape: Floats, table: Columns) -> Floats:
        """Return each row's terms at coefficient one, shape (..., rows, linear coefficients).

        `shape` has shape (..., shape parameters); leading axes are kept, so that many shapes can be tried at once.
        """

    def slopes(self, shape: Floats, table: Columns) -> Floats:
        """Return the derivative of the terms, shape (..., rows, linear coefficients, shape parameters)."""
        return _derivative(lambda shapes: self.terms(shapes, table), np.asarray(shape, dtype=float), self.shape)

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        # What is registered goes by its name, as terms may be lambdas, which cannot be pickled.
        from moelaws.laws import LAWS, find  # they are made of laws

        return (find, (self.name,)) if LAWS.get(self.name) is self else super().__reduce_ex__(protocol)

    def __repr__(self) -> str:
        return f"<{self.name}: {self.response} = {self.formula}>"

    @property
    def predicted(self) -> str:
        """Name of what is predicted: the response, or what a law makes of it in :meth:`observed`."""
        return self.response

    def observed(self, table: Columns) -> Floats:
        """Return the measured response of each row."""
        return np.asarray(table[self.response], dtype=float)

    def doubts(self, table: Columns) -> Iterable[str]:
        """Yield what makes rows doubtful that only this law can tell, one sentence each."""
        return ()

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Linear coefficients, then shape parameters."""
        return self.linear + self.shape

    def respond(self, total: Floats, shape: Floats) -> Floats:
        """Return the response for the sum of terms, shape (..., rows)."""
        if self.link == "power":
            return np.asarray(np.maximum(total, _LEAST) ** self._power(shape))
        return np.exp(total) if self.link == "log" else total

    def total(self, response: Floats, shape: Floats) -> Floats:
        """Return the sum of terms for a response, shape (..., rows)."""
        if self.link == "power":
            return np.asarray(response ** (1 / self._power(shape)))
        return np.log(response) if self.link == "log" else response

    def steepness(self, total: Floats, shape: Floats) -> Floats:
        """Return the derivative of the response with respect to the sum of terms, shape (..., rows)."""
        if self.link == "identity":
            return np.ones_like(total)
        response = self.respond(total, shape)
        return response if self.link == "log" else self._power(shape) * response / np.maximum(total, _LEAST)

    def predict(self, theta: Floats, table: Columns) -> Floats:
        """Return the law's value in each row, shape (..., rows), for coefficients in the order of `parameters`."""
        coefficients, shape = self._split(theta)
        return self.respond((self.terms(shape, table) @ coefficients[..., None])[..., 0], shape)

    def gradient(self, theta: Floats, table: Columns) -> Floats:
        """Return the derivative of the prediction, shape (..., rows, parameters)."""
        return self.expand(theta, table)[1]

    def expand(self, theta: Floats, table: Columns) -> tuple[Floats, Floats]:
        """Return the prediction, shape (..., rows), and its derivative, shape (..., rows, parameters)."""
        coefficients, shape = self._split(theta)
        terms = self.terms(shape, table)
        gradient = np.concatenate([terms, self._by_shape(coefficients, shape, table, terms)], axis=-1)
        total = (terms @ coefficients[..., None])[..., 0]
        response = self.respond(total, shape)
        if self.link != "identity":
            gradient *= self.steepness(total, shape)[..., None]
        if self.link == "power":
            by_power = response * np.log(np.maximum(total, _LEAST))
            gradient[..., len(self.linear) + self._place(self.exponent)] += by_power
        return response, gradient

    def theta(self, values: Mapping[str, float]) -> Floats:
        """Return the coefficients for parameter values by name."""
        return np.array([float(parameter.value(values[parameter.name])) for parameter in self.parameters])

    def _declare(self, linear: Collection[str], parameters: Iterable[Parameter], used: Collection[str]) -> None:
        """Keep the linear coefficients, in the order of their names, and the shape parameters, in that given.

        Coefficients that are not among the parameters have no bounds where the sum is a logarithm, and else are not
        negative. `used` are names that stand inside of terms, where no coefficient can.
        """
        known: dict[str, Parameter] = {}
        for parameter in parameters:
            name = parameter.name
            if name in known:
                raise InputError(f"Parameter '{name}' is declared twice in law '{self.name}'; once is expected.")
            if name not in linear and name not in used:
                raise InputError(f"Parameter '{name}' occurs in no term of the law.")
            if name not in linear and not parameter.grid:
                raise InputError(f"Parameter '{name}' is a shape without values in 'grid' to start from.")
            known[name] = parameter
        for name in linear:
            if name in used:
                raise InputError(
                    f"Parameter '{name}' is a coefficient of law '{self.name}', and is used inside of a term or as an "
                    "exponent; a shape parameter is expected there."
                )
            kind = ("1", -np.inf) if self.link == "log" else ("unit of the response", 0)
            known.setdefault(name, Parameter(name, "coefficient", *kind))
        if not self.columns:
            raise InputError(f"Law '{self.name}' reads no column; a term that reads one is expected.")
        for name in self.columns:
            if name == self.response or name in known:
                other = "its response" if name == self.response else "a parameter"
                raise InputError(f"Law '{self.name}' reads column '{name}', which is {other}; another one is expected.")
        self.linear = tuple(known[name] for name in linear)
        self.shape = tuple(parameter for name, parameter in known.items() if name not in linear)

    def _by_shape(self, coefficients: Floats, shape: Floats, table: Columns, terms: Floats) -> Floats:
        """Return the derivative of the sum of terms, shape (..., rows, shape parameters)."""
        return np.asarray(np.einsum("...rkm,...k->...rm", self.slopes(shape, table), coefficients))

    def _read(self, table: Columns) -> dict[str, Floats]:
        """Return the columns that the law reads; a single value stands for all rows."""
        columns = [np.asarray(table[name], dtype=float) for name in self.columns]
        if {column.shape for column in columns} != {(columns[0].size,)}:
            columns = list(np.broadcast_arrays(*(np.atleast_1d(column) for column in columns)))
        return dict(zip(self.columns, columns, strict=True))

    def _split(self, theta: Floats) -> tuple[Floats, Floats]:
        theta = np.asarray(theta, dtype=float)
        return theta[..., : len(self.linear)], theta[..., len(self.linear) :]

    def _place(self, name: str) -> int:
        return [parameter.name for parameter in self.shape].index(name)

    def _power(self, shape: Floats) -> Floats:
        return shape[..., self._place(self.exponent), None]


_LEAST = 1e-300
"""Stands for a sum of nothing, of which a power and a logarithm are taken."""


class Terms(Law):
    """A law whose terms are functions of columns and shape parameters, called by the names of their arguments.

    Parameters
    ----------
    terms : dict of callable
        For each linear coefficient its term. An argument that is no parameter is a column. Many starts are tried at
        once: columns come with shape (rows,) and shape parameters with shape (..., 1), whose leading axes are starts.
        So a term computes elementwise; an ``if``, or a mean over all of an array, would mix rows and starts.
    parameters : iterable of Parameter
        The shape parameters, and those of the coefficients that have a meaning or bounds of their own; others
        are not negative.
    exponent : str, optional
        The shape parameter to whose power the sum is raised.

    Examples
    --------
    A law of one's own, with a floor, and a size below which nothing is learnt:

    >>> mine = Terms(
    ...     "mine",
    ...     {"E": lambda: 1.0, "A": lambda n_active, alpha, least: (n_active / least - 1) ** -alpha},
    ...     [Parameter("alpha", "exponent of size", "1", 0, 3, grid=(0.1, 0.3, 0.6)),
    ...      Parameter("least", "size below which nothing is learnt", "parameters", 1, 1e6, grid=(1e3, 1e5))],
    ... )
    >>> mine.columns, mine.predict(mine.theta({"E": 1.5, "A": 2, "alpha": 0.5, "least": 1e5}), {"n_active": [5e5]})
    (('n_active',), array([2.5]))
    """

    def __init__(
        self,
        name: str,
        terms: Mapping[str, Callable[..., ArrayLike]],
        parameters: Iterable[Parameter] = (),
        *,
        exponent: str = "",
        formula: str = "",
        reference: str = "",
        response: str = "loss",
    ) -> None:
        self.name, self.response, self.formula, self.reference = name, response, formula, reference
        parameters = tuple(parameters)
        known = {*terms, *(parameter.name for parameter in parameters)}
        self.functions = [(term, self._arguments(coefficient, term)) for coefficient, term in terms.items()]
        used = dict.fromkeys(argument for _, names in self.functions for argument in names)
        self.columns = tuple(name for name in used if name not in known)
        self._declare(terms, parameters, {*used, exponent})
        if exponent and exponent not in known:
            raise InputError(f"Parameter exponent is '{exponent}'; the name of a declared parameter is expected.")
        if exponent:
            self.link, self.exponent = "power", exponent

    def terms(self, shape: Floats, table: Columns) -> Floats:
        """Return the terms."""
        given = self._read(table)
        rows = len(next(iter(given.values())))
        given |= {parameter.name: shape[..., place, None] for place, parameter in enumerate(self.shape)}
        terms = np.empty((*shape.shape[:-1], rows, len(self.linear)), dtype=shape.dtype)
        for place, (term, names) in enumerate(self.functions):
            value = np.asarray(term(*(given[name] for name in names)))
            try:
                np.copyto(terms[..., place], value)
            except (TypeError, ValueError):  # no real numbers, or not as many
                raise InputError(
                    f"Law '{self.name}': term '{self.linear[place].name}' gives {value.dtype} of shape {value.shape}; "
                    f"real numbers are expected, of shape {terms.shape[:-1]} or one that is broadcast to it."
                ) from None
        return terms

    def _arguments(self, coefficient: str, term: Callable[..., ArrayLike]) -> tuple[str, ...]:
        try:
            arguments = inspect.signature(term).parameters
            if all(argument.kind is argument.POSITIONAL_OR_KEYWORD for argument in arguments.values()):
                return tuple(arguments)
        except (TypeError, ValueError):  # not to be called, or not written in Python
            pass
        raise InputError(
            f"Law '{self.name}': term '{coefficient}' is {term!r}; a function written in Python is expected, such as "
            "lambda n_active, alpha: n_active**-alpha, whose arguments are all plain names."
        )


def _derivative(terms: Callable[[Floats], Floats], shape: Floats, parameters: tuple[Parameter, ...]) -> Floats:
    """Return the derivative of terms with respect to shape parameters, on a new last axis.

    It is that of the complex step, which is exact. Where it does not agree with a central difference, as for terms
    that drop the imaginary part, it is the difference, which is good to eight digits.
    """
    count = len(parameters)
    if not count:
        return np.zeros((*terms(shape).shape, 0))
    # The cube root of the rounding error balances it against the difference's own error.
    typical = [min((abs(value) for value in p.grid if value), default=1.0) for p in parameters]
    size = np.maximum(np.abs(shape), 0.1 * np.array(typical))
    unit = np.eye(count).reshape(count, *(1,) * (shape.ndim - 1), count)
    inside = [np.minimum(shape, [p.low for p in parameters]), np.maximum(shape, [p.high for p in parameters])]
    up, down = np.clip(shape + 6e-6 * unit * size, *inside), np.clip(shape - 6e-6 * unit * size, *inside)
    above, below = terms(up), terms(down)
    difference = (above - below) / (up - down).sum(axis=-1)[..., None, None]
    scale = np.moveaxis(size, -1, 0)[..., None, None]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            exact = np.imag(terms(shape + 1e-30j * unit * size)) / (1e-30 * scale)
    except (TypeError, np.exceptions.ComplexWarning):
        exact = np.full_like(difference, np.nan)
    noise = 1e-4 * np.abs(difference) + 1e-7 * (np.abs(above) + np.abs(below)) / scale
    wrong = (np.abs(exact - difference) > noise) | np.isnan(exact)
    return np.moveaxis(np.where(wrong, difference, exact), 0, -1)


def inverse_power(size: Floats, excess: Floats, exponent: Floats) -> Floats:
    """Return x of size times x to the power of minus the exponent = excess; infinity where the excess is not positive.

    Examples
    --------
    >>> inverse_power(np.array(8.0), np.array([2.0, 0.0]), np.array(0.5))
    array([16., inf])
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(excess > 0, (size / excess) ** (1 / exponent), np.inf)
