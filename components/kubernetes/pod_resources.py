"""What a pod takes, as the scheduler and a quota count it, and what a limit range allows.

Sources: https://kubernetes.io/docs/concepts/policy/limit-range/,
https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers and the API
server's LimitRanger plugin.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from components.kubernetes.quantities import QuantityError, quantity, written
from spec.errors import Problem

Amounts = Mapping[str, Fraction]


@dataclass(frozen=True)
class Container:
    """Resource → amount, with all defaults put in. early: runs before the others and ends."""

    name: str
    requests: Amounts
    limits: Amounts
    early: bool = False


@dataclass(frozen=True)
class Pod:
    """The containers of a pod: those that run together, and those that run one after the other before them."""

    containers: Sequence[Container]
    early: Sequence[Container] = ()

    @classmethod
    def of(cls, spec: Mapping[str, Any], limit_ranges: Iterable[Mapping[str, Any]] = ()) -> Pod:
        """From a pod's spec. limit_ranges: manifests of those in its namespace."""
        defaults = [_defaults(item) for one in limit_ranges for item in one["spec"].get("limits", ())]
        early = []
        together = [_container(one, defaults) for one in spec.get("containers", ())]
        for one in spec.get("initContainers", ()):
            if one.get("restartPolicy") == "Always":  # a sidecar: it stays
                together.append(_container(one, defaults))
            else:
                early.append(_container(one, defaults, early=True))
        return cls(together, early)

    @property
    def every(self) -> list[Container]:
        return [*self.containers, *self.early]

    def total(self, part: str, resource: str) -> Fraction:
        """What the pod counts for. part: requests or limits. The largest of the early containers where that is more."""
        sums = sum((_part(one, part).get(resource, Fraction(0)) for one in self.containers), Fraction(0))
        return max([sums, *(_part(one, part).get(resource, Fraction(0)) for one in self.early)])

    def problems(self, title: str) -> Iterator[Problem]:
        """Requests above limits: the API server refuses such a pod."""
        for one in self.every:
            for resource, asked in one.requests.items():
                limit = one.limits.get(resource)
                if limit is not None and asked > limit:
                    yield Problem(
                        f"{title}: container {one.name}, resources.requests.{resource}",
                        written(resource, asked),
                        f"at most its limit, {written(resource, limit)}",
                        "Lower the request, or raise the limit.",
                    )


def limit_range_problems(pod: Pod, title: str, limit_range: Mapping[str, Any]) -> Iterator[Problem]:
    """What a limit range refuses about a pod."""
    owner = f"LimitRange {limit_range['metadata'].get('name')}"
    for item in limit_range["spec"].get("limits", ()):
        low, high, ratio = (_amounts(item.get(word)) for word in ("min", "max", "maxLimitRequestRatio"))
        if item.get("type") == "Container":
            measured = [(f"{title}: container {one.name}", one.requests, one.limits) for one in pod.every]
        elif item.get("type") == "Pod":
            measured = [(f"{title}: the pod", *(_totals(pod, part) for part in ("requests", "limits")))]
        else:
            continue
        for who, requests, limits in measured:
            for resource, least in low.items():
                yield from _bound(who, "requests", resource, requests.get(resource), least, owner, at_least=True)
            for resource, greatest in high.items():
                yield from _bound(who, "limits", resource, limits.get(resource), greatest, owner, at_least=False)
            for resource, greatest in ratio.items():
                asked, limit = requests.get(resource), limits.get(resource)
                if not asked or limit is None or limit / asked > greatest:
                    yield Problem(
                        f"{who}, resources.limits.{resource}",
                        "not set" if limit is None else written(resource, limit),
                        f"at most {float(greatest):g} times its request, since {owner} has maxLimitRequestRatio",
                        "Raise the request, or lower the limit.",
                    )


def _bound(
    who: str, part: str, resource: str, value: Fraction | None, bound: Fraction, owner: str, *, at_least: bool
) -> Iterator[Problem]:
    if value is not None and (value >= bound if at_least else value <= bound):
        return
    side, way = ("at least", "Raise") if at_least else ("at most", "Lower")
    yield Problem(
        f"{who}, resources.{part}.{resource}",
        "not set" if value is None else written(resource, value),
        f"{side} {written(resource, bound)}, as {owner} says",
        f"{'Set' if value is None else way} it, or change the limit range.",
    )


def _container(
    given: Mapping[str, Any], defaults: Iterable[tuple[Amounts, Amounts]], *, early: bool = False
) -> Container:
    resources = given.get("resources", {})
    limits = _amounts(resources.get("limits"))
    requests = {**limits, **_amounts(resources.get("requests"))}  # a request that is not set is the limit
    for default_requests, default_limits in defaults:
        limits = {**default_limits, **limits}
        requests = {**default_requests, **requests}
    return Container(str(given.get("name")), requests, limits, early)


def _defaults(item: Mapping[str, Any]) -> tuple[Amounts, Amounts]:
    """Requests and limits that a limit range puts in: a limit that it does not name is the maximum, and so on."""
    if item.get("type") != "Container":
        return {}, {}
    limits = {**_amounts(item.get("max")), **_amounts(item.get("default"))}
    requests = {**_amounts(item.get("min")), **limits, **_amounts(item.get("defaultRequest"))}
    return requests, limits


def _amounts(given: Any) -> dict[str, Fraction]:
    found: dict[str, Fraction] = {}
    for resource, value in (given or {}).items():
        try:
            found[resource] = quantity(value)
        except QuantityError:
            continue  # not known yet, or `validation` said it
    return found


def _part(container: Container, part: str) -> Amounts:
    return container.requests if part == "requests" else container.limits


def _totals(pod: Pod, part: str) -> Amounts:
    names = {name for one in pod.every for name in _part(one, part)}
    return {name: pod.total(part, name) for name in names}
