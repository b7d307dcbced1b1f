"""Tables: what the paper prints, and how a bad row is refused."""

import os

import pandas as pd
import pytest

from moelaws import data
from moelaws.data import book
from moelaws.data.book import _package
from moelaws.errors import InputError

TASKS = ["arc_challenge", "arc_easy", "boolq", "openbookqa", "rte", "winogrande"]


@pytest.mark.parametrize("name", data.tables())
def test_every_table_keeps_its_schema(name):
    assert len(data.load(name)) > 0


@pytest.mark.parametrize("name", sorted(data.sets()))
def test_readme_names_licence_and_every_column(name):
    readme = (data.ROOT / "data" / name / "README.md").read_text(encoding="utf-8")
    assert "Licence" in readme
    own = (table for table in data.sets()[name]["resources"] if table["name"] != "claims")
    columns = {column["name"] for table in own for column in table["schema"]["fields"]}
    assert {column for column in columns if f"`{column}`" not in readme} == set(), "README.md lacks these columns"


@pytest.mark.parametrize("name", sorted(data.sets()))
def test_every_csv_file_is_described(name):
    described = {table["path"] for table in data.sets()[name]["resources"] if "path" in table}
    assert {path.name for path in (data.ROOT / "data" / name).glob("*.csv")} == described


def test_checksum_of_accuracies():
    """The printed averages vouch for 1,368 transcribed task scores; one is itself a misprint."""
    skipping = data.load("yang2025/quality_skipping")
    pruning = data.load("yang2025/quality_pruning")
    gaps = pd.concat([table[TASKS].mean(axis=1) - table.average for table in (skipping, pruning)])
    assert len(gaps) == 228
    assert (gaps.abs() > 0.1 + 1e-9).sum() == 1
    baseline = pruning[pruning.method == "baseline"]
    assert (baseline[TASKS].mean(axis=1) - baseline.average).iloc[0] == pytest.approx(0.1833, abs=1e-3)


SUMS = {
    (8, 64, 2): 74663,
    (8, 64, 3): 69754,
    (8, 64, 4): 67735,
    (8, 64, 5): 66176,
    (8, 64, 6): 64542,
    (9, 256, 3): 8752,
    (9, 256, 4): 8090,
    (9, 256, 6): 7690,
    (9, 256, 8): 7379,
    (12, 6, 6): 83057,
    (12, 8, 6): 81000,
    (12, 12, 6): 78426,
    (12, 16, 6): 75646,
    (12, 24, 6): 71758,
    (12, 32, 6): 68687,
    (12, 48, 6): 62365,
    (12, 64, 6): 58036,
}


def test_checksum_of_throughputs():
    """Sums over each column of Tables 8, 9 and 12, taken when the transcription was compared with the paper."""
    throughput = data.load("yang2025/throughput")
    sums = throughput.groupby(["table", "n_routed", "top_k"]).throughput.sum().astype(int)
    assert sums.to_dict() == SUMS


# Hidden size, experts' width, routed, active and shared experts, batch; over each table of Tian et al. (2025).
CONFIGURATIONS = {
    7: [36864, 36352, 3060, 96, 48, 17128],
    8: [27648, 10940, 9216, 288, 144, 12846],
    9: [27648, 6912, 9216, 258, 175, 12846],
    10: [18432, 18432, 1536, 48, 24, 8564],
    11: [24024, 20644, 1920, 60, 30, 10400],
}
LEVERAGES = {"5b": 83.87, "6b": 90.58, "7b": 101.34, "8a": 87.178, "8b": 76.922, "8c": 78.736}


def test_checksum_of_configurations():
    rows = data.load("tian2025/architectures")
    columns = ["d_model", "d_expert", "n_routed", "top_k", "n_shared", "batch"]
    sums = rows.groupby("table")[columns].sum()
    assert {table: list(row) for table, row in zip(sums.index, sums.to_numpy(), strict=True)} == CONFIGURATIONS
    assert rows.groupby("table").n_kv_heads.sum().to_dict() == {7: 144, 8: 0, 9: 0, 10: 0, 11: 90}
    assert (rows.d_dense.sum(), rows.n_dense_layers.sum(), rows.n_layers.sum()) == (72704, 36, 3390)
    assert rows.learning_rate.sum() == pytest.approx(0.2963)
    assert rows.flops.sum() == pytest.approx(24 * 8.88e20)


def test_checksum_of_readings():
    leverages, losses = data.load("tian2025/leverage"), data.load("tian2025/loss_curves")
    assert leverages.groupby("figure").leverage.sum().to_dict() == pytest.approx(LEVERAGES, abs=1e-6)
    assert leverages.activation_ratio.to_numpy() == pytest.approx((leverages.top_k / leverages.n_routed).to_numpy())
    assert losses.loss.sum() == pytest.approx(91.765, abs=1e-6)


def test_checksum_of_scores():
    """The printed averages vouch for the 34 scores of both models, as far as they are rounded or cut."""
    table = data.load("tian2025/benchmarks")
    scores, averages = table[table.kind == "score"], table[table.kind == "group average"].set_index("group")
    assert len(scores) == 34
    means = scores.groupby("group")[["dense", "moe"]].mean().loc[averages.index]
    assert (means - averages[["dense", "moe"]]).abs().to_numpy().max() < 0.1
    assert scores[["dense", "moe"]].sum().tolist() == pytest.approx([1496.9, 1548.5])


def write(tmp_path, text):
    path = tmp_path / "mine.csv"
    path.write_text(text, encoding="utf-8")
    return path


