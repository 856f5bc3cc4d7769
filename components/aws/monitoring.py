"""Alarms, their topic, the dashboard, saved queries and the budget of a service."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components.aws import dashboard
from components.aws.account import Account
from components.aws.alarm_math import MetricAlarm, Query, burn_alarm, standing_alarm, windows
from components.aws.grants import document, service_principal
from components.aws.log_metrics import LogMetrics
from spec.alarms import STANDING, Alarm, burn_alarms, possible
from spec.fields import Budget, Notify, Slo
from spec.metrics import MetricsError, TargetMetrics
from spec.panels import DashboardConfig

#: Least share of the budget that was really spent before somebody is told, beside the forecast of all of it.
SPENT_PERCENT = 80


@dataclass(frozen=True)
class TopicArgs:
    """account: whose. key_arn: encrypts; None: not at rest with a key of one's own. notify: who is told."""

    account: Account
    key_arn: pulumi.Input[str] | None
    notify: Notify


class AlarmTopic(pulumi.ComponentResource):
    """The topic that alarms and budgets publish to, with its subscribers. arn: of the topic."""

    arn: pulumi.Output[str]

    def __init__(self, name: str, args: TopicArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:AlarmTopic", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        topic = aws.sns.Topic(f"{name}-alarms", kms_master_key_id=args.key_arn, opts=child)
        self.arn = topic.arn
        own = {"StringEquals": {"aws:SourceAccount": args.account.id}}
        publishers = {"Alarms": "cloudwatch.amazonaws.com", "Budgets": "budgets.amazonaws.com"}
        aws.sns.TopicPolicy(
            f"{name}-alarms",
            arn=topic.arn,
            policy=document(
                *(
                    {
                        "Sid": sid,
                        "Effect": "Allow",
                        "Principal": service_principal(service),
                        "Action": "sns:Publish",
                        "Resource": topic.arn,
                        "Condition": own,
                    }
                    for sid, service in publishers.items()
                ),
                {
                    "Sid": "TlsOnly",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "sns:Publish",
                    "Resource": topic.arn,
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                },
            ),
            opts=child,
        )
        subscribers = [("email", address) for address in args.notify.emails]
        subscribers += [("https", url) for url in args.notify.webhooks]
        for index, (protocol, endpoint) in enumerate(subscribers):
            aws.sns.TopicSubscription(
                f"{name}-{protocol}-{index}",
                topic=topic.arn,
                protocol=protocol,
                # A webhook's address may hold a token.
                endpoint=pulumi.Output.secret(endpoint) if protocol == "https" else endpoint,
                opts=child,
            )
        self.register_outputs({"arn": self.arn})


@dataclass(frozen=True)
class AlarmsArgs:
    """service: begins every alarm's name, unique in account and region. slots: metrics of each slot of the target.
    slo: burn-rate alarms are made from it; None makes none. topic_arn: who is told.
    """

    service: str
    slots: Sequence[TargetMetrics]
    slo: Slo | None
    topic_arn: pulumi.Input[str]


class Alarms(pulumi.ComponentResource):
    """The alarms of a service; made before its target, from names that are fixed beforehand.

    rollback: names of the alarms that shall roll a bad update back: the short windows of those that page, since a
    rollout looks at minutes. made: the alarms of the list that exist here. missing: for each other one, why not.
    """

    rollback: tuple[pulumi.Output[str], ...]
    made: tuple[Alarm, ...]
    missing: dict[str, str]

    def __init__(self, name: str, args: AlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:Alarms", name, {}, opts)
        self._name, self._args = name, args
        wanted = (*(burn_alarms(args.slo) if args.slo else ()), *STANDING)
        can, reasons = possible(wanted, args.slots[0])
        self.missing = dict(reasons)
        made: list[Alarm] = []
        rollback: list[pulumi.Output[str]] = []
        for alarm in can:
            if alarm.rule is None:
                try:
                    math = standing_alarm(alarm, args.slots)
                except MetricsError as error:
                    self.missing[alarm.name] = str(error)
                    continue
                self._metric_alarm(alarm, math, tell=True)
                made.append(alarm)
                continue
            spans = windows(alarm.rule)
            if spans is None:
                self.missing[alarm.name] = "an alarm of CloudWatch's looks back a day at most"
                continue
            long, short = (self._metric_alarm(alarm, burn_alarm(alarm, args.slots, span), tell=False) for span in spans)
            self._both(alarm, long, short)
            made.append(alarm)
            if alarm.severity == "page":
                rollback.append(short.name)
        self.made = tuple(made)
        self.rollback = tuple(rollback)
        self.register_outputs({})

    def _metric_alarm(self, alarm: Alarm, math: MetricAlarm, *, tell: bool) -> aws.cloudwatch.MetricAlarm:
        return aws.cloudwatch.MetricAlarm(
            f"{self._name}-{math.suffix}",
            name=f"{self._args.service}-{math.suffix}",
            alarm_description=_description(alarm),
            comparison_operator="GreaterThanThreshold",
            threshold=math.threshold,
            evaluation_periods=math.periods,
            datapoints_to_alarm=math.breaching,
            treat_missing_data=math.missing,
            metric_queries=[_query(query) for query in math.queries],
            alarm_actions=[self._args.topic_arn] if tell else None,
            ok_actions=[self._args.topic_arn] if tell else None,
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )

    def _both(self, alarm: Alarm, long: aws.cloudwatch.MetricAlarm, short: aws.cloudwatch.MetricAlarm) -> None:
        aws.cloudwatch.CompositeAlarm(
            f"{self._name}-{alarm.name}",
            alarm_name=f"{self._args.service}-{alarm.name}",
            alarm_description=_description(alarm),
            alarm_rule=pulumi.Output.concat('ALARM("', long.name, '") AND ALARM("', short.name, '")'),
            alarm_actions=[self._args.topic_arn],
            ok_actions=[self._args.topic_arn],
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )


def _description(alarm: Alarm) -> str:
    return f"{alarm.summary} ({alarm.severity}, {alarm.owner}). Runbook: {alarm.runbook}"


def _query(query: Query) -> aws.cloudwatch.MetricAlarmMetricQueryArgs:
    if query.metric is None:
        # Nothing but the result says its period: an expression's follows from its metrics.
        return aws.cloudwatch.MetricAlarmMetricQueryArgs(
            id=query.id, expression=query.expression, label=query.id, return_data=query.returned
        )
    metric = query.metric
    return aws.cloudwatch.MetricAlarmMetricQueryArgs(
        id=query.id,
        return_data=query.returned,
        metric=aws.cloudwatch.MetricAlarmMetricQueryMetricArgs(
            namespace=metric.namespace,
            metric_name=metric.name,
            stat=query.statistic,
            period=query.period,
            dimensions=dict(metric.dimensions),
        ),
    )


@dataclass(frozen=True)
class DashboardArgs:
    """service: begins the dashboard's name. slots, slo: as for the alarms. alarms: those that exist. config: the
    user's choice of panels. log_groups: what the saved queries look at, and whose lines are counted; they exist.
    """

    account: Account
    service: str
    slots: Sequence[TargetMetrics]
    slo: Slo | None
    alarms: Sequence[Alarm]
    log_groups: Sequence[str] = ()
    config: DashboardConfig = field(default_factory=DashboardConfig)


class Dashboard(pulumi.ComponentResource):
    """The dashboard, the saved queries and the log metrics of a service. url: in the console."""

    url: pulumi.Output[str]

    def __init__(self, name: str, args: DashboardArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:Dashboard", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        if args.log_groups:
            LogMetrics(name, args.service, args.log_groups, child)
        body = dashboard.body(
            args.service, args.account.region, args.slots, args.slo, args.alarms, args.config, log=bool(args.log_groups)
        )
        made = aws.cloudwatch.Dashboard(
            f"{name}-dashboard",
            dashboard_name=f"{args.service}-{args.account.region}",  # names hold in all regions of an account
            dashboard_body=json.dumps(body),
            opts=child,
        )
        for title, text in QUERIES.items():
            if args.log_groups:
                aws.cloudwatch.QueryDefinition(
                    f"{name}-{title}",
                    name=f"{args.service}/{title}",
                    query_string=text,
                    log_group_names=list(args.log_groups),
                    opts=child,
                )
        console = f"https://{args.account.region}.console.aws.amazon.com/cloudwatch/home?region={args.account.region}"
        self.url = pulumi.Output.concat(console, "#dashboards/dashboard/", made.dashboard_name)
        self.register_outputs({"url": self.url})


#: Saved queries of CloudWatch Logs Insights over the server's JSON lines.
QUERIES = {
    "errors": "fields @timestamp, message, request_id\n| filter level = 'error'\n| sort @timestamp desc\n| limit 100",
    "starts": "fields @timestamp, message\n| filter message like /ready|loaded|stopping/\n| sort @timestamp desc",
}


@dataclass(frozen=True)
class BudgetArgs:
    """deployment: value of the tag `deployment`, whose cost is counted. topic_arn: who is told."""

    deployment: str
    budget: Budget
    topic_arn: pulumi.Input[str]


class CostBudget(pulumi.ComponentResource):
    """A monthly budget over the service's tag; tells when it is in sight and stops nothing.

    The tag `deployment` has to be activated as a cost allocation tag once per account
    (https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/activating-tags.html).
    """

    def __init__(self, name: str, args: BudgetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:CostBudget", name, {}, opts)
        notification = aws.budgets.BudgetNotificationArgs
        aws.budgets.Budget(
            f"{name}-budget",
            budget_type="COST",
            time_unit="MONTHLY",
            limit_amount=f"{args.budget.monthly_usd:g}",
            limit_unit="USD",
            # Several values would be joined by "or", so one tag says which service of which stack it is.
            cost_filters=[
                aws.budgets.BudgetCostFilterArgs(name="TagKeyValue", values=[f"user:deployment${args.deployment}"])
            ],
            notifications=[
                notification(
                    comparison_operator="GREATER_THAN",
                    notification_type=kind,
                    threshold=percent,
                    threshold_type="PERCENTAGE",
                    subscriber_sns_topic_arns=[args.topic_arn],
                )
                for kind, percent in (("FORECASTED", 100), ("ACTUAL", SPENT_PERCENT))
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
