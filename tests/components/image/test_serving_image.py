"""The image's components under mocks: the exact inputs of what builds, pushes and copies.

What this does not prove: that a build runs (see the tests of the image) or that a registry takes the push; the plug-ins
of docker-build and docker are not on this machine.
"""

from __future__ import annotations

import json
from pathlib import Path

import pulumi
import pytest

from components.image.references import moved, split_reference, tag_of
from components.image.registry import Login, Registry
from components.image.serving_image import (
    NO_ATTESTATIONS,
    BuiltImageArgs,
    BuiltServingImage,
    CopiedImageArgs,
    CopiedServingImage,
    compared,
)
from tests.components.recording import Recording, record
from tests.real_parts import ROOT

DIGEST = "sha256:" + "ab" * 32
REPOSITORY = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/server"
REGISTRY = Registry(REPOSITORY, Login("123456789012.dkr.ecr.eu-central-1.amazonaws.com", "AWS", "short-lived"))


def build(root: Path = ROOT, base: str = f"python@{DIGEST}", cache: str | None = None) -> Recording:
    return record(lambda: BuiltServingImage("server", BuiltImageArgs(root, REGISTRY, base, cache)))


def test_what_is_built_and_pushed() -> None:
    found = build()
    image = found.one("docker-build:index:Image")
    (tag,) = image.inputs["tags"]
    assert tag.startswith(f"{REPOSITORY}:")
    assert image.inputs["push"] is False
    assert image.inputs["buildOnPreview"] is False
    assert image.inputs["platforms"] == ["linux/amd64"]
    (export,) = image.inputs["exports"]
    assert (export["registry"]["names"], export["registry"]["push"]) == ([tag], True)
    assert export["registry"]["ociMediaTypes"] is False
    assert image.inputs["buildArgs"]["BASE"] == f"python@{DIGEST}"
    assert image.inputs["buildArgs"]["REVISION"] in tag
    assert "cacheFrom" not in image.inputs
    assert image.retain
    assert [one.type for one in found if one.custom] == ["pulumi:providers:docker-build", "docker-build:index:Image"]


def test_the_provider_is_its_own_and_keeps_the_token_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///somewhere/else.sock")
    provider = build().one("pulumi:providers:docker-build")
    assert provider.inputs["host"] == ""
    assert "short-lived" in str(provider.inputs["registries"])


@pytest.mark.parametrize(("program", "location"), [(ROOT, "."), (ROOT.parent, ROOT.name), (ROOT / "docs", str(ROOT))])
def test_where_the_program_lies_is_no_part_of_the_image(
    program: Path, location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulumi, "get_root_directory", lambda: str(program))
    image = build().one("docker-build:index:Image")
    assert image.inputs["context"] == {"location": location}
    assert image.inputs["dockerfile"] == {"location": str(Path(location) / "serving_image" / "Dockerfile")}


@pytest.mark.parametrize(("value", "warned"), [("", True), ("0", True), ("1", False), ("true", False)])
def test_a_missing_word_against_attestations_is_said(
    value: str, warned: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(NO_ATTESTATIONS, value)
    build()
    assert (f"{NO_ATTESTATIONS} is {value!r}; allowed: 1" in caplog.text) == warned


def test_the_tag_follows_what_the_image_is_made_of(tmp_path: Path) -> None:
    for name in ("serving_image", "spec"):
        (tmp_path / name).mkdir()
    source = tmp_path / "spec" / "contracts.py"
    source.write_text("A = 1\n")

    def tag(base: str = f"python@{DIGEST}") -> str:
        return build(tmp_path, base).one("docker-build:index:Image").inputs["tags"][0]

    first = tag()
    assert tag() == first
    assert tag("python:3.11") != first
    source.write_text("A = 2\n")
    assert tag() != first


def test_a_cache_is_another_repository() -> None:
    image = build(cache=f"{REPOSITORY}-cache:main").one("docker-build:index:Image")
    assert [entry["registry"]["ref"] for entry in image.inputs["cacheFrom"]] == [f"{REPOSITORY}-cache:main"]
    (target,) = image.inputs["cacheTo"]
    assert (target["registry"]["ref"], target["registry"]["mode"]) == (f"{REPOSITORY}-cache:main", "max")


def test_a_copy() -> None:
    component = CopiedServingImage
    found = record(lambda: component("server", CopiedImageArgs(f"ghcr.io/a/server@{DIGEST}", REGISTRY)).ref)
    remote = "docker:index/remoteImage:RemoteImage"
    options = {"platform": "linux/amd64", "keepLocally": True}
    assert found.one(remote, "server-pulled").inputs == {"name": f"ghcr.io/a/server@{DIGEST}", **options}
    tag = f"{REPOSITORY}:sha256-{'ab' * 32}"
    assert found.one("docker:index/tag:Tag").inputs["targetImage"] == tag
    pushed = found.one("docker:index/registryImage:RegistryImage").inputs
    assert pushed == {"name": tag, "keepRemotely": True, "triggers": {"digest": DIGEST}}
    # What the registry has is pulled again, by the digest that it gave.
    assert found.one(remote, "server-copied").inputs == {"name": f"{REPOSITORY}@{DIGEST}", **options}


def test_a_copy_out_of_a_registry_that_asks_who_pulls() -> None:
    source = Login("210987654321.dkr.ecr.us-east-1.amazonaws.com", "AWS", "of-the-source")
    ref = f"210987654321.dkr.ecr.us-east-1.amazonaws.com/server@{DIGEST}"
    provider = record(lambda: CopiedServingImage("server", CopiedImageArgs(ref, REGISTRY, source))).one(
        "pulumi:providers:docker"
    )
    (secret,) = [value for key, value in provider.inputs.items() if key == "registryAuth"]
    assert "1b47061264138c4ac30d75fd1eb44270" in secret.values(), "the tokens are no secret"
    assert [(one["address"][:12], one["password"]) for one in json.loads(secret["value"])] == [
        ("123456789012", "short-lived"),
        ("210987654321", "of-the-source"),
    ]


def test_a_copy_that_is_another_image_is_refused() -> None:
    copy, other = f"{REPOSITORY}@{DIGEST}", "sha256:" + "0" * 64
    assert compared(copy, DIGEST, DIGEST, original="r") == copy
    with pytest.raises(pulumi.RunError, match=f"has the id {other}, so the registry does not hold what was pushed"):
        compared(copy, other, DIGEST, original=f"ghcr.io/a/server@{DIGEST}")


@pytest.mark.parametrize("bad", ["server:1", "server", "server@sha256:ab", f"server:1 @{DIGEST}"])
def test_a_tag_is_no_reference(bad: str) -> None:
    with pytest.raises(ValueError, match="an image by digest"):
        CopiedImageArgs(bad, REGISTRY)


def test_references() -> None:
    assert split_reference(f"r:5000/a/b@{DIGEST}") == ("r:5000/a/b", DIGEST)
    assert moved(f"ghcr.io/a@{DIGEST}", "r/b") == f"r/b@{DIGEST}"
    assert len(tag_of(DIGEST)) <= 128
