"""The whole life of the small programs on both engines, and the two step by step beside each other.

This shows wiring, order and recovery against the stand-in cloud; not that a vendor accepts a value. A rehearsal is
about thirty runs of the program: half a minute on the embedded engine, two to four minutes on the CLI.
"""

from __future__ import annotations

from functools import cache

import pytest

from operations.engines import Choice
from operations.rehearsal.life import steps_by_name
from operations.rehearsal.report import Report
from operations.rehearse import rehearse
from tests.engine.standin.stage import CLOUDS, PATIENCE, PROGRAMS, STACK, cli

pytestmark = pytest.mark.timeout(PATIENCE)

#: Which creations are left to do depends on how far the others were when one of them was refused.
_NOT_COMPARED = ("failed in the middle", "resumed")
EVERY_CLOUD = [
    pytest.param(cloud, marks=pytest.mark.proof(row, level="engine"), id=cloud) for cloud, row in CLOUDS.items()
]


@cache
def report(cloud: str, engine: str) -> Report:
    """One rehearsal, run once for all tests that look at it."""
    return rehearse(PROGRAMS / cloud, STACK, Choice(cli() if engine == "cli" else None, "the test asks for it"))


@pytest.mark.parametrize("engine", [pytest.param("embedded"), pytest.param("cli", marks=pytest.mark.engine)])
@pytest.mark.parametrize("cloud", EVERY_CLOUD)
def test_a_whole_life(cloud: str, engine: str) -> None:
    told = report(cloud, engine)
    assert told.passed, told.markdown()
    assert [step.name for step in told.steps if step.verdict == "not defined"] == []
    assert len(told.steps) == 13
    assert ("CLI" in told.engine) == (engine == "cli")


@pytest.mark.engine
@pytest.mark.parametrize("cloud", CLOUDS)
def test_both_engines_take_the_same_steps(cloud: str) -> None:
    """The same operation on the same URN for every change of the life, and nothing else."""
    ours, theirs = (steps_by_name(report(cloud, engine)) for engine in ("embedded", "cli"))
    assert list(ours) == list(theirs)
    for name in ours:
        if name not in _NOT_COMPARED:
            assert ours[name] == theirs[name], name
    assert any(ours.values())
