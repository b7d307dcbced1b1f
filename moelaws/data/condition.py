"""Conditions on the columns of a table, such as ``"n_active > 4e8 and router == 'hash'"``.

A condition is a user's text. It is read as a syntax tree of which only what is listed here has a
meaning: nothing in it is called, looked up or imported.
"""

import ast
import io
import math
import operator
import tokenize
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from moelaws.checks import Floats
from moelaws.errors import InputError

LONGEST = 1000
"""Characters that a condition may have."""

_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def where(table: pd.DataFrame, condition: str) -> NDArray[np.bool_]:
    """Return which rows fulfil a condition.

    Parameters
    ----------
    condition : str
        Comparisons (``< <= > >= == !=``) of columns, numbers, strings and what ``+ - * /`` make of
        numbers, joined by ``and``, ``or``, ``not`` or by ``&``, ``|``, ``~``, which mean the same. A column of
        true and false is a condition by itself. Comparisons with an empty cell do not hold.

    Raises
    ------
    InputError
        If it is no such condition, or holds in all rows or in none.

    Examples
    --------
    >>> where(pd.DataFrame({"n_active": [1e8, 1e9]}), "n_active > 4e8").tolist()
    [False, True]
    """
    try:
        with np.errstate(all="ignore"):
            chosen = _truth(_parsed(condition).body, table)
    except (_Refused, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        columns = ", ".join(map(str, table.columns))
        raise InputError(
            f"Expression {_quoted(condition)} cannot be read ({reason}); a condition on the columns {columns} is "
            "expected, such as 'n_active > 4e8 and loss < 3'."
        ) from None
    if chosen.all() or not chosen.any():
        share = "all rows" if chosen.all() else "no row"
        raise InputError(f"Expression {_quoted(condition)} holds in {share}; one that divides the rows is expected.")
    return chosen


def value(table: pd.DataFrame, expression: str) -> Floats:
    """Return what arithmetic on columns, ``+ - * /`` and numbers, gives in each row.

    Examples
    --------
    >>> value(pd.DataFrame({"experts": [64.0, 8.0], "top_k": [2.0, 1.0]}), "experts / top_k").tolist()
    [32.0, 8.0]
    """
    try:
        with np.errstate(all="ignore"):
            return np.broadcast_to(np.asarray(_number(_parsed(expression).body, table), dtype=float), len(table)).copy()
    except (_Refused, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise InputError(
            f"Expression {_quoted(expression)} cannot be read ({reason}); arithmetic on columns is expected, such as "
            "'n_experts / top_k'."
        ) from None


def names(expression: str) -> tuple[str, ...]:
    """Return the columns that an expression names, in order.

    Examples
    --------
    >>> names("6 * n_active * n_tokens")
    ('n_active', 'n_tokens')
    """
    try:
        nodes = [node for node in ast.walk(_parsed(expression)) if isinstance(node, ast.Name)]
    except (_Refused, RecursionError):
        return ()
    return tuple(dict.fromkeys(node.id for node in sorted(nodes, key=lambda node: node.col_offset)))


class _Refused(Exception):
    """Says why a condition has no meaning."""


def _quoted(condition: str) -> str:
    text = " ".join(condition.split())
    return f"'{text[:80]}…'" if len(text) > 80 else f"'{text}'"


def _parsed(condition: str) -> ast.Expression:
    if len(condition) > LONGEST:
        raise _Refused(f"it has {len(condition)} characters; at most {LONGEST} are read")
    line = condition.translate(dict.fromkeys(map(ord, "\n\r\t"), " ")).strip()
    if not line.isprintable():
        raise _Refused("it has characters that cannot be printed")
    words = {"&": "and", "|": "or", "~": "not"}
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(line).readline))
        if any(token.type == tokenize.COMMENT for token in tokens):
            raise _Refused("what follows # would not be read")
        # As words they bind less tightly than comparisons, which is what is meant by them here.
        text = " ".join(words.get(token.string, token.string) for token in tokens if token.string)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a backslash in a text, which would name a file of Python's
            return ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, tokenize.TokenError) as error:
        raise _Refused(str(error.args[0]).rstrip(".") if error.args else "it is nested too deeply") from None


def _truth(node: ast.expr, table: pd.DataFrame) -> NDArray[np.bool_]:
    """Return what a part of the condition says of each row."""
    if isinstance(node, ast.BoolOp):
        join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
        return np.asarray(join.reduce([_truth(part, table) for part in node.values]))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return ~_truth(node.operand, table)
    if isinstance(node, ast.Compare):
        sides = [_value(side, table) for side in (node.left, *node.comparators)]
        pairs = zip(node.ops, sides, sides[1:], strict=False)
        return np.asarray(np.logical_and.reduce([_compared(op, left, right, len(table)) for op, left, right in pairs]))
    if isinstance(node, ast.Name):
        column = _column(node.id, table)
        if pd.api.types.is_bool_dtype(column):
            return np.asarray(column.fillna(False), dtype=bool)
        raise _Refused(f"column '{node.id}' is not one of true and false")
    raise _Refused(f"'{_shown(node)}' is no condition")


def _compared(op: ast.cmpop, left: Any, right: Any, rows: int) -> NDArray[np.bool_]:
    if type(op) not in _COMPARISONS:
        raise _Refused("only < <= > >= == and != compare")
    if _is_text(left) != _is_text(right):
        raise _Refused("a text is compared with a number")
    if not any(isinstance(value, np.ndarray) for value in (left, right)):
        raise _Refused("a comparison names no column")
    known = np.broadcast_to(pd.notna(left) & pd.notna(right), rows)
    chosen = np.zeros(rows, dtype=bool)
    chosen[known] = _COMPARISONS[type(op)](*(np.broadcast_to(side, rows)[known] for side in (left, right)))
    return chosen


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, np.ndarray) and value.dtype == np.dtype(object))


def _value(node: ast.expr, table: pd.DataFrame) -> Any:
    """Return a number, a text, or a column of either as an array."""
    match node:
        case ast.Constant(value=str()):
            return node.value
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=(int() | float()) as number):
            return _finite(number)
        case ast.Name():
            column = _column(node.id, table)
            if pd.api.types.is_bool_dtype(column):
                raise _Refused(f"column '{node.id}' is a condition by itself")
            if pd.api.types.is_numeric_dtype(column):
                return column.to_numpy(dtype=float, na_value=np.nan)
            return column.astype(object).map(str, na_action="ignore").to_numpy(dtype=object)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
            operand = _number(node.operand, table)
            return -operand if isinstance(node.op, ast.USub) else operand
        case ast.BinOp() if type(node.op) in _ARITHMETIC:
            left, right = _number(node.left, table), _number(node.right, table)
            return _ARITHMETIC[type(node.op)](left, right)
    raise _Refused(f"'{_shown(node)}' is neither a column, a number nor a text")


def _number(node: ast.expr, table: pd.DataFrame) -> Any:
    value = _value(node, table)
    if _is_text(value):
        raise _Refused(f"'{_shown(node)}' is a text; a number is needed there")
    return value


def _finite(value: float) -> np.float64:
    try:
        number = np.float64(value)
    except OverflowError:
        number = np.float64(math.inf)
    if not np.isfinite(number):
        raise _Refused("a number in it is not finite")
    return number


def _column(name: str, table: pd.DataFrame) -> pd.Series:
    count = list(table.columns).count(name)
    if count != 1:
        raise _Refused(f"there {'are two columns' if count else 'is no column'} '{name}'")
    return table[name]


def _shown(node: ast.expr) -> str:
    text = " ".join(ast.unparse(node).split())
    return f"{text[:40]}…" if len(text) > 40 else text
