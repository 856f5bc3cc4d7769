"""Settings of Prometheus and Alertmanager for a stack on this machine. Pure: what the files hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from spec.alarms import all_alarms, possible
from spec.contracts import METRICS_PATH
from spec.grafana import dashboard
from spec.metrics import target_metrics
from spec.panels import DashboardConfig
from spec.prometheus import INTERVAL_SECONDS, rule_file
from spec.service import ServiceSpec
from spec.slo import BURN_RULES, BurnRule


def scrape_config(
    urls: Mapping[str, str],
    alertmanager: str,
    *,
    interval_seconds: int = INTERVAL_SECONDS,
    token_file: str | None = None,
) -> dict[str, Any]:
    """`prometheus.yml`. urls: base address of each service, by its name. alertmanager: its host and port.

    token_file: holds the bearer token of the services, where they ask for one.
    """
    authorization = {} if token_file is None else {"authorization": {"credentials_file": token_file}}
    return {
        "global": {"scrape_interval": f"{interval_seconds}s", "evaluation_interval": f"{interval_seconds}s"},
        "rule_files": ["rules-*.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [
            {
                "job_name": "model-services",
                "metrics_path": METRICS_PATH,
                **authorization,
                # A fetch may not take longer than the time to the next one.
                "scrape_timeout": f"{min(interval_seconds, 10)}s",
                "static_configs": [
                    {"targets": [urlsplit(url).netloc], "labels": {"service": service}} for service, url in urls.items()
                ],
            }
        ],
    }


def alertmanager_config(spec: ServiceSpec, *, group_wait_seconds: int = 10) -> dict[str, Any]:
    """`alertmanager.yml`: every alarm goes to each webhook, pages again every hour, tickets once a day."""
    return {
        "route": {
            "receiver": "everyone",
            "group_by": ["service", "alertname"],
            "group_wait": f"{group_wait_seconds}s",
            "group_interval": f"{max(group_wait_seconds, 1)}s",
            "repeat_interval": "1d",
            "routes": [{"matchers": ['severity="page"'], "repeat_interval": "1h"}],
        },
        "receivers": [
            {
                "name": "everyone",
                "webhook_configs": [{"url": url, "send_resolved": True} for url in spec.notify.webhooks],
            }
        ],
    }


def rules_of(
    spec: ServiceSpec, *, rules: tuple[BurnRule, ...] = BURN_RULES, interval_seconds: int = INTERVAL_SECONDS
) -> dict[str, Any]:
    """`rules-<service>.yml`."""
    return rule_file(spec.name, spec.slo, max_replicas=spec.scaling.max, rules=rules, interval_seconds=interval_seconds)


def dashboard_of(spec: ServiceSpec, config: DashboardConfig) -> dict[str, Any]:
    """`dashboard.json`, for a Grafana that reads this Prometheus."""
    metrics = target_metrics("local", "process", {"service": spec.name})
    alarms, _ = possible(all_alarms(spec.slo, budget=False), metrics)
    return dashboard(spec.name, metrics, alarms, config)
