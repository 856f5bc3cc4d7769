"""What a plan found, as data: the JSON that other programs read is `Page.data()`, described by `plan.schema.json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from engine import wire
from engine.events import Step
from engine.planning import Plan
from engine.resource import Resource
from operations.planning import values

#: Changes when a field goes or changes its meaning; a new field does not change it.
VERSION = 1
FORMAT = "cloud-ml-deployment/plan"

Operation = Literal["create", "update", "replace", "delete", "same", "read"]
#: Why a resource is replaced although none of its own properties says so.
_REASONS = {
    "provider": "its provider changes",
    "taint": "it is marked for replacement in the state",
    "deletedWith": "the resource that it is deleted with is replaced",
}


@dataclass(frozen=True)
class Change:
    """One property that differs.

    effect: replace, update or unknown. reason: why it is unknown. source: page that says so. before, after: as in
    `operations.planning.values`.
    """

    path: str
    kind: str
    effect: str
    before: Any
    after: Any
    reason: str = ""
    source: str = ""


@dataclass(frozen=True)
class Planned:
    """What happens to one resource.

    replacement: yes, no, or unknown where no table says what its change does. because: what makes the replacement.
    provider: package, version and configuration (region, project …). depends: property → URNs that its value is from.
    """

    urn: str
    parent: str
    operation: Operation
    component: bool
    replacement: Literal["yes", "no", "unknown"] = "no"
    because: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    provider: Mapping[str, Any] = field(default_factory=dict)
    depends: Mapping[str, list[str]] = field(default_factory=dict)
    protect: bool = False
    retained: bool = False
    delete_first: bool = False

    @property
    def type(self) -> str:
        return wire.parse_urn(self.urn).type

    @property
    def name(self) -> str:
        return wire.parse_urn(self.urn).name

    @property
    def kind(self) -> str:
        """The operation, with updates that may be replacements told apart; for counts and signs."""
        if self.retained and self.operation == "delete":
            return "forget"
        return "unknown" if self.replacement == "unknown" else self.operation


@dataclass(frozen=True)
class StackPlan:
    """The plan of one stack, or why there is none.

    base: what it is compared with, for people. outputs: name → (operation, value). assumed: answers made up for
    functions of the clouds. errors: why there is no plan.
    """

    project: str
    stack: str
    base: str
    resources: tuple[Planned, ...] = ()
    outputs: Mapping[str, tuple[str, Any]] = field(default_factory=dict)
    assumed: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def counts(self) -> dict[str, int]:
        """Resources (not components, not the stack itself) per kind."""
        found = Counter(one.kind for one in self.resources if not one.component)
        return {kind: found[kind] for kind in KINDS if found[kind]}

    @property
    def unchanged(self) -> bool:
        """Nothing differs, neither resources nor outputs."""
        return not self.errors and all(one.kind in ("same", "read") for one in self.resources)


#: In the order in which people want to know.
KINDS = ("replace", "unknown", "delete", "forget", "update", "create", "read", "same")


@dataclass(frozen=True)
class Page:
    """Plans of several stacks of one program."""

    plans: tuple[StackPlan, ...]

    @property
    def failed(self) -> bool:
        return any(plan.errors for plan in self.plans)

    def data(self) -> dict[str, Any]:
        """The versioned JSON."""
        return {"format": FORMAT, "version": VERSION, "plans": [_plan_data(plan) for plan in self.plans]}


def _plan_data(plan: StackPlan) -> dict[str, Any]:
    return {
        "project": plan.project,
        "stack": plan.stack,
        "base": plan.base,
        "counts": plan.counts,
        "resources": [_resource_data(one) for one in plan.resources],
        "outputs": {name: {"operation": op, "value": value} for name, (op, value) in plan.outputs.items()},
        "assumed": dict(plan.assumed),
        "notes": list(plan.notes),
        "errors": list(plan.errors),
    }


def _resource_data(one: Planned) -> dict[str, Any]:
    return {
        "urn": one.urn,
        "type": one.type,
        "name": one.name,
        "parent": one.parent,
        "component": one.component,
        "operation": one.operation,
        "replacement": one.replacement,
        "because": list(one.because),
        "changes": [vars(change) for change in one.changes],
        "inputs": dict(one.inputs),
        "provider": dict(one.provider),
        "depends": {key: list(urns) for key, urns in one.depends.items()},
        "protect": one.protect,
        "retained": one.retained,
        "delete_first": one.delete_first,
    }


# -- from the engine's plan ------------------------------------------------------------------------------------------


def stack_plan(project: str, stack: str, base: str, plan: Plan, notes: Iterable[str] = ()) -> StackPlan:
    """The engine's plan as people and programs read it."""
    planned = [_planned(step, plan) for step in plan.result.steps]
    resources = [one for one in planned if one.type != wire.STACK_TYPE]
    return StackPlan(
        project=project,
        stack=stack,
        base=base,
        resources=tuple(sorted(resources, key=lambda one: one.urn)),
        outputs=_outputs(plan),
        assumed={token: values.shown(answer) for token, answer in sorted(plan.assumed.items())},
        notes=tuple(notes),
        seconds=plan.result.duration,
    )


