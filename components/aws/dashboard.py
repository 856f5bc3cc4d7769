"""The CloudWatch dashboard of a service, from the list of panels. Pure: returns the body as a mapping.

Form of the body: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from components.aws import log_metrics
from components.aws.alarm_math import Query, bad_share, number
from spec.alarms import Alarm
from spec.fields import Slo
from spec.grafana import runbook_links
from spec.metrics import Metric, Signal, TargetMetrics
from spec.panels import AddedPanel, DashboardConfig, Panel
from spec.slo import MINUTE, Objective, latency_in, objectives

WIDTH, HEIGHT, COLUMNS = 8, 6, 24
#: Statistics of the latency panel; CloudWatch computes any percentile.
LATENCIES = ("p50", "p95", "p99")


def body(
    service: str,
    region: str,
    slots: Sequence[TargetMetrics],
    slo: Slo | None,
    alarms: Sequence[Alarm],
    config: DashboardConfig | None = None,
    *,
    log: bool = False,
) -> dict[str, Any]:
    """The dashboard's body.

    slots: metrics of each slot; all are of one target. alarms: those the target has, for the links to the runbook.
    log: whether the service's log lines are counted, which is the last widget then.
    Panels that the user added have queries for Prometheus only, and are left out, as is what the target cannot draw.
    """
    chosen, _ = (config or DashboardConfig()).chosen(slots[0])
    widgets: list[dict[str, Any]] = []
    for panel in chosen:
        if isinstance(panel, AddedPanel) or (panel.key == "error_budget" and slo is None):
            continue
        widgets.append(_widget(panel, service, region, slots, slo, alarms))
    if log:
        widgets.append(log_metrics.widget(service, region))
    widgets = [{**_place(index), **widget} for index, widget in enumerate(widgets)]
    return {"widgets": widgets, "periodOverride": "inherit"}


def _place(index: int) -> dict[str, int]:
    return {"x": index * WIDTH % COLUMNS, "y": index * WIDTH // COLUMNS * HEIGHT, "width": WIDTH, "height": HEIGHT}


def _widget(
    panel: Panel,
    service: str,
    region: str,
    slots: Sequence[TargetMetrics],
    slo: Slo | None,
    alarms: Sequence[Alarm],
) -> dict[str, Any]:
    if panel.key == "runbook":
        text = f"# {service}\n{runbook_links(alarms)}"
        return {"type": "text", "properties": {"markdown": text}}
    properties: dict[str, Any] = {"title": panel.title, "region": region, "view": "timeSeries", "stacked": False}
    if panel.key == "error_budget" and slo is not None:
        # One value over the objective's whole window, whatever range the dashboard shows.
        whole = {"setPeriodToTimeRange": True, "start": f"-P{slo.window_days}D"}
        properties |= {"view": "singleValue", "metrics": _budget(slots, slo), **whole}
    elif panel.key == "errors":
        properties |= {"metrics": _errors(slots), "yAxis": {"left": {"min": 0}}}
    elif panel.key == "latency":
        properties |= {"metrics": _latency(slots), "yAxis": {"left": {"min": 0, "label": "seconds"}}}
    else:
        # A panel's first signal is what it is about.
        series = _plain(panel.signals[0], slots, per_second=panel.unit == "requests_per_second")
        properties |= {"metrics": series, "yAxis": {"left": {"min": 0}}}
    return {"type": "metric", "properties": properties}


def series(metric: Metric, options: dict[str, Any]) -> list[Any]:
    """One metric as an entry of a widget: namespace, name, dimensions, options."""
    flat = [part for pair in metric.dimensions.items() for part in pair]
    return [metric.namespace, metric.name, *flat, options]


def _plain(signal: Signal, slots: Sequence[TargetMetrics], *, per_second: bool) -> list[list[Any]]:
    entries: list[list[Any]] = []
    for slot, target in enumerate(slots):
        for index, metric in enumerate(target.metrics(signal)):
            id_ = f"m{slot}_{index}"
            label = _label(metric, slot)
            options = {"id": id_, "stat": metric.statistic, "period": MINUTE, "label": label}
            entries.append(series(metric, {**options, "visible": not per_second}))
            if per_second:
                entries.append([{"expression": f"{id_} / PERIOD({id_})", "label": label, "id": f"r{slot}_{index}"}])
    return entries


def _latency(slots: Sequence[TargetMetrics]) -> list[list[Any]]:
    entries: list[list[Any]] = []
    for slot, target in enumerate(slots):
        metric = target.metrics("latency")[0]
        for statistic in LATENCIES:
            id_ = f"m{slot}_{statistic}"
            entries.append(series(metric, {"id": id_, "stat": statistic, "period": MINUTE, "visible": False}))
            seconds = f"{id_} / {number(latency_in(1000, metric.unit))}"
            label = f"{statistic} {_label(metric, slot)}"
            entries.append([{"expression": seconds, "label": label, "id": f"s{slot}_{statistic}"}])
    return entries


def _errors(slots: Sequence[TargetMetrics]) -> list[list[Any]]:
    queries = bad_share(Objective("availability", 0.0, 0), slots, 5 * MINUTE)
    return [_entry(query, visible=query.id == "bad", label="share of errors, 5 minutes") for query in queries]


def _budget(slots: Sequence[TargetMetrics], slo: Slo) -> list[list[Any]]:
    objective = objectives(slo)[0]
    queries = bad_share(objective, slots, objective.window_seconds)
    left = {
        "expression": f"1 - bad / {number(objective.budget)}",
        "label": f"left of {slo.window_days} days",
        "id": "left",
    }
    # No period of their own: the widget sets it to its time range.
    return [*(_entry(replace(query, period=0), visible=False, label=query.id) for query in queries), [left]]


def _entry(query: Query, *, visible: bool, label: str) -> list[Any]:
    if query.metric is None:
        return [{"expression": query.expression, "id": query.id, "visible": visible, "label": label}]
    period = {"period": query.period} if query.period else {}
    return series(query.metric, {"id": query.id, "stat": query.statistic, **period, "visible": visible})


def _label(metric: Metric, slot: int) -> str:
    return str(metric.dimensions.get(metric.by_release or "", f"slot {slot}"))
