"""Turn the text of a page into plain Markdown, which a notebook shows without the book.

Roles become numbers and names with links to the published site, directives become quotes, tables and lists. What this
module does not know is an error, so that nothing raw reaches a reader.
"""

import re
import textwrap
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path, PurePosixPath
from posixpath import normpath

import nbformat
import yaml
from pybtex.database import parse_file
from pybtex.richtext import Text

from moelaws import ledger
from moelaws.ledger import html as claims_html

RECORD = "application/papermill.record/text/plain"
ROLE = re.compile(r"\{(?P<name>[\w:.-]+)\}`(?P<text>[^`]+)`")
NAMED = re.compile(r"(?P<text>.+?)\s*<(?P<target>[^<>]+)>", re.S)
TARGET = re.compile(r"^\((?P<label>[\w:.-]+)\)=[ \t]*\n+(?P<heading>#+ .+)?", re.M)
HEADING = re.compile(r"^#+ +(?P<title>.+?)[ \t]*$", re.M)
LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<to>[^)\s]+)\)")
EQUATION = re.compile(r"^\$\$(?P<body>(?:(?!\$\$).|\n)+?)\$\$[ \t]*\((?P<label>[\w:.-]+)\)[ \t]*$", re.M)
MATH = re.compile(r"\{math\}[ \t]*\n(?::[^\n]*\n)*?:label:[ \t]*(?P<label>\S+)")
FIGURE = re.compile(r"\{figure\}[^\n]*\n(?::[^\n]*\n)*?:name:[ \t]*(?P<label>\S+)")
FENCE = re.compile(r"^[ \t]*(?P<fence>`{3,}|:{3,}|~{3,})(?:\{(?P<name>[\w:-]+)\})?[ \t]*(?P<rest>.*)$")
EXERCISE = re.compile(r"\{exercise-start\}[^\n]*\n(?::[^\n]*\n)*?:label:[ \t]*(?P<label>\S+)")
BOXES = {"note", "tip", "hint", "important", "warning", "caution", "attention", "seealso"}


class TextError(Exception):
    """A text that cannot be told without the book; its message names the page and the place."""


@dataclass(eq=False)  # what is found in a page is kept for it
class Page:
    """One page of the book.

    Parameters
    ----------
    name : str
        Its path without ending, ``chapters/02-tian2025``.
    number : str
        The number of its chapter, empty outside the chapters.
    cells : list
        The cells of its notebook, or its text as one cell.
    answers : list
        The answers of its solutions, as they were computed when it was executed.
    """

    name: str
    number: str
    cells: list[nbformat.NotebookNode]
    answers: list = field(default_factory=list)

    @classmethod
    def read(cls, root, name, number=""):
        """Read a page from its stored notebook, or from its text where there is none."""
        stored = root / f"{name}.ipynb"
        if stored.exists():
            notebook = nbformat.read(stored, as_version=4)
            return cls(name, number, notebook.cells, notebook.metadata.get("moelaws", {}).get("answers", []))
        text = (root / f"{name}.md").read_text(encoding="utf-8")
        return cls(name, number, [nbformat.v4.new_markdown_cell(re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S))])

    @property
    def text(self):
        """All text of the page."""
        return "\n\n".join(cell.source for cell in self.cells if cell.cell_type == "markdown")

    @property
    def title(self):
        """The page's first heading."""
        return HEADING.search(self.text)["title"]

    @cached_property
    def glued(self):
        """What the page's cells glued, by name."""
        return {
            output.metadata.scrapbook.name: output.data[RECORD].strip("'\"")
            for cell in self.cells
            for output in cell.get("outputs", [])
            if RECORD in output.get("data", {})
        }


@dataclass(frozen=True)
class Place:
    """Where a label leads: a page, what kind of thing is there, and its title or number."""

    page: str
    kind: str
    title: str


