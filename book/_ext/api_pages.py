"""Document a room of the package: ``{api-room} laws`` finds its modules, so that a new one is on the page by itself."""

import pkgutil
from importlib import import_module

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective


class Room(SphinxDirective):
    """All public modules of one room, or of the package's own level for ``moelaws``."""

    required_arguments = 1

    def run(self):
        """Return the documentation of each module under its own heading."""
        room = import_module(f"moelaws.{self.arguments[0]}")
        found = pkgutil.walk_packages(room.__path__, f"{room.__name__}.") if hasattr(room, "__path__") else []
        names = [room.__name__, *(module.name for module in found if "._" not in module.name)]
        sections = []
        for name in names:
            section = nodes.section(ids=[name.replace(".", "-")])
            section += nodes.title(name, name)
            lines = ["```{eval-rst}", f".. automodule:: {name}", "   :members:", "```"]
            self.state.nested_parse(StringList(lines, source=name), 0, section)
            sections.append(section)
        return sections


def setup(app):
    """Register with Sphinx."""
    app.add_directive("api-room", Room)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
