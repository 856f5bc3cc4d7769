"""Releases in an object store: `<store>/<model>/v<N>/…`, each file created once, the metadata last.

A version is there once its metadata is. Before the first file, `<store>/<model>/claims/v<N>.json` says whose version it
is: a publisher that was killed goes on where it stopped, one with other content is refused before it changes anything.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import tempfile
from pathlib import Path
from typing import Any

from spec import release as releases
from spec.release import METADATA_FILE, Release, ReleaseError, ReleaseReference
from training import progress
from training.progress import Steps
from training.provenance import now
from training.releases.write import VersionTakenError, place, point_latest, staging
from training.stores import ExistsError, MissingError, Store

_VERSION = re.compile(r"v([1-9]\d{0,8})")


def publish(release: Release, store: Store, steps: Steps) -> str:
    """Copy a release into the store, and return its URI there.

    Raises VersionTakenError where the store has the version, or where another release has claimed it; ReleaseError
    where a hash of ours is wrong or an object of an earlier try is damaged; StoreError where the store fails.
    """
    metadata = releases.verify(release.path)
    version = releases.version_folder(release.version)
    folder = f"{release.model}/{version}"
    uri = f"{store.uri}/{folder}"
    if (metadata["name"], metadata["version"]) != (release.model, release.version):
        raise ReleaseError(
            f"{release.path} holds {metadata['name']}@{metadata['version']}, not {release}: a release keeps its name"
        )
    if _exists(store, f"{folder}/{METADATA_FILE}"):
        raise VersionTakenError(
            f"{release} is published at {uri}, and a release never changes; publish the next version"
        )
    _claim(release, store, f"{release.model}/claims/{version}.json")
    steps.step(
        f"publishing {release} to {uri}", total=sum((release.path / name).stat().st_size for name in metadata["files"])
    )
    for name, sha256 in metadata["files"].items():
        file = release.path / name
        try:
            store.create(f"{folder}/{name}", file)
        except ExistsError:
            _check_earlier(store, f"{folder}/{name}", sha256)
        steps.advance(file.stat().st_size)
    try:
        store.create(f"{folder}/{METADATA_FILE}", (release.path / METADATA_FILE).read_bytes())
    except ExistsError:  # somebody else finished the same release meanwhile
        raise VersionTakenError(f"{release} was published at {uri} while this ran; nothing more to do") from None
    return uri


def _exists(store: Store, key: str) -> bool:
    try:
        store.read(key)
    except MissingError:
        return False
    return True


def _claim(release: Release, store: Store, key: str) -> None:
    """Make the version ours, or find that it is: the same release may go on, another one may not."""
    digest = releases.digest(release.path)
    claim = json.dumps({"release": str(release), "metadata_sha256": digest, "created": now()}) + "\n"
    try:
        store.create(key, claim.encode())
    except ExistsError:
        found: Any = None
        with contextlib.suppress(ValueError):
            found = json.loads(store.read(key))
        if not isinstance(found, dict) or found.get("metadata_sha256") != digest:
            raise VersionTakenError(
                f"{release} is claimed by another release of that number ({store.uri}/{key}), whose publishing has not "
                "ended; let it end, or publish the next version"
            ) from None


def _check_earlier(store: Store, key: str, sha256: str) -> None:
    """An object that an earlier try left is right, or the publishing stops: nothing is ever overwritten."""
    found = hashlib.sha256(store.read(key)).hexdigest()
    if found != sha256:
        raise ReleaseError(
            f"{store.uri}/{key} is left from an earlier try and has sha256 {found}, not {sha256}; "
            "remove that object, then publish again"
        )


def published(store: Store, model: str) -> list[int]:
    """Numbers of the model's releases in the store, in order; those whose publishing has not ended do not count."""
    found = (_VERSION.fullmatch(name) for name in store.folders(model))
    numbers = sorted(int(match[1]) for match in found if match)
    return [number for number in numbers if _exists(store, f"{model}/v{number}/{METADATA_FILE}")]


def fetch(reference: ReleaseReference, store: Store, models_dir: Path, steps: Steps) -> Release:
    """Copy a release out of the store, verified before it gets its name; the latest is resolved to its number.

    A release that is here already, with the same content, is left as it is.

    Raises ReleaseError where the store does not have it, a hash is wrong, or another release has its number here.
    """
    version = reference.version or (published(store, reference.model) or [0])[-1]
    folder = f"{reference.model}/{releases.version_folder(version)}"
    uri = f"{store.uri}/{folder}"
    try:
        text = store.read(f"{folder}/{METADATA_FILE}")
    except MissingError:
        there = ", ".join(f"{reference.model}@{number}" for number in published(store, reference.model))
        raise ReleaseError(
            f"release {reference} does not exist in {store.uri}; "
            f"allowed: {there or 'another model, as there is no release of this one'}"
        ) from None
    metadata = releases.parse_metadata(text, f"{uri}/{METADATA_FILE}")
    if (metadata["name"], metadata["version"]) != (reference.model, version):
        raise ReleaseError(f"{uri} holds {metadata['name']}@{metadata['version']}: the store was changed by hand")
    destination = models_dir / reference.model / releases.version_folder(version)
    release = Release(reference.model, version, destination)
    if destination.exists():
        releases.verify(destination)
        if releases.digest(destination) != hashlib.sha256(text).hexdigest():
            raise VersionTakenError(
                f"{destination} is another release than {uri}; rename yours, or fetch another version"
            )
        return release
    with staging(destination.parent) as staged:
        steps.step(f"fetching {release} from {uri}")
        for name in metadata["files"]:
            (staged / name).parent.mkdir(parents=True, exist_ok=True)
            try:
                store.download(f"{folder}/{name}", staged / name, steps)
            except MissingError:
                raise ReleaseError(
                    f"{uri}/{name} is missing; the release's metadata lists it: publish it again"
                ) from None
        (staged / METADATA_FILE).write_bytes(text)
        try:
            releases.verify(staged)
        except ReleaseError as error:
            raise ReleaseError(f"what came from {uri} is refused, nothing was kept: {error}") from None
        place(staged, destination, reference.model, version)
    point_latest(models_dir, reference.model)
    return release


def train_and_publish(trainer: str, store: Store, *, data: str | None, model: str | None) -> tuple[Release, str]:
    """Train, and publish the result under the model's next number in the store; returns its URI there too.

    Raises VersionTakenError where somebody publishes that number meanwhile.
    """
    from training import train_and_release
    from training.trainers import get

    name = releases.check_name(model or get(trainer).model)
    version = (published(store, name) or [0])[-1] + 1
    with tempfile.TemporaryDirectory(prefix="job-") as temporary:
        release = train_and_release(trainer, Path(temporary), data=data, model=name, version=version)
        with progress.shown() as steps:
            return release, publish(release, store, steps)
