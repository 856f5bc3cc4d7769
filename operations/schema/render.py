"""A report for people, as Markdown for pull requests, as JSON for programs."""

from __future__ import annotations

import dataclasses
import json

from rich.console import Console
from rich.tree import Tree

from operations.schema.findings import Report

FORMATS = ("tree", "json", "markdown")


def render(report: Report, form: str, title: str) -> str:
    """The report in one of :data:`FORMATS`."""
    if form == "json":
        return json.dumps(_plain(report), indent=2)
    return _markdown(report, title) if form == "markdown" else _tree(report, title)


def summary(report: Report) -> str:
    """One line."""
    kinds = ", ".join(f"{count} {rule}" for rule, count in report.counted().items())
    found = f"{len(report.findings) + len(report.problems)} findings" + (f" ({kinds})" if kinds else "")
    return f"{report.resources} resources of {len(report.sources)} types: {found}"


def not_checked(report: Report) -> list[str]:
    """What nobody looked at."""
    return [
        *(
            f"{token}: only the SDK's own types; no vendor's model is known for it"
            for token in sorted(report.without_model)
        ),
        *(
            f"{token}: no counterpart in the vendor's model for {', '.join(sorted(paths))}"
            for token, paths in sorted(report.unmapped.items())
        ),
    ]


def _plain(report: Report) -> dict[str, object]:
    return {
        "resources": report.resources,
        "findings": [dataclasses.asdict(one) for one in report.findings],
        "problems": report.problems,
        "sources": {token: list(names) for token, names in sorted(report.sources.items())},
        "without_model": sorted(report.without_model),
        "unmapped": {token: sorted(paths) for token, paths in sorted(report.unmapped.items())},
    }


def _markdown(report: Report, title: str) -> str:
    lines = [f"### Schema checks: {title}", "", summary(report), ""]
    if report.findings:
        lines += ["| resource | input | value | rule | what is allowed | source |", "|---|---|---|---|---|---|"]
        for one in report.findings:
            row = [f"{one.token.split(':')[-1]} {one.name}", one.path, one.value, one.rule, one.message, one.source]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
        lines.append("")
    lines += [f"- {problem}" for problem in report.problems]
    left = not_checked(report)
    if left:
        lines += ["Not checked:", *(f"- {one}" for one in left)]
    return "\n".join(lines)


def _tree(report: Report, title: str) -> str:
    tree = Tree(f"{title}: {summary(report)}", highlight=False)
    by_resource: dict[str, Tree] = {}
    for one in report.findings:
        key = f"{one.token} {one.name}"
        branch = by_resource.get(key) or by_resource.setdefault(key, tree.add(key))
        shown = f" = {one.value}" if one.value else ""
        branch.add(
            f"{one.path or '(the resource)'}{shown}: {one.message} [{one.rule}; {one.source}]".replace("[", "\\[")
        )
    for problem in report.problems:
        tree.add(problem.replace("[", "\\["))
    left = not_checked(report)
    if left:
        branch = tree.add("not checked")
        for one in left:
            branch.add(one.replace("[", "\\["))
    console = Console(soft_wrap=True, highlight=False, width=160)
    with console.capture() as captured:
        console.print(tree)
    return captured.get().rstrip()
