"""A training run in stack aws: exact inputs, what makes another run, who may do what, and every mistake at preview.

Under mocks and against the stand-in cloud; that SageMaker runs the image is not shown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pulumi
import pytest

import stacks
from operations.schema.check import check
from operations.schema.findings import Recording as Recorded
from operations.schema.iam import lint, policies
from operations.schema.mocked import of_function
from spec.bootstrap import load_bootstrap
from spec.errors import SpecError
from spec.service import load_service
from stacks.bootstrap_policies_aws import boundary_policy, deploy_policies
from tests.components.aws.bootstrapped import allows, example, statements
from tests.components.aws.whole import EXISTING, STACK, whole
from tests.components.recording import ACCOUNT

KEY = "cloud-ml-deployment:training"
JOB = "aws:sagemaker/trainingJob:TrainingJob"
IMAGE = f"{ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com/training@sha256:{'ab' * 32}"
RUN = {"trainer": "forest", "image": IMAGE}
RELEASES = "digits-euc1-releases"


@pytest.fixture
def configured() -> Iterator[Callable[[dict[str, Any]], None]]:
    """Sets the stack's config `training`."""
    yield lambda value: pulumi.runtime.set_all_config({KEY: json.dumps(value)})
    pulumi.runtime.set_all_config({})


def test_exact_inputs(service: dict[str, Any], tree: Path, configured: Any) -> None:
    configured({**RUN, "run": 3, "dataset": "2026/orders.npz", "model": "orders", "spot": True, "hours": 0.5})
    job = whole(service, tree).one(JOB)
    name = job.inputs.pop("trainingJobName")
    assert name.startswith("digits-euc1-run-3-")
    assert len(name) <= 63
    private = job.inputs.pop("vpcConfig")
    assert set(private) == {"subnets", "securityGroupIds"}
    key = job.inputs["resourceConfig"]["volumeKmsKeyId"]
    assert job.inputs == {
        "roleArn": "arn:aws:iam:eu-central-1:123456789012:digits-euc1-training-role",
        "algorithmSpecification": {
            "trainingImage": IMAGE,
            "trainingInputMode": "File",
            "containerArguments": [
                *("job", "--trainer", "forest", "--output", f"s3://{RELEASES}"),
                *("--data", "/opt/ml/input/data/training/orders.npz", "--model", "orders"),
            ],
        },
        "environment": {"AWS_REGION": "eu-central-1"},
        "inputDataConfigs": [
            {
                "channelName": "training",
                "inputMode": "File",
                "dataSource": {
                    "s3DataSource": {
                        "s3Uri": "s3://digits-euc1-data/2026/orders.npz",
                        "s3DataType": "S3Prefix",
                        "s3DataDistributionType": "FullyReplicated",
                    }
                },
            }
        ],
        "outputDataConfig": {
            "s3OutputPath": f"s3://{RELEASES}/.training",
            "compressionType": "NONE",
            "kmsKeyId": key,
        },
        "resourceConfig": {
            "instanceType": "ml.m5.xlarge",
            "instanceCount": 1,
            "volumeSizeInGb": 30,
            "volumeKmsKeyId": key,
        },
        "enableManagedSpotTraining": True,
        "stoppingCondition": {"maxRuntimeInSeconds": 1800, "maxWaitTimeInSeconds": 5400},
        "enableNetworkIsolation": False,
    }
    assert job.retain


def test_the_trainers_own_data_needs_no_bucket(service: dict[str, Any], tree: Path, configured: Any) -> None:
    configured(RUN)
    plain = {"access": {"visibility": "public"}, "encryption": {"customer_managed_key": False}}
    recording = whole({**service, **plain}, tree)
    inputs = recording.one(JOB).inputs
    assert {"inputDataConfigs", "vpcConfig"} & set(inputs) == set()
    assert inputs["stoppingCondition"] == {"maxRuntimeInSeconds": 3600}
    policy = recording.one("aws:iam/rolePolicy:RolePolicy", "digits-euc1-training-policy").inputs["policy"]
    assert {one["Sid"] for one in statements(policy)} == {
        *("ReleasesObjects", "ReleasesListing", "Publish", "WriteLogs", "MakeLogs", "Metrics"),
        *("RegistryLogin", "PullImage"),
    }


