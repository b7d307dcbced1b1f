"""What decides the claims of Yun et al. (2024): a function a row, after what several of them share.

A set of coefficients is *admissible* if it gives every printed size and ratio that no cost enters, to within twice a
stated tolerance; ``feasible.csv`` has such sets. Most functions say what the admissible sets give, from the least to
the most, and never how many of them, as they are not drawn evenly.
"""

from functools import cache, partial
from itertools import pairwise

import numpy as np
import pandas as pd

from moelaws import data
from moelaws.checks import Floats
from moelaws.laws.clark2022 import CLARK2022, PUBLISHED
from moelaws.laws.saturation import saturated
from moelaws.laws.yun2024 import YUN2024
from moelaws.ledger import Cannot, Result, claim
from moelaws.ledger.claims import Ledger, Printed
from moelaws.models import catalogue
from moelaws.models.ratios import active_ratio, total_ratio
from moelaws.papers.yun2024 import budget as along
from moelaws.papers.yun2024 import statements as stated
from moelaws.papers.yun2024.cost import cheapest, iteration, largest_batch, largest_size, step_times
from moelaws.papers.yun2024.overtraining import (
    Budget,
    budget,
    cheapest_at_loss,
    crossing,
    lowest_loss_at_cost,
    size_at_cost,
)
from moelaws.papers.yun2024.rules import DEVICE, LARGEST, RULES, STATEMENTS
from moelaws.serving.footprint import BYTES, MU, SHAREGPT, Footprint
from moelaws.serving.steps import StepTime, load_device

NAMES = [parameter.name for parameter in YUN2024.parameters]
EXPERTS = stated.EXPERTS[1:]
BUDGETS = np.array([stated.LOW, stated.MIDDLE, stated.HIGH, LARGEST])
PRINTED_RULE = "Eq. 5"


# What is printed


@cache
def table1() -> pd.DataFrame:
    """Return Table 1 with the layers and MLP widths that make its counts, and the counts of the printed layers."""
    table = data.load("yun2024/models").set_index("model")
    table["counted"], table["width"] = np.transpose([stack(row) for row in table.itertuples()])
    table["with_printed"] = table.n_layers * (4 * table.d_model**2 + 3 * table.d_model * table.width)
    table["mlp_share"] = 3 * table.width / (4 * table.d_model + 3 * table.width)
    return table


def stack(row) -> tuple[int, int]:
    """Return the only layers and whole width, of 5/2 to 8/3 of the hidden size, that make the count of a row."""
    h, layers = row.d_model, np.arange(1, 60)
    width = (row.n_dense / layers - 4 * h**2) / (3 * h)
    fits = (width == np.round(width)) & (width >= 5 * h / 2) & (width <= 8 * h / 3)
    ((layers, width),) = zip(layers[fits], width[fits].astype(int), strict=True)
    return layers, width


@cache
def ends_of(name: str) -> Floats:
    """Return the ends of a printed range."""
    return data.load("yun2024/statements").set_index("statement").loc[name, ["low", "high"]].to_numpy(float)


def largest_run() -> float:
    """Return the compute of the largest possible run, FLOP: the largest size, two active experts, 20e9 tokens."""
    return 6 * float(active_ratio(32)) * table1().n_dense.max() * 20e9


# Admissible sets


@cache
def admissible(counted: str = "active") -> Floats:
    """Return the admissible sets where these parameters count, in compute and in size."""
    table = data.load("yun2024/feasible")
    return table[(table.flops_of == counted) & (table.size_of == counted)][NAMES].to_numpy()


@cache
def predicted() -> Floats:
    """Return what the admissible sets give for each statement that they were asked for."""
    return stated.predict(admissible())


@cache
def bought(rule: str, counted: str = "active") -> Budget:
    """Return the middle budget of the text under all admissible sets, by a rule of cost."""
    return budget(admissible(counted), stated.MIDDLE, RULES[rule], partial(stated.ratio, counted))


@cache
def lowest() -> tuple[Floats, Floats]:
    """Return loss-optimal sizes and their losses: sets, budgets, experts."""
    grid, flops, kappa = admissible()[:, None, None], BUDGETS[:, None], active_ratio(stated.EXPERTS)
    best, _ = along.optimum(grid, flops, stated.EXPERTS, kappa)
    return best, along.loss_at(grid, best, flops, stated.EXPERTS, kappa)


