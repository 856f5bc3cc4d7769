"""Stack kubernetes under mocks: everything in the manifests reaches Pulumi as it is, in an order that works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime import rpc

from components.kubernetes.manifests import manifests
from components.kubernetes.service import invoke, url
from spec.release import resolve
from spec.service import load_service
from stacks import kubernetes_args
from tests.components.kubernetes.examples import TENSORFLOW_IMAGE, TORCHSERVE_IMAGE, examples
from tests.components.kubernetes.whole import STACK, whole
from tests.components.recording import Recorded, Recording

pytestmark = pytest.mark.proof("Local Kubernetes", level="mocks")

CLUSTER = {"cloud": "local", "target": "kubernetes", "cluster": {"models": "gs://bucket/models"}}
EXPECTED = {
    "kubernetes:apps/v1:Deployment",
    "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
    "kubernetes:cert-manager.io/v1:Certificate",
    "kubernetes:core/v1:LimitRange",
    "kubernetes:core/v1:Namespace",
    "kubernetes:core/v1:ResourceQuota",
    "kubernetes:core/v1:Secret",
    "kubernetes:core/v1:Service",
    "kubernetes:core/v1:ServiceAccount",
    "kubernetes:monitoring.coreos.com/v1:PodMonitor",
    "kubernetes:monitoring.coreos.com/v1:PrometheusRule",
    "kubernetes:networking.k8s.io/v1:Ingress",
    "kubernetes:networking.k8s.io/v1:NetworkPolicy",
    "kubernetes:policy/v1:PodDisruptionBudget",
}


def objects(recording: Recording) -> list[Recorded]:
    return [one for one in recording if one.type.startswith("kubernetes:")]


def test_what_the_example_makes(service: dict[str, Any], tree: Path) -> None:
    recording = whole(service, tree)
    assert {one.type for one in objects(recording)} == EXPECTED
    assert len(objects(recording)) == len(EXPECTED) + 2  # three network policies
    assert len({one.name for one in recording}) == len(recording.resources)
    (component,) = recording.of("cloud-ml-deployment:kubernetes:ModelService")
    (parent,) = {one.parent for one in objects(recording)}
    assert parent.endswith(f"{component.type}::{component.name}")


def test_pulumi_gets_the_manifests_as_they_are(service: dict[str, Any], tree: Path) -> None:
    """Field by field: the SDK's classes would drop a field that they do not know."""
    recording = whole(service, tree)
    spec = load_service(service, stack=STACK)
    release = resolve(tree / "models", spec.release)
    found = kubernetes_args.service_args(spec, spec.deploy_to[0], STACK, release, None, token="x")
    asked = {(one["kind"], one["metadata"]["name"]): one for one in manifests(found)}
    got = {(one.inputs["kind"], one.inputs["metadata"]["name"]): one.inputs for one in objects(recording)}
    assert got.keys() == asked.keys()
    secret = ("Secret", "digits-token")
    assert {key: got[key] for key in got if key != secret} == {key: asked[key] for key in asked if key != secret}
    assert got[secret]["stringData"].keys() == {rpc._special_sig_key, "value"}  # encrypted in the state


def test_the_order(service: dict[str, Any], tree: Path) -> None:
    """A pod finds its limits, policies, account and token; nothing leads to pods that are not there."""
    recording = whole(service, tree)
    by_name = {f"{one.type}::{one.name}": one for one in objects(recording)}

    def before(one: Recorded) -> set[str]:
        names = {urn.rpartition("$")[2] for urn in one.depends_on}
        return {by_name[name].inputs["kind"] for name in names if name in by_name}

    kinds: dict[str, set[str]] = {}
    for one in objects(recording):
        kinds.setdefault(one.inputs["kind"], set()).update(before(one))
    assert kinds["Namespace"] == set()
    ground = {"Namespace", "ResourceQuota", "LimitRange", "NetworkPolicy", "ServiceAccount", "Secret"}
    assert all(kinds[kind] == {"Namespace"} for kind in ground - {"Namespace"})
    assert kinds["Deployment"] == ground
    for kind in set(kinds) - ground - {"Deployment"}:
        assert kinds[kind] == ground | {"Deployment"}, kind


def test_what_is_exported(service: dict[str, Any], tree: Path) -> None:
    exports = whole(service, tree).returned["local-kubernetes"]
    assert exports["url"] == "https://digits.example.com"
    assert exports["invoke"] == {
        "method": "POST",
        "url": "https://digits.example.com/v2/models/digits/infer",
        "headers": {"content-type": "application/json"},
        "token_secret": "digits-kubernetes/digits-token",
    }
    assert exports["release"] == "digits@2"
    assert exports["model_uri"] == "s3://models-of-mine/models/digits/v2"


@pytest.mark.parametrize(
    ("runtime", "model", "image", "path"),
    [
        ("tensorflow_serving", "digits_cnn", TENSORFLOW_IMAGE, "/v1/models/digits_cnn/versions/1:predict"),
        ("torchserve", "digits_torch", TORCHSERVE_IMAGE, "/predictions/digits_torch/1"),
    ],
)
def test_another_runtime(runtime: str, model: str, image: str, path: str, service: dict[str, Any], tree: Path) -> None:
    """Its own image serves, ours fetches and verifies the release first."""
    plain = {"name": "digits", "release": f"{model}@1", "deploy_to": [CLUSTER], "runtime": runtime}
    recording = whole({**plain, "image": {**service["image"], "runtime_ref": image}}, tree)
    pod = recording.one("kubernetes:apps/v1:Deployment").inputs["spec"]["template"]["spec"]
    assert [one["image"] for one in pod["containers"]] == [image]
    (fetching,) = pod["initContainers"]
    assert fetching["image"] == service["image"]["ref"]
    assert fetching["args"][:3] == ["fetch", f"gs://bucket/models/{model}/v1", runtime]
    exports = recording.returned["local-kubernetes"]
    assert exports["invoke"]["url"] == f"http://digits.digits-kubernetes.svc{path}"


def test_a_canary_is_split_by_the_server(service: dict[str, Any], tree: Path) -> None:
    service |= {"release": "digits@1", "canary": {"release": "digits@2", "percent": 10}}
    recording = whole(service, tree)
    (server,) = recording.one("kubernetes:apps/v1:Deployment").inputs["spec"]["template"]["spec"]["containers"]
    env = {one["name"]: one["value"] for one in server["env"]}
    assert (env["MODEL_URI"], env["CANARY_URI"], env["CANARY_PERCENT"]) == (
        "s3://models-of-mine/models/digits/v1",
        "s3://models-of-mine/models/digits/v2",
        "10",
    )
    assert recording.returned["local-kubernetes"]["canary"] == "digits@2"


@pytest.mark.parametrize(("name", "args"), examples().items(), ids=examples().keys())
def test_how_to_call(name: str, args: Any) -> None:
    assert invoke(args)["url"].startswith(url(args))
    assert ("token_secret" in invoke(args)) == args.needs_token
