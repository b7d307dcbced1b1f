r"""Simple forms for the loss of a routed model as a function of size and number of experts.

None of them is a paper's headline law; they are what a paper's law has to beat. Symbols:
:math:`N` is ``n_active``, parameters that one token sees; :math:`E` is ``n_routed``, experts in a
routed layer, 1 for a dense model. Losses are in nats per token.

References
----------
The last form is that of arXiv:2507.21184, whose agent found it on the runs of Clark et al. (2022).
"""

import numpy as np

from moelaws.checks import Columns, Floats
from moelaws.laws.base import Law, Parameter
from moelaws.laws.clark2022 import Clark2022, saturated, saturated_slopes

_COLUMNS = ("n_active", "n_routed")
_EXPONENTS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6)
_FLOOR = Parameter("L0", "irreducible loss", "nats/token", low=0)
_SIZE = Parameter("A", "size term at one parameter", "nats/token", low=0)
_EXPERTS = Parameter("B", "expert term at one expert", "nats/token", low=0)
_BY_SIZE = Parameter("alpha", "exponent of size", "1", low=0, high=3, screen=_EXPONENTS)
_BY_EXPERTS = Parameter("beta", "exponent of experts", "1", low=0, high=3, screen=_EXPONENTS)


def _logs(table: Columns) -> tuple[Floats, Floats]:
    return np.log(np.asarray(table["n_active"], dtype=float)), np.log(np.asarray(table["n_routed"], dtype=float))


class Bilinear(Law):
    r"""Loss without saturation, :math:`\ln L = a \ln N + b \ln E + c \ln N \ln E + d`."""

    name = "bilinear"
    link = "log"
    columns = _COLUMNS
    linear = (
        Parameter("a", "exponent of size", "1"),
        Parameter("b", "exponent of experts at one parameter", "1"),
        Parameter("c", "interaction of size and experts", "1"),
        Parameter("d", "logarithm of the loss at one parameter and one expert", "1"),
    )

    def terms(self, shape: Floats, table: Columns) -> Floats:
        """Return ln N, ln E, their product and 1."""
        log_n, log_e = _logs(table)
        terms = np.stack([log_n, log_e, log_n * log_e, np.ones_like(log_n)], axis=-1)
        return np.broadcast_to(terms, (*shape.shape[:-1], *terms.shape))


class PowerProduct(Law):
    r"""Loss without a floor, :math:`\ln L = \ln A - \alpha \ln N - \beta \ln E`."""

    name = "power_product"
    link = "log"
    columns = _COLUMNS
    linear = (
        Parameter("a", "exponent of size", "1"),
        Parameter("b", "exponent of experts", "1"),
        Parameter("d", "logarithm of the loss at one parameter and one expert", "1"),
    )

    def terms(self, shape: Floats, table: Columns) -> Floats:
        """Return ln N, ln E and 1."""
        log_n, log_e = _logs(table)
        terms = np.stack([log_n, log_e, np.ones_like(log_n)], axis=-1)
        return np.broadcast_to(terms, (*shape.shape[:-1], *terms.shape))


class FloorSum(Law):
    r"""Loss with a floor and separate terms, :math:`L = L_0 + A N^{-\alpha} + B E^{-\beta}`."""

    name = "floor_sum"
    columns = _COLUMNS
    linear = (_FLOOR, _SIZE, _EXPERTS)
    shape = (_BY_SIZE, _BY_EXPERTS)

    def terms(self, shape: Floats, table: Columns) -> Floats:
        """Return 1, N^-alpha and E^-beta."""
        log_n, log_e = _logs(table)
        size, experts = np.exp(-shape[..., :1] * log_n), np.exp(-shape[..., 1:2] * log_e)
        return np.stack([np.ones_like(size), size, experts], axis=-1)

    def slopes(self, shape: Floats, table: Columns) -> Floats:
        """Return the derivative of the terms with respect to the exponents."""
        log_n, log_e = _logs(table)
        terms = self.terms(shape, table)
        slopes = np.zeros((*terms.shape, 2))
        slopes[:, 1, 0], slopes[:, 2, 1] = -log_n * terms[:, 1], -log_e * terms[:, 2]
        return slopes


