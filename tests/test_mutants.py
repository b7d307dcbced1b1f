"""What is changed to try the tests, and that a published coefficient, a cell and a digit are among what they notice."""

import ast
import csv
import json
import sys
import types

import changes
import mutants
import numpy as np
import pytest

from moelaws import data

SOURCE = '''
"""Words, 7."""
from typing import Literal
Kind = Literal["a", "b"]
LIMIT: int | None = 3

@decorated(frozen=True)
def f(x: int | str, y=0.5) -> dict[str, int]:
    """Words, 7."""
    if x < 1 and not y:
        raise ValueError(f"{x + 1} is bad")
    for i in range(x):
        warn(*zip(x, strict=True), strict=True)
    return {"key": g(x, -y) * max(x, y)}["key"][x:]
'''


def changed(kind):
    source = SOURCE.encode()
    return {change.lines(source)[1] for change in changes.of_code("moelaws/room/a.py", source) if change.kind == kind}


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        ("arithmetic", {'return {"key": g(x, -y) / max(x, y)}["key"][x:]'}),
        ("boundary", {"if x <= 1 and not y:"}),
        ("comparison", {"if x >= 1 and not y:"}),
        ("and, or", {"if x < 1 or not y:"}),
        ("not or sign dropped", {"if x < 1 and y:", 'return {"key": g(x, y) * max(x, y)}["key"][x:]'}),
        ("raise dropped", {"pass"}),
        ("call dropped", {"pass"}),
        ("None returned", {"return None"}),
        ("arguments swapped", {'return {"key": g(-y, x) * max(x, y)}["key"][x:]'}),
        (
            "off by one",
            {"for i in range(x + 1):", 'return {"key": g(x, -y) * max(x, y)}["key"][x + 1:]'},
        ),
        (
            "key",
            {
                'return {"key_": g(x, -y) * max(x, y)}["key"][x:]',
                'return {"key": g(x, -y) * max(x, y)}["key_"][x:]',
            },
        ),
        (
            "constant",
            {
                *("LIMIT: int | None = 4", "LIMIT: int | None = 6", "if x < 2 and not y:"),
                "warn(*zip(x, strict=True), strict=False)",
                *(f"def f(x: int | str, y={value}) -> dict[str, int]:" for value in (1.0, 1.5)),
            },
        ),
    ],
)
def test_changes_of_each_kind_and_no_others(kind, lines):
    assert {line.strip() for line in changed(kind)} == lines


def test_every_change_of_the_package_is_a_program_and_says_where_it_is():
    for path in (data.ROOT / "moelaws" / "papers").rglob("*.py"):
        source = path.read_bytes()
        for change in changes.of_code("moelaws/papers/a.py", source)[::31]:
            before, after = change.lines(source)
            assert before != after
            assert change.line <= source.count(b"\n", 0, change.start) + 1 <= change.last
            ast.parse(change.apply(source))


def test_a_cell_changes_in_one_of_its_first_four_digits():
    table = b"a,b\nname1,0.001234567\n-20,1e5\n"
    found = [change.apply(table).decode().splitlines()[1:] for change in changes.of_table("data/set/a.csv", table)]
    assert [sum(a != b for a, b in zip("".join(rows), "name1,0.001234567-20,1e5", strict=True)) for rows in found] == [
        1
    ] * len(found)
    assert len(found) == 3
    assert found[0][0].startswith("name1,0.00")
    assert found[0][0].endswith("567")


def test_outputs_change_in_what_is_printed_glued_or_computed_and_not_in_drawings():
    shown = {
        "text/plain": ["x = 1.25\n", "y"],
        "image/svg+xml": ["<path d='3.5'/>"],
        "application/papermill.record/text/plain": "2.75",
        "application/vnd.moelaws.claims+json": {"rows": [{"id": "C01", "computed": 9.5, "n": 4}]},
        "application/vnd.moelaws.figure+json": ['{"points": [6.5]}'],
    }
    cells = [{"source": ["1.25"], "outputs": [{"data": shown}]}, {"outputs": [{"text": "0.500 \u00b1 2"}]}]
    notebook = json.dumps({"cells": cells, "version": "1.25"}, ensure_ascii=False, indent=1, sort_keys=True)
    found = changes.of_outputs("chapters/a.ipynb", notebook.encode())
    assert {change.kind for change in found} == {"output"}
    numbers = ["= 1.25", "2.75", "9.5", "0.500", '"1.25"', '"n": 4', "3.5", "6.5"]
    texts = [change.apply(notebook.encode()).decode() for change in found]
    changed = [[number for number in numbers if number not in text] for text in texts]
    assert changed == [["2.75"], ["9.5"], ["= 1.25"], ["0.500"]]


def test_a_sample_is_the_seeds_and_has_all_rooms_and_kinds():
    every = [
        change
        for room in ("laws", "cli")
        for change in changes.of_code(f"moelaws/{room}/a.py", SOURCE.encode() * (3 if room == "laws" else 1))
    ]
    drawn = changes.sample(every, 24, 1)
    assert drawn == changes.sample(every, 24, 1) != changes.sample(every, 24, 2)
    assert len(drawn) == len(set(drawn)) == 24
    rooms = [change.room for change in drawn]
    assert rooms.count("laws") > rooms.count("cli") >= 5
    assert len({change.kind for change in drawn if change.room == "laws"}) == 12
    assert len(changes.sample(every, 2, 0)) == 2


@pytest.mark.parametrize(("name", "column"), [("FLOPS_PER_TOKEN", "flops_per_token"), ("N_TOKENS", "n_tokens")])
def test_a_changed_coefficient_is_noticed(monkeypatch, name, column):
    """Table 2 of Wan et al. (2026) notices every change to either law of Eq. 2, also of the fourth digit."""
    path = data.ROOT / "moelaws" / "papers" / "wan2026" / "law.py"
    source, scales = path.read_bytes(), data.load("wan2026/scales")

    def agrees(text):
        module = types.ModuleType("changed")
        monkeypatch.setitem(sys.modules, "changed", module)
        exec(compile(text, path, "exec"), module.__dict__)
        with np.errstate(over="ignore"):
            found = getattr(module, name)(scales.flops)
        return np.allclose(1e9 * scales[column], found, rtol=1.5e-3, atol=0)

    start = source.index(f"{name} = ".encode())
    end = source.index(b"\n", start)
    of_law = [change for change in changes.of_code("moelaws/a.py", source) if start <= change.start < end]
    assert agrees(source)
    assert len(of_law) == 5
    assert not any(agrees(change.apply(source)) for change in of_law)
    exponent = {"FLOPS_PER_TOKEN": b"0.5437", "N_TOKENS": b"0.4563"}[name]
    assert not agrees(source.replace(exponent, exponent[:-1] + b"8"))


def test_what_is_listed_as_equivalent_is_still_there_and_has_a_reason():
    with mutants.EQUIVALENT.open(encoding="utf-8", newline="") as file:
        listed = list(csv.DictReader(file))
    for row in listed:
        source = (data.ROOT / row["path"]).read_bytes()
        possible = {change.lines(source) for change in changes.of_code(row["path"], source)}
        assert (row["before"], row["after"]) in possible, row["path"]
        assert len(row["reason"].split()) > 4
