"""Capture: a share of requests and answers, kept for later as lines of JSON, on disk or in an object store.

A thread writes; a request never waits for it. What does not fit, in the buffer, under the limit or on the disk, is
dropped and counted.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import queue
import random
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from model_server import retention
from model_server.errors import Exit, StartError
from model_server.metrics import Metrics
from model_server.settings import Settings
from spec import contracts

log = logging.getLogger("model_server")

#: Records and bytes that may wait for the writer.
BUFFER_RECORDS = 1000
BUFFER_BYTES = 32 << 20
#: Bytes of one file; the next record begins another.
FILE_BYTES = 8 << 20
#: Seconds after which a file is closed (and sent, where the store is not a folder) though it is not full.
FILE_SECONDS = 60.0
#: Seconds between two lines in the log about drops.
COMPLAIN_SECONDS = 60.0


class Record(NamedTuple):
    """One request and its answer."""

    time: float
    request_id: str
    contract: str
    release: str
    status: int
    content_type: bytes
    request: bytes
    answer_type: bytes
    answer: bytes


class Capture:
    """Takes records and writes them. `close` writes what waits."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._percent = settings.capture_percent
        self._limit = settings.capture_max_bytes // settings.workers
        self._metrics = metrics
        self._target = _target(settings.capture_uri or "", settings.capture_retention_days)
        self._queue: queue.Queue[Record | None] = queue.Queue(BUFFER_RECORDS)
        self._waiting = 0
        self._lock = threading.Lock()
        self._complained = 0.0
        self._thread = threading.Thread(target=self._work, name="capture", daemon=True)
        self._thread.start()

    def wants(self) -> bool:
        """Whether the next request belongs to the share."""
        return random.random() * 100 < self._percent  # noqa: S311 # a sample, not a secret

    def offer(self, record: Record) -> None:
        """Keep a record, or drop it and count it; returns at once."""
        size = len(record.request) + len(record.answer)
        with self._lock:
            full = self._waiting + size > BUFFER_BYTES
            if not full:
                self._waiting += size
        if full:
            self._metrics.capture_dropped.inc()
            return
        try:
            self._queue.put_nowait(record)
        except queue.Full:
            with self._lock:
                self._waiting -= size
            self._metrics.capture_dropped.inc()

    def close(self, seconds: float) -> None:
        """Write what waits, for so many seconds at most."""
        try:
            self._queue.put(None, timeout=seconds)
        except queue.Full:
            return
        self._thread.join(seconds)

    def _work(self) -> None:
        written = 0
        while True:
            try:
                record = self._queue.get(timeout=1.0)
            except queue.Empty:
                self._attempt(self._target.flush_if_old)
                continue
            if record is None:
                self._attempt(self._target.flush)
                return
            with self._lock:
                self._waiting -= len(record.request) + len(record.answer)
            line = _line(record)
            if written + len(line) > self._limit:
                self._drop(f"{contracts.CAPTURE_MAX_MIB} is reached")
            elif self._attempt(self._target.write, line):
                written += len(line)
            self._attempt(self._target.flush_if_old)  # a busy server has no pause to do it in

    def _attempt(self, act: Any, *args: Any) -> bool:
        try:
            act(*args)
        except Exception as error:  # disk full, store away: whatever it is, serving goes on
            self._drop(str(error), getattr(error, "lines", 1))
            return False
        return True

    def _drop(self, why: str, lines: int = 1) -> None:
        self._metrics.capture_dropped.inc(lines)
        now = time.monotonic()
        if now - self._complained > COMPLAIN_SECONDS or not self._complained:
            self._complained = now
            log.error("captured requests are dropped: %s", why)


class _LostError(OSError):
    """An object was not stored; `lines` went with it."""

    def __init__(self, why: str, lines: int) -> None:
        super().__init__(why)
        self.lines = lines


