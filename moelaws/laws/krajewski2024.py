r"""The loss of fine-grained mixture-of-experts models: Krajewski et al. (2024).

===================== =============== =============================================================
paper                 here            meaning, unit and convention
===================== =============== =============================================================
:math:`N`             ``n_total``     all parameters (the published coefficients make sense for
                                      these, and not for active ones)
:math:`D`             ``n_tokens``    training tokens
:math:`G`             ``granularity`` width of the dense feed-forward over that of an expert: for
                                      one that is four times as wide as the model,
                                      :func:`moelaws.models.ratios.granularity`, ``factor=4``
:math:`c`             ``c``           loss that no model of this family gets below, nats per token
:math:`a, b`          ``a``, ``b``    size and data term at one parameter and one token
:math:`g`             ``g``           what granularity one adds to the size term
:math:`\alpha, \beta` ``alpha`` …     exponents of size and data
:math:`\gamma`        ``gamma``       exponent of granularity
===================== =============== =============================================================

The loss is in nats per token. All models of the paper have 64 times the expert weights that a token uses.

Examples
--------
The published law at 3.7 billion parameters and 20 billion tokens, coarse experts and fine ones:

>>> rows = {"n_total": [3.7e9, 3.7e9], "n_tokens": [2e10, 2e10], "granularity": [1, 16]}
>>> KRAJEWSKI2024.predict(KRAJEWSKI2024.theta(PUBLISHED), rows).round(2).tolist()
[3.02, 2.88]

References
----------
J. Krajewski, J. Ludziejewski et al., arXiv:2402.07871 (2024). Form and coefficients are taken from texts that cite it.
"""

from moelaws.laws.powers import FLOOR, PowerSum, coefficient, exponent

PUBLISHED = {"c": 0.47, "a": 18.1, "g": 2.1, "b": 30.8, "alpha": 0.115, "beta": 0.147, "gamma": 0.58}
"""Coefficients for an expansion of 64."""

KRAJEWSKI2024 = PowerSum(
    "krajewski2024",
    {
        "c": {},
        "a": {"n_total": "-alpha"},
        "g": {"n_total": "-alpha", "granularity": "-gamma"},
        "b": {"n_tokens": "-beta"},
    },
    [
        coefficient("c", FLOOR),
        coefficient("a", "size term at one parameter and infinite granularity"),
        coefficient("g", "what granularity one adds to it"),
        coefficient("b", "data term at one token"),
        exponent("alpha", "exponent of size"),
        exponent("beta", "exponent of data"),
        exponent("gamma", "exponent of granularity", (0.2, 0.5, 1.0, 2.0), high=5),
    ],
    reference="Krajewski et al., arXiv:2402.07871 (2024), as texts that cite it print it",
)
r"""Loss at fixed expansion, :math:`L = c + (g / G^{\gamma} + a) N^{-\alpha} + b D^{-\beta}`."""
