"""What profiles, plans, suggestions, optima and saved fits are asked with, and cannot be: one sentence each."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from moelaws.cli.main import main
from moelaws.errors import InputError
from moelaws.fitting import saved
from moelaws.fitting.design import layout, objections, suggest
from moelaws.fitting.estimation import fit
from moelaws.fitting.intervals import refits
from moelaws.fitting.isoflop import profiles
from moelaws.fitting.optimum import optimum
from moelaws.laws import LAWS
from moelaws.paths import ROOT

EXAMPLES = ROOT / "data" / "examples"
ISOFLOP = pd.read_csv(EXAMPLES / "isoflop.csv")
RUNS = pd.read_csv(EXAMPLES / "runs.csv")
CANDIDATES = pd.read_csv(EXAMPLES / "candidates.csv")
DENSE = RUNS[RUNS.n_routed == 1][["n_active", "n_tokens", "loss"]].reset_index(drop=True)
FITTED = fit("wang2024", RUNS)
POINT = {"n_active": 7e9, "n_tokens": 1e12, "n_routed": 8}


def run(*arguments):
    return CliRunner().invoke(main, [str(one) for one in arguments])


def refused(*arguments):
    """The sentence of a command that is refused."""
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """A saved fit with a bootstrap."""
    path = tmp_path_factory.mktemp("fits") / "known"
    saved.save(FITTED, path, refits(FITTED, draws=20))
    return path


@pytest.fixture
def table(tmp_path):
    """Write rows into a file."""

    def written(rows, name="table.csv"):
        rows.to_csv(tmp_path / name, index=False)
        return tmp_path / name

    return written


# Profiles


def checkpoints(rows):
    """Each run at three steps."""
    steps = [rows.assign(run=rows.index, step=step, loss=rows.loss + 0.3 * (3 - step)) for step in (1, 2, 3)]
    return pd.concat(steps, ignore_index=True)


ODD = np.arange(len(ISOFLOP)) % 2 == 1
BITS = np.where(ODD, "bits/token", "nats/token")


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (ISOFLOP.assign(n_active=ISOFLOP.n_active / 1e9), "Row 1, column 'n_active': 0.37803 is found; 1 to 1e+18 par"),
        (ISOFLOP.assign(n_tokens=1e25), "Row 1, column 'n_tokens': 1e+25 is found; 1e-06 to 1e+20 tokens"),
        (ISOFLOP.assign(loss=np.exp(ISOFLOP.loss)), "--unit loss=perplexity takes its logarithm"),
        (ISOFLOP.assign(loss_unit=BITS), "Column 'loss_unit' has the values nats/token, bits/token, between which"),
        (ISOFLOP.assign(flops_convention=BITS), "between which flops cannot be compared"),
        (checkpoints(ISOFLOP), "Up to 3 rows have one value of 'run' and differ in how far it had come"),
    ],
)
def test_rows_that_no_profile_is_drawn_of(rows, sentence, table):
    with pytest.raises(InputError) as error:
        profiles(rows)
    assert sentence in str(error.value)
    assert sentence in refused("isoflop", table(rows), "--flops", "1e21")


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (ISOFLOP.assign(flops=ISOFLOP.flops / 1e18), "Column 'flops' is 1e-18 times 6 n_active n_tokens in 40 rows"),
        (ISOFLOP.assign(flops=ISOFLOP.flops / 1e18), "Column 'flops' has the median "),
        (ISOFLOP.assign(n_tokens=ISOFLOP.n_tokens / np.where(ODD, 1e3, 1)), "in 20 rows, the first of them row 2"),
        (pd.concat([ISOFLOP] * 3), "80 rows repeat another one in n_active, flops, n_tokens, loss, "),
    ],
)
def test_rows_that_a_profile_says_something_of(rows, sentence):
    assert any(sentence in text for text in profiles(rows).warnings)


def test_rows_as_they_should_be_are_not_objected_to():
    assert not [text for text in profiles(ISOFLOP).warnings if "unit" in text or "repeat" in text]


@pytest.mark.parametrize(
    ("rows", "options"),
    [
        (checkpoints(ISOFLOP), ["--final"]),
        (pd.concat([ISOFLOP, ISOFLOP.assign(n_routed=2)]), ["--where", "n_routed != 2"]),
        (ISOFLOP.assign(annealed=BITS), ["--pool", "annealed"]),
    ],
)
def test_options_that_the_sentences_name_choose_the_rows(rows, options, table):
    """Of each table they leave the example."""
    result = run("isoflop", table(rows), "--json", *options)
    expected = profiles(ISOFLOP).minima["size"].tolist()
    assert [one["size"] for one in json.loads(result.stdout)["minima"]] == pytest.approx(expected)


# Plans and suggestions


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--flops", "20"], "A layout of 20 FLOP: Row 1, column 'n_active': 0.097"),
        (["--flops", "1e-300"], "column 'n_active': "),
        (["--flops", "1e308"], "is found; 1 to 1e+18 parameters are expected"),
        (["--flops", "1e20", "--span", "1e300"], "column 'n_active': "),
        (["--flops", "1e20", "--ratio", "1e-300,1e300"], "column 'n_active': "),
        (["--flops", "1e20", "--experts", "8"], "Law 'dense' knows nothing of experts"),
        (["--flops", "1e20", "--experts", "1,1"], "Parameter experts has the value [1.0, 1.0]; each number is"),
    ],
)
def test_plans_that_are_refused(options, sentence):
    assert sentence in refused("plan", "--law", "dense", *options)


def test_experts_that_no_model_has_are_refused():
    with pytest.raises(InputError, match="Row 1, column 'n_routed': 1e\\+09 is found; 1 to 1e\\+07 experts"):
        layout(LAWS["wang2024"], 1e20, experts=[1e9])


def test_a_budget_that_no_one_trains_is_said():
    result = run("plan", "--law", "dense", "--flops", "1e9")
    assert result.exit_code == 0
    assert "Warning: Column 'n_active' has the median" in result.stderr
    assert not run("plan", "--law", "dense", "--flops", "1e20").stderr


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"n_active": lambda rows: rows.n_active / 1e9}, "The table of candidates: Row 1, column 'n_active': 0."),
        ({"n_routed": 0.5}, "The table of candidates: Row 1, column 'n_routed': 0.5 is found; 1 to 1e+07 experts are"),
        ({"n_embedding_counted": lambda rows: np.where(rows.index % 2, "yes", "no")}, "between which n_active"),
    ],
)
def test_candidates_that_cannot_be(change, sentence, known, table):
    rows = table(CANDIDATES.assign(**change))
    assert sentence in refused("suggest", "--fit", known, rows, "--flops", "1e20", "--parameter", "gamma")


@pytest.mark.parametrize(
    ("point", "sentence"),
    [
        (POINT | {"n_routed": 0.5}, "The point: Row 1, column 'n_routed': 0.5 is found"),
        (POINT | {"n_active": 1e-3}, "The point: Row 1, column 'n_active': 0.001 is found"),
        (POINT | {"foo": 3}, "The point has 'foo', which law 'wang2024' does not read; its columns are n_active"),
    ],
)
def test_points_that_cannot_be(point, sentence, known):
    with pytest.raises(InputError) as error:
        suggest(FITTED, CANDIDATES, 1e20, point=point)
    assert sentence in str(error.value)
    at = [part for name, value in point.items() for part in ("--at", f"{name}={value}")]
    assert sentence in refused("suggest", "--fit", known, EXAMPLES / "candidates.csv", "--flops", "1e20", *at)


@pytest.mark.parametrize("twice", ["n_active=1e8", " n_active =7e9", "=3"])
def test_a_name_is_given_once(twice, known):
    at = ("--at", "n_active=7e9", "--at", twice, "--at", "n_tokens=1e12", "--at", "n_routed=8")
    assert f"Option --at is '{twice}'" in refused(
        "suggest", "--fit", known, EXAMPLES / "candidates.csv", "--flops", "1e20", *at
    )


@pytest.mark.parametrize(
    ("change", "at", "sentence"),
    [
        ({"n_active": lambda rows: rows.n_active / 1e6}, {}, "Points have 'n_active' by a factor of "),
        ({"flops": lambda rows: rows.flops / 1e18}, {}, "Column 'flops' is 1e-18 times 6 n_active n_tokens in "),
        ({}, POINT | {"n_active": 7}, "Points have 'n_active' by a factor of "),
        ({}, POINT, ""),
    ],
)
def test_suggestions_say_which_numbers_look_wrong(change, at, sentence, known, table):
    point = [part for name, value in at.items() for part in ("--at", f"{name}={value}")]
    rows = table(CANDIDATES.assign(**change))
    asked = ["suggest", "--fit", known, rows, "--flops", "1e20", *(point or ["--parameter", "gamma"])]
    result, report = run(*asked), json.loads(run(*asked, "--json").stdout)
    assert result.exit_code == 0
    said = [line.removeprefix("Warning: ") for line in result.stderr.splitlines()]
    assert said == report["warnings"]
    assert any(sentence in text for text in said) if sentence else not said


# Points of other conventions


@pytest.mark.parametrize(
    ("fitted", "asked", "warned"), [("yes", "no", True), ("yes", "yes", False), ("yes", None, False)]
)
def test_points_of_another_convention_are_told(fitted, asked, warned, tmp_path, table):
    saved.save(fit("dense", DENSE.assign(n_embedding_counted=fitted)), tmp_path / "kept")
    points = table(DENSE if asked is None else DENSE.assign(n_embedding_counted=asked))
    result = run("predict", tmp_path / "kept", points)
    sentence = "Points have 'n_embedding_counted' no and the fitted rows yes, between which n_active"
    assert (result.exit_code, sentence in result.stderr) == (0, warned)


def test_candidates_of_another_convention_are_told():
    found = fit("dense", DENSE.assign(n_embedding_counted="yes"))
    candidates = DENSE.assign(flops=6 * DENSE.n_active * DENSE.n_tokens)
    said = [list(objections(found, candidates.assign(n_embedding_counted=kind))) for kind in ("yes", "no")]
    assert [len(sentences) for sentences in said] == [0, 1]
    assert said[1][0].startswith("Points have 'n_embedding_counted' no and the fitted rows yes")


def test_rows_held_out_of_another_convention_are_told(table):
    rows = table(DENSE.assign(loss_set=np.where(DENSE.n_active > 3e8, "Pile", "C4")))
    result = run("fit", rows, "--law", "dense", "--holdout", "loss_set == 'Pile'")
    assert "Points have 'loss_set' Pile and the fitted rows C4, between which loss cannot be compared." in result.stderr


# Optima


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--flops", "1e21", "--max-total", "nan"], "Option --max-total is nan; a positive number is expected."),
        (["--flops", "1e21", "--max-total=-5"], "Option --max-total is -5; a positive number is expected."),
        (["--flops", "1e21", "--max-total", "0"], "Option --max-total is 0; a positive number is expected."),
        (["--flops", "1e21", "--max-total", ".5"], "The limit on total parameters is 0.5; more than the 43 of a model"),
        (["--flops", "1e308"], "Parameter flops has the value 1e+308; more than 6, one parameter and one token"),
        (["--flops", "5"], "Parameter flops has the value 5; more than 6"),
    ],
)
def test_budgets_and_limits_that_are_refused(options, sentence, known):
    """Of 64 times the experts' weights and a third outside of them, one active parameter has 1/3 + 2/3 · 64 = 43."""
    assert sentence in refused("allocate", "--fit", known, "--experts", "1,64", *options)


