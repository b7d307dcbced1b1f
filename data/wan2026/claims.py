"""What Wan et al. (2026) print, row by row of claims.csv, computed from their tables and equations."""

from collections.abc import Iterator
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from moelaws import data
from moelaws.ledger import Cannot, Result, claim
from moelaws.papers.allocation import allocate
from moelaws.papers.wan2026 import allocation, law, minima, shapes

VOCABULARY = 152064
HEADS = ["n_heads", "n_kv_heads", "d_head"]
SIZES = ["M", "N_a", "N"]
LARGEST = law.Setting(16, 8, 128)
"""The setting at 3e20 FLOP, Table 4."""


def percent(ratio: float, digits: int = 1) -> str:
    """Return a ratio as a per cent."""
    return f"{100 * ratio:.{digits}f} %"


def setting_of(table: pd.DataFrame, **others: float) -> law.Setting:
    """Return what is fixed before a shape is chosen, for each row of a table."""
    return law.Setting(*(table[name].to_numpy(float) for name in HEADS), **others)


def shape_of(table: pd.DataFrame) -> law.Shape:
    """Return the shape of each row of a table."""
    return law.Shape(*(table[name].to_numpy(float) for name in shapes.COLUMNS))


@cache
def scales() -> pd.DataFrame:
    """Tables 2 and 4 and Appendix F.4, with the medians of Tables 16 to 21."""
    return allocation.scales()


@cache
def levels(quantity: str) -> NDArray[np.float64]:
    """Levels of a quantity in the grids of Phase 1 and Appendix E, in printed order."""
    table = data.load("wan2026/levels")
    return table.level[table.quantity == quantity].to_numpy(float)


@cache
def rows() -> pd.DataFrame:
    """The 667 architectures with their sizes, ratios and deviation `off` from the M of Table 2."""
    table = data.load("wan2026/architectures").merge(data.load("wan2026/scales"), on="flops")
    table["M"], table["N_a"], table["N"] = law.account(*shape_of(table), setting_of(table))
    table["nominal"] = table.flops_per_token * 1e9
    layers = table.n_dense_layers + table.n_moe_layers
    ratios = {"compute_density": table.M / table.N_a, "expansion": table.N / table.N_a}
    return table.assign(off=table.M / table.nominal - 1, layers=layers, **ratios)


