"""What an imported graph gets so that it can be served: tensors instead of maps, and a batch axis of any size.

Both are the habits of exporters, not of models: skl2onnx puts probabilities into a list of maps unless told otherwise,
and examples are often exported with the batch that they were traced with. A change is proven on rows, and recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper

from training.data.dataset import Array
from training.errors import TrainingError
from training.onnx_model import OnnxModel

#: Name of the batch axis that is opened.
BATCH = "batch"

#: How far an answer may move when the rows come in another number: kernels add up in another order.
TOLERANCE = 1e-4

#: Rows that are asked one by one.
SINGLE_ROWS = 8


def load_whole(file: Path) -> Any:
    """The graph with its weights inside, even where they are in files of their own. Raises TrainingError."""
    try:
        graph: Any = onnx.load(str(file))
        onnx.checker.check_model(graph)
    except FileNotFoundError:
        raise TrainingError(f"{file} does not exist; name an ONNX file") from None
    except Exception as error:  # protobuf's and onnx's errors share no base
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise TrainingError(f"{file} is no ONNX file that can be read whole: {first}") from None
    return graph


def without_maps(model: Any) -> list[str]:
    """Replace each output that is a list of maps by the tensor it was made from; returns the names of the classes.

    Empty where there was none. ZipMap only pairs a tensor's columns with names:
    https://onnx.ai/onnx/operators/onnx_aionnxml_ZipMap.html
    """
    classes: list[str] = []
    for output in model.graph.output:
        node = next((each for each in model.graph.node if output.name in each.output), None)
        if node is None or node.op_type != "ZipMap":
            continue
        names = [value for attribute in node.attribute for value in helper.get_attribute_value(attribute)]
        classes = [name.decode() if isinstance(name, bytes) else str(name) for name in names]
        tensor = helper.make_tensor_value_info(output.name, onnx.TensorProto.FLOAT, [BATCH, len(classes)])
        node.CopyFrom(helper.make_node("Identity", [node.input[0]], [output.name], name=node.name))
        output.CopyFrom(tensor)
    return classes


def fixed_batch(model: Any) -> int | None:
    """The size of the batch axis where every input has the same fixed one, else None."""
    weights = {tensor.name for tensor in model.graph.initializer}
    shapes = [entry.type.tensor_type.shape.dim for entry in model.graph.input if entry.name not in weights]
    sizes = {shape[0].dim_value if len(shape) else 0 for shape in shapes}
    return sizes.pop() if len(sizes) == 1 and 0 not in sizes else None


def open_batch(model: Any) -> None:
    """Let the first axis of every input and output be of any size."""
    weights = {tensor.name for tensor in model.graph.initializer}
    for entry in (*model.graph.input, *model.graph.output):
        shape = entry.type.tensor_type.shape.dim
        if entry.name not in weights and len(shape):
            shape[0].Clear()
            shape[0].dim_param = BATCH
    del model.graph.value_info[:]  # shapes between, that followed from the fixed one


def prove_open_batch(file: Path, fixed: OnnxModel, opened: OnnxModel, size: int, rows: Mapping[str, Array]) -> None:
    """Compare the answers to batches of the fixed size with those to all rows at once, and to each row alone.

    Raises TrainingError where they differ: the first axis is no batch axis, or a size stands in the graph elsewhere.
    """
    have = len(next(iter(rows.values())))
    many = {name: array[np.resize(np.arange(have), 2 * size)] for name, array in rows.items()}
    count = 2 * size
    cannot = (
        f"{file} has a batch axis of {size}, which cannot be opened"
        ": {}. Export it again with a first axis of any size (in PyTorch: dynamic_axes; in Keras: no batch_size)"
    )
    try:
        wanted = _joined(fixed, many, [slice(start, start + size) for start in range(0, count, size)])
        found = _joined(opened, many, [slice(0, count)])
        single = _joined(opened, many, [slice(row, row + 1) for row in range(min(count, SINGLE_ROWS))])
    except Exception as error:  # ONNX Runtime has no common base for its errors
        raise TrainingError(cannot.format(str(error).strip().splitlines()[0])) from None
    for name, answer in wanted.items():
        for other in (found[name], single[name]):
            if len(answer) != count or not _equal(answer[: len(other)], other):
                raise TrainingError(cannot.format(f"output {name!r} to a row depends on the rows beside it"))


def _joined(model: OnnxModel, rows: Mapping[str, Array], parts: list[slice]) -> dict[str, Array]:
    answers = [
        model.run({tensor.name: tensor.array(rows[tensor.name][part]) for tensor in model.inputs}) for part in parts
    ]
    return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}


def _equal(left: Array, right: Array) -> bool:
    if left.shape != right.shape:
        return False
    if left.dtype.kind != "f":
        return np.array_equal(left, right)
    return np.allclose(left, right, atol=TOLERANCE, rtol=TOLERANCE, equal_nan=True)
