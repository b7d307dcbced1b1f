"""The comparison of stored and new outputs: rounding passes, any other change fails."""

import json
import subprocess
import sys

import changes
import nbformat
import pytest

from conftest import FIGURE, adopt, same
from moelaws.paths import ROOT

TABLE = {"rows": [{"id": "C01", "computed": 0.3478, "n": 3}]}


@pytest.mark.parametrize(
    ("new", "stored"),
    [
        ("a = 0.34780001", "a = 0.3478"),
        ("[1.0e-05 2.5]", "[1.000000001e-05 2.5]"),
        ("np.float64(0.347)", "np.float64(0.34700000001)"),
        ("<td>-0.5</td>", "<td>-0.50000000001</td>"),
        ("Qwen1.5 has 64", "Qwen1.5 has 64"),
        ("a  156.284399\nb      0.5000", "a  156.2844\nb    0.5000"),
        ("-------  ---\n  0.5  1", "-----  ---\n 0.5 1"),
        ({"a": [0.1, {"b": "0.2"}]}, {"a": [0.1 + 1e-12, {"b": "0.2000000001"}]}),
        (float("nan"), float("nan")),
        (None, None),
    ],
)
def test_rounding_passes(new, stored):
    assert same(new, stored)


@pytest.mark.parametrize(
    ("new", "stored"),
    [
        ("a = 0.3479", "a = 0.3478"),
        ("n = 3", "n = 4"),
        ("n = 3", "n = 3.0"),
        ("1000000 tokens", "1000001 tokens"),
        ("0.5 0.6", "0.5"),
        ("a 0.5\nb", "a\n0.5 b"),
        ("ab", "a b"),
        ("a = 0.5", "b = 0.5"),
        ("Qwen1.5", "Qwen2.5"),
        ("-0.5", "0.5"),
        ({"a": [0.1]}, {"a": [0.2]}),
        ({"a": 1}, {"b": 1}),
        ([0.1], [0.1, 0.1]),
        (1, 2),
        (True, 1),
        (None, "None"),
    ],
)
def test_any_other_change_fails(new, stored):
    assert not same(new, stored)


@pytest.mark.parametrize("page", sorted((ROOT / "chapters").glob("*.ipynb")), ids=lambda page: page.stem)
def test_a_digit_of_a_stored_output_is_noticed(page):
    """Of each page two numbers, in one of their first four digits."""
    source = page.read_bytes()
    stored = [output for cell in json.loads(source)["cells"] for output in cell.get("outputs", [])]
    for change in changes.sample(changes.of_outputs(f"chapters/{page.name}", source), 2, 0):
        new = [output for cell in json.loads(change.apply(source))["cells"] for output in cell.get("outputs", [])]
        ((ours, theirs),) = (
            (nbformat.from_dict(a), nbformat.from_dict(b)) for a, b in zip(new, stored, strict=True) if a != b
        )
        adopt([ours], [theirs])
        assert ours != theirs, change


CODE = """from IPython.display import display
def show(**data):
    display({key.replace("_", "/", 1): value for key, value in data.items()}, raw=True)
show(text_plain="0.3478", text_html="<b>0.3478</b>")
display({"application/vnd.moelaws.claims+json": %r}, raw=True)
display({"application/papermill.record/text/plain": "0.3478"}, raw=True)
display({"application/vnd.moelaws.figure+json": ['{"points": [[2, 0.3478, 5.0]]}']}, raw=True)
display({"image/svg+xml": "<svg>0.3478</svg>"}, raw=True)
print("0.3478")"""


def outputs(digits):
    """Return what the code shows, with other digits."""
    table = json.loads(json.dumps(TABLE).replace("0.3478", digits))
    shown = [
        {"text/plain": digits, "text/html": f"<b>{digits}</b>"},
        {"application/vnd.moelaws.claims+json": table},
        {"application/papermill.record/text/plain": digits},
        {FIGURE: [f'{{"points": [[2, {digits}, 5.0]]}}']},
        {"image/svg+xml": "<svg>something else</svg>"},
    ]
    displayed = [nbformat.v4.new_output("display_data", data) for data in shown]
    return [*displayed, nbformat.v4.new_output("stream", name="stdout", text=f"{digits}\n")]


@pytest.mark.slow
def test_nbval_uses_the_tolerance_for_every_kind_of_output(tmp_path):
    right, wrong = outputs("0.3478"), outputs("0.3479")
    kinds = ["text", "json", "glue", "figure", "drawing", "stream"]
    stored = {"same": right, "noise": outputs("0.34780001")}
    stored |= {kind: [*right[:n], wrong[n], *right[n + 1 :]] for n, kind in enumerate(kinds)}
    cells = [nbformat.v4.new_code_cell(CODE % TABLE, outputs=shown, execution_count=1) for shown in stored.values()]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "kinds.ipynb")
    options = ["--rootdir", ROOT, "-c", ROOT / "pyproject.toml", "-p", "conftest", "-n0", "-rA"]
    command = [sys.executable, "-m", "pytest", *options, tmp_path]
    report = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    passed = {kind for n, kind in enumerate(stored) if f"PASSED kinds.ipynb::Cell {n}\n" in report}
    assert passed == {"same", "noise", "drawing"}, report
