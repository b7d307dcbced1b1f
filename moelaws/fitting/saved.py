"""A fit as a folder that can be kept, passed on and predicted from.

``manifest.json`` holds the law's name, the loss, and every coefficient to the last bit;
``table.csv`` the rows, ``starts.csv`` the starts, and ``draws.npy`` the bootstrap where there is one.
One checksum in the manifest covers the manifest and these files. It finds what was changed by
mistake; who changes it as well is limited to numbers that a fit can have.
"""

import hashlib
import io
import json
import os
import platform
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from importlib.metadata import version
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from moelaws.checks import Floats
from moelaws.data import files
from moelaws.data.table import parsed
from moelaws.errors import InputError
from moelaws.fitting.estimation import Fit, Problem, make_problem
from moelaws.fitting.intervals import Refits
from moelaws.fitting.objective import Loss
from moelaws.fitting.rows import refuse
from moelaws.laws import LAWS, find
from moelaws.laws.base import Law

Maker = Callable[[Path, dict[str, float]], Law]
"""Makes a law that is none of the registry from the folder of its fit, which may hold a model, and its settings."""

_MANIFEST, _TABLE, _STARTS, _DRAWS = "manifest.json", "table.csv", "starts.csv", "draws.npy"


_MOST = 1e100
"""What nothing in a fit exceeds: its square is still a float."""


class _Loss(BaseModel):
    model_config = ConfigDict(extra="forbid")
    space: Literal["log", "relative", "linear"]
    delta: float | None = Field(gt=0, le=_MOST)
    above: float = Field(default=1.0, gt=0, le=_MOST)


