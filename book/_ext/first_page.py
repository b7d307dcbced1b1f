"""What the first page shows of the chapters: ``{lead-figure}`` of a notebook, and when all were ``{last-executed}``."""

import base64
import subprocess
from datetime import UTC, datetime
from functools import cache
from html import escape
from pathlib import Path

import nbformat
from claims_pages import raw
from docutils import nodes
from docutils.parsers.rst import directives
from explorers import TAG
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from moelaws import data

FOLDER = "_static/lead"
KINDS = {"image/svg+xml": "svg", "image/png": "png"}


@cache
def lead(stem):
    """Return the ending, the content and the text alternative of a notebook's first figure."""
    notebook = nbformat.read(data.ROOT / "chapters" / f"{stem}.ipynb", as_version=4)
    for cell in notebook.cells:
        text = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        for output in cell.get("outputs", []):
            for kind, ending in KINDS.items():
                if kind in output.get("data", {}):
                    content = output["data"][kind]
                    return ending, content.encode() if ending == "svg" else base64.b64decode(content), text
    raise ExtensionError(f"chapters/{stem}.ipynb has no figure.")


class LeadFigure(SphinxDirective):
    """The first figure of a chapter as a picture that leads to it; with scripts, an explorer may take its place."""

    required_arguments = 1
    option_spec = {"explorer": directives.unchanged_required}  # noqa: RUF012

    def run(self):
        """Return the link, and write the picture beside the site's own."""
        stem = self.arguments[0]
        ending, content, text = lead(stem)
        path = Path(self.env.app.outdir) / FOLDER / f"{stem}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        page = self.env.app.builder.get_relative_uri(self.env.docname, f"chapters/{stem}")
        root = "../" * self.env.docname.count("/")
        image = f'<img src="{root}{FOLDER}/{path.name}" alt="{escape(text)}" loading="lazy">'
        link = raw(f'<a class="lead-figure" href="{page}">{image}</a>')
        key = self.options.get("explorer")
        return [nodes.container("", link, classes=[TAG + key])] if key else [link]


class LastExecuted(SphinxDirective):
    """The day on which a chapter was last executed and stored."""

    def run(self):
        """Return a sentence."""
        words = f"The chapters were last executed and stored on {last_executed()}."
        return [nodes.paragraph("", words)]


def last_executed():
    """Return the day of the last stored notebook: by the history, and without one by the files."""
    notebooks = sorted(data.ROOT.glob("chapters/*.ipynb"))
    command = ["git", "log", "-1", "--format=%cs", "--", "chapters/*.ipynb"]
    try:
        found = subprocess.run(command, cwd=data.ROOT, capture_output=True, text=True).stdout.strip()
    except OSError:
        found = ""
    newest = max(path.stat().st_mtime for path in notebooks)
    return found or datetime.fromtimestamp(newest, UTC).date().isoformat()


def setup(app):
    """Register with Sphinx."""
    app.add_directive("lead-figure", LeadFigure)
    app.add_directive("last-executed", LastExecuted)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
