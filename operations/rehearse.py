"""`make rehearse` and `python -m operations rehearse`: a program's whole life against the stand-in cloud."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from operations.engines import Choice, choose
from operations.errors import OperationError
from operations.workspace import Workspace

if TYPE_CHECKING:
    from operations.rehearsal.report import Report

_HERE = Path(__file__).resolve().parent.parent

console = Console(soft_wrap=False, highlight=False)


def rehearse(
    folder: Path,
    stack: str,
    choice: Choice,
    *,
    begin: Callable[[str], None] = lambda _: None,
    tell: Callable[[str], None] = lambda _: None,
    allow_real: bool = False,
    keep: Path | None = None,
) -> Report:
    """Run a program's whole life in a throw-away backend; the report says how it went.

    folder: of the program (Pulumi.yaml, Pulumi.<stack>.yaml, rehearsal.yaml); nothing in it is changed. begin: told
    the name of each step. tell: told what the engine prints. keep: where to leave backend and cloud for a look.
    Raises OperationError where it cannot even begin.
    """
    # Loaded here: other commands shall not wait for the stand-in's protocol.
    from engine.standin import StandIn
    from operations.rehearsal import settings as rehearsal_settings
    from operations.rehearsal.apis import played_apis
    from operations.rehearsal.engines import CliRun, EmbeddedRun
    from operations.rehearsal.life import Life
    from operations.rehearsal.program import Program, remove, without_credentials
    from operations.rehearsal.releases import write_releases

    settings = rehearsal_settings.load(folder, stack)
    place = Path(tempfile.mkdtemp(prefix="rehearsal-"))
    try:
        with without_credentials():
            program = Program.link(folder.resolve(), stack, place / "program")
            write_releases(program.folder, settings.releases)
            with StandIn(place / "cloud.json") as stand_in, played_apis(stand_in.cloud, settings):
                if choice.cli is not None:
                    engine = CliRun(program, place / "state", stand_in, tell, choice.cli)
                else:
                    engine = EmbeddedRun(program, place / "state", stand_in, tell)
                return Life(engine, program, stand_in, settings, begin=begin, allow_real=allow_real).run()
    finally:
        if keep is not None:
            shutil.copytree(place, keep, symlinks=True, dirs_exist_ok=True)
        remove(place)


def rehearse_command(
    stack: Annotated[str, typer.Option(help="Stack whose settings (Pulumi.<stack>.yaml) are used.")] = "dev",
    program: Annotated[Path, typer.Option(help="Folder of a Pulumi program; this project's own by default.")] = _HERE,
    engine: Annotated[str, typer.Option(help="cli, embedded, or empty: the CLI where it is on PATH.")] = "",
    markdown: Annotated[Path | None, typer.Option(help="Also write the report to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON, and nothing else.")] = False,
    verbose: Annotated[bool, typer.Option(help="Show what the engine prints.")] = False,
    allow_real: Annotated[bool, typer.Option(help="Go on though some resources are made in earnest.")] = False,
    keep: Annotated[Path | None, typer.Option(help="Leave the throw-away backend and cloud in this folder.")] = None,
) -> None:
    """Run a stack's whole life against a stand-in cloud: no account, no credentials, nothing of it is kept."""
    choice = _choice(Workspace(program.resolve()), engine)
    progress = Console(stderr=True, highlight=False)
    progress.print(str(choice), style="dim")
    with progress.status("rehearsing …") as status:
        report = rehearse(
            program,
            stack,
            choice,
            begin=lambda name: status.update(f"rehearsing: {name} …"),
            tell=lambda line: progress.print(line, style="dim", markup=False) if verbose else None,
            allow_real=allow_real,
            keep=keep,
        )
    if as_json:
        typer.echo(json.dumps(report.data(), indent=2))
    else:
        report.show(console)
    if markdown is not None:
        markdown.write_text(report.markdown())
    if not report.passed:
        raise OperationError("the rehearsal failed; the table says where")


def _choice(workspace: Workspace, engine: str) -> Choice:
    if engine not in ("", "cli", "embedded"):
        raise OperationError(f"--engine is {engine!r}; allowed are 'cli' and 'embedded'")
    if engine == "embedded":
        return Choice(None, "--engine asks for it")
    choice = choose(workspace)
    if engine == "cli" and choice.cli is None:
        raise OperationError("--engine is 'cli', but there is no `pulumi` on PATH: `make pulumi` installs one")
    return choice
