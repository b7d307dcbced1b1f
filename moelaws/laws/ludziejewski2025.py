r"""The loss of mixture-of-experts models of any size, expert number and training length: Ludziejewski et al. (2025).

.. math:: L = a \hat E^{\delta} N^{\alpha+\gamma\ln\hat E} + b \hat E^{\omega} D^{\beta+\zeta\ln\hat E} + c

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

from moelaws.checks import Floats
from moelaws.laws.base import Parameter
from moelaws.laws.powers import FLOOR, PowerSum, coefficient, exponent
from moelaws.laws.saturation import Saturation, e_max, e_start, saturated

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


def _any_sign(name: str, meaning: str, *grid: float) -> Parameter:
    return exponent(name, meaning, grid, low=-5, high=5)


class Ludziejewski2025(PowerSum):
    """The joint law.

    Examples
    --------
    The paper's table for eight experts has the exponents -0.1676 and -0.2338:

    >>> law = Ludziejewski2025()
    >>> {name: round(value, 4) for name, value in law.at(law.theta(PUBLISHED), 8).items()}
    {'a': 21.8405, 'alpha': -0.1676, 'b': 119.8403, 'beta': -0.2339}
    """

    def __init__(self) -> None:
        super().__init__(
            "ludziejewski2025",
            {
                "c": {},
                "a": {"n_active": "alpha", ("n_active", "n_routed"): "gamma", "n_routed": "delta"},
                "b": {"n_tokens": "beta", ("n_tokens", "n_routed"): "zeta", "n_routed": "omega"},
            },
            [
                coefficient("c", FLOOR),
                coefficient("a", "size term at one parameter"),
                coefficient("b", "data term at one token"),
                _any_sign("alpha", "exponent of size", -0.1, -0.2, -0.4, -0.7),
                _any_sign("gamma", "its change with experts", -0.02, 0.02),
                _any_sign("delta", "exponent of experts in the size term", -0.3, 0.0, 0.3),
                _any_sign("beta", "exponent of data", -0.1, -0.2, -0.4, -0.7),
                _any_sign("zeta", "its change with experts", -0.02, 0.02),
                _any_sign("omega", "exponent of experts in the data term", -0.3, 0.0, 0.3),
                e_start(1.3, 3.0),
                e_max(150, 1e3),
            ],
            Saturation("n_routed", "E_start", "E_max"),
            columns=("n_active", "n_tokens", "n_routed"),
            reference="Ludziejewski et al., arXiv:2502.05172 (2025), the joint law; coefficients in Table 3",
        )

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


LUDZIEJEWSKI2025 = Ludziejewski2025()
"""The joint law of size, tokens and experts."""
