"""What laws advise for one budget, decided from their coefficients and from public models.

Sizes, tokens and computes are in the account of ``moelaws.papers.advice``: active parameters of the layers, 6 N D.
"""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
from scipy import optimize

from moelaws import data, ledger
from moelaws.laws.tian2025 import PUBLISHED, TIAN2025, optimal_granularity
from moelaws.ledger import Result, claim
from moelaws.models import huggingface, ratios
from moelaws.papers import advice
from moelaws.papers.judge import Design, Judge
from moelaws.papers.tian2025 import settings as tian
from moelaws.papers.wan2026 import law as wan
from moelaws.paths import ROOT
from moelaws.serving.steps import StepTime

BUDGET = 1e22
BUDGETS = 10.0 ** np.arange(18, 26)
ASKED = [name for name in advice.ADVISERS if name != "clark2022"]  # tell sizes
MOE = [name for name in ASKED if advice.ADVISERS[name].kind == "moe"]
DENSE = [name for name in ASKED if advice.ADVISERS[name].kind == "dense"]
JUDGES = {name: one.judge for name, one in advice.ADVISERS.items() if one.judge}
OF_MOE = [name for name in MOE if name in JUDGES]

asked = cache(advice.advise)


@cache
def size(name, flops=BUDGET):
    """Active parameters that a law advises."""
    return advice.ADVISERS[name].best(flops)


def span(values):
    """Largest over smallest."""
    return max(values) / min(values)


def sizes(names, flops=BUDGET):
    """Active parameters that laws advise."""
    return pd.Series({name: size(name, flops) for name in names})


def named(values, form="{:.2g}"):
    """Values by name, as a sentence lists them."""
    return ", ".join(f"{name} {form.format(value)}" for name, value in values.items())


@claim("budget-C01")
def sizes_of_mixtures():
    return Result(span(sizes(MOE)), f"Active parameters: {named(sizes(MOE))}.")


@claim("budget-C02")
def all_sizes():
    found = sizes(ASKED)
    rest = found.drop(found.idxmax())
    return Result(span(found), f"Active parameters: {named(found[DENSE])}. Without {found.idxmax()}: {span(rest):.2g}.")


def as_printed(flops=BUDGET):
    """Best sizes as papers count them, for a budget in their own account; a sixth of the work where that is all."""
    own = replace(JUDGES["ludziejewski2025"], read=advice.counted)  # its N is taken as it counts, embedding and all
    work = float(wan.FLOPS_PER_TOKEN(flops))
    return pd.Series(
        {
            "wan2026": work / float(advice.wan_density()(work)),
            "tian2025": float(tian.FLOPS_PER_TOKEN["moe"](flops)) / 6,
            "yun2024": size("yun2024", flops) / float(ratios.active_ratio(advice.YUN_EXPERTS)),
            "krajewski2024": asked("krajewski2024", flops).n_total,
            "ludziejewski2025": own.best(flops, own.design(flops))[0],
            "abnar2025": asked("abnar2025", flops).n_total,
        }
    )


@claim("budget-C03")
def what_one_convention_does():
    before, after = as_printed(), sizes(MOE)
    note = f"As the papers count: {named(before)}, a factor of {span(before):.0f}; in one account {span(after):.1f}."
    return Result(np.log(span(after)) / np.log(span(before)), note)


def works(flops):
    """Training FLOP of a token by the two printed laws for mixtures of experts."""
    return np.array([wan.FLOPS_PER_TOKEN(flops), tian.FLOPS_PER_TOKEN["moe"](flops)])


@claim("budget-C04")
def work_of_a_token():
    both = works(np.geomspace(1e18, 3e20, 200))
    ends = works(np.array([1e18, 3e20, 1e22, 1e24]))
    return Result(
        100 * (both.max(axis=0) / both.min(axis=0) - 1).max(),
        f"Wan et al. over Tian et al.: {ends[0, 0] / ends[1, 0]:.2f} at 1e18, {ends[0, 1] / ends[1, 1]:.2f} at 3e20, "
        f"{ends[0, 2] / ends[1, 2]:.2f} at 1e22 and {ends[0, 3] / ends[1, 3]:.2f} at 1e24 FLOP; the exponents differ.",
    )


def tokens_per_parameter(judge, design, flops=BUDGET):
    """Best tokens per active parameter by a law for a design."""
    return flops / 6 / judge.best(flops, design)[0] ** 2


