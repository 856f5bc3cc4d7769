"""What the installed Pulumi SDK says of a type's inputs: exact names, types, what is required, enumerations.

A key that is not one of these names reaches no vendor: this alone finds an azure-native union given as a dict, which
goes out untranslated. The SDK's classes are read, not run.
"""

from __future__ import annotations

import collections.abc
import enum
import functools
import importlib
import inspect
import re
import types
import typing
from pathlib import Path
from typing import Any

import pulumi
from pulumi import _types as pulumi_types

from engine.standin import shapes
from operations.schema.nodes import ANY, Node


@functools.cache
def model(token: str) -> Node | None:
    """The inputs of a resource type, None where no SDK in this environment has it."""
    found = _args_class(token)
    return None if found is None else _object(found)


def _args_class(token: str) -> type | None:
    file = shapes.source_file(token)
    if file is None:
        return None
    name = token.split(":")[-1]
    module_name = _module_name(token, file)
    # The SDKs load their packages at first use; a file of one that is imported before leaves the package empty.
    getattr(importlib.import_module(module_name.rpartition(".")[0]), "__all__", None)
    module = importlib.import_module(module_name)
    for candidate in (f"{name}InitArgs", f"{name}Args"):
        found = getattr(module, candidate, None)
        if isinstance(found, type) and pulumi_types.is_input_type(found):
            return found
    return None


def _module_name(token: str, file: Path) -> str:
    root = shapes.distribution(token.split(":")[0])
    parts = file.with_suffix("").parts
    return ".".join(parts[len(parts) - 1 - parts[::-1].index(root) :])


@functools.cache
def _object(cls: type) -> Node:
    names = pulumi_types.input_type_py_to_pulumi_names(cls)
    parameters = inspect.signature(cls.__init__).parameters
    required = frozenset(
        wire for py, wire in names.items() if py in parameters and parameters[py].default is inspect.Parameter.empty
    )
    return Node(
        "object",
        cls.__name__,
        functools.partial(_properties, cls),
        required=required,
        tag=_tag(cls, names),
        _words=functools.partial(_documentation, cls, names),
    )


def _documentation(cls: type, names: dict[str, str]) -> dict[str, str]:
    """Wire name → what the class's documentation says about it."""
    text = inspect.getdoc(cls.__init__) or ""
    found = re.split(r"^\s*:param [^:]*?(\w+): ", text, flags=re.MULTILINE)
    return {names[py]: words for py, words in zip(found[1::2], found[2::2], strict=False) if py in names}


def _properties(cls: type) -> dict[str, Node]:
    return {wire: _node(kind) for wire, kind in pulumi_types.input_type_types(cls).items()}


def _node(kind: Any) -> Node:
    plain = _unwrapped(kind)
    if len(plain) == 1:
        return _single(plain[0])
    enums = [one for one in plain if isinstance(one, type) and issubclass(one, enum.Enum)]
    if enums and all(one in (str, int, float) for one in plain if one not in enums):
        return _single(enums[0])
    return Node("union", _options=lambda: tuple(_single(one) for one in plain)) if plain else ANY


def _unwrapped(kind: Any) -> list[Any]:
    """The members of a type that are neither None nor ways to hand over a value later."""
    if typing.get_origin(kind) not in (typing.Union, types.UnionType):
        return [kind]
    found: list[Any] = []
    for member in typing.get_args(kind):
        origin = typing.get_origin(member)
        if member is type(None) or origin in (collections.abc.Awaitable, pulumi.Output) or member is pulumi.Output:
            continue
        found += [one for one in _unwrapped(member) if one not in found]
    return found


def _single(kind: Any) -> Node:
    origin = typing.get_origin(kind)
    if origin in (collections.abc.Sequence, list):
        item = (typing.get_args(kind) or (Any,))[0]
        return Node("list", _element=lambda: _node(item))
    if origin in (collections.abc.Mapping, dict):
        value = (*typing.get_args(kind), Any, Any)[1]
        return Node("map", _element=lambda: _node(value))
    if not isinstance(kind, type):
        return ANY
    if issubclass(kind, enum.Enum):
        values = tuple(one.value for one in kind)
        return Node("string" if isinstance(values[0], str) else "number", kind.__name__, enum=values, fold=True)
    if pulumi_types.is_input_type(kind):
        return _object(kind)
    scalars = {str: "string", int: "integer", float: "number", bool: "boolean"}
    return Node(scalars[kind]) if kind in scalars else ANY  # pyright: ignore[reportArgumentType]


def _tag(cls: type, names: dict[str, str]) -> tuple[str, str] | None:
    """The constant that chooses this class among others: the generator writes it into the documentation."""
    text = inspect.getdoc(cls.__init__) or ""
    for py, wire in names.items():
        found = re.search(rf":param [^:]*\b{py}: [^\n]*\n\s*Expected value is '([^']+)'", text)
        if found:
            return wire, found.group(1)
    return None
