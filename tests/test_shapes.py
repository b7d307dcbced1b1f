"""The search finds what a loop over all architectures finds, and rounds to the best of them."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moelaws.errors import InputError
from moelaws.papers.wan2026 import law as wan2026
from moelaws.papers.wan2026 import shapes
from moelaws.papers.wan2026.law import Setting

SMALL = Setting(2, 1, 16, S=2048, N_e=8, K=2)


def by_loop(sizes, setting, tolerance, step, least_dense, layers=9, widths=480, experts=1200):
    """Try every architecture of a box, one by one, with whole numbers only."""
    S, N_q, N_kv, d_qkv, N_e, K = (int(getattr(setting, name)) for name in ("S", "N_q", "N_kv", "d_qkv", "N_e", "K"))
    found = []
    for dense, moe in product(range(least_dense, layers), range(1, layers)):
        for d in range(step, widths + 1, step):
            for d_m in range(step, experts + 1, step):
                N_a = 2 * d * d_qkv * (N_q + N_kv) * (dense + moe) + 9 * d * d * dense + 3 * d * d_m * (K + 1) * moe
                N = N_a + 3 * d * d_m * (N_e - K) * moe
                M = 6 * N_a + 6 * S * N_q * d_qkv * (dense + moe)
                if all(abs(x - y) <= tolerance * y for x, y in zip((M, N_a, N), sizes, strict=True)):
                    found.append((d, dense, moe, d_m))
    return sorted(found)


@pytest.mark.parametrize("least_dense", [0, 1])
@pytest.mark.parametrize("tolerance", [0.01, 0.07])
@pytest.mark.parametrize("shape", [(96, 1, 4, 64), (160, 3, 2, 32), (64, 1, 1, 160)])
def test_the_same_as_a_loop(shape, tolerance, least_dense):
    sizes = wan2026.account(*shape, SMALL)
    found = shapes.within(*sizes, SMALL, tolerance, 16, least_dense)
    assert (found.max()[shapes.COLUMNS] < [480, 8, 8, 1200]).all()  # the loop's box is large enough
    assert list(map(tuple, found[shapes.COLUMNS].to_numpy())) == by_loop(sizes, SMALL, tolerance, 16, least_dense)
    assert shape in set(map(tuple, found[shapes.COLUMNS].to_numpy()))


@settings(max_examples=50, deadline=None)
@given(
    st.tuples(st.integers(8, 300), st.integers(1, 8), st.integers(1, 12), st.integers(1, 100)), st.floats(1e-9, 0.05)
)
def test_an_architecture_is_found_by_its_own_sizes(units, tolerance):
    shape = (8 * units[0], units[1], units[2], 8 * units[3])
    setting = Setting(8, 4, 64)
    sizes = wan2026.account(*shape, setting)
    found = shapes.within(*sizes, setting, tolerance, widths=(shape[0], shape[0]))
    assert shape in set(map(tuple, found[shapes.COLUMNS].to_numpy()))
    box = shapes.space(*sizes, setting, tolerance)
    assert shape[0] in box.widths
    assert shape[3] in box.expert_widths
    assert sum(shape[1:3]) in box.layers
    nearest = shapes.nearest(*sizes, shape[0], setting)
    assert nearest.deviation == 0


@pytest.mark.parametrize(
    ("widths", "kept"), [((96, 96), {96}), ((0, 95.5), {80, 64}), ((96.5, np.inf), {112}), ((80, 111), {80, 96})]
)
def test_widths_outside_the_limits_are_not_searched(widths, kept):
    sizes = wan2026.account(96, 1, 4, 64, SMALL)
    found = set(shapes.within(*sizes, SMALL, 0.2, 16, widths=widths).d_model)
    every = set(shapes.within(*sizes, SMALL, 0.2, 16).d_model)
    assert found == {width for width in every if widths[0] <= width <= widths[1]}
    assert kept & every <= found


def test_nearest_is_the_best_of_all():
    setting, asked = Setting(8, 4, 64), (9.4e8, 1.02e8, 2.2e9, 950)
    found = shapes.within(*asked[:3], setting, 0.2)
    worst = np.abs(found[["M", "N_a", "N", "d_model"]].to_numpy() / asked - 1).max(axis=1)
    assert shapes.nearest(*asked, setting).deviation == worst.min()


def test_none_and_refusals():
    setting = Setting(8, 4, 64)
    assert len(shapes.within(1e9, 1.6e8, 2e9, setting, 1e-4)) == 0
    with pytest.raises(InputError, match="d has the value 20000"):
        shapes.nearest(9.4e8, 1.02e8, 2.2e9, 20000, setting)
    for bad, sentence in [
        ({"tolerance": 0}, "tolerance has the value 0"),
        ({"step": 0}, "step has the value 0"),
        ({"least_dense": 0.5}, "least_dense has the value 0.5"),
        ({"setting": Setting(np.array([8, 8]), 4, 64)}, "setting holds arrays"),
    ]:
        with pytest.raises(InputError, match=f"Parameter {sentence}"):
            shapes.within(**{"M": 9e8, "N_a": 1e8, "N": 2e9, "setting": setting} | bad)
