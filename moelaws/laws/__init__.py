"""Published laws: one module per paper, each a set of pure, vectorised functions.

``LAWS`` holds those that can be fitted to a table of runs, by name.
"""

from moelaws.laws.base import Law
from moelaws.laws.clark2022 import Clark2022
from moelaws.laws.dense import Dense
from moelaws.laws.routed import Bilinear, FloorProduct, FloorRational, FloorSaturated, FloorSum, PowerProduct

LAWS: dict[str, Law] = {
    law.name: law
    for law in (
        Dense(),
        Clark2022(),
        PowerProduct(),
        Bilinear(),
        FloorSum(),
        FloorProduct(),
        FloorSaturated(),
        FloorRational(),
    )
}
"""Every law of training runs, by name."""
