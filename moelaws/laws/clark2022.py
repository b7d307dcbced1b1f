r"""The loss of a routed language model: Clark et al. (2022).

===================== ============ ===========================================================
paper                 here         meaning, unit and convention
===================== ============ ===========================================================
:math:`N`             ``n_active`` parameters that one token sees (the dense model's)
:math:`E`             ``n_routed`` experts in a routed layer, 1 for a dense model
:math:`\hat E`        saturated    experts, bounded at both ends
:math:`a, b, c, d`    ``a`` …      coefficients for base-10 logarithms
:math:`E_{start}`     ``E_start``  experts below which routing does not help yet
:math:`E_{max}`       ``E_max``    experts above which it does not help any more
===================== ============ ===========================================================

The loss is in nats per token. All runs of the paper see 130 billion tokens.

References
----------
A. Clark et al., arXiv:2202.01169 (2022).
"""

import numpy as np

from moelaws.checks import Columns, Floats
from moelaws.laws.base import Law, Parameter

PUBLISHED = {
    "S-Base": {"a": -0.082, "b": -0.108, "c": 0.009, "d": 1.104, "E_start": 1.847, "E_max": 314.478},
    "RL-R": {"a": -0.083, "b": -0.126, "c": 0.012, "d": 1.111, "E_start": 1.880, "E_max": 469.982},
    "Hash": {"a": -0.087, "b": -0.136, "c": 0.012, "d": 1.157, "E_start": 4.175, "E_max": 477.741},
}
"""Coefficients of Clark et al. (2022) for their three routers."""


def saturated(experts: Floats | float, start: Floats | float, end: Floats | float) -> Floats:
    r"""Bound the number of experts at both ends.

    .. math:: 1/\hat E = \frac{1}{E - 1 + (1/E_{start} - 1/E_{max})^{-1}} + \frac{1}{E_{max}}

    One expert counts as `start`, infinitely many as `end`.

    Examples
    --------
    >>> round(float(saturated(1, 1.847, 314.478)), 3), round(float(saturated(1e9, 1.847, 314.478)), 2)
    (1.847, 314.48)
    """
    return np.asarray(1 / (1 / (experts - 1 + 1 / (1 / start - 1 / end)) + 1 / end))


def saturated_slopes(experts: Floats, start: float, end: float) -> tuple[Floats, Floats]:
    """Return the derivatives of ln Ê with respect to `start` and `end`."""
    bounded = saturated(experts, start, end)
    offset = 1 / (1 / start - 1 / end)
    # 1/Ê = 1/(E - 1 + offset) + 1/end, and d ln Ê = -Ê d(1/Ê)
    inner = (offset / (experts - 1 + offset)) ** 2
    return np.asarray(bounded * inner / start**2), np.asarray(bounded * (1 - inner) / end**2)


class Clark2022(Law):
    r"""Loss of a routed model, :math:`\log_{10} L = a \log N + b \log\hat E + c \log N \log\hat E + d`.

    Examples
    --------
    The published law of S-Base routers at 1.3 billion parameters, one and 64 experts:

    >>> law = Clark2022()
    >>> rows = {"n_active": np.array([1.3e9, 1.3e9]), "n_routed": np.array([1.0, 64.0])}
    >>> law.predict(law.theta(PUBLISHED["S-Base"]), rows).round(3).tolist()
    [2.237, 2.05]
    """

    name = "clark2022"
    link = "log"
    columns = ("n_active", "n_routed")
    linear = (
        Parameter("a", "exponent of size", "1"),
        Parameter("b", "exponent of experts at one parameter", "1"),
        Parameter("c", "interaction of size and experts", "1"),
        Parameter("d", "loss at one parameter, base-10 logarithm", "1"),
    )
    shape = (
        Parameter(
            "E_start", "experts below which routing does not help", "experts", 1, 64, (1.05, 1.3, 2.0, 3.0, 5.0, 9.0)
        ),
        Parameter(
            "E_max", "experts above which it does not help any more", "experts", 65, 1e6, (70, 150, 400, 1e3, 1e4)
        ),
    )

    def terms(self, shape: Floats, table: Columns) -> Floats:
        """Return the four terms, times ln 10 as the link is the natural logarithm."""
        log_n = np.log10(np.asarray(table["n_active"], dtype=float))
        experts = np.asarray(table["n_routed"], dtype=float)
        log_e = np.log10(saturated(experts, shape[..., :1], shape[..., 1:2]))
        log_n = np.broadcast_to(log_n, log_e.shape)
        return np.asarray(np.log(10) * np.stack([log_n, log_e, log_n * log_e, np.ones_like(log_e)], axis=-1))

    def slopes(self, shape: Floats, table: Columns) -> Floats:
        """Return the derivative of the terms with respect to E_start and E_max."""
        experts = np.asarray(table["n_routed"], dtype=float)
        by_start, by_end = saturated_slopes(experts, shape[0], shape[1])
        log_n = np.log10(np.asarray(table["n_active"], dtype=float))
        slopes = np.zeros((len(experts), 4, 2))
        for column, by in enumerate((by_start, by_end)):
            slopes[:, 1, column], slopes[:, 2, column] = by, log_n * by
        return slopes
