"""Clouds and the products on them that can run a service."""

from __future__ import annotations

from typing import Literal

Cloud = Literal["aws", "azure", "gcp", "local"]
Target = Literal[
    "sagemaker",
    "lambda",
    "ecs",
    "eks",
    "ec2",
    "ml",
    "functions",
    "container_apps",
    "aks",
    "vm",
    "vertex",
    "cloud_functions",
    "cloud_run",
    "gke",
    "compute_engine",
    "process",
    "container",
    "kubernetes",
]

#: Targets per cloud; the first is the default.
TARGETS: dict[Cloud, tuple[Target, ...]] = {
    "aws": ("sagemaker", "lambda", "ecs", "eks", "ec2"),
    "azure": ("ml", "functions", "container_apps", "aks", "vm"),
    "gcp": ("vertex", "cloud_functions", "cloud_run", "gke", "compute_engine"),
    "local": ("process", "container", "kubernetes"),
}

#: Targets that are a Kubernetes cluster, whoever runs it.
KUBERNETES_TARGETS: frozenset[Target] = frozenset({"eks", "aks", "gke", "kubernetes"})


def default_target(cloud: str) -> Target:
    """The target where the description names none; for an unknown cloud the local one (the cloud is the error then)."""
    for known, targets in TARGETS.items():
        if known == cloud:
            return targets[0]
    return TARGETS["local"][0]
