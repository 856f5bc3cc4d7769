"""From method and path to a route of the contracts table.

Paths without names in them are looked up in a dict; so are paths with the names of the model that is served, once they
have been seen. Everything else is matched, so that a wrong name gets its contract's own error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from spec.contracts import Route

#: Paths kept in the dict beside the table's own: a client cannot fill memory with paths of its own making.
REMEMBERED = 1000


class Match(NamedTuple):
    """A route, and what its path names."""

    route: Route
    names: dict[str, str]


class Router:
    """Routes by method and path."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._exact: dict[tuple[str, str], Match] = {}
        self._patterns: list[tuple[re.Pattern[str], Route]] = []
        for route in routes:
            if "{" in route.path:
                self._patterns.append((_pattern(route.path), route))
            else:
                self._exact.setdefault((route.method, route.path), Match(route, {}))

    def find(self, method: str, path: str) -> Match | None:
        """The route, or None where no contract has this path with this method."""
        key = (method, path)
        match = self._exact.get(key)
        if match is not None:
            return match
        for pattern, route in self._patterns:
            if route.method == method and (found := pattern.fullmatch(path)):
                match = Match(route, found.groupdict())
                if len(self._exact) < REMEMBERED:
                    self._exact[key] = match
                return match
        return None

    def methods(self, path: str) -> list[str]:
        """Methods that this path does have; empty where no contract has it."""
        exact = [method for method, known in self._exact if known == path]
        return sorted({*exact, *(route.method for pattern, route in self._patterns if pattern.fullmatch(path))})


def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", template)
    text = "".join(re.escape(part) if index % 2 == 0 else f"(?P<{part}>[^/:]+)" for index, part in enumerate(parts))
    return re.compile(text)
