"""Laws of one's own: what cannot be declared is refused in one sentence, and what can is computed as it is shown."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

from moelaws.errors import InputError
from moelaws.fitting.estimation import fit
from moelaws.laws import LAWS
from moelaws.laws.base import Parameter, Terms
from moelaws.laws.powers import PowerProduct, PowerSum
from moelaws.laws.saturation import Saturation

ALPHA = Parameter("alpha", "exponent", "1", 0, 3, (0.2, 0.5))
ENDS = [Parameter(name, "end", "1", 1, 1e6, (start, 2 * start)) for name, start in (("low", 2.0), ("high", 100.0))]
ROWS = {"n_active": np.geomspace(1e7, 1e10, 6)}


def parameter(**changes):
    return Parameter(**{"name": "p", "meaning": "exponent", "unit": "1", "low": 0, "high": 1, "grid": (0.5,)} | changes)


def powers(power, **options):
    return PowerSum("own", {"E": {}, "A": {"n_active": power}}, **options)


def product(columns=("n_active",), **options):
    return PowerProduct("own", {"k": (), "a": columns}, **options)


def saturated(*names, parameters=ENDS, **options):
    return product(parameters=parameters, saturation=Saturation(*names, **options))


def function(term, **options):
    return Terms("own", {"E": lambda: 1.0, "A": term}, [ALPHA], **options)


EXPONENT = r"Law 'own': the exponent of 'n_active' in term 'A' is {}; the name of a parameter is expected, .* \(a fit "
BASE = r"Law 'own' has the base {}; a positive number other than one is expected, for a column or the response of a pr"
TERM = r"Law 'own': term 'A' is .*; a function written in Python is expected, such as lambda .* are all plain names"
INSIDE = r"Parameter '{}' is a coefficient of law 'own', and is used inside of a term or as an exponent; a shape param"
NOTHING = r"Law 'own' reads no column; a term that reads one is expected"
COLUMN = r"Law 'own' reads column '{}', which is {}; another one is expected"
NAME = r"Parameter name is {}; letters, digits and underscores are expected"
BOUNDS = r"Parameter 'p' has the bounds {}; a number and a greater one are expected"
GRID = r"Parameter 'p' has the grid {}; a tuple of finite numbers is expected"


@pytest.mark.parametrize(
    ("declare", "sentence"),
    [
        # Exponents are names, of which the formula shows what is computed.
        (lambda: powers("-0.5"), EXPONENT.format("'-0.5'")),
        (lambda: powers("0.5"), EXPONENT.format("'0.5'")),
        (lambda: powers(-0.5), EXPONENT.format("-0.5")),
        (lambda: powers(None), EXPONENT.format("None")),
        (lambda: powers("--a"), EXPONENT.format("'--a'")),
        (lambda: powers("+a"), EXPONENT.format(r"'\+a'")),
        (lambda: powers("-2*a"), EXPONENT.format(r"'-2\*a'")),
        (lambda: powers(""), EXPONENT.format("''")),
        (lambda: powers("-"), EXPONENT.format("'-'")),
        (lambda: powers("-E"), INSIDE.format("E")),
        # Terms, and columns in them.
        (lambda: PowerSum("own", {"A": "x"}), "Law 'own': term 'A' is 'x'; the exponents of columns are expected, suc"),
        (
            lambda: PowerSum("own", {"A": {(): "a"}}),
            r"Law 'own': term 'A' is {\(\): 'a'}; the exponents of columns are",
        ),
        (lambda: PowerSum("own", {"A": {1: "a"}}), "Law 'own': term 'A' is {1: 'a'}; the exponents of columns are exp"),
        (lambda: powers("-a", columns="n_active"), "Law 'own': columns is 'n_active'; a tuple of names is expected"),
        (lambda: product("n_active"), "Law 'own': term 'a' is 'n_active'; a tuple of columns is expected, such as"),
        (lambda: product({"x": "-b"}), "Law 'own': term 'a' is {'x': '-b'}; a tuple of columns is expected, such as"),
        (lambda: product((("x", "y"),)), r"Law 'own': term 'a' is \(\('x', 'y'\),\); a tuple of columns is expected"),
        (lambda: PowerSum("own", {"E": {}}), NOTHING),
        (lambda: product(()), NOTHING),
        (lambda: Terms("own", {"E": lambda: 1.0}), NOTHING),
        (lambda: PowerSum("own", {"A": {"loss": "a"}}), COLUMN.format("loss", "its response")),
        (lambda: product(("loss",)), COLUMN.format("loss", "its response")),
        (lambda: function(lambda loss, alpha: loss**alpha), COLUMN.format("loss", "its response")),
        (lambda: PowerSum("own", {"A": {"x": "y"}, "B": {"y": "b"}}), COLUMN.format("y", "a parameter")),
        # Bases of logarithms.
        (lambda: product(bases={"loss": 1}), BASE.format("1 for 'loss'")),
        (lambda: product(bases={"n_active": 1.0}), BASE.format("1.0 for 'n_active'")),
        (lambda: product(bases={"n_active": 0}), BASE.format("0 for 'n_active'")),
        (lambda: product(bases={"n_active": -2}), BASE.format("-2 for 'n_active'")),
        (lambda: product(bases={"n_active": np.inf}), BASE.format("inf for 'n_active'")),
        (lambda: product(bases={"n_active": "10"}), BASE.format("'10' for 'n_active'")),
        (lambda: product(bases={"n_actve": 10}), BASE.format("10 for 'n_actve'")),
        (lambda: powers("-a", bases={"n_active": 10}), BASE.format("10 for 'n_active'")),
        # Functions.
        (lambda: function(lambda *sizes: sizes[0]), TERM),
        (lambda: function(lambda **columns: columns["n_active"]), TERM),
        (lambda: function(lambda n_active, *, alpha: n_active**alpha), TERM),
        (lambda: function(max), TERM),
        (lambda: function(abs), TERM),
        (lambda: function(np.log), TERM),
        (lambda: function(1.0), TERM),
        (lambda: function("n_active**-alpha"), TERM),
        (lambda: function(lambda n_active, alpha, E: n_active * E), INSIDE.format("E")),
        (lambda: function(lambda n_active, alpha: n_active**alpha, exponent="E"), INSIDE.format("E")),
        # Parameters.
        (
            lambda: powers("-alpha", parameters=[ALPHA, Parameter("alpha", "", "1", 0.5, 0.6, (0.5,))]),
            "Parameter 'alpha' is declared twice in law 'own'; once is expected",
        ),
        (lambda: parameter(name="2*a"), NAME.format(r"'2\*a'")),
        (lambda: parameter(name=1), NAME.format("1")),
        (lambda: PowerSum("own", {"-A": {"n_active": "a"}}), NAME.format("'-A'")),
        (lambda: parameter(low=3, high=0), BOUNDS.format("3 and 0")),
        (lambda: parameter(low=1, high=1), BOUNDS.format("1 and 1")),
        (lambda: parameter(low=np.nan), BOUNDS.format("nan and 1")),
        (lambda: parameter(high=np.nan), BOUNDS.format("0 and nan")),
        (lambda: parameter(high=None), BOUNDS.format("0 and None")),
        (lambda: parameter(low="0", high="1"), BOUNDS.format("'0' and '1'")),
        (lambda: parameter(grid=(0.5, np.nan)), GRID.format(r"\(0.5, nan\)")),
        (lambda: parameter(grid=(np.inf,)), GRID.format(r"\(inf,\)")),
        (lambda: parameter(grid=("0.5",)), GRID.format(r"\('0.5',\)")),
        (lambda: parameter(grid=(1j,)), GRID.format(r"\(1j,\)")),
        (lambda: parameter(grid="0.5"), GRID.format("'0.5'")),
        (lambda: parameter(grid=0.5), GRID.format("0.5")),
        (lambda: parameter(grid=np.array([0.2, 0.5])), GRID.format(r"array\(\[0.2, 0.5\]\)")),
        # Saturations.
        (
            lambda: saturated("n_routed", "low", "high"),
            "Law 'own': column 'n_routed' saturates; one in a term is expec",
        ),
        (lambda: saturated("n_active", "low", "a", parameters=ENDS[:1]), INSIDE.format("a")),
        (
            lambda: saturated("n_active", "low", "low"),
            "Column 'n_active' saturates at both ends at 'low'; two names ar",
        ),
        (
            lambda: saturated("n_active", "low", "high", shift=0.5),
            "Column 'n_active' saturates with the shift 0.5; 0, o",
        ),
    ],
)
def test_what_cannot_be_declared_is_refused(declare, sentence):
    with pytest.raises(InputError, match=f"^{sentence}") as error:
        declare()
    assert str(error.value).endswith(".")


@pytest.mark.parametrize(
    ("term", "found"),
    [
        (lambda size, alpha: size**-alpha + 0j, r"complex128 of shape \(2, 6\)"),
        (lambda size, alpha: None, r"object of shape \(\)"),
        (lambda size, alpha: "0.5", r"<U3 of shape \(\)"),
        (lambda size, alpha: np.ones(3), r"float64 of shape \(3,\)"),
        (lambda size, alpha: np.outer(size, alpha), r"float64 of shape \(6, 2\)"),
    ],
)
def test_terms_that_are_no_numbers_of_each_row_are_refused(term, found):
    law = Terms("own", {"A": lambda n_active, alpha: term(n_active, alpha)}, [ALPHA])
    sentence = rf"^Law 'own': term 'A' gives {found}; real numbers are expected, of shape \(2, 6\) or one that is br"
    with pytest.raises(InputError, match=sentence):
        law.terms(np.array([[0.2], [0.3]]), ROWS)


def test_what_the_refusal_of_an_exponent_advises_works():
    """A number is a parameter that is held: at one half, here."""
    rows = pd.DataFrame(ROWS).assign(loss=lambda table: 2 + 400 * table.n_active**-0.5)
    found = fit(powers("-alpha"), rows, hold={"alpha": 0.5})
    assert found.values == pytest.approx({"E": 2, "A": 400, "alpha": 0.5})
    assert found.free == ("E", "A")


def test_terms_that_drop_an_imaginary_part_are_derived_without_a_word():
    law = function(lambda n_active, alpha: np.asarray(n_active**-alpha).astype(float))
    sizes = np.array([1e8, 1e9])
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        slopes = law.slopes(np.array([0.3]), {"n_active": sizes})
    assert said == []
    assert slopes[:, 1, 0] == pytest.approx(-np.log(sizes) * sizes**-0.3, rel=1e-6)


def test_a_saturated_column_may_stand_in_a_term_twice():
    """The derivative of the square of a logarithm, against central differences."""
    saturation, shape = Saturation("n_active", "low", "high"), np.array([3.0, 150.0])
    rows = {"n_active": np.array([1.0, 8.0, 64.0])}
    twice = {
        "product": product(("n_active", "n_active"), parameters=ENDS, saturation=saturation),
        "sum": PowerSum("own", {"A": {("n_active", "n_active"): "alpha"}}, [*ENDS, ALPHA], saturation),
    }
    for name, law in twice.items():
        at = shape if name == "product" else np.append(shape, 0.4)
        step = 1e-6 * np.diag(at)
        differences = [(law.terms(at + one, rows) - law.terms(at - one, rows)) / (2 * one.sum()) for one in step]
        assert law.slopes(at, rows) == pytest.approx(np.stack(differences, axis=-1), rel=1e-7, abs=1e-12)


@pytest.mark.parametrize("law", LAWS.values(), ids=list(LAWS))
def test_a_registered_law_is_pickled_by_its_name(law):
    assert pickle.loads(pickle.dumps(law)) is law


def test_a_law_that_only_shares_a_name_is_pickled_as_what_it_is():
    own = PowerSum("dense", {"E": {}, "A": {"n_active": "-alpha"}})
    assert pickle.loads(pickle.dumps(own)).formula == own.formula


def test_a_fit_whose_terms_are_functions_is_pickled():
    law, rng = LAWS["kaplan2020"], np.random.default_rng(0)
    rows = pd.DataFrame({"n_active": np.exp(rng.uniform(17, 23, 12)), "n_tokens": np.exp(rng.uniform(21, 27, 12))})
    values = {"A": 8.8e13 ** (0.076 / 0.095), "D_c": 5.4e13, "alpha_N": 0.076, "alpha_D": 0.095}
    found = fit(law, rows.assign(loss=law.predict(law.theta(values), rows)), starts=1)
    again = pickle.loads(pickle.dumps(found))
    assert again.law is law
    assert again.values == found.values
    assert np.array_equal(again.predict(rows), found.predict(rows))
