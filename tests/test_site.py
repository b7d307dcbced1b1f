"""What a reader's browser finds: first in the files, then in Chromium where there is one."""

import contextlib
import functools
import http.server
import json
import re
import shutil
import threading
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import unquote, urljoin, urlsplit

import pytest
import teach
from bs4 import BeautifulSoup
from built_site import ROOT, SITE, built
from playwright.sync_api import sync_playwright

AXE = ROOT / "tests" / "vendor" / "axe-core" / "axe.min.js"
QUIET_CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# In axe's terms; the mode changes colours only, so in dark mode the rules on them suffice. They take most of the time.
ALL = {}
COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}
SHAPES = {"rules": {"color-contrast": {"enabled": False}, "link-in-text-block": {"enabled": False}}}
EVERYWHERE = [("PHONE", "light", ALL), ("PHONE", "dark", COLOURS), ("WIDE", "light", ALL), ("WIDE", "dark", COLOURS)]
SOMEWHERE = [("PHONE", "light", SHAPES), ("WIDE", "light", ALL), ("WIDE", "dark", COLOURS)]
THEME_MEASURES = 400  # milliseconds after which the theme has seen what scrolls
WIDE = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
SIZES = {"WIDE": WIDE, "PHONE": PHONE}
RAW_TEX = re.compile(r"\\[(\[]|\$\$|\\(?:frac|alpha|left|text)\b")


@pytest.fixture(scope="module")
def pages():
    """Return the parsed pages by their path below the site's root."""
    assert built(ROOT)
    site = ROOT / SITE
    return {
        path.relative_to(site).as_posix(): BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for path in sorted(site.rglob("*.html"))
        if "_static" not in path.parts
    }


def test_every_page_of_the_contents_is_built(pages):
    assert {"book/index.html", "search.html"} <= pages.keys()
    assert sum(page.startswith("chapters/") for page in pages) == len(list(ROOT.glob("chapters/*.ipynb")))


def test_internal_links_lead_somewhere(pages):
    anchors = {page: {tag["id"] for tag in soup.find_all(id=True)} for page, soup in pages.items()}
    broken = []
    for page, soup in pages.items():
        for address in [tag.get("href") or tag.get("src") for tag in soup.select("[href], [src]")]:
            target = urlsplit(urljoin(f"http://site/{page}", address))
            path, fragment = unquote(target.path).lstrip("/"), unquote(target.fragment)
            if target.netloc != "site":
                continue
            found = (ROOT / SITE / path).exists()
            if not found or (path in anchors and fragment and fragment not in anchors[path]):
                broken.append(f"{page}: {address}")
    assert not broken


