"""One server process: binds its port, answers liveness at once, loads the release beside it, drains on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Iterator

import uvicorn
import uvloop

from model_server import model
from model_server.app import App
from model_server.errors import Exit, StartError
from model_server.settings import Settings
from model_server.source import local_folder

log = logging.getLogger("model_server")

#: Seconds after SIGTERM in which requests in flight may end.
GRACE_SECONDS = 10


def run(settings: Settings, sock: socket.socket) -> Exit:
    """Serve on a bound socket until SIGTERM or SIGINT. Returns the exit code."""
    app = App()
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return _Process(config, app, settings, sock).run_to_end()


class _Process(uvicorn.Server):
    """uvicorn with our own start and end: it exits 0 after SIGTERM, and loads the model while it answers liveness."""

    def __init__(self, config: uvicorn.Config, app: App, settings: Settings, sock: socket.socket) -> None:
        super().__init__(config)
        self._app = app
        self._settings = settings
        self._sock = sock
        self._exit = Exit.OK

    def run_to_end(self) -> Exit:
        loop = uvloop.new_event_loop()
        try:
            loop.run_until_complete(self._main())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()
        return self._exit

    async def _main(self) -> None:
        loading = asyncio.create_task(self._load())
        await self.serve([self._sock])
        if not loading.done():
            loading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await loading

    async def _load(self) -> None:
        try:
            loaded = await asyncio.get_running_loop().run_in_executor(None, _load_model, self._settings)
        except StartError as error:
            log.critical("%s", error)
            self._exit = error.exit_code
            self.should_exit = True
            return
        except Exception:
            log.critical("the release cannot be loaded", exc_info=True)
            self._exit = Exit.CRASHED
            self.should_exit = True
            return
        self._app.serve(loaded, self._settings.model_name)
        log.info(
            "ready: %s@%s on http://%s:%s", self._app.name, loaded.version, self._settings.host, self._settings.port
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn raises the signal again once it has drained, which ends the process with a signal; ours exits 0."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        yield

    def _stop(self) -> None:
        self._app.ready = False
        self.force_exit = self.should_exit  # a second signal does not wait any longer
        self.should_exit = True


def _load_model(settings: Settings) -> model.Model:
    return model.load(local_folder(settings.model_uri), threads=1)
