"""Make the built site light: drop what no page uses of the theme's styles and icons, and digits that no eye sees."""

import logging
import re
from itertools import pairwise
from pathlib import Path

import tinycss2
from fontTools import subset
from fontTools.ttLib import TTFont

WORD = re.compile(r"[\w-]+")
ICONS = "_static/vendor/fontawesome"
OWN_CLASSES = "katex"  # whose script makes names of classes while it runs
BLOCK = {"media", "supports"}  # at-rules that hold rules of the same kind
TWICE = re.compile(r'<script src="[^"]*/fontawesome/[^"]*"></script>|<link as="font"[^>]*/>')
"""The icons a second time, as pictures in a script, and fonts before a page needs them."""
STYLED_ALIKE = re.compile(
    r'<g((?: clip-path="[^"]*")?)>\n((?:<use [^>]* style="([^"]*)"/>\n)(?:<use [^>]* style="\3"/>\n)+)</g>'
)
"""A group of an SVG that holds marks of one style, and nothing else."""


def words(site):
    """Return all words of pages and scripts, with every class in use among them, and beginnings of words."""
    found = set()
    for path in [*site.rglob("*.html"), *site.rglob("*.js")]:
        if ICONS not in path.as_posix() and OWN_CLASSES not in path.parts:
            found.update(WORD.findall(path.read_text(encoding="utf-8")))
    return found, tuple(word for word in found if word.endswith("-") and len(word) > 2)


def light_style(text, used, begun=()):
    """Return a style sheet without the selectors that need a class which is not used.

    Parameters
    ----------
    text : str
        The style sheet.
    used : set of str
        The classes in use, other words do no harm.
    begun : tuple of str, optional
        Beginnings of classes in use.

    Examples
    --------
    >>> light_style("a, .b {color: red} @media print {.c:not(.b) > i {margin: 0} .b {margin: 0}}", {"c"})
    'a{color: red}@media print{.c:not(.b) > i{margin: 0}}'
    """
    return "".join(light_rule(rule, used, begun) for rule in tinycss2.parse_stylesheet(text, skip_whitespace=True))


def light_rule(rule, used, begun):
    """Return one rule with the selectors that are in use, or nothing; licences stay."""
    if rule.type == "comment":
        return rule.serialize() if rule.value.startswith("!") else ""
    if rule.type == "at-rule" and rule.content is not None and rule.lower_at_keyword in BLOCK:
        inner = light_style(tinycss2.serialize(rule.content), used, begun)
        return f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude).rstrip()}{{{inner}}}" if inner else ""
    if rule.type != "qualified-rule":
        return rule.serialize()
    kept = [
        tinycss2.serialize(part).strip()
        for part in selectors(rule.prelude)
        if all(name in used or name.startswith(begun) for name in classes(part))
    ]
    body = re.sub(r"/\*(?!!).*?\*/", "", tinycss2.serialize(rule.content), flags=re.S)
    body = re.sub(r"\s*\n\s*", "", body)
    return f"{','.join(kept)}{{{body}}}" if kept else ""


def selectors(prelude):
    """Return the selectors of a rule, each as a list of tokens."""
    parts = [[]]
    for token in prelude:
        if token == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def classes(selector):
    """Return the classes that an element needs; those in brackets, as of ``:not()``, may be missing."""
    return [after.value for dot, after in pairwise(selector) if dot == "." and after.type == "ident"]


def light_icons(site):
    """Keep the icons in use in the fonts of icons, and the fonts in one format."""
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    points = {ord(letter) for letter in styles if not letter.isascii()}
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    options = subset.Options(notdef_outline=True, glyph_names=False, ignore_missing_unicodes=True)
    for path in (site / ICONS).rglob("*.ttf"):
        maker = subset.Subsetter(options)
        maker.populate(unicodes=points)
        with TTFont(path) as font:
            maker.subset(font)
            font.save(path)
    for path in (site / ICONS).rglob("*.css"):
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r'url\([^)]*\.woff2\) format\("woff2"\),', "", text), encoding="utf-8")


def light_picture(text):
    r"""Return an SVG of Matplotlib's with hundredths of a point.

    Examples
    --------
    >>> light_picture('<path d="M 1.234567 2 \nL 3.5 4.999999 \n" transform="scale(0.015625)"/>')
    '<path d="M1.23 2L3.5 5" transform="scale(0.015625)"/>'
    """
    text = re.sub(r' d="([^"]*)"', lambda found: f' d="{rounded(tight(found[1]))}"', text)
    text = re.sub(r' (x|y)="([^"]*)"', lambda found: f' {found[1]}="{rounded(found[2])}"', text)
    text = re.sub(r"translate\(([^)]*)\)", lambda found: f"translate({rounded(found[1])})", text)
    return STYLED_ALIKE.sub(share_style, re.sub(r"<!--.*?-->|(?<=\n)\s+", "", text, flags=re.S))


def share_style(group):
    """Return a group of marks that look alike with their style written once."""
    style = f' style="{group[3]}"'
    return f"<g{group[1]}{style}>\n{group[2].replace(style, '')}</g>"


def tight(path):
    """Return the data of a path without the space around its commands."""
    return re.sub(r"\s*([A-Za-z])\s*", r"\1", path).strip()


def rounded(text):
    """Round all numbers of a text to hundredths."""
    return re.sub(r"\d+\.\d{2,}", lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), text)


def lighten(app, exception):
    """Lighten a finished HTML build."""
    if exception is not None or app.builder.format != "html":
        return
    site = Path(app.outdir)
    for path in site.rglob("*.html"):
        path.write_text(TWICE.sub("", path.read_text(encoding="utf-8")), encoding="utf-8")
    used = words(site)
    for path in site.rglob("*.css"):
        if OWN_CLASSES not in path.parts:
            path.write_text(light_style(path.read_text(encoding="utf-8"), *used), encoding="utf-8")
    light_icons(site)
    for path in [*site.glob("_images/*.svg"), *site.glob("_static/lead/*.svg")]:
        path.write_text(light_picture(path.read_text(encoding="utf-8")), encoding="utf-8")


def setup(app):
    """Register with Sphinx, after the pages were mended."""
    app.connect("build-finished", lighten, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
