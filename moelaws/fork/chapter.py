"""A chapter on a reader's own runs: its files, written all or none, and the list of what to delete."""

import fcntl
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from string import Template

import numpy as np
import pandas as pd
import yaml

from moelaws.data.condition import where
from moelaws.data.quantities import CONVENTIONS, QUANTITIES
from moelaws.errors import InputError
from moelaws.fitting.comparison import FOLDS, PREDICTED_FOLDS, Comparison, compare
from moelaws.fitting.needs import needs
from moelaws.fitting.rows import refuse
from moelaws.laws import LAWS, find
from moelaws.laws.base import Law
from moelaws.paths import ROOT as ROOT
from moelaws.serving.measured import COLUMNS as SERVED

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST_NAME = 40
MARKUP = frozenset("`*_{}[]<>$\\|~^#@")
"""What a page would take for markup, so that titles cannot have it."""
SHARE = 0.2
"""Which part of the runs is held out, about: those of the largest compute."""

_TEMPLATES = Path(__file__).parent / "templates"


class _Page(Template):
    delimiter = "@"
    pattern = r"@(?:(?P<named>[a-z_]+)@|(?P<braced>(?!))|(?P<escaped>(?!))|(?P<invalid>(?!)))"  # type: ignore[assignment]


@dataclass(frozen=True)
class Plan:
    """What a chapter compares: the law asked for, those beside it, the rows held out, and what laws were left out.

    Parameters
    ----------
    laws : tuple of str
        All laws that are compared, the law itself first.
    holdout : str
        Condition of the rows held out.
    along : str
        Column of the forward validation.
    left_out : dict
        Law → why it is not compared.
    """

    law: str
    laws: tuple[str, ...]
    holdout: str
    along: str
    left_out: dict[str, str]


def plan(rows: pd.DataFrame, law: Law, holdout: str | None = None, progress: bool = False) -> tuple[Plan, Comparison]:
    """Choose what a chapter compares, and compare it once, so that the chapter is known to run.

    By default the rows of the largest compute are held out.
    """
    refuse((*law.columns, law.response), rows)
    holdout = holdout or region(rows, law)
    held = where(rows, holdout)
    train = rows[~held]
    along = _along(train, law)
    values = np.unique(train[along])
    folds = np.array_split(values, min(len(values), FOLDS))
    fewest = int((train[along] < folds[-PREDICTED_FOLDS][0]).sum())
    laws, left_out = [law.name], {}
    for name, other in LAWS.items():
        if name == law.name or other.response != law.response:
            continue
        lacks = needs(other, rows)
        constant = [column for column in other.columns if column in train and train[column].nunique() < 2]
        if lacks or constant:
            column = next(iter(lacks or constant))
            left_out[name] = f"{column} ({lacks.get(column, 'one value')})"
        elif len(other.parameters) >= fewest:
            left_out[name] = f"{len(other.parameters)} parameters for {fewest} runs"
        else:
            laws.append(name)
    if len(laws) < 2:
        raise InputError(
            f"No second law can be compared with {law.name} on these columns: "
            + "; ".join(f"{name} lacks {why}" for name, why in left_out.items())
            + "."
        )
    compared = compare(laws, rows, ~held, along, progress=progress)
    return Plan(law.name, tuple(laws), holdout, along, left_out), compared


def region(rows: pd.DataFrame, law: Law) -> str:
    """Return a condition that holds about a fifth of the runs out: those of the largest compute, or size.

    Examples
    --------
    >>> rows = pd.DataFrame({"n_active": [1e8, 1e9, 1e8, 1e9, 1e9], "n_tokens": [1e9, 1e9, 1e10, 1e10, 1e11]})
    >>> region(rows, find("dense"))
    'n_active * n_tokens > 3.16e+19'
    """
    sizes = [name for name in ("n_active", "n_dense", "n_total") if name in law.columns]
    spent = ["flops"] if "flops" in rows and not _has_gaps(rows) else [*sizes[:1], "n_tokens"]
    columns = [name for name in spent if name in rows] if "n_tokens" in law.columns or "flops" in spent else sizes[:1]
    columns = columns or [law.columns[0]]
    spent_by_row = np.prod([rows[name].to_numpy(dtype=float) for name in columns], axis=0)
    # Budgets that were meant to be equal differ by a per cent or so.
    levels = np.unique(np.round(np.log10(spent_by_row), 2))
    ends = [10 ** ((low + high) / 2) for low, high in pairwise(levels)]
    if not ends:
        raise InputError(
            f"All rows have the same {' * '.join(columns)}, so that none are the largest; --holdout EXPR is expected."
        )
    shares = [abs(float((spent_by_row > end).mean()) - SHARE) for end in ends]
    return f"{' * '.join(columns)} > {ends[int(np.argmin(shares))]:.3g}"


