"""From a reader's table to a page: mapping files, all problems at once, a chapter written whole or not at all."""

import ast
import json
import re
import shutil
import threading
from html import escape
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from moelaws.cli.main import main
from moelaws.data import mapping, table
from moelaws.errors import InputError
from moelaws.fork import chapter, tables
from moelaws.laws import find
from moelaws.paths import ROOT

EXAMPLES = ROOT / "data" / "examples"


def run(*arguments, **options):
    return CliRunner().invoke(main, [str(one) for one in arguments], **options)


def written(tmp_path, text, name="mine.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


# Mappings


def test_a_mapping_file_renames_computes_and_converts(tmp_path):
    rows = written(tmp_path, "Na;D;nume;topk;ppl\n1,5B;20;64;4;12,5\n300M;6;1;1;20\n")
    path = written(
        tmp_path,
        "columns: {n_active: Na, n_tokens: D, n_routed: = nume / topk, loss: ppl}\n"
        "units: {n_active: suffix, n_tokens: billion, loss: perplexity}\n"
        "conventions: {loss_set: C4}\ndecimal: ','\n",
        "map.yaml",
    )
    read = table.read(rows, ["n_active", "n_tokens", "n_routed", "loss"], mapping.read(path))
    assert read.n_active.tolist() == [1.5e9, 3e8]
    assert read.n_tokens.tolist() == [20e9, 6e9]
    assert read.n_routed.tolist() == [16, 1]
    assert np.exp(read.loss).tolist() == pytest.approx([12.5, 20])
    assert set(read.loss_set) == {"C4"}
    assert set(read.loss_unit) == {"nats/token"}


def test_a_column_that_no_law_needed_is_numbers_too(tmp_path):
    rows = written(tmp_path, "N,budget,loss\n1e8,1e18,3\n1e9,1e20,2\n")
    read = table.read(rows, ["n_active"], mapping.Mapping(columns={"n_active": "N", "flops": "budget"}))
    assert (read.flops > 1e19).tolist() == [False, True]


def test_bits_become_nats(tmp_path):
    rows = written(tmp_path, "loss\n1\n3\n")
    read = table.read(rows, ["loss"], mapping.Mapping(units={"loss": "bits/token"}))
    assert (2 ** np.array([1.0, 3.0])).tolist() == pytest.approx(np.exp(read.loss).tolist())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("columns: 7", "this is no mapping (columns:"),
        ("colums: {}", "this is no mapping (colums: extra inputs are not permitted)"),
        ("units: {loss: joule}", "'loss' has the unit 'joule'"),
        ("units: {n_tokens: perplexity}", "'n_tokens' has the unit 'perplexity'"),
        ("units: {n_tokens: 0}", "'n_tokens' has the unit 0; a positive number"),
        ("conventions: {loss: x}", "'loss' is no convention"),
        ("columns: {n_active: = __import__('os').getcwd()}", "has no column '__import__'"),
        ("columns: {n_active: = n_tokens ** 2}", "cannot be read"),
        ("columns: {n_active: nothing}", "has no column 'nothing'"),
        ("!!python/object/apply:os.system ['id']", "this is no YAML"),
        ("rows: loss >", "cannot be read"),
    ],
)
def test_a_mapping_that_is_none(text, sentence, tmp_path):
    result = run("data", "check", EXAMPLES / "runs.csv", "--mapping", written(tmp_path, text, "m.yaml"), "--json")
    assert result.exit_code == 2
    assert sentence in result.output.replace('\\"', '"')


@pytest.mark.parametrize("unit", ["billion", "1e9", "1.0e+9", "1000000000"])
def test_a_unit_is_a_word_or_a_number(unit, tmp_path):
    rows = written(tmp_path, "n_tokens\n20\n")
    path = written(tmp_path, f"units: {{n_tokens: {unit}}}\n", "map.yaml")
    assert table.read(rows, ["n_tokens"], mapping.read(path)).n_tokens.tolist() == [20e9]


