"""The page of all verdicts: rows that filter, count, export and lead to their evidence; plain lists without scripts."""

import csv
import json
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from built_site import ROOT
from test_site import PHONE, RUN_AXE, WIDE, Visit, browser, listening, served, tab  # noqa: F401

sys.path.insert(0, str(ROOT / "book" / "_ext"))
import verdict_table

STATIC = ROOT / "book" / "_static"
GROUPS = {"agrees": "agree", "differs": "differ"}
HOSTILE = 'a <b> & "quoted", and\na second line'


def claims(paper, count, verdict):
    """Return made-up claims of one paper; the last one has a hostile statement."""
    row = {"place": "Sec. 1", "printed": "1.5", "computed": 1.5, "unit": "1", "verdict": verdict}
    row |= {"evidence": "recomputed" if verdict == "agrees" else "runs"}
    return [
        row | {"id": f"{paper}-C{n:02d}", "statement": HOSTILE if n == count else f"A statement of {paper}, {n}."}
        for n in range(1, count + 1)
    ]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Serve a page of 70 claims of two papers, and return its address."""
    folder = tmp_path_factory.mktemp("verdicts")
    papers = {"one2025": claims("one2025", 60, "agrees"), "two2026": claims("two2026", 10, "differs")}
    lists = "".join(verdict_table.section(f"Paper {key}", rows, lambda _: "e.html") for key, rows in papers.items())
    words = json.dumps({"papers": {key: f"Paper {key}" for key in papers}, "groups": GROUPS}).replace('"', "&quot;")
    (folder / "page.html").write_text(
        '<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8"><title>Verdicts</title>'
        '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        '<link rel="stylesheet" href="custom.css"></head><body><main><h1>Verdicts</h1>'
        f'<div id="verdict-table" data-words="{words}">{lists}</div></main><script src="verdicts.js"></script></body>',
        encoding="utf-8",
    )
    for name in ("verdicts.js", "custom.css"):
        (folder / name).write_bytes((STATIC / name).read_bytes())
    with served(folder) as found:
        yield f"{found}page.html"


@pytest.fixture
def visit(address, tab):  # noqa: F811
    """Return a function that opens the page, and fail where it reports an error or asks another host."""
    seen = Visit()

    def opened(query=""):
        tab.set_viewport_size(WIDE)
        tab.goto(address + query)
        tab.wait_for_selector(".filter-count")
        return tab

    with listening(tab, seen, address.split("/")[2]):
        yield opened
    assert not seen.errors + seen.foreign


def test_filters_count_and_stay_in_the_address(visit):
    page = visit()
    count = page.locator(".filter-count")
    assert count.inner_text() == "70 of 70 claims: 60 agree, 10 differ."
    page.get_by_label("Paper").select_option("two2026")
    assert count.inner_text() == "10 of 70 claims: 10 differ."
    page.get_by_label("Text").fill("statement 7")
    assert count.inner_text() == "1 of 70 claims: 1 differ."
    visit("?" + page.url.split("?")[1])
    assert page.locator("tbody tr").get_attribute("id") == "two2026-C07"
    page.get_by_role("button", name="Reset").click()
    page.wait_for_function("!location.search")
    page.get_by_label("Evidence").select_option("recomputed")
    page.get_by_label("Verdict", exact=True).select_option("differs")
    assert count.inner_text() == "0 of 70 claims."
    assert not page.locator("tbody tr").count()


def test_a_filter_that_nobody_offers_filters_nothing(visit):
    assert visit("?paper=none&text=").locator(".filter-count").inner_text().startswith("70 of 70")


def test_rows_lead_to_their_evidence_and_more_are_a_click_away(visit):
    page = visit()
    assert page.locator("tbody a").first.get_attribute("href") == "e.html#one2025-c01"
    assert page.locator("tbody tr").count() == 15
    page.get_by_role("button", name="Show").click()
    assert page.locator("tbody tr").count() == 70
    assert page.get_by_role("button", name="Show").is_hidden()


@pytest.mark.parametrize("kind", ["CSV", "JSON"])
def test_what_is_listed_is_exported(visit, kind):
    page = visit("?paper=two2026")
    with page.expect_download() as started:
        page.get_by_role("button", name=kind).click()
    text = Path(started.value.path()).read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines(keepends=True))) if kind == "CSV" else json.loads(text)
    assert [row["id"] for row in rows] == [f"two2026-C{n:02d}" for n in range(1, 11)]
    assert rows[-1]["statement"] == HOSTILE
    assert float(rows[0]["computed"]) == 1.5


def test_the_page_is_short_fits_a_phone_and_axe_finds_nothing(visit):
    page = visit()
    for size in (WIDE, PHONE):
        page.set_viewport_size(size)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        assert page.evaluate("document.documentElement.scrollHeight") <= 4000
        assert not page.evaluate(RUN_AXE, {})


def test_without_scripts_the_verdicts_are_lists(address, browser):  # noqa: F811
    page = browser.new_page(java_script_enabled=False)
    page.goto(address)
    assert page.locator("summary").all_inner_texts() == [
        "Paper one2025: 60 claims, 60 agree",
        "Paper two2026: 10 claims, 10 differ",
    ]
    page.locator("summary").first.click()
    assert page.get_by_text("A statement of one2025, 3.").is_visible()
    page.close()


def test_every_stored_claim_is_a_row_with_the_chapters_title():
    one = claims("one2025", 1, "agrees")[0]
    cells = BeautifulSoup(verdict_table.row(one, "e.html"), "html.parser").tr
    assert cells.get_text("|", strip=True).startswith("one2025-C01|Sec. 1|a <b>")
    assert "(Yang et al., 2025)" in verdict_table.title("03-yang2025-evidence")
