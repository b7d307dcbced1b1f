"""Over-training: both algorithms against exhaustive search, their limits, and the command."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from moelaws.cli.main import main
from moelaws.errors import InputError
from moelaws.fitting import saved as artifact
from moelaws.fitting.estimation import fit
from moelaws.fitting.intervals import refits
from moelaws.laws.yun2024 import YUN2024
from moelaws.models.ratios import active_ratio
from moelaws.papers.yun2024 import allocation as yun2024
from moelaws.papers.yun2024.budget import size_at_loss
from moelaws.papers.yun2024.cost import cheapest
from moelaws.papers.yun2024.overtraining import budget, cheapest_at_loss, crossing, lowest_loss_at_cost, size_at_cost
from moelaws.serving.footprint import Footprint
from moelaws.serving.steps import load_device

VALUES = {"A": 420.0, "B": 2.6, "C": 7100.0, "F": 2.0, "alpha": 0.28, "beta": 1.4, "gamma": 0.36, "d": -0.004}
VALUES |= {"E_start": 8.0, "E_max": 330.0}
THETA = YUN2024.theta(VALUES)
"""Made-up coefficients; the paper prints none."""

A100 = load_device("A100-40G-SXM")
FLOPS = 5.15e21


def cost(n_dense, n_routed):
    return cheapest(Footprint.of_size(n_dense, n_routed), A100).gpu_seconds


BUDGET = budget(THETA, FLOPS, cost)


def along(n_routed, points=20_001):
    """Return sizes from far below the loss optimum up to it, with their losses and costs."""
    best = BUDGET.best(n_routed).n_dense
    n_dense = np.geomspace(best / 300, best, points)
    return n_dense, BUDGET.loss(n_dense, n_routed), cost(n_dense, n_routed)


@pytest.mark.parametrize(("base", "target"), [(1, 8), (4, 8), (4, 16), (1, 32)])
def test_both_algorithms_against_exhaustive_search(base, target):
    n_dense, losses, costs = along(target)
    step = n_dense[1] / n_dense[0] - 1
    reference = BUDGET.best(base)

    cheap = cheapest_at_loss(BUDGET, base, target)
    found = np.nanargmin(np.where(losses <= reference.loss, costs, np.nan))
    assert cheap.chosen.n_dense == pytest.approx(n_dense[found], rel=1.01 * step)
    assert cheap.chosen.cost <= costs[found]
    assert cheap.chosen.loss == pytest.approx(reference.loss, rel=1e-12)

    low = lowest_loss_at_cost(BUDGET, base, target)
    found = np.nanargmin(np.where(costs <= reference.cost, losses, np.nan))
    assert low.chosen.n_dense == pytest.approx(n_dense[found], rel=1.01 * step)
    assert low.chosen.loss <= losses[found] * (1 + 1e-14)
    assert low.chosen.cost <= reference.cost * (1 + 1e-12)


@pytest.mark.parametrize("n_routed", [1, 4, 8, 16, 32])
def test_below_the_optimum_loss_falls_and_cost_rises(n_routed):
    _, losses, costs = along(n_routed, 2001)
    assert np.all(np.diff(losses[:-20]) < 0)
    assert np.all(np.diff(costs) > 0)


@given(st.sampled_from([1, 4, 8, 32]))
def test_the_same_number_of_experts_is_the_base_itself(n_routed):
    for algorithm in (cheapest_at_loss, lowest_loss_at_cost):
        answer = algorithm(BUDGET, n_routed, n_routed)
        assert answer.to_optimum == answer.to_base == answer.cost_ratio == 1


def test_the_law_s_own_solution_of_a_loss_agrees():
    reference, kappa = BUDGET.best(4), active_ratio(16)
    ours = cheapest_at_loss(BUDGET, 4, 16).chosen.n_dense
    assert ours == pytest.approx(size_at_loss(THETA, reference.loss, FLOPS, 16, kappa), rel=1e-10)


def test_tokens_spend_the_budget():
    answer = cheapest_at_loss(BUDGET, 4, 16)
    for model in (answer.chosen, answer.optimum, answer.base):
        active = active_ratio(model.n_routed) * model.n_dense
        assert 6 * active * model.n_tokens == pytest.approx(FLOPS)
    assert answer.chosen.tokens_per_parameter > 10 * answer.optimum.tokens_per_parameter


def test_coefficient_sets_and_budgets_at_once():
    sets = np.stack([THETA, THETA * np.where(np.arange(10) == 0, 1.1, 1)])[:, None, :]
    flops = np.array([1e21, 5.15e21, 9e21])
    table = lowest_loss_at_cost(budget(sets, flops, cost), 1, 16)
    assert table.to_optimum.shape == (2, 3)
    alone = lowest_loss_at_cost(budget(sets[1, 0], flops[2], cost), 1, 16)
    assert table.to_optimum[1, 2] == pytest.approx(float(alone.to_optimum), rel=1e-12)


def test_more_experts_lower_the_loss_at_equal_cost():
    losses = [float(lowest_loss_at_cost(BUDGET, 1, n_routed).chosen.loss) for n_routed in (1, 4, 8, 16, 32)]
    assert np.all(np.diff(losses) < 0)


def test_a_bound_that_does_not_bind_gives_the_loss_optimum():
    free = replace(BUDGET, cost=lambda n_dense, n_routed: n_dense / n_routed**2)
    answer = lowest_loss_at_cost(free, 1, 8)
    assert answer.to_optimum == 1
    assert answer.chosen.cost < answer.base.cost
    assert size_at_cost(free.cost, answer.base.cost, 8) == pytest.approx(64 * float(answer.base.n_dense))


def test_no_solution_is_nan_beside_solutions():
    fewer = cheapest_at_loss(BUDGET, 8, 1)
    assert np.isnan(fewer.chosen.n_dense)
    assert np.isnan([fewer.chosen.loss, fewer.chosen.cost, fewer.chosen.n_tokens]).all()
    assert np.isfinite(fewer.base.cost)
    mixed = lowest_loss_at_cost(budget(THETA, np.array([5e21, 5e26]), cost), 1, 32)
    assert np.isnan(mixed.base.cost).tolist() == [False, True]
    assert np.isnan(mixed.chosen.n_dense).tolist() == [False, True]


@given(st.floats(0.1, 5), st.floats(1e-3, 1e3))
def test_crossing_inverts(power, root):
    assert crossing(lambda x: x**power - root**power, 1e-6, 1e6) == pytest.approx(root, rel=1e-9)


def test_crossing_takes_nan_as_too_large():
    assert crossing(lambda x: np.where(x > 3, np.nan, x - 2), 1.0, 10.0) == pytest.approx(2)


@pytest.fixture
def coefficients(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(VALUES), encoding="utf-8")
    return str(path)


def run(*arguments):
    return CliRunner().invoke(main, ["allocate", "--law", "yun2024", *(str(argument) for argument in arguments)])


def test_the_command_says_what_the_package_says(coefficients):
    asked = ("--flops", FLOPS, "--coefficients", coefficients, "--base", 4, "--experts", 8, "--price", 2)
    result = run(*asked, "--json")
    answer = json.loads(result.stdout)
    assert answer == json.loads(json.dumps(yun2024.plan(FLOPS, coefficients, 4, 8, price=2).report()))
    expected = cheapest_at_loss(BUDGET, 4, 8)
    assert answer["to_optimum"] == pytest.approx(float(expected.to_optimum))
    assert answer["chosen"]["gpu_seconds_per_million"] == pytest.approx(1e6 * float(expected.chosen.cost))
    assert answer["chosen"]["price_per_million"] == pytest.approx(
        2 / 3600 * answer["chosen"]["gpu_seconds_per_million"]
    )
    shown = run(*asked)
    assert f"cost_ratio = {expected.cost_ratio:.3g}: cost of a token over the base model's" in shown.stdout
    assert shown.stderr.startswith("Warning: How far the models lie from the runs")


def test_the_command_bounds_cost_and_knows_other_servers(coefficients):
    asked = (
        "--flops",
        FLOPS,
        "--coefficients",
        coefficients,
        "--base",
        1,
        "--experts",
        16,
        "--bound",
        "cost",
        "--json",
    )
    paper = json.loads(run(*asked).stdout)
    assert paper["cost_ratio"] == pytest.approx(1)
    assert paper["chosen"]["loss"] < paper["base"]["loss"]
    few = json.loads(run(*asked, "--requests", 256, "--tokens-in", 500, "--tokens-out", 100).stdout)
    assert few["chosen"]["requests"] <= 256
    assert few["to_base"] < paper["to_base"]
    larger = json.loads(run(*asked, "--device", "MI300X-192G-OAM", "--gpus", 1).stdout)
    assert larger["chosen"]["gpus"] == 1


def saved(folder, noise, draws, values=VALUES, free=("A", "C")):
    """Save a fit of few of the ten coefficients to made-up runs of the law."""
    axes = np.geomspace(1e8, 1e9, 3), np.geomspace(2e9, 2e10, 3), [1.0, 4.0, 8.0, 32.0]
    rows = pd.DataFrame(dict(zip(YUN2024.columns, (x.ravel() for x in np.meshgrid(*axes)), strict=True)))
    scatter = np.random.default_rng(0).normal(size=len(rows))
    rows["loss"] = YUN2024.predict(YUN2024.theta(values), rows) * np.exp(noise * scatter)
    fitted = fit(YUN2024, rows, hold={name: values[name] for name in values if name not in free})
    artifact.save(fitted, folder, refits(fitted, draws=draws) if draws else None)
    return folder


def test_a_saved_fit_is_read_and_its_range_is_told(tmp_path):
    folder = saved(tmp_path / "mine", noise=0.0, draws=0)
    answer = yun2024.plan(FLOPS, folder, 4, 8)
    assert answer.to_optimum == pytest.approx(float(cheapest_at_loss(BUDGET, 4, 8).to_optimum), rel=1e-4)
    assert [sentence.split(" model")[0] for sentence in answer.warnings] == ["The chosen", "The base"]
    assert answer.intervals == {}
    assert yun2024.plan(1e19, folder, 4, 4).warnings == ()


def test_a_bootstrap_gives_intervals(tmp_path):
    folder = saved(tmp_path / "mine", noise=0.01, draws=40)
    true = cheapest_at_loss(BUDGET, 4, 8)
    answer = yun2024.plan(FLOPS, folder, 4, 8)
    for ratio in yun2024.RATIOS:
        low, high = answer.intervals[ratio]
        assert low < float(getattr(true, ratio)) < high
        assert high < 1.2 * low
    shown = run("--flops", FLOPS, "--coefficients", folder, "--base", 4, "--experts", 8)
    assert (
        "cost_ratio = {:.3g} ({:.3g} to {:.3g})".format(answer.cost_ratio, *answer.intervals["cost_ratio"])
        in shown.stdout
    )


def test_no_intervals_where_a_draw_has_no_answer(tmp_path):
    """Experts help just enough: with the coefficients of some draws, four do not reach the loss of a dense model."""
    folder = saved(tmp_path / "mine", noise=0.03, draws=40, values=VALUES | {"d": 0.0, "B": 4.5}, free=("B",))
    answer = yun2024.plan(FLOPS, folder, 1, 4)
    assert answer.intervals == {}
    assert answer.warnings[-1].startswith("There are no intervals")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--experts", 8], "Option --base is missing; the number of experts of the base model is expected with"),
        (["--base", 8, "--experts", 1], "No model with 1 experts has the loss of the base model at this budget."),
        (["--base", 0, "--experts", 8], "Parameter base has the value 0; a number from 1 on is expected."),
        (["--base", 4, "--experts", "nan"], "Parameter experts has the value nan; a number from 1 on is expected."),
        (["--base", 4, "--experts", 8, "--price", -1], "Parameter price has the value -1.0; a positive number"),
        (["--base", 4, "--experts", 8, "--gpus", 0], "Parameter most_gpus has the value 0; at least 1 is expected."),
        (["--base", 4, "--experts", 8, "--device", "abacus"], "There is no device 'abacus'"),
        (["--base", 4, "--experts", 8, "--tokens-in", 0], "Parameter tokens_in has the value 0.0"),
        (["--base", 4, "--experts", 8, "--flops", 1e27], "does not fit 8 A100-40G-SXM; more are expected."),
        (["--base", 4, "--experts", 8, "--extrapolate"], "Option --extrapolate belongs to --law wan2026"),
        (["--base", 4, "--experts", 8, "--flops", -1], "Parameter flops has the value -1.0; a positive number"),
    ],
)
def test_mistakes_end_in_one_sentence(coefficients, options, sentence):
    result = run("--flops", FLOPS, "--coefficients", coefficients, *options)
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert sentence in result.stderr


def test_without_coefficients_it_says_that_none_are_printed():
    result = run("--flops", FLOPS, "--base", 4, "--experts", 8)
    assert result.exit_code == 2
    assert "as the paper prints none, the folder of 'moelaws fit --law yun2024 --out'" in result.stderr


def test_options_of_another_law_are_refused():
    result = CliRunner().invoke(main, ["allocate", "--law", "wan2026", "--flops", "1e20", "--tokens-in", "5"])
    assert result.exit_code == 2
    assert result.stderr == "Error: Option --tokens-in belongs to --law yun2024, not to wan2026.\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "this is no JSON"),
        ("[1]", "an object with the values A, B, C, F, alpha, beta, gamma, d, E_start, E_max and no others"),
        (json.dumps(VALUES | {"zeta": 0}), "and no others is expected"),
        (json.dumps(VALUES | {"alpha": -1}), r"alpha is -1; a number from 0 to 3 is expected"),
        (json.dumps(VALUES | {"alpha": "x"}), r"alpha is 'x'; a number from 0 to 3 is expected"),
        (json.dumps(VALUES | {"A": float("nan")}), "A is nan; a number from 0 to inf is expected"),
    ],
)
def test_coefficients_that_cannot_be_used(tmp_path, text, sentence):
    path = tmp_path / "mine.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=sentence):
        yun2024.read_coefficients(path)


def test_a_folder_of_another_law_or_none(tmp_path):
    with pytest.raises(InputError, match="there is no such file"):
        yun2024.read_coefficients(tmp_path / "nothing")
    rows = pd.DataFrame({"n_active": [1e7, 1e8, 1e9, 1e9], "n_routed": [1, 8, 1, 8], "loss": [3.9, 3.0, 2.6, 2.4]})
    artifact.save(fit(artifact.find("power_product"), rows), tmp_path / "other")
    with pytest.raises(InputError, match="the fit is of the law power_product; one of yun2024 is expected"):
        yun2024.read_coefficients(tmp_path / "other")
