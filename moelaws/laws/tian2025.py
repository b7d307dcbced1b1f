r"""Efficiency leverage of mixture-of-experts models: Tian et al. (2025), "Towards Greater Leverage".

.. math:: EL = \hat A^{\,a + d \log C + \gamma (\log G)^2 + \beta \log G}

=========================== ==================== ====================================================================
paper                       here                 meaning, unit and convention
=========================== ==================== ====================================================================
:math:`EL`                  ``leverage``         training compute of the best dense model over that of the MoE at
                                                 equal loss
:math:`A`                   ``activation_ratio`` activated over all routed experts; the paper's definition counts
                                                 shared experts too, its law does not
:math:`\hat A`              saturated            activation ratio, bounded at both ends: that of Clark et al. (2022)
                                                 with A in the place of E - 1
:math:`G`                   ``granularity``      2 d_model / d_expert
:math:`C`                   ``flops``            training compute of the MoE, FLOP, without the output layer
:math:`a, d, \gamma, \beta` ``a`` …              coefficients of the joint law, for the logarithm of G to base two
                                                 and of C to base ten (the paper does not name the bases)
:math:`A_{start}`           ``A_start``          activation below which fewer active experts gain nothing more
:math:`A_{max}`             ``A_max``            activation above which more active experts lose nothing more
=========================== ==================== ====================================================================

With an infinite ``A_max``, :math:`\hat A` is A + A_start, which at A = 1 exceeds one: there the law's leverage is
not exactly one.

References
----------
C. Tian et al., arXiv:2507.17702 (2025), Eqs. 10 to 13, Table 2.
"""

import numpy as np
from numpy.typing import ArrayLike

from moelaws.checks import Floats, positive
from moelaws.errors import InputError
from moelaws.laws.base import Parameter
from moelaws.laws.powers import PowerProduct
from moelaws.laws.saturation import Saturation

PUBLISHED = {"a": 1.23, "d": -7.61e-2, "gamma": 1.67e-2, "beta": -1.17e-1, "A_start": 1.63e-2, "A_max": 5.28e16}
"""Coefficients of the joint law, Table 2."""

_A_START = Parameter(
    "A_start", "activation below which less gains nothing", "1", 1e-6, 0.5, (0.002, 0.005, 0.01, 0.02, 0.05)
)
# A bound of a million is none: it moves a ratio by a millionth.
_A_MAX = Parameter("A_max", "activation above which more loses nothing", "1", 0.6, 1e6, (1.2, 2.0, 10.0, 1e4))
_SATURATION = Saturation("activation_ratio", "A_start", "A_max", shift=1)
_OF_ACTIVATION = Parameter("a_A", "exponent of the activation ratio", "1")
_SQUARE = Parameter("b_G", "coefficient of the squared logarithm of granularity", "1")
_PLAIN = Parameter("bc_G", "coefficient of the logarithm of granularity, b_G times c_G", "1")
_OF_COMPUTE = Parameter("a_C", "exponent of compute", "1")
_PAPER = "Tian et al., arXiv:2507.17702 (2025)"


class Tian2025(PowerProduct):
    """The joint law, Eq. 13.

    Parameters
    ----------
    granularity_base, flops_base : float
        Bases of the logarithms of G and of C. The paper does not name them; two and ten are those
        with which its coefficients give its own results.

    Examples
    --------
    The paper: above 7 at 1e22 FLOP with 3.1 % of the experts active and granularity 12.

    >>> law = Tian2025()
    >>> design = {"activation_ratio": [12 / 384], "granularity": [12], "flops": [1e22]}
    >>> round(float(law.predict(law.theta(PUBLISHED), design)[0]), 2)
    7.22
    """

    def __init__(self, granularity_base: float = 2.0, flops_base: float = 10.0) -> None:
        bases = {"granularity": granularity_base, "flops": flops_base}
        for column, base in bases.items():
            if not 1 < base < np.inf:
                raise InputError(
                    f"Parameter {column}_base has the value {base}; a number greater than one is expected."
                )
        other = ", ".join(f"{column}_base {base:g}" for column, base in bases.items())
        super().__init__(
            "tian2025" if list(bases.values()) == [2, 10] else f"tian2025 ({other})",
            {
                "a": ("activation_ratio",),
                "d": ("activation_ratio", "flops"),
                "gamma": ("activation_ratio", "granularity", "granularity"),
                "beta": ("activation_ratio", "granularity"),
            },
            [
                Parameter("a", "exponent of activation at granularity one and one FLOP", "1"),
                Parameter("d", "change of the exponent for each tenfold compute", "1"),
                Parameter("gamma", "coefficient of the squared logarithm of granularity", "1"),
                Parameter("beta", "coefficient of the logarithm of granularity", "1"),
                _A_START,
                _A_MAX,
            ],
            _SATURATION,
            bases=bases,
            columns=("activation_ratio", "granularity", "flops"),
            response="leverage",
            reference=f"{_PAPER}, Eq. 13",
        )


