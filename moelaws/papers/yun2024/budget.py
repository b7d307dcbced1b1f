r"""The law of Yun et al. (2024) along a budget: best size, over-trained size, and the compute that a loss takes.

All take coefficients in the order of ``LAWS["yun2024"].parameters``; N is the size of the dense model.

References
----------
L. Yun et al., arXiv:2404.02852 (2024), Eqs. 2 and 4, Algorithm 1.
"""

import numpy as np
from numpy.typing import ArrayLike

from moelaws.checks import Floats, positive
from moelaws.errors import InputError
from moelaws.laws.saturation import saturated
from moelaws.models.ratios import counts


def loss_at(theta: Floats, n_dense: ArrayLike, flops: ArrayLike, experts: ArrayLike, kappa: ArrayLike) -> Floats:
    """Return the loss of Eq. 4 for a size when a budget of 6 κ N D fixes the tokens.

    Parameters
    ----------
    theta : numpy.ndarray, shape (..., 10)
        Coefficients in the order of the law's ``parameters``. Leading axes broadcast with the other arguments.
    n_dense, flops, experts, kappa : array_like
        Parameters of the dense model, training FLOP, experts, and the parameters that count in 6 N D over `n_dense`,
        :func:`moelaws.models.ratios.active_ratio` as a rule.
    """
    path = _Path(theta, experts)
    return np.exp(path.log_loss(np.log(positive(n_dense=n_dense)[0]), _log_product(flops, kappa)))


def optimum(theta: Floats, flops: ArrayLike, experts: ArrayLike, kappa: ArrayLike) -> tuple[Floats, Floats]:
    r"""Return the size N and the tokens D of the lowest loss for a budget of 6 κ N D, Eqs. 2 and 4.

    Along a budget :math:`\ln L` is a line plus the logarithm of a sum of exponentials of :math:`\ln N`, hence
    convex. It has one minimum if :math:`-\gamma < d \ln\hat E < \alpha`, and none otherwise.

    Both are exact to 1e-12 in their logarithms.

    Examples
    --------
    Chinchilla's coefficients, where eight experts shift size and tokens by the work of a token alone:

    >>> from moelaws.models.ratios import active_ratio
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

    Losses broadcast with the other arguments, which are those of :func:`loss_at`.
    """
    path, log_product = _Path(theta, experts), _log_product(flops, kappa)
    best = path.best(log_product)
    target = np.log(positive(loss=loss)[0])
    target = np.where(path.log_loss(best, log_product) <= target + _TIGHT, target, np.nan)
    # There the size term alone makes the loss: a start to the left, from which Newton's steps never pass the root.
    log_n = np.minimum((path.size - target) / path.falling, best)
    for _ in range(_STEPS):
        with np.errstate(divide="ignore", invalid="ignore"):
            gap = path.log_loss(log_n, log_product) - target
            step = gap / path.slope(log_n, log_product)
        after = np.fmin(log_n - step, best)
        log_n, moved = after, np.abs(after - log_n)
        # Near the optimum the loss hardly depends on size, so that its last digit moves the size by more.
        if not np.any((moved > _TIGHT) & (np.abs(gap) > _ROUNDING)):
            break
    else:
        raise _unfinished()
    return np.exp(np.where(np.isnan(target), np.nan, log_n))


def flops_at_loss(theta: Floats, loss: ArrayLike, experts: ArrayLike, kappa: ArrayLike) -> Floats:
    r"""Return the least training compute that reaches a loss; infinity where none does.

    Along the sizes that are best for their budget the loss is

    .. math:: L = N^{\delta} \left(\tfrac{\alpha+\gamma}{\gamma+\delta} A N^{-\alpha}
              + \tfrac{\gamma}{\gamma+\delta} (B \hat E^{-\beta} + F)\right), \quad \delta = d \ln\hat E

    Losses broadcast with the other arguments.

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
            gap = path.tilt * log_n + total - np.log(path.rising) - target
            after = np.fmin(log_n - gap / slope, last)
            log_n, moved = np.where(slope < 0, after, np.inf), np.abs(after - log_n)
            # What the gap is the difference of has a last digit of its own, which can move the size by more.
            rounding = _EPSILON * (np.abs(joint) + np.abs(path.alpha * log_n) + np.abs(target))
            if not np.any((moved > _TIGHT) & (np.abs(gap) > rounding)):
                break
        else:
            raise _unfinished()
        size, rest = np.exp(path.size - path.alpha * log_n), np.exp(path.rest)
        data_term = (path.falling * size - path.tilt * rest) / path.rising
        log_product = log_n + (path.data - np.log(data_term)) / path.gamma
        reached = (data_term > 1e-14 * (size + rest)) & np.isfinite(log_n)
        return np.where(reached, 6 * np.asarray(kappa, dtype=float) * np.exp(log_product), np.inf)


_STEPS = 200
_TIGHT = 1e-13
_ROUNDING = 4e-15
_EPSILON = np.finfo(float).eps


def _unfinished() -> InputError:
    return InputError(f"Newton's method did not end in {_STEPS} steps; coefficients of a plausible law are expected.")


def _log_product(flops: ArrayLike, kappa: ArrayLike) -> Floats:
    """Return the logarithm of size times tokens."""
    flops, kappa = positive(flops=flops, kappa=kappa)
    return np.log(flops / (6 * kappa))


class _Path:
    """Eq. 4 for given experts along a budget, where size times tokens is fixed; all in logarithms."""

    def __init__(self, theta: Floats, experts: ArrayLike) -> None:
        theta = np.asarray(theta, dtype=float)
        A, B, C, F, alpha, beta, gamma, d, start, end = (theta[..., place] for place in range(10))
        bounded = saturated(counts(experts), start, end)
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
        else:
            raise _unfinished()
        return log_n
