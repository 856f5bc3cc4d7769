"""The server's own Prometheus metrics. Children of labels are made once and kept: looking them up is what costs.

With several processes the figures of all of them are added up at each scrape (`prometheus_client.multiprocess`): the
supervisor names a folder in PROMETHEUS_MULTIPROC_DIR before this module is imported.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from spec import server_metrics as names

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
MULTIPROCESS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"

prometheus_client.disable_created_metrics()

#: Yields feature, release, index: what `DriftCollector` exposes.
DriftFigures = Callable[[], Iterable[tuple[str, str, float]]]


class Metrics:
    """All metrics of one process."""

    def __init__(self) -> None:
        own = CollectorRegistry()
        if os.environ.get(MULTIPROCESS_FOLDER):
            from prometheus_client.multiprocess import MultiProcessCollector

            self._exposed = CollectorRegistry()
            MultiProcessCollector(self._exposed)
        else:
            self._exposed = own

        def common(name: str) -> dict[str, Any]:
            return {"name": name, "labelnames": names.LABELS[name], "registry": own}

        self._requests = Counter(documentation="Requests answered", **common(names.REQUESTS_TOTAL))
        self._seconds = Histogram(
            documentation="From the request's last byte to the answer's first",
            buckets=names.LATENCY_BUCKETS,
            **common(names.REQUEST_SECONDS),
        )
        self._predictions = Counter(documentation="Rows predicted", **common(names.PREDICTIONS_TOTAL))
        self._queue = Gauge(
            documentation="Requests that wait for the model or run",
            multiprocess_mode="livesum",
            **common(names.QUEUE_DEPTH),
        )
        self._info = Gauge(
            documentation="The release that is served", multiprocess_mode="livemax", **common(names.RELEASE_INFO)
        )
        self.batch = Histogram(
            documentation="Rows in one run of the model", buckets=names.BATCH_BUCKETS, **common(names.BATCH_SIZE)
        )
        self.shed = Counter(documentation="Requests refused: the queue was full", **common(names.SHED_TOTAL))
        self.capture_dropped = Counter(
            documentation="Requests not captured: buffer or disk full", **common(names.CAPTURE_DROPPED_TOTAL)
        )
        self._request_children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._prediction_children: dict[str, Counter] = {}

    def request(self, contract: str, release: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        key = (contract, release, status)
        children = self._request_children.get(key)
        if children is None:
            counter = self._requests.labels(contract, release, str(status))
            children = self._request_children[key] = (counter, self._seconds.labels(contract, release))
        children[0].inc()
        children[1].observe(seconds)

    def predicted(self, release: str, rows: int) -> None:
        """Count the rows of one prediction."""
        counter = self._prediction_children.get(release)
        if counter is None:
            counter = self._prediction_children[release] = self._predictions.labels(release)
        counter.inc(rows)

    def waits(self, change: int) -> None:
        """One more request waits, or one less."""
        self._queue.inc(change)

    def serves(self, releases: Iterable[tuple[str, str, str]]) -> None:
        """What is served from now on: model, version and digest of each release."""
        self._info.clear()
        for labels in releases:
            self._info.labels(*labels).set(1)

    def add_drift(self, figures: DriftFigures) -> None:
        """Expose drift, computed at each scrape."""
        self._exposed.register(_DriftCollector(figures))

    def text(self) -> bytes:
        """Everything, in Prometheus's text format."""
        return generate_latest(self._exposed)


class _DriftCollector(Collector):
    def __init__(self, figures: DriftFigures) -> None:
        self._figures = figures

    def collect(self) -> Iterable[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            names.INPUT_DRIFT_PSI,
            "Population stability index of a feature against the training data",
            labels=names.LABELS[names.INPUT_DRIFT_PSI],
        )
        for feature, release, index in self._figures():
            family.add_metric([feature, release], index)
        yield family
