"""The table of vendor metrics: complete, sourced, resolvable before a target exists; and the alarms made from it.

Does not prove that a vendor emits what its page says: nothing here has run on a cloud.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from spec import server_metrics as server
from spec.alarms import BUDGET, STANDING, all_alarms, burn_alarms, possible, window
from spec.fields import Slo
from spec.metrics import PERCENTILE, SIGNALS, Emitted, MetricsError, Named, NotEmitted, names_needed, target_metrics
from spec.metrics_page import markdown
from spec.slo import UNITS_PER_MILLISECOND
from spec.targets import TARGETS
from spec.vendor_metrics import TABLE

PAIRS = list(TABLE)
SLO = Slo(availability_percent=99.9, latency_ms=250)


def names(cloud: Any, target: Any) -> dict[str, str]:
    return {name: f"the-{name}" for name in names_needed(cloud, target)}


def test_every_target_has_a_row() -> None:
    assert set(TABLE) == {(cloud, target) for cloud, targets in TARGETS.items() for target in targets}


@pytest.mark.parametrize(("cloud", "target"), PAIRS)
def test_every_signal_has_a_metric_with_its_source_or_a_reason(cloud: Any, target: Any) -> None:
    row = TABLE[cloud, target]
    assert set(row.signals) == set(SIGNALS)
    pages = {
        "aws": r"https://docs\.aws\.amazon\.com/",
        "azure": r"https://learn\.microsoft\.com/",
        "gcp": r"https://docs\.cloud\.google\.com/",
    }
    for signal, found in row.signals.items():
        if isinstance(found, NotEmitted):
            assert len(found.reason.split()) > 3, signal
            continue
        assert found.metrics
        for metric in found.metrics:
            assert metric.name
            assert metric.statistic
            if metric.system == "prometheus":
                assert metric.name in {*server.LABELS, "up", "certmanager_certificate_expiration_timestamp_seconds"}
            else:
                assert metric.namespace
                assert re.match(pages[cloud], metric.page), metric.page


@pytest.mark.parametrize(("cloud", "target"), PAIRS)
def test_metrics_are_a_function_of_names_fixed_before(cloud: Any, target: Any) -> None:
    given: dict[str, Any] = names(cloud, target)
    metrics = target_metrics(cloud, target, given)
    assert metrics == target_metrics(cloud, target, dict(given))
    used = set()
    for found in metrics.signals.values():
        if isinstance(found, Emitted):
            for metric in found.metrics:
                assert PERCENTILE not in metric.name + metric.statistic
                assert not any(isinstance(value, Named) for value in metric.dimensions.values())
                used |= set(metric.dimensions.values())
    assert set(given.values()) <= used, "a name is asked for that no metric uses"


def test_a_name_may_be_an_output_that_is_known_later() -> None:
    later = object()
    (metric,) = target_metrics("aws", "sagemaker", {"endpoint": later, "variant": "v"}).metrics("traffic")
    assert metric.dimensions["EndpointName"] is later


def test_missing_names_are_named() -> None:
    with pytest.raises(MetricsError) as caught:
        target_metrics("aws", "sagemaker", {"endpoint": "e"})
    assert "sagemaker are ['endpoint']; allowed: exactly ['endpoint', 'variant']" in str(caught.value)


@pytest.mark.parametrize(("cloud", "target"), PAIRS)
def test_latency_has_a_unit_that_a_threshold_can_be_put_in(cloud: Any, target: Any) -> None:
    found = TABLE[cloud, target].signals["latency"]
    if isinstance(found, Emitted):
        assert all(metric.unit in UNITS_PER_MILLISECOND for metric in found.metrics)


def test_units_that_are_easily_mistaken() -> None:
    def unit(cloud: Any, target: Any) -> str:
        (metric,) = target_metrics(cloud, target, names(cloud, target)).metrics("latency")
        return metric.unit

    assert unit("aws", "sagemaker") == "microseconds"
    assert unit("aws", "ecs") == "seconds"
    assert unit("aws", "lambda") == "milliseconds"
    assert unit("gcp", "vertex") == "milliseconds"
    assert unit("local", "process") == "seconds"


def test_a_percentile_that_the_vendor_does_not_offer_is_refused() -> None:
    with pytest.raises(MetricsError, match=r"slo\.latency_percentile is 99\.9 on target ml; allowed: 95 or 99"):
        target_metrics("azure", "ml", names("azure", "ml"), percentile=99.9)
    (metric,) = target_metrics("azure", "ml", names("azure", "ml"), percentile=95).metrics("latency")
    assert metric.name == "RequestLatency_P95"
    (metric,) = target_metrics("aws", "sagemaker", names("aws", "sagemaker"), percentile=99.9).metrics("latency")
    assert metric.statistic == "p99.9"


def test_a_signal_that_is_not_emitted_says_why() -> None:
    metrics = target_metrics("azure", "container_apps", names("azure", "container_apps"))
    with pytest.raises(MetricsError, match=r"container_apps has no metric for latency: .*average"):
        metrics.metrics("latency")


@pytest.mark.parametrize(("cloud", "target"), PAIRS)
def test_no_alarm_watches_what_its_target_does_not_emit(cloud: Any, target: Any) -> None:
    metrics = target_metrics(cloud, target, names(cloud, target))
    every = all_alarms(SLO, budget=True)
    made, reasons = possible(every, metrics)
    assert all(metrics.has(signal) for alarm in made for signal in alarm.watches)
    assert {alarm.name for alarm in made} | set(reasons) == {alarm.name for alarm in every}
    assert not {alarm.name for alarm in made} & set(reasons)
    # What every platform can tell: that its service answers with errors.
    assert "AvailabilityBurnPage1h" in {alarm.name for alarm in made}


def test_every_alarm_has_an_owner_and_an_entry_in_the_runbook(root: Path) -> None:
    every = all_alarms(SLO, budget=True)
    assert len({alarm.name for alarm in every}) == len(every)
    text = (root / "docs" / "runbook.md").read_text(encoding="utf-8")
    entries = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", text, flags=re.M | re.S))
    anchors = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-"): body for title, body in entries.items()}
    for alarm in every:
        assert alarm.severity in ("page", "ticket")
        assert alarm.anchor in anchors, f"{alarm.name} has no entry in the runbook"
        body = anchors[alarm.anchor]
        assert "**Look at**" in body, alarm.anchor
        assert "**Do**" in body, alarm.anchor
    assert {alarm.anchor for alarm in every} == set(anchors), "an entry belongs to no alarm"


def test_severities() -> None:
    assert {alarm.name for alarm in STANDING if alarm.severity == "page"} == {"Unhealthy"}
    assert {alarm.severity for alarm in burn_alarms(SLO)} == {"page", "ticket"}
    assert (BUDGET.severity, BUDGET.owner) == ("ticket", "account")
    assert next(alarm for alarm in STANDING if alarm.name == "Drift").owner == "model"


@pytest.mark.parametrize(("seconds", "text"), [(300, "5m"), (3600, "1h"), (21600, "6h"), (259200, "3d"), (90, "90s")])
def test_windows_as_prometheus_writes_them(seconds: int, text: str) -> None:
    assert window(seconds) == text


def test_the_documentation_is_the_table(root: Path) -> None:
    written = (root / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert written == markdown(), "run `make docs`"
