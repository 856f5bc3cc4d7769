"""One module per cloud, all of one shape: `deploy(spec, places) -> exports by place`."""

from __future__ import annotations

import importlib
from itertools import groupby
from pathlib import Path
from typing import Any

import pulumi

from spec import release as releases
from spec.errors import ROOT
from spec.service import ServiceSpec


def deploy(spec: ServiceSpec) -> dict[str, dict[str, Any]]:
    """Deploy to every place of a service. Returns what the stack exports, by the place's name.

    A cloud's packages are imported only here, only when the stack uses that cloud.
    """
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
