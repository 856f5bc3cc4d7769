"""One operation on one stack, with what it holds while it runs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pulumi.runtime.proto import resource_pb2_grpc

from engine import wire
from engine.children import PARALLEL, DynamicHost, Program
from engine.deletes import delete_all
from engine.engine import stack_outputs
from engine.errors import EngineError
from engine.events import Event, Result, count
from engine.monitor import Log, Monitor, serve
from engine.planning import Plan, by_urn
from engine.project import Project
from engine.refreshing import refresh_all
from engine.registry import Registry
from engine.run import Run
from engine.state import State
from engine.steps import Steps


class Session:
    """Runs one operation. program: the child that waits to run the user's program, for `up` and `preview`."""

    def __init__(
        self,
        project: Project,
        state: State,
        tell: Callable[[Event], None],
        program: Program | None,
        host: DynamicHost,
        *,
        attached: Mapping[str, str],
        plan: bool,
        decrypt: Callable[[str], str] | None = None,
    ) -> None:
        self._began = time.monotonic()
        self._project, self._state, self._tell = project, state, tell
        self._program, self._host = program, host
        self._attached, self._plan = attached, plan
        if decrypt is None:
            assert state.crypter is not None  # noqa: S101 # load() sets it
            decrypt = state.crypter.decrypt
        self._config, self._secret_keys = project.config(decrypt)
        self._registries: list[Registry] = []

    def close(self) -> None:
        for registry in self._registries:
            registry.close()

    # -- operations ---------------------------------------------------------------------------------------------------

    def up(self) -> Result:
        rehearsal = self._run(self._state.rehearsal(), preview=True, tell=_errors_only(self._tell))
        self._demand_providers(rehearsal)
        run = self._run(self._state)
        with self._interruptible(run), self._serving(rehearsal) as there, self._serving(run) as here:
            job = self._job(self._settings(here, preview=False))
            with self._stopping(rehearsal):
                code = self._child.rehearse({**job, "rehearsal": self._settings(there, preview=True)})
            self._finish(rehearsal, code)
            if rehearsal.errors:
                raise _failure(rehearsal, changed=False)
            self._warn_of_interrupted(run, "it is created again now, which fails where its name is taken")
            with self._stopping(run):
                code = self._child.run()
            self._finish(run, code)
        return self._result(run)

    def plan(self) -> Plan:
        run = self._run(self._state.rehearsal(), preview=True)
        before = by_urn(run.state)
        result = self._previewed(run)
        return Plan(result, before, by_urn(run.state), run.state, run.assumed)

    def preview(self) -> Result:
        run = self._run(self._state.rehearsal(), preview=True)
        if not self._plan:
            self._demand_providers(run)
        return self._previewed(run)

    def _previewed(self, run: Run) -> Result:
        with self._interruptible(run), self._serving(run) as here:
            with self._stopping(run):
                code = self._child.run(self._job(self._settings(here, preview=True)))
            self._finish(run, code)
        return self._result(run)

    def refresh(self) -> Result:
        run = self._run(self._state)
        self._demand_providers(run)
        self._warn_of_interrupted(run, "no refresh can find it, since nobody was told its id")
        with self._interruptible(run):
            refresh_all(run)
        return self._result(run)

    def destroy(self) -> Result:
        run = self._run(self._state)
        self._demand_providers(run)
        with self._interruptible(run):
            delete_all(run, self._state.resources())
        if not run.errors:
            self._warn_of_interrupted(run, "the stack is gone and remembers it no longer")
            self._state.interrupted = []
            self._state.save()
        return self._result(run)

    # -- how ----------------------------------------------------------------------------------------------------------

    @property
    def _child(self) -> Program:
        assert self._program is not None  # noqa: S101 # the operation asked for it
        return self._program

    def _run(self, state: State, *, preview: bool = False, tell: Callable[[Event], None] | None = None) -> Run:
        registry = Registry(
            state,
            self._project.name,
            self._project.stack,
            self._config,
            self._secret_keys,
            self._attached,
            self._host.address,
            plan=self._plan,
        )
        self._registries.append(registry)
        return Run(state, registry, tell or self._tell, preview=preview)

    def _demand_providers(self, run: Run) -> None:
        """Refuse, before anything is touched, a state that holds what no provider here can manage."""
        for resource in run.state.resources():
            if resource.custom and not resource.type.startswith(wire.PROVIDER_PREFIX):
                run.registry.demand(resource.type, resource.urn)

    @contextlib.contextmanager
    def _serving(self, run: Run) -> Iterator[str]:
        """A monitor for the program, at the address that this gives."""
        with serve(Log(run)) as (server, address):
            project = self._project
            monitor = Monitor(run, Steps(run), project.name, project.stack, self._config, self._secret_keys)
            resource_pb2_grpc.add_ResourceMonitorServicer_to_server(monitor, server)
            run.registry.engine_address = address
            server.start()
            yield address

    def _settings(self, address: str, *, preview: bool) -> dict[str, Any]:
        """What the SDK's `Settings` wants to know."""
        return {
            "project": self._project.name,
            "stack": self._project.stack,
            "monitor": address,
            "engine": address,
            "parallel": PARALLEL,
            "dry_run": preview,
            "organization": "organization",
            "root_directory": str(self._project.root),
        }

    def _job(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """What the runner reads from its standard input."""
        program = self._project.program
        return {
            "settings": settings,
            "config": self._config,
            "secret_keys": sorted(self._secret_keys),
            "folder": str(program if program.is_dir() else program.parent),
            # The CLI runs it under this relative name, and names of source files are part of pickled providers.
            "program": "." if program.is_dir() else program.name,
            "lazy_sdk": str(Path(__file__).with_name("lazy_sdk.py")) if self._plan or self._attached else "",
        }

    def _finish(self, run: Run, code: int) -> None:
        """After the program's end: delete what it no longer names, unless something went wrong."""
        if run.stopping.is_set():
            return
        if code and not run.errors:
            run.fail(f"the program ended with exit code {code}; what it printed stands above")
        if run.errors:
            return
        try:
            delete_all(run, list(run.state.old.values()))
        except EngineError as error:
            run.fail(str(error))

    def _warn_of_interrupted(self, run: Run, then: str) -> None:
        """Name what may exist without being known: creations whose end nobody saw (a kill, a crashed provider)."""
        for operation in self._state.interrupted:
            resource = operation["resource"]
            named = ", ".join(repr(name) for name in _names(resource["type"], resource.get("inputs") or {}))
            run.log(
                "warning",
                f"an earlier run was interrupted while creating {resource['urn']}: it may exist"
                f"{f' under the name {named}' if named else ''} without being known here; {then}. "
                "Look for it, and remove it if it is there",
                resource["urn"],
            )

    @contextlib.contextmanager
    def _stopping(self, run: Run) -> Iterator[None]:
        """On Ctrl-C begin nothing new, and end the program."""
        try:
            yield
        except KeyboardInterrupt:
            run.stopping.set()
            run.log("warning", "interrupted: what has begun is finished and saved, then this stops")
            self._child.stop()
            raise

    @contextlib.contextmanager
    def _interruptible(self, run: Run) -> Iterator[None]:
        """Turn Ctrl-C into a failure of the run, after the provider calls that had begun are over and saved."""
        try:
            yield
        except KeyboardInterrupt:
            run.stopping.set()
            run.errors.insert(0, "interrupted; what was finished is saved, and the next run goes on from there")

    def _result(self, run: Run) -> Result:
        if run.errors:
            raise _failure(run, changed=not run.preview)
        steps = tuple(run.steps)
        outputs = wire.mask(stack_outputs(run.state))
        return Result(count(steps), steps, outputs, time.monotonic() - self._began)


def _names(type_: str, inputs: Mapping[str, Any]) -> list[str]:
    """What a resource's inputs call it in the cloud: `name`, `accountName`, a bucket's `bucket`, a manifest's name."""
    own = type_.split(":")[-1].lower()
    found = [value for key, value in inputs.items() if key in ("name", own) or key.endswith("Name")]
    metadata = inputs.get("metadata")
    if isinstance(metadata, Mapping):
        found.append(metadata.get("name"))
    return [name for name in found if isinstance(name, str)]


def _errors_only(tell: Callable[[Event], None]) -> Callable[[Event], None]:
    """A rehearsal says nothing unless it fails."""

    def tell_errors(event: Event) -> None:
        if event.kind == "log" and event.severity == "error":
            tell(event)

    return tell_errors


def _failure(run: Run, *, changed: bool) -> EngineError:
    """All that went wrong, as one error: events have told each."""
    errors = list(dict.fromkeys(run.errors))
    more = f"\n(and {len(errors) - 1} more, above)" if len(errors) > 1 else ""
    return EngineError(errors[0] + more, changed=changed)
