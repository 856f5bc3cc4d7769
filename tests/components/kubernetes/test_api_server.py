"""Kubernetes' own API server takes what the builder writes, and refuses what our checks refuse.

Real code of Kubernetes: decoding, defaulting, validation, Pod Security admission, limit ranges, quotas, the operators'
own definitions. What it does not prove: that a node runs the pods, or that a controller makes them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from components.kubernetes import arithmetic, validation
from components.kubernetes.manifests import manifests
from components.kubernetes.published import DATA, MINORS
from tests.components.kubernetes import test_mutations as mutations
from tests.components.kubernetes.examples import examples
from tests.kubernetes_api import Cluster, cluster

__all__ = ["cluster"]  # the fixture, for pytest to find

pytestmark = [pytest.mark.api_server, pytest.mark.timeout(900)]

CREATED, FORBIDDEN = 201, 403


def in_namespace(name: str, *, suffix: str = "") -> list[dict[str, Any]]:
    """An example's manifests in a namespace of its own."""
    own = f"{name}{suffix}"

    def moved(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: moved(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [moved(item) for item in value]
        return own if value == examples()[name].namespace else value

    return [moved(one) for one in manifests(examples()[name])]


def pod(deployment: Mapping[str, Any], number: int) -> dict[str, Any]:
    template = copy.deepcopy(dict(deployment["spec"]["template"]))
    template["metadata"] |= {"name": f"pod-{number}", "namespace": deployment["metadata"]["namespace"]}
    return {"apiVersion": "v1", "kind": "Pod", **template}


@pytest.mark.parametrize("name", examples())
@pytest.mark.proof("Local Kubernetes", level="runtime")
def test_it_takes_every_object_and_the_most_pods(name: str, cluster: Cluster) -> None:
    written = in_namespace(name)
    for one in written:
        answer = cluster.create(one)
        assert answer.status_code == CREATED, f"{one['kind']}: {answer.text}"
        assert "warning" not in answer.headers, answer.headers["warning"]
    for quota in (one for one in written if one["kind"] == "ResourceQuota"):
        cluster.set_quota(quota)
    [load] = arithmetic.workloads(written)
    for number in range(load.most + load.surge):
        answer = cluster.create(pod(load.manifest, number))
        assert answer.status_code == CREATED, f"pod {number}: {answer.text}"


def test_a_quota_refuses_the_pod_that_the_arithmetic_says(cluster: Cluster) -> None:
    written = in_namespace("minimal", suffix="-tight")
    [quota] = [one for one in written if one["kind"] == "ResourceQuota"]
    [load] = arithmetic.workloads(written)
    most = load.most + load.surge
    quota["spec"]["hard"] = {"requests.cpu": str(most - 1), "limits.memory": f"{most - 1}Gi"}
    said = arithmetic.problems(written)
    assert {one.field for one in said} == {
        "ResourceQuota digits: spec.hard['requests.cpu']",
        "ResourceQuota digits: spec.hard['limits.memory']",
    }
    for one in written:
        assert cluster.create(one).status_code == CREATED
    cluster.set_quota(quota)
    answers = [cluster.create(pod(load.manifest, number)) for number in range(most)]
    assert [answer.status_code for answer in answers] == [CREATED] * (most - 1) + [FORBIDDEN]
    assert "exceeded quota" in answers[-1].text


def test_pod_security_refuses_a_pod_that_is_less_locked_up(cluster: Cluster) -> None:
    written = in_namespace("minimal", suffix="-open")
    for one in written:
        assert cluster.create(one).status_code == CREATED
    [load] = arithmetic.workloads(written)
    open_pod = pod(load.manifest, 0)
    open_pod["spec"]["containers"][0]["securityContext"].pop("capabilities")
    answer = cluster.create(open_pod, dry=True)
    assert answer.status_code == FORBIDDEN
    assert "violates PodSecurity" in answer.text


def test_a_limit_range_refuses_what_the_arithmetic_says(cluster: Cluster) -> None:
    written = in_namespace("minimal", suffix="-limits")
    [deployment] = [one for one in written if one["kind"] == "Deployment"]
    resources = deployment["spec"]["template"]["spec"]["containers"][0]["resources"]
    resources["limits"] = {**resources["limits"], "memory": "2Gi"}
    assert any("as LimitRange digits says" in str(one) for one in arithmetic.problems(written))
    for one in written:
        assert cluster.create(one).status_code == CREATED
    answer = cluster.create(pod(deployment, 0))
    assert answer.status_code == FORBIDDEN
    assert "maximum memory usage per Container" in answer.text


def dropped(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all fields."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if isinstance(value, dict):
            yield (*path, key)
        yield from dropped(item, (*path, key))


def without(manifest: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    changed = copy.deepcopy(manifest)
    inside: Any = changed
    for part in path[:-1]:
        inside = inside[part]
    del inside[path[-1]]
    return changed


#: Of all that it refuses. What is missed are fields that must agree with others, of which one was left out.
LEAST_FOUND = 0.98


def test_most_of_what_it_refuses_is_found_before(cluster: Cluster) -> None:
    """Every mistake of test_mutations and every field left out, each sent to the API server: it says what is wrong."""
    name = "mutants"
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    refused, missed, only_ours = 0, [], 0
    for manifest, path, label in mutants():
        if isinstance(manifest.get("metadata"), dict) and "namespace" in manifest["metadata"]:
            manifest["metadata"] = {**manifest["metadata"], "namespace": name}
        found = bool(validation.problems([manifest], [MINORS[-1]]))
        try:
            answer = cluster.create(manifest, dry=True)
        except (KeyError, AttributeError, TypeError):
            continue  # not even a path to send it to
        if answer.status_code == CREATED:
            only_ours += found
        elif answer.status_code != 409:  # there already: that is no mistake
            refused += 1
            if not found:
                missed.append(f"{label} {'.'.join(map(str, path))}: {answer.json().get('message', '')[:160]}")
    assert refused > 500
    said = "\n".join([f"{len(missed)} of {refused} missed, {only_ours} that it takes are refused by us:", *missed])
    print(said)  # noqa: T201 # for `pytest -s`
    assert 1 - len(missed) / refused >= LEAST_FOUND, said


def mutants() -> Iterator[tuple[dict[str, Any], tuple[Any, ...], str]]:
    for path, value, manifest in mutations.every_place():
        if not path or manifest["kind"] == "Namespace":
            continue
        for operator in mutations.OPERATORS:
            for wrong in operator(path, value, manifest):
                yield mutations.with_value(manifest, path, wrong), path, f"{operator.__name__} {manifest['kind']}"
    seen: set[tuple[str, tuple[Any, ...]]] = set()
    for args in examples().values():
        for one in manifests(args):
            manifest = copy.deepcopy(dict(one))
            for path in dropped(manifest):
                # Without a namespace, whoever applies an object chooses one.
                other = manifest["kind"] != "Namespace" and path != ("metadata", "namespace")
                if (manifest["kind"], path) not in seen and other:
                    seen.add((manifest["kind"], path))
                    yield without(manifest, path), path, f"drop {manifest['kind']}"


def test_enumerations_are_those_that_it_publishes(cluster: Cluster) -> None:
    published: dict[str, Any] = {}
    for document in ("api/v1", *(f"apis/{group}" for group in GROUPS)):
        found = cluster.client.get(f"/openapi/v3/{document}").raise_for_status().json()
        published |= found["components"]["schemas"]
    wrong, compared = [], 0
    for name, fields in yaml.safe_load((DATA / "rules.yaml").read_text()).items():
        properties = published[name if name.startswith("io.") else f"io.k8s.api.{name}"]["properties"]
        for field, words in ((field, words) for field, words in fields.items() if field != "$"):
            ours, theirs = _enumeration(words), _enumeration(properties[field])
            if ours and theirs:
                compared += 1
                # A feature that is off by default is in the published ones too.
                if not ours <= theirs:
                    wrong.append(f"{name}.{field}: {sorted(ours - theirs)}")
    assert compared >= 25
    assert not wrong


GROUPS = ("apps/v1", "autoscaling/v2", "networking.k8s.io/v1", "policy/v1")


def _enumeration(schema: Mapping[str, Any]) -> set[Any]:
    return set(schema.get("enum", ())) or set(schema.get("items", {}).get("enum", ()))
