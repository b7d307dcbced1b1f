"""Over-training by Yun et al. (2024) for the reader's own law, hardware, prices and traffic.

The paper prints no coefficients, so that there is no plan without the reader's.
"""

import math
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from moelaws.checks import Floats, positive
from moelaws.data import files
from moelaws.errors import InputError
from moelaws.fitting import saved as artifact
from moelaws.fitting.estimation import Fit
from moelaws.fitting.intervals import Refits
from moelaws.fitting.prediction import distance
from moelaws.laws.yun2024 import YUN2024 as YUN2024
from moelaws.models.ratios import active_ratio, total_ratio
from moelaws.papers.yun2024.cost import Iteration, cheapest
from moelaws.papers.yun2024.overtraining import Model, OverTrained, budget, cheapest_at_loss, lowest_loss_at_cost
from moelaws.serving.footprint import SHAREGPT, Footprint, Traffic
from moelaws.serving.steps import load_device

RATIOS = ("to_optimum", "to_base", "cost_ratio")
"""What a plan has intervals of."""


@dataclass(frozen=True)
class Served:
    """A model with what it takes to train and to serve.

    Parameters
    ----------
    n_routed : float
        Experts.
    n_dense, n_active, n_total : float
        Parameters of the corresponding dense model, used for a token, and in all; without embeddings.
    n_tokens, tokens_per_parameter : float
        Training tokens, and these for each parameter of the corresponding dense model.
    loss : float
        By the law, nats per token.
    gpus, requests : float or None
        Devices that serve a token cheapest, and how many requests run on them together; None if the model does not fit.
    gpu_seconds_per_million, price_per_million : float or None
        Device seconds for a million generated tokens, and their price; None also without a price of an hour.
    """

    n_routed: float
    n_dense: float
    n_active: float
    n_total: float
    n_tokens: float
    tokens_per_parameter: float
    loss: float
    gpus: int | None
    requests: float | None
    gpu_seconds_per_million: float | None
    price_per_million: float | None


@dataclass(frozen=True)
class ServingPlan:
    """The model to train for cheap inference, beside the ones that it is measured by.

    Parameters
    ----------
    bound : str
        What the base model bounds, loss or cost.
    chosen, optimum, base : Served
        The model; the same number of experts, and the base model, at their lowest losses.
    to_optimum, to_base, cost_ratio : float
        Size over the optimum's and the base's, and cost over the base's.
    intervals : dict
        Ends of the 95 % intervals of these ratios by name, where the fit was saved with a bootstrap.
    """

    law: str
    bound: str
    device: str
    flops: float
    chosen: Served
    optimum: Served
    base: Served
    to_optimum: float
    to_base: float
    cost_ratio: float
    intervals: dict[str, tuple[float, float]]
    warnings: tuple[str, ...]

    def report(self) -> dict[str, Any]:
        """Return the plan as plain objects."""
        return asdict(self)


def read_coefficients(path: str | os.PathLike[str]) -> tuple[Floats, Fit | None, Refits | None]:
    """Read coefficients of Eq. 4 from a saved fit or from a JSON object of the ten values.

    They have the order of ``YUN2024.parameters``; with them come the fit, if it is one, and its bootstrap, if saved.
    """
    if Path(path).is_dir():
        fitted, refits = artifact.load(path)
        if fitted.law.name != YUN2024.name:
            raise InputError(f"{path}: the fit is of the law {fitted.law.name}; one of {YUN2024.name} is expected.")
        return fitted.coefficients, fitted, refits
    values = files.document(path)
    names = [parameter.name for parameter in YUN2024.parameters]
    if not isinstance(values, dict) or set(values) != set(names):
        raise InputError(f"{path}: an object with the values {', '.join(names)} and no others is expected.")
    for parameter in YUN2024.parameters:
        value, low, high = values[parameter.name], parameter.low, parameter.high
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise InputError(
                f"{path}: {parameter.name} is {value!r:.40}; a number from {low:g} to {high:g} is expected."
            )
        if abs(value) > sys.float_info.max:
            raise InputError(f"{path}: {parameter.name} is {value!r:.40}; a finite number is expected.")
    return YUN2024.theta(values), None, None


