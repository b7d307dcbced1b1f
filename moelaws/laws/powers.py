"""Laws that are declared by the powers of their columns: sums of products of powers, and products of powers.

In both, a term is made of logarithms of columns and of their products, and one column may saturate
(:mod:`moelaws.laws.saturation`). That is all it takes for the derivatives and for the formula.
"""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import prod
from numbers import Real
from typing import Any

import numpy as np

from moelaws.checks import Columns, Floats
from moelaws.errors import InputError
from moelaws.laws.base import Law, Parameter
from moelaws.laws.saturation import Saturation, saturated, saturated_slopes

EXPONENTS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)
"""Starts of an exponent of which nothing is known."""

FLOOR = "irreducible loss"
"""Meaning of the constant term."""

Key = str | tuple[str, ...]
"""A column, or several whose logarithms are multiplied."""

Term = Mapping[Key, str]
"""Exponents of columns."""


def coefficient(name: str, meaning: str, unit: str = "nats/token") -> Parameter:
    """Return a linear coefficient that is not negative."""
    return Parameter(name, meaning, unit, low=0)


def exponent(name: str, meaning: str, grid: Sequence[float] = EXPONENTS, low: float = 0, high: float = 3) -> Parameter:
    """Return an exponent."""
    return Parameter(name, meaning, "1", low, high, tuple(grid))


class _OfLogarithms(Law):
    """What both kinds share: the declaration, logarithms of columns, and how they change with a saturation."""

    def __init__(
        self,
        name: str,
        terms: Mapping[str, Any],
        parameters: Sequence[Parameter] = (),
        saturation: Saturation | None = None,
        *,
        bases: Mapping[str, float] | None = None,
        columns: Sequence[str] = (),
        reference: str = "",
        response: str = "loss",
    ) -> None:
        self.name, self.response, self.reference, self.saturation = name, response, reference, saturation
        self.bases = dict(bases or {})
        if not _are_names(columns):
            raise InputError(f"Law '{name}': columns is {columns!r}; a tuple of names is expected.")
        defaults = {shape: exponent(shape, "exponent") for shape in self._exponents(terms)}
        keys = [column for term in terms.values() for key in term for column in _tuple(key)]
        self.columns = tuple(dict.fromkeys((*columns, *keys)))
        for column, base in self.bases.items():
            has_one = self.link == "log" and column in (*self.columns, response)
            if not (has_one and isinstance(base, Real) and 0 < base < np.inf and base != 1):
                raise InputError(
                    f"Law '{name}' has the base {base!r} for '{column}'; a positive number other than one is expected, "
                    "for a column or the response of a product of powers."
                )
        if saturation:
            if saturation.column not in keys:
                raise InputError(f"Law '{name}': column '{saturation.column}' saturates; one in a term is expected.")
            defaults |= {end: Parameter(end, "end", "1") for end in (saturation.start, saturation.end)}
        given = {parameter.name for parameter in parameters}
        others = (parameter for shape, parameter in defaults.items() if shape not in given)
        self._declare(terms, (*parameters, *others), defaults)
        formula = self._prepare(terms)
        self.formula = f"{formula}, {saturation.formula}" if saturation else formula

    @abstractmethod
    def _exponents(self, terms: Mapping[str, Any]) -> Iterable[str]:
        """Return the shape parameters that the terms name, or refuse a term."""

    @abstractmethod
    def _prepare(self, terms: Mapping[str, Any]) -> str:
        """Keep the terms as they are computed with, and return the formula."""

    def _logs(self, shape: Floats, table: Columns) -> dict[str, Floats]:
        logs = {}
        for column, values in self._read(table).items():
            if self.saturation and column == self.saturation.column:
                values = saturated(values + self.saturation.shift, *self._ends(shape))
            logs[column] = np.log(values)
            if column in self.bases:
                logs[column] = logs[column] / np.log(self.bases[column])
        return logs

    def _ends(self, shape: Floats) -> list[Floats]:
        assert self.saturation
        return [shape[..., self._place(name), None] for name in (self.saturation.start, self.saturation.end)]

    def _by_ends(self, shape: Floats, table: Columns) -> Iterator[tuple[int, Floats]]:
        """Yield the places of the two ends, with the derivative of the saturated column's logarithm."""
        if self.saturation:
            values = self._read(table)[self.saturation.column] + self.saturation.shift
            slopes = saturated_slopes(values, *self._ends(shape))
            for name, slope in zip((self.saturation.start, self.saturation.end), slopes, strict=True):
                yield self._place(name), slope / np.log(self.bases.get(self.saturation.column, np.e))

    def _product(self, logs: Mapping[str, Floats], key: Key) -> Floats:
        columns = _tuple(key)
        return prod((logs[column] for column in columns[1:]), start=logs[columns[0]]) if columns else np.ones(1)

    def _others(self, logs: Mapping[str, Floats], key: Key) -> Floats | None:
        """Return the derivative of the product by the saturated column's logarithm, or nothing if that is not in it."""
        columns = list(_tuple(key))
        if not self.saturation or not (count := columns.count(self.saturation.column)):
            return None
        columns.remove(self.saturation.column)
        return count * self._product(logs, tuple(columns))

    def _shown(self, column: str) -> str:
        return f"{column}_hat" if self.saturation and column == self.saturation.column else column


