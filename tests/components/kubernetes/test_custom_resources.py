"""Our strict schemas of operators' resources against the operators' own definitions.

Proves that what we let through is what the operator knows, by names, types and enumerations. Not that an operator of
another version does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from components.kubernetes.published import DATA
from tests.real_parts import ROOT

DEFINITIONS = ROOT / ".local" / "crds"
OURS = [yaml.safe_load(file.read_text()) for file in sorted((DATA / "custom").glob("*.yaml"))]


@pytest.fixture(scope="module")
def definitions() -> dict[tuple[str, str], Any]:
    """(apiVersion, kind) → the schema of `spec`."""
    files = sorted(DEFINITIONS.glob("*.yaml"))
    if not files:
        pytest.skip("the operators' definitions are not here (bash .ci/kubernetes-definitions)")
    found: dict[tuple[str, str], Any] = {}
    for file in files:
        spec = yaml.safe_load(file.read_text())["spec"]
        for version in spec["versions"]:
            schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
            found[f"{spec['group']}/{version['name']}", spec["names"]["kind"]] = schema
    return found


def different(ours: Mapping[str, Any], theirs: Mapping[str, Any], path: str) -> Iterator[str]:
    if "$ref" in ours:  # a part of Kubernetes' own, which theirs repeats
        return
    kind = ours.get("type", "string")
    takes = theirs.get("type", "string") if not theirs.get("x-kubernetes-int-or-string") else kind
    if kind != takes and not (kind == "integer" and takes == "number"):
        yield f"{path}: {kind}, theirs is {takes}"
    if "enum" in ours and "enum" in theirs and not set(ours["enum"]) <= set(theirs["enum"]):
        yield f"{path}: {sorted(set(ours['enum']) - set(theirs['enum']))} is none of theirs"
    for name, part in ours.get("properties", {}).items():
        if name not in theirs.get("properties", {}):
            yield f"{path}.{name}: they have no such field"
        else:
            yield from different(part, theirs["properties"][name], f"{path}.{name}")
    if "items" in ours:
        yield from different(ours["items"], theirs["items"], f"{path}[]")
    # What they give a default need not be written.
    needed = {one for one in theirs.get("required", ()) if "default" not in theirs["properties"].get(one, {})}
    if ours.get("properties") and not needed <= set(ours.get("required", ())):
        yield f"{path}: {sorted(needed - set(ours.get('required', ())))} must be there"


@pytest.mark.parametrize("ours", OURS, ids=lambda one: one["kind"])
def test_what_we_let_through_is_known_to_the_operator(
    ours: dict[str, Any], definitions: dict[tuple[str, str], Any]
) -> None:
    theirs = definitions[ours["apiVersion"], ours["kind"]]
    assert list(different(ours["schema"], theirs, ours["kind"])) == []


def test_each_definition_is_of_one_that_we_write(definitions: dict[tuple[str, str], Any]) -> None:
    assert {(one["apiVersion"], one["kind"]) for one in OURS} <= definitions.keys()
    assert {kind for _api, kind in definitions} == {one["kind"] for one in OURS}