class Book:
    """All pages, and what their references lead to.

    Parameters
    ----------
    root : Path
        The folder of ``_config.yml`` and ``_toc.yml``.
    """

    def __init__(self, root):
        self.root = Path(root)
        self.config = yaml.safe_load((self.root / "_config.yml").read_text(encoding="utf-8"))
        contents = yaml.safe_load((self.root / "_toc.yml").read_text(encoding="utf-8"))
        entries = [(contents["root"], "")]
        for part in contents["parts"]:
            entries += [(file, _number(file)) for entry in part["chapters"] for file in _files(entry)]
        names = [(re.sub(r"\.(md|ipynb)$", "", file), number) for file, number in entries]
        there = [one for one in names if any((self.root / f"{one[0]}{end}").exists() for end in (".ipynb", ".md"))]
        self.pages = {name: Page.read(self.root, name, number) for name, number in there}
        self.labels = {}
        counts = Counter()
        for page in self.pages.values():
            self.labels |= _labels(page, counts)

    @property
    def repository(self):
        """The public address of the repository."""
        return self.config["repository"]["url"].rstrip("/")

    @property
    def site(self):
        """The public address of the site: the one that is configured, or that of the repository's pages on GitHub."""
        owner, name = self.repository.split("/")[-2:]
        given = self.config.get("html", {}).get("baseurl")
        return given.rstrip("/") if given else f"https://{owner}.github.io/{name}"

    def address(self, page, anchor=""):
        """Return the public address of a page or of a place on it."""
        return f"{self.site}/{page}.html" + (f"#{anchor}" if anchor else "")

    @cached_property
    def bibliography(self):
        """The entries of the bibliography by key."""
        (path,) = self.config["bibtex_bibfiles"]
        return parse_file(self.root / path).entries

    @cached_property
    def claims(self):
        """The claims with their verdicts by id."""
        return {claim["id"]: claim for claim in ledger.stored()}

    def tell(self, page, text):
        """Return a text of a page as plain Markdown.

        Parameters
        ----------
        page : Page
            The page that the text is from; its glued values and labels count.
        text : str
            MyST, without the edges of exercises and solutions.
        """
        return _Teller(self, page).blocks(text).strip()