def test_laws_and_curves_of_a_table_with_other_names(tmp_path):
    given = pd.read_csv(EXAMPLES / "isoflop.csv")
    rows = tmp_path / "mine.csv"
    renamed = given.assign(n_active=given.n_active / 1e6, loss=np.exp(given.loss))
    renamed.rename(columns={"n_active": "M", "n_tokens": "T", "flops": "C", "loss": "ppl"}).to_csv(rows, index=False)
    path = written(
        tmp_path,
        "columns: {n_active: M, n_tokens: T, flops: C, loss: ppl}\nunits: {n_active: million, loss: perplexity}\n",
        "map.yaml",
    )

    def allowed(*options):
        return [law["name"] for law in json.loads(run("laws", *options, "--json").stdout) if not law["missing"]]

    assert allowed("--table", rows) == []
    assert allowed("--table", rows, "--mapping", path) == allowed("--table", EXAMPLES / "isoflop.csv")
    plain = json.loads(run("isoflop", EXAMPLES / "isoflop.csv", "--flops", "1e21", "--json").stdout)
    found = json.loads(run("isoflop", rows, "--mapping", path, "--flops", "1e21", "--json").stdout)
    assert found["at"]["size"] == pytest.approx(plain["at"]["size"])


def test_points_need_only_what_the_law_reads(tmp_path):
    given = pd.read_csv(EXAMPLES / "candidates.csv")
    renamed = given.assign(n_tokens=given.n_tokens / 1e9).rename(columns={"n_tokens": "D", "n_active": "N"})
    renamed.to_csv(tmp_path / "mine.csv", index=False)
    path = written(
        tmp_path,
        "columns: {n_active: N, n_tokens: D, loss: ppl}\n"
        "units: {n_tokens: billion, loss: perplexity}\n"
        "rows: set == 1\n",
        "map.yaml",
    )
    fitted = tmp_path / "kept"
    assert run("fit", EXAMPLES / "runs.csv", "--law", "wang2024", "--out", fitted).exit_code == 0
    tables = ((EXAMPLES / "candidates.csv",), (tmp_path / "mine.csv", "--mapping", path))
    asked = {
        "predictions": ("predict", fitted),
        "runs": ("suggest", "--fit", fitted, "--flops", "1e20", "--parameter", "gamma"),
    }
    for answer, question in asked.items():
        plain, mapped = (json.loads(run(*question, *table, "--json").stdout)[answer] for table in tables)
        assert plain
        for one, other in zip(plain, mapped, strict=True):
            assert other == pytest.approx(one)


def test_columns_that_an_architecture_gives(tmp_path):
    shutil.copy(EXAMPLES / "config.json", tmp_path)
    rows = written(tmp_path, "config,n_tokens,loss\nconfig.json,1e12,2.0\nconfig.json,2e12,1.9\n")
    read = tables.read(rows, ["n_active", "n_total", "n_tokens"])
    assert read.n_total.tolist() == [46_702_792_704] * 2  # Mixtral 8x7B, as its weights have it
    assert read[["n_routed", "top_k"]].to_numpy().tolist() == [[8, 2]] * 2
    outside = written(tmp_path, "config,n_tokens,loss\n../config.json,1e12,2.0\n", "other.csv")
    with pytest.raises(InputError, match=r"leaves the folder"):
        tables.read(outside, ["n_active"])


def test_a_config_for_all_rows_that_cannot_be_read_is_named_and_no_column(tmp_path):
    rows = written(tmp_path, "n_tokens,loss\n1e12,2.0\n")
    gone = tmp_path / "gone.json"
    with pytest.raises(InputError) as error:
        tables.read(rows, ["n_active"], config=str(gone))
    assert str(error.value).startswith(f"{gone}")
    assert "column" not in str(error.value)


# Every problem at once


