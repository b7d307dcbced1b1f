r"""Efficiency leverage of mixture-of-experts models: Tian et al. (2025), "Towards Greater Leverage".

=========================== ==================== ====================================================================
paper                       here                 meaning, unit and convention
=========================== ==================== ====================================================================
:math:`EL`                  ``leverage``         training compute of the best dense model over that of the MoE at
                                                 equal loss
:math:`A`                   ``activation_ratio`` activated over all routed experts; the paper's definition counts
                                                 shared experts too, its law does not
:math:`\hat A`              saturated            activation ratio, bounded at both ends
:math:`G`                   ``granularity``      2 d_model / d_expert
:math:`C`                   ``flops``            training compute of the MoE, FLOP, without the output layer
:math:`M`                   ``flops_per_token``  training FLOP of one token; C = M D
:math:`D`                   ``n_tokens``         training tokens
:math:`E`                   ``n_routed``         routed experts in a layer
:math:`E_a`                 ``top_k``            routed experts that a token activates
:math:`E_s`                 ``n_shared``         shared experts in a layer
:math:`a, d, \gamma, \beta` ``a`` …              coefficients of the joint law, for the logarithm of G to base two
                                                 and of C to base ten (the paper does not name the bases)
:math:`A_{start}`           ``A_start``          activation below which fewer active experts gain nothing more
:math:`A_{max}`             ``A_max``            activation above which more active experts lose nothing more
:math:`\eta, B`             learning rate, batch best peak learning rate, and batch in tokens
=========================== ==================== ====================================================================

References
----------
C. Tian et al., arXiv:2507.17702 (2025), Eqs. 3 and 10 to 13, Tables 1 and 2, Figure 2.
"""

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from moelaws.checks import Columns, Floats, positive
from moelaws.errors import InputError
from moelaws.laws.base import Law, Parameter
from moelaws.laws.clark2022 import saturated, saturated_slopes
from moelaws.laws.power import PowerLaw

PUBLISHED = {"a": 1.23, "d": -7.61e-2, "gamma": 1.67e-2, "beta": -1.17e-1, "A_start": 1.63e-2, "A_max": 5.28e16}
"""Coefficients of the joint law, Table 2."""

LEARNING_RATE = {"moe": PowerLaw(1.1576, -0.1529), "dense": PowerLaw(2.2177, -0.1649)}
"""Best peak learning rate as a function of training compute: Eq. 3 and Figure 2a."""

BATCH = {"moe": PowerLaw(0.0694, 0.3644), "dense": PowerLaw(0.1039, 0.3493)}
"""Best batch in tokens as a function of training compute: Eq. 3 and Figure 2b."""

FLOPS_PER_TOKEN = {"moe": PowerLaw(0.1915, 0.5095), "dense": PowerLaw(0.0655, 0.5422)}
"""Training FLOP of one token of the best model for a training compute, Table 1."""

N_TOKENS = {"moe": PowerLaw(5.2232, 0.4905), "dense": PowerLaw(15.2582, 0.4578)}
"""Training tokens of the best model for a training compute, Table 1."""

CONVENTIONS = ("routed", "with shared", "mixed")
"""The three activation ratios that the paper uses."""


