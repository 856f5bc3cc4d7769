"""The service on this machine: release store, then server process or container; or on a cluster one has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pulumi

from components.image import built
from components.local.service import ModelService, ModelServiceArgs, port_problem, run_folder
from components.local.store import ModelStore, ModelStoreArgs
from spec import contracts
from spec.prometheus import ALERTMANAGER_URL_FILE
from spec.release import Release
from spec.service import DeployTo, ServiceSpec
from stacks import local_release

#: Configuration files of the server, in the working tree; docs/server_config.md lists their fields.
LOG_CONFIG_FILE = "log_config.json"
METRICS_CONFIG_FILE = "metrics_config.yaml"


def deploy(spec: ServiceSpec, places: Sequence[DeployTo]) -> dict[str, dict[str, Any]]:
    """The service at every local place; returns what the stack exports, by place."""
    return {where.name: _one(spec, where) for where in places}


def _one(spec: ServiceSpec, where: DeployTo) -> dict[str, Any]:
    if where.target == "kubernetes":
        from stacks import local_kubernetes

        return local_kubernetes.deploy(spec, where)
    root = Path(pulumi.get_root_directory())
    release = local_release(spec.release)
    if where.target == "container":
        return _container(spec, where, root, release)
    canary = local_release(spec.canary.release, "canary.release") if spec.canary else None
    if spec.canary is not None and canary is not None and canary.version == release.version:
        raise pulumi.RunError(
            f"service.canary.release is {spec.canary.release!r}, which is {canary.model}@{canary.version}, and so is "
            "service.release; allowed is another release: name one, or remove canary"
        )
    # Before the first resource: a port that somebody else holds must not leave half a service behind.
    run = root / ".local" / "run" / pulumi.get_stack()
    if problem := port_problem(where.port, run_folder(run, spec.name, where.port)):
        raise pulumi.RunError(problem)
    store = _store(f"{spec.name}-store", root, release)
    alerts = root / ".local" / "monitor" / pulumi.get_stack() / ALERTMANAGER_URL_FILE  # `make monitor` makes it, later
    canary_store = _store(f"{spec.name}-canary-store", root, canary, kind="canary-store") if canary else None
    service = ModelService(
        spec.name,
        ModelServiceArgs(
            model_uri=store.uri,
            model=release.model,
            port=where.port,
            run_folder=run,
            data_folder=root / ".local" / "data" / pulumi.get_stack() / spec.name,
            root=root,
            canary_uri=canary_store.uri if canary_store else None,
            canary_percent=spec.canary.percent if spec.canary else 0,
            capture_percent=spec.capture.percent if spec.capture else None,
            capture_retention_days=spec.capture.retention_days if spec.capture else 30,
            # A level that nobody asked for is left to log_config.json.
            log_level=spec.logging.level if "level" in spec.logging.model_fields_set else None,
            log_retention_days=spec.logging.retention_days,
            token=spec.access.auth_on(where.cloud) == "token",
            log_config=_if_there(root / LOG_CONFIG_FILE),
            metrics_config=_if_there(root / METRICS_CONFIG_FILE),
            keep_data=spec.protect,
            settings={contracts.ALERTS_URL_FILE: str(alerts)},
        ),
    )
    exports: dict[str, Any] = {
        "url": service.url,
        "invoke": service.invoke,
        "release": store.reference,
        "digest": store.digest,
        "log_file": service.log_file,
    }
    if canary_store is not None:
        exports["canary"] = canary_store.reference
    if service.capture_folder is not None:
        exports["capture_folder"] = service.capture_folder
    return exports


def _container(spec: ServiceSpec, where: DeployTo, root: Path, release: Release) -> dict[str, Any]:
    """The service as a container of the image."""
    from components.local import container_service as service

    image, archive = _image(spec, root)
    stack = pulumi.get_stack()
    problem = service.memory_problem(spec.resources.memory_gib, release.path) or service.problem(
        stack, root, spec.name, where.port
    )
    if problem:
        raise pulumi.RunError(problem)
    store = _store(f"{spec.name}-store", root, release)
    made = service.ContainerService(
        spec.name,
        service.ContainerServiceArgs(
            image=image,
            archive=archive,
            model_uri=store.uri,
            model=release.model,
            port=where.port,
            stack=stack,
            root=root,
            cpu=spec.resources.cpu,
            memory_gib=spec.resources.memory_gib,
        ),
    )
    return {
        "url": made.url,
        "invoke": made.invoke,
        "release": store.reference,
        "digest": store.digest,
        "image": image,
        "log_command": made.container.apply(lambda name: f"docker logs {name}"),
    }


def _image(spec: ServiceSpec, root: Path) -> tuple[str, Path | None]:
    """What the container engine shall run, and the archive that holds it where this tree built it."""
    if spec.image.ref is not None:
        return spec.image.ref, None
    found = built.last_built(root)
    if found is None or found.sources != built.source_digest(root):
        what = "none was built in this tree" if found is None else "the tree is not what its last image was built from"
        raise pulumi.RunError(
            f"service.image.build is true, and {what}: run `make image`, or give one built elsewhere with "
            "image.ref: …@sha256:…"
        )
    return found.id, found.archive


def _store(name: str, root: Path, release: Release, kind: str = "store") -> ModelStore:
    """Each stack has copies of its own: what one removes must not be what another serves.

    kind: so has a canary: were both copies in one folder, promoting it would delete what is served from then on.
    """
    return ModelStore(name, ModelStoreArgs(release=release, folder=root / ".local" / kind / pulumi.get_stack()))


def _if_there(file: Path) -> Path | None:
    return file if file.exists() else None
