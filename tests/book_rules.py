"""The rules of a chapter: each is a function from a chapter to sentences about what breaks it."""

import ast
import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat

from moelaws.ledger.claims import MIME

# The sections of a chapter on a paper and of one without; the pair is how many results, each with a title of its own.
OF_A_PAPER = [
    "Why it matters",
    "The law",
    "What was tested, and how",
    (3, 5),
    "The paper's figures",
    "Where it stops holding",
]
WITHOUT_PAPER = ["The question", "The runs", (3, 5), "The limits"]
LAST = ["Exercises", "Your data", "References"]
EXERCISES = 5, 7
EXERCISE_EDGE = re.compile(r"[`:]{3,}\{(?:exercise|solution)-(start|end)\}")
LONGEST_FUNCTION = 10  # lines
WORDS, CODE, SHOWN_CODE, FIGURES, ROWS = 2500, 500, 150, 8, 8


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
        """The paper's key: ``yang2025`` of ``03-yang2025`` and of its evidence."""
        return self.name.partition("-")[2].removesuffix("-evidence")

    @property
    def on_own_runs(self):
        """Whether ``moelaws new-chapter`` made the page; nobody wrote exercises for its runs."""
        return bool(self.text.metadata.get("own_runs"))

    @property
    def is_evidence(self):
        """Whether the page is the evidence of a chapter."""
        return self.name.endswith("-evidence")

    def told(self):
        """Yield the number and the stored cell of all but exercises and their solutions."""
        inside = False
        for number, cell in enumerate(self.stored.cells, 1):
            if cell.cell_type != "markdown":
                if not inside:
                    yield number, cell
                continue
            kept = []
            for line in cell.source.split("\n"):
                edge = EXERCISE_EDGE.match(line)
                if edge:
                    inside = edge[1] == "start"
                elif not inside:
                    kept.append(line)
            yield number, nbformat.v4.new_markdown_cell("\n".join(kept))

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