def activation_ratio(
    n_routed: ArrayLike,
    top_k: ArrayLike,
    n_shared: ArrayLike = 0,
    convention: Literal["routed", "with shared", "mixed"] = "routed",
) -> Floats:
    """Share of the experts that a token activates.

    Parameters
    ----------
    n_routed, top_k, n_shared : array_like
        Routed experts, of them activated ones, and shared experts in a layer.
    convention : {"routed", "with shared", "mixed"}
        Whether shared experts count: nowhere, as in Figure 8 and the joint law; everywhere, as in
        the definition of Section 2.1; among the activated ones only, as in Sections 2.2 and 2.3.

    Raises
    ------
    InputError
        If a count is not positive (`n_shared`: negative), `top_k` is greater than `n_routed`, or there
        is no such convention.

    Examples
    --------
    The models of the hyper-parameter search are printed as 7.8 %, those of Table 7 as 3.1 %, and
    Ling-mini-beta as 3.4 %:

    >>> round(100 * float(activation_ratio(64, 4, 1, "mixed")), 1)
    7.8
    >>> round(100 * float(activation_ratio(64, 2, 1)), 1)
    3.1
    >>> round(100 * float(activation_ratio(384, 12, 1, "with shared")), 1)
    3.4
    """
    n_routed, top_k = positive(n_routed=n_routed, top_k=top_k)
    n_shared = np.asarray(n_shared, dtype=float)
    if not np.all((n_shared >= 0) & np.isfinite(n_shared)):
        raise InputError("Parameter n_shared holds a negative or infinite number; a count of experts is expected.")
    if np.any(top_k > n_routed):
        raise InputError("Parameter top_k is greater than n_routed; a token activates at most the experts there are.")
    if convention not in CONVENTIONS:
        raise InputError(f"Parameter convention is '{convention}'; one of {', '.join(CONVENTIONS)} is expected.")
    activated = top_k if convention == "routed" else top_k + n_shared
    return np.asarray(activated / (n_routed + n_shared if convention == "with shared" else n_routed))


def sharing_ratio(top_k: ArrayLike, n_shared: ArrayLike) -> Floats:
    """Share of the activated experts that are shared ones, Section 2.1.

    Examples
    --------
    >>> round(100 * float(sharing_ratio(top_k=8, n_shared=4)), 1)
    33.3
    """
    (top_k,) = positive(top_k=top_k)
    n_shared = np.asarray(n_shared, dtype=float)
    return np.asarray(n_shared / (top_k + n_shared))


def granularity(d_model: ArrayLike, d_expert: ArrayLike, factor: float = 2) -> Floats:
    """How finely the feed-forward layer is cut: `factor` times the hidden size over an expert's width.

    The factor is 2 in Section 2.1, and 4 in Ludziejewski et al. (2024).

    Examples
    --------
    Ling-mini-beta is printed with granularity 12:

    >>> round(float(granularity(d_model=2048, d_expert=384)), 2)
    10.67
    """
    d_model, d_expert, scale = positive(d_model=d_model, d_expert=d_expert, factor=factor)
    return np.asarray(scale * d_model / d_expert)


def saturated_ratio(
    activation_ratio: ArrayLike, A_start: Floats | float = PUBLISHED["A_start"], A_max: Floats | float = np.inf
) -> Floats:
    r"""Bound the activation ratio at both ends, Eq. 10.

    .. math:: 1/\hat A = \frac{1}{A + (1/A_{start} - 1/A_{max})^{-1}} + \frac{1}{A_{max}}

    It is the saturation of Clark et al. (2022) with A in the place of E - 1. With an infinite `A_max`
    it is A + A_start, which at A = 1 exceeds one: there the law's leverage is not exactly one.

    Examples
    --------
    The published A_max changes nothing:

    >>> float(saturated_ratio(1.0, 1.63e-2)), float(saturated_ratio(1.0, 1.63e-2, 5.28e16))
    (1.0163, 1.0163)
    """
    return saturated(1 + np.asarray(activation_ratio, dtype=float), A_start, A_max)


