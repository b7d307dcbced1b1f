r"""The loss of sparse models as a function of total size: Abnar et al. (2025).

======================= ==================== ===================================================
paper                   here                 meaning, unit and convention
======================= ==================== ===================================================
:math:`N`               ``n_total``          all parameters
:math:`D`               ``n_tokens``         training tokens
:math:`1 - S`           ``activation_ratio`` active over all experts; 1 for a dense model
:math:`a, b, c, d`      ``a`` …              coefficients of size, data, sparsity, and sparsity
                                             times size, nats per token
:math:`e`               ``e``                loss that no model gets below, nats per token
:math:`\alpha, \beta`   ``alpha`` …          exponents of size and data
:math:`\lambda, \delta` ``lambda`` …         exponents of the active share, alone and with size
:math:`\gamma`          ``gamma``            exponent of size in the last term
======================= ==================== ===================================================

Examples
--------
The published law at a billion parameters and 20 billion tokens, dense and with one part in 50 active:

>>> rows = {"n_total": [1e9, 1e9], "n_tokens": [2e10, 2e10], "activation_ratio": [1, 0.02]}
>>> ABNAR2025.predict(ABNAR2025.theta(PUBLISHED), rows).round(2).tolist()
[2.57, 2.9]

References
----------
S. Abnar et al., arXiv:2501.12370 (2025). Form and coefficients are taken from texts that cite it.
"""

from moelaws.laws.powers import FLOOR, PowerSum, coefficient, exponent

PUBLISHED = {
    "a": 16612.50,
    "b": 5455.67,
    "c": 0.4598,
    "d": 17.26,
    "e": 0.94,
    "alpha": 0.5962,
    "beta": 0.3954,
    "lambda": -0.1666,
    "delta": 0.1603,
    "gamma": 0.1595,
}
"""Coefficients as two texts print them."""

_STARTS = (0.1, 0.2, 0.4, 0.7)

ABNAR2025 = PowerSum(
    "abnar2025",
    {
        "e": {},
        "a": {"n_total": "-alpha"},
        "b": {"n_tokens": "-beta"},
        "c": {"activation_ratio": "-lambda"},
        "d": {"activation_ratio": "-delta", "n_total": "-gamma"},
    },
    [
        coefficient("e", FLOOR),
        coefficient("a", "size term at one parameter"),
        coefficient("b", "data term at one token"),
        coefficient("c", "sparsity term of a dense model"),
        coefficient("d", "joint term of a dense model at one parameter"),
        exponent("alpha", "exponent of size", _STARTS),
        exponent("beta", "exponent of data", _STARTS),
        exponent("lambda", "exponent of the active share", (-0.5, -0.2, 0.2), low=-3),
        exponent("delta", "exponent of the active share in the joint term", (0.1, 0.3), low=-3),
        exponent("gamma", "exponent of size in the joint term", (0.1, 0.2, 0.4)),
    ],
    reference="Abnar et al., arXiv:2501.12370 (2025), as two texts that cite it print it",
)
r"""Loss, :math:`L = e + a N^{-\alpha} + b D^{-\beta} + c (1-S)^{-\lambda} + d (1-S)^{-\delta} N^{-\gamma}`."""
