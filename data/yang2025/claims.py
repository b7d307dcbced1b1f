"""Decisions on the claims of Yang et al. (2025), one function for each row of ``claims.csv``."""

from dataclasses import replace
from functools import cache
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from moelaws import data
from moelaws.fitting import intervals
from moelaws.fitting.estimation import RELATIVE_SQUARES, fit
from moelaws.ledger import Cannot, Result, claim
from moelaws.models import catalogue
from moelaws.papers.yang2025.allocation import allocation
from moelaws.serving import roofline, steps
from moelaws.serving.experts import distinct_experts

TASKS = ["arc_challenge", "arc_easy", "boolq", "openbookqa", "rte", "winogrande"]
N_LAYERS = {"DeepSeek-V2-Lite": 26, "DeepSeek-V3": 61}
"""Layers over which the paper counts an allocation."""
EXPERTS = {8: "top_k", 9: "top_k", 12: "n_routed"}
"""The column of experts that each table of throughputs varies."""
REGULAR = 128
"""Most requests for which the law of a step is stated; above, the server behaves differently."""
SUBSTANTIAL, MINOR, SEVERE, NEAR = 0.1, 0.02, 0.05, 0.25
"""A gain; a loss; a loss; and a distance between mean numbers of experts, in experts."""

lite, v3, qwen = (catalogue.load(name) for name in ("DeepSeek-V2-Lite", "DeepSeek-V3", "Qwen2.5-3B"))
mixtral = catalogue.load("Mixtral-8x7B")
a800, h200 = steps.load_device("A800-80G-PCIe"), steps.load_device("H200-141G-SXM")
skipped, pruned = replace(lite, top_k=2), replace(lite, n_routed=32)


def listed(values, form=".1f"):
    """Numbers in a sentence."""
    return ", ".join(f"{value:{form}}" for value in values)


# Throughput


@cache
def cells(table):
    """Measured throughputs of a table."""
    rows = data.load("yang2025/throughput")
    return rows[rows.table == table]


@cache
def regular(table):
    """Measured throughputs of a table, for loads at which the law of a step is stated."""
    return cells(table)[cells(table).concurrency <= REGULAR]


@cache
def wide(table):
    """Throughputs of a table: a row for each load, a column for each number of experts."""
    return cells(table).pivot(index="concurrency", columns=EXPERTS[table], values="throughput")


@cache
def speedup(table):
    """Measured throughput over that of the unmodified model."""
    return wide(table).div(wide(table)[wide(table).columns.max()], axis=0)


@cache
def splits(table):
    """Throughputs of V2-Lite (Table 3) and V3 (Table 4) by the tokens of prompt and output."""
    rows = data.load("yang2025/io_lengths")
    return rows[rows.table == table]


@cache
def repeats():
    """Throughputs of the points that several tables print, one row for each point."""
    rows = pd.concat([cells(8), cells(12), splits(3)])
    point = ["tokens_in", "tokens_out", "concurrency", "n_routed", "top_k"]
    return rows.pivot(index=point, columns="table", values="throughput").dropna(thresh=2)


def spread(points):
    """Largest relative difference between throughputs of the same point."""
    return float((points.max(axis=1) / points.min(axis=1) - 1).max())


def against_order(table):
    """By how much each pair of cells of a row or of a column stands against the table's order; none below zero."""
    by_experts, by_load = wide(table), wide(table).loc[:REGULAR]
    pairs = [by_experts[more] / by_experts[fewer] for fewer, more in combinations(by_experts, 2)]
    pairs += [by_load.loc[low] / by_load.loc[high] for low, high in combinations(by_load.index, 2)]
    return np.maximum(pd.concat(pairs) - 1, 0)


@cache
def step_law(table):
    """The law of a step, fitted to a table up to 128 requests.

    In Table 12 the number of active experts is fixed, so that arithmetic and the time of a request cannot be told
    apart: the rate is that of Table 8. In Table 9 arithmetic takes no measurable time.
    """
    law = steps.StepTime(v3, weight_bytes=1) if table == 9 else steps.StepTime(lite)
    hold = {8: None, 9: {"rate": np.inf}, 12: {"rate": step_law(8).values["rate"] if table == 12 else None}}
    return fit(law, regular(table), RELATIVE_SQUARES, hold=hold[table])


def in_order(table):
    """Decide a table of throughputs by the order of its cells; the miss of our law is reported beside it."""
    against, law = against_order(table), step_law(table)
    off = np.abs(intervals.left_out(law) / law.law.observed(law.table) - 1)
    return Result(
        bool(against.max() <= spread(repeats())),
        f"Pairs of cells in reverse order: {(against > 0).sum()} of {len(against)}"
        + (f", by {100 * against.max():.1f} % at most" if against.any() else "")
        + f"; repeats of a point differ by up to {100 * spread(repeats()):.1f} %. Our law of a step, fitted to the "
        f"other cells up to {REGULAR} "
        f"requests, is within that of {(off <= spread(repeats())).sum()} of {len(off)} cells; its largest miss is "
        f"{100 * off.max():.0f} %.",
    )


def two_rates(counted):
    """Microseconds for each input and each output token of Table 3, if throughput counts these tokens."""
    tokens = splits(3)[["tokens_in", "tokens_out"]].to_numpy(float)
    return np.linalg.lstsq(tokens, 1e6 * counted / splits(3).throughput.to_numpy())[0]


@cache
def token_times():
    """Microseconds for each input and output token of Table 3, by what throughput counts."""
    output = splits(3).tokens_out.to_numpy()
    return {"all tokens": two_rates(2048), "output tokens": two_rates(output)}


def three_regimes(gain):
    """Whether a gain is large at the lowest and at the highest load, and small at one between them."""
    return bool(min(gain.iloc[0], gain.iloc[-1]) >= SUBSTANTIAL > gain.iloc[1:-1].min())


# Accuracy


@cache
def scores():
    """Accuracies of all allocations, with their mean number of experts, not rounded, and their shape."""
    rows = data.load("yang2025/quality_skipping")
    each = rows.to_dict("records")
    return rows.assign(
        mean_active=[mean_active(row) for row in each],
        shape=[shape(row) for row in each],
        recomputed=rows[TASKS].mean(axis=1),
    )


@cache
def scores_of(model):
    """Accuracies of one model's allocations."""
    return scores()[scores().model == model]


def mean_active(row, rounding=np.asarray):
    """Mean active experts of an allocation, each layer's number rounded by a rule."""
    return rounding(
        allocation(row["first"], row["peak"], row["last"], row["peak_layer"], N_LAYERS[row["model"]])
    ).mean()


def shape(row):
    """Name an allocation by how its two ramps run; a ramp of no length does not count."""
    up = np.sign(row["peak"] - row["first"]) * (row["peak_layer"] > 1)
    down = np.sign(row["last"] - row["peak"]) * (row["peak_layer"] < N_LAYERS[row["model"]])
    if up + down != 0:
        return "ascending" if up + down > 0 else "descending"
    return {1: "peak", -1: "valley", 0: "uniform"}[int(up)]