def lettered_panels(chapter):
    """A caption names panels by letters, as a phone shows them one below the other."""
    return [
        chapter.problem(number, f"the caption says '{side}' of a panel; '(a)' is expected, and plots.letter draws it")
        for number, settings in figures(chapter)
        for side in re.findall(
            r"(?i)\b(?:left|middle|right|top|bottom)\b[:;,)]", str(settings.get("figure", {}).get("caption", ""))
        )
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
    r"^Answer: .*\bto within [\d.]*\d",  # how exact an answer has to be
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
    """No number is typed into a string that the prose shows as computed."""
    return [chapter.problem(number, what) for number, tree in chapter.trees() for what in typed_results(tree)]


def typed_results(tree):
    """Yield what is typed in calls that show a result, of a cell or of the functions that decide claims."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or getattr(call.func, "id", None) not in {"glue", "Result", "Cannot"}:
            continue
        arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
        yield from (
            f"the number {found} is typed into a string"
            for argument in arguments
            for text in _strings(argument)
            for found in decimals(text)
        )
        if call.func.id == "Result" and arguments and _is_literal(arguments[0]):
            yield f"the result {ast.unparse(arguments[0])} is typed"


def _is_literal(node):
    """Whether a value is typed as it is, and not computed."""
    try:
        ast.literal_eval(node)
    except ValueError:
        return False
    return True


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


LEVEL = r"^★{1,3} · \d+ minutes · needs: \S"


def solved_exercises(chapter):
    """There are enough exercises, each in its form, and each has a hidden solution that computes its answer."""
    asked, solved, solving = [], {}, None
    problems = []
    for number, cell in enumerate(chapter.stored.cells, 1):
        if cell.cell_type == "code":
            if solving:
                solved[solving] = cell.source
            continue
        for found in DIRECTIVE.finditer(cell.source):
            name, edge, options = found.group("name", "edge", "options")
            if edge == "-end":
                solving = None
            elif name == "exercise":
                label = re.search(r"^:label:[ \t]*(\S+)", options, re.M)
                asked.append((number, label and label[1]))
                text = cell.source[found.end() :].partition("{exercise-end}")[0]
                for what, form in [("level, minutes and needs", LEVEL), ("Hint:", "^Hint: "), ("Answer:", "^Answer: ")]:
                    if not re.search(form, text, re.M):
                        problems.append(chapter.problem(number, f"the exercise has no line of {what}"))
            elif edge == "-start":
                solving = options.split()[0]
                if not re.search(r"^:class:.*\bdropdown\b", options, re.M):
                    problems.append(chapter.problem(number, f"the solution of {solving} is not a dropdown"))
    least, most = (0, EXERCISES[1]) if chapter.on_own_runs else EXERCISES
    if not least <= len(asked) <= most:
        problems.append(f"{chapter.name}: {len(asked)} exercises, should be {least} to {most}")
    unsolved = [(number, label) for number, label in asked if not assigns_answer(solved.get(label, ""))]
    return problems + [chapter.problem(number, f"{label} has no executed 'answer = …'") for number, label in unsolved]


def assigns_answer(source):
    """Whether a cell assigns to ``answer``."""
    return re.search(r"^answer = ", source, re.M) is not None


def sections_in_order(chapter):
    """The chapter has the sections of every chapter, in their order, with three to five results among them."""
    found = []
    for _, cell in chapter.cells("markdown"):
        found += re.findall(r"^## (.+?)\s*$", without_code(cell.source), re.M)
    start = OF_A_PAPER if "The law" in found else WITHOUT_PAPER
    least, most = results = next(part for part in start if isinstance(part, tuple))
    before, after = start[: start.index(results)], start[start.index(results) + 1 :] + LAST
    if chapter.on_own_runs:
        after = [section for section in after if section != "Exercises" or section in found]
    n_results = len(found) - len(before) - len(after)
    if found[: len(before)] == before and found[-len(after) :] == after and least <= n_results <= most:
        return []
    wanted = ", ".join([*before, f"{least} to {most} results", *after])
    return [f"{chapter.name}: the sections are {', '.join(found)}; they should be {wanted}"]


# Limits


def words(text):
    """Count the words of prose in a text; a formula and a role are a word each, tables and options are none."""
    text = re.sub(r"^(\s*\||\s*:[\w-]+:|[`:]{3,}).*$", " ", without_code(text), flags=re.M)
    text = re.sub(r"\$\$.*?\$\$(\s*\([\w-]+\))?|\$[^$]+\$", " x ", text, flags=re.S)
    text = re.sub(r"\{[\w:.-]+\}`[^`]*`", " x ", text)
    return len(re.findall(r"\w[\w'’.,-]*", text))


def short_prose(chapter):
    """A chapter can be read in twenty minutes."""
    found = sum(words(cell.source) for _, cell in chapter.told() if cell.cell_type == "markdown")
    return [] if found <= WORDS else [f"{chapter.name}: {found} words of prose, should be at most {WORDS}"]


def little_code(chapter):
    """A chapter has little code, and shows less."""
    lines = {True: 0, False: 0}
    for _, cell in chapter.told():
        if cell.cell_type == "code":
            lines[is_hidden(cell)] += len(cell.source.splitlines())
    limits = [("lines of code", sum(lines.values()), CODE), ("lines of code that show", lines[False], SHOWN_CODE)]
    return [f"{chapter.name}: {found} {what}, should be at most {most}" for what, found, most in limits if found > most]


def is_hidden(cell):
    """Whether a reader of the site does not see a cell's code at once."""
    return bool({"hide-input", "hide-cell", "remove-input", "remove-cell"} & set(cell.metadata.get("tags", [])))


def few_figures(chapter):
    """A chapter has few figures."""
    found = len(list(figures(chapter)))
    return [] if found <= FIGURES else [f"{chapter.name}: {found} figures, should be at most {FIGURES}"]


def short_tables(chapter):
    """A chapter's tables can be seen as a whole; long ones belong to its evidence."""
    problems = []
    for number, cell in chapter.told():
        if cell.cell_type == "markdown":
            tables = re.findall(r"(?:^[ \t]*\|.*\n?)+", cell.source, re.M)
            found = [len(table.strip().splitlines()) - 2 for table in tables]
        else:
            pages = [output.get("data", {}).get("text/html", "") for output in cell.outputs]
            found = [
                len(re.findall(r"<tr", body))
                for page in pages
                for body in re.findall(r"<tbody>.*?</tbody>", page, re.S)
            ]
        problems += [
            chapter.problem(number, f"a table of {n} rows, should be at most {ROWS}") for n in found if n > ROWS
        ]
    return problems


def named_folds(chapter):
    """A folded cell begins with a comment that says what it does, which is what a reader sees of it."""
    return [
        chapter.problem(number, "is folded and does not begin with a comment that says what it does")
        for number, cell in chapter.cells("code")
        if "hide-input" in cell.metadata.get("tags", []) and not re.match(r"# \S", cell.source)
    ]


def every_claim_once(chapter):
    """An evidence page shows each claim of its set once."""
    shown, stored = Counter(), []
    for _, cell in chapter.cells("code"):
        for output in cell.outputs:
            bundle = output.get("data", {})
            shown.update(re.findall(r'<div class="claim" id="([^"]+)"', bundle.get("text/html", "")))
            stored += [claim["id"] for claim in bundle.get(MIME, {}).get("claims", [])]
    if not stored:
        return [f"{chapter.name}: shows no ledger, which stores its verdicts"]
    return [
        f"{chapter.name}: {name} is shown {shown[name.lower()]} times, should be once"
        for name in stored
        if shown[name.lower()] != 1
    ]


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


EVERY_PAGE = [
    same_cells,
    executed_in_order,
    no_error_or_warning,
    no_semicolon,
    valid_notebook,
    described_figures,
    lettered_panels,
    no_typed_number,
    no_typed_result,
    equations_have_a_place,
    short_functions,
    public_names,
    no_relative_path,
    named_folds,
]
CHAPTERS = [solved_exercises, sections_in_order, short_prose, little_code, few_figures, short_tables]
EVIDENCE = [every_claim_once]


def rules(name):
    """Return the rules of a page by the name of its file."""
    return EVERY_PAGE + (EVIDENCE if name.endswith("-evidence") else CHAPTERS)


def stored_chapters(root):
    """Return the texts of all chapters."""
    return sorted(Path(root).glob("chapters/[0-9]*.md"))
