"""From a budget to a complete architecture by Wan et al. (2026), with stand-ins for what the paper does not print.

The laws of work per token and of tokens are printed (Eq. 2), and so are the chosen ratios of total to active
parameters (Appendix F.4). What Tables 2 and 4 print for a budget is used for that budget. The laws of the best ratio
of work to active parameters and of the best width stand in figures only. The first is refitted to the architectures
that the authors built on it (Tables 16 to 21). For the second, these tables show the widths that were tried and not
the best; the middle of each sweep stands for it.
"""

from functools import cache

import numpy as np
import pandas as pd

from moelaws import data
from moelaws.checks import Floats
from moelaws.errors import InputError
from moelaws.fitting.trend import Trend
from moelaws.papers.plan import Plan, Step
from moelaws.papers.wan2026 import law, shapes

RANGE = (1e18, 3e20)
"""Smallest and largest budget of the paper's runs, FLOP."""

FLAT_EXPANSION = (18.0, 25.0)
"""Ratios of total to active parameters between which the loss changes by less than 1 %, Appendix F.4."""

FLAT_WIDTH_RATIO = (3.0, 5.0)
"""Ratios (K + 1) d_m/d between which the loss changes by less than 0.5 %, Appendix E."""

MOST_HEADS = 128
"""The paper gives powers of two up to this."""

ROUNDING = "5 %, which the text allows for rounding"
NEXT = "95 % for a further value around the power law"


@cache
def scales() -> pd.DataFrame:
    """Return ``wan2026/scales`` with the sizes that the authors took as best: medians of Tables 16 to 21.

    Examples
    --------
    The ratio of work to active parameters falls with the budget:

    >>> scales().compute_density.round(1).tolist()
    [11.0, 9.9, 9.2, 8.8, 8.3, 8.2]
    """
    table = data.load("wan2026/scales")
    rows = data.load("wan2026/architectures").query("table >= 16").merge(table, on="flops")
    heads = law.Setting(*(rows[name].to_numpy(float) for name in ("n_heads", "n_kv_heads", "d_head")))
    rows["M"], rows["N_a"], rows["N"] = law.account(
        rows.d_model, rows.n_dense_layers, rows.n_moe_layers, rows.d_expert, heads
    )
    rows["compute_density"], rows["expansion"] = rows.M / rows.N_a, rows.N / rows.N_a
    kept = rows.rename(columns={"d_model": "width"}).groupby("flops")
    middle = kept[["M", "N_a", "N", "compute_density", "expansion", "width"]].median()
    return table.merge(middle, on="flops")


@cache
def trends() -> dict[str, Trend]:
    """Return the laws that are refitted here, by the name of what they give for a budget in FLOP.

    `compute_density` has a floor of six, `heads` is the total width of the query heads, `batch` counts sequences.

    Examples
    --------
    >>> round(trends()["width"].law.exponent, 3)
    0.226
    """
    table = scales()
    values = {
        "width": table.width,
        "heads": table.n_heads * table.d_head,
        "learning_rate": table.learning_rate,
        "batch": table.batch,
    }
    refitted = {name: Trend(table.flops, column) for name, column in values.items()}
    return {"compute_density": Trend(table.flops, table.compute_density, floor=6.0), **refitted}


def plan(flops: float) -> Plan:
    """Return the plan for a budget; :func:`moelaws.papers.allocation.allocate` is the way to ask for it."""
    low, high = RANGE
    decades = float(max(np.log10(low / flops), np.log10(flops / high), 0.0))
    decades = 0.0 if decades < 1e-9 else decades
    nearest = scales().iloc[int(np.argmin(np.abs(np.log(scales().flops / flops))))]
    heads, setting = _heads(flops, nearest, decades > 0)
    sizes = _sizes(flops, nearest, decades > 0)
    M, N_a, N = (sizes[name].value for name in ("flops_per_token", "n_active", "n_total"))
    width, warnings = _width(flops, (M, N_a, N), setting)
    row = shapes.nearest(M, N_a, N, width.value, setting)
    recipe = _recipe(flops, nearest, sizes["n_tokens"].value, int(np.asarray(setting.S)))
    if decades:
        warnings.append(
            f"The budget lies {decades:.2g} decades outside the paper's runs; every step is an extrapolation, and "
            "the intervals hold only if the power laws go on."
        )
    steps = (*sizes.values(), *heads, width, *recipe)
    architecture, realised = _whole(row, setting)
    outside = decades / float(np.log10(high / low))
    return Plan("wan2026", float(flops), outside, decades, steps, architecture, realised, tuple(warnings))


