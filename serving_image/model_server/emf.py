"""The same figures in CloudWatch's embedded metric format: a line of JSON on standard output per interval.

Lambda, ECS and SageMaker hand standard output to CloudWatch Logs, which turns such lines into metrics.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterable
from typing import Any

from model_server.metrics import Metrics
from model_server.metrics_config import EmfConfig
from spec import server_metrics as names

#: Metric in CloudWatch -> its unit.
UNITS = {
    "Requests": "Count",
    "ClientErrors": "Count",
    "ServerErrors": "Count",
    "Predictions": "Count",
    "Shed": "Count",
    "CaptureDropped": "Count",
    "LatencySeconds": "Seconds",
    "InputDriftPsiMax": "None",
}

Figures = dict[str, float]


async def write_for_ever(config: EmfConfig, metrics: Metrics, model: str, before: dict[str, Figures]) -> None:
    """Write a line per interval and release; what happened in an interval is the difference to the one before.

    before: the figures when the process began, so that requests answered since then are in the first line.
    """
    while True:
        await asyncio.sleep(config.interval)
        now = figures(metrics)
        for line in lines(config.namespace, model, before, now):
            sys.stdout.write(line + "\n")
        sys.stdout.flush()
        before = now


def figures(metrics: Metrics) -> dict[str, Figures]:
    """Totals since start, by release; drift as it is now."""
    found: dict[str, Figures] = {}
    shared: Figures = {}
    for family in metrics.collect():
        if family.name == names.RELEASE_LOADED_SECONDS:
            continue  # a point in time, not a figure
        for sample in family.samples:
            release = sample.labels.get("release", "")
            mine = found.setdefault(release, {}) if release else shared
            _add(mine, sample.name, sample.labels, sample.value)
    for mine in found.values():
        mine.update(shared)
    return found


def _add(mine: Figures, name: str, labels: dict[str, str], value: float) -> None:
    if name == names.REQUESTS_TOTAL:
        code = labels["code"]
        kind = "ServerErrors" if code >= "500" else "ClientErrors" if code >= "400" else ""
        for key in ("Requests", kind):
            if key:
                mine[key] = mine.get(key, 0) + value
    elif name == names.INPUT_DRIFT_PSI:
        mine["InputDriftPsiMax"] = max(mine.get("InputDriftPsiMax", 0), value)
    else:
        key = {
            names.PREDICTIONS_TOTAL: "Predictions",
            names.SHED_TOTAL: "Shed",
            names.CAPTURE_DROPPED_TOTAL: "CaptureDropped",
            f"{names.REQUEST_SECONDS}_sum": "_seconds",
            f"{names.REQUEST_SECONDS}_count": "_answers",
        }.get(name)
        if key:
            mine[key] = mine.get(key, 0) + value


def lines(namespace: str, model: str, before: dict[str, Figures], now: dict[str, Figures]) -> Iterable[str]:
    """One line per release. Latency is the mean of the interval; without a request it is left out."""
    for release, figures_now in now.items():
        past = before.get(release, {})
        change = {key: value - past.get(key, 0) for key, value in figures_now.items()}
        values: dict[str, Any] = {key: change.get(key, 0.0) for key, unit in UNITS.items() if unit == "Count"}
        if change.get("_answers"):
            values["LatencySeconds"] = change["_seconds"] / change["_answers"]
        if "InputDriftPsiMax" in figures_now:
            values["InputDriftPsiMax"] = figures_now["InputDriftPsiMax"]
        definition = {
            "Namespace": namespace,
            "Dimensions": [["Model", "Release"]],
            "Metrics": [{"Name": name, "Unit": UNITS[name]} for name in values],
        }
        about = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [definition]}
        yield json.dumps({"_aws": about, "Model": model, "Release": release, **values})
