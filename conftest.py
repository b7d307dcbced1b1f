"""Compare stored and new outputs of the chapters as text whose numbers may be a little apart.

Another processor changes the last digits of a float and nothing else. So floats may differ by `RTOL`; the text between
them, integers, and how many there are, may not. Blanks that only pad a column, and the drawing of a figure, are not
compared; what a figure draws is.
"""

import json
import math
import re
from functools import cache, partial

import execute
import kernel
import nbval.kernel
import pytest
from kernel_extension import FIGURE
from nbval.plugin import IPyNbCell

RTOL = 1e-6
DRAWN_RTOL = 1e-5  # a hundredth of what an eye can see of a figure; optima in flat valleys move by a millionth
ATOL = 1e-12  # for results that are zero but for rounding
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?(?!\w)")
PADDING = re.compile(r"(?<=\S) {2,}|-{4,}|={4,}")

# A drawing holds its numbers as coordinates, thousands of them, and font names; FIGURE stands beside it.
DRAWINGS = {"image/svg+xml", "image/png", "image/jpeg"}

nbval.kernel.start_new_kernel = partial(
    nbval.kernel.start_new_kernel, env=kernel.environment(), extra_arguments=kernel.ARGUMENTS
)


def same(new, stored):
    """Tell whether two outputs, texts or nested JSON, agree up to rounding."""
    if isinstance(new, dict) and isinstance(stored, dict):
        return new.keys() == stored.keys() and all(same(new[key], stored[key]) for key in new)
    if isinstance(new, list) and isinstance(stored, list):
        return len(new) == len(stored) and all(map(same, new, stored))
    if isinstance(new, float) and isinstance(stored, float):
        return repr(new) == repr(stored) or math.isclose(new, stored, rel_tol=RTOL, abs_tol=ATOL)
    if isinstance(new, str) and isinstance(stored, str):
        return _same_text(new, stored)
    return type(new) is type(stored) and new == stored


def _same_text(new, stored):
    if _frame(new) != _frame(stored):
        return False
    return all(map(_same_number, NUMBER.findall(new), NUMBER.findall(stored)))


def _frame(text):
    """Return a text without its numbers and without what only fills columns up."""
    return "\n".join(PADDING.sub(" ", NUMBER.sub("#", line)).strip() for line in text.split("\n"))


def _same_number(new, stored):
    if new == stored:
        return True
    both_floats = all(re.search("[.eE]", number) for number in (new, stored))
    return both_floats and math.isclose(float(new), float(stored), rel_tol=RTOL, abs_tol=ATOL)


def same_figure(new, stored):
    """Tell whether two figures draw the same; the numbers of one array may differ by `DRAWN_RTOL` of its greatest."""
    return len(new) == len(stored) and all(
        _same_part(json.loads(ours), json.loads(theirs)) for ours, theirs in zip(new, stored, strict=True)
    )


def _same_part(new, stored):
    if isinstance(new, dict) and isinstance(stored, dict):
        return new.keys() == stored.keys() and all(_same_part(new[key], stored[key]) for key in new)
    if not isinstance(new, list) or not isinstance(stored, list):
        return same(new, stored)
    if len(new) != len(stored):
        return False
    scale = DRAWN_RTOL * max((abs(value) for value in stored if isinstance(value, float)), default=0) + ATOL
    return all(
        abs(ours - theirs) <= scale
        if isinstance(ours, float) and isinstance(theirs, float)
        else _same_part(ours, theirs)
        for ours, theirs in zip(new, stored, strict=True)
    )


def adopt(new_outputs, stored_outputs):
    """Put the stored form of every output that agrees in place of the new one."""
    for new, stored in zip(new_outputs, stored_outputs, strict=False):
        for key in new.keys() & stored.keys():
            if key == "data":
                adopt([new.data], [stored.data])
            elif _is(DRAWINGS, key) or (same_figure if _is({FIGURE}, key) else same)(new[key], stored[key]):
                new[key] = stored[key]


def _is(mimes, key):
    # What is glued is stored under a longer name that ends in the same type.
    return any(key.endswith(mime) for mime in mimes)


def _tolerant(compare_outputs):
    def compare(self, test, ref, skip_compare=None):
        adopt(test, ref)
        return compare_outputs(self, test, ref, skip_compare)

    return compare


IPyNbCell.compare_outputs = _tolerant(IPyNbCell.compare_outputs)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Make warnings errors in our own tests, skip notebooks whose public runs are not here, and tell which are slow.

    The kernels' warnings are the chapters' affair. What evidence pages decide is decided by ``test_claims_decided``,
    too, and what they show is compared with a hash, so they run with the slow tests only.
    """
    absent = cache(execute.absent)
    for item in items:
        if not isinstance(item, IPyNbCell):
            item.add_marker(pytest.mark.filterwarnings("error"), append=False)  # a test may ignore some
            # IPython leaves the closing of its history to the garbage collector; Python 3.13 says so.
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning"))
        elif absent(item.path):
            reason = f"{item.path.name} was made from public runs that are not here ({', '.join(absent(item.path))})"
            item.add_marker(pytest.mark.skip(reason=f"{reason}; MOELAWS_DATA can name a folder that holds them."))
        if item.path.match("*-evidence.ipynb"):
            item.add_marker(pytest.mark.slow)
