"""Target `container` as a user runs it: `make up` on both engines, with a real container engine and the real image.

What this does not prove: engines other than Docker's (Podman, containerd's image store), machines with another
architecture, and what probes do: Docker's health check only tells, it does not restart.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from components.image.built import FOLDER, BuiltImage
from components.local import containers
from tests.containers import Engine
from tests.operations.checkout import Checkout
from tests.ports import free_port
from tests.real_parts import ROOT

#: The first test waits until the image is built.
pytestmark = pytest.mark.timeout(1200)

ENGINES = ["embedded", pytest.param("cli", marks=pytest.mark.engine)]
MEMORY_GIB = 0.5


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from training import train_and_release

    folder = tmp_path_factory.mktemp("trained") / "models"
    train_and_release("forest", folder)
    return folder


@pytest.fixture(params=ENGINES)
def checkout(
    request: pytest.FixtureRequest, tmp_path: Path, models: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Checkout]:
    if request.param == "cli" and shutil.which("pulumi") is None:
        pytest.skip("the Pulumi CLI is not on PATH")
    made = make(request.param, tmp_path / "tree", models, engine, monkeypatch)
    yield made
    for name, value in engine.environment.items():
        monkeypatch.setenv(name, value)
    made.edit(resources={"cpu": 1, "memory_gib": MEMORY_GIB})
    assert made.run("down").returncode == 0


@pytest.fixture
def embedded(tmp_path: Path, models: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """For what is refused before anything is made."""
    return make("embedded", tmp_path / "tree", models, engine, monkeypatch)


def make(choice: str, root: Path, models: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    for name, value in engine.environment.items():
        monkeypatch.setenv(name, value)
    made = Checkout.make(root, choice)
    shutil.copytree(models, made.root / "models", symlinks=True)
    place = {"cloud": "local", "target": "container", "port": free_port()}
    made.edit(deploy_to=[place], resources={"cpu": 1, "memory_gib": MEMORY_GIB})
    return made


def give_image(checkout: Checkout, built: BuiltImage) -> None:
    """Let the checkout have the image, as if `make image` had run in it."""
    folder = checkout.root / FOLDER
    folder.mkdir(parents=True)
    (folder / "image.tar").hardlink_to(built.archive)
    shutil.copy(ROOT / FOLDER / "image.json", folder)


def up(checkout: Checkout) -> str:
    done = checkout.run("up")
    assert done.returncode == 0, done.stdout
    return done.stdout


def refused(checkout: Checkout, action: str = "up") -> str:
    done = checkout.run(action)
    assert done.returncode == 1, done.stdout
    # The CLI prints a traceback before what a dynamic provider says.
    assert checkout.engine == "cli" or "Traceback" not in done.stdout
    return " ".join(done.stdout.split())


def ours(engine: Engine) -> list[Any]:
    return engine.client.containers.list(all=True, filters={"label": containers.LABEL})


def port_of(checkout: Checkout) -> int:
    return checkout.service()["deploy_to"][0]["port"]


def ready(port: int) -> bool:
    return httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).status_code == 200


@pytest.mark.proof("Local container", level="runtime")
def test_the_life_of_a_container(checkout: Checkout, engine: Engine, server_image: BuiltImage):
    give_image(checkout, server_image)
    assert "which is right" in up(checkout)
    (container,) = ours(engine)
    limits = container.attrs["HostConfig"]
    assert limits["Memory"] == limits["MemorySwap"] == 512 << 20
    assert limits["NanoCpus"] == 1_000_000_000
    assert limits["ReadonlyRootfs"]
    assert limits["CapDrop"] == ["ALL"]
    assert limits["SecurityOpt"] == ["no-new-privileges"]
    assert limits["PortBindings"]["8080/tcp"][0]["HostIp"] == "127.0.0.1"
    assert limits["RestartPolicy"]["Name"] == "unless-stopped"
    assert [(mount["Destination"], mount["RW"]) for mount in container.attrs["Mounts"]] == [("/release", False)]
    probe = container.attrs["Config"]["Healthcheck"]["Test"]
    assert container.exec_run(probe[1:]).exit_code == 0, "the probe itself does not work"

    up(checkout)  # nothing to do
    assert [found.id for found in ours(engine)] == [container.id]

    checkout.edit(resources={"cpu": 0.5, "memory_gib": 0.25})
    up(checkout)
    (smaller,) = ours(engine)
    assert smaller.id != container.id
    assert smaller.attrs["HostConfig"]["Memory"] == 256 << 20

    before = port_of(checkout)
    checkout.edit(port=free_port())
    up(checkout)
    assert ready(port_of(checkout))
    (moved,) = ours(engine)
    with pytest.raises(httpx.ConnectError):
        ready(before)

    moved.remove(force=True)
    assert "which is right" in up(checkout)
    (again,) = ours(engine)
    assert again.id != moved.id

    assert checkout.run("down").returncode == 0
    assert ours(engine) == []
    assert not list((checkout.root / ".local" / "store").rglob("model.onnx"))


def test_an_image_by_digest_and_what_goes_wrong_with_one(
    checkout: Checkout, engine: Engine, server_image: BuiltImage, registry: str, base: str
):
    name = f"{registry}/server"
    checkout.edit(image={"ref": f"{name}:tests"})
    assert "…@sha256:…" in refused(checkout) or "by digest" in refused(checkout)
    checkout.edit(image={"ref": f"{name}@{server_image.digest}"})
    up(checkout)
    (container,) = ours(engine)

    missing = f"{name}@sha256:{'0' * 64}"
    checkout.edit(image={"ref": missing})
    said = refused(checkout)
    assert f"image {missing} could not be had" in said
    assert "whether it holds this digest" in said
    assert [found.id for found in ours(engine)] == [container.id], "what serves must not end for that"

    foreign = push_foreign(engine, registry)
    checkout.edit(image={"ref": foreign})
    said = refused(checkout)
    assert "arm64" in said
    assert ready(port_of(checkout))

    checkout.edit(image={"ref": base})  # nothing in it serves
    said = refused(checkout)
    assert "the old container was started again and goes on serving" in said
    assert ready(port_of(checkout))


def push_foreign(engine: Engine, registry: str) -> str:
    """An empty image for another platform, by its digest."""

    def packed(files: dict[str, bytes]) -> bytes:
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            for name, data in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return stream.getvalue()

    layer = packed({"nothing": b""})
    layers = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]}
    config = json.dumps({"architecture": "arm64", "os": "linux", "config": {}, "rootfs": layers}).encode()
    name = f"{registry}/foreign"
    manifest = [{"Config": "config.json", "RepoTags": [f"{name}:1"], "Layers": ["layer.tar"]}]
    files = {"config.json": config, "layer.tar": layer, "manifest.json": json.dumps(manifest).encode()}
    engine.client.images.load(packed(files))
    engine.docker("push", "--quiet", f"{name}:1")
    return engine.docker("image", "inspect", "--format", "{{index .RepoDigests 0}}", f"{name}:1").strip()


def test_what_is_refused_before_anything_is_made(
    embedded: Checkout, engine: Engine, server_image: BuiltImage, monkeypatch: pytest.MonkeyPatch
):
    give_image(embedded, server_image)
    embedded.edit(resources={"memory_gib": 0.1})
    assert "resources.memory_gib is 0.1, and the release's files have" in refused(embedded)
    embedded.edit(resources={"memory_gib": MEMORY_GIB})

    port = port_of(embedded)
    name = f"digits-dev-{port}"
    stranger = engine.client.containers.create(server_image.id, name=name)
    assert f"a container {name} is there, and it is not this stack's" in refused(embedded)
    stranger.remove()

    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert f"deploy_to[].port is {port}, and that port is taken by process" in refused(embedded)

    record = embedded.root / FOLDER / "image.json"
    document = json.loads(record.read_text())
    record.write_text(json.dumps({**document, "sources": "other"}))
    # `preview` builds nothing.
    assert "not what its last image was built from: run `make image`" in refused(embedded, "preview")
    record.unlink()
    assert "none was built in this tree: run `make image`, or give one" in refused(embedded, "preview")
    shutil.copy(ROOT / FOLDER / "image.json", record)

    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    assert "no container engine answers at unix:///nowhere/docker.sock" in refused(embedded)
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2375")
    assert "another machine's engine" in refused(embedded)
    assert ours(engine) == []


def test_a_release_that_takes_more_memory_than_the_container_has(
    engine: Engine, server_image: BuiltImage, models: Path
):
    wanted = containers.Description(
        image=server_image.id,
        name="too-small",
        owner="tests",
        env={"MODEL_URI": "/release"},
        mounts={"/release": str(models / "digits" / "v1")},
        port=free_port(),
        cpu=1,
        memory=32 << 20,
    )
    with pytest.raises(containers.ContainerError, match=r"more than its memory of 32 MiB: raise resources\.memory_gib"):
        containers.start(engine.client, wanted)
    assert ours(engine) == []
