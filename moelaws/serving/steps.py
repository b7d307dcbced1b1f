r"""How long a step of decoding takes, and what throughput follows.

A server runs `concurrency` requests together; each step gives every request one more token. The
time of a step is modelled as a sum of four terms, each with one parameter that can be compared
with a data sheet:

.. math::
    t = t_0 + \frac{\text{bytes read}}{\text{bandwidth}}
            + \frac{\text{FLOP}}{\text{rate}} + \tau\,\text{concurrency}

A step carries its share of prefill: while a request generates its `tokens_out` tokens, a new
prompt of `tokens_in` tokens has to be processed in its place.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from moelaws import data
from moelaws.checks import Columns, Floats
from moelaws.errors import InputError
from moelaws.laws.base import Law, Parameter
from moelaws.models import huggingface
from moelaws.models.catalogue import Architecture
from moelaws.serving.experts import distinct_experts
from moelaws.serving.footprint import weights_by_use


@dataclass(frozen=True)
class Device:
    """Limits of an accelerator, as its data sheet gives them.

    They are memory bandwidth (bytes per second), peak rate of dense matrices (FLOP per second), memory (bytes), and
    the rate to the other devices of a node in one direction (bytes per second).

    Examples
    --------
    >>> round(load_device("A800-80G-PCIe").ridge)
    161
    """

    bandwidth: float
    flops: float
    memory: float
    link: float

    @property
    def ridge(self) -> float:
        """Intensity in FLOP per byte above which work, not traffic, sets the time."""
        return self.flops / self.bandwidth

    def at(self, efficiency: float) -> "Device":
        """Return a device of the same memory that reaches a share of every rate."""
        rates = {name: efficiency * getattr(self, name) for name in ("bandwidth", "flops", "link")}
        return replace(self, **rates)

    def roofline(self, flops: ArrayLike, traffic: ArrayLike) -> Floats:
        """Least time in seconds for some work (FLOP) and traffic (bytes)."""
        return np.maximum(
            np.asarray(flops, dtype=float) / self.flops, np.asarray(traffic, dtype=float) / self.bandwidth
        )


USUAL_STEP = (0.5, 5000.0)
"""Milliseconds between which the median of the times of a step lies, unless they are in another unit."""

USUAL_DEVICE = Device(bandwidth=2e12, flops=4e14, memory=8e10, link=3e11)
"""What the times of steps are compared with; only the ratio of its first two limits counts."""

GAP = 30.0
"""Ratio of neighbouring times for the same work above which they are taken to be in two units."""


def load_device(name: str, precision: Literal["bf16", "fp8"] = "bf16") -> Device:
    """Return a device of the book's table ``devices/devices``, with the peak rate of a precision."""
    devices = {row["device"]: row for row in data.load("devices/devices").to_dict("records")}
    if name not in devices:
        raise InputError(f"There is no device '{name}'; the devices are {', '.join(devices)}.")
    row = devices[name]
    if pd.isna(row[f"{precision}_tflops"]):
        raise InputError(f"Device '{name}' has no rate in {precision}; bf16 is expected.")
    return Device(
        bandwidth=1e9 * row["bandwidth_gb_s"],
        flops=1e12 * row[f"{precision}_tflops"],
        memory=1e9 * row["memory_gb"],
        link=1e9 * row["link_gb_s"],
    )


def step_time(throughput: ArrayLike, concurrency: ArrayLike, tokens_in: ArrayLike, tokens_out: ArrayLike) -> Floats:
    """Mean time of one decoding step in milliseconds, from a throughput that counts all tokens.

    A request of `tokens_in` + `tokens_out` tokens lasts `tokens_out` steps; `concurrency` requests are in flight.

    Examples
    --------
    >>> round(float(step_time(479, concurrency=2, tokens_in=1024, tokens_out=1024)), 2)
    8.35
    """
    speed, requests, prompt, output = (
        np.asarray(x, dtype=float) for x in (throughput, concurrency, tokens_in, tokens_out)
    )
    return np.asarray(1e3 * requests * (prompt + output) / (output * speed))


def throughput(step_ms: ArrayLike, concurrency: ArrayLike, tokens_in: ArrayLike, tokens_out: ArrayLike) -> Floats:
    """Input and output tokens per second, from the time of a step in milliseconds.

    The same formula as :func:`step_time`, which is its own inverse.
    """
    return step_time(step_ms, concurrency, tokens_in, tokens_out)


