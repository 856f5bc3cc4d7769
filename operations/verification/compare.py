"""Whether an answer is the one that the release's sample holds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

#: What the release's own tolerance is held against at least: answers travel as float32 in JSON.
LEAST_TOLERANCE = 1e-6


def difference(expected: Mapping[str, Any], found: Mapping[str, Any], tolerance: float) -> str | None:
    """The first output that is another one, in words; None where the answer is right.

    Numbers with a fraction may differ by `tolerance`; labels and texts not at all. Flat and nested lists of the same
    values are the same: contracts differ in that.
    """
    for name, right in expected.items():
        if name not in found:
            return f"output {name} is missing"
        right_values, values = flat(right), flat(found[name])
        if len(right_values) != len(values):
            return f"output {name} has {len(values)} values, the sample has {len(right_values)}"
        for index, (one, other) in enumerate(zip(right_values, values, strict=True)):
            if not _same(one, other, max(tolerance, LEAST_TOLERANCE)):
                where = f"{name}[{index}]" if len(right_values) > 1 else name
                return f"output {where} is {other!r}, the sample says {one!r}"
    return None


def _same(right: Any, found: Any, tolerance: float) -> bool:
    if isinstance(right, bool) or isinstance(found, bool) or isinstance(right, str):
        return right == found
    if isinstance(right, int):
        return right == found
    return (
        isinstance(found, (int, float))
        and math.isfinite(found)
        and math.isclose(right, found, rel_tol=0, abs_tol=tolerance)
    )


def flat(value: Any) -> list[Any]:
    """The values of nested lists, in order."""
    return [item for part in value for item in flat(part)] if isinstance(value, list) else [value]
