"""How many instances an Auto Scaling group has: by a metric, and at set times."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from spec.fields import Scaling

_PREFIX = "PolicyTargetTrackingConfiguration"
_CUSTOM = f"{_PREFIX}CustomizedMetricSpecification"


@dataclass(frozen=True)
class EC2ScalingArgs:
    """group: name of the Auto Scaling group. balancer_suffix, target_suffix: dimensions of the balancer's metrics."""

    group: pulumi.Output[str]
    scaling: Scaling
    balancer_suffix: pulumi.Output[str]
    target_suffix: pulumi.Output[str]


class EC2Scaling(pulumi.ComponentResource):
    """Target tracking and scheduled actions; none where there is nothing to choose."""

    def __init__(self, name: str, args: EC2ScalingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:EC2Scaling", name, {}, opts)
        self._args = args
        scaling, child = args.scaling, pulumi.ResourceOptions(parent=self)
        if scaling.max > scaling.min or scaling.schedule:
            aws.autoscaling.Policy(
                f"{name}-tracking",
                autoscaling_group_name=args.group,
                policy_type="TargetTrackingScaling",
                target_tracking_configuration=self._tracking(),
                opts=child,
            )
        for index, at in enumerate(scaling.schedule):
            aws.autoscaling.Schedule(
                f"{name}-at-{index}",
                scheduled_action_name=f"{name}-{index}",
                autoscaling_group_name=args.group,
                recurrence=at.cron,  # here cron's own five parts
                time_zone=at.timezone,
                min_size=at.min,
                max_size=at.max,
                desired_capacity=-1,  # stays, within the new bounds
                opts=child,
            )
        self.register_outputs({})

    def _tracking(self) -> aws.autoscaling.PolicyTargetTrackingConfigurationArgs:
        args, scaling = self._args, self._args.scaling
        configuration = aws.autoscaling.PolicyTargetTrackingConfigurationArgs
        predefined = getattr(aws.autoscaling, f"{_PREFIX}PredefinedMetricSpecificationArgs")
        customized = getattr(aws.autoscaling, f"{_CUSTOM}Args")
        if scaling.metric == "cpu":
            metric = predefined(predefined_metric_type="ASGAverageCPUUtilization")
            return configuration(target_value=scaling.target, predefined_metric_specification=metric)
        if scaling.metric == "requests_per_second":
            label = pulumi.Output.concat(args.balancer_suffix, "/", args.target_suffix)
            metric = predefined(predefined_metric_type="ALBRequestCountPerTarget", resource_label=label)
            return configuration(
                target_value=scaling.target * 60,  # the balancer counts per minute
                predefined_metric_specification=metric,
            )
        # Nothing counts requests at once, but as many as come in a second, times the seconds that each takes, are
        # there at once (Little's law).
        return configuration(
            target_value=scaling.target,
            customized_metric_specification=customized(
                metrics=[
                    self._metric("requests", "AWS/ApplicationELB", "RequestCount", "Sum"),
                    self._metric("seconds", "AWS/ApplicationELB", "TargetResponseTime", "Average"),
                    self._metric("instances", "AWS/AutoScaling", "GroupInServiceInstances", "Average"),
                    self._query(
                        id="concurrency",
                        expression="FILL(requests, 0) / 60 * FILL(seconds, 0) / instances",
                        label="Requests at once per instance",
                        return_data=True,
                    ),
                ]
            ),
        )

    def _metric(self, identifier: str, namespace: str, name: str, statistic: str) -> object:
        args = self._args
        dimension = getattr(aws.autoscaling, f"{_CUSTOM}MetricMetricStatMetricDimensionArgs")
        metric = getattr(aws.autoscaling, f"{_CUSTOM}MetricMetricStatMetricArgs")
        stat = getattr(aws.autoscaling, f"{_CUSTOM}MetricMetricStatArgs")
        named = (
            {"AutoScalingGroupName": args.group}
            if namespace == "AWS/AutoScaling"
            else {"LoadBalancer": args.balancer_suffix, "TargetGroup": args.target_suffix}
        )
        return self._query(
            id=identifier,
            metric_stat=stat(
                metric=metric(
                    namespace=namespace,
                    metric_name=name,
                    dimensions=[dimension(name=key, value=value) for key, value in named.items()],
                ),
                stat=statistic,
                period=60,
            ),
            return_data=False,
        )

    def _query(self, **values: object) -> object:
        return getattr(aws.autoscaling, f"{_CUSTOM}MetricArgs")(**values)
