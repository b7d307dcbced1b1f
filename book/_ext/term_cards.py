"""Cards of terms for a lesson: ``{term-card}`` takes the terms, a line each, and their meaning from the glossary."""

import re
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

TERMS = 10
ENTRY = re.compile(r"^(?P<term>\S.*)\n  (?P<meaning>.+)", re.M)


class TermCard(SphinxDirective):
    """The terms of one chapter, folded."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self):
        """Return the card under its title."""
        glossary = Path(self.env.srcdir, "book", "glossary.md")
        self.env.note_dependency(str(glossary))
        meanings = {found["term"]: found["meaning"] for found in ENTRY.finditer(glossary.read_text(encoding="utf-8"))}
        terms = [line.strip() for line in self.content if line.strip()]
        if len(terms) != TERMS or (missing := [term for term in terms if term not in meanings]):
            said = f"no entry of the glossary: {', '.join(missing)}" if len(terms) == TERMS else f"{len(terms)} terms"
            raise ExtensionError(
                f"{self.env.docname}: the card '{self.arguments[0]}' has {said}; {TERMS} are expected."
            )
        lines = [f":::{{dropdown}} {self.arguments[0]}"]
        for term in terms:
            lines += [f"{{term}}`{term}`", f": {meanings[term]}", ""]
        card = nodes.container()
        self.state.nested_parse(StringList([*lines, ":::"], source=self.env.docname), 0, card)
        return card.children


def setup(app):
    """Register with Sphinx."""
    app.add_directive("term-card", TermCard)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
