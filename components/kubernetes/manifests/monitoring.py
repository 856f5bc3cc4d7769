"""What the Prometheus operator reads: where to fetch metrics, and which rules to evaluate."""

from __future__ import annotations

from typing import Any

from components.kubernetes.args import ModelServiceArgs, Monitoring
from components.kubernetes.manifests.common import Manifest, certificate_name, manifest, selector, token_secret
from components.kubernetes.runtimes import TOKEN_KEY, server
from spec.prometheus import INTERVAL_SECONDS, rule_file


def watched(args: ModelServiceArgs) -> list[Manifest]:
    """Nothing on a cluster without the operator; rules only for this project's server, whose metrics they read."""
    if args.monitoring is None:
        return []
    return [_pod_monitor(args), *([_rules(args, args.monitoring)] if args.runtime == "onnx" else [])]


def _pod_monitor(args: ModelServiceArgs) -> Manifest:
    runs = server(args)
    endpoint: dict[str, Any] = {
        "port": "http" if runs.metrics_port is None else "metrics",
        "path": runs.metrics_path,
        "scheme": "http",
        "interval": f"{INTERVAL_SECONDS}s",
        # The rules tell services apart by this label.
        "relabelings": [{"action": "replace", "targetLabel": "service", "replacement": args.name}],
    }
    if args.needs_token:  # metrics need it as well
        credentials = {"name": token_secret(args), "key": TOKEN_KEY}
        endpoint["authorization"] = {"type": "Bearer", "credentials": credentials}
    spec = {
        "namespaceSelector": {"matchNames": [args.namespace]},
        "selector": {"matchLabels": selector(args)},
        "podMetricsEndpoints": [endpoint],
    }
    return manifest(args, "monitoring.coreos.com/v1", "PodMonitor", spec=spec)


def _rules(args: ModelServiceArgs, monitoring: Monitoring) -> Manifest:
    by_manager = args.public is not None and args.public.certificate.issuer is not None
    spec = rule_file(
        args.name,
        monitoring.slo,
        max_replicas=args.replicas.max,
        concurrency=monitoring.concurrency,
        certificate=certificate_name(args) if by_manager else None,
        runbook_base=monitoring.runbook_base,
    )
    return manifest(args, "monitoring.coreos.com/v1", "PrometheusRule", spec=spec)
