"""What a fit says of itself in text, HTML, plain values and a picture; and what fitting refuses, each once."""

from dataclasses import replace
from importlib.metadata import version
from types import SimpleNamespace

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from moelaws.errors import InputError
from moelaws.fitting import comparison, design, diagnosis, intervals, objective, optimise, optimum, report, rows, shapes
from moelaws.fitting.estimation import fit, huber
from moelaws.fitting.optimise import AGREEMENT
from moelaws.laws import find
from moelaws.laws.dense import Dense
from moelaws.laws.frontier import Frontier
from moelaws.laws.routed import POWER_PRODUCT

SIZES, EXPERTS = (values.ravel() for values in np.meshgrid(1e7 * 4.0 ** np.arange(4), [1.0, 8.0, 64.0]))
ROWS = pd.DataFrame({"n_active": SIZES, "n_routed": EXPERTS})
ROWS["loss"] = 40 * SIZES**-0.12 * EXPERTS**-0.05 * (1 + 0.002 * np.cos(np.arange(12)))


@pytest.fixture(scope="module")
def fitted():
    """Return a power law of two columns whose exponent of experts is held."""
    return fit(POWER_PRODUCT, ROWS, hold={"b": -0.05})


# A report


def reported(**changed):
    """Return the report on what stands for a fit of three parameters, of which one is held and one tied."""
    law = SimpleNamespace(
        name="law<1>", columns=("n_active", "n_tokens"), response="loss", predicted="loss",
        parameters=[SimpleNamespace(name=n, unit=u, meaning=m) for n, u, m in (
            ("A", "nats", "level & more"), ("alpha", "", "exponent"), ("beta", "", "the same"), ("E", "", "floor"))],
    )  # fmt: skip
    loss = objective.Loss("log", changed.pop("delta", 1e-3), changed.pop("above", 1.0))
    found = SimpleNamespace(
        law=law, table=ROWS, status="converged", free=("A", "alpha"), tied={"beta": "alpha"}, held=["E"],
        values={"A": 480.126, "alpha": 0.34, "beta": 0.34, "E": 1.7}, rmse=lambda: 0.0123456,
        problem=SimpleNamespace(loss=loss), objective=0.001234567,
    )  # fmt: skip
    ends = changed.pop("ends", {"A": (470.0, 490.0)})
    return report.Report(found, ends, changed.pop("warnings", ("It < is > flat.",)), changed.pop("refits", None))


def test_a_report_as_text():
    assert str(reported()).split("\n") == [
        "law<1>, n_active, n_tokens → loss, 12 rows: converged",
        "    A      480 (470 to 490)  nats  level & more",
        "    alpha  0.34                    exponent",
        "    beta   0.34 (= alpha)          the same",
        "    E      1.7 (held)              floor",
        "RMSE 0.01235 in loss; Huber's loss, bent at 0.001 of log errors, objective 0.00123457; 95 %, profile of the "
        "objective",
        "Warning: It < is > flat.",
    ]


def test_the_loss_is_named():
    assert "; squares of log errors, " in reported(delta=None).foot
    assert "; squares, those above the observation times 0.5, of log errors, " in reported(delta=None, above=0.5).foot


def test_a_report_as_html():
    assert reported().as_html() == (
        "<table><caption>law&lt;1&gt;, n_active, n_tokens → loss, 12 rows: converged</caption><thead><tr>"
        '<th scope="col">parameter</th><th scope="col">value, 95 %</th><th scope="col">unit</th>'
        '<th scope="col">meaning</th></tr></thead><tbody>'
        '<tr><th scope="row">A</th><td>480 (470 to 490)</td><td>nats</td><td>level &amp; more</td>'
        '<tr><th scope="row">alpha</th><td>0.34</td><td></td><td>exponent</td>'
        '<tr><th scope="row">beta</th><td>0.34 (= alpha)</td><td></td><td>the same</td>'
        '<tr><th scope="row">E</th><td>1.7 (held)</td><td></td><td>floor</td></tbody></table>'
        "<p>RMSE 0.01235 in loss; Huber&#x27;s loss, bent at 0.001 of log errors, objective 0.00123457; 95 %, "
        "profile of the objective</p><p>Warnings:</p><ul><li>It &lt; is &gt; flat.</li></ul>"
    )
    assert "Warnings" not in reported(warnings=()).as_html()


