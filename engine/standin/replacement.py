"""Replace or update? What differs between two sets of inputs, and what the tables say about it.

The tables are ``data/replace/*.json``; their README says what a row holds and where rows come from. A type or property
without a row is *unknown*, never "update"; so is one whose answer depends on the values, and its reason says on what.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from engine.standin.naming import FILLED
from engine.standin.values import has_unknown, plain

Change = Literal["replace", "update", "unknown"]
Row = Mapping[str, str]
DATA = Path(__file__).resolve().parent / "data" / "replace"
# The worst a change of several properties does: one that replaces decides, then one that is not known.
_WORST: Sequence[Change] = ("replace", "unknown", "update")


@dataclass(frozen=True)
class Classification:
    """What changing one property does.

    source: page the answer comes from, empty when there is no row. reason: why it is unknown, or what it hangs on.
    """

    change: Change
    source: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Difference:
    """One property that differs. path: as in ``containers[0].image``. kind: ``add``, ``delete`` or ``update``.

    reason, source: as in :class:`Classification`.
    """

    path: str
    kind: Literal["add", "delete", "update"]
    change: Change
    reason: str = ""
    source: str = ""


@functools.cache
def tables() -> Mapping[str, Mapping[str, Row]]:
    """All rows by type token; a row's ``source`` is the page itself, not its short name in the file."""
    rows: dict[str, Mapping[str, Row]] = {}
    for file in sorted(DATA.glob("*.json")):
        table = json.loads(file.read_text())
        pages = {name: source["page"] for name, source in table.pop("_sources").items()}
        for token, properties in table.items():
            rows[token] = {path: {**row, "source": pages[row["source"]]} for path, row in properties.items()}
    return rows


def classify(token: str, changed_properties: Iterable[str]) -> dict[str, Classification]:
    """What changing each property of a type does.

    changed_properties: wire names; nested ones as ``template.containers[0].image``, with or without the index.
    """
    return {path: _classify(token, path) for path in changed_properties}


def decide(token: str, path: str) -> Change:
    """What changing one property of a type does."""
    return _classify(token, path).change


def differences(token: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> list[Difference]:
    """Every property that differs between old and new inputs. What is not known yet counts as different."""
    found: list[Difference] = []
    for path, kind, value in _differ(plain(dict(olds)), plain(dict(news)), ""):
        if path.split(".")[0] == FILLED:
            continue
        # A block that comes or goes does what the worst of the properties in it does.
        said = _worst(_classify(token, leaf) for leaf in _leaves(value, path)) if kind != "update" else None
        said = said or _classify(token, path)
        found.append(Difference(path, kind, said.change, said.reason, said.source))
    return found


def _classify(token: str, path: str) -> Classification:
    rows = tables().get(token)
    if rows is None:
        return Classification("unknown", reason=f"no table has a row for {token}")
    steps = re.sub(r"\[[^\]]*\]", "[]", path)
    # Only some of a block's properties replace: the block's name alone says too little.
    inside = sorted({row["change"] for name, row in rows.items() if name.startswith((f"{steps}.", f"{steps}[]"))})
    exact = steps.removesuffix("[]")
    if inside and any(change != "update" for change in inside):
        return Classification(
            "unknown",
            rows[exact]["source"] if exact in rows else "",
            f"it depends on which part of {path} changes",
        )
    while steps:
        for name in (steps, steps.removesuffix("[]")):
            if name in rows:
                row = rows[name]
                change = row["change"]
                known: Change = "replace" if change == "replace" else "update" if change == "update" else "unknown"
                return Classification(known, row["source"], row.get("when", ""))
        cut = max(steps.rfind("."), steps.rfind("["))
        steps = steps[:cut] if cut > 0 else ""
    return Classification("unknown", reason=f"the table of {token} has no row for {path.split('.')[0].split('[')[0]}")


def _worst(all_of: Iterable[Classification]) -> Classification | None:
    return min(all_of, key=lambda one: _WORST.index(one.change), default=None)


def _leaves(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}")
    elif isinstance(value, list) and value:
        for at, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{at}]")
    else:
        yield path


def _differ(old: Any, new: Any, path: str) -> Iterator[tuple[str, Literal["add", "delete", "update"], Any]]:
    """Paths that differ, and what was added or taken away there."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            where = f"{path}.{key}" if path else str(key)
            if key == FILLED:
                continue
            if old.get(key) is None and new.get(key) is not None:
                yield where, "add", new[key]
            elif new.get(key) is None and old.get(key) is not None:
                yield where, "delete", old[key]
            else:
                yield from _differ(old.get(key), new.get(key), where)
    elif isinstance(old, list) and isinstance(new, list):
        for at in range(max(len(old), len(new))):
            where = f"{path}[{at}]"
            if at >= len(old):
                yield where, "add", new[at]
            elif at >= len(new):
                yield where, "delete", old[at]
            else:
                yield from _differ(old[at], new[at], where)
    elif has_unknown(new) or old != new:
        yield path, "update", new
