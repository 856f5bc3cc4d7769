"""How the tables of `test_touch.py` are written, and how two descriptions are compared."""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from hypothesis import strategies as st

from spec.targets import Target
from tests.components.aws.whole import whole

ALARMS = {"MetricAlarm", "CompositeAlarm", "Dashboard"}
#: Any type at all.
EVERYTHING = {"*"}

#: Values that a field may get, how the description changes (None: only its default is allowed), types it may touch.
Row: TypeAlias = tuple[st.SearchStrategy[Any], Any, set[str]]


@dataclass(frozen=True)
class Table:
    """The rows of one target.

    base: the description that is changed. before: beginning of a field's name -> what the description needs before,
    such as a schedule for a field of it. alone: fields that no other one is changed with.
    """

    target: Target
    base: Callable[[], dict[str, Any]]
    rows: Mapping[str, Row]
    before: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    alone: Sequence[str] = ()

    @property
    def fields(self) -> list[str]:
        """Those that may be changed."""
        return [name for name, (_, change, _) in self.rows.items() if change is not None]

    def described(self, name: str) -> dict[str, Any]:
        """The description before a field is changed."""
        return self.base() | next((more for start, more in self.before.items() if name.startswith(start)), {})

    def another(self, name: str) -> str:
        """A field of another section, the same one in every run."""
        section = name.partition(".")[0].removesuffix("[]")
        others = [
            one for one in self.fields if one.partition(".")[0].removesuffix("[]") != section and one not in self.alone
        ]
        return random.Random(name).choice(others)


def made(service: Mapping[str, Any], tree: Path) -> dict[str, Any]:
    """Type and name -> what is asked for; components and the stack left out."""
    return {
        # A file is compared by its path; its content has a hash of its own among the inputs.
        f"{one.type} {one.name}": json.dumps(
            [one.inputs, one.protect, one.retain], sort_keys=True, default=lambda file: file.path
        )
        for one in whole(service, tree)
        if one.custom and one.type != "pulumi:pulumi:Stack"
    }


def made_before(service: Mapping[str, Any], tree: Path) -> dict[str, Any]:
    """The same, kept: many fields are changed in one description."""
    return _kept(json.dumps(service), tree)


@functools.cache
def _kept(description: str, tree: Path) -> dict[str, Any]:
    return made(json.loads(description), tree)


def touched(one: Mapping[str, Any], other: Mapping[str, Any]) -> set[str]:
    """Types of resources that come, go or differ."""
    names = {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}
    return {name.split(" ")[0].rpartition(":")[2] for name in names}
