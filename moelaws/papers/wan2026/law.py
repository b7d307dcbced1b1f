r"""Complete architectures from three sizes and a width: Wan et al. (2026), "Holistic Scaling Laws".

===================== ================= =======================================================================
paper                 here              meaning, unit and convention
===================== ================= =======================================================================
:math:`M`             ``M``             training FLOP of one token, scores of causal attention included, output
                                        layer not; the paper calls it one forward pass, of which it is three
:math:`N_a, N`        ``N_a``, ``N``    active and all parameters, without embeddings, routers and norms
:math:`C, D`          argument, result  training compute in FLOP and training tokens of the power laws; C = M D
:math:`d`             ``d``             hidden size
:math:`L_d, L_m`      ``L_d``, ``L_m``  layers without and with experts; L = L_d + L_m
:math:`d_m`           ``d_m``           width of one expert, routed or shared
:math:`d_d`           ``gamma`` times d width of a dense layer, three times d
:math:`N_q, N_{kv}`   ``N_q``, ``N_kv`` query heads, key and value heads
:math:`d_{qkv}`       ``d_qkv``         width of a head
:math:`S`             ``S``             tokens of a sequence, 8192
:math:`N_e, K`        ``N_e``, ``K``    routed experts in a layer, 288, and active ones, 8; one shared on top
:math:`r_d, r_m, r_a` ``r_d`` …         shares of M in dense layers, experts (the shared one too), attention
===================== ================= =======================================================================

A :class:`Setting` holds what is fixed before a shape is chosen. Then three sizes (M, N_a, N) and one width d
determine the layers and the experts, and the other way round. All functions broadcast.

References
----------
Wan et al., arXiv:2603.21862 (2026), Eqs. 2 to 12.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from moelaws.checks import Floats, positive
from moelaws.errors import InputError
from moelaws.laws.power import PowerLaw

FLOPS_PER_TOKEN = PowerLaw(0.04368, 0.5437)
"""Training FLOP of one token of the best model for a training compute in FLOP, Eq. 2."""

N_TOKENS = PowerLaw(22.8929, 0.4563)
"""Training tokens of the best model for a training compute in FLOP, Eq. 2."""


@dataclass(frozen=True, eq=False)
class Setting:
    """What is fixed before a shape is chosen; numbers, or arrays with one value for each architecture."""

    N_q: Floats | float
    N_kv: Floats | float
    d_qkv: Floats | float
    S: Floats | float = 8192
    N_e: Floats | float = 288
    K: Floats | float = 8
    gamma: Floats | float = 3

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            object.__setattr__(self, name, positive(**{name: value})[0])
        if np.any(self.N_e <= self.K):
            raise InputError("Parameter K is not less than N_e; fewer active experts than there are is expected.")

    @property
    def projections(self) -> Floats:
        """Weights of a layer's attention for each unit of width, 2 d_qkv (N_q + N_kv)."""
        return np.asarray(2 * self.d_qkv * (self.N_q + self.N_kv))

    @property
    def scores(self) -> Floats:
        """Training FLOP of a layer's attention scores for one token, 6 S N_q d_qkv: Eq. 11 for one layer."""
        return np.asarray(6 * self.S * self.N_q * self.d_qkv)

    @property
    def idle(self) -> Floats:
        """Routed experts of a layer that a token does not use, N_e - K."""
        return np.asarray(self.N_e - self.K)

    @property
    def used(self) -> Floats:
        """Experts of a layer that a token uses, K + 1 with the shared one."""
        return np.asarray(self.K + 1)

    @property
    def largest_expansion(self) -> Floats:
        """Bound of N/N_a, (N_e + 1)/(K + 1), which is reached when all active weights are in experts.

        Examples
        --------
        >>> round(float(Setting(16, 8, 128).largest_expansion), 1)
        32.1
        """
        return np.asarray((self.N_e + 1) / self.used)


class Shape(NamedTuple):
    """Hidden size, layers without and with experts, and width of an expert."""

    d: Floats
    L_d: Floats
    L_m: Floats
    d_m: Floats


