"""The program that times a layer; it needs PyTorch, which the book does not."""

import importlib.util

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not here; the extra 'runs' brings it.")

from click.testing import CliRunner  # noqa: E402

from moelaws import data  # noqa: E402

PATH = data.ROOT / "data" / "moe_layer_timing" / "measure.py"
SPEC = importlib.util.spec_from_file_location("measure", PATH)
measure = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(measure)

SHAPE = measure.Shape(d_model=32, d_expert=16, n_routed=8, top_k=3)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture
def small(monkeypatch):
    """Make the program small: a pool of a few megabytes, few repeats."""
    monkeypatch.setattr(measure, "GIB", 2**23)
    monkeypatch.setattr(measure, "QUICK_SHAPES", [SHAPE])
    monkeypatch.setattr(measure, "QUICK_TOKENS", [1, 5])


def run(*arguments):
    return CliRunner().invoke(measure.main, ["--quick", "--budget", "0.001", *map(str, arguments)])


def one_by_one(x, router, gates, out, top_k):
    """Send each token through its experts alone."""
    rows = []
    for token in x:
        best, chosen = (router @ token).softmax(dim=0).topk(top_k)
        parts = []
        for share, expert in zip(best / best.sum(), chosen, strict=True):
            gate, value = (gates[expert] @ token).chunk(2)
            parts.append(share * (out[expert] @ (torch.nn.functional.silu(gate) * value)))
        rows.append(sum(parts))
    return torch.stack(rows)


def weights():
    router = torch.randn(8, 32)
    return router, torch.randn(8, 32, 32) / 6, torch.randn(8, 32, 16) / 4


@pytest.mark.parametrize("tokens", [1, 40])
def test_the_layer_equals_a_loop_over_tokens(tokens):
    x, (router, gates, out) = torch.randn(tokens, 32), weights()
    fast, distinct = measure.moe_layer(x, router, gates, out, top_k=3)
    torch.testing.assert_close(fast, one_by_one(x, router, gates, out, top_k=3))
    assert distinct == len((x @ router.T).topk(3).indices.unique())


def test_weights_come_from_new_places_until_the_pool_ends():
    pool = measure.Pool(2**24, torch.float32, torch.device("cpu"))
    count = pool.numbers.numel() // 3 + 1
    places = [pool.take(count).data_ptr() for _ in range(3)]
    assert places[1] - places[0] == 4 * count
    assert places[2] == places[0]


def test_a_quick_run_keeps_the_schema(small, tmp_path):
    result = run("--out", tmp_path / "mine.csv")
    assert result.exit_code == 0, result.output
    table = data.read(tmp_path / "mine.csv", like=measure.TABLE)
    assert len(table) == 2 * 2
    assert set(table.dtype) == {"float32", "bfloat16"}
    assert (table[table.tokens == 1].distinct_experts == 3).all()
    assert list(tmp_path.iterdir()) == [tmp_path / "mine.csv"]


def test_a_table_that_breaks_the_schema_is_not_written(small, tmp_path, monkeypatch):
    out = tmp_path / "mine.csv"
    out.write_text("before", encoding="utf-8")
    monkeypatch.setattr(measure, "device_name", lambda device: "")
    result = run("--out", out)
    assert result.exit_code == 1
    assert "column 'device': an empty cell" in result.output
    assert out.read_text(encoding="utf-8") == "before"
    assert list(tmp_path.iterdir()) == [out]


def test_a_folder_that_does_not_exist_is_refused_before_anything_is_measured(small, tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "Bench", None)
    result = run("--out", tmp_path / "nowhere" / "mine.csv")
    assert result.exit_code == 1
    assert "there is no folder" in result.output


@pytest.mark.skipif(torch.cuda.is_available(), reason="There is a CUDA device here.")
def test_a_missing_gpu_is_refused(small, tmp_path):
    result = run("--device", "cuda", "--out", tmp_path / "mine.csv")
    assert result.exit_code == 1
    assert "There is no CUDA device here" in result.output


@pytest.mark.parametrize(("option", "value"), [("--threads", "0"), ("--budget", "0"), ("--device", "tpu")])
def test_bad_arguments_are_refused(option, value, tmp_path):
    result = run(option, value, "--out", tmp_path / "mine.csv")
    assert result.exit_code == 2
    assert option in result.output
