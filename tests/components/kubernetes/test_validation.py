"""What the schema check says about manifests: kind, name, path, value, what is allowed and what to do.

The schemas are the API's own of three minor versions; that nothing is wrong in what the builder writes, and how many
mistakes in it are found, is in test_mutations.
"""

from __future__ import annotations

import copy
from typing import Any

import pulumi
import pytest
from kubernetes_validate import utils

from components.kubernetes import published, validation
from spec.errors import SpecError

RIGHT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "digits", "namespace": "digits", "labels": {"app": "digits"}},
    "spec": {
        "replicas": 2,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"}},
        "selector": {"matchLabels": {"app": "digits"}},
        "template": {
            "metadata": {"labels": {"app": "digits"}},
            "spec": {
                "restartPolicy": "Always",
                "containers": [
                    {
                        "name": "server",
                        "image": "example.org/server@sha256:0",
                        "ports": [{"name": "http", "containerPort": 8080}],
                        "resources": {"limits": {"cpu": 1, "memory": "512Mi"}, "requests": {"cpu": "500m"}},
                        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}},
                    }
                ],
                "volumes": [{"name": "scratch", "emptyDir": {}}],
            },
        },
    },
}
CONTAINER = "spec.template.spec.containers[0]"


def changed(path: str, value: Any) -> dict[str, Any]:
    """The right one with one value set; `...` takes it out."""
    manifest = copy.deepcopy(RIGHT)
    inside: Any = manifest
    *parents, last = path.replace("[0]", ".0").split(".")
    for part in parents:
        inside = inside[int(part) if part.isdigit() else part]
    if value is ...:
        del inside[last]
    else:
        inside[last] = value
    return manifest


def test_the_newest_minors_of_the_schemas_are_used() -> None:
    every = dict.fromkeys(one.removesuffix(".0") for one in utils.all_versions())  # it names each twice
    assert list(published.MINORS) == [*every][-3:]


def test_a_right_manifest_has_no_problem() -> None:
    assert validation.problems([RIGHT]) == []
    validation.check([RIGHT])


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (
            f"{CONTAINER}.prots",
            [],
            f"{CONTAINER}.prots is []; allowed: a field of Container, such as ports. Write ports",
        ),
        ("spec.replicas", "two", "spec.replicas is 'two'; allowed: a whole number. Correct it."),
        ("spec.replicas", -1, "spec.replicas is -1; allowed: 0 or more. Correct it."),
        ("spec.replicas", None, "spec.replicas is not set; allowed: a whole number. Correct it."),
        ("spec.selector", ..., "spec.selector is not set; allowed: a value, which DeploymentSpec needs. Add it."),
        ("spec.strategy.type", "Rolling", "spec.strategy.type is 'Rolling'; allowed: RollingUpdate or Recreate."),
        ("spec.strategy.rollingUpdate.maxSurge", "some", "allowed: a whole number from 0, or a percentage such as 25%"),
        (f"{CONTAINER}.ports[0].containerPort", 80800, "containerPort is 80800; allowed: 1 to 65535. Correct it."),
        (f"{CONTAINER}.ports[0].name", "the-name-is-too-long", "allowed: at most 15 lower-case letters, digits"),
        (f"{CONTAINER}.resources.limits.cpu", "1 core", "limits.cpu is '1 core'; allowed: a quantity such as 500m"),
        (f"{CONTAINER}.resources.limits.cpu", -1, "limits.cpu is -1; allowed: a quantity such as 500m"),
        (f"{CONTAINER}.readinessProbe.httpGet.port", 8080.5, "port is 8080.5; allowed: a whole number or a text"),
        ("metadata.labels.app", "a b", "metadata.labels.app is 'a b'; allowed: at most 63 letters"),
        ("metadata.labels", {"a b": "c"}, "metadata.labels['a b'] is 'a b'; allowed: a key such as app"),
        ("metadata.name", "Digits", "metadata.name is 'Digits'; allowed: lower-case letters"),
        ("metadata.name", ..., "metadata.name is not set; allowed: a name. Add it."),
        ("apiVersion", "extensions/v1beta1", "apiVersion is 'extensions/v1beta1'; allowed: apps/v1. Write"),
        ("kind", "Deploymet", "kind is 'Deploymet'; allowed: a kind of the Kubernetes API or of"),
    ],
)
def test_a_mistake_is_named(path: str, value: Any, said: str) -> None:
    [problem] = validation.problems([changed(path, value)])
    assert said in str(problem)
    kind = "Deploymet" if path == "kind" else "Deployment"
    name = (
        "(without a name)" if path == "metadata.name" and value is ... else "Digits" if value == "Digits" else "digits"
    )
    assert problem.field.startswith(f"{kind} {name}: ")


def test_every_mistake_is_said_at_once() -> None:
    manifest = changed("spec.replicas", "two")
    manifest["spec"]["sellector"] = {}
    with pytest.raises(SpecError) as raised:
        validation.check([manifest, changed("spec.strategy.type", "Rolling")])
    assert [one.field for one in raised.value.problems] == [
        "Deployment digits: spec.replicas",
        "Deployment digits: spec.sellector",
        "Deployment digits: spec.strategy.type",
    ]


def test_a_field_that_only_some_minors_know_is_told_with_them() -> None:
    """`restartPolicyRules` of a container came to the API in 1.34."""
    manifest = changed(f"{CONTAINER}.restartPolicyRules", [])
    assert validation.problems([manifest]) == []
    [problem] = validation.problems([manifest], ["1.33", "1.34"])
    assert "(Kubernetes 1.33)" in problem.fix


@pytest.mark.parametrize("path", ["spec.replicas", f"{CONTAINER}.image", "spec.strategy.type", "metadata.labels.app"])
def test_what_is_not_known_yet_is_let_pass_where_it_may_stand(path: str) -> None:
    assert validation.problems([changed(path, pulumi.Output.from_input("later"))]) == []
    # But not in a place that there is not.
    assert len(validation.problems([changed(f"{path}x", pulumi.Output.from_input("later"))])) == (
        0 if path.startswith("metadata") else 1
    )


def test_a_secret_is_in_no_message() -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "token"},
        "stringData": {"token": ["hunter2"]},
        "data": "hunter2",
    }
    problems = validation.problems([secret])
    assert len(problems) == 2
    assert not any("hunter2" in str(one) for one in problems)


def test_what_is_no_manifest() -> None:
    assert "a manifest is" in str(validation.problems(["nothing"])[0])  # pyright: ignore[reportArgumentType]
    assert "kind is 'None'" in str(validation.problems([{}])[0])