def test_without_the_config_nothing_is_trained(service: dict[str, Any], tree: Path) -> None:
    assert whole(service, tree).of(JOB) == []


@pytest.mark.parametrize(
    "change",
    [{"run": 2}, {"hours": 2}, {"trainer": "torch"}, {"dataset": "other.npz"}, {"instance_type": "ml.c5.xlarge"}],
)
def test_a_change_is_another_run_and_no_replacement(
    service: dict[str, Any], tree: Path, configured: Any, change: dict[str, Any]
) -> None:
    configured(RUN)
    first = whole(service, tree).one(JOB)
    again = whole(service, tree).one(JOB)
    configured({**RUN, **change})
    second = whole(service, tree).one(JOB)
    assert (first.name, first.inputs["trainingJobName"]) == (again.name, again.inputs["trainingJobName"])
    assert first.name != second.name
    assert first.inputs["trainingJobName"] != second.inputs["trainingJobName"]


def test_the_key_may_be_used_by_the_run(service: dict[str, Any], tree: Path, configured: Any) -> None:
    configured(RUN)
    key = statements(whole(service, tree).one("aws:kms/keyPolicy:KeyPolicy").inputs["policy"])
    assert {"RoleTraining", "GrantsTraining"} <= {one["Sid"] for one in key}


def test_the_inputs_and_policies_are_what_aws_publishes_and_within_the_boundary(
    root: Path, service: dict[str, Any], tree: Path
) -> None:
    config = {"mocked:training": json.dumps({**RUN, "dataset": "orders.npz", "spot": True})}
    spec = load_service(service, stack=STACK)
    with patch.object(pulumi, "get_root_directory", lambda: str(tree)):
        records = of_function(lambda: stacks.deploy(spec), config, existing=EXISTING).records
    job = next(one for one in records if one.token == JOB)
    report = check(Recorded([job]))
    assert [str(one) for one in report.findings if "does not exist" not in str(one)] == []
    assert [str(finding) for record in policies(records) for finding in lint(record)] == []
    bootstrap = load_bootstrap(example(root))
    boundary = statements(boundary_policy(bootstrap, "prod", "aws", ACCOUNT))
    given = {
        "aws__RequestedRegion": "eu-central-1",
        "aws__ResourceTag/service": "digits",
        "cloudwatch__namespace": "/aws/sagemaker/TrainingJobs",
    }
    role = next(one for one in records if one.name == "digits-euc1-training-policy")
    for statement in statements(role.inputs["policy"]):
        resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        for action in statement["Action"]:
            for resource in resources:
                assert allows(boundary, action, resource, **given), f"{action} on {resource}"
    deploys = statements(deploy_policies(bootstrap, "prod", "aws", ACCOUNT).values())
    arn = f"arn:aws:sagemaker:eu-central-1:{ACCOUNT}:training-job/{job.inputs['trainingJobName']}"
    assert allows(deploys, "sagemaker:CreateTrainingJob", arn, aws__RequestedRegion="eu-central-1")


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ({"trainer": "forest"}, "training.image is missing"),
        ({**RUN, "trainer": "tree"}, "training.trainer is 'tree'; allowed: forest, cnn or torch"),
        ({**RUN, "run": 0}, "training.run is 0"),
        ({**RUN, "dataset": "s3://b/x.npz"}, "training.dataset is 's3://b/x.npz'; allowed: Key of the data"),
        ({**RUN, "hours": 1000}, "training.hours is 1000"),
        ({**RUN, "gpu": True}, "training.gpu is not a field"),
        (
            {**RUN, "region": "eu-west-1"},
            "training.region is 'eu-west-1'; allowed: a region of service.deploy_to",
        ),
        (
            {**RUN, "image": IMAGE.replace("eu-central-1", "eu-west-1")},
            "an image in Amazon ECR in eu-central-1, since SageMaker takes no other",
        ),
        ({**RUN, "instance_type": "m5.xlarge"}, "training.instance_type is 'm5.xlarge'"),
    ],
)
def test_a_mistake_is_said_before_anything_is_registered(
    service: dict[str, Any], tree: Path, configured: Any, run: dict[str, Any], said: str
) -> None:
    configured(run)
    with pytest.raises(SpecError) as refused:
        whole(service, tree)
    assert said in str(refused.value)
