"""Cloud Monitoring: the metrics of Google Cloud's products.

A latency is a distribution there; the aligner takes its percentile.
"""

from __future__ import annotations

from collections.abc import Mapping

from spec.metrics import PERCENTILE, Emitted, Named, NotEmitted, Unit
from spec.vendor_metrics.rows import BY_TRAFFIC, NO_DRIFT, PLATFORM_CERTIFICATE, Row, one

GCP = "https://docs.cloud.google.com/monitoring/api"
VERTEX_PAGE = f"{GCP}/metrics_gcp_a_b#gcp-aiplatform"
COMPUTE_PAGE = f"{GCP}/metrics_gcp_c#gcp-compute"
LB_PAGE = f"{GCP}/metrics_gcp_i_o#gcp-loadbalancing"
RUN_PAGE = f"{GCP}/metrics_gcp_p_z#gcp-run"


def vertex() -> Row:
    endpoint = {
        "resource.type": "aiplatform.googleapis.com/Endpoint",
        "resource.labels.endpoint_id": Named("endpoint_id"),
        "resource.labels.location": Named("location"),
    }

    def online(name: str, unit: Unit, statistic: str) -> Emitted:
        return one(
            "cloud_monitoring",
            "aiplatform.googleapis.com",
            f"prediction/online/{name}",
            unit,
            statistic,
            VERTEX_PAGE,
            endpoint,
            "metric.labels.deployed_model_id",
        )

    return Row(
        {
            "traffic": online("response_count", "count", "ALIGN_DELTA"),
            "errors": online("error_count", "count", "ALIGN_DELTA"),
            "latency": online("prediction_latencies", "milliseconds", f"ALIGN_PERCENTILE_{PERCENTILE}"),
            "saturation": online("cpu/utilization", "ratio", "ALIGN_MEAN"),
            "replicas": online("replicas", "count", "ALIGN_MEAN"),
            "healthy": NotEmitted("the endpoint replaces a replica that fails its health route, without a metric"),
            "throttles": NotEmitted("refused requests are within response_count with code 429"),
            "drift": NO_DRIFT,
            "releases": online("response_count", "count", "ALIGN_DELTA"),
            "certificate": PLATFORM_CERTIFICATE,
        },
        percentiles=(95, 99),
    )


def cloud_run() -> Row:
    revision = {"resource.type": "cloud_run_revision", "resource.labels.service_name": Named("service")}

    def run(name: str, unit: Unit, statistic: str, **labels: object) -> Emitted:
        dimensions = {**revision, **{f"metric.labels.{key}": value for key, value in labels.items()}}
        return one(
            "cloud_monitoring",
            "run.googleapis.com",
            name,
            unit,
            statistic,
            RUN_PAGE,
            dimensions,
            "resource.labels.revision_name",
        )

    return Row(
        {
            "traffic": run("request_count", "count", "ALIGN_DELTA"),
            "errors": run("request_count", "count", "ALIGN_DELTA", response_code_class="5xx"),
            "latency": run("request_latencies", "milliseconds", f"ALIGN_PERCENTILE_{PERCENTILE}"),
            "saturation": run("container/cpu/utilizations", "ratio", "ALIGN_PERCENTILE_99"),
            "replicas": run("container/instance_count", "count", "ALIGN_MAX"),
            "healthy": NotEmitted("an instance that fails its probe is replaced, without a count of healthy ones"),
            "throttles": run("request_count", "count", "ALIGN_DELTA", response_code="429"),
            "drift": NO_DRIFT,
            "releases": run("request_count", "count", "ALIGN_DELTA"),
            "certificate": PLATFORM_CERTIFICATE,
        },
        percentiles=(95, 99),
    )


def compute_engine() -> Row:
    rule = {"resource.type": "https_lb_rule", "resource.labels.forwarding_rule_name": Named("forwarding_rule")}
    group = {"resource.type": "gce_instance", "metadata.system_labels.instance_group": Named("instance_group")}
    size = {"resource.type": "instance_group", "resource.labels.instance_group_name": Named("instance_group")}

    def balancer(name: str, unit: Unit, statistic: str, **labels: object) -> Emitted:
        dimensions = {**rule, **{f"metric.labels.{key}": value for key, value in labels.items()}}
        return one("cloud_monitoring", "loadbalancing.googleapis.com", name, unit, statistic, LB_PAGE, dimensions)

    def compute(name: str, unit: Unit, dimensions: Mapping[str, object]) -> Emitted:
        return one("cloud_monitoring", "compute.googleapis.com", name, unit, "ALIGN_MEAN", COMPUTE_PAGE, dimensions)

    return Row(
        {
            "traffic": balancer("https/request_count", "count", "ALIGN_DELTA"),
            "errors": balancer("https/request_count", "count", "ALIGN_DELTA", response_code_class="500"),
            "latency": balancer("https/total_latencies", "milliseconds", f"ALIGN_PERCENTILE_{PERCENTILE}"),
            "saturation": compute("instance/cpu/utilization", "ratio", group),
            "replicas": compute("instance_group/size", "count", size),
            "healthy": NotEmitted("the load balancer logs its health checks, and has no metric for them"),
            "throttles": NotEmitted("the load balancer turns no request away by itself"),
            "drift": NO_DRIFT,
            "releases": BY_TRAFFIC,
            "certificate": PLATFORM_CERTIFICATE,
        },
        percentiles=(95, 99),
    )
