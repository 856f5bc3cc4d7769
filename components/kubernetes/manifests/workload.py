"""The service itself: Deployment, Service, disruption budget, autoscaler."""

from __future__ import annotations

import hashlib
import json
import shlex
from typing import Any

from components.kubernetes.args import SERVICE_PORT, START_SECONDS, SURGE, ModelServiceArgs
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
from components.kubernetes.runtimes import (
    CONFIG_FOLDER,
    MODELS_FOLDER,
    SCRATCH_FOLDER,
    TOKEN_FOLDER,
    TOKEN_KEY,
    Server,
    server,
    termination_seconds,
)
from spec import server_metrics

#: The image's own user; the other runtimes' images run as any.
USER = 10001
#: Seconds between two looks of a probe.
_STARTUP_PERIOD, _READY_PERIOD, _LIVE_PERIOD = 5, 5, 10
#: What the autoscaler follows, as the Prometheus adapter's default configuration names it: a counter's rate loses its
#: `_total` (https://github.com/kubernetes-sigs/prometheus-adapter/blob/master/docs/config.md).
POD_METRICS = {
    "concurrency": server_metrics.QUEUE_DEPTH,
    "requests_per_second": server_metrics.REQUESTS_TOTAL.removesuffix("_total"),
}


def deployment(args: ModelServiceArgs) -> Manifest:
    """The pods. A new one is ready before an old one ends."""
    runs = server(args)
    pod_labels = {**labels(args), **args.identity.pod_labels}
    template: dict[str, Any] = {"metadata": {"labels": pod_labels}, "spec": _pod(args, runs)}
    if runs.files:
        # Pods do not notice another ConfigMap by themselves.
        digest = hashlib.sha256(json.dumps(dict(runs.files), sort_keys=True).encode()).hexdigest()
        template["metadata"]["annotations"] = {"cloud-ml-deployment/config": digest[:16]}
    spec: dict[str, Any] = {
        # Where an autoscaler sets the number, a number here would undo it with every `up`.
        **({} if _scales(args) else {"replicas": args.replicas.min}),
        "revisionHistoryLimit": 5,
        "progressDeadlineSeconds": START_SECONDS + 300,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": SURGE}},
        "selector": {"matchLabels": selector(args)},
        "template": template,
    }
    return manifest(args, "apps/v1", "Deployment", spec=spec)


def _pod(args: ModelServiceArgs, runs: Server) -> dict[str, Any]:
    pod: dict[str, Any] = {
        "serviceAccountName": args.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": termination_seconds(),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "nodeSelector": {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", **args.node_selector},
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": key,
                # Of a cluster with one zone or one node nobody is asked for more.
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": selector(args)},
                "matchLabelKeys": ["pod-template-hash"],
            }
            for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
        ],
        "containers": [_container(args, runs)],
        "volumes": _volumes(args, runs),
    }
    if runs.fetch is not None:
        pod["initContainers"] = [_fetching(args, runs)]
    if args.pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in args.pull_secrets]
    return pod


