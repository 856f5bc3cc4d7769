"""`docs/metrics.md`: what is measured on each target, from which vendor's page, and the alarms made from it.

`python -m spec.metrics_page > docs/metrics.md`
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from spec.alarms import all_alarms, possible
from spec.errors import shown
from spec.fields import Slo
from spec.metrics import SIGNALS, Emitted, Metric, Named, NotEmitted, names_needed, target_metrics
from spec.panels import PANELS
from spec.vendor_metrics import TABLE

#: Only so that burn-rate alarms are listed; the figures stand nowhere on the page.
ANY_SLO = Slo(availability_percent=99.9, latency_ms=250)


def markdown() -> str:
    """The page as text."""
    return "\n".join([*_head(), *_alarms(), *_panels(), *_targets()])


def _head() -> Iterator[str]:
    yield "# Metrics, alarms and panels"
    yield ""
    yield "Written by `python -m spec.metrics_page`; do not edit. It is what the vendors' pages say: nothing ran on a"
    yield "cloud. What to do when an alarm fires is in the [runbook](runbook.md)."
    yield ""


def _alarms() -> Iterator[str]:
    alarms = all_alarms(ANY_SLO, budget=True)
    yield "## Alarms"
    yield ""
    yield "| alarm | severity | owner | fires when | made from |"
    yield "|---|---|---|---|---|"
    for alarm in alarms:
        link = alarm.runbook.removeprefix("docs/")
        made_from = ", ".join(alarm.watches) or "the cloud's budget"
        yield f"| [{alarm.name}]({link}) | {alarm.severity} | {alarm.owner} | {alarm.summary} | {made_from} |"
    yield ""


def _panels() -> Iterator[str]:
    yield "## Panels"
    yield ""
    yield "| key | panel | shows |"
    yield "|---|---|---|"
    for panel in PANELS:
        yield f"| `{panel.key}` | {panel.title} | {panel.says} |"
    yield ""


def _targets() -> Iterator[str]:
    for (cloud, target), row in TABLE.items():
        yield f"## {cloud}: {target}"
        yield ""
        yield "| signal | metric | unit | statistic | where | by release |"
        yield "|---|---|---|---|---|---|"
        for signal in SIGNALS:
            found = row.signals[signal]
            if isinstance(found, NotEmitted):
                yield f"| {signal} | none: {found.reason} | | | | |"
            else:
                yield from _rows(signal, found)
        yield ""
        names = names_needed(cloud, target)
        metrics = target_metrics(cloud, target, dict.fromkeys(names, ""), percentile=99)
        _, reasons = possible(all_alarms(ANY_SLO, budget=True), metrics)
        if reasons:
            yield f"Alarms that it cannot have: {', '.join(reasons)}."
            yield ""


def _rows(signal: str, found: Emitted) -> Iterator[str]:
    for metric in found.metrics:
        name = f"[{metric.namespace} `{metric.name}`]({metric.page})".replace("[ ", "[")
        by = f"`{metric.by_release}`" if metric.by_release else "no"
        yield f"| {signal} | {name} | {metric.unit} | {metric.statistic} | {_where(metric)} | {by} |"


def _where(metric: Metric) -> str:
    parts = (
        f"`{key}` = {f'({value.name})' if isinstance(value, Named) else shown(value)}"
        for key, value in metric.dimensions.items()
    )
    return ", ".join(parts)


if __name__ == "__main__":
    sys.stdout.write(markdown())
