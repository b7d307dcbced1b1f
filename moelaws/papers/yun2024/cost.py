r"""What a generated token costs on devices of a data sheet: Yun et al. (2024), Section 4.

===================== ================ ==============================================================
paper                 here             meaning, unit and convention
===================== ================ ==============================================================
:math:`p, n`          ``tokens_in``,   average prompt and output of a request, tokens
                      ``tokens_out``
:math:`N, E`          ``n_dense``,     parameters of the corresponding dense model; experts in a layer
                      ``n_routed``
:math:`N_m`           ``weights``      all weights, bytes here and elements in the paper
:math:`h l, \mu`      ``mu``           hidden size times layers, :math:`\mu N^{2/3}`
:math:`G, M_0`        ``gpus``,        devices that serve one replica; memory of one, bytes
                      ``memory``
:math:`b`             ``batch``        requests that run together; a real number, as in the paper
:math:`L^P, L^D`      ``prompt_s``,    time of an iteration for prompts and for decoding, seconds
                      ``decode_s``
:math:`C_{m,G}/C_0`   ``gpu_seconds``  device seconds for one generated token, Eq. 5
===================== ================ ==============================================================

The paper interpolates latencies that it measured and did not publish. Here they are a roofline of
the model: the larger of bytes over bandwidth and FLOP over peak rate, both of all devices together.
A decoding step reads the weights that every token uses, the distinct experts that the batch touches
(:func:`moelaws.serving.experts.distinct_experts`; all of them in a large batch), and all of the cache.
Devices exchange activations by two ring all-reduces in each layer, which move 2 (G - 1)/G of them
over each link. Left out are the latency of an exchange, uneven experts, what is written, memory for
anything but weights and cache, and all time that a server spends otherwise: times are least times.

References
----------
L. Yun et al., arXiv:2404.02852 (2024), Section 4.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from moelaws.checks import Floats, positive
from moelaws.errors import InputError
from moelaws.models.catalogue import Architecture
from moelaws.models.ratios import total_ratio
from moelaws.serving.footprint import BYTES, MU, SHAREGPT, Footprint, Traffic
from moelaws.serving.steps import Device

MOST_GPUS = 4096
"""Devices of one replica up to which the cheapest number is looked for, one number after the other."""


@dataclass(frozen=True)
class Iteration:
    """One iteration of continuous batching: each request gets a token, and new prompts replace what ended.

    Parameters
    ----------
    gpus, batch : numpy.ndarray
        Devices, and requests that run together.
    decode_s, prompt_s, link_s : numpy.ndarray
        Seconds for decoding, for prompts, and for the exchange between devices.
    utilisation : numpy.ndarray
        Share of the devices' peak rate.
    """

    gpus: Floats
    batch: Floats
    decode_s: Floats
    prompt_s: Floats
    link_s: Floats
    utilisation: Floats

    @property
    def seconds(self) -> Floats:
        """Time of the iteration."""
        return self.decode_s + self.prompt_s + self.link_s

    @property
    def throughput(self) -> Floats:
        """Generated tokens per second, T of Eq. 6."""
        return self.batch / self.seconds

    @property
    def gpu_seconds(self) -> Floats:
        """Device seconds for one generated token; times the price of a second it is Eq. 5."""
        return self.gpus / self.throughput


def iteration(model: Footprint, device: Device, gpus: ArrayLike, batch: ArrayLike) -> Iteration:
    """Return the least time of an iteration, and what it consists of.

    On average `batch` / `tokens_out` prompts are processed in each iteration. Where that is less
    than one, a prompt comes only every so many iterations and reads the weights for itself; the
    paper's interpolation of measured prompt batches does not say what happens there.

    Parameters
    ----------
    model, device
        The model under its traffic, and one of `gpus` equal devices.
    gpus, batch : array_like
        Devices, and requests that run together; nan gives nan.

    Examples
    --------
    With 235 requests, two prompts come in three iterations of 29 ms:

    >>> from moelaws.serving.steps import load_device
    >>> step = iteration(Footprint.of_size(3.36e9, 1), load_device("A100-40G-SXM"), 1, 235)
    >>> round(float(235 / SHAREGPT.tokens_out), 2), round(float(1e3 * step.seconds), 1)
    (0.7, 28.7)
    """
    gpus, batch = np.broadcast_arrays(np.asarray(gpus, dtype=float), np.asarray(batch, dtype=float))
    known = np.where(batch > 0, batch, 1.0)
    prompts = batch / model.traffic.tokens_out
    together = np.maximum(np.where(batch > 0, prompts, 1.0), 1.0)
    decode_flops, prompt_flops = batch * model.token_flops, prompts * model.prompt_flops
    decode = device.roofline(decode_flops, model.read(known) + batch * model.cache) / gpus
    of_prompts = model.read(together * model.traffic.tokens_in)
    prompt = device.roofline(together * model.prompt_flops, of_prompts) * prompts / together / gpus
    summed = (batch + prompts * model.traffic.tokens_in) * model.exchange
    link = 2 * (gpus - 1) / gpus * summed / device.link
    work = (decode_flops + prompt_flops) / (gpus * device.flops)
    return Iteration(gpus, batch, decode, prompt, link, work / (decode + prompt + link))


def largest_batch(model: Footprint, device: Device, gpus: ArrayLike, most_requests: float = np.inf) -> Floats:
    """Return how many requests the memory beside the weights holds; nan where it is less than one.

    The paper's (G M0 - N_m) / ((2p + n) h l), unnumbered, for bytes. `most_requests` is a limit of the server's own.
    The paper states none; that of vLLM (`max_num_seqs`) was 256 unless changed.
    """
    batch = (np.asarray(gpus, dtype=float) * device.memory - model.weights) / model.cache
    return np.where(batch >= 1, np.minimum(batch, most_requests), np.nan)


def cheapest(model: Footprint, device: Device, most_gpus: int = 8, most_requests: float = np.inf) -> Iteration:
    """Return the iteration with the largest batch at the number of devices where a token costs least, Eqs. 5 and 6.

    The values are nan where the model does not fit `most_gpus` devices.

    Examples
    --------
    More devices hold the weights once for more requests, until the links cost more than that saves:

    >>> from moelaws.serving.steps import load_device
    >>> cheapest(Footprint.of_size([1e9, 5e9, 30e9], 8), load_device("A100-40G-SXM")).gpus.tolist()
    [2.0, 6.0, 8.0]
    """
    for name, value in (("most_gpus", most_gpus), ("most_requests", most_requests)):
        if not value >= 1:
            raise InputError(f"Parameter {name} has the value {value}; at least 1 is expected.")
    if most_gpus > MOST_GPUS:
        raise InputError(f"Parameter most_gpus has the value {most_gpus}; at most {MOST_GPUS} are expected.")
    dimensions = np.broadcast(model.weights, model.cache).ndim
    counts = np.arange(1.0, most_gpus + 1).reshape(-1, *(1 for _ in range(dimensions)))
    cost = iteration(model, device, counts, largest_batch(model, device, counts, most_requests)).gpu_seconds
    cost = np.where(np.isnan(cost), np.inf, cost)
    gpus = np.where(np.isfinite(cost).any(axis=0), 1.0 + cost.argmin(axis=0), np.nan)
    return iteration(model, device, gpus, largest_batch(model, device, gpus, most_requests))


def largest_size(
    n_routed: ArrayLike, device: Device, gpus: ArrayLike, traffic: Traffic = SHAREGPT, mu: ArrayLike = MU
) -> Floats:
    """Return the size N whose weights leave room for one request: beyond it another device is needed.

    Examples
    --------
    One A100 with 40 GB holds 19.8 billion parameters: dense, or as eight experts of a size of 6.0 billion.

    >>> from moelaws.serving.steps import load_device
    >>> (largest_size([1, 8], load_device("A100-40G-SXM"), 1) / 1e9).round(1).tolist()
    [19.8, 6.0]
    """
    gpus, experts, mu = positive(gpus=gpus, n_routed=n_routed, mu=mu)
    memory = gpus * device.memory
    weights = BYTES * total_ratio(experts)
    cache = BYTES * 2 * mu * traffic.context
    # weights x³ + cache x² = memory for x = N^(1/3) grows and is convex, so Newton's method falls from above.
    root = (memory / weights) ** (1 / 3)
    for _ in range(30):
        root = root - (weights * root**3 + cache * root**2 - memory) / (3 * weights * root**2 + 2 * cache * root)
    return np.asarray(root**3)


def step_times(
    table: pd.DataFrame,
    model: Architecture,
    device: Device,
    gpus: int,
    weight_bytes: float = BYTES,
    cache_bytes: float = BYTES,
) -> Floats:
    """Return the time of each row's step in milliseconds, from data sheets alone.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns `concurrency`, `tokens_in`, `tokens_out`, `n_routed` and `top_k` of ``yang2025/throughput``; the
        last two replace the model's own.
    model, device, gpus, weight_bytes, cache_bytes
        As for :meth:`Footprint.of_architecture` and :func:`iteration`.

    Examples
    --------
    Two requests to DeepSeek-V2-Lite take 8.35 ms on two A800 (Table 8 of Yang et al. 2025), and a quarter of that
    by their data sheet:

    >>> from moelaws.models import catalogue as architecture
    >>> from moelaws import data
    >>> from moelaws.serving.steps import load_device
    >>> row = data.load("yang2025/throughput").head(1)
    >>> lite = architecture.load("DeepSeek-V2-Lite")
    >>> round(float(step_times(row, lite, load_device("A800-80G-PCIe"), 2)[0]), 2)
    1.97
    """
    seconds = []
    for n_routed, top_k, tokens_in, tokens_out, batch in table[_COLUMNS].itertuples(index=False):
        served = replace(model, n_routed=n_routed, top_k=top_k)
        footprint = Footprint.of_architecture(served, Traffic(tokens_in, tokens_out), weight_bytes, cache_bytes)
        seconds.append(iteration(footprint, device, gpus, batch).seconds)
    return 1e3 * np.array(seconds, dtype=float)


_COLUMNS = ["n_routed", "top_k", "tokens_in", "tokens_out", "concurrency"]
