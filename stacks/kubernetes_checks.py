"""What a cluster cannot do with a service description, beside what the spec and its capability table see.

Registers nothing. Every rule stands for pods that would never start, or for a value that would be ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from components.kubernetes.runtimes import RELEASE_FOLDERS
from spec.errors import ROOT, Problem, near, one_of, path, shown
from spec.places import Cluster
from spec.release import Release
from spec.service import DeployTo, ServiceSpec
from stacks.kubernetes_args import follows, namespace, size_mib

#: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ and …/labels/
_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LABEL_KEY = re.compile(r"[a-z]([a-z0-9_-]{0,61}[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
#: What the server takes before any release, in MiB, and how often a release is in memory while it is loaded
#: (docs/image.md).
SERVER_MIB, COPIES = 110, 2


def problems(spec: ServiceSpec, index: int, stack: str) -> list[Problem]:
    """Everything that can be said without a release, in the order of the description. index: of the place."""
    where = spec.deploy_to[index]
    cluster = where.cluster or Cluster()
    at = ("deploy_to", index, "cluster")
    return [
        *_names(spec, where, index, stack),
        *_store(cluster, at),
        *_context(cluster, at),
        *_image(spec),
        *_scaling(spec, cluster, at),
        *_other_runtime(spec),
        *_objectives(spec, cluster, at),
        *_access(spec, cluster, at),
    ]


def release_problems(spec: ServiceSpec, release: Release, canary: Release | None) -> list[Problem]:
    """What the releases' own files say."""
    found: list[Problem] = []
    if spec.canary is not None and canary == release:
        what = f"{shown(spec.canary.release)}, which is {canary}, and so is {ROOT}.release"
        found.append(Problem(path(("canary", "release")), what, "another release", "Name one, or remove canary."))
    least = SERVER_MIB + COPIES * size_mib(release, canary)
    if spec.resources.memory_gib * 1024 < least:
        found.append(
            Problem(
                path(("resources", "memory_gib")),
                shown(spec.resources.memory_gib),
                f"{least / 1024:.2f} or more: {SERVER_MIB} MiB for the server, and the files of what it serves "
                f"{COPIES} times while they are loaded",
                "Raise it, or serve a smaller release.",
            )
        )
    if (folder := RELEASE_FOLDERS.get(spec.runtime)) and not (release.path / folder).is_dir():
        trainer = {"tensorflow_serving": "cnn", "torchserve": "torch"}[spec.runtime]
        found.append(
            Problem(
                path(("runtime",)),
                shown(spec.runtime),
                f"runtime onnx for {release}, which has no folder {folder}",
                f"Train a release with it (`python -m training train --trainer {trainer} --extra {spec.runtime}`), "
                "or remove runtime.",
            )
        )
    return found


def _names(spec: ServiceSpec, where: DeployTo, index: int, stack: str) -> Iterator[Problem]:
    name = namespace(spec, stack)
    if not _DNS_LABEL.fullmatch(name):
        yield Problem(
            "the stack's name",
            shown(stack),
            f"lower-case letters, digits and hyphens between them, at most {63 - len(spec.name) - 1} characters beside "
            f"{ROOT}.name {shown(spec.name)}, since the namespace is named {shown(name)}",
            "Make a stack with such a name, or shorten the service's.",
        )
    for key, value in spec.tags.items():
        if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            yield Problem(
                path(("tags", key)),
                shown(value),
                "on Kubernetes a key and a value that end with a letter or a digit, the value beginning with one too",
                "Rename it.",
            )
    if where.instance_type is not None and not _LABEL_VALUE.fullmatch(where.instance_type):
        yield Problem(
            path(("deploy_to", index, "instance_type")),
            shown(where.instance_type),
            "the value of a label: letters, digits, '-', '_' and '.', at most 63",
            "Take one that `kubectl get nodes -L node.kubernetes.io/instance-type` shows.",
        )


def _store(cluster: Cluster, at: tuple[Any, ...]) -> Iterator[Problem]:
    if cluster.models is None:
        yield Problem(
            path((*at, "models")),
            "not set",
            "the store that releases are published to and that pods reach: s3://…, gs://… or az://…",
            "Run `python -m training publish <release> --store <URI>`, and name that URI.",
        )
    elif cluster.models.startswith("az://") and cluster.models.count("/") < 3:  # account, then container
        yield Problem(path((*at, "models")), shown(cluster.models), "az://account/container", "Add the container.")


def _context(cluster: Cluster, at: tuple[Any, ...]) -> Iterator[Problem]:
    """The provider finds out in an `up` only. A file that is not on this machine may be on the one that deploys."""
    if cluster.context is None or cluster.kubeconfig is None:
        return
    try:
        found = yaml.safe_load(Path(cluster.kubeconfig).expanduser().read_text())
        contexts = [str(one["name"]) for one in found["contexts"]]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return
    if cluster.context not in contexts:
        meant = near(cluster.context, contexts)
        yield Problem(
            path((*at, "context")),
            shown(cluster.context),
            f"a context of {cluster.kubeconfig}: {one_of(contexts)}",
            f"Did you mean {meant}?" if meant else "Name one of them.",
        )


