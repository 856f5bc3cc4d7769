"""Whether the sums of a namespace add up: requests ≤ limits ≤ limit range ≤ quota, also with every replica there is.

The API server refuses a pod that does not fit, but not the Deployment or autoscaler that asks for it: the pods would be
missing on the day of the highest load. So it is added up from the manifests, before anything is registered.

The most pods at once are the autoscaler's maximum (else the Deployment's replicas) of every Deployment, the canary's
too, and what a rolling update may have on top (`maxSurge`). Pods that are ending count against a quota until they have
ended: during an update a new pod may wait for that, which is no problem. Not looked at: what others run in the
namespace, jobs, resources that a runtime class or a pod as a whole claims, whether nodes have the room.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from components.kubernetes.pod_resources import Pod, limit_range_problems
from components.kubernetes.quantities import QuantityError, quantity, written
from spec.errors import Problem, shown

Manifest = Mapping[str, Any]
#: What Kubernetes assumes of a Deployment that does not say (apps/v1 DeploymentSpec).
DEFAULT_REPLICAS, DEFAULT_SURGE = 1, "25%"
#: Names of a quota that mean the same.
_SAME = {"cpu": "requests.cpu", "memory": "requests.memory", "ephemeral-storage": "requests.ephemeral-storage"}
_COUNTED = {
    "services": "Service",
    "configmaps": "ConfigMap",
    "secrets": "Secret",
    "count/deployments.apps": "Deployment",
}


@dataclass(frozen=True)
class Workload:
    """A Deployment with its autoscaler. least, most: replicas. surge: pods on top of the most during an update."""

    manifest: Manifest
    pod: Pod
    scaler: Manifest | None
    least: int
    most: int
    surge: int

    @property
    def title(self) -> str:
        return _title(self.manifest)


def problems(manifests: Iterable[Manifest]) -> list[Problem]:
    """Everything that does not add up. The manifests must have passed `validation`; what is no known number is left
    out."""
    everything = list(manifests)
    found: list[Problem] = []
    for namespace in sorted({_namespace(one) for one in everything}):
        here = [one for one in everything if _namespace(one) == namespace]
        found += _of_namespace(here)
    return found


def workloads(manifests: Iterable[Manifest]) -> list[Workload]:
    """Every Deployment, with the limit ranges' defaults in its pods and the most replicas it may have."""
    here = list(manifests)
    ranges = [one for one in here if one["kind"] == "LimitRange"]
    found = []
    for deployment in (one for one in here if one["kind"] == "Deployment"):
        spec = deployment["spec"]
        scaler = next((one for one in here if _scales(one, deployment)), None)
        replicas = _whole(spec.get("replicas"), DEFAULT_REPLICAS)
        least = most_replicas = replicas
        if scaler is not None:
            least = _whole(scaler["spec"].get("minReplicas"), 1)
            most_replicas = max(_whole(scaler["spec"].get("maxReplicas"), 1), least)
        pod = Pod.of(spec["template"]["spec"], ranges)
        found.append(Workload(deployment, pod, scaler, least, most_replicas, surge(spec, most_replicas)))
    return found


def surge(deployment: Mapping[str, Any], replicas: int) -> int:
    """Pods beyond the replicas that a rolling update may have; a percentage is rounded up, as Kubernetes does."""
    strategy = deployment.get("strategy", {})
    if strategy.get("type") == "Recreate":
        return 0
    asked = strategy.get("rollingUpdate", {}).get("maxSurge", DEFAULT_SURGE)
    if isinstance(asked, str) and asked.endswith("%"):
        return math.ceil(Fraction(int(asked[:-1]) * replicas, 100))
    return _whole(asked, 0)


def _of_namespace(here: list[Manifest]) -> Iterator[Problem]:
    ranges = [one for one in here if one["kind"] == "LimitRange"]
    loads = workloads(here)
    for load in loads:
        yield from load.pod.problems(load.title)
        for limit_range in ranges:
            yield from limit_range_problems(load.pod, load.title, limit_range)
        yield from _scaling(load)
    for scaler in (one for one in here if one["kind"] == "HorizontalPodAutoscaler"):
        if not any(load.scaler is scaler for load in loads):
            target = scaler["spec"]["scaleTargetRef"]
            yield Problem(
                f"{_title(scaler)}: spec.scaleTargetRef",
                f"{target.get('kind')} {target.get('name')}",
                "a Deployment of these manifests that no other autoscaler scales",
                "Correct it.",
            )
    for budget in (one for one in here if one["kind"] == "PodDisruptionBudget"):
        yield from _disruption(budget, loads)
    for quota in (one for one in here if one["kind"] == "ResourceQuota"):
        yield from _quota(quota, loads, here)


