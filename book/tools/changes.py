"""Single changes that a check must notice: to the package's code, a table's cell, a stored output's digit."""

import ast
import json
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

SWAPS = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "*"),
    ast.Pow: ("**", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
    ast.And: ("and", "or"),
    ast.Or: ("or", "and"),
}
BOUNDARIES = {ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">")}
OPPOSITES = {
    ast.Lt: ("<", ">="),
    ast.LtE: ("<=", ">"),
    ast.Gt: (">", "<="),
    ast.GtE: (">=", "<"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}
DRAWN = ("image/", "application/vnd.moelaws.figure")
SYMMETRIC = {
    "min",
    "max",
    "minimum",
    "maximum",
    "fmin",
    "fmax",
    "logaddexp",
    "isclose",
    "allclose",
    "array_equal",
    "isinstance",
}


@dataclass(frozen=True)
class Change:
    """One change to one file.

    Parameters
    ----------
    path : str
        The file, from the project's folder.
    room : str
        What it is drawn with: a sub-package, a data set, the chapters.
    kind : str
        What is changed.
    line, last : int
        First and last line of the statement.
    start, end : int
        The bytes that are replaced.
    text : str
        What replaces them.
    """

    path: str
    room: str
    kind: str
    line: int
    last: int
    start: int
    end: int
    text: str

    def apply(self, source: bytes) -> bytes:
        """Return the changed file."""
        return source[: self.start] + self.text.encode() + source[self.end :]

    def lines(self, source: bytes) -> tuple[str, str]:
        """Return the lines that differ, before and after, without what is common around them."""
        first, last = source.rfind(b"\n", 0, self.start) + 1, source.find(b"\n", self.end)
        after = source[first : self.start] + self.text.encode() + source[self.end : last]
        return _flat(source[first:last]), _flat(after)


def _flat(text: bytes) -> str:
    return " ".join(text.decode().split())


def of_code(path: str, source: bytes) -> list[Change]:
    """Return every change to a module: operators, limits, conditions, numbers, keys, arguments, and statements.

    Annotations, docstrings, decorators, texts of messages, and what ``zip`` asserts of lengths are left as they are.
    """
    return list(_Module(path, source).found())


class _Module:
    def __init__(self, path: str, source: bytes) -> None:
        self.path, self.source = path, source
        self.starts = [0]
        for line in source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        parts = Path(path).parts
        self.room = parts[1] if len(parts) > 2 else parts[0]

    def found(self) -> Iterator[Change]:
        for child in ast.parse(self.source).body:
            yield from self._statement(child)

    def _statement(self, node: ast.stmt) -> Iterator[Change]:
        inner = _block(node)
        last = min((child.lineno for child in inner), default=(node.end_lineno or 0) + 1) - 1
        header = (node.lineno, max(last, node.lineno))
        for kind, start, end, text in self._whole(node):
            yield Change(self.path, self.room, kind, *header, start, end, text)
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
                for kind, start, end, text in self._expressions(child, node):
                    yield Change(self.path, self.room, kind, *header, start, end, text)
        for child in inner:
            yield from self._statement(child)

    def _whole(self, node: ast.stmt) -> Iterator[tuple[str, int, int, str]]:
        if isinstance(node, ast.Raise):
            yield "raise dropped", *self._span(node), "pass"
        elif isinstance(node, ast.Return) and node.value and getattr(node.value, "value", node) is not None:
            yield "None returned", *self._span(node.value), "None"
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Yield | ast.YieldFrom):
            yield "call dropped", *self._span(node), "pass"

    def _expressions(self, node: ast.AST, parent: ast.AST) -> Iterator[tuple[str, int, int, str]]:
        """Walk an expression, past what only documents."""
        if isinstance(node, ast.JoinedStr) or self._documents(node, parent):
            return
        yield from self._changes(node, parent)
        for child in ast.iter_child_nodes(node):
            yield from self._expressions(child, node)

    @staticmethod
    def _documents(node: ast.AST, parent: ast.AST) -> bool:
        if isinstance(parent, ast.FunctionDef | ast.ClassDef) and node in parent.decorator_list:
            return True
        if isinstance(parent, ast.Expr):
            return isinstance(node, ast.Constant)
        if isinstance(node, ast.keyword) and isinstance(parent, ast.Call) and getattr(parent.func, "id", "") == "zip":
            return True
        if isinstance(parent, ast.AnnAssign | ast.arg) and node is parent.annotation:
            return not (isinstance(parent, ast.AnnAssign) and node is parent.value)
        if isinstance(parent, ast.FunctionDef) and node is parent.returns:
            return True
        typed = isinstance(parent, ast.AnnAssign) and "TypeAlias" in ast.dump(parent.annotation)
        return typed or (isinstance(node, ast.Subscript) and getattr(node.value, "id", "") in {"Literal", "Callable"})

    def _changes(self, node: ast.AST, parent: ast.AST) -> Iterator[tuple[str, int, int, str]]:
        match node:
            case ast.BinOp():
                if not any(isinstance(side, ast.JoinedStr) or _is_text(side) for side in (node.left, node.right)):
                    yield from self._operator("arithmetic", node.left, node.right, SWAPS.get(type(node.op)))
            case ast.BoolOp():
                for left, right in zip(node.values, node.values[1:], strict=False):
                    yield from self._operator("and, or", left, right, SWAPS[type(node.op)])
            case ast.Compare():
                for left, operator, right in zip(
                    [node.left, *node.comparators], node.ops, node.comparators, strict=False
                ):
                    yield from self._operator("boundary", left, right, BOUNDARIES.get(type(operator)))
                    yield from self._operator("comparison", left, right, OPPOSITES[type(operator)])
            case ast.UnaryOp():
                start = self._span(node)[0]
                yield "not or sign dropped", start, start + (4 if isinstance(node.op, ast.Not) else 1), ""
            case ast.Constant():
                yield from self._constant(node, parent)
            case ast.Slice():
                for end in (node.lower, node.upper):
                    if end and not isinstance(end, ast.Constant | ast.UnaryOp):
                        yield "off by one", *self._appended(end), " + 1"
            case ast.Call():
                yield from self._call(node)

    def _operator(
        self, kind: str, left: ast.expr, right: ast.expr, swap: tuple[str, str] | None
    ) -> Iterator[tuple[str, int, int, str]]:
        if swap:
            low, high = self._span(left)[1], self._span(right)[0]
            at = self.source.index(swap[0].encode(), low, high)
            yield kind, at, at + len(swap[0]), swap[1]

    def _constant(self, node: ast.Constant, parent: ast.AST) -> Iterator[tuple[str, int, int, str]]:
        value, span = node.value, self._span(node)
        if isinstance(value, bool):
            yield "constant", *span, str(not value)
        elif isinstance(value, int | float):
            for other in {2 * value, value + 1 if abs(value) < 1000 else 2 * value} - {value}:
                yield "constant", *span, repr(other)
        elif isinstance(value, str) and value and _is_key(node, parent):
            yield "key", *span, json.dumps(value + "_")

    def _call(self, node: ast.Call) -> Iterator[tuple[str, int, int, str]]:
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        plain = [argument for argument in node.args[:2] if not isinstance(argument, ast.Starred)]
        if len(plain) == 2 and name not in SYMMETRIC:
            (a, b), (c, d) = map(self._span, plain)
            first, second = self.source[a:b], self.source[c:d]
            if first != second:
                yield "arguments swapped", a, d, (second + self.source[b:c] + first).decode()
        if name in {"range", "arange"} and not isinstance(node.args[-1], ast.Constant):
            yield "off by one", *self._appended(node.args[min(1, len(node.args) - 1)]), " + 1"

    def _span(self, node: ast.AST) -> tuple[int, int]:
        return (
            self.starts[node.lineno - 1] + node.col_offset,  # type: ignore[attr-defined]
            self.starts[node.end_lineno - 1] + node.end_col_offset,  # type: ignore[attr-defined]
        )

    def _appended(self, node: ast.AST) -> tuple[int, int]:
        return (self._span(node)[1],) * 2


