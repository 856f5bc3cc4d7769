"""Azure Monitor: the metrics of Azure's products."""

from __future__ import annotations

from dataclasses import replace

from spec.metrics import PERCENTILE, Emitted, Named, NotEmitted, Unit
from spec.vendor_metrics.rows import BY_TRAFFIC, NO_DRIFT, NO_PERCENTILE, PLATFORM_CERTIFICATE, Row, added, one

AZURE = "https://learn.microsoft.com/azure/azure-monitor/reference/supported-metrics"
AZURE_ML_PAGE = f"{AZURE}/microsoft-machinelearningservices-workspaces-onlineendpoints-metrics"
AZURE_ML_DEPLOYMENT_PAGE = f"{AZURE}/microsoft-machinelearningservices-workspaces-onlineendpoints-deployments-metrics"
AZURE_WEB_PAGE = f"{AZURE}/microsoft-web-sites-metrics"
AZURE_APP_PAGE = f"{AZURE}/microsoft-app-containerapps-metrics"
AZURE_GATEWAY_PAGE = f"{AZURE}/microsoft-network-applicationgateways-metrics"
AZURE_VMSS_PAGE = f"{AZURE}/microsoft-compute-virtualmachinescalesets-metrics"


def ml() -> Row:
    def endpoint(name: str, unit: Unit, statistic: str = "Average", **dimensions: object) -> Emitted:
        return one(
            "azure_monitor",
            "Microsoft.MachineLearningServices/workspaces/onlineEndpoints",
            name,
            unit,
            statistic,
            AZURE_ML_PAGE,
            {"resource": Named("endpoint"), **dimensions},
            "deployment",
        )

    def deployment(name: str, unit: Unit) -> Emitted:
        return one(
            "azure_monitor",
            "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments",
            name,
            unit,
            "Average",
            AZURE_ML_DEPLOYMENT_PAGE,
            {"resource": Named("deployment")},
        )

    return Row(
        {
            "traffic": endpoint("RequestsPerMinute", "count"),
            # A full server answers 429 there: it is what Azure ML retries on.
            "errors": added(
                endpoint("RequestsPerMinute", "count", statusCodeClass="5xx"),
                endpoint("RequestsPerMinute", "count", statusCode="429"),
            ),
            "latency": endpoint(f"RequestLatency_P{PERCENTILE}", "milliseconds"),
            "saturation": deployment("CpuUtilizationPercentage", "percent"),
            "replicas": deployment("DeploymentCapacity", "count"),
            "healthy": NotEmitted(
                "the endpoint takes an instance that fails its probe out by itself, without a metric"
            ),
            "throttles": endpoint("RequestsPerMinute", "count", statusCode="429"),
            "drift": NO_DRIFT,
            "releases": endpoint("RequestsPerMinute", "count"),
            "certificate": PLATFORM_CERTIFICATE,
        },
        percentiles=(95, 99),
    )


def functions() -> Row:
    def site(name: str, unit: Unit = "count", statistic: str = "Total") -> Emitted:
        return one(
            "azure_monitor", "Microsoft.Web/sites", name, unit, statistic, AZURE_WEB_PAGE, {"resource": Named("site")}
        )

    return Row(
        {
            "traffic": site("Requests"),
            "errors": site("Http5xx"),
            "latency": NO_PERCENTILE,
            "saturation": site("CpuPercentage", "percent", "Average"),
            "replicas": site("InstanceCount", "count", "Average"),
            "healthy": site("HealthCheckStatus", "percent", "Average"),
            "throttles": NotEmitted("there is no metric for a request turned away; it is within Http4xx"),
            "drift": NO_DRIFT,
            "releases": BY_TRAFFIC,
            "certificate": PLATFORM_CERTIFICATE,
        }
    )


def container_apps() -> Row:
    def app(name: str, unit: Unit = "count", statistic: str = "Total", **dimensions: object) -> Emitted:
        return one(
            "azure_monitor",
            "Microsoft.App/containerapps",
            name,
            unit,
            statistic,
            AZURE_APP_PAGE,
            {"resource": Named("app"), **dimensions},
            "revisionName",
        )

    cpu = replace(app("CpuPercentage", "percent", "Average").metrics[0], by_release=None)
    return Row(
        {
            "traffic": app("Requests"),
            "errors": app("Requests", statusCodeCategory="5xx"),
            "latency": NO_PERCENTILE,
            "saturation": Emitted((cpu,)),
            "replicas": app("Replicas", "count", "Maximum"),
            "healthy": NotEmitted("a replica that fails its probe is restarted; RestartCount shows that afterwards"),
            "throttles": app("Requests", statusCode="429"),
            "drift": NO_DRIFT,
            "releases": app("Requests"),
            "certificate": PLATFORM_CERTIFICATE,
        }
    )


def vm() -> Row:
    gateway = {"resource": Named("application_gateway")}

    def front(name: str, statistic: str = "Total", **dimensions: object) -> Emitted:
        return one(
            "azure_monitor",
            "Microsoft.Network/applicationGateways",
            name,
            "count",
            statistic,
            AZURE_GATEWAY_PAGE,
            {**gateway, **dimensions},
        )

    return Row(
        {
            "traffic": front("TotalRequests"),
            "errors": front("ResponseStatus", HttpStatusGroup="5xx"),
            "latency": NO_PERCENTILE,
            "saturation": one(
                "azure_monitor",
                "Microsoft.Compute/virtualMachineScaleSets",
                "Percentage CPU",
                "percent",
                "Average",
                AZURE_VMSS_PAGE,
                {"resource": Named("scale_set")},
            ),
            "replicas": NotEmitted("a scale set has no metric for its size; healthy counts those that answer"),
            "healthy": front("HealthyHostCount", "Average"),
            "throttles": NotEmitted("the gateway turns no request away by itself"),
            "drift": NO_DRIFT,
            "releases": BY_TRAFFIC,
            "certificate": PLATFORM_CERTIFICATE,
        }
    )
