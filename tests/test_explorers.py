"""Explorers: their laws are the package's, and a reader can use them with a keyboard, on a phone, in the dark."""

import json
import re
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
from built_site import ROOT
from test_site import ALL, COLOURS, PHONE, RUN_AXE, WIDE, Visit, browser, listening, served, tab  # noqa: F401

from moelaws import data, ledger
from moelaws.fitting.estimation import LOG_SQUARES, fit, huber
from moelaws.laws.dense import DENSE
from moelaws.laws.tian2025 import Tian2025
from moelaws.models import catalogue
from moelaws.models.ratios import activation_ratio, active_ratio
from moelaws.papers.advice import ADVISERS
from moelaws.papers.wan2026 import law as wan2026
from moelaws.papers.wan2026 import shapes
from moelaws.papers.yun2024 import budget
from moelaws.papers.yun2024.cost import cheapest
from moelaws.serving.footprint import Footprint
from moelaws.serving.steps import StepTime, load_device

sys.path.insert(0, str(ROOT / "book" / "_ext"))
import explorers

STATIC = ROOT / "book" / "_static"
POINTS = 1000
KEYS = list(explorers.EXPLORERS)
PAGE = """<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8"><title>Explorer</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<link rel="stylesheet" href="custom.css"><style>
html {{ --pst-color-background: #fff; --pst-color-text-base: #222; --pst-color-text-muted: #48566b;
  --pst-color-border: #ccc }}
html[data-theme=dark] {{ --pst-color-background: #14181e; --pst-color-text-base: #ced6dd;
  --pst-color-text-muted: #9ca4af; --pst-color-border: #48566b }}
body {{ margin: 0 auto; max-width: 44rem; background: var(--pst-color-background); color: var(--pst-color-text-base) }}
figure {{ margin: 0 }} img {{ max-width: 100% }}</style></head><body><main><h1>Explorer</h1>
<div class="cell tag_explorer-{key}"><div class="cell_output">
<figure id="fig-still"><img src="favicon.svg" alt="static">
<figcaption><span class="caption-number">Fig. 1.2 </span>Caption</figcaption></figure></div></div></main>
<script src="explorers/draw.js"></script><script src="explorers/{key}-data.js"></script>
<script src="explorers/{key}.js"></script>
</body></html>"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Serve one small page for each explorer, and return the address."""
    folder = tmp_path_factory.mktemp("explorers")
    shutil.copytree(STATIC / "explorers", folder / "explorers")
    for name in ("custom.css", "favicon.svg"):
        shutil.copy(STATIC / name, folder / name)
    for key in KEYS:
        (folder / "explorers" / f"{key}-data.js").write_text(explorers.constants(key), encoding="utf-8")
        (folder / f"{key}.html").write_text(PAGE.format(key=key), encoding="utf-8")
    with served(folder) as found:
        yield found


@pytest.fixture
def visit(address, tab):  # noqa: F811
    """Return a function that opens an explorer's page, and fail where one reports an error or asks another host."""
    seen = Visit()

    def opened(key, query=""):
        tab.set_viewport_size(WIDE)
        tab.goto(f"{address}{key}.html{query}")
        tab.wait_for_selector(".explorer-chart")
        return tab

    with listening(tab, seen, address.split("/")[2]):
        yield opened
    assert not seen.errors + seen.foreign


@pytest.fixture(scope="module")
def rng():
    return np.random.default_rng(2026)


def in_browser(page, function, arguments):
    """Evaluate a function of the page for many lists of arguments."""
    found = page.evaluate(f"rows => rows.map(row => ({function})(...row))", arguments)
    return np.array(found, dtype=float)


