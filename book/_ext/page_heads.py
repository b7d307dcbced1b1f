"""What search engines, previews of links and the search of the site learn of a page: title, description, words."""

import re
from html import escape

from docutils import nodes
from sphinx import addnodes

LONGEST = 300  # characters of a description
PICTURE = "_static/page.png"
KEYWORDS = {
    "chapters/00-fitting": ["chinchilla", "huber loss", "exponent", "bootstrap"],
    "chapters/01-yun2024": ["over-training", "inference cost"],
    "chapters/02-tian2025": ["granularity", "efficiency leverage", "leverage", "activation ratio"],
    "chapters/03-yang2025": ["expert skipping", "expert pruning", "throughput", "step time"],
    "chapters/04-wan2026": ["budget", "allocation", "architecture search"],
    "chapters/05-small-runs": ["small runs", "interaction of experts and tokens"],
    "chapters/06-public-runs": ["public runs", "benchmark"],
    "chapters/07-budget": ["regret", "compute-optimal", "tokens per parameter"],
}
"""Words for which the search has to find a chapter before any function."""


def description(doctree):
    """Return a chapter's answer, or the first paragraph of another page, cut after a sentence.

    Parameters
    ----------
    doctree : docutils.nodes.document
        The page with all references resolved.
    """
    answers = [node for node in doctree.findall(nodes.container) if "answer" in node["classes"]]
    paragraphs = (node for part in (answers or [doctree]) for node in part.findall(nodes.paragraph))
    text = next((re.sub(r"\s+", " ", node.astext()) for node in paragraphs if node.astext().strip()), "")
    while len(text) > LONGEST and ". " in text:
        text = text.rpartition(". ")[0] + "."
    return text[:LONGEST]


def title(doctree):
    """Return a page's heading without its number."""
    return next(iter(doctree.findall(nodes.title)), nodes.title()).astext()


def add_words(app, doctree):
    """Enter a chapter's words in the index, which the search reads first."""
    words = [word for word in KEYWORDS.get(app.env.docname, []) if app.builder.format == "html"]
    if words:
        entries = [("single", word, "", "main", None) for word in words]
        doctree.insert(0, addnodes.index(entries=entries, inline=False))


def add_tags(app, pagename, templatename, context, doctree):
    """Put title and description into the head of a page."""
    if doctree is None:
        return
    name, words = title(doctree), description(doctree)
    picture = app.config.html_baseurl + PICTURE if app.config.html_baseurl else context["pathto"](PICTURE, 1)
    tags = {"og:title": name, "og:description": words, "og:type": "article", "og:site_name": app.config.html_title}
    marks = [f'<meta name="description" content="{escape(words)}"/>']
    marks += [
        f'<meta property="{key}" content="{escape(value)}"/>' for key, value in (tags | {"og:image": picture}).items()
    ]
    context["title"] = escape(name)
    context["metatags"] = context.get("metatags", "") + "\n".join(marks)


def setup(app):
    """Register with Sphinx."""
    app.connect("doctree-read", add_words)
    app.connect("html-page-context", add_tags)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
