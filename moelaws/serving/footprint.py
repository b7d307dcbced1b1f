"""What a server of a model keeps, reads and computes for an average request.

From an architecture, exactly; or from a size alone by the rules of Yun et al. (2024, arXiv:2404.02852, Section 4),
vectorised over sizes and experts.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from moelaws.checks import Floats, positive
from moelaws.errors import InputError
from moelaws.models import ratios
from moelaws.models.catalogue import Architecture
from moelaws.serving import roofline as yang2025

Value: TypeAlias = Floats | float

MU = 0.0477
"""Hidden size times layers over N^(2/3) for N = 12 h² l and 64 elements of hidden size for each layer.

The paper does not print its value. The largest model of its Table 1 has this one."""

BYTES = 2
"""Bytes of a weight, of an element of the cache and of an activation in bf16."""


@dataclass(frozen=True)
class Traffic:
    """An average request.

    Parameters
    ----------
    tokens_in, tokens_out : float
        Tokens of the prompt and of the output.

    Raises
    ------
    InputError
        If one of them is below one.
    """

    tokens_in: float
    tokens_out: float

    def __post_init__(self) -> None:
        for name, value in (("tokens_in", self.tokens_in), ("tokens_out", self.tokens_out)):
            if not 1 <= value < np.inf:
                raise InputError(f"Parameter {name} has the value {value}; a number from 1 on is expected.")

    @property
    def context(self) -> float:
        """Tokens that a running request holds in the cache on average: the paper's (2p + n)/2."""
        return self.tokens_in + self.tokens_out / 2


SHAREGPT = Traffic(161.31, 337.99)
"""Averages of ShareGPT, which the paper names and does not print; from arXiv:2309.06180."""


@dataclass(frozen=True)
class Footprint:
    """What a server of a model keeps, reads and computes. All values broadcast.

    Parameters
    ----------
    traffic : Traffic
        An average request.
    weights, always, experts : float or numpy.ndarray
        Bytes of all weights; of those that every step reads; of all routed experts.
    n_routed, top_k : float or numpy.ndarray
        Routed experts in a layer, and how many of them a token uses; one and one for a dense model.
    cache : float or numpy.ndarray
        Bytes of the cache of a running request, on average.
    token_flops, prompt_flops : float or numpy.ndarray
        FLOP of a generated token, and of a whole prompt, with attention scores.
    exchange : float or numpy.ndarray
        Bytes of a token that all devices have to sum, over all layers.
    """

    traffic: Traffic
    weights: Value
    always: Value
    experts: Value
    n_routed: Value
    top_k: Value
    cache: Value
    token_flops: Value
    prompt_flops: Value
    exchange: Value

    @classmethod
    def of_size(
        cls, n_dense: ArrayLike, n_routed: ArrayLike, traffic: Traffic = SHAREGPT, mu: ArrayLike = MU
    ) -> "Footprint":
        """Return the footprint of a size by the paper's rules, in bf16.

        Two experts of every second layer are active, keys and values are as wide as the model, and
        hidden size times layers is `mu` N^(2/3).

        Examples
        --------
        A dense model of 3.36 billion parameters on one A100 with 40 GB runs 235 requests together:

        >>> from moelaws.serving.steps import load_device
        >>> model = Footprint.of_size(3.36e9, 1)
        >>> round(float((load_device("A100-40G-SXM").memory - model.weights) / model.cache))
        235
        """
        n_dense, experts, mu = positive(n_dense=n_dense, n_routed=n_routed, mu=mu)
        breadth = mu * n_dense ** (2 / 3)
        matrices, scores = 2 * n_dense * ratios.active_ratio(experts), 4 * breadth
        prompt = traffic.tokens_in
        return cls(
            traffic,
            weights=BYTES * n_dense * ratios.total_ratio(experts),
            always=BYTES * n_dense * (1 - ratios.MLP_SHARE),
            experts=BYTES * n_dense * ratios.MLP_SHARE * experts,
            n_routed=experts,
            top_k=np.minimum(2, experts),
            cache=BYTES * 2 * breadth * traffic.context,
            token_flops=matrices + scores * traffic.context,
            prompt_flops=prompt * (matrices + scores * (prompt + 1) / 2),
            exchange=BYTES * 2 * breadth,
        )

    @classmethod
    def of_architecture(
        cls, model: Architecture, traffic: Traffic, weight_bytes: float = BYTES, cache_bytes: float = BYTES
    ) -> "Footprint":
        """Return the footprint of an architecture, with its own cache and its embeddings.

        Tokens are rounded to whole ones. A prompt needs the output layer for its last token only,
        which is left out.

        Parameters
        ----------
        model : Architecture
            The model.
        traffic : Traffic
            An average request.
        weight_bytes, cache_bytes : float
            Bytes of a weight, and of an element of the key-value cache.
        """
        expert = model.n_moe_layers * model.expert_weights
        context, prompt = round(traffic.context), round(traffic.tokens_in)
        return cls(
            traffic,
            weights=model.weight_bytes(weight_bytes),
            always=weight_bytes * (model.n_active - model.top_k * expert),
            experts=weight_bytes * model.n_routed * expert,
            n_routed=max(model.n_routed, 1),
            top_k=max(model.top_k, 1),
            cache=model.kv_cache_bytes(context, cache_bytes),
            token_flops=model.forward_flops(context),
            prompt_flops=prompt * model.forward_flops(prompt, causal=True, output_layer=False),
            exchange=BYTES * 2 * model.n_layers * model.d_model,
        )

    def read(self, tokens: ArrayLike) -> Floats:
        """Bytes of weights that tokens processed together touch."""
        touched = yang2025.distinct_experts(self.n_routed, self.top_k, tokens) / np.asarray(self.n_routed)
        return np.asarray(self.always + touched * self.experts)
