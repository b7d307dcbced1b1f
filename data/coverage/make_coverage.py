"""Count how often a 95 % interval holds the true value, in experiments that are simulated.

``python data/coverage/make_coverage.py`` takes three quarters of an hour on two cores and writes
``coverage.csv`` beside itself; with names of designs, only their rows are computed again.
"""

from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

from moelaws import data
from moelaws.fitting import intervals as uncertainty
from moelaws.fitting.estimation import LOG_SQUARES, Loss, fit, huber
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
    """

    law: str
    true: dict[str, float]
    rows: pd.DataFrame = field(repr=False)
    noise: float
    delta: float
    shared: float = 0.0
    degrees: int | None = None
    held: tuple[str, ...] = ()

    def simulate(self, rng: np.random.Generator) -> pd.DataFrame:
        """Return the rows with measured responses."""
        law, count = LAWS[self.law], len(self.rows)
        if self.degrees is None:
            errors = rng.normal(size=count)
        else:
            errors = rng.standard_t(self.degrees, size=count) * np.sqrt(1 - 2 / self.degrees)
        errors = self.noise * errors + self.shared * rng.normal(size=count)[self.rows.group]
        return self.rows.assign(**{law.response: law.predict(law.theta(self.true), self.rows) * np.exp(errors)})


def scattered(count: int) -> pd.DataFrame:
    """Sizes and tokens as in the runs of Hoffmann et al.: 2 to 100 tokens for each parameter."""
    rng = np.random.default_rng(1)
    n_active = np.exp(rng.uniform(np.log(5e7), np.log(1.5e10), count))
    n_tokens = n_active * np.exp(rng.uniform(np.log(2), np.log(100), count))
    return pd.DataFrame({"n_active": n_active, "n_tokens": n_tokens, "group": range(count)})


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
DESIGNS = {
    "scattered": Design("dense", BESIROGLU, scattered(245), noise=0.01, delta=1e-3),
    "heavy": Design("dense", BESIROGLU, scattered(245), noise=0.01, delta=1e-3, degrees=3),
    "grid": Design("clark2022", PUBLISHED["S-Base"], grid(), noise=0.003, delta=1e-3),
    "small": Design("floor_product", FLOOR, small(), noise=0.03, delta=0.03),
    "groups": Design("dense", BESIROGLU, runs(), noise=0.003, delta=3e-3, shared=0.01),
    "few_groups": Design("power_product", POWERS, few_runs(), noise=0.003, delta=3e-3, shared=0.01),
    "leverage": Design("tian2025", LEVERAGE, leverages(), noise=0.01, delta=0.05, shared=0.05, held=("A_max",)),
}


def covered(design: Design, loss: Loss, interval: str, seed: int) -> list[bool]:
    """Simulate one experiment, and tell for each parameter whether the interval holds the true value."""
    hold = {name: design.true[name] for name in design.held}
    result = fit(LAWS[design.law], design.simulate(np.random.default_rng(seed)), loss, hold)
    if interval == "profile":
        ends = uncertainty.profile(result, LEVEL)
    else:
        ends = uncertainty.refits(result, by="group", draws=DRAWS, seed=seed).ranges(LEVEL)
    return [low <= design.true[name] <= high for name, (low, high) in ends.items()]


def cells(designs: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Yield the rows of one design, loss and interval after another."""
    for name, interval in product(designs, ("profile", "bootstrap")):
        design = DESIGNS[name]
        for loss in (LOG_SQUARES, huber(design.delta)):
            seeds = range(SEED, SEED + SIMULATIONS)
            tasks = (joblib.delayed(covered)(design, loss, interval, seed) for seed in seeds)
            shares = np.mean(joblib.Parallel(n_jobs=-1)(tasks), axis=0)
            yield pd.DataFrame(
                {"parameter": [key for key in design.true if key not in design.held], "coverage": shares}
            ).assign(
                design=name,
                law=design.law,
                rows=len(design.rows),
                groups=design.rows.group.nunique(),
                loss="squares" if loss.delta is None else "huber",
                delta=loss.delta,
                interval=interval,
                simulations=SIMULATIONS,
            )


def main() -> None:
    """Print the rows as they come, and write the table."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("design", nargs="*", default=list(DESIGNS), help=f"of {', '.join(DESIGNS)}; all by default")
    asked = parser.parse_args().design
    if unknown := set(asked) - set(DESIGNS):
        parser.error(f"there is no design {', '.join(sorted(unknown))}; the designs are {', '.join(DESIGNS)}")
    path = Path(__file__).with_name("coverage.csv")
    found = [pd.read_csv(path).query("design not in @asked")] if path.exists() else []
    for rows in cells(asked):
        print(rows[["design", "loss", "interval", "parameter", "coverage"]].to_string(header=False), flush=True)
        found.append(rows)
    keys = ["design", "law", "rows", "groups", "loss", "delta", "interval", "parameter", "simulations", "coverage"]
    pd.concat(found)[keys].to_csv(path, index=False)


if __name__ == "__main__":
    main()
