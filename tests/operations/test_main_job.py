"""The main job as a user runs it, on both engines: real training, a real server process, real predictions over HTTP."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.operations.checkout import Checkout
from tests.ports import free_port

ENGINES = ["embedded", pytest.param("cli", marks=pytest.mark.engine)]


@pytest.fixture(params=ENGINES)
def checkout(request: pytest.FixtureRequest, tmp_path: Path, models: Path) -> Iterator[Checkout]:
    if request.param == "cli" and shutil.which("pulumi") is None:
        pytest.skip("the Pulumi CLI is not on PATH")
    made = Checkout.make(tmp_path / "tree", request.param)
    shutil.copytree(models, made.root / "models", symlinks=True)
    made.edit(release="digits@1")
    yield made
    if made.made():
        made.edit(release="digits@1")
        assert made.run("down").returncode == 0


def up(checkout: Checkout) -> str:
    result = checkout.run("up")
    assert result.returncode == 0, result.stdout
    return result.stdout


def outputs(checkout: Checkout) -> dict[str, str]:
    result = checkout.run("outputs")
    assert result.returncode == 0, result.stdout
    exports = json.loads(result.stdout)
    assert len(exports) == 1
    return next(iter(exports.values()))


def listener(port: int) -> int:
    """pid of the process that listens on the port."""
    return next(
        c.pid
        for c in psutil.net_connections("tcp")
        if c.status == "LISTEN" and getattr(c.laddr, "port", None) == port and c.pid
    )


def port_of(checkout: Checkout) -> int:
    return checkout.service()["deploy_to"][0]["port"]


def runs(process: psutil.Process) -> bool:
    """A zombie does not: it has ended, and only waits for init to notice."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def server_pids(checkout: Checkout) -> list[int]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        try:
            if "model_server" in (process.info["cmdline"] or []) and str(checkout.root) in str(process.environ()):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


@pytest.mark.proof("Local process", "scikit-learn", "ONNX Runtime", level="runtime")
def test_up_serves_a_right_prediction_and_prints_a_curl_that_works(checkout: Checkout):
    said = up(checkout)
    assert "which is right" in said
    curl = next(line for line in said.splitlines() if line.startswith("curl "))
    answer = json.loads(subprocess.run(["/bin/sh", "-c", curl], check=True, capture_output=True, text=True).stdout)
    assert answer["model_name"] == "digits"
    assert json.dumps(answer["outputs"]) in said


def test_a_second_up_changes_nothing(checkout: Checkout):
    up(checkout)
    pid = listener(port_of(checkout))
    before = checkout.made()
    assert len(before) == 4, "the copied release, the process, its configuration and its folder of logs"
    up(checkout)
    assert listener(port_of(checkout)) == pid
    assert checkout.made() == before


def test_the_shared_stack_file_is_left_as_it_was(checkout: Checkout):
    before = checkout.stack_file.read_bytes()
    up(checkout)
    assert checkout.run("refresh").returncode == 0
    assert checkout.stack_file.read_bytes() == before


def test_another_port_moves_the_server(checkout: Checkout):
    up(checkout)
    before = port_of(checkout)
    checkout.edit(port=free_port())
    up(checkout)
    assert httpx.get(f"http://127.0.0.1:{port_of(checkout)}/readyz", timeout=60).status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{before}/readyz", timeout=60)
    assert outputs(checkout)["release"] == "digits@1"


@pytest.mark.proof("Local process", level="runtime")
def test_another_release_and_back(checkout: Checkout):
    up(checkout)
    for release in ("digits@2", "digits@1"):
        checkout.edit(release=release)
        up(checkout)
        assert outputs(checkout)["release"] == release
        served = httpx.get(f"http://127.0.0.1:{port_of(checkout)}/v2/models/digits", timeout=60).json()
        assert served["versions"] == [release.removeprefix("digits@")]


def test_latest_is_resolved_to_its_number(checkout: Checkout):
    checkout.edit(release="digits@latest")
    up(checkout)
    assert outputs(checkout)["release"] == "digits@2"
    assert "latest" not in re.findall(r"digits@\w+", checkout.state())


def test_a_killed_server_is_seen_by_refresh_and_repaired_by_up(checkout: Checkout):
    up(checkout)
    pid = listener(port_of(checkout))
    server = psutil.Process(pid)
    server.kill()
    while runs(server):
        time.sleep(0.01)
    refreshed = checkout.run("refresh")
    assert refreshed.returncode == 0, refreshed.stdout
    assert "ServerProcess" not in checkout.state()
    up(checkout)
    assert listener(port_of(checkout)) != pid


