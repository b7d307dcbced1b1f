"""A figure is cut where nothing is drawn, and a phone sees its parts one below the other."""

import io
import json
import sys
from hashlib import sha256

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from panels import panels

from moelaws import plots
from moelaws.paths import ROOT

sys.path.insert(0, str(ROOT / "book" / "_ext"))
import narrow_figures


def figure(rows=1, columns=2, **options):
    """Return a figure as chapters draw them, its labels of different lengths."""
    with plt.rc_context():
        plots.style()
        drawn, axes = plt.subplots(rows, columns, figsize=(plots.PAGE, 1.8 * rows), squeeze=False, **options)
    for number, ax in enumerate(axes.flat):
        ax.plot([1, 3], [10.0 ** (2 * number), 10.0 ** (2 * number) * 7], label="a line")
        ax.set(xlabel="tokens", ylabel="loss", title=f"({number})")
        ax.legend()
    return drawn


def cuts(drawn):
    """Return the panels of a drawn figure, and the picture's darkness by rows and columns of pixels."""
    drawn.draw_without_rendering()
    found, file = panels(drawn), io.BytesIO()
    drawn.savefig(file, dpi=200, bbox_inches="tight")
    plt.close(drawn)
    file.seek(0)
    return found, 1 - plt.imread(file)[..., :3].min(axis=2)


@pytest.mark.parametrize(("rows", "columns"), [(1, 2), (1, 3), (2, 2), (2, 1)])
def test_nothing_is_drawn_where_a_figure_is_cut(rows, columns):
    found, dark = cuts(figure(rows, columns))
    assert len(found) == rows * columns
    for places, along in (
        ({edge for one in found for edge in one[::2]}, 1),
        ({edge for one in found for edge in one[1::2]}, 0),
    ):
        inner = sorted(places)[1:-1]
        assert len(inner) == (columns, rows)[1 - along] - 1
        for place in inner:
            pixel = round(place * dark.shape[along])
            assert not np.take(dark, range(pixel - 2, pixel + 3), axis=along).any()
    assert found[0][:2] == [0, 0]
    assert found[-1][2:] == [1, 1]
    assert [one[1] for one in found] == sorted(one[1] for one in found)


@pytest.mark.parametrize(
    "across",
    [
        lambda drawn: drawn.suptitle("over both panels, and longer than one of them is wide " * 2),
        lambda drawn: drawn.legend(["a line for both of the panels, wherever it is drawn"], loc="outside lower center"),
        lambda drawn: drawn.add_axes((0.4, 0.4, 0.2, 0.2)),
        lambda drawn: drawn.axes[0].text(
            3.5, 30, "reaches far into the panel beside it " * 2, clip_on=False, in_layout=True
        ),
    ],
    ids=["title", "legend", "axes", "text"],
)
def test_what_lies_across_is_not_cut(across):
    drawn = figure()
    drawn.set_layout_engine("none")
    across(drawn)
    assert cuts(drawn)[0] == []


@pytest.mark.parametrize(
    "drawn", [lambda: figure(1, 1), lambda: figure(sharey=True), lambda: figure(2, 1, sharex=True)]
)
def test_a_panel_that_stands_alone_or_borrows_its_numbers_is_not_cut(drawn):
    assert cuts(drawn())[0] == []


def test_shared_axes_that_both_have_numbers_are_cut():
    drawn = figure(sharey=True)
    drawn.axes[1].tick_params(labelleft=True)
    assert len(cuts(drawn)[0]) == 2


def test_a_phone_is_offered_each_panel_through_a_window_of_the_same_file():
    svg = '<svg viewBox="0 0 200 100">\n</svg>\n'
    parts = [[0, 0, 0.4, 1], [0.4, 0, 1, 1]]
    output = nbformat.v4.new_output(
        "display_data", {narrow_figures.SVG: svg, narrow_figures.DATA: [json.dumps({"panels": parts})]}
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(outputs=[output])])
    name = f"{sha256(svg.strip().encode()).hexdigest()}.svg"
    assert narrow_figures.pictures(notebook) == {name: parts}
    page = BeautifulSoup(f'<div><img alt="two lines" src="{name}"/></div>', "html.parser")
    narrow_figures.offer(page, page.img, parts, (200, 100))
    stack = page.select_one(".picture > .panels")
    assert stack["aria-label"] == "two lines"
    windows = [(image["src"].partition("#")[2], image["alt"]) for image in stack.select("img")]
    assert windows == [("svgView(viewBox(0.0,0.0,80.0,100.0))", ""), ("svgView(viewBox(80.0,0.0,120.0,100.0))", "")]
    assert page.select_one(".picture > details.full-size img")["src"] == name
