"""The data that a figure draws, small enough to be stored beside the picture and compared with another machine's.

Coordinates are fractions of the axes, so that one tolerance serves all scales, and each array is a handful of numbers
that rounding hardly moves (:func:`summary`), since a checksum would change with the last bit.
"""

import json

import numpy as np
from matplotlib.collections import Collection
from matplotlib.colors import to_rgba_array
from matplotlib.image import AxesImage
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.spines import Spine
from matplotlib.text import Text
from panels import panels

FAR = 1e9
"""Widths of the axes beyond which the place of a point means nothing, and its square may leave what a float holds."""


def summary(values):
    """Return count, count of finite values, least, greatest, mean, root mean square and a mean with uneven weights."""
    values = np.asarray(values, dtype=float).ravel()
    finite = np.clip(values[np.isfinite(values)], -FAR, FAR)
    if not finite.size:
        return [values.size, 0]
    weights = np.cos(np.arange(finite.size) * np.sqrt(2))  # so that an exchange of two values shows
    parts = finite.min(), finite.max(), finite.mean(), np.sqrt(np.mean(finite**2)), np.mean(weights * finite)
    return [values.size, finite.size, *(float(f"{part:.9g}") for part in parts)]


def describe(figure):
    """Return what a figure draws: one JSON text for the figure, each of its axes and each artist in them.

    The figure was drawn before, which places ticks and applies limits.
    """
    texts = [text.get_text() for text in figure.findobj(Text) if text.axes is None and text.get_text()]
    found = [{"size": figure.get_size_inches().tolist(), "texts": texts, "panels": panels(figure)}]
    for ax in [*figure.axes, *(child for parent in figure.axes for child in parent.child_axes)]:
        found += [_axes(ax), *filter(None, (_artist(artist, ax) for artist in ax.get_children()))]
    return [json.dumps(part, ensure_ascii=False, default=float) for part in found]


def _axes(ax):
    place = ax.get_subplotspec()
    return {
        "place": [*place.get_geometry()] if place else None,
        "x": _axis(ax.xaxis),
        "y": _axis(ax.yaxis),
    }


def _axis(axis):
    ticks = [tick for tick in axis.get_major_ticks() if tick.label1.get_text() or tick.label2.get_text()]
    return {
        "label": axis.get_label_text(),
        "scale": axis.get_scale(),
        "limits": axis.get_view_interval().tolist(),
        "ticks": [tick.label1.get_text() for tick in ticks if tick.label1.get_visible()],
    }


def _artist(artist, ax):
    """Return what one artist draws; axis, frame and empty text, which others describe or nobody sees, give nothing."""
    known = {
        Line2D: _line,
        Collection: _collection,
        Patch: _patch,
        Text: _text,
        Legend: _legend,
        AxesImage: _image,
    }
    describe_kind = next((known[kind] for kind in known if isinstance(artist, kind)), None)
    if describe_kind is None or not artist.get_visible() or artist is ax.patch or isinstance(artist, Spine):
        return None
    drawn = describe_kind(artist, ax)
    return drawn and {"kind": type(artist).__name__, "alpha": _number(artist.get_alpha()), **drawn}


def _points(vertices, transform, ax):
    """Return the summaries of both coordinates as fractions of the axes."""
    if not len(vertices):
        return []
    with np.errstate(all="ignore"):
        return [summary(column) for column in (transform - ax.transAxes).transform(vertices).T]


def _colours(colours):
    return summary(to_rgba_array(colours))


def _number(value):
    return None if value is None else summary(value)


def _label(artist):
    label = str(artist.get_label())
    return "" if label.startswith("_") else label


def _line(line, ax):
    return {
        "points": _points(line.get_xydata(), line.get_transform(), ax),
        "label": _label(line),
        "colours": [_colours(line.get_color()), _colours(line.get_markerfacecolor())],
        "style": [str(line.get_marker()), str(line.get_linestyle()), float(line.get_linewidth())],
        "size": float(line.get_markersize()),
    }


def _collection(drawn, ax):
    offsets, paths = drawn.get_offset_transform(), drawn.get_transform()
    vertices = [path.vertices for path in drawn.get_paths()]
    mapped = drawn.get_array()
    return {
        # Markers have their paths in points of print and only their offsets in the axes.
        "offsets": _points(drawn.get_offsets(), offsets, ax) if offsets.contains_branch(ax.transData) else None,
        "paths": [len(vertices), _points(np.concatenate(vertices), paths, ax)]
        if vertices and paths.contains_branch(ax.transData)
        else None,
        "markers": [summary(np.concatenate(vertices)), summary(drawn.get_sizes())]
        if hasattr(drawn, "get_sizes")
        else None,
        "label": _label(drawn),
        "mapped": None if mapped is None else [summary(mapped), drawn.get_cmap().name, [*map(float, drawn.get_clim())]],
        "colours": None if mapped is not None else [_colours(drawn.get_facecolor()), _colours(drawn.get_edgecolor())],
        "widths": summary(drawn.get_linewidths()),
    }


def _patch(patch, ax):
    transform = patch.get_transform()
    inside = transform.contains_branch(ax.transData) or transform.contains_branch(ax.transAxes)
    return {
        "points": _points(patch.get_path().vertices, transform, ax) if inside else None,
        "label": _label(patch),
        "colours": [_colours(patch.get_facecolor()), _colours(patch.get_edgecolor())],
        "style": [str(patch.get_hatch()), str(patch.get_linestyle())],
    }


def _text(text, ax):
    if not text.get_text():
        return None
    where = [text.get_position(), getattr(text, "xy", text.get_position())]
    return {
        "text": text.get_text(),
        "where": [_position(coordinate) for pair in where for coordinate in pair],
        "colours": _colours(text.get_color()),
    }


def _position(coordinate):
    return float(coordinate) if isinstance(coordinate, int | float | np.number) else str(coordinate)


def _legend(legend, ax):
    return {
        "title": legend.get_title().get_text(),
        "texts": [text.get_text() for text in legend.get_texts()],
        "handles": [_artist(handle, ax)["colours"] for handle in legend.legend_handles],
    }


def _image(image, ax):
    return {
        "array": [[*image.get_array().shape], summary(np.ma.filled(image.get_array(), np.nan))],
        "extent": [float(edge) for edge in image.get_extent()],
        "mapped": [image.get_cmap().name, [*map(float, image.get_clim())]],
    }
