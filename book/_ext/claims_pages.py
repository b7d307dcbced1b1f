"""Put the verdicts of the stored notebooks on a page: ``{claims-summary}`` and ``{claims-table}``."""

from collections import Counter

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from moelaws.ledger import claims
from moelaws.ledger import html as claims_html


def raw(html):
    """Return HTML as a node of a page."""
    return nodes.raw("", html, format="html")


class Summary(SphinxDirective):
    """How many claims of each paper got which verdict."""

    def run(self):
        """Return the table."""
        head = "".join(f'<th scope="col">{claims_html.badge(verdict)}</th>' for verdict in claims.VERDICTS)
        rows = ""
        for paper in claims.papers():
            counts = Counter(claim["verdict"] for claim in claims.stored(paper))
            cells = "".join(f"<td>{counts[verdict]}</td>" for verdict in claims.VERDICTS)
            rows += f'<tr><th scope="row">{paper}</th>{cells}<td>{counts.total()}</td></tr>'
        heads = f'<tr><th scope="col">Paper</th>{head}<th scope="col">claims</th></tr>'
        return [raw(f'<table class="table"><thead>{heads}</thead><tbody>{rows}</tbody></table>')]


class Table(SphinxDirective):
    """All claims, one section for each paper."""

    def run(self):
        """Return the sections."""
        sections = []
        for paper in claims.papers():
            section = nodes.section(ids=[f"claims-{paper}"])
            section += nodes.title("", paper)
            section += raw(claims_html.table(claims.stored(paper)))
            sections.append(section)
        return sections


def setup(app):
    """Register with Sphinx."""
    app.add_directive("claims-summary", Summary)
    app.add_directive("claims-table", Table)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
