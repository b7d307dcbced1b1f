r"""What laws advise for a training budget, in one account.

=========== ================================================================================================
account     what it counts
=========== ================================================================================================
N           ``n_active``, parameters of the layers that a token uses: neither embeddings nor output layer
D           ``n_tokens``, training tokens
C           ``flops``, training FLOP, 6 N D: neither attention scores nor output layer
experts     weights of the experts over those that a token uses; 1 for a dense model
granularity 2 d_model / d_expert, as Tian et al. count it
=========== ================================================================================================

Each paper counts in its own way, which ``ADVISERS`` says; its law is asked in that way, and the answer translated. An
embedding has the width that follows from a size by :func:`width`. Where a law does not say, a third of the active
parameters lies outside of experts (:data:`moelaws.fitting.shapes.OUTSIDE`). Work with attention scores becomes 6 N by
the ratio of both in the paper's own architectures.

References
----------
Of the laws: :mod:`moelaws.laws`, :mod:`moelaws.papers`. J. Kaplan et al., arXiv:2001.08361 (2020), for its allocation.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize

from moelaws import data
from moelaws.checks import Floats
from moelaws.errors import InputError
from moelaws.fitting import shapes
from moelaws.fitting.optimum import lowest
from moelaws.fitting.trend import Trend
from moelaws.laws import abnar2025, clark2022, dense, krajewski2024, ludziejewski2025, tian2025
from moelaws.laws.power import PowerLaw
from moelaws.laws.yun2024 import YUN2024
from moelaws.models import catalogue, ratios
from moelaws.papers.judge import Design, Judge, Served
from moelaws.papers.tian2025 import settings as tian
from moelaws.papers.wan2026 import allocation as wan
from moelaws.papers.wan2026 import law as wan_law
from moelaws.papers.yun2024 import budget as eq4

ANSWERED, SERVED = (1e17, 1e27), (1e6, 1e18)
"""Budgets in FLOP between which laws are asked, and tokens to be served."""

WIDTH_OVER_DEPTH = 85.0
"""The median of the public mixtures of experts in ``model_configs``."""

VOCABULARY = {"hoffmann2022": 32_000, "ludziejewski2025": 50_257}
"""Rows of the embedding that a paper's N holds, as commonly quoted; no text was at hand."""

KAPLAN = PowerLaw(1.3e9 / 8.64e19**0.73, 0.73)
"""Best size of Kaplan et al. (2020) for a compute in FLOP; printed for a day at 1e15 FLOP per second."""

KRAJEWSKI_DENSE = {"E": 0.47, "A": 16.3, "B": 26.7, "alpha": 0.126, "beta": 0.127}
"""Coefficients of dense models by Krajewski et al. (2024), for :data:`moelaws.laws.dense.DENSE`."""

ROUTING, MATRIX = 14.0, 6.0
"""Training FLOP of a token that Krajewski et al. (2024) count for a weight of a router, and for any other."""

TIAN_RUNS, CLARK_TOKENS = (3e17, 3e20), 130e9
"""Budgets of the allocation of Tian et al. (2025), and the tokens of all runs of Clark et al. (2022)."""

YUN_EXPERTS = 8.0
"""Experts of which the law of Yun et al. (2024) is asked; the paper's recommendations lie on both sides."""


@dataclass(frozen=True)
class Advice:
    """What a law advises, in the account of this module; None where it is silent.

    Parameters
    ----------
    n_active, n_tokens, experts, granularity : float, optional
        As above; `low` and `high` are the ends of what is left open of `n_active`.
    most : bool
        Whether `experts` are the most of the law's runs, so that it may prefer still more.
    n_total : float, optional
        All parameters of the layers.
    n_shared, d_model, n_layers : int, optional
        Shared experts in a layer, width and depth.
    decades : float
        How far the answer lies outside the runs behind the law, in powers of ten of what is farthest outside.
    """

    n_active: float | None = None
    n_tokens: float | None = None
    low: float | None = None
    high: float | None = None
    experts: float | None = None
    most: bool = False
    n_total: float | None = None
    granularity: float | None = None
    n_shared: int | None = None
    d_model: int | None = None
    n_layers: int | None = None
    decades: float = 0.0


