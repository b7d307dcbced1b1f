"""The rules of a chapter: each is a function from a chapter to sentences about what breaks it."""

import ast
import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat

SKELETON = [
    "Paper card",
    "In one minute",
    "The question and the notation",
    "The law",
    "The data",
    "Fit and uncertainty",
    "The paper's figures",
    "The ledger",
    "Where it stops holding",
    "Exercises",
    "Redo it on your data",
    "References",
]
EXERCISES = 5
LONGEST_FUNCTION = 10  # lines


@dataclass
class Chapter:
    """A chapter's text as people edit it and its notebook as it was executed and stored."""

    name: str
    text: nbformat.NotebookNode
    stored: nbformat.NotebookNode

    @classmethod
    def read(cls, path):
        """Read the pair whose text is at `path`."""
        stored = nbformat.read(path.with_suffix(".ipynb"), as_version=4)
        return cls(path.stem, jupytext.read(path), stored)

    @property
    def key(self):
        """The paper's key: ``yang2025`` of ``03-yang2025``."""
        return self.name.partition("-")[2]

    def cells(self, kind):
        """Yield the number, counted from one, and the stored cell, for cells of one kind."""
        for number, cell in enumerate(self.stored.cells, 1):
            if cell.cell_type == kind:
                yield number, cell

    def problem(self, number, what):
        """Say what is wrong with a cell."""
        return f"{self.name}: cell {number}: {what}"

    def trees(self):
        """Yield the number and the syntax tree of each code cell, less IPython's own commands."""
        for number, cell in self.cells("code"):
            yield number, ast.parse(re.sub(r"^\s*[%!].*$", "", cell.source, flags=re.M))


# The text and its notebook


def same_cells(chapter):
    """The notebook holds the cells of the text: their kind, source, and what authors set on them."""

    def authored(cell):
        settings = {key: value for key, value in cell.metadata.items() if key in {"tags", "mystnb"}}
        return cell.cell_type, cell.source, json.dumps(settings, sort_keys=True)

    text, stored = chapter.text.cells, chapter.stored.cells
    if len(text) != len(stored):
        return [f"{chapter.name}: the text has {len(text)} cells, the notebook {len(stored)}"]
    return [
        chapter.problem(number, "the text and the notebook differ")
        for number, (ours, theirs) in enumerate(zip(text, stored, strict=True), 1)
        if authored(ours) != authored(theirs)
    ]


def executed_in_order(chapter):
    """Every code cell was executed, from the first to the last."""
    return [
        chapter.problem(number, f"executed as {cell.execution_count}, should be {expected}")
        for expected, (number, cell) in enumerate(chapter.cells("code"), 1)
        if cell.execution_count != expected
    ]


def no_error_or_warning(chapter):
    """No cell shows an error, a warning or anything else on the error stream."""
    return [
        chapter.problem(number, f"shows an error or a warning: {output.get('text', output.get('evalue'))!r:.80}")
        for number, cell in chapter.cells("code")
        for output in cell.outputs
        if output.output_type == "error" or output.get("name") == "stderr"
    ]


def no_semicolon(chapter):
    """No cell ends in a semicolon, which mutes a notebook but not the comparison of its outputs."""
    return [
        chapter.problem(number, "ends in a semicolon")
        for number, cell in chapter.cells("code")
        if cell.source.rstrip().endswith(";")
    ]


def valid_notebook(chapter):
    """The notebook is what the notebook format allows."""
    try:
        nbformat.validate(chapter.stored)
    except nbformat.ValidationError as error:
        return [f"{chapter.name}: not a valid notebook: {error.message}"]
    return []


# Figures


def figures(chapter):
    """Yield the number, name and settings of each code cell that shows an image."""
    for number, cell in chapter.cells("code"):
        if any(mime.startswith("image/") for output in cell.outputs for mime in output.get("data", {})):
            yield number, cell.metadata.get("mystnb", {})


def described_figures(chapter):
    """Every figure has a caption, a name and a text for those who do not see it."""
    return [
        chapter.problem(number, f"the figure has no {what}")
        for number, settings in figures(chapter)
        for what, group in [("caption", "figure"), ("name", "figure"), ("alt", "image")]
        if not settings.get(group, {}).get(what)
    ]


def figure_names(chapter):
    """Return the names of the chapter's figures."""
    return [settings.get("figure", {}).get("name") for _, settings in figures(chapter)]