def test_a_limit_that_is_none_changes_nothing():
    assert optimum(FITTED, 1e21, most_total=1e300).run == optimum(FITTED, 1e21).run


# Held values


@pytest.mark.parametrize(
    ("law", "hold", "sentence"),
    [
        ("dense", "E=1e308", "Parameter hold gives 'E' the value 1e+308, to which all other terms add"),
        ("dense", "E=1e10", "Parameter hold gives 'E' the value 1e+10"),
        ("wang2024", "tau=1e200", "Parameter hold gives 'tau' the value 1e+200"),
        ("power_product", "a=1e10", "Parameter hold gives 'a' the value 1e+10, with which law 'power_product' has no"),
        ("power_product", "b=-1000", "Parameter hold gives 'b' the value -1000, with which law 'power_product' has no"),
    ],
)
def test_values_that_no_law_is_held_at(law, hold, sentence):
    assert sentence in refused("fit", EXAMPLES / "runs.csv", "--law", law, "--hold", hold)


@pytest.mark.parametrize("hold", [{"E": 3.5}, {"A": 1e10}, {"E": 0.0}])
def test_values_that_fit_badly_are_held(hold):
    """The largest loss of the example is more than 3.5."""
    assert DENSE.loss.max() > 3.5
    assert fit("dense", DENSE, hold=hold).values.items() >= hold.items()


