"""What the account's bootstrap asks of a stack's roles reaches every role and policy that the stack makes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest

from spec.service import load_service
from stacks import deploy
from tests.components.aws.whole import whole

BOUNDARY = "arn:aws:iam::123456789012:policy/bootstrap/models/models-boundary-prod"
KEY = "cloud-ml-deployment:roles"


@pytest.fixture
def configured() -> Iterator[Callable[[dict[str, str]], None]]:
    """Sets the stack's config `roles`."""
    yield lambda value: pulumi.runtime.set_all_config({KEY: json.dumps(value)})
    pulumi.runtime.set_all_config({})


def test_every_role_has_boundary_and_path(service: dict[str, Any], tree: Path, configured: Any) -> None:
    configured({"boundary": BOUNDARY, "path": "/services/models/prod/"})
    recording = whole(service, tree)
    roles = recording.of("aws:iam/role:Role")
    assert len(roles) == 2
    assert {one.inputs["permissionsBoundary"] for one in roles} == {BOUNDARY}
    named = [*roles, *recording.of("aws:iam/policy:Policy")]
    assert {one.inputs["path"] for one in named} == {"/services/models/prod/"}


def test_without_it_they_have_neither(service: dict[str, Any], tree: Path) -> None:
    for one in whole(service, tree).of("aws:iam/role:Role"):
        assert {"permissionsBoundary", "path"} & set(one.inputs) == set()


def test_a_mistake_is_said_before_anything_of_its_region_is_made(
    service: dict[str, Any], tree: Path, configured: Any
) -> None:
    configured({"boundry": BOUNDARY})
    with pytest.raises(pulumi.RunError, match=r"roles\.boundry is not a field; .* Did you mean boundary\?"):
        whole(service, tree)


def test_it_is_no_config_of_a_stack_without_roles(configured: Any) -> None:
    configured({"boundary": BOUNDARY})
    local = {"name": "digits", "release": "digits@1", "deploy_to": [{"cloud": "local", "target": "process"}]}
    with pytest.raises(pulumi.RunError, match=r"no place of service\.deploy_to is on aws"):
        deploy(load_service(local, stack="dev"))
