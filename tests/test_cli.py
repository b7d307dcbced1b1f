"""The command line: JSON for machines, one sentence and exit code 2 for mistakes."""

import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from moelaws import data
from moelaws.cli.main import main
from moelaws.data import registry


def run(*arguments):
    return CliRunner().invoke(main, list(arguments))


def test_claims_as_json():
    result = run("claims", "--paper", "yang2025", "--json")
    rows = json.loads(result.stdout)
    assert result.exit_code == 0
    assert [row["id"] for row in rows] == data.load("yang2025/claims").id.tolist()
    assert {"id", "place", "statement", "printed", "computed", "unit", "verdict", "note"} <= set(rows[0])


def test_chosen_claims_as_text():
    result = run("claims", "yang2025-C26", "yang2025-C40")
    assert "yang2025-C26  differs" in result.stdout
    assert "printed 45.6 percent, computed 43.56" in result.stdout
    assert "2 claims: 1 agrees, 0 close, 1 differs, 0 cannot" in result.stdout


def test_a_claim_that_no_notebook_has_yet_can_be_computed(monkeypatch):
    monkeypatch.setattr("moelaws.ledger.claims.stored", lambda paper=None: [])
    result = run("claims", "--compute", "yang2025-C26")
    assert "yang2025-C26  differs" in result.stdout
    assert "def " in run("claims", "--source", "yang2025-C26").stdout
    assert "yang2025-C26' is in no stored notebook yet; --compute decides it." in run("claims", "yang2025-C26").stderr
    assert "belongs to yang2025" in run("claims", "--paper", "wan2026", "yang2025-C26").stderr


def test_data_lists_sets_tables_and_licences():
    assert "yang2025/throughput" in run("data").stdout
    assert "Facts transcribed from the paper" in run("data").stdout
    described = {package["name"]: package for package in json.loads(run("data", "--json").stdout)}
    assert set(described) == set(data.sets()) | {f"public_runs/{name}" for name in registry.sets()}
    clark = described["public_runs/clark2022"]
    assert clark["licenses"] == [{"title": "CC-BY-4.0"}]
    assert (tuple(clark["notes"]), clark["citation"]) == (
        registry.find("clark2022").notes,
        registry.find("clark2022").citation,
    )
    assert clark["whereabouts"] == clark["resources"][0]["whereabouts"] == registry.find("clark2022").whereabouts
    assert "throughput [tokens/s]" in run("data", "yang2025/throughput").stdout
    assert "d1_tokens [tokens]" in run("data", "public_runs/liew2025").stdout
    assert json.loads(run("data", "yang2025/throughput", "--json").stdout)[0]["name"] == "table"


@pytest.mark.parametrize(
    ("folder", "where"), [("present", "in the folder MOELAWS_DATA"), ("absent", "not here, to be put into the folder")]
)
def test_data_says_whether_public_runs_are_here(tmp_path, monkeypatch, folder, where):
    file = registry.find("gadre2024").files[0]
    (tmp_path / "present" / file.path).parent.mkdir(parents=True)
    (tmp_path / "present" / file.path).touch()
    monkeypatch.setenv(registry.VARIABLE, str(tmp_path / folder))
    lines = run("data").stdout.splitlines()
    assert [line for line in lines if line.startswith("public_runs/gadre2024: ") and f"(MIT; {where}" in line]


def test_check_of_a_good_table():
    path = str(data.ROOT / "data" / "yang2025" / "throughput.csv")
    assert (
        run("data", "yang2025/throughput", "--check", path).stdout
        == f"{path}: 234 rows, all as yang2025/throughput asks.\n"
    )
    assert json.loads(run("data", "yang2025/throughput", "--check", path, "--json").stdout)["rows"] == 234


