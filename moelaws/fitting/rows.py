"""What there is to object to in the rows of a fit: refused before it, or said beside it.

Refused is what no law can be fitted to: values that a quantity cannot have, rows that were measured
in different ways, and points on the way of a run taken for runs.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from moelaws.checks import Columns, Floats
from moelaws.data.quantities import CONVENTIONS, GROUPS, HIGHEST_LOSS, NO_MORE_THAN, QUANTITIES, RUNS, STEPS
from moelaws.data.table import numbers, row
from moelaws.errors import InputError
from moelaws.fitting.objective import Problem
from moelaws.laws.base import Law

FOLLOWS = 0.99
"""Share of the variance of a column's logarithm, explained by others', above which it follows them."""

GAP = 100.0
"""Ratio of neighbouring values above which they are taken to be in two units; those of public tables are up to 10."""

FAR = 1e4
"""Ratio of points to the fitted rows above which they are taken to be in another unit."""

ACCOUNTS = 100.0
"""Ratio of compute to 6 N D, either way, that no account of FLOP makes: one of the three is in another unit."""

TOKENS_EACH = 0.01, 1e5
"""Tokens per parameter that a run may have; those of public runs are 0.036 to 7900."""

TOKENS_USUAL = 0.1, 1e4
"""Where their median lies; those of public tables are 3 to 2300."""

SPAN = 10.0
"""Ratio of the largest compute to the smallest below which no floor can be told."""

REPEATS = 0.01
"""Standard deviation of log losses of equal runs above which they differ by more than their seeds."""

OUTLIER = 10.0
"""How many times the usual error, robustly measured, an error is named."""

CHANCE = 0.01
"""How often, at most, columns of noise are named in a table."""

SHARE = 0.05
"""Share of the variance of errors above which a column is named."""

MOST_ROWS = 2000
"""Rows on which ignored columns are tested."""


def refuse(read: Sequence[str], table: pd.DataFrame, where: str = "") -> None:
    """Refuse rows that no law that reads some columns can be fitted to; `where` says which rows they are.

    Raises
    ------
    InputError
        If a quantity that the law reads has a value that it cannot have, rows of different conventions
        are mixed, or several rows are points on the way of one run. Who pools conventions on purpose
        leaves their columns out of the table.

    Examples
    --------
    >>> from moelaws.laws import find
    >>> rows = pd.DataFrame({"n_active": [1e8, 1e9], "n_routed": [8, 0.5], "loss": [3.0, 2.5]})
    >>> refuse(["n_active", "n_routed", "loss"], rows)
    Traceback (most recent call last):
    moelaws.errors.InputError: Row 2, column 'n_routed': 0.5 is found; 1 to 1e+07 experts are expected.
    """
    for sentence in faults(read, table):
        raise InputError(f"{where}: {sentence}" if where else sentence)


def faults(read: Sequence[str], table: pd.DataFrame) -> Iterator[str]:
    """Yield a sentence for everything that no law that reads some columns can be fitted to.

    The columns `read` include the response.
    """
    names = list(table.columns)
    twice = table.columns[table.columns.duplicated()].tolist()
    texts = [name for name, kind in table.dtypes.items() if name not in twice and pd.api.types.is_object_dtype(kind)]
    nested = [name for name in texts if not table[name].map(pd.api.types.is_scalar).all()]
    yield from (f"The table has {names.count(name)} columns '{name}'; each name is expected once." for name in twice)
    yield from (
        f"Column '{name}' holds lists or objects; a number, text or truth value is expected." for name in nested
    )
    if twice or nested:
        return
    for name in read:
        if name in QUANTITIES:
            yield from _out_of_range(table, name)
    for less, more in NO_MORE_THAN.items():
        if {less, more} & set(read) and {less, more} <= set(table):
            both = table[[less, more]].dropna()  # a dense model may have no number of active experts
            low, high = (numbers(both, name) for name in (less, more))
            for place in np.flatnonzero(low > high):
                yield (
                    f"Row {row(both, place)}, column '{less}': {low[place]:g} is found; at most "
                    f"the {high[place]:g} of column '{more}' are expected."
                )
    for name, qualified in CONVENTIONS.items():
        if name not in table or not set(qualified) & set(read):
            continue
        values = table[name].unique()
        unknown = [value for value in values if isinstance(value, str) and value not in HIGHEST_LOSS]
        if name == "loss_unit" and unknown:
            yield (
                f"Column 'loss_unit' has the value {unknown[0]}; {', '.join(HIGHEST_LOSS)} are expected, and "
                "--unit loss=perplexity or loss=bits/token makes nats per token of others."
            )
        if len(values) > 1:
            listed = ", ".join("(empty)" if pd.isna(value) else str(value) for value in values[:4])
            yield (
                f"Column '{name}' has the values {listed}, between which "
                f"{' and '.join(one for one in qualified if one in read)} cannot be compared: choose rows "
                f"(--where \"{name} == '{values[0]}'\"), or pool them (--pool {name}, or a table without the column)."
            )
    if found := _checkpoints(read, table):
        run, most = found
        yield (
            f"Up to {most} rows have one value of '{run}' and differ in how far it had come: points on the way of a "
            "run are no runs; --final keeps the last of each."
        )


def _out_of_range(table: pd.DataFrame, name: str) -> Iterator[str]:
    quantity, values = QUANTITIES[name], table[name].to_numpy(dtype=float)
    unit, high = quantity.unit, quantity.high
    if name == "loss" and "loss_unit" in table and len(table):
        unit = str(table.loss_unit.iloc[0])
        high = HIGHEST_LOSS.get(unit, high)
    beyond = np.flatnonzero((values < quantity.low) | (values > high))
    hint = " (--unit loss=perplexity takes its logarithm)" if name == "loss" else ""
    for place in beyond:
        yield (
            f"Row {row(table, place)}, column '{name}': {values[place]:.6g} is found; "
            f"{quantity.low:g} to {high:g} {unit or 'in the column'} are expected{hint}."
        )


def _checkpoints(read: Sequence[str], table: pd.DataFrame) -> tuple[str, int] | None:
    """Return the column of runs of which several rows are points on the way of one, and how many are."""
    runs = [name for name in RUNS if name in table]
    steps = [name for name in STEPS if name in table]
    if "loss" not in read or any(table[name].is_unique for name in runs):
        return None  # each row is a run of its own
    fixed = [name for name in QUANTITIES if name in table and name not in ("n_tokens", "flops", "loss", "leverage")]
    for run in runs:
        groups = table.groupby(run)
        if all((groups[name].nunique() == 1).all() for name in fixed) and any(
            (groups[name].nunique() > 1).any() for name in steps
        ):
            return run, int(groups.size().max())
    return None


def final(table: pd.DataFrame) -> pd.DataFrame:
    """Return the last row of each run.

    Columns of runs and of steps have one of the names in :mod:`moelaws.data.quantities`.
    """
    run = next((name for name in RUNS if name in table), None)
    step = next((name for name in STEPS if name in table), None)
    if run is None or step is None:
        raise InputError(
            f"The last row of each run needs a column of runs ({', '.join(RUNS)}) and of steps ({', '.join(STEPS)})."
        )
    for place in np.flatnonzero(table[run].isna()):
        raise InputError(
            f"The table, row {row(table, place)}, column '{run}': an empty cell is found; a run's name is expected."
        )
    steps = pd.Series(numbers(table, step, positive=False), index=table.index)
    return table.loc[sorted(steps.groupby(table[run]).idxmax())]


def objections(problem: Problem, table: pd.DataFrame, best: Floats) -> Iterator[str]:
    """Yield what there is to say of the rows.

    `table` has the columns that the law does not read, too.
    """
    yield from _design(problem)
    yield from suspects(table, (*problem.law.columns, problem.law.response))
    yield from problem.law.doubts(table)
    yield from _repeats(problem)
    yield from _errors(problem, table, best)


def _design(problem: Problem) -> Iterator[str]:
    law = problem.law
    table = pd.DataFrame({name: np.asarray(problem.columns[name]) for name in law.columns})
    response = law.response
    if len(table) == len(problem.indices):
        yield f"There are as many rows as free parameters ({len(table)}), so that no row is left to judge the fit by."
    if np.ptp(problem.observed) == 0:
        yield f"Column '{response}' has the same value in all rows, which any constant fits: exponents mean nothing."
    if copies := int(table.assign(**{response: problem.observed}).duplicated().sum()):
        yield f"{copies} rows repeat another one in all columns of the law, which makes intervals too narrow."
    spread = [name for name in law.columns if table[name].nunique() > 1]
    if law.link == "identity" and not law.shape:
        return  # a sum of known terms: columns need not vary, and which terms go together is said of the optimum
    for name in law.columns:
        if name not in spread:
            yield f"Column '{name}' has one value, so that its effect, and an exponent of it, are not determined."
        elif table[name].nunique() == 2 and law.link == "identity":
            yield f"Column '{name}' has two values, which cannot tell an exponent from a floor."
    for first, second in combinations(spread, 2):
        explained = float(np.corrcoef(np.log(table[first]), np.log(table[second]))[0, 1]) ** 2
        if explained > FOLLOWS:
            yield (
                f"Columns '{first}' and '{second}' go together in all rows (R² {explained:.3f} of their logarithms), "
                "so that their effects cannot be told apart."
            )
    sizes = [name for name in ("n_active", "n_total", "n_dense") if name in table][:1]
    spent = ["flops"] if "flops" in table else [name for name in (*sizes, "n_tokens") if name in table]
    floor_is_free = law.link == "identity" and any(0 in places for places in problem.indices)
    if spent and floor_is_free and law.response == "loss":
        compute = table[spent].prod(axis=1)
        if (span := compute.max() / compute.min()) < SPAN:
            yield (
                f"Compute ({' × '.join(spent)}) spans a factor of {span:.2g}, less than {SPAN:g}: "
                f"the floor '{law.linear[0].name}' and exponents cannot be told apart on so short a way."
            )


def suspects(table: pd.DataFrame, read: Sequence[str]) -> Iterator[str]:
    """Yield the columns whose numbers look as if they stood in another unit, or in two."""
    said = list(_suspects_alone(table, read))
    yield from said or _suspects_together(table, read)


def _suspects_together(table: pd.DataFrame, read: Sequence[str]) -> Iterator[str]:
    """Yield what sizes and tokens tell of each other's units: a thousand hides in a column that spans as much."""
    size = next((name for name in ("n_active", "n_dense") if name in read), None)
    if size is None or "n_tokens" not in read:
        return
    with np.errstate(all="ignore"):
        each = np.asarray(table["n_tokens"], dtype=float) / np.asarray(table[size], dtype=float)
    places = np.flatnonzero(np.isfinite(each) & (each > 0))
    if not len(places):
        return
    places = places[np.argsort(each[places], kind="stable")]
    each = each[places]
    middle = float(np.median(each))
    if (
        each[0] < TOKENS_EACH[0]
        or each[-1] > TOKENS_EACH[1]
        or not TOKENS_USUAL[0] <= middle <= TOKENS_USUAL[1]
        or (each[1:] / each[:-1]).max(initial=1) > GAP
    ):
        least, most = (row(table, places[end]) for end in (0, -1))
        yield (
            f"Columns 'n_tokens' and '{size}' give {each[0]:.2g} (row {least}) to {each[-1]:.2g} (row {most}) tokens "
            f"per parameter, with the median {middle:.2g}, unusual for training runs: are these rows in two units, or "
            "is one of the columns in another?"
        )


