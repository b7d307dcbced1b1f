r"""Loss of the best model of a family as a function of training compute, with a floor.

============== ========= ====================================================================
symbol         here      meaning, unit and convention
============== ========= ====================================================================
:math:`C`      ``flops`` training compute, FLOP; what it counts, the table says
:math:`E`      ``E``     loss that no compute gets below, in the unit of the loss
:math:`A`      ``A``     compute term at one FLOP, in the unit of the loss
:math:`\alpha` ``alpha`` exponent of compute
============== ========= ====================================================================

The form follows from a sum of power laws of size and data, where both are chosen best for each
compute: both terms then fall with the same power. With E = 0 it is a plain power law.
"""

import numpy as np
from numpy.typing import ArrayLike

from moelaws.checks import Floats
from moelaws.laws.base import inverse_power
from moelaws.laws.powers import FLOOR, PowerSum, coefficient, exponent


class Frontier(PowerSum):
    r"""Loss of the best model for a compute, :math:`L = E + A\,C^{-\alpha}`.

    Examples
    --------
    The law that the Marin project prints for the loss of its mixture-of-experts models, at 1e21 FLOP,
    and the compute at which it gives that loss:

    >>> law = Frontier()
    >>> theta = law.theta({"E": 1.6, "A": 95.18, "alpha": 0.0941})
    >>> loss = law.predict(theta, {"flops": [1e21]})
    >>> round(float(loss[0]), 3), f"{law.flops(theta, loss)[0]:.3g}"
    (2.606, '1e+21')
    """

    def __init__(self) -> None:
        super().__init__(
            "frontier",
            {"E": {}, "A": {"flops": "-alpha"}},
            [
                coefficient("E", FLOOR, "unit of the loss"),
                coefficient("A", "compute term at one FLOP", "unit of the loss"),
                exponent("alpha", "exponent of compute", np.linspace(0.01, 0.4, 40).tolist(), high=1),
            ],
            reference="Hoffmann et al., arXiv:2203.15556 (2022), Eqs. 2 and 4: their law with the best size and tokens",
        )

    def flops(self, theta: Floats, loss: ArrayLike) -> Floats:
        """Return the compute at which the law has a loss; infinity for a loss at or below the floor.

        Leading axes of `theta`, shape (..., 3), are kept; losses are the last axis.
        """
        floor, size, exponent = (theta[..., place, None] for place in range(3))
        return inverse_power(size, np.asarray(loss, dtype=float) - floor, exponent)


FRONTIER = Frontier()
"""The law of the best loss for a compute."""