def test_all_problems_are_said_by_row_and_column(tmp_path):
    rows = written(
        tmp_path,
        "n_active,n_tokens,n_routed,top_k,loss,loss_unit\n1e8,2B,8,9,3.1,nats/token\n,1e9,8,1,25,bits/token\n1e9,1e10,8,1,x,nats/token\n",
    )
    result = run("data", "check", rows, "--json")
    assert result.exit_code == 2
    report = json.loads(result.stdout)
    for sentence in (
        "row 1, column 'n_tokens': '2B'",
        "row 2, column 'n_active': an empty cell",
        "row 3, column 'loss': 'x'",
        "Row 1, column 'top_k': 9 is found; at most the 8",
        "Row 2, column 'loss': 25 is found",
        "Column 'loss_unit' has the values nats/token, bits/token",
    ):
        assert any(sentence in said for said in report["problems"]), sentence
    assert report["missing"]["abnar2025"]["activation_ratio"].startswith("no such column; --map")
    assert report["missing"]["abnar2025"]["n_total"] == "no such column"


def test_a_good_table_has_no_problem():
    result = run("data", "check", EXAMPLES / "runs.csv", "--json")
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert report["problems"] == []
    assert {"dense", "wang2024", "clark2022"} <= set(report["allowed"])
    text = run("data", "check", EXAMPLES / "runs.csv").stdout
    assert "45 rows" in text
    assert "tian2025 needs" in text


def test_problems_of_a_long_table_are_counted(tmp_path):
    rows = written(tmp_path, "n_active,loss\n" + "x,2.5\n" * 1000)
    problems = json.loads(run("data", "check", rows, "--json").stdout)["problems"]
    assert len(problems) == tables.SHOWN + 1
    assert problems[-1] == f"{1000 - tables.SHOWN} more cells like the last one."


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("tokens", "n_tokens"),
        ("Na", "n_active"),
        ("paloma_macro_loss", "loss"),
        ("num_experts", "n_routed"),
        ("budget_flops", "flops"),
    ],
)
def test_what_others_call_a_column_is_hinted_at(header, column, tmp_path):
    warnings = json.loads(run("data", "check", written(tmp_path, f"{header},x\n1e9,1\n"), "--json").stdout)["warnings"]
    assert any(f'--map "{column}={header}"' in said for said in warnings)


def test_one_column_is_hinted_at_once(tmp_path):
    """Both sizes are called 'params' by others; after the first is found, the second has none left."""
    warnings = json.loads(run("data", "check", written(tmp_path, "params,x\n1e9,1\n"), "--json").stdout)["warnings"]
    assert [said.split("--map ")[1] for said in warnings if "=params" in said] == ['"n_active=params")?']


# Chapters


@pytest.fixture
def book(tmp_path, monkeypatch):
    """Return a copy of what of the book a new chapter touches."""
    root = tmp_path / "book"
    for name in ("data/examples", "chapters", "book"):
        (root / name).mkdir(parents=True)
    for name in ("_toc.yml", "book/references.bib", "data/examples/runs.csv", "data/examples/serving.csv"):
        shutil.copy(ROOT / name, root / name)
    (root / "chapters" / "06-last.md").touch()
    monkeypatch.setattr(chapter, "ROOT", root)
    return root


@pytest.fixture
def unfitted(monkeypatch):
    """Let chapters be planned without the fits, which take most of the time and are not what is tested."""
    fits = {"dense": SimpleNamespace(warnings=())}
    monkeypatch.setattr(chapter, "compare", lambda *_, **__: SimpleNamespace(choice="dense", fits=fits))


