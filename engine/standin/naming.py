"""Physical names that the provider makes up, as the vendors' Pulumi providers do in ``Check``."""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from engine.standin.rules import TypeRule
from engine.standin.template import Missing, dig
from engine.standin.values import plain

#: Key in the inputs that lists what the provider filled in, as the bridged providers keep it.
FILLED = "__defaults"


class NamingError(ValueError):
    """A name is needed and may not be made up."""


def put(values: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a dotted path, making the dicts on the way."""
    *steps, last = path.split(".")
    for step in steps:
        inner = values.get(step)
        values[step] = inner if isinstance(inner, dict) else {}
        values = values[step]
    values[last] = value


def get(values: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, None where there is none."""
    try:
        return dig(values, path)
    except Missing:
        return None


def with_name(
    rule: TypeRule,
    inputs: dict[str, Any],
    olds: Mapping[str, Any],
    *,
    logical: str,
    seed: bytes,
    proposed: str = "",
    may_make_up: bool = True,
) -> dict[str, Any]:
    """The inputs with a physical name.

    The name of an earlier run is kept while it was made up by us. ``seed`` is the engine's random seed: the same seed
    gives the same name. ``proposed`` is a name made by the engine from the user's ``pulumi:autonaming`` pattern.
    Raises :class:`NamingError` where no name is given and none may be made up.
    """
    inputs = copy.copy(inputs)
    if not rule.name or get(inputs, rule.name) is not None:
        return inputs
    prefix_of = get(inputs, rule.name + "Prefix")
    if rule.autoname is False:
        return inputs
    if not may_make_up:
        raise NamingError(f"{rule.name} is not given, and automatic names are switched off (pulumi:autonaming)")
    kept = get(olds, rule.name) if rule.name in (plain(olds.get(FILLED)) or []) else None
    options = rule.autoname if isinstance(rule.autoname, Mapping) else {}
    if kept is not None:
        name = kept
    elif proposed:
        name = proposed
    else:
        name = made_up(prefix_of if isinstance(prefix_of, str) else logical, options, logical.encode() + seed)
    if "." in rule.name:
        head = rule.name.split(".")[0]
        inputs[head] = copy.deepcopy(inputs.get(head) or {})
    put(inputs, rule.name, name)
    inputs[FILLED] = sorted({*(plain(inputs.get(FILLED)) or []), rule.name})
    return inputs


def made_up(logical: str, options: Mapping[str, Any], seed: bytes) -> str:
    """A name from a logical name: cut to what the vendor allows, with random digits at the end."""
    digits = int(options.get("random", 7))
    separator = str(options.get("separator", "-"))
    charset = options.get("charset", "")
    random = hashlib.sha256(seed).hexdigest()
    if charset == "numeric":
        return str(int(random[:12], 16) % 10**digits).zfill(digits)
    name = logical
    if charset in ("lower", "alnum"):
        name = name.lower()
    if charset == "alnum":
        name, separator = re.sub(r"[^a-z0-9]", "", name), ""
    limit = int(options.get("max", 255)) - (digits + len(separator) if digits else 0)
    name = name[:limit]
    made = f"{name}{separator}{random[:digits]}" if digits else name
    return f"{options.get('prefix', '')}{made}"
