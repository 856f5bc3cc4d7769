"""The server's own Prometheus metrics. Children of labels are made once and kept: looking them up is what costs."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from spec import server_metrics as names

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """All metrics of one process."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()

        def labels(name: str) -> tuple[str, ...]:
            return names.LABELS[name]

        self._requests = Counter(
            names.REQUESTS_TOTAL, "Requests answered", labels(names.REQUESTS_TOTAL), registry=registry
        )
        self._seconds = Histogram(
            names.REQUEST_SECONDS,
            "From the request's last byte to the answer's first",
            labels(names.REQUEST_SECONDS),
            registry=registry,
            buckets=names.LATENCY_BUCKETS,
        )
        self._predictions = Counter(
            names.PREDICTIONS_TOTAL, "Rows predicted", labels(names.PREDICTIONS_TOTAL), registry=registry
        )
        self._info = Gauge(
            names.RELEASE_INFO, "The release that is served", labels(names.RELEASE_INFO), registry=registry
        )
        self._request_children: dict[tuple[str, str, int], Counter] = {}
        self._seconds_children: dict[tuple[str, str], Histogram] = {}
        self._prediction_children: dict[str, Counter] = {}

    def request(self, contract: str, release: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        key = (contract, release, status)
        counter = self._request_children.get(key)
        if counter is None:
            counter = self._request_children[key] = self._requests.labels(contract, release, str(status))
        counter.inc()
        histogram = self._seconds_children.get(key[:2])
        if histogram is None:
            histogram = self._seconds_children[key[:2]] = self._seconds.labels(contract, release)
        histogram.observe(seconds)

    def predicted(self, release: str, rows: int) -> None:
        counter = self._prediction_children.get(release)
        if counter is None:
            counter = self._prediction_children[release] = self._predictions.labels(release)
        counter.inc(rows)

    def serves(self, model: str, version: str, digest: str) -> None:
        self._info.labels(model, version, digest).set(1)

    def text(self) -> bytes:
        return generate_latest(self.registry)
