"""Laws of training runs: published ones, one module per paper, and the forms that they have to beat.

``LAWS`` holds, by name, every law that a module of this package declares.
"""

from importlib import import_module
from pkgutil import iter_modules

from moelaws.errors import InputError
from moelaws.laws.base import Law as Law


def _found() -> dict[str, Law]:
    laws: dict[str, Law] = {}
    for module in iter_modules(__path__):
        for value in vars(import_module(f"{__name__}.{module.name}")).values():
            if isinstance(value, Law) and laws.setdefault(value.name, value) is not value:
                raise ImportError(f"Two laws have the name '{value.name}'.")
    return laws


LAWS: dict[str, Law] = _found()
"""Every law of training runs, by name."""


def find(name: str) -> Law:
    """Return the law of a name, or refuse the name.

    Examples
    --------
    >>> find("dense").columns
    ('n_active', 'n_tokens')
    """
    if name not in LAWS:
        raise InputError(f"There is no law '{name}'; the laws are {', '.join(LAWS)}.")
    return LAWS[name]
