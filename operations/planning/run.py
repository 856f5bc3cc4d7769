"""Planning of stacks on the embedded engine: what it is compared with, then the program itself."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from engine import EmbeddedEngine, EngineError, Event
from engine.planning import Plan, exported_state
from engine.project import load_project
from engine.state import State
from operations.errors import OperationError
from operations.planning.model import Page, StackPlan, stack_plan
from operations.planning.revision import checked_out
from operations.rehearsal.program import interpreter, without_credentials

_NOTHING = "nothing"


@dataclass(frozen=True)
class Against:
    """What to compare with: at most one of both. base: git revision. state: exported state."""

    base: str = ""
    state: Path | None = None


def plan_stacks(program: Path, stacks: Sequence[str], against: Against = Against()) -> Page:
    """Plan the stacks of a program. A program that fails is an error of its stack's plan.

    Raises OperationError where the folder, a stack, BASE or STATE cannot be what it is said to be.
    """
    _checked(program, stacks, against)
    with without_credentials(), contextlib.ExitStack() as closing:
        before = closing.enter_context(checked_out(program, against.base)) if against.base else None

        def one(stack: str) -> StackPlan:
            return _stack(program, stack, against, before)

        with ThreadPoolExecutor(len(stacks)) as pool:
            return Page(tuple(pool.map(one, stacks)))


def _checked(program: Path, stacks: Sequence[str], against: Against) -> None:
    if against.base and against.state:
        raise OperationError("BASE and STATE are both given: a plan is against one of them")
    if against.state is not None and len(stacks) != 1:
        raise OperationError(f"STATE is the state of one stack, and STACK names {len(stacks)}: name one")
    if against.state is not None and not against.state.is_file():
        raise OperationError(
            f"STATE is {str(against.state)!r}, which is no file: name what `pulumi stack export` wrote"
        )
    if not (program / "Pulumi.yaml").is_file():
        raise OperationError(f"{program} has no Pulumi.yaml: name the folder of a Pulumi program")
    if not stacks:
        raise OperationError("STACK is empty: name one stack, or several with commas between them")
    for stack in stacks:
        if not _stack_file(program, stack).is_file():
            known = sorted(file.name[len("Pulumi.") : -len(".yaml")] for file in program.glob("Pulumi.*.yaml"))
            raise OperationError(
                f"STACK is {stack!r}, and there is no {_stack_file(program, stack).name} in {program}; there are the "
                f"stacks {', '.join(known) or '(none)'}: name one of them, or write that file"
            )


def _stack_file(program: Path, stack: str) -> Path:
    try:
        return load_project(program, stack).stack_file
    except EngineError as error:
        raise OperationError(_without_promise(error)) from None


def _stack(program: Path, stack: str, against: Against, before: tuple[Path, str] | None) -> StackPlan:
    project = load_project(program, stack).name
    base, state, notes = _NOTHING, None, []
    try:
        if against.state is not None:
            base, state = f"the state {against.state.name}", exported_state(against.state, project, stack)
        elif before is not None:
            base = f"{against.base} ({before[1][:10]})"
            if (before[0] / "Pulumi.yaml").is_file() and _stack_file(before[0], stack).is_file():
                state = _run(before[0], program, stack, None, [], f"the program of BASE={against.base}: ").state
            else:
                notes.append(f"{against.base} has no stack {stack!r}: everything in it is new")
        plan = _run(program, program, stack, state, notes, "")
    except _Failed as failed:
        return StackPlan(project, stack, base, errors=failed.errors, notes=tuple(notes))
    except EngineError as error:
        raise OperationError(_without_promise(error)) from None
    return stack_plan(project, stack, base, plan, dict.fromkeys(notes))


class _Failed(Exception):  # noqa: N818 # carried a few lines up
    """A program that could not be planned. errors: all of them, for people."""

    def __init__(self, errors: tuple[str, ...]) -> None:
        super().__init__(*errors)
        self.errors = errors


def _run(folder: Path, home: Path, stack: str, state: State | None, notes: list[str], which: str) -> Plan:
    """Plan the program in `folder` on the environment of the one in `home`; its warnings are added to the notes."""
    errors: list[str] = []
    printed: list[str] = []

    def heard(event: Event) -> None:
        if event.kind == "output":
            printed.append(event.message)
        elif event.severity == "error":
            errors.append(event.message)
        elif event.severity == "warning":
            notes.append(event.message)

    engine = EmbeddedEngine(
        folder, stack, Path("/nonexistent"), "", on_event=heard, plan=True, python=str(interpreter(home))
    )
    try:
        return engine.plan(state)
    except EngineError as error:
        said = list(dict.fromkeys(errors)) or [*printed[-20:], str(error)]
        temporary = f"{folder}/" if folder != home else ""
        raise _Failed(tuple(which + _without_promise(one).replace(temporary, "") for one in said)) from None


def _without_promise(error: EngineError | str) -> str:
    """A plan never changes anything: it need not say so."""
    return str(error).replace(" Nothing was changed.", "")
