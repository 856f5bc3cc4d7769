"""What each target can honour: every field of the service description on every target, mapped or rejected.

The table is data. A target whose column is `NotBuilt` cannot be chosen yet. `docs/capabilities.md` is written from
the same table: `python -m spec.capabilities > docs/capabilities.md`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from spec.capabilities_aws import SAGEMAKER
from spec.capabilities_kubernetes import OWN_CLUSTER
from spec.cells import ELSEWHERE, EVERYWHERE, SCRAPED_LATENCY, Cell, Column, Mapped, NotBuilt, Rejected
from spec.contracts import STICKY_HEADER
from spec.errors import Problem, SpecError, one_of, path, shown
from spec.service import ServiceSpec
from spec.targets import TARGETS, Cloud, Target
from spec.validation import section_type

_NO_LIMIT = "a plain process takes what the machine has; nothing limits it"
_ONE_PROCESS = "the target is one process"
_ONE_CONTAINER = "the target is one container"
_MONITOR = "`make monitor`"
_OWN_MACHINE = "the target is this machine"

COLUMNS: dict[tuple[Cloud, Target], Column | NotBuilt] = {
    (cloud, target): NotBuilt() for cloud, targets in TARGETS.items() for target in targets
}

COLUMNS["local", "process"] = Column(
    {
        **EVERYWHERE,
        "tags": Rejected("a process on this machine carries no tags"),
        "protect": Mapped("logs and captured requests stay when the service is removed; releases under models/ always"),
        "deploy_to[].region": Rejected(_OWN_MACHINE),
        "deploy_to[].port": Mapped("the server's port on the loopback address"),
        "deploy_to[].instance_type": Rejected(_OWN_MACHINE),
        "deploy_to[].network": Rejected("the server listens on the loopback address only"),
        "deploy_to[].cluster": Rejected("the target is a process, no cluster"),
        "canary": Mapped(f"the server holds both releases and splits; a value of `{STICKY_HEADER}` keeps its release"),
        "image": Rejected("the server runs from the working tree, without an image"),
        "resources.cpu": Rejected(_NO_LIMIT),
        "resources.memory_gib": Rejected(_NO_LIMIT),
        "scaling.scale_to_zero": Mapped("the process always runs", (False,), _ONE_PROCESS),
        "scaling.min": Mapped("one process", (1,), _ONE_PROCESS),
        "scaling.max": Mapped("one process", (1,), _ONE_PROCESS),
        "scaling.metric": Rejected(_ONE_PROCESS),
        "scaling.target": Rejected(_ONE_PROCESS),
        "scaling.schedule": Rejected(_ONE_PROCESS),
        "rollout.strategy": Mapped("the process is replaced", ("all_at_once",), "one process has no traffic to shift"),
        "rollout.step_percent": Rejected("one process has no traffic to shift"),
        "rollout.bake_minutes": Rejected("one process has no traffic to shift"),
        "rollout.rollback_on_alarm": Mapped("no rollback", (False,), "nothing rolls a process back"),
        "slo": Mapped(f"{_MONITOR} evaluates rules made from it"),
        "slo.latency_ms": Mapped(
            f"{_MONITOR} evaluates rules made from it",
            SCRAPED_LATENCY,
            "the server counts fast requests at these bounds of its histogram only",
        ),
        "access.visibility": Mapped(
            "listens on the loopback address only",
            ("private",),
            "the server has no TLS, so it listens on the loopback address only",
        ),
        "access.auth": Mapped(
            "token: made once, kept as a secret and in a file that only its owner may read; none: no authentication",
            ("token", "none"),
            "there is no cloud whose identities could be checked",
        ),
        "access.principals": Rejected("there is no cloud whose identities could be checked"),
        "access.domain": Rejected("the server listens on the loopback address only"),
        "capture": Mapped("lines of JSON under .local/data"),
        "capture.retention_days": Mapped("the server deletes older files, at start and every hour"),
        "logging": Mapped("the server's log level"),
        "logging.retention_days": Mapped("a file a day under .local/data; the server deletes older ones"),
        "encryption.customer_managed_key": Mapped(
            "files as they are", (False,), "there is no key service on this machine"
        ),
        "notify.emails": Rejected("no mail server is set up on this machine; a webhook is called"),
        "notify.webhooks": Mapped(f"{_MONITOR} runs an Alertmanager that calls each for every alarm"),
        "budget": Rejected("a process on this machine costs nothing"),
        "runtime": Mapped("this project's own server", ("onnx",), ELSEWHERE),
    }
)

COLUMNS["local", "container"] = Column(
    {
        **EVERYWHERE,
        "tags": Rejected("a container on this machine carries no tags of the user's"),
        "protect": Mapped(
            "nothing to keep: the store holds copies of releases", (False,), "the store holds only copies of releases"
        ),
        "deploy_to[].region": Rejected(_OWN_MACHINE),
        "deploy_to[].port": Mapped("the container's port on the loopback address"),
        "deploy_to[].instance_type": Rejected(_OWN_MACHINE),
        "deploy_to[].network": Rejected("the container is reached on the loopback address only"),
        "deploy_to[].cluster": Rejected("the target is a container, no cluster"),
        "canary": Rejected("the container is given one release"),
        "image.runtime_ref": Rejected(ELSEWHERE),
        "image": Mapped("the image that `make image` built from this tree, or one that is pulled by its digest"),
        "resources.cpu": Mapped("the container's CPU limit"),
        "resources.memory_gib": Mapped("the container's memory limit, without swap"),
        "scaling.scale_to_zero": Mapped("the container always runs", (False,), _ONE_CONTAINER),
        "scaling.min": Mapped("one container", (1,), _ONE_CONTAINER),
        "scaling.max": Mapped("one container", (1,), _ONE_CONTAINER),
        "scaling.metric": Rejected(_ONE_CONTAINER),
        "scaling.target": Rejected(_ONE_CONTAINER),
        "scaling.schedule": Rejected(_ONE_CONTAINER),
        "rollout.strategy": Mapped(
            "the container is replaced", ("all_at_once",), "one container has no traffic to shift"
        ),
        "rollout.step_percent": Rejected("one container has no traffic to shift"),
        "rollout.bake_minutes": Rejected("one container has no traffic to shift"),
        "rollout.rollback_on_alarm": Mapped("no rollback", (False,), "nothing rolls a container back"),
        "slo": Mapped(f"{_MONITOR} evaluates rules made from it"),
        "slo.latency_ms": Mapped(
            f"{_MONITOR} evaluates rules made from it",
            SCRAPED_LATENCY,
            "the server counts fast requests at these bounds of its histogram only",
        ),
        "access.visibility": Mapped(
            "published on the loopback address only",
            ("private",),
            "the server has no TLS, so it is published on the loopback address only",
        ),
        "access.auth": Mapped(
            "no authentication on the loopback address", ("none",), "the server on this machine cannot check who calls"
        ),
        "access.principals": Rejected("there is no cloud whose identities could be checked"),
        "access.domain": Rejected("the container is reached on the loopback address only"),
        "capture": Rejected("the container can write nothing but temporary files"),
        "logging": Rejected("the container engine keeps the log, which ends with the container"),
        "encryption.customer_managed_key": Mapped(
            "files as they are", (False,), "there is no key service on this machine"
        ),
        "notify.emails": Rejected("no mail server is set up on this machine; a webhook is called"),
        "notify.webhooks": Mapped(f"{_MONITOR} runs an Alertmanager that calls each for every alarm"),
        "budget": Rejected("a container on this machine costs nothing"),
        "runtime": Mapped("this project's own server", ("onnx",), ELSEWHERE),
    }
)


COLUMNS["local", "kubernetes"] = OWN_CLUSTER

COLUMNS["aws", "sagemaker"] = SAGEMAKER


def rows(model: type[BaseModel] = ServiceSpec, prefix: str = "") -> Iterator[str]:
    """Every field of the description that holds a value: `deploy_to[].port`, `scaling.schedule[].cron`, …"""
    for name, info in model.model_fields.items():
        section = section_type(info.annotation)
        listed = "[]" if "tuple" in str(info.annotation) and section else ""
        if section:
            yield from rows(section, f"{prefix}{name}{listed}.")
        else:
            yield f"{prefix}{name}"


def check_capabilities(spec: ServiceSpec) -> None:
    """Check every value the user set against every target it is for.

    A default that a target cannot honour is no error: nobody asked for it.
    Raises SpecError that names field, value, target and reason.
    """
    problems: list[Problem] = []
    asked = list(_asked(spec))
    for index, where in enumerate(spec.deploy_to):
        column = COLUMNS[where.cloud, where.target]
        if isinstance(column, NotBuilt):
            problems.append(
                Problem(
                    path(("deploy_to", index, "target")),
                    shown(where.target),
                    one_of(
                        f"{target} on {cloud}"
                        for (cloud, target), found in COLUMNS.items()
                        if isinstance(found, Column)
                    ),
                    f"Target {where.target} is not built yet in this version; choose another one.",
                )
            )
            continue
        for parts, value in asked:
            if parts[0] == "deploy_to" and parts[1] != index:
                continue
            if problem := _reject(
                column.cell(re.sub(r"\[\d+\]", "[]", path(parts, root=""))), parts, value, where.target
            ):
                problems.append(problem)
    if problems:
        raise SpecError(problems)


def _reject(cell: Cell | None, parts: tuple[str | int, ...], value: Any, target: Target) -> Problem | None:
    if cell is None:
        raise LookupError(f"no cell for {path(parts, root='')} on target {target}")
    if isinstance(cell, Rejected):
        return Problem(
            path(parts),
            shown(value),
            f"nothing on target {target}: {cell.reason}",
            "Remove it, or choose another target.",
        )
    if cell.only is None or value in cell.only:
        return None
    return Problem(
        path(parts),
        shown(value),
        f"{one_of(shown(item) for item in cell.only)} on target {target}: {cell.otherwise}",
        "Change or remove it, or choose another target.",
    )


def _asked(section: BaseModel, prefix: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Path and value of every field that the user set, in the order of the description."""
    for name in type(section).model_fields:
        if name not in section.model_fields_set:
            continue
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _asked(value, (*prefix, name))
        elif isinstance(value, tuple) and any(isinstance(item, BaseModel) for item in value):
            for index, item in enumerate(value):
                yield from _asked(item, (*prefix, name, index))
        elif value is not None and value != () and value != {}:
            yield (*prefix, name), value


