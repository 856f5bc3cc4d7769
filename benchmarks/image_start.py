"""How long the image takes from `docker start` to ready, and how much memory, with the limits of target `container`.

`python -m benchmarks.image_start models/digits/v1`: needs Docker and an image of `make image`. The time is from the
request to the engine to the first 200 of `/readyz`, so it has the engine's own share, 20 ms of polling, and the whole
of a shared machine's load in it; say the load with the figure. Memory, once ready and idle: resident, with every page
of the libraries, and what the control group is charged with, without the page cache that could be dropped, as
Kubernetes counts. The second is less where another container has read the same libraries before.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import statistics
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from components.image.built import last_built
from components.local.containers import connected, have_image

MIB = 1 << 20
READY_SECONDS = 90.0
POLL_SECONDS = 0.02


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("release", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    built = last_built(Path.cwd())
    if built is None:
        parser.error("no image in build/image/: run make image first")
    with connected() as client:
        image = have_image(client, built.id, built.archive)
        found = [measure(client, image, arguments.release.resolve()) for _ in range(arguments.rounds + 1)][1:]
    seconds, resident, charged = zip(*found, strict=True)
    print(
        f"start to ready with 1 CPU: median {statistics.median(seconds):.2f} s, least {min(seconds):.2f} s, "
        f"most {max(seconds):.2f} s of {len(found)}; memory {max(resident) / MIB:.0f} MiB "
        f"resident, {max(charged) / MIB:.0f} MiB charged; "
        f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs"
    )


def measure(client: Any, image: str, release: Path) -> tuple[float, int, int]:
    """Seconds to ready, bytes resident and bytes charged of one container."""
    from docker.types import Mount

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    container = client.containers.create(
        image,
        environment={"MODEL_URI": "/release"},
        mounts=[Mount("/release", str(release), "bind", read_only=True)],
        ports={"8080/tcp": ("127.0.0.1", port)},
        read_only=True,
        tmpfs={"/tmp": "size=64m"},
        cap_drop=["ALL"],
        nano_cpus=1_000_000_000,
        mem_limit=512 * MIB,
        memswap_limit=512 * MIB,
    )
    try:
        begin = time.monotonic()
        container.start()
        while True:
            with contextlib.suppress(urllib.error.URLError, OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).close()
                break
            if time.monotonic() - begin > READY_SECONDS:
                raise SystemExit(f"not ready in {READY_SECONDS:.0f} s: {container.logs().decode()}")
            time.sleep(POLL_SECONDS)
        seconds = time.monotonic() - begin
        resident = sum(int(row[1]) for row in container.top(ps_args="-eo pid,rss")["Processes"]) << 10
        stats = container.stats(stream=False)["memory_stats"]
        details = stats["stats"]
        return seconds, resident, stats["usage"] - details.get("total_inactive_file", details.get("inactive_file", 0))
    finally:
        container.remove(force=True, v=True)


if __name__ == "__main__":
    main()
