"""Predictions, from a whole request to its answer.

A cheap model runs on the event loop: what came in one turn of it is answered at its end, and what fits together is run
as one batch. Nothing waits for more to come, and where requests come one at a time, none waits at all. A costly model
runs on its thread (see `runner`). What nobody waits for, counting and observing, is done once the answers of a turn are
on their way; several processes count before that, as another of them may be asked at once.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import re
import secrets
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from model_server.codecs.base import Call, Codec, Limits
from model_server.codecs.errors import error
from model_server.errors import RequestError
from model_server.http import HeaderList, Request, Response, compress, decompress
from model_server.metrics import Metrics
from model_server.observe import Exchange, Observer
from model_server.router import Match
from model_server.runner import INLINE_SECONDS, BusyError
from model_server.serving import Served
from model_server.settings import Settings
from model_server.tensors import Array, Arrays
from spec import contracts

if TYPE_CHECKING:
    from model_server.app import App

log = logging.getLogger("model_server")

_REQUEST_ID = contracts.REQUEST_ID_HEADER.encode()
_TIMEOUT = contracts.TIMEOUT_HEADER.encode()
_PLAIN = re.compile(rb"[\x21-\x7e]{1,128}")
_BUSY_STATUS = {contract.name: contract.busy_status for contract in contracts.CONTRACTS}


#: Takes the answer, once: the prediction and its response.
Reply = Callable[["Prediction", Response], None]


class Prediction:
    """One request while it is answered."""

    __slots__ = (
        "began", "body", "call", "codec", "headers", "match", "reply", "request_id", "response", "seconds", "served",
    )  # fmt: skip

    call: Call
    response: Response
    seconds: float

    def __init__(
        self,
        match: Match,
        codec: Codec,
        headers: dict[bytes, bytes],
        body: bytes,
        reply: Reply,
    ) -> None:
        self.began = time.perf_counter()
        self.match = match
        self.codec = codec
        self.headers = headers
        self.body = body
        self.reply = reply
        self.served: Served | None = None
        #: Empty until the request was let in and answered.
        self.request_id = b""

    @property
    def common(self) -> HeaderList:
        """Headers of the answer beside the response's own."""
        release = [] if self.served is None else self.served.headers
        return [*release, (_REQUEST_ID, self.request_id)] if self.request_id else release

    @property
    def lines(self) -> bytes:
        """The same as they stand on the wire."""
        release = b"" if self.served is None else self.served.lines
        return b"%b%b: %b\r\n" % (release, _REQUEST_ID, self.request_id) if self.request_id else release


