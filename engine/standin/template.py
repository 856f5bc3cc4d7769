"""The small language of the rule tables: ``arn:${partition}:s3:::${name}``.

``${…}`` holds alternatives separated by ``??``; the first that has a value wins. An alternative is a quoted text, or
a dotted path (``in.bucket``, ``out.arn``, ``region``, ``ref.vpcId.cidrBlock``) with filters (``|lower|last``).
A template that is nothing but one ``${…}`` keeps the value's type; anything else makes text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from engine.standin.values import UNKNOWN, Secret


class Missing(Exception):  # noqa: N818 # control flow, not an error for people
    """Nothing has the value that the template asks for."""


class Scope(Protocol):
    """Where paths are looked up. Raises :class:`Missing`."""

    def lookup(self, path: str) -> Any: ...


_HOLE = re.compile(r"\$\{([^}]*)\}")
_FILTERS: Mapping[str, Callable[[Any], Any]] = {
    "lower": lambda value: str(value).lower(),
    "upper": lambda value: str(value).upper(),
    "last": lambda value: re.split(r"[/:]", str(value).rstrip("/"))[-1],
    "first": lambda value: re.split(r"[/:.]", str(value))[0],
    "host": lambda value: re.sub(r"^[a-z]+://", "", str(value)).split("/")[0],
    "path": lambda value: re.sub(r"^https://[^/]+/(compute/v1/)?", "", str(value)),
    "keys": lambda value: sorted(value),
    "len": lambda value: len(value),
    "json": lambda value: json.dumps(value),
    "sha": lambda value: hashlib.sha256(str(value).encode()).hexdigest()[:12],
    "alnum": lambda value: re.sub(r"[^a-z0-9]", "", str(value).lower()),
    "item": lambda value: value[0] if value else "",
    "int": lambda value: int(value),
    "text": lambda value: str(value),
    "prefix": lambda value: str(value).rsplit("/", 1)[0],
    "unslashed": lambda value: str(value).lstrip("/"),
}


def render(template: Any, scope: Scope) -> Any:
    """The value of a template; dicts and lists are rendered inside.

    A part that is secret makes the whole secret, one that is unknown makes the whole unknown.
    Raises :class:`Missing` where a path has no value and no alternative, ``ValueError`` for an unknown filter.
    """
    if isinstance(template, Mapping):
        return {key: render(item, scope) for key, item in template.items()}
    if isinstance(template, list):
        return [render(item, scope) for item in template]
    if not isinstance(template, str) or "${" not in template:
        return template
    whole = _HOLE.fullmatch(template)
    if whole:
        return _expression(whole[1], scope)
    state = {"secret": False, "unknown": False}

    def fill(hole: re.Match[str]) -> str:
        value = _expression(hole[1], scope)
        if isinstance(value, Secret):
            state["secret"], value = True, value.value
        if value is UNKNOWN:
            state["unknown"] = True
            return ""
        return value if isinstance(value, str) else json.dumps(value)

    text: Any = _HOLE.sub(fill, template)
    if state["unknown"]:
        text = UNKNOWN
    return Secret(text) if state["secret"] else text


def _expression(expression: str, scope: Scope) -> Any:
    missing: Missing | None = None
    for alternative in expression.split("??"):
        path, *filters = (part.strip() for part in alternative.strip().split("|"))
        try:
            value = _quoted(path) if path[:1] == "'" else scope.lookup(path)
        except Missing as error:
            missing = error
            continue
        for name in filters:
            value = _filtered(value, name)
        return value
    raise missing or Missing(expression)


def _quoted(path: str) -> str:
    return path[1:-1]


def _filtered(value: Any, name: str) -> Any:
    if name not in _FILTERS:
        raise ValueError(f"template filter {name!r} is not known; there are {', '.join(sorted(_FILTERS))}")
    if value is UNKNOWN:
        return value
    if isinstance(value, Secret):
        return Secret(_filtered(value.value, name))
    return _FILTERS[name](value)


def dig(value: Any, path: str) -> Any:
    """The value at a dotted path of dicts and list positions (``0``); raises :class:`Missing`.

    A secret on the way makes the result secret; beyond an unknown everything is unknown.
    """
    secret = False
    for step in path.split(".") if path else []:
        if isinstance(value, Secret):
            secret, value = True, value.value
        if value is UNKNOWN:
            break
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            raise Missing(path)
    if value is None:
        raise Missing(path)
    return Secret(value) if secret and not isinstance(value, Secret) else value
