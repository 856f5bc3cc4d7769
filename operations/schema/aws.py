"""What AWS publishes: the API models in botocore, CloudFormation's resource schemas as cfn-lint ships them.

Both are read as data: neither botocore's client nor cfn-lint's rules are loaded. Where the tables name no model, the
names say it: ``aws:sagemaker/endpointConfiguration:EndpointConfiguration`` is ``AWS::SageMaker::EndpointConfig`` or
``sagemaker.CreateEndpointConfig`` only by a row, but ``aws:sns/topic:Topic`` is ``AWS::SNS::Topic`` without one.
"""

from __future__ import annotations

import functools
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from operations.schema.models import Model, Row, table
from operations.schema.nodes import ANY, Node, squeeze

_VERBS = ("Create", "Put", "Register", "Set", "Subscribe", "Add", "Run", "Modify")
_REGION = "us-east-1"


def models(token: str) -> list[Model]:
    """The models for a type; empty where AWS publishes none that the tables or the names lead to."""
    tables = table("aws")
    row = tables.row(token)
    module, name = token.split(":")[1].split("/")[0], token.split(":")[2]
    found: list[Model] = []
    operation = row.models["api"] if "api" in row.models else _operation(module, name)
    if operation:
        found.append(_model("api", f"botocore {operation}", api_node(operation), row, name))
    cfn = row.models["cfn"] if "cfn" in row.models else _resource_type(module, name)
    if cfn:
        node = cfn_node(cfn)
        if node is None:
            raise ValueError(f"data/aws.yaml, {token}: CloudFormation has no {cfn}")
        found.append(_model("cfn", f"CloudFormation {cfn}", node, row, name))
    return found


def _model(key: str, source: str, node: Node, row: Row, subject: str) -> Model:
    supplied = frozenset(row.supplied) | {"ClientToken", "ClientRequestToken", "CallerReference"}
    aliases = row.all_aliases(table("aws"), key)
    return Model(key, source, node, subject, aliases, supplied, lone_items=True)


# -- botocore ---------------------------------------------------------------------------------------------------------


def _service(module: str) -> str | None:
    name = table("aws").services.get(module, module)
    return name if name in _services() else None


@functools.cache
def _services() -> frozenset[str]:
    root = _package("botocore") / "data"
    return frozenset(folder.name for folder in root.iterdir() if folder.is_dir())


@functools.cache
def _service_model(service: str) -> Any:
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def _operation(module: str, name: str) -> str | None:
    service = _service(module)
    if service is None:
        return None
    known = {squeeze(one): one for one in _service_model(service).operation_names}
    for verb in _VERBS:
        if squeeze(verb + name) in known:
            return f"{service}.{known[squeeze(verb + name)]}"
    return None


@functools.cache
def api_node(operation: str) -> Node:
    """The input of an operation, named ``<service>.<Operation>``. Raises ValueError where there is none."""
    service, _, name = operation.partition(".")
    try:
        shape = _service_model(service).operation_model(name).input_shape
    except Exception as error:
        raise ValueError(f"botocore has no operation {operation}: {error}") from None
    return _shape(service, shape.name)


@functools.cache
def _shape(service: str, name: str) -> Node:
    shape = _service_model(service).shape_for(name)
    meta = shape.metadata
    kind = shape.type_name
    if kind == "structure":
        return Node(
            "object",
            name,
            lambda: {member: _shape(service, target.name) for member, target in shape.members.items()},
            required=frozenset(shape.required_members),
        )
    limits: dict[str, Any] = {"minimum": meta.get("min"), "maximum": meta.get("max")}
    if kind == "list":
        element = shape.member
        return Node("list", name, _element=lambda: _shape(service, element.name), pairs=_pairs(element), **limits)
    if kind == "map":
        return Node("map", name, _element=lambda: _shape(service, shape.value.name))
    if kind == "string":
        pattern = f"^(?:{meta['pattern']})$" if meta.get("pattern") else ""
        return Node("string", name, enum=tuple(getattr(shape, "enum", ()) or ()), pattern=pattern, **limits)
    if kind in ("integer", "long"):
        return Node("integer", name, **limits)
    if kind in ("float", "double"):
        return Node("number", name, **limits)
    return Node("boolean", name) if kind == "boolean" else ANY


