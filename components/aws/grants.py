"""What a principal may do, said by the component that owns the thing, and policies made from that.

A role is built from the grants that components return, so it can do what its service needs and nothing else. A grant
names resources; the few actions for which AWS has no resource-level permission are listed in `NO_RESOURCE_LEVEL`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pulumi

Conditions: TypeAlias = Mapping[str, Mapping[str, pulumi.Input[Any]]]

_ACTIONS_PAGE = "https://docs.aws.amazon.com/service-authorization/latest/reference"

#: Actions that AWS lets one allow on every resource only -> the page whose table has no resource type for them.
NO_RESOURCE_LEVEL: Mapping[str, str] = {
    f"{service}:{action}": f"{_ACTIONS_PAGE}/list_{page}.html"
    for service, page, actions in (
        (
            "application-autoscaling",
            "applicationautoscaling",
            ("DescribeScalableTargets", "DescribeScalingPolicies", "DescribeScheduledActions"),
        ),
        ("cloudwatch", "amazoncloudwatch", ("PutMetricData",)),
        (
            "ec2",
            "amazonec2",
            (
                "DescribeAvailabilityZones",
                "DescribeDhcpOptions",
                "DescribeFlowLogs",
                "DescribeNetworkAcls",
                "DescribeNetworkInterfaces",
                "DescribePrefixLists",
                "DescribeRouteTables",
                "DescribeSecurityGroupRules",
                "DescribeSecurityGroups",
                "DescribeSubnets",
                "DescribeVpcEndpoints",
                "DescribeVpcs",
            ),
        ),
        ("ecr", "amazonelasticcontainerregistry", ("GetAuthorizationToken",)),
        ("eks", "amazonelastickubernetesservice", ("CreateCluster",)),
        (
            "elasticloadbalancing",
            "awselasticloadbalancingv2",
            ("DescribeListeners", "DescribeRules", "DescribeTargetGroups", "DescribeTargetHealth"),
        ),
        ("kms", "awskeymanagementservice", ("CreateKey", "ListAliases")),
        (
            "logs",
            "amazoncloudwatchlogs",
            ("DeleteQueryDefinition", "DescribeLogGroups", "DescribeQueryDefinitions", "PutQueryDefinition"),
        ),
        ("sagemaker", "amazonsagemaker", ("ListEndpointConfigs",)),
        ("sns", "amazonsns", ("GetSubscriptionAttributes", "SetSubscriptionAttributes", "Unsubscribe")),
        (
            "ssmmessages",
            "amazonmessagegatewayservice",
            ("CreateControlChannel", "CreateDataChannel", "OpenControlChannel", "OpenDataChannel"),
        ),
        ("xray", "awsx-ray", ("PutTelemetryRecords", "PutTraceSegments")),
    )
    for action in actions
} | {
    # These two know a resource, and CloudWatch refuses them unless they are allowed on every one.
    f"cloudwatch:{action}": f"https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_{action}.html"
    for action in ("DescribeAlarms", "PutCompositeAlarm")
}

#: Services that take a role on without saying for whose resource, so that a condition on aws:SourceAccount would never
#: hold. EKS Pod Identity says it by tags of the session, which a role of it has to ask for instead.
SENDS_NO_SOURCE: Mapping[str, str] = {
    "ec2.amazonaws.com": "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/iam-roles-for-amazon-ec2.html",
    "lambda.amazonaws.com": "https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html",
    "pods.eks.amazonaws.com": "https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html",
}
#: Services that say it by tags of the session -> the tag that names a resource with its account.
SAID_BY_TAG: Mapping[str, str] = {"pods.eks.amazonaws.com": "eks-cluster-arn"}


class GrantError(ValueError):
    """A grant is wider than allowed; the text names it, what is allowed and what to do."""


@dataclass(frozen=True)
class Grant:
    """Permission for some actions on some resources.

    sid: name of the statement, letters and digits. actions: `service:Action`, never with a wildcard. resources: ARNs;
    empty only where every action is in `NO_RESOURCE_LEVEL`. conditions: operator -> key -> value or values.
    Raises GrantError.
    """

    sid: str
    actions: tuple[str, ...]
    resources: tuple[pulumi.Input[str], ...] = ()
    conditions: Conditions = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.sid.isalnum():
            raise GrantError(f"grant {self.sid!r}: allowed in a sid are letters and digits: rename it")
        for action in self.actions:
            if "*" in action or ":" not in action:
                raise GrantError(f"grant {self.sid} has action {action!r}; allowed: service:Action without '*'")
        if not self.actions:
            raise GrantError(f"grant {self.sid} has no action; allowed: at least one")
        if "*" in self.resources:
            raise GrantError(f"grant {self.sid} is for resource '*'; allowed: ARNs: name what it is for")
        unscoped = [action for action in self.actions if action in NO_RESOURCE_LEVEL]
        if not self.resources and len(unscoped) < len(self.actions):
            rest = sorted(set(self.actions) - set(unscoped))
            raise GrantError(f"grant {self.sid} names no resource; allowed: ARNs, since {rest} can be limited to them")
        if self.resources and unscoped:
            raise GrantError(
                f"grant {self.sid} limits {unscoped} to resources, which AWS does not know: make it a grant of its own"
            )

    def statement(self) -> dict[str, Any]:
        """The grant as a statement of an identity policy."""
        return _without_empty(
            {
                "Sid": self.sid,
                "Effect": "Allow",
                "Action": list(self.actions),
                "Resource": list(self.resources) or "*",
                "Condition": _plain(self.conditions),
            }
        )


def identity_policy(grants: Sequence[Grant]) -> pulumi.Output[str]:
    """The policy document of a role. Raises GrantError where two grants have one sid, which IAM refuses."""
    sids = [grant.sid for grant in grants]
    if doubled := {sid for sid in sids if sids.count(sid) > 1}:
        raise GrantError(f"several grants are named {sorted(doubled)}; allowed: each sid once: rename one")
    return document(*(grant.statement() for grant in grants))


def document(*statements: Mapping[str, Any]) -> pulumi.Output[str]:
    """A policy document; values may be outputs."""
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": [_without_empty(s) for s in statements]})


def service_principal(service: str) -> dict[str, str]:
    """An AWS service as a principal: `logs.eu-central-1.amazonaws.com`."""
    return {"Service": service}


def _without_empty(statement: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in statement.items() if value not in ({}, [], None)}


def _plain(conditions: Conditions) -> dict[str, dict[str, Any]]:
    return {operator: dict(keys) for operator, keys in conditions.items()}
