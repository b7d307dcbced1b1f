"""Count what a comparison says where nothing is to be found: a law against the same law with a needless term.

``python data/comparison_null/make_comparison_null.py`` takes half an hour on one core and writes
``comparison_null.csv`` beside itself; with names of designs, only their rows are computed again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import click
import joblib
import numpy as np
import pandas as pd
from scipy import stats

from moelaws.fitting.comparison import compare
from moelaws.laws import LAWS

SEED = 2026
LEVEL = 0.95
POWERS = {"a": -0.08, "b": -0.03, "d": 2.4}
FLOOR = {"E": 1.7, "A": 400.0, "B": 1200.0, "alpha": 0.34, "beta": 0.34}


@dataclass(frozen=True)
class Design:
    """Runs on a grid, the largest sizes of which are held out.

    Parameters
    ----------
    laws : tuple of two str
        The law that makes the losses, and one that contains it.
    true : dict
        Parameters of the first.
    sizes : int
        How many sizes, from 1e7 to 1e10.
    experts, tokens : sequence of float
        With which each is combined.
    held : int
        How many of the largest sizes are held out.
    noise, shared : float
        Standard deviation of the log error of each row, and of the one that the rows of a `run` share: one size and
        number of experts, after all numbers of tokens.
    simulations : int
        How many experiments.
    """

    laws: tuple[str, str]
    true: dict[str, float]
    sizes: int
    experts: Sequence[float]
    tokens: Sequence[float] = (1.3e11,)
    held: int = 1
    noise: float = 0.01
    shared: float = 0.0
    simulations: int = 400

    def simulate(self, seed: int) -> pd.DataFrame:
        """Return rows with losses, the true ones as `mean`, and what is rows' `run`."""
        rng, law = np.random.default_rng(seed), LAWS[self.laws[0]]
        cells = list(product(np.geomspace(1e7, 1e10, self.sizes), self.experts, self.tokens))
        rows = pd.DataFrame(cells, columns=["n_active", "n_routed", "n_tokens"])
        run = np.arange(len(rows)) // len(self.tokens)
        errors = self.noise * rng.normal(size=len(rows)) + self.shared * rng.normal(size=len(rows))[run]
        mean = law.predict(law.theta(self.true), rows)
        return rows.assign(run=run, mean=mean, loss=mean * np.exp(errors))


PAIR = ("power_product", "bilinear"), POWERS
DENSE = ("dense", "wang2024"), FLOOR
LENGTHS = (2e9, 2e10, 2e11)
DESIGNS = {
    "rows_5": Design(*PAIR, 8, (1, 2, 8, 32, 128)),
    "rows_6": Design(*PAIR, 6, (1, 8, 64), held=2),
    "rows_10": Design(*PAIR, 8, (1, 2, 8, 32, 128), held=2),
    "rows_20": Design(*PAIR, 10, 2.0 ** np.arange(10), held=2),
    "groups_6": Design(*DENSE, 8, (1, 8, 64), LENGTHS, held=2, noise=0.002, shared=0.005, simulations=150),
}


def outcome(design: Design, seed: int) -> dict[str, float]:
    """Simulate one comparison, and tell what it says."""
    rows = design.simulate(seed)
    train = (rows.n_active < np.unique(rows.n_active)[-design.held]).to_numpy()
    simple, needless = design.laws
    compared = compare([LAWS[name] for name in design.laws], rows, train, "n_active", group="run")
    variance = design.noise**2 + design.shared**2
    held, expected = compared.held_out, {}
    for name, one in compared.fits.items():
        predicted, mean = one.predict(held), held["mean"].to_numpy()
        squares = predicted**2 - 2 * predicted * mean * np.exp(variance / 2) + mean**2 * np.exp(2 * variance)
        expected[name] = float(np.sqrt(squares.mean()))
    other = needless if compared.choice == simple else simple
    truth = expected[other] - expected[compared.choice]
    groups = held.run.nunique()
    central = 2 * stats.t.cdf(stats.norm.ppf((1 + LEVEL) / 2) * np.sqrt((groups - 1) / groups), groups - 1) - 1
    ends = {kind: compared.score(level=level).table.loc[other] for kind, level in (("", LEVEL), ("central", central))}
    row = ends[""]
    better = row.high < 0 if other == needless else row.low > 0
    return {
        "coverage": row.low <= truth <= row.high,
        "coverage_central": ends["central"].low <= truth <= ends["central"].high,
        "zero": row.low <= 0 <= row.high,
        "zero_central": ends["central"].low <= 0 <= ends["central"].high,
        "needless_better": better,
        "needless_lowest": compared.ranking.index[0] == needless,
        "needless_chosen": compared.choice == needless,
    }


@click.command()
@click.argument("designs", nargs=-1, type=click.Choice(list(DESIGNS)))
def main(designs: tuple[str, ...]) -> None:
    """Print the rows of some designs, or of all, as they come, and write the table."""
    asked = designs or tuple(DESIGNS)
    path = Path(__file__).with_name("comparison_null.csv")
    found = [pd.read_csv(path).query("design not in @asked")] if path.exists() else []
    for name in asked:
        design = DESIGNS[name]
        tasks = (joblib.delayed(outcome)(design, seed) for seed in range(SEED, SEED + design.simulations))
        shares = pd.DataFrame(joblib.Parallel(n_jobs=1)(tasks)).mean().to_dict()
        cells = len(design.experts) * len(design.tokens)
        about = {"design": name, "law": design.laws[0], "needless": design.laws[1], "rows": design.sizes * cells}
        about |= {"held_out": design.held * cells, "groups": design.held * len(design.experts)}
        found.append(pd.DataFrame([about | {"simulations": design.simulations} | shares]))
        print(found[-1].to_string(header=False, index=False), flush=True)
    pd.concat(found).to_csv(path, index=False)


if __name__ == "__main__":
    main()
