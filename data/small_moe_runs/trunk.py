"""Train a trunk, branch a decay off it, and measure what comes out.

The state of a trunk is a file in the cache, replaced at once and never written in parts: whenever the
process ends, the next one goes on from there, and gets to the same weights.
"""

import contextlib
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from corpus import Corpus
from grid import BATCH, CONTEXT, EndPoint, Trunk
from model import Transformer
from numpy.typing import NDArray

WARM_UP = 32
"""Steps over which the learning rate rises."""
Z = 0.001
"""Weight of the loss that keeps the router's logits small."""
CLIP = 1.0
"""Largest norm of a step's gradient."""
SAVE_EVERY = 300.0
"""Seconds of training after which the state is written, at the latest."""

KEPT = ("step", "seconds", "processor_seconds", "losses")
"""What a saved state holds beside weights and moments."""


@dataclass
class State:
    """A model in training.

    Parameters
    ----------
    model : Transformer
        Weights.
    optimizer : torch.optim.AdamW
        And its moments.
    step : int
        Steps made.
    seconds, processor_seconds : float
        Time they took, and how much of it this process had a processor.
    losses : list of float
        Training loss of every step.
    """

    model: Transformer
    optimizer: torch.optim.AdamW
    step: int = 0
    seconds: float = 0.0
    processor_seconds: float = 0.0
    losses: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Validation:
    """Loss on the held-out text and use of the experts.

    Parameters
    ----------
    loss, loss_se : float
        Mean over all tokens, and its standard error over sequences, nats per token.
    shares : list of numpy.ndarray
        For each layer, the share of tokens that each expert received.
    """

    loss: float
    loss_se: float
    shares: list[NDArray[np.float64]]