def suspect_compute(table: pd.DataFrame) -> Iterator[str]:
    """Yield what there is to say of compute that its size and tokens cannot have taken, where a table has all three."""
    if not {"flops", "n_active", "n_tokens"} <= set(table):
        return
    flops, size, tokens = (numbers(table, name) for name in ("flops", "n_active", "n_tokens"))
    ratios = flops / (6 * size * tokens)
    off = np.flatnonzero((ratios > ACCOUNTS) | (ratios < 1 / ACCOUNTS))
    if len(off):
        yield (
            f"Column 'flops' is {ratios[off[0]]:.2g} times 6 n_active n_tokens in {len(off)} rows, the first of them "
            f"row {row(table, off[0])}: is one of the three in another unit?"
        )


def _suspects_alone(table: pd.DataFrame, read: Sequence[str]) -> Iterator[str]:
    for name in read:
        quantity = QUANTITIES.get(name)
        if quantity is None or not np.isfinite(quantity.usual[1]):
            continue
        values = np.sort(np.asarray(table[name], dtype=float))
        values = values[np.isfinite(values) & (values > 0)]
        if not len(values):
            continue
        middle, (low, high) = float(np.median(values)), quantity.usual
        if not low <= middle <= high:
            other = "a perplexity, or another unit" if name == "loss" else "thousands, millions or billions"
            yield f"Column '{name}' has the median {middle:.3g}, unusual for {quantity.unit}: is it {other}?"
        ratios = values[1:] / values[:-1]
        if len(ratios) and ratios.max() > GAP:
            at = int(ratios.argmax())
            yield (
                f"Column '{name}' has no value between {values[at]:.3g} ({at + 1} rows up to it) and "
                f"{values[at + 1]:.3g}: are these rows in two units?"
            )


