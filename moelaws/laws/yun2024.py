r"""The loss of a routed model by size, tokens and experts: Yun et al. (2024).

.. math:: L = N^{d \ln\hat E} \left(A N^{-\alpha} + B \hat E^{-\beta} + C D^{-\gamma} + F\right)

=============================== ============ ==================================================================
paper                           here         meaning, unit and convention
=============================== ============ ==================================================================
:math:`N`                       ``n_dense``  parameters of the dense model with the same layers and hidden
                                             size, without embeddings: neither active nor all parameters
:math:`D`                       ``n_tokens`` training tokens
:math:`E`                       ``n_routed`` experts in a routed layer, 1 for a dense model
:math:`\hat E`                  saturated    experts, bounded at both ends as by Clark et al. (2022)
:math:`A, B, C, F`              ``A`` …      coefficients, nats per token at one parameter, expert, token
:math:`\alpha, \beta, \gamma`   ``alpha`` …  exponents of size, experts and data
:math:`d`                       ``d``        interaction of size and experts, for natural logarithms
:math:`E_{start}, E_{max}`      ``E_start``… what one expert and infinitely many count as
=============================== ============ ==================================================================

The paper prints none of the ten coefficients. The interaction has no power of Ê beside it, unlike that of
Clark et al. (2022): the law therefore depends on the unit of N, which is one parameter here.

``yun2024_data`` is the same law with the interaction of data and experts that the paper argues away: D has the exponent
:math:`-(\gamma + \zeta\ln\hat E)`, so that a positive ``zeta`` says that more experts gain more from data.

Examples
--------
One expert counts as `E_start`. Without the interaction that is a constant, and the law is Chinchilla's:

>>> values = {"A": 482.01, "B": 0.0, "C": 2085.43, "F": 1.8172, "alpha": 0.3478, "gamma": 0.3658}
>>> values |= {"beta": 1.0, "d": 0.0, "E_start": 2.0, "E_max": 300.0}
>>> rows = {"n_dense": [70e9], "n_tokens": [1.4e12], "n_routed": [1]}
>>> YUN2024.predict(YUN2024.theta(values), rows).round(3).tolist()
[1.974]

References
----------
L. Yun et al., arXiv:2404.02852 (2024), Eq. 4. The term of data and experts is that of J. Ludziejewski et al.,
arXiv:2502.05172 (2025).
"""

from moelaws.laws.powers import FLOOR, PowerSum, Term, coefficient, exponent
from moelaws.laws.saturation import Saturation, e_max, e_start

_COLUMNS = ("n_dense", "n_tokens", "n_routed")
_INTERACTION: Term = {("n_dense", "n_routed"): "d"}
_TERMS: dict[str, Term] = {
    "A": {"n_dense": "-alpha", **_INTERACTION},
    "B": {"n_routed": "-beta", **_INTERACTION},
    "C": {"n_tokens": "-gamma", **_INTERACTION},
    "F": _INTERACTION,
}
_PARAMETERS = (
    coefficient("A", "size term at one parameter"),
    coefficient("B", "expert term at one expert"),
    coefficient("C", "data term at one token"),
    coefficient("F", FLOOR),
    exponent("alpha", "exponent of size", (0.1, 0.2, 0.3, 0.5)),
    exponent("beta", "exponent of experts", (0.2, 0.6, 1.2)),
    exponent("gamma", "exponent of data", (0.1, 0.2, 0.3, 0.5)),
    exponent("d", "interaction of size and experts", (-0.004, -0.001, 0.002), low=-0.2, high=0.2),
    e_start(1.5, 4.0, 9.0),
    e_max(100.0, 400.0),
)
_SATURATION = Saturation("n_routed", "E_start", "E_max")
_PAPER = "Yun et al., arXiv:2404.02852 (2024), Eq. 4"

YUN2024 = PowerSum("yun2024", _TERMS, _PARAMETERS, _SATURATION, columns=_COLUMNS, reference=_PAPER)
"""Loss with four terms and an interaction of size and experts, Eq. 4."""

YUN2024_DATA = PowerSum(
    "yun2024_data",
    _TERMS | {"C": {**_TERMS["C"], ("n_tokens", "n_routed"): "-zeta"}},
    (
        *_PARAMETERS,
        exponent("zeta", "interaction of data and experts", (-0.01, 0.01, 0.03), low=-0.5, high=0.5),
    ),
    _SATURATION,
    columns=_COLUMNS,
    reference=f"{_PAPER}, with the term of data and experts of Ludziejewski et al., arXiv:2502.05172 (2025)",
)
"""Eq. 4 with the interaction of data and experts."""
