"""Clients that are slow, broken or hostile, over plain sockets: they harm nobody but themselves.

What this does not prove: anything about floods that fill the network before they reach the process.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving_image.conftest import Digits
from tests.serving_image.load import post, under_load
from tests.serving_image.server_process import ServerProcess, running

#: Seconds that a condition is waited for; generous, as a test is not a measurement.
PATIENCE = 90.0
MAX_CONNECTIONS = 60
MIB = 1 << 20


@pytest.fixture(scope="module")
def server(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    env = {"MODEL_URI": str(digits.path), "MAX_CONNECTIONS": str(MAX_CONNECTIONS), "MAX_BODY_MIB": "2"}
    with running(env, tmp_path_factory.mktemp("abuse")) as process:
        yield process
        assert "Traceback" not in process.output()


def good(digits: Digits) -> bytes:
    return post("/invocations", json.dumps({"instances": digits.rows[:1]}).encode())


def connect(server: ServerProcess) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)


def all_of(connection: socket.socket) -> bytes:
    """What comes until the server closes."""
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(1 << 16):
            answer += part
    return answer


def status_of(server: ServerProcess, request: bytes) -> int:
    with connect(server) as connection:
        connection.sendall(request)
        return int(connection.makefile("rb").readline().split()[1])


@pytest.mark.alone
def test_slow_clients_are_ended_and_starve_nobody(server: ServerProcess, digits: Digits) -> None:
    """A few of each kind at once, each sending a byte now and then, while others are served."""
    head = b"POST /invocations HTTP/1.1\r\nhost: test\r\n"
    begins = {
        "nothing": b"",
        "head": head,
        "body": head + b"content-length: 1000\r\n\r\n[",
        "chunks": head + b"transfer-encoding: chunked\r\n\r\n1\r\n[\r\n",
        "trailers": head + b"transfer-encoding: chunked\r\n\r\n0\r\n",
        "long way": head.replace(b"invocations", b"invocations?x=1") + b"content-length: 1000\r\n\r\n[",
    }
    drops = {"head": b"x", "body": b" ", "chunks": b"1\r\n \r\n", "trailers": b"x", "long way": b" "}
    slow = {(name, number): connect(server) for name in begins for number in range(3)}
    try:
        for (name, _), connection in slow.items():
            connection.sendall(begins[name])
            connection.setblocking(False)
        closed: dict[tuple[str, int], bytes] = {}
        end = time.monotonic() + PATIENCE
        with under_load(server.port, lambda _: good(digits), connections=4, pause=0.05) as load:
            while len(closed) < len(slow) and time.monotonic() < end:
                time.sleep(0.25)
                for key, connection in slow.items():
                    if key in closed:
                        continue
                    try:
                        closed[key] = connection.recv(1000)
                    except BlockingIOError:
                        with contextlib.suppress(OSError):
                            connection.send(drops.get(key[0], b""))
                    except ConnectionResetError:
                        closed[key] = b""
    finally:
        for connection in slow.values():
            connection.close()
    assert slow.keys() == closed.keys()
    assert {name: answer.split(b"\r\n")[0] for (name, _), answer in closed.items()} == {
        name: b"HTTP/1.1 408 Request Timeout" if name != "nothing" else b"" for name in begins
    }
    assert load.outcome.failed == []
    assert load.outcome.statuses.keys() == {200}


@pytest.mark.parametrize(
    "begin", [b"", b"POST /invocations HTTP/1.1\r\nx: ", b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n"]
)
def test_a_server_full_of_slow_or_idle_clients_takes_new_ones(
    server: ServerProcess, digits: Digits, begin: bytes
) -> None:
    """More connections than the server takes, none of which asks for anything: they make room for who does."""
    with contextlib.ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS + 10):
            connection = stack.enter_context(connect(server))
            with contextlib.suppress(OSError):
                connection.sendall(begin)
        end = time.monotonic() + 15  # less than a slow request is given where there is room: 20 seconds, see `protocol`
        while status_of(server, good(digits)) != 200:
            assert time.monotonic() < end, "the server stays full"
            time.sleep(0.1)


def test_answers_that_nobody_reads_do_not_pile_up(server: ServerProcess, digits: Digits) -> None:
    body = json.dumps({"instances": digits.rows[:1] * 1000}).encode()
    request = post("/invocations", body)
    before = server.memory()
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", server.port))
            connection.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                for _ in range(200):
                    connection.send(request)
        for _ in range(20):
            assert status_of(server, good(digits)) == 200
        assert server.memory() - before < 64 * MIB


def test_clients_that_leave_in_the_middle(server: ServerProcess, digits: Digits) -> None:
    request = good(digits)
    chunked = request.replace(b"content-length: ", b"x: ").replace(b"host: test", b"transfer-encoding: chunked")
    with under_load(server.port, lambda _: request, connections=4) as load:
        for number in range(300):
            with connect(server) as connection:
                whole = chunked if number % 2 else request
                connection.sendall(whole[: number * len(whole) // 300])
                if number % 3 == 0:  # a reset instead of an end
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert load.outcome.failed == []
    assert load.outcome.statuses.keys() == {200}


def test_a_client_that_leaves_unread_answers_and_requests_in_line(server: ServerProcess) -> None:
    """One answer is half written, the next one waits to be: with the client gone there is nothing to do, or to log."""
    live = b"GET /livez HTTP/1.1\r\nhost: test\r\n\r\n"
    for _ in range(3):
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", server.port))
            connection.sendall(live.replace(b"livez", b"openapi.json") * 1000)
            for _ in range(200):  # more turns of the loop than answers have room on the way
                assert status_of(server, live) == 200
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        for _ in range(20):
            assert status_of(server, live) == 200
    assert "Traceback" not in server.output()


@pytest.mark.parametrize("path", ["/invocations", "/invocations?long=way"])
def test_bodies_over_the_limit(server: ServerProcess, path: str) -> None:
    """With a length, without one, and compressed: refused in the contract's shape, at no cost of memory."""
    before = server.memory()
    large = b"[" + b"0," * (2 * MIB) + b"0]"
    assert status_of(server, post(path, large)) == 413
    chunks = b"".join(b"10000\r\n%s\r\n" % large[at : at + 65536] for at in range(0, 3 * MIB, 65536))
    head = f"POST {path} HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    assert status_of(server, head + chunks + b"0\r\n\r\n") == 413
    bomb = gzip.compress(b"0" * (400 * MIB), 9)
    assert len(bomb) < MIB
    assert status_of(server, post(path, bomb, content_encoding="gzip")) == 413
    assert server.memory() - before < 48 * MIB


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("one header", b"GET /livez HTTP/1.1\r\nx: %s\r\n\r\n" % (b"a" * 200_000)),
        ("many headers", b"GET /livez HTTP/1.1\r\n%s\r\n" % (b"x: y\r\n" * 40_000)),
        ("the path", b"GET /%s HTTP/1.1\r\n\r\n" % (b"a" * 200_000)),
    ],
)
def test_heads_without_end(server: ServerProcess, name: str, sent: bytes) -> None:
    """Sent in pieces, as a slow network does: refused, or cut, before they are whole."""
    with connect(server) as connection:
        with contextlib.suppress(OSError):
            for at in range(0, len(sent) - 10, 1000):
                connection.sendall(sent[at : min(at + 1000, len(sent) - 10)])
        assert all_of(connection).startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 ")), name