def markdown() -> str:
    """`docs/capabilities.md`, from the table."""
    built = {key: column for key, column in COLUMNS.items() if isinstance(column, Column)}
    lines = [
        "# What each target can honour",
        "",
        "Written by `python -m spec.capabilities`; do not edit. A field that is rejected on a target is an error when",
        "it is set, at preview, with this reason. A default that a target cannot honour is no error.",
        "",
    ]
    for (cloud, target), column in built.items():
        lines += [f"## {cloud}: {target}", "", "| field | | how, or why not |", "|---|---|---|"]
        lines += [_line(row, column.cell(row)) for row in rows()]
        lines.append("")
    lines += ["## Not built yet", "", "Choosing one of these is an error.", ""]
    lines += [
        f"- {cloud}: {one_of(waiting)}"
        for cloud in TARGETS
        if (waiting := [t for t in TARGETS[cloud] if (cloud, t) not in built])
    ]
    return "\n".join([*lines, ""])


def _line(row: str, cell: Cell | None) -> str:
    if isinstance(cell, Mapped) and cell.only is not None:
        values = one_of(f"`{shown(value)}`" for value in cell.only)
        return f"| `{row}` | only {values} | {cell.how}; other values are rejected: {cell.otherwise} |"
    if isinstance(cell, Mapped):
        return f"| `{row}` | mapped | {cell.how} |"
    return f"| `{row}` | rejected | {cell.reason if cell else ''} |"


if __name__ == "__main__":
    sys.stdout.write(markdown())
