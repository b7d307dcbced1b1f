"""Chapters are executed when, and only when, something that they were made from changed."""

import hashlib
import shutil

import execute
import kernel_extension
import nbformat
import pytest
from click.testing import CliRunner

from moelaws import errors
from moelaws.data import registry

CHAPTER = """---
kernelspec: {name: python3, display_name: Python 3, language: python}
---

# Title

```{code-cell} ipython3
:tags: [hide-input]

from moelaws import data
import click
print(data.load("some/numbers"))
```
"""
DATA_MODULE = '''
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

def load(name):
    """Read a table."""
    for path in ROOT.glob("data/*/datapackage.yaml"):
        path.read_text()
    return (ROOT / f"data/{name}.csv").read_text()  # as text
'''
FILES = {
    "chapters/00-one.md": CHAPTER,
    "chapters/01-two.md": CHAPTER,
    "moelaws/__init__.py": "x = 1\n",
    "moelaws/data.py": DATA_MODULE,
    "moelaws/law.py": "def law(x):\n    return 2 * x\n",
    "data/some/datapackage.yaml": "",
    "data/some/numbers.csv": "1\n",
    "data/others/datapackage.yaml": "",
    "data/others/numbers.csv": "2\n",
    "requirements.lock": "click==8.5.1\nnumpy==2.0\n",
}
READ = FILES.keys() - {
    "chapters/01-two.md",
    "moelaws/law.py",
    "data/others/datapackage.yaml",
    "data/others/numbers.csv",
}


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """Return a project of two chapters, one of them executed."""
    root = tmp_path_factory.mktemp("project")
    for name, text in FILES.items():
        (root / name).parent.mkdir(exist_ok=True, parents=True)
        (root / name).write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        enter(patch, root)
        execute.execute(root / "chapters/00-one.md")
    return root


def enter(patch, root):
    """Let this process and its kernels take `root` for the project."""
    patch.setattr(execute, "ROOT", root)
    patch.setattr(execute.teach, "write", lambda root: None)  # of pages that are listed nowhere
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


@pytest.mark.parametrize("name", ["chapters/00-one.md", "moelaws/data.py", "data/some/numbers.csv"])
def test_a_changed_input_makes_stale(project, name):
    with (project / name).open("a") as file:
        file.write("\nchanged = 1\n")
    assert execute.stale(project / "chapters/00-one.md")


def test_a_digit_of_what_is_shown_makes_stale_what_was_touched(project):
    chapter = project / "chapters/00-one.md"
    assert not execute.touched(chapter)
    notebook = nbformat.read(chapter.with_suffix(".ipynb"), as_version=4)
    (output,) = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    output.text = output.text.replace("1", "2")
    nbformat.write(notebook, chapter.with_suffix(".ipynb"))
    assert execute.touched(chapter)
    assert execute.stale(chapter)


@pytest.mark.parametrize("name", ["moelaws/__init__.py", "data/some/numbers.csv"])
def test_a_removed_input_makes_stale(project, name):
    (project / name).unlink()
    assert execute.stale(project / "chapters/00-one.md")


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("moelaws/data.py", "Read a table.", "Read\n\n    any table."),
        ("moelaws/data.py", "# as text", "# as a text"),
        ("moelaws/data.py", '    """Read a table."""\n', ""),
        ("moelaws/__init__.py", "x = 1", '"""A package."""\n\n# a number\nx = 1'),
        ("moelaws/law.py", "2 * x", "3 * x"),
        ("requirements.lock", "numpy==2.0", "numpy==2.1"),
        ("data/others/numbers.csv", "2", "3"),
        ("data/others/datapackage.yaml", "", "changed"),
        ("chapters/01-two.md", "Title", "Another title"),
    ],
)
def test_what_a_chapter_does_not_use_leaves_it_fresh(project, name, before, after):
    edit(project / name, before, after)
    assert not execute.stale(project / "chapters/00-one.md")


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("moelaws/data.py", "{name}.csv", "{name}.CSV"),
        ("moelaws/__init__.py", "x = 1", "x = '# 1'"),
        ("requirements.lock", "click==8.5.1", "click==8.5.2"),
        ("data/some/datapackage.yaml", "", "changed"),
    ],
)
def test_what_a_chapter_uses_makes_it_stale(project, name, before, after):
    edit(project / name, before, after)
    assert execute.stale(project / "chapters/00-one.md")


def test_a_formula_makes_stale_the_chapters_that_use_it_and_no_other(project):
    one, two = project / "chapters/00-one.md", project / "chapters/01-two.md"
    edit(two, "print(", "from moelaws.law import law\nprint(")
    execute.execute(two)
    edit(project / "moelaws/law.py", "def law(x):", 'def law(x):\n    """Twice."""  # "as said"')
    assert (execute.stale(one), execute.stale(two)) == (False, False)
    edit(project / "moelaws/law.py", "2 * x", "3 * x")
    assert (execute.stale(one), execute.stale(two)) == (False, True)


def edit(path, before, after):
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")


