"""What a user may get wrong for a cluster is answered at preview: field, value, what is allowed, what to do.

Each time nothing was registered before. That a cluster itself would refuse these, or leave pods that never start, is
known from Kubernetes' documents, not shown here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from spec.service import load_service
from stacks.kubernetes_checks import problems
from tests.components.kubernetes.examples import TENSORFLOW_IMAGE, TORCHSERVE_IMAGE
from tests.components.kubernetes.whole import refused

MODELS = "s3://models-of-mine/models"
PUBLIC = {"visibility": "public", "domain": "digits.example.com", "auth": "token"}
WAY_IN = {"cert_manager": True, "issuer": "letsencrypt", "ingress_namespace": "ingress-nginx"}


def at(**cluster: Any) -> dict[str, Any]:
    """A place on a cluster that has only what is said."""
    return {"deploy_to": [{"cloud": "local", "target": "kubernetes", "cluster": {"models": MODELS, **cluster}}]}


def private(**more: Any) -> dict[str, Any]:
    """Changes that leave a service that asks for little."""
    return {**at(), "access": {}, "slo": None, "scaling": {}, **more}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(
            {**at(**WAY_IN), "slo": None, "access": {"visibility": "public", "auth": "token"}},
            ["access.domain is not set", "with visibility public a host name"],
            id="public-without-a-domain",
        ),
        pytest.param(
            {"access": {"visibility": "public", "domain": "digits.example.com"}},
            ["access.auth is not set", "Set auth: token."],
            id="public-without-saying-who",
        ),
        pytest.param(
            {**at(ingress_namespace="ingress-nginx"), "slo": None, "access": PUBLIC},
            ["cluster.issuer is not set", "a public service has TLS"],
            id="public-without-a-certificate",
        ),
        pytest.param(
            {**at(cert_manager=True, issuer="letsencrypt"), "slo": None, "access": PUBLIC},
            ["cluster.ingress_namespace is not set", "such as ingress-nginx"],
            id="public-without-a-way-in",
        ),
        pytest.param(
            {**at(**WAY_IN, gateway_api=True), "slo": None, "access": PUBLIC},
            ["cluster.gateway_class is not set", "kubectl get gatewayclass"],
            id="gateway-without-a-class",
        ),
        pytest.param(
            {**at(**WAY_IN, gateway_api=True, gateway_class="a", ingress_class="b"), "slo": None, "access": PUBLIC},
            ["cluster.ingress_class is 'b'", "nothing with gateway_api"],
            id="gateway-and-ingress-class",
        ),
        pytest.param(
            at(gateway_class="istio"),
            ["cluster.gateway_class is 'istio'", "gateway_api is false", "Set gateway_api: true"],
            id="gateway-that-the-cluster-has-not",
        ),
        pytest.param(
            at(issuer="letsencrypt"), ["cluster.issuer is 'letsencrypt'", "cert_manager is false"], id="no-cert-manager"
        ),
        pytest.param(
            at(monitoring_namespace="watch"),
            ["cluster.monitoring_namespace is 'watch'", "prometheus_operator is false"],
            id="no-prometheus-operator",
        ),
        pytest.param(
            at(cert_manager=True, issuer="a", tls_secret="b"),
            ["cluster.tls_secret is 'b'", "nothing beside issuer"],
            id="two-certificates",
        ),
        pytest.param(
            {**private(), "slo": {"availability_percent": 99.9}},
            ["slo is set", "prometheus_operator is false"],
            id="objective-that-nobody-evaluates",
        ),
        pytest.param(
            private(scaling={"max": 3, "metric": "concurrency"}),
            ["scaling.metric is 'concurrency'", "custom_metrics is false", "Set metric: cpu"],
            id="metric-that-nobody-serves",
        ),
        pytest.param(
            private(scaling={"max": 3, "target": 5}),
            ["scaling.metric is 'concurrency', the default, with a target", "custom_metrics is false"],
            id="target-of-a-metric-that-nobody-serves",
        ),
        pytest.param(
            private(scaling={"min": 2, "max": 2, "metric": "cpu"}),
            ["scaling.metric is 'cpu'", "min and max are both 2"],
            id="metric-where-nothing-scales",
        ),
        pytest.param(
            private(access={"domain": "digits.example.com"}),
            ["access.domain is 'digits.example.com'", "nothing with visibility private"],
            id="private-with-a-domain",
        ),
        pytest.param(
            private(access={"principals": ["Shop"]}),
            ["access.principals[0] is 'Shop'", "the name of a namespace"],
            id="principal-that-is-no-namespace",
        ),
        pytest.param(
            private(image={}), ["image is to be built", "nodes pull from", "make image"], id="image-to-be-built"
        ),
        pytest.param(
            {**private(), "deploy_to": [{"cloud": "local", "target": "kubernetes"}]},
            ["cluster.models is not set", "python -m training publish"],
            id="no-store",
        ),
        pytest.param(
            private(**at(models="file:///models")),
            ["cluster.models is 'file:///models'", "s3://bucket/models"],
            id="store-of-this-machine",
        ),
        pytest.param(
            private(**at(models="https://example.com/models")),
            ["cluster.models is 'https://example.com/models'", "gs://"],
            id="store-that-the-server-cannot-read",
        ),
        pytest.param(
            private(**at(models="az://account")),
            ["cluster.models is 'az://account'", "az://account/container"],
            id="no-container",
        ),
        pytest.param(
            private(resources={"memory_gib": 0.1}),
            ["resources.memory_gib is 0.1", "110 MiB for the server"],
            id="too-little-memory",
        ),
        pytest.param(
            private(**at(quota={"cpu": 4, "memory_gib": 64}), scaling={"min": 2, "max": 6, "metric": "cpu"}),
            ["ResourceQuota digits", "limits.cpu", "6 replicas", "Raise it"],
            id="most-replicas-above-the-quota",
        ),
        pytest.param(
            private(tags={"team-": "vision"}), ["tags.team- is 'vision'", "end with a letter or a digit"], id="tag-key"
        ),
        pytest.param(private(tags={"team": "_v"}), ["tags.team is '_v'"], id="tag-value"),
        pytest.param(
            private(runtime="torchserve", release="digits_torch@1"),
            ["image.runtime_ref is not set", "docker.io/pytorch/torchserve@sha256:"],
            id="runtime-without-its-image",
        ),
        pytest.param(
            private(image={"ref": TORCHSERVE_IMAGE, "runtime_ref": TORCHSERVE_IMAGE}),
            ["image.runtime_ref is", "nothing with runtime onnx"],
            id="image-without-its-runtime",
        ),
        pytest.param(
            private(runtime="tensorflow_serving", image={"ref": TENSORFLOW_IMAGE, "runtime_ref": TENSORFLOW_IMAGE}),
            ["runtime is 'tensorflow_serving'", "digits@2, which has no folder tensorflow_serving", "--trainer cnn"],
            id="release-that-the-runtime-cannot-serve",
        ),
        pytest.param(
            private(
                runtime="torchserve",
                release="digits_torch@1",
                canary={"release": "digits_torch@2", "percent": 5},
                access={"auth": "token"},
                logging={"level": "debug"},
                scaling={"max": 3, "metric": "concurrency"},
                **at(custom_metrics=True),
            ),
            [
                "canary is 'digits_torch@2'; allowed: nothing with runtime torchserve",
                "access.auth is 'token'; allowed: nothing with runtime torchserve",
                "logging.level is 'debug'; allowed: nothing with runtime torchserve",
                "scaling.metric is 'concurrency'; allowed: 'cpu' with runtime torchserve",
            ],
            id="what-another-runtime-does-not-do",
        ),
        pytest.param(
            private(canary={"release": "digits@2", "percent": 5}),
            ["canary.release is 'digits@2', which is digits@2", "another release"],
            id="canary-of-the-same-release",
        ),
        pytest.param(private(release="digits@9"), ["release is 'digits@9'", "does not exist"], id="no-such-release"),
        pytest.param(
            private(scaling={"scale_to_zero": True}), ["scaling.scale_to_zero is true", "leaves one pod"], id="to-zero"
        ),
        pytest.param(
            private(encryption={"customer_managed_key": True}), ["customer_managed_key is true"], id="no-key-service"
        ),
        pytest.param(private(**at(keda=True)), ["cluster.keda is true", "nothing here uses KEDA"], id="keda"),
    ],
)
def test_misuse(change: dict[str, Any], said: list[str], service: dict[str, Any], tree: Path) -> None:
    text = refused({**service, **change}, tree)
    for part in said:
        assert part in text
    assert "allowed" in text


@pytest.mark.parametrize("stack", ["a" * 57, "team.prod", "Prod", "prod-"])
def test_a_stack_whose_name_makes_no_namespace(stack: str, service: dict[str, Any], tree: Path) -> None:
    text = refused(service, tree, stack=stack)
    assert f"the stack's name is '{stack}'" in text
    assert "at most 56 characters" in text


def test_the_longest_stack_name_is_allowed(service: dict[str, Any]) -> None:
    assert problems(load_service(service, stack="a" * 56), 0, "a" * 56) == []


def test_a_context_that_the_file_does_not_have(service: dict[str, Any], tree: Path, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump({"contexts": [{"name": "production"}, {"name": "test"}]}))
    cluster = service["deploy_to"][0]["cluster"]
    service["deploy_to"][0]["cluster"] = {**cluster, "kubeconfig": str(file), "context": "producton"}
    text = refused(service, tree)
    assert "cluster.context is 'producton'" in text
    assert "production or test. Did you mean production?" in text


def test_a_file_that_only_the_machine_that_deploys_has(service: dict[str, Any], tmp_path: Path) -> None:
    cluster = service["deploy_to"][0]["cluster"]
    service["deploy_to"][0]["cluster"] = {**cluster, "kubeconfig": str(tmp_path / "none"), "context": "any"}
    assert problems(load_service(service, stack="kubernetes"), 0, "kubernetes") == []


def test_all_problems_are_said_at_once(service: dict[str, Any], tree: Path) -> None:
    text = refused({**service, "image": {}, "tags": {"team": "-"}, "release": "digits@9", "access": PUBLIC}, tree)
    assert [text.count(f"service.{field} is") for field in ("image", "tags.team", "release")] == [1] * 3


def test_other_targets_say_where_a_runtime_works(tree: Path) -> None:
    place = {"cloud": "aws", "target": "sagemaker", "region": "eu-central-1"}
    for where in (place, {"cloud": "local", "target": "process"}):
        text = refused({"name": "digits", "release": "digits@1", "runtime": "torchserve", "deploy_to": [where]}, tree)
        assert "runtime is 'torchserve'" in text
        assert "target kubernetes on cloud local" in text
