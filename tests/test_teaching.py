"""Checks know the right answer and do not tell it; a lab sells runs, and shows those of the exam once."""

import re

import pandas as pd
import pytest

from moelaws.errors import InputError
from moelaws.teaching import answers
from moelaws.teaching.lab import Lab

# Answers


@pytest.mark.parametrize(
    ("form", "answer", "taken", "refused"),
    [
        ("a number, to two digits", 0.0345, [0.0345, 0.0344, 0.03451, 0.035], [0.034, 0.0333, 0.036, 0.345]),
        ("a number, to three significant digits", -99.96, [-99.96, -100, -100.04], [-99.5, 100, -101]),
        ("a number, to one decimal", 0.04, [0.0, -0.04, 0.03], [0.2, -0.2]),
        ("two numbers, each to 2 digits after the point", [1.0, 2.004], [(1, 2.0), [1.001, 2]], [[2, 1], [1, 2.1]]),
        ("a probability, to within 0.05", 0.62, [0.57, 0.62, 0.67], [0.51, 0.73]),
        ("a number, the count of steps", 7, [7], [8]),
        ("a whole number", 7, [7, 7.2], [6, 8, 70]),
        ("a word", "Agrees", ["agrees", " AGREES "], ["agree", "differs", "True"]),
        ("True or False", True, [True], [False, 1, "yes"]),
    ],
)
def test_what_counts_as_right(form, answer, taken, refused):
    sealed = answers.seal(answer, "q", form)
    assert all(all(answers.right(one, "q", form, sealed)) for one in taken)
    assert not any(all(answers.right(one, "q", form, sealed)) for one in refused)


@pytest.mark.parametrize(("digits", "word"), list(enumerate(["one", "two", "three", "four", "five", "six"], 1)))
def test_precisions_in_words_and_numbers(digits, word):
    """Of 1.23456789 two units of the last digit are told."""
    for count in (word, digits):
        form = f"a number, to {count} digits"
        sealed = answers.seal(1.23456789, "q", form)
        step = 10.0 ** (1 - digits)
        tried = [1.23456789, round(1.23456789, digits - 1), 1.23456789 + 2 * step, 1.23456789 - 2 * step]
        assert [answers.right(one, "q", form, sealed) for one in tried] == [[True], [True], [False], [False]]


def test_values_of_numpy_and_pandas_are_answers():
    series = pd.Series([1.5, 2.5])
    sealed = answers.seal([1.5, 2.5], "q", "two numbers, to two digits")
    for answer in (series, series.to_numpy(), list(series.to_numpy())):
        assert answers.right(answer, "q", "two numbers, to two digits", sealed) == [True, True]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "No answer yet. Expected: two numbers, to two digits."),
        ([1.5], "Not yet. The answer has 1 parts; 2 values are expected: two numbers, to two digits."),
        ([1.5, float("nan")], "Not yet. The answer holds nan; numbers, words, True or False are expected."),
        ([1.5, {}], "Not yet. The answer holds {}; numbers, words, True or False are expected."),
        ([1.5, 9], "Not yet: 1 of 2 values are right. Expected: two numbers, to two digits."),
        ([150, 250], "Not yet: the digits are right, and the unit is not."),
        ([7, 9], "Not yet. Expected: two numbers, to two digits."),
    ],
)
def test_what_a_check_says(answer, said, capsys):
    form = "two numbers, to two digits"
    sealed = answers.seal([1.5, 2.5], "q", form)
    answers.check(answer, "q", form, sealed)
    assert capsys.readouterr().out.startswith(said)
    assert not re.search(r"1\.5|2\.5", " ".join(sealed))


def test_another_unit_is_told_only_where_digits_count(capsys):
    """To one decimal 1500 and 1.5 are two answers; to two digits they are one in two units."""
    for form, said in (("to one decimal", "Not yet. Expected"), ("to two digits", "Not yet: the digits are right")):
        answers.check(1500, "q", form, answers.seal(1.5, "q", form))
        assert capsys.readouterr().out.startswith(said)


# The lab

RUNS = pd.DataFrame({"run": list("abcd"), "flops": [1.0, 2.0, 4.0, 8.0], "loss": [4.0, 3.0, 2.0, 1.0]})


def test_a_lab_sells_hides_and_shows():
    lab = Lab(RUNS, ["d"], 5)
    assert "loss" not in lab.catalogue
    assert "loss" not in lab.exam
    assert lab.catalogue.run.tolist() == ["a", "b", "c"]
    assert lab.buy(["c", "a", "c"]).run.tolist() == ["a", "c"]
    assert lab.buy(["a"]).loss.tolist() == [4, 2]
    assert lab.left == 0
    lab.predict("d", 7, 0, 9)
    lab.predict("d", 1.5, 0.5, 2)
    first, again = lab.reveal(), lab.reveal()
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    assert first.to_dict("records") == [
        {"run": "d", "flops": 8, "predicted": 1.5, "low": 0.5, "high": 2, "loss": 1, "error": 0.5, "inside": True}
    ]


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (lambda lab: lab.buy(["a", "b", "c"]), "The 3 new runs cost 7 FLOP; at most the 5 FLOP left are expected."),
        (lambda lab: lab.buy(["d"]), "Parameter names holds 'd'; runs of the catalogue are expected."),
        (lambda lab: lab.buy(["x"]), "Parameter names holds 'x'; runs of the catalogue are expected."),
        (lambda lab: lab.predict("a", 1, 0, 2), "Parameter run is 'a'; one of d is expected."),
        (
            lambda lab: lab.predict("d", 3, 0, 2),
            "The prediction 3 with the interval 0 to 2 is expected to lie inside it.",
        ),
        (lambda lab: lab.predict("d", float("nan"), 0, 2), "The prediction nan with"),
        (lambda lab: lab.reveal(), "There is no prediction of d yet; one for each run of the exam is expected."),
        (lambda lab: Lab(RUNS, ["x"], 5), "Parameter exam names 'x'; names of the column 'run' are expected."),
        (lambda lab: Lab(RUNS.drop(columns="loss"), ["d"], 5), "Parameter runs has no column 'loss'"),
        (lambda lab: Lab(RUNS.assign(run="a"), ["a"], 5), "Parameter runs, column 'run': 'a' occurs twice"),
    ],
)
def test_a_lab_refuses(act, sentence):
    lab = Lab(RUNS, ["d"], 5)
    with pytest.raises(InputError, match="^" + re.escape(sentence)):
        act(lab)
    assert lab.left == 5


def test_nothing_can_be_changed_after_the_exam():
    lab = Lab(RUNS, ["d"], 5)
    lab.predict("d", 1, 0, 2)
    lab.reveal()
    for act in (lambda: lab.buy(["a"]), lambda: lab.predict("d", 1, 0, 2)):
        with pytest.raises(InputError, match="were shown; make a new Lab"):
            act()