class FloorProduct(Law):
    r"""Loss with a floor and one joint term, :math:`L = L_0 + A N^{-\alpha} E^{-\beta}`."""

    name = "floor_product"
    columns = _COLUMNS
    linear = (_FLOOR, _SIZE)
    shape = (_BY_SIZE, _BY_EXPERTS)

    def terms(self, shape: Floats, table: Columns) -> Floats:
        """Return 1 and N^-alpha E^-beta."""
        log_n, log_e = _logs(table)
        joint = np.exp(-shape[..., :1] * log_n - shape[..., 1:2] * log_e)
        return np.stack([np.ones_like(joint), joint], axis=-1)

    def slopes(self, shape: Floats, table: Columns) -> Floats:
        """Return the derivative of the terms with respect to the exponents."""
        joint = self.terms(shape, table)[:, 1]
        slopes = np.zeros((len(joint), 2, 2))
        for column, log in enumerate(_logs(table)):
            slopes[:, 1, column] = -log * joint
        return slopes


class FloorSaturated(Law):
    r"""Loss with a floor and saturating experts, :math:`L = L_0 + A N^{-\alpha} \hat E^{-\beta}`.

    :math:`\hat E` is that of :func:`moelaws.laws.clark2022.saturated`.
    """

    name = "floor_saturated"
    columns = _COLUMNS
    linear = (_FLOOR, _SIZE)
    shape = (_BY_SIZE, _BY_EXPERTS, *Clark2022.shape)

    def terms(self, shape: Floats, table: Columns) -> Floats:
        """Return 1 and N^-alpha Ê^-beta."""
        log_n, _ = _logs(table)
        bounded = saturated(np.asarray(table["n_routed"], dtype=float), shape[..., 2:3], shape[..., 3:4])
        joint = np.exp(-shape[..., :1] * log_n - shape[..., 1:2] * np.log(bounded))
        return np.stack([np.ones_like(joint), joint], axis=-1)

    def slopes(self, shape: Floats, table: Columns) -> Floats:
        """Return the derivative of the terms with respect to exponents, E_start and E_max."""
        joint = self.terms(shape, table)[:, 1]
        log_n, _ = _logs(table)
        experts = np.asarray(table["n_routed"], dtype=float)
        by_start, by_end = saturated_slopes(experts, shape[2], shape[3])
        slopes = np.zeros((len(joint), 2, 4))
        slopes[:, 1, 0] = -log_n * joint
        slopes[:, 1, 1] = -np.log(saturated(experts, shape[2], shape[3])) * joint
        slopes[:, 1, 2], slopes[:, 1, 3] = -shape[1] * by_start * joint, -shape[1] * by_end * joint
        return slopes


class FloorRational(Law):
    r"""Loss with a floor over a sum, :math:`L = L_0 + A / (N^{\alpha} + g E^{\beta} / (1 + E/E_0))`.

    The form that an agent found for these runs (arXiv:2507.21184).
    """

    name = "floor_rational"
    columns = _COLUMNS
    linear = (_FLOOR, _SIZE)
    shape = (
        _BY_SIZE,
        Parameter("beta", "exponent of experts", "1", low=0, high=3, screen=(0.2, 0.5, 0.8, 1.0)),
        Parameter("g", "weight of experts", "1", low=0, high=1e4, screen=(0.1, 1.0, 10.0)),
        Parameter("E0", "experts at which they saturate", "experts", low=1, high=1e5, screen=(10.0, 100.0, 1000.0)),
    )

    def terms(self, shape: Floats, table: Columns) -> Floats:
        """Return 1 and the inverse of the sum."""
        size, experts, _ = self._parts(shape, table)
        return np.stack([np.ones_like(size), 1 / (size + shape[..., 2:3] * experts)], axis=-1)

    def slopes(self, shape: Floats, table: Columns) -> Floats:
        """Return the derivative of the terms with respect to the shape parameters."""
        log_n, log_e = _logs(table)
        size, experts, count = self._parts(shape, table)
        weighted = shape[2] * experts
        inverse = -1 / (size + weighted) ** 2
        by = (size * log_n, weighted * log_e, experts, weighted * count / shape[3] / (shape[3] + count))
        slopes = np.zeros((len(log_n), 2, 4))
        for column, part in enumerate(by):
            slopes[:, 1, column] = inverse * part
        return slopes

    def _parts(self, shape: Floats, table: Columns) -> tuple[Floats, Floats, Floats]:
        log_n, log_e = _logs(table)
        size, count = np.exp(shape[..., :1] * log_n), np.exp(log_e)
        experts = np.exp(shape[..., 1:2] * log_e) / (1 + count / shape[..., 3:4])
        return size, experts, count