class Account(NamedTuple):
    """Training FLOP of one token, active parameters, and all parameters."""

    M: Floats
    N_a: Floats
    N: Floats


def account(d: ArrayLike, L_d: ArrayLike, L_m: ArrayLike, d_m: ArrayLike, setting: Setting) -> Account:
    r"""Sizes of an architecture, Eqs. 3 and 6 to 12.

    .. math:: N_a = 2 (N_q + N_{kv}) d_{qkv}\, d\, L + 3 \gamma d^2 L_d + 3 d d_m (K + 1) L_m

    .. math:: N = N_a + 3 d d_m (N_e - K) L_m, \qquad M = 6 N_a + 6 S N_q d_{qkv} L

    Eq. 3 prints :math:`6 N_a L` in M, see :func:`misprinted_flops`; Eqs. 4 and 12 do not.

    `L_d` may be zero.

    Examples
    --------
    The middle row of Table 21, whose budget asks for 5.9390 GFLOP for each token:

    >>> sizes = account(2040, 1, 15, 592, Setting(16, 8, 128))
    >>> round(float(sizes.M) / 1e9, 3), round(float(sizes.N / sizes.N_a), 2)
    (5.973, 21.93)
    """
    d, L_m, d_m = positive(d=d, L_m=L_m, d_m=d_m)
    L_d = np.asarray(L_d, dtype=float)
    if not np.all((L_d >= 0) & np.isfinite(L_d)):
        raise InputError("Parameter L_d holds a negative or infinite number; a number of layers is expected.")
    experts = 3 * d * d_m * L_m
    dense = 3 * setting.gamma * d**2 * L_d
    N_a = setting.projections * d * (L_d + L_m) + dense + setting.used * experts
    M = 6 * N_a + setting.scores * (L_d + L_m)
    return Account(np.asarray(M), np.asarray(N_a), np.asarray(N_a + setting.idle * experts))


def misprinted_flops(shape: Shape, setting: Setting) -> Floats:
    """M as the main text prints it in Eq. 3, with the parameters times the number of layers.

    Examples
    --------
    Twelve times the 5.939 GFLOP that the budget asks for:

    >>> round(float(misprinted_flops(Shape(2040, 1, 15, 592), Setting(16, 8, 128))) / 1e9, 1)
    71.4
    """
    layers = np.asarray(shape.L_d) + shape.L_m
    return np.asarray((6 * account(*shape, setting).N_a + setting.scores) * layers)


def shares(shape: Shape, setting: Setting) -> tuple[Floats, Floats, Floats]:
    """Shares of M in dense layers, in experts with the shared one, and in attention: r_d, r_m, r_a.

    Examples
    --------
    >>> [round(float(share), 3) for share in shares(Shape(2040, 1, 15, 592), Setting(16, 8, 128))]
    [0.038, 0.491, 0.471]
    """
    d, L_d, L_m, d_m = (np.asarray(value, dtype=float) for value in shape)
    M = account(*shape, setting).M
    r_d = 18 * setting.gamma * d**2 * L_d / M
    r_m = 18 * d * d_m * setting.used * L_m / M
    r_a = (6 * setting.projections * d + setting.scores) * (L_d + L_m) / M
    return np.asarray(r_d), np.asarray(r_m), np.asarray(r_a)


def compute_density(r_a: ArrayLike, d: ArrayLike, setting: Setting) -> Floats:
    r"""M/N_a from attention's share of the work, Eqs. 4 and 5.

    .. math:: \frac{M}{N_a} = \frac{6}{1 - \dfrac{r_a}{1 + 2 d (1 + N_{kv}/N_q)/S}}

    Examples
    --------
    >>> round(float(compute_density(0.4711, 2040, Setting(16, 8, 128))), 2)
    8.22
    """
    projections = 2 * np.asarray(d) * (1 + setting.N_kv / setting.N_q) / setting.S
    return np.asarray(6 / (1 - np.asarray(r_a) / (1 + projections)))


