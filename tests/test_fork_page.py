"""What a chapter on a reader's own runs says and draws, held against numbers and sentences written by hand."""

from types import SimpleNamespace

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from scipy.optimize import nnls

from moelaws import data, plots
from moelaws.fitting.estimation import RELATIVE_SQUARES, fit
from moelaws.fork import page
from moelaws.laws import find
from moelaws.models import catalogue
from moelaws.serving.steps import StepTime

# Coefficients of the refit by Besiroglu et al. (2024): E 1.8172, A 482.01, B 2085.43, alpha 0.3478, beta 0.3658.
VALUES = {"E": 1.82, "A": 500.0, "B": 1000.0, "alpha": 0.35, "beta": 0.3658}
ENDS = {"E": (1.7, 1.9), "A": (100.0, 900.0), "B": (900.0, 1100.0), "alpha": (0.3478, 0.3522)}
TRAIN = pd.DataFrame({"n_active": [1e8, 2e8, 4e8], "n_tokens": [1e9, 2e9, 8e9], "loss": [4.0, 3.5, 3.0]})
HELD = pd.DataFrame({"n_active": [1e9, 2e9], "n_tokens": [2e10, 4e10], "loss": [2.2, 1.8]})


def fitted(name="dense", **changed):
    """Return what stands for a fit, as far as a page reads it."""
    law = find(name)
    values = {parameter.name: VALUES.get(parameter.name, 1.0) for parameter in law.parameters}
    own = {
        "law": law, "values": values, "free": tuple(values), "status": "converged", "warnings": (), "table": TRAIN,
        "report": SimpleNamespace(intervals=ENDS if name == "dense" else {}),
        "predict": lambda rows: rows.loss + 0.5, "errors": lambda rows: np.full(len(rows), 0.02),
    }  # fmt: skip
    return SimpleNamespace(**own | changed)


def compared(choice="dense", order=("dense", "wang2024"), rmse=(0.1, 0.25), **changed):
    """Return what stands for a comparison of two laws."""
    table = pd.DataFrame({"rmse": rmse}, index=list(order))
    forward = pd.DataFrame({"rmse_forward": [0.3, 0.4]}, index=["wang2024", "dense"])
    return SimpleNamespace(
        fits={name: fitted(name, **changed) for name in order},
        score=lambda: SimpleNamespace(table=table), choice=choice, held_out=HELD, ranking=forward,
    )  # fmt: skip


def test_the_span_of_what_the_laws_read():
    table = page.overview(TRAIN.assign(n_tokens=[1e9, 1e9, 8e9], other=1), ["dense", "dense_tied"])
    assert table.to_dict("index") == {
        "n_active": {"unit": "parameters", "least": "1e+08", "most": "4e+08", "different values": 3},
        "n_tokens": {"unit": "tokens", "least": "1e+09", "most": "8e+09", "different values": 2},
        "loss": {"unit": "nats/token", "least": "3", "most": "4", "different values": 3},
    }


def test_coefficients_beside_those_of_the_paper():
    """Both ends of an interval belong to it; without an interval nothing is said."""
    table = page.beside(fitted())
    assert list(table.columns) == ["fitted", "low", "high", "printed", "inside", "unit"]
    assert table.printed.to_dict() == {"E": "1.817", "A": "482", "B": "2085", "alpha": "0.3478", "beta": "0.3658"}
    assert table.inside.to_dict() == {"E": "yes", "A": "yes", "B": "no", "alpha": "yes", "beta": ""}
    assert table.loc["B"].tolist()[:3] == ["1000", "900", "1100"]
    assert table.loc["beta", ["low", "high"]].tolist() == ["nan", "nan"]
    upper = page.beside(fitted(report=SimpleNamespace(intervals={"alpha": (0.34, 0.3478)})))
    assert upper.inside["alpha"] == "yes"
    assert set(page.beside(fitted("wang2024")).printed) == {"none"}


def test_objections_are_counted_and_cut():
    assert page.objections(fitted())["the fit"].to_dict() == {
        1: "Status: converged.",
        2: "Nothing else is to be said against this fit.",
    }
    many = page.objections(fitted(warnings=tuple(f"warning {n}" for n in range(1, 10))))["the fit"].to_dict()
    assert many == {1: "Status: converged."} | {n + 1: f"warning {n}" for n in range(1, 8)}


def test_what_a_chapter_says():
    """Half the interval of A is 400 for 500, and of alpha 0.0022 for 0.35; beta has none. The held-out mean is 2."""
    said = page.findings(compared(warnings=("one",)), "dense")
    assert said == {
        "answer": (
            "The law dense was fitted to 3 runs: converged. "
            "Use it for runs like these; it missed the runs held out by 5 %."
        ),
        "runs": "The table has 5 runs.",
        "coefficients": "3 of 5 coefficients are known to better than half of their value; A, beta are not.",
        "printed": (
            "Of the printed coefficients (of the refit by Besiroglu et al.), those inside our interval are E, A, alpha "
            "and outside is B. They belong to another text, tokenizer and way of counting, so that a difference is no "
            "contradiction."
        ),
        "comparison": (
            "Of 2 laws, dense is chosen by the training rows; on the 2 runs held out, dense has the lowest error, "
            "0.1 nats/token."
        ),
        "identified": "The fit ended as: converged; there is one objection to it.",
    }


