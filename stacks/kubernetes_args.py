"""What a service description asks of the model service on a cluster that one has already. Without Pulumi."""

from __future__ import annotations

import math
from urllib.parse import urlsplit

from components.kubernetes.args import (
    Canary,
    Certificate,
    Egress,
    Late,
    ModelServiceArgs,
    Monitoring,
    Public,
    Quota,
    Replicas,
    Served,
    Size,
    StoreAccess,
)
from spec import release as releases
from spec.fields import DEFAULT_SCALING_TARGET
from spec.places import Cluster
from spec.release import Release
from spec.service import DeployTo, ServiceSpec

#: What a pod takes on disk beside the release, in MiB, and how often the release is there while it is fetched and laid
#: out.
SCRATCH_MIB, SCRATCH_COPIES = 256, 3
_HTTPS, _HTTP = 443, 80
_LINK_LOCAL = "169.254.0.0/16"
#: Environment variable of a store's own address, by the scheme of its URI (`model_server.stores`).
_ENDPOINT = {"s3": "AWS_ENDPOINT_URL", "gs": "STORAGE_EMULATOR_HOST", "az": "AZURE_STORAGE_ENDPOINT"}


def namespace(spec: ServiceSpec, stack: str) -> str:
    """The service's own, so that two stacks on one cluster do not meet."""
    return f"{spec.name}-{stack}"


def uri(store: str, release: Release) -> str:
    """Where `python -m training publish` puts a release."""
    return f"{store}/{release.model}/{releases.version_folder(release.version)}"


def size_mib(*found: Release | None) -> float:
    """Of all files of releases on this machine."""
    files = [file for release in found if release for file in release.path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files) / (1 << 20)


def service_args(
    spec: ServiceSpec,
    where: DeployTo,
    stack: str,
    release: Release,
    canary: Release | None,
    *,
    token: Late | None = None,
    runbook_base: str = "",
) -> ModelServiceArgs:
    """The component's arguments. The description has passed `kubernetes_checks.problems`.

    token: what callers show; None where it is asked for: the Secret is there already.
    """
    cluster = where.cluster or Cluster()
    store = cluster.models or ""
    scratch = SCRATCH_MIB + math.ceil(SCRATCH_COPIES * size_mib(release, canary) / 64) * 64
    asks_token = spec.access.auth_on(where.cloud) == "token"
    return ModelServiceArgs(
        name=spec.name,
        namespace=namespace(spec, stack),
        image=spec.image.ref,
        served=Served(release.model, release.version, uri(store, release)),
        size=Size(spec.resources.cpu, math.ceil(spec.resources.memory_gib * 1024), scratch),
        replicas=_replicas(spec, cluster),
        canary=None
        if canary is None or spec.canary is None
        else Canary(Served(canary.model, canary.version, uri(store, canary)), spec.canary.percent),
        runtime=spec.runtime,
        runtime_image=spec.image.runtime_ref,
        store=_store(cluster),
        quota=None if cluster.quota is None else Quota(cluster.quota.cpu, math.floor(cluster.quota.memory_gib * 1024)),
        callers=spec.access.principals,
        public=_public(spec, cluster),
        monitoring=Monitoring(
            cluster.monitoring_namespace, spec.slo, DEFAULT_SCALING_TARGET["concurrency"], runbook_base
        )
        if cluster.prometheus_operator
        else None,
        log_level=spec.logging.level,
        token=token if asks_token else None,
        token_secret=asks_token and token is None,
        node_selector={"node.kubernetes.io/instance-type": where.instance_type} if where.instance_type else {},
        labels=spec.tags,
    )


def follows(spec: ServiceSpec, cluster: Cluster) -> tuple[str, float]:
    """Metric and target of the autoscaler: what was asked for, else what the cluster can measure."""
    asked = {"metric", "target"} & spec.scaling.model_fields_set
    if asked or (cluster.custom_metrics and spec.runtime == "onnx"):
        return spec.scaling.metric, spec.scaling.target
    return "cpu", DEFAULT_SCALING_TARGET["cpu"]


def _replicas(spec: ServiceSpec, cluster: Cluster) -> Replicas:
    metric, target = follows(spec, cluster)
    return Replicas(spec.scaling.min, spec.scaling.max, metric, target)  # pyright: ignore[reportArgumentType] # one of its words


def _store(cluster: Cluster) -> StoreAccess:
    if cluster.store_endpoint is None:
        return StoreAccess(cluster.store_secret)
    found = urlsplit(cluster.store_endpoint)
    scheme = urlsplit(cluster.models or "").scheme
    settings = {_ENDPOINT[scheme]: cluster.store_endpoint} if scheme in _ENDPOINT else {}
    if scheme == "s3" and found.scheme == "http":
        settings["AWS_ALLOW_HTTP"] = "true"
    port = found.port or (_HTTP if found.scheme == "http" else _HTTPS)
    return StoreAccess(cluster.store_secret, settings, (Egress("0.0.0.0/0", (port,), (_LINK_LOCAL,)),))


def _public(spec: ServiceSpec, cluster: Cluster) -> Public | None:
    if spec.access.visibility == "private":
        return None
    return Public(
        domain=spec.access.domain or "",
        way="gateway" if cluster.gateway_api else "ingress",
        certificate=Certificate(cluster.tls_secret or f"{spec.name}-tls", cluster.issuer),
        class_name=cluster.gateway_class if cluster.gateway_api else cluster.ingress_class,
        from_namespace=cluster.ingress_namespace,
    )
