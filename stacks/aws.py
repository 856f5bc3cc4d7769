"""The service on AWS: per region key, storage, registry and network; per place role, target, monitoring."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import pulumi
import pulumi_aws as aws

from components.aws.account import Account, region_code
from components.aws.identity import Role, RoleArgs
from components.aws.keys import EncryptionKey, KeyArgs
from components.aws.network import Network, NetworkArgs
from components.aws.registry import Registry, RegistryArgs
from components.aws.storage import ReleaseArgs, ReleaseUpload, Storage, StorageArgs
from spec.errors import ROOT, Problem, SpecError, path, shown
from spec.release import Release
from spec.service import DeployTo, ServiceSpec
from spec.training_run import TrainingRun
from stacks import aws_training, local_release
from stacks.aws_checks import problems
from stacks.aws_image import server_image
from stacks.aws_shared import RoleWanted, Shared
from stacks.aws_targets import TARGETS
from stacks.aws_training import TRAINING
from stacks.roles import roles_config


def deploy(spec: ServiceSpec, places: Sequence[DeployTo]) -> dict[str, dict[str, Any]]:
    """The service at every place on AWS; returns what the stack exports, by place."""
    release, canary = _checked(spec, places)
    training = aws_training.config(places)
    exports: dict[str, dict[str, Any]] = {}
    for region, group in groupby(sorted(places, key=_region), key=_region):
        here = list(group)
        run = training if training is not None and training.region == region else None
        shared = _share(spec, region, here, release, canary, run)
        for where in here:
            exports[where.name] = TARGETS[where.target].deploy(spec, where, shared)
        if run is not None:
            exports["training"] = aws_training.train(
                shared.name,
                run,
                aws_training.Place(
                    shared.account, shared.provider, shared.roles[TRAINING], shared.storage, shared.network, shared.key
                ),
            )
    return exports


def _region(where: DeployTo) -> str:
    return where.region or ""


def _checked(spec: ServiceSpec, places: Sequence[DeployTo]) -> tuple[Release, Release | None]:
    """The releases, once nothing is wrong. Raises pulumi.RunError with all problems, before anything is registered."""
    found = problems(spec, places, pulumi.get_stack())
    asked = {"release": spec.release} | ({} if spec.canary is None else {"canary.release": spec.canary.release})
    releases: dict[str, Release] = {}
    missing: list[str] = []
    for field, reference in asked.items():
        try:
            releases[field] = local_release(reference, field)
        except pulumi.RunError as error:
            missing.append(str(error))
    release, canary = releases.get("release"), releases.get("canary.release")
    if spec.canary is not None and canary is not None and canary == release:
        found.append(
            Problem(
                path(("canary", "release")),
                f"{shown(spec.canary.release)}, which is {canary}, and so is {ROOT}.release",
                "another release",
                "Name one, or remove canary.",
            )
        )
    texts = [*([str(SpecError(found))] if found else []), *missing]
    if texts or release is None:
        raise pulumi.RunError("\n".join(texts))
    return release, canary


def _share(
    spec: ServiceSpec,
    region: str,
    places: Sequence[DeployTo],
    release: Release,
    canary: Release | None,
    run: TrainingRun | None,
) -> Shared:
    name = f"{spec.name}-{region_code(region)}"  # SageMaker's names have 63 characters at most
    stack = pulumi.get_stack()
    own = {"service": spec.name, "stack": stack, "deployment": f"{spec.name}-{stack}", "managed-by": "pulumi"}
    provider = aws.Provider(
        f"{name}-aws", region=region, default_tags=aws.ProviderDefaultTagsArgs(tags={**spec.tags, **own})
    )
    top = pulumi.ResourceOptions(provider=provider)
    made = roles_config()
    account = Account.of(provider, region, boundary=made and made.boundary, path=made and made.path)
    targets = [TARGETS[where.target] for where in places]
    roles = {
        role: Role(f"{name}-{role}", RoleArgs(account, *_filled(wanted, spec.name, region)), top)
        for target in targets
        for role, wanted in target.roles.items()
    }
    if run is not None:
        roles[TRAINING] = aws_training.role(f"{name}-{TRAINING}", account, spec.name, top)
    key = None
    if spec.encryption.customer_managed_key:
        users = {wanted.title().replace("-", ""): role.arn for wanted, role in roles.items()}
        key = EncryptionKey(name, KeyArgs(account, f"Data of {spec.name}", users, protect=spec.protect), top)
    key_arn = None if key is None else key.arn
    capture_days = None if spec.capture is None else spec.capture.retention_days
    storage = Storage(name, StorageArgs(account, key_arn, capture_days, spec.protect), top)
    registry = Registry(name, RegistryArgs(key_arn, spec.protect), top)
    existing = next((where.network for where in places if where.network is not None), None)
    network = None
    inside = any(target.always_network for target in targets)
    if existing is not None or inside or spec.access.visibility == "private":
        services = sorted({service for target in targets for service in target.endpoints})
        network = Network(name, NetworkArgs(account, existing, services, key_arn, spec.logging.retention_days), top)
    releases = (release,) if canary is None else (release, canary)
    uploads = tuple(
        ReleaseUpload(name, ReleaseArgs(one, storage.releases, key_arn), top)
        if index == 0
        else ReleaseUpload(f"{name}-canary", ReleaseArgs(one, storage.releases, key_arn), top)
        for index, one in enumerate(releases)
    )
    image = server_image(name, spec.image, account, provider, registry)
    return Shared(account, name, provider, key, storage, registry, image, network, uploads, releases, roles)


def _filled(wanted: RoleWanted, service: str, region: str) -> tuple[str, str, str | None]:
    source = None if wanted.source is None else wanted.source.replace("{region}", region)
    return wanted.service, wanted.does.replace("{service}", service), source
