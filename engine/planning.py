"""Plans: what a program would make of a state that need not be the stack's own, without any account.

The state to plan against is empty, or what another plan ended with, or an exported one (`pulumi stack export`, or the
file backend's own file).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import wire
from engine.errors import EngineError
from engine.events import Result
from engine.resource import Resource
from engine.state import State, _deployment, _resource, _verify

#: Stands for a config secret: a plan does not ask for the passphrase.
MADE_UP_SECRET = "made-up-for-a-plan"  # noqa: S105


@dataclass(frozen=True)
class Plan:
    """What a plan found.

    before, after: resources by URN as the state has them and as they would be; secrets marked, unknowns as sentinels.
    state: what to plan against next. assumed: answers of the clouds that the plan made up, by function.
    """

    result: Result
    before: Mapping[str, Resource]
    after: Mapping[str, Resource]
    state: State
    assumed: Mapping[str, Any]


def empty_state(project: str, stack: str) -> State:
    """The state of a stack that was never deployed."""
    state = State(Path("/nonexistent"), f"organization/{project}/{stack}")
    state.frozen = True
    return state


def exported_state(file: Path, project: str, stack: str) -> State:
    """The state in a file. Its secrets stay closed: they are unknown.

    Raises EngineError naming the file where it is no state, or that of another project or stack.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise EngineError(f"{file} cannot be read ({error.strerror}); {_WANTED}", changed=False) from None
    except ValueError as error:
        raise EngineError(f"{file} is no state: it is not JSON ({error}); {_WANTED}", changed=False) from None
    if not isinstance(content, dict) or not isinstance(content.get("deployment", content.get("checkpoint")), dict):
        raise EngineError(f"{file} is no state: it holds no deployment and no checkpoint; {_WANTED}", changed=False)
    if "deployment" in content:
        content = {**content, "checkpoint": {"latest": content["deployment"]}}
    state = empty_state(project, stack)
    try:
        for entry in _deployment(content, file).get("resources") or []:
            resource = _resource(_closed(entry), None)
            state.old[id(resource)] = resource
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise EngineError(f"{file} is no state: an entry lacks or misuses {error}; {_WANTED}", changed=False) from None
    _verify(state, file)
    for resource in state.resources():
        urn = wire.parse_urn(resource.urn)
        if urn.project != project:
            raise EngineError(f"{file} is the state of the project {urn.project!r}, not of {project!r}", changed=False)
        if urn.stack != stack:
            raise EngineError(
                f"{file} is the state of the stack {urn.stack!r}; the plan is for {stack!r}: name the stack "
                f"{urn.stack!r}, or the state of {stack!r}",
                changed=False,
            )
    return state


_WANTED = "name what `pulumi stack export` wrote, or a stack's file of the file backend"


def _closed(value: Any) -> Any:
    """The entry with every encrypted secret unknown."""
    if wire.is_secret(value):
        if "ciphertext" in value:
            return {wire.SIGNATURE: wire.SECRET, "plaintext": json.dumps(wire.UNKNOWN)}
        return value
    if isinstance(value, dict):
        return {key: _closed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_closed(item) for item in value]
    return value


def by_urn(state: State) -> dict[str, Resource]:
    """The live resources of a state; default providers are nobody's business."""
    return {resource.urn: resource for resource in state.resources() if not resource.delete}
