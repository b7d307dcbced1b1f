"""What a fit is asked that it cannot answer, and answers that no table supports: one sentence, or said in words."""

import json

import numpy as np
import pandas as pd
import pytest

from moelaws.errors import InputError
from moelaws.fitting import design, isoflop, leverage, saved
from moelaws.fitting.comparison import compare
from moelaws.fitting.estimation import fit
from moelaws.fitting.intervals import bootstrap, held_out, interval, left_out_error, profile, refits, written
from moelaws.fitting.objective import Loss, huber
from moelaws.fitting.optimum import optimum
from moelaws.laws.base import Parameter, Terms
from moelaws.laws.dense import BESIROGLU, Dense

N, D = (x.ravel() for x in np.meshgrid(np.geomspace(5e7, 1e10, 4), np.geomspace(1e9, 1e12, 4)))
NOISE = np.exp(0.005 * np.random.default_rng(0).normal(size=16))
RUNS = pd.DataFrame({"n_active": N, "n_tokens": D, "loss": (1.8172 + 482.01 / N**0.3478 + 2085.43 / D**0.3658) * NOISE})
FIT = fit("dense", RUNS)
ALL = {"E": 1.8, "A": 450, "B": 2000, "alpha": 0.34, "beta": 0.36}


def with_terms(**terms):
    """A law of a floor, of these terms and of exponents a and b."""
    exponents = [Parameter("a", "x", "1", 0, 3, grid=(0.2, 0.5)), Parameter("b", "x", "1", 1, 3, grid=(1.5, 2))]
    return Terms("mine", {"E": lambda: 1.0, **terms}, exponents)


def compared():
    rows = pd.concat([RUNS, RUNS.assign(n_tokens=1.5 * D)], ignore_index=True)
    return compare(["dense", "dense_no_floor"], rows, holdout="n_active > 5e9")


