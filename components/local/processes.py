"""One detached process, known for certain: started, found again, stopped. No Pulumi in here.

A process is found by the pid in its run folder *and* a marker in its environment that names that folder, so a pid
that the system gave to somebody else in the meantime is never taken for ours.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil
import tenacity

#: Environment variable that marks a process with its run folder.
MARKER = "CLOUD_ML_RUN_FOLDER"

#: Seconds a server may take from its start until it is ready.
READY_TIMEOUT = 60.0
#: Seconds between SIGTERM and SIGKILL: a little more than the server's own drain.
STOP_TIMEOUT = 15.0

#: What a process takes over from the shell that started it. Nothing else: a shell's environment holds credentials.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "SSL_CERT_FILE")


# The outer shell ends at once, so the server belongs to the system and not to us. The inner shell writes its pid and
# then becomes the server: even where this program is killed right after the start, the next run finds the process.
_DETACH = """/bin/sh -c 'echo $$ > "$1"; shift; exec "$@"' sh "$@" &"""


class ProcessError(Exception):
    """A process could not be started, or could not be stopped; the text says why and what to do."""


def start(command: Sequence[str], env: Mapping[str, str], run_folder: Path, ready_url: str) -> psutil.Process:
    """Start ``command`` detached and return once ``ready_url`` answers 200.

    A process of an earlier, interrupted start in the same run folder is stopped first. Output goes to
    ``run_folder/server.log``.

    Raises ProcessError with the last lines of the log where the process ends early or is not ready in time; it is
    stopped then, and nothing is left behind.
    """
    stop(run_folder)
    run_folder.mkdir(parents=True, exist_ok=True)
    log_file = run_folder / "server.log"
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    with log_file.open("wb") as log:
        subprocess.run(
            ["/bin/sh", "-c", _DETACH, "sh", str(_pid_file(run_folder)), *command],
            env={**inherited, **env, MARKER: str(run_folder)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            check=True,
        )
    try:
        return _wait_until_ready(run_folder, ready_url)
    except ProcessError as error:
        stop(run_folder, keep_log=True)
        raise ProcessError(f"{error}\n{_tail(log_file)}") from None


def find(run_folder: Path) -> psutil.Process | None:
    """The running process of ``run_folder``, or None."""
    try:
        process = psutil.Process(int(_pid_file(run_folder).read_text()))
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return process if _environment(process).get(MARKER) == str(run_folder) else None
    except (OSError, ValueError, psutil.Error):
        return None


def _environment(process: psutil.Process) -> dict[str, str]:
    """Of a process that is; for the moment in which one becomes another program the kernel shows none at all."""
    reading = tenacity.Retrying(
        stop=tenacity.stop_after_delay(2),
        wait=tenacity.wait_fixed(0.01),
        retry=tenacity.retry_if_result(lambda found: not found),
        retry_error_callback=lambda _state: {},
    )
    return reading(process.environ)


def stop(run_folder: Path, *, keep_log: bool = False) -> None:
    """Stop the process of ``run_folder`` and its children, if it runs, and remove the folder.

    SIGTERM first, so that requests under way are answered; SIGKILL after :data:`STOP_TIMEOUT`.
    """
    process = find(run_folder)
    if process is not None:
        family = [process, *process.children(recursive=True)]
        process.terminate()
        for survivor in _still_there(family, STOP_TIMEOUT):
            with contextlib.suppress(psutil.NoSuchProcess):
                survivor.kill()
        if _still_there(family, 5):
            raise ProcessError(f"process {process.pid} does not end, not even on SIGKILL: look at it with ps")
    if keep_log:
        _pid_file(run_folder).unlink(missing_ok=True)
    else:
        shutil.rmtree(run_folder, ignore_errors=True)


def port_taken_by(host: str, port: int, *, ours: Path) -> str | None:
    """Who listens on ``host:port``, for people to read; None where the port is free or held by ``ours``."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        # Servers set this too: without it, a port whose last connections are still closing would count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            refusal = error.strerror or str(error)
        else:
            return None
    own = find(ours)
    own_pids = {process.pid for process in ([own, *own.children(recursive=True)] if own else [])}
    try:
        listeners = [
            connection.pid
            for connection in psutil.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
            and getattr(connection.laddr, "port", None) == port
            and connection.pid
        ]
    except psutil.AccessDenied:  # macOS shows other processes' sockets to root only
        listeners = []
    if own_pids.intersection(listeners):
        return None
    for pid in listeners:
        try:
            command = " ".join(psutil.Process(pid).cmdline())
        except psutil.Error:
            continue
        return f"process {pid}: {command[:120]}"
    return f"a process that this user may not see ({refusal})"


def _still_there(family: Sequence[psutil.Process], timeout: float) -> list[psutil.Process]:
    """Who of the family runs after at most ``timeout`` seconds. A zombie has ended: its parent only has not noticed."""

    def running() -> list[psutil.Process]:
        alive = []
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                    alive.append(process)
        return alive

    waiting = tenacity.Retrying(
        stop=tenacity.stop_after_delay(timeout),
        wait=tenacity.wait_fixed(0.02),
        retry=tenacity.retry_if_result(bool),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else [],
    )
    return waiting(running)


def _wait_until_ready(run_folder: Path, ready_url: str) -> psutil.Process:
    def not_ready(_state: tenacity.RetryCallState) -> psutil.Process:
        raise ProcessError(f"the server did not answer {ready_url} within {READY_TIMEOUT:.0f} s")

    # The first milliseconds belong to the shell, which has the marker but may not have written its pid yet.
    started = tenacity.Retrying(
        stop=tenacity.stop_after_delay(READY_TIMEOUT),
        wait=tenacity.wait_fixed(0.01),
        retry=tenacity.retry_if_result(lambda pid: not pid),
        retry_error_callback=not_ready,
    )
    started(_written, _pid_file(run_folder))
    waiting = tenacity.Retrying(
        stop=tenacity.stop_after_delay(READY_TIMEOUT),
        wait=tenacity.wait_fixed(0.03),
        retry=tenacity.retry_if_exception_type(_NotReadyError),
        retry_error_callback=not_ready,
    )
    return waiting(_ready, run_folder, ready_url)


class _NotReadyError(Exception):
    """The server runs and is not ready."""


def _ready(run_folder: Path, ready_url: str) -> psutil.Process:
    process = find(run_folder)
    if process is None:
        raise ProcessError("the server ended before it was ready")
    try:
        with urllib.request.urlopen(ready_url, timeout=2):  # noqa: S310 # always http to this machine
            return process
    except (urllib.error.URLError, OSError) as error:
        raise _NotReadyError from error


def _written(file: Path) -> str:
    """The file's whole lines; empty where there are none yet."""
    try:
        text = file.read_text()
    except FileNotFoundError:
        return ""
    return text if text.endswith("\n") else ""


def _pid_file(run_folder: Path) -> Path:
    return run_folder / "server.pid"


def _tail(log_file: Path, lines: int = 20) -> str:
    try:
        last = log_file.read_text(errors="replace").splitlines()[-lines:]
    except OSError:
        return f"(no log at {log_file})"
    return "\n".join([f"last lines of {log_file}:", *(f"  {line}" for line in last)])
