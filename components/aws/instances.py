"""SageMaker's instance types by size: the smallest one that holds a replica."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class InstanceType:
    """One type. cpus: virtual CPUs. memory_gib: memory."""

    name: str
    cpus: int
    memory_gib: int


#: Types for real-time endpoints with x86 processors (the image is built for linux/amd64), after
#: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ProductionVariant.html; sizes of the EC2 types of the
#: same name: https://docs.aws.amazon.com/ec2/latest/instancetypes/gp.html
SAGEMAKER = (
    InstanceType("ml.t2.medium", 2, 4),
    InstanceType("ml.m5.large", 2, 8),
    InstanceType("ml.c5.xlarge", 4, 8),
    InstanceType("ml.m5.xlarge", 4, 16),
    InstanceType("ml.r5.xlarge", 4, 32),
    InstanceType("ml.c5.2xlarge", 8, 16),
    InstanceType("ml.m5.2xlarge", 8, 32),
    InstanceType("ml.r5.2xlarge", 8, 64),
    InstanceType("ml.c5.4xlarge", 16, 32),
    InstanceType("ml.m5.4xlarge", 16, 64),
    InstanceType("ml.r5.4xlarge", 16, 128),
    InstanceType("ml.c5.9xlarge", 36, 72),
    InstanceType("ml.m5.12xlarge", 48, 192),
    InstanceType("ml.r5.12xlarge", 48, 384),
    InstanceType("ml.c5.18xlarge", 72, 144),
    InstanceType("ml.m5.24xlarge", 96, 384),
    InstanceType("ml.r5.24xlarge", 96, 768),
)


class TooLargeError(ValueError):
    """No instance type holds what is asked for; the text names the largest ones."""


def smallest(cpu: float, memory_gib: float, types: tuple[InstanceType, ...] = SAGEMAKER) -> InstanceType:
    """The first type, in order of size, with so many CPUs and so much memory. Raises TooLargeError."""
    for found in types:
        if found.cpus >= cpu and found.memory_gib >= memory_gib:
            return found
    most = max(types, key=lambda one: (one.cpus, one.memory_gib))
    raise TooLargeError(
        f"resources are cpu {cpu:g} and memory_gib {memory_gib:g}; allowed on this target: at most {most.cpus} and "
        f"{most.memory_gib} ({most.name}): lower them, or name deploy_to[].instance_type"
    )
