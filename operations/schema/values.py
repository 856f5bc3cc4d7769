"""Inputs laid out along a vendor's model: each value keeps the path where the program wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Leaf:
    """A value that is looked at as a whole."""

    path: str
    value: Any


@dataclass
class Branch:
    """Named values. extra: (path, name) of those that the model does not have, where that is a mistake."""

    path: str
    children: dict[str, Placed] = field(default_factory=dict)
    extra: list[tuple[str, str]] = field(default_factory=list)

    def put(self, name: str, placed: Placed) -> None:
        """Add a value; two inputs may be parts of one object of the vendor's."""
        there = self.children.get(name)
        if isinstance(there, Branch) and isinstance(placed, Branch):
            for child, value in placed.children.items():
                there.put(child, value)
            there.extra += placed.extra
        else:
            self.children[name] = placed


@dataclass
class Row:
    """Values in order."""

    path: str
    items: list[Placed]


Placed = Leaf | Branch | Row


def plain(placed: Placed) -> Any:
    """The values alone, in the vendor's form."""
    if isinstance(placed, Branch):
        return {name: plain(child) for name, child in placed.children.items()}
    if isinstance(placed, Row):
        return [plain(item) for item in placed.items]
    return placed.value


def steps(path: str) -> str:
    """A path without list positions: what tables of names use."""
    text = ""
    depth = 0
    for character in path:
        depth += character == "["
        if not depth:
            text += character
        depth -= character == "]"
    return text


def leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """Every scalar below a value, with its path."""
    if isinstance(value, Mapping):
        return [pair for key, item in value.items() for pair in leaves(item, f"{path}.{key}" if path else str(key))]
    if isinstance(value, list):
        return [pair for number, item in enumerate(value) for pair in leaves(item, f"{path}[{number}]")]
    return [(path, value)]