@dataclass(frozen=True)
class Adviser:
    """A law that can be asked, and how its paper counts.

    Parameters
    ----------
    kind : {"moe", "dense"}
        What it is a law of.
    best : callable
        Budget in FLOP → active parameters; None for a law that tells no size.
    far : callable
        Budget and active parameters → powers of ten by which both lie outside of its runs.
    rest : callable
        Budget and active parameters → what else it says, by the names of :class:`Advice`.
    counts, compute, silent : str
        Which N and which C the paper counts, and what its law does not tell.
    source : {"printed", "secondary", "admissible"}
        Whether its numbers were read in the paper, were not (most of them in texts that cite it), or only follow from
        what the paper states.
    judge : Judge, optional
        Its law of the loss, if it has one.
    """

    kind: str
    best: Callable[[float], float] | None
    far: Callable[[float, float], float]
    rest: Callable[[float, float], dict[str, Any]]
    counts: str
    compute: str
    silent: str
    source: str
    judge: Judge | None = None


def advise(law: str, flops: float) -> Advice:
    """Return what a law, one of ``ADVISERS``, advises for a training budget in FLOP.

    Examples
    --------
    By the printed law of Tian et al. (2025), and how far that extrapolates:

    >>> advice = advise("tian2025", 1e22)
    >>> f"{advice.n_active:.2g} {advice.n_tokens:.2g}", round(advice.granularity, 1), round(advice.decades, 1)
    ('4.7e+09 3.5e+11', 11.3, 1.6)
    """
    if law not in ADVISERS:
        raise InputError(f"There is no advice by a law '{law}'; the laws are {', '.join(ADVISERS)}.")
    within(ANSWERED, flops=flops)
    one = ADVISERS[law]
    if one.best is None:
        return Advice(**one.rest(flops, np.nan), decades=one.far(flops, np.nan))
    n = one.best(flops)
    return Advice(n_active=n, n_tokens=flops / 6 / n, **one.rest(flops, n), decades=one.far(flops, n))


def within(ends: tuple[float, float], **parameter: float) -> None:
    """Refuse a parameter that does not lie between two ends."""
    ((name, value),) = parameter.items()
    low, high = ends
    if not low <= value <= high:
        raise InputError(
            f"Parameter {name} has the value {value:g}; a number from {low:g} to {high:g} is expected, as nothing is "
            "known farther from the runs."
        )


def answers(flops: float, tokens_served: float | None = None) -> list[dict[str, Any]]:
    """Return what every law advises, a row for each.

    A row has the parameters of :class:`Advice`, the law's kind and source, and `tokens_per_parameter`. If tokens are to
    be served, `flops_total` is the FLOP of training and serving; for laws of the loss it is that of the model of least
    cost at the loss of the law's best, whose sizes are `served_active` and `served_tokens`.

    Examples
    --------
    >>> rows = {row["law"]: row for row in answers(1e22, tokens_served=1e13)}
    >>> [f"{rows['besiroglu2024'][name]:.2g}" for name in ("n_active", "served_active", "flops_total")]
    ['8.9e+09', '2.7e+09', '7.9e+22']
    """
    if tokens_served is not None:
        within(SERVED, tokens_served=tokens_served)
    rows = []
    for name, one in ADVISERS.items():
        said = advise(name, flops)
        rows.append({"law": name, "kind": one.kind, "source": one.source, **asdict(said)})
        if said.n_active is None or said.n_tokens is None:
            continue
        rows[-1]["tokens_per_parameter"] = said.n_tokens / said.n_active
        if tokens_served is not None:
            model = Served(said.n_active, said.n_tokens, flops, 2 * said.n_active * tokens_served)
            if one.judge:
                model = one.judge.served(flops, tokens_served)
                rows[-1] |= {"served_active": model.n_active, "served_tokens": model.n_tokens}
            rows[-1]["flops_total"] = model.training + model.serving
    return rows


def compromise(flops: float) -> tuple[float, float]:
    """Return the size whose largest regret by any law of the loss is least, and that regret, a share of the compute.

    Examples
    --------
    >>> n_active, regret = compromise(1e22)
    >>> f"{n_active:.2g}", round(regret, 3)
    ('8.3e+09', 0.027)
    """
    judges = [one.judge for one in ADVISERS.values() if one.judge]

    def worst(log_n: float) -> float:
        n = float(np.exp(log_n))
        return max(judge.regret(n, flops / 6 / n) for judge in judges)

    sizes = np.log([one.best(flops) for one in ADVISERS.values() if one.best and one.judge])
    found = optimize.minimize_scalar(
        worst, bounds=(sizes.min(), sizes.max()), method="bounded", options={"xatol": 1e-4}
    )
    return float(np.exp(found.x)), float(found.fun)


