"""The ASGI application: finds the route, does the operation, counts it. One per process, on one event loop."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import logging
import re
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from model_server import admin, controls
from model_server.auth import Token
from model_server.codecs import CODECS
from model_server.codecs.base import Call, Codec, Limits
from model_server.codecs.errors import contract_of, error
from model_server.errors import RequestError
from model_server.http import (
    ClientGoneError,
    HeaderList,
    Receive,
    Request,
    Response,
    Scope,
    Send,
    compress,
    decompress,
    read_body,
    send_response,
    with_security_headers,
)
from model_server.metrics import Metrics, ServedRelease
from model_server.observe import Exchange, Observer
from model_server.router import Match, Router
from model_server.runner import BusyError
from model_server.serving import Served, Serving
from model_server.settings import Settings
from model_server.tensors import Array
from spec import contracts

log = logging.getLogger("model_server")

_REQUEST_ID = contracts.REQUEST_ID_HEADER.encode()
_TIMEOUT = contracts.TIMEOUT_HEADER.encode()
_PLAIN = re.compile(rb"[\x21-\x7e]{1,128}")
_CLOSE: HeaderList = [(b"connection", b"close")]
_NO_HEADERS: HeaderList = []
_BUSY_STATUS = {contract.name: contract.busy_status for contract in contracts.CONTRACTS}


Answer = Response | Coroutine[Any, Any, Response]
#: From headers and body to the answer.
Predictor = Callable[[dict[bytes, bytes], bytes], "Answer"]


class _Exchange:
    """One request for a prediction while it is answered."""

    __slots__ = ("began", "body", "headers", "match", "rows", "served")

    def __init__(self, match: Match, headers: dict[bytes, bytes], body: bytes) -> None:
        self.match = match
        self.headers = headers
        self.body = body
        self.served: Served | None = None
        self.rows = 0
        self.began = time.perf_counter()


class App:
    """The server's application. Until `serve` is called only liveness answers 200."""

    def __init__(self, settings: Settings, metrics: Metrics, observer: Observer) -> None:
        self.settings = settings
        self.metrics = metrics
        self._observer = observer
        self.serving: Serving | None = None
        self.draining = False
        #: Set by the process: loads again what the URIs point at.
        self.reload: Callable[[], None] = lambda: None
        self._token = None if settings.token_file is None else Token(settings.token_file)
        self._limits = Limits(settings.max_batch, settings.max_body)
        self._routes = routes(settings)
        self._router = Router(self._routes)
        self._operations = {**controls.OPERATIONS, **admin.OPERATIONS}
        self._human: Any = None
        self._request_ids = itertools.count(1)
        self._id_prefix = secrets.token_hex(6)
        self.metrics.expose(self._served, self._drift)

    @property
    def ready(self) -> bool:
        """A release is loaded and the process is not on its way out."""
        return self.serving is not None and not self.draining

    def serve(self, serving: Serving) -> None:
        """Answer with these releases from now on; requests that run on the ones before still end."""
        before, self.serving = self.serving, serving
        if before is not None:
            before.close()

    def _served(self) -> list[ServedRelease]:
        releases = [] if self.serving is None else self.serving.releases
        return [
            ServedRelease(served.model.name, served.model.version, served.model.digest, served.reference, served.since)
            for served in releases
        ]

    def _drift(self) -> list[tuple[str, str, float]]:
        releases = [] if self.serving is None else self.serving.releases
        return [(name, served.reference, index) for served in releases for name, index in served.drift.indices()]

    def serving_now(self) -> Serving:
        """What is served. Raises RequestError 503 before anything is."""
        if self.serving is None:
            raise RequestError(503, "no release is loaded yet", retry_after=1)
        return self.serving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        method = scope["method"]
        match = self._router.find("GET" if method == "HEAD" else method, scope["path"])
        if match is None:
            await send_response(send, self._no_route(scope), self._common(scope))
            return
        operation = match.route.operation
        headers = dict(scope["headers"])
        if (refused := self._without_token(match, headers)) is not None:
            await send_response(send, refused, self._common(scope))
            return
        codec = CODECS.get(operation)
        if codec is not None:
            await self._predict(match, codec, headers, receive, send)
        elif operation in ("fastapi", "page"):
            await (await self._humans())(scope, receive, with_security_headers(send))
        else:
            await self._control(match, headers, receive, send)

    def predictor(self, path: str) -> Predictor | None:
        """What answers predictions posted to this path, for a protocol that has whole requests in hand; else None."""
        match = self._router.find("POST", path)
        codec = None if match is None else CODECS.get(match.route.operation)
        if match is None or codec is None:
            return None

        def answer(headers: dict[bytes, bytes], body: bytes) -> Answer:
            refused = self._without_token(match, headers)
            return self._answer(match, codec, headers, body) if refused is None else refused

        return answer

    def _without_token(self, match: Match, headers: Mapping[bytes, bytes]) -> Response | None:
        """The refusal, where the route wants a token and the request does not carry it."""
        if self._token is None or match.route.operation in contracts.OPEN_OPERATIONS:
            return None
        if self._token.allows(headers.get(b"authorization")):
            return None
        refused = error(match.route.contract, 401, "send the header Authorization: Bearer <token>")
        return refused._replace(headers=[(b"www-authenticate", b"Bearer")])

    async def _predict(
        self, match: Match, codec: Codec, headers: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        try:
            body = await read_body(receive, self._limits.max_body)
        except ClientGoneError:
            return
        except RequestError as refused:
            response = self._told(_Exchange(match, headers, b""), _refusal(match.route.contract, refused))
        else:
            answer = self._answer(match, codec, headers, body)
            response = answer if isinstance(answer, Response) else await answer
        await send_response(send, response)

    def _answer(self, match: Match, codec: Codec, headers: dict[bytes, bytes], body: bytes) -> Answer:
        """Answer one request for a prediction: at once, or later where it has to wait for the model.

        Everything a client can do wrong ends as its contract's own error.
        """
        exchange = _Exchange(match, headers, body)
        try:
            encoding = headers.get(b"content-encoding")
            if encoding is not None:
                exchange.body = body = decompress(body, encoding, self._limits.max_body)
            serving = self.serving_now()
            exchange.served = served = serving.pick(match.names, headers)
            call = codec.decode(served.model, Request(headers, body, match.names), self._limits)
            exchange.rows = call.rows
            if not served.runner.inline(call.rows):
                return self._answer_later(exchange, codec, served, call)
            answers = served.runner.run(call.feeds, call.rows, call.outputs)
            response = self._encoded(exchange, codec, served, call, answers)
        except Exception as failure:  # each has its answer
            response = self._failed(exchange, failure)
        return self._told(exchange, response)

    async def _answer_later(self, exchange: _Exchange, codec: Codec, served: Served, call: Call) -> Response:
        try:
            timeout = call.timeout or _client_timeout(exchange.headers) or self.settings.request_timeout
            deadline = time.monotonic() + timeout
            answers = await served.runner.submit(call.feeds, call.rows, call.outputs, deadline)
            response = self._encoded(exchange, codec, served, call, answers)
        except Exception as failure:  # each has its answer
            response = self._failed(exchange, failure)
        return self._told(exchange, response)

    def _encoded(self, exchange: _Exchange, codec: Codec, served: Served, call: Call, answers: list[Array]) -> Response:
        response = codec.encode(served.model, call, answers)
        self.metrics.predicted(served.reference, call.rows)
        served.drift.observe(call.feeds, call.rows)
        if b"gzip" in exchange.headers.get(b"accept-encoding", b""):
            return compress(response)
        return response

    def _failed(self, exchange: _Exchange, failure: Exception) -> Response:
        contract = exchange.match.route.contract
        if isinstance(failure, BusyError):
            self.metrics.shed.inc()
            return _with_retry(error(contract, _BUSY_STATUS[contract], "the server is busy"), failure.retry_after)
        if isinstance(failure, RequestError):
            return _refusal(contract, failure)
        if isinstance(failure, RecursionError):  # as deep as the JSON parser goes, some lines of Python do not
            return error(contract, 400, "the body is nested too deeply")
        log.error("a prediction failed on %s", exchange.match.route.path, exc_info=failure)
        return error(contract, 500, "the server failed; its log says why")

    def _told(self, exchange: _Exchange, response: Response) -> Response:
        """The response with the headers of every prediction, once it is counted and observed."""
        served, headers = exchange.served, exchange.headers
        extra: HeaderList = [*response.headers]
        if served is not None:
            extra += served.headers
        request_id = headers.get(_REQUEST_ID)
        if request_id is None or not _PLAIN.fullmatch(request_id):
            request_id = f"{self._id_prefix}-{next(self._request_ids):x}".encode()
        extra.append((_REQUEST_ID, request_id))
        if self.draining:
            extra += _CLOSE
        response = response._replace(headers=extra)
        release = served.reference if served is not None else ""
        seconds = time.perf_counter() - exchange.began
        route = exchange.match.route
        self.metrics.request(route.contract, release, response.status, seconds)
        if self._observer.always or response.status >= 500:
            request = Request(headers, exchange.body, exchange.match.names)
            text = request_id.decode()
            self._observer.see(
                Exchange(request, response, text, route.contract, route.path, release, exchange.rows, seconds)
            )
        return response

    async def _control(self, match: Match, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        contract = match.route.contract
        try:
            body = await read_body(receive, self._limits.max_body) if match.route.method != "GET" else b""
            response = self._operations[match.route.operation](self, Request(headers, body, match.names))
        except ClientGoneError:
            return
        except RequestError as refused:
            response = _refusal(contract, refused)
        except RecursionError:
            response = error(contract, 400, "the body is nested too deeply")
        except Exception:
            log.exception("%s %s failed", match.route.method, match.route.path)
            response = error(contract, 500, "the server failed; its log says why")
        await send_response(send, response, _CLOSE if self.draining else _NO_HEADERS)

    def _no_route(self, scope: Scope) -> Response:
        contract = contract_of(scope["path"])
        methods = self._router.methods(scope["path"])
        if not methods:
            return error(contract, 404, f"no such route; GET {contracts.DOCS_PATH} lists them")
        allow = ", ".join(methods)
        refused = error(contract, 405, f"the method is not allowed here; allowed: {allow}")
        return refused._replace(headers=[(b"allow", allow.encode())])

    def _common(self, scope: Scope) -> HeaderList:
        """Headers of an answer that no operation gave; a body that nobody read ends the connection."""
        return _CLOSE if self.draining or scope["method"] not in ("GET", "HEAD") else _NO_HEADERS

    async def _humans(self) -> Any:
        if self._human is None:

            def build() -> Any:
                from model_server.alerts import Alerts
                from model_server.human import build

                return build(controls.VERSION, self._routes, Alerts(self.settings.alerts_url_file))

            self._human = await asyncio.get_running_loop().run_in_executor(None, build)
        return self._human


def routes(settings: Settings) -> list[contracts.Route]:
    """The table's routes under these settings: a platform's own paths filled in, administration only where it is on."""
    there: list[contracts.Route] = []
    for route in contracts.ROUTES:
        if route.contract == contracts.ADMINISTRATION and not settings.admin:
            continue
        if route.variable is None:
            there.append(route)
        elif route.variable in settings.routes:
            there.append(dataclasses.replace(route, path=settings.routes[route.variable]))
    return there


def _client_timeout(headers: dict[bytes, bytes]) -> float | None:
    """Seconds of the timeout header, given in milliseconds. Raises RequestError."""
    text = headers.get(_TIMEOUT)
    if text is None:
        return None
    if not text.isdigit() or len(text) > 9 or int(text) == 0:
        shown = text[:40].decode("latin-1")
        raise RequestError(400, f"{contracts.TIMEOUT_HEADER} is {shown!r}; allowed: whole milliseconds from 1 on")
    return int(text) / 1000


def _refusal(contract: str, refused: RequestError) -> Response:
    response = error(contract, refused.status, refused.message)
    return response if refused.retry_after is None else _with_retry(response, refused.retry_after)


def _with_retry(response: Response, seconds: int) -> Response:
    return response._replace(headers=[*response.headers, (b"retry-after", b"%d" % seconds)])
