"""A plan as a tree of components and resources, for a terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console

from operations.planning import values
from operations.planning.model import KINDS, Change, Page, Planned, StackPlan

SIGNS = {
    "create": "+", "update": "~", "replace": "±", "unknown": "?", "delete": "-", "forget": "-", "read": ">",
    "same": " ",
}  # fmt: skip
WORDS = {
    "create": "created", "update": "changed", "replace": "replaced", "unknown": "changed, replacement unknown",
    "delete": "deleted", "forget": "kept, but no longer managed", "read": "read", "same": "unchanged",
}  # fmt: skip
_STYLES = {
    "create": "green", "update": "yellow", "replace": "bold magenta", "unknown": "bold cyan", "delete": "red",
    "forget": "red", "read": "dim", "same": "dim",
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One line: what it is about decides its colour. kind: as in `Planned.kind`, or empty for what is beside it."""

    text: str
    kind: str = ""


def show(page: Page, console: Console) -> None:
    """Print all plans."""
    for number, plan in enumerate(page.plans):
        if number:
            console.print()
        for line in lines(plan):
            style = "bold red" if line.kind == "error" else _STYLES.get(line.kind, "")
            console.print(line.text, style=style, markup=False, highlight=False, soft_wrap=True)


def lines(plan: StackPlan) -> Iterator[Line]:
    """A plan as text: heading, tree, outputs, what was assumed."""
    yield Line(f"{plan.project}, stack {plan.stack}, against {plan.base}: {summary(plan)}")
    for error in plan.errors:
        yield Line(f"error: {error}", "error")
    if plan.errors:
        return
    yield from tree(plan)
    changed = {name: said for name, said in plan.outputs.items() if said[0] != "same"}
    if changed:
        yield Line("outputs")
        for name, (operation, value) in changed.items():
            yield Line(f"  {SIGNS[operation]} {name}: {values.brief(value)}", operation)
    if plan.assumed:
        yield Line("assumed, because a plan asks no account")
        for token, answer in plan.assumed.items():
            told = ", ".join(f"{path} {text}" for path, text in values.telling(answer, 3)) or values.brief(answer)
            yield Line(f"  {short_type(token)}: {told}")
    for note in plan.notes:
        yield Line(f"note: {note}")


def summary(plan: StackPlan) -> str:
    """Counts in words."""
    if plan.errors:
        return "no plan"
    counts = plan.counts
    told = [f"{counts[kind]} {WORDS[kind]}" for kind in KINDS if kind in counts]
    return ", ".join(told) or "no resources"


def tree(plan: StackPlan) -> Iterator[Line]:
    """The resources under their components; what stays as it is, is counted and not listed."""
    known = {one.urn for one in plan.resources}
    children: dict[str, list[Planned]] = defaultdict(list)
    for one in plan.resources:
        children[one.parent if one.parent in known else ""].append(one)

    def changes(one: Planned) -> bool:
        return one.kind != "same" or any(changes(child) for child in children[one.urn])

    def below(parent: str, indent: str) -> Iterator[Line]:
        found = sorted(children[parent], key=lambda one: (not one.component, one.name, one.type))
        listed = [one for one in found if changes(one)]
        same = sum(_count(one, children) for one in found if not changes(one))
        for number, one in enumerate(listed):
            last = number == len(listed) - 1 and not same
            yield Line(f"{indent}{'└' if last else '├'}─ {SIGNS[one.kind]} {heading(one)}", one.kind)
            inner = indent + ("   " if last else "│  ")
            more = "│  " if any(changes(child) for child in children[one.urn]) else "   "
            for text in details(one):
                yield Line(f"{inner}{more}   {text}", one.kind if one.kind != "create" else "")
            yield from below(one.urn, inner)
        if same:
            yield Line(f"{indent}└─   {same} unchanged", "same")

    yield from below("", "")


def _count(one: Planned, children: dict[str, list[Planned]]) -> int:
    return (not one.component) + sum(_count(child, children) for child in children[one.urn])


def heading(one: Planned) -> str:
    """Name, type and what happens."""
    told = [] if one.kind in ("create", "same") else [WORDS[one.kind]]
    if one.delete_first:
        told.append("the old one is deleted before the new one is created")
    if one.protect and one.operation == "create":
        told.append("protected")
    return f"{one.name}  {short_type(one.type)}" + (f"  ({', '.join(told)})" if told else "")


def details(one: Planned) -> Iterator[str]:
    """What matters of a resource: its telling values when it is new, else what differs."""
    if one.operation == "create" and not one.component:
        told = values.telling(one.inputs)
        if told:
            yield " · ".join(f"{path} {text}" for path, text in told)
    for change in one.changes:
        yield change_text(change)
    own = {change.path for change in one.changes if change.effect == "replace"}
    others = [reason for reason in one.because if reason not in own]
    if others:
        yield f"replaced because {'; '.join(others)}"


def change_text(change: Change) -> str:
    """One property: old and new value, and whether that replaces."""
    effect = ""
    if change.effect == "replace":
        effect = f"  replaces ({change.source})" if change.source else "  replaces"
    elif change.effect == "unknown":
        effect = f"  replacement unknown ({change.reason or change.source})"
    return f"{change.path}: {values.brief(change.before)} → {values.brief(change.after)}{effect}"


def short_type(token: str) -> str:
    """`aws:s3/bucket:Bucket` as `aws:s3:Bucket`."""
    package, _, rest = token.partition(":")
    module, _, name = rest.rpartition(":")
    return f"{package}:{module.split('/')[0]}:{name}" if module else token
