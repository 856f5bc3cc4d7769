"""`make schema` and `python -m operations schema`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from operations.errors import OperationError
from operations.workspace import Workspace


def schema(
    stack: Annotated[str, typer.Option(help="Name of the stack: its settings are in Pulumi.<stack>.yaml.")] = "aws",
    program: Annotated[Path | None, typer.Option(help="Folder of a Pulumi program; this project by default.")] = None,
    form: Annotated[str, typer.Option("--format", help="tree, json or markdown.")] = "tree",
) -> None:
    """Hold every input of a program against what its vendor publishes, without an account; exit 1 on findings."""
    try:
        from operations.schema.check import check
        from operations.schema.recorder import of_program
        from operations.schema.render import FORMATS, render
    except ModuleNotFoundError as error:
        raise OperationError(f"{error.name} is not installed: run `make schema`, or install {_REQUIREMENTS}") from None
    if form not in FORMATS:
        raise OperationError(f"--format is {form!r}; it can be {', '.join(FORMATS)}")
    folder = program or Workspace(Path(__file__).resolve().parents[2]).root
    try:
        report = check(of_program(folder, stack))
    except ModuleNotFoundError as error:
        raise OperationError(f"{error}: run `make schema`, or install {_REQUIREMENTS}") from None
    typer.echo(render(report, form, f"{folder.name} {stack}"))
    if not report.clean:
        raise typer.Exit(1)


_REQUIREMENTS = "operations/requirements-schema.txt"
