"""Open Inference Protocol v2: https://github.com/kserve/open-inference-protocol (REST)."""

from __future__ import annotations

from typing import Any

import numpy as np

from model_server.errors import RequestError
from model_server.http import Response, json_response, load_json
from model_server.model import Arrays, Model
from model_server.tensors import TensorSpec, shape_from_json, to_json


def error(status: int, message: str) -> Response:
    return json_response({"error": message}, status)


def model_metadata(model: Model, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "versions": [model.version],
        "platform": "onnxruntime_onnx",
        "inputs": [_tensor_metadata(spec) for spec in model.inputs],
        "outputs": [_tensor_metadata(spec) for spec in model.outputs],
    }


def _tensor_metadata(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "datatype": spec.datatype, "shape": spec.wire_shape}


def decode(model: Model, body: bytes, max_batch: int) -> tuple[Arrays, list[str] | None, str | None]:
    """Inputs, names of the outputs asked for (None: all), and the request's id."""
    request = load_json(body)
    if type(request) is not dict:
        raise RequestError(400, 'the body must be an object with "inputs"')
    tensors = request.get("inputs")
    if type(tensors) is not list:
        raise RequestError(400, '"inputs" must be an array of tensors')
    specs = {spec.name: spec for spec in model.inputs}
    feeds: Arrays = {}
    for index, tensor in enumerate(tensors):
        if type(tensor) is not dict or type(tensor.get("name")) is not str:
            raise RequestError(400, f'inputs[{index}] must be an object with "name", "shape", "datatype" and "data"')
        spec = specs.get(tensor["name"])
        if spec is None:
            raise RequestError(
                400, f"inputs[{index}]: {tensor['name']!r} is no input; this model takes {sorted(specs)}"
            )
        if spec.name in feeds:
            raise RequestError(400, f"inputs[{index}]: {spec.name!r} stands twice")
        feeds[spec.name] = _input(spec, tensor, max_batch)
    missing = specs.keys() - feeds.keys()
    if missing:
        raise RequestError(400, f"inputs {sorted(missing)} are missing")
    if len({array.shape[0] for array in feeds.values()}) > 1:
        raise RequestError(400, "inputs have batches of different sizes")
    request_id = request.get("id")
    if request_id is not None and type(request_id) is not str:
        raise RequestError(400, '"id" must be a string')
    return feeds, _outputs(model, request), request_id


def _input(spec: TensorSpec, tensor: dict[str, Any], max_batch: int) -> np.ndarray[Any, Any]:
    if tensor.get("datatype") != spec.datatype:
        raise RequestError(
            400, f"input {spec.name!r}: datatype is {tensor.get('datatype')!r}; allowed: {spec.datatype!r}"
        )
    shape = shape_from_json(spec.name, tensor.get("shape"))
    array = spec.from_json(tensor.get("data"))
    if array.shape != shape:
        if array.ndim > 1 or array.size != _size(shape):
            raise RequestError(
                400,
                f"input {spec.name!r}: data has shape {list(array.shape)}, but its shape says {list(shape)}",
            )
        array = array.reshape(shape)
    return spec.check(array, max_batch)


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size


def _outputs(model: Model, request: dict[str, Any]) -> list[str] | None:
    asked = request.get("outputs")
    if asked is None:
        return None
    known = [spec.name for spec in model.outputs]
    if type(asked) is not list or not all(type(entry) is dict for entry in asked):
        raise RequestError(400, '"outputs" must be an array of objects with "name"')
    names = [entry.get("name") for entry in asked]
    for index, name in enumerate(names):
        if name not in known:
            raise RequestError(400, f"outputs[{index}]: {name!r} is no output; this model gives {known}")
    return names or None


def encode(
    model: Model, name: str, answers: list[np.ndarray[Any, Any]], names: list[str] | None, request_id: str | None
) -> Response:
    by_name = {spec.name: spec for spec in model.outputs}
    outputs = [
        {"name": output, "datatype": by_name[output].datatype, "shape": array.shape, "data": to_json(array)}
        for output, array in zip(names or by_name, answers, strict=True)
    ]
    answer: dict[str, Any] = {"model_name": name, "model_version": model.version, "outputs": outputs}
    if request_id is not None:
        answer["id"] = request_id
    return json_response(answer)
