"""What the server tells about itself: spans to an OTLP endpoint, lines for CloudWatch, metrics of several processes.

The receiver is a plain HTTP server that reads OpenTelemetry's own protobuf; what this does not prove: that CloudWatch
itself takes the lines. Their structure is checked against the one that AWS documents.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.serving_image.conftest import Digits
from tests.serving_image.server_process import run_to_exit, running

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

#: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
#: (the structure of the page's JSON schema, in words of ours; Unit is one of CloudWatch's MetricDatum).
EMF_STRUCTURE: dict[str, Any] = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "properties": {
                "Timestamp": {"type": "integer", "minimum": 1_600_000_000_000},
                "CloudWatchMetrics": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["Namespace", "Dimensions", "Metrics"],
                        "properties": {
                            "Namespace": {"type": "string", "minLength": 1, "maxLength": 1024},
                            "Dimensions": {
                                "type": "array",
                                "minItems": 1,
                                "items": {
                                    "type": "array",
                                    "maxItems": 30,
                                    "items": {"type": "string", "minLength": 1, "maxLength": 250},
                                },
                            },
                            "Metrics": {
                                "type": "array",
                                "maxItems": 100,
                                "items": {
                                    "type": "object",
                                    "required": ["Name"],
                                    "properties": {
                                        "Name": {"type": "string", "minLength": 1, "maxLength": 1024},
                                        "Unit": {"enum": ["Count", "Seconds", "Milliseconds", "Percent", "None"]},
                                    },
                                    "additionalProperties": False,
                                },
                            },
                        },
                    },
                },
            },
        }
    },
}


def wait_for(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + 120
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


@contextmanager
def receiver() -> Iterator[tuple[str, list[tuple[str, Span]]]]:
    """An OTLP endpoint over HTTP: its address, and what came as (service name, span)."""
    spans: list[tuple[str, Span]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            assert self.path == "/v1/traces"
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                names = [a.value.string_value for a in resource.resource.attributes if a.key == "service.name"]
                spans.extend((names[0], span) for scope in resource.scope_spans for span in scope.spans)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", spans
    finally:
        server.shutdown()
        server.server_close()


def test_a_span_per_prediction_below_the_callers_trace(digits: Digits, tmp_path: Path) -> None:
    with receiver() as (endpoint, spans):
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "MODEL_NAME": "digits", "OTEL_BSP_SCHEDULE_DELAY": "200"}
        with running({"MODEL_URI": str(digits.path), **env}, tmp_path) as server:
            began = time.time_ns()
            headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "x-request-id": "traced-1"}
            assert server.client.post("/invocations", json=digits.rows[:2], headers=headers).status_code == 200
            assert server.client.post("/score", json={"data": "x"}).status_code == 400
            assert server.client.post("/score", json={"data": digits.rows[:1]}, headers={"traceparent": "x"})
            wait_for(lambda: len(spans) >= 3)
    assert {service for service, _ in spans} == {"digits"}
    found = {
        next((a.value.string_value for a in span.attributes if a.key == "request.id"), ""): span for _, span in spans
    }
    span = found["traced-1"]
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert (span.name, span.kind) == ("POST /invocations", Span.SPAN_KIND_SERVER)
    values = {a.key: a.value.string_value or a.value.int_value for a in span.attributes}
    assert values["http.response.status_code"] == 200
    assert values["model.release"] == "digits@1"
    assert values["model.rows"] == 2
    assert began <= span.start_time_unix_nano <= span.end_time_unix_nano <= time.time_ns()
    others = [span for _, span in spans if span.trace_id.hex() != TRACE]
    assert len(others) == 2
    assert all(not span.parent_span_id for span in others), "a trace of its own"
    assert all(span.status.code != Status.STATUS_CODE_ERROR for span in others), "a client's mistake is no failure"


def test_an_endpoint_that_is_away_delays_no_answer(digits: Digits, tmp_path: Path) -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    with running({"MODEL_URI": str(digits.path), **env}, tmp_path) as server:
        for _ in range(20):
            assert server.client.post("/invocations", json=digits.rows[:1]).status_code == 200


def test_a_protocol_that_is_not_spoken_is_refused(digits: Digits, tmp_path: Path) -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    code, output = run_to_exit({"MODEL_URI": str(digits.path), **env}, tmp_path)
    assert code == 78
    assert "OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc'; allowed: http/protobuf" in output


def _emf(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines() if '"CloudWatchMetrics"' in line]


def test_lines_in_cloudwatchs_embedded_metric_format(digits: Digits, tmp_path: Path) -> None:
    (tmp_path / "metrics.yaml").write_text("emf: {namespace: Digits, interval_seconds: 1}")
    env = {"METRICS_CONFIG": str(tmp_path / "metrics.yaml")}
    with running({"MODEL_URI": str(digits.path), **env}, tmp_path) as server:
        for _ in range(5):
            server.client.post("/invocations", json=digits.rows[:2])
        server.client.post("/invocations", content=b"{")
        wait_for(lambda: sum(line.get("Predictions", 0) for line in _emf(server.output())) >= 10)
    lines = _emf(server.output())
    for line in lines:
        jsonschema.validate(line, EMF_STRUCTURE)
        (definition,) = line["_aws"]["CloudWatchMetrics"]
        assert definition["Namespace"] == "Digits"
        for key in [name for names in definition["Dimensions"] for name in names]:
            assert isinstance(line[key], str)
        for metric in definition["Metrics"]:
            assert isinstance(line[metric["Name"]], (int, float))
        assert abs(line["_aws"]["Timestamp"] / 1000 - time.time()) < 600
    of_release = [line for line in lines if line["Release"] == "digits@1"]
    assert sum(line["Predictions"] for line in of_release) == 10
    assert all(0 < line["LatencySeconds"] < 60 for line in of_release if "LatencySeconds" in line)


@pytest.mark.parametrize("workers", [2])
def test_metrics_are_the_sum_of_all_processes(workers: int, digits: Digits, tmp_path: Path) -> None:
    (tmp_path / "log.json").write_text('{"requests": "all"}')
    env = {"WORKERS": str(workers), "LOG_CONFIG": str(tmp_path / "log.json")}
    with running({"MODEL_URI": str(digits.path), **env}, tmp_path) as server:
        wait_for(lambda: server.output().count("ready: ") == workers)
        sent, end = 0, time.monotonic() + 60
        while sent < 60 or len(answered_by(server.output())) < workers:
            assert time.monotonic() < end, "one process gets all requests"
            # A connection each: the processes share one socket.
            with httpx.Client(trust_env=False, timeout=60) as client:
                assert client.post(f"{server.url}/invocations", json=digits.rows[:2]).status_code == 200
            sent += 1
        assert server.metric("model_requests_total", contract="sagemaker", code="200") == sent
        assert server.metric("model_predictions_total", release="digits@1") == 2 * sent
        assert server.metric("model_request_seconds_count", contract="sagemaker") == sent
        assert server.metric("model_queue_depth") == 0
        text = server.client.get("/metrics").text
    assert len(answered_by(server.output())) == workers, "both processes answered, so the figures above are sums"
    assert "pid=" not in text


def answered_by(output: str) -> set[str]:
    """The processes that answered, each by the begin of the ids that it gives."""
    lines = [json.loads(line) for line in output.splitlines(keepends=True) if line.endswith("\n")]
    return {line["request_id"].split("-")[0] for line in lines if line.get("request_id")}