def _image(spec: ServiceSpec) -> Iterator[Problem]:
    if spec.image.ref is None:
        yield Problem(
            path(("image",)),
            "to be built",
            "image.ref, in a registry that the cluster's nodes pull from",
            "Run `make image` with --push, and name the digest that it prints.",
        )
    if spec.runtime != "onnx" and spec.image.runtime_ref is None:
        name = {"tensorflow_serving": "tensorflow/serving", "torchserve": "pytorch/torchserve"}[spec.runtime]
        yield Problem(
            path(("image", "runtime_ref")),
            "not set",
            f"with runtime {spec.runtime} the image of its server, by digest: docker.io/{name}@sha256:…",
            f"Find the digest with `docker buildx imagetools inspect {name}:<version>`.",
        )


def _scaling(spec: ServiceSpec, cluster: Cluster, at: tuple[Any, ...]) -> Iterator[Problem]:
    asked = {"metric", "target"} & spec.scaling.model_fields_set
    metric, _ = follows(spec, cluster)
    field = path(("scaling", "metric"))
    if asked and spec.scaling.max == spec.scaling.min:
        first = "metric" if "metric" in asked else "target"
        yield Problem(
            path(("scaling", first)),
            shown(getattr(spec.scaling, first)),
            f"nothing on target kubernetes while min and max are both {spec.scaling.max}: nothing scales",
            "Raise max, or remove it.",
        )
    if metric != "cpu" and not cluster.custom_metrics:
        yield Problem(
            field,
            shown(metric) if "metric" in asked else f"{shown(metric)}, the default, with a target",
            f"'cpu' on a cluster that has no custom metrics: {path((*at, 'custom_metrics'))} is false",
            "Set metric: cpu, or custom_metrics: true if the cluster has the Prometheus adapter.",
        )
    elif metric != "cpu" and spec.runtime != "onnx":
        yield Problem(
            field, shown(metric), f"'cpu' with runtime {spec.runtime}, which measures itself otherwise", "Set cpu."
        )


def _other_runtime(spec: ServiceSpec) -> Iterator[Problem]:
    if spec.runtime == "onnx":
        return
    for parts, value, there in (
        (("canary",), spec.canary and spec.canary.release, spec.canary is not None),
        (("slo",), "set", spec.slo is not None),
        (("access", "auth"), spec.access.auth, spec.access.auth == "token"),
        (("logging", "level"), spec.logging.level, "level" in spec.logging.model_fields_set),
    ):
        if there:
            yield Problem(
                path(parts),
                shown(value),
                f"nothing with runtime {spec.runtime}: only this project's own server does that",
                "Remove it, or runtime.",
            )


def _objectives(spec: ServiceSpec, cluster: Cluster, at: tuple[Any, ...]) -> Iterator[Problem]:
    if spec.slo is not None and not cluster.prometheus_operator:
        yield Problem(
            path(("slo",)),
            "set",
            f"nothing on a cluster where nobody evaluates rules: {path((*at, 'prometheus_operator'))} is false",
            "Set prometheus_operator: true if the cluster has it, or remove slo.",
        )


def _access(spec: ServiceSpec, cluster: Cluster, at: tuple[Any, ...]) -> Iterator[Problem]:
    for index, principal in enumerate(spec.access.principals):
        if not _DNS_LABEL.fullmatch(principal):
            yield Problem(
                path(("access", "principals", index)),
                shown(principal),
                "on target kubernetes the name of a namespace whose pods may call",
                "Correct it.",
            )
    domain = path(("access", "domain"))
    if spec.access.visibility == "private":
        if spec.access.domain is not None:
            yield Problem(
                domain,
                shown(spec.access.domain),
                "nothing with visibility private: the Service's own name is used inside the cluster",
                "Set visibility: public, or remove domain.",
            )
        return
    if spec.access.domain is None:
        yield Problem(
            domain, "not set", "with visibility public a host name, which the certificate is for", "Add domain."
        )
    if spec.access.auth is None and spec.runtime == "onnx":
        yield Problem(
            path(("access", "auth")),
            "not set",
            "with visibility public 'token', or 'none' where everybody may call",
            "Set auth: token.",
        )
    if cluster.issuer is None and cluster.tls_secret is None:
        yield Problem(
            path((*at, "issuer")),
            "not set",
            "with visibility public cert-manager's ClusterIssuer, or tls_secret: a public service has TLS",
            "Set cert_manager: true and issuer, or tls_secret.",
        )
    if cluster.ingress_namespace is None:
        yield Problem(
            path((*at, "ingress_namespace")),
            "not set",
            "with visibility public the namespace of the pods that let callers in: nobody else gets to the server",
            "Add it, such as ingress-nginx.",
        )
    if cluster.gateway_api and cluster.gateway_class is None:
        yield Problem(
            path((*at, "gateway_class")),
            "not set",
            "with gateway_api a GatewayClass of the cluster (`kubectl get gatewayclass`)",
            "Add it, or set gateway_api: false for an Ingress.",
        )
    if cluster.gateway_api and cluster.ingress_class is not None:
        yield Problem(
            path((*at, "ingress_class")),
            shown(cluster.ingress_class),
            "nothing with gateway_api, which makes no Ingress",
            "Remove one of them.",
        )
