"""Property values on the wire and in here: plain Python, with secrets and unknowns marked.

Pulumi sends properties as a protobuf ``Struct``; a secret is a wrapper object in it and a value that is not known
before the deployment is a reserved string. Numbers arrive as floats; whole ones become ``int``, so that a port in a
URL reads ``8080``.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from google.protobuf import struct_pb2

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 # a marker of the protocol, not a secret
OUTPUT_SIGNATURE = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
RESOURCE_SIGNATURE = "5cf8f73096256a8f31e491e813e4eb8e"
UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


class Unknown:
    """The value that is known only after the deployment. There is one: :data:`UNKNOWN`."""

    def __repr__(self) -> str:
        return "<unknown>"

    def __deepcopy__(self, memo: object) -> Unknown:
        return self


UNKNOWN = Unknown()


class Secret:
    """A value that must not be shown or stored in clear. Its text never appears in ``repr``."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value.value if isinstance(value, Secret) else value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.value == other.value

    __hash__ = None  # pyright: ignore[reportAssignmentType] # holds lists and dicts

    def __repr__(self) -> str:
        return "<secret>"


def from_struct(struct: struct_pb2.Struct) -> dict[str, Any]:
    """The properties of a request as a dict."""
    return {key: _from_value(value) for key, value in struct.fields.items()}


def _from_value(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return UNKNOWN if value.string_value == UNKNOWN_TEXT else value.string_value
    if kind == "number_value":
        number = value.number_value
        return int(number) if number == int(number) and abs(number) < 2**53 else number
    if kind == "bool_value":
        return value.bool_value
    if kind == "list_value":
        return [_from_value(item) for item in value.list_value.values]
    if kind == "struct_value":
        fields = value.struct_value.fields
        return _from_fields({key: _from_value(item) for key, item in fields.items()})
    return None


def _from_fields(fields: dict[str, Any]) -> Any:
    signature = fields.get(SIGNATURE)
    if signature == SECRET_SIGNATURE:
        return Secret(fields.get("value"))
    if signature == OUTPUT_SIGNATURE:
        value = fields.get("value", UNKNOWN)
        return Secret(value) if fields.get("secret") else value
    if signature == RESOURCE_SIGNATURE:
        return fields.get("id", fields.get("urn"))
    return fields


def to_struct(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """The properties of an answer; ``None`` values are left out, as vendors' providers do."""
    struct = struct_pb2.Struct()
    struct.update({key: _to_wire(value) for key, value in values.items() if value is not None})
    return struct


def _to_wire(value: Any) -> Any:
    if value is UNKNOWN:
        return UNKNOWN_TEXT
    if isinstance(value, Secret):
        return {SIGNATURE: SECRET_SIGNATURE, "value": _to_wire(value.value)}
    if isinstance(value, Mapping):
        return {key: _to_wire(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_to_wire(item) for item in value]
    return value


def transform(value: Any, change: Callable[[Any], Any]) -> Any:
    """A copy with ``change`` applied to every leaf, secrets and unknowns included."""
    if isinstance(value, Mapping):
        return {key: transform(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [transform(item, change) for item in value]
    return change(value)


def plain(value: Any) -> Any:
    """The value without secret marks."""
    return transform(value, lambda leaf: plain(leaf.value) if isinstance(leaf, Secret) else leaf)


def has_unknown(value: Any) -> bool:
    """Whether anything inside is unknown."""
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    return has_unknown(value.value) if isinstance(value, Secret) else value is UNKNOWN


def has_secret(value: Any) -> bool:
    """Whether anything inside is secret."""
    if isinstance(value, Mapping):
        return any(has_secret(item) for item in value.values())
    if isinstance(value, list):
        return any(has_secret(item) for item in value)
    return isinstance(value, Secret)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf with its path: ``template.containers[].image`` (list positions are left out)."""
    if isinstance(value, Secret):
        value = value.value
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, f"{path}[]")
    else:
        yield path, value


_MASK = "\N{FULL BLOCK}secret"


def mask(value: Any, key: str) -> Any:
    """A copy for a file: each secret becomes a keyed hash, enough to see whether it changed and no more."""
    return transform(value, lambda leaf: {_MASK: _digest(leaf.value, key)} if isinstance(leaf, Secret) else leaf)


def unmask(stored: Any, given: Any, key: str) -> Any:
    """Undo :func:`mask` with the values that the caller still knows.

    A secret that the caller does not know, or knows differently, comes back as a marker text: it differs, so the
    change is seen, and nothing is revealed.
    """
    known = given.value if isinstance(given, Secret) else given
    if isinstance(stored, Mapping):
        if set(stored) == {_MASK}:
            same = hmac.compare_digest(_digest(known, key), stored[_MASK])
            return Secret(known if same else "[a secret that the state does not know]")
        inner = known if isinstance(known, Mapping) else {}
        return {name: unmask(item, inner.get(name), key) for name, item in stored.items()}
    if isinstance(stored, list):
        items = known if isinstance(known, list) else []
        return [unmask(item, items[at] if at < len(items) else None, key) for at, item in enumerate(stored)]
    return stored


def _digest(value: Any, key: str) -> str:
    text = json.dumps(plain(value), sort_keys=True, default=repr)
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
