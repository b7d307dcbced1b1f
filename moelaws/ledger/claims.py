"""The ledger: every number a paper prints, what the book computes, and the verdict between them.

The functions of ``data/<paper>/claims.py`` decide the rows of ``claims.csv`` (see :mod:`moelaws.ledger.functions`). The
paper's evidence page shows the decided :class:`Ledger`, and its stored notebook is the only place where verdicts are
kept. :func:`stored` reads them there.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

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

    def __str__(self) -> str:
        return self.relation + self.text + (f"±{self.error}" if self.error else "")

    def verdict(self, computed: float, tolerance: str = "", interval: Sequence[float] = ()) -> str:
        """Compare a computed value with the printed one.

        Parameters
        ----------
        computed : float
            What the book's code gives, in the unit of the printed number.
        tolerance : str
            How far off counts as `close`: ``"0.1"`` absolute, ``"6 %"`` of the printed value.
        interval : sequence of float
            Lower and upper end of the 95 % interval of the computed value, where it has one.

        Returns
        -------
        str
            `agrees` if the value rounds to the printed digits (either way at a tie), lies inside the reading error,
            keeps the bound, or has the printed one inside its interval; `close` if it is inside the tolerance, or if
            the printed number is the computed one cut instead of rounded, to two digits or more; else `differs`.

        Examples
        --------
        Table 1 of Yang et al. (2025) prints a share of 45.6 %; its own sizes give 43.6 %.

        >>> Printed("45.6").verdict(100 * 8448 / (10944 + 8448))
        'differs'
        >>> Printed("27").verdict(100 * 2 / 7), Printed("27").verdict(100 * 2 / 7, "2")
        ('differs', 'close')
        >>> Printed("10", ">=").verdict(12.5), Printed("3.21", error="0.03").verdict(3.19)
        ('agrees', 'agrees')
        >>> Printed("4.6").verdict(4.69), Printed("7").verdict(6.9, interval=(6.3, 7.6))
        ('close', 'agrees')
        """
        if not np.isfinite(computed):
            return "differs"
        excess = {"": abs(computed - self.value), ">=": self.value - computed, "<=": computed - self.value}
        exponent = int(Decimal(self.text).as_tuple().exponent)
        half_digit = 0.5 * 10.0**exponent if not self.relation else 0.0
        slack = 1e-9 * max(1.0, abs(self.value))
        if excess[self.relation] <= max(half_digit, float(self.error or 0)) + slack:
            return "agrees"
        if len(interval) and interval[0] - slack <= self.value <= interval[1] + slack:
            return "agrees"
        beyond = (computed - self.value) * np.sign(self.value)
        cut = not (self.relation or self.error) and self._n_digits > 1 and 0 <= beyond < 2 * half_digit
        return "close" if cut or excess[self.relation] <= _allowed(tolerance, self.value) + slack else "differs"

    @property
    def _n_digits(self) -> int:
        return len(Decimal(self.text).as_tuple().digits)


def _allowed(tolerance: str, printed: float) -> float:
    number = tolerance.removesuffix("%").strip()
    if not number:
        return 0.0
    return float(number) / 100 * abs(printed) if tolerance.endswith("%") else float(number)


@dataclass(frozen=True)
class Decision:
    """A claim with its verdict, as the stored notebook keeps it.

    `values` are the printed numbers one by one; `intervals` and `verdicts` belong to them. An end without limit is
    None, as JSON knows no infinity.
    """

    id: str
    place: str
    kind: str
    statement: str
    printed: str
    unit: str
    values: list[str]
    computed: float | bool | list[float] | None
    intervals: list[list[float | None]]
    verdicts: list[str]
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
        if paper not in papers():
            raise InputError(f"There are no claims of a paper '{paper}'; the papers are {', '.join(papers())}.")
        self.paper = paper
        rows = data.load(f"{paper}/claims").fillna("").to_dict("records")
        self._claims = {str(row["id"]): {str(name): str(value) for name, value in row.items()} for row in rows}
        self._decisions: dict[str, Decision] = {}
        self.sources: dict[str, str] = {}

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

    def check(
        self,
        claim: str,
        computed: float | bool | Sequence[float] | np.ndarray,
        note: str = "",
        interval: Sequence[float] | Sequence[Sequence[float]] = (),
    ) -> Decision:
        """Decide a claim by a computed value.

        Parameters
        ----------
        computed : float, bool or sequence of float
            One value for each printed one, in their order and unit; for a statement without
            numbers, whether the data bear it out. Several values get their worst verdict.
        note : str
            What else a reader should know. Needed where the verdict is `differs`, and for a
            statement, where it shows the quantity behind the boolean.
        interval : sequence
            The 95 % interval of the computed value, as low and high; one pair for each of several values. An end
            that nothing limits is infinite.
        """
        row = self.row(claim)
        printed = self.printed(claim)
        values: float | bool | list[float]
        verdicts: list[str] = []
        intervals = np.atleast_2d(np.asarray(interval, dtype=float)) if len(interval) else np.empty((0, 2))
        if len(intervals) not in {0, len(printed)}:
            raise InputError(f"Claim {claim} prints {len(printed)} numbers; {len(intervals)} intervals were computed.")
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
            inside = intervals if len(intervals) else [()] * len(numbers)
            pairs = zip(printed, numbers, inside, strict=True)
            verdicts = [one.verdict(value, row["tolerance"], ends) for one, value, ends in pairs]
            verdict = max(verdicts, key=VERDICTS.index)
            # Six digits are the same on every machine; a count is exact, and stays so.
            kept = [_six_digits(value) for value in numbers]
            values = kept[0] if len(kept) == 1 else kept
        if verdict == "differs" and not note:
            raise InputError(
                f"Claim {claim} differs from what is computed; its 'note' must say why, as far as it can be known."
            )
        kept_intervals = [
            [_six_digits(end) if np.isfinite(end) else None for end in pair] for pair in intervals.tolist()
        ]
        return self._decide(claim, row, values, verdict, note, kept_intervals, verdicts)

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
        """Return a claim's row of ``claims.csv``."""
        if claim not in self._claims:
            known = list(self._claims)
            raise InputError(f"There is no claim '{claim}'; those of {self.paper} run from {known[0]} to {known[-1]}.")
        return self._claims[claim]

    def _column(self, table: str, column: str, error: str, where: str, equals: str) -> list[Printed]:
        frame = data.printed(f"{self.paper}/{table}")
        rows = frame[frame[where] == equals] if where else frame
        errors = rows[error] if error else [""] * len(rows)
        return [Printed(text, error=given) for text, given in zip(rows[column], errors, strict=True)]

    def _decide(
        self,
        claim: str,
        row: dict[str, str],
        computed: Any,
        verdict: str,
        note: str,
        intervals: Sequence[list[float | None]] = (),
        verdicts: Sequence[str] = (),
    ) -> Decision:
        if claim in self._decisions:
            raise InputError(f"Claim {claim} was already decided; each claim is decided once.")
        kept = {
            name: row[name]
            for name in ("place", "kind", "statement", "printed", "unit", "tolerance", "criterion", "evidence")
        }
        values = [str(one) for one in self.printed(claim)]
        self._decisions[claim] = Decision(
            id=claim,
            values=values,
            computed=computed,
            intervals=list(intervals),
            verdicts=list(verdicts),
            verdict=verdict,
            note=note,
            **kept,
        )
        return self._decisions[claim]

    def cards(self, *claims: str) -> "Cards":
        """Return the decisions on some claims as a page shows them, each with its criterion and its function's source.

        Ids are given with or without the paper's key: ``"yang2025-C01"`` or ``"C01"``.
        """
        names = [claim if claim.startswith(f"{self.paper}-") else f"{self.paper}-{claim}" for claim in claims]
        for name in names:
            self.row(name)
        return Cards([self._decisions[name] for name in names], self.sources)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        rows = [asdict(decision) for decision in self.decisions]
        counts = Counter(decision.verdict for decision in self.decisions)
        summary = f"{self.paper}: " + ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS)
        return {
            "text/plain": summary,
            "text/html": claims_html.counts(rows),
            MIME: {"paper": self.paper, "claims": rows},
        }


