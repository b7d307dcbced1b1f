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
from itertools import pairwise
from urllib.parse import unquote, urljoin, urlsplit

import pytest
import teach
from bs4 import BeautifulSoup
from built_site import ROOT, SITE, built
from playwright.sync_api import TimeoutError, sync_playwright

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
# A token of code or of a formula has the colours of the first of its kind: a later block without a new one is left out.
FIRST = COLOURS | {"exclude": ["[data-nothing-new]"]}
SOMEWHERE = [("PHONE", "light", SHAPES), ("WIDE", "light", SHAPES), ("WIDE", "light", FIRST), ("WIDE", "dark", FIRST)]
# One page of each kind; the slow tests open all.
KINDS = {
    "book/index.html",
    "book/claims.html",
    "book/api/teaching.html",
    "chapters/07-budget.html",
    "chapters/07-budget-evidence.html",
}
AT_MOST = 60_000  # milliseconds that a page may take to see what scrolls in it; only a fault waits so long
WIDE = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
HEAVIEST = 1_500_000  # bytes of a page and all that it loads
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
    for images, name in (("img:not([role=img] *)", "alt"), ("[role=img]", "aria-label")):
        assert not [
            f"{page}: {tag}" for page, soup in pages.items() for tag in soup.select(images) if not tag.get(name)
        ]


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
    asked: set[str] = field(default_factory=set)
    text: str = ""
    formulas: int = 0
    off_centre: list[str] = field(default_factory=list)
    beginning: dict[str, float] = field(default_factory=dict)
    too_wide: int = 0
    cut: list[str] = field(default_factory=list)
    silent_frames: list[str] = field(default_factory=list)
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
def tab(browser):
    """Return one tab that has axe on every page."""
    context = browser.new_context(color_scheme="light")
    context.add_init_script(path=AXE)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module", params=["one of each kind", pytest.param("all", marks=pytest.mark.slow)])
def visits(request, pages, address, tab):
    """Open pages once and note all that the tests ask about."""
    if request.param != "all":
        return {name: visit(tab, address, name, SOMEWHERE) for name in sorted(KINDS)}
    return {name: visit(tab, address, name, EVERYWHERE) for name, soup in pages.items() if not redirects(soup)}


def redirects(soup):
    """Tell whether a page shows nothing of its own."""
    return bool(soup.select("meta[http-equiv=refresh i]"))


def visit(page, address, name, where):
    """Show one page wide, on a phone, and with all parts opened, where axe reads it in some widths and modes."""
    seen = Visit()
    with listening(page, seen, urlsplit(address).netloc):
        page.set_viewport_size(WIDE)
        page.goto(address + name, wait_until="load")
        page.evaluate("() => document.fonts.ready")
        seen.text = page.evaluate(READ_TEXT)
        seen.formulas = page.locator(".katex").count()
        seen.beginning = page.evaluate(BEGINNING)
        seen.off_centre = page.evaluate(OFF_CENTRE)
        page.set_viewport_size(PHONE)
        seen.cut = page.evaluate(CUT) + page.evaluate(LOST)
        page.add_style_tag(content=STILL)
        page.evaluate(OPEN_ALL)
        with contextlib.suppress(TimeoutError):
            page.wait_for_function(f"!({SILENT_FRAMES})().length", timeout=AT_MOST)
        seen.too_wide = page.evaluate("document.documentElement.scrollWidth") - PHONE["width"]
        seen.silent_frames = page.evaluate(SILENT_FRAMES)
        page.evaluate(MARK_CODE)
        for size, mode, rules in where:
            page.set_viewport_size(SIZES[size])
            page.evaluate("mode => { document.documentElement.dataset.theme = mode }", mode)
            place = f"{name} ({mode}, {size.lower()})"
            seen.axe += [f"{place}: {finding}" for finding in page.evaluate(RUN_AXE, rules)]
        page.evaluate("() => { document.documentElement.dataset.theme = 'dark' }")
        seen.dark_plates = page.evaluate(DARK_PLATES)
    return seen


@contextlib.contextmanager
def listening(page, seen, own_host):
    """Note errors, failed requests, and requests to this and to any other host, for a while."""

    def asked(request):
        (seen.foreign.append if foreign(request.url, own_host) else seen.asked.add)(request.url)

    listeners = {
        "pageerror": lambda error: seen.errors.append(str(error)),
        "console": lambda message: seen.errors.append(message.text) if message.type == "error" else None,
        "requestfailed": lambda request: seen.errors.append(f"failed: {request.url}"),
        "request": asked,
    }
    for event, listener in listeners.items():
        page.on(event, listener)
    yield
    for event, listener in listeners.items():
        page.remove_listener(event, listener)


