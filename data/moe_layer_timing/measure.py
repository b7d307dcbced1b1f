"""Time one mixture-of-experts layer on this machine, and the machine's own limits along with it.

``python data/moe_layer_timing/measure.py`` takes about five minutes with one thread of a processor and writes one
table; ``--quick`` tries the program in ten seconds. PyTorch is needed: the extra ``runs`` brings it.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import click
import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from moelaws import data
from moelaws.data.processor import processor
from moelaws.errors import InputError

TABLE = "moe_layer_timing/intel_xeon"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
GIB = 2**30


@dataclass(frozen=True)
class Shape:
    """Sizes of a layer: hidden size, width of an expert, experts, experts used for one token."""

    d_model: int
    d_expert: int
    n_routed: int
    top_k: int

    @property
    def weights(self) -> int:
        """Weights of all experts."""
        return 3 * self.n_routed * self.d_model * self.d_expert


# The first is the layer of DeepSeek-V2-Lite, without its two shared experts; then half of its experts for a token.
SHAPES = [
    *(Shape(2048, 1408, 64, k) for k in (6, 3)),
    *(Shape(1024, 704, 64, k) for k in (6, 3)),
    *(Shape(1024, 704, 16, k) for k in (4, 2, 1)),
    *(Shape(512, 1408, 32, k) for k in (4, 2)),
    *(Shape(512, 352, 128, k) for k in (8, 4)),
    *(Shape(512, 352, 16, k) for k in (4, 2)),
]
TOKENS = [2**power for power in range(13)]
QUICK_SHAPES = [Shape(512, 352, 16, 4), Shape(512, 352, 16, 2)]
QUICK_TOKENS = [1, 16, 256]


class Pool:
    """Random numbers in memory, several times more than a cache holds, and the place of the next weights.

    Every layer takes its weights from where the one before it ended. So no layer, however small, finds its weights
    in the cache because it was timed a moment ago; a token's experts are drawn at random besides.
    """

    def __init__(self, size: int, dtype: torch.dtype, device: torch.device) -> None:
        block = (torch.randn(2**22, device=device) / 32).to(dtype)
        self.numbers = block.repeat(-(-size // block.nbytes))
        self.place = 0

    def take(self, *shape: int) -> Tensor:
        """Return the next numbers as a tensor; from the beginning again where they do not suffice."""
        count = int(np.prod(shape))
        if self.place + count > self.numbers.numel():
            self.place = 0
        self.place += count
        return self.numbers[self.place - count : self.place].view(shape)


def moe_layer(x: Tensor, router: Tensor, gates: Tensor, out: Tensor, top_k: int) -> tuple[Tensor, int]:
    """Apply a layer of gated experts.

    Parameters
    ----------
    x : torch.Tensor, shape (tokens, d_model)
        Hidden states.
    router : torch.Tensor, shape (n_routed, d_model)
        Weights of the softmax router.
    gates, out : torch.Tensor, shapes (n_routed, 2 d_expert, d_model), (n_routed, d_model, d_expert)
        Weights of the experts, into and out of their inner layer.
    top_k : int
        Experts for a token; their outputs are weighted by the router's shares, normalised to add up to one.

    Returns
    -------
    torch.Tensor, int
        Hidden states, and how many experts at least one token chose.
    """
    best, chosen = F.linear(x, router).float().softmax(dim=1).topk(top_k, dim=1)
    shares = (best / best.sum(dim=1, keepdim=True)).to(x.dtype).flatten()
    order = chosen.flatten().argsort(stable=True)
    rows = order // top_k
    counts = chosen.flatten().bincount(minlength=len(router)).tolist()
    mixed, begin = torch.zeros_like(x), 0
    for expert, count in enumerate(counts):
        if count:
            mine = rows[begin : begin + count]
            gate, value = F.linear(x[mine], gates[expert]).chunk(2, dim=1)
            inner = F.silu(gate) * value
            weighted = F.linear(inner, out[expert]) * shares[order[begin : begin + count], None]
            mixed.index_add_(0, mine, weighted)
            begin += count
    return mixed, sum(count > 0 for count in counts)


@dataclass
class Cell:
    """One row of the table while it is measured."""

    dtype: str
    shape: Shape
    tokens: int
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    distinct: list[int] = field(default_factory=list)

    def wants(self, budget: float) -> bool:
        """Whether the cell takes part in the next round: 3 to 15 times, as far as its share of time allows."""
        return len(self.seconds) < 3 or (len(self.seconds) < 15 and sum(self.seconds) < budget)


class Bench:
    """What is timed on one device.

    Parameters
    ----------
    device : torch.device
        Where the layers are.
    memory : int
        Bytes of weights in each precision.
    side : int
        Rows and columns of the matrices whose product gives the rate.
    """

    def __init__(self, device: torch.device, memory: int, side: int) -> None:
        self.device, self.side = device, side
        self.pools = {name: Pool(memory, dtype, device) for name, dtype in DTYPES.items()}
        self.reads: dict[str, list[float]] = {name: [] for name in DTYPES}
        self.products: dict[str, list[float]] = {name: [] for name in DTYPES}

    def timed(self, work: Callable[[], object]) -> tuple[float, object]:
        """Return the seconds that some work takes, waited for on a GPU, and its result."""
        self._wait()
        begin = time.perf_counter()
        result = work()
        self._wait()
        return time.perf_counter() - begin, result

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def limits(self) -> None:
        """Time the machine's limits once in each precision: a matrix–vector and a matrix–matrix product.

        They are limits, so the fastest of all rounds counts in the end, and not the median as for a layer.
        """
        for name, dtype in DTYPES.items():
            matrix = self.pools[name].numbers[: GIB // dtype.itemsize].view(-1, 2048)
            vector = torch.randn(1, 2048, device=self.device).to(dtype)
            self.reads[name].append(self.timed(lambda m=matrix, v=vector: F.linear(v, m))[0] / matrix.nbytes)
            left, right = (torch.randn(self.side, self.side, device=self.device).to(dtype) for _ in range(2))
            self.products[name].append(self.timed(lambda a=left, b=right: a @ b)[0] / (2 * self.side**3))

    def time(self, cell: Cell) -> None:
        """Time a layer once, on new tokens and with the next weights."""
        shape, pool = cell.shape, self.pools[cell.dtype]
        x = torch.randn(cell.tokens, shape.d_model, device=self.device).to(DTYPES[cell.dtype])
        router = torch.randn(shape.n_routed, shape.d_model, device=self.device).to(x.dtype)
        gates = pool.take(shape.n_routed, 2 * shape.d_expert, shape.d_model)
        out = pool.take(shape.n_routed, shape.d_model, shape.d_expert)
        begin = time.process_time()
        seconds, (_, distinct) = self.timed(lambda: moe_layer(x, router, gates, out, shape.top_k))
        cell.seconds.append(seconds)
        cell.processor.append(time.process_time() - begin)
        cell.distinct.append(distinct)

    def rounds(self, cells: list[Cell], budget: float, seed: int = 0) -> None:
        """Time all cells in rounds, each in a new order, so that no drift of the machine falls on one shape."""
        rng = np.random.default_rng(seed)
        for cell in cells:  # once for warming up: libraries set themselves up at a first call
            self.time(Cell(cell.dtype, cell.shape, min(cell.tokens, 16)))
        with tqdm(total=len(cells), unit="cell", delay=2) as bar:
            while wanting := [cell for cell in cells if cell.wants(budget)]:
                self.limits()
                for place in rng.permutation(len(wanting)):
                    self.time(wanting[place])
                    bar.update(not wanting[place].wants(budget))


def device_name(device: torch.device) -> str:
    """Return what a device is called."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return processor()


