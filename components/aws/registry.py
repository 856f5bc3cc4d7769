"""Where the serving image is kept."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.aws.account import Account
from components.aws.grants import Grant
from components.image.registry import Login


@dataclass(frozen=True)
class RegistryArgs:
    """key_arn: encrypts the layers; None: a key of AWS's. protect: keep the images when the stack goes."""

    key_arn: pulumi.Input[str] | None
    protect: bool = True


class Registry(pulumi.ComponentResource):
    """An ECR repository: tags never move, every push is scanned.

    It has no clean-up rule on purpose: images are pulled by digest, so a rule that counts or ages images can delete one
    that runs, or that a rollback needs.
    url: what an image's name begins with. grants: pulling images.
    """

    url: pulumi.Output[str]
    arn: pulumi.Output[str]

    def __init__(self, name: str, args: RegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:Registry", name, {}, opts)
        self.repository = aws.ecr.Repository(
            f"{name}-repository",
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration=aws.ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
            encryption_configurations=[
                aws.ecr.RepositoryEncryptionConfigurationArgs(
                    encryption_type="KMS" if args.key_arn is not None else "AES256", kms_key=args.key_arn
                )
            ],
            force_delete=not args.protect,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        self.url = self.repository.repository_url
        self.arn = self.repository.arn
        self.register_outputs({"url": self.url, "arn": self.arn})

    @property
    def grants(self) -> tuple[Grant, ...]:
        """Permission to pull images."""
        return pull(self.arn)


def pull(repository_arn: pulumi.Input[str]) -> tuple[Grant, ...]:
    """Permission to pull the images of a repository."""
    return (
        Grant("RegistryLogin", ("ecr:GetAuthorizationToken",)),
        Grant(
            "PullImage",
            ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
            (repository_arn,),
        ),
    )


def host(account: Account) -> pulumi.Output[str]:
    """The host of an account's registry in its region."""
    return pulumi.Output.concat(account.id, f".dkr.ecr.{account.region}.", account.dns)


def login(
    provider: aws.Provider, address: pulumi.Input[str], region: str, parent: pulumi.Resource | None = None
) -> Login:
    """How the registry at `address` in a region is logged in to: by a token that AWS makes anew each time.

    It holds for 12 hours and for every registry in that region that the provider's credentials may reach
    (https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html).
    """
    token = aws.ecr.get_authorization_token_output(
        region=region, opts=pulumi.InvokeOutputOptions(provider=provider, parent=parent)
    )
    return Login(address, token.user_name, pulumi.Output.secret(token.password))
