"""Google Cloud Storage, through Google's own client: it creates through the JSON API, which emulators speak too."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from google.api_core import exceptions
from google.auth import exceptions as auth_exceptions
from google.cloud import storage

from training.progress import Steps
from training.stores import CREDENTIALS, ExistsError, MissingError, StoreError

#: Generation 0 means: only where there is no such object, https://cloud.google.com/storage/docs/request-preconditions.
NEW = 0

#: Creating with a precondition can be tried again safely, so the client's own retries apply; this bounds them.
TIMEOUT = 60


class GoogleStore:
    """One bucket and a prefix in it."""

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")
        parts = urlsplit(self.uri)
        self._prefix = f"{parts.path.strip('/')}/" if parts.path.strip("/") else ""
        with self._errors(""):
            self._client = storage.Client()
            weakref.finalize(self, self._client.close)  # its connections would stay open until the process ends
            self._bucket: Any = self._client.bucket(parts.netloc)

    def read(self, key: str) -> bytes:
        with self._errors(key):
            return self._blob(key).download_as_bytes(timeout=TIMEOUT)

    def download(self, key: str, file: Path, steps: Steps) -> None:
        with self._errors(key):
            self._blob(key).download_to_filename(str(file), timeout=TIMEOUT)
            steps.advance(file.stat().st_size)

    def create(self, key: str, content: bytes | Path) -> None:
        with self._errors(key):
            blob = self._blob(key)
            if isinstance(content, bytes):
                blob.upload_from_string(content, if_generation_match=NEW, timeout=TIMEOUT)
            else:
                blob.upload_from_filename(str(content), if_generation_match=NEW, timeout=TIMEOUT)

    def folders(self, key: str) -> list[str]:
        prefix = f"{self._prefix}{key}/" if key else self._prefix
        with self._errors(key):
            listing: Any = self._client.list_blobs(self._bucket, prefix=prefix, delimiter="/", timeout=TIMEOUT)
            for _object in listing:  # the prefixes are only known once every page was read
                pass
            return sorted(found.removeprefix(prefix).rstrip("/") for found in listing.prefixes)

    def _blob(self, key: str) -> Any:
        return self._bucket.blob(f"{self._prefix}{key}")

    @contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        where = f"{self.uri}/{key}" if key else self.uri
        try:
            yield
        except exceptions.NotFound:
            raise MissingError(f"{where} does not exist") from None
        except exceptions.PreconditionFailed:
            raise ExistsError(f"{where} exists") from None
        except (exceptions.GoogleAPIError, auth_exceptions.GoogleAuthError, OSError, ValueError) as error:
            text = (str(error).strip() or type(error).__name__).splitlines()[0][:400]
            raise StoreError(f"{where} cannot be used: {text}. {CREDENTIALS}") from None
