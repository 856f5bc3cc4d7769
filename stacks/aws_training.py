"""A training run in one region of stack aws: the config `training`, its role, its job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components.aws.account import Account
from components.aws.identity import Permissions, PermissionsArgs, Role, RoleArgs
from components.aws.keys import EncryptionKey
from components.aws.network import Network
from components.aws.registry import pull
from components.aws.sagemaker import network_grants
from components.aws.storage import Storage
from components.aws.training_job import TrainingJob, TrainingJobArgs, training_grants
from spec.errors import Problem, SpecError, one_of, path, shown
from spec.service import DeployTo
from spec.training_run import ROOT, TrainingRun, load_training
from stacks.aws_image import ECR_IMAGE
from stacks.aws_sagemaker import INSTANCE_TYPE

#: Key of a stack's config, and what the run's role is called beside the targets'.
TRAINING = "training"


@dataclass(frozen=True)
class Place:
    """What the run uses of its region."""

    account: Account
    provider: aws.Provider
    role: Role
    storage: Storage
    network: Network | None
    key: EncryptionKey | None


def config(places: Sequence[DeployTo]) -> TrainingRun | None:
    """The run that the stack's config asks for, with its region; None without one.

    Raises SpecError with everything that is wrong, before anything is registered.
    """
    given = pulumi.Config().get_object(TRAINING)
    if given is None:
        return None
    run = load_training(given)
    regions = [where.region or "" for where in places]
    run = run.model_copy(update={"region": run.region or regions[0]})
    if found := _problems(run, regions):
        raise SpecError(found, "the training run")
    return run


def _problems(run: TrainingRun, regions: Sequence[str]) -> list[Problem]:
    found: list[Problem] = []
    if run.region not in regions:
        allowed = f"a region of service.deploy_to on aws: {one_of(sorted(set(regions)))}"
        found.append(Problem(path(("region",), root=ROOT), shown(run.region), allowed, "Name one of them."))
        return found
    image = ECR_IMAGE.fullmatch(run.image)
    if image is None or image["region"] != run.region:
        allowed = f"an image in Amazon ECR in {run.region}, since SageMaker takes no other"
        found.append(Problem(path(("image",), root=ROOT), shown(run.image), allowed, "Push it there first."))
    if not INSTANCE_TYPE.fullmatch(run.instance_type):
        field = path(("instance_type",), root=ROOT)
        found.append(
            Problem(field, shown(run.instance_type), "a type of SageMaker's, such as ml.m5.xlarge", "Correct it.")
        )
    return found


def role(name: str, account: Account, service: str, opts: pulumi.ResourceOptions) -> Role:
    """The role that runs take on; made before the key, whose policy names it."""
    source = f"sagemaker:{account.region}:{{account}}:*"
    return Role(name, RoleArgs(account, "sagemaker.amazonaws.com", f"Trains models of {service}", source), opts)


def train(prefix: str, run: TrainingRun, place: Place) -> dict[str, Any]:
    """Begin the run; returns what the stack exports about it."""
    name = f"{prefix}-{TRAINING}"
    image = ECR_IMAGE.fullmatch(run.image)
    assert image is not None  # noqa: S101 # checked before anything is made
    where = f":ecr:{image['region']}:{image['account']}:repository/{image['repository']}"
    grants = [
        *training_grants(place.account, place.storage.data, place.storage.releases, run),
        *pull(pulumi.Output.concat("arn:", place.account.partition, where)),
        *(() if place.network is None else network_grants(place.account, place.network)),
        *(() if place.key is None else (place.key.use(),)),
    ]
    top = pulumi.ResourceOptions(provider=place.provider)
    allowed = Permissions(name, PermissionsArgs(place.role.name, grants), top)
    job = TrainingJob(
        name,
        TrainingJobArgs(
            place.account,
            prefix,
            run,
            place.storage.data,
            place.storage.releases,
            place.role.arn,
            None if place.key is None else place.key.arn,
            place.network,
        ),
        pulumi.ResourceOptions(provider=place.provider, depends_on=[allowed]),
    )
    return {"job": job.name, "logs": job.logs, "releases": place.storage.releases.name}
