"""Chapters are executed when, and only when, something that they were made from changed."""

import hashlib
import shutil

import execute
import nbformat
import pytest
from click.testing import CliRunner

from moelaws.data import registry

CHAPTER = """---
kernelspec: {name: python3, display_name: Python 3, language: python}
---

# Title

```{code-cell} ipython3
:tags: [hide-input]

from moelaws import data
print(data.load("numbers"))
```
"""
DATA_MODULE = """
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_read = set()

def load(name):
    path = ROOT / "data" / f"{name}.csv"
    _read.update({path, Path("/elsewhere/secret.csv")})
    return path.read_text()

def files_read():
    return frozenset(_read)
"""
FILES = {
    "chapters/00-one.md": CHAPTER,
    "chapters/01-two.md": CHAPTER,
    "moelaws/__init__.py": "",
    "moelaws/data.py": DATA_MODULE,
    "data/numbers.csv": "1\n",
    "data/others.csv": "2\n",
    "requirements.lock": "numpy==2.0\n",
}


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """Return a project of two chapters, one of them executed."""
    root = tmp_path_factory.mktemp("project")
    for name, text in FILES.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        enter(patch, root)
        execute.execute(root / "chapters/00-one.md")
    return root


def enter(patch, root):
    """Let this process and its kernels take `root` for the project."""
    patch.setattr(execute, "ROOT", root)
    patch.setenv("PYTHONPATH", str(root))


@pytest.fixture
def project(executed, tmp_path, monkeypatch):
    """Return a copy of the executed project, free to be changed."""
    root = tmp_path / "project"
    shutil.copytree(executed, root)
    enter(monkeypatch, root)
    return root


def test_an_executed_chapter_is_fresh_and_another_stale(project):
    assert not execute.stale(project / "chapters/00-one.md")
    assert execute.stale(project / "chapters/01-two.md")


@pytest.mark.parametrize(
    "name",
    ["chapters/00-one.md", "moelaws/data.py", "moelaws/new.py", "data/numbers.csv", "requirements.lock"],
)
def test_a_changed_input_makes_stale(project, name):
    with (project / name).open("a") as file:
        file.write("\n# changed\n")
    assert execute.stale(project / "chapters/00-one.md")


@pytest.mark.parametrize("name", ["moelaws/__init__.py", "data/numbers.csv"])
def test_a_removed_input_makes_stale(project, name):
    (project / name).unlink()
    assert execute.stale(project / "chapters/00-one.md")


LABEL = "public_runs/gadre2024/gadre2024_overtraining.csv"
LOAD_RUNS = """
from moelaws.errors import Unavailable
def load_runs():
    path = Path("{path}")
    if not path.exists():
        raise Unavailable("no runs.")
    _read.add(path)
    return path.read_text()
"""


@pytest.fixture
def with_runs(project, tmp_path, monkeypatch):
    """Return a chapter that was made from public runs, and the file of these."""
    path = tmp_path / "public" / registry.by_label()[LABEL].path
    path.parent.mkdir(parents=True)
    path.write_text("runs", encoding="utf-8")
    monkeypatch.setenv(registry.VARIABLE, str(tmp_path / "public"))
    shutil.copy(execute.__file__.replace("execute", "errors"), project / "moelaws")
    with (project / "moelaws/data.py").open("a") as file:
        file.write(LOAD_RUNS.format(path=path))
    chapter = project / "chapters/00-one.md"
    chapter.write_text(CHAPTER.replace('load("numbers")', "load_runs()"), encoding="utf-8")
    assert execute.stale(chapter)
    execute.execute(chapter)
    return chapter, path


def test_public_runs_are_recorded_and_compared(with_runs):
    chapter, path = with_runs
    stored = nbformat.read(chapter.with_suffix(".ipynb"), as_version=4)
    assert stored.metadata.moelaws.inputs[LABEL] == hashlib.sha256(b"runs").hexdigest()
    assert not execute.stale(chapter)
    assert execute.absent(chapter) == []
    path.write_text("other runs", encoding="utf-8")
    assert execute.stale(chapter)


def test_a_chapter_stays_fresh_where_its_public_runs_are_absent(with_runs):
    chapter, path = with_runs
    path.unlink()
    assert not execute.stale(chapter)
    assert execute.absent(chapter) == execute.absent(chapter.with_suffix(".ipynb")) == [LABEL]
    chapter.write_text(chapter.read_text(encoding="utf-8") + "changed", encoding="utf-8")
    assert execute.stale(chapter)


def test_a_stored_notebook_is_kept_where_its_public_runs_cannot_be_had(with_runs):
    chapter, path = with_runs
    notebook = chapter.with_suffix(".ipynb")
    before = notebook.read_bytes()
    path.unlink()
    result = CliRunner().invoke(execute.main, ["--force", "00-one"])
    assert result.exit_code == 0
    assert result.output.startswith("kept chapters/00-one.ipynb, as public runs that it needs cannot be had: ")
    assert result.output.endswith(": no runs.\n")
    assert result.output.count("\n") == 1
    assert notebook.read_bytes() == before
    notebook.unlink()
    assert CliRunner().invoke(execute.main, ["00-one"]).exit_code == 1


@pytest.mark.parametrize("name", ["chapters/01-two.md", "data/others.csv"])
def test_what_the_chapter_does_not_read_leaves_it_fresh(project, name):
    (project / name).write_text("changed", encoding="utf-8")
    assert not execute.stale(project / "chapters/00-one.md")


def test_the_stored_notebook_has_the_chapters_cells_and_its_inputs(project):
    stored = nbformat.read(project / "chapters/00-one.ipynb", as_version=4)
    assert [cell.cell_type for cell in stored.cells] == ["markdown", "code"]
    assert stored.cells[1].metadata == {"tags": ["hide-input"]}
    assert stored.cells[1].outputs[0].text == "1\n\n"
    assert set(stored.metadata.moelaws.inputs) == FILES.keys() - {"chapters/01-two.md", "data/others.csv"}


def test_execution_is_repeatable_to_the_byte(project):
    notebook = project / "chapters/00-one.ipynb"
    before = notebook.read_bytes()
    notebook.unlink()
    execute.execute(project / "chapters/00-one.md")
    assert notebook.read_bytes() == before


def test_a_failing_cell_is_named_and_leaves_the_old_notebook(project):
    text, notebook = project / "chapters/00-one.md", project / "chapters/00-one.ipynb"
    before = notebook.read_bytes()
    text.write_text(CHAPTER.replace("print(", "x = 1\nraise ValueError(").replace('"))', '"))'), encoding="utf-8")
    result = CliRunner().invoke(execute.main, ["00-one"])
    assert result.exit_code == 1
    assert result.output == "Error: chapters/00-one.md: 'from moelaws import data' failed: ValueError: 1\n"
    assert notebook.read_bytes() == before
    assert [path.name for path in notebook.parent.iterdir()].count("00-one.ipynb.part") == 0


def test_the_command_executes_what_is_due_and_only_that(project):
    assert CliRunner().invoke(execute.main).output == "executed chapters/01-two.md\n"
    assert CliRunner().invoke(execute.main).output == ""
    assert CliRunner().invoke(execute.main, ["--force", "chapters/00-one.md"]).output == "executed chapters/00-one.md\n"


def test_an_unknown_chapter_is_refused_with_the_known_ones(project):
    result = CliRunner().invoke(execute.main, ["02-three"])
    assert result.exit_code == 2
    assert "there is no chapter '02-three'; there are 00-one, 01-two" in result.output
