"""The command that turns a budget into a model: ``allocate``.

What it computes with is imported when it runs, so that other commands start at once.
"""

import math
from typing import TYPE_CHECKING, Any

import click

from moelaws.cli.output import echo, echo_json, echo_warnings, numbers_of
from moelaws.errors import InputError

if TYPE_CHECKING:
    from moelaws.papers.allocation import Plan, Step
    from moelaws.papers.yun2024.allocation import ServingPlan


@click.command("allocate")
@click.option("--law", "name", metavar="NAME", help="Whose recommendation, wan2026 or yun2024; or")
@click.option("--fit", "folder", type=click.Path(), metavar="DIR", help="the fit that 'moelaws fit --out DIR' wrote.")
@click.option("--all", "every", is_flag=True, help="what every law of the book advises, in one account.")
@click.option("--flops", required=True, type=float, metavar="C", help="Training compute in FLOP, such as 1e20.")
@click.option("--tokens-served", type=float, metavar="T", help="--all: tokens to be served, whose FLOP count too.")
@click.option("--extrapolate", is_flag=True, help="wan2026: answer for budgets outside the law's runs, too.")
@click.option("--coefficients", metavar="PATH", help="yun2024: folder of a saved fit, or JSON file of the ten values.")
@click.option("--base", type=float, metavar="E", help="yun2024: experts of the loss-optimal base model, such as 4.")
@click.option(
    "--experts", metavar="E,...", help="yun2024: experts of the model looked for; --fit: those to choose from."
)
@click.option(
    "--granularity", type=float, metavar="G", help="--fit: of the model, for laws that read it; 1 by default."
)
@click.option("--max-total", "most_total", type=float, metavar="N", help="--fit: parameters that the model may have.")
@click.option("--outside", type=float, metavar="X", help="--fit: share of active parameters not in experts; 1/3.")
@click.option("--bound", type=click.Choice(["loss", "cost"]), help="yun2024: what the base bounds; loss by default.")
@click.option("--device", metavar="NAME", help="yun2024: of the table devices/devices; A100-40G-SXM by default.")
@click.option("--gpus", type=int, metavar="G", help="yun2024: most devices of one replica; 8 by default.")
@click.option("--requests", type=float, metavar="N", help="yun2024: most requests together; what fits by default.")
@click.option("--tokens-in", type=float, metavar="N", help="yun2024: tokens of an average prompt; 161.31 by default.")
@click.option("--tokens-out", type=float, metavar="N", help="yun2024: tokens of an average output; 337.99 by default.")
@click.option("--price", type=float, metavar="X", help="yun2024: price of a device for an hour.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
def allocate_command(
    name: str | None, folder: str | None, every: bool, flops: float, extrapolate: bool, as_json: bool, **options: Any
) -> None:
    """What a law, or every law, recommends for a budget.

    By your own fit: size, tokens and experts of lowest loss, with intervals from its bootstrap. By wan2026: sizes,
    tokens, a complete architecture, and what each step rests on. By yun2024: the smaller model with more tokens that
    serves as well as a base model for less, or better for the same. The paper prints no coefficients, so that your own
    are needed; costs are the least that data sheets allow. By all laws: one table, in one account (N active parameters
    of the layers, 6 N D), with how far each answer lies outside the law's runs.

    \b
    Example: moelaws fit data/examples/runs.csv --law wang2024 --bootstrap 100 --out mine &&
    moelaws allocate --fit mine --flops 1e21 --experts 1,8,64
    """
    from moelaws.papers.allocation import allocate
    from moelaws.papers.yun2024 import allocation as yun2024

    given = {option: value for option, value in options.items() if value is not None}
    if [name is not None, folder is not None, every].count(True) != 1:
        raise InputError("Option --law, --fit or --all is expected, and one of them only.")
    if every:
        served = given.pop("tokens_served", None)
        if foreign := [*given, *["extrapolate"] * extrapolate]:
            raise InputError(f"Option --{foreign[0].replace('_', '-')} does not go with --all.")
        _allocate_by_all(flops, served, as_json)
        return
    if "tokens_served" in given:
        raise InputError("Option --tokens-served belongs to --all.")
    if "experts" in given:
        given["experts"] = numbers_of(given["experts"], "--experts")
    if folder is not None:
        if foreign := [option for option in given if option not in _OF_FITS] or ["extrapolate"] * extrapolate:
            raise InputError(f"Option --{foreign[0].replace('_', '-')} belongs to --law, not to --fit.")
        _allocate_by(folder, flops, given, as_json)
        return
    assert name is not None
    if foreign := [option for option in _OF_FITS if option in given and option != "experts"]:
        raise InputError(f"Option --{_OF_FITS[foreign[0]]} belongs to --fit, not to --law.")
    plan: Plan | ServingPlan
    if name == yun2024.YUN2024.name:
        for option in ("coefficients", "base", "experts"):
            if option not in given:
                raise InputError(f"Option --{option} is missing; {_NEEDED[option]} is expected with --law {name}.")
        if extrapolate:
            raise InputError(
                "Option --extrapolate belongs to --law wan2026; yun2024 says how far outside its answer is."
            )
        if len(given["experts"]) != 1:
            raise InputError(
                f"Option --experts has {len(given['experts'])} numbers; one is expected with --law {name}."
            )
        plan = yun2024.plan(flops, **(given | {"experts": given["experts"][0]}))
    elif given:
        raise InputError(f"Option --{next(iter(given)).replace('_', '-')} belongs to --law yun2024, not to {name}.")
    else:
        plan = allocate(name, flops, extrapolate)
    if as_json:
        echo_json(plan.report())
        return
    if isinstance(plan, yun2024.ServingPlan):
        _show_served(plan)
    else:
        _show(plan)
    echo_warnings(plan.warnings)


_OF_FITS = {"experts": "experts", "granularity": "granularity", "most_total": "max-total", "outside": "outside"}
"""Parameters of :func:`moelaws.fitting.optimum.optimum` and the options that set them."""


def _allocate_by(folder: str, flops: float, given: dict[str, Any], as_json: bool) -> None:
    from moelaws.fitting import saved
    from moelaws.fitting.optimum import optimum

    if not (limit := given.get("most_total", math.inf)) > 0:
        raise InputError(f"Option --max-total is {limit:g}; a positive number is expected.")
    fitted, sample = saved.load(folder)
    best = optimum(fitted, flops, sample, **given)
    warnings = [*fitted.warnings, *best.warnings]
    if as_json:
        echo_json(
            {"law": fitted.law.name, "flops": flops, "run": best.run, "loss": best.loss, "intervals": best.intervals}
            | {"by_expansion": best.by_expansion.to_dict("records"), "distance": best.distance, "warnings": warnings}
        )
        return
    echo(f"{fitted.law.name}, fitted to {len(fitted.table)} rows, {flops:g} FLOP: the run of lowest loss")
    for name, value in {**best.run, "loss": best.loss}.items():
        limits = " ({:.4g} to {:.4g})".format(*best.intervals[name]) if name in best.intervals else ""
        echo(f"    {name} = {value:.4g}{limits}")
    if len(best.by_expansion) > 1:
        echo(best.by_expansion.to_string(index=False, float_format="{:.4g}".format))
    echo_warnings(warnings)


def _allocate_by_all(flops: float, tokens_served: float | None, as_json: bool) -> None:
    from moelaws.papers.advice import answers, compromise

    rows = answers(flops, tokens_served)
    size, regret = compromise(flops)
    if as_json:
        middle = {"n_active": size, "n_tokens": flops / 6 / size, "regret": regret}
        echo_json({"flops": flops, "tokens_served": tokens_served, "laws": rows, "compromise": middle})
        return
    shown = [name for name in _ADVISED if any(row.get(name) is not None for row in rows)]
    table = [["", *(_ADVISED[name] for name in shown)]]
    table += [[row["law"], *(_cell(name, row) for name in shown)] for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    echo(f"{flops:g} FLOP = 6 N D, N the active parameters of the layers; - where a law is silent,")
    echo("+ where it wants at least as many experts, outside: powers of ten outside its runs")
    for line in table:
        echo("  ".join(f"{text:>{width}}" for text, width in zip(line, widths, strict=True)))
    echo(
        f"The laws of the loss object least to N = {size:.3g}, D = {flops / 6 / size:.3g}: "
        f"by none of them does it waste more than {100 * regret:.2g} % of the compute."
    )


def _cell(name: str, row: dict[str, Any]) -> str:
    value = row.get(name)
    if value is None or isinstance(value, str):
        return value or "-"
    return f"{value:.3g}" + "+" * (name == "experts" and row["most"]) if isinstance(value, float) else str(value)


_ADVISED = {
    "source": "numbers",
    "n_active": "N",
    "n_tokens": "D",
    "tokens_per_parameter": "D/N",
    "n_total": "total",
    "experts": "experts",
    "granularity": "G",
    "n_shared": "shared",
    "d_model": "width",
    "n_layers": "depth",
    "decades": "outside",
    "served_active": "N served",
    "served_tokens": "D served",
    "flops_total": "FLOP total",
}

_NEEDED = {
    "coefficients": "as the paper prints none, the folder of 'moelaws fit --law yun2024 --out' or a file of the values",
    "base": "the number of experts of the base model",
    "experts": "the number of experts of the model that is looked for",
}


def _show_served(plan: "ServingPlan") -> None:
    echo(f"{plan.law}, {plan.flops:g} FLOP, {plan.device}: bounded {plan.bound}")
    columns = {"chosen": plan.chosen, "its loss optimum": plan.optimum, "base": plan.base}
    echo(f"    {'':26}" + "".join(f"{title:>18}" for title in columns))
    for quantity, unit in _QUANTITIES.items():
        values = [getattr(model, quantity) for model in columns.values()]
        if any(value is not None for value in values):
            shown = ("-" if value is None else f"{value:.4g}" for value in values)
            echo(f"    {quantity:26}" + "".join(f"{value:>18}" for value in shown) + f"  {unit}".rstrip())
    for ratio, meaning in _RATIOS.items():
        limits = " ({:.3g} to {:.3g})".format(*plan.intervals[ratio]) if ratio in plan.intervals else ""
        echo(f"{ratio} = {getattr(plan, ratio):.3g}{limits}: {meaning}")


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
    echo(f"{plan.law}, {plan.flops:g} FLOP: {place}")
    for step in plan.steps:
        echo(f"    {step.quantity} = {_value(step)}  [{step.source}: {step.how}]")
    echo("In whole numbers")
    echo("    " + ", ".join(f"{name} {value}" for name, value in plan.architecture.items()))
    echo("    " + ", ".join(f"{name} {value:.4g}" for name, value in plan.realised.items()))


def _value(step: "Step") -> str:
    limits = "" if step.low is None else f" ({step.low:.4g} to {step.high:.4g}, {step.interval})"
    return f"{step.value:.5g} {step.unit}".rstrip() + limits