def test_what_a_chapter_says_of_a_law_that_loses():
    other = page.findings(compared("wang2024", ("wang2024", "dense"), warnings=("one", "two")), "dense")
    assert other["comparison"] == (
        "Of 2 laws, dense is not chosen, but wang2024 is, by the training rows; on the 2 runs held out, wang2024 has "
        "the lowest error, 0.1 nats/token, and dense 0.25."
    )
    assert other["answer"].endswith("missed the runs held out by 12 %.")
    assert other["identified"].endswith("there are 2 objections to it.")
    without = page.findings(compared("wang2024", ("wang2024", "dense")), "wang2024")
    assert without["printed"].startswith("No coefficients are printed for this law")
    assert without["identified"].endswith("there is no objection to it.")


@pytest.mark.parametrize(
    ("ends", "sentence"),
    [
        ({}, "0 of 1 coefficients are known to better than half of their value; E is not."),
        ({"E": (1.0, 2.82)}, "1 of 1 coefficients are known to better than half of their value."),
        ({"E": (1.0, 2.84)}, "0 of 1 coefficients are known to better than half of their value; E is not."),
        ({"E": (1.0, np.inf)}, "0 of 1 coefficients are known to better than half of their value; E is not."),
    ],
)
def test_what_is_known_to_better_than_half(ends, sentence):
    """E is 1.82, so that an interval of 1.82 is the widest."""
    changed = {"free": ("E",), "report": SimpleNamespace(intervals=ends)}
    assert page.findings(compared(**changed), "dense")["coefficients"] == sentence


@pytest.mark.parametrize(
    ("name", "inside", "outside", "start"),
    [
        ("dense", ["A"], [], "Of the printed coefficients (of the refit by Besiroglu et al.), those inside our inter"),
        ("clark2022", ["a"], [], "Of the printed coefficients (of the router S-Base), those inside our interval is a."),
        ("tian2025", [], ["a", "b"], "Of the printed coefficients, those outside are a, b. They"),
    ],
)
def test_where_printed_coefficients_come_from(name, inside, outside, start):
    assert page._against(name, inside, outside).startswith(start)


@pytest.fixture
def drawn():
    """Return a function that keeps a figure until the test ends."""
    yield lambda figure: figure
    plt.close("all")


def test_the_figure_of_a_fit(drawn):
    left, right = drawn(page.draw_fit(fitted(), HELD, "n_active")).axes
    diagonal, fits, held = left.lines
    assert diagonal.get_xdata().tolist() == diagonal.get_ydata().tolist() == [1.8, 4.0]
    assert fits.get_xydata().tolist() == [[4.5, 4.0], [4.0, 3.5], [3.5, 3.0]]
    assert held.get_xydata() == pytest.approx(np.array([[2.7, 2.2], [2.3, 1.8]]))
    assert to_hex(held.get_markerfacecolor()) == "#ffffff" != to_hex(fits.get_markerfacecolor())
    zero, fits, held = right.lines
    assert zero.get_ydata() == [0, 0]
    assert fits.get_xydata() == pytest.approx(np.array([[1e8, 2], [2e8, 2], [4e8, 2]]))
    assert held.get_xydata() == pytest.approx(np.array([[1e9, 2], [2e9, 2]]))
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["fitted", "held out"]
    assert (left.get_xlabel(), left.get_ylabel()) == ("predicted loss (nats/token)", "measured loss (nats/token)")
    assert (left.get_title(loc="left") or left.get_title(), right.get_xscale()) == ("(a)", "log")
    assert right.get_xlabel() == "n_active"


def test_the_figure_of_scores(drawn):
    """The best stands on top, and each law beside its own forward error."""
    figure = drawn(page.draw_scores(compared()))
    (ax,) = figure.axes
    assert figure.get_figheight() == pytest.approx(0.8 + 0.28 * len(ax.patches))
    assert [bar.get_width() for bar in ax.patches] == [0.25, 0.1]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["wang2024", "dense"]
    assert ax.lines[0].get_xdata().tolist() == [0.3, 0.4]
    assert ax.get_xlabel() == "root mean square error (nats/token)"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["forward validation", "held out"]


# A server

LAW = StepTime(catalogue.load("DeepSeek-V2-Lite"))
TABLE_8 = data.load("yang2025/throughput").query("table == 8")


