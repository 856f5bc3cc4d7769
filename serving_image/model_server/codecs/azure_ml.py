"""Azure Machine Learning's scoring route.

The platform does not prescribe a body. Accepted is what its own examples and its MLflow deployments send: `input_data`
as an array of rows, or as `{"columns": […], "index": […], "data": […]}`; or `data` as an array of rows. The answer is
the array of predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from model_server.codecs import rows
from model_server.codecs.base import Call, Limits
from model_server.errors import RequestError
from model_server.http import Request, Response, json_response, load_object
from model_server.model import Model
from model_server.tensors import Array


class Score:
    """`{"input_data": …}` or `{"data": […]}` -> `[…]`."""

    def decode(self, model: Model, request: Request, limits: Limits) -> Call:
        body = load_object(request.body, '"input_data" or "data"')
        if ("input_data" in body) == ("data" in body):
            raise RequestError(400, 'the body must have either "input_data" or "data", an array of rows')
        name = "input_data" if "input_data" in body else "data"
        data = body[name]
        if type(data) is dict:
            data = _from_table(model, data, f'"{name}"')
        feeds, count = rows.from_instances(model, data, limits, f'"{name}"')
        return Call(feeds, count)

    def encode(self, model: Model, call: Call, answers: Sequence[Array]) -> Response:
        return json_response(rows.to_predictions(model, call, answers))


def _from_table(model: Model, table: dict[str, Any], where: str) -> Any:
    """Rows of a table in pandas' `split` form. With one input the columns are its features, else its names."""
    data, columns = table.get("data"), table.get("columns")
    if type(data) is not list:
        raise RequestError(400, f'{where} must have "data", an array of rows')
    if len(model.inputs) == 1 or columns is None:
        return data
    if type(columns) is not list or not all(type(column) is str for column in columns):
        raise RequestError(400, f'{where}: "columns" must be an array of names of inputs')
    for index, row in enumerate(data):
        if type(row) is not list or len(row) != len(columns):
            raise RequestError(400, f'{where}: "data"[{index}] must be an array of {len(columns)} values')
    return [dict(zip(columns, row, strict=True)) for row in data]
