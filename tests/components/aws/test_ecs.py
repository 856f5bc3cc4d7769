"""The ECS component under mocks: exact inputs; by AWS's published models; and what prepares a task, run for real.

Not shown: that ECS takes the service, shifts traffic, or goes back. The preparation runs on this machine's Python and
in folders of the test, not on Fargate.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from components.aws import ecs_task
from components.aws.account import Account
from components.aws.ecs import EcsArgs, EcsService, execution_grants, infrastructure_grants, target_groups
from components.aws.fargate import SIZES, Size, smallest
from components.aws.front_door import ENDPOINT_SERVICES, FrontDoor, FrontDoorArgs
from components.aws.grants import Grant
from components.aws.identity import Permissions, PermissionsArgs, Role, RoleArgs
from components.aws.instances import TooLargeError
from components.aws.keys import EncryptionKey, KeyArgs
from components.aws.network import Network, NetworkArgs
from components.aws.registry import Registry, RegistryArgs
from operations.schema.check import check
from operations.schema.mocked import of_function
from spec.fields import Rollout, Scaling, Schedule
from tests.components.recording import Recording, record

REGION = "eu-central-1"
SERVICE = "aws:ecs/service:Service"
TASK = "aws:ecs/taskDefinition:TaskDefinition"
WITHOUT_MODEL = {
    "aws:acm/certificateValidation:CertificateValidation",
    "aws:ec2/routeTableAssociation:RouteTableAssociation",
}
IN_STEPS = Rollout(strategy="canary", step_percent=20, bake_minutes=3)
BUSY = Scaling(min=2, max=9, schedule=(Schedule(cron="0 7 * * 1-5", timezone="Europe/Berlin", min=4, max=9),))


def program(change: Callable[[EcsArgs], EcsArgs], rollout: Rollout, domain: str | None) -> EcsService:
    provider = aws.Provider("aws", region=REGION)
    top = pulumi.ResourceOptions(provider=provider)
    account = Account.of(provider, REGION)
    key = EncryptionKey("digits", KeyArgs(account, "Data"), top)
    network = Network("digits", NetworkArgs(account, None, ENDPOINT_SERVICES, key.arn, 30, public=True), top)
    groups = target_groups(rollout)
    door = FrontDoor(
        "digits-ecs",
        FrontDoorArgs(
            account, "digits-prod", network, "public", 8080, "/readyz", 30, domain, key.arn, target_groups=groups
        ),
        top,
    )
    roles = {one: Role(f"digits-{one}", RoleArgs(account, "ecs.amazonaws.com", one), top) for one in ("start", "serve")}
    shifts = Role("digits-shift", RoleArgs(account, "ecs.amazonaws.com", "shift"), top) if groups > 1 else None
    Permissions(
        "digits-start",
        PermissionsArgs(roles["start"].name, execution_grants(account, "digits-prod", door)),
        top,
    )
    if shifts is not None:
        Permissions("digits-shift", PermissionsArgs(shifts.name, infrastructure_grants(door)), top)
    registry = Registry("digits", RegistryArgs(key.arn), top)
    args = EcsArgs(
        account=account,
        service="digits-prod",
        door=door,
        network=network,
        image=pulumi.Output.concat(registry.url, f"@sha256:{'0' * 64}"),
        environment={"MODEL_URI": "s3://releases/digits/v1/", "LOG_LEVEL": "info"},
        execution_role_arn=roles["start"].arn,
        task_role_arn=roles["serve"].arn,
        size=smallest(1, 2),
        scaling=Scaling(),
        rollout=rollout,
        log_days=30,
        infrastructure_role_arn=None if shifts is None else shifts.arn,
        key_arn=key.arn,
    )
    return EcsService("digits", change(args), top)


def unchanged(args: EcsArgs) -> EcsArgs:
    return args


def busy(args: EcsArgs) -> EcsArgs:
    return replace(args, scaling=BUSY)


def made(
    change: Callable[[EcsArgs], EcsArgs] = unchanged, rollout: Rollout | None = None, domain: str | None = None
) -> Recording:
    return record(lambda: program(change, rollout or Rollout(), domain))


@pytest.fixture(scope="module")
def plain() -> Recording:
    return made()


def containers(recording: Recording) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in json.loads(recording.one(TASK).inputs["containerDefinitions"])}


class TestTask:
    def test_size_and_platform(self, plain: Recording) -> None:
        task = plain.one(TASK).inputs
        assert (task["cpu"], task["memory"]) == ("1024", "2048")
        assert task["requiresCompatibilities"] == ["FARGATE"]
        assert task["networkMode"] == "awsvpc"
        assert task["runtimePlatform"] == {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"}
        assert task["volumes"] == [{"name": "scratch"}]

    def test_the_server_may_do_little(self, plain: Recording) -> None:
        server = containers(plain)["server"]
        assert server["user"] == "10001:10001"
        assert server["readonlyRootFilesystem"] is True
        assert server["privileged"] is False
        assert server["linuxParameters"] == {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}}
        assert server["mountPoints"] == [{"sourceVolume": "scratch", "containerPath": "/tmp", "readOnly": False}]
        assert server["dependsOn"] == [{"containerName": "prepare", "condition": "SUCCESS"}]

    def test_it_is_stopped_later_than_it_ends_by_itself(self, plain: Recording) -> None:
        server = containers(plain)["server"]
        env = {one["name"]: one["value"] for one in server["environment"]}
        assert env["MODEL_URI"] == "s3://releases/digits/v1/"
        assert int(env["DRAIN_SECONDS"]) + int(env["GRACE_SECONDS"]) < server["stopTimeout"] <= 120
        assert "AUTH_TOKEN_FILE" not in env

    def test_its_log_is_encrypted_and_expires(self, plain: Recording) -> None:
        logs = plain.one("aws:cloudwatch/logGroup:LogGroup", "digits-logs").inputs
        assert logs["name"] == "/aws/ecs/digits-prod"
        assert logs["retentionInDays"] == 30
        assert logs["kmsKeyId"].endswith("digits-key")

    def test_a_token_comes_as_a_file_and_never_in_plain(self) -> None:
        recording = made(domain="model.example.com")
        found = containers(recording)
        secret = recording.one("aws:secretsmanager/secret:Secret").name
        (given,) = found["prepare"]["secrets"]
        assert given["name"] == "TOKEN"
        assert given["valueFrom"].endswith(secret)
        assert "secrets" not in found["server"]
        env = {one["name"]: one["value"] for one in found["server"]["environment"]}
        assert env["AUTH_TOKEN_FILE"] == "/token/token"
        assert {"sourceVolume": "token", "containerPath": "/token", "readOnly": True} in found["server"]["mountPoints"]
        policy = json.loads(recording.one("aws:iam/rolePolicy:RolePolicy", "digits-start-policy").inputs["policy"])
        assert "secretsmanager:GetSecretValue" in [action for one in policy["Statement"] for action in one["Action"]]


class TestService:
    def test_all_at_once_is_a_rolling_update_that_goes_back(self, plain: Recording) -> None:
        service = plain.one(SERVICE).inputs
        assert "deploymentConfiguration" not in service
        assert service["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
        assert "alarms" not in service
        assert service["enableExecuteCommand"] is False
        assert service["networkConfiguration"]["assignPublicIp"] is False
        assert service["networkConfiguration"]["subnets"] == ["digits-private-0-id", "digits-private-1-id"]
        assert service["waitForSteadyState"] is True
        (balanced,) = service["loadBalancers"]
        assert "advancedConfiguration" not in balanced
        insights = plain.one("aws:ecs/cluster:Cluster").inputs["settings"]
        assert insights == [{"name": "containerInsights", "value": "enhanced"}]

    @pytest.mark.parametrize(
        ("rollout", "expected"),
        [
            (
                IN_STEPS,
                {
                    "strategy": "CANARY",
                    "bakeTimeInMinutes": "3",
                    "canaryConfiguration": {"canaryPercent": 20, "canaryBakeTimeInMinutes": "3"},
                },
            ),
            (
                Rollout(strategy="linear", step_percent=25, bake_minutes=2),
                {
                    "strategy": "LINEAR",
                    "bakeTimeInMinutes": "2",
                    "linearConfiguration": {"stepPercent": 25, "stepBakeTimeInMinutes": "2"},
                },
            ),
        ],
    )
    def test_steps_go_between_two_groups(self, rollout: Rollout, expected: dict[str, Any]) -> None:
        recording = made(lambda args: replace(args, rollback_alarms=("fast-burn",)), rollout)
        service = recording.one(SERVICE).inputs
        assert service["deploymentConfiguration"] == expected
        assert service["alarms"] == {"alarmNames": ["fast-burn"], "enable": True, "rollback": True}
        steps = service["loadBalancers"][0]["advancedConfiguration"]
        assert steps["alternateTargetGroupArn"].endswith("digits-ecs-targets-2")
        assert steps["productionListenerRule"].endswith("digits-ecs-rule")
        policy = json.loads(recording.one("aws:iam/rolePolicy:RolePolicy", "digits-shift-policy").inputs["policy"])
        rights = {one["Sid"]: one["Resource"] for one in policy["Statement"]}
        assert len(rights["Targets"]) == 2
        assert rights["Shares"][0].endswith("digits-ecs-rule")

    def test_steps_without_what_they_need_are_refused(self) -> None:
        with pytest.raises(ValueError, match=r"door has 1 target groups with rollout\.strategy 'canary'; allowed: 2"):
            made(lambda args: replace(args, rollout=IN_STEPS))
        with pytest.raises(ValueError, match="infrastructure_role_arn is None"):
            made(lambda args: replace(args, infrastructure_role_arn=None), IN_STEPS)


class TestScaling:
    def test_one_size_needs_none(self, plain: Recording) -> None:
        assert not plain.of("aws:appautoscaling/target:Target")
        assert plain.one(SERVICE).inputs["desiredCount"] == 1

    def test_bounds_and_times(self) -> None:
        recording = made(busy)
        target = recording.one("aws:appautoscaling/target:Target").inputs
        assert (target["minCapacity"], target["maxCapacity"]) == (2, 9)
        assert target["resourceId"] == "service/digits-prod/digits-prod"
        at = recording.one("aws:appautoscaling/scheduledAction:ScheduledAction").inputs
        assert (at["schedule"], at["timezone"]) == ("cron(0 7 ? * MON-FRI *)", "Europe/Berlin")

    @pytest.mark.parametrize(
        ("metric", "expression"),
        [
            ("requests_per_second", "requests / 60 / tasks"),
            ("concurrency", "requests / 60 / tasks * FILL(seconds, 0)"),
        ],
    )
    def test_load_is_counted_over_both_groups(self, metric: Any, expression: str) -> None:
        recording = made(lambda args: replace(args, scaling=Scaling(max=3, metric=metric, target=7)))
        found = recording.one("aws:appautoscaling/policy:Policy").inputs["targetTrackingScalingPolicyConfiguration"]
        assert found["targetValue"] == 7
        metrics = {one["id"]: one for one in found["customizedMetricSpecification"]["metrics"]}
        assert metrics["load"]["expression"] == expression
        assert [key for key, one in metrics.items() if one["returnData"]] == ["load"]
        of = metrics["requests"]["metricStat"]["metric"]
        assert of["dimensions"] == [{"name": "LoadBalancer", "value": "app/lb/1"}]

    def test_cpu(self) -> None:
        recording = made(lambda args: replace(args, scaling=Scaling(max=3, metric="cpu", target=60)))
        found = recording.one("aws:appautoscaling/policy:Policy").inputs["targetTrackingScalingPolicyConfiguration"]
        assert found == {
            "targetValue": 60,
            "predefinedMetricSpecification": {"predefinedMetricType": "ECSServiceAverageCPUUtilization"},
        }


class TestSizes:
    @pytest.mark.parametrize(
        ("cpu", "memory", "expected"),
        [
            (0.1, 0.25, Size(256, 512)),
            (0.25, 1.5, Size(256, 2048)),
            (0.25, 3, Size(512, 3072)),
            (1, 1, Size(1024, 2048)),
            (1.5, 4, Size(2048, 4096)),
            (1, 31, Size(8192, 32768)),
            (16, 120, Size(16384, 122880)),
        ],
    )
    def test_the_smallest_that_holds(self, cpu: float, memory: float, expected: Size) -> None:
        assert smallest(cpu, memory) == expected

    def test_too_large(self) -> None:
        with pytest.raises(TooLargeError, match="cpu 17 and memory_gib 1; allowed on this target: at most 16 and 120"):
            smallest(17, 1)
        with pytest.raises(TooLargeError, match="memory_gib 121"):
            smallest(1, 121)

    def test_every_size_is_in_order_and_once(self) -> None:
        assert list(SIZES) == sorted(set(SIZES), key=lambda size: (size.cpu, size.memory_mib))
        assert len(SIZES) == 3 + 4 + 7 + 13 + 23 + 12 + 12


class TestPreparation:
    """The very code of the first container, with the test's folders for the task's volumes."""

    @staticmethod
    def run(folder: Path, **variables: str) -> None:
        (folder / "scratch").mkdir(mode=0o755)
        (folder / "token").mkdir(mode=0o755)
        code = ecs_task.PREPARATION.replace(repr(ecs_task.SCRATCH), repr(str(folder / "scratch")))
        code = code.replace(repr(ecs_task.TOKEN_FILE), repr(str(folder / "token" / "token")))
        assert str(folder) in code
        subprocess.run([sys.executable, "-c", code], check=True, timeout=120, env={**os.environ, **variables})

    def test_everybody_may_write_to_the_scratch_folder(self, tmp_path: Path) -> None:
        self.run(tmp_path)
        assert stat.S_IMODE((tmp_path / "scratch").stat().st_mode) == 0o1777
        assert not list((tmp_path / "token").iterdir())

    def test_the_token_is_there_to_be_read(self, tmp_path: Path) -> None:
        self.run(tmp_path, TOKEN="of-sixteen-characters-or-more")
        file = tmp_path / "token" / "token"
        assert file.read_text() == "of-sixteen-characters-or-more"
        assert stat.S_IMODE(file.stat().st_mode) == 0o444


@pytest.mark.parametrize(
    ("change", "rollout", "domain"), [(busy, Rollout(), None), (unchanged, IN_STEPS, "model.example.com")]
)
def test_every_input_is_right_by_awss_models(
    change: Callable[[EcsArgs], EcsArgs], rollout: Rollout, domain: str | None
) -> None:
    recording = of_function(lambda: program(change, rollout, domain))
    assert recording.refused == []
    report = check(recording)
    assert [*report.problems, *report.findings] == []
    assert report.without_model <= WITHOUT_MODEL
    assert report.unmapped == {}


def test_a_right_to_change_what_is_no_rule_is_found() -> None:
    """The schema check lets a rule of one kind of balancer pass, and nothing else."""

    def wrong() -> None:
        top = pulumi.ResourceOptions(provider=aws.Provider("aws", region=REGION))
        account = Account.of(aws.Provider("other", region=REGION), REGION)
        role = Role("digits-shift", RoleArgs(account, "ecs.amazonaws.com", "shift"), top)
        grant = Grant("Shares", ("elasticloadbalancing:ModifyRule",), (role.arn,))
        Permissions("digits-shift", PermissionsArgs(role.name, [grant]), top)

    report = check(of_function(wrong))
    assert any("RESOURCE_MISMATCH" in str(one) for one in report.findings)
