"""The stand-in as a process: one port per package, because each must answer with its own SDK's version."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from concurrent import futures
from pathlib import Path

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from engine.standin import shapes
from engine.standin.cloud import FakeCloud
from engine.standin.failures import Failures
from engine.standin.rules import PACKAGES, load
from engine.standin.servicer import StandInProvider

#: Versions to answer with where a package's SDK is not installed beside the program.
FALLBACK_VERSION = "0.0.0"
_ROOT = Path(__file__).resolve().parents[2]
_MESSAGE_LIMIT = 400 * 1024 * 1024  # what the engine itself allows


class StandInError(Exception):
    """The stand-in cannot start or is gone; the text says why."""


def failures_path(cloud: str | Path) -> Path:
    """Where a cloud's failure rules are unless another file is named."""
    path = Path(cloud)
    return path.with_name(path.name + ".failures.json")


class Servers:
    """The packages' servers in this process. Use as a context manager, or call :meth:`stop`."""

    def __init__(
        self,
        cloud: str | Path,
        packages: Iterable[str] = PACKAGES,
        *,
        failures: str | Path | None = None,
        versions: Mapping[str, str] | None = None,
    ) -> None:
        self.cloud = FakeCloud(cloud)
        self.failures = Failures(failures or failures_path(cloud))
        self.ports: dict[str, int] = {}
        self._servers: list[grpc.Server] = []
        options = [
            ("grpc.max_receive_message_length", _MESSAGE_LIMIT),
            ("grpc.max_send_message_length", _MESSAGE_LIMIT),
        ]
        for package in packages:
            version = (versions or {}).get(package) or shapes.installed_version(package) or FALLBACK_VERSION
            server = grpc.server(futures.ThreadPoolExecutor(max_workers=16), options=options)
            servicer = StandInProvider(load(package), self.cloud, self.failures, version)
            provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
            self.ports[package] = server.add_insecure_port("127.0.0.1:0")
            server.start()
            self._servers.append(server)

    @property
    def providers(self) -> dict[str, str]:
        """Package → ``host:port``."""
        return {package: f"127.0.0.1:{port}" for package, port in self.ports.items()}

    def stop(self) -> None:
        """Stop serving."""
        for server in self._servers:
            server.stop(grace=None)

    def __enter__(self) -> Servers:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def serve_forever(cloud: str, packages: Iterable[str], failures: str | None, versions: Mapping[str, str]) -> None:
    """Serve until a signal ends the process, or the process that started it is gone (standard input closes)."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with Servers(cloud, packages, failures=failures, versions=versions) as servers:
        sys.stdout.write(json.dumps(servers.ports) + "\n")
        sys.stdout.flush()
        if not sys.stdin.isatty():
            threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
        ended.wait()


class StandIn:
    """A stand-in process that lives as long as the ``with`` block.

    cloud: file of the fake cloud; what is in it stays. packages: which to play.

    ``providers`` is for the embedded engine, ``environment`` for the Pulumi CLI; both change with :meth:`restart`.
    """

    def __init__(
        self,
        cloud: str | Path,
        packages: Iterable[str] = PACKAGES,
        *,
        versions: Mapping[str, str] | None = None,
    ) -> None:
        self.cloud = FakeCloud(cloud)
        self.failures = Failures(failures_path(cloud))
        self.packages = tuple(packages)
        self.ports: dict[str, int] = {}
        self._versions = dict(versions or {})
        self._process: subprocess.Popen[str] | None = None

    @property
    def providers(self) -> dict[str, str]:
        """Package → ``host:port``."""
        return {package: f"127.0.0.1:{port}" for package, port in self.ports.items()}

    @property
    def environment(self) -> dict[str, str]:
        """What attaches the Pulumi CLI: no plugin is looked for or downloaded."""
        return {
            "PULUMI_DEBUG_PROVIDERS": ",".join(f"{package}:{port}" for package, port in self.ports.items()),
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }

    def start(self) -> StandIn:
        """Start the process and wait for its ports. Raises :class:`StandInError`."""
        command = [sys.executable, "-m", "engine.standin", "serve", "--cloud", str(self.cloud.path)]
        command += ["--packages", ",".join(self.packages)]
        for package, version in self._versions.items():
            command += ["--version", f"{package}={version}"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")])}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=_ROOT,
            start_new_session=True,
        )
        assert self._process.stdout is not None  # noqa: S101 # asked for above
        line = self._process.stdout.readline()
        if not line:
            raise StandInError(f"the stand-in did not start (exit status {self._process.wait()})")
        self.ports = json.loads(line)
        return self

    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process is not None and self._process.poll() is None

    def restart(self) -> StandIn:
        """A new process with the same cloud, after a crash; the ports change."""
        self.stop()
        return self.start()

    def ensure(self) -> StandIn:
        """Start it again if it crashed."""
        return self if self.alive() else self.restart()

    def stop(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def __enter__(self) -> StandIn:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
