"""Count how often columns of noise are named beside a fit: ``python data/coverage/make_alarms.py``.

Tables are simulated from a law with known parameters, beside five columns that have nothing to do with the losses:
three of numbers, one of three names and one of ten. One core needs some two minutes.
"""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from moelaws.fitting.estimation import fit
from moelaws.laws import LAWS
from moelaws.laws.dense import BESIROGLU

SEED = 14
TABLES = 200
NOISE = 0.003  # of the log loss
RUNS = 60
TRUTHS = {
    "dense": dict(BESIROGLU),
    "wang2024": {"tau": 1.7, "a": 420.0, "alpha": 0.33, "gamma": 0.12, "b": 1100.0, "beta": 0.34},
}
ERRORS = {
    "normal": lambda rng, size: rng.normal(size=len(size)),
    "heavy": lambda rng, size: rng.standard_t(3, size=len(size)) / np.sqrt(3),
    "uneven": lambda rng, size: rng.normal(size=len(size)) * np.where(size < np.median(size), 3.0, 1.0),
}
"""What the errors of log losses are like: the last are three times as large for the smaller half of the models."""


def simulated(law: str, errors: str, number: int) -> pd.DataFrame:
    """Return a table of runs, with columns of noise."""
    rng = np.random.default_rng([SEED, list(TRUTHS).index(law), list(ERRORS).index(errors), number])
    size = 10 ** rng.uniform(7.5, 9.5, RUNS)
    rows = pd.DataFrame({"n_active": size, "n_tokens": size * 10 ** rng.uniform(0.7, 2.3, RUNS)})
    if "n_routed" in LAWS[law].columns:
        rows["n_routed"] = rng.choice([1, 4, 16, 64], RUNS)
    mean = LAWS[law].predict(LAWS[law].theta(TRUTHS[law]), rows)
    return rows.assign(
        loss=mean * np.exp(NOISE * ERRORS[errors](rng, size)),
        learning_rate=10 ** rng.uniform(-4, -2, RUNS),
        depth=rng.integers(8, 64, RUNS),
        score=rng.normal(size=RUNS),
        optimizer=rng.choice(["one", "two", "three"], RUNS),
        dataset=rng.choice(list("abcdefghij"), RUNS),
    )


def alarmed(law: str, errors: str, number: int) -> list[str]:
    """Return the columns of noise that the warnings of a fit name."""
    rows = simulated(law, errors, number)
    said = [one for one in fit(law, rows, starts=1).warnings if one.startswith("Columns that the law does not read")]
    return [name for name in rows if any(f"'{name}'" in one for one in said)]


def main() -> None:
    """Write the table."""
    cases = list(product(TRUTHS, ERRORS))
    tried = [(law, errors, number) for law, errors in cases for number in range(TABLES)]
    named = [alarmed(*one) for one in tried]
    rows = []
    for law, errors in cases:
        mine = [columns for one, columns in zip(tried, named, strict=True) if one[:2] == (law, errors)]
        rows.append(
            {
                "law": law,
                "runs": RUNS,
                "errors": errors,
                "tables": TABLES,
                "alarms": sum(map(bool, mine)),
                "columns": sum(map(len, mine)),
            }
        )
    pd.DataFrame(rows).to_csv(Path(__file__).with_name("alarms.csv"), index=False)


if __name__ == "__main__":
    main()
