"""The server's image for the places of one region on AWS: as it is, copied, or built.

SageMaker and Lambda take images from Amazon ECR in their own region only
(https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ContainerDefinition.html).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_aws as aws

from components.aws.account import Account
from components.aws.grants import Grant
from components.aws.registry import Registry, host, login, pull
from components.image import registry as images
from spec.fields import Image

#: An image in Amazon ECR, by its digest.
ECR_IMAGE = re.compile(
    r"(?P<host>(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?)/(?P<repository>[^\s@:]+)"
    r"@sha256:[0-9a-f]{64}"
)


@dataclass(frozen=True)
class ServerImage:
    """ref: the image by its digest, in ECR in the region. grants: pulling it, and no other repository's."""

    ref: pulumi.Input[str]
    grants: tuple[Grant, ...]


def server_image(name: str, wanted: Image, account: Account, provider: aws.Provider, registry: Registry) -> ServerImage:
    """What a description's `image` is in one region.

    An image that is in ECR there already is taken as it is, whoever's repository it is in. Any other is copied into the
    stack's own repository, and one that is to be built is pushed to it.
    """
    found = ECR_IMAGE.fullmatch(wanted.ref or "")
    if wanted.ref is not None and found is not None and found["region"] == account.region:
        where = f":ecr:{found['region']}:{found['account']}:repository/{found['repository']}"
        return ServerImage(wanted.ref, pull(pulumi.Output.concat("arn:", account.partition, where)))
    # Loaded here: a stack whose image is there already needs neither of the two plug-ins.
    from components.image.serving_image import BuiltImageArgs, BuiltServingImage, CopiedImageArgs, CopiedServingImage

    target = images.Registry(registry.url, login(provider, host(account), account.region))
    if wanted.ref is None:
        root = Path(pulumi.get_root_directory())
        return ServerImage(BuiltServingImage(name, BuiltImageArgs(root, target)).ref, registry.grants)
    source = None if found is None else login(provider, found["host"], found["region"])
    return ServerImage(CopiedServingImage(name, CopiedImageArgs(wanted.ref, target, source)).ref, registry.grants)
