"""The embedded engine: runs a Pulumi program without the Pulumi CLI."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pulumi.runtime.proto import resource_pb2_grpc

from engine import wire
from engine.children import PARALLEL, DynamicHost, Program, job, python_of
from engine.deletes import delete_all
from engine.errors import EngineError
from engine.events import Event, Result, count
from engine.lock import stack_lock
from engine.monitor import Log, Monitor, serve
from engine.project import Project, load_project
from engine.refreshing import refresh_all
from engine.registry import Registry
from engine.state import State, load
from engine.steps import Run, Steps


class EmbeddedEngine:
    """One stack of one project, in a folder that it shares with the CLI's file backend.

    project_dir: folder of Pulumi.yaml. backend_dir: what the CLI calls `file://<backend_dir>`. passphrase: of the
    stack's secrets. on_event: told of everything as it happens, from several threads but one at a time.
    providers: package → host:port of a running provider for resources that are not dynamic; without one, such a
    resource is refused. plan: allow `preview` of those all the same, with inputs echoed and all else unknown.
    python: interpreter of the program; by default the one that runs this.

    Every operation raises EngineError; its `changed` is False where nothing was changed.
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
        self._python = python_of(python)

    # -- operations ---------------------------------------------------------------------------------------------------

    def up(self) -> Result:
        """Make the stack what the program says."""
        if self._plan:
            raise EngineError("an engine for plans changes nothing: it has no `up`", changed=False)
        return self._run_program(preview=False)

    def preview(self) -> Result:
        """What `up` would do. Changes nothing and takes no lock."""
        return self._run_program(preview=True)

    def refresh(self) -> Result:
        """Bring the state to what is really there."""
        with self._session() as session:
            self._demand_providers(session)
            with session.interruptible():
                refresh_all(session.run)
            return session.result()

    def destroy(self) -> Result:
        """Delete everything in the stack's state. The program is not run."""
        with self._session() as session:
            self._demand_providers(session)
            with session.interruptible():
                delete_all(session.run, session.state.resources())
            if not session.run.errors:
                session.state.interrupted = []
                session.state.save()
            return session.result()

    def outputs(self, *, show_secrets: bool = False) -> dict[str, Any]:
        """The stack's exports as the last run left them; secrets are masked unless asked for."""
        project = load_project(self._root, self._stack)
        state = load(self._backend, project.name, self._stack, self._passphrase, project.salt)
        outputs = _stack_outputs(state)
        return wire.reveal(outputs) if show_secrets else wire.mask(outputs)

    def _tell(self, event: Event) -> None:
        if self._on_event is not None:
            with self._telling:
                self._on_event(event)

    # -- how ----------------------------------------------------------------------------------------------------------

    def _run_program(self, *, preview: bool) -> Result:
        with self._session(preview=preview, program=True) as session:
            if not self._plan:
                self._demand_providers(session)
            run = session.run
            for operation in session.state.interrupted:
                run.log(
                    "warning",
                    f"an earlier run was interrupted while creating {operation['resource']['urn']}: it may exist "
                    "without being known here; it is created again now",
                )
            steps = Steps(run)
            with session.interruptible():
                code = session.run_program(steps)
                if code and not run.errors and not run.stopping.is_set():
                    run.fail(f"the program ended with exit code {code}; what it printed stands above")
                if not run.errors and not run.stopping.is_set():
                    delete_all(run, list(session.state.old.values()))
            return session.result()

    def _demand_providers(self, session: _Session) -> None:
        """Refuse, before anything is touched, a state that holds what no provider here can manage."""
        for resource in session.state.resources():
            if resource.custom and not resource.type.startswith(wire.PROVIDER_PREFIX):
                session.run.registry.demand(resource.type, resource.urn)

    @contextlib.contextmanager
    def _session(self, *, preview: bool = False, program: bool = False) -> Iterator[_Session]:
        project = load_project(self._root, self._stack)
        with contextlib.ExitStack() as stack:
            if not preview:
                stack.enter_context(stack_lock(self._backend, project.name, self._stack))
            session = _Session(self, project, preview=preview)
            stack.callback(session.close)
            session.open(program=program)
            yield session


