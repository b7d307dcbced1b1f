"""The stored sets of coefficients and Table 1 of Yun et al. reach the page: a change in them changes what it shows."""

import ast

import nbformat
import numpy as np
import pandas as pd
import pytest

from moelaws import data
from moelaws.laws.yun2024 import YUN2024
from moelaws.papers.yun2024 import statements as stated

CELLS = nbformat.read(data.ROOT / "chapters/01-yun2024.ipynb", as_version=4).cells
NAMES = [parameter.name for parameter in YUN2024.parameters]
FEASIBLE = data.load("yun2024/feasible").query("flops_of == 'active'")
CONDITIONS, LAYERS = "conditions = pd.DataFrame(", "def stacks(row)"


def the_cell(text):
    """The one cell that holds a text."""
    (found,) = (cell for cell in CELLS if cell.cell_type == "code" and text in cell.source)
    return found


def shown(text, **names):
    """Run a cell, and return how its last line is shown."""
    names |= {"np": np, "pd": pd, "stated": stated}
    tree = ast.parse(the_cell(text).source)
    last = ast.Expression(tree.body.pop().value)
    exec(compile(tree, "cell", "exec"), names)
    return eval(compile(last, "cell", "eval"), names)._repr_html_()


def stored(text):
    return the_cell(text).outputs[-1]["data"]["text/html"]


def conditions(draws):
    return shown(CONDITIONS, predicted=stated.predict(draws[NAMES].to_numpy()))


def test_the_cells_show_what_is_stored():
    assert conditions(FEASIBLE) == stored(CONDITIONS)
    assert shown(LAYERS, models=data.load("yun2024/models")) == stored(LAYERS)


@pytest.mark.parametrize("name", NAMES)
def test_each_coefficient_is_seen(name):
    assert conditions(FEASIBLE.assign(**{name: 1.01 * FEASIBLE[name]})) != stored(CONDITIONS)


def test_the_sets_satisfy_what_the_chapter_says_of_them():
    """Every condition to twice its tolerance, every order strictly, and none by construction within rounding."""
    predicted = stated.predict(FEASIBLE[NAMES].to_numpy())
    orders = np.isinf([statement.high for statement in stated.STATEMENTS])
    assert np.abs(stated.residuals(predicted, tolerant=True)).max() <= 2 + 1e-6
    assert predicted[:, orders].min() > 0
    assert (np.abs(stated.residuals(predicted)).max(axis=1) > 1).all()


def test_a_changed_count_has_no_layers():
    models = data.load("yun2024/models")
    for row in range(len(models)):
        changed = models.assign(n_dense=models.n_dense + (models.index == row))
        with pytest.raises(ValueError, match="not enough values"):
            shown(LAYERS, models=changed)
