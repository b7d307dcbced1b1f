"""Boundaries, refusals and notes of several rooms, each from both sides."""

import json
from dataclasses import replace
from types import SimpleNamespace

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from moelaws import laws, plots
from moelaws.data.quantities import QUANTITIES
from moelaws.errors import InputError
from moelaws.fitting import comparison, estimation, intervals, leverage, optimise
from moelaws.fitting.averaging import weighed
from moelaws.laws import dense
from moelaws.models import huggingface
from moelaws.models.keys import Keys
from moelaws.models.ratios import activation_ratio
from moelaws.papers.wan2026 import law as wan2026
from moelaws.papers.wan2026 import minima, shapes
from moelaws.papers.yun2024.cost import cheapest
from moelaws.paths import ROOT
from moelaws.serving import measured
from moelaws.serving.footprint import Footprint
from moelaws.serving.roofline import glu_tokens
from moelaws.serving.steps import load_device
from moelaws.teaching import answers

# Searches


def dense_rows():
    """Return runs whose loss is the sum of Hoffmann's form with its usual sizes."""
    grid = np.array([(n, d) for n in (1e8, 3e8, 1e9, 3e9) for d in (2e9, 1e10, 6e10)])
    loss = 1.7 + 400 / grid[:, 0] ** 0.34 + 400 / grid[:, 1] ** 0.28
    return pd.DataFrame({"n_active": grid[:, 0], "n_tokens": grid[:, 1], "loss": loss})


def problem(name, hold=None, loss=estimation.LOG_SQUARES, tie=None):
    """Return the problem of a law on some runs."""
    rng = np.random.default_rng(3)
    law = laws.LAWS[name]
    columns = {column: np.exp(rng.uniform(*np.log(QUANTITIES[column].span), 40)) for column in law.columns}
    rows = pd.DataFrame(columns | {"loss": rng.uniform(2, 3, 40)})
    return estimation.make_problem(law, rows, loss, hold or {}, tie or {})[1]


def test_only_coefficients_of_one_term_are_measured_by_what_they_contribute():
    free, tied = problem("dense"), problem("dense", tie={"B": "A"})
    names = [parameter.name for parameter in free.law.parameters]
    assert [names[free.indices[place][0]] for place in optimise.Contributions(free).linear] == ["E", "A", "B"]
    assert [names[tied.indices[place][0]] for place in optimise.Contributions(tied).linear] == ["E"]


def test_a_fit_reads_a_file_as_it_reads_a_table(tmp_path):
    rows = dense_rows()
    rows.to_csv(tmp_path / "runs.csv", index=False)
    law = laws.LAWS["dense"]
    assert estimation.fit(law, tmp_path / "runs.csv").values == pytest.approx(
        estimation.fit(law, rows).values, rel=1e-6
    )


@pytest.mark.parametrize(("status", "converged"), [(-1, False), (0, False), (1, True), (2, True), (3, True)])
def test_a_linear_search_that_was_cut_short_has_not_converged(monkeypatch, status, converged):
    """SciPy's status is 0 where the number of steps ran out, and less where something failed."""
    held = problem("dense", {"alpha": 0.3, "beta": 0.3}, estimation.RELATIVE_SQUARES)
    ended = SimpleNamespace(x=np.ones(3), status=status)
    monkeypatch.setattr(optimise.optimize, "lsq_linear", lambda *_, **__: ended)
    monkeypatch.setattr(optimise.np.linalg, "lstsq", lambda *_, **__: [np.full(3, -1.0)])
    assert optimise.least_squares(held, np.ones(3)).converged == converged


@pytest.mark.parametrize("shown", [True, False])
def test_a_bar_stands_only_where_it_was_asked_for(monkeypatch, shown):
    disabled = []

    def bar(results, *, disable, **_):
        disabled.append(disable)
        return results

    monkeypatch.setattr(intervals, "tqdm", bar)
    rows = pd.DataFrame({"x": [1.0, 2.0, 3.0]})
    intervals.bootstrap(lambda table: table.x.mean(), rows, draws=3, seed=0, progress=shown)
    assert disabled == [not shown]


# Laws


