"""What the runs of this set say about statements of papers: one function for each row of ``claims.csv``."""

from functools import cache

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from moelaws import data
from moelaws.fitting import comparison, intervals, leverage
from moelaws.fitting.estimation import fit
from moelaws.laws import LAWS
from moelaws.laws.tian2025 import PUBLISHED
from moelaws.ledger import Cannot, Result, claim
from moelaws.models.ratios import granularity
from moelaws.papers.tian2025.settings import LEARNING_RATE
from moelaws.papers.yun2024 import budget

SHORTEST = 2**20  # tokens; shorter runs are shown, and not fitted
DRAWS = 500  # resampled tables behind an interval
REFITS = 100  # the same where each is a fit of many parameters
MAIN = ("grid", "noise", "longest")  # plans that share the grid's recipe
NEED_WIDTHS = 3  # a region of fewer is one case


# The runs


def described(table):
    """Runs with the columns that laws read: experts are counted as expansion."""
    expansion = table.n_routed // table.top_k
    routers = table.n_routed.where(table.n_routed > 1, 0) * table.n_layers * table.d_model
    return table.assign(
        n_listed=table.n_routed,
        n_routed=expansion,
        n_dense=table.n_active - routers,
        activation_ratio=1 / expansion,
        granularity=granularity(table.d_model, table.d_expert, factor=4),
        log_e=np.log2(expansion),
        log_d=np.log2(table.n_tokens / SHORTEST),
        log_n=np.log2(table.d_model / 64),
    )


@cache
def every_run():
    """All runs, described."""
    return described(data.load("small_moe_runs/runs")).assign(log_loss=lambda runs: np.log(runs.loss))


@cache
def main():
    """Runs with at most two active experts and the grid's recipe."""
    runs = every_run()
    return runs[runs.plan.isin(MAIN) & (runs.top_k <= 2)]


@cache
def fitted():
    """Those of them that are long enough."""
    runs = main()
    return runs[runs.n_tokens >= SHORTEST]


@cache
def cells(shortest=SHORTEST):
    """Mean loss over seeds of each width, number of tokens and expansion, its variance and the number of seeds."""
    runs = main()
    loss = runs[runs.n_tokens >= shortest].groupby(["d_model", "n_tokens", "n_routed"]).loss
    return pd.DataFrame({"loss": loss.mean(), "variance": loss.var(), "runs": loss.count()})


def pooled(some):
    """Standard deviation over seeds with the ends of its 95 % interval, and its degrees of freedom."""
    many = some[some.runs > 1]
    freedom = int((many.runs - 1).sum())
    if not freedom:
        return np.nan, np.array([np.nan, np.nan]), 0
    variance = (many.variance * (many.runs - 1)).sum() / freedom
    ends = freedom * variance / stats.chi2.ppf([0.975, 0.025], freedom)
    return float(np.sqrt(variance)), np.sqrt(ends), freedom


@cache
def noise():
    """Noise of a seed over all cells: standard deviation, interval, degrees of freedom."""
    return pooled(cells())


@cache
def noise_of(width, length):
    """Noise of a seed at one width and length, or over all cells where it has fewer than four degrees of freedom."""
    value, _, freedom = pooled(cells().loc[(width, length)])
    return (value, freedom) if freedom >= 4 else (noise()[0], noise()[2])


@cache
def gains():
    """What each expansion gains over the dense cell of its width and length, nats per token."""
    means = cells().loss.unstack("n_routed")
    return (-means.drop(columns=1)).add(means[1], axis=0)


# Effects of experts, without any law


def student(values):
    """Mean of one value for each width, with its 95 % interval after Student."""
    values = np.asarray(values, dtype=float)
    reach = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return values.mean(), values.mean() - reach, values.mean() + reach


def spoken(value, low, high, digits=4):
    """A value with its interval, in words."""
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def sign(low, high, note):
    """Whether an interval lies above zero; where it holds zero, the runs do not tell."""
    if low > 0 or high < 0:
        return Result(bool(low > 0), note)
    return Cannot(f"The interval holds zero, so that these runs do not tell; more of them would. {note}")


