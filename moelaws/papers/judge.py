"""A law of the loss as a judge of sizes: its best for a budget, what other choices cost by it, and serving.

Everything is in the account of :mod:`moelaws.papers.advice`: N are active parameters of the layers, C = 6 N D.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize

from moelaws.checks import Floats, positive
from moelaws.fitting.optimum import lowest
from moelaws.laws import LAWS
from moelaws.papers.yun2024.overtraining import crossing

SMALLEST = 1e4
"""Smallest size, and fewest tokens, that are tried."""


class Design(NamedTuple):
    """Experts as the law reads them, and granularity, 4 d_model / d_expert."""

    experts: float = 1.0
    granularity: float = 1.0


Read = Callable[[Floats, Floats, Design], Mapping[str, Floats]]
"""Active parameters, tokens and a design → the columns that a law reads, as its paper counts them."""


class Served(NamedTuple):
    """A model that is trained and serves: active parameters, training tokens, and FLOP of training and of serving."""

    n_active: float
    n_tokens: float
    training: float
    serving: float


@dataclass(frozen=True)
class Judge:
    """A law of the loss with its coefficients.

    Parameters
    ----------
    law : str
        Its name in :data:`moelaws.laws.LAWS`.
    values : dict
        Coefficients by name.
    read : callable
        See :data:`Read`.
    experts : tuple of float
        Experts to choose from: those of its paper's runs.
    granularity : callable, optional
        Budget → granularity, for a law that reads it.
    """

    law: str
    values: Mapping[str, float]
    read: Read
    experts: tuple[float, ...] = (1.0,)
    granularity: Callable[[float], float] | None = None

    @cached_property
    def _theta(self) -> Floats:
        return LAWS[self.law].theta(self.values)

    def loss(self, n_active: Any, n_tokens: Any, design: Design) -> Floats:
        """Return the loss of each model, nats per token of the law's own text."""
        n, d = np.broadcast_arrays(*positive(n_active=n_active, n_tokens=n_tokens))
        return LAWS[self.law].predict(self._theta, self.read(np.ravel(n), np.ravel(d), design))

    def best(self, flops: float, design: Design) -> tuple[float, float]:
        """Return the size of the lowest loss along a budget, and the loss."""
        log_n, loss = lowest(
            lambda log_n: self.loss(np.exp(log_n), flops / 6 / np.exp(log_n), design),
            np.log(SMALLEST),
            np.log(flops / 6 / SMALLEST),
        )
        return float(np.exp(log_n)), loss

    def design(self, flops: float) -> Design:
        """Return the design of lowest loss for a budget among those of the law's runs."""
        fine = self.granularity(flops) if self.granularity else 1.0
        return min((Design(count, fine) for count in self.experts), key=lambda design: self.best(flops, design)[1])

    def least(self, loss: float, below: float, design: Design) -> float:
        """Return the least budget that reaches a loss, which a budget `below` which it lies must reach."""

        def short(log_flops: float) -> float:
            return self.best(float(np.exp(log_flops)), design)[1] - loss

        end = np.log(below)
        if short(end) >= 0:  # the optimum itself, up to rounding
            return below
        return float(np.exp(optimize.brentq(short, end - np.log(1e6), end, xtol=1e-9)))

    def regret(self, n_active: float, n_tokens: float) -> float:
        """Return how much more compute a size and tokens cost than the least for their loss, as a share of it.

        The design is the one that the law prefers at their compute.

        Examples
        --------
        Half of the best size and twice the tokens, by Chinchilla's law as refitted:

        >>> from moelaws.papers.advice import ADVISERS
        >>> judge = ADVISERS["besiroglu2024"].judge
        >>> n, _ = judge.best(1e22, judge.design(1e22))
        >>> round(judge.regret(n / 2, 1e22 / 3 / n), 2)
        0.18
        """
        flops = 6 * n_active * n_tokens
        design = self.design(flops)
        loss = float(self.loss(n_active, n_tokens, design)[0])
        return max(flops / self.least(loss, flops, design) - 1, 0.0)

    def served(self, flops: float, tokens: float) -> Served:
        """Return the model with the loss of the budget's best that costs least when `tokens` are served.

        The cost is 6 N D + 2 N T: a served token is one forward pass, and its FLOP is as dear as one of training.

        Examples
        --------
        By Chinchilla's law as refitted, for 1e13 served tokens the best size of 1e22 FLOP falls to less than a third:

        >>> from moelaws.papers.advice import ADVISERS
        >>> judge = ADVISERS["besiroglu2024"].judge
        >>> answer = judge.served(1e22, 1e13)
        >>> round(answer.n_active / judge.best(1e22, judge.design(1e22))[0], 2)
        0.3
        """
        design = self.design(flops)
        most, loss = self.best(flops, design)

        def cost(log_n: Floats) -> Floats:
            n = np.exp(log_n)
            return np.nan_to_num(np.log(6 * n * self.tokens(n, loss, design) + 2 * n * tokens), nan=np.inf)

        n = np.exp(lowest(cost, np.log(most / 1e4), np.log(most))[0])
        d = self.tokens(np.array([n]), loss, design)[0]
        return Served(float(n), float(d), float(6 * n * d), float(2 * n * tokens))

    def tokens(self, n_active: Floats, loss: float, design: Design) -> Floats:
        """Return the training tokens with which sizes reach a loss; nan for sizes that never do."""
        return crossing(lambda d: loss - self.loss(n_active, d, design), np.ones_like(n_active), 1e60)

    def serves(self, n_active: float, n_tokens: float) -> float:
        """Return the tokens to be served for which a model is the cheapest of its loss; negative above the best size.

        Where 6 N D + 2 N T is least at a fixed loss, T = 3 D (r - 1), r being the elasticity of the loss in N over that
        in D.

        Examples
        --------
        >>> from moelaws.papers.advice import ADVISERS
        >>> judge = ADVISERS["besiroglu2024"].judge
        >>> answer = judge.served(1e22, 1e13)
        >>> f"{judge.serves(answer.n_active, answer.n_tokens):.3g}"
        '1e+13'
        """
        return float(self.worth(n_active, n_tokens, self.design(6 * n_active * n_tokens))[0])

    def worth(self, n_active: ArrayLike, n_tokens: ArrayLike, design: Design) -> Floats:
        """Return the same of models of one design."""
        n, d = (np.atleast_1d(np.asarray(value, dtype=float)) for value in (n_active, n_tokens))
        (more, fewer), (longer, shorter) = (
            (self.loss(n * up, d * on, design) for up, on in ends)
            for ends in (((1 + _STEP, 1), (1 - _STEP, 1)), ((1, 1 + _STEP), (1, 1 - _STEP)))
        )
        return 3 * d * ((more - fewer) / (longer - shorter) - 1)


_STEP = 1e-4
