r"""IsoFLOP profiles: for each budget of compute the size of lowest loss, and a power law through these sizes.

Within a budget the loss is a parabola (or cubic) in the logarithm of size, fitted by least squares. Its minimum is
where the slope is zero, and the interval of the minimum holds all sizes at which the slope is not told from zero, by
Student's t with its own standard error at each size (for a parabola, Fieller's interval). An end that lies farther
outside the sizes than they reach is given as zero or infinity. Without rows to spare there is no interval.

The rows of a budget must have been trained alike: a learning rate that suits one size only bends the curve.

References
----------
J. Hoffmann et al., arXiv:2203.15556 (2022), Section 3.2 ("approach 2").
E. C. Fieller, Some problems in interval estimation, Journal of the Royal Statistical Society B 16 (1954) 175-185.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.polynomial import Polynomial
from scipy import stats

from moelaws.checks import Floats, share
from moelaws.data.table import numbers
from moelaws.errors import InputError
from moelaws.fitting.rows import refuse, suspect_compute, suspects
from moelaws.fitting.trend import Trend

TOLERANCE = 0.05
"""Budgets are the same if no gap between one and the next is larger, as a share."""

SPREAD = 1.5
"""Compute of rows of one budget, largest over smallest, above which they are objected to."""

_DESIGN = frozenset({"n_routed", "top_k", "activation_ratio", "granularity", "n_shared"})
"""Columns that say what kind of model a run is."""


@dataclass(frozen=True)
class Profiles:
    """The minima of several budgets.

    Parameters
    ----------
    minima : pandas.DataFrame
        One row for each budget: `flops` (geometric mean), `rows`, `sizes` (different ones), `size` of lowest loss with
        `low` and `high`, `n_tokens` there (where the table has tokens), `loss` there, and `place`: ``inside`` the sizes
        of the budget, ``edge`` (inside, but the lowest row has the smallest or the largest size), ``outside``, or
        ``none`` where the curve has no minimum.
    warnings : tuple of str
        What there is to object to.
    """

    minima: pd.DataFrame
    warnings: tuple[str, ...]

    @property
    def used(self) -> pd.DataFrame:
        """The minima that lie among the sizes of their budget."""
        return self.minima[self.minima.place.isin(["inside", "edge"])]

    def trend(self, column: str = "size") -> Trend:
        """Return the power law of the best size, or of ``n_tokens``, in compute; its exponent has an interval."""
        used = self.used
        if column not in used or len(used) < 3:
            have = f"{len(used)} of {len(self.minima)} budgets have a minimum among their sizes"
            raise InputError(f"A power law needs three minima or more, and column '{column}'; {have}.")
        return Trend(used.flops.to_numpy(), used[column].to_numpy())


def profiles(
    table: pd.DataFrame,
    size: str = "n_active",
    budget: str | None = None,
    degree: int = 2,
    response: str = "loss",
    level: float = 0.95,
    tolerance: float = TOLERANCE,
) -> Profiles:
    """Find the size of lowest loss in each budget.

    Parameters
    ----------
    table : pandas.DataFrame
        Runs: `size`, `response`, and ``flops`` (by default 6 times size times ``n_tokens``).
    size : str
        Column of sizes, parameters.
    budget : str, optional
        Column whose equal values are a budget; by default runs of nearly equal compute.
    degree : {2, 3}
        Of the polynomial in the logarithm of size.

    Raises
    ------
    InputError
        If the rows are such that no law is fitted to them, either (:func:`moelaws.fitting.rows.refuse`).

    Examples
    --------
    Runs of Chinchilla's law in the refit by Besiroglu et al. (2024), whose best size grows with the power 0.513 of
    compute; a parabola, which that law is not, finds nearly this:

    >>> from moelaws.laws.dense import BESIROGLU, Dense
    >>> flops, share = np.meshgrid([1e19, 1e20, 1e21], np.geomspace(0.3, 3, 7))
    >>> size = share * 0.1 * flops**0.51
    >>> rows = pd.DataFrame({"flops": flops.ravel(), "n_active": size.ravel(), "n_tokens": (flops / 6 / size).ravel()})
    >>> rows["loss"] = Dense().predict(Dense().theta(BESIROGLU), rows)
    >>> round(float(profiles(rows).trend().law.exponent), 2)
    0.51
    """
    share(level=level)
    if degree not in (2, 3):
        raise InputError(f"Parameter degree is {degree}; 2 for a parabola or 3 for a cubic is expected.")
    compute = ["flops"] if "flops" in table or "n_tokens" not in table else []
    tokens = ["n_tokens"] if "n_tokens" in table else []
    read = list(dict.fromkeys([size, *compute, *tokens, response]))
    table = table.assign(**{name: numbers(table, name) for name in read})
    refuse(read, table)
    sizes = table[size].to_numpy()
    flops = table["flops"].to_numpy() if compute else 6 * sizes * table["n_tokens"].to_numpy()
    labels = _budgets(flops, tolerance) if budget is None else _given(table, budget)
    rows = pd.DataFrame({"flops": flops, "size": sizes, "loss": table[response].to_numpy()})
    rows = rows.assign(**{name: table[name].to_numpy() for name in tokens})
    found, warnings = [], [*suspects(table, read), *suspect_compute(table)]
    if copies := int(rows.duplicated().sum()):
        warnings.append(f"{copies} rows repeat another one in {', '.join(read)}, which makes intervals too narrow.")
    for name in sorted(_DESIGN & set(table.columns)):
        if (table.groupby(labels)[name].nunique() > 1).any():
            warnings.append(
                f"Budgets join runs of different '{name}', which bends their curves; give one kind of them."
            )
    for _, one in rows.groupby(labels):
        if one["size"].nunique() <= degree:
            warnings.append(_named(one) + f" has {one['size'].nunique()} sizes, too few for a curve, and is left out.")
            continue
        minimum = _minimum(one, degree, level)
        found.append(minimum)
        warnings += [_named(one) + sentence for sentence in _objections(one, minimum)]
    if not found:
        raise InputError(f"No budget has more than {degree} sizes; several sizes with the same compute are expected.")
    return Profiles(pd.DataFrame(found), tuple(warnings))


def _budgets(flops: Floats, tolerance: float) -> Floats:
    order = np.argsort(flops, kind="stable")
    labels = np.empty(len(flops))
    labels[order] = np.cumsum(np.diff(np.log(flops[order]), prepend=np.log(flops[order[0]])) > np.log1p(tolerance))
    return labels


def _given(table: pd.DataFrame, budget: str) -> Floats:
    if budget not in table:
        raise InputError(f"The table has no column '{budget}' of budgets; its columns are {', '.join(table.columns)}.")
    return np.asarray(pd.factorize(table[budget], sort=True)[0], dtype=float)


def _minimum(rows: pd.DataFrame, degree: int, level: float) -> dict[str, float | str]:
    """Fit the curve of one budget, and find its minimum with an interval."""
    log_size, loss = np.log(rows["size"].to_numpy()), rows.loss.to_numpy()
    middle, ends = log_size.mean(), (log_size.min(), log_size.max())
    x = log_size - middle
    powers = np.vander(x, degree + 1, increasing=True)
    coefficients = np.linalg.lstsq(powers, loss, rcond=None)[0]
    curve = Polynomial(coefficients)
    slope, bend = curve.deriv(), curve.deriv(2)
    turns = [float(root.real) for root in slope.roots() if abs(root.imag) < 1e-9 and bend(root.real) > 0]
    about: dict[str, float | str] = {
        "flops": float(np.exp(np.log(rows.flops).mean())),
        "rows": len(rows),
        "sizes": rows["size"].nunique(),
    }
    if not turns:
        return {**about, **dict.fromkeys(("size", "low", "high"), np.nan), "loss": np.nan, "place": "none"}
    best = turns[0]  # a cubic has one minimum at most
    low = high = np.nan
    degrees = len(x) - degree - 1
    if degrees > 0:
        variance = np.sum((loss - curve(x)) ** 2) / degrees * np.linalg.inv(powers.T @ powers)
        low, high = _where_flat(slope, variance, best, stats.t.ppf((1 + level) / 2, degrees))
        low = low if low >= 2 * x.min() - x.max() else -np.inf
        high = high if high <= 2 * x.max() - x.min() else np.inf
    if not ends[0] <= best + middle <= ends[1]:
        place = "outside"
    else:
        place = "edge" if log_size[np.argmin(loss)] in ends else "inside"
    about |= {"size": np.exp(best + middle), "low": np.exp(low + middle), "high": np.exp(high + middle)}
    if "n_tokens" in rows:
        by_size = np.polyfit(x, np.log(rows.n_tokens), 1)
        about["n_tokens"] = float(np.exp(np.polyval(by_size, best)))
    return {**about, "loss": float(curve(best)), "place": place}


def _where_flat(slope: Polynomial, variance: Floats, best: float, reach: float) -> tuple[float, float]:
    """Return the ends of the range around the minimum in which the slope is within `reach` standard errors of zero."""
    errors = Polynomial([0.0])
    for i in range(1, len(variance)):
        for j in range(1, len(variance)):
            errors += Polynomial([*[0.0] * (i + j - 2), i * j * variance[i, j]])
    roots = (slope**2 - reach**2 * errors).roots()
    # Of exact rows both ends are the minimum, a double root, which rounding moves by the root of its size.
    ends = np.sort(roots.real[np.abs(roots.imag) < 1e-7 * np.maximum(np.abs(roots.real), 1)])
    below, above = ends[ends <= best + 1e-7], ends[ends >= best - 1e-7]
    return min(below[-1], best) if len(below) else -np.inf, max(above[0], best) if len(above) else np.inf


def _named(rows: pd.DataFrame) -> str:
    return f"The budget of {np.exp(np.log(rows.flops).mean()):.3g} FLOP"


def _objections(rows: pd.DataFrame, minimum: dict[str, float | str]) -> Iterator[str]:
    if minimum["place"] == "none":
        yield ": the curve has no minimum, so that it says nothing about the best size."
        return
    if minimum["place"] == "outside":
        yield f": the minimum, {minimum['size']:.3g}, lies outside its sizes, and is not used."
    if minimum["place"] == "edge":
        yield ": the lowest loss is at its smallest or largest size; runs beyond would tell where the minimum is."
    if np.isinf(minimum["low"]) or np.isinf(minimum["high"]):
        yield ": its curvature is within the noise, so that the interval of the best size has no end."
    if (spread := rows.flops.max() / rows.flops.min()) > SPREAD:
        yield f" joins runs whose compute differs by a factor of {spread:.2g}; a column of budgets tells them apart."
