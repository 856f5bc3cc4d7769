"""TorchServe's inference API: https://pytorch.org/serve/inference_api.html.

What a body holds is a handler's to say there. Accepted is what its built-in handlers and its KServe envelope take: a
row, `{"data": row}` or `{"body": row}`, answered with one prediction; or `{"instances": […]}`, answered with
`{"predictions": […]}`.
"""

from __future__ import annotations

from collections.abc import Sequence

from model_server.codecs import rows
from model_server.codecs.base import Call, Limits
from model_server.errors import RequestError
from model_server.http import Request, Response, json_response, load_json
from model_server.model import Model
from model_server.tensors import Array

ONE, MANY = "one", "many"


class Predict:
    """One row, or many in the KServe envelope."""

    def decode(self, model: Model, request: Request, limits: Limits) -> Call:
        body = load_json(request.body)
        if type(body) is dict and "instances" in body:
            feeds, count = rows.from_instances(model, body["instances"], limits, '"instances"')
            return Call(feeds, count, memo=MANY)
        where = "the body"
        if type(body) is dict and ("data" in body or "body" in body):
            if "data" in body and "body" in body:
                raise RequestError(400, 'the body must have "data" or "body", not both')
            where = '"data"' if "data" in body else '"body"'
            body = body[where[1:-1]]
        feeds, count = rows.from_instances(model, [body], limits, where)
        return Call(feeds, count, memo=ONE)

    def encode(self, model: Model, call: Call, answers: Sequence[Array]) -> Response:
        predictions = rows.to_predictions(model, call, answers)
        return json_response(predictions[0] if call.memo == ONE else {"predictions": predictions})
