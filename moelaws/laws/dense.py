r"""The loss of a dense model after training: Hoffmann et al. (2022), "Chinchilla".

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

from moelaws.checks import Columns, Floats
from moelaws.laws.base import Law, Parameter, inverse_power

HOFFMANN = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
"""Coefficients of Hoffmann et al. (2022), Eq. 10."""

BESIROGLU = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
"""Coefficients of the refit by Besiroglu et al. (2024)."""

_EXPONENTS = tuple(np.linspace(0.05, 1.2, 24).tolist())


class Dense(Law):
    r"""Loss of a dense model, :math:`L = E + A N^{-\alpha} + B D^{-\beta}`.

    Examples
    --------
    The published refit at 70 billion parameters and 1.4 trillion tokens, nats per token:

    >>> law = Dense()
    >>> round(float(law.predict(law.theta(BESIROGLU), {"n_active": [70e9], "n_tokens": [1.4e12]})[0]), 3)
    1.974
    """

    name = "dense"
    columns = ("n_active", "n_tokens")
    linear = (
        Parameter("E", "irreducible loss", "nats/token", low=0),
        Parameter("A", "size term at one parameter", "nats/token", low=0),
        Parameter("B", "data term at one token", "nats/token", low=0),
    )
    shape = (
        Parameter("alpha", "exponent of size", "1", low=0, high=3, screen=_EXPONENTS),
        Parameter("beta", "exponent of data", "1", low=0, high=3, screen=_EXPONENTS),
    )

    def terms(self, shape: Floats, table: Columns) -> Floats:
        """Return 1, N^-alpha, D^-beta."""
        log_n, log_d = (np.log(np.asarray(table[name], dtype=float)) for name in self.columns)
        size, data = np.exp(-shape[..., :1] * log_n), np.exp(-shape[..., 1:2] * log_d)
        return np.stack([np.ones_like(size), size, data], axis=-1)

    def slopes(self, shape: Floats, table: Columns) -> Floats:
        """Return the derivative of the terms with respect to the exponents."""
        terms = self.terms(shape, table)
        slopes = np.zeros((*terms.shape, 2))
        slopes[:, 1, 0] = -np.log(table["n_active"]) * terms[:, 1]
        slopes[:, 2, 1] = -np.log(table["n_tokens"]) * terms[:, 2]
        return slopes

    def n_active(self, theta: Floats, loss: ArrayLike, n_tokens: ArrayLike) -> Floats:
        """Return the size of the model that reaches a loss with given tokens; infinity where none does.

        Parameters
        ----------
        theta : numpy.ndarray, shape (..., 5)
            Coefficients in the order of `parameters`; leading axes are kept.
        loss, n_tokens : array_like
            Losses and training tokens; the last axis.
        """
        floor, size, data, alpha, beta = (theta[..., place, None] for place in range(5))
        by_data = data * np.asarray(n_tokens, dtype=float) ** -beta
        return inverse_power(size, np.asarray(loss, dtype=float) - floor - by_data, alpha)

    def cheapest(self, theta: Floats, loss: ArrayLike) -> tuple[Floats, Floats]:
        r"""Return size and tokens of the model that reaches a loss with the least compute, 6 N D.

        There both terms fall equally fast along a budget: the size term is
        :math:`\beta/(\alpha+\beta)` of the loss above the floor.

        Parameters
        ----------
        theta : numpy.ndarray, shape (..., 5)
            Coefficients in the order of `parameters`; leading axes are kept.
        loss : array_like
            Losses; the last axis. A loss at or below the floor takes an infinite model.

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