def inner(rows):
    """Allocations whose peak stands in neither end, where the definition asks one layer for two numbers."""
    return rows[(rows.peak_layer > 1) & (rows.peak_layer < rows.model.map(N_LAYERS))]


def uniform(model, top_k):
    """Averages of the rows that activate the same number of experts in all layers: repeats of one allocation."""
    rows = scores_of(model)
    return rows.average[(rows[["first", "peak", "last"]] == top_k).all(axis=1)]


@cache
def noise():
    """Standard deviation of repeats of V2-Lite's averages, pooled over 2, 4 and 6 experts; 15 degrees of freedom."""
    return float(np.sqrt(np.mean([uniform("DeepSeek-V2-Lite", k).var() for k in (2, 4, 6)])))


def loss(average, variance=0.0):
    """Relative loss (%) against V2-Lite's six experts, and its 95 % interval by the noise of repeats.

    `variance` is that of the average in units of the noise's.
    """
    reference = uniform("DeepSeek-V2-Lite", 6)
    error = stats.t.ppf(0.975, 15) * noise() * np.sqrt(variance + 1 / len(reference))
    return tuple(float(100 * (1 - (average + shift) / reference.mean())) for shift in (0, error, -error))


@cache
def near(mean):
    """V2-Lite's allocations with a mean number of experts; the uniform one, scored several times, counts once."""
    rows = inner(scores_of("DeepSeek-V2-Lite"))
    rows = rows[(rows.mean_active - mean).abs() <= NEAR]
    once = rows.groupby(np.where(rows["shape"] == "uniform", -1, rows.index))
    return once.agg({"mean_active": "first", "average": "mean", "shape": "first"}).assign(rows=once.size())


def mirrors(rows, n_layers, slack):
    """Average of each front-loaded allocation less that of its mirror image, up to `slack` layers off."""
    pairs = rows.merge(rows, left_on=["first", "peak", "last"], right_on=["last", "peak", "first"], suffixes=("", "_2"))
    off = (pairs.peak_layer + pairs.peak_layer_2 - n_layers - 1).abs()
    front = pairs[(pairs["first"] > pairs["last"]) & (off <= slack)]
    return (front.average - front.average_2).tolist()


def ramps(rows):
    """The same for ramps over all layers: (b,h,h) less (h,b,b), for b greater than h."""
    score = rows[(rows["peak"] == rows["last"]) & (rows.peak_layer == 61)].set_index(["first", "peak"]).average
    return [score[b, h] - score[h, b] for b, h in score.index if b > h]


@cache
def front_loaded():
    """Average of front-loaded allocations less that of their mirror images."""
    light, large = (scores_of(name) for name in N_LAYERS)
    three = mirrors(large[large.peak_layer < 61], 61, 2)
    return {
        "DeepSeek-V2-Lite": mirrors(inner(light), 26, 0),
        "DeepSeek-V3": ramps(large) + three,
        "V3, ramps": ramps(large),
        "V3, three-point shapes": three,
    }


def favoured(model, sign):
    """Whether pairs favour the front-loaded (+1) or the other (-1) member, and the chance that neither is better."""
    pairs = front_loaded()[model]
    chance = float(stats.wilcoxon(pairs).pvalue)
    return bool(chance < 0.05 and sign * np.mean(pairs) > 0), chance


def best_shape(model, name, sign):
    """Decide whether one shape is best: in pairs with mirror images, and against uniform allocations."""
    rows = scores_of(model) if model == "DeepSeek-V3" else inner(scores_of(model))
    pairs, (better, chance) = front_loaded()[model], favoured(model, sign)
    against = {}
    for top_k in sorted(set(rows["first"][rows["shape"] == "uniform"]))[1:-1]:
        own = rows[(rows["shape"] == name) & ((rows.mean_active - top_k).abs() <= NEAR)]
        against[top_k] = own.average.max(), uniform(model, top_k).mean()
    return Result(
        bool(better and all(own >= equal for own, equal in against.values())),
        f"The {name} one is better in {sum(sign * d > 0 for d in pairs)} of {len(pairs)} pairs, by "
        f"{sign * np.mean(pairs):.2f} points on average (p = {chance:.2g}). Best {name} against uniform, at the same "
        f"mean: "
        + "; ".join(f"{own:.1f} against {equal:.1f} ({k} experts)" for k, (own, equal) in against.items())
        + ".",
    )


@cache
def kept():
    """Accuracies with fewer experts kept, by rule and number, with their recomputed average."""
    rows = data.load("yang2025/quality_pruning").set_index(["method", "n_routed"])
    return rows.assign(recomputed=rows[TASKS].mean(axis=1))


def pruning_loss(rule, n_routed):
    """Relative loss of a rule against the unmodified model, by printed averages."""
    average = kept().average
    return float(1 - average[rule, n_routed] / average["baseline", 64])


GUESSING = float(np.mean([25, 25, 50, 25, 50, 50]))
"""Mean chance level of the six tasks, in the order of TASKS, percent."""


def above_guessing(rule, n_routed):
    """Points above the guessing level, as a share of the unmodified model's."""
    above = kept().recomputed - GUESSING
    return float(above[rule, n_routed] / above["baseline", 64])


# Sections 1 to 4: definitions, equations and devices


@claim("yang2025-C01")
def activated_width():
    sizes = data.load("yang2025/models")
    return Result(sizes.d_expert * sizes.top_k)


@claim("yang2025-C02")
def coarse_and_fine():
    fine = data.load("models/models").query("n_shared > 0 and d_expert < d_model")
    odd = fine[~fine.top_k.between(6, 8) | ~fine.n_routed.between(64, 256)]
    return Result(
        [mixtral.top_k, mixtral.n_routed, *fine.top_k.agg(["min", "max"]), *fine.n_routed.agg(["min", "max"])],
        f"Of {len(fine)} models with narrow and shared experts, all but one are as printed: "
        + ", ".join(f"{row.top_k} of {row.n_routed} experts in {row.model}" for row in odd.itertuples())
        + ".",
    )


@claim("yang2025-C03")
def skipping_and_pruning():
    router = lite.n_active - pruned.n_active
    return Result(
        skipped.n_total == lite.n_total
        and skipped.n_active < lite.n_active
        and pruned.n_total < lite.n_total
        and router == 32 * lite.d_model * lite.n_moe_layers,
        f"Skipping keeps all {lite.n_total / 1e9:.1f} and uses {skipped.n_active / 1e9:.2f} of "
        f"{lite.n_active / 1e9:.2f} "
        f"billion parameters; pruning stores {pruned.n_total / 1e9:.1f} billion and uses the same, but for "
        f"{router / 1e6:.1f} million router weights.",
    )


