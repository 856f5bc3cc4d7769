"""The server's application inside somebody else's process: a function platform owns socket, event loop and life.

The releases are loaded when the application is made, which is at import on every function platform: none of them runs
an ASGI lifespan, or it would run it on every call.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping

from model_server import configs, logs, tracing
from model_server import settings as settings_module
from model_server.app import App
from model_server.drift import Drift
from model_server.http import Receive, Scope, Send
from model_server.loading import load_models
from model_server.metrics import Metrics
from model_server.model import Model
from model_server.observe import Observer
from model_server.runner import Runner
from model_server.serving import Served, Serving
from model_server.shared import SharedState
from model_server.split import Split
from spec import contracts


class EmbeddedApp:
    """ASGI application with all contracts of the server. One process, one event loop at a time.

    model: the stable release, for what does not come by HTTP. Raises StartError.
    """

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        self._settings = settings_module.read(os.environ if env is None else env)
        self._configs = configs.read(self._settings)
        logs.apply(self._configs.log)
        tracer = tracing.from_environment(os.environ, self._settings.model_name or "model-server")
        # A function may be frozen between two calls, so nothing may wait to be written later: no capture.
        self._app = App(
            self._settings,
            Metrics(self._configs.metrics.latency_buckets),
            Observer(self._configs.log.requests, None, tracer),
        )
        self.model, self._canary = load_models(self._settings)
        shared = SharedState(None)
        shared.percent = self._settings.canary_percent
        self._split = Split(shared, self._settings.sticky_header)
        self._since = time.time()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":  # Azure's adapter waits for the answer
            await _lifespan(receive, send)
            return
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # the first request; or a test's next loop
            self._app.serve(Serving(self.model, self._canary, self._split, self._served))
            self._loop = loop
        await self._app(scope, receive, send)

    def _served(self, model: Model) -> Served:
        settings = self._settings
        return Served(
            model,
            Runner(model, self._app.metrics, max_queue=settings.max_queue, max_wait=settings.max_wait),
            Drift(model, self._configs.metrics.drift, None, 0, 1),
            [(contracts.VERSION_HEADER.encode(), model.version.encode())],
            self._since,
        )


async def _lifespan(receive: Receive, send: Send) -> None:
    """There is nothing left to start or to stop."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