@cache
def slopes():
    """Change of the loss with each doubling of experts in each width and length, with joint 95 % intervals."""
    table = cells()
    counts = table.groupby(["d_model", "n_tokens"]).size()
    places = sorted(counts[counts > 1].index)  # a dense run alone has no slope
    level = 0.95 ** (1 / len(places))
    rows = {}
    for place in places:
        some = table.loc[place]
        x = np.log2(some.index.to_numpy(float))
        weights = (x - x.mean()) / np.sum((x - x.mean()) ** 2)
        sigma, freedom = noise_of(*place)
        reach = stats.t.ppf((1 + level) / 2, freedom) * sigma * np.sqrt(np.sum(weights**2 / some.runs))
        slope = float(weights @ some.loss)
        rows[place] = {"slope": slope, "low": slope - reach, "high": slope + reach}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["d_model", "n_tokens"])


@cache
def within_width(width, shortest=SHORTEST, longest=None):
    """Gain in log loss of a doubling of experts at one width, at 2^21 tokens, and its change with each doubling."""
    runs = main()
    some = runs[(runs.d_model == width) & (runs.n_tokens >= shortest) & (runs.n_tokens <= (longest or np.inf))]
    cell = some.n_tokens.to_numpy()[:, None] == np.unique(some.n_tokens)
    matrix = np.column_stack([-some.log_e, -some.log_e * (some.log_d - 1), cell])
    return np.linalg.lstsq(matrix, some.log_loss.to_numpy(), rcond=None)[0][:2]


@cache
def variants():
    """Gain in log loss of a doubling of experts, and its change with each doubling of tokens, in eight variants."""
    widths = sorted(main().d_model.unique())
    shared = int(main()[main().n_routed > 1].groupby("d_model").n_tokens.max().min())
    chosen = {
        "all cells": (widths, SHORTEST, None),
        "lengths of every width": (widths, SHORTEST, shared),
        "without 2^23": (widths, SHORTEST, 2**22),
        "with 2^19": (widths, 2**19, None),
        **{f"without width {out}": ([w for w in widths if w != out], SHORTEST, None) for out in widths},
    }
    rows = {}
    for name, (some, shortest, longest) in chosen.items():
        each = np.array([within_width(width, shortest, longest) for width in some])
        change, low, high = student(each[:, 1])
        rows[name] = {"gain": each[:, 0].mean(), "change": change, "low": low, "high": high}
    return pd.DataFrame.from_dict(rows, orient="index")


@cache
def with_width():
    """Change of the gain in log loss with each doubling of width: at fixed tokens, and with tokens in proportion."""
    widths = np.array(sorted(main().d_model.unique()))
    size = np.array([main()[main().d_model == width].n_dense.min() for width in widths], dtype=float)
    each = np.array([within_width(width) for width in widths])
    along = np.log2(size) - np.log2(size).mean()
    rows = {}
    for name, gain in {"at fixed tokens": each[:, 0], "tokens in proportion": each[:, 0] + each[:, 1] * along}.items():
        line = stats.linregress(np.log2(widths), gain)
        reach = stats.t.ppf(0.975, len(widths) - 2) * line.stderr
        rows[name] = {"change": line.slope, "low": line.slope - reach, "high": line.slope + reach}
    return pd.DataFrame.from_dict(rows, orient="index")


@claim("small_moe_runs-C01")
def experts_lower_the_loss():
    table = slopes()
    below, above = int((table.high < 0).sum()), int((table.low > 0).sum())
    note = (
        f"Of {len(table)} slopes {below} lie below zero and {above} above it with their intervals; they run from "
        f"{table.slope.min():+.4f} to {table.slope.max():+.4f} nats with each doubling."
    )
    if above or below == len(table):
        return Result(not above, note)
    return Cannot(f"Some intervals hold zero; more seeds would decide those. {note}")


@claim("small_moe_runs-C02")
def the_gain_shrinks():
    steps = gains()
    shrinking = ((steps[16] - steps[8]) - (steps[32] - steps[16])).groupby("d_model").mean()
    value = student(shrinking)
    return sign(*value[1:], f"The gain from 8 to 16 less that from 16 to 32 is {spoken(*value)} nats over widths.")


