"""One container of the serving image on this machine, known for certain: started, found again, stopped. No Pulumi here.

A container is found by its name *and* a label that says whose it is, so that one that somebody else named the same is
never taken for ours.
"""

from __future__ import annotations

import contextlib
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spec import contracts

if TYPE_CHECKING:
    from docker import DockerClient

#: Label that marks a container as ours; its value says whose.
LABEL = "cloud-ml-deployment.owner"
#: What the image is built for: the one platform that every cloud takes.
PLATFORM = ("linux", "amd64")

READY_TIMEOUT = 90.0
#: Seconds between SIGTERM and SIGKILL, as Cloud Run and Lambda give; the server's own drain ends before.
STOP_TIMEOUT = 15
#: Of the engine's own health check, as the clouds would probe: seconds between probes, for one, until they count.
PROBE_INTERVAL, PROBE_TIMEOUT, PROBE_START = 10, 3, 60
PROBE_FAILURES = 3
#: A server has a handful of threads per CPU and no children but its workers.
MOST_PROCESSES = 512
#: What the server may write: nothing but temporary files, which count as memory.
TEMPORARY = {"/tmp": "rw,nosuid,nodev,noexec,size=64m"}  # noqa: S108 # inside the container
RESTART: Any = {"Name": "unless-stopped"}
_SECOND = 1_000_000_000
_TAIL = 20


class ContainerError(Exception):
    """A container could not be started or stopped; the text says why and what to do."""


@dataclass(frozen=True)
class Description:
    """What to run.

    image: reference by digest, or the id of an image in the engine. name: of the container. owner: whose it is.
    mounts: folders of this machine by the path that the container sees them at, read-only. cpu: cores.
    memory: bytes.
    """

    image: str
    name: str
    owner: str
    env: Mapping[str, str]
    mounts: Mapping[str, str]
    port: int
    cpu: float
    memory: int


@contextlib.contextmanager
def connected() -> Iterator[DockerClient]:
    """The container engine of this machine: DOCKER_HOST, or Docker's own socket. Raises ContainerError."""
    import docker
    from docker.errors import DockerException

    host = os.environ.get("DOCKER_HOST", "")
    if host and not host.startswith(("unix://", "npipe://")):
        raise ContainerError(
            f"DOCKER_HOST is {host!r}, another machine's engine, and target container runs on this one; allowed: an "
            "engine of this machine, such as unix:///var/run/docker.sock"
        )
    try:
        client = docker.from_env()
        client.ping()
    except (DockerException, OSError) as error:
        raise ContainerError(
            f"no container engine answers at {host or 'the default socket'} ({_first_line(error)}): start Docker "
            "(https://docs.docker.com/engine/install/), or set DOCKER_HOST; without one, take target process"
        ) from None
    try:
        yield client
    except DockerException as error:
        raise ContainerError(f"the container engine refused: {_first_line(error)}") from error
    finally:
        client.close()


def have_image(client: DockerClient, image: str, archive: Path | None = None) -> str:
    """The id of the image in the engine: there already, loaded from the archive, or pulled by its digest.

    Raises ContainerError where it cannot be had, or is for another platform.
    """
    from docker.errors import APIError, ImageNotFound

    try:
        found = client.images.get(image)
    except ImageNotFound:
        found = None
    try:
        if found is None and archive is not None:
            # Its own name for an image may be the digest of the manifest or of the configuration: engines differ.
            with archive.open("rb") as stream:
                (found,) = client.images.load(stream)
        elif found is None:
            repository, _, digest = image.partition("@")
            found = client.images.pull(repository, digest, platform="/".join(PLATFORM))
    except APIError as error:  # an OSError too
        raise ContainerError(
            f"image {image} could not be had: {_first_line(error)}; look whether the registry is reached and knows you "
            "(docker login), and whether it holds this digest"
        ) from None
    except OSError as error:
        raise ContainerError(f"image {archive} cannot be read ({error.strerror}): build it with make image") from None
    platform = (found.attrs.get("Os"), found.attrs.get("Architecture"))
    if platform != PLATFORM:
        raise ContainerError(
            f"image {image} is for {'/'.join(map(str, platform))}; allowed: {'/'.join(PLATFORM)}, the platform that "
            "every target runs. Build it with make image."
        )
    return str(found.id)


