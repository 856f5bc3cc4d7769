"""Rules of our own for what no vendor publishes in a machine's form: ``data/own.yaml``, each with its page."""

from __future__ import annotations

import fnmatch
import functools
from collections.abc import Iterator
from typing import Any

import yaml

from operations.schema.findings import OPAQUE, Finding, Record, shown
from operations.schema.models import DATA
from operations.schema.validate import matches
from operations.schema.values import leaves, steps


def findings(record: Record) -> Iterator[Finding]:
    """What our table forbids in one resource."""
    rules = _rules(record.token)
    for path, value in leaves(dict(record.inputs)) if rules else ():
        if value is OPAQUE or value is None:
            continue
        for rule in rules:
            if fnmatch.fnmatchcase(steps(path), rule["path"]):
                problem = _problem(rule, value)
                if problem:
                    kind = "pattern" if "match" in rule else "range"
                    yield Finding(record.token, record.name, path, shown(value), kind, problem, rule["source"])


@functools.cache
def _rules(token: str) -> list[dict[str, Any]]:
    return [rule for rule in _table() if fnmatch.fnmatchcase(token, rule["token"])]


@functools.cache
def _table() -> list[dict[str, Any]]:
    return yaml.safe_load((DATA / "own.yaml").read_text())


def _problem(rule: dict[str, Any], value: Any) -> str:
    if "match" in rule:
        return "" if not isinstance(value, str) or matches(rule["match"], value) else f"must match {rule['match']}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return "" if rule["min"] <= value <= rule["max"] else f"must be {rule['min']} to {rule['max']}"
