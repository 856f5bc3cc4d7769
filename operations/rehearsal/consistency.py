"""Does the state know everything that the cloud holds, and the other way round?"""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from engine.standin import FakeCloud
from engine.standin.cloud import CloudObject
from engine.standin.rules import PACKAGES


def _played(resources: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [
        one
        for one in resources
        if one.get("custom")
        and one["type"].split(":")[0] in PACKAGES
        and not one["type"].startswith("pulumi:")
        and not one.get("external")
        and not one.get("pendingReplacement")  # deleted already, its successor not yet made
    ]


def unknown(
    cloud: FakeCloud, resources: Iterable[Mapping[str, Any]], retained: Iterable[str] = ()
) -> list[CloudObject]:
    """Objects of the cloud that the state does not know. ``retained``: types that are kept on purpose."""
    known = Counter((one["type"], one.get("id", "")) for one in _played(resources))
    patterns = tuple(retained)
    found = []
    for one in cloud.objects().values():
        if not one.managed:
            continue
        if known[(one.type, one.id)]:
            known[(one.type, one.id)] -= 1
        elif not any(fnmatch.fnmatchcase(one.type, pattern) for pattern in patterns):
            found.append(one)
    return found


def strangers(cloud: FakeCloud, resources: Iterable[Mapping[str, Any]], retained: Iterable[str] = ()) -> list[str]:
    """The same in words: ``type id``."""
    return sorted(f"{one.type} {one.id}" for one in unknown(cloud, resources, retained))


def ghosts(cloud: FakeCloud, resources: Iterable[Mapping[str, Any]]) -> list[str]:
    """What the state knows and the cloud does not hold: ``type id``."""
    known = Counter((one["type"], one.get("id", "")) for one in _played(resources))
    held = Counter((one.type, one.id) for one in cloud.objects().values())
    return sorted(f"{token} {object_id}" for (token, object_id), _ in (known - held).items())


def incomplete(cloud: FakeCloud) -> list[str]:
    """What was cut short and never finished."""
    return sorted(f"{one.type} {one.id}" for one in cloud.objects().values() if not one.complete)


def not_played(resources: Iterable[Mapping[str, Any]]) -> list[str]:
    """Types that no stand-in plays: their providers do what they do in earnest."""
    return sorted(
        {
            one["type"]
            for one in resources
            if one.get("custom") and not one["type"].startswith("pulumi:") and one["type"].split(":")[0] not in PACKAGES
        }
    )