@pytest.mark.parametrize(
    "arguments",
    [
        ("claims", "--paper", "nobody2020"),
        ("claims", "yang2025-C99"),
        ("data", "nothing"),
        ("data", "public_runs/nothing"),
        ("data", "yang2025/nothing"),
        ("data", "--check", "x.csv"),
        ("data", "yang2025/throughput", "--check", "nowhere.csv"),
    ],
)
def test_a_mistake_gives_one_sentence_and_exit_code_2(arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert result.stderr.endswith(".\n")


@pytest.mark.parametrize(
    ("old", "new"),
    [("throughput\n", "speed\n"), (",479\n", ",-479\n"), (",479\n", ",fast\n"), ("2,64,5,511", "2,64,6,511")],
)
def test_a_bad_table_gives_one_sentence_and_exit_code_2(tmp_path, old, new):
    text = (data.ROOT / "data" / "yang2025" / "throughput.csv").read_text(encoding="utf-8")
    path = tmp_path / "mine.csv"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    result = run("data", "yang2025/throughput", "--check", str(path))
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: {path}")
    assert result.stderr.count("\n") == 1


def test_the_installed_command():
    done = subprocess.run(
        [sys.executable, "-m", "moelaws", "claims", "nobody-C01"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.fixture
def table(tmp_path):
    """Forty runs of twenty models, with a floor and a joint term, and 0.3 % of noise."""
    sizes, experts = (x.ravel() for x in np.meshgrid(np.geomspace(1e7, 1e10, 8), [1.0, 2.0, 8.0, 32.0, 128.0]))
    scatter = np.exp(0.003 * np.random.default_rng(0).normal(size=40))
    loss = (1.5 + 40 * sizes**-0.2 * experts**-0.1) * scatter
    rows = pd.DataFrame({"run": np.arange(40) // 2, "n_active": sizes, "n_routed": experts, "loss": loss})
    rows.to_csv(tmp_path / "runs.csv", index=False)
    rows[["n_active", "n_routed"]].tail(2).assign(n_active=[1e9, 1e11]).to_csv(tmp_path / "points.csv", index=False)
    return str(tmp_path / "runs.csv")


def test_fit_as_json(table):
    report = json.loads(run("fit", table, "--law", "floor_product", "--holdout", "n_active > 2e9", "--json").stdout)
    assert set(report) == {
        "law",
        "version",
        "loss",
        "params",
        "intervals",
        "units",
        "held",
        "tied",
        "objective",
        "status",
        "n_rows",
        "rmse",
        "holdout",
        "n_holdout",
        "rmse_holdout",
        "warnings",
    }
    assert report["loss"] == {"space": "log", "delta": None, "above": 1.0}
    assert report["intervals"] == {"kind": "profile", "level": 0.95, "draws": None, "by": None, "groups": None}
    assert report["units"] == {"n_active": "parameters", "n_routed": "experts", "loss": "nats/token"}
    assert (report["holdout"], report["n_holdout"]) == ("n_active > 2e9", 10)
    assert list(report["params"]) == ["L0", "A", "alpha", "beta"]
    assert report["params"]["L0"]["low"] < 1.5 < report["params"]["L0"]["high"]
    assert report["n_rows"] == 30
    assert report["rmse_holdout"] > report["rmse"] > 0
    assert report["warnings"] == []


def test_fit_as_text(table):
    result = run("fit", table, "--law", "floor_product", "--loss", "huber", "--delta", "0.01", "--bootstrap", "20")
    assert result.stdout.startswith("floor_product, n_active, n_routed → loss, 40 rows: converged\n")
    assert re.search(r"    alpha  0\.20\d+ \(0\.\d+ to 0\.\d+\) ", result.stdout)
    assert result.stdout.endswith("; 95 %, 20 bootstraps of 40 groups\n")
    assert result.exit_code == 0


def test_fit_then_predict(table, tmp_path):
    out, points = str(tmp_path / "kept"), str(tmp_path / "points.csv")
    fitted = run("fit", table, "--law", "floor_product", "--by", "run", "--bootstrap", "30", "--out", out, "--json")
    assert fitted.exit_code == 0
    report = json.loads(run("predict", out, points, "--json").stdout)
    near, far = report["predictions"]
    assert set(near) == {"n_active", "n_routed", "value", "mean_low", "mean_high", "run_low", "run_high", "distance"}
    assert near["run_low"] < near["mean_low"] < near["value"] < near["mean_high"] < near["run_high"]
    assert near["distance"] == 0
    assert far["distance"] == pytest.approx(1 / 3)
    assert report["warnings"] == [
        "1 of 2 points lie outside the fitted range; the farthest, row 2, by 0.33 of its log range."
    ]
    assert "distance" in run("predict", out, points).stdout
    again = run("fit", table, "--law", "floor_product", "--out", out)
    assert again.exit_code == 2
    assert "something is there already" in again.stderr


def test_predictions_without_a_bootstrap_have_no_intervals(table, tmp_path):
    assert run("fit", table, "--law", "floor_product", "--out", str(tmp_path / "kept")).exit_code == 0
    report = json.loads(run("predict", str(tmp_path / "kept"), str(tmp_path / "points.csv"), "--json").stdout)
    assert "mean_low" not in report["predictions"][0]
    assert "saved without a bootstrap" in report["warnings"][-1]


def test_compare_as_json_and_as_text(table):
    arguments = ["compare", table, "--law", "power_product", "--law", "floor_product", "--holdout", "n_active > 2e9"]
    report = json.loads(run(*arguments, "--by", "run", "--json").stdout)
    assert report["choice"] == "floor_product"
    assert (report["n_rows"], report["n_holdout"]) == (30, 10)
    assert report["training"][0]["law"] == "floor_product"
    assert {"rmse_train", "aicc", "bic", "rmse_forward"} <= set(report["training"][0])
    assert {"rmse", "r2", "bias", "difference", "low", "high"} <= set(report["holdout"][0])
    assert report["holdout"][1]["low"] > 0
    laws, averages = report["holdout"], {one["average"]: one for one in report["averages"]}
    assert set(averages) == {"equal", "inverse", "stacked"}
    assert averages["equal"]["weights"] == {"power_product": 0.5, "floor_product": 0.5}
    forward = {one["law"]: one["rmse_forward"] ** -2 for one in report["training"]}
    assert averages["inverse"]["weights"] == pytest.approx(
        {law: w / sum(forward.values()) for law, w in forward.items()}
    )
    assert averages["equal"]["bias"] == pytest.approx((laws[0]["bias"] + laws[1]["bias"]) / 2)
    assert averages["equal"]["difference"] == pytest.approx(averages["equal"]["rmse"] - laws[0]["rmse"])
    text = run(*arguments).stdout
    assert text.startswith("On 30 training rows, chosen by predicting the largest n_active: floor_product\n")
    assert "10 held-out rows" in text
    shown, weights = text.split("Averages of the laws, on the held-out rows\n")[1].split(
        "\nWeights of the laws in them"
    )
    assert all(f"\n{kind} " in part for kind in averages for part in (shown, weights))
    assert f"{averages['equal']['rmse']:.4g}" in shown
    assert not any(kind in one for kind in averages for one in report["warnings"])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--holdout", "n_active >"], "Expression 'n_active >' cannot be read (invalid syntax"),
        (["--holdout", "size > 3"], "a condition on the columns run, n_active, n_routed, loss is expected"),
        (["--holdout", "n_active"], "column 'n_active' is not one of true and false"),
        (["--holdout", "loss > 0"], "Expression 'loss > 0' holds in all rows"),
        (["--holdout", ""], "Expression '' "),
        (["--delta", "0.1"], "Option --delta belongs to Huber's loss"),
        (["--loss", "huber", "--delta", "-1"], "Option --delta is -1; a positive number is expected"),
        (["--by", "run"], "Option --by says what a bootstrap draws together"),
        (["--by", "day", "--bootstrap", "20"], "Parameter by is 'day'; a column of the table is expected"),
        (["--loss", "huber", "--delta", "1e-300"], "Option --delta is 1e-300; a positive number is expected, 1e-06 to"),
        (["--loss", "huber", "--delta", "nan"], "Option --delta is nan"),
        (["--hold", "L0"], "Option --hold is 'L0'; NAME=VALUE is expected"),
        (["--hold", "L0=much"], "Option --hold has 'much'; a number is expected"),
        (["--hold", "L0=nan"], "Option --hold has 'nan'; a number is expected"),
        (["--hold", "L0=-1"], "Option --hold gives L0 the value -1; 0 to inf is expected"),
        (["--hold", "L0=1", "--hold", "L0=2"], "once for each name"),
        (["--hold", "F=1"], "Parameter hold names 'F'; the law's parameters are L0, A, alpha, beta"),
        (["--tie", "beta=F"], "Parameter tie names 'F'"),
        (["--tie", "beta=beta"], "Parameter 'beta' is tied to 'beta'; one that is free is expected"),
        (["--tie", "beta=alpha", "--tie", "alpha=beta"], "one that is free is expected"),
        (["--tie", "beta=alpha", "--hold", "alpha=0.1"], "one that is free is expected"),
        (["--map", "n_active=N"], "has no column 'N', of which one is needed"),
        (["--map", "n_active=run"], "column 'run' cannot be called 'n_active', since there is such a column"),
        (["--unit", "n_active=-1"], "Option --unit: 'n_active' has the unit -1; a positive number is expected"),
        (
            ["--unit", "n_active=__import__('os')"],
            "a number, thousand, million, billion, trillion, suffix are",
        ),
        (["--unit", "size=10"], "a unit is given for 'size'; there is no such column"),
        (["--pool", "annealed"], "Option --pool is 'annealed'; a convention is expected, of which the table has: none"),
        (["--where", "open('PWN', 'w')"], "cannot be read"),
        (["--where", "n_active > 1e99"], "holds in no row"),
        (["--final"], "The last row of each run needs a column of runs"),
        (["--out", "x" * 300], "the folder cannot be written (File name too long)"),
        (["--out", "nowhere/kept"], "there is no folder 'nowhere' to write it into"),
        (["--law", "dense"], "has no column 'n_tokens'"),
    ],
)
def test_options_that_cannot_be(options, sentence, table):
    result = run("fit", table, "--law", "floor_product", *options)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def rows_of(table, **columns):
    pd.read_csv(table).assign(**columns).to_csv(table, index=False)
    return table


def test_groups_that_cannot_be_drawn(table):
    arguments = ("--law", "floor_product", "--by", "half", "--bootstrap", "20")
    halves = rows_of(table, half=lambda t: t.run < 10)
    assert "Column 'half' makes 2 groups; --by expects at least 3" in run("fit", halves, *arguments).stderr
    gaps = rows_of(table, half=lambda t: t.run.where(t.run > 3))
    assert "Column 'half' has empty cells; --by expects the group of each row" in run("fit", gaps, *arguments).stderr


def test_comparisons_that_say_little(table):
    arguments = ["compare", table, "--law", "power_product", "--law", "floor_product", "--holdout"]
    assert "Option --along is 'loss', which is predicted" in run(*arguments, "n_active > 2e9", "--along", "loss").stderr
    one = run("fit", table, "--law", "power_product", "--holdout", "n_active > 9e9 and n_routed == 1", "--json")
    assert "1 of 40 rows held out: an error that says little of others." in json.loads(one.stdout)["warnings"]


def test_held_and_tied_parameters(table):
    report = json.loads(run("fit", table, "--law", "floor_product", "--hold", "L0=1.5", "--json").stdout)
    assert report["params"]["L0"] == {"value": 1.5, "low": None, "high": None, "unit": "nats/token"}
    assert report["params"]["alpha"]["value"] == pytest.approx(0.2, rel=0.05)
    tied = json.loads(run("fit", table, "--law", "floor_product", "--tie", "beta=alpha", "--json").stdout)["params"]
    assert tied["alpha"]["value"] == tied["beta"]["value"]


def test_mistakes_as_json(table):
    for arguments in (
        ("fit", table, "--law", "dense", "--json"),
        ("fit", table, "--law", "dense", "--json", "--bootstrap", "1"),
        ("fit", table, "--laws", "--json"),
        ("fit", "--json"),
        ("nothing", "--json"),
    ):
        result = run(*arguments)
        assert result.exit_code == 2
        assert result.stdout == ""
        assert json.loads(result.stderr)["error"]


def test_a_fit_that_cannot_be_saved_is_printed(table, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    for options in ([], ["--json"]):
        result = run("fit", table, "--law", "floor_product", "--out", str(tmp_path / "kept"), *options)
        assert result.exit_code == 2
        assert "the folder cannot be written (No space left on device)" in result.stderr
        assert "alpha" in result.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["points.csv", "runs.csv"]


def test_an_interrupted_fit_leaves_nothing(table, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("moelaws.fitting.saved.save", interrupt)
    result = run("fit", table, "--law", "floor_product", "--out", str(tmp_path / "kept"))
    assert result.exit_code == 2
    assert result.stderr == "Error: Interrupted; no file was left half-written.\n"
    assert not (tmp_path / "kept").exists()


def test_points_in_another_unit_are_noticed(table, tmp_path):
    run("fit", table, "--law", "floor_product", "--out", str(tmp_path / "kept"))
    points = pd.DataFrame({"n_active": [1.5, 30.0], "n_routed": [8, 8]})
    points.to_csv(tmp_path / "billions.csv", index=False)
    said = json.loads(run("predict", str(tmp_path / "kept"), str(tmp_path / "billions.csv"), "--json").stdout)[
        "warnings"
    ]
    factor = pd.read_csv(table).n_active.min() / 15.75
    sentence = f"Points have 'n_active' by a factor of {factor:.0e} below the fitted rows: is it in another unit?"
    assert any(sentence in one for one in said)


@pytest.mark.parametrize(
    "name", ["../../secret", "/etc/passwd", "..", "claims/../../x", "~", "a\0b", "https://x.org/y"]
)
def test_no_name_becomes_a_path(name):
    for arguments in (
        ("data", name),
        ("data", f"yang2025/{name}"),
        ("data", f"public_runs/{name}"),
        ("claims", "--paper", name),
        ("claims", name),
        ("fit", "runs.csv", "--law", name),
    ):
        result = run(*arguments)
        assert result.exit_code == 2
        assert result.stderr.startswith("Error: There ")
        assert result.stderr.count("\n") == 1


def test_names_in_a_file_are_shown_harmlessly(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text('n_active,"\x1b[2Jloss\n"\n1,2\n', encoding="utf-8")
    result = run("fit", str(path), "--law", "power_product")
    assert result.exit_code == 2
    assert "\x1b" not in result.stderr
    assert result.stderr.count("\n") == 1


def test_json_has_no_infinity(table, tmp_path):
    """A parameter that nothing limits has no end, for which JSON has null."""
    one_size = tmp_path / "one_size.csv"
    pd.read_csv(table).assign(n_active=1e9).to_csv(one_size, index=False)
    report = json.loads(run("fit", str(one_size), "--law", "floor_product", "--bootstrap", "20", "--json").stdout)
    assert report["status"].startswith("not identified")
    assert report["params"]["A"]["high"] is None
    assert report["params"]["A"]["low"] == 0


def test_other_commands_do_not_wait_for_the_fitter():
    late = {"moelaws.fitting.estimation", "scipy.optimize", "lmfit"}
    code = f"import sys, moelaws.cli.main; print([name for name in sys.modules if name in {late}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("command", [[], ["arch"], ["claims"], ["data"], ["fit"], ["predict"], ["compare"]])
def test_help_has_an_example(command):
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert "Example" in result.stdout or not command
