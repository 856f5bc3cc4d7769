"""Predictions answered without ASGI: from the parser's last callback to one write, on requests that come whole.

An ASGI server starts a task, a scope and two channels for each request; for a model that takes microseconds these cost
more than the model. So a POST to a predict path with a plain body is collected here, answered by the same function
that answers it behind ASGI, and written in one piece. Whatever is not as plain as that (chunked or large bodies, query
strings, HTTP/1.0, pipelining, a client that does not read) goes the way of all other requests.

Clients send the same head over and over: its bytes are remembered together with what the parser made of them, and a
request that comes whole with a head that is known to the byte needs no parser. Only what the parser itself has accepted
is remembered, so there is no second opinion on what a request is.
"""

from __future__ import annotations

import asyncio
import http
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from model_server.http import NO_HEADERS, SECURITY_LINES, HeaderList, Response
from model_server.protocol import GuardedProtocol

if TYPE_CHECKING:
    from model_server.app import Predictor
    from model_server.predictions import Prediction

#: Bodies up to this size are collected here; larger ones are read piece by piece, under flow control.
MAX_BODY = 1 << 20
#: Paths, and heads, remembered; a client cannot fill memory with those of its own making.
REMEMBERED = 1000
#: Bytes of a head that is worth remembering.
MAX_KNOWN_HEAD = 2048

_HEAD_END = b"\r\n\r\n"
_STATUS_LINES = {status.value: b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode()) for status in http.HTTPStatus}


class _Head(NamedTuple):
    """What the parser made of a request's line and headers."""

    predictor: Predictor
    headers: dict[bytes, bytes]
    length: int
    keep_alive: bool


class _Cycle:
    """What uvicorn's protocol asks of the request under way."""

    __slots__ = ("body", "disconnected", "head", "keep_alive", "message_event", "protocol", "response_complete")

    def __init__(self, protocol: DirectProtocol, head: _Head) -> None:
        self.protocol = protocol
        self.head = head
        self.keep_alive = head.keep_alive
        self.body: bytes | bytearray = b""
        self.disconnected = False
        self.response_complete = False
        self.message_event = _NOBODY_WAITS

    def predict(self, body: bytes) -> None:
        head = self.head
        head.predictor(head.headers, body, self.reply)

    def reply(self, asked: Prediction, response: Response) -> None:
        self.response_complete = True
        if not self.disconnected:
            self.protocol.write(self, asked, response)


class _Event:
    def set(self) -> None:
        """Nobody waits: the answer is written from a callback."""


_NOBODY_WAITS = _Event()


class DirectProtocol(GuardedProtocol):
    """One connection. `find` is set by the process before it listens: from a path to what answers it."""

    find: Callable[[str], Predictor | None] = staticmethod(lambda _path: None)
    # One for all connections, on purpose: predictors by path, heads by their bytes, and the first lines of
    # answers by status and content type, as long as the date is the same.
    _paths: dict[bytes, Predictor | None] = {}  # noqa: RUF012
    _heads: dict[bytes, _Head] = {}  # noqa: RUF012
    _begins: dict[tuple[int, bytes], bytes] = {}  # noqa: RUF012
    _dated: HeaderList = NO_HEADERS

    _direct: _Cycle | None = None
    #: Requests that began and the last direct one that ended, in the data that is being parsed.
    _began = 0
    _ended: _Cycle | None = None

    def data_received(self, data: bytes) -> None:
        between = not self._reading and (self.cycle is None or self.cycle.response_complete)
        if not between or self.flow.write_paused:
            super().data_received(data)
            return
        cut = data.find(_HEAD_END) + len(_HEAD_END)
        head = self._heads.get(data[:cut])
        if head is not None and len(data) - cut == head.length:
            self._since = self._idle_since = 0.0
            cycle = self.cycle = _Cycle(self, head)  # pyright: ignore[reportAttributeAccessIssue] # all that uvicorn asks of it is there
            cycle.predict(data[cut:])
            return
        self._began, self._ended = 0, None
        super().data_received(data)
        if self._began == 1 and self._ended is not None and cut <= MAX_KNOWN_HEAD:
            self._remember(data[:cut], self._ended.head, len(data) - cut)

    def _remember(self, head: bytes, made: _Head, length: int) -> None:
        if made.length != length:  # the end of another head is in the data
            return
        if len(self._heads) >= REMEMBERED:
            self._heads.clear()
        self._heads[head] = made

    def on_message_begin(self) -> None:
        # uvicorn's scope is made only for requests that take its way.
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self._began += 1
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
        self._ended = cycle
        cycle.predict(bytes(cycle.body))

    def _directly(self) -> _Cycle | None:
        parser = self.parser
        if parser is None:  # the connection was lost in between
            return None
        if parser.get_method() != b"POST" or self.expect_100_continue or parser.get_http_version() != "1.1":
            return None
        if self.pipeline or (self.cycle is not None and not self.cycle.response_complete) or self.flow.write_paused:
            return None
        try:
            predictor = self._paths[self.url]
        except KeyError:
            predictor = self._look_up(self.url)
        if predictor is None:
            return None
        headers = dict(self.headers)
        length = headers.get(b"content-length", b"")
        if not length.isdigit() or int(length) > MAX_BODY or b"upgrade" in headers or b"transfer-encoding" in headers:
            return None
        return _Cycle(self, _Head(predictor, headers, int(length), parser.should_keep_alive()))

    def _look_up(self, url: bytes) -> Predictor | None:
        plain = b"?" not in url and b"%" not in url and b"#" not in url and url.isascii()
        predictor = DirectProtocol.find(url.decode("ascii")) if plain else None
        if len(self._paths) < REMEMBERED:
            self._paths[url] = predictor
        return predictor

    def write(self, cycle: _Cycle, asked: Prediction, response: Response) -> None:
        """Write the answer, unless the client has gone."""
        if self.transport.is_closing():
            return
        more, body, keep_alive = asked.lines, response.body, cycle.keep_alive
        for name, value in response.headers:
            more += b"%b: %b\r\n" % (name, value)
            keep_alive = keep_alive and name != b"connection"
        if not cycle.keep_alive:
            more += b"connection: close\r\n"
        begin = self._begin(response.status, response.content_type)
        self.transport.write(b"%b%d\r\n%b\r\n%b" % (begin, len(body), more, body))
        if not keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _begin(self, status: int, content_type: bytes) -> bytes:
        """The answer's first lines, up to the number of its bytes."""
        if self.server_state.default_headers is not DirectProtocol._dated:  # uvicorn makes them anew every second
            DirectProtocol._dated = self.server_state.default_headers
            self._begins.clear()
        begin = self._begins.get((status, content_type))
        if begin is None:
            dated = b"".join(b"%b: %b\r\n" % pair for pair in self._dated)
            begin = b"%b%bcontent-type: %b\r\n%bcontent-length: " % (
                _STATUS_LINES[status], dated, content_type, SECURITY_LINES,
            )  # fmt: skip
            self._begins[status, content_type] = begin
        return begin


def serve_directly(find: Callable[[str], Predictor | None]) -> type[asyncio.Protocol]:
    """The protocol class for a server whose predictions are found by `find`."""
    DirectProtocol.find = staticmethod(find)
    DirectProtocol._paths, DirectProtocol._heads = {}, {}
    return DirectProtocol
