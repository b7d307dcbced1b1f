"""Execute the chapters whose inputs changed, and store them beside their text.

``python book/tools/execute.py`` brings every chapter up to date; ``--force`` and chapter names narrow or widen that.
A stored notebook records all that it was made from: its text, the tables it read, the code it imported (hashes), and
the pinned versions of the libraries that this code imported. So "up to date" is a comparison, not a guess. Code is
compared without comments and docstrings. What it shows is recorded, too: outputs that were changed by hand are out of
date. Public runs are recorded and compared where they are here; where they cannot be had, the stored notebook stays.
"""

from __future__ import annotations

import ast
import asyncio
import io
import json
import re
import tempfile
import tokenize
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from hashlib import sha256
from importlib.util import source_from_cache
from pathlib import Path
from typing import Any

import click
import jupytext
import kernel
import nbformat
import teach
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from kernel_extension import ANSWER, RECORD
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from moelaws.data import registry
from moelaws.errors import Unavailable
from moelaws.paths import ROOT

KERNELS = 2
CELL_TIMEOUT = 1200  # seconds; against a cell that hangs, not one that is slow
LOCK = "requirements.lock"


class ChapterError(Exception):
    """A chapter that could not be executed; its message names the cell."""


class RunsMissing(ChapterError):
    """A chapter whose public runs cannot be had."""


class _OwnKernel(AsyncKernelManager):
    """A kernel of this interpreter, whatever kernels a user has: no folder is searched for another."""

    def _kernel_spec_manager_default(self) -> KernelSpecManager:
        return KernelSpecManager(kernel_dirs=[])


def stale(chapter: Path) -> bool:
    """Tell whether the stored notebook was made from other inputs than today's.

    Parameters
    ----------
    chapter : Path
        The chapter's text, ``chapters/NN-key.md``. Public runs that are not here count as unchanged.
    """
    notebook = _stored(chapter)
    gone = _absent(notebook)
    recorded = {name: value for name, value in _recorded(notebook).items() if name not in gone}
    return not recorded or recorded != _inputs(recorded) or not _answered(notebook) or _touched(notebook)


def touched(chapter: Path) -> bool:
    """Tell whether the outputs of a stored notebook are other than when it was executed.

    Parameters
    ----------
    chapter : Path
        The chapter's text or its notebook.
    """
    return _touched(_stored(chapter))


def absent(chapter: Path) -> list[str]:
    """Return the public runs that the stored notebook was made from and that are not on this machine.

    Parameters
    ----------
    chapter : Path
        The chapter's text or its notebook.

    Returns
    -------
    list of str
        Labels such as ``"public_runs/clark2022/curves.csv.gz"``.
    """
    return _absent(_stored(chapter))


def execute(chapter: Path) -> None:
    """Run a chapter from its text and replace its stored notebook.

    Parameters
    ----------
    chapter : Path
        The chapter's text, ``chapters/NN-key.md``.

    Raises
    ------
    ChapterError
        If a cell fails or shows no picture where its header describes one; the stored notebook then stays as it was.
    RunsMissing
        If a cell fails because public runs cannot be had.
    """
    notebook = jupytext.read(chapter)
    read, answers = _run(notebook, chapter)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"{number:03d}-{sha256(cell.source.encode()).hexdigest()[:8]}"
        shown = {mime for output in cell.get("outputs", []) for mime in output.get("data", {})}
        if "figure" in cell.metadata.get("mystnb", {}) and not any(mime.startswith("image/") for mime in shown):
            raise ChapterError(
                f"{_relative(chapter)}: '{_first_line(cell)}' shows no picture, and its header names a figure."
            )
    # Kernel and jupytext versions left in the metadata would show as changes.
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "moelaws": {"inputs": _inputs({_relative(chapter)} | read), "answers": answers},
        }
    )
    notebook.metadata.moelaws.outputs = _outputs(notebook)
    target = chapter.with_suffix(".ipynb")
    unfinished = target.with_suffix(".ipynb.part")
    nbformat.write(notebook, unfinished)
    unfinished.replace(target)


def _run(notebook: nbformat.NotebookNode, chapter: Path) -> tuple[set[str], list[Any]]:
    """Execute the notebook in place, and return the names of its inputs and the answers of its solutions."""
    running: list[nbformat.NotebookNode] = []
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        kernel_manager_class=_OwnKernel,
        timeout=CELL_TIMEOUT,
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=kernel.ARGUMENTS,
        resources={"metadata": {"path": str(chapter.parent)}},
        on_cell_execute=lambda cell, cell_index: running.append(cell),
    )
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder, "record.json")
        try:
            asyncio.run(client.async_execute(env={**kernel.environment(), RECORD: str(record)}))
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            cell = _first_line(running[-1]) if running else "the first cell"
            runs_missing = isinstance(error, CellExecutionError) and error.ename == Unavailable.__name__
            kind = RunsMissing if runs_missing else ChapterError
            raise kind(f"{_relative(chapter)}: '{cell}' failed: {_reason(error)}") from error
        seen = json.loads(record.read_text(encoding="utf-8"))
    libraries = {re.sub(r"[-_.]+", "-", name).lower() for name in seen["distributions"]}
    return _files(seen["opened"]) | {f"{LOCK}: {name}" for name in libraries if _pins(name)}, seen["answers"]


def _files(opened: Iterable[str]) -> set[str]:
    """Name the files of the project, and the public runs, among those that a kernel opened."""
    paths = {Path(source_from_cache(name) if name.endswith(".pyc") else name).resolve() for name in opened}
    below = {_relative(path) for path in paths if path.is_relative_to(ROOT)}
    names = {name for name in below if not any(part.startswith((".", "_build")) for part in Path(name).parts)}
    # Looking a table up reads the descriptions of all sets; only those of the sets whose tables were read count.
    described = {name for name in names if name.endswith("/datapackage.yaml")}
    folders = {Path(name).parent for name in names - described}
    names -= {name for name in described if Path(name).parent not in folders}
    return names | {label for label, file in registry.by_label().items() if file.here in paths}


