"""A plan: the steps from a budget to an architecture, each with its source."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

Source = Literal["printed", "refitted", "chosen", "computed"]

SOURCES: dict[Source, str] = {
    "printed": "the paper's own number or law",
    "refitted": "a law fitted here to what the paper tabulates",
    "chosen": "a choice of ours, where the paper leaves one",
    "computed": "follows from the steps before by the paper's equations",
}
"""What a step can rest on."""


@dataclass(frozen=True)
class Step:
    """One step of a plan.

    Parameters
    ----------
    quantity, unit, value
        What is decided.
    source : {"printed", "refitted", "chosen", "computed"}
        What it rests on, see ``SOURCES``; `how` says it in words.
    low, high : float, optional
        Ends of its interval, if it has one, and `interval`, what that means.
    """

    quantity: str
    unit: str
    value: float
    source: Source
    how: str
    low: float | None = None
    high: float | None = None
    interval: str = ""

    def holds(self, value: float) -> bool:
        """Say whether a value lies in the step's interval; without one, whether it is the step's."""
        if self.low is None or self.high is None:
            return bool(np.isclose(value, self.value))
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Plan:
    """What a law recommends for a budget.

    Parameters
    ----------
    law, flops
        Name of the law, and the budget.
    outside : float
        Distance outside the budgets of the law's runs, in units of their own range on a logarithmic axis; zero inside.
    decades : float
        The same distance in powers of ten.
    architecture : dict
        Sizes in whole numbers, by the names of the book.
    realised : dict
        What the whole numbers give, by the names of the steps.
    """

    law: str
    flops: float
    outside: float
    decades: float
    steps: tuple[Step, ...]
    architecture: dict[str, int]
    realised: dict[str, float]
    warnings: tuple[str, ...]

    def step(self, quantity: str) -> Step:
        """Return the step that decides a quantity."""
        return next(step for step in self.steps if step.quantity == quantity)

    def report(self) -> dict[str, Any]:
        """Return the plan as plain objects."""
        return asdict(self)
