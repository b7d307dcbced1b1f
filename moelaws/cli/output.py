"""What commands print, JSON that any reader takes and warnings, and lists that options take."""

import json
import math
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from moelaws.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")


def printable(text: str, replaced: Callable[[str], str] = lambda letter: " ") -> str:
    """Return a text whose letters all are seen, but for the ends of its lines.

    A name out of a file may hold what a terminal obeys, or half of a letter, which cannot be written.
    """
    return "".join(letter if letter.isprintable() or letter == "\n" else replaced(letter) for letter in text)


def echo(text: str, err: bool = False) -> None:
    """Print a text, whatever the names are that it took out of a file."""
    click.echo(printable(text), err=err)


def echo_json(report: Any) -> None:
    """Print JSON, in which a number that is infinite or undefined is null."""
    text = json.dumps(_finite(report), indent=2, ensure_ascii=False, allow_nan=False)
    click.echo(printable(text, lambda letter: json.dumps(letter)[1:-1]))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def echo_warnings(sentences: Iterable[str]) -> None:
    """Print each sentence beside the results, not among them."""
    for sentence in sentences:
        echo(f"Warning: {sentence}", err=True)


def numbers_of(text: str, option: str) -> list[float]:
    """Return the numbers of an option such as ``1,8,64``."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"Option {option} is '{text}'; numbers separated by commas are expected.") from None


def pairs_of(texts: Iterable[str], option: str) -> dict[str, str]:
    """Return names and texts of an option that is given as ``NAME=TEXT``, once for each name."""
    pairs: dict[str, str] = {}
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        if not (name and value) or name in pairs:
            raise InputError(f"Option {option} is '{text}'; NAME=VALUE is expected, once for each name.")
        pairs[name] = value
    return pairs


def values_of(texts: Iterable[str], option: str) -> dict[str, float]:
    """Return names and finite numbers of an option that is given as ``NAME=NUMBER``, once for each name."""
    return {name: _number(text, option) for name, text in pairs_of(texts, option).items()}


def _number(text: str, option: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"Option {option} has '{text[:40]}'; a number is expected.")
    return number


PICTURES = (".png", ".svg", ".pdf")
"""How the name of a picture ends."""


def check_picture(path: str) -> None:
    """Refuse a file that :func:`write_picture` could not write, before time is spent on what it shows."""
    target = Path(path)
    if target.suffix.lower() not in PICTURES:
        raise InputError(f"'{path[:200]}': the name of a picture ends in {', '.join(PICTURES)}.")
    try:
        if target.is_symlink() or (target.exists() and not target.is_file()):
            raise InputError(f"{path}: this is a link or a folder; a file is expected.")
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".moelaws-") as scratch:
            Path(scratch, target.name).touch()
    except InputError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path[:200]}: the file cannot be written ({reason}).") from None


def write_picture(figure: "Figure", path: str) -> None:
    """Write a figure, all of it or nothing."""
    target = Path(path)
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".moelaws-") as scratch:
            made = Path(scratch, target.name)
            figure.savefig(made)
            made.replace(target)
    except OSError as error:
        raise InputError(f"{path}: the file cannot be written ({error.strerror}).") from None
