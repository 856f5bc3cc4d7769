"""Prometheus recording and alerting rules of a service, from its objectives. Pure: returns what goes into a rule file.

Series are told apart by the label `service`, which whoever scrapes sets to the service's name.
"""

from __future__ import annotations

from typing import Any

from spec import server_metrics as server
from spec.alarms import CERTIFICATE_DAYS, DRIFT_PSI, STANDING, Alarm, burn_alarms, window
from spec.errors import FieldError, one_of
from spec.fields import DEFAULT_SCALING_TARGET, Slo
from spec.slo import BURN_RULES, DAY, MINUTE, BurnRule, Objective, objectives
from spec.vendor_metrics.scraped import CERTIFICATE_EXPIRY

#: Status codes of bad answers, as a regular expression: see `spec.slo.Objective`.
BAD_CODES = "5..|429"
#: Share of bad requests in a window, by indicator.
BAD_RATIO = {
    "availability": "service:model_request_errors:ratio_rate",
    "latency": "service:model_request_slow:ratio_rate",
}
BUDGET_LEFT = "service:model_error_budget_left:ratio"

#: How often metrics are fetched and rules evaluated, in seconds. The shortest window must hold several fetches.
INTERVAL_SECONDS = 15
#: In the folder of `make monitor`, while it runs: where its Alertmanager is. The server's page reads it.
ALERTMANAGER_URL_FILE = "alertmanager.url"
#: What is left of the budget changes slowly, and looking back over a month costs.
BUDGET_INTERVAL_SECONDS = 5 * MINUTE


def rule_file(
    service: str,
    slo: Slo | None,
    *,
    max_replicas: int,
    concurrency: float = DEFAULT_SCALING_TARGET["concurrency"],
    certificate: str | None = None,
    rules: tuple[BurnRule, ...] = BURN_RULES,
    interval_seconds: int = INTERVAL_SECONDS,
    runbook_base: str = "",
) -> dict[str, Any]:
    """All rules of a service, as the mapping that a rule file (YAML) holds.

    max_replicas: `scaling.max`. concurrency: requests at once that a replica is meant to hold. certificate: name of its
    cert-manager Certificate, where there is one. rules: burn rules; others than the workbook's are for tests.
    runbook_base: put before the runbook's path to make it a link.
    Raises FieldError for a latency that the server's histogram has no bound at.
    """
    recorded: list[dict[str, Any]] = []
    groups: list[dict[str, Any]] = []
    if slo is not None:
        check_latency(slo)
        windows = sorted({seconds for rule in rules for seconds in (rule.long_seconds, rule.short_seconds)})
        recorded = [
            {"record": _recorded(objective, seconds), "expr": _ratio(service, objective, seconds)}
            for objective in objectives(slo)
            for seconds in windows
        ]
        budget = [
            {
                "record": BUDGET_LEFT,
                "expr": f"1 - ({_ratio(service, objective, objective.window_seconds)}) / {objective.budget:g}",
                "labels": {"indicator": objective.indicator},
            }
            for objective in objectives(slo)
        ]
        groups.append({"name": f"{service}-budget", "interval": f"{BUDGET_INTERVAL_SECONDS}s", "rules": budget})
    alarms = (*(burn_alarms(slo, rules) if slo else ()), *STANDING)
    alerts = [
        _alert(alarm, service, condition, runbook_base)
        for alarm in alarms
        if (condition := _condition(alarm, service, max_replicas, concurrency, certificate)) is not None
    ]
    # One group: its rules run one after the other, so an alert sees the ratios of the same moment.
    groups.append({"name": f"{service}-alarms", "interval": f"{interval_seconds}s", "rules": [*recorded, *alerts]})
    return {"groups": groups}


