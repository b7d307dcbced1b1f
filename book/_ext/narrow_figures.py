"""Show a figure on a phone: its panels one below the other where it may be cut, and the whole at full size."""

import json
from copy import copy
from hashlib import sha256
from xml.etree import ElementTree

import nbformat

FRAME = "pst-scrollable-table-container"
SVG, DATA = "image/svg+xml", "application/vnd.moelaws.figure+json"


def pictures(notebook):
    """Return the panels of each picture of a notebook, by the name of the file that a build writes it to."""
    found = {}
    for cell in notebook.cells:
        for bundle in (output.get("data", {}) for output in cell.get("outputs", [])):
            if {SVG, DATA} <= bundle.keys():
                written = "\n".join(bundle[SVG].splitlines()).encode()
                found[f"{sha256(written).hexdigest()}.svg"] = json.loads(bundle[DATA][0])["panels"]
    return found


def offer(soup, image, panels, size):
    """Put a figure above a part that opens and holds it at full size, with its panels for a phone between them.

    Parameters
    ----------
    soup : bs4.BeautifulSoup
        The page.
    image : bs4.element.Tag
        The figure.
    panels : list of list of float
        Left, top, right and bottom edge of each part, as shares of the picture.
    size : tuple of float
        Width and height of the picture, in its own unit.
    """
    frame = soup.new_tag("div", attrs={"class": FRAME})
    frame.append(copy(image))
    words = soup.new_tag("summary")
    words.string = "Full size"
    full = soup.new_tag("details", attrs={"class": "full-size"})
    full.extend([words, frame])
    picture = image.wrap(soup.new_tag("div", attrs={"class": "picture"}))
    if panels:
        stack = soup.new_tag("div", attrs={"class": "panels", "role": "img", "aria-label": image["alt"]})
        stack.extend(part(soup, image["src"], panel, *size) for panel in panels)
        picture.append(stack)
    picture.append(full)


def part(soup, source, panel, width, height):
    """Return an image of one panel: the whole picture, seen through a window."""
    left, top, right, bottom = (edge * length for edge, length in zip(panel, (width, height) * 2, strict=True))
    window = f"{left:.1f},{top:.1f},{right - left:.1f},{bottom - top:.1f}"
    ratio = f"aspect-ratio: {right - left:.1f} / {bottom - top:.1f}"
    return soup.new_tag("img", attrs={"src": f"{source}#svgView(viewBox({window}))", "alt": "", "style": ratio})


def size_of(path):
    """Return width and height of an SVG picture."""
    return tuple(map(float, ElementTree.parse(path).getroot().attrib["viewBox"].split()[2:]))


def offer_all(soup, folder, notebook):
    """Offer the figures of a parsed page in a folder, which was made from a notebook."""
    panels = pictures(nbformat.read(notebook, as_version=4))
    for image in soup.select("article .cell_output img"):
        if not image.find_parent(class_="picture"):
            file = folder / image["src"]
            offer(soup, image, panels.get(file.name, []), size_of(file) if file.name in panels else (0, 0))