@claim("small_moe_runs-C03")
def no_interaction_with_tokens():
    table = variants()
    holds_zero = (table.low <= 0) & (table.high >= 0)
    small = table[["low", "high"]].abs().max(axis=1) <= table.gain.abs() / 4
    note = (
        f"In log loss, the gain of a doubling of experts changes by {table.change.min():.5f} to "
        f"{table.change.max():.5f} with each doubling of tokens; {int(holds_zero.sum())} of {len(table)} intervals "
        f"hold zero, {int((holds_zero & small).sum())} of these stay within a quarter of the gain."
    )
    none_in_all, some_in_all = bool((holds_zero & small).all()), (table.low > 0).all() or (table.high < 0).all()
    if none_in_all or some_in_all:
        return Result(none_in_all, note)
    return Cannot(f"The variants do not agree; more widths would decide it. {note}")


@claim("small_moe_runs-C04")
def larger_models_gain_less():
    table = with_width()
    note = "; ".join(f"{name} {spoken(*row, 5)}" for name, row in zip(table.index, table.to_numpy(), strict=True))
    note = f"The gain in log loss changes with each doubling of width: {note}."
    if (table.high < 0).all() or (table.low > 0).any():
        return Result(bool((table.high < 0).all()), note)
    return Cannot(f"Not both intervals lie below zero; more widths would decide it. {note}")


# The recipe

LONG = 2**22  # tokens of the runs whose recipe is varied


@cache
def recipes():
    """Runs that differ from those of the grid in learning rate or balance alone, and these: loss by how they differ.

    `rate` is the learning rate over the grid's, `change` the loss less that of the grid's recipe.
    """
    runs = every_run()
    runs = runs[(runs.n_tokens == LONG) & (runs.seed == 0) & (runs.top_k <= 2) & runs.plan.isin(["grid", "recipe"])]
    usual = runs[runs.plan == "grid"].set_index(["d_model", "n_routed"])
    place = pd.MultiIndex.from_frame(runs[["d_model", "n_routed"]])
    runs = runs.assign(
        rate=runs.learning_rate / usual.learning_rate[place].to_numpy(),
        change=runs.loss - usual.loss[place].to_numpy(),
    )
    varied = runs.groupby(["d_model", "n_routed"]).plan.transform(lambda plans: (plans == "recipe").any())
    return runs[varied]


@cache
def best_recipes(width, expansion=64):
    """Gain of experts with the grid's recipe and with the best one of each kind of model, and twice its noise."""
    runs = recipes()[recipes().d_model == width].set_index("n_routed")
    usual = runs[runs.plan == "grid"].loss
    best = runs.groupby("n_routed").loss.min()
    twice = 2 * np.sqrt(2) * noise_of(width, LONG)[0]
    return usual[1] - usual[expansion], best[1] - best[expansion], twice


# Laws


@cache
def fit_of(name):
    """A law fitted to the runs that are long enough."""
    return fit(LAWS[name], fitted())


@cache
def refits_of(name):
    """The same for resampled shapes."""
    return intervals.refits(fit_of(name), by="group", draws=REFITS)


@cache
def middle():
    """Geometric mean of the runs' compute, FLOP."""
    return float(np.exp(np.log(fitted().flops).mean()))


@cache
def eq4_shares():
    """Compute of 16 experts over that of four by Eq. 4 at three computes: of the fit, and of its draws."""
    eq4, draws = fit_of("yun2024"), refits_of("yun2024")
    thetas = np.array([eq4.problem.theta(free) for free in draws.coefficients])
    # Where a draw has no best size inside a budget, its share is not defined.
    able = (thetas[:, 0] > 0) & (thetas[:, 2] > 0)
    able &= np.abs(thetas[:, 7]) * np.log(thetas[:, 9]) < np.minimum(thetas[:, 4], thetas[:, 6])
    ends = fitted().flops.min(), fitted().flops.max()
    places = {"middle": middle(), "least": ends[0], "largest": ends[1]}
    return {name: (_share(eq4.coefficients, at), _share(thetas[able], at)) for name, at in places.items()}


