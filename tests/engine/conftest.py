"""Every case runs on both engines; where `pulumi` is not on PATH its half skips and says so."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.drivers import Cli, Driver, Embedded, Workspace, end_all


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    # Python takes a compiled file for up to date by its source's size and second: a test rewrites its program faster.
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    yield Workspace(tmp_path / "project")
    end_all()


def _cli(workspace: Workspace) -> Cli:
    if shutil.which("pulumi") is None:
        pytest.skip("pulumi is not on PATH (https://www.pulumi.com/docs/install/)")
    return Cli(workspace)


@pytest.fixture(params=[pytest.param("embedded"), pytest.param("cli", marks=pytest.mark.engine)])
def engine(request: pytest.FixtureRequest, workspace: Workspace) -> Driver:
    """One engine after the other."""
    return Embedded(workspace) if request.param == "embedded" else _cli(workspace)


@pytest.fixture
def embedded(workspace: Workspace) -> Embedded:
    return Embedded(workspace)


@pytest.fixture
def cli(workspace: Workspace) -> Cli:
    """Tests that ask for it are to be marked `engine`."""
    return _cli(workspace)
