"""uvicorn's HTTP protocol, with what it lacks against slow and endless requests.

A client that opens connections and sends its request a byte at a time, or headers without end, would hold memory and
descriptors for ever. One sweep per second looks at all connections: a timer per request would cost more than a cheap
model.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Seconds from a request's first byte (a connection's begin, for the first one) until the request is whole.
REQUEST_SECONDS = 20.0
#: Bytes of a request's line and headers.
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
    #: Bytes read of it, and whether its headers are whole.
    _read = 0
    _headers_whole = False
    #: Whether the server stops: the next answer is the last one.
    _last = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(transport)
        self._since = self.loop.time()
        if len(self.connections) > self.max_connections:
            self._end(_TOO_MANY)

    def data_received(self, data: bytes) -> None:
        self._read += len(data)
        super().data_received(data)
        if self._read > MAX_HEAD and self._since and not self._headers_whole:
            self._end(_TOO_LARGE)

    def on_message_begin(self) -> None:
        self.request_began()
        super().on_message_begin()

    def request_began(self) -> None:
        """Note when the request began."""
        self._since = self.loop.time()
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
        self._read = 0

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._last and not self.pipeline:
            self.transport.close()

    def shutdown(self) -> None:
        """The server stops: end the connection, after the request that is under way on it."""
        if self._since and self._read:
            self._last = True
        else:
            super().shutdown()

    def end_if_slow(self, now: float) -> None:
        """Close the connection where its request takes too long to arrive."""
        if self._since and now - self._since > REQUEST_SECONDS:
            self._end(_TIMEOUT if self._read else b"")

    def _end(self, answer: bytes) -> None:
        if self.transport.is_closing():
            return
        if answer and (self.cycle is None or self.cycle.response_complete):
            self.transport.write(answer)
        self.transport.close()


async def sweep(connections: set[Any]) -> None:
    """Look at all connections once a second, for ever."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        now = loop.time()
        for connection in list(connections):
            connection.end_if_slow(now)
