"""Keys of a JSON object, read one by one: the right type in the right range, or one sentence.

A key that is missing and has a default is noted, so that a reader sees what was assumed; which keys were
read is kept, so that those that were not can be named.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moelaws.errors import InputError

MOST = 10**9
"""The largest size that is believed; a misplaced number should not become a model."""


@dataclass(frozen=True)
class Keys:
    """An object of a JSON file, with its place for messages.

    Parameters
    ----------
    values : mapping
        The object.
    place : str
        What messages call the file.
    within : str
        Names of the objects around this one, each followed by a point.
    notes : list of str
        Sentences on what was assumed; reading adds to it.
    seen : set of str
        Names of the keys that were asked for.
    inner : list of Keys
        Objects within it that were read.

    Examples
    --------
    >>> keys = Keys({"hidden_size": 4096}, "config.json")
    >>> keys.size("hidden_size"), keys.flag("tie_word_embeddings", False)
    (4096, False)
    >>> keys.notes
    ["Key 'tie_word_embeddings' is missing; false is assumed."]
    """

    values: Mapping[str, Any]
    place: str
    within: str = ""
    notes: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    inner: "list[Keys]" = field(default_factory=list)

    def get(self, name: str) -> Any:
        """Return what stands under a key; None where it is missing or null."""
        self.seen.add(name)
        return self.values.get(name)

    def has(self, name: str) -> bool:
        """Tell whether something but null stands under a key."""
        return self.get(name) is not None

    def size(self, *names: str, least: int = 1, most: int = MOST) -> int:
        """Return a whole number from `least` to `most`, under the first of some names that is there."""
        there = [name for name in names if name in self.values]
        self.seen.update(there)
        expected = f"a whole number from {least} to {most}"
        if not there:
            raise self.missing(names[0], expected)
        value = self.values[there[0]]
        if isinstance(value, list) and value and all(one == value[0] for one in value):
            value = value[0]  # one for each layer, all the same
        if type(value) is not int or not least <= value <= most:
            raise self.wrong(there[0], expected)
        for other in there[1:]:
            if self.values[other] not in (None, value):
                raise self.wrong(other, f"the value of key '{self.within}{there[0]}', {value},")
        return value

    def size_or(self, default: int, *names: str, least: int = 0) -> int:
        """Return a whole number, or the default where all keys are missing or null."""
        there = next((name for name in names if self.has(name)), None)
        return default if there is None else self.size(there, least=least)

    def size_or_null(self, *names: str) -> int:
        """Return a whole number from 0, also where the key is null; it has to be there."""
        if not any(name in self.values for name in names):
            raise self.missing(names[0], "a positive whole number or null")
        there = next((name for name in names if self.has(name)), None)
        return 0 if there is None else self.size(there, *(name for name in names if name != there), least=0)

    def flag(self, name: str, default: bool) -> bool:
        """Return a truth value, and note the default where the key is missing."""
        value = self.get(name)
        if value is None:
            self.notes.append(f"Key '{self.within}{name}' is missing; {json.dumps(default)} is assumed.")
            return default
        if not isinstance(value, bool):
            raise self.wrong(name, "true or false")
        return value

    def text(self, name: str, expected: str) -> str:
        """Return a text."""
        if name not in self.values:
            raise self.missing(name, expected)
        if not isinstance(self.get(name), str):
            raise self.wrong(name, expected)
        return str(self.values[name])

    def items(self, name: str, kind: type) -> list[Any] | None:
        """Return a list whose items are of one type; None where the key is missing or null."""
        value = self.get(name)
        if value is not None and (not isinstance(value, list) or any(type(item) is not kind for item in value)):
            raise self.wrong(name, f"a list of {'texts' if kind is str else 'whole numbers'}")
        return value

    def inside(self, name: str, inherited: Mapping[str, Any] | None = None) -> "Keys":
        """Return the object under a key, whose notes join these; with `inherited` keys where it has none."""
        if name not in self.values:
            raise self.missing(name, "an object")
        if not isinstance(self.get(name), dict):
            raise self.wrong(name, "an object")
        within = f"{self.within}{name}."
        known = next((one for one in self.inner if one.within == within), None)
        if known is None:
            known = Keys({**(inherited or {}), **self.values[name]}, self.place, within, self.notes)
            self.inner.append(known)
        return known

    def missing(self, name: str, expected: str) -> InputError:
        """Return the error for a key that is not there."""
        return InputError(f"{self.place} has no key '{self.within}{name}'; {expected} is expected.")

    def wrong(self, name: str, expected: str) -> InputError:
        """Return the error for a value that cannot be."""
        return InputError(
            f"{self.place}, key '{self.within}{name}': {_shown(self.values[name])} is found; {expected} is expected."
        )


def read(path: Path, most_bytes: int = 2**26) -> Keys:
    """Read a file that holds one JSON object."""
    what = "an object such as a model's config.json is expected."
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is no file; {what}")
        if path.exists() and path.stat().st_size > most_bytes:
            raise InputError(f"{path} has more than {most_bytes} bytes; {what}")
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); a JSON file is expected.") from None
    except InputError:
        raise
    except (ValueError, RecursionError):
        raise InputError(f"{path} is not JSON; {what}") from None
    if not isinstance(value, dict):
        raise InputError(f"{path} holds {_shown(value)}; {what}")
    return Keys(value, str(path))


def _shown(value: object) -> str:
    """Return a value as JSON, cut where it is long."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    shown = json.dumps(value)
    return shown if len(shown) <= 40 else shown[:37] + "..."
