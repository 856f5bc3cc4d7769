"""TensorFlow Serving's REST API: https://www.tensorflow.org/tfx/serving/api_rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from model_server.codecs import rows
from model_server.codecs.base import Call, Limits
from model_server.errors import RequestError
from model_server.http import Request, Response, json_response, load_object
from model_server.model import Model
from model_server.tensors import Array, TensorSpec, for_json

SIGNATURE = "serving_default"

#: Open Inference Protocol datatype -> tensorflow.DataType.
_TF_TYPES = {
    "BOOL": "DT_BOOL", "UINT8": "DT_UINT8", "UINT16": "DT_UINT16", "UINT32": "DT_UINT32", "UINT64": "DT_UINT64",
    "INT8": "DT_INT8", "INT16": "DT_INT16", "INT32": "DT_INT32", "INT64": "DT_INT64",
    "FP16": "DT_HALF", "FP32": "DT_FLOAT", "FP64": "DT_DOUBLE", "BYTES": "DT_STRING",
}  # fmt: skip


def _check_signature(body: dict[str, Any]) -> None:
    signature = body.get("signature_name")
    if signature not in (None, "", SIGNATURE):
        raise RequestError(400, f'"signature_name" is {str(signature)[:100]!r}; this model has {SIGNATURE!r} only')


class Predict:
    """`:predict`, in row form (`instances`) and in column form (`inputs`)."""

    def decode(self, model: Model, request: Request, limits: Limits) -> Call:
        body = load_object(request.body, '"instances" or "inputs"')
        _check_signature(body)
        if ("instances" in body) == ("inputs" in body):
            raise RequestError(400, 'the body must have either "instances" (rows) or "inputs" (columns)')
        if "instances" in body:
            feeds, count = rows.from_instances(model, body["instances"], limits, '"instances"')
            return Call(feeds, count, memo="predictions")
        inputs = body["inputs"]
        columns = inputs if type(inputs) is dict and inputs.keys() != {"b64"} else None
        if columns is None:
            if len(model.inputs) != 1:
                names = [spec.name for spec in model.inputs]
                raise RequestError(400, f'"inputs" must be an object with an array for each of {names}')
            columns = {model.inputs[0].name: inputs}
        feeds, count = rows.from_columns(model, columns, limits)
        return Call(feeds, count, memo="outputs")

    def encode(self, model: Model, call: Call, answers: Sequence[Array]) -> Response:
        if call.memo == "predictions":
            return json_response({"predictions": rows.to_predictions(model, call, answers)})
        if len(answers) == 1:
            return json_response({"outputs": for_json(answers[0])})
        named = {spec.name: for_json(array) for spec, array in zip(model.outputs, answers, strict=True)}
        return json_response({"outputs": named})


class Classify:
    """`:classify`. The page calls the answer's field `result`; the server itself writes `results`, and so do we."""

    def decode(self, model: Model, request: Request, limits: Limits) -> Call:
        score = rows.score_output(model)
        if score is None:
            raise RequestError(400, "this model does not classify: no output holds one score per class; use :predict")
        body = load_object(request.body, '"examples"')
        _check_signature(body)
        examples, context = body.get("examples"), body.get("context")
        if type(context) not in (dict, type(None)):
            raise RequestError(400, '"context" must be an object of features that all examples share')
        if type(examples) is not list or not all(type(example) is dict for example in examples):
            raise RequestError(400, '"examples" must be an array of objects, each with a value per input')
        merged = [{**(context or {}), **example} for example in examples]
        feeds, count = rows.from_instances(model, merged, limits, '"examples"')
        return Call(feeds, count, outputs=[model.outputs[score].name])

    def encode(self, model: Model, call: Call, answers: Sequence[Array]) -> Response:  # noqa: ARG002 # the protocol's
        return json_response({"results": rows.to_classes(model, answers[0])})


def status(models: Sequence[Model]) -> Response:
    """Answer of the model status API."""
    return json_response(
        {
            "model_version_status": [
                {"version": model.version, "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
                for model in models
            ]
        }
    )


def metadata(model: Model) -> Response:
    """Answer of the model metadata API."""
    signature = {
        "inputs": {spec.name: _tensor_info(spec) for spec in model.inputs},
        "outputs": {spec.name: _tensor_info(spec) for spec in model.outputs},
        "method_name": "tensorflow/serving/predict",
        "defaults": {},
    }
    return json_response(
        {
            "model_spec": {"name": model.name, "signature_name": "", "version": model.version},
            "metadata": {"signature_def": {"signature_def": {SIGNATURE: signature}}},
        }
    )


def _tensor_info(spec: TensorSpec) -> dict[str, Any]:
    dims = [{"size": str(size), "name": ""} for size in spec.wire_shape]
    shape = {"dim": dims, "unknown_rank": False}
    return {"dtype": _TF_TYPES[spec.datatype], "tensor_shape": shape, "name": f"{spec.name}:0"}
