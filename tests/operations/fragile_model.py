"""A real model that fails on real requests: the way errors are injected into a service that is otherwise untouched.

It predicts its own input, after it has made and added up as many ones as the input says. An input of 10^14 asks for
more memory than a machine has; ONNX Runtime refuses, and the server answers 500, as it would for any model's failure.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from spec import release as releases
from training import statistics
from training.releases import write as release_writer

GOOD = 3.0
BAD = 1e14


def graph() -> onnx.ModelProto:
    nodes = [
        helper.make_node("ReduceMax", ["data"], ["largest"], keepdims=0),
        helper.make_node("Cast", ["largest"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Reshape", ["whole", "one_axis"], ["size"]),
        helper.make_node(
            "ConstantOfShape", ["size"], ["ones"], value=helper.make_tensor("value", TensorProto.FLOAT, [1], [1.0])
        ),
        helper.make_node("ReduceSum", ["ones"], ["count"], keepdims=0),
        helper.make_node("Mul", ["count", "zero"], ["nothing"]),
        helper.make_node("Add", ["data", "nothing"], ["answer"]),
    ]
    inputs = [helper.make_tensor_value_info("data", TensorProto.FLOAT, ["batch", 1])]
    outputs = [helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["batch", 1])]
    constants = [
        helper.make_tensor("one_axis", TensorProto.INT64, [1], [1]),
        helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
    ]
    made = helper.make_graph(nodes, "fragile", inputs, outputs, initializer=constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def release(models_dir: Path) -> releases.Release:
    """Write `fragile@1`."""

    def fill(staged: Path, _version: int) -> dict[str, object]:
        rows = {"data": np.linspace(1, 5, 50, dtype=np.float32)[:, np.newaxis]}
        answers = {"answer": rows["data"]}
        onnx.save(graph(), str(staged / releases.MODEL_FILE))
        samples = statistics.samples(rows, answers, [0, 1], tolerance=0, origin="the graph adds nothing")
        release_writer.write_json(staged / releases.SAMPLES_FILE, samples)
        release_writer.write_json(staged / releases.STATISTICS_FILE, statistics.statistics(rows, None))
        schema = {"shape": [None, 1], "dtype": "float32"}
        return {"inputs": [{"name": "data", **schema}], "outputs": [{"name": "answer", **schema}]}

    return release_writer.write(models_dir, "fragile", fill)
