"""The Lambda components under mocks: exact inputs, order, who may call.

Whether AWS accepts these inputs is not shown here. Names and limits are held against Lambda's published model.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pulumi_aws as aws
import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from components.aws import dropped_files, functions
from components.aws.access import Callers, CallersArgs
from components.aws.account import Account
from components.aws.dropped_files import DroppedFiles, DroppedFilesArgs
from components.aws.functions import FunctionArgs, memory_mib, storage_mib
from components.aws.grants import identity_policy
from components.aws.identity import Role, RoleArgs
from components.aws.lambda_ import LambdaArgs, LambdaService, metrics
from components.aws.network import Network, NetworkArgs
from components.aws.storage import Bucket, BucketArgs
from operations.schema.findings import Record
from operations.schema.iam import lint
from serving_image.entry import LAMBDA_HANDLER
from spec.fields import Scaling, Schedule
from spec.places import Network as ExistingNetwork
from spec.serverless import Trigger
from tests.components.recording import ACCOUNT, Recording, record

REGION = "eu-central-1"
FUNCTION = "digits-prod"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{FUNCTION}"
TYPE = "aws:lambda/function:Function"
TARGET = "aws:appautoscaling/target:Target"
READY = "aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig"


def function_args(**more: Any) -> FunctionArgs:
    args = FunctionArgs(
        account=Account.of(aws.Provider("aws", region=REGION), REGION),
        function=FUNCTION,
        image="123456789012.dkr.ecr.eu-central-1.amazonaws.com/server@sha256:0",
        role_arn=f"arn:aws:iam::{ACCOUNT}:role/server",
        memory_mib=2048,
        storage_mib=640,
        timeout_seconds=30,
        reserved=4,
        level="warning",
        log_days=30,
        environment={"MODEL_URI": "s3://releases/digits/v1/"},
    )
    return replace(args, **more)


def served(scaling: Scaling | None = None, **more: Any) -> Recording:
    return record(lambda: LambdaService("digits", LambdaArgs(function_args(**more), scaling or Scaling(min=1, max=4))))


def names(urns: set[str]) -> set[str]:
    return {urn.rpartition("::")[2] for urn in urns}


class TestFunction:
    def test_what_it_is_asked_to_be(self) -> None:
        recording = served(key_arn="arn:aws:kms:eu-central-1:123456789012:key/k")
        assert recording.one(TYPE).inputs == {
            "name": FUNCTION,
            "packageType": "Image",
            "imageUri": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/server@sha256:0",
            "imageConfig": {"commands": ["lambda"]},
            "architectures": ["x86_64"],
            "role": f"arn:aws:iam::{ACCOUNT}:role/server",
            "memorySize": 2048,
            "ephemeralStorage": {"size": 640},
            "timeout": 30,
            "reservedConcurrentExecutions": 4,
            "environment": {"variables": {"MODEL_URI": "s3://releases/digits/v1/"}},
            "loggingConfig": {
                "logFormat": "JSON",
                "logGroup": f"/aws/lambda/{FUNCTION}",
                "applicationLogLevel": "WARN",
                "systemLogLevel": "INFO",
            },
            "tracingConfig": {"mode": "Active"},
            "publish": True,
        }
        logs = recording.one("aws:cloudwatch/logGroup:LogGroup").inputs
        assert logs == {
            "name": f"/aws/lambda/{FUNCTION}",
            "retentionInDays": 30,
            "kmsKeyId": "arn:aws:kms:eu-central-1:123456789012:key/k",
        }

    def test_callers_name_the_alias_which_names_the_version(self) -> None:
        recording = served()
        alias = recording.one("aws:lambda/alias:Alias")
        assert alias.inputs["name"] == "live"
        assert "digits-function" in names(alias.depends_on)
        url = recording.one("aws:lambda/functionUrl:FunctionUrl")
        assert url.inputs == {
            "functionName": FUNCTION,
            "qualifier": "live",
            "authorizationType": "AWS_IAM",
            "invokeMode": "BUFFERED",
        }
        assert "digits-alias" in names(url.depends_on)

    def test_it_runs_in_the_given_network(self) -> None:
        existing = ExistingNetwork(vpc_id="vpc-1", subnet_ids=("subnet-1", "subnet-2"))

        def program() -> LambdaService:
            args = function_args()
            network = Network("n", NetworkArgs(args.account, existing, (), None, 30))
            return LambdaService("digits", LambdaArgs(replace(args, network=network), Scaling()))

        assert record(program).one(TYPE).inputs["vpcConfig"] == {
            "subnetIds": ["subnet-1", "subnet-2"],
            "securityGroupIds": ["n-service-id"],
        }


class TestSizes:
    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ((1, 2, 128), 2048),  # memory decides
            ((1, 0.5, 128), 1769),  # the CPU does
            ((0.05, 0.1, 1024), 1024),  # the configuration does
            ((0.01, 0.01, 128), 128),
            ((6, 2, 128), 10_240),  # the largest function's CPUs
            ((6.1, 2, 128), 10_791),  # more than there is: refused by whoever asks
        ],
    )
    def test_memory(self, asked: tuple[float, float, int], expected: int) -> None:
        assert memory_mib(*asked) == expected

    @pytest.mark.parametrize(
        ("release", "expected"), [(0, 512), (10 << 20, 512), (1 << 30, 1152), ((1 << 30) + 1, 1153)]
    )
    def test_storage(self, release: int, expected: int) -> None:
        assert storage_mib(release) == expected

    def test_limits_are_lambdas(self) -> None:
        model = ServiceModel(Loader().load_service_model("lambda", "service-2"), "lambda")
        storage = model.shape_for("EphemeralStorageSize").metadata
        assert storage["min"] == functions.LEAST_STORAGE
        assert storage["max"] >= functions.MOST_STORAGE  # more only with an accelerator
        assert set(functions.LEVELS.values()) <= set(model.shape_for("ApplicationLogLevel").enum)
        events = model.shape_for("MaximumRetryAttempts").metadata, model.shape_for("MaximumEventAgeInSeconds").metadata
        assert [one["max"] for one in events] == [dropped_files.RETRIES, dropped_files.RETRY_SECONDS]

    def test_the_command_is_the_entry_points(self) -> None:
        assert functions.COMMAND == "lambda"
        assert LAMBDA_HANDLER.endswith(".handle")


class TestScaling:
    def test_a_fixed_number_is_kept_ready(self) -> None:
        recording = served(Scaling(min=2, max=2))
        assert recording.one(READY).inputs == {
            "functionName": FUNCTION,
            "qualifier": "live",
            "provisionedConcurrentExecutions": 2,
        }
        assert recording.of(TARGET) == []

    def test_more_while_these_are_busy(self) -> None:
        recording = served(Scaling(min=2, max=6))
        target = recording.one(TARGET)
        assert target.inputs == {
            "minCapacity": 2,
            "maxCapacity": 6,
            "resourceId": f"function:{FUNCTION}:live",
            "scalableDimension": "lambda:function:ProvisionedConcurrency",
            "serviceNamespace": "lambda",
        }
        assert "digits-ready" in names(target.depends_on)
        tracking = recording.one("aws:appautoscaling/policy:Policy").inputs["targetTrackingScalingPolicyConfiguration"]
        assert tracking == {
            "targetValue": 0.7,
            "predefinedMetricSpecification": {"predefinedMetricType": "LambdaProvisionedConcurrencyUtilization"},
        }

    def test_none_is_ready_where_it_scales_to_zero(self) -> None:
        recording = served(Scaling(scale_to_zero=True, max=6))
        assert [*recording.of(READY), *recording.of(TARGET)] == []
        assert recording.one(TYPE).inputs["reservedConcurrentExecutions"] == 4

    def test_but_at_set_times(self) -> None:
        at = Schedule(cron="0 7 * * 1-5", timezone="Europe/Berlin", min=2, max=4)
        recording = served(Scaling(scale_to_zero=True, max=6, schedule=(at,)))
        assert recording.of(READY) == []
        assert recording.one(TARGET).inputs["minCapacity"] == 0
        action = recording.one("aws:appautoscaling/scheduledAction:ScheduledAction").inputs
        assert (action["schedule"], action["timezone"]) == ("cron(0 7 ? * MON-FRI *)", "Europe/Berlin")
        assert action["scalableTargetAction"] == {"minCapacity": 2, "maxCapacity": 4}

    def test_words_are_application_auto_scalings(self) -> None:
        model = ServiceModel(
            Loader().load_service_model("application-autoscaling", "service-2"), "application-autoscaling"
        )
        assert "lambda:function:ProvisionedConcurrency" in model.shape_for("ScalableDimension").enum
        assert "LambdaProvisionedConcurrencyUtilization" in model.shape_for("MetricType").enum


class TestDroppedFiles:
    def made(self) -> Recording:
        def program() -> DroppedFiles:
            bucket = Bucket("files", BucketArgs(None))
            args = function_args(function="digits-prod-files")
            trigger = Trigger(type="bucket", suffixes=(".csv", ".npz"))
            return DroppedFiles("digits", DroppedFilesArgs(args.account, args, bucket, trigger))

        return record(program)

    def test_each_ending_starts_the_function(self) -> None:
        notification = self.made().one("aws:s3/bucketNotification:BucketNotification")
        assert [
            (one["filterPrefix"], one["filterSuffix"], one["events"]) for one in notification.inputs["lambdaFunctions"]
        ] == [("incoming/", ending, ["s3:ObjectCreated:*"]) for ending in (".csv", ".npz")]
        assert "digits-bucket" in names(notification.depends_on)

    def test_only_this_bucket_of_this_account_may_start_it(self) -> None:
        permission = self.made().one("aws:lambda/permission:Permission").inputs
        assert (permission["principal"], permission["sourceAccount"]) == ("s3.amazonaws.com", ACCOUNT)
        assert permission["sourceArn"].endswith(":files")
        assert (permission["function"], permission["qualifier"]) == ("digits-prod-files", "live")

    def test_an_event_is_not_lost(self) -> None:
        events = self.made().one("aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig").inputs
        assert (events["maximumRetryAttempts"], events["maximumEventAgeInSeconds"]) == (2, 21_600)
        assert events["destinationConfig"]["onFailure"]["destination"].endswith(":files")

    def test_results_and_failures_start_nothing(self) -> None:
        incoming = self.made().one("aws:s3/bucketNotification:BucketNotification").inputs["lambdaFunctions"][0]
        for written in (Trigger(type="bucket").results_prefix, dropped_files.FAILED):
            assert not written.startswith(incoming["filterPrefix"])


class TestWhoMayDoWhat:
    def test_callers_may_call_this_alias_through_its_url_and_nothing_else(self) -> None:
        def program() -> Callers:
            service = LambdaService("digits", LambdaArgs(function_args(), Scaling()))
            return Callers("digits", CallersArgs(service.grants, [f"arn:aws:iam::{ACCOUNT}:role/app"]))

        policy = record(program).one("aws:iam/policy:Policy").inputs["policy"]
        statements = json.loads(policy)["Statement"]
        assert [(one["Action"], one["Resource"], one["Condition"]) for one in statements] == [
            (
                ["lambda:InvokeFunctionUrl"],
                [f"{ARN}:live"],
                {"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}},
            ),
            (["lambda:InvokeFunction"], [f"{ARN}:live"], {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}),
        ]

    def test_the_role_is_lambdas_and_may_do_its_work_only(self) -> None:
        existing = ExistingNetwork(vpc_id="vpc-1", subnet_ids=("subnet-1",))

        def program() -> Any:
            account = Account.of(aws.Provider("aws", region=REGION), REGION)
            Role("digits", RoleArgs(account, "lambda.amazonaws.com", "Runs digits"))
            network = Network("n", NetworkArgs(account, existing, (), None, 30))
            bucket = Bucket("files", BucketArgs(None))
            given = [
                *functions.grants(account, [FUNCTION, f"{FUNCTION}-files"], network=network),
                *dropped_files.grants(bucket, Trigger(type="bucket")),
            ]
            aws.iam.RolePolicy("digits", role="r", policy=identity_policy(given))

        recording = record(program)
        trust = json.loads(recording.one("aws:iam/role:Role").inputs["assumeRolePolicy"])["Statement"]
        assert [(one["Principal"], one.get("Condition")) for one in trust] == [
            ({"Service": "lambda.amazonaws.com"}, None)
        ]
        policy = recording.one("aws:iam/rolePolicy:RolePolicy")
        for statement in json.loads(policy.inputs["policy"])["Statement"]:
            if statement["Sid"] in ("Traces", "LookAtNetwork"):
                continue
            assert all(ACCOUNT in arn or ":s3:" in arn for arn in statement["Resource"]), statement
        written = [
            arn
            for one in json.loads(policy.inputs["policy"])["Statement"]
            if "s3:PutObject" in one["Action"]
            for arn in one["Resource"]
        ]
        assert [arn.partition(":files/")[2] for arn in written] == ["scored/*", "aws/lambda/async/*"]
        in_our_form = {
            "role": "r",
            "policy": policy.inputs["policy"].replace("arn:aws:s3:eu-central-1:" + ACCOUNT, "arn:aws:s3::"),
        }
        assert [str(one) for one in lint(Record(policy.type, "it", in_our_form))] == []


def test_metrics_are_the_alias_own() -> None:
    (traffic,) = metrics(FUNCTION).signals["traffic"].metrics  # pyright: ignore[reportAttributeAccessIssue]
    assert traffic.dimensions == {"FunctionName": FUNCTION, "Resource": f"{FUNCTION}:live"}
