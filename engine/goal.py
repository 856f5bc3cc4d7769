"""What the program asks for one resource; whatever this engine cannot do is refused here, by name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pulumi.runtime.proto import resource_pb2

from engine import wire
from engine.errors import Unsupported
from engine.resource import Resource

#: Fields of a registration that must be empty, and what they are called in the SDK.
_REFUSED = {
    "remote": "remote components",
    "importId": "ResourceOptions(import_)",
    "transforms": "transforms",
    "hooks": "resource hooks",
    "replace_with": "ResourceOptions(replace_with)",
    "replacement_trigger": "ResourceOptions(replacement_trigger)",
    "state_migrations": "state migrations",
    "envVarMappings": "ResourceOptions(env_var_mappings)",
    "snippetId": "snippets",
}

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


@dataclass(frozen=True)
class Goal:
    """One registration, read."""

    urn: str
    type: str
    name: str
    parent: str
    custom: bool
    inputs: dict[str, Any]
    provider: str
    version: str
    plugin_url: str
    dependencies: list[str]
    property_dependencies: dict[str, list[str]]
    protect: bool
    retain_on_delete: bool | None
    deleted_with: str
    delete_before_replace: bool | None
    ignore_changes: list[str]
    replace_on_changes: list[str]
    additional_secret_outputs: list[str]
    hide_diffs: list[str]
    custom_timeouts: dict[str, float]
    aliases: list[Any]

    @classmethod
    def read(cls, request: resource_pb2.RegisterResourceRequest, project: str, stack: str) -> Goal:
        """Raises Unsupported for what this engine cannot do."""
        urn = wire.make_urn(stack, project, request.parent, request.type, request.name)
        _refuse(request, urn)
        inputs = {key: value for key, value in wire.from_struct(request.object).items() if value is not None}
        return cls(
            urn=urn,
            type=request.type,
            name=request.name,
            parent=request.parent,
            custom=request.custom,
            inputs=inputs,
            provider=request.provider,
            version=request.version,
            plugin_url=request.pluginDownloadURL,
            dependencies=sorted(request.dependencies),
            # Every input has its entry, also where it depends on nothing.
            property_dependencies={
                key: sorted(request.propertyDependencies[key].urns) if key in request.propertyDependencies else []
                for key in sorted({*inputs, *request.propertyDependencies})
            },
            protect=request.protect,
            retain_on_delete=request.retainOnDelete if request.HasField("retainOnDelete") else None,
            deleted_with=request.deletedWith,
            delete_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
            ignore_changes=list(request.ignoreChanges),
            replace_on_changes=list(request.replaceOnChanges),
            additional_secret_outputs=sorted(request.additionalSecretOutputs),
            hide_diffs=list(getattr(request, "hideDiffs", ())),
            custom_timeouts=_timeouts(request, urn),
            aliases=[*request.aliasURNs, *request.aliases],
        )

    def resource(self, parent: Resource | None) -> Resource:
        """The entry it becomes, with what children inherit from their parent."""
        retain = self.retain_on_delete
        if retain is None:
            retain = parent is not None and parent.retain_on_delete
        return Resource(
            urn=self.urn,
            type=self.type,
            custom=self.custom,
            inputs=self.inputs,
            parent=self.parent,
            dependencies=self.dependencies,
            property_dependencies=self.property_dependencies,
            protect=self.protect,
            retain_on_delete=retain,
            deleted_with=self.deleted_with or (parent.deleted_with if parent else ""),
            ignore_changes=self.ignore_changes,
            replace_on_changes=self.replace_on_changes,
            additional_secret_outputs=self.additional_secret_outputs,
            custom_timeouts=self.custom_timeouts,
        )

    def former_urns(self, adopted: Mapping[str, str]) -> Iterator[str]:
        """URNs under which the state may still know this resource.

        adopted: URNs of this run → the former URNs that were found in state for them. A child follows its parent's
        former URN; where its name begins with the parent's, the prefix follows too.
        """
        own = list(dict.fromkeys(self._alias_urn(alias, adopted) for alias in self.aliases))
        yield from own
        former_parent = adopted.get(self.parent)
        if former_parent is None:
            return
        names = [(self.type, self.name), *((wire.parse_urn(urn).type, wire.parse_urn(urn).name) for urn in own)]
        new, old = wire.parse_urn(self.parent).name, wire.parse_urn(former_parent)
        for type_, name in names:
            renamed = old.name + name[len(new) :] if name.startswith(new) else name
            here = wire.parse_urn(self.urn)
            yield wire.join_urn(here.stack, here.project, old.qualified_type, type_, renamed)

    def _alias_urn(self, alias: Any, adopted: Mapping[str, str]) -> str:
        if isinstance(alias, str):
            return alias
        if alias.WhichOneof("alias") == "urn":
            return alias.urn
        spec = alias.spec
        if spec.WhichOneof("parent") == "parentUrn":
            parent = adopted.get(spec.parentUrn, spec.parentUrn)
        else:
            parent = "" if spec.noParent else self.parent
        here = wire.parse_urn(self.urn)
        return wire.make_urn(
            spec.stack or here.stack,
            spec.project or here.project,
            parent,
            spec.type or self.type,
            spec.name or self.name,
        )


def _refuse(request: Any, urn: str) -> None:
    known = request.DESCRIPTOR.fields_by_name
    for name, feature in _REFUSED.items():
        if name not in known:
            continue
        value = getattr(request, name)
        is_message = known[name].message_type is not None and not known[name].is_repeated
        if (is_message and request.HasField(name) and value.ByteSize()) or (not is_message and value):
            raise Unsupported(feature, urn)
    for option, paths in (("ignore_changes", request.ignoreChanges), ("replace_on_changes", request.replaceOnChanges)):
        for path in paths:
            if path != "*" and re.search(r"[.\[\]*]", path):
                raise Unsupported(f"{option} below the top level ({path!r})", urn)


def _timeouts(request: Any, urn: str) -> dict[str, float]:
    """Seconds per operation, of durations written like `1h30m`."""
    timeouts = {}
    for operation in ("create", "update", "delete", "read"):
        text = getattr(request.customTimeouts, operation, "")
        if not text:
            continue
        parts = re.findall(r"(\d+(?:\.\d+)?)(h|ms|m|us|µs|ns|s)", text)
        if "".join(number + unit for number, unit in parts) != text:
            raise Unsupported(f"the timeout {text!r}; a duration reads like 90s, 5m or 1h30m", urn)
        seconds = sum((float(number) * _UNITS[unit] for number, unit in parts), 0.0)
        timeouts[operation] = int(seconds) if seconds.is_integer() else seconds
    return timeouts