def _pairs(element: Any) -> tuple[str, str] | None:
    if element.type_name != "structure":
        return None
    return _pair_names(list(element.members))


def _pair_names(members: list[str]) -> tuple[str, str] | None:
    for key in ("Key", "key", "TagKey", "Name", "name"):
        for value in ("Value", "value", "TagValue"):
            if sorted(members) == sorted([key, value]):
                return key, value
    return None


# -- CloudFormation ---------------------------------------------------------------------------------------------------


@functools.cache
def schemas() -> Path:
    """The folder of the schemas in cfn-lint's distribution."""
    return _package("cfnlint") / "data" / "schemas"


@functools.cache
def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{name} is not installed: it is in operations/requirements-schema.txt")
    return Path(spec.origin).parent


@functools.cache
def _resource_types() -> Mapping[str, str]:
    return json.loads((schemas() / "providers" / f"{_REGION}.json").read_text())


def _resource_type(module: str, name: str) -> str | None:
    service = str(table("aws").services.get(f"cfn {module}", module)).lower()
    wanted = f"aws::{service}::{squeeze(name)}"
    by_name = _squeezed_types()
    return by_name.get(wanted)


@functools.cache
def _squeezed_types() -> dict[str, str]:
    return {
        f"{vendor}::{service}::{squeeze(name)}".lower(): f"{vendor}::{service}::{name}"
        for vendor, service, name in (one.split("::") for one in _resource_types() if one.count("::") == 2)
    }


@functools.cache
def cfn_node(resource_type: str) -> Node | None:
    """The properties of a CloudFormation resource type that can be written, None where there is no such type."""
    if resource_type not in _resource_types():
        return None
    schema = _cfn_schema(resource_type)
    return _JsonSchema(schema).node(schema, resource_type.split("::")[-1])


@functools.cache
def handlers(resource_type: str) -> Mapping[str, tuple[str, ...]]:
    """The actions that CloudFormation's own handlers of a type need, by `create`, `read`, `update`, `delete`."""
    found = _cfn_schema(resource_type).get("handlers", {})
    return {name: tuple(handler["permissions"]) for name, handler in found.items()}


def _cfn_schema(resource_type: str) -> dict[str, Any]:
    file = str(_resource_types()[resource_type])
    return json.loads((schemas() / "resources" / (file if file.endswith(".json") else f"{file}.json")).read_text())


class _JsonSchema:
    """A JSON schema as nodes; what it says with ``anyOf`` and the like is left to a validator of JSON schemas."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._seen: dict[int, Node] = {}

    def node(self, schema: Any, name: str = "") -> Node:
        if not isinstance(schema, Mapping):
            return ANY
        while "$ref" in schema:
            target: Any = self._root
            for part in schema["$ref"].lstrip("#/").split("/"):
                target = target[part]
            name = schema["$ref"].split("/")[-1]
            schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
        kinds = schema.get("type")
        kinds = [kinds] if isinstance(kinds, str) else list(kinds or ())
        if "properties" in schema and kinds in ([], ["object"]):
            properties = schema["properties"]
            return Node(
                "object",
                name,
                lambda: {key: self.node(value) for key, value in properties.items()},
                required=frozenset(schema.get("required") or ()),
            )
        if kinds == ["object"]:
            values = [*(schema.get("patternProperties") or {}).values(), {}]
            return Node("map", name, _element=lambda: self.node(values[0]))
        if kinds == ["array"]:
            items = schema.get("items") or {}
            element = self.node(items)
            return Node(
                "list", name, _element=lambda: element, minimum=schema.get("minItems"), maximum=schema.get("maxItems"),
                pairs=_pair_names(list(element.properties)) if element.kind == "object" else None,
            )  # fmt: skip
        if len(kinds) != 1 or kinds[0] not in ("string", "integer", "number", "boolean"):
            return ANY
        low, high = ("minLength", "maxLength") if kinds == ["string"] else ("minimum", "maximum")
        return Node(
            kinds[0], name, enum=tuple(schema.get("enum") or ()), minimum=schema.get(low), maximum=schema.get(high),
            pattern=schema.get("pattern") or "",
        )  # fmt: skip
