"""What a run tells: events while it goes on, steps and a result at its end. No secret is in clear in any of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine import wire

_SIGNS = {"create": "+", "update": "~", "replace": "+-", "delete": "-", "refresh": "~", "read": ">", "same": " "}
_DONE = {"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted", "read": "read"}
_DOING = {"create": "creating", "update": "updating", "replace": "replacing", "delete": "deleting", "read": "reading"}


@dataclass(frozen=True)
class PropertyChange:
    """One property that differs, as a plan knows it.

    path: as in `containers[0].image`. kind: add, delete or update. effect: replace, update or unknown, by the table of
    the type. reason: why it is unknown, or what it hangs on. source: page that the answer comes from.
    """

    path: str
    kind: str
    effect: str
    reason: str = ""
    source: str = ""


@dataclass(frozen=True)
class Step:
    """What happens, or would happen, to one resource.

    op: same, create, update, replace, delete or read, as the CLI counts them. keys: changed properties.
    replaces: those that force the replacement. detailed: property path → kind of change, where the provider says.
    replacement_known: False in a plan without provider, where an update might be a replacement.
    delete_first: the old one goes before the new one comes. inputs, olds: new and old inputs, secrets masked.
    """

    op: str
    urn: str
    parent: str = ""
    keys: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    detailed: Mapping[str, str] = field(default_factory=dict)
    replacement_known: bool = True
    delete_first: bool = False
    inputs: Mapping[str, Any] = field(default_factory=dict)
    olds: Mapping[str, Any] = field(default_factory=dict)
    retained: bool = False
    #: In a plan: what differs, and whether that replaces.
    properties: tuple[PropertyChange, ...] = ()

    @property
    def type(self) -> str:
        return wire.parse_urn(self.urn).type

    @property
    def name(self) -> str:
        return wire.parse_urn(self.urn).name

    @property
    def sign(self) -> str:
        return _SIGNS[self.op]


@dataclass(frozen=True)
class Event:
    """One thing worth telling while a run goes on; `str(event)` is a line for people.

    kind: step (begun), step-done, log, output (a line the program printed). severity of a log: debug, info, warning,
    error.
    """

    kind: str
    message: str
    severity: str = "info"
    urn: str = ""
    step: Step | None = None

    def __str__(self) -> str:
        if self.kind == "log" and self.severity in ("warning", "error"):
            return f"{self.severity}: {self.message}"
        return self.message


def step_event(step: Step, *, done: bool, seconds: float = 0.0, preview: bool = False) -> Event:
    what = step.op if preview else (_DONE if done else _DOING)[step.op]
    why = ""
    if step.retained:
        why = " (kept: retain_on_delete)"
    elif step.op == "replace" and step.replaces:
        why = f" (because of {', '.join(step.replaces)})"
    elif step.op == "update" and step.keys:
        why = f" ({', '.join(step.keys)})"
    if not step.replacement_known:
        why += " [may be a replacement]"
    took = f" in {seconds:.1f} s" if done and seconds >= 0.1 else ""
    text = f" {step.sign:<2} {step.type} {step.name} {what}{took}{why}"
    return Event("step-done" if done else "step", text, urn=step.urn, step=step)


@dataclass(frozen=True)
class Result:
    """The outcome of one run.

    changes: how many resources per op. outputs: the stack's exports, secrets masked. duration: seconds.
    """

    changes: Mapping[str, int]
    steps: tuple[Step, ...]
    outputs: Mapping[str, Any]
    duration: float

    @property
    def unchanged(self) -> bool:
        return set(self.changes) <= {"same", "read"}


def count(steps: tuple[Step, ...]) -> dict[str, int]:
    return dict(sorted(Counter(step.op for step in steps).items()))
