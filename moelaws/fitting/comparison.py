"""Several laws on the same rows: which one the training rows choose, and how it does on the others.

The choice comes first. It rests on forward validation inside the training rows: the rows are
ordered by one column, say size, and laws predict the larger ones from the smaller ones, as that
is what a law is used for. Of the laws within the noise of the best, the simplest is chosen. The rows
held out are read by :meth:`Comparison.score` and by nothing else. What the noise is, and how often a needless term is
chosen and an interval holds, is counted in ``data/comparison_null``.

References
----------
L. Breiman, J. Friedman, R. Olshen and C. Stone, Classification and Regression Trees (1984), Section 3.4.3: the rule
of one standard error.
T. C. Hesterberg, What teachers should know about the bootstrap, The American Statistician 69 (2015) 371-386, Section
3.3: percentiles expanded for few rows.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from moelaws.checks import Floats, one_of, share, whole
from moelaws.data.condition import where
from moelaws.data.table import numbers, read
from moelaws.errors import InputError
from moelaws.fitting.averaging import AVERAGES, DEFAULT, Average, weighed
from moelaws.fitting.estimation import LOG_SQUARES, Fit, Loss, fit
from moelaws.fitting.intervals import expanded, interval
from moelaws.laws import find
from moelaws.laws.base import Law

FOLDS = 8
"""Into how many parts, at most, the ordered values are divided."""

PREDICTED_FOLDS = 2
"""How many of the last parts are predicted, each from all before it."""


@dataclass(frozen=True)
class Scores:
    """How laws do on rows that they were not fitted to.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each law, the best first: `rmse` and `bias` (mean of predicted less observed)
        in the unit of the response, `r2` (share of the variance around the rows' own mean that is
        predicted), and `difference` of the RMSE to the chosen law's with its interval, `low`
        to `high`, over resampled groups of rows.
    warnings : tuple of str
        Laws that these rows do not tell from the chosen one, or put before it.
    """

    table: pd.DataFrame
    warnings: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Comparison:
    """Laws fitted to the same training rows.

    Parameters
    ----------
    fits : dict
        Name of a law → its fit to all training rows.
    out_of_fold : pandas.DataFrame
        The rows that forward validation predicted, with a column of predictions for each law.
    held_out : pandas.DataFrame
        The other rows, as they were given.
    group : str or None
        Column whose equal values are drawn together in the bootstrap of a difference.
    """

    fits: dict[str, Fit]
    out_of_fold: pd.DataFrame
    held_out: pd.DataFrame
    group: str | None

    def __repr__(self) -> str:
        return f"chosen: {self.choice}\n{self.ranking.to_string(float_format='{:.4g}'.format)}"

    @property
    def choice(self) -> str:
        """Of the laws within one standard error of the best in forward validation, that with the fewest parameters.

        The best has the lowest error, and stands first in :attr:`ranking`. The standard error is that of the mean
        difference of squared errors to the best law's, with the rows of a group taken together; differences below a
        millionth of the response are none. Among as many parameters, the lower error decides.
        """
        names: list[str] = self.ranking.index.tolist()
        squares = self._misses(self.out_of_fold, names) ** 2
        excess = squares - squares[:, :1]
        deviations, sizes = self._by_group(self.out_of_fold, excess - excess.mean(axis=0))
        count = len(sizes)
        error = np.sqrt(np.sum(deviations**2, axis=0) * count / max(count - 1, 1)) / len(squares)
        least = 1e-12 * np.mean(self._observed(self.out_of_fold) ** 2)
        close = excess.mean(axis=0) <= np.maximum(error, least)
        return min(
            (name for name, near in zip(names, close, strict=True) if near), key=lambda name: len(self.fits[name].free)
        )

    def average(self, kind: str = DEFAULT) -> Average:
        """Return an average of the laws, one of :data:`moelaws.fitting.averaging.AVERAGES`, from forward validation."""
        names = list(self.fits)
        weights = weighed(self.out_of_fold[names].to_numpy(), self._observed(self.out_of_fold), kind)
        return Average(self.fits, dict(zip(names, weights.tolist(), strict=True)))

    @property
    def ranking(self) -> pd.DataFrame:
        """What the training rows say, the lowest error of forward validation first.

        Where errors agree to six digits, or are below 1e-9, fewer parameters come first.

        Columns: `parameters`; `rmse_train`, of the fit to all training rows; `aicc` and `bic`, from
        the sum of squares of its errors as the loss measures them, taken as normal with a variance
        that counts as one more parameter; `rmse_forward`.
        """
        rows: dict[str, dict[str, float]] = {}
        for name, one in self.fits.items():
            errors = one.problem.errors(one.problem.free(one.coefficients))
            count, estimated = len(errors), len(one.free) + 1
            fitted = count * float(np.log(np.mean(errors**2) + 1e-32))
            room = count - estimated - 1
            rows[name] = {
                "parameters": len(one.free),
                "rmse_train": one.rmse(),
                "aicc": fitted + 2 * estimated * (1 + (estimated + 1) / room) if room > 0 else np.inf,
                "bic": fitted + estimated * np.log(count),
                "rmse_forward": _rmse(self.out_of_fold[name].to_numpy(), self._observed(self.out_of_fold)),
            }
        table = pd.DataFrame.from_dict(rows, orient="index").astype({"parameters": int})
        tied = table.rmse_forward.clip(lower=1e-9).map("{:.6g}".format).astype(float)
        return table.iloc[np.lexsort((table.parameters, tied))]

    def validation(self, draws: int = 1000, seed: int = 0) -> Scores:
        """Return the scores of forward validation, with the differences to the chosen law."""
        return self._scores(self.out_of_fold, list(self.fits), "predicted in forward validation", draws, seed, 0.95)

    def score(
        self,
        draws: int = 1000,
        seed: int = 0,
        level: float = 0.95,
        averages: Sequence[str] = (),
        baseline: str | None = None,
    ) -> Scores:
        """Return the scores on the rows held out, which nothing before has read.

        Parameters
        ----------
        averages : sequence of str
            Averages to be scored beside the laws, see :meth:`average`.
        level : float
            Coverage of the interval of one difference. For a joint coverage of 95 % of those of m laws to the
            chosen one it is ``0.95 ** (1 / m)`` (Šidák).
        baseline : str, optional
            Law that the others are compared with, in place of the chosen one.
        """
        share(level=level)
        whole(2, draws=draws)
        if baseline is not None:
            one_of([*self.fits, *averages], baseline=baseline)
        law = self.fits[self.choice].law
        needed = {name for one in self.fits.values() for name in one.law.columns} | {law.response}
        where = "The table of held-out rows"
        rows = self.held_out.assign(**{name: numbers(self.held_out, name, where) for name in sorted(needed)})
        rows = _predicted(rows, self.fits)
        rows = rows.assign(**{kind: self.average(kind).predict(rows) for kind in averages})
        return self._scores(rows, [*self.fits, *averages], "held out", draws, seed, level, baseline)

    def _scores(
        self,
        rows: pd.DataFrame,
        names: list[str],
        which: str,
        draws: int,
        seed: int,
        level: float,
        baseline: str | None = None,
    ) -> Scores:
        chosen, observed = baseline or self.choice, self._observed(rows)
        misses = self._misses(rows, names)
        squares, sizes = self._by_group(rows, misses**2)
        groups, ends = len(sizes), np.full((2, len(names)), np.nan)
        if groups > 1:
            drawn = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), size=draws)
            errors = np.sqrt(drawn @ squares / (drawn @ sizes)[:, None])
            differences = errors - errors[:, [names.index(chosen)]]
            ends = interval(differences, expanded(level, groups - 1, np.sqrt(groups / (groups - 1))))
        rmse, variance = np.sqrt(np.mean(misses**2, axis=0)), np.var(observed)
        table = pd.DataFrame(
            {
                "rmse": rmse,
                "r2": 1 - rmse**2 / variance if variance > 0 else np.nan,
                "bias": misses.mean(axis=0),
                "difference": rmse - rmse[names.index(chosen)],
                "low": ends[0],
                "high": ends[1],
            },
            index=names,
        ).sort_values("rmse", kind="stable")
        said = () if baseline else tuple(_objections(table, chosen, which, len(rows), groups))
        return Scores(table, said)

    def _observed(self, rows: pd.DataFrame) -> Floats:
        return next(iter(self.fits.values())).law.observed(rows)

    def _misses(self, rows: pd.DataFrame, names: Iterable[str]) -> Floats:
        """Return predicted less observed, shape (rows, names)."""
        return np.asarray(rows[list(names)].to_numpy() - self._observed(rows)[:, None])

    def _by_group(self, rows: pd.DataFrame, values: Floats) -> tuple[Floats, Floats]:
        """Add up the rows of each group; return sums, shape (groups, ...), and numbers of rows."""
        labels = np.arange(len(rows)) if self.group is None else rows[self.group].to_numpy()
        group = pd.factorize(labels, use_na_sentinel=False)[0]
        sums = np.zeros((group.max() + 1, values.shape[1]))
        np.add.at(sums, group, values)
        return sums, np.bincount(group).astype(float)


def compare(
    laws: Sequence[Law | str],
    table: pd.DataFrame | str | os.PathLike[str],
    train: NDArray[np.bool_] | None = None,
    by: str = "n_active",
    loss: Loss = LOG_SQUARES,
    group: str | None = None,
    progress: bool = False,
    holdout: str | None = None,
) -> Comparison:
    """Fit several laws to the same training rows, and validate each forwards along a column.

    The distinct values of `by` in the training rows are put in order and divided into `FOLDS`
    consecutive parts with nearly equal numbers of values (each value its own part if there are no
    more). The last `PREDICTED_FOLDS` parts are each predicted by a fit to all parts before it.

    Parameters
    ----------
    laws : sequence of Law or str
        At least two, or their names, which predict the same column.
    table : pandas.DataFrame or path-like
        Rows with the columns that the laws need, or a file of them.
    train : numpy.ndarray of bool, shape (rows,), optional
        Which rows are fitted; at least one is not.
    by : str
        Column along which is validated, such as ``n_active``.
    group : str, optional
        Column whose equal values, such as the checkpoints of a run, are drawn together in
        bootstraps; by default each row by itself.
    holdout : str, optional
        In place of `train`, which rows are *not* fitted: a condition such as ``"n_active > 4e8"``.

    Examples
    --------
    Losses with a floor, of which a law without one knows nothing:

    >>> from moelaws.laws import LAWS
    >>> sizes, experts = np.meshgrid(np.geomspace(1e7, 1e10, 7), [1.0, 4.0, 16.0, 64.0])
    >>> rows = pd.DataFrame({"n_active": sizes.ravel(), "n_routed": experts.ravel()})
    >>> rows["loss"] = 1.5 + 40 * rows.n_active**-0.2 * rows.n_routed**-0.1
    >>> small = (rows.n_active < 5e9).to_numpy()
    >>> compared = compare([LAWS["power_product"], LAWS["floor_product"]], rows, small, by="n_active")
    >>> compared.choice
    'floor_product'
    >>> compared.score().table.rmse.round(3).to_dict()
    {'floor_product': 0.0, 'power_product': 0.095}
    """
    candidates = [find(law) if isinstance(law, str) else law for law in laws]
    if not isinstance(table, pd.DataFrame):
        table = read(table, sorted({by, *(column for law in candidates for column in (*law.columns, law.response))}))
    if train is None and holdout is not None:
        train = ~where(table, holdout)
    elif train is None or holdout is not None:
        raise InputError("Parameters train and holdout both say which rows are fitted; one of them is expected.")
    _check(candidates, table, train, by, group)
    rows = table[train].reset_index(drop=True)
    values = numbers(rows, by, "The table of training rows")
    folds = np.array_split(np.unique(values), min(len(np.unique(values)), FOLDS))
    if len(folds) <= PREDICTED_FOLDS:
        raise InputError(
            f"Column '{by}' needs more than {PREDICTED_FOLDS} different values in the training rows, "
            f"as the largest are predicted from the others; it has {len(folds)}."
        )
    steps = [(values < fold[0], np.isin(values, fold)) for fold in folds[-PREDICTED_FOLDS:]]
    subsets = [np.ones(len(rows), dtype=bool), *(below for below, _ in steps)]
    tasks = (joblib.delayed(_fitted)(law, rows, subset, loss, by) for subset, law in product(subsets, candidates))
    results = joblib.Parallel(return_as="generator")(tasks)
    made = list(tqdm(results, total=len(subsets) * len(candidates), delay=2, disable=not progress, unit="fit"))
    by_subset = [
        {one.law.name: one for one in made[i : i + len(candidates)]} for i in range(0, len(made), len(candidates))
    ]
    out_of_fold = [_predicted(rows[fold], fits) for fits, (_, fold) in zip(by_subset[1:], steps, strict=True)]
    return Comparison(by_subset[0], pd.concat(out_of_fold, ignore_index=True), table[~train], group)


def _check(laws: Sequence[Law], table: pd.DataFrame, train: NDArray[np.bool_], by: str, group: str | None) -> None:
    names = [law.name for law in laws]
    if len(set(names)) < 2 or len(set(names)) < len(names):
        raise InputError(f"The laws are {', '.join(names) or 'none'}; at least two different ones are expected.")
    if len({law.response for law in laws}) > 1:
        raise InputError(f"The laws {', '.join(names)} predict different columns; the same one is expected.")
    if np.shape(train) != (len(table),) or np.asarray(train).dtype != bool or train.all() or not train.any():
        raise InputError(
            f"Parameter train must be True for some of the {len(table)} rows and False for others, one for each."
        )
    if group is not None and group not in table.columns:
        raise InputError(f"The table has no column '{group}', whose equal values should be drawn together.")
    if taken := {*names, *AVERAGES} & set(table.columns):
        raise InputError(f"The table has a column '{min(taken)}', which is the name of a law or of an average.")


def _fitted(law: Law, rows: pd.DataFrame, subset: NDArray[np.bool_], loss: Loss, by: str) -> Fit:
    try:
        return fit(law, rows[subset], loss)
    except InputError as error:
        which = "the training rows" if subset.all() else f"the training rows with {by} up to {rows[by][subset].max():g}"
        raise InputError(f"Law '{law.name}' cannot be fitted to {which}: {error}") from None


def _predicted(rows: pd.DataFrame, fits: dict[str, Fit]) -> pd.DataFrame:
    return rows.assign(**{name: one.predict(rows) for name, one in fits.items()})


def _rmse(predicted: Floats, observed: Floats) -> float:
    return float(np.sqrt(np.mean((predicted - observed) ** 2)))


def _objections(table: pd.DataFrame, chosen: str, which: str, rows: int, groups: int) -> Iterator[str]:
    """Yield which laws the rows do not tell from the chosen one, and which they put before it."""
    if groups < 2:
        yield f"The {rows} rows {which} are one group, which cannot say whether a difference is more than chance."
    for name, row in table.drop(index=chosen).iterrows():
        found = f"the difference of {row.difference:.2g} in RMSE has the interval {row.low:.2g} to {row.high:.2g}."
        if row.low <= 0 <= row.high:
            yield f"The {rows} rows {which} do not tell {name} from {chosen}: {found}"
        elif row.high < 0:
            yield f"On the {rows} rows {which}, {name} does better than {chosen}, which was chosen: {found}"
