"""The shape of an error in each contract."""

from __future__ import annotations

from collections.abc import Callable

from model_server.http import Response, json_response
from spec import contracts

_MMS_TYPES = {
    400: "BadRequestException",
    401: "UnauthorizedException",
    404: "ModelNotFoundException",
    405: "MethodNotAllowedException",
    408: "RequestTimeoutException",
    413: "RequestEntityTooLargeException",
    415: "UnsupportedMediaTypeException",
    503: "ServiceUnavailableException",
    504: "ResponseTimeoutException",
}
#: https://cloud.google.com/apis/design/errors
_GOOGLE_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    404: "NOT_FOUND",
    405: "INVALID_ARGUMENT",
    408: "DEADLINE_EXCEEDED",
    413: "INVALID_ARGUMENT",
    415: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def _plain(status: int, message: str) -> Response:
    return json_response({"error": message}, status)


def _model_server(status: int, message: str) -> Response:
    kind = _MMS_TYPES.get(status, "InternalServerException" if status >= 500 else "BadRequestException")
    return json_response({"code": status, "type": kind, "message": message}, status)


def _google(status: int, message: str) -> Response:
    name = _GOOGLE_STATUS.get(status, "INTERNAL" if status >= 500 else "INVALID_ARGUMENT")
    return json_response({"error": {"code": status, "message": message, "status": name}}, status)


def _azure(status: int, message: str) -> Response:
    return json_response({"message": message}, status)


_SHAPES: dict[str, Callable[[int, str], Response]] = {
    contracts.SAGEMAKER: _model_server,
    contracts.TORCHSERVE: _model_server,
    contracts.VERTEX: _google,
    contracts.AZURE_ML: _azure,
}
#: A path that no route has is answered by the contract that it looks like.
_PREFIXES = (
    ("/predictions", contracts.TORCHSERVE),
    ("/invocations", contracts.SAGEMAKER),
    ("/score", contracts.AZURE_ML),
)


def error(contract: str, status: int, message: str) -> Response:
    """An error in the contract's own shape."""
    return _SHAPES.get(contract, _plain)(status, message)


def contract_of(path: str) -> str:
    """The contract whose shape an unknown path gets."""
    return next((name for prefix, name in _PREFIXES if path.startswith(prefix)), contracts.CONTAINER)
