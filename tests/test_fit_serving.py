"""The step-time law on measurements of the reader's own: conventions named, results of three programs, saved fits."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from moelaws.cli.main import main
from moelaws.errors import InputError
from moelaws.models import huggingface
from moelaws.paths import ROOT
from moelaws.serving import measured

EXAMPLES = ROOT / "data" / "examples"
CONFIG = EXAMPLES / "config.json"
TRUE = {"overhead": 6.0, "bandwidth": 2400.0, "rate": 420.0, "per_request": 0.05}  # of make_examples.py


def run(*arguments):
    return CliRunner().invoke(main, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def law():
    return measured.law_of(huggingface.model(CONFIG))


@pytest.fixture
def loads(tmp_path):
    """Return a function that writes the example with other columns."""

    def written(change):
        path = tmp_path / "loads.csv"
        change(pd.read_csv(EXAMPLES / "serving.csv")).to_csv(path, index=False)
        return path

    return written


def test_the_truth_lies_inside_the_intervals():
    report = json.loads(run("fit-serving", EXAMPLES / "serving.csv", "--config", CONFIG, "--json").stdout)
    assert report["status"] == "converged"
    for name, value in TRUE.items():
        assert report["params"][name]["low"] < value < report["params"][name]["high"]


def of_output(rows):
    share = rows.tokens_out / (rows.tokens_in + rows.tokens_out)
    return rows.throughput_total * share


CONVENTIONS = {
    "total by option": (lambda t: t.rename(columns={"throughput_total": "throughput"}), ["--counts", "total"]),
    "output by option": (
        lambda t: t.assign(throughput=of_output).drop(columns="throughput_total"),
        ["--counts", "output"],
    ),
    "output by column": (lambda t: t.assign(throughput_output=of_output).drop(columns="throughput_total"), []),
    "time of a step": (
        # A request of tokens_out steps brings tokens_in + tokens_out tokens; concurrency of them run.
        lambda t: t.assign(step_ms=1e3 * t.concurrency / of_output(t)).drop(columns="throughput_total"),
        [],
    ),
    "experts of the model": (lambda t: t.drop(columns=["n_routed", "top_k"]), []),
    "batch": (lambda t: t.rename(columns={"concurrency": "batch"}), []),
    "other names": (lambda t: t.rename(columns={"concurrency": "load"}), ["--map", "concurrency=load"]),
}


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_conventions_give_one_result(convention, loads):
    change, options = CONVENTIONS[convention]
    ours = json.loads(run("fit-serving", loads(change), "--config", CONFIG, "--json", *options).stdout)
    plain = json.loads(run("fit-serving", EXAMPLES / "serving.csv", "--config", CONFIG, "--json").stdout)
    for name, one in plain["params"].items():
        assert ours["params"][name]["value"] == pytest.approx(one["value"], rel=1e-6)


REFUSED = {
    "nothing said": (lambda t: t.rename(columns={"throughput_total": "throughput"}), [], "--counts total"),
    "two measures": (lambda t: t.assign(step_ms=1.0), [], "has the measures throughput_total, step_ms"),
    "no measure": (lambda t: t.rename(columns={"throughput_total": "tput"}), [], "has the measures none"),
    "more used than there are": (lambda t: t.assign(top_k=99), [], "'top_k': 99 is found; at most 8"),
    "more than the model has": (lambda t: t.assign(n_routed=64), [], "'n_routed': 64 is found; at most 8"),
    "no prompt": (lambda t: t.assign(tokens_in=0), [], "column 'tokens_in': '0' is found; a positive"),
    "text": (lambda t: t.assign(throughput_total="fast"), [], "'fast' is found; a positive number"),
    "half a column": (lambda t: t.drop(columns="tokens_out"), [], "no column 'tokens_out'"),
    "too few": (lambda t: t.head(3), [], "at least 4 are expected"),
    "bytes": (lambda t: t, ["--weight-bytes", "0"], "Option --weight-bytes is 0"),
    "place": (lambda t: t, ["--out", "nowhere/x"], "there is no folder 'nowhere'"),
    "picture": (lambda t: t, ["--plot", "x.exe"], "the name of a picture ends in .png"),
    "picture's folder": (lambda t: t, ["--plot", "nowhere/x.png"], "the file cannot be written"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_measurements_that_are_refused(case, loads, tmp_path):
    change, options, sentence = REFUSED[case]
    path = loads(change)
    result = run("fit-serving", path, "--config", CONFIG, *options)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_saved_fit_predicts_the_same(tmp_path, loads):
    out = tmp_path / "served"
    assert run("fit-serving", EXAMPLES / "serving.csv", "--config", CONFIG, "--out", out).exit_code == 0
    points = loads(lambda t: t.head(2))
    report = json.loads(run("predict", out, points, "--json").stdout)
    measured_ms = 1e3 * pd.read_csv(points).concurrency / of_output(pd.read_csv(points))
    assert [row["value"] for row in report["predictions"]] == pytest.approx(measured_ms.tolist(), rel=0.05)
    shown = [row["throughput_total"] for row in report["predictions"]]
    assert shown == pytest.approx(pd.read_csv(points).throughput_total.tolist(), rel=0.05)
    (out / "config.json").write_text(CONFIG.read_text(encoding="utf-8").replace("4096", "2048"), encoding="utf-8")
    tampered = run("predict", out, points)
    assert tampered.exit_code == 2
    assert "the files are not those that the fit was saved with" in tampered.stderr


def test_a_picture_shows_fitted_and_held_out_rows(tmp_path):
    picture = tmp_path / "fit.svg"
    options = ("--holdout", "concurrency > 100", "--plot", picture)
    assert run("fit-serving", EXAMPLES / "serving.csv", "--config", CONFIG, *options).exit_code == 0
    assert picture.read_bytes().startswith(b"<?xml")
    assert list(tmp_path.iterdir()) == [picture]


# What the three programs write, of their shape: 80 requests of 1024 tokens in and 512 out, 8 at a time, in 40 s.
VLLM = {
    "date": "20250101-000000",
    "backend": "vllm",
    "model_id": "mistralai/Mixtral-8x7B-v0.1",
    "num_prompts": 80,
    "request_rate": "inf",
    "max_concurrency": 8,
    "duration": 40.0,
    "completed": 80,
    "total_input_tokens": 81920,
    "total_output_tokens": 40960,
    "request_throughput": 2.0,
    "output_throughput": 1024.0,
    "total_token_throughput": 3072.0,
    "mean_tpot_ms": 7.5,
}
SGLANG = {
    "backend": "sglang",
    "dataset_name": "random",
    "request_rate": float("inf"),
    "max_concurrency": 8,
    "random_input_len": 1024,
    "random_output_len": 512,
    "duration": 40.0,
    "completed": 80,
    "total_input_tokens": 81920,
    "total_output_tokens": 40960,
    "input_throughput": 2048.0,
    "output_throughput": 1024.0,
    "mean_tpot_ms": 7.5,
}
INFERENCEMAX = {
    "hw": "h200",
    "framework": "sglang",
    "precision": "fp8",
    "tp": 2,
    "ep": 1,
    "conc": 8,
    "isl": 1024,
    "osl": 512,
    "tput_per_gpu": 1536.0,
    "output_tput_per_gpu": 512.0,
}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(VLLM),
        json.dumps(SGLANG) + "\n" + json.dumps(SGLANG) + "\n",
        json.dumps([INFERENCEMAX, INFERENCEMAX]),
    ],
    ids=["vllm", "sglang", "InferenceMAX"],
)
def test_results_of_benchmarks(text, law, tmp_path):
    path = tmp_path / "result.json"
    path.write_text(text, encoding="utf-8")
    rows = measured.read([path], law)
    expected = {"concurrency": 8, "tokens_in": 1024, "tokens_out": 512, "n_routed": 8, "top_k": 2, "throughput": 3072}
    assert len(rows) == (1 if text.startswith('{"date') else 2)
    for column, value in expected.items():
        assert np.allclose(rows[column], value)


def without(record, key):
    return json.dumps({name: value for name, value in record.items() if name != key})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (without(VLLM, "max_concurrency"), "'max_concurrency' is missing; a positive number is expected; run the"),
        (json.dumps(VLLM | {"max_concurrency": None}), "'max_concurrency' is None; a positive number"),
        (json.dumps(VLLM | {"completed": 0}), "'completed' is 0; a positive number"),
        (without(INFERENCEMAX, "isl"), "'isl' is missing"),
        (without(INFERENCEMAX, "tp"), "'tp' is missing"),
        ('{"a": 1}', "neither output_throughput and completed"),
        ("[]", "a benchmark's result, an object or a list of them, is expected"),
        ("[1, 2]", "a benchmark's result, an object or a list of them, is expected"),
        ('{"a": ', "this is no JSON, neither as a whole nor line by line"),
        ("[" * 100_000, "this is no JSON"),
    ],
)
def test_results_that_are_none(text, sentence, law, tmp_path):
    path = tmp_path / "result.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        measured.read([path], law)
    assert sentence in str(error.value)
    assert str(path) in str(error.value)
