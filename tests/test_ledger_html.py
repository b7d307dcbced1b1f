"""How verdicts look: the markup of a card and of a table, and which digits are shown."""

import numpy as np
import pytest

from moelaws.ledger import html
from moelaws.ledger.claims import Ledger

CLAIM = {
    "id": "a-C01",
    "place": "Table <1>",
    "kind": "number",
    "statement": "x < 1 & y",
    "printed": "28 <",
    "unit": "%",
}
CLAIM |= {"computed": 28.5714, "verdict": "close", "tolerance": "1", "note": "2 > 1"}
HEAD = (
    '<table class="claims"><thead><tr><th scope="col">Claim</th><th scope="col">Statement</th>'
    '<th scope="col">Printed</th><th scope="col">Computed</th></tr></thead><tbody>'
)


@pytest.mark.parametrize(
    ("computed", "text"),
    [
        (None, "–"),
        (True, "holds"),
        (False, "does not hold"),
        (0.0, "0"),
        (999.94, "999.9"),
        (1000.4, "1000"),
        (123456.7, "123457"),
        (-1234.4, "-1234"),
        (-0.123456, "-0.1235"),
        ([1.5, 20000], "1.5; 20000"),
        ([8, 7, 6, 5, 4, 3, 2, 1], "8; 7; 6; 5; 4; 3; 2; 1"),
        ([9, 8, 7, 6, 5, 4, 3, 12345.6, 0.25], "0.25 … 12346 (9 values)"),
        (np.array([2.0, 3.0]), "2; 3"),
    ],
)
def test_digits_that_are_shown(computed, text):
    assert html.shown(computed) == text


def test_a_badge_names_its_verdict_in_text_and_class():
    assert html.badge("agrees") == '<span class="verdict verdict-agrees">agrees</span>'


def test_a_card():
    assert html.card(CLAIM) == (
        '<p class="claim"><strong>a-C01</strong> <span class="verdict verdict-close">close</span> x &lt; 1 &amp; y<br>'
        "Printed: 28 &lt; · computed: 28.57 %<br>2 &gt; 1</p>"
    )


@pytest.mark.parametrize("computed", [True, False, None])
def test_a_card_of_a_statement_compares_nothing(computed):
    card = html.card(CLAIM | {"computed": computed, "note": ""})
    assert card.endswith("</span> x &lt; 1 &amp; y</p>")


def test_a_card_without_a_unit():
    assert "computed: 28.57<br>" in html.card(CLAIM | {"unit": ""})


def test_a_row_of_the_table():
    row = (
        '<tr id="a-C01"><td><span class="verdict verdict-close">close</span> a-C01<br>Table &lt;1&gt;</td>'
        '<td>x &lt; 1 &amp; y<br><span class="note">2 &gt; 1</span></td>'
        '<td data-label="Printed">28 &lt;</td><td data-label="Computed">28.57 %</td></tr>'
    )
    assert html.table([CLAIM]) == f"{HEAD}{row}</tbody></table>"
    assert html.table([CLAIM, CLAIM]) == f"{HEAD}{row}{row}</tbody></table>"


@pytest.mark.parametrize(
    ("changes", "cell"),
    [
        ({"unit": ""}, "28.57"),
        ({"computed": True}, "holds"),
        ({"computed": False}, "does not hold"),
        ({"computed": None}, "–"),
        ({"unit": "<b>"}, "28.57 &lt;b&gt;"),
    ],
)
def test_a_unit_stands_behind_numbers_only(changes, cell):
    assert html.table([CLAIM | changes]).endswith(f'<td data-label="Computed">{cell}</td></tr></tbody></table>')


def test_a_row_without_a_note():
    assert "<td>x &lt; 1 &amp; y</td>" in html.table([CLAIM | {"note": ""}])


def test_what_a_notebook_stores_of_a_ledger():
    """The text counts verdicts from best to worst; the table and the plain rows hold the same decisions."""
    ledger = Ledger("yang2025")
    ledger.cannot("yang2025-C32", reason="not public")
    ledger.check("yang2025-C26", 43.5644, note="its own sizes")
    ledger.check("yang2025-C41", True, note="seen")
    stored = ledger._repr_mimebundle_()
    assert stored["text/plain"] == "yang2025: 1 agrees, 0 close, 1 differs, 1 cannot"
    rows = stored["application/vnd.moelaws.claims+json"]
    assert rows["paper"] == "yang2025"
    assert [(row["id"], row["computed"], row["verdict"]) for row in rows["claims"]] == [
        ("yang2025-C26", 43.5644, "differs"),
        ("yang2025-C32", None, "cannot"),
        ("yang2025-C41", True, "agrees"),
    ]
    assert stored["text/html"] == html.table(rows["claims"])


def test_how_a_decision_is_shown():
    decision = Ledger("yang2025").check("yang2025-C26", 43.5644, note="its own sizes")
    assert repr(decision) == "yang2025-C26 differs: printed 45.6, computed 43.5644"
    assert decision._repr_html_().startswith('<p class="claim"><strong>yang2025-C26</strong> <span class="verdict verd')
    assert decision._repr_html_().endswith("<br>its own sizes</p>")
    statement = Ledger("yang2025").check("yang2025-C41", True, note="seen")
    assert repr(statement) == "yang2025-C41 agrees: printed a statement, computed True"
