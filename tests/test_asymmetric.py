"""A loss that counts errors above the observation more: it follows a quantile, and its slopes are its own."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy.optimize import minimize

from moelaws import data
from moelaws.cli.main import main
from moelaws.errors import Unavailable
from moelaws.fitting.estimation import Loss, fit
from moelaws.fitting.saved import load, save

TRUE = {"E": 1.7, "A": 400.0, "B": 410.0, "alpha": 0.34, "beta": 0.28}


@pytest.fixture(scope="module")
def rows():
    """Runs that end above a law by an exponential error, as if training could only go worse."""
    rng = np.random.default_rng(1)
    size, tokens = 10 ** rng.uniform(8, 10.5, 300), 10 ** rng.uniform(9, 11.5, 300)
    law = TRUE["E"] + TRUE["A"] / size ** TRUE["alpha"] + TRUE["B"] / tokens ** TRUE["beta"]
    return pd.DataFrame({"n_active": size, "n_tokens": tokens, "loss": law * (1 + rng.exponential(0.02, 300))})


@pytest.mark.parametrize("above", [1.0, 3.0, 10.0])
def test_it_fits_a_quantile(rows, above):
    fitted = fit("dense", rows, Loss("linear", 1e-4, above))
    share = np.mean(fitted.predict(rows) > rows.loss)
    # Between the points that the five coefficients pass through.
    assert share == pytest.approx(1 / (1 + above), abs=5 / len(rows))


def test_nothing_else_finds_a_lower_sum(rows):
    """The published form of this loss, absolute errors of which those above count tenfold, searched without slopes."""

    def total(free):
        errors = free[0] + np.exp(free[1] - free[3] * size) + np.exp(free[2] - free[4] * tokens) - rows.loss
        return np.sum(np.where(errors > 0, 10 * errors, -errors))

    size, tokens = np.log(rows.n_active), np.log(rows.n_tokens)
    values = fit("dense", rows, Loss("linear", 1e-5, 10.0)).values
    ours = np.array([values["E"], np.log(values["A"]), np.log(values["B"]), values["alpha"], values["beta"]])
    truth = np.array([TRUE["E"], np.log(TRUE["A"]), np.log(TRUE["B"]), TRUE["alpha"], TRUE["beta"]])
    rival = min(
        minimize(total, start, method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-9, "fatol": 1e-9}).fun
        for start in (truth, ours)
    )
    assert total(ours) <= rival * (1 + 1e-4)


@pytest.mark.parametrize("space", ["log", "relative", "linear"])
def test_errors_and_their_inverse(space):
    loss, predicted = Loss(space, above=4.0), np.array([1.0, 2.0, 3.0])
    observed = np.array([1.2, 1.9, 3.0])
    plain = Loss(space).errors(predicted, observed)
    assert loss.errors(predicted, observed) == pytest.approx(plain * [1, 4, 1])
    assert loss.observed(predicted, loss.errors(predicted, observed)) == pytest.approx(observed)
    step = 1e-7
    numeric = (loss.errors(predicted + step, observed) - loss.errors(predicted, observed)) / step
    assert loss.slope(predicted, observed)[:2] == pytest.approx(numeric[:2], rel=1e-5)


def test_it_is_saved_and_said(rows, tmp_path):
    fitted = fit("dense", rows, Loss("linear", 1e-3, 10.0))
    save(fitted, tmp_path / "mine")
    assert load(tmp_path / "mine")[0].problem.loss == Loss("linear", 1e-3, 10.0)
    assert "those above the observation times 10" in repr(fitted)


@pytest.mark.slow
def test_the_command_line_reaches_the_coefficients_that_a_public_code_prints(tmp_path):
    """Those of kyo-takano/chinchilla (examples/llm) for the digitised runs of more than 1e18 FLOP with N below D."""
    try:
        data.load_runs("chinchilla").to_csv(tmp_path / "runs.csv", index=False)
    except Unavailable as missing:
        pytest.skip(str(missing))
    where = "flops > 1e18 and n_active < n_tokens"
    loss = ["--loss", "huber", "--delta", "1e-4", "--errors", "linear", "--above", "10"]
    arguments = ["fit", str(tmp_path / "runs.csv"), "--law", "dense", "--where", where, *loss, "--json"]
    report = json.loads(CliRunner().invoke(main, arguments).stdout)
    assert report["loss"] == {"space": "linear", "delta": 1e-4, "above": 10.0}
    assert {name: round(report["params"][name]["value"], 3) for name in ("E", "alpha", "beta")} == {
        "E": 1.700,
        "alpha": 0.289,
        "beta": 0.356,
    }


@pytest.mark.parametrize("above", ["0", "-2", "nan"])
def test_a_factor_that_cannot_be_is_refused(rows, tmp_path, above):
    rows.to_csv(tmp_path / "runs.csv", index=False)
    arguments = ["fit", str(tmp_path / "runs.csv"), "--law", "dense", "--above", above]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: Option --above is {above}; ")
