"""OpenTelemetry traces, when OTEL_EXPORTER_OTLP_ENDPOINT (or its variant for traces) names where they go.

A span is made after its request was answered, with the times of then: the way of the client has no tracing in it.
https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from model_server.errors import Exit, StartError

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PROTOCOL = "http/protobuf"


class Tracer:
    """Records spans and sends them from a thread of its own."""

    def __init__(self, service: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace import SpanKind, Status, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over the name given here.
        named = "OTEL_SERVICE_NAME" in os.environ or "service.name" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
        self._provider = TracerProvider(resource=Resource.create({} if named else {"service.name": service}))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("model_server")
        self._propagator = TraceContextTextMapPropagator()
        self._kind = SpanKind.SERVER
        self._failed = Status(StatusCode.ERROR)

    def record(self, headers: Mapping[bytes, bytes], seconds: float, attributes: Mapping[str, Any]) -> None:
        """A span that ended now, below the trace that the request carries."""
        carrier = {
            name: headers[name.encode()].decode("latin-1")
            for name in ("traceparent", "tracestate")
            if name.encode() in headers
        }
        end = time.time_ns()
        span = self._tracer.start_span(
            f"POST {attributes['http.route']}",
            context=self._propagator.extract(carrier),
            kind=self._kind,
            attributes=attributes,
            start_time=end - int(seconds * 1e9),
        )
        if attributes["http.response.status_code"] >= 500:
            span.set_status(self._failed)
        span.end(end)

    def close(self) -> None:
        """Send what waits."""
        self._provider.shutdown()


def from_environment(env: Mapping[str, str], service: str) -> Tracer | None:
    """The tracer; None where no endpoint is named. Raises StartError for what is not supported."""
    if not any(env.get(name) for name in _ENDPOINTS) or env.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    for name in _PROTOCOLS:
        if env.get(name, PROTOCOL) != PROTOCOL:
            raise StartError(Exit.BAD_SETTING, f"environment variable {name} is {env[name]!r}; allowed: {PROTOCOL}")
    return Tracer(service)
