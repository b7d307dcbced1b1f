"""Fits of one law to the same rows, weighted in many ways, all at once.

A resample of the rows is a weight for each of them: how often it was drawn. A thousand refits are then one
problem with an axis more, whose steps are a few operations on arrays.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any, TypeAlias

import joblib
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from moelaws.checks import Floats
from moelaws.fitting.batch import refine
from moelaws.fitting.objective import Problem
from moelaws.fitting.optimise import least_squares

Counts: TypeAlias = NDArray[np.integer[Any]]
Flags: TypeAlias = NDArray[np.bool_]

BATCH = 1_000_000
"""Weights that are held at once."""


def refit(
    problem: Problem, start: Floats, counts: Iterator[Counts], draws: int, progress: bool = False
) -> tuple[Floats, Flags, Flags]:
    """Minimise the objective once for each way to count the rows.

    What does not converge in the batch is fitted by itself, from the same start. Batches go through joblib.

    Parameters
    ----------
    start : numpy.ndarray, shape (free coefficients,)
        The fit to all rows.
    counts : iterator of numpy.ndarray, shape (rows,)
        How often each row counts.

    Returns
    -------
    coefficients : numpy.ndarray, shape (draws, free coefficients)
    alone, failed : numpy.ndarray of bool, shape (draws,)
        Which were fitted by themselves, and which of those did not converge either.
    """
    size = max(1, BATCH // len(problem.observed))
    batches = iter(lambda: list(islice(counts, size)), [])
    tasks = (joblib.delayed(_batch)(problem, start, np.array(batch)) for batch in batches)
    found = []
    with tqdm(total=draws, delay=2, disable=not progress, unit="fit") as bar:
        for batch in joblib.Parallel(return_as="generator")(tasks):
            found.append(batch)
            bar.update(len(batch[0]))
    coefficients, alone, failed = map(np.concatenate, zip(*found, strict=True))
    return coefficients, alone, failed


def _batch(problem: Problem, start: Floats, counts: Counts) -> tuple[Floats, Flags, Flags]:
    coefficients, converged = refine(problem, start, counts.astype(float))
    failed = np.zeros(len(counts), dtype=bool)
    for draw in np.flatnonzero(~converged):
        rows = np.repeat(np.arange(counts.shape[1]), counts[draw])
        coefficients[draw], one = least_squares(problem.rows(rows), start)
        failed[draw] = not one
    return coefficients, ~converged, failed
