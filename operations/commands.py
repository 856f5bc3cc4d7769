"""The life of a stack from the command line: up, down, preview, refresh, outputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from operations.engines import Choice, StackEngine, choose, open_stack
from operations.errors import OperationError
from operations.stack_file import load_stack_service
from operations.workspace import Workspace
from spec import release as releases
from spec.capabilities import check_capabilities
from spec.errors import SpecError
from spec.service import DeployTo, ServiceSpec
from spec.targets import KUBERNETES_TARGETS

console = Console(soft_wrap=True, highlight=False)

#: Where the CLI comes from, for a message.
CLI_HELP = "`make pulumi` installs it into this tree; other ways are at https://www.pulumi.com/docs/install/"


def up(workspace: Workspace, stack: str) -> None:
    """Train if the release asked for can be trained here and none exists, deploy, predict."""
    service = load_stack_service(workspace, stack)
    engine = _open(workspace, stack, service)
    release = _release(workspace, service)
    _image(workspace, service)
    # A server that died since the last time is found and started again.
    engine.refresh()
    engine.up()
    exports = engine.outputs()
    for where in service.deploy_to:
        if where not in _elsewhere(service):
            _show_prediction(workspace, exports[where.name], release)


def down(workspace: Workspace, stack: str) -> None:
    """Remove everything the stack made. Releases under models/ stay."""
    _open_made(workspace, stack).destroy()


def preview(workspace: Workspace, stack: str) -> None:
    """Show what `up` would change; changes nothing."""
    service = load_stack_service(workspace, stack)
    engine = _open(workspace, stack, service)
    engine.preview()


def refresh(workspace: Workspace, stack: str) -> None:
    """Bring the state to what is really there."""
    _open_made(workspace, stack).refresh()


def outputs(workspace: Workspace, stack: str) -> None:
    """Print the exports as JSON; secrets are masked."""
    engine = _open_made(workspace, stack, quiet=True)
    print(json.dumps(engine.outputs(), indent=2))  # noqa: T201 # for a program to read


def monitor(workspace: Workspace, stack: str, *, prometheus_port: int, alertmanager_port: int) -> None:
    """Watch the local service of a stack with Prometheus and Alertmanager, until Ctrl-C."""
    from operations.monitor import watch

    service = load_stack_service(workspace, stack)
    exports = _open(workspace, stack, service, quiet=True).outputs()
    watch(workspace, stack, service, exports, prometheus_port=prometheus_port, alertmanager_port=alertmanager_port)


def draw_dashboard(workspace: Workspace, stack: str, file: Path, *, minutes: int, prometheus: str) -> None:
    """Draw the dashboard of the stack's service as a picture."""
    from operations.dashboard_picture import draw
    from spec.panels import CONFIG_FILE, load_dashboard_config

    try:
        config = load_dashboard_config(workspace.root / CONFIG_FILE)
    except SpecError as error:
        raise OperationError(str(error)) from None
    draw(prometheus, load_stack_service(workspace, stack).name, config, minutes, file)
    console.print(f"wrote {file}")


def install_cli(workspace: Workspace) -> None:
    """Install the CLI version that matches the SDK, with the Automation API's own installer."""
    from pulumi.automation import PulumiCommand

    console.print(f"installing the Pulumi CLI into {workspace.cli_root} …")
    try:
        command = PulumiCommand.install(root=str(workspace.cli_root))
    except Exception as error:  # the installer is a script of Pulumi's: any failure of it ends here
        raise OperationError(
            f"Pulumi's installer failed: {error}\nIt needs https://get.pulumi.com. Without the CLI, "
            "local stacks go on with the embedded engine."
        ) from error
    console.print(f"Pulumi CLI {command.version} is in {workspace.cli_root / 'bin'}")


