"""What Yun et al. (2024) state about cost, by several rules of what a token costs.

The paper measured latencies and did not publish them, and it does not say how many devices serve a replica. So a
statement on cost is computed by each of the rules in :data:`RULES`, the same for all statements:

=================== =================================================================================================
rule                cost of a generated token
=================== =================================================================================================
1, 2, 4, 8 devices  device seconds on so many devices (G), the memory full of requests, with latencies of a data sheet
fewest devices      the same on the fewest devices that hold the weights and one request
Eq. 5               the same on one to eight devices, whichever number costs least
256 requests        the same with at most 256 requests together, the limit that vLLM had unless changed
all parameters      proportional to all parameters
=================== =================================================================================================

:data:`STATEMENTS` says which numbers of which statement are meant: models at equal loss are those of Algorithm 1, sizes
at equal cost those of Algorithm 2 where the bound binds. Sizes are counted as compute is, by active or all parameters.

References
----------
L. Yun et al., arXiv:2404.02852 (2024), Sections 4 and 5.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from moelaws.checks import Floats
from moelaws.models.ratios import total_ratio
from moelaws.papers.yun2024.cost import cheapest, iteration, largest_batch
from moelaws.papers.yun2024.overtraining import Budget, OfSize, budget, cheapest_at_loss, size_at_cost
from moelaws.papers.yun2024.statements import HIGH, LOW, MIDDLE, Counted, ratio
from moelaws.serving.footprint import Footprint
from moelaws.serving.steps import load_device

LARGEST = 8.18e21
"""The largest budget that a statement on cost names, in FLOP; the smallest is `MIDDLE`."""

DEVICE, MOST = load_device("A100-40G-SXM"), 8


def on_devices(gpus: float, n_dense: Floats, n_routed: float) -> Floats:
    """Return device seconds for a token on a number of devices with a full memory; nan where a model does not fit."""
    model = Footprint.of_size(n_dense, n_routed)
    return iteration(model, DEVICE, gpus, largest_batch(model, DEVICE, gpus)).gpu_seconds


def on_fewest(n_dense: Floats, n_routed: float) -> Floats:
    """Return the same on as few devices as hold the weights and one request."""
    model = Footprint.of_size(n_dense, n_routed)
    gpus = np.ceil((model.weights + model.cache) / DEVICE.memory)
    gpus = np.where(gpus <= MOST, gpus, np.nan)
    return iteration(model, DEVICE, gpus, largest_batch(model, DEVICE, gpus)).gpu_seconds


def on_cheapest(n_dense: Floats, n_routed: float, most_requests: float = np.inf) -> Floats:
    """Return the same on the number of devices where it is least, Eq. 5."""
    return cheapest(Footprint.of_size(n_dense, n_routed), DEVICE, MOST, most_requests).gpu_seconds


def of_all_parameters(n_dense: Floats, n_routed: float) -> Floats:
    """Return all parameters, to which the cost is proportional."""
    return n_dense * total_ratio(n_routed)


RULES: dict[str, OfSize] = {
    "1 device": partial(on_devices, 1),
    "2 devices": partial(on_devices, 2),
    "4 devices": partial(on_devices, 4),
    "8 devices": partial(on_devices, 8),
    "fewest devices": on_fewest,
    "Eq. 5": on_cheapest,
    "256 requests": partial(on_cheapest, most_requests=256),
    "all parameters": of_all_parameters,
}


@dataclass(frozen=True)
class OnCost:
    """A printed number on cost: which models it compares, and at which budget.

    Parameters
    ----------
    kind : {"cost", "saving", "size", "own"}
        Cost over the base model's at equal loss, and what is saved of it; size over the base model's at equal cost, and
        over the same experts' own loss-optimal size.
    base, target : float
        Experts of the loss-optimal base model and of the other one.
    """

    kind: Literal["cost", "saving", "size", "own"]
    base: float
    target: float
    flops: float

    def of(self, theta: Floats, rule: str, counted: Counted = "active") -> Floats:
        """Return the ratio for sets of coefficients; nan where no model does what is asked for.

        Examples
        --------
        With coefficients made up for this example, 32 experts may have 27 % of the size of four on one device:

        >>> theta = np.array([420, 2.6, 7100, 2.0, 0.28, 1.4, 0.36, -0.004, 8.0, 330.0])
        >>> round(float(OnCost("size", 4, 32, 5.15e21).of(theta, "1 device")), 2)
        0.27
        """
        cost = RULES[rule]
        b: Budget = budget(theta, self.flops, cost, partial(ratio, counted))
        if self.kind in ("cost", "saving"):
            costs = cheapest_at_loss(b, self.base, self.target).cost_ratio
            return costs if self.kind == "cost" else 1 - costs
        base = b.best(self.base)
        size = size_at_cost(cost, base.cost, self.target)
        if self.kind == "own":
            return size / b.optimum(self.target)
        return size / base.n_dense * ratio(counted, self.target) / ratio(counted, self.base)


STATEMENTS: dict[str, dict[str, OnCost]] = {
    "R05": {
        "32 experts, smallest budget": OnCost("own", 4, 32, LOW),
        "32 experts, largest budget": OnCost("own", 4, 32, HIGH),
    },
    "R07": {
        f"saving of {target} experts, {name} budget": OnCost("saving", 4, target, flops)
        for target in (8, 16)
        for name, flops in (("smaller", MIDDLE), ("larger", LARGEST))
    },
    "R08": {
        f"cost of 8 experts, {name} budget": OnCost("cost", 1, 8, flops)
        for name, flops in (("smaller", MIDDLE), ("larger", LARGEST))
    },
    "R11": {f"{target} experts": OnCost("size", 1, target, MIDDLE) for target in (4, 8, 16, 32)},
    "R12": {f"{target} experts": OnCost("size", 4, target, MIDDLE) for target in (8, 16, 32)},
}
"""Numbers on cost by the statement that prints them."""