class _Folder:
    """Files in a folder, written under a hidden name until they are whole."""

    def __init__(self, folder: Path, retention_days: int | None) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        if retention_days is not None:
            retention.keep_sweeping(folder, "capture-*.jsonl", retention_days)
        self._file: Any = None
        self._path = folder
        self._size = 0
        self._opened = 0.0
        self._count = 0

    def write(self, line: bytes) -> None:
        if self._file is None:
            self._count += 1
            stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
            self._path = self._folder / f"capture-{stamp}-{os.getpid()}-{self._count}.jsonl"
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._file = os.fdopen(descriptor, "ab", buffering=0)
            self._size, self._opened = 0, time.monotonic()
        done = self._file.write(line)
        if done != len(line):  # the disk became full inside the line: take the part back
            os.ftruncate(self._file.fileno(), self._size)
            raise OSError(f"the disk is full at {self._folder}")
        self._size += len(line)
        if self._size >= FILE_BYTES:
            self.flush()

    def flush_if_old(self) -> None:
        if self._file is not None and time.monotonic() - self._opened > FILE_SECONDS:
            self.flush()

    def flush(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class _Store:
    """Objects in a store, each gathered in memory first."""

    def __init__(self, uri: str) -> None:
        from model_server import stores

        self._store, self._prefix = stores.open_store(uri)
        self._lines: list[bytes] = []
        self._size = 0
        self._opened = 0.0
        self._count = 0

    def write(self, line: bytes) -> None:
        if not self._lines:
            self._opened = time.monotonic()
        self._lines.append(line)
        self._size += len(line)
        if self._size >= FILE_BYTES:
            self.flush()

    def flush_if_old(self) -> None:
        if self._lines and time.monotonic() - self._opened > FILE_SECONDS:
            self.flush()

    def flush(self) -> None:
        if not self._lines:
            return
        import obstore

        self._count += 1
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        key = f"{self._prefix}capture-{stamp}-{os.getpid()}-{self._count}.jsonl"
        lines, self._lines, self._size = self._lines, [], 0
        try:
            obstore.put(self._store, key, b"".join(lines))
        except Exception as error:  # each store has errors of its own
            raise _LostError(str(error), len(lines)) from None


def _target(uri: str, retention_days: int | None) -> _Folder | _Store:
    parts = urlsplit(uri)
    if parts.scheme in ("s3", "gs", "az"):
        if retention_days is not None:
            raise StartError(
                Exit.BAD_SETTING,
                f"environment variable {contracts.CAPTURE_RETENTION_DAYS} is '{retention_days}', but "
                f"{contracts.CAPTURE_URI} is {uri!r}, an object store; allowed: days only with a folder: "
                "give the store a life-cycle rule",
            )
        return _Store(uri)
    if parts.scheme not in ("", "file"):
        raise StartError(
            Exit.BAD_SETTING,
            f"environment variable {contracts.CAPTURE_URI} is {uri!r}; allowed: a folder, file://, s3://, gs:// or az://",
        )
    folder = Path(unquote(parts.path) if parts.scheme else uri)
    try:
        return _Folder(folder, retention_days)
    except OSError as error:
        raise StartError(
            Exit.BAD_SETTING,
            f"environment variable {contracts.CAPTURE_URI} is {uri!r}, where no folder can be made: {error.strerror}",
        ) from None


def _line(record: Record) -> bytes:
    entry = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.time)) + f".{int(record.time % 1 * 1000):03d}Z",
        "request_id": record.request_id,
        "contract": record.contract,
        "release": record.release,
        "status": record.status,
        "request": _body(record.content_type, record.request),
        "answer": _body(record.answer_type, record.answer),
    }
    return json.dumps(entry, ensure_ascii=False).encode() + b"\n"


def _body(content_type: bytes, body: bytes) -> Mapping[str, str]:
    kind = content_type.decode("latin-1")
    try:
        return {"content_type": kind, "text": body.decode()}
    except UnicodeDecodeError:
        return {"content_type": kind, "base64": base64.b64encode(body).decode()}
