"""Files from outside: opened as bytes on this machine, within limits, and never followed elsewhere."""

import errno
import gzip
import io
import json
import os
import re
import stat
import sys
import zlib
from pathlib import Path
from typing import Any

import yaml

from moelaws.errors import InputError

LARGEST = 2**30
"""Bytes of a table that are read, after unpacking."""

LARGEST_DOCUMENT = 2**22
"""Bytes of a JSON or YAML document that are read."""

_FORMATS = {
    b"PK\x03\x04": "a zip archive or a spreadsheet; unpack it, or save it as CSV",
    b"\xfd7zXZ": "an xz archive; unpack it first",
    b"\x28\xb5\x2f\xfd": "a zstd archive; unpack it first",
    b"BZh91AY&SY": "a bz2 archive; unpack it first",
    b"\xff\xfe": "UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8",
    b"\x1f\x8b": "packed twice; unpack it first",
    b"version https://git-lfs": "a pointer of Git LFS, not the file itself; git lfs pull fetches that",
}


def contents(path: str | os.PathLike[str], largest: int = LARGEST) -> bytes:
    """Return the bytes of a local file, or of standard input for ``-``; those of gzip are unpacked.

    An address such as ``https://…`` is refused: nothing is opened but what lies on this machine.

    Examples
    --------
    >>> contents("s3://bucket/runs.csv")
    Traceback (most recent call last):
    moelaws.errors.InputError: s3://bucket/runs.csv: remote addresses are not read; download the file and give its path.
    """
    name = os.fspath(path)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", name):
        raise InputError(f"{name}: remote addresses are not read; download the file and give its path.")
    if name == "-" and sys.stdin is None:
        raise InputError("-: standard input is closed; a table is expected there.")
    try:
        raw = sys.stdin.buffer.read(largest + 1) if name == "-" else _regular(name, largest)
        if raw.startswith(b"\x1f\x8b"):
            raw = gzip.GzipFile(fileobj=io.BytesIO(raw)).read(largest + 1)
    except FileNotFoundError:
        raise InputError(f"{name}: there is no such file.") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise InputError(f"{name}: the gzip file is damaged or cut off.") from None
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise InputError(f"{name[:200]}: the file cannot be read ({reason[:1].lower()}{reason[1:]}).") from None
    if len(raw) > largest:
        raise InputError(f"{name}: the file is larger than {largest / 2**20:.0f} MiB, which is the most that is read.")
    for magic, what in _FORMATS.items():
        if raw.startswith(magic):
            raise InputError(f"{name}: the file is {what}.")
    if raw[257:262] == b"ustar":
        raise InputError(f"{name}: the file is a tar archive; unpack it first.")
    return raw


def _regular(name: str, largest: int) -> bytes:
    mode = os.stat(name).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "is a directory")
    if not stat.S_ISREG(mode):
        raise ValueError("it is no regular file; '-' reads standard input")
    with open(name, "rb") as file:
        return file.read(largest + 1)


def text(raw: bytes, where: str | os.PathLike[str]) -> str:
    """Return bytes as the UTF-8 text that they are, without a byte order mark."""
    if b"\0" in raw:
        raise InputError(f"{where}: the file is binary; text in UTF-8 is expected.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(
            f"{where}, line {line}: byte 0x{raw[error.start]:02x} is not UTF-8; save it as UTF-8."
        ) from None


def document(path: str | os.PathLike[str]) -> Any:
    """Return what a JSON or, by its name, YAML file holds."""
    written = text(contents(path, LARGEST_DOCUMENT), path)
    is_yaml = Path(path).suffix in (".yaml", ".yml")
    try:
        return yaml.safe_load(written) if is_yaml else json.loads(written)
    except (RecursionError, ValueError, yaml.YAMLError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())
        raise InputError(f"{path}: this is no {'YAML' if is_yaml else 'JSON'} ({reason[:200].rstrip('.')}).") from None


def within(folder: Path, name: str, where: str | os.PathLike[str]) -> Path:
    """Return the path of a name below a folder, or refuse one that leaves it, by a link as well.

    Parameters
    ----------
    folder : pathlib.Path
        What may not be left.
    name : str
        A relative path, as a file of `where` gives it.
    where : path-like
        The file that the sentence about a mistake names.

    Examples
    --------
    >>> within(Path("data"), "../secret.csv", "datapackage.yaml")
    Traceback (most recent call last):
    moelaws.errors.InputError: datapackage.yaml: path '../secret.csv' leaves the folder 'data'.
    """
    path = folder / str(name)
    if "\0" in str(name) or not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{where}: path {str(name)!r} leaves the folder '{folder.resolve().name}'.")
    return path