def _block(node: ast.AST) -> list[ast.stmt]:
    """Return the statements that a statement holds."""
    parts = [*getattr(node, "handlers", []), *getattr(node, "cases", [])]
    own = [child for name in ("body", "orelse", "finalbody") for child in getattr(node, name, [])]
    return [*own, *(child for part in parts for child in part.body)]


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_key(node: ast.Constant, parent: ast.AST) -> bool:
    return (isinstance(parent, ast.Subscript) and node is parent.slice) or (
        isinstance(parent, ast.Dict) and node in parent.keys
    )


def of_table(path: str, source: bytes) -> list[Change]:
    """Return a change of one digit in every number of a table, below its header."""
    start = source.find(b"\n") + 1
    matches = re.finditer(rb"(?<![\w.])\d[\d.]*", source[start:])
    return [
        _digit(path, Path(path).parts[1], "cell", source, start + match.start(), start + match.end())
        for match in matches
    ]


def of_outputs(path: str, source: bytes) -> list[Change]:
    """Return a change of one of the first four digits of every decimal number that a notebook printed or glued.

    Drawings are left out: their numbers are coordinates.
    """
    found = []
    for cell in json.loads(source)["cells"]:
        for output in cell.get("outputs", []):
            for mime, value in [*output.get("data", {}).items(), ("text", output.get("text", ""))]:
                if value and not mime.startswith(DRAWN):
                    found += _stored(mime, value)
    changes, after = [], 0
    for line in found:
        at = source.index(line, after)
        after = at + len(line)
        for match in re.finditer(rb"(?<![\w.#-])\d+\.\d+(?![\w.%-])", line):
            changes.append(_digit(path, Path(path).stem, "output", source, at + match.start(), at + match.end()))
    return changes


