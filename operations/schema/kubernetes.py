"""Kubernetes' objects against the API's own schemas: the same check as the component makes before it registers them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from operations.schema.findings import Finding, Record, shown

#: Types of the provider that are no object of the API.
_OTHERS = ("helm.sh", "kustomize", "yaml")


def source(token: str) -> str:
    """What a type's inputs are held against; empty where that is nothing."""
    from components.kubernetes.published import MINORS, kinds

    return f"Kubernetes {', '.join(MINORS)}" if _kind(token) in kinds(MINORS[-1]) else ""


def documents(record: Record) -> Iterator[Finding]:
    """Findings about one object by itself."""
    from components.kubernetes import validation

    if not record.token.split(":")[1].startswith(_OTHERS):
        yield from _findings(record, validation.problems([_manifest(record)]), "together")


def sums(records: Iterable[Record]) -> Iterator[Finding]:
    """Findings about requests, limits, replicas and quotas of all objects; they must be right by themselves."""
    from components.kubernetes import arithmetic, validation

    objects = [
        (_manifest(record), record)
        for record in records
        if record.package == "kubernetes" and not record.token.split(":")[1].startswith(_OTHERS)
    ]
    manifests = [manifest for manifest, _record in objects]
    if objects and not validation.problems(manifests):
        by_title = {f"{one['kind']} {one['metadata']['name']}": record for one, record in objects}
        for problem in arithmetic.problems(manifests):
            # What is said of a part of an object begins with the object.
            record = by_title.get(problem.field.partition(":")[0])
            if record is not None:
                yield from _findings(record, [problem], "together")


def _findings(record: Record, problems: Iterable[Any], rule: str) -> Iterator[Finding]:
    for problem in problems:
        path = problem.field.partition(": ")[2]
        known = "unknown" if "would drop it" in problem.fix else "required" if problem.value == "not set" else rule
        yield Finding(
            record.token, record.name, path, shown(problem.value), known, f"allowed: {problem.allowed}", "Kubernetes"
        )


def _kind(token: str) -> tuple[str, str]:
    _package, group, kind = token.split(":")
    return group.removeprefix("core/"), kind


def _manifest(record: Record) -> dict[str, Any]:
    """The object as the provider sends it, with the name that it makes up where none is given."""
    version, kind = _kind(record.token)
    given = {key: value for key, value in record.inputs.items() if value is not None}
    metadata = given.get("metadata", {})
    named = {"name": record.name.lower(), **metadata} if isinstance(metadata, dict) else metadata
    return {"apiVersion": version, "kind": kind, **given, "metadata": named}