class _Teller:
    """What tells one page's text."""

    def __init__(self, book, page):
        self.book, self.page = book, page
        self.labels = book.labels

    def problem(self, what):
        return TextError(f"{self.page.name}: {what}")

    def blocks(self, text):
        """Tell directives by their rules, leave blocks of code alone, and tell the lines between."""
        lines, told, plain = text.split("\n"), [], []
        while lines:
            line = lines.pop(0)
            opening = FENCE.match(line)
            if not opening:
                plain.append(line)
                continue
            end = next((i for i, other in enumerate(lines) if other.strip() == opening["fence"]), None)
            if end is None:
                raise self.problem(f"'{line.strip()}' is not closed")
            body, lines = lines[:end], lines[end + 1 :]
            told.append(self.inline("\n".join(plain)))
            plain = []
            if opening["name"]:
                told.append(self.directive(opening["name"], opening["rest"], body))
            else:
                told.append("\n".join([line, *body, opening["fence"]]))
        return "\n".join([*told, self.inline("\n".join(plain))])

    def directive(self, name, argument, body):
        options = {}
        while body and (option := re.match(r"^:([\w-]+):[ \t]*(.*)$", body[0])):
            options[option[1]] = option[2]
            body = body[1:]
        text = "\n".join(body)
        if name in BOXES or name == "admonition":
            title = self.inline(argument) if name == "admonition" else name.capitalize()
            return _quote(f"**{title}**\n\n{self.blocks(text).strip()}")
        if name == "div":
            return _quote(self.blocks(text).strip()) if argument == "answer" else self.blocks(text)
        if name == "dropdown":
            return f"<details><summary>{argument}</summary>\n\n{self.blocks(text)}\n\n</details>"
        if name == "math":
            number = f" \\tag{{{self.labels[options['label']].title}}}" if "label" in options else ""
            return f"$$\n{text.strip()}{number}\n$$"
        if name == "verdicts":
            return self.verdicts(argument.split())
        if name == "bibliography":
            return "\n".join(self.reference(key) for key in self.cited())
        if name == "raw":
            return text
        if name in {"code-block", "code"}:
            return f"```{argument}\n{text}\n```"
        raise self.problem(f"the directive '{name}' has no rule in {Path(__file__).name}")

    def verdicts(self, papers):
        claims = [claim for claim in self.book.claims.values() if claim["id"].rpartition("-")[0] in papers]
        counts = Counter(map(claims_html.group, claims))
        said = " · ".join(f"{counts[one]} {words}" for one, words in claims_html.GROUPS.items() if counts[one])
        page = f"chapters/{claims[0]['page']}"
        return f"**Verdicts**: {said} ([evidence]({self.book.address(page)}))"

    def cited(self):
        """Return the keys that the page cites, in the order of the alphabet."""
        roles = [role for role in ROLE.finditer(self.page.text) if role["name"].partition(":")[0] == "cite"]
        return sorted({key.strip() for role in roles for key in role["text"].split(",")})

    def reference(self, key):
        entry = self.book.bibliography[key]
        names = ", ".join(_name(person) for person in entry.persons["author"])
        title = Text.from_latex(entry.fields["title"])
        return f"- {names}: *{title}* ({entry.fields['year']}). {_source(entry)}"

    def inline(self, text):
        text = re.sub(r"^%.*$\n?", "", text, flags=re.M)
        text = EQUATION.sub(lambda one: f"$${one['body']}\\tag{{{self.labels[one['label']].title}}}$$", text)
        text = LINK.sub(lambda one: f"[{one['text']}]({self.target(one['to'])})", text)
        text = TARGET.sub(lambda one: one["heading"] or "", text)
        text = re.sub(r"^(\S.*)\n: +(?=\S)", r"**\1**: ", text, flags=re.M)  # a list of definitions
        return ROLE.sub(self.role, text)

    def role(self, found):
        name, text = found["name"], " ".join(found["text"].split())
        named = NAMED.fullmatch(text)
        words, target = (named["text"], named["target"]) if named else (None, text)
        match name.split(":"):
            case ["glue", *_]:
                return self.glued(text)
            case ["cite", *style]:
                return self.citation(text, "t" in style)
            case ["ref" | "numref" | "eq" | "exercise" | "prf"]:
                return self.reference_to(name, words, target)
            case ["doc"]:
                page = normpath(PurePosixPath(self.page.name).parent / target) if target[0] != "/" else target[1:]
                if page not in self.book.pages:
                    raise self.problem(f"there is no page '{target}'")
                return f"[{words or self.book.pages[page].title}]({self.book.address(page)})"
            case ["term"]:
                anchor = "term-" + re.sub(r"[^\w]+", "-", target).strip("-")
                return f"[{words or target}]({self.book.address('book/glossary', anchor)})"
            case ["claim"]:
                if text not in self.book.claims:
                    raise self.problem(f"there is no claim '{text}'")
                claim = self.book.claims[text]
                address = self.book.address(f"chapters/{claim['page']}", text.lower())
                return f"[{text.rpartition('-')[2]}: {claim['verdict']}]({address})"
            case ["math"]:
                return f"${text}$"
            case ["py", *_]:
                return f"`{text.lstrip('~')}`"
            case ["sub" | "sup"]:
                return f"<{name}>{escape(text)}</{name}>"
        raise self.problem(f"the role '{name}' has no rule in {Path(__file__).name}")

    def glued(self, text):
        name, _, style = text.partition(":")
        if name not in self.page.glued:
            raise self.problem(f"nothing is glued as '{name}'")
        value = self.page.glued[name]
        return format(float(value), style) if style else value

    def citation(self, keys, textual):
        said = []
        for key in map(str.strip, keys.split(",")):
            if key not in self.book.bibliography:
                raise self.problem(f"the bibliography has no entry '{key}'")
            entry = self.book.bibliography[key]
            people = [_name(person) for person in entry.persons["author"]]
            names = " and ".join(people) if len(people) < 3 else f"{people[0]} et al."
            year = f" ({entry.fields['year']})" if textual else f", {entry.fields['year']}"
            said.append(f"[{names}{year}]({_address(entry) or self.book.address('book/references')})")
        return "; ".join(said) if textual else f"({'; '.join(said)})"

    def reference_to(self, role, words, label):
        place = self.labels.get(label)
        if place is None:
            raise self.problem(f"there is no label '{label}'")
        if words and "%s" in words:
            words = words.replace("%s", place.title)
        said = {"equation": f"({place.title})", "figure": f"Fig. {place.title}"}.get(place.kind, place.title)
        return f"[{words or said}]({self.link(place, label)})"

    def link(self, place, label):
        """Headings of the same notebook are reached inside it, all else on the site."""
        if place.page == self.page.name and place.kind == "section":
            return "#" + place.title.replace(" ", "-")
        anchor = f"equation-{label}" if place.kind == "equation" else label
        return self.book.address(place.page, anchor)

    def target(self, to):
        if re.match(r"\w+:", to):
            return to
        if to in self.labels:
            return self.link(self.labels[to], to)
        path, _, anchor = to.partition("#")
        if not path and anchor in self.labels:
            return self.link(self.labels[anchor], anchor)
        if not path:
            return self.book.address(self.page.name, anchor)
        page = normpath(PurePosixPath(self.page.name).parent / re.sub(r"\.(md|ipynb|html)$", "", path))
        if page not in self.book.pages:
            raise self.problem(f"the link '{to}' leads to no page of the book")
        return self.book.address(page, anchor)


