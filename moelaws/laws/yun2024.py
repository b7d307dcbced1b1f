r"""The loss of a routed model by size, tokens and experts: Yun et al. (2024).

=============================== ============ ==================================================================
paper                           here         meaning, unit and convention
=============================== ============ ==================================================================
:math:`N`                       ``n_dense``  parameters of the dense model with the same layers and hidden
                                             size, without embeddings: neither active nor all parameters
:math:`D`                       ``n_tokens`` training tokens
:math:`E`                       ``n_routed`` experts in a routed layer, 1 for a dense model
:math:`\hat E`                  saturated    experts, bounded at both ends as by Clark et al. (2022)
:math:`A, B, C, F`              ``A`` …      coefficients, nats per token at one parameter, expert, token
:math:`\alpha, \beta, \gamma`   ``alpha`` …  exponents of size, experts and data
:math:`d`                       ``d``        interaction of size and experts, for natural logarithms
:math:`E_{start}, E_{max}`      ``E_start``… what one expert and infinitely many count as
:math:`K, a`                    ``top_k`` …  experts that a token uses, 2, and the share of N in the MLPs that
                                             experts replace, 1/3
:math:`C`                       ``flops``    training compute in FLOP, 6 κ N D; κ is :func:`active_ratio`
=============================== ============ ==================================================================

The paper prints none of the ten coefficients. The interaction has no power of Ê beside it, unlike that of
Clark et al. (2022): the law therefore depends on the unit of N, which is one parameter here.

References
----------
L. Yun et al., arXiv:2404.02852 (2024), Eq. 4 and Sections 2.1 and 4.2. The term of data and experts is
that of J. Ludziejewski et al., arXiv:2502.05172 (2025).
"""

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from moelaws.checks import Columns, Floats, positive
from moelaws.errors import InputError
from moelaws.laws.base import Law, Parameter
from moelaws.laws.clark2022 import saturated, saturated_slopes

MLP_SHARE = 1 / 3
"""Share of a model's parameters in the MLPs that experts replace: two thirds of every second layer."""


def active_ratio(experts: ArrayLike, top_k: int = 2, mlp_share: float = MLP_SHARE) -> Floats:
    """Return the parameters that a token uses over those of the dense model, K a + 1 - a (Section 2.1).

    Examples
    --------
    A model of eight experts uses a third more than the dense one:

    >>> active_ratio([1, 8]).round(4).tolist()
    [1.0, 1.3333]
    """
    experts = _experts(experts)
    return np.asarray(1 + (np.minimum(top_k, experts) - 1) * mlp_share)


def total_ratio(experts: ArrayLike, mlp_share: float = MLP_SHARE) -> Floats:
    """Return all parameters over those of the dense model, 1 + (E - 1)/3 (Section 4.2).

    Examples
    --------
    >>> total_ratio([1, 4, 8, 16, 32]).round(2).tolist()
    [1.0, 2.0, 3.33, 6.0, 11.33]
    """
    return np.asarray(1 + (_experts(experts) - 1) * mlp_share)


def _experts(experts: ArrayLike) -> Floats:
    counts = np.asarray(experts, dtype=float)
    if not np.all(counts >= 1):
        raise InputError(f"Parameter experts has the value {experts!r}; a number from 1 on is expected.")
    return counts