@dataclass(frozen=True)
class StepTime(Law):
    """The step-time law of a model.

    Bandwidth and rate are those of all devices together. Times are in milliseconds; the units of
    a table's columns are those of ``yang2025/throughput``. Its terms must not be negative, so it
    is fitted with :data:`moelaws.fitting.estimation.RELATIVE_SQUARES`.

    Parameters
    ----------
    architecture : Architecture
        The model; a table's `n_routed` and `top_k` replace its own.
    weight_bytes, cache_bytes : float
        Bytes of a weight, and of an element of the key-value cache.
    """

    architecture: Architecture
    weight_bytes: float = 2.0
    cache_bytes: float = 2.0

    name = "step_time"
    columns = ("concurrency", "tokens_in", "tokens_out", "n_routed", "top_k")
    response = "throughput"
    predicted = "step_ms"
    linear = (
        Parameter("overhead", "time of a step that depends on nothing", "ms", low=0),
        Parameter("bandwidth", "bytes read per second", "GB/s", low=0, rate=True),
        Parameter("rate", "work done per second", "TFLOP/s", low=0, rate=True),
        Parameter("per_request", "time that each running request adds", "ms", low=0),
    )

    def reads(self, table: Columns) -> dict[str, Floats]:
        """Gigabytes read in a step, by what is read.

        `always` are the weights that every step reads, `experts` the distinct routed experts,
        `cache` the keys and values of all requests at half their output, `prefill` the step's
        share of reading all weights once for each new prompt.
        """
        model = self.architecture
        concurrency, tokens_in, tokens_out, n_routed, top_k = (np.asarray(table[c], dtype=float) for c in self.columns)
        always, expert = (self.weight_bytes * weights / 1e9 for weights in weights_by_use(model))
        context = tokens_in + tokens_out / 2
        return {
            "always": np.full_like(context, always),
            "experts": expert * distinct_experts(n_routed, top_k, concurrency),
            "cache": concurrency * context * model.kv_elements_per_token * self.cache_bytes / 1e9,
            "prefill": concurrency / tokens_out * (always + n_routed * expert),
        }

    def work(self, table: Columns) -> dict[str, Floats]:
        """Work of a step in TFLOP (1e12 FLOP), by `decode` and `prefill`."""
        concurrency, tokens_in, tokens_out, _, top_k = (np.asarray(table[c], dtype=float) for c in self.columns)
        always, expert = weights_by_use(self.architecture)
        decode = 2 * concurrency * (always + top_k * expert) / 1e12
        return {"decode": decode, "prefill": decode * tokens_in / tokens_out}

    def terms(self, shape: Floats, table: Columns) -> Floats:
        """Return the law's four terms at coefficient one, milliseconds."""
        concurrency = np.asarray(table["concurrency"], dtype=float)
        read = 1e3 * sum(self.reads(table).values())
        done = 1e3 * sum(self.work(table).values())
        terms = np.stack([np.ones_like(concurrency), read, done, concurrency], axis=-1)
        return np.broadcast_to(terms, (*shape.shape[:-1], *terms.shape))

    def observed(self, table: Columns) -> Floats:
        """Return the measured step time of each row, milliseconds."""
        return step_time(*(table[column] for column in ("throughput", "concurrency", "tokens_in", "tokens_out")))

    def doubts(self, table: Columns) -> Iterator[str]:
        """Yield why a measure looks as if it stood in another unit, or in two.

        Steps are compared by their time over that of a device of :data:`USUAL_DEVICE`, which does not hang on the load.
        """
        steps, (low, high) = self.observed(table), USUAL_STEP
        if not low <= (middle := float(np.median(steps))) <= high:
            yield (
                f"The median of the times of a step is {middle:.3g} ms, unusual for a server: are throughputs in "
                "tokens per second, and times in milliseconds?"
            )
        work, reads = sum(self.work(table).values()), sum(self.reads(table).values())
        relative = np.sort(steps / USUAL_DEVICE.roofline(1e12 * work, 1e9 * reads))
        ratios = relative[1:] / relative[:-1]
        if len(ratios) and ratios.max() > GAP:
            yield (
                f"Times of a step for the same work have a gap of a factor of {ratios.max():.2g}, "
                f"{len(ratios) - int(ratios.argmax())} of {len(steps)} rows above it: are these rows in two units?"
            )

    def parts(self, table: Columns, coefficients: Floats) -> pd.DataFrame:
        """Milliseconds of a step by what they are spent on; each row sums to the law's prediction."""
        overhead, per_gb, per_tflop, per_request = coefficients
        reads = {name: 1e3 * per_gb * value for name, value in self.reads(table).items()}
        work = {name: 1e3 * per_tflop * value for name, value in self.work(table).items()}
        columns = {
            "overhead": np.full_like(reads["always"], overhead),
            "weights always read": reads["always"],
            "distinct experts": reads["experts"],
            "key-value cache": reads["cache"],
            "prefill": reads["prefill"] + work["prefill"],
            "decode arithmetic": work["decode"],
            "per request": per_request * np.asarray(table["concurrency"], dtype=float),
        }
        return pd.DataFrame(columns, index=table.index if isinstance(table, pd.DataFrame) else None)


def restored(folder: Path, settings: Mapping[str, float]) -> StepTime:
    """Return the law of a saved fit, whose folder holds the model's ``config.json``."""
    return StepTime(huggingface.model(str(folder)).architecture, settings["weight_bytes"], settings["cache_bytes"])


SAVED = {StepTime.name: restored}
"""What makes this law again from a saved fit, for :func:`moelaws.fitting.saved.load`."""
