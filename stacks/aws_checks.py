"""What AWS refuses about a service description, beside what the spec and its capability table see. Registers nothing.

Every rule stands for an error that AWS would give in the middle of an `up`, or for a value that would be ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pulumi_aws import Region

from components.aws.access import PrincipalError, parse_principal
from components.aws.schedule import aws_cron
from spec import errors
from spec.errors import Problem, one_of, path, shown
from spec.service import DeployTo, ServiceSpec
from stacks.aws_image import ECR_IMAGE
from stacks.aws_targets import TARGETS

#: API_EndpointInput: the name of an endpoint.
ENDPOINT_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")
ENDPOINT_LENGTH = 63
#: What CloudWatch Logs keeps a log group for, in days
#: (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html).
RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
)  # fmt: skip
#: Tags that this project sets itself.
OWN_TAGS = ("deployment", "managed-by", "service", "stack")
#: What only a host of Amazon ECR has in its name.
_ECR = ".dkr.ecr."
_ECR_EXAMPLE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/server@sha256:…"


def problems(spec: ServiceSpec, places: Sequence[DeployTo], stack: str) -> list[Problem]:
    """Everything that AWS would refuse, in the order of the description. places: those of `spec` that are on AWS."""
    found = [*_names(spec, stack), *_tags(spec)]
    indices = [index for index, where in enumerate(spec.deploy_to) if where in places]
    for index in indices:
        where = spec.deploy_to[index]
        found += _region(where, index)
        if target := TARGETS.get(where.target):  # the capability table refuses one that is not built
            found += target.problems(spec, where, index)
    found += _networks(spec, indices)
    found += _image(spec)
    found += _scaling(spec)
    return [*found, *_principals(spec), *_logging(spec), *_webhooks(spec)]


def _names(spec: ServiceSpec, stack: str) -> Iterator[Problem]:
    name = f"{spec.name}-{stack}"
    if len(name) > ENDPOINT_LENGTH or not ENDPOINT_NAME.fullmatch(name):
        room = ENDPOINT_LENGTH - len(spec.name) - 1
        yield Problem(
            "the stack's name",
            shown(stack),
            f"letters, digits and hyphens between them, at most {room} characters beside {errors.ROOT}.name "
            f"{shown(spec.name)}, since the endpoint is named {shown(name)}",
            "Make a stack with such a name, or shorten the service's.",
        )


def _tags(spec: ServiceSpec) -> Iterator[Problem]:
    for key in OWN_TAGS:
        if key in spec.tags:
            yield Problem(
                path(("tags", key)),
                shown(spec.tags[key]),
                f"any key but {one_of(OWN_TAGS)}, which are set for every service",
                "Rename or remove it.",
            )


def _region(where: DeployTo, index: int) -> Iterator[Problem]:
    regions = sorted(region.value for region in Region)
    if where.region not in regions:
        meant = errors.near(where.region or "", regions)
        yield Problem(
            path(("deploy_to", index, "region")),
            shown(where.region),
            "a region of AWS's that the installed pulumi-aws knows, such as eu-central-1",
            f"Did you mean {meant}?" if meant else "Correct it.",
        )


def _networks(spec: ServiceSpec, indices: Sequence[int]) -> Iterator[Problem]:
    """Places of one region share a network."""
    first: dict[str | None, int] = {}
    for index in indices:
        where = spec.deploy_to[index]
        other = first.setdefault(where.region, index)
        if where.network != spec.deploy_to[other].network:
            network = None if where.network is None else where.network.vpc_id
            yield Problem(
                path(("deploy_to", index, "network")),
                shown(network),
                f"the network of deploy_to[{other}], since places of one region share it",
                "Name the same network and subnets in both, or make a stack for each.",
            )


def _image(spec: ServiceSpec) -> Iterator[Problem]:
    """Any registry's image can be copied; a name that is nearly one of ECR's would be looked for in vain."""
    ref = spec.image.ref
    if ref is not None and _ECR in ref.partition("/")[0] and not ECR_IMAGE.fullmatch(ref):
        yield Problem(
            path(("image", "ref")), shown(ref), f"an image in Amazon ECR like {_ECR_EXAMPLE}", "Correct the name."
        )


def _scaling(spec: ServiceSpec) -> Iterator[Problem]:
    for index, at in enumerate(spec.scaling.schedule):
        here = ("scaling", "schedule", index)
        try:
            aws_cron(at.cron)
        except (ValueError, IndexError):
            yield Problem(
                path((*here, "cron")),
                shown(at.cron),
                "on AWS a day of the month or a day of the week, not both",
                "Write two entries.",
            )


def _principals(spec: ServiceSpec) -> Iterator[Problem]:
    seen: dict[tuple[str, str], str] = {}
    for index, arn in enumerate(spec.access.principals):
        field = path(("access", "principals", index))
        try:
            principal = parse_principal(arn)
        except PrincipalError:
            allowed = "the ARN of a role or user of this account, such as arn:aws:iam::123456789012:role/caller"
            yield Problem(field, shown(arn), allowed, "Correct it.")
            continue
        if principal in seen:
            # Names of roles and of users are unique in an account, whatever their path.
            yield Problem(field, shown(arn), f"each role and user once; {seen[principal]} is the same", "Remove one.")
        seen[principal] = arn


def _logging(spec: ServiceSpec) -> Iterator[Problem]:
    days = spec.logging.retention_days
    if days not in RETENTION_DAYS:
        longer = next((kept for kept in RETENTION_DAYS if kept > days), RETENTION_DAYS[-1])
        yield Problem(
            path(("logging", "retention_days")), shown(days), f"{one_of(RETENTION_DAYS)} on AWS", f"Set {longer}."
        )


def _webhooks(spec: ServiceSpec) -> Iterator[Problem]:
    for index, url in enumerate(spec.notify.webhooks):
        if not url.startswith("https://"):
            yield Problem(
                path(("notify", "webhooks", index)),
                "a URL of this machine",
                "https://… on AWS, which cannot reach this machine",
                "Name one that is reachable from the internet, or remove it.",
            )
