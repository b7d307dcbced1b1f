"""Make the notebooks for teaching from the executed pages: one for teachers and one for students.

In both, numbers, citations and references stand in the text, and code that the site folds is folded. The teacher's
keeps figures and folds solutions. The student's has neither outputs nor solutions, but for each exercise an empty cell
and one that checks the answer. ``python book/tools/teach.py`` puts both into ``lab/``, where they may be edited: a
notebook that was changed there is kept.
"""

import ast
import json
import re
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import click
import nbformat
from kernel_extension import ANSWER
from nbformat.sign import NotebookNotary
from plain_text import Book, Page, TextError

from moelaws.errors import InputError
from moelaws.paths import ROOT
from moelaws.teaching import answers

STUDENT = Path("book", "teach", "student")
"""Where the students' notebooks are stored; the teachers' are made where they are wanted."""
LAB = Path("lab")
"""Where people work in them."""

EDGE = re.compile(
    r"^(?P<fence>[`:]{3,})\{(?P<what>exercise|solution)-(?P<edge>start|end)\}[ \t]*(?P<title>.*)\n"
    r"(?P<options>(?::.*\n)*)(?P=fence)[ \t]*$",
    re.M,
)
SHOWN = ("text/html", "text/plain", "text/latex", "text/markdown", "image/svg+xml", "image/png")
FOLDED = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
MUTED = {"hide-output", "hide-cell", "remove-output", "remove-cell"}
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
INSTALL = """\
# Where moelaws is missing, as on Colab, this installs the version that the page was made with.
import sys
from importlib.metadata import version
from importlib.util import find_spec

if find_spec("moelaws") is None:
    %pip install -q "moelaws @ git+{repository}@{ref}"
    for name in ("matplotlib", "numpy", "pandas", "scipy"):
        if name in sys.modules and sys.modules[name].__version__ != version(name):
            raise SystemExit("Installed. Now restart the session (menu Runtime), and run from the top.")"""


@dataclass(frozen=True)
class Part:
    """A stretch of a page: text or a code cell, of the page itself, an exercise or a solution.

    Parameters
    ----------
    kind : {"page", "exercise", "solution"}
        What it belongs to.
    label : str
        The exercise's label; empty for the page itself.
    title : str
        The exercise's title.
    text : str
        The text; empty for code.
    cell : NotebookNode, optional
        The code cell.
    """

    kind: str
    label: str = ""
    title: str = ""
    text: str = ""
    cell: nbformat.NotebookNode | None = None


def parts(page: Page) -> Iterator[Part]:
    """Cut a page at the edges of its exercises and solutions."""
    kind, label, title = "page", "", ""
    for cell in page.cells:
        if cell.cell_type == "code":
            yield Part(kind, label, title, cell=cell)
            continue
        start = 0
        for edge in [*EDGE.finditer(cell.source), None]:
            text = cell.source[start : edge.start() if edge else None].strip()
            if text:
                yield Part(kind, label, title, text)
            if edge:
                start = edge.end()
                kind, label, title = _inside(edge)
    if kind != "page":
        raise TextError(f"{page.name}: the {kind} '{label}' is not closed.")


def _inside(edge: re.Match[str]) -> tuple[str, str, str]:
    if edge["edge"] == "end":
        return "page", "", ""
    if edge["what"] == "solution":
        return "solution", edge["title"], ""
    label = re.search(r"^:label:[ \t]*(\S+)", edge["options"], re.M)
    return "exercise", label[1] if label else "", edge["title"]


