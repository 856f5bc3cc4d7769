"""`python -m training`: thin commands, each calls one function of the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from spec import release as releases
from spec.release import ReleaseError
from training import display, progress
from training.errors import TrainingError
from training.stores import StoreError, open_store

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train models, and look after their releases.",
)
data_app = typer.Typer(no_args_is_help=True, help="Data sets: one npz with X and y.")
app.add_typer(data_app, name="data")
console = Console(highlight=False, soft_wrap=True)

Reference = Annotated[str, typer.Argument(help="A release: digits@3, or digits@latest.")]
ModelsDir = Annotated[Path, typer.Option("--models-dir", help="Folder of the releases.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one line of JSON.")]
Trainer = Annotated[str, typer.Option(help="forest, cnn or torch.")]
Data = Annotated[str | None, typer.Option(help="Path or URI of an npz with X and y. Default: digits.")]
Model = Annotated[str | None, typer.Option(help="Name of the release. Default: the trainer's own.")]
Transforms = Annotated[Path | None, typer.Option(help="A transforms.yaml to go with the release.")]
StoreUri = Annotated[
    str, typer.Option("--store", help="file:///…, s3://bucket/…, gs://bucket/…, az://account/container/…")
]
OptionalPath = Path | None
DEFAULT_MODELS = Path("models")


@app.command()
def train(
    trainer: Trainer = "forest",
    data: Data = None,
    model: Model = None,
    models_dir: ModelsDir = DEFAULT_MODELS,
    extra: Annotated[list[str], typer.Option(help="tensorflow_serving (cnn) or torchserve (torch).")] = [],  # noqa: B006
    transforms: Transforms = None,
    version: Annotated[int | None, typer.Option(help="Exactly this number. Default: the next.")] = None,
    as_json: AsJson = False,
) -> None:
    """Train a model and write its next release."""
    from training import train_and_release

    release = train_and_release(
        trainer, models_dir, data=data, model=model, extras=extra, transforms=transforms, version=version
    )
    if as_json:
        typer.echo(json.dumps({"release": str(release), "path": str(release.path)}))
    else:
        typer.echo(display.trained(release))


@app.command()
def job(
    output: Annotated[str, typer.Option(help="URI of the store that gets the release.")],
    trainer: Trainer = "forest",
    data: Data = None,
    model: Model = None,
) -> None:
    """Train and publish, and leave nothing else behind: what the training image runs."""
    from training.releases.publish import train_and_publish

    release, uri = train_and_publish(trainer, open_store(output), data=data, model=model)
    typer.echo(json.dumps({"release": str(release), "uri": uri}))


@app.command("import")
def import_(
    model: Annotated[str, typer.Argument(help="Name of the release.")],
    onnx: Annotated[OptionalPath, typer.Option(help="The ONNX file.")] = None,
    estimator: Annotated[str | None, typer.Option(help="module:attribute of a fitted classifier.")] = None,
    data: Annotated[str | None, typer.Option(help="npz with rows it never saw (X) and right labels (y).")] = None,
    schema: Annotated[
        OptionalPath, typer.Option(help="JSON with inputs and outputs, for sizes the graph leaves open.")
    ] = None,
    labels: Annotated[str | None, typer.Option(help="Names of the classes, with commas between.")] = None,
    transforms: Transforms = None,
    models_dir: ModelsDir = DEFAULT_MODELS,
) -> None:
    """Write a release from a model that was trained elsewhere."""
    from training.releases import importing

    if (onnx is None) == (estimator is None):
        raise TrainingError("give --onnx or --estimator: one of the two")
    if onnx is not None:
        release = importing.import_onnx(
            onnx,
            model,
            models_dir,
            data=importing.read_rows(data) if data else None,
            schema=importing.read_schema(schema) if schema else None,
            labels=labels.split(",") if labels else None,
            transforms=transforms,
        )
    else:
        for name, value in (("--schema", schema), ("--labels", labels), ("--transforms", transforms)):
            if value is not None:
                raise TrainingError(f"{name} goes with --onnx only: an estimator knows its own")
        if data is None:
            raise TrainingError("--estimator needs --data: rows to compare the export with the estimator on")
        fitted = importing.load_estimator(estimator or "")
        release = importing.import_estimator(fitted, importing.read_rows(data), model, models_dir)
    typer.echo(f"{release} is in {release.path}")


@app.command("list")
def list_(models_dir: ModelsDir = DEFAULT_MODELS, as_json: AsJson = False) -> None:
    """List the releases of this machine."""
    rows = display.listing(models_dir)
    if as_json:
        typer.echo(json.dumps(rows))
    else:
        console.print(display.table(rows) if rows else f"no releases in {models_dir}: run `make train`")


@app.command()
def show(reference: Reference, models_dir: ModelsDir = DEFAULT_MODELS, as_json: AsJson = False) -> None:
    """Show what a release is."""
    release = releases.resolve(models_dir, reference)
    metadata = releases.read_metadata(release.path)
    if as_json:
        typer.echo(json.dumps(metadata))
    else:
        console.print(display.release(release, metadata))


@app.command()
def verify(reference: Reference, models_dir: ModelsDir = DEFAULT_MODELS) -> None:
    """Compare every file of a release with its hash."""
    release = releases.resolve(models_dir, reference)
    metadata = releases.verify(release.path)
    typer.echo(f"{release}: all {len(metadata['files'])} files have the sha256 that {releases.METADATA_FILE} lists")


@app.command()
def diff(old: Reference, new: Reference, models_dir: ModelsDir = DEFAULT_MODELS) -> None:
    """Compare metrics and schema of two releases."""
    from training.releases.compare import diff as compare

    pair = releases.resolve(models_dir, old), releases.resolve(models_dir, new)
    console.print(display.difference(*pair, compare(*pair)))


@app.command()
def publish(reference: Reference, store: StoreUri, models_dir: ModelsDir = DEFAULT_MODELS) -> None:
    """Copy a release into an object store, once."""
    from training.releases.publish import publish as copy

    release = releases.resolve(models_dir, reference)
    with progress.shown() as steps:
        uri = copy(release, open_store(store), steps)
    typer.echo(f"{release} is published at {uri}")


@app.command()
def fetch(reference: Reference, store: StoreUri, models_dir: ModelsDir = DEFAULT_MODELS) -> None:
    """Copy a release out of an object store, and verify it."""
    from training.releases.publish import fetch as copy

    with progress.shown() as steps:
        release = copy(releases.parse_reference(reference), open_store(store), models_dir, steps)
    typer.echo(f"{release} is in {release.path}, every file verified")


@app.command()
def promote(
    reference: Reference,
    stack: Annotated[str, typer.Option(help="Name of the stack: its file is Pulumi.<stack>.yaml.")] = "dev",
    margin: Annotated[float, typer.Option(min=0, max=1, help="How much lower the accuracy may be.")] = 0.0,
    serving: Annotated[str | None, typer.Option(help="The release in place. Default: what the file says.")] = None,
    models_dir: ModelsDir = DEFAULT_MODELS,
) -> None:
    """Write a release, by its number, into a stack's file, if it is no worse than the one in place."""
    from training.releases.compare import promote as write

    result = write(reference, Path(f"Pulumi.{stack}.yaml"), models_dir, margin=margin, serving=serving)
    compared = f"compared with {result.compared_with}" if result.compared_with else "nothing to compare with"
    typer.echo(
        f"{result.file}: release {result.before} -> {result.after} ({compared}); `make up STACK={stack}` deploys it"
    )


