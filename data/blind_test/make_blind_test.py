"""Repeat the blind test of the chapter on fitting on resampled runs, the choice of the law included.

``python data/blind_test/make_blind_test.py`` writes ``blind_test.csv`` in a few minutes. It needs the public runs
``sldbench``; one seed makes all draws.
"""

from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from tqdm import tqdm

from moelaws import data
from moelaws.fitting.comparison import compare
from moelaws.laws import LAWS

DRAWS = 400
CANDIDATES = [law for law in LAWS.values() if law.columns == ("n_active", "n_routed") and law.response == "loss"]


def one(rows: pd.DataFrame, draw: int) -> dict[str, object]:
    """Choose a law on resampled training rows, and score it on resampled test rows."""
    train = (rows.split == "train").to_numpy()
    compared = compare(CANDIDATES, rows, train, by="n_active")
    chosen = compared.ranking.index[0]
    test = rows[~train]
    missed = np.sum((compared.fits[chosen].predict(test) - test.loss) ** 2)
    return {"draw": draw, "chosen": chosen, "r2": f"{1 - missed / np.sum((test.loss - test.loss.mean()) ** 2):.6g}"}


def main() -> None:
    """Write the table."""
    runs = data.load_runs("sldbench")
    rng = np.random.default_rng(0)
    draws = [runs.iloc[rng.integers(len(runs), size=len(runs))].reset_index(drop=True) for _ in range(DRAWS)]
    tasks = (joblib.delayed(one)(rows, number) for number, rows in enumerate(draws))
    made = list(tqdm(joblib.Parallel(n_jobs=2, return_as="generator")(tasks), total=DRAWS))
    pd.DataFrame(made).to_csv(Path(__file__).with_name("blind_test.csv"), index=False)


if __name__ == "__main__":
    main()
