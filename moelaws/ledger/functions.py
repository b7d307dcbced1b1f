"""Claims decided by functions that stand beside their rows, in ``data/<paper>/claims.py``.

Each function decides one row of ``claims.csv``, whose column `criterion` becomes its docstring::

    @claim("tian2025-C61")
    def rows_of_table_7():
        return Result(len(architectures(7)), note="The smallest size has experts of width 320.")

Shared quantities are cached functions, seeds are local, and the order of the rows means nothing.
"""

import importlib.util
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType

import numpy as np

from moelaws.errors import InputError
from moelaws.ledger.claims import Decision, Ledger, papers
from moelaws.paths import ROOT


@dataclass(frozen=True)
class Result:
    """What a claim's function computed.

    Parameters
    ----------
    computed : float, bool or sequence of float
        One value for each printed one, in their order and unit; for a statement, whether it holds.
    note : str
        What else a reader should know; needed where the verdict is `differs`, and for a statement.
    interval : sequence
        The 95 % interval of the computed value, or the range that roundings or admissible coefficients leave it (the
        note says which), as low and high; one pair for each of several values.
    """

    computed: float | bool | Sequence[float] | np.ndarray
    note: str = ""
    interval: Sequence[float] | Sequence[Sequence[float]] = ()


@dataclass(frozen=True)
class Cannot:
    """Why nothing public decides a claim, and what would.

    Parameters
    ----------
    reason : str
        One sentence or two.
    """

    reason: str


Function = Callable[[], Result | Cannot]


def claim(name: str) -> Callable[[Function], Function]:
    """Mark the function that decides a claim."""

    def mark(function: Function) -> Function:
        function.__dict__["claim"] = name
        return function

    return mark


@cache
def module(paper: str) -> ModuleType:
    """Return the module of a paper's claims, ``data/<paper>/claims.py``, with what its functions share."""
    path = ROOT / "data" / paper / "claims.py"
    if paper not in papers() or not path.exists():
        raise InputError(f"There are no functions for claims of a paper '{paper}'.")
    spec = importlib.util.spec_from_file_location(f"moelaws_claims_{paper}", path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@cache
def functions(paper: str) -> dict[str, Function]:
    """Return the functions that decide a paper's claims by the claim's id, in the order of its rows."""
    ledger, found = Ledger(paper), {}
    for value in vars(module(paper)).values():
        if (name := getattr(value, "claim", None)) is not None and callable(value):
            if name in found:
                raise InputError(f"Claim {name} has two functions in data/{paper}/claims.py; one is expected.")
            value.__doc__ = ledger.row(name)["criterion"]
            found[name] = value
    if missing := [name for name in ledger.ids if name not in found]:
        raise InputError(f"Claims of {paper} without a function in data/{paper}/claims.py: {', '.join(missing)}.")
    return {name: found[name] for name in ledger.ids}


def compute(name: str) -> Decision:
    """Decide one claim now."""
    return _decided(Ledger(paper_of(name)), name)


def decide(paper: str) -> Ledger:
    """Decide all claims of a paper now."""
    ledger = Ledger(paper)
    ledger.sources = {name: inspect.getsource(function) for name, function in functions(paper).items()}
    for name in ledger.ids:
        _decided(ledger, name)
    return ledger.close()


def source(name: str) -> str:
    """Return the source of the function that decides a claim."""
    return inspect.getsource(functions(paper_of(name))[name])


def paper_of(name: str) -> str:
    """Return the key of the paper that a claim belongs to.

    Examples
    --------
    >>> paper_of("yang2025-C26")
    'yang2025'
    """
    for paper in papers():
        if name in Ledger(paper).ids:
            return paper
    raise InputError(f"There is no claim '{name}'; 'moelaws claims' lists all.")


def _decided(ledger: Ledger, name: str) -> Decision:
    result = functions(ledger.paper)[name]()
    return (
        ledger.cannot(name, result.reason)
        if isinstance(result, Cannot)
        else ledger.check(name, result.computed, result.note, result.interval)
    )
