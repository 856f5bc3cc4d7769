"""The model service on a cluster, registered with Pulumi: the same on EKS, AKS, GKE and a cluster of one's own.

Owns everything in the service's namespace. Does not own the cluster, the store that releases are in, the cloud identity
that pods act as (see `identity`), DNS, nor an ingress controller, Gateway class, Prometheus operator or cert-manager.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from components.kubernetes import arithmetic, validation
from components.kubernetes.args import SERVICE_PORT, Late, ModelServiceArgs
from components.kubernetes.manifests import Manifest, manifests
from components.kubernetes.runtimes import TORCHSERVE_WARNING
from spec.errors import SpecError

#: Module of the class of each kind. What is not here is a custom resource.
_MODULES = {
    "v1": "core.v1",
    "apps/v1": "apps.v1",
    "autoscaling/v2": "autoscaling.v2",
    "networking.k8s.io/v1": "networking.v1",
    "policy/v1": "policy.v1",
}
#: Objects in the order in which they are made; each waits for all of the groups before its own. Pods must find their
#: limits, policies and account; and nothing may lead to pods that are not there.
_ORDER = (
    ("Namespace",),
    ("ResourceQuota", "LimitRange", "NetworkPolicy", "ServiceAccount", "ConfigMap", "Secret"),
    ("Deployment",),
)


class ModelService(pulumi.ComponentResource):
    """A Deployment that is ready when this resource is created, and what belongs to it.

    url: where callers reach it: `https://<domain>`, or the Service's name inside the cluster.
    invoke: how to call it: method, url, headers; where a token is asked for, `token_secret` names the Secret it is in.
    grants: what it needs from an identity; given with the store and the identity, not made here.
    namespace, service_account: for a cloud's association of an identity.
    """

    url: str
    invoke: dict[str, Any]
    grants: Sequence[Any] = ()
    namespace: pulumi.Output[str]
    service_account: str

    def __init__(self, name: str, args: ModelServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        every = checked(args)
        super().__init__("cloud-ml-deployment:kubernetes:ModelService", name, {}, opts)
        if args.runtime == "torchserve":
            pulumi.log.warn(TORCHSERVE_WARNING, self)
        made: list[list[pulumi.Resource]] = [[] for _ in range(len(_ORDER) + 1)]
        for manifest in every:
            group = next((i for i, kinds in enumerate(_ORDER) if manifest["kind"] in kinds), len(_ORDER))
            before = [resource for earlier in made[:group] for resource in earlier]
            made[group].append(self._register(name, args, manifest, before))
        self.url = url(args)
        self.invoke = invoke(args)
        # Known once the pods are ready, so that what needs the service waits for it.
        (deployment,) = made[2]
        self.namespace = pulumi.Output.all(args.namespace, deployment.urn).apply(lambda found: str(found[0]))
        self.service_account = args.name
        self.register_outputs({"url": self.url, "invoke": self.invoke, "namespace": self.namespace})

    def _register(
        self, name: str, args: ModelServiceArgs, manifest: Manifest, before: Sequence[pulumi.Resource]
    ) -> pulumi.Resource:
        kind = manifest["kind"]
        # A kind of which there are two has its own name in its logical one.
        own = str(manifest["metadata"]["name"]).removeprefix(args.name).strip("-")
        logical = "-".join(filter(None, (name, kind.lower(), own if kind == "NetworkPolicy" else "")))
        opts = pulumi.ResourceOptions(parent=self, depends_on=list(before))
        body = {key: value for key, value in manifest.items() if key not in ("apiVersion", "kind")}
        module = _MODULES.get(manifest["apiVersion"])
        if module is None:
            return CustomResource(logical, api_version=manifest["apiVersion"], kind=kind, opts=opts, **body)
        resource = getattr(importlib.import_module(f"pulumi_kubernetes.{module}"), kind)
        return resource(logical, opts=opts, **{_ARGUMENTS.get(key, key): value for key, value in body.items()})


#: Names of a manifest's top-level fields as the SDK's classes have them.
_ARGUMENTS = {
    "automountServiceAccountToken": "automount_service_account_token",
    "stringData": "string_data",
}


def checked(args: ModelServiceArgs) -> list[Manifest]:
    """All manifests, if the API knows every field and the sums are right. Raises pulumi.RunError with every problem."""
    every = manifests(args)
    found = validation.problems(every)
    if not found:  # sums are only made of what has the right form
        found = arithmetic.problems(every)
    if found:
        raise pulumi.RunError(str(SpecError(found, f"service {args.name} on Kubernetes")))
    return every


def url(args: ModelServiceArgs) -> str:
    """Base address of the service."""
    if args.public is not None:
        return f"https://{args.public.domain}"
    port = "" if SERVICE_PORT == 80 else f":{SERVICE_PORT}"
    return f"http://{args.name}.{args.namespace}.svc{port}"


def invoke(args: ModelServiceArgs) -> dict[str, Late]:
    """How to call it."""
    model, version = args.served.model, args.served.version
    path = {
        "onnx": f"/v2/models/{model}/infer",
        "tensorflow_serving": f"/v1/models/{model}/versions/{version}:predict",
        "torchserve": f"/predictions/{model}/{version}",
    }[args.runtime]
    found: dict[str, Late] = {
        "method": "POST",
        "url": f"{url(args)}{path}",
        "headers": {"content-type": "application/json"},
    }
    if args.needs_token:
        # The token itself stays out: an export that holds a secret is a secret as a whole.
        found["token_secret"] = f"{args.namespace}/{args.name}-token"
    return found
