"""Releases and stores that the tests of training share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from spec.release import Release
from tests.stores import STORES, RunningStore
from tests.training.small import write_small
from training import train_and_release


@pytest.fixture(scope="session")
def forest(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The forest's release, trained once; tests must not change it."""
    return train_and_release("forest", tmp_path_factory.mktemp("models"))


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder of releases with one small one: digits@1."""
    folder = tmp_path / "models"
    write_small(folder)
    return folder


#: Whose store an emulator plays.
_SYSTEMS = {"s3": "Amazon S3", "az": "Azure Blob Storage", "gs": "Cloud Storage"}
_PARAMETERS = [
    pytest.param(name, marks=[pytest.mark.proof(_SYSTEMS[name], level="runtime")] if name in _SYSTEMS else [])
    for name in STORES
]


@pytest.fixture(scope="session", params=_PARAMETERS)
def running_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStore]:
    """Each kind of store in turn, as a process of its own."""
    with STORES[request.param](tmp_path_factory.mktemp(request.param)) as store:
        yield store


@pytest.fixture
def store_uri(running_store: RunningStore, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """An empty place in the store, and the environment that reaches it."""
    for name, value in running_store.environment.items():
        monkeypatch.setenv(name, value)
    place = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    return f"{running_store.uri}/{place}"