def start(client: DockerClient, wanted: Description) -> str:
    """Start the container and return its id once the server is ready.

    What an earlier, interrupted start left under the same name is removed first. Raises ContainerError with the last
    lines of the log where the container ends or is not ready in time; nothing is left behind then.
    """
    from docker.errors import APIError

    stop(client, wanted.name, wanted.owner)
    try:
        container = client.containers.create(**_options(wanted))
    except APIError as error:
        raise ContainerError(f"container {wanted.name} could not be made: {_first_line(error)}") from None
    try:
        container.start()
        _wait_until_ready(container, wanted)
        # A server that ends later is started again, as every platform does; at the start it would hide why it ended.
        container.update(restart_policy=RESTART)
    except APIError as error:
        stop(client, wanted.name, wanted.owner)
        raise ContainerError(f"container {wanted.name} could not be started: {_first_line(error)}") from None
    except ContainerError:
        stop(client, wanted.name, wanted.owner)
        raise
    return str(container.id)


def find(client: DockerClient, name: str, owner: str) -> Any | None:
    """The container of this name, if it is the owner's; running or not.

    Raises ContainerError where somebody else's has the name.
    """
    from docker.errors import NotFound

    try:
        container = client.containers.get(name)
    except NotFound:
        return None
    if container.labels.get(LABEL) != owner:
        raise ContainerError(
            f"a container {name} is there, and it is not this stack's: rename or remove it "
            f"(docker rm {name}), or give the service another name or port"
        )
    return container


def stop(client: DockerClient, name: str, owner: str) -> None:
    """Stop and remove the container, if it is there: SIGTERM first, SIGKILL after :data:`STOP_TIMEOUT`."""
    from docker.errors import NotFound

    container = find(client, name, owner)
    if container is None:
        return
    with contextlib.suppress(NotFound):
        container.stop(timeout=STOP_TIMEOUT)
        container.remove(force=True, v=True)


def _options(wanted: Description) -> dict[str, Any]:
    """What the engine is asked for: what the clouds' container targets give, as far as one engine can.

    Nothing is writable but temporary files, no privileges, memory and CPUs of `resources`, no swap, log files that do
    not grow without end.
    """
    from docker.types import LogConfig, Mount

    probe = f"import urllib.request as u; u.urlopen('http://127.0.0.1:{contracts.DEFAULT_PORT}{contracts.LIVE_PATH}')"
    return {
        "image": wanted.image,
        "name": wanted.name,
        "labels": {LABEL: wanted.owner},
        "environment": dict(wanted.env),
        "mounts": [Mount(target, source, "bind", read_only=True) for target, source in sorted(wanted.mounts.items())],
        "ports": {f"{contracts.DEFAULT_PORT}/tcp": ("127.0.0.1", wanted.port)},
        "read_only": True,
        "tmpfs": TEMPORARY,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "pids_limit": MOST_PROCESSES,
        "nano_cpus": int(wanted.cpu * _SECOND),
        "mem_limit": wanted.memory,
        "memswap_limit": wanted.memory,
        "log_config": LogConfig(type="json-file", config={"max-size": "10m", "max-file": "3"}),
        "healthcheck": {
            "test": ["CMD", "python3", "-c", probe],
            "interval": PROBE_INTERVAL * _SECOND,
            "timeout": PROBE_TIMEOUT * _SECOND,
            "start_period": PROBE_START * _SECOND,
            "retries": PROBE_FAILURES,
        },
    }


def _wait_until_ready(container: Any, wanted: Description) -> None:
    url = f"http://127.0.0.1:{wanted.port}{contracts.READY_PATH}"
    end = time.monotonic() + READY_TIMEOUT
    while time.monotonic() < end:
        container.reload()
        state = container.attrs["State"]
        if state["OOMKilled"]:
            raise ContainerError(
                f"the engine ended the server for taking more than its memory of {wanted.memory >> 20} MiB: raise "
                "resources.memory_gib, or serve a smaller release"
            )
        if state["Status"] in ("exited", "dead"):
            raise ContainerError(f"the server ended with {state['ExitCode']} before it was ready\n{_log(container)}")
        try:
            with urllib.request.urlopen(url, timeout=2):  # always http to this machine
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise ContainerError(f"the server did not answer {url} within {READY_TIMEOUT:.0f} s\n{_log(container)}")


def _log(container: Any) -> str:
    lines = container.logs(tail=_TAIL).decode(errors="replace").splitlines()
    return "\n".join([f"last lines of container {container.name}:", *(f"  {line}" for line in lines)])


def _first_line(error: Exception) -> str:
    explanation = getattr(error, "explanation", None) or str(error)
    return str(explanation).strip().split("\n")[0][:300]
