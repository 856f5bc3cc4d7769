"""Deletions: in reverse order of dependency, those that do not depend on each other at the same time."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from engine import wire
from engine.children import PARALLEL
from engine.errors import EngineError
from engine.events import Step
from engine.resource import Resource
from engine.run import Run


def delete_all(run: Run, condemned: list[Resource]) -> None:
    """Delete entries of the state. Raises EngineError, with nothing deleted, where one of them is protected."""
    protected = [resource.urn for resource in condemned if resource.protect and not resource.delete]
    if protected:
        lines = "\n  ".join(protected)
        raise EngineError(
            f"these resources would be deleted, and they are protected:\n  {lines}\n"
            "Remove protect from them in the program, run `up`, then try again."
        )
    urns = {resource.urn for resource in condemned if not resource.delete}
    with ThreadPoolExecutor(PARALLEL) as pool:
        for layer in _layers(condemned):
            if run.errors or run.stopping.is_set():
                return
            list(pool.map(lambda resource: _delete(run, resource, urns), layer))


def _layers(condemned: list[Resource]) -> Iterable[list[Resource]]:
    """Groups in the order of deletion: nothing in a group or after it refers to what was in an earlier one."""
    remaining = list(condemned)
    while remaining:
        # An entry may be waited for by its dependents only as far as they stand after it: several entries can share
        # a URN, and an old copy depends on what stood before it.
        needed: set[int] = set()
        last: dict[str, int] = {}
        for number, resource in enumerate(remaining):
            needed.update(last[urn] for urn in resource.references() if urn in last)
            last[resource.urn] = number
        layer = [resource for number, resource in enumerate(remaining) if number not in needed]
        yield list(reversed(layer))
        chosen = {id(resource) for resource in layer}
        remaining = [resource for resource in remaining if id(resource) not in chosen]


def _delete(run: Run, resource: Resource, urns: set[str]) -> None:
    """Delete one; what has no existence of its own is only forgotten."""
    if run.stopping.is_set():
        return
    internal = resource.type.startswith(wire.PROVIDER_PREFIX) and resource.name.startswith("default")
    kept = resource.retain_on_delete and not resource.delete
    silent = (
        not resource.custom
        or resource.external
        or resource.pending_replacement
        or resource.retain_on_delete
        or resource.type.startswith(wire.PROVIDER_PREFIX)
        or (resource.deleted_with in urns and resource.deleted_with != "")
    )
    step = Step("delete", resource.urn, resource.parent, retained=kept)

    def act() -> None:
        if silent or run.preview:
            run.state.end(resource, remove=resource)
            return
        run.state.begin(resource, "deleting")
        try:
            run.registry.of(resource.provider).delete(resource, resource.custom_timeouts.get("delete", 0))
        except BaseException:
            run.state.end(resource)
            raise
        run.state.end(resource, remove=resource)

    try:
        if resource.pending_replacement or resource.delete or internal:
            act()  # the replacement has been told of, and default providers nobody asked for
        else:
            run.do(step, act)
    except EngineError as error:
        run.fail(str(error), resource.urn)
