"""Logs: one JSON object a line, with the request's id and its W3C trace context; plain text for a terminal.

`log_config.json`: {"level": "info", "format": "json", "requests": "errors"}. `requests` says
which requests get a line of their own: none, errors (status 500 and up) or all.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_server import config_file, log_files, retention
from model_server.settings import LOG_LEVELS

log = logging.getLogger("model_server")
request_log = logging.getLogger("model_server.requests")

FORMATS = ("json", "text")
REQUESTS = ("none", "errors", "all")

#: https://www.w3.org/TR/trace-context/#traceparent-header
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")


@dataclass(frozen=True)
class LogConfig:
    """level: of LOG_LEVELS. format: of FORMATS. requests: of REQUESTS."""

    level: str
    format: str
    requests: str


def read(file: Path | None, level: str | None) -> LogConfig:
    """The configuration. level: from the environment, wins over the file's. Raises StartError."""
    default_format = "text" if sys.stderr.isatty() else "json"
    if file is None:
        return LogConfig(level or "info", default_format, "errors")
    fields = config_file.read(file)
    config_file.check_fields(file, fields, ("level", "format", "requests"))
    return LogConfig(
        level or config_file.choice(file, "level", fields.get("level", "info"), LOG_LEVELS),
        config_file.choice(file, "format", fields.get("format", default_format), FORMATS),
        config_file.choice(file, "requests", fields.get("requests", "errors"), REQUESTS),
    )


def apply(config: LogConfig, folder: Path | None = None, retention_days: int | None = None) -> None:
    """Send the server's log to standard error as configured, or to daily files in a folder.

    With a folder, standard error keeps only what ends the server: whoever started it looks there.
    retention_days: None keeps the files for ever. Raises StartError where the folder cannot be written to.
    """
    errors = logging.StreamHandler(sys.stderr)
    handlers: list[logging.Handler] = [errors]
    if folder is not None:
        errors.setLevel(logging.CRITICAL)
        handlers.append(log_files.DailyFiles(folder))
    for handler in handlers:
        handler.setFormatter(TextFormatter() if config.format == "text" else JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = handlers
    if folder is not None and retention_days is not None:
        retention.keep_sweeping(folder, log_files.PATTERN, retention_days)
    log.setLevel(config.level.upper())
    request_log.setLevel(logging.INFO)


class TextFormatter(logging.Formatter):
    """A line for people; what a JSON line has as fields of its own stands at its end."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 # the name is logging's
        fields: dict[str, Any] = getattr(record, "fields", {})
        return " ".join([super().formatMessage(record), *(f"{name}={value}" for name, value in fields.items())])


class JsonFormatter(logging.Formatter):
    """One line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


def trace_context(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """Trace and parent span of a request that carries a valid `traceparent`; empty for any other."""
    match = _TRACEPARENT.fullmatch(headers.get(b"traceparent", b""))
    if match is None or match[1].strip(b"0") == b"" or match[2].strip(b"0") == b"":
        return {}
    return {"trace_id": match[1].decode(), "parent_span_id": match[2].decode()}


def request(headers: Mapping[bytes, bytes], request_id: str, fields: Mapping[str, Any]) -> None:
    """One line about one request."""
    request_log.info("request", extra={"fields": {"request_id": request_id, **trace_context(headers), **fields}})
