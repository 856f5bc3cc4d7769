"""One module per cloud, all of one shape: `deploy(spec, places) -> exports by place`."""

from __future__ import annotations

import importlib
from itertools import groupby
from pathlib import Path
from typing import Any

import pulumi

from spec import release as releases
from spec.bootstrap import BootstrapSpec, load_bootstrap
from spec.errors import ROOT, Problem, SpecError
from spec.service import ServiceSpec, load_service

#: Keys of a stack's config, each with a description of what the stack makes; it has one of them.
SERVICE, BOOTSTRAP = "service", "bootstrap"
#: What the account's bootstrap asks of every role that a stack makes (AWS).
ROLES = "roles"


def described() -> ServiceSpec | BootstrapSpec:
    """What the stack's config describes: a service, or what an account needs once. Raises SpecError."""
    config = pulumi.Config()
    service, account = config.get_object(SERVICE), config.get_object(BOOTSTRAP)
    if (service is None) == (account is None):
        found = "neither" if service is None else "both"
        problem = Problem(
            f"the config of stack {pulumi.get_stack()}",
            f"{found} of {SERVICE} and {BOOTSTRAP}",
            f"one of them: {SERVICE} (docs/service.md), or {BOOTSTRAP} (docs/bootstrap.md)",
            "Add one." if service is None else "Keep one, and make a stack of its own for the other.",
        )
        raise SpecError([problem], "the config")
    if account is not None:
        return load_bootstrap(account)
    return load_service(service or {}, stack=pulumi.get_stack())


def deploy(spec: ServiceSpec) -> dict[str, dict[str, Any]]:
    """Deploy to every place of a service. Returns what the stack exports, by the place's name.

    A cloud's packages are imported only here, only when the stack uses that cloud.
    """
    if pulumi.Config().get_object(ROLES) is not None and not any(where.cloud == "aws" for where in spec.deploy_to):
        raise pulumi.RunError(
            f"the config {ROLES} is set, and no place of {ROOT}.deploy_to is on aws; allowed: nothing, since it says "
            "what roles on AWS must have. Remove it."
        )
    exports: dict[str, dict[str, Any]] = {}
    for cloud, places in groupby(sorted(spec.deploy_to, key=lambda where: where.cloud), key=lambda where: where.cloud):
        exports |= importlib.import_module(f"stacks.{cloud}").deploy(spec, tuple(places))
    return exports


def local_release(reference: str, field: str = "release") -> releases.Release:
    """The release on this machine that a field names, every file of it verified. Raises pulumi.RunError."""
    try:
        release = releases.resolve(Path(pulumi.get_root_directory()) / "models", reference)
        releases.verify(release.path)
    except releases.ReleaseError as error:
        raise pulumi.RunError(f"{ROOT}.{field} is {reference!r}: {error}") from None
    return release
