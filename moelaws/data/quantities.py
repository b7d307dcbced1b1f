"""Quantities of training runs: unit, the values that they can have and those that they usually have."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Quantity:
    """What a column of a known name holds.

    Attributes
    ----------
    unit, meaning : str
        Unit of a value, and what it stands for.
    low, high : float
        No value lies outside.
    usual : tuple of float
        Where the median of a column lies, unless it is in another unit.
    aliases : tuple of str
        What others call the quantity, in small letters; for hints only.
    span : tuple of float, optional
        From small to large runs, for what laws read: the range on which every law is tried.
    """

    unit: str
    meaning: str
    low: float
    high: float
    usual: tuple[float, float] = (0.0, np.inf)
    aliases: tuple[str, ...] = ()
    span: tuple[float, float] | None = None


_ACTIVE = ("na", "active_params", "params_active", "activated_params", "params", "parameters", "n")
_TOTAL = ("total_params", "params_total", "total_parameters", "params", "parameters", "n")
_EXPERTS = ("num_experts", "n_experts", "experts", "nume", "e")
_USED = ("topk", "k", "experts_per_token")
_LOSS = ("val_loss", "cross_entropy", "ppl")
_SIZE = (1.0, 1e18, (1e4, 1e14))

QUANTITIES = {
    "n_active": Quantity("parameters", "parameters used for one token", *_SIZE, _ACTIVE, (2e7, 2e10)),
    "n_total": Quantity("parameters", "all parameters", *_SIZE, _TOTAL, (2e7, 2e11)),
    "n_dense": Quantity(
        "parameters", "parameters of the dense model that was given experts", *_SIZE, ("dense_params",), (2e7, 2e10)
    ),
    "n_tokens": Quantity(
        "tokens", "training tokens", 1e-6, 1e20, (1e6, 1e16), ("tokens", "d", "training_tokens"), (1e9, 1e12)
    ),
    "flops": Quantity(
        "FLOP", "training compute", 1e-6, 1e35, (1e10, 1e30), ("compute", "c", "budget_flops"), (1e18, 1e24)
    ),
    "n_routed": Quantity(
        "experts", "routed experts in a layer, 1 for a dense model", 1.0, 1e7, aliases=_EXPERTS, span=(1, 512)
    ),
    "top_k": Quantity("experts", "routed experts used for one token", 1.0, 1e7, aliases=_USED),
    "activation_ratio": Quantity(
        "experts used over experts", "share of experts used for one token", 0.0, 1.0, span=(0.005, 1)
    ),
    "granularity": Quantity("", "how much narrower experts are than a dense layer", 0.0, 1e4, span=(1, 32)),
    "loss": Quantity("nats/token", "loss at the end of the run", 0.0, 14.0, (0.2, 7.0), _LOSS),
    "leverage": Quantity("", "compute of a dense model over that of one as good with experts", 0.0, 1e4),
}
"""Every column with a meaning of its own, by name."""

HIGHEST_LOSS = {"nats/token": 14.0, "bits/token": 20.0, "bits/byte": 8.0}
"""What no loss exceeds, by `loss_unit`: guessing among a million tokens, or among all bytes."""

NO_MORE_THAN = {"top_k": "n_routed", "n_active": "n_total"}
"""Quantities that do not exceed another one of the same run."""

CONVENTIONS = {
    "loss_unit": ("loss",),
    "loss_set": ("loss",),
    "annealed": ("loss",),
    "n_embedding_counted": ("n_active", "n_total", "n_dense"),
    "tokens_convention": ("n_tokens",),
    "flops_convention": ("flops",),
}
"""Columns that say how others were counted or measured: only rows of one value can be compared."""

RUNS = ("run", "run_id", "run_name", "hyper_id", "trunk", "trajectory")
"""Columns whose rows of one value belong to one run."""

STEPS = ("step", "steps", "checkpoint", "iteration", "n_tokens")
"""Columns along which a run goes on."""

GROUPS = (*RUNS, "group", "seed", "series")
"""Columns of names, even where they are numbers."""
