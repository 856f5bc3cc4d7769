"""What runs a model, asked directly: moments that no request over HTTP hits for certain."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from model_server import limits
from model_server import model as models
from model_server.errors import RequestError
from model_server.metrics import Metrics
from model_server.runner import BusyError, Runner

FEEDS = {"x": np.array([[1, 2, 3, 4]], dtype=np.float32)}


@pytest.fixture(scope="module")
def model(slow: Path) -> models.Model:
    return models.load(slow, name=None, threads=1)


def runner(model: models.Model, max_wait: float | None = None) -> Runner:
    return Runner(model, Metrics([1.0]), max_queue=2, max_wait=max_wait)


async def submit(runner: Runner, seconds: float = 60.0) -> float:
    [answer] = await runner.submit(FEEDS, 1, None, time.monotonic() + seconds)
    return float(answer[0, 0])


def test_a_request_that_comes_after_the_close_is_answered(model: models.Model) -> None:
    """It had chosen this release just before another one took its place."""

    async def ask() -> None:
        made = runner(model)
        first = await submit(made)
        made.close()
        while any(thread.name == f"model-{model.reference}" for thread in threading.enumerate()):
            await asyncio.sleep(0.01)
        assert await asyncio.wait_for(submit(made), 60) == first
        unused = runner(model)
        unused.close()
        assert await asyncio.wait_for(submit(unused), 60) == first

    asyncio.run(ask())


def test_what_waits_at_the_close_is_answered(model: models.Model) -> None:
    async def ask() -> None:
        made = runner(model, max_wait=60)
        waiting = [asyncio.ensure_future(submit(made)) for _ in range(2)]
        await asyncio.sleep(0)
        made.close()
        assert len(set(await asyncio.gather(*waiting))) == 1

    asyncio.run(ask())


def test_who_asks_again_after_each_answer_never_waits(doubling: Path) -> None:
    """The thread that has just answered is free: a request is not told to wait for the end of what is done."""
    quick = models.load(doubling, name=None, threads=1)
    feeds = {"x": np.ones((1, 2, 3), dtype=np.float32)}

    async def ask() -> None:
        made = runner(quick, max_wait=0)
        for _ in range(1000):
            await made.submit(feeds, 1, None, time.monotonic() + 60)

    asyncio.run(ask())


def test_a_full_queue_and_a_deadline_are_said_at_once(model: models.Model) -> None:
    async def ask() -> None:
        made = runner(model, max_wait=60)
        with made._wake:  # its thread takes nothing meanwhile, however the two threads are scheduled
            waiting = [asyncio.ensure_future(submit(made)) for _ in range(2)]
            await asyncio.sleep(0)
            with pytest.raises(BusyError):
                await submit(made)
        await asyncio.gather(*waiting)
        with pytest.raises(RequestError) as late:
            await submit(made, model.cost.seconds(1) / 100)
        assert late.value.status == 504
        assert await submit(made)  # the runner goes on

    asyncio.run(ask())


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "100000 100000\n"}, 1),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu.max": "nonsense"}, None),
        ({}, None),
    ],
)
def test_cpus_are_those_of_the_control_group(
    files: dict[str, str], expected: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: set(range(8)))
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    cpus = expected or 8
    assert limits.cpus(tmp_path) == cpus
    assert limits.threads_per_process(1, tmp_path) == cpus
    assert limits.threads_per_process(4, tmp_path) == max(1, cpus // 4)
