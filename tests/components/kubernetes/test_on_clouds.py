"""The same component as the stacks of clouds use it: values that are known only in an `up`, each cloud's identity.

Under mocks: what is sent, not what EKS, AKS and GKE make of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest

from components.kubernetes.args import Identity, ModelServiceArgs, Quota, Replicas, Served
from components.kubernetes.identity import aks, eks, gke
from components.kubernetes.manifests import manifests
from components.kubernetes.service import ModelService
from tests.components.kubernetes.examples import examples
from tests.components.recording import Recording, record


def made(args: Callable[[], ModelServiceArgs]) -> Recording:
    """What the component registers on a provider of its own."""

    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig=pulumi.Output.secret("apiVersion: v1"))
        ModelService("digits", args(), pulumi.ResourceOptions(provider=provider))

    return record(program)


def late(text: str) -> pulumi.Output[str]:
    return pulumi.Output.from_input(text)


def test_values_that_come_late_arrive() -> None:
    plain = examples()["minimal"]
    recording = made(
        lambda: replace(
            plain,
            image=late(str(plain.image)),
            served=Served("digits", 2, late("s3://bucket/models/digits/v2/")),
            identity=aks(late("a-client-id")),
        )
    )
    pod = recording.one("kubernetes:apps/v1:Deployment").inputs["spec"]["template"]
    (server,) = pod["spec"]["containers"]
    assert server["image"] == plain.image
    assert {"name": "MODEL_URI", "value": "s3://bucket/models/digits/v2/"} in server["env"]
    assert pod["metadata"]["labels"]["azure.workload.identity/use"] == "true"
    account = recording.one("kubernetes:core/v1:ServiceAccount").inputs
    assert account["metadata"]["annotations"] == {"azure.workload.identity/client-id": "a-client-id"}


@pytest.mark.parametrize(
    ("identity", "annotations", "addresses"),
    [
        # An association in EKS names the account: nothing is annotated.
        (eks(), None, {("169.254.170.23/32", 80)}),
        (aks("id"), {"azure.workload.identity/client-id": "id"}, {("0.0.0.0/0", 443)}),
        (gke(), None, {("169.254.169.252/32", 988), ("169.254.169.254/32", 80)}),
        (
            gke("a@b.iam.gserviceaccount.com"),
            {"iam.gke.io/gcp-service-account": "a@b.iam.gserviceaccount.com"},
            {("169.254.169.252/32", 988), ("169.254.169.254/32", 80)},
        ),
    ],
)
def test_what_an_identity_needs(
    identity: Identity, annotations: dict[str, str] | None, addresses: set[tuple[str, int]]
) -> None:
    recording = made(lambda: replace(examples()["minimal"], identity=identity))
    assert recording.one("kubernetes:core/v1:ServiceAccount").inputs["metadata"].get("annotations") == annotations
    policy = recording.one("kubernetes:networking.k8s.io/v1:NetworkPolicy", "digits-networkpolicy").inputs
    found = {
        (peer["ipBlock"]["cidr"], port["port"])
        for rule in policy["spec"]["egress"]
        for peer in rule["to"]
        if "ipBlock" in peer
        for port in rule["ports"]
    }
    assert addresses <= found


def test_on_its_provider_and_below_the_component() -> None:
    recording = made(lambda: examples()["everything"])
    objects = [one for one in recording if one.type.startswith("kubernetes:")]
    assert len(objects) == len(manifests(examples()["everything"]))
    assert all(one.parent.endswith("ModelService::digits") for one in objects)


def test_nothing_is_registered_of_what_does_not_add_up() -> None:
    """Also where a stack did not ask before: the component checks for itself."""
    said: list[str] = []

    def program() -> None:
        try:
            ModelService("digits", replace(examples()["minimal"], replicas=Replicas(1, 9), quota=Quota(2, 2048)))
        except pulumi.RunError as error:
            said.append(str(error))

    recording = record(program)
    assert [one.type for one in recording] == ["pulumi:pulumi:Stack"]
    assert "service digits on Kubernetes has" in said[0]
    assert "ResourceQuota digits: spec.hard['requests.cpu'] is '2'; allowed: 10" in said[0]


def test_a_runtime_without_security_fixes_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []

    def heard(message: str, *_: Any, **__: Any) -> None:
        warnings.append(message)

    monkeypatch.setattr(pulumi.log, "warn", heard)
    made(lambda: examples()["torchserve"])
    assert ["no security fixes" in one for one in warnings] == [True]
    warnings.clear()
    made(lambda: examples()["tensorflow-serving"])
    assert warnings == []
