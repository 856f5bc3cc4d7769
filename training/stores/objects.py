"""Folders, S3 and Azure Blob, through obstore."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore import exceptions
from obstore.store import AzureStore, LocalStore, S3Store

from training.progress import Steps
from training.stores import CREDENTIALS, ExistsError, MissingError, StoreError


class ObjectStore:
    """One bucket, container or folder."""

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")
        with self._errors(""):
            self._store = _open(self.uri)

    def read(self, key: str) -> bytes:
        with self._errors(key):
            return bytes(obstore.get(self._store, key).bytes())

    def download(self, key: str, file: Path, steps: Steps) -> None:
        with self._errors(key), file.open("wb") as stream:
            for chunk in obstore.get(self._store, key).stream(min_chunk_size=1 << 20):
                stream.write(chunk)
                steps.advance(len(chunk))

    def create(self, key: str, content: bytes | Path) -> None:
        with self._errors(key):
            obstore.put(self._store, key, content, mode="create")

    def folders(self, key: str) -> list[str]:
        with self._errors(key):
            found = obstore.list_with_delimiter(self._store, f"{key}/" if key else None)["common_prefixes"]
        return sorted(str(prefix).rstrip("/").rpartition("/")[2] for prefix in found)

    @contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        where = f"{self.uri}/{key}" if key else self.uri
        try:
            yield
        except (exceptions.NotFoundError, FileNotFoundError):
            raise MissingError(f"{where} does not exist") from None
        except exceptions.AlreadyExistsError:
            raise ExistsError(f"{where} exists") from None
        except (exceptions.BaseError, OSError, ValueError) as error:
            raise StoreError(f"{where} cannot be used: {_first_line(error)}. {CREDENTIALS}") from None


def _open(uri: str) -> LocalStore | S3Store | AzureStore:
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return LocalStore(unquote(parts.path), mkdir=True)
    if parts.scheme == "s3":
        return S3Store.from_url(uri)
    container, _, prefix = parts.path.strip("/").partition("/")
    return AzureStore(container, account_name=parts.netloc, prefix=prefix or None)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:400]
