"""Claims on published fits, and what the chapter on fitting shows beside them."""

from functools import cache

import numpy as np
import pandas as pd
from scipy import stats

from moelaws import data
from moelaws.fitting import intervals as uncertainty
from moelaws.fitting.comparison import compare
from moelaws.fitting.estimation import LOG_SQUARES, Loss, fit, huber
from moelaws.laws import LAWS
from moelaws.laws.clark2022 import PUBLISHED
from moelaws.laws.dense import BESIROGLU
from moelaws.ledger import Result, claim
from moelaws.ledger.claims import Ledger

DENSE, CLARK = LAWS["dense"], LAWS["clark2022"]
KEYS = ("E", "A", "B", "alpha", "beta")
LEFT_OUT = 5  # runs of highest loss that the published refit leaves out
ROUTED_LAWS = [law for law in LAWS.values() if law.columns == ("n_active", "n_routed")]


# The dense law, on the points of a figure of Hoffmann et al.


@cache
def points():
    """All points, the highest loss last."""
    return data.load_runs("chinchilla").sort_values("loss", kind="stable")


def without(count):
    """The points without some of the highest losses."""
    return points().iloc[: len(points()) - count]


WAYS = {  # the loss that is minimised, and how many runs are left out
    "squares of the loss": (Loss("linear"), LEFT_OUT),
    "squares of the log": (LOG_SQUARES, LEFT_OUT),
    "Huber, 0.01": (huber(1e-2), LEFT_OUT),
    "Huber, 0.001": (huber(1e-3), LEFT_OUT),
    "absolute errors": (huber(1e-6), LEFT_OUT),  # so narrow that the loss is that of absolute errors
    "Huber, 0.001, all runs": (huber(1e-3), 0),
    "squares of the log, all runs": (LOG_SQUARES, 0),
}


@cache
def way(name):
    """The dense law fitted in one way."""
    loss, left_out = WAYS[name]
    return fit(DENSE, without(left_out), loss)


@cache
def way_ranges(name):
    """Bootstrap intervals of a way's coefficients over runs."""
    return uncertainty.refits(way(name), by="run", draws=100).ranges()


def stated(key):
    """A coefficient at the optimum of the stated objective, and why it is not the printed one."""
    published, absolute = way("Huber, 0.001"), way("absolute errors")
    above = 100 * (published.problem.objective(DENSE.theta(BESIROGLU)) / published.objective - 1)
    return Result(
        published.values[key],
        f"The stated objective is {above:.2f} % higher at the printed coefficients than at its optimum; absolute "
        "errors give "
        f"{absolute.values[key]:.4g}, so that the printed values belong to another objective (C06).",
    )


@claim("fitting-C01")
def irreducible_loss():
    return stated("E")


@claim("fitting-C02")
def size_term():
    return stated("A")


@claim("fitting-C03")
def data_term():
    return stated("B")


@claim("fitting-C04")
def exponent_of_size():
    return stated("alpha")


@claim("fitting-C05")
def exponent_of_data():
    return stated("beta")


@claim("fitting-C06")
def absolute_errors():
    values = way("absolute errors").values
    return Result(
        [values[key] for key in KEYS], "Two of the five round to another last digit, by less than one in a thousand."
    )


# Clark et al.


@cache
def grid():
    """The main grid of Clark et al.; the law's size is that of the dense model."""
    runs = data.load_runs("clark2022").query("k == 1 and routing_frequency == 0.5 and flop_increase == 1")
    return runs.assign(n_active=runs.n_dense)


@cache
def router(name):
    """Clark's law fitted to the runs of one router and the dense ones, and its refits."""
    runs = grid()
    found = fit(CLARK, runs[runs.router.isin([name, "Dense"])])
    return found, uncertainty.refits(found, by="run", draws=200)


@cache
def seeds():
    """Standard deviation of three dense runs that differ in their seed only, nats."""
    runs = grid()
    return float(runs[(runs.router == "Dense") & np.isclose(runs.n_dense, 132e6, rtol=0.01)].loss.std())


def compatible(name):
    """Whether the published coefficients of a router lie inside the intervals of the refit."""
    found, draws = router(name)
    ends = draws.ranges()
    inside = [low <= PUBLISHED[name][key] <= high for key, (low, high) in ends.items()]
    published = CLARK.predict(CLARK.theta(PUBLISHED[name]), found.table)
    miss = float(np.sqrt(np.mean((published - found.table.loss) ** 2)))
    rounding = 10 ** (0.0005 * np.log10(found.table.n_active) * np.log10(found.table.n_routed)).max() - 1
    return Result(
        all(inside),
        f"{sum(inside)} of {len(inside)} inside; E_max is known within a factor of "
        f"{ends['E_max'][1] / ends['E_max'][0]:.0f} only. "
        f"The law misses the runs by {miss:.4f} nats with the published coefficients, by {found.rmse():.4f} with the "
        f"refitted ones; half of the last printed digit of c alone moves a loss by up to {100 * rounding:.0f} %.",
    )


