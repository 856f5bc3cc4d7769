"""The targets on AWS, each with a file of its own."""

from __future__ import annotations

from collections.abc import Mapping

from spec.targets import Target as Name
from stacks import aws_sagemaker
from stacks.aws_shared import Target

TARGETS: Mapping[Name, Target] = {
    "sagemaker": aws_sagemaker.TARGET,
}