LABEL = "public_runs/gadre2024/gadre2024_overtraining.csv"
LOAD_RUNS = """
from moelaws.errors import Unavailable
def load_runs():
    path = Path("{path}")
    if not path.exists():
        raise Unavailable("no runs.")
    return path.read_text()
"""


@pytest.fixture
def with_runs(project, tmp_path, monkeypatch):
    """Return a chapter that was made from public runs, and the file of these."""
    path = tmp_path / "public" / registry.by_label()[LABEL].path
    path.parent.mkdir(parents=True)
    path.write_text("runs", encoding="utf-8")
    monkeypatch.setenv(registry.VARIABLE, str(tmp_path / "public"))
    shutil.copy(errors.__file__, project / "moelaws")
    with (project / "moelaws/data.py").open("a") as file:
        file.write(LOAD_RUNS.format(path=path))
    chapter = project / "chapters/00-one.md"
    chapter.write_text(CHAPTER.replace('load("some/numbers")', "load_runs()"), encoding="utf-8")
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


def test_the_stored_notebook_has_the_chapters_cells_and_its_inputs(project):
    stored = nbformat.read(project / "chapters/00-one.ipynb", as_version=4)
    assert [cell.cell_type for cell in stored.cells] == ["markdown", "code"]
    assert stored.cells[1].metadata == {"tags": ["hide-input"]}
    assert stored.cells[1].outputs[0].text == "1\n\n"
    assert set(stored.metadata.moelaws.inputs) == READ - {"requirements.lock"} | {"requirements.lock: click"}
    assert stored.metadata.moelaws.inputs["requirements.lock: click"] == "8.5.1"


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


FIGURE = """---
kernelspec: {name: python3, display_name: Python 3, language: python}
---

```{code-cell} ipython3
:mystnb: {figure: {name: fig-one}}

import os, time, warnings
import matplotlib as mpl
import matplotlib.pyplot as plt
plt.plot([1, 2], [3, 4])
warnings.warn("no more than a warning")
print(mpl.rcParams["lines.linewidth"], time.tzname[0], os.environ["OPENBLAS_NUM_THREADS"])
```
"""


def test_nothing_of_the_users_settings_reaches_a_kernel(project, tmp_path, monkeypatch):
    (project / "chapters/00-one.md").write_text(FIGURE, encoding="utf-8")
    (tmp_path / "rc").write_text("lines.linewidth: 9", encoding="utf-8")
    profile = tmp_path / "ipython/profile_default/startup"
    profile.mkdir(parents=True)
    (profile / "0.py").write_text("print = None", encoding="utf-8")
    kernels = tmp_path / "jupyter/kernels/python3"
    kernels.mkdir(parents=True)
    (kernels / "kernel.json").write_text(
        '{"argv": ["false"], "display_name": "No", "language": "no"}', encoding="utf-8"
    )
    for name, value in {
        "MPLBACKEND": "Agg",
        "MATPLOTLIBRC": str(tmp_path / "rc"),
        "PYTHONWARNINGS": "error",
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "JUPYTER_PATH": str(tmp_path / "jupyter"),
        "JUPYTER_PREFER_ENV_PATH": "0",
        "LC_ALL": "C",
        "TZ": "Asia/Kathmandu",
        "OPENBLAS_NUM_THREADS": "7",
    }.items():
        monkeypatch.setenv(name, value)
    execute.execute(project / "chapters/00-one.md")
    outputs = nbformat.read(project / "chapters/00-one.ipynb", as_version=4).cells[0].outputs
    assert [output.text for output in outputs if output.get("name") == "stdout"] == ["1.5 UTC 1\n"]
    assert {"image/png", kernel_extension.FIGURE} <= {mime for output in outputs for mime in output.get("data", {})}


def test_a_figure_without_a_picture_is_an_error(project):
    text = FIGURE.replace("plt.plot", "lambda: plt.plot")
    (project / "chapters/00-one.md").write_text(text, encoding="utf-8")
    result = CliRunner().invoke(execute.main, ["00-one"])
    assert result.exit_code == 1
    assert result.output == (
        "Error: chapters/00-one.md: 'import os, time, warnings' shows no picture, and its header names a figure.\n"
    )


@pytest.mark.parametrize("name", [".#00-one.md", "#00-one.md#", "00-one.md~", "00-one.md.orig"])
def test_an_editors_file_is_no_chapter(project, name):
    (project / "chapters" / name).symlink_to("nowhere")
    assert CliRunner().invoke(execute.main, ["00-one"]).exit_code == 0
    assert CliRunner().invoke(execute.main, ["00-on"]).output.endswith("there are 00-one, 01-two\n")


def test_code_is_what_remains_without_comments_and_docstrings_also_beside_letters_outside_ascii():
    source = '''"""Größe.

Länge in μ·N"""

X = "é # no comment"  # über alles
"""Über X."""


def f():
    """É."""
    # ö
    return X  # ü
'''
    assert execute._code(source) == 'X = "é # no comment"\ndef f():\n    return X'
