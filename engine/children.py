"""The two child processes: the user's program, and the host of its dynamic resources.

Each is in a session of its own, so that Ctrl-C at the terminal reaches the engine alone. Each has a pipe from the
engine as standard input, and so notices when the engine is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from engine.errors import EngineError

Line = Callable[[str], None]

#: Resources the program may register at the same time.
PARALLEL = 16
_STOP_SECONDS = 5.0
#: For output to arrive after the end of a process; longer only where something it started holds the pipe open.
_LAST_WORDS_SECONDS = 1.0

#: `python -m pulumi.dynamic` that ends with the engine instead of waiting for ever.
_DYNAMIC_HOST = """
import os, runpy, sys, threading
def end_with_engine():
    sys.stdin.buffer.read()
    os._exit(0)
threading.Thread(target=end_with_engine, daemon=True).start()
runpy.run_module("pulumi.dynamic", run_name="__main__", alter_sys=True)
"""


class Program:
    """The user's program, started early: it loads the SDK and then waits to be told what to do."""

    def __init__(self, python: str, folder: Path, env: Mapping[str, str], on_line: Line) -> None:
        source = Path(__file__).with_name("runner.py").read_text()
        reading, writing = os.pipe()
        self._report, self._reporting = os.fdopen(reading), os.fdopen(writing, "w")
        self._process = _start([python, "-u", "-c", source], folder, env, pass_fds=(writing,))
        self._readers = [_forward(stream, on_line) for stream in (self._process.stdout, self._process.stderr)]

    def rehearse(self, job: Mapping[str, Any]) -> int:
        """Run it in dry-run mode, as the job's `rehearsal` says; its exit code."""
        self._tell(json.dumps({**job, "report": self._reporting.fileno()}))
        self._reporting.close()  # so that the other end's closing is noticed
        answer = self._report.readline().strip()
        return int(answer) if answer else self.wait()

    def run(self, job: Mapping[str, Any] | None = None) -> int:
        """Run it to its end: as the job says, or for real after a rehearsal. Its exit code."""
        self._tell("go" if job is None else json.dumps(job))
        return self.wait()

    def wait(self) -> int:
        """Its exit code, once all it printed has been passed on."""
        # Popen.wait() would sit on Ctrl-C for a while; a join lets it through at once.
        waiter = threading.Thread(target=self._process.wait, daemon=True)
        waiter.start()
        waiter.join()
        for reader in self._readers:
            reader.join(_LAST_WORDS_SECONDS)
        return self._process.wait()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None  # noqa: S101 # opened as a pipe
        with contextlib.suppress(BrokenPipeError):  # it died while loading; wait() tells
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()

    def stop(self) -> None:
        _stop(self._process)
        self._report.close()
        self._reporting.close()


class DynamicHost:
    """The process that holds the dynamic providers of the program; started at the latest when it is needed."""

    def __init__(self, python: str, folder: Path, env: Mapping[str, str], on_line: Line) -> None:
        # Providers in the program's own modules are pickled by name: the host must find those modules.
        path = os.pathsep.join(filter(None, [str(folder), env.get("PYTHONPATH", "")]))
        self._command = [python, "-u", "-c", _DYNAMIC_HOST]
        self._folder, self._env = folder, {**env, "PYTHONPATH": path}
        self._on_line = on_line
        self._process: subprocess.Popen[bytes] | None = None
        self._starting = threading.RLock()
        self._address = ""

    def start(self) -> subprocess.Popen[bytes]:
        with self._starting:
            self._process = self._process or _start(self._command, self._folder, self._env)
            return self._process

    def address(self) -> str:
        """Where it listens, once it does."""
        with self._starting:
            if not self._address:
                process = self.start()
                assert process.stdout is not None  # noqa: S101 # opened as a pipe
                line = process.stdout.readline().decode().strip()
                _forward(process.stderr, self._on_line)
                if not line.isdigit():
                    raise EngineError(f"the host of dynamic resources did not start: {line or 'it gave no port'}")
                _forward(process.stdout, self._on_line)
                self._address = f"127.0.0.1:{line}"
            return self._address

    def stop(self) -> None:
        if self._process is not None:
            _stop(self._process)


def _start(
    command: list[str], folder: Path, env: Mapping[str, str], pass_fds: tuple[int, ...] = ()
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        cwd=folder,
        env=dict(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        pass_fds=pass_fds,
    )


def _forward(stream: IO[bytes] | None, on_line: Line) -> threading.Thread:
    def read() -> None:
        with stream or contextlib.nullcontext([]) as lines:
            for line in lines:
                on_line(line.decode(errors="replace").rstrip("\n"))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End one child by its own id."""
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.close()