def optimal_granularity(gamma: ArrayLike, beta: ArrayLike, base: float = 2) -> Floats:
    r"""Granularity of the greatest leverage at any activation and compute, :math:`b^{-\beta/(2\gamma)}`.

    Not printed in the paper, which says "around 12". For the one-factor law of granularity, `gamma`
    is b_G and `beta` is b_G c_G, both of the other sign.

    Parameters
    ----------
    gamma, beta : array_like
        Coefficients of the squared and the plain logarithm of granularity in the joint law.
    base : float
        Base of that logarithm.

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


_A_START = Parameter(
    "A_start", "activation below which less gains nothing", "1", 1e-6, 0.5, (0.002, 0.005, 0.01, 0.02, 0.05)
)
# A bound of a million is none: it moves a ratio by a millionth.
_A_MAX = Parameter("A_max", "activation above which more loses nothing", "1", 0.6, 1e6, (1.2, 2.0, 10.0, 1e4))


def _log(table: Columns, name: str, base: float = np.e) -> Floats:
    return np.asarray(np.log(np.asarray(table[name], dtype=float)) / np.log(base))


class ActivationLaw(Law):
    r"""Leverage at one compute and granularity, Eq. 10: :math:`\log EL = a_A \log\hat A`.

    Examples
    --------
    With the exponent that the joint law has at 1e20 FLOP and G = 2, 64 experts of which two are active:

    >>> law = ActivationLaw()
    >>> theta = law.theta({"a_A": -0.3923, "A_start": 1.63e-2, "A_max": np.inf})
    >>> round(float(law.predict(theta, {"activation_ratio": [2 / 64]})[0]), 2)
    3.3
    """

    name = "tian2025_activation"
    link = "log"
    response = "leverage"
    columns: ClassVar[tuple[str, ...]] = ("activation_ratio",)
    linear: ClassVar[tuple[Parameter, ...]] = (Parameter("a_A", "exponent of the activation ratio", "1"),)
    shape = (_A_START, _A_MAX)

    def terms(self, shape: Floats, table: Columns) -> Floats:
        """Return the logarithm of the saturated ratio, once for each linear coefficient, times its factor."""
        ratio = np.asarray(table["activation_ratio"], dtype=float)
        log_a = np.log(saturated_ratio(ratio, shape[..., :1], shape[..., 1:2]))
        return np.asarray(log_a[..., None] * self._factors(table))

    def slopes(self, shape: Floats, table: Columns) -> Floats:
        """Return the derivative of the terms with respect to A_start and A_max."""
        ratio = np.asarray(table["activation_ratio"], dtype=float)
        by = np.stack(saturated_slopes(1 + ratio, shape[0], shape[1]), axis=-1)
        return np.asarray(self._factors(table)[:, :, None] * by[:, None, :])

    def _factors(self, table: Columns) -> Floats:
        """Return what multiplies the logarithm of the saturated ratio, shape (rows, linear coefficients)."""
        return np.ones((len(table["activation_ratio"]), 1))


class GranularityLaw(Law):
    r"""Leverage at one compute and activation, Eq. 11: :math:`\ln EL = a_G + b_G \log G (\log G + c_G)`.

    Parameters
    ----------
    granularity_base : float
        Base of the logarithm of G.
    """

    link = "log"
    response = "leverage"
    columns = ("granularity",)
    linear = (
        Parameter("a_G", "logarithm of leverage at granularity one", "1"),
        Parameter("b_G", "coefficient of the squared logarithm", "1"),
        Parameter("bc_G", "coefficient of the logarithm, b_G times c_G", "1"),
    )

    def __init__(self, granularity_base: float = 2.0) -> None:
        self.granularity_base = granularity_base
        self.name = "tian2025_granularity" + _named(granularity_base != 2, granularity_base=granularity_base)

    def terms(self, shape: Floats, table: Columns) -> Floats:
        """Return 1, the squared and the plain logarithm of granularity."""
        log_g = _log(table, "granularity", self.granularity_base)
        terms = np.stack([np.ones_like(log_g), log_g**2, log_g], axis=-1)
        return np.broadcast_to(terms, (*shape.shape[:-1], *terms.shape))


class ComputeLaw(Law):
    r"""Leverage of one design, Eq. 12: :math:`\ln EL = a_C \ln C + c_C`."""

    name = "tian2025_compute"
    link = "log"
    response = "leverage"
    columns = ("flops",)
    linear = (
        Parameter("a_C", "exponent of compute", "1"),
        Parameter("c_C", "logarithm of leverage at one FLOP", "1"),
    )

    def terms(self, shape: Floats, table: Columns) -> Floats:
        """Return the logarithm of compute and 1."""
        log_c = _log(table, "flops")
        terms = np.stack([log_c, np.ones_like(log_c)], axis=-1)
        return np.broadcast_to(terms, (*shape.shape[:-1], *terms.shape))


class Tian2025(ActivationLaw):
    r"""The joint law, Eq. 13: :math:`EL = \hat A^{\,a + d \log C + \gamma (\log G)^2 + \beta \log G}`.

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

    columns = ("activation_ratio", "granularity", "flops")
    linear = (
        Parameter("a", "exponent of activation at granularity one and one FLOP", "1"),
        Parameter("d", "change of the exponent for each tenfold compute", "1"),
        Parameter("gamma", "coefficient of the squared logarithm of granularity", "1"),
        Parameter("beta", "coefficient of the logarithm of granularity", "1"),
    )

    def __init__(self, granularity_base: float = 2.0, flops_base: float = 10.0) -> None:
        self.granularity_base, self.flops_base = granularity_base, flops_base
        is_other = (granularity_base, flops_base) != (2, 10)
        self.name = "tian2025" + _named(is_other, granularity_base=granularity_base, flops_base=flops_base)

    def _factors(self, table: Columns) -> Floats:
        log_g, log_c = _log(table, "granularity", self.granularity_base), _log(table, "flops", self.flops_base)
        return np.stack([np.ones_like(log_g), log_c, log_g**2, log_g], axis=-1)


