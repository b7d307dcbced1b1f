"""Measure what suggested runs are worth against random ones of the same cost, in experiments that are simulated.

``python data/suggestions/make_suggestions.py`` takes some minutes on one core and writes ``suggestions.csv`` beside
itself; with names of designs, only their rows are computed again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import joblib
import numpy as np
import pandas as pd

from moelaws.fitting.design import half_width, layout, suggest
from moelaws.fitting.estimation import Fit, fit
from moelaws.fitting.shapes import runs
from moelaws.laws import LAWS
from moelaws.laws.dense import BESIROGLU

SEED = 7
SIMULATIONS = 60
NOISE = 0.01
MOE = {"tau": 1.7, "a": 420.0, "alpha": 0.33, "gamma": 0.12, "b": 1100.0, "beta": 0.34}


@dataclass(frozen=True)
class Design:
    """Runs that there are, runs that could be made, and a question.

    Parameters
    ----------
    law : str
    true : dict
        Parameters of the law that makes the losses, with errors of `NOISE` in their logarithm.
    experts : tuple of float
        Expansions of all runs.
    question : dict
        Arguments of :func:`moelaws.fitting.design.suggest`.
    made, budget : float
        Compute of the runs that there are, and of the new ones; the candidates cost ten times as much.
    """

    law: str
    true: Mapping[str, float]
    experts: tuple[float, ...]
    question: Mapping[str, Any] = field(repr=False)
    made: float = 1e20
    budget: float = 1e21


def _point(expansion: float) -> dict[str, float]:
    """Return a run of 1e23 FLOP with twenty tokens for each active parameter."""
    size = np.sqrt(1e23 / 6 / 20)
    return {name: float(value) for name, value in runs(size, 20 * size, expansion).iloc[0].items()}


DENSE, EXPERTS = ("dense", BESIROGLU, (1.0,)), ("wang2024", MOE, (1.0, 8.0, 64.0))
DESIGNS = {
    "dense_prediction": Design(*DENSE, {"point": _point(1)}),
    "dense_beta": Design(*DENSE, {"parameter": "beta"}),
    "experts_prediction": Design(*EXPERTS, {"point": _point(64)}),
    "experts_gamma": Design(*EXPERTS, {"parameter": "gamma"}),
}


def measured(design: Design, rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return the rows with losses."""
    law = LAWS[design.law]
    errors = NOISE * rng.normal(size=len(rows))
    return rows.assign(loss=law.predict(law.theta(design.true), rows) * np.exp(errors))


def answer(design: Design, fitted: Fit) -> float:
    """Return how far the answer to the question is from the truth, in the unit of its interval."""
    parameter = design.question.get("parameter")
    if parameter:
        return fitted.values[parameter] - design.true[parameter]
    point = {name: [value] for name, value in design.question["point"].items()}
    law = fitted.law
    return float(np.log(fitted.predict(point)[0] / law.predict(law.theta(design.true), point)[0]))


def afford(cost: np.ndarray, order: np.ndarray, budget: float) -> list[int]:
    """Return candidates in an order, each that the rest of the budget allows."""
    taken = []
    for place in order:
        if cost[place] <= budget:
            taken.append(int(place))
            budget -= cost[place]
    return taken


def outcome(design: Design, seed: int) -> dict[str, float]:
    """Simulate one experiment: fit, suggest, run, and fit again."""
    rng, law = np.random.default_rng(seed), LAWS[design.law]
    there = measured(design, layout(law, design.made, experts=design.experts), rng)
    could = layout(law, 10 * design.budget, curves=4, span=100, sizes=6, experts=design.experts)
    could = measured(design, could, rng)
    first = fit(law, there)
    picked = suggest(first, could.drop(columns="loss"), design.budget, **design.question)
    chance = afford(could.flops.to_numpy(), rng.permutation(len(could)), design.budget)
    found = {"before": half_width(first, **design.question), "promised": picked.half_width.iloc[-1]}
    for name, places in (("suggested", list(picked.index)), ("random", chance)):
        again = fit(law, pd.concat([there, could.loc[places]], ignore_index=True))
        found |= {f"{name}_runs": len(places), f"{name}_flops": could.flops[places].sum()}
        found |= {f"{name}_error": answer(design, again), f"{name}_width": half_width(again, **design.question)}
    return found


@click.command()
@click.argument("designs", nargs=-1, type=click.Choice(list(DESIGNS)))
def main(designs: tuple[str, ...]) -> None:
    """Print the rows of some designs, or of all, as they come, and write the table."""
    asked = designs or tuple(DESIGNS)
    path = Path(__file__).with_name("suggestions.csv")
    rows = [pd.read_csv(path).query("design not in @asked")] if path.exists() else []
    for name in asked:
        design = DESIGNS[name]
        tasks = (joblib.delayed(outcome)(design, seed) for seed in range(SEED, SEED + SIMULATIONS))
        each = pd.DataFrame(joblib.Parallel(n_jobs=1)(tasks))
        kept = summary(each)
        rows.append(pd.DataFrame([{"design": name, "law": design.law, "simulations": SIMULATIONS, **kept}]))
        print(rows[-1].T.to_string(header=False), flush=True)
    pd.concat(rows).to_csv(path, index=False, float_format="%.4g")


def summary(each: pd.DataFrame) -> dict[str, float]:
    """Return medians over the experiments, and root mean square errors."""
    kept = {"width_before": each.before.median(), "width_promised": each.promised.median()}
    for name in ("suggested", "random"):
        kept[f"runs_{name}"] = each[f"{name}_runs"].median()
        kept[f"flops_{name}"] = each[f"{name}_flops"].median()
        kept[f"width_{name}"] = each[f"{name}_width"].median()
        kept[f"rms_error_{name}"] = float(np.sqrt(np.mean(each[f"{name}_error"] ** 2)))
    kept["kept_promise"] = float((each.suggested_width / each.promised).between(0.5, 2).mean())
    kept["narrower"] = float((each.suggested_width < each.random_width).mean())
    return kept


if __name__ == "__main__":
    main()
