"""What the steps of one run share: state, providers, the lists of what was done and what failed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from engine.events import Event, Step, step_event
from engine.registry import Registry
from engine.resource import Resource
from engine.state import State


class Run:
    """What the steps of one run share.

    preview: nothing is changed. stopping: set when the run shall end; no new step begins then.
    """

    def __init__(self, state: State, registry: Registry, on_event: Callable[[Event], None], *, preview: bool) -> None:
        self.state, self.registry, self.preview = state, registry, preview
        self.stopping = threading.Event()
        self.lock = threading.RLock()
        self.steps: list[Step] = []
        self.errors: list[str] = []
        #: In a plan: what functions of the clouds were answered with, by token.
        self.assumed: dict[str, Any] = {}
        self._on_event = on_event

    def tell(self, event: Event) -> None:
        self._on_event(event)

    def log(self, severity: str, message: str, urn: str = "") -> None:
        self.tell(Event("log", message, severity, urn))

    def fail(self, message: str, urn: str = "") -> None:
        with self.lock:
            self.errors.append(message)
        self.log("error", message, urn)

    def do(self, step: Step, action: Callable[[], Any]) -> Any:
        """Run one step's action, telling of its begin and end."""
        if self.preview:
            outcome = action()
            self.tell(step_event(step, done=False, preview=True))
        else:
            self.tell(step_event(step, done=False))
            began = time.monotonic()
            outcome = action()
            self.tell(step_event(step, done=True, seconds=time.monotonic() - began))
        self.record(step)
        return outcome

    def record(self, step: Step) -> None:
        with self.lock:
            self.steps.append(step)

    def settle(self, old: Resource | None, new: Resource) -> Resource:
        """Enter a resource that needed no provider call; nothing is written where nothing changed."""
        if old is not None and new.same_as(old):
            self.state.end(old, add=old, remove=old, save=False)
            return old
        if old is None or new.inputs != old.inputs or new.outputs != old.outputs:
            new.touch()
        self.state.end(new, add=new, remove=old)
        return new

    def settle_replaced(self, old: Resource | None, new: Resource) -> Resource:
        """Enter a resource beside the one it replaces, if any, which waits for its deletion; in one write."""
        with self.state.lock:
            if old is not None:
                old.delete, old.text = True, None
            self.state.end(new, add=new, save=False)
        self.state.save()
        return new