HEAD = "table,model,tokens_in,tokens_out,concurrency,n_routed,top_k,throughput\n"
ROW = "8,DeepSeek-V2-Lite,1024,1024,2,64,6,479\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (HEAD.replace(",throughput", "") + ROW.replace(",479", ""), "column 'throughput' is missing"),
        (HEAD.replace("\n", ",extra\n") + ROW.replace("\n", ",1\n"), "column 'extra' is unknown"),
        (
            HEAD + ROW.replace("479", "-479"),
            "row 1 (line 2), column 'throughput': '-479' is found, expected is a value greater than 0",
        ),
        (HEAD + ROW.replace("479", "0"), "expected is a value greater than 0"),
        (HEAD + ROW.replace("479", "inf"), "expected is a finite number"),
        (HEAD + ROW.replace("479", "nan"), "column 'throughput': 'nan' is found, expected is a number"),
        (HEAD + ROW.replace("479", ""), "column 'throughput': an empty cell is found, expected is a number"),
        (HEAD + ROW.replace("479", "4x9"), "column 'throughput': '4x9' is found, expected is a number"),
        (HEAD + ROW.replace(",2,64", ",2.5,64"), "column 'concurrency': '2.5' is found, expected is a whole number"),
        (HEAD + ROW.replace("8,Deep", "7,Deep"), "column 'table': '7' is found, expected is one of"),
        (HEAD + ROW + ROW.replace("479", "480"), "row 2 (line 3): a second row with table 8, concurrency 2"),
        (HEAD + ROW + ROW.replace("1024,1024,2", "1024,1024,x"), "row 2 (line 3), column 'concurrency'"),
        (HEAD, "the table has no rows"),
        ("", "the file is empty; a line with the names of the columns is expected"),
        (HEAD + ROW + "8,9,1,1,1,1,1,1,1,1,1\n", "not a CSV table"),
    ],
)
def test_bad_table_is_refused_in_one_sentence(tmp_path, text, sentence):
    path = write(tmp_path, text)
    with pytest.raises(InputError) as error:
        data.read(path, like="yang2025/throughput")
    message = str(error.value)
    assert sentence in message
    assert str(path) in message
    assert "\n" not in message
    assert message.endswith(".")


def test_missing_file_and_unknown_table():
    with pytest.raises(InputError, match="there is no such file"):
        data.read("nowhere.csv", like="yang2025/throughput")
    with pytest.raises(InputError, match="There is no table 'yang2025/nothing'; 'moelaws data' lists"):
        data.load("yang2025/nothing")


def test_good_table_of_the_readers_own(tmp_path):
    rows = data.read(write(tmp_path, HEAD + ROW), like="yang2025/throughput")
    assert rows.throughput.tolist() == [479.0]
    assert rows.concurrency.dtype == "int64"


def test_table_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "mine.csv"
    data.write(HEAD + ROW, path, like="yang2025/throughput")
    with pytest.raises(InputError, match=r"mine\.csv, row 1 .* column 'throughput'"):
        data.write(HEAD + ROW.replace("479", "0"), path, like="yang2025/throughput")
    assert path.read_text(encoding="utf-8") == HEAD + ROW
    assert list(tmp_path.iterdir()) == [path]


def test_optional_cells_may_be_empty():
    assert pd.isna(data.load("devices/devices").set_index("device").fp8_tflops["A800-80G-PCIe"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "resources: [{name: t, path: ../../secret.csv, schema: {}}]",
            "path '../../secret.csv' leaves the folder 'set'",
        ),
        ("resources: [{name: t, path: /etc/passwd, schema: {}}]", "path '/etc/passwd' leaves the folder 'set'"),
        ("resources: [{name: t, path: link.csv, schema: {}}]", "path 'link.csv' leaves the folder 'set'"),
        ("resources: [{name: t, path: t.csv, schema: ../../schema.yaml}]", "leaves the folder 'data'"),
        ("resources: [{name: t, path: 7}]", "this is no data package ('schema')"),
        ("resources: 7", "this is no data package"),
        ("title: nothing", "this is no data package ('resources')"),
        ("!!python/object/apply:os.system ['id']", "this is no YAML"),
        ("[" * 10_000, "this is no YAML (it is nested too deeply)"),
        ("a: [", "this is no YAML"),
        ("", "this is no data package"),
        ("#" * 2**22 + "#", "the file is larger than 4 MiB"),
    ],
)
def test_descriptions_that_lead_elsewhere_are_refused(text, sentence, tmp_path):
    folder = tmp_path / "data" / "set"
    folder.mkdir(parents=True)
    (tmp_path / "secret.csv").write_text("a\n1\n", encoding="utf-8")
    (folder / "link.csv").symlink_to(tmp_path / "secret.csv")
    (folder / "datapackage.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        _package(folder / "datapackage.yaml")
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_all_claims_have_one_schema():
    assert data.columns("fitting/claims") == data.columns("yang2025/claims")


def test_a_table_is_each_callers_own():
    first = data.load("yang2025/throughput")
    first.loc[0, "throughput"] = -1
    assert data.load("yang2025/throughput").throughput[0] == 479


def test_a_table_that_changed_is_read_again(tmp_path, monkeypatch):
    folder = tmp_path / "data" / "toy"
    folder.mkdir(parents=True)
    package = "name: toy\nresources:\n  - {name: one, path: one.csv, schema: {fields: [{name: x, type: integer}]}}\n"
    (folder / "datapackage.yaml").write_text(package, encoding="utf-8")
    monkeypatch.setattr(book, "ROOT", tmp_path)
    for value in (1, 2):
        (folder / "one.csv").write_text(f"x\n{value}\n", encoding="utf-8")
        os.utime(folder / "one.csv", (value, value))
        assert data.load("toy/one").x.tolist() == [value]