def _container(args: ModelServiceArgs, runs: Server) -> dict[str, Any]:
    ports = [{"name": "http", "containerPort": runs.port, "protocol": "TCP"}]
    if runs.metrics_port is not None:
        ports.append({"name": "metrics", "containerPort": runs.metrics_port, "protocol": "TCP"})
    container: dict[str, Any] = {
        "name": "server",
        "image": runs.image,
        "imagePullPolicy": "IfNotPresent",
        **({"command": list(runs.command)} if runs.command else {}),
        **({"args": list(runs.args)} if runs.args else {}),
        "ports": ports,
        "env": _env({**runs.env} if runs.fetch else {**runs.env, **args.store.settings}),
        **({} if runs.fetch else _from_secret(args)),
        "resources": _resources(args),
        "securityContext": _secured(),
        # The release is fetched and tried before the server is ready; until then nothing kills it.
        "startupProbe": _probe(runs.ready, _STARTUP_PERIOD, START_SECONDS // _STARTUP_PERIOD),
        "readinessProbe": _probe(runs.ready, _READY_PERIOD, 2),
        "livenessProbe": _probe(runs.live, _LIVE_PERIOD, 3),
        "volumeMounts": _mounts(args, runs),
    }
    if runs.pre_stop_seconds is not None:
        container["lifecycle"] = {"preStop": _pre_stop(runs.pre_stop_seconds, runs.stop)}
    return container


def _pre_stop(seconds: int, stop: tuple[str, ...] | None) -> dict[str, Any]:
    if stop is None:
        return {"sleep": {"seconds": seconds}}
    return {"exec": {"command": ["/bin/sh", "-c", f"sleep {seconds}; exec {shlex.join(stop)}"]}}


def _fetching(args: ModelServiceArgs, runs: Server) -> dict[str, Any]:
    """Fetches the release, holds its files against their hashes, and lays the runtime's part of it where that looks."""
    destination = f"{MODELS_FOLDER}/{runs.below}".rstrip("/")
    return {
        "name": "release",
        "image": args.image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["fetch", args.served.uri, runs.fetch, destination],
        "env": _env(args.store.settings),
        **_from_secret(args),
        "resources": _resources(args),
        "securityContext": _secured(),
        "volumeMounts": [
            {"name": "scratch", "mountPath": SCRATCH_FOLDER},
            {"name": "models", "mountPath": MODELS_FOLDER},
        ],
    }


def _env(variables: Any) -> list[dict[str, Any]]:
    return [{"name": name, "value": variables[name]} for name in sorted(variables)]


def _from_secret(args: ModelServiceArgs) -> dict[str, Any]:
    return {"envFrom": [{"secretRef": {"name": args.store.secret}}]} if args.store.secret else {}


def _resources(args: ModelServiceArgs) -> dict[str, Any]:
    size = {
        "cpu": cpu(args.size.cpu),
        "memory": mib(args.size.memory_mib),
        "ephemeral-storage": mib(args.size.scratch_mib),
    }
    return {"requests": size, "limits": dict(size)}


def _secured() -> dict[str, Any]:
    return {
        "privileged": False,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _probe(path: str, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "http", "scheme": "HTTP"},
        "periodSeconds": period,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
        "successThreshold": 1,
    }


def _mounts(args: ModelServiceArgs, runs: Server) -> list[dict[str, Any]]:
    mounts: list[dict[str, Any]] = [{"name": "scratch", "mountPath": SCRATCH_FOLDER}]
    if runs.files:
        mounts.append({"name": "config", "mountPath": CONFIG_FOLDER, "readOnly": True})
    if runs.fetch is not None:
        mounts.append({"name": "models", "mountPath": MODELS_FOLDER, "readOnly": True})
    if args.needs_token:
        mounts.append({"name": "token", "mountPath": TOKEN_FOLDER, "readOnly": True})
    return mounts


def _volumes(args: ModelServiceArgs, runs: Server) -> list[dict[str, Any]]:
    scratch = mib(args.size.scratch_mib)
    volumes: list[dict[str, Any]] = [{"name": "scratch", "emptyDir": {"sizeLimit": scratch}}]
    if runs.files:
        volumes.append({"name": "config", "configMap": {"name": config_map(args), "defaultMode": 0o440}})
    if runs.fetch is not None:
        volumes.append({"name": "models", "emptyDir": {"sizeLimit": scratch}})
    if args.needs_token:
        items = [{"key": TOKEN_KEY, "path": TOKEN_KEY}]
        secret = {"secretName": token_secret(args), "defaultMode": 0o440, "items": items}
        volumes.append({"name": "token", "secret": secret})
    return volumes


def service(args: ModelServiceArgs) -> Manifest:
    """An address inside the cluster; outside it nobody knows it."""
    ports = [{"name": "http", "port": SERVICE_PORT, "targetPort": "http", "protocol": "TCP"}]
    return manifest(args, "v1", "Service", spec={"type": "ClusterIP", "selector": selector(args), "ports": ports})


def disruption_budget(args: ModelServiceArgs) -> Manifest:
    """Nodes are emptied one pod at a time. A least number would never let the only pod of a service go."""
    spec = {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": selector(args)},
    }
    return manifest(args, "policy/v1", "PodDisruptionBudget", spec=spec)


def _scales(args: ModelServiceArgs) -> bool:
    return args.replicas.max > args.replicas.min


def autoscaler(args: ModelServiceArgs) -> list[Manifest]:
    """More pods while there is more to do; none where the least and the most are the same."""
    if not _scales(args):
        return []
    replicas = args.replicas
    metric: dict[str, Any]
    if replicas.metric == "cpu":
        target = {"type": "Utilization", "averageUtilization": round(replicas.target)}
        metric = {"type": "Resource", "resource": {"name": "cpu", "target": target}}
    else:
        thousandths = round(replicas.target * 1000)
        value = str(thousandths // 1000) if thousandths % 1000 == 0 else f"{thousandths}m"
        metric = {
            "type": "Pods",
            "pods": {
                "metric": {"name": POD_METRICS[replicas.metric]},
                "target": {"type": "AverageValue", "averageValue": value},
            },
        }
    behavior = {
        # A pod that starts uses CPU and answers nothing: what it causes must not start the next one.
        "scaleUp": {
            "stabilizationWindowSeconds": 60,
            "selectPolicy": "Max",
            "policies": [
                {"type": "Percent", "value": 100, "periodSeconds": 60},
                {"type": "Pods", "value": 2, "periodSeconds": 60},
            ],
        },
        # A pod that is gone takes a while to come back.
        "scaleDown": {
            "stabilizationWindowSeconds": 300,
            "selectPolicy": "Min",
            "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
        },
    }
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": args.name},
        "minReplicas": replicas.min,
        "maxReplicas": replicas.max,
        "metrics": [metric],
        "behavior": behavior,
    }
    return [manifest(args, "autoscaling/v2", "HorizontalPodAutoscaler", spec=spec)]
