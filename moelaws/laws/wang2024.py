r"""The loss of mixture-of-experts models without saturation: Wang et al. (2024).

====================== ============ ==============================================================
paper                  here         meaning, unit and convention
====================== ============ ==============================================================
:math:`N`              ``n_active`` parameters used for one token
:math:`E`              ``n_routed`` experts in a layer; 1 for a dense model
:math:`D`              ``n_tokens`` training tokens
:math:`a, b`           ``a``, ``b`` size term at one parameter and expert, data term at one token
:math:`\tau`           ``tau``      loss that no model gets below, nats per token
:math:`\alpha, \gamma` ``alpha`` …  exponents of size and experts
:math:`\beta`          ``beta``     exponent of data
====================== ============ ==============================================================

References
----------
S. Wang et al., arXiv:2410.05661 (2024), in the form in which arXiv:2603.10379 quotes it, Eq. 5. That text
gives no coefficients, and does not say which parameters N counts.
"""

import numpy as np

from moelaws.checks import Columns, Floats
from moelaws.laws.base import Law, Parameter

_EXPONENTS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)


class Wang2024(Law):
    r"""Loss in which experts only make the model larger, :math:`L = a N^{-\alpha} E^{-\gamma} + b D^{-\beta} + \tau`.

    Examples
    --------
    With exponents of size and experts alike, four experts do as much as four times the size:

    >>> law = Wang2024()
    >>> theta = law.theta({"tau": 1.7, "a": 400, "b": 400, "alpha": 0.3, "gamma": 0.3, "beta": 0.3})
    >>> rows = {"n_active": [1e9, 4e9], "n_routed": [4, 1], "n_tokens": [2e10, 2e10]}
    >>> law.predict(theta, rows).round(3).tolist()
    [2.551, 2.551]
    """

    name = "wang2024"
    columns = ("n_active", "n_routed", "n_tokens")
    linear = (
        Parameter("tau", "irreducible loss", "nats/token", low=0),
        Parameter("a", "size term at one parameter and one expert", "nats/token", low=0),
        Parameter("b", "data term at one token", "nats/token", low=0),
    )
    shape = (
        Parameter("alpha", "exponent of size", "1", low=0, high=3, screen=_EXPONENTS),
        Parameter("gamma", "exponent of experts", "1", low=0, high=3, screen=(0.02, 0.05, 0.1, 0.2, 0.4)),
        Parameter("beta", "exponent of data", "1", low=0, high=3, screen=_EXPONENTS),
    )

    def terms(self, shape: Floats, table: Columns) -> Floats:
        """Return 1, N^-alpha E^-gamma and D^-beta."""
        log_n, log_e, log_d = (np.log(np.asarray(table[name], dtype=float)) for name in self.columns)
        size = np.exp(-shape[..., :1] * log_n - shape[..., 1:2] * log_e)
        data = np.exp(-shape[..., 2:3] * log_d)
        return np.stack([np.ones_like(size), size, data], axis=-1)

    def slopes(self, shape: Floats, table: Columns) -> Floats:
        """Return the derivative of the terms with respect to the exponents."""
        log_n, log_e, log_d = (np.log(np.asarray(table[name], dtype=float)) for name in self.columns)
        terms = self.terms(shape, table)
        slopes = np.zeros((*terms.shape, 3))
        slopes[:, 1, 0], slopes[:, 1, 1] = -log_n * terms[:, 1], -log_e * terms[:, 1]
        slopes[:, 2, 2] = -log_d * terms[:, 2]
        return slopes
