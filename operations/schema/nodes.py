"""One form for what vendors publish about a value: every reader of a vendor's model makes these."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["object", "list", "map", "string", "integer", "number", "boolean", "any", "union"]
SCALARS = frozenset({"string", "integer", "number", "boolean"})


@dataclass(frozen=True, eq=False)
class Node:
    """What is allowed at one place.

    properties, element: functions, because models are recursive. required: property names. minimum, maximum: of a
    number, of the length of a text, or of the number of a list's items. pattern: a text must match it as a whole.
    options: of a union. optional_null: whether the key may be there without a value. tag: for a union's option, the
    (property, value) that chooses it.
    """

    kind: Kind
    name: str = ""
    _properties: Callable[[], Mapping[str, Node]] = field(default=dict)
    _element: Callable[[], Node] | None = None
    _options: Callable[[], tuple[Node, ...]] = field(default=tuple)
    required: frozenset[str] = frozenset()
    enum: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    pattern: str = ""
    tag: tuple[str, str] | None = None
    #: A list of key-value pairs that SDKs take as a map: names of both parts.
    pairs: tuple[str, str] | None = None
    #: Texts are compared without regard to case.
    fold: bool = False
    _words: Callable[[], Mapping[str, str]] = field(default=dict)

    @functools.cached_property
    def words(self) -> Mapping[str, str]:
        """What the SDK's documentation says about each property."""
        return self._words()

    @functools.cached_property
    def properties(self) -> Mapping[str, Node]:
        return self._properties()

    @functools.cached_property
    def element(self) -> Node:
        return self._element() if self._element else ANY

    @functools.cached_property
    def options(self) -> tuple[Node, ...]:
        return self._options()

    @functools.cached_property
    def squeezed(self) -> Mapping[str, str]:
        """Property names without regard to case and number → the name."""
        return {squeeze(name): name for name in self.properties}


ANY = Node("any")


def squeeze(name: str) -> str:
    """Case folded and in the singular; underscores stay: a name in snake_case is a mistake, not a spelling."""
    text = name.lower()
    for end, put in (("ies", "y"), ("sses", "ss"), ("ches", "ch"), ("xes", "x"), ("s", "")):
        if text.endswith(end) and not text.endswith("ss"):
            return text[: -len(end)] + put
    return text
