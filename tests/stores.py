"""Object stores that run on this machine, each a real process: moto (S3), azurite (Blob), fake-gcs-server (GCS).

They are emulators: they show that requests are made and answered as the vendor's API says, not that a vendor's store
behaves so. In particular none of them checks permissions.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

import httpx
import pytest

from tests.ports import free_port
from tests.real_parts import need

BUCKET = "releases"

#: Azurite's well-known account: https://github.com/Azure/Azurite#default-storage-account
AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

START_TIMEOUT = 120.0


@dataclass(frozen=True)
class RunningStore:
    """A store that runs. uri: an empty place in it. environment: what a client needs to reach it."""

    uri: str
    environment: Mapping[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def folder(tmp: Path) -> Iterator[RunningStore]:
    """A folder as a store."""
    yield RunningStore(f"{tmp.as_uri()}/store")


@contextlib.contextmanager
def s3(tmp: Path, host: str = "127.0.0.1") -> Iterator[RunningStore]:
    """moto's S3 server with one bucket. host: the address that it listens on."""
    if importlib.util.find_spec("moto") is None:
        pytest.skip("moto is not installed (make setup)")
    port = free_port()
    url = f"http://{host}:{port}"
    with _running([sys.executable, "-m", "moto.server", "-H", host, "-p", str(port)], f"{url}/moto-api/", tmp):
        httpx.put(f"{url}/{BUCKET}").raise_for_status()
        environment = {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT": url,
            "AWS_ALLOW_HTTP": "true",
        }
        yield RunningStore(f"s3://{BUCKET}/models", environment)


@contextlib.contextmanager
def blob(tmp: Path) -> Iterator[RunningStore]:
    """Azurite's blob service with one container."""
    program = need("azurite-blob", "npm install --prefix .local/npm azurite")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [str(program), "--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(tmp / "azurite")]
    with _running([*command, "--silent", "--skipApiVersionCheck", "--disableTelemetry"], url, tmp):
        _make_container(f"{url}/{AZURE_ACCOUNT}/{BUCKET}")
        environment = {
            "AZURE_STORAGE_ACCOUNT_KEY": AZURE_KEY,
            "AZURE_STORAGE_ENDPOINT": f"{url}/{AZURE_ACCOUNT}",
            "AZURE_ALLOW_HTTP": "true",
        }
        yield RunningStore(f"az://{AZURE_ACCOUNT}/{BUCKET}/models", environment)


@contextlib.contextmanager
def gcs(tmp: Path) -> Iterator[RunningStore]:
    """fake-gcs-server with one bucket."""
    program = need("fake-gcs-server", "GOBIN=$PWD/.local/bin go install github.com/fsouza/fake-gcs-server@v1.56.1")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [str(program), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory"]
    with _running([*command, "-public-host", f"127.0.0.1:{port}"], f"{url}/storage/v1/b", tmp):
        httpx.post(f"{url}/storage/v1/b", json={"name": BUCKET}).raise_for_status()
        yield RunningStore(f"gs://{BUCKET}/models", {"STORAGE_EMULATOR_HOST": url})


#: Scheme of a URI -> the store behind it.
STORES: Mapping[str, Callable[[Path], contextlib.AbstractContextManager[RunningStore]]] = {
    "file": folder,
    "s3": s3,
    "az": blob,
    "gs": gcs,
}


@contextlib.contextmanager
def _running(command: list[str], url: str, tmp: Path) -> Iterator[None]:
    """The process, once it answers; ended at the end."""
    log = tmp / "store.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=tmp)
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            assert process.poll() is None, f"{command[0]} ended: {log.read_text()[-2000:]}"
            try:
                httpx.get(url, timeout=2)
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline, f"{command[0]} does not answer: {log.read_text()[-2000:]}"
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _make_container(url: str) -> None:
    """Create an Azure container: the one request here that has to be signed by hand.

    https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
    """
    path = httpx.URL(url).path
    date, version = formatdate(usegmt=True), "2021-12-02"
    headers = f"x-ms-date:{date}\nx-ms-version:{version}\n"
    text = f"PUT\n\n\n\n\n\n\n\n\n\n\n\n{headers}/{AZURE_ACCOUNT}{path}\nrestype:container"
    signature = base64.b64encode(hmac.digest(base64.b64decode(AZURE_KEY), text.encode(), hashlib.sha256)).decode()
    httpx.put(
        f"{url}?restype=container",
        headers={
            "x-ms-date": date,
            "x-ms-version": version,
            "Authorization": f"SharedKey {AZURE_ACCOUNT}:{signature}",
            "Content-Length": "0",
        },
    ).raise_for_status()
