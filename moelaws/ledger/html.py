"""How verdicts look on a page: a card for one claim, a table for many."""

from collections.abc import Iterable
from html import escape
from typing import Any

import numpy as np


def badge(verdict: str) -> str:
    """Return a verdict as a coloured word."""
    return f'<span class="verdict verdict-{verdict}">{verdict}</span>'


def shown(computed: float | bool | list[float] | None) -> str:
    """Return computed values as a reader wants to see them: four digits, long lists by their ends.

    Examples
    --------
    >>> shown(43.5644), shown([8448.0, 16384.0]), shown(list(range(70)))
    ('43.56', '8448; 16384', '0 … 69 (70 values)')
    >>> shown(True), shown(None)
    ('holds', '–')
    """
    if computed is None:
        return "–"
    if isinstance(computed, bool):
        return "holds" if computed else "does not hold"
    values = np.atleast_1d(computed).tolist()
    if len(values) > 8:
        return f"{_digits(min(values))} … {_digits(max(values))} ({len(values)} values)"
    return "; ".join(map(_digits, values))


def _digits(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def card(claim: dict[str, Any]) -> str:
    """Return one claim with its verdict, for the place in a chapter where it is decided."""
    parts = [
        f"<strong>{escape(claim['id'])}</strong> {badge(claim['verdict'])} {escape(claim['statement'])}",
        _comparison(claim),
        escape(claim["note"]),
    ]
    return '<p class="claim">' + "<br>".join(filter(None, parts)) + "</p>"


def _comparison(claim: dict[str, Any]) -> str:
    if claim["computed"] is None or isinstance(claim["computed"], bool):
        return ""
    unit = f" {claim['unit']}" if claim["unit"] else ""
    return f"Printed: {escape(claim['printed'])} · computed: {shown(claim['computed'])}{escape(unit)}"


def table(claims: Iterable[dict[str, Any]]) -> str:
    """Return claims as a table, one row each, with the claim's id as the row's anchor."""
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Claim", "Statement", "Printed", "Computed"))
    rows = "".join(_row(claim) for claim in claims)
    return f'<table class="claims"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _row(claim: dict[str, Any]) -> str:
    unit = f" {claim['unit']}" if claim["unit"] and not isinstance(claim["computed"], bool | None) else ""
    note = f'<br><span class="note">{escape(claim["note"])}</span>' if claim["note"] else ""
    return (
        f'<tr id="{escape(claim["id"])}">'
        f"<td>{badge(claim['verdict'])} {escape(claim['id'])}<br>{escape(claim['place'])}</td>"
        f"<td>{escape(claim['statement'])}{note}</td>"
        f'<td data-label="Printed">{escape(claim["printed"])}</td>'
        f'<td data-label="Computed">{shown(claim["computed"])}{escape(unit)}</td></tr>'
    )
