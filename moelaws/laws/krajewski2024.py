r"""The loss of fine-grained mixture-of-experts models: Krajewski et al. (2024).

===================== =============== =============================================================
paper                 here            meaning, unit and convention
===================== =============== =============================================================
:math:`N`             ``n_total``     all parameters (the published coefficients make sense for
                                      these, and not for active ones)
:math:`D`             ``n_tokens``    training tokens
:math:`G`             ``granularity`` width of the dense feed-forward over that of an expert: for
                                      one that is four times as wide as the model,
                                      ``tian2025.granularity(d_model, d_expert, factor=4)``
:math:`c`             ``c``           loss that no model of this family gets below, nats per token
:math:`a, b`          ``a``, ``b``    size and data term at one parameter and one token
:math:`g`             ``g``           what granularity one adds to the size term
:math:`\alpha, \beta` ``alpha`` …     exponents of size and data
:math:`\gamma`        ``gamma``       exponent of granularity
===================== =============== =============================================================

The loss is in nats per token. All models of the paper have 64 times the expert weights that a token uses.

References
----------
J. Krajewski, J. Ludziejewski et al., arXiv:2402.07871 (2024). Form and coefficients are taken from texts that cite it.
"""

import numpy as np

from moelaws.checks import Columns, Floats
from moelaws.laws.base import Law, Parameter

PUBLISHED = {"c": 0.47, "a": 18.1, "g": 2.1, "b": 30.8, "alpha": 0.115, "beta": 0.147, "gamma": 0.58}
"""Coefficients for an expansion of 64."""

_EXPONENTS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)


class Krajewski2024(Law):
    r"""Loss at fixed expansion, :math:`L = c + (g / G^{\gamma} + a) N^{-\alpha} + b D^{-\beta}`.

    Examples
    --------
    The published law at 3.7 billion parameters and 20 billion tokens, coarse experts and fine ones:

    >>> law = Krajewski2024()
    >>> rows = {"n_total": [3.7e9, 3.7e9], "n_tokens": [2e10, 2e10], "granularity": [1, 16]}
    >>> law.predict(law.theta(PUBLISHED), rows).round(2).tolist()
    [3.02, 2.88]
    """

    name = "krajewski2024"
    columns = ("n_total", "n_tokens", "granularity")
    linear = (
        Parameter("c", "irreducible loss", "nats/token", low=0),
        Parameter("a", "size term at one parameter and infinite granularity", "nats/token", low=0),
        Parameter("g", "what granularity one adds to it", "nats/token", low=0),
        Parameter("b", "data term at one token", "nats/token", low=0),
    )
    shape = (
        Parameter("alpha", "exponent of size", "1", low=0, high=3, screen=_EXPONENTS),
        Parameter("beta", "exponent of data", "1", low=0, high=3, screen=_EXPONENTS),
        Parameter("gamma", "exponent of granularity", "1", low=0, high=5, screen=(0.2, 0.5, 1.0, 2.0)),
    )

    def terms(self, shape: Floats, table: Columns) -> Floats:
        """Return 1, N^-alpha, G^-gamma N^-alpha, D^-beta."""
        log_n, log_d, log_g = (np.log(np.asarray(table[name], dtype=float)) for name in self.columns)
        size, data = np.exp(-shape[..., :1] * log_n), np.exp(-shape[..., 1:2] * log_d)
        coarse = np.exp(-shape[..., 2:3] * log_g) * size
        return np.stack([np.ones_like(size), size, coarse, data], axis=-1)

    def slopes(self, shape: Floats, table: Columns) -> Floats:
        """Return the derivative of the terms with respect to the exponents."""
        log_n, log_d, log_g = (np.log(np.asarray(table[name], dtype=float)) for name in self.columns)
        terms = self.terms(shape, table)
        slopes = np.zeros((*terms.shape, 3))
        slopes[:, 1, 0], slopes[:, 2, 0] = -log_n * terms[:, 1], -log_n * terms[:, 2]
        slopes[:, 3, 1] = -log_d * terms[:, 3]
        slopes[:, 2, 2] = -log_g * terms[:, 2]
        return slopes
