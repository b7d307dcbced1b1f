"""The built site as one reads it: search, heads of pages, focus, explorers where their cells are."""

import pytest
from built_site import ROOT
from test_site import WIDE, address, browser, pages  # noqa: F401

EXPLORER = "tag_explorer-"


@pytest.fixture
def page(browser):  # noqa: F811
    opened = browser.new_page(viewport=WIDE)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("word", "chapter"),
    [
        ("granularity", "02-tian2025"),
        ("chinchilla", "00-fitting"),
        ("throughput", "03-yang2025"),
        ("over-training", "01-yun2024"),
    ],
)
def test_the_search_finds_the_chapter_first(address, page, word, chapter):  # noqa: F811
    page.goto(f"{address}search.html?q={word}")
    page.wait_for_selector("#search-results li a")
    assert page.locator("#search-results li > a").first.get_attribute("href").startswith(f"chapters/{chapter}.html")


def test_every_page_of_text_has_a_title_and_a_description(pages):  # noqa: F811
    texts = {name: soup for name, soup in pages.items() if name.startswith(("chapters/", "book/"))}
    titles = [soup.title.get_text() for soup in texts.values()]
    assert len(set(titles)) == len(titles)
    assert not [title for title in titles if title[0].isdigit()]
    for property_ in ('name="description"', 'property="og:title"', 'property="og:image"'):
        assert not [name for name, soup in texts.items() if not soup.select(f"meta[{property_}][content]")]
    described = [soup.select_one('meta[name="description"]')["content"] for soup in texts.values()]
    assert all(described)


def test_every_table_has_a_name_and_scopes(pages):  # noqa: F811
    tables = [(name, table) for name, soup in pages.items() for table in soup.select("article table")]
    assert tables
    assert not [name for name, table in tables if not table.caption and not table.get("aria-label")]
    assert not [name for name, table in tables if table.select("th:not([scope])")]


def test_no_fold_says_that_it_hides_a_source(pages):  # noqa: F811
    labels = [mark.get_text() for soup in pages.values() for mark in soup.select("details.hide summary p")]
    assert labels
    assert not [label for label in labels if "code cell source" in label]


def test_a_page_loads_the_scripts_of_its_explorers_and_no_others(pages):  # noqa: F811
    for name, soup in pages.items():
        cells = {mark.removeprefix(EXPLORER) for cell in soup.select(f"[class*={EXPLORER}]") for mark in cell["class"]
                 if mark.startswith(EXPLORER)}  # fmt: skip
        scripts = {tag["src"].split("explorers/")[1].split("?")[0] for tag in soup.select("script[src*='explorers/']")}
        expected = {"draw.js"} | {part for key in cells for part in (f"{key}-data.js", f"{key}.js")} if cells else set()
        assert scripts == expected, name


def test_the_first_page_has_a_law_that_moves(address, page):  # noqa: F811
    page.goto(f"{address}book/index.html")
    page.wait_for_selector(".explorer-chart")
    assert page.locator(".lead-figure").count() >= 4
    assert page.locator(".verdicts").count() >= 4


def test_the_focus_is_seen_on_the_buttons_of_the_head(address, page):  # noqa: F811
    page.goto(f"{address}book/notation.html")
    buttons = page.locator(".header-article-items button:visible")
    assert buttons.count()
    for place in range(buttons.count()):
        buttons.nth(place).focus()
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Tab")
        style = page.evaluate("getComputedStyle(document.activeElement).outline")
        assert "solid" in style
        assert "3px" in style


def test_the_page_of_all_verdicts_is_short(address, page):  # noqa: F811
    page.goto(f"{address}book/claims.html")
    page.wait_for_selector(".filter-count")
    assert page.evaluate("document.documentElement.scrollHeight") <= 4000
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollHeight") <= 4000
    assert (ROOT / "_build/html/_static/verdicts.csv").exists()
