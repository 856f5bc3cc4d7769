"""Writing a release: staged in a neighbour folder, renamed in one step, never over another.

A crash leaves a hidden staging folder and no half release; the next writer removes it. Two writers cannot take one
number: the rename is refused by the file system where the version's folder exists.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spec import release as releases
from spec.release import Release, ReleaseError

_STAGING = ".staging-"


class VersionTakenError(ReleaseError):
    """The version exists already; a release is immutable."""


#: Fills the staging folder for a version, and returns the metadata but for name, version, format and files.
Fill = Callable[[Path, int], Mapping[str, Any]]


def write(models_dir: Path, model: str, fill: Fill, *, version: int | None = None) -> Release:
    """Write the next release of the model (or exactly ``version``), and move `latest` to the highest.

    ``fill`` is called once for each number that is tried: again where another writer took the number meanwhile.

    Raises VersionTakenError where ``version`` exists, ReleaseError where the name cannot be a model's or a required
    file is missing. Nothing is left behind then.
    """
    check_free(models_dir, model, version)
    while True:
        number = version or (releases.versions(models_dir, model) or [0])[-1] + 1
        try:
            return _write_version(models_dir / model, model, number, fill)
        except VersionTakenError:
            if version is not None:
                raise


def check_free(models_dir: Path, model: str, version: int | None) -> None:
    """Whether the release could be written now: worth asking before hours of training.

    Raises VersionTakenError where ``version`` exists, ReleaseError where the name or the number cannot be one.
    """
    releases.check_name(model)
    if version is None:
        return
    if version < 1:
        raise ReleaseError(f"version is {version}; allowed: a whole number from 1 on")
    destination = models_dir / model / releases.version_folder(version)
    if destination.exists():
        raise _taken(model, version, destination)


def _write_version(folder: Path, model: str, version: int, fill: Fill) -> Release:
    destination = folder / releases.version_folder(version)
    if destination.exists():
        raise _taken(model, version, destination)
    with staging(folder) as staged:
        metadata = {"format": releases.FORMAT, "name": model, "version": version, **fill(staged, version)}
        seal(staged, metadata)
        place(staged, destination, model, version)
    point_latest(folder.parent, model)
    return Release(model, version, destination)


def seal(staged: Path, metadata: Mapping[str, Any]) -> None:
    """Write the metadata with the hash of every file, and check that what stands there is a release."""
    write_json(staged / releases.METADATA_FILE, {**metadata, "files": releases.list_files(staged)})
    releases.verify(staged)


def place(staged: Path, destination: Path, model: str, version: int) -> None:
    """Give a staged release its name, in one step. Raises VersionTakenError."""
    for file in [*staged.rglob("*"), staged]:
        _flush(file)
    try:
        staged.rename(destination)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            raise _taken(model, version, destination) from None
        raise
    _flush(destination.parent)


def point_latest(models_dir: Path, model: str) -> None:
    """Move the `latest` link to the highest version.

    Looked at again after each move: whichever of several writers moves the link last, it ends at the highest.
    """
    folder = models_dir / model
    link = folder / releases.LATEST
    while True:
        target = releases.version_folder(releases.versions(models_dir, model)[-1])
        if link.is_symlink() and str(link.readlink()) == target:
            return
        temporary = folder / f"{_STAGING}{_owner()}-{secrets.token_hex(4)}"
        temporary.symlink_to(target)
        temporary.replace(link)


def write_json(file: Path, document: Mapping[str, Any]) -> None:
    """Write a document on one line a top-level field: readable, and small where it holds thousands of numbers."""
    fields = (f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in document.items())
    file.write_text("{\n" + ",\n".join(fields) + "\n}\n", encoding="utf-8")


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """An empty folder beside the releases of a model, removed at the end unless it was renamed."""
    folder.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder)
    staged = folder / f"{_STAGING}{_owner()}-{secrets.token_hex(4)}"
    staged.mkdir()
    try:
        yield staged
    finally:
        shutil.rmtree(staged, ignore_errors=True)
        # A model without any release is no model: the folder goes with the failed first one.
        _remove_if_empty(folder)


def _owner() -> str:
    return f"{socket.gethostname()}-{os.getpid()}"


def _remove_leftovers(folder: Path) -> None:
    """Remove what writers that are gone left in the folder. Those of other machines are left alone."""
    here = f"{_STAGING}{socket.gethostname()}-"
    for entry in folder.glob(f"{_STAGING}*"):
        pid = entry.name.removeprefix(here).partition("-")[0]
        if not entry.name.startswith(here) or not pid.isdecimal() or _runs(int(pid)):
            continue
        if entry.is_symlink():
            entry.unlink(missing_ok=True)
        else:
            shutil.rmtree(entry, ignore_errors=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return


def _flush(path: Path) -> None:
    """Have the system write the file or folder to disk: a rename must not overtake the bytes."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _taken(model: str, version: int, destination: Path) -> VersionTakenError:
    return VersionTakenError(
        f"{model}@{version} exists in {destination}, and a release never changes; write the next version instead"
    )
