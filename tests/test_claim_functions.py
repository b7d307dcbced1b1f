"""Claims decided by functions beside their rows: found, one for each row, in any order."""

import pytest

from moelaws.data import book as sets_of
from moelaws.errors import InputError
from moelaws.ledger import functions

ROWS = """id,place,kind,statement,printed,values,unit,tolerance,tolerance_reason,criterion,evidence
toy-C1,Table 1,table,There are three.,3,3,,,,the number of things,recomputed
toy-C2,Table 1,headline,They are even.,,,,,,each is even,identity
toy-C3,Table 1,headline,They are cheap.,,,,,,needs prices,
"""
FUNCTIONS = """
from moelaws.ledger.functions import Cannot, Result, claim

@claim("toy-C3")
def cheap():
    return Cannot("Prices are not public.")

@claim("toy-C1")
def three():
    return Result(len("abc"))

@claim("toy-C2")
def even():
    return Result(False, note="Three is odd.")
"""


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A book of one paper, of which the functions' text can be changed."""
    folder = tmp_path / "data" / "toy"
    folder.mkdir(parents=True)
    (folder / "claims.csv").write_text(ROWS, encoding="utf-8")
    schema = (sets_of.ROOT / "data" / "claims.schema.yaml").read_text(encoding="utf-8")
    (tmp_path / "data" / "claims.schema.yaml").write_text(schema, encoding="utf-8")
    package = "name: toy\ntitle: toy\nlicenses: []\nsources: []\nresources:\n"
    package += "  - {name: claims, title: claims, path: claims.csv, schema: ../claims.schema.yaml}\n"
    (folder / "datapackage.yaml").write_text(package, encoding="utf-8")
    monkeypatch.setattr(sets_of, "ROOT", tmp_path)
    monkeypatch.setattr(functions, "ROOT", tmp_path)
    monkeypatch.setattr("moelaws.data.ROOT", tmp_path)
    forget()
    yield folder
    forget()


def forget():
    """Read packages and functions anew."""
    for cached in (functions.module, functions.functions):
        cached.cache_clear()


def test_every_row_is_decided_by_its_function(book):
    (book / "claims.py").write_text(FUNCTIONS, encoding="utf-8")
    found = {one.id: (one.verdict, one.computed, one.note) for one in functions.decide("toy").decisions}
    assert functions.functions("toy")["toy-C1"].__doc__ == "the number of things"
    assert "return Result(len" in functions.source("toy-C1")
    assert functions.compute("toy-C2").evidence == "identity"
    assert found == {
        "toy-C1": ("agrees", 3, ""),
        "toy-C2": ("differs", False, "Three is odd."),
        "toy-C3": ("cannot", None, "Prices are not public."),
    }


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('@claim("toy-C2")', "", "without a function in data/toy/claims.py: toy-C2"),
        ('@claim("toy-C2")', '@claim("toy-C1")', "toy-C1 has two functions"),
        ('@claim("toy-C2")', '@claim("toy-C9")', "no claim 'toy-C9'"),
        ('note="Three is odd."', 'note=""', "is a statement; its 'note' must show"),
        ("Prices are not public.", "", "'reason' must say why"),
        ("len(", "2 * len(", "differs from what is computed; its 'note' must say why"),
    ],
)
def test_functions_that_do_not_decide_are_refused(book, old, new, sentence):
    assert old in FUNCTIONS
    (book / "claims.py").write_text(FUNCTIONS.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=sentence):
        functions.decide("toy")


def test_a_paper_without_functions_is_refused(book):
    with pytest.raises(InputError, match="no functions for claims of a paper 'toy'"):
        functions.module("toy")
    with pytest.raises(InputError, match="no claim 'other-C1'"):
        functions.paper_of("other-C1")
