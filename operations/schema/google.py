"""What Google publishes: the discovery documents of its APIs, as google-api-python-client stores them."""

from __future__ import annotations

import functools
import importlib.util
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from operations.schema import json_schemas
from operations.schema.findings import Finding, Record, shown
from operations.schema.models import Model, table
from operations.schema.nodes import ANY, Node
from operations.schema.translate import parsed_document

#: Formats of texts, as regular expressions; a duration is a number of seconds with an s.
_FORMATS = {"google-duration": r"^\d+(\.\d{1,9})?s$", "google-datetime": r"^\d{4}-\d{2}-\d{2}T"}


def models(token: str) -> list[Model]:
    """The discovery schema for a type, as the table names it; empty where the table has none."""
    tables = table("gcp")
    row = tables.row(token)
    name = row.models.get("discovery")
    if not name:
        return []
    api, _, schema = name.partition(":")
    aliases = row.all_aliases(tables, "discovery")
    return [
        Model("discovery", f"discovery {api} {schema}", node(api, schema), token.split(":")[2], aliases,
              frozenset(row.supplied), lone_items=True)
    ]  # fmt: skip


@functools.cache
def _schemas(api: str) -> Mapping[str, Any]:
    spec = importlib.util.find_spec("googleapiclient")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("google-api-python-client is not installed: see operations/requirements-schema.txt")
    file = Path(spec.origin).parent / "discovery_cache" / "documents" / f"{api}.json"
    return json.loads(file.read_text())["schemas"]


@functools.cache
def node(api: str, name: str) -> Node:
    """A schema of a discovery document. Raises ValueError where there is none of that name."""
    schema = _schemas(api).get(name)
    if schema is None:
        raise ValueError(f"data/gcp.yaml: the discovery document {api} has no {name}")
    return _node(api, schema, name)


def _node(api: str, schema: Mapping[str, Any], name: str = "") -> Node:
    if "$ref" in schema:
        target = schema["$ref"]
        return node(api, target)
    kind = schema.get("type")
    if kind == "object" and "properties" in schema:
        properties = schema["properties"]
        required = frozenset(key for key, one in properties.items() if _is_required(one))
        return Node(
            "object", name, lambda: {key: _node(api, one, key) for key, one in properties.items()}, required=required
        )
    if kind == "object":
        values = schema.get("additionalProperties") or {}
        return Node("map", name, _element=lambda: _node(api, values)) if values else ANY
    if kind == "array":
        return Node("list", name, _element=lambda: _node(api, schema["items"]))
    form = schema.get("format", "")
    if kind == "string" and form in ("int64", "uint64"):
        return Node("integer", name, minimum=0 if form == "uint64" else None)
    if kind == "string":
        allowed = tuple(one for one in schema.get("enum", ()) if not one.endswith("_UNSPECIFIED"))
        return Node("string", name, enum=allowed, pattern=_FORMATS.get(form) or schema.get("pattern", ""))
    if kind == "integer":
        low, high = {"int32": (-(2**31), 2**31 - 1), "uint32": (0, 2**32 - 1)}.get(form, (None, None))
        return Node("integer", name, minimum=_limit(schema, "minimum", low), maximum=_limit(schema, "maximum", high))
    if kind == "number":
        return Node("number", name, minimum=_limit(schema, "minimum"), maximum=_limit(schema, "maximum"))
    return Node("boolean", name) if kind == "boolean" else ANY


def _limit(schema: Mapping[str, Any], name: str, default: float | None = None) -> float | None:
    return float(schema[name]) if name in schema else default


def _is_required(schema: Mapping[str, Any]) -> bool:
    """Discovery documents say it in words only."""
    return str(schema.get("description", "")).startswith("Required.") and not schema.get("readOnly")


def documents(record: Record) -> Iterator[Finding]:
    """Findings in the JSON documents of one resource."""
    for path, kind in table("gcp").row(record.token).documents.items():
        value = record.inputs.get(path)
        if not isinstance(value, str):
            continue
        parsed = parsed_document(value)
        if not isinstance(parsed, dict):
            yield Finding(record.token, record.name, path, shown(value), "type", "must be a JSON document", "Google")
            continue
        for where, rule, message in json_schemas.errors(json_schemas.own(f"google-{kind}"), parsed):
            below = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where)
            yield Finding(record.token, record.name, path + below, "", rule, message, f"our schema of {kind}")
