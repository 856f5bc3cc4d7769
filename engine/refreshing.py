"""Refresh: ask every provider what is really there, and make the state say so."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from engine import wire
from engine.children import PARALLEL
from engine.errors import EngineError
from engine.events import Step
from engine.providers import ProviderError, diff_of
from engine.resource import Resource
from engine.run import Run


def refresh_all(run: Run) -> None:
    """Read every custom resource; what is gone leaves the state, what differs is taken over."""
    resources = run.state.resources()
    with ThreadPoolExecutor(PARALLEL) as pool:
        found = list(pool.map(lambda resource: _refresh(run, resource), resources))
    gone = [resource for resource, there in zip(resources, found, strict=True) if not there]
    if not gone:
        return
    with run.state.lock:
        remaining = [resource for resource in resources if resource not in gone]
        absent = {resource.urn for resource in gone} - {resource.urn for resource in remaining}
        stack = next((resource.urn for resource in remaining if resource.type == wire.STACK_TYPE), "")
        for resource in remaining:
            resource.drop_references(absent, stack)
        for resource in gone:
            run.state.end(resource, remove=resource, save=False)
    run.state.save()


def _refresh(run: Run, resource: Resource) -> bool:
    """Whether the resource still exists; where that cannot be said it does."""
    if not resource.custom or resource.type.startswith(wire.PROVIDER_PREFIX):
        if not resource.type.startswith(wire.PROVIDER_PREFIX):
            run.record(Step("same", resource.urn, resource.parent))
        return True
    if resource.pending_replacement or run.stopping.is_set():
        return True
    try:
        return _compare(run, resource)
    except EngineError as error:
        run.fail(str(error), resource.urn)
        return True


def _compare(run: Run, resource: Resource) -> bool:
    provider = run.registry.of(resource.provider)
    problems: list[str] = []
    try:
        id_, inputs, outputs = provider.read(resource.urn, resource.id, resource.inputs, resource.outputs)
    except ProviderError as error:
        if error.partial is None:
            raise
        # It exists and is not well: the next `up` tries to mend it.
        (id_, outputs, problems), inputs = error.partial, None
        run.log("warning", f"{resource.urn} is not healthy: {'; '.join(problems)}", resource.urn)
    if not id_:
        run.do(Step("delete", resource.urn, resource.parent), lambda: None)
        return False
    outputs = wire.mark_secret(outputs, resource.additional_secret_outputs)
    inputs = resource.inputs if inputs is None else inputs
    as_it_was = (resource.id, resource.inputs, resource.outputs, resource.init_errors)
    if (id_, inputs, outputs, problems) == as_it_was:
        run.record(Step("same", resource.urn, resource.parent))
        return True
    drift = diff_of(resource.outputs, outputs)
    step = Step("update", resource.urn, resource.parent, keys=drift.keys, detailed=drift.detailed)

    def act() -> None:
        with run.state.lock:
            resource.id, resource.inputs, resource.outputs, resource.init_errors = id_, inputs, outputs, problems
            resource.touch()
        run.state.save()

    run.do(step, act)
    return True