def _planned(step: Step, plan: Plan) -> Planned:
    old, new = plan.before.get(step.urn), plan.after.get(step.urn)
    resource = new if new is not None and step.op != "delete" else old
    assert resource is not None  # noqa: S101 # a step is about what was there or will be
    changes = tuple(
        Change(
            one.path,
            one.kind,
            one.effect,
            values.at(old, one.path),
            values.at(new, one.path),
            one.reason,
            one.source,
        )
        for one in step.properties
    )
    if not changes and step.op in ("update", "replace") and old is not None and new is not None:
        # A provider of the program's own (dynamic) compared them; it names properties only.
        replaces = {path.split(".")[0].split("[")[0] for path in step.replaces}
        changes = tuple(
            Change(
                key,
                step.detailed.get(key, "update").removesuffix("_replace"),
                "replace" if key in replaces else "update",
                values.at(old, key),
                values.at(new, key),
            )
            for key in step.keys
        )
    operation: Any = step.op
    return Planned(
        urn=step.urn,
        parent=resource.parent,
        operation=operation,
        component=not resource.custom,
        replacement="yes" if step.op == "replace" else "no" if step.replacement_known else "unknown",
        because=_because(step),
        changes=changes,
        inputs=values.inputs(resource),
        provider=_provider(resource, plan),
        depends={key: urns for key, urns in resource.property_dependencies.items() if urns},
        protect=resource.protect,
        retained=step.retained,
        delete_first=step.delete_first,
    )


def _because(step: Step) -> tuple[str, ...]:
    if step.op == "replace" and not step.replaces:
        return ("something that it depends on is replaced, and goes before its replacement comes",)
    return tuple(_REASONS.get(path, path) for path in step.replaces)


def _provider(resource: Resource, plan: Plan) -> dict[str, Any]:
    if not resource.provider:
        return {}
    urn, _ = wire.split_reference(resource.provider)
    package = wire.package_of(wire.parse_urn(urn).type)
    if package == wire.DYNAMIC:
        return {"package": package}
    found = plan.after.get(urn) or plan.before.get(urn)
    config = values.inputs(found) if found else {}
    version = config.pop("version", "")
    return {"package": package, "name": wire.parse_urn(urn).name, "version": version, "config": config}


def _outputs(plan: Plan) -> dict[str, tuple[str, Any]]:
    def of(resources: Mapping[str, Resource]) -> dict[str, Any]:
        stack = next((one for one in resources.values() if one.type == wire.STACK_TYPE), None)
        return stack.outputs if stack else {}

    olds, news = of(plan.before), of(plan.after)
    found: dict[str, tuple[str, Any]] = {}
    for name in sorted({*olds, *news}):
        if name not in news:
            found[name] = ("delete", values.shown(olds[name]))
        elif name not in olds:
            found[name] = ("create", values.shown(news[name]))
        else:
            same = wire.reveal(olds[name]) == wire.reveal(news[name])
            concealed = wire.is_secret(olds[name]) and wire.has_unknown(olds[name])
            found[name] = ("same" if same or concealed else "update", values.shown(news[name]))
    return found
