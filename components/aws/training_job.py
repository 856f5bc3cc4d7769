"""A training run on SageMaker: the training image on the service's own machine, from bucket to bucket."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import PurePosixPath

import pulumi
import pulumi_aws as aws

from components.aws.account import Account
from components.aws.grants import Grant
from components.aws.network import Network
from components.aws.storage import Bucket
from spec.training_run import TrainingRun

#: Where SageMaker puts a channel's files, and all jobs of an account write their logs
#: (https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html).
CHANNEL = "training"
INPUT_FOLDER = PurePosixPath("/opt/ml/input/data") / CHANNEL
LOG_GROUP = "/aws/sagemaker/TrainingJobs"
#: How long a run waits for spare capacity, beside the time it may run.
WAIT_SECONDS = 3600

#: Everything that a run is: once begun it is not made again because its role, key or network changed.
_FIXED = [
    "algorithmSpecification",
    "enableManagedSpotTraining",
    "enableNetworkIsolation",
    "environment",
    "inputDataConfigs",
    "outputDataConfig",
    "resourceConfig",
    "roleArn",
    "stoppingCondition",
    "vpcConfig",
]


@dataclass(frozen=True)
class TrainingJobArgs:
    """account: whose. prefix: begins the job's name, unique in account and region. run: what is trained, on what.
    data: bucket with the data set. releases: bucket that gets the release. role_arn: the job takes it on; it holds the
    component's `grants`. key_arn: encrypts the machine's disk. network: None for the service's own.
    """

    account: Account
    prefix: str
    run: TrainingRun
    data: Bucket
    releases: Bucket
    role_arn: pulumi.Input[str]
    key_arn: pulumi.Input[str] | None = None
    network: Network | None = None


class TrainingJob(pulumi.ComponentResource):
    """One run: it trains, publishes under the next number of its model in the bucket of releases, and ends.

    An `up` begins it and does not wait for its end. Each run is a resource of its own, named after all that it is, so
    that a change begins another one; the job itself stays in SageMaker's list as the record of where a release is from,
    and a run that goes on when it is removed from the description ends by itself.
    name: of the job. logs: where to read along.
    """

    name: str
    logs: pulumi.Output[str]

    def __init__(self, name: str, args: TrainingJobArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:TrainingJob", name, {}, opts)
        run, seconds = args.run, round(args.run.hours * 3600)
        self.name = job_name(args.prefix, run)
        stopping = aws.sagemaker.TrainingJobStoppingConditionArgs
        aws.sagemaker.TrainingJob(
            f"{name}-{run.run}-{_digest(args.prefix, run)}",
            training_job_name=self.name,
            role_arn=args.role_arn,
            algorithm_specification=aws.sagemaker.TrainingJobAlgorithmSpecificationArgs(
                training_image=run.image,
                training_input_mode="File",
                # The image's own entry point is kept; without arguments the service would call it with `train`.
                container_arguments=_arguments(run, args.releases),
            ),
            environment={"AWS_REGION": args.account.region},
            input_data_configs=_input(run, args.data),
            # The release goes to its bucket by the job itself, under the next number and never over another one. What
            # the service takes along from /opt/ml/model is nothing.
            output_data_config=aws.sagemaker.TrainingJobOutputDataConfigArgs(
                s3_output_path=pulumi.Output.concat("s3://", args.releases.name, "/.training"),
                compression_type="NONE",
                kms_key_id=args.key_arn,
            ),
            resource_config=aws.sagemaker.TrainingJobResourceConfigArgs(
                instance_type=run.instance_type,
                instance_count=1,
                volume_size_in_gb=run.volume_gib,
                volume_kms_key_id=args.key_arn,
            ),
            enable_managed_spot_training=run.spot,
            stopping_condition=stopping(
                max_runtime_in_seconds=seconds, max_wait_time_in_seconds=seconds + WAIT_SECONDS if run.spot else None
            ),
            # Isolated, it could not reach the bucket; in a network of the stack's there is no way anywhere else.
            enable_network_isolation=False,
            vpc_config=None
            if args.network is None
            else aws.sagemaker.TrainingJobVpcConfigArgs(
                subnets=args.network.subnet_ids, security_group_ids=[args.network.security_group_id]
            ),
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True, ignore_changes=_FIXED),
        )
        console = f"https://{args.account.region}.console.aws.amazon.com/sagemaker/home?region={args.account.region}"
        self.logs = pulumi.Output.from_input(f"{console}#/jobs/{self.name}")
        self.register_outputs({"name": self.name, "logs": self.logs})


def training_grants(account: Account, data: Bucket, releases: Bucket, run: TrainingRun) -> tuple[Grant, ...]:
    """What the job's role needs beside its image, its key and its network.

    After https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html, less what this image does not do.
    """
    group = account.arn("logs", f"log-group:{LOG_GROUP}")
    streams = pulumi.Output.concat(group, ":log-stream:*")
    return (
        *(() if run.dataset is None else data.read("TrainingData", run.dataset)),
        # It looks which numbers there are, and reads back what it wrote.
        *releases.read("Releases"),
        Grant("Publish", ("s3:PutObject",), (pulumi.Output.concat(releases.arn, "/*"),)),
        Grant("WriteLogs", ("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"), (group, streams)),
        Grant("MakeLogs", ("logs:CreateLogGroup",), (group,)),  # the first job of an account makes it
        Grant(
            "Metrics",
            ("cloudwatch:PutMetricData",),
            conditions={"StringEquals": {"cloudwatch:namespace": "/aws/sagemaker/TrainingJobs"}},
        ),
    )


def job_name(prefix: str, run: TrainingRun) -> str:
    """The job's name: no two runs have one, and a run that is described anew has its own again."""
    return f"{prefix}-run-{run.run}-{_digest(prefix, run)}"


def _digest(prefix: str, run: TrainingRun) -> str:
    text = json.dumps([prefix, pulumi.get_stack(), run.model_dump(mode="json")], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _arguments(run: TrainingRun, releases: Bucket) -> list[pulumi.Input[str]]:
    found: list[pulumi.Input[str]] = ["job", "--trainer", run.trainer, "--output"]
    found.append(pulumi.Output.concat("s3://", releases.name))
    if run.dataset is not None:
        found += ["--data", str(INPUT_FOLDER / PurePosixPath(run.dataset).name)]
    if run.model is not None:
        found += ["--model", run.model]
    return found


def _input(run: TrainingRun, data: Bucket) -> list[aws.sagemaker.TrainingJobInputDataConfigArgs] | None:
    if run.dataset is None:
        return None
    source = aws.sagemaker.TrainingJobInputDataConfigDataSourceArgs
    s3 = aws.sagemaker.TrainingJobInputDataConfigDataSourceS3DataSourceArgs
    uri = pulumi.Output.concat("s3://", data.name, f"/{run.dataset}")
    return [
        aws.sagemaker.TrainingJobInputDataConfigArgs(
            channel_name=CHANNEL,
            input_mode="File",
            data_source=source(
                s3_data_source=s3(s3_uri=uri, s3_data_type="S3Prefix", s3_data_distribution_type="FullyReplicated")
            ),
        )
    ]
