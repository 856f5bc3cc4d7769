"""The service on AWS: per region key, storage, registry and network; per place role, target, monitoring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws

from components.aws import sagemaker
from components.aws.access import Callers, CallersArgs
from components.aws.account import Account, region_code
from components.aws.grants import Grant
from components.aws.identity import Permissions, PermissionsArgs, Role, RoleArgs
from components.aws.instances import smallest
from components.aws.keys import EncryptionKey, KeyArgs
from components.aws.monitoring import (
    Alarms,
    AlarmsArgs,
    AlarmTopic,
    BudgetArgs,
    CostBudget,
    Dashboard,
    DashboardArgs,
    TopicArgs,
)
from components.aws.network import Network, NetworkArgs
from components.aws.registry import Registry, RegistryArgs
from components.aws.storage import ReleaseArgs, ReleaseUpload, Storage, StorageArgs
from spec import contracts
from spec.errors import ROOT, Problem, SpecError, path, shown
from spec.panels import CONFIG_FILE, DashboardConfig, load_dashboard_config
from spec.release import Release
from spec.service import DeployTo, ServiceSpec
from spec.training_run import TrainingRun
from stacks import aws_training, local_release
from stacks.aws_checks import problems
from stacks.aws_image import ServerImage, server_image
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
            exports[where.name] = _TARGETS[where.target](spec, where, shared)
        if run is not None:
            exports["training"] = aws_training.train(
                shared.name,
                run,
                aws_training.Place(
                    shared.account, shared.provider, shared.roles[TRAINING], shared.storage, shared.network, shared.key
                ),
            )
    return exports


def _first(spec: ServiceSpec) -> str:
    return next(where.name for where in spec.deploy_to if where.cloud == "aws")


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


@dataclass(frozen=True)
class _Shared:
    """What all places of a region use."""

    account: Account
    name: str
    provider: aws.Provider
    key: EncryptionKey | None
    storage: Storage
    registry: Registry
    image: ServerImage
    network: Network | None
    releases: tuple[ReleaseUpload, ...]
    roles: dict[str, Role]

    @property
    def key_arn(self) -> pulumi.Output[str] | None:
        return None if self.key is None else self.key.arn


def _share(
    spec: ServiceSpec,
    region: str,
    places: Sequence[DeployTo],
    release: Release,
    canary: Release | None,
    run: TrainingRun | None,
) -> _Shared:
    name = f"{spec.name}-{region_code(region)}"  # SageMaker's names have 63 characters at most
    stack = pulumi.get_stack()
    own = {"service": spec.name, "stack": stack, "deployment": f"{spec.name}-{stack}", "managed-by": "pulumi"}
    provider = aws.Provider(
        f"{name}-aws", region=region, default_tags=aws.ProviderDefaultTagsArgs(tags={**spec.tags, **own})
    )
    top = pulumi.ResourceOptions(provider=provider)
    made = roles_config()
    account = Account.of(provider, region, boundary=made and made.boundary, path=made and made.path)
    roles = {
        where.target: Role(
            f"{name}-{where.target}",
            RoleArgs(
                account,
                _SERVICES[where.target],
                f"Runs {spec.name} on {where.target}",
                f"{where.target}:{region}:{{account}}:*",
            ),
            top,
        )
        for where in places
    }
    if run is not None:
        roles[TRAINING] = aws_training.role(f"{name}-{TRAINING}", account, spec.name, top)
    key = None
    if spec.encryption.customer_managed_key:
        users = {target.capitalize(): role.arn for target, role in roles.items()}
        key = EncryptionKey(name, KeyArgs(account, f"Data of {spec.name}", users, protect=spec.protect), top)
    key_arn = None if key is None else key.arn
    capture_days = None if spec.capture is None else spec.capture.retention_days
    storage = Storage(name, StorageArgs(account, key_arn, capture_days, spec.protect), top)
    registry = Registry(name, RegistryArgs(key_arn, spec.protect), top)
    existing = next((where.network for where in places if where.network is not None), None)
    network = None
    if existing is not None or spec.access.visibility == "private":
        services = sorted({service for where in places for service in _ENDPOINTS[where.target]})
        network = Network(name, NetworkArgs(account, existing, services, key_arn, spec.logging.retention_days), top)
    uploads = tuple(
        ReleaseUpload(name, ReleaseArgs(one, storage.releases, key_arn), top)
        if index == 0
        else ReleaseUpload(f"{name}-canary", ReleaseArgs(one, storage.releases, key_arn), top)
        for index, one in enumerate(filter(None, (release, canary)))
    )
    image = server_image(name, spec.image, account, provider, registry)
    return _Shared(account, name, provider, key, storage, registry, image, network, uploads, roles)


def _sagemaker(spec: ServiceSpec, where: DeployTo, shared: _Shared) -> dict[str, Any]:
    name = f"{shared.name}-sagemaker"
    endpoint = f"{spec.name}-{pulumi.get_stack()}"
    top = pulumi.ResourceOptions(provider=shared.provider)
    role = shared.roles["sagemaker"]
    slots = [sagemaker.PRIMARY, *([sagemaker.CANARY] if spec.canary is not None else [])]
    percentile = spec.slo.latency_percentile if spec.slo is not None else 99
    measured = [sagemaker.metrics(endpoint, slot, percentile=percentile) for slot in slots]
    topic = AlarmTopic(name, TopicArgs(shared.account, shared.key_arn, spec.notify), top)
    alarms = Alarms(name, AlarmsArgs(endpoint, measured, spec.slo, topic.arn), top)
    share = spec.canary.percent if spec.canary is not None else 0
    weights = zip(slots, shared.releases, (100 - share, share), strict=False)
    variants = [sagemaker.Variant(slot, upload.uri, percent) for slot, upload, percent in weights]
    grants: list[Grant] = [
        *(grant for upload in shared.releases for grant in upload.grants),
        *shared.image.grants,
        *sagemaker.server_grants(shared.account, endpoint, network=shared.network, captures=shared.storage.captures),
    ]
    if shared.key is not None:
        grants.append(shared.key.use())
    allowed = Permissions(name, PermissionsArgs(role.name, grants), top)
    service = sagemaker.SageMakerEndpoint(
        name,
        sagemaker.SageMakerArgs(
            account=shared.account,
            endpoint=endpoint,
            variants=variants,
            image=shared.image.ref,
            environment={contracts.LOG_LEVEL: spec.logging.level},
            role_arn=role.arn,
            instance_type=where.instance_type or smallest(spec.resources.cpu, spec.resources.memory_gib).name,
            scaling=spec.scaling,
            rollout=spec.rollout,
            log_days=spec.logging.retention_days,
            key_arn=shared.key_arn,
            network=shared.network,
            capture=spec.capture,
            captures=shared.storage.captures,
            rollback_alarms=alarms.rollback if spec.rollout.rollback_on_alarm else (),
        ),
        pulumi.ResourceOptions(provider=shared.provider, depends_on=[allowed]),
    )
    inside = shared.network.endpoint_ids.get("sagemaker.runtime") if shared.network is not None else None
    callers = Callers(
        name,
        CallersArgs(
            service.grants,
            spec.access.principals,
            endpoint_id=inside if spec.access.visibility == "private" else None,
            path=shared.account.path,
        ),
        top,
    )
    logs = (sagemaker.log_group(endpoint),)
    board = Dashboard(
        name,
        DashboardArgs(shared.account, endpoint, measured, spec.slo, alarms.made, logs, _dashboard_config()),
        pulumi.ResourceOptions(provider=shared.provider, depends_on=[service]),
    )
    if spec.budget is not None and where.name == _first(spec):  # it counts what all places cost
        CostBudget(name, BudgetArgs(f"{spec.name}-{pulumi.get_stack()}", spec.budget, topic.arn), top)
    return {
        "url": service.url,
        "invoke": service.invoke,
        "release": shared.releases[0].reference,
        "digest": shared.releases[0].digest,
        "invoke_policy": callers.policy_arn,
        "dashboard": board.url,
        "alarms_missing": alarms.missing,
        "image": shared.image.ref,
        "image_registry": shared.registry.url,
    }


def _dashboard_config() -> DashboardConfig:
    try:
        return load_dashboard_config(Path(pulumi.get_root_directory()) / CONFIG_FILE)
    except SpecError as error:
        raise pulumi.RunError(str(error)) from None


_SERVICES = {"sagemaker": "sagemaker.amazonaws.com"}
#: Interface endpoints that a private network needs, by target.
_ENDPOINTS = {"sagemaker": ("sagemaker.runtime",)}
_TARGETS = {"sagemaker": _sagemaker}
