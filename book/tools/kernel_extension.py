"""What a chapter's kernel adds to IPython: a record of what was read and answered, and the data that a figure draws."""

import json
import os
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

from IPython.core.formatters import BaseFormatter
from traitlets import Unicode

RECORD = "MOELAWS_RECORD"
"""Name of the environment variable that names the file to keep the record in."""
ANSWER = re.compile(r"^answer = ", re.M)
"""How the solution of an exercise says its answer."""
FIGURE = "application/vnd.moelaws.figure+json"
"""Media type of what a figure draws."""


class Described(BaseFormatter):
    """What a figure draws, asked for after its picture, for which Matplotlib has placed everything.

    It is not registered for a type, as setting the format of pictures takes such registrations back.
    """

    format_type = Unicode(FIGURE)

    def __call__(self, shown):
        """Describe a figure, and nothing else."""
        if "matplotlib.figure" not in sys.modules:
            return None
        from figure_data import describe  # only now, as a chapter without figures needs no matplotlib
        from matplotlib.figure import Figure

        return describe(shown) if isinstance(shown, Figure) else None


def load_ipython_extension(shell):
    """Register with IPython."""
    described = Described(parent=shell.display_formatter)
    shell.display_formatter.formatters[described.format_type] = described
    shell.events.register("post_execute", _show)
    if RECORD in os.environ:
        _keep_record(shell, Path(os.environ[RECORD]))


def _show():
    """Show a cell's figures, before Matplotlib draws each of them once more for a screen that is not there."""
    if backend := sys.modules.get("matplotlib_inline.backend_inline"):
        backend.flush_figures()


def _keep_record(shell, record):
    opened, answers, before = set(), [], set(sys.modules)
    distributions = packages_distributions()

    def note(event, arguments):
        if event == "open" and isinstance(arguments[0], str) and (arguments[1] or "").startswith("r"):
            opened.add(os.path.abspath(arguments[0]))

    def keep(result):
        if result.success and ANSWER.search(result.info.raw_cell):
            answers.append(shell.user_ns["answer"])
        imported = {name.partition(".")[0] for name in set(sys.modules) - before}
        names = {name for module in imported for name in distributions.get(module, ())}
        seen = {"opened": sorted(opened), "distributions": sorted(names), "answers": answers}
        # Numbers and arrays of NumPy and pandas become Python's own.
        record.write_text(json.dumps(seen, default=lambda value: value.tolist()), encoding="utf-8")

    sys.addaudithook(note)
    # Before the reply to the cell, so whoever waits for the cell finds the record.
    shell.events.register("post_run_cell", keep)
