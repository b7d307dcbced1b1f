"""Fit every law to tables that are hard to fit, and compare with the best of many random starts.

``python data/fit_torture/make_torture.py`` takes about eight minutes of processor time and writes ``torture.csv``
beside itself; with names of designs, only their rows are computed again.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path

import click
import joblib
import numpy as np
import pandas as pd
from scipy import optimize

from moelaws.checks import Floats
from moelaws.data.quantities import QUANTITIES
from moelaws.fitting.estimation import LOG_SQUARES, Loss, fit, huber
from moelaws.laws import LAWS
from moelaws.laws.base import Law

STARTS = 100
RANGES = {name: quantity.span for name, quantity in QUANTITIES.items() if quantity.span}


def scattered(law: Law, rng: np.random.Generator, count: int, share: float = 1.0) -> pd.DataFrame:
    """Rows spread evenly in the logarithm over the middle share of each range."""
    rows = {}
    for name in law.columns:
        low, high = np.log(RANGES[name])
        edge = (1 - share) / 2 * (high - low)
        rows[name] = np.exp(rng.uniform(low + edge, high - edge, count))
    return pd.DataFrame(rows)


def few(law: Law, rng: np.random.Generator) -> pd.DataFrame:
    """Two rows more than parameters."""
    return scattered(law, rng, len(law.parameters) + 2)


def grid(law: Law, rng: np.random.Generator) -> pd.DataFrame:
    """Three values of each column in all combinations, with as many scattered rows as a fit lacks."""
    rows = pd.DataFrame(product(*(np.geomspace(*RANGES[name], 3) for name in law.columns)), columns=law.columns)
    lacking = max(len(law.parameters) + 2 - len(rows), 0)
    return pd.concat([rows, scattered(law, rng, lacking)], ignore_index=True)


def one_size(law: Law, rng: np.random.Generator) -> pd.DataFrame:
    """All rows with the same first column."""
    return scattered(law, rng, 40).assign(**{law.columns[0]: np.sqrt(np.prod(RANGES[law.columns[0]]))})


def two_values(law: Law, rng: np.random.Generator) -> pd.DataFrame:
    """Two values of the first column."""
    return scattered(law, rng, 40).assign(**{law.columns[0]: rng.choice(RANGES[law.columns[0]], 40)})


def isoflop(law: Law, rng: np.random.Generator) -> pd.DataFrame:
    """Three budgets: the second column falls as the first one rises."""
    rows, place = scattered(law, rng, 45, 0.3), rng.uniform(-1, 1, 45)
    budget = np.repeat([-0.15, 0.0, 0.15], 15)
    for sign, name in zip((1, -1), law.columns[:2], strict=False):
        low, high = np.log(RANGES[name])
        rows[name] = np.exp((low + high) / 2 + (high - low) * (budget + 0.3 * sign * place))
    return rows


def follows(law: Law, rng: np.random.Generator) -> pd.DataFrame:
    """All columns rise together, to one per cent."""
    place = np.linspace(0.05, 0.95, 40)
    rows = {
        name: np.exp(np.log(RANGES[name][0]) + place * np.ptp(np.log(RANGES[name])) + 0.01 * rng.normal(size=40))
        for name in law.columns
    }
    return pd.DataFrame(rows)


DESIGNS: dict[str, tuple[Callable[[Law, np.random.Generator], pd.DataFrame], float]] = {
    "scattered": (lambda law, rng: scattered(law, rng, 60), 0.01),
    "exact": (lambda law, rng: scattered(law, rng, 60), 0.0),
    "few": (few, 0.01),
    "grid": (grid, 0.003),
    "one_size": (one_size, 0.01),
    "two_values": (two_values, 0.01),
    "isoflop": (isoflop, 0.003),
    "follows": (follows, 0.01),
    "narrow": (lambda law, rng: scattered(law, rng, 40, 0.05), 0.001),
    "noisy": (lambda law, rng: scattered(law, rng, 50), 0.1),
    "outliers": (lambda law, rng: scattered(law, rng, 60), 0.01),
    "nothing": (lambda law, rng: scattered(law, rng, 40), 0.05),
    "units": (lambda law, rng: scattered(law, rng, 50), 0.01),
}
"""Rows and the noise of the log response."""


def table_of(law: Law, design: str, rng: np.random.Generator) -> pd.DataFrame:
    """Rows of a design with a response that the law made, in the middle of its grid."""
    make, noise = DESIGNS[design]
    rows = make(law, rng)
    if "n_routed" in rows:
        rows["n_routed"] = rows.n_routed.round().clip(lower=1)
    if "activation_ratio" in rows:
        rows["activation_ratio"] = rows.activation_ratio.clip(upper=1)
    shape = np.array([rng.uniform(*np.quantile(parameter.grid, [0.2, 0.8])) for parameter in law.shape])
    size = np.abs(law.terms(shape, rows)).max(axis=0)
    share = rng.uniform(0.2, 1.0, len(law.linear))
    if law.link == "log":  # the sum is a logarithm: some terms lower it
        share *= rng.choice([-0.5, 0.5], len(law.linear))
    made = law.predict(np.concatenate([share / size, shape]), rows)
    if design == "nothing":
        made = np.full(len(rows), 2.5)
    made = made * np.exp(noise * rng.normal(size=len(rows)))
    if design == "outliers":
        made = made * np.where(rng.uniform(size=len(rows)) < 0.05, 1.3, 1.0)
    if design == "units":
        rows = rows.assign(**{name: rows[name] / 1e6 for name in rows if RANGES[name][0] > 1e6})
    return rows.assign(**{law.response: made})


def rival(law: Law, rows: pd.DataFrame, loss: Loss, starts: int, rng: np.random.Generator) -> float:
    """Return the lowest objective from random starts: SciPy on the law's own coefficients, without the fitter."""
    columns, observed = {name: rows[name].to_numpy(float) for name in law.columns}, np.log(law.observed(rows))
    low, high = np.array([(parameter.low, parameter.high) for parameter in law.parameters], dtype=float).T

    def errors(theta: Floats) -> Floats:
        return np.asarray(np.log(np.maximum(law.predict(theta, columns), 1e-300)) - observed)

    def slopes(theta: Floats) -> Floats:
        return np.asarray(law.gradient(theta, columns) / np.maximum(law.predict(theta, columns), 1e-300)[:, None])

    def solved(shape: Floats) -> Floats:
        terms, total = law.terms(shape, columns), law.total(np.exp(observed), shape)
        if law.link != "log":
            terms, total = terms / total[:, None], np.ones(len(total))
        lengths = np.where(np.any(terms, axis=0), np.linalg.norm(terms, axis=0), 1.0)
        if law.link == "log":
            return np.asarray(np.linalg.lstsq(terms / lengths, total, rcond=None)[0] / lengths)
        return np.asarray(optimize.nnls(terms / lengths, total)[0] / lengths)

    def search(theta: Floats, evaluations: int, tolerance: float) -> optimize.OptimizeResult:
        lengths = np.linalg.norm(slopes(theta), axis=0)
        return optimize.least_squares(
            errors,
            theta,
            slopes,
            (low, high),
            x_scale="jac" if loss.delta is None else 1 / np.where(lengths > 0, lengths, 1.0),
            loss="linear" if loss.delta is None else "huber",
            f_scale=loss.delta or 1.0,
            max_nfev=evaluations,
            ftol=tolerance,
            xtol=tolerance,
            gtol=tolerance,
        )

    ends = []
    for _ in range(starts):
        shape = np.array([_drawn(parameter.grid, rng) for parameter in law.shape])
        shape = np.clip(shape, low[len(law.linear) :], high[len(law.linear) :])
        try:
            ends.append(search(np.concatenate([solved(shape), shape]), 25, 1e-8))
        except (ValueError, np.linalg.LinAlgError):  # a start that no float holds
            continue
    best = sorted(ends, key=lambda end: float(end.cost))[:4]
    return min(float(search(end.x, 1000, 1e-15).cost) for end in best)


