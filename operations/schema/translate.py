"""From the SDK's names to the vendor's: mechanically where possible, by a small table of aliases elsewhere.

Exact name first, then without regard to case and number (never underscores), then with the type's own name in front
(``name`` → ``EndpointConfigName``), then inside an object that the SDK flattens (``hoist``). What is still without a
counterpart is *listed*: nobody can say whether the vendor would take it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from operations.schema.findings import OPAQUE
from operations.schema.nodes import ANY, Node, squeeze
from operations.schema.values import Branch, Leaf, Placed, Row, steps


@dataclass
class Names:
    """How one type's inputs are called by the vendor.

    aliases: input path without list positions (or ``*.key`` for any depth) → dotted path in the vendor's model seen
    from the object that holds the input, or None for what the provider keeps to itself. subject: the type's name.
    hoist: vendor objects whose properties the SDK lifts one level up. exact: every name must be the model's own, and
    one that is not is a mistake. lone_items: the SDK may give the only item of a list alone. fold: in
    documents, names are right whatever their case.
    """

    aliases: Mapping[str, str | None] = field(default_factory=dict)
    subject: str = ""
    hoist: tuple[str, ...] = ()
    exact: bool = False
    lone_items: bool = False
    fold: bool = False
    unmapped: set[str] = field(default_factory=set)

    def place(self, node: Node, value: Any, path: str = "") -> Placed:
        """The value in the vendor's form. Notes in ``unmapped`` which inputs have none."""
        if value is OPAQUE or value is None or node.kind == "any":
            return Leaf(path, value)
        if node.kind == "union":
            return self.place(choose(node, value), value, path)
        if node.kind in ("object", "list", "map") and isinstance(value, str) and not self.exact:
            parsed = parsed_document(value)
            if parsed is not None:
                return Names(exact=True, fold=self.fold).place(node, parsed, path)
        if node.kind == "object":
            if self.lone_items and isinstance(value, list) and len(value) == 1 and isinstance(value[0], Mapping):
                return self.place(node, value[0], f"{path}[0]")
            return self._object(node, value, path) if isinstance(value, Mapping) else Leaf(path, value)
        if node.kind == "list":
            if isinstance(value, Mapping) and node.pairs:
                return Row(path, [_pair(node.pairs, key, item, f"{path}.{key}") for key, item in value.items()])
            if isinstance(value, list):
                return Row(path, [self.place(node.element, item, f"{path}[{n}]") for n, item in enumerate(value)])
            if self.lone_items and not (isinstance(value, str) and node.element.kind == "object"):
                return Row(path, [self.place(node.element, value, path)])
            return Leaf(path, value)
        if node.kind == "map" and isinstance(value, list) and path.endswith("userAssignedIdentities"):
            return Branch(path, {str(one): Leaf(f"{path}[{n}]", None) for n, one in enumerate(value)})
        if node.kind == "map" and isinstance(value, Mapping):
            placed = Branch(path)
            for key, item in value.items():
                placed.put(str(key), self.place(node.element, item, f"{path}.{key}"))
            return placed
        if isinstance(value, bool) and "ENABLED" in node.enum and "DISABLED" in node.enum:
            return Leaf(path, "ENABLED" if value else "DISABLED")
        return Leaf(path, value)

    def _object(self, node: Node, value: Mapping[str, Any], path: str) -> Placed:
        placed = Branch(path)
        for key, item in value.items():
            below = f"{path}.{key}" if path else str(key)
            if item is None:
                continue
            names = self._find(node, str(key), below)
            if names == [""]:  # the SDK has an object, or a document, where the vendor has none
                self._dissolve(placed, node, item, below)
            elif names is None:
                if self.exact:
                    placed.extra.append((below, str(key)))
                else:
                    self.unmapped.add(steps(below))
            elif names:
                self._put(placed, node, names, item, below)
        return placed

    def _dissolve(self, placed: Branch, node: Node, item: Any, path: str) -> None:
        document = parsed_document(item) if isinstance(item, str) else None
        inner = Names(exact=True).place(node, document, path) if document else self.place(node, item, path)
        if isinstance(inner, Branch):
            placed.extra += inner.extra
            for name, child in inner.children.items():
                placed.put(name, child)

    def _put(self, placed: Branch, node: Node, names: list[str], item: Any, path: str) -> None:
        name, *rest = names
        child = node.properties.get(name, ANY)
        if not rest:
            placed.put(name, self.place(child, item, path))
            return
        lists = 0
        while child.kind == "list":
            child, lists = child.element, lists + 1
        inner = Branch(path)
        self._put(inner, child, rest, item, path)
        whole: Placed = inner
        for _ in range(lists):  # one value of the SDK's where the vendor has a list of them
            whole = Row(path, [whole])
        placed.put(name, whole)

    def _find(self, node: Node, key: str, path: str) -> list[str] | None:
        """Path in the model for an input's name; [] for what is the provider's own, None where there is none."""
        if self.exact:
            if key in node.properties:
                return [key]
            folded = node.squeezed.get(squeeze(key)) if self.fold else None
            return [folded] if folded else None
        plain = steps(path)
        for known in (plain, f"*.{key}"):
            if known in self.aliases:
                alias = self.aliases[known]
                return [] if alias is None else [part.replace("~", ".") for part in alias.rstrip(".").split(".")]
        if key in node.properties:
            return [key]
        for wanted in (squeeze(key), squeeze(self.subject + key), squeeze(node.name + key)):
            if wanted in node.squeezed:
                return [node.squeezed[wanted]]
        for hoisted in self.hoist:
            if hoisted in node.properties:
                inner = self._find(node.properties[hoisted], key, path)
                if inner:
                    return [hoisted, *inner]
        return None


def _pair(names: tuple[str, str], key: Any, value: Any, path: str) -> Branch:
    return Branch(path, {names[0]: Leaf(path, key), names[1]: Leaf(path, value)})


def parsed_document(text: str) -> Any:
    """A JSON object or array written as text, else None."""
    if text[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def choose(union: Node, value: Any) -> Node:
    """The option that a value is meant to be: by its tag, else by form and names."""
    best, best_score = ANY, -1.0
    for option in union.options:
        score = _fit(option, value)
        if score > best_score:
            best, best_score = option, score
    return best


def _fit(option: Node, value: Any) -> float:
    if isinstance(value, Mapping):
        if option.kind == "object":
            if option.tag and str(value.get(option.tag[0], "")).lower() == option.tag[1].lower():
                return 1000.0
            return 1.0 + sum(key in option.properties for key in value)
        return 0.5 if option.kind == "map" else 0.0
    if isinstance(value, list):
        return 1.0 if option.kind == "list" else 0.0
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string"}
    return 1.0 if option.kind == kinds.get(type(value)) else 0.2
