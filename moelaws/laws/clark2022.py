r"""The loss of a routed language model: Clark et al. (2022).

.. math:: \log_{10} L = a \log N + b \log\hat E + c \log N \log\hat E + d

===================== ============ ===========================================================
paper                 here         meaning, unit and convention
===================== ============ ===========================================================
:math:`N`             ``n_active`` parameters that one token sees (the dense model's)
:math:`E`             ``n_routed`` experts in a routed layer, 1 for a dense model
:math:`\hat E`        saturated    experts, bounded at both ends (:mod:`moelaws.laws.saturation`)
:math:`a, b, c, d`    ``a`` …      coefficients for base-10 logarithms
:math:`E_{start}`     ``E_start``  experts below which routing does not help yet
:math:`E_{max}`       ``E_max``    experts above which it does not help any more
===================== ============ ===========================================================

The loss is in nats per token. All runs of the paper see 130 billion tokens.

Examples
--------
The published law of S-Base routers at 1.3 billion parameters, one and 64 experts:

>>> rows = {"n_active": [1.3e9, 1.3e9], "n_routed": [1, 64]}
>>> CLARK2022.predict(CLARK2022.theta(PUBLISHED["S-Base"]), rows).round(3).tolist()
[2.237, 2.05]

References
----------
A. Clark et al., arXiv:2202.01169 (2022).
"""

from moelaws.laws.base import Parameter
from moelaws.laws.powers import PowerProduct
from moelaws.laws.saturation import Saturation, e_max, e_start

PUBLISHED = {
    "S-Base": {"a": -0.082, "b": -0.108, "c": 0.009, "d": 1.104, "E_start": 1.847, "E_max": 314.478},
    "RL-R": {"a": -0.083, "b": -0.126, "c": 0.012, "d": 1.111, "E_start": 1.880, "E_max": 469.982},
    "Hash": {"a": -0.087, "b": -0.136, "c": 0.012, "d": 1.157, "E_start": 4.175, "E_max": 477.741},
}
"""Coefficients of Clark et al. (2022) for their three routers."""

CLARK2022 = PowerProduct(
    "clark2022",
    {"a": ("n_active",), "b": ("n_routed",), "c": ("n_active", "n_routed"), "d": ()},
    [
        Parameter("a", "exponent of size", "1"),
        Parameter("b", "exponent of experts at one parameter", "1"),
        Parameter("c", "interaction of size and experts", "1"),
        Parameter("d", "loss at one parameter, base-10 logarithm", "1"),
        e_start(1.05, 1.3, 2.0, 3.0, 5.0, 9.0),
        e_max(70, 150, 400, 1e3, 1e4),
    ],
    Saturation("n_routed", "E_start", "E_max"),
    bases={"loss": 10, "n_active": 10, "n_routed": 10},
    reference="Clark et al., arXiv:2202.01169 (2022), the joint law of size and experts",
)
"""The law of size and experts."""
