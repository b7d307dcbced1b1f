"""What laws advise for a budget: translated right, judged as brute force judges, and the same on the command line."""

import ast
import json
import re

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner

from moelaws import data, ledger
from moelaws.cli.main import main
from moelaws.errors import InputError
from moelaws.laws.dense import BESIROGLU
from moelaws.models import catalogue
from moelaws.papers import advice
from moelaws.papers.advice import ADVISERS, advise
from moelaws.papers.judge import Design, Judge, lowest
from moelaws.papers.tian2025 import settings as tian
from moelaws.papers.wan2026 import allocation as wan
from moelaws.papers.wan2026 import law as wan_law
from moelaws.paths import ROOT

SIZED = [name for name, one in ADVISERS.items() if one.best]
JUDGES = [name for name, one in ADVISERS.items() if one.judge]


def run(*arguments):
    return CliRunner().invoke(main, ["allocate", *map(str, arguments)])


# The account


@pytest.mark.parametrize("name", SIZED)
@pytest.mark.parametrize("flops", [1e19, 3e21])
def test_every_answer_spends_the_budget(name, flops):
    said = advise(name, flops)
    assert 6 * said.n_active * said.n_tokens == pytest.approx(flops, rel=1e-9)
    assert said.n_total >= said.n_active * (1 - 1e-12)
    assert (said.low or 0) <= said.n_active <= (said.high or np.inf)


def test_a_law_that_tells_no_size_says_so():
    said = advise("clark2022", 1e22)
    assert said.n_active is said.n_tokens is said.granularity is None
    assert said.experts == 512
    # 1e22 / (6 * 130e9) = 1.28e10 parameters, against 1.3e9 of the largest run
    assert said.decades == pytest.approx(np.log10(1e22 / 6 / 130e9 / 1.3e9))


def test_chinchillas_optimum_is_the_closed_form():
    """Hoffmann et al., Eq. 4: N = G (C/6)^(beta / (alpha + beta)), if no embedding counts."""
    a, b, alpha, beta = (BESIROGLU[name] for name in ("A", "B", "alpha", "beta"))
    judge = Judge("dense", BESIROGLU, advice.counted)
    for flops in (1e18, 1e22, 1e25):
        closed = (alpha * a / (beta * b)) ** (1 / (alpha + beta)) * (flops / 6) ** (beta / (alpha + beta))
        assert judge.best(flops, Design())[0] == pytest.approx(closed, rel=1e-6)


