"""Fit with the package `chinchilla` on the runs in a folder; run by an interpreter that has it.

Its objective is the mean of the losses, about 4e-6 at the optimum. Its optimiser stops by an
absolute gradient, so that the unit of the loss decides how early; both cases are timed.
"""

import itertools
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pandas as pd
from chinchilla import Chinchilla
from chinchilla._metrics import log_huber

folder, count, delta = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
runs = pd.read_csv(folder / "runs.csv")
grid = [values for _, values in sorted(np.load(folder / "grid.npz").items())]


def drawn(*values: np.ndarray) -> np.ndarray:
    """Return a random sample of the starts."""
    starts = np.array(list(itertools.product(*values)))
    return starts[np.random.default_rng(0).choice(len(starts), count, replace=False)]


def fitted(variant: str, unit: float) -> dict[str, object]:
    """Time a sample of the starts, and return the best end."""
    model = Chinchilla(
        str(folder / f"project{unit:g}"),
        param_grid=dict(zip(("e", "a", "b", "alpha", "beta"), grid, strict=True)),
        loss_fn=lambda observed, predicted: unit * log_huber(observed, predicted, delta),
        log_level=100,
    )
    for row in runs.itertuples():
        model.append(N=row.n_active, D=row.n_tokens, loss=row.loss)
    # Its plot is not what is timed, and it has no way to try some of a grid's starts.
    model.visualizer.optim = lambda *arguments, **options: None
    with patch("chinchilla.core.itertools", SimpleNamespace(product=drawn)):
        start = time.process_time()
        model.fit(parallel=False)
        seconds = time.process_time() - start
    return {
        "variant": variant,
        "seconds": seconds,
        "coefficients": [float(getattr(model, name)) for name in ("E", "A", "B", "alpha", "beta")],
    }


print(json.dumps([fitted("", 1.0), fitted(", loss in millionths", 1e6)]))