def foreign(url, own_host):
    """Tell whether an address is on another host."""
    return urlsplit(url).scheme in {"http", "https", "ws", "wss"} and urlsplit(url).netloc != own_host


# What is shown as text, without code and without the formulas' own accessible copy.
READ_TEXT = """() => {
    const shown = document.querySelector('article, main').cloneNode(true);
    shown.querySelectorAll('pre, code, script, .katex').forEach(element => element.remove());
    return shown.textContent;
}"""

# Where the beginning of a page stands, in pixels.
BEGINNING = """() => {
    const end = name => document.querySelector(`article ${name}`)?.getBoundingClientRect().bottom ?? Infinity;
    return {answer: end('.answer'), bar: end('.verdicts'),
            figure: document.querySelector('article .cell_output img')?.getBoundingClientRect().top ?? Infinity,
            height: document.querySelector('article')?.getBoundingClientRect().height ?? 0};
}"""

# A figure that is seen is seen whole, and what opens it at full size can be pressed below it.
CUT = """() => [...document.querySelectorAll('article .cell_output img')]
    .filter(image => image.checkVisibility() && !image.closest('.lead-figure'))
    .filter(image => {
        const {left, right, bottom} = image.getBoundingClientRect();
        const opener = image.closest('.picture')?.querySelector('.full-size > summary');
        return left < 0 || right > innerWidth || !(opener?.getBoundingClientRect().top >= bottom);
    }).map(image => image.src)"""

# A formula that is wider than its frame begins in it, as no scrolling reaches what is left of it.
LOST = """() => [...document.querySelectorAll('article div.math .base')]
    .filter(part => part.getBoundingClientRect().left < part.closest('div.math').getBoundingClientRect().left - 1)
    .map(part => part.closest('div.math').id)"""

# An equation stands in the middle of its line, but for what its number takes.
OFF_CENTRE = """() => [...document.querySelectorAll('article div.math')].filter(frame => {
    const parts = [...frame.querySelectorAll('.base')].map(part => part.getBoundingClientRect());
    const {left, right} = frame.getBoundingClientRect();
    const middle = (Math.min(...parts.map(part => part.left)) + Math.max(...parts.map(part => part.right))) / 2;
    return right > left && Math.abs(middle - (left + right) / 2) > (right - left) / 10;
}).map(frame => frame.id)"""

# Closed solutions, code and figures at full size are read, too.
OPEN_ALL = """() => document.querySelectorAll(
    'article details:not([open]) > summary, article .toggle-hidden .toggle-button').forEach(button => button.click())"""

# What scrolls sideways is reached by keyboard, and says so; formulas and code are seen to go on.
SILENT_FRAMES = """() => [...document.querySelectorAll('article :is(div, pre, table, figure, section, details)')]
    .filter(frame => /auto|scroll/.test(getComputedStyle(frame).overflowX) && frame.scrollWidth > frame.clientWidth)
    .filter(frame => frame.checkVisibility() && (frame.tabIndex < 0 || !(frame.closest('pre, div.math')
        || frame.querySelector('pre') || getComputedStyle(frame, '::before').content.includes('sideways'))))
    .map(frame => frame.outerHTML.slice(0, 200))"""

# What opens or changes its colours does so at once: half-changed colours are not judged.
STILL = "*, ::before, ::after { transition: none !important; animation: none !important }"

# Marks blocks of code and formulas in plain text whose kinds of tokens all stand before them.
MARK_CODE = """() => {
    const seen = new Set();
    for (const block of document.querySelectorAll('article div.highlight, article section > p > .math')) {
        const kinds = [...block.querySelectorAll('span')].map(token => token.className);
        if (seen.size && kinds.every(kind => seen.has(kind))) block.dataset.nothingNew = '';
        kinds.forEach(kind => seen.add(kind));
    }
}"""

RUN_AXE = """async ({exclude = [], ...rules}) => {
    const found = await axe.run({include: ['html'], exclude}, {resultTypes: ['violations'], ...rules});
    return found.violations.flatMap(rule => rule.nodes.map(node => `${rule.id}: ${node.html.slice(0, 200)}`));
}"""

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
    expected = {name: len(pages[name].select(".math")) for name in visits}
    assert any(expected.values())
    assert {name: seen.formulas for name, seen in visits.items()} == expected
    assert not {name: RAW_TEX.findall(seen.text) for name, seen in visits.items() if RAW_TEX.search(seen.text)}


