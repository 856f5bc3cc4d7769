"""Holding values in the vendor's form against the vendor's model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import regex

from operations.schema.findings import OPAQUE, shown
from operations.schema.nodes import Node
from operations.schema.translate import choose
from operations.schema.values import Branch, Leaf, Placed, Row, plain

#: path, value as text, kind of rule, message.
Problem = tuple[str, str, str, str]
_TYPES = {
    "object": "named properties",
    "map": "a map",
    "list": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}


def problems(node: Node, placed: Placed, supplied: frozenset[str] = frozenset()) -> Iterator[Problem]:
    """What the model forbids. supplied: required names that the provider puts in itself, at any depth."""
    if isinstance(placed, Leaf) and (placed.value is OPAQUE or placed.value is None):
        return
    if node.kind == "any":
        return
    if node.kind == "union":
        yield from problems(choose(node, plain(placed)), placed, supplied)
    elif node.kind in ("object", "map"):
        yield from _named(node, placed, supplied)
    elif node.kind == "list":
        yield from _listed(node, placed, supplied)
    elif isinstance(placed, Leaf):
        yield from _scalar(node, placed.path, placed.value)
    else:
        yield _wrong_type(node, placed)


def _named(node: Node, placed: Placed, supplied: frozenset[str]) -> Iterator[Problem]:
    if not isinstance(placed, Branch):
        yield _wrong_type(node, placed)
        return
    if node.kind == "map":
        for child in placed.children.values():
            yield from problems(node.element, child, supplied)
        return
    for path, key in placed.extra:
        known = ", ".join(sorted(node.properties)[:12])
        yield path, "", "unknown", f"there is no {key!r} here; there are {known}"
    for name in sorted(node.required - set(placed.children) - supplied):
        yield placed.path, "", "required", f"{name} is required here"
    for name, child in placed.children.items():
        if name in node.properties:
            yield from problems(node.properties[name], child, supplied)


def _listed(node: Node, placed: Placed, supplied: frozenset[str]) -> Iterator[Problem]:
    if not isinstance(placed, Row):
        yield _wrong_type(node, placed)
        return
    count = len(placed.items)
    if _outside(node, count):
        yield placed.path, f"{count} items", "length", f"{_limits(node)} items are allowed"
    for item in placed.items:
        yield from problems(node.element, item, supplied)


def _scalar(node: Node, path: str, value: Any) -> Iterator[Problem]:
    read = _READ[node.kind](value)
    if read is None:
        yield path, shown(value), "type", f"must be {_TYPES[node.kind]}"
        return
    if node.enum and not _among(node, read):
        allowed = ", ".join(map(str, node.enum[:12])) + (" …" if len(node.enum) > 12 else "")
        yield path, shown(value), "enum", f"must be one of {allowed}"
    elif node.kind in ("integer", "number") and _outside(node, read):
        yield path, shown(value), "range", f"must be {_limits(node)}"
    elif node.kind == "string":
        if _outside(node, len(read)):
            yield path, shown(value), "length", f"has {len(read)} characters; {_limits(node)} are allowed"
        elif node.pattern and not matches(node.pattern, read):
            yield path, shown(value), "pattern", f"must match {node.pattern}"


def _wrong_type(node: Node, placed: Placed) -> Problem:
    return placed.path, shown(plain(placed)), "type", f"must be {_TYPES[node.kind]}"


def _among(node: Node, value: Any) -> bool:
    if node.fold and isinstance(value, str):
        return value.lower() in {str(one).lower() for one in node.enum}
    return value in node.enum or str(value) in map(str, node.enum)


def _outside(node: Node, number: float) -> bool:
    return (node.minimum is not None and number < node.minimum) or (node.maximum is not None and number > node.maximum)


def _limits(node: Node) -> str:
    if node.minimum is None:
        return f"at most {node.maximum:g}"
    if node.maximum is None:
        return f"at least {node.minimum:g}"
    return f"{node.minimum:g} to {node.maximum:g}"


def matches(pattern: str, value: str) -> bool:
    """Whether a text holds a pattern; a pattern in a dialect that is not ours says nothing."""
    try:
        return regex.search(pattern, value, timeout=1) is not None
    except (regex.error, TimeoutError):
        return True


def _boolean(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value) if isinstance(value, str) else None


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    try:
        return float(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _integer(value: Any) -> Any:
    number = _number(value)
    return int(number) if number is not None and float(number).is_integer() else None


def _string(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    return value if isinstance(value, str) else None


_READ: dict[str, Callable[[Any], Any]] = {
    "boolean": _boolean,
    "integer": _integer,
    "number": _number,
    "string": _string,
}
