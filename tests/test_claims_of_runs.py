"""How claims on public runs are decided: by intervals, wider where groups are few, and not at all without the runs."""

import numpy as np
import pytest

from moelaws import data, ledger
from moelaws.errors import Unavailable
from moelaws.ledger import Cannot, functions

RUNS = ledger.module("public_leverage")


@pytest.mark.parametrize(
    ("intervals", "verdict"),
    [
        ([(0.1, 0.2)], True),
        ([(-0.2, -0.1)], False),
        ([(-0.1, 0.2)], None),
        ([(0.1, 0.2), (-0.1, 0.3)], None),
        ([(0.1, 0.2), (-0.3, -0.1)], False),
        ([(0.1, 0.2), (0.0, 0.3)], None),
    ],
)
def test_intervals_decide(intervals, verdict):
    found = RUNS.decided(intervals, "Seen.", "More runs would decide it.")
    assert found == Cannot("Seen. More runs would decide it.") if verdict is None else found.computed is verdict


def test_few_groups_have_wider_intervals():
    draws = np.random.default_rng(0).normal(size=20_000)
    plain = np.quantile(draws, [0.025, 0.975])
    low, high = RUNS.ends_of(draws, groups=9, parameters=3)
    # Student's t with six degrees of freedom reaches to 2.447 where the normal distribution reaches to 1.960.
    assert (low, high) == pytest.approx((-2.447, 2.447), abs=0.1)
    assert low < plain[0] < plain[1] < high


def test_a_band_without_end_makes_an_interval_without_end():
    draws = np.where(np.arange(1000) % 10 == 0, np.inf, 1.0)
    assert RUNS.ends_of(draws, 30, 3).tolist() == [1.0, np.inf]


@pytest.mark.parametrize("name", ["C01", "C07", "C11", "C25", "C29", "C30", "C32"])
def test_without_runs_a_claim_says_so_and_decides_nothing(name, monkeypatch):
    def gone(_):
        raise Unavailable("The runs are not here.")

    fresh = functions.module.__wrapped__("public_leverage")
    monkeypatch.setattr(data, "load_runs", gone, raising=False)
    decides = {getattr(value, "claim", None): value for value in vars(fresh).values() if callable(value)}
    with pytest.raises(Unavailable, match="not here"):
        decides[f"public_leverage-{name}"]()


def test_the_cut_off_sizes_are_judged_by_the_digits_of_their_coefficients():
    """The least and the greatest 10^(-b/c) within half a last digit, for RL-R: b = -0.126, c = 0.012."""
    try:
        found = ledger.compute("fitting-C10")
    except Unavailable as missing:
        pytest.skip(str(missing))
    assert found.intervals[1] == pytest.approx([10 ** (0.1255 / 0.0125 - 9), 10 ** (0.1265 / 0.0115 - 9)], rel=1e-5)
