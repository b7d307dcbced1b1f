"""The checks bite: each fault below, put into a copy of the project, turns its own check red."""

import copy
import os
import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from built_site import ROOT, build, build_changed

KEY = "yang2025"
CHAPTER = f"chapters/03-{KEY}"
DATA = f"data/{KEY}/throughput.csv"
LAW = f"moelaws/laws/{KEY}.py"
PYTEST = [sys.executable, "-m", "pytest", "-n0", "--no-header", "--color=no", "-p", "no:cacheprovider"]


@pytest.fixture
def project(tmp_path):
    """Return a copy of what the project is made from."""
    made = shutil.ignore_patterns(".*", "_build", "__pycache__")
    return shutil.copytree(ROOT, tmp_path / "project", ignore=made)


def check(project, *tests):
    """Run checks of the copy on the copy's own package and return the last line of the report."""
    environment = {**os.environ, "PYTHONPATH": str(project), "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run([*PYTEST, *tests], cwd=project, env=environment, capture_output=True, text=True)
    assert run.returncode in {0, 1}, run.stdout + run.stderr  # 2 and more: the check itself is broken
    assert (run.returncode == 1) == ("failed" in run.stdout.splitlines()[-1])
    return run.stdout.splitlines()[-1]


def passes(project, *tests):
    return "failed" not in check(project, *tests)


def edit(path, change):
    before = path.read_text(encoding="utf-8")
    after = change(before)
    assert after != before
    path.write_text(after, encoding="utf-8")


def change_digit(text):
    """Change the last digit of the first line that has one."""
    return re.sub(r"\d(?=[^\d\n]*$)", lambda digit: str(9 - int(digit[0])), text, count=1, flags=re.M)


def edit_notebook(project, change):
    """Change the stored notebook's list of cells."""
    path = project / f"{CHAPTER}.ipynb"
    before = nbformat.read(path, as_version=4)
    after = copy.deepcopy(before)
    change(after.cells)
    assert after != before
    nbformat.write(after, path)


def shorten(cells):
    """Keep the cells that load the tables and show them, which is enough and takes seconds."""
    law, data, fit = (
        next(n for n, cell in enumerate(cells) if re.search(f"^## {section}$", cell.source, re.M))
        for section in ("The law", "The data", "Fit and uncertainty")
    )
    cells[:] = cells[:law] + cells[data:fit]


def change_output(cells):
    """Change a digit of the last printed or returned text."""
    shown = [output.data for cell in cells if "outputs" in cell for output in cell.outputs if "data" in output]
    last = [data for data in shown if re.search(r"\d", data.get("text/plain", "")) and "image/svg+xml" not in data][-1]
    last["text/plain"] = change_digit(last["text/plain"])


def test_a_changed_digit_of_the_data_or_of_an_output_fails_the_chapter(project):
    notebook = f"{CHAPTER}.ipynb"
    edit_notebook(project, shorten)
    stored = (project / notebook).read_bytes()
    assert passes(project, notebook)
    edit_notebook(project, change_output)
    assert not passes(project, notebook)
    (project / notebook).write_bytes(stored)
    edit(project / DATA, change_digit)
    assert not passes(project, notebook)


def test_a_changed_digit_of_the_data_fails_its_checksum(project):
    checksum = "tests/test_data.py::test_checksum_of_throughputs"
    assert passes(project, checksum)
    edit(project / DATA, change_digit)
    assert not passes(project, checksum)


def test_a_changed_formula_fails_the_tests_of_its_law(project):
    tests = "tests/test_laws_yang2025.py"
    assert passes(project, LAW, tests)
    edit(project / LAW, lambda text: text.replace("return 3 * d_i * d + 2 * L", "return 2 * d_i * d + 2 * L"))
    assert not passes(project, LAW)
    assert not passes(project, tests)


def unrun(cells):
    for cell in cells:
        if cell.cell_type == "code":
            cell.update(execution_count=None, outputs=[])


def type_a_number(cells):
    cells[-1].source += "\n\nThe exponent is 0.34."


def test_a_chapter_that_breaks_two_rules_fails_both(project):
    rules = ["tests/test_book.py", "-k", "executed_in_order or no_typed_number"]
    assert passes(project, *rules)
    edit_notebook(project, unrun)
    edit_notebook(project, type_a_number)
    assert check(project, *rules).startswith("2 failed")


def test_a_broken_reference_fails_the_build(project):
    """One page is enough, and takes seconds."""
    (project / "_toc.yml").write_text("format: jb-book\nroot: book/index\n", encoding="utf-8")
    (project / "book/index.md").write_text("# One page\n", encoding="utf-8")
    built = build(project)
    assert built.returncode == 0, built.stdout + built.stderr
    edit(project / "book/index.md", lambda text: text + "\n\nSee {ref}`nowhere`.\n")
    assert build_changed(project).returncode != 0
