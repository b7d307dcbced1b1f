"""The ledger: every number a paper prints, what the book computes, and the verdict between them.

A chapter opens a :class:`Ledger`, decides each row of ``data/<paper>/claims.csv`` with
:meth:`Ledger.check` or :meth:`Ledger.cannot`, and ends with :meth:`Ledger.close`, whose output
in the stored notebook is the only place where verdicts are kept. :func:`stored` reads them there.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

import nbformat
import numpy as np
import pandas as pd

from moelaws import data
from moelaws.errors import InputError
from moelaws.ledger import html as claims_html

MIME = "application/vnd.moelaws.claims+json"
VERDICTS = ("agrees", "close", "differs", "cannot")
"""From best to worst; `cannot` stands apart, as no value was computed."""

_COLUMN = re.compile(r"(?P<table>\w+)\.(?P<column>\w+)(?:±(?P<error>\w+))?(?:\[(?P<where>\w+)=(?P<equals>[^\]]+)\])?")
_DIGITS = r"\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_NUMBER = re.compile(rf"(?P<relation>>=|<=)?\s*(?P<text>[-+]?{_DIGITS})\s*(?:±\s*(?P<error>{_DIGITS}))?")


@dataclass(frozen=True)
class Printed:
    """One printed number: its digits as text, and whether it is a value or a bound.

    Parameters
    ----------
    text : str
        The number as printed; its last digit is its precision.
    relation : {"", ">=", "<="}
        Empty for a value, otherwise the bound that a computed value has to keep.
    error : str
        For a number that was read off a figure, how far off the reading may be.
    """

    text: str
    relation: str = ""
    error: str = ""

    @property
    def value(self) -> float:
        """The number."""
        return float(self.text)

    def verdict(self, computed: float, tolerance: str = "") -> str:
        """Compare a computed value with the printed one.

        Parameters
        ----------
        computed : float
            What the book's code gives, in the unit of the printed number.
        tolerance : str
            How far off counts as `close`: ``"0.1"`` absolute, ``"6 %"`` of the printed value.

        Returns
        -------
        str
            `agrees` if the value rounds to the printed digits (either way at a tie), lies inside
            the reading error or keeps the bound, `close` if it is inside the tolerance, else
            `differs`.

        Examples
        --------
        Table 1 of Yang et al. (2025) prints a share of 45.6 %; its own sizes give 43.6 %.

        >>> Printed("45.6").verdict(100 * 8448 / (10944 + 8448))
        'differs'
        >>> Printed("28").verdict(100 * 2 / 7), Printed("28").verdict(100 * 2 / 7, "1")
        ('differs', 'close')
        >>> Printed("10", ">=").verdict(12.5), Printed("3.21", error="0.03").verdict(3.19)
        ('agrees', 'agrees')
        """
        if not np.isfinite(computed):
            return "differs"
        excess = {"": abs(computed - self.value), ">=": self.value - computed, "<=": computed - self.value}
        exponent = int(Decimal(self.text).as_tuple().exponent)
        half_digit = 0.5 * 10.0**exponent if not self.relation else 0.0
        slack = 1e-9 * max(1.0, abs(self.value))
        if excess[self.relation] <= max(half_digit, float(self.error or 0)) + slack:
            return "agrees"
        allowed = _allowed(tolerance, self.value)
        return "close" if excess[self.relation] <= allowed + slack else "differs"


def _allowed(tolerance: str, printed: float) -> float:
    number = tolerance.removesuffix("%").strip()
    if not number:
        return 0.0
    return float(number) / 100 * abs(printed) if tolerance.endswith("%") else float(number)


@dataclass(frozen=True)
class Decision:
    """A claim with its verdict, as the stored notebook keeps it."""

    id: str
    place: str
    kind: str
    statement: str
    printed: str
    unit: str
    computed: float | bool | list[float] | None
    verdict: str
    tolerance: str
    criterion: str
    evidence: str
    note: str

    def _repr_html_(self) -> str:
        return claims_html.card(asdict(self))

    def __repr__(self) -> str:
        return f"{self.id} {self.verdict}: printed {self.printed or 'a statement'}, computed {self.computed}"


class Ledger:
    """The claims of one paper, decided one by one.

    Parameters
    ----------
    paper : str
        Key of the paper: the folder of ``data/`` that holds its ``claims.csv``.
    """

    def __init__(self, paper: str) -> None:
        if f"{paper}/claims" not in data.tables():
            raise InputError(f"There are no claims of a paper '{paper}'; the papers are {', '.join(papers())}.")
        self.paper = paper
        rows = data.load(f"{paper}/claims").fillna("").to_dict("records")
        self._claims = {str(row["id"]): {str(name): str(value) for name, value in row.items()} for row in rows}
        self._decisions: dict[str, Decision] = {}

    def printed(self, claim: str) -> list[Printed]:
        """Return the printed numbers that a claim's computed values are compared with.

        Examples
        --------
        >>> Ledger("yang2025").printed("yang2025-C26")
        [Printed(text='45.6', relation='', error='')]
        """
        values = []
        for part in filter(None, map(str.strip, self.row(claim)["values"].split(";"))):
            if number := _NUMBER.fullmatch(part):
                values.append(Printed(**number.groupdict(default="")))
            elif column := _COLUMN.fullmatch(part):
                values += self._column(**column.groupdict(default=""))
            else:
                raise InputError(f"Claim {claim}: '{part}' in column 'values' is neither a number nor 'table.column'.")
        return values

    def check(self, claim: str, computed: float | bool | Sequence[float] | np.ndarray, note: str = "") -> Decision:
        """Decide a claim by a computed value.

        Parameters
        ----------
        claim : str
            The claim's id.
        computed : float, bool or sequence of float
            One value for each printed one, in their order and unit; for a statement without
            numbers, whether the data bear it out. Several values get their worst verdict.
        note : str
            What else a reader should know. Needed where the verdict is `differs`, and for a
            statement, where it shows the quantity behind the boolean.
        """
        row = self.row(claim)
        printed = self.printed(claim)
        values: float | bool | list[float]
        if not printed:
            if not isinstance(computed, bool | np.bool_):
                raise InputError(f"Claim {claim} prints no number, so that 'computed' must be True or False.")
            if not note:
                raise InputError(f"Claim {claim} is a statement; its 'note' must show the quantity behind the verdict.")
            values, verdict = bool(computed), "agrees" if computed else "differs"
        else:
            numbers = [float(value) for value in np.atleast_1d(np.asarray(computed, dtype=float))]
            if len(numbers) != len(printed):
                raise InputError(f"Claim {claim} prints {len(printed)} numbers; {len(numbers)} were computed.")
            verdicts = [one.verdict(value, row["tolerance"]) for one, value in zip(printed, numbers, strict=True)]
            verdict = max(verdicts, key=VERDICTS.index)
            # Six digits are the same on every machine; a count is exact, and stays so.
            kept = [value if value.is_integer() and abs(value) < 1e12 else float(f"{value:.6g}") for value in numbers]
            values = kept[0] if len(kept) == 1 else kept
        if verdict == "differs" and not note:
            raise InputError(
                f"Claim {claim} differs from what is computed; its 'note' must say why, as far as it can be known."
            )
        return self._decide(claim, row, values, verdict, note)

    def cannot(self, claim: str, reason: str) -> Decision:
        """Record that a claim cannot be checked, and why."""
        if not reason:
            raise InputError(f"Claim {claim}: 'reason' must say why the claim cannot be checked.")
        return self._decide(claim, self.row(claim), None, "cannot", reason)

    def close(self) -> "Ledger":
        """End the chapter: every claim must have its verdict."""
        missing = [claim for claim in self._claims if claim not in self._decisions]
        if missing:
            raise InputError(f"{len(missing)} claims of {self.paper} have no verdict yet: {', '.join(missing)}.")
        return self

    @property
    def decisions(self) -> list[Decision]:
        """The decisions so far, in the order of the paper's claims."""
        return [self._decisions[claim] for claim in self._claims if claim in self._decisions]

    @property
    def ids(self) -> list[str]:
        """The paper's claims, in its order."""
        return list(self._claims)

    def row(self, claim: str) -> dict[str, str]:
        """Return a claim's row of ``claims.csv``.

        Raises
        ------
        InputError
            If there is no such claim.
        """
        if claim not in self._claims:
            known = list(self._claims)
            raise InputError(f"There is no claim '{claim}'; those of {self.paper} run from {known[0]} to {known[-1]}.")
        return self._claims[claim]

    def _column(self, table: str, column: str, error: str, where: str, equals: str) -> list[Printed]:
        frame = data.printed(f"{self.paper}/{table}")
        rows = frame[frame[where] == equals] if where else frame
        errors = rows[error] if error else [""] * len(rows)
        return [Printed(text, error=given) for text, given in zip(rows[column], errors, strict=True)]

    def _decide(self, claim: str, row: dict[str, str], computed: Any, verdict: str, note: str) -> Decision:
        if claim in self._decisions:
            raise InputError(f"Claim {claim} was already decided; each claim is decided once.")
        kept = {
            name: row[name]
            for name in ("place", "kind", "statement", "printed", "unit", "tolerance", "criterion", "evidence")
        }
        self._decisions[claim] = Decision(id=claim, computed=computed, verdict=verdict, note=note, **kept)
        return self._decisions[claim]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        rows = [asdict(decision) for decision in self.decisions]
        counts = Counter(decision.verdict for decision in self.decisions)
        summary = f"{self.paper}: " + ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS)
        return {
            "text/plain": summary,
            "text/html": claims_html.table(rows),
            MIME: {"paper": self.paper, "claims": rows},
        }