def state(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


# Dense runs, of which few laws are to be compared.
NEW = ("new-chapter", "our-sweep", "--table", EXAMPLES / "isoflop.csv", "--law", "dense", "--json")


def test_a_chapter_is_written_listed_and_removed(book):
    before = state(book)
    report = json.loads(run(*NEW).stdout)
    assert report["written"] == ["data/our-sweep", "chapters/07-our-sweep.md"]
    assert {"dense", "dense_tied", "frontier"} <= set(report["laws"])
    assert report["left_out"]["yun2024"].startswith("n_dense")
    page = (book / "chapters" / "07-our-sweep.md").read_text(encoding="utf-8")
    assert "@" not in page.replace("@font", "")
    assert (pd.read_csv(book / "data/our-sweep/runs.csv") == pd.read_csv(EXAMPLES / "isoflop.csv")).all(axis=None)
    assert (book / "_toc.yml").read_text(encoding="utf-8").count("- file: chapters/07-our-sweep.ipynb") == 1
    for made in ("chapters/07-our-sweep.ipynb", "book/teach/student/07-our-sweep.ipynb"):  # what make book adds
        (book / made).parent.mkdir(parents=True, exist_ok=True)
        (book / made).touch()
    listed = json.loads(run("new-chapter", "our-sweep", "--list", "--json").stdout)
    for path in listed["delete"]:
        target = book / path
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    contents = (book / "_toc.yml").read_text(encoding="utf-8").split("\n")
    (book / "_toc.yml").write_text("\n".join(line for line in contents if line.strip() != listed["line"]), "utf-8")
    assert state(book) == before


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/x", "..", "a/b", "Our", "a_b", "a--b", "", "a\0b", "x" * 41, "~", "a b", "ä"]
)
def test_names_that_are_none(name, book):
    before = state(book)
    result = run("new-chapter", name, "--table", EXAMPLES / "runs.csv", "--law", "wang2024")
    assert result.exit_code == 2
    assert "is no name of a chapter" in result.stderr
    assert state(book) == before


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--table", "nowhere.csv", "--law", "dense"), "there is no such file"),
        (("--table", EXAMPLES / "runs.csv", "--law", "nothing"), "There is no law 'nothing'"),
        (("--table", EXAMPLES / "runs.csv"), "Option --law is missing"),
        (("--law", "dense"), "Option --table is missing"),
        (("--table", EXAMPLES / "runs.csv", "--law", "yun2024"), "has no column 'n_dense'"),
        (("--table", EXAMPLES / "runs.csv", "--law", "dense", "--holdout", "exec('x')"), "cannot be read"),
        (("--table", EXAMPLES / "runs.csv", "--law", "dense", "--holdout", "loss > 0"), "holds in all rows"),
        (("--table", EXAMPLES / "runs.csv", "--law", "dense", "--where", "flops > 1e99"), "holds in no row"),
        (("--table", EXAMPLES / "runs.csv", "--law", "dense", "--title", "a\nb"), "a title of one line is expected"),
        (("--table", EXAMPLES / "serving.csv", "--law", "step_time"), "Option --config is missing"),
        (("--table", EXAMPLES / "runs.csv", "--law", "dense", "--title", "{{ 7 * 7 }}"), "a mark such as *"),
        (("--table", EXAMPLES / "runs.csv", "--law", "dense", "--holdout", "x == '`a`'"), "without the mark `"),
        # Another line would be a cell of the page, which the book executes.
        (
            ("--table", EXAMPLES / "runs.csv", "--law", "dense", "--holdout", "loss > 3\n\n~~~{code-cell}\nx\n~~~\n"),
            "one line without",
        ),
        (
            ("--table", EXAMPLES / "runs.csv", "--law", "dense", "--holdout", "loss > 3 # ~~~{code-cell}"),
            "what follows # would not be read",
        ),
        (("--table", EXAMPLES / "serving.csv", "--law", "step_time", "--final"), "--final belongs to laws of training"),
        (("--table", EXAMPLES / "runs.csv", "--law", "dense", "--counts", "total"), "belongs to --law step_time"),
    ],
)
def test_chapters_that_cannot_be(options, sentence, book):
    before = state(book)
    result = run("new-chapter", "mine", *options)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stderr.strip().count("\n") == 0
    assert state(book) == before


def test_a_chapter_takes_no_other_ones_place(book, unfitted):
    assert run(*NEW).exit_code == 0
    after = state(book)
    result = run(*NEW)
    assert result.exit_code == 2
    assert "is taken" in json.loads(result.stderr)["error"]
    assert state(book) == after


def code_of(page):
    return re.findall(r"^```\{code-cell\} ipython3\n(?:---\n.*?^---\n|:tags:.*?\n)?(.*?)^```", page, re.M | re.S)


