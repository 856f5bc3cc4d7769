"""Quantities, and whether sums of a namespace add up, held against an admission that is played pod by pod.

The player is written from Kubernetes' documentation. That a real API server admits and refuses the same
is shown where one runs, and not here.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.kubernetes import arithmetic
from components.kubernetes.quantities import QuantityError, quantity, written

AMOUNTS = st.integers(1, 4000)  # millicores, or MiB


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500m", Fraction(1, 2)),
        ("1.5", Fraction(3, 2)),
        (".5", Fraction(1, 2)),
        ("2.", Fraction(2)),
        (0.1, Fraction(1, 10)),
        (3, Fraction(3)),
        ("1Ki", Fraction(1024)),
        ("1.5Gi", Fraction(3 * 2**29)),
        ("1k", Fraction(1000)),
        ("1e3", Fraction(1000)),
        ("1E3", Fraction(1000)),
        ("1E", Fraction(10**18)),
        ("12e-1", Fraction(6, 5)),
        ("100n", Fraction(1, 10**7)),
        ("1u", Fraction(1, 10**6)),
    ],
)
def test_quantities(text: Any, value: Fraction) -> None:
    assert quantity(text) == value


@pytest.mark.parametrize(
    "text", ["", "m", "1 Gi", "1K", "1mi", "-1", "+1", "1e", "0x1", True, None, -1, math.inf, "1\n"]
)
def test_what_is_no_quantity(text: Any) -> None:
    with pytest.raises(QuantityError):
        quantity(text)


@given(st.sampled_from(["requests.cpu", "limits.memory", "pods"]), st.fractions(0, 10**6))
def test_a_quantity_that_is_written_is_enough_and_hardly_more(resource: str, value: Fraction) -> None:
    again = quantity(written(resource, value))
    assert value <= again < value + {"requests.cpu": Fraction(1, 1000)}.get(resource, 1)


@st.composite
def spelled(draw: st.DrawFn, amount: int, *, cpu: bool) -> Any:
    """One of the ways to write an amount."""
    if cpu:
        return draw(st.sampled_from([f"{amount}m", f"{amount / 1000:.3f}", f"{amount}e-3", f"{amount * 1000}u"]))
    return draw(st.sampled_from([f"{amount}Mi", f"{amount * 1024}Ki", str(amount * 2**20), f"{amount * 2**20}"]))


@st.composite
def namespaces(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[tuple[int, dict[str, int]]], dict[str, int]]:
    """Manifests; the most pods and what each takes, by Deployment; the quota."""
    made: list[dict[str, Any]] = []
    pods: list[tuple[int, dict[str, int]]] = []
    for number in range(draw(st.integers(1, 2))):
        taken: dict[str, int] = {}
        resources: dict[str, dict[str, Any]] = {"requests": {}, "limits": {}}
        for name in ("cpu", "memory"):
            limit = draw(AMOUNTS)
            taken[f"limits.{name}"], taken[f"requests.{name}"] = limit, draw(st.integers(1, limit))
            for part in resources:
                resources[part][name] = draw(spelled(taken[f"{part}.{name}"], cpu=name == "cpu"))
        replicas, surge = (
            draw(st.integers(1, 12)),
            draw(st.one_of(st.integers(0, 3), st.integers(0, 100).map("{}%".format))),
        )
        scaled = draw(st.booleans())
        made.append(deployment(f"d{number}", resources, 1 if scaled else replicas, surge))
        if scaled:
            made.append(scaler(f"d{number}", replicas))
        extra = math.ceil(int(surge[:-1]) * replicas / 100) if isinstance(surge, str) else surge
        pods.append((replicas + extra, taken))
    hard = {name: draw(st.integers(0, 60_000)) for name in draw(st.sets(st.sampled_from([*pods[0][1]])))}
    spelled_hard: dict[str, Any] = {
        name: draw(spelled(value, cpu=name.endswith("cpu"))) for name, value in hard.items()
    }
    if draw(st.booleans()):
        hard["pods"] = spelled_hard["pods"] = draw(st.integers(0, 40))
    made.append({"kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": spelled_hard}})
    return made, pods, hard


@given(namespaces())
def test_a_quota_is_enough_exactly_where_every_pod_is_admitted(
    made: tuple[list[dict[str, Any]], list[tuple[int, dict[str, int]]], dict[str, int]],
) -> None:
    manifests, pods, hard = made
    refused: set[str] = set()
    for name, limit in hard.items():
        used = 0
        for count, taken in pods:
            for _pod in range(count):
                used += 1 if name == "pods" else taken[name]
                if used > limit:
                    refused.add(name)
    found = {one.field.split("'")[1] for one in arithmetic.problems(manifests) if "spec.hard" in one.field}
    assert found == refused


@given(namespaces())
def test_what_a_problem_says_mends_it(
    made: tuple[list[dict[str, Any]], list[tuple[int, dict[str, int]]], dict[str, int]],
) -> None:
    manifests, _pods, _hard = made
    quota = manifests[-1]["spec"]["hard"]
    for problem in arithmetic.problems(manifests):
        quota[problem.field.split("'")[1]] = problem.allowed.split(" or more")[0]
    assert arithmetic.problems(manifests) == []


@given(AMOUNTS, AMOUNTS)
def test_a_request_is_at_most_its_limit(request: int, limit: int) -> None:
    resources = {"requests": {"cpu": f"{request}m"}, "limits": {"cpu": limit / 1000}}
    found = arithmetic.problems([deployment("d", resources, 1, 1)])
    assert bool(found) == (request > limit)
    if found:
        assert f"resources.requests.cpu is {request}m; allowed: at most its limit, {limit}m." in str(found[0])


@given(st.data())
def test_a_limit_range_takes_what_lies_within_it(data: st.DataObject) -> None:
    low = data.draw(st.integers(1, 2000))
    high = data.draw(st.integers(low, 4000))
    limit, request = data.draw(AMOUNTS), data.draw(AMOUNTS)
    request = min(request, limit)
    item = {"type": "Container", "min": {"memory": f"{low}Mi"}, "max": {"memory": f"{high}Mi"}}
    resources = {"requests": {"memory": f"{request}Mi"}, "limits": {"memory": f"{limit}Mi"}}
    found = arithmetic.problems([deployment("d", resources, 1, 1), limits(item)])
    assert bool(found) == (request < low or limit > high)


def test_a_limit_range_puts_in_what_is_not_set() -> None:
    item = {"type": "Container", "default": {"cpu": "2"}, "defaultRequest": {"cpu": "1"}, "max": {"memory": "1Gi"}}
    quota = {"kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": {"cpu": "2", "limits.memory": "2Gi"}}}
    assert arithmetic.problems([deployment("d", {}, 1, 1), limits(item), quota]) == []
    found = [str(one) for one in arithmetic.problems([deployment("d", {}, 1, 1), quota])]
    assert len(found) == 2
    assert (
        "container server, resources.requests.cpu is not set; allowed: a quantity, since ResourceQuota q has"
        in found[0]
    )


def test_a_ratio_and_a_whole_pod_are_looked_at() -> None:
    resources = {"requests": {"cpu": "100m"}, "limits": {"cpu": "1"}}
    item = {"type": "Container", "maxLimitRequestRatio": {"cpu": "4"}}
    [problem] = arithmetic.problems([deployment("d", resources, 1, 1), limits(item)])
    assert "allowed: at most 4 times its request" in str(problem)
    [problem] = arithmetic.problems([deployment("d", resources, 1, 1), limits({"type": "Pod", "max": {"cpu": "500m"}})])
    assert "Deployment d: the pod, resources.limits.cpu is 1000m; allowed: at most 500m, as LimitRange l says" in str(
        problem
    )


def test_containers_that_run_before_count_once_and_sidecars_always() -> None:
    one = deployment("d", {"requests": {"cpu": "1"}}, 1, 0)
    pod = one["spec"]["template"]["spec"]
    pod["initContainers"] = [
        {"name": "fetch", "resources": {"requests": {"cpu": "3"}}},
        {"name": "side", "restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}},
    ]
    [load] = arithmetic.workloads([one])
    assert load.pod.total("requests", "cpu") == 3
    pod["initContainers"][0]["resources"] = {"requests": {"cpu": "1"}}
    [load] = arithmetic.workloads([one])
    assert load.pod.total("requests", "cpu") == 2


def test_an_autoscaler_that_scales_nothing_or_cannot_count() -> None:
    lonely = scaler("other", 3)
    assert "spec.scaleTargetRef is Deployment other" in str(arithmetic.problems([lonely])[0])
    by_cpu = scaler("d", 3)
    target = {"type": "Utilization", "averageUtilization": 60}
    by_cpu["spec"]["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    [problem] = arithmetic.problems([deployment("d", {}, 1, 1), by_cpu])
    assert "Give container server resources.requests.cpu." in str(problem)
    by_cpu["spec"] |= {"minReplicas": 4, "metrics": []}
    [problem] = arithmetic.problems([deployment("d", {}, 1, 1), by_cpu])
    assert "spec.minReplicas is 4; allowed: at most maxReplicas, 3." in str(problem)


@given(st.integers(1, 5), st.integers(0, 5))
def test_a_disruption_budget_lets_one_pod_go(replicas: int, available: int) -> None:
    budget = {
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "b"},
        "spec": {"minAvailable": available, "selector": {"matchLabels": {"app": "d"}}},
    }
    found = arithmetic.problems([deployment("d", {}, replicas, 1), budget])
    assert bool(found) == (available >= replicas)


def test_namespaces_are_apart() -> None:
    one = deployment("d", {"requests": {"cpu": "1"}}, 5, 0)
    one["metadata"]["namespace"] = "a"
    quota = {
        "kind": "ResourceQuota",
        "metadata": {"name": "q", "namespace": "b"},
        "spec": {"hard": {"requests.cpu": "1"}},
    }
    assert arithmetic.problems([one, quota]) == []


def deployment(name: str, resources: dict[str, Any], replicas: int, surge: int | str) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "server", "resources": resources}]},
            },
        },
    }


def scaler(name: str, most: int) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    return {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": most},
    }


def limits(item: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "LimitRange", "metadata": {"name": "l"}, "spec": {"limits": [item]}}