def same(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_leverage_is_the_packages(visit, rng):
    page = visit("tian2025")
    sets = page.evaluate("[moelaws.data.tian2025.printed, moelaws.data.tian2025.refit]")
    points = np.exp(rng.uniform(np.log([0.004, 1, 1e17]), np.log([1, 32, 1e25]), size=(POINTS, 3)))
    columns = pd.DataFrame(points, columns=["activation_ratio", "granularity", "flops"])
    for theta in sets:
        for base_g, base_c in ((2.0, 10.0), (np.e, 2.0)):
            law = Tian2025(base_g, base_c)
            values = {name: np.inf if value is None else value for name, value in theta.items()}
            expected = law.predict(law.theta(values), columns)
            rows = [
                [dict(zip(["activation", "granularity", "flops"], row, strict=True))
                 | {"granularityBase": base_g, "flopsBase": base_c}, theta]
                for row in points.tolist()
            ]  # fmt: skip
            same(in_browser(page, "moelaws.laws.tian2025", rows), expected)


def test_the_interval_of_leverage_is_the_chapters(visit, rng):
    work = ledger.module("tian2025")
    points = np.exp(rng.uniform(np.log([0.008, 2, 1e18]), np.log([0.5, 16, 1e24]), size=(20, 3)))
    value, ends = work.refitted_el(*points.T)
    rows = [[dict(zip(["activation", "granularity", "flops"], row, strict=True))] for row in points.tolist()]
    found = in_browser(visit("tian2025"), "moelaws.laws.tian2025Reach", rows)
    np.testing.assert_allclose(found, np.log(ends / value).T, atol=0.03)


def test_conventions_of_the_ratio_are_the_packages(visit):
    page = visit("tian2025")
    for convention in ("routed", "with shared", "mixed"):
        found = page.evaluate("name => moelaws.laws.tian2025Ratio(12 / 256, 3 / 12, name)", convention)
        same(found, activation_ratio(256, 12, 3, convention))


def test_sizes_and_costs_are_the_packages(visit, rng):
    page = visit("yun2024")
    sets = np.array(page.evaluate("moelaws.data.yun2024.sets"))
    theta = sets[rng.integers(len(sets), size=POINTS)]
    flops, size = np.exp(rng.uniform(np.log([1e20, 1e8]), np.log([1e24, 3e10]), size=(POINTS, 2))).T
    experts = rng.integers(2, 33, size=POINTS).astype(float)
    kappa = active_ratio(experts)
    best = budget.optimum(theta, flops, experts, kappa)[0]
    rows = [list(row) for row in zip(theta.tolist(), flops.tolist(), experts.tolist(), strict=True)]
    same(in_browser(page, "moelaws.laws.yun2024.optimum", rows), best)
    loss = budget.loss_at(theta, size, flops, experts, kappa)
    with_size = [[a, n, c, e] for (a, c, e), n in zip(rows, size.tolist(), strict=True)]
    same(in_browser(page, "moelaws.laws.yun2024.loss", with_size), loss)
    of_half = budget.loss_at(theta, best / 2, flops, experts, kappa)
    with_loss = [[a, x, c, e] for (a, c, e), x in zip(rows, of_half.tolist(), strict=True)]
    same(in_browser(page, "moelaws.laws.yun2024.sizeAtLoss", with_loss), best / 2)
    device = load_device("A100-40G-SXM")
    requests, gpus = rng.integers(1, 2000, size=POINTS).astype(float), rng.integers(1, 9, size=POINTS)
    expected = [
        float(cheapest(Footprint.of_size(*one), device, most, limit).gpu_seconds)
        for *one, most, limit in zip(size, experts, gpus, requests, strict=True)
    ]
    rows = [list(row) for row in zip(size.tolist(), experts.tolist(), requests.tolist(), gpus.tolist(), strict=True)]
    same(in_browser(page, "moelaws.laws.yun2024.cost", rows), expected)


def test_the_outermost_sets_reach_as_far_as_all(visit):
    sets = data.load("yun2024/feasible").query("flops_of == 'active' and size_of == 'active'").iloc[:, 3:].to_numpy()
    few = np.array(explorers.outermost(sets))
    assert len(few) < len(sets) / 3
    for flops, experts in ((3e20, 5), (5.15e21, 8), (7e22, 20)):
        sizes, fewer = (budget.optimum(x, flops, experts, float(active_ratio(experts)))[0] for x in (sets, few))
        np.testing.assert_allclose([fewer.min(), fewer.max()], [sizes.min(), sizes.max()], rtol=0.01)


@pytest.mark.parametrize(("name", "size"), [("DeepSeek-V2-Lite", 2), ("DeepSeek-V3", 1)])
def test_a_steps_parts_are_the_packages(visit, rng, name, size):
    page, model = visit("yang2025"), catalogue.load(name)
    law = StepTime(model, weight_bytes=size)
    table = pd.DataFrame(
        {
            "concurrency": rng.integers(1, 2000, size=POINTS),
            "tokens_in": rng.integers(1, 4000, size=POINTS),
            "tokens_out": rng.integers(1, 4000, size=POINTS),
            "n_routed": model.n_routed,
            "top_k": rng.integers(1, model.top_k + 1, size=POINTS),
        }
    )
    theta = page.evaluate("name => moelaws.data.yang2025[name].coefficients", name)
    expected = law.parts(table, np.array(theta))
    rows = [
        [{"requests": row.concurrency, "topK": row.top_k, "tokensIn": row.tokens_in, "tokensOut": row.tokens_out}, name]
        for row in table.itertuples()
    ]
    found = in_browser(page, "(row, name) => moelaws.laws.yang2025(row, moelaws.data.yang2025[name])", rows)
    np.testing.assert_allclose(found, expected.to_numpy(), rtol=1e-9, atol=1e-12)


def test_architectures_are_the_packages(visit, rng):
    page = visit("wan2026")
    heads = {float(row.flops): row for row in data.load("wan2026/scales").itertuples()}
    flops = rng.choice(list(heads), size=POINTS)
    d, dense, moe, expert = (rng.integers(*ends, size=POINTS).astype(float)
                             for ends in ((200, 4000), (1, 20), (1, 40), (50, 3000)))  # fmt: skip
    setting = wan2026.Setting(*(
        np.array([getattr(heads[c], name) for c in flops], dtype=float) for name in ("n_heads", "n_kv_heads", "d_head")
    ))  # fmt: skip
    sizes = np.transpose(wan2026.account(d, dense, moe, expert, setting))
    shape = [dict(zip(["d", "dense", "moe", "expert"], row, strict=True))
             for row in np.transpose([d, dense, moe, expert]).tolist()]  # fmt: skip
    account = "(c, s) => Object.values(moelaws.laws.wan2026.account(s, moelaws.laws.wan2026.fixed(c)))"
    rows = [[c, s] for c, s in zip(flops.tolist(), shape, strict=True)]
    same(in_browser(page, account, rows), sizes)
    solved = """(c, sizes, d) => Object.values(moelaws.laws.wan2026.solve(
        {M: sizes[0], active: sizes[1], total: sizes[2]}, d, moelaws.laws.wan2026.fixed(c)))"""
    rows = [[c, s, w] for c, s, w in zip(flops.tolist(), sizes.tolist(), d.tolist(), strict=True)]
    same(in_browser(page, solved, rows), np.transpose(wan2026.solve(*sizes.T, d, setting)))


@pytest.mark.parametrize("case", [(3e20, 5.939e9, 7.27e8, 1.594e10, 1880), (1e18, 2.672e8, 2.43e7, 4.6e8, 500)])
def test_whole_numbers_are_the_packages(visit, case):
    flops, *sizes, width = case
    scales = data.load("wan2026/scales")
    row = scales[scales.flops == flops].iloc[0]
    best = shapes.nearest(*sizes, width, wan2026.Setting(row.n_heads, row.n_kv_heads, row.d_head))
    found = visit("wan2026").evaluate(
        """([c, M, active, total, d]) => {
            const law = moelaws.laws.wan2026;
            return law.round({M, active, total}, d, law.fixed(c));
        }""",
        list(case),
    )
    assert [found[k] for k in ("d", "dense", "moe", "expert")] == best[shapes.COLUMNS].astype(int).tolist()
    same(found["deviation"], best.deviation)


@pytest.mark.parametrize("name", [name for name, one in ADVISERS.items() if one.best])
def test_advice_is_the_packages(visit, rng, name):
    """Between the nodes of the table it is interpolated, which is good to two per cent of size and tokens."""
    one = ADVISERS[name]
    points = np.exp(rng.uniform(np.log([1e18, 1e9]), np.log([1e25, 1e16]), size=(8, 2)))
    found = in_browser(visit("budget"), f"(...row) => moelaws.laws.budget('{name}', ...row)", points.tolist())
    for (flops, later), (size, tokens) in zip(points, found, strict=True):
        best = one.best(flops)
        expected = one.judge.served(flops, later)[:2] if one.judge else (best, flops / 6 / best)
        np.testing.assert_allclose([size, tokens], expected, rtol=0.02)


def test_the_fit_in_the_browser_is_the_packages(visit, rng):
    page = visit("fitting")
    theta = [1.8, 480.0, 2100.0, 0.35, 0.37]
    points = np.exp(rng.uniform(np.log(1e6), np.log(1e12), size=(POINTS, 2)))
    expected = DENSE.predict(np.array(theta), {"n_active": points[:, 0], "n_tokens": points[:, 1]})
    same(in_browser(page, "moelaws.laws.fitting.loss", [[theta, *row] for row in points.tolist()]), expected)
    table = data.load("examples/isoflop")
    for loss, rows in ((LOG_SQUARES, table), (huber(0.003), table), (LOG_SQUARES, table.drop(index=[3, 17]))):
        here = [[float(value) for value in row] for row in np.log(rows[["n_active", "n_tokens"]]).to_numpy()]
        found = page.evaluate(
            """([logs, losses, delta]) => moelaws.laws.fitting.fit(
                logs.map(([N, D], place) => ({N, D, loss: losses[place]})), {delta: delta ?? Infinity})""",
            [here, rows.loss.tolist(), loss.delta],
        )
        again = fit(DENSE, rows, loss)
        np.testing.assert_allclose(found["cost"], again.objective, rtol=1e-7)
        np.testing.assert_allclose(found["theta"][3:], [again.values["alpha"], again.values["beta"]], rtol=1e-3)


@pytest.mark.parametrize("key", KEYS)
def test_an_explorer_works_by_keyboard_and_comes_back_by_its_address(visit, key):
    page = visit(key)
    assert page.locator(".cell_output img").is_hidden()
    before = page.locator(".explorer-says").inner_text()
    slider = page.locator(".explorer input[type=range]").first
    if key == "fitting":
        page.locator("select").nth(1).select_option("huber")
    slider.focus()
    for press in ("ArrowLeft", "PageDown", "PageDown"):
        page.keyboard.press(press)
    after = page.locator(".explorer-says").inner_text()
    assert after != before
    assert f"?{key}." in page.url
    visit(key, "?" + page.url.split("?")[1])
    assert page.locator(".explorer-says").inner_text() == after
    page.get_by_role("button", name="Reset").press("Enter")
    assert page.locator(".explorer-says").inner_text() == before
    assert page.url.endswith(f"{key}.html")


def test_a_run_is_left_out_by_keyboard_and_by_click(visit):
    page = visit("fitting")
    boxes = page.get_by_role("checkbox")
    boxes.first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    assert boxes.nth(1).get_attribute("aria-checked") == "false"
    assert "39 of 40" in page.locator(".explorer-says").inner_text()
    boxes.nth(1).click()
    assert "40 of 40" in page.locator(".explorer-says").inner_text()


@pytest.mark.parametrize("key", KEYS)
def test_an_explorer_fits_a_phone_and_axe_finds_nothing(visit, key):
    page = visit(key)
    for size in (WIDE, PHONE):
        page.set_viewport_size(size)
        page.wait_for_function(f"document.documentElement.scrollWidth <= {size['width']}")
        for mode, rules in (("light", ALL), ("dark", COLOURS)):
            page.evaluate("mode => { document.documentElement.dataset.theme = mode }", mode)
            assert not page.evaluate(RUN_AXE, rules)


@pytest.mark.parametrize("key", KEYS)
def test_without_scripts_the_figure_stands(address, browser, key):  # noqa: F811
    page = browser.new_page(java_script_enabled=False)
    page.goto(f"{address}{key}.html")
    assert page.locator(".cell_output img").is_visible()
    assert not page.locator(".explorer").count()
    page.close()


def test_the_still_figure_keeps_its_caption_and_opens_where_a_link_leads_to_it(visit):
    page = visit(KEYS[0])
    assert page.locator("summary", has_text="Fig. 1.2, still").is_visible()
    assert page.locator("figcaption, img").evaluate_all("all => all.map(part => part.checkVisibility())") == [False] * 2
    page.evaluate("location.hash = 'fig-still'")
    page.wait_for_selector("figcaption")
    assert page.locator("img").is_visible()


@pytest.mark.parametrize("key", KEYS)
def test_numbers_of_equations_and_tables_say_whose_they_are(visit, key):
    page = visit(key)
    page.eval_on_selector_all(".explorer details", "all => all.forEach(part => { part.open = true; })")
    text = page.locator(".explorer").inner_text()
    assert not re.search(r"(?<!’s )\b(Eq|Table|Fig|Figure|Section)s?\b\.? *\d", text)


def test_the_scripts_are_small():
    assert sum(path.stat().st_size for path in (STATIC / "explorers").glob("*.js")) <= 60_000


@pytest.mark.parametrize("key", KEYS)
def test_constants_are_plain_json(key):
    name, text = explorers.constants(key).split(" = ", 1)
    assert name == f"window.moelaws.data.{key}"
    assert json.loads(text.removesuffix(";\n"), parse_constant=pytest.fail)