def table_of(bench: Bench, cells: list[Cell]) -> pd.DataFrame:
    """Return the table: one row for each cell, with the limits that were measured in between."""
    return pd.DataFrame(_rows(bench, cells))


def _rows(bench: Bench, cells: list[Cell]) -> Iterator[dict[str, object]]:
    for cell in cells:
        low, median, high = 1e3 * np.quantile(cell.seconds, [0.25, 0.5, 0.75])
        yield {
            "device": device_name(bench.device),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "dtype": cell.dtype,
            "weight_bytes": DTYPES[cell.dtype].itemsize,
            "d_model": cell.shape.d_model,
            "d_expert": cell.shape.d_expert,
            "n_routed": cell.shape.n_routed,
            "top_k": cell.shape.top_k,
            "tokens": cell.tokens,
            "time_ms": f"{median:.5g}",
            "low_ms": f"{low:.5g}",
            "high_ms": f"{high:.5g}",
            "repeats": len(cell.seconds),
            "processor_share": f"{sum(cell.processor) / sum(cell.seconds) / torch.get_num_threads():.3f}",
            "distinct_experts": f"{np.mean(cell.distinct):.5g}",
            "read_gb_s": f"{1e-9 / min(bench.reads[cell.dtype]):.4g}",
            "multiply_tflops": f"{1e-12 / min(bench.products[cell.dtype]):.4g}",
        }


def write(table: pd.DataFrame, out: Path) -> None:
    """Write a table that keeps the schema, whole or not at all.

    Raises
    ------
    InputError
        If the folder cannot be written to, or a row breaks the schema.
    """
    try:
        data.write(table.to_csv(index=False), out, like=TABLE)
    except OSError as error:
        raise InputError(
            f"{out}: the table cannot be written ({error.strerror}); a writable folder is expected."
        ) from None


@click.command()
@click.option("--quick", is_flag=True, help="One small shape and few tokens, to try the program.")
@click.option("--device", "kind", type=click.Choice(["cpu", "cuda"]), default="cpu")
@click.option("--threads", type=click.IntRange(1), default=1, help="Threads of the processor.")
@click.option("--budget", type=click.FloatRange(0, min_open=True), default=0.3, help="Seconds for each row.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default="moe_layer_timing.csv")
def main(quick: bool, kind: str, threads: int, budget: float, out: Path) -> None:
    """Time one mixture-of-experts layer on this machine and write the table."""
    if kind == "cuda" and not torch.cuda.is_available():
        raise click.ClickException("There is no CUDA device here; --device cpu is the other choice.")
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    shapes, tokens = (QUICK_SHAPES, QUICK_TOKENS) if quick else (SHAPES, TOKENS)
    cells = [Cell(*row) for row in product(DTYPES, shapes, tokens)]
    try:
        if not out.parent.is_dir():
            raise InputError(f"{out}: there is no folder '{out.parent}'; one that exists is expected.")
        with torch.inference_mode():
            bench = Bench(torch.device(kind), memory=GIB if quick else 3 * GIB, side=1024 if quick else 2048)
            bench.rounds(cells, budget)
        write(table_of(bench, cells), out)
    except InputError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{out}: {len(cells)} rows.")


if __name__ == "__main__":
    main()
