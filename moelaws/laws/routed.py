r"""Simple forms for the loss of a routed model as a function of size and number of experts.

None of them is a paper's headline law; they are what a paper's law has to beat. Symbols:
:math:`N` is ``n_active``, parameters that one token sees; :math:`E` is ``n_routed``, experts in a
routed layer, 1 for a dense model. Losses are in nats per token.

The last form is no neutral rival: an agent that searched for laws found it on the runs of Clark et al. (2022), and was
scored on held-out runs of the same benchmark on which chapter 00 compares the forms.

References
----------
H. Lin et al., arXiv:2507.21184 (2025), for the last form.
"""

from moelaws.laws.base import Parameter, Terms
from moelaws.laws.clark2022 import CLARK2022
from moelaws.laws.powers import FLOOR, PowerProduct, PowerSum, coefficient, exponent
from moelaws.laws.saturation import Saturation

_STARTS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6)
_FLOOR = coefficient("L0", FLOOR)
_SIZE = coefficient("A", "size term at one parameter")
_BY_SIZE = exponent("alpha", "exponent of size", _STARTS)
_BY_EXPERTS = exponent("beta", "exponent of experts", _STARTS)
_SLOPE = Parameter("a", "exponent of size", "1")
_LEVEL = Parameter("d", "logarithm of the loss at one parameter and one expert", "1")
_OURS = "ours, as what a paper's law has to beat"

POWER_PRODUCT = PowerProduct(
    "power_product",
    {"a": ("n_active",), "b": ("n_routed",), "d": ()},
    [_SLOPE, Parameter("b", "exponent of experts", "1"), _LEVEL],
    reference=_OURS,
)
r"""Loss without a floor, :math:`\ln L = d + a \ln N + b \ln E`."""

BILINEAR = PowerProduct(
    "bilinear",
    {"a": ("n_active",), "b": ("n_routed",), "c": ("n_active", "n_routed"), "d": ()},
    [
        _SLOPE,
        Parameter("b", "exponent of experts at one parameter", "1"),
        Parameter("c", "interaction of size and experts", "1"),
        _LEVEL,
    ],
    reference="Clark et al., arXiv:2202.01169 (2022), their law before it saturates",
)
r"""Loss without saturation, :math:`\ln L = a \ln N + b \ln E + c \ln N \ln E + d`."""

FLOOR_SUM = PowerSum(
    "floor_sum",
    {"L0": {}, "A": {"n_active": "-alpha"}, "B": {"n_routed": "-beta"}},
    [_FLOOR, _SIZE, coefficient("B", "expert term at one expert"), _BY_SIZE, _BY_EXPERTS],
    reference=_OURS,
)
r"""Loss with a floor and separate terms, :math:`L = L_0 + A N^{-\alpha} + B E^{-\beta}`."""

FLOOR_PRODUCT = PowerSum(
    "floor_product",
    {"L0": {}, "A": {"n_active": "-alpha", "n_routed": "-beta"}},
    [_FLOOR, _SIZE, _BY_SIZE, _BY_EXPERTS],
    reference=_OURS,
)
r"""Loss with a floor and one joint term, :math:`L = L_0 + A N^{-\alpha} E^{-\beta}`."""

FLOOR_SATURATED = PowerSum(
    "floor_saturated",
    {"L0": {}, "A": {"n_active": "-alpha", "n_routed": "-beta"}},
    [_FLOOR, _SIZE, _BY_SIZE, _BY_EXPERTS, *CLARK2022.shape],
    Saturation("n_routed", "E_start", "E_max"),
    reference=_OURS,
)
r"""Loss with a floor and saturating experts, :math:`L = L_0 + A N^{-\alpha} \hat E^{-\beta}`."""

FLOOR_RATIONAL = Terms(
    "floor_rational",
    {
        "L0": lambda: 1.0,
        "A": lambda n_active, n_routed, alpha, beta, g, E0: (
            1 / (n_active**alpha + g * n_routed**beta / (1 + n_routed / E0))
        ),
    },
    [
        _FLOOR,
        _SIZE,
        _BY_SIZE,
        exponent("beta", "exponent of experts", (0.2, 0.5, 0.8, 1.0)),
        Parameter("g", "weight of experts", "1", low=0, high=1e4, grid=(0.1, 1.0, 10.0)),
        Parameter("E0", "experts at which they saturate", "experts", low=1, high=1e5, grid=(10.0, 100.0, 1000.0)),
    ],
    formula="L0 + A / (n_active**alpha + g * n_routed**beta / (1 + n_routed/E0))",
    reference="Lin et al., arXiv:2507.21184 (2025): found by an agent that was scored on the same benchmark",
)
r"""Loss with a floor over a sum, :math:`L = L_0 + A / (N^{\alpha} + g E^{\beta} / (1 + E/E_0))`."""
