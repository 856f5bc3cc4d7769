"""The dashboard: one list of panels, the user's changes to it, and the JSON that Grafana gets.

The JSON is compiled against Grafana's own published types, and its queries are parsed by Prometheus. Does not prove
how Grafana draws it: no Grafana runs here.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from spec.alarms import all_alarms, possible
from spec.capabilities import check_capabilities
from spec.errors import SpecError
from spec.fields import Slo
from spec.grafana import dashboard, queries
from spec.metrics import names_needed, target_metrics
from spec.panels import BY_KEY, PANELS, DashboardConfig, load_dashboard_config
from spec.service import load_service
from spec.vendor_metrics import TABLE
from tests.real_parts import ROOT, need
from tests.spec.descriptions import local

LOCAL = target_metrics("local", "process", {"service": "digits"})
ALARMS, _ = possible(all_alarms(Slo(availability_percent=99.9, latency_ms=250), budget=False), LOCAL)
BATCH = {
    "key": "batch",
    "title": "Rows a second",
    "unit": "count",
    "prometheus": [
        {"legend": "{{release}}", "expr": 'sum by (release) (rate(model_predictions_total{service="$service"}[5m]))'}
    ],
}


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    return tmp_path / "dashboard_config.json"


def load(file: Path, value: Any) -> DashboardConfig:
    file.write_text(value if isinstance(value, str) else json.dumps(value))
    return load_dashboard_config(file)


def test_every_panel_of_the_list_is_drawn_where_the_server_is_scraped() -> None:
    drawn = dashboard("digits", LOCAL, ALARMS)["panels"]
    assert [panel["title"] for panel in drawn] == [panel.title for panel in PANELS]
    assert all(panel["targets"] for panel in drawn if panel["type"] == "timeseries")
    places = {(p["gridPos"]["x"], p["gridPos"]["y"]) for p in drawn}
    assert len(places) == len(drawn), "two panels lie upon each other"


def test_the_runbook_panel_links_every_alarm() -> None:
    (panel,) = [
        p for p in dashboard("digits", LOCAL, ALARMS, runbook_base="https://x/")["panels"] if p["type"] == "text"
    ]
    for alarm in ALARMS:
        assert f"[{alarm.name}](https://x/docs/runbook.md#{alarm.anchor})" in panel["options"]["content"]


@pytest.mark.parametrize(("cloud", "target"), list(TABLE))
def test_a_target_without_a_panels_metrics_leaves_it_out_with_the_reason(cloud: Any, target: Any) -> None:
    metrics = target_metrics(cloud, target, dict.fromkeys(names_needed(cloud, target), "n"))
    panels, reasons = DashboardConfig().chosen(metrics)
    assert {panel.key for panel in panels} | set(reasons) == set(BY_KEY)
    assert {"traffic", "errors", "error_budget", "runbook"} <= {panel.key for panel in panels}
    assert ("latency" in reasons) == (not metrics.has("latency"))


def test_no_file_means_all_panels(tmp_path: Path) -> None:
    assert load_dashboard_config(tmp_path / "missing.json") == DashboardConfig()


def test_a_user_reorders_leaves_out_and_adds(config_file: Path) -> None:
    config = load(config_file, {"panels": ["error_budget", BATCH, "traffic"]})
    drawn = dashboard("digits", LOCAL, ALARMS, config)["panels"]
    assert [panel["title"] for panel in drawn] == ["Error budget left", "Rows a second", "Traffic"]
    assert 'service="digits"' in drawn[1]["targets"][0]["expr"]


@pytest.mark.parametrize(
    ("value", "field", "shown", "allowed", "fix"),
    [
        (
            {"panels": ["trafic"]},
            "dashboard_config.json.panels[0]",
            "'trafic'",
            "traffic, errors",
            "Did you mean traffic?",
        ),
        ({"panels": ["drift", "drift"]}, "dashboard_config.json.panels[1]", "'drift'", "each panel once", "Remove one"),
        ({"panels": []}, "dashboard_config.json.panels", "[]", "at least 1 item", "Change panels"),
        ({"panels": [3]}, "dashboard_config.json.panels[0]", "3", "a panel's name or a mapping", "Write one of"),
        ({"panels": "traffic"}, "dashboard_config.json.panels", "'traffic'", "a list", "Change panels"),
        ({"pannels": []}, "dashboard_config.json.pannels", "not a field", "panels", "Did you mean panels?"),
        (
            {"panels": [{**BATCH, "unit": "furlongs"}]},
            "dashboard_config.json.panels[0].unit",
            "'furlongs'",
            "requests_per_second, ratio, seconds, count or index",
            "Take one of these",
        ),
        (
            {"panels": [{**BATCH, "key": "drift"}]},
            "dashboard_config.json.panels[0].key",
            "'drift'",
            "another name",
            "Choose",
        ),
        (
            {"panels": [{**BATCH, "prometheus": [{"legend": "x"}]}]},
            "dashboard_config.json.panels[0].prometheus[0].expr",
            "missing",
            "PromQL",
            "Add expr",
        ),
        ([], "dashboard_config.json", "[]", "a mapping", "Write panels"),
        ('{"panels": [,]}', "dashboard_config.json, line 1, column 13", "Expecting value", "JSON", "Mend that line"),
    ],
)
def test_a_bad_file_is_answered_with_field_value_and_what_is_allowed(
    config_file: Path, value: Any, field: str, shown: str, allowed: str, fix: str
) -> None:
    with pytest.raises(SpecError) as caught:
        load(config_file, value)
    (problem,) = caught.value.problems
    assert problem.field == field
    assert shown in problem.value
    assert allowed in problem.allowed
    assert fix in problem.fix
    assert str(caught.value).startswith("dashboard_config.json has a problem:")


@pytest.mark.proof("Prometheus", level="schema")
def test_every_query_is_promql(tmp_path: Path) -> None:
    promtool = need("promtool", "Debian: prometheus")
    added = DashboardConfig.model_validate({"panels": [*BY_KEY, BATCH]})
    panels, _ = added.chosen(LOCAL)
    expressions = [expr for panel in panels for _, expr in queries(panel, "digits")]
    assert len(expressions) > len(PANELS)
    rules = [{"record": f"panel:query:{number}", "expr": expr} for number, expr in enumerate(expressions)]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(
        [promtool, "check", "rules", tmp_path / "rules.yml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"{len(rules)} rules found" in done.stdout


def compile_against_grafanas_types(model: dict[str, Any], folder: Path) -> str:
    """Compile the JSON as a literal of Grafana's own type; returns the compiler's complaints."""
    how_to_get = "npm install --prefix .local/npm typescript @grafana/schema"
    tsc = need("tsc", how_to_get)
    modules = ROOT / ".local" / "npm" / "node_modules"
    if not (modules / "@grafana" / "schema").exists():
        pytest.skip(f"@grafana/schema is not installed ({how_to_get})")
    (folder / "node_modules").symlink_to(modules)
    literal = json.dumps(model, indent=1)
    source = f'import type {{ Dashboard }} from "@grafana/schema";\nexport const model: Dashboard = {literal};\n'
    (folder / "dashboard.ts").write_text(source)
    options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "esnext", "--moduleResolution", "bundler"]
    done = subprocess.run([tsc, *options, "dashboard.ts"], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.proof("Grafana", level="schema")
def test_the_json_is_of_grafanas_published_type(tmp_path: Path) -> None:
    assert compile_against_grafanas_types(dashboard("digits", LOCAL, ALARMS), tmp_path) == ""


@pytest.mark.parametrize(
    "change",
    [
        {"schemaVersions": 39},
        {"editable": "yes"},
        {"panels": [{"type": "text", "gridPos": {"x": 0}}]},
        {"time": {"start": "now"}},
    ],
    ids=str,
)
def test_the_check_against_grafanas_type_finds_mistakes(tmp_path: Path, change: dict[str, Any]) -> None:
    assert "error TS" in compile_against_grafanas_types({**dashboard("digits", LOCAL, ALARMS), **change}, tmp_path)


def test_the_examples_of_the_documentation_are_accepted(root: Path, config_file: Path) -> None:
    blocks = re.findall(
        r"```(\w*)\n(.*?)```", (root / "docs" / "monitoring.md").read_text(encoding="utf-8"), flags=re.S
    )
    (service,) = [yaml.safe_load(text) for kind, text in blocks if kind == "yaml"]
    (panels,) = [text for kind, text in blocks if kind == "json"]
    check_capabilities(load_service(local(**service), stack="dev"))
    chosen, _ = load(config_file, panels).chosen(LOCAL)
    assert [panel.key for panel in chosen] == ["error_budget", "errors", "rows", "runbook"]
