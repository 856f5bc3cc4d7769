"""The image run as the manifest's own pod spec says, in a real container engine, fetching its release from a store.

Proves that the probes, the drain, the read-only root, the rights and the limits of the manifest are those that this
image works with. What it does not prove: what a cluster's network, its scheduler or its storage adds; see tests.pods.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from components.image.built import BuiltImage
from components.kubernetes.args import Served
from spec import contracts
from tests.components.kubernetes.served import IMAGE, keys, put, service, store
from tests.containers import Engine
from tests.operations import fragile_model
from tests.pods import Pod, running
from tests.serving_image.conftest import Digits, digits, models_dir
from tests.serving_image.load import post, under_load
from tests.stores import RunningStore

__all__ = ["digits", "models_dir", "store"]  # fixtures, for pytest to find

#: The first test waits until the image is built.
pytestmark = [pytest.mark.timeout(1200), pytest.mark.slow]

PATIENCE = 120.0


@pytest.fixture(scope="module")
def written(store: RunningStore, digits: Digits) -> list[dict[str, Any]]:
    uri = put(store, digits.path, "digits/v1")
    return service(store, Served("digits", 1, uri), token="a-token-of-the-tests")


@pytest.fixture(scope="module")
def pod(
    engine: Engine, server_image: BuiltImage, store: RunningStore, written: list[dict[str, Any]], tmp_path_factory: Any
) -> Iterator[Pod]:
    images = {IMAGE: server_image.id}
    with running(engine, written, tmp_path_factory.mktemp("pods"), images=images, secrets=keys(store)) as found:
        yield found


HEADERS = {"authorization": "Bearer a-token-of-the-tests"}


def predicted(pod: Pod, digits: Digits) -> list[str]:
    answer = httpx.post(
        f"{pod.url}/invocations",
        json={"instances": digits.rows[:3]},
        headers=HEADERS,
        timeout=60,
        trust_env=False,
    )
    return [one["label"] for one in answer.raise_for_status().json()["predictions"]]


@pytest.mark.proof("Local Kubernetes", level="runtime")
def test_it_gets_ready_by_its_probes_and_serves(pod: Pod, digits: Digits) -> None:
    assert predicted(pod, digits) == digits.labels[:3]
    assert pod.probe("livenessProbe")
    refused = httpx.post(f"{pod.url}/invocations", json={"instances": digits.rows[:1]}, trust_env=False)
    assert refused.status_code == 401


@pytest.mark.proof("Local Kubernetes", level="runtime")
def test_nothing_but_the_scratch_volume_can_be_written(pod: Pod) -> None:
    script = "import sys; open(sys.argv[1] + '/written', 'w').write('x')"
    for folder in ("", "/app", "/etc", "/usr", "/var", "/var/tmp"):
        code, output = pod.run("python3", "-c", script, folder)
        assert code != 0
        assert "Read-only file system" in output or "Permission denied" in output
    assert "Read-only file system" in pod.run("python3", "-c", script, "")[1]
    code, output = pod.run("python3", "-c", script, "/tmp")
    assert code == 0, output
    assert (pod.volumes["scratch"] / "written").exists()
    assert pod.container.diff() in (None, []) or all(
        one["Path"].split("/")[1] in ("tmp", "token") for one in pod.container.diff()
    )


@pytest.mark.proof("Local Kubernetes", level="runtime")
def test_its_process_has_no_rights(pod: Pod, engine: Engine) -> None:
    code, status = pod.run("python3", "-c", "print(open('/proc/1/status').read())")
    assert code == 0
    rows = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert rows["Uid"].split() == ["10001"] * 4
    assert rows["Gid"].split() == ["10001"] * 4
    assert int(rows["CapEff"], 16) == int(rows["CapBnd"], 16) == 0
    assert rows["NoNewPrivs"] == "1"
    if any("seccomp" in one for one in engine.client.info()["SecurityOptions"]):
        assert rows["Seccomp"] == "2"


@pytest.mark.proof("Local Kubernetes", level="runtime")
def test_its_limits_are_the_manifests(pod: Pod) -> None:
    newer, older = "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"
    script = f"import os; print(open('{newer}' if os.path.exists('{newer}') else '{older}').read())"
    code, said = pod.run("python3", "-c", script)
    assert code == 0, said
    assert int(said) == 512 << 20


@pytest.mark.proof("Local Kubernetes", level="runtime")
def test_a_server_that_hangs_is_started_anew(pod: Pod, digits: Digits) -> None:
    before = pod.restarts
    pod.container.kill("SIGSTOP")
    pod.look_after(PATIENCE)
    pod.wait_until_ready()
    assert pod.restarts == before + 1
    assert predicted(pod, digits) == digits.labels[:3]


@pytest.mark.proof("Local Kubernetes", level="runtime")
def test_the_end_under_load_loses_no_request(
    engine: Engine,
    server_image: BuiltImage,
    store: RunningStore,
    written: list[dict[str, Any]],
    digits: Digits,
    tmp_path: Path,
) -> None:
    """Endpoints learn that a pod is leaving while it still answers: requests go on until the probe says "not ready"."""
    body = json.dumps({"instances": digits.rows[:1]}).encode()
    request = post("/invocations", body, **HEADERS)
    images = {IMAGE: server_image.id}
    with running(engine, written, tmp_path, images=images, secrets=keys(store)) as pod:
        with under_load(contracts.DEFAULT_PORT, lambda _: request, connections=16, host=pod.address) as load:
            load.wait_for_answers(200)
            left: list[int] = []

            def leave() -> None:
                """The endpoint is taken out once the probe fails; until then, and somewhat longer, requests come."""
                if not left and not pod.probe("readinessProbe"):
                    load.wait_for_answers(32)
                    left.append(len(load.stop().answered))

            ended = pod.terminate(leave)
        log = pod.log()
    assert left, "it was never taken out"
    assert not ended.killed, log
    assert ended.code == 0, log
    assert ended.seconds < pod.grace
    assert load.outcome.failed == []
    assert load.outcome.statuses.keys() == {200}


@pytest.mark.proof("Local Kubernetes", level="runtime")
def test_a_server_beyond_its_memory_is_killed_and_starts_clean(
    engine: Engine, server_image: BuiltImage, store: RunningStore, tmp_path: Path
) -> None:
    release = fragile_model.release(tmp_path / "models")
    uri = put(store, release.path, "fragile/v1")
    written = service(store, Served("fragile", 1, uri))
    images = {IMAGE: server_image.id}
    with running(engine, written, tmp_path, images=images, secrets=keys(store)) as pod:
        with pytest.raises(httpx.TransportError):
            httpx.post(f"{pod.url}/invocations", json={"instances": [[3e8]]}, timeout=PATIENCE, trust_env=False)
        ended = pod.ended(PATIENCE)
        assert (ended.code, ended.out_of_memory) == (137, True)
        pod.look_after(PATIENCE)
        pod.wait_until_ready()
        answer = httpx.post(f"{pod.url}/invocations", json={"instances": [[3.0]]}, timeout=PATIENCE, trust_env=False)
        assert answer.status_code == 200, answer.text
        left = [file for file in pod.volumes["scratch"].iterdir() if file.name.startswith("release-")]
        assert left == []