class PowerSum(_OfLogarithms):
    r"""A sum of products of powers of columns, each with a coefficient.

    Parameters
    ----------
    terms : dict of dict of str
        For each coefficient, the exponent of each column: the name of a parameter, with one minus sign or without.
        An exponent that is known is a parameter that the fit holds, ``hold={"alpha": 0.5}``.
        The exponent of a tuple of columns is that of the first times the logarithms of the others,
        :math:`N^{d \ln E}`. A term without columns is a constant.
    parameters : sequence of Parameter
        Those with a meaning, bounds or starts of their own. Other coefficients are not negative, and other exponents
        lie between zero and three.
    saturation : Saturation, optional
        The column that saturates.
    columns : sequence of str, optional
        Those that come first in the law's list; others follow as the terms name them.

    Examples
    --------
    A law of one's own that has nothing to declare but its terms, with coefficients of a refit of Chinchilla's:

    >>> mine = PowerSum("mine", {"E": {}, "A": {"n_active": "-alpha"}, "B": {"n_tokens": "-beta"}})
    >>> mine.formula
    'E + A * n_active**-alpha + B * n_tokens**-beta'
    >>> theta = mine.theta({"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658})
    >>> mine.predict(theta, {"n_active": [70e9], "n_tokens": [1.4e12]}).round(3).tolist()
    [1.974]
    """

    def _exponents(self, terms: Mapping[str, Term]) -> Iterable[str]:
        for name, term in terms.items():
            if not (isinstance(term, Mapping) and all(key and _are_names(_tuple(key)) for key in term)):
                raise InputError(
                    f"Law '{self.name}': term '{name}' is {term!r}; the exponents of columns are expected, such as "
                    "{'n_active': '-alpha'}."
                )
            for key, power in term.items():
                if not (isinstance(power, str) and power.removeprefix("-").isidentifier()):
                    raise InputError(
                        f"Law '{self.name}': the exponent of {key!r} in term '{name}' is {power!r}; the name of a "
                        "parameter is expected, with one minus sign or none (a fit fixes it: hold={'alpha': 0.5})."
                    )
                yield power.removeprefix("-")

    def _prepare(self, terms: Mapping[str, Term]) -> str:
        self.powers = [
            [
                (key, -1.0 if power.startswith("-") else 1.0, self._place(power.removeprefix("-")))
                for key, power in term.items()
            ]
            for term in terms.values()
        ]
        return " + ".join(
            " * ".join([name, *(self._power_shown(key, power) for key, power in term.items())])
            for name, term in terms.items()
        )

    def terms(self, shape: Floats, table: Columns) -> Floats:
        """Return the terms."""
        logs = self._logs(shape, table)
        terms = _rows_last(*shape.shape[:-1], next(iter(logs.values())).shape[-1], len(self.linear))
        for place, powers in enumerate(self.powers):
            if powers:
                parts = [sign * shape[..., m, None] * self._product(logs, key) for key, sign, m in powers]
                np.exp(sum(parts[1:], start=parts[0]), out=terms[..., place])
            else:
                terms[..., place] = 1
        return terms

    def slopes(self, shape: Floats, table: Columns) -> Floats:
        """Return the derivative of the terms, shape (..., rows, linear coefficients, shape parameters)."""
        terms = self.terms(shape, table)
        slopes = np.zeros((*terms.shape, len(self.shape)))
        for place, m, slope in self._log_slopes(shape, table):
            slopes[..., place, m] += slope * terms[..., place]
        return slopes

    def _by_shape(self, coefficients: Floats, shape: Floats, table: Columns, terms: Floats) -> Floats:
        by_shape = _rows_last(*terms.shape[:-1], len(self.shape))
        by_shape[...] = 0
        for place, m, slope in self._log_slopes(shape, table):
            by_shape[..., m] += slope * coefficients[..., place, None] * terms[..., place]
        return by_shape

    def _log_slopes(self, shape: Floats, table: Columns) -> Iterator[tuple[int, int, Floats]]:
        """Yield terms and shape parameters, by their places, with the derivative of the term's logarithm."""
        logs, ends = self._logs(shape, table), list(self._by_ends(shape, table))
        for place, powers in enumerate(self.powers):
            for key, sign, m in powers:
                yield place, m, sign * self._product(logs, key)
                others = self._others(logs, key)
                if others is not None:
                    for end, slope in ends:
                        yield place, end, sign * shape[..., m, None] * others * slope

    def _power_shown(self, key: Key, power: str) -> str:
        first, *rest = (self._shown(column) for column in _tuple(key))
        return f"{first}**({power}*{'*'.join(f'ln({column})' for column in rest)})" if rest else f"{first}**{power}"