def _repeats(problem: Problem) -> Iterator[str]:
    law = problem.law
    if law.response != "loss":
        return
    table = pd.DataFrame({name: np.asarray(problem.columns[name]) for name in law.columns})
    logs = np.log(problem.observed)
    groups = pd.Series(logs).groupby([table[name] for name in law.columns])
    freedom = len(logs) - groups.ngroups
    if freedom < 3:
        return
    spread = float(np.sqrt(((logs - groups.transform("mean")) ** 2).sum() / freedom))
    if spread > REPEATS:
        yield (
            f"Rows with equal {', '.join(law.columns)} scatter by {100 * spread:.2g} % of the loss, more than seeds "
            "make: it depends on something outside the law, such as the learning rate; keep the best row of each."
        )


def _errors(problem: Problem, table: pd.DataFrame, best: Floats) -> Iterator[str]:
    """Yield what the errors say: one far outside the others, and columns that go with them."""
    errors, free = problem.errors(best), len(best)
    if len(errors) - free < max(8, free):
        return
    basis = problem.basis(best)
    room = np.sqrt(np.clip(1 - (basis**2).sum(axis=1), 0.1, None))
    usual = float(stats.median_abs_deviation(errors / room, scale="normal"))
    if usual <= 1e-9:  # points of the law itself, with the noise of rounding
        return
    sizes = np.abs(errors / room) / usual
    if sizes.max() > OUTLIER:
        yield (
            f"The error of row {row(table, int(sizes.argmax()))} is {sizes.max():.2g} times the usual one"
            f"{f', and {(sizes > OUTLIER).sum() - 1} more are as far' if (sizes > OUTLIER).sum() > 1 else ''}: "
            "a slip of the pen, another unit, or a run that failed."
        )
    errors = np.clip(errors, -4 * usual, 4 * usual)
    explained = ignored(problem.law, table, errors - basis @ (basis.T @ errors), basis)
    outside = {name: share for name, share in explained.items() if name not in GROUPS}
    if outside:
        listed = ", ".join(f"'{name}' ({100 * share:.0f} %)" for name, share in list(outside.items())[:5])
        yield (
            f"Columns that the law does not read go with the variance of its errors: {listed}; "
            "fit rows of one value, or a law that reads them."
        )
    if groups := {name: share for name, share in explained.items() if name in GROUPS}:
        name = next(iter(groups))
        yield (
            f"Rows of one '{name}' err alike ({100 * groups[name]:.0f} % of the variance of errors): intervals "
            f"that take rows as independent are too narrow; draw them together (--bootstrap N --by {name})."
        )