def width(n_active: ArrayLike) -> Floats:
    """Return the hidden size of a size, for layers of 12 d_model² active weights and a width of 85 times the depth.

    Examples
    --------
    >>> round(float(width(5e9)))
    3284
    """
    return np.asarray((WIDTH_OVER_DEPTH * np.asarray(n_active, dtype=float) / 12) ** (1 / 3))


def counted(n_active: Floats, n_tokens: Floats, design: Design, vocabulary: int = 0) -> dict[str, Floats]:
    """Return the columns that laws read; `vocabulary` rows of an embedding count as parameters."""
    size = n_active + vocabulary * width(n_active)
    return shapes.columns(size, n_tokens, design.experts, design.granularity, shapes.OUTSIDE)


def outside(runs: Mapping[str, tuple[float, float]], values: Mapping[str, float]) -> float:
    """Return how far values lie outside of a paper's runs, in powers of ten of what is farthest outside.

    Examples
    --------
    >>> outside({"flops": (1e18, 3e20), "n_tokens": (1e9, 1e11)}, {"flops": 3e21, "n_tokens": 5e10})
    1.0
    """
    far = [np.log10(max(low / values[name], values[name] / high)) for name, (low, high) in runs.items()]
    return round(float(max(0.0, *far)), 9)


def by_loss(
    kind: str, judge: Judge, runs: Mapping[str, tuple[float, float]], said: tuple[str, str, str, str]
) -> Adviser:
    """Return a law of the loss as an adviser, with what is `said` of it: counts, compute, silent and source.

    `runs` has ends by the `budget` or by columns of :func:`counted`.
    """

    def rest(flops: float, n: float) -> dict[str, Any]:
        design = judge.design(flops)
        return {
            "experts": None if kind == "dense" else design.experts,
            "most": len(judge.experts) > 1 and design.experts == max(judge.experts),
            "n_total": float(shapes.total(n, design.experts)),
            "granularity": design.granularity / 2 if judge.granularity else None,
        }

    def far(flops: float, n: float) -> float:
        columns = judge.read(np.array([n]), np.array([flops / 6 / n]), judge.design(flops))
        return outside(runs, {"budget": flops} | {name: float(value[0]) for name, value in columns.items()})

    def best(flops: float) -> float:
        return judge.best(flops, judge.design(flops))[0]

    return Adviser(kind, best, far, rest, *said, judge)


def own_budget(flops: float, work: PowerLaw, density: Trend) -> float:
    """Return the compute with attention scores, M D, of a model whose 6 N D is `flops`.

    `work` is M for M D, and `density` M / N for M.
    """

    def over(log_own: float) -> float:
        return float(log_own + np.log(6 / density(work(np.exp(log_own)))) - np.log(flops))

    return float(np.exp(optimize.brentq(over, np.log(flops), np.log(100 * flops), xtol=1e-12)))


def by_work(
    kind: str,
    work: PowerLaw,
    density: Callable[[], Trend],
    runs: tuple[float, float],
    rest: Callable[[float, float], dict[str, Any]],
    silent: str,
    source: str,
) -> Adviser:
    """Return a law of the work of a token, M for M D, as an adviser; `runs` has the ends of M D."""

    def best(flops: float) -> float:
        own = work(own_budget(flops, work, density()))
        return float(own / density()(own))

    def far(flops: float, n: float) -> float:
        return outside({"own": runs}, {"own": own_budget(flops, work, density())})

    counts, compute = "work of a token", "work with attention scores, times tokens"
    return Adviser(kind, best, far, rest, counts, compute, silent, source)


@cache
def tian_density() -> Trend:
    """Return the training FLOP of a token over active parameters, by these FLOP: the sizes of Table 7."""
    rows = data.load("tian2025/architectures").query("table == 7 and n_routed == 64").to_dict("records")
    models = [catalogue.from_row(row, vocab=1) for row in rows]
    work = np.array([model.training_flops(4096, output_layer=False, router=False) for model in models], dtype=float)
    return Trend(work, work / [model.n_body_active for model in models], floor=MATRIX)


@cache
def wan_density() -> Trend:
    """Return the same of Wan et al. (2026): the middles of the sweeps of Tables 16 to 21."""
    return Trend(wan.scales().M, wan.scales().compute_density, floor=MATRIX)


