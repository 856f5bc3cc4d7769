"""Whether what an input names is there: by the stand-in's tables of references and of the forms that names have.

In a recording every value is known, so an ARN of the account, a resource id of the subscription or a name in an input
that a table calls a reference must belong to something that the program makes or that it was told of.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from engine.standin import references
from engine.standin.objects import own_name
from engine.standin.rules import PACKAGES, load
from operations.schema.findings import OPAQUE, Finding, Record, Recording, shown

__all__ = ["dangling", "index"]

SOURCE = "the program's own resources"


def index(recording: Recording) -> references.Index | None:
    """What may be named; None where the recording is of a preview and nothing is there yet."""
    return references.Index(recording.objects) if recording.objects else None


def dangling(record: Record, there: references.Index | None) -> Iterator[Finding]:
    """Inputs that name what is not there."""
    if there is None or record.package not in PACKAGES:
        return
    rules = load(record.package)
    rule = rules.type_rule(record.token)
    rule = rule if rule.name else dataclasses.replace(rule, name=own_name(rule))
    known = {key: value for key, value in record.inputs.items() if value is not OPAQUE}
    missing = references.resolve(rules, rule, _without_opaque(known), there)[1]
    for path, value, wanted in missing:
        yield Finding(record.token, record.name, path, shown(value), "reference", f"there is no {wanted}", SOURCE)


def _without_opaque(value: object) -> dict:
    def clean(part: object) -> object:
        if isinstance(part, dict):
            return {key: clean(item) for key, item in part.items() if item is not OPAQUE}
        if isinstance(part, list):
            return [clean(item) for item in part if item is not OPAQUE]
        return part

    cleaned = clean(value)
    return cleaned if isinstance(cleaned, dict) else {}
