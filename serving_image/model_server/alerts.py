"""The alerts that fire now, for the server's page: asked from the Alertmanager that runs beside it.

The page may ask its own server only, so the server asks for it. Where Alertmanager is stands in a file, because it may
be started, moved and ended while the server runs: without it nothing is shown; with it and no answer, the page says so.
https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
import urllib.request
from http import HTTPStatus
from pathlib import Path
from typing import Any

#: Seconds that Alertmanager may take, and for which its answer is kept: many open pages ask it once.
ANSWER_SECONDS = 2.0
KEEP_SECONDS = 1.0
#: Bytes of an answer that are read.
MAX_BYTES = 1 << 20

_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\]):[0-9]{1,5}")
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy could not reach this machine's own


class Alerts:
    """What fires now. url_file: holds `http://127.0.0.1:<port>`; None where no file is named. Safe on any thread."""

    def __init__(self, url_file: Path | None) -> None:
        self._file = url_file
        self._lock = threading.Lock()
        self._found: dict[str, Any] = {}
        self._until = 0.0

    def now(self) -> dict[str, Any]:
        """`state` is `off`, `ok` with `alerts`, or `down` with what is wrong in `says`."""
        if self._file is None:
            return {"state": "off"}
        with self._lock:
            if time.monotonic() >= self._until:
                self._found = _look(self._file)
                self._until = time.monotonic() + KEEP_SECONDS
            return self._found


def _look(file: Path) -> dict[str, Any]:
    try:
        url = file.read_text().strip()
    except FileNotFoundError:
        return {"state": "off"}
    except (OSError, UnicodeDecodeError):
        return _down(f"{file.name} cannot be read")
    if not _LOOPBACK.fullmatch(url):
        return _down(f"{file.name} holds {url[:100]!r}; allowed: http://127.0.0.1:<port>")
    try:
        return {"state": "ok", "alerts": [_entry(alert) for alert in _fetch(f"{url}/api/v2/alerts?active=true")]}
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError, AttributeError) as error:
        return _down(f"Alertmanager at {url} does not answer as it should: {error}")


def _fetch(url: str) -> Any:
    with _DIRECT.open(url, timeout=ANSWER_SECONDS) as answer:
        if answer.status != HTTPStatus.OK:
            raise ValueError(f"status {answer.status}")
        return json.loads(answer.read(MAX_BYTES))


def _entry(alert: dict[str, Any]) -> dict[str, str]:
    labels, notes = alert["labels"], alert["annotations"]
    return {
        "name": labels["alertname"],
        "severity": labels.get("severity", ""),
        "service": labels.get("service", ""),
        "summary": notes.get("summary", ""),
        "runbook": notes.get("runbook_url", ""),
        "since": alert["startsAt"],
    }


def _down(says: str) -> dict[str, Any]:
    return {"state": "down", "says": says}