def by_hand(rows):
    """Return overhead (ms), ms per GB, ms per TFLOP and ms per request that miss times least in relative terms."""
    times = 1e3 * rows.concurrency * (rows.tokens_in + rows.tokens_out) / (rows.tokens_out * rows.throughput)
    read, done = (1e3 * sum(part.values()) for part in (LAW.reads(rows), LAW.work(rows)))
    terms = np.column_stack([np.ones(len(rows)), read, done, rows.concurrency])
    return nnls(terms / times.to_numpy()[:, None], np.ones(len(rows)))[0], terms, times.to_numpy()


@pytest.fixture(scope="module")
def server():
    """Return a fit to the lighter loads of a table, the heavier ones, and the laws with fewer terms."""
    light, heavy = (TABLE_8[TABLE_8.concurrency <= 64], TABLE_8[TABLE_8.concurrency > 64])
    return fit(LAW, light, RELATIVE_SQUARES), heavy, page.served(LAW, light, heavy)


def test_laws_with_fewer_terms(server):
    """What all four terms miss, from linear least squares with coefficients that are not negative."""
    found, heavy, variants = server
    assert sorted(variants.index) == sorted(page.TERMS)
    assert variants.rmse_held_out.is_monotonic_increasing
    assert variants.fitted.to_dict() == {
        "all four terms": 4,
        "no time for each request": 3,
        "no work": 3,
        "reads and overhead alone": 2,
    }
    best, light_terms, light = by_hand(found.table)
    _, terms, times = by_hand(heavy)
    row = variants.loc["all four terms"]
    assert row.rmse_train == pytest.approx(np.sqrt(np.mean((light_terms @ best - light) ** 2)), rel=1e-4)
    assert row.rmse_held_out == pytest.approx(np.sqrt(np.mean((terms @ best - times) ** 2)), rel=1e-4)
    assert row.error_held_out == pytest.approx(100 * np.mean(np.abs(terms @ best / times - 1)), rel=1e-4)


def test_parameters_beside_those_of_a_printed_table(server):
    table = page.beside_yang(server[0])
    overhead, per_gb, per_tflop, per_request = by_hand(TABLE_8)[0]
    expected = [overhead, 1 / per_gb, 1 / per_tflop, per_request]
    with np.errstate(divide="ignore"):
        assert table["their Table 8"].astype(float).tolist() == pytest.approx(expected, rel=1e-3)
    assert "inside" not in table
    assert table.index.tolist() == ["overhead", "bandwidth", "rate", "per_request"]


def test_what_a_chapter_says_of_a_server():
    law = SimpleNamespace(parameters=[SimpleNamespace(name=name, unit="ms") for name in ("overhead", "work", "none")])
    found = SimpleNamespace(
        law=law, status="converged", warnings=(), table=TRAIN, values={"overhead": 3.5065, "work": 8.0, "none": 0.0},
        free=("overhead", "work"), mean_error=lambda rows: 0.0432 if rows is HELD else 1.0,
        report=SimpleNamespace(intervals={"overhead": (2.7947, 3.8421), "work": (1.0, np.inf)}),
    )  # fmt: skip
    variants = pd.DataFrame({"error_held_out": [1.23, 4.56]}, index=["no work", "all four terms"])
    assert page.findings_of_serving(found, HELD, variants) == {
        "answer": (
            "A decoding step was fitted by overhead, reads and work to 3 loads: converged. "
            "Heavier loads, held out, are missed by 4.3 %."
        ),
        "coefficients": "The server has overhead 3.51 (2.79 to 3.84) ms, work more than 1 ms.",
        "comparison": "On the 2 loads held out, the law with no work errs least, by 1.2 %.",
        "identified": (
            "The fit ended as: converged; there is no objection to it; "
            "work is known to no better than half of the value."
        ),
        "runs": "The table has 5 rows, 2 of them held out.",
    }
    found.report.intervals["work"] = (7.9, 8.1)
    assert page.findings_of_serving(found, HELD, variants)["identified"].endswith("there is no objection to it.")


def test_the_figure_of_a_server(server, drawn):
    found, heavy, _ = server
    left, right = drawn(page.draw_served(found, heavy)).axes
    fits, held, law = left.lines
    _, terms, times = by_hand(heavy)
    assert held.get_ydata() == pytest.approx(times)
    assert len(fits.get_xdata()) == len(found.table)
    assert law.get_xdata().tolist() == sorted(TABLE_8.concurrency)
    predicted = terms @ by_hand(found.table)[0]
    assert sorted(law.get_ydata()[-len(heavy) :]) == pytest.approx(sorted(predicted), rel=1e-4)
    # Shares of the parts end at 100 % everywhere.
    tops = [max(area.get_paths()[0].vertices[:, 1]) for area in right.collections]
    assert tops[-1] == pytest.approx(100)
    assert (left.get_xscale(), left.get_yscale(), right.get_xscale(), right.get_ylim()) == (
        "log",
        "log",
        "log",
        (0, 100),
    )
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["fitted", "held out", "law"]
    assert len(right.get_legend().get_texts()) == 7
    assert to_hex(law.get_color()) == plots.INK
