"""Training as a job: one description, run on this machine here and by the clouds' own services with their components.

A job reads a data set from a URI, trains, and publishes the release to a store: nothing else leaves it. Its command is
the training image's own (`python -m training job …`), so a job does the same wherever it runs.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from training.errors import TrainingError
from training.provenance import ROOT
from training.stores import StoreError, is_uri, open_store
from training.trainers import get

#: Seconds between two looks at what a job uses.
LOOK_EVERY = 0.2


@dataclass(frozen=True)
class Resources:
    """What a job may use. cpu: cores. memory_gib: of all its processes together."""

    cpu: int = 1
    memory_gib: float = 4.0


@dataclass(frozen=True)
class Limits:
    """Where a job is ended. seconds: of wall-clock time."""

    seconds: float = 3600.0


@dataclass(frozen=True)
class TrainingJob:
    """One training run.

    trainer: `forest`, `cnn` or `torch`. output: URI of the store that gets the release. dataset: URI or path of the
    npz; None: the trainer's own data set. image: the training image, for the services that run containers; None: this
    checkout. model: name of the release; None: the trainer's own.
    """

    trainer: str
    output: str
    dataset: str | None = None
    image: str | None = None
    model: str | None = None
    resources: Resources = Resources()
    limits: Limits = Limits()

    def check(self) -> None:
        """Raises TrainingError naming the first field that cannot be used."""
        get(self.trainer)
        try:
            open_store(self.output)
        except StoreError as error:
            raise TrainingError(f"output: {error}") from None
        cores = os.cpu_count() or 1
        for field, value, right, allowed in (
            ("resources.cpu", self.resources.cpu, self.resources.cpu >= 1, "a whole number from 1 on"),
            ("resources.memory_gib", self.resources.memory_gib, self.resources.memory_gib >= 0.25, "0.25 or more"),
            ("limits.seconds", self.limits.seconds, self.limits.seconds > 0, "more than 0"),
        ):
            if not right:
                raise TrainingError(f"{field} is {value}; allowed: {allowed} (this machine has {cores} cores)")

    def arguments(self) -> list[str]:
        """The command's arguments, after `python -m training`: those of the image too."""
        command = ["job", "--trainer", self.trainer, "--output", self.output]
        if self.dataset is not None:
            command += ["--data", self.dataset if is_uri(self.dataset) else str(Path(self.dataset).resolve())]
        if self.model is not None:
            command += ["--model", self.model]
        return command


@dataclass(frozen=True)
class JobResult:
    """What a job left. release: `name@N`. uri: where it was published."""

    release: str
    uri: str
    seconds: float


class JobRunner(Protocol):
    """Where jobs run."""

    def run(self, job: TrainingJob) -> JobResult:
        """Run to the end. Raises TrainingError where the job cannot start, fails, or reaches a limit."""
        ...


class LocalRunner:
    """Runs a job as a process of this machine, on as many cores as it may use, and ends it where it uses more memory
    or time than it may. Its progress goes to our stderr."""

    def __init__(self, python: Sequence[str] = (sys.executable,), root: Path = ROOT) -> None:
        self._command = [*python, "-m", "training"]
        self._root = root

    def run(self, job: TrainingJob) -> JobResult:
        job.check()
        if job.image is not None:
            raise TrainingError(
                f"image is {job.image!r}; the local runner runs this checkout: leave image out, or run the image "
                f"with the arguments {' '.join(job.arguments())}"
            )
        threads = {name: str(job.resources.cpu) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        began = time.monotonic()
        process = subprocess.Popen(
            [*self._command, *job.arguments()],
            cwd=self._root,
            env={**os.environ, **threads},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            watched = psutil.Process(process.pid)
            if hasattr(watched, "cpu_affinity"):
                watched.cpu_affinity(watched.cpu_affinity()[: job.resources.cpu])
            self._watch(process, watched, job, began)
            printed = process.stdout.read() if process.stdout else ""
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()  # waits, and closes the pipe
        if process.returncode != 0:
            raise TrainingError(f"the job failed with exit code {process.returncode}; what it said stands above")
        result = json.loads(printed.splitlines()[-1])
        return JobResult(result["release"], result["uri"], time.monotonic() - began)

    @staticmethod
    def _watch(process: subprocess.Popen[str], watched: psutil.Process, job: TrainingJob, began: float) -> None:
        allowed = job.resources.memory_gib * 2**30
        while process.poll() is None:
            used = 0
            for member in _family(watched):
                try:
                    used += member.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            if used > allowed:
                raise TrainingError(
                    f"the job used {used / 2**30:.2f} GiB and was ended; resources.memory_gib allows "
                    f"{job.resources.memory_gib:g}. Raise it, or train on less"
                )
            if time.monotonic() - began > job.limits.seconds:
                raise TrainingError(f"the job ran longer than limits.seconds ({job.limits.seconds:g}) and was ended")
            time.sleep(LOOK_EVERY)


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
