"""Keys of a JSON object, read one by one: the right type in the right range, or one sentence.

A key that is missing and has a default is noted, so that a reader sees what was assumed.
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

    def size(self, *names: str, least: int = 1, most: int = MOST) -> int:
        """Return a whole number, under the first of some names that is there.

        Raises
        ------
        InputError
            If there is none, or it is no whole number from `least` to `most`.
        """
        name = self._present(names)
        expected = f"a whole number from {least} to {most}"
        if name is None:
            raise self.missing(names[0], expected)
        value = self.values[name]
        if type(value) is not int or not least <= value <= most:
            raise self.wrong(name, expected)
        return value

    def size_or(self, default: int, *names: str) -> int:
        """Return a whole number from 0, or the default where the key is missing or null."""
        name = self._present(names)
        return default if name is None or self.values[name] is None else self.size(name, least=0)

    def size_or_null(self, name: str) -> int:
        """Return a positive number, or 0 where the key is null; it has to be there.

        Raises
        ------
        InputError
            If it is missing or something else.
        """
        if name not in self.values:
            raise self.missing(name, "a positive whole number or null")
        return 0 if self.values[name] is None else self.size(name, least=0)

    def flag(self, name: str, default: bool) -> bool:
        """Return a truth value, and note the default where the key is missing.

        Raises
        ------
        InputError
            If it is something else.
        """
        if self.values.get(name) is None:
            self.notes.append(f"Key '{self.within}{name}' is missing; {json.dumps(default)} is assumed.")
            return default
        if not isinstance(self.values[name], bool):
            raise self.wrong(name, "true or false")
        return bool(self.values[name])

    def text(self, name: str, expected: str) -> str:
        """Return a text.

        Raises
        ------
        InputError
            If it is missing, or no text.
        """
        if name not in self.values:
            raise self.missing(name, expected)
        if not isinstance(self.values[name], str):
            raise self.wrong(name, expected)
        return str(self.values[name])

    def items(self, name: str, kind: type) -> list[Any]:
        """Return a list whose items are of one type; empty where the key is missing or null.

        Raises
        ------
        InputError
            If it is something else.
        """
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or any(type(item) is not kind for item in value):
            raise self.wrong(name, f"a list of {'texts' if kind is str else 'whole numbers'}")
        return value

    def inside(self, name: str) -> "Keys":
        """Return the object under a key, whose notes join these.

        Raises
        ------
        InputError
            If it is missing, or no object.
        """
        if name not in self.values:
            raise self.missing(name, "an object")
        if not isinstance(self.values[name], dict):
            raise self.wrong(name, "an object")
        return Keys(self.values[name], self.place, f"{self.within}{name}.", self.notes)

    def missing(self, name: str, expected: str) -> InputError:
        """Return the error for a key that is not there."""
        return InputError(f"{self.place} has no key '{self.within}{name}'; {expected} is expected.")

    def wrong(self, name: str, expected: str) -> InputError:
        """Return the error for a value that cannot be."""
        return InputError(
            f"{self.place}, key '{self.within}{name}': {_shown(self.values[name])} is found; {expected} is expected."
        )

    def _present(self, names: tuple[str, ...]) -> str | None:
        return next((name for name in names if name in self.values), None)


def read(path: str) -> Keys:
    """Read a file that holds one JSON object.

    Raises
    ------
    InputError
        If there is no such file, or it holds something else.
    """
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); a JSON file is expected.") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path} is not JSON; an object such as a model's config.json is expected.") from None
    if not isinstance(value, dict):
        raise InputError(f"{path} holds {_shown(value)}; an object such as a model's config.json is expected.")
    return Keys(value, path)


def _shown(value: object) -> str:
    """Return a value as JSON, cut where it is long."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    shown = json.dumps(value)
    return shown if len(shown) <= 40 else shown[:37] + "..."
