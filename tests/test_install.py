"""A machine with nothing, with an old Python or with a broken environment: one sentence, and the next run recovers."""

import ast
import os
import subprocess
import sys

import install
import pytest

from moelaws.paths import ROOT

# An interpreter that notes how it was called, and whose environments hold a copy of it.
PYTHON = """#!/bin/sh
echo "$@" >> calls
case "$*" in
    *"-m venv"*) test -e no-venv && exit 1; mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
    *install*) test ! -e no-network ;;
esac
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Return a project in a folder whose name has a blank and letters outside ASCII, and nothing installed."""
    root = tmp_path / "projet élu 专家"
    root.mkdir()
    (root / "requirements.lock").write_text("numpy==2.0\n", encoding="utf-8")
    (root / "pyproject.toml").touch()
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "executable", str(script(root / "python", PYTHON)))
    return root


def script(path, body):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(body, encoding="utf-8")
    path.chmod(0o755)
    return path


def calls(project):
    """Return how the interpreters were called since last asked, without the question whether they work."""
    noted = project / "calls"
    lines = noted.read_text(encoding="utf-8").splitlines() if noted.exists() else []
    noted.unlink(missing_ok=True)
    return [line for line in lines if not line.startswith("-c")]


NEW = "-m venv .venv"
INSTALLED = [
    "-m pip --disable-pip-version-check install -q uv",
    "-m uv pip install -q --python .venv/bin/python --no-deps -r requirements.lock -e .",
]

BROKEN = {
    "absent": lambda venv: None,
    "empty": lambda venv: venv.mkdir(),
    "without pip or of an old Python": lambda venv: script(venv / "bin/python", "#!/bin/sh\nexit 1\n"),
    "not to be run": lambda venv: script(venv / "bin/python", "#!/nowhere/python\n"),
    "of a Python that is gone": lambda venv: [(venv / "bin").mkdir(parents=True), link(venv / "bin/python")],
    "a file": lambda venv: venv.touch(),
    "a link to nowhere": lambda venv: link(venv),
}


def link(path):
    path.symlink_to("/nowhere/at/all")


@pytest.mark.parametrize("break_it", BROKEN.values(), ids=BROKEN)
def test_a_broken_environment_is_made_anew(project, break_it):
    break_it(project / ".venv")
    install.main()
    assert calls(project) == [NEW, *INSTALLED]
    install.main()
    assert calls(project) == []


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml", ".venv/.installed"])
def test_what_changed_is_installed_again(project, name):
    install.main()
    calls(project)
    (project / name).write_text("# changed", encoding="utf-8")
    install.main()
    assert calls(project) == INSTALLED


def test_a_moved_project_is_installed_again(project, monkeypatch):
    install.main()
    moved = project.rename(project.with_name("moved"))
    monkeypatch.chdir(moved)
    calls(moved)
    install.main()
    assert calls(moved) == INSTALLED


def test_an_interrupted_installation_is_not_taken_for_a_finished_one(project):
    install.main()
    (project / "requirements.lock").write_text("numpy==2.1", encoding="utf-8")
    (project / "no-network").touch()
    with pytest.raises(SystemExit, match=r"^Error: the packages .* could not be installed .*; run make again\.$"):
        install.main()
    (project / "no-network").unlink()
    calls(project)
    install.main()
    assert calls(project) == INSTALLED


def test_a_python_without_ensurepip_is_refused_and_leaves_nothing(project):
    (project / "no-venv").touch()
    with pytest.raises(SystemExit, match=r"^Error: .*python cannot make an environment with pip; install its venv"):
        install.main()
    assert not os.path.lexists(".venv")


def test_an_old_python_is_refused_in_one_sentence(project, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 13, "final", 0))
    with pytest.raises(SystemExit, match=r"^Error: moelaws needs Python 3\.11 or newer, and .* is 3\.10\.13; name "):
        install.main()
    assert calls(project) == []


@pytest.mark.parametrize("version", [(3, 6), (3, 8), (3, 10)])
def test_an_old_python_gets_as_far_as_the_sentence(version):
    ast.parse((ROOT / "book/tools/install.py").read_text(encoding="utf-8"), feature_version=version)


def test_make_begins_with_the_installation():
    planned = subprocess.run(
        ["make", "-n", "--no-print-directory", "PYTHON=other", "book"], cwd=ROOT, capture_output=True, text=True
    ).stdout
    assert planned.splitlines()[0] == "other book/tools/install.py"
