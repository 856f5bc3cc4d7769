"""A container engine, a registry and a builder for tests: those of this machine, or started here and stopped again.

A machine with a usable Docker (DOCKER_HOST or the default socket answers) lends its engine. Elsewhere, as root, the
tests start a Docker daemon of their own from Debian's packages: own data, own socket, own bridge. The registry and
BuildKit's daemon are always started here, on the loopback address. The base image is Debian 12 made by debootstrap, as
no hub may be reachable; where debootstrap cannot run it is the Dockerfile's default.

What stands between this and a cloud: cgroups v1 or v2 as the machine has them, no image pull from a far registry, no
platform's sandbox around the container.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from components.image.built import BuiltImage
from operations import image as images
from operations.workspace import Workspace
from tests.ports import free_port
from tests.real_parts import LOCAL_BIN, ROOT, find, need

START_SECONDS = 120.0
STOP_SECONDS = 60.0
#: Debian's daemons are in sbin, which a user's PATH may not have.
_PATH = f"/usr/sbin:/sbin:{os.environ.get('PATH', '')}"
#: Private addresses that are neither Docker's default nor a home router's.
_BRIDGE = "172.29.0.1/24"
BASE_ARCHIVE = ROOT / ".local" / "base-image" / "debian-12.tar"
_GET_DOCKER = "Debian: apt-get install docker.io iptables, and run as root; elsewhere install Docker"


@dataclass(frozen=True)
class Engine:
    """A container engine. host: what DOCKER_HOST must be. client: speaks to it. own: started by the tests."""

    host: str
    client: Any
    own: bool

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to reach it."""
        return {"DOCKER_HOST": self.host}

    def docker(self, *arguments: str, **options: Any) -> str:
        """Output of a docker command."""
        done = subprocess.run(
            ["docker", *arguments],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
            **options,
        )
        assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def classic_build(self, folder: Path, name: str, arguments: Mapping[str, str]) -> None:
        """Build with the engine itself: it has the image that stands below, which BuildKit's daemon has not."""
        self.client.images.build(path=str(folder), tag=name, buildargs=dict(arguments), rm=True)


