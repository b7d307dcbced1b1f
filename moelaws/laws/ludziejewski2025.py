r"""The loss of mixture-of-experts models of any size, expert number and training length: Ludziejewski et al. (2025).

====================== ============ ==============================================================
paper                  here         meaning, unit and convention
====================== ============ ==============================================================
:math:`N_{act}`        ``n_active`` parameters used for one token
:math:`D`              ``n_tokens`` training tokens
:math:`E`              ``n_routed`` experts in a layer, of which one is active; 1 for a dense model
:math:`\hat E`         saturated    experts, bounded at both ends as in Clark et al. (2022)
:math:`a, b`           ``a``, ``b`` size and data term at one parameter or token and one expert
:math:`c`              ``c``        loss that no model gets below, nats per token
:math:`\alpha, \beta`  ``alpha`` …  exponents of size and data at one expert; negative
:math:`\gamma, \zeta`  ``gamma`` …  how they change with the logarithm of experts
:math:`\delta, \omega` ``delta`` …  exponents of experts in the size and the data term
:math:`E_{start}`      ``E_start``  experts below which routing does not help yet
:math:`E_{max}`        ``E_max``    experts above which it does not help any more
====================== ============ ==============================================================

The loss is in nats per token, logarithms are natural. Exponents have the signs of the paper's Table 3;
texts that cite it print others, with which more experts make a model worse.

References
----------
J. Ludziejewski et al., arXiv:2502.05172 (2025), Table 3.
"""

import numpy as np

from moelaws.checks import Columns, Floats
from moelaws.laws.base import Law, Parameter
from moelaws.laws.clark2022 import saturated, saturated_slopes

PUBLISHED = {
    "c": 1.3637,
    "a": 35.91,
    "b": 35.98,
    "alpha": -0.1889,
    "gamma": 0.0098,
    "delta": -0.2285,
    "beta": -0.1775,
    "zeta": -0.0259,
    "omega": 0.5529,
    "E_start": 2.0732,
    "E_max": 290.4521,
}
"""Coefficients of Table 3."""


def _exponent(name: str, meaning: str, *screen: float) -> Parameter:
    return Parameter(name, meaning, "1", low=-5, high=5, screen=screen)


class Ludziejewski2025(Law):
    r"""The joint law.

    .. math:: L = a \hat E^{\delta} N^{\alpha+\gamma\ln\hat E} + b \hat E^{\omega} D^{\beta+\zeta\ln\hat E} + c

    Examples
    --------
    The paper's table for eight experts has the exponents -0.1676 and -0.2338:

    >>> law = Ludziejewski2025()
    >>> {name: round(value, 4) for name, value in law.at(law.theta(PUBLISHED), 8).items()}
    {'a': 21.8405, 'alpha': -0.1676, 'b': 119.8403, 'beta': -0.2339}
    """

    name = "ludziejewski2025"
    columns = ("n_active", "n_tokens", "n_routed")
    linear = (
        Parameter("c", "irreducible loss", "nats/token", low=0),
        Parameter("a", "size term at one parameter", "nats/token", low=0),
        Parameter("b", "data term at one token", "nats/token", low=0),
    )
    shape = (
        _exponent("alpha", "exponent of size", -0.1, -0.2, -0.4, -0.7),
        _exponent("gamma", "its change with experts", -0.02, 0.02),
        _exponent("delta", "exponent of experts in the size term", -0.3, 0.0, 0.3),
        _exponent("beta", "exponent of data", -0.1, -0.2, -0.4, -0.7),
        _exponent("zeta", "its change with experts", -0.02, 0.02),
        _exponent("omega", "exponent of experts in the data term", -0.3, 0.0, 0.3),
        Parameter("E_start", "experts below which routing does not help", "experts", 1, 64, (1.3, 3.0)),
        Parameter("E_max", "experts above which it does not help any more", "experts", 65, 1e6, (150, 1e3)),
    )

    def terms(self, shape: Floats, table: Columns) -> Floats:
        """Return 1, the size term and the data term."""
        log_n, log_d, log_e = self._logs(shape, table)
        alpha, gamma, delta, beta, zeta, omega = (shape[..., place, None] for place in range(6))
        size = np.exp(delta * log_e + (alpha + gamma * log_e) * log_n)
        data = np.exp(omega * log_e + (beta + zeta * log_e) * log_d)
        return np.stack([np.ones_like(size), size, data], axis=-1)

    def slopes(self, shape: Floats, table: Columns) -> Floats:
        """Return the derivative of the terms with respect to the shape parameters."""
        log_n, log_d, log_e = self._logs(shape, table)
        experts = np.asarray(table["n_routed"], dtype=float)
        terms = self.terms(shape, table)
        slopes = np.zeros((*terms.shape, 8))
        for term, first, log_x in ((1, 0, log_n), (2, 3, log_d)):
            for place, by in enumerate((log_x, log_e * log_x, log_e)):
                slopes[:, term, first + place] = by * terms[:, term]
            by_log_e = (shape[first + 2] + shape[first + 1] * log_x) * terms[:, term]
            for place, by in enumerate(saturated_slopes(experts, shape[6], shape[7]), 6):
                slopes[:, term, place] = by_log_e * by
        return slopes

    def at(self, theta: Floats, n_routed: float) -> dict[str, float]:
        """Return coefficients and exponents of the size and the data term for one number of experts."""
        _, a, b, alpha, gamma, delta, beta, zeta, omega, start, end = theta
        log_e = np.log(saturated(n_routed, start, end))
        found = {
            "a": a * np.exp(delta * log_e),
            "alpha": alpha + gamma * log_e,
            "b": b * np.exp(omega * log_e),
            "beta": beta + zeta * log_e,
        }
        return {name: float(value) for name, value in found.items()}

    def _logs(self, shape: Floats, table: Columns) -> tuple[Floats, Floats, Floats]:
        log_n, log_d = (np.log(np.asarray(table[name], dtype=float)) for name in self.columns[:2])
        experts = np.asarray(table["n_routed"], dtype=float)
        return log_n, log_d, np.asarray(np.log(saturated(experts, shape[..., 6:7], shape[..., 7:8])))
