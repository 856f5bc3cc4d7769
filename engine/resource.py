"""One resource as a state file knows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from engine import wire

#: Fields of a resource that this engine would have to act on and cannot.
UNSUPPORTED_FIELDS = ("viewOf", "replaceWith", "replacementTrigger", "resourceHooks", "extensionRef", "snippetID")

#: (name in JSON, name here) of the fields that are written only when they are not empty.
FIELDS = (
    ("delete", "delete"),
    ("id", "id"),
    ("inputs", "inputs"),
    ("outputs", "outputs"),
    ("parent", "parent"),
    ("protect", "protect"),
    ("taint", "taint"),
    ("external", "external"),
    ("dependencies", "dependencies"),
    ("initErrors", "init_errors"),
    ("provider", "provider"),
    ("propertyDependencies", "property_dependencies"),
    ("pendingReplacement", "pending_replacement"),
    ("additionalSecretOutputs", "additional_secret_outputs"),
    ("customTimeouts", "custom_timeouts"),
    ("retainOnDelete", "retain_on_delete"),
    ("deletedWith", "deleted_with"),
    ("ignoreChanges", "ignore_changes"),
    ("replaceOnChanges", "replace_on_changes"),
)
KNOWN = {"urn", "custom", "type", *(name for name, _ in FIELDS)}


@dataclass(eq=False)
class Resource:
    """One resource as the state knows it. Secrets in inputs and outputs are marked, in clear, in memory only."""

    urn: str
    type: str
    custom: bool
    id: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    parent: str = ""
    provider: str = ""
    dependencies: list[str] = field(default_factory=list)
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    protect: bool = False
    taint: bool = False
    external: bool = False
    delete: bool = False
    pending_replacement: bool = False
    retain_on_delete: bool = False
    deleted_with: str = ""
    init_errors: list[str] = field(default_factory=list)
    additional_secret_outputs: list[str] = field(default_factory=list)
    ignore_changes: list[str] = field(default_factory=list)
    replace_on_changes: list[str] = field(default_factory=list)
    custom_timeouts: dict[str, float] = field(default_factory=dict)
    #: Fields kept as they are: times, source positions.
    rest: dict[str, Any] = field(default_factory=dict)
    #: JSON of the entry while it is unchanged since it was read or last written.
    text: str | None = None

    @property
    def name(self) -> str:
        return wire.parse_urn(self.urn).name

    def references(self) -> Iterator[str]:
        """URNs that must stand before this resource."""
        if self.parent:
            yield self.parent
        if self.provider:
            yield wire.split_reference(self.provider)[0]
        if self.deleted_with:
            yield self.deleted_with
        yield from self.dependencies
        for urns in self.property_dependencies.values():
            yield from urns

    def same_as(self, other: Resource) -> bool:
        """Whether the state file would say the same of both."""
        return self.urn == other.urn and all(getattr(self, name) == getattr(other, name) for _, name in FIELDS)

    def touch(self) -> None:
        """Say that it changed just now."""
        now = datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")
        self.rest = {**self.rest, "created": self.rest.get("created", now), "modified": now}
        self.text = None

    def rename_references(self, old: str, new: str) -> None:
        """Point references from one URN to another (an alias was adopted)."""
        if old not in self.references():
            return
        swap: Callable[[str], str] = lambda urn: new if urn == old else urn  # noqa: E731 # used four times below
        self.parent, self.deleted_with = swap(self.parent), swap(self.deleted_with)
        self.dependencies = [swap(urn) for urn in self.dependencies]
        self.property_dependencies = {key: [*map(swap, urns)] for key, urns in self.property_dependencies.items()}
        if self.provider:
            urn, id_ = wire.split_reference(self.provider)
            self.provider = f"{swap(urn)}::{id_}"
        self.text = None

    def drop_references(self, gone: set[str], stack_urn: str) -> None:
        """Forget resources that no longer exist; a child of one becomes a child of the stack."""
        if gone.isdisjoint(self.references()):
            return
        if self.parent in gone:
            self.parent = stack_urn
        if self.deleted_with in gone:
            self.deleted_with = ""
        self.dependencies = [urn for urn in self.dependencies if urn not in gone]
        self.property_dependencies = {
            key: [urn for urn in urns if urn not in gone] for key, urns in self.property_dependencies.items()
        }
        self.text = None
