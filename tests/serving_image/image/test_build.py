"""The image as `make image` builds it, with BuildKit: its bytes, what is in it, what is said of it.

What this does not prove: that the default base is there (no hub is reached from here: the base is Debian 12 made by
debootstrap), or that a far registry takes the image.
"""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from components.image.built import BuiltImage, last_built, source_digest
from operations import image as images
from operations import image_command, image_contents
from operations.errors import OperationError
from operations.workspace import Workspace
from tests.containers import Builder, Engine
from tests.real_parts import ROOT

#: The first test waits until the image is built.
pytestmark = pytest.mark.timeout(1200)

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
EVERY_MANIFEST = ", ".join(
    [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        MANIFEST,
    ]
)


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Workspace]:
    """What the image is made of, in a checkout of its own: the same commit, other times and modes."""
    root = tmp_path / "tree"
    subprocess.run(["git", "worktree", "add", "--quiet", "--detach", str(root)], cwd=ROOT, check=True)
    for name in ("serving_image", "spec"):  # as they are here, committed or not
        shutil.rmtree(root / name)
        shutil.copytree(
            ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"), copy_function=shutil.copy
        )
    yield Workspace(root)
    subprocess.run(["git", "worktree", "remove", "--force", str(root)], cwd=ROOT, check=True)