class Yun2024(Law):
    r"""Loss with four terms and an interaction of size and experts, Eq. 4.

    .. math:: L = N^{d \ln\hat E} \left(A N^{-\alpha} + B \hat E^{-\beta} + C D^{-\gamma} + F\right)

    Examples
    --------
    One expert counts as `E_start`. Without the interaction that is a constant, and the law is Chinchilla's:

    >>> law = Yun2024()
    >>> values = {"A": 482.01, "B": 0.0, "C": 2085.43, "F": 1.8172, "alpha": 0.3478, "gamma": 0.3658}
    >>> values |= {"beta": 1.0, "d": 0.0, "E_start": 2.0, "E_max": 300.0}
    >>> rows = {"n_dense": [70e9], "n_tokens": [1.4e12], "n_routed": [1]}
    >>> law.predict(law.theta(values), rows).round(3).tolist()
    [1.974]
    """

    name = "yun2024"
    columns = ("n_dense", "n_tokens", "n_routed")
    linear = (
        Parameter("A", "size term at one parameter", "nats/token", low=0),
        Parameter("B", "expert term at one expert", "nats/token", low=0),
        Parameter("C", "data term at one token", "nats/token", low=0),
        Parameter("F", "irreducible loss", "nats/token", low=0),
    )
    shape: ClassVar[tuple[Parameter, ...]] = (
        Parameter("alpha", "exponent of size", "1", low=0, high=3, screen=(0.1, 0.2, 0.3, 0.5)),
        Parameter("beta", "exponent of experts", "1", low=0, high=3, screen=(0.2, 0.6, 1.2)),
        Parameter("gamma", "exponent of data", "1", low=0, high=3, screen=(0.1, 0.2, 0.3, 0.5)),
        Parameter("d", "interaction of size and experts", "1", low=-0.2, high=0.2, screen=(-0.004, -0.001, 0.002)),
        Parameter("E_start", "what one expert counts as", "experts", low=1, high=64, screen=(1.5, 4.0, 9.0)),
        Parameter("E_max", "what infinitely many count as", "experts", low=65, high=1e6, screen=(100.0, 400.0)),
    )

    def terms(self, shape: Floats, table: Columns) -> Floats:
        """Return the four terms, each times N^(d ln Ê)."""
        log_n, log_d, experts = self._logs(table)
        log_e = np.log(saturated(experts, shape[..., 4:5], shape[..., 5:6]))
        alpha, beta, gamma, d = (shape[..., place, None] for place in range(4))
        powers = (-alpha * log_n, -beta * log_e, -(gamma + self._zeta(shape) * log_e) * log_d, np.zeros_like(log_e))
        return np.stack([np.exp(d * log_n * log_e + power) for power in powers], axis=-1)

    def slopes(self, shape: Floats, table: Columns) -> Floats:
        """Return the derivative of the terms with respect to the six shapes."""
        log_n, log_d, experts = self._logs(table)
        log_e = np.log(saturated(experts, shape[4], shape[5]))
        terms = self.terms(shape, table)
        slopes = np.zeros((*terms.shape, 6))
        slopes[:, 0, 0], slopes[:, 1, 1], slopes[:, 2, 2] = -log_n, -log_e, -log_d
        slopes[:, :, 3] = (log_n * log_e)[:, None]
        by_log_e = np.repeat(shape[3] * log_n[:, None], 4, axis=1)
        by_log_e[:, 1] -= shape[1]
        by_log_e[:, 2] -= self._zeta(shape) * log_d
        for column, by in enumerate(saturated_slopes(experts, shape[4], shape[5]), start=4):
            slopes[:, :, column] = by_log_e * by[:, None]
        return np.asarray(slopes * terms[..., None])

    def _zeta(self, shape: Floats) -> Floats:
        return np.zeros_like(shape[..., :1])

    def _logs(self, table: Columns) -> tuple[Floats, Floats, Floats]:
        n_dense, n_tokens, experts = (np.asarray(table[name], dtype=float) for name in self.columns)
        return np.log(n_dense), np.log(n_tokens), experts


class Yun2024Data(Yun2024):
    r"""The same law with the interaction of data and experts that the paper argues away.

    .. math:: L = N^{d \ln\hat E} \left(A N^{-\alpha} + B \hat E^{-\beta} + C D^{-(\gamma + \zeta \ln\hat E)} + F\right)

    With :math:`\zeta = 0` it is Eq. 4. A positive :math:`\zeta` says that more experts gain more from data; the
    form of this exponent is that of Ludziejewski et al. (2025).
    """

    name = "yun2024_data"
    shape: ClassVar[tuple[Parameter, ...]] = (
        *Yun2024.shape,
        Parameter("zeta", "interaction of data and experts", "1", low=-0.5, high=0.5, screen=(-0.01, 0.01, 0.03)),
    )

    def slopes(self, shape: Floats, table: Columns) -> Floats:
        """Return the derivative of the terms with respect to the seven shapes."""
        _, log_d, experts = self._logs(table)
        slopes = np.concatenate([super().slopes(shape, table), np.zeros((len(experts), 4, 1))], axis=-1)
        log_e = np.log(saturated(experts, shape[4], shape[5]))
        slopes[:, 2, 6] = -log_d * log_e * self.terms(shape, table)[:, 2]
        return slopes

    def _zeta(self, shape: Floats) -> Floats:
        return shape[..., 6:7]


def loss_at(theta: Floats, n_dense: ArrayLike, flops: ArrayLike, experts: ArrayLike, kappa: ArrayLike) -> Floats:
    """Return the loss of Eq. 4 for a size when a budget of 6 κ N D fixes the tokens.

    Parameters
    ----------
    theta : numpy.ndarray, shape (..., 10)
        Coefficients in the order of ``Yun2024().parameters``. Leading axes broadcast with the other arguments.
    n_dense, flops, experts, kappa : array_like
        Parameters of the dense model, training FLOP, experts, and the parameters that count in 6 N D over `n_dense`,
        :func:`active_ratio` as a rule.
    """
    path = _Path(theta, experts)
    return np.exp(path.log_loss(np.log(positive(n_dense=n_dense)[0]), _log_product(flops, kappa)))


