r"""What Yun et al. (2024) state about optima, as conditions on the coefficients that they do not print.

A statement is predicted by given coefficients of Eq. 4 under a :class:`Convention`, and its residual is how far the
prediction lies from the printed value, in units of the rounding of its last digit or of a stated tolerance. Statements
on latency are not here. All ratios are free of the level of the loss: A, B, C and F times a constant predict the same.

============ ===========================================================================================
statement    condition
============ ===========================================================================================
R09.1        size of the loss-optimal dense model at 2.12e21 and 5.96e21 FLOP
R09.2, R09.3 size of 8 experts at the loss of that dense model, over the dense model and over the
             loss-optimal model of 4 experts, at both budgets
R05.2        size of 16 experts at the loss of the loss-optimal 4-expert model over their own optimum, at
             both budgets; that loss is what 16 % is meant to keep is a reading, not printed
R13          compute with which 4 experts reach the loss of 8 experts of 69.5 % of their size, 5.15e21 FLOP
R03          compute of 16 experts over that of 4 at equal loss, within the printed range at 5.15e21 FLOP
R03 growth   that ratio falls from 2.12e21 to 5.96e21 FLOP
R09 order    of 4, 8, 16, 32 experts each has fewer active parameters at the loss of the dense optimum
R16          of 1, 4, 8, 16, 32 experts each has a lower lowest loss, at both budgets
R17          the gain from 16 to 32 experts is less than that from 8 to 16, at both budgets
============ ===========================================================================================

The budget of R13 is that of the sentence before it. 69.5 % is the largest ratio of R12, which must be that of the
smallest number of experts above four.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from moelaws.checks import Floats
from moelaws.models.ratios import active_ratio, total_ratio
from moelaws.papers.yun2024.budget import flops_at_loss, loss_at, optimum, size_at_loss

Counted = Literal["dense", "active", "total"]
"""Which parameters count: those of the corresponding dense model, those that a token uses, or all."""

LOW, MIDDLE, HIGH = 2.12e21, 5.15e21, 5.96e21
"""Training budgets that the statements name, in FLOP."""

EXPERTS = np.array([1.0, 4.0, 8.0, 16.0, 32.0])
"""Experts in a routed layer of the paper's models."""


@dataclass(frozen=True)
class Convention:
    """What the paper leaves open: which parameters make training compute, and which are meant by size.

    Parameters
    ----------
    flops : {"dense", "active", "total"}
        Parameters n in the training compute 6 n D.
    size : {"dense", "active", "total"}
        Parameters in the ratios of sizes R09.2, R09.3 and R13.
    """

    flops: Counted = "active"
    size: Counted = "active"

    def __str__(self) -> str:
        return f"{self.flops}/{self.size}"


CONVENTIONS = tuple(
    Convention(flops, size) for flops in ("active", "dense", "total") for size in ("active", "dense", "total")
)


@dataclass(frozen=True)
class Statement:
    """One condition.

    Parameters
    ----------
    name : str
        Statement of ``yun2024/statements`` and what tells its conditions apart.
    low, high : float
        Printed value, twice, or printed range; for an order, zero and infinity.
    rounding : float
        Half a unit of the last printed digit.
    tolerance : float
        Half width that also allows for rounded budgets, interpolated curves and words such as "about": 2 % of a size,
        3 % of R09.2 and R09.3, 5 % of R05.2, 0.05 for R13 and 0.02 for R03.
    """

    name: str
    low: float
    high: float
    rounding: float
    tolerance: float


def _value(name: str, value: float, rounding: float, share: float) -> Statement:
    return Statement(name, value, value, rounding, share * value)


STATEMENTS = (
    _value("R09.1 low", 3.36e9, 0.005e9, 0.02),
    _value("R09.1 high", 6.14e9, 0.005e9, 0.02),
    _value("R09.2 low", 0.282, 0.0005, 0.03),
    _value("R09.2 high", 0.233, 0.0005, 0.03),
    _value("R09.3 low", 0.251, 0.0005, 0.03),
    _value("R09.3 high", 0.210, 0.0005, 0.03),
    _value("R05.2 low", 0.16, 0.005, 0.05),
    _value("R05.2 high", 0.16, 0.005, 0.05),
    Statement("R13", 1.521, 1.521, 0.0005, 0.05),
    Statement("R03", 0.237, 0.428, 0.0005, 0.02),
    Statement("R03 growth", 0.0, np.inf, 1e-3, 1e-3),
    Statement("R09 order", 0.0, np.inf, 1e-3, 1e-3),
    Statement("R16", 0.0, np.inf, 1e-3, 1e-3),
    Statement("R17", 0.0, np.inf, 1e-3, 1e-3),
)
"""Conditions, in the order of the columns of :func:`predict`."""