def test_a_report_as_plain_values():
    drawn = SimpleNamespace(coefficients=np.zeros((18, 2)), failed=(3, 7), groups=6)
    assert reported(refits=drawn, above=2.0).as_dict() == {
        "law": "law<1>",
        "version": version("moelaws"),
        "loss": {"space": "log", "delta": 1e-3, "above": 2.0},
        "params": {
            "A": {"value": 480.126, "low": 470.0, "high": 490.0, "unit": "nats"},
            "alpha": {"value": 0.34, "low": None, "high": None, "unit": ""},
            "beta": {"value": 0.34, "low": None, "high": None, "unit": ""},
            "E": {"value": 1.7, "low": None, "high": None, "unit": ""},
        },
        "intervals": {"kind": "bootstrap", "level": 0.95, "draws": 20, "groups": 6},
        "units": {"n_active": "parameters", "n_tokens": "tokens", "loss": "nats/token"},
        "held": ["E"],
        "tied": {"beta": "alpha"},
        "objective": 0.001234567,
        "status": "converged",
        "n_rows": 12,
        "rmse": 0.0123456,
        "n_holdout": 0,
        "rmse_holdout": None,
        "warnings": ["It < is > flat."],
    }
    kinds = [reported(ends=ends).as_dict()["intervals"]["kind"] for ends in ({"A": (1, 2)}, {})]
    assert kinds == ["profile", None]


def test_rows_held_out_are_told_in_the_same_line(fitted):
    held = ROWS.head(2).assign(loss=[9.0, 8.0])
    said = report.report(fitted, held_out=held)
    rmse = np.sqrt(np.mean((fitted.predict(held) - held.loss) ** 2))
    assert f" in loss, {rmse:.4g} in 2 held out; squares" in said.foot
    assert said.as_dict()["rmse_holdout"] == pytest.approx(rmse)
    assert said.as_dict()["n_holdout"] == 2


def test_how_intervals_are_made(fitted, monkeypatch):
    found = fitted
    assert report.report(found).foot.endswith("; 95 %, profile of the objective")
    assert found._repr_html_() == found.report.as_html()
    assert repr(found) == str(found.report)
    drawn = intervals.refits(found, draws=3, by="n_routed")
    assert report.report(found, drawn).foot.endswith("; 95 %, 3 bootstraps of 3 groups")
    assert report.report(found, drawn).intervals == drawn.ranges()
    monkeypatch.setattr(report, "PROFILED_ROWS", 12)
    assert report.report(found).intervals
    monkeypatch.setattr(report, "PROFILED_ROWS", 11)
    long = report.report(found)
    assert long.intervals == {}
    assert long.foot.endswith("; no intervals")
    assert long.warnings[-1] == "No intervals for 12 rows unasked; a bootstrap (--bootstrap N) computes them."


def test_as_many_rows_as_parameters_have_no_intervals():
    few = SimpleNamespace(table=ROWS.head(2), free=("A", "b"), warnings=("few",))
    assert report.report(few) == report.Report(few, {}, ("few",))


def test_the_picture_of_a_fit(fitted):
    found = fitted
    held = ROWS.head(2).assign(loss=[9.0, 8.0])
    figure = report.plot(found, held)
    left, right = figure.axes
    predicted = found.predict(ROWS)
    assert left.lines[0].get_xdata().tolist() == left.lines[0].get_ydata().tolist()
    ends = [min(predicted.min(), ROWS.loss.min()), max(predicted.max(), ROWS.loss.max())]
    assert left.lines[0].get_xdata().tolist() == ends
    assert left.lines[1].get_xydata() == pytest.approx(np.column_stack([predicted, ROWS.loss]))
    assert left.lines[2].get_ydata().tolist() == [9, 8]
    assert to_hex(left.lines[2].get_markerfacecolor()) == "#ffffff"
    assert right.lines[1].get_ydata() == pytest.approx(100 * (predicted / ROWS.loss - 1))
    assert right.lines[2].get_ydata() == pytest.approx(100 * (predicted[:2] / [9, 8] - 1))
    # Where a title stands is a matter of style, and another test may have set the book's.
    title = left.get_title(loc="left") or left.get_title()
    assert (left.get_xlabel(), left.get_ylabel(), title) == (
        "predicted loss",
        "observed loss",
        found.law.name,
    )
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["equal", "rows", "held out"]
    assert len(found.plot().axes[0].lines) == 2
    plt.close("all")


