"""The vendor models that a type's inputs are held against, and the tables that lead there."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from operations.schema.nodes import Node

DATA = Path(__file__).resolve().parent / "data"


@dataclass(frozen=True)
class Model:
    """One model of one vendor for one type. source: what it is, for people. key: the table's name for its kind."""

    key: str
    source: str
    node: Node
    subject: str = ""
    aliases: Mapping[str, str | None] = field(default_factory=dict)
    supplied: frozenset[str] = frozenset()
    hoist: tuple[str, ...] = ()
    lone_items: bool = False


@dataclass(frozen=True)
class Row:
    """What the tables say about a type.

    models: kind of model → its name there; None where there is none. aliases: input path → path in the models. own:
    inputs that the provider keeps to itself. supplied: required names that the provider puts in. documents: input →
    kind of document in it. rules: own rules, see :mod:`operations.schema.own`. why: for a type without a model.
    """

    models: Mapping[str, str | None] = field(default_factory=dict)
    aliases: Mapping[str, str | None] = field(default_factory=dict)
    own: tuple[str, ...] = ()
    supplied: tuple[str, ...] = ()
    documents: Mapping[str, str] = field(default_factory=dict)
    why: str = ""

    def all_aliases(self, table: Table, key: str) -> dict[str, str | None]:
        """Input path → path in a model of this kind. A row's ``kind:path`` is for that kind alone."""
        common = {f"*.{name}": None for name in table.own}
        mine = {
            path.split(":")[-1]: name
            for path, name in self.aliases.items()
            if ":" not in path or path.startswith(f"{key}:")
        }
        return {**common, **table.aliases, **dict.fromkeys(self.own), **mine}


@dataclass(frozen=True)
class Table:
    """``data/<package>.yaml``."""

    types: Mapping[str, Row]
    services: Mapping[str, Any]
    aliases: Mapping[str, str | None]
    own: tuple[str, ...]
    together: Mapping[str, Any]

    def row(self, token: str) -> Row:
        return self.types.get(token, _EMPTY)


_EMPTY = Row()
_FIELDS = frozenset(Row.__dataclass_fields__)


@functools.cache
def table(package: str) -> Table:
    """The table of a package. Raises ValueError naming the row and the field that is unknown."""
    file = DATA / f"{package}.yaml"
    content: dict[str, Any] = yaml.safe_load(file.read_text()) if file.exists() else {}
    rows: dict[str, Row] = {}
    for token, row in (content.get("types") or {}).items():
        unknown = set(row) - _FIELDS
        if unknown:
            raise ValueError(f"{file.name}, {token}: unknown field {sorted(unknown)}; there are {sorted(_FIELDS)}")
        values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
        rows[token] = Row(**values)
    rest = {name: content.get(name) or {} for name in ("services", "aliases", "together")}
    return Table(rows, own=tuple(content.get("own") or ()), **rest)