def ratio(counted: Counted, experts: Floats | float) -> Floats:
    """Return the parameters that count over those of the corresponding dense model."""
    if counted == "dense":
        return np.ones_like(np.asarray(experts, dtype=float))
    return active_ratio(experts) if counted == "active" else total_ratio(experts)


def predict(thetas: Floats, convention: Convention = Convention()) -> Floats:
    """Return what coefficients, shape (..., 10) and ordered as ``YUN2024.parameters``, predict for each statement.

    The values, shape (..., 14), have the order of `STATEMENTS`; for an order the value is the least margin, as a
    difference of logarithms. Where no model reaches a loss, it is infinite.
    """
    thetas = np.asarray(thetas, dtype=float)
    budgets = np.array([LOW, MIDDLE, HIGH])
    kappa, size = ratio(convention.flops, EXPERTS), ratio(convention.size, EXPERTS)
    grid = thetas[..., None, None, :]
    best, _ = optimum(grid, budgets[:, None], EXPERTS, kappa)  # sets, budgets, experts
    loss = loss_at(grid, best, budgets[:, None], EXPERTS, kappa)
    ends = budgets[[0, 2], None]
    as_dense = _or_infinite(size_at_loss(grid, loss[..., ::2, :1], ends, EXPERTS[1:], kappa[1:]))
    as_four = _or_infinite(size_at_loss(grid[..., 0, :], loss[..., ::2, 1], ends[:, 0], 16.0, kappa[3]))
    eight = loss_at(thetas, 0.695 * best[..., 1, 1] * size[1] / size[2], MIDDLE, 8.0, kappa[2])
    extra = flops_at_loss(thetas, eight, 4.0, kappa[1]) / MIDDLE
    sixteen = flops_at_loss(grid[..., 0, :], loss[..., 1], 16.0, kappa[3]) / budgets
    optimal = best[..., ::2, :]
    gains = -np.diff(np.log(loss), axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        order = -np.diff(np.log(as_dense * active_ratio(EXPERTS[1:])), axis=-1).max(axis=(-2, -1))
        growth = np.log(sixteen[..., 0] / sixteen[..., 2])
    columns = [
        *np.moveaxis(optimal[..., 0], -1, 0),
        *np.moveaxis(as_dense[..., 1] / optimal[..., 0] * size[2] / size[0], -1, 0),
        *np.moveaxis(as_dense[..., 1] / optimal[..., 1] * size[2] / size[1], -1, 0),
        *np.moveaxis(as_four / optimal[..., 3], -1, 0),
        extra,
        sixteen[..., 1],
        growth,
        order,
        gains.min(axis=(-2, -1)),
        (gains[..., 2] - gains[..., 3]).min(axis=-1),
    ]
    return np.stack(columns, axis=-1)


def _or_infinite(size: Floats) -> Floats:
    return np.where(np.isnan(size), np.inf, size)


def residuals(predicted: Floats, tolerant: bool = False) -> Floats:
    """Return how far predictions lie from what is printed, in units of rounding, or of the stated tolerances.

    They are signed; a statement holds up to an absolute value of one. In a range, and where an order holds, zero.

    Examples
    --------
    A size of 3.365 billion still rounds to the printed 3.36:

    >>> predicted = np.array([3.365e9, 6.14e9, 0.282, 0.233, 0.251, 0.21, 0.16, 0.16, 1.521, 0.3, 0.1, 0.1, 0.1, 0.1])
    >>> residuals(predicted).round(3)[:3].tolist()
    [1.0, 0.0, 0.0]
    """
    low, high = (np.array([getattr(one, end) for one in STATEMENTS]) for end in ("low", "high"))
    unit = np.array([one.tolerance if tolerant else one.rounding for one in STATEMENTS])
    values = np.where(np.isnan(predicted), -np.inf, predicted)
    with np.errstate(invalid="ignore"):  # an infinite margin is inside an infinite range
        return np.asarray(np.where(values > high, values - high, np.where(values < low, values - low, 0)) / unit)
