"""Each claim, decided now by its own function and in any order, is what the stored notebooks say."""

import ast
import random
from dataclasses import asdict

import book_rules
import pytest

from conftest import same
from moelaws import data, ledger
from moelaws.errors import Unavailable
from moelaws.paths import ROOT

STORED = {row["id"]: row for row in ledger.stored()}
FUNCTIONS = sorted(ROOT.glob("data/*/claims.py"))
# The notebooks decided them in the order of the rows.
SHUFFLED = random.Random(2).sample(list(STORED), len(STORED))


@pytest.mark.parametrize("name", SHUFFLED)
def test_a_claim_is_what_is_stored(name):
    try:
        decided = asdict(ledger.compute(name))
    except Unavailable as missing:
        pytest.skip(str(missing))
    stored = {key: value for key, value in STORED[name].items() if key != "page"}
    assert same(decided, stored), f"{decided}\n{stored}"


@pytest.mark.parametrize("path", FUNCTIONS, ids=lambda path: path.parent.name)
def test_no_result_is_typed(path):
    assert list(book_rules.typed_results(ast.parse(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize("paper", dict.fromkeys(name.rpartition("-")[0] for name in STORED))
def test_every_row_says_how_it_is_decided_and_by_what(paper):
    rows = data.load(f"{paper}/claims").fillna("")
    assert (ROOT / "data" / paper / "claims.py").exists()
    assert [name for name, evidence in zip(rows.id, rows.evidence, strict=True) if not evidence] == []
    assert [name for name, criterion in zip(rows.id, rows.criterion, strict=True) if len(criterion.split()) < 3] == []
