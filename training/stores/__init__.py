"""Object stores by URI: `file://`, `s3://`, `gs://` and `az://` behind one narrow interface.

Credentials come from the environment, as each cloud's own tools read them:
`s3://bucket/prefix`: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, or the machine's role
(with a profile: `eval "$(aws configure export-credentials --format env)"`); AWS_ENDPOINT and AWS_ALLOW_HTTP for others.
`az://account/container/prefix`: AZURE_STORAGE_ACCOUNT_KEY, AZURE_USE_AZURE_CLI, a federated or managed identity.
`gs://bucket/prefix`: Application Default Credentials; STORAGE_EMULATOR_HOST for an emulator.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from training.progress import Steps

#: Ends the message of a store that refuses us.
CREDENTIALS = "training/README.md says which environment variables hold the credentials"

SCHEMES = ("file", "s3", "gs", "az")


class StoreError(Exception):
    """A store cannot do what was asked; the text says why and what to do."""


class MissingError(StoreError):
    """There is no such object."""


class ExistsError(StoreError):
    """The object exists, and this project never overwrites one."""


class Store(Protocol):
    """Objects under one URI. A key is relative to it, with `/` between its parts. Every method raises StoreError."""

    uri: str

    def read(self, key: str) -> bytes:
        """A small object. Raises MissingError."""
        ...

    def download(self, key: str, file: Path, steps: Steps) -> None:
        """An object into a file, each byte reported as progress. Raises MissingError."""
        ...

    def create(self, key: str, content: bytes | Path) -> None:
        """A new object, all of it or nothing. Raises ExistsError, and changes nothing then."""
        ...

    def folders(self, key: str) -> list[str]:
        """Names of the folders directly under the key, in order."""
        ...


def is_uri(text: str) -> bool:
    """Whether the text names something in a store, and not a path of this machine."""
    return "://" in text


def open_store(uri: str) -> Store:
    """The store at the URI. Raises StoreError for a URI that is none of :data:`SCHEMES`."""
    parts = urlsplit(uri)
    if parts.scheme not in SCHEMES:
        raise StoreError(f"store is {uri!r}; allowed: a URI with {', '.join(f'{scheme}://' for scheme in SCHEMES)}")
    if parts.username or parts.password or parts.query or parts.fragment:
        # The URI is not repeated here: what it holds may be a secret.
        raise StoreError(
            "the store's URI holds a user, a password, or something after ? or #; allowed: scheme, bucket and path. "
            f"{CREDENTIALS}"
        )
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
            raise StoreError(f"store is {uri!r}; allowed: file:// and an absolute path, so three slashes")
    elif not parts.netloc or (parts.scheme == "az" and not parts.path.strip("/")):
        form = "az://account/container/prefix" if parts.scheme == "az" else f"{parts.scheme}://bucket/prefix"
        raise StoreError(f"store is {uri!r}; allowed: {form}")
    if parts.scheme == "gs":
        from training.stores.google import GoogleStore

        return GoogleStore(uri)
    from training.stores.objects import ObjectStore

    return ObjectStore(uri)


def open_parent(uri: str) -> tuple[Store, str]:
    """The store that holds the object at the URI, and the object's key in it."""
    parent, _, key = uri.rstrip("/").rpartition("/")
    if not key or "://" not in parent or parent.endswith("://"):
        raise StoreError(f"{uri!r} names no object; allowed: a URI that ends with the object's name")
    return open_store(parent), key
