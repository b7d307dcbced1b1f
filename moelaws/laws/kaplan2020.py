r"""A loss in which size and tokens are summed before the power is taken: Kaplan et al. (2020), and with experts.

.. math:: L = \left[\left(\frac{N_c}{N E^g}\right)^{\alpha_N/\alpha_D} + \frac{D_c}{D E^h}\right]^{\alpha_D}

================== ============ ==============================================================================
paper              here         meaning, unit and convention
================== ============ ==============================================================================
:math:`N`          ``n_active`` parameters; without embeddings in the paper
:math:`D`          ``n_tokens`` training tokens
:math:`E`          ``n_routed`` experts of which one is active; 1 for a dense model
:math:`N_c`        ``A``        A is :math:`N_c^{\alpha_N/\alpha_D}`, the size term at one parameter
:math:`D_c`        ``D_c``      tokens at which an infinite model has a loss of one nat per token
:math:`\alpha_N`   ``alpha_N``  exponent of size with infinite tokens
:math:`\alpha_D`   ``alpha_D``  exponent of tokens with infinite size
:math:`g, h`       ``g``, ``h`` with which power experts act as parameters, and as tokens; not in the paper
================== ============ ==============================================================================

There is no irreducible loss, and the gap between two sizes grows with tokens, which it does not in a sum of powers.
The form with experts is ours. It was found after the first 199 runs of ``small_moe_runs``, of which it therefore is a
description and no prediction.

Examples
--------
The paper's coefficients of size and tokens alone (its Eqs. 1.1 and 1.2) at 1e9 parameters and 2.2e10 tokens:

>>> values = {"A": 8.8e13 ** (0.076 / 0.095), "D_c": 5.4e13, "alpha_N": 0.076, "alpha_D": 0.095}
>>> rows = {"n_active": [1e9], "n_tokens": [2.2e10]}
>>> KAPLAN2020.predict(KAPLAN2020.theta(values), rows).round(3).tolist()
[2.431]

References
----------
J. Kaplan et al., arXiv:2001.08361 (2020), Eq. 1.5.
"""

from moelaws.laws.base import Parameter, Terms
from moelaws.laws.powers import coefficient, exponent

_PARAMETERS = (
    coefficient("A", "size term at one parameter, N_c to the power alpha_N / alpha_D", "1"),
    coefficient("D_c", "tokens at which an infinite model has a loss of one nat per token", "tokens"),
    exponent("alpha_N", "exponent of size", (0.03, 0.05, 0.08, 0.12, 0.18, 0.27, 0.4)),
    exponent("alpha_D", "exponent of tokens", (0.05, 0.08, 0.12, 0.18, 0.27, 0.4), low=0.01),
)
_PAPER = "Kaplan et al., arXiv:2001.08361 (2020), Eq. 1.5"

KAPLAN2020 = Terms(
    "kaplan2020",
    {
        "A": lambda n_active, alpha_N, alpha_D: n_active ** (-alpha_N / alpha_D),
        "D_c": lambda n_tokens: 1 / n_tokens,
    },
    _PARAMETERS,
    exponent="alpha_D",
    formula="(A * n_active**(-alpha_N/alpha_D) + D_c / n_tokens)**alpha_D",
    reference=_PAPER,
)
"""The law of size and tokens."""

KAPLAN_EXPERTS = Terms(
    "kaplan_experts",
    {
        "A": lambda n_active, n_routed, alpha_N, alpha_D, g: (n_active * n_routed**g) ** (-alpha_N / alpha_D),
        "D_c": lambda n_tokens, n_routed, h: 1 / (n_tokens * n_routed**h),
    },
    (
        *_PARAMETERS,
        Parameter("g", "power with which experts act as parameters", "1", -3, 3, (-0.2, 0.0, 0.2, 0.5)),
        Parameter("h", "power with which experts act as tokens", "1", -3, 3, (-0.2, 0.0, 0.2, 0.5)),
    ),
    exponent="alpha_D",
    formula="(A * (n_active * n_routed**g)**(-alpha_N/alpha_D) + D_c / (n_tokens * n_routed**h))**alpha_D",
    reference=f"ours, found after the first 199 runs of small_moe_runs: {_PAPER}, with experts",
)
"""The law of size, tokens and experts."""