@dataclass(frozen=True)
class Builder:
    """A buildx builder. environment: where its records are, so that the user's own are not touched."""

    name: str
    environment: Mapping[str, str]

    def use(self, patch: pytest.MonkeyPatch) -> None:
        """Let buildx find it."""
        for name, value in self.environment.items():
            patch.setenv(name, value)


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The machine's container engine where it has one, else our own."""
    if sys.platform != "linux":
        pytest.skip("the tests of containers run on Linux")
    need("docker", _GET_DOCKER)
    import docker
    import docker.errors

    with contextlib.suppress(docker.errors.DockerException):
        client = docker.from_env()
        client.ping()
        yield Engine(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock", client, False)
        client.close()
        return
    dockerd = shutil.which("dockerd", path=_PATH)
    if dockerd is None or os.geteuid() != 0:
        pytest.skip(f"dockerd is not here or may not be started ({_GET_DOCKER})")
    with _one_at_a_time(), _own_engine(dockerd, tmp_path_factory.mktemp("dockerd")) as own:
        yield own


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Two daemons would fight for the bridge docker0; another run of the tests waits for this one."""
    with (Path(tempfile.gettempdir()) / "cloud-ml-deployment-docker.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _own_engine(dockerd: str, logs: Path) -> Iterator[Engine]:
    import docker
    import docker.errors

    # Sockets have short names only, so not below pytest's folder.
    folder = Path(tempfile.mkdtemp(prefix="dk-"))
    host = f"unix://{folder}/docker.sock"
    command = [
        dockerd,
        *("--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"),
        *("--bip", _BRIDGE, "--host", host, "--insecure-registry", "127.0.0.0/8"),
    ]
    client = docker.DockerClient(base_url=host, version="1.41")

    def ready() -> bool:
        with contextlib.suppress(docker.errors.DockerException, OSError, httpx.HTTPError):
            return bool(client.ping())
        return False

    try:
        with daemon(command, logs / "dockerd.log", ready):
            yield Engine(host, client, True)
            for container in client.containers.list(all=True):
                container.remove(force=True)
        client.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def daemon(
    command: Sequence[str], log: Path, ready: Callable[[], bool], seconds: float = START_SECONDS
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs until the end of the block; ended with SIGTERM, and SIGKILL where that does not do.

    seconds: until it must be ready.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PATH": _PATH},
            start_new_session=True,
        )
    try:
        end = time.monotonic() + seconds
        while not ready():
            assert process.poll() is None, f"{command[0]} ended: {log.read_text(errors='replace')[-2000:]}"
            assert time.monotonic() < end, f"{command[0]} is not ready: {log.read_text(errors='replace')[-2000:]}"
            time.sleep(0.05)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`host:port` of an empty registry on the loopback address, without TLS and without accounts."""
    program = need("docker-registry", "apt-get install docker-registry")
    folder = tmp_path_factory.mktemp("registry")
    address = f"127.0.0.1:{free_port()}"
    settings = folder / "config.yml"
    settings.write_text(
        "version: 0.1\nlog: {level: warn}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder / 'data'}}}, delete: {{enabled: true}}}}\n"
        f'http: {{addr: "{address}"}}\n'
    )
    with daemon([str(program), "serve", str(settings)], folder / "log", lambda: _answers(f"http://{address}/v2/")):
        yield address


@pytest.fixture(scope="session")
def builder(registry: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    """BuildKit's daemon, as a builder of buildx that can read from and push to `registry`."""
    program = need("buildkitd", "bash .ci/install builds it from its Go module")
    if os.geteuid() != 0:
        pytest.skip("buildkitd needs root")
    buildx = images.find_buildx(Workspace(ROOT)) if find("buildx") or find("docker") else None
    if buildx is None:
        pytest.skip("buildx is not installed (bash .ci/install)")
    logs = tmp_path_factory.mktemp("buildkit")
    folder = Path(tempfile.mkdtemp(prefix="bk-"))
    socket = f"unix://{folder}/buildkitd.sock"
    settings = folder / "buildkitd.toml"
    settings.write_text(
        f'root = "{folder}/data"\n'
        f'[grpc]\naddress = ["{socket}"]\n'
        "[worker.oci]\nenabled = true\n[worker.containerd]\nenabled = false\n"
        f'[registry."{registry}"]\nhttp = true\ninsecure = true\n'
    )
    path = os.pathsep.join([os.environ.get("PATH", ""), str(LOCAL_BIN[0])])
    environment = {"BUILDX_CONFIG": str(folder / "buildx"), "PATH": path}

    def ready() -> bool:
        return (folder / "buildkitd.sock").exists()

    try:
        with daemon([str(program), "--config", str(settings)], logs / "log", ready):
            create = [*buildx, "create", "--name", "tests", "--driver", "remote", socket]
            subprocess.run(create, env={**os.environ, **environment}, check=True, capture_output=True)
            yield Builder("tests", environment)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def base(engine: Engine, registry: str) -> str:
    """The base image by digest in `registry`: Debian 12 with its own Python 3.11."""
    if not BASE_ARCHIVE.exists():
        if shutil.which("debootstrap", path=_PATH) is None or os.geteuid() != 0:
            pytest.skip("debootstrap is not here or may not run (apt-get install debootstrap, and run as root)")
        make_base(BASE_ARCHIVE)
    name = f"{registry}/base"
    engine.docker("import", str(BASE_ARCHIVE), f"{name}:12")
    engine.docker("push", "--quiet", f"{name}:12")
    return engine.docker("image", "inspect", "--format", "{{index .RepoDigests 0}}", f"{name}:12").strip()


def make_base(archive: Path) -> None:
    """Bootstrap Debian 12 with Python, without what only packages' building and reading needs. Needs root."""
    folder = Path(tempfile.mkdtemp(prefix="base-"))
    try:
        command = ["debootstrap", "--variant=minbase", "--include=python3-minimal,libpython3-stdlib,ca-certificates"]
        target = [*command, "bookworm", str(folder / "root"), "http://deb.debian.org/debian"]
        done = subprocess.run(target, env={**os.environ, "PATH": _PATH}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        for pattern in ("var/cache/apt/*", "var/lib/apt/lists/*", "usr/share/man/*", "usr/share/locale/*", "var/log/*"):
            for path in (folder / "root").glob(pattern):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        for path in (folder / "root" / "usr/share/doc").glob("*/*"):  # copyright files stay: the licences ask for it
            if path.name != "copyright":
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        archive.parent.mkdir(parents=True, exist_ok=True)
        unfinished = archive.with_suffix(".new")
        subprocess.run(
            ["tar", "--create", "--numeric-owner", "--file", str(unfinished), "--directory", str(folder / "root"), "."],
            check=True,
        )
        unfinished.rename(archive)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def server_image(engine: Engine, registry: str, builder: Builder, base: str) -> BuiltImage:
    """The serving image of this tree, built for real, in the registry as `server` and loaded into the engine."""
    with pytest.MonkeyPatch.context() as patch:
        builder.use(patch)
        for name, value in engine.environment.items():
            patch.setenv(name, value)
        built = images.build(Workspace(ROOT), base=base, builder=builder.name, push=f"{registry}/server:tests")
        assert images.load(built.archive)
    return built


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code < 500
    except httpx.TransportError:
        return False
