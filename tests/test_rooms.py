"""Imports between the rooms of the package point one way."""

import ast
from graphlib import TopologicalSorter

import pytest

from moelaws.paths import ROOT

PACKAGE = ROOT / "moelaws"


def imported(source):
    """Return the rooms that a module imports, also inside of functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "moelaws":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("moelaws."):
            yield node.module.split(".")[1]


def rooms():
    found = {}
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        found.setdefault(room, set()).update(set(imported(path.read_text(encoding="utf-8"))) - {room})
    return found


def test_no_room_imports_one_that_imports_it():
    order = list(TopologicalSorter(rooms()).static_order())  # a circle is an error that names it
    assert {"laws", "models", "fitting", "serving", "data", "ledger", "papers", "fork", "cli"} <= set(order)


@pytest.mark.parametrize(
    ("room", "unknown"),
    [
        ("laws", {"fitting", "models", "serving", "papers"}),
        ("models", {"fitting", "laws", "serving", "papers"}),
        ("fitting", {"serving", "papers", "ledger", "fork", "cli"}),
        ("data", {"fitting", "laws", "models", "serving", "papers", "ledger"}),
        ("serving", {"papers", "ledger", "fork", "cli"}),
        ("papers", {"fork", "cli"}),
    ],
)
def test_a_room_knows_nothing_of_those_above_it(room, unknown):
    assert not rooms()[room] & unknown
