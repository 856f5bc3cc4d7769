"""One server at a time: started, asked for right answers, loaded with wrk, weighed, stopped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from benchmarks.serving.contestants import Contestant
from benchmarks.serving.work import Work

WRK_SCRIPT = Path(__file__).parent / "post.lua"
#: Seconds a server may take until its first 200: some peers start whole clusters of processes.
START_SECONDS = 120.0
#: Answers that are compared with the right ones before a load.
CHECKED = 40


@dataclass(frozen=True)
class Load:
    """What one run of wrk saw. rate: right answers per second. p50, p99: seconds. refused: answers that are no 2xx."""

    rate: float
    p50: float
    p99: float
    refused: int


@dataclass
class Server:
    """A running contestant. start_seconds: from its start to its first 200."""

    contestant: Contestant
    work: Work
    port: int
    start_seconds: float
    process: psutil.Process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.contestant.path}"

    def memory_mb(self) -> float:
        """Resident memory of the server and all its children, MB (shared pages counted once per process)."""
        family = [self.process, *self.process.children(recursive=True)]
        return sum(member.memory_info().rss for member in family if member.is_running()) / 1e6

    def check(self, bodies: list[bytes]) -> None:
        """Raises AssertionError where an answer is not the right one."""
        step = max(1, len(bodies) // CHECKED)
        wrong = 0
        with httpx.Client(timeout=60, trust_env=False) as client:
            for index in range(0, len(bodies), step):
                answer = client.post(self.url, content=bodies[index], headers=self._headers(bodies[index]))
                assert answer.status_code == 200, f"{self.contestant.name}: {answer.status_code} {answer.text[:300]}"
                wrong += self.contestant.label(answer.json()) != self.work.labels[index]
        # float32 against float64 may tip a row that lies between two classes; more than that is a wrong model.
        assert wrong <= 1, f"{self.contestant.name}: {wrong} wrong answers of {CHECKED}"

    def _headers(self, body: bytes) -> dict[str, str]:
        head = self.contestant.head(body)
        extra = {"Inference-Header-Content-Length": str(head)} if head else {}
        return {"content-type": self.contestant.content_type, **extra}

    def load(self, bodies: Path, head: int, connections: int, seconds: float) -> Load:
        """Load the server with wrk: one thread, so that the other core is the server's."""
        done = subprocess.run(
            [
                "wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds:.0f}s",
                "--timeout", "30s", "--script", str(WRK_SCRIPT), self.url,
                "--", str(bodies), self.contestant.content_type, str(head),
            ],
            capture_output=True, text=True, check=True, timeout=seconds + 60,
        )  # fmt: skip
        found = json.loads(done.stdout.strip().splitlines()[-1])
        assert found["broken"] == 0, f"{self.contestant.name}: {found['broken']} broken connections"
        good = found["requests"] - found["refused"]
        return Load(good / found["seconds"], found["p50"], found["p99"], found["refused"])


@contextmanager
def serving(contestant: Contestant, work: Work, log: Path) -> Iterator[Server]:
    """Start the contestant and stop it, whatever it started, at the end."""
    port = free_port()
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(work.folder),
        "OMP_NUM_THREADS": "1",
        "WORK": work.name,
        "MODEL_FOLDER": str(work.folder),
        "PORT": str(port),
        **contestant.env(work, port),
    }
    began = time.perf_counter()
    with log.open("wb") as output:
        started = subprocess.Popen(
            [str(contestant.python), *contestant.command(work, port)],
            env=env, cwd=work.folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    process = psutil.Process(started.pid)
    try:
        _wait(f"http://127.0.0.1:{port}{contestant.ready}", started, log)
        yield Server(contestant, work, port, time.perf_counter() - began, process)
    finally:
        family = process.children(recursive=True) if process.is_running() else []
        started.send_signal(signal.SIGTERM)
        try:
            started.wait(15)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()
        for child in family:
            if child.is_running():
                child.kill()


def write_bodies(file: Path, bodies: list[bytes]) -> None:
    """Requests for the wrk script: a line with the length before each."""
    with file.open("wb") as out:
        for body in bodies:
            out.write(b"%d\n%s\n" % (len(body), body))


def _wait(url: str, started: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    with httpx.Client(timeout=2, trust_env=False) as client:
        while time.monotonic() < end:
            if started.poll() is not None:
                raise RuntimeError(f"ended with {started.returncode}:\n{log.read_text(errors='replace')[-2000:]}")
            try:
                if client.get(url).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.01)
    raise RuntimeError(f"no 200 within {START_SECONDS:.0f} s:\n{log.read_text(errors='replace')[-2000:]}")


def need_wrk() -> None:
    """Raises SystemExit where wrk is missing."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed; on Debian: apt-get install wrk")


def free_port() -> int:
    """A port with two free ones after it: some servers want three."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        try:
            for offset in (1, 2):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port + offset))
        except OSError:
            continue
        return port
