"""A Lambda function that runs the serving image: its size, its logs, its versions, the alias that callers name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components.aws.account import Account
from components.aws.grants import Grant
from components.aws.network import Network, write_logs
from spec.serverless import PLATFORMS

#: What the image's entry point is told.
COMMAND = "lambda"
#: The alias that callers name. It never changes; the version behind it does.
ALIAS = "live"
#: Memory that has the power of one CPU, in MiB, and the CPUs of the largest function
#: (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html).
MIB_PER_CPU = 1769
MOST_CPUS = 6
#: Memory of a function, in MiB.
LEAST_MEMORY, MOST_MEMORY = PLATFORMS["lambda"].least, PLATFORMS["lambda"].most
#: Size of /tmp, in MiB (https://docs.aws.amazon.com/lambda/latest/dg/configuration-ephemeral-storage.html).
LEAST_STORAGE, MOST_STORAGE = 512, 10_240
#: Kept free in /tmp beside the releases, in MiB: what libraries write there.
ROOM = 128
#: Lambda's word for each of the server's levels; it drops lines below.
LEVELS = {"debug": "DEBUG", "info": "INFO", "warning": "WARN", "error": "ERROR"}


def memory_mib(cpu: float, memory_gib: float, least: int) -> int:
    """Memory that holds `memory_gib`, brings `cpu` CPUs and is `least` MiB at least; may be more than Lambda has."""
    power = MOST_MEMORY if MOST_CPUS - 1 < cpu <= MOST_CPUS else math.ceil(cpu * MIB_PER_CPU)
    return max(LEAST_MEMORY, least, math.ceil(memory_gib * 1024), power)


def storage_mib(release_bytes: int) -> int:
    """Size of /tmp into which the releases are fetched; may be more than Lambda has.

    A fetched release is removed once it is loaded, but both of a canary may lie there while a start goes on.
    """
    return max(LEAST_STORAGE, math.ceil(release_bytes / 2**20) + ROOM)


def log_group(function: str) -> str:
    """The function's log group; made before it, so that its logs expire and are encrypted."""
    return f"/aws/lambda/{function}"


@dataclass(frozen=True)
class FunctionArgs:
    """One function.

    account: whose. function: its name, unique in account and region. image: by digest, in ECR in the region.
    role_arn: the function has it. memory_mib, storage_mib: see above. timeout_seconds: of one call.
    reserved: the most calls at once; more are refused. level: of the server's log. log_days: how long logs are kept.
    key_arn: encrypts them. network: None for a function outside of one.
    """

    account: Account
    function: str
    image: pulumi.Input[str]
    role_arn: pulumi.Input[str]
    memory_mib: int
    storage_mib: int
    timeout_seconds: int
    reserved: int
    level: str
    log_days: int
    environment: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    key_arn: pulumi.Input[str] | None = None
    network: Network | None = None


class Function(pulumi.ComponentResource):
    """A function, a version of it for each change, and the alias on the newest.

    A change publishes a version, then the alias moves to it, at once; the versions before stay.
    name: of the function, known once it is there. alias: its name, known once the alias is there. alias_arn,
    invoke_arn: of the alias, the second as API Gateway calls it.
    """

    name: pulumi.Output[str]
    alias: pulumi.Output[str]
    alias_arn: pulumi.Output[str]
    invoke_arn: pulumi.Output[str]

    def __init__(self, name: str, args: FunctionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:Function", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        logs = aws.cloudwatch.LogGroup(
            f"{name}-logs",
            name=log_group(args.function),
            retention_in_days=args.log_days,
            kms_key_id=args.key_arn,
            opts=child,
        )
        network = args.network
        made = aws.lambda_.Function(
            f"{name}-function",
            name=args.function,
            package_type="Image",
            image_uri=args.image,
            image_config=aws.lambda_.FunctionImageConfigArgs(commands=[COMMAND]),
            architectures=["x86_64"],
            role=args.role_arn,
            memory_size=args.memory_mib,
            ephemeral_storage=aws.lambda_.FunctionEphemeralStorageArgs(size=args.storage_mib),
            timeout=args.timeout_seconds,
            reserved_concurrent_executions=args.reserved,
            # No secret is among them, so a key of AWS's encrypts them: with an own one, each start would ask KMS.
            environment=aws.lambda_.FunctionEnvironmentArgs(variables=dict(args.environment)),
            logging_config=aws.lambda_.FunctionLoggingConfigArgs(
                log_format="JSON",
                log_group=logs.name,
                application_log_level=LEVELS[args.level],
                system_log_level="INFO",
            ),
            tracing_config=aws.lambda_.FunctionTracingConfigArgs(mode="Active"),
            vpc_config=None
            if network is None
            else aws.lambda_.FunctionVpcConfigArgs(
                subnet_ids=network.subnet_ids, security_group_ids=[network.security_group_id]
            ),
            publish=True,
            opts=child,
        )
        alias = aws.lambda_.Alias(
            f"{name}-alias", name=ALIAS, function_name=made.name, function_version=made.version, opts=child
        )
        self.name, self.alias = made.name, alias.name
        self.alias_arn, self.invoke_arn = alias.arn, alias.invoke_arn
        self.register_outputs({"name": self.name, "alias": self.alias})


def grants(account: Account, functions: Sequence[str], *, network: Network | None) -> tuple[Grant, ...]:
    """What the functions' role needs beside releases, image and key.

    In a network AWS's own policy for it (AWSLambdaVPCAccessExecutionRole) allows the same on everything; here it is
    this account's (https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html).
    """
    found = [
        *(
            write_logs(
                account.arn("logs", f"log-group:{log_group(one)}"), "WriteLogs" if index == 0 else f"Logs{index}"
            )
            for index, one in enumerate(functions)
        ),
        Grant("Traces", ("xray:PutTelemetryRecords", "xray:PutTraceSegments")),
    ]
    if network is not None:
        kinds = ("network-interface", "security-group", "subnet")
        found += [
            Grant(
                "NetworkInterfaces",
                ("ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"),
                tuple(account.arn("ec2", f"{kind}/*") for kind in kinds),
            ),
            Grant("LookAtNetwork", ("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets")),
        ]
    return tuple(found)
