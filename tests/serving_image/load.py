"""A load generator for tests that count: every request is either answered or has a named reason why not.

Closed loops over plain sockets: each connection sends its next request once the last one is answered. A client library
would try again behind one's back, and its own cost would hide the server's.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

#: Seconds without an answer after which a request counts as failed.
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Answered:
    """One answer. sent: `time.monotonic()` when its request was; seconds: until the answer was whole."""

    status: int
    sent: float
    seconds: float
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Failed:
    """A request that was sent and not answered. connected: when its connection was made."""

    reason: str
    sent: float
    at: float
    connected: float


@dataclass
class Outcome:
    """What became of all requests. refused: connections that the machine turned away, so that nothing was asked."""

    answered: list[Answered] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    refused: int = 0

    @property
    def statuses(self) -> Counter[int]:
        return Counter(answer.status for answer in self.answered)

    def versions(self) -> Counter[str]:
        """Answers by the release that gave them."""
        return Counter(answer.headers.get("x-model-version", "") for answer in self.answered)

    def seconds(self, status: int, share: float) -> float:
        """The percentile (0 to 1) of the time that answers with this status took."""
        taken = sorted(answer.seconds for answer in self.answered if answer.status == status)
        assert taken, f"no answer with status {status}: {self.statuses}"
        return taken[min(len(taken) - 1, int(share * len(taken)))]


class Load:
    """Requests to one port, from a thread, until told to stop. request: makes the bytes of the n-th request."""

    def __init__(
        self,
        port: int,
        request: Callable[[int], bytes],
        *,
        connections: int,
        pause: float = 0.0,
        stop_after: int = 0,
        host: str = "127.0.0.1",
    ) -> None:
        """pause: seconds between an answer and the next request of its connection. stop_after: requests in all; 0: no
        end.
        """
        self._host, self._port = host, port
        self._request = request
        self._connections = connections
        self._pause = pause
        self._stop_after = stop_after
        self._sent = 0
        self._stopping = False
        self.outcome = Outcome()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="load", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> Outcome:
        """No more requests; those under way are waited for."""
        self._stopping = True
        return self.join()

    def join(self) -> Outcome:
        """Wait for the end of all requests."""
        self._thread.join(PATIENCE_SECONDS * 2)
        assert not self._thread.is_alive(), "the load does not end"
        return self.outcome

    def wait_for_answers(self, count: int) -> None:
        """Wait until so many more requests than now have been answered."""
        target = len(self.outcome.answered) + count
        end = time.monotonic() + PATIENCE_SECONDS
        while len(self.outcome.answered) < target:
            assert time.monotonic() < end, f"{self.outcome.statuses}, {self.outcome.failed[:3]}"
            time.sleep(0.01)

    async def _run(self) -> None:
        await asyncio.gather(*(self._loop() for _ in range(self._connections)))

    def _next(self) -> bytes | None:
        if self._stopping or (self._stop_after and self._sent >= self._stop_after):
            return None
        self._sent += 1
        return self._request(self._sent - 1)

    async def _loop(self) -> None:
        while not self._stopping:
            try:
                # Of a host that is gone nobody answers.
                opening = asyncio.open_connection(self._host, self._port)
                reader, writer = await asyncio.wait_for(opening, PATIENCE_SECONDS)
            except (OSError, asyncio.TimeoutError):
                self.outcome.refused += 1
                if self._stop_after:
                    return
                await asyncio.sleep(0.01)
                continue
            try:
                if not await self._use(reader, writer, time.monotonic()):
                    return
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    async def _use(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connected: float) -> bool:
        """Requests over one connection until it is closed. Returns whether there is more to send."""
        while (request := self._next()) is not None:
            sent = time.monotonic()
            try:
                writer.write(request)
                status, headers = await asyncio.wait_for(read_answer(reader), PATIENCE_SECONDS)
            except (OSError, EOFError, asyncio.TimeoutError) as error:
                self.outcome.failed.append(Failed(repr(error)[:200], sent, time.monotonic(), connected))
                return True
            self.outcome.answered.append(Answered(status, sent, time.monotonic() - sent, headers))
            if headers.get("connection") == "close":
                return True
            if self._pause:
                await asyncio.sleep(self._pause)
        return False


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Status and headers of the next answer; its body is read and dropped."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    for line in head[1:-2]:
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    await reader.readexactly(int(headers["content-length"]))
    return int(head[0].split()[1]), headers


def post(path: str, body: bytes, **headers: str) -> bytes:
    """The bytes of one request. headers: `_` in a name stands for `-`."""
    lines = [f"POST {path} HTTP/1.1", "host: test", "content-type: application/json", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@contextlib.contextmanager
def under_load(
    port: int, request: Callable[[int], bytes], *, connections: int = 8, pause: float = 0.002, host: str = "127.0.0.1"
) -> Iterator[Load]:
    """Load while the block runs; it has begun to be answered when the block begins. Read `outcome` after the block."""
    load = Load(port, request, connections=connections, pause=pause, host=host)
    load.start()
    try:
        load.wait_for_answers(connections)
        yield load
    finally:
        load.stop()
