"""Metrics from log lines: the inputs under mocks, and the patterns against what a real server writes.

The patterns are evaluated here by what CloudWatch documents of them (equality with `*` as wildcard, alternatives); that
CloudWatch counts the same is not shown.
"""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from components.aws.log_metrics import LOG_METRICS, LogMetrics
from tests import schema_check
from tests.components.recording import record
from tests.serving_image import releases
from tests.serving_image.server_process import run_to_exit, running

LOGS = "/aws/sagemaker/Endpoints/digits-prod"
PATTERNS = {one.key: one.pattern for one in LOG_METRICS}


def counted(pattern: str, lines: list[dict[str, Any]]) -> int:
    alternatives = re.findall(r'\$\.(\w+) = "([^"]*)"', pattern)
    rest = re.sub(r'\$\.(\w+) = "([^"]*)"', "", pattern)
    assert set(rest) <= set("{}() |"), f"nothing here understands {rest!r}"
    return sum(any(fnmatchcase(str(line.get(field)), text) for field, text in alternatives) for line in lines)


def lines_of(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def filters() -> LogMetrics:
    group = aws.cloudwatch.LogGroup("digits-logs", name=LOGS)
    return LogMetrics("digits", "digits-prod", [LOGS], pulumi.ResourceOptions(depends_on=[group]))


@pytest.mark.proof("Amazon CloudWatch", level="schema")
def test_inputs_are_what_aws_publishes() -> None:
    schema_check.assert_right(filters, {"aws:region": "eu-central-1"})


def test_inputs() -> None:
    made = record(filters).of("aws:cloudwatch/logMetricFilter:LogMetricFilter")
    assert {one.inputs["name"] for one in made} == {"digits-prod-log-errors", "digits-prod-starts"}
    for one in made:
        assert one.inputs["logGroupName"] == LOGS
        metric = one.inputs["metricTransformation"]
        assert metric["namespace"] == "cloud-ml-deployment/digits-prod"
        assert (metric["value"], metric["defaultValue"], metric["unit"]) == ("1", "0", "Count")


def test_a_start_is_counted_and_no_error(tmp_path: Path) -> None:
    release = releases.write_release(tmp_path / "models", "doubling", *releases.doubling_model())
    with running({"MODEL_URI": str(release)}, tmp_path) as server:
        pass
    lines = lines_of(server.output())
    assert counted(PATTERNS["starts"], lines) == 1
    assert counted(PATTERNS["log-errors"], lines) == 0


def test_a_start_that_fails_is_an_error_and_no_start(tmp_path: Path) -> None:
    code, output = run_to_exit({"MODEL_URI": str(tmp_path / "nothing")}, tmp_path)
    assert code != 0
    lines = lines_of(output)
    assert counted(PATTERNS["log-errors"], lines) >= 1
    assert counted(PATTERNS["starts"], lines) == 0
