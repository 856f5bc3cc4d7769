"""A store that pods reach, releases in it, and the manifests of a service that fetches one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import S3Store

from components.kubernetes.args import ModelServiceArgs, Served, Size, StoreAccess
from components.kubernetes.manifests import manifests
from tests.containers import Engine
from tests.stores import BUCKET, RunningStore, s3

IMAGE = "registry.example/server@sha256:tests"


@pytest.fixture(scope="module")
def store(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStore]:
    """A store that containers reach: at the bridge's address of this machine."""
    gateway = engine.docker("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}").strip()
    with s3(tmp_path_factory.mktemp("s3"), gateway) as found:
        yield found


def put(store: RunningStore, release: Path, name: str) -> str:
    """Copy a release's files into the store. Returns its URI."""
    options: Any = {"client_options": {"allow_http": True}}
    environment = store.environment
    bucket = S3Store(
        BUCKET,
        endpoint=environment["AWS_ENDPOINT"],
        access_key_id=environment["AWS_ACCESS_KEY_ID"],
        secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region=environment["AWS_REGION"],
        **options,
    )
    for file in release.rglob("*"):
        if file.is_file():
            obstore.put(bucket, f"models/{name}/{file.relative_to(release)}", file.read_bytes())
    return f"{store.uri}/{name}"


def service(store: RunningStore, served: Served, **more: Any) -> list[dict[str, Any]]:
    """Manifests of a service that reaches the store with keys from a Secret."""
    settings = {name: value for name, value in store.environment.items() if "KEY" not in name}
    access = StoreAccess(secret="store", settings=settings)
    asked = {"name": served.model, "namespace": "tests", "image": IMAGE, "size": Size(1, 512), "store": access}
    return manifests(ModelServiceArgs(**{**asked, "served": served, **more}))


def keys(store: RunningStore) -> dict[str, dict[str, str]]:
    return {"store": {name: value for name, value in store.environment.items() if "KEY" in name}}
