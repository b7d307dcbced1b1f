"""All verdicts on one page, ``{verdict-table}``: lists by paper, which ``verdicts.js`` makes a table that filters."""

import csv
import json
from collections import Counter
from html import escape
from pathlib import Path

from claims_pages import address, raw, stored
from sphinx.util.docutils import SphinxDirective

from moelaws import data
from moelaws.ledger import html as claims_html

FIELDS = ["id", "place", "kind", "statement", "printed", "computed", "unit", "verdict", "evidence", "criterion", "note"]
HEADS = ("Claim", "Statement", "Printed", "Computed", "Verdict", "Evidence")


def title(page):
    """Return the heading of the chapter that a page of verdicts belongs to.

    Parameters
    ----------
    page : str
        Name of a notebook without its ending, a chapter or its page of evidence.
    """
    lines = (data.ROOT / "chapters" / f"{page.removesuffix('-evidence')}.md").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith("# ")).removeprefix("# ")


def row(claim, link):
    """Return one claim as a row; what an export needs is in its attributes."""
    kept = {"id": claim["id"], "unit": claim["unit"], "value": json.dumps(claim["computed"])}
    kept |= {"paper": claim["id"].rpartition("-")[0], "group": claims_html.group(claim), "evidence": claim["evidence"]}
    marks = " ".join(f'data-{name}="{escape(value)}"' for name, value in kept.items())
    unit = (
        f" {claim['unit']}" if claim["unit"] not in {"", "1"} and not isinstance(claim["computed"], bool | None) else ""
    )
    cells = [
        escape(claim["statement"]),
        escape(claim["printed"]) or "–",
        escape(claims_html.shown(claim["computed"]) + unit),
        claims_html.badge(claim["verdict"], claim["evidence"]),
        escape(claim["evidence"]) or "–",
    ]
    body = "".join(f'<td data-label="{head}">{cell}</td>' for head, cell in zip(HEADS[1:], cells, strict=True))
    first = f'<a href="{escape(link)}">{escape(claim["id"])}</a><br><span class="place">{escape(claim["place"])}</span>'
    return f'<tr id="{escape(claim["id"])}" {marks}><th scope="row">{first}</th>{body}</tr>'


def section(name, claims, link):
    """Return the claims of one paper, folded, with their counts in the line that opens them."""
    counts = Counter(map(claims_html.group, claims))
    words = ", ".join(f"{counts[key]} {claims_html.GROUPS[key]}" for key in claims_html.GROUPS if counts[key])
    rows = "".join(row(claim, f"{link(claim)}#{claim['id'].lower()}") for claim in claims)
    head = "".join(f'<th scope="col">{word}</th>' for word in HEADS)
    return (
        f"<details><summary><strong>{escape(name)}</strong>: {len(claims)} claims, {words}</summary>"
        f'<table class="all-verdicts"><caption>Verdicts: {escape(name)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></details>"
    )


class VerdictTable(SphinxDirective):
    """All claims by paper, with what a script needs to filter them."""

    def run(self):
        """Return the lists."""
        papers = {}
        for claim in stored().values():
            papers.setdefault(claim["id"].rpartition("-")[0], []).append(claim)
        names = {paper: title(claims[0]["page"]) for paper, claims in papers.items()}
        sections = "".join(
            section(names[paper], claims, lambda claim: address(self.env, claim["page"]))
            for paper, claims in papers.items()
        )
        words = json.dumps({"papers": names, "groups": claims_html.GROUPS})
        return [raw(f'<div id="verdict-table" data-words="{escape(words)}">{sections}</div>')]


def write(app):
    """Write all verdicts as files to download."""
    folder = Path(app.outdir) / "_static"
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{name: claim[name] for name in FIELDS} for claim in stored().values()]
    (folder / "verdicts.json").write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
    with (folder / "verdicts.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, FIELDS)
        table.writeheader()
        table.writerows(rows)


def load(app, pagename, templatename, context, doctree):
    """Load the script on the page of all verdicts only."""
    if pagename == "book/claims":
        app.add_js_file("verdicts.js", defer="defer")


def setup(app):
    """Register with Sphinx."""
    app.add_directive("verdict-table", VerdictTable)
    app.connect("builder-inited", write)
    app.connect("html-page-context", load)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