TIAN2025 = Tian2025()
"""The joint law with the bases that the paper must have used."""

TIAN2025_ACTIVATION = PowerProduct(
    "tian2025_activation",
    {"a_A": ("activation_ratio",)},
    [_OF_ACTIVATION, _A_START, _A_MAX],
    _SATURATION,
    response="leverage",
    reference=f"{_PAPER}, Eq. 10",
)
r"""Leverage at one compute and granularity, :math:`\log EL = a_A \log\hat A`."""

TIAN2025_GRANULARITY = PowerProduct(
    "tian2025_granularity",
    {"a_G": (), "b_G": ("granularity", "granularity"), "bc_G": ("granularity",)},
    [Parameter("a_G", "logarithm of leverage at granularity one", "1"), _SQUARE, _PLAIN],
    bases={"granularity": 2},
    response="leverage",
    reference=f"{_PAPER}, Eq. 11",
)
r"""Leverage at one compute and activation, :math:`\ln EL = a_G + b_G \log G (\log G + c_G)`, with base-2 logarithms."""

TIAN2025_COMPUTE = PowerProduct(
    "tian2025_compute",
    {"a_C": ("flops",), "c_C": ()},
    [_OF_COMPUTE, Parameter("c_C", "logarithm of leverage at one FLOP", "1")],
    response="leverage",
    reference=f"{_PAPER}, Eq. 12",
)
r"""Leverage of one design, :math:`\ln EL = a_C \ln C + c_C`."""

TIAN2025_SEPARABLE = PowerProduct(
    "tian2025_separable",
    {
        "a_A": ("activation_ratio",),
        "b_G": ("granularity", "granularity"),
        "bc_G": ("granularity",),
        "a_C": ("flops",),
        "k": (),
    },
    [
        _OF_ACTIVATION,
        _SQUARE,
        _PLAIN,
        _OF_COMPUTE,
        Parameter("k", "logarithm of leverage at full activation, granularity one and one FLOP", "1"),
        _A_START,
        _A_MAX,
    ],
    _SATURATION,
    bases={"granularity": 2},
    response="leverage",
    reference=f"ours: the product of {_PAPER}, Eqs. 10 to 12",
)
"""The product of the one-factor laws, in which no factor changes another's effect: what the joint law has to beat."""


def optimal_granularity(gamma: ArrayLike, beta: ArrayLike, base: float = 2) -> Floats:
    r"""Granularity of the greatest leverage at any activation and compute, :math:`b^{-\beta/(2\gamma)}`.

    Not printed in the paper, which says "around 12". `gamma` and `beta` are the coefficients of the squared and the
    plain logarithm (to `base`) in the joint law; for the one-factor law, b_G and bc_G, both of the other sign.

    Raises
    ------
    InputError
        If `gamma` is not positive, so that leverage has no maximum.

    Examples
    --------
    >>> round(float(optimal_granularity(PUBLISHED["gamma"], PUBLISHED["beta"])), 1)
    11.3
    """
    gamma, scale = positive(gamma=gamma, base=base)
    return np.asarray(scale ** (-np.asarray(beta, dtype=float) / (2 * gamma)))