NOTHING = with_terms(A=lambda n_active, a: np.nan * n_active**-a, B=lambda n_tokens, b: n_tokens**-b)
SPEED = Terms(
    "timed", {"wait": lambda: 1.0, "speed": lambda n_active: n_active}, [Parameter("speed", "x", "1", 0, rate=True)]
)
TWO = with_terms(A=lambda n_active, a: n_active**-a, B=lambda n_tokens, b: n_tokens**-b)


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda: Loss("logg"), "Parameter space has the value 'logg'; one of log, relative, linear"),
        (lambda: Loss("log", None, 0.0), "Parameter above has the value 0.0; a positive number"),
        (lambda: huber(0), "Parameter delta has the value 0; a positive number"),
        (lambda: huber(np.inf), "Parameter delta has the value inf; a positive number"),
        (lambda: fit("dense", RUNS, loss="huber"), "Parameter loss is a str; a Loss"),
        (lambda: fit("dense", RUNS.to_dict("list")), "Parameter table is a dict; a DataFrame"),
        (lambda: fit(RUNS, "dense"), "Parameter law is a DataFrame; a law"),
        (lambda: fit("dense", RUNS, tie=["alpha"]), "Parameter tie is a list; a dictionary"),
        (lambda: fit("dense", RUNS, starts=0), "Parameter starts has the value 0; a whole number from 1 on"),
        (lambda: fit("dense", RUNS, hold={"alpha": np.nan}), "gives 'alpha' the value nan; a number"),
        (lambda: fit("dense", RUNS, hold={"alpha": "x"}), "gives 'alpha' the value 'x'; a number"),
        (lambda: fit("dense", RUNS, tie={"alpha": "A"}), "two factors of terms, or two shapes"),
        (lambda: fit(SPEED, RUNS, hold={"speed": 0.0}), "gives 'speed' the value 0; a rate that is not zero"),
        (lambda: fit(NOTHING, RUNS), "Law 'mine' has no finite value on these rows from any start"),
        (lambda: fit("dense", RUNS.assign(n_total="1.3B")), "column 'n_total': '1.3B' is found; a positive number"),
        (lambda: fit("dense", RUNS.assign(layers=[[1, 2]] * 16)), "Column 'layers' holds lists or objects"),
        (
            lambda: fit("dense", pd.concat([RUNS, RUNS.loss.rename("run"), RUNS.loss.rename("run")], axis=1)),
            "2 columns 'run'",
        ),
        (lambda: FIT.predict(RUNS.assign(n_active=0)), "no finite value at n_active 0, n_tokens 1e+09, which is row 1"),
        (lambda: FIT.predict(RUNS, n_tokens=1e15), "A table and 'n_tokens' are given"),
        (lambda: FIT.predict(n_active=7e9, n_tokens=1e12, n_toknes=1e13), "does not read 'n_toknes'"),
        (lambda: FIT.predict(n_active="7B", n_tokens=1e12), "Parameter n_active has the value '7B'; a positive number"),
        (lambda: FIT.predict(n_active=[1e9, 2e9], n_tokens=[1e9, 2e9, 3e9]), "2 of 'n_active', 3 of 'n_tokens'"),
        (lambda: FIT.predict(7e9), "A float is given; a table"),
        (lambda: FIT.errors(RUNS.drop(columns="loss")), "no column 'loss'"),
        (lambda: profile(FIT, 95), "Parameter level has the value 95; a number between 0 and 1"),
        (lambda: refits(FIT, draws=5).ranges(95), "Parameter level has the value 95"),
        (lambda: isoflop.profiles(RUNS, level=95), "Parameter level has the value 95"),
        (
            lambda: design.suggest(FIT, RUNS.assign(flops=1e20), 1e21, "alpha", level=95),
            "Parameter level has the value 95",
        ),
        (lambda: compared().score(draws=1), "Parameter draws has the value 1"),
        (
            lambda: compared().score(baseline="zz"),
            "Parameter baseline has the value",
        ),
        (lambda: refits(FIT, draws=1), "Parameter draws has the value 1; a whole number from 2 on"),
        (lambda: refits(FIT, draws=0), "Parameter draws has the value 0; a whole number from 2 on"),
        (lambda: refits(FIT, by=["loss"]), "a column of the table is expected"),
        (lambda: bootstrap(len, RUNS, draws=0), "Parameter draws has the value 0; a whole number from 1 on"),
        (lambda: interval(np.ones((1, 2))), "There are 1 draws; at least two"),
        (
            lambda: leverage.measure(RUNS, RUNS.assign(flops=1e20), Dense(), draws=3, error=np.nan),
            "Parameter error has the value nan",
        ),
        (lambda: leverage.valley([1e8, 2e8, 4e8], [3, 2.9, 3], noise=-1), "Parameter noise has the value -1"),
        (lambda: leverage.valley([1e8, 2e8, 4e8], [3, 2.9]), "There are 3 sizes and 2 losses"),
        (lambda: optimum(FIT, 1e22, most_total=np.nan), "Parameter most_total has the value nan"),
        (lambda: optimum(FIT, 1e22, most_total=0), "Parameter most_total has the value 0"),
    ],
)
def test_a_mistake_gets_its_sentence(ask, sentence):
    with pytest.raises(InputError) as error:
        ask()
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_a_coefficient_of_a_term_that_no_row_has_is_zero_and_named():
    """With one granularity, of which the logarithm is zero, two of the law's terms are zero in all rows."""
    random = np.random.default_rng(3)
    rows = pd.DataFrame({"activation_ratio": 2.0 ** -random.integers(0, 6, 30), "granularity": 1.0})
    rows["flops"] = np.exp(random.uniform(41, 50, 30))
    rows["leverage"] = rows.activation_ratio**-0.4 * (rows.flops / 1e20) ** 0.02 * np.exp(0.01 * random.normal(size=30))
    found = fit("tian2025", rows)
    assert (found.values["gamma"], found.values["beta"]) == (0, 0)
    assert set(found.not_identified) == {"gamma", "beta"}
    assert np.isfinite(found.predict(activation_ratio=0.1, granularity=2, flops=1e20))
    law = with_terms(A=lambda n_active, a: n_active**-a, Z=lambda n_tokens, b: 0.0 * n_tokens**-b)
    of_zero = fit(law, RUNS)
    assert of_zero.values["Z"] == 0
    assert any("'Z' has no effect" in one for one in of_zero.warnings)
    assert not any("A " in one and "change no prediction" in one for one in of_zero.warnings)


def test_what_is_not_identified_has_its_bounds_for_an_interval():
    ends = profile(fit("wang2024", RUNS.assign(n_routed=1)))
    assert ends["gamma"] == (0, 3)
    same = fit("dense", RUNS.assign(loss=2.0))
    assert all(low >= 0 for low, _ in profile(same).values())
    text = json.dumps(same.report.as_dict(), allow_nan=False)
    assert json.loads(text)["params"]["E"]["high"] is None


@pytest.mark.parametrize("seed", range(8))
def test_a_status_does_not_hang_on_the_last_digits_where_two_optima_are_mirror_images(seed):
    """Where tokens are in proportion to size, the two terms of the law can change their places."""
    sizes = np.geomspace(1e8, 1e10, 12)
    loss = 1.8172 + 482.01 / sizes**0.3478 + 2085.43 / (20 * sizes) ** 0.3658
    rows = pd.DataFrame(
        {"n_active": sizes, "n_tokens": 20 * sizes, "loss": loss * np.exp(0.005 * np.resize(NOISE - 1, 12))}
    )
    rows["loss"] *= 1 + 1e-10 * np.random.default_rng(seed).uniform(-1, 1, 12)
    found = fit("dense_no_floor", rows)
    assert found.status == "not identified"
    assert any("Another optimum" in one for one in found.warnings)


def test_a_law_that_is_held_whole_is_judged_and_not_searched():
    found = fit("dense", RUNS, hold=ALL)
    assert (found.status, found.condition, found.free) == ("converged", 1, ())
    assert found.rmse() == pytest.approx(
        float(np.sqrt(np.mean((1.8 + 450 / N**0.34 + 2000 / D**0.36 - RUNS.loss) ** 2)))
    )
    assert "held" in str(found)


