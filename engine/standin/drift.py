"""Changes made behind the program's back, and things that were there before it."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any

from engine.standin import naming
from engine.standin.cloud import CloudObject, FakeCloud


class DriftError(ValueError):
    """Nothing fits, or the change makes no sense; the text says what there is."""


def matching(objects: Mapping[str, CloudObject], match: str) -> list[CloudObject]:
    """Objects whose type, id, name or URN fits a glob."""
    return [
        one
        for one in objects.values()
        if any(fnmatch.fnmatchcase(text, match) for text in (one.type, one.id, one.name, one.urn, one.key))
    ]


def drift(cloud: FakeCloud, match: str, changes: Mapping[str, Any] | None = None, *, delete: bool = False) -> list[str]:
    """Change properties (dotted path → value) of every object that fits, or delete it; their ids.

    Raises :class:`DriftError` where nothing fits.
    """
    if bool(changes) == delete:
        raise DriftError("give either properties to set or delete, not both and not none")
    with cloud.change() as objects:
        found = matching(objects, match)
        if not found:
            there = ", ".join(sorted(f"{one.type} {one.id}" for one in objects.values())) or "nothing"
            raise DriftError(f"no object fits {match!r}; the cloud holds {there}")
        for one in found:
            if delete:
                del objects[one.key]
                continue
            for path, value in (changes or {}).items():
                for values in (one.inputs, one.outputs):
                    naming.put(values, path, value)
    for one in found:
        cloud.write_journal(operation="drift", type=one.type, id=one.id, set=dict(changes or {}), deleted=delete)
    return [one.id for one in found]


def add_existing(cloud: FakeCloud, token: str, object_id: str, outputs: Mapping[str, Any] | None = None) -> CloudObject:
    """Put something into the cloud that was there before the program: a given network, a cluster, a domain."""
    values = dict(outputs or {})
    names = [value for key in ("arn", "name", "selfLink") if isinstance(value := values.get(key), str)]
    one = CloudObject(
        package=token.split(":")[0],
        type=token,
        id=object_id,
        key=f"{token}|{object_id}",
        seed=object_id,
        name=str(values.get("name", "")),
        outputs=values,
        handles=names,
        managed=False,
    )
    with cloud.change() as objects:
        objects[one.key] = one
    return one