def _share(theta, flops):
    """Compute of a model of 16 experts over that of one of four, at equal loss and best size and tokens."""
    sizes, _ = budget.optimum(theta, flops, 4, 1)
    loss = budget.loss_at(theta, sizes, flops, 4, 1)
    return budget.flops_at_loss(theta, loss, 16, 1) / flops


NOT_IDENTIFIED = "The runs do not identify the coefficients of {}: {}. More shapes would."


@claim("small_moe_runs-C05")
def compute_that_experts_save():
    eq4 = fit_of("yun2024")
    if eq4.not_identified:
        return Cannot(NOT_IDENTIFIED.format("Eq. 4", ", ".join(eq4.not_identified)))
    share, drawn = (100 * np.asarray(part) for part in eq4_shares()["middle"])
    low, high = refits_of("yun2024").interval(drawn)
    note = f"At {middle():.1e} FLOP, far below the paper's budgets; interval over shapes."
    return Result([float(share)] * 2, note, [(low, high)] * 2)


@claim("small_moe_runs-C06")
def saving_grows_with_compute():
    eq4 = fit_of("yun2024")
    if eq4.not_identified:
        return Cannot(NOT_IDENTIFIED.format("Eq. 4", ", ".join(eq4.not_identified)))
    (least, least_drawn), (largest, largest_drawn) = eq4_shares()["least"], eq4_shares()["largest"]
    low, high = refits_of("yun2024").interval(np.log(largest_drawn / least_drawn))
    note = (
        f"The share changes by a factor of {largest / least:.2f} ({np.exp(low):.2f} to {np.exp(high):.2f}) "
        "from the smallest to the largest compute."
    )
    return sign(-high, -low, note)


@claim("small_moe_runs-C07")
def error_of_eq_4():
    eq4 = fit_of("yun2024")
    error = float(np.sqrt(np.mean(np.log1p(eq4.errors()) ** 2)))
    share = noise()[0] / fitted().loss.mean()
    return Result(error, f"Noise alone makes {share:.4f}: the standard deviation of seeds over the mean loss.")


@claim("small_moe_runs-C08")
def experts_speed_up_learning_from_tokens():
    joint = fit_of("ludziejewski2025")
    if joint.not_identified:
        return Cannot(NOT_IDENTIFIED.format("the joint law", ", ".join(joint.not_identified)))
    ends = refits_of("ludziejewski2025").ranges()["zeta"]
    note = f"zeta is {spoken(joint.values['zeta'], *ends)}; Table 3 of the paper has a negative one."
    return sign(-ends[1], -ends[0], note)


@cache
def of_each_expansion():
    """Chinchilla's law fitted to the runs of one expansion at a time."""
    return {
        count: fit(LAWS["dense"], some)
        for count, some in fitted().groupby("n_routed")
        if some.d_model.nunique() >= NEED_WIDTHS and len(some) > 6
    }


def _best_tokens(theta):
    """Tokens of the best model for the middle of the compute, 6 N D, by Chinchilla's law."""
    _, size, some, alpha, beta = np.moveaxis(theta, -1, 0)
    return (middle() / 6) ** (alpha / (alpha + beta)) / (alpha * size / (beta * some)) ** (1 / (alpha + beta))


@claim("small_moe_runs-C14")
def experts_want_more_tokens():
    fits = [of_each_expansion()[count] for count in (16, 1)]
    drawn = [intervals.refits(one, by="group", draws=DRAWS) for one in fits]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratios = _best_tokens(drawn[0].coefficients) / _best_tokens(drawn[1].coefficients)
        ratios = np.nan_to_num(np.log(ratios), nan=0.0, posinf=99, neginf=-99)
    low, high = drawn[0].interval(ratios)
    ratio = float(_best_tokens(fits[0].coefficients) / _best_tokens(fits[1].coefficients))
    note = (
        f"At {middle():.1e} FLOP the ratio is {ratio:.2f} ({np.exp(low):.2g} to {np.exp(high):.2g}). "
        "Chinchilla's law misses the dense runs by several times the noise of a seed."
    )
    return sign(low, high, note)


# Laws on runs left out

CANDIDATES = ("dense", "wang2024", "abnar2025", "yun2024", "ludziejewski2025", "kaplan_experts")


