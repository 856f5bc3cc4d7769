"""Where a service runs: cloud, target, network, cluster."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from spec.errors import FieldError, one_of
from spec.section import Section
from spec.targets import KUBERNETES_TARGETS, TARGETS, Cloud, Target, default_target

#: How each cloud writes a region.
REGIONS: dict[Cloud, tuple[str, str]] = {
    "aws": (r"[a-z]{2}(-[a-z]+)+-\d", "eu-central-1"),
    "azure": (r"[a-z]+\d?", "westeurope"),
    "gcp": (r"[a-z]+-[a-z]+\d+", "europe-west1"),
}

#: Name of an object of Kubernetes.
Label = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$")]


class Network(Section):
    """An existing network to run in."""

    vpc_id: str = Field(
        min_length=1, description="Id of the existing network (VPC, virtual network) in the cloud's own form."
    )
    subnet_ids: tuple[str, ...] = Field(min_length=1, description="Ids of the subnets in that network, at least one.")


class Quota(Section):
    """The most that all pods of the service may ask for together."""

    cpu: float = Field(gt=0, le=100_000, description="CPUs of all pods together, in cores.")
    memory_gib: float = Field(gt=0, le=1_000_000, description="Memory of all pods together, in GiB.")


class Cluster(Section):
    """A Kubernetes cluster: how to reach it, and which optional APIs it has."""

    kubeconfig: str | None = Field(
        default=None, min_length=1, description="File that says how to reach the cluster. Default: as kubectl finds it."
    )
    context: str | None = Field(
        default=None, min_length=1, description="Context in that file. Default: its current one."
    )
    models: str | None = Field(
        default=None,
        pattern=r"^(s3|gs|az)://[^\s/?#]+(/[^\s/?#]+)*$",
        description="Store of published releases that pods reach: s3://bucket/models, gs://… or az://account/container/….",
    )
    store_secret: Label | None = Field(
        default=None, description="Secret in the service's namespace with the store's credentials, as variables."
    )
    store_endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/@:]+(:\d{1,5})?$",
        description="Where the store answers, if not at its cloud's own address: http(s)://host:port.",
    )
    quota: Quota | None = Field(default=None, description="The most that pods may ask for. Default: what they need.")
    custom_metrics: bool = Field(
        default=False, description="The cluster serves pods' metrics to autoscalers (Prometheus adapter)."
    )
    prometheus_operator: bool = Field(default=False, description="The cluster has the Prometheus operator's resources.")
    monitoring_namespace: Label = Field(default="monitoring", description="Namespace of the operator's Prometheus.")
    gateway_api: bool = Field(default=False, description="The cluster has the Gateway API; else an Ingress is made.")
    gateway_class: Label | None = Field(default=None, description="GatewayClass of the Gateway that is made.")
    ingress_class: Label | None = Field(default=None, description="IngressClass. Default: the cluster's default one.")
    ingress_namespace: Label | None = Field(
        default=None, description="Namespace of the pods that let callers in: ingress controller or gateway."
    )
    cert_manager: bool = Field(default=False, description="The cluster has cert-manager, which issues the certificate.")
    issuer: Label | None = Field(default=None, description="ClusterIssuer of cert-manager that signs the certificate.")
    tls_secret: Label | None = Field(
        default=None, description="Secret in the service's namespace with a certificate that somebody else renews."
    )
    keda: bool = Field(default=False, description="The cluster has KEDA, which scale_to_zero needs.")

    @model_validator(mode="after")
    def _only_what_is_there(self) -> Cluster:
        for field, needs in (
            ("gateway_class", "gateway_api"),
            ("issuer", "cert_manager"),
            ("monitoring_namespace", "prometheus_operator"),
        ):
            if field in self.model_fields_set and getattr(self, field) is not None and not getattr(self, needs):
                raise FieldError(
                    (field,),
                    getattr(self, field),
                    f"nothing on a cluster without it: {needs} is false",
                    f"Set {needs}: true if the cluster has it, or remove {field}.",
                )
        if self.issuer is not None and self.tls_secret is not None:
            raise FieldError(
                ("tls_secret",), self.tls_secret, "nothing beside issuer, which fills a Secret", "Remove one of them."
            )
        return self


class DeployTo(Section):
    """One place where the service runs."""

    cloud: Cloud = Field(description="Whose machines: aws, azure, gcp, or local for this one.")
    target: Target = Field(
        default_factory=lambda data: default_target(data.get("cloud", "")),
        description="The product that runs the service. Default: sagemaker, ml, vertex or process, after the cloud.",
    )
    region: str | None = Field(default=None, description="Region in the cloud's own form. Required on a cloud.")
    port: int = Field(
        default=8080, ge=1024, le=65535, description="TCP port on the loopback address; cloud local only."
    )
    instance_type: str | None = Field(
        default=None,
        min_length=1,
        description="Machine type in the cloud's own form. Default: smallest that holds resources.",
    )
    network: Network | None = Field(default=None, description="Existing network to run in. Default: one is made.")
    cluster: Cluster | None = Field(
        default=None, description="What the Kubernetes cluster offers; Kubernetes targets only."
    )

    @property
    def name(self) -> str:
        """Unique within a service: `local-process`, `aws-lambda-eu-central-1`."""
        return "-".join(filter(None, (self.cloud, self.target.replace("_", "-"), self.region)))

    @property
    def listens_here(self) -> bool:
        """Whether the server takes a port of this machine."""
        return self.cloud == "local" and self.target not in KUBERNETES_TARGETS

    @model_validator(mode="after")
    def _belongs_together(self) -> DeployTo:
        allowed = TARGETS[self.cloud]
        if self.target not in allowed:
            owner = next(cloud for cloud, targets in TARGETS.items() if self.target in targets)
            raise FieldError(
                ("target",),
                self.target,
                f"{one_of(allowed)} on cloud {self.cloud}",
                f"Take one of these, or set cloud: {owner}.",
            )
        if self.cloud == "local":
            return self
        pattern, example = REGIONS[self.cloud]
        if self.region is None or not re.fullmatch(pattern, self.region):
            raise FieldError(
                ("region",), self.region, f"a region of {self.cloud}, such as {example}", f"Write region: {example}."
            )
        if "port" in self.model_fields_set:
            raise FieldError(
                ("port",),
                self.port,
                "nothing on a cloud: clients reach it at HTTPS port 443",
                "Remove port, or set cloud: local.",
            )
        if self.cluster is not None and self.target not in KUBERNETES_TARGETS:
            raise FieldError(
                ("cluster",),
                self.cluster.model_dump(exclude_unset=True),
                f"nothing on target {self.target}: only {one_of(sorted(KUBERNETES_TARGETS))} run on a cluster",
                "Remove cluster, or choose such a target.",
            )
        return self
