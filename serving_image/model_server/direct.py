"""Predictions answered without ASGI: from the parser's last callback to one write, on requests that come whole.

An ASGI server starts a task, a scope and two channels for each request; for a model that takes microseconds these cost
more than the model. So a POST to a predict path with a plain body is collected here, answered by the same function
that answers it behind ASGI, and written in one piece. Whatever is not as plain as that (chunked or large bodies, query
strings, HTTP/1.0, pipelining, a client that does not read) goes the way of all other requests.
"""

from __future__ import annotations

import asyncio
import http
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from model_server.http import SECURITY_LINES, Response
from model_server.protocol import GuardedProtocol

if TYPE_CHECKING:
    from model_server.app import Predictor

#: Bodies up to this size are collected here; larger ones are read piece by piece, under flow control.
MAX_BODY = 1 << 20
#: Paths remembered; a client cannot fill memory with paths of its own making.
REMEMBERED = 1000

_STATUS_LINES = {status.value: b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode()) for status in http.HTTPStatus}


class _Cycle:
    """What uvicorn's protocol asks of the request under way."""

    __slots__ = ("body", "disconnected", "headers", "keep_alive", "message_event", "predictor", "response_complete")

    def __init__(self, predictor: Predictor, headers: dict[bytes, bytes], *, keep_alive: bool) -> None:
        self.predictor = predictor
        self.headers = headers
        self.keep_alive = keep_alive
        self.body: bytes | bytearray = b""
        self.disconnected = False
        self.response_complete = False
        self.message_event = _NOBODY_WAITS


class _Event:
    def set(self) -> None:
        """Nobody waits: the answer is written from a callback."""


_NOBODY_WAITS = _Event()


class DirectProtocol(GuardedProtocol):
    """One connection. `find` is set by the process before it listens: from a path to what answers it."""

    find: Callable[[str], Predictor | None] = staticmethod(lambda _path: None)
    _known: dict[bytes, Predictor | None] = {}  # noqa: RUF012 # one for all connections, on purpose

    _direct: _Cycle | None = None

    def on_message_begin(self) -> None:
        # uvicorn's scope is made only for requests that take its way.
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self.request_began()

    def on_headers_complete(self) -> None:
        self._direct = self._directly()
        if self._direct is not None:
            self._headers_whole = True
            self.cycle = self._direct  # pyright: ignore[reportAttributeAccessIssue] # all that uvicorn asks of it is there
            return
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._direct is None:
            super().on_body(body)
        else:
            cycle = self._direct
            self._no_body = 0
            if not cycle.body:
                cycle.body = body
            else:
                if type(cycle.body) is bytes:  # in one growing piece: a client may send a byte at a time
                    cycle.body = bytearray(cycle.body)
                cycle.body += body

    def on_message_complete(self) -> None:
        cycle = self._direct
        if cycle is None:
            super().on_message_complete()
            return
        self._direct = None
        self.request_ended()
        answer = cycle.predictor(cycle.headers, bytes(cycle.body))
        if isinstance(answer, Response):
            self._write(cycle, answer)
            return
        task = self.loop.create_task(self._later(cycle, answer))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def _directly(self) -> _Cycle | None:
        parser = self.parser
        if parser is None:  # the connection was lost in between
            return None
        if parser.get_method() != b"POST" or self.expect_100_continue or parser.get_http_version() != "1.1":
            return None
        if self.pipeline or (self.cycle is not None and not self.cycle.response_complete) or self.flow.write_paused:
            return None
        try:
            predictor = self._known[self.url]
        except KeyError:
            predictor = self._look_up(self.url)
        if predictor is None:
            return None
        headers = dict(self.headers)
        length = headers.get(b"content-length", b"")
        if not length.isdigit() or int(length) > MAX_BODY or b"upgrade" in headers or b"transfer-encoding" in headers:
            return None
        return _Cycle(predictor, headers, keep_alive=parser.should_keep_alive())

    def _look_up(self, url: bytes) -> Predictor | None:
        plain = b"?" not in url and b"%" not in url and b"#" not in url and url.isascii()
        predictor = DirectProtocol.find(url.decode("ascii")) if plain else None
        if len(self._known) < REMEMBERED:
            self._known[url] = predictor
        return predictor

    async def _later(self, cycle: _Cycle, answer: Coroutine[Any, Any, Response]) -> None:
        self._write(cycle, await answer)

    def _write(self, cycle: _Cycle, response: Response) -> None:
        cycle.response_complete = True
        if cycle.disconnected or self.transport.is_closing():
            return
        parts = [_STATUS_LINES[response.status]]
        parts += [b"%s: %s\r\n" % pair for pair in self.server_state.default_headers]
        parts.append(b"content-type: %s\r\ncontent-length: %d\r\n" % (response.content_type, len(response.body)))
        keep_alive = cycle.keep_alive
        for name, value in response.headers:
            parts.append(b"%s: %s\r\n" % (name, value))
            keep_alive = keep_alive and name != b"connection"
        if not cycle.keep_alive:
            parts.append(b"connection: close\r\n")
        parts += (SECURITY_LINES, b"\r\n", response.body)
        self.transport.write(b"".join(parts))
        if not keep_alive:
            self.transport.close()
        self.on_response_complete()


def serve_directly(find: Callable[[str], Predictor | None]) -> type[asyncio.Protocol]:
    """The protocol class for a server whose predictions are found by `find`."""
    DirectProtocol.find = staticmethod(find)
    DirectProtocol._known = {}
    return DirectProtocol
