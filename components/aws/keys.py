"""The service's own encryption key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_aws as aws

from components.aws.account import Account
from components.aws.grants import Grant, document, service_principal

#: What it takes to look after a key; none of it reads or writes data. By name, since `kms:*` would include Decrypt.
_MANAGE = (
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:CreateGrant",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListAliases",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:RotateKeyOnDemand",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
)
_USE = ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo")


@dataclass(frozen=True)
class KeyArgs:
    """Who may use the key.

    account: whose key. purpose: what it encrypts, for people. roles: name for the policy's statement (letters and
    digits) -> ARN of a role that uses the key by itself. service: those roles run a service, so that AWS's services
    use the key for its volumes, images, logs, alarms and budget. via: services through which every principal of the
    account may use it whom IAM lets use the stored thing: `s3`, `ecr`. protect: keep the key, and with it all that
    it encrypts, when the stack goes.
    """

    account: Account
    purpose: str
    roles: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    service: bool = True
    via: tuple[str, ...] = ("s3", "ecr")
    protect: bool = True


class EncryptionKey(pulumi.ComponentResource):
    """A KMS key that rotates every year, with a policy that names who may use it.

    The account's administrators may look after the key, and not use it. CloudWatch Logs may use it for log groups of
    the account, alarms and budgets for encrypted topics, each only for this account
    (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html,
    https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html).
    arn: of the key, known to what depends on its policy as well. id: of the key.
    """

    arn: pulumi.Output[str]
    id: pulumi.Output[str]

    def __init__(self, name: str, args: KeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:EncryptionKey", name, {}, opts)
        account = args.account
        child = pulumi.ResourceOptions(parent=self)
        self.key = aws.kms.Key(
            f"{name}-key",
            description=args.purpose,
            enable_key_rotation=True,
            rotation_period_in_days=365,
            deletion_window_in_days=30,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        self.alias = aws.kms.Alias(f"{name}-alias", target_key_id=self.key.key_id, opts=child)
        self.policy = aws.kms.KeyPolicy(
            f"{name}-policy",
            key_id=self.key.key_id,
            policy=document(*self._statements(account, args)),
            opts=child,
        )
        # Whoever is given the ARN waits for the policy: without it the first use is refused.
        self.arn = pulumi.Output.all(self.key.arn, self.policy.id).apply(lambda known: known[0])
        self.id = self.key.key_id
        self.register_outputs({"arn": self.arn, "id": self.id})

    def use(self, sid: str = "UseKey") -> Grant:
        """Permission to encrypt and decrypt with the key."""
        return Grant(sid, ("kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"), (self.arn,))

    def _statements(self, account: Account, args: KeyArgs) -> list[dict[str, Any]]:
        # In a key's own policy the resource "*" is the key (https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html).
        this = {"Effect": "Allow", "Resource": "*"}
        root = {"AWS": account.root}
        statements = [
            {**this, "Sid": "Manage", "Principal": root, "Action": list(_MANAGE)},
            *(
                {
                    **this,
                    "Sid": f"Via{service.capitalize()}",
                    "Principal": root,
                    "Action": list(_USE),
                    "Condition": {
                        "StringEquals": {
                            "kms:CallerAccount": account.id,
                            "kms:ViaService": pulumi.Output.concat(f"{service}.{account.region}.", account.dns),
                        }
                    },
                }
                for service in args.via
            ),
            *(
                {**this, "Sid": f"Role{role}", "Principal": {"AWS": arn}, "Action": list(_USE)}
                for role, arn in args.roles.items()
            ),
        ]
        return [*statements, *self._of_a_service(account, args)] if args.service else statements

    @staticmethod
    def _of_a_service(account: Account, args: KeyArgs) -> list[dict[str, Any]]:
        this = {"Effect": "Allow", "Resource": "*"}
        own = {"aws:SourceAccount": account.id}
        return [
            # SageMaker and ECR keep the key's use for volumes and layers through grants, which only they may take.
            *(
                {
                    **this,
                    "Sid": f"Grants{role}",
                    "Principal": {"AWS": arn},
                    "Action": "kms:CreateGrant",
                    "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}},
                }
                for role, arn in args.roles.items()
            ),
            {
                **this,
                "Sid": "Logs",
                "Principal": service_principal(f"logs.{account.region}.amazonaws.com"),
                "Action": list(_USE),
                "Condition": {
                    "ArnLike": {"kms:EncryptionContext:aws:logs:arn": account.arn("logs", "log-group:*")},
                },
            },
            {
                **this,
                "Sid": "Alarms",
                "Principal": service_principal("cloudwatch.amazonaws.com"),
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Condition": {"StringEquals": own},
            },
            {
                **this,
                "Sid": "Budgets",
                "Principal": service_principal("budgets.amazonaws.com"),
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Condition": {"StringEquals": own},
            },
        ]
