"""Execute the chapters whose inputs changed, and store them beside their text.

``python book/tools/execute.py`` brings every chapter up to date; ``--force`` and
chapter names narrow or widen that. A stored notebook records the SHA-256 of all
that it was made from, so that "up to date" is a comparison, not a guess. Public runs are
recorded, too, and compared where they are here; where they cannot be had, the stored
notebook stays.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import click
import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from moelaws.data import registry
from moelaws.errors import Unavailable
from moelaws.paths import ROOT

KERNELS = 2
CELL_TIMEOUT = 600  # seconds

# Sums taken by several threads differ in their last digits from run to run.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

# Only the kernel knows which tables the chapter loaded, so it is asked at the end.
ASK_FILES_READ = "from moelaws import data as _data\nprint(*_data.files_read(), sep='\\n')"


class ChapterError(Exception):
    """A chapter that could not be executed; its message names the cell."""


class RunsMissing(ChapterError):
    """A chapter whose public runs cannot be had."""


def stale(chapter: Path) -> bool:
    """Tell whether the stored notebook was made from other inputs than today's.

    Parameters
    ----------
    chapter : Path
        The chapter's text, ``chapters/NN-key.md``. Public runs that are not here count as unchanged.
    """
    gone = absent(chapter)
    recorded = {name: digest for name, digest in _recorded(chapter).items() if name not in gone}
    return recorded != _digests(_always_read(chapter) | recorded.keys())


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
    files = registry.by_label()
    return [name for name in _recorded(chapter) if name in files and files[name].here is None]


def execute(chapter: Path) -> None:
    """Run a chapter from its text and replace its stored notebook.

    Parameters
    ----------
    chapter : Path
        The chapter's text, ``chapters/NN-key.md``.

    Raises
    ------
    ChapterError
        If a cell fails; the stored notebook then stays as it was.
    RunsMissing
        If a cell fails because public runs cannot be had.
    """
    notebook = jupytext.read(chapter)
    read = _run(notebook, chapter)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"{number:03d}-{sha256(cell.source.encode()).hexdigest()[:8]}"
    # Kernel and jupytext versions left in the metadata would show as changes.
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "moelaws": {"inputs": _digests(_always_read(chapter) | read)},
        }
    )
    target = chapter.with_suffix(".ipynb")
    unfinished = target.with_suffix(".ipynb.part")
    nbformat.write(notebook, unfinished)
    unfinished.replace(target)


def _run(notebook: nbformat.NotebookNode, chapter: Path) -> set[str]:
    """Execute the notebook in place and return the names of the files it read."""
    running: list[nbformat.NotebookNode] = []
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        # At start a kernel warns about its transport, which here is this machine's own.
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(chapter.parent)}},
        on_cell_execute=lambda cell, cell_index: running.append(cell),
    )
    notebook.cells.append(nbformat.v4.new_code_cell(ASK_FILES_READ))
    try:
        asyncio.run(client.async_execute(env={**os.environ, **ONE_THREAD}))
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        cell = running[-1].source.strip().split("\n")[0] if running else "the first cell"
        runs_missing = isinstance(error, CellExecutionError) and error.ename == Unavailable.__name__
        kind = RunsMissing if runs_missing else ChapterError
        raise kind(f"{_relative(chapter)}: '{cell}' failed: {_reason(error)}") from error
    answer = notebook.cells.pop().outputs
    paths = [Path(line) for output in answer for line in output.text.split("\n") if line]
    labels = {path: registry.label(path) for path in paths}
    return {labels[path] or _relative(path) for path in paths if labels[path] or path.is_relative_to(ROOT)}


def _reason(error: Exception) -> str:
    if isinstance(error, CellExecutionError):
        return f"{error.ename}: {error.evalue}".split("\n")[0]
    return str(error).split("\n")[0]


def _recorded(chapter: Path) -> dict[str, str]:
    notebook = chapter.with_suffix(".ipynb")
    if not notebook.exists():
        return {}
    metadata = nbformat.read(notebook, as_version=4).metadata
    return dict(metadata.get("moelaws", {}).get("inputs", {}))


def _always_read(chapter: Path) -> set[str]:
    package = (ROOT / "moelaws").rglob("*.py")
    return {_relative(path) for path in [chapter, ROOT / "requirements.lock", *package]}


def _digests(names: Iterable[str]) -> dict[str, str]:
    return {name: _digest(name) for name in sorted(names)}


def _digest(name: str) -> str:
    runs = registry.by_label().get(name)
    path = runs.here if runs else ROOT / name
    return sha256(path.read_bytes()).hexdigest() if path and path.exists() else "missing"


def _relative(path: Path) -> str:
    return path.resolve().relative_to(ROOT).as_posix()


def _find(names: tuple[str, ...]) -> list[Path]:
    """Turn names such as ``03-yang2025`` into chapters; no name means all of them."""
    chapters = {path.stem: path for path in sorted((ROOT / "chapters").glob("*.md"))}
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
    """Execute the chapters (by default all) whose text, package or data changed.

    For example: python book/tools/execute.py --force 03-yang2025
    """
    due = [chapter for chapter in _find(names) if force or stale(chapter)]
    # Kernels are processes of their own, so threads suffice to run them side by side.
    with ThreadPoolExecutor(KERNELS) as pool:
        done = list(pool.map(_attempt, due))
    if not all(done):
        raise SystemExit(1)


if __name__ == "__main__":
    main(prog_name="python book/tools/execute.py")
