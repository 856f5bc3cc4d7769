"""Arithmetic of an online endpoint's traffic: whole percents by deployment, 100 together or none at all."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

Shares = Mapping[str, int]


def problems(shares: Any) -> list[str]:
    """What is wrong with the traffic that somebody asks for, as Azure would refuse it."""
    if not isinstance(shares, Mapping):
        return [f"is {shares!r}; allowed: a percentage for each deployment's name"]
    found = [
        f"{name!r} is {percent!r}; allowed: whole percents from 0 to 100"
        for name, percent in shares.items()
        if isinstance(percent, bool)
        or not isinstance(percent, int | float)
        or percent != int(percent)
        or not 0 <= percent <= 100
    ]
    # Azure's own SDK sends names of traffic in lower case, so that others would be two names for one deployment.
    found += [
        f"names {name!r}; allowed: deployments' names, in lower case"
        for name in shares
        if not name or name != name.lower()
    ]
    if not found and (total := sum(shares.values())) not in (0, 100):
        parts = ", ".join(f"{name} {int(percent)}" for name, percent in shares.items())
        found.append(f"sums to {int(total)} ({parts}); allowed: 100, or nothing at all")
    return found


def plain(shares: Mapping[str, float] | None) -> dict[str, int]:
    """The same in one form: names in lower case and in order, whole numbers, none that is 0."""
    return {name.lower(): int(percent) for name, percent in sorted((shares or {}).items()) if percent}


def among(shares: Shares, names: Collection[str]) -> dict[str, int]:
    """The traffic when there are only these deployments: each keeps its part of what is left, and it is 100 again.

    Empty where none of them had any.
    """
    left = {name: percent for name, percent in plain(shares).items() if name in names}
    total = sum(left.values())
    if not total:
        return {}
    parts = {name: percent * 100 // total for name, percent in left.items()}
    # What rounding took goes to those who lost most by it; of two that lost alike, to the first by name.
    losers = sorted(left, key=lambda name: (-(left[name] * 100 % total), name))
    for name in losers[: 100 - sum(parts.values())]:
        parts[name] += 1
    return plain(parts)
