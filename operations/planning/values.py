"""Values of a plan as plain JSON, and short enough to read.

A secret is `{"$secret": true}`, a value that is known after the deployment only `{"$unknown": [<URNs that it may come
from>]}`, a file or an archive `{"$asset": <path, address or hash>}`. Nothing secret is in clear.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine import wire
from engine.resource import Resource

SECRET = {"$secret": True}
_ASSET = "c44067f5952c0a294b673a41bacd8c17"
_ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"
_SHORT = 60
#: Parts of names of the properties that decide about cost, size, safety and place.
_TELLING = (
    "instancetype", "machinetype", "vmsize", "sku", "tier", "cpu", "memory", "count", "capacity", "concurrency",
    "replicas", "min", "max", "percent", "weight", "traffic", "imageuri", "image", "modeldataurl", "runtime",
    "public", "ingress", "auth", "principal", "member", "role", "protocol", "port", "cidr", "encrypt", "kms",
    "retention", "expiration", "region", "location", "zone", "threshold", "period", "limit", "amount", "schedule",
    "policy", "version", "name",
)  # fmt: skip


def shown(value: Any, sources: Sequence[str] = ()) -> Any:
    """A value as JSON. sources: URNs that what is unknown in it may come from."""
    if wire.is_secret(value):
        return dict(SECRET)
    if wire.is_unknown(value):
        return {"$unknown": list(sources)}
    if isinstance(value, dict):
        kind = value.get(wire.SIGNATURE)
        if kind in (_ASSET, _ARCHIVE):
            return {"$asset": value.get("path") or value.get("uri") or value.get("hash") or "made by the program"}
        if kind == wire.RESOURCE:
            return value.get("id") or value.get("urn")
        return {key: shown(item, sources) for key, item in value.items() if not key.startswith("__")}
    if isinstance(value, list):
        return [shown(item, sources) for item in value]
    return value


def inputs(resource: Resource) -> dict[str, Any]:
    """The inputs of a resource as JSON, without what providers note for themselves."""
    sources = resource.property_dependencies
    values = sorted(resource.inputs.items())
    return {key: shown(value, sources.get(key, ())) for key, value in values if not key.startswith("__")}


def at(resource: Resource | None, path: str) -> Any:
    """The input at a path as in `containers[0].image`, as JSON; None where there is none. Keys may hold dots."""
    if resource is None:
        return None
    value: Any = resource.inputs
    sources = next((urns for key, urns in resource.property_dependencies.items() if _leads(key, path)), [])
    rest = path
    while rest:
        if wire.is_secret(value):
            return dict(SECRET)
        if isinstance(value, list) and rest.startswith("["):
            number, _, rest = rest[1:].partition("]")
            if int(number) >= len(value):
                return None
            value = value[int(number)]
        elif isinstance(value, Mapping):
            fitting = [key for key in value if _leads(key, rest)]
            if not fitting:
                return None
            key = max(fitting, key=len)
            value, rest = value[key], rest[len(key) :]
        else:
            break  # what is inside of an unknown is unknown
        rest = rest.removeprefix(".")
    return shown(value, sources)


def _leads(key: str, path: str) -> bool:
    return path == key or path.startswith((f"{key}.", f"{key}["))


def brief(value: Any) -> str:
    """One value in a few words, from its JSON form."""
    if isinstance(value, Mapping):
        if set(value) == {"$secret"}:
            return "[secret]"
        if set(value) == {"$unknown"}:
            sources = sorted({wire.parse_urn(urn).name for urn in value["$unknown"]})
            return f"[from {' and '.join(sources)}]" if 1 <= len(sources) <= 2 else "[unknown]"
        if set(value) == {"$asset"}:
            return f"[file {value['$asset']}]"
    text = value if isinstance(value, str) else json.dumps(_spoken(value), ensure_ascii=False)
    text = " ".join(text.split()) if isinstance(value, str) else text
    if value is None:
        return "nothing"
    if value == "":
        return '""'
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"


def _spoken(value: Any) -> Any:
    if isinstance(value, Mapping):
        if set(value) <= {"$secret", "$unknown", "$asset"} and value:
            return brief(value)
        return {key: _spoken(item) for key, item in value.items()}
    return [_spoken(item) for item in value] if isinstance(value, list) else value


def telling(values: Mapping[str, Any], limit: int = 5) -> list[tuple[str, str]]:
    """The properties that say most about a resource: (path, value), the most telling first."""
    ranked = []
    for path, value in _leaves(values, ""):
        if path.split(".")[0] in ("tags", "tagsAll", "labels", "description") or value in (None, ""):
            continue
        leaf = path.split(".")[-1].split("[")[0].lower()
        rank = next((rank for rank, part in enumerate(_TELLING) if part in leaf), len(_TELLING))
        if rank == len(_TELLING) and not isinstance(value, (bool, int, float)):
            continue
        ranked.append((rank, path, brief(value)))
    return [(path, text) for _, path, text in sorted(ranked)[:limit]]


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and not (value and set(value) <= {"$secret", "$unknown", "$asset"}):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _leaves(item, f"{path}[{number}]")
    else:
        yield path, value
