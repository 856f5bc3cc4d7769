"""Target tracking and scheduled actions of Application Auto Scaling, which several of AWS's services share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components.aws.schedule import aws_cron
from spec.fields import Scaling


@dataclass(frozen=True)
class Scalable:
    """What is scaled: a service's name, the dimension and the resource, as Application Auto Scaling writes them
    (https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html).

    actions: begins the names of scheduled actions, unique in account and region.
    """

    namespace: str
    dimension: str
    resource_id: pulumi.Input[str]
    actions: pulumi.Input[str]


def scaled(
    name: str,
    what: Scalable,
    scaling: Scaling,
    tracking: Any,
    *,
    parent: pulumi.Resource,
    after: Sequence[pulumi.Resource] = (),
) -> None:
    """Make the scalable target, its tracking policy, and an action for each entry of the schedule.

    tracking: `appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationArgs`. after: what exists before.
    """
    target = aws.appautoscaling.Target(
        f"{name}-scaling",
        min_capacity=scaling.min,
        max_capacity=scaling.max,
        resource_id=what.resource_id,
        scalable_dimension=what.dimension,
        service_namespace=what.namespace,
        opts=pulumi.ResourceOptions(parent=parent, depends_on=list(after)),
    )
    tied = pulumi.ResourceOptions(parent=parent, depends_on=[target])
    aws.appautoscaling.Policy(
        f"{name}-tracking",
        policy_type="TargetTrackingScaling",
        resource_id=target.resource_id,
        scalable_dimension=what.dimension,
        service_namespace=what.namespace,
        target_tracking_scaling_policy_configuration=tracking,
        opts=tied,
    )
    for index, at in enumerate(scaling.schedule):
        aws.appautoscaling.ScheduledAction(
            f"{name}-at-{index}",
            name=pulumi.Output.concat(what.actions, f"-{index}"),
            resource_id=target.resource_id,
            scalable_dimension=what.dimension,
            service_namespace=what.namespace,
            schedule=aws_cron(at.cron),
            timezone=at.timezone,
            scalable_target_action=aws.appautoscaling.ScheduledActionScalableTargetActionArgs(
                min_capacity=at.min, max_capacity=at.max
            ),
            opts=tied,
        )