def _scaling(load: Workload) -> Iterator[Problem]:
    if load.scaler is None:
        return
    title, spec = _title(load.scaler), load.scaler["spec"]
    if _whole(spec.get("minReplicas"), 1) > _whole(spec.get("maxReplicas"), 1):
        yield Problem(
            f"{title}: spec.minReplicas",
            shown(spec.get("minReplicas")),
            f"at most maxReplicas, {spec.get('maxReplicas')}",
            "Lower it, or raise maxReplicas.",
        )
    for number, metric in enumerate(spec.get("metrics", ())):
        resource = metric.get("resource", {})
        if resource.get("target", {}).get("type") == "Utilization":
            name = resource.get("name", "")
            for container in load.pod.containers:
                if name not in container.requests:
                    yield Problem(
                        f"{title}: spec.metrics[{number}]",
                        f"utilization of {name}",
                        f"requests of {name} in every container of {load.title}, which the percentage is of",
                        f"Give container {container.name} resources.requests.{name}.",
                    )


def _disruption(budget: Manifest, loads: Iterable[Workload]) -> Iterator[Problem]:
    """A budget that allows no eviction holds up every drain of a node for ever."""
    asked = budget["spec"].get("minAvailable")
    if not isinstance(asked, int) or isinstance(asked, bool):
        return
    labels = budget["spec"].get("selector", {}).get("matchLabels", {})
    chosen = [one for one in loads if labels and labels.items() <= _labels(one.manifest).items()]
    least = sum(one.least for one in chosen)
    if chosen and asked >= least:
        yield Problem(
            f"{_title(budget)}: spec.minAvailable",
            shown(asked),
            f"less than the least number of replicas, {least}, or no node could ever be drained",
            "Set maxUnavailable: 1 instead.",
        )


def _quota(quota: Manifest, loads: list[Workload], here: list[Manifest]) -> Iterator[Problem]:
    for name, value in quota["spec"].get("hard", {}).items():
        try:
            hard = quantity(value)
        except QuantityError:
            continue  # not known yet, or `validation` said it
        field = f"{_title(quota)}: spec.hard['{name}']"
        if name in _COUNTED:
            needed = Fraction(sum(one["kind"] == _COUNTED[name] for one in here))
            how = f"{needed} in these manifests"
        elif name in ("pods", "count/pods"):
            needed = Fraction(sum(load.most + load.surge for load in loads))
            how = _sum(loads)
        else:
            part, _, resource = str(_SAME.get(name, name)).partition(".")
            if part not in ("requests", "limits") or resource == "storage":  # that of claims, not of pods
                continue
            yield from _unset(quota, name, part, resource, loads)
            each = [(load, load.pod.total(part, resource)) for load in loads]
            needed = sum(((load.most + load.surge) * one for load, one in each), Fraction(0))
            how = " + ".join(
                f"({load.most} replicas + {load.surge} during an update) × {written(resource, one)} of {load.title}"
                for load, one in each
            )
        if needed > hard:
            least = written(name, needed)
            yield Problem(
                field, shown(value), f"{least} or more: {how}", f"Raise it to {least}, or lower the most replicas."
            )


def _unset(quota: Manifest, name: str, part: str, resource: str, loads: Iterable[Workload]) -> Iterator[Problem]:
    """A quota of a resource makes the API server refuse every pod that does not say how much of it it takes."""
    for load in loads:
        for container in load.pod.every:
            if resource not in (container.requests if part == "requests" else container.limits):
                yield Problem(
                    f"{load.title}: container {container.name}, resources.{part}.{resource}",
                    "not set",
                    f"a quantity, since {_title(quota)} has {name}",
                    "Set it, or give the namespace a LimitRange with a default.",
                )


def _sum(loads: Iterable[Workload]) -> str:
    return " + ".join(f"{load.most} replicas and {load.surge} during an update of {load.title}" for load in loads)


def _scales(scaler: Manifest, deployment: Manifest) -> bool:
    if scaler["kind"] != "HorizontalPodAutoscaler":
        return False
    target = scaler["spec"]["scaleTargetRef"]
    return target.get("kind") == "Deployment" and target.get("name") == deployment["metadata"].get("name")


def _namespace(manifest: Manifest) -> str:
    return str(manifest.get("metadata", {}).get("namespace", ""))


def _labels(deployment: Manifest) -> Mapping[str, Any]:
    return deployment["spec"]["template"].get("metadata", {}).get("labels", {})


def _title(manifest: Manifest) -> str:
    return f"{manifest['kind']} {manifest['metadata'].get('name')}"


def _whole(value: Any, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else default
