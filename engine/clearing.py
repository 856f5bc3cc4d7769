"""Delete before replace: a resource goes before its replacement comes, and what must be replaced with it goes first."""

from __future__ import annotations

from engine import wire
from engine.errors import EngineError
from engine.providers import Provider
from engine.resource import Resource
from engine.run import Run


class Clearing:
    """What one run has deleted so that it can be replaced.

    claimed: URNs that the program has registered so far; nothing registered later can be among those.
    """

    def __init__(self, run: Run, claimed: set[str]) -> None:
        self._run, self._claimed = run, claimed
        self._cleared: dict[str, Resource] = {}

    def take(self, urn: str) -> Resource | None:
        """The entry of a resource that was cleared away and is now registered again."""
        with self._run.lock:
            return self._cleared.pop(urn, None)

    def clear(self, root: Resource, provider: Provider) -> None:
        """Delete a resource that is replaced, and before it whatever must be replaced with it."""
        dependents = self._replaced_with(root)
        for resource in dependents:
            if resource.protect:
                raise EngineError(
                    f"{resource.urn} must be replaced with {root.urn}, and it is protected: "
                    "remove protect from the program first"
                )
        gone = {root.urn, *(resource.urn for resource in dependents)}
        for resource in reversed(dependents):
            with self._run.lock:
                self._cleared[resource.urn] = resource
            self._delete_for_replacement(resource, self._run.registry.of(resource.provider), gone)
        self._delete_for_replacement(root, provider, gone)

    def _delete_for_replacement(self, old: Resource, provider: Provider, gone: set[str]) -> None:
        state = self._run.state
        if not self._run.preview and not old.pending_replacement:
            state.begin(old, "deleting")
            try:
                if not (old.retain_on_delete or old.deleted_with in gone):
                    provider.delete(old, old.custom_timeouts.get("delete", 0))
            except BaseException:
                state.end(old)
                raise
            with state.lock:
                old.pending_replacement, old.text = True, None
                state.end(old, save=False)
            state.save()

    def _replaced_with(self, root: Resource) -> list[Resource]:
        """Entries that a deletion of `root` forces to be replaced as well, in the order of the state."""
        resources = list(self._run.state.old.values())
        position = next((number for number, resource in enumerate(resources) if resource is root), len(resources))
        replaced, affected, found = {root.urn}, {root.urn}, []
        for resource in resources[position + 1 :]:
            needs = {*resource.references()} - {resource.parent}
            if resource.delete or needs.isdisjoint(affected) or resource.urn in self._claimed:
                continue
            affected.add(resource.urn)
            if self._must_go(resource, replaced):
                replaced.add(resource.urn)
                found.append(resource)
        return found

    def _must_go(self, resource: Resource, replaced: set[str]) -> bool:
        """Whether it would be replaced if what its inputs take from the replaced ones were not known."""
        if not resource.custom or resource.external:
            return False
        if wire.split_reference(resource.provider)[0] in replaced or resource.deleted_with in replaced:
            return True
        needs = resource.property_dependencies
        moved = {key for key in resource.inputs if not replaced.isdisjoint(needs.get(key, ()))}
        if not moved or resource.type.startswith(wire.PROVIDER_PREFIX):
            return False
        news = {key: wire.UNKNOWN if key in moved else value for key, value in resource.inputs.items()}
        provider = self._run.registry.of(resource.provider)
        diff = provider.diff(resource, news, resource.ignore_changes, resource.urn, moved)
        forced = resource.replace_on_changes
        return bool(diff.replaces) or any(key in forced or "*" in forced for key in diff.named)
