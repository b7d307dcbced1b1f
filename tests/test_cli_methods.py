"""The commands for profiles, plans, suggestions, optima and laws: what they print is what the package says."""

import json

import pytest
from click.testing import CliRunner

from moelaws.cli.main import main
from moelaws.data.table import read
from moelaws.fitting import saved
from moelaws.fitting.estimation import fit
from moelaws.fitting.isoflop import profiles
from moelaws.fitting.optimum import optimum
from moelaws.laws import LAWS
from moelaws.paths import ROOT

EXAMPLES = ROOT / "data" / "examples"


def said(*arguments):
    result = CliRunner().invoke(main, [str(one) for one in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A saved fit without a bootstrap."""
    path = tmp_path_factory.mktemp("fits") / "moe"
    rows = read(EXAMPLES / "runs.csv", ["n_active", "n_routed", "n_tokens", "loss"])
    saved.save(fit(LAWS["wang2024"], rows), path)
    return path


def test_isoflop_says_what_the_package_says():
    report = json.loads(said("isoflop", EXAMPLES / "isoflop.csv", "--flops", "1e22", "--json"))
    found = profiles(read(EXAMPLES / "isoflop.csv", ["n_active", "loss"]))
    assert [row["size"] for row in report["minima"]] == pytest.approx(found.minima["size"].tolist())
    assert report["laws"]["size"]["exponent"] == pytest.approx(found.trend().law.exponent)
    at = report["at"]["size"]
    assert at["value"] == pytest.approx(float(found.trend()(1e22)))
    assert at["low"] < at["value"] < at["high"]
    assert "best size = " in said("isoflop", EXAMPLES / "isoflop.csv")


def test_a_plan_is_a_table_that_a_law_takes(tmp_path):
    (tmp_path / "plan.csv").write_text(said("plan", "--law", "abnar2025", "--flops", "1e20", "--experts", "1,8,64"))
    rows = read(tmp_path / "plan.csv", LAWS["abnar2025"].columns)
    assert rows.flops.sum() == pytest.approx(1e20, rel=1e-3)
    report = json.loads(said("plan", "--law", "abnar2025", "--flops", "1e20", "--experts", "1,8,64", "--json"))
    assert len(report["runs"]) == len(rows) == 45


def test_suggestions_for_a_parameter_and_for_a_prediction(folder):
    asked = ["suggest", "--fit", folder, EXAMPLES / "candidates.csv", "--flops", "1e20", "--json"]
    point = ["--at", "n_active=1e10", "--at", "n_routed=64", "--at", "n_tokens=2e11"]
    for question in (["--parameter", "gamma"], point):
        report = json.loads(said(*asked, *question))
        widths = [report["half_width"], *(run["half_width"] for run in report["runs"])]
        assert widths == sorted(widths, reverse=True)
        assert report["runs"][-1]["total_flops"] <= 1e20


def test_an_optimum_says_what_the_package_says(folder):
    report = json.loads(said("allocate", "--fit", folder, "--flops", "1e21", "--experts", "8,64", "--json"))
    best = optimum(saved.load(folder)[0], 1e21, experts=[8, 64])
    assert report["run"] == pytest.approx(best.run)
    assert report["loss"] == pytest.approx(best.loss)
    assert any("saved without a bootstrap" in text for text in report["warnings"])


def test_every_law_has_formula_columns_units_and_source():
    reports = json.loads(said("laws", "--json"))
    assert [report["name"] for report in reports] == list(LAWS)
    for report in reports:
        law = LAWS[report["name"]]
        assert report["reference"]
        names = [*law.columns, *(one.name for one in law.parameters)]
        assert all(name in report["formula"] for name in names), law.name
        assert all(one["unit"] for one in [*report["columns"], *report["parameters"], report["response"]])
        assert law.name in said("laws", law.name)


def test_what_a_table_allows():
    missing = {
        one["name"]: one["missing"] for one in json.loads(said("laws", "--table", EXAMPLES / "runs.csv", "--json"))
    }
    assert missing["wang2024"] == missing["frontier"] == {}
    assert set(missing["abnar2025"]) == {"n_total", "activation_ratio"}
    assert "loss (no such column)" in said("laws", "dense", "--table", EXAMPLES / "candidates.csv")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["isoflop", EXAMPLES / "isoflop.csv", "--budget", "band"], "no column 'band' of budgets"),
        (["isoflop", EXAMPLES / "candidates.csv"], "'loss'"),
        (["plan", "--law", "dense", "--flops", "1e20", "--ratio", "5"], "two numbers such as 5,100 are expected"),
        (["plan", "--law", "dense", "--flops", "1e20", "--ratio", "5,x"], "numbers separated by commas are expected"),
        (["plan", "--law", "nobody", "--flops", "1e20"], "There is no law 'nobody'"),
        (["laws", "nobody"], "There is no law 'nobody'"),
        (["allocate", "--flops", "1e20"], "Option --law, --fit or --all is expected, and one of them only."),
        (["allocate", "--law", "wan2026", "--max-total", "1e9", "--flops", "1e20"], "--max-total belongs to --fit"),
        (["allocate", "--fit", "nowhere", "--base", "4", "--flops", "1e20"], "Option --base belongs to --law"),
        (["allocate", "--fit", "nowhere", "--flops", "1e20"], "nowhere/manifest.json: there is no such file"),
    ],
)
def test_mistakes_end_in_one_sentence(arguments, sentence):
    result = CliRunner().invoke(main, [str(one) for one in arguments])
    assert result.exit_code == 2, result.output
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1