def test_two_laws_of_one_name_are_none(monkeypatch):
    assert laws._found().keys() == laws.LAWS.keys()
    monkeypatch.setattr(dense, "COPY", dense.Dense(), raising=False)
    with pytest.raises(ImportError, match=r"^Two laws have the name 'dense'\.$"):
        laws._found()


# Fitting


def test_an_exact_law_gets_nearly_all_weight():
    """Its mean square counts as a millionth of a millionth of the response's, 30.5; the other's is one."""
    observed = np.array([5.0, 6.0])
    weights = weighed(np.column_stack([observed, observed + 1]), observed)
    assert weights == pytest.approx([1, 30.5e-12], rel=1e-6)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-0.1, 0.0, "do not tell b from a"),
        (0.0, 0.1, "do not tell b from a"),
        (-0.2, -0.1, "b does better than a, which was chosen"),
        (0.1, 0.5, None),
    ],
)
def test_what_is_said_of_a_difference(low, high, said):
    table = pd.DataFrame({"difference": [0.0, 0.05], "low": [0.0, low], "high": [0.0, high]}, index=["a", "b"])
    found = list(comparison._objections(table, "a", "held out", 7, 2))
    assert [said in sentence for sentence in found] == ([True] if said else [])
    (alone, *_) = comparison._objections(table, "a", "held out", 7, 1)
    assert alone == "The 7 rows held out are one group, which cannot say whether a difference is more than chance."


def test_a_valley_is_that_of_the_nearest_runs():
    """Two far runs lie on no parabola; of five, those next to the lowest, an exact one has its bottom at 2e8."""
    x = np.array([-2.0, -1, 0, 1, 2, 5, 7])
    loss = np.where(x > 2, 9.0, 3 + 0.1 * x**2)
    found = leverage.valley(2e8 * np.exp(x), loss, nearest=5)
    assert (found.size, found.loss, found.noise) == pytest.approx((2e8, 3, 0), abs=1e-9, rel=1e-9)
    assert leverage.valley(2e8 * np.exp(x), loss, nearest=6).noise > 0.1
    with pytest.raises(InputError, match=r"^The losses of the budget have no lowest point; smaller and larger models"):
        leverage.valley(np.exp(x[:5]), 3 - 0.1 * x[:5] ** 2)
    with pytest.raises(InputError, match=r"^The budget has 3 sizes; at least 4 are expected\.$"):
        leverage.valley(np.exp(x[1:4]), loss[1:4])
    assert leverage.valley(2e8 * np.exp(x[1:4]), loss[1:4], noise=0.1).size == pytest.approx(2e8)


# Models


def test_shares_of_experts():
    assert activation_ratio(8, 8) == 1
    with pytest.raises(
        InputError, match=r"^Parameter top_k is greater than n_routed; a token activates at most the ex"
    ):
        activation_ratio(8, 9)
    with pytest.raises(
        InputError, match=r"^Parameter n_shared holds a negative or infinite number; a count of experts"
    ):
        activation_ratio(8, 2, -1)
    with pytest.raises(
        InputError, match=r"^Parameter convention is 'all'; one of routed, with shared, mixed is expect"
    ):
        activation_ratio(8, 2, 1, "all")
    assert [float(activation_ratio(8, 2, 1, one)) for one in ("routed", "with shared", "mixed")] == [0.25, 3 / 9, 3 / 8]


def test_work_on_states_is_noted():
    sentence = "Work on states is that of one token after another; kernels that take chunks do more."
    for name, noted in (("qwen3-next-80b-a3b", True), ("mixtral-8x7b", False)):
        values = json.loads((ROOT / f"data/model_configs/{name}.json").read_text(encoding="utf-8"))
        assert (sentence in huggingface.parse(Keys(values, "mine.json")).notes) is noted


# Serving


def test_a_layer_at_its_ceiling_never_reaches_it():
    """With both widths 6 the weights and activations of Eq. 3 allow fewer than 9 FLOP for each element."""
    assert glu_tokens([9.0, 8.9, 9.1], 6, 6).tolist() == [np.inf, pytest.approx(3 * 36 * 8.9 / (216 - 213.6)), np.inf]


