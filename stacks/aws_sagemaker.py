"""The service on SageMaker: its roles, its place, and what SageMaker refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pulumi

from components.aws import sagemaker
from components.aws.identity import Permissions, PermissionsArgs
from components.aws.instances import SAGEMAKER, TooLargeError, smallest
from spec import contracts
from spec.errors import Problem, path, shown
from spec.service import DeployTo, ServiceSpec
from stacks.aws_shared import RoleWanted, Shared, Target, network_of, percentile, surround, watch

#: Least step of a linear rollout, in percent
#: (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_TrafficRoutingConfig.html).
LEAST_LINEAR_STEP = 10
INSTANCE_TYPE = re.compile(r"ml\.(?P<family>[a-z]+\d+[a-z0-9-]*)\.(medium|large|\d*xlarge|metal)")
#: Families with Graviton processors: m6g, c7gn, r8g.
ARM = re.compile(r"[a-z]+\d+g[a-z]*")


def deploy(spec: ServiceSpec, where: DeployTo, shared: Shared) -> dict[str, Any]:
    """The endpoint and what stands around it; returns the place's exports."""
    name = f"{shared.name}-sagemaker"
    endpoint = f"{spec.name}-{pulumi.get_stack()}"
    role = shared.roles["sagemaker"]
    network = network_of(spec, where, shared)
    slots = [sagemaker.PRIMARY, *([sagemaker.CANARY] if spec.canary is not None else [])]
    measured = [sagemaker.metrics(endpoint, slot, percentile=percentile(spec)) for slot in slots]
    watched = watch(spec, shared, name, endpoint, measured)
    share = spec.canary.percent if spec.canary is not None else 0
    weights = zip(slots, shared.releases, (100 - share, share), strict=False)
    grants = [
        *shared.server_needs(),
        *sagemaker.server_grants(shared.account, endpoint, network=network, captures=shared.storage.captures),
    ]
    allowed = Permissions(name, PermissionsArgs(role.name, grants), shared.top)
    service = sagemaker.SageMakerEndpoint(
        name,
        sagemaker.SageMakerArgs(
            account=shared.account,
            endpoint=endpoint,
            variants=[sagemaker.Variant(slot, upload.uri, percent) for slot, upload, percent in weights],
            image=shared.image.ref,
            environment={contracts.LOG_LEVEL: spec.logging.level},
            role_arn=role.arn,
            instance_type=where.instance_type or smallest(spec.resources.cpu, spec.resources.memory_gib).name,
            scaling=spec.scaling,
            rollout=spec.rollout,
            log_days=spec.logging.retention_days,
            key_arn=shared.key_arn,
            network=network,
            capture=spec.capture,
            captures=shared.storage.captures,
            rollback_alarms=watched.alarms.rollback if spec.rollout.rollback_on_alarm else (),
        ),
        shared.after(allowed),
    )
    inside = network.endpoint_ids.get("sagemaker.runtime") if network is not None else None
    return surround(
        spec,
        where,
        shared,
        name,
        watched,
        service,
        log_groups=(sagemaker.log_group(endpoint),),
        endpoint_id=inside if spec.access.visibility == "private" else None,
    )


def problems(spec: ServiceSpec, where: DeployTo, index: int) -> Iterator[Problem]:
    """What SageMaker would refuse."""
    yield from _instance(spec, where, index)
    for at, entry in enumerate(spec.scaling.schedule):
        if entry.min < 1:
            yield Problem(
                path(("scaling", "schedule", at, "min")),
                shown(entry.min),
                "1 or more on target sagemaker: an endpoint always has a replica",
                "Set min: 1.",
            )
    yield from _rollout(spec)


def _instance(spec: ServiceSpec, where: DeployTo, index: int) -> Iterator[Problem]:
    if where.instance_type is None:
        try:
            smallest(spec.resources.cpu, spec.resources.memory_gib)
        except TooLargeError as error:
            yield Problem(
                path(("resources",)),
                f"cpu {spec.resources.cpu:g} and memory_gib {spec.resources.memory_gib:g}",
                str(error).partition("allowed on this target: ")[2].partition(":")[0],
                "Lower them, or name deploy_to[].instance_type.",
            )
        return
    field = path(("deploy_to", index, "instance_type"))
    named = INSTANCE_TYPE.fullmatch(where.instance_type)
    if named is None:
        yield Problem(
            field,
            shown(where.instance_type),
            f"a type of SageMaker's on target {where.target}, such as ml.m5.large",
            "Correct it, or remove it for the smallest that holds resources.",
        )
    elif ARM.fullmatch(named["family"]):
        yield Problem(
            field,
            shown(where.instance_type),
            "a type with x86 processors, such as ml.m5.large, since the image is built for linux/amd64",
            "Choose another one, or remove it for the smallest that holds resources.",
        )
    size = next((one for one in SAGEMAKER if one.name == where.instance_type), None)
    if size and (size.cpus < spec.resources.cpu or size.memory_gib < spec.resources.memory_gib):
        yield Problem(
            field,
            f"{shown(size.name)}, which has {size.cpus} CPUs and {size.memory_gib} GiB",
            f"a type that holds resources: cpu {spec.resources.cpu:g}, memory_gib {spec.resources.memory_gib:g}",
            "Remove it for the smallest that does, or lower resources.",
        )


def _rollout(spec: ServiceSpec) -> Iterator[Problem]:
    rollout = spec.rollout
    if rollout.strategy != "all_at_once" and spec.scaling.min < 2:
        yield Problem(
            path(("rollout", "strategy")),
            f"{shown(rollout.strategy)} with scaling.min {spec.scaling.min}",
            "on target sagemaker at least 2, since a step is at most half of the instances",
            "Raise scaling.min, or set strategy: all_at_once.",
        )
    if rollout.strategy == "linear" and rollout.step_percent < LEAST_LINEAR_STEP:
        yield Problem(
            path(("rollout", "step_percent")),
            shown(rollout.step_percent),
            f"{LEAST_LINEAR_STEP} to 50 with strategy linear on target sagemaker",
            f"Set step_percent: {LEAST_LINEAR_STEP}, or strategy: canary.",
        )


TARGET = Target(
    deploy,
    problems,
    roles={
        "sagemaker": RoleWanted(
            "sagemaker.amazonaws.com", "Runs {service} on sagemaker", "sagemaker:{region}:{account}:*"
        )
    },
    endpoints=("sagemaker.runtime",),
)
