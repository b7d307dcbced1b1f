"""Train the runs of this data set and add each to ``runs.csv`` as it ends.

``python data/small_moe_runs/train.py --smoke`` tries the program in a minute. Without options it makes the
whole set: it skips the runs that the table holds already, and may be stopped at any time and started again.
"""

import sys
from pathlib import Path

import click
import numpy as np
import torch
from corpus import load, synthetic
from grid import BATCH, CONTEXT, PLANS, EndPoint, shard
from table import CURVES, RUNS, append, names
from tqdm import tqdm
from trunk import State, Training, Validation

from moelaws.data.processor import processor
from moelaws.errors import InputError

HERE = Path(__file__).resolve().parent
AVERAGED = 32
"""Steps over which a training loss is a mean."""


def row_of(point: EndPoint, plan: str, state: State, validation: Validation, training: Training) -> dict[str, object]:
    """Return what the table says of a run."""
    trunk, model = point.trunk, point.trunk.architecture
    loads = [share * len(share) for share in validation.shares] or [np.ones(1)]
    uses = [share[share > 0] for share in validation.shares]
    entropies = [float(-(use * np.log(use)).sum() / np.log(trunk.n_routed)) for use in uses] or [1.0]
    # A token attends to half a context on average: scores and mixing, forward and twice that backward.
    attention = 3 * model.n_layers * 4 * trunk.d_model * (CONTEXT + 1) // 2 * point.n_tokens
    return {
        "source": "small_moe_runs",
        "plan": plan,
        "run": point.name,
        "architecture": "dense" if trunk.n_routed == 1 else "moe",
        "n_active": model.n_active,
        "n_total": model.n_total,
        "n_embedding_counted": "yes",
        "n_embedding": model.n_embedding,
        "n_routed": trunk.n_routed,
        "top_k": trunk.top_k,
        "n_tokens": point.n_tokens,
        "tokens_convention": "steps × batch",
        "flops": point.flops,
        "flops_convention": "6ND",
        "loss": f"{validation.loss:.5f}",
        "loss_unit": "nats/token",
        "loss_set": "held-out documents",
        "seed": trunk.seed,
        "group": trunk.shape,
        "annealed": "yes",
        "trunk": trunk.name,
        "d_model": trunk.d_model,
        "n_layers": model.n_layers,
        "d_expert": trunk.d_expert,
        "n_shared": 0,
        "learning_rate": trunk.learning_rate,
        "balance": trunk.balance,
        "batch_tokens": BATCH,
        "epochs": f"{point.n_tokens / ((len(training.corpus.train) - 1) // CONTEXT * CONTEXT):.4f}",
        "flops_attention": attention,
        "loss_se": f"{validation.loss_se:.5f}",
        "train_loss": f"{np.mean(state.losses[-AVERAGED:]):.4f}",
        "load_max": f"{max(load.max() for load in loads):.3f}",
        "load_entropy": f"{min(entropies):.4f}",
        "load_entropy_layers": ";".join(f"{entropy:.4f}" for entropy in entropies),
        "tokens_per_second": f"{point.n_tokens / state.processor_seconds:.0f}",
        "seconds": f"{state.seconds:.1f}",
        "processor_seconds": f"{state.processor_seconds:.1f}",
        "device": device_name(training.device),
        "precision": training.precision,
        "torch": torch.__version__,
        "corpus": training.corpus.name,
    }


def curve_of(point: EndPoint, state: State) -> list[dict[str, object]]:
    """Return the mean training loss of each ``AVERAGED`` steps of a run, its trunk's part first."""
    means = np.reshape(state.losses, (-1, AVERAGED)).mean(axis=1)
    return [
        {"run": point.name, "n_tokens": AVERAGED * number * BATCH, "train_loss": f"{mean:.4f}"}
        for number, mean in enumerate(means, start=1)
    ]


def device_name(device: torch.device) -> str:
    """Return what a device is called, with the threads used where it is a processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{processor()}, {threads} thread{'s' if threads > 1 else ''}"


def steps_to_do(points: list[EndPoint]) -> int:
    """Return the steps of trunks and decays that these end points need, were nothing saved."""
    longest = {}
    for point in points:
        longest[point.trunk] = max(longest.get(point.trunk, 0), point.branch)
    return sum(longest.values()) + sum(point.steps - point.branch for point in points)


def make(points: list[EndPoint], plan: str, training: Training, out: Path, curves: Path | None, bar: tqdm) -> None:
    """Train the end points that the table does not hold, and add them."""
    for place, point in enumerate(points):
        if point.name in names(out, RUNS):
            continue
        bar.set_description(point.name)
        state, validation = training.run(point)
        # The run last: a run in the table is not made again, so that its curve has to be there already.
        if curves and point.name not in names(curves, CURVES):
            append(curves, curve_of(point, state), CURVES)
        append(out, [row_of(point, plan, state, validation, training)], RUNS)
        if point.trunk not in {later.trunk for later in points[place + 1 :]}:
            training.forget(point.trunk)


@click.command()
@click.option(
    "--plan", type=click.Choice([name for name in PLANS if name != "smoke"]), default="grid", help="Which runs."
)
@click.option("--smoke", is_flag=True, help="A few runs of seconds on made-up text, into the cache.")
@click.option("--shard", "part", default="0/1", metavar="i/n", help="Only the i-th of n parts of the plan, from 0.")
@click.option("--device", "device_kind", type=click.Choice(["cpu", "cuda"]), default="cpu")
@click.option("--precision", type=click.Choice(["float32", "bfloat16"]), help="By default float32 on cpu.")
@click.option("--threads", type=click.IntRange(1), default=1, help="Threads of a processor; shards use more of it.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="MOELAWS_RUNS_CACHE",
    default=Path.home() / ".cache" / "moelaws" / "small_moe_runs",
    help="Folder of the text and of unfinished runs; also $MOELAWS_RUNS_CACHE.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Table that the runs are added to.")
@click.option(
    "--curves",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Table that each run's training loss on the way is added to.",
)
@click.option("--only", metavar="TEXT", default="", help="Only the runs whose name holds this text.")
def main(
    plan: str,
    smoke: bool,
    part: str,
    device_kind: str,
    precision: str | None,
    threads: int,
    cache: Path,
    out: Path | None,
    curves: Path | None,
    only: str,
) -> None:
    """Train the runs of this data set and add each to its table."""
    if device_kind == "cuda" and not torch.cuda.is_available():
        raise click.ClickException("There is no CUDA device here; --device cpu is the other choice.")
    torch.set_num_threads(threads)
    precision = precision or ("float32" if device_kind == "cpu" else "bfloat16")
    cache = cache.resolve()
    plan = "smoke" if smoke else plan
    tables = {"search": HERE / "lr_search.csv", "smoke": cache / "smoke.csv"}
    out = out or tables.get(plan, HERE / "runs.csv")
    try:
        points = [point for point in shard(PLANS[plan](), part) if only in point.name]
        cache.mkdir(parents=True, exist_ok=True)
        if smoke:
            tables["smoke"].unlink(missing_ok=True)
        done = names(out, RUNS)
        left = [point for point in points if point.name not in done]
        corpus = synthetic() if smoke else load(cache)
        with tqdm(total=steps_to_do(left), unit="step", mininterval=1 if sys.stderr.isatty() else 30) as bar:
            training = Training(corpus, cache, torch.device(device_kind), precision, bar.update)
            make(points, plan, training, out, curves, bar)
    except InputError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{out}: {len(names(out, RUNS))} runs, {len(left)} of them new.")


if __name__ == "__main__":
    main()
