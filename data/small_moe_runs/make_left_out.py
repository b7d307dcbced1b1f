"""Score every candidate law on regions of the runs that it was not fitted to.

``python data/small_moe_runs/make_left_out.py`` takes about two minutes on one core and writes ``left_out.csv`` beside
itself. What a region is, and what its scores decide, stands in the README of this folder.
"""

from pathlib import Path

import pandas as pd

from moelaws import ledger
from moelaws.data import write


def scored(region: str) -> pd.DataFrame:
    """Return a row for each law: its error on a region, and the difference to the law without experts."""
    claims = ledger.module("small_moe_runs")
    compared, table = claims.left_out(region), claims.scores(region)
    held_out = compared.held_out
    return pd.DataFrame(
        {
            "region": region,
            "runs": len(held_out),
            "shapes": held_out.group.nunique(),
            "widths": held_out.d_model.nunique(),
            "law": table.index,
            "chosen": ["yes" if law == compared.choice else "no" for law in table.index],
            **{name: table[name].round(4).to_numpy() for name in ("rmse", "difference", "low", "high")},
        }
    )


if __name__ == "__main__":
    regions = ledger.module("small_moe_runs").regions()
    table = pd.concat([scored(region) for region in regions], ignore_index=True)
    write(table.to_csv(index=False), Path(__file__).with_name("left_out.csv"), "small_moe_runs/left_out")
