"""Topic, alarms, dashboard, saved queries and budget, under mocks: exact inputs, and that AWS's own models allow them.

Whether the alarms mean what they should is `test_alarms`' business; whether AWS takes the inputs is not shown.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest
import yaml
from jsonschema import Draft202012Validator

from components.aws import dashboard, log_metrics, sagemaker
from components.aws.account import Account
from components.aws.alarm_math import number
from components.aws.monitoring import (
    Alarms,
    AlarmsArgs,
    AlarmTopic,
    BudgetArgs,
    CostBudget,
    Dashboard,
    DashboardArgs,
    TopicArgs,
)
from spec.alarms import burn_alarms
from spec.fields import Budget, Notify, Slo
from spec.metrics import Emitted
from spec.panels import PANELS, DashboardConfig
from spec.vendor_metrics import TABLE
from tests import schema_check
from tests.components.recording import ACCOUNT, Recording, record

REGION = "eu-central-1"
SLO = Slo(availability_percent=99.9, latency_ms=250, latency_percentile=99)
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:digits-alarms"
LOGS = "/aws/sagemaker/Endpoints/digits-prod"
RUNBOOK = "docs/runbook.md"
SLOTS = tuple(sagemaker.metrics("digits-prod", slot) for slot in (sagemaker.PRIMARY, sagemaker.CANARY))


def monitoring(slots: int, slo: Slo = SLO) -> Alarms:
    """All of it, as the stack function puts it together."""
    account = Account.of(aws.Provider("aws", region=REGION), REGION)
    notify = Notify(emails=("a@example.org",), webhooks=("https://chat.example/t0ken",))
    key = aws.kms.Key("digits")
    logs = aws.cloudwatch.LogGroup("digits-logs", name=LOGS)
    topic = AlarmTopic("digits", TopicArgs(account, key.arn, notify))
    alarms = Alarms("digits", AlarmsArgs("digits-prod", SLOTS[:slots], slo, topic.arn))
    Dashboard(
        "digits",
        DashboardArgs(account, "digits-prod", SLOTS[:slots], slo, alarms.made, (LOGS,)),
        pulumi.ResourceOptions(depends_on=[logs]),
    )
    CostBudget("digits", BudgetArgs("digits-prod", Budget(monthly_usd=200), topic.arn))
    return alarms


@pytest.fixture(scope="module")
def one() -> Recording:
    return record(lambda: monitoring(1))


@pytest.fixture(scope="module")
def two() -> Recording:
    return record(lambda: monitoring(2))


@pytest.mark.proof("Amazon CloudWatch", level="schema")
@pytest.mark.parametrize("slots", [1, 2])
def test_inputs_are_what_aws_publishes(slots: int) -> None:
    schema_check.assert_right(lambda: monitoring(slots), {"aws:region": REGION})


def test_topic(one: Recording) -> None:
    topic = one.one("aws:sns/topic:Topic")
    assert list(topic.inputs) == ["kmsMasterKeyId"]
    assert topic.inputs["kmsMasterKeyId"].startswith("arn:aws:kms:")
    policy = json.loads(one.one("aws:sns/topicPolicy:TopicPolicy").inputs["policy"])
    own = {"Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}, "Action": "sns:Publish", "Resource": TOPIC}
    deny = {"Bool": {"aws:SecureTransport": "false"}}
    assert policy["Statement"] == [
        {"Sid": "Alarms", "Effect": "Allow", "Principal": {"Service": "cloudwatch.amazonaws.com"}, **own},
        {"Sid": "Budgets", "Effect": "Allow", "Principal": {"Service": "budgets.amazonaws.com"}, **own},
        {"Sid": "TlsOnly", "Effect": "Deny", "Principal": "*", **own, "Condition": deny},
    ]


def test_subscribers_and_that_a_webhooks_address_is_a_secret(one: Recording) -> None:
    found = {sub.name: sub.inputs for sub in one.of("aws:sns/topicSubscription:TopicSubscription")}
    assert found["digits-email-0"] == {"protocol": "email", "endpoint": "a@example.org", "topic": TOPIC}
    webhook = found["digits-https-1"]
    assert (webhook["protocol"], webhook["topic"]) == ("https", TOPIC)
    assert webhook["endpoint"][pulumi.runtime.rpc._special_sig_key] == pulumi.runtime.rpc._special_secret_sig
    assert len(found) == 2


def metric(id_: str, name: str, variant: str, stat: str, period: int) -> dict[str, Any]:
    dimensions = {"EndpointName": "digits-prod", "VariantName": variant}
    found = {"metricName": name, "namespace": "AWS/SageMaker", "dimensions": dimensions, "stat": stat, "period": period}
    return {"id": id_, "metric": found, "returnData": False}


def expression(id_: str, text: str, *, result: bool = False) -> dict[str, Any]:
    return {"id": id_, "label": id_, "expression": text, "returnData": result}


def test_an_availability_alarm_of_one_slot(one: Recording) -> None:
    alarm = one.one("aws:cloudwatch/metricAlarm:MetricAlarm", "digits-AvailabilityBurnPage1h-60m")
    assert alarm.inputs == {
        "name": "digits-prod-AvailabilityBurnPage1h-60m",
        "alarmDescription": "the availability budget burns more than 14.4 times too fast (page, service). "
        f"Runbook: {RUNBOOK}#availability-burn",
        "comparisonOperator": "GreaterThanThreshold",
        "threshold": 14.4,
        "evaluationPeriods": 1,
        "datapointsToAlarm": 1,
        "treatMissingData": "notBreaching",
        "metricQueries": [
            metric("t0_0", "Invocations", "primary", "Sum", 3600),
            metric("e0_0", "Invocation5XXErrors", "primary", "Sum", 3600),
            expression("requests", "FILL(t0_0, 0)"),
            expression("bad", "IF(requests > 0, (FILL(e0_0, 0)) / requests, 0)"),
            expression("burn", "bad / 0.001", result=True),
        ],
    }


def test_a_latency_alarm_of_two_slots_in_microseconds(two: Recording) -> None:
    alarm = two.one("aws:cloudwatch/metricAlarm:MetricAlarm", "digits-LatencyBurnPage6h-30m")
    assert alarm.inputs["threshold"] == 6
    slow = [f"FILL(l{slot}, 0) / 100 * (FILL(t{slot}_0, 0))" for slot in (0, 1)]
    assert alarm.inputs["metricQueries"] == [
        metric("t0_0", "Invocations", "primary", "Sum", 1800),
        metric("l0", "ModelLatency", "primary", "PR(250000:)", 1800),
        metric("t1_0", "Invocations", "canary", "Sum", 1800),
        metric("l1", "ModelLatency", "canary", "PR(250000:)", 1800),
        expression("requests", "FILL(t0_0, 0) + FILL(t1_0, 0)"),
        expression("bad", f"IF(requests > 0, ({slow[0]} + {slow[1]}) / requests, 0)"),
        expression("burn", "bad / 0.01", result=True),
    ]


def test_only_pairs_of_windows_tell_somebody(two: Recording) -> None:
    single = two.of("aws:cloudwatch/metricAlarm:MetricAlarm")
    assert not any({"alarmActions", "okActions"} & set(alarm.inputs) for alarm in single)
    pairs = {alarm.name: alarm.inputs for alarm in two.of("aws:cloudwatch/compositeAlarm:CompositeAlarm")}
    assert set(pairs) == {
        f"digits-{kind}BurnPage{span}" for kind in ("Availability", "Latency") for span in ("1h", "6h")
    }
    assert pairs["digits-LatencyBurnPage1h"] == {
        "alarmName": "digits-prod-LatencyBurnPage1h",
        "alarmDescription": "the latency budget burns more than 14.4 times too fast (page, service). "
        f"Runbook: {RUNBOOK}#latency-burn",
        "alarmRule": 'ALARM("digits-prod-LatencyBurnPage1h-60m") AND ALARM("digits-prod-LatencyBurnPage1h-5m")',
        "alarmActions": [TOPIC],
        "okActions": [TOPIC],
    }
    assert len(single) == 2 * len(pairs)


def test_every_alarms_runbook_has_its_heading(root: Any) -> None:
    headings = re.findall(r"^#+ (.+)$", (root / RUNBOOK).read_text(), re.MULTILINE)
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    assert {alarm.anchor for alarm in burn_alarms(SLO)} <= anchors


@pytest.mark.parametrize(("value", "text"), [(0.001, "0.001"), (0.00001, "0.00001"), (6e8, "600000000"), (2.5, "2.5")])
def test_numbers_have_no_exponent(value: float, text: str) -> None:
    assert number(value) == text


def named(queries: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(query["metric"]["namespace"], query["metric"]["metricName"]) for query in queries if "metric" in query}


def test_every_metric_is_in_the_targets_table(two: Recording) -> None:
    rows = TABLE["aws", "sagemaker"].signals.values()
    table = {(m.namespace, m.name) for found in rows if isinstance(found, Emitted) for m in found.metrics}
    for alarm in two.of("aws:cloudwatch/metricAlarm:MetricAlarm"):
        assert named(alarm.inputs["metricQueries"]) <= table
    drawn = {(entry[0], entry[1]) for widget in widgets(two) for entry in widget.get("metrics", []) if len(entry) > 1}
    assert drawn
    own = {(log_metrics.namespace("digits-prod"), one.metric) for one in log_metrics.LOG_METRICS}
    assert drawn - own <= table
    made = two.of("aws:cloudwatch/logMetricFilter:LogMetricFilter")
    transformations = [one.inputs["metricTransformation"] for one in made]
    assert {(one["namespace"], one["name"]) for one in transformations} == own


# Dashboard


def widgets(recording: Recording) -> list[dict[str, Any]]:
    """The properties of each widget, in order."""
    body = json.loads(recording.one("aws:cloudwatch/dashboard:Dashboard").inputs["dashboardBody"])
    return [widget["properties"] for widget in body["widgets"]]


def titles(config: DashboardConfig | None = None, slots: int = 1, slo: Slo | None = SLO) -> list[str]:
    body = dashboard.body("digits-prod", REGION, SLOTS[:slots], slo, burn_alarms(SLO), config)
    return [widget["properties"].get("title", "Runbook") for widget in body["widgets"]]


def test_panels_are_in_the_lists_order_less_what_the_target_lacks() -> None:
    drawn = ["traffic", "errors", "latency", "saturation", "releases", "error_budget", "runbook"]
    assert titles() == [panel.title for panel in PANELS if panel.key in drawn]
    assert "Error budget left" not in titles(slo=None)


def test_a_users_choice_of_panels() -> None:
    assert titles(DashboardConfig(panels=("error_budget", "runbook", "traffic"))) == [
        "Error budget left",
        "Runbook",
        "Traffic",
    ]


def test_the_body_is_what_aws_publishes_and_its_math_has_its_names(root: Any, two: Recording) -> None:
    schema = yaml.safe_load((root / "operations/schema/data/documents/cloudwatch-dashboard.yaml").read_text())
    body = json.loads(two.one("aws:cloudwatch/dashboard:Dashboard").inputs["dashboardBody"])
    Draft202012Validator(schema).validate(body)
    places = [(widget["x"], widget["y"]) for widget in body["widgets"]]
    assert len(set(places)) == len(places)
    for widget in widgets(two):
        entries = widget.get("metrics", [])
        assert len(entries) <= 500
        options = [entry[-1] for entry in entries]
        ids = [option["id"] for option in options]
        assert len(set(ids)) == len(ids)
        assert all(re.fullmatch(r"[a-z][a-zA-Z0-9_]*", id_) for id_ in ids)
        for option in options:
            used = set(re.findall(r"\b[a-z]\w*", option.get("expression", "")))
            assert used <= set(ids), f"{option} names no series of its widget"
            assert option.get("period", 60) in {60, 300}


def test_latency_is_drawn_in_seconds(one: Recording) -> None:
    (latency,) = (widget for widget in widgets(one) if widget.get("title") == "Latency")
    drawn = [entry[0] for entry in latency["metrics"] if len(entry) == 1]
    assert [entry["expression"] for entry in drawn] == [f"m0_{p} / 1000000" for p in ("p50", "p95", "p99")]
    assert [entry["label"] for entry in drawn] == ["p50 primary", "p95 primary", "p99 primary"]


@pytest.mark.parametrize("days", [7, 30, 90])
def test_the_budget_left_is_one_value_over_the_objectives_window(days: int) -> None:
    slo = Slo(availability_percent=99.9, window_days=days)
    body = dashboard.body("digits-prod", REGION, SLOTS, slo, (), DashboardConfig(panels=("error_budget",)))
    properties = body["widgets"][0]["properties"]
    assert properties["view"] == "singleValue"
    assert (properties["start"], properties["setPeriodToTimeRange"]) == (f"-P{days}D", True)
    assert not any("period" in entry[-1] for entry in properties["metrics"])
    assert [entry[-1]["expression"] for entry in properties["metrics"] if entry[-1].get("visible", True)] == [
        "1 - bad / 0.001"
    ]


def test_saved_queries(one: Recording) -> None:
    queries = {query.inputs["name"]: query.inputs for query in one.of("aws:cloudwatch/queryDefinition:QueryDefinition")}
    assert set(queries) == {"digits-prod/errors", "digits-prod/starts"}
    assert all(query["logGroupNames"] == [LOGS] for query in queries.values())


def test_budget(one: Recording) -> None:
    def told(kind: str, percent: int) -> dict[str, Any]:
        return {
            "comparisonOperator": "GREATER_THAN",
            "notificationType": kind,
            "threshold": percent,
            "thresholdType": "PERCENTAGE",
            "subscriberSnsTopicArns": [TOPIC],
        }

    assert one.one("aws:budgets/budget:Budget").inputs == {
        "budgetType": "COST",
        "timeUnit": "MONTHLY",
        "limitAmount": "200",
        "limitUnit": "USD",
        "costFilters": [{"name": "TagKeyValue", "values": ["user:deployment$digits-prod"]}],
        "notifications": [told("FORECASTED", 100), told("ACTUAL", 80)],
    }
