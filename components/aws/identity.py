"""Roles that AWS services take on, with what they may do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components.aws.account import Account
from components.aws.grants import SENDS_NO_SOURCE, Grant, document, identity_policy, service_principal


@dataclass(frozen=True)
class RoleArgs:
    """Who takes the role on.

    account: whose resources may do so. service: such as `sagemaker.amazonaws.com`. source: pattern of the ARN, from
    the region on, of the resources on whose behalf (`sagemaker:eu-central-1:{account}:*`); None where the service
    sends no aws:SourceArn. description: for people. session_tags: whether the service tags the session, which has to be
    allowed. tags: those that the session must have. managed: names of AWS's own policies, for services whose page names
    them as what the role needs. What else the role may do is in `Permissions`; boundary and path are the account's.
    """

    account: Account
    service: str
    description: str
    source: str | None = None
    session_tags: bool = False
    tags: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    managed: Sequence[str] = ()


class Role(pulumi.ComponentResource):
    """An IAM role for one service of one account, without permissions yet.

    Against the confused deputy: the service may only take it on for this account, and for the named kind of resource
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html). Services that say neither are trusted as
    `grants.SENDS_NO_SOURCE` tells. arn, name: of the role; the ARN is known once AWS's own policies are attached.
    """

    arn: pulumi.Output[str]
    name: pulumi.Output[str]

    def __init__(self, name: str, args: RoleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:Role", name, {}, opts)
        equals = {f"aws:RequestTag/{tag}": value for tag, value in args.tags.items()}
        if args.service not in SENDS_NO_SOURCE:
            equals["aws:SourceAccount"] = args.account.id
        conditions: dict[str, dict[str, pulumi.Input[str]]] = {"StringEquals": equals} if equals else {}
        if args.source is not None:
            before, _, after = args.source.partition("{account}")
            conditions["ArnLike"] = {
                "aws:SourceArn": pulumi.Output.concat(
                    "arn:", args.account.partition, ":", before, args.account.id, after
                )
            }
        self.role = aws.iam.Role(
            f"{name}-role",
            description=args.description,
            assume_role_policy=document(
                {
                    "Sid": "Service",
                    "Effect": "Allow",
                    "Principal": service_principal(args.service),
                    "Action": ["sts:AssumeRole", "sts:TagSession"] if args.session_tags else "sts:AssumeRole",
                    "Condition": conditions,
                }
            ),
            permissions_boundary=args.account.boundary,
            path=args.account.path,
            opts=pulumi.ResourceOptions(parent=self),
        )
        attached = [
            aws.iam.RolePolicyAttachment(
                f"{name}-{policy}",
                role=self.role.name,
                policy_arn=pulumi.Output.concat("arn:", args.account.partition, f":iam::aws:policy/{policy}"),
                opts=pulumi.ResourceOptions(parent=self),
            ).id
            for policy in args.managed
        ]
        self.arn = pulumi.Output.all(self.role.arn, *attached)[0] if attached else self.role.arn
        self.name = self.role.name
        self.register_outputs({"arn": self.arn, "name": self.name})


@dataclass(frozen=True)
class PermissionsArgs:
    """What a role may do. role: its name. grants: as the components return them."""

    role: pulumi.Input[str]
    grants: Sequence[Grant]


class Permissions(pulumi.ComponentResource):
    """The permissions of a role, apart from it: what they name (keys, buckets) names the role in turn.

    Whatever takes the role on depends on this component.
    """

    def __init__(self, name: str, args: PermissionsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:Permissions", name, {}, opts)
        self.policy = aws.iam.RolePolicy(
            f"{name}-policy",
            role=args.role,
            policy=identity_policy(args.grants),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
