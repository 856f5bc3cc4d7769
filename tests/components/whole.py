"""A whole stack in this process, under mocks: what `__main__.py` does with a description, in milliseconds.

What this does not prove: the mocks accept anything, so whether a vendor takes what is asked for is shown elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pulumi
import yaml

import stacks
from spec.capabilities import check_capabilities
from spec.errors import SpecError
from spec.service import load_service
from tests.components.recording import Recording, record


def example(root: Path, *, stack: str) -> dict[str, Any]:
    """The description in the stack's file."""
    return yaml.safe_load((root / f"Pulumi.{stack}.yaml").read_text())["config"]["cloud-ml-deployment:service"]


def whole(service: Mapping[str, Any], folder: Path, *, stack: str) -> Recording:
    """Everything that a description makes. folder: where `models/` lies. What is wrong with it, this raises."""
    spec = load_service(service, stack=stack)
    check_capabilities(spec)
    return recorded(lambda: stacks.deploy(spec), folder, stack)


def refused(service: Mapping[str, Any], folder: Path, *, stack: str) -> str:
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

    recording = recorded(program, folder, stack)
    made = [f"{one.type} {one.name}" for one in recording if one.type != "pulumi:pulumi:Stack"]
    assert not made, f"registered before it was refused: {made}"
    assert recording.returned, "it was not refused"
    return recording.returned


def recorded(program: Callable[[], Any], folder: Path, stack: str) -> Recording:
    """What a program registers. folder: the program's own."""
    # The engine tells a program where it lies; mocks do not.
    with patch.object(pulumi, "get_root_directory", lambda: str(folder)):
        return record(program, name=stack)
