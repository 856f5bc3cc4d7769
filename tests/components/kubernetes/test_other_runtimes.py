"""TorchServe and TensorFlow with what the manifest gives them: its init container, volumes, arguments, ports, probes.

TorchServe itself runs, from the training environment: its official image is in no package registry, so the container
has Debian's files and that environment's, and everything else is the manifest's. TensorFlow Serving is in no registry:
TensorFlow loads what lies where the manifest lets the server look. Whether the server takes the manifest's arguments
is held against its documentation alone.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from components.image.built import BuiltImage
from components.kubernetes.args import Served, Size
from spec import release as releases
from spec.release import Release
from tests.components.kubernetes.served import IMAGE, keys, put, service, store
from tests.containers import Engine
from tests.pods import Pod, running
from tests.real_parts import ROOT, need, need_environment
from tests.stores import RunningStore

__all__ = ["store"]  # a fixture, for pytest to find

#: The first test waits until the image is built and a network is trained.
pytestmark = [pytest.mark.timeout(1800), pytest.mark.slow]

RUNTIME_IMAGE = "registry.example/runtime@sha256:tests"


def of_debian(python: Path) -> dict[str, str]:
    """What the official image would hold: Java, Python with its libraries, the environment."""
    said = subprocess.run(
        [str(python), "-c", "import sys; print(sys.base_prefix)"], check=True, capture_output=True, text=True
    )
    environment = str(python.parent.parent.resolve())
    folders = ["/usr", "/etc/alternatives", "/etc/ld.so.cache", environment, *map(str, Path("/etc").glob("java-*"))]
    base = said.stdout.strip()
    return {place: place for place in [*folders, *([] if base.startswith("/usr") else [base])]}


@pytest.mark.proof("TorchServe", level="runtime")
def test_torchserve_serves_the_archive_as_the_manifest_starts_it(
    engine: Engine, server_image: BuiltImage, base: str, store: RunningStore, torch: Release, tmp_path: Path
) -> None:
    need("java", "apt-get install default-jre-headless")
    python = need_environment("torch", "make env-torch")
    written = service(
        store,
        Served(torch.model, torch.version, put(store, torch.path, f"{torch.model}/v{torch.version}")),
        runtime="torchserve",
        runtime_image=RUNTIME_IMAGE,
        size=Size(2, 3072),
        settings={"PATH": f"{python.parent.resolve()}{os.pathsep}/usr/bin{os.pathsep}/bin"},
    )
    samples = json.loads((torch.path / releases.SAMPLES_FILE).read_text())["samples"]
    many = {"instances": [sample["inputs"]["input"] for sample in samples]}
    images = {IMAGE: server_image.id, RUNTIME_IMAGE: base}
    options: dict[str, Any] = {"images": images, "secrets": keys(store), "mounts": of_debian(python)}
    with running(engine, written, tmp_path, **options) as pod:
        answer = predictions(pod, torch, many)
        assert pod.probe("livenessProbe")
        [metrics] = [one["containerPort"] for one in pod.spec["ports"] if one["name"] == "metrics"]
        scraped = httpx.get(f"http://{pod.address}:{metrics}/metrics", timeout=60, trust_env=False)
        assert scraped.status_code == 200
        # Only the pod itself may manage models.
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://{pod.address}:8081/models", timeout=10, trust_env=False)
        ended = pod.terminate()
        assert not ended.killed, pod.log()
    right = [sample["outputs"]["probabilities"] for sample in samples]
    assert np.max(np.abs(np.array(answer) - right)) <= 1e-4


def predictions(pod: Pod, release: Release, body: Any) -> list[list[float]]:
    url = f"{pod.url}/predictions/{release.model}/{release.version}"
    return httpx.post(url, json=body, timeout=120, trust_env=False).raise_for_status().json()["predictions"]


@pytest.mark.proof("TensorFlow Serving", level="schema")
def test_tensorflow_loads_what_lies_where_the_manifest_lets_the_server_look(
    engine: Engine, server_image: BuiltImage, store: RunningStore, cnn: Release, tmp_path: Path
) -> None:
    python = need_environment("tensorflow", "make env-tensorflow")
    written = service(
        store,
        Served(cnn.model, cnn.version, put(store, cnn.path, f"{cnn.model}/v{cnn.version}")),
        runtime="tensorflow_serving",
        runtime_image=RUNTIME_IMAGE,
    )
    images = {IMAGE: server_image.id, RUNTIME_IMAGE: "not run"}
    pod = Pod(engine, written, tmp_path / "pod", images=images, secrets=keys(store))
    pod.prepare()
    # What the server is told, as paths of the volume that is mounted there.
    flags = dict(one.removeprefix("--").split("=", 1) for one in pod.spec["args"])
    [mount] = [one for one in pod.spec["volumeMounts"] if flags["model_base_path"].startswith(one["mountPath"])]
    assert mount["readOnly"]
    folder = pod.volumes[mount["name"]] / Path(flags["model_base_path"]).relative_to(mount["mountPath"])
    # https://www.tensorflow.org/tfx/serving/serving_config: folders with numbers are versions, the rest is left alone.
    assert [one.name for one in folder.iterdir()] == [str(cnn.version)]
    assert flags["model_name"] == cnn.model
    samples = json.loads((cnn.path / releases.SAMPLES_FILE).read_text())["samples"]
    rows = np.asarray([sample["inputs"]["input"] for sample in samples], np.float32)
    np.save(tmp_path / "rows.npy", rows)
    script = (
        "import sys, numpy as np, tensorflow as tf\n"
        "serve = tf.saved_model.load(sys.argv[1]).signatures['serving_default']\n"
        "[name] = serve.structured_input_signature[1]\n"
        "[found] = serve(**{name: tf.constant(np.load(sys.argv[2]))}).values()\n"
        "np.save(sys.argv[3], found.numpy())\n"
    )
    command = [str(python), "-c", script, folder / str(cnn.version), tmp_path / "rows.npy", tmp_path / "answers.npy"]
    ran = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    right = [sample["outputs"]["probabilities"] for sample in samples]
    assert np.max(np.abs(np.load(tmp_path / "answers.npy") - right)) <= 1e-4
