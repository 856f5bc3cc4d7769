"""The ASGI application: finds the route, does the operation, counts it. One per process, on one event loop."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Mapping
from typing import Any

from model_server import admin, controls
from model_server.auth import Token
from model_server.codecs import CODECS
from model_server.codecs.base import Codec
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
    read_body,
    send_response,
    with_security_headers,
)
from model_server.metrics import Metrics, ServedRelease
from model_server.observe import Observer
from model_server.predictions import Prediction, Predictions, Reply, refusal
from model_server.router import Match, Router
from model_server.serving import Serving
from model_server.settings import Settings
from spec import contracts

log = logging.getLogger("model_server")

_CLOSE: HeaderList = [(b"connection", b"close")]
_NO_HEADERS: HeaderList = []


#: From headers, body and what takes the answer to nothing; the answer comes at the end of the turn or later.
Predictor = Callable[[dict[bytes, bytes], bytes, Reply], None]


class App:
    """The server's application. Until `serve` is called only liveness answers 200."""

    def __init__(self, settings: Settings, metrics: Metrics, observer: Observer) -> None:
        self.settings = settings
        self.metrics = metrics
        self.serving: Serving | None = None
        self.draining = False
        #: Set by the process: loads again what the URIs point at.
        self.reload: Callable[[], None] = lambda: None
        self._token = None if settings.token_file is None else Token(settings.token_file)
        self._predictions = Predictions(self, settings, metrics, observer)
        self._routes = routes(settings)
        self._router = Router(self._routes)
        self._operations = {**controls.OPERATIONS, **admin.OPERATIONS}
        self._human: Any = None
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

        def answer(headers: dict[bytes, bytes], body: bytes, reply: Reply) -> None:
            asked = Prediction(match, codec, headers, body, reply)
            refused = self._without_token(match, headers)
            if refused is None:
                self._predictions.answer(asked)
            else:
                reply(asked, refused)

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
        answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

        def reply(asked: Prediction, response: Response) -> None:
            if not answered.done():  # who waited for it may have been cancelled
                answered.set_result(response._replace(headers=[*response.headers, *asked.common]))

        try:
            body = await read_body(receive, self.settings.max_body)
        except ClientGoneError:
            return
        except RequestError as refused:
            self._predictions.refuse(Prediction(match, codec, headers, b"", reply), refused)
        else:
            self._predictions.answer(Prediction(match, codec, headers, body, reply))
        await send_response(send, await answered)

    async def _control(self, match: Match, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        contract = match.route.contract
        try:
            body = await read_body(receive, self.settings.max_body) if match.route.method != "GET" else b""
            response = self._operations[match.route.operation](self, Request(headers, body, match.names))
        except ClientGoneError:
            return
        except RequestError as refused:
            response = refusal(contract, refused)
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
