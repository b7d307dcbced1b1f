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

from moelaws.checks import Columns, Floats
from moelaws.laws.base import Law, Parameter, inverse_power

_EXPONENTS = tuple(np.linspace(0.01, 0.4, 40).tolist())


class Frontier(Law):
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

    name = "frontier"
    columns = ("flops",)
    linear = (
        Parameter("E", "irreducible loss", "unit of the loss", low=0),
        Parameter("A", "compute term at one FLOP", "unit of the loss", low=0),
    )
    shape = (Parameter("alpha", "exponent of compute", "1", low=0, high=1, screen=_EXPONENTS),)

    def terms(self, shape: Floats, table: Columns) -> Floats:
        """Return 1 and C^-alpha."""
        power = np.exp(-shape[..., :1] * np.log(np.asarray(table["flops"], dtype=float)))
        return np.stack([np.ones_like(power), power], axis=-1)

    def slopes(self, shape: Floats, table: Columns) -> Floats:
        """Return the derivative of the terms with respect to the exponent."""
        terms = self.terms(shape, table)
        slopes = np.zeros((*terms.shape, 1))
        slopes[:, 1, 0] = -np.log(np.asarray(table["flops"], dtype=float)) * terms[:, 1]
        return slopes

    def flops(self, theta: Floats, loss: ArrayLike) -> Floats:
        """Return the compute at which the law has a loss; infinity for a loss at or below the floor.

        Parameters
        ----------
        theta : numpy.ndarray, shape (..., 3)
            Coefficients in the order of `parameters`; leading axes are kept.
        loss : array_like
            Losses; the last axis.
        """
        floor, size, exponent = (theta[..., place, None] for place in range(3))
        return inverse_power(size, np.asarray(loss, dtype=float) - floor, exponent)
