"""The conformance table against the image, as each platform starts it: its variables, its user, its limits.

What this does not prove: that a platform sends exactly these requests, or mounts a release exactly so; the object
stores that Vertex AI and others name are asked in the server's own tests.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from components.image.built import BuiltImage
from tests.containers import Engine
from tests.serving_image import conformance
from tests.serving_image.conformance import Case
from tests.serving_image.conftest import Digits
from tests.serving_image.image.container import running
from tests.serving_image.image.test_build import MANIFEST

#: The first test waits until the image is built.
pytestmark = pytest.mark.timeout(1200)

#: The most that a server with a small release takes.
MOST_MEMORY = 140_000_000


@dataclass(frozen=True)
class Platform:
    """How a platform starts the image. mount: where it puts the release, and how far below. user: None: the image's."""

    name: str
    mount: str
    below: str = ""
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    port: int = 8080
    ready: str = "/readyz"
    cases: tuple[Case, ...] = ()


_VERTEX = ("/v1/endpoints/1/deployedModels/2:predict", "/v1/endpoints/1/deployedModels/2")
_EVERYWHERE = tuple(conformance.everywhere())

PLATFORMS = [
    Platform("sagemaker", "/opt/ml/model", command=("serve",), ready="/ping", cases=_EVERYWHERE),
    Platform(
        "vertex",
        "/mnt/release",
        env={
            "AIP_HTTP_PORT": "8085",
            "AIP_PREDICT_ROUTE": _VERTEX[0],
            "AIP_HEALTH_ROUTE": _VERTEX[1],
            "AIP_STORAGE_URI": "/mnt/release",
        },
        port=8085,
        ready=_VERTEX[1],
        cases=(*_EVERYWHERE, *conformance.vertex(*_VERTEX)),
    ),
    Platform(
        "azure-ml",
        "/var/azureml-app/azureml-models/digits/1",
        below="model/digits",
        env={"AZUREML_MODEL_DIR": "/var/azureml-app/azureml-models/digits/1"},
        cases=_EVERYWHERE,
    ),
    # Cloud Run, Container Apps, ECS: PORT says where to listen.
    Platform("container", "/release", env={"PORT": "9000", "MODEL_URI": "/release"}, port=9000, cases=_EVERYWHERE),
    # Some Kubernetes platforms give each namespace users of its own, in group 0.
    Platform("any-user", "/release", env={"MODEL_URI": "file:///release"}, user="1000650000:0", cases=_EVERYWHERE),
]


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)
def test_the_conformance_table_as_a_platform_starts_the_image(
    platform: Platform, engine: Engine, server_image: BuiltImage, digits: Digits, tmp_path: Path
) -> None:
    release = tmp_path / "release"
    shutil.copytree(digits.path, release / platform.below)
    with running(
        engine,
        server_image.id,
        platform.command,
        env=platform.env,
        mounts={platform.mount: str(release)},
        user=platform.user,
        port=platform.port,
        ready=platform.ready,
    ) as server:
        memory = server.memory()
        failures = []
        for case in platform.cases:
            try:
                conformance.check(case, server.client, digits)
            except AssertionError as error:
                failures.append(f"{case.name}: {error}")
        assert not failures, "\n".join(failures)
        written = [entry["Path"] for entry in server.container.diff() or []]
        mounts = [platform.mount, "/tmp"]
        assert [path for path in written if not any(m.startswith(path) or path.startswith(m) for m in mounts)] == []
    assert memory < MOST_MEMORY


def test_without_a_release_it_ends_and_says_why(engine: Engine, server_image: BuiltImage) -> None:
    for command, says in ([], "MODEL_URI is not set"), (["bash"], "'bash' is none of this image"):
        container = engine.client.containers.run(server_image.id, command or None, detach=True)
        try:
            assert container.wait(timeout=60)["StatusCode"] == 78
            assert says in container.logs().decode()
        finally:
            container.remove(force=True)


def test_pushed_pulled_by_digest_and_run(
    engine: Engine, server_image: BuiltImage, registry: str, digits: Digits
) -> None:
    engine.client.images.remove(server_image.name, force=True)
    reference = f"{registry}/server@{server_image.digest}"
    pulled = engine.client.images.pull(reference)
    assert pulled.id == server_image.id
    pulled.tag(*server_image.name.split(":"))  # as it was
    with running(engine, reference, env={"MODEL_URI": "/m"}, mounts={"/m": str(digits.path)}) as server:
        answer = server.client.post("/invocations", json={"instances": digits.rows[:2]}).json()
        assert [entry["label"] for entry in answer["predictions"]] == digits.labels[:2]


def test_a_copy_by_the_engine_is_the_same_image(engine: Engine, server_image: BuiltImage, registry: str) -> None:
    """What `CopiedServingImage` relies on: the manifest may be written anew, the image's id says what is in it."""
    copy = f"{registry}/copy"
    engine.docker("pull", "--quiet", f"{registry}/server@{server_image.digest}")
    engine.docker("tag", f"{registry}/server@{server_image.digest}", f"{copy}:1")
    engine.docker("push", "--quiet", f"{copy}:1")
    engine.client.images.remove(f"{copy}:1")
    answer = httpx.head(f"http://{registry}/v2/copy/manifests/1", headers={"accept": MANIFEST}, trust_env=False)
    digest = answer.headers["docker-content-digest"]
    assert engine.client.images.pull(f"{copy}@{digest}").id == server_image.id
    engine.client.images.remove(f"{copy}@{digest}")


def test_the_batch_scorer_runs_in_the_image(
    engine: Engine, server_image: BuiltImage, digits: Digits, tmp_path: Path
) -> None:
    from docker.types import Mount

    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "rows.csv").write_text("\n".join(",".join(map(str, row)) for row in digits.rows))
    out = tmp_path / "out"
    out.mkdir(mode=0o777)
    out.chmod(0o777)
    mounts = [
        Mount("/m", str(digits.path), "bind", read_only=True),
        Mount("/in", str(tmp_path / "in"), "bind", read_only=True),
        Mount("/out", str(out), "bind"),
    ]
    command = ["score", "--model", "/m", "--input", "/in/rows.csv", "--output", "/out/a", "--output-format", "csv"]
    engine.client.containers.run(
        server_image.id, command, mounts=mounts, read_only=True, tmpfs={"/tmp": ""}, remove=True, network_mode="none"
    )
    lines = (out / "a" / "part-00000.csv").read_text().splitlines()
    assert [int(line.split(",")[0]) for line in lines] == digits.labels
