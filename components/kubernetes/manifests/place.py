"""Where the service runs, and what limits it there: namespace, quota, limits, network, account, configuration."""

from __future__ import annotations

from typing import Any

from components.kubernetes.args import Egress, ModelServiceArgs, Quota
from components.kubernetes.manifests.common import (
    Manifest,
    config_map,
    cpu,
    labels,
    manifest,
    mib,
    selector,
    token_secret,
)
from components.kubernetes.runtimes import TOKEN_KEY, Server, server

#: https://kubernetes.io/docs/concepts/security/pod-security-standards/
_POD_SECURITY = "restricted"
#: The least that a container may ask for.
_LEAST_CPU, _LEAST_MIB = 0.01, 16
#: The pod that answers an HTTP-01 challenge: what cert-manager gives it, and where it listens
#: (https://cert-manager.io/docs/configuration/acme/http01/, cert-manager's flags --acme-http01-solver-resource-…).
_SOLVER_CPU, _SOLVER_MIB, _SOLVER_PORT = 0.1, 64, 8089


def namespace(args: ModelServiceArgs) -> Manifest:
    """The service's own namespace: the API server refuses every pod there that could get at the node."""
    security = {
        f"pod-security.kubernetes.io/{mode}{suffix}": value
        for mode in ("enforce", "audit", "warn")
        for suffix, value in (("", _POD_SECURITY), ("-version", "latest"))
    }
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": args.namespace, "labels": {**labels(args), **security}},
    }


def quota(args: ModelServiceArgs) -> Manifest:
    """What all pods together may ask for: the given quota, or just what the most pods need.

    Load balancers, node ports and volumes cost money or open a way in, and the service uses none, but for the node port
    that cert-manager opens while it shows that the domain is ours.
    """
    size, pods = args.size, args.most_pods
    most = args.quota or Quota(size.cpu * pods, size.memory_mib * pods)
    if _answers_challenges(args):
        pods += 1
        most = args.quota or Quota(most.cpu + _SOLVER_CPU, most.memory_mib + _SOLVER_MIB)
    scratch = mib(size.scratch_mib * pods)
    hard = {
        "requests.cpu": cpu(most.cpu),
        "limits.cpu": cpu(most.cpu),
        "requests.memory": mib(most.memory_mib),
        "limits.memory": mib(most.memory_mib),
        "requests.ephemeral-storage": scratch,
        "limits.ephemeral-storage": scratch,
        "pods": str(pods),
        "services.loadbalancers": "0",
        "services.nodeports": "1" if _answers_challenges(args) else "0",
        "persistentvolumeclaims": "0",
    }
    return manifest(args, "v1", "ResourceQuota", spec={"hard": hard})


def limits(args: ModelServiceArgs) -> Manifest:
    """What one container may ask for, and gets where it does not say."""
    size = {"cpu": cpu(args.size.cpu), "memory": mib(args.size.memory_mib)}
    scratch = {"ephemeral-storage": mib(args.size.scratch_mib)}
    least = {
        "cpu": cpu(min(_LEAST_CPU, args.size.cpu)),
        "memory": mib(min(_LEAST_MIB, args.size.memory_mib)),
    }
    one = {
        "type": "Container",
        "default": {**size, **scratch},
        "defaultRequest": {**size, **scratch},
        "max": {**size, **scratch},
        "min": least,
    }
    return manifest(args, "v1", "LimitRange", spec={"limits": [one]})


def deny_all(args: ModelServiceArgs) -> Manifest:
    """Nothing in the namespace talks to anybody; what `allow` adds is all there is."""
    return manifest(
        args,
        "networking.k8s.io/v1",
        "NetworkPolicy",
        name=f"{args.name}-deny",
        spec={"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    )


def allow(args: ModelServiceArgs) -> Manifest:
    """In: callers, the way in from outside, Prometheus. Out: DNS, the store, the identity's addresses."""
    runs = server(args)
    return manifest(
        args,
        "networking.k8s.io/v1",
        "NetworkPolicy",
        spec={
            "podSelector": {"matchLabels": selector(args)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": _ingress(args, runs),
            "egress": [
                _dns(),
                *_egress((*args.store.egress, *args.identity.egress)),
            ],
        },
    )


def allow_challenges(args: ModelServiceArgs) -> list[Manifest]:
    """In: the certificate authority, by the way in, to the pod that cert-manager runs in the namespace meanwhile."""
    public = args.public
    if public is None or not _answers_challenges(args):
        return []
    sources = [{"ipBlock": {"cidr": cidr}} for cidr in public.from_cidrs]
    if public.from_namespace is not None:
        sources.append(_namespace(public.from_namespace))
    spec = {
        "podSelector": {},  # nobody else in the namespace listens on that port
        "policyTypes": ["Ingress"],
        "ingress": [{"from": sources, "ports": [{"protocol": "TCP", "port": _SOLVER_PORT}]}],
    }
    return [manifest(args, "networking.k8s.io/v1", "NetworkPolicy", name=f"{args.name}-challenges", spec=spec)]


def _answers_challenges(args: ModelServiceArgs) -> bool:
    return args.public is not None and args.public.certificate.issuer is not None


def _ingress(args: ModelServiceArgs, runs: Server) -> list[dict[str, Any]]:
    callers = [{"podSelector": {}}, *map(_namespace, args.callers)]
    public = args.public
    if public is not None and public.from_namespace is not None:
        callers.append(_namespace(public.from_namespace))
    if public is not None:
        callers += [{"ipBlock": {"cidr": cidr}} for cidr in public.from_cidrs]
    rules = [{"from": callers, "ports": [{"protocol": "TCP", "port": runs.port}]}]
    if args.monitoring is not None:
        port = runs.metrics_port or runs.port
        rules.append({"from": [_namespace(args.monitoring.namespace)], "ports": [{"protocol": "TCP", "port": port}]})
    return rules


def _namespace(name: str) -> dict[str, Any]:
    # Every namespace carries its name as this label.
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def _dns() -> dict[str, Any]:
    ports = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    # The cache on the node, where there is one, has an address of the link.
    return {"to": [_namespace("kube-system"), {"ipBlock": {"cidr": "169.254.20.10/32"}}], "ports": ports}


def _egress(wanted: tuple[Egress, ...]) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = []
    for one in dict.fromkeys(wanted):
        block: dict[str, Any] = {"cidr": one.cidr}
        if one.except_:
            block["except"] = list(one.except_)
        rules.append({"to": [{"ipBlock": block}], "ports": [{"protocol": "TCP", "port": port} for port in one.ports]})
    return rules


def account(args: ModelServiceArgs) -> Manifest:
    """The pods' own account. It has no rights in the cluster, and its token is not mounted."""
    return manifest(
        args,
        "v1",
        "ServiceAccount",
        annotations=args.identity.annotations,
        automountServiceAccountToken=False,
    )


def configuration(args: ModelServiceArgs) -> list[Manifest]:
    """The runtime's configuration files, where it has any."""
    files = server(args).files
    return [manifest(args, "v1", "ConfigMap", name=config_map(args), data=dict(files))] if files else []


def token(args: ModelServiceArgs) -> list[Manifest]:
    """The Secret that callers' token is in, where it is given here."""
    if args.token is None:
        return []
    return [manifest(args, "v1", "Secret", name=token_secret(args), type="Opaque", stringData={TOKEN_KEY: args.token})]