@cache
def regions():
    """Which runs are fitted when a region is left out, by the region's name."""
    runs = fitted()
    of_width = {f"width {width}": runs.d_model != width for width in sorted(runs.d_model.unique())}
    return {
        "largest compute": runs.flops <= runs.flops.quantile(0.75),
        "most experts": runs.n_routed < runs.n_routed.max(),
        "most tokens": runs.n_tokens < runs.n_tokens.max(),
        **of_width,
    }


@cache
def left_out(region):
    """The candidates fitted to the runs outside a region, and which of them those runs choose."""
    laws = [LAWS[name] for name in CANDIDATES]
    return comparison.compare(laws, fitted(), regions()[region].to_numpy(), by="flops", group="group")


@cache
def scores(region):
    """Held-out error of each candidate, and its difference to Chinchilla's law, at a joint level of 95 %."""
    level = 0.95 ** (1 / (len(CANDIDATES) - 1))
    return left_out(region).score(draws=4 * DRAWS, level=level, baseline="dense").table


# A width that no fit has seen


@cache
def new_width():
    """What each law predicted for the runs of the new width before they were trained, with the losses they ended at."""
    runs = every_run()
    ended = runs[runs.plan == "new-width"].set_index("run").loss
    table = data.load("small_moe_runs/predicted")
    table = table.assign(loss=table.run.map(ended))
    inside = (table.run_low <= table.loss) & (table.loss <= table.run_high)
    return table.assign(off=table.value - table.loss, inside=inside)


@cache
def chosen_for_new_width():
    """The law that leaving out each width of the grid in turn chooses."""
    return new_width().groupby("law").left_out.first().idxmin()


@cache
def errors_at_new_width():
    """Root mean square error of each law at the new width, nats per token."""
    table = new_width()
    return np.sqrt((table.off**2).groupby(table.law).mean())


# Leverage


@cache
def sparse():
    """Runs with experts whose leverage is measured."""
    runs = fitted()
    return runs[(runs.n_routed > 1) & (runs.seed == 0)]


@cache
def along_width():
    """Compute of the dense model of the same width at each loss, by interpolation, over that of the run: `leverage`.

    Where a run is better (`beyond` 1) or worse (-1) than the whole dense line of its width, this is a bound.
    """
    dense, parts = cells().loss.unstack("n_routed")[1], []
    for width, some in sparse().groupby("d_model"):
        own = dense.loc[width].dropna()
        line = pd.DataFrame({"flops": 6 * some.n_dense.iloc[0] * own.index, "loss": own.to_numpy()})
        beyond = (some.loss < own.min()).astype(int) - (some.loss > own.max())
        needed = leverage.interpolated(line, some.loss.clip(own.min(), own.max()))
        parts.append(pd.DataFrame({"leverage": needed / some.flops, "beyond": beyond}))
    return pd.concat(parts).loc[sparse().index]


@cache
def ranked_leverage():
    """The same, with plus or minus infinity for runs better or worse than the whole dense line of their width."""
    found = along_width()
    return found.leverage.mask(found.beyond != 0, np.inf * found.beyond)


@cache
def measured():
    """Leverage over the best dense model, by a law through the dense runs, with its interval."""
    runs = fitted()
    return leverage.measure(runs[runs.n_routed == 1], sparse(), law=LAWS["dense"], error=noise()[0], draws=DRAWS).table


@cache
def by_eq_13():
    """Leverage of the runs by Eq. 13 of Tian et al., with granularity as they count it."""
    law, rows = LAWS["tian2025"], sparse()
    design = rows.assign(granularity=rows.granularity / 2)
    return pd.Series(law.predict(law.theta(PUBLISHED), design), rows.index)


