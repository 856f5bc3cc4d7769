"""The component for EC2 under mocks: exact inputs, and by AWS's published models.

Whether AWS accepts these inputs, and whether an instance comes up, is not shown here; test_user_data.py runs what an
instance runs.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from components.aws.account import Account
from components.aws.ec2 import EC2Service, EC2ServiceArgs, checkpoints
from components.aws.ec2_grants import server_grants
from components.aws.front_door import FrontDoor, FrontDoorArgs
from components.aws.identity import Role, RoleArgs
from components.aws.keys import EncryptionKey, KeyArgs
from components.aws.network import Network, NetworkArgs
from components.aws.user_data import START_SECONDS
from operations.schema.check import check
from operations.schema.mocked import of_function
from spec.fields import Rollout, Scaling, Schedule
from tests.components.recording import Recording, record

REGION = "eu-central-1"
IMAGE = f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/digits@sha256:{'0' * 64}"
GROUP = "aws:autoscaling/group:Group"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
POLICY = "aws:autoscaling/policy:Policy"

Change = Callable[[EC2ServiceArgs], EC2ServiceArgs]


def program(change: Change = lambda same: same, domain: str | None = None) -> EC2Service:
    provider = aws.Provider("aws", region=REGION)
    top = pulumi.ResourceOptions(provider=provider)
    account = Account.of(provider, REGION)
    key = EncryptionKey("digits", KeyArgs(account, "Data"), top)
    role = Role("digits", RoleArgs(account, "ec2.amazonaws.com", "Runs digits"), top)
    network = Network("digits", NetworkArgs(account, None, (), None, 30, public=True), top)
    door = FrontDoor(
        "door",
        FrontDoorArgs(
            account, "digits-prod", network, "public", 8080, "/readyz", 30, domain=domain, target_type="instance"
        ),
        top,
    )
    args = EC2ServiceArgs(
        account=account,
        service="digits-prod",
        image=IMAGE,
        release="s3://releases/digits/v1/",
        role_name=role.name,
        instance_type="t3.medium",
        memory_gib=2,
        machine_image="ami-0a1b2c3d4e5f60718",
        network=network,
        door=door,
        port=8080,
        scaling=Scaling(),
        rollout=Rollout(),
        log_days=30,
        key_arn=key.arn,
        tags={"service": "digits"},
    )
    return EC2Service("digits", change(args), top)


def made(change: Change = lambda same: same, **more: Any) -> Recording:
    return record(lambda: program(change, **more))


@pytest.fixture(scope="module")
def plain() -> Recording:
    return made()


def script(recording: Recording) -> str:
    return base64.b64decode(recording.one(TEMPLATE).inputs["userData"]).decode()


class TestTemplate:
    def test_an_instance_is_closed(self, plain: Recording) -> None:
        template = plain.one(TEMPLATE).inputs
        assert template["metadataOptions"] == {
            "httpEndpoint": "enabled",
            "httpTokens": "required",
            "httpPutResponseHopLimit": 1,
        }
        assert "keyName" not in template
        assert template["networkInterfaces"] == [
            {
                "deviceIndex": 0,
                "associatePublicIpAddress": "false",
                "deleteOnTermination": "true",
                "securityGroups": ["digits-service-id", "digits-instances-id"],
            }
        ]
        (disk,) = template["blockDeviceMappings"]
        assert disk["ebs"]["encrypted"] == "true"
        assert disk["ebs"]["kmsKeyId"].endswith("digits-key")
        assert disk["ebs"]["deleteOnTermination"] == "true"

    def test_only_the_balancer_gets_in(self, plain: Recording) -> None:
        rules = [
            one.inputs
            for one in plain.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
            if one.inputs["securityGroupId"] in ("digits-service-id", "digits-instances-id")
        ]
        assert [(one["referencedSecurityGroupId"], one["fromPort"], one["toPort"]) for one in rules] == [
            ("door-balancer-id", 8080, 8080)
        ]

    def test_what_an_instance_runs(self, plain: Recording) -> None:
        text = script(plain)
        assert IMAGE in text
        assert "fetch s3://releases/digits/v1/ " in text
        assert "--memory 2048m" in text
        assert "awslogs-group=digits-prod-ec2" in text
        assert plain.one("aws:cloudwatch/logGroup:LogGroup", "digits-logs").inputs["name"] == "digits-prod-ec2"
        assert "secretsmanager" not in text

    def test_a_canary_is_the_servers_own_split(self) -> None:
        with_canary = made(
            lambda one: replace(one, canary="s3://releases/digits/v2/", settings={"CANARY_PERCENT": "10"})
        )
        assert "fetch s3://releases/digits/v2/ " in script(with_canary)
        assert "CANARY_PERCENT=10" in script(with_canary)

    def test_who_captures_has_credentials(self) -> None:
        options = made(lambda one: replace(one, captures=True)).one(TEMPLATE).inputs["metadataOptions"]
        assert options["httpPutResponseHopLimit"] == 2
        assert options["httpTokens"] == "required"

    def test_with_a_domain_the_server_asks_for_the_token(self) -> None:
        text = script(made(domain="model.example.com"))
        assert "secretsmanager get-secret-value" in text
        assert "AUTH_TOKEN_FILE=/run/token" in text


class TestGroup:
    def test_a_group_whose_updates_can_be_undone(self, plain: Recording) -> None:
        group = plain.one(GROUP).inputs
        assert group["launchTemplate"]["version"] not in ("$Latest", "$Default")
        assert group["healthCheckType"] == "ELB"
        assert group["healthCheckGracePeriod"] == START_SECONDS
        assert (group["minSize"], group["maxSize"], group["minElbCapacity"]) == (1, 1, 1)
        assert "desiredCapacity" not in group  # belongs to scaling
        # The metric of spec.vendor_metrics, which is counted only where it is asked for.
        assert (group["enabledMetrics"], group["metricsGranularity"]) == (["GroupInServiceInstances"], "1Minute")
        assert group["instanceRefresh"] == {
            "strategy": "Rolling",
            "preferences": {
                "minHealthyPercentage": 100,
                "maxHealthyPercentage": 200,
                "standbyInstances": "Terminate",
                "scaleInProtectedInstances": "Refresh",
                "autoRollback": True,
            },
        }

    def test_steps_and_alarms(self) -> None:
        rollout = Rollout(strategy="linear", step_percent=30, bake_minutes=7)
        found = made(lambda one: replace(one, rollout=rollout, rollback_alarms=("fast", "slow"))).one(GROUP)
        preferences = found.inputs["instanceRefresh"]["preferences"]
        assert preferences["checkpointPercentages"] == [30, 60, 90, 100]
        assert preferences["checkpointDelay"] == "420"
        assert preferences["alarmSpecification"] == {"alarms": ["fast", "slow"]}

    @pytest.mark.parametrize(
        ("rollout", "expected"),
        [
            (Rollout(), []),
            (Rollout(strategy="canary", step_percent=5), [5, 100]),
            (Rollout(strategy="linear", step_percent=50), [50, 100]),
        ],
    )
    def test_checkpoints(self, rollout: Rollout, expected: list[int]) -> None:
        assert checkpoints(rollout) == expected


class TestScaling:
    def test_none_without_room(self, plain: Recording) -> None:
        assert not plain.of(POLICY)

    @pytest.mark.parametrize(
        ("metric", "target", "expected"),
        [
            ("cpu", 60, ("ASGAverageCPUUtilization", None, 60)),
            ("requests_per_second", 10, ("ALBRequestCountPerTarget", "app/lb/1/targetgroup/tg/1", 600)),
        ],
    )
    def test_what_aws_counts(self, metric: Any, target: float, expected: tuple[Any, ...]) -> None:
        scaling = Scaling(min=1, max=3, metric=metric, target=target)
        found = made(lambda one: replace(one, scaling=scaling)).one(POLICY).inputs["targetTrackingConfiguration"]
        told = found["predefinedMetricSpecification"]
        assert (told["predefinedMetricType"], told.get("resourceLabel"), found["targetValue"]) == expected

    def test_concurrency_is_worked_out(self) -> None:
        scaling = Scaling(min=1, max=3, metric="concurrency", target=4)
        found = made(lambda one: replace(one, scaling=scaling)).one(POLICY).inputs["targetTrackingConfiguration"]
        assert found["targetValue"] == 4
        metrics = found["customizedMetricSpecification"]["metrics"]
        assert [(one["id"], one["returnData"]) for one in metrics] == [
            ("requests", False),
            ("seconds", False),
            ("instances", False),
            ("concurrency", True),
        ]
        assert metrics[0]["metricStat"]["stat"] == "Sum"
        assert metrics[3]["expression"] == "FILL(requests, 0) / 60 * FILL(seconds, 0) / instances"

    def test_schedule(self) -> None:
        at = Schedule(cron="0 7 * * 1-5", timezone="Europe/Berlin", min=2, max=4)
        scaling = Scaling(min=1, max=2, schedule=(at,))
        found = made(lambda one: replace(one, scaling=scaling)).one("aws:autoscaling/schedule:Schedule").inputs
        assert (found["recurrence"], found["timeZone"]) == ("0 7 * * 1-5", "Europe/Berlin")
        assert (found["minSize"], found["maxSize"], found["desiredCapacity"]) == (2, 4, -1)


def test_what_the_instances_may_do() -> None:
    found: list[dict[str, Any]] = []

    def run() -> None:
        account = Account.of(aws.Provider("aws", region=REGION), REGION)
        found.extend(grant.statement() for grant in server_grants(account, "digits-prod"))

    record(run)
    assert {action for one in found for action in one["Action"]} == {
        "logs:CreateLogStream",
        "logs:DescribeLogStreams",
        "logs:PutLogEvents",
        "ssm:UpdateInstanceInformation",
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
    }


@pytest.mark.parametrize("metric", ["concurrency", "requests_per_second", "cpu"])
def test_by_awss_published_models(metric: Any) -> None:
    at = Schedule(cron="0 7 * * 1-5", timezone="Europe/Berlin", min=2, max=4)

    def run() -> None:
        program(
            lambda one: replace(
                one,
                scaling=Scaling(min=1, max=2, metric=metric, schedule=(at,)),
                rollout=Rollout(strategy="linear"),
                rollback_alarms=(
                    aws.cloudwatch.CompositeAlarm("fast", alarm_name="fast", alarm_rule="TRUE").alarm_name,
                ),
            )
        )

    report = check(of_function(run))
    assert [*report.problems, *report.findings] == []
