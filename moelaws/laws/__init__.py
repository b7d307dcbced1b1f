"""Published laws: one module per paper, each a set of pure, vectorised functions.

``LAWS`` holds those that can be fitted to a table of runs, by name.
"""

from moelaws.errors import InputError
from moelaws.laws.abnar2025 import Abnar2025
from moelaws.laws.base import Law
from moelaws.laws.clark2022 import Clark2022
from moelaws.laws.dense import Dense
from moelaws.laws.frontier import Frontier
from moelaws.laws.krajewski2024 import Krajewski2024
from moelaws.laws.ludziejewski2025 import Ludziejewski2025
from moelaws.laws.routed import Bilinear, FloorProduct, FloorRational, FloorSaturated, FloorSum, PowerProduct
from moelaws.laws.tian2025 import ActivationLaw, ComputeLaw, GranularityLaw, SeparableLaw, Tian2025
from moelaws.laws.wang2024 import Wang2024
from moelaws.laws.yun2024 import Yun2024, Yun2024Data

LAWS: dict[str, Law] = {
    law.name: law
    for law in (
        Dense(),
        Frontier(),
        Clark2022(),
        PowerProduct(),
        Bilinear(),
        FloorSum(),
        FloorProduct(),
        FloorSaturated(),
        FloorRational(),
        Tian2025(),
        ActivationLaw(),
        GranularityLaw(),
        ComputeLaw(),
        SeparableLaw(),
        Krajewski2024(),
        Ludziejewski2025(),
        Wang2024(),
        Abnar2025(),
        Yun2024(),
        Yun2024Data(),
    )
}
"""Every law of training runs, by name."""


def find(name: str) -> Law:
    """Return the law of a name.

    Raises
    ------
    InputError
        If there is no such law.

    Examples
    --------
    >>> find("dense").columns
    ('n_active', 'n_tokens')
    """
    if name not in LAWS:
        raise InputError(f"There is no law '{name}'; the laws are {', '.join(LAWS)}.")
    return LAWS[name]
