"""A power law of one quantity, and what two of them say about each other.

The loss of a family of models, its best learning rate and its best size are often given as power
laws of training compute. Such laws can be inverted and put into one another without leaving the form.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from moelaws.checks import Floats, positive
from moelaws.errors import InputError


@dataclass(frozen=True)
class PowerLaw:
    r"""The law :math:`y = k\,x^p`.

    Parameters
    ----------
    coefficient : float
        k, the value at x = 1; positive.
    exponent : float
        p, also the slope on logarithmic axes.

    Examples
    --------
    Tian et al. (2025), Eq. 3: the best batch of a MoE in tokens; and the compute in FLOP for which
    4400 sequences of 4096 tokens are best:

    >>> batch = PowerLaw(0.0694, 0.3644)
    >>> f"{batch(3e20):.2e} {batch.inverse(4400 * 4096):.2e}"
    '2.01e+06 1.23e+23'
    """

    coefficient: float
    exponent: float

    def __post_init__(self) -> None:
        positive(coefficient=self.coefficient)

    def __call__(self, x: ArrayLike) -> Floats:
        """Return the law's value at x, which must be positive."""
        (x,) = positive(x=x)
        return np.asarray(self.coefficient * x**self.exponent)

    @property
    def inverse(self) -> "PowerLaw":
        """The law that gives x for y; refused for a constant."""
        if self.exponent == 0:
            raise InputError("Parameter exponent is zero; a constant has no inverse, so another number is expected.")
        return PowerLaw(self.coefficient ** (-1 / self.exponent), 1 / self.exponent)

    def of(self, inner: "PowerLaw") -> "PowerLaw":
        """Return this law of another law's value."""
        return PowerLaw(self.coefficient * inner.coefficient**self.exponent, self.exponent * inner.exponent)


def equivalent(reference: PowerLaw, other: PowerLaw) -> PowerLaw:
    """Return the compute at which the reference has the loss that another family has at a given compute.

    Examples
    --------
    >>> dense, moe = PowerLaw(50.3, -0.0663), PowerLaw(54.1, -0.0695)
    >>> same = equivalent(dense, moe)
    >>> bool(np.isclose(dense(same(1e20)), moe(1e20)))
    True
    """
    return reference.inverse.of(other)


def leverage(reference: PowerLaw, other: PowerLaw) -> PowerLaw:
    r"""Return the efficiency leverage of one family over another: compute ratio at equal loss.

    .. math:: EL(C) = \frac{1}{C} \left(\frac{\alpha}{\alpha'}\right)^{1/\beta} C^{\beta'/\beta}

    for losses :math:`\alpha C^{-\beta}` of the reference and :math:`\alpha' C^{-\beta'}` of the other, whose compute
    it is a function of. Definition: Tian et al. (2025), Eqs. 1 and 5; the closed form is not printed there.

    Examples
    --------
    With coefficients read off Figure 1a of Tian et al. (2025) leverage grows with the 0.048th power
    of compute:

    >>> round(leverage(PowerLaw(50.3, -0.0663), PowerLaw(54.1, -0.0695)).exponent, 3)
    0.048
    """
    same = equivalent(reference, other)
    return PowerLaw(same.coefficient, same.exponent - 1)
