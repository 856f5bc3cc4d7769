"""A real server process for tests: started, waited for, asked over HTTP, stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
#: Seconds a server may take until it is ready; generous, as a test is not a measurement.
READY_SECONDS = 120.0


def python_path() -> str:
    """Where a process of its own finds the server's packages."""
    return os.pathsep.join([str(ROOT), str(ROOT / "serving_image")])


class ServerProcess:
    """One server on an ephemeral port of the loopback address.

    env: what a platform would set. Only PATH and PYTHONPATH are inherited: a test's own environment must not leak in.
    """

    def __init__(self, env: Mapping[str, str], *, log: Path, port: int | None = None) -> None:
        self.port = port or free_port()
        self.log = log
        self.url = f"http://127.0.0.1:{self.port}"
        given = dict(env)
        if not {"PORT", "AIP_HTTP_PORT"} & given.keys():
            given["PORT"] = str(self.port)
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "model_server"],
                env={"PATH": os.environ["PATH"], "PYTHONPATH": python_path(), **given},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                cwd="/",
            )
        self.client = httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    def wait_until_ready(self) -> None:
        """Raises AssertionError with the server's log where it is not ready in time."""
        self.wait_for("/readyz")

    def wait_for(self, path: str, status: int = 200) -> None:
        """Wait until the path answers with the status."""
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            assert self.process.poll() is None, f"the server ended with {self.process.returncode}:\n{self.output()}"
            try:
                if self.client.get(path).status_code == status:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.02)
        raise AssertionError(f"{path} did not answer {status} in {READY_SECONDS} s:\n{self.output()}")

    def output(self) -> str:
        """All that the server has written."""
        return self.log.read_text(errors="replace")

    def metric(self, name: str, **labels: str) -> float:
        """Sum of the metric's samples that have these labels; 0 where there is none."""
        from prometheus_client.parser import text_string_to_metric_families

        total = 0.0
        for family in text_string_to_metric_families(self.client.get("/metrics").text):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    total += sample.value
        return total

    def memory(self) -> int:
        """Resident bytes of the server and its children."""
        import psutil

        process = psutil.Process(self.process.pid)
        return sum(part.memory_info().rss for part in [process, *process.children(recursive=True)])

    def stop(self, seconds: float = 90) -> int:
        """SIGTERM, then the exit code."""
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()


@contextmanager
def running(env: Mapping[str, str], log_folder: Path, *, port: int | None = None) -> Iterator[ServerProcess]:
    """A ready server; stopped at the end, which must be clean."""
    server = ServerProcess(env, log=log_folder / f"server-{time.monotonic_ns()}.log", port=port)
    try:
        server.wait_until_ready()
        yield server
    finally:
        code = server.stop()
    assert code == 0, f"the server ended with {code}:\n{server.output()}"


def run_to_exit(env: Mapping[str, str], log_folder: Path, seconds: float = 120) -> tuple[int, str]:
    """Exit code and output of a server that is expected to end by itself."""
    server = ServerProcess(env, log=log_folder / f"server-{time.monotonic_ns()}.log")
    try:
        code = server.process.wait(seconds)
        return code, server.output()
    finally:
        server.stop()