@claim("yang2025-C04")
def averages():
    both = pd.concat([kept(), scores()])
    gap = (both.recomputed - both.average).abs()
    return Result(
        both.recomputed,
        f"Exact rounding in {(gap <= 0.05 + 1e-9).sum()} of {len(gap)} rows; {(gap > 0.1 + 1e-9).sum()} is off by "
        f"more than "
        f"rounding allows, the baseline of Table 2 (its tasks give {kept().recomputed['baseline', 64]:.2f}). "
        "C36, C37 and C39 are parts of this row.",
    )


@claim("yang2025-C05")
def guessing():
    random = kept().recomputed["random"]
    return Result(
        GUESSING,
        f"Randomly pruned models score {random[32]:.1f} and {random[16]:.1f}. How the paper found its level is not "
        f"said.",
    )


@claim("yang2025-C06")
def what_throughput_counts():
    settings = {"table", "model", "tokens_in", "tokens_out", "concurrency", "n_routed", "top_k"}
    measured = {name for table in (cells(8), splits(3)) for name in table} - settings
    same = wide(8).loc[512, 6]
    nearest = splits(3).loc[(splits(3).throughput / same - 1).abs().idxmin()]
    (all_in, _), (output_in, _) = token_times().values()
    prompts = splits(4).query("tokens_out == 8").throughput.item()
    return Result(
        measured == {"throughput"} and nearest.tokens_in == nearest.tokens_out == 1024 and bool(all_in > 0 > output_in),
        f"The unit is not printed. If all tokens are counted, an input token of Table 3 takes {all_in:.0f} µs; if "
        f"output "
        f"tokens are, {output_in:.0f} µs, and Table 4 would mean {prompts * 128 / 1e6:.2f} million input tokens per "
        f"second. "
        f"The nearest split to Table 8 is 1024 + 1024, {100 * (nearest.throughput / same - 1):.1f} % off.",
    )


@cache
def small_glu():
    """A random GLU of width 40 and a hidden state: its three matrices and a token."""
    rng = np.random.default_rng(2025)
    return *(rng.normal(size=shape) for shape in ((40, 12), (40, 12), (12, 40))), rng.normal(size=12)


def glu(rows=slice(None)):
    """Output of some rows of the small GLU."""
    up, gate, down, h = small_glu()
    return down[:, rows] @ (np.maximum(up[rows] @ h, 0) * (gate[rows] @ h))


EIGHTHS = np.array_split(np.arange(40), 8)


@claim("yang2025-C07")
def a_glu_in_parts():
    error = np.abs(sum(map(glu, EIGHTHS)) - glu()).max()
    return Result(bool(error < 1e-12), "A random GLU cut into eight experts sums to the same output, to 1e-12.")


@claim("yang2025-C08")
def top_k_weights():
    def weights(logits, n_a):
        softmax = np.exp(logits) / np.exp(logits).sum()
        return np.where(np.argsort(np.argsort(-logits)) < n_a, softmax, 0)

    some = np.count_nonzero(weights(np.random.default_rng(8).normal(size=8), 2))
    equal = 8 * sum(w * glu(rows) for w, rows in zip(weights(np.zeros(8), 8), EIGHTHS, strict=True))
    return Result(
        bool(some == 2 and np.abs(equal - glu()).max() < 1e-12),
        f"{some} of 8 weights are not zero with two active experts; all eight with equal weights give the full sum.",
    )


def counted(L, d, d_i):
    """Elements moved and FLOP done by a GLU, counted on the arrays themselves."""
    up, gate, down, h = np.ones((d_i, d)), np.ones((d_i, d)), np.ones((d, d_i)), np.ones((d, L))
    u, g = up @ h, gate @ h
    moved = sum(x.size for x in (up, gate, down, h, u, g, down @ (u * g)))
    return moved, sum(2 * a.shape[0] * a.shape[1] * b.shape[1] for a, b in ((up, h), (gate, h), (down, u)))


SHAPES = [(L, d, d_i) for L in (1, 7, 300) for d, d_i in ((96, 40), (64, 256))]


@claim("yang2025-C09")
def traffic_of_a_glu():
    return Result(
        all(counted(*one)[0] == roofline.glu_traffic(*one) for one in SHAPES),
        f"Equal to counted arrays for {len(SHAPES)} shapes.",
    )


@claim("yang2025-C10")
def work_of_a_glu():
    return Result(
        all(counted(*one)[1] == roofline.glu_flops(*one) for one in SHAPES),
        f"Equal to counted products for {len(SHAPES)} shapes.",
    )


@claim("yang2025-C11")
def intensity():
    size = lite.d_model, lite.d_expert
    ceiling = 3 * size[0] * size[1] / sum(size)
    few, many = roofline.glu_intensity([1e-3, 1e12], *size)
    return Result(
        bool(np.isclose(few, 2e-3, rtol=1e-3) and np.isclose(many, ceiling)),
        f"2 L for few tokens and {ceiling:.0f} FLOP per element for many (V2-Lite's expert); half of it per byte in "
        f"bf16.",
    )


def ring_all_reduce(parts):
    """Add arrays that lie on a ring of devices; return the sum on device 0 and the elements moved."""
    n, moved, chunks = len(parts), 0, [np.array_split(part, len(parts)) for part in parts]
    for step in range(2 * (n - 1)):
        sent = [chunks[i][(i - step) % n] for i in range(n)]
        for i, chunk in enumerate(sent):
            j, k = (i + 1) % n, (i - step) % n
            chunks[j][k] = chunks[j][k] + chunk if step < n - 1 else chunk
            moved += chunk.size
    return np.concatenate(chunks[0]), moved


@claim("yang2025-C12")
def tensor_parallel():
    parts = np.random.default_rng(12).normal(size=(8, 16 * 32))
    total, moved = ring_all_reduce(parts)
    return Result(
        bool(np.allclose(total, parts.sum(axis=0)) and moved == roofline.tensor_parallel_traffic(16, 32, 8)),
        f"A simulated ring of eight devices moves {moved} elements for 16 tokens of 32, the bound itself.",
    )


