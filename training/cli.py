"""Commands: thin, each calls one function of the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import typer

from spec.release import ReleaseError, read_metadata
from training.errors import TrainingError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

ModelsDir = Annotated[Path, typer.Option("--models-dir", help="Folder of the releases.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one line of JSON.")]
DEFAULT_MODELS = Path("models")


@app.callback()
def _commands() -> None:
    """Train models and look after their releases."""


@app.command()
def train(
    trainer: Annotated[str, typer.Option(help="forest, cnn or torch.")] = "forest",
    data: Annotated[Optional[str], typer.Option(help="Path or URI of an npz with X and y.")] = None,  # noqa: UP045 # typer reads it
    model: Annotated[Optional[str], typer.Option(help="Name of the release. Default: the trainer's own.")] = None,  # noqa: UP045
    models_dir: ModelsDir = DEFAULT_MODELS,
    as_json: AsJson = False,
) -> None:
    """Train a model and write its next release."""
    from training import train_and_release

    release = train_and_release(trainer, models_dir, data=data, model=model)
    metadata = read_metadata(release.path)
    if as_json:
        typer.echo(json.dumps({"release": str(release), "path": str(release.path), "metrics": metadata["metrics"]}))
        return
    typer.echo(
        f"{release} is in {release.path}: test accuracy {metadata['metrics']['test_accuracy']:.4f} on "
        f"{metadata['data']['held_out_rows']} held-out rows; ONNX differs from {metadata['framework']} by at most "
        f"{metadata['export']['largest_difference']:.2g}"
    )


def main() -> None:
    """Run the command line; an error that we foresaw is one message, not a traceback."""
    try:
        app()
    except (TrainingError, ReleaseError) as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(1) from None
