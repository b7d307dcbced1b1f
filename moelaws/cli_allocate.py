"""The command that turns a budget into an architecture: ``allocate``.

What it computes with is imported when it runs, so that other commands start at once.
"""

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from moelaws.allocate import Plan, Step


@click.command("allocate")
@click.option("--law", "name", required=True, metavar="NAME", help="Whose recommendation, such as wan2026.")
@click.option("--flops", required=True, type=float, metavar="C", help="Training compute in FLOP, such as 1e20.")
@click.option("--extrapolate", is_flag=True, help="Answer for budgets outside the law's runs, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
def allocate_command(name: str, flops: float, extrapolate: bool, as_json: bool) -> None:
    """What a law recommends for a budget: sizes, tokens, a complete architecture, and what each step rests on.

    Example: moelaws allocate --law wan2026 --flops 1e22 --extrapolate
    """
    from moelaws.allocate import allocate

    plan = allocate(name, flops, extrapolate)
    if as_json:
        click.echo(json.dumps(plan.report(), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        _show(plan)


def _show(plan: "Plan") -> None:
    place = "inside the paper's runs"
    if plan.decades:
        place = f"EXTRAPOLATION by {plan.decades:.2g} decades, {plan.outside:.2g} of the range of the runs"
    click.echo(f"{plan.law}, {plan.flops:g} FLOP: {place}")
    for step in plan.steps:
        click.echo(f"    {step.quantity} = {_value(step)}  [{step.source}: {step.how}]")
    click.echo("In whole numbers")
    click.echo("    " + ", ".join(f"{name} {value}" for name, value in plan.architecture.items()))
    click.echo("    " + ", ".join(f"{name} {value:.4g}" for name, value in plan.realised.items()))
    for sentence in plan.warnings:
        click.echo(f"Warning: {sentence}", err=True)


def _value(step: "Step") -> str:
    limits = "" if step.low is None else f" ({step.low:.4g} to {step.high:.4g}, {step.interval})"
    return f"{step.value:.5g} {step.unit}".rstrip() + limits
