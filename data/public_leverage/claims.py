"""Claims on leverage, on size and experts, and on shapes, decided on training runs that others published.

Five parts share what they measure: Marin's runs, those of Step Law, those of Clark et al., size and experts in one
law, and the shape of a model. The last part, times of single layers, has no claims.
"""

from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy import stats

from moelaws import data
from moelaws.fitting import intervals as uncertainty
from moelaws.fitting import leverage
from moelaws.fitting.estimation import RELATIVE_SQUARES, fit, huber
from moelaws.laws import LAWS
from moelaws.laws.tian2025 import PUBLISHED
from moelaws.ledger import Cannot, Result, claim
from moelaws.ledger.claims import Ledger
from moelaws.models.catalogue import Architecture, GroupedAttention
from moelaws.models.ratios import activation_ratio, granularity
from moelaws.serving.experts import distinct_experts, even_experts
from moelaws.serving.layer import LayerTime
from moelaws.serving.steps import load_device

DRAWS = 400  # resampled tables behind each interval
JOINT = LAWS["tian2025"]
FITTED_ACTIVATION, FITTED_GRANULARITY = (1 / 128, 1), (2, 16)  # the range of the designs behind the joint law


def printed(name):
    """The printed values of a claim."""
    return np.array([one.value for one in Ledger("public_leverage").printed(f"public_leverage-{name}")])


def spoken(value, low, high):
    """A value with its interval, in words."""
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def decided(intervals, note, undecided, at=0.0):
    """Decide by intervals: true if all lie above a value, false if one lies below, undecided otherwise."""
    low, high = np.reshape(list(intervals), (-1, 2)).T
    if (high < at).any() or (low > at).all():
        return Result(bool((low > at).all()), note)
    return Cannot(f"{note} {undecided}")


def design(runs):
    """Activation ratio and granularity of runs."""
    columns = {name: runs[name].astype(float) for name in ("n_routed", "top_k", "d_model", "d_expert")}
    return {
        "activation_ratio": activation_ratio(columns["n_routed"], columns["top_k"]),
        "granularity": granularity(columns["d_model"], columns["d_expert"]),
    }


def by_law(runs, flops):
    """Leverage by Eq. 13 at the design and compute of each run."""
    return JOINT.predict(JOINT.theta(PUBLISHED), {**design(runs), "flops": np.asarray(flops, dtype=float)})


# Marin: sparse runs of seven budgets and a frontier of ten dense runs

VOCABULARY, SEQUENCE = 128_256, 4096
ALIKE = ("everything", "no output layer", "no attention scores", "neither (6 N D)")
PAPERS = "no output layer"  # how the law counts
FLOOR, SCATTER = 1.6, 0.003  # nats per token: floor of the publishers' law, and what two runs of one setting differ by


@cache
def marin(table):
    """One of Marin's tables, by run."""
    runs = data.load_runs("marin")
    return runs[runs.table == table].set_index("run")