def ignored(law: Law, table: pd.DataFrame, errors: Floats, basis: Floats) -> dict[str, float]:
    """Return the columns that a law ignores and its errors go with, and which share of their variance.

    Each column is tested by an F test, beside the freedom that the fit had: names and truth values
    as levels, numbers as a parabola (of the logarithm where they are positive). Their levels of
    significance are shared out, so that noise is named in at most :data:`CHANCE` of tables.

    `errors` are orthogonal to `basis`, an orthonormal one of what the coefficients can move. Returned are columns
    and shares, the largest first.
    """
    if len(table) > MOST_ROWS:
        chosen = np.sort(np.random.default_rng(0).choice(len(table), MOST_ROWS, replace=False))
        table, errors, basis = table.iloc[chosen], errors[chosen], basis[chosen]
    others = [name for name in table if name not in (*law.columns, law.response, *CONVENTIONS)]
    known = np.column_stack([np.ones(len(table)), *(np.log(table[name].to_numpy(float)) for name in law.columns)])
    found = {}
    for name in others:
        levels = _levels(table[name], name in GROUPS)
        if levels is None:
            continue
        if levels.shape[1] == 2 and _explained(levels[:, 0], known) > FOLLOWS:
            continue  # a number that follows from what the law reads
        rest = levels - basis @ (basis.T @ levels)
        left, sizes, _ = np.linalg.svd(rest, full_matrices=False)
        left = left[:, sizes > 1e-6 * max(1.0, float(np.linalg.norm(levels)))]
        terms, freedom = left.shape[1], len(table) - basis.shape[1] - left.shape[1]
        if not terms or freedom < 5:
            continue
        share = float(((left.T @ errors) ** 2).sum() / (errors @ errors))
        probability = stats.f.sf(share / terms / max((1 - share) / freedom, 1e-300), terms, freedom)
        if share > SHARE and probability < CHANCE / len(others):
            found[str(name)] = share
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _explained(values: Floats, known: Floats) -> float:
    rest = values - known @ np.linalg.lstsq(known, values, rcond=None)[0]
    return float(1 - rest @ rest / (values @ values))


