"""The release store of this machine: a folder that holds each release under its version and hash.

Owns one copied release. The copy is what the server reads, so that training a new version, or breaking the models
folder, never touches what is being served. Does not own the releases themselves: `training` writes those.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
from pulumi import dynamic

from spec import release as releases


@dataclass(frozen=True)
class ModelStoreArgs:
    """What to keep, and where.

    release: the release to copy, already resolved to a number (state never holds `latest`).
    folder: the store; one folder per release is made in it.
    """

    release: releases.Release
    folder: Path


class ModelStore(pulumi.ComponentResource):
    """A verified copy of one release in the store folder.

    uri: `file://` URI of the copy, what a server takes as `MODEL_URI`.
    reference: the release by number, such as `digits@3`.
    digest: sha256 of the release's metadata file, which in turn names the hash of every other file.
    """

    uri: pulumi.Output[str]
    reference: pulumi.Output[str]
    digest: pulumi.Output[str]

    def __init__(self, name: str, args: ModelStoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:local:ModelStore", name, {}, opts)
        digest = releases.digest(args.release.path)
        self.copy = ReleaseCopy(
            f"{name}-release",
            source=str(args.release.path.resolve()),
            destination=str(args.folder / args.release.model / f"v{args.release.version}-{digest[:12]}"),
            digest=digest,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.uri = self.copy.uri
        self.reference = pulumi.Output.from_input(f"{args.release.model}@{args.release.version}")
        self.digest = self.copy.digest
        self.register_outputs({"uri": self.uri, "reference": self.reference, "digest": self.digest})


class _ReleaseCopyProvider(dynamic.ResourceProvider):
    """Copies a release folder; the copy is immutable, so every change is a new copy.

    `source` is where the bytes came from, not what they are: another source with the same digest changes nothing.
    """

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.CheckResult:
        # An intact copy needs no source: a release may be gone from the models folder and still be served.
        if _intact(Path(news["destination"]), news["digest"]):
            return dynamic.CheckResult(news, [])
        try:
            releases.verify(Path(news["source"]))
        except releases.ReleaseError as error:
            return dynamic.CheckResult(news, [dynamic.CheckFailure("release", str(error))])
        return dynamic.CheckResult(news, [])

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        replaces = [key for key in ("destination", "digest") if olds.get(key) != news[key]]
        return dynamic.DiffResult(changes=bool(replaces), replaces=replaces, delete_before_replace=False)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        destination = Path(props["destination"])
        if not _intact(destination, props["digest"]):
            _copy(Path(props["source"]), destination, props["digest"])
        return dynamic.CreateResult(str(destination), {**props, "uri": destination.as_uri()})

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        # A copy that is missing or no longer matches its hashes is gone: the next `up` makes it anew.
        if not _intact(Path(id_), props["digest"]):
            return dynamic.ReadResult("", {})
        return dynamic.ReadResult(id_, props)

    def delete(self, id_: str, _props: dict[str, Any]) -> None:
        shutil.rmtree(id_, ignore_errors=True)
        with contextlib.suppress(OSError):  # the model's folder goes with its last release
            Path(id_).parent.rmdir()


class ReleaseCopy(dynamic.Resource, module="local", name="ReleaseCopy"):
    """One copied release as a resource of its own."""

    uri: pulumi.Output[str]
    digest: pulumi.Output[str]

    def __init__(
        self, name: str, *, source: str, destination: str, digest: str, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        props = {"source": source, "destination": destination, "digest": digest, "uri": None}
        super().__init__(_ReleaseCopyProvider(), name, props, opts)


def _intact(folder: Path, digest: str) -> bool:
    try:
        releases.verify(folder)
        return releases.digest(folder) == digest
    except (releases.ReleaseError, OSError):
        return False


def _copy(source: Path, destination: Path, digest: str) -> None:
    """Copy into a neighbour and rename, so that a crash leaves no half release under the final name."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{destination.name}-", dir=destination.parent))
    try:
        shutil.copytree(source, staging, dirs_exist_ok=True)
        releases.verify(staging)
        found = releases.digest(staging)
        if found != digest:
            raise releases.ReleaseError(
                f"release {source}: its metadata has sha256 {found}, planned was {digest}; "
                "it was changed while it was copied: run the command again"
            )
        # A container's server is another user than whoever ran this, with whatever umask.
        staging.chmod(0o755)
        for path in staging.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        if destination.exists():
            shutil.rmtree(destination)
        staging.rename(destination)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
