"""Each claim, decided now by its own function, is what the stored notebooks say; and no order matters."""

import ast
import random

import book_rules
import pytest

from moelaws import ledger
from moelaws.data import registry
from moelaws.errors import Unavailable
from moelaws.ledger import claims, functions
from moelaws.paths import ROOT

STORED = {row["id"]: row for row in ledger.stored()}
FUNCTIONS = sorted(ROOT.glob("data/*/claims.py"))


def decided(name):
    """Decide a claim now, or skip where public runs that it needs cannot be had."""
    try:
        return ledger.compute(name)
    except Unavailable as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("name", STORED)
def test_a_claim_is_what_is_stored(name, same_claim):
    same_claim(decided(name), STORED[name])
