"""Count how often a 95 % interval holds the true value, in experiments that are simulated.

``python data/coverage/make_coverage.py`` writes ``coverage.csv`` and ``predictions.csv`` beside itself, in about
twenty-five minutes of one core; with names of designs, only their rows are computed again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click
import joblib
import numpy as np
import pandas as pd
from tqdm import tqdm

from moelaws import data
from moelaws.fitting import intervals as uncertainty
from moelaws.fitting.estimation import LOG_SQUARES, Loss, fit, huber
from moelaws.fitting.prediction import predict
from moelaws.laws import LAWS, tian2025
from moelaws.laws.clark2022 import PUBLISHED
from moelaws.laws.dense import BESIROGLU

SEED = 2024
SIMULATIONS = 400
DRAWS = 200
LEVEL = 0.95


@dataclass(frozen=True)
class Design:
    """An experiment: a law with known parameters, rows, and the noise of log losses.

    Parameters
    ----------
    law : str
        Name of the law.
    true : dict
        Its parameters.
    rows : pandas.DataFrame
        Columns that the law reads, and `group`.
    noise, shared : float
        Standard deviation of each row's own error, and of the one that the rows of a group share.
    delta : float
        Where the Huber loss of this design bends.
    degrees : int, optional
        Degrees of freedom if the row's own error follows Student's t; normal by default.
    held : tuple of str
        Parameters that the fit knows.
    outliers : float
        Share of rows whose own error is ten times as large.
    grown : tuple of str
        Columns that grow equally, by ten in their product, from the largest run to the one that is predicted.
    """

    law: str
    true: dict[str, float]
    rows: pd.DataFrame = field(repr=False)
    noise: float
    delta: float
    shared: float = 0.0
    degrees: int | None = None
    held: tuple[str, ...] = ()
    outliers: float = 0.0
    grown: tuple[str, ...] = ("n_active", "n_tokens")

    @property
    def beyond(self) -> pd.DataFrame:
        """A run of another group with ten times the compute of the largest."""
        columns = list(self.grown)
        largest = self.rows.sort_values(columns[0], kind="stable").tail(1).assign(group=0)
        return largest.assign(**(largest[columns] * 10 ** (1 / len(columns))))

    def truth(self, rows: pd.DataFrame) -> np.ndarray:
        """Return the law's response in each row."""
        law = LAWS[self.law]
        return law.predict(law.theta(self.true), rows)

    def simulate(self, rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        """Return rows with measured responses."""
        count = len(rows)
        if self.degrees is None:
            errors = rng.normal(size=count)
        else:
            errors = rng.standard_t(self.degrees, size=count) * np.sqrt(1 - 2 / self.degrees)
        if self.outliers:
            errors = np.where(rng.random(count) < self.outliers, 10 * errors, errors)
        errors = self.noise * errors + self.shared * rng.normal(size=count)[rows.group]
        return rows.assign(**{LAWS[self.law].response: self.truth(rows) * np.exp(errors)})


def scattered(count: int) -> pd.DataFrame:
    """Sizes and tokens as in the runs of Hoffmann et al.: 2 to 100 tokens for each parameter."""
    rng = np.random.default_rng(1)
    n_active = np.exp(rng.uniform(np.log(5e7), np.log(1.5e10), count))
    n_tokens = n_active * np.exp(rng.uniform(np.log(2), np.log(100), count))
    return pd.DataFrame({"n_active": n_active, "n_tokens": n_tokens, "group": range(count)})


def isoflop() -> pd.DataFrame:
    """Nine sizes around the best one of each of seven budgets, 6 N D."""
    flops, apart = np.meshgrid(np.geomspace(3e18, 3e21, 7), np.geomspace(1 / 4, 4, 9), indexing="ij")
    n_active = (np.sqrt(flops / 120) * apart).ravel()
    return pd.DataFrame({"n_active": n_active, "n_tokens": flops.ravel() / (6 * n_active), "group": range(63)})


def grid() -> pd.DataFrame:
    """Six sizes with ten numbers of experts, as in the runs of Clark et al."""
    sizes, experts = np.meshgrid(np.geomspace(1.5e7, 1.3e9, 6), 2.0 ** np.arange(10), indexing="ij")
    return pd.DataFrame({"n_active": sizes.ravel(), "n_routed": experts.ravel(), "group": range(60)})


def small() -> pd.DataFrame:
    """Twenty runs of different sizes, each with one of five numbers of experts."""
    rng = np.random.default_rng(2)
    sizes, experts = np.exp(rng.uniform(np.log(1e7), np.log(5e9), 20)), rng.choice([1.0, 4, 16, 64, 256], 20)
    return pd.DataFrame({"n_active": sizes, "n_routed": experts, "group": range(20)})


def runs() -> pd.DataFrame:
    """24 runs of different sizes, each measured after five numbers of tokens."""
    rng = np.random.default_rng(3)
    sizes, tokens = np.exp(rng.uniform(np.log(5e7), np.log(5e9), 24)), np.geomspace(2e9, 2e11, 5)
    group = np.repeat(np.arange(24), 5)
    return pd.DataFrame({"n_active": sizes[group], "n_tokens": np.tile(tokens, 24), "group": group})


def few_runs() -> pd.DataFrame:
    """Eight sizes, each with five numbers of experts."""
    group = np.repeat(np.arange(8), 5)
    sizes, experts = np.geomspace(1.5e7, 1.3e9, 8), np.array([1.0, 4, 16, 64, 256])
    return pd.DataFrame({"n_active": sizes[group], "n_routed": np.tile(experts, 8), "group": group})


def leverages() -> pd.DataFrame:
    """Designs and computes of Figure 8 of Tian et al. (2025) with leverage below 6, a group for each design."""
    points = data.load("tian2025/leverage")
    points = points[points.figure.isin(["8a", "8b", "8c"]) & (points.leverage < 6)]
    return points.assign(group=points.groupby(["activation_ratio", "granularity"]).ngroup())


FLOOR = {"L0": 1.5, "A": 60.0, "alpha": 0.2, "beta": 0.05}
LEVERAGE = {**tian2025.PUBLISHED, "A_max": 1e6}
POWERS = {"a": -0.08, "b": -0.03, "d": 2.4}
SIZE = ("n_active",)
DESIGNS = {
    "scattered": Design("dense", BESIROGLU, scattered(245), noise=0.01, delta=1e-3),
    "heavy": Design("dense", BESIROGLU, scattered(245), noise=0.01, delta=1e-3, degrees=3),
    "outliers": Design("dense", BESIROGLU, scattered(245), noise=0.01, delta=1e-3, outliers=0.05),
    "isoflop": Design("dense", BESIROGLU, isoflop(), noise=0.005, delta=1e-3),
    "grid": Design("clark2022", PUBLISHED["S-Base"], grid(), noise=0.003, delta=1e-3, grown=SIZE),
    "small": Design("floor_product", FLOOR, small(), noise=0.03, delta=0.03, grown=SIZE),
    "groups": Design("dense", BESIROGLU, runs(), noise=0.003, delta=3e-3, shared=0.01),
    "few_groups": Design("power_product", POWERS, few_runs(), noise=0.003, delta=3e-3, shared=0.01, grown=SIZE),
    "leverage": Design(
        "tian2025", LEVERAGE, leverages(), noise=0.01, delta=0.05, shared=0.05, held=("A_max",), grown=("flops",)
    ),
}


def covered(design: Design, loss: Loss, seed: int) -> dict[tuple[str, str], bool]:
    """Simulate one experiment, and tell for each kind of interval and each quantity whether it holds the truth."""
    law, rng = LAWS[design.law], np.random.default_rng(seed)
    result = fit(law, design.simulate(design.rows, rng), loss, {name: design.true[name] for name in design.held})
    refits = uncertainty.refits(result, by="group", draws=DRAWS, seed=seed)
    holds = {
        (kind, name): low <= design.true[name] <= high
        for kind, ends in (("profile", uncertainty.profile(result, LEVEL)), ("bootstrap", refits.ranges(LEVEL)))
        for name, (low, high) in ends.items()
    }
    predicted = predict(result, design.beyond, refits, LEVEL).iloc[0]
    new = design.simulate(design.beyond, rng)[law.response]
    for of, value in (("mean", design.truth(design.beyond)[0]), ("run", new.iloc[0])):
        holds["predictions", of] = predicted[f"{of}_low"] <= value <= predicted[f"{of}_high"]
    return holds


def cells(designs: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Yield the rows of one design and loss after another."""
    for name in tqdm(designs, unit="design"):
        design = DESIGNS[name]
        for loss in (LOG_SQUARES, huber(design.delta)):
            tasks = (joblib.delayed(covered)(design, loss, seed) for seed in range(SEED, SEED + SIMULATIONS))
            shares = pd.DataFrame(joblib.Parallel()(tasks)).mean()
            shares.index = pd.MultiIndex.from_tuples(shares.index, names=["interval", "of"])
            yield (
                shares.rename("coverage")
                .reset_index()
                .assign(
                    design=name,
                    law=design.law,
                    rows=len(design.rows),
                    groups=design.rows.group.nunique(),
                    loss="squares" if loss.delta is None else "huber",
                    delta=loss.delta,
                    simulations=SIMULATIONS,
                )
            )


@click.command()
@click.argument("designs", nargs=-1, type=click.Choice(list(DESIGNS)))
def main(designs: tuple[str, ...]) -> None:
    """Print the rows of some designs, or of all, as they come, and write the tables."""
    asked = designs or tuple(DESIGNS)
    made = []
    for rows in cells(asked):
        tqdm.write(rows[["design", "loss", "interval", "of", "coverage"]].to_string(header=False, index=False))
        made.append(rows)
    found = pd.concat(made)
    beyond = found.interval == "predictions"
    common = ["design", "law", "rows", "groups", "loss", "delta"]
    for name, rows, keys in (
        ("coverage", found[~beyond].rename(columns={"of": "parameter"}), ["interval", "parameter"]),
        ("predictions", found[beyond], ["of"]),
    ):
        path = Path(__file__).with_name(f"{name}.csv")
        kept = [pd.read_csv(path).query("design not in @asked")] if path.exists() else []
        table = pd.concat([*kept, rows])[[*common, *keys, "simulations", "coverage"]]
        table = table.sort_values("design", key=lambda names: names.map(list(DESIGNS).index), kind="stable")
        table.to_csv(path, index=False)


if __name__ == "__main__":
    main()
