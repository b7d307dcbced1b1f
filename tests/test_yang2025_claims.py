"""What decides the claims of Yang et al. (2025): against numbers by hand, and against tables with a fault."""

import numpy as np
import pytest

from moelaws import ledger

claims = ledger.module("yang2025")


def test_spread_of_repeats_is_that_of_one_point():
    """512 requests of 1,024 + 1,024 tokens: 9484 in Table 3, 8808 in Table 12."""
    assert claims.spread(claims.repeats()) == pytest.approx(9484 / 8808 - 1)
    assert len(claims.repeats()) == 12


@pytest.mark.parametrize("table", [8, 9, 12])
def test_a_table_is_in_order_and_its_mirror_image_is_not(table, monkeypatch):
    wide = claims.wide(table)
    assert claims.in_order(table).computed is True
    monkeypatch.setattr(claims, "wide", lambda _: wide[wide.columns[::-1]].set_axis(wide.columns, axis=1))
    assert claims.in_order(table).computed is False


@pytest.mark.parametrize("table", [8, 9, 12])
def test_one_wrong_digit_breaks_the_order(table, monkeypatch):
    """A tenth of a throughput, as if its last digit were lost."""
    wrong = claims.wide(table).copy()
    wrong.iloc[3, 0] = wrong.iloc[3, 0] // 10
    monkeypatch.setattr(claims, "wide", lambda _: wrong)
    assert claims.in_order(table).computed is False


def test_mean_experts_by_hand():
    """(4, 2, 2, 6): two experts more in the first of 26 layers, falling to none in the sixth."""
    row = {"first": 4, "peak": 2, "last": 2, "peak_layer": 6, "model": "DeepSeek-V2-Lite"}
    assert claims.mean_active(row) == pytest.approx(2 + 2 * (1 + 0.8 + 0.6 + 0.4 + 0.2) / 26)
    assert claims.shape(row) == "descending"
    assert claims.shape(row | {"last": 4}) == "valley"


def test_the_only_allocations_near_two_experts():
    """Two everywhere, in four rows, (2, 2, 4, 21) and (4, 2, 2, 6)."""
    assert claims.near(2).rows.tolist() == [4, 1, 1]
    assert claims.near(2).average.tolist() == pytest.approx([60.425, 60.6, 62.2])


@pytest.mark.parametrize(
    ("gain", "holds"), [([0.3, 0.05, 0.2], True), ([0.3, 0.05, 0.09], False), ([0.3, 0.1, 0.2], False)]
)
def test_three_regimes_need_all_three(gain, holds):
    assert claims.three_regimes(claims.pd.Series(gain)) is holds


def test_chance_of_the_best_by_drawing_every_score():
    """V3: 48 allocations and one reference, all drawn; 15 degrees of freedom leave the noise uncertain."""
    rng = np.random.default_rng(3)
    noise = claims.noise() * np.sqrt(15 / rng.chisquare(15, 20_000))
    scores = rng.normal(size=(20_000, 49)) * noise[:, None]
    drawn = np.mean(scores[:, 1:].max(axis=1) - scores[:, 0] >= 0.3 - 1e-9)
    assert claims.best_of_many("DeepSeek-V3")["chance of the best"] == pytest.approx(drawn, abs=0.02)


def test_trials_hold_out_what_they_say():
    _, held = claims.trained("Table 12: pruned, from Table 8")
    assert set(held.table) == {12}
    assert sorted(set(held.n_routed)) == [6, 8, 12, 16, 24, 32, 48]
    fitted, held = claims.trained("Table 8: 5 and 3 active")
    assert set(held.top_k) == {5, 3}
    assert set(fitted.table.top_k) == {6, 4, 2}


def test_errors_of_a_speed_up_are_those_of_two_predicted_times():
    """Two active experts at eight requests: Table 8 prints 1041 and 1581 tokens per second, 2048 tokens a request."""
    law = claims.step_law(8)
    whole, fewer = (claims.regular(8).query("concurrency == 8 and top_k == @k") for k in (6, 2))
    predicted = float(law.predict(whole)[0] / law.predict(fewer)[0])
    errors = claims.speedup_errors(law, 8)
    assert errors.loc[8, 2] == pytest.approx(predicted / (1581 / 1041) - 1)
    assert not errors[6].any()
    held = claims.held_out_speedups("Table 8: 5 and 3 active")
    assert (list(held.columns), list(held.index)) == ([3, 5], [2, 4, 8, 16, 32, 48, 64, 96, 128])
    assert list(claims.held_out_speedups("Table 12: pruned, from Table 8").columns) == [6, 8, 12, 16, 24, 32, 48]


def test_a_column_between_its_neighbours():
    """Six of eight active at two requests, from four and eight: Table 9."""
    cells = claims.wide(9).loc[2]
    expected = (cells[4] * cells[8]) ** 0.5 / cells[6] - 1
    assert claims.between_neighbours(9, 6)[2] == pytest.approx(expected)
