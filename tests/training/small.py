"""A release that takes milliseconds to make: a real ONNX graph, but no trained model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from spec import release as releases
from spec.release import Release
from training.releases.write import write, write_json


def small_graph(features: int = 2, *, batch: int | str = "batch", dtype: int = TensorProto.FLOAT) -> Any:
    """x -> softmax(x), as `probabilities`."""
    graph = helper.make_graph(
        [helper.make_node("Softmax", ["input"], ["probabilities"], axis=1)],
        "small",
        [helper.make_tensor_value_info("input", dtype, [batch, features])],
        [helper.make_tensor_value_info("probabilities", dtype, [batch, features])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def write_small(
    models_dir: Path,
    model: str = "digits",
    *,
    accuracy: float | None = 0.9,
    features: int = 2,
    version: int | None = None,
    more: Mapping[str, bytes] | None = None,
) -> Release:
    """Write the next release. more: further files for it."""

    def fill(folder: Path, _version: int) -> dict[str, Any]:
        onnx.save(small_graph(features), str(folder / releases.MODEL_FILE))
        write_json(folder / releases.SAMPLES_FILE, {"samples": []})
        write_json(folder / releases.STATISTICS_FILE, {"rows": 0, "inputs": {}})
        for name, content in (more or {}).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return {
            "inputs": [{"name": "input", "dtype": "float32", "shape": [None, features]}],
            "outputs": [{"name": "probabilities", "dtype": "float32", "shape": [None, features]}],
            "metrics": {} if accuracy is None else {"test_accuracy": accuracy},
        }

    return write(models_dir, model, fill, version=version)