@claim("yang2025-C13")
def expert_parallel():
    rng, L, n_d, n_e = np.random.default_rng(1), 16, 8, 64
    home, order = rng.integers(n_d, size=(L, 1)), rng.random((L, n_e)).argsort(axis=1)
    share = [float(np.mean(order[:, :n_a] * n_d // n_e != home)) for n_a in (2, 6, 8)]
    return Result(
        max(share) <= 1,
        f"Simulated routing over eight devices moves {listed(share, '.2f')} of the bound with two, six and eight "
        f"active "
        "experts; the rest stays on its device.",
    )


@claim("yang2025-C14")
def exchange_ratio():
    part = {
        n_a: 100 * float(roofline.expert_parallel_traffic(1, 1, n_a) / roofline.tensor_parallel_traffic(1, 1, 8))
        for n_a in (2, 6, 8)
    }
    return Result(
        part[2],
        f"Two sevenths; the printed digit is cut. With six or eight active experts, as in fine-grained models, the "
        f"ratio is "
        f"{part[6]:.0f} % or {part[8]:.0f} %: little or no saving.",
    )


@claim("yang2025-C15")
def bandwidth_ratio():
    return Result(100 * 50 / 160, "The paper quotes both bandwidths from another report.")


@claim("yang2025-C16")
def classic_share():
    d = 4096
    attention = catalogue.GroupedAttention(n_heads=32, n_kv_heads=32, head_dim=d // 32).weights(d)
    return Result(
        100 * 8 * d**2 / (8 * d**2 + attention),
        "Two matrices of width 4 d against four attention matrices; the printed digit is cut. The models meant are "
        "not named.",
    )


@claim("yang2025-C17")
def modern_share():
    ffn = qwen.n_layers * 3 * qwen.d_model * qwen.d_dense
    return Result(
        100 * ffn / (ffn + qwen.attention_weights),
        f"Without embeddings, as C16; with them {100 * ffn / qwen.n_total:.0f} %.",
    )


@claim("yang2025-C18")
def intensity_flattens():
    curve = roofline.glu_intensity(np.geomspace(1, 1e6, 200), mixtral.d_model, mixtral.d_expert)
    ceiling = roofline.glu_ceiling(mixtral.d_model, mixtral.d_expert)
    return Result(bool((np.diff(curve) > 0).all() and curve[-1] < ceiling), "A property of the formula.")


SPARSE = {"Mixtral-8x7B": mixtral, "V2-Lite": lite, "V3": v3}


def dense_time(L, d, d_i):
    """Seconds of a GLU by the data sheet of one A800, bf16."""
    return a800.roofline(roofline.glu_flops(L, d, d_i), 2 * roofline.glu_traffic(L, d, d_i))


def moe_time(L, model):
    """Seconds of a model's routed experts in one layer by the data sheet of one A800, bf16, with random routing."""
    traffic = roofline.moe_traffic(L, model.d_model, model.d_expert, model.n_routed, model.top_k)
    return a800.roofline(roofline.moe_flops(L, model.d_model, model.d_expert, model.top_k), 2 * traffic)


def slowest_ratio():
    """Least time of the experts over a dense layer of the same activated width, 1 to 512 tokens, three models."""
    L = np.arange(1, 513)
    return float(min((moe_time(L, m) / dense_time(L, m.d_model, m.d_expert * m.top_k)).min() for m in SPARSE.values()))


def to_ridge(d, d_i):
    """Tokens that bring a GLU in bf16 to the ridge of an A800."""
    return float(roofline.glu_tokens(2 * a800.ridge, d, d_i))


@claim("yang2025-C19")
def two_tokens():
    one, two = dense_time([1, 2], mixtral.d_model, mixtral.d_expert)
    return Result(
        bool(two / one < 1.01),
        f"The roofline adds {100 * (two / one - 1):.2f} % of time; the measured curve is not public.",
    )


@claim("yang2025-C20")
def best_dense_tokens():
    return Result(
        to_ridge(mixtral.d_model, mixtral.d_expert),
        f"Our roofline asks for more tokens, and for at least {a800.ridge:.0f} at any width: the ridge of the data "
        f"sheet, in "
        "FLOP per byte. An arithmetic that reaches a tenth less of its peak than reading does would give the printed "
        "value; "
        "neither the rates attained nor the layer sizes are public, and nothing printed decides it.",
    )


@claim("yang2025-C21")
def slower_and_later():
    dense = {name: to_ridge(m.d_model, m.d_expert) for name, m in SPARSE.items()}
    sparse = {name: dense[name] * m.n_routed / m.top_k for name, m in SPARSE.items()}
    return Result(
        slowest_ratio() >= 1 and all(sparse[name] > dense[name] for name in SPARSE),
        "By the roofline an expert layer needs "
        + ", ".join(f"{n:.0f} tokens ({name})" for name, n in sparse.items())
        + f" to be limited by arithmetic, against {listed(dense.values(), '.0f')} for one expert alone.",
    )


@claim("yang2025-C22")
def larger_is_easier():
    sizes = [(2048, 8192), (4096, 14336), (7168, 18432)]
    ceilings, tokens = [float(roofline.glu_ceiling(*one)) for one in sizes], [to_ridge(*one) for one in sizes]
    return Result(
        bool((np.diff(ceilings) > 0).all() and (np.diff(tokens) < 0).all()),
        f"Ceilings {listed(ceilings, '.0f')} FLOP per element and {listed(tokens, '.0f')} tokens to the ridge for "
        f"three "
        "growing layers; the tested sizes are not printed.",
    )


@claim("yang2025-C23")
def never_faster():
    return Result(slowest_ratio() >= 1, f"Never below {slowest_ratio():.3f} of the dense layer's time.")


# Section 5 and Table 1: the models, and skipping


@cache
def shares():
    """Share (%) of the routed experts in the activated width, by the printed and by the public shared width."""
    sizes = data.load("yang2025/models").set_index("model")
    public = pd.Series({name: m.n_shared * m.d_expert for name, m in zip(N_LAYERS, (lite, v3), strict=True)})
    active = sizes.d_active
    return pd.DataFrame(
        {
            "d_s printed": sizes.d_shared,
            "d_s public": public,
            "share printed": sizes.active_share,
            "share by printed sizes": 100 * active / (sizes.d_shared + active),
            "share by public sizes": 100 * active / (public + active),
        }
    )


@claim("yang2025-C24")
def sizes():
    return Result([x for m in (lite, v3) for x in (m.n_routed, m.top_k, m.d_model, m.d_expert)])


@claim("yang2025-C25")
def shared_width():
    return Result(
        shares()["d_s public"],
        f"The printed widths are those of the dense first layers ({lite.d_dense} and {v3.d_dense}); the shared "
        f"experts are "
        f"{lite.n_shared} x {lite.d_expert} and {v3.n_shared} x {v3.d_expert} wide.",
    )


@claim("yang2025-C26")
def share_of_lite():
    share = shares().loc["DeepSeek-V2-Lite"]
    return Result(
        share["share by printed sizes"],
        f"A misprint: the table's own sizes give another value; the public ones give "
        f"{share['share by public sizes']:.1f} %.",
    )


@claim("yang2025-C27")
def share_of_v3():
    share = shares().loc["DeepSeek-V3"]
    return Result(share["share by printed sizes"], f"The public sizes give {share['share by public sizes']:.1f} %.")


@claim("yang2025-C28")
def bound_of_the_saving():
    printed, public = shares().loc["DeepSeek-V2-Lite", ["share by printed sizes", "share by public sizes"]]
    return Result(
        public,
        f"The printed sizes give {printed:.1f} %. With the public ones, two experts instead of six remove "
        f"{public * 4 / 6:.1f} % of the feed-forward work, already more than the printed bound.",
    )


@claim("yang2025-C29")
def splits_of_lite():
    fall = max(before / after - 1 for before, after in combinations(splits(3).throughput, 2))
    again = repeats().loc[(1024, 1024, 512)].iloc[0]
    two = repeats()[3].isna()
    apart = again[3] / again[8] - 1
    limit = spread(repeats()[two])
    leave = [float(np.abs(x)) for x in left_out_splits()]
    return Result(
        bool(fall <= spread(repeats()) and abs(apart) <= limit),
        f"No split is reversed. At 1024 + 1024 tokens Table 8 is {100 * abs(apart):.1f} % and Table 12 "
        f"{100 * (again[3] / again[12] - 1):.1f} % away; the {two.sum()} other repeats differ by up to "
        f"{100 * limit:.1f} %. The six other "
        f"splits were measured once. Two rates of our own, fitted to the other splits, miss "
        f"{sum(x > 0.06 for x in leave)} of "
        f"{len(leave)} by more than 6 %, the largest by {100 * max(leave):.0f} %.",
    )


@cache
def left_out_splits():
    """Relative error of each split of Table 3, predicted from two rates that the other splits give."""
    tokens, time = splits(3)[["tokens_in", "tokens_out"]].to_numpy(float), 2048 / splits(3).throughput.to_numpy()
    others = ~np.eye(len(time), dtype=bool)
    return [float(time[~o][0] / (tokens[~o] @ np.linalg.lstsq(tokens[o], time[o])[0])[0] - 1) for o in others]


@claim("yang2025-C30")
def prompts_are_cheap():
    speed = splits(3).throughput
    per_input, per_output = token_times()["all tokens"]
    return Result(
        bool(speed.is_monotonic_increasing and speed.iloc[-1] >= 1.5 * speed.iloc[0] and per_input < per_output / 2),
        f"It rises with each step, {speed.iloc[-1] / speed.iloc[0]:.2f}-fold in all; an input token takes "
        f"{per_input:.0f} µs, "
        f"an output token {per_output:.0f} µs.",
    )


@claim("yang2025-C31")
def splits_of_v3():
    equal, prompts = splits(4).throughput
    before = wide(9).loc[128, 8]
    growth = wide(8).loc[512, 6] / wide(8).loc[128, 6]
    return Result(
        bool(prompts > equal and before / equal - 1 <= spread(repeats())),
        f"With equal lengths, 512 requests give {100 * (1 - equal / before):.1f} % less than 128 do in Table 9, "
        f"inside the spread of "
        f"repeats ({100 * spread(repeats()):.1f} %); V2-Lite gives {growth:.1f} times as much. So the load was capped "
        f"or the "
        "set-up differed. Our law of a step is not asked: 512 requests are outside its range.",
    )


@claim("yang2025-C32")
def hardware():
    return Cannot("An inventory of hardware: the authors' logs would decide it. It is kept in yang2025/hardware.")


@claim("yang2025-C33")
def versions():
    return Cannot(
        "Versions of software: the authors' logs would decide it. Server flags, precision, parallel layout and the "
        "number of "
        "requests are not stated."
    )


@claim("yang2025-C34")
def skipping_on_lite():
    return in_order(8)


@claim("yang2025-C35")
def skipping_on_v3():
    return in_order(9)


@claim("yang2025-C36")
def averages_of_lite():
    return Result(scores_of("DeepSeek-V2-Lite").recomputed)


@claim("yang2025-C37")
def averages_of_v3():
    return Result(scores_of("DeepSeek-V3").recomputed)


@claim("yang2025-C38")
def pruning_on_lite():
    return in_order(12)


@claim("yang2025-C39")
def averages_of_pruned():
    return Result(
        kept().recomputed,
        f"The baseline's tasks average {kept().recomputed['baseline', 64]:.2f}, more than rounding away; Table 10 "
        f"prints "
        f"{uniform('DeepSeek-V2-Lite', 6).min():.1f} to {uniform('DeepSeek-V2-Lite', 6).max():.1f} for the same model.",
    )


@claim("yang2025-C40")
def half_more():
    gain = 100 * (speedup(8)[2] - 1)
    return Result(
        gain[:16].max(),
        f"Reached at {gain.idxmax()} requests, {listed(gain[[2, 4, 8, 16]])} % at 2, 4, 8 and 16.",
    )


def ends_and_middle(gain):
    """Gains at both ends of the loads and the least between them, in words."""
    middle = gain.iloc[1:-1]
    return (
        f"{100 * gain.iloc[0]:.1f} % at {gain.index[0]} requests, {100 * middle.min():.1f} % at {middle.idxmin()}, "
        f"{100 * gain.iloc[-1]:.1f} % at {gain.index[-1]}; the most is {100 * gain.max():.1f} % at {gain.idxmax()}"
    )


@claim("yang2025-C41")
def regimes_of_lite():
    gain = speedup(8)[2] - 1
    return Result(three_regimes(gain), f"{ends_and_middle(gain)}. The gain at high load is a third of the most.")


@claim("yang2025-C42")
def regimes_of_v3():
    return Result(three_regimes(speedup(9)[3] - 1), f"{ends_and_middle(speedup(9)[3] - 1)}: the reverse of the text.")


@claim("yang2025-C43")
def same_peak():
    top = wide(8).idxmax()
    first = (wide(8) >= 0.95 * wide(8).max()).idxmax()
    flat = wide(8).index[(wide(8) >= 0.99 * wide(8).max()).all(axis=1)]
    return Result(
        bool(top.nunique() == 1 and first.nunique() == 1),
        f"The highest values stand at {listed(top, 'd')} requests and the first within 5 % of them at "
        f"{listed(first, 'd')}, for "
        f"{listed(top.index, 'd')} active experts. A laxer test, made after the result, holds: at {listed(flat, 'd')} "
        f"requests every "
        "column is within 1 % of its highest value.",
    )


@claim("yang2025-C44")
def follows_compute():
    measured, work = float(speedup(8)[2].iloc[-1]), lite.n_active / skipped.n_active
    widths = (6 + lite.n_shared) / (2 + lite.n_shared)
    return Result(
        abs(measured / work - 1) < 0.1,
        f"Measured {measured:.2f} at {speedup(8).index[-1]} requests; the ratio of active parameters is {work:.2f}, "
        f"that of "
        f"feed-forward widths {widths:.2f}.",
    )


@claim("yang2025-C45")
def above_the_bound():
    share, most = shares().loc["DeepSeek-V2-Lite", "share printed"], float(speedup(8)[2].max())
    allowed = 1 / (1 - share / 100)
    return Result(
        most > allowed,
        f"Removing {share} % of the work allows a speed-up of {allowed:.2f}, which the measured {most:.2f} does not "
        f"exceed: a saving "
        f"of time ({100 * (1 - 1 / most):.0f} %) and a gain in throughput ({100 * (most - 1):.0f} %) are different "
        f"quantities.",
    )


@claim("yang2025-C46")
def same_experts():
    loads = wide(8).index
    low, high = np.geomspace(loads.min(), loads.max(), 4)[1:3]
    moderate = loads[(loads >= low) & (loads <= high)]
    ratio = distinct_experts(64, 2, moderate) / distinct_experts(64, 6, moderate)
    return Result(
        bool((ratio >= 0.9).all()),
        f"Two over six active experts touch {listed(ratio, '.2f')} times as many at {listed(moderate, 'd')} requests, "
        f"by uniform "
        f"routing; {float(distinct_experts(64, 2, 128) / distinct_experts(64, 6, 128)):.2f} at 128. Real routing is "
        f"not uniform and its "
        "counts are not public.",
    )


@cache
def free_of_loss():
    """Gain (%) by load of V3's allocations that score at least the unmodified model, between timed ones."""
    rows = scores_of("DeepSeek-V3")
    rows = rows[(rows.average >= uniform("DeepSeek-V3", 8).mean()) & (rows.mean_active < 8)]
    timed = speedup(9)
    return pd.DataFrame(
        {
            (row["first"], row["peak"], row["last"], row["peak_layer"]): [
                100 * (np.interp(row["mean_active"], timed.columns, at) - 1) for at in timed.to_numpy()
            ]
            for row in rows.to_dict("records")
        },
        index=timed.index,
    ).T


@claim("yang2025-C47")
def ten_per_cent_free():
    gains, six = free_of_loss(), 100 * (speedup(9)[6] - 1)
    lost = uniform("DeepSeek-V3", 8).mean() - uniform("DeepSeek-V3", 6).mean()
    return Result(
        gains.max(axis=None),
        f"The best load and the best of {len(gains)} allocations without loss, none of which was timed; "
        f"{gains.mean(axis=None):.1f} % "
        f"on average over loads. Six experts everywhere were timed: {six.max():.1f} % at {six.idxmax()} requests, "
        f"{six.mean():.1f} % on "
        f"average, {six.min():.1f} % at worst. They lose {lost:.1f} points, which is inside the noise of V2-Lite's "
        f"repeats "
        f"({noise():.2f}): with that allowed, the number is reached at one of {len(six)} loads.",
    )


@claim("yang2025-C48")
def much_for_little():
    pairs = {
        f"{name}, {k} experts": (
            float(speedup(table)[k].max() - 1),
            float(1 - uniform(model, k).mean() / uniform(model, full).mean()),
        )
        for name, model, table, full, numbers in (
            ("V3", "DeepSeek-V3", 9, 8, (6, 4)),
            ("V2-Lite", "DeepSeek-V2-Lite", 8, 6, (4, 2)),
        )
        for k in numbers
    }
    return Result(
        any(gain >= SUBSTANTIAL and lost <= MINOR for gain, lost in pairs.values()),
        "Largest gain and relative loss: "
        + "; ".join(f"{name} {100 * gain:+.0f} %, {-100 * lost:+.1f} %" for name, (gain, lost) in pairs.items())
        + ".",
    )


@claim("yang2025-C49")
def allocations_are_defined():
    rows = scores()
    ends = rows.model.map(N_LAYERS)
    twice = ((rows.peak_layer == 1) & (rows["first"] != rows["peak"])) | (
        (rows.peak_layer == ends) & (rows["last"] != rows["peak"])
    )
    each = rows.to_dict("records")
    apart = max(mean_active(row, np.ceil) - mean_active(row, np.floor) for row in each)
    return Result(
        not twice.any(),
        f"{twice.sum()} of {len(rows)} rows ask the first or the last layer for two numbers. The others have one "
        f"allocation each; "
        f"how its numbers are rounded is not said, and moves the mean by up to {apart:.2f} experts.",
    )


@claim("yang2025-C50")
def two_experts():
    rows, same = near(2), uniform("DeepSeek-V2-Lite", 2)
    light = scores_of("DeepSeek-V2-Lite")
    shapes = light[light.mean_active.between(2, 2 + NEAR, inclusive="right")]
    printed = kept().average["baseline", 64]
    computed, *ends = loss(rows.average.mean(), (1 / rows.rows).sum() / len(rows) ** 2)
    return Result(
        computed,
        f"{len(rows)} allocations, {min(ends):.2f} to {max(ends):.2f} % by the noise of repeats. By an earlier "
        f"criterion, the {len(same)} "
        f"rows with two experts everywhere, it is {loss(same.mean())[0]:.2f} %. The {len(shapes)} shapes with "
        f"{shapes.mean_active.min():.2f} to "
        f"{shapes.mean_active.max():.2f} experts, the undefined ends with them, lose "
        f"{100 * (1 - shapes.average.mean() / printed):.2f} % of "
        f"the printed {printed} on average and {100 * (1 - shapes.average.max() / printed):.2f} % at best: both "
        f"printed numbers. The paper "
        "does not say which rows it means.",
        interval=tuple(sorted(ends)),
    )


@claim("yang2025-C51")
def two_experts_at_best():
    computed, *ends = loss(near(2).average.max(), 1)
    return Result(
        computed,
        f"Among the same allocations as C50. By an earlier criterion, the best row with two experts everywhere, it is "
        f"{loss(uniform('DeepSeek-V2-Lite', 2).max())[0]:.2f} %.",
        interval=tuple(sorted(ends)),
    )


SPAN = 3.1, 3.4
"""Mean numbers of experts that an earlier criterion took for 3.3."""


@claim("yang2025-C52")
def three_experts():
    rows = near(3.3)
    computed, low, high = loss(rows.average.max(), 1)
    best = rows.loc[rows.average.idxmax()]
    light = scores_of("DeepSeek-V2-Lite")
    old = light.average[light.mean_active.between(*SPAN)].max()
    rounded = pd.Series([mean_active(row, np.floor) for row in light.to_dict("records")], light.index)
    down = light.average[rounded.between(*SPAN)].max()
    return Result(
        computed,
        f"The best of {len(rows)} allocations, with {best.mean_active:.2f} experts; "
        f"{uniform('DeepSeek-V2-Lite', 6).mean() - best.average:.2f} "
        f"points. Noise of repeats: {low:.1f} to {high:.1f} %. By an earlier criterion, means "
        f"from {SPAN[0]} to {SPAN[1]}, it is {loss(old)[0]:.2f} %; with every layer's number rounded down, "
        f"{loss(down)[0]:.2f} %.",
        interval=(min(low, high), max(low, high)),
    )


@claim("yang2025-C53")
def descending_on_lite():
    return best_shape("DeepSeek-V2-Lite", "descending", 1)


@claim("yang2025-C54")
def ascending_on_v3():
    return best_shape("DeepSeek-V3", "ascending", -1)


def residuals(model):
    """Averages around a cubic in the mean number of experts."""
    rows = scores_of(model)
    return rows.average - np.polyval(np.polyfit(rows.mean_active, rows.average, 3), rows.mean_active)


@claim("yang2025-C55")
def erratic():
    light, large = (residuals(name) for name in N_LAYERS)
    chance = float(stats.levene(light, large, center="median").pvalue)
    return Result(
        bool(chance < 0.05 and large.std() > light.std()),
        f"Scatter {large.std():.2f} points (V3, {len(large)} rows) against {light.std():.2f} (V2-Lite, {len(light)} "
        f"rows), p = "
        f"{chance:.1g}. The two grids hold different shapes.",
    )


@claim("yang2025-C56")
def polarised_weights():
    return Cannot("The paper shows no data; the router weights of both models on the six tasks would decide it.")


@claim("yang2025-C57")
def opposite_trends():
    (light, p_light), (large, p_large) = favoured("DeepSeek-V2-Lite", 1), favoured("DeepSeek-V3", -1)
    means = [np.mean(front_loaded()[name]) for name in N_LAYERS]
    return Result(
        light and large,
        f"Front-loading changes accuracy by {means[0]:+.2f} points on V2-Lite (p = {p_light:.1g}) and by "
        f"{means[1]:+.2f} on V3 "
        f"(p = {p_large:.2g}). C54 fails for another reason: uniform allocations do as well. Two models cannot show "
        f"that no strategy is universal.",
    )


# Section 6: pruning


@claim("yang2025-C58")
def fastest_pruned():
    speeds = speedup(12)
    return Result(
        speeds.max(axis=None),
        f"At {speeds.max(axis=1).idxmax()} requests with {speeds.max().idxmax()} experts, where every token uses "
        f"every expert and "
        "nothing is routed; the printed digit is cut.",
    )


@claim("yang2025-C59")
def fall_at_192():
    ratio = wide(12).loc[192] / wide(12).loc[128]
    skip = wide(8).loc[192] / wide(8).loc[128]
    return Result(
        bool((ratio.drop(64) < 1).all()),
        "Throughput at 192 over that at 128 requests: "
        + ", ".join(f"{x:.2f} ({n} kept)" for n, x in ratio.items())
        + f"; in Table 8 {skip.min():.2f} to {skip.max():.2f}.",
    )


@claim("yang2025-C60")
def references():
    loads = set(cells(12).concurrency)
    table5 = set(data.load("yang2025/hardware").query("table == 5").item)
    return Result(
        loads == {512} and "throughput" in table5,
        f"Table 12 covers {min(loads)} to {max(loads)} requests, and Table 5 lists hardware: slips of reference.",
    )


@claim("yang2025-C61")
def tokens_for_each_expert():
    kept_numbers = wide(12).columns[::-1].to_numpy()
    tokens = 128 * 6 / distinct_experts(kept_numbers, 6, 128)
    work = pruned.flops_per_token / lite.flops_per_token - 1
    return Result(
        bool((np.diff(tokens) > 0).all() and abs(work) < 0.01),
        f"At 128 requests an expert serves {tokens[0]:.0f} tokens with 64 kept and {tokens[-1]:.0f} with six; the "
        f"work for a token "
        f"changes by {100 * work:.2f} % (the router).",
    )


@claim("yang2025-C62")
def diminishing():
    first, last = speedup(12)[32] - speedup(12)[64], speedup(12)[6] - speedup(12)[12]
    return Result(
        bool((first > last).all()),
        f"The first halving brings more at {(first > last).sum()} of {len(first)} loads. A laxer test, made after the "
        f"result, holds: the "
        f"median over loads is {first.median():.2f} against {last.median():.2f}.",
    )


@claim("yang2025-C63")
def limited_and_severe():
    gain, lost = speedup(12)[[48, 32]].max() - 1, {n: pruning_loss("soft_count", n) for n in (48, 32)}
    high = speedup(12)[48].loc[192:].median() - 1
    return Result(
        all(gain[n] < SUBSTANTIAL and lost[n] > SEVERE for n in lost),
        "; ".join(f"{n} kept: up to {100 * gain[n]:.0f} % faster at {100 * lost[n]:.1f} % loss" for n in lost)
        + f". With 48 the gain is limited from 192 requests on ({100 * high:.0f} %) and the loss is not severe.",
    )


@claim("yang2025-C64")
def best_rule():
    rivals = kept().query("method != 'baseline'")
    best = (
        rivals[["average", *TASKS]]
        .groupby("n_routed")
        .transform("max")
        .eq(rivals[["average", *TASKS]])
        .loc["soft_count"]
    )
    others = rivals.query("method != 'soft_count'")[TASKS].groupby("n_routed").max()
    behind = others - rivals.loc["soft_count", TASKS].loc[others.index]
    return Result(
        bool(best.all(axis=None)),
        f"Best by the average at {best.average.sum()} of {len(best)} sizes. Of {behind.size} tasks it is ahead in "
        f"{(behind < 0).sum(axis=None)}, equal in {(behind == 0).sum(axis=None)} and behind in "
        f"{(behind > 0).sum(axis=None)}, by up to "
        f"{behind.max(axis=None):.1f} points.",
    )


@claim("yang2025-C65")
def a_quarter_removed():
    best, random = pruning_loss("soft_count", 48), pruning_loss("random", 48)
    points = kept().average["baseline", 64] - kept().average["soft_count", 48]
    return Result(
        bool(points > 2 * noise() and random > SEVERE),
        f"The best rule loses {100 * best:.1f} %, random selection {100 * random:.1f} %.",
    )


@claim("yang2025-C66")
def half_removed():
    average = kept().average.xs(32, level="n_routed")
    best, second = average.nlargest(2).index
    return Result(
        100 * pruning_loss(best, 32),
        f"The best rule is {best.replace('_', ' ')}; the printed loss is that of the second, "
        f"{second.replace('_', ' ')} "
        f"({100 * pruning_loss(second, 32):.1f} %). Random selection keeps {100 * above_guessing('random', 32):.0f} % "
        f"of the distance "
        "from guessing, as the claim says.",
    )


@claim("yang2025-C67")
def three_quarters_removed():
    left = {rule: above_guessing(rule, 16) for rule in ("soft_count", "activate_count", "random")}
    return Result(
        left["soft_count"] > 0.1 > max(left["activate_count"], left["random"]),
        f"Of the unmodified model's distance from guessing, soft count, hard count and random selection keep "
        f"{listed((100 * x for x in left.values()), 'z.0f')} %.",
    )


@claim("yang2025-C68")
def structured_rules():
    best = max(above_guessing(rule, 32) for rule, n in kept().index if n == 32)
    part = {rule: above_guessing(rule, 32) / best for rule in ("even", "last_half", "odd", "first_half", "random")}
    average = kept().average
    ahead = min(average[rule, 32] for rule in part if rule != "random") - average["random", 32]
    return Result(
        bool(min(part["even"], part["last_half"]) >= 0.75 and max(part["odd"], part["first_half"]) < 0.25)
        and bool(ahead > 2 * noise()),
        "Of the best rule's distance from guessing: "
        + ", ".join(f"{rule.replace('_', ' ')} {100 * x:.0f} %" for rule, x in part.items())
        + ".",
    )


# Later papers that cite this one


def simulated(n_e, n_a, L, draws=1000):
    """Mean number of distinct experts when every token draws n_a different ones at random."""
    order = np.random.default_rng(0).random((draws, L, n_e)).argpartition(n_a, axis=2)[..., :n_a]
    used = np.zeros((draws, n_e), dtype=bool)
    used[np.arange(draws)[:, None], order.reshape(draws, -1)] = True
    return float(used.sum(axis=1).mean())


@claim("yang2025-C69")
def example_of_distinct_experts():
    computed, drawn = float(distinct_experts(128, 8, 16)), simulated(128, 8, 16)
    if abs(computed - drawn) > 1:
        return Result(drawn, "Simulated routing does not give what the formula gives.")
    return Result(computed, f"Simulated routing gives {drawn:.1f}.")


@cache
def activated_shares():
    """Share of parameters (%) that a batch of eight activates: of the routed experts, and of the whole model."""
    rows = {}
    for name in ("DeepSeek-V2-Lite", "Qwen1.5-MoE-A2.7B", "DeepSeek-V3"):
        model = catalogue.load(name)
        distinct = float(distinct_experts(model.n_routed, model.top_k, 8))
        idle = (model.n_routed - distinct) * model.n_moe_layers * model.expert_weights
        rows[name] = 100 * distinct / model.n_routed, 100 * (1 - idle / model.n_total)
    return pd.DataFrame(rows, index=["routed experts", "all parameters"]).T


@claim("yang2025-C70")
def measured_shares():
    routed, whole = activated_shares()["routed experts"], activated_shares()["all parameters"]
    return Result(
        routed,
        "Uniform routing misses in both directions. Correlated routing touches fewer experts than uniform, which can "
        "explain the first "
        "and the last model, and not the second, which is above. There the measured share may count what is always "
        "active: with "
        f"it the law gives {listed(whole)} %.",
    )


# What the pages show beside the claims


@cache
def trials():
    """Rows of a table and those that a law is fitted to, by what is held out; with the law and what it holds fixed."""
    light, large = steps.StepTime(lite), steps.StepTime(v3, weight_bytes=1)
    both = pd.concat([regular(8), regular(12)])
    fixed = {"rate": np.inf}
    return {
        "Table 8: 5 and 3 active": (light, regular(8), ~regular(8).top_k.isin([5, 3]), None),
        "Table 8: 2 active": (light, regular(8), regular(8).top_k != 2, None),
        "Table 9: 6 and 3 active": (large, regular(9), ~regular(9).top_k.isin([6, 3]), fixed),
        "Table 9: 3 active": (large, regular(9), regular(9).top_k != 3, fixed),
        "Table 12: pruned, from Table 8": (light, both, both.table == 8, None),
        "Table 12: pruned, from all unpruned": (light, both, both.n_routed == 64, None),
    }


@cache
def trained(name):
    """The law fitted without the cells that a trial holds out, and these cells."""
    law, rows, fitted, hold = trials()[name]
    held = rows[~fitted & ~((rows.table == 12) & (rows.n_routed == 64))]
    return fit(law, rows[fitted], RELATIVE_SQUARES, hold=hold), held


@cache
def held_out(name):
    """Mean error (%) on the cells held out, and its 95 % interval by a bootstrap over loads."""
    fitted, held = trained(name)
    predicted, counts = intervals.held_out(fitted, held, "concurrency")
    off = np.abs(predicted / fitted.law.observed(held) - 1)
    ends = intervals.interval(np.average(off, axis=1, weights=counts))
    return 100 * fitted.mean_error(held), *(100 * ends)


def speedup_errors(fitted, table):
    """Predicted over measured speed-up, less one, by load up to 128 (rows) and number of experts (columns)."""
    rows = regular(table).assign(ratio=lambda rows: fitted.predict(rows) / fitted.law.observed(rows))
    ratio = rows.pivot(index="concurrency", columns=EXPERTS[table], values="ratio")
    return ratio.rdiv(ratio[ratio.columns.max()], axis=0) - 1


@cache
def held_out_speedups(name):
    """Predicted over measured speed-up, less one, of the cells that a trial holds out."""
    fitted, held = trained(name)
    table = int(name.removeprefix("Table ").partition(":")[0])
    return speedup_errors(fitted, table)[sorted(held[EXPERTS[table]].unique())]


NEIGHBOURS = {(8, 5): (4, 6), (8, 3): (2, 4), (9, 6): (4, 8)}
"""Columns of Tables 8 and 9 that a trial holds out between two others."""


def between_neighbours(table, n):
    """Geometric mean of the neighbours of a column over its own throughput (and so speed-up), less one."""
    low, high = NEIGHBOURS[table, n]
    measured = wide(table).loc[:REGULAR]
    return np.sqrt(measured[low] * measured[high]) / measured[n] - 1


def with_floor(law, rows, floor):
    """Step time (ms) if the decoding part cannot be shorter than a floor; with floors in a column, a row for each."""
    parts = law.law.parts(rows, law.coefficients)
    serial = (parts["prefill"] + parts["per request"]).to_numpy()
    return np.maximum(floor, parts.sum(axis=1).to_numpy() - serial) + serial


@cache
def floors():
    """The floor (ms) that fits 192 and 256 requests of one table best, and mean errors (%) without and with it."""
    above = {table: cells(table)[cells(table).concurrency.between(REGULAR + 1, 256)] for table in (8, 12)}

    def off(fitted, scored, floor):
        law = step_law(fitted)
        return np.abs(with_floor(law, above[scored], floor) / law.law.observed(above[scored]) - 1)

    grid, rows = np.arange(1, 100, 0.1), []
    for fitted in above:
        floor = grid[np.argmin((off(fitted, fitted, grid[:, None]) ** 2).sum(axis=1))]
        rows += [
            (fitted, scored, floor, *(100 * off(fitted, scored, x).mean() for x in (0, floor))) for scored in above
        ]
    return pd.DataFrame(rows, columns=["fitted to", "scored on", "floor", "without", "with"])


@cache
def best_of_many(model):
    """Best allocation of a model against its unmodified form, and the chance of it by the noise of repeats.

    The chance is given for one allocation, and for the best of all that were tried, if none were better than the
    unmodified model: all are compared with the same reference, so that their differences move together.
    """
    rows, reference = scores_of(model), uniform(model, max(scores_of(model)["first"]))
    tried = rows[rows[["first", "peak", "last"]].nunique(axis=1) > 1]
    best = tried.loc[tried.average.idxmax()]
    gain = best.average - reference.mean()
    rng, draws = np.random.default_rng(48), 100_000
    scale = noise() * np.sqrt(15 / rng.chisquare(15, draws))
    highest = stats.norm.ppf(rng.random(draws) ** (1 / len(tried)))
    of_reference = rng.normal(size=draws) / np.sqrt(len(reference))
    return {
        "best": "({}, {}, {}, {})".format(*best[["first", "peak", "last", "peak_layer"]]),
        "mean active": best.mean_active,
        "difference": gain,
        "tried": len(tried),
        "chance alone": float(stats.t.sf(gain / (noise() * np.sqrt(1 + 1 / len(reference))), df=15)),
        "chance of the best": float(np.mean(scale * (highest - of_reference) >= gain)),
    }
