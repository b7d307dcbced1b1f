"""Which runs the set consists of, and in which order they are made.

A *trunk* is one model trained at a constant learning rate. An *end point* is a decay of the learning rate
that branches off the trunk when three quarters of its tokens have been seen: all end points of a trunk
share its weights up to there, and so are no independent runs.
"""

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
HEAD = 32
"""Width of an attention head."""
LAYERS = {32: 2, 64: 3, 96: 4, 128: 5}
"""Layers of each backbone, by its width."""
SEARCHED = {
    32: (4e-3, 8e-3, 16e-3, 32e-3),
    64: (2e-3, 4e-3, 8e-3, 16e-3),
    96: (4e-3, 8e-3, 16e-3),
    128: (2e-3, 4e-3, 8e-3, 16e-3),
}
"""Learning rates that were tried, by width."""


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
    """

    d_model: int
    n_routed: int
    top_k: int
    d_expert: int
    seed: int
    learning_rate: float

    @property
    def shape(self) -> str:
        """Name that all seeds and learning rates share."""
        return f"d{self.d_model}-E{self.n_routed}-k{self.top_k}-f{self.d_expert}"

    @property
    def name(self) -> str:
        """Name of the trunk."""
        return f"{self.shape}-s{self.seed}-lr{self.learning_rate:g}"

    @property
    def architecture(self) -> Architecture:
        """The model."""
        heads = self.d_model // HEAD
        dense = self.n_routed == 1
        layers = LAYERS[self.d_model]
        return Architecture(
            n_layers=layers,
            d_model=self.d_model,
            vocab=VOCABULARY,
            attention=GroupedAttention(heads, heads, HEAD),
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
    return {width: float(mean[width].idxmin()) for width in LAYERS}


def trunk(d_model: int, expansion: int, top_k: int = 2, seed: int = 0, rate: float | None = None) -> Trunk:
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
    """
    rate = learning_rates()[d_model] if rate is None else rate
    if expansion == 1:
        return Trunk(d_model, 1, 1, 4 * d_model, seed, rate)
    return Trunk(d_model, expansion * top_k, top_k, 4 * d_model // top_k, seed, rate)


def ends(trunks: Iterable[Trunk], *exponents: int) -> list[EndPoint]:
    """Return the end points of trunks at these powers of two of tokens."""
    return [EndPoint(one, 2**exponent) for one in trunks for exponent in exponents]


def grid() -> list[EndPoint]:
    """Return every end point of the set, the cheapest first."""
    sizes, expansions = tuple(LAYERS), (1, 2, 4, 8, 16, 32, 64)
    main = [trunk(size, expansion) for size in sizes for expansion in expansions]
    longest = [trunk(32, expansion) for expansion in expansions]
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


def search() -> list[EndPoint]:
    """Return the end points of the search for the learning rate of each width."""
    trunks = [trunk(size, many, rate=rate) for size in LAYERS for many in (1, 16) for rate in SEARCHED[size]]
    small, large = ([one for one in trunks if (one.d_model > 64) == is_large] for is_large in (False, True))
    return sorted(ends(small, 20) + ends(large, 19), key=lambda point: point.flops)


def smoke() -> list[EndPoint]:
    """Return a dense and two mixture runs of seconds."""
    trunks = [trunk(32, expansion, top_k, rate=8e-3) for expansion, top_k in ((1, 1), (4, 2), (4, 4))]
    return ends(trunks, 16, 17)


PLANS = {"grid": grid, "search": search, "smoke": smoke}


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
