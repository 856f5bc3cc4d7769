"""How SageMaker shifts traffic to a new configuration of an endpoint.

Its deployment guardrails (steps, alarms that roll back) need the same variants before and after
(https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-exclusions.html); a change that adds or removes
the canary is switched all at once instead. Which of them it is shows only when it happens, so `Settled` decides.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

import pulumi

from spec.fields import Rollout

MINUTE = 60


def effective(before: Collection[str], after: Collection[str]) -> bool:
    """Whether guardrails can be used. before: variants of the configuration that is live."""
    return set(before) == set(after)


def guardrails(rollout: Rollout, alarms: Sequence[str]) -> dict[str, Any] | None:
    """The deployment configuration of an update, as SageMaker's API has it.

    alarms: names of those that roll back. None where nothing but the service's default was asked for.
    """
    if rollout.strategy == "all_at_once" and not alarms:
        return None
    wanted: dict[str, Any] = {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": _routing(rollout),
            # The old fleet stays while the alarms of the new one still may fire.
            "TerminationWaitInSeconds": rollout.bake_minutes * MINUTE,
        }
    }
    if alarms:
        wanted["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": name} for name in alarms]}
    return wanted


def guardrails_text(rollout: Rollout, alarms: Sequence[pulumi.Input[str]]) -> pulumi.Output[str]:
    """The same as JSON; empty for none. Numbers would not stay whole on their way through Pulumi."""
    names: pulumi.Output[Sequence[str]] = pulumi.Output.all(*alarms) if alarms else pulumi.Output.from_input([])
    return names.apply(lambda known: json.dumps(found) if (found := guardrails(rollout, known)) else "")


def _routing(rollout: Rollout) -> dict[str, Any]:
    wait = rollout.bake_minutes * MINUTE
    step = {"Type": "CAPACITY_PERCENT", "Value": rollout.step_percent}
    if rollout.strategy == "canary":
        return {"Type": "CANARY", "WaitIntervalInSeconds": wait, "CanarySize": step}
    if rollout.strategy == "linear":
        return {"Type": "LINEAR", "WaitIntervalInSeconds": wait, "LinearStepSize": step}
    return {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": wait}
