"""What was predicted for a width before it was trained: made again from the grid alone."""

import make_predicted
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
