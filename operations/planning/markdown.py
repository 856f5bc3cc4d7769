"""A plan as a comment on a pull request: counts first, what is dangerous in the open, the rest to unfold."""

from __future__ import annotations

import re
from collections.abc import Iterator

from operations.planning import values
from operations.planning.model import KINDS, Page, Planned, StackPlan
from operations.planning.tree import WORDS, lines, short_type

#: GitHub refuses a comment of more than 65,536 characters.
LIMIT = 60_000
_HEADINGS = {"replace": "replace", "unknown": "replace?", "forget": "keep", "same": "unchanged", "update": "change"}
#: First characters of lines that a `diff` block colours.
_MARKS = {"create": "+", "delete": "-", "forget": "-", "replace": "-", "update": "!", "unknown": "!", "error": "-"}


def render(page: Page) -> str:
    """All plans as Markdown, short enough for a comment."""
    kinds = [kind for kind in KINDS if any(kind in plan.counts for plan in page.plans)]
    text = "## Plan\n\n"
    text += _row(["stack", "against", *(_HEADINGS.get(kind, kind) for kind in kinds)])
    text += _row(["---", "---", *("---:" for _ in kinds)])
    for plan in page.plans:
        counts = ["no plan", *[""] * (len(kinds) - 1)] if plan.errors else [_bold(plan, kind) for kind in kinds]
        text += _row([f"`{plan.stack}`", _cell(plan.base), *counts])
    dangers = [row for plan in page.plans for row in _dangers(plan)]
    if dangers:
        text += "\n" + _row(["stack", "resource", "what", "because"]) + _row(["---"] * 4) + "".join(dangers)
    for plan in page.plans:
        block = _details(plan)
        if len(text) + len(block) > LIMIT:
            block = (
                f"\nThe plan of `{plan.stack}` is too long for a comment: `make plan STACK={plan.stack}` shows it.\n"
            )
        text += block
    return text


def _bold(plan: StackPlan, kind: str) -> str:
    count = plan.counts.get(kind, 0)
    return f"**{count}**" if count and kind in ("replace", "unknown", "delete") else str(count)


def _dangers(plan: StackPlan) -> Iterator[str]:
    """Rows for what is replaced, may be, or goes."""
    for one in plan.resources:
        if one.kind in ("replace", "unknown", "delete", "forget"):
            resource = f"`{one.name}` {_cell(short_type(one.type))}"
            yield _row([f"`{plan.stack}`", resource, WORDS[one.kind], _why(one)])


def _why(one: Planned) -> str:
    told = []
    for change in one.changes:
        if change.effect == "replace":
            path = f"`{change.path}`"
            told.append(f"[{path}]({change.source})" if change.source else path)
        elif change.effect == "unknown":
            told.append(f"`{change.path}` ({_cell(change.reason)})")
    known = {change.path for change in one.changes}
    return ", ".join([*told, *(_cell(reason) for reason in one.because if reason not in known)])


def _details(plan: StackPlan) -> str:
    if plan.errors:
        return f"\n`{plan.stack}`: there is no plan.\n\n{_fenced(chr(10).join(plan.errors), '')}"
    told = [f"{_MARKS.get(line.kind, ' ')} {line.text}" for line in list(lines(plan))[1:]]
    if not told:
        return ""
    summary = f"<code>{plan.stack}</code>: every resource and its values"
    return f"\n<details><summary>{summary}</summary>\n\n{_fenced(chr(10).join(told), 'diff')}\n</details>\n"


def _fenced(text: str, language: str) -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}\n"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _cell(text: str) -> str:
    """Text that cannot break out of its cell, nor call anybody."""
    return values.brief(text).replace("|", "\\|").replace("<", "&lt;").replace("@", "&#64;")
