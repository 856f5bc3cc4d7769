"""CloudWatch: the metrics of AWS's products."""

from __future__ import annotations

from spec.metrics import PERCENTILE, Emitted, Named, NotEmitted, Unit
from spec.vendor_metrics.rows import NO_DRIFT, PLATFORM_CERTIFICATE, Row, added, one

AWS = "https://docs.aws.amazon.com"
SAGEMAKER_PAGE = f"{AWS}/sagemaker/latest/dg/monitoring-cloudwatch.html"
LAMBDA_PAGE = f"{AWS}/lambda/latest/dg/monitoring-metrics-types.html"
LAMBDA_URL_PAGE = f"{AWS}/lambda/latest/dg/urls-monitoring.html"
ECS_PAGE = f"{AWS}/AmazonECS/latest/developerguide/available-metrics.html"
ALB_PAGE = f"{AWS}/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html"
EC2_PAGE = f"{AWS}/AWSEC2/latest/UserGuide/viewing_metrics_with_cloudwatch.html"
ACM_PAGE = f"{AWS}/acm/latest/userguide/cloudwatch-metrics.html"
ASG_PAGE = f"{AWS}/autoscaling/ec2/userguide/ec2-auto-scaling-metrics.html"


VARIANT = {"EndpointName": Named("endpoint"), "VariantName": Named("variant")}


def sagemaker() -> Row:
    def invocation(name: str, unit: Unit = "count", statistic: str = "Sum") -> Emitted:
        return one("cloudwatch", "AWS/SageMaker", name, unit, statistic, SAGEMAKER_PAGE, VARIANT, "VariantName")

    def instance(name: str) -> Emitted:
        return one(
            "cloudwatch", "/aws/sagemaker/Endpoints", name, "percent", "Average", SAGEMAKER_PAGE, VARIANT, "VariantName"
        )

    return Row(
        {
            "traffic": invocation("Invocations"),
            "errors": invocation("Invocation5XXErrors"),
            "latency": invocation("ModelLatency", "microseconds", f"p{PERCENTILE}"),
            "saturation": instance("CPUUtilization"),
            "replicas": NotEmitted(
                "no metric counts instances; Invocations over InvocationsPerInstance shows how many answer"
            ),
            "healthy": NotEmitted("the endpoint replaces an instance that fails its ping, without a metric"),
            "throttles": NotEmitted(
                "a refused call is an error of the API that its caller sees, not a metric of the endpoint"
            ),
            "drift": NO_DRIFT,
            "releases": invocation("Invocations"),
            "certificate": PLATFORM_CERTIFICATE,
        }
    )


def lambda_() -> Row:
    # A 5xx that the server itself answers is no function error, so the function URL's own counts are used.
    dimensions = {"FunctionName": Named("function"), "Resource": Named("function_alias")}

    def url(name: str, unit: Unit = "count", statistic: str = "Sum") -> Emitted:
        return one("cloudwatch", "AWS/Lambda", name, unit, statistic, LAMBDA_URL_PAGE, dimensions, "ExecutedVersion")

    def function(name: str, statistic: str) -> Emitted:
        return one("cloudwatch", "AWS/Lambda", name, "count", statistic, LAMBDA_PAGE, dimensions)

    return Row(
        {
            "traffic": url("UrlRequestCount"),
            "errors": url("Url5xxCount"),
            "latency": url("UrlRequestLatency", "milliseconds", f"p{PERCENTILE}"),
            "saturation": function("ConcurrentExecutions", "Maximum"),
            "replicas": function("ConcurrentExecutions", "Maximum"),
            "healthy": NotEmitted("there are no instances to check between requests"),
            "throttles": function("Throttles", "Sum"),
            "drift": NO_DRIFT,
            "releases": url("UrlRequestCount"),
            "certificate": PLATFORM_CERTIFICATE,
        }
    )


# The load balancer exists before what stands behind it, so its generated suffix can be a name here.
BALANCER = {"LoadBalancer": Named("load_balancer"), "TargetGroup": Named("target_group")}


def _behind_alb(saturation: Emitted, replicas: Emitted | NotEmitted) -> Row:
    def balancer(name: str, unit: Unit = "count", statistic: str = "Sum") -> Emitted:
        return one("cloudwatch", "AWS/ApplicationELB", name, unit, statistic, ALB_PAGE, BALANCER, "TargetGroup")

    def whole(name: str) -> Emitted:
        dimensions = {"LoadBalancer": Named("load_balancer")}
        return one("cloudwatch", "AWS/ApplicationELB", name, "count", "Sum", ALB_PAGE, dimensions)

    certificate = one(
        "cloudwatch",
        "AWS/CertificateManager",
        "DaysToExpiry",
        "days",
        "Minimum",
        ACM_PAGE,
        {"CertificateArn": Named("certificate")},
    )
    return Row(
        {
            "traffic": balancer("RequestCount"),
            # What the server answered, and what the balancer answered because no server did.
            "errors": added(balancer("HTTPCode_Target_5XX_Count"), whole("HTTPCode_ELB_5XX_Count")),
            "latency": balancer("TargetResponseTime", "seconds", f"p{PERCENTILE}"),
            "saturation": saturation,
            "replicas": replicas,
            "healthy": balancer("HealthyHostCount", "count", "Minimum"),
            "throttles": whole("RejectedConnectionCount"),
            "drift": NO_DRIFT,
            "releases": balancer("RequestCount"),
            "certificate": certificate,
        }
    )


def ecs() -> Row:
    dimensions = {"ClusterName": Named("cluster"), "ServiceName": Named("service")}
    cpu = one("cloudwatch", "AWS/ECS", "CPUUtilization", "percent", "Average", ECS_PAGE, dimensions)
    return _behind_alb(cpu, NotEmitted("counts of tasks need Container Insights; healthy counts those that answer"))


def ec2() -> Row:
    group = {"AutoScalingGroupName": Named("auto_scaling_group")}
    cpu = one("cloudwatch", "AWS/EC2", "CPUUtilization", "percent", "Average", EC2_PAGE, group)
    return _behind_alb(
        cpu, one("cloudwatch", "AWS/AutoScaling", "GroupInServiceInstances", "count", "Average", ASG_PAGE, group)
    )
