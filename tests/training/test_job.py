"""Training as a job: the local runner with real processes, against stores that run here.

The jobs run from a folder that holds just what `training/Dockerfile` copies into the image. What it does not prove:
that the image builds, and that its packages are enough.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from spec import release as releases
from spec.release import parse_reference
from tests.real_parts import ROOT
from tests.stores import RunningStore
from tests.training.small import write_small
from training.errors import TrainingError
from training.job import Limits, LocalRunner, Resources, TrainingJob
from training.progress import Silent
from training.releases.publish import fetch, publish
from training.stores import open_parent, open_store


@pytest.fixture(scope="session")
def image_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image has in /app."""
    folder = tmp_path_factory.mktemp("app")
    for line in (ROOT / "training" / "Dockerfile").read_text().splitlines():
        copied = re.fullmatch(r"COPY (\S+) /app/(\S*)", line)
        if copied is None:
            continue
        source, target = ROOT / copied[1], folder / copied[2]
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    return folder


def test_a_job_reads_trains_and_publishes(
    running_store: RunningStore, store_uri: str, image_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From and to each kind of store; the number follows those in the store, and nothing is left on this machine."""
    monkeypatch.setenv("CODE_COMMIT", "0123abc")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # as in the image
    store = open_store(store_uri)
    publish(write_small(tmp_path / "models", "pets", version=4), store, Silent())
    y = np.arange(80) % 2
    np.savez(tmp_path / "pets.npz", X=np.random.default_rng(0).normal(size=(80, 3)) + y[:, None] * 5, y=y)
    parent, key = open_parent(f"{store_uri}/data/pets.npz")
    parent.create(key, tmp_path / "pets.npz")
    job = TrainingJob("forest", store_uri, dataset=f"{store_uri}/data/pets.npz", model="pets")
    before = sorted(image_root.rglob("*"))
    result = LocalRunner(root=image_root).run(job)
    assert (result.release, result.uri) == ("pets@5", f"{store_uri}/pets/v5")
    metadata = releases.verify(fetch(parse_reference("pets"), store, tmp_path / "fetched", Silent()).path)
    assert metadata["metrics"]["test_accuracy"] > 0.9
    assert metadata["code"]["commit"] == "0123abc"
    assert metadata["data"]["source"] == f"{store_uri}/data/pets.npz"
    assert sorted(image_root.rglob("*")) == before


def test_a_job_that_fails_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    job = TrainingJob("forest", f"{tmp_path.as_uri()}/store", dataset=str(tmp_path / "none.npz"))
    with pytest.raises(TrainingError, match="the job failed with exit code 1; what it said stands above"):
        LocalRunner().run(job)
    assert "file does not exist" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("job", "says"),
    [
        (TrainingJob("forest", "PLACE", limits=Limits(seconds=0.01)), "ran longer than limits.seconds (0.01)"),
        (TrainingJob("forest", "PLACE", resources=Resources(memory_gib=0.25)), "resources.memory_gib allows 0.25"),
    ],
)
def test_a_job_is_ended_at_its_limits(job: TrainingJob, says: str, tmp_path: Path) -> None:
    """The process that is watched here only takes memory and time: a training's own use differs between machines."""
    hungry = tmp_path / "training"
    hungry.mkdir()
    (hungry / "__init__.py").touch()
    child = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    (hungry / "__main__.py").write_text(
        f"import subprocess, sys, time\nchild = subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        "held = bytearray(b'x') * (600 << 20)\ntime.sleep(600)\n"
    )
    job = TrainingJob("forest", f"{tmp_path.as_uri()}/store", resources=job.resources, limits=job.limits)
    with pytest.raises(TrainingError) as caught:
        LocalRunner(root=tmp_path).run(job)
    assert says in str(caught.value)
    pid = (tmp_path / "pid").read_text() if (tmp_path / "pid").exists() else ""
    end = time.monotonic() + 60
    while pid and runs(int(pid)):
        assert time.monotonic() < end, "a process of the job runs on"
        time.sleep(0.02)


def runs(pid: int) -> bool:
    """A zombie does not: it has ended, and only waits for init to notice."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    ("job", "says"),
    [
        (TrainingJob("tree", "file:///tmp/x"), "trainer is 'tree'"),
        (TrainingJob("forest", "/tmp/x"), "output: store is '/tmp/x'"),
        (TrainingJob("forest", "file:///tmp/x", resources=Resources(cpu=0)), "resources.cpu is 0"),
        (TrainingJob("forest", "file:///tmp/x", resources=Resources(memory_gib=0)), "resources.memory_gib is 0"),
        (TrainingJob("forest", "file:///tmp/x", limits=Limits(seconds=0)), "limits.seconds is 0"),
        (TrainingJob("forest", "file:///tmp/x", image="training:forest"), "the local runner runs this checkout"),
    ],
)
def test_a_job_that_cannot_be(job: TrainingJob, says: str) -> None:
    with pytest.raises(TrainingError, match=re.escape(says)):
        LocalRunner().run(job)


def test_a_jobs_arguments_are_the_commands() -> None:
    arguments = TrainingJob("cnn", "s3://bucket/models", dataset="gs://data/x.npz", model="mine").arguments()
    assert arguments == [
        *("job", "--trainer", "cnn", "--output", "s3://bucket/models"),
        *("--data", "gs://data/x.npz", "--model", "mine"),
    ]
    result = subprocess.run(
        [sys.executable, "-m", "training", "job", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert all(option in result.stdout for option in arguments if option.startswith("--"))
