"""What was predicted for a width before it was trained: made again from the grid alone."""

import make_predicted
import numpy as np
import pandas as pd
import pytest

from moelaws import data, ledger

STORED = data.load("small_moe_runs/predicted")


def test_every_candidate_predicts_every_run_of_the_new_width():
    planned = [point.name for point in make_predicted.grid.new_width()]
    assert dict(STORED.groupby("law").run.agg(list)) == dict.fromkeys(
        ledger.module("small_moe_runs").CANDIDATES, planned
    )


@pytest.mark.parametrize("law", ["dense", "yun2024"])
def test_the_stored_prediction_is_made_from_the_grid(law):
    runs = ledger.module("small_moe_runs").fitted()
    again = make_predicted.predicted(law, runs[runs.plan == "grid"], make_predicted.designs())
    stored = STORED[STORED.law == law].drop(columns="left_out").reset_index(drop=True)
    pd.testing.assert_frame_equal(again, stored, atol=2e-3, rtol=0)


def test_the_error_over_widths_left_out_is_made_from_the_grid():
    runs = ledger.module("small_moe_runs").fitted()
    stored = STORED.groupby("law").left_out.first()["dense"]
    assert make_predicted.error_left_out("dense", runs[runs.plan == "grid"]) == pytest.approx(stored, abs=1e-4)


def test_the_law_chosen_is_judged_by_the_runs_of_the_new_width_alone():
    claims, ended = ledger.module("small_moe_runs"), data.load("small_moe_runs/runs").set_index("run")
    chosen = STORED[STORED.law == STORED.law[STORED.left_out.idxmin()]]
    assert claims.chosen_for_new_width() == chosen.law.iloc[0]
    losses = ended.loss[chosen.run].to_numpy()
    assert (ended.d_model[chosen.run] == 48).all()
    assert not (claims.main().d_model == 48).any()
    error = np.linalg.norm(chosen.value.to_numpy() - losses) / np.sqrt(len(losses))
    assert claims.errors_at_new_width()[chosen.law.iloc[0]] == pytest.approx(error, rel=1e-12)
    shown = claims.new_width().query("law == @chosen.law.iloc[0]").set_index("run").inside
    assert dict(shown) == {
        row.run: bool(row.run_low <= ended.loss[row.run] <= row.run_high) for row in chosen.itertuples()
    }
