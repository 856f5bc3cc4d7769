"""Both engines behind one shape: run an operation, say what happened to which resource."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from engine.standin import StandIn
from operations.rehearsal.program import PASSPHRASE, Program

Operation = Literal["preview", "up", "refresh", "destroy"]


@dataclass(frozen=True)
class Outcome:
    """What one operation did.

    steps: (op, URN), sorted, without what stayed the same, providers and the stack itself; op is create, update,
    replace or delete. message: why it failed.
    """

    operation: Operation
    ok: bool
    steps: tuple[tuple[str, str], ...]
    message: str
    seconds: float

    def urns(self, *ops: str) -> list[str]:
        """URNs of the steps with one of these ops."""
        return [urn for op, urn in self.steps if op in ops]

    def counted(self) -> str:
        """``2 create, 1 update`` for people."""
        counts: dict[str, int] = {}
        for op, _ in self.steps:
            counts[op] = counts.get(op, 0) + 1
        return ", ".join(f"{count} {op}" for op, count in sorted(counts.items())) or "no change"


class Engine(Protocol):
    """One stack on one engine. A failed operation is an Outcome, not an exception."""

    title: str

    def run(self, operation: Operation) -> Outcome: ...
    def resources(self) -> list[dict[str, Any]]: ...
    def pending(self) -> set[str]: ...


class EmbeddedRun:
    """The stack on the embedded engine."""

    title = "embedded engine"

    def __init__(self, program: Program, backend: Path, stand_in: StandIn, tell: Callable[[str], None]) -> None:
        self._program, self._backend, self._stand_in, self._tell = program, backend, stand_in, tell

    def run(self, operation: Operation) -> Outcome:
        from engine import EmbeddedEngine, EngineError

        started = time.monotonic()
        engine = EmbeddedEngine(
            self._program.folder,
            self._program.stack,
            self._backend,
            PASSPHRASE,
            on_event=lambda event: self._tell(str(event)),
            providers=self._stand_in.providers,
            python=self._program.python,
        )
        try:
            result = getattr(engine, operation)()
        except EngineError as error:
            return Outcome(operation, False, (), str(error), time.monotonic() - started)
        steps = _steps((step.op, step.urn) for step in result.steps)
        return Outcome(operation, True, steps, "", time.monotonic() - started)

    def resources(self) -> list[dict[str, Any]]:
        return list(_latest(self._backend, self._program).get("resources") or [])

    def pending(self) -> set[str]:
        """URNs of creations whose end nobody saw, as the state remembers them."""
        return _pending(_latest(self._backend, self._program))


class CliRun:
    """The stack on the Pulumi CLI, through the Automation API."""

    def __init__(
        self, program: Program, backend: Path, stand_in: StandIn, tell: Callable[[str], None], cli: Path
    ) -> None:
        from pulumi import automation

        self._program, self._backend, self._stand_in, self._tell = program, backend, stand_in, tell
        backend.mkdir(parents=True, exist_ok=True)
        self._env = {
            "PULUMI_BACKEND_URL": backend.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        command = automation.PulumiCommand(root=str(cli.parent.parent) if cli.parent.name == "bin" else None)
        self.title = f"Pulumi CLI {command.version}"
        self._workspace = automation.LocalWorkspace(
            work_dir=str(program.folder), pulumi_command=command, env_vars={**self._env, **stand_in.environment}
        )
        settings = program.folder / f"Pulumi.{program.stack}.yaml"
        text = settings.read_text()
        self._stack = automation.Stack.create_or_select(program.stack, self._workspace)
        settings.write_text(text)  # `stack init` writes a salt of its own

    def run(self, operation: Operation) -> Outcome:
        from pulumi import automation

        self._workspace.env_vars = {**self._env, **self._stand_in.environment}  # ports change after a crash
        started = time.monotonic()
        seen: list[tuple[str, str]] = []
        errors: list[str] = []

        def listen(event: automation.EngineEvent) -> None:
            # A refresh says only afterwards what it found; everything else says before what it will do.
            ended, begun = event.res_outputs_event, event.resource_pre_event
            told = ended if operation == "refresh" else begun
            diagnostic = event.diagnostic_event
            if diagnostic is not None and diagnostic.severity == "error":
                errors.append(re.sub(r"<\{%.*?%\}>", "", diagnostic.message).strip())
            if told is not None:
                seen.append((_op(told.metadata.op), told.metadata.urn))

        try:
            getattr(self._stack, operation)(on_event=listen, on_output=lambda line: self._tell(line.rstrip()))
        except automation.CommandError as error:
            return Outcome(operation, False, (), _why(errors, str(error)), time.monotonic() - started)
        return Outcome(operation, True, _steps(seen), "", time.monotonic() - started)

    def resources(self) -> list[dict[str, Any]]:
        return list(_latest(self._backend, self._program).get("resources") or [])

    def pending(self) -> set[str]:
        """URNs of creations whose end nobody saw, as the state remembers them."""
        return _pending(_latest(self._backend, self._program))


def _op(op: Any) -> str:
    return str(getattr(op, "value", op))


def _why(errors: list[str], text: str) -> str:
    told = [error for error in errors if error != "update failed"]
    return "; ".join(dict.fromkeys(told)) or text.strip().splitlines()[-1]


#: What both engines count. The CLI tells a replacement three times: create-replacement, replace, delete-replaced.
_COUNTED = ("create", "update", "replace", "delete")


def _steps(seen: Any) -> tuple[tuple[str, str], ...]:
    kept = set()
    for op, urn in seen:
        kind = urn.split("::")[2].split("$")[-1]
        if op in _COUNTED and not kind.startswith("pulumi:providers:") and kind != "pulumi:pulumi:Stack":
            kept.add((op, urn))
    return tuple(sorted(kept))


def _latest(backend: Path, program: Program) -> dict[str, Any]:
    """The deployment in the stack's state file; both engines write the same layout."""
    file = backend / ".pulumi" / "stacks" / program.name / f"{program.stack}.json"
    if not file.exists():
        return {}
    checkpoint: Mapping[str, Any] = json.loads(file.read_text())["checkpoint"]
    return checkpoint.get("latest") or {}


def _pending(latest: Mapping[str, Any]) -> set[str]:
    operations = latest.get("pending_operations") or []
    return {operation["resource"]["urn"] for operation in operations if operation["type"] == "creating"}