@cache
def sparse_over_dense(flops=BUDGET):
    """Tokens per active parameter of a sparse over those of a dense model, by law; the lowest set for yun2024."""
    yun = advice.yun_sets()
    fine = advice.granularity(flops)
    dense_of_krajewski = Judge("dense", advice.KRAJEWSKI_DENSE, advice.counted)
    pairs = {
        "krajewski2024": (JUDGES["krajewski2024"], Design(64.0, fine), dense_of_krajewski),
        "ludziejewski2025": (JUDGES["ludziejewski2025"], Design(32.0), JUDGES["ludziejewski2025"]),
        "abnar2025": (JUDGES["abnar2025"], Design(20.0), JUDGES["abnar2025"]),
    }
    found = {
        name: tokens_per_parameter(sparse, design, flops) / tokens_per_parameter(dense, Design(), flops)
        for name, (sparse, design, dense) in pairs.items()
    }
    found["tian2025"] = (size("tian2025_dense", flops) / size("tian2025", flops)) ** 2
    found["yun2024"] = float(((advice.yun_sizes(yun, flops, 1.0) / advice.yun_sizes(yun, flops)) ** 2).min())
    return pd.Series(found)


@claim("budget-C05")
def sparse_models_want_more_tokens():
    found = sparse_over_dense()
    return Result(bool((found > 1).all()), f"Sparse over dense: {named(found)}.")


@cache
def most_experts(flops=BUDGET):
    """Whether a law prefers the most experts of its runs."""
    found = {name: asked(name, flops).most for name in ("clark2022", "ludziejewski2025", "abnar2025")}
    return found | {"tian2025": bool(leverage(np.geomspace(1 / 128, 1, 50), 12.0, flops).argmax() == 0)}


@claim("budget-C06")
def never_enough_experts():
    found = most_experts()
    few = asked("clark2022", 1e24).experts
    return Result(
        all(found.values()),
        f"Of {len(found)} laws {sum(found.values())} prefer their most. "
        f"At 1e24 FLOP, far outside its runs, clark2022 prefers {few:.0f}.",
    )


@cache
def regret(flops=BUDGET):
    """Regret in per cent of compute: judges in rows, advisers in columns."""
    rows = {
        judge: {name: 100 * law.regret(size(name, flops), flops / 6 / size(name, flops)) for name in ASKED}
        for judge, law in JUDGES.items()
    }
    return pd.DataFrame(rows).T


def of_others(table):
    """Entries of a regret matrix less each judge's opinion of its own advice, which is zero by definition."""
    return table.stack()[lambda entries: [judge != adviser for judge, adviser in entries.index]]


def worst(table):
    """Largest entry with its judge and adviser."""
    judge, adviser = table.stack().idxmax()
    median = of_others(table).median()
    return table.loc[
        judge, adviser
    ], f"Largest for {adviser} judged by {judge}; the median of others is {median:.1f} %."


@claim("budget-C07")
def regret_among_mixtures():
    return Result(*worst(regret().loc[OF_MOE, MOE]))


@claim("budget-C08")
def regret_among_all():
    value, note = worst(regret())
    rest, _ = worst(regret().drop(columns="kaplan2020"))
    return Result(value, f"{note} Without kaplan2020 the largest is {rest:.0f} %.")


@cache
def models():
    """Public models: design, sizes of the layers, tokens, compute and what laws say of it."""
    rows = data.load("budget/models")
    table = pd.DataFrame({"model": rows.model, "n_tokens": 1e12 * rows.n_tokens, "config": rows.config})
    found = [architecture(config) for config in rows.config]
    table["n_active"] = [float(one.n_body_active) for one in found]
    table["n_total"] = [float(one.n_body) for one in found]
    table["experts"] = [one.n_routed / one.top_k for one in found]
    table["activation_ratio"] = 1 / table.experts
    table["granularity"] = [float(ratios.granularity(one.d_model, one.d_expert)) for one in found]
    table["n_shared"] = [one.n_shared for one in found]
    table["flops"] = 6 * table.n_active * table.n_tokens
    table["ratio"] = table.n_tokens / table.n_active
    for name in MOE:
        table[name] = [flops / 6 / size(name, flops) ** 2 for flops in table.flops]
    return table.set_index("model")


@cache
def architecture(config):
    """Architecture of a configuration."""
    return huggingface.model(str(ROOT / "data" / "model_configs" / f"{config}.json")).architecture


def beyond():
    """Tokens per active parameter of each public model, over the most that a law of mixtures advises."""
    return models().ratio / models()[MOE].max(axis=1)


@claim("budget-C09")
def trained_beyond_every_law():
    over = beyond()
    return Result(
        bool((over > 1).all()),
        f"{(over > 1).sum()} of {len(over)}; the least over the largest advised: {named(over.nsmallest(3), '{:.1f}')}.",
    )


@claim("budget-C10")
def how_far_beyond():
    by_law = models()[MOE].rdiv(models().ratio, axis=0).median()
    return Result(beyond().median(), f"Median over each law: {named(by_law, '{:.0f}')}.")


@cache
def served():
    """Tokens to be served for which a model is the cheapest of its loss, over its training tokens, by judge."""
    table = models()
    return pd.DataFrame(
        {
            name: [JUDGES[name].serves(row.n_active, row.n_tokens) / row.n_tokens for row in table.itertuples()]
            for name in OF_MOE
        },
        index=table.index,
    )