@cache
def dense():
    """Marin's dense frontier, with parameters and compute of each run, FLOP: with the output layer and without."""
    runs = marin("dense_frontier").reset_index(drop=True)
    models = [
        Architecture(layers, d, VOCABULARY, GroupedAttention(d // 128, d // 128, 128), False, 4 * d, layers)
        for d, layers in zip(runs.d_model.astype(int), runs.n_layers.astype(int), strict=True)
    ]
    work = pd.DataFrame(
        {
            "forward": [m.training_flops(SEQUENCE) for m in models],
            "body": [m.training_flops(SEQUENCE, output_layer=False) for m in models],
            "n_body": [m.n_body_active for m in models],
            "n_output": [m.n_embedding for m in models],
        }
    )
    return runs.assign(**work, tokens=runs.flops / work.forward)


@cache
def accounts():
    """Compute of the dense and of the sparse runs in each way of counting, FLOP."""
    few, many = dense(), marin("v16_isoflop")
    output = 6 * many.n_tokens * many.d_model.astype(float) * VOCABULARY
    weights = 6 * many.n_tokens * many.n_active
    return {
        "as published": (few.flops, many.flops),
        "everything": (few.flops, many.flops + output),
        PAPERS: (few.tokens * few.body, many.flops),
        "no attention scores": (6 * few.tokens * (few.n_body + few.n_output), weights + output),
        "neither (6 N D)": (6 * few.tokens * few.n_body, weights),
    }


def frontier_of(account):
    """Dense runs with their compute as an account counts it."""
    return pd.DataFrame({"flops": accounts()[account][0].astype(float), "loss": dense().loss.astype(float)})


def counted(account, runs=None):
    """Sparse runs with their compute as an account counts it, and their loss on C4."""
    many = marin("v16_isoflop") if runs is None else runs
    flops = accounts()[account][1].loc[many.index].astype(float)
    return pd.DataFrame({"flops": flops, "loss": many.bits_per_byte_c4.astype(float)})


@cache
def interpolated(account):
    """Leverage of every sparse run over straight lines between the dense runs."""
    rows = counted(account)
    return leverage.interpolated(frontier_of(account), rows.loss) / rows.flops


@cache
def best(account):
    """The run of greatest leverage in each budget."""
    many = marin("v16_isoflop")
    return many.loc[interpolated(account).groupby(many.flops).idxmax()]


@cache
def measured(account):
    """Leverage of the best runs over a law of the dense ones, with intervals."""
    return leverage.measure(frontier_of(account), counted(account, best(account)), draws=DRAWS)


@cache
def law_marin():
    """Leverage of the best runs by Eq. 13."""
    runs = best(PAPERS)
    return by_law(runs, runs.flops)


@cache
def valleys():
    """Lowest points of parabolas through the runs of a budget, and the scatter of a run about them.

    Size is compute over six times tokens, as the publishers' parabolas have it. The largest budget has two widths.
    """
    rows, size = counted(PAPERS), marin("v16_isoflop").n_effective.astype(float)
    budgets = {b: at.index for b, at in rows.groupby("flops") if size[at.index].nunique() >= 4}
    free = [leverage.valley(size[at], rows.loss[at]) for at in budgets.values()]
    noise = float(np.sqrt(np.mean([found.noise**2 for found in free])))
    return {b: leverage.valley(size[at], rows.loss[at], noise=noise) for b, at in budgets.items()}, noise


@cache
def at_bottom():
    """Leverage of the lowest points of the parabolas."""
    found, _ = valleys()
    bottoms = pd.DataFrame({"flops": list(found), "loss": [v.loss for v in found.values()]})
    return leverage.over(measured(PAPERS).refits, bottoms, error=[v.error for v in found.values()])


def lowest(table):
    """Budget, loss and run of lowest Paloma loss in each budget of a table."""
    runs = marin(table)
    return runs.loc[runs.groupby("flops").loss.idxmin()].astype({"flops": float, "loss": float})


@cache
def recipes():
    """Leverage of a newer sparse recipe over the older one, of that over dense, and of the newer over dense."""
    older, newer, known = lowest("v16_isoflop"), lowest("may_recipe_isoflop"), measured(PAPERS).table
    gained = leverage.interpolated(older[["flops", "loss"]], newer.loss) / newer.flops.to_numpy()
    over_dense = interpolated(PAPERS)[known.index].to_numpy()
    # The older recipe's leverage at the compute that it would have needed.
    grown = np.exp(np.interp(np.log(gained * newer.flops), np.log(known.flops), np.log(over_dense)))
    columns = {
        "newer over older": gained,
        "older over dense": over_dense[: len(newer)],
        "newer over dense": gained * grown,
    }
    return pd.DataFrame(columns, index=newer.flops.to_numpy())


@cache
def expert_counts():
    """Runs of one recipe that differ in experts: leverage over 64 experts, its error, Eq. 13, and that in time."""
    ablation = marin("expert_count_ablation")
    baseline = ablation[(ablation.n_routed == 64) & (ablation.top_k == 4)].set_index("d_model")
    others = ablation[ablation.speedup_reported != 1].copy()
    old = baseline.loc[others.d_model]
    power, excess = printed("C18")[1], others.loss.to_numpy() - FLOOR
    others["measured"] = ((old.loss.to_numpy() - FLOOR) / excess) ** (1 / power)
    others["error"] = np.sqrt(2) * SCATTER / (power * excess)  # of the logarithm
    others["speed"] = others.tokens_per_s / old.tokens_per_s.to_numpy()
    others["in time"] = others.measured * others.speed
    # All have experts half as wide as the hidden size; the activation ratio alone differs.
    new = others.assign(d_expert=others.d_model / 2)
    known = new.assign(n_routed=64, top_k=4)
    law = np.ones(len(others))
    for _ in range(20):  # the old design needs that many times the compute
        law = by_law(new, others.flops) / by_law(known, others.flops * law)
    return others.assign(**{"Eq. 13": law}).astype(dict.fromkeys(["measured", "error", "speed", "in time"], float))


def more_experts():
    """The pairs with more than 64 experts."""
    return expert_counts().query("n_routed > 64")


@cache
def publishers_fits():
    """Fits of loss over compute as the publishers make them: of the Paloma loss with a floor, and of C4."""
    macro, c4 = lowest("v16_isoflop"), counted(PAPERS)
    c4 = c4.loc[c4.groupby("flops").loss.idxmin()]
    return (
        fit(LAWS["frontier"], macro[macro.flops < 5e20], hold={"E": FLOOR}),
        fit(LAWS["frontier"], c4[c4.flops < 5e20]),
    )


@cache
def projected(flops):
    """What both fits predict at a compute, and the intervals of the predictions."""
    values, ends = [], []
    for one in publishers_fits():
        point = pd.DataFrame({"flops": [flops]})
        # Fewer draws do not reach as far into the tails as so few budgets need.
        draws = uncertainty.refits(one, draws=10 * DRAWS)
        means = one.law.predict(one.problem.theta(draws.coefficients), point)
        values.append(float(one.predict(point)[0]))
        ends.append(draws.interval(means)[:, 0].tolist())
    return values, ends


GROWTH_NEEDS = "Dense runs that fix the frontier better would decide it; ten do not."


@claim("public_leverage-C01")
def leverage_grows():
    value, *ends = measured(PAPERS).exponent()
    note = (
        f"Exponent {spoken(value, *ends)}, from seven runs and ten dense ones; the law's own growth lies inside, too."
    )
    return decided(
        [ends], note, f"{GROWTH_NEEDS} When an interval that held zero counted against a claim, it differed."
    )


@claim("public_leverage-C02")
def leverage_grows_in_each_account():
    found = {account: measured(account).exponent() for account in ALIKE}
    note = "; ".join(f"{account}: {spoken(*ends)}" for account, ends in found.items()) + "."
    return decided([ends[1:] for ends in found.values()], note, f"{GROWTH_NEEDS} By the older criterion it differed.")


@cache
def law_growth():
    """Exponent of Eq. 13 in compute along the best runs."""
    return np.polyfit(np.log(best(PAPERS).flops.astype(float)), np.log(law_marin()), 1)[0]


@claim("public_leverage-C03")
def growth_of_the_law():
    value, low, high = measured(PAPERS).exponent()
    note = f"Eq. 13 grows with the power {law_growth():.3f} along these designs; measured {spoken(value, low, high)}."
    return Result(low <= law_growth() <= high, note)


@claim("public_leverage-C04")
def law_against_marin():
    table = measured(PAPERS).table
    inside = table.low.le(law_marin()) & table.high.ge(law_marin())
    ratio = table.leverage / law_marin()
    return Result(
        bool(inside.all()),
        f"{inside.sum()} of {len(inside)} inside; the measured leverage is {ratio.min():.2f} to {ratio.max():.2f} "
        "times the law's. "
        "The sparse recipe has more than experts over the dense one, and how much of the leverage that is, the runs "
        "do not say.",
    )


@claim("public_leverage-C05")
def more_experts_more_leverage():
    more = more_experts()
    # Both losses of a pair scatter alike, so that each ratio has the same error as one over 64 experts.
    steps = [
        (np.log(at.measured / before), at.error)
        for count in (128, 256)
        for at in [more[more.n_routed == count].set_index("d_model")]
        for before in (
            [1.0] if count == 128 else [1.0, more[more.n_routed == 128].set_index("d_model").measured.loc[at.index]]
        )
    ]
    z = np.concatenate([step / error for step, error in steps])
    ranges = [
        f"{at.min():.2f} to {at.max():.2f} with {count} experts" for count, at in more.groupby("n_routed").measured
    ]
    return Result(
        bool((z > stats.norm.ppf(0.975)).all()),
        f"Over 64 experts {' and '.join(ranges)}; the least sure of {len(z)} ratios exceeds one by {z.min():.1f} "
        "standard errors.",
    )


@cache
def off_the_law():
    """Measured leverage of more experts over Eq. 13's, as a logarithm, and in standard errors."""
    more = more_experts()
    off = np.log(more.measured / more["Eq. 13"])
    return off, off / more.error


@claim("public_leverage-C06")
def ratios_of_the_law():
    off, z = off_the_law()
    inside, joint = z.abs() <= stats.norm.ppf(0.975), stats.chi2.sf(np.sum(z**2), len(z))
    return Result(
        bool(inside.all()),
        f"{inside.sum()} of {len(z)} ratios lie inside, the farthest off by {z.abs().max():.1f} standard errors, "
        f"{100 * off.abs().max():.0f} % "
        f"from the law (the smallest model). Taken together the seven have a probability of {joint:.2g} if only the "
        "scatter were at work.",
    )


@claim("public_leverage-C17")
def lowest_losses():
    found = lowest("v16_isoflop").query("flops < 5e20")
    return Result(
        found.loss.tolist(),
        f"At the smallest budget the model of width {int(found.d_model.iloc[0])} in the same table has a lower loss "
        "than the one printed as best.",
    )


@claim("public_leverage-C18")
def law_of_the_best_loss():
    found, rows = publishers_fits()[0], publishers_fits()[0].table
    ends = uncertainty.profile(found)
    size, power = printed("C18")
    apart = np.abs(found.predict(rows) - FLOOR - size * rows.flops**-power).max()
    return Result(
        [found.values["A"], found.values["alpha"]],
        f"The two trade off: within the budgets the printed law and this one differ by at most {apart:.4f} nats. By "
        "rounding alone they differ.",
        [ends["A"], ends["alpha"]],
    )


@claim("public_leverage-C19")
def law_of_the_best_bits():
    found = publishers_fits()[1]
    ends = uncertainty.profile(found)
    keys = ("E", "A", "alpha")
    return Result(
        [found.values[key] for key in keys],
        "Six points and three coefficients, so that agreement says little. By rounding alone they differ.",
        [ends[key] for key in keys],
    )


@claim("public_leverage-C20")
def projected_to_1e21():
    return Result(projected(1e21)[0], "By rounding alone they were close.", projected(1e21)[1])


@claim("public_leverage-C21")
def projected_to_1e23():
    return Result(
        projected(1e23)[0],
        "The projection on C4 needs the free floor, which six points fix badly; that of the macro loss has its floor "
        "held. By rounding alone they differ.",
        projected(1e23)[1],
    )


@claim("public_leverage-C22")
def prediction_of_the_large_run():
    runs = data.load_runs("marin")
    final = runs[(runs.table == "compute_optimal") & (runs.flops == 1e23)].loss.iloc[0]
    announced, power = printed("C21")[0], printed("C18")[1]
    below = 100 * (1 - final / announced)
    worth = ((announced - FLOOR) / (final - FLOOR)) ** (1 / power)
    return Result(
        [below, below],
        f"Final loss {final:.4f}; in compute, the run did as well as the law says of {worth:.2f} times its budget.",
    )


@claim("public_leverage-C23")
def best_size_and_tokens():
    runs, bests = marin("v16_isoflop"), lowest("v16_isoflop").query("flops < 5e20")
    budgets = [runs[runs.flops == flops] for flops in bests.flops]
    x = np.log(bests.flops)
    lines = [
        stats.linregress(x, np.log([leverage.valley(at[name].astype(float), at.loss).size for at in budgets]))
        for name in ("n_effective", "n_tokens")
    ]
    reach = stats.t.ppf(0.975, len(x) - 2)
    whole = [leverage.valley(at.n_effective.astype(float), at.loss, nearest=99).size for at in budgets]
    return Result(
        [line.slope for line in lines],
        f"Parabolas through all runs of a budget give {stats.linregress(x, np.log(whole)).slope:.3f} for size; the "
        "sizes of the best runs "
        f"themselves, without a parabola, {stats.linregress(x, np.log(bests.n_effective.astype(float))).slope:.3f}. "
        "The printed exponent of size lies just inside its interval and that of tokens outside by less than its last "
        "digit; "
        "the two say one thing, as they add up to one.",
        [(line.slope - reach * line.stderr, line.slope + reach * line.stderr) for line in lines],
    )


@claim("public_leverage-C24")
def effective_speedups():
    return Result(expert_counts()["in time"].to_numpy())


# FLAME-MoE's law of loss


@claim("public_leverage-C25")
def law_of_flame():
    runs = data.load_runs("flame")
    found, keys = fit(LAWS["dense"], runs, huber(1e-3)), ("E", "A", "B", "alpha", "beta")
    ends = uncertainty.refits(found, by="group", draws=DRAWS).ranges()
    at_printed = found.law.theta(dict(zip(keys, printed("C25"), strict=True)))
    above = found.problem.objective(at_printed) / found.objective - 1
    longer = fit(LAWS["dense"], runs[runs.n_tokens > runs.n_active], huber(1e-3))
    return Result(
        # The valley is flat: further digits of B are the processor's.
        [float(f"{found.values[key]:.4g}") for key in keys],
        f"{len(runs)} of the publishers' 80 runs are public, so that their optimum cannot be repeated. On these the "
        f"objective is {100 * above:.0f} % higher "
        "at the printed coefficients, each of which lies inside a wide interval; without the "
        f"{len(runs) - len(longer.table)} runs of at most one "
        f"token for each parameter the exponents are {longer.values['alpha']:.2f} and {longer.values['beta']:.2f}. By "
        "rounding alone they differ.",
        [ends[key] for key in keys],
    )


# Step Law: 17 dense cells and four sparse designs of one total size


@cache
def step(architecture):
    """Step Law's best runs of each cell, sparse or dense."""
    runs = data.load_runs("steplaw")
    return runs[runs.architecture == architecture].set_index("run")


def with_scores(runs, sequence=2048):
    """Work of a token with attention scores over that without."""
    scores = 12 * sequence * runs.d_model.astype(float) * runs.n_layers.astype(float)
    return 1 + scores / (6 * runs.n_active)


@cache
def step_law():
    """The law of size and tokens of the dense cells, and its refits."""
    return uncertainty.refits(fit(LAWS["dense"], step("dense")), draws=300)


@cache
def step_leverage(reference):
    """Leverage of the sparse runs over the dense model of the same tokens, of least compute, or as the paper counts."""
    runs = step("moe")
    table = runs[["n_tokens", "loss"]].assign(flops=6 * runs.n_active * runs.n_tokens)
    if reference == "with scores":
        # The same factor for every dense model leaves their best allocation as it is.
        table["flops"] *= with_scores(runs) / with_scores(step("dense")).mean()
    return leverage.over(step_law(), table, same_tokens=reference == "same tokens")


@cache
def law_step():
    """Leverage of the sparse runs by Eq. 13, counted as the paper counts."""
    runs = step("moe")
    return pd.Series(by_law(runs, 6 * runs.n_active * runs.n_tokens * with_scores(runs)), runs.index)


@cache
def in_range():
    """Whether the designs of the sparse runs lie in the range that the law was fitted in."""
    ends = {"activation_ratio": FITTED_ACTIVATION, "granularity": FITTED_GRANULARITY}
    inside = [
        (low <= design(step("moe"))[name]) & (design(step("moe"))[name] <= high) for name, (low, high) in ends.items()
    ]
    return pd.Series(np.all(inside, axis=0), step("moe").index)


def places(name):
    """Places of the runs of a design among the draws, by tokens."""
    runs = step("moe")
    return runs.index.get_indexer(runs[runs.group == name].sort_values("n_tokens").index)


@claim("public_leverage-C07")
def leverage_grows_with_tokens():
    whole = step_leverage("with scores")
    found = {}
    for name in step("moe").group.unique():
        at = places(name)
        found[name] = leverage.Measured(whole.table.iloc[at], whole.draws[:, at], whole.refits).exponent()
    note = (
        "Exponents by design: "
        + ", ".join(f"{name} {spoken(*ends)}" for name, ends in found.items())
        + ". Compute grows by tokens alone, so that part of it is the sparse model's way to its best allocation."
    )
    return decided([ends[1:] for ends in found.values()], note, "Runs at the best allocation would decide it.")


@claim("public_leverage-C08")
def order_of_designs():
    whole, ratios = step_leverage("with scores"), design(step("moe"))["activation_ratio"]
    by_ratio = step("moe").group.iloc[np.argsort(-ratios, kind="stable")].unique()
    found = {}
    for few, many in pairwise(by_ratio):
        at, over = places(many), places(few)
        found[f"{many} over {few}"] = (
            whole.table.leverage.to_numpy()[at] / whole.table.leverage.to_numpy()[over],
            whole.interval(whole.draws[:, at] / whole.draws[:, over]),
        )
    note = (
        "; ".join(
            f"{name} {values.min():.2f} to {values.max():.2f}, above one beyond doubt at {(ends[0] > 1).sum()} of "
            f"{len(values)} numbers of tokens"
            for name, (values, ends) in found.items()
        )
        + ". At equal total size a design of higher activation has more active parameters, too."
    )
    undecided = "Repeated runs would decide the last pair. By the order of the estimates alone it differed."
    return decided(np.concatenate([ends.T for _, ends in found.values()]), note, undecided, at=1.0)


@claim("public_leverage-C09")
def leverage_above_one():
    table, within = step_leverage("with scores").table, in_range()
    inside, least = table[within], table.leverage.idxmin()
    note = (
        f"In the law's range {(inside.low > 1).sum()} of {len(inside)} runs lie above one with their whole interval "
        f"and {(inside.high < 1).sum()} below. "
        f"Outside it, with experts wider than the model, {(table[~within].high < 1).sum()} of "
        f"{len(table) - len(inside)} lie below, "
        f"the lowest at {spoken(*table.loc[least, ['leverage', 'low', 'high']])}."
    )
    undecided = (
        "Repeated runs would decide those whose interval holds one. With the runs outside the range it differed."
    )
    return decided(inside[["low", "high"]].to_numpy(), note, undecided, at=1.0)


@claim("public_leverage-C10")
def law_against_step_law():
    table, law, within = step_leverage("with scores").table, law_step(), in_range()
    inside = (table.low <= law) & (law <= table.high)
    ratio = law / table.leverage
    note = (
        f"{inside[within].sum()} of {within.sum()} values in the law's range lie inside, "
        f"{(law < table.low)[within].sum()} below; the law gives "
        f"{ratio[within].min():.2f} to {ratio[within].max():.2f} times the measured leverage. Of all {len(table)} "
        f"runs {inside.sum()} lie inside."
    )
    if inside[within].all() or (law < table.low)[within].any():
        return Result(bool(inside[within].all()), note)
    return Cannot(
        f"{note} Sparse runs at the best allocation of their compute would decide it. When all had to lie inside, it "
        "differed."
    )


# Clark et al.: dense models that were given 2 to 512 experts, all trained on the same tokens


@cache
def grid():
    """The main grid: one active expert, a routed layer in every other, no widened layer."""
    runs = data.load_runs("clark2022").query("k == 1 and routing_frequency == 0.5 and flop_increase == 1")
    return runs.assign(flops=6 * runs.n_dense * runs.n_tokens)


@cache
def clark_measured():
    """Leverage of the routed runs over the law of the dense ones."""
    runs = grid()
    return leverage.measure(runs[runs.router == "Dense"], runs[runs.router != "Dense"].set_index("run"), draws=DRAWS)


@cache
def clark():
    """The routed runs with leverage, activation ratio and rounded size, in millions."""
    runs = grid().query("router != 'Dense'").set_index("run")
    columns = {"activation_ratio": 1 / runs.n_routed.astype(float), "size": (runs.n_dense / 1e6).round()}
    return runs.assign(leverage=clark_measured().table.leverage, **columns)


@cache
def by_size():
    """Eq. 10 fitted to the leverages of each size."""
    return {size: fit(LAWS["tian2025_activation"], rows, hold={"A_max": 1e6}) for size, rows in clark().groupby("size")}


@cache
def growth_by_experts(joint=False):
    """Exponent of leverage in compute for each router and number of experts, with its interval.

    Joint intervals hold together with 95 % after Bonferroni; they end at the last draw, and so are rather too short.
    """
    runs, found = clark(), {}
    pairs = runs.groupby(["router", "n_routed"])
    level = 1 - 0.05 / len(pairs) if joint else 0.95
    for name, rows in pairs:
        x = np.log(rows.n_dense.to_numpy(dtype=float))
        weights = (x - x.mean()) / np.sum((x - x.mean()) ** 2)
        draws = np.log(clark_measured().draws[:, runs.index.get_indexer(rows.index)]) @ weights
        found[name] = (np.log(rows.leverage) @ weights, *clark_measured().interval(draws, level))
    return pd.DataFrame.from_dict(found, orient="index", columns=["exponent", "low", "high"])


@cache
def growth_of_activation():
    """Change of the logarithm of activation's power with each e-fold of size, with the error of the dense law.

    The power is the slope of a line through the logarithms of leverage and activation of one size.
    """
    runs, drawn = clark(), np.log(clark_measured().draws)
    powers = {}
    for size, rows in runs.groupby("size"):
        x = np.log(rows.activation_ratio.to_numpy(dtype=float))
        weights = (x.mean() - x) / np.sum((x - x.mean()) ** 2)
        every = np.vstack([np.log(rows.leverage), drawn[:, runs.index.get_indexer(rows.index)]])
        powers[size] = np.log(every @ weights)
    x = np.log(list(powers))
    value, *slopes = (x - x.mean()) @ np.array([*powers.values()]) / np.sum((x - x.mean()) ** 2)
    return value, *clark_measured().interval(np.array(slopes))


SAME_TOKENS = "The paper itself says that a fixed number of tokens trains large sparse models too little."


@claim("public_leverage-C11")
def each_step_of_experts():
    rows = [at.sort_values("n_routed") for _, at in clark().groupby(["router", "size"])]
    steps = np.concatenate([np.diff(at.leverage) for at in rows])
    return Result(
        bool((steps > 0).all()), f"Leverage rises at {(steps > 0).sum()} of {len(steps)} steps to more experts."
    )


@claim("public_leverage-C12")
def growth_at_fixed_tokens():
    found, joint = growth_by_experts(), growth_by_experts(joint=True)
    note = (
        f"Exponents from {found.exponent.min():.2f} to {found.exponent.max():.2f}; of {len(found)}, "
        f"{(found.low > 0).sum()} lie above zero "
        f"and {(found.high < 0).sum()} below with their whole interval, which ends {-found.high.min():.3f} below zero. "
        f"By chance alone {len(found) * 0.05 / 2:.1f} would. Of intervals that hold together with 95 % "
        f"{(joint.high < 0).sum() or 'none'} lies below"
        f"{'' if (joint.high < 0).any() else ': by them the claim could not be decided'}. "
        f"{(found.exponent > 0).sum() or 'None'} of the estimates is positive. {SAME_TOKENS}"
    )
    return decided(found[["low", "high"]].to_numpy(), note, "Runs with tokens that grow with size would decide it.")


@claim("public_leverage-C13")
def exponent_of_activation():
    values = np.array([-f.values["a_A"] for f in by_size().values()])
    ends = np.array([uncertainty.profile(f)["a_A"] for f in by_size().values()])
    errors = np.ptp(ends, axis=1) / (2 * stats.norm.ppf(0.975) * values)
    # Compute is proportional to size here, since all models see the same tokens.
    x = np.log(list(by_size()))
    matrix = np.column_stack([np.ones(len(x)), x]) / errors[:, None]
    slope = np.linalg.lstsq(matrix, np.log(values) / errors)[0][1]
    reach = stats.norm.ppf(0.975) * np.sqrt(np.linalg.inv(matrix.T @ matrix)[1, 1])
    note = (
        f"Its logarithm changes by {spoken(slope, slope - reach, slope + reach)} for each e-fold of compute. Sizes of "
        "the exponent from the "
        f"smallest to the largest model: {', '.join(f'{x:.2f}' for x in values)}. Here the dense law counts as known; "
        f"with its error, and a plain power of activation, the change is {spoken(*growth_of_activation())}. "
        f"{SAME_TOKENS}"
    )
    return decided([(slope - reach, slope + reach)], note, "Larger models would decide it.")


@claim("public_leverage-C14")
def leverage_within_ten():
    runs = clark()
    over = runs[runs.leverage > 10]
    return Result(
        len(over) < len(runs) / 2,
        f"{len(over)} of {len(runs)} runs exceed it, up to {runs.leverage.max():.1f}, all with "
        f"{int(over.n_routed.min())} experts or more "
        f"and at most {over['size'].max():.0f} million parameters; compared at equal tokens.",
    )


@claim("public_leverage-C15")
def leverage_above_seven():
    runs = marin("v16_isoflop")
    largest = runs.loc[runs.flops.idxmax()]
    return Cannot(
        f"The largest public sparse run with a dense frontier has {largest.flops:.0e} FLOP, granularity "
        f"{2 * largest.d_model / largest.d_expert:.0f} "
        f"and one in {largest.n_routed / largest.top_k:.0f} experts active; runs of that design near that compute, "
        "and dense ones, would decide it."
    )


@claim("public_leverage-C16")
def best_granularity():
    return Cannot(
        "In no public set does granularity vary alone: it is tied to width, or to the number of experts. "
        "Runs that cut the same experts finer, at equal compute, would decide it."
    )


@claim("public_leverage-C26")
def accuracy_over_dense():
    return Cannot(
        "No dense run of this set is public; accuracies of dense models of the same data and compute would decide it."
    )


# Size, experts and tokens in one law

EQ4, WITH_TOKENS, OF_CLARK = (LAWS[key] for key in ("yun2024", "yun2024_data", "clark2022"))
ONE_NUMBER_OF_TOKENS = {"C": 0.0, "gamma": 1.0}  # the term of tokens is then part of the constant


def left_out(rows, apart, variants):
    """Fits to the other rows, and the logarithm of predicted over measured loss in these, per cent."""
    fits = {key: fit(law, rows[~apart], hold=hold) for key, (law, hold) in variants.items()}
    rest = rows[apart]
    misses = {key: 100 * np.log1p(f.errors(rest)) for key, f in fits.items()}
    return fits, pd.DataFrame(misses, index=rest.index).assign(group=rest.group)


def excess(misses, one, other):
    """Root mean square error of one law less that of another, and its 95 % interval over groups left out."""

    def difference(rows):
        return np.sqrt((rows[one] ** 2).mean()) - np.sqrt((rows[other] ** 2).mean())

    draws = uncertainty.bootstrap(difference, misses, "group", DRAWS)
    return difference(misses), *uncertainty.interval(draws, freedom=misses.group.nunique() - 1)


def errors(fits, misses):
    """Root mean square errors in per cent of the loss, on the rows fitted and on those left out."""
    fitted = {k: 100 * np.sqrt((np.log1p(f.errors()) ** 2).mean()) for k, f in fits.items()}
    return pd.DataFrame({"fitted (%)": fitted, "left out (%)": {k: np.sqrt((misses[k] ** 2).mean()) for k in fits}})


@cache
def without_the_largest():
    """For each router: three laws fitted without the largest size, and how they miss it."""
    variants = {
        "no interaction": (EQ4, ONE_NUMBER_OF_TOKENS | {"d": 0.0}),
        "Eq. 4": (EQ4, ONE_NUMBER_OF_TOKENS),
        "Clark et al.": (OF_CLARK, {}),
    }
    runs = grid()
    rows = {name: runs[runs.router.isin([name, "Dense"])] for name in runs.router.unique() if name != "Dense"}
    return {name: left_out(some, some.n_dense > 1e9, variants) for name, some in rows.items()}


@cache
def without_the_longest():
    """Three laws fitted without the longest sixth of the upcycled runs, and how they miss these."""
    variants = {
        "no interaction": (EQ4, {"d": 0.0}),
        "Eq. 4": (EQ4, {}),
        "tokens and experts": (WITH_TOKENS, {}),
    }
    runs = data.load_runs("liew2025").query("top_k == 2")
    return left_out(runs, runs.n_tokens > runs.n_tokens.quantile(5 / 6), variants)


@cache
def gains(n_routed=128, router="S-Base"):
    """Per cent by which experts lower the loss of a dense model, by size: measured, and by each law."""
    runs, fits = grid(), without_the_largest()[router][0]
    loss, sizes = runs.groupby(["router", "n_dense", "n_routed"]).loss.mean(), np.sort(runs.n_dense.unique())
    found = {"measured": [1 - loss[router, size, n_routed] / loss["Dense", size, 1] for size in sizes]}
    for name, one in fits.items():
        columns = {key: np.repeat(sizes, 2) for key in ("n_dense", "n_active")} | {"n_tokens": np.ones(2 * len(sizes))}
        experts = np.tile([1, n_routed], len(sizes))
        dense_loss, routed_loss = one.law.predict(one.coefficients, columns | {"n_routed": experts}).reshape(-1, 2).T
        found[name] = 1 - routed_loss / dense_loss
    return 100 * pd.DataFrame(found, index=sizes).T


def differences(one, other):
    """Excess of one law over another for each router, with intervals, and a sentence."""
    found = {name: excess(misses, one, other) for name, (_, misses) in without_the_largest().items()}
    return found, "Differences in per cent of the loss: " + "; ".join(
        f"{name} {spoken(*v)}" for name, v in found.items()
    ) + "."


@claim("public_leverage-C30")
def interaction_of_size_and_experts():
    found, note = differences("Eq. 4", "no interaction")
    return decided(
        [(-high, -low) for _, low, high in found.values()],
        f"{note} Its sign is the opposite of that in the law of Clark et al.",
        "Runs of a larger size would decide it. With plain percentiles as intervals it agreed.",
    )


@claim("public_leverage-C31")
def eq4_against_clark():
    found, note = differences("Eq. 4", "Clark et al.")
    note += " Eq. 4 adds the term of experts, which makes their gain grow with size; in the runs it falls."
    allowed = [0.1 * np.sqrt((misses["Clark et al."] ** 2).mean()) for _, misses in without_the_largest().values()]
    low, high = np.transpose([ends for _, *ends in found.values()])
    if (low > 0).any() or (high < allowed).all():
        return Result(bool((low <= 0).all()), note)
    return Cannot(f"{note} Runs of a larger size would decide it.")


@claim("public_leverage-C32")
def interaction_of_tokens_and_experts():
    _, misses = without_the_longest()
    value, low, high = excess(misses, "tokens and experts", "Eq. 4")
    excluded = -0.1 * np.sqrt((misses["Eq. 4"] ** 2).mean())
    note = (
        f"Difference in per cent of the loss {spoken(value, low, high)}, where a tenth of the error is "
        f"{-excluded:.2f}. The {misses.group.nunique()} groups "
        "of runs have 4 to 32 experts made from dense models, and some coefficients end at bounds, so that it says "
        "little of other runs."
    )
    if high < 0 or low > excluded:
        return Result(not high < 0, note)
    return Cannot(f"{note} Runs with fewer and more experts would decide it.")


# The shape of a model

SHARE = 0.01  # above the lowest loss, and still near-optimal
SIZES = np.array([1e8, 5e8, 1e9, 2e9])
MIDDLE = 55  # billion tokens
UNENDING = 1e300  # stands for a band without end, so that quantiles can be taken


@cache
def flame():
    """FLAME-MoE's complete budgets, runs of more tokens than parameters: all, and those within 5 % of the best."""
    columns = dict.fromkeys(("d_model", "flops", "loss", "n_active", "n_tokens"), float)
    runs = data.load_runs("flame")[["group", *columns]].astype(columns)
    runs = runs[(runs.n_tokens > runs.n_active) & (runs.flops > 5e18)]
    return {"all": runs, "within 5 %": runs[runs.loss < 1.05 * runs.groupby("flops").loss.transform("min")]}


@cache
def gemstones():
    """Gemstones' cooled checkpoints with width over depth, parameters without embeddings, and billions of tokens."""
    columns = dict.fromkeys(("n_active", "n_embedding", "n_tokens", "d_model", "n_layers", "loss"), float)
    runs = data.load_runs("gemstones2025").query("series == 'cooled'")[["group", *columns]].astype(columns)
    return pd.DataFrame(
        {
            "group": runs.group,
            "n_active": runs.n_active,
            "body": runs.n_active - runs.n_embedding,
            "ratio": runs.d_model / runs.n_layers,
            "billions": (runs.n_tokens / 1e9).round().astype(int),
            "loss": runs.loss,
        }
    )


def levels():
    """Numbers of tokens at which enough shapes were cooled, billions."""
    found = np.unique(gemstones().billions)
    return found[found < 110]


def doublings(bend):
    """Width of a near-optimal band; without end where there is no valley."""
    half = np.sqrt(np.log1p(SHARE) / np.where(bend > 0, bend, np.nan))
    return np.nan_to_num(2 * half / np.log(2), nan=np.inf)


def over_one(rows, column):
    """Best value and band of one quantity, by a parabola through the runs of a budget."""
    x = np.log(rows[column].to_numpy(dtype=float))
    bend, slope, _ = np.linalg.lstsq(np.vander(x - x.mean(), 3), np.log(rows.loss.to_numpy(dtype=float)))[0]
    return np.exp(x.mean() - slope / (2 * bend)), float(doublings(bend))


def terms(rows, size="n_active"):
    """Terms of the surface: log size n, log of width over depth s."""
    n = np.log(rows[size].to_numpy(dtype=float) / 5e8)
    s = np.log(rows.ratio.to_numpy(dtype=float) / 30)
    return np.column_stack([n**0, n, n**2, s, s * n, s**2, s**2 * n])


def surface(rows, size="n_active"):
    """Coefficients of the surface."""
    return np.linalg.lstsq(terms(rows, size), np.log(rows.loss.to_numpy(dtype=float)))[0]


def best_shape(found, sizes=SIZES):
    """Best ratio of width to depth, its band, and the band's exponent in size."""
    n = np.log(np.asarray(sizes) / 5e8)
    bend = found[5] + found[6] * n
    return 30 * np.exp(-(found[3] + found[4] * n) / (2 * bend)), doublings(bend), -found[6] / (2 * bend)


def bands_flame(rows, column="d_model"):
    """Best value and band at each budget."""
    return np.array([over_one(at, column) for _, at in rows.groupby("flops")]).T


def bands_gemstones(rows, size="n_active"):
    """Best ratio, band and exponent at each number of tokens and each size."""
    found = [best_shape(surface(rows[rows.billions == at], size)) for at in levels()]
    return np.moveaxis(found, 1, 0)


def power_of(x, bands):
    """Exponent with which a band, in the last axis, grows with x; none where a band has no end."""
    weights = np.log(x) - np.log(x).mean()
    return np.log(np.where(np.isfinite(bands), bands, np.nan)) @ weights / np.sum(weights**2)


def ends_of(values, groups, parameters):
    """95 % interval of draws of so many groups; draws without a value are left out."""
    kept = values[~np.isnan(values).any(axis=tuple(range(1, values.ndim)))]
    found = uncertainty.interval(np.minimum(kept, UNENDING), freedom=groups - parameters)
    return np.where(found < UNENDING / 1e100, found, np.inf)


@cache
def flame_bands(name):
    """Budgets, best widths and bands of a selection, the same of each draw, and the number of shapes."""
    rows = flame()[name]
    draws = uncertainty.bootstrap(bands_flame, rows, "group", DRAWS)
    return np.unique(rows.flops), bands_flame(rows), draws, rows.group.nunique()


@cache
def gemstones_bands():
    """Best ratios, bands and exponents, the same of each draw, and the number of shapes."""
    rows = gemstones()
    return bands_gemstones(rows), uncertainty.bootstrap(bands_gemstones, rows, "group", DRAWS), rows.group.nunique()


@cache
def flame_grows(name):
    """Exponent of the band in compute, with its interval."""
    flops, found, draws, groups = flame_bands(name)
    return power_of(flops, found[1]), *ends_of(power_of(flops, draws[:, 1]), groups, 3)


@cache
def gemstones_grows(name):
    """Exponent of the band in size, on average over tokens, or in tokens; at 500 million parameters, the middle."""
    found, draws, groups = gemstones_bands()
    found, draws = found[..., 1], draws[..., 1]
    if name == "size":
        return found[2].mean(), *ends_of(draws[:, 2].mean(axis=1), groups, 7)
    return power_of(levels(), found[1]), *ends_of(power_of(levels(), draws[:, 1]), groups, 7)


@claim("public_leverage-C27")
def several_widths():
    flops, bands, *_ = flame_bands("all")
    near = [at.d_model[at.loss <= (1 + SHARE) * at.loss.min()].nunique() for _, at in flame()["all"].groupby("flops")]
    return Result(
        min(near) > 1,
        f"{', '.join(map(str, near))} widths at {', '.join(f'{c:.0e}' for c in flops)} FLOP; by parabola the band is "
        f"{bands[1].min():.1f} to "
        f"{bands[1].max():.1f} doublings wide. Wider models are also larger. The paper asks for a tenth of the share, "
        "which these runs are too few for.",
    )


@claim("public_leverage-C28")
def band_of_widths():
    found = {name: flame_grows(name) for name in flame()}
    flops, (width, band), *_ = flame_bands("all")
    elements = power_of(flops, width * (2 ** (band / 2) - 2 ** (-band / 2)))
    return decided(
        [ends[1:] for ends in found.values()],
        f"Exponent of the band, a ratio of widths: {spoken(*found['all'])} with all runs of more tokens than "
        "parameters, "
        f"{spoken(*found['within 5 %'])} with those within 5 % of the best. In elements, where it grows with the best "
        f"width, {elements:.2f}.",
        "A wider range of budgets would decide it. When an interval that held zero counted against a claim, it "
        "differed.",
    )


@claim("public_leverage-C29")
def band_of_shapes():
    found = {name: gemstones_grows(name) for name in ("size", "tokens")}
    return decided(
        [ends[1:] for ends in found.values()],
        f"Exponent with size {spoken(*found['size'])}, with tokens {spoken(*found['tokens'])}. These models are dense.",
        "More shapes of each size would decide it. When an interval that held zero counted against a claim, it "
        "differed.",
    )


# Times of single layers; no claim rests on them

LAYER, MACHINE = LayerTime(), ["device", "framework", "dtype"]
V3 = "7168/2048/256/8"  # read faster than the memory allows, and left out of the fits


@cache
def layer_times():
    """NVIDIA's timings with the experts in use and a name for each shape.

    Tokens are spread evenly, so that all experts are in use as soon as there are as many choices as experts; where
    the spread is skewed, random routing stands in for it.
    """
    rows = data.load("moe_kernel_latency/latency")
    choices = [rows[name] for name in ("n_routed", "top_k", "tokens")]
    used = np.where(rows.distribution == "balanced", even_experts(*choices), distinct_experts(*choices))
    shape = rows[["d_model", "d_expert", "n_routed", "top_k"]].astype(str).agg("/".join, axis=1)
    return rows.assign(distinct_experts=used, shape=shape)


@cache
def machines():
    """The law of a layer's time, fitted for each device, framework and kind of number."""
    rows = layer_times()
    rows = rows[((rows.distribution == "balanced") | rows.device.str.startswith("A100")) & (rows["shape"] != V3)]
    return {key: fit(LAYER, some, RELATIVE_SQUARES, hold={"per_expert": 0}) for key, some in rows.groupby(MACHINE)}


def layer_ms(machine, tokens, top_k, used, **shape):
    """Time of a layer by the fitted law, milliseconds."""
    experts = used(shape["n_routed"], top_k, tokens)
    columns = {**shape, "tokens": tokens, "top_k": top_k, "distinct_experts": experts}
    return machines()[machine].predict({k: np.broadcast_to(v, len(tokens)) for k, v in columns.items()})


LOADS = np.geomspace(1, 16384, 113)
PAIR = {"d_model": 4096, "d_expert": 2048, "n_routed": 256, "weight_bytes": 1}  # measured with six and eight active
H200 = ("H200-141G-SXM", "VLLM 0.24.0", "fp8_block")


@cache
def six_over_eight():
    """Time with six active experts over that with eight: measured, by spread and machine, and by the H200's law."""
    rows = layer_times()
    rows = rows[(rows[[*PAIR]] == pd.Series(PAIR)).all(axis=1) & (rows.dtype == "fp8_block")]
    rows = rows.assign(machine=rows.device + ", " + rows.framework.str.partition(" ")[0])
    times = rows.pivot(index="tokens", columns=["distribution", "machine", "top_k"], values="time_ms")
    law = {
        spread: layer_ms(H200, LOADS, 6, used, **PAIR) / layer_ms(H200, LOADS, 8, used, **PAIR)
        for spread, used in (("balanced", even_experts), ("power_law_1.2", distinct_experts))
    }
    return times.xs(6, axis=1, level=2) / times.xs(8, axis=1, level=2), law


@cache
def share_of_sheet():
    """Fitted bandwidth of each machine over that of its data sheet."""
    sheets = data.load("devices/devices").set_index("device").bandwidth_gb_s
    return pd.Series({key: f.values["bandwidth"] / sheets[key[0]] for key, f in machines().items()})


@cache
def new_shape_errors():
    """Mean relative error of each shape, predicted by a fit to the others, for each machine."""
    return pd.Series({key: uncertainty.left_out_error(f, "shape") for key, f in machines().items()})


@cache
def layer_ranges(machine):
    """Intervals of a machine's coefficients over resampled shapes."""
    return uncertainty.refits(machines()[machine], by="shape", draws=DRAWS).ranges()


@cache
def sheet_errors():
    """Mean relative error of the least time that a data sheet gives, without any fit, for each machine."""
    found = {}
    for key, one in machines().items():
        device = load_device(key[0], "bf16" if key[2] == "bfloat16" else "fp8")
        least = device.roofline(1e12 * LAYER.work(one.table), 1e9 * LAYER.reads(one.table))
        found[key] = float(np.abs(1e3 * least / one.table.time_ms - 1).mean())
    return pd.Series(found)


def implied_experts(machine, shape, tokens=64):
    """Experts that a layer must have read to take as long as it did."""
    rows = layer_times().set_index(MACHINE).loc[machine].query("shape == @shape and tokens == @tokens")
    rows = rows[rows.distribution == "balanced"]
    rest, one = (machines()[machine].predict(rows.assign(distinct_experts=n)) for n in (0, 1))
    return float(((rows.time_ms - rest) / (one - rest)).iloc[0])
