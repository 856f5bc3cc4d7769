"""Object stores by URI, through obstore: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://account/container/prefix`.

Credentials come from the environment or the machine's identity, as each cloud's own tools read them.
"""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from model_server.errors import Exit, StartError
from spec import release as releases

log = logging.getLogger("model_server")

SCHEMES = ("s3", "gs", "az")
#: Attempts to read a release from a store that is away, and seconds before the second; each pause doubles.
ATTEMPTS = 5
FIRST_PAUSE = 0.5
#: How long the store may be silent, and a whole request take: a large model needs long, a store that hangs gets less.
CLIENT = {"connect_timeout": "5s", "read_timeout": "10s", "timeout": "1h"}


def open_store(uri: str) -> tuple[Any, str]:
    """The store and the prefix of its keys, empty or ending with a slash. Raises StartError."""
    parts = urlsplit(uri)
    path = unquote(parts.path).strip("/")
    from obstore.store import AzureStore, GCSStore, S3Store

    # Patience is ours: the library's own would hide for minutes that a store is away.
    retry: Any = {"max_retries": 0}
    if not parts.netloc:
        raise StartError(Exit.BAD_SETTING, f"{uri!r} names no bucket; allowed: such as s3://bucket/digits/v1")
    if parts.scheme == "s3":
        plain = os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("1", "true")
        options: Any = {**CLIENT, "allow_http": plain}
        return S3Store(parts.netloc, retry_config=retry, client_options=options), _prefix(path)
    if parts.scheme == "gs":
        emulator = os.environ.get("STORAGE_EMULATOR_HOST")
        if emulator:
            key = (
                f'{{"gcs_base_url":"{emulator.rstrip("/")}","disable_oauth":true,'
                '"client_email":"","private_key":"","private_key_id":""}'
            )
            client: Any = {**CLIENT, "allow_http": True}
            return GCSStore(parts.netloc, service_account_key=key, client_options=client, retry_config=retry), _prefix(
                path
            )
        return GCSStore(parts.netloc, client_options=CLIENT, retry_config=retry), _prefix(path)  # pyright: ignore[reportArgumentType]
    container, _, rest = path.partition("/")
    if not container:
        raise StartError(
            Exit.BAD_SETTING, f"{uri!r} names no container; allowed: az://account/container/path, such as digits/v1"
        )
    endpoint = os.environ.get("AZURE_STORAGE_ENDPOINT")
    azure: Any = {"account_name": parts.netloc, "client_options": CLIENT}
    if endpoint:
        azure |= {"endpoint": endpoint, "client_options": {**CLIENT, "allow_http": endpoint.startswith("http://")}}
    return AzureStore(container, retry_config=retry, **azure), _prefix(rest)


def _prefix(path: str) -> str:
    return f"{path}/" if path else ""


def fetch(uri: str, folder: Path) -> None:
    """Download the release at `uri` into the folder: its metadata first, then the files that it lists.

    Raises StartError NO_RELEASE where there is none, STORE_AWAY where the store does not answer after some attempts,
    TAMPERED where its metadata is not one.
    """
    pause = FIRST_PAUSE
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _fetch(uri, folder)
        except StartError:
            raise
        except Exception as error:  # each store has errors of its own
            if attempt == ATTEMPTS:
                raise StartError(
                    Exit.STORE_AWAY,
                    f"the release at {uri} could not be fetched after {ATTEMPTS} attempts: {_first_line(error)}",
                ) from None
            log.warning("attempt %d to fetch %s failed, the next in %g s: %s", attempt, uri, pause, _first_line(error))
            time.sleep(pause)
            pause *= 2
        else:
            return


def _fetch(uri: str, folder: Path) -> None:
    store, prefix = open_store(uri)
    text = _read(store, prefix + releases.METADATA_FILE, uri)
    try:
        metadata = releases.parse_metadata(text, f"{uri}/{releases.METADATA_FILE}")
    except releases.ReleaseError as error:
        raise StartError(Exit.TAMPERED, f"release refused: {error}") from None
    for name in metadata["files"]:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_read(store, prefix + name, uri))
    (folder / releases.METADATA_FILE).write_bytes(text)


def _read(store: Any, key: str, uri: str) -> bytes:
    import obstore
    import obstore.exceptions

    try:
        return bytes(obstore.get(store, key).bytes())
    except (FileNotFoundError, obstore.exceptions.NotFoundError):
        raise StartError(Exit.NO_RELEASE, f"no release at {uri}: the store has no {key}") from None


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:300]
