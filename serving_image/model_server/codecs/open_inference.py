"""Open Inference Protocol v2 over REST, JSON and binary tensors: https://github.com/kserve/open-inference-protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from model_server.codecs import binary_tensors
from model_server.codecs.base import Call, Limits
from model_server.errors import RequestError
from model_server.http import JSON, Request, Response, dump_json, json_response, load_object
from model_server.model import Model
from model_server.tensors import Array, Arrays, TensorSpec, batch_rows, for_json, shape_from_json, shape_text
from spec.contracts import BINARY_HEADER

EXTENSIONS = ["binary_tensor_data"]
_BINARY_HEADER = BINARY_HEADER.encode()
_BINARY = b"application/octet-stream"
_NO_BYTES = memoryview(b"")


class _Memo(NamedTuple):
    """What the answer needs: the request's id, and which outputs are asked for as binary."""

    request_id: str | None
    binary: Sequence[bool]


class Infer:
    """`infer`."""

    def decode(self, model: Model, request: Request, limits: Limits) -> Call:
        header = request.headers.get(_BINARY_HEADER)
        if header is None:
            body, rest = load_object(request.body, '"inputs"'), _NO_BYTES
            no_booleans = _without_booleans(request.body)
        else:
            text, rest = binary_tensors.split(request.body, header)
            body = load_object(text, '"inputs"')
            no_booleans = False
        tensors = body.get("inputs")
        if type(tensors) is not list:
            raise RequestError(400, '"inputs" must be an array of tensors')
        feeds, used = _inputs(model, tensors, rest, limits, no_booleans=no_booleans)
        if used != len(rest):
            raise RequestError(400, f"{len(rest) - used} bytes follow the last binary tensor")
        request_id = body.get("id")
        if request_id is not None and type(request_id) is not str:
            raise RequestError(400, '"id" must be a string')
        rows = batch_rows(feeds)
        if "parameters" not in body and "outputs" not in body:
            return Call(feeds, rows, None, _Memo(request_id, ()))
        parameters = _parameters(body, "the request")
        names, binary = _outputs(model, body, parameters)
        return Call(feeds, rows, names, _Memo(request_id, binary), _timeout(parameters))

    def encode(self, model: Model, call: Call, answers: Sequence[Array]) -> Response:
        # Written piece by piece: what is the same in every answer is made once.
        memo: _Memo = call.memo
        by_name = model.outputs_by_name
        parts: list[bytes] = [model.described]
        blobs: list[bytes] = []
        if memo.request_id is not None:
            parts.append(b',"id":%b' % dump_json(memo.request_id))
        begin = b',"outputs":[{'
        for index, (name, array) in enumerate(zip(call.outputs or by_name, answers, strict=True)):
            if memo.binary and memo.binary[index]:
                blobs.append(binary_tensors.to_bytes(array))
                last = b',"parameters":{"binary_data_size":%d}' % len(blobs[-1])
            else:
                last = b',"data":%b' % dump_json(for_json(array.ravel()))
            parts += (begin, by_name[name].described, b',"shape":', shape_text(array.shape), last)
            begin = b"},{"
        parts.append(b"}]}")
        text = b"".join(parts)
        if not blobs:
            return Response(200, text, JSON)
        return Response(200, b"".join((text, *blobs)), _BINARY, [(_BINARY_HEADER, b"%d" % len(text))])


def _without_booleans(body: bytes) -> bool:
    """Whether the JSON holds no true and no false. A letter is found much faster than a word, and "inputs", "name",
    "shape", "datatype" and "data" have neither r nor l.
    """
    return (b"r" not in body or b"true" not in body) and (b"l" not in body or b"false" not in body)


