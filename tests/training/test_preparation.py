"""A transforms.yaml at training: the data is what clients send, and the server does the same to requests."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from model_server.model import load

from spec import release as releases
from spec.release import Release
from tests.training.small import small_graph, write_small
from training import train_and_release
from training.data.builders import digits
from training.errors import TrainingError
from training.releases.compare import diff
from training.releases.importing import import_onnx

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
STEPS = f"""
inputs:
  - {{name: input, dtype: uint8, shape: [null, 8, 8]}}
before:
  - scale: {{tensor: input, factor: 0.0625, offset: 0}}
  - reshape: {{tensor: input, shape: [64]}}
after:
  - label_map: {{tensor: label, labels: [{", ".join(NAMES)}], into: name}}
"""


@pytest.fixture
def images(tmp_path: Path) -> str:
    """The digits as a camera would send them: 8×8 whole numbers."""
    data = digits()
    np.savez(tmp_path / "images.npz", X=data.X.reshape(-1, 8, 8).astype("u1"), y=data.y)
    return str(tmp_path / "images.npz")


def train(tmp_path: Path, data: str, steps: str) -> Release:
    (tmp_path / "transforms.yaml").write_text(steps)
    return train_and_release("forest", tmp_path / "models", data=data, transforms=tmp_path / "transforms.yaml")


def test_what_is_trained_on_is_what_is_served(images: str, tmp_path: Path) -> None:
    release = train(tmp_path, images, STEPS)
    metadata = releases.verify(release.path)
    assert metadata["metrics"]["test_accuracy"] >= 0.92
    model = load(release.path, name="digits", threads=1)
    assert [(spec.name, spec.dtype.name, spec.shape) for spec in model.inputs] == [("input", "uint8", (None, 8, 8))]
    samples = json.loads((release.path / releases.SAMPLES_FILE).read_text())["samples"]
    rows = np.array([sample["inputs"]["input"] for sample in samples], dtype=np.uint8)
    answers = dict(zip(model.outputs_by_name, model.run({"input": rows}), strict=True))
    assert answers["name"].tolist() == [sample["outputs"]["name"] for sample in samples]
    assert answers["name"].tolist() == [NAMES[sample["outputs"]["label"]] for sample in samples]
    statistics = json.loads((release.path / releases.STATISTICS_FILE).read_text())["inputs"]["input"]
    assert statistics["shape"] == [8, 8], "statistics are of what clients send: the server compares requests with them"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("shape: [null, 8, 8]", "shape: [null, 4, 16]", "has shape (1797, 8, 8); allowed: (rows, 4, 16)"),
        ("dtype: uint8", "dtype: bool", "bool"),
        ("shape: [64]", "shape: [63]", "63"),
        ("tensor: label,", "tensor: nothing,", "nothing"),
        ("before:", "during:", "during"),
        ("scale:", "shout:", "shout"),
    ],
)
def test_steps_that_do_not_fit(old: str, new: str, says: str, images: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as caught:
        train(tmp_path, images, STEPS.replace(old, new))
    assert says in str(caught.value)
    assert releases.models(tmp_path / "models") == []


def test_an_imported_graph_gets_steps_too(tmp_path: Path) -> None:
    """Two releases are compared by what clients send, not by what the graphs take."""
    write_small(tmp_path / "models", "some")
    onnx.save(small_graph(6), str(tmp_path / "six.onnx"))
    (tmp_path / "steps.yaml").write_text(
        "inputs:\n  - {name: input, dtype: float32, shape: [null, 2, 3]}\n"
        "before:\n  - reshape: {tensor: input, shape: [6]}\n"
    )
    release = import_onnx(tmp_path / "six.onnx", "some", tmp_path / "models", transforms=tmp_path / "steps.yaml")
    load(release.path, name="some", threads=1)
    changes = diff(releases.resolve(tmp_path / "models", "some@1"), release)
    assert changes.inputs == ["input 'input' was float32 [any, 2] and is float32 [any, 2, 3]"]
