"""Prometheus: the server's own metrics, where something scrapes them."""

from __future__ import annotations

from spec import server_metrics as server
from spec.metrics import PERCENTILE, Emitted, Named, NotEmitted, Unit
from spec.vendor_metrics.rows import Row, one

#: The metrics are the server's own; the page says what their types mean.
SERVER_PAGE = "https://prometheus.io/docs/concepts/metric_types/"
PROMETHEUS_PAGE = "https://prometheus.io/docs/concepts/jobs_instances/"
CERT_MANAGER_PAGE = "https://cert-manager.io/docs/devops-tips/prometheus-metrics/"
CERTIFICATE_EXPIRY = "certmanager_certificate_expiration_timestamp_seconds"


def server_metrics(*, certificates: bool) -> Row:
    """Signals of the server. certificates: cert-manager is there and is scraped as well."""
    service = {"service": Named("service")}

    def own(name: str, unit: Unit, statistic: str, by_release: str | None = "release", **labels: str) -> Emitted:
        return one("prometheus", "", name, unit, statistic, SERVER_PAGE, {**service, **labels}, by_release)

    def scrape(statistic: str) -> Emitted:
        return one("prometheus", "", "up", "count", statistic, PROMETHEUS_PAGE, service)

    expiry = one(
        "prometheus", "", CERTIFICATE_EXPIRY, "unix_seconds", "min", CERT_MANAGER_PAGE, {"name": Named("certificate")}
    )
    return Row(
        {
            "traffic": own(server.REQUESTS_TOTAL, "count", "rate"),
            "errors": own(server.REQUESTS_TOTAL, "count", "rate", code="5..|429"),
            "latency": own(server.REQUEST_SECONDS, "seconds", f"histogram_quantile {PERCENTILE}"),
            "saturation": own(server.QUEUE_DEPTH, "count", "max", None),
            "replicas": scrape("count"),
            # A server that loads its release is up and cannot answer yet: only the loaded one names its release.
            "healthy": own(server.RELEASE_INFO, "count", "count", "version"),
            "throttles": own(server.SHED_TOTAL, "count", "rate", None),
            "drift": own(server.INPUT_DRIFT_PSI, "index", "max"),
            "releases": own(server.REQUESTS_TOTAL, "count", "rate"),
            "certificate": expiry
            if certificates
            else NotEmitted("the server listens on the loopback address, without a certificate"),
        }
    )
