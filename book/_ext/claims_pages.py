"""Verdicts of the stored notebooks: ``{verdicts}`` (bar), ``{evidence-counts}`` (table) and ``{claim}`` (link)."""

from collections import Counter
from functools import cache

import yaml
from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective, SphinxRole

from moelaws import ledger
from moelaws.ledger import html as claims_html
from moelaws.paths import ROOT


@cache
def stored():
    """Return the claims by id; each names the notebook that stores it."""
    return {claim["id"]: claim for claim in ledger.stored()}


def raw(html):
    """Return HTML as a node of a page."""
    return nodes.raw("", html, format="html")


class Verdicts(SphinxDirective):
    """A bar of verdicts, of one paper or of several, which leads to the evidence of the first."""

    required_arguments = 1
    optional_arguments = 20

    def run(self):
        """Return the bar."""
        rows = [claim for claim in stored().values() if claim["id"].rpartition("-")[0] in self.arguments]
        if not rows:
            raise ExtensionError(f"{self.env.docname}: there are no claims of {', '.join(self.arguments)}.")
        return [raw(claims_html.counts(rows, address(self.env, rows[0]["page"])))]


class Evidence(SphinxDirective):
    """How many claims of all papers got which verdict on which evidence."""

    def run(self):
        """Return the table; the kinds of evidence come from the schema of claims."""
        fields = yaml.safe_load((ROOT / "data" / "claims.schema.yaml").read_text(encoding="utf-8"))["fields"]
        kinds = next(field["constraints"]["enum"] for field in fields if field["name"] == "evidence")
        counts = Counter((claim["evidence"], claim["verdict"]) for claim in stored().values())
        head = "".join(f'<th scope="col">{word}</th>' for word in ("The verdict rests on", *ledger.VERDICTS))
        rows = ""
        for kind in kinds:
            cells = "".join(f"<td>{counts[kind, verdict] or '–'}</td>" for verdict in ledger.VERDICTS)
            rows += f'<tr><th scope="row">{kind}</th>{cells}</tr>'
        caption = "<caption>Claims by evidence and verdict; identity and input are not counted as agreement.</caption>"
        return [raw(f'<table class="table">{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>')]


class Claim(SphinxRole):
    """A link to a claim's evidence that shows its verdict."""

    def run(self):
        """Return the link, or an error that names the claim."""
        claim = stored().get(self.text)
        if claim is None:
            return [], [self.inliner.reporter.error(f"There is no claim '{self.text}'.", line=self.lineno)]
        return [raw(claims_html.pill(claim, f"{address(self.env, claim['page'])}#{self.text.lower()}"))], []


def address(env, page):
    """Return the address of a chapter's page as seen from the page that is being read."""
    return env.app.builder.get_relative_uri(env.docname, f"chapters/{page}")


def setup(app):
    """Register with Sphinx."""
    app.add_directive("verdicts", Verdicts)
    app.add_directive("evidence-counts", Evidence)
    app.add_role("claim", Claim())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