@pytest.mark.parametrize("rate", ["bandwidth", "rate"])
def test_a_rate_of_zero_is_refused(rate):
    sentence = refused(
        "fit-serving", EXAMPLES / "serving.csv", "--config", EXAMPLES / "config.json", "--hold", f"{rate}=0"
    )
    assert f"Option --hold gives {rate} the value 0; more than 0 to inf is expected." in sentence


# Saved fits


@pytest.mark.parametrize("picture", ["kept/p.svg", "../fits/kept/p.svg", "kept"])
def test_no_picture_is_drawn_into_the_folder_of_the_fit(picture, tmp_path, table, monkeypatch):
    folder = tmp_path / "fits"
    (folder / "kept").mkdir(parents=True)
    monkeypatch.chdir(folder)
    rows = table(DENSE)
    sentence = refused("fit", rows, "--law", "dense", "--out", "kept", "--plot", picture)
    assert "inside of --out 'kept'" in sentence or "ends in .png" in sentence
    assert [one.name for one in folder.rglob("*")] == ["kept"]


def test_a_fit_that_cannot_be_saved_leaves_no_picture(tmp_path, table):
    rows = table(DENSE.rename_axis("#").reset_index())
    rows.write_text(rows.read_text().replace("#", '"#"', 1))
    result = run("fit", rows, "--law", "dense", "--out", tmp_path / "kept", "--plot", tmp_path / "p.svg")
    assert result.exit_code == 2
    assert [one.name for one in tmp_path.iterdir()] == ["table.csv"]