def optimum(theta: Floats, flops: ArrayLike, experts: ArrayLike, kappa: ArrayLike) -> tuple[Floats, Floats]:
    r"""Return the size N and the tokens D of the lowest loss for a budget of 6 κ N D, Eqs. 2 and 4.

    Along a budget :math:`\ln L` is a line plus the logarithm of a sum of exponentials of :math:`\ln N`, hence
    convex. It has one minimum if :math:`-\gamma < d \ln\hat E < \alpha`, and none otherwise.

    Parameters
    ----------
    theta, flops, experts, kappa
        As for :func:`loss_at`.

    Returns
    -------
    n_dense, n_tokens : numpy.ndarray
        To 1e-12 in their logarithms.

    Raises
    ------
    InputError
        If an amount is not positive, or the loss has no minimum along a budget.

    Examples
    --------
    Chinchilla's coefficients, where eight experts shift size and tokens by the work of a token alone:

    >>> theta = np.array([482.01, 0.0, 2085.43, 1.8172, 0.3478, 1.0, 0.3658, 0.0, 2.0, 300.0])
    >>> n_dense, n_tokens = optimum(theta, 6e21, [1, 8], active_ratio([1, 8]))
    >>> (n_dense / 1e9).round(2).tolist(), (n_tokens / 1e9).round(1).tolist()
    ([6.96, 6.01], [143.7, 124.9])
    """
    path, log_product = _Path(theta, experts), _log_product(flops, kappa)
    log_n = path.best(log_product)
    return np.exp(log_n), np.exp(log_product - log_n)


def size_at_loss(theta: Floats, loss: ArrayLike, flops: ArrayLike, experts: ArrayLike, kappa: ArrayLike) -> Floats:
    """Return the size below the optimum that reaches a loss on a budget; nan where the budget is too small.

    It is the over-trained model of Algorithm 1.

    Parameters
    ----------
    loss : array_like
        Losses; broadcasts with the other arguments, which are those of :func:`loss_at`.
    theta, flops, experts, kappa
        As for :func:`loss_at`.

    Raises
    ------
    InputError
        As :func:`optimum`.
    """
    path, log_product = _Path(theta, experts), _log_product(flops, kappa)
    best = path.best(log_product)
    target = np.log(positive(loss=loss)[0])
    target = np.where(path.log_loss(best, log_product) <= target + _TIGHT, target, np.nan)
    # There the size term alone makes the loss: a start to the left, from which Newton's steps never pass the root.
    log_n = np.minimum((path.size - target) / path.falling, best)
    for _ in range(_STEPS):
        with np.errstate(divide="ignore", invalid="ignore"):
            step = (path.log_loss(log_n, log_product) - target) / path.slope(log_n, log_product)
        after = np.fmin(log_n - step, best)
        log_n, moved = after, np.abs(after - log_n)
        if not np.any(moved > _TIGHT):
            break
    return np.exp(np.where(np.isnan(target), np.nan, log_n))


def flops_at_loss(theta: Floats, loss: ArrayLike, experts: ArrayLike, kappa: ArrayLike) -> Floats:
    r"""Return the least training compute that reaches a loss; infinity where none does.

    Along the sizes that are best for their budget the loss is

    .. math:: L = N^{\delta} \left(\tfrac{\alpha+\gamma}{\gamma+\delta} A N^{-\alpha}
              + \tfrac{\gamma}{\gamma+\delta} (B \hat E^{-\beta} + F)\right), \quad \delta = d \ln\hat E

    Parameters
    ----------
    theta, experts, kappa
        As for :func:`loss_at`.
    loss : array_like
        Losses; broadcasts with the other arguments.

    Raises
    ------
    InputError
        As :func:`optimum`.

    Examples
    --------
    >>> theta = np.array([482.01, 0.0, 2085.43, 1.8172, 0.3478, 1.0, 0.3658, 0.0, 2.0, 300.0])
    >>> n_dense, _ = optimum(theta, 6e21, 1, 1)
    >>> f"{flops_at_loss(theta, loss_at(theta, n_dense, 6e21, 1, 1), 1, 1):.3e}"
    '6.000e+21'
    """
    path = _Path(theta, experts)
    target = np.log(positive(loss=loss)[0])
    # On the frontier the first-order condition gives the data term, so that the loss depends on size alone.
    joint = np.log(path.alpha + path.gamma) + path.size
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        rest = np.log(path.gamma) + path.rest
        last = np.where(path.tilt > 0, np.log(path.falling / path.tilt) + path.size - path.rest, np.inf) / path.alpha
        log_n = np.fmin((joint - np.log(path.rising) - target) / path.falling, last)
        for _ in range(_STEPS):
            total = np.logaddexp(joint - path.alpha * log_n, rest)
            slope = path.tilt - path.alpha * np.exp(joint - path.alpha * log_n - total)
            after = np.fmin(log_n - (path.tilt * log_n + total - np.log(path.rising) - target) / slope, last)
            log_n, moved = np.where(slope < 0, after, np.inf), np.abs(after - log_n)
            if not np.any(moved > _TIGHT):
                break
        size, rest = np.exp(path.size - path.alpha * log_n), np.exp(path.rest)
        data_term = (path.falling * size - path.tilt * rest) / path.rising
        log_product = log_n + (path.data - np.log(data_term)) / path.gamma
        reached = (data_term > 1e-14 * (size + rest)) & np.isfinite(log_n)
        return np.where(reached, 6 * np.asarray(kappa, dtype=float) * np.exp(log_product), np.inf)


