"""Several server processes on one listening socket: started, restarted when one dies, stopped together.

The socket is shared, not one per process: what waits in a dead process's own queue would be lost with it.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from model_server.errors import Exit
from model_server.settings import Settings
from model_server.shared import SharedState
from model_server.worker import Worker

log = logging.getLogger("model_server")

#: Seconds between looks at the processes.
POLL_SECONDS = 0.05
#: A process that dies again within this many seconds is started again after a pause that doubles, up to the longest.
STABLE_SECONDS = 10.0
LONGEST_PAUSE = 5.0
#: Seconds beyond drain and grace until a process that does not end is killed.
STOP_MARGIN = 2.0

#: A process that ends with one of these will end with it again.
_FINAL = frozenset({Exit.TAMPERED, Exit.NO_RELEASE, Exit.STORE_AWAY, Exit.BAD_SETTING})


def run(settings: Settings, sock: socket.socket) -> Exit:
    """Run the server's processes until SIGTERM or SIGINT. Returns the exit code."""
    folder = Path(tempfile.mkdtemp(prefix="model-server-"))
    try:
        return _Supervisor(settings, sock, folder).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Slot:
    """A process and its place; the place remains when the process dies."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.process: subprocess.Popen[bytes] | None = None
        self.started = 0.0
        self.failures = 0
        self.start_at = 0.0


class _Supervisor:
    def __init__(self, settings: Settings, sock: socket.socket, folder: Path) -> None:
        self._settings = settings
        self._socket = sock
        self._folder = folder
        self._slots = [_Slot(index) for index in range(settings.workers)]
        self._stopping = False
        SharedState.create(folder, settings.canary_percent)
        self._shared = SharedState(folder)

    def run(self) -> Exit:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._reload)
        while not self._stopping:
            for slot in self._slots:
                code = self._look_after(slot)
                if code is not None:
                    self._end()
                    return code
            time.sleep(POLL_SECONDS)
        self._end()
        return Exit.OK

    def _look_after(self, slot: _Slot) -> Exit | None:
        """Start the slot's process where none runs. Returns the exit code where it will never run."""
        now = time.monotonic()
        if slot.process is None:
            if now >= slot.start_at and not self._stopping:
                self._start(slot)
            return None
        code = slot.process.poll()
        if code is None:
            return None
        slot.process = None
        if code in _FINAL and not self._shared.ready:
            return Exit(code)
        slot.failures = 0 if now - slot.started > STABLE_SECONDS else slot.failures + 1
        pause = 0.0 if slot.failures <= 1 else min(0.1 * 2**slot.failures, LONGEST_PAUSE)
        slot.start_at = now + pause
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        log.error("process %d ended with %s; it is started again in %.1f seconds", slot.index, how, pause)
        return None

    def _start(self, slot: _Slot) -> None:
        for stale in self._folder.glob(f"gauge_*_{slot.index}.db"):
            stale.unlink()
        early = slot.index == 0 and not self._shared.ready
        worker = Worker(slot.index, self._socket.fileno(), self._folder, early, os.getpid())
        slot.started = time.monotonic()
        # The mask is inherited: a wish to reload that comes while the process starts waits until it can be heard, and
        # does not end it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        try:
            slot.process = subprocess.Popen(
                [sys.executable, "-m", "model_server"],
                env={**os.environ, **worker.environment()},
                pass_fds=(self._socket.fileno(),),
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # the terminal's Ctrl-C reaches the supervisor alone, which stops them in order
            )
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})

    def _end(self) -> None:
        """SIGTERM to all, then SIGKILL to those that do not end in time."""
        self._shared.set_stopping()
        running = [slot.process for slot in self._slots if slot.process is not None]
        for process in running:
            process.terminate()
        end = time.monotonic() + self._settings.drain + self._settings.grace + STOP_MARGIN
        for process in running:
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.error("process %d did not end in time and is killed", process.pid)  # noqa: TRY400
                process.kill()
                process.wait()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _reload(self, _number: int, _frame: FrameType | None) -> None:
        for slot in self._slots:
            if slot.process is not None:
                slot.process.send_signal(signal.SIGHUP)
