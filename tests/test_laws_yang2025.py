"""Laws of Yang et al. (2025): published values, limits, derivatives, properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moelaws.errors import InputError
from moelaws.papers.yang2025.allocation import allocation
from moelaws.serving import roofline as law
from moelaws.serving.experts import distinct_experts

sizes = st.integers(8, 20000)
experts = st.integers(1, 512).flatmap(lambda n_e: st.tuples(st.just(n_e), st.integers(1, n_e)))

# Values of the distinct-expert law to one decimal, 64 experts with six active, then 256 with eight.
DISTINCT = {2: (11.4, 15.8), 4: (20.8, 30.5), 8: (34.9, 57.4), 16: (50.8, 102.0), 32: (61.3, 163.3), 128: (64.0, 251.6)}


@pytest.mark.parametrize("tokens", DISTINCT)
def test_distinct_experts_known_values(tokens):
    assert distinct_experts([64, 256], [6, 8], tokens) == pytest.approx(DISTINCT[tokens], abs=0.0501)


def test_distinct_experts_example_of_oea():
    assert round(float(distinct_experts(n_routed=128, top_k=8, tokens=16))) == 82


@given(experts, st.integers(1, 5000))
def test_distinct_experts_bounds_and_growth(pair, tokens):
    n_e, n_a = pair
    now, more = distinct_experts(n_e, n_a, [tokens, tokens + 1])
    assert n_a * (1 - 1e-12) <= now <= min(n_e, n_a * tokens) * (1 + 1e-12)
    assert more >= now


@given(experts)
def test_one_token_touches_its_own_experts(pair):
    assert distinct_experts(*pair, 1) == pytest.approx(pair[1])


def test_distinct_experts_by_exact_enumeration():
    """Two of four experts, two tokens: 36 equally likely choices, counted by hand in code."""
    from itertools import combinations, product

    choices = list(combinations(range(4), 2))
    mean = np.mean([len(set(a) | set(b)) for a, b in product(choices, choices)])
    assert distinct_experts(4, 2, 2) == pytest.approx(mean)


@given(sizes, sizes, st.floats(1e-3, 1e9))
def test_intensity_grows_and_stays_below_its_ceiling(d, d_i, tokens):
    now, more = law.glu_intensity([tokens, 1.1 * tokens], d, d_i)
    assert now < more < law.glu_ceiling(d, d_i)
    assert now < 2 * tokens


@given(sizes, sizes, st.floats(0.01, 0.95))
def test_tokens_at_an_intensity_invert_the_law(d, d_i, share):
    intensity = share * law.glu_ceiling(d, d_i)
    assert law.glu_intensity(law.glu_tokens(intensity, d, d_i), d, d_i) == pytest.approx(intensity)


def test_intensity_above_the_ceiling_needs_infinitely_many_tokens():
    ceiling = law.glu_ceiling(2048, 1408)
    assert law.glu_tokens([1.01 * ceiling, 2 * ceiling], 2048, 1408).tolist() == [np.inf, np.inf]


@given(sizes, sizes, st.integers(1, 4096))
def test_one_expert_of_one_is_a_dense_layer(d, d_e, tokens):
    assert law.moe_traffic(tokens, d, d_e, 1, 1) == pytest.approx(law.glu_traffic(tokens, d, d_e))
    assert law.moe_flops(tokens, d, d_e, 1) == pytest.approx(law.glu_flops(tokens, d, d_e))


@given(sizes, sizes, experts, st.integers(1, 4096))
def test_experts_move_at_least_as_much_as_their_dense_twin(d, d_e, pair, tokens):
    """Of two layers with equal work, the one cut into experts moves at least as much."""
    n_e, n_a = pair
    assert law.moe_flops(tokens, d, d_e, n_a) == pytest.approx(law.glu_flops(tokens, d, n_a * d_e))
    assert law.moe_traffic(tokens, d, d_e, n_e, n_a) >= law.glu_traffic(tokens, d, n_a * d_e) * (1 - 1e-12)


def test_traffic_between_devices():
    ratio = law.expert_parallel_traffic(5, 7, 2) / law.tensor_parallel_traffic(5, 7, 8)
    assert ratio == pytest.approx(2 / 7)


def test_allocation_of_equal_ends_is_flat():
    assert allocation(4, 4, 4, 11, 26).tolist() == [4.0] * 26


def test_allocation_mirrors():
    forward, backward = allocation(6, 4, 2, 11, 26), allocation(2, 4, 6, 16, 26)
    assert np.allclose(forward, backward[::-1])


@pytest.mark.parametrize(("peak_layer", "expected"), [(1, [2, 4.5, 3, 1.5, 0]), (5, [2, 3, 4, 5, 0])])
def test_allocation_with_the_peak_at_an_end(peak_layer, expected):
    """The end keeps its own number; the ramp starts from the peak's."""
    assert allocation(2, 6, 0, peak_layer, 5).tolist() == expected


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: distinct_experts(64, 65, 1), "top_k is greater than n_routed"),
        (lambda: distinct_experts(64, 0, 1), "Parameter top_k has the value 0; a positive number is expected"),
        (lambda: law.glu_intensity(-1, 8, 8), "Parameter L has the value -1"),
        (lambda: law.glu_ceiling(np.nan, 8), "Parameter d has the value nan"),
        (lambda: allocation(2, 4, 2, 9, 8), "Parameter peak_layer is 9; a layer from 1 to 8 is expected"),
    ],
)
def test_bad_parameters_are_named(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
