"""Which runs a chapter holds out, which laws it compares, and what its files hold."""

import json
import shutil
from hashlib import sha256
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from moelaws.cli.main import main
from moelaws.errors import InputError
from moelaws.fork import chapter
from moelaws.laws import find
from moelaws.models import huggingface
from moelaws.paths import ROOT
from moelaws.serving import measured

EXAMPLES = ROOT / "data" / "examples"
GRID = pd.DataFrame(
    [(n, d, 6 * n * d, 1.7 + 400 / n**0.3 + 900 / d**0.35) for n in 1e7 * 2.0 ** np.arange(6) for d in (1e9, 2e9, 4e9)],
    columns=["n_active", "n_tokens", "flops", "loss"],
)


def run(*arguments):
    return CliRunner().invoke(main, [str(one) for one in arguments])


# Which runs are held out


@pytest.mark.parametrize(
    ("law", "columns", "condition"),
    [
        # Ten budgets of one run each: two are a fifth, and the edge lies half-way, in logarithms, below them.
        ("dense", {"flops": 10.0 ** np.arange(18, 28)}, "flops > 3.16e+25"),
        ("dense", {"n_active": 10.0 ** np.arange(5, 15), "n_tokens": 1e9}, "n_active * n_tokens > 3.16e+21"),
        # A budget that some rows lack is none; one that is a text is, too.
        (
            "dense",
            {"flops": [np.nan, *10.0 ** np.arange(1, 10)], "n_active": 10.0 ** np.arange(5, 15), "n_tokens": 1e9},
            "n_active * n_tokens > 3.16e+21",
        ),
        ("yun2024", {"n_dense": 10.0 ** np.arange(5, 15), "n_tokens": 1e9}, "n_dense * n_tokens > 3.16e+21"),
        # Without tokens the size stands alone, and the first column of the law where it has no size.
        ("clark2022", {"n_active": 10.0 ** np.arange(5, 15)}, "n_active > 3.16e+12"),
        ("tian2025", {"activation_ratio": 10.0 ** np.arange(-10, 0)}, "activation_ratio > 0.00316"),
        # Budgets a per cent apart are one: six of ten rows are the largest, and then none is nearer to a fifth.
        ("dense", {"flops": [1e18] * 4 + [1e20, 1.01e20, 0.99e20, 1e20, 1e20, 1e20]}, "flops > 1e+19"),
    ],
)
def test_a_fifth_of_the_runs_is_held_out(law, columns, condition):
    assert chapter.region(pd.DataFrame(columns), find(law)) == condition


def test_runs_of_one_budget_have_no_largest():
    rows = pd.DataFrame({"n_active": [1e8, 1e8], "n_tokens": [1e9, 1e9]})
    sentence = "All rows have the same n_active * n_tokens, so that none are the largest; --holdout EXPR is expected."
    with pytest.raises(InputError) as error:
        chapter.region(rows, find("dense"))
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("loads", "condition"),
    [
        ([1, 4, 16], "concurrency > 8"),
        ([1, 2, 4, 8, 16, 32, 64, 128, 256, 512], "concurrency > 181"),
        ([1, 4, 4, 4, 4, 4, 16, 16], "concurrency > 8"),
        # The lightest load is never held out, be it most of the rows.
        ([1, 4, 16, 16, 16, 16, 16], "concurrency > 8"),
    ],
)
def test_the_highest_loads_are_held_out(loads, condition):
    assert chapter.heaviest(pd.DataFrame({"concurrency": loads})) == condition


def test_two_loads_are_too_few():
    with pytest.raises(InputError, match=r"^The table has 2 loads; at least 3 are expected, of which the highest is"):
        chapter.heaviest(pd.DataFrame({"concurrency": [1, 1, 2]}))


# Which laws are compared


@pytest.fixture
def chosen(monkeypatch):
    """Return a function that plans without fitting, and gives what would be compared as well."""
    monkeypatch.setattr(chapter, "compare", lambda *arguments, progress: arguments)
    return lambda rows, law, holdout=None: chapter.plan(rows, find(law), holdout)


def test_what_is_compared_and_why_the_others_are_not(chosen):
    """Three of eighteen runs are a sixth, six a third; three have 3.84e18 FLOP or more, and the next 1.92e18.

    The logarithms of these are 18.58 and 18.28, and 18.43 that of 2.69e18.
    """
    plan, (laws, rows, train, along) = chosen(GRID, "dense")
    assert (plan.law, plan.laws[0], plan.along) == ("dense", "dense", "n_active")
    assert {"dense_tied", "frontier"} <= set(plan.laws)
    assert (laws, along) == (list(plan.laws), "n_active")
    assert rows is GRID
    assert (plan.holdout, train.sum()) == ("flops > 2.69e+18", 15)
    assert GRID.flops[~train].min() > 2.69e18 > GRID.flops[train].max()
    assert plan.left_out["yun2024"] == "n_dense (no such column)"
    assert plan.left_out["wang2024"] == "n_routed (no such column)"
    assert "tian2025" not in plan.left_out  # it is of leverage, and not of loss
    assert "dense" not in plan.left_out


