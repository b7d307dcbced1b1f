"""The stored verdicts and computed values are those that were accepted."""

import accept
import pytest
from click.testing import CliRunner

ONE = [
    {"id": "a-C01", "verdict": "agrees", "computed": "[1.5, 2]"},
    {"id": "a-C02", "verdict": "cannot", "computed": "null"},
]


def test_stored_verdicts_are_those_accepted():
    assert accept.differences(accept.baseline(), accept.rows()) == []


@pytest.mark.parametrize(
    ("place", "change", "sentence"),
    [
        (0, {"verdict": "differs"}, "a-C01 is 'differs', accepted is 'agrees'"),
        (0, {"computed": "[1.5, 2.00001]"}, "a-C01 is computed as [1.5, 2.00001], accepted is [1.5, 2]"),
        (0, {"computed": "[1.5]"}, "a-C01 is computed as [1.5], accepted is [1.5, 2]"),
        (0, {"computed": "1.5"}, "a-C01 is computed as 1.5, accepted is [1.5, 2]"),
        (1, {"computed": "0"}, "a-C02 is computed as 0, accepted is null"),
        (1, {"computed": "false"}, "a-C02 is computed as false, accepted is null"),
    ],
)
def test_a_change_is_said(place, change, sentence):
    found = [dict(row) for row in ONE]
    found[place] |= change
    assert accept.differences(ONE, found) == [f"{sentence}; 'python book/tools/accept.py verdicts' accepts it."]


def test_true_is_not_one():
    before, after = ([{"id": "a-C01", "verdict": "agrees", "computed": text}] for text in ("true", "1"))
    assert len(accept.differences(before, after)) == 1


def test_rounding_is_no_change():
    found = [ONE[0] | {"computed": "[1.5000001, 2]"}, ONE[1]]
    assert accept.differences(ONE, found) == []


def test_a_claim_that_comes_or_goes_is_said():
    assert accept.differences(ONE, ONE[:1])[0].startswith("a-C02 is gone; ")
    assert accept.differences(ONE[1:], ONE)[0].startswith("a-C01 is new; ")


def test_accepting_writes_the_baseline_and_shows_it(tmp_path, monkeypatch):
    monkeypatch.setattr(accept, "VERDICTS", tmp_path / "verdicts.csv")
    monkeypatch.setattr(accept.data, "ROOT", tmp_path)
    monkeypatch.setattr(accept, "rows", lambda: ONE)
    assert CliRunner().invoke(accept.main, ["verdicts"]).exit_code == 0
    assert accept.baseline() == ONE
    monkeypatch.setattr(accept, "rows", lambda: [ONE[0] | {"verdict": "differs"}, ONE[1]])
    shown = CliRunner().invoke(accept.main, ["verdicts"]).output.splitlines()
    assert shown[-2:] == ['-a-C01,agrees,"[1.5, 2]"', '+a-C01,differs,"[1.5, 2]"']