def test_two_builds_give_one_digest(
    tree: Workspace, server_image: BuiltImage, builder: Builder, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second without what BuildKit remembers of the first."""
    builder.use(monkeypatch)
    for path in ("serving_image/entry.py", "spec/contracts.py"):
        (tree.root / path).chmod(0o600)
    shutil.copytree(ROOT / "build" / "image" / "wheels", tree.root / "build" / "image" / "wheels")
    again = images.build(tree, base=base, builder=builder.name, no_cache=True)
    assert again.revision == server_image.revision
    assert again.sources == server_image.sources
    assert again.digest == server_image.digest
    assert last_built(tree.root) == again


def manifest(registry: str, reference: str) -> tuple[dict[str, Any], httpx.Response]:
    url = f"http://{registry}/v2/server/manifests/{reference}"
    response = httpx.get(url, headers={"accept": EVERY_MANIFEST}, trust_env=False)
    assert response.status_code == 200
    return response.json(), response


def test_what_the_registry_has_is_one_docker_manifest_for_one_platform(server_image: BuiltImage, registry: str) -> None:
    """SageMaker takes neither OCI manifests nor indexes, Lambda no indexes."""
    found, response = manifest(registry, "tests")
    assert response.headers["docker-content-digest"] == server_image.digest
    assert found["mediaType"] == MANIFEST
    assert {layer["mediaType"] for layer in found["layers"]} == {"application/vnd.docker.image.rootfs.diff.tar.gzip"}
    config = httpx.get(f"http://{registry}/v2/server/blobs/{found['config']['digest']}", trust_env=False).json()
    assert (config["os"], config["architecture"]) == ("linux", "amd64")
    assert found["config"]["digest"] == server_image.id


def test_what_the_image_says_of_itself(engine: Engine, server_image: BuiltImage, base: str) -> None:
    config = engine.client.images.get(server_image.id).attrs["Config"]
    assert config["User"] == "10001:10001"
    assert config["StopSignal"] == "SIGTERM"
    assert config["ExposedPorts"] == {"8080/tcp": {}}
    labels = config["Labels"]
    assert labels["org.opencontainers.image.revision"] == server_image.revision
    assert labels["org.opencontainers.image.base.name"] == base
    assert labels["com.amazonaws.sagemaker.capabilities.accept-bind-to-port"] == "true"


def test_what_is_in_it(server_image: BuiltImage, tmp_path: Path) -> None:
    contents = image_contents.read(server_image.archive)
    found = image_contents.packages(contents)
    assert contents.packages_size <= image_command.MOST_PACKAGES
    rows = image_contents.table(contents, found)
    assert sum(size for _, _, size in rows) == contents.packages_size
    assert {"onnxruntime", "numpy"} <= {name for name, _, _ in rows}
    own = [path for path in contents.sizes if path.startswith("app/") and not path.startswith("app/packages/")]
    assert "app/model_server/app.py" in own
    assert not [path for path in own if "test" in path or path.endswith((".onnx", ".txt", ".lock", "pulumi"))]
    assert any("__pycache__" in path for path in own), "nothing can be compiled on a read-only root"

    image_contents.write_sbom(contents, found, server_image.digest, server_image.revision, tmp_path / "sbom.json")
    document = json.loads((tmp_path / "sbom.json").read_text())
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert document["metadata"]["component"]["version"] == server_image.digest
    locked = {
        line.split("==")[0].lower()
        for line in (ROOT / "serving_image" / "requirements.lock").read_text().splitlines()
        if "==" in line
    }
    listed = {component["name"].lower().replace("_", "-") for component in document["components"]}
    assert locked <= listed
    assert "libc6" in listed
    references = [component["bom-ref"] for component in document["components"]]
    assert len(references) == len(set(references))
    known = {*references, document["metadata"]["component"]["bom-ref"]}
    assert {entry["ref"] for entry in document["dependencies"]} <= known

    image_contents.write_licences(found, tmp_path / "licences.csv")
    with (tmp_path / "licences.csv").open() as stream:
        licences = {
            row["name"].lower().replace("_", "-"): row["licence"]
            for row in csv.DictReader(stream)
            if row["kind"] == "python"
        }
    assert locked <= licences.keys()
    assert "unknown" not in licences.values()
    assert licences["onnxruntime"].startswith("MIT")


def test_a_lock_holds_the_versions_that_the_tests_run_with() -> None:
    constraints = dict(
        line.split(" ;")[0].split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line and ("python_full_version" not in line or ">= '3.11'" in line or "'3.11.*'" in line)
    )
    for lock in [ROOT / "serving_image" / "requirements.lock", *ROOT.glob("serving_image/functions/*/*.lock")]:
        for line in lock.read_text().splitlines():
            if "==" in line:
                name, version = line.rstrip(" \\").split("==")
                assert constraints[name] == version, f"{lock}: {name}; run make image-lock"


def test_the_tree_is_known_to_differ_from_what_was_built(tree: Workspace) -> None:
    before = source_digest(tree.root)
    (tree.root / "serving_image" / "entry.py").write_text("# another\n")
    assert source_digest(tree.root) != before
    assert images.source_version(tree.root)[0].endswith("-dirty")


def test_no_docker_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OperationError, match=r"install Docker .*or give an image built elsewhere with image\.ref"):
        images.find_buildx(Workspace(tmp_path))


def test_a_base_that_is_not_there_is_named(
    tree: Workspace, server_image: BuiltImage, builder: Builder, registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder.use(monkeypatch)
    shutil.copytree(ROOT / "build" / "image" / "wheels", tree.root / "build" / "image" / "wheels")
    with pytest.raises(OperationError, match=r"base image .*/nowhere:1 could not be had.*name another with --base"):
        images.build(tree, base=f"{registry}/nowhere:1", builder=builder.name)


def test_a_registry_that_refuses_is_said(
    tree: Workspace, server_image: BuiltImage, base: str, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder.use(monkeypatch)
    shutil.copytree(ROOT / "build" / "image" / "wheels", tree.root / "build" / "image" / "wheels")
    with pytest.raises(OperationError, match=r"127\.0\.0\.1:1/server"):
        images.build(tree, base=base, builder=builder.name, push="127.0.0.1:1/server")
    with pytest.raises(OperationError, match="--push is 'registry/server@sha256:0'; allowed: a repository"):
        images.build(tree, base=base, builder=builder.name, push="registry/server@sha256:0")