def test_a_column_of_one_value_tells_nothing_of_a_law(chosen):
    plan, _ = chosen(GRID.assign(n_routed=8), "dense")
    assert plan.left_out["wang2024"] == "n_routed (one value)"


@pytest.mark.parametrize(("fewest", "fitted"), [(5, 7), (6, 8)])
def test_a_law_of_as_many_parameters_as_runs_is_left_out(fewest, fitted, chosen):
    """One run of each size: the last two of those fitted are predicted, the first of them from all before it."""
    sizes = 1e7 * 2.0 ** np.arange(fitted + 1)
    rows = pd.DataFrame({"n_active": sizes, "n_tokens": sizes**0.9, "loss": 3.0, "flops": 6 * sizes**1.9})
    plan, _ = chosen(rows, "frontier", f"n_active > {sizes[-2]}")
    assert plan.left_out.get("dense") == ("5 parameters for 5 runs" if fewest == 5 else None)


def test_the_runs_are_parts_of_eight(chosen):
    """Of 24 sizes, the last two eighths are predicted, so that 18 sizes, of two runs each, come before them."""
    sizes = np.repeat(1e7 * 2.0 ** np.arange(25), 2)
    rows = pd.DataFrame({"n_active": sizes, "n_tokens": sizes * np.tile([1, 2], 25), "loss": 3.0})
    plan, _ = chosen(rows, "dense", f"n_active > {sizes[-3]}")
    assert plan.along == "n_active"
    assert not any("runs" in why for why in plan.left_out.values())


def test_laws_that_cannot_be_compared():
    rows = pd.DataFrame({"flops": 1e18 * 2.0 ** np.arange(9), "loss": 3.0})
    with pytest.raises(InputError) as error:
        chapter.plan(rows, find("frontier"), "flops > 2e20")
    assert str(error.value).startswith("No second law can be compared with frontier on these columns: ")
    assert "; dense lacks n_active (no such column); " in str(error.value)


def test_a_law_needs_sizes_to_be_tested_on():
    rows = GRID[(GRID.n_active < 4e7) & (GRID.n_tokens < 3e9)]
    with pytest.raises(InputError) as error:
        chapter.plan(rows, find("dense"), "n_active > 1.5e7 and n_tokens > 1.5e9")
    assert str(error.value) == (
        "No column of the law has more than 3 different values in the rows that are fitted (n_active 2, n_tokens 2); "
        "a law cannot be tested on larger runs than it was fitted to."
    )


# What is written


@pytest.fixture
def book(tmp_path, monkeypatch):
    """Return the folders and files that a new chapter needs."""
    for name in ("data", "chapters", "book"):
        (tmp_path / name).mkdir()
    shutil.copy(ROOT / "book/references.bib", tmp_path / "book")
    contents = (
        "parts:\n  - chapters:\n      - file: chapters/06-last.ipynb\n      - file: chapters/05-b.ipynb\n  - z: 1\n"
    )
    (tmp_path / "_toc.yml").write_text(contents, encoding="utf-8")
    monkeypatch.setattr(chapter, "ROOT", tmp_path)
    return tmp_path


