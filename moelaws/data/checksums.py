"""The SHA-256 that a data package pins of each of its tables, so that a changed cell is noticed before it is used."""

import os
import re
from hashlib import sha256
from pathlib import Path

import yaml

from moelaws.errors import InputError


def digest(path: Path) -> str:
    """Return a file's hash as the Data Package standard writes it."""
    return f"sha256:{sha256(path.read_bytes()).hexdigest()}"


def pinned(path: Path) -> str | None:
    """Return the hash that the data package beside a table pins of it, if there is one."""
    package = path.with_name("datapackage.yaml")
    if not package.exists():
        return None
    resources = yaml.safe_load(package.read_text(encoding="utf-8"))["resources"]
    return next((table.get("hash") for table in resources if table.get("path") == path.name), None)


def check(path: Path, expected: str | None) -> None:
    """Refuse a table that is not the one meant; what no hash is pinned of is not held to one."""
    if expected and path.exists() and digest(path) != expected:
        raise InputError(
            f"{path}: the table is not the one whose hash its datapackage.yaml holds; undo the change, or accept it on "
            "purpose with 'python book/tools/accept.py data'."
        )


def pin(path: Path) -> None:
    """Write the hash of a table, as it is now, into the data package beside it, if that describes the table."""
    package = path.with_name("datapackage.yaml")
    if package.exists():
        before = package.read_text(encoding="utf-8")
        entry = re.compile(rf"^( +)path: {re.escape(path.name)}\n(?: +hash: .*\n)?", re.MULTILINE)
        after = entry.sub(rf"\1path: {path.name}\n\1hash: {digest(path)}\n", before)
        partial = package.with_suffix(".partial")
        partial.write_text(after, encoding="utf-8", newline="\n")
        os.replace(partial, package)
