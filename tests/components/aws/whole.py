"""The whole AWS stack in this process, under mocks: what `__main__.py` does with a description, in milliseconds.

What this does not prove: the mocks accept anything, so whether AWS takes what is asked for is shown elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pulumi
import yaml

import stacks
from operations.schema.findings import Recording as Answered
from operations.schema.mocked import Existing, of_function
from spec.capabilities import check_capabilities
from spec.errors import SpecError
from spec.service import load_service
from tests.components.recording import Recording, record

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


def example(root: Path) -> dict[str, Any]:
    """The description in Pulumi.aws.yaml."""
    return yaml.safe_load((root / "Pulumi.aws.yaml").read_text())["config"]["cloud-ml-deployment:service"]


def whole(service: Mapping[str, Any], folder: Path, *, stack: str = STACK) -> Recording:
    """Everything that a description makes. folder: where `models/` lies. What is wrong with it, this raises."""
    spec = load_service(service, stack=stack)
    check_capabilities(spec)
    return _recorded(lambda: stacks.deploy(spec), folder, stack)


def refused(service: Mapping[str, Any], folder: Path, *, stack: str = STACK) -> str:
    """What a description is refused with; it fails where it is not, or where anything was registered before."""
    try:
        spec = load_service(service, stack=stack)
        check_capabilities(spec)
    except SpecError as error:
        return str(error)

    def program() -> str:
        try:
            stacks.deploy(spec)
        except pulumi.RunError as error:
            return str(error)
        return ""

    recording = _recorded(program, folder, stack)
    made = [f"{one.type} {one.name}" for one in recording if one.type != "pulumi:pulumi:Stack"]
    assert not made, f"registered before it was refused: {made}"
    assert recording.returned, "it was not refused"
    return recording.returned


def answered(service: Mapping[str, Any], folder: Path) -> Answered:
    """The same with values in AWS's own form (ARNs, ids, names), made up by the stand-in cloud; takes seconds."""
    spec = load_service(service, stack=STACK)
    with patch.object(pulumi, "get_root_directory", lambda: str(folder)):
        return of_function(lambda: stacks.deploy(spec), existing=EXISTING)


def _recorded(program: Callable[[], Any], folder: Path, stack: str) -> Recording:
    # The engine tells a program where it lies; mocks do not.
    with patch.object(pulumi, "get_root_directory", lambda: str(folder)):
        return record(program, name=stack)