def test_what_a_chapter_describes(book):
    rows = pd.DataFrame(
        {
            "n_active": [1e8, 1e9], "n_routed": [8, np.nan], "loss": [3.0, 2.5], "loss_set": ["C4"] * 2,
            "tokens_in": [1, 2], "good": [True, False], "name": ["ä", "b"],
        }, index=[5, 7]
    )  # fmt: skip
    plan = chapter.Plan("dense", ("dense", "frontier"), "flops > 1e19", "n_active", {"a": "b (c)", "d": "e"})
    words = chapter.words_of_runs("our-runs", plan, "Ours")
    assert chapter.write("our-runs", rows, words) == [book / "data/our-runs", book / "chapters/00-our-runs.md"]
    folder = book / "data/our-runs"
    assert {path.name for path in folder.iterdir()} == {
        "README.md", "claims.csv.stub", "claims.py.stub", "datapackage.yaml", "runs.csv"
    }  # fmt: skip
    assert (folder / "runs.csv").read_text(encoding="utf-8").startswith("n_active,n_routed,loss,loss_set,")
    package = yaml.safe_load((folder / "datapackage.yaml").read_text(encoding="utf-8"))
    (resource,) = package["resources"]
    assert (package["name"], package["title"], resource["name"], resource["title"], resource["path"]) == (
        "our-runs", "Ours", "runs", "2 runs", "runs.csv"
    )  # fmt: skip
    assert package["licenses"] == [{"name": "other-closed", "title": "not stated yet"}]
    assert package["sources"] == [{"title": "our own runs"}]
    assert resource["hash"] == f"sha256:{sha256((folder / 'runs.csv').read_bytes()).hexdigest()}"
    positive = {"required": True, "exclusiveMinimum": 0}
    assert resource["schema"]["fields"] == [
        {"name": "n_active", "type": "number", "unit": "parameters", "description": "parameters used for one token",
         "constraints": positive},
        {"name": "n_routed", "type": "number", "unit": "experts",
         "description": "routed experts in a layer, 1 for a dense model"},
        {"name": "loss", "type": "number", "unit": "nats/token", "description": "loss at the end of the run",
         "constraints": positive},
        {"name": "loss_set", "type": "string", "description": "how loss was counted or measured"},
        {"name": "tokens_in", "type": "number", "unit": "tokens", "description": "tokens of a prompt"},
        {"name": "good", "type": "string", "description": "as in our own table; read by no law"},
        {"name": "name", "type": "string", "description": "as in our own table; read by no law"},
    ]  # fmt: skip
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "| `n_active` | parameters | parameters used for one token |\n| `n_routed` | experts |" in readme
    assert "| `name` |  | as in our own table; read by no law |" in readme
    contents = (book / "_toc.yml").read_text(encoding="utf-8").split("\n")
    assert contents[3:6] == [
        "      - file: chapters/05-b.ipynb", "      - file: chapters/00-our-runs.ipynb", "  - z: 1"
    ]  # fmt: skip
    assert chapter.listed("our-runs") == "- file: chapters/00-our-runs.ipynb"
    assert chapter.listed("others") == ""
    assert chapter.files("our-runs") == [folder, book / "chapters/00-our-runs.md"]
    with pytest.raises(InputError, match=r"^There is no chapter 'others' that 'moelaws new-chapter' made\.$"):
        chapter.files("others")


def test_words_of_a_chapter(book):
    plan = chapter.Plan("dense", ("dense", "frontier"), "flops > 1e19", "n_active", {"a": "b (c)", "d": "e"})
    words = chapter.words_of_runs("our-runs", plan)
    assert words | {"formula": ""} == {
        "title": "Our own runs: our runs", "law": "dense", "laws": '\n    "dense",\n    "frontier",\n',
        "holdout": "flops > 1e19", "along": "n_active", "formula": "", "cite": "hoffmann2022", "more": "",
        "left_out": "Not compared are `a` for b (c); `d` for e.",
    }  # fmt: skip
    assert words["formula"].startswith("loss = E +")
    many = next(law for law in map(find, ("ludziejewski2025", "abnar2025", "yun2024")) if len(law.parameters) > 8)
    others = chapter.words_of_runs("our-runs", chapter.Plan(many.name, (), "", "", {}))
    assert "page.beside(found).iloc[8:]" in others["more"]
    assert others["left_out"] == ""


@pytest.mark.parametrize(
    ("law", "key"), [("dense", "hoffmann2022"), ("yun2024", "yun2024"), ("abnar2025", "abnar2025")]
)
def test_the_paper_of_a_law_is_cited(law, key):
    assert chapter.citation(find(law)) == key


def test_a_folder_that_cannot_be_written(book, monkeypatch):
    monkeypatch.setattr(chapter.os, "access", lambda path, mode: path != book / "chapters" or mode != chapter.os.W_OK)
    with pytest.raises(InputError, match=r"chapters: the folder cannot be written\.$"):
        chapter.free("mine")
    assert "-" not in str([path.name for path in (book / "data").iterdir()])


def test_the_longest_name(book):
    chapter.free("x" * 40)
    with pytest.raises(InputError, match=r"^'x{41}' is no name of a chapter"):
        chapter.free("x" * 41)


def test_pages_are_counted_on(book):
    (book / "chapters/07-old.md").touch()
    (book / "chapters/09-older.md").touch()
    plan = chapter.Plan("dense", ("dense", "frontier"), "flops > 1e19", "n_active", {})
    written = chapter.write("mine", GRID, chapter.words_of_runs("mine", plan), config=b"{}")
    assert written[1].name == "10-mine.md"
    assert (book / "data/mine/config.json").read_bytes() == b"{}"


