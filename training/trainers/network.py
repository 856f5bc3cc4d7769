"""What the neural networks share: the schema of their export, and how their labels are numbered."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from training.trainers import INPUT, LABEL, PROBABILITIES


def finish_graph(file: Path, classes: Sequence[int] | Sequence[str], *, source: str) -> None:
    """Give an exported network, which answers probabilities only, the schema of every model made here.

    Its input becomes `input`, its output `probabilities`, and `label` is added: the class of the highest probability.
    source: what the graph's documentation says it comes from.
    """
    model: Any = onnx.load(str(file))
    graph = model.graph
    _rename(graph, graph.input[0].name, INPUT)
    _rename(graph, graph.output[0].name, PROBABILITIES)
    for tensor in (graph.input[0], graph.output[0]):
        # One name for the batch axis: exporters write 0, -1 or a name of their own.
        tensor.type.tensor_type.shape.dim[0].Clear()
        tensor.type.tensor_type.shape.dim[0].dim_param = "batch"
    graph.output[0].type.tensor_type.shape.dim[1].dim_value = len(classes)
    texts = isinstance(classes[0], str)
    names = np.asarray(classes, dtype=object if texts else np.int64)
    graph.initializer.append(numpy_helper.from_array(names, "class_names"))
    graph.node.append(helper.make_node("ArgMax", [PROBABILITIES], ["class_index"], axis=1, keepdims=0))
    graph.node.append(helper.make_node("Gather", ["class_names", "class_index"], [LABEL], axis=0))
    kind = onnx.TensorProto.STRING if texts else onnx.TensorProto.INT64
    graph.output.insert(0, helper.make_tensor_value_info(LABEL, kind, ["batch"]))
    model.doc_string = source
    onnx.checker.check_model(model)
    onnx.save(model, str(file))


def _rename(graph: Any, old: str, new: str) -> None:
    for tensor in (*graph.input, *graph.output, *graph.value_info):
        if tensor.name == old:
            tensor.name = new
    for node in graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == old:
                    names[index] = new
