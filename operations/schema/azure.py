"""What Azure publishes: the models in the azure-mgmt packages, of both families.

msrest: ``_attribute_map`` and ``_validation`` on the class. TypeSpec: ``rest_field`` descriptors and annotations.
"""

from __future__ import annotations

import enum
import functools
import importlib
import re
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from operations.schema.models import Model, table
from operations.schema.nodes import ANY, Node

_SUFFIXES = ("CreateParameters", "CreateOrUpdateParameters", "Parameters", "Resource", "ResourceProperties", "")


def models(token: str) -> list[Model]:
    """The model for a type: the class that the table names, or one of its name; empty where there is none."""
    tables = table("azure-native")
    row = tables.row(token)
    _, module, name = token.split(":")
    package = tables.services.get(module)
    found: tuple[Any, Any] | None = None
    named = row.models.get("mgmt", "")
    if named is None:
        return []
    if named:
        package, _, name = named.rpartition(".")
        found = _class(package, name, ("",))
        if found is None:
            raise ValueError(f"data/azure-native.yaml, {token}: there is no {named}")
    elif package:
        found = _class(package, name, _SUFFIXES)
    if found is None:
        return []
    space, cls = found
    aliases = row.all_aliases(tables, "mgmt")
    supplied = frozenset({*row.supplied, "location"})
    return [
        Model("mgmt", f"{space.__name__}.{cls.__name__}", node(space, cls), name, aliases, supplied, ("properties",))
    ]


def _class(package: str, name: str, suffixes: tuple[str, ...]) -> tuple[Any, Any] | None:
    try:
        space = importlib.import_module(
            f"azure.mgmt.{package}.models" if "." not in package else f"azure.mgmt.{package}"
        )
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("azure.mgmt") and error.name != f"azure.mgmt.{package}":
            raise ModuleNotFoundError(f"{error}; see operations/requirements-schema.txt") from None
        return None
    for suffix in suffixes:
        found = getattr(space, name + suffix, None)
        if isinstance(found, type):
            return space, found
    return None


@functools.cache
def node(space: Any, cls: type) -> Node:
    """A class of a vendor's models; its discriminated subclasses are options of a union."""
    subtypes = _subtypes(space, cls)
    if subtypes:
        options = tuple(_object(space, one, tag) for one, tag in subtypes)
        return Node("union", cls.__name__, _options=lambda: options)
    return _object(space, cls, None)


def _object(space: Any, cls: type, tag: tuple[str, str] | None) -> Node:
    if hasattr(cls, "_attribute_map"):
        return _msrest(space, cls, tag)
    return _typespec(space, cls, tag)


def _subtypes(space: Any, cls: Any) -> list[tuple[type, tuple[str, str]]]:
    if isinstance(getattr(cls, "_subtype_map", None), Mapping):
        return [
            (getattr(space, name), (cls._attribute_map[key]["key"], value))
            for key, names in cls._subtype_map.items()
            for value, name in names.items()
        ]
    mapping = vars(cls).get("__mapping__") or {}
    if len(mapping) < 1:
        return []
    key = next((name for name, field in _fields(cls).items() if getattr(field, "_is_discriminator", False)), "")
    wire = _rest_name(_fields(cls)[key], key) if key else ""
    return [(sub, (wire, str(value))) for value, sub in mapping.items() if wire]


# -- msrest -----------------------------------------------------------------------------------------------------------