def unique_figures(chapters):
    """Return a sentence for each figure's name that occurs twice in the book."""
    names = Counter(name for chapter in chapters for name in figure_names(chapter))
    return [f"the figure name {name} is used {count} times" for name, count in names.items() if count > 1]


def mentioned_figures(chapters, pages):
    """Return a sentence for each figure that no text of the book, pages included, refers to."""
    texts = [cell.source for chapter in chapters for _, cell in chapter.cells("markdown")]
    mentioned = set(re.findall(r"\{numref\}`(?:[^`<]*<)?([^`>]+)>?`", "\n".join([*texts, *pages])))
    return [
        f"{chapter.name}: no text refers to the figure {name}"
        for chapter in chapters
        for name in figure_names(chapter)
        if name not in mentioned
    ]


# Numbers

# A decimal point in these belongs to a name or a place.
NOT_A_NUMBER = [
    r"^\s*:[\w-]+:.*$",  # an option of a directive
    r"\{[\w:.-]+\}`[^`]*`",  # a role
    r"`+[^`]*`+",
    r"\]\([^)]*\)",  # the target of a link
    r"https?://\S+",
    r"\\tag\{[^}]*\}",
    r"\b\d{4}\.\d{4,5}(v\d+)?\b",  # arXiv
    r"\bCC[ -](BY[\w-]*|0)[ -]\d\.\d\b",
    r"(?:\b(?:Sections?|Secs?\.|Appendi(?:x|ces)|Apps?\.|Tables?|Figures?|Figs?\.|Eqs?\.|Equations?)|§)"
    r"[\s~]*\(?[A-Z]?[\d.]*\d[a-z]?\)?((,| and|,? or|–|-| to)\s*\(?[A-Z]?[\d.]*\d[a-z]?\)?)*",
]
# A number that a word or its hyphen holds, as in Qwen1.5 or GPT-3.5, is part of the name.
DECIMAL = re.compile(r"(?<![\w.])(?<![A-Za-z]-)\d[\d,]*\.\d+")


def without_code(text):
    """Return a text without its blocks of code; what a directive holds is text."""
    kept, open_blocks = [], []
    for line in text.split("\n"):
        fence = re.match(r"\s*(`{3,}|~{3,}|:{3,})\s*(.*)", line)
        if fence and open_blocks and not fence[2] and fence[1] == open_blocks[-1][0]:
            open_blocks.pop()
        elif fence:
            open_blocks.append((fence[1], fence[2].startswith("{")))
            kept.append(fence[2])  # the title of a directive is text, too
        elif all(is_text for _, is_text in open_blocks):
            kept.append(line)
    return "\n".join(kept)


def decimals(text):
    """Return the numbers with a decimal point that were typed into a text."""
    text = without_code(text)
    for pattern in NOT_A_NUMBER:
        text = re.sub(pattern, " ", text, flags=re.M)
    return DECIMAL.findall(text)


def no_typed_number(chapter):
    """A number with a decimal point in prose, caption or alternative text comes from a cell."""
    prose = [(number, cell.source) for number, cell in chapter.cells("markdown")]
    for number, cell in chapter.cells("code"):
        settings = cell.metadata.get("mystnb", {})
        prose.append((number, str(settings.get("figure", {}).get("caption", ""))))
        prose.append((number, str(settings.get("image", {}).get("alt", ""))))
    return [
        chapter.problem(number, f"the number {found} is typed; glue it from a cell")
        for number, text in prose
        for found in decimals(text)
    ]


def no_typed_result(chapter):
    """No number is typed into a string that the ledger or the prose shows as computed."""
    return [
        chapter.problem(number, f"the number {found} is typed into a string")
        for number, tree in chapter.trees()
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and _shows_a_result(call.func)
        for argument in [*call.args, *(keyword.value for keyword in call.keywords)]
        for text in _strings(argument)
        for found in decimals(text)
    ]


def _shows_a_result(function):
    match function:
        case ast.Name(id="glue"):
            return True
        case ast.Attribute(value=ast.Name(id="ledger"), attr="check" | "cannot"):
            return True
    return False


