"""`python -m operations verify URL`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from operations.errors import OperationError
from spec import contracts
from spec import release as releases

if TYPE_CHECKING:  # a command that is not this one does not wait for its libraries
    from operations.verification.verify import Report

_FORMATS = ("tree", "json", "markdown")
_HERE = Path(__file__).resolve().parents[2]
_COLORS = {"passed": "green", "failed": "red", "not looked at": "yellow"}


def verify_command(
    url: Annotated[str, typer.Argument(help="The server, or the prediction's whole URL as the stack exports it.")],
    release: Annotated[str, typer.Option(help="The release that should be served, of models/.")] = "digits@latest",
    contract: Annotated[str, typer.Option(help="The contract to ask by.")] = contracts.OIP,
    token_variable: Annotated[str, typer.Option(help="Environment variable with a bearer token.")] = "",
    aws_service: Annotated[str, typer.Option(help="Sign for sagemaker, lambda or execute-api of AWS.")] = "",
    aws_region: Annotated[str, typer.Option(help="Region of the signature, with --aws-service.")] = "",
    canary: Annotated[str, typer.Option(help="Another release that may answer too, such as digits@2.")] = "",
    max_p99_ms: Annotated[float | None, typer.Option(min=0, help="Fails above this latency, as seen here.")] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds the service may take until it answers.")] = 60.0,
    models: Annotated[Path, typer.Option(help="Folder of releases.")] = _HERE / "models",
    form: Annotated[str, typer.Option("--format", help="tree, json or markdown.")] = "tree",
) -> None:
    """Ask a running service for every sample of its release: ready, the right release, right answers, how fast."""
    from operations.verification import signing
    from operations.verification.asking import DIALECTS
    from operations.verification.verify import Asked, verify

    if form not in _FORMATS:
        raise OperationError(f"FORMAT is {form!r}; allowed are {', '.join(_FORMATS)}")
    if contract not in DIALECTS:
        raise OperationError(f"--contract is {contract!r}; allowed are {', '.join(DIALECTS)}")
    if token_variable and aws_service:
        raise OperationError("--token-variable and --aws-service are both given; allowed is one of them: remove one")
    if bool(aws_service) != bool(aws_region):
        raise OperationError("--aws-service and --aws-region are allowed together only: give both, or neither")
    auth = None
    if token_variable:
        auth = signing.bearer(token_variable)
    elif aws_service:
        auth = signing.signed(aws_service, aws_region)
    try:
        found = releases.resolve(models, release)
        others = [releases.resolve(models, canary).version] if canary else []
    except releases.ReleaseError as error:
        raise OperationError(str(error)) from None
    asked = Asked(url, DIALECTS[contract], found, auth, max_p99_ms, wait, others)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("samples", total=None)
        report = verify(asked, progress=lambda done, of: bar.update(task, completed=done, total=of))
    _show(report, form)
    if not report.passed:
        raise typer.Exit(1)


def _show(report: Report, form: str) -> None:
    verdict = "passed" if report.passed else "failed"
    if form == "json":
        typer.echo(json.dumps(data(report), indent=2, ensure_ascii=False))
        return
    if form == "markdown":
        typer.echo(markdown(report), nl=False)
        return
    console = Console(soft_wrap=True, highlight=False)
    table = Table("what", "verdict", title=f"{report.release} at {report.url}", title_justify="left")
    table.add_column("found", overflow="fold")  # a digest is of use only whole
    for one in report.findings:
        table.add_row(one.name, f"[{_COLORS[one.verdict]}]{one.verdict}[/]", one.says.replace("[", r"\["))
    console.print(table)
    if report.latencies:
        console.print(_latency(report))
    console.print(verdict, style=_COLORS[verdict])


def data(report: Report) -> dict[str, Any]:
    """The report for a program. Latencies in milliseconds."""
    latency = {f"p{share}": report.percentile(share / 100) for share in (50, 90, 99)} if report.latencies else {}
    return {
        "url": report.url,
        "contract": report.contract,
        "release": report.release,
        "passed": report.passed,
        "findings": [{"name": one.name, "verdict": one.verdict, "says": one.says} for one in report.findings],
        "latency_ms": latency,
    }


def markdown(report: Report) -> str:
    """The report as a section of a page."""
    verdict = "passed" if report.passed else "failed"
    lines = [f"## {report.release} at <{report.url}>: {verdict}", "", "| what | verdict | found |", "|---|---|---|"]
    lines += [f"| {one.name} | {one.verdict} | {_cell(one.says)} |" for one in report.findings]
    if report.latencies:
        lines += ["", _latency(report)]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ").replace("<", "&lt;")


def _latency(report: Report) -> str:
    p50, p90, p99 = (report.percentile(share) for share in (0.5, 0.9, 0.99))
    return f"latency as seen from here, one request at a time: p50 {p50:.1f} ms, p90 {p90:.1f} ms, p99 {p99:.1f} ms"
