"""Measurements of a server of the reader's own, in the columns that the step-time law reads.

A table has a row for each load; what `throughput` counts has to be said, as input and output tokens together are
twice the output where a request has as many of both. The files that ``vllm bench serve``, ``sglang.bench_serving`` and
InferenceMAX write name what they count themselves.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from moelaws.data import files
from moelaws.data.mapping import Mapping as Names
from moelaws.data.table import AS_IT_IS, nearest, numbers, parsed
from moelaws.errors import InputError
from moelaws.models.huggingface import Checkpoint
from moelaws.models.storage import BYTES
from moelaws.serving.steps import StepTime, throughput

Counts = Literal["total", "output"]

MEASURES = ("throughput", "throughput_total", "throughput_output", "step_ms")
"""Columns of which a table has one: tokens per second of what is said, of all tokens, of the output; time of a step."""

COLUMNS = {
    "concurrency": ("requests", "requests in flight"),
    "tokens_in": ("tokens", "tokens of a prompt"),
    "tokens_out": ("tokens", "tokens that a request generates"),
    "n_routed": ("experts", "routed experts in a layer; by default those of the model"),
    "top_k": ("experts", "routed experts used for one token; by default those of the model"),
    "throughput_total": ("tokens/s", "input and output tokens per second, of all devices together"),
    "throughput_output": ("tokens/s", "output tokens per second, of all devices together"),
    "step_ms": ("ms", "mean time of a decoding step, the time between two tokens of a request"),
}
"""What a table of measurements can hold: unit and meaning."""


def law_of(model: Checkpoint, weight_bytes: float | None = None, cache_bytes: float | None = None) -> StepTime:
    """Return the step-time law of a model, with the bytes that its configuration says unless others are given."""
    return StepTime(
        model.architecture,
        model.weight_bytes / model.n_total if weight_bytes is None else weight_bytes,
        BYTES[model.cache_dtype] if cache_bytes is None else cache_bytes,
    )


def read(
    paths: Sequence[str | os.PathLike[str]], law: StepTime, counts: Counts | None = None, mapping: Names = AS_IT_IS
) -> pd.DataFrame:
    """Read measurements as the table that a step-time law is fitted to.

    Parameters
    ----------
    paths : sequence of path-like
        Tables, or files of the three programs, whose rows are put together.
    law : StepTime
        The law, which knows the experts of the model.
    counts : {"total", "output"}, optional
        What a column `throughput` counts: input and output tokens, or output alone.

    Returns
    -------
    pandas.DataFrame
        The columns of the law, `throughput` in input and output tokens per second, and those that a table has beside.
    """
    return pd.concat([_one(path, law, counts, mapping) for path in paths], ignore_index=True)


def _one(path: str | os.PathLike[str], law: StepTime, counts: Counts | None, mapping: Names) -> pd.DataFrame:
    raw, name = files.contents(path), str(path)
    if raw.lstrip()[:1] in (b"{", b"["):
        table = pd.DataFrame([_converted(item, f"{name}, record {n}") for n, item in enumerate(_records(raw, name), 1)])
    else:
        table = mapping.apply(parsed(raw, path), [], name)
    model = law.architecture
    table = table.assign(**{k: v for k, v in (("n_routed", model.n_routed), ("top_k", model.top_k)) if k not in table})
    table = table.assign(n_routed=table.n_routed.replace(0, 1), top_k=table.top_k.replace(0, 1))
    for column in law.columns:
        if column == "concurrency" and column not in table and "batch" in table:
            table = table.rename(columns={"batch": column})
        table[column] = numbers(table, column, name)
    for column, most in (("top_k", table.n_routed), ("n_routed", max(model.n_routed, 1))):
        beyond = np.flatnonzero(table[column] > most)
        if len(beyond):
            limit = np.broadcast_to(most, len(table))[beyond[0]]
            raise InputError(
                f"{name}, row {beyond[0] + 1}, column '{column}': {table[column].iloc[beyond[0]]:g} is found; at most "
                f"{limit:g} are expected, as there are no more experts."
            )
    return table.assign(throughput=_total(table, name, counts)).drop(columns=list(MEASURES[1:]), errors="ignore")


def _total(table: pd.DataFrame, name: str, counts: Counts | None) -> Any:
    """Return input and output tokens per second, from whichever measure a table has."""
    given = [measure for measure in MEASURES if measure in table]
    if len(given) != 1:
        near = nearest("throughput", list(map(str, table.columns))) if not given else None
        hint = f"; is it '{near}' (--map throughput_total={near}, or throughput_output={near})?" if near else "."
        raise InputError(
            f"{name} has the measures {', '.join(given) or 'none'}; one of {', '.join(MEASURES)} is expected{hint}"
        )
    measure = given[0]
    values = numbers(table, measure, name)
    if measure == "throughput" and counts is None:
        raise InputError(
            f"{name}: what column 'throughput' counts is not said; --counts total (input and output tokens) or "
            "--counts output is expected, or a column throughput_total or throughput_output."
        )
    if measure == "step_ms":
        return throughput(values, table.concurrency, table.tokens_in, table.tokens_out)
    of_output = measure == "throughput_output" or (measure == "throughput" and counts == "output")
    return values * ((table.tokens_in + table.tokens_out) / table.tokens_out if of_output else 1.0)


def _records(raw: bytes, name: str) -> list[Any]:
    """Return the objects of a JSON file: one, a list of them, or one on each line."""
    written = files.text(raw, name)
    try:
        whole = json.loads(written)
        records = whole if isinstance(whole, list) else [whole]
    except ValueError:
        try:
            records = [json.loads(line) for line in written.splitlines() if line.strip()]
        except (ValueError, RecursionError):
            raise InputError(f"{name}: this is no JSON, neither as a whole nor line by line.") from None
    except RecursionError:
        raise InputError(f"{name}: this is no JSON (it is nested too deeply).") from None
    if not records or not all(isinstance(record, dict) for record in records):
        raise InputError(f"{name}: a benchmark's result, an object or a list of them, is expected.")
    return records


def _converted(record: Mapping[str, Any], where: str) -> dict[str, float]:
    """Return the columns of one result, whichever of the three programs wrote it."""
    if "tput_per_gpu" in record:  # InferenceMAX: per device, of `tp` devices
        devices = _number(record, "tp", where)
        return {
            "concurrency": _number(record, "conc", where),
            "tokens_in": _number(record, "isl", where),
            "tokens_out": _number(record, "osl", where),
            "throughput_total": devices * _number(record, "tput_per_gpu", where),
        }
    if "output_throughput" in record and "completed" in record:  # vllm, and sglang with the same names
        done = _number(record, "completed", where)
        return {
            "concurrency": _number(record, "max_concurrency", where),
            "tokens_in": _number(record, "total_input_tokens", where) / done,
            "tokens_out": _number(record, "total_output_tokens", where) / done,
            "throughput_output": _number(record, "output_throughput", where),
        }
    raise InputError(
        f"{where}: neither output_throughput and completed (vllm bench serve, sglang.bench_serving) nor tput_per_gpu "
        "(InferenceMAX) is found; a result of one of these is expected."
    )


def _number(record: Mapping[str, Any], key: str, where: str) -> float:
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= sys.float_info.max:
        found = "is missing" if key not in record else f"is {str(value)[:40]}"
        hint = "; run the benchmark with a limit to concurrent requests" if key == "max_concurrency" else ""
        raise InputError(f"{where}: '{key}' {found}; a positive number is expected{hint}.")
    return float(value)
