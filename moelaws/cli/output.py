"""What commands print: JSON that any reader takes, and warnings."""

import json
import math
from collections.abc import Iterable
from typing import Any

import click


def echo_json(report: Any) -> None:
    """Print JSON, in which a number that is infinite or undefined is null."""
    click.echo(json.dumps(_plain(report), indent=2, ensure_ascii=False, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def echo_warnings(sentences: Iterable[str]) -> None:
    """Print each sentence beside the results, not among them."""
    for sentence in sentences:
        click.echo(f"Warning: {sentence}", err=True)
