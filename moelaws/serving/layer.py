r"""How long one mixture-of-experts layer takes, on any machine.

A sum like that of a server's step (:mod:`moelaws.serving.steps`), for one layer of gated experts of which
`D` are used by at least one token:

.. math::
    t = t_0 + \tau D + \frac{\text{bytes of D experts}}{\text{bandwidth}}
            + \frac{\text{FLOP}}{\text{rate}} + \frac{\text{elements of hidden states}}{\text{moved}}

Bytes of weights and elements of hidden states are the two halves of the traffic of Eq. 3 of Yang et al.
(:func:`moelaws.serving.roofline.moe_traffic`). The term of each expert stands for a program that loops over
experts; a kernel that does all of them at once has none.

How many experts are used depends on how tokens are routed, of which the law knows nothing: it reads
the number from a column. :func:`moelaws.serving.roofline.distinct_experts` gives it for random routing,
:func:`even_experts` for routing that spreads tokens as evenly as can be.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from moelaws.checks import Columns, Floats, positive
from moelaws.errors import InputError
from moelaws.laws.base import Law, Parameter
from moelaws.serving import roofline as yang2025


def even_experts(n_routed: ArrayLike, top_k: ArrayLike, tokens: ArrayLike) -> Floats:
    """Return how many experts are used if tokens are spread evenly: all, or a new one for each choice.

    It is the most that is possible.

    Parameters
    ----------
    n_routed, top_k, tokens : array_like
        Routed experts, active experts for each token (at most `n_routed`), tokens.

    Raises
    ------
    InputError
        If a value is not positive, or `top_k` is greater than `n_routed`.

    Examples
    --------
    Sixteen tokens with eight of 128 experts each; random routing uses 82:

    >>> even_experts(n_routed=128, top_k=8, tokens=[1, 4, 16, 64]).tolist()
    [8.0, 32.0, 128.0, 128.0]
    """
    n_routed, top_k, tokens = positive(n_routed=n_routed, top_k=top_k, tokens=tokens)
    if np.any(top_k > n_routed):
        raise InputError("Parameter top_k is greater than n_routed; a token uses at most as many experts as there are.")
    return np.minimum(n_routed, top_k * tokens)


@dataclass(frozen=True)
class LayerTime(Law):
    """The time of a layer of gated experts, on one machine and in one precision.

    Read are the three matrices of every expert that at least one token uses, once; moved are the input, the
    output and the two inner vectors of each token in each of its experts. Its terms must not be negative, so
    it is fitted with :data:`moelaws.fitting.estimation.RELATIVE_SQUARES`.

    Examples
    --------
    The layer of DeepSeek-V2-Lite, 64 tokens that use all 64 experts, read at 1 TB/s:

    >>> row = {"tokens": 64, "distinct_experts": 64, "top_k": 6, "d_model": 2048, "d_expert": 1408, "weight_bytes": 2}
    >>> machine = {"overhead": 0.01, "per_expert": 0, "bandwidth": 1000, "rate": 100, "moved": np.inf}
    >>> law = LayerTime()
    >>> round(float(law.predict(law.theta(machine), {name: [value] for name, value in row.items()})[0]), 3)
    1.184
    """

    name = "layer_time"
    columns = (
        "tokens",
        "distinct_experts",
        "top_k",
        "d_model",
        "d_expert",
        "weight_bytes",
    )
    response = "time_ms"
    linear = (
        Parameter("overhead", "time that depends on nothing", "ms", low=0),
        Parameter("per_expert", "time that each expert in use adds besides its weights", "ms", low=0),
        Parameter("bandwidth", "bytes of weights read per second", "GB/s", low=0, rate=True),
        Parameter("rate", "work done per second", "TFLOP/s", low=0, rate=True),
        Parameter("moved", "elements of hidden states moved per second", "1e9/s", low=0, rate=True),
    )

    def reads(self, table: Columns) -> Floats:
        """Gigabytes of weights that are read."""
        d_model, d_expert, experts, size = _floats(table, "d_model", "d_expert", "distinct_experts", "weight_bytes")
        return 3 * experts * d_model * d_expert * size / 1e9

    def work(self, table: Columns) -> Floats:
        """Work in TFLOP (1e12 FLOP)."""
        return yang2025.moe_flops(*_floats(table, "tokens", "d_model", "d_expert", "top_k")) / 1e12

    def moves(self, table: Columns) -> Floats:
        """Elements of hidden states that are read or written, 1e9."""
        tokens, top_k, d_model, d_expert = _floats(table, "tokens", "top_k", "d_model", "d_expert")
        return 2 * tokens * top_k * (d_model + d_expert) / 1e9

    def terms(self, shape: Floats, table: Columns) -> Floats:
        """Return the law's five terms at coefficient one, milliseconds."""
        (experts,) = _floats(table, "distinct_experts")
        spent = [1e3 * self.reads(table), 1e3 * self.work(table), 1e3 * self.moves(table)]
        terms = np.stack([np.ones_like(experts), experts, *spent], axis=-1)
        return np.broadcast_to(terms, (*shape.shape[:-1], *terms.shape))


def _floats(table: Columns, *names: str) -> list[Floats]:
    return [np.asarray(table[name], dtype=float) for name in names]