class _Bootstrap(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    groups: int = Field(ge=2)
    left: float = Field(gt=0, le=1)


class _Manifest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    format: Literal[7]
    law: str
    loss: _Loss
    coefficients: dict[str, str]
    values: dict[str, float]
    held: list[str]
    tied: dict[str, str]
    n_rows: PositiveInt
    converged: bool
    bootstrap: _Bootstrap | None
    settings: dict[str, float]
    files: list[Literal["config.json"]]
    versions: dict[str, str]
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


def save(
    fit: Fit,
    folder: str | os.PathLike[str],
    refits: Refits | None = None,
    settings: Mapping[str, float] | None = None,
    config: bytes | None = None,
) -> None:
    """Write a fit into a new folder, all of it or nothing.

    Parameters
    ----------
    fit : Fit
        A fit of one of ``moelaws.laws.LAWS``.
    folder : path-like
        A folder that does not exist yet or is empty; the one that it lies in must exist.
    settings : mapping, optional
        What makes the law, if it is none of the registry; see `makers` of :func:`load`.
    config : bytes, optional
        The ``config.json`` of the model that the law describes.
    """
    if settings is None and repr(LAWS.get(fit.law.name)) != repr(fit.law):
        raise InputError(f"Law '{fit.law.name}' is none that a folder can name; those are {', '.join(LAWS)}.")
    target = Path(folder)
    reserve(target)
    try:
        with tempfile.TemporaryDirectory(dir=target.resolve().parent, prefix=".moelaws-") as scratch:
            made = Path(scratch, "fit")
            made.mkdir()
            fit.table.to_csv(made / _TABLE, index=False)
            _refuse_unreadable(made / _TABLE, fit.table, target)
            fit.starts.to_csv(made / _STARTS, index=False)
            if refits is not None:
                np.save(made / _DRAWS, refits.coefficients)
            manifest = _manifest(fit, refits)
            manifest["settings"] = {name: float(value) for name, value in (settings or {}).items()}
            manifest["files"] = []
            if config is not None:
                (made / "config.json").write_bytes(config)
                manifest["files"] = ["config.json"]
            manifest["sha256"] = _checksum(manifest, {path.name: path.read_bytes() for path in made.iterdir()})
            text = json.dumps(manifest, indent=2, ensure_ascii=False)
            (made / _MANIFEST).write_text(text + "\n", encoding="utf-8")
            made.rename(target)
    except OSError as error:
        raise InputError(f"{target}: the folder cannot be written ({error.strerror}).") from None


def _refuse_unreadable(path: Path, table: pd.DataFrame, target: Path) -> None:
    """Refuse names of columns that a CSV file does not give back."""
    names = list(map(str, table.columns))
    try:
        kept = list(map(str, parsed(path.read_bytes(), path).columns))
    except InputError:
        kept = []
    if kept != names:
        raise InputError(
            f"{target}: a file would not give back the columns {', '.join(names)}; plain names are expected."
        )


def reserve(folder: str | os.PathLike[str]) -> None:
    """Refuse a folder that :func:`save` could not write, before time is spent on what goes into it."""
    target = Path(folder)
    try:
        if not target.resolve().parent.is_dir():
            raise InputError(f"{target}: there is no folder '{target.resolve().parent.name}' to write it into.")
        if target.is_symlink():
            raise InputError(f"{target}: this is a link; a new or an empty folder is expected.")
        if target.exists() and not (target.is_dir() and not any(target.iterdir())):
            raise InputError(f"{target}: something is there already; a new or an empty folder is expected.")
        with tempfile.TemporaryDirectory(dir=target.resolve().parent, prefix=".moelaws-") as scratch:
            Path(scratch, target.name).mkdir()
    except (OSError, ValueError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{str(target)[:200]}: the folder cannot be written ({reason}).") from None


def load(
    folder: str | os.PathLike[str], makers: Mapping[str, Maker] = MappingProxyType({})
) -> tuple[Fit, Refits | None]:
    """Read a saved fit; it predicts the same to the last bit.

    `makers` make, by name, the laws that are none of the registry.
    """
    path = Path(folder)
    manifest = _checked(path / _MANIFEST)
    drawn = manifest.bootstrap
    names = [_TABLE, _STARTS] + [_DRAWS] * (drawn is not None) + manifest.files
    for name in (_MANIFEST, *names):
        if (path / name).is_symlink():
            raise InputError(f"{path / name}: this is a link; a saved fit holds its own files.")
    held = {name: files.contents(path / name) for name in names}
    if manifest.sha256 != _checksum(manifest.model_dump(exclude={"sha256"}), held):
        raise InputError(f"{path}: the files are not those that the fit was saved with.")
    try:
        make = makers.get(manifest.law)
        law = find(manifest.law) if make is None else make(path, manifest.settings)
        fit = _restored(law, manifest, parsed(held[_TABLE], path / _TABLE), parsed(held[_STARTS], path / _STARTS))
        refits = None if drawn is None else _redrawn(fit, _draws(held[_DRAWS], fit), drawn)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise InputError(f"{path}: this is no saved fit ({' '.join(str(error).split()).rstrip('.')}).") from None
    return fit, refits


def _checked(path: Path) -> _Manifest:
    try:
        return _Manifest.model_validate(files.document(path))
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"])) or "as a whole"
        raise InputError(f"{path}: this is no manifest of a saved fit ({where}: {fault['msg']}).") from None


def _checksum(manifest: dict[str, Any], held: dict[str, bytes]) -> str:
    parts = {name: hashlib.sha256(content).hexdigest() for name, content in held.items()}
    return hashlib.sha256(json.dumps([manifest, parts], sort_keys=True).encode()).hexdigest()


def _draws(content: bytes, fit: Fit) -> Floats:
    # The header is read alone first, since it could ask for more memory than there is.
    stream = io.BytesIO(content)
    np.lib.format.read_magic(stream)
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    if len(shape) != 2 or shape[1] != len(fit.free) or dtype != np.dtype(float) or len(content) < prod(shape) * 8:
        raise ValueError(f"{_DRAWS} holds an array of shape {shape}; one of shape (draws, {len(fit.free)}) is expected")
    draws: Floats = np.load(io.BytesIO(content), allow_pickle=False)
    if not np.isfinite(draws).all():
        raise ValueError(f"{_DRAWS} holds numbers that are not finite")
    low, high = fit.problem.bounds()
    if len(draws) < 2 or not ((low <= draws) & (draws <= high)).all():
        raise ValueError(
            f"{_DRAWS} holds {len(draws)} draws; two or more are expected, inside of the parameters' bounds"
        )
    return draws


def _redrawn(fit: Fit, draws: Floats, bootstrap: _Bootstrap) -> Refits:
    """Return the refits of a saved fit, or refuse what no bootstrap of its rows leads to."""
    if bootstrap.groups > len(fit.table) or bootstrap.left < 1 / bootstrap.groups:
        raise ValueError(
            f"{bootstrap.groups} groups that leave {bootstrap.left:g} of the variance are no bootstrap of "
            f"{len(fit.table)} rows"
        )
    # Where there are no bounds, a number that no float holds in the law is the least or the largest of all.
    extremes = np.unique(np.concatenate([draws.argmin(axis=0), draws.argmax(axis=0)]))
    if not all(_is_finite(fit.problem, draw) for draw in draws[extremes]):
        raise ValueError(f"{_DRAWS} holds draws that have no finite value on the rows of the fit")
    return Refits(fit, draws, bootstrap.groups, bootstrap.left)


@np.errstate(all="ignore")
def _is_finite(problem: Problem, free: Floats) -> bool:
    """Say whether a law has a value in each row, and errors that can be added up."""
    values = problem.law.predict(problem.theta(free), problem.columns)
    sizes = np.abs(values)
    return bool(np.all((sizes > 1 / _MOST) & (sizes < _MOST)) and np.isfinite(problem.objective(free)))


def _manifest(fit: Fit, refits: Refits | None) -> dict[str, Any]:
    names = [parameter.name for parameter in fit.law.parameters]
    return {
        "format": 7,
        "law": fit.law.name,
        "loss": asdict(fit.problem.loss),
        "coefficients": {name: float(value).hex() for name, value in zip(names, fit.coefficients, strict=True)},
        "values": fit.values,
        "held": fit.held,
        "tied": fit.tied,
        "n_rows": len(fit.table),
        "bootstrap": {"groups": refits.groups, "left": refits.left} if refits else None,
        "converged": fit.converged,
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("moelaws", "numpy", "pandas", "scipy")},
    }


def _restored(law: Law, manifest: _Manifest, table: pd.DataFrame, starts: pd.DataFrame) -> Fit:
    names = [parameter.name for parameter in law.parameters]
    coefficients = {name: float.fromhex(text) for name, text in manifest.coefficients.items()}
    if sorted(coefficients) != sorted(names) or not np.isfinite(list(coefficients.values())).all():
        raise ValueError(f"a number for each of {', '.join(names)} is expected")
    theta = np.array([coefficients[name] for name in names])
    for parameter, coefficient in zip(law.parameters, theta, strict=True):
        value = float(parameter.value(coefficient))
        if parameter.name not in manifest.held and not parameter.low <= value <= parameter.high:
            raise ValueError(f"{parameter.name} is {value:g}; {parameter.low:g} to {parameter.high:g} is expected")
    table, problem = make_problem(
        law, table, Loss(**manifest.loss.model_dump()), dict.fromkeys(manifest.held, 1.0), manifest.tied
    )
    fit = Fit(replace(problem, base=theta), table, theta, starts, manifest.converged)
    if (
        len(table) != manifest.n_rows
        or not {"objective_start", "objective_end", "apart", *fit.free} <= set(starts)
        or starts.empty
    ):
        raise ValueError("rows or starts are missing")
    if texts := [name for name in starts if not pd.api.types.is_numeric_dtype(starts[name])]:
        raise ValueError(f"{_STARTS}, column '{texts[0]}': numbers are expected")
    refuse((*law.columns, law.response), table)
    if not _is_finite(fit.problem, fit.problem.free(theta)):
        raise ValueError("the law has no finite value on the rows of the fit")
    return fit
