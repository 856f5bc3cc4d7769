"""The whole life of stack kubernetes on both engines, against the stand-in cluster.

New release, scale, canary on and off, public to private, drift, a failure in the middle, destroy. This shows wiring,
order and recovery; not that a cluster accepts a value, nor that a pod starts. Two to four minutes each.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from operations.engines import Choice
from operations.rehearse import rehearse
from tests.engine.standin.stage import PATIENCE, cli
from tests.real_parts import ROOT

pytestmark = [pytest.mark.timeout(PATIENCE), pytest.mark.proof("Local Kubernetes", level="engine")]
#: There is one cluster, without regions, and the stack makes no key.
_UNDEFINED = {"target added", "target removed", "region added", "key rotated"}


@pytest.mark.parametrize("engine", [pytest.param("embedded"), pytest.param("cli", marks=pytest.mark.engine)])
def test_the_whole_life(engine: str) -> None:
    found: Path | None = cli() if engine == "cli" else None
    told = rehearse(ROOT, "kubernetes", Choice(found, "the test asks for it"))
    assert told.passed, told.markdown()
    assert {step.name for step in told.steps if step.verdict == "not defined"} == _UNDEFINED
    assert ("CLI" in told.engine) == (engine == "cli")
    by_name = {step.name: step for step in told.steps}
    for change in ("release", "canary on", "canary off"):
        # The pods alone change: whoever calls them notices nothing.
        assert [op for op, urn in by_name[change].steps if "kubernetes:" in urn.rpartition("$")[2]] == ["update"]
