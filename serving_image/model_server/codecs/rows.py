"""Rows: the form that Vertex AI, TensorFlow Serving, SageMaker, Azure ML and TorchServe share.

A request is an array of instances. An instance is the row of the only input, or an object with a row per input. The
answer is an array of predictions: the row of the only output, or an object with a row per output.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import numpy as np

from model_server.codecs.base import Call, Limits
from model_server.errors import RequestError
from model_server.model import Model
from model_server.tensors import Array, Arrays, TensorSpec, batch_rows, for_json


def from_instances(model: Model, instances: Any, limits: Limits, where: str) -> tuple[Arrays, int]:
    """Inputs from an array of instances. Raises RequestError."""
    if type(instances) is not list:
        raise RequestError(400, f"{where} must be an array of instances")
    if not instances:
        raise RequestError(400, f"{where} is empty; allowed: 1 to {limits.max_batch} instances")
    if len(instances) > limits.max_batch:
        raise RequestError(400, f"{where} has {len(instances)} instances; allowed: 1 to {limits.max_batch}")
    inputs = model.inputs
    if type(instances[0]) is dict and not _is_base64(instances[0]):
        columns = _columns(model, instances, where)
    elif len(inputs) == 1:
        columns = {inputs[0].name: instances}
    else:
        names = [spec.name for spec in inputs]
        raise RequestError(400, f"{where}[0] must be an object with a value for each of the inputs {names}")
    return from_columns(model, columns, limits)


def _columns(model: Model, instances: list[Any], where: str) -> dict[str, list[Any]]:
    names = [spec.name for spec in model.inputs]
    wanted = set(names)
    for index, instance in enumerate(instances):
        if type(instance) is not dict or instance.keys() != wanted:
            found = sorted(instance) if type(instance) is dict else "no object"
            raise RequestError(400, f"{where}[{index}] has {found}; it must have exactly the inputs {names}")
    return {name: [instance[name] for instance in instances] for name in names}


def from_columns(model: Model, columns: dict[str, Any], limits: Limits) -> tuple[Arrays, int]:
    """Inputs from one array per input, each with the batch as its first axis. Raises RequestError."""
    names = [spec.name for spec in model.inputs]
    if columns.keys() != set(names):
        raise RequestError(400, f"inputs are {sorted(columns)}; this model takes exactly {names}")
    feeds: Arrays = {}
    for spec in model.inputs:
        array = spec.from_json(_decode_base64(spec, columns[spec.name], len(spec.shape)))
        if array.ndim == 1 and len(spec.shape) > 1 and spec.row_size == 1:
            # A column of a table: one value per row, without brackets of its own.
            array = array.reshape(array.shape[0], *(1 for _ in spec.row_shape))
        feeds[spec.name] = spec.check(array, limits.max_batch)
    return feeds, batch_rows(feeds)


def _is_base64(value: Any) -> bool:
    return type(value) is dict and value.keys() == {"b64"}


def _decode_base64(spec: TensorSpec, data: Any, axes: int) -> Any:
    """TensorFlow Serving writes bytes as {"b64": "…"}; our strings are UTF-8. Lists below the tensor's axes are left as
    they are, for the check of the shape to refuse.
    """
    if spec.datatype != "BYTES":
        return data
    if type(data) is list:
        return [_decode_base64(spec, entry, axes - 1) for entry in data] if axes else data
    if not _is_base64(data):
        return data
    try:
        return base64.b64decode(data["b64"], validate=True).decode()
    except (binascii.Error, ValueError, TypeError):
        raise RequestError(400, f'input {spec.name!r}: {{"b64": …}} does not hold UTF-8 text as base64') from None


def to_predictions(model: Model, call: Call, answers: Sequence[Array]) -> Any:
    """Outputs as an array of predictions, for the JSON writer."""
    if len(answers) == 1:
        return for_json(answers[0])
    names = call.outputs or [spec.name for spec in model.outputs]
    parts = [_row_list(array) for array in answers]
    return [dict(zip(names, row, strict=True)) for row in zip(*parts, strict=True)]


def _row_list(array: Array) -> Sequence[Any]:
    values = for_json(array)
    # Values of a flat output become plain numbers; rows stay arrays, which the writer is fast at.
    return values if isinstance(values, list) else values.tolist() if values.ndim == 1 else list(values)


def score_output(model: Model) -> int | None:
    """Index of the output that holds one score per class; None where the model does not classify."""
    for index, spec in enumerate(model.outputs):
        wide = len(spec.shape) == 2 and spec.shape[1] is not None and spec.shape[1] > 1
        if spec.dtype.kind == "f" and wide and (not model.labels or spec.shape[1] == len(model.labels)):
            return index
    return None


def to_classes(model: Model, scores: Array) -> list[list[list[Any]]]:
    """Pairs of label and score for each row, in the order of the classes."""
    labels = model.labels or [str(index) for index in range(scores.shape[1])]
    return [[[label, score] for label, score in zip(labels, row, strict=True)] for row in scores.tolist()]


def flat_rows(answers: Sequence[Array]) -> list[list[Any]]:
    """Every row with all its outputs side by side, as a table has them."""
    parts = [np.asarray(array).reshape(array.shape[0], -1).tolist() for array in answers]
    return [[value for part in row for value in part] for row in zip(*parts, strict=True)]