def heaviest(rows: pd.DataFrame) -> str:
    """Return a condition that holds about a fifth of measurements out: those of the highest load."""
    loads = np.unique(rows["concurrency"])
    if len(loads) < 3:
        raise InputError(
            f"The table has {len(loads)} loads; at least 3 are expected, of which the highest is held out."
        )
    ends = np.sqrt(loads[1:-1] * loads[2:])
    shares = [abs(float((rows["concurrency"] > end).mean()) - SHARE) for end in ends]
    return f"concurrency > {ends[int(np.argmin(shares))]:.4g}"


def _has_gaps(rows: pd.DataFrame) -> bool:
    return bool(pd.to_numeric(rows["flops"], errors="coerce").isna().any())


def _along(train: pd.DataFrame, law: Law) -> str:
    """Return the column of the law with the most different values, a size before others with enough of them."""
    counts = {name: train[name].nunique() for name in law.columns}
    enough = [name for name, count in counts.items() if count > PREDICTED_FOLDS + 1]
    if not enough:
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise InputError(
            f"No column of the law has more than {PREDICTED_FOLDS + 1} different values in the rows that are fitted "
            f"({listed}); a law cannot be tested on larger runs than it was fitted to."
        )
    return enough[0]


def files(name: str) -> list[Path]:
    """Return what belongs to a chapter on own runs: all that is to be deleted, and the file that names it."""
    _named(name)
    folder = ROOT / "data" / name
    if not any(_MARK in path.read_text(encoding="utf-8") for path in ROOT.glob(f"chapters/[0-9][0-9]-{name}.md")):
        raise InputError(f"There is no chapter '{name}' that 'moelaws new-chapter' made.")
    pages = (f"chapters/[0-9][0-9]-{name}.*", f"book/teach/*/[0-9][0-9]-{name}.ipynb")
    return [folder, *sorted(path for page in pages for path in ROOT.glob(page))]


_MARK = "own_runs: true"
"""What stands at the top of a page on own runs."""
_STUBS = "claims.csv.stub", "claims.py.stub"
_CONTENTS = "_toc.yml"


def listed(name: str) -> str:
    """Return the line of the table of contents that names a chapter."""
    text = ROOT.joinpath(_CONTENTS).read_text(encoding="utf-8")
    return next((line.strip() for line in text.split("\n") if f"-{name}.ipynb" in line), "")


def write(
    name: str, rows: pd.DataFrame, words: Mapping[str, str], template: str = "runs.md", config: bytes | None = None
) -> list[Path]:
    """Write the files of a chapter, and its line in the table of contents: all of it or nothing.

    Parameters
    ----------
    name : str
        Small letters, digits and single hyphens, such as ``our-sweep``.
    words : mapping
        What stands between two @ in the template, `title` among them; see :func:`words_of_runs`.
    template : str
        The page with gaps.
    config : bytes, optional
        A model's ``config.json``, to be kept beside the table.
    """
    with _alone():
        free(name)
        taken = [int(path.name[:2]) for path in ROOT.glob("chapters/[0-9][0-9]-*.md")]
        page = ROOT / "chapters" / f"{max(taken, default=-1) + 1:02d}-{name}.md"
        folder, contents = ROOT / "data" / name, ROOT / _CONTENTS
        with tempfile.TemporaryDirectory(dir=ROOT, prefix=".moelaws-") as scratch:
            made = Path(scratch, name)
            made.mkdir()
            if config is not None:
                (made / "config.json").write_bytes(config)
            condition = json.dumps(words["holdout"], ensure_ascii=False)  # a text of Python's, whatever marks are in it
            told = {"name": name, "condition": condition, **words, **_write_table(made, name, rows, words["title"])}
            for stub in _STUBS:
                (made / stub).write_text(_filled(f"{Path(template).stem}.{stub}", told), encoding="utf-8")
            (made / "README.md").write_text(_filled("README.md", told), encoding="utf-8")
            text = _filled(template, told)
            Path(scratch, "page.md").write_text(text, encoding="utf-8")
            Path(scratch, _CONTENTS).write_text(_with_chapter(contents, page.stem), encoding="utf-8")
            try:
                made.rename(folder)
                Path(scratch, "page.md").rename(page)
                Path(scratch, _CONTENTS).replace(contents)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                page.unlink(missing_ok=True)
                raise
    return [folder, page]


