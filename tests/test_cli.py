"""The command line: JSON for machines, one sentence and exit code 2 for mistakes."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from moelaws import data, registry
from moelaws.cli import main


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


def test_data_lists_sets_tables_and_licences():
    assert "yang2025/throughput" in run("data").stdout
    assert "Facts transcribed from the paper" in run("data").stdout
    described = {package["name"]: package for package in json.loads(run("data", "--json").stdout)}
    assert set(described) == set(data.sets()) | {f"public_runs/{name}" for name in registry.sets()}
    clark = described["public_runs/clark2022"]
    assert clark["licenses"] == [{"title": "CC-BY-4.0"}]
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


@pytest.mark.parametrize("command", [[], ["claims"], ["data"]])
def test_help_has_an_example(command):
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert "Example" in result.stdout or not command
