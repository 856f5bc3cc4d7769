"""What a cell of the capability table may say, and what every target has in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spec.server_metrics import LATENCY_BUCKETS


@dataclass(frozen=True)
class Mapped:
    """The target honours the field.

    how: by what.
    only: the values it honours, where these are not all.
    otherwise: the reason why other values are rejected.
    """

    how: str
    only: tuple[Any, ...] | None = None
    otherwise: str = ""


@dataclass(frozen=True)
class Rejected:
    """The target cannot honour the field: setting it is an error.

    reason: a phrase that ends "… because".
    """

    reason: str


Cell = Mapped | Rejected


@dataclass(frozen=True)
class Column:
    """One target. cells: by field, or by section for all its fields; the longest match counts."""

    cells: Mapping[str, Cell]

    def cell(self, row: str) -> Cell | None:
        """The cell of a field, else None."""
        found = [key for key in self.cells if row == key or row.startswith((f"{key}.", f"{key}["))]
        return self.cells[max(found, key=len)] if found else None


@dataclass(frozen=True)
class NotBuilt:
    """A target of the design that does not exist in this version."""


#: Fields that the spec honours by itself, the same on every target.
EVERYWHERE: dict[str, Cell] = {
    "name": Mapped("name, or prefix of the names, of everything made"),
    "release": Mapped("the release that is stored and served"),
    "deploy_to[].cloud": Mapped("chooses the cloud"),
    "deploy_to[].target": Mapped("chooses the target"),
    "resources.accelerator": Rejected("there is no GPU image of the server"),
}

#: Bounds of the server's histogram in milliseconds: between two of them Prometheus would guess.
SCRAPED_LATENCY = tuple(bound * 1000 for bound in LATENCY_BUCKETS)
#: Why another runtime is rejected.
ELSEWHERE = "only a Kubernetes cluster runs TensorFlow Serving and TorchServe: target kubernetes on cloud local"