# The command


def test_a_chapter_on_a_server(book):
    table, config = EXAMPLES / "serving.csv", EXAMPLES / "config.json"
    options = ("--table", table, "--law", "step_time", "--config", config)
    result = run("new-chapter", "our-server", *options, "--json")
    report = json.loads(result.stdout)
    loads = pd.read_csv(table).concurrency
    assert report["written"] == ["data/our-server", "chapters/00-our-server.md"]
    assert report["rows"] == len(loads)
    assert (report["law"], report["left_out"], report["warnings"]) == ("step_time", {}, [])
    assert report["laws"][0] == "all four terms"
    assert len(report["laws"]) == 4
    kept = pd.read_csv(book / "data/our-server/runs.csv")
    assert "throughput_total" not in kept
    # Of the table: 295 tokens per second of input and output together.
    assert (kept.throughput[0], kept.concurrency.tolist()) == (295.0, loads.tolist())
    assert (book / "data/our-server/config.json").read_bytes() == config.read_bytes()
    page = (book / "chapters/00-our-server.md").read_text(encoding="utf-8")
    assert "weight_bytes=2, cache_bytes=2)" in page  # the configuration says bfloat16
    assert f'ml.data.where(rows, "{report["holdout"]}")' in page
    assert "# Our own runs: our server" in page


def test_a_chapter_on_output_tokens_of_another_folder(book, tmp_path):
    rows = pd.read_csv(EXAMPLES / "serving.csv").rename(columns={"throughput_total": "throughput"})
    rows.to_csv(tmp_path / "loads.csv", index=False)
    options = ("--law", "step_time", "--config", EXAMPLES, "--counts", "output", "--holdout", "concurrency > 50")
    result = run("new-chapter", "ours", "--table", tmp_path / "loads.csv", *options, "--title", "Load")
    assert result.exit_code == 0
    kept = pd.read_csv(book / "data/ours/runs.csv")
    assert kept.throughput[0] == pytest.approx(295.0 * (1024 + 256) / 256)
    assert result.output.splitlines() == [
        f"{len(rows)} rows, of which those with concurrency > 50 are held out; 4 laws",
        "written: data/ours, chapters/00-ours.md and a line in _toc.yml; next: make book",
    ]
    assert "# Load\n" in (book / "chapters/00-ours.md").read_text(encoding="utf-8")
    law = measured.law_of(huggingface.model(EXAMPLES))
    assert (law.weight_bytes, law.cache_bytes) == (2, 2)


def test_rows_of_a_chapter_are_chosen(book, tmp_path, monkeypatch):
    found = SimpleNamespace(choice="frontier", fits={"frontier": SimpleNamespace(warnings=("It is flat.",))})
    monkeypatch.setattr(chapter, "compare", lambda *_, progress: found)
    sizes = 1e7 * 2.0 ** np.arange(9)
    rows = {"n_active": sizes, "n_tokens": 20 * sizes, "flops": 120 * sizes**2, "loss": 2 + sizes**-0.1}
    ends = pd.DataFrame(rows).assign(run=range(9), part="a", n_routed=1)
    on_the_way = ends.assign(n_tokens=ends.n_tokens / 2, loss=9.0)
    others = ends.assign(part="b", run=ends.run + 9)
    pd.concat([on_the_way, ends, others]).to_csv(tmp_path / "r.csv", index=False)
    options = ("--law", "frontier", "--where", "part == 'a'", "--final", "--holdout", "n_active > 2e9")
    result = run("new-chapter", "ours", "--table", tmp_path / "r.csv", *options)
    assert result.exit_code == 0, result.output
    assert "It is flat." in result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith("9 rows, of which those with n_active > 2e9 are held out; ")
    assert "    not wang2024: n_routed (one value)" in lines
    assert pd.read_csv(book / "data/ours/runs.csv").loss.max() < 9
    listed = run("new-chapter", "ours", "--list").output.splitlines()
    assert listed == [
        "data/ours", "chapters/00-ours.md", "_toc.yml: the line '- file: chapters/00-ours.ipynb'"
    ]  # fmt: skip


@pytest.mark.parametrize(("title", "taken"), [("x" * 80, True), ("x" * 81, False), ("  ", False), ("a\tb", False)])
def test_titles(title, taken, book):
    options = ("--table", EXAMPLES / "serving.csv", "--law", "step_time", "--config", EXAMPLES, "--title", title)
    result = run("new-chapter", "ours", *options)
    assert result.exit_code == (0 if taken else 2)
    assert ("a title of one line is expected" in result.output) != taken