def expansion(share: ArrayLike, setting: Setting) -> Floats:
    r"""N/N_a from the share of the active parameters that is in experts, Eq. 5.

    .. math:: \frac{N}{N_a} = 1 + r_m^{(N_a)} \Bigl(\frac{N_e + 1}{K + 1} - 1\Bigr)

    Examples
    --------
    >>> round(float(expansion(0.6727, Setting(16, 8, 128))), 2)
    21.93
    """
    return np.asarray(1 + np.asarray(share) * (setting.largest_expansion - 1))


def total_from_share(M: ArrayLike, N_a: ArrayLike, r_m: ArrayLike, setting: Setting) -> Floats:
    r"""All parameters from the experts' share of the work, Eq. 4: :math:`N_a + \frac{M r_m}{6} \frac{N_e - K}{K + 1}`.

    Examples
    --------
    >>> round(float(total_from_share(5.97324e9, 727104960, 0.49130, Setting(16, 8, 128))) / 1e9, 2)
    15.94
    """
    return np.asarray(np.asarray(N_a) + np.asarray(M) * r_m / 6 * setting.idle / setting.used)


def solve(M: ArrayLike, N_a: ArrayLike, N: ArrayLike, d: ArrayLike, setting: Setting) -> Shape:
    r"""Architecture of given sizes and width: Eq. 3 solved for layers and experts.

    .. math:: L = \frac{M - 6 N_a}{6 S N_q d_{qkv}}, \quad X = \frac{N - N_a}{N_e - K}, \quad
        L_d = \frac{N_a - 2 (N_q + N_{kv}) d_{qkv}\, d L - (K + 1) X}{3 \gamma d^2}, \quad d_m = \frac{X}{3 d L_m}

    The solution is not printed in the paper. It is exact and not rounded.

    Examples
    --------
    >>> setting = Setting(16, 8, 128)
    >>> [round(float(x), 6) for x in solve(*account(2040, 1, 15, 592, setting), 2040, setting)]
    [2040.0, 1.0, 15.0, 592.0]
    """
    M, N_a, N, d = np.broadcast_arrays(*positive(M=M, N_a=N_a, N=N, d=d))
    layers, experts, rest = _parts(M, N_a, N, setting)
    _refuse_sizes(layers, experts, rest)
    L_d = (rest - setting.projections * d * layers) / (3 * setting.gamma * d**2)
    slack = 1e-9 * layers
    if np.any(outside := (L_d < -slack) | (L_d >= layers - slack)):
        low, high = feasible_widths(M, N_a, N, setting, least_dense=0, least_moe=0)
        place = np.unravel_index(np.argmax(outside), outside.shape)
        ends = " to ".join(f"{np.broadcast_to(end, outside.shape)[place]:.6g}" for end in (low, high))
        value = f"{np.broadcast_to(d, outside.shape)[place]:.6g}"
        raise InputError(f"Parameter d has the value {value}; a width from {ends} is expected for these M, N_a and N.")
    L_d = np.maximum(L_d, 0)
    return Shape(d, L_d, layers - L_d, experts / (3 * d * (layers - L_d)))


def solve_matched(M: ArrayLike, N_a: ArrayLike, N: ArrayLike, d: ArrayLike, setting: Setting) -> Shape:
    """Solve as :func:`solve`, for dense layers as wide as the experts that a token uses (Appendix A).

    Not printed in the paper. `gamma` of the setting is not used.

    Examples
    --------
    >>> found = solve_matched(5.97324e9, 7.27e8, 1.594e10, 2040, Setting(16, 8, 128))
    >>> bool(np.isclose(3 * found.d * found.d_m * found.L_m * 280, 1.594e10 - 7.27e8))
    True
    """
    M, N_a, N, d = positive(M=M, N_a=N_a, N=N, d=d)
    layers, experts, rest = _parts(M, N_a, N, setting)
    _refuse_sizes(layers, experts, rest)
    width = (N_a - setting.projections * d * layers) / (3 * d * setting.used * layers)
    if np.any(experts >= 3 * d * width * layers * (1 + 1e-12)):
        raise InputError("Parameter d is too large; a width that leaves weights to dense layers is expected.")
    L_m = experts / (3 * d * width)
    return Shape(np.asarray(d), np.asarray(layers - L_m), np.asarray(L_m), np.asarray(width))


