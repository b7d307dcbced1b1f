"""Answers that are checked without being shown.

A student's notebook holds hashes of the right answers, rounded as the question asks. They keep the answer out of sight,
not out of reach: who wants to search all numbers of two digits will find it.
"""

import hashlib
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from moelaws.errors import InputError

WORDS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
_COUNT = rf"(?P<count>\d|{'|'.join(WORDS)})"
_DIGITS = re.compile(rf"\b{_COUNT}(?: significant)? (?:digits?|figures?)\b(?! after)")
_DECIMALS = re.compile(rf"\b{_COUNT} (?:decimals?(?: places?)?|(?:digits?|places?) after the (?:decimal )?point)\b")
_WITHIN = re.compile(r"\bto within (?P<width>\d+(?:\.\d+)?)")
_WHOLE = re.compile(r"\b(?:whole number|integer|nearest|count|number of)\b")
SLACK = 0.1
"""How far a number may be beyond the edge of a rounding, in units of its last digit."""
UNITS = (1e-3, 1e-2, 1e2, 1e3)
"""Factors by which an answer may be in another unit than the one asked for."""


def seal(answer: Any, question: str, form: str) -> list[str]:
    """Return the hashes by which :func:`check` knows an answer, one for each of its parts.

    Parameters
    ----------
    question : str
        The question's label, which salts the hashes.
    form : str
        What is expected, as the question says it. For numbers it names the precision: "to two digits" (significant
        ones), "to one decimal", "to within 0.05", "a whole number".

    Raises
    ------
    InputError
        If the answer is no number, word or truth value, or if `form` names no precision for a number.

    Examples
    --------
    Words and numbers are known by hashes; the same answer to another question has another one.

    >>> seal(6.8, "leverage", "a number, to two digits") == seal(6.8, "saving", "a number, to two digits")
    False
    """
    parts = _parts(answer)
    precise = any(pattern.search(form) for pattern in (_DIGITS, _DECIMALS, _WITHIN, _WHOLE))
    if not precise and not all(isinstance(part, bool | str) for part in parts):
        raise InputError(
            f"The form of an answer, '{form}', names no precision; 'to two digits', 'to one decimal' or "
            "'a whole number' is expected."
        )
    return [_hash(_written(part, form)[1], question, place) for place, part in enumerate(parts)]


def right(answer: Any, question: str, form: str, sealed: Sequence[str]) -> list[bool]:
    """Tell for each part of an answer whether it is right.

    A number is right if it rounds to the digits that `form` asks for, or is at most a tenth of a unit of the last one
    away from doing so; where `form` says "to within", if it is that near (and no further than twice as far). A word is
    right whatever its case and the blanks around it.

    Parameters
    ----------
    answer, question, form
        As in :func:`seal`; `answer` is the one that is tried.
    sealed : sequence of str
        What :func:`seal` made of the right one.

    Raises
    ------
    InputError
        If the answer has not as many parts as expected, or a part is no number, word or truth value.

    Examples
    --------
    The leverage of 6.83 that a law gives, asked for to two digits:

    >>> form = "a number, to two digits"
    >>> sealed = seal(6.83, "leverage", form)
    >>> [right(answer, "leverage", form, sealed) for answer in (6.83, 6.8, 6.9, 68)]
    [[True], [True], [False], [False]]
    """
    parts = _parts(answer)
    if len(parts) != len(sealed):
        expected = f"{len(sealed)} values are" if len(sealed) > 1 else "one value is"
        raise InputError(f"The answer has {len(parts)} parts; {expected} expected: {form}.")
    return [
        any(_hash(text, question, place) == known for text in _written(part, form))
        for place, (part, known) in enumerate(zip(parts, sealed, strict=True))
    ]


def check(answer: Any, question: str, form: str, sealed: Sequence[str]) -> None:
    """Print whether an answer is right, and never what the right one is.

    An answer of ``...`` is one that was not given yet.

    Examples
    --------
    >>> form = "per cent, to two digits"
    >>> sealed = seal(43.56, "share", form)
    >>> for answer in (..., 40, 0.4356, 43.6):
    ...     check(answer, "share", form, sealed)
    No answer yet. Expected: per cent, to two digits.
    Not yet. Expected: per cent, to two digits.
    Not yet: the digits are right, and the unit is not. Expected: per cent, to two digits.
    Right.
    """
    if answer is ... or answer is None:
        print(f"No answer yet. Expected: {form}.")
        return
    try:
        found = right(answer, question, form, sealed)
        scaled = [right(other, question, form, sealed) for other in _scaled(answer, form)]
    except InputError as problem:
        print(f"Not yet. {problem}")
        return
    if all(found):
        print("Right.")
    elif any(map(all, scaled)):
        print(f"Not yet: the digits are right, and the unit is not. Expected: {form}.")
    elif any(found):
        print(f"Not yet: {sum(found)} of {len(found)} values are right. Expected: {form}.")
    else:
        print(f"Not yet. Expected: {form}.")


def _parts(answer: Any) -> list[Any]:
    """Return the parts of an answer as Python's own values."""
    plain = answer.tolist() if hasattr(answer, "tolist") else answer
    parts = list(plain) if isinstance(plain, list | tuple) else [plain]
    parts = [part.tolist() if hasattr(part, "tolist") else part for part in parts]
    for part in parts:
        if not isinstance(part, bool | int | float | str) or (isinstance(part, float) and not math.isfinite(part)):
            raise InputError(f"The answer holds {part!r:.60}; numbers, words, True or False are expected.")
    return parts


def _written(part: bool | int | float | str, form: str) -> tuple[str, str, str]:
    """Return a part as it is hashed: a number a little down, as it is, and a little up, rounded."""
    if isinstance(part, bool | str):
        return (str(part).strip().casefold(),) * 3
    slack = SLACK
    if within := _WITHIN.search(form):
        part, unit, slack, style = part / float(within["width"]), 1.0, 1.0, ".0f"
    elif decimals := _decimals(form):
        unit, style = 10.0**-decimals, f".{decimals}f"
    elif found := _DIGITS.search(form):
        digits = _number(found)
        unit = 10.0 ** (math.floor(math.log10(abs(part))) - digits + 1) if part else 1.0
        style = f".{digits - 1}e"
    else:
        unit, style = 1.0, ".0f"
    # Adding zero turns a negative zero into zero.
    down, here, up = (f"{float(format(part + shift * unit, style)) + 0.0:{style}}" for shift in (-slack, 0, slack))
    return down, here, up


def _decimals(form: str) -> int:
    found = _DECIMALS.search(form)
    return _number(found) if found else 0


def _number(found: re.Match[str]) -> int:
    return WORDS.get(found["count"]) or int(found["count"])


def _scaled(answer: Any, form: str) -> Iterator[list[Any]]:
    """Yield an answer's numbers in other units, where their digits are what counts."""
    parts = _parts(answer)
    if _DIGITS.search(form) and not any(isinstance(part, bool | str) for part in parts):
        for factor in UNITS:
            yield [part * factor for part in parts]


def _hash(text: str, question: str, place: int) -> str:
    # Slow on purpose: a search through all answers takes longer than finding the right one.
    salt = f"{question}/{place}".encode()
    return hashlib.scrypt(text.encode(), salt=salt, n=2**11, r=8, p=1, dklen=6).hex()
