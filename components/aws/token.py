"""The token that callers show where nobody checks IAM: random, in Secrets Manager, encrypted with the service's key."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.aws.account import Account
from components.aws.grants import Grant
from components.kubernetes.token import Token


@dataclass(frozen=True)
class SecretTokenArgs:
    """account: whose. service: who asks for it; another one, another token. key_arn: encrypts it; None for AWS's own.

    recovery_days: how long a deleted one can be had back, 0 or 7 to 30.
    """

    account: Account
    service: str
    key_arn: pulumi.Input[str] | None = None
    recovery_days: int = 0


class SecretToken(pulumi.ComponentResource):
    """A secret with one random token. Beside it only the state holds the token, as a secret.

    arn: of the secret; whoever gets it waits for the token. The token lasts: a new one is another `service`.
    """

    arn: pulumi.Output[str]

    def __init__(self, name: str, args: SecretTokenArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:SecretToken", name, {}, opts)
        self._args = args
        child = pulumi.ResourceOptions(parent=self)
        token = Token(f"{name}-token", purpose=args.service, opts=child)
        secret = aws.secretsmanager.Secret(
            f"{name}-secret",
            description=f"Token that callers of {args.service} show",
            kms_key_id=args.key_arn,
            recovery_window_in_days=args.recovery_days,
            opts=child,
        )
        version = aws.secretsmanager.SecretVersion(
            f"{name}-value", secret_id=secret.id, secret_string=token.token, opts=child
        )
        self.arn = pulumi.Output.all(secret.arn, version.id).apply(lambda known: known[0])
        self.register_outputs({"arn": self.arn})

    def read(self, sid: str = "ReadToken") -> tuple[Grant, ...]:
        """Permission to read the token: for callers, and for what hands it to the server."""
        found = [Grant(sid, ("secretsmanager:GetSecretValue",), (self.arn,))]
        if self._args.key_arn is not None:
            account = self._args.account
            host = pulumi.Output.concat(f"secretsmanager.{account.region}.", account.dns)
            via = {"StringEquals": {"kms:ViaService": host}}
            found.append(Grant(f"{sid}Key", ("kms:Decrypt",), (self._args.key_arn,), via))
        return tuple(found)
