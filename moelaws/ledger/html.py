"""How verdicts look on a page: a card for one claim, a bar for many, a pill for a link."""

import re
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from html import escape
from typing import Any

import numpy as np

GROUPS = {
    "agrees": "agree",
    "close": "close",
    "differs": "differ",
    "ours": "our model differs",
    "cannot": "cannot be decided",
    "uncounted": "true by definition or input",
}
"""Parts of a bar, in order, and what they are called. The last one is shown and not counted."""

LONGEST_LIST = 8  # pairs of numbers that a card shows without a click
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def group(claim: dict[str, Any]) -> str:
    """Return the part of a bar that a claim belongs to.

    Examples
    --------
    >>> group({"verdict": "differs", "evidence": "model"}), group({"verdict": "agrees", "evidence": "identity"})
    ('ours', 'uncounted')
    """
    if claim["evidence"] in {"identity", "input"}:
        return "uncounted"
    return "ours" if (claim["verdict"], claim["evidence"]) == ("differs", "model") else str(claim["verdict"])


def badge(verdict: str, evidence: str = "") -> str:
    """Return a verdict as a coloured word; it says where our own model misses, and what is no agreement at all.

    Examples
    --------
    >>> badge("agrees")
    '<span class="verdict verdict-agrees">agrees</span>'
    >>> badge("agrees", "identity")
    '<span class="verdict verdict-uncounted">by definition</span>'
    """
    kind = group({"verdict": verdict, "evidence": evidence})
    if kind == "ours":
        return f'<span class="verdict verdict-{verdict}">our model differs</span>'
    if kind == "uncounted" and verdict in {"agrees", "close"}:
        word = "by definition" if evidence == "identity" else "input"
        return f'<span class="verdict verdict-uncounted">{word}</span>'
    return f'<span class="verdict verdict-{verdict}">{verdict}</span>'


def number(value: float, printed: str = "") -> str:
    """Return a computed number with one digit more than the printed one, or with four digits.

    Examples
    --------
    >>> number(43.5644, "45.6"), number(8448.0, "8448"), number(8448.37, "8448"), number(7.113e8)
    ('43.56', '8,448', '8,448.4', '7.113 × 10⁸')
    """
    if not np.isfinite(value):
        return str(value)
    exact = float(value).is_integer() and abs(value) < 1e6
    if exact and "." not in printed:
        return f"{value:,.0f}"
    text = re.sub(r"^[<>]=|±.*$", "", printed)
    if value and not 1e-3 <= abs(value) < 1e6:
        digits = len(Decimal(text).normalize().as_tuple().digits) if text else 3
        mantissa, _, exponent = f"{value:.{min(digits, 5)}e}".partition("e")
        return f"{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPT)}"
    if not text:
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    decimals = max(-int(Decimal(text).as_tuple().exponent), 0) + 1
    return f"{value:,.{min(decimals, 6)}f}"


def shown(computed: float | bool | list[float] | None) -> str:
    """Return computed values on one line: four digits, long lists by their ends.

    Examples
    --------
    >>> shown(43.5644), shown([8448.0, 16384.0]), shown(list(range(70)))
    ('43.56', '8,448; 16,384', '0 … 69 (70 values)')
    >>> shown(True), shown(None)
    ('holds', '–')
    """
    if computed is None:
        return "–"
    if isinstance(computed, bool):
        return "holds" if computed else "does not hold"
    values = np.atleast_1d(computed).tolist()
    if len(values) > LONGEST_LIST:
        return f"{number(min(values))} … {number(max(values))} ({len(values)} values)"
    return "; ".join(map(number, values))


def card(claim: dict[str, Any], source: str = "") -> str:
    """Return one claim with all that its verdict rests on, under an anchor that is its id in lower case.

    The source of the function that decided it is shown when a reader asks for it.
    """
    short = claim["id"].rpartition("-")[2]
    code = f"<details><summary>Code of {short}</summary><pre>{escape(source.strip())}</pre></details>" if source else ""
    evidence = f'<span class="kind">{escape(claim["evidence"])}</span>' if claim["evidence"] else ""
    parts = [
        f'<p class="head"><a href="#{claim["id"].lower()}">{short}</a> {badge(claim["verdict"], claim["evidence"])} '
        f'{evidence} <span class="place">{escape(claim["place"])}</span></p>',
        f"<p>{escape(claim['statement'])}</p>",
        _pairs(claim),
        f'<p class="note">{escape(claim["note"])}</p>' if claim["note"] else "",
        f'<p class="criterion">Criterion: {escape(claim["criterion"])}</p>',
        code,
    ]
    return f'<div class="claim" id="{claim["id"].lower()}">{"".join(filter(None, parts))}</div>'


def _pairs(claim: dict[str, Any]) -> str:
    """Printed and computed numbers, one pair a line."""
    computed = claim["computed"]
    if computed is None or isinstance(computed, bool):
        return ""
    values = np.atleast_1d(computed).tolist()
    intervals = claim["intervals"] or [()] * len(values)
    unit = f" ({escape(claim['unit'])})" if claim["unit"] not in {"", "1"} else ""
    several = len(values) > 1
    heads = ["Printed" + unit, "Computed", *(["Interval"] if claim["intervals"] else []), *([""] if several else [])]
    rows = ""
    for printed, value, interval, verdict in zip(claim["values"], values, intervals, claim["verdicts"], strict=True):
        cells = [escape(printed), number(value, printed)]
        ends = ["no limit" if end is None else number(end, printed) for end in interval]
        cells += [" to ".join(ends)] if ends else []
        cells += [badge(verdict, claim["evidence"])] if several else []
        rows += "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
    head = "".join(f'<th scope="col">{name or "Verdict"}</th>' for name in heads)
    label = f"Printed and computed numbers of {claim['id']}"
    table = f'<table class="pairs" aria-label="{label}"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    if len(values) <= LONGEST_LIST:
        return table
    counts = Counter(claim["verdicts"])
    summary = ", ".join(f"{count} {one if count == 1 else GROUPS[one]}" for one, count in counts.items())
    return f"<details><summary>{len(values)} numbers: {summary}</summary>{table}</details>"


def counts(claims: Iterable[dict[str, Any]], link: str = "") -> str:
    """Return a bar of how many claims got which verdict, with a legend that says how many there are, and in words.

    The bar leads to the address `link`.
    """
    found = Counter(map(group, claims))
    parts = [(name, found[name]) for name in GROUPS if found[name]]
    bar = "".join(f'<span class="part part-{name}" style="flex-grow:{count}"></span>' for name, count in parts)
    legend = "".join(f'<li><span class="part part-{name}"></span>{count} {GROUPS[name]}</li>' for name, count in parts)
    body = f'<span class="bar" aria-hidden="true">{bar}</span>'
    body = f'<a href="{escape(link)}" aria-label="The verdicts one by one">{body}</a>' if link else body
    return f'<div class="verdicts">{body}<ul><li>{found.total()} claims checked:</li>{legend}</ul></div>'


def pill(claim: dict[str, Any], link: str) -> str:
    """Return a link to a claim that shows its verdict."""
    word = badge(claim["verdict"], claim["evidence"])
    short = claim["id"].rpartition("-")[2]
    return f'<a class="pill" href="{escape(link)}" title="{escape(claim["statement"])}">{short} {word}</a>'
