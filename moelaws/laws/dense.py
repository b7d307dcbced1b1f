r"""The loss of a dense model after training: Hoffmann et al. (2022), "Chinchilla", and two simpler forms.

============== ============ ==================================================================
paper          here         meaning, unit and convention
============== ============ ==================================================================
:math:`N`      ``n_active`` parameters, as the table counts them
:math:`D`      ``n_tokens`` training tokens
:math:`E`      ``E``        loss that no model of this family gets below, nats per token
:math:`A`      ``A``        size term at one parameter, nats per token
:math:`B`      ``B``        data term at one token, nats per token
:math:`\alpha` ``alpha``    exponent of size
:math:`\beta`  ``beta``     exponent of data
============== ============ ==================================================================

References
----------
J. Hoffmann et al., arXiv:2203.15556 (2022), Eq. 2. Coefficients: there, Eq. 10, and the refit of
T. Besiroglu et al., arXiv:2404.10102 (2024).
"""

import numpy as np
from numpy.typing import ArrayLike

from moelaws.checks import Floats
from moelaws.laws.base import inverse_power
from moelaws.laws.powers import FLOOR, PowerSum, coefficient, exponent

HOFFMANN = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
"""Coefficients of Hoffmann et al. (2022) as their Eq. 10 prints them, with exponents of two digits.

These are the ones that chapter 00 marks. To compute with, take :data:`HOFFMANN_PRECISE`: on the digitised points, less
the five highest losses, the error of these is 0.053 nats and of the others 0.030.
"""

HOFFMANN_PRECISE = {"E": 1.6934, "A": 406.4, "B": 410.7, "alpha": 0.3392, "beta": 0.2849}
"""Approach 3 of Hoffmann et al. (2022) with exponents of four digits, as texts that cite it print it."""

BESIROGLU = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
"""Coefficients of the refit by Besiroglu et al. (2024)."""

_STARTS = np.linspace(0.05, 1.2, 24).tolist()
_SIZE = coefficient("A", "size term at one parameter")
_DATA = coefficient("B", "data term at one token")
_ALPHA = exponent("alpha", "exponent of size", _STARTS)
_BETA = exponent("beta", "exponent of data", _STARTS)


class Dense(PowerSum):
    r"""Loss of a dense model, :math:`L = E + A N^{-\alpha} + B D^{-\beta}`.

    Examples
    --------
    The published refit at 70 billion parameters and 1.4 trillion tokens, nats per token:

    >>> law = Dense()
    >>> round(float(law.predict(law.theta(BESIROGLU), {"n_active": [70e9], "n_tokens": [1.4e12]})[0]), 3)
    1.974
    """

    def __init__(self) -> None:
        super().__init__(
            "dense",
            {"E": {}, "A": {"n_active": "-alpha"}, "B": {"n_tokens": "-beta"}},
            [coefficient("E", FLOOR), _SIZE, _DATA, _ALPHA, _BETA],
            reference="Hoffmann et al., arXiv:2203.15556 (2022), Eq. 2",
        )

    def n_active(self, theta: Floats, loss: ArrayLike, n_tokens: ArrayLike) -> Floats:
        """Return the size of the model that reaches a loss with given tokens; infinity where none does.

        Leading axes of `theta`, shape (..., 5), are kept; losses and tokens are the last axis.
        """
        floor, size, data, alpha, beta = (theta[..., place, None] for place in range(5))
        by_data = data * np.asarray(n_tokens, dtype=float) ** -beta
        return inverse_power(size, np.asarray(loss, dtype=float) - floor - by_data, alpha)

    def cheapest(self, theta: Floats, loss: ArrayLike) -> tuple[Floats, Floats]:
        r"""Return size and tokens of the model that reaches a loss with the least compute, 6 N D.

        There both terms fall equally fast along a budget: the size term is :math:`\beta/(\alpha+\beta)` of the loss
        above the floor. Axes are those of :meth:`n_active`. A loss at or below the floor takes an infinite model.

        Examples
        --------
        >>> law = Dense()
        >>> n_active, n_tokens = law.cheapest(law.theta(BESIROGLU), [2.0])
        >>> f"{n_active[0]:.2e} {n_tokens[0]:.2e}"
        '4.69e+10 8.80e+11'
        """
        floor, size, data, alpha, beta = (theta[..., place, None] for place in range(5))
        excess = np.asarray(loss, dtype=float) - floor
        return (
            inverse_power(size, excess * beta / (alpha + beta), alpha),
            inverse_power(data, excess * alpha / (alpha + beta), beta),
        )


DENSE = Dense()
"""The law of Hoffmann et al. (2022)."""

DENSE_TIED = PowerSum(
    "dense_tied",
    {"E": {}, "A": {"n_active": "-alpha"}, "B": {"n_tokens": "-alpha"}},
    [coefficient("E", FLOOR), _SIZE, _DATA, exponent("alpha", "exponent of size and of data", _STARTS)],
    reference="ours: Hoffmann et al., arXiv:2203.15556 (2022), Eq. 2, with one exponent for both",
)
r"""The law with one exponent, :math:`L = E + A N^{-\alpha} + B D^{-\alpha}`: best size and tokens grow alike."""

DENSE_NO_FLOOR = PowerSum(
    "dense_no_floor",
    {"A": {"n_active": "-alpha"}, "B": {"n_tokens": "-beta"}},
    [_SIZE, _DATA, _ALPHA, _BETA],
    reference="ours: Hoffmann et al., arXiv:2203.15556 (2022), Eq. 2, without the irreducible loss",
)
r"""The law without a floor, :math:`L = A N^{-\alpha} + B D^{-\beta}`."""