# Predictions


def test_predictions_for_numbers_and_arrays(fitted):
    found = fitted
    by_hand = np.exp(found.values["d"]) * 1e9 ** found.values["a"] * 8**-0.05
    assert found.predict(n_active=1e9, n_routed=8) == pytest.approx(by_hand)
    assert np.ndim(found.predict(n_active=1e9, n_routed=8)) == 0
    assert found.predict(n_active=[[1e9], [2e9]], n_routed=[1, 8, 64]).shape == (2, 3)
    with pytest.raises(
        InputError, match=r"^Law 'power_product' needs 'n_routed'; its columns are n_active, n_routed\.$"
    ):
        found.predict(n_active=1e9)
    with pytest.raises(InputError, match="needs 'n_active'"):
        found.predict(ROWS[["n_routed"]])


# Refusals


LADDER = pd.DataFrame({"n_active": 1e7 * 2.0 ** np.arange(8), "n_routed": 8.0, "loss": np.linspace(4, 2, 8)})
SMALL = (LADDER.n_active < 1e9).to_numpy()


@pytest.mark.parametrize(
    ("laws", "table", "options", "sentence"),
    [
        (["power_product"], LADDER, {}, "The laws are power_product; at least two different ones are expected."),
        ([], LADDER, {}, "The laws are none; at least two different ones are expected."),
        (["bilinear"] * 2, LADDER, {}, "The laws are bilinear, bilinear; at least two different ones are expected."),
        (
            ["bilinear", "tian2025"],
            LADDER,
            {},
            "The laws bilinear, tian2025 predict different columns; the same one is expected.",
        ),
        (
            ["bilinear", "power_product"],
            LADDER.assign(power_product=2, bilinear=1, stacked=3),
            {},
            "The table has a column 'bilinear', which is the name of a law or of an average.",
        ),
        (
            ["bilinear", "power_product"],
            LADDER,
            {"group": "seed"},
            "The table has no column 'seed', whose equal values should be drawn together.",
        ),
        (
            ["bilinear", "power_product"],
            LADDER,
            {"holdout": "n_active > 1e9"},
            "Parameters train and holdout both say which rows are fitted; one of them is expected.",
        ),
        (
            ["bilinear", "power_product"],
            LADDER,
            {"train": None},
            "Parameters train and holdout both say which rows are fitted; one of them is expected.",
        ),
        (
            ["bilinear", "power_product"],
            LADDER.assign(n_active=[1e7, 2e7] * 4),
            {"train": np.arange(8) < 6},
            "Column 'n_active' needs more than 2 different values in the training rows, as the largest are predicted "
            "from the others; it has 2.",
        ),
    ],
)
def test_comparisons_that_are_refused(laws, table, options, sentence):
    with pytest.raises(InputError) as error:
        comparison.compare(laws, table, **({"train": SMALL, "by": "n_active"} | options))
    assert str(error.value) == sentence


@pytest.mark.parametrize("train", [np.ones(8, bool), np.zeros(8, bool), np.ones(7, bool), np.arange(8)])
def test_training_rows_that_are_none(train):
    with pytest.raises(InputError, match=r"^Parameter train must be True for some of the 8 rows and False for others"):
        comparison.compare(["bilinear", "power_product"], LADDER, train, by="n_active")


def test_a_comparison_reads_a_file_and_shows_itself(tmp_path):
    path = tmp_path / "runs.csv"
    pd.concat([ROWS, ROWS.assign(n_active=ROWS.n_active * 256, loss=ROWS.loss / 2)]).to_csv(path, index=False)
    found = comparison.compare(["power_product", "bilinear"], path, holdout="n_active > 1e11", by="n_active")
    assert len(found.held_out) == 3
    head, columns, *_ = repr(found).split("\n")
    assert head == f"chosen: {found.choice}"
    assert columns.split() == ["parameters", "rmse_train", "aicc", "bic", "rmse_forward"]