@cache
def example() -> Floats:
    """Return the admissible set in which 32 experts lower the lowest loss by the median of all."""
    _, loss = lowest()
    fall = 1 - loss[:, 1, 4] / loss[:, 1, 0]
    return admissible()[fall.argsort()[len(fall) // 2]]


@cache
def sixteen_over_four() -> Floats:
    """Return the compute at which 16 experts reach the lowest loss of four, over the budget: sets, budgets."""
    _, loss = lowest()
    return along.flops_at_loss(admissible()[:, None], loss[:, :, 1], 16.0, active_ratio(16)) / BUDGETS


def pair(values, scale: float = 100) -> tuple[float, float]:
    """Return the least and the most."""
    return scale * float(np.nanmin(values)), scale * float(np.nanmax(values))


def to(pair_: tuple[float, float], digits: int = 1) -> str:
    """Return a range in words."""
    return f"{pair_[0]:.{digits}f} to {pair_[1]:.{digits}f}"


def middles(pairs) -> list[float]:
    """Return the middle of each range."""
    return [float(np.mean(one)) for one in pairs]


# Claims on cost: all rules alike


@cache
def reach(counted: str, rule: str, name: str) -> pd.DataFrame:
    """Return how far admissible sets reach in the numbers of a claim by a rule, in per cent."""
    table = data.load("yun2024/on_cost")
    rows = table[(table.counted == counted) & (table.rule == rule) & (table.claim == name)].set_index("what")
    return 100 * rows[["reach_low", "reach_high"]]


def pooled(rows: pd.DataFrame) -> tuple[float, float]:
    """Return the range of all rows together."""
    return float(rows.reach_low.min()), float(rows.reach_high.max())


def extremes(rows: pd.DataFrame) -> list[tuple[float, float]]:
    """Return the ranges of the smallest and of the largest of some numbers."""
    return [(float(f(rows.reach_low)), float(f(rows.reach_high))) for f in (np.min, np.max)]


def numbers(name: str, rule: str, counted: str = "active") -> list[tuple[float, float]]:
    """Return the range over the admissible sets for each printed number of a claim on cost."""
    if name == "R15":
        return [pair(quotient, 1) for quotient in halving(rule, counted)]
    rows = reach(counted, rule, name)
    if name == "R05":
        return list(rows.itertuples(index=False, name=None))
    if name == "R07":
        eight, sixteen = (pooled(rows[rows.index.str.contains(f"of {e} ")]) for e in (8, 16))
        return [eight, eight, sixteen, sixteen]
    if name == "R08":
        return [pooled(rows)] * 2
    if name == "R11":
        return [*rows.loc[["8 experts"]].itertuples(index=False, name=None), *extremes(rows.drop("8 experts"))]
    return extremes(rows)


def halving(rule: str, counted: str = "active") -> Floats:
    """Return size at equal cost of E/2 over that of E for E = 32, 16, 8, for each admissible set."""
    bound = bought(rule, counted).best(4.0).cost
    sizes = [size_at_cost(RULES[rule], np.where(np.isnan(bound), np.inf, bound), e) for e in EXPERTS[::-1]]
    return np.array([half / whole for whole, half in pairwise(sizes)])


def falls(rule: str, counted: str, base: float) -> Floats:
    """Return the falls of the logarithm of the loss at the cost of a base, from one number of experts to the next."""
    above = [e for e in EXPERTS if e > base]
    losses = [lowest_loss_at_cost(bought(rule, counted), base, e).chosen.loss for e in above]
    return -np.diff(np.log(losses), axis=0)


def lower_with_more(rule: str, counted: str = "active") -> Floats:
    """Return, for each admissible set, whether more experts lower the loss at equal cost, and less from 16 to 32."""
    found = [falls(rule, counted, base) for base in (1.0, 4.0)]
    return np.array([(f > 0).all(axis=0) & (f[-1] < f[-2]) for f in found]).all(axis=0)


def dearer_with_more(rule: str, counted: str = "active") -> Floats:
    """Return, for each admissible set, whether loss-optimal models with more experts cost more; nan if not served."""
    costs = np.array([bought(rule, counted).best(e).cost for e in stated.EXPERTS])
    return np.where(np.isnan(costs).any(axis=0), np.nan, (np.diff(costs, axis=0) > 0).all(axis=0))


def as_cheap(rule: str, counted: str = "active") -> Floats:
    """Return, for each admissible set, the size of 16 experts at the cost of the cheaper of the optima of 4 and 8."""
    b = bought(rule, counted)
    bound = np.fmin(b.best(4.0).cost, b.best(8.0).cost)
    return np.fmin(size_at_cost(RULES[rule], bound, 16.0), b.optimum(16.0))


def beaten_on_both(rule: str, counted: str = "active") -> Floats:
    """Return, for each admissible set, whether 16 experts beat the optima of 4 and 8 on loss and on cost."""
    b = bought(rule, counted)
    return b.loss(as_cheap(rule, counted), 16.0) < np.fmin(b.best(4.0).loss, b.best(8.0).loss)


def recommended(experts: float) -> pd.DataFrame:
    """Return what the recommended size of 16 or 32 experts costs over the best model with 4, by rule.

    With it, whether its loss lies above that of the best model with 8, with every set or with none.
    """
    share = ends_of({32.0: "R05.1", 16.0: "R05.2"}[experts])[0] / 100
    rows = {}
    for rule in RULES:
        b = bought(rule)
        n = share * b.optimum(experts)
        low, high = pair(b.cost(n, experts) / b.best(4.0).cost, 1)
        worse = b.loss(n, experts) > b.best(8.0).loss
        rows[rule] = {"low": low, "high": high, "always_worse": worse.all(), "never_worse": not worse.any()}
    return pd.DataFrame(rows).T


def thirty_two_dearer(rule: str, counted: str = "active") -> Floats:
    """Return, for each admissible set, whether 32 experts at the loss of four cost more than 16."""
    costs = [cheapest_at_loss(bought(rule, counted), 4.0, e).chosen.cost for e in (16.0, 32.0)]
    return costs[1] > costs[0]


def eight_cheapest(rule: str, counted: str = "active") -> Floats:
    """Return, for each admissible set, whether eight experts are cheapest at the loss of the dense optimum."""
    costs = np.array([cheapest_at_loss(bought(rule, counted), 1.0, e).chosen.cost for e in EXPERTS])
    return np.where(np.isnan(costs), np.inf, costs).argmin(axis=0) == 1


def printed(name: str) -> list[Printed]:
    """Return the printed numbers that `numbers` answers."""
    found = Ledger("yun2024").printed(f"yun2024-{name}")
    return [found[0]] * 2 if name == "R05" else found


def printed_text(name: str, places: list[int]) -> str:
    """Return printed numbers as the paper has them."""
    return "–".join(dict.fromkeys(printed(name)[place].text for place in places))


CLAUSES = {"R07": thirty_two_dearer, "R08": eight_cheapest}
"""What a claim says beside its numbers; one admissible set has to bear it out."""

HOLDING = {"R14": lower_with_more, "R16": dearer_with_more, "F04": beaten_on_both}
"""Claims without numbers; all admissible sets that can be served have to bear them out."""


@cache
def reached(name: str, rule: str, counted: str = "active") -> bool:
    """Return whether a rule reaches all that a claim prints."""
    if name in HOLDING:
        found = HOLDING[name](rule, counted).astype(float)
        served = found[~np.isnan(found)]
        return bool(len(served) and served.all())
    nearest = [
        one.verdict(float(np.clip(one.value, *range_)))
        for one, range_ in zip(printed(name), numbers(name, rule, counted), strict=True)
    ]
    return set(nearest) == {"agrees"} and (name not in CLAUSES or bool(CLAUSES[name](rule, counted).any()))


def by_rule(name: str, counted: str = "active") -> str:
    """Return what each rule gives for a claim, in words."""
    if name in HOLDING:
        shares = {rule: HOLDING[name](rule, counted).astype(float) for rule in RULES}
        return "; ".join(f"{rule}: {_how_many(found)}" for rule, found in shares.items())
    digits = 2 if name == "R15" else 1
    found = {rule: dict.fromkeys(to(one, digits) for one in numbers(name, rule, counted)) for rule in RULES}
    return "; ".join(f"{rule}: {', '.join(ranges)}" for rule, ranges in found.items())


def _how_many(found: Floats) -> str:
    served = found[~np.isnan(found)]
    if not len(served):
        return "not served"
    return "all sets" if served.all() else "some sets" if served.any() else "no set"


def on_cost(name: str, first: str, extra: str = "") -> Result | Cannot:
    """Decide a claim on cost by all rules; `first` says what an earlier criterion had given."""
    by = [rule for rule in RULES if reached(name, rule)]
    note = f"Least to most over the admissible sets, by rule. {by_rule(name)}. {extra}{first}"
    if 0 < len(by) < len(RULES):
        return Cannot(
            f"It is reached by {len(by)} of {len(RULES)} rules of cost ({', '.join(by)}), and the "
            "paper prints no rule: the "
            f"latencies, and the devices of a replica for each number, would decide. {note}"
        )
    if name in HOLDING:
        return Result(bool(by), note)
    ranges = numbers(name, PRINTED_RULE)
    return Result(middles(ranges), f"Shown is the rule of Eq. 5, with the whole range. {note}", ranges)


def first_criterion(name: str, verdict: str) -> str:
    """Return what the median of the draws by Eq. 5 gives, which decided these claims before."""
    values = [
        f"{100 * float(np.nanmedian(one.of(admissible(), PRINTED_RULE))):.1f} ({what})"
        for what, one in STATEMENTS[name].items()
    ]
    return f"By an earlier criterion, the median of the draws by Eq. 5: {', '.join(values)}; {verdict}."


# Data sheets against measurements


SERVERS = {
    8: ("DeepSeek-V2-Lite", ("A800-80G-PCIe",), 2, 2),
    9: ("DeepSeek-V3", ("H200-141G-SXM", "fp8"), 8, 1),
}
"""Tables 8 and 9 of Yang et al. (2025): model, device, number of devices, bytes of a weight."""


@cache
def against_sheets() -> dict[int, pd.DataFrame]:
    """Return measured step times (ms) beside those of data sheets, for tables of Yang et al. (2025)."""
    rows = data.load("yang2025/throughput").query("concurrency <= 128")
    tables = {key: rows[rows.table == key] for key in SERVERS}
    return {key: table.assign(**step(key, table)) for key, table in tables.items()}


def step(key: int, rows: pd.DataFrame) -> dict[str, Floats]:
    """Return the times of a table's steps, measured and by data sheets."""
    name, device, gpus, weight_bytes = SERVERS[key]
    model = catalogue.load(name)
    sheet = step_times(rows, model, load_device(*device), gpus, weight_bytes)
    return {"measured": StepTime(model, weight_bytes).observed(rows), "sheet": sheet}


# Definitions


@claim("yun2024-D01")
def counts_without_embeddings():
    t = table1()
    made = t.counted * (4 * t.d_model**2 + 3 * t.d_model * t.width)
    return Result(
        bool((made == t.n_dense).all()),
        "Layers: " + ", ".join(f"{n} of width {w}" for n, w in zip(t.counted, t.width, strict=True)) + ".",
    )


@claim("yun2024-D02")
def activated_parameters():
    active, rule = 1 + table1().mlp_share / 2, float(active_ratio(8))
    shown = ", ".join(f"{x:.3f}" for x in active)
    return Result(
        bool((np.abs(active / rule - 1) < 2 / 100).all()),
        f"From the layers of the counts: {shown}; the rule has {rule:.3f}.",
    )


@claim("yun2024-D03")
def growth_with_experts():
    share = table1().mlp_share / 2
    return Result(
        [share.min(), share.max()], "An earlier criterion had the first row only, which is the smaller value; close."
    )


@claim("yun2024-D04")
def layer_counts():
    width = 267 / 100
    mlp, rest = 3 * width, 2 * width + 1
    meant = mlp / (mlp + 4)
    return Result(
        [mlp, rest, mlp / (mlp + rest)],
        "The printed quotient has the two numbers of the MLP. With attention in the denominator "
        f"it is {meant:.3f}, which is meant; an earlier criterion took that one, and agreed.",
    )


@claim("yun2024-D05")
def sizes_and_experts():
    return Result(len(table1()), f"Each dense and with {len(EXPERTS)} numbers of experts.")


@claim("yun2024-D06")
def training_tokens():
    steps = np.array([5, 40]) / 2 * 1e9 / (2048 * 256)
    beyond = BUDGETS[[0, -1]] / largest_run()
    return Cannot(
        f"The list of token numbers is not printed, nor what they count. They are {steps[0]:.0f} "
        f"to {steps[1]:.0f} batches, and the largest possible run has {largest_run():.1e} FLOP: "
        f"the budgets that the text discusses are {beyond[0]:.0f} to {beyond[1]:.0f} times larger."
    )


@claim("yun2024-D07")
def mixture():
    web, others = [67, 15], [9 / 2, 9 / 2, 9 / 2, 5 / 2, 2]
    return Result(
        [sum(web), sum(web) + sum(others)],
        "The shares are those of LLaMA, not the ones that the documentation of SlimPajama lists.",
    )


@claim("yun2024-D08")
def mlp_width():
    width = table1().width / table1().d_model
    return Result(
        [width.min(), width.max()],
        "Three of the four counts are those of an MLP of two and a half times the hidden size.",
    )


@claim("yun2024-D09")
def tokens_of_a_batch():
    return Result(2048 * 256 / 1e6)


@claim("yun2024-D10")
def learning_rate():
    sizes = table1().n_dense.to_numpy(float)
    natural, ten = (3239e-6 - 1395e-7 * log(sizes) for log in (np.log, np.log10))
    return Result(
        bool(natural.max() < 1e-3 < ten.min()),
        f"With natural logarithms {natural.min():.1e} to {natural.max():.1e}, which are usual "
        f"rates; with base ten {ten.min():.1e} to {ten.max():.1e}. The rule reaches zero at "
        f"{np.exp(3239 / 1395 * 10):.1e} parameters.",
    )


@claim("yun2024-D11")
def traffic():
    return Cannot(
        "The averages of ShareGPT are not printed. The paper of vLLM (arXiv 2309.06180) has "
        f"{SHAREGPT.tokens_in} and {SHAREGPT.tokens_out} tokens, with which 2p + n is "
        f"{2 * SHAREGPT.context:.0f}."
    )


@claim("yun2024-D12")
def algorithms():
    off = []
    for theta in admissible()[:2]:
        b = budget(theta, stated.MIDDLE, RULES[PRINTED_RULE])
        for e in (8.0, 32.0):
            reference, own = b.best(4.0), b.best(e)
            sizes = np.geomspace(own.n_dense / 100, own.n_dense, 4001)
            searched = (
                sizes[np.argmax(b.loss(sizes, e) <= reference.loss)],
                sizes[b.cost(sizes, e) <= reference.cost].max(),
            )
            solved = [f(b, 4.0, e).chosen.n_dense for f in (cheapest_at_loss, lowest_loss_at_cost)]
            off.append(np.abs(np.divide(searched, solved) - 1).max())
    step = np.log(100) / 4000
    return Result(
        bool(max(off) < 2 * step),
        f"{len(off)} cases against lists of 4001 sizes: the two differ by at most {max(off):.0e}, "
        f"the step of the lists is {step:.0e}.",
    )


# Equations


@claim("yun2024-E01")
def dense_optimum():
    low, high = np.log([100, 100, 1 / 10, 1 / 10]), np.log([1e4, 1e4, 1, 1])
    A, B, alpha, beta = np.exp(np.random.default_rng(0).uniform(low, high, (200, 4))).T
    G = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    closed = G * 1e21 ** (beta / (alpha + beta)), 1e21 ** (alpha / (alpha + beta)) / G
    one, none = np.ones(200), np.zeros(200)
    theta = np.stack([A, none, B, one, alpha, one, beta, none, 2 * one, 300 * one], axis=1)
    off = max(np.abs(n / c - 1).max() for n, c in zip(along.optimum(theta, 6e21, 1, 1), closed, strict=True))
    return Result(
        bool(off < 1e-9),
        f"Closed form and numerical minimum of 200 random sets of coefficients differ by at most {off:.0e}.",
    )


@cache
def random_models() -> dict[str, Floats]:
    """Return fifty random models."""
    rng = np.random.default_rng(0)
    sizes, tokens = (np.exp(rng.uniform(*np.log(ends), 50)) for ends in ((1e8, 1e10), (1e9, 1e12)))
    return {"n_dense": sizes, "n_tokens": tokens, "n_routed": rng.choice(stated.EXPERTS, 50)}


def written_out(theta: Floats, N, D, E) -> Floats:
    """Return the loss by Eq. 4, term by term."""
    A, B, C, F, alpha, beta, gamma, d, *ends = theta
    bounded = saturated(E, *ends)
    return N ** (d * np.log(bounded)) * (A / N**alpha + B / bounded**beta + C / D**gamma + F)


@claim("yun2024-E02")
def form_of_the_law():
    table = random_models()
    off = max(np.abs(YUN2024.predict(t, table) / written_out(t, *table.values()) - 1).max() for t in admissible()[:20])
    dense = table | {"n_routed": np.ones(50)}
    A, B, C, F, alpha, beta, gamma, _, start, _ = t = admissible()[0]
    chinchilla = A / dense["n_dense"] ** alpha + C / dense["n_tokens"] ** gamma + (B / start**beta + F)
    limit = np.abs(YUN2024.predict(t * (np.array(NAMES) != "d"), dense) / chinchilla - 1).max()
    return Result(
        bool(max(off, limit) < 1e-12),
        f"The package's law is the printed one to {off:.0e}. Without the interaction its dense "
        f"model has the form of Chinchilla, to {limit:.0e}.",
    )


@claim("yun2024-E03")
def saturation():
    start, end = (PUBLISHED["S-Base"][name] for name in ("E_start", "E_max"))
    one, many = saturated(np.array([1.0, 1e12]), start, end)
    rises = (np.diff(saturated(np.arange(1.0, 1e4), start, end)) > 0).all()
    return Result(
        bool(np.allclose([one, many], [start, end], rtol=1e-6) and rises),
        f"With the constants of S-Base, one expert counts as {one:.3f}, a million million as "
        f"{many:.3f}; it rises in between.",
    )


@cache
def smallest_dense() -> Footprint:
    """Return what a server keeps of the smallest printed dense optimum."""
    return Footprint.of_size(1e9 * ends_of("R09.1")[0], 1)


@claim("yun2024-E04")
def least_cost():
    model, gpus = smallest_dense(), np.arange(1, 9)
    costs = np.array([iteration(model, DEVICE, g, largest_batch(model, DEVICE, g)).gpu_seconds for g in gpus])
    return Result(
        bool(np.isclose(costs.min(), cheapest(model, DEVICE).gpu_seconds)),
        f"For the smallest printed dense optimum it is that of {gpus[costs.argmin()]} devices; on "
        f"one a token costs {costs[0] / costs.min():.2f}, on eight {costs[-1] / costs.min():.2f} "
        "times as much. Which number is best rests on latencies that are not public.",
    )


@cache
def full_memory() -> float:
    """Return the requests that one device holds beside the smallest printed dense optimum, by the printed formula."""
    n_dense = 1e9 * ends_of("R09.1")[0]
    return float((DEVICE.memory / BYTES - n_dense) / (2 * SHAREGPT.context * MU * n_dense ** (2 / 3)))


@claim("yun2024-E05")
def batch():
    p, n = 161, 338
    kept = np.mean([2 * (p + t) for t in range(n + 1)])
    return Result(
        bool(kept == 2 * p + n),
        f"Averaged over the {n + 1} states of a request, the cache holds {kept:.0f} elements for "
        "each element of h l, which is 2p + n. A dense model of the smallest printed optimum runs "
        f"{full_memory():.0f} requests on one A100.",
    )


@claim("yun2024-E06")
def new_prompts():
    lengths = np.random.default_rng(0).geometric(1 / 50, (400, 200))
    ended = np.cumsum(lengths, axis=1)
    in_step, rate = ((ended > 2000) & (ended <= 6000)).sum() / 4000, 400 / lengths.mean()
    return Result(
        bool(abs(in_step / rate - 1) < 2 / 100),
        f"{in_step:.2f} requests end in a step, b/n is {rate:.2f}. On one A100 the smallest "
        f"printed dense optimum has b/n = {full_memory() / SHAREGPT.tokens_out:.2f}: fewer than "
        "one prompt in a step, for which the paper's interpolation gives no latency.",
    )


@claim("yun2024-E07")
def throughput():
    model, room = smallest_dense(), full_memory()
    whole = iteration(model, DEVICE, 1, room)
    argument = room / SHAREGPT.tokens_out
    written = room / (iteration(model, DEVICE, 1, argument * SHAREGPT.tokens_out).prompt_s + whole.decode_s)
    return Result(
        bool(np.isclose(written, whole.throughput)),
        f"With k n h l in the denominator of the prompts, both ways give {float(written):.0f} "
        "tokens per second on one device; the rendered text has k with an index n.",
    )


def shape(column: str) -> tuple[float, Floats]:
    """Return the power of N^(2/3) in hidden size times a column of layers of Table 1, and mu of each model."""
    t = table1()
    x, y = t.n_dense.to_numpy(float) ** (2 / 3), (t.d_model * t[column]).to_numpy(float)
    return float(np.polyfit(np.log(x), np.log(y), 1)[0]), y / x


@claim("yun2024-E08")
def shape_rule():
    (power, mu), (as_printed, _) = shape("counted"), shape("n_layers")
    return Result(
        bool(abs(power - 1) < 1 / 10),
        f"The power is {power:.2f} with the layers of the counts and {as_printed:.2f} with the "
        "printed ones. The constant is not printed; with the layers of the counts it lies between "
        f"{mu.min():.3f} and {mu.max():.3f}.",
    )


# Coefficients


@claim("yun2024-C01")
def coefficients():
    table = (
        data.load("yun2024/extents")
        .query("flops_of == 'active'")
        .groupby("coordinate")[["reach_low", "reach_high"]]
        .first()
    )
    ranges = ", ".join(
        f"{n} from {table.reach_low[n]:.3g} to {table.reach_high[n]:.3g}" for n in ("alpha", "beta", "gamma", "d")
    )
    return Cannot(f"The losses would decide. The printed sizes and ratios do not: admissible sets reach {ranges}.")


@claim("yun2024-C02")
def rmsle():
    return Cannot("No loss of any run is printed; the losses of the paper's Figure 1 would decide.")


@cache
def huber() -> dict[str, float]:
    """Return what the printed error and Huber loss say of the number of runs."""
    rmsle_, loss, delta = 3908e-6, 1033e-6, 1e-3
    mean = loss / delta + delta / 2
    return {
        "rmsle": rmsle_,
        "runs": float(np.ceil(loss / (delta * (rmsle_ - delta / 2)))),
        "mean": mean,
        "ratio": mean / rmsle_,
    }


@claim("yun2024-C03")
def huber_loss():
    found = huber()
    return Cannot(
        "No loss is printed. With the printed delta and error, a sum of this size needs at least "
        f"{found['runs']:.0f} runs. It is no mean: residuals would have to be near "
        f"{found['mean']:.2f}, which is {found['ratio']:.0f} times the printed error."
    )


@claim("yun2024-C04")
def starts():
    steep = 7e8 ** (5 * np.log(8))
    return Cannot(
        f"The code is not public. Taken literally the grid has {5**3 * 6**4 * 5:,} starts; its "
        "steps of five for the interaction d would change the loss of 700 million parameters and "
        f"8 experts by a factor of {steep:.0e}, so that it is likely meant for logarithms; E_start "
        "and E_max have no grid, and that of f is misprinted."
    )


def in_chapter_on_fitting(name: str) -> Cannot:
    """Return where a claim on public runs is decided."""
    return Cannot(
        f"It is decided as {name} in the chapter on fitting, with intervals: it takes the public "
        "runs, which this set does not read."
    )


@claim("yun2024-C05")
def s_base():
    return in_chapter_on_fitting("fitting-C07")


@claim("yun2024-C06")
def rl_r():
    return in_chapter_on_fitting("fitting-C08")


@claim("yun2024-C07")
def hash_router():
    return in_chapter_on_fitting("fitting-C09")


@claim("yun2024-C08")
def dense_runs():
    return in_chapter_on_fitting("fitting-C11")


@claim("yun2024-C09")
def effective_size():
    table, off = random_models(), []
    for v in PUBLISHED.values():
        e_hat = saturated(table["n_routed"], v["E_start"], v["E_max"])
        routed, dense = (v["a"] + v["c"] * np.log10(e) for e in (e_hat, v["E_start"]))
        n = table["n_dense"] ** (routed / dense) * (e_hat / v["E_start"]) ** (v["b"] / dense)
        as_dense, as_routed = (
            CLARK2022.predict(CLARK2022.theta(v), {"n_active": size, "n_routed": experts})
            for size, experts in ((n, np.ones(50)), (table["n_dense"], table["n_routed"]))
        )
        off.append(np.abs(as_dense / as_routed - 1).max())
    return Result(bool(max(off) < 1e-12), f"Equal losses to {max(off):.0e} for 50 random models and three routers.")


@claim("yun2024-C10")
def cutoff():
    half = np.array([0, 1, -1]) * 5e-4
    sizes = [10 ** (-(v["b"] + half) / (v["c"] + half)) / 1e9 for v in PUBLISHED.values()]
    return Result(
        [one[0] for one in sizes],
        "The interval is what three decimals of b and c allow. An earlier criterion had the "
        "printed decimals alone, by which all three differ.",
        [one[1:] for one in sizes],
    )


# Table 1


def layers_and_count(model: str) -> Result:
    """Return the layers that make a count, and the count that the printed layers make."""
    row = table1().loc[model]
    note = (
        f"The count is that of {row.counted} layers of width {row.width}; the printed layers would "
        f"have {row.with_printed:,} parameters."
    )
    return Result([row.counted, row.with_printed], "" if row.counted == row.n_layers else note)


@claim("yun2024-T01")
def model_100m():
    return layers_and_count("100M")


@claim("yun2024-T02")
def model_200m():
    row = table1().loc["200M"]
    return Result(
        row.counted,
        f"{row.n_dense:,} is the count of {row.counted} layers and begins with the printed digits. "
        f"The other reading, 184,064,768, leaves {184_064_768 % row.d_model} when divided by the "
        "hidden size, so that no stack of layers has it.",
    )


@claim("yun2024-T03")
def model_320m():
    return layers_and_count("320M")


@claim("yun2024-T04")
def model_730m():
    return layers_and_count("730M")


@claim("yun2024-T05")
def heads():
    width = table1().d_model / table1().n_heads
    return Result(
        bool((width % 1 == 0).all()),
        "Widths of a head: " + ", ".join(f"{w:.2f}" for w in width) + "; twelve heads do not divide 1024.",
    )


@claim("yun2024-T06")
def names():
    t = table1()
    alone, whole = (", ".join(f"{x / 1e6:.0f}" for x in size) for size in (t.n_dense, t.n_dense + 32000 * t.d_model))
    return Cannot(
        "The vocabulary is not stated, and would decide. Without embeddings the models have "
        f"{alone} million parameters; with 32,000 tokens, the vocabulary of Llama, {whole}. An "
        "earlier criterion took the latter: all within 10 % of their names, close."
    )


# Figures


@claim("yun2024-F01")
def figure_1():
    few, many = (
        np.log(written_out(admissible().T, 7e8, d, 4.0) / written_out(admissible().T, 7e8, d, 16.0))
        for d in (25e8, 2e10)
    )
    return Cannot(
        "The losses are in the figure only. By Eq. 4 itself the gap is not constant: between 4 "
        "and 16 experts the logarithms of the loss of 700 million parameters differ by "
        f"{to(pair(many / few - 1))} % more at twenty than at two and a half billion tokens, over "
        "the admissible sets."
    )


SIZES = np.geomspace(2e8, 4e10, 1500)
"""Sizes of the paper's Figure 2."""


@cache
def curves() -> dict[str, dict[float, Floats]]:
    """Return the cost of sizes by the cheapest and by the fewest devices, by number of experts."""
    return {rule: {e: RULES[rule](SIZES, e) for e in stated.EXPERTS} for rule in (PRINTED_RULE, "fewest devices")}


def cost_slopes() -> tuple[float, float]:
    """Return the least and the most per cent of cost for one per cent of size, up to ten billion, by Eq. 5."""
    found = [np.gradient(np.log(curves()[PRINTED_RULE][e]), np.log(SIZES))[SIZES < 1e10] for e in (1.0, 4.0, 8.0)]
    return tuple(float(x) for x in np.quantile(found, [1 / 20, 19 / 20]))


def steepest(rule: str) -> tuple[float, float]:
    """Return by which factor the cost rises at most, and falls at most, from a size to the next that is served."""
    factors = np.concatenate([curves()[rule][e][1:] / curves()[rule][e][:-1] for e in (1.0, 4.0, 8.0)])
    return float(np.nanmax(factors)), float(1 / np.nanmin(factors))


@claim("yun2024-F02")
def figure_2():
    step, needed = SIZES[1] / SIZES[0] - 1, float(largest_size(1, DEVICE, 1)) / 1e9
    rise, fall = 100 * (steepest(PRINTED_RULE)[0] - 1), steepest("fewest devices")[1]
    return Cannot(
        "The curves are an image, and no number is said. By Eq. 5 with data-sheet latencies the cost is about "
        f"proportional ({to(cost_slopes(), 2)} per cent for one of size) and has no jump (it rises by at most "
        f"{rise:.1f} % between sizes {100 * step:.1f} % apart). On the fewest devices it jumps, and falls by up to a "
        f"factor of {fall:.0f} where one is added, for a dense model at {needed:.1f} billion parameters. An earlier "
        "criterion asked for both by Eq. 5; differed."
    )


@claim("yun2024-F03")
def figure_3():
    return Cannot(
        "The curves are images only, and would decide; what the text says about them is decided "
        "as R01 to R03, R15 and R16."
    )


@claim("yun2024-F04")
def figure_4():
    return on_cost(
        "F04",
        "An earlier criterion asked the rule of Eq. 5 only; agreed.",
        "The budget of the figure is not in the text. ",
    )


@claim("yun2024-F05")
def figure_5():
    return Cannot(
        "The curves are images only, and would decide; what the text says about them is decided as R07 to R09."
    )


@claim("yun2024-F06")
def figure_6():
    return Cannot(
        "The curves are images only, and would decide; what the text says about them is decided as R11 to R14."
    )


# Results in the text


@claim("yun2024-R01")
def training_penalty():
    low, high = 100 / ends_of("R03")[::-1]
    sets = pair(1 / sixteen_over_four(), 1)
    return Cannot(
        "Which models are compared is not said, and would decide. Four experts against 16 by the "
        f"percentages of Section 5.1 are {low:.2f} to {high:.2f}, wider than what the abstract "
        "prints. An earlier criterion took the admissible sets at the text's budgets, "
        f"{to(sets, 2)}; differed."
    )


@claim("yun2024-R02")
def penalty_of_the_introduction():
    over_ten = ends_of("R03") / 10
    return Result(
        100 / ends_of("R03")[::-1],
        f"Percentages over ten are {over_ten[0]:.2f} and {over_ten[1]:.2f}, which round to what is "
        "printed; the reciprocals do not.",
    )


def flops_at_lower_end() -> tuple[float, float]:
    """Return the compute at which 16 experts need the lower end of R03 of that of four: least and most, FLOP."""
    theta, (four, sixteen) = admissible(), active_ratio([4, 16])

    def beyond(flops: Floats) -> Floats:
        loss = along.loss_at(theta, along.optimum(theta, flops, 4, four)[0], flops, 4, four)
        return ends_of("R03")[0] / 100 - along.flops_at_loss(theta, loss, 16, sixteen) / flops

    return pair(crossing(beyond, 1e21 * np.ones(len(theta)), 1e40), 1)


@claim("yun2024-R03")
def compute_of_sixteen():
    at = ", ".join(f"{to(pair(share))} % at {c:.3g}" for share, c in zip(sixteen_over_four().T, BUDGETS, strict=True))
    low, high = flops_at_lower_end()
    return Cannot(
        "The budgets of the two ends are not named, and would decide. Admissible sets, which were "
        f"asked for a ratio in the range at {stated.MIDDLE:.3g} FLOP and for its fall, give {at} "
        f"FLOP; the lower end would take {low:.0e} to {high:.0e} FLOP. An earlier criterion took "
        "the text's smallest and largest budget; differed."
    )


@claim("yun2024-R04")
def reduction():
    return Result([100 - ends_of("R05.1")[0], 100 - ends_of("R05.2")[0]], "A reduction, not what remains.")


@claim("yun2024-R05")
def recommended_sizes():
    sixteen = to(pair(predicted()[:, 6:8]))
    found = on_cost(
        "R05", first_criterion("R05", "differed"), f"16 experts at the loss of four: {sixteen}, as asked for. "
    )
    return found


@claim("yun2024-R06")
def remaining_cost():
    eight = to(100 - ends_of("R07.1")[::-1])
    return Result(
        100 - ends_of("R07.2")[::-1], f"What the savings of 16 experts leave; those of 8 experts leave {eight}."
    )


@claim("yun2024-R07")
def savings():
    dearer = [rule for rule in RULES if thirty_two_dearer(rule).any()]
    return on_cost(
        "R07",
        first_criterion("R07", "differed"),
        f"32 experts cost more than 16, with some set, by these rules: {', '.join(dearer)}. ",
    )


@claim("yun2024-R08")
def cost_over_dense():
    cheapest_ = [rule for rule in RULES if eight_cheapest(rule).any()] or ["none"]
    return on_cost(
        "R08",
        first_criterion("R08", "differed"),
        f"Eight experts are the cheapest, with some set, by these rules: {', '.join(cheapest_)}. ",
    )


@claim("yun2024-R09")
def sizes():
    scale = np.array([1e-9, 1e-9, 100, 100, 100, 100])
    pairs = [pair(values, s) for values, s in zip(predicted().T[:6], scale, strict=True)]
    quotients = predicted()[:, 2:4] / predicted()[:, 4:6]
    drift = pair(quotients[:, 0] / quotients[:, 1] - 1)
    first, last = (ends_of("R09.2")[i] / ends_of("R09.3")[i] for i in (1, 0))
    return Result(
        middles(pairs),
        "The interval is the whole range over the admissible sets, which were asked for these numbers. The quotient "
        f"of the two printed ratios falls from {first:.4f} to {last:.4f} between the budgets, by "
        f"{100 * (first / last - 1):.1f} %; in the sets it falls by {to(drift)} %.",
        pairs,
    )


@cache
def saved_compute(base: float, rule: str) -> tuple[float, float]:
    """Return the compute that over-trained 16 experts save at the loss and the cost of a base, in per cent."""
    b = budget(admissible()[:, None], BUDGETS, RULES[rule])
    reference = b.best(base)
    n = size_at_cost(RULES[rule], np.where(np.isnan(reference.cost), np.inf, reference.cost), 16.0)
    A, B, C, F, alpha, beta, gamma, d, *ends = (one[:, None] for one in admissible().T)
    bounded = saturated(16.0, *ends)
    # Eq. 4 solved for the tokens that a size takes for a loss.
    of_data = reference.loss / n ** (d * np.log(bounded)) - A / n**alpha - B / bounded**beta - F
    tokens = (C / np.where(of_data > 0, of_data, np.nan)) ** (1 / gamma)
    return pair(1 - 6 * active_ratio(16) * n * tokens / BUDGETS)


@claim("yun2024-R10")
def saved_budget():
    found = "; ".join(f"{rule}: {to(saved_compute(4.0, rule))} and {to(saved_compute(1.0, rule))}" for rule in RULES)
    left = 100 - ends_of("R08")[0]
    return Cannot(
        "Neither the base model nor the budget is named; both, and the latencies, would decide. "
        "Least to most over the admissible sets and the text's budgets, against four experts and "
        f"against dense, by rule. {found}. The printed number is also what the lower end of R08 "
        f"leaves of a hundred, {left:.1f}. An earlier criterion took four experts by Eq. 5; "
        "differed."
    )


@claim("yun2024-R11")
def sizes_at_the_cost_of_dense():
    return on_cost(
        "R11",
        first_criterion("R11", "differed"),
        "Active parameters: a size N above the dense model's cannot cost the same with more experts. ",
    )


@claim("yun2024-R12")
def sizes_at_the_cost_of_four():
    return on_cost("R12", first_criterion("R12", "differed"))


@claim("yun2024-R13")
def extra_compute():
    found = pair(predicted()[:, 8] - 1)
    return Result(
        middles([found]),
        "The interval is the whole range over the admissible sets, which were asked for this number.",
        [found],
    )


@claim("yun2024-R14")
def lower_loss_at_equal_cost():
    return on_cost(
        "R14",
        "An earlier criterion asked the rule of Eq. 5 only; agreed.",
        "That the fall from 16 to 32 is the smaller one was asked of the sets, at lowest losses. ",
    )


@claim("yun2024-R15")
def halving_experts():
    equal = ", ".join(f"{x:.2f}" for x in total_ratio([32, 16, 8]) / total_ratio([16, 8, 4]))
    return on_cost(
        "R15",
        f"An earlier criterion took equal numbers of all parameters, {equal}, and half a unit of "
        "the digit two for its rounding; agreed.",
    )


@claim("yun2024-R16")
def more_experts_cost_more():
    return on_cost(
        "R16",
        "An earlier criterion took the number of all parameters for the cost; agreed.",
        "That the loss falls was asked of the sets. ",
    )


@claim("yun2024-R17")
def saturating_benefit():
    _, loss = lowest()
    drops = -np.diff(np.log(loss[:, 1]), axis=1)
    return Cannot(
        "It needs losses. The sets were asked for a smaller fall from 16 to 32 experts than from "
        "8 to 16, and leave open how much smaller: the falls of the logarithm are "
        f"{to(pair(drops[:, 2]))} and {to(pair(drops[:, 3]))} %."
    )


@claim("yun2024-R18")
def utilisation():
    full = iteration(smallest_dense(), DEVICE, 1, np.array([1, full_memory()])).utilisation
    some = iteration(Footprint.of_size(1e9 * ends_of("R09.1")[0], 8), DEVICE, 4, np.array([16, 256])).utilisation
    return Cannot(
        "The batches are not named, and would decide. By data sheets the utilisation rises "
        f"{full[1] / full[0]:.0f} times from one request to a full memory (dense, one device), "
        f"{some[1] / some[0]:.0f} times from 16 to 256 requests (8 experts, four devices). An "
        "earlier criterion took the former; differed."
    )
