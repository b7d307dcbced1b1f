"""Which runs the set consists of, and in which order they are made.

A *trunk* is one model trained at a constant learning rate. An *end point* is a decay of the learning rate
that branches off the trunk when three quarters of its tokens have been seen: all end points of a trunk
share its weights up to there, and so are no independent runs.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from moelaws import data
from moelaws.errors import InputError
from moelaws.models.catalogue import Architecture, GroupedAttention

VOCABULARY = 2048
CONTEXT = 256
BATCH = 2048
"""Tokens of one step."""
DECAY = 0.25
"""Share of a run's tokens over which the learning rate falls to zero."""
BALANCE = 0.1
"""Weight of the load-balancing loss; with 0.01, the fullest of 32 experts got 5 times its share, now 1.6."""
LAYERS = {32: 2, 48: 3, 64: 3, 96: 4, 128: 5, 256: 7, 512: 9}
"""Layers of each backbone, by its width."""
HEADS = {32: 1, 48: 2, 64: 2, 96: 3, 128: 4, 256: 8, 512: 16}
"""Attention heads of each backbone, by its width: 32 wide, at width 48 24."""
SEARCHED = {
    32: (4e-3, 8e-3, 16e-3, 32e-3),
    64: (2e-3, 4e-3, 8e-3, 16e-3),
    96: (4e-3, 8e-3, 16e-3),
    128: (2e-3, 4e-3, 8e-3, 16e-3),
}
"""Learning rates that were tried, by width."""
EXPANSIONS = (1, 2, 4, 8, 16, 32, 64)
"""Expansions of the main grid."""


