"""The AWS stack as a whole, under mocks: what its components are given by one another.

The mocks accept anything, and neither the plug-ins that build and copy images nor a container engine are asked.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.components.aws.whole import whole
from tests.components.recording import Recording

DIGEST = "sha256:" + "1" * 64
HOST = "123456789012.dkr.ecr.{}.amazonaws.com"
PLACE = {"cloud": "aws", "target": "sagemaker"}


def role_may_pull(recording: Recording, code: str) -> list[str]:
    """ARNs of the repositories that the endpoint's role in a region may pull from."""
    policy = recording.one("aws:iam/rolePolicy:RolePolicy", f"digits-{code}-sagemaker-policy").inputs["policy"]
    (pull,) = [one for one in json.loads(policy)["Statement"] if one["Sid"] == "PullImage"]
    return pull["Resource"]


def image_of(recording: Recording, code: str) -> str:
    """The image of the model in a region."""
    (model,) = [one for one in recording.of("aws:sagemaker/model:Model") if f"-{code}-" in one.name]
    return model.inputs["primaryContainer"]["image"]


def repository(code: str, region: str) -> str:
    """The URL that the mocks give the stack's own repository."""
    return f"{HOST.format(region)}/digits-{code}-repository"


def logins(recording: Recording, package: str, name: str) -> list[dict[str, str]]:
    """What registries a provider logs in to; the whole is a secret."""
    inputs = recording.one(f"pulumi:providers:{package}", name).inputs
    value = inputs["registries" if package == "docker-build" else "registryAuth"]
    assert "1b47061264138c4ac30d75fd1eb44270" in value.values(), "the token is no secret"
    return json.loads(value["value"])


def test_an_image_in_the_region_is_taken_as_it_is(service: dict[str, Any], tree: Path) -> None:
    recording = whole(service, tree)
    assert role_may_pull(recording, "euc1") == ["arn:aws:ecr:eu-central-1:123456789012:repository/server"]
    assert image_of(recording, "euc1") == service["image"]["ref"]
    assert not [one for one in recording if "docker" in one.type]


def test_an_image_of_another_account_in_the_region_is_taken_as_it_is(service: dict[str, Any], tree: Path) -> None:
    ref = f"210987654321.dkr.ecr.eu-central-1.amazonaws.com/team/server@{DIGEST}"
    recording = whole({**service, "image": {"ref": ref}}, tree)
    assert role_may_pull(recording, "euc1") == ["arn:aws:ecr:eu-central-1:210987654321:repository/team/server"]
    assert image_of(recording, "euc1") == ref


def test_an_image_elsewhere_is_copied_and_its_copy_is_served(service: dict[str, Any], tree: Path) -> None:
    recording = whole({**service, "image": {"ref": f"ghcr.io/me/server@{DIGEST}"}}, tree)
    own = repository("euc1", "eu-central-1")
    remote = "docker:index/remoteImage:RemoteImage"
    assert recording.one(remote, "digits-euc1-pulled").inputs["name"] == f"ghcr.io/me/server@{DIGEST}"
    assert recording.one("docker:index/registryImage:RegistryImage").inputs["name"].startswith(f"{own}:sha256-1111")
    assert image_of(recording, "euc1") == f"{own}@{DIGEST}"
    assert role_may_pull(recording, "euc1") == [recording.one("aws:ecr/repository:Repository").name.join(_ARN)]
    assert logins(recording, "docker", "digits-euc1-engine") == [
        {"address": HOST.format("eu-central-1"), "username": "AWS", "password": "short-lived-of-eu-central-1"}
    ]


#: How the mocks write an ARN of a repository.
_ARN = ("arn:aws:ecr:eu-central-1:123456789012:", "")


def test_an_image_that_is_built_is_served_by_its_digest(
    service: dict[str, Any], tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUILDX_NO_DEFAULT_ATTESTATIONS", "1")
    recording = whole({**service, "image": {"build": True}}, tree)
    own = repository("euc1", "eu-central-1")
    image = recording.one("docker-build:index:Image")
    # Seen from the program's folder, so that a checkout elsewhere is no change.
    assert (image.inputs["context"], image.inputs["dockerfile"]) == (
        {"location": "."},
        {"location": "serving_image/Dockerfile"},
    )
    assert image.inputs["tags"][0].startswith(f"{own}:")
    assert image_of(recording, "euc1") == f"{own}@sha256:{'cd' * 32}"
    assert role_may_pull(recording, "euc1") == [recording.one("aws:ecr/repository:Repository").name.join(_ARN)]
    assert logins(recording, "docker-build", "digits-euc1-builder") == [
        {"address": HOST.format("eu-central-1"), "username": "AWS", "password": "short-lived-of-eu-central-1"}
    ]


class TestTwoRegions:
    """One stack with a place in each of two regions; the image is in the first one's registry."""

    @pytest.fixture
    def recording(self, service: dict[str, Any], tree: Path) -> Recording:
        places = [{**PLACE, "region": region} for region in ("eu-central-1", "us-east-1")]
        return whole({**service, "deploy_to": places}, tree)

    def test_each_region_has_its_image(self, recording: Recording, service: dict[str, Any]) -> None:
        given = service["image"]["ref"]
        assert image_of(recording, "euc1") == given
        digest = given.partition("@")[2]
        assert image_of(recording, "use1") == f"{repository('use1', 'us-east-1')}@{digest}"
        pulled = recording.one("docker:index/remoteImage:RemoteImage", "digits-use1-pulled")
        assert pulled.inputs["name"] == given
        # The copy goes from one region's registry to the other's, and each has a token of its own.
        assert logins(recording, "docker", "digits-use1-engine") == [
            {"address": HOST.format(region), "username": "AWS", "password": f"short-lived-of-{region}"}
            for region in ("us-east-1", "eu-central-1")
        ]

    def test_each_region_has_its_own_of_everything_but_the_budget(self, recording: Recording) -> None:
        codes = {"euc1": set[str](), "use1": set[str]()}
        for one in recording:
            code = next((code for code in codes if f"-{code}-" in f"{one.name}-"), None)
            if code is not None and "docker" not in one.type:
                codes[code].add(f"{one.type} {one.name.replace(code, '…')}")
        only = codes["euc1"] ^ codes["use1"]
        assert {name.split(" ")[0].rpartition(":")[2] for name in only} == {
            "Budget",
            "CostBudget",
            "CopiedServingImage",
        }

    def test_each_place_exports_its_own(self, recording: Recording, service: dict[str, Any]) -> None:
        assert set(recording.returned) == {"aws-sagemaker-eu-central-1", "aws-sagemaker-us-east-1"}
        for exports in recording.returned.values():
            assert {"url", "invoke", "image", "image_registry"} <= set(exports)