@data_app.command()
def build(
    name: Annotated[str, typer.Argument(help="digits, or digits-32x32x3.")],
    file: Annotated[Path, typer.Argument(help="The npz to write.")],
) -> None:
    """Write a data set that ships inside a library as an npz."""
    from training.data.builders import BUILDERS

    if name not in BUILDERS:
        raise TrainingError(f"data set is {name!r}; allowed: {', '.join(BUILDERS)}")
    if file.exists():
        raise TrainingError(f"{file} exists, and is not overwritten: name another file, or remove it")
    dataset = BUILDERS[name]()
    dataset.save(file)
    typer.echo(f"{file}: {len(dataset.y)} rows of {list(dataset.X.shape[1:])}, {dataset.source}")


@data_app.command()
def check(
    source: Annotated[str, typer.Argument(help="Path or URI of the npz.")],
    row_shape: Annotated[
        str | None, typer.Option(help="Shape of a row, such as 32,32,3. Default: one flat row.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say whether a model can be trained on an npz, and what to mend."""
    from training.data.source import inspect

    report: Any = inspect(source, display.shape(row_shape))
    if as_json:
        typer.echo(json.dumps(display.report_as_json(report)))
    else:
        console.print(display.report(report))
    if report.dataset is None:
        raise typer.Exit(1)


def main() -> None:
    """Run the command line; an error that we foresaw is one message, not a traceback."""
    try:
        app()
    except (TrainingError, ReleaseError, StoreError) as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(1) from None