def papers() -> list[str]:
    """Return the keys of the papers whose claims the book has."""
    return [name.removesuffix("/claims") for name in data.tables() if name.endswith("/claims")]


def stored(paper: str | None = None) -> list[dict[str, Any]]:
    """Read the verdicts that the stored notebooks hold.

    Parameters
    ----------
    paper : str, optional
        Key of one paper; all papers by default.

    Returns
    -------
    list of dict
        One for each claim: id, place, kind, statement, printed, unit, computed, verdict,
        tolerance, note. Papers in the order of their chapters.
    """
    if paper is not None and paper not in papers():
        raise InputError(f"There are no claims of a paper '{paper}'; the papers are {', '.join(papers())}.")
    ledgers: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(data.ROOT.glob("chapters/*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", []):
                if (ledger := output.get("data", {}).get(MIME)) is not None:
                    ledgers[ledger["paper"]] = ledger["claims"]
    return [claim for key, rows in ledgers.items() if paper in (None, key) for claim in rows]


def claims(paper: str | None = None) -> pd.DataFrame:
    """Return the claims of a paper, or of all, with their verdicts, one row each by id.

    Parameters
    ----------
    paper : str, optional
        Key of one paper, such as ``yang2025``.

    Returns
    -------
    pandas.DataFrame
        What :func:`stored` reads, the statement, the printed and the computed value first.

    Examples
    --------
    >>> claims("yang2025").loc["yang2025-C26", ["printed", "computed", "verdict"]].tolist()
    ['45.6', 43.5644, 'differs']
    """
    first = ["statement", "printed", "computed", "unit", "verdict"]
    table = pd.DataFrame(stored(paper)).set_index("id")
    return table[[*first, *table.columns.difference(first, sort=False)]]
