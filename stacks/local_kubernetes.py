"""The service on a cluster that one has already: releases are in a store of one's own, pods fetch them from there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from components.kubernetes.service import ModelService, checked
from components.kubernetes.token import Token
from spec import release as releases
from spec.errors import SpecError
from spec.places import Cluster
from spec.release import Release
from spec.service import DeployTo, ServiceSpec
from stacks import local_release
from stacks.kubernetes_args import namespace, service_args, uri
from stacks.kubernetes_checks import problems, release_problems


def deploy(spec: ServiceSpec, where: DeployTo) -> dict[str, Any]:
    """The service on the cluster; returns what the stack exports. Raises pulumi.RunError before anything is made."""
    release, canary = _checked(spec, where)
    stack = pulumi.get_stack()
    checked(service_args(spec, where, stack, release, canary))
    cluster = where.cluster or Cluster()
    provider = k8s.Provider(
        f"{spec.name}-cluster",
        kubeconfig=None if cluster.kubeconfig is None else str(Path(cluster.kubeconfig).expanduser()),
        context=cluster.context,
    )
    token = None
    if spec.access.auth_on(where.cloud) == "token":
        token = Token(f"{spec.name}-token", purpose=namespace(spec, stack)).token
    service = ModelService(
        spec.name,
        service_args(spec, where, stack, release, canary, token=token),
        pulumi.ResourceOptions(provider=provider),
    )
    exports: dict[str, Any] = {
        "url": service.url,
        "invoke": service.invoke,
        "release": str(release),
        "digest": releases.digest(release.path),
        "model_uri": uri(cluster.models or "", release),
        "namespace": service.namespace,
    }
    if canary is not None:
        exports["canary"] = str(canary)
    return exports


def _checked(spec: ServiceSpec, where: DeployTo) -> tuple[Release, Release | None]:
    """The releases, once nothing is wrong. Raises pulumi.RunError with all problems."""
    found = problems(spec, spec.deploy_to.index(where), pulumi.get_stack())
    asked = {"release": spec.release} | ({} if spec.canary is None else {"canary.release": spec.canary.release})
    there: dict[str, Release] = {}
    missing: list[str] = []
    for field, reference in asked.items():
        try:
            there[field] = local_release(reference, field)
        except pulumi.RunError as error:
            missing.append(str(error))
    release, canary = there.get("release"), there.get("canary.release")
    if release is not None:
        found += release_problems(spec, release, canary)
    texts = [*([str(SpecError(found))] if found else []), *missing]
    if texts or release is None:
        raise pulumi.RunError("\n".join(texts))
    return release, canary
