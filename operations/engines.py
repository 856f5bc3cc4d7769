"""Which engine runs the program: the Pulumi CLI where there is one, else the embedded engine; both behind one shape."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import yaml
from rich.console import Console

from engine.events import Event
from operations.errors import OperationError
from operations.workspace import Workspace

#: Set to `embedded` or `cli` to choose by hand; by default the CLI is used where it is found.
ENGINE_VARIABLE = "CLOUD_ML_ENGINE"


class StackEngine(Protocol):
    """What the commands need from an engine. Each method raises OperationError where the engine fails."""

    def up(self) -> Mapping[str, int]: ...
    def preview(self) -> Mapping[str, int]: ...
    def refresh(self) -> Mapping[str, int]: ...
    def destroy(self) -> Mapping[str, int]: ...
    def outputs(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Choice:
    """The engine to use. cli: path of the CLI, None for the embedded engine. why: for people."""

    cli: Path | None
    why: str

    def __str__(self) -> str:
        return f"engine: {f'Pulumi CLI {self.cli}' if self.cli else 'embedded'} ({self.why})"


def choose(workspace: Workspace) -> Choice:
    """Pick the engine, and say why."""
    asked = os.environ.get(ENGINE_VARIABLE, "")
    if asked not in ("", "cli", "embedded"):
        raise OperationError(f"{ENGINE_VARIABLE} is {asked!r}; allowed are 'cli' and 'embedded': set one, or unset it")
    if asked == "embedded":
        return Choice(None, f"{ENGINE_VARIABLE} asks for it")
    on_path = shutil.which("pulumi")
    if on_path:
        return Choice(Path(on_path), "found on PATH")
    in_tree = workspace.cli_root / "bin" / "pulumi"
    if in_tree.exists():
        return Choice(in_tree, "installed by `make pulumi`")
    if asked == "cli":
        raise OperationError(
            f"{ENGINE_VARIABLE} is 'cli', but there is no `pulumi` on PATH or in {workspace.cli_root}: "
            "run `make pulumi`, or unset it to use the embedded engine"
        )
    return Choice(None, "no `pulumi` on PATH; `make pulumi` installs one")


def open_stack(workspace: Workspace, stack: str, choice: Choice, *, local_only: bool) -> StackEngine:
    """The stack on the chosen engine.

    local_only: the stack deploys to this machine alone. Its state then lives in the tree's own file backend; a cloud
    stack lives wherever the CLI is logged in to.
    """
    if choice.cli is not None:
        return CliStack(workspace, stack, choice.cli, own_backend=local_only)
    return EmbeddedStack(workspace, stack)


class EmbeddedStack:
    """The stack on the embedded engine."""

    def __init__(self, workspace: Workspace, stack: str) -> None:
        from engine import EmbeddedEngine

        self._progress = _Progress()
        self._engine = EmbeddedEngine(
            workspace.root, stack, workspace.backend_folder(), workspace.passphrase(), on_event=self._progress
        )

    def up(self) -> Mapping[str, int]:
        return self._run("up")

    def preview(self) -> Mapping[str, int]:
        return self._run("preview")

    def refresh(self) -> Mapping[str, int]:
        return self._run("refresh")

    def destroy(self) -> Mapping[str, int]:
        return self._run("destroy")

    def outputs(self) -> Mapping[str, Any]:
        from engine import EngineError

        try:
            return self._engine.outputs()
        except EngineError as error:
            raise OperationError(str(error)) from error

    def _run(self, action: str) -> Mapping[str, int]:
        from engine import EngineError

        try:
            result = getattr(self._engine, action)()
        except EngineError as error:
            told = str(error) in self._progress.errors
            raise OperationError(f"`{action}` failed; why stands above" if told else str(error)) from error
        counted = ", ".join(f"{count} {op}" for op, count in result.changes.items() if count) or "nothing to do"
        _print(f"{action}: {counted} ({result.duration:.1f} s)")
        return result.changes


class CliStack:
    """The stack on the Pulumi CLI, through the Automation API."""

    def __init__(self, workspace: Workspace, stack: str, cli: Path, *, own_backend: bool) -> None:
        from pulumi import automation

        # The plug-in that builds images has no option against attestations, which would make an image an index.
        env = {"PULUMI_SKIP_UPDATE_CHECK": "true", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
        self._file: Path | None = None
        if own_backend:
            env["PULUMI_CONFIG_PASSPHRASE"] = workspace.passphrase()
        if own_backend and "PULUMI_BACKEND_URL" not in os.environ:
            workspace.backend.mkdir(parents=True, exist_ok=True)
            env["PULUMI_BACKEND_URL"] = workspace.backend.as_uri()
            self._file = workspace.root / f"Pulumi.{stack}.yaml"
        try:
            command = automation.PulumiCommand(root=str(cli.parent.parent) if cli.parent.name == "bin" else None)
            with _without_salt(self._file):
                self._stack = automation.create_or_select_stack(
                    stack_name=stack,
                    work_dir=str(workspace.root),
                    opts=automation.LocalWorkspaceOptions(pulumi_command=command, env_vars=env),
                )
        except automation.CommandError as error:
            raise OperationError(str(error)) from error

    def up(self) -> Mapping[str, int]:
        return self._changes(self._call("up", on_output=_print))

    def preview(self) -> Mapping[str, int]:
        result = self._call("preview", on_output=_print)
        return {getattr(op, "value", str(op)): count for op, count in result.change_summary.items()}

    def refresh(self) -> Mapping[str, int]:
        return self._changes(self._call("refresh", on_output=_print))

    def destroy(self) -> Mapping[str, int]:
        return self._changes(self._call("destroy", on_output=_print))

    def outputs(self) -> Mapping[str, Any]:
        return {name: "[secret]" if output.secret else output.value for name, output in self._call("outputs").items()}

    def _call(self, action: str, **options: Any) -> Any:
        from pulumi import automation

        try:
            with _without_salt(self._file):
                return getattr(self._stack, action)(**options)
        except automation.CommandError as error:
            # The CLI has told the user everything while it ran.
            raise OperationError(f"`pulumi {action}` failed; what it says stands above") from error

    @staticmethod
    def _changes(result: Any) -> Mapping[str, int]:
        return dict(result.summary.resource_changes or {})


@contextlib.contextmanager
def _without_salt(stack_file: Path | None) -> Iterator[None]:
    """Give the stack's file back as it was, where the CLI only put its encryption salt into it.

    The salt is made from this machine's passphrase, the stack's file is everybody's, and the state holds the salt as
    well. A file that was changed in any other way meanwhile is left alone.
    """
    before = stack_file.read_text() if stack_file is not None else ""
    try:
        yield
    finally:
        if stack_file is not None:
            after = yaml.safe_load(stack_file.read_text())
            if "encryptionsalt" in after and after == {
                **yaml.safe_load(before),
                "encryptionsalt": after["encryptionsalt"],
            }:
                stack_file.write_text(before)


def _print(line: str) -> None:
    print(line.rstrip(), flush=True)  # noqa: T201 # the CLI's own output, as it is


class _Progress:
    """Tells what the embedded engine does: a line for what is done, a spinner for what takes its time."""

    def __init__(self) -> None:
        self._console = Console(soft_wrap=True, highlight=False, markup=False)
        self._running: dict[str, str] = {}
        #: Messages of errors that the user has seen.
        self.errors: set[str] = set()
        self._status = self._console.status("")

    def __call__(self, event: Event) -> None:
        if event.kind == "step":
            self._running[event.urn] = event.step.name if event.step else event.urn
        elif event.kind == "step-done":
            self._running.pop(event.urn, None)
        if event.severity == "error":
            self.errors.add(event.message)
        if event.kind != "step":
            self._console.print(str(event), style="red" if event.severity == "error" else None)
        if self._running:
            self._status.update(f"working on {', '.join(self._running.values())} …")
            self._status.start()
        else:
            self._status.stop()
