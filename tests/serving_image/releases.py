"""Releases for tests: small graphs written by hand, and the writer that the project's own training uses."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

from spec import release as releases
from training.releases.write import write

#: numpy's dtype name by ONNX element type, for the metadata.
_DTYPES: dict[int, str] = {
    TensorProto.FLOAT: "float32", TensorProto.DOUBLE: "float64", TensorProto.FLOAT16: "float16",
    TensorProto.INT64: "int64", TensorProto.INT32: "int32", TensorProto.UINT8: "uint8", TensorProto.INT8: "int8",
    TensorProto.BOOL: "bool", TensorProto.STRING: "str",
}  # fmt: skip

Arrays = Mapping[str, np.ndarray[Any, Any]]


def write_release(
    models_dir: Path,
    name: str,
    graph: onnx.ModelProto,
    sample: Arrays,
    *,
    labels: list[str] | None = None,
    extra_files: Mapping[str, str] | None = None,
    answers: Arrays | None = None,
) -> Path:
    """Write a release of the graph. sample: one row per input. answers: what the sample says; default: the truth."""
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {key: value[np.newaxis] for key, value in sample.items()}
    names = [node.name for node in session.get_outputs()]
    truth = dict(zip(names, (np.asarray(output)[0] for output in session.run(None, feeds)), strict=True))
    rows = {"inputs": sample, "outputs": answers or truth}

    def fill(folder: Path, _version: int) -> dict[str, Any]:
        (folder / releases.MODEL_FILE).write_bytes(graph.SerializeToString())
        document = {
            "tolerance": {"absolute": 1e-5},
            "samples": [
                {
                    part: {key: np.asarray(value).tolist() for key, value in values.items()}
                    for part, values in rows.items()
                }
            ],
        }
        (folder / releases.SAMPLES_FILE).write_text(json.dumps(document))
        statistics = {
            key: {
                "shape": list(value.shape),
                "features": [{"edges": [0.0, 1.0], "counts": [1], "mean": 0.5, "std": 0.1}] * int(value.size),
            }
            for key, value in sample.items()
            if value.dtype.kind in "biuf"
        }
        (folder / releases.STATISTICS_FILE).write_text(json.dumps({"rows": 1, "inputs": statistics}))
        for file, text in (extra_files or {}).items():
            (folder / file).write_text(text)
        return {
            "inputs": [_tensor(entry) for entry in graph.graph.input],
            "outputs": [_tensor(entry) for entry in graph.graph.output],
            "class_labels": labels or [],
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }

    return write(models_dir, name, fill).path


def _tensor(entry: onnx.ValueInfoProto) -> dict[str, Any]:
    kind = entry.type.tensor_type
    shape = [dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim]
    return {"name": entry.name, "shape": shape, "dtype": _DTYPES[kind.elem_type]}


def _model(
    nodes: list[Any], inputs: list[Any], outputs: list[Any], weights: list[Any] | None = None
) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "test", inputs, outputs, weights or [])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def table_model() -> tuple[onnx.ModelProto, Arrays]:
    """Three columns of different datatypes, as a table's model has them: age, member and city -> echo of each."""
    inputs = [
        helper.make_tensor_value_info("age", TensorProto.INT64, ["batch", 1]),
        helper.make_tensor_value_info("member", TensorProto.BOOL, ["batch", 1]),
        helper.make_tensor_value_info("city", TensorProto.STRING, ["batch", 1]),
    ]
    outputs = [
        helper.make_tensor_value_info("age_out", TensorProto.INT64, ["batch", 1]),
        helper.make_tensor_value_info("member_out", TensorProto.BOOL, ["batch", 1]),
        helper.make_tensor_value_info("city_out", TensorProto.STRING, ["batch", 1]),
    ]
    nodes = [helper.make_node("Identity", [info.name], [f"{info.name}_out"]) for info in inputs]
    sample = {
        "age": np.array([42], dtype=np.int64),
        "member": np.array([True]),
        "city": np.array(["Zürich"], dtype=object),
    }
    return _model(nodes, inputs, outputs), sample


def doubling_model(shape: tuple[int, ...] = (2, 3)) -> tuple[onnx.ModelProto, Arrays]:
    """One float input with several axes and one output: twice the input."""
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *shape])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", *shape])]
    node = helper.make_node("Add", ["x", "x"], ["y"])
    return _model([node], inputs, outputs), {
        "x": np.linspace(0, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    }


def slow_model(width: int = 600, layers: int = 10) -> tuple[onnx.ModelProto, Arrays]:
    """Four numbers in, one out, and a chain of matrix products between that takes tens of milliseconds on one core.

    One row at a time, so that batching cannot help.
    """
    weight = helper.make_tensor(
        "w", TensorProto.FLOAT, [width, width], (np.eye(width, dtype=np.float32) * 0.5).ravel().tolist()
    )
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1])]
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["w", "mean"], ["h0"]),
        *(helper.make_node("MatMul", [f"h{index}", "w"], [f"h{index + 1}"]) for index in range(layers)),
        helper.make_node("ReduceMean", [f"h{layers}"], ["y"], axes=[0, 1], keepdims=1),
    ]
    return _model(nodes, inputs, outputs, [weight]), {"x": np.array([1, 2, 3, 4], dtype=np.float32)}