def _msrest(space: Any, cls: Any, tag: tuple[str, str] | None) -> Node:
    rules = getattr(cls, "_validation", {})
    tree: dict[str, Any] = {}
    required: set[str] = set()
    for attribute, row in cls._attribute_map.items():
        rule = rules.get(attribute, {})
        if rule.get("readonly"):
            continue
        parts = [part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", row["key"])]
        here = tree
        for part in parts[:-1]:
            here = here.setdefault(part, {})
        kind = row["type"]
        here[parts[-1]] = functools.partial(_msrest_type, space, kind, rule)
        if rule.get("required") and len(parts) == 1:
            required.add(parts[0])
    return Node("object", cls.__name__, lambda: _grown(tree), required=frozenset(required), tag=tag)


def _grown(tree: Mapping[str, Any]) -> dict[str, Node]:
    grown: dict[str, Node] = {}
    for key, value in tree.items():
        grown[key] = Node("object", key, functools.partial(_grown, value)) if isinstance(value, dict) else value()
    return grown


def _msrest_type(space: Any, kind: str, rule: Mapping[str, Any]) -> Node:
    if kind.startswith("["):
        return Node("list", _element=lambda: _msrest_type(space, kind[1:-1], {}),
                    minimum=rule.get("min_items"), maximum=rule.get("max_items"))  # fmt: skip
    if kind.startswith("{"):
        return Node("map", _element=lambda: _msrest_type(space, kind[1:-1], {}))
    if kind == "str":
        return Node(
            "string", minimum=rule.get("min_length"), maximum=rule.get("max_length"), pattern=rule.get("pattern", "")
        )
    if kind in ("int", "long"):
        return Node("integer", minimum=rule.get("minimum"), maximum=rule.get("maximum"))
    if kind == "float":
        return Node("number", minimum=rule.get("minimum"), maximum=rule.get("maximum"))
    if kind == "bool":
        return Node("boolean")
    if kind == "duration":
        return DURATION
    found = getattr(space, kind.split(".")[-1], None)
    return _of_class(space, found) if isinstance(found, type) else ANY


# -- TypeSpec ---------------------------------------------------------------------------------------------------------


def _fields(cls: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        found.update({name: one for name, one in vars(base).items() if type(one).__name__ == "_RestField"})
    return found


def _rest_name(field: Any, name: str) -> str:
    return getattr(field, "_rest_name_input", None) or name


def _typespec(space: Any, cls: Any, tag: tuple[str, str] | None) -> Node:
    written = {name: field for name, field in _fields(cls).items() if getattr(field, "_visibility", None) != ["read"]}
    hints = _hints(space, cls)
    required = frozenset(
        _rest_name(field, name)
        for name, field in written.items()
        if name in hints and type(None) not in typing.get_args(hints[name])
    )

    def properties() -> dict[str, Node]:
        return {_rest_name(field, name): _annotated(space, hints.get(name, Any)) for name, field in written.items()}

    return Node("object", cls.__name__, properties, required=required, tag=tag)


@functools.cache
def _hints(space: Any, cls: Any) -> dict[str, Any]:
    module = importlib.import_module(cls.__module__)
    names = {**vars(space), **vars(module), "_models": space, "_types": types.SimpleNamespace()}
    hints: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        for name, text in vars(base).get("__annotations__", {}).items():
            try:
                hints[name] = eval(text, names) if isinstance(text, str) else text  # noqa: S307 # as typing does
            except (NameError, AttributeError, TypeError):
                hints[name] = Any
    return hints


def _annotated(space: Any, kind: Any) -> Node:
    if isinstance(kind, str | typing.ForwardRef):
        name = (kind if isinstance(kind, str) else kind.__forward_arg__).split(".")[-1].strip("\"' ")
        found = getattr(space, name, None)
        return _of_class(space, found) if isinstance(found, type) else ANY
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        members = [one for one in typing.get_args(kind) if one is not type(None)]
        enums = [one for one in map(functools.partial(_resolved, space), members) if _is_enum(one)]
        if enums:
            return _of_class(space, enums[0])
        return _annotated(space, members[0]) if len(members) == 1 else ANY
    if origin is list:
        item = typing.get_args(kind)[0]
        return Node("list", _element=lambda: _annotated(space, item))
    if origin is dict:
        value = typing.get_args(kind)[1]
        return Node("map", _element=lambda: _annotated(space, value))
    return _of_class(space, kind) if isinstance(kind, type) else ANY


def _resolved(space: Any, kind: Any) -> Any:
    if isinstance(kind, str | typing.ForwardRef):
        name = kind if isinstance(kind, str) else kind.__forward_arg__
        return getattr(space, name.split(".")[-1], None)
    return kind


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, enum.Enum)


_SCALARS: dict[type, Callable[[], Node]] = {
    str: lambda: Node("string"),
    int: lambda: Node("integer"),
    float: lambda: Node("number"),
    bool: lambda: Node("boolean"),
}
#: ISO 8601, as Azure takes durations.
DURATION = Node(
    "string", "duration", pattern=r"^P(?=.)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?$"
)


def _of_class(space: Any, cls: type) -> Node:
    if _is_enum(cls):
        return Node("string", cls.__name__, enum=tuple(one.value for one in cls), fold=True)  # pyright: ignore[reportGeneralTypeIssues]
    if cls in _SCALARS:
        return _SCALARS[cls]()
    if cls.__name__ == "timedelta":
        return DURATION
    return node(space, cls) if hasattr(cls, "_attribute_map") or _fields(cls) else ANY
