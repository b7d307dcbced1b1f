"""The ledger: verdicts are computed, rows are decided once, and nothing is passed through."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moelaws import data
from moelaws.errors import InputError
from moelaws.ledger import claims
from moelaws.ledger.claims import Ledger, Printed


@pytest.mark.parametrize(
    ("text", "relation", "computed", "tolerance", "verdict"),
    [
        ("45.6", "", 45.6499, "", "agrees"),
        ("45.6", "", 45.55, "", "agrees"),
        ("45.6", "", 45.54, "", "differs"),
        ("45.6", "", 45.54, "0.1", "close"),
        # Cut instead of rounded: to two digits or more, away from zero only, and neither a bound nor a reading.
        ("45.6", "", 45.66, "", "close"),
        ("45.6", "", 45.699, "", "close"),
        ("45.6", "", 45.71, "", "differs"),
        ("-45.6", "", -45.66, "", "close"),
        ("-45.6", "", -45.54, "", "differs"),
        ("7", "", 7.7, "", "differs"),
        ("0.07", "", 0.077, "", "differs"),
        ("150", "", 150.4, "", "agrees"),
        ("150", "", 166.9, "15 %", "close"),
        ("150", "", 180.0, "15 %", "differs"),
        ("10", ">=", 10.0, "", "agrees"),
        ("10", ">=", 9.9, "", "differs"),
        ("10", ">=", 9.9, "0.5", "close"),
        ("1", "<=", 1.2, "", "differs"),
        ("1", "<=", -5.0, "", "agrees"),
        ("1.2e3", "", 1249.0, "", "agrees"),
        ("1.2e3", "", 1149.0, "", "differs"),
        # What rounding may add to a bound or a tolerance is a billionth, of a value from one on.
        ("0", "<=", 1e-9, "", "agrees"),
        ("0", "<=", 1.5e-9, "", "differs"),
        ("0", ">=", -1.5e-9, "", "differs"),
        ("100", "<=", 100 + 0.9e-7, "", "agrees"),
        ("100", "<=", 100 + 1.5e-7, "", "differs"),
        ("0", "", 1 + 1e-9, "1", "close"),
        ("0", "", 1 + 1.5e-9, "1", "differs"),
        ("-200", "", -212.0, "6 %", "close"),
        ("-200", "", -212.1, "6 %", "differs"),
        ("-200", "", -188.0, " 6 %", "close"),
        ("10", "<=", 10.4, "", "differs"),
        ("10", ">=", 9.6, "", "differs"),
        ("2.3", "", float("nan"), "100", "differs"),
        ("2.3", "", float("inf"), "100", "differs"),
    ],
)
def test_verdicts(text, relation, computed, tolerance, verdict):
    assert Printed(text, relation).verdict(computed, tolerance) == verdict


@pytest.mark.parametrize(
    ("computed", "verdict"),
    [(3.24, "agrees"), (3.1801, "agrees"), (3.1699, "close"), (3.27, "close"), (3.4, "differs"), (np.nan, "differs")],
)
def test_a_reading_agrees_inside_its_error(computed, verdict):
    assert Printed("3.21", error="0.03").verdict(computed, "0.1") == verdict


def test_an_error_smaller_than_the_last_digit_changes_nothing():
    assert Printed("3.2", error="0.001").verdict(3.24) == "agrees"


@given(st.decimals(-1000, 1000, places=2), st.floats(-0.00499, 0.00499))
def test_whatever_rounds_to_the_printed_digits_agrees(printed, offset):
    assert Printed(str(printed)).verdict(float(printed) + offset) == "agrees"


@given(st.decimals(-1000, 1000, places=2), st.floats(0.01001, 5), st.sampled_from([-1, 1]))
def test_whatever_neither_rounds_nor_is_cut_to_them_differs(printed, offset, sign):
    assert Printed(str(printed)).verdict(float(printed) + sign * offset) == "differs"


@pytest.mark.parametrize(
    ("interval", "verdict"), [((6.3, 7.6), "agrees"), ((7.0, 7.6), "agrees"), ((7.01, 7.6), "differs"), ((), "differs")]
)
def test_a_printed_value_inside_the_interval_agrees(interval, verdict):
    assert Printed("7.0").verdict(6.9, interval=interval) == verdict


def limits(interval):
    """The ends of a stored interval, in which None is none."""
    return [end if end is not None else limit for end, limit in zip(interval, (-np.inf, np.inf), strict=False)]


def test_intervals_belong_to_the_values():
    ledger = Ledger("yang2025")
    decided = ledger.check("yang2025-C01", [8448.0, 20000.0], interval=[(8000, 9000), (16000, 24000)])
    assert decided.verdict == "agrees"
    assert decided.intervals == [[8000, 9000], [16000, 24000]]
    assert "8,000 to 9,000" in decided._repr_html_()
    open_end = Ledger("yang2025").check("yang2025-C01", [8448.0, 100.0], interval=[(8000, 9000), (90, np.inf)])
    assert open_end.verdict == "agrees"
    assert json.loads(json.dumps(open_end.intervals, allow_nan=False))[1] == [90, None]
    assert "90 to no limit" in open_end._repr_html_()
    with pytest.raises(InputError, match="prints 2 numbers; 1 intervals were computed"):
        Ledger("yang2025").check("yang2025-C01", [8448.0, 16384.0], interval=(1, 2))


def test_several_values_get_the_worst_verdict():
    good, bad = [20.0, 16384.0], [8448.0, 16384.0]
    assert Ledger("yang2025").check("yang2025-C01", bad).verdict == "agrees"
    assert Ledger("yang2025").check("yang2025-C01", good, note="one is off").verdict == "differs"


def test_printed_values_come_from_the_tables_by_reference():
    ledger = Ledger("yang2025")
    averages = "66.0 37.4 37.7 60.7 41.7 52.8 41.5 54.7 39.6 56.3 62.1 47.8 57.8 64.2"  # Table 2, from the top
    assert [p.text for p in ledger.printed("yang2025-C39")] == averages.split()
    assert len(ledger.printed("yang2025-C37")) == 52
    assert len(ledger.printed("yang2025-C04")) == 228
    assert ledger.printed("yang2025-C40") == [Printed("50", ">=")]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("3.21±0.03; -1 ± 2e-1; >=7", [Printed("3.21", error="0.03"), Printed("-1", error="2e-1"), Printed("7", ">=")]),
        ("io_lengths.throughput±concurrency[table=4]", [Printed("2636", error="512"), Printed("8487", error="512")]),
        ("io_lengths.throughput[table=4]", [Printed("2636"), Printed("8487")]),
    ],
)
def test_values_and_their_errors_are_read(values, expected, monkeypatch):
    ledger = Ledger("yang2025")
    monkeypatch.setitem(ledger._claims["yang2025-C01"], "values", values)
    assert ledger.printed("yang2025-C01") == expected


@pytest.mark.parametrize("values", ["3.21±", "±0.03", "3.21±-1", "models.d_model±"])
def test_values_that_cannot_be_read_are_refused(values, monkeypatch):
    ledger = Ledger("yang2025")
    monkeypatch.setitem(ledger._claims["yang2025-C01"], "values", values)
    with pytest.raises(InputError, match=f"'{values}' in column 'values' is neither a number nor 'table.column'"):
        ledger.printed("yang2025-C01")


def test_rounding_for_display_does_not_touch_the_verdict():
    decision = Ledger("yang2025").check("yang2025-C26", 45.5500001234, note="")
    assert decision.verdict == "agrees"
    assert decision.computed == 45.55


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda ledger: ledger.check("yang2025-C99", 1.0),
            "There is no claim 'yang2025-C99'; those of yang2025 run from yang2025-C01 to yang2025-C70",
        ),
        (lambda ledger: ledger.check("yang2025-C01", 8448.0), "prints 2 numbers; 1 were computed"),
        (lambda ledger: ledger.check("yang2025-C26", 43.6), "its 'note' must say why"),
        (lambda ledger: ledger.check("yang2025-C41", 1.0, note="x"), "must be True or False"),
        (lambda ledger: ledger.check("yang2025-C41", np.True_), "its 'note' must show the quantity"),
        (lambda ledger: ledger.cannot("yang2025-C32", reason=""), "'reason' must say why"),
        (lambda ledger: [ledger.cannot("yang2025-C32", reason="x") for _ in range(2)], "already decided"),
        (lambda ledger: ledger.close(), "70 claims of yang2025 have no verdict yet: yang2025-C01, "),
    ],
)
def test_misuse_is_refused_in_one_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence) as error:
        call(Ledger("yang2025"))
    assert "\n" not in str(error.value)


def test_unknown_paper():
    known = f"the papers are {', '.join(sorted(path.parent.name for path in data.ROOT.glob('data/*/claims.csv')))}"
    with pytest.raises(InputError, match=f"There are no claims of a paper 'nobody2020'; {known}"):
        Ledger("nobody2020")
    with pytest.raises(InputError, match="nobody2020"):
        claims.stored("nobody2020")


def test_output_is_json_and_escapes_html():
    ledger = Ledger("yang2025")
    ledger.cannot("yang2025-C32", reason="<script>")
    bundle = ledger._repr_mimebundle_()
    assert json.loads(json.dumps(bundle[claims.MIME]))["claims"][0]["verdict"] == "cannot"
    assert "<script>" not in bundle["text/html"]
    assert bundle["text/plain"] == "yang2025: 0 agrees, 0 close, 0 differs, 1 cannot"


@pytest.mark.parametrize("paper", claims.papers())
def test_claims_files_are_consistent(paper):
    """Values can be parsed, tolerances have reasons, and every tolerance belongs to a number."""
    ledger = Ledger(paper)
    for row in data.load(f"{paper}/claims").fillna("").to_dict("records"):
        values = ledger.printed(row["id"])
        assert bool(row["tolerance"]) == bool(row["tolerance_reason"])
        if row["tolerance"]:
            assert values
            float(row["tolerance"].removesuffix("%"))


def test_a_decision_keeps_six_digits_and_whole_counts():
    ledger = Ledger("yun2024")
    assert ledger.check("yun2024-T01", [12, 81_395_712]).computed == [12, 81_395_712]
    assert ledger.check("yun2024-D03", [7.5 / 23, 1 / 3]).computed == [0.326087, 0.333333]
    counts = Ledger("yun2024").check("yun2024-T01", [999_999_999_999, 1_234_567_890_123], note="made up").computed
    assert counts == [999_999_999_999, 1.23457e12]


@pytest.mark.parametrize("paper", claims.papers())
def test_every_claim_has_a_stored_verdict(paper):
    stored, ids = claims.stored(paper), data.load(f"{paper}/claims").id.tolist()
    if not stored and not any(data.ROOT.glob(f"chapters/*-{paper}*.md")):  # tests/verdicts.csv tells if it had one
        pytest.skip(f"The claims of {paper} stand on no page yet; chapters/NN-{paper}-evidence.md would show them.")
    missing = set(ids) - {row["id"] for row in stored}
    assert not missing, f"No stored notebook decides {', '.join(sorted(missing))}; make book executes the page."
    assert [row["id"] for row in stored] == ids
    assert {row["verdict"] for row in stored} <= set(claims.VERDICTS)
    for row in stored:
        assert row["note"] or row["verdict"] in ("agrees", "close")
        assert (row["computed"] is None) == (row["verdict"] == "cannot")


def test_a_stored_claim_says_which_page_stores_it():
    assert {row["page"] for row in claims.stored("yang2025")} == {"03-yang2025-evidence"}


@pytest.mark.parametrize("paper", claims.papers())
def test_stored_verdicts_follow_from_stored_values(paper):
    """A verdict changed by hand, or a printed value changed afterwards, does not survive."""
    ledger = Ledger(paper)
    for row in claims.stored(paper):
        printed = ledger.printed(row["id"])
        if row["verdict"] == "cannot":
            continue
        if not printed:
            assert row["verdict"] == ("agrees" if row["computed"] else "differs")
            continue
        computed = row["computed"] if isinstance(row["computed"], list) else [row["computed"]]
        pairs = zip(printed, computed, row["intervals"] or [()] * len(printed), strict=True)
        verdicts = [one.verdict(value, row["tolerance"], limits(interval)) for one, value, interval in pairs]
        assert row["verdict"] == max(verdicts, key=claims.VERDICTS.index), row["id"]
