"""One endpoint's life through both engines, against a Resource Manager played over HTTP.

The endpoint and the deployments are stand-ins for azure-native's; the three resources around them are the real ones.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.components.azure.fake_arm import FakeArm
from tests.engine.drivers import Cli, Driver, Embedded, Workspace, end_all
from tests.real_parts import ROOT

Up = Callable[[str, dict[str, int]], Any]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeArm]:
    played = FakeArm(pause=1)
    with played.server() as url:
        monkeypatch.setenv("AZURE_RESOURCE_MANAGER_ENDPOINT", url)
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # the program is rewritten faster than once a second
        yield played


@pytest.fixture(params=[pytest.param("embedded"), pytest.param("cli", marks=pytest.mark.engine)])
def engine(request: pytest.FixtureRequest, fake: FakeArm, tmp_path: Path) -> Iterator[Driver]:
    if request.param == "cli" and shutil.which("pulumi") is None:
        pytest.skip("pulumi is not on PATH (https://www.pulumi.com/docs/install/)")
    workspace = Workspace(tmp_path / "project")
    yield Embedded(workspace) if request.param == "embedded" else Cli(workspace)
    end_all()


def up(engine: Driver, tag: str, shares: dict[str, int]) -> Any:
    engine.workspace.program(f"from tests.components.azure.played_ml import program\nprogram({tag!r}, {shares!r})")
    return engine("up")


def test_the_whole_life(engine: Driver, fake: FakeArm) -> None:
    first = up(engine, "a", {"primary": 100})
    assert first.ok, first.log
    assert fake.traffic == {"primary": 100}

    # The endpoint's update clears the traffic, and then the canary fails: primary has its traffic all the same.
    fake.broken = {"canary"}
    failed = up(engine, "b", {"primary": 90, "canary": 10})
    assert not failed.ok
    assert "the deployment's container does not start" in failed.log
    assert fake.traffic == {"primary": 100}

    fake.broken = set()
    again = up(engine, "b", {"primary": 90, "canary": 10})
    assert again.ok, again.log
    assert fake.traffic == {"primary": 90, "canary": 10}
    calm = up(engine, "b", {"primary": 90, "canary": 10})
    assert (calm.ok, calm.changes) == (True, {}), calm.log

    fake.faults = ["failed"]
    failed = up(engine, "b", {"primary": 50, "canary": 50})
    assert not failed.ok
    assert "the update failed" in failed.log
    assert fake.traffic == {"primary": 90, "canary": 10}
    again = up(engine, "b", {"primary": 50, "canary": 50})
    assert again.ok, again.log
    assert fake.traffic == {"primary": 50, "canary": 50}

    # Somebody changes it behind the state's back; nothing of the program has changed.
    assert fake.endpoint is not None
    fake.endpoint["properties"]["traffic"] = {"primary": 100}
    back = up(engine, "b", {"primary": 50, "canary": 50})
    assert back.ok, back.log
    assert fake.traffic == {"primary": 50, "canary": 50}

    off = up(engine, "b", {"primary": 100})
    assert off.ok, off.log
    assert (fake.traffic, fake.deployments) == ({"primary": 100}, {"primary": "Succeeded"})

    gone = engine("destroy")
    assert gone.ok, gone.log
    assert (fake.endpoint, fake.deployments, fake.refused) == (None, {}, [])


def test_shares_that_are_not_100_are_refused_before_anything_is_asked(embedded: Embedded, fake: FakeArm) -> None:
    refused = up(embedded, "a", {"primary": 90})
    assert not refused.ok
    assert "sums to 90 (primary 90); allowed: 100" in refused.log
    assert fake.traffic == {}


@pytest.fixture
def embedded(fake: FakeArm, tmp_path: Path) -> Iterator[Embedded]:
    assert fake.endpoint is None
    yield Embedded(Workspace(tmp_path / "project"))
    end_all()