def test_no_page_loads_from_another_host(pages):
    loads = "script[src], img[src], iframe[src], source[src], link[href]"
    addresses = [
        f"{page}: {address}"
        for page, soup in pages.items()
        for address in [tag.get("src") or tag.get("href") for tag in soup.select(loads)]
        if urlsplit(address).netloc
    ]
    styles = [
        f"{path.name}: {address}"
        for path in (ROOT / SITE).rglob("*.css")
        for address in re.findall(r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^'\")]+)", path.read_text("utf-8"))
    ]
    assert not addresses + styles


def test_every_image_has_a_text(pages):
    assert not [f"{page}: {tag}" for page, soup in pages.items() for tag in soup.select("img") if not tag.get("alt")]


def test_notebooks_lead_to_those_for_students(pages):
    maker = teach.Maker(ROOT)
    assert maker.pages
    for name in maker.pages:
        stem = name.rpartition("/")[2]
        menus = pages[f"{name}.html"].select(".article-header-buttons a[href]")
        addresses = {tag.get_text(strip=True): tag["href"] for tag in menus}
        assert addresses[".ipynb"] == f"{'../' * name.count('/')}notebooks/{stem}.ipynb"
        assert addresses["Colab"].endswith(f"/blob/{maker.ref}/book/teach/student/{stem}.ipynb")
        assert addresses["Binder"].endswith(f"/{maker.ref}?urlpath=lab/tree/lab/student/{stem}.ipynb")


def test_no_download_holds_a_solution():
    maker, site = teach.Maker(ROOT), ROOT / SITE
    downloads = {path.name: path.read_text(encoding="utf-8") for path in site.rglob("*.ipynb")}
    assert downloads.keys() == {f"{name.rpartition('/')[2]}.ipynb" for name in maker.pages}
    sources = [path.read_text(encoding="utf-8") for path in site.glob("_sources/**/*.md")]
    for page in maker.pages.values():
        elsewhere = "\n".join(part.text or part.cell.source for part in teach.parts(page) if part.kind != "solution")
        for part in teach.parts(page):
            if part.kind == "solution" and part.cell:
                lines = {line.strip() for line in part.cell.source.split("\n") if len(line.strip()) > 20}
                for line in {line for line in lines if line not in elsewhere}:
                    quoted = json.dumps(line)[1:-1]
                    own = downloads[f"{page.name.rpartition('/')[2]}.ipynb"]
                    assert line not in own, line
                    assert quoted not in own, line
                    assert not [text for text in sources if line in text], line


def test_references_have_the_numbers_of_the_site(pages):
    book = teach.Maker(ROOT).book
    prefixes = {"figure": ".caption-number", "exercise": ".caption-number", "equation": ".eqno"}
    for label, place in book.labels.items():
        if place.kind in prefixes and label in book.labels:
            anchor = f"equation-{label}" if place.kind == "equation" else label
            found = pages[f"{place.page}.html"].find(id=anchor)
            number = found.select_one(prefixes[place.kind]).get_text().strip(" (#)\xa0")
            assert number.split()[-1].strip("()#") == place.title.split()[-1], label


@dataclass
class Visit:
    """What a browser reported while it showed one page."""

    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    text: str = ""
    formulas: int = 0
    too_wide: int = 0
    dark_plates: list[str] = field(default_factory=list)
    axe: list[str] = field(default_factory=list)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serve files without a line per request."""

    def log_message(self, *_):
        """Say nothing."""


@contextlib.contextmanager
def served(folder):
    """Serve a folder on this machine, and give its address."""
    handler = functools.partial(QuietHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def address(pages):
    """Serve the site and return its address."""
    with served(ROOT / SITE) as found:
        yield found


@pytest.fixture(scope="module")
def browser():
    """Return a Chromium, the system's or the one that Playwright installed."""
    with sync_playwright() as playwright:
        names = ["chromium", "chromium-browser", "google-chrome", playwright.chromium.executable_path]
        found = next(filter(None, map(shutil.which, names)), None)
        if found is None:
            pytest.skip("there is no Chromium here, so the pages were not opened in a browser")
        opened = playwright.chromium.launch(executable_path=found, args=QUIET_CHROMIUM)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def visits(pages, address, browser):
    """Open every page once and note all that the tests ask about."""
    axe = AXE.read_text(encoding="utf-8")
    context = browser.new_context(color_scheme="light")
    # A page that only redirects shows nothing of its own.
    shown = [name for name, soup in pages.items() if not soup.select("meta[http-equiv=refresh i]")]
    found = {name: visit(context, address, name, axe, places(name)) for name in shown}
    context.close()
    return found


def places(name):
    """Return where axe reads a page: one that is made like another is read once, or with the slow tests only."""
    if (name.endswith("-evidence.html") or name.startswith("book/api/")) and not re.search("03-|serving", name):
        return []
    return SOMEWHERE[1:2] if name.startswith("chapters/") and "03-" not in name else SOMEWHERE


def visit(context, address, name, axe, where):
    """Open one page, and let axe read it in some widths and modes."""
    page, seen = context.new_page(), Visit()
    listen(page, seen, urlsplit(address).netloc)
    page.set_viewport_size(PHONE)
    page.goto(address + name, wait_until="load")
    page.evaluate("() => window.MathJax?.startup?.promise")
    seen.text = page.evaluate(READ_TEXT)
    seen.formulas = page.locator("mjx-container").count()
    if page.evaluate(OPEN_ALL):
        page.wait_for_timeout(THEME_MEASURES)
    seen.too_wide = page.evaluate("document.documentElement.scrollWidth") - PHONE["width"]
    page.add_style_tag(content="* { transition: none !important }")  # half-changed colours are not judged
    page.evaluate(axe)
    for size, mode, rules in where:
        page.set_viewport_size(SIZES[size])
        page.evaluate("mode => { document.documentElement.dataset.theme = mode }", mode)
        place = f"{name} ({mode}, {size.lower()})"
        seen.axe += [f"{place}: {finding}" for finding in page.evaluate(RUN_AXE, rules)]
    page.evaluate("() => { document.documentElement.dataset.theme = 'dark' }")
    seen.dark_plates = page.evaluate(DARK_PLATES)
    page.close()
    return seen


def listen(page, seen, own_host):
    """Note errors, failed requests and requests to any other host."""
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("console", lambda message: seen.errors.append(message.text) if message.type == "error" else None)
    page.on("requestfailed", lambda request: seen.errors.append(f"failed: {request.url}"))
    page.on("request", lambda request: seen.foreign.append(request.url) if foreign(request.url, own_host) else None)


def foreign(url, own_host):
    """Tell whether an address is on another host."""
    return urlsplit(url).scheme in {"http", "https", "ws", "wss"} and urlsplit(url).netloc != own_host


# What is shown as text, without code and without the formulas' own accessible copy.
READ_TEXT = """() => {
    const shown = document.querySelector('article, main').cloneNode(true);
    shown.querySelectorAll('pre, code, script, mjx-container').forEach(element => element.remove());
    return shown.textContent;
}"""

# Closed solutions and code are read, too.
OPEN_ALL = """() => {
    const closed = document.querySelectorAll(
        'article details:not([open]) > summary, article .toggle-hidden .toggle-button');
    closed.forEach(button => button.click());
    return closed.length;
}"""

RUN_AXE = """async rules => (await axe.run(document, {resultTypes: ['violations'], ...rules})).violations.flatMap(
    rule => rule.nodes.map(node => `${rule.id}: ${node.html.slice(0, 200)}`))"""

# Black lines need a light ground: each channel of the image's own background above 200.
DARK_PLATES = """() => [...document.querySelectorAll('article .cell_output img')]
    .filter(image => {
        const [red, green, blue, alpha = 1] = getComputedStyle(image).backgroundColor.match(/[\\d.]+/g).map(Number);
        return alpha < 1 || Math.min(red, green, blue) < 200;
    }).map(image => image.src)"""


def collect(visits, what):
    """Return what was noted under one heading, page by page."""
    return {name: getattr(seen, what) for name, seen in visits.items() if getattr(seen, what)}


def test_no_page_reports_an_error(visits):
    assert not collect(visits, "errors")


def test_no_page_asks_another_host(visits):
    assert not collect(visits, "foreign")


def test_formulas_are_typeset(visits, pages):
    expected = {name for name, soup in pages.items() if soup.select(".math")}
    assert expected
    assert expected == set(collect(visits, "formulas"))
    assert not {name: RAW_TEX.findall(seen.text) for name, seen in visits.items() if RAW_TEX.search(seen.text)}


def test_no_page_scrolls_sideways_on_a_phone(visits):
    assert not {name: seen.too_wide for name, seen in visits.items() if seen.too_wide > 0}


def test_figures_stay_on_a_light_plate_in_dark_mode(visits, pages):
    assert any(soup.select("article .cell_output img") for soup in pages.values())
    assert not collect(visits, "dark_plates")


def test_axe_finds_nothing(visits):
    findings = collect(visits, "axe")
    by_rule = Counter(finding.split(": ")[1] for page in findings.values() for finding in page)
    assert not findings, by_rule


@pytest.fixture(scope="module")
def first_screens(pages, address, browser):
    """Open each chapter as a reader with a wide screen does, and measure where its beginning stands, in pixels."""
    context, found = browser.new_context(viewport=WIDE), {}
    for name in pages:
        if name.startswith("chapters/") and not name.endswith("-evidence.html"):
            page = context.new_page()
            page.goto(address + name, wait_until="load")
            page.evaluate("() => window.MathJax?.startup?.promise")
            found[name] = page.evaluate(MEASURES)
            page.close()
    context.close()
    return found


MEASURES = """() => {
    const end = name => document.querySelector(`article ${name}`)?.getBoundingClientRect().bottom ?? Infinity;
    return {answer: end('.answer'), bar: end('.verdicts'),
            figure: document.querySelector('article .cell_output img')?.getBoundingClientRect().top ?? Infinity,
            height: document.querySelector('article').getBoundingClientRect().height};
}"""


def test_a_chapter_begins_with_its_answer_its_verdicts_and_a_figure(first_screens):
    assert first_screens
    late = {
        name: seen for name, seen in first_screens.items() if max(seen["answer"], seen["bar"], seen["figure"]) > 900
    }
    assert not late


def test_a_chapter_is_not_longer_than_sixteen_screens(first_screens):
    assert not {name: seen["height"] for name, seen in first_screens.items() if seen["height"] > 16_000}


@pytest.mark.slow
def test_axe_finds_nothing_on_any_page_in_any_width_and_mode(pages, address, browser):
    axe, context = AXE.read_text(encoding="utf-8"), browser.new_context(color_scheme="light")
    shown = [name for name, soup in pages.items() if not soup.select("meta[http-equiv=refresh i]")]
    findings = [finding for name in shown for finding in visit(context, address, name, axe, EVERYWHERE).axe]
    context.close()
    assert not findings


def test_search_finds_a_page(address, browser, pages):
    name = next(name for name in pages if name.startswith("chapters/"))
    word = max(re.findall(r"[a-z]+", pages[name].h1.get_text().lower()), key=len)
    page = browser.new_page()
    page.goto(f"{address}search.html?q={word}")
    page.wait_for_selector("#search-results li a")
    links = page.eval_on_selector_all("#search-results li a", "links => links.map(link => link.pathname)")
    page.close()
    assert f"/{name}" in links
