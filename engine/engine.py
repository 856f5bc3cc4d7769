"""The embedded engine: runs a Pulumi program without the Pulumi CLI."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import wire
from engine.children import DynamicHost, Program
from engine.errors import EngineError
from engine.events import Event, Result
from engine.lock import stack_lock
from engine.planning import MADE_UP_SECRET, Plan, empty_state
from engine.project import Project, load_project
from engine.state import State, known_stacks, load, state_path

if TYPE_CHECKING:
    from engine.session import Session


class EmbeddedEngine:
    """One stack of one project, in a folder that it shares with the CLI's file backend.

    project_dir: folder of Pulumi.yaml. backend_dir: what the CLI calls `file://<backend_dir>`. passphrase: of the
    stack's secrets. on_event: told of everything as it happens, from several threads but one at a time.
    providers: package → host:port of a running provider for resources that are not dynamic; without one, such a
    resource is refused. plan: allow `preview` of those all the same, with inputs echoed and all else unknown.
    python: interpreter of the program; by default the one that runs this.

    Every operation raises EngineError; its `changed` is False where it is certain that nothing was changed.
    """

    def __init__(
        self,
        project_dir: Path,
        stack: str,
        backend_dir: Path,
        passphrase: str,
        *,
        on_event: Callable[[Event], None] | None = None,
        providers: Mapping[str, str] | None = None,
        plan: bool = False,
        python: str | None = None,
    ) -> None:
        self._root = Path(project_dir).resolve()
        self._stack = stack
        self._backend = Path(backend_dir).resolve()
        self._passphrase = passphrase
        self._on_event = on_event
        self._telling = threading.RLock()
        self._attached = dict(providers or {})
        self._plan = plan
        self._python = python or sys.executable

    def up(self) -> Result:
        """Make the stack what the program says.

        It is rehearsed first, as the CLI does: whatever a preview can find wrong is told before anything is changed.
        """
        if self._plan:
            raise EngineError("an engine for plans changes nothing: it has no `up`", changed=False)
        with self._session(program=True) as session:
            return session.up()

    def preview(self) -> Result:
        """What `up` would do. Changes nothing and takes no lock."""
        with self._session(program=True, lock=False) as session:
            return session.preview()

    def plan(self, against: State | None = None) -> Plan:
        """What `up` would make of a state; by default of none, as if the stack had never been deployed.

        Reads neither the backend nor the passphrase: secrets of the config are made up.
        """
        if not self._plan:
            raise EngineError("this engine is not for plans: make one with plan=True", changed=False)
        project = load_project(self._root, self._stack)
        state = against or empty_state(project.name, self._stack)
        with self._session(program=True, lock=False, state=state) as session:
            return session.plan()

    def refresh(self) -> Result:
        """Bring the state to what is really there."""
        with self._session() as session:
            return session.refresh()

    def destroy(self) -> Result:
        """Delete everything in the stack's state. The program is not run."""
        with self._session() as session:
            return session.destroy()

    def outputs(self, *, show_secrets: bool = False) -> dict[str, Any]:
        """The stack's exports as the last run left them; secrets are masked unless asked for."""
        outputs = stack_outputs(self._load(load_project(self._root, self._stack)))
        return wire.reveal(outputs) if show_secrets else wire.mask(outputs)

    def _load(self, project: Project) -> State:
        if not project.stack_file.exists() and not state_path(self._backend, project.name, self._stack).exists():
            known = known_stacks(self._backend, project.name) | project.stacks()
            raise EngineError(
                f"there is no stack {self._stack!r} of {project.name}; known are {', '.join(sorted(known)) or 'none'}. "
                f"Name one of them, or write {project.stack_file} for a new one. Nothing was changed.",
                changed=False,
            )
        return load(self._backend, project.name, self._stack, self._passphrase, project.salt)

    @contextlib.contextmanager
    def _session(self, *, program: bool = False, lock: bool = True, state: State | None = None) -> Iterator[Session]:
        """One operation: lock, child processes, state and config. state: for a plan, which has no other."""
        project = load_project(self._root, self._stack)
        folder = project.program if project.program.is_dir() else project.program.parent
        if not folder.is_dir():
            raise EngineError(f"Pulumi.yaml names the program {project.program}, which is not there", changed=False)
        env = {**os.environ, "PULUMI_PROJECT": project.name}
        if self._plan:
            env["PYTHONDONTWRITEBYTECODE"] = "1"  # a plan leaves nothing in the working tree
        with contextlib.ExitStack() as stack:
            if lock:
                stack.enter_context(stack_lock(self._backend, project.name, self._stack))
            # The children load the SDK while state is read here: that is most of the time of a small run.
            child = Program(self._python, folder, env, self._line) if program else None
            if child is not None:
                stack.callback(child.stop)
            host = DynamicHost(self._python, folder, env, self._line)
            stack.callback(host.stop)
            if not self._attached and not self._plan:
                host.start()
            decrypt = None
            if state is None:
                state = self._load(project)
                stack.callback(state.sync)
            else:
                decrypt = _made_up
            from engine.session import Session  # loads the SDK's protocol, which takes long

            yield stack.enter_context(
                contextlib.closing(
                    Session(
                        project,
                        state,
                        self._tell,
                        child,
                        host,
                        attached=self._attached,
                        plan=self._plan,
                        decrypt=decrypt,
                    )
                )
            )

    def _tell(self, event: Event) -> None:
        if self._on_event is not None:
            with self._telling:
                self._on_event(event)

    def _line(self, line: str) -> None:
        self._tell(Event("output", line))


def _made_up(_: str) -> str:
    return MADE_UP_SECRET


def stack_outputs(state: State) -> dict[str, Any]:
    """The exports in a state, secrets marked."""
    stack = next((resource for resource in state.resources() if resource.type == wire.STACK_TYPE), None)
    return stack.outputs if stack is not None else {}
