"""Real processes: started, found, stopped. The server here is Python's own; the model server has its own tests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from components.local import processes
from tests.ports import free_port

HOST = "127.0.0.1"


@pytest.fixture
def run_folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "run"
    yield folder
    processes.stop(folder)


def start(run_folder: Path, port: int) -> psutil.Process:
    command = [sys.executable, "-m", "http.server", "--bind", HOST, str(port)]
    return processes.start(command, {}, run_folder, f"http://{HOST}:{port}/")


def ended(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_started_process_is_ready_and_found_again(run_folder: Path):
    port = free_port()
    process = start(run_folder, port)
    found = processes.find(run_folder)
    assert found is not None
    assert found.pid == process.pid
    with socket.create_connection((HOST, port), timeout=60):
        pass
    assert os.getsid(process.pid) != os.getsid(0), "the server must survive the terminal that started it"


def test_stop_ends_the_process_and_leaves_no_folder(run_folder: Path):
    process = start(run_folder, free_port())
    processes.stop(run_folder)
    assert ended(process)
    assert not run_folder.exists()


def test_stop_leaves_a_process_alone_that_only_has_the_same_pid(run_folder: Path):
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        run_folder.mkdir()
        (run_folder / "server.pid").write_text(str(stranger.pid))
        assert processes.find(run_folder) is None
        processes.stop(run_folder)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_killed_process_is_not_found(run_folder: Path):
    process = start(run_folder, free_port())
    os.kill(process.pid, signal.SIGKILL)
    while not ended(process):
        time.sleep(0.01)
    assert processes.find(run_folder) is None


def test_a_second_start_takes_the_place_of_an_orphan(run_folder: Path):
    port = free_port()
    orphan = start(run_folder, port)
    process = start(run_folder, port)
    assert process.pid != orphan.pid
    assert ended(orphan)


def test_a_server_that_ends_early_is_reported_with_its_log(run_folder: Path):
    command = [sys.executable, "-c", "import sys; sys.exit('no model here')"]
    with pytest.raises(processes.ProcessError, match=r"(?s)ended.*no model here"):
        processes.start(command, {}, run_folder, f"http://{HOST}:{free_port()}/")


def test_a_server_that_never_gets_ready_is_stopped(run_folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(processes, "READY_TIMEOUT", 0.5)
    begun = time.monotonic()
    with pytest.raises(processes.ProcessError, match="did not answer"):
        processes.start(
            [sys.executable, "-c", "import time; time.sleep(60)"], {}, run_folder, f"http://{HOST}:{free_port()}/"
        )
    assert time.monotonic() - begun < 40, "it was not waited for as long as it sleeps"
    assert processes.find(run_folder) is None


def test_the_shells_secrets_do_not_reach_the_server(run_folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-for-the-server")
    process = start(run_folder, free_port())
    assert "AWS_SECRET_ACCESS_KEY" not in process.environ()


class TestPortTakenBy:
    def test_a_free_port(self, tmp_path: Path):
        assert processes.port_taken_by(HOST, free_port(), ours=tmp_path) is None

    def test_somebody_elses_port_is_named_with_its_process(self, tmp_path: Path):
        with socket.socket() as server:
            server.bind((HOST, 0))
            server.listen()
            owner = processes.port_taken_by(HOST, server.getsockname()[1], ours=tmp_path)
        assert owner is not None
        assert str(os.getpid()) in owner

    def test_our_own_port_is_not_taken(self, run_folder: Path):
        port = free_port()
        start(run_folder, port)
        assert processes.port_taken_by(HOST, port, ours=run_folder) is None
        assert processes.port_taken_by(HOST, port, ours=run_folder / "other") is not None