def width_band(M: float, N_a: float, N: float, setting: law.Setting) -> tuple[float, float]:
    """Return the widths for which (K + 1) d_m/d lies between 3 and 5, where the loss hardly changes (Appendix E).

    Examples
    --------
    >>> [round(end) for end in width_band(5.939e9, 7.22e8, 1.59e10, law.Setting(16, 8, 128))]
    [1604, 1926]
    """
    lowest, highest = law.feasible_widths(M, N_a, N, setting, least_dense=0, least_moe=0)
    widths = np.linspace(float(lowest), float(highest), 4002)[1:-1]
    shape = law.solve(M, N_a, N, widths, setting)
    # The ratio falls as the width grows: fewer dense layers, and wider matrices.
    ratio = setting.used * shape.d_m / shape.d
    low, high = np.interp(FLAT_WIDTH_RATIO, ratio[::-1], widths[::-1])[::-1]
    return float(low), float(high)


def _tabulated(flops: float, nearest: "pd.Series[float]") -> bool:
    return bool(np.isclose(flops, nearest.flops))


def _heads(flops: float, nearest: "pd.Series[float]", outside: bool) -> tuple[list[Step], law.Setting]:
    """Choose the heads: those of the nearest scale of Table 4, or a power of two by their trend."""
    count, width, source, how = int(nearest.n_heads), int(nearest.d_head), "printed", "Table 4"
    if outside:
        total, source = float(trends()["heads"](flops)), "chosen"
        count = int(min(max(2 ** round(np.log2(total / width)), 4), MOST_HEADS))
        how = "width of Table 4, and the power of two nearest to the power law through its heads"
    elif not _tabulated(flops, nearest):
        source, how = "chosen", f"Table 4 at the nearest scale, {nearest.flops:g} FLOP"
    values = {"n_heads": count, "n_kv_heads": max(count // 2, 1), "d_head": width}
    units = {"n_heads": "", "n_kv_heads": "", "d_head": "elements"}
    steps = [Step(name, units[name], value, source, how) for name, value in values.items()]  # type: ignore[arg-type]
    return steps, law.Setting(*values.values())


def _sizes(flops: float, nearest: "pd.Series[float]", outside: bool) -> dict[str, Step]:
    """Decide work, tokens, active and total parameters."""
    work, tokens, table = float(law.FLOPS_PER_TOKEN(flops)), float(law.N_TOKENS(flops)), "Eq. 2"
    if _tabulated(flops, nearest):
        work, tokens, table = *(1e9 * float(value) for value in (nearest.flops_per_token, nearest.n_tokens)), "Table 2"
    density = trends()["compute_density"]
    value, (low, high) = float(density(flops)), (float(end) for end in density.interval(flops))
    where = "Appendix F.4, " + ("recommended for large budgets" if outside else f"chosen at {nearest.flops:g} FLOP")
    # Below the runs nothing is recommended; the nearest scale is the best guess.
    expansion = float(nearest.expansion_chosen)
    few, many = FLAT_EXPANSION
    flat = "loss within 1 %, Appendix F.4"
    both = "both intervals together"
    steps = [
        Step("flops_per_token", "FLOP/token", work, "printed", table, 0.95 * work, 1.05 * work, ROUNDING),
        Step("n_tokens", "tokens", tokens, "printed", table),
        Step(
            "compute_density",
            "FLOP/parameter",
            value,
            "refitted",
            "6 + k C^-p through the ratios of Tables 16 to 21",
            low,
            high,
            NEXT,
        ),
        Step(
            "n_active",
            "parameters",
            work / value,
            "computed",
            "work over its ratio to active parameters",
            work / high,
            work / low,
            NEXT,
        ),
        Step("expansion", "", expansion, "printed", where, few, many, flat),
        Step(
            "n_total",
            "parameters",
            work / value * expansion,
            "computed",
            "active parameters times the expansion",
            work / high * few,
            work / low * many,
            both,
        ),
    ]
    return {step.quantity: step for step in steps}


def _width(flops: float, sizes: tuple[float, float, float], setting: law.Setting) -> tuple[Step, list[str]]:
    """Decide the width: the refitted law, moved into the feasible interval where it lies outside."""
    trend = trends()["width"]
    value, (low, high) = float(trend(flops)), (float(end) for end in trend.interval(flops))
    narrow, wide = (float(end) for end in law.feasible_widths(*sizes, setting))
    if not np.isfinite(narrow):
        raise InputError(
            f"Parameter flops has the value {flops:g}; no architecture with layers of both kinds has the sizes there."
        )
    less, more = width_band(*sizes, setting)
    band = f"; (K + 1) d_m/d is 3 to 5 from {less:.0f} to {more:.0f}"
    if narrow <= value <= wide:
        how = "power law through the middles of the sweeps of Tables 16 to 21" + band
        return Step("d_model", "elements", value, "refitted", how, low, high, NEXT), []
    sentence = f"The law of width gives {value:.0f}, outside the feasible {narrow:.0f} to {wide:.0f}"
    end = min(max(value, narrow), wide)
    how = "the feasible width that is nearest to the power law" + band
    step = Step("d_model", "elements", end, "chosen", how, narrow, wide, "feasible widths")
    return step, [f"{sentence}; the nearer end is taken."]


def _recipe(flops: float, nearest: "pd.Series[float]", tokens: float, seq_len: int) -> list[Step]:
    """Decide learning rate and batch, and count the steps of training."""
    if _tabulated(flops, nearest):
        steps = [
            Step("learning_rate", "", float(nearest.learning_rate), "printed", "Table 4"),
            Step("batch", "sequences", float(nearest.batch), "printed", "Table 4"),
        ]
    else:
        rate, batch = (trends()[name] for name in ("learning_rate", "batch"))
        low, high = (float(end) for end in rate.interval(flops))
        least, most = (float(end) for end in batch.interval(flops))
        rounded, how = 16.0 * max(round(float(batch(flops)) / 16), 1), "power law through Table 4"
        steps = [
            Step("learning_rate", "", float(rate(flops)), "refitted", how, low, high, NEXT),
            Step("batch", "sequences", rounded, "refitted", f"{how}, rounded to a multiple of 16", least, most, NEXT),
        ]
    number = tokens / steps[1].value / seq_len
    return [*steps, Step("training_steps", "", number, "computed", "tokens over batch and sequence length")]


def _whole(row: "pd.Series[float]", setting: law.Setting) -> tuple[dict[str, int], dict[str, float]]:
    """Return the architecture in whole numbers, and the sizes that it has."""
    shape = {name: int(row[name]) for name in shapes.COLUMNS}
    fixed: dict[str, Floats | float] = {
        "n_layers": shape["n_dense_layers"] + shape["n_moe_layers"],
        "d_dense": setting.gamma * shape["d_model"],
        "n_heads": setting.N_q,
        "n_kv_heads": setting.N_kv,
        "d_head": setting.d_qkv,
        "n_routed": setting.N_e,
        "n_shared": 1,
        "top_k": setting.K,
        "seq_len": setting.S,
    }
    realised = {
        "flops_per_token": float(row["M"]),
        "n_active": float(row["N_a"]),
        "n_total": float(row["N"]),
        "compute_density": float(row["M"] / row["N_a"]),
        "expansion": float(row["N"] / row["N_a"]),
        "largest_deviation": float(row["deviation"]),
    }
    return {**shape, **{name: int(value) for name, value in fixed.items()}}, realised