@dataclass(frozen=True)
class Trunk:
    """One model, its seed and its learning rate.

    Parameters
    ----------
    d_model : int
        Width; the depth follows from it.
    n_routed, top_k : int
        Experts in a layer and those used for a token; 1 and 1 are a dense model.
    d_expert : int
        Width of an expert, or of the dense feed-forward.
    seed : int
        Of the initial weights and of the order of the training text.
    learning_rate : float
        While it is constant.
    balance : float
        Weight of the load-balancing loss.
    """

    d_model: int
    n_routed: int
    top_k: int
    d_expert: int
    seed: int
    learning_rate: float
    balance: float = BALANCE

    @property
    def shape(self) -> str:
        """Name that all seeds and learning rates share."""
        return f"d{self.d_model}-E{self.n_routed}-k{self.top_k}-f{self.d_expert}"

    @property
    def name(self) -> str:
        """Name of the trunk."""
        balance = "" if self.balance == BALANCE else f"-b{self.balance:g}"
        return f"{self.shape}-s{self.seed}-lr{self.learning_rate:g}{balance}"

    @property
    def architecture(self) -> Architecture:
        """The model."""
        heads = HEADS[self.d_model]
        dense = self.n_routed == 1
        layers = LAYERS[self.d_model]
        return Architecture(
            n_layers=layers,
            d_model=self.d_model,
            vocab=VOCABULARY,
            attention=GroupedAttention(heads, heads, self.d_model // heads),
            tied=True,
            d_dense=self.d_expert if dense else 0,
            n_dense_layers=layers if dense else 0,
            d_expert=0 if dense else self.d_expert,
            n_routed=0 if dense else self.n_routed,
            top_k=0 if dense else self.top_k,
        )


@dataclass(frozen=True)
class EndPoint:
    """A trunk annealed at a number of tokens.

    Parameters
    ----------
    trunk : Trunk
        What it branches off.
    n_tokens : int
        All tokens trained on, those of the decay included.
    """

    trunk: Trunk
    n_tokens: int

    @property
    def name(self) -> str:
        """Name of the run."""
        return f"{self.trunk.name}-D{self.n_tokens}"

    @property
    def steps(self) -> int:
        """Steps of the run."""
        return self.n_tokens // BATCH

    @property
    def branch(self) -> int:
        """Step at which the decay begins."""
        return round(self.steps * (1 - DECAY))

    @property
    def flops(self) -> int:
        """Training FLOP, 6 for each active parameter and token."""
        return 6 * self.trunk.architecture.n_active * self.n_tokens


@cache
def learning_rates() -> dict[int, float]:
    """Return, by width, the learning rate whose mean loss in ``lr_search.csv`` is smallest.

    Width 48 was not searched; it takes the geometric mean of its neighbours' rates. Nor were widths above 128,
    whose rates fall as one over the width.

    Raises
    ------
    InputError
        If the search of some width has not been made to its end.
    """
    runs = data.load("small_moe_runs/lr_search")
    missing = {point.name for point in search()} - set(runs.run)
    if missing:
        raise InputError(
            f"The search for learning rates lacks {len(missing)} runs, such as {min(missing)}; "
            "--plan search makes them."
        )
    mean = runs.groupby(["d_model", "learning_rate"]).loss.mean()
    found = {width: float(mean[width].idxmin()) for width in SEARCHED}
    return found | {48: float(f"{math.sqrt(found[32] * found[64]):.3g}"), 256: found[128] / 2, 512: found[128] / 4}


def trunk(
    d_model: int, expansion: int, top_k: int = 2, seed: int = 0, rate: float | None = None, balance: float = BALANCE
) -> Trunk:
    """Return a trunk whose active feed-forward is as wide as the dense model's, 4 times the backbone.

    Parameters
    ----------
    d_model : int
        Width of the backbone.
    expansion : int
        How many times the expert weights exceed those used for one token; 1 is the dense model.
    top_k : int
        Active experts, each narrower by this factor.
    seed : int
        Seed.
    rate : float, optional
        Learning rate, if not the best one of this width.
    balance : float
        Weight of the load-balancing loss.
    """
    rate = learning_rates()[d_model] if rate is None else rate
    if expansion == 1:
        return Trunk(d_model, 1, 1, 4 * d_model, seed, rate, balance)
    return Trunk(d_model, expansion * top_k, top_k, 4 * d_model // top_k, seed, rate, balance)


def ends(trunks: Iterable[Trunk], *exponents: int) -> list[EndPoint]:
    """Return the end points of trunks at these powers of two of tokens."""
    return [EndPoint(one, 2**exponent) for one in trunks for exponent in exponents]


def grid() -> list[EndPoint]:
    """Return the end points that the set began with, the cheapest first."""
    main = [trunk(size, expansion) for size in SEARCHED for expansion in EXPANSIONS]
    longest = [trunk(32, expansion) for expansion in EXPANSIONS]
    # Total size fixed: more and narrower experts. Number of experts fixed: more and narrower active ones.
    finer = [trunk(size, 16, top_k) for size in (32, 64) for top_k in (4, 8)]
    more_active = [trunk(size, 32 // top_k, top_k) for size in (32, 64) for top_k in (4, 8)]
    repeats = [trunk(size, expansion, seed=seed) for size in (32, 64) for expansion in (1, 8, 32) for seed in (1, 2)]
    large_repeats = [trunk(size, expansion, seed=1) for size in (96, 128) for expansion in (1, 8, 32)]
    points = [
        *ends(main, 19, 20, 21, 22),
        *ends(longest, 23),
        *ends(finer + more_active, 19, 20, 21, 22),
        *ends(repeats, 19, 20, 21),
        *ends(large_repeats, 19, 20),
    ]
    return sorted(points, key=lambda point: point.flops)


def noise() -> list[EndPoint]:
    """Return repeats with other seeds, so that every width has a noise at every number of tokens."""
    wide = [trunk(size, expansion, seed=seed) for size in (96, 128) for expansion in (1, 8, 64) for seed in (1, 2)]
    narrow = [trunk(size, expansion, seed=seed) for size in (32, 64) for expansion in (1, 8, 32) for seed in (1, 2)]
    longest = [one for one in narrow if one.d_model == 32]
    points = ends(wide, 19, 20, 21, 22) + ends(narrow, 22) + ends(longest, 23)
    return sorted(set(points) - set(grid()), key=_cost)


def recipe() -> list[EndPoint]:
    """Return runs whose learning rate or balance differs from the grid's, at its largest number of tokens."""
    rates = [
        trunk(size, expansion, rate=factor * learning_rates()[size])
        for size in (32, 128)
        for expansion in (1, 64)
        for factor in (0.5, 2)
    ]
    balances = [
        trunk(size, expansion, balance=balance)
        for size in (64, 128)
        for expansion in (8, 64)
        for balance in (0.01, 0.03)
    ]
    return sorted(ends(rates + balances, 22), key=_cost)


def longest() -> list[EndPoint]:
    """Return the longest runs of the widths above the narrowest."""
    trunks = [trunk(64, expansion) for expansion in EXPANSIONS]
    trunks += [trunk(size, expansion) for size in (96, 128) for expansion in (1, 8, 64)]
    return sorted(ends(trunks, 23), key=_cost)


def new_width() -> list[EndPoint]:
    """Return the runs of a width that no fit has seen, for predictions written down before them."""
    return sorted(ends([trunk(48, expansion) for expansion in EXPANSIONS], 22), key=_cost)


def wide() -> list[EndPoint]:
    """Return runs of widths that want a GPU, up to the largest number of tokens that sees the text once."""
    trunks = [trunk(size, expansion) for size in (256, 512) for expansion in (1, 8, 64)]
    return sorted(ends(trunks, 21, 22, 23, 24), key=_cost)


def _cost(point: EndPoint) -> tuple[int, str]:
    return point.flops, point.name


def search() -> list[EndPoint]:
    """Return the end points of the search for the learning rate of each width."""
    trunks = [trunk(size, many, rate=rate) for size in SEARCHED for many in (1, 16) for rate in SEARCHED[size]]
    small, large = ([one for one in trunks if (one.d_model > 64) == is_large] for is_large in (False, True))
    return sorted(ends(small, 20) + ends(large, 19), key=lambda point: point.flops)


def smoke() -> list[EndPoint]:
    """Return a dense and two mixture runs of seconds."""
    trunks = [trunk(32, expansion, top_k, rate=8e-3) for expansion, top_k in ((1, 1), (4, 2), (4, 4))]
    return ends(trunks, 16, 17)


PLANS = {
    "grid": grid,
    "noise": noise,
    "recipe": recipe,
    "longest": longest,
    "new-width": new_width,
    "wide": wide,
    "search": search,
    "smoke": smoke,
}
"""What can be made: a plan's name and its end points."""


def shard(points: list[EndPoint], text: str) -> list[EndPoint]:
    """Return the end points of one shard, in their order; a trunk's are never divided.

    Parameters
    ----------
    points : list of EndPoint
        All of them.
    text : str
        ``"i/n"``: number of the shard, from 0, and how many there are.

    Raises
    ------
    InputError
        If the text is not of this form.
    """
    first, _, second = text.partition("/")
    if not (first.isdecimal() and second.isdecimal() and int(first) < int(second)):
        raise InputError(f"Shard '{text}' is found; 'i/n' with i from 0 to n - 1 is expected, such as 0/2.")
    # The dearest trunk goes to the shard that has least to do so far.
    work = dict.fromkeys(dict.fromkeys(point.trunk for point in points), 0)
    for point in points:
        work[point.trunk] += point.flops
    loads = [0] * int(second)
    mine = set()
    for one in sorted(work, key=lambda one: (-work[one], one.name)):
        emptiest = loads.index(min(loads))
        loads[emptiest] += work[one]
        if emptiest == int(first):
            mine.add(one)
    return [point for point in points if point.trunk in mine]
