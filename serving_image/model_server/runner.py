"""Runs models: a cheap run on the event loop, a costly one on a thread that takes what already waits as one batch.

A hop to a thread costs more than a cheap model; a costly model on the loop would keep health checks waiting. Nothing
ever waits for a batch to fill.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from model_server.codecs.base import Call
from model_server.errors import RequestError
from model_server.metrics import Metrics
from model_server.model import Model
from model_server.tensors import Array, Arrays

#: Runs that take less than this many seconds stay on the event loop.
INLINE_SECONDS = 0.002
#: Seconds that a request may wait for the model unless the setting says otherwise: this, or SHARE of one run if longer.
MIN_WAIT = 0.03
WAIT_SHARE = 1.5
#: Weight of the last run in what a run is expected to take, and the most that one run may count for: a machine that
#: others use too is slower than it was when the model was loaded.
PACE_WEIGHT = 0.1
SLOWEST_PACE = 10.0
#: Rows of a batch beyond which more of them only makes the first ones wait.
BATCH_ROWS = 64


class BusyError(Exception):
    """More waits than can be answered in time. retry_after: whole seconds until it is worth trying again."""

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after


class Ran(NamedTuple):
    """What a run of calls gave: for each its outputs or what failed; feeds and rows of those that did not fail."""

    answers: list[list[Array] | Exception]
    feeds: Arrays
    rows: int


@dataclass
class _Job:
    call: Call
    deadline: float
    done: asyncio.Future[list[Array]]


class Runner:
    """Runs one model. Made on the event loop; `close` ends its thread."""

    def __init__(self, model: Model, metrics: Metrics, *, max_queue: int, max_wait: float | None) -> None:
        self._model = model
        self._metrics = metrics
        self._max_queue = max_queue
        self._given_max_wait = max_wait
        self._pace = 1.0
        self._inline_rows = _inline_rows(model)
        self._turn_rows = min(self._inline_rows, BATCH_ROWS)
        self._batches = model.cost.batching_pays and all(
            spec.shape[0] is None and None not in spec.row_shape for spec in model.inputs
        )
        self.loop = asyncio.get_running_loop()
        self._wake = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._queued_rows = 0
        self._busy_until = 0.0
        self._closed = False
        self._working = False

    def inline(self, rows: int) -> bool:
        """Whether a run of so many rows belongs on the event loop."""
        return rows <= self._inline_rows

    def fitting(self, calls: Sequence[Call]) -> int:
        """How many of the calls, from the first on, belong into one run on the event loop; at least one."""
        if not self._batches:
            return 1
        outputs, rows = calls[0].outputs, calls[0].rows
        for count, call in enumerate(calls[1:], 1):
            rows += call.rows
            if rows > self._turn_rows or call.outputs != outputs:
                return count
        return len(calls)

    def run(self, calls: Sequence[Call]) -> Ran:
        """Run calls as one, now, on the calling thread. Where they fail together, each is run on its own."""
        if len(calls) == 1:
            return self._one_by_one(calls)
        try:
            feeds = {name: np.concatenate([call.feeds[name] for call in calls]) for name in calls[0].feeds}
            found = self._model.run(feeds, calls[0].outputs)
        except Exception:  # which of them it was, comes out
            return self._one_by_one(calls)
        answers: list[list[Array] | Exception] = []
        begin = 0
        for call in calls:
            end = begin + call.rows
            answers.append([output[begin:end] for output in found])
            begin = end
        self._metrics.batch.observe(begin)
        return Ran(answers, feeds, begin)

    def _one_by_one(self, calls: Sequence[Call]) -> Ran:
        answers: list[list[Array] | Exception] = []
        good: list[Call] = []
        for call in calls:
            self._metrics.batch.observe(call.rows)
            try:
                answers.append(self._model.run(call.feeds, call.outputs))
                good.append(call)
            except Exception as error:  # handed to its request, which logs it
                answers.append(error)
        if len(good) == 1:
            return Ran(answers, good[0].feeds, good[0].rows)
        feeds = {name: np.concatenate([call.feeds[name] for call in good]) for name in (good[0].feeds if good else ())}
        return Ran(answers, feeds, sum(call.rows for call in good))

    async def submit(self, feeds: Arrays, rows: int, outputs: Sequence[str] | None, deadline: float) -> list[Array]:
        """Run on the thread, together with what waits there.

        deadline: `time.monotonic()` at which the answer is of no use any more. Raises BusyError at once where the queue
        is full or the wait would be too long, RequestError 504 at the deadline.
        """
        wait = self._expected_wait()
        if len(self._jobs) >= self._max_queue or wait > self._max_wait():
            raise BusyError(max(1, round(wait)))
        now = time.monotonic()
        if now + wait >= deadline:
            raise RequestError(504, f"the deadline would pass: the model is busy for {wait:.3f} seconds")
        job = _Job(Call(feeds, rows, outputs), deadline, self.loop.create_future())
        with self._wake:
            if (
                not self._working
            ):  # the first request, or one that chose this release just before another took its place
                self._working = True
                threading.Thread(target=self._work, name=f"model-{self._model.reference}", daemon=True).start()
            self._jobs.append(job)
            self._queued_rows += rows
            self._wake.notify()
        self._metrics.waits(1)
        timer = self.loop.call_later(deadline - now, self._expire, job)
        try:
            return await job.done
        finally:
            timer.cancel()
            self._metrics.waits(-1)

    def close(self) -> None:
        """End the thread once what waits is done."""
        with self._wake:
            self._closed = True
            self._wake.notify()

    def _expected_wait(self) -> float:
        """Seconds until a request that comes now would begin to run."""
        until = self._busy_until
        # A run that is overdue is expected to be so for as long again.
        running = abs(until - time.monotonic()) if until else 0.0
        if not self._jobs:
            return running
        if self._batches:
            return running + self._seconds(self._queued_rows)
        return running + sum(self._seconds(job.call.rows) for job in tuple(self._jobs))

    def _max_wait(self) -> float:
        """Seconds that a request may wait."""
        if self._given_max_wait is not None:
            return self._given_max_wait
        return max(MIN_WAIT, WAIT_SHARE * self._seconds(1))

    def _seconds(self, rows: int) -> float:
        """Seconds of a run as they are now."""
        return self._model.cost.seconds(rows) * self._pace

    @staticmethod
    def _expire(job: _Job) -> None:
        if not job.done.done():
            job.done.set_exception(RequestError(504, "the deadline passed before the model answered"))

    def _work(self) -> None:
        while True:
            with self._wake:
                while not self._jobs and not self._closed:
                    self._wake.wait()
                if not self._jobs:
                    self._working = False
                    return
                batch = self._take()
                rows = sum(job.call.rows for job in batch)
                began = time.monotonic()
                self._busy_until = began + self._seconds(rows)
            answers = self.run([job.call for job in batch]).answers if batch else []
            if batch:
                pace = min((time.monotonic() - began) / self._model.cost.seconds(rows), SLOWEST_PACE)
                self._pace += PACE_WEIGHT * (pace - self._pace)
            # Before the answers leave: whoever asks again at once must not find this thread busy with them.
            self._busy_until = 0.0
            if batch:
                self.loop.call_soon_threadsafe(self._deliver, batch, answers)

    def _take(self) -> list[_Job]:
        """The next jobs that can run as one; those that nobody waits for any more are dropped."""
        batch: list[_Job] = []
        rows = 0
        now = time.monotonic()
        while self._jobs:
            job = self._jobs[0]
            late = job.done.done() or job.deadline <= now
            if not late and batch:
                full = rows + job.call.rows > BATCH_ROWS or job.call.outputs != batch[0].call.outputs
                if full or not self._batches:
                    break
            self._jobs.popleft()
            self._queued_rows -= job.call.rows
            if not late:
                batch.append(job)
                rows += job.call.rows
        return batch

    @staticmethod
    def _deliver(batch: list[_Job], answers: list[list[Array] | Exception]) -> None:
        for job, answer in zip(batch, answers, strict=True):
            if job.done.done():
                continue
            if isinstance(answer, Exception):
                job.done.set_exception(answer)
            else:
                job.done.set_result(answer)


def _inline_rows(model: Model) -> int:
    """Rows up to which a run stays on the event loop; 0 where even one row is too much."""
    if model.cost.seconds(1) > INLINE_SECONDS:
        return 0
    return int(min((INLINE_SECONDS - model.cost.base) / max(model.cost.row, 1e-9), 1_000_000))
