"""What commands print for people, how options are read at their edges, and what is refused, once each."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from moelaws.cli import allocate, fits, output, reading
from moelaws.cli.main import main
from moelaws.data import processor
from moelaws.data.table import read
from moelaws.errors import InputError
from moelaws.fitting import isoflop, optimum, report, saved
from moelaws.laws import find
from moelaws.ledger import functions
from moelaws.paths import ROOT

EXAMPLES = ROOT / "data" / "examples"


def run(*arguments):
    return CliRunner().invoke(main, [str(one) for one in arguments])


def said(*arguments):
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


# Laws


def test_a_law_is_shown_whole():
    assert said("laws", "dense") == [
        "dense: loss = E + A * n_active**-alpha + B * n_tokens**-beta",
        "Columns",
        "    n_active [parameters]: parameters used for one token",
        "    n_tokens [tokens]: training tokens",
        "Parameters",
        "    E [nats/token]: irreducible loss",
        "    A [nats/token]: size term at one parameter",
        "    B [nats/token]: data term at one token",
        "    alpha [1]: exponent of size",
        "    beta [1]: exponent of data",
        "Predicts loss [nats/token]: loss at the end of the run",
        "Source: Hoffmann et al., arXiv:2203.15556 (2022), Eq. 2",
    ]


def test_all_laws_are_listed_in_two_lines_each():
    lines = said("laws")
    at = lines.index("kaplan2020: loss = (A * n_active**(-alpha_N/alpha_D) + D_c / n_tokens)**alpha_D")
    assert lines[at + 1] == "    reads n_active, n_tokens; Kaplan et al., arXiv:2001.08361 (2020), Eq. 1.5"
    assert not lines[at + 2].startswith(" ")


def test_what_a_table_allows(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("n_active,loss\n1e8,3\n1e9,\n", encoding="utf-8")
    lines = said("laws", "--table", path)
    assert "dense: needs n_tokens (no such column); loss (1 of 2 rows without a positive number)" in lines
    (one,) = [line for line in said("laws", "dense", "--table", path) if "needs" in line]
    assert one == "dense: needs n_tokens (no such column); loss (1 of 2 rows without a positive number)"
    assert said("laws", "frontier", "--table", EXAMPLES / "isoflop.csv")[-1] == "frontier: allowed"
    (report,) = json.loads(run("laws", "frontier", "--json").stdout)
    assert "missing" not in report
    assert report["response"] == {"name": "loss", "meaning": "loss at the end of the run", "unit": "nats/token"}
    assert report["columns"] == [{"name": "flops", "meaning": "training compute", "unit": "FLOP"}]
    assert report["parameters"][0].keys() == {"name", "meaning", "unit", "low", "high"}


# Profiles of equal compute


def test_profiles_as_text(monkeypatch):
    found = isoflop.profiles(read(EXAMPLES / "isoflop.csv", ["n_active", "loss"]))
    monkeypatch.setattr(isoflop, "profiles", lambda *_: found)  # once is enough
    lines = said("isoflop", EXAMPLES / "isoflop.csv", "--flops", "1e21")
    report = json.loads(run("isoflop", EXAMPLES / "isoflop.csv", "--flops", "1e21", "--json").stdout)
    size, at = report["laws"]["size"], report["at"]["n_tokens"]
    ends = f"({size['low']:.3f} to {size['high']:.3f})"
    assert lines[0].split() == ["flops", "rows", "sizes", "size", "low", "high", "n_tokens", "loss", "place"]
    assert f"best size = {size['coefficient']:.4g} flops^{size['exponent']:.3f} {ends}" in lines
    assert f"at 1e+21 FLOP: n_tokens {at['value']:.4g} ({at['low']:.4g} to {at['high']:.4g})" in lines
    assert len(lines) == 1 + 5 + 4
    assert report["laws"].keys() == report["at"].keys() == {"size", "n_tokens"}


@pytest.fixture
def two_budgets(tmp_path):
    """Return a table of two budgets with exact parabolas in the logarithm of size, best at 1e8 and 1e9."""
    sizes = np.geomspace(0.2, 5, 5)
    rows = [(c, best * s, 2 + 0.1 * math.log(s) ** 2) for c, best in ((6e18, 1e8), (6e20, 1e9)) for s in sizes]
    path = tmp_path / "two.csv"
    pd.DataFrame(rows, columns=["flops", "n_active", "loss"]).to_csv(path, index=False)
    return path


def test_two_budgets_make_no_power_law(two_budgets):
    report = json.loads(run("isoflop", two_budgets, "--json").stdout)
    assert [row["size"] for row in report["minima"]] == pytest.approx([1e8, 1e9])
    assert report["laws"] == report["at"] == {}
    result = run("isoflop", two_budgets, "--flops", "1e21")
    assert result.exit_code == 2
    assert result.stderr == (
        f"Error: {two_budgets}: 2 budgets have a minimum among their sizes; --flops needs three or more.\n"
    )


# Claims


def test_claims_are_computed_and_their_source_printed(monkeypatch):
    monkeypatch.setattr(functions, "source", lambda one: f"source of {one}")
    assert said("claims", "yang2025-C26", "yang2025-C40", "--source") == [
        "source of yang2025-C26", "source of yang2025-C40"
    ]  # fmt: skip

    stored = json.loads(run("claims", "yang2025-C26", "--json").stdout)[0]
    monkeypatch.setattr("moelaws.cli.claims.asdict", lambda found: stored | {"computed": 12345.6, "note": "Now."})
    monkeypatch.setattr(functions, "compute", lambda one: one)
    assert said("claims", "yang2025-C26", "--compute") == [
        f"yang2025-C26  differs {stored['place']}: {stored['statement']}",
        "    printed 45.6 percent, computed 12,346",
        "    Now.",
        "1 claims: 0 agrees, 0 close, 1 differs, 0 cannot",
    ]


# Tables


def test_a_table_is_described(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("flops,loss,granularity,colour,mine\n1e18,3,2,a,b\n-1,2,2,a,c\n", encoding="utf-8")
    result = run("data", "check", path)
    assert result.exit_code == 2
    lines = result.stdout.splitlines()
    assert lines[:2] == [
        f"{path}: 2 rows; columns that laws read: flops [FLOP], granularity, loss [nats/token]",
        "    and others: colour, mine",
    ]
    assert any(line.startswith("Problem: ") and "row 2, column 'flops'" in line for line in lines)
    assert any(line.startswith("Laws: ") for line in lines)
    assert "    dense needs n_active (no such column); n_tokens (no such column)" in lines


def test_a_table_without_a_law(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("colour\na\n", encoding="utf-8")
    lines = said("data", "check", path)
    assert lines[0] == f"{path}: 1 rows; columns that laws read: none"
    assert "Laws: none yet" in lines


# Options


def test_json_of_numbers_that_are_none(capsys):
    output.echo_json({"a": [1.5, math.inf, (math.nan, "ä")], "b": True})
    assert json.loads(capsys.readouterr().out) == {"a": [1.5, None, [None, "ä"]], "b": True}


def test_lists_that_options_take():
    assert output.numbers_of("1,8, 6.5e1", "--experts") == [1, 8, 65]
    assert output.values_of(["n_active=1e9", " a = 2"], "--at") == {"n_active": 1e9, "a": 2}
    assert output.pairs_of(["a=b=c", " d = = e"], "--map") == {"a": "b=c", "d": "= e"}
    for call, sentence in (
        (lambda: output.numbers_of("1;2", "--x"), "Option --x is '1;2'; numbers separated by commas are expected."),
        (lambda: output.values_of(["a"], "--x"), "Option --x is 'a'; NAME=VALUE is expected, once for each name."),
        (
            lambda: output.pairs_of(["=a"], "--x"),
            "Option --x is '=a'; NAME=VALUE is expected, once for each name.",
        ),
        (lambda: output.pairs_of(["a="], "--x"), "Option --x is 'a='; NAME=VALUE is expected, once"),
        (lambda: output.pairs_of(["a"], "--x"), "Option --x is 'a'; NAME=VALUE is expected, once"),
        (lambda: output.pairs_of(["a=1", "a=2"], "--x"), "Option --x is 'a=2'; NAME=VALUE is expected, once"),
        (
            lambda: output.values_of(["a=" + "x" * 50], "--hold"),
            f"Option --hold has '{'x' * 40}'; a number is expected.",
        ),
        (lambda: output.values_of(["a=inf"], "--hold"), "Option --hold has 'inf'; a number is expected."),
        (lambda: fits._held(find("dense"), ("alpha=-1",)), "Option --hold gives alpha the value -1; "),
    ):
        with pytest.raises(InputError) as error:
            call()
        assert str(error.value).startswith(sentence)


def test_values_that_may_be_held():
    assert fits._held(find("dense"), ("E=0", "alpha=0.5", "other=-3")) == {"E": 0, "alpha": 0.5, "other": -3}


@pytest.mark.parametrize(
    ("kind", "delta", "expected"),
    [("huber", 1e-6, 1e-6), ("huber", 10.0, 10.0), ("huber", None, 1e-3), ("log", None, None)],
)
def test_where_a_loss_bends(kind, delta, expected):
    asked = {"kind": kind, "delta": delta, "space": "log", "above": 1.0, "condition": None, "final": False, "pool": ()}
    options = {"file": None, "rename": (), "unit": (), "decimal": None, "config": None}
    _, loss = fits._read(str(EXAMPLES / "isoflop.csv"), ("flops", "loss"), **asked, **options)
    assert (loss.space, loss.delta, loss.above) == ("log", expected, 1)


@pytest.mark.parametrize(("kind", "delta"), [("huber", 0.99e-6), ("huber", 10.1), ("huber", math.nan), ("log", 0.1)])
def test_bends_that_are_refused(kind, delta):
    result = run("fit", EXAMPLES / "isoflop.csv", "--law", "frontier", "--loss", kind, "--delta", delta)
    sentence = (
        "Option --delta belongs to Huber's loss; --loss huber is expected with it."
        if kind == "log"
        else f"Option --delta is {delta:g}; a positive number is expected, 1e-06 to 10."
    )
    assert (result.exit_code, result.stderr) == (2, f"Error: {sentence}\n")


def test_conventions_that_can_be_left_aside(tmp_path):
    path = tmp_path / "t.csv"
    rows = pd.read_csv(EXAMPLES / "isoflop.csv")
    rows.assign(loss_set=np.where(rows.index % 2, "C4", "Pile"), annealed="yes").to_csv(path, index=False)
    for name, known in (("loss_unit", "loss_set, annealed"), ("n_active", "loss_set, annealed")):
        result = run("fit", path, "--law", "frontier", "--pool", name)
        sentence = f"Option --pool is '{name}'; a convention is expected, of which the table has: {known}."
        assert (result.exit_code, result.stderr) == (2, f"Error: {sentence}\n")
    none = run("fit", EXAMPLES / "isoflop.csv", "--law", "frontier", "--pool", "loss_set")
    assert none.stderr.endswith("of which the table has: none.\n")


@pytest.mark.parametrize(("flops", "warned"), [(5, 5), (2, 2), (3, 0)])
def test_few_rows_that_are_held_out(flops, warned):
    table = pd.DataFrame({"flops": np.arange(1.0, 11)})
    held, objections = fits._held_out(table, f"flops > {10 - min(flops, 3) if warned != 2 else 8}")
    count = int(held.sum())
    expected = [] if count >= 3 else [f"{count} of 10 rows held out: an error that says little of others."]
    assert objections == expected


def test_groups_to_draw_from():
    table = pd.DataFrame({"two": [1, 2, 1, 2], "three": [1, 2, 3, 1], "gaps": [1, 2, 3, None]})
    fits._check_groups(table, None)
    fits._check_groups(table, "elsewhere")
    fits._check_groups(table, "three")
    with pytest.raises(InputError, match=r"^Column 'two' makes 2 groups; --by expects at least 3 to draw from\.$"):
        fits._check_groups(table, "two")
    with pytest.raises(InputError, match=r"^Column 'gaps' has empty cells; --by expects the group of each row\.$"):
        fits._check_groups(table, "gaps")


def test_groups_are_looked_at_before_laws_are_compared():
    asked = ("compare", EXAMPLES / "runs.csv", "--law", "dense", "--law", "wang2024", "--holdout", "n_active > 3e8")
    result = run(*asked, "--along", "n_active", "--by", "n_routed", "--where", "n_routed < 9")
    assert result.exit_code == 2
    assert result.stderr == "Error: Column 'n_routed' makes 2 groups; --by expects at least 3 to draw from.\n"


def test_long_tables_get_no_intervals_unasked(monkeypatch):
    monkeypatch.setattr(report, "PROFILED_ROWS", 39)
    asked = ("fit", EXAMPLES / "isoflop.csv", "--law", "frontier", "--json")
    shown = json.loads(run(*asked).stdout)
    assert shown["intervals"]["kind"] is None
    assert "No intervals for 40 rows unasked; a bootstrap (--bootstrap N) computes them." in shown["warnings"]
    monkeypatch.setattr(report, "PROFILED_ROWS", 40)
    assert json.loads(run(*asked).stdout)["intervals"]["kind"] == "profile"


def test_units_and_marks_of_options():
    made = reading.mapping_of(None, ("n_active=N", "flops==6 * N"), ("n_tokens=1e9", "loss=perplexity"), ",")
    assert made.columns == {"n_active": "N", "flops": "=6 * N"}
    assert made.units == {"n_tokens": 1e9, "loss": "perplexity"}
    assert (made.decimal, made.rows) == (",", None)
    with pytest.raises(InputError, match=r"^Option --unit: 'loss' has the unit 'joule'; "):
        reading.mapping_of(None, (), ("loss=joule",), None)


def test_an_option_stands_above_a_mapping_file(tmp_path):
    path = tmp_path / "m.yaml"
    path.write_text("columns: {n_active: N, loss: L}\ndecimal: ','\n", encoding="utf-8")
    made = reading.mapping_of(str(path), ("n_active=M",), (), ".")
    assert (made.columns, made.decimal) == ({"n_active": "M", "loss": "L"}, ".")


# Pictures


@pytest.mark.parametrize("name", ["a.png", "a.svg", "a.PDF"])
def test_names_of_pictures(name, tmp_path):
    output.check_picture(str(tmp_path / name))
    assert list(tmp_path.iterdir()) == []


def test_pictures_that_cannot_be_written(tmp_path):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "link.png").symlink_to(tmp_path / "elsewhere.png")
    for name in ("folder.png", "link.png"):
        with pytest.raises(InputError, match=rf"{name}: this is a link or a folder; a file is expected\.$"):
            output.check_picture(str(tmp_path / name))
    for name in ("a.txt", "png"):
        with pytest.raises(InputError, match=rf"{name}': the name of a picture ends in \.png, \.svg, \.pdf\.$"):
            output.check_picture(str(tmp_path / name))
    with pytest.raises(InputError, match=r"x\.png: the file cannot be written \(No such file or directory\)\.$"):
        output.check_picture(str(tmp_path / "nowhere" / "x.png"))
    nul = r"\((?:embedded null byte|\w+: embedded null character in path)\)"
    with pytest.raises(InputError, match=rf"^a\x00\.png: the file cannot be written {nul}\.$"):
        output.check_picture("a\0.png")


def test_a_picture_is_written_whole_or_not_at_all(tmp_path):
    def fail(path):
        raise OSError(28, "No space left on device")

    path = tmp_path / "a.png"
    path.write_text("before", encoding="utf-8")
    with pytest.raises(InputError, match=r"a\.png: the file cannot be written \(No space left on device\)\.$"):
        output.write_picture(SimpleNamespace(savefig=fail), str(path))
    assert path.read_text(encoding="utf-8") == "before"
    output.write_picture(SimpleNamespace(savefig=lambda made: made.write_text("after", encoding="utf-8")), str(path))
    assert path.read_text(encoding="utf-8") == "after"
    assert list(tmp_path.iterdir()) == [path]


# Allocation


def test_a_served_plan_as_text(capsys):
    """Quantities that no model has are left out, and a dash stands where one of them has none."""
    empty = dict.fromkeys(allocate._QUANTITIES)
    full = SimpleNamespace(**empty | {"n_routed": 8.0, "n_dense": 1.23456e9, "gpus": 2})
    bare = SimpleNamespace(**empty | {"n_routed": 4.0, "n_dense": 2e9})
    plan = SimpleNamespace(
        law="yun2024", flops=1e21, device="A100", bound="by cost", chosen=full, optimum=bare, base=bare,
        intervals={"to_base": (0.1234, 0.5678)}, to_optimum=0.71, to_base=0.35, cost_ratio=1.0,
    )  # fmt: skip
    allocate._show_served(plan)
    assert capsys.readouterr().out.split("\n") == [
        "yun2024, 1e+21 FLOP, A100: bounded by cost",
        f"    {'':26}{'chosen':>18}{'its loss optimum':>18}{'base':>18}",
        f"    {'n_routed':26}{'8':>18}{'4':>18}{'4':>18}",
        f"    {'n_dense':26}{'1.235e+09':>18}{'2e+09':>18}{'2e+09':>18}  parameters of the dense model",
        f"    {'gpus':26}{'2':>18}{'-':>18}{'-':>18}",
        "to_optimum = 0.71: size over that of its loss optimum",
        "to_base = 0.35 (0.123 to 0.568): size over the base model's",
        "cost_ratio = 1: cost of a token over the base model's",
        "",
    ]


def test_a_plan_as_text(capsys):
    step = SimpleNamespace(quantity="n_active", value=1.234567e9, unit="parameters", low=1e9, high=2e9, interval="95 %",
                           source="paper", how="Eq. 1")  # fmt: skip
    bare = SimpleNamespace(**vars(step) | {"quantity": "share", "value": 0.5, "unit": "", "low": None})
    plan = SimpleNamespace(law="wan2026", flops=1e20, decades=0, outside=0, steps=[step, bare],
                           architecture={"layers": 12, "experts": 64}, realised={"n_active": 1.2e9})  # fmt: skip
    allocate._show(plan)
    lines = capsys.readouterr().out.split("\n")
    assert lines[:3] == [
        "wan2026, 1e+20 FLOP: inside the paper's runs",
        "    n_active = 1.2346e+09 parameters (1e+09 to 2e+09, 95 %)  [paper: Eq. 1]",
        "    share = 0.5  [paper: Eq. 1]",
    ]
    assert lines[3:] == ["In whole numbers", "    layers 12, experts 64", "    n_active 1.2e+09", ""]
    plan.decades, plan.outside = 1.234, 0.456
    allocate._show(plan)
    first = capsys.readouterr().out.split("\n")[0]
    assert first == "wan2026, 1e+20 FLOP: EXTRAPOLATION by 1.2 decades, 0.46 of the range of the runs"


def test_the_best_run_of_a_fit_as_text(monkeypatch):
    """With a line for each expansion where there are several, and the intervals that there are."""
    fitted = SimpleNamespace(law=find("wang2024"), table=range(45), warnings=("One.",))
    by_expansion = pd.DataFrame({"expansion": [1.0, 8.0], "loss": [2.5, 2.25]})
    best = SimpleNamespace(
        run={"n_active": 1.2345678e9, "n_routed": 8.0}, loss=2.25, intervals={"n_active": (1e9, 2e9)}, distance=0.1,
        by_expansion=by_expansion, warnings=("Two.",),
    )  # fmt: skip
    monkeypatch.setattr(saved, "load", lambda folder: (fitted, None))
    monkeypatch.setattr(optimum, "optimum", lambda *_, **__: best)
    result = run("allocate", "--fit", "kept", "--flops", "1e21")
    assert result.stdout.splitlines() == [
        "wang2024, fitted to 45 rows, 1e+21 FLOP: the run of lowest loss",
        "    n_active = 1.235e+09 (1e+09 to 2e+09)",
        "    n_routed = 8",
        "    loss = 2.25",
        " expansion  loss",
        "         1   2.5",
        "         8  2.25",
    ]
    assert result.stderr.splitlines() == ["Warning: One.", "Warning: Two."]
    best.by_expansion = by_expansion.head(1)
    assert len(run("allocate", "--fit", "kept", "--flops", "1e21").stdout.splitlines()) == 4
    report = json.loads(run("allocate", "--fit", "kept", "--flops", "1e21", "--json").stdout)
    assert report == {
        "law": "wang2024", "flops": 1e21, "run": best.run, "loss": 2.25, "intervals": {"n_active": [1e9, 2e9]},
        "by_expansion": [{"expansion": 1.0, "loss": 2.5}], "distance": 0.1, "warnings": ["One.", "Two."],
    }  # fmt: skip


YUN = ("allocate", "--law", "yun2024", "--flops", "1e21")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("allocate", "--flops", "1e21"), "Option --law, --fit or --all is expected, and one of them only."),
        (("allocate", "--flops", "1e21", "--law", "wan2026", "--fit", "x"), "Option --law, --fit or --all is expected"),
        (YUN, "Option --coefficients is missing; as the paper prints none, the folder of 'moelaws fit --law yun2024"),
        ((*YUN, "--coefficients", "x"), "Option --base is missing; the number of experts of the base model is expec"),
        (
            (*YUN, "--coefficients", "x", "--base", "4"),
            "Option --experts is missing; the number of experts of the model that is looked for is expected with --law",
        ),
        (
            (*YUN, "--coefficients", "x", "--base", "4", "--experts", "8", "--extrapolate"),
            "Option --extrapolate belongs to --law wan2026; yun2024 says how far outside its answer is.",
        ),
        (
            (*YUN, "--coefficients", "x", "--base", "4", "--experts", "8,16"),
            "Option --experts has 2 numbers; one is expected with --law yun2024.",
        ),
        (
            ("allocate", "--law", "wan2026", "--flops", "1e20", "--base", "4"),
            "Option --base belongs to --law yun2024, not to wan2026.",
        ),
        (
            ("allocate", "--law", "wan2026", "--flops", "1e20", "--max-total", "4"),
            "Option --max-total belongs to --fit, not to --law.",
        ),
        (("allocate", "--fit", "x", "--flops", "1e20", "--base", "4"), "Option --base belongs to --law, not to --fit."),
        (
            ("allocate", "--fit", "x", "--flops", "1e20", "--extrapolate"),
            "Option --extrapolate belongs to --law, not to --fit.",
        ),
    ],
)
def test_options_of_allocate_that_do_not_go_together(options, sentence):
    result = run(*options)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: {sentence}")
    assert result.stderr.count("\n") == 1


# The machine


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("flags : a\nmodel name\t: Some CPU: fast \nmodel name\t: Other\n", "Some CPU: fast"),
        ("cpu : 1\n", "kind"),
        (None, "kind"),
    ],
)
def test_what_a_processor_is_called(text, name, monkeypatch):
    def read(path, encoding):
        if text is None:
            raise FileNotFoundError(path)
        return text

    monkeypatch.setattr(processor.Path, "read_text", read)
    monkeypatch.setattr(processor.platform, "processor", lambda: "kind")
    assert processor.processor() == name
    monkeypatch.setattr(processor.platform, "processor", lambda: "")
    monkeypatch.setattr(processor.platform, "machine", lambda: "kind")
    assert processor.processor() == name
