"""CloudWatch, its logs, topics and budgets."""

from __future__ import annotations

from collections.abc import Sequence

from components.aws.rights.right import Right, actions

MONITORING: Sequence[Right] = (
    Right(
        "Alarms",
        ("cloudwatch:*:{account}:alarm:{service}-*",),
        see=("cloudwatch:ListTagsForResource",),
        change=actions("cloudwatch", "DeleteAlarms PutMetricAlarm TagResource UntagResource"),
    ),
    Right("LookAtAlarms", see=("cloudwatch:DescribeAlarms",)),
    Right("AlarmsOfAlarms", change=("cloudwatch:PutCompositeAlarm",)),
    Right(
        "Dashboards",
        ("cloudwatch::{account}:dashboard/{service}-*",),
        see=("cloudwatch:GetDashboard",),
        change=actions("cloudwatch", "DeleteDashboards PutDashboard"),
    ),
    Right("LookAtLogs", see=actions("logs", "DescribeLogGroups DescribeQueryDefinitions")),
    Right("Queries", change=actions("logs", "DeleteQueryDefinition PutQueryDefinition")),
    Right(
        "Logs",
        (
            "logs:*:{account}:log-group:{service}-*",
            "logs:*:{account}:log-group:/aws/sagemaker/Endpoints/{service}-*",
        ),
        see=actions("logs", "DescribeMetricFilters ListTagsForResource"),
        change=actions(
            "logs",
            "AssociateKmsKey CreateLogGroup DeleteLogGroup DeleteMetricFilter DeleteRetentionPolicy "
            "DisassociateKmsKey PutMetricFilter PutRetentionPolicy TagResource UntagResource",
        ),
    ),
    Right(
        "Topics",
        ("sns:*:{account}:{service}-*",),
        see=actions("sns", "GetTopicAttributes ListSubscriptionsByTopic ListTagsForResource"),
        change=actions("sns", "CreateTopic DeleteTopic SetTopicAttributes Subscribe TagResource UntagResource"),
    ),
    Right(
        "Subscriptions",
        see=("sns:GetSubscriptionAttributes",),
        change=actions("sns", "SetSubscriptionAttributes Unsubscribe"),
    ),
    Right(
        "Budgets",
        ("budgets::{account}:budget/{service}-*",),
        see=actions("budgets", "ListTagsForResource ViewBudget"),
        change=actions("budgets", "ModifyBudget TagResource UntagResource"),
        everywhere=True,
    ),
)