def free(name: str) -> None:
    """Refuse a name that a chapter cannot have, or has already."""
    _named(name)
    if not (ROOT / _CONTENTS).exists():
        raise InputError("This copy of moelaws came without the book's text; clone its repository to add a chapter.")
    for path in (ROOT / "data" / name, *ROOT.glob(f"chapters/[0-9][0-9]-{name}.*")):
        if path.exists():
            raise InputError(f"'{name}' is taken: there is {path.relative_to(ROOT)}; another name is expected.")
    for folder in (ROOT, ROOT / "data", ROOT / "chapters"):
        if not os.access(folder, os.W_OK):
            raise InputError(f"{folder}: the folder cannot be written.")


def _named(name: str) -> None:
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise InputError(
            f"'{name[:60]}' is no name of a chapter; small letters, digits and hyphens, as in our-sweep, are expected."
        )


@contextmanager
def _alone() -> Iterator[None]:
    """Keep other writers out until the files are there; the lock ends with the process, whatever happens to it."""
    handle = os.open(ROOT / "chapters", os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def words_of_runs(name: str, chosen: Plan, title: str | None = None) -> dict[str, str]:
    """Return what a chapter on runs says of its law."""
    law = find(chosen.law)
    rest = (
        "\n```{code-cell} ipython3\n:tags: [hide-input]\n\n# The other coefficients\npage.beside(found).iloc[8:]\n```\n"
    )
    reasons = "; ".join(f"`{one}` for {why}" for one, why in chosen.left_out.items())
    return {
        "title": title or title_of(name),
        "law": chosen.law,
        "laws": "\n    " + "\n    ".join(f'"{one}",' for one in chosen.laws) + "\n",
        "holdout": chosen.holdout,
        "along": chosen.along,
        "formula": f"{law.response} = {law.formula}",
        "cite": citation(law),
        "more": rest if len(law.parameters) > 8 else "",
        "left_out": f"Not compared are {reasons}." if reasons else "",
    }


def title_of(name: str) -> str:
    """Return the title of a chapter that was given none."""
    return f"Our own runs: {name.replace('-', ' ')}"


def citation(law: Law) -> str:
    """Return the key in the book's bibliography of the paper that a law's reference names.

    Examples
    --------
    >>> citation(find("wang2024"))
    'wang2024'
    """
    number = re.search(r"arXiv:(\d{4}\.\d{5})", law.reference)
    text = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    entry = number and re.search(r"@\w+\{(\w+),(?:(?!\n@)[\s\S])*?eprint = \{" + re.escape(number[1]), text)
    return entry[1] if entry else "hoffmann2022"


def _with_chapter(contents: Path, stem: str) -> str:
    """Return the table of contents with a chapter after the last one."""
    lines = contents.read_text(encoding="utf-8").split("\n")
    last = max(place for place, line in enumerate(lines) if "file: chapters/" in line)
    entry = f"      - file: chapters/{stem}.ipynb"
    return "\n".join([*lines[: last + 1], entry, *lines[last + 1 :]])


def _filled(template: str, words: Mapping[str, str]) -> str:
    return _Page(_TEMPLATES.joinpath(template).read_text(encoding="utf-8")).substitute(words)


def _write_table(folder: Path, name: str, rows: pd.DataFrame, title: str) -> dict[str, str]:
    """Write the table and its data package, and return what the README says of its columns."""
    rows = rows.reset_index(drop=True)
    rows.to_csv(folder / "runs.csv", index=False)
    fields = [_field(str(column), rows[column]) for column in rows]
    package = {
        "name": name,
        "title": title,
        "licenses": [{"name": "other-closed", "title": "not stated yet"}],
        "sources": [{"title": "our own runs"}],
        "resources": [
            {
                "name": "runs",
                "title": f"{len(rows)} runs",
                "path": "runs.csv",
                "hash": f"sha256:{sha256((folder / 'runs.csv').read_bytes()).hexdigest()}",
                "schema": {"fields": fields},
            }
        ],
    }
    text = yaml.safe_dump(package, sort_keys=False, allow_unicode=True, width=120)
    (folder / "datapackage.yaml").write_text(text, encoding="utf-8")
    columns = "\n".join(f"| `{field['name']}` | {field.get('unit', '')} | {field['description']} |" for field in fields)
    return {"columns": columns, "count": str(len(rows))}


def _field(name: str, column: pd.Series) -> dict[str, object]:
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    field: dict[str, object] = {"name": name, "type": "number" if numeric else "string"}
    if name in QUANTITIES:
        field |= {"unit": QUANTITIES[name].unit or "1", "description": QUANTITIES[name].meaning}
    elif name in SERVED:
        field |= dict(zip(("unit", "description"), SERVED[name], strict=True))
    elif name in CONVENTIONS:
        field["description"] = f"how {' and '.join(CONVENTIONS[name])} was counted or measured"
    else:
        field["description"] = "as in our own table; read by no law"
    if name in QUANTITIES and numeric and not column.isna().any():
        field["constraints"] = {"required": True, "exclusiveMinimum": 0}
    return field
