"""A chapter, its sections and its figures carry the number that its file begins with."""

import re

import pytest
from bs4 import BeautifulSoup
from built_site import ROOT, SITE, built


@pytest.mark.parametrize("name", [path.stem for path in sorted(ROOT.glob("chapters/[0-9]*.ipynb"))])
def test_numbers_of_a_page_are_those_of_its_file(name):
    assert built(ROOT)
    page = BeautifulSoup((ROOT / SITE / "chapters" / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
    spans = page.select("article .section-number, article .caption-number")
    numbers = {re.search(r"\d+", span.text)[0] for span in spans}
    assert numbers == {str(int(name[:2]))}
    entry = next(link.text for link in page.select("nav a.current.reference.internal"))
    assert entry.startswith(f"{int(name[:2])}.")
