"""Metrics made from the server's log lines: what no metric of the platform's says. Pure, but for the component.

A filter's pattern over JSON lines:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from spec.slo import MINUTE


@dataclass(frozen=True)
class LogMetric:
    """Lines that are counted. key: ends the filter's name. says: what the dashboard calls it."""

    key: str
    metric: str
    pattern: str
    says: str


#: The server's lines are JSON with `level` and `message` (`serving_image/model_server/logs.py`).
LOG_METRICS = (
    LogMetric("log-errors", "LogErrors", '{ ($.level = "error") || ($.level = "critical") }', "lines that are errors"),
    LogMetric("starts", "ServerStarts", '{ $.message = "ready: *" }', "starts of a server"),
)


def namespace(service: str) -> str:
    """Where the metrics of one service lie; they have no dimensions, as one with dimensions cannot be 0 by itself."""
    return f"cloud-ml-deployment/{service}"


class LogMetrics(pulumi.ComponentResource):
    """Counts lines of log groups that exist. service: begins the filters' names and ends the metrics' namespace."""

    def __init__(
        self, name: str, service: str, log_groups: Sequence[str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("cloud-ml-deployment:aws:LogMetrics", name, {}, opts)
        for index, group in enumerate(log_groups):
            for one in LOG_METRICS:
                aws.cloudwatch.LogMetricFilter(
                    f"{name}-{one.key}" if index == 0 else f"{name}-{one.key}-{index + 1}",
                    name=f"{service}-{one.key}",
                    log_group_name=group,
                    pattern=one.pattern,
                    metric_transformation=aws.cloudwatch.LogMetricFilterMetricTransformationArgs(
                        name=one.metric, namespace=namespace(service), value="1", default_value="0", unit="Count"
                    ),
                    opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
                )
        self.register_outputs({})


def widget(service: str, region: str) -> dict[str, Any]:
    """The dashboard's widget of these metrics, without its place."""
    entries = [
        [namespace(service), one.metric, {"id": f"log{index}", "stat": "Sum", "period": 5 * MINUTE, "label": one.says}]
        for index, one in enumerate(LOG_METRICS)
    ]
    return {
        "type": "metric",
        "properties": {
            "title": "The server's log",
            "region": region,
            "view": "timeSeries",
            "stacked": False,
            "metrics": entries,
            "yAxis": {"left": {"min": 0}},
        },
    }