def test_objections_are_shown_whole(book, monkeypatch):
    rows = pd.read_csv(EXAMPLES / "runs.csv")
    plan = chapter.Plan("dense", ("dense", "dense_tied"), "flops > 4e18", "n_active", {})
    _, page = chapter.write("mine", rows, chapter.words_of_runs("mine", plan))
    monkeypatch.setattr("moelaws.load", lambda name: rows)
    names = {}
    with pd.option_context("display.max_colwidth", 50):
        exec(code_of(page.read_text(encoding="utf-8"))[0], names)  # as written by the package itself
        found, shown = names["found"], names["page"].objections(names["found"])
        assert any("'n_routed'" in sentence for sentence in found.warnings)
        assert all(escape(sentence, quote=False) in shown.to_html() for sentence in found.warnings)
        assert names["page"].findings(names["compared"], "dense")["answer"].endswith(" %.")


def test_no_condition_becomes_code(book):
    evil = """text == '"); raise SystemExit("run") #' or n_active > 3e9"""
    rows = pd.read_csv(EXAMPLES / "isoflop.csv").assign(text="plain")
    plan = chapter.Plan("dense", ("dense", "dense_tied"), evil, "n_active", {})
    folder, page = chapter.write("mine", rows, chapter.words_of_runs("mine", plan))
    cells, stub = (
        code_of(page.read_text(encoding="utf-8")),
        folder.joinpath("claims.py.stub").read_text(encoding="utf-8"),
    )
    for code in ("\n".join(cells), stub):
        calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
        (condition,) = [node.args[1] for node in calls if getattr(node.func, "attr", "") == "where"]
        assert ast.literal_eval(condition) == evil


@pytest.mark.parametrize(
    "options",
    [
        ("--table", EXAMPLES / "isoflop.csv", "--law", "dense"),
        ("--table", EXAMPLES / "serving.csv", "--law", "step_time", "--config", EXAMPLES / "config.json"),
    ],
    ids=["runs", "serving"],
)
def test_the_stub_of_claims_decides_its_statement(options, book, monkeypatch):
    report = json.loads(run("new-chapter", "mine", *options, "--json").stdout)
    folder = book / "data" / "mine"
    rows, held = pd.read_csv(folder / "runs.csv"), report["holdout"]
    monkeypatch.setattr("moelaws.load", lambda name: rows)
    monkeypatch.setattr("moelaws.data.ROOT", book)
    names = {}
    exec((folder / "claims.py.stub").read_text(encoding="utf-8"), names)  # as written by the command itself
    (decide,) = [one for one in names.values() if callable(one) and hasattr(one, "claim")]
    result = decide()
    errors = ast.literal_eval(re.search(r"\{.*\}", result.note)[0])
    if "dense" in options:
        laws = [one for name in report["laws"] for one in ("--law", name)]
        asked = ("--holdout", held, "--along", report["along"], "--json")
        scores = json.loads(run("compare", options[1], *laws, *asked).stdout)["holdout"]
        assert errors == {score["law"]: round(score["rmse"], 4) for score in scores}
    assert list(errors) == report["laws"] or "dense" in options
    assert result.computed == (
        errors[report["law"] if "dense" in options else "all four terms"] == min(errors.values())
    )
    kinds = yaml.safe_load(ROOT.joinpath("data/claims.schema.yaml").read_text(encoding="utf-8"))["fields"]
    row = pd.read_csv(folder / "claims.csv.stub").iloc[0]
    for field in kinds:
        limits = field.get("constraints", {})
        assert not limits.get("required") or pd.notna(row[field["name"]])
        assert "enum" not in limits or row[field["name"]] in limits["enum"]


@pytest.mark.parametrize("broken", ["rename", "replace"])
def test_an_interruption_leaves_nothing(broken, book, unfitted, monkeypatch):
    before, original, calls = state(book), getattr(chapter.Path, broken), []

    def interrupted(self, target):
        calls.append(target)
        if len(calls) == (2 if broken == "rename" else 1):
            raise KeyboardInterrupt
        return original(self, target)

    monkeypatch.setattr(chapter.Path, broken, interrupted)
    assert run(*NEW).exit_code == 2
    assert state(book) == before


