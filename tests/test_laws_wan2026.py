"""Laws of Wan et al. (2026): published values, identities, the solution and its inverse, refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moelaws import data
from moelaws.errors import InputError
from moelaws.models.architecture import Architecture
from moelaws.models.attention import GroupedAttention
from moelaws.papers.wan2026 import law as paper
from moelaws.papers.wan2026 import minima

SCALES = data.load("wan2026/scales")
ROWS = data.load("wan2026/architectures").merge(SCALES, on="flops")
SETTING = paper.Setting(ROWS.n_heads.to_numpy(), ROWS.n_kv_heads.to_numpy(), ROWS.d_head.to_numpy())
SHAPE = paper.Shape(*(ROWS[name].to_numpy() for name in ("d_model", "n_dense_layers", "n_moe_layers", "d_expert")))
SIZES = paper.account(*SHAPE, SETTING)
ONE = paper.Setting(16, 8, 128)

quick = settings(max_examples=60, deadline=None)
counts = st.integers(0, 80)
shapes = st.tuples(st.integers(8, 16384), counts, st.integers(1, 200), st.integers(8, 8192))
heads = st.tuples(st.integers(1, 128), st.integers(1, 64), st.sampled_from([32, 64, 128, 256]))
experts = st.integers(1, 64).flatmap(lambda k: st.tuples(st.integers(k + 1, 1024), st.just(k)))


@st.composite
def placed(draw):
    """A shape, and the setting around it."""
    N_e, K = draw(experts)
    setting = paper.Setting(*draw(heads), S=draw(st.integers(128, 131072)), N_e=N_e, K=K, gamma=draw(st.floats(1, 8)))
    return draw(shapes), setting


SUMS = {
    5: (48032, 46, 62, 12064),
    6: (33656, 73, 135, 8080),
    7: (20656, 66, 188, 24440),
    8: (16424, 115, 322, 10496),
    9: (22264, 60, 233, 10400),
    10: (28792, 64, 241, 17408),
    11: (31384, 99, 401, 16888),
    12: (38856, 124, 399, 30872),
    13: (40384, 192, 656, 30000),
    14: (48440, 236, 651, 55584),
    15: (57744, 105, 497, 20000),
    16: (27864, 130, 395, 11496),
    17: (28280, 92, 217, 16264),
    18: (38400, 85, 435, 10488),
    19: (54056, 99, 369, 21712),
    20: (61848, 113, 647, 19400),
    21: (72072, 88, 536, 29616),
}


def test_checksums_of_architectures():
    sums = ROWS.groupby("table")[["d_model", "n_dense_layers", "n_moe_layers", "d_expert"]].sum()
    assert {table: tuple(row) for table, *row in sums.itertuples()} == SUMS


def test_phase_1_runs_through_its_grid():
    """The printed order vouches for the transcription: every row is near its own two levels."""
    grid, levels = ROWS.table.between(9, 14).to_numpy(), data.load("wan2026/levels")
    of = {name: rows.level.to_numpy() for name, rows in levels.groupby("quantity")}
    density = (SIZES.M / SIZES.N_a)[grid] / of["compute_density"][(ROWS.row[grid] - 1) // 6]
    growth = (SIZES.N / SIZES.N_a)[grid] / of["expansion"][(ROWS.row[grid] - 1) % 6]
    assert np.abs(density - 1).max() == pytest.approx(0.0312, abs=1e-4)
    assert np.abs(growth - 1).max() == pytest.approx(0.1691, abs=1e-4)
    assert np.median(np.abs(growth - 1)) == pytest.approx(0.012, abs=5e-4)


def test_the_sizes_of_phase_2_drift():
    """The other check that vouches for the transcription: a table keeps near one triad of sizes."""
    for size in SIZES:
        drifts = [np.ptp(size[ROWS.table == table]) / size[ROWS.table == table].min() for table in range(16, 22)]
        assert max(drifts) < 0.21


def test_table_2_and_coefficients():
    assert pytest.approx(SCALES.flops_per_token * 1e9, rel=1.5e-3) == paper.FLOPS_PER_TOKEN(SCALES.flops)
    assert pytest.approx(SCALES.n_tokens * 1e9, rel=1.5e-3) == paper.N_TOKENS(SCALES.flops)


def test_the_worked_row_part_by_part():
    attention, dense, moe = 2 * 2040 * 128 * 24 * 16, 9 * 2040**2, 27 * 2040 * 592 * 15
    assert (attention, dense, moe) == (200_540_160, 37_454_400, 489_110_400)
    sizes = paper.account(2040, 1, 15, 592, ONE)
    assert (sizes.N_a, sizes.N) == (727_104_960, 15_943_872_960)
    assert sizes.M == 6 * 727_104_960 + 1_610_612_736


def test_identities_of_all_rows():
    r_d, r_m, r_a = paper.shares(SHAPE, SETTING)
    assert r_d + r_m + r_a == pytest.approx(1, rel=1e-13)
    assert paper.compute_density(r_a, SHAPE.d, SETTING) == pytest.approx(SIZES.M / SIZES.N_a, rel=1e-12)
    in_experts = r_m * SIZES.M / 6 / SIZES.N_a
    assert paper.expansion(in_experts, SETTING) == pytest.approx(SIZES.N / SIZES.N_a, rel=1e-12)
    assert paper.total_from_share(SIZES.M, SIZES.N_a, r_m, SETTING) == pytest.approx(SIZES.N, rel=1e-12)


def test_the_solution_is_the_row_for_all_rows():
    found = paper.solve(*SIZES, SHAPE.d, SETTING)
    for solved, printed in zip(found, SHAPE, strict=True):
        assert solved == pytest.approx(printed, rel=1e-9)


@quick
@given(placed())
def test_solve_undoes_account(case):
    shape, setting = case
    sizes = paper.account(*shape, setting)
    found = paper.solve(*sizes, shape[0], setting)
    # The weights outside experts are a difference, whose digits are those left of N_a.
    lost = 1e-13 * float(sizes.N) / (3 * float(setting.gamma) * shape[0] ** 2)
    assert found.L_d == pytest.approx(shape[1], abs=1e-7 * (shape[1] + shape[2]) + lost)
    assert found.L_d + found.L_m == pytest.approx(shape[1] + shape[2], rel=1e-9)
    assert np.ravel(paper.account(*found, setting)) == pytest.approx(np.ravel(sizes), rel=1e-9)


@quick
@given(placed(), st.floats(0, 1))
def test_account_undoes_solve_at_every_feasible_width(case, place):
    shape, setting = case
    sizes = paper.account(*shape, setting)
    low, high = paper.feasible_widths(*sizes, setting, least_dense=0, least_moe=0.5)
    found = paper.solve(*sizes, low + place * (high - low), setting)
    assert np.ravel(paper.account(*found, setting)) == pytest.approx(np.ravel(sizes), rel=1e-9)
    assert found.L_d >= 0
    assert found.L_m >= 0.5 * (1 - 1e-6)


@quick
@given(placed(), st.floats(1e-3, 10))
def test_widths_outside_the_interval_are_refused(case, factor):
    shape, setting = case
    sizes = paper.account(*shape, setting)
    low, high = paper.feasible_widths(*sizes, setting, least_dense=0, least_moe=0)
    for width in (low / (1 + factor), high * (1 + factor)):
        with pytest.raises(InputError, match=r"Parameter d has the value .*; a width from .* to .* is expected"):
            paper.solve(*sizes, width, setting)


@quick
@given(placed())
def test_widths_of_dense_layers_fall_and_end_the_interval(case):
    shape, setting = case
    sizes = paper.account(*shape, setting)
    layers = shape[1] + shape[2]
    widths = paper.width_of_dense(*sizes, np.arange(layers + 1), setting)
    assert np.all(np.diff(widths) < 0)
    assert widths[shape[1]] == pytest.approx(shape[0], rel=1e-6)
    if layers >= 2:
        low, high = paper.feasible_widths(*sizes, setting)
        assert (low, high) == pytest.approx((widths[layers - 1], widths[1]), rel=1e-6)
        assert low * (1 - 1e-12) <= paper.median_width(*sizes, setting) <= high * (1 + 1e-12)


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ((6e9, 1e9, 2e10), "M is not greater than six times N_a"),
        ((9e9, 1e9, 1e9), "N is not greater than N_a"),
        ((9e9, 1e9, 33e9), "N is too large for N_a"),
        ((-1, 1e9, 2e10), "M has the value -1"),
    ],
)
def test_sizes_without_any_architecture(sizes, sentence):
    for solver in (paper.solve, paper.solve_matched):
        with pytest.raises(InputError, match=f"Parameter {sentence}"):
            solver(*sizes, 2048, ONE)
    assert np.isnan(paper.feasible_widths(*sizes, ONE)).all()


def test_bad_settings_and_shapes():
    with pytest.raises(InputError, match="K is not less than N_e"):
        paper.Setting(4, 2, 64, N_e=8, K=8)
    with pytest.raises(InputError, match="N_q has the value 0"):
        paper.Setting(0, 2, 64)
    with pytest.raises(InputError, match="L_d holds a negative"):
        paper.account(512, -1, 8, 64, ONE)


def test_dense_layers_as_wide_as_the_active_experts():
    sizes = SIZES.M[-1], SIZES.N_a[-1], SIZES.N[-1]
    d, L_d, L_m, d_m = paper.solve_matched(*sizes, 1800, ONE)
    weights = ONE.projections * d * (L_d + L_m) + 3 * d * 9 * d_m * (L_d + L_m)
    assert weights == pytest.approx(sizes[1])
    assert weights + 3 * d * d_m * 280 * L_m == pytest.approx(sizes[2])
    with pytest.raises(InputError, match="d is too large"):
        paper.solve_matched(*sizes, 4000, ONE)


def test_attention_that_takes_all_active_weights_leaves_no_width():
    """Projections of 4 d weights in each of L layers, and N_a = 4 d L."""
    one = paper.Setting(1, 1, 1, S=1, N_e=9, K=8)
    layers, d = 8, 4
    N_a = 4 * d * layers
    M = 6 * N_a + 6 * layers
    with pytest.raises(InputError, match="d is too large"), np.errstate(divide="raise", invalid="raise"):
        paper.solve_matched(M, N_a, N_a + 1, d, one)


positives = st.floats(1e-3, 1e3)


@quick
@given(positives, positives, positives)
def test_forms_have_their_minimum_where_they_say(a, b, c):
    for form in (minima.BetweenPoles(a, b, c), minima.PoleAndLine(a, b, c)):
        x = form.minimum
        sides = [
            abs(end - x) for end in (getattr(form, "low", getattr(form, "pole", 0)), getattr(form, "high", np.inf))
        ]
        step = 1e-3 * min(sides)
        assert form(x) <= min(form(x - step), form(x + step)) * (1 + 1e-12)


@quick
@given(positives, positives, positives, st.floats(1e-4, 0.5))
def test_bands_end_where_the_loss_has_risen_by_the_share(a, b, c, share):
    for form in (minima.PoleAndLine(a, b, c),):
        low, high = form.band(share)
        assert low < form.minimum < high
        assert form([low, high]) == pytest.approx((1 + share) * form(form.minimum), rel=1e-5)


def test_forms_refuse_what_has_no_minimum():
    for make in (minima.BetweenPoles, minima.PoleAndLine):
        with pytest.raises(InputError, match="Parameter b"):
            make(1, -1, 2)
    with pytest.raises(InputError, match="Parameter high"):
        minima.BetweenPoles(1, 1, 2, low=5, high=4)


def test_the_paper_counts_what_the_package_counts():
    """Less norms and routers, and with the S + 1 halves of causal scores that the package counts, they are the same."""
    for row, M, N_a, N in zip(ROWS.iloc[::50].to_dict("records"), *(np.asarray(x)[::50] for x in SIZES), strict=True):
        model = Architecture(
            n_layers=row["n_dense_layers"] + row["n_moe_layers"],
            d_model=row["d_model"],
            vocab=1,
            attention=GroupedAttention(row["n_heads"], row["n_kv_heads"], row["d_head"]),
            tied=False,
            d_dense=3 * row["d_model"],
            n_dense_layers=row["n_dense_layers"],
            d_expert=row["d_expert"],
            n_routed=288,
            n_shared=1,
            top_k=8,
        )
        others = model.router_weights + (2 * model.n_layers + 1) * model.d_model
        assert model.n_body_active - others == N_a
        assert model.n_body - others == N
        work = model.training_flops(8192, causal=True, output_layer=False, router=False)
        assert work - 6 * N_a == pytest.approx((M - 6 * N_a) * 8193 / 8192, rel=1e-12)
