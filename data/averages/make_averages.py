"""Score averages of laws, and the single law, on runs held out.

``python data/averages/make_averages.py`` takes some minutes on one core and writes ``averages.csv`` beside itself. It
reads the public runs of Clark et al. and of Marin where the environment variable MOELAWS_DATA or a download put them.
"""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from moelaws import data, ledger
from moelaws.fitting.averaging import AVERAGES
from moelaws.fitting.comparison import Comparison, compare
from moelaws.laws import LAWS

ROUTERS = ("S-Base", "RL-R", "Hash")
SMALL_LAWS = ("dense", "wang2024", "abnar2025", "yun2024", "ludziejewski2025")
MARIN_LAWS = ("frontier", "dense", "wang2024", "abnar2025")


def comparisons() -> Iterator[tuple[str, str, Comparison]]:
    """Yield set, what is held out, and the comparison."""
    in_size = [law for law in LAWS.values() if law.columns == ("n_active", "n_routed") and law.response == "loss"]
    routed = data.load_runs("clark2022")
    routed = routed[(routed.k == 1) & (routed.routing_frequency == 0.5) & (routed.flop_increase == 1)]
    for router in ROUTERS:
        rows = routed[routed.router == router].assign(n_active=lambda table: table.n_dense)
        for column, largest in (("n_active", 1e9), ("n_routed", 128)):
            train = (rows[column] <= largest).to_numpy(dtype=bool)
            yield f"clark2022, {router}", f"largest {column}", compare(in_size, rows, train, column, group="group")
    rows = data.load_runs("marin").query("table == 'v16_isoflop'")
    rows = rows.assign(activation_ratio=rows.top_k / rows.n_routed)
    laws = [LAWS[name] for name in MARIN_LAWS]
    yield "marin", "largest flops", compare(laws, rows, (rows.flops < 2e20).to_numpy(), "flops")
    rows, laws = ledger.module("small_moe_runs").fitted(), [LAWS[name] for name in SMALL_LAWS]
    rows = rows[rows.plan == "grid"]
    for column, train in (
        ("flops", rows.flops <= rows.flops.quantile(0.75)),
        ("n_routed", rows.n_routed < rows.n_routed.max()),
        ("n_tokens", rows.n_tokens < rows.n_tokens.max()),
    ):
        yield (
            "small_moe_runs",
            f"largest {column}",
            compare(laws, rows, train.to_numpy(), "flops", group="group"),
        )


def scored(compared: Comparison) -> Iterator[dict[str, float | str]]:
    """Yield the errors of each method, and the interval of the difference to the chosen law's error."""
    table = compared.score(averages=AVERAGES).table
    lowest, choice = compared.ranking.index[0], compared.choice
    for method, row in (("lowest", lowest), ("choice", choice), *((kind, kind) for kind in AVERAGES)):
        weights = compared.average(method).weights if method in AVERAGES else {row: 1.0}
        yield {
            "method": method,
            "rmse": table.rmse[row],
            "r2": table.r2[row],
            "difference": table.difference[row],
            "low": table.low[row],
            "high": table.high[row],
            "weights": "; ".join(f"{name} {weight:.3f}" for name, weight in weights.items() if weight >= 5e-4),
        }


def main() -> None:
    """Print the rows as they come, and write the table."""
    found = []
    for name, held, compared in comparisons():
        about = {"set": name, "held_out": held, "rows": len(compared.held_out), "laws": len(compared.fits)}
        rows = pd.DataFrame([about | one for one in scored(compared)])
        print(rows.round(4).to_string(header=False, index=False), flush=True)
        found.append(rows)
    pd.concat(found).to_csv(Path(__file__).with_name("averages.csv"), index=False, float_format="%.5g")


if __name__ == "__main__":
    main()