def _inputs(
    model: Model, tensors: list[Any], rest: memoryview, limits: Limits, *, no_booleans: bool
) -> tuple[Arrays, int]:
    """Inputs, and how many of the bytes after the JSON they used."""
    specs = model.inputs_by_name
    feeds: Arrays = {}
    used = 0
    for index, tensor in enumerate(tensors):
        if type(tensor) is not dict or type(tensor.get("name")) is not str:
            raise RequestError(400, f'inputs[{index}] must be an object with "name", "shape", "datatype" and "data"')
        spec = specs.get(tensor["name"])
        if spec is None:
            raise RequestError(
                400, f"inputs[{index}]: {tensor['name'][:100]!r} is no input; this model takes {list(specs)}"
            )
        if spec.name in feeds:
            raise RequestError(400, f"inputs[{index}]: {spec.name!r} stands twice")
        if tensor.get("datatype") != spec.datatype:
            found = str(tensor.get("datatype"))[:40]
            raise RequestError(400, f"input {spec.name!r}: datatype is {found!r}; this model takes {spec.datatype!r}")
        shape = shape_from_json(spec.name, tensor.get("shape"))
        size = tensor["parameters"].get("binary_data_size") if type(tensor.get("parameters")) is dict else None
        if size is None:
            array = _from_json(spec, tensor, shape, no_booleans=no_booleans)
        else:
            if type(size) is not int or not 0 <= size <= len(rest) - used:
                raise RequestError(
                    400,
                    f"input {spec.name!r}: binary_data_size is {str(size)[:40]}; {len(rest) - used} bytes are there",
                )
            if "data" in tensor:
                raise RequestError(400, f'input {spec.name!r} has both "data" and binary_data_size')
            array = binary_tensors.from_bytes(spec, rest[used : used + size], shape)
            used += size
        feeds[spec.name] = spec.check(array, limits.max_batch)
    if len(feeds) < len(specs):
        raise RequestError(400, f"inputs {[name for name in specs if name not in feeds]} are missing")
    return feeds, used


def _from_json(spec: TensorSpec, tensor: dict[str, Any], shape: tuple[int, ...], *, no_booleans: bool) -> Array:
    array = spec.from_json(tensor.get("data"), no_booleans=no_booleans)
    if array.shape == shape:
        return array
    size = 1
    for length in shape:
        size *= length
    if array.ndim > 1 or array.size != size:
        raise RequestError(
            400, f"input {spec.name!r}: data has shape {list(array.shape)}, but its shape says {list(shape)}"
        )
    return array.reshape(shape)


def _parameters(holder: dict[str, Any], where: str) -> dict[str, Any]:
    parameters = holder.get("parameters")
    if parameters is None:
        return {}
    if type(parameters) is not dict:
        raise RequestError(400, f'"parameters" of {where} must be an object')
    return parameters


def _outputs(model: Model, body: dict[str, Any], parameters: dict[str, Any]) -> tuple[list[str] | None, Sequence[bool]]:
    """Names of the outputs asked for (None: all), and for each whether it is to be binary (empty: none is)."""
    all_binary = _flag(parameters, "binary_data_output", "the request")
    asked = body.get("outputs")
    if asked is None or asked == []:
        return None, [True] * len(model.outputs) if all_binary else ()
    if type(asked) is not list or not all(type(entry) is dict for entry in asked):
        raise RequestError(400, '"outputs" must be an array of objects with "name"')
    names: list[str] = []
    binary: list[bool] = []
    for index, entry in enumerate(asked):
        name = entry.get("name")
        if type(name) is not str or name not in model.outputs_by_name:
            known = list(model.outputs_by_name)
            raise RequestError(400, f"outputs[{index}]: {str(name)[:100]!r} is no output; this model gives {known}")
        if name in names:
            raise RequestError(400, f"outputs[{index}]: {name!r} stands twice")
        own = _parameters(entry, f"outputs[{index}]")
        if own.get("classification"):
            raise RequestError(400, f"outputs[{index}]: the classification extension is not offered; see GET /v2")
        names.append(name)
        binary.append(_flag(own, "binary_data", f"outputs[{index}]", default=all_binary))
    return names, binary if any(binary) else ()


def _flag(parameters: dict[str, Any], name: str, where: str, *, default: bool = False) -> bool:
    value = parameters.get(name, default)
    if type(value) is not bool:
        raise RequestError(400, f"{name} of {where} must be true or false")
    return value


def _timeout(parameters: dict[str, Any]) -> float | None:
    """`timeout`, which Triton's clients send in microseconds; 0 means none."""
    value = parameters.get("timeout")
    if value is None or value == 0:
        return None
    if type(value) is not int or value < 0:
        raise RequestError(400, '"timeout" must be a whole number of microseconds')
    return value / 1e6


def model_metadata(models: Sequence[Model], model: Model) -> Response:
    """Answer of the model metadata API."""
    return json_response(
        {
            "name": model.name,
            "versions": [served.version for served in models],
            "platform": "onnxruntime_onnx",
            "inputs": [_tensor_metadata(spec) for spec in model.inputs],
            "outputs": [_tensor_metadata(spec) for spec in model.outputs],
        }
    )


def _tensor_metadata(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "datatype": spec.datatype, "shape": spec.wire_shape}