def test_two_writers_get_a_number_each(book):
    rows = pd.read_csv(EXAMPLES / "runs.csv")
    plan = chapter.Plan("dense", ("dense", "dense_tied"), "flops > 1e19", "n_active", {})
    writers = [
        threading.Thread(target=chapter.write, args=(name, rows, chapter.words_of_runs(name, plan)))
        for name in ("one", "two", "three")
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    numbers = sorted(path.name[:2] for path in book.glob("chapters/*.md"))
    assert numbers == ["06", "07", "08", "09"]
    contents = (book / "_toc.yml").read_text(encoding="utf-8")
    assert sum(contents.count(f"chapters/07-{name}") for name in ("one", "two", "three")) == 1


def test_the_largest_runs_are_held_out():
    rows = pd.read_csv(EXAMPLES / "runs.csv")
    held = rows.query(chapter.region(rows, find("wang2024")))
    assert held.flops.min() > rows.flops[~rows.index.isin(held.index)].max()
    assert len(held) == 15


def test_without_the_book_there_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(chapter, "ROOT", tmp_path)
    result = run(*NEW)
    assert "came without the book's text" in json.loads(result.stderr)["error"]


# The guide


def widths():
    """Half-widths of intervals over the true value, per cent, by law, parameter, runs and span."""
    table = pd.read_csv(ROOT / "data" / "power" / "power.csv")
    return 100 * table.set_index(["law", "parameter", "runs", "span"]).width


GUIDE = ROOT.joinpath("book", "fork.md").read_text(encoding="utf-8")


def test_the_guides_table_of_widths_is_the_studys():
    (head,) = re.findall(r"^\| half-width of \|(.*)\|$", GUIDE, re.M)
    designs = [tuple(map(int, re.findall(r"\d+", cell))) for cell in head.split("|")]
    rows = re.findall(r"^\| `(\w+)` of `(\w+)` \|(.*)\|$", GUIDE, re.M)
    assert [row[:2] for row in rows] == [("alpha", "dense"), ("E", "dense")]
    for parameter, law, cells in rows:
        assert [cell.strip() for cell in cells.split("|")] == [
            f"{widths()[law, parameter, runs, span]:.0f} %" for runs, span in designs
        ]


def test_what_the_guide_says_of_widths_is_the_studys():
    text = " ".join(GUIDE.split())
    few, wide, many, narrow = map(
        int, re.search(r"(\d+) runs over a factor of ten know .* to (\d+) %, and (\d+) to (\d+) %", text).groups()
    )
    for runs, width in ((few, wide), (many, narrow)):
        assert f"{widths()['wang2024', 'gamma', runs, 10]:.0f}" == str(width)
    ends = re.search(r"Four times as many runs .* by a factor of ([\d.]+) to ([\d.]+)", text).groups()
    gains = [
        width / widths()[law, parameter, 4 * runs, span]
        for (law, parameter, runs, span), width in widths().items()
        if parameter in ("alpha", "beta", "gamma", "E", "tau") and (law, parameter, 4 * runs, span) in widths().index
    ]
    assert (f"{min(gains):.1f}", f"{max(gains):.1f}") == ends
    twelve, eighty = widths()["dense", "alpha", 12, 1000], widths()["dense", "alpha", 80, 10]
    assert twelve < eighty
    assert (
        "Twelve runs over a factor of a thousand in compute know the exponent of size better than eighty over" in text
    )


def test_a_claim_is_computed_before_a_notebook_stores_it(monkeypatch):
    monkeypatch.setattr("moelaws.ledger.claims.stored", lambda paper=None: [])
    (row,) = json.loads(run("claims", "--compute", "yang2025-C26", "--json").stdout)
    assert row["verdict"] == "differs"
    assert "def " in run("claims", "--source", "yang2025-C26").stdout
    result = run("claims", "--compute", "nobody-C01")
    assert result.exit_code == 2
    assert "There is no claim 'nobody-C01'" in result.stderr