class PowerProduct(_OfLogarithms):
    r"""A product of powers, whose exponents may change with the logarithms of other columns.

    The logarithm of the response is a sum of coefficients, each times the product of the logarithms of some columns.

    Parameters
    ----------
    terms : dict of tuple of str
        For each coefficient, the columns whose logarithms it multiplies; none for a constant.
    parameters, saturation, columns, reference, response
        As for :class:`PowerSum`; coefficients have no bounds.
    bases : dict of float
        Bases of the logarithms of columns and of the response, where they are not natural; positive, and not one.

    Examples
    --------
    >>> mine = PowerProduct("mine", {"k": (), "a": ("flops",)}, bases={"loss": 10, "flops": 10})
    >>> mine.formula, mine.predict(mine.theta({"k": 1.5, "a": -0.05}), {"flops": [1e20]}).round(3).tolist()
    ('10**(k + a*log10(flops))', [3.162])
    """

    link = "log"

    def _exponents(self, terms: Mapping[str, tuple[str, ...]]) -> Iterable[str]:
        for name, term in terms.items():
            if not _are_names(term):
                raise InputError(
                    f"Law '{self.name}': term '{name}' is {term!r}; a tuple of columns is expected, such as "
                    "('n_active',)."
                )
        return ()

    def _prepare(self, terms: Mapping[str, tuple[str, ...]]) -> str:
        self.keys, base = list(terms.values()), self.bases.get(self.response, np.e)
        self.factor = float(np.log(base))
        shown = " + ".join("*".join([name, *map(self._log_shown, key)]) for name, key in terms.items())
        return f"exp({shown})" if base == np.e else f"{base:g}**({shown})"

    def terms(self, shape: Floats, table: Columns) -> Floats:
        """Return the terms of the natural logarithm."""
        logs = self._logs(shape, table)
        terms = np.empty((*shape.shape[:-1], next(iter(logs.values())).shape[-1], len(self.linear)))
        for place, key in enumerate(self.keys):
            terms[..., place] = self.factor * self._product(logs, key)
        return terms

    def slopes(self, shape: Floats, table: Columns) -> Floats:
        """Return the derivative of the terms, shape (..., rows, linear coefficients, shape parameters)."""
        logs = self._logs(shape, table)
        slopes = np.zeros((*self.terms(shape, table).shape, len(self.shape)))
        for end, slope in self._by_ends(shape, table):
            for place, key in enumerate(self.keys):
                others = self._others(logs, key)
                if others is not None:
                    slopes[..., place, end] = self.factor * others * slope
        return slopes

    def _log_shown(self, column: str) -> str:
        base, column = self.bases.get(column, np.e), self._shown(column)
        return f"ln({column})" if base == np.e else f"log{base:g}({column})"


def _are_names(names: object) -> bool:
    return isinstance(names, tuple | list) and all(isinstance(name, str) for name in names)


def _tuple(key: Key) -> tuple[str, ...]:
    return (key,) if isinstance(key, str) else key


def _rows_last(*shape: int) -> Floats:
    """Return an array of this shape, whose rows, the axis before the last, come last in memory."""
    return np.swapaxes(np.empty((*shape[:-2], shape[-1], shape[-2])), -1, -2)
