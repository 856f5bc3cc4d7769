"""How SageMaker shifts traffic to a new configuration of an endpoint.

Its deployment guardrails (steps, alarms that roll back) need the same variants before and after
(https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green.html); a change that adds or removes
the canary is switched all at once instead. A program does not see what was before, so `Shift` remembers it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import pulumi
import pulumi_aws as aws
from pulumi import dynamic

from spec.fields import Rollout

Strategy = Literal["all_at_once", "canary", "linear"]
MINUTE = 60


def effective(before: Sequence[str] | None, after: Sequence[str]) -> bool:
    """Whether guardrails can be used. before: variants of the configuration that is live; None without one."""
    return before is not None and sorted(before) == sorted(after)


class _ShiftProvider(dynamic.ResourceProvider):
    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        return dynamic.DiffResult(
            changes=any(olds.get(key) != value for key, value in news.items() if key != "guarded")
        )

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        return dynamic.CreateResult(props["endpoint"], {**props, "guarded": effective(None, props["variants"])})

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        return dynamic.UpdateResult({**news, "guarded": effective(olds["variants"], news["variants"])})


class Shift(dynamic.Resource, module="aws", name="Shift"):
    """Remembers the variants of the configuration before. guarded: whether this change can go by steps."""

    guarded: pulumi.Output[bool]

    def __init__(
        self,
        name: str,
        *,
        endpoint: str,
        variants: Sequence[str],
        configuration: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {"endpoint": endpoint, "variants": list(variants), "configuration": configuration, "guarded": None}
        super().__init__(_ShiftProvider(), name, props, opts)


def guardrails(
    rollout: Rollout, alarms: Sequence[pulumi.Input[str]]
) -> aws.sagemaker.EndpointDeploymentConfigArgs | None:
    """The deployment configuration of an endpoint; None where nothing but the service's default was asked for.

    alarms: names of those that roll back.
    """
    if rollout.strategy == "all_at_once" and not alarms:
        return None
    policy = aws.sagemaker.EndpointDeploymentConfigBlueGreenUpdatePolicyArgs
    auto = aws.sagemaker.EndpointDeploymentConfigAutoRollbackConfigurationArgs
    alarm = aws.sagemaker.EndpointDeploymentConfigAutoRollbackConfigurationAlarmArgs
    return aws.sagemaker.EndpointDeploymentConfigArgs(
        blue_green_update_policy=policy(
            traffic_routing_configuration=_routing(rollout),
            # The old fleet stays while the alarms of the new one still may fire.
            termination_wait_in_seconds=rollout.bake_minutes * MINUTE,
        ),
        auto_rollback_configuration=auto(alarms=[alarm(alarm_name=name) for name in alarms]) if alarms else None,
    )


def _routing(rollout: Rollout) -> Any:
    prefix = "EndpointDeploymentConfigBlueGreenUpdatePolicyTrafficRoutingConfiguration"
    routing = getattr(aws.sagemaker, f"{prefix}Args")
    wait = rollout.bake_minutes * MINUTE
    if rollout.strategy == "canary":
        size = getattr(aws.sagemaker, f"{prefix}CanarySizeArgs")
        step = size(type="CAPACITY_PERCENT", value=rollout.step_percent)
        return routing(type="CANARY", wait_interval_in_seconds=wait, canary_size=step)
    if rollout.strategy == "linear":
        size = getattr(aws.sagemaker, f"{prefix}LinearStepSizeArgs")
        step = size(type="CAPACITY_PERCENT", value=rollout.step_percent)
        return routing(type="LINEAR", wait_interval_in_seconds=wait, linear_step_size=step)
    return routing(type="ALL_AT_ONCE", wait_interval_in_seconds=wait)