class _Session:
    """What one operation holds while it runs."""

    def __init__(self, engine: EmbeddedEngine, project: Project, *, preview: bool) -> None:
        self._engine, self._project, self._preview = engine, project, preview
        self._began = time.monotonic()
        self._folder = project.program if project.program.is_dir() else project.program.parent
        self._env = {**os.environ, "PULUMI_PROJECT": project.name}
        self._program: Program | None = None
        self._host: DynamicHost | None = None

    def open(self, *, program: bool) -> None:
        """Start the children, and read state and config meanwhile."""
        engine = self._engine
        if not self._folder.is_dir():
            raise EngineError(
                f"Pulumi.yaml names the program {self._project.program}, which is not there", changed=False
            )
        if program:
            self._program = Program(engine._python, self._folder, self._env, self._line)
        if not engine._attached and not engine._plan:
            self._host = self._start_host()
        self.state = load(engine._backend, self._project.name, engine._stack, engine._passphrase, self._project.salt)
        self.state.frozen = self._preview
        crypter = self.state.crypter
        assert crypter is not None  # noqa: S101 # load() sets it
        self.config, self.secret_keys = self._project.config(crypter.decrypt)
        registry = Registry(
            self.state,
            self._project.name,
            engine._stack,
            self.config,
            self.secret_keys,
            engine._attached,
            self._start_host,
            plan=engine._plan,
        )
        self.run = Run(self.state, registry, engine._tell, preview=self._preview)

    def close(self) -> None:
        if self._program is not None:
            self._program.stop()
        if hasattr(self, "run"):
            self.run.registry.close()
        if self._host is not None:
            self._host.stop()
        if hasattr(self, "state"):
            self.state.sync()

    def run_program(self, steps: Steps) -> int:
        """Run the program to its end; its exit code."""
        assert self._program is not None  # noqa: S101 # open(program=True) came first
        run, project = self.run, self._project
        with serve(Log(run)) as (server, address):
            monitor = Monitor(run, steps, project.name, project.stack, self.config, self.secret_keys)
            resource_pb2_grpc.add_ResourceMonitorServicer_to_server(monitor, server)
            run.registry.engine_address = address
            server.start()
            settings = {
                "project": project.name,
                "stack": project.stack,
                "monitor": address,
                "engine": address,
                "parallel": PARALLEL,
                "dry_run": self._preview,
                "organization": "organization",
                "root_directory": str(project.root),
            }
            self._program.run(
                job(settings=settings, config=self.config, secret_keys=self.secret_keys, program=project.program)
            )
            try:
                return self._program.wait()
            except KeyboardInterrupt:
                run.stopping.set()
                run.log("warning", "interrupted: finishing what has begun, then stopping")
                self._program.stop()
                raise

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Ctrl-C lets provider calls that have begun finish; their outcome is saved."""
        try:
            yield
        except KeyboardInterrupt:
            self.run.stopping.set()
            self.run.fail("interrupted; what was finished is saved, and the next run goes on from there")

    def result(self) -> Result:
        """The outcome, or EngineError with all that went wrong."""
        if self.run.errors:
            errors = list(dict.fromkeys(self.run.errors))
            more = f"\n(and {len(errors) - 1} more, above)" if len(errors) > 1 else ""
            raise EngineError(errors[0] + more, changed=not self._preview)
        steps = tuple(self.run.steps)
        outputs = wire.mask(_stack_outputs(self.state))
        return Result(count(steps), steps, outputs, time.monotonic() - self._began)

    def _start_host(self) -> DynamicHost:
        if self._host is not None:
            return self._host
        self._host = DynamicHost(self._engine._python, self._folder, self._env, self._line)
        return self._host

    def _line(self, line: str) -> None:
        self._engine._tell(Event("output", line))


def _stack_outputs(state: State) -> dict[str, Any]:
    stack = next((resource for resource in state.resources() if resource.type == wire.STACK_TYPE), None)
    return stack.outputs if stack is not None else {}