def _levels(column: pd.Series, is_group: bool) -> Floats | None:
    """Return what a column may add to a law, as columns of mean zero; None where that is nothing."""
    if column.nunique(dropna=False) < 2:
        return None
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column) and not is_group:
        values = column.to_numpy(dtype=float, na_value=np.nan)
        values = np.where(np.isfinite(values), values, np.nan)
        if np.isnan(values).all():
            return None
        values = np.log(values) if np.nanmin(values) > 0 else values
        values = np.nan_to_num(values - np.nanmean(values))
        if not (scale := float(values.std())):
            return None
        values = values / scale
        return np.column_stack([values, values**2 - 1])
    if column.nunique(dropna=False) > len(column) / 3:
        return None  # names of single rows
    levels = pd.get_dummies(column, dummy_na=bool(column.isna().any()), dtype=float).to_numpy()
    return np.asarray(levels - levels.mean(axis=0))


def suspect_units(problem: Problem, points: Columns) -> Iterator[str]:
    """Yield columns in which points lie so far from the fitted rows that another unit is likely."""
    for name in problem.law.columns:
        fitted, middle = np.asarray(problem.columns[name]), float(np.median(points[name]))
        if middle <= 0:
            continue  # of no size, in any unit
        ratio = max(float(fitted.min()) / middle, middle / float(fitted.max()))
        if ratio > FAR:
            side = "below" if middle < fitted.min() else "above"
            yield f"Points have '{name}' by a factor of {ratio:.0e} {side} the fitted rows: is it in another unit?"
