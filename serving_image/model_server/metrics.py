"""The server's own Prometheus metrics. Children of labels are made once and kept: looking them up is what costs.

With several processes the figures of all of them are added up at each scrape (`prometheus_client.multiprocess`): the
supervisor names a folder in PROMETHEUS_MULTIPROC_DIR before this module is imported.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import Counter as Counted
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from spec import server_metrics as names

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
MULTIPROCESS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"

prometheus_client.disable_created_metrics()


class ServedRelease(NamedTuple):
    """A release that is served. since: seconds since 1970."""

    model: str
    version: str
    digest: str
    release: str
    since: float


ReleaseFigures = Callable[[], Iterable[ServedRelease]]
#: Feature, release and index.
DriftFigures = Callable[[], Iterable[tuple[str, str, float]]]


def name_process(index: int) -> None:
    """Give this process's figures a name that the one after it takes over, so that counters never go back."""
    from prometheus_client import values

    values.ValueClass = values.MultiProcessValue(lambda: str(index))  # pyright: ignore[reportArgumentType]


class _Histogram(Histogram):
    """A histogram that takes many values for little more than one."""

    def observe_all(self, amounts: Sequence[float]) -> None:
        """Observe each of them."""
        if len(amounts) == 1:
            self._sum.inc(amounts[0])
            self._buckets[bisect_left(self._upper_bounds, amounts[0])].inc(1)
            return
        self._sum.inc(sum(amounts))
        bounds = self._upper_bounds
        for index, count in Counted(bisect_left(bounds, amount) for amount in amounts).items():
            self._buckets[index].inc(count)


class Metrics:
    """All metrics of one process."""

    def __init__(self, latency_buckets: Sequence[float]) -> None:
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
        self._seconds = _Histogram(
            documentation="From the request's last byte to the answer's first",
            buckets=latency_buckets,
            **common(names.REQUEST_SECONDS),
        )
        self._predictions = Counter(documentation="Rows predicted", **common(names.PREDICTIONS_TOTAL))
        self._queue = Gauge(
            documentation="Requests that wait for the model or run",
            multiprocess_mode="livesum",
            **common(names.QUEUE_DEPTH),
        )
        self.batch = Histogram(
            documentation="Rows in one run of the model", buckets=names.BATCH_BUCKETS, **common(names.BATCH_SIZE)
        )
        self.shed = Counter(documentation="Requests refused: the queue was full", **common(names.SHED_TOTAL))
        self.capture_dropped = Counter(
            documentation="Requests not captured: buffer or disk full", **common(names.CAPTURE_DROPPED_TOTAL)
        )
        self._request_children: dict[tuple[str, str, int], tuple[Counter, _Histogram]] = {}
        self._prediction_children: dict[str, Counter] = {}

    def requests(self, contract: str, release: str, status: int, seconds: Sequence[float]) -> None:
        """Count answered requests; seconds: of each."""
        key = (contract, release, status)
        children = self._request_children.get(key)
        if children is None:
            counter = self._requests.labels(contract, release, str(status))
            children = self._request_children[key] = (counter, self._seconds.labels(contract, release))
        children[0].inc(len(seconds))
        children[1].observe_all(seconds)

    def predicted(self, release: str, rows: int) -> None:
        """Count the rows of one prediction."""
        counter = self._prediction_children.get(release)
        if counter is None:
            counter = self._prediction_children[release] = self._predictions.labels(release)
        counter.inc(rows)

    def waits(self, change: int) -> None:
        """One more request waits, or one less."""
        self._queue.inc(change)

    def expose(self, served: ReleaseFigures, drift: DriftFigures) -> None:
        """Expose what is computed at each scrape: which releases are served, and how far their inputs have drifted."""
        self._exposed.register(_Computed(served, drift))

    def collect(self) -> Iterable[Any]:
        """All figures as they are now."""
        return self._exposed.collect()

    def text(self) -> bytes:
        """Everything, in Prometheus's text format."""
        return generate_latest(self._exposed)


class _Computed(Collector):
    def __init__(self, served: ReleaseFigures, drift: DriftFigures) -> None:
        self._served = served
        self._drift = drift

    def collect(self) -> Iterable[GaugeMetricFamily]:
        info = GaugeMetricFamily(
            names.RELEASE_INFO, "The release that is served", labels=names.LABELS[names.RELEASE_INFO]
        )
        loaded = GaugeMetricFamily(
            names.RELEASE_LOADED_SECONDS,
            "Since when this process has served the release",
            labels=names.LABELS[names.RELEASE_LOADED_SECONDS],
        )
        for served in self._served():
            info.add_metric([served.model, served.version, served.digest], 1)
            loaded.add_metric([served.release, served.digest], served.since)
        yield info
        yield loaded
        drift = GaugeMetricFamily(
            names.INPUT_DRIFT_PSI,
            "Population stability index of a feature against the training data",
            labels=names.LABELS[names.INPUT_DRIFT_PSI],
        )
        for feature, release, index in self._drift():
            drift.add_metric([feature, release], index)
        yield drift