def width_of_dense(M: ArrayLike, N_a: ArrayLike, N: ArrayLike, L_d: ArrayLike, setting: Setting) -> Floats:
    """Width at which given sizes leave room for exactly `L_d` dense layers; NaN where there is none.

    The positive root of Eq. 3 in d. It falls as `L_d` grows.

    Examples
    --------
    >>> setting = Setting(16, 8, 128)
    >>> round(float(width_of_dense(*account(2040, 1, 15, 592, setting), 1, setting)))
    2040
    """
    layers, _, rest = _parts(M, N_a, N, setting)
    linear = setting.projections * layers
    square = 3 * setting.gamma * np.asarray(L_d, dtype=float)
    possible = (layers > 0) & (rest > 0)
    root = np.sqrt(linear**2 + 4 * square * np.where(possible, rest, np.nan))
    return np.asarray(2 * rest / (linear + root))


def feasible_widths(
    M: ArrayLike, N_a: ArrayLike, N: ArrayLike, setting: Setting, least_dense: float = 1, least_moe: float = 1
) -> tuple[Floats, Floats]:
    """Smallest and largest width of any architecture with given sizes; NaN where there is none.

    It has at least so many layers of each kind, which need not be whole.

    Examples
    --------
    The sizes of a row of Table 21, where widths from 1248 to 2200 were tried:

    >>> setting = Setting(16, 8, 128)
    >>> low, high = feasible_widths(*account(2040, 1, 15, 592, setting), setting)
    >>> round(float(low)), round(float(high))
    (1013, 2040)
    """
    layers, experts, _ = _parts(M, N_a, N, setting)
    room = (experts > 0) & (layers >= (least_dense + least_moe) * (1 - 1e-12))
    low = width_of_dense(M, N_a, N, np.maximum(layers - least_moe, 0), setting)
    high = width_of_dense(M, N_a, N, least_dense, setting)
    return np.where(room, np.minimum(low, high), np.nan), np.where(room, high, np.nan)


def median_width(M: ArrayLike, N_a: ArrayLike, N: ArrayLike, setting: Setting) -> Floats:
    """Middle of the feasible widths, which stands for all of them in the first phase of the search; NaN where none.

    The paper does not say over what it takes the median. Here it is that of the continuous interval, with at least
    one layer of each kind.

    Examples
    --------
    >>> setting = Setting(16, 8, 128)
    >>> round(float(median_width(*account(2040, 1, 15, 592, setting), setting)))
    1526
    """
    low, high = feasible_widths(M, N_a, N, setting)
    return np.asarray((low + high) / 2)


def _parts(M: ArrayLike, N_a: ArrayLike, N: ArrayLike, setting: Setting) -> tuple[Floats, Floats, Floats]:
    """Return layers, the weights of one expert of each layer, and the weights outside experts."""
    M, N_a, N = (np.asarray(size, dtype=float) for size in (M, N_a, N))
    experts = (N - N_a) / setting.idle
    return np.asarray((M - 6 * N_a) / setting.scores), np.asarray(experts), np.asarray(N_a - setting.used * experts)


def _refuse_sizes(layers: Floats, experts: Floats, rest: Floats) -> None:
    if np.any(layers <= 0):
        raise InputError("Parameter M is not greater than six times N_a; attention scores need the difference.")
    if np.any(experts <= 0):
        raise InputError("Parameter N is not greater than N_a; idle experts are the difference.")
    if np.any(rest <= 0):
        raise InputError("Parameter N is too large for N_a; less than (N_e + 1)/(K + 1) times N_a is expected.")