def _first_line(cell: nbformat.NotebookNode) -> str:
    return cell.source.strip().split("\n")[0]


def _reason(error: Exception) -> str:
    if isinstance(error, CellExecutionError):
        return f"{error.ename}: {error.evalue}".split("\n")[0]
    return str(error).split("\n")[0]


def _stored(chapter: Path) -> nbformat.NotebookNode:
    """Return a chapter's stored notebook, or an empty one."""
    notebook = chapter.with_suffix(".ipynb")
    return nbformat.read(notebook, as_version=4) if notebook.exists() else nbformat.v4.new_notebook()


def _recorded(notebook: nbformat.NotebookNode) -> dict[str, str]:
    return dict(notebook.metadata.get("moelaws", {}).get("inputs", {}))


def _absent(notebook: nbformat.NotebookNode) -> list[str]:
    files = registry.by_label()
    return [name for name in _recorded(notebook) if name in files and files[name].here is None]


def _touched(notebook: nbformat.NotebookNode) -> bool:
    return notebook.metadata.get("moelaws", {}).get("outputs") != _outputs(notebook)


def _answered(notebook: nbformat.NotebookNode) -> bool:
    """Tell whether a stored notebook holds the answer of every solution that assigns one."""
    solutions = [cell for cell in notebook.cells if cell.cell_type == "code" and ANSWER.search(cell.source)]
    return len(solutions) == len(notebook.metadata.moelaws.get("answers", []))


def _outputs(notebook: nbformat.NotebookNode) -> str:
    """Return the hash of all that a notebook shows."""
    shown = [cell.get("outputs") for cell in notebook.cells]
    return sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()


def _inputs(names: Iterable[str]) -> dict[str, str]:
    return {name: _value(name) for name in sorted(names)}


def _value(name: str) -> str:
    """Return an input's hash, or the versions that the lock file pins for it."""
    if name.startswith(f"{LOCK}: "):
        return _pins(name.removeprefix(f"{LOCK}: "))
    runs = registry.by_label().get(name)
    path = runs.here if runs else ROOT / name
    if not path or not path.exists():
        return "missing"
    content = path.read_bytes()
    return sha256(_code(content.decode()).encode() if path.suffix == ".py" else content).hexdigest()


def _pins(name: str) -> str:
    """Return the versions that the lock file pins for a library."""
    lines = (ROOT / LOCK).read_text(encoding="utf-8").splitlines()
    return ", ".join(line.removeprefix(f"{name}==") for line in lines if line.startswith(f"{name}=="))


@cache  # each page is made from most of the package
def _code(source: str) -> str:
    """Return a module's source without comments, docstrings and blank lines.

    It is cut from the text, as syntax trees and tokens look different in each version of Python. Of tokens only the
    lines are used: beside letters outside ASCII, some versions count the columns wrong.
    """
    lines = source.encode().splitlines(keepends=True)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            line = lines[token.start[0] - 1].rstrip()
            lines[token.start[0] - 1] = line.removesuffix(token.string.rstrip().encode()) + b"\n"
    docstrings = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    ]
    for node in sorted(docstrings, key=lambda node: node.lineno, reverse=True):
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        lines[first : last + 1] = [lines[first][: node.col_offset] + lines[last][node.end_col_offset :]]
    return "\n".join(line.rstrip() for line in b"".join(lines).decode().splitlines() if line.strip())


def _relative(path: Path) -> str:
    return path.resolve().relative_to(ROOT).as_posix()


def _find(names: tuple[str, ...]) -> list[Path]:
    """Turn names such as ``03-yang2025`` into chapters; no name means all of them and the lab."""
    texts = [*(ROOT / "chapters").glob("[0-9]*.md"), *(ROOT / "book" / "teach").glob("*.md")]
    chapters = {path.stem: path for path in sorted(texts) if path.is_file()}
    for name in names:
        if Path(name).stem not in chapters:
            raise click.UsageError(f"there is no chapter '{name}'; there are {', '.join(chapters)}")
    return [chapters[Path(name).stem] for name in names] or list(chapters.values())


def _attempt(chapter: Path) -> bool:
    stored = chapter.with_suffix(".ipynb")
    try:
        execute(chapter)
    except ChapterError as error:
        if isinstance(error, RunsMissing) and stored.exists():
            click.echo(f"kept {_relative(stored)}, as public runs that it needs cannot be had: {error}")
            return True
        click.echo(f"Error: {error}", err=True)
        return False
    click.echo(f"executed {_relative(chapter)}")
    return True


@click.command()
@click.argument("names", metavar="[CHAPTER]...", nargs=-1)
@click.option("--force", is_flag=True, help="Execute chapters that are up to date, too.")
def main(names: tuple[str, ...], force: bool) -> None:
    """Execute the chapters (by default all) whose text, code or data changed.

    For example: python book/tools/execute.py --force 03-yang2025
    """
    due = [chapter for chapter in _find(names) if force or stale(chapter)]
    # Kernels are processes of their own, so threads suffice to run them side by side.
    with ThreadPoolExecutor(KERNELS) as pool:
        done = list(pool.map(_attempt, due))
    if not all(done):
        raise SystemExit(1)
    try:
        teach.write(ROOT)
    except teach.TextError as error:
        raise SystemExit(f"Error: {error}") from error


if __name__ == "__main__":
    main(prog_name="python book/tools/execute.py")
