"""Files of public training runs: where each is found, and that it is the one meant.

Nothing of it is in the repository. ``data/public_runs/registry.yaml`` pins every file by its
SHA-256. A file is looked for in the folder that the environment variable ``MOELAWS_DATA``
names, then in the user's cache, and is otherwise downloaded from its public address.
"""

import logging
import os
import re
import warnings
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from moelaws.data import files as outside
from moelaws.errors import InputError, Unavailable
from moelaws.paths import ROOT

with warnings.catch_warnings():
    # The progress bar that it brings warns in a notebook without widgets.
    warnings.simplefilter("ignore")
    import pooch

VARIABLE = "MOELAWS_DATA"
REGISTRY = ROOT / "data" / "public_runs" / "registry.yaml"
WHEREABOUTS = {
    "folder": f"in the folder {VARIABLE}",
    "cache": "in the cache",
    "download": "to be downloaded",
    "missing": f"not here, to be put into the folder {VARIABLE}",
}
"""Where a file is, from the nearest to the farthest, and how that is said."""


def _cache() -> Path:
    return Path(pooch.os_cache("moelaws"))


@dataclass(frozen=True)
class PublicFile:
    """One file that others published.

    Attributes
    ----------
    path : str
        ``folder/file``, its place below the folder ``MOELAWS_DATA``.
    sha256 : str
        Hash of the file, wherever it comes from.
    address : str
        Where the unchanged file is public, or empty where it was put together from several.
    origin : str
        For such a file, what it was put together from.
    """

    path: str
    sha256: str
    address: str = ""
    origin: str = ""

    def __post_init__(self) -> None:
        where = REGISTRY.relative_to(ROOT)
        if PurePosixPath(self.path).is_absolute() or ".." in PurePosixPath(self.path).parts:
            raise InputError(f"{where}: path '{self.path}' leaves the folder of the data.")
        if not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise InputError(f"{where}: {self.path} has the hash '{self.sha256}'; a SHA-256 is expected.")
        if self.address and not self.address.startswith("https://"):
            raise InputError(f"{where}: {self.path} has the address '{self.address}'; one of https:// is expected.")

    @property
    def whereabouts(self) -> str:
        """Where the file is, one of :data:`WHEREABOUTS`; its hash is not looked at."""
        if self._in_folder.is_file():
            return "folder"
        if self.address and self._in_cache.is_file():
            return "cache"
        return "download" if self.address else "missing"

    @property
    def here(self) -> Path | None:
        """The file on this machine, or None."""
        return {"folder": self._in_folder, "cache": self._in_cache}.get(self.whereabouts)

    def fetch(self) -> Path:
        """Return the file, downloaded if need be."""
        if self.whereabouts == "folder":
            return self._checked(self._in_folder)
        if not self.address:
            raise Unavailable(
                f"{self.path} is not here, and is no single public file ({self.origin}): "
                f"{VARIABLE} can name a folder that holds it."
            )
        # Its greeting would stand among the outputs of a chapter.
        pooch.get_logger().setLevel(logging.WARNING)
        try:
            pooch.retrieve(self.address, f"sha256:{self.sha256}", self._in_cache.name, self._in_cache.parent)
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split()).rstrip(".")
            raise Unavailable(
                f"{self.path} is not here and could not be downloaded from {self.address} ({reason}): "
                f"{VARIABLE} can name a folder that holds it."
            ) from None
        return self._in_cache

    @property
    def _in_folder(self) -> Path:
        # An empty or unset variable names no folder. A relative one may not depend on the current
        # folder, which is another one in a chapter.
        folder = os.environ.get(VARIABLE) or os.devnull
        return (ROOT / Path(folder).expanduser()).resolve() / self.path

    @property
    def _in_cache(self) -> Path:
        return _cache().resolve() / self.path

    def _checked(self, path: Path) -> Path:
        found = sha256(path.read_bytes()).hexdigest()
        if found != self.sha256:
            raise InputError(
                f"{path}: the file has SHA-256 {found[:12]}…, expected is {self.sha256[:12]}… as registered "
                "in data/public_runs/registry.yaml."
            )
        return path


@dataclass(frozen=True)
class RunSet:
    """Public training runs of one source.

    Attributes
    ----------
    title, citation, licence : str
        What they are, whom to cite, and under which terms they are published.
    source : str
        Repository and commit.
    notes : tuple of str
        What to know before using them.
    files : tuple of PublicFile
        What is read.
    columns : tuple of dict
        Columns beyond those of every table of runs.
    """

    title: str
    citation: str
    licence: str
    source: str
    notes: tuple[str, ...]
    files: tuple[PublicFile, ...]
    columns: tuple[dict[str, Any], ...] = ()

    @property
    def whereabouts(self) -> str:
        """Where the file is that is farthest away, one of :data:`WHEREABOUTS`."""
        return max((file.whereabouts for file in self.files), key=list(WHEREABOUTS).index)


@cache
def sets() -> dict[str, RunSet]:
    """Return the registered sets of public runs by name."""
    entries = outside.document(REGISTRY)
    return {
        name: RunSet(
            title=entry["title"],
            citation=entry["citation"],
            licence=entry["licence"],
            source=entry["source"],
            notes=tuple(entry["notes"]),
            files=tuple(PublicFile(**file) for file in entry["files"]),
            columns=tuple(entry.get("columns", ())),
        )
        for name, entry in entries.items()
    }


def find(name: str) -> RunSet:
    """Return one set of public runs.

    Examples
    --------
    >>> find("clark2022").licence
    'CC-BY-4.0'
    """
    if name not in sets():
        raise InputError(f"There are no public runs '{name}'; there are {', '.join(sets())}.")
    return sets()[name]


@cache
def by_label() -> dict[str, PublicFile]:
    """Return every registered file by the label under which a notebook records it.

    Examples
    --------
    >>> by_label()["public_runs/clark2022/curves.csv.gz"].path
    'clark2022_routed_lm/curves.csv.gz'
    """
    files: dict[str, PublicFile] = {}
    for name, runs in sets().items():
        for file in runs.files:
            # Two sets may read the same file, which then has the label of the first.
            if file not in files.values():
                files[f"public_runs/{name}/{Path(file.path).name}"] = file
    return files