@dataclass(frozen=True)
class Cards:
    """Decisions as an evidence page shows them."""

    decisions: Sequence[Decision]
    sources: dict[str, str]

    def _repr_html_(self) -> str:
        return "".join(claims_html.card(asdict(one), self.sources.get(one.id, "")) for one in self.decisions)

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.decisions))


def _six_digits(value: float) -> float:
    return value if value.is_integer() and abs(value) < 1e12 else float(f"{value:.6g}")


def papers() -> list[str]:
    """Return the keys of the papers whose claims the book has."""
    return [path.parent.name for path in sorted(data.ROOT.glob("data/*/claims.csv"))]


def stored(paper: str | None = None) -> list[dict[str, Any]]:
    """Read the verdicts that the stored notebooks hold.

    Each has the fields of :class:`Decision`, and `page`, the notebook that stores it; papers in the order of their
    chapters.
    """
    if paper is not None and paper not in papers():
        raise InputError(f"There are no claims of a paper '{paper}'; the papers are {', '.join(papers())}.")
    ledgers: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(data.ROOT.glob("chapters/*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", []):
                if (ledger := output.get("data", {}).get(MIME)) is not None:
                    ledgers[ledger["paper"]] = [{**claim, "page": path.stem} for claim in ledger["claims"]]
    return [claim for key, rows in ledgers.items() if paper in (None, key) for claim in rows]


def claims(paper: str | None = None) -> pd.DataFrame:
    """Return the claims of a paper, or of all, with their verdicts, one row each by id.

    Examples
    --------
    >>> claims("yang2025").loc["yang2025-C26", ["printed", "computed", "verdict"]].tolist()
    ['45.6', 43.5644, 'differs']
    """
    first = ["statement", "printed", "computed", "unit", "verdict"]
    table = pd.DataFrame(stored(paper)).set_index("id")
    return table[[*first, *table.columns.difference(first, sort=False)]]
