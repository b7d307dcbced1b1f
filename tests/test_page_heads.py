"""Heads of pages, labels of folds, names of tables: what people read who do not look at the page."""

import sys

import pytest
from bs4 import BeautifulSoup
from built_site import ROOT
from docutils import nodes

sys.path.insert(0, str(ROOT / "book" / "_ext"))
import book_a11y
import folds
import page_heads


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("# What it does\nimport os", "Code: What it does"),
        ("\n\n# After blanks\nx = 1", "Code: After blanks"),
        ("x = 1\n# too late", folds.PLAIN),
        ("%matplotlib inline", folds.PLAIN),
        ("", folds.PLAIN),
    ],
)
def test_a_fold_is_labelled_by_the_comment_that_its_cell_begins_with(source, expected):
    assert folds.label(source) == expected


def document(*parts):
    made = nodes.document(None, None)
    made += nodes.section("", nodes.title("", "A heading"), *parts)
    return made


def test_a_page_is_described_by_its_answer_and_else_by_its_first_paragraph():
    answer = nodes.container("", nodes.paragraph("", "The\nanswer."), classes=["answer"])
    assert page_heads.description(document(nodes.paragraph("", "First."), answer)) == "The answer."
    assert page_heads.description(document(nodes.paragraph("", "First."))) == "First."
    assert page_heads.description(document()) == ""


def test_a_long_description_ends_with_a_sentence():
    words = page_heads.description(document(nodes.paragraph("", "A sentence of some length. " * 30)))
    assert words.endswith("length.")
    assert len(words) <= page_heads.LONGEST
    assert len(page_heads.description(document(nodes.paragraph("", "x" * 1000)))) == page_heads.LONGEST


def test_tables_get_scopes_and_names():
    page = BeautifulSoup(
        "<article><h2>Results<a>#</a></h2><table><thead><tr><th></th><th>a</th><th colspan='2'>b</th></tr></thead>"
        "<tbody><tr><th>c</th><td>1</td></tr></tbody></table><table><tr><td>1</td></tr></table>"
        "<table><caption>Own</caption><tr><td>1</td></tr></table></article>",
        "html.parser",
    )
    book_a11y.mend(page)
    book_a11y.mend(page)
    assert [cell["scope"] for cell in page.select("th")] == ["col", "colgroup", "row"]
    assert [table.caption.get_text() for table in page.select("table")] == [
        "Results, table 1",
        "Results, table 2",
        "Own",
    ]
