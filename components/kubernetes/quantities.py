"""Kubernetes quantities (`500m`, `1.5`, `512Mi`, `1e3`) as exact numbers.

Not the Kubernetes client's `parse_quantity`: the client is a dozen packages and a second of every `pulumi up`
(docs/decisions/2026-11-25-what-checks-manifests.md).
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any

from components.kubernetes.published import QUANTITY

_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


class QuantityError(ValueError):
    """A text is no quantity."""


def quantity(value: Any) -> Fraction:
    """The number of a quantity, in the resource's unit: cores, bytes, things. Raises QuantityError."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value < 0 or not math.isfinite(value):
            raise QuantityError(f"{value} is no quantity")
        return Fraction(str(value))
    found = re.match(QUANTITY, value) if isinstance(value, str) else None
    if found is None:
        raise QuantityError(f"{value!r} is no quantity; allowed is a number with a suffix, such as 500m, 1.5 or 512Mi")
    number, suffix = Fraction(found[1]), found[3] or ""
    if suffix in _BINARY:
        return number * 2 ** _BINARY[suffix]
    exponent = _DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:])
    return number * Fraction(10) ** exponent


def written(resource: str, value: Fraction) -> str:
    """A quantity for people that is not less than the value: whole millicores, mebibytes (or bytes), things."""
    if "cpu" in resource:
        return f"{math.ceil(value * 1000)}m"
    if "memory" in resource or "storage" in resource:
        return f"{value / 2**20}Mi" if value % 2**20 == 0 else f"{math.ceil(value)}"
    return str(math.ceil(value))
