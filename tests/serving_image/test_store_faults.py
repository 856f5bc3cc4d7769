"""Stores that are away, silent, wrong or full: the server says so by its exit code, or goes on without them.

The store is an HTTP server of a few lines that answers as badly as a test wants; emulators are asked elsewhere.
"""

from __future__ import annotations

import json
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from model_server import settings
from model_server.capture import Capture, Record
from model_server.errors import Exit
from model_server.metrics import Metrics

from tests.ports import free_port
from tests.serving_image.conftest import Digits
from tests.serving_image.load import post, under_load
from tests.serving_image.server_process import ServerProcess, run_to_exit, running

#: Seconds that a condition is waited for; generous, as a test is not a measurement.
PATIENCE = 60.0
#: From a file's name and how often it was asked for to status and body; None: no answer at all.
Answers = Callable[[str, int], "tuple[int, bytes] | None"]


class Store:
    """An S3 that answers what it is told to."""

    def __init__(self) -> None:
        self.answers: Answers = lambda _name, _count: (404, b"<Error><Code>NoSuchKey</Code></Error>")
        self.asked: dict[str, int] = {}
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                name = self.path.rsplit("/", 1)[-1]
                store.asked[name] = store.asked.get(name, 0) + 1
                answer = store.answers(name, store.asked[name])
                if answer is None:
                    time.sleep(PATIENCE)
                    self.close_connection = True
                    return
                self.send_response(answer[0])
                self.send_header("content-length", str(len(answer[1])))
                self.send_header("last-modified", "Wed, 25 Nov 2026 12:00:00 GMT")
                self.send_header("etag", '"1"')
                self.end_headers()
                self.wfile.write(answer[1])

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: the server under test says what it saw."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.environment = environment(self._server.server_address[1])

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def environment(port: int) -> dict[str, str]:
    return {
        "MODEL_URI": "s3://bucket/digits/v1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT": f"http://127.0.0.1:{port}",
        "AWS_ALLOW_HTTP": "true",
    }


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store()
    yield made
    made.close()


def right(digits: Digits) -> Answers:
    return lambda name, _count: (200, (digits.path / name).read_bytes())


@pytest.mark.parametrize("failing", ["nobody listens", "error 500"])
def test_a_store_that_is_away(failing: str, store: Store, tmp_path: Path) -> None:
    store.answers = lambda _name, _count: (500, b"<Error><Code>InternalError</Code></Error>")
    env = environment(free_port()) if failing == "nobody listens" else store.environment
    code, output = run_to_exit(env, tmp_path, PATIENCE)
    assert code == Exit.STORE_AWAY, output
    assert "attempt 4 to fetch s3://bucket/digits/v1 failed" in output
    assert "could not be fetched after 5 attempts" in output
    assert "Traceback" not in output


def test_a_store_that_comes_back(store: Store, digits: Digits, tmp_path: Path) -> None:
    good = right(digits)
    store.answers = lambda name, count: (503, b"") if count <= 2 and name == "model.onnx" else good(name, count)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with running({**store.environment, "TMPDIR": str(temporary)}, tmp_path) as server:
        assert server.client.post("/invocations", json=digits.rows[:1]).status_code == 200
        assert server.output().count("attempt ") == 2
        assert list(temporary.glob("release-*")) == [], "what was fetched lies about"


@pytest.mark.parametrize(
    ("name", "status", "body", "code", "words"),
    [
        ("model_metadata.json", 200, b"<html>login</html>", Exit.TAMPERED, "release refused"),
        ("model_metadata.json", 200, b"{}", Exit.TAMPERED, "release refused"),
        ("model_metadata.json", 200, b"", Exit.TAMPERED, "release refused"),
        ("model_metadata.json", 404, b"", Exit.NO_RELEASE, "the store has no digits/v1/model_metadata.json"),
        ("model.onnx", 404, b"", Exit.NO_RELEASE, "the store has no digits/v1/model.onnx"),
        ("model.onnx", 200, b"garbage", Exit.TAMPERED, "sha256"),
        ("samples.json", 200, b"", Exit.TAMPERED, "sha256"),
    ],
)
def test_a_store_that_answers_wrong(
    name: str, status: int, body: bytes, code: Exit, words: str, store: Store, digits: Digits, tmp_path: Path
) -> None:
    good = right(digits)
    store.answers = lambda asked, count: (status, body) if asked == name else good(asked, count)
    ended, output = run_to_exit(store.environment, tmp_path, PATIENCE)
    assert ended == code, output
    assert words in output
    assert "Traceback" not in output