def with_bounds(matrix, value, beyond):
    """Coefficients of a line with normal errors through values of which some are bounds, by maximum likelihood.

    A value with `beyond` of 1 is at least as large, one with -1 at most; dropping them would select by the outcome.
    In the coefficients over the standard deviation, and one over it, the likelihood is concave (Olsen 1978).
    """
    known, design = beyond == 0, np.column_stack([-matrix, value])

    def of(at):
        off = design @ at
        share = special.log_ndtr(-beyond * off)
        ratio = np.exp(-(off**2) / 2 - share) / np.sqrt(2 * np.pi)
        return off, share, ratio

    def cost(at):
        off, share, _ = of(at)
        return np.inf if at[-1] <= 0 else -np.where(known, np.log(at[-1]) - off**2 / 2, share).sum()

    def slope(at):
        off, _, ratio = of(at)
        found = design.T @ np.where(known, off, beyond * ratio)
        found[-1] -= known.sum() / at[-1]
        return found

    def curvature(at):
        off, _, ratio = of(at)
        found = (design.T * np.where(known, 1, ratio * (ratio - beyond * off))) @ design
        found[-1, -1] += known.sum() / at[-1] ** 2
        return found

    start = np.linalg.lstsq(matrix, value, rcond=None)[0]
    spread = (value - matrix @ start).std()
    found = optimize.minimize(cost, [*start / spread, 1 / spread], jac=slope, hess=curvature, method="trust-exact").x
    return found[:-1] / found[-1]


@cache
def leverage_powers():
    """Powers of the activation ratio and of compute with which leverage grows, with 95 % intervals over shapes.

    The third is that of compute within a width, where only the tokens change it. Runs beyond the dense line of their
    width count as bounds; under `known` they are left out.
    """
    found = along_width()
    rows = sparse().assign(
        log_el=np.log(found.leverage),
        beyond=found.beyond,
        log_a=lambda runs: np.log(runs.activation_ratio),
        log_c=lambda runs: np.log(runs.flops),
    )

    rows = rows[["log_a", "log_c", "log_el", "beyond", "d_model", "group"]].astype({"d_model": float, "beyond": float})

    def powers(some):
        found = []
        for chosen in (some, some[some.beyond == 0]):
            log_a, log_c, log_el, beyond, width = chosen.iloc[:, :5].to_numpy(dtype=float).T
            for level in (np.ones((len(width), 1)), width[:, None] == np.unique(width)):
                found.append(with_bounds(np.column_stack([log_a, log_c, level]), log_el, beyond))
        pooled, within, pooled_known, within_known = found
        return np.array([*pooled[:2], within[1], *pooled_known[:2], within_known[1]])

    drawn = intervals.bootstrap(powers, rows, by="group", draws=DRAWS)
    low, high = intervals.interval(drawn, freedom=rows.group.nunique() - 3)
    names = ("activation", "compute", "compute within a width")
    names += ("activation, known", "compute, known", "compute within a width, known")
    return dict(zip(names, zip(powers(rows), low, high, strict=True), strict=True))


LEFT_OUT = "Runs beyond the dense line of their width count as bounds; left out, as at first, they give the power {}."


@claim("small_moe_runs-C09")
def fewer_active_experts_have_leverage():
    powers = leverage_powers()
    value, known = powers["activation"], powers["activation, known"]
    note = f"Over the dense model of the same width, leverage grows with the power {spoken(*value, 3)} of the ratio."
    return sign(-value[2], -value[1], f"{note} {LEFT_OUT.format(spoken(*known))}")


@claim("small_moe_runs-C10")
def leverage_grows_with_compute():
    powers = leverage_powers()
    value, within, known = (powers[name] for name in ("compute", "compute within a width", "compute, known"))
    note = (
        f"Over the dense model of the same width, leverage grows with the power {spoken(*value, 3)} of compute, over "
        f"all shapes. Within a width, where compute changes by the tokens alone, the power is {spoken(*within, 3)}."
    )
    return sign(*value[1:], f"{note} {LEFT_OUT.format(spoken(*known, 3))}")


@claim("small_moe_runs-C11")
def eq_13_far_below():
    table, law = measured(), by_eq_13()
    inside = (table.low <= law) & (law <= table.high)
    turn = 10 ** (-PUBLISHED["a"] / PUBLISHED["d"])
    note = (
        f"Eq. 13 lies inside {int(inside.sum())} of {len(inside)} intervals; its median is {law.median():.2f}, "
        f"measured is {table.leverage.median():.2f}. Its exponent of activation changes sign at {turn:.0e} FLOP."
    )
    return Result(bool(inside.mean() >= 0.9), note)


