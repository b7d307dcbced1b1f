"""Fits beside the best of many random starts; `data/fit_torture` holds the long version."""

import runpy
from itertools import product

import numpy as np
import pytest
from scipy import optimize

from moelaws import data
from moelaws.fitting.estimation import fit, huber
from moelaws.laws import LAWS
from moelaws.paths import ROOT

STORED = data.load("fit_torture/torture")
MADE = runpy.run_path(str(ROOT / "data" / "fit_torture" / "make_torture.py"))
ALARMS = ("not converged", "starts disagree")


def missed(row):
    return row["excess"] > 1e-6 and not any(alarm in row["status"] for alarm in ALARMS)


CASES = [("dense", "follows"), ("floor_rational", "few"), ("floor_product", "isoflop"), ("krajewski2024", "outliers")]
CASES += [(name, design) for name in LAWS if name not in set(STORED.law) for design in ("few", "isoflop", "outliers")]


@pytest.mark.parametrize(("name", "design"), CASES)
def test_no_random_start_gets_lower(name, design):
    assert not missed(MADE["compared"](name, design, starts=12))


def test_a_search_that_disagrees_already_is_not_followed_to_its_end(monkeypatch):
    """Noise has no optimum that a search could end in, and ten runs of 500 evaluations say no more than the first."""
    law, search, evaluations = LAWS["kaplan_experts"], optimize.least_squares, []

    def counted(*arguments, **options):
        found = search(*arguments, **options)
        evaluations.append(found.nfev)
        return found

    found = fit(law, MADE["table_of"](law, "nothing", np.random.default_rng([7, 11])), huber(1e-3))
    monkeypatch.setattr(optimize, "least_squares", counted)
    assert found.disagreement > 1e-3
    assert 0 < sum(evaluations) < 1500


def test_the_long_version_misses_nothing_and_seldom_cries_wolf():
    assert set(zip(STORED.design, STORED.law, strict=True)) == set(product(MADE["DESIGNS"], STORED.law))
    assert len(STORED) >= 12 * 20
    assert not STORED.apply(missed, axis=1).any()
    alarms = STORED.status.str.contains("|".join(ALARMS)) & (STORED.excess <= 1e-6)
    assert alarms.mean() <= 0.05
