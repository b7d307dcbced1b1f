"""Say what folded code does: the label of a fold is the first comment of its cell."""

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

PLAIN = "Code of this cell"


def label(source):
    r"""Return the first line of a cell that is a comment, in words; a plain label where there is none.

    Parameters
    ----------
    source : str
        The cell's code.

    Examples
    --------
    >>> label("# The printed law against 69 readings\\nprint(1)")
    'Code: The printed law against 69 readings'
    """
    comments = (line.strip().removeprefix("#").strip() for line in source.splitlines() if line.strip().startswith("#"))
    words = next(filter(None, comments), "")
    return f"Code: {words}" if words else PLAIN


class Folds(SphinxPostTransform):
    """Label the folds before MyST-NB makes them."""

    default_priority = 198
    formats = ("html",)

    def run(self, **_):
        """Change the labels of all folded cells of a page."""
        for cell in self.document.findall(nodes.container):
            if cell.get("nb_element") == "cell_code" and cell.get("hide_mode") in {"input", "input+output", "all"}:
                code = next(iter(cell.findall(nodes.literal_block)), None)
                cell["prompt_show"] = cell["prompt_hide"] = label(code.astext() if code is not None else "")


def setup(app):
    """Register with Sphinx."""
    app.add_post_transform(Folds)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
