"""Amazon SageMaker's `/invocations`: the body and answer are the container's to choose, by content type.

JSON holds `{"instances": […]}`, `{"inputs": {…}}` or just the array of instances; CSV holds one row per line; NPY holds
the batch of the only input. The answer's type is that of `Accept`; without one it is the request's.
https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from model_server.codecs import npy, rows
from model_server.codecs.base import Call, Limits
from model_server.errors import RequestError
from model_server.http import Request, Response, json_response, load_json
from model_server.model import Model
from model_server.tensors import Array, TensorSpec

JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"
TYPES = (JSON, CSV, NPY)


class _Answer(NamedTuple):
    """How the answer is written. bare: a JSON array, as the request was one. output: the one an NPY file holds."""

    type: str
    bare: bool
    output: int


class Invoke:
    """JSON, CSV and NPY."""

    def decode(self, model: Model, request: Request, limits: Limits) -> Call:
        sent = _media_type(request.headers.get(b"content-type", b""))[0] or JSON
        if sent == JSON:
            feeds, count, bare = _from_json(model, request.body, limits)
        elif sent == CSV:
            feeds, count = from_csv_lines(model, _csv_lines(request.body), limits)
            bare = False
        elif sent == NPY:
            feeds, count, bare = *_single(model, _from_npy(model, request.body), limits), False
        else:
            raise RequestError(415, f"content-type is {sent[:100]!r}; allowed: {', '.join(TYPES)}")
        return Call(feeds, count, memo=_answer(model, request, sent, bare=bare))

    def encode(self, model: Model, call: Call, answers: Sequence[Array]) -> Response:
        answer: _Answer = call.memo
        if answer.type == CSV:
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows(rows.flat_rows(answers))
            return Response(200, text.getvalue().encode(), b"text/csv; charset=utf-8")
        if answer.type == NPY:
            array = answers[answer.output]
            file = io.BytesIO()
            np.save(file, array.astype(np.str_) if array.dtype.kind == "O" else array, allow_pickle=False)
            return Response(200, file.getvalue(), NPY.encode())
        predictions = rows.to_predictions(model, call, answers)
        return json_response(predictions if answer.bare else {"predictions": predictions})


def _media_type(header: bytes) -> tuple[str, dict[str, str]]:
    """Type and parameters of one entry of a `Content-Type` or `Accept` header."""
    kind, *parameters = header.decode("latin-1").split(";")
    pairs = (parameter.partition("=") for parameter in parameters)
    return kind.strip().lower(), {name.strip().lower(): text.strip().strip('"') for name, _, text in pairs}


def _answer(model: Model, request: Request, sent: str, *, bare: bool) -> _Answer:
    accept = request.headers.get(b"accept", b"")
    for entry in accept.split(b",") if accept else []:
        kind, parameters = _media_type(entry)
        if kind in ("*/*", ""):
            break
        if kind == "application/*":
            kind = sent if sent.startswith("application/") else JSON
        elif kind == "text/*":
            kind = CSV
        if kind in TYPES:
            return _Answer(kind, bare, _named_output(model, parameters.get("output")))
    else:
        if accept:
            raise RequestError(406, f"accept is {accept[:100].decode('latin-1')!r}; allowed: {', '.join(TYPES)}")
    return _Answer(sent, bare, 0)


def _named_output(model: Model, name: str | None) -> int:
    """Index of the output that an NPY answer holds: the first, or that of `application/x-npy; output=name`."""
    if name is None:
        return 0
    known = [spec.name for spec in model.outputs]
    if name not in known:
        raise RequestError(406, f"accept names the output {name[:100]!r}; this model gives {known}")
    return known.index(name)


def _from_json(model: Model, body: bytes, limits: Limits) -> tuple[dict[str, Array], int, bool]:
    value = load_json(body)
    if type(value) is list:
        return *rows.from_instances(model, value, limits, "the body"), True
    if type(value) is not dict or ("instances" in value) == ("inputs" in value):
        raise RequestError(400, 'the body must be an array of instances, or an object with "instances" or "inputs"')
    if "instances" in value:
        return *rows.from_instances(model, value["instances"], limits, '"instances"'), False
    inputs = value["inputs"]
    if type(inputs) is not dict:
        if len(model.inputs) != 1:
            raise RequestError(400, '"inputs" must be an object with an array per input')
        inputs = {model.inputs[0].name: inputs}
    return *rows.from_columns(model, inputs, limits), False


def _only_input(model: Model, kind: str) -> TensorSpec:
    if len(model.inputs) != 1:
        names = [spec.name for spec in model.inputs]
        raise RequestError(415, f"{kind} holds one input; this model takes {names}: send {JSON}")
    return model.inputs[0]


def _single(model: Model, array: Array, limits: Limits) -> tuple[dict[str, Array], int]:
    spec = model.inputs[0]
    checked = spec.check(array, limits.max_batch)
    return {spec.name: checked}, checked.shape[0]


def _csv_lines(body: bytes) -> list[list[str]]:
    try:
        return [line for line in csv.reader(io.StringIO(body.decode(), newline=""), strict=True) if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise RequestError(400, f"the body is not CSV in UTF-8: {error}") from None


def from_csv_lines(model: Model, lines: Sequence[Sequence[str]], limits: Limits) -> tuple[dict[str, Array], int]:
    """The only input from one row per line; where a row of the model has several axes its values stand flat.

    Raises RequestError.
    """
    spec = _only_input(model, CSV)
    if not 0 < len(lines) <= limits.max_batch:
        raise RequestError(400, f"the body has {len(lines)} rows; allowed: 1 to {limits.max_batch}")
    width = len(lines[0])
    for number, line in enumerate(lines):
        if len(line) != width:
            raise RequestError(400, f"input {spec.name!r} at [{number}]: {len(line)} values, the first row has {width}")
    flat = [
        _csv_value(spec, text, number, column) for number, line in enumerate(lines) for column, text in enumerate(line)
    ]
    array = spec.from_json(flat)
    sizes = [size for size in spec.row_shape if size is not None]
    if spec.row_size is not None and width == spec.row_size:
        return _single(model, array.reshape(len(lines), *sizes), limits)
    return _single(model, array.reshape(len(lines), width), limits)


def _csv_value(spec: TensorSpec, text: str, row: int, column: int) -> Any:
    kind = spec.dtype.kind
    if kind == "O":
        return text
    text = text.strip()
    try:
        if kind == "b":
            return {"true": True, "false": False, "1": True, "0": False}[text.lower()]
        return float(text) if kind == "f" else int(text)
    except (ValueError, KeyError):
        raise RequestError(
            400,
            f"input {spec.name!r} at [{row}, {column}]: {text[:40]!r} is no {spec.datatype} (header lines are refused)",
        ) from None


def _from_npy(model: Model, body: bytes) -> Array:
    spec = _only_input(model, NPY)
    try:
        array = npy.read(body)
    except ValueError as error:
        raise RequestError(400, f"the body is no NPY file: {error}") from None
    return cast(spec, array)


def cast(spec: TensorSpec, array: Array) -> Array:
    """The array in the model's dtype. Numbers may be stored wider or narrower, never as another kind.

    Raises RequestError.
    """
    wanted = spec.dtype
    if wanted.kind == "O":
        if array.dtype.kind != "U":
            raise RequestError(400, f"input {spec.name!r}: the file holds {array.dtype}; allowed: unicode strings")
        return array.astype(object)
    if wanted.kind == "f" and array.dtype.kind in "fiu":
        return np.ascontiguousarray(array, dtype=wanted)
    if wanted.kind in "iu" and array.dtype.kind in "iu":
        limits = np.iinfo(wanted)
        if array.size and (array.min() < limits.min or array.max() > limits.max):
            raise RequestError(
                400, f"input {spec.name!r}: a value is outside {spec.datatype}, {limits.min} to {limits.max}"
            )
        return np.ascontiguousarray(array, dtype=wanted)
    if wanted.kind == "b" and array.dtype.kind == "b":
        return np.ascontiguousarray(array)
    raise RequestError(400, f"input {spec.name!r}: the file holds {array.dtype}; this model takes {spec.datatype}")
