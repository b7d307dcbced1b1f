"""A fit as a folder that can be kept, passed on and predicted from.

``manifest.json`` holds the law's name, the loss, and every coefficient to the last bit;
``table.csv`` the rows, ``starts.csv`` the starts, and ``draws.npy`` the bootstrap where there is one.
"""

import hashlib
import json
import os
import platform
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from moelaws.errors import InputError
from moelaws.fitting.estimation import Fit, pose
from moelaws.fitting.intervals import Refits
from moelaws.fitting.objective import Loss
from moelaws.laws import LAWS, find

_MANIFEST, _TABLE, _STARTS, _DRAWS = "manifest.json", "table.csv", "starts.csv", "draws.npy"


def save(fit: Fit, folder: str | os.PathLike[str], refits: Refits | None = None) -> None:
    """Write a fit into a new folder, all of it or nothing.

    Parameters
    ----------
    fit : Fit
        A fit of one of ``moelaws.laws.LAWS``.
    folder : path-like
        A folder that does not exist yet or is empty; the one that it lies in must exist.
    refits : Refits, optional
        What :func:`moelaws.fitting.intervals.refits` returned for the fit.

    Raises
    ------
    InputError
        If the law is not in the registry, or the folder cannot be written or holds something.
    """
    if repr(LAWS.get(fit.law.name)) != repr(fit.law):
        raise InputError(f"Law '{fit.law.name}' is none that a folder can name; those are {', '.join(LAWS)}.")
    target = Path(folder)
    reserve(target)
    try:
        with tempfile.TemporaryDirectory(dir=target.resolve().parent, prefix=".moelaws-") as scratch:
            made = Path(scratch, "fit")
            made.mkdir()
            fit.table.to_csv(made / _TABLE, index=False)
            fit.starts.to_csv(made / _STARTS, index=False)
            if refits is not None:
                np.save(made / _DRAWS, refits.coefficients)
            hashes = {path.name: _sha256(path) for path in sorted(made.iterdir())}
            text = json.dumps(_manifest(fit, refits) | {"sha256": hashes}, indent=2, ensure_ascii=False)
            (made / _MANIFEST).write_text(text + "\n", encoding="utf-8")
            made.rename(target)
    except OSError as error:
        raise InputError(f"{target}: the folder cannot be written ({error.strerror}).") from None


def reserve(folder: str | os.PathLike[str]) -> None:
    """Refuse a folder that :func:`save` could not write, before time is spent on what goes into it.

    Raises
    ------
    InputError
        If it holds something or is a file, or the folder that it would lie in does not exist.
    """
    target = Path(folder)
    if not target.resolve().parent.is_dir():
        raise InputError(f"{target}: there is no folder '{target.resolve().parent.name}' to write it into.")
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise InputError(f"{target}: something is there already; a new or an empty folder is expected.")


def load(folder: str | os.PathLike[str]) -> tuple[Fit, Refits | None]:
    """Read a saved fit; it predicts the same to the last bit.

    Returns
    -------
    fit : Fit
    refits : Refits or None
        The bootstrap, where it was saved.

    Raises
    ------
    InputError
        If the folder holds no saved fit, or a file in it was changed.
    """
    path = Path(folder)
    try:
        manifest = json.loads((path / _MANIFEST).read_text(encoding="utf-8"))
        for name, expected in manifest["sha256"].items():
            if _sha256(path / name) != expected:
                raise InputError(f"{path / name}: the file is not the one that the fit was saved with.")
        fit = _restored(manifest, _read(path / _TABLE), _read(path / _STARTS))
        refits = None
        if groups := manifest["groups"]:
            refits = Refits(fit, np.load(path / _DRAWS, allow_pickle=False), groups)
    except OSError as error:
        raise InputError(
            f"{path}: this is no folder of a saved fit ({Path(error.filename or path).name}: {error.strerror})."
        ) from None
    except InputError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{path / _MANIFEST}: this is no manifest of a saved fit ({error}).") from None
    return fit, refits


def _manifest(fit: Fit, refits: Refits | None) -> dict[str, Any]:
    names = [parameter.name for parameter in fit.law.parameters]
    slots = fit.problem.slots
    free = {place for places in slots for place in places}
    return {
        "format": 2,
        "law": fit.law.name,
        "loss": asdict(fit.problem.loss),
        "coefficients": {name: float(value).hex() for name, value in zip(names, fit.coefficients, strict=True)},
        "values": fit.values,
        "held": [name for place, name in enumerate(names) if place not in free],
        "tied": {names[place]: names[places[0]] for places in slots for place in places[1:]},
        "n_rows": len(fit.table),
        "groups": refits.groups if refits else None,
        "converged": fit.converged,
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("moelaws", "numpy", "pandas", "scipy")},
    }


def _restored(manifest: dict[str, Any], table: pd.DataFrame, starts: pd.DataFrame) -> Fit:
    if manifest["format"] != 2:
        raise InputError(f"A saved fit has format {manifest['format']}; format 2 is expected.")
    coefficients = {name: float.fromhex(text) for name, text in manifest["coefficients"].items()}
    hold = {name: coefficients[name] for name in manifest["held"]}
    law = find(manifest["law"])
    table, problem = pose(law, table, Loss(**manifest["loss"]), hold, manifest["tied"])
    return Fit(
        problem,
        table,
        np.array([coefficients[parameter.name] for parameter in law.parameters]),
        starts,
        manifest.get("converged", True),
    )


def _read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, low_memory=False)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
