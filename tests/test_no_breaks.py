"""What reads as one stays on one line of a built page."""

import sys

import pytest
from bs4 import BeautifulSoup

from moelaws.paths import ROOT

sys.path.insert(0, str(ROOT / "book" / "_ext"))
from no_breaks import unbreak

MATH = '<span class="math">\\(a = 5 %\\)</span>'


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            "Eq. 4 gives 5 % (Fig. 2, Table 3 of 7 figures)",
            "Eq.\u00a04 gives 5\u00a0% (Fig.\u00a02, Table\u00a03 of 7 figures)",
        ),
        ("a = <b>3 %</b>, b = c", "a\u00a0=\u00a0<b>3\u00a0%</b>, b = c"),
        (f"{MATH} = <b>3 %</b>, and", f'<span class="held">{MATH}\u00a0=\u00a0<b>3\u00a0%</b></span>, and'),
        (f"{MATH} = 8192 and 5 % more", f'<span class="held">{MATH} = 8192</span> and 5\u00a0% more'),
        (f"{MATH} is 3", f"{MATH} is 3"),
        ("<code>Eq. 4: 5 %</code>", "<code>Eq. 4: 5 %</code>"),
    ],
)
def test_what_reads_as_one_is_held_together(given, expected):
    page = BeautifulSoup(f"<p>5 %</p><article>{given}</article>", "html.parser")
    unbreak(page)
    assert str(page) == f"<p>5 %</p><article>{expected}</article>"
