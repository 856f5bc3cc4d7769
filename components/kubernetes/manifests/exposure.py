"""The way in from outside the cluster, by TLS only: an Ingress, or a Gateway with an HTTPRoute."""

from __future__ import annotations

from components.kubernetes.args import SERVICE_PORT, ModelServiceArgs, Public
from components.kubernetes.manifests.common import Manifest, certificate_name, manifest


def way_in(args: ModelServiceArgs) -> list[Manifest]:
    """Nothing for a private service."""
    public = args.public
    if public is None:
        return []
    return [*_certificate(args, public), *(_gateway if public.way == "gateway" else _ingress)(args, public)]


def _certificate(args: ModelServiceArgs, public: Public) -> list[Manifest]:
    """https://cert-manager.io/docs/usage/certificate/"""
    if public.certificate.issuer is None:
        return []
    spec = {
        "secretName": public.certificate.secret,
        "dnsNames": [public.domain],
        "issuerRef": {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": public.certificate.issuer},
        "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        "usages": ["digital signature", "server auth"],
    }
    return [manifest(args, "cert-manager.io/v1", "Certificate", name=certificate_name(args), spec=spec)]


def _ingress(args: ModelServiceArgs, public: Public) -> list[Manifest]:
    backend = {"service": {"name": args.name, "port": {"number": SERVICE_PORT}}}
    spec = {
        **({"ingressClassName": public.class_name} if public.class_name is not None else {}),
        "tls": [{"hosts": [public.domain], "secretName": public.certificate.secret}],
        "rules": [
            {
                "host": public.domain,
                "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]},
            }
        ],
    }
    return [manifest(args, "networking.k8s.io/v1", "Ingress", annotations=public.annotations, spec=spec)]


def _gateway(args: ModelServiceArgs, public: Public) -> list[Manifest]:
    """https://gateway-api.sigs.k8s.io/guides/tls/"""
    certificate = {"group": "", "kind": "Secret", "name": public.certificate.secret}
    listener = {
        "name": "https",
        "protocol": "HTTPS",
        "port": 443,
        "hostname": public.domain,
        "tls": {"mode": "Terminate", "certificateRefs": [certificate]},
        "allowedRoutes": {"namespaces": {"from": "Same"}},
    }
    gateway = {"gatewayClassName": public.class_name, "listeners": [listener]}
    route = {
        "parentRefs": [
            {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": args.name, "sectionName": "https"}
        ],
        "hostnames": [public.domain],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [{"group": "", "kind": "Service", "name": args.name, "port": SERVICE_PORT}],
            }
        ],
    }
    api = "gateway.networking.k8s.io/v1"
    return [
        manifest(args, api, "Gateway", annotations=public.annotations, spec=gateway),
        manifest(args, api, "HTTPRoute", spec=route),
    ]
