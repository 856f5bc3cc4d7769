"""Values on the wire: protobuf structs, secrets, unknowns, URNs.

Inside the engine a property value is what JSON has. A secret is a dict with Pulumi's signature key, an unknown is
Pulumi's sentinel string; both as the SDKs send them (`pulumi/runtime/rpc.py` in the SDK).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from google.protobuf import struct_pb2

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 # a marker of the protocol, no secret
RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
#: Further sentinels for unknown bool, number, list, map, asset and archive values.
UNKNOWNS = frozenset(
    {
        UNKNOWN,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
STACK_TYPE = "pulumi:pulumi:Stack"
PROVIDER_PREFIX = "pulumi:providers:"
#: The package of dynamic resources written in Python.
DYNAMIC = "pulumi-python"


# -- structs ---------------------------------------------------------------------------------------------------------


def from_struct(struct: struct_pb2.Struct) -> dict[str, Any]:
    """Plain values of a struct; whole numbers become int, as state files have them."""
    return {key: from_value(value) for key, value in struct.fields.items()}


def from_value(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return value.string_value
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() and abs(number) < 2**63 else number
    if kind == "bool_value":
        return value.bool_value
    if kind == "struct_value":
        return from_struct(value.struct_value)
    if kind == "list_value":
        return [from_value(item) for item in value.list_value.values]
    return None


def to_struct(values: Mapping[str, Any]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    for key, value in values.items():
        _fill(struct.fields[key], value)
    return struct


def _fill(target: struct_pb2.Value, value: Any) -> None:
    if value is None:
        target.null_value = struct_pb2.NULL_VALUE
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, (int, float)):
        target.number_value = value
    elif isinstance(value, str):
        target.string_value = value
    elif isinstance(value, Mapping):
        target.struct_value.SetInParent()
        for key, item in value.items():
            _fill(target.struct_value.fields[key], item)
    else:
        target.list_value.SetInParent()
        for item in value:
            _fill(target.list_value.values.add(), item)


# -- secrets and unknowns --------------------------------------------------------------------------------------------


def is_secret(value: Any) -> bool:
    return isinstance(value, dict) and value.get(SIGNATURE) == SECRET


def secret(value: Any) -> dict[str, Any]:
    return value if is_secret(value) else {SIGNATURE: SECRET, "value": value}


def is_unknown(value: Any) -> bool:
    return isinstance(value, str) and value in UNKNOWNS


def _walk(value: Any, change: Callable[[Any], Any]) -> Any:
    """Copy of a value with `change` applied to every part, the inner ones first."""
    if isinstance(value, dict):
        value = {key: _walk(item, change) for key, item in value.items()}
    elif isinstance(value, list):
        value = [_walk(item, change) for item in value]
    return change(value)


def reveal(value: Any) -> Any:
    """The value with its secret markers taken off."""
    return _walk(value, lambda part: part["value"] if is_secret(part) else part)


def mask(value: Any) -> Any:
    """The value with every secret replaced, fit for people and logs."""
    return "[secret]" if is_secret(value) else _map_children(value, mask)


def resource_ids(value: Any) -> Any:
    """Resource references as ids (components: URNs), for providers that do not take references."""

    def change(part: Any) -> Any:
        if isinstance(part, dict) and part.get(SIGNATURE) == RESOURCE:
            return part.get("id", part.get("urn"))
        return part

    return _walk(value, change)


def _map_children(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {key: change(item) for key, item in value.items()}
    if isinstance(value, list):
        return [change(item) for item in value]
    return value


def _any(value: Any, test: Callable[[Any], bool]) -> bool:
    if test(value):
        return True
    if isinstance(value, dict):
        return any(_any(item, test) for item in value.values())
    return isinstance(value, list) and any(_any(item, test) for item in value)


def has_secret(value: Any) -> bool:
    return _any(value, is_secret)


def has_unknown(value: Any) -> bool:
    return _any(value, is_unknown)


def without_unknowns(values: Mapping[str, Any]) -> dict[str, Any]:
    """The entries that hold no unknown anywhere: an unknown must never reach a state file."""
    return {key: value for key, value in values.items() if not has_unknown(value)}


def carry_secrets(outputs: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Outputs of a provider that knows no secrets: what was secret as an input is secret under the same name."""
    carried: dict[str, Any] = {}
    for key, value in outputs.items():
        given = inputs.get(key)
        if is_secret(given):
            carried[key] = secret(value)
        elif isinstance(given, dict) and isinstance(value, dict) and not is_secret(value):
            carried[key] = carry_secrets(value, given)
        elif isinstance(given, list) and has_secret(given):
            carried[key] = secret(value)
        else:
            carried[key] = value
    return carried


def mark_secret(outputs: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    named = set(keys)
    return {key: secret(reveal(value)) if key in named else value for key, value in outputs.items()}


# -- URNs ------------------------------------------------------------------------------------------------------------


class Urn(NamedTuple):
    """The parts of a URN: `urn:pulumi:<stack>::<project>::<parent types>$<type>::<name>`."""

    stack: str
    project: str
    qualified_type: str
    name: str

    @property
    def type(self) -> str:
        return self.qualified_type.rsplit("$", 1)[-1]


def parse_urn(urn: str) -> Urn:
    head, project, qualified_type, name = urn.split("::", 3)
    return Urn(head.removeprefix("urn:pulumi:"), project, qualified_type, name)


def make_urn(stack: str, project: str, parent: str, type_: str, name: str) -> str:
    """URN of a resource below `parent` (a URN, or empty)."""
    above = parse_urn(parent).qualified_type if parent else ""
    return join_urn(stack, project, above, type_, name)


def join_urn(stack: str, project: str, parent_type: str, type_: str, name: str) -> str:
    chain = f"{parent_type}$" if parent_type not in ("", STACK_TYPE) else ""
    return f"urn:pulumi:{stack}::{project}::{chain}{type_}::{name}"


def package_of(type_: str) -> str:
    """The package whose provider manages a type (`aws:s3/bucket:Bucket` → `aws`)."""
    return type_.removeprefix(PROVIDER_PREFIX).split(":", 1)[0]


def split_reference(reference: str) -> tuple[str, str]:
    """A provider reference `<urn>::<id>` as its two parts."""
    urn, _, id_ = reference.rpartition("::")
    return urn, id_
