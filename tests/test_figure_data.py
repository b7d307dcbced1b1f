"""A figure that draws something else is told from the stored one, and rounding is not."""

import matplotlib

matplotlib.use("Agg")

import figure_data
import matplotlib.pyplot as plt
import numpy as np
import pytest

from conftest import same_figure
from moelaws import plots

TOKENS = np.geomspace(1e9, 1e12, 25)
DENSE, MOE = 1.7 + 400 * TOKENS**-0.3, 1.7 + 330 * TOKENS**-0.3
MEASURED = MOE[::4] * (1 + 0.01 * np.sin(np.arange(7)))
NAMES, SHARES = ["top-1", "top-2", "top-8"], [0.31, 0.22, 0.47]


def draw(noise=0.0, **changed):
    """Draw a figure as chapters do; each keyword breaks one thing."""
    values = {
        "x": TOKENS, "dense": DENSE, "moe": MOE, "points": MEASURED, "error": 0.02, "shares": SHARES,
        "colours": (plots.INK, "tab:orange"), "labels": ("dense", "MoE"), "lines": 2, "scale": "log",
        "ylabel": "loss (nats)", "limits": (1.9, 3.0), "legend": 3, "names": NAMES, "map": np.outer(MOE, DENSE),
        "title": "a) loss", "note": "compute-optimal", "marker": "o", "panels": 4,
        "image": np.arange(12.0).reshape(3, 4),
    } | changed  # fmt: skip
    with plt.rc_context():
        plots.style()
        plt.rcParams["figure.constrained_layout.use"] = False  # which takes most of the time
        figure, (left, right, below, *last) = plt.subplots(1, values["panels"])
    random = np.random.default_rng(0)
    noisy = {name: values[name] * (1 + noise * random.normal(size=len(TOKENS))) for name in ("dense", "moe")}
    x = values["x"]
    for name, colour, label in list(zip(("dense", "moe"), values["colours"], values["labels"], strict=True))[
        : values["lines"]
    ]:
        left.plot(x, noisy[name], color=colour, label=label)
    measured = values["points"]
    left.errorbar(x[::4][: len(measured)], measured, yerr=values["error"], fmt=values["marker"], label="measured")
    handles, labels = left.get_legend_handles_labels()
    left.legend(handles[: values["legend"]], labels[: values["legend"]])
    left.set(
        xscale=values["scale"], xlabel="tokens", ylabel=values["ylabel"], ylim=values["limits"], title=values["title"]
    )
    left.annotate(values["note"], (1e11, 2.0))
    right.bar(values["names"], values["shares"])
    right.scatter(values["shares"], values["shares"], c=values["shares"])
    figure.colorbar(below.contourf(values["map"]))
    for ax in last:
        ax.imshow(values["image"])
    figure.draw_without_rendering()
    drawn = figure_data.describe(figure)
    plt.close(figure)
    return drawn


SHOWN = draw()
BROKEN = {
    "another scale": {"scale": "linear"},
    "another label of an axis": {"ylabel": "loss (bits)"},
    "a missing line": {"lines": 1},
    "colours exchanged": {"colours": ("tab:orange", plots.INK)},
    "labels exchanged": {"labels": ("MoE", "dense")},
    "lines exchanged": {"dense": MOE, "moe": DENSE},
    "shifted by a thousandth": {"moe": MOE + 1e-3},
    "one value moved": {"moe": np.where(np.arange(25) == 12, MOE * 1.001, MOE)},
    "a dropped point": {"points": MEASURED[:-1]},
    "points in another order": {"points": MEASURED[[0, 2, 1, 3, 4, 5, 6]]},
    "other limits": {"limits": (1.9, 3.1)},
    "a missing entry of the legend": {"legend": 2},
    "x and y exchanged": {"x": 1e11 * MOE, "moe": TOKENS / 1e11},
    "other error bars": {"error": 0.021},
    "another height of a bar": {"shares": [0.31, 0.23, 0.47]},
    "bars exchanged": {"names": ["top-2", "top-1", "top-8"]},
    "another map": {"map": np.outer(DENSE, MOE)},
    "another title": {"title": "b) loss"},
    "another note": {"note": "compute optimal"},
    "another marker": {"marker": "s"},
    "a missing title": {"title": ""},
    "a missing note": {"note": ""},
    "a missing panel": {"panels": 3},
    "one value of an image": {"image": np.where(np.arange(12) == 7, 7.01, np.arange(12.0)).reshape(3, 4)},
    "another shape of an image": {"image": np.arange(12.0).reshape(4, 3)},
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_broken_figure_is_found(broken):
    assert not same_figure(draw(**broken), SHOWN)


@pytest.mark.parametrize("noise", [0.0, 1e-12, 1e-9])
def test_the_same_figure_with_rounding_passes(noise):
    assert same_figure(draw(noise), SHOWN)


def test_what_is_not_finite_is_counted():
    assert figure_data.summary([1.0, np.nan, 3.0])[:5] == [3, 2, 1.0, 3.0, 2.0]
    assert figure_data.summary([np.inf]) == [1, 0]
