"""The two child processes: the user's program, and the host of its dynamic resources.

Each is in a session of its own, so that Ctrl-C at the terminal reaches the engine alone. Each has a pipe from the
engine as standard input, and so notices when the engine is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from pulumi.runtime.proto import provider_pb2_grpc

from engine.errors import EngineError
from engine.providers import connect

Line = Callable[[str], None]

#: Resources the program may register at the same time.
PARALLEL = 16
_STOP_SECONDS = 5.0

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
        self._process = _start([python, "-u", "-c", source], folder, env)
        self._readers = [_forward(stream, on_line) for stream in (self._process.stdout, self._process.stderr)]

    def run(self, job: Mapping[str, Any]) -> None:
        """Let it go. Returns at once; see wait()."""
        pipe = self._process.stdin
        assert pipe is not None  # noqa: S101 # opened as a pipe above
        with contextlib.suppress(BrokenPipeError):  # it died while loading; wait() tells
            pipe.write(json.dumps(job).encode())
            pipe.close()

    def wait(self) -> int:
        """Its exit code, once all it printed has been passed on."""
        code = self._process.wait()
        for reader in self._readers:
            reader.join()
        return code

    def stop(self) -> None:
        _stop(self._process)


class DynamicHost:
    """The process that holds the dynamic providers of the program."""

    def __init__(self, python: str, folder: Path, env: Mapping[str, str], on_line: Line) -> None:
        # Providers in the program's own modules are pickled by name: the host must find those modules.
        path = os.pathsep.join(filter(None, [str(folder), env.get("PYTHONPATH", "")]))
        self._process = _start([python, "-u", "-c", _DYNAMIC_HOST], folder, {**env, "PYTHONPATH": path})
        self._on_line = on_line
        self._closing = contextlib.ExitStack()
        self._ready = threading.Lock()
        self._stub: provider_pb2_grpc.ResourceProviderStub | None = None

    def stub(self) -> provider_pb2_grpc.ResourceProviderStub:
        """Waits until the process listens."""
        with self._ready:
            stub = self._stub
            if stub is None:
                assert self._process.stdout is not None  # noqa: S101 # opened as a pipe
                line = self._process.stdout.readline().decode().strip()
                _forward(self._process.stderr, self._on_line)
                if not line.isdigit():
                    raise EngineError(f"the host of dynamic resources did not start: {line or 'no port'}")
                _forward(self._process.stdout, self._on_line)
                stub = self._stub = self._closing.enter_context(connect(f"127.0.0.1:{line}"))
            return stub

    def stop(self) -> None:
        self._closing.close()
        _stop(self._process)


def python_of(python: str | None) -> str:
    return python or sys.executable


def job(
    *,
    settings: Mapping[str, Any],
    config: Mapping[str, str],
    secret_keys: set[str],
    program: Path,
) -> dict[str, Any]:
    """What the runner reads from its standard input."""
    folder = program if program.is_dir() else program.parent
    return {
        "settings": dict(settings),
        "config": dict(config),
        "secret_keys": sorted(secret_keys),
        "folder": str(folder),
        # The CLI runs the program under this relative name, and names of source files are part of pickled providers.
        "program": "." if program.is_dir() else program.name,
    }


def _start(command: list[str], folder: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        cwd=folder,
        env=dict(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
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