def test_refits_that_do_not_converge(fitted, monkeypatch):
    found = fitted
    best = found.problem.free(found.coefficients)

    def failing(at):
        def refit(problem, start, counts, draws, progress=False):
            numbers = np.arange(len(list(counts)))
            return np.tile(best, (len(numbers), 1)), numbers < 0, np.isin(numbers, at)

        monkeypatch.setattr(intervals, "refit", refit)

    failing(range(5))
    with pytest.raises(InputError, match=r"^None of 5 refits converged; fewer parameters or more rows are expected\.$"):
        intervals.refits(found, draws=5)
    failing([1])
    assert len(intervals.refits(found, draws=5).coefficients) == 4
    with pytest.raises(InputError, match=r"^Fits without these rows do not converge: 2, 5, 8, 11; fewer parameters or"):
        intervals.left_out(replace(found, table=ROWS.assign(group=["a", "b", "c"] * 4)), "group")


@pytest.mark.parametrize(
    ("converged", "disagreement", "alone", "said"),
    [
        (True, 0.0, 0, []),
        (False, 0.0, 0, ["did not converge"]),
        (True, AGREEMENT, 0, []),
        (True, 2 * AGREEMENT, 7, ["Another search gets"]),
        (True, AGREEMENT, 7, ["Only one of 7 starts led to this optimum, so that a better one may exist."]),
        (False, 0.02, 0, ["did not converge", "Another search gets 0.02 lower in the objective (relative), so that a"]),
    ],
)
def test_objections_to_a_search(converged, disagreement, alone, said):
    found = list(diagnosis.of_search(converged, disagreement, alone, has_twin=False))
    assert len(found) == len(said)
    for sentence, part in zip(found, said, strict=True):
        assert part in sentence


def test_a_fit_without_freedom_has_no_noise():
    few = SimpleNamespace(
        problem=SimpleNamespace(errors=lambda free: np.ones(2), free=lambda theta: theta), coefficients=None,
        free=("A", "b"),
    )  # fmt: skip
    with pytest.raises(InputError, match=r"^The fit has 2 rows; more than its 2 free parameters are expected\.$"):
        design._noise(few)
    few.problem.errors = lambda free: np.array([1.0, 2.0, 2.0])
    assert design._noise(few) == 9


def test_nothing_to_search_for():
    law = Frontier()
    held = {one.name: value for one, value in zip(law.parameters, (1.5, 40.0, 0.1), strict=True)}
    table = pd.DataFrame({"flops": [1e18, 1e19], "loss": [2.0, 1.9]})
    found = fit(law, table, huber(1e-3), hold=held)
    assert found.free == ()
    assert found.predict(flops=1e20) == pytest.approx(1.5 + 40 * 1e20**-0.1)
    assert optimise.least_squares(found.problem, np.empty(0)) == optimise.Optimum(pytest.approx([]), True)


# Shapes and optima


def test_runs_by_hand():
    """A third of the active weights is outside experts, of which eight times as many are stored."""
    (row,) = shapes.runs(3e9, 2e10, 8, granularity=4).to_dict("records")
    assert row == pytest.approx(
        {"n_active": 3e9, "n_dense": 3e9, "n_total": 1e9 + 16e9, "n_tokens": 2e10, "n_routed": 8,
         "activation_ratio": 1 / 8, "granularity": 4, "flops": 3.6e20}
    )  # fmt: skip
    assert shapes.runs(3e9, 2e10, 8, outside=0).n_total[0] == 24e9
    for outside in (-0.1, 1.0):
        with pytest.raises(InputError, match=rf"^Parameter outside has the value {outside:g}; a share from 0 to below"):
            shapes.runs(1, 1, outside=outside)
    with pytest.raises(InputError, match=r"^Parameter expansion has the value 0\.5; at least 1, a dense model, is"):
        shapes.runs(1, 1, [2, 0.5])
    assert len(shapes.runs([1, 2], 1, 1)) == 2


def test_expansions_that_are_tried():
    seen = pd.DataFrame({"n_routed": [8.0, 1, 8], "activation_ratio": [0.5, 0.25, 0.5]})
    assert shapes.expansions(find("wang2024"), [4, 2, 4], seen) == [2, 4]
    assert shapes.expansions(find("wang2024"), (), seen) == [1, 8]
    assert shapes.expansions(find("abnar2025"), (), seen) == [2, 4]
    assert shapes.expansions(Dense(), (), seen) == [1]
    with pytest.raises(InputError, match=r"^Law 'dense' knows nothing of experts; it reads n_active, n_tokens\.$"):
        shapes.expansions(Dense(), [2], seen)