class Training:
    """How trunks are trained on one device.

    Parameters
    ----------
    corpus : Corpus
        Text.
    cache : pathlib.Path
        Folder of the states.
    device : torch.device
        Where.
    precision : str
        ``"float32"``, or ``"bfloat16"`` for matrix products beside weights in float32.
    tick : callable
        Called after every step.
    """

    def __init__(
        self, corpus: Corpus, cache: Path, device: torch.device, precision: str, tick: Callable[[], object]
    ) -> None:
        self.corpus = corpus
        self.folder = cache / "trunks" / corpus.name
        self.device = device
        self.precision = precision
        self.tick = tick

    def run(self, point: EndPoint) -> tuple[State, Validation]:
        """Train one end point, from the trunk's saved state where there is one."""
        state = self.resume(point.trunk)
        if state.step > point.branch:
            state = self.start(point.trunk)
        self.advance(state, point.trunk, point.branch)
        self.advance(state, point.trunk, point.steps, decay_from=point.branch)
        return state, self.validate(state.model)

    def start(self, trunk: Trunk) -> State:
        """Return a model that has seen nothing."""
        torch.manual_seed(trunk.seed)
        model = Transformer(trunk.architecture, CONTEXT).to(self.device)
        weights = list(model.parameters())
        groups = [
            {"params": [weight for weight in weights if weight.dim() > 1], "weight_decay": 0.1},
            {"params": [weight for weight in weights if weight.dim() == 1], "weight_decay": 0.0},
        ]
        return State(model, torch.optim.AdamW(groups, lr=trunk.learning_rate, betas=(0.9, 0.95), fused=True))

    def path(self, trunk: Trunk) -> Path:
        """File of a trunk's state."""
        return self.folder / f"{trunk.name}-{self.precision}.pt"

    def resume(self, trunk: Trunk) -> State:
        """Return the saved state of a trunk, or a new one."""
        state = self.start(trunk)
        if self.path(trunk).exists():
            saved = torch.load(self.path(trunk), map_location=self.device, weights_only=True)
            state.model.load_state_dict(saved["model"])
            state.optimizer.load_state_dict(saved["optimizer"])
            for name in KEPT:
                setattr(state, name, saved[name])
        return state

    def save(self, state: State, trunk: Trunk) -> None:
        """Write the state of a trunk in place of the one before."""
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.path(trunk).with_suffix(".partial")
        parts = {"model": state.model.state_dict(), "optimizer": state.optimizer.state_dict()}
        torch.save(parts | {name: getattr(state, name) for name in KEPT}, partial)
        os.replace(partial, self.path(trunk))

    def forget(self, trunk: Trunk) -> None:
        """Remove the state of a trunk that has no end point left."""
        self.path(trunk).unlink(missing_ok=True)

    def advance(self, state: State, trunk: Trunk, until: int, decay_from: int | None = None) -> None:
        """Train up to a step; a trunk's state is saved now and then, a decay's is not."""
        saved = time.perf_counter()
        moved = state.step < until
        while state.step < until:
            rate = trunk.learning_rate * min(1.0, (state.step + 1) / WARM_UP)
            if decay_from is not None:
                rate *= (until - state.step) / (until - decay_from)
            began, used = time.perf_counter(), time.process_time()
            self.make_step(state, trunk, rate)
            state.seconds += time.perf_counter() - began
            state.processor_seconds += time.process_time() - used
            self.tick()
            if decay_from is None and time.perf_counter() - saved > SAVE_EVERY:
                self.save(state, trunk)
                saved = time.perf_counter()
        if decay_from is None and moved:
            self.save(state, trunk)

    def make_step(self, state: State, trunk: Trunk, rate: float) -> None:
        """Take one step of the optimiser."""
        for group in state.optimizer.param_groups:
            group["lr"] = rate
        tokens, targets = self.batch(self.corpus.train, state.step, trunk.seed)
        with self.autocast():
            loss, routings = state.model.loss(tokens, targets)
        # The means over layers, so that the weight of balance does not grow with depth.
        extra = sum(trunk.balance * routing.balance + Z * routing.z for routing in routings) / max(1, len(routings))
        state.optimizer.zero_grad(set_to_none=True)
        (loss + extra).backward()
        torch.nn.utils.clip_grad_norm_(state.model.parameters(), CLIP)
        state.optimizer.step()
        state.losses.append(loss.item())
        state.step += 1

    def batch(self, text: NDArray[np.uint16], step: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the tokens of a step and those that follow each; every epoch has its own order."""
        many = (len(text) - 1) // CONTEXT
        places = step * (BATCH // CONTEXT) + np.arange(BATCH // CONTEXT)
        rows = [order(many, seed, int(place // many))[place % many] for place in places]
        return self.sequences(text, np.array(rows))

    def sequences(self, text: NDArray[np.uint16], rows: NDArray[np.intp]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return sequences by number, and the tokens that follow."""
        windows = text[rows[:, None] * CONTEXT + np.arange(CONTEXT + 1)].astype(np.int64)
        both = torch.from_numpy(windows).to(self.device)
        return both[:, :-1].contiguous(), both[:, 1:].contiguous()

    def validate(self, model: Transformer) -> Validation:
        """Measure the loss on every held-out sequence."""
        many = (len(self.corpus.validation) - 1) // CONTEXT
        means, counts = [], None
        for rows in np.array_split(np.arange(many), math.ceil(many * CONTEXT / BATCH)):
            with self.autocast():
                losses, routings = model.losses(*self.sequences(self.corpus.validation, rows))
            means.append(losses.mean(dim=1).double().cpu().numpy())
            new = [routing.counts.cpu().numpy() for routing in routings]
            counts = new if counts is None else [sum(pair) for pair in zip(counts, new, strict=True)]
        each = np.concatenate(means)
        shares = [layer / layer.sum() for layer in counts or []]
        return Validation(float(each.mean()), float(each.std(ddof=1) / math.sqrt(many)), shares)

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """Compute matrix products in the chosen precision."""
        enabled = self.precision == "bfloat16"
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=enabled)


_orders: dict[tuple[int, int, int], NDArray[np.intp]] = {}


def order(many: int, seed: int, epoch: int) -> NDArray[np.intp]:
    """Return the random order of an epoch's sequences; the last one asked for is kept."""
    if (many, seed, epoch) not in _orders:
        _orders.clear()
        _orders[many, seed, epoch] = np.random.default_rng([seed, epoch]).permutation(many)
    return _orders[many, seed, epoch]
