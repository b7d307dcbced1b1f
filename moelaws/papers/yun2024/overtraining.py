"""Over-training: smaller models with more tokens, for cheaper inference (Yun et al. 2024, Algorithms 1 and 2).

A training budget ties the tokens to the size. Below the size of the lowest loss, the loss falls and
the cost of inference rises with the size. Two questions follow, each with one answer on that branch:
which model with more experts reaches the loss of a loss-optimal base model at the least cost, and
which has the least loss at the base model's cost. The questions know no formula; any law and any
cost can be asked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from moelaws.checks import Floats, positive
from moelaws.models.ratios import active_ratio
from moelaws.papers.yun2024 import budget as eq4

OfSize: TypeAlias = Callable[[Floats, float], Floats]
"""A quantity of a size and a number of experts; it broadcasts over sizes."""

SMALLEST = 1e-6
"""Smallest size that is searched, over that of the lowest loss."""

_HALVINGS = 50


@dataclass(frozen=True)
class Budget:
    """What a training budget buys, and what serving it costs.

    Parameters
    ----------
    optimum : callable
        Number of experts → size of the lowest loss, parameters. Its shape (coefficient sets, budgets, …)
        is that of all answers.
    tokens : callable
        Size and number of experts → training tokens that the budget pays for.
    loss : callable
        Size and number of experts → loss at these tokens.
    cost : callable
        Size and number of experts → cost of a generated token, in any unit. It rises with the size, and
        is nan or infinite for a size that cannot be served.
    """

    optimum: Callable[[float], Floats]
    tokens: OfSize
    loss: OfSize
    cost: OfSize

    def model(self, n_dense: Floats, n_routed: float) -> "Model":
        """Return models of the budget; all quantities of a size that is nan are nan."""
        known = ~np.isnan(n_dense)
        size = np.where(known, n_dense, self.optimum(n_routed))
        tokens, loss, cost = (quantity(size, n_routed) for quantity in (self.tokens, self.loss, self.cost))
        return Model(n_routed, n_dense, *(np.where(known, values, np.nan) for values in (tokens, loss, cost)))

    def best(self, n_routed: float) -> "Model":
        """Return the model of the lowest loss."""
        return self.model(self.optimum(n_routed), n_routed)


@dataclass(frozen=True)
class Model:
    """A model that a budget buys; its cost is that of a generated token."""

    n_routed: float
    n_dense: Floats
    n_tokens: Floats
    loss: Floats
    cost: Floats

    @property
    def tokens_per_parameter(self) -> Floats:
        """Training tokens for each parameter of the dense model."""
        return self.n_tokens / self.n_dense


@dataclass(frozen=True)
class OverTrained:
    """An answer, beside the models that it is measured by.

    Parameters
    ----------
    chosen : Model
        The model; nan where there is none.
    optimum : Model
        The same number of experts at the lowest loss.
    base : Model
        The base model at its lowest loss.
    """

    chosen: Model
    optimum: Model
    base: Model

    @property
    def to_optimum(self) -> Floats:
        """Size over that of the lowest loss."""
        return self.chosen.n_dense / self.optimum.n_dense

    @property
    def to_base(self) -> Floats:
        """Size over that of the base model."""
        return self.chosen.n_dense / self.base.n_dense

    @property
    def cost_ratio(self) -> Floats:
        """Cost over that of the base model."""
        return self.chosen.cost / self.base.cost


def budget(theta: Floats, flops: ArrayLike, cost: OfSize, counted: Callable[[float], Floats] = active_ratio) -> Budget:
    """Return a budget under the law of Yun et al. (2024), with 6 FLOP for each parameter that counts and each token.

    The compute broadcasts with the leading axes of `theta`, whose last has the order of ``YUN2024.parameters``.
    `counted` says how many parameters count over those of the dense model; the active ones, unless said.
    """
    (flops,) = positive(flops=flops)

    def tokens(n_dense: Floats, n_routed: float) -> Floats:
        return np.asarray(flops / (6 * counted(n_routed) * n_dense))

    def loss(n_dense: Floats, n_routed: float) -> Floats:
        return eq4.loss_at(theta, n_dense, flops, n_routed, counted(n_routed))

    def optimum(n_routed: float) -> Floats:
        return eq4.optimum(theta, flops, n_routed, counted(n_routed))[0]

    return Budget(optimum, tokens, loss, cost)


def crossing(function: Callable[[Floats], Floats], low: ArrayLike, high: ArrayLike) -> Floats:
    """Return where rising functions cross zero, by bisection on a logarithmic axis.

    There is one function for each element; nan counts as above zero. The crossing is right to 1e-14 of its logarithm
    for ends a factor of a million apart, and nan where there is none between the ends.

    Examples
    --------
    >>> crossing(lambda x: x**2 - np.array([4.0, 100.0]), 1.0, 5.0).round(6).tolist()
    [2.0, nan]
    """
    low, high = (np.asarray(end, dtype=float) for end in (low, high))
    found = (function(low) <= 0) & ~(function(high) < 0)
    bottom, top = np.broadcast_arrays(np.log(low), np.log(high), found)[:2]
    for _ in range(_HALVINGS):
        middle = (bottom + top) / 2
        below = function(np.exp(middle)) < 0
        bottom, top = np.where(below, middle, bottom), np.where(below, top, middle)
    return np.where(found, np.exp((bottom + top) / 2), np.nan)


def cheapest_at_loss(budget: Budget, base: float, target: float) -> OverTrained:
    """Return the cheapest model whose loss is that of a loss-optimal base model: Algorithm 1.

    `base` and `target` are experts; the answer is nan where the target cannot reach the loss.
    """
    reference, own = budget.best(base), budget.best(target)
    size = crossing(lambda n_dense: reference.loss - budget.loss(n_dense, target), SMALLEST * own.n_dense, own.n_dense)
    # At its own optimum a loss is flat, and equal losses may differ by a rounding.
    same = np.isclose(own.loss, reference.loss, rtol=1e-12, atol=0)
    return OverTrained(budget.model(np.where(same, own.n_dense, size), target), own, reference)


def lowest_loss_at_cost(budget: Budget, base: float, target: float) -> OverTrained:
    """Return the model of the lowest loss that costs no more than a loss-optimal base model: Algorithm 2.

    Where the target's own optimum costs less than the base, the bound does not bind and the optimum is the answer;
    :func:`size_at_cost` gives the size of equal cost there, too, which the paper's bisection looks for. The answer is
    nan where no size has the cost.
    """
    reference, own = budget.best(base), budget.best(target)
    low = SMALLEST * own.n_dense
    size = crossing(lambda n_dense: budget.cost(n_dense, target) - reference.cost, low, own.n_dense)
    size = np.where(own.cost <= reference.cost, own.n_dense, size)
    return OverTrained(budget.model(size, target), own, reference)


def size_at_cost(cost: OfSize, bound: ArrayLike, n_routed: float, low: float = 1e5, high: float = 1e13) -> Floats:
    """Return the largest size that can be served at a cost; nan where it does not lie between `low` and `high`.

    Examples
    --------
    >>> from moelaws.serving.steps import load_device
    >>> from moelaws.papers.yun2024.cost import Footprint, cheapest
    >>> device = load_device("A100-40G-SXM")
    >>> cost = lambda n_dense, n_routed: cheapest(Footprint.of_size(n_dense, n_routed), device).gpu_seconds
    >>> sizes = [float(size_at_cost(cost, cost(3.36e9, 1), n)) for n in (1, 8)]
    >>> [f"{size:.3g}" for size in sizes]
    ['3.36e+09', '2.8e+09']
    """
    (bound,) = positive(bound=bound)
    return crossing(lambda n_dense: cost(n_dense, n_routed) - bound, low, high)
