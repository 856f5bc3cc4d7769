"""Names of the server's own Prometheus metrics, for the server, dashboards and alerts alike. Stdlib only."""

from __future__ import annotations

#: Counter. Requests answered, by contract, release and HTTP status code.
REQUESTS_TOTAL = "model_requests_total"
#: Histogram, seconds. From the request's last byte to the answer's first, by contract and release.
REQUEST_SECONDS = "model_request_seconds"
#: Counter. Rows predicted, by release.
PREDICTIONS_TOTAL = "model_predictions_total"
#: Gauge. Requests that wait for the model, over all processes of the server.
QUEUE_DEPTH = "model_queue_depth"
#: Histogram. Rows in one call of the model.
BATCH_SIZE = "model_batch_size"
#: Gauge. Population stability index of one feature since start, against the release's statistics.
INPUT_DRIFT_PSI = "model_input_drift_psi"
#: Gauge, always 1. Which release is served: labels model, version, digest.
RELEASE_INFO = "model_release_info"
#: Gauge, seconds since 1970. Since when this process has served the release.
RELEASE_LOADED_SECONDS = "model_release_loaded_timestamp_seconds"
#: Counter. Requests refused because the queue was full.
SHED_TOTAL = "model_shed_total"
#: Counter. Captured requests dropped because the buffer or the disk was full.
CAPTURE_DROPPED_TOTAL = "model_capture_dropped_total"

#: Labels of each metric, in the order in which they are declared.
LABELS: dict[str, tuple[str, ...]] = {
    REQUESTS_TOTAL: ("contract", "release", "code"),
    REQUEST_SECONDS: ("contract", "release"),
    PREDICTIONS_TOTAL: ("release",),
    QUEUE_DEPTH: (),
    BATCH_SIZE: (),
    INPUT_DRIFT_PSI: ("feature", "release"),
    RELEASE_INFO: ("model", "version", "digest"),
    RELEASE_LOADED_SECONDS: ("release", "digest"),
    SHED_TOTAL: (),
    CAPTURE_DROPPED_TOTAL: (),
}

#: Upper bounds of the latency histogram, seconds.
LATENCY_BUCKETS = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip
#: Upper bounds of the batch histogram, rows.
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
