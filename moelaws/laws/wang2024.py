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

Examples
--------
With exponents of size and experts alike, four experts do as much as four times the size:

>>> theta = WANG2024.theta({"tau": 1.7, "a": 400, "b": 400, "alpha": 0.3, "gamma": 0.3, "beta": 0.3})
>>> rows = {"n_active": [1e9, 4e9], "n_routed": [4, 1], "n_tokens": [2e10, 2e10]}
>>> WANG2024.predict(theta, rows).round(3).tolist()
[2.551, 2.551]

References
----------
S. Wang et al., arXiv:2410.05661 (2024), in the form in which arXiv:2603.10379 quotes it, Eq. 5. That text
gives no coefficients, and does not say which parameters N counts.
"""

from moelaws.laws.powers import FLOOR, PowerSum, coefficient, exponent

WANG2024 = PowerSum(
    "wang2024",
    {"tau": {}, "a": {"n_active": "-alpha", "n_routed": "-gamma"}, "b": {"n_tokens": "-beta"}},
    [
        coefficient("tau", FLOOR),
        coefficient("a", "size term at one parameter and one expert"),
        coefficient("b", "data term at one token"),
        exponent("alpha", "exponent of size"),
        exponent("gamma", "exponent of experts", (0.02, 0.05, 0.1, 0.2, 0.4)),
        exponent("beta", "exponent of data"),
    ],
    reference="Wang et al., arXiv:2410.05661 (2024), as arXiv:2603.10379 quotes it, Eq. 5",
)
r"""Loss in which experts only make the model larger, :math:`L = a N^{-\alpha} E^{-\gamma} + b D^{-\beta} + \tau`."""
