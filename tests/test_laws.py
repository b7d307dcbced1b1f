"""Every law of the registry: its derivatives, its recovery from rows that it made, and what must not matter."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moelaws.fitting.estimation import LOG_SQUARES, RELATIVE_SQUARES, fit, huber
from moelaws.fitting.optimise import second_opinion
from moelaws.laws import LAWS

each_law = pytest.mark.parametrize("law", LAWS.values(), ids=list(LAWS))

# What runs have in each column. A new law whose columns are not here says so by a KeyError.
RANGES = {
    "n_active": (2e7, 2e10),
    "n_dense": (2e7, 2e10),
    "n_total": (2e7, 2e11),
    "n_tokens": (1e9, 1e12),
    "n_routed": (1, 512),
    "activation_ratio": (0.005, 1),
    "granularity": (1, 32),
    "flops": (1e18, 1e24),
}
WHOLE = {"n_routed"}
# Shares have no unit. Granularity has one in effect: some papers define it as twice what others do.
SHARES = {"activation_ratio", "leverage"}
# An interaction with experts but no power of experts beside it depends on the unit of what it multiplies.
UNIT_BOUND = {"yun2024": {"n_dense"}, "yun2024_data": {"n_dense", "n_tokens"}}


def rows_of(law, count=60, seed=0):
    """Rows scattered over what runs have, evenly in the logarithm."""
    rng = np.random.default_rng(seed)
    columns = {name: np.exp(rng.uniform(*np.log(RANGES[name]), count)) for name in law.columns}
    return pd.DataFrame({name: np.round(x) if name in WHOLE else x for name, x in columns.items()})


def theta_of(law, seed=0):
    """Shapes inside the range that the law screens, and terms of a plausible size."""
    rng = np.random.default_rng(seed)
    shape = [rng.uniform(np.quantile(p.screen, 0.2), np.quantile(p.screen, 0.8)) for p in law.shape]
    size = np.abs(law.terms(np.array(shape), rows_of(law))).max(axis=0)
    share = rng.uniform(0.2, 1.0, len(law.linear))
    if law.link == "log":  # the sum is a logarithm: some terms lower it
        share *= rng.choice([-1, 1], len(law.linear)) * 0.5
    return np.concatenate([share / size, shape])


def made_by(law, theta, rows):
    return rows.assign(**{law.response: law.predict(theta, rows)})


@each_law
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_gradient_is_the_central_difference(law, seed):
    rows, theta = rows_of(law, 12, seed), theta_of(law, seed)
    gradient = law.gradient(theta, rows)
    assert gradient.shape == (12, len(law.parameters))
    for column, value in enumerate(theta):
        # The cube root of the rounding error balances it against the difference's own error.
        step = np.zeros_like(theta)
        step[column] = 6e-6 * abs(value)
        difference = (law.predict(theta + step, rows) - law.predict(theta - step, rows)) / (2 * step[column])
        tolerance = 1e-9 * np.abs(law.predict(theta, rows)) / abs(value)
        assert np.all(np.abs(gradient[:, column] - difference) <= 1e-6 * np.abs(difference) + tolerance)


@each_law
def test_terms_of_many_shapes_are_those_of_each(law):
    rows = rows_of(law, 7)
    shapes = np.stack([[theta_of(law, 10 * i + j)[len(law.linear) :] for j in range(3)] for i in range(2)])
    terms = law.terms(shapes, rows)
    assert terms.shape == (2, 3, 7, len(law.linear))
    assert law.slopes(shapes[0, 0], rows).shape == (7, len(law.linear), len(law.shape))
    for place in np.ndindex(2, 3):
        assert np.allclose(terms[place], law.terms(shapes[place], rows), rtol=1e-14, atol=0)


@each_law
def test_a_mapping_of_lists_will_do(law):
    rows, theta = rows_of(law, 5), theta_of(law)
    lists = {name: rows[name].tolist() for name in law.columns}
    assert np.array_equal(law.predict(theta, lists), law.predict(theta, rows))


@each_law
def test_screens_lie_inside_the_bounds(law):
    for parameter in law.shape:
        assert len(parameter.screen) > 1
        assert all(parameter.low <= value <= parameter.high for value in parameter.screen)
    assert all(parameter.unit and parameter.meaning for parameter in law.parameters)


@each_law
@pytest.mark.parametrize("loss", [LOG_SQUARES, RELATIVE_SQUARES, huber(1e-3)], ids=["log", "relative", "huber"])
@pytest.mark.parametrize("seed", range(3))
def test_rows_made_by_a_law_give_it_back(law, loss, seed):
    """Parameters may trade off without a trace, so what is compared is the law, also between the rows."""
    theta, rows = theta_of(law, seed), rows_of(law, 80)
    result = fit(law, made_by(law, theta, rows), loss)
    others = rows_of(law, 40, seed=1)
    assert result.objective < 1e-14
    assert np.allclose(result.predict(others), law.predict(theta, others), rtol=1e-5)


@each_law
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6))
def test_order_of_rows_does_not_matter(law, seed):
    rng = np.random.default_rng(seed)
    table = made_by(law, theta_of(law, 1), rows_of(law, 40))
    table[law.response] *= np.exp(0.01 * rng.normal(size=len(table)))
    mixed = table.sample(frac=1, random_state=seed).reset_index(drop=True)
    first, second = fit(law, table), fit(law, mixed)
    assert second.objective == pytest.approx(first.objective, rel=1e-9)
    assert np.allclose(first.predict(table), second.predict(table), rtol=1e-6)


def scales_of(law):
    """Columns that are amounts, so that another unit must not matter; experts are counted from one."""
    fixed = WHOLE | SHARES | UNIT_BOUND.get(law.name, set())
    return [name for name in (*law.columns, law.response) if name not in fixed]


@each_law
@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_units_do_not_matter(law, factor):
    """Parameters in thousands, or losses in another unit: the same law, and what it predicts follows."""
    rng = np.random.default_rng(3)
    table = made_by(law, theta_of(law, 1), rows_of(law, 60))
    table[law.response] *= np.exp(0.01 * rng.normal(size=len(table)))
    reference = fit(law, table)
    for name in scales_of(law):
        scaled = table.assign(**{name: table[name] * factor})
        result = fit(law, scaled)
        expected = reference.predict(table) * (factor if name == law.response else 1)
        assert result.objective == pytest.approx(reference.objective, rel=1e-6), name
        assert np.allclose(result.predict(scaled), expected, rtol=1e-5), name


@each_law
@pytest.mark.parametrize("loss", [LOG_SQUARES, RELATIVE_SQUARES, huber(3e-3)], ids=["log", "relative", "huber"])
def test_no_other_optimiser_gets_lower(law, loss):
    """A search of the coefficients themselves, started at the optimum that was found and at random."""
    rng = np.random.default_rng(5)
    table = made_by(law, theta_of(law, 2), rows_of(law, 60))
    table[law.response] *= np.exp(0.01 * rng.normal(size=len(table)))
    result = fit(law, table, loss)
    best = result.problem.free(result.coefficients)
    assert second_opinion(result.problem, best) > result.objective * (1 - 1e-8)


@each_law
def test_slopes_vanish_at_the_optimum(law):
    """What pulls at the rows stands at a right angle to each coefficient's column, save at a bound."""
    rng = np.random.default_rng(6)
    table = made_by(law, theta_of(law, 4), rows_of(law, 60))
    table[law.response] *= np.exp(0.01 * rng.normal(size=len(table)))
    result = fit(law, table, huber(3e-3))
    problem, best = result.problem, result.problem.free(result.coefficients)
    pull, matrix = problem.loss.pull(problem.errors(best)), problem.jacobian(best)
    cosines = pull @ matrix / np.linalg.norm(pull) / np.linalg.norm(matrix, axis=0)
    low, high = problem.bounds()
    assert np.all((np.abs(cosines) < 1e-6) | (best == low) & (cosines > 0) | (best == high) & (cosines < 0))