class SeparableLaw(ActivationLaw):
    r"""The product of the one-factor laws: :math:`\ln EL = a_A \ln\hat A + b_G \log G (\log G + c_G) + a_C \ln C + k`.

    Not printed in the paper. It lets no factor change another's effect, and is what the joint law
    has to beat. The logarithm of G is to base two.

    Examples
    --------
    Ten times the compute changes the leverage of every design by the same factor:

    >>> law = SeparableLaw()
    >>> theta = law.theta({"a_A": -0.4, "b_G": -0.03, "bc_G": 0.2, "a_C": 0.08, "k": -4, "A_start": 0.02, "A_max": 9})
    >>> designs = {"activation_ratio": [0.5, 0.03], "granularity": [2, 12]}
    >>> early, late = (law.predict(theta, designs | {"flops": [flops, flops]}) for flops in (1e20, 1e21))
    >>> (late / early).round(3).tolist()
    [1.202, 1.202]
    """

    name = "tian2025_separable"
    columns = ("activation_ratio", "granularity", "flops")
    linear = (
        Parameter("a_A", "exponent of the activation ratio", "1"),
        Parameter("b_G", "coefficient of the squared logarithm of granularity", "1"),
        Parameter("bc_G", "coefficient of the logarithm of granularity, b_G times c_G", "1"),
        Parameter("a_C", "exponent of compute", "1"),
        Parameter("k", "logarithm of leverage at full activation, granularity one and one FLOP", "1"),
    )

    def terms(self, shape: Floats, table: Columns) -> Floats:
        """Return the logarithm of the saturated ratio, the terms of granularity, and those of compute."""
        log_g, log_c = _log(table, "granularity", 2), _log(table, "flops")
        others = np.stack([log_g**2, log_g, log_c, np.ones_like(log_c)], axis=-1)
        others = np.broadcast_to(others, (*shape.shape[:-1], *others.shape))
        return np.concatenate([super().terms(shape, table), others], axis=-1)

    def slopes(self, shape: Floats, table: Columns) -> Floats:
        """Return the derivative of the terms with respect to A_start and A_max."""
        slopes = super().slopes(shape, table)
        return np.concatenate([slopes, np.zeros((len(slopes), 4, 2))], axis=1)


def _named(is_other: bool, **bases: float) -> str:
    """Check bases of logarithms, and return what tells a law with other ones from the registered law."""
    for name, base in bases.items():
        if not 1 < base < np.inf:
            raise InputError(f"Parameter {name} has the value {base}; a number greater than one is expected.")
    return f" ({', '.join(f'{name} {base:g}' for name, base in bases.items())})" if is_other else ""
