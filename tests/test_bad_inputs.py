"""What users get wrong: each case ends in one sentence, or in a fit that says what is wrong with it.

Every case runs twice, through the package and on the command line, and must say the same.
"""

import json
import time

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from moelaws import laws
from moelaws.cli.main import main
from moelaws.errors import InputError
from moelaws.fitting import diagnosis
from moelaws.fitting.estimation import fit, huber
from moelaws.laws.dense import BESIROGLU, Dense


def runs(sizes=None, tokens=None, noise=0.005, seed=0):
    """Losses of the published law with noise; by default on a grid of 36 runs."""
    if sizes is None:
        sizes, tokens = (x.ravel() for x in np.meshgrid(np.geomspace(5e7, 1e10, 6), np.geomspace(1e9, 1e12, 6)))
    rows = pd.DataFrame({"n_active": sizes, "n_tokens": tokens})
    scatter = np.exp(noise * np.random.default_rng(seed).normal(size=len(rows)))
    return rows.assign(loss=Dense().predict(Dense().theta(BESIROGLU), rows) * scatter)


def with_cell(column, value):
    """The grid with one cell replaced, in its fourth row."""
    rows = runs()
    rows[column] = rows[column].astype(object)
    rows.loc[3, column] = value
    return rows


SIZES = np.geomspace(5e7, 1e10, 36)

REFUSED = {
    "too few rows": (runs().head(4), "The table has 4 rows; at least 5 are expected"),
    "no rows": (runs().head(0), "(has 0 rows|has no rows)"),
    "empty cell": (with_cell("loss", np.nan), "row 4, column 'loss': an empty cell is found; a positive number"),
    "infinity": (with_cell("loss", np.inf), "row 4, column 'loss': 'inf' is found; a positive number"),
    "negative loss": (with_cell("loss", -2.5), "row 4, column 'loss': '-2.5' is found; a positive number"),
    "no parameters": (with_cell("n_active", 0), "row 4, column 'n_active': '0(.0)?' is found; a positive number"),
    "text in a number": (with_cell("n_tokens", "2B"), "row 4, column 'n_tokens': '2B' is found; a positive number"),
    "missing column": (
        runs().drop(columns="n_tokens"),
        "has no column 'n_tokens', of which one is needed; its columns are n_active, loss",
    ),
}

OBJECTED = {
    "one size": (runs(np.full(36, 1e9), 20 * SIZES), "Column 'n_active' has one value, so that its effect"),
    "two sizes": (runs(np.repeat([1e8, 1e9], 18), 20 * SIZES), "Column 'n_active' has two values"),
    "twenty tokens each": (runs(SIZES, 20 * SIZES), "Columns 'n_active' and 'n_tokens' go together in all rows"),
    "constant loss": (runs().assign(loss=2.5), "Column 'loss' has the same value in all rows"),
    "copied runs": (pd.concat([runs(), runs().head(7)]), "7 rows repeat another one"),
    "as many rows as parameters": (runs().iloc[[0, 7, 14, 27, 35]], "as many rows as free parameters"),
    "narrow range": (
        runs(*(x.ravel() for x in np.meshgrid(np.geomspace(5e7, 6e7, 6), np.geomspace(1e9, 1.2e9, 6))), noise=1e-7),
        "The condition number is",
    ),
    "floor at the data": (
        runs().assign(loss=lambda t: 2 + 5e7 / t.n_active + 1e9 / t.n_tokens),
        "Parameter 'E' (2) is within one per cent of the lowest loss (2.006)",
    ),
}


def command(tmp_path, rows, *options):
    path = tmp_path / "mine.csv"
    rows.to_csv(path, index=False)
    return CliRunner().invoke(main, ["fit", str(path), "--law", "dense", "--json", *options])


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_the_package(case):
    rows, sentence = REFUSED[case]
    with pytest.raises(InputError, match=sentence):
        fit(Dense(), rows)


@pytest.mark.parametrize("case", REFUSED)
def test_refused_on_the_command_line(case, tmp_path):
    rows, sentence = REFUSED[case]
    result = command(tmp_path, rows, "--out", str(tmp_path / "out"))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    with pytest.raises(AssertionError, match=sentence):
        raise AssertionError(result.stderr)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("case", OBJECTED)
