"""What a service keeps on this machine beside its release: folders, its configuration, and a secret token in a file."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
from pulumi import dynamic


class _FolderProvider(dynamic.ResourceProvider):
    """A folder that only its owner may read. What others write into it goes with it."""

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        replaces = ["path"] if olds.get("path") != news["path"] else []
        return dynamic.DiffResult(changes=bool(replaces), replaces=replaces, delete_before_replace=False)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        Path(props["path"]).mkdir(parents=True, exist_ok=True, mode=0o700)
        return dynamic.CreateResult(props["path"], props)

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        return dynamic.ReadResult(id_, props) if Path(id_).is_dir() else dynamic.ReadResult("", {})

    def delete(self, id_: str, _props: dict[str, Any]) -> None:
        shutil.rmtree(id_, ignore_errors=True)
        _remove_if_empty(Path(id_).parent)


class Folder(dynamic.Resource, module="local", name="Folder"):
    """A folder with all that is in it. path: absolute."""

    path: pulumi.Output[str]

    def __init__(self, name: str, *, path: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(_FolderProvider(), name, {"path": path}, opts)


class _ConfigFilesProvider(dynamic.ResourceProvider):
    """Copies of files, in a folder whose name holds their hash: another text is another path for its reader, and what
    reads the old ones can still do so where the new ones are refused.
    """

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        replaces = [key for key in ("folder", "files") if olds.get(key) != news[key]]
        return dynamic.DiffResult(changes=bool(replaces), replaces=replaces, delete_before_replace=False)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        digest = hashlib.sha256(repr(sorted(props["files"].items())).encode()).hexdigest()[:12]
        path = Path(props["folder"]) / digest
        path.mkdir(parents=True, exist_ok=True)
        for name, text in props["files"].items():
            (path / name).write_text(text)
        return dynamic.CreateResult(str(path), {**props, "path": str(path)})

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        try:
            same = all((Path(id_) / name).read_text() == text for name, text in props["files"].items())
        except (OSError, UnicodeDecodeError):
            same = False
        return dynamic.ReadResult(id_, props) if same else dynamic.ReadResult("", {})

    def delete(self, id_: str, _props: dict[str, Any]) -> None:
        shutil.rmtree(id_, ignore_errors=True)
        _remove_if_empty(Path(id_).parent)
        _remove_if_empty(Path(id_).parent.parent)


class ConfigFiles(dynamic.Resource, module="local", name="ConfigFiles"):
    """Configuration files of the server as they are now. path: the folder that holds them under their names."""

    path: pulumi.Output[str]

    def __init__(
        self, name: str, *, folder: str, files: Mapping[str, str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        props = {"folder": folder, "files": dict(files), "path": None}
        super().__init__(_ConfigFilesProvider(), name, props, opts)


class _TokenFileProvider(dynamic.ResourceProvider):
    """Makes the token once. Its file's name holds part of its hash, so another token is another path for its reader.

    A file that is gone or was changed is made anew with another token: nobody knows who has seen the old one.
    """

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        changed = not str(olds.get("file")).endswith(_token_name(str(olds.get("token"))))
        replaces = ["folder"] if changed or olds.get("folder") != news["folder"] else []
        return dynamic.DiffResult(changes=bool(replaces), replaces=replaces, delete_before_replace=False)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        token = secrets.token_urlsafe(32)
        folder = Path(props["folder"])
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = folder / _token_name(token)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(token + "\n")
        return dynamic.CreateResult(str(file), {**props, "file": str(file), "token": token})

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        try:
            return dynamic.ReadResult(id_, {**props, "token": Path(id_).read_text(errors="replace").strip()})
        except OSError:
            return dynamic.ReadResult("", {})

    def delete(self, id_: str, _props: dict[str, Any]) -> None:
        Path(id_).unlink(missing_ok=True)
        _remove_if_empty(Path(id_).parent)


class TokenFile(dynamic.Resource, module="local", name="TokenFile"):
    """A random bearer token. token: a secret. file: where it stands, readable by its owner only."""

    token: pulumi.Output[str]
    file: pulumi.Output[str]

    def __init__(self, name: str, *, folder: str, opts: pulumi.ResourceOptions | None = None) -> None:
        secret = pulumi.ResourceOptions(additional_secret_outputs=["token"])
        super().__init__(
            _TokenFileProvider(),
            name,
            {"folder": folder, "file": None, "token": None},
            pulumi.ResourceOptions.merge(secret, opts),
        )


def _token_name(token: str) -> str:
    return f"token-{hashlib.sha256(token.encode()).hexdigest()[:12]}"


def _remove_if_empty(folder: Path) -> None:
    """The service's own folder goes with the last thing in it."""
    with contextlib.suppress(OSError):
        folder.rmdir()
