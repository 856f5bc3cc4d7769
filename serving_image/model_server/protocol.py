"""uvicorn's HTTP protocol, with what it lacks against slow and endless requests.

A client that opens connections and sends its request a byte at a time, or headers without end, or does not read its
answers, would hold memory and descriptors for ever. One sweep per second looks at all connections: a timer per request
would cost more than a cheap model.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Seconds from a request's first byte (a connection's begin, for the first one) until the request is whole, and how
#: slowly a body may come beyond that. So long may an answer lie unread, too.
REQUEST_SECONDS = 20.0
SLOWEST_BYTES_PER_SECOND = 128 * 1024
#: Seconds that a connection may be slow or idle once there are as many as the server takes.
CROWDED_SECONDS = 2.0
#: Bytes of a request's line and headers, or of what is neither they nor its body (lengths of chunks, trailers).
MAX_HEAD = 64 * 1024
#: Seconds between sweeps.
SWEEP_SECONDS = 1.0

_TIMEOUT = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: application/json\r\ncontent-length: 46\r\nconnection: close\r\n\r\n"
    b'{"error":"the request was not whole in time"}\n'
)
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\ncontent-length: 36\r\n"
    b'connection: close\r\n\r\n{"error":"the headers are too long"}'
)
_TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\ncontent-length: 32\r\n"
    b'connection: close\r\n\r\n{"error":"too many connections"}'
)


class GuardedProtocol(HttpToolsProtocol):
    """One connection. `max_connections` is set by the process before it listens."""

    max_connections = 1000

    #: Loop time at which the request that is being read began; 0 while none is.
    _since = 0.0
    #: Bytes read of it, how many of them since its body last grew, whether one has begun, and whether its headers are
    #: whole.
    _read = 0
    _no_body = 0
    _reading = False
    _headers_whole = False
    #: Loop time at which the last answer was written; 0 while a request is under way.
    _idle_since = 0.0
    #: Whether the server stops: the next answer is the last one.
    _last = False
    #: The request that is answered; uvicorn's `cycle` is the last one that came, which may wait behind it.
    _answering: Any = None
    #: Bytes of answers that the client has not taken, and loop time since which they are as many.
    _unsent = 0
    _unsent_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(transport)
        self._since = self.loop.time()
        if len(self.connections) > self.max_connections and not make_room(self.connections, self._since):
            self._end(_TOO_MANY)

    def connection_lost(self, exc: Exception | None) -> None:
        cycle = self._answering
        if cycle is not None and not cycle.response_complete:  # else it would write to what is closed
            cycle.disconnected = True
            cycle.message_event.set()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def data_received(self, data: bytes) -> None:
        self._read += len(data)
        self._no_body += len(data)
        self._idle_since = 0.0
        super().data_received(data)
        if self._no_body > MAX_HEAD and self._since:
            self._end(_TOO_LARGE)

    def on_header(self, name: bytes, value: bytes) -> None:
        # What a client sends as a header after its body must not become one: the request was judged without it.
        if not self._headers_whole:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        self._no_body = 0
        super().on_body(body)

    def on_message_begin(self) -> None:
        self.request_began()
        super().on_message_begin()

    def request_began(self) -> None:
        """Note when the request began."""
        self._since = self.loop.time()
        self._reading = True
        self._headers_whole = False

    def on_headers_complete(self) -> None:
        self._headers_whole = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self.request_ended()
        super().on_message_complete()

    def request_ended(self) -> None:
        """The request is whole; the next one has not begun."""
        self._since = 0.0
        self._reading = False
        self._read = self._no_body = 0
        self._headers_whole = False

    def on_response_complete(self) -> None:
        if self.pipeline:
            super().on_response_complete()
            return
        # As uvicorn does it, but for its timer: the sweep finds idle connections.
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        self._idle_since = self.loop.time()
        if self._last:
            self.transport.close()

    def shutdown(self) -> None:
        """The server stops: end the connection, after the request that is under way on it."""
        if self._since and self._read:
            self._last = True
        else:
            super().shutdown()

    def end_if_slow(self, now: float, patience: float = REQUEST_SECONDS) -> bool:
        """Close the connection where its request takes too long to arrive. Returns whether it is closed."""
        answered = self._headers_whole and self.cycle is not None and self.cycle.response_complete
        allowed = patience + (0.0 if answered else self._read / SLOWEST_BYTES_PER_SECOND)
        if not self._since or now - self._since <= allowed:
            return False
        self._end(_TIMEOUT if self._read else b"")
        return True

    def end_if_idle(self, now: float, patience: float) -> bool:
        """Close the connection where it has been waiting for a request for so many seconds. Returns whether it is."""
        if self._since or not self._idle_since or now - self._idle_since <= patience:
            return False
        self.transport.close()
        return True

    def end_if_unread(self, now: float) -> None:
        """Cut the connection where nobody takes the answers that were written to it."""
        unsent = self.transport.get_write_buffer_size()
        if not unsent or unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        elif now - self._unsent_since > REQUEST_SECONDS:
            self.transport.abort()

    def _end(self, answer: bytes) -> None:
        if self.transport.is_closing():
            return
        cycle = self.cycle
        if self._headers_whole and cycle is not None:  # the cycle is this request's own, unless others wait before it
            silent = bool(self.pipeline) or cycle.response_complete or getattr(cycle, "response_started", False)
        else:
            silent = cycle is not None and not cycle.response_complete
        if answer and not silent:
            self.transport.write(answer)
        self.transport.close()


def make_room(connections: set[Any], now: float) -> bool:
    """Close what is slow or idle, as more connections are there than the server takes. Returns whether one was."""
    closed = [
        connection.end_if_slow(now, CROWDED_SECONDS) or connection.end_if_idle(now, CROWDED_SECONDS)
        for connection in list(connections)
    ]
    return any(closed)


async def sweep(connections: set[Any]) -> None:
    """Look at all connections once a second, for ever."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        now = loop.time()
        for connection in list(connections):
            connection.end_if_unread(now)
            if not connection.end_if_slow(now):
                connection.end_if_idle(now, connection.timeout_keep_alive)
