"""Which objects a field of the description may touch on a cluster: a table written and reviewed by hand.

The property: a changed field touches objects of the listed kinds only, and at least one. So no field is accepted and
ignored, and nobody's pods are in the way of a change of an alarm. Compared by what is asked for, under mocks; what a
change does (update, replacement) the rehearsal shows.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spec.capabilities import COLUMNS, Column, Mapped, rows
from tests.components.kubernetes.examples import TENSORFLOW_IMAGE
from tests.components.kubernetes.whole import example, whole
from tests.real_parts import ROOT

EVERYTHING = {"*"}
PODS = {"Deployment"}
SIZE = {"Deployment", "LimitRange", "ResourceQuota"}
RULES = {"PrometheusRule"}
SLO = {"availability_percent": 99.9, "latency_ms": 250}
SCALING = {"min": 2, "max": 6, "metric": "cpu"}
OTHER_IMAGE = "registry.example.com/server@sha256:" + "1" * 64
CNN = {"release": "digits_cnn@1", "slo": None, "access": {}}
TENSORFLOW = {
    **CNN,
    "runtime": "tensorflow_serving",
    "image": {"ref": OTHER_IMAGE, "runtime_ref": TENSORFLOW_IMAGE},
}
PRIVATE = {"access": {"visibility": "private", "auth": "none"}}
#: What goes with the way in: who may call, and the alarm about the certificate.
WAY_IN = {"Ingress", "Certificate", "NetworkPolicy", "ResourceQuota", "PrometheusRule"}


def cluster(**more: Any) -> dict[str, Any]:
    place = example(ROOT)["deploy_to"][0]
    kept = {key: value for key, value in {**place["cluster"], **more}.items() if value is not None}
    return {"deploy_to": [{**place, "cluster": kept}]}


def place(**more: Any) -> dict[str, Any]:
    return {"deploy_to": [{**example(ROOT)["deploy_to"][0], **more}]}


#: Field -> (how the description is before the change, how after, kinds that the change may touch).
TABLE: dict[str, tuple[dict[str, Any], dict[str, Any], set[str]] | None] = {
    "name": ({}, {"name": "letters"}, EVERYTHING),
    "release": ({}, {"release": "digits@1"}, PODS),
    "tags": ({}, {"tags": {"team": "vision"}}, EVERYTHING),
    "protect": None,  # only its default is allowed
    "deploy_to[].cloud": None,  # another cloud is another program
    "deploy_to[].target": None,  # the same
    "deploy_to[].instance_type": ({}, place(instance_type="m5.large"), PODS),
    "deploy_to[].cluster.kubeconfig": ({}, cluster(kubeconfig="/etc/kubeconfig"), {"kubernetes"}),
    "deploy_to[].cluster.context": ({}, cluster(context="production"), {"kubernetes"}),
    "deploy_to[].cluster.models": ({}, cluster(models="gs://others/models"), PODS),
    "deploy_to[].cluster.store_secret": ({}, cluster(store_secret="store"), PODS),
    "deploy_to[].cluster.store_endpoint": (
        {}, cluster(store_endpoint="http://minio.store.svc:9000"), PODS | {"NetworkPolicy"}
    ),
    "deploy_to[].cluster.quota.cpu": (
        cluster(quota={"cpu": 20, "memory_gib": 20}), cluster(quota={"cpu": 30, "memory_gib": 20}), {"ResourceQuota"}
    ),
    "deploy_to[].cluster.quota.memory_gib": (
        cluster(quota={"cpu": 20, "memory_gib": 20}), cluster(quota={"cpu": 20, "memory_gib": 30}), {"ResourceQuota"}
    ),
    "deploy_to[].cluster.custom_metrics": (
        {"scaling": {"min": 2, "max": 6}},
        {"scaling": {"min": 2, "max": 6}, **cluster(custom_metrics=True)},
        {"HorizontalPodAutoscaler"},
    ),
    "deploy_to[].cluster.prometheus_operator": (
        {"slo": None},
        {"slo": None, **cluster(prometheus_operator=False)},
        {"PodMonitor", "PrometheusRule", "NetworkPolicy"},
    ),
    "deploy_to[].cluster.monitoring_namespace": ({}, cluster(monitoring_namespace="watch"), {"NetworkPolicy"}),
    "deploy_to[].cluster.gateway_api": (
        {},
        cluster(gateway_api=True, gateway_class="istio", ingress_class=None),
        {"Ingress", "Gateway", "HTTPRoute"},
    ),
    "deploy_to[].cluster.gateway_class": (
        cluster(gateway_api=True, gateway_class="istio", ingress_class=None),
        cluster(gateway_api=True, gateway_class="cilium", ingress_class=None),
        {"Gateway"},
    ),
    "deploy_to[].cluster.ingress_class": ({}, cluster(ingress_class="traefik"), {"Ingress"}),
    "deploy_to[].cluster.ingress_namespace": ({}, cluster(ingress_namespace="traefik"), {"NetworkPolicy"}),
    "deploy_to[].cluster.cert_manager": (
        {},
        cluster(cert_manager=False, issuer=None, tls_secret="mine"),
        {"Certificate", "Ingress", "NetworkPolicy", "ResourceQuota", "PrometheusRule"},
    ),
    "deploy_to[].cluster.issuer": ({}, cluster(issuer="own-authority"), {"Certificate"}),
    "deploy_to[].cluster.tls_secret": (
        cluster(issuer=None, tls_secret="mine"), cluster(issuer=None, tls_secret="another"), {"Ingress"}
    ),
    "canary.release": (
        {"canary": {"release": "digits@1", "percent": 10}, "release": "digits@2"},
        {"release": "digits@2"},
        PODS,
    ),
    "canary.percent": (
        {"canary": {"release": "digits@1", "percent": 10}, "release": "digits@2"},
        {"canary": {"release": "digits@1", "percent": 20}, "release": "digits@2"},
        PODS,
    ),
    "image.build": None,  # only its default is allowed
    "image.ref": ({}, {"image": {"ref": OTHER_IMAGE}}, PODS),
    "image.runtime_ref": (
        TENSORFLOW, {**TENSORFLOW, "image": {"ref": OTHER_IMAGE, "runtime_ref": f"{TENSORFLOW_IMAGE[:-1]}2"}}, PODS
    ),
    "resources.cpu": ({}, {"resources": {"cpu": 2, "memory_gib": 1}}, SIZE),
    "resources.memory_gib": ({}, {"resources": {"cpu": 1, "memory_gib": 2}}, SIZE),
    "scaling.scale_to_zero": None,  # only its default is allowed
    "scaling.min": ({}, {"scaling": {**SCALING, "min": 3}}, {"HorizontalPodAutoscaler"}),
    "scaling.max": (
        {}, {"scaling": {**SCALING, "max": 7}}, {"HorizontalPodAutoscaler", "ResourceQuota", "PrometheusRule"}
    ),
    "scaling.metric": (
        cluster(custom_metrics=True),
        {**cluster(custom_metrics=True), "scaling": {**SCALING, "metric": "requests_per_second"}},
        {"HorizontalPodAutoscaler"},
    ),
    "scaling.target": ({}, {"scaling": {**SCALING, "target": 50}}, {"HorizontalPodAutoscaler"}),
    "rollout.strategy": None,  # only its default is allowed
    "rollout.rollback_on_alarm": None,  # the same
    "slo.availability_percent": ({}, {"slo": {**SLO, "availability_percent": 99}}, RULES),
    "slo.latency_ms": ({}, {"slo": {**SLO, "latency_ms": 100}}, RULES),
    "slo.latency_percentile": ({}, {"slo": {**SLO, "latency_percentile": 95}}, RULES),
    "slo.window_days": ({}, {"slo": {**SLO, "window_days": 7}}, RULES),
    "access.visibility": (
        {"access": {"visibility": "public", "domain": "digits.example.com", "auth": "none"}}, PRIVATE, WAY_IN
    ),
    "access.auth": (
        {}, {"access": {"visibility": "public", "domain": "digits.example.com", "auth": "none"}},
        {"Secret", "Deployment", "PodMonitor", "Token"},
    ),
    "access.principals": (
        {"access": {"visibility": "private"}},
        {"access": {"visibility": "private", "principals": ["shop"]}},
        {"NetworkPolicy"},
    ),
    "access.domain": (
        {},
        {"access": {"visibility": "public", "domain": "other.example.com", "auth": "token"}},
        {"Ingress", "Certificate"},
    ),
    "logging.level": ({}, {"logging": {"level": "debug"}}, PODS),
    "encryption.customer_managed_key": None,  # only its default is allowed
    "runtime": (
        {**CNN, "image": {"ref": OTHER_IMAGE}},
        TENSORFLOW,
        PODS | {"ConfigMap", "NetworkPolicy", "PodMonitor", "PrometheusRule"},
    ),
}  # fmt: skip


@functools.cache
def _made(description: str, tree: Path) -> dict[str, str]:
    """Type and name -> what is asked for; components and the stack left out."""
    return {
        f"{one.type} {one.name}": json.dumps([one.inputs, one.protect, one.retain], sort_keys=True)
        for one in whole(json.loads(description), tree)
        if one.custom and one.type != "pulumi:pulumi:Stack"
    }


def touched(one: dict[str, str], other: dict[str, str]) -> set[str]:
    """Kinds of objects that come, go or differ."""
    names = {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}
    return {name.split(" ")[0].rpartition(":")[2] for name in names}


def test_the_table_has_every_field_that_the_target_maps() -> None:
    column = COLUMNS["local", "kubernetes"]
    assert isinstance(column, Column)
    assert {row for row in rows() if isinstance(column.cell(row), Mapped)} == set(TABLE)


@pytest.mark.parametrize("field", [field for field, row in TABLE.items() if row is not None])
def test_a_field_touches_what_the_table_says(field: str, tree: Path, root: Path) -> None:
    row = TABLE[field]
    assert row is not None
    before, after, allowed = row
    made: Callable[[dict[str, Any]], dict[str, str]] = lambda change: _made(  # noqa: E731
        json.dumps({**example(root), **change}), tree
    )
    found = touched(made(before), made({**before, **after} if field != "canary.release" else after))
    assert found, "the field is accepted and ignored"
    if allowed != EVERYTHING:
        assert found <= allowed
