"""AWS Lambda's Runtime API, written from its documentation: what the runtime client in a function talks to.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. It models no sandbox, no limit of 6 MB and no time-out.
"""

from __future__ import annotations

import contextlib
import json
import queue
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ANSWER_SECONDS = 60.0
_ROOT = "/2018-06-01/runtime/"


@dataclass
class RuntimeApi:
    """address: host and port, for AWS_LAMBDA_RUNTIME_API. started: an invocation was asked for. init_errors: of the
    function's start.
    """

    address: str = ""
    started: threading.Event = field(default_factory=threading.Event)
    init_errors: list[dict[str, Any]] = field(default_factory=list)
    _events: queue.Queue[tuple[str, bytes]] = field(default_factory=queue.Queue)
    _answers: dict[str, queue.Queue[tuple[str, bytes]]] = field(default_factory=dict)

    def invoke(self, event: Any) -> Any:
        """The function's answer to an event. Raises AssertionError with its error."""
        kind, body = self.send(event)
        assert kind == "response", body.decode()
        return json.loads(body)

    def fail(self, event: Any) -> dict[str, Any]:
        """The function's error on an event."""
        kind, body = self.send(event)
        assert kind == "error", body.decode()
        return json.loads(body)

    def send(self, event: Any) -> tuple[str, bytes]:
        request = str(uuid.uuid4())
        self._answers[request] = queue.Queue()
        self._events.put((request, json.dumps(event).encode()))
        return self._answers[request].get(timeout=ANSWER_SECONDS)


@contextlib.contextmanager
def runtime_api() -> Iterator[RuntimeApi]:
    """The API on a free port of the loopback address."""
    api = RuntimeApi()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            assert self.path == f"{_ROOT}invocation/next"
            api.started.set()
            try:
                request, body = api._events.get(timeout=ANSWER_SECONDS)
            except queue.Empty:
                return self.close()
            headers = {
                "Lambda-Runtime-Aws-Request-Id": request,
                "Lambda-Runtime-Deadline-Ms": str(int((time.time() + 30) * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:123456789012:function:digits",
                "Content-Type": "application/json",
            }
            return self.answer(200, body, headers)

        def do_POST(self) -> None:
            body = self.read()
            part = self.path.removeprefix(_ROOT)
            if part == "init/error":
                api.init_errors.append(json.loads(body))
            else:
                _, request, kind = part.split("/")
                api._answers[request].put((kind, body))
            self.answer(202, b'{"status": "OK"}', {"Content-Type": "application/json"})

        def read(self) -> bytes:
            if "chunked" not in self.headers.get("transfer-encoding", ""):
                return self.rfile.read(int(self.headers.get("content-length", 0)))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def close(self) -> None:
            self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # the base class's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    api.address = f"127.0.0.1:{server.server_port}"
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
