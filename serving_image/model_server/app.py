"""The ASGI application: finds the route, does the operation, counts it. One per process, on one event loop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from model_server.codecs import open_inference
from model_server.errors import RequestError
from model_server.http import (
    TEXT,
    ClientGoneError,
    Receive,
    Response,
    Scope,
    Send,
    json_response,
    read_body,
    send_response,
    with_security_headers,
)
from model_server.metrics import CONTENT_TYPE, Metrics
from model_server.router import Match, Router
from spec import contracts

if TYPE_CHECKING:
    from model_server.model import Model

log = logging.getLogger("model_server")

VERSION = "2"
MAX_BODY = 32 * 1024 * 1024
MAX_BATCH = 1024

Operation = Callable[[Match, bytes], Response]


class App:
    """The server's application. `serve` makes it ready; until then only liveness answers 200."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.model: Model | None = None
        self.name = ""
        self.ready = False
        self._router = Router(contracts.ROUTES)
        self._human: Callable[[Scope, Receive, Send], Awaitable[None]] | None = None
        self._operations: dict[str, Operation] = {
            "live": lambda _match, _body: Response(200, b"live\n", TEXT),
            "ready": self._ready,
            "metrics": lambda _match, _body: Response(200, self.metrics.text(), CONTENT_TYPE),
            "oip_server": lambda _match, _body: json_response(
                {"name": "model-server", "version": VERSION, "extensions": []}
            ),
            "oip_live": lambda _match, _body: json_response({"live": True}),
            "oip_ready": lambda _match, _body: json_response({"ready": self.ready}, 200 if self.ready else 503),
            "oip_model": self._oip_model,
            "oip_model_ready": self._oip_model_ready,
            "oip_infer": self._oip_infer,
        }

    def serve(self, model: Model, name: str | None) -> None:
        """Answer with this model from now on."""
        self.model, self.name = model, name or model.name
        self.metrics.serves(self.name, model.version, model.digest)
        self.ready = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        method = scope["method"]
        match = self._router.find("GET" if method == "HEAD" else method, scope["path"])
        if match is None:
            await send_response(send, self._no_route(scope))
            return
        if match.route.operation == "fastapi":
            await (await self._humans())(scope, receive, with_security_headers(send))
            return
        began = time.perf_counter()
        try:
            body = await read_body(receive, MAX_BODY) if method == "POST" else b""
            began = time.perf_counter()
            response = self._operations[match.route.operation](match, body)
        except RequestError as error:
            response = open_inference.error(error.status, error.message)
        except ClientGoneError:
            return
        except Exception:
            log.exception("request failed: %s %s", method, scope["path"])
            response = open_inference.error(500, "the server failed; its log says why")
        if method == "POST":
            release = self.model.version if self.model else ""
            self.metrics.request(match.route.contract, release, response.status, time.perf_counter() - began)
        await send_response(send, response)

    def _no_route(self, scope: Scope) -> Response:
        methods = self._router.methods(scope["path"])
        if methods:
            allow = ", ".join(methods)
            return json_response(
                {"error": f"{scope['method']} is not allowed here; allowed: {allow}"}, 405, [(b"allow", allow.encode())]
            )
        return json_response({"error": f"no such route; {contracts.DOCS_PATH} lists them"}, 404)

    def _ready(self, _match: Match, _body: bytes) -> Response:
        return Response(200, b"ready\n", TEXT) if self.ready else Response(503, b"not ready\n", TEXT)

    def _asked_model(self, match: Match) -> Model:
        """The model that the path names. Raises RequestError: 503 before it is loaded, 404 for any other."""
        model = self.model
        if model is None or not self.ready:
            raise RequestError(503, "the model is not loaded yet")
        if match.names["model"] != self.name:
            raise RequestError(404, f"no model {match.names['model']!r}; this server serves {self.name!r}")
        version = match.names.get("version")
        if version is not None and version != model.version:
            raise RequestError(404, f"no version {version!r} of {self.name!r}; this server serves {model.version!r}")
        return model

    def _oip_model(self, match: Match, _body: bytes) -> Response:
        return json_response(open_inference.model_metadata(self._asked_model(match), self.name))

    def _oip_model_ready(self, match: Match, _body: bytes) -> Response:
        self._asked_model(match)
        return json_response({"name": self.name, "ready": True})

    def _oip_infer(self, match: Match, body: bytes) -> Response:
        model = self._asked_model(match)
        feeds, names, request_id = open_inference.decode(model, body, MAX_BATCH)
        answers = model.run(feeds, names)
        self.metrics.predicted(model.version, next(iter(feeds.values())).shape[0])
        return open_inference.encode(model, self.name, answers, names, request_id)

    async def _humans(self) -> Any:
        if self._human is None:

            def build() -> Any:
                from model_server.human import build

                return build(VERSION)

            self._human = await asyncio.get_running_loop().run_in_executor(None, build)
        return self._human
