"""Which objects an object names, and whether they exist.

Two ways to see that a text names something: a row says so for the input (``bucket`` → a bucket's name), or the text
has a form that only a name has (an ARN of the account, a resource id of the subscription, ``subnet-0ab…``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from engine.standin.cloud import CloudObject
from engine.standin.rules import PackageRules, TypeRule
from engine.standin.values import Secret, leaves

#: Free text: what looks like a name in here is not one.
_FREE = re.compile(r"^(tags|tagsAll|labels|annotations|description|metadata\.(labels|annotations)|__defaults)\b")


class Index:
    """Objects by the texts that name them."""

    def __init__(self, objects: Iterable[CloudObject]) -> None:
        self._by_handle: dict[str, list[CloudObject]] = {}
        for one in objects:
            for handle in {one.id, *one.handles}:
                self._by_handle.setdefault(handle, []).append(one)

    def find(self, handle: str, types: tuple[str, ...] = (), place: str = "") -> CloudObject | None:
        """The object that a text names; ``types`` narrows it down to type tokens.

        Where several are named alike, the one in the same region or cluster is meant.
        """
        found = [one for one in self._by_handle.get(handle, ()) if not types or one.type in types]
        near = [one for one in found if one.place == place]
        return (near or found or [None])[0]

    def find_or_part(self, handle: str, types: tuple[str, ...] = (), place: str = "") -> CloudObject | None:
        """As :meth:`find`; also a part of an object (``<id>/blobServices/default``, ``<arn>:*``)."""
        text = handle
        while text:
            found = self.find(text, types, place)
            if found:
                return found
            cut = max(text.rfind("/"), text.rfind(":"), text.rfind("@"))
            text = text[:cut] if cut > 0 else ""
        return None


def resolve(
    rules: PackageRules,
    rule: TypeRule,
    inputs: Mapping[str, Any],
    index: Index,
    own_key: str = "",
    place: str = "",
) -> tuple[list[str], list[tuple[str, str, str]]]:
    """Keys of the objects that hold these inputs' names, and what is missing: (input path, text, type wanted).

    Keys named only by weak references are checked and left out: they may be deleted first.
    """
    uses: list[str] = []
    missing: list[tuple[str, str, str]] = []
    for path, value in leaves(dict(inputs)):
        if not isinstance(value, str) or isinstance(value, Secret) or not value or _FREE.match(path):
            continue
        if path == rule.name:
            continue
        wanted = _wanted(rules, rule, path)
        if wanted is False:
            continue
        found, problem = _named(rules, value, wanted, index, place)
        if problem:
            missing.append((path, value, problem))
        elif found is not None and found.key != own_key and found.key not in uses and path not in rule.weak:
            uses.append(found.key)
    return uses, missing


def _wanted(rules: PackageRules, rule: TypeRule, path: str) -> Any:
    """What a row says about an input: type tokens, False for no check, None where there is no row."""
    if path in rule.references:
        return rule.references[path]
    last = path.split(".")[-1]
    # A package-wide row is about top-level inputs only, unless it is written for the last part of a path.
    return rules.references.get(path, rules.references.get("*." + last))


def _named(rules: PackageRules, value: str, wanted: Any, index: Index, place: str) -> tuple[CloudObject | None, str]:
    for pattern in rules.patterns:
        match = pattern.match.match(value)
        if not match:
            continue
        if pattern.builtin:
            return None, ""
        text = match.groupdict().get("handle") or value
        found = index.find_or_part(text, pattern.types, place)
        if found is None and wanted:
            found = index.find(value, _tokens(wanted), place)
        return found, "" if found else " or ".join(pattern.types) or "an object of that name"
    if not wanted or wanted == "any":
        return None, ""
    found = index.find(value, _tokens(wanted), place) or index.find_or_part(value, _tokens(wanted), place)
    return found, "" if found else " or ".join(_tokens(wanted))


def _tokens(wanted: Any) -> tuple[str, ...]:
    return (wanted,) if isinstance(wanted, str) else tuple(wanted)