# Granularity and learning rate


@cache
def slices():
    """The two slices: experts finer at expansion 16, and more of 32 experts active."""
    runs = every_run()
    runs = runs[(runs.plan == "grid") & (runs.seed == 0)]
    return {"expansion 16": runs[runs.n_routed == 16], "32 experts": runs[runs.n_listed == 32]}


@cache
def of_granularity(width=None):
    """Change of the loss with each doubling of granularity at expansion 16, its interval, and the number of widths.

    By default the slope is common to all widths.
    """
    finer = slices()["expansion 16"]
    finer = finer[(finer.n_tokens >= SHORTEST) & ((width is None) | (finer.d_model == width))]
    complete = finer.groupby(["d_model", "n_tokens"]).top_k.transform("nunique") == 3
    means = finer[complete].groupby(["d_model", "top_k"]).loss.mean().unstack()
    x = np.log2(means.columns.to_numpy(float))
    x -= x.mean()
    slope = float((means.to_numpy() @ x).sum() / (len(means) * x @ x))
    # As if the end points of a trunk erred alike: their mean has the noise of one run.
    sigma, _, freedom = noise()
    reach = sigma / np.sqrt(len(means) * x @ x) * stats.t.ppf(0.975, freedom)
    return slope, slope - reach, slope + reach, len(means)


@claim("small_moe_runs-C12")
def finer_experts_lower_the_loss():
    slope, low, high, widths = of_granularity()
    alone = "; ".join(f"{spoken(*of_granularity(width)[:3])} at width {width} alone" for width in (32, 64))
    note = f"The loss changes by {spoken(slope, low, high)} nats with each doubling over {widths} widths; {alone}."
    return sign(-high, -low, note)


@cache
def search():
    """The search of learning rates, with the rate that Eq. 3 of Tian et al. gives."""
    rows = data.load("small_moe_runs/lr_search")
    body = 6 * (rows.n_active - rows.n_embedding) * rows.n_tokens + rows.flops_attention
    return rows.assign(eq3=LEARNING_RATE["moe"](body))  # compute as the paper counts it


@claim("small_moe_runs-C13")
def learning_rate_of_eq_3():
    rows = search()[search().architecture == "moe"]
    best = rows.loc[rows.groupby("d_model").loss.idxmin()].set_index("d_model")
    off = best.eq3 / best.learning_rate
    note = "Eq. 3 over the best rate: " + ", ".join(f"{value:.2f} at width {width}" for width, value in off.items())
    return Result(bool((np.abs(np.log2(off)) <= 1).all()), f"{note}. The search has a step of a factor of two.")


# What these runs do not have


@claim("small_moe_runs-C15")
def best_granularity():
    finest = every_run().granularity.max() / 2
    return Cannot(f"Granularity reaches {finest:.0f} here, as the paper counts it; runs beyond 12 would decide it.")


@claim("small_moe_runs-C16")
def one_shared_expert():
    return Cannot("No run has a shared expert; the same grid with none, one and two would decide it.")


@claim("small_moe_runs-C17")
def cheapest_to_serve():
    return Cannot(
        "Models of this size are served at the overhead of a step; models of a size that is served would tell."
    )


@claim("small_moe_runs-C18")
def fewer_experts_after_training():
    return Cannot("The models are not kept; evaluating each with fewer experts than in training would decide it.")


@claim("small_moe_runs-C19")
def removed_experts():
    return Cannot("The models are not kept; evaluating each with experts removed would decide it.")


@claim("small_moe_runs-C20")
def ratio_of_all_to_active():
    return Cannot(
        "All experts of a width have one size; runs with experts of several sizes at one number would decide it."
    )


@claim("small_moe_runs-C21")
def band_of_widths():
    return Cannot("Each width has one depth; several shapes of one size would decide it.")


def layer_timings():
    """Timings of a layer of experts on a processor, with the names of layer and shape."""
    rows = data.load("moe_layer_timing/intel_xeon")
    layer = rows[["d_model", "d_expert", "n_routed"]].astype(str).agg("/".join, axis=1)
    return rows.assign(layer=layer, shape=layer + "/" + rows.top_k.astype(str))