class Predictions:
    """Answers the predictions that an application is asked for."""

    def __init__(self, app: App, settings: Settings, metrics: Metrics, observer: Observer) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._observer = observer
        self._limits = Limits(settings.max_batch, settings.max_body)
        self._request_ids = itertools.count(1)
        self._id_prefix = secrets.token_hex(6).encode()
        #: Of this turn: those that wait for its end, and how many were answered.
        self._waiting: dict[Served, list[Prediction]] = {}
        self._number = 0
        #: Whether only one was answered in the turn before: then the first of a turn does not wait for others.
        self._alone = True
        #: To be counted.
        self._answered: list[Prediction] = []
        self._ran: list[tuple[Served, Arrays, int]] = []
        #: Whether answers leave before they are counted. With several processes one may be asked at once what another
        #: has counted, so they are kept until then: uvloop sends what is written at once.
        self._put_off = settings.workers == 1
        self._kept: list[Prediction] = []
        self._running = False
        self._tasks: set[asyncio.Task[None]] = set()

    def answer(self, asked: Prediction) -> None:
        """Answer one request, now or later. Everything a client can do wrong ends as its contract's own error."""
        headers, names = asked.headers, asked.match.names
        try:
            encoding = headers.get(b"content-encoding")
            if encoding is not None:
                asked.body = decompress(asked.body, encoding, self._limits.max_body)
            asked.served = served = self._app.serving_now().pick(names, headers)
            asked.call = call = asked.codec.decode(served.model, Request(headers, asked.body, names), self._limits)
        except Exception as failure:  # each has its answer
            self._fail(asked, failure)
            return
        if served.runner.inline(call.rows):
            if self._alone and not self._number and not self._waiting:
                self._run(served, [asked])
            else:
                self._wait(served, [asked])
            return
        task = asyncio.get_running_loop().create_task(self._later(asked, served))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def refuse(self, asked: Prediction, refused: RequestError) -> None:
        """Answer a request that was not read whole."""
        self._fail(asked, refused)

    def _turn(self) -> None:
        """Run what came in this turn, each release's requests together, as long as the loop may be kept."""
        waiting, self._waiting = self._waiting, {}
        end = time.perf_counter() + INLINE_SECONDS
        for served, group in waiting.items():
            while group and time.perf_counter() < end:
                count = served.runner.fitting([asked.call for asked in group])
                self._run(served, group[:count])
                del group[:count]
            if group:  # a health check may come in between
                self._wait(served, group)

    def _wait(self, served: Served, group: list[Prediction]) -> None:
        """Run these at the end of this turn of the loop."""
        if not self._waiting:
            served.runner.loop.call_soon(self._turn)
        self._waiting.setdefault(served, []).extend(group)

    def _run(self, served: Served, batch: list[Prediction]) -> None:
        ran = served.runner.run([asked.call for asked in batch])
        self._ran.append((served, ran.feeds, ran.rows))
        self._running = True
        try:
            for asked, answers in zip(batch, ran.answers, strict=True):
                if isinstance(answers, Exception):
                    self._fail(asked, answers)
                else:
                    self._succeed(asked, served, answers)
        finally:
            self._running = False
            if self._kept:
                self._release()

    async def _later(self, asked: Prediction, served: Served) -> None:
        call = asked.call
        try:
            timeout = call.timeout or _client_timeout(asked.headers) or self._settings.request_timeout
            answers = await served.runner.submit(call.feeds, call.rows, call.outputs, time.monotonic() + timeout)
        except Exception as failure:  # each has its answer
            self._fail(asked, failure)
            return
        self._ran.append((served, call.feeds, call.rows))
        self._succeed(asked, served, answers)

    def _succeed(self, asked: Prediction, served: Served, answers: list[Array]) -> None:
        try:
            response = asked.codec.encode(served.model, asked.call, answers)
            if b"gzip" in asked.headers.get(b"accept-encoding", b""):
                response = compress(response)
        except Exception as failure:  # each has its answer
            self._fail(asked, failure)
        else:
            self._reply(asked, response)

    def _fail(self, asked: Prediction, failure: Exception) -> None:
        contract = asked.match.route.contract
        if isinstance(failure, BusyError):
            self._metrics.shed.inc()
            response = _with_retry(error(contract, _BUSY_STATUS[contract], "the server is busy"), failure.retry_after)
        elif isinstance(failure, RequestError):
            response = refusal(contract, failure)
        elif isinstance(failure, RecursionError):  # as deep as the JSON parser goes, some lines of Python do not
            response = error(contract, 400, "the body is nested too deeply")
        else:
            log.error("a prediction failed on %s", asked.match.route.path, exc_info=failure)
            response = error(contract, 500, "the server failed; its log says why")
        self._reply(asked, response)

    def _reply(self, asked: Prediction, response: Response) -> None:
        request_id = asked.headers.get(_REQUEST_ID)
        if request_id is None or not _PLAIN.fullmatch(request_id):
            request_id = b"%b-%x" % (self._id_prefix, next(self._request_ids))
        asked.request_id = request_id
        if self._app.draining:
            response = response._replace(headers=[*response.headers, (b"connection", b"close")])
        asked.response = response
        asked.seconds = time.perf_counter() - asked.began
        self._answered.append(asked)
        self._number += 1
        if self._number == 1:
            loop = asyncio.get_running_loop() if asked.served is None else asked.served.runner.loop
            loop.call_soon(self._end_turn)
        if self._put_off:
            asked.reply(asked, response)
            return
        self._kept.append(asked)
        if not self._running:  # else it is one of a batch
            self._release()

    def _release(self) -> None:
        """Count what was answered, and let the answers leave."""
        kept, self._kept = self._kept, []
        try:
            self._count()
        finally:
            for asked in kept:
                asked.reply(asked, asked.response)

    def _end_turn(self) -> None:
        self._alone = self._number == 1
        self._number = 0
        self._count()

    def _count(self) -> None:
        """Count and observe what was answered. A scrape that comes after an answer finds it counted: the loop gets to
        its request later than to this.
        """
        ran, self._ran = self._ran, []
        for served, feeds, rows in ran:
            if rows:
                self._metrics.predicted(served.reference, rows)
                served.drift.observe(feeds, rows)
        answered, self._answered = self._answered, []
        seconds: dict[tuple[str, str, int], list[float]] = {}
        for asked in answered:
            release = "" if asked.served is None else asked.served.reference
            status = asked.response.status
            seconds.setdefault((asked.match.route.contract, release, status), []).append(asked.seconds)
            if self._observer.always or status >= 500:
                self._observe(asked, release)
        for (contract, release, status), taken in seconds.items():
            self._metrics.requests(contract, release, status, taken)

    def _observe(self, asked: Prediction, release: str) -> None:
        route = asked.match.route
        rows = asked.call.rows if hasattr(asked, "call") else 0
        request = Request(asked.headers, asked.body, asked.match.names)
        request_id = asked.request_id.decode()
        self._observer.see(
            Exchange(request, asked.response, request_id, route.contract, route.path, release, rows, asked.seconds)
        )


def _client_timeout(headers: Mapping[bytes, bytes]) -> float | None:
    """Seconds of the timeout header, given in milliseconds. Raises RequestError."""
    text = headers.get(_TIMEOUT)
    if text is None:
        return None
    if not text.isdigit() or len(text) > 9 or int(text) == 0:
        shown = text[:40].decode("latin-1")
        raise RequestError(400, f"{contracts.TIMEOUT_HEADER} is {shown!r}; allowed: whole milliseconds from 1 on")
    return int(text) / 1000


def refusal(contract: str, refused: RequestError) -> Response:
    """The contract's own answer to what a client did wrong."""
    response = error(contract, refused.status, refused.message)
    return response if refused.retry_after is None else _with_retry(response, refused.retry_after)


def _with_retry(response: Response, seconds: int) -> Response:
    return response._replace(headers=[*response.headers, (b"retry-after", b"%d" % seconds)])
