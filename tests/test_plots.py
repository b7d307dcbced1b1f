"""The house style, and what the recurring panels draw."""

import io

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from moelaws import plots

TABLE = pd.DataFrame(
    {
        "concurrency": [2, 4, 8] * 3,
        "k": [6] * 3 + [4] * 3 + [2] * 3,
        "throughput": [10.0, 18, 30, 12, 24, 45, 20, 45, 90],
    }
)


@pytest.fixture(autouse=True)
def closed():
    with mpl.rc_context():
        yield
        plt.close("all")


def test_the_style_is_the_same_each_time_and_reads_on_white():
    plots.style()
    figure, ax = plt.subplots()
    assert figure.get_size_inches().tolist() == [7.2, 3.4]
    assert figure.get_layout_engine().__class__.__name__ == "ConstrainedLayoutEngine"
    assert [ax.spines[side].get_visible() for side in ("top", "right", "left", "bottom")] == [False, False, True, True]
    assert mpl.rcParams["svg.hashsalt"] == "moelaws"
    sizes = {name: mpl.rcParams[name] for name in ("font.size", "axes.titlesize", "legend.fontsize")}
    assert sizes == {"font.size": 9.5, "axes.titlesize": 10, "legend.fontsize": 8.5}
    assert (mpl.rcParams["lines.linewidth"], mpl.rcParams["lines.markersize"]) == (1.6, 4.5)
    assert mpl.rcParams["axes.grid"] is mpl.rcParams["axes.axisbelow"] is True
    assert mpl.rcParams["legend.frameon"] is False
    colours = {name: mpl.rcParams[name] for name in ("axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")}
    assert set(colours.values()) == {plots.INK, plots.MUTED}
    assert (mpl.rcParams["figure.facecolor"], mpl.rcParams["axes.titlelocation"]) == ("white", "left")
    assert mpl.rcParams["grid.color"] == "#e5e7eb"


def test_a_picture_does_not_say_when_it_was_made(monkeypatch):
    given = {}
    monkeypatch.setattr(plots, "set_matplotlib_formats", lambda *formats, **options: given.update(options))
    plots.style()
    file = io.StringIO()
    plt.subplots()[0].savefig(file, format="svg", **given)
    assert "<svg" in file.getvalue()
    assert "date>" not in file.getvalue()


def test_an_ordered_series_runs_from_dark_to_legible_light():
    found = np.array(plots.ordered(5))
    assert found.shape == (5, 4)
    luminance = found[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert np.all(np.diff(luminance) > 0)
    assert found[0] == pytest.approx(mpl.colormaps["viridis"](0.0))
    assert found[-1] == pytest.approx(mpl.colormaps["viridis"](0.82))


@pytest.mark.parametrize(
    ("loads", "ticks"),
    [
        ([1, 2, 3, 48], [1, 2, 3, 48]),
        ([1, 2, 4, 8, 16, 32, 48, 64], [1, 2, 4, 8, 16, 32, 48, 64]),
        ([1, 2, 4, 8, 16, 32, 48, 64, 128], [1, 2, 4, 8, 16, 32, 64, 128]),
    ],
)
def test_ticks_are_the_loads_or_the_powers_of_two_among_many(loads, ticks):
    _, ax = plt.subplots()
    plots.load_axis(ax, loads)
    assert ax.get_xticks().tolist() == ticks
    assert [label.get_text() for label in ax.get_xticklabels()] == [str(tick) for tick in ticks]
    assert (ax.get_xscale(), ax.get_xlabel()) == ("log", "concurrent requests")
    assert ax.xaxis.get_transform().base == 2
    assert ax.get_xticks(minor=True).tolist() == []


def drawn(ax):
    """Return the drawn series: whether it is a line, and its points."""
    return [(line.get_linestyle() != "None", line.get_xydata().tolist()) for line in ax.lines]


def test_measurements_alone_are_lines_and_points():
    left, right = plots.throughput_and_speedup(TABLE, "k", "active").axes
    six, four = [[2, 10], [4, 18], [8, 30]], [[2, 12], [4, 24], [8, 45]]
    two = [[2, 20], [4, 45], [8, 90]]
    assert drawn(left) == [(line, points) for points in (six, four, two) for line in (True, False)]
    speedups = [points for line, points in drawn(right) if not line]
    assert np.array(speedups)[:, :, 1] == pytest.approx(np.array([[1, 1, 1], [1.2, 24 / 18, 1.5], [2, 2.5, 3]]))
    assert (left.get_yscale(), right.get_yscale()) == ("log", "linear")
    assert (left.get_ylabel(), right.get_ylabel()) == ("throughput (tokens/s)", "speed-up")
    legend = left.get_legend()
    assert (legend.get_title().get_text(), [text.get_text() for text in legend.get_texts()]) == (
        "active",
        ["6", "4", "2"],
    )
    assert [line.get_marker() for line in left.lines[1::2]] == ["o", "s", "^"]
    assert [line.get_alpha() for line in left.lines] == [0.9, None] * 3
    colours = [line.get_color() for line in left.lines]
    assert colours[::2] == colours[1::2] == plots.ordered(3)


def test_a_throughput_of_little_more_than_a_decade_has_few_whole_numbers_as_ticks():
    figure, ax = plt.subplots()
    ax.plot([2, 128], [163, 3100])
    plots.throughput_axis(ax)
    figure.draw_without_rendering()
    low, high = ax.get_ylim()
    shown = [text.get_text() for at, text in zip(ax.get_yticks(), ax.get_yticklabels(), strict=True) if low < at < high]
    assert shown == ["200", "500", "1,000", "2,000"]
    assert ax.get_yticks(minor=True).size == 0


def test_a_prediction_is_drawn_where_it_covers():
    covered = TABLE[TABLE.concurrency < 8]
    predicted = pd.Series([11.0, 19, 13, 25, 22, 50], index=covered.index)
    figure = plots.throughput_and_speedup(TABLE, "k", "active", predicted)
    left, right = figure.axes
    assert figure.get_size_inches().tolist() == [7.2, 3.3]
    assert [points for line, points in drawn(left) if line][1] == [[2, 13], [4, 25]]
    assert [points for line, points in drawn(left) if not line][1] == [[2, 12], [4, 24], [8, 45]]
    lines = [points for line, points in drawn(right) if line]
    assert np.array(lines)[:, :, 1] == pytest.approx(np.array([[1, 1], [13 / 11, 25 / 19], [2, 50 / 19]]))


@pytest.mark.parametrize("location", ["left", "center"])
def test_letters_stand_above_a_panel_or_left_of_what_stands_above_it(location):
    mpl.rcParams["axes.titlelocation"] = location
    for outside in (False, True):
        _, axes = plt.subplots(1, 2)
        plots.letter(axes, outside)
        for ax, name in zip(axes, "ab", strict=True):
            (written,) = (text for text in ax.findobj(mpl.text.Text) if text.get_text() == f"({name})")
            assert written.get_position()[0] < 0 if outside else written.get_position()[0] == 0