def test_an_embedding_is_that_of_an_architecture():
    """A model of 12 d² weights a layer, 85 times as wide as deep, whose embedding the accounting of models counts."""
    n_layers, d_model = 20, 1700
    row = {"n_layers": n_layers, "d_model": d_model, "n_heads": 10, "n_kv_heads": 10, "d_dense": 8 * d_model // 3}
    model = catalogue.from_row(row, vocab=32_000)
    body = model.n_body - (2 * n_layers + 1) * d_model  # less its norms
    assert 32_000 * float(advice.width(body)) == pytest.approx(model.n_embedding, rel=1e-3)
    counted = advice.counted(np.array([float(body)]), np.array([1e10]), Design(), vocabulary=32_000)
    assert counted["n_active"][0] == pytest.approx(body + model.n_embedding, rel=1e-4)


@pytest.mark.parametrize("flops", [1e18, 1e20, 1e22])
def test_work_with_attention_becomes_six_for_each_parameter(flops):
    """The compute with attention of the answer is the budget times M / 6 N, with the paper's ratio of M to N."""
    said = advise("wan2026", flops)
    own = advice.own_budget(flops, wan_law.FLOPS_PER_TOKEN, advice.wan_density())
    work, tokens = float(wan_law.FLOPS_PER_TOKEN(own)), float(wan_law.N_TOKENS(own))
    assert tokens == pytest.approx(said.n_tokens, rel=2e-3)  # Eq. 2 prints both, with their own rounding
    ratio = float(wan.trends()["compute_density"](own))
    assert work / said.n_active == pytest.approx(ratio, rel=0.01)
    assert own / flops == pytest.approx(work / said.n_active / 6, rel=1e-9)


def test_tians_ratio_of_work_to_parameters_is_that_of_its_models():
    rows = data.load("tian2025/architectures").query("table == 7 and n_routed == 64")
    for row in rows.to_dict("records"):
        model = catalogue.from_row(row, vocab=126_464)
        work = model.training_flops(4096, output_layer=False, router=False)
        assert float(advice.tian_density()(work)) == pytest.approx(work / model.n_body_active, rel=0.1)
    said, own = advise("tian2025", 1e20), advice.own_budget(1e20, tian.FLOPS_PER_TOKEN["moe"], advice.tian_density())
    assert said.n_tokens == pytest.approx(float(tian.N_TOKENS["moe"](own)), rel=5e-3)


def test_the_farthest_of_budget_size_and_tokens_counts():
    """Hoffmann et al. ran up to 3e21 FLOP, 5e11 tokens and 1.6e10 parameters, 32 000 rows of an embedding counted."""
    far = ADVISERS["besiroglu2024"].far
    assert far(1e22, 1e9) == pytest.approx(np.log10(1e22 / 3e21), abs=1e-9)
    assert far(1e22, 1e8) == pytest.approx(np.log10(1e22 / 6 / 1e8 / 5e11), abs=1e-9)
    size = 1e11 + 32_000 * (85 * 1e11 / 12) ** (1 / 3)
    assert far(1e22, 1e11) == pytest.approx(np.log10(size / 1.6e10), abs=1e-9)


def test_only_a_law_of_several_numbers_of_experts_wants_the_most():
    """Ludziejewski et al. have up to 32 experts, Krajewski et al. one number of them, and dense models none."""
    laws = {name: advise(name, 1e22) for name in ("ludziejewski2025", "krajewski2024", "besiroglu2024")}
    assert {name: said.most for name, said in laws.items()} == dict(zip(laws, (True, False, False), strict=True))
    assert laws["ludziejewski2025"].experts == 32


def test_what_is_trained_to_be_served_costs_what_its_size_and_tokens_say():
    for row in advice.answers(1e22, tokens_served=1e13):
        if "served_active" in row:
            training = 6 * row["served_active"] * row["served_tokens"]
            assert row["flops_total"] == pytest.approx(training + 2 * row["served_active"] * 1e13, rel=1e-9)
            assert row["served_active"] <= row["n_active"] * (1 + 1e-9)


def test_kaplans_size_is_that_of_a_day_at_a_petaflop():
    assert advise("kaplan2020", 1e15 * 24 * 3600).n_active == pytest.approx(1.3e9)


def test_distances_are_in_powers_of_ten():
    assert advise("abnar2025", 1e20).decades == 0
    assert advise("abnar2025", 1e23).decades == pytest.approx(2)
    assert advise("kaplan2020", 1e22).decades == pytest.approx(np.log10(1.3e9 * (1e22 / 8.64e19) ** 0.73 / 1.5e9))
    assert advise("wan2026", 1e20).decades == 0


# Judges, against grids


def grid_of(judge, flops, design, points=4001):
    """The lowest loss of a budget on a grid of sizes."""
    n = np.geomspace(1e7, 1e12, points)
    return float(judge.loss(n, flops / 6 / n, design).min())


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize("adviser", ["tian2025", "besiroglu2024", "kaplan2020"])
def test_the_regret_is_that_of_a_grid(judge, adviser):
    n, law = ADVISERS[adviser].best(1e22), ADVISERS[judge].judge
    design = min(
        (Design(e, law.design(1e22).granularity) for e in law.experts), key=lambda one: grid_of(law, 1e22, one)
    )
    loss = float(law.loss(n, 1e22 / 6 / n, design)[0])
    budgets = np.geomspace(1e22 / 8, 1e22 * 1.01, 301)
    frontier = np.array([grid_of(law, flops, design) for flops in budgets])
    least = np.exp(np.interp(-loss, -frontier, np.log(budgets)))
    assert law.regret(n, 1e22 / 6 / n) == pytest.approx(1e22 / least - 1, abs=2e-3)


def test_the_matrix_holds_the_regrets_and_its_diagonal_is_zero():
    table = ledger.module("budget").regret()
    for name in JUDGES:
        assert table.loc[name, name] == pytest.approx(0, abs=1e-3)
    n = ADVISERS["kaplan2020"].best(1e22)
    assert table.loc["hoffmann2022", "kaplan2020"] == pytest.approx(
        100 * ADVISERS["hoffmann2022"].judge.regret(n, 1e22 / 6 / n)
    )


def test_the_compromise_is_that_of_a_grid():
    size, regret = advice.compromise(1e22)
    grid = size * np.geomspace(0.8, 1.25, 21)
    worst = [max(ADVISERS[name].judge.regret(n, 1e22 / 6 / n) for name in JUDGES) for n in grid]
    assert grid[np.argmin(worst)] == pytest.approx(size, rel=0.015)
    assert min(worst) == pytest.approx(regret, abs=2e-3)


@pytest.mark.parametrize("tokens", [1e11, 1e13])
def test_the_model_to_serve_is_that_of_a_grid(tokens):
    """With Chinchilla's law tokens follow from size and loss in closed form."""
    judge = ADVISERS["besiroglu2024"].judge
    e, a, b, alpha, beta = (BESIROGLU[name] for name in ("E", "A", "B", "alpha", "beta"))
    best, loss = judge.best(1e22, Design())
    n = np.geomspace(best / 20, best, 200_001)
    with_embedding = n + 32_000 * (85 * n / 12) ** (1 / 3)
    left = loss - e - a * with_embedding**-alpha
    d = np.where(left > 0, left, np.nan) ** (-1 / beta) * b ** (1 / beta)
    cost = 6 * n * d + 2 * n * tokens
    place = np.nanargmin(cost)
    found = judge.served(1e22, tokens)
    assert found.n_active == pytest.approx(n[place], rel=1e-3)
    assert found.n_tokens == pytest.approx(d[place], rel=2e-3)
    assert found.training + found.serving == pytest.approx(cost[place], rel=1e-6)


@pytest.mark.parametrize("name", JUDGES)
def test_a_model_is_worth_the_tokens_it_was_made_for(name):
    judge = ADVISERS[name].judge
    found = judge.served(1e22, 3e12)
    if judge.design(6 * found.n_active * found.n_tokens) == judge.design(1e22):
        assert judge.serves(found.n_active, found.n_tokens) == pytest.approx(3e12, rel=1e-3)
    n = ADVISERS[name].best(1e22)
    assert judge.serves(2 * n, 1e22 / 12 / n) < 0 < judge.serves(n / 2, 1e22 / 3 / n)


def test_a_size_within_the_budget_is_the_one_to_serve_at_its_loss():
    """A law asked for the loss that a smaller budget buys, and for the tokens, trains that size with the budget."""
    for name, row in ledger.module("budget").within_budget(1e13).iterrows():
        if name == "krajewski2024":  # its granularity goes with the budget, so the two are asked of other experts
            continue
        model = ADVISERS[name].judge.served(1e22 * row.share, 1e13)
        assert model.n_active == pytest.approx(row.n_active, rel=1e-3)
        assert model.training == pytest.approx(1e22, rel=1e-3)


def test_no_law_judges_its_own_advice_among_others():
    work = ledger.module("budget")
    table = work.regret().loc[work.OF_MOE, work.MOE]
    assert len(work.of_others(table)) == table.size - len(table)
    assert work.of_others(table).min() > 0


def test_the_lowest_point_may_be_an_end():
    assert lowest(lambda x: x, 1.0, 2.0) == (1.0, 1.0)
    assert lowest(lambda x: -x, 1.0, 2.0) == (2.0, -2.0)


# Statements


def test_halving_is_a_ratio_of_step_times():
    table = ledger.module("budget").halving()
    assert table.shape == (len(data.load("budget/models")), 8)
    assert ((table > 0.5) & (table <= 1)).all().all()


def test_models_are_counted_from_their_configurations():
    """DeepSeek-V3: 37 billion active with the output layer of 129,280 times 7,168."""
    row = ledger.module("budget").models().loc["DeepSeek-V3"]
    assert row.n_active + 129_280 * 7168 == pytest.approx(36.6e9, rel=2e-3)
    assert (row.experts, row.granularity) == (32, 7)
    assert row.flops == 6 * row.n_active * 14.8e12


# The command line


@pytest.mark.parametrize("served", [None, 1e13])
def test_the_command_prints_the_answers(served):
    options = [] if served is None else ["--tokens-served", served]
    found = json.loads(run("--all", "--flops", 1e22, *options, "--json").stdout)
    assert found["laws"] == json.loads(json.dumps(advice.answers(1e22, served)))
    assert found["compromise"]["n_active"] == pytest.approx(advice.compromise(1e22)[0])
    shown = run("--all", "--flops", 1e22, *options).stdout
    assert f"{advise('tian2025', 1e22).n_active:.3g}" in shown
    assert "128+" in shown
    assert ("N served" in shown) == (served is not None)


def test_each_answer_stands_below_its_heading():
    keys = ["source", "n_active", "n_tokens", "tokens_per_parameter", "n_total", "experts", "granularity", "n_shared"]
    keys += ["d_model", "n_layers", "decades", "served_active", "served_tokens", "flops_total"]
    heads = ["numbers", "N", "D", "D/N", "total", "experts", "G", "shared"]
    heads += ["width", "depth", "outside", "N served", "D served", "FLOP total"]
    found = {
        row["law"]: row
        for row in json.loads(run("--all", "--flops", 1e22, "--tokens-served", 1e13, "--json").stdout)["laws"]
    }
    lines = run("--all", "--flops", 1e22, "--tokens-served", 1e13).stdout.splitlines()
    start = next(number for number, line in enumerate(lines) if line.split()[:1] == ["numbers"])
    assert re.split(" {2,}", lines[start].strip()) == heads
    for line in lines[start + 1 : start + 1 + len(found)]:
        law, *cells = re.split(" {2,}", line.strip())
        for key, cell in zip(keys, cells, strict=True):
            value = found[law].get(key)
            if value is None:
                assert cell == "-"
            elif isinstance(value, str):
                assert cell == value
            else:
                assert float(cell.rstrip("+")) == pytest.approx(value, rel=6e-3)


def test_a_million_tokens_can_be_served():
    rows = {row["law"]: row for row in advice.answers(1e20, tokens_served=1e6)}
    assert rows["besiroglu2024"]["served_active"] == pytest.approx(rows["besiroglu2024"]["n_active"], rel=1e-3)


def test_the_page_shows_what_the_command_prints():
    """The table of the chapter, and the sizes of its first screen."""
    page = nbformat.read(ROOT / "chapters" / "07-budget.ipynb", as_version=4)
    shown, glued = {}, {}
    for cell in page.cells:
        for output in cell.get("outputs", []):
            bundle = output.get("data", {})
            if "advice.answers(" in cell.source and "text/html" in bundle:
                rows = [
                    [cell.text for cell in row.select("th, td")]
                    for row in BeautifulSoup(bundle["text/html"], "html.parser").select("tr")
                ]
                shown = {row[0]: dict(zip(rows[0][1:], row[1:], strict=True)) for row in rows[2:]}
            text = bundle.get("application/papermill.record/text/plain")
            if text is not None:
                glued[output.metadata.scrapbook.name] = ast.literal_eval(text)
    found = json.loads(run("--all", "--flops", 1e22, "--tokens-served", 1e13, "--json").stdout)
    printed = {row["law"]: row for row in found["laws"]}
    laws = [name for name in SIZED if ADVISERS[name].kind == "moe"]
    assert [label.lower() for label in shown] == [name.rstrip("0123456789") for name in laws]
    for law, row in zip(laws, shown.values(), strict=True):
        for name, text in row.items():
            value = printed[law].get(name)
            assert text == ("–" if value is None else f"{value:.2g}"), (law, name)
    middle = found["compromise"]
    of_mixtures = [printed[law] for law in laws]
    for text, name in (("n_range", "n_active"), ("s_range", "served_active")):
        sizes = [row[name] for row in of_mixtures if row.get(name)]
        assert glued[text].replace("\u00a0", " ") == f"{min(sizes) / 1e9:.2g} to {max(sizes) / 1e9:.2g} B"
    assert glued["c_n"].startswith(f"{middle['n_active'] / 1e9:.2g}")
    assert glued["c_d"].startswith(f"{float(format(middle['n_tokens'] / 1e9, '.2g')):g}")
    assert glued["c_regret"].startswith(f"{100 * middle['regret']:.1f}")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--all", "--law", "wan2026", "--flops", 1e20], "--law, --fit or --all is expected"),
        (["--all", "--flops", "nan"], "Parameter flops has the value nan"),
        (["--all", "--flops", 1e40], "Parameter flops has the value 1e+40"),
        (["--all", "--flops", 1e20, "--tokens-served", -1], "Parameter tokens_served has the value -1"),
        (["--all", "--flops", 1e20, "--tokens-served", 0.9e6], "Parameter tokens_served has the value 900000"),
        (["--all", "--flops", 1e20, "--tokens-served", 1e30], "Parameter tokens_served has the value 1e+30"),
        (["--all", "--flops", 1e20, "--gpus", 2], "Option --gpus does not go with --all"),
        (["--all", "--flops", 1e20, "--extrapolate"], "Option --extrapolate does not go with --all"),
        (["--law", "wan2026", "--flops", 1e20, "--tokens-served", 1e12], "--tokens-served belongs to --all"),
    ],
)
def test_mistakes_end_in_one_sentence(options, sentence):
    result = run(*options)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert sentence in result.stderr


def test_an_unknown_law_is_refused():
    with pytest.raises(InputError, match="no advice by a law 'nobody'; the laws are wan2026"):
        advise("nobody", 1e20)
