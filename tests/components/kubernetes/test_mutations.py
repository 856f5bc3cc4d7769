"""Mistakes in what the builder writes are found: every operator at every place of every example.

What is right is written by the builder and found right in the three newest minors. Does not prove that a cluster takes
what is found right.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from components.kubernetes import arithmetic, validation
from components.kubernetes.manifests import manifests
from components.kubernetes.published import MINORS
from tests.components.kubernetes.examples import examples

#: Keys below which names are the user's own, or the cluster's: any name is right there.
FREE = {
    *("labels", "annotations", "matchLabels", "nodeSelector", "data", "stringData"),
    *("hard", "limits", "requests", "default", "defaultRequest", "max", "min"),
}
#: Fields whose values the API enumerates, by their names in what the builder writes.
ENUMERATED = {
    *("apiVersion", "kind", "type", "protocol", "policyTypes", "imagePullPolicy", "whenUnsatisfiable", "scheme"),
    *("pathType", "selectPolicy", "operator", "action", "mode", "from", "algorithm", "rotationPolicy", "usages"),
    *("unhealthyPodEvictionPolicy", "restartPolicy"),
}
#: Where a `kind`, `type` or `from` is no enumeration: what somebody else defines.
NOT_ENUMERATED = (
    "Secret type",
    ".scaleTargetRef.",
    ".issuerRef.",
    "certificateRefs",
    "backendRefs",
    "parentRefs",
    "authorization.type",
)
Path = tuple[Any, ...]


def places(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def free(path: Path, manifest: dict[str, Any]) -> bool:
    """Whether any name is right as a key of the object at this path."""
    if manifest["kind"] == "Service" and path == ("spec", "selector"):
        return True
    # `limits` of a LimitRange are a list of objects; what is below an item is free only in its own maps.
    return bool(path) and path[-1] in FREE


def unknown_field(path: Path, value: Any, manifest: dict[str, Any]) -> Iterator[Any]:
    if isinstance(value, dict) and not free(path, manifest):
        yield {**value, "unknownField": 1}


def wrong_type(path: Path, value: Any, manifest: dict[str, Any]) -> Iterator[Any]:
    """A number where a port or a share may be one too is left to `out_of_range`."""
    if isinstance(value, dict | list):
        yield "something"
    elif isinstance(value, bool):
        yield "yes"
    else:
        yield {"value": value}


def nothing(path: Path, value: Any, manifest: dict[str, Any]) -> Iterator[Any]:
    yield None


def wrong_enumeration(path: Path, value: Any, manifest: dict[str, Any]) -> Iterator[Any]:
    keys = [part for part in path if isinstance(part, str)]
    where = f"{manifest['kind']} {'.'.join(keys)}"
    own = any(part in FREE for part in keys[:-1]) or any(one in where for one in NOT_ENUMERATED)
    if isinstance(value, str) and keys[-1] in ENUMERATED and not own:
        yield f"{value}X"


def out_of_range(path: Path, value: Any, manifest: dict[str, Any]) -> Iterator[Any]:
    if isinstance(value, int) and not isinstance(value, bool):
        yield -7


#: Operator → least share of its mistakes that must be found.
OPERATORS: dict[Callable[..., Iterator[Any]], float] = {
    unknown_field: 1.0,
    wrong_type: 1.0,
    nothing: 1.0,
    wrong_enumeration: 1.0,
    out_of_range: 1.0,
}


def with_value(manifest: dict[str, Any], path: Path, value: Any) -> Any:
    if not path:
        return value
    changed = copy.deepcopy(manifest)
    inside: Any = changed
    for part in path[:-1]:
        inside = inside[part]
    inside[path[-1]] = value
    return changed


def every_place() -> list[tuple[Path, Any, dict[str, Any]]]:
    """Each place of each kind once, whichever examples it is in."""
    found: dict[tuple[str, Path], tuple[Path, Any, dict[str, Any]]] = {}
    for args in examples().values():
        for one in manifests(args):
            manifest = copy.deepcopy(dict(one))
            for path, value in places(manifest):
                found.setdefault((manifest["kind"], path), (path, value, manifest))
    return list(found.values())


@pytest.mark.parametrize("name", examples())
@pytest.mark.proof("Local Kubernetes", level="schema")
def test_what_the_builder_writes_is_right_in_the_three_newest_minors_and_adds_up(name: str) -> None:
    written = manifests(examples()[name])
    assert validation.problems(written) == []
    assert arithmetic.problems(written) == []


@pytest.mark.timeout(900)
@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.__name__)
def test_mistakes_are_found(operator: Callable[..., Iterator[Any]]) -> None:
    tried, missed = 0, []
    for path, value, manifest in every_place():
        for wrong in operator(path, value, manifest) if path else ():
            tried += 1
            changed = with_value(manifest, path, wrong)
            if not validation.problems([changed], [MINORS[-1]]):
                missed.append(f"{manifest['kind']} {'.'.join(map(str, path))} = {wrong!r}")
    assert tried >= 50
    assert 1 - len(missed) / tried >= OPERATORS[operator], "\n".join([f"{len(missed)} of {tried} missed:", *missed])


def test_a_mistake_is_named_by_its_path() -> None:
    for path, value, manifest in every_place():
        if isinstance(value, dict) and not free(path, manifest) and path:
            changed = with_value(manifest, path, {**value, "unknownField": 1})
            [problem] = validation.problems([changed], [MINORS[-1]])
            assert problem.field.endswith(".unknownField")
            assert problem.field.startswith(f"{manifest['kind']} {manifest['metadata']['name']}: ")
