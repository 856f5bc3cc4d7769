"""Names within documents and rules: what the program makes is there, what it never heard of is left alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from operations.schema.check import check
from operations.schema.mocked import of_function


def findings(make: Callable[[], Any]) -> list[str]:
    report = check(of_function(make, {"aws:region": "eu-central-1"}))
    assert report.problems == []
    return [f"{one.rule} {one.value}" for one in report.findings]


def policy(resource: Any, **condition: Any) -> pulumi.Output[str]:
    action = "iam:GetRole" if isinstance(resource, str) and ":role/" in resource else "s3:GetObject"
    statement = {"Sid": "A", "Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition}
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": [statement]})


def with_policy(resource: Callable[[aws.s3.Bucket], Any], **condition: Any) -> list[str]:
    def make() -> None:
        trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
        role = aws.iam.Role(
            "role", assume_role_policy=json.dumps({"Version": "2012-10-17", "Statement": [{"Sid": "A", **trust}]})
        )
        bucket = aws.s3.Bucket("store")
        aws.iam.RolePolicy("read", role=role.name, policy=policy(resource(bucket), **condition))

    return findings(make)


@pytest.mark.parametrize("end", ["/*", "/a/b", "/releases/*"])
def test_a_bucket_of_the_program_is_there(end: str) -> None:
    assert with_policy(lambda bucket: pulumi.Output.concat(bucket.arn, end)) == []


def test_a_bucket_that_nobody_makes_is_found() -> None:
    (found,) = with_policy(lambda bucket: pulumi.Output.concat("arn:aws:s3:::other-", bucket.bucket, "/*"))
    assert found.startswith("reference ")
    assert "arn:aws:s3:::other-store" in found


@pytest.mark.parametrize(
    "resource",
    [
        "arn:aws:s3:::start-of-a-name*",  # whatever begins so
        "arn:aws:s3:::*/*",
        "arn:aws:iam::123456789012:role/services/models/*",  # a path, below which there may be something later
        "arn:aws:iam::123456789012:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX",  # AWS makes it
    ],
)
def test_part_of_a_name_is_left_alone(resource: str) -> None:
    assert with_policy(lambda _: resource) == []


def test_a_role_that_nobody_makes_is_found() -> None:
    (found,) = with_policy(lambda _: "arn:aws:iam::123456789012:role/services/models/other")
    assert "role/services/models/other" in found


def test_what_the_program_makes_nothing_like_may_be_elsewhere() -> None:
    condition = {"StringEquals": {"aws:PrincipalArn": "arn:aws:sagemaker:eu-central-1:123456789012:endpoint/elsewhere"}}
    assert with_policy(lambda bucket: pulumi.Output.concat(bucket.arn, "/*"), **condition) == []


@pytest.mark.parametrize(("account", "wrong"), [("123456789012", False), ("12345678901", True), ("-7", True)])
def test_an_account_has_twelve_digits(account: str, wrong: bool) -> None:
    condition = {"StringEquals": {"aws:ResourceAccount": account}}
    found = with_policy(lambda bucket: pulumi.Output.concat(bucket.arn, "/*"), **condition)
    assert any("pattern" in one and account in one for one in found) == wrong


@pytest.mark.parametrize(("suffix", "wrong"), [("", False), ("x", True)])
def test_an_alarm_names_alarms(suffix: str, wrong: bool) -> None:
    def make() -> None:
        one = aws.cloudwatch.MetricAlarm(
            "errors",
            comparison_operator="GreaterThanThreshold",
            evaluation_periods=1,
            metric_name="Invocation5XXErrors",
            namespace="AWS/SageMaker",
            period=60,
            statistic="Sum",
            threshold=1,
        )
        rule = pulumi.Output.concat('ALARM("', one.name, suffix, '") OR OK(', one.name, ")")
        aws.cloudwatch.CompositeAlarm("both", alarm_name="both", alarm_rule=rule)

    found = findings(make)
    assert [one.partition(" ")[0] for one in found] == (["reference"] if wrong else [])


def test_a_resource_is_made_where_its_provider_is() -> None:
    """Equal names in two regions are two things, and a region's ARN is its own."""

    def make() -> None:
        for region in ("eu-central-1", "us-east-1"):
            opts = pulumi.ResourceOptions(provider=aws.Provider(f"aws-{region}", region=region))
            aws.sns.Topic(f"topic-{region}", name="alarms", opts=opts)

    recording = of_function(make)
    assert recording.refused == []
    assert sorted(one.id for one in recording.objects) == [
        f"arn:aws:sns:{region}:123456789012:alarms" for region in ("eu-central-1", "us-east-1")
    ]