def check_latency(slo: Slo) -> None:
    """Raises FieldError where the share of fast requests cannot be counted exactly: only at the histogram's bounds."""
    allowed = [bound * 1000 for bound in server.LATENCY_BUCKETS]
    if slo.latency_ms is not None and slo.latency_ms not in allowed:
        nearest = min(allowed, key=lambda bound: abs(bound - (slo.latency_ms or 0)))
        raise FieldError(
            ("slo", "latency_ms"),
            slo.latency_ms,
            f"{one_of(f'{bound:g}' for bound in allowed)}, the bounds of the server's histogram",
            f"Set latency_ms: {nearest:g}.",
        )


def _recorded(objective: Objective, seconds: int) -> str:
    return f"{BAD_RATIO[objective.indicator]}{window(seconds)}"


def latency_bound(seconds: float) -> str:
    """The label `le` of a bound as the server writes it: 1 -> `1.0`."""
    return repr(float(seconds))


def _ratio(service: str, objective: Objective, seconds: int) -> str:
    """Share of bad requests over a window. Without traffic there is no result, so that nothing fires."""
    span = window(seconds)
    where = f'service="{service}"'
    if objective.indicator == "availability":
        total = f"sum by (service) (rate({server.REQUESTS_TOTAL}{{{where}}}[{span}]))"
        # Before the first error there is no series to add up; then nothing is bad, and that is a figure too.
        bad = f'sum by (service) (rate({server.REQUESTS_TOTAL}{{{where},code=~"{BAD_CODES}"}}[{span}]))'
        return f"({bad} or 0 * {total}) / ({total} > 0)"
    assert objective.threshold_seconds is not None  # noqa: S101 # for the type checker
    total = f"sum by (service) (rate({server.REQUEST_SECONDS}_count{{{where}}}[{span}]))"
    bound = latency_bound(objective.threshold_seconds)
    fast = f'sum by (service) (rate({server.REQUEST_SECONDS}_bucket{{{where},le="{bound}"}}[{span}]))'
    return f"1 - {fast} / ({total} > 0)"


def _condition(
    alarm: Alarm, service: str, max_replicas: int, concurrency: float, certificate: str | None
) -> str | None:
    where = f'service="{service}"'
    if alarm.rule is not None and alarm.objective is not None:
        bound = f"{alarm.rule.factor * alarm.objective.budget:.12g}"
        records = [_recorded(alarm.objective, span) for span in (alarm.rule.long_seconds, alarm.rule.short_seconds)]
        return " and ".join(f"{record}{{{where}}} > {bound}" for record in records)
    if alarm.name == "CertificateExpiry":
        if certificate is None:
            return None
        return f'min by (name) ({CERTIFICATE_EXPIRY}{{name="{certificate}"}}) - time() < {CERTIFICATE_DAYS * DAY}'
    return {
        "Unhealthy": f"absent({server.RELEASE_INFO}{{{where}}} == 1)",
        "Saturated": (
            f"sum by (service) (avg_over_time({server.QUEUE_DEPTH}{{{where}}}[5m])) "
            f"> {concurrency:g} * count by (service) (up{{{where}}}) "
            f"and count by (service) (up{{{where}}}) >= {max_replicas}"
        ),
        "Throttled": f"sum by (service) (rate({server.SHED_TOTAL}{{{where}}}[5m])) > 0",
        "Drift": (
            f"count by (service, release) (max by (service, release, feature) "
            f"({server.INPUT_DRIFT_PSI}{{{where}}}) > {DRIFT_PSI}) > 0"
        ),
    }[alarm.name]


def _alert(alarm: Alarm, service: str, condition: str, runbook_base: str) -> dict[str, Any]:
    hold = {"for": window(alarm.holds_seconds)} if alarm.holds_seconds else {}
    return {
        "alert": alarm.name,
        "expr": condition,
        **hold,
        "labels": {"severity": alarm.severity, "owner": alarm.owner, "service": service},
        "annotations": {"summary": f"{service}: {alarm.summary}", "runbook_url": f"{runbook_base}{alarm.runbook}"},
    }