@pytest.mark.parametrize("what", [b"x: y\r\n", b"x" * 6])
def test_trailers_without_end(server: ServerProcess, what: bytes) -> None:
    begin = b"POST /invocations HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n0\r\n"
    with connect(server) as connection:
        connection.sendall(begin)
        sent = 0
        with contextlib.suppress(OSError):
            while sent < 40 * MIB:
                connection.sendall(what * 1000)
                sent += len(what) * 1000
        assert sent < 40 * MIB, "nobody stopped it"


def test_a_trailer_is_no_header(server: ServerProcess, digits: Digits) -> None:
    """A request is judged by its head; what comes after the body cannot change its type or claim a token."""
    body = json.dumps({"instances": digits.rows[:1]}).encode()
    head = b"POST /invocations HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n"
    chunks = b"%x\r\n%s\r\n0\r\ncontent-type: text/csv\r\nx-request-id: trailer\r\n\r\n" % (len(body), body)
    with connect(server) as connection:
        connection.sendall(head)
        time.sleep(0.1)
        connection.sendall(chunks + b"GET /livez HTTP/1.1\r\nconnection: close\r\n\r\n")
        first, second = all_of(connection).split(b"HTTP/1.1 ")[1:]
    assert first.startswith(b"200")
    assert b"x-request-id: trailer" not in first
    assert second.startswith(b"200")


def test_a_body_byte_by_byte(server: ServerProcess, digits: Digits) -> None:
    request = good(digits)
    with connect(server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(request)):
            connection.send(request[at : at + 1])
        assert b" 200 " in connection.makefile("rb").readline()


def test_smuggled_requests_are_refused(server: ServerProcess) -> None:
    """Two lengths, or a length and chunks: which of them counts is what a proxy and a server may disagree on."""
    base = b"POST /invocations HTTP/1.1\r\nhost: test\r\n"
    for lengths in (
        b"content-length: 2\r\ncontent-length: 3\r\n",
        b"content-length: 2\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: chunked, identity\r\ncontent-length: 2\r\n",
        b"content-length: +2\r\n",
        b"content-length: 2 2\r\n",
        b"content-length: -1\r\n",
    ):
        assert status_of(server, base + lengths + b"\r\n[]0\r\n\r\n") == 400, lengths


def test_the_clients_deadline_is_honoured(slow: Path, tmp_path: Path) -> None:
    """A request that cannot be answered in the time that its client gives is told so then, not later."""
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}
    body = json.dumps({"inputs": [tensor]}).encode()
    with running({"MODEL_URI": str(slow)}, tmp_path) as server:
        path = "/v2/models/slow/infer"
        assert status_of(server, post(path, body)) == 200
        assert status_of(server, post(path, body, x_request_timeout_ms="1")) == 504
        assert status_of(server, post(path, body, x_request_timeout_ms="60000")) == 200
        assert status_of(server, post(path, body, x_request_timeout_ms="soon")) == 400
