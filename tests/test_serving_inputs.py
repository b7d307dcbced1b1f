"""Faulty inputs of ``fit-serving``, ``arch`` and ``allocate --coefficients``, and names that a terminal would obey."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from moelaws.cli.main import main
from moelaws.models import huggingface, storage
from moelaws.models.keys import Keys
from moelaws.papers.yun2024.cost import Footprint, cheapest
from moelaws.paths import ROOT
from moelaws.serving.steps import load_device

EXAMPLES = ROOT / "data" / "examples"
CONFIG = EXAMPLES / "config.json"
COEFFICIENTS = {"A": 420, "B": 2.6, "C": 7100, "F": 2.0, "alpha": 0.28, "beta": 1.4, "gamma": 0.36, "d": -0.004}
COEFFICIENTS |= {"E_start": 8, "E_max": 330}


def run(*arguments):
    return CliRunner().invoke(main, [str(one) for one in arguments])


def refused(result, *parts):
    """Tell whether a command ended by one sentence with these parts, and printed nothing else."""
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1), result.output
    assert all(part in result.stderr for part in parts), result.stderr


def serving(tmp_path, change):
    path = tmp_path / "loads.csv"
    change(pd.read_csv(EXAMPLES / "serving.csv")).to_csv(path, index=False)
    return run("fit-serving", path, "--config", CONFIG)


def in_seconds(table):
    seconds = table.concurrency * (table.tokens_in + table.tokens_out) / table.tokens_out / table.throughput_total
    return table.drop(columns="throughput_total").assign(step_ms=seconds)


def thousandth(table, rows):
    return table.assign(throughput_total=table.throughput_total.where(~rows(table.index), table.throughput_total / 1e3))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (in_seconds, "The median of the times of a step is 0.0515 ms, unusual for a server"),
        (lambda t: thousandth(t, lambda i: i >= 0), "The median of the times of a step is 5.15e+04 ms, unusual"),
        (lambda t: thousandth(t, lambda i: i % 2 == 0), "9 of 18 rows above it: are these rows in two units?"),
        (lambda t: thousandth(t, lambda i: i == 17), "1 of 18 rows above it"),
    ],
    ids=["seconds", "thousands", "half of the rows in thousands", "one row in thousands"],
)
def test_measures_in_another_unit_are_doubted(tmp_path, change, sentence):
    result = serving(tmp_path, change)
    assert result.exit_code == 0
    assert sentence in result.stderr
    assert "that the law does not read" not in result.stderr  # the measure itself is no further column


@pytest.mark.parametrize("scale", [0.1, 10])
def test_measures_in_their_unit_are_not_doubted(tmp_path, scale):
    result = serving(tmp_path, lambda t: t.assign(throughput_total=t.throughput_total * scale))
    assert not re.search("unusual for a server|two units", result.stderr)


def test_errors_are_those_of_the_time_of_a_step():
    """The example was made by the law with errors of one per cent, of steps of some 50 ms."""
    result = run("fit-serving", EXAMPLES / "serving.csv", "--config", CONFIG, "--holdout", "concurrency > 8")
    fitted, held = map(float, re.search(r"RMSE (\S+) in step_ms, (\S+) in 10 held out", result.stdout).groups())
    assert fitted < 1
    assert held < 10  # as throughputs it would be thousands


def test_the_floor_of_a_step_is_said_in_milliseconds(tmp_path):
    """Where nothing but the overhead makes the time, 20 ms in all rows."""
    result = serving(tmp_path, lambda t: t.drop(columns="throughput_total").assign(step_ms=20.0))
    assert "within one per cent of the lowest step_ms (20)" in result.stderr


def configured(tmp_path, **changes):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(CONFIG.read_text(encoding="utf-8")) | changes), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("quantisation", "parts"),
    [
        ({"quantization": {"bits": 0, "group_size": 64}}, ["key 'quantization.bits': 0 is found", "from 1 to 8"]),
        ({"quantization": {"bits": 1000}}, ["key 'quantization.bits': 1000 is found", "from 1 to 8"]),
        ({"quantization": {"quant_method": "mlx"}}, ["no key 'quantization.bits'", "from 1 to 8"]),
        (
            {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": "true"}},
            ["key 'quantization_config.load_in_4bit': \"true\" is found", "true or false"],
        ),
        ({"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": 1}}, ["1 is found", "true or false"]),
    ],
)
def test_quantisations_that_cannot_be_are_refused(tmp_path, quantisation, parts):
    refused(run("arch", configured(tmp_path, **quantisation)), "config.json", *parts)


@pytest.mark.parametrize("bits", [1, 8])
def test_the_ends_of_the_bits_of_mlx_are_taken(tmp_path, bits):
    assert huggingface.model(configured(tmp_path, quantization={"bits": bits})).form.bits == bits


@pytest.mark.parametrize(
    "entry",
    [
        "re:a{99999999999}",
        "re:[[a]--b]",  # of which Python says that it may mean something else one day
        "re:" + ".?" * 90 + "z",  # which would be tried in 2^90 ways
        "re:" + "".join(f"(.|{letter})" for letter in "model.layers.7.mlp.experts.7.gate") + "z",
        "re:" + "(" * 190,
    ],
)
def test_crafted_entries_of_what_is_not_quantised_match_nothing(tmp_path, entry):
    quantised = {"quant_method": "gptq", "bits": 4, "ignore": [entry]}
    result = run("arch", configured(tmp_path, quantization_config=quantised))
    assert (result.exit_code, result.stderr) == (0, "")
    assert "norms, biases, embedding, head, router stay wide" in result.stdout


@pytest.mark.parametrize(
    ("entry", "part"),
    [
        ("re:.*lm_head", "head"),
        (r"re:.*\.mlp\.shared_experts?\..*", "shared"),
        (r"re:model\.layers\.\d+\.self_attn\.(q|k|v|o)_proj.*?", "attention"),
        (r"re:(?:model\.)?layers.*mlp\.gate$", "router"),
    ],
)
def test_plain_entries_of_what_is_not_quantised_match(entry, part):
    stated = {"quantization": {"bits": 4, "ignore": [entry]}}
    assert storage.quantised(Keys(stated, "config.json"), None).wide == {part}


HUGE = "1" + 400 * "0"


@pytest.mark.parametrize(
    ("record", "parts"),
    [
        (f'{{"tput_per_gpu":{HUGE},"tp":1,"conc":1,"isl":1,"osl":1}}', ["record 1: 'tput_per_gpu' is 1000"]),
        ('{"tput_per_gpu":1e308,"tp":8,"conc":1,"isl":1,"osl":1}', ["row 1, column 'throughput_total': 'inf'"]),
        (f'{{"output_throughput":1,"completed":{HUGE}}}', ["record 1: 'completed' is 1000"]),
        ('{"tput_per_gpu":Infinity,"tp":1,"conc":1,"isl":1,"osl":1}', ["record 1: 'tput_per_gpu' is inf"]),
    ],
)
def test_records_beyond_all_numbers_are_refused(tmp_path, record, parts):
    path = tmp_path / "result.json"
    path.write_text(record, encoding="utf-8")
    refused(run("fit-serving", path, "--config", CONFIG), "result.json", "a positive number is expected", *parts)


def allocate(path, *options):
    sizes = ("--flops", 5e21, "--base", 4, "--experts", 8)
    return run("allocate", "--law", "yun2024", *sizes, "--coefficients", path, *options)


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ("[" * 100_000, ["this is no JSON (it is nested too deeply)"]),
        (json.dumps(COEFFICIENTS).replace("420", HUGE), ["A is 1000", "a finite number is expected"]),
        (json.dumps(COEFFICIENTS | {"A": np.inf}), ["A is inf; a finite number is expected"]),
        (json.dumps(COEFFICIENTS | {"F": np.inf}), ["F is inf; a finite number is expected"]),
        (json.dumps(COEFFICIENTS | {"alpha": [1] * 1000}), ["alpha is [1, 1,", "a number from 0 to 3 is expected"]),
        ("{" + 2**22 * " ", ["larger than 4 MiB"]),
        ("\0", ["the file is binary"]),
    ],
)
def test_coefficients_that_cannot_be_are_refused(tmp_path, written, parts):
    path = tmp_path / "mine.json"
    path.write_text(written, encoding="utf-8")
    refused(allocate(path), "mine.json", *parts)


@pytest.mark.parametrize("kind", ["fifo", "/dev/zero"])
def test_coefficients_that_never_end_are_refused(tmp_path, kind):
    path = Path(kind)
    if kind == "fifo":
        path = tmp_path / kind
        os.mkfifo(path)
    refused(allocate(path), str(path), "it is no regular file")


def test_devices_have_a_limit(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(COEFFICIENTS), encoding="utf-8")
    for beyond in (4097, 10**9):
        refused(allocate(path, "--gpus", beyond), f"most_gpus has the value {beyond}; at most 4096 are expected")
    model, device = Footprint.of_size([1e9], 8), load_device("A100-40G-SXM")
    assert cheapest(model, device, 4096).gpus.tolist() == cheapest(model, device, 64).gpus.tolist()


@pytest.mark.parametrize("value", ["0", "-1"])
def test_a_held_rate_is_positive(value):
    result = run("fit-serving", EXAMPLES / "serving.csv", "--config", CONFIG, "--hold", f"bandwidth={value}")
    refused(result, "--hold", "bandwidth", value)


# What a terminal obeys: an escape, its form of one letter, a line turned round, a letter taken back.
OBEYED = ["\x1b]0;pwn\x07", "\x9b31m", "\u202e", "\x7f"]


@pytest.mark.parametrize("letters", OBEYED)
def test_names_of_columns_are_printed_without_what_a_terminal_obeys(tmp_path, letters):
    rows = pd.read_csv(EXAMPLES / "runs.csv").assign(**{f"x{letters}y": range(45)})
    rows.to_csv(tmp_path / "runs.csv", index=False)
    for command in (["data", "check"], ["fit", "--law", "wang2024"]):
        result = run(*command, tmp_path / "runs.csv")
        assert result.exit_code == 0
        assert all(letter.isprintable() or letter == "\n" for letter in result.stdout + result.stderr)
    found = run("data", "check", tmp_path / "runs.csv", "--json").stdout
    assert all(letter.isprintable() or letter == "\n" for letter in found)
    assert f"x{letters}y" in json.loads(found)["others"]


@pytest.mark.parametrize("letters", [*OBEYED, "\ud800"])
def test_keys_of_a_model_are_printed_without_what_a_terminal_obeys(tmp_path, letters):
    path = configured(tmp_path, **{f"{letters}_size": 3})
    for options in ([], ["--json"], [path]):
        result = run("arch", path, *options)
        assert result.exit_code == 0, result.output
        assert all(letter.isprintable() or letter == "\n" for letter in result.stdout)
        assert "_size" in result.stdout


def test_all_that_is_printed_goes_one_way():
    """Only the two functions that replace such letters, and the error's, call click's own."""
    sources = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "moelaws" / "cli").glob("*.py")}
    calls = {name: source.count("click.echo(") for name, source in sources.items() if "click.echo(" in source}
    assert calls == {"main.py": 1, "output.py": 2}