def test_objected_to_by_the_package(case):
    rows, sentence = OBJECTED[case]
    assert any(sentence in warning for warning in fit(Dense(), rows).warnings)


@pytest.mark.parametrize("case", OBJECTED)
def test_objected_to_on_the_command_line(case, tmp_path):
    rows, sentence = OBJECTED[case]
    result = command(tmp_path, rows)
    assert result.exit_code == 0, result.stderr
    assert any(sentence in warning for warning in json.loads(result.stdout)["warnings"])


def test_nothing_to_object_to():
    for loss in (huber(1e-3), huber(1.0)):
        assert fit(Dense(), runs(), loss).warnings == ()


def test_a_direction_without_a_trace_is_spelt_out():
    """With one size, its term is a constant beside the floor: two of three parameters are free to move."""
    objections = fit(Dense(), runs(np.full(36, 1e9), 20 * SIZES)).warnings
    moves = [sentence for sentence in objections if sentence.startswith("Parameters are not identified")]
    assert len(moves) == 2
    assert all("together change no prediction" in sentence for sentence in moves)


def test_a_parameter_at_its_bound_is_named():
    rows = runs().assign(loss=lambda t: 1e3 * t.n_active**-0.3 + 1e-9 * t.n_tokens**0.1)
    result = fit(Dense(), rows)
    assert any(
        sentence.startswith(f"Parameter '{result.at_bound[0]}' stands at its bound") for sentence in result.warnings
    )


def test_starts_that_disagree_are_told():
    problem = fit(Dense(), runs()).problem
    best = Dense().theta(BESIROGLU)
    sentences = list(diagnosis.of_optimum(problem, best, diagnosis.modes(problem, best), (), disagreement=0.02))
    assert len(sentences) == 1
    assert sentences[0].startswith("Another search gets 0.02 lower in the objective")


def test_unknown_law(tmp_path):
    sentence = "There is no law 'chinchila'; the laws are abnar2025, "
    with pytest.raises(InputError, match=sentence):
        laws.find("chinchila")
    result = command(tmp_path, runs(), "--law", "chinchila")
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_numbers_in_any_notation(tmp_path):
    path = tmp_path / "mine.csv"
    runs().map("{:.9E}".format).to_csv(path, index=False)
    result = CliRunner().invoke(main, ["fit", str(path), "--law", "dense", "--json"])
    assert json.loads(result.stdout)["params"]["E"]["value"] == pytest.approx(
        fit(Dense(), runs()).values["E"], rel=1e-5
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "not a CSV table"),
        ("n_active,n_tokens,loss\n", "has no rows"),
        ("n_active,n_tokens,loss\n1,2,3,4\n", "not a CSV table"),
        ("n_active,n_tokens,loss\n1,2,3\n1,2,3,4\n", "not a CSV table"),
        ("n_active,n_tokens,loss\n1,2\n", "column 'loss': an empty cell is found"),
        ("\x00\xff", "mine.csv: "),
    ],
)
def test_files_that_are_no_table(text, sentence, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_bytes(text.encode("latin-1"))
    result = CliRunner().invoke(main, ["fit", str(path), "--law", "dense"])
    assert result.exit_code == 2, result.output
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_million_rows_take_seconds():
    rng = np.random.default_rng(1)
    rows = runs(np.exp(rng.uniform(17, 23, 1_000_000)), np.exp(rng.uniform(21, 28, 1_000_000)), noise=0.01)
    began = time.perf_counter()
    result = fit(Dense(), rows)
    assert result.status == "converged"
    assert result.values == pytest.approx(BESIROGLU, rel=0.02)
    assert time.perf_counter() - began < 60  # 6 s on a free core


def test_a_grid_of_many_rows_is_sampled_in_all_its_columns():
    """Evenly spaced rows of this grid would all have the same number of tokens."""
    sizes, tokens = np.meshgrid(np.geomspace(5e7, 1e10, 400), np.geomspace(1e9, 1e12, 50), indexing="ij")
    result = fit(Dense(), runs(sizes.ravel(), tokens.ravel()))
    assert result.problem.thinned().columns["n_tokens"].min() < 2e9
    assert result.status == "converged"
