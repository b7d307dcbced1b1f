"""Change the project in one place after another, and see whether a unit test notices.

``python book/tools/mutants.py --sample 150 --seed 0`` draws changes to the package, and a third as many to the cells
of tables and to the digits of stored outputs; ``--only PATH`` draws them below one path. Whatever survives is printed
with its place and lines, and stands with the rest in ``_build/mutants.csv``. Files are changed in a copy.

A change is tried by the tests that run the changed statement, then by the other tests of the files that they stand
in; what runs which statement is measured, and kept in ``_build/mutants`` until the package or the test changes. Each
trial is a fork of a process that holds the libraries. The general tools do not fit: the one that is as fast does not
change what stands outside functions, where the laws keep their coefficients, and the other starts all tests anew.
"""

import ast
import csv
import importlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import changes
import click
import coverage
import nbformat
import pytest
from changes import Change
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "_build" / "mutants"
EQUIVALENT = Path(__file__).with_name("equivalent.csv")
NEEDED = {"code": 0.95, "cell": 1.0, "output": 1.0}
"""Share that tests have to notice."""

# What looks at the site, at the book's text or at the tools themselves says nothing of the package, and the verdicts
# of all claims take minutes.
OTHERS = {
    "bite",
    "book",
    "book_numbers",
    "book_rules",
    "claims_decided",
    "execute",
    "explorers",
    "mutants",
    "nbval_runs",
    "nbval_tolerance",
    "site",
    "teach",
}
DOCTESTS = "moelaws"
CELLS = "tests/test_checksums.py"
LIBRARIES = "hypothesis joblib lmfit matplotlib.pyplot nbformat nbval.plugin numpy pandas pandera.pandas pooch"
LIBRARIES += " click.testing jupytext nbclient scipy.interpolate scipy.optimize scipy.stats seaborn tqdm yaml"
SETTINGS = ["-q", "--no-header", "--doctest-modules", "-p", "no:cacheprovider", "-p", "no:nbval", "-p", "no:xdist"]
MEMORY = 8 << 30  # bytes


def project(folder: Path) -> Path:
    """Copy what the tests need."""
    made = shutil.ignore_patterns(".*", "_build", "__pycache__")
    return shutil.copytree(ROOT, folder / "project", ignore=made)


def forked(work: Callable[[], Any], copy: Path, cpu: float = 3600) -> Any:
    """Return what a function gives in a process of its own, in a copy; None if it ends otherwise or takes too long.

    The limit is processor time, so that it does not depend on what else the machine does.
    """
    answer = copy.parent / "answer.json"
    answer.unlink(missing_ok=True)
    if not (child := os.fork()):
        try:
            os.setsid()
            resource.setrlimit(resource.RLIMIT_CPU, (int(cpu) + 1, int(cpu) + 2))
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            _enter(copy)
            answer.write_text(json.dumps(work()), encoding="utf-8")
        finally:
            os._exit(0)
    until = time.monotonic() + 10 * cpu
    while not os.waitpid(child, os.WNOHANG)[0]:
        time.sleep(0.01)
        if time.monotonic() > until:
            os.killpg(child, signal.SIGKILL)
    with suppress(ProcessLookupError):  # what it started and left
        os.killpg(child, signal.SIGKILL)
    return json.loads(answer.read_text(encoding="utf-8")) if answer.exists() else None


def _enter(copy: Path) -> None:
    os.chdir(copy)
    paths = [str(copy), str(copy / "book/tools"), str(copy / "data/small_moe_runs")]
    sys.path[:0] = paths
    os.environ.update(PYTHONPATH=os.pathsep.join(paths), PYTHONDONTWRITEBYTECODE="1")
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silence, stream)


