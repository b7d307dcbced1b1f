"""The checks bite: each fault below, put into a copy of the project, turns its own check red, and no other."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from built_site import ROOT

HEAD = "---\nkernelspec: {name: python3, display_name: Python 3, language: python}\n---\n\n"
CELL = "```{code-cell} ipython3\n"
FIGURE = CELL + ":mystnb: {figure: {name: fig-one}}\n\n"
CHAPTERS = {
    "00-output": f"{CELL}1 / 3\n```\n\n{CELL}print(2 / 3)\n```\n",
    "01-data": f"{CELL}from moelaws import data\n```\n\n{CELL}data.load('yang2025/throughput')\n```\n",
    "02-figure": f"""{CELL}import pandas as pd
from moelaws import plots
table = pd.DataFrame({{"concurrency": [1, 2] * 2, "throughput": [1.0, 2, 2, 3], "k": [1, 1, 8, 8]}})
plots.style()
```

{FIGURE}_ = plots.throughput_and_speedup(table, "k", "experts")
```
""",
    "03-unrun": f"{CELL}1 + 1\n```\n",
    "04-typed": f"The exponent is large.\n\n{CELL}1 + 1\n```\n",
}
pytestmark = pytest.mark.slow
RULES = "tests/test_book.py::test_chapter_keeps"
LAW, DOCTEST = "moelaws/serving/experts.py", "moelaws.serving.experts.distinct_experts"
KNOWN = "tests/test_laws_yang2025.py::test_distinct_experts_example_of_oea"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Return a copy of the project with small chapters of its own, executed."""
    made = shutil.ignore_patterns(".*", "_build", "__pycache__", "chapters", "teach")
    root = shutil.copytree(ROOT, tmp_path_factory.mktemp("copy") / "project", ignore=made)
    (root / "chapters").mkdir()
    for name, text in CHAPTERS.items():
        (root / f"chapters/{name}.md").write_text(HEAD + text, encoding="utf-8")
    executed = run(root, "book/tools/execute.py")
    assert executed.returncode == 0, executed.stdout + executed.stderr
    return root


def run(root, *command):
    """Run Python in the copy, on the copy's own package."""
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, *command], cwd=root, env=environment, capture_output=True, text=True)


def edit(path, before, after):
    """Replace the first match of a pattern in a file."""
    text = path.read_text(encoding="utf-8")
    changed = re.sub(before, after, text, count=1, flags=re.M)
    assert changed != text
    path.write_text(changed, encoding="utf-8")


FAULTS = {
    "a digit of a stored output": (
        "chapters/00-output.ipynb",
        r"0\.66666",
        "0.66656",
        {"chapters/00-output.ipynb::Cell 1"},
    ),
    "a digit of a table": (
        "data/yang2025/throughput.csv",
        r"\d(?=[^\d\n]*$)",
        lambda digit: str(9 - int(digit[0])),
        {"chapters/01-data.ipynb::Cell 1", "tests/test_data.py::test_checksum_of_throughputs"},
    ),
    "a label of a figure": (
        "moelaws/plots.py",
        'ylabel="speed-up"',
        'ylabel="speedup"',
        {"chapters/02-figure.ipynb::Cell 1"},
    ),
    "a formula": (
        LAW,
        r"expm1\(tokens \* np",
        "expm1(np",
        {KNOWN, f"{LAW}::{DOCTEST}"},
    ),
    "a cell that was not run": (
        "chapters/03-unrun.ipynb",
        '"execution_count": 1',
        '"execution_count": null',
        {f"{RULES}[03-unrun-executed_in_order]", "chapters/03-unrun.ipynb::Cell 0"},
    ),
    "a typed number": ("chapters/04-typed.ipynb", "is large", "is 0.34", {f"{RULES}[04-typed-no_typed_number]"}),
}


@pytest.fixture(scope="module")
def failed(project):
    """Return the checks that fail once all faults are in."""
    for path, before, after, _ in FAULTS.values():
        edit(project / path, before, after)
    checks = ["chapters", LAW, RULES, KNOWN, "tests/test_data.py"]
    named = "Cell or example_of_oea or checksum or experts.distinct or executed_in_order or no_typed_number"
    options = ["-n0", "--color=no", "-p", "no:cacheprovider", "-rf"]
    report = run(project, "-m", "pytest", *options, *checks, "-k", f"not same_cells and ({named})")
    assert report.returncode == 1, report.stdout + report.stderr  # 2 and more: the check itself is broken
    return set(re.findall(r"^FAILED (.+?)(?: - .*)?$", report.stdout, re.M))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_turns_its_check_red(fault, failed):
    expected = FAULTS[fault][3]
    assert expected <= failed, failed


def test_nothing_else_turns_red(failed):
    assert failed == {check for *_, checks in FAULTS.values() for check in checks}


def test_a_broken_reference_fails_the_build(project):
    """One page is enough, and takes seconds."""
    (project / "_toc.yml").write_text("format: jb-book\nroot: book/index\n", encoding="utf-8")
    (project / "book/index.md").write_text("# One page\n\nSee {ref}`nowhere`.\n", encoding="utf-8")
    built = run(project, "book/tools/build.py")
    assert built.returncode == 1
    assert "nowhere" in built.stderr
    assert built.stderr.endswith("Error: the site was not built; its warnings and errors stand above.\n")