@pytest.mark.parametrize(
    ("law", "reason"),
    [
        ("tian2025", "it predicts leverage, not loss"),
        ("clark2022", "it has no term of tokens, so that along a budget a larger model is always better for it"),
        ("frontier", "it reads neither size nor tokens"),
    ],
)
def test_laws_that_know_no_best_size(law, reason):
    with pytest.raises(InputError) as error:
        optimum._answers(find(law))
    assert str(error.value) == f"Law '{law}' does not tell the best size for a budget: {reason}."
    optimum._answers(Dense())


def test_a_law_of_tokens_alone():
    law = SimpleNamespace(name="d", response="loss", columns=("n_tokens",))
    with pytest.raises(InputError, match=r"budget: it reads no size\.$"):
        optimum._answers(law)


@pytest.mark.parametrize(("alpha", "beta", "which"), [(0.0, 0.3, "smallest"), (0.3, 0.0, "largest")])
def test_a_law_without_an_optimum(alpha, beta, which):
    law = Dense()
    theta = law.theta({"E": 1.7, "A": 400.0, "B": 400.0, "alpha": alpha, "beta": beta})
    found = SimpleNamespace(law=law, coefficients=theta, table=pd.DataFrame())
    with pytest.raises(InputError) as error:
        optimum.optimum(found, 6e20)
    assert str(error.value) == (
        "Law 'dense' with these coefficients has no best size for 6e+20 FLOP: "
        f"its loss falls to the {which} that there is."
    )


# Columns that a law ignores


@pytest.mark.parametrize(
    ("column", "is_group", "expected"),
    [
        (pd.Series([1.0, 1.0, 1.0]), False, None),
        (pd.Series([np.nan, np.inf, np.nan]), False, None),
        (pd.Series([np.nan, 2.0, 2.0]), False, None),
        (pd.Series(["a", "b", "a", "c", "a", "a"]), False, None),
        (pd.Series(["a", "b"] * 3), False, [[0.5, -0.5], [-0.5, 0.5]] * 3),
        (pd.Series([True, False] * 3), False, [[-0.5, 0.5], [0.5, -0.5]] * 3),
        (pd.Series([1, 2] * 3), True, [[0.5, -0.5], [-0.5, 0.5]] * 3),
        # Of positive numbers the logarithms, of mean zero and width one, and their squares less one.
        (pd.Series([1.0, np.e**2]), False, [[-1, 0], [1, 0]]),
        (pd.Series([-1.0, 1.0, 0.0, 0.0]), False, [[-(2**0.5), 1], [2**0.5, 1], [0, -1], [0, -1]]),
        (pd.Series([-1.0, 1.0, np.nan, np.nan]), False, [[-(2**0.5), 1], [2**0.5, 1], [0, -1], [0, -1]]),
    ],
)
def test_what_a_column_may_add(column, is_group, expected):
    levels = rows._levels(column, is_group)
    assert levels is None if expected is None else levels == pytest.approx(np.array(expected))


def test_long_tables_are_tested_by_a_sample(monkeypatch):
    """A column that all errors go with is found in any half of the rows."""
    random = np.random.default_rng(1)
    table = pd.DataFrame({"flops": np.exp(random.uniform(40, 50, 60)), "loss": 2.0, "kind": ["a", "b", "c"] * 20})
    errors = np.tile([1.0, -1.0, 0.0], 20)
    basis = np.ones((60, 1)) / 60**0.5
    whole = rows.ignored(Frontier(), table, errors, basis)
    monkeypatch.setattr(rows, "MOST_ROWS", 30)
    sampled = rows.ignored(Frontier(), table, errors, basis)
    assert whole.keys() == sampled.keys() == {"kind"}
    assert whole["kind"] == pytest.approx(1)


def test_what_coefficients_can_move_in_the_errors():
    """Columns of zeros and multiples of other columns add no direction."""
    problem = SimpleNamespace(jacobian=lambda free: np.array([[3.0, 0.0, 6.0], [4.0, 0.0, 8.0], [0.0, 0.0, 0.0]]))
    problem.unit_jacobian = lambda free: objective.Problem.unit_jacobian(problem, free)
    matrix, lengths = problem.unit_jacobian(None)
    assert lengths == pytest.approx([5, 1, 10])
    assert matrix == pytest.approx(np.array([[0.6, 0, 0.6], [0.8, 0, 0.8], [0, 0, 0]]))
    assert np.abs(objective.Problem.basis(problem, None)) == pytest.approx(np.array([[0.6], [0.8], [0]]))