def test_files_outside_the_release_are_not_written(store: Store, digits: Digits, tmp_path: Path) -> None:
    metadata = json.loads((digits.path / "model_metadata.json").read_text())
    metadata["files"]["../../escaped"] = "0" * 64
    good = right(digits)
    store.answers = lambda name, count: (
        (200, json.dumps(metadata).encode()) if name == "model_metadata.json" else good(name, count)
    )
    code, output = run_to_exit({**store.environment, "TMPDIR": str(tmp_path)}, tmp_path, PATIENCE)
    assert code == Exit.TAMPERED, output
    assert store.asked.keys() == {"model_metadata.json"}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sigterm_while_the_store_is_silent(workers: str, store: Store, tmp_path: Path) -> None:
    """Nothing is waited for that may never come."""
    store.answers = lambda _name, _count: None
    env = {**store.environment, "WORKERS": workers, "GRACE_SECONDS": "60"}
    server = ServerProcess(env, log=tmp_path / "server.log")
    server.wait_for("/livez")
    end = time.monotonic() + PATIENCE
    while not store.asked:
        assert time.monotonic() < end
        time.sleep(0.02)
    server.wait_for("/readyz", 503)
    server.process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    assert server.process.wait(2 * PATIENCE) == 0
    assert time.monotonic() - began < 50, "as long as if it had waited for the end of the grace, 60 seconds"
    server.client.close()


def test_capture_on_a_disk_that_is_full(digits: Digits, tmp_path: Path) -> None:
    """The kernel refuses to let the file grow, as a full disk does; serving goes on, and capture once there is room.

    A limit on the size of the process's files stands for the disk: mounting a small one needs more rights than a test
    has. A real full disk says ENOSPC where this says EFBIG; the server treats all errors of a write alike.
    """
    folder = tmp_path / "captured"
    env = {"MODEL_URI": str(digits.path), "CAPTURE_URI": str(folder), "CAPTURE_PERCENT": "100"}
    request = post("/invocations", json.dumps({"instances": digits.rows[:1]}).encode())
    with running(env, tmp_path) as server:
        _, most = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (50_000, most))
        with under_load(server.port, lambda _: request, connections=4) as load:
            load.wait_for_answers(300)
            until(lambda: server.metric("model_capture_dropped_total") > 50, "drops are counted")
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (most, most))
            load.wait_for_answers(300)
        until(lambda: records(folder) > 300, "capture goes on")
        dropped = server.metric("model_capture_dropped_total")
        assert server.output().count("captured requests are dropped") == 1, "the log is filled"
    assert load.outcome.failed == []
    assert load.outcome.statuses.keys() == {200}
    assert records(folder) + dropped == len(load.outcome.answered)


def test_capture_to_a_store_that_is_away(store: Store, monkeypatch: pytest.MonkeyPatch, digits: Digits) -> None:
    """Every request that is lost with an object is counted, not the object."""
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    env = {"MODEL_URI": str(digits.path), "CAPTURE_URI": "s3://bucket/captured", "CAPTURE_PERCENT": "100"}
    metrics = Metrics([1.0])
    capture = Capture(settings.read(env), metrics)
    for number in range(5):
        capture.offer(Record(0.0, str(number), "sagemaker", "digits@1", 200, b"", b"[]", b"", b"[]"))
    capture.close(PATIENCE)  # the store above takes no PUT
    assert b"model_capture_dropped_total 5.0" in metrics.text()


def records(folder: Path) -> int:
    """Whole lines of JSON in the folder's files; a broken one fails."""
    lines = [line for file in folder.iterdir() for line in file.read_bytes().split(b"\n")[:-1]]
    assert all(json.loads(line)["status"] == 200 for line in lines)
    return len(lines)


def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"not in {PATIENCE} s: {what}"
        time.sleep(0.05)
