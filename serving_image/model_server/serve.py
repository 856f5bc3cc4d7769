"""One server process: answers liveness at once, loads its releases beside it, drains on SIGTERM, exits 0."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import uvicorn
import uvloop

from model_server import closing, direct, emf, metrics, protocol, tracing
from model_server import model as models
from model_server.app import App
from model_server.capture import Capture
from model_server.configs import Configs
from model_server.drift import Drift
from model_server.errors import Exit, StartError
from model_server.loading import load_models
from model_server.metrics_config import EmfConfig
from model_server.observe import Observer
from model_server.runner import Runner
from model_server.serving import Served, Serving
from model_server.settings import Settings
from model_server.shared import SharedState
from model_server.split import Split
from model_server.worker import Worker
from spec import contracts

log = logging.getLogger("model_server")

T = TypeVar("T")

#: Seconds an idle connection is kept: longer than the load balancers of the clouds keep theirs (60), so that it is
#: they who close, and no request meets a closed connection.
KEEP_ALIVE_SECONDS = 75
#: Seconds at the end in which captured requests and spans that wait are written.
CLOSE_SECONDS = 5.0


def run(settings: Settings, configs: Configs, sock: socket.socket, worker: Worker | None) -> Exit:
    """Serve on a listening socket until SIGTERM or SIGINT. Returns the exit code. worker: None for a single process."""
    if worker is not None:
        metrics.name_process(worker.index)
    figures = metrics.Metrics(configs.metrics.latency_buckets)
    capture = Capture(settings, figures) if settings.capture_percent > 0 else None
    name = settings.model_name or "model-server"
    observer = Observer(configs.log.requests, capture, tracing.from_environment(os.environ, name))
    app = App(settings, figures, observer)
    protocol.GuardedProtocol.max_connections = settings.max_connections
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=direct.serve_directly(app.predictor),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, round(settings.grace)),
    )
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # clients must not be able to fill the log
    try:
        return Process(config, app, settings, configs, sock, worker).run_to_end()
    finally:
        observer.close(CLOSE_SECONDS)


class Process(uvicorn.Server):
    """uvicorn with our own start and end: it exits 0 after SIGTERM, and loads releases while it answers liveness."""

    def __init__(
        self,
        config: uvicorn.Config,
        app: App,
        settings: Settings,
        configs: Configs,
        sock: socket.socket,
        worker: Worker | None,
    ) -> None:
        super().__init__(config)
        self._app = app
        self._settings = settings
        self._configs = configs
        self._sock = sock
        self._worker = worker
        self._shared = SharedState(None if worker is None else worker.folder)
        if worker is None:
            self._shared.percent = settings.canary_percent
        self._exit = Exit.OK
        self._loading: asyncio.Task[None] | None = None
        self._again = False

    def run_to_end(self) -> Exit:
        """Serve until told to stop. Returns the exit code."""
        loop = uvloop.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(self._main())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()
        return self._exit

    async def _main(self) -> None:
        self._app.reload = self._ask_reload
        self._loading = asyncio.create_task(self._first_load())
        tasks = [self._loading, asyncio.create_task(protocol.sweep(self.server_state.connections))]
        emf_config = self._configs.metrics.emf
        if emf_config is not None and (self._worker is None or self._worker.index == 0):
            tasks.append(asyncio.create_task(self._write_emf(emf_config)))
        if self._worker is not None:
            tasks.append(asyncio.create_task(self._watch_supervisor(self._worker)))
            await self._wait_for_turn(self._worker)
        if not self.should_exit:
            await self.serve([self._sock])
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self._app.serving is not None:
            self._app.serving.close()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, answer who is connected, then let uvicorn wait for what still runs."""
        if not self.force_exit:
            if self._worker is None or self._shared.stopping:
                await closing.stop_accepting(self._sock)
            await closing.last_call(self.server_state.connections)  # pyright: ignore[reportArgumentType] # it looks at none
        await super().shutdown(sockets)

    async def _wait_for_turn(self, worker: Worker) -> None:
        """Listen only once requests can be answered; the first process of all listens at once, for liveness."""
        if worker.early or self._loading is None:
            return
        with self._signals():
            while not (self._loading.done() and self._shared.ready) and not self.should_exit:
                await asyncio.sleep(0.02)

    async def _watch_supervisor(self, worker: Worker) -> None:
        """A process whose supervisor died would serve for ever unseen: it stops."""
        while os.getppid() == worker.supervisor:
            await asyncio.sleep(1)
        log.error("the supervisor has died: stopping")
        self._stop()

    async def _first_load(self) -> None:
        try:
            await self._load()
            # What was made for the start stays: the garbage collector need not look at it again and again.
            gc.freeze()
        except StartError as error:
            log.critical("%s", error)
            self._exit = error.exit_code
            self.should_exit = True
        except Exception:
            log.critical("the release cannot be loaded", exc_info=True)
            self._exit = Exit.CRASHED
            self.should_exit = True

    async def _load(self) -> None:
        settings, app = self._settings, self._app
        stable, canary = await _on_thread(load_models, settings)
        split = Split(self._shared, settings.sticky_header) if app.serving is None else app.serving.split
        app.serve(Serving(stable, canary, split, self._served))
        if self._worker is None or self._worker.early:
            self._shared.set_ready()
        served = " and ".join(model.reference for model in (stable, canary) if model is not None)
        log.info("ready: %s on http://%s:%s", served, settings.host, settings.port)

    def _served(self, model: models.Model) -> Served:
        settings, worker = self._settings, self._worker
        return Served(
            model,
            Runner(model, self._app.metrics, max_queue=settings.max_queue, max_wait=settings.max_wait),
            Drift(
                model,
                self._configs.metrics.drift,
                None if worker is None else worker.folder,
                0 if worker is None else worker.index,
                settings.workers,
            ),
            [(contracts.VERSION_HEADER.encode(), model.version.encode())],
            self._since(model),
        )

    def _since(self, model: models.Model) -> float:
        """Since when the release is served; loading the same one again does not begin it anew."""
        before = [] if self._app.serving is None else self._app.serving.releases
        return next((served.since for served in before if served.model.digest == model.digest), time.time())

    async def _write_emf(self, config: EmfConfig) -> None:
        """Once the model has a name; of several processes the first one writes for all."""
        before = emf.figures(self._app.metrics)
        while self._app.serving is None:
            await asyncio.sleep(0.1)
        await emf.write_for_ever(config, self._app.metrics, self._app.serving.name, before)

    def _ask_reload(self) -> None:
        """The admin route's way: one of several processes asks the supervisor, which tells all of them (SIGHUP)."""
        if self._worker is None:
            self._reload()
        else:
            os.kill(self._worker.supervisor, signal.SIGHUP)

    def _reload(self) -> None:
        """Load again what the URIs point at now; what is served goes on being served where that fails."""
        if self._loading is not None and not self._loading.done():
            if not self._again:  # what is being read may be older than the wish
                self._again = True
                self._loading.add_done_callback(lambda _: self._reload())
            return
        self._again = False
        if self.should_exit:
            return

        async def load() -> None:
            try:
                await self._load()
            except StartError as error:
                log.error("the release was not loaded again; the one before is still served: %s", error)  # noqa: TRY400
            except Exception:
                log.exception("the release was not loaded again; the one before is still served")

        self._loading = asyncio.get_running_loop().create_task(load())

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn raises the signal again once it has drained, which ends the process with a signal; ours exits 0."""
        with self._signals():
            yield

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # the supervisor starts processes with it blocked
        yield

    def _stop(self) -> None:
        """First signal: not ready any more, serve on for the drain period, then stop. Second: stop at once."""
        if self._app.draining:
            self.force_exit = self.should_exit = True
            return
        self._app.draining = True
        log.info(
            "stopping: not ready, %g seconds of drain, then up to %g of grace",
            self._settings.drain,
            self._settings.grace,
        )
        asyncio.get_running_loop().call_later(self._settings.drain, self._exit_now)

    def _exit_now(self) -> None:
        self.should_exit = True


async def _on_thread(do: Callable[[Settings], T], settings: Settings) -> T:
    """Run on a thread that the process's end does not wait for: a store may be silent for longer than the grace."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(act: Callable[..., None], what: object) -> None:
        if not done.done():
            act(what)

    def work() -> None:
        try:
            outcome = functools.partial(tell, done.set_result, do(settings))
        except BaseException as error:
            outcome = functools.partial(tell, done.set_exception, error)
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(outcome)

    threading.Thread(target=work, name="load", daemon=True).start()
    return await done
