"""Compare stored and new outputs of the chapters as text whose numbers may be a little apart.

Another processor changes the last digits of a float and nothing else. So floats may
differ by `RTOL`; the text between them, integers, and how many there are, may not.
"""

import math
import os
import re
from functools import cache

import execute
import pytest
from nbval.plugin import IPyNbCell

RTOL = 1e-6
ATOL = 1e-12  # for results that are zero but for rounding
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?(?!\w)")

# Drawings hold the same numbers as coordinates, thousands of them, and font names.
DRAWINGS = {"image/svg+xml", "image/png", "image/jpeg"}

# The kernels inherit what the executor set when the notebooks were stored.
os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")


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
    if NUMBER.sub("#", new) != NUMBER.sub("#", stored):
        return False
    return all(map(_same_number, NUMBER.findall(new), NUMBER.findall(stored)))


def _same_number(new, stored):
    if new == stored:
        return True
    both_floats = all(re.search("[.eE]", number) for number in (new, stored))
    return both_floats and math.isclose(float(new), float(stored), rel_tol=RTOL, abs_tol=ATOL)


def adopt(new_outputs, stored_outputs):
    """Put the stored form of every output that agrees in place of the new one."""
    for new, stored in zip(new_outputs, stored_outputs, strict=False):
        for key in new.keys() & stored.keys():
            if key == "data":
                adopt([new.data], [stored.data])
            elif _is_drawing(key) or same(new[key], stored[key]):
                new[key] = stored[key]


def _is_drawing(mime):
    # A glued drawing is stored under a longer name that ends in the same type.
    return any(mime.endswith(drawing) for drawing in DRAWINGS)


def _tolerant(compare_outputs):
    def compare(self, test, ref, skip_compare=None):
        adopt(test, ref)
        return compare_outputs(self, test, ref, skip_compare)

    return compare


IPyNbCell.compare_outputs = _tolerant(IPyNbCell.compare_outputs)


def pytest_collection_modifyitems(items):
    """Make warnings errors in our own tests, and skip notebooks whose public runs are not here.

    The kernels' warnings are the chapters' affair.
    """
    absent = cache(execute.absent)
    for item in items:
        if not isinstance(item, IPyNbCell):
            item.add_marker(pytest.mark.filterwarnings("error"))
        elif absent(item.path):
            reason = f"{item.path.name} was made from public runs that are not here ({', '.join(absent(item.path))})"
            item.add_marker(pytest.mark.skip(reason=f"{reason}; MOELAWS_DATA can name a folder that holds them."))
