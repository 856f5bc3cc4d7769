"""The Kubernetes API's own schemas, with what they leave to prose put in.

The schemas of each minor version are data in the package kubernetes-validate, made from the specification that every
Kubernetes release publishes. They know fields, types and what is required, and in their strict form refuse a field that
they do not know. `data/rules.yaml` adds enumerations, ranges and forms of names; `data/custom/` has the resources of
operators, which are in no specification of Kubernetes.
"""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from components.kubernetes.json_schema import Draft202012Validator

DATA = Path(__file__).resolve().parent / "data"
#: The three newest minor versions: what the Kubernetes project still mends
#: (https://kubernetes.io/releases/version-skew-policy/).
MINORS = ("1.35", "1.36", "1.37")

#: A quantity as the API server parses it, without a sign: less than nothing is never asked for
#: (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/).
QUANTITY = r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?\Z"
_QUANTITY = {
    "type": ["string", "number"],
    "pattern": QUANTITY,
    "minimum": 0,
    "x-allowed": "a quantity such as 500m, 1.5 or 512Mi",
}
_INT_OR_STRING = {"type": ["string", "integer"], "x-allowed": "a whole number or a text"}

_API = "io.k8s.api."
_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


@functools.cache
def validator(minor: str, api_version: str, kind: str) -> Draft202012Validator | None:
    """What checks manifests of one kind; None where that version has no such kind. minor: one of :data:`MINORS`."""
    definitions = _definitions(minor)
    name = _kinds(minor).get((api_version, kind))
    if name is not None:
        own: dict[str, Any] = {"$ref": f"#/$defs/{name}", "required": ["apiVersion", "kind", "metadata"]}
    elif (api_version, kind) in _custom():
        own = {
            "type": "object",
            "additionalProperties": False,
            "required": ["apiVersion", "kind", "metadata", "spec"],
            "properties": {
                "apiVersion": {"const": api_version},
                "kind": {"const": kind},
                "metadata": {"$ref": f"#/$defs/{_META}"},
                "spec": _custom()[api_version, kind],
            },
            "x-name": kind,
        }
    else:
        return None
    return Draft202012Validator({**own, "$defs": definitions})


def kinds(minor: str) -> set[tuple[str, str]]:
    """(apiVersion, kind) of everything that can be checked."""
    return {*_kinds(minor), *_custom()}


@functools.cache
def _definitions(minor: str) -> dict[str, Any]:
    folder = resources.files("kubernetes_validate") / "kubernetes-json-schema" / f"v{minor}.0-local-strict"
    found: dict[str, Any] = json.loads((folder / "_definitions.json").read_text(encoding="utf-8"))["$defs"]
    for name, definition in found.items():
        _without_null(definition)
        definition["x-name"] = name.rpartition(".")[2]
    for name, fields in _rules().items():
        definition = found[name if name.startswith("io.") else _API + name]
        for field, words in fields.items():
            if field == "$":
                required = [*definition.get("required", ()), *words.get("required", ())]
                _merge(definition, {**words, "required": list(dict.fromkeys(required))})
            # A field that a minor does not have yet (or no more) needs no rule in it.
            elif field in definition["properties"]:
                _merge(definition["properties"][field], words)
    found["io.k8s.apimachinery.pkg.api.resource.Quantity"] = _QUANTITY
    found["io.k8s.apimachinery.pkg.util.intstr.IntOrString"] = _INT_OR_STRING
    return found


@functools.cache
def _kinds(minor: str) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for name, definition in _definitions(minor).items():
        groups = definition.get("x-kubernetes-group-version-kind", ())
        if len(groups) == 1 and "kind" in definition.get("properties", {}):
            [one] = groups
            version = f"{one['group']}/{one['version']}" if one["group"] else one["version"]
            found[version, one["kind"]] = name
    return found


@functools.cache
def _rules() -> dict[str, dict[str, Any]]:
    return yaml.safe_load((DATA / "rules.yaml").read_text(encoding="utf-8"))


@functools.cache
def _custom() -> dict[tuple[str, str], Any]:
    read = (yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted((DATA / "custom").glob("*.yaml")))
    return {(one["apiVersion"], one["kind"]): one["schema"] for one in read}


def _without_null(schema: Any) -> None:
    """Null means "not set" to the API server: a manifest of ours leaves such a field out."""
    if isinstance(schema, dict):
        kind = schema.get("type")
        if isinstance(kind, list) and "null" in kind:
            rest = [one for one in kind if one != "null"]
            schema["type"] = rest[0] if len(rest) == 1 else rest
        for value in schema.values():
            _without_null(value)
    elif isinstance(schema, list):
        for value in schema:
            _without_null(value)


def _merge(into: dict[str, Any], words: Mapping[str, Any]) -> None:
    for key, value in words.items():
        there = into.get(key)
        if isinstance(value, Mapping) and isinstance(there, dict):
            _merge(there, value)
        else:
            into[key] = copy.deepcopy(value)
