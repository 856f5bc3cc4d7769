"""What all manifests share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from components.kubernetes.args import ModelServiceArgs

Manifest: TypeAlias = dict[str, Any]


def selector(args: ModelServiceArgs) -> dict[str, str]:
    """Labels that find the service's pods; a Deployment's can never be changed."""
    return {"app.kubernetes.io/name": args.name}


def labels(args: ModelServiceArgs) -> dict[str, str]:
    """Labels of every object."""
    return {
        **args.labels,
        **selector(args),
        "app.kubernetes.io/component": "model-server",
        "app.kubernetes.io/managed-by": "cloud-ml-deployment",
    }


def manifest(
    args: ModelServiceArgs,
    api_version: str,
    kind: str,
    *,
    name: str | None = None,
    annotations: Mapping[str, Any] | None = None,
    **body: Any,
) -> Manifest:
    """An object in the service's namespace, with its labels. name: the service's unless given."""
    metadata: dict[str, Any] = {"name": name or args.name, "namespace": args.namespace, "labels": labels(args)}
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}


def cpu(cores: float) -> str:
    """A quantity: 1 -> `1`, 0.5 -> `500m`; the least that Kubernetes knows is a thousandth."""
    thousandths = round(cores * 1000)
    return str(thousandths // 1000) if thousandths % 1000 == 0 else f"{thousandths}m"


def mib(amount: int) -> str:
    """A quantity: 512 -> `512Mi`, 2048 -> `2Gi`."""
    return f"{amount // 1024}Gi" if amount % 1024 == 0 else f"{amount}Mi"


def certificate_name(args: ModelServiceArgs) -> str:
    """Name of cert-manager's Certificate."""
    return args.name


def token_secret(args: ModelServiceArgs) -> str:
    """Name of the Secret that holds the token."""
    return f"{args.name}-token"


def config_map(args: ModelServiceArgs) -> str:
    """Name of the ConfigMap with the runtime's files."""
    return f"{args.name}-config"