def forged(folder, change, **contents):
    """Change a saved fit together with its checksum."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for name, content in contents.items():
        (folder / name.replace("_", ".")).write_bytes(content)
    for path, value in change.items():
        *way, last = path.split(".")
        place = manifest
        for step in way:
            place = place[step]
        place[last] = value
    del manifest["sha256"]
    held = {one.name: one.read_bytes() for one in folder.iterdir() if one.name != "manifest.json"}
    (folder / "manifest.json").write_text(json.dumps(manifest | {"sha256": saved._checksum(manifest, held)}))


STARTS = b"objective_start,objective_end,apart,tau,a,b,alpha,gamma,beta\nx,1,1,1,1,1,1,1,1\n"


def draws(value, count=20):
    """Bytes of draws of the six free parameters of the example, the last of which has another value."""
    array = np.tile(FITTED.problem.free(FITTED.coefficients), (count, 1))
    array[-1:, 0] = value
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("change", "contents", "sentence"),
    [
        ({"loss.delta": 1e308}, {}, "loss.delta: Input should be less than or equal to 1000"),
        ({"loss.above": float("inf")}, {}, ""),
        ({"loss.above": 1e200}, {}, "loss.above: Input should be less than or equal to 1000"),
        ({"bootstrap.groups": 10**400}, {}, ""),
        ({"bootstrap.groups": 1}, {}, "bootstrap.groups: Input should be greater than or equal to 2"),
        ({"bootstrap.groups": 10**9}, {}, "1000000000 groups that leave "),
        ({"bootstrap.left": 1e-300}, {}, "leave 1e-300 of the variance are no bootstrap of "),
        ({}, {"draws_npy": draws(1.0, 0)}, "holds 0 draws; two or more are expected"),
        ({}, {"draws_npy": draws(1.0, 1)}, "holds 1 draws; two or more are expected"),
        ({}, {"draws_npy": draws(-1000.0)}, "two or more are expected, inside of the parameters' bounds"),
        ({}, {"draws_npy": draws(1e308)}, "no finite value"),
        ({}, {"starts_csv": STARTS}, "starts.csv, column 'objective_start': numbers are expected"),
    ],
)
def test_a_forged_fit_holds_what_a_fit_can_have(change, contents, sentence, tmp_path, known):
    for one in known.iterdir():
        (tmp_path / one.name).write_bytes(one.read_bytes())
    forged(tmp_path, change, **contents)
    assert sentence in refused("predict", tmp_path, EXAMPLES / "candidates.csv")


def test_rows_of_a_forged_fit_are_rows_of_a_fit(tmp_path):
    saved.save(fit("dense", DENSE), tmp_path / "kept")
    changed = DENSE.assign(n_active=DENSE.n_active / 1e9).to_csv(index=False).encode()
    forged(tmp_path / "kept", {}, table_csv=changed)
    with pytest.raises(InputError, match="Row 1, column 'n_active'"):
        saved.load(tmp_path / "kept")
