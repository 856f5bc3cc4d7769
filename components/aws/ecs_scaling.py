"""How many tasks of an ECS service run."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_aws as aws

from components.aws.autoscaling import Scalable, scaled
from spec.fields import Scaling

_NAMESPACE, _DIMENSION = "ecs", "ecs:service:DesiredCount"
_PREFIX = "PolicyTargetTrackingScalingPolicyConfiguration"
#: Requests a second per task, from a minute's count.
_RATE = "requests / 60 / tasks"


class ServiceScaling(pulumi.ComponentResource):
    """Target tracking and scheduled actions of a service.

    cpu: ECS's own metric. requests_per_second: requests of the whole balancer over tasks; the predefined
    ALBRequestCountPerTarget looks at one target group, and would see nothing once a rollout in steps has moved the
    traffic to the other. concurrency: no metric counts requests under way, so it is their rate times how long each
    takes (Little's law), over tasks.
    """

    def __init__(
        self,
        name: str,
        *,
        cluster: pulumi.Input[str],
        service: pulumi.Input[str],
        balancer_suffix: pulumi.Input[str],
        scaling: Scaling,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("cloud-ml-deployment:aws:ServiceScaling", name, {}, opts)
        resource = pulumi.Output.concat("service/", cluster, "/", service)
        tracking = _tracking(scaling, cluster, service, balancer_suffix)
        scaled(name, Scalable(_NAMESPACE, _DIMENSION, resource, service), scaling, tracking, parent=self)
        self.register_outputs({})


def _tracking(
    scaling: Scaling,
    cluster: pulumi.Input[str],
    service: pulumi.Input[str],
    balancer: pulumi.Input[str],
) -> Any:
    configuration = getattr(aws.appautoscaling, f"{_PREFIX}Args")
    if scaling.metric == "cpu":
        predefined = getattr(aws.appautoscaling, f"{_PREFIX}PredefinedMetricSpecificationArgs")
        return configuration(
            target_value=scaling.target,
            predefined_metric_specification=predefined(predefined_metric_type="ECSServiceAverageCPUUtilization"),
        )
    customized = getattr(aws.appautoscaling, f"{_PREFIX}CustomizedMetricSpecificationArgs")
    whole = {"LoadBalancer": balancer}
    metrics = [
        _metric("requests", "AWS/ApplicationELB", "RequestCount", "Sum", whole),
        _metric(
            "tasks",
            "ECS/ContainerInsights",
            "RunningTaskCount",
            "Average",
            {"ClusterName": cluster, "ServiceName": service},
        ),
    ]
    expression = _RATE
    if scaling.metric == "concurrency":
        metrics.append(_metric("seconds", "AWS/ApplicationELB", "TargetResponseTime", "Average", whole))
        expression = f"{_RATE} * FILL(seconds, 0)"  # without a request there is no time that one took
    query = getattr(aws.appautoscaling, f"{_PREFIX}CustomizedMetricSpecificationMetricArgs")
    metrics.append(query(id="load", expression=expression, label=f"{scaling.metric} per task", return_data=True))
    return configuration(target_value=scaling.target, customized_metric_specification=customized(metrics=metrics))


def _metric(id_: str, namespace: str, name: str, statistic: str, dimensions: dict[str, pulumi.Input[str]]) -> Any:
    prefix = f"{_PREFIX}CustomizedMetricSpecificationMetric"
    query, stat, metric, dimension = (
        getattr(aws.appautoscaling, f"{prefix}{part}Args")
        for part in ("", "MetricStat", "MetricStatMetric", "MetricStatMetricDimension")
    )
    of = metric(
        namespace=namespace,
        metric_name=name,
        dimensions=[dimension(name=key, value=value) for key, value in dimensions.items()],
    )
    return query(id=id_, metric_stat=stat(metric=of, stat=statistic), return_data=False)
