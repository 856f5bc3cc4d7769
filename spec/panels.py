"""The panels of a service's dashboard: one list, from which every dashboard is generated.

`dashboard_config.json` in the working tree lets a user reorder, leave out and add panels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from spec.errors import FieldError, Problem, SpecError, near, one_of, shown
from spec.metrics import Signal, TargetMetrics
from spec.section import Section
from spec.validation import validate

CONFIG_FILE = "dashboard_config.json"

#: What an axis shows. ratio: 0–1, drawn as percent.
PanelUnit = Literal["requests_per_second", "ratio", "seconds", "count", "index"]


@dataclass(frozen=True)
class Panel:
    """One panel. signals: what it is drawn from; a target that emits none of them has no such panel."""

    key: str
    title: str
    unit: PanelUnit
    signals: tuple[Signal, ...]
    says: str


PANELS = (
    Panel("traffic", "Traffic", "requests_per_second", ("traffic",), "Requests answered, by status code."),
    Panel("errors", "Errors", "ratio", ("traffic", "errors"), "Share of requests answered with 5xx or 429."),
    Panel("latency", "Latency", "seconds", ("latency",), "Time to answer: median, 95th and 99th percentile."),
    Panel("saturation", "Saturation", "count", ("saturation",), "Requests in hand, and those turned away a second."),
    Panel("replicas", "Replicas", "count", ("replicas",), "Replicas that run, and those that hold a loaded release."),
    Panel(
        "releases", "Releases", "requests_per_second", ("releases",), "Traffic by release; a canary is a second line."
    ),
    Panel("drift", "Drift", "index", ("drift",), "Population stability index, the five features that moved most."),
    Panel("error_budget", "Error budget left", "ratio", ("traffic", "errors"), "Share of the budget that is left."),
    Panel("runbook", "Runbook", "count", (), "What to look at and what to do, for each alarm."),
)
BY_KEY = {panel.key: panel for panel in PANELS}


class Query(Section):
    """One series of an added panel."""

    legend: str = Field(min_length=1, description="Name of the series; `{{label}}` stands for a label's value.")
    expr: str = Field(min_length=1, description="PromQL; `$service` stands for the service's name.")


class AddedPanel(Section):
    """A panel of the user's own."""

    key: str = Field(pattern=r"^[a-z][a-z0-9_]{0,40}$", description="Name of the panel, used by no other one.")
    title: str = Field(min_length=1, max_length=80, description="What stands above it.")
    unit: PanelUnit = Field(description="requests_per_second, ratio (0–1), seconds, count or index.")
    says: str = Field(default="", description="What it shows, in a sentence.")
    prometheus: tuple[Query, ...] = Field(min_length=1, description="Its series on Prometheus and Grafana.")

    @model_validator(mode="after")
    def _no_other_panels_name(self) -> AddedPanel:
        if self.key in BY_KEY:
            raise FieldError(("key",), self.key, f"another name than {one_of(BY_KEY)}", "Choose another key.")
        return self


class DashboardConfig(Section):
    """Which panels a dashboard has, in which order. What is not named is left out."""

    panels: tuple[str | AddedPanel, ...] = Field(
        default=tuple(BY_KEY), min_length=1, description="Keys of panels, and panels of one's own, in order."
    )

    @model_validator(mode="after")
    def _known_and_once(self) -> DashboardConfig:
        seen: set[str] = set()
        for index, panel in enumerate(self.panels):
            key = panel if isinstance(panel, str) else panel.key
            if isinstance(panel, str) and key not in BY_KEY:
                meant = near(key, BY_KEY)
                fix = f"Did you mean {meant}?" if meant else "Take one of these, or write a panel of your own."
                raise FieldError(("panels", index), key, one_of(BY_KEY), fix)
            if key in seen:
                raise FieldError(("panels", index), key, "each panel once", "Remove one of the two.")
            seen.add(key)
        return self

    def chosen(self, metrics: TargetMetrics) -> tuple[tuple[Panel | AddedPanel, ...], Mapping[str, str]]:
        """The panels that a target can draw, and for each other one the reason."""
        panels: list[Panel | AddedPanel] = []
        reasons: dict[str, str] = {}
        for entry in self.panels:
            panel = BY_KEY[entry] if isinstance(entry, str) else entry
            missing = [] if isinstance(panel, AddedPanel) else [s for s in panel.signals if not metrics.has(s)]
            if missing:
                reasons[panel.key] = f"target {metrics.target} has no metric for {one_of(missing)}"
            else:
                panels.append(panel)
        return tuple(panels), reasons


def load_dashboard_config(file: Path) -> DashboardConfig:
    """The user's choice of panels; all of them where there is no such file. Raises SpecError."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return DashboardConfig()
    root = file.name
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        problem = Problem(f"{root}, {where}", shown(error.msg), "JSON", "Mend that line, or remove the file.")
        raise SpecError([problem], root) from None
    return validate(DashboardConfig, _separate(value), root=root, what=root)


def _separate(value: Any) -> Any:
    """The value as it is, once entries of `panels` that are neither name nor mapping were refused.

    A union of text and mapping would be reported once for each of the two.
    """
    entries = value.get("panels") if isinstance(value, Mapping) else None
    if not isinstance(entries, list):
        return value
    problems: list[Problem] = []
    for index, entry in enumerate(entries):
        field = f"{CONFIG_FILE}.panels[{index}]"
        if isinstance(entry, Mapping):
            try:
                validate(AddedPanel, entry, root=field, what=CONFIG_FILE)
            except SpecError as error:
                problems += error.problems
        elif not isinstance(entry, str):
            problems.append(
                Problem(field, shown(entry), "a panel's name or a mapping", f"Write one of {one_of(BY_KEY)}.")
            )
    if problems:
        raise SpecError(problems, CONFIG_FILE)
    return value