def test_measurements_of_several_files_are_numbered_on(tmp_path):
    law = measured.law_of(huggingface.model(ROOT / "data/examples/config.json"))
    for name in "ab":
        (tmp_path / name).write_text("concurrency,tokens_in,tokens_out,step_ms\n1,2,3,4\n5,6,7,8\n", encoding="utf-8")
    rows = measured.read([tmp_path / "a", tmp_path / "b"], law)
    assert rows.index.tolist() == [0, 1, 2, 3]
    assert rows.concurrency.tolist() == [1, 5, 1, 5]


def test_columns_of_measurements():
    units = {name: unit for name, (unit, _) in measured.COLUMNS.items()}
    assert units == {
        "concurrency": "requests", "tokens_in": "tokens", "tokens_out": "tokens", "n_routed": "experts",
        "top_k": "experts", "throughput_total": "tokens/s", "throughput_output": "tokens/s", "step_ms": "ms",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["most_gpus", "most_requests"])
def test_one_device_or_request_is_the_least(name):
    model, device = Footprint.of_size([1e9], 8), load_device("A100-80G-SXM")
    assert np.isfinite(cheapest(model, device, **{name: 1}).gpus).all()
    for value in (0.99, np.nan):
        with pytest.raises(InputError, match=rf"^Parameter {name} has the value {value}; at least 1 is expected\.$"):
            cheapest(model, device, **{name: value})


# Papers


def test_a_size_at_the_end_of_its_tolerance_is_found():
    """A tolerance that just reaches an architecture from either side keeps it."""
    setting = wan2026.Setting(16, 8, 128)
    exact = np.array(wan2026.account(2048, 1, 15, 592, setting))
    for factor in (1 / 0.995, 1 / 1.005):
        sizes = exact * factor
        tolerance = np.nextafter(abs(1 / factor - 1), 1)
        found = shapes.within(*sizes, setting, tolerance=tolerance)
        assert len(found[(found.d_model == 2048) & (found.n_moe_layers == 15) & (found.d_expert == 592)]) == 1


def test_a_well_between_two_walls():
    """Of the two ends of the range of experts over active ones that the paper's grid has: 1 and 289/9."""
    assert (minima.BetweenPoles.low, minima.BetweenPoles.high) == (1, pytest.approx(32.1111111))


# Teaching


def test_a_number_needs_a_precision():
    with pytest.raises(InputError) as error:
        answers.seal(1.5, "q", "a number")
    assert str(error.value) == (
        "The form of an answer, 'a number', names no precision; "
        "'to two digits', 'to one decimal' or 'a whole number' is expected."
    )
    assert len(answers.seal(["word", True], "q", "a word and True or False")) == 2
    with pytest.raises(InputError, match=r"^The answer has 2 parts; one value is expected: a word\.$"):
        answers.right(["a", "b"], "q", "a word", answers.seal("a", "q", "a word"))


# Figures


@pytest.mark.parametrize(
    ("loads", "shown"),
    [
        ([1, 2, 3, 4, 6, 8, 12, 16], [1, 2, 3, 4, 6, 8, 12, 16]),
        ([1, 2, 3, 4, 6, 8, 12, 16, 24], [1, 2, 4, 8, 16]),
    ],
)
def test_loads_that_are_labelled(loads, shown):
    ax = plt.figure().add_subplot()
    plots.load_axis(ax, loads)
    assert ax.get_xticks().tolist() == shown
    assert [label.get_text() for label in ax.get_xticklabels()] == [str(load) for load in shown]
    assert (ax.get_xscale(), ax.get_xlabel(), len(ax.get_xticks(minor=True))) == ("log", "concurrent requests", 0)
    plt.close("all")


def test_the_house_style():
    with plt.rc_context():
        plots.style()
        assert plt.rcParams["figure.constrained_layout.use"]
        assert plt.rcParams["svg.hashsalt"] == "moelaws"
        assert plt.rcParams["figure.figsize"] == [7.2, 3.4]
        assert (plt.rcParams["axes.spines.top"], plt.rcParams["axes.grid"]) == (False, True)


def test_a_device_at_a_share_of_its_rates():
    device = load_device("A100-80G-SXM")
    half = device.at(0.5)
    assert replace(half, bandwidth=2 * half.bandwidth, flops=2 * half.flops, link=2 * half.link) == device