def _drawn(grid: tuple[float, ...], rng: np.random.Generator) -> float:
    """Draw a shape from its grid and half as far again."""
    low, high = min(grid), max(grid)
    if low > 0 and high > 10 * low:
        return float(np.exp(rng.uniform(np.log(low), np.log(2 * high))))
    return float(rng.uniform(low - (high - low) / 2, high + (high - low) / 2))


def compared(name: str, design: str, starts: int = STARTS) -> dict[str, object]:
    """Return one row: what the fit says of itself, and how it compares."""
    law, key = LAWS[name], [list(LAWS).index(name), list(DESIGNS).index(design)]
    rows = table_of(law, design, np.random.default_rng(key))
    loss = LOG_SQUARES if sum(key) % 3 else huber(1e-3)
    with np.errstate(all="ignore"):
        lowest = rival(law, rows, loss, starts, np.random.default_rng([1, *key]))
    found = fit(law, rows, loss)
    return {
        "design": design,
        "law": name,
        "rows": len(rows),
        "loss": "squares" if loss.delta is None else "huber",
        "objective": found.objective,
        "rival": lowest,
        "excess": (found.objective - lowest) / max(lowest, 1e-16 * len(rows)),
        "disagreement": found.disagreement,
        "status": found.status,
    }


def cells(designs: Sequence[str]) -> Iterator[dict[str, object]]:
    """Yield one row after another."""
    tasks = (joblib.delayed(compared)(name, design) for design in designs for name in LAWS)
    yield from joblib.Parallel(n_jobs=-1, return_as="generator")(tasks)


@click.command()
@click.argument("designs", nargs=-1, type=click.Choice(list(DESIGNS)))
def main(designs: tuple[str, ...]) -> None:
    """Print the rows of some designs, or of all, as they come, and write the table."""
    asked = designs or tuple(DESIGNS)
    path = Path(__file__).with_name("torture.csv")
    found = pd.read_csv(path).query("design not in @asked").to_dict("records") if path.exists() else []
    for row in cells(asked):
        print(row["design"], row["law"], f"{row['excess']:.1e}", row["status"], flush=True)
        found.append(row)
        if row["law"] == list(LAWS)[-1]:
            pd.DataFrame(found).to_csv(path, index=False)


if __name__ == "__main__":
    main()
