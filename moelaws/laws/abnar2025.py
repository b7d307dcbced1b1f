r"""The loss of sparse models as a function of total size: Abnar et al. (2025).

======================= ==================== ===================================================
paper                   here                 meaning, unit and convention
======================= ==================== ===================================================
:math:`N`               ``n_total``          all parameters
:math:`D`               ``n_tokens``         training tokens
:math:`1 - S`           ``activation_ratio`` active over all experts; 1 for a dense model
:math:`a, b, c, d`      ``a`` …              coefficients of size, data, sparsity, and sparsity
                                             times size, nats per token
:math:`e`               ``e``                loss that no model gets below, nats per token
:math:`\alpha, \beta`   ``alpha`` …          exponents of size and data
:math:`\lambda, \delta` ``lambda`` …         exponents of the active share, alone and with size
:math:`\gamma`          ``gamma``            exponent of size in the last term
======================= ==================== ===================================================

References
----------
S. Abnar et al., arXiv:2501.12370 (2025). Form and coefficients are taken from texts that cite it.
"""

import numpy as np

from moelaws.checks import Columns, Floats
from moelaws.laws.base import Law, Parameter

PUBLISHED = {
    "a": 16612.50,
    "b": 5455.67,
    "c": 0.4598,
    "d": 17.26,
    "e": 0.94,
    "alpha": 0.5962,
    "beta": 0.3954,
    "lambda": -0.1666,
    "delta": 0.1603,
    "gamma": 0.1595,
}
"""Coefficients as two texts print them."""

_EXPONENTS = (0.1, 0.2, 0.4, 0.7)


class Abnar2025(Law):
    r"""Loss, :math:`L = e + a N^{-\alpha} + b D^{-\beta} + c (1-S)^{-\lambda} + d (1-S)^{-\delta} N^{-\gamma}`.

    Examples
    --------
    The published law at a billion parameters and 20 billion tokens, dense and with one part in 50 active:

    >>> law = Abnar2025()
    >>> rows = {"n_total": [1e9, 1e9], "n_tokens": [2e10, 2e10], "activation_ratio": [1, 0.02]}
    >>> law.predict(law.theta(PUBLISHED), rows).round(2).tolist()
    [2.57, 2.9]
    """

    name = "abnar2025"
    columns = ("n_total", "n_tokens", "activation_ratio")
    linear = (
        Parameter("e", "irreducible loss", "nats/token", low=0),
        Parameter("a", "size term at one parameter", "nats/token", low=0),
        Parameter("b", "data term at one token", "nats/token", low=0),
        Parameter("c", "sparsity term of a dense model", "nats/token", low=0),
        Parameter("d", "joint term of a dense model at one parameter", "nats/token", low=0),
    )
    shape = (
        Parameter("alpha", "exponent of size", "1", low=0, high=3, screen=_EXPONENTS),
        Parameter("beta", "exponent of data", "1", low=0, high=3, screen=_EXPONENTS),
        Parameter("lambda", "exponent of the active share", "1", low=-3, high=3, screen=(-0.5, -0.2, 0.2)),
        Parameter("delta", "exponent of the active share in the joint term", "1", low=-3, high=3, screen=(0.1, 0.3)),
        Parameter("gamma", "exponent of size in the joint term", "1", low=0, high=3, screen=(0.1, 0.2, 0.4)),
    )

    def terms(self, shape: Floats, table: Columns) -> Floats:
        """Return 1, the size term, the data term, the sparsity term and the joint term."""
        log_n, log_d, log_a = (np.log(np.asarray(table[name], dtype=float)) for name in self.columns)
        alpha, beta, alone, joint, gamma = (shape[..., place, None] for place in range(5))
        size, data = np.exp(-alpha * log_n), np.exp(-beta * log_d)
        sparsity, both = np.exp(-alone * log_a), np.exp(-joint * log_a - gamma * log_n)
        return np.stack([np.ones_like(size), size, data, sparsity, both], axis=-1)

    def slopes(self, shape: Floats, table: Columns) -> Floats:
        """Return the derivative of the terms with respect to the exponents."""
        log_n, log_d, log_a = (np.log(np.asarray(table[name], dtype=float)) for name in self.columns)
        terms = self.terms(shape, table)
        slopes = np.zeros((*terms.shape, 5))
        for column, (term, log_x) in enumerate(((1, log_n), (2, log_d), (3, log_a), (4, log_a), (4, log_n))):
            slopes[:, term, column] = -log_x * terms[:, term]
        return slopes