def of_tian(flops: float, n: float) -> dict[str, Any]:
    """Return the best design of Tian et al. (2025): by Eq. 13, and one shared expert by the text."""
    best = tian2025.optimal_granularity(tian2025.PUBLISHED["gamma"], tian2025.PUBLISHED["beta"])
    design = {"experts": 128.0, "most": True, "granularity": float(best), "n_shared": 1}
    return design | {"n_total": float(shapes.total(n, 128.0))}


def only(flops: float, n: float) -> dict[str, Any]:
    """Return what a law of dense models says besides the size: that all parameters are active."""
    return {"n_total": n}


def of_wan(flops: float, n: float) -> dict[str, Any]:
    """Return the rest of the plan of :mod:`moelaws.papers.wan2026.allocation`, and what its ratio leaves open."""
    own = own_budget(flops, wan_law.FLOPS_PER_TOKEN, wan_density())
    plan, work = wan.plan(own), wan_law.FLOPS_PER_TOKEN(own)
    few, many = (float(end) for end in wan_density().interval(work))
    shape = plan.architecture
    return {name: shape[name] for name in ("n_shared", "d_model", "n_layers")} | {
        "low": float(work / many),
        "high": float(work / few),
        "experts": shape["n_routed"] / shape["top_k"],
        "n_total": n * plan.step("expansion").value,
        "granularity": float(ratios.granularity(shape["d_model"], shape["d_expert"])),
    }


@cache
def yun_sets() -> Floats:
    """Return the admissible coefficients of Eq. 4 of Yun et al. (2024), by their best size at 1e22 FLOP."""
    rows = data.load("yun2024/feasible").query("flops_of == 'active' and size_of == 'active'")
    sets = rows[[parameter.name for parameter in YUN2024.parameters]].to_numpy(dtype=float)
    return np.asarray(sets[np.argsort(yun_sizes(sets, 1e22), kind="stable")])


def yun_sizes(sets: Floats, flops: float, experts: float = YUN_EXPERTS) -> Floats:
    """Return the best active parameters for a budget by each set of coefficients."""
    share = ratios.active_ratio(experts)
    return np.asarray(share * eq4.optimum(sets, flops, experts, share)[0])


def yun_columns(n_active: Floats, n_tokens: Floats, design: Design) -> dict[str, Floats]:
    """Return what the law of Yun et al. (2024) reads: N of the dense model with the same layers."""
    experts = np.full_like(n_active, design.experts)
    return {"n_dense": n_active / ratios.active_ratio(experts), "n_tokens": n_tokens, "n_routed": experts}


def of_yun(flops: float, n: float) -> dict[str, Any]:
    """Return the sizes between which all admissible sets lie; two experts are active."""
    sizes = yun_sizes(yun_sets(), flops)
    return {
        "low": float(sizes.min()),
        "high": float(sizes.max()),
        "experts": YUN_EXPERTS / 2,
        "n_total": n * float(ratios.total_ratio(YUN_EXPERTS) / ratios.active_ratio(YUN_EXPERTS)),
    }


def yun2024() -> Adviser:
    """Return the law of Yun et al. (2024) with the middle one of the admissible sets of coefficients."""
    middle = yun_sets()[len(yun_sets()) // 2]
    values = {parameter.name: float(value) for parameter, value in zip(YUN2024.parameters, middle, strict=True)}
    judge = Judge("yun2024", values, yun_columns, (YUN_EXPERTS,))

    of_loss = by_loss(
        "moe", judge, {"budget": (0, 1.09e20)}, ("dense model inside", f"{_ND}, active", _DESIGN, "admissible")
    )
    return replace(of_loss, rest=of_yun)


def routed(flops: float) -> tuple[float, float]:
    """Return the best granularity, 4 d_model / d_expert, and the loss by Krajewski et al. (2024), who count routers.

    Compute is (12 d² c_f + d E G c_r) n_blocks D there, with E = 64.
    """

    def lowest_loss(log_g: float) -> float:
        design = Design(64.0, float(np.exp(log_g)))

        def along(log_n: Floats) -> Floats:
            n = np.exp(log_n)
            routers = 64 * design.granularity * ROUTING / (12 * MATRIX * width(n))
            return KRAJEWSKI.loss(n, flops / MATRIX / n / (1 + routers), design)

        return lowest(along, np.log(1e4), np.log(flops / 6e4))[1]

    ends = (0.0, float(np.log(1024)))
    found = optimize.minimize_scalar(lowest_loss, bounds=ends, method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x)), float(found.fun)


