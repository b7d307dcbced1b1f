"""An installed copy works outside of the repository: built as a wheel, and put into an empty environment."""

import json
import os
import subprocess
import sys

import pytest

from moelaws.paths import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Return the command of a copy that was installed from a wheel, and an empty folder to call it in."""
    folder = tmp_path_factory.mktemp("wheel")
    uv = [sys.executable, "-m", "uv"]
    built = subprocess.run([*uv, "build", "--wheel", "-o", folder, ROOT], capture_output=True, text=True)
    if built.returncode:
        pytest.skip(f"No wheel can be built here, which takes a package index: {built.stderr.strip()[-200:]}")
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    python = folder / "env" / "bin" / "python"
    done = subprocess.run([*uv, "pip", "install", "-q", "--python", python, wheel], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"Nothing can be installed here, which takes a package index: {done.stderr.strip()[-200:]}")
    empty = folder / "empty"
    empty.mkdir()
    return folder / "env" / "bin" / "moelaws", empty


def run(installed, *arguments):
    command, folder = installed
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return subprocess.run([command, *arguments], cwd=folder, env=clean, capture_output=True, text=True)


def test_fit(installed):
    done = run(installed, "fit", ROOT / "data/examples/runs.csv", "--law", "wang2024", "--json", "--plot", "fit.png")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "converged"
    assert (installed[1] / "fit.png").stat().st_size > 0


def test_arch(installed):
    done = run(installed, "arch", ROOT / "data/examples/config.json", "--json")
    assert json.loads(done.stdout)["n_total"] == 46_702_792_704  # Mixtral 8x7B, as its weights have it


def test_data_and_claims(installed):
    assert "yang2025/throughput" in run(installed, "data").stdout
    assert run(installed, "data", "check", ROOT / "data/examples/runs.csv").returncode == 0
    (claim,) = json.loads(run(installed, "claims", "yang2025-C26", "--json").stdout)
    assert claim["verdict"] == "differs"


def test_what_takes_the_book_says_so(installed):
    done = run(installed, "new-chapter", "mine", "--table", ROOT / "data/examples/runs.csv", "--law", "dense")
    assert done.returncode == 2
    assert done.stderr.strip() == (
        "Error: This copy of moelaws came without the book's text; clone its repository to add a chapter."
    )
