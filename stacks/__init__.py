"""One module per cloud, all of one shape: `deploy(spec, where) -> exports`."""

from __future__ import annotations

import importlib
from typing import Any

from spec.service import DeployTo, ServiceSpec


def deploy(spec: ServiceSpec, where: DeployTo) -> dict[str, Any]:
    """Deploy to one place. A cloud's packages are imported only here, only when the stack uses that cloud."""
    return importlib.import_module(f"stacks.{where.cloud}").deploy(spec, where)
