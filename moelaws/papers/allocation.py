"""What a law recommends for a budget of training compute, step by step, and what each step rests on."""

import math
from collections.abc import Callable

from moelaws.checks import positive
from moelaws.errors import InputError
from moelaws.papers.plan import SOURCES, Plan, Step
from moelaws.papers.wan2026 import allocation as wan2026

__all__ = ["PLANNERS", "SOURCES", "Plan", "Planner", "Step", "allocate"]

Planner = Callable[[float], Plan]

PLANNERS: dict[str, tuple[Planner, tuple[float, float]]] = {"wan2026": (wan2026.plan, wan2026.RANGE)}
"""By the law's name: what makes a plan for a budget, and the budgets between which the law's runs lie."""

FARTHEST = 1e6
"""No plan is made for a budget so many times above the largest run or below the smallest."""


def allocate(law: str, flops: float, extrapolate: bool = False) -> Plan:
    """Return what a law, one of ``PLANNERS``, recommends for a budget in FLOP.

    Outside the budgets of the law's own runs, it has to be asked to `extrapolate`.

    Examples
    --------
    >>> plan = allocate("wan2026", 3e20)
    >>> plan.step("flops_per_token").source, f"{plan.step('flops_per_token').value:.3g}"
    ('printed', '5.94e+09')
    >>> {name: plan.architecture[name] for name in ("d_model", "n_dense_layers", "n_moe_layers", "d_expert")}
    {'d_model': 1952, 'n_dense_layers': 2, 'n_moe_layers': 13, 'd_expert': 720}
    """
    if law not in PLANNERS:
        raise InputError(
            f"There is no allocation by a law '{law}'; the laws are {', '.join(PLANNERS)} and, with coefficients of "
            "your own, yun2024."
        )
    positive(flops=flops)
    planner, (low, high) = PLANNERS[law]
    # Budgets are often written with few digits, and 3e20 is not to be outside of itself.
    if not extrapolate and not low * (1 - 1e-9) <= flops <= high * (1 + 1e-9):
        beyond = math.log10(flops / high if flops > high else low / flops)
        raise InputError(
            f"Parameter flops has the value {flops:g}, {beyond:.2g} decades outside the runs of {law}; a budget from "
            f"{low:g} to {high:g} is expected, or that you ask for an extrapolation (--extrapolate)."
        )
    if not low / FARTHEST <= flops <= high * FARTHEST:
        raise InputError(
            f"Parameter flops has the value {flops:g}; from {low / FARTHEST:g} to {high * FARTHEST:g} is expected, "
            "as nothing can be said farther from the runs."
        )
    return planner(flops)
