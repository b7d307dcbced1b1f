"""The command that turns a budget into a model: ``allocate``.

What it computes with is imported when it runs, so that other commands start at once.
"""

import json
from typing import TYPE_CHECKING, Any

import click

from moelaws.errors import InputError

if TYPE_CHECKING:
    from moelaws.papers.allocation import Plan, Step
    from moelaws.papers.yun2024.allocation import ServingPlan


@click.command("allocate")
@click.option("--law", "name", required=True, metavar="NAME", help="Whose recommendation, wan2026 or yun2024.")
@click.option("--flops", required=True, type=float, metavar="C", help="Training compute in FLOP, such as 1e20.")
@click.option("--extrapolate", is_flag=True, help="wan2026: answer for budgets outside the law's runs, too.")
@click.option("--coefficients", metavar="PATH", help="yun2024: folder of a saved fit, or JSON file of the ten values.")
@click.option("--base", type=float, metavar="E", help="yun2024: experts of the loss-optimal base model, such as 4.")
@click.option("--experts", type=float, metavar="E", help="yun2024: experts of the model that is looked for.")
@click.option("--bound", type=click.Choice(["loss", "cost"]), help="yun2024: what the base bounds; loss by default.")
@click.option("--device", metavar="NAME", help="yun2024: of the table devices/devices; A100-40G-SXM by default.")
@click.option("--gpus", type=int, metavar="G", help="yun2024: most devices of one replica; 8 by default.")
@click.option("--requests", type=float, metavar="N", help="yun2024: most requests together; what fits by default.")
@click.option("--tokens-in", type=float, metavar="N", help="yun2024: tokens of an average prompt; 161.31 by default.")
@click.option("--tokens-out", type=float, metavar="N", help="yun2024: tokens of an average output; 337.99 by default.")
@click.option("--price", type=float, metavar="X", help="yun2024: price of a device for an hour.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
def allocate_command(name: str, flops: float, extrapolate: bool, as_json: bool, **options: Any) -> None:
    """What a law recommends for a budget.

    By wan2026: sizes, tokens, a complete architecture, and what each step rests on. By yun2024: the smaller model
    with more tokens that serves as well as a base model for less, or better for the same. The paper prints no
    coefficients, so that your own are needed; costs are the least that data sheets allow.

    Example: moelaws allocate --law wan2026 --flops 1e22 --extrapolate
    """
    from moelaws.papers.allocation import allocate
    from moelaws.papers.yun2024 import allocation as yun2024

    given = {option: value for option, value in options.items() if value is not None}
    plan: Plan | ServingPlan
    if name == yun2024.YUN2024.name:
        for option in ("coefficients", "base", "experts"):
            if option not in given:
                raise InputError(f"Option --{option} is missing; {_NEEDED[option]} is expected with --law {name}.")
        if extrapolate:
            raise InputError(
                "Option --extrapolate belongs to --law wan2026; yun2024 says how far outside its answer is."
            )
        plan = yun2024.plan(flops, **given)
    elif given:
        raise InputError(f"Option --{next(iter(given)).replace('_', '-')} belongs to --law yun2024, not to {name}.")
    else:
        plan = allocate(name, flops, extrapolate)
    if as_json:
        click.echo(json.dumps(plan.report(), indent=2, ensure_ascii=False, allow_nan=False))
        return
    if isinstance(plan, yun2024.ServingPlan):
        _show_served(plan)
    else:
        _show(plan)
    for sentence in plan.warnings:
        click.echo(f"Warning: {sentence}", err=True)


_NEEDED = {
    "coefficients": "as the paper prints none, the folder of 'moelaws fit --law yun2024 --out' or a file of the values",
    "base": "the number of experts of the base model",
    "experts": "the number of experts of the model that is looked for",
}


def _show_served(plan: "ServingPlan") -> None:
    click.echo(f"{plan.law}, {plan.flops:g} FLOP, {plan.device}: bounded {plan.bound}")
    columns = {"chosen": plan.chosen, "its loss optimum": plan.optimum, "base": plan.base}
    click.echo(f"    {'':26}" + "".join(f"{title:>18}" for title in columns))
    for quantity, unit in _QUANTITIES.items():
        values = [getattr(model, quantity) for model in columns.values()]
        if any(value is not None for value in values):
            shown = ("-" if value is None else f"{value:.4g}" for value in values)
            click.echo(f"    {quantity:26}" + "".join(f"{value:>18}" for value in shown) + f"  {unit}".rstrip())
    for ratio, meaning in _RATIOS.items():
        limits = " ({:.3g} to {:.3g})".format(*plan.intervals[ratio]) if ratio in plan.intervals else ""
        click.echo(f"{ratio} = {getattr(plan, ratio):.3g}{limits}: {meaning}")


_RATIOS = {
    "to_optimum": "size over that of its loss optimum",
    "to_base": "size over the base model's",
    "cost_ratio": "cost of a token over the base model's",
}

_QUANTITIES = {
    "n_routed": "",
    "n_dense": "parameters of the dense model",
    "n_active": "parameters",
    "n_total": "parameters",
    "n_tokens": "tokens",
    "tokens_per_parameter": "",
    "loss": "nats per token",
    "gpus": "",
    "requests": "",
    "gpu_seconds_per_million": "for a million tokens",
    "price_per_million": "for a million tokens",
}


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


def _value(step: "Step") -> str:
    limits = "" if step.low is None else f" ({step.low:.4g} to {step.high:.4g}, {step.interval})"
    return f"{step.value:.5g} {step.unit}".rstrip() + limits
