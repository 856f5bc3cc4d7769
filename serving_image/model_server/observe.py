"""What is done after an answer was sent: a line in the log, a captured record, a span. Off the way of the client."""

from __future__ import annotations

import time
from typing import NamedTuple

from model_server import logs
from model_server.capture import Capture, Record
from model_server.http import Request, Response
from model_server.tracing import Tracer


class Exchange(NamedTuple):
    """One request for a prediction and its answer. seconds: from the request's last byte to the answer."""

    request: Request
    response: Response
    request_id: str
    contract: str
    path: str
    release: str
    rows: int
    seconds: float


class Observer:
    """Does what is configured, and nothing otherwise."""

    def __init__(self, log_requests: str, capture: Capture | None, tracer: Tracer | None) -> None:
        self._log_requests = log_requests
        self._capture = capture
        self._tracer = tracer
        #: Whether every exchange is looked at, not only failures.
        self.always = log_requests == "all" or capture is not None or tracer is not None

    def see(self, exchange: Exchange) -> None:
        """Take note of one exchange."""
        status = exchange.response.status
        if self._log_requests == "all" or (self._log_requests == "errors" and status >= 500):
            fields = {
                "contract": exchange.contract,
                "path": exchange.path,
                "release": exchange.release,
                "status": status,
                "rows": exchange.rows,
                "seconds": round(exchange.seconds, 6),
            }
            logs.request(exchange.request.headers, exchange.request_id, fields)
        if self._capture is not None and exchange.release and self._capture.wants():
            self._capture.offer(_record(exchange))
        if self._tracer is not None:
            self._tracer.record(
                exchange.request.headers,
                exchange.seconds,
                {
                    "http.request.method": "POST",
                    "http.route": exchange.path,
                    "http.response.status_code": status,
                    "model.contract": exchange.contract,
                    "model.release": exchange.release,
                    "model.rows": exchange.rows,
                    "request.id": exchange.request_id,
                },
            )

    def close(self, seconds: float) -> None:
        """Write and send what waits."""
        if self._capture is not None:
            self._capture.close(seconds)
        if self._tracer is not None:
            self._tracer.close()


def _record(exchange: Exchange) -> Record:
    request, response = exchange.request, exchange.response
    return Record(
        time.time() - exchange.seconds,
        exchange.request_id,
        exchange.contract,
        exchange.release,
        response.status,
        request.headers.get(b"content-type", b""),
        request.body,
        response.content_type,
        response.body,
    )
