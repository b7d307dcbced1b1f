"""From a budget to an architecture: the tabulated one within the stated intervals, honest beyond the runs."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from moelaws.cli.main import main
from moelaws.errors import InputError
from moelaws.fitting.trend import Trend
from moelaws.papers.allocation import SOURCES, allocate
from moelaws.papers.wan2026 import allocation as wan2026
from moelaws.papers.wan2026 import law as law

SCALES = wan2026.scales()


@pytest.mark.parametrize("flops", SCALES.flops)
def test_the_tabulated_sizes_lie_in_the_stated_intervals(flops):
    plan, row = allocate("wan2026", flops), SCALES.set_index("flops").loc[flops]
    for quantity, column in [
        ("flops_per_token", "M"),
        ("n_active", "N_a"),
        ("n_total", "N"),
        ("compute_density", "compute_density"),
        ("expansion", "expansion"),
        ("d_model", "width"),
        ("learning_rate", "learning_rate"),
        ("batch", "batch"),
    ]:
        assert plan.step(quantity).holds(row[column]), quantity
    assert plan.outside == plan.decades == 0
    assert not plan.warnings


@pytest.mark.parametrize("left_out", range(6))
def test_a_scale_is_predicted_by_the_other_five(left_out):
    others = SCALES.drop(index=left_out)
    row = SCALES.loc[left_out]
    for column, floor in (("compute_density", 6.0), ("width", 0.0)):
        low, high = Trend(others.flops, others[column], floor).interval(row.flops)
        assert low <= row[column] <= high


@pytest.mark.parametrize("flops", [1e17, 2e18, 1e22, 1e24, 1e26])
def test_whole_numbers_have_the_sizes_that_were_asked_for(flops):
    plan = allocate("wan2026", flops, extrapolate=True)
    names = ("d_model", "n_dense_layers", "n_moe_layers", "d_expert")
    whole = plan.architecture
    setting = law.Setting(whole["n_heads"], whole["n_kv_heads"], whole["d_head"])
    sizes = law.account(*(whole[name] for name in names), setting)
    realised = [plan.realised[name] for name in ("flops_per_token", "n_active", "n_total")]
    assert np.ravel(sizes) == pytest.approx(realised)
    asked = [plan.step(name).value for name in ("flops_per_token", "n_active", "n_total")]
    assert np.abs(np.ravel(sizes) / asked - 1).max() <= plan.realised["largest_deviation"] + 1e-12
    assert plan.realised["largest_deviation"] < 0.2
    assert {step.source for step in plan.steps} <= set(SOURCES)
    for step in plan.steps:
        assert step.low is None or step.low <= step.value <= step.high


def test_beyond_the_runs_it_refuses_or_says_how_far():
    with pytest.raises(InputError, match=r"flops has the value 1e\+22, 1.5 decades outside the runs of wan2026"):
        allocate("wan2026", 1e22)
    plan = allocate("wan2026", 1e22, extrapolate=True)
    assert (plan.decades, plan.outside) == pytest.approx((1.523, 0.615), abs=1e-3)
    assert "every step is an extrapolation" in plan.warnings[-1]
    below = allocate("wan2026", 1e17, extrapolate=True)
    assert below.decades == pytest.approx(1)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--law", "wan2026", "--flops", "-1"], "Parameter flops has the value -1.0; a positive number is expected."),
        (["--law", "wan2026", "--flops", "nan"], "Parameter flops has the value nan; a positive number is expected."),
        (["--law", "nobody", "--flops", "1e20"], "the laws are wan2026 and, with coefficients of your own, yun2024."),
        (["--law", "wan2026", "--flops", "1e40", "--extrapolate"], "nothing can be said farther from the runs."),
        (["--law", "wan2026", "--flops", "1e13", "--extrapolate"], "layers of both kinds has the sizes there."),
        (["--law", "wan2026", "--flops", "much"], "'much' is not a valid float."),
    ],
)
def test_mistakes_end_in_one_sentence(arguments, sentence):
    result = CliRunner().invoke(main, ["allocate", *arguments])
    assert result.exit_code == 2
    assert result.stderr.strip().endswith(sentence)


def test_what_is_printed_for_a_budget_is_used():
    """Tables 2 and 4 at 1e19 FLOP; a power law through the six batches would give 112."""
    plan = allocate("wan2026", 1e19)
    assert {name: plan.step(name).value for name in ("batch", "learning_rate")} == {
        "batch": 128,
        "learning_rate": 8.28e-4,
    }
    assert [plan.step(name).value for name in ("flops_per_token", "n_tokens")] == pytest.approx([9.345e8, 1.07004e10])
    assert plan.step("training_steps").value == pytest.approx(1.07004e10 / 128 / 8192)
    assert {step.quantity for step in plan.steps if step.source in ("refitted", "chosen")} == {
        "compute_density",
        "d_model",
    }


def test_the_command_says_what_the_package_says():
    result = CliRunner().invoke(main, ["allocate", "--law", "wan2026", "--flops", "7e19", "--json"])
    assert json.loads(result.stdout) == json.loads(json.dumps(allocate("wan2026", 7e19).report()))
    shown = CliRunner().invoke(main, ["allocate", "--law", "wan2026", "--flops", "1e22", "--extrapolate"])
    assert "EXTRAPOLATION by 1.5 decades" in shown.stdout
    assert "[printed: Eq. 2]" in shown.stdout
    assert shown.stderr.startswith("Warning: ")


def test_a_trend_covers_as_often_as_it_says():
    rng, x = np.random.default_rng(0), np.geomspace(1e18, 3e20, 6)
    hits = []
    for _ in range(400):
        y = 6 + 5 * (x / 1e18) ** -0.15 * np.exp(rng.normal(0, 0.05, 6))
        low, high = Trend(x, y, floor=6).interval(1e22)
        hits.append(low <= 6 + 5 * 1e4**-0.15 * np.exp(rng.normal(0, 0.05)) <= high)
    assert np.mean(hits) == pytest.approx(0.95, abs=0.025)


def test_a_trend_refuses_too_little():
    for x, y, sentence in [([1, 2], [1, 2], "fewer than three"), ([1, 2, 3], [7, 6, 8], "not above the floor, 6")]:
        with pytest.raises(InputError, match=sentence):
            Trend(x, y, floor=6)
