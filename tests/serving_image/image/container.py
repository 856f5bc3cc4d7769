"""One container of the image, limited as a platform would: started, asked over HTTP, ended with SIGTERM."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from tests.containers import Engine
from tests.ports import free_port

READY_SECONDS = 90.0


@dataclass(frozen=True)
class Running:
    """A ready container. client: asks its server."""

    container: Any
    client: httpx.Client

    def log(self) -> str:
        """All that it has written."""
        return self.container.logs().decode(errors="replace")

    def memory(self) -> int:
        """Bytes of its control group without the page cache that could be dropped, as Kubernetes counts."""
        found = self.container.stats(stream=False)["memory_stats"]
        details = found["stats"]
        return found["usage"] - details.get("total_inactive_file", details.get("inactive_file", 0))


@contextlib.contextmanager
def running(
    engine: Engine,
    image: str,
    command: Sequence[str] = (),
    *,
    env: Mapping[str, str] | None = None,
    mounts: Mapping[str, str] | None = None,
    user: str | None = None,
    port: int = 8080,
    memory: int = 512 << 20,
    ready: str = "/readyz",
) -> Iterator[Running]:
    """A container with a read-only root, no privileges, one CPU. mounts: by path in the container, read-only.

    At the end it gets SIGTERM, and must end by itself with status 0.
    """
    from docker.types import Mount

    published = free_port()
    container = engine.client.containers.run(
        image,
        list(command) or None,
        detach=True,
        environment=dict(env or {}),
        mounts=[Mount(target, source, "bind", read_only=True) for target, source in (mounts or {}).items()],
        user=user,
        ports={f"{port}/tcp": ("127.0.0.1", published)},
        read_only=True,
        tmpfs={"/tmp": "rw,nosuid,nodev,noexec,size=64m"},
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        nano_cpus=1_000_000_000,
        mem_limit=memory,
        memswap_limit=memory,
    )
    client = httpx.Client(base_url=f"http://127.0.0.1:{published}", timeout=60, trust_env=False)
    found = Running(container, client)
    try:
        _wait(found, ready)
        yield found
        container.kill("SIGTERM")
        code = container.wait(timeout=60)["StatusCode"]
        assert code == 0, f"the container ended with {code}:\n{found.log()}"
    finally:
        client.close()
        container.remove(force=True, v=True)


def _wait(found: Running, path: str) -> None:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        found.container.reload()
        assert found.container.status == "running", found.log()
        with contextlib.suppress(httpx.TransportError):
            if found.client.get(path).status_code == 200:
                return
        time.sleep(0.02)
    raise AssertionError(f"{path} did not answer 200 in {READY_SECONDS} s:\n{found.log()}")
