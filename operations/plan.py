"""`make plan` and `python -m operations plan`: what `up` would make of a stack, without account, plugin or CLI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from operations.errors import OperationError

_FORMATS = ("tree", "json", "markdown")
_HERE = Path(__file__).resolve().parent.parent


def plan_command(
    stack: Annotated[str, typer.Option(help="One stack, or several with commas: aws,azure,gcp.")] = "dev",
    form: Annotated[str, typer.Option("--format", help="tree, json or markdown.")] = "tree",
    base: Annotated[str, typer.Option(help="Git revision whose program is the one to compare with.")] = "",
    state: Annotated[str, typer.Option(help="File with a state to compare with (`pulumi stack export`).")] = "",
    program: Annotated[Path, typer.Option(help="Folder of a Pulumi program; this project's own by default.")] = _HERE,
) -> None:
    """Show what `up` would create, change, replace and delete: no account, no credentials, no plugin, no CLI."""
    if form not in _FORMATS:
        raise OperationError(f"FORMAT is {form!r}; allowed are {', '.join(_FORMATS)}")
    from operations.planning.run import Against, plan_stacks

    names = list(dict.fromkeys(name.strip() for name in stack.split(",") if name.strip()))
    page = plan_stacks(program.resolve(), names, Against(base, Path(state).resolve() if state else None))
    if form == "json":
        typer.echo(json.dumps(page.data(), indent=2, ensure_ascii=False))
    elif form == "markdown":
        from operations.planning.markdown import render

        typer.echo(render(page), nl=False)
    else:
        from operations.planning.tree import show

        show(page, Console(soft_wrap=True, highlight=False))
    if page.failed:
        failed = ", ".join(plan.stack for plan in page.plans if plan.errors)
        raise OperationError(f"there is no plan of {failed}; why stands above")
