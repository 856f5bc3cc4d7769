"""`python -m operations`: what people run beside `pulumi up`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from operations import commands
from operations.errors import OperationError
from operations.plan import plan_command
from operations.rehearse import rehearse_command
from operations.schema.command import schema
from operations.verification.command import verify_command
from operations.workspace import Workspace

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

Stack = Annotated[str, typer.Option(help="Name of the stack: its settings are in Pulumi.<stack>.yaml.")]
WORKSPACE = Workspace(Path(__file__).resolve().parent.parent)


@app.command()
def up(stack: Stack = "dev") -> None:
    """Train if there is no release yet, deploy the stack, and print one real prediction."""
    commands.up(WORKSPACE, stack)


@app.command()
def down(stack: Stack = "dev") -> None:
    """Remove everything the stack made."""
    commands.down(WORKSPACE, stack)


@app.command()
def preview(stack: Stack = "dev") -> None:
    """Show what `up` would change."""
    commands.preview(WORKSPACE, stack)


@app.command()
def refresh(stack: Stack = "dev") -> None:
    """Compare the state with what is really there."""
    commands.refresh(WORKSPACE, stack)


@app.command()
def outputs(stack: Stack = "dev") -> None:
    """Print what the stack exports, as JSON."""
    commands.outputs(WORKSPACE, stack)


app.command(name="plan")(plan_command)
app.command(name="rehearse")(rehearse_command)
app.command(name="schema")(schema)
app.command(name="verify")(verify_command)


@app.command()
def monitor(
    stack: Stack = "dev",
    prometheus_port: Annotated[int, typer.Option(min=1024, max=65535, help="Loopback port of Prometheus.")] = 9090,
    alertmanager_port: Annotated[int, typer.Option(min=1024, max=65535, help="Loopback port of Alertmanager.")] = 9093,
) -> None:
    """Run Prometheus and Alertmanager beside the local stack, and print what fires, until Ctrl-C."""
    commands.monitor(WORKSPACE, stack, prometheus_port=prometheus_port, alertmanager_port=alertmanager_port)


@app.command()
def draw_dashboard(
    file: Annotated[Path, typer.Argument(help="Picture to write (PNG).")],
    stack: Stack = "dev",
    minutes: Annotated[int, typer.Option(min=1, help="How far to look back.")] = 30,
    prometheus: Annotated[str, typer.Option(help="Prometheus that `make monitor` runs.")] = "http://127.0.0.1:9090",
) -> None:
    """Draw the stack's dashboard as a picture, from the Prometheus that runs beside it."""
    commands.draw_dashboard(WORKSPACE, stack, file, minutes=minutes, prometheus=prometheus)


@app.command()
def image(
    base: Annotated[str | None, typer.Option(help="Image with Python 3.11 that it stands on, best by digest.")] = None,
    push: Annotated[str | None, typer.Option(help="Repository that takes the image, such as registry/name.")] = None,
    builder: Annotated[str | None, typer.Option(help="A buildx builder. Default: the current one.")] = None,
) -> None:
    """Build the serving image into build/image/, with its bill of materials and its licences beside it."""
    from operations.image_command import build_and_tell

    build_and_tell(WORKSPACE, base=base, push=push, builder=builder)


@app.command()
def functions() -> None:
    """Build the packages for the function platforms into build/functions/."""
    from operations.functions import build_and_tell

    build_and_tell(WORKSPACE)


@app.command()
def manifests(
    stack: Annotated[str, typer.Option(help="A stack with target kubernetes of cloud local.")] = "kubernetes",
    folder: Annotated[Path, typer.Option(help="Where to write the two files.")] = Path("build/manifests"),
) -> None:
    """Write the service on a cluster as YAML for `kubectl apply`: resources.yaml and deployment.yaml."""
    from operations.manifests import write_and_tell

    write_and_tell(WORKSPACE, stack, folder)


@app.command()
def install_cli() -> None:
    """Install the Pulumi CLI into the working tree, with Pulumi's own installer."""
    commands.install_cli(WORKSPACE)


def main() -> None:
    """Run a command; a problem a user can mend is one message and exit status 1, without a traceback."""
    try:
        app()
    except OperationError as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", style="red", markup=False, highlight=False)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