@claim("budget-C11")
def serving_explains_it():
    share = 100 * (served() <= 10).mean()
    return Result(
        share.min(), f"By law: {named(share, '{:.0f} %')}. Medians over training tokens: {named(served().median())}."
    )


@cache
def within_budget(tokens, flops=BUDGET):
    """Size trained with the budget that is the cheapest of its loss if tokens are served, by judge.

    With it, the share of the budget that reaches this loss at best.
    """
    found = {}
    for name in OF_MOE:
        judge, best = JUDGES[name], size(name, flops)

        def short(log_n, judge=judge):
            return judge.serves(np.exp(log_n), flops / 6 / np.exp(log_n)) - tokens

        n = np.exp(optimize.brentq(short, np.log(best / 1e3), np.log(best)))
        found[name] = {"n_active": n, "share": 1 / (1 + judge.regret(n, flops / 6 / n))}
    return pd.DataFrame(found).T


def leverage(activation, granularity, flops):
    """Leverage by the printed joint law of Tian et al."""
    columns = dict(zip(TIAN2025.columns, np.broadcast_arrays(activation, granularity, flops), strict=True))
    return TIAN2025.predict(TIAN2025.theta(PUBLISHED), columns)


@claim("budget-C12")
def granularity_is_settled():
    table = models()
    best = float(optimal_granularity(PUBLISHED["gamma"], PUBLISHED["beta"]))
    own, most = (leverage(table.activation_ratio, fine, table.flops) for fine in (table.granularity, best))
    lost = pd.Series(1 - own / most, index=table.index)
    return Result(
        100 * (lost < 0.05).mean(),
        f"Granularity {table.granularity.min():.2g} to {table.granularity.max():.2g}; the law prefers {best:.1f}. "
        f"The most is lost by {named(100 * lost.nlargest(2), '{:.0f} %')}.",
    )


@claim("budget-C13")
def fine_experts():
    # A minimum is known to half the digits of what is lowest there.
    found = [float(f"{advice.granularity(flops):.4g}") for flops in (1e18, 1e25)]
    return Result(
        found,
        "The routing constant is as commonly quoted; the width of a size is the book's rule, not the paper's models.",
    )


def dense_equal(flops):
    """Compute of the dense law of Krajewski et al. with the loss of their best mixture of experts, over its compute."""
    _, loss = advice.routed(flops)
    return Judge("dense", advice.KRAJEWSKI_DENSE, advice.counted).least(loss, 1e4 * flops, Design()) / flops


@claim("budget-C14")
def worth_of_sparse_compute():
    return Result(
        [dense_equal(1e20), dense_equal(1e25)],
        "The coefficients are those of citing texts; the width of a size is the book's rule, not the paper's models.",
    )


@claim("budget-C15")
def sparser_is_better():
    judge, sparsity = JUDGES["abnar2025"], np.linspace(0, 0.95, 39)
    losses = np.array([[judge.best(c, Design(1 / (1 - s)))[1] for s in sparsity] for c in (3e19, 1e20, 3e20, 1e21)])
    steps = np.diff(losses, axis=1)
    return Result(bool((steps < 0).all()), f"{(steps < 0).sum()} of {steps.size} steps lower the loss.")


LOADS = 2.0 ** np.arange(0, 8)


def machine():
    """The law of a step as fitted to DeepSeek-V3 on eight H200."""
    return ledger.module("yang2025").step_law(9)


@cache
def halving(overhead=True):
    """Step time with half of the active experts over that with all, by model and requests; with its constant or not."""
    fitted, found = machine(), {}
    coefficients = fitted.coefficients * np.array([float(overhead), 1, 1, 1])
    for config, model in zip(models().config, models().index, strict=True):
        one = architecture(config)
        law = StepTime(one, weight_bytes=fitted.law.weight_bytes, cache_bytes=fitted.law.cache_bytes)
        rows = {"concurrency": LOADS, "tokens_in": np.full(8, 1024.0), "tokens_out": np.full(8, 1024.0)}
        half, full = (
            law.predict(coefficients, rows | {"n_routed": np.full(8, one.n_routed), "top_k": np.full(8, top_k)})
            for top_k in (-(-one.top_k // 2), one.top_k)
        )
        found[model] = half / full
    return pd.DataFrame(found, index=LOADS).T


@claim("budget-C16")
def halving_pays_at_eight():
    at = halving()[8.0]
    return Result(bool((at <= 0.9).all()), f"{(at <= 0.9).sum()} of {len(at)}: from {at.min():.2f} to {at.max():.2f}.")


@claim("budget-C17")
def halving_does_not_pay_at_128():
    at = halving()[128.0]
    return Result(bool((at > 0.9).all()), f"{(at > 0.9).sum()} of {len(at)}: from {at.min():.2f} to {at.max():.2f}.")