@cache
def grid() -> pd.DataFrame:
    """Phase 1, Tables 9 to 14, with the levels that the printed order gives each row."""
    table = rows()[rows().table.between(9, 14)]
    return table.assign(
        density_level=levels("compute_density")[(table.row - 1) // 6],
        expansion_level=levels("expansion")[(table.row - 1) % 6],
    )


@cache
def sweep() -> pd.DataFrame:
    """Phase 2, Tables 16 to 21."""
    return rows()[rows().table >= 16]


@cache
def misprinted() -> NDArray[np.float64]:
    """M of every row as the main text prints it in Eq. 3."""
    return law.misprinted_flops(shape_of(rows()), setting_of(rows()))


@cache
def drift() -> pd.DataFrame:
    """Greatest over smallest of each size in each table of Phase 2."""
    return sweep().groupby("table")[SIZES].agg(lambda x: x.max() / x.min())


@cache
def parts() -> pd.DataFrame:
    """What the sizes of Phase 1 are made of: weights by kind, and FLOP of the scores."""
    table, setting = grid(), setting_of(grid())
    projections = setting.projections * table.d_model
    return pd.DataFrame(
        {
            "attention": projections * table.layers,
            "attention_with_experts": projections * table.n_moe_layers,
            "dense": 9 * table.d_model**2 * table.n_dense_layers,
            "expert": 3 * table.d_model * table.d_expert * table.n_moe_layers,
            "router": 288 * table.d_model * table.n_moe_layers,
            "embedding": VOCABULARY * table.d_model,
            "scores": setting.scores * table.layers,
        }
    )


def miss(ratio: ArrayLike, level: str = "density_level") -> float:
    """Median over Phase 1 of the absolute deviation of a ratio from its level."""
    return float(np.median(np.abs(np.asarray(ratio) / grid()[level] - 1)))


def density(n_active: "pd.Series[float]", scores: float = 1, factor: float = 6) -> "pd.Series[float]":
    """M/N_a of Phase 1 for active weights, scores and FLOP of a weight that are counted another way."""
    return factor + scores * parts().scores / n_active


@cache
def ways_to_count() -> dict[str, dict[str, float]]:
    """Median miss of Phase 1's levels by what is counted another way, the printed way first."""
    part, active, total = parts(), grid().N_a, grid().N
    dense = {gamma: law.account(*shape_of(grid()), setting_of(grid(), gamma=gamma)) for gamma in (3, 2, 4)}
    ratios = {
        "active": {
            "as printed": density(active),
            "without the shared expert": density(active - part.expert),
            "attention with experts only": density(active - part.attention + part.attention_with_experts),
            "with routers": density(active + part.router),
        },
        "embeddings": {"as printed": density(active)}
        | {
            f"with {name}": density(active + n * part.embedding) for n, name in ((1, "one matrix"), (2, "two matrices"))
        },
        "work": {
            "as printed": density(active),
            "full attention": density(active, scores=2),
            "without scores": density(active, scores=0),
            "2 N_a": density(active, factor=2),
        },
        "dense": {f"{gamma} d": sizes.M / sizes.N_a for gamma, sizes in dense.items()},
        "dense of N": {f"{gamma} d": sizes.N / sizes.N_a for gamma, sizes in dense.items()},
        "total": {
            "as printed": total / active,
            "all experts on top": (active + 288 * part.expert) / active,
            "without the shared expert": (total - part.expert) / (active - part.expert),
            "with routers": (total + part.router) / (active + part.router),
        },
    }
    of_total = {"total": "expansion_level", "dense of N": "expansion_level"}
    return {
        what: {form: miss(ratio, of_total.get(what, "density_level")) for form, ratio in forms.items()}
        for what, forms in ratios.items()
    }


def printed_is_nearest(*counts: str) -> Result:
    """Say whether the printed way to count misses the levels by less than all other ways."""
    ways = [ways_to_count()[what] for what in counts]
    listed = [", ".join(f"{form} {percent(value)}" for form, value in forms.items()) for forms in ways]
    first = all(next(iter(forms.values())) < min(list(forms.values())[1:]) for forms in ways)
    return Result(first, note=f"Median miss: {'; '.join(listed)}.")


# Equations and definitions


@claim("wan2026-C01")
def four_degrees_of_freedom():
    symbols = ["C", "D", *SIZES, "d", "L_d", "L_m", "d_m", "d_d", "d_qkv", "N_q", "N_kv", "S", "N_e", "K"]
    note = "The paper does not list its sixteen. M, N_a and N come on top of the one that is left when they are fixed."
    return Result([len(symbols), free(lambda *x: law.account(*x, LARGEST)) + 3], note=note)


@cache
def phase_1_axes() -> list[int]:
    """Rows, budgets, and the least number of rising levels of M/N_a and of N/N_a in a table of Phase 1."""
    table = grid().assign(block=(grid().row - 1) // 6, place=(grid().row - 1) % 6)
    rising = [
        int(1 + (table.groupby(["table", by])[ratio].median().unstack().diff(axis=1) > 0).sum(axis=1).min())
        for by, ratio in (("block", "compute_density"), ("place", "expansion"))
    ]
    return [len(table), table.flops.nunique(), *rising]


@claim("wan2026-C02")
def three_axes_and_two():
    widths = sweep().groupby("table").d_model.nunique()
    one_each = (sweep().groupby("table").flops.nunique() == 1).all() and sweep().flops.nunique() == len(widths) == 6
    return Result(
        bool(phase_1_axes() == [216, 6, 6, 6] and one_each and widths.min() >= 3),
        note=f"Phase 1 has {' x '.join(map(str, phase_1_axes()[1:]))} levels; Phase 2 has {len(widths)} budgets with "
        f"{widths.min()} to {widths.max()} widths. The 49 runs of Table 15 come on top.",
    )


@claim("wan2026-C03")
def number_of_models():
    return Result([len(rows()) + 30, len(rows())])


@claim("wan2026-C04")
def orders_of_magnitude():
    decades = np.log10(rows().flops.max() / rows().flops.min())
    return Result(
        decades, note="Six scales, not six orders of magnitude; the words stand in the listing's abstract only."
    )


@claim("wan2026-C05")
def budgets():
    return Result(np.sort(rows().flops.unique()))


@cache
def spread_at_equal_work() -> pd.DataFrame:
    """Greatest N_a and N over the smallest among rows of Phase 1 within 1 % of one M; the largest of each table."""

    def widest(table: pd.DataFrame) -> list[float]:
        M, sizes = table.M.to_numpy(), table[["N_a", "N"]].to_numpy()
        groups = [sizes[np.abs(M / one - 1) < 0.01] for one in M]
        return list(np.max([group.max(axis=0) / group.min(axis=0) for group in groups], axis=0))

    spreads = {number: widest(table) for number, table in grid().groupby("table")}
    return pd.DataFrame.from_dict(spreads, orient="index", columns=["N_a", "N"])


@claim("wan2026-C06")
def sizes_vary_at_equal_work():
    low, high = spread_at_equal_work().min(), spread_at_equal_work().max()
    return Result(
        bool(low.min() > 1.05 / 0.95),
        note=f"At equal M, N_a varies by factors of {low.N_a:.2f} to {high.N_a:.2f} and N of {low.N:.2f} to "
        f"{high.N:.2f}, depending on the table.",
    )


@claim("wan2026-C07")
def range_widens():
    return Cannot(
        "The losses, and the widths of the ranges, are in Figures 5 and 6 only; printed losses would decide it."
    )


@claim("wan2026-C08")
def best_sizes_inside():
    return Cannot("The loss surface is in Figure 4 only; printed losses of Tables 9 to 14 would decide it.")


@claim("wan2026-C09")
def attention_weights():
    d, head, queries, pairs = 96, 8, 4, 2
    matrices = [np.empty((d, heads * head)) for heads in (queries, pairs, pairs)] + [np.empty((queries * head, d))]
    return Result(sum(matrix.size for matrix in matrices) / (d * head * (queries + pairs)))


@claim("wan2026-C10")
def gated_layers():
    d, width = 96, 40
    matrices = [np.empty((d, width)), np.empty((d, width)), np.empty((width, d))]
    one = sum(matrix.size for matrix in matrices) / (d * width)
    return Result([one, 8 * one, one])


@claim("wan2026-C11")
def active_parameters():
    return printed_is_nearest("active")


@claim("wan2026-C12")
def total_parameters():
    return printed_is_nearest("total")


@claim("wan2026-C13")
def work_as_the_main_text_prints_it():
    printed = miss(misprinted()[grid().index] / grid().N_a)
    times = np.median(misprinted() / rows().nominal)
    return Result(
        printed < miss(grid().compute_density),
        note=f"A misprint: M is {times:.0f} times that of the budget in the median of all rows, and M/N_a "
        f"misses its level by {percent(printed, 0)}. Eqs. 4, 10 and 12 are without the factor L.",
    )


@claim("wan2026-C14")
def work_of_a_token():
    return printed_is_nearest("work")


@cache
def identities() -> dict[str, float]:
    """Largest relative difference between the two sides of Eqs. 4 and 5, by what they give."""
    table, setting, shape = rows(), setting_of(rows()), shape_of(rows())
    _, r_m, r_a = law.shares(shape, setting)
    found = {
        "N_a": (table.M / law.compute_density(r_a, shape.d, setting), table.N_a),
        "N": (law.total_from_share(table.M, table.N_a, r_m, setting), table.N),
        "N/N_a": (law.expansion(r_m * table.M / 6 / table.N_a, setting), table.expansion),
    }
    return {name: float(np.abs(left / right - 1).max()) for name, (left, right) in found.items()}


def identity(*names: str) -> Result:
    """Say whether both sides of the identities are equal to rounding error."""
    error = max(identities()[name] for name in names)
    return Result(error < 1e-12, note="Both sides agree to twelve digits or more in all 667 rows.")


@claim("wan2026-C15")
def active_from_share():
    return identity("N_a")


@claim("wan2026-C16")
def total_from_share():
    return identity("N")


@claim("wan2026-C17")
def ratios_from_shares():
    return identity("N_a", "N/N_a")


@claim("wan2026-C18")
def density_above_six():
    return Result(rows().compute_density.min())


@claim("wan2026-C19")
def bounds_of_expansion():
    return Result([float(LARGEST.largest_expansion), rows().expansion.min(), rows().expansion.max()])


@claim("wan2026-C20")
def width_of_dense_layers():
    return printed_is_nearest("dense", "dense of N")


@claim("wan2026-C21")
def query_heads_per_pair():
    return Result(scales().n_heads / scales().n_kv_heads)


def read_off(table: pd.DataFrame) -> pd.DataFrame:
    """S, K and N_e from the levels of rows of Phase 1 without Table 4: value and ends of a 95 % interval."""
    outside, above, n = table.attention + table.dense, table.density_level - 6, len(table)
    # (M/N_a - 6) (outside + (K + 1) expert) = S a, where a is the scores of sequences of one token.
    matrix = np.column_stack([-table.scores / 8192, above * table.expert]) / outside.to_numpy()[:, None]
    (length, used), (left,), *_ = np.linalg.lstsq(matrix, -above.to_numpy(), rcond=None)
    errors = np.sqrt(np.diag(np.linalg.inv(matrix.T @ matrix)) * left / (n - 2)) * stats.t.ppf(0.975, n - 2)
    idle = (table.expansion_level - 1) * (outside / table.expert + used)
    values = np.array([length, used - 1, idle.mean() + used - 1])
    reach = np.array([*errors, idle.sem() * stats.t.ppf(0.975, n - 1)])
    return pd.DataFrame({"value": values, "low": values - reach, "high": values + reach}, index=["S", "K", "N_e"])


@claim("wan2026-C22")
def constants_of_all_scales():
    table = grid().join(parts())
    found = pd.concat([read_off(part) for _, part in table.groupby("flops")]).sort_index(
        key=lambda names: names.map({"S": 0, "K": 1, "N_e": 2}), kind="stable"
    )
    off = (found.value / found.index.map({"S": 8192, "K": 8, "N_e": 288}) - 1).abs().groupby(level=0).max()
    pooled = ", ".join(f"{name} {value:.4g}" for name, value in read_off(table).value.items())
    return Result(
        found.value,
        interval=found[["low", "high"]].to_numpy(),
        note="Farthest off of the six budgets: "
        + ", ".join(f"{name} by {percent(value)}" for name, value in off.items())
        + f". By the first criterion, one value for all budgets, {pooled}: close as well.",
    )


@claim("wan2026-C23")
def powers_of_two():
    entries = scales()[HEADS].to_numpy(float)
    return Result(
        [entries.min(), entries.max(), np.sum(np.log2(entries) % 1 != 0)],
        note=f"At the smallest budget there are {scales().n_kv_heads[0]} key-value heads.",
    )


def free(account) -> int:
    """Variables of a shape less the rank of the derivative of its three sizes, at a row of Table 21."""
    point = np.array([2040.0, 1, 15, 592])
    moves = np.diag(1e-6 * point)
    jacobian = [(np.log(account(*(point + m))) - np.log(account(*(point - m)))) / 2e-6 for m in moves]
    return len(point) - int(np.linalg.matrix_rank(np.array(jacobian, dtype=float), tol=1e-6))


def matched(d, L_d, L_m, d_m):
    """Sizes when a dense layer is as wide as nine experts."""
    layers = L_d + L_m
    active = LARGEST.projections * d * layers + 27 * d * d_m * layers
    return 6 * active + LARGEST.scores * layers, active, active + 840 * d * d_m * L_m


@cache
def given_back() -> list[int]:
    """Rows, of 667, whose d, L_d, L_m and d_m the solution for their sizes and width gives back."""
    found = law.solve(rows().M, rows().N_a, rows().N, rows().d_model, setting_of(rows()))
    return [int(np.isclose(new, old, rtol=1e-9).sum()) for new, old in zip(found, shape_of(rows()), strict=True)]


@claim("wan2026-C24")
def one_degree_is_left():
    back = min(given_back())
    left = free(lambda *x: law.account(*x, LARGEST)) if back == len(rows()) else np.nan
    return Result(left, note=f"Solving for their sizes and width gives {back} of {len(rows())} rows back.")


@claim("wan2026-C25")
def widths_are_multiples():
    by_table = rows().groupby("table")
    divisors = [np.gcd.reduce(part[name].to_numpy()) for _, part in by_table for name in ("d_model", "d_expert")]
    share = {step: percent((rows().d_model % step == 0).mean(), 0) for step in (16, 32)}
    return Result(
        [min(divisors), max(divisors)],
        note=f"Of all hidden sizes, {share[16]} are multiples of 16 and {share[32]} of 32.",
    )


@claim("wan2026-C26")
def rounding_moves_work():
    off = rows().off.abs()
    within = [int(table) for table, part in rows().groupby("table") if (part.off.abs() <= 0.05).all()]
    return Result(
        100 * off.max(),
        note=f"{(off > 0.05).sum()} of {len(off)} rows are farther off than 5 %; none is in Tables "
        f"{', '.join(map(str, within))}. The median of the absolute deviations is {percent(off.median())}.",
    )


@claim("wan2026-C27")
def one_forward_pass():
    table, setting = rows(), setting_of(rows())
    forward = 2 * table.N_a + 2 * setting.S * setting.N_q * setting.d_qkv * table.layers
    return Result(
        (table.flops / (1e9 * table.n_tokens) / forward).median(),
        note="Training compute over tokens is that of a forward and a backward pass, three forward passes; M has the "
        "factor six, which counts both, and M D = C holds with it.",
    )


@claim("wan2026-C28")
def without_embeddings():
    return printed_is_nearest("embeddings")


@claim("wan2026-C29")
def other_dense_widths():
    wider = law.Setting(16, 8, 128, gamma=4)
    return Result([free(lambda *x: law.account(*x, wider)), free(matched)], note="Both have a closed solution, too.")


@claim("wan2026-C30")
def chosen_for_a_large_budget():
    return Cannot(
        "A statement of intent; no run varies the number of experts, and runs near 1e24 FLOP would decide it."
    )


# The law of allocation


@cache
def line(column: str) -> tuple[float, float]:
    """Coefficient and exponent of a power law of compute through a column of Table 2."""
    slope, constant = np.polyfit(np.log(scales().flops), np.log(1e9 * scales()[column]), 1)
    return float(np.exp(constant)), float(slope)


@claim("wan2026-C31")
def coefficient_of_tokens():
    return Result(line("n_tokens")[0])


@claim("wan2026-C32")
def exponent_of_tokens():
    return Result(line("n_tokens")[1])


@claim("wan2026-C33")
def coefficient_of_work():
    return Result(line("flops_per_token")[0])


@claim("wan2026-C34")
def exponent_of_work():
    return Result(line("flops_per_token")[1])


@claim("wan2026-C35")
def laws_multiply_to_the_budget():
    both = law.FLOPS_PER_TOKEN, law.N_TOKENS
    return Result([both[0].coefficient * both[1].coefficient, both[0].exponent + both[1].exponent])


@claim("wan2026-C36")
def work_at_the_budgets():
    return Result(law.FLOPS_PER_TOKEN(scales().flops) / 1e9)


@claim("wan2026-C37")
def tokens_at_the_budgets():
    return Result(law.N_TOKENS(scales().flops) / 1e9)


@claim("wan2026-C38")
def work_of_the_recipe():
    return Result(scales().flops_per_token_recipe)


@claim("wan2026-C39")
def heuristic_shapes():
    return Cannot("The runs behind Eq. 2 and their grid are not public; a table of them would decide it.")


# The test of ranks


@cache
def ends_of_configurations() -> pd.DataFrame:
    """For each row of Tables 5 to 8 after the first: whether d falls, and the relative change of M/N_a."""
    table = rows()[rows().table <= 8].sort_values(["table", "row"])
    return pd.DataFrame({"falls": table.d_model.diff() < 0, "jump": table.compute_density.pct_change().abs()}).iloc[1:]


@claim("wan2026-C40")
def ten_configurations():
    ends = ends_of_configurations()
    by_fall = 1 + int(ends.falls.sum())
    jumps = ends.jump[~ends.falls].sort_values()
    return Result(
        [1 + (ends.falls | (ends.jump > 0.1)).sum(), len(ends) + 1],
        note=f"Where d falls, {by_fall} configurations end. The tenth needs a second rule, which any jump of M/N_a "
        f"between {percent(jumps.iloc[-2])} and {percent(jumps.iloc[-1])} makes; it was added as the paper prints ten.",
    )


@cache
def ranks() -> "pd.Series[float]":
    """Table 3."""
    return data.load("wan2026/ranks").set_index("statistic").value


@claim("wan2026-C41")
def pearson():
    return Result(np.sqrt(ranks().r_squared))


@cache
def possible_rhos() -> NDArray[np.float64]:
    """Values of Spearman's coefficient that ten ranks can have, by half the sum of squared differences."""
    return 1 - 12 * np.arange(166) / (10**3 - 10)


@cache
def sum_of_squares() -> int:
    """Sum of squared differences of ranks behind the printed coefficient."""
    return 2 * int(np.abs(possible_rhos() - ranks().spearman).argmin())


@claim("wan2026-C42")
def spearman():
    half, rhos = sum_of_squares() // 2, possible_rhos()
    return Result(
        rhos[half],
        note=f"Squared differences of ranks add up to {2 * half}; the next possible values are {rhos[half - 1]:.4f} "
        f"and {rhos[half + 1]:.4f}.",
    )


def orders(left: int, start: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """Yield the orders of ten whose squared differences of ranks add up to a sum, those that begin with `start`."""
    if len(start) == 10:
        if left == 0:
            yield start
        return
    for rank in range(10):
        spent = (rank - len(start)) ** 2
        if rank not in start and spent <= left:
            yield from orders(left - spent, (*start, rank))


@cache
def discordant() -> list[int]:
    """Pairs in the wrong order, for each order that has the sum of squares behind Spearman's coefficient."""
    return [sum(order[i] > order[j] for j in range(10) for i in range(j)) for order in orders(sum_of_squares())]


@claim("wan2026-C43")
def kendall():
    (pairs,) = set(discordant())
    return Result(1 - 2 * pairs / 45, note=f"{pairs} of 45 pairs, in all {len(discordant())} orders that fit C42.")


@claim("wan2026-C44")
def share_of_variance():
    return Result(ranks().pearson ** 2)


def by_chance(r: ArrayLike) -> NDArray[np.float64]:
    """Probability of a correlation of ten values by chance, from the t distribution."""
    r = np.asarray(r)
    return np.asarray(2 * stats.t.sf(r * np.sqrt(8 / (1 - r**2)), 8))


@claim("wan2026-C45")
def probabilities():
    half = 0.00005
    low = max(ranks().pearson - half, np.sqrt(ranks().r_squared - half))
    high = min(ranks().pearson + half, np.sqrt(ranks().r_squared + half))
    rho = float(by_chance(possible_rhos()[sum_of_squares() // 2]))
    tau = float(stats.kendalltau(np.arange(10), next(orders(sum_of_squares())), method="exact").pvalue)
    return Result(
        [float(by_chance(ranks().pearson)), rho, tau],
        interval=[tuple(map(float, by_chance([high, low]))), (rho, rho), (tau, tau)],
        note=f"The digits of r and R² leave r between {low:.5f} and {high:.5f}.",
    )


@claim("wan2026-C46")
def flat_over_width():
    return Cannot(
        "The ten configurations can be told apart in Tables 5 to 8, their losses not; printed losses would decide it."
    )


# The grids


@claim("wan2026-C47")
def full_grid():
    return Result(phase_1_axes())


def farthest(ratio: str, level: str) -> Result:
    """For each level of Phase 1, the value of the row that is farthest off."""
    table = grid()
    off = (table[ratio] / table[level] - 1).abs()
    medians = table.groupby(level)[ratio].median()
    return Result(
        table[ratio][off.groupby(table[level]).idxmax()],
        note=f"The farthest row is {percent(off.max())} off, the median row {percent(off.median())}. The medians of "
        f"the levels are {', '.join(f'{value:.2f}' for value in medians)}.",
    )


@claim("wan2026-C48")
def levels_of_density():
    return farthest("compute_density", "density_level")


@claim("wan2026-C49")
def levels_of_expansion():
    return farthest("expansion", "expansion_level")


@claim("wan2026-C50")
def more_densities():
    more = rows()[rows().table == 15]
    by_budget = more.groupby("flops").expansion.agg(["min", "max"])
    return Result(
        [len(more), (by_budget["max"] / by_budget["min"]).max()],
        note=f"N/N_a goes from {by_budget['min'].iloc[0]:.1f} to {by_budget['max'].iloc[0]:.1f} at 1e18 FLOP and from "
        f"{by_budget['min'].iloc[1:].min():.1f} to {by_budget['max'].iloc[1:].max():.1f} at the other five budgets. By "
        "the first criterion, the count alone, it agrees.",
    )


@claim("wan2026-C51")
def sweeps_of_width():
    largest = drift().max()
    return Result(
        [*sweep().groupby("table").size(), largest.max()],
        note="Within a table M varies by up to {:.0f} %, N_a by {:.0f} % and N by {:.0f} %. ".format(
            *100 * (largest - 1)
        )
        + "By the first criterion, the counts alone, it agrees.",
    )


@cache
def wedge() -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """Which pairs of ratios have a feasible width at 3e20 FLOP, with M/N_a and N/N_a of the cells."""
    x, y = np.meshgrid(np.linspace(6.05, 20, 280), np.linspace(1.1, 40, 390))
    work = 1e9 * scales().flops_per_token.iloc[-1]
    return np.isfinite(law.feasible_widths(work, work / x, work / x * y, LARGEST)[0]), x, y


@claim("wan2026-C52")
def feasible_region():
    possible, x, y = wedge()
    box = possible.any(axis=1)[:, None] & possible.any(axis=0)[None, :]
    highest, bound = y[possible].max(), float(LARGEST.largest_expansion)
    return Result(
        bool((possible == box).all() and highest < bound < highest + y[1, 0] - y[0, 0]),
        note=f"The feasible cells fill a rectangle from M/N_a = {x[possible].min():.2f} up to N/N_a = {highest:.1f}; "
        "in N_a and N that is a wedge.",
    )


# Optima


@claim("wan2026-C53")
def loss_surface():
    return Cannot(
        "The surface is in Figure 4 only; printed losses would decide it. The minima of its profiles are C54."
    )


@cache
def trend_of_expansion() -> allocation.Trend:
    """A power law through the six best N/N_a that are printed."""
    return allocation.Trend(scales().flops, scales().expansion_fitted)


@claim("wan2026-C54")
def best_expansion():
    best, trend = scales().expansion_fitted, trend_of_expansion()
    low, high = trend.exponent()
    return Result(
        best.max() / best.min(),
        note=f"The six values rise with the power {trend.law.exponent:.4f} of compute ({low:.3f} to {high:.3f}). They "
        "stay inside 18 to 25, where the paper finds the loss flat (C56); the power law leaves that range before 1e24 "
        f"FLOP, where it has {float(trend(1e24)):.0f}.",
    )


@claim("wan2026-C55")
def chosen_expansion():
    runs, chosen = scales().expansion, scales().expansion_chosen
    return Result(
        runs,
        note=f"At 1e18 and 3e18 FLOP the runs of Phase 2 sit at {runs[0]:.1f} and {runs[1]:.1f}, where {chosen[0]:.0f} "
        f"and {chosen[1]:.0f} were chosen. The authors say that targets could not always be met.",
    )


@claim("wan2026-C56")
def flat_over_expansion():
    return Cannot("The losses behind it are in Figure 4 only; printed losses would decide it.")


def turns_once(make, start: float, end: float) -> Result:
    """Say whether a form has one minimum, at its closed form, for random strengths."""
    found = []
    for a, b in np.random.default_rng(0).uniform(0.1, 10, (200, 2)):
        form, x = make(a, b, 1), np.linspace(start, end, 2001)[1:-1]
        rising = np.diff(form(x)) > 0
        at = x[1:-1][np.diff(rising.astype(int)) != 0]
        found.append(len(at) == 1 and abs(at[0] - form.minimum) < 2 * (x[1] - x[0]))
    return Result(all(found), note=f"One minimum, where the closed form has it, in {sum(found)} of {len(found)} draws.")


@claim("wan2026-C57")
def one_minimum_between_poles():
    return turns_once(minima.BetweenPoles, 1, 289 / 9)


@claim("wan2026-C58")
def one_minimum_above_six():
    return turns_once(minima.PoleAndLine, 6, 200)


@claim("wan2026-C59")
def best_density_falls():
    values = ", ".join(f"{value:.2f}" for value in scales().compute_density)
    return Cannot(
        f"No loss is printed, and losses would decide it. The medians of Tables 16 to 21 fall, {values}: these are the "
        "ratios that the authors used as best."
    )


@claim("wan2026-C60")
def laws_inside_figures():
    return Cannot("The coefficients stand inside Figures 5(b) and 6(b); their text would decide it.")


@claim("wan2026-C61")
def best_width_is_a_power_law():
    power = allocation.trends()["width"].law.exponent
    return Cannot(
        "No loss is printed, and losses would decide it. The middles of the widths that were tried grow with the power "
        f"{power:.3f} of compute, which says where was searched."
    )


@claim("wan2026-C62")
def a_budget_is_enough():
    plans = [allocate("wan2026", flops, extrapolate=True) for flops in (3e20, 7e19, 1e22)]
    chosen = [f"{plan.flops:.0e}" for plan in plans if any(plan.step(name).source == "chosen" for name in HEADS)]
    return Result(
        not chosen,
        note="The solution of Eq. 3 is closed and needs the numbers and the width of the heads. Table 4 has them for "
        f"six budgets, and no law gives them for others ({' and '.join(chosen)} FLOP). The laws of M/N_a and of d "
        "stand inside figures; with figures left out, they are missing as well.",
    )


@cache
def width_ratios() -> NDArray[np.float64]:
    """For each budget and level of Appendix E, the nearest ratio among all architectures of the median sizes."""

    def of_budget(row) -> list[float]:
        heads = law.Setting(*(getattr(row, name) for name in HEADS))
        found = shapes.within(row.M, row.N_a, row.N, heads, widths=(row.width / 2, row.width * 2))
        ratio = (9 * found.d_expert / found.d_model).to_numpy()
        return [float(ratio[np.abs(ratio - level).argmin()]) for level in levels("width_ratio")]

    return np.array([of_budget(row) for row in scales().itertuples()])


@claim("wan2026-C63")
def thirty_models():
    found = width_ratios()
    worst = np.abs(found / levels("width_ratio") - 1).argmax(axis=0)
    return Result(
        found[worst, range(found.shape[1])],
        note=f"All {found.size} can be built; those that were trained are not tabulated.",
    )


@claim("wan2026-C64")
def flat_over_width_ratio():
    return Cannot("No loss of Appendix E is printed; losses would decide it.")


@claim("wan2026-C65")
def best_width_ratio():
    tried = levels("width_ratio") / 9
    by_width = (part.sort_values("d_model") for _, part in sweep().groupby("flops"))
    plain = np.array([(part.d_expert / part.d_model).iloc[len(part) // 2] for part in by_width])
    return Result(
        [tried.min(), tried.max()],
        note="The factor K + 1 is missing: it is (K + 1) d_m/d that has levels from three to five. By the first "
        f"criterion, d_m/d in the middle of Phase 2's sweeps: {plain.min():.2f} to {plain.max():.2f}, differs as well.",
    )


@claim("wan2026-C66")
def with_and_without_a_floor():
    return Cannot("Losses and coefficients are in figures only; printed losses would decide it.")


# The recipe


@claim("wan2026-C67")
def learning_rates():
    return Result(allocation.trends()["learning_rate"](scales().flops))


@claim("wan2026-C68")
def batches():
    return Result(
        16 * np.round(allocation.trends()["batch"](scales().flops) / 16),
        note="One value of six is another multiple of 16 than the printed one.",
    )


@claim("wan2026-C69")
def best_pairs():
    return Cannot("The sweeps of learning rate and batch are not published; their losses would decide it.")


@claim("wan2026-C70")
def recipe():
    return Cannot(
        "A recipe; the code or the logs of the training would decide it. C28 shows what the vocabulary would do."
    )
