"""The Grafana dashboard of a service on Prometheus, from the list of panels. Pure: returns the JSON model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spec import server_metrics as server
from spec.alarms import Alarm
from spec.metrics import TargetMetrics
from spec.panels import AddedPanel, DashboardConfig, Panel, PanelUnit
from spec.prometheus import BAD_RATIO, BUDGET_LEFT

#: Grafana's names of units (its list of units: packages/grafana-data/src/valueFormats).
UNITS: dict[PanelUnit, str] = {
    "requests_per_second": "reqps",
    "ratio": "percentunit",
    "seconds": "s",
    "count": "short",
    "index": "none",
}
#: Version of the dashboard model; Grafana migrates older ones when it loads them.
SCHEMA_VERSION = 39
WIDTH, HEIGHT, COLUMNS = 8, 8, 24


def queries(panel: Panel | AddedPanel, service: str) -> tuple[tuple[str, str], ...]:
    """Legend and PromQL of each series of a panel."""
    where = f'service="{service}"'
    if isinstance(panel, AddedPanel):
        return tuple((query.legend, query.expr.replace("$service", service)) for query in panel.prometheus)
    rate = f"rate({server.REQUESTS_TOTAL}{{{where}}}[5m])"
    buckets = f"sum by (le) (rate({server.REQUEST_SECONDS}_bucket{{{where}}}[5m]))"
    drift = f"max by (release, feature) ({server.INPUT_DRIFT_PSI}{{{where}}})"
    return {
        "traffic": (("{{code}}", f"sum by (code) ({rate})"),),
        "errors": (
            ("5 minutes", f"{BAD_RATIO['availability']}5m{{{where}}}"),
            ("1 hour", f"{BAD_RATIO['availability']}1h{{{where}}}"),
        ),
        "latency": tuple((f"p{q:g}", f"histogram_quantile({q / 100:g}, {buckets})") for q in (50, 95, 99)),
        "saturation": (
            ("in hand", f"sum ({server.QUEUE_DEPTH}{{{where}}})"),
            ("turned away a second", f"sum (rate({server.SHED_TOTAL}{{{where}}}[5m]))"),
        ),
        "replicas": (
            ("running", f"sum (up{{{where}}})"),
            ("release {{version}}", f"count by (version) ({server.RELEASE_INFO}{{{where}}} == 1)"),
        ),
        "releases": (("release {{release}}", f"sum by (release) ({rate})"),),
        "drift": (("{{feature}} ({{release}})", f"topk(5, {drift})"),),
        "error_budget": (("{{indicator}}", f"{BUDGET_LEFT}{{{where}}}"),),
        "runbook": (),
    }[panel.key]


def dashboard(
    service: str,
    metrics: TargetMetrics,
    alarms: Sequence[Alarm],
    config: DashboardConfig | None = None,
    *,
    runbook_base: str = "",
) -> dict[str, Any]:
    """The dashboard's JSON, ready for Grafana's import, its API or a provisioned file.

    alarms: those the target has, for the links to the runbook. runbook_base: put before the runbook's path.
    """
    panels, _ = (config or DashboardConfig()).chosen(metrics)
    return {
        "uid": f"{service}-model-service",
        "title": f"Model service {service}",
        "tags": ["model-service", service],
        "timezone": "browser",
        "editable": True,
        "schemaVersion": SCHEMA_VERSION,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}]
        },
        "panels": [_panel(index, panel, service, alarms, runbook_base) for index, panel in enumerate(panels)],
    }


def _panel(
    index: int, panel: Panel | AddedPanel, service: str, alarms: Sequence[Alarm], runbook_base: str
) -> dict[str, Any]:
    per_row = COLUMNS // WIDTH
    common = {
        "id": index + 1,
        "title": panel.title,
        "description": panel.says,
        "gridPos": {"x": index % per_row * WIDTH, "y": index // per_row * HEIGHT, "w": WIDTH, "h": HEIGHT},
    }
    if panel.key == "runbook":
        return {
            **common,
            "type": "text",
            "options": {"mode": "markdown", "content": runbook_links(alarms, runbook_base)},
        }
    source = {"type": "prometheus", "uid": "${datasource}"}
    # A missed objective leaves less than nothing of its budget; everything else begins at zero.
    axis = {} if panel.key == "error_budget" else {"min": 0}
    return {
        **common,
        "type": "timeseries",
        "datasource": source,
        "fieldConfig": {"defaults": {"unit": UNITS[panel.unit], **axis}, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {"refId": chr(ord("A") + number), "datasource": source, "expr": expr, "legendFormat": legend}
            for number, (legend, expr) in enumerate(queries(panel, service))
        ],
    }


def runbook_links(alarms: Sequence[Alarm], runbook_base: str = "") -> str:
    """The alarms as a Markdown list, each with its entry in the runbook."""
    return "\n".join(
        f"- [{alarm.name}]({runbook_base}{alarm.runbook}) ({alarm.severity}, {alarm.owner}): {alarm.summary}"
        for alarm in alarms
    )
