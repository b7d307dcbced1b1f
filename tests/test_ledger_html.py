"""How verdicts look: the markup of a card, a bar and a pill, and which digits are shown."""

import numpy as np
import pytest
from bs4 import BeautifulSoup

from moelaws.errors import InputError
from moelaws.ledger import Ledger, html

CLAIM = {
    "id": "a2025-C01",
    "place": "Table <1>",
    "statement": "x < 1 & y",
    "printed": "28 <",
    "unit": "%",
    "values": ["28"],
    "computed": 28.5714,
    "intervals": [],
    "verdicts": ["close"],
    "verdict": "close",
    "evidence": "recomputed",
    "criterion": "two in seven",
    "note": "2 > 1",
}


def parsed(markup):
    return BeautifulSoup(markup, "html.parser")


@pytest.mark.parametrize(
    ("computed", "text"),
    [
        (None, "–"),
        (True, "holds"),
        (False, "does not hold"),
        (0.0, "0"),
        (999.94, "999.9"),
        (1000.4, "1,000"),
        (123456.7, "123,457"),
        (-1234.4, "-1,234"),
        (-0.123456, "-0.1235"),
        ([1.5, 20000], "1.5; 20,000"),
        ([8, 7, 6, 5, 4, 3, 2, 1], "8; 7; 6; 5; 4; 3; 2; 1"),
        ([9, 8, 7, 6, 5, 4, 3, 12345.6, 0.25], "0.25 … 12,346 (9 values)"),
        (np.array([2.0, 3.0]), "2; 3"),
        (7.113e8, "7.113 × 10⁸"),
        (4.2e-4, "4.200 × 10⁻⁴"),
        (float("inf"), "inf"),
    ],
)
def test_digits_that_are_shown(computed, text):
    assert html.shown(computed) == text


@pytest.mark.parametrize(
    ("value", "printed", "text"),
    [
        (43.5644, "45.6", "43.56"),
        (8448.0, "8448", "8,448"),
        (8448.37, "8448", "8,448.4"),
        (3.0, "3.0", "3.00"),
        (2.54, ">=2", "2.5"),
        (3.19, "3.21±0.03", "3.190"),
        (7.1134e8, "7.1e8", "7.11 × 10⁸"),
        (0.00042, "0.0004", "4.2 × 10⁻⁴"),
        (0.0, "0.0", "0.00"),
    ],
)
def test_a_computed_number_has_one_digit_more_than_the_printed(value, printed, text):
    assert html.number(value, printed) == text


def test_a_badge_names_its_verdict_in_text_and_class():
    assert html.badge("agrees") == '<span class="verdict verdict-agrees">agrees</span>'
    assert html.badge("differs", "model") == '<span class="verdict verdict-differs">our model differs</span>'
    assert html.badge("close", "identity") == '<span class="verdict verdict-uncounted">by definition</span>'
    assert html.badge("agrees", "input") == '<span class="verdict verdict-uncounted">input</span>'
    assert html.badge("cannot", "input") == '<span class="verdict verdict-cannot">cannot</span>'
    assert html.badge("agrees", "model") == '<span class="verdict verdict-agrees">agrees</span>'


def test_a_card_says_all_that_the_verdict_rests_on():
    card = parsed(html.card(CLAIM, "def two():\n    return 1 < 2\n"))
    assert card.div["id"] == "a2025-c01"
    assert card.select_one("a")["href"] == "#a2025-c01"
    assert [
        card.select_one(part).text for part in (".verdict", ".kind", ".place", ".note", ".criterion", "summary", "pre")
    ] == [
        "close",
        "recomputed",
        "Table <1>",
        "2 > 1",
        "Criterion: two in seven",
        "Code of C01",
        "def two():\n    return 1 < 2",
    ]
    assert [cell.text for cell in card.select("th, td")] == ["Printed (%)", "Computed", "28", "28.6"]
    assert "x < 1 & y" in card.text


@pytest.mark.parametrize("computed", [True, False, None])
def test_a_card_of_a_statement_compares_nothing(computed):
    card = parsed(html.card(CLAIM | {"computed": computed, "note": "", "evidence": ""}))
    assert not card.select("table, .note, .kind, details")


def test_a_card_of_several_numbers_has_a_verdict_and_an_interval_for_each():
    several = {"values": ["28", ">=3"], "computed": [28.6, 2.0], "verdicts": ["close", "differs"], "unit": "1"}
    cells = [cell.text for cell in parsed(html.card(CLAIM | several)).select("th, td")]
    assert cells == ["Printed", "Computed", "Verdict", "28", "28.6", "close", ">=3", "2", "differs"]
    cells = [
        cell.text for cell in parsed(html.card(CLAIM | several | {"intervals": [[27, 30.5], [1, 4]]})).select("td")
    ]
    assert cells == ["28", "28.6", "27 to 30.5", "close", ">=3", "2", "1 to 4", "differs"]


def test_a_long_list_is_counted_and_folded():
    many = {"values": ["1"] * 9, "computed": [1.0] * 8 + [2.0], "verdicts": ["agrees"] * 8 + ["differs"]}
    card = parsed(html.card(CLAIM | many))
    assert card.select_one("details > summary").text == "9 numbers: 8 agree, 1 differs"
    assert len(card.select("details tbody tr")) == 9


def test_a_bar_counts_apart_what_is_not_agreement():
    kinds = [("agrees", "recomputed"), ("agrees", "reading"), ("agrees", "identity"), ("differs", "input")]
    kinds += [("differs", "model"), ("differs", "runs"), ("cannot", "")]
    claims = [CLAIM | {"verdict": verdict, "evidence": evidence} for verdict, evidence in kinds]
    bar = parsed(html.counts(claims, "page.html?a=1&b=2"))
    assert [item.text for item in bar.select("li")] == [
        "7 claims checked:",
        "2 agree",
        "1 differ",
        "1 our model differs",
        "1 cannot be decided",
        "2 true by definition or input",
    ]
    assert [part["style"] for part in bar.select(".bar > .part")] == [f"flex-grow:{n}" for n in (2, 1, 1, 1, 2)]
    assert bar.select_one("a")["href"] == "page.html?a=1&b=2"
    assert not parsed(html.counts(claims)).select("a")


def test_a_pill_links_to_the_evidence():
    pill = parsed(html.pill(CLAIM, "evidence.html#a2025-c01")).a
    assert (pill["href"], pill["title"], pill.text) == ("evidence.html#a2025-c01", "x < 1 & y", "C01 close")


def test_what_a_notebook_stores_of_a_ledger():
    """The text counts verdicts from best to worst; the bar and the plain rows hold the same decisions."""
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
    assert stored["text/html"] == html.counts(rows["claims"])


def test_cards_of_a_ledger():
    ledger = Ledger("yang2025")
    ledger.check("yang2025-C26", 43.5644, note="its own sizes")
    ledger.check("yang2025-C41", True, note="seen")
    ledger.sources = {"yang2025-C26": "def shared(): ..."}
    with pytest.raises(InputError, match=r"^There is no claim 'yang2025-C99'; those of yang2025 run from "):
        ledger.cards("C41", "C99")
    cards = ledger.cards("C41", "yang2025-C26")
    assert [card["id"] for card in parsed(cards._repr_html_()).select(".claim")] == ["yang2025-c41", "yang2025-c26"]
    assert "def shared(): ..." in cards._repr_html_()
    assert repr(cards) == (
        "yang2025-C41 agrees: printed a statement, computed True\nyang2025-C26 differs: printed 45.6, computed 43.5644"
    )
