"""The search finds the lowest of several optima."""

import numpy as np
import pandas as pd
import pytest

from moelaws.fitting.estimation import LOG_SQUARES, fit, huber
from moelaws.fitting.optimise import polish, screen
from moelaws.laws.dense import BESIROGLU, Dense


def noisy(count, seed):
    """Runs of the published dense law with errors of 3 %."""
    rng, law = np.random.default_rng(seed), Dense()
    n_active = np.exp(rng.uniform(np.log(5e7), np.log(1e10), count))
    n_tokens = np.exp(rng.uniform(np.log(1e9), np.log(3e11), count))
    rows = pd.DataFrame({"n_active": n_active, "n_tokens": n_tokens})
    return rows.assign(loss=law.predict(law.theta(BESIROGLU), rows) * np.exp(rng.normal(0, 0.03, count)))


@pytest.mark.parametrize(("seed", "loss"), [(15, LOG_SQUARES), (17, LOG_SQUARES), (51, LOG_SQUARES), (4, huber(1e-3))])
def test_the_lowest_of_several_valleys_is_found(seed, loss):
    """Without a floor, twenty runs have several optima, the lowest not below the best start of the screen."""
    result = fit(Dense(), noisy(20, seed), loss, hold={"E": 0})
    starts, _ = screen(result.problem)
    reached = [result.problem.objective(polish(result.problem, start)) for start in starts[::40]]
    assert result.objective <= min(reached) * (1 + 1e-9)
    assert result.starts.polished[0] > result.objective * 1.01
    assert result.status == "converged"


def test_valleys_come_first():
    result = fit(Dense(), noisy(20, 15), hold={"E": 0})
    _, objectives = screen(result.problem)
    drops = np.flatnonzero(np.diff(objectives) < 0)
    assert len(drops) == 1
    assert objectives[drops[0] + 1 :].min() >= objectives[0]
