"""Number chapters as their files: sections of ``03-yang2025`` are 3.1, 3.2, ...; Sphinx counts from one."""

import re

from docutils import nodes


def number_as_files(_, env):
    """Put the number that a page's file begins with in the place of the place that it has in the contents.

    Parameters
    ----------
    env : sphinx.environment.BuildEnvironment
        With the numbers that Sphinx gave to sections and figures.

    Returns
    -------
    list of str
        The pages to be written again, on which other numbers may stand.
    """
    changed = []
    for page, sections in env.toc_secnumbers.items():
        begins = re.match(r"chapters/(\d+)-", page)
        if not begins:
            continue

        def renumbered(number, first=int(begins[1])):
            return type(number)([first, *number[1:]]) if number else number

        env.toc_secnumbers[page] = {anchor: renumbered(number) for anchor, number in sections.items()}
        figures = env.toc_fignumbers.get(page, {})
        env.toc_fignumbers[page] = {
            kind: {name: renumbered(number) for name, number in numbers.items()} for kind, numbers in figures.items()
        }
        references = env.tocs[page].findall(nodes.reference)
        for node in (env.titles[page], *references):
            if "secnumber" in node:
                node["secnumber"] = renumbered(node["secnumber"])
        changed.append(page)
    return changed


def setup(app):
    """Add it after the numbering of Sphinx, which listens with priority 500."""
    app.connect("env-get-updated", number_as_files, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
