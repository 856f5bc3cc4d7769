"""The generated rules on Prometheus' own evaluator (promtool), held against the pure reference.

Proves that the rules fire and clear when the reference says, on synthetic series scraped and evaluated once a minute.
Does not prove delivery of an alert: that is the business of the test with a real Alertmanager.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from spec import server_metrics as server
from spec import slo
from spec.alarms import STANDING, burn_alarms
from spec.errors import FieldError
from spec.fields import Slo
from spec.prometheus import BAD_RATIO, BUDGET_LEFT, latency_bound, rule_file
from spec.slo import Sample
from spec.vendor_metrics.scraped import CERTIFICATE_EXPIRY
from tests.real_parts import need
from tests.spec.scenarios import BUSY, HOUR, SCENARIOS, counters

SLO = Slo(availability_percent=99.9, latency_ms=250, latency_percentile=99)
AVAILABILITY, LATENCY = slo.objectives(SLO)


def series(name: str, values: list[int], **labels: str) -> dict[str, str]:
    written = ",".join(f'{key}="{value}"' for key, value in {"service": "digits", "release": "1", **labels}.items())
    return {"series": f"{name}{{{written}}}", "values": " ".join(map(str, values))}


def traffic(rows: list[tuple[int, int, int]]) -> list[dict[str, str]]:
    """What the server's metrics would hold; other buckets than the objective's are left out."""
    bucket = f"{server.REQUEST_SECONDS}_bucket"
    return [
        # A client's own mistakes are no errors of the service, a full server's refusals are.
        series(
            server.REQUESTS_TOTAL, [(total - errors) - (total - errors) // 3 for total, errors, _ in rows], code="200"
        ),
        series(server.REQUESTS_TOTAL, [(total - errors) // 3 for total, errors, _ in rows], code="400"),
        series(server.REQUESTS_TOTAL, [errors - errors // 2 for _, errors, _ in rows], code="500"),
        series(server.REQUESTS_TOTAL, [errors // 2 for _, errors, _ in rows], code="429"),
        series(bucket, [total - slow for total, _, slow in rows], le=latency_bound(0.25)),
        series(bucket, [total for total, _, _ in rows], le="+Inf"),
        series(f"{server.REQUEST_SECONDS}_count", [total for total, _, _ in rows]),
    ]


@pytest.fixture(scope="module")
def promtool() -> Path:
    return need("promtool", "Debian: prometheus")


@pytest.fixture
def run_rules(promtool: Path, tmp_path: Path) -> Callable[[dict[str, Any]], None]:
    def run(test: dict[str, Any], **options: Any) -> None:
        rules = rule_file("digits", SLO, **{"max_replicas": 2, "certificate": "digits", **options})
        (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules))
        document = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [{"interval": "1m", **test}]}
        (tmp_path / "test.yml").write_text(yaml.safe_dump(document))
        done = subprocess.run(
            [promtool, "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return run


@pytest.mark.proof("Prometheus", level="runtime")
@pytest.mark.parametrize("name", SCENARIOS)
def test_alerts_fire_and_clear_when_the_reference_says(name: str, run_rules: Callable[..., None]) -> None:
    rows = counters(SCENARIOS[name])
    samples = {
        "availability": [Sample(60 * t, errors, total) for t, (total, errors, _) in enumerate(rows)],
        "latency": [Sample(60 * t, slow, total) for t, (total, _, slow) in enumerate(rows)],
    }
    expected, fired = [], set()
    for alarm in burn_alarms(SLO):
        assert alarm.objective is not None
        assert alarm.rule is not None
        state = [
            slo.fires(samples[alarm.objective.indicator], 60 * t, alarm.rule, alarm.objective) for t in range(len(rows))
        ]
        changes = [t for t in range(1, len(rows)) if state[t] != state[t - 1]]
        fired |= {alarm.name} if any(state) else set()
        for t in range(len(rows)):
            # Within one evaluation period of a change either state is right.
            if any(abs(t - change) < 1 for change in changes):
                continue
            near = any(abs(t - change) <= 2 for change in changes)
            if near or t % 15 == 0:
                expected.append(expectation(alarm.name, alarm.severity, t, firing=state[t], runbook=alarm.runbook))
    assert fired == FIRES[name], "the scenario does not show what it is named after"
    for entry in expected:
        for alert in entry["exp_alerts"]:
            alert["exp_annotations"]["summary"] = SUMMARIES[entry["alertname"]]
    run_rules({"input_series": traffic(rows), "alert_rule_test": expected})


SUMMARIES = {alarm.name: f"digits: {alarm.summary}" for alarm in burn_alarms(SLO)}
PAGES = {f"{kind}BurnPage{span}" for kind in ("Availability", "Latency") for span in ("1h", "6h")}
TICKETS = {"AvailabilityBurnTicket3d", "LatencyBurnTicket3d"}
FIRES = {
    "clean": set(),
    "slow burn": TICKETS,
    "fast burn": PAGES | TICKETS,
    # The latency budget is ten times the other one, too large for two minutes to burn it 6 times too fast.
    "spike": {"AvailabilityBurnPage1h", "AvailabilityBurnPage6h"} | TICKETS,
    "no traffic": set(),
    "outage ends with the traffic": PAGES | TICKETS,
    "recovering": PAGES | TICKETS,
}


def expectation(name: str, severity: str, minute: int, *, firing: bool, runbook: str) -> dict[str, Any]:
    alert = {
        "exp_labels": {"severity": severity, "owner": "service", "service": "digits"},
        "exp_annotations": {"runbook_url": runbook},
    }
    return {"eval_time": f"{minute}m", "alertname": name, "exp_alerts": [alert] if firing else []}


def test_no_metrics_at_all_fire_nothing_but_unhealthy(run_rules: Callable[..., None]) -> None:
    quiet = [alarm.name for alarm in (*burn_alarms(SLO), *STANDING) if alarm.name != "Unhealthy"]
    run_rules(
        {
            "input_series": [{"series": "something_else", "values": "0x60"}],
            "alert_rule_test": [{"eval_time": "30m", "alertname": name, "exp_alerts": []} for name in quiet]
            + [standing("Unhealthy", 0, firing=False), standing("Unhealthy", 2, firing=True)],
        }
    )


def standing(alarm_name: str, minute: int, *, firing: bool, **labels: str) -> dict[str, Any]:
    (alarm,) = [alarm for alarm in STANDING if alarm.name == alarm_name]
    entry = expectation(alarm_name, alarm.severity, minute, firing=firing, runbook=alarm.runbook)
    for alert in entry["exp_alerts"]:
        alert["exp_labels"] |= {"owner": alarm.owner, **labels}
        alert["exp_annotations"]["summary"] = f"digits: {alarm.summary}"
    return entry


def test_standing_alarms_fire_after_they_held_and_clear(run_rules: Callable[..., None]) -> None:
    def gauge(name: str, values: str, **labels: str) -> dict[str, str]:
        return {**series(name, [], **labels), "values": values}

    run_rules(
        {
            "input_series": [
                # Two replicas; the model is gone for minutes 100 to 110.
                gauge("up", "1x200", instance="a"),
                gauge("up", "1x200", instance="b"),
                gauge(server.RELEASE_INFO, "1x99 _x10 1x100", version="1"),
                # Two replicas are meant to hold 8 requests at once, and hold 12 from minute 20 to 50.
                gauge(server.QUEUE_DEPTH, "1x19 12x29 1x200", instance="a"),
                gauge(server.SHED_TOTAL, "0x59 0+5x29 145x200", instance="a"),
                # One feature of two drifts for an hour and a half.
                gauge(server.INPUT_DRIFT_PSI, "0.1x19 0.4x89 0.1x200", feature="a"),
                gauge(server.INPUT_DRIFT_PSI, "0.05x300", feature="b"),
            ],
            "alert_rule_test": [
                standing("Unhealthy", 99, firing=False),
                standing("Unhealthy", 108, firing=True),
                standing("Unhealthy", 112, firing=False),
                standing("Saturated", 25, firing=False),
                standing("Saturated", 45, firing=True),
                standing("Saturated", 58, firing=False),
                standing("Throttled", 55, firing=False),
                standing("Throttled", 80, firing=True),
                standing("Throttled", 100, firing=False),
                standing("Drift", 40, firing=False),
                standing("Drift", 80, firing=True, release="1"),
                standing("Drift", 120, firing=False),
            ],
        }
    )


def test_saturation_is_no_alarm_while_more_replicas_may_start(run_rules: Callable[..., None]) -> None:
    waiting = {**series(server.QUEUE_DEPTH, []), "values": "12x60"}
    run_rules(
        {
            "input_series": [waiting, {**series("up", []), "values": "1x60"}],
            "alert_rule_test": [{"eval_time": "40m", "alertname": "Saturated", "exp_alerts": []}],
        },
        max_replicas=2,
    )


def test_a_certificate_near_its_end(run_rules: Callable[..., None]) -> None:
    end = 22 * 24 * 3600  # promtool's time begins at 0
    (alarm,) = [alarm for alarm in STANDING if alarm.name == "CertificateExpiry"]
    firing = standing("CertificateExpiry", 26 * HOUR, firing=True, name="digits")
    run_rules(
        {
            "input_series": [
                {
                    "series": f'{CERTIFICATE_EXPIRY}{{name="digits"}}',
                    "values": f"{end}x1800",
                }
            ],
            "alert_rule_test": [standing("CertificateExpiry", 23 * HOUR, firing=False), firing],
        }
    )
    assert alarm.holds_seconds == 3600


def test_budget_left_is_the_references(run_rules: Callable[..., None]) -> None:
    rows = counters(((2 * HOUR, BUSY, 0.0005, 0.002), (60, BUSY, 0.004, 0.002)))
    total, errors, slow = rows[-1]
    wanted = {
        "availability": slo.budget_left(errors, total, AVAILABILITY.budget),
        "latency": slo.budget_left(slow, total, LATENCY.budget),
    }
    assert wanted["availability"] < 0 < wanted["latency"]
    end = f"{len(rows) - 1}m"
    run_rules(
        {
            "input_series": traffic(rows),
            "promql_expr_test": [
                {
                    # Rounded: in floating point the last digits depend on the order of operations.
                    "expr": f'round({BUDGET_LEFT}{{indicator="{indicator}"}}, 0.000001)',
                    "eval_time": end,
                    "exp_samples": [
                        {"labels": f'{{service="digits",indicator="{indicator}"}}', "value": round(value, 6)}
                    ],
                }
                for indicator, value in wanted.items()
            ],
        }
    )


def test_no_rule_names_a_metric_that_the_server_does_not_emit(root: Path) -> None:
    known = {*server.LABELS, f"{server.REQUEST_SECONDS}_bucket", f"{server.REQUEST_SECONDS}_count", "up"}
    known |= {CERTIFICATE_EXPIRY}
    groups = rule_file("digits", SLO, max_replicas=1, certificate="digits")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    recorded = {rule["record"] for rule in rules if "record" in rule}
    named = {name for rule in rules for name in re.findall(r"[a-z_]+[a-z0-9_:]*(?=\{)", rule["expr"])}
    assert named <= known | recorded
    assert {re.sub(r"rate\d+[mhd]$", "rate", record) for record in recorded} == {*BAD_RATIO.values(), BUDGET_LEFT}


def test_a_latency_between_two_bounds_of_the_histogram_is_refused() -> None:
    with pytest.raises(FieldError) as caught:
        rule_file("digits", Slo(availability_percent=99.9, latency_ms=240), max_replicas=1)
    message = str(caught.value)
    assert "slo.latency_ms is 240.0" in message
    assert "100, 250, 500" in message
    assert "Set latency_ms: 250." in message


def test_without_an_objective_only_the_standing_alarms_are_left() -> None:
    (group,) = rule_file("digits", None, max_replicas=1)["groups"]
    assert [rule["alert"] for rule in group["rules"]] == ["Unhealthy", "Saturated", "Throttled", "Drift"]
