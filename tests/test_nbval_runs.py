"""A notebook that was made from public runs is run again where they are, and skipped where they are not."""

import os
import subprocess
import sys

import nbformat
import pytest

from moelaws.data import registry
from moelaws.paths import ROOT

pytestmark = pytest.mark.slow
LABEL = "public_runs/gadre2024/gadre2024_overtraining.csv"


@pytest.mark.parametrize(("here", "outcome"), [(True, "2 passed"), (False, "2 skipped")])
def test_a_notebook_needs_its_public_runs(tmp_path, here, outcome):
    path = tmp_path / registry.by_label()[LABEL].path
    if here:
        path.parent.mkdir()
        path.touch()
    cells = [nbformat.v4.new_code_cell("x = 1", execution_count=n) for n in (1, 2)]
    metadata = {"moelaws": {"inputs": {LABEL: "0" * 64}}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), tmp_path / "runs.ipynb")
    options = ["--rootdir", ROOT, "-c", ROOT / "pyproject.toml", "-p", "conftest", "-n0", "-rs"]
    report = subprocess.run(
        [sys.executable, "-m", "pytest", *options, tmp_path],
        cwd=ROOT,
        env={**os.environ, registry.VARIABLE: str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    assert outcome in report, report
    reason = f"runs.ipynb was made from public runs that are not here ({LABEL}); MOELAWS_DATA can name a folder"
    assert (reason in report) != here, report
