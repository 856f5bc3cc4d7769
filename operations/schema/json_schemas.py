"""Validation by JSON schemas: cfn-lint's, with the keywords that it adds, and ours for what no vendor describes."""

# ruff: noqa: ARG001 # the library fixes the arguments of a keyword

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError, validators
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from operations.schema.findings import OPAQUE
from operations.schema.models import DATA
from operations.schema.validate import matches

_RULES = {"enum": "enum", "const": "enum", "required": "required", "additionalProperties": "unknown",
          "type": "type", "pattern": "pattern", "minimum": "range", "maximum": "range", "multipleOf": "range",
          "minLength": "length", "maxLength": "length", "minItems": "length", "maxItems": "length"}  # fmt: skip


def errors(schema: Mapping[str, Any], value: Any, *, shared: str = "") -> Iterator[tuple[list[Any], str, str]]:
    """(path, kind of rule, message) of each violation. shared: names the folder whose schemas refer to each other."""
    checker = _CfnValidator(schema, registry=_registry(shared))
    for error in checker.iter_errors(value):
        for leaf in _leaves(error):
            if _touches_unknown(leaf.instance) and leaf.validator not in ("additionalProperties", "required"):
                continue
            yield list(leaf.absolute_path), _RULES.get(str(leaf.validator), "together"), _short(leaf.message)


@functools.cache
def own(name: str) -> Mapping[str, Any]:
    """A schema of ours, ``data/documents/<name>.yaml``."""
    return yaml.safe_load((DATA / "documents" / f"{name}.yaml").read_text())


@functools.cache
def from_file(path: Path) -> Any:
    """A schema in a file of JSON."""
    return json.loads(path.read_text())


@functools.cache
def _registry(folder: str) -> Registry:
    registry: Registry = Registry()
    if folder:
        for file in sorted(Path(folder).glob("*.json")):
            content = from_file(file)
            registry = registry.with_resource(content.get("$id", file.stem), Resource(content, DRAFT202012))
    return registry


def _leaves(error: ValidationError) -> list[ValidationError]:
    """An alternative that fails is told by what its best branch lacks."""
    if error.validator in ("anyOf", "oneOf") and error.context:
        branches: dict[Any, list[ValidationError]] = {}
        for one in error.context:
            branches.setdefault(one.schema_path[0], []).append(one)
        if any(_touches_unknown(one.instance) for one in error.context):
            return []
        return [error]
    return [error]


def _touches_unknown(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_touches_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(_touches_unknown(item) for item in value)
    return value is OPAQUE


def _short(message: str, limit: int = 160) -> str:
    return message if len(message) <= limit else message[: limit - 1] + "…"


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not matches(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _required_xor(validator: Any, names: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, Mapping) and len(set(names) & set(instance)) != 1:
        yield ValidationError(f"exactly one of {', '.join(names)} is required")


def _required_or(validator: Any, names: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, Mapping) and not set(names) & set(instance):
        yield ValidationError(f"one of {', '.join(names)} is required")


def _dependent_excluded(validator: Any, table: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, Mapping):
        for name, others in table.items():
            there = [other for other in others if other in instance]
            if name in instance and there:
                yield ValidationError(f"{name} excludes {', '.join(there)}")


def _unique_keys(validator: Any, keys: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, list):
        seen = [
            tuple(str(item.get(key)) for key in keys)
            for item in instance
            if isinstance(item, Mapping) and all(key in item for key in keys)
        ]
        if len(seen) != len(set(seen)):
            yield ValidationError(f"{', '.join(keys)} must be unique in the list")


_CfnValidator = validators.extend(
    Draft202012Validator,
    {
        "pattern": _pattern,
        "requiredXor": _required_xor,
        "requiredOr": _required_or,
        "dependentExcluded": _dependent_excluded,
        "uniqueKeys": _unique_keys,
    },
)