_STEPS = 200
_TIGHT = 1e-13


def _log_product(flops: ArrayLike, kappa: ArrayLike) -> Floats:
    """Return the logarithm of size times tokens."""
    flops, kappa = positive(flops=flops, kappa=kappa)
    return np.log(flops / (6 * kappa))


class _Path:
    """Eq. 4 for given experts along a budget, where size times tokens is fixed; all in logarithms."""

    def __init__(self, theta: Floats, experts: ArrayLike) -> None:
        theta = np.asarray(theta, dtype=float)
        A, B, C, F, alpha, beta, gamma, d, start, end = (theta[..., place] for place in range(10))
        bounded = saturated(_experts(experts), start, end)
        self.alpha, self.gamma, self.tilt = alpha, gamma, np.asarray(d * np.log(bounded))
        self.falling, self.rising = np.asarray(alpha - self.tilt), np.asarray(gamma + self.tilt)
        if not np.all((A > 0) & (C > 0) & (self.falling > 0) & (self.rising > 0)):
            raise InputError(
                "The loss has no minimum along a budget; positive A and C are expected, "
                "and d times ln Ê between minus gamma and alpha."
            )
        with np.errstate(divide="ignore"):
            self.size, self.data = np.asarray(np.log(A)), np.asarray(np.log(C))
            self.rest = np.asarray(np.log(B * bounded**-beta + F))

    def log_sum(self, log_n: Floats, log_product: Floats) -> Floats:
        """Return the logarithm of the sum in brackets."""
        size, data = self.size - self.alpha * log_n, self.data - self.gamma * (log_product - log_n)
        return np.asarray(np.logaddexp(np.logaddexp(size, data), self.rest))

    def log_loss(self, log_n: Floats, log_product: Floats) -> Floats:
        return np.asarray(self.tilt * log_n + self.log_sum(log_n, log_product))

    def slope(self, log_n: Floats, log_product: Floats) -> Floats:
        """Return the derivative of the logarithm of the loss by that of size."""
        total = self.log_sum(log_n, log_product)
        size = np.exp(self.size - self.alpha * log_n - total)
        data = np.exp(self.data - self.gamma * (log_product - log_n) - total)
        return np.asarray(self.tilt - self.alpha * size + self.gamma * data)

    def best(self, log_product: Floats) -> Floats:
        """Return the logarithm of the size of lowest loss.

        What lowers the slope of the loss and what raises it are equal there. The difference of their logarithms is
        convex or concave, so that Newton's steps approach the root from one side.
        """
        down, up = np.log(self.falling) + self.size, np.log(self.rising) + self.data - self.gamma * log_product
        with np.errstate(divide="ignore"):
            rest = np.log(np.abs(self.tilt)) + self.rest
        rest_down, rest_up = np.where(self.tilt < 0, rest, -np.inf), np.where(self.tilt > 0, rest, -np.inf)
        log_n = np.asarray((down - up) / (self.alpha + self.gamma))
        for _ in range(_STEPS):
            one, other = down - self.alpha * log_n, up + self.gamma * log_n
            lower, higher = np.logaddexp(one, rest_down), np.logaddexp(other, rest_up)
            step = (lower - higher) / (self.alpha * np.exp(one - lower) + self.gamma * np.exp(other - higher))
            log_n = np.asarray(log_n + step)
            if np.all(np.abs(step) < _TIGHT):
                break
        return log_n
