"""Operations that predict nothing: health, metadata, metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from model_server.codecs import open_inference, tensorflow_serving
from model_server.http import TEXT, Request, Response, json_response
from model_server.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from model_server.app import App

#: Version of the server, as `/v2` says it.
VERSION = "0.1.0"

Operation = Callable[["App", Request], Response]


def _live(_app: App, _request: Request) -> Response:
    return Response(200, b"live\n", TEXT)


def _ready(app: App, _request: Request) -> Response:
    return Response(200, b"ready\n", TEXT) if app.ready else Response(503, b"not ready\n", TEXT)


def _health(app: App, _request: Request) -> Response:
    """TorchServe's words; SageMaker and Vertex AI look at the status alone."""
    status = "Healthy" if app.ready else "Unhealthy"
    return json_response({"status": status}, 200 if app.ready else 503)


def _metrics(app: App, _request: Request) -> Response:
    return Response(200, app.metrics.text(), CONTENT_TYPE)


def _oip_server(_app: App, _request: Request) -> Response:
    return json_response({"name": "model-server", "version": VERSION, "extensions": open_inference.EXTENSIONS})


def _oip_live(_app: App, _request: Request) -> Response:
    return json_response({"live": True})


def _oip_ready(app: App, _request: Request) -> Response:
    return json_response({"ready": app.ready}, 200 if app.ready else 503)


def _oip_model(app: App, request: Request) -> Response:
    serving = app.serving_now()
    served = serving.named(request.names) or serving.stable
    return open_inference.model_metadata(serving.models, served.model)


def _oip_model_ready(app: App, request: Request) -> Response:
    serving = app.serving_now()
    serving.named(request.names)
    return json_response({"name": serving.name, "ready": True})


def _tfs_status(app: App, request: Request) -> Response:
    serving = app.serving_now()
    served = serving.named(request.names)
    return tensorflow_serving.status(serving.models if served is None else [served.model])


def _tfs_metadata(app: App, request: Request) -> Response:
    serving = app.serving_now()
    served = serving.named(request.names) or serving.stable
    return tensorflow_serving.metadata(served.model)


OPERATIONS: dict[str, Operation] = {
    "live": _live,
    "ready": _ready,
    "health": _health,
    "metrics": _metrics,
    "oip_server": _oip_server,
    "oip_live": _oip_live,
    "oip_ready": _oip_ready,
    "oip_model": _oip_model,
    "oip_model_ready": _oip_model_ready,
    "tfs_status": _tfs_status,
    "tfs_metadata": _tfs_metadata,
}