def test_equations_stand_in_the_middle(visits):
    assert not collect(visits, "off_centre")


def test_no_page_scrolls_sideways_on_a_phone(visits):
    assert not {name: seen.too_wide for name, seen in visits.items() if seen.too_wide > 0}


def test_figures_stay_on_a_light_plate_in_dark_mode(visits, pages):
    assert any(soup.select("article .cell_output img") for soup in pages.values())
    assert not collect(visits, "dark_plates")


def test_axe_finds_nothing(visits):
    assert visits.keys() >= KINDS
    findings = collect(visits, "axe")
    by_rule = Counter(finding.split(": ")[1] for page in findings.values() for finding in page)
    assert not findings, by_rule


def test_a_phone_shows_formulas_from_their_beginning_and_figures_whole_to_open_at_full_size(visits, pages):
    assert any(soup.select("article .cell_output img") for soup in pages.values())
    assert not collect(visits, "cut")


def test_what_scrolls_sideways_says_so_and_is_reached_by_keyboard(visits):
    assert not collect(visits, "silent_frames")


@pytest.fixture(scope="module")
def chapters(visits):
    """Return what was seen of the chapters without their evidence."""
    return {
        name: seen
        for name, seen in visits.items()
        if name.startswith("chapters/") and not name.endswith("-evidence.html")
    }


def test_a_chapter_begins_with_its_answer_its_verdicts_and_a_figure(chapters):
    assert chapters
    begins = {
        name: {part: seen.beginning[part] for part in ("answer", "bar", "figure")} for name, seen in chapters.items()
    }
    assert not {name: parts for name, parts in begins.items() if max(parts.values()) > WIDE["height"]}


def test_a_chapter_is_not_longer_than_sixteen_screens(chapters):
    heights = {name: seen.beginning["height"] for name, seen in chapters.items()}
    assert not {name: height for name, height in heights.items() if height > 16_000}


def test_no_page_is_heavy(visits):
    files = {name: {unquote(urlsplit(url).path).lstrip("/") for url in seen.asked} for name, seen in visits.items()}
    weights = {name: sum((ROOT / SITE / path).stat().st_size for path in asked) for name, asked in files.items()}
    assert all(name in asked for name, asked in files.items())
    assert not {name: weight for name, weight in weights.items() if weight > HEAVIEST}


def test_a_figure_opens_at_full_size_by_keyboard(pages, address, tab):
    name = next(name for name, soup in pages.items() if soup.select("article .full-size"))
    tab.set_viewport_size(PHONE)
    tab.goto(address + name, wait_until="load")
    picture = tab.locator(".picture").first
    small = picture.locator("> .panels" if picture.locator("> .panels").count() else "> img")
    opener, frame = picture.locator("summary"), picture.locator("details > div")
    assert frame.is_hidden()
    opener.press("Enter")
    tab.wait_for_selector(".full-size .scrolls")
    assert small.is_hidden()
    assert frame.locator("img").evaluate("image => image.clientWidth >= image.naturalWidth")
    opener.press("Tab")
    assert tab.evaluate("document.activeElement.matches('.full-size .scrolls')")
    tab.keyboard.press("ArrowRight")
    tab.wait_for_function("document.activeElement.scrollLeft > 0")
    opener.press("Enter")
    assert small.is_visible()


def test_a_phone_shows_panels_one_below_the_other(pages, address, tab):
    name = next(name for name, soup in pages.items() if soup.select("article .panels"))
    tab.set_viewport_size(PHONE)
    tab.goto(address + name, wait_until="load")
    picture = tab.locator(".picture:has(> .panels)").first
    assert picture.locator("> img").is_hidden()
    boxes = [panel.bounding_box() for panel in picture.locator("> .panels > img").all()]
    assert len(boxes) > 1
    assert all(upper["y"] + upper["height"] <= lower["y"] for upper, lower in pairwise(boxes))
    assert {box["width"] for box in boxes} == {picture.bounding_box()["width"]}
    tab.set_viewport_size(WIDE)
    assert picture.locator("> .panels").is_hidden()
    assert picture.locator("> img").is_visible()


def test_search_finds_a_page(address, tab, pages):
    name = next(name for name in pages if name.startswith("chapters/"))
    word = max(re.findall(r"[a-z]+", pages[name].h1.get_text().lower()), key=len)
    tab.goto(f"{address}search.html?q={word}")
    # Results come one after the other; without this one the wait ends in an error.
    found = tab.wait_for_selector(f"#search-results li a[href*='{name}']")
    assert found.evaluate("link => link.pathname") == f"/{name}"
