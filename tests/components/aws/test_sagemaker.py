"""The SageMaker component and who may call it, under mocks: exact inputs, order, what is kept.

Whether AWS accepts these inputs is not shown here; guardrails are held against SageMaker's published model.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pulumi_aws as aws
import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from components.aws.access import Callers, CallersArgs
from components.aws.account import Account
from components.aws.network import Network, NetworkArgs
from components.aws.rollout import effective, guardrails
from components.aws.sagemaker import CANARY, PRIMARY, SageMakerArgs, SageMakerEndpoint, Variant
from components.aws.storage import Storage, StorageArgs
from spec.fields import Capture, Rollout, Scaling, Schedule
from spec.places import Network as ExistingNetwork
from tests.components.recording import ACCOUNT, Recording, record

REGION = "eu-central-1"
ENDPOINT = "digits-prod"
CONFIGURATION = "aws:sagemaker/endpointConfiguration:EndpointConfiguration"
SETTLED = "pulumi-python:dynamic/aws:Settled"
SWEEPER = "pulumi-python:dynamic/aws:Configurations"

pytestmark = pytest.mark.proof("SageMaker", level="mocks")


def args() -> SageMakerArgs:
    return SageMakerArgs(
        account=Account.of(aws.Provider("aws", region=REGION), REGION),
        endpoint=ENDPOINT,
        variants=(Variant(PRIMARY, "s3://releases/digits/v1/", 100),),
        image="123456789012.dkr.ecr.eu-central-1.amazonaws.com/server@sha256:0",
        role_arn="arn:aws:iam::123456789012:role/server",
        instance_type="ml.m5.large",
        scaling=Scaling(),
        rollout=Rollout(),
        log_days=30,
    )


def made(change: Callable[[SageMakerArgs], SageMakerArgs] = lambda same: same) -> Recording:
    return record(lambda: SageMakerEndpoint("digits", change(args())))


def names(urns: set[str]) -> set[str]:
    return {urn.rpartition("::")[2] for urn in urns}


@pytest.fixture(scope="module")
def plain() -> Recording:
    return made()


class TestEndpoint:
    def test_what_it_makes(self, plain: Recording) -> None:
        assert {name.rpartition(" ")[2] for name in plain.custom} == {
            "digits-logs",
            "digits-configurations",
            "digits-primary",
            "digits-configuration",
            "digits-endpoint",
            "digits-settled",
        }

    def test_model(self, plain: Recording) -> None:
        model = plain.one("aws:sagemaker/model:Model")
        assert model.inputs == {
            "executionRoleArn": "arn:aws:iam::123456789012:role/server",
            "primaryContainer": {
                "image": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/server@sha256:0",
                "environment": {},
                "modelDataSource": {
                    "s3DataSources": [
                        {"s3Uri": "s3://releases/digits/v1/", "s3DataType": "S3Prefix", "compressionType": "None"}
                    ]
                },
            },
            "enableNetworkIsolation": True,
            "tags": {"cloud-ml-deployment:endpoint": ENDPOINT},
        }
        assert model.retain

    def test_configuration(self, plain: Recording) -> None:
        configuration = plain.one(CONFIGURATION)
        assert configuration.inputs == {
            "namePrefix": "digits-prod-",
            "productionVariants": [
                {
                    "variantName": "primary",
                    "modelName": "digits-primary",
                    "instanceType": "ml.m5.large",
                    "initialInstanceCount": 1,
                    "initialVariantWeight": 100,
                    "containerStartupHealthCheckTimeoutInSeconds": 600,
                    "modelDataDownloadTimeoutInSeconds": 600,
                }
            ],
            "tags": {"cloud-ml-deployment:endpoint": ENDPOINT},
        }
        assert configuration.retain

    def test_order(self, plain: Recording) -> None:
        """What sweeps goes before the endpoint comes, and after it goes; what settles comes after it."""
        endpoint = plain.one("aws:sagemaker/endpoint:Endpoint")
        assert endpoint.inputs == {"name": ENDPOINT, "endpointConfigName": "digits-configuration"}
        assert {"digits-logs", "digits-configurations", "digits-configuration"} <= names(endpoint.depends_on)
        assert {"digits-endpoint", "digits-configuration"} <= names(plain.one(SETTLED).depends_on)
        assert "digits-endpoint" not in names(plain.one(SWEEPER).depends_on)
        settled = plain.one(SETTLED).inputs
        assert {key: settled[key] for key in ("endpoint", "configuration", "region", "deployment")} == {
            "endpoint": ENDPOINT,
            "configuration": "digits-configuration",
            "region": REGION,
            "deployment": "",
        }

    def test_two_slots_share_by_weight(self) -> None:
        both = (Variant(PRIMARY, "s3://r/digits/v1/", 90), Variant(CANARY, "s3://r/digits/v2/", 10))
        recording = made(lambda one: replace(one, variants=both))
        found = recording.one(CONFIGURATION).inputs["productionVariants"]
        assert [(one["variantName"], one["modelName"], one["initialVariantWeight"]) for one in found] == [
            ("primary", "digits-primary", 90),
            ("canary", "digits-canary", 10),
        ]

    def test_key_and_logs(self) -> None:
        recording = made(lambda one: replace(one, key_arn="arn:key", log_days=7))
        assert recording.one(CONFIGURATION).inputs["kmsKeyArn"] == "arn:key"
        assert recording.one("aws:cloudwatch/logGroup:LogGroup").inputs == {
            "name": "/aws/sagemaker/Endpoints/digits-prod",
            "retentionInDays": 7,
            "kmsKeyId": "arn:key",
        }

    def test_capture_goes_to_its_bucket(self) -> None:
        def with_capture(one: SageMakerArgs) -> SageMakerArgs:
            storage = Storage("s", StorageArgs(one.account, None, capture_days=7))
            return replace(one, capture=Capture(percent=5), captures=storage.captures, key_arn="arn:key")

        assert made(with_capture).one(CONFIGURATION).inputs["dataCaptureConfig"] == {
            "enableCapture": True,
            "initialSamplingPercentage": 5,
            "destinationS3Uri": "s3://s-captures/digits-prod",
            "kmsKeyId": "arn:key",
            "captureOptions": [{"captureMode": "Input"}, {"captureMode": "Output"}],
            "captureContentTypeHeader": {
                "jsonContentTypes": ["application/json"],
                "csvContentTypes": ["text/csv"],
            },
        }

    def test_a_network_is_joined_and_swept_before_it_goes(self) -> None:
        def inside(one: SageMakerArgs) -> SageMakerArgs:
            existing = ExistingNetwork(vpc_id="vpc-1", subnet_ids=("subnet-1", "subnet-2"))
            return replace(one, network=Network("n", NetworkArgs(one.account, existing, (), None, 30)))

        recording = made(inside)
        assert recording.one("aws:sagemaker/model:Model").inputs["vpcConfig"] == {
            "subnets": ["subnet-1", "subnet-2"],
            "securityGroupIds": ["n-service-id"],
        }
        assert "n-service" in names(recording.one(SWEEPER).depends_on)


class TestScaling:
    def test_none_without_room(self, plain: Recording) -> None:
        assert not plain.of("aws:appautoscaling/target:Target")

    def test_it_waits_for_the_update(self) -> None:
        recording = made(lambda one: replace(one, scaling=Scaling(min=1, max=4)))
        target = recording.one("aws:appautoscaling/target:Target")
        assert target.inputs == {
            "minCapacity": 1,
            "maxCapacity": 4,
            "resourceId": "endpoint/digits-prod/variant/primary",
            "scalableDimension": "sagemaker:variant:DesiredInstanceCount",
            "serviceNamespace": "sagemaker",
        }
        assert {"digits-endpoint", "digits-settled"} <= names(target.depends_on)

    @pytest.mark.parametrize(
        ("metric", "target", "expected"),
        [
            ("concurrency", 4, ("SageMakerVariantConcurrentRequestsPerModelHighResolution", 4)),
            ("requests_per_second", 10, ("SageMakerVariantInvocationsPerInstance", 600)),
            ("cpu", 60, ("CPUUtilization", 60)),
        ],
    )
    def test_each_metric(self, metric: Any, target: float, expected: tuple[str, float]) -> None:
        scaling = Scaling(min=1, max=2, metric=metric, target=target)
        recording = made(lambda one: replace(one, scaling=scaling))
        found = recording.one("aws:appautoscaling/policy:Policy").inputs["targetTrackingScalingPolicyConfiguration"]
        told = found.get("predefinedMetricSpecification") or found["customizedMetricSpecification"]
        assert (told.get("predefinedMetricType") or told["metricName"], found["targetValue"]) == expected

    def test_schedule(self) -> None:
        scaling = Scaling(
            min=1, max=2, schedule=(Schedule(cron="0 7 * * 1-5", timezone="Europe/Berlin", min=2, max=4),)
        )
        recording = made(lambda one: replace(one, scaling=scaling))
        action = recording.one("aws:appautoscaling/scheduledAction:ScheduledAction").inputs
        assert (action["schedule"], action["timezone"]) == ("cron(0 7 ? * MON-FRI *)", "Europe/Berlin")
        assert action["scalableTargetAction"] == {"minCapacity": 2, "maxCapacity": 4}


class TestGuardrails:
    def test_none_where_nothing_was_asked(self) -> None:
        assert guardrails(Rollout(), []) is None

    @pytest.mark.proof("SageMaker", level="schema")
    @pytest.mark.parametrize("strategy", ["all_at_once", "canary", "linear"])
    def test_each_is_one_of_sagemakers(self, strategy: Any) -> None:
        steps = Rollout(strategy=strategy, step_percent=20, bake_minutes=5) if strategy != "all_at_once" else Rollout()
        asked = guardrails(steps, ["a", "b"])
        assert asked is not None
        model = ServiceModel(Loader().load_service_model("sagemaker", "service-2"), "sagemaker")
        shape = model.operation_model("UpdateEndpoint").input_shape
        given = {"EndpointName": "e", "EndpointConfigName": "c", "DeploymentConfig": asked}
        assert not ParamValidator().validate(given, shape).has_errors()
        routing = asked["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
        assert (routing["Type"], routing["WaitIntervalInSeconds"]) == (strategy.upper(), steps.bake_minutes * 60)
        assert asked["AutoRollbackConfiguration"] == {"Alarms": [{"AlarmName": "a"}, {"AlarmName": "b"}]}

    def test_settled_gets_them_as_text(self) -> None:
        rollout = Rollout(strategy="canary", step_percent=20, bake_minutes=5)
        recording = made(lambda one: replace(one, rollout=rollout, rollback_alarms=["a"]))
        assert json.loads(recording.one(SETTLED).inputs["deployment"]) == guardrails(rollout, ["a"])
        assert "deploymentConfig" not in recording.one("aws:sagemaker/endpoint:Endpoint").inputs

    def test_same_slots_only(self) -> None:
        assert effective({"primary"}, {"primary": "model"})
        assert not effective({"primary"}, {"primary", "canary"})


class TestCallers:
    def record(self, **more: Any) -> Recording:
        def program() -> Callers:
            service = SageMakerEndpoint("digits", args())
            return Callers("digits", CallersArgs(service.grants, **more))

        return record(program)

    def test_they_may_call_this_endpoint_and_nothing_else(self) -> None:
        recording = self.record(
            principals=[f"arn:aws:iam::{ACCOUNT}:role/team/app", f"arn:aws:iam::{ACCOUNT}:user/anna"]
        )
        policy = json.loads(recording.one("aws:iam/policy:Policy").inputs["policy"])
        assert policy["Statement"] == [
            {
                "Sid": "Invoke",
                "Effect": "Allow",
                "Action": ["sagemaker:InvokeEndpoint"],
                "Resource": [f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/digits-prod"],
            }
        ]
        assert recording.one("aws:iam/rolePolicyAttachment:RolePolicyAttachment").inputs["role"] == "app"
        assert recording.one("aws:iam/userPolicyAttachment:UserPolicyAttachment").inputs["user"] == "anna"

    def test_a_private_service_is_called_through_its_endpoint(self) -> None:
        recording = self.record(principals=[], endpoint_id="vpce-1")
        policy = json.loads(recording.one("aws:iam/policy:Policy").inputs["policy"])
        assert policy["Statement"][0]["Condition"] == {"StringEquals": {"aws:SourceVpce": "vpce-1"}}