def _open(workspace: Workspace, stack: str, service: ServiceSpec, *, quiet: bool = False) -> StackEngine:
    """The stack's engine, for what runs the program. Raises OperationError where engine or target is missing."""
    choice = choose(workspace)
    clouds = _clouds(service)
    if choice.cli is None and clouds:
        raise OperationError(
            f"stack {stack!r} deploys to {', '.join(clouds)}, and that needs the Pulumi CLI, which is not here. "
            f"{CLI_HELP}. To see what it would make without an account: make plan STACK={stack}"
        )
    try:
        check_capabilities(service)
    except SpecError as error:
        raise OperationError(str(error)) from None
    return _opened(workspace, stack, choice, local_only=not clouds, quiet=quiet)


def _open_made(workspace: Workspace, stack: str, *, quiet: bool = False) -> StackEngine:
    """The stack's engine, for what looks at the state alone: a mistake in the description does not keep anybody from
    removing what was made before.
    """
    try:
        local_only = not _clouds(load_stack_service(workspace, stack))
    except OperationError:
        if not list(workspace.backend.glob(f".pulumi/stacks/*/{stack}.json")):
            raise
        local_only = True
    return _opened(workspace, stack, choose(workspace), local_only=local_only, quiet=quiet)


def _clouds(service: ServiceSpec) -> list[str]:
    """What only the CLI deploys to: it has the providers of clouds and of Kubernetes."""
    return sorted({where.target if where.cloud == "local" else where.cloud for where in _elsewhere(service)})


def _elsewhere(service: ServiceSpec) -> list[DeployTo]:
    return [where for where in service.deploy_to if where.cloud != "local" or where.target in KUBERNETES_TARGETS]


def _opened(workspace: Workspace, stack: str, choice: Choice, *, local_only: bool, quiet: bool) -> StackEngine:
    if not quiet:
        console.print(str(choice), style="dim")
    return open_stack(workspace, stack, choice, local_only=local_only)


def _release(workspace: Workspace, service: ServiceSpec) -> releases.Release:
    """The release the stack names; the first release of a model that can be trained here is trained."""
    from training import TRAINERS

    models = workspace.root / "models"
    reference = releases.parse_reference(service.release)
    trainer = TRAINERS.get(reference.model)
    try:
        return releases.resolve(models, service.release)
    except releases.ReleaseError as error:
        first = reference.version in (None, 1) and not (models / reference.model).exists()
        if trainer is None or not first:
            raise OperationError(f"service.release is {service.release!r}: {error}") from None
    from training import train_and_release
    from training.errors import TrainingError

    console.print(f"no release of {reference.model} yet: training it …")
    try:
        return train_and_release(trainer, models)
    except (TrainingError, releases.ReleaseError) as error:
        raise OperationError(str(error)) from error


def _image(workspace: Workspace, service: ServiceSpec) -> None:
    """Build the image where a container of it is asked for and the tree has none, or one of other sources."""
    if not (service.image.builds and any(where.target == "container" for where in service.deploy_to)):
        return
    from components.image import built

    last = built.last_built(workspace.root)
    if last is not None and last.sources == built.source_digest(workspace.root):
        return
    from operations.image_command import build_and_tell

    console.print("the serving image is not built from this tree yet: building it …")
    build_and_tell(workspace, base=last.base if last else None, push=None, builder=last.builder if last else None)


def _show_prediction(workspace: Workspace, exports: Mapping[str, Any], release: releases.Release) -> None:
    from operations.prediction import first_prediction

    prediction = first_prediction(exports["invoke"], release.path, workspace.local / "request.json")
    console.print(f"\n[bold]{exports['release']}[/bold] is served at [bold]{exports['url']}[/bold]\n")
    console.print(prediction.curl, markup=False)
    console.print(f"\n{json.dumps(prediction.answer)}\n", markup=False)
    if prediction.version != str(release.version) and "canary" in exports:
        console.print(f"the canary {exports['canary']} predicted {prediction.label!r}.", style="green")
        return
    if not prediction.correct:
        raise OperationError(
            f"the service answered {prediction.label!r}; the release's own sample says {prediction.expected!r}. "
            f"Its log: {exports.get('log_file') or exports['log_command']}"
        )
    console.print(f"predicted {prediction.label!r}, which is right.", style="green")
