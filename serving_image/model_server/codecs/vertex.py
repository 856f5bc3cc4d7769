"""Vertex AI: https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements."""

from __future__ import annotations

from collections.abc import Sequence

from model_server.codecs import rows
from model_server.codecs.base import Call, Limits, select_outputs
from model_server.errors import RequestError
from model_server.http import Request, Response, json_response, load_object
from model_server.model import Model
from model_server.tensors import Array


class Predict:
    """`{"instances": […], "parameters": {"outputs": ["probabilities"]}}` -> `{"predictions": […]}`."""

    def decode(self, model: Model, request: Request, limits: Limits) -> Call:
        body = load_object(request.body, '"instances"')
        if "instances" not in body:
            raise RequestError(400, 'the body must have "instances", an array of instances')
        parameters = body.get("parameters")
        if parameters is not None and type(parameters) is not dict:
            raise RequestError(400, '"parameters" must be an object')
        for name in parameters or {}:
            if name != "outputs":
                raise RequestError(400, f'"parameters" has {name[:100]!r}; allowed: "outputs", an array of names')
        feeds, count = rows.from_instances(model, body["instances"], limits, '"instances"')
        return Call(feeds, count, select_outputs(model, (parameters or {}).get("outputs"), '"parameters"."outputs"'))

    def encode(self, model: Model, call: Call, answers: Sequence[Array]) -> Response:
        return json_response({"predictions": rows.to_predictions(model, call, answers)})
