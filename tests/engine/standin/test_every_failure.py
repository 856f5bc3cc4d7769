"""Every kind of failure at each step of the small programs: the runs after it converge, and after each of them the
cloud holds nothing that the state does not know. Both are read from the fake cloud's file and from the state's.

By default each kind meets one program or two, so that each program and each kind is met; REHEARSAL_MATRIX=full takes
every kind to every program, which takes four times as long. What this does not prove: that a vendor fails the way its
stand-in does.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.standin import KINDS, Failure
from operations.rehearsal import consistency
from operations.rehearsal.failing import Failing
from tests.engine.standin.stage import CLOUDS, PATIENCE, stage

pytestmark = pytest.mark.timeout(PATIENCE)

CHOSEN = {
    "throttled": ("kubernetes",),
    "denied": ("gcp",),
    "quota": ("kubernetes",),
    "conflict": ("azure",),
    "slow": ("gcp",),
    "timed_out": ("kubernetes",),
    "partial": ("kubernetes",),
    "delete_refused": ("kubernetes", "aws"),
    "crash": ("kubernetes",),
    "crash_after": ("kubernetes",),
}
FULL = os.environ.get("REHEARSAL_MATRIX") == "full"
PAIRS = [(kind, cloud) for kind in KINDS for cloud in (CLOUDS if FULL else CHOSEN[kind])]
#: On the CLI, where one run takes five seconds, those that leave something behind.
ON_THE_CLI = [("timed_out", "kubernetes"), ("partial", "kubernetes"), ("delete_refused", "kubernetes")]
CASES = [
    *(pytest.param(*pair, "embedded", id=f"{'-'.join(pair)}-embedded") for pair in PAIRS),
    *(pytest.param(*pair, "cli", id=f"{'-'.join(pair)}-cli", marks=pytest.mark.engine) for pair in ON_THE_CLI),
]


def test_every_kind_and_every_program_is_met() -> None:
    assert set(CHOSEN) == set(KINDS)
    assert {cloud for clouds in CHOSEN.values() for cloud in clouds} == set(CLOUDS)


@pytest.mark.parametrize(("kind", "cloud", "engine"), CASES)
def test_the_next_run_converges(kind: str, cloud: str, engine: str, tmp_path: Path) -> None:
    with stage(cloud, engine, tmp_path) as on:
        reports = Failing(on.engine, on.program, on.stand_in, on.settings).run(kind)
        assert [f"{one.name}: {one.problems}" for one in reports if one.verdict != "passed"] == []
        assert [one.name for one in reports] == [f"{kind} at each {stage}" for stage in ("create", "change", "delete")]
        assert not on.stand_in.cloud.objects()
        # Not one of the stages may have passed because no failure was ever met.
        assert sum(int(one.happened.split()[0]) for one in reports) >= 5


@pytest.mark.parametrize("engine", [pytest.param("embedded"), pytest.param("cli", marks=pytest.mark.engine)])
def test_a_creation_whose_answer_is_lost(engine: str, tmp_path: Path) -> None:
    """The provider crashes after the vendor made it: nobody was told the id, and no protocol can ask for it.

    The embedded engine keeps the creation in its state as pending and names it until it is settled. The CLI (3.260)
    keeps nothing: all that is left is the vendor's "already exists".
    """
    with stage("kubernetes", engine, tmp_path) as on:
        on.stand_in.failures.add(Failure("crash_after", "*Namespace*", "create"))
        assert not on.engine.run("up").ok
        on.stand_in.ensure()
        left = consistency.unknown(on.stand_in.cloud, on.engine.resources())
        assert [(one.type, one.id) for one in left] == [("kubernetes:core/v1:Namespace", "serving")]
        pending = on.engine.pending()
        assert pending == ({left[0].urn} if engine == "embedded" else set())

        for operation in ("refresh", "up"):
            on.said.clear()
            done = on.engine.run(operation)
            assert done.ok == (operation == "refresh")
            if engine == "embedded":
                assert any(left[0].urn in line and "under the name 'serving'" in line for line in on.said)
        assert '"serving" already exists' in done.message
        assert on.engine.pending() == pending

        with on.stand_in.cloud.change() as objects:
            objects.clear()
        assert on.engine.run("up").ok
        assert on.engine.pending() == set()
        assert not consistency.strangers(on.stand_in.cloud, on.engine.resources())


def test_a_second_try_takes_the_name_that_the_first_made_up(tmp_path: Path) -> None:
    """Else it would make a second bucket, and nobody would ever hear of the first."""
    with stage("aws", "embedded", tmp_path) as on:
        on.stand_in.failures.add(Failure("crash_after", "aws:s3/bucket:Bucket", "create"))
        assert not on.engine.run("up").ok
        on.stand_in.ensure()
        bucket = next(one for one in on.stand_in.cloud.objects().values() if one.type == "aws:s3/bucket:Bucket")
        again = on.engine.run("up")
        assert not again.ok
        assert bucket.id in again.message
        assert any(f"under the name '{bucket.id}'" in line for line in on.said)
        with on.stand_in.cloud.change() as objects:
            del objects[bucket.key]
        assert on.engine.run("up").ok
        assert bucket.key in on.stand_in.cloud.objects()
        assert not consistency.strangers(on.stand_in.cloud, on.engine.resources())