def _files(entry):
    return [entry["file"], *(file for section in entry.get("sections", []) for file in _files(section))]


def _number(file):
    """Return the number that a chapter's file begins with, without its zeros; empty for other pages."""
    begins = re.match(r"chapters/(\d+)-", file)
    return str(int(begins[1])) if begins else ""


def _labels(page, counts):
    """Return the places of a page by their labels, numbered as the site numbers them."""
    found = {}

    def count(kind, label):
        counts[kind, page.number] += 1
        place = counts[kind, page.number]
        return {label: Place(page.name, kind, f"{page.number}.{place}" if page.number else str(place))}

    for cell in page.cells:
        if cell.cell_type == "markdown":
            for target in TARGET.finditer(cell.source):
                if target["heading"]:
                    found[target["label"]] = Place(page.name, "section", target["heading"].lstrip("# "))
            for equation in sorted(
                (one for form in (EQUATION, MATH) for one in form.finditer(cell.source)), key=re.Match.start
            ):
                found |= count("equation", equation["label"])
            for figure in FIGURE.finditer(cell.source):
                found |= count("figure", figure["label"])
            for exercise in EXERCISE.finditer(cell.source):
                found |= {
                    label: Place(page.name, place.kind, f"Exercise {place.title}")
                    for label, place in count("exercise", exercise["label"]).items()
                }
        elif name := cell.metadata.get("mystnb", {}).get("figure", {}).get("name"):
            found |= count("figure", name)
    return found


def _quote(text):
    return "\n" + textwrap.indent(text, "> ", lambda _: True) + "\n"


def _name(person):
    return " ".join(str(Text.from_latex(part)) for part in [*person.prelast_names, *person.last_names])


def _address(entry):
    if "url" in entry.fields:
        return entry.fields["url"]
    if "doi" in entry.fields:
        return f"https://doi.org/{entry.fields['doi']}"
    return f"https://arxiv.org/abs/{entry.fields['eprint']}" if "eprint" in entry.fields else ""


def _source(entry):
    address = _address(entry)
    return f"[{address.removeprefix('https://')}]({address})" if address else ""
