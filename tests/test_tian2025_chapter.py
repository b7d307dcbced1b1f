"""Each printed coefficient of Tian et al. reaches the page: its last digit changes what the evidence shows."""

import ast
from decimal import Decimal

import nbformat
import pytest

from moelaws import data
from moelaws.laws import tian2025
from moelaws.laws.power import PowerLaw
from moelaws.papers.tian2025 import settings

CELLS = nbformat.read(data.ROOT / "chapters/02-tian2025-evidence.ipynb", as_version=4).cells
SHOWN = ("last_digits = ", "power_laws = ")
POWER_LAWS = {
    "learning_rate": settings.LEARNING_RATE,
    "batch": settings.BATCH,
    "flops_per_token": settings.FLOPS_PER_TOKEN,
    "n_tokens": settings.N_TOKENS,
}
COEFFICIENTS = [
    row
    for row in data.printed("tian2025/coefficients").to_dict("records")
    if not row["place"].startswith(("Fig. 1", "Fig. 5"))
]


def the_cell(text):
    """The one cell that holds a text."""
    (found,) = (cell for cell in CELLS if cell.cell_type == "code" and text in cell.source)
    return found


def result(source, names):
    """Run a cell, and return how its last line is shown."""
    tree = ast.parse(source)
    last = tree.body.pop()
    exec(compile(tree, "cell", "exec"), names)
    if not isinstance(last, ast.Expr):
        exec(compile(ast.Module([last], []), "cell", "exec"), names)
        return None
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)._repr_html_()


def shown():
    """What the cells that show all printed coefficients give with the package as it is."""
    names = {}
    result(the_cell("import matplotlib.pyplot as plt").source, names)
    return [result(the_cell(text).source, names) for text in SHOWN]


def stored():
    return [the_cell(text).outputs[-1]["data"]["text/html"] for text in SHOWN]


def one_digit_more(text):
    """A printed number with one more in its last digit."""
    number = Decimal(text)
    return float(number + Decimal((0, (1,), number.as_tuple().exponent)))


def test_the_cells_show_what_is_stored():
    assert shown() == stored()


@pytest.mark.parametrize(
    "row", COEFFICIENTS, ids=lambda row: "-".join(map(str, (row["quantity"], row["family"], row["symbol"])))
)
def test_the_last_digit_of_a_coefficient_is_seen(row, monkeypatch):
    changed = one_digit_more(row["value"])
    if row["quantity"] == "leverage":
        monkeypatch.setitem(tian2025.PUBLISHED, row["symbol"], changed)
    else:
        laws = POWER_LAWS[row["quantity"]]
        law = laws[row["family"]]
        kept = {"coefficient": law.coefficient, "exponent": law.exponent}
        monkeypatch.setitem(laws, row["family"], PowerLaw(**kept | {row["symbol"]: changed}))
    assert shown() != stored()
