"""Where a page that is too narrow for a figure may cut it: between its panels."""

from itertools import pairwise

import matplotlib as mpl
import numpy as np
from matplotlib.transforms import Bbox


def panels(figure):
    """Return the parts of a drawn figure's picture, in reading order.

    The picture is the one that fits tightly, as a notebook shows it.

    Returns
    -------
    list of list of float
        Left, top, right and bottom edge of each part, as shares of the picture. There are none where something lies
        across a cut, or where a panel has its numbers from the panel beside it.
    """
    renderer = figure.canvas.get_renderer()
    inches = figure.dpi_scale_trans.inverted()
    placed = {ax: ax.get_subplotspec() for ax in figure.axes if ax.get_subplotspec()}
    grids = {place.get_gridspec() for place in placed.values()}
    if len(placed) < 2 or len(grids) > 1 or any(_borrows(ax) for ax in placed):
        return []
    boxes = {ax: ax.get_tightbbox(renderer).transformed(inches) for ax in figure.axes}
    across = [artist.get_tightbbox(renderer).transformed(inches) for artist in (*figure.texts, *figure.legends)]
    across += [box for ax, box in boxes.items() if ax not in placed]
    whole = figure.get_tightbbox(renderer).padded(mpl.rcParams["savefig.pad_inches"])
    columns = _edges(whole.intervalx, [(place.colspan, boxes[ax].intervalx) for ax, place in placed.items()])
    rows = _edges(-whole.intervaly[::-1], [(place.rowspan, -boxes[ax].intervaly[::-1]) for ax, place in placed.items()])
    if columns is None or rows is None or any(_cut(box, columns, rows) for box in across):
        return []
    x = (np.array(columns) - whole.x0) / whole.width
    y = (np.array(rows) + whole.y1) / whole.height
    return [
        [round(float(edge), 3) for edge in (left, top, right, bottom)]
        for top, bottom in pairwise(y)
        for left, right in pairwise(x)
    ]


def _borrows(ax):
    """Tell whether an axis has no numbers of its own, as it shares those of another panel."""
    shared = {"y": (ax.get_shared_y_axes(), "labelleft"), "x": (ax.get_shared_x_axes(), "labelbottom")}
    return any(
        len(group.get_siblings(ax)) > 1 and not getattr(ax, f"{name}axis").get_tick_params()[label]
        for name, (group, label) in shared.items()
    )


def _edges(whole, spans):
    """Return the edges of the rows or columns along one direction, or None where panels reach into one another."""
    if any(len(span) > 1 for span, _ in spans):
        return None
    lines = {}
    for span, (start, stop) in spans:
        low, high = lines.get(span.start, (np.inf, -np.inf))
        lines[span.start] = min(low, start), max(high, stop)
    ordered = [lines[number] for number in sorted(lines)]
    gaps = [(before[1], after[0]) for before, after in pairwise(ordered)]
    if any(stop > start for stop, start in gaps):
        return None
    return [whole[0], *((stop + start) / 2 for stop, start in gaps), whole[1]]


def _cut(box: Bbox, columns, rows):
    return any(box.x0 < edge < box.x1 for edge in columns[1:-1]) or any(-box.y1 < edge < -box.y0 for edge in rows[1:-1])