class Recorder:
    """Which statements each test runs, and its processor time."""

    def __init__(self) -> None:
        self.coverage = coverage.Coverage(data_file=None, include=["moelaws/*"], config_file=False)
        self.tests: dict[str, float] = {}
        self.failed: list[str] = []

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        """Take the time of one test."""
        self.coverage.switch_context(item.nodeid)
        start = time.process_time()
        yield
        self.tests[item.nodeid] = time.process_time() - start
        self.coverage.switch_context("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember what fails without any change."""
        if report.failed:
            self.failed.append(report.nodeid)

    def run(self, unit: str) -> dict[str, Any]:
        """Run a file of tests, or the package's doctests."""
        self.coverage.start()
        ended = pytest.main([*SETTINGS, "-o", "addopts=", unit], plugins=[self])
        self.coverage.stop()
        data, copy = self.coverage.get_data(), Path.cwd()
        lines = {
            str(Path(file).relative_to(copy)): data.contexts_by_lineno(file) for file in sorted(data.measured_files())
        }
        # The last of them: all tests of the file are skipped, for want of a library.
        return {"tests": self.tests, "failed": self.failed, "lines": lines, "ran": ended in {0, 1, 5}}


class Chosen:
    """Runs some tests of those collected, the quick ones first."""

    def __init__(self, tests: dict[str, float]) -> None:
        self.tests = tests

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out the others."""
        items[:] = [item for item in items if item.nodeid in self.tests]

    def fail(self) -> bool:
        """Tell whether one of them fails."""
        units: Counter[str] = Counter()
        for test, seconds in self.tests.items():
            units[test.partition("::")[0]] += seconds  # type: ignore[assignment]
        files = sorted(units, key=units.__getitem__)
        return any(
            pytest.main([*SETTINGS, "-x", "-o", "addopts=", file], plugins=[self]) not in {0, 5} for file in files
        )


class Suite:
    """The unit tests that can reach some files, and what each of them runs."""

    def __init__(self, copy: Path, files: set[str]) -> None:
        self.copy, self.files = copy, files
        self.units = {unit: self._kept(unit) or self._measured(unit) for unit in self._named()}
        self.failed = {test for found in self.units.values() for test in found["failed"]}

    def _kept(self, unit: str) -> dict[str, Any] | None:
        """Return what was measured before, if the files that the tests import are still the same."""
        with suppress(FileNotFoundError):
            found: dict[str, Any] = json.loads(self._record(unit).read_text(encoding="utf-8"))
            if found["made from"] == self._hashes(found["made from"]):
                return found
        return None

    def _measured(self, unit: str) -> dict[str, Any]:
        found: dict[str, Any] | None = forked(lambda: Recorder().run(unit), self.copy)
        if not found or not found["ran"]:
            raise click.ClickException(f"The tests of {unit} do not run.")
        click.echo(f"measured {unit}: {len(found['tests'])} tests, {sum(found['tests'].values()):.0f} s", err=True)
        own = [unit] if unit != DOCTESTS else [str(path.relative_to(ROOT)) for path in ROOT.glob("moelaws/**/*.py")]
        found["made from"] = self._hashes([*found["lines"], *own])
        self._record(unit).parent.mkdir(parents=True, exist_ok=True)
        self._record(unit).write_text(json.dumps(found), encoding="utf-8")
        return found

    @staticmethod
    def _record(unit: str) -> Path:
        return KEPT / f"{Path(unit).stem}.json"

    @staticmethod
    def _hashes(paths: Iterable[str]) -> dict[str, str]:
        known = [path for path in paths if (ROOT / path).exists()]
        return {path: sha256((ROOT / path).read_bytes()).hexdigest() for path in known}

    def _named(self) -> list[str]:
        files = sorted((self.copy / "tests").glob("test_*.py"))
        names = [f"tests/{file.name}" for file in files if file.stem.removeprefix("test_") not in OTHERS]
        return [DOCTESTS, *(name for name in names if self.files & reached(name))]

    def around(self, change: Change) -> list[dict[str, float]]:
        """Return the tests that run a changed statement, and then the others of their files.

        What only importing runs, such as a constant, is used by what runs its module, or a module that imports it, or
        by tests that import it themselves.
        """
        span = {str(line) for line in range(change.line, change.last + 1)}
        at_import = any(
            "" in found["lines"].get(change.path, {}).get(line, ()) for found in self.units.values() for line in span
        )
        package = (str(path.relative_to(ROOT)) for path in ROOT.glob("moelaws/**/*.py") if at_import)
        near = [change.path, *(path for path in package if change.path in imports(ROOT / path))]
        first, second = {}, {}
        for unit, found in self.units.items():
            known = {test: seconds for test, seconds in found["tests"].items() if test not in self.failed}
            own = found["lines"].get(change.path, {})
            run = {test for line, tests in own.items() if at_import or line in span for test in tests}
            touched = {test for path in near for tests in found["lines"].get(path, {}).values() for test in tests}
            first |= {test: seconds for test, seconds in known.items() if test in run}
            taken = unit != DOCTESTS and change.path in imports(ROOT / unit)
            second |= known if run & known.keys() or (at_import and (taken or touched - {""})) else {}
        return [first, {test: seconds for test, seconds in second.items() if test not in first}]


@cache
def imports(path: Path) -> frozenset[str]:
    """Return the package's files that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    places = {name.replace(".", "/") for name in names}
    files = {f"{place}{end}" for place in places for end in (".py", "/__init__.py") if place.startswith("moelaws")}
    return frozenset(file for file in files if (ROOT / file).exists())


def reached(path: str) -> set[str]:
    """Return the package's files that a file imports, itself or through others."""
    found: set[str] = set()
    new = {path}
    while new:
        found |= new
        new = {file for known in new for file in imports(ROOT / known)} - found
    return found


def check(change: Change) -> str:
    """Return what has to notice a change: the unit tests, the tables' hashes, or the comparison of outputs."""
    return change.kind if change.kind in NEEDED else "code"


def noticed(change: Change, copy: Path, suite: Suite | None) -> bool:
    """Tell whether the checks notice a change in the copy."""
    if change.kind == "output":
        return forked(lambda: _compared(change), copy) is not False
    if change.kind == "cell":
        return forked(lambda: pytest.main([*SETTINGS, "-x", "-o", "addopts=", CELLS]), copy) != 0
    for tests in suite.around(change) if suite else []:
        if tests and forked(Chosen(tests).fail, copy, 30 + 5 * sum(tests.values())) is not False:
            return True
    return False


def _compared(change: Change) -> bool:
    """Tell whether the comparison of the chapters finds two notebooks different."""
    conftest = importlib.import_module("conftest")
    stored, new = (
        [cell.get("outputs", []) for cell in nbformat.read(path, as_version=4).cells]
        for path in (ROOT / change.path, change.path)
    )
    conftest.adopt([output for cell in new for output in cell], [output for cell in stored for output in cell])
    return new != stored


def equivalent() -> set[tuple[str, str, str]]:
    """Return the changes that change nothing, each with its reason in the file: path, line before, line after."""
    with EQUIVALENT.open(encoding="utf-8", newline="") as file:
        return {(row["path"], row["before"], row["after"]) for row in csv.DictReader(file)}


def drawn(count: int, seed: int, only: str, kinds: Sequence[str] = ()) -> list[Change]:
    """Draw what is changed: so many places of the package, and a third as many cells and digits of outputs.

    With `kinds`, only changes of these kinds are drawn.
    """
    strata = {
        "moelaws/**/*.py": (changes.of_code, count),
        "data/*/*.csv": (changes.of_table, count // 3),
        "chapters/*.ipynb": (changes.of_outputs, count // 3),
    }
    found = []
    for pattern, (of, number) in strata.items():
        paths = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob(pattern))
        sources = {path: (ROOT / path).read_bytes() for path in paths if path.startswith(only)}
        skipped = equivalent()
        every = [change for path, source in sources.items() for change in of(path, source)]
        every = [one for one in every if not kinds or one.kind in kinds]
        every = [one for one in every if (one.path, *one.lines(sources[one.path])) not in skipped]
        found += changes.sample(every, number, seed)
    return found


@click.command(help=__doc__)
@click.option("--sample", default=150, show_default=True, help="Changes to the package.")
@click.option("--seed", default=0, show_default=True, help="Seed of the draw.")
@click.option("--only", default="", help="Path, from the project's folder, of the files that are changed.")
@click.option("--kind", "kinds", multiple=True, help="Kind of change, such as boundary; by default all.")
@click.option("--out", type=click.Path(path_type=Path), default=KEPT.with_suffix(".csv"), help="Table of all changes.")
def main(sample: int, seed: int, only: str, kinds: tuple[str, ...], out: Path) -> None:
    """Change, test, and report."""
    for library in LIBRARIES.split():
        importlib.import_module(library)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        copy = project(Path(folder))
        todo = drawn(sample, seed, only, kinds)
        files = {change.path for change in todo if change.path.endswith(".py")}
        suite = Suite(copy, files) if files else None
        for change in {check(change): change for change in todo}.values():
            if noticed(change, copy, suite):  # nothing is changed yet
                raise click.ClickException(f"The checks that {change.path} would meet are red without any change.")
        for number, change in enumerate(tqdm(todo, unit="change", delay=2), 1):
            path = copy / change.path
            source, times = path.read_bytes(), path.stat()
            before, after = change.lines(source)
            start = time.monotonic()
            path.write_bytes(change.apply(source))
            os.utime(path, (times.st_atime, times.st_mtime + number))  # compiled code is told from older by its second
            verdict = "killed" if noticed(change, copy, suite) else "survived"
            path.write_bytes(source)
            os.utime(path, (times.st_atime, times.st_mtime))
            rows.append(
                {
                    "check": check(change),
                    "room": change.room,
                    "place": f"{change.path}:{change.line}",
                    "kind": change.kind,
                    "verdict": verdict,
                    "seconds": f"{time.monotonic() - start:.1f}",
                    "before": before,
                    "after": after,
                }
            )
            if verdict == "survived":
                click.echo(f"{change.path}:{change.line} {change.kind}\n  - {before[-300:]}\n  + {after[-300:]}")
    if not rows:
        raise click.ClickException(f"There is nothing to change below '{only}'.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    if suite and suite.failed:
        click.echo(f"red without any change, and left out: {', '.join(sorted(suite.failed))}")
    good = [_counted(rows, name, "check", needed) for name, needed in NEEDED.items()]
    for room in sorted({row["room"] for row in rows if row["check"] == "code"}):
        _counted([row for row in rows if row["check"] == "code"], room, "room", 0)
    sys.exit(not all(good))


def _counted(rows: list[dict[str, str]], name: str, column: str, needed: float) -> bool:
    verdicts = [row["verdict"] == "killed" for row in rows if row[column] == name]
    if verdicts:
        click.echo(f"{name}: {sum(verdicts)} of {len(verdicts)} noticed ({100 * sum(verdicts) / len(verdicts):.1f} %)")
    return sum(verdicts) >= needed * len(verdicts)


if __name__ == "__main__":
    main()