def plan(
    flops: float,
    coefficients: str | os.PathLike[str],
    base: float,
    experts: float,
    bound: Literal["loss", "cost"] = "loss",
    device: str = "A100-40G-SXM",
    gpus: int = 8,
    requests: float = np.inf,
    tokens_in: float = SHAREGPT.tokens_in,
    tokens_out: float = SHAREGPT.tokens_out,
    price: float | None = None,
) -> ServingPlan:
    """Return the model that serves cheapest at the base model's loss, or that has the lowest loss at its cost.

    Parameters
    ----------
    coefficients : path-like
        What :func:`read_coefficients` reads.
    base, experts : float
        Experts of the loss-optimal base model, and of the model that is looked for.
    bound : {"loss", "cost"}
        What the base model bounds: Algorithm 1 or 2.
    device : str
        Name in the table ``devices/devices``.
    gpus : int
        Most devices of one replica, up to :data:`moelaws.papers.yun2024.cost.MOST_GPUS`.
    requests : float
        Most requests that a replica runs together; as many as the memory holds, unless said.
    tokens_in, tokens_out : float
        Tokens of an average prompt and output.

    Examples
    --------
    With coefficients made up for this example, eight experts reach the loss of four at 38 % of the cost:

    >>> import json, tempfile
    >>> values = {"A": 420, "B": 2.6, "C": 7100, "F": 2.0, "alpha": 0.28, "beta": 1.4, "gamma": 0.36, "d": -0.004}
    >>> with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
    ...     _ = file.write(json.dumps(values | {"E_start": 8, "E_max": 330}))
    ...     file.flush()
    ...     answer = plan(5e21, file.name, base=4, experts=8)
    >>> round(answer.cost_ratio, 2), round(answer.to_optimum, 2)
    (0.38, 0.28)
    """
    machine, traffic = load_device(device), Traffic(tokens_in, tokens_out)
    positive(flops=flops)
    for name, value in (("base", base), ("experts", experts)):
        if not 1 <= value < np.inf:
            raise InputError(f"Parameter {name} has the value {value:g}; a number from 1 on is expected.")
    if price is not None:
        positive(price=price)
    theta, fitted, refits = read_coefficients(coefficients)
    algorithm = cheapest_at_loss if bound == "loss" else lowest_loss_at_cost

    def serve(n_dense: Floats, n_routed: float) -> Iteration:
        return cheapest(Footprint.of_size(n_dense, n_routed, traffic), machine, gpus, requests)

    def solve(theta: Floats) -> OverTrained:
        return algorithm(budget(theta, flops, lambda *size: serve(*size).gpu_seconds), base, experts)

    answer = solve(theta)
    for model in (answer.base, answer.chosen):
        if np.isnan(model.n_dense):
            raise InputError(f"No model with {experts:g} experts has the {bound} of the base model at this budget.")
        if np.isnan(model.cost):
            raise InputError(
                f"The model with {model.n_routed:g} experts does not fit {gpus} {device}; more are expected."
            )

    def served(model: Model) -> Served:
        return _served(model, serve(model.n_dense, model.n_routed), price)

    intervals = {} if refits is None else _intervals(refits, solve)
    objections = _objections(answer, fitted, bound)
    if refits is not None and not intervals:
        objections.append("There are no intervals: with the coefficients of some draws no model is the answer.")
    return ServingPlan(
        law=YUN2024.name,
        bound=bound,
        device=device,
        flops=float(flops),
        chosen=served(answer.chosen),
        optimum=served(answer.optimum),
        base=served(answer.base),
        to_optimum=float(answer.to_optimum),
        to_base=float(answer.to_base),
        cost_ratio=float(answer.cost_ratio),
        intervals=intervals,
        warnings=tuple(objections),
    )


def _served(model: Model, step: Iteration, price: float | None) -> Served:
    size, seconds = float(model.n_dense), 1e6 * float(step.gpu_seconds)
    fits = not math.isnan(seconds)
    return Served(
        n_routed=model.n_routed,
        n_dense=size,
        n_active=size * float(active_ratio(model.n_routed)),
        n_total=size * float(total_ratio(model.n_routed)),
        n_tokens=float(model.n_tokens),
        tokens_per_parameter=float(model.tokens_per_parameter),
        loss=float(model.loss),
        gpus=int(step.gpus) if fits else None,
        requests=float(step.batch) if fits else None,
        gpu_seconds_per_million=seconds if fits else None,
        price_per_million=price * seconds / 3600 if fits and price is not None else None,
    )


def _intervals(refits: Refits, solve: Callable[[Floats], OverTrained]) -> dict[str, tuple[float, float]]:
    """Return the intervals of the ratios; none where a draw has no answer, as the others alone would be too narrow."""
    try:
        answer = solve(np.array([refits.fit.problem.theta(draw) for draw in refits.coefficients]))
    except InputError:
        return {}
    ratios = {name: getattr(answer, name) for name in RATIOS}
    if np.isnan(list(ratios.values())).any():
        return {}
    ends = {name: refits.interval(values) for name, values in ratios.items()}
    return {name: (float(low), float(high)) for name, (low, high) in ends.items()}


def _objections(answer: OverTrained, fitted: Fit | None, bound: str) -> list[str]:
    objections = []
    if bound == "cost" and answer.to_optimum == 1:
        objections.append(
            "The loss optimum costs less than the base model; it is the answer, and the bound does not bind."
        )
    if fitted is None:
        objections.append(
            "How far the models lie from the runs behind the coefficients, a file of values does not say."
        )
        return objections
    for name, model in (("chosen", answer.chosen), ("base", answer.base)):
        point = pd.DataFrame({column: [float(getattr(model, column))] for column in YUN2024.columns})
        if (outside := float(distance(fitted, point)[0])) > 0:
            objections.append(
                f"The {name} model is an extrapolation: it lies {outside:.2g} of the fitted log range outside the runs."
            )
    return objections
