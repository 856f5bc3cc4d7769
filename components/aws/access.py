"""Who may call a service whose callers are IAM principals."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pulumi
import pulumi_aws as aws

from components.aws.grants import Grant, identity_policy

_PRINCIPAL = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:(?P<kind>role|user)/(?:[\w+=,.@-]+/)*(?P<name>[\w+=,.@-]{1,64})")


class PrincipalError(ValueError):
    """A principal is none that a policy can be attached to; the text names it and what is allowed."""


def parse_principal(arn: str) -> tuple[str, str]:
    """Kind (`role` or `user`) and name of a principal. Raises PrincipalError."""
    found = _PRINCIPAL.fullmatch(arn)
    if found is None:
        raise PrincipalError(
            f"access.principals has {arn!r}; allowed: the ARN of a role or user of this account, such as "
            "arn:aws:iam::123456789012:role/caller: correct it"
        )
    return found["kind"], found["name"]


@dataclass(frozen=True)
class CallersArgs:
    """path: of the policy, from / to /. grants: what a caller needs. principals: ARNs of roles and users that get
    them. endpoint_id: the interface endpoint that calls have to come through; None: from anywhere.
    """

    grants: Sequence[Grant]
    principals: Sequence[str]
    endpoint_id: pulumi.Input[str] | None = None
    path: str | None = None


class Callers(pulumi.ComponentResource):
    """A policy that allows calling the service, attached to those who may.

    policy_arn: for attaching it to others.
    """

    policy_arn: pulumi.Output[str]

    def __init__(self, name: str, args: CallersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:Callers", name, {}, opts)
        grants = args.grants
        if args.endpoint_id is not None:
            only = {"StringEquals": {"aws:SourceVpce": args.endpoint_id}}
            grants = [replace(grant, conditions={**grant.conditions, **only}) for grant in grants]
        policy = aws.iam.Policy(
            f"{name}-callers",
            description="Allows calling the service",
            path=args.path,
            policy=identity_policy(grants),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.policy_arn = policy.arn
        for arn in args.principals:
            kind, principal = parse_principal(arn)
            child = pulumi.ResourceOptions(parent=self)
            if kind == "role":
                aws.iam.RolePolicyAttachment(f"{name}-{principal}", role=principal, policy_arn=policy.arn, opts=child)
            else:
                aws.iam.UserPolicyAttachment(f"{name}-{principal}", user=principal, policy_arn=policy.arn, opts=child)
        self.register_outputs({"policyArn": self.policy_arn})