@pytest.mark.proof("Local process", level="runtime")
def test_down_leaves_no_process_no_port_and_no_store(checkout: Checkout):
    up(checkout)
    assert server_pids(checkout)
    down = checkout.run("down")
    assert down.returncode == 0, down.stdout
    assert server_pids(checkout) == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port_of(checkout)), timeout=2)
    assert not list((checkout.root / ".local" / "store").rglob("model.onnx"))
    assert (checkout.root / "models" / "digits" / "v1" / "model.onnx").exists(), (
        "releases are not the stack's to delete"
    )


class TestBadInput:
    """Answered clearly, and nothing changed."""

    def refuse(self, checkout: Checkout, *expected: str) -> None:
        before = checkout.made()
        result = checkout.run("up")
        assert result.returncode == 1
        for text in expected:
            assert text in result.stdout, result.stdout
        assert "Traceback" not in result.stdout
        assert checkout.made() == before

    def test_an_unknown_field(self, checkout: Checkout):
        checkout.edit(relase="digits@1")
        self.refuse(checkout, "service.relase", "not a field", "Did you mean release?")
        checkout.stack_file.write_text(re.sub(r"\n\s+relase:.*", "", checkout.stack_file.read_text()))

    def test_a_release_that_does_not_exist(self, checkout: Checkout):
        checkout.edit(release="digits@7")
        self.refuse(checkout, "digits@7", "digits@1", "digits@2")

    def test_a_tampered_file_in_a_release(self, checkout: Checkout):
        model = checkout.root / "models" / "digits" / "v1" / "model.onnx"
        good = model.read_bytes()
        model.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        self.refuse(checkout, "model.onnx", "was changed", "sha256")
        model.write_bytes(good)

    def test_a_port_taken_by_something_else(self, checkout: Checkout):
        with socket.socket() as server:
            server.bind(("127.0.0.1", port_of(checkout)))
            server.listen()
            self.refuse(checkout, str(port_of(checkout)), "taken by", str(os.getpid()))

    def test_broken_yaml(self, checkout: Checkout):
        good = checkout.stack_file.read_text()
        checkout.stack_file.write_text(good + "\n  - [")
        self.refuse(checkout, "Pulumi.dev.yaml", "line")
        checkout.stack_file.write_text(good)

    def test_a_corrupt_state_file(self, checkout: Checkout):
        up(checkout)
        state = next((checkout.root / ".local" / "state").glob(".pulumi/stacks/*/dev.json"))
        good = state.read_bytes()
        state.write_bytes(good[: len(good) // 2])
        pid = listener(port_of(checkout))
        result = checkout.run("up")
        assert result.returncode == 1
        assert "Traceback" not in result.stdout
        assert state.read_bytes() == good[: len(good) // 2]
        assert listener(port_of(checkout)) == pid
        state.write_bytes(good)

    def test_a_mistake_in_the_description_does_not_keep_from_removing(self, checkout: Checkout):
        up(checkout)
        checkout.edit(relase="digits@1")
        down = checkout.run("down")
        assert down.returncode == 0, down.stdout
        assert server_pids(checkout) == []
        checkout.stack_file.write_text(re.sub(r"\n\s+relase:.*", "", checkout.stack_file.read_text()))

    def test_a_stack_that_does_not_exist(self, checkout: Checkout):
        result = checkout.run("up", "--stack", "nosuch")
        assert result.returncode == 1
        assert "Pulumi.nosuch.yaml" in result.stdout
        assert "dev" in result.stdout


def test_up_of_a_cloud_stack_without_the_cli_says_how_to_get_it(tmp_path: Path):
    checkout = Checkout.make(tmp_path / "tree", "embedded")
    checkout.edit(deploy_to=[{"cloud": "aws", "region": "eu-central-1"}])
    result = checkout.run("up")
    assert result.returncode == 1
    for text in ("aws", "Pulumi CLI", "make pulumi", "make plan"):
        assert text in result.stdout
    assert checkout.state() == ""


def test_interrupted_up_is_taken_up_again(tmp_path: Path, models: Path):
    """`kill -9` while the server starts: the next `up` finds what is there, and there is one server, not two."""
    checkout = Checkout.make(tmp_path / "tree", "embedded")
    shutil.copytree(models, checkout.root / "models", symlinks=True)
    running = subprocess.Popen(
        [sys.executable, "-m", "operations", "up"],
        cwd=checkout.root,
        env={**os.environ, "CLOUD_ML_ENGINE": "embedded"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not server_pids(checkout) and time.monotonic() < deadline:
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    running.wait()
    up(checkout)
    family = [psutil.Process(pid) for pid in server_pids(checkout)]
    assert len([p for p in family if p.ppid() not in {q.pid for q in family}]) == 1
    assert checkout.run("down").returncode == 0
    assert server_pids(checkout) == []