class Maker:
    """Makes notebooks of one book.

    Parameters
    ----------
    root : Path
        The project's folder.
    """

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        self.book = Book(root)
        self.pages = {name: page for name, page in self.book.pages.items() if (root / f"{name}.ipynb").exists()}

    @property
    def ref(self) -> str:
        """What the notebooks install, and where buttons lead: a release's tag; the branch, before a release."""
        project = tomllib.loads((self.root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        return self.book.config["repository"]["branch"] if "dev" in project["version"] else f"v{project['version']}"

    def teacher(self, page: Page) -> nbformat.NotebookNode:
        """Return the teacher's notebook of a page: as it was executed, with solutions folded."""
        cells = self._opening(page, "teachers: solutions are here, and folded")
        for part in parts(page):
            if part.cell:
                cells += self._code(page, part.cell, folded=part.kind == "solution", outputs=True)
            elif part.kind == "exercise":
                cells.append(_markdown(f"{self._heading(part)}\n\n{self.book.tell(page, part.text)}"))
            elif part.kind == "solution":
                title = (
                    f"Solution of {self.book.labels[part.label].title}"
                    if part.label in self.book.labels
                    else "Solution"
                )
                told = self.book.tell(page, part.text)
                cells.append(_markdown(f"<details><summary>{title}</summary>\n\n{told}\n\n</details>"))
            else:
                cells.append(_markdown(self.book.tell(page, part.text)))
        return _notebook(cells, self.ref)

    def student(self, page: Page) -> nbformat.NotebookNode:
        """Return the student's notebook of a page: no outputs, no solutions, a cell for each answer and its check."""
        cells = self._opening(page, "students: each exercise has a cell for your answer, and one that checks it")
        sealed = self.sealed(page)
        asked: list[Part] = []
        for part in [*parts(page), Part("page")]:
            if asked and part.label != asked[0].label:
                cells += self._question(page, asked, sealed)
                asked = []
            if part.kind == "exercise":
                asked.append(part)
            elif part.kind == "page" and part.cell:
                cells += self._code(page, part.cell)
            elif part.kind == "page" and part.text:
                cells.append(_markdown(self.book.tell(page, part.text)))
        return _notebook(cells, self.ref)

    def sealed(self, page: Page) -> dict[str, tuple[str, list[str]]]:
        """Return the form and the hashes of each exercise's answer, by the exercise's label."""
        forms = {
            part.label: form["text"].rstrip(".")
            for part in parts(page)
            if part.kind == "exercise" and (form := _paragraph("Answer", part.text))
        }
        if not forms:
            return {}
        solved = [part.label for part in parts(page) if part.cell and ANSWER.search(part.cell.source)]
        if len(solved) != len(page.answers):
            raise TextError(
                f"{page.name}: {len(solved)} cells assign an answer and {len(page.answers)} answers are stored; "
                f"python book/tools/execute.py --force {Path(page.name).name} stores them."
            )
        found = {}
        for label, answer in zip(solved, page.answers, strict=True):
            if label not in forms:
                raise TextError(f"{page.name}: the exercise '{label}' has no paragraph 'Answer: …'.")
            form = _without_math(" ".join(self.book.tell(page, forms[label]).split()))
            try:
                found[label] = (form, answers.seal(answer, label, form))
            except InputError as problem:
                raise TextError(f"{page.name}: exercise '{label}': {problem}") from problem
        return found

    def _opening(self, page: Page, whom: str) -> list[nbformat.NotebookNode]:
        said = f"*From the page [{page.title}]({self.book.address(page.name)}) of moelaws"
        said += f"; the notebook for {whom}.*" if any(part.kind == "exercise" for part in parts(page)) else ".*"
        install = nbformat.v4.new_code_cell(INSTALL.format(repository=self.book.repository, ref=self.ref))
        return [_markdown(said), _fold(install)]

    def _heading(self, part: Part) -> str:
        place = self.book.labels.get(part.label)
        name = place.title if place else "Exercise"
        return f"### {name}: {part.title}" if part.title else f"### {name}"

    def _code(self, page, cell, folded=False, outputs=False) -> list[nbformat.NotebookNode]:
        source = without_glue(cell.source, gluers(page))
        if not source:
            return []
        made = nbformat.v4.new_code_cell(source)
        tags = set(cell.metadata.get("tags", []))
        if outputs:
            made.outputs = [kept for output in cell.outputs if (kept := _shown(output))]
            made.execution_count = cell.execution_count
        if folded or tags & FOLDED:
            _fold(made)
        if made.outputs and (folded or tags & MUTED):
            made.metadata.setdefault("jupyter", {})["outputs_hidden"] = True
        cells = [made]
        figure = cell.metadata.get("mystnb", {}).get("figure", {})
        if "caption" in figure:
            place = self.book.labels.get(figure.get("name"))
            number = f"**Fig. {place.title}.** " if place else ""
            cells.append(_markdown(number + self.book.tell(page, figure["caption"])))
        return cells

    def _question(self, page: Page, asked: list[Part], sealed) -> list[nbformat.NotebookNode]:
        label = asked[0].label
        text = "\n\n".join(part.text for part in asked)
        hint, form = _paragraph("Hint", text), _paragraph("Answer", text)
        for found in filter(None, (hint, form)):
            text = text.replace(found[0], "")
        told = [self._heading(asked[0]), self.book.tell(page, text)]
        if form:
            told.append(f"**Answer**: {self.book.tell(page, form['text'])}")
        if hint:
            told.append(f"<details><summary>Hint</summary>\n\n{self.book.tell(page, hint['text'])}\n\n</details>")
        cells = [_markdown("\n\n".join(told))]
        for part in asked:
            if part.cell:
                cells += self._code(page, part.cell)
        needs = re.search(r"needs:(.*)$", text, re.M)
        written = re.findall(r"`([^`]+)`", needs[1]) if needs else []
        names = [name for name in written if re.match(r"\w+", name) and re.match(r"\w+", name)[0] in made(page)]
        expected = sealed[label][0] if label in sealed else "a few sentences"
        comment = f"# At hand: {', '.join(names)}. " if names else "# "
        cells.append(nbformat.v4.new_code_cell(f"{comment}Expected: {expected}.\nanswer = ..."))
        if label in sealed:
            known = ", ".join(json.dumps(one, ensure_ascii=False) for one in (label, *sealed[label]))
            call = f"from moelaws.teaching.answers import check\n\ncheck(answer, {known})"
            cells.append(_fold(nbformat.v4.new_code_cell(call)))
        return cells


@cache
def made(page: Page) -> set[str]:
    """Return the names that the code of a page makes outside its solutions."""
    names = set()
    for part in parts(page):
        if part.cell and part.kind != "solution":
            for node in ast.walk(ast.parse(_plain(part.cell.source))):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                    names.add(node.name)
                elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    names.add(node.id)
    return names


def _plain(source: str) -> str:
    """Return code without IPython's own commands."""
    return re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.M)


@cache
def gluers(page: Page) -> set[str]:
    """Return ``glue`` and the names of a page's own functions that do nothing but glue."""
    names = {"glue"}
    for cell in page.cells:
        if cell.cell_type == "code" and "glue" in cell.source:
            functions = [node for node in ast.parse(_plain(cell.source)).body if isinstance(node, ast.FunctionDef)]
            names |= {node.name for node in functions if _only_glues(node, names)}
    return names


def without_glue(source: str, names: Collection[str] = ("glue",)) -> str:
    r"""Return a cell's code without what only glues numbers into the book's text, by the functions of these names.

    Examples
    --------
    >>> without_glue("from myst_nb import glue\nx = 1\nfor k in 'ab':\n    glue(k, x)")
    'x = 1'
    """
    if not any(name in source for name in names):
        return source
    lines = source.splitlines()
    for node in sorted(_glueing(ast.parse(_plain(source)).body, names), key=lambda node: node.lineno, reverse=True):
        del lines[node.lineno - 1 : node.end_lineno]
    return re.sub(r"\n{4,}", "\n\n\n", "\n".join(lines)).strip()


def _glueing(body: list[ast.stmt], names: Collection[str]) -> Iterator[ast.stmt]:
    """Yield the statements that only glue, the outermost of each."""
    for node in body:
        if _only_glues(node, names):
            yield node
        elif hasattr(node, "body"):
            yield from _glueing(node.body, names)


def _only_glues(node: ast.stmt, names: Collection[str]) -> bool:
    match node:
        case ast.ImportFrom(module="myst_nb"):
            return True
        case ast.Expr(value=ast.Call(func=ast.Name(id=name))):
            return name in names
        case ast.For(body=body, orelse=[]) | ast.With(body=body):
            return all(_only_glues(child, names) for child in body)
        case ast.FunctionDef(body=body):
            said = body[1:] if ast.get_docstring(node) is not None else body
            return bool(said) and all(_only_glues(child, names) for child in said)
    return False


def _without_math(text: str) -> str:
    """Return a text as code can show it: ``10^20`` for ``$10^{20}$``."""
    return re.sub(r"\$([^$]+)\$", lambda found: re.sub(r"[{}]|\\(?:text|mathrm)\b", "", found[1]), text)


def _paragraph(name: str, text: str) -> re.Match[str] | None:
    return re.search(rf"^{name}:\s*(?P<text>.+?)\s*(?=\n\s*\n|\Z)", text, re.M | re.S)


def _markdown(text: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_markdown_cell(text)


def _fold(cell: nbformat.NotebookNode) -> nbformat.NotebookNode:
    # Jupyter's word for it, and Colab's.
    cell.metadata.update({"jupyter": {"source_hidden": True}, "cellView": "form"})
    return cell


def _shown(output: nbformat.NotebookNode) -> nbformat.NotebookNode | None:
    """Return an output without what only the book reads, or nothing."""
    if "data" not in output:
        return output
    kept = nbformat.from_dict(output)
    kept.data = {mime: output.data[mime] for mime in SHOWN if mime in output.data}
    return kept if kept.data else None


def _notebook(cells: list[nbformat.NotebookNode], ref: str) -> nbformat.NotebookNode:
    for number, cell in enumerate(cells):
        cell["id"] = f"{number:03d}-{sha256(cell.source.encode()).hexdigest()[:8]}"
    made = nbformat.v4.new_notebook(cells=cells, metadata=METADATA | {"moelaws": {"ref": ref}})
    made.metadata.moelaws["sources"] = _sources(made)
    nbformat.validate(made)
    return made


def _sources(notebook: nbformat.NotebookNode) -> str:
    return sha256("\0".join(cell.source for cell in notebook.cells).encode()).hexdigest()[:16]


def changed(path: Path) -> bool:
    """Tell whether someone has worked in a notebook since it was made."""
    notebook = nbformat.read(path, as_version=4)
    return notebook.metadata.get("moelaws", {}).get("sources") != _sources(notebook)


def write(root: Path = ROOT) -> None:
    """Store the students' notebooks, and remove those whose page is gone.

    Raises
    ------
    TextError
        If a page cannot be told; the notebooks of the others are stored.
    """
    maker, folder, problems = Maker(root), root / STUDENT, []
    folder.mkdir(parents=True, exist_ok=True)
    paths = {folder / f"{Path(name).name}.ipynb": page for name, page in maker.pages.items()}
    for path in set(folder.glob("*.ipynb")) - paths.keys():
        path.unlink()
    for path, page in paths.items():
        try:
            nbformat.write(maker.student(page), path)
        except TextError as problem:
            problems.append(str(problem))
    if problems:
        raise TextError("\n".join(problems))


def lay_out(root: Path = ROOT) -> list[Path]:
    """Put all notebooks into ``lab/``, and return those that are kept because someone changed them."""
    maker, kept = Maker(root), []
    for whom, make in (("student", maker.student), ("teacher", maker.teacher)):
        folder = root / LAB / whom
        folder.mkdir(parents=True, exist_ok=True)
        for name, page in maker.pages.items():
            path = folder / f"{Path(name).name}.ipynb"
            if path.exists() and changed(path):
                kept.append(path)
                continue
            notebook = make(page)
            nbformat.write(notebook, path)
            # Jupyter draws no SVG of a notebook that nobody here vouches for.
            NotebookNotary().sign(notebook)
    return kept


@click.command(help=__doc__)
def main() -> None:
    """Lay the notebooks out."""
    try:
        kept = lay_out()
    except TextError as problem:
        raise click.ClickException(str(problem)) from problem
    for path in kept:
        click.echo(f"kept {path.relative_to(ROOT)}, as it was changed; remove it to have it made anew")
    click.echo(f"The notebooks are in {LAB}/teacher and {LAB}/student.")


if __name__ == "__main__":
    main(prog_name="python book/tools/teach.py")
