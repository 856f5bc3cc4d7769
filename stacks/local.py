"""The service on this machine: release store, then server process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi

from components.local.service import ModelService, ModelServiceArgs, port_problem, run_folder
from components.local.store import ModelStore, ModelStoreArgs
from spec import contracts
from spec import release as releases
from spec.prometheus import ALERTMANAGER_URL_FILE
from spec.service import DeployTo, ServiceSpec


def deploy(spec: ServiceSpec, where: DeployTo) -> dict[str, Any]:
    """Create the local service; returns what the stack exports for it."""
    root = Path(pulumi.get_root_directory())
    local = root / ".local"
    try:
        release = releases.resolve(root / "models", spec.release)
        releases.verify(release.path)
    except releases.ReleaseError as error:
        raise pulumi.RunError(f"service.release is {spec.release!r}: {error}") from None
    # Before the first resource: a port that somebody else holds must not leave half a service behind.
    run = local / "run" / pulumi.get_stack()
    if problem := port_problem(where.port, run_folder(run, spec.name, where.port)):
        raise pulumi.RunError(problem)
    store = ModelStore(f"{spec.name}-store", ModelStoreArgs(release=release, folder=local / "store"))
    alerts = local / "monitor" / pulumi.get_stack() / ALERTMANAGER_URL_FILE  # `make monitor` makes it, later
    service = ModelService(
        spec.name,
        ModelServiceArgs(
            model_uri=store.uri,
            model=release.model,
            port=where.port,
            run_folder=run,
            root=root,
            settings={contracts.ALERTS_URL_FILE: str(alerts)},
        ),
    )
    return {
        "url": service.url,
        "invoke": service.invoke,
        "release": store.reference,
        "digest": store.digest,
        "log_file": service.log_file,
    }