def test_a_parameter_may_be_held_at_infinity_where_the_law_has_a_limit_there():
    runs = pd.DataFrame(
        {"activation_ratio": 2.0 ** -np.arange(6), "granularity": 2.0 ** (np.arange(6) % 3), "flops": 1e20}
    )
    runs["leverage"] = runs.activation_ratio**-0.3
    assert np.isfinite(fit("tian2025", runs, hold={"A_max": np.inf, "d": 0, "gamma": 0}).objective)


def test_tied_parameters_keep_the_bounds_of_all():
    rows = RUNS.assign(loss=1 + 30 * (N**-0.4 + D**-0.4))
    found = fit(TWO, rows, tie={"b": "a"})
    assert found.values["a"] == found.values["b"] == pytest.approx(1)
    assert "a" in found.at_bound
    narrow = Terms(
        "apart",
        {"A": lambda n_active, a: n_active**-a, "B": lambda n_tokens, b: n_tokens**-b},
        [Parameter("a", "x", "1", 0, 1, grid=(0.2, 0.5)), Parameter("b", "x", "1", 2, 3, grid=(2.2, 2.5))],
    )
    with pytest.raises(InputError, match=r"whose bounds overlap \(2 to 3, and 0 to 1\)"):
        fit(narrow, RUNS, tie={"b": "a"})


def test_points_in_another_unit_are_suspected():
    with pytest.warns(RuntimeWarning, match="'n_active' by a factor of 7e\\+06 below"):
        FIT.predict(n_active=7, n_tokens=1e12)


@pytest.mark.parametrize(
    ("value", "ends", "text"),
    [
        (2.4e9, (3.0, 2.1e23), "2.4e+09 (3 to 2.1e+23)"),
        (13, (-355, 14.5), "10 (-360 to 10)"),
        (1, (-np.inf, 2), "less than 2"),
        (1, (-np.inf, np.inf), "1 (not limited)"),
        (0.021, (0.0004, 0.045), "0.021 (0.000 to 0.045)"),
    ],
)
def test_a_number_far_below_its_interval_is_not_written_as_zero(value, ends, text):
    assert written(value, ends) == text


def test_rows_without_a_group_are_a_group():
    rows = RUNS.assign(g=["a", None, "b", "c"] * 4)
    assert left_out_error(fit("dense", rows), "g").notna().sum() == 4


@pytest.mark.parametrize("name", ["#mine", "{mine"])
def test_a_fit_is_not_saved_whose_table_cannot_be_read_again(tmp_path, name):
    rows = pd.DataFrame({name: 1.0, **RUNS})
    with pytest.raises(InputError, match="would not give back the columns"):
        saved.save(fit("dense", rows), tmp_path / "mine")
    assert not any(tmp_path.iterdir())


def test_the_published_law_is_found_in_its_own_points():
    rows = RUNS.assign(loss=Dense().predict(Dense().theta(BESIROGLU), RUNS))
    assert fit("dense", rows).values == pytest.approx(BESIROGLU, rel=1e-4)


def test_an_empty_cell_of_a_column_that_no_law_reads_is_no_mistake():
    rows = RUNS.assign(n_routed=8, top_k=[2, np.nan] * 8)
    assert fit("dense", rows).values == pytest.approx(FIT.values)


@pytest.mark.parametrize("count", [2, 3])
def test_a_few_rows_held_out_have_the_widest_interval_that_draws_give(count):
    """Student's t of so few degrees of freedom reaches beyond all draws: all of one row and all of another."""
    least = np.unique(D)[-count]
    found = compare(["dense", "dense_no_floor"], RUNS, holdout=f"n_active > 9e9 and n_tokens > {0.99 * least}")
    scores = found.score().table
    off = {
        name: np.abs(one.law.observed(found.held_out) - one.predict(found.held_out)) for name, one in found.fits.items()
    }
    other = next(name for name in found.fits if name != found.choice)
    ends = off[other] - off[found.choice]
    assert scores.loc[other, ["low", "high"]].tolist() == pytest.approx([ends.min(), ends.max()], rel=1e-6)


def test_a_law_that_is_held_whole_has_refits_without_coefficients(tmp_path):
    whole = fit("dense", RUNS, hold=ALL)
    found = refits(whole, draws=20)
    assert found.coefficients.shape == (20, 0)
    assert found.ranges() == profile(whole) == {}
    predicted, _ = held_out(whole, RUNS[:3], draws=4)
    assert (predicted == whole.law.predict(whole.law.theta(ALL), RUNS[:3])).all()
    saved.save(whole, tmp_path / "mine", found)
    assert saved.load(tmp_path / "mine")[1].coefficients.shape == (20, 0)


def test_a_parameter_that_no_row_feels_is_named_where_it_alone_is_free():
    held = {name: value for name, value in ALL.items() if name != "alpha"} | {"A": 0.0}
    assert "Parameter 'alpha' has no effect on any row" in " ".join(fit("dense", RUNS, hold=held).warnings)
