"""The networks, trained for real in their own environments (.venv-tensorflow, .venv-torch), about two minutes.

What it does not prove: that TensorFlow Serving serves the SavedModel. It is loaded by TensorFlow, which is what
TensorFlow Serving does first.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnxruntime
import pytest

from spec import release as releases
from spec.release import Release
from tests.ports import free_port
from tests.real_parts import need, need_environment
from training.data.builders import BUILDERS
from training.data.dataset import HELD_OUT, Array, Dataset
from training.trainers import CNN, SEED, TORCH, Trainer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]

#: Least accuracy on the held-out rows.
ASKED = {"cnn": 0.96, "torch": 0.95}
TRAINER = {"cnn": CNN, "torch": TORCH}


def held_out(trainer: Trainer) -> Dataset:
    return BUILDERS[trainer.data]().split(HELD_OUT, SEED)[1]


def onnx_answers(release: Release, rows: Array) -> tuple[Array, Array]:
    session: Any = onnxruntime.InferenceSession(str(release.path / releases.MODEL_FILE))
    labels, probabilities = session.run(["label", "probabilities"], {"input": rows})
    return labels, probabilities


def asked(environment: str, module: str, exported: Path, rows: Dataset, tmp_path: Path) -> tuple[Array, Any]:
    """The framework's answers to the rows, and what the module printed."""
    rows.save(tmp_path / "rows.npz")
    few = [int(row) for label in rows.classes for row in np.flatnonzero(rows.y == label)[:4]]
    Dataset(rows.X[few], rows.y[few], "few").save(tmp_path / "few.npz")
    names = (exported, tmp_path / "rows.npz", tmp_path / "answers.npy", tmp_path / "few.npz")
    command = [str(need_environment(environment)), "-m", module, *map(str, names)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    return np.load(tmp_path / "answers.npy"), json.loads(result.stdout.splitlines()[-1])


@pytest.mark.parametrize("trainer", list(ASKED))
def test_accuracy_and_export_as_the_metadata_says(trainer: str, request: pytest.FixtureRequest) -> None:
    release: Release = request.getfixturevalue(trainer)
    metadata = releases.verify(release.path)
    assert release.model == TRAINER[trainer].model
    assert metadata["metrics"]["test_accuracy"] >= ASKED[trainer]
    assert metadata["export"]["largest_difference"] <= 1e-4
    assert metadata["export"]["rows_compared"] == 450
    rows = held_out(TRAINER[trainer])
    labels, _probabilities = onnx_answers(release, rows.X)
    assert float(np.mean(labels == rows.y)) == pytest.approx(metadata["metrics"]["test_accuracy"])
    for picture in ("confusion_matrix.png", "learning_curve.png"):
        assert (release.path / picture).read_bytes().startswith(b"\x89PNG")


def test_tensorflow_answers_the_saved_model_as_onnx_does(cnn: Release, tmp_path: Path) -> None:
    rows = held_out(CNN)
    saved_model = cnn.path / "tensorflow_serving" / str(cnn.version)
    answers, printed = asked("tensorflow", "tests.training.in_tensorflow", saved_model, rows, tmp_path)
    labels, probabilities = onnx_answers(cnn, rows.X)
    assert float(np.max(np.abs(answers - probabilities))) <= 1e-4
    assert np.array_equal(answers.argmax(axis=1), labels)
    layers, optimizer, objective, loss, accuracy = printed
    assert layers == [
        ["Conv2D", 32],
        ["MaxPooling2D", None],
        ["Conv2D", 64],
        ["MaxPooling2D", None],
        ["Flatten", None],
        ["Dense", 64],
        ["Dense", 10],
    ]
    assert (optimizer, objective) == ("Adam", "sparse_categorical_crossentropy")
    assert loss > 0
    assert 0 <= accuracy <= 1


def test_pytorch_answers_the_archive_as_onnx_does(torch: Release, tmp_path: Path) -> None:
    rows = held_out(TORCH)
    archive = torch.path / "torchserve" / "digits_torch.mar"
    answers, printed = asked("torch", "tests.training.in_torch", archive, rows, tmp_path)
    labels, probabilities = onnx_answers(torch, rows.X)
    assert float(np.max(np.abs(answers - probabilities))) <= 1e-4
    assert np.array_equal(answers.argmax(axis=1), labels)
    manifest, is_module, loss, accuracy = printed
    assert (manifest["modelName"], manifest["modelVersion"], is_module) == ("digits_torch", "1", True)
    assert loss > 0
    assert 0 <= accuracy <= 1


@contextlib.contextmanager
def torchserve(store: Path, model: str, tmp_path: Path) -> Iterator[str]:
    """TorchServe itself, with Java, from the training environment; its URL once the model's worker is up."""
    need("java", "apt-get install default-jre-headless")
    python = need_environment("torch", "make env-torch")
    inference, management, *others = (free_port() for _port in range(5))
    (tmp_path / "config.properties").write_text(
        f"inference_address=http://127.0.0.1:{inference}\n"
        f"management_address=http://127.0.0.1:{management}\n"
        f"metrics_address=http://127.0.0.1:{others[0]}\n"
        f"grpc_inference_port={others[1]}\n"
        f"grpc_management_port={others[2]}\n"
        "default_workers_per_model=1\n"
    )
    command = [str(python.parent / "torchserve"), "--start", "--foreground", "--ncs", "--disable-token-auth"]
    command += ["--model-store", str(store), "--models", f"{model}={model}.mar"]
    command += ["--ts-config", str(tmp_path / "config.properties")]
    environment = {
        **os.environ,
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",  # it starts its workers with `python`
        "LOG_LOCATION": str(tmp_path / "logs"),
        "METRICS_LOCATION": str(tmp_path / "logs"),
        "TEMP": str(tmp_path),
    }
    log = tmp_path / "torchserve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 240
        while True:
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            with contextlib.suppress(httpx.HTTPError):
                described: Any = httpx.get(f"http://127.0.0.1:{management}/models/{model}", timeout=10).json()
                if isinstance(described, list) and any(each["status"] == "READY" for each in described[0]["workers"]):
                    break
            time.sleep(0.5)
        yield f"http://127.0.0.1:{inference}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # Java and its workers: one session of their own
        process.wait()


def test_torchserve_serves_the_archive(torch: Release, tmp_path: Path) -> None:
    samples = json.loads((torch.path / releases.SAMPLES_FILE).read_text())["samples"]
    with torchserve(torch.path / "torchserve", torch.model, tmp_path) as url:
        many = {"instances": [sample["inputs"]["input"] for sample in samples]}
        answer = httpx.post(f"{url}/predictions/{torch.model}/{torch.version}", json=many, timeout=120)
        one = httpx.post(f"{url}/predictions/{torch.model}", json=many["instances"][0], timeout=120)
    assert answer.status_code == 200, answer.text
    right = [sample["outputs"]["probabilities"] for sample in samples]
    assert np.max(np.abs(np.array(answer.json()["predictions"]) - right)) <= 1e-4
    assert np.max(np.abs(np.array(one.json()) - right[0])) <= 1e-4