def _stored(key: str, value: Any) -> list[bytes]:
    """Return the lines that hold a value in a notebook, without their indentation."""
    lines = json.dumps({key: value}, ensure_ascii=False, indent=1, sort_keys=True).encode().splitlines()
    return [line.strip() for line in lines[1:-1]]


def _digit(path: str, room: str, kind: str, source: bytes, start: int, end: int) -> Change:
    """Change a digit: the place depends on the number, so that every one of the first four is met."""
    number = source[start:end].decode()
    significant = [at for at, sign in enumerate(number) if sign.isdigit() and number[:at].strip("0.") + sign != "0"]
    places = significant[:4] or [len(number) - 1]
    at = places[start % len(places)]
    at = at if number[at].isdigit() else 0
    line = bisect_left(_ends(source), start) + 1
    other = str((int(number[at]) + 1 + start % 8) % 10)
    return Change(path, room, kind, line, line, start + at, start + at + 1, other)


@lru_cache(maxsize=1)
def _ends(source: bytes) -> list[int]:
    return [match.start() for match in re.finditer(rb"\n", source)]


def sample(changes: list[Change], count: int, seed: int) -> list[Change]:
    """Draw changes: every room by its size, and at least five; in a room every kind as often as the others."""
    random = Random(seed)
    rooms: dict[str, dict[str, list[Change]]] = defaultdict(lambda: defaultdict(list))
    for change in changes:
        rooms[change.room][change.kind].append(change)
    sizes = {room: sum(map(len, kinds.values())) for room, kinds in sorted(rooms.items())}
    quota = {room: min(size, max(5, round(count * size / len(changes)))) for room, size in sizes.items()}
    while sum(quota.values()) > max(count, len(quota)):
        quota[max(quota, key=lambda room: quota[room])] -= 1
    return [change for room in sizes for change in _in_turn(rooms[room], quota[room], random)]


def _in_turn(kinds: dict[str, list[Change]], count: int, random: Random) -> list[Change]:
    left = [random.sample(kinds[kind], len(kinds[kind])) for kind in sorted(kinds)]
    random.shuffle(left)
    drawn = []
    while len(drawn) < count and any(left):
        drawn += [changes.pop() for changes in left if changes]
    return drawn[:count]
