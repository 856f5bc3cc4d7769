"""The whole AWS stack in this process; see `tests.components.whole`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pulumi

import stacks
from operations.schema.findings import Recording as Answered
from operations.schema.mocked import Existing, of_function
from spec.service import load_service
from tests.components import whole as any_stack

STACK = "aws"
#: What the example and its variants name and do not make: the image's repository, a given network, a caller.
EXISTING: tuple[Existing, ...] = (
    (
        "aws:ecr/repository:Repository",
        "server",
        {"name": "server", "arn": "arn:aws:ecr:eu-central-1:123456789012:repository/server"},
    ),
    ("aws:ec2/vpc:Vpc", "vpc-0a1b2c3d4e5f60718", {}),
    ("aws:ec2/subnet:Subnet", "subnet-0a1b2c3d4e5f60718", {}),
    ("aws:ec2/subnet:Subnet", "subnet-1a1b2c3d4e5f60718", {}),
    ("aws:iam/role:Role", "caller", {"name": "caller", "arn": "arn:aws:iam::123456789012:role/caller"}),
)

example = partial(any_stack.example, stack=STACK)
whole = partial(any_stack.whole, stack=STACK)
refused = partial(any_stack.refused, stack=STACK)


def answered(service: Mapping[str, Any], folder: Path) -> Answered:
    """The same with values in AWS's own form (ARNs, ids, names), made up by the stand-in cloud; takes seconds."""
    spec = load_service(service, stack=STACK)
    with patch.object(pulumi, "get_root_directory", lambda: str(folder)):
        return of_function(lambda: stacks.deploy(spec), existing=EXISTING)