def _strings(node):
    """Yield the string constants under a node, without the formats of f-strings."""
    if isinstance(node, ast.FormattedValue):
        yield from _strings(node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from _strings(child)


# Equations

LABELLED_EQUATION = re.compile(
    r"^\$\$(?:(?!\$\$)(?:.|\n))*?\$\$[ \t]*\((?P<dollar>[^)\n]+)\)[ \t]*$"
    r"|^(?P<fence>`{3,}|:{3,})\{math\}(?:.|\n)*?:label:[ \t]*(?P<directive>\S+)(?:.|\n)*?^(?P=fence)[ \t]*$",
    re.M,
)


def equations_have_a_place(chapter):
    """A labelled equation names its paper, and the text beside it says which equation it is there."""
    problems = []
    for number, cell in chapter.cells("markdown"):
        for equation in LABELLED_EQUATION.finditer(cell.source):
            label = equation["dollar"] or equation["directive"]
            before = cell.source[: equation.start()].rstrip().split("\n\n")[-1]
            after = cell.source[equation.end() :].lstrip().split("\n\n")[0]
            if not label.startswith(f"eq-{chapter.key}-"):
                problems.append(chapter.problem(number, f"the label {label} does not begin with eq-{chapter.key}-"))
            if not re.search(r"\bEqs?\.|not printed in the paper", f"{before}\n{after}"):
                problems.append(chapter.problem(number, f"no paragraph beside {label} says which Eq. it is"))
    return problems


# Exercises and sections

DIRECTIVE = re.compile(
    r"^[`:]{3,}\{(?P<name>exercise|solution)(?P<edge>-start|-end)?\}(?P<options>[^\n]*(?:\n:.*)*)", re.M
)


def solved_exercises(chapter):
    """There are enough exercises, and each has a hidden solution that computes something."""
    asked, solved, solving = [], set(), None
    problems = []
    for number, cell in enumerate(chapter.stored.cells, 1):
        if cell.cell_type == "code":
            solved |= {solving} - {None}
            continue
        for found in DIRECTIVE.finditer(cell.source):
            name, edge, options = found.group("name", "edge", "options")
            if edge == "-end":
                solving = None
            elif name == "exercise":
                label = re.search(r"^:label:[ \t]*(\S+)", options, re.M)
                asked.append((number, label and label[1]))
            elif edge == "-start":
                solving = options.split()[0]
                if not re.search(r"^:class:.*\bdropdown\b", options, re.M):
                    problems.append(chapter.problem(number, f"the solution of {solving} is not a dropdown"))
    if len(asked) < EXERCISES:
        problems.append(f"{chapter.name}: {len(asked)} exercises, should be at least {EXERCISES}")
    unsolved = [(number, label) for number, label in asked if label not in solved]
    return problems + [chapter.problem(number, f"{label} has no executed solution") for number, label in unsolved]


def sections_in_order(chapter):
    """The chapter has the sections of every chapter, in their order."""
    found = []
    for _, cell in chapter.cells("markdown"):
        found += re.findall(r"^## (.+?)\s*$", without_code(cell.source), re.M)
    if found == SKELETON:
        return []
    return [f"{chapter.name}: the sections are {', '.join(found)}; they should be {', '.join(SKELETON)}"]


# Code


def short_functions(chapter):
    """A function that is longer than a few lines belongs into the package, where it is tested."""
    return [
        chapter.problem(number, f"the function {node.name} is longer than {LONGEST_FUNCTION} lines")
        for number, tree in chapter.trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if node.end_lineno - node.lineno >= LONGEST_FUNCTION
    ]


def public_names(chapter):
    """A chapter uses what a reader may use: no private name of another module."""
    return [
        chapter.problem(number, f"the name {name} is private")
        for number, tree in chapter.trees()
        for node in ast.walk(tree)
        for name in _foreign_names(node)
        if re.search(r"(^|\.)_(?!_)", name)
    ]


def _foreign_names(node):
    match node:
        case ast.Import():
            return [alias.name for alias in node.names]
        case ast.ImportFrom():
            return [f"{node.module}.{alias.name}" for alias in node.names]
        case ast.Attribute():
            return [node.attr]
    return []


def no_relative_path(chapter):
    """A chapter asks the package for its data, since readers start it from any folder."""
    return [
        chapter.problem(number, f"the path {node.value!r} is relative")
        for number, tree in chapter.trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if re.match(r"\.{1,2}/|(data|chapters|book)/\S+\.\w+$", node.value)
    ]


RULES = [
    same_cells,
    executed_in_order,
    no_error_or_warning,
    no_semicolon,
    valid_notebook,
    described_figures,
    no_typed_number,
    no_typed_result,
    equations_have_a_place,
    solved_exercises,
    sections_in_order,
    short_functions,
    public_names,
    no_relative_path,
]


def stored_chapters(root):
    """Return the texts of all chapters."""
    return sorted(Path(root).glob("chapters/[0-9]*.md"))
