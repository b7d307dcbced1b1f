"""Mend the built pages where theme and extensions leave a keyboard or screen reader user stuck.

Each page is parsed once, for these mends and for those of :mod:`narrow_figures` and :mod:`no_breaks`.
"""

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bs4 import BeautifulSoup
from narrow_figures import FRAME, offer_all
from no_breaks import unbreak
from sphinx.application import Sphinx


def mend(soup):
    """Change one parsed page in place; a page that was mended before stays as it is.

    Parameters
    ----------
    soup : bs4.BeautifulSoup
        The page.
    """
    # A label that differs from the words on the button: speaking those words would not press it.
    for tag in soup.select("article summary[aria-label]"):
        del tag["aria-label"]
    # What opens the pages below one in the side bar is an arrow without a word.
    for tag in soup.select("nav summary"):
        if not tag.get_text(strip=True):
            tag["aria-label"] = "Pages below"
    # The logo stands beside the landmarks of the side bar, where jumping between them misses it.
    for logo in soup.select(".sidebar-primary-item:has(> .navbar-brand)"):
        logo["role"] = "navigation"
        logo["aria-label"] = "Home page"
    # The role of a bibliography entry is deprecated, and no list may hold it.
    for entry in soup.select("[role=doc-biblioentry]"):
        entry["role"] = "listitem"
    # The corner of a table heads nothing.
    for cell in soup.select("th:empty"):
        cell.name = "td"
    # Markdown cannot write a table without a head, so an empty one stands for none.
    for head in soup.select("article thead"):
        if not head.get_text(strip=True):
            head.decompose()
    # Tables of other makers have no scopes and no names; a table takes its name from the heading above it.
    for table in soup.select("article table"):
        for cell in table.select("th:not([scope])"):
            cell["scope"] = (
                ("colgroup" if int(cell.get("colspan", 1)) > 1 else "col") if cell.find_parent("thead") else "row"
            )
        if not table.caption and not table.get("aria-label"):
            name_table(soup, table)
    # A table too wide for a phone scrolls in a frame of its own, which a11y.js makes reachable by keyboard.
    for table in soup.select("article table"):
        if not table.find_parent(class_=FRAME):
            table.wrap(soup.new_tag("div", attrs={"class": FRAME}))
    # Icons say nothing that their buttons do not say.
    for icon in soup.select('i[class*="fa-"]'):
        icon["aria-hidden"] = "true"


def name_table(soup, table):
    """Give a table a caption that only screen readers speak: the heading above it, and its number there."""
    heading = table.find_previous(["h1", "h2", "h3", "h4"])
    before = (
        table.find_all_previous("table")
        if heading is None
        else [other for other in table.find_all_previous("table") if other.find_previous(heading.name) is heading]
    )
    words = heading.get_text(" ", strip=True).removesuffix("#").strip() if heading else "Table"
    caption = soup.new_tag("caption", attrs={"class": "visually-hidden"})
    caption.string = f"{words}, table {len(before) + 1}"
    table.insert(0, caption)


def mend_page(path, notebook):
    """Mend the page in a file, which was made from a notebook or from a text."""
    soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    if notebook:
        offer_all(soup, path.parent, notebook)
    mend(soup)
    unbreak(soup)
    path.write_text(str(soup), encoding="utf-8")


def mend_pages(app, exception):
    """Mend every page of a finished HTML build."""
    if exception is None and app.builder.format == "html":
        pages = sorted(Path(app.outdir).rglob("*.html"), key=lambda path: path.stat().st_size, reverse=True)
        texts = {Path(app.outdir, f"{name}.html"): Path(app.env.doc2path(name)) for name in app.env.found_docs}
        notebooks = {page: text for page, text in texts.items() if text.suffix == ".ipynb"}
        with ProcessPoolExecutor() as pool:
            list(pool.map(mend_page, pages, map(notebooks.get, pages)))


def setup(app: Sphinx):
    """Register with Sphinx."""
    app.connect("build-finished", mend_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
