"""Replace or update? What differs between two sets of inputs, and what the tables say about it.

Tables: ``data/replace/*.json``, ``{type token: {property: {"change": "replace"|"update", "source": …}}}``; a property
is a wire name, nested ones as ``template.containers[].image``. No row means *unknown*, and is said as that.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from engine.standin.naming import FILLED
from engine.standin.values import has_unknown, plain

Change = Literal["replace", "update", "unknown"]
DATA = Path(__file__).resolve().parent / "data" / "replace"


@dataclass(frozen=True)
class Difference:
    """One property that differs. path: as in ``containers[0].image``. kind: ``add``, ``delete`` or ``update``."""

    path: str
    kind: Literal["add", "delete", "update"]
    change: Change


@functools.cache
def tables() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """All rows, by type token."""
    rows: dict[str, Mapping[str, Mapping[str, str]]] = {}
    for file in sorted(DATA.glob("*.json")):
        table = json.loads(file.read_text())
        rows.update({token: row for token, row in table.items() if isinstance(row, dict) and not token.startswith("_")})
    return rows


def decide(token: str, path: str) -> Change:
    """What changing a property of a type does; the longest row on the path decides."""
    row = tables().get(token)
    if row is None:
        return "unknown"
    steps = re.sub(r"\[[^\]]*\]", "[]", path)
    while steps:
        for name in (steps, steps.removesuffix("[]")):
            if name in row:
                change = row[name].get("change")
                return change if change in ("replace", "update") else "unknown"
        cut = max(steps.rfind("."), steps.rfind("["))
        steps = steps[:cut] if cut > 0 else ""
    return "unknown"


def differences(token: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> list[Difference]:
    """Every property that differs between old and new inputs. What is not known yet counts as different."""
    found = _differ(plain(dict(olds)), plain(dict(news)), "")
    return [Difference(path, kind, decide(token, path)) for path, kind in found if path.split(".")[0] != FILLED]


def _differ(old: Any, new: Any, path: str) -> Iterator[tuple[str, Literal["add", "delete", "update"]]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            where = f"{path}.{key}" if path else str(key)
            if key == FILLED:
                continue
            if old.get(key) is None and new.get(key) is not None:
                yield where, "add"
            elif new.get(key) is None and old.get(key) is not None:
                yield where, "delete"
            else:
                yield from _differ(old.get(key), new.get(key), where)
    elif isinstance(old, list) and isinstance(new, list):
        for at in range(max(len(old), len(new))):
            where = f"{path}[{at}]"
            if at >= len(old):
                yield where, "add"
            elif at >= len(new):
                yield where, "delete"
            else:
                yield from _differ(old[at], new[at], where)
    elif has_unknown(new) or old != new:
        yield path, "update"
