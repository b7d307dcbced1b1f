"""Say what folded code does: the label of a fold is the comment that its cell begins with."""

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

PLAIN = "Code of this cell"


def label(source):
    r"""Return the comment that a cell begins with, in words; a plain label where it begins with none.

    Parameters
    ----------
    source : str
        The cell's code.

    Examples
    --------
    >>> label("# The printed law against 69 readings\nprint(1)")
    'Code: The printed law against 69 readings'
    """
    first = source.strip().partition("\n")[0]
    return f"Code: {first.lstrip('# ')}" if first.startswith("# ") else PLAIN


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