def granularity(flops: float) -> float:
    """Return the best granularity of :func:`routed`, for a budget of six digits."""
    return _routed(float(f"{flops:.6g}"))[0]


_routed = cache(routed)


def of_clark(flops: float, n: float) -> dict[str, Any]:
    """Return the best experts by Clark et al. (2022) at the 130e9 tokens of all their runs, which fix the size."""
    counts = 2.0 ** np.arange(10)
    theta = clark2022.CLARK2022.theta(clark2022.PUBLISHED["S-Base"])
    sizes = np.full(10, flops / 6 / CLARK_TOKENS)
    losses = clark2022.CLARK2022.predict(theta, {"n_active": sizes, "n_routed": counts})
    best = float(counts[losses.argmin()])
    return {"experts": best, "most": best == 512}


_ND = "6 N D"
_DESIGN = "granularity, shared experts, shape"
_OF_CHINCHILLA = {"budget": (6e18, 3e21), "n_active": (7e7, 1.6e10), "n_tokens": (5e9, 5e11)}

KRAJEWSKI = Judge("krajewski2024", krajewski2024.PUBLISHED, counted, (64.0,), granularity)
LUDZIEJEWSKI = Judge(
    "ludziejewski2025",
    ludziejewski2025.PUBLISHED,
    partial(counted, vocabulary=VOCABULARY["ludziejewski2025"]),
    (1.0, 2.0, 4.0, 8.0, 16.0, 32.0),
)
ABNAR = Judge("abnar2025", abnar2025.PUBLISHED, counted, tuple(np.geomspace(1, 20, 14).tolist()))


def _chinchilla(values: Mapping[str, float]) -> Adviser:
    judge = Judge("dense", values, partial(counted, vocabulary=VOCABULARY["hoffmann2022"]))
    return by_loss("dense", judge, _OF_CHINCHILLA, ("all, with embedding", _ND, "experts", "secondary"))


ADVISERS: dict[str, Adviser] = {
    "wan2026": by_work(
        "moe", wan_law.FLOPS_PER_TOKEN, wan_density, wan.RANGE, of_wan, "number of experts (8 of 288)", "printed"
    ),
    "tian2025": by_work(
        "moe", tian.FLOPS_PER_TOKEN["moe"], tian_density, TIAN_RUNS, of_tian, "how sparse at most, shape", "printed"
    ),
    "yun2024": yun2024(),
    "krajewski2024": by_loss(
        "moe",
        KRAJEWSKI,
        {"n_total": (1.29e8, 3.7e9), "n_tokens": (1.6e10, 1.3e11)},
        ("all", f"{_ND}, active, and routers", "number of experts (64), shared experts, shape", "secondary"),
    ),
    "ludziejewski2025": by_loss(
        "moe",
        LUDZIEJEWSKI,
        {"n_active": (0, 2.7e9)},
        ("active, with embedding", f"{_ND}, active", _DESIGN, "printed"),
    ),
    "abnar2025": by_loss("moe", ABNAR, {"budget": (3e19, 1e21)}, ("all", f"{_ND}, active", _DESIGN, "secondary")),
    "clark2022": Adviser(
        "moe",
        None,
        lambda flops, n: outside({"n": (15e6, 1.3e9)}, {"n": flops / 6 / CLARK_TOKENS}),
        of_clark,
        "active",
        "same tokens in all runs",
        "size, tokens, design",
        "secondary",
    ),
    "hoffmann2022": _chinchilla(dense.HOFFMANN_PRECISE),
    "besiroglu2024": _chinchilla(dense.BESIROGLU),
    "kaplan2020": Adviser(
        "dense",
        lambda flops: float(KAPLAN(flops)),
        lambda flops, n: outside({"n": (768, 1.5e9), "d": (1, 2.2e10)}, {"n": n, "d": flops / 6 / n}),
        only,
        "all, no embedding",
        _ND,
        "experts",
        "secondary",
    ),
    "tian2025_dense": by_work(
        "dense", tian.FLOPS_PER_TOKEN["dense"], tian_density, TIAN_RUNS, only, "experts", "printed"
    ),
}
"""Laws that can be asked, mixtures of experts first."""