@claim("fitting-C07")
def s_base():
    return compatible("S-Base")


@claim("fitting-C08")
def rl_r():
    return compatible("RL-R")


@claim("fitting-C09")
def hash_router():
    return compatible("Hash")


@claim("fitting-C10")
def where_routing_stops_helping():
    # Half of the last digit of b and c, both printed to three decimals.
    corners = np.array([(b, c) for b in (-0.0005, 0, 0.0005) for c in (-0.0005, 0, 0.0005)])
    values, ends = [], []
    for coefficients in PUBLISHED.values():
        b, c = coefficients["b"] + corners[:, 0], coefficients["c"] + corners[:, 1]
        sizes = 10 ** (-b / c) / 1e9
        values.append(10 ** (-coefficients["b"] / coefficients["c"]) / 1e9)
        ends.append((sizes.min(), sizes.max()))
    refitted = {name: 10 ** (-f.values["b"] / f.values["c"]) / 1e9 for name in PUBLISHED for f in [router(name)[0]]}
    return Result(
        values,
        "The interval is what the rounding of b and c leaves open; by their printed digits alone the sizes differ. "
        "The refit gives " + ", ".join(f"{size:.0f} ({name})" for name, size in refitted.items()) + ".",
        ends,
    )


@claim("fitting-C11")
def dense_exponent():
    runs = grid().query("router == 'Dense'")
    line = stats.linregress(np.log(runs.n_active), np.log(runs.loss))
    reach = stats.t.ppf(0.975, len(runs) - 2) * line.stderr
    return Result(
        -line.slope,
        f"{len(runs)} dense runs; the size constant comes out as {np.exp(line.intercept / -line.slope):.3g}.",
        (-line.slope - reach, -line.slope + reach),
    )


# Laws in size and experts, outside the rows that they were fitted to


def r_squared(found, rows):
    """Share of the variance of the loss that a law explains on some rows."""
    return 1 - np.sum((found.predict(rows) - rows.loss) ** 2) / np.sum((rows.loss - rows.loss.mean()) ** 2)


@cache
def by_router():
    """R² of each law inside the rows it was fitted to, and on the largest size, for each router."""
    rows = []
    for name in PUBLISHED:
        only = grid()[grid().router == name]
        train, test = only[only.n_active < 1e9], only[only.n_active > 1e9]
        for law in ROUTED_LAWS:
            found = fit(law, train)
            rows.append((law.name, name, r_squared(found, train), r_squared(found, test)))
    return pd.DataFrame(rows, columns=["law", "router", "inside", "outside"])


@cache
def benchmark():
    """The training and the test rows of the benchmark SLDBench."""
    rows = data.load_runs("sldbench")
    return rows[rows.split == "train"], rows[rows.split == "test"]


@cache
def comparison():
    """All laws in size and experts on the benchmark, ranked inside its training rows."""
    rows = pd.concat(benchmark())
    return compare(ROUTED_LAWS, rows, (rows.split == "train").to_numpy(), by="n_active", group="run")


@cache
def blind():
    """The law chosen blind: its name, its R² on the test rows, and the 95 % interval with the choice repeated."""
    chosen, repeated = comparison().ranking.index[0], data.load("blind_test/blind_test")
    low, high = uncertainty.interval(repeated.r2.to_numpy())
    return chosen, r_squared(comparison().fits[chosen], benchmark()[1]), low, high


@cache
def scores(joint=False):
    """What every law has on the test rows, with differences to the chosen one; joint intervals hold together."""
    return comparison().score(level=0.95 ** (1 / (len(ROUTED_LAWS) - 1)) if joint else 0.95).table


def lead(name):
    """By how much the better of a law and the chosen one has the lower error, with a joint interval, in words."""
    value, low, high = scores(joint=True).loc[name, ["difference", "low", "high"]]
    better = (value, low, high) if value > 0 else (-value, -high, -low)
    return "{:.4f} ({:.4f} to {:.4f})".format(*better)


def ceiling():
    """R² that no function of size and experts can exceed, as routers and widths share a cell."""
    test = benchmark()[1]
    means = test.groupby("n_routed").loss.transform("mean")
    return 1 - np.sum((test.loss - means) ** 2) / np.sum((test.loss - test.loss.mean()) ** 2)


def human():
    """The printed score of the human law."""
    return Ledger("fitting").printed("fitting-C12")[0].value


@claim("fitting-C12")
def human_law():
    return Result(
        scores().r2["clark2022"],
        "The form of the human law is not given with its score; Clark's law, fitted to the training rows, gives this.",
    )
